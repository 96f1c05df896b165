#include "dirnode.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"

#define MAGIC UINT32_C(0x3144524c) /* "LRD1" */

/* Offsets of the head's fields. */
enum { LEVEL = 4, COUNT = 6, USED = 8, FIRST_FREE = 12, LOW = 16, HIGH = 24, SEED = 32 };

static void resize(uint8_t *block, uint32_t count, uint32_t used)
{
    ASSERT(used <= DIRNODE_ROOM);
    put_le16(block + COUNT, (uint16_t)count);
    put_le32(block + USED, used);
}

void dirnode_init(uint8_t *block, uint32_t level, uint64_t low, uint64_t high)
{
    ASSERT(level < DIRNODE_LEVELS_MAX);
    ASSERT(low < high);
    memset(block, 0, BLOCK_BYTES);
    put_le32(block, MAGIC);
    block[LEVEL] = (uint8_t)level;
    put_le64(block + LOW, low);
    put_le64(block + HIGH, high);
}

bool dirnode_valid(const uint8_t *block)
{
    uint32_t level = block[LEVEL], used = get_le32(block + USED), count = get_le16(block + COUNT);
    if (get_le32(block) != MAGIC || level >= DIRNODE_LEVELS_MAX || used > DIRNODE_ROOM)
        return false;
    if (get_le64(block + LOW) >= get_le64(block + HIGH))
        return false;
    if (level == 0)
        return (count == 0) == (used == 0);
    return count > 0 && used == count * DIRNODE_CHILD_BYTES;
}

void dirnode_make_free(uint8_t *block, uint32_t next)
{
    memset(block, 0, BLOCK_BYTES);
    put_le32(block, MAGIC);
    block[LEVEL] = DIRNODE_FREE;
    put_le32(block + FIRST_FREE, next);
}

bool dirnode_is_free(const uint8_t *block, uint32_t *next)
{
    *next = get_le32(block + FIRST_FREE);
    return get_le32(block) == MAGIC && block[LEVEL] == DIRNODE_FREE;
}

uint32_t dirnode_level(const uint8_t *block)
{
    return block[LEVEL];
}

uint32_t dirnode_count(const uint8_t *block)
{
    return get_le16(block + COUNT);
}

uint32_t dirnode_used(const uint8_t *block)
{
    return get_le32(block + USED);
}

uint64_t dirnode_low(const uint8_t *block)
{
    return get_le64(block + LOW);
}

uint64_t dirnode_high(const uint8_t *block)
{
    return get_le64(block + HIGH);
}

uint32_t dirnode_first_free(const uint8_t *root)
{
    return get_le32(root + FIRST_FREE);
}

void dirnode_set_first_free(uint8_t *root, uint32_t block)
{
    put_le32(root + FIRST_FREE, block);
}

void dirnode_seed(const uint8_t *root, uint64_t seed[2])
{
    seed[0] = get_le64(root + SEED);
    seed[1] = get_le64(root + SEED + 8);
}

void dirnode_set_seed(uint8_t *root, const uint64_t seed[2])
{
    put_le64(root + SEED, seed[0]);
    put_le64(root + SEED + 8, seed[1]);
}

/* ---- Leaves ------------------------------------------------------------------------------------
 */

static enum err entry_decode(const uint8_t *leaf, uint32_t at, struct dirnode_entry *entry)
{
    const uint8_t *raw = leaf + at;
    uint32_t end = DIRNODE_HEAD_BYTES + dirnode_used(leaf);
    if (end - at < DIRNODE_NAME_BYTES)
        return E_CORRUPT;
    *entry = (struct dirnode_entry){.key = get_le64(raw),
                                    .ino = get_le64(raw + 8),
                                    .type = raw[16],
                                    .name_bytes = raw[17],
                                    .name = (const char *)raw + DIRNODE_NAME_BYTES,
                                    .at = at,
                                    .bytes = DIRNODE_NAME_BYTES + raw[17]};
    if (entry->bytes > end - at || entry->name_bytes == 0 || entry->ino == 0)
        return E_CORRUPT;
    if (entry->type < VFS_FILE || entry->type > VFS_LINK_TYPE)
        return E_CORRUPT;
    return entry->key < dirnode_high(leaf) ? OK : E_CORRUPT;
}

enum err dirnode_seek(const uint8_t *leaf, uint64_t key, struct dirnode_entry *entry)
{
    ASSERT(dirnode_level(leaf) == 0);
    uint32_t at = DIRNODE_HEAD_BYTES, end = DIRNODE_HEAD_BYTES + dirnode_used(leaf);
    uint64_t last = dirnode_low(leaf);
    for (; at < end; at += DIRNODE_NAME_BYTES + leaf[at + 17]) {
        if (end - at < DIRNODE_NAME_BYTES)
            return E_CORRUPT;
        uint64_t here = get_le64(leaf + at);
        if (here < last)
            return E_CORRUPT;
        if (here >= key)
            return entry_decode(leaf, at, entry);
        last = here + 1;
    }
    *entry = (struct dirnode_entry){.at = at};
    return at == end ? E_NOENT : E_CORRUPT;
}

enum err dirnode_after(const uint8_t *leaf, struct dirnode_entry *entry)
{
    uint64_t last = entry->key;
    uint32_t at = entry->at + entry->bytes;
    if (at == DIRNODE_HEAD_BYTES + dirnode_used(leaf))
        return E_NOENT;
    enum err e = entry_decode(leaf, at, entry);
    return e == OK && entry->key <= last ? E_CORRUPT : e;
}

void dirnode_add(uint8_t *leaf, uint32_t at, const struct dirnode_entry *entry)
{
    uint32_t used = dirnode_used(leaf), bytes = DIRNODE_NAME_BYTES + entry->name_bytes;
    uint32_t end = DIRNODE_HEAD_BYTES + used;
    ASSERT(used + bytes <= DIRNODE_ROOM);
    ASSERT(at >= DIRNODE_HEAD_BYTES && at <= end);
    uint8_t *raw = leaf + at;
    memmove(raw + bytes, raw, end - at);
    put_le64(raw, entry->key);
    put_le64(raw + 8, entry->ino);
    raw[16] = (uint8_t)entry->type;
    raw[17] = (uint8_t)entry->name_bytes;
    memcpy(raw + DIRNODE_NAME_BYTES, entry->name, entry->name_bytes);
    resize(leaf, dirnode_count(leaf) + 1, used + bytes);
}

void dirnode_remove(uint8_t *leaf, const struct dirnode_entry *entry)
{
    uint32_t used = dirnode_used(leaf), end = DIRNODE_HEAD_BYTES + used;
    uint32_t next = entry->at + entry->bytes;
    ASSERT(next <= end);
    memmove(leaf + entry->at, leaf + next, end - next);
    memset(leaf + end - entry->bytes, 0, entry->bytes);
    resize(leaf, dirnode_count(leaf) - 1, used - entry->bytes);
}

void dirnode_redirect(uint8_t *leaf, const struct dirnode_entry *entry, uint64_t ino, uint32_t type)
{
    ASSERT(ino != 0);
    put_le64(leaf + entry->at + 8, ino);
    leaf[entry->at + 16] = (uint8_t)type;
}

/* ---- Interior nodes ----------------------------------------------------------------------------
 */

static uint32_t child_at(const uint8_t *node, uint32_t slot)
{
    ASSERT(dirnode_level(node) > 0);
    ASSERT(slot <= dirnode_count(node));
    return DIRNODE_HEAD_BYTES + slot * DIRNODE_CHILD_BYTES;
}

uint64_t dirnode_child_key(const uint8_t *node, uint32_t slot)
{
    return get_le64(node + child_at(node, slot));
}

uint32_t dirnode_child(const uint8_t *node, uint32_t slot)
{
    return get_le32(node + child_at(node, slot) + 8);
}

uint32_t dirnode_child_of(const uint8_t *node, uint64_t key)
{
    uint32_t low = 0, high = dirnode_count(node); /* the answer is in [low, high) */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (dirnode_child_key(node, middle) <= key)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void dirnode_child_add(uint8_t *node, uint32_t slot, uint64_t key, uint32_t block)
{
    uint32_t at = child_at(node, slot), used = dirnode_used(node);
    memmove(node + at + DIRNODE_CHILD_BYTES, node + at, DIRNODE_HEAD_BYTES + used - at);
    put_le64(node + at, key);
    put_le32(node + at + 8, block);
    resize(node, dirnode_count(node) + 1, used + DIRNODE_CHILD_BYTES);
}

void dirnode_child_remove(uint8_t *node, uint32_t slot)
{
    uint32_t at = child_at(node, slot), used = dirnode_used(node);
    ASSERT(slot < dirnode_count(node));
    uint32_t next = at + DIRNODE_CHILD_BYTES, end = DIRNODE_HEAD_BYTES + used;
    memmove(node + at, node + next, end - next);
    memset(node + end - DIRNODE_CHILD_BYTES, 0, DIRNODE_CHILD_BYTES);
    resize(node, dirnode_count(node) - 1, used - DIRNODE_CHILD_BYTES);
}

/* ---- Both --------------------------------------------------------------------------------------
 */

/* Where the upper half of a node begins, how many entries lie before it, and its first key. */
static enum err middle_of(const uint8_t *node, uint32_t *at, uint32_t *before, uint64_t *key)
{
    if (dirnode_level(node) > 0) {
        *before = dirnode_count(node) / 2;
        *at = child_at(node, *before);
        *key = dirnode_child_key(node, *before);
        return OK;
    }
    uint32_t half = DIRNODE_HEAD_BYTES + dirnode_used(node) / 2;
    struct dirnode_entry entry;
    *at = DIRNODE_HEAD_BYTES;
    for (*before = 0; *at < half; (*before)++) {
        enum err e = entry_decode(node, *at, &entry);
        if (e != OK)
            return e;
        *at += entry.bytes;
    }
    enum err e = entry_decode(node, *at, &entry);
    if (e == OK)
        *key = entry.key;
    return e;
}

enum err dirnode_split(uint8_t *node, uint8_t *right)
{
    uint32_t at, before, used = dirnode_used(node), end = DIRNODE_HEAD_BYTES + used;
    uint64_t key;
    enum err e = middle_of(node, &at, &before, &key);
    if (e != OK)
        return e;
    if (before == 0 || before >= dirnode_count(node) || at >= end || key <= dirnode_low(node) ||
        key >= dirnode_high(node))
        return E_CORRUPT;
    dirnode_init(right, dirnode_level(node), key, dirnode_high(node));
    memcpy(right + DIRNODE_HEAD_BYTES, node + at, end - at);
    resize(right, dirnode_count(node) - before, end - at);
    memset(node + at, 0, end - at);
    resize(node, before, at - DIRNODE_HEAD_BYTES);
    put_le64(node + HIGH, key);
    return OK;
}

void dirnode_join(uint8_t *left, const uint8_t *right)
{
    uint32_t used = dirnode_used(left), more = dirnode_used(right);
    ASSERT(dirnode_level(left) == dirnode_level(right));
    ASSERT(used + more <= DIRNODE_ROOM);
    memcpy(left + DIRNODE_HEAD_BYTES + used, right + DIRNODE_HEAD_BYTES, more);
    resize(left, dirnode_count(left) + dirnode_count(right), used + more);
    put_le64(left + HIGH, dirnode_high(right));
}

void dirnode_take(uint8_t *to, const uint8_t *from)
{
    to[LEVEL] = from[LEVEL];
    put_le64(to + LOW, dirnode_low(from));
    put_le64(to + HIGH, dirnode_high(from));
    memcpy(to + DIRNODE_HEAD_BYTES, from + DIRNODE_HEAD_BYTES, DIRNODE_ROOM);
    resize(to, dirnode_count(from), dirnode_used(from));
}
