/*
 * Passes. Of each sector the largest set of waiting patches is written whose predecessors are
 * stable or in the same sector and the set; the others are undone in a copy, newest first. When all
 * such blocks are written, a flush makes what was sent stable, and the next round begins, until
 * nothing waits.
 */
#include "assertion.h"
#include "ffs.h"
#include "mem.h"
#include "planted.h"

/* ---- What of a block can go ---- */

/* A predecessor lets `p` go: it is stable, or goes along in the same sector. */
static bool lets_go(const struct ffs *f, const struct patch *p, const struct edge *edge)
{
    const struct patch *before = &f->patch[edge->patch];
    if (before->id != edge->id)
        return true;
    if (before->block != p->block)
        return false;
    if (before->bytes > 0 && before->offset / SECTOR_BYTES != p->offset / SECTOR_BYTES)
        return false;
    return before->state == PATCH_SENT || before->ready;
}

/* Marks the patches that can go; how many. *left: how many cannot. */
static uint32_t choose(struct ffs *f, const struct ffs_block *block, uint32_t *left)
{
    uint32_t count = 0;
    *left = 0;
    for (uint32_t k = block->first; k != NO_PATCH; k = f->patch[k].block_next) {
        struct patch *p = &f->patch[k];
        p->ready = p->state == PATCH_WAITING;
        for (uint32_t e = p->edges; e != 0 && p->ready; e = f->edge[e].next)
            p->ready = lets_go(f, p, &f->edge[e]) || PLANTED(PLANTED_FFS_NO_UNDO);
        count += p->ready ? 1 : 0;
        *left += p->state == PATCH_WAITING && !p->ready ? 1 : 0;
    }
    return count;
}

/* The block as it may be on disk. */
static uint8_t *undone(struct fs *fs, struct buffer *b, struct ffs_block *block)
{
    struct ffs *f = ffs_of(fs);
    ASSERT(block->copy == NULL && f->copies_free > 0);
    uint8_t *page = f->copies[--f->copies_free];
    plat_copy(page, b->page, BLOCK_BYTES);
    for (uint32_t k = block->last; k != NO_PATCH; k = f->patch[k].block_prev) {
        const struct patch *p = &f->patch[k];
        if (p->state != PATCH_WAITING || p->ready)
            continue;
        ASSERT(p->bytes > 0); /* a node waits for nothing */
        memcpy(page + p->offset, p->old != NULL ? p->old : p->small, p->bytes);
    }
    block->copy = page;
    return page;
}

static void probe_kind(enum change_kind kind)
{
    if (kind == CHANGE_INODE)
        plat_probe(PROBE_FFS_INODE);
    else if (kind == CHANGE_ADDED || kind == CHANGE_POINTED)
        plat_probe(PROBE_FFS_NAME_ADDED);
    else if (kind == CHANGE_REMOVED)
        plat_probe(PROBE_FFS_NAME_REMOVED);
}

uint8_t *ffs_prepare(struct fs *fs, struct buffer *b)
{
    struct ffs *f = ffs_of(fs);
    struct ffs_block *block = b->own;
    uint32_t left;
    if (block == NULL)
        return b->page;
    uint32_t count = choose(f, block, &left);
    if (left > 0 && (count == 0 || f->copies_free == 0))
        return NULL;
    uint8_t *page = left > 0 ? undone(fs, b, block) : b->page;
    for (uint32_t k = block->first; k != NO_PATCH; k = f->patch[k].block_next) {
        if (!f->patch[k].ready)
            continue;
        f->patch[k].ready = false;
        f->patch[k].state = PATCH_SENT;
    }
    return page;
}

void ffs_written(struct fs *fs, struct buffer *b, enum err status)
{
    struct ffs *f = ffs_of(fs);
    struct ffs_block *block = b->own;
    f->unflushed = true;
    if (block == NULL)
        return;
    if (block->copy != NULL)
        f->copies[f->copies_free++] = block->copy;
    block->copy = NULL;
    bool waits = status != OK;
    for (uint32_t k = block->first; k != NO_PATCH && !waits; k = f->patch[k].block_next)
        waits = f->patch[k].state == PATCH_WAITING;
    if (waits)
        cache_dirty(fs, b, NULL);
}

/* ---- Rounds ---- */

/* What was written before is stable now. */
static enum err flush(struct fs *fs)
{
    struct ffs *f = ffs_of(fs);
    ASSERT(fs->runs == 0);
    if (!f->unflushed)
        return OK;
    enum err e = block_flush(&fs->client);
    if (e != OK) {
        writeback_fail(fs, e);
        return fs->write_error;
    }
    f->unflushed = false;
    for (uint32_t k = f->all_first; k != NO_PATCH;) {
        uint32_t next = f->patch[k].all_next;
        if (f->patch[k].state == PATCH_SENT) {
            probe_kind(f->patch[k].kind);
            ffs_patch_stable(fs, k);
        }
        k = next;
    }
    return OK;
}

static bool has_wanted(const struct ffs *f, const struct buffer *b)
{
    const struct ffs_block *block = b->own;
    for (uint32_t k = block == NULL ? NO_PATCH : block->first; k != NO_PATCH;
         k = f->patch[k].block_next)
        if (f->patch[k].wanted && f->patch[k].state == PATCH_WAITING)
            return true;
    return false;
}

/* all: everything; else what is wanted, and the dirty blocks of `owner`. */
static uint32_t collect(struct fs *fs, bool all, const struct inode *owner)
{
    const struct ffs *f = ffs_of(fs);
    uint32_t count = 0;
    for (struct buffer *b = fs->dirty.dirty_next; b != &fs->dirty; b = b->dirty_next)
        if (all || (owner != NULL && b->owner == owner) || has_wanted(f, b))
            fs->sync_order[count++] = (struct want){.key = b->key, .block = b->block};
    return count;
}

/* Rounds until nothing (of what is wanted) is left. */
static enum err rounds(struct fs *fs, bool all, const struct inode *owner)
{
    struct ffs *f = ffs_of(fs);
    enum err e = OK;
    ASSERT(!f->passing);
    f->passing = true;
    fs->order_at = fs->order_count = 0; /* the throttle's list: all of it goes here, or later */
    for (uint32_t round = 0; e == OK; round++) {
        uint32_t waiting = f->patches_live;
        writeback_settle(fs);
        uint32_t count = collect(fs, all, owner);
        if (count == 0 && !f->unflushed)
            break;
        e = writeback_blocks(fs, fs->sync_order, count);
        bool sent = f->unflushed;
        if (e == OK)
            e = flush(fs);
        ASSERT(e != OK || count == 0 || sent); /* no cycle: something can always go */
        ASSERT(round <= PATCHES_MAX && f->patches_live <= waiting);
        if (e == OK)
            plat_probe(PROBE_FFS_PASS);
    }
    f->passing = false;
    return e;
}

enum err ffs_pass_all(struct fs *fs)
{
    if (fs->read_only)
        return fs->write_error;
    enum err e = rounds(fs, true, NULL);
    if (e != OK)
        return e;
    ffs_party_reset(fs);
    ffs_freed_release(fs);
    return OK;
}

/* Marks all that the marked ones wait for. A patch waits for earlier ones only, so one walk from
 * the newest to the oldest finds them. */
static void want_closure(struct ffs *f)
{
    for (uint32_t k = f->all_last; k != NO_PATCH; k = f->patch[k].all_prev)
        for (uint32_t e = f->patch[k].edges; e != 0 && f->patch[k].wanted; e = f->edge[e].next)
            if (f->patch[f->edge[e].patch].id == f->edge[e].id)
                f->patch[f->edge[e].patch].wanted = true;
}

enum err ffs_pass_operation(struct fs *fs)
{
    struct ffs *f = ffs_of(fs);
    if (fs->read_only)
        return fs->write_error;
    for (uint32_t k = f->all_first; k != NO_PATCH; k = f->patch[k].all_next)
        f->patch[k].wanted |=
            f->patch[k].id >= f->op_first_id || f->patch[k].renewed >= f->op_first_id;
    want_closure(f);
    return rounds(fs, false, NULL);
}

static bool concerns(const struct patch *p, uint32_t ino)
{
    if (PLANTED(PLANTED_FFS_FSYNC_NAMELESS))
        return p->ino == ino && p->dir == INO_NONE && !p->of_directory;
    return p->ino == ino || p->dir == ino || p->of_directory;
}

enum err ffs_pass_inode(struct fs *fs, struct inode *i)
{
    struct ffs *f = ffs_of(fs);
    if (fs->read_only)
        return fs->write_error;
    for (uint32_t k = f->all_first; k != NO_PATCH; k = f->patch[k].all_next)
        f->patch[k].wanted |= concerns(&f->patch[k], i->ino);
    want_closure(f);
    return rounds(fs, false, i);
}

/* ---- When ---- */

void ffs_throttle(struct fs *fs)
{
    if (fs->dirty_count <= fs->buffers_max / 2 || fs->read_only)
        return;
    writeback_throttle(fs); /* data first, while others are served; what waits stays */
    if (fs->dirty_count > fs->buffers_max / 2 && !ffs_of(fs)->passing)
        (void)!ffs_pass_all(fs); /* a failure is told by the next sync */
}

void ffs_make_room(struct fs *fs)
{
    ASSERT(!ffs_of(fs)->passing);
    (void)!ffs_pass_all(fs);
}

void ffs_alarm(struct fs *fs)
{
    fs->now_ns = plat_now();
    fs->alarm_ns = 0;
    if (ffs_pass_all(fs) == OK) /* else what is dirty stays so: no daemon is wanted any more */
        writeback_set_alarm(fs);
}

bool ffs_reclaim(struct fs *fs)
{
    struct ffs *f = ffs_of(fs);
    return f->freed_count > 0 && !f->passing && ffs_pass_all(fs) == OK;
}
