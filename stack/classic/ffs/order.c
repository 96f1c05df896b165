/*
 * The rules of careful ordering (Ganger & Patt), applied to each change as it is made:
 *
 *   R1 nothing points to what is not initialised on disk: a pointer waits for its block, a name for
 *      its inode, an inode's record for its blocks, its pointers and the bytes that it grew over.
 *   R2 nothing is reused before each pointer to it is gone: what is freed waits until all patches
 *      are stable.
 *   R3 the last pointer goes only after the new one is there, and R4: a name's removal waits for
 *      every unstable addition of a name of that inode, in whatever order they were made.
 *      A name comes back only after the one that went: never twice in a directory.
 *   R5 moving a directory to another parent begins and ends with everything stable (main.c).
 *   R7 a name waits for the name of the directory that it is in, and that one goes only after all
 *      names that went from the directory: else what moved in or out is in lost+found alone.
 *   R6 a truncate that ends within a block is stable when it returns (main.c): what is written
 * there next must not be seen with the old size.
 *
 * Overwritten data have no order: data in place are a whole version each. Nor have bitmaps, as the
 * check makes them anew; but with `fsck: background` a bit is set before anything leads to what it
 * stands for (a bit is cleared late anyway, R2).
 */
#include "assertion.h"
#include "ffs.h"
#include "planted.h"

/* ---- R1: blocks, pointers, records ---- */

/* With `fsck: background` bitmaps on disk err towards used: a bit is set there before anything
 * leads to what it stands for. The newest patch of the bitmap, which is a node. */
static void after_bit(struct fs *fs, uint32_t p, uint32_t map)
{
    const struct buffer *b = fs->options.fsck_background ? cache_find(fs, map) : NULL;
    const struct ffs_block *block = b != NULL ? b->own : NULL;
    if (block != NULL)
        ffs_patch_depends(fs, p, ffs_patch_ref(ffs_of(fs), block->last));
}

static void bits(struct fs *fs, const struct change *c)
{
    struct change whole = *c;
    uint32_t set = 0;
    for (uint32_t k = 0; k < c->bytes; k++)
        set |= (uint32_t)(c->b->page[c->offset + k] & ~c->old[k]);
    if (!fs->options.fsck_background || set == 0 || ffs_patch_node(fs, c->b->block) != NO_PATCH)
        return;
    whole.offset = whole.bytes = 0;
    (void)ffs_patch_make(fs, &whole, INO_NONE);
}

static void new_content(struct fs *fs, const struct change *c)
{
    uint32_t node = ffs_patch_node(fs, c->b->block);
    if (node == NO_PATCH) {
        struct change whole = *c;
        whole.offset = whole.bytes = 0;
        node = ffs_patch_make(fs, &whole, c->i->ino);
        after_bit(fs, node, group_first((c->b->block - 1) / GROUP_BLOCKS));
    }
    ffs_party_pending(fs, ffs_party(fs, c->i->ino), node);
}

static void pointer(struct fs *fs, const struct change *c)
{
    struct ffs *f = ffs_of(fs);
    struct party *party = ffs_party(fs, c->i->ino);
    uint32_t p = ffs_patch_make(fs, c, c->i->ino);
    if (c->target == 0) { /* truncated: the record that says so comes first */
        ffs_patch_depends(fs, p, party->record);
        return;
    }
    uint32_t node = ffs_patch_node(fs, c->target);
    if (node != NO_PATCH)
        ffs_patch_depends(fs, p, ffs_patch_ref(f, node));
    ffs_party_pending(fs, party, p);
}

static void record(struct fs *fs, const struct change *c)
{
    struct ffs *f = ffs_of(fs);
    struct party *party = ffs_party(fs, c->target);
    uint32_t p = ffs_patch_at(f, party->record);
    if (p != NO_PATCH && f->patch[p].state == PATCH_WAITING && f->patch[p].dependents == 0)
        ffs_patch_renew(fs, p); /* nobody waits for the one before: they are one now */
    else
        p = ffs_patch_make(fs, c, c->target);
    if (!PLANTED(PLANTED_FFS_SIZE_FIRST))
        ffs_party_take(fs, party, p);
    if (!PLANTED(PLANTED_FFS_CLEARED_FIRST))
        ffs_patch_depends(fs, p, party->removed);
    after_bit(fs, p, group_first(c->target / GROUP_INODES) + 1);
    party->record = ffs_patch_ref(f, p);
}

/* ---- R3, R4: names ---- */

/* The last removal of this very name. */
static struct patch_ref *gone(struct fs *fs, const struct change *c)
{
    uint32_t hash = index_hash(c->i->ino, c->name, c->name_bytes);
    return &ffs_of(fs)->gone[(hash ^ hash >> 16) % GONE_NAMES];
}

/* A name of `ino` came by patch p. */
static void came(struct fs *fs, uint32_t p, const struct change *c, uint32_t ino)
{
    struct party *party = ffs_party(fs, ino);
    ffs_of(fs)->patch[p].dir = c->i->ino;
    ffs_patch_depends(fs, p, party->record);
    ffs_patch_depends(fs, p, party->added); /* so that one reference stands for all of them */
    ffs_patch_depends(fs, p, ffs_party(fs, c->i->ino)->added); /* R7 */
    if (ffs_of(fs)->patch[p].of_directory)
        ffs_patch_depends(fs, p, ffs_party(fs, c->i->ino)->record); /* the parent's count */
    if (fs->remove_first)
        ffs_patch_depends(fs, p, party->removed);
    party->added = ffs_patch_ref(ffs_of(fs), p);
}

/* R7: directory `dir` loses its name by patch p, after all names that went from it. */
static void after_inside(struct fs *fs, uint32_t p, uint32_t dir)
{
    const struct ffs *f = ffs_of(fs);
    for (uint32_t at = f->all_first; at != NO_PATCH; at = f->patch[at].all_next) {
        enum change_kind kind = f->patch[at].kind;
        bool went = kind == CHANGE_REMOVED || kind == CHANGE_POINTED;
        if (at != p && went && f->patch[at].dir == dir)
            ffs_patch_depends(fs, p, ffs_patch_ref(f, at));
    }
}

/* A name of `ino` went by patch p. */
static void went(struct fs *fs, uint32_t p, const struct change *c, uint32_t ino)
{
    struct party *party = ffs_party(fs, ino);
    ffs_of(fs)->patch[p].dir = c->i->ino;
    if (!PLANTED(PLANTED_FFS_R4_OFF))
        ffs_patch_depends(fs, p, party->added);
    ffs_patch_depends(fs, p, party->removed);
    if (ffs_of(fs)->patch[p].of_directory)
        after_inside(fs, p, ino);
    party->removed = ffs_patch_ref(ffs_of(fs), p);
}

static void name_added(struct fs *fs, const struct change *c)
{
    uint32_t p = ffs_patch_make(fs, c, c->target);
    came(fs, p, c, c->target);
    ffs_patch_depends(fs, p, *gone(fs, c));
}

static void name_removed(struct fs *fs, const struct change *c)
{
    uint32_t p = ffs_patch_make(fs, c, c->old_target);
    went(fs, p, c, c->old_target);
    ffs_patch_depends(fs, p, *gone(fs, c)); /* one reference stands for all */
    *gone(fs, c) = ffs_patch_ref(ffs_of(fs), p);
}

static void name_pointed(struct fs *fs, const struct change *c)
{
    uint32_t p = ffs_patch_make(fs, c, c->target);
    went(fs, p, c, c->old_target);
    came(fs, p, c, c->target);
}

/* ".." of directory i: the new name comes after it, the old one goes after that. */
static void dotdot(struct fs *fs, const struct change *c)
{
    struct party *party = ffs_party(fs, c->i->ino);
    uint32_t p = ffs_patch_make(fs, c, c->i->ino);
    ffs_patch_depends(fs, p, party->added);
    party->added = ffs_patch_ref(ffs_of(fs), p);
    ffs_of(fs)->moved_directory = true;
}

/* The mark of a name that will go: the new name comes after it. */
static void name_going(struct fs *fs, const struct change *c)
{
    struct party *party = ffs_party(fs, c->target);
    uint32_t p = ffs_patch_make(fs, c, c->target);
    ffs_patch_depends(fs, p, party->added);
    party->added = ffs_patch_ref(ffs_of(fs), p);
}

void ffs_changed(struct fs *fs, const struct change *c)
{
    struct ffs *f = ffs_of(fs);
    if (f->off)
        return;
    switch (c->kind) {
    case CHANGE_DATA:
        if (c->fresh || c->grows)
            new_content(fs, c);
        break;
    case CHANGE_DIR_BLOCK:
    case CHANGE_INDIRECT:
        new_content(fs, c);
        break;
    case CHANGE_ADDED:
        name_added(fs, c);
        break;
    case CHANGE_REMOVED:
        name_removed(fs, c);
        break;
    case CHANGE_POINTED:
        name_pointed(fs, c);
        break;
    case CHANGE_GOING:
        name_going(fs, c);
        break;
    case CHANGE_DOTDOT:
        dotdot(fs, c);
        break;
    case CHANGE_INODE:
        record(fs, c);
        break;
    case CHANGE_POINTER:
        pointer(fs, c);
        break;
    case CHANGE_MAP:
        bits(fs, c);
        break;
    }
    ffs_live_changed(fs, c);
}

/* ---- R2: what is freed ---- */

static enum err put_freed(struct fs *fs, uint32_t first, uint32_t count)
{
    struct ffs *f = ffs_of(fs);
    ffs_live_freed(fs, first, count);
    struct freed *last = &f->freed[f->freed_count - (f->freed_count > 0 ? 1 : 0)];
    if (f->freed_count > 0 && count > 0 && last->count > 0 && last->first + last->count == first) {
        last->count += count;
        return OK;
    }
    if (f->freed_count == FREED_MAX) { /* each pointer to it has its patch already */
        enum err e = ffs_pass_all(fs);
        if (e != OK)
            return e;
    }
    ASSERT(f->freed_count < FREED_MAX);
    f->freed[f->freed_count++] = (struct freed){.first = first, .count = count};
    return OK;
}

enum err ffs_block_freed(struct fs *fs, struct inode *i, uint32_t block)
{
    struct ffs *f = ffs_of(fs);
    struct buffer *b = cache_find(fs, block);
    (void)i;
    if (f->off || PLANTED(PLANTED_FFS_REUSED_EARLY))
        return c_block_clear(fs, block);
    if (!layout_is_data(fs->blocks, block))
        return OK; /* the disk may say anything */
    if (b != NULL && b->own == NULL)
        cache_forget(fs, block);
    else if (b != NULL)
        cache_disown(b); /* what leads to it waits for it, until it is written without it */
    return put_freed(fs, block, 1);
}

enum err ffs_inode_free(struct fs *fs, uint32_t ino)
{
    return ffs_of(fs)->off ? c_inode_free(fs, ino) : put_freed(fs, ino, 0);
}

void ffs_freed_release(struct fs *fs)
{
    struct ffs *f = ffs_of(fs);
    ASSERT(f->all_first == NO_PATCH);
    if (f->freed_count > 0)
        plat_probe(PROBE_FFS_FREED);
    for (uint32_t k = 0; k < f->freed_count; k++) {
        const struct freed *freed = &f->freed[k];
        if (freed->count == 0 && c_inode_free(fs, freed->first) != OK)
            plat_report(REPORT_LEAK, 0, freed->first);
        for (uint32_t n = 0; n < freed->count; n++)
            if (c_block_clear(fs, freed->first + n) != OK)
                plat_report(REPORT_LEAK, 1, 0);
    }
    f->freed_count = 0;
}
