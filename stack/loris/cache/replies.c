/*
 * Results of the last transactions of each environment, so that a request that is sent again takes
 * effect once. A result is found by generation and sequence: those of earlier generations never
 * match again, and are overwritten.
 */
#include "cache.h"

static struct reply_entry *slot_of(const struct cache *c, const struct object_txn *id)
{
    ASSERT(id->environment > 0 && id->environment < CACHE_ENVS);
    return &c->mem.replies[id->environment * REPLIES_PER_ENV + id->sequence % REPLIES_PER_ENV];
}

const uint8_t *reply_find(const struct cache *c, const struct object_txn *id)
{
    if (PLANTED(PLANTED_NO_REPLY_TABLE))
        return NULL;
    const struct reply_entry *r = slot_of(c, id);
    bool match = r->seal != 0 && r->sequence == id->sequence && r->generation == id->generation;
    return match && r->seal == reply_seal(r) ? r->result : NULL;
}

void reply_put(struct cache *c, const struct object_txn *id, const uint8_t *result)
{
    struct reply_entry *r = slot_of(c, id);
    r->seal = 0;
    r->sequence = id->sequence;
    r->generation = id->generation;
    r->unused = 0;
    r->epoch = c->epoch;
    memcpy(r->result, result, OBJECT_RESULT_BYTES);
    r->seal = reply_seal(r);
}

void reply_forget_above(struct cache *c, uint64_t epoch)
{
    for (uint32_t k = 0; k < CACHE_ENVS * REPLIES_PER_ENV; k++) {
        struct reply_entry *r = &c->mem.replies[k];
        if (r->seal != 0 && r->epoch > epoch)
            r->seal = 0;
    }
}
