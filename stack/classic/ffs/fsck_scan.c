/*
 * Phase 1: every record of every inode table, whether its bit is set or not; and the blocks that
 * its pointers claim. Time is proportional to the disk.
 */
#include "assertion.h"
#include "bytes.h"
#include "fsck.h"
#include "mem.h"

#define TABLE_BLOCKS (GROUP_META_BLOCKS - 2u)
#define MAP_BYTES (GROUP_BLOCKS / 8u)

/* ---- What is known ---- */

struct seen *fsck_seen(const struct check *c, uint32_t ino)
{
    if (ino == INO_NONE || ino >= (uint64_t)c->fs->c->super.groups * GROUP_INODES)
        return NULL;
    struct seen *group = c->seen[ino / GROUP_INODES];
    struct seen *s = group == NULL ? NULL : &group[ino % GROUP_INODES];
    return s == NULL || (s->type == 0 && s->flags == 0) ? NULL : s;
}

static struct seen *make_seen(struct check *c, uint32_t ino)
{
    struct seen **group = &c->seen[ino / GROUP_INODES];
    if (*group == NULL)
        *group = plat_alloc(GROUP_INODES * sizeof(**group), TAG_HEAP);
    return *group == NULL ? NULL : *group + ino % GROUP_INODES;
}

static uint8_t *claim_byte(struct check *c, uint32_t block, uint8_t *mask)
{
    uint8_t **group = &c->claimed[(block - 1) / GROUP_BLOCKS];
    uint32_t bit = (block - 1) % GROUP_BLOCKS;
    if (*group == NULL)
        *group = plat_alloc(MAP_BYTES, TAG_HEAP);
    *mask = (uint8_t)(1u << bit % 8);
    return *group == NULL ? NULL : *group + bit / 8;
}

enum err fsck_load(struct check *c, uint32_t ino)
{
    c->inode = (struct inode){.ino = ino, .own = &c->inode_c};
    c->inode_c = (struct inode_c){.goal = 0};
    return c_inode_load(c->fs, &c->inode);
}

void fsck_store(struct check *c)
{
    struct buffer *b;
    uint32_t ino = c->inode.ino;
    if (c_get(c->fs, inode_block(ino), &b) != OK) {
        c->blind = true;
        return;
    }
    inode_encode(b->page + inode_offset(ino), &c->inode.d, c->inode_c.pointer);
    cache_dirty(c->fs, b, NULL);
}

/* ---- Claims ---- */

/* Claims a block, or gives it up. false: the pointer cannot stay. */
static bool claim(struct check *c, uint32_t block, bool give_up)
{
    uint8_t mask;
    uint8_t *byte = claim_byte(c, block, &mask);
    if (byte == NULL) {
        c->blind = true;
        return true;
    }
    if (give_up) {
        *byte &= (uint8_t)~mask;
        return true;
    }
    if ((*byte & mask) != 0) {
        plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)E_CORRUPT, block);
        return false;
    }
    *byte |= mask;
    return true;
}

/*
 * Claims a tree below a pointer. limit: file blocks of it within the file's size. Returns how many
 * blocks it has; *pointer: 0 if it lies beyond the end, or belongs to somebody else already.
 */
static uint32_t claim_tree(struct check *c, uint32_t *pointer, uint32_t level, uint64_t limit,
                           bool give_up)
{
    uint64_t span = 1;
    uint32_t block = *pointer, count = 1;
    if (block == 0 || !layout_is_data(c->fs->blocks, block))
        return 0; /* no block: an error to whoever uses it */
    if (limit == 0 || !claim(c, block, give_up)) {
        *pointer = 0;
        return 0;
    }
    for (uint32_t k = 1; k < level; k++)
        span *= POINTERS_A_BLOCK;
    for (uint32_t k = 0; k < POINTERS_A_BLOCK && level > 0; k++) {
        struct buffer *b;
        if (c_get(c->fs, block, &b) != OK) {
            c->blind = true;
            break;
        }
        uint32_t before = get_le32(b->page + 4 * k), child = before;
        count += claim_tree(c, &child, level - 1, limit > k * span ? limit - k * span : 0, give_up);
        if (child == before || give_up || c_get(c->fs, block, &b) != OK)
            continue;
        put_le32(b->page + 4 * k, child);
        cache_dirty(c->fs, b, NULL);
    }
    return count;
}

/* All of c->inode's; mends its record. */
static void claim_all(struct check *c, bool give_up)
{
    struct attributes *d = &c->inode.d;
    uint64_t blocks = (d->size + BLOCK_BYTES - 1) / BLOCK_BYTES, base = 0, span = 1;
    uint32_t count = 0;
    bool changed = false;
    if (d->type == VFS_LINK_TYPE && d->size <= INLINE_MAX)
        return;
    for (uint32_t p = 0; p < INODE_POINTERS; p++) {
        uint32_t before = c->inode_c.pointer[p];
        uint32_t level = p < INODE_DIRECT ? 0 : p - INODE_DIRECT + 1;
        span *= level > 0 ? POINTERS_A_BLOCK : 1;
        count += claim_tree(c, &c->inode_c.pointer[p], level, blocks > base ? blocks - base : 0,
                            give_up);
        changed |= c->inode_c.pointer[p] != before;
        base += span;
    }
    if (give_up || (!changed && count == d->blocks))
        return;
    d->blocks = count;
    fsck_store(c);
}

void fsck_free(struct check *c, uint32_t ino)
{
    struct seen *s = fsck_seen(c, ino);
    ASSERT(s != NULL);
    if (fsck_load(c, ino) != OK) {
        c->blind = true;
        return;
    }
    claim_all(c, true);
    c->inode.d = (struct attributes){.generation = c->inode.d.generation};
    c->inode_c = (struct inode_c){.goal = 0};
    fsck_store(c);
    *s = (struct seen){.type = 0};
}

/* ---- The tables ---- */

static bool is_zero(const uint8_t *raw, uint32_t bytes)
{
    for (uint32_t k = 0; k < bytes; k += 8)
        if (get_le64(raw + k) != 0)
            return false;
    return true;
}

static bool is_possible(const struct attributes *d)
{
    if (d->size > FILE_BLOCKS_MAX * BLOCK_BYTES)
        return false;
    return d->type != VFS_DIRECTORY || (d->size > 0 && d->size % BLOCK_BYTES == 0);
}

static enum err scan_inode(struct check *c, uint32_t ino)
{
    enum err e = fsck_load(c, ino);
    if (e == E_NOENT)
        return OK;
    struct seen *s = make_seen(c, ino);
    if (s == NULL)
        return E_FULL;
    if (e != OK || !is_possible(&c->inode.d)) {
        s->flags = SEEN_BAD;
        c->blind = true;
        return OK;
    }
    s->type = (uint8_t)c->inode.d.type;
    s->nlink = (uint16_t)c->inode.d.nlink;
    s->flags = c->inode.d.size == 0 ? SEEN_EMPTY : 0;
    claim_all(c, false);
    return OK;
}

static void read_table(struct fs *fs, uint32_t first)
{
    struct want want[TABLE_BLOCKS];
    for (uint32_t k = 0; k < TABLE_BLOCKS; k++)
        want[k] = (struct want){.key = first + k, .block = first + k};
    cache_prefetch(fs, want, TABLE_BLOCKS);
}

static enum err scan_group(struct check *c, uint32_t group)
{
    uint32_t first = group_first(group) + 2;
    read_table(c->fs, first);
    for (uint32_t slot = 0; slot < GROUP_INODES; slot++) {
        struct buffer *b;
        uint32_t ino = group * GROUP_INODES + slot, place = slot % INODES_A_BLOCK;
        c->fs->store->throttle(c->fs);
        if (c_get(c->fs, inode_block(ino), &b) != OK) {
            c->blind = true;
            slot += INODES_A_BLOCK - 1 - place;
            continue;
        }
        if (place == 0 && is_zero(b->page, BLOCK_BYTES)) {
            slot += INODES_A_BLOCK - 1;
            continue;
        }
        if (ino == INO_NONE || is_zero(b->page + inode_offset(ino), INODE_BYTES))
            continue; /* never used */
        enum err e = scan_inode(c, ino);
        if (e != OK)
            return e;
    }
    return OK;
}

enum err fsck_scan(struct check *c)
{
    uint32_t groups = c->fs->c->super.groups;
    c->seen = plat_alloc(groups * sizeof(c->seen[0]), TAG_HEAP);
    c->claimed = plat_alloc(groups * sizeof(c->claimed[0]), TAG_HEAP);
    enum err e = c->seen != NULL && c->claimed != NULL ? OK : E_FULL;
    for (uint32_t g = 0; g < groups && e == OK; g++)
        e = scan_group(c, g);
    return e;
}
