/* The states that are read back. */
#include <string.h>

#include "assertion.h"
#include "workloads/oracle/content.h"
#include "workloads/tests/oracle/rig.h"

#define CELL_BYTES_MAX 4032u
#define SCRAMBLE 0xdeadu /* an inode that no history has */

/* ---- Which operations are in ---- */

static void set(struct rig_fs *fs, const struct naive_delta *d)
{
    switch (d->kind) {
    case NAIVE_NAME:
        fs->name[d->object][d->part] = d->value;
        break;
    case NAIVE_SIZE:
        fs->size[d->object] = d->value;
        break;
    case NAIVE_MODE:
        fs->mode[d->object] = d->value;
        break;
    case NAIVE_BYTES:
        fs->cell[d->object][d->part] = d->value;
        break;
    }
}

/* A cut, often the full one or near to it, sometimes one that is not consistent. */
static void draw_cut(struct rig *r, struct rig_fs *fs)
{
    int keep[NAIVE_APPS] = {0};
    for (int a = 0; a < r->n.apps; a++) {
        int kind = rig_draw(r, 4);
        keep[a] = kind < 2    ? NAIVE_OPS
                  : kind == 2 ? r->n.last - rig_draw(r, 4)
                              : rig_draw(r, r->n.last + 1);
    }
    bool one_time = rig_draw(r, 2) == 0; /* the same moment for all: consistent */
    int half = rig_draw(r, 8);
    for (int k = 0; k < r->n.deltas; k++) {
        const struct naive_delta *d = &r->n.delta[k];
        const struct naive_op *o = &r->n.op[d->op];
        if (d->op > keep[one_time ? 0 : o->app])
            continue;
        bool doubtful = o->in_flight || o->troubled;
        bool out = doubtful && !o->write && half % 2 == 0;
        if (doubtful && o->write) /* by blocks, by bits of `half` */
            out = (half >> (d->kind == NAIVE_SIZE ? 2 : d->part / 2) & 1) == 0;
        if (!out)
            set(fs, d);
        else if (d->kind == NAIVE_BYTES && d->grown)
            fs->cell[d->object][d->part] = CELL_ZERO;
    }
}

/* Each slot by itself, some of its versions, mostly a late one. */
static void draw_mix(struct rig *r, struct rig_fs *fs)
{
    int rare = 2 + rig_draw(r, 12);
    for (int k = 0; k < r->n.deltas; k++)
        if (rig_draw(r, rare) != 0)
            set(fs, &r->n.delta[k]);
}

/* Blocks of one file as they were at some moment, the rest as it is. */
static void draw_old_block(struct rig *r, struct rig_fs *fs)
{
    draw_cut(r, fs);
    int inode = 1 + rig_draw(r, r->n.last);
    int block = rig_draw(r, 2);
    int until = rig_draw(r, r->n.last + 1);
    for (int k = 0; k < r->n.deltas; k++) {
        const struct naive_delta *d = &r->n.delta[k];
        if (d->kind == NAIVE_BYTES && d->object == inode && d->part / 2 == block && d->op <= until)
            set(fs, d);
    }
}

/* ---- As a tree ---- */

static int object_of(struct rig *r, const struct rig_fs *fs, int *place, int inode)
{
    struct naive_tree *t = &r->tree;
    if (place[inode] != 0)
        return place[inode] - 1;
    struct naive_object *b = &t->object[t->objects];
    *b = (struct naive_object){
        .type = r->n.inode[inode].type, .size = fs->size[inode], .mode = fs->mode[inode]};
    if (b->mode == 0)
        b->mode = 0600;
    for (int c = 0; c < NAIVE_CELLS; c++)
        b->cell[c] = fs->cell[inode][c] == CELL_ABSENT ? CELL_ZERO : fs->cell[inode][c];
    place[inode] = ++t->objects;
    return t->objects - 1;
}

static void make_tree(struct rig *r, const struct rig_fs *fs)
{
    struct naive_tree *t = &r->tree;
    int place[NAIVE_OPS] = {0};
    memset(t, 0, sizeof(*t));
    for (int k = 0; k < NAIVE_NAMES; k++) {
        int dir = k <= NAIVE_DIR ? 0 : fs->name[0][NAIVE_DIR];
        int inode = k > NAIVE_DIR && dir == 0 ? 0 : fs->name[dir][k];
        t->entry[k].object = inode == 0 ? -1 : object_of(r, fs, place, inode);
        if (inode == 0)
            continue;
        t->entry[k].listed_type = t->object[t->entry[k].object].type;
        t->object[t->entry[k].object].nlink++;
    }
}

/* ---- Damage ---- */

static int draw_object(struct rig *r)
{
    return r->tree.objects == 0 ? -1 : rig_draw(r, r->tree.objects);
}

static void damage_bytes(struct rig *r)
{
    int object = draw_object(r);
    if (object < 0 || r->tree.object[object].size == 0)
        return;
    struct naive_object *b = &r->tree.object[object];
    int cell = rig_draw(r, b->size);
    int writer = 1 + rig_draw(r, r->n.last);
    switch (rig_draw(r, 5)) {
    case 0:
        b->cell[cell] = CELL_FOREIGN;
        break;
    case 1:
        b->cell[cell] = CELL_ZERO;
        break;
    case 2:
    case 3:
        b->cell[cell] = CELL_ERROR;
        break;
    default:
        if (r->n.op[writer].write)
            b->cell[cell] = writer;
        break;
    }
}

static void damage_object(struct rig *r)
{
    int object = draw_object(r);
    if (object < 0)
        return;
    struct naive_object *b = &r->tree.object[object];
    switch (rig_draw(r, 6)) {
    case 0:
        b->size = b->type == HISTORY_FILE ? rig_draw(r, NAIVE_CELLS + 1) : b->size;
        break;
    case 1:
        b->mode = 0600 + rig_draw(r, 4);
        break;
    case 2:
        b->nlink += rig_draw(r, 2) == 0 ? 1 : -1;
        break;
    case 3:
        b->stat_error = true;
        break;
    case 4:
        b->listing_error = true;
        break;
    default:
        if (rig_draw(r, 3) == 0) {
            b->type = HISTORY_FILE + HISTORY_DIRECTORY - b->type;
            b->size = 0;
        }
        break;
    }
}

static void damage_name(struct rig *r)
{
    struct naive_tree *t = &r->tree;
    struct naive_entry *e = &t->entry[rig_draw(r, NAIVE_NAMES)];
    int object = draw_object(r);
    switch (rig_draw(r, 7)) {
    case 0:
        t->stray = rig_draw(r, 4) == 0;
        break;
    case 1:
        e->not_found = rig_draw(r, 3) == 0;
        break;
    case 2:
        e->listed_type = rig_draw(r, 3) == 0 ? HISTORY_SYMBOLIC : e->listed_type;
        break;
    case 3:
    case 4:
        if (e->object >= 0)
            t->object[e->object].nlink--;
        e->object = -1;
        break;
    default:
        if (object < 0 || e->object >= 0)
            break;
        e->object = object;
        e->listed_type = t->object[object].type;
        t->object[object].nlink += rig_draw(r, 4) != 0;
        break;
    }
}

/* What cannot be seen is not there: names in a directory that is none, or cannot be read. */
static void hide(struct naive_tree *t)
{
    int d = t->entry[NAIVE_DIR].object;
    bool open = d >= 0 && t->object[d].type == HISTORY_DIRECTORY && !t->object[d].stat_error &&
                !t->object[d].listing_error && !t->entry[NAIVE_DIR].not_found;
    for (int k = NAIVE_DIR + 1; k < NAIVE_NAMES && !open; k++) {
        if (t->entry[k].object >= 0)
            t->object[t->entry[k].object].nlink--;
        t->entry[k].object = -1;
    }
    for (int k = 0; k < NAIVE_NAMES; k++) {
        struct naive_entry *e = &t->entry[k];
        if (e->object >= 0 && t->object[e->object].type == HISTORY_FILE)
            t->object[e->object].listing_error = false;
        if (e->not_found && e->object >= 0) { /* its own object: nothing more is known of it */
            int fresh = t->objects++;
            t->object[fresh] = t->object[e->object];
            t->object[e->object].nlink--;
            e->object = fresh;
        }
    }
}

void rig_tree(struct rig *r)
{
    struct rig_fs fs;
    memset(&fs, 0, sizeof(fs));
    memset(fs.cell, 0xff, sizeof(fs.cell));
    int kind = rig_draw(r, 10);
    if (kind < 5)
        draw_cut(r, &fs);
    else if (kind < 8)
        draw_old_block(r, &fs);
    else
        draw_mix(r, &fs);
    make_tree(r, &fs);
    int damages = rig_draw(r, 3) != 0 ? 0 : 1 + rig_draw(r, 2);
    for (int k = 0; k < damages; k++) {
        int what = rig_draw(r, 3);
        if (what == 0)
            damage_bytes(r);
        else if (what == 1)
            damage_object(r);
        else
            damage_name(r);
    }
    hide(&r->tree);
}

/* ---- Told to the oracle ---- */

static void tell_cell(struct rig *r, uint32_t node, const struct naive_object *b, int cell)
{
    uint8_t bytes[CELL_BYTES_MAX];
    uint64_t from = naive_cell[cell];
    uint64_t length = naive_cell[cell + 1] - from;
    int writer = b->cell[cell];
    if (writer == CELL_ERROR) {
        observe_data(r->o, node, from, E_IO, NULL, length);
        return;
    }
    ASSERT(length <= sizeof(bytes));
    if (writer == CELL_ZERO)
        memset(bytes, 0, length);
    else if (writer == CELL_FOREIGN)
        content_fill(SCRAMBLE, SCRAMBLE, from, bytes, length);
    else
        content_fill(history_op(r->h, (uint32_t)writer)->key, (uint32_t)writer, from, bytes,
                     length);
    observe_data(r->o, node, from, OK, bytes, length);
}

static void tell_object(struct rig *r, uint32_t node, int object)
{
    const struct naive_object *b = &r->tree.object[object];
    struct history_stat stat = {.ino = (uint64_t)object + 100,
                                .type = (uint32_t)b->type,
                                .mode = (uint32_t)b->mode,
                                .nlink = (uint32_t)b->nlink,
                                .size = naive_cell[b->size]};
    observe_stat(r->o, node, b->stat_error ? E_IO : OK, &stat);
    if (b->stat_error)
        return;
    if (b->type == HISTORY_DIRECTORY)
        observe_listing(r->o, node, b->listing_error ? E_IO : OK);
    for (int c = 0; c < b->size && b->type == HISTORY_FILE; c++)
        tell_cell(r, node, b, c);
}

static void tell_base(struct rig *r, uint32_t base)
{
    static const char *const names[NAIVE_NAMES] = {"a", "b", "c", "d", "x", "y"};
    uint32_t d = 0;
    observe_listing(r->o, base, OK);
    if (r->tree.stray)
        (void)observe_entry(r->o, base, "stray", HISTORY_FILE);
    for (int k = 0; k < NAIVE_NAMES; k++) {
        const struct naive_entry *e = &r->tree.entry[k];
        uint32_t dir = k > NAIVE_DIR ? d : base;
        if (e->object < 0)
            continue;
        ASSERT(dir != 0);
        uint32_t node = observe_entry(r->o, dir, names[k], (uint32_t)e->listed_type);
        d = k == NAIVE_DIR ? node : d;
        if (e->not_found)
            observe_stat(r->o, node, E_NOENT, NULL);
        else
            tell_object(r, node, e->object);
    }
}

void rig_observe(struct rig *r)
{
    observation_reset(r->o);
    for (uint32_t e = 0; e < history_environments(r->h); e++) {
        uint32_t own = observe_root(r->o, e, false);
        if (!r->shared) {
            tell_base(r, own);
            continue;
        }
        observe_listing(r->o, own, OK);
        tell_base(r, observe_root(r->o, e, true));
    }
}
