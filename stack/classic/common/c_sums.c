/*
 * Checksums of metadata, for a volume that has them (super.sums). Bitmaps, directory blocks and
 * indirect blocks end in a tail that names them; a record of an inode has its number in its
 * checksum. So a block that rotted, was torn, or was written for another place is not believed. One
 * that is stale is: it was right once (README.md of the journal, "Limits").
 *
 * A tail is sealed when a copy of the block leaves memory: in memory its checksum is of no use, and
 * the block may change many times before. It is looked at once, by the first who uses the block as
 * metadata: only he knows whose it should be.
 */
#include "assertion.h"
#include "bytes.h"
#include "layout_c.h"
#include "mem.h"
#include "planted.h"

#define TAIL_MAGIC UINT32_C(0x4c494154)
#define TABLE_FIRST 2u /* block of a group; those before it are its bitmaps */
#define CRC_TRIES 3u   /* a mirror below may have a good copy, a disk may have read elsewhere */

enum { /* offsets in a block */
       TAIL_AT = BLOCK_BYTES - SUM_TAIL_BYTES,
       TAIL_ADDRESS = TAIL_AT + 4,
       TAIL_OWNER = TAIL_AT + 8,
       TAIL_CRC = TAIL_AT + 12,
};
_Static_assert(4 * POINTERS_A_BLOCK <= TAIL_AT, "an indirect block leaves room for its tail");
_Static_assert(GROUP_BLOCKS / 8 <= TAIL_AT, "a bitmap leaves room for its tail");

static bool is_table(const struct fs *fs, uint32_t block)
{
    return !layout_is_data(fs->c->super.blocks, block) && (block - 1) % GROUP_BLOCKS >= TABLE_FIRST;
}

static bool tail_is_good(const uint8_t *page, uint32_t block, uint32_t owner)
{
    return get_le32(page + TAIL_AT) == TAIL_MAGIC && get_le32(page + TAIL_ADDRESS) == block &&
           get_le32(page + TAIL_OWNER) == owner &&
           get_le32(page + TAIL_CRC) == plat_crc32c(page, TAIL_CRC);
}

/* A record that was never written is zeros. */
static bool is_blank(const uint8_t *record)
{
    for (uint32_t k = 0; k < INODE_BYTES; k += 8)
        if (get_le64(record + k) != 0)
            return false;
    return true;
}

static bool table_is_good(const uint8_t *page, uint32_t block)
{
    uint32_t group = (block - 1) / GROUP_BLOCKS;
    uint32_t in_group = (block - 1) % GROUP_BLOCKS - TABLE_FIRST;
    uint32_t first = group * GROUP_INODES + in_group * INODES_A_BLOCK;
    for (uint32_t k = 0; k < INODES_A_BLOCK; k++) {
        const uint8_t *record = page + (size_t)k * INODE_BYTES;
        if (!inode_is_bound(record, first + k) && !is_blank(record))
            return false;
    }
    return true;
}

static bool is_good(const struct fs *fs, const struct buffer *b, uint32_t owner)
{
    return is_table(fs, b->block) ? table_is_good(b->page, b->block)
                                  : tail_is_good(b->page, b->block, owner);
}

/* Of a table each record has its own checksum: the good ones are served. */
static enum err verify(struct fs *fs, struct buffer *b, uint32_t owner)
{
    bool table = is_table(fs, b->block);
    bool good = is_good(fs, b, owner) || PLANTED(PLANTED_META_SUM_UNCHECKED);
    if (b->dirty || b->writing) /* of a file, which the disk says has the same block */
        return good ? OK : E_CORRUPT;
    if (!good)
        plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)E_CORRUPT, b->block);
    for (uint32_t tries = 1; !good && tries < CRC_TRIES; tries++) {
        enum err e =
            block_read(&fs->client, (uint64_t)b->block * SECTORS_A_BLOCK, b->page, BLOCK_BYTES);
        if (e != OK) { /* who knows what came */
            cache_forget(fs, b->key);
            return as_media(e);
        }
        good = is_good(fs, b, owner);
    }
    if (!good && !table) {
        cache_forget(fs, b->key);
        return E_CORRUPT;
    }
    b->sum = table ? SUM_RECORDS : SUM_TAIL;
    return OK;
}

enum err c_get_meta(struct fs *fs, uint32_t block, uint32_t owner, struct buffer **b)
{
    enum err e = c_get(fs, block, b);
    if (e != OK || !fs->c->super.sums || (*b)->sum != SUM_NONE)
        return e;
    return verify(fs, *b, owner);
}

void c_sums_made(struct fs *fs, struct buffer *b, uint32_t owner)
{
    if (!fs->c->super.sums)
        return;
    ASSERT(!is_table(fs, b->block));
    b->sum = SUM_TAIL;
    put_le32(b->page + TAIL_AT, TAIL_MAGIC);
    put_le32(b->page + TAIL_ADDRESS, b->block);
    put_le32(b->page + TAIL_OWNER, owner);
}

void c_sums_changed(struct fs *fs, const struct change *c)
{
    if (!fs->c->super.sums)
        return;
    switch (c->kind) {
    case CHANGE_DATA:
        c->b->sum = SUM_NONE; /* whatever it was before */
        break;
    case CHANGE_DIR_BLOCK:
    case CHANGE_INDIRECT:
        c_sums_made(fs, c->b, c->i->ino);
        break;
    case CHANGE_INODE:
        ASSERT(c->b->sum == SUM_RECORDS);
        break;
    case CHANGE_ADDED:
    case CHANGE_REMOVED:
    case CHANGE_POINTED:
    case CHANGE_GOING:
    case CHANGE_DOTDOT:
    case CHANGE_POINTER:
    case CHANGE_MAP:
        ASSERT(c->b->sum == SUM_TAIL); /* it was verified, or made here */
        break;
    }
}

void c_sums_seal(const struct buffer *b, uint8_t *page)
{
    ASSERT(page != NULL);
    if (b->sum != SUM_TAIL)
        return;
    ASSERT(get_le32(page + TAIL_AT) == TAIL_MAGIC);
    ASSERT(get_le32(page + TAIL_ADDRESS) == b->block);
    put_le32(page + TAIL_CRC, plat_crc32c(page, TAIL_CRC));
}
