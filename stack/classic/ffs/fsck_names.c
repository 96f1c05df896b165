/*
 * Phases 2 and 3: names. A name of nothing goes. Of a directory with two names - a move was cut
 * short - its ".." says which one stays.
 */
#include "assertion.h"
#include "fsck.h"
#include "mem.h"

/* One entry in its chunk, for whoever walks. */
struct place {
    uint32_t dir;
    struct buffer *b;
    uint8_t *chunk;
    uint32_t at, before; /* offsets in the chunk; `before` = at: it is the first */
    struct disk_entry entry;
};

/* false ends the walk. */
typedef bool place_fn(struct check *c, const struct place *place, void *context);

void fsck_queue(struct check *c, uint32_t ino)
{
    struct seen *s = fsck_seen(c, ino);
    ASSERT(s != NULL && s->type == VFS_DIRECTORY);
    s->next = INO_NONE;
    if (c->first == INO_NONE)
        c->first = ino;
    else
        fsck_seen(c, c->last)->next = ino;
    c->last = ino;
}

/* ---- Walking ---- */

static bool walk_chunk(struct check *c, struct place *p, place_fn *visit, void *context)
{
    p->before = 0;
    for (p->at = 0; p->at < CHUNK_BYTES;) {
        if (entry_decode(&p->entry, p->chunk, p->at) != OK) {
            c->blind = true;
            return true;
        }
        uint32_t length = p->entry.length, at = p->at;
        if (p->entry.ino != INO_NONE && !visit(c, p, context))
            return false;
        /* The visitor may have joined it to the one before. */
        if (at == p->before || entry_decode(&p->entry, p->chunk, p->before) != OK ||
            p->before + p->entry.length <= at)
            p->before = at;
        p->at = at + length;
    }
    return true;
}

/* All entries of a directory, dots too. What cannot be read makes the check blind. */
static void walk(struct check *c, uint32_t dir, place_fn *visit, void *context)
{
    struct place p = {.dir = dir};
    if (fsck_load(c, dir) != OK) {
        c->blind = true;
        return;
    }
    uint64_t blocks = c->inode.d.size / BLOCK_BYTES;
    for (uint64_t at = 0; at < blocks; at++) {
        struct buffer *b;
        if (fsck_load(c, dir) != OK || c_block_get(c->fs, &c->inode, at, &b) != OK || b == NULL) {
            c->blind = true;
            continue;
        }
        uint32_t block = b->block;
        for (uint32_t k = 0; k < BLOCK_BYTES / CHUNK_BYTES; k++) {
            if (c_get(c->fs, block, &p.b) != OK) {
                c->blind = true;
                break;
            }
            p.chunk = p.b->page + k * CHUNK_BYTES;
            if (!walk_chunk(c, &p, visit, context))
                return;
        }
    }
}

static bool is_dots(const struct place *p)
{
    return dir_is_dots(p->chunk + p->at + ENTRY_BYTES, p->entry.name_bytes);
}

static void remove_entry(struct check *c, const struct place *p)
{
    struct disk_entry entry = p->entry;
    if (p->at == p->before) {
        entry.ino = INO_NONE;
        entry_encode(p->chunk + p->at, &entry);
    } else {
        struct disk_entry before;
        if (entry_decode(&before, p->chunk, p->before) != OK)
            return;
        before.length += entry.length;
        entry_encode(p->chunk + p->before, &before);
    }
    cache_dirty(c->fs, p->b, NULL);
    plat_report(REPORT_REPAIR, entry.ino, p->dir);
}

/* ---- ".." ---- */

static bool visit_dotdot(struct check *c, const struct place *p, void *context)
{
    uint32_t *parent = context;
    (void)c;
    if (p->at != DOTDOT_OFFSET)
        return p->at < DOTDOT_OFFSET;
    *parent = p->entry.ino;
    return false;
}

static uint32_t dotdot_of(struct check *c, uint32_t dir)
{
    uint32_t parent = INO_NONE;
    walk(c, dir, visit_dotdot, &parent);
    return parent;
}

/* ---- Phase 2 ---- */

static bool visit_remove(struct check *c, const struct place *p, void *context)
{
    const uint32_t *ino = context;
    if (p->entry.ino != *ino || is_dots(p))
        return true;
    remove_entry(c, p);
    return false;
}

struct going {
    uint32_t ino;
    bool is;
};

/* Of the first name that leads there. */
static bool visit_going(struct check *c, const struct place *p, void *context)
{
    struct going *going = context;
    (void)c;
    if (p->entry.ino != going->ino || is_dots(p))
        return true;
    going->is = p->entry.going;
    return false;
}

/* `ino` has a name in `dir` already and one in `here`. True: the one here stays. */
static bool choose_name(struct check *c, uint32_t ino, uint32_t dir, uint32_t here)
{
    struct going first = {.ino = ino};
    if (dir == here)
        walk(c, dir, visit_going, &first);
    if (dir == here ? !first.is : dotdot_of(c, ino) != here)
        return false;
    if (!c->blind)
        walk(c, dir, visit_remove, &ino);
    return true;
}

static void take_directory(struct check *c, const struct place *p, struct seen *s)
{
    s->parent = p->dir;
    s->names = 1;
    fsck_seen(c, p->dir)->subdirectories++;
    fsck_queue(c, p->entry.ino);
}

/* A second name of a directory. */
static void second_name(struct check *c, const struct place *p, struct seen *s)
{
    struct place here = *p; /* the walks below use pages of their own: this one stays */
    here.b->pins++;
    bool stays = p->entry.ino != c->fs->root && choose_name(c, p->entry.ino, s->parent, p->dir);
    here.b->pins--;
    if (stays) {
        fsck_seen(c, s->parent)->subdirectories--;
        fsck_seen(c, p->dir)->subdirectories++;
        s->parent = p->dir;
    } else if (!c->blind) {
        remove_entry(c, &here);
    }
}

static bool visit_name(struct check *c, const struct place *p, void *context)
{
    struct seen *s = fsck_seen(c, p->entry.ino);
    (void)context;
    if (is_dots(p)) {
        if (p->entry.name_bytes == 2)
            fsck_seen(c, p->dir)->dotdot = p->entry.ino;
        return true;
    }
    if (s == NULL) {
        if (!c->blind)
            remove_entry(c, p);
        return true;
    }
    if ((s->flags & SEEN_BAD) != 0 || s->type != VFS_DIRECTORY) {
        s->names++;
        return true;
    }
    if (s->names == 0 && p->entry.ino != c->fs->root)
        take_directory(c, p, s);
    else
        second_name(c, p, s);
    return true;
}

void fsck_walk(struct check *c)
{
    while (c->first != INO_NONE) {
        uint32_t dir = c->first;
        c->fs->store->throttle(c->fs);
        walk(c, dir, visit_name, NULL);
        c->first = fsck_seen(c, dir)->next;
    }
}

static bool visit_mend(struct check *c, const struct place *p, void *context)
{
    const uint32_t *parent = context;
    struct disk_entry entry = p->entry;
    if (p->at != DOTDOT_OFFSET)
        return p->at < DOTDOT_OFFSET;
    entry.ino = *parent;
    entry_encode(p->chunk + p->at, &entry);
    cache_dirty(c->fs, p->b, NULL);
    plat_report(REPORT_REPAIR, *parent, p->dir);
    return false;
}

void fsck_mend_parent(struct check *c, uint32_t ino)
{
    uint32_t parent = fsck_seen(c, ino)->parent;
    ASSERT(parent != INO_NONE);
    walk(c, ino, visit_mend, &parent);
}

/* ---- Phase 3 ---- */

static bool visit_any(struct check *c, const struct place *p, void *context)
{
    bool *empty = context;
    (void)c;
    *empty = is_dots(p);
    return *empty;
}

bool fsck_is_empty(struct check *c, uint32_t ino)
{
    bool empty = true;
    walk(c, ino, visit_any, &empty);
    return empty && !c->blind;
}

static bool visit_inner(struct check *c, const struct place *p, void *context)
{
    struct seen *s = fsck_seen(c, p->entry.ino);
    (void)context;
    if (s != NULL && !is_dots(p))
        s->flags |= SEEN_INNER;
    return true;
}

void fsck_mark_inner(struct check *c, uint32_t ino)
{
    walk(c, ino, visit_inner, NULL);
}
