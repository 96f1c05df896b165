/*
 * Encoding of the log, field by field. What a commit and a superblock of the log say is within
 * their first 512 bytes, which no disk tears; they are written as whole blocks, as disks of larger
 * sectors want.
 */
#include "record.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "platform.h"

#define RECORD_MAGIC UINT64_C(0x314c4e524a53524c)
#define SUPER_MAGIC_LOG UINT64_C(0x3153474f4c53524c)

enum { /* offsets in a header */
       H_MAGIC = 0,
       H_TYPE = 8,
       H_EPOCH = 12,
       H_TXID = 20,
       H_POSITION = 28,
       H_COUNT = 36,
       H_CRC = 40,
};
enum { C_BLOCKS = 64, C_TIME = 68, C_CRC = 76, C_ORPHANS = 80 }; /* of a commit */
enum {                                                           /* of the log's superblock */
       S_MAGIC = 0,
       S_UUID = 8,
       S_EPOCH = 24,
       S_TAIL = 32,
       S_TAIL_TXID = 40,
       S_BLOCKS = 48,
       S_ORPHANS = 52,
       S_ORPHAN = 56,
       S_CRC = 508,
};
_Static_assert(C_ORPHANS + 4 * RECORD_ORPHANS_MAX <= SECTOR_BYTES, "a commit is one sector");
_Static_assert(S_ORPHAN + 4 * RECORD_ORPHANS_MAX <= S_CRC, "a superblock is one sector");
_Static_assert(RECORD_HEADER_BYTES + RECORD_TAGS * RECORD_TAG_BYTES == BLOCK_BYTES, "full");
_Static_assert(RECORD_HEADER_BYTES + RECORD_REVOKES * 4 == BLOCK_BYTES, "full");

/* What a header's checksum covers: a commit has to be whole in its sector. */
static size_t covered(enum record_type type)
{
    return type == RECORD_COMMIT ? SECTOR_BYTES : BLOCK_BYTES;
}

uint32_t record_seal(uint8_t page[BLOCK_BYTES], const struct record *r)
{
    put_le64(page + H_MAGIC, RECORD_MAGIC);
    put_le32(page + H_TYPE, (uint32_t)r->type);
    put_le64(page + H_EPOCH, r->epoch);
    put_le64(page + H_TXID, r->txid);
    put_le64(page + H_POSITION, r->position);
    put_le32(page + H_COUNT, r->count);
    memset(page + H_CRC, 0, RECORD_HEADER_BYTES - H_CRC);
    uint32_t crc = plat_crc32c(page, covered(r->type));
    put_le32(page + H_CRC, crc);
    return crc;
}

static uint32_t checksum_of(const uint8_t page[BLOCK_BYTES], enum record_type type)
{
    uint8_t copy[BLOCK_BYTES];
    size_t bytes = covered(type);
    memcpy(copy, page, bytes);
    put_le32(copy + H_CRC, 0);
    return plat_crc32c(copy, bytes);
}

static uint32_t most_of(enum record_type type)
{
    if (type == RECORD_IMAGES)
        return RECORD_TAGS;
    return type == RECORD_REVOKED ? RECORD_REVOKES : RECORD_ORPHANS_MAX;
}

enum err record_open(const uint8_t page[BLOCK_BYTES], struct record *r, uint32_t *crc)
{
    uint32_t type = get_le32(page + H_TYPE);
    if (get_le64(page + H_MAGIC) != RECORD_MAGIC || type < RECORD_IMAGES || type > RECORD_COMMIT)
        return E_CORRUPT;
    if (get_le64(page + H_EPOCH) != r->epoch || get_le64(page + H_TXID) != r->txid ||
        get_le64(page + H_POSITION) != r->position)
        return E_CORRUPT; /* of another life, or overwritten */
    r->type = (enum record_type)type;
    r->count = get_le32(page + H_COUNT);
    *crc = get_le32(page + H_CRC);
    return r->count <= most_of(r->type) && *crc == checksum_of(page, r->type) ? OK : E_CORRUPT;
}

void record_tag(uint8_t page[BLOCK_BYTES], uint32_t k, uint32_t home, uint32_t crc)
{
    uint8_t *tag = page + RECORD_HEADER_BYTES + k * RECORD_TAG_BYTES;
    ASSERT(k < RECORD_TAGS);
    memset(tag, 0, RECORD_TAG_BYTES);
    put_le32(tag, home);
    put_le32(tag + 8, crc);
}

void record_tag_get(const uint8_t page[BLOCK_BYTES], uint32_t k, uint32_t *home, uint32_t *crc)
{
    const uint8_t *tag = page + RECORD_HEADER_BYTES + k * RECORD_TAG_BYTES;
    ASSERT(k < RECORD_TAGS);
    *home = get_le32(tag);
    *crc = get_le32(tag + 8);
}

uint32_t record_image_crc(uint64_t txid, const uint8_t image[BLOCK_BYTES])
{
    uint8_t both[12];
    put_le64(both, txid);
    put_le32(both + 8, plat_crc32c(image, BLOCK_BYTES));
    return plat_crc32c(both, sizeof(both));
}

void record_revoke(uint8_t page[BLOCK_BYTES], uint32_t k, uint32_t block)
{
    ASSERT(k < RECORD_REVOKES);
    put_le32(page + RECORD_HEADER_BYTES + 4 * k, block);
}

uint32_t record_revoked(const uint8_t page[BLOCK_BYTES], uint32_t k)
{
    ASSERT(k < RECORD_REVOKES);
    return get_le32(page + RECORD_HEADER_BYTES + 4 * k);
}

void record_commit(uint8_t page[BLOCK_BYTES], const struct record *r, const struct commit *c)
{
    ASSERT(r->type == RECORD_COMMIT && r->count <= RECORD_ORPHANS_MAX);
    memset(page, 0, BLOCK_BYTES);
    put_le32(page + C_BLOCKS, c->blocks);
    put_le64(page + C_TIME, c->time_ns);
    put_le32(page + C_CRC, c->crc);
    for (uint32_t k = 0; k < r->count; k++)
        put_le32(page + C_ORPHANS + 4 * k, c->orphan[k]);
    (void)record_seal(page, r);
}

uint32_t record_commit_get(const uint8_t page[BLOCK_BYTES], struct commit *c, uint32_t *orphan)
{
    uint32_t count = get_le32(page + H_COUNT);
    ASSERT(count <= RECORD_ORPHANS_MAX);
    c->blocks = get_le32(page + C_BLOCKS);
    c->time_ns = get_le64(page + C_TIME);
    c->crc = get_le32(page + C_CRC);
    c->orphan = orphan;
    for (uint32_t k = 0; k < count; k++)
        orphan[k] = get_le32(page + C_ORPHANS + 4 * k);
    return count;
}

bool record_commits_later(const uint8_t page[BLOCK_BYTES], uint64_t epoch, uint64_t position,
                          uint64_t txid)
{
    struct record r = {.epoch = epoch, .txid = get_le64(page + H_TXID), .position = position};
    uint32_t crc;
    return r.txid >= txid && record_open(page, &r, &crc) == OK && r.type == RECORD_COMMIT;
}

void log_super_encode(uint8_t page[BLOCK_BYTES], const struct log_super *s)
{
    ASSERT(s->orphans <= RECORD_ORPHANS_MAX);
    memset(page, 0, BLOCK_BYTES);
    put_le64(page + S_MAGIC, SUPER_MAGIC_LOG);
    put_le64(page + S_UUID, s->uuid[0]);
    put_le64(page + S_UUID + 8, s->uuid[1]);
    put_le64(page + S_EPOCH, s->epoch);
    put_le64(page + S_TAIL, s->tail);
    put_le64(page + S_TAIL_TXID, s->tail_txid);
    put_le32(page + S_BLOCKS, s->blocks);
    put_le32(page + S_ORPHANS, s->orphans);
    for (uint32_t k = 0; k < s->orphans; k++)
        put_le32(page + S_ORPHAN + 4 * k, s->orphan[k]);
    put_le32(page + S_CRC, plat_crc32c(page, S_CRC));
}

enum err log_super_decode(struct log_super *s, const uint8_t page[BLOCK_BYTES])
{
    if (get_le64(page + S_MAGIC) != SUPER_MAGIC_LOG ||
        get_le32(page + S_CRC) != plat_crc32c(page, S_CRC))
        return E_CORRUPT;
    s->uuid[0] = get_le64(page + S_UUID);
    s->uuid[1] = get_le64(page + S_UUID + 8);
    s->epoch = get_le64(page + S_EPOCH);
    s->tail = get_le64(page + S_TAIL);
    s->tail_txid = get_le64(page + S_TAIL_TXID);
    s->blocks = get_le32(page + S_BLOCKS);
    s->orphans = get_le32(page + S_ORPHANS);
    if (s->orphans > RECORD_ORPHANS_MAX || s->tail_txid == 0)
        return E_CORRUPT;
    for (uint32_t k = 0; k < s->orphans; k++)
        s->orphan[k] = get_le32(page + S_ORPHAN + 4 * k);
    return OK;
}
