#include "workloads/tests/oracle/rig.h"

#include <string.h>

#include "assertion.h"
#include "workloads/oracle/content.h"

#define MODES 3 /* that chmod draws from */
#define FD 3

int rig_draw(struct rig *r, int limit)
{
    r->random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t z = r->random;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (int)((z ^ z >> 31) % (uint64_t)limit);
}

static const char *path_of(const struct rig *r, int name)
{
    static const char *const own[NAIVE_NAMES] = {"a", "b", "c", "d", "d/x", "d/y"};
    static const char *const shared[NAIVE_NAMES] = {"shared/a", "shared/b",   "/shared/c",
                                                    "shared/d", "shared/d/x", "shared//d/y"};
    return r->shared ? shared[name] : own[name];
}

/* The directory of a name: 0 the base, -1 none. */
static int dir_of(const struct rig *r, int name)
{
    if (name <= NAIVE_DIR)
        return 0;
    int d = r->fs.name[0][NAIVE_DIR];
    return d == 0 ? -1 : d;
}

static struct naive_delta *add(struct rig *r, int op, enum naive_kind kind, int object, int part,
                               int value)
{
    ASSERT(r->n.deltas < NAIVE_DELTAS);
    struct naive_delta *d = &r->n.delta[r->n.deltas++];
    *d = (struct naive_delta){
        .op = op, .kind = kind, .object = object, .part = part, .value = value};
    r->n.op[op].effective = true;
    return d;
}

static void set_name(struct rig *r, int op, int dir, int name, int inode)
{
    int was = r->fs.name[dir][name];
    r->fs.name[dir][name] = inode;
    add(r, op, NAIVE_NAME, dir, name, inode);
    if (was == 0)
        return;
    for (int d = 0; d < NAIVE_OPS; d++)
        for (int k = 0; k < NAIVE_NAMES; k++)
            if (r->fs.name[d][k] == was)
                return;
    r->n.inode[was].dead_op = op;
}

static void set_size(struct rig *r, int op, int inode, int size)
{
    struct naive_delta *d = add(r, op, NAIVE_SIZE, inode, 0, size);
    d->was = r->fs.size[inode];
    r->fs.size[inode] = size;
}

static void set_cell(struct rig *r, int op, int inode, int cell, int value, bool grown)
{
    r->fs.cell[inode][cell] = value;
    add(r, op, NAIVE_BYTES, inode, cell, value)->grown = grown;
}

static void resize(struct rig *r, int op, int inode, int size)
{
    int was = r->fs.size[inode];
    if (size == was)
        return;
    set_size(r, op, inode, size);
    for (int c = size; c < was; c++)
        set_cell(r, op, inode, c, CELL_ABSENT, false);
    for (int c = was; c < size; c++)
        set_cell(r, op, inode, c, CELL_ZERO, false);
}

/* Whether a change of that slot, still open or in doubt, makes the answer to the draw a guess. */
static bool bears_on(const struct naive_delta *e, const struct draw *d, bool in_flight)
{
    if (e->kind == NAIVE_NAME)
        return e->part == d->name || e->part == d->name2 || e->part == NAIVE_DIR ||
               (d->name == NAIVE_DIR && e->part > NAIVE_DIR) || e->value == d->inode;
    return in_flight && e->kind == NAIVE_SIZE && e->object == d->inode;
}

static bool collides(const struct rig *r, const struct draw *d)
{
    for (int k = 0; k < r->n.deltas; k++) {
        const struct naive_op *o = &r->n.op[r->n.delta[k].op];
        if ((o->in_flight || o->troubled) && bears_on(&r->n.delta[k], d, o->in_flight))
            return true;
    }
    return false;
}

static enum err do_open(struct rig *r, int op, struct draw *d, struct rig_app *a)
{
    int inode = d->inode;
    if (d->dir < 0 || (inode == 0 && d->name == NAIVE_DIR))
        return E_NOENT;
    if (inode == 0) {
        inode = op;
        r->n.inode[op].type = HISTORY_FILE;
        set_name(r, op, d->dir, d->name, op);
        add(r, op, NAIVE_MODE, op, 0, (int)d->call.mode);
        r->fs.mode[op] = (int)d->call.mode;
        set_size(r, op, op, 0);
    } else if ((d->call.flags & HISTORY_TRUNC) != 0 && d->name != NAIVE_DIR) {
        resize(r, op, inode, 0);
    }
    a->next_inode = inode;
    a->next_dir = d->dir;
    a->next_name = d->name;
    return OK;
}

static void do_write(struct rig *r, int op, const struct draw *d)
{
    int was = r->fs.size[d->inode];
    r->n.op[op].write = true;
    if (d->last + 1 > was)
        set_size(r, op, d->inode, d->last + 1);
    for (int c = was; c < d->first; c++)
        set_cell(r, op, d->inode, c, CELL_ZERO, true);
    for (int c = d->first; c <= d->last; c++)
        set_cell(r, op, d->inode, c, op, c >= was);
}

static enum err do_rename(struct rig *r, int op, const struct draw *d)
{
    if (d->dir < 0 || d->dir2 < 0 || d->inode == 0)
        return E_NOENT;
    if (r->fs.name[d->dir2][d->name2] == d->inode)
        return OK;
    set_name(r, op, d->dir2, d->name2, d->inode);
    set_name(r, op, d->dir, d->name, 0);
    return OK;
}

static enum err do_make(struct rig *r, int op, const struct draw *d)
{
    if (d->inode != 0)
        return E_EXIST;
    r->n.inode[op].type = HISTORY_DIRECTORY;
    set_name(r, op, 0, NAIVE_DIR, op);
    add(r, op, NAIVE_MODE, op, 0, (int)d->call.mode);
    r->fs.mode[op] = (int)d->call.mode;
    return OK;
}

static enum err do_remove(struct rig *r, int op, const struct draw *d)
{
    if (d->dir < 0 || d->inode == 0)
        return E_NOENT;
    for (int k = 0; d->name == NAIVE_DIR && k < NAIVE_NAMES; k++)
        if (r->fs.name[d->inode][k] != 0)
            return E_NOTEMPTY;
    set_name(r, op, d->dir, d->name, 0);
    return OK;
}

static enum err do_link(struct rig *r, int op, const struct draw *d)
{
    if (d->dir < 0 || d->dir2 < 0 || d->inode == 0)
        return E_NOENT;
    if (r->fs.name[d->dir2][d->name2] != 0)
        return E_EXIST;
    set_name(r, op, d->dir2, d->name2, d->inode);
    return OK;
}

static enum err perform(struct rig *r, int op, struct draw *d, struct rig_app *a)
{
    switch (d->call.kind) {
    case HISTORY_OPEN:
        return do_open(r, op, d, a);
    case HISTORY_WRITE:
        do_write(r, op, d);
        return OK;
    case HISTORY_TRUNCATE:
        if (d->dir < 0 || d->inode == 0)
            return E_NOENT;
        resize(r, op, d->inode, d->first);
        return OK;
    case HISTORY_RENAME:
        return do_rename(r, op, d);
    case HISTORY_LINK:
        return do_link(r, op, d);
    case HISTORY_MKDIR:
        return do_make(r, op, d);
    case HISTORY_UNLINK:
    case HISTORY_RMDIR:
        return do_remove(r, op, d);
    case HISTORY_CHMOD:
        if (d->dir < 0 || d->inode == 0)
            return E_NOENT;
        add(r, op, NAIVE_MODE, d->inode, 0, (int)d->call.mode);
        r->fs.mode[d->inode] = (int)d->call.mode;
        return OK;
    default:
        return OK; /* fsync, sync */
    }
}

static int draw_file(struct rig *r)
{
    int name = rig_draw(r, 5);
    return name < NAIVE_DIR ? name : name + 1;
}

static void draw_write(struct rig *r, struct draw *d, const struct rig_app *a)
{
    d->call.kind = HISTORY_WRITE;
    d->name = -1;
    d->inode = a->fd_inode;
    d->first = rig_draw(r, NAIVE_CELLS);
    d->last = d->first + rig_draw(r, NAIVE_CELLS - d->first);
    d->call.offset = naive_cell[d->first];
    d->call.length = naive_cell[d->last + 1] - naive_cell[d->first];
}

/* Draws a request for an application. */
static struct draw draw_call(struct rig *r, const struct rig_app *a)
{
    struct draw d = {.name = draw_file(r), .name2 = -1};
    d.call.fd = FD;
    d.call.mode = 0600u + (uint32_t)rig_draw(r, MODES);
    int k = rig_draw(r, 100);
    bool file = a->fd_inode != 0 && r->n.inode[a->fd_inode].type == HISTORY_FILE;
    if (k < 34 && file) {
        draw_write(r, &d, a);
        return d;
    }
    d.call.flags = HISTORY_CREATE | (rig_draw(r, 8) == 0 ? HISTORY_TRUNC : 0);
    d.call.kind = HISTORY_OPEN;
    if (k >= 90 && rig_draw(r, 3) == 0)
        d.call.kind = HISTORY_SYNC;
    else if (k >= 78 && a->fd_inode != 0)
        d.call.kind = HISTORY_FSYNC;
    else if (k >= 72)
        d.call.kind = HISTORY_MKDIR;
    else if (k >= 69)
        d.call.kind = HISTORY_RMDIR;
    else if (k >= 65)
        d.call.kind = HISTORY_CHMOD;
    else if (k >= 60)
        d.call.kind = HISTORY_LINK;
    else if (k >= 52)
        d.call.kind = HISTORY_RENAME;
    else if (k >= 46)
        d.call.kind = HISTORY_UNLINK;
    else if (k >= 42)
        d.call.kind = HISTORY_TRUNCATE;
    else if (k == 0 && r->fs.name[0][NAIVE_DIR] != 0)
        d.call.flags = 0;
    bool two = d.call.kind == HISTORY_LINK || d.call.kind == HISTORY_RENAME;
    bool dir = d.call.kind == HISTORY_MKDIR || d.call.kind == HISTORY_RMDIR || d.call.flags == 0;
    bool none = d.call.kind == HISTORY_FSYNC || d.call.kind == HISTORY_SYNC;
    d.name = none ? -1 : dir ? NAIVE_DIR : d.name;
    d.name2 = two ? draw_file(r) : -1;
    d.first = rig_draw(r, NAIVE_CELLS + 1);
    d.call.size = naive_cell[d.first];
    d.dir = none ? 0 : dir_of(r, d.name);
    d.dir2 = two ? dir_of(r, d.name2) : 0;
    d.inode = none || d.dir < 0 ? 0 : r->fs.name[d.dir][d.name];
    if (!none)
        d.call.path = path_of(r, d.name);
    if (two)
        d.call.path2 = path_of(r, d.name2);
    return d;
}

/* ---- User transactions: the changes of all its operations become the commit's ---- */

static bool same_place(const struct naive_delta *a, const struct naive_delta *b)
{
    return a->kind == b->kind && a->object == b->object && a->part == b->part;
}

static void gather(struct rig *r, int commit)
{
    int first = r->before.deltas, kept = first;
    for (int k = first; k < r->n.deltas; k++) {
        struct naive_delta d = r->n.delta[k];
        bool last = true;
        for (int later = k + 1; later < r->n.deltas; later++)
            last = last && !same_place(&d, &r->n.delta[later]);
        r->n.op[d.op].effective = false;
        for (int inode = 1; inode < NAIVE_OPS; inode++)
            if (r->n.inode[inode].dead_op == d.op)
                r->n.inode[inode].dead_op = commit;
        d.op = commit;
        if (last)
            r->n.delta[kept++] = d;
    }
    r->n.deltas = kept;
    r->n.op[commit].effective = kept > first;
    r->before.begin = 0;
    r->commits++;
}

static void take_back(struct rig *r, struct rig_app *a)
{
    for (int k = r->before.deltas; k < r->n.deltas; k++)
        r->n.op[r->n.delta[k].op].effective = false;
    r->n.deltas = r->before.deltas;
    r->fs = r->before.fs;
    memcpy(r->n.inode, r->before.inode, sizeof(r->n.inode));
    r->before.begin = 0;
    if (a->fd_inside)
        a->fd_inode = 0;
    a->fd_inside = false;
}

/* Instead of what was drawn, now and then: begin, or commit or abort. */
static void draw_bound(struct rig *r, struct draw *d)
{
    bool open = r->before.begin != 0;
    bool syncs = d->call.kind == HISTORY_FSYNC || d->call.kind == HISTORY_SYNC;
    if (!r->transactions || (rig_draw(r, 4) != 0 && !(open && syncs)))
        return;
    *d = (struct draw){.name = -1, .name2 = -1};
    d->call.fd = FD;
    d->call.kind = !open ? HISTORY_BEGIN : rig_draw(r, 4) != 0 ? HISTORY_COMMIT : HISTORY_ABORT;
}

static void begin(struct rig *r, int app)
{
    struct rig_app *a = &r->app[app];
    struct draw d = draw_call(r, a);
    draw_bound(r, &d);
    if (!r->racing && collides(r, &d))
        return;
    int op = (int)history_begin(r->h, (uint32_t)app, (uint64_t)r->n.tick, &d.call);
    ASSERT(op < NAIVE_OPS);
    r->n.last = op;
    r->n.op[op] = (struct naive_op){.app = app, .begin = ++r->n.tick, .in_flight = true};
    r->n.op[op].place = r->n.op[op].begin;
    struct rig_fs before = r->fs;
    struct naive_inode inodes[NAIVE_OPS];
    memcpy(inodes, r->n.inode, sizeof(inodes));
    r->draw[op] = d;
    a->op = op;
    a->kind = d.call.kind;
    a->length = d.call.length;
    a->answer = perform(r, op, &d, a);
    if (a->kind == HISTORY_COMMIT)
        gather(r, op);
    if (a->answer == OK && !r->transactions &&
        rig_draw(r, r->racing ? 400 : 40) == 0) { /* fails, perhaps not without a trace */
        a->answer = E_IO;
        r->fs = before;
        for (int k = 0; k < NAIVE_OPS; k++)
            if (k != op)
                inodes[k].type = r->n.inode[k].type;
        r->troubled = true;
    }
}

/* What an fsync covers: the inode's slots, its name and the directory's. */
static void cover(struct rig *r, const struct rig_app *a, int op)
{
    int leads = 0; /* by what was answered */
    for (int k = 0; k < r->n.deltas; k++) {
        const struct naive_delta *d = &r->n.delta[k];
        if (d->kind == NAIVE_NAME && d->object == a->fd_dir && d->part == a->fd_name &&
            r->n.op[d->op].end != 0 && !r->n.op[d->op].troubled)
            leads = d->value;
    }
    if (r->ordered)
        leads = r->fs.name[a->fd_dir][a->fd_name];
    bool named = a->fd_inode != 0 && leads == a->fd_inode;
    bool is_dir = r->n.inode[a->fd_inode].type == HISTORY_DIRECTORY;
    for (int k = 0; k < r->n.deltas; k++) {
        struct naive_delta *d = &r->n.delta[k];
        const struct naive_op *o = &r->n.op[d->op];
        if (o->end == 0 || o->troubled || o->end >= r->n.op[op].begin)
            continue;
        bool name = d->kind == NAIVE_NAME;
        bool covered = a->kind == HISTORY_SYNC || (!name && d->object == a->fd_inode) ||
                       (name && is_dir && d->object == a->fd_inode) ||
                       (name && named && d->object == a->fd_dir && d->part == a->fd_name) ||
                       (name && named && a->fd_dir != 0 && d->object == 0 && d->part == NAIVE_DIR);
        d->synced = d->synced || covered;
    }
}

/* The file that was opened is the application's. */
static void hold(struct rig *r, struct rig_app *a)
{
    a->fd_inside = r->before.begin != 0;
    a->fd_inode = a->next_inode;
    a->fd_dir = a->next_dir;
    a->fd_name = a->next_name;
}

bool rig_again(struct rig *r, int op)
{
    struct naive_op *o = &r->n.op[op];
    struct rig_app *a = &r->app[o->app];
    struct draw d = r->draw[op];
    d.dir = d.name < 0 ? 0 : dir_of(r, d.name);
    d.dir2 = d.name2 < 0 ? 0 : dir_of(r, d.name2);
    d.inode = d.name < 0 || d.dir < 0 ? 0 : r->fs.name[d.dir][d.name];
    if (d.call.kind == HISTORY_WRITE)
        d.inode = a->fd_inode;
    struct rig_fs before = r->fs;
    a->kind = d.call.kind;
    enum err e = perform(r, op, &d, a);
    bool answered = o->end != 0 && !o->troubled;
    if (answered && (e == OK) != (r->answer[op] == OK))
        return false;
    if (!answered && d.call.kind == HISTORY_WRITE)
        r->fs = before; /* by whole blocks: what comes later is as if it were not there */
    if (answered && e == OK && d.call.kind == HISTORY_OPEN)
        hold(r, a);
    if (answered && (d.call.kind == HISTORY_FSYNC || d.call.kind == HISTORY_SYNC))
        cover(r, a, op);
    return true;
}

static void end(struct rig *r, int app)
{
    struct rig_app *a = &r->app[app];
    int op = a->op;
    struct history_answer answer = {.result = a->answer, .fd = FD, .moved = a->length};
    bool right = history_end(r->h, (uint32_t)op, (uint64_t)r->n.tick, &answer);
    ASSERT(right || r->racing); /* of the order in which it was recorded; there are others */
    r->n.op[op].end = ++r->n.tick;
    r->n.op[op].in_flight = false;
    r->n.op[op].troubled = a->answer == E_IO;
    r->answer[op] = a->answer;
    if (a->kind == HISTORY_BEGIN) {
        r->before = (struct rig_before){.fs = r->fs, .deltas = r->n.deltas, .begin = op};
        memcpy(r->before.inode, r->n.inode, sizeof(r->n.inode));
    } else if (a->kind == HISTORY_ABORT) {
        take_back(r, a);
    } else if (a->kind == HISTORY_COMMIT) {
        a->fd_inside = false;
    }
    if (a->kind == HISTORY_OPEN && a->answer == OK)
        hold(r, a);
    if ((a->kind == HISTORY_FSYNC || a->kind == HISTORY_SYNC) && a->answer == OK)
        cover(r, a, op);
    a->op = 0;
}

void rig_history(struct rig *r, uint64_t seed, int operations)
{
    struct history *h = r->h;
    struct observation *o = r->o;
    *r = (struct rig){.random = seed, .h = h, .o = o};
    memset(r->fs.cell, 0xff, sizeof(r->fs.cell));
    r->shared = rig_draw(r, 3) == 0;
    r->killed = rig_draw(r, 2) == 0;
    r->n.apps = rig_draw(r, 5) < 3 ? 1 : 2 + rig_draw(r, NAIVE_APPS - 1);
    r->transactions = r->n.apps == 1 && rig_draw(r, 3) == 0;
    r->racing = r->n.apps > 1 && rig_draw(r, 4) == 0;
    history_reset(h, r->shared ? 2 : 1);
    for (int a = 0; a < r->n.apps; a++)
        (void)history_add_app(h, r->shared && a == 1 ? 1 : 0);
    int setup = (int)history_setup_ops(h);
    for (int tries = 0; tries < 60 && r->n.last < setup + operations; tries++) {
        int app = rig_draw(r, r->n.apps);
        if (r->app[app].op == 0)
            begin(r, app);
        else
            end(r, app);
    }
    for (int a = 0; a < r->n.apps; a++) {
        if (r->app[a].op != 0 && (!r->killed || rig_draw(r, 3) == 0))
            end(r, a);
    }
    if (r->before.begin != 0) { /* dead, or at its end, without a commit */
        take_back(r, &r->app[0]);
        r->app[0].op = 0;
    }
    for (int a = 0; a < r->n.apps && !r->killed; a++)
        history_leave(h, (uint32_t)a);
    for (int a = 0; a < r->n.apps && r->killed; a++)
        history_kill(h, (uint32_t)a, (uint64_t)r->n.tick, HISTORY_POWER);
}
