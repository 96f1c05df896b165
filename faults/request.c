/*
 * Payloads are read here by the places of their words: the functions that unpack them are code of
 * the stack, which runs in processes only (sim/coroutine.h). tests/test_request.c compares the
 * places with what stack/proto packs.
 */
#include "faults/request.h"

#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "object.h"
#include "vfs.h"

/* Places in the payload of a request of each protocol, in bytes. */
enum block_place { BLOCK_AT_FIRST_SECTOR = 0, BLOCK_AT_COUNT = 8 };
enum object_place {
    OBJECT_AT_OID = 0,
    OBJECT_AT_OFFSET = 8,
    OBJECT_AT_LENGTH = 16,
    OBJECT_AT_SIZE = 24,
    OBJECT_AT_SEQUENCE = 32,
    OBJECT_AT_ENVIRONMENT = 64,
    OBJECT_AT_GENERATION = 68,
    OBJECT_AT_GRANT_META = 88
};
enum vfs_place {
    VFS_AT_SEQUENCE = 48,
    VFS_AT_ENVIRONMENT = 72,
    VFS_AT_GENERATION = 76,
    VFS_AT_ATTEMPT = 80
};

/* A message that arrives, and at whom. */
struct arrival {
    struct sim_machine *machine;
    enum layer layer;
    uint32_t instance;
    const struct msg *msg;
    uint32_t source;
};

static uint64_t long_at(const struct msg *m, uint32_t place)
{
    uint64_t value;
    ASSERT(place + sizeof(value) <= MSG_PAYLOAD_BYTES);
    memcpy(&value, m->payload + place, sizeof(value));
    return value;
}

static uint32_t word_at(const struct msg *m, uint32_t place)
{
    uint32_t value;
    ASSERT(place + sizeof(value) <= MSG_PAYLOAD_BYTES);
    memcpy(&value, m->payload + place, sizeof(value));
    return value;
}

static bool key_of_block(const struct msg *m, struct request_key *key)
{
    uint32_t op = PROTO_OPERATION(m->type);
    key->word[0] = long_at(m, BLOCK_AT_FIRST_SECTOR);
    key->word[1] = word_at(m, BLOCK_AT_COUNT);
    return op == BLOCK_READ || op == BLOCK_WRITE || op == BLOCK_TRIM;
}

/* The sequence is what vfs sends again; a fresh vfs counts in another generation. */
static bool key_of_vfs(const struct msg *m, struct request_key *key)
{
    key->word[0] = word_at(m, VFS_AT_ENVIRONMENT);
    key->word[1] = word_at(m, VFS_AT_GENERATION);
    key->word[2] = long_at(m, VFS_AT_SEQUENCE);
    return true;
}

static bool is_about_an_object(const struct msg *m)
{
    switch (PROTO_OPERATION(m->type)) {
    case OBJECT_CREATE:
    case OBJECT_DELETE:
    case OBJECT_READ:
    case OBJECT_WRITE:
    case OBJECT_TRUNCATE:
    case OBJECT_GETATTR:
    case OBJECT_SETATTR:
        return true;
    default:
        return false;
    }
}

/* Below the cache a write is a batch of blocks, listed in grant_meta. */
static bool is_batch(const struct arrival *a)
{
    return a->msg->type == (PROTO_OBJECT | OBJECT_WRITE) && a->layer != LAYER_CACHE;
}

/* What the cache is asked outside of a transaction has no number: what another one asks in the same
 * words is another request, and the next read of a directory that all need is not the last one. */
static bool has_identity(const struct arrival *a)
{
    return a->layer != LAYER_CACHE || word_at(a->msg, OBJECT_AT_ENVIRONMENT) != 0;
}

/* Object and block of entry k of a batch. */
static bool read_entry(const struct arrival *a, uint64_t k, uint64_t entry[2])
{
    uint8_t raw[OBJECT_ENTRY_BYTES];
    if (!sim_machine_read_grant(a->machine, a->layer, a->instance, a->source,
                                word_at(a->msg, OBJECT_AT_GRANT_META), k * OBJECT_ENTRY_BYTES, raw,
                                sizeof(raw)))
        return false;
    entry[0] = get_le64(raw);
    entry[1] = get_le64(raw + 8);
    return true;
}

static bool key_of_object(const struct arrival *a, struct request_key *key)
{
    const struct msg *m = a->msg;
    if (is_batch(a))
        return read_entry(a, 0, key->word);
    key->word[0] = long_at(m, OBJECT_AT_OID);
    key->word[1] = long_at(m, OBJECT_AT_OFFSET);
    key->word[2] = long_at(m, OBJECT_AT_LENGTH);
    key->word[3] = long_at(m, OBJECT_AT_SIZE);
    key->word[4] = word_at(m, OBJECT_AT_ENVIRONMENT);
    key->word[5] = word_at(m, OBJECT_AT_GENERATION);
    key->word[6] = long_at(m, OBJECT_AT_SEQUENCE);
    return is_about_an_object(m) && has_identity(a);
}

static bool find_key(const struct arrival *a, struct request_key *key)
{
    *key = (struct request_key){.type = a->msg->type};
    if ((a->msg->type & PROTO_REPLY) != 0)
        return false;
    switch (PROTO_OF(a->msg->type)) {
    case PROTO_BLOCK:
        return key_of_block(a->msg, key);
    case PROTO_OBJECT:
        return key_of_object(a, key);
    case PROTO_VFS:
        return key_of_vfs(a->msg, key);
    case PROTO_CALL: /* whoever made it dies with the vfs: it does not come again */
        key->word[0] = a->source;
        key->word[1] = a->msg->id;
        return true;
    default:
        return false;
    }
}

static struct arrival arrival(struct sim_machine *m, enum layer layer, uint32_t instance)
{
    struct arrival a = {.machine = m, .layer = layer, .instance = instance};
    a.msg = sim_machine_arriving(m, &a.source);
    return a;
}

bool request_key_of(struct sim_machine *m, enum layer layer, uint32_t instance,
                    struct request_key *key)
{
    const struct arrival a = arrival(m, layer, instance);
    bool found = find_key(&a, key);
    if (!found)
        *key = (struct request_key){.type = 0};
    return found;
}

static bool batch_has(const struct arrival *a, const struct request_key *key)
{
    uint64_t blocks = long_at(a->msg, OBJECT_AT_LENGTH) / BLOCK_BYTES;
    uint64_t entry[2];
    for (uint64_t k = 0; k < OBJECT_BATCH_MAX_BLOCKS && k < blocks; k++)
        if (read_entry(a, k, entry) && memcmp(entry, key->word, sizeof(entry)) == 0)
            return true;
    return false;
}

bool request_is(struct sim_machine *m, enum layer layer, uint32_t instance,
                const struct request_key *key, uint32_t tries)
{
    const struct arrival a = arrival(m, layer, instance);
    struct request_key other;
    ASSERT(key->type != 0);
    if (a.msg->type != key->type)
        return false;
    if (layer == LAYER_NAMING && word_at(a.msg, VFS_AT_ATTEMPT) > tries)
        return false;
    if (is_batch(&a))
        return batch_has(&a, key);
    return find_key(&a, &other) && memcmp(other.word, key->word, sizeof(key->word)) == 0;
}
