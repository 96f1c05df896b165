#include "workloads/tests/oracle/races.h"

#include <stdio.h>
#include <string.h>

#include "workloads/oracle/content.h"

#define FD 3
#define BLOCK HISTORY_BLOCK_BYTES
#define FILE_BYTES_MAX (8 * BLOCK)
#define NAME_SETS 3

static uint32_t draw(struct races *r, uint32_t limit)
{
    r->random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t z = r->random;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) % limit);
}

void races_open(struct races *r)
{
    memset(r, 0, sizeof(*r));
    r->h = history_create();
    r->truth = history_create();
    r->o = observation_create();
    world_init(&r->world);
}

void races_close(struct races *r)
{
    world_fini(&r->world);
    observation_destroy(r->o);
    history_destroy(r->truth);
    history_destroy(r->h);
}

/* ---- Requests ---- */

static const char *path_of(struct races *r, uint32_t a, bool dir)
{
    static const char *const names[2][NAME_SETS][4] = {
        {{"d", "p", "d/x", "d/y"}, {"t", "t/x", "t/y", "t/z"}, {"./w", "w/x", "w//y", "w2"}},
        {{"shared/d", "shared/p", "shared/d/x", "/shared/d/y"},
         {"t", "t/x", "t/y", "t/z"},
         {"shared/w", "shared/w/x", "shared//w/y", "shared/w2"}}};
    uint32_t set = r->app[a].names[draw(r, 2)];
    return names[r->environments - 1][set][dir ? 0 : 1 + draw(r, 3)];
}

static enum history_kind draw_kind(struct races *r, const struct races_app *app)
{
    static const enum history_kind kinds[] = {
        HISTORY_MKDIR,  HISTORY_MKDIR,  HISTORY_OPEN,    HISTORY_OPEN,     HISTORY_OPEN,
        HISTORY_RENAME, HISTORY_RENAME, HISTORY_RENAME,  HISTORY_UNLINK,   HISTORY_LINK,
        HISTORY_RMDIR,  HISTORY_STAT,   HISTORY_READDIR, HISTORY_TRUNCATE, HISTORY_OTHER,
        HISTORY_SYNC,   HISTORY_CHMOD};
    static const enum history_kind held[] = {HISTORY_WRITE, HISTORY_WRITE, HISTORY_WRITE,
                                             HISTORY_FSYNC, HISTORY_FSYNC, HISTORY_CLOSE};
    if (r->truth->apps[app - r->app].doomed)
        return HISTORY_ABORT;
    if (r->transactions && draw(r, 3) == 0)
        return !app->inside ? HISTORY_BEGIN : draw(r, 4) != 0 ? HISTORY_COMMIT : HISTORY_ABORT;
    if (app->open && draw(r, 2) == 0)
        return held[draw(r, sizeof(held) / sizeof(held[0]))];
    return kinds[draw(r, sizeof(kinds) / sizeof(kinds[0]))];
}

static struct history_call draw_call(struct races *r, uint32_t a)
{
    enum history_kind kind = draw_kind(r, &r->app[a]);
    struct history_call c = {.kind = kind, .fd = FD, .mode = 0600u + draw(r, 2)};
    bool dir = kind == HISTORY_MKDIR || kind == HISTORY_RMDIR || kind == HISTORY_READDIR;
    bool path = dir || kind == HISTORY_OPEN || kind == HISTORY_RENAME || kind == HISTORY_UNLINK ||
                kind == HISTORY_LINK || kind == HISTORY_STAT || kind == HISTORY_TRUNCATE ||
                kind == HISTORY_CHMOD;
    if (path)
        c.path = path_of(r, a, dir);
    if (kind == HISTORY_RENAME || kind == HISTORY_LINK)
        c.path2 = path_of(r, a, false);
    if (kind == HISTORY_OPEN)
        c.flags = HISTORY_CREATE | (draw(r, 4) == 0 ? HISTORY_EXCLUSIVE : 0);
    if (kind == HISTORY_WRITE) {
        c.offset =
            r->op_count < 12 && draw(r, 3) == 0 ? HISTORY_AT_END : (uint64_t)draw(r, 2) * BLOCK;
        c.length = BLOCK / 2 * (1 + draw(r, 2));
    }
    c.size = (uint64_t)draw(r, 3) * BLOCK / 2;
    return c;
}

/* ---- What truly happens ---- */

static void tell_entries(struct races *r, struct history *to, uint32_t dir, uint32_t op)
{
    struct history *t = r->truth;
    for (uint32_t s = t->inodes[dir].slots; s != 0; s = t->slots[s].next) {
        uint32_t inode = model_name(t, s, VIEW_SURE, op);
        if (inode != 0)
            history_entry(to, op, t->text + t->slots[s].text, t->inodes[inode].type);
    }
}

static void fill_stat(const struct history *t, uint32_t inode, uint32_t op, struct history_stat *s)
{
    uint32_t mode = model_newest(t, t->inodes[inode].mode, VIEW_SURE, op);
    *s = (struct history_stat){.ino = inode,
                               .type = t->inodes[inode].type,
                               .size = model_size(t, inode, VIEW_SURE, op),
                               .mode = mode == 0 ? 0 : (uint32_t)t->effects[mode].value,
                               .nlink = model_names(t, inode, VIEW_SURE, op)};
}

static bool shares_names(const struct races_app *a, const struct races_app *b)
{
    return a->names[0] == b->names[0] || a->names[0] == b->names[1] || a->names[1] == b->names[0] ||
           a->names[1] == b->names[1];
}

/* While a user transaction is open, others that use the same names wait. */
static bool may_happen(const struct races *r, uint32_t a)
{
    for (uint32_t b = 0; b < r->apps; b++)
        if (b != a && r->truth->apps[b].txn != 0 && shares_names(&r->app[a], &r->app[b]))
            return false;
    return !r->app[a].happened;
}

/* The answer of what succeeds, as things are. */
static void answer_ok(struct races *r, struct races_app *app)
{
    struct history *t = r->truth;
    const struct history_op *o = &t->ops[app->op];
    app->answer =
        (struct history_answer){.result = OK, .fd = FD, .moved = o->length, .offset = o->offset};
    if (o->kind == HISTORY_STAT) {
        fill_stat(t, o->inode, app->op, &app->stat);
        app->answer.stat = &app->stat;
    }
}

static void happen(struct races *r, uint32_t a)
{
    struct races_app *app = &r->app[a];
    struct history *t = r->truth;
    t->number = app->op;
    t->op_count = r->h->op_count;
    (void)history_begin(t, a, app->op, &app->call);
    bool doomed = t->apps[a].doomed;
    app->happened = true;
    app->answer = (struct history_answer){.result = doomed ? E_ABORT : E_NOENT};
    if (!t->ops[app->op].forbade && (!doomed || app->call.kind == HISTORY_ABORT))
        answer_ok(r, app);
    if (app->inside && app->call.kind == HISTORY_RENAME && draw(r, 8) == 0)
        app->answer = (struct history_answer){.result = E_ABORT};
    bool listed = app->call.kind == HISTORY_READDIR && app->answer.result == OK;
    if (listed)
        tell_entries(r, t, t->ops[app->op].inode, app->op);
    if (listed && r->h->apps[a].in_flight == app->op)
        tell_entries(r, r->h, t->ops[app->op].inode, app->op);
    bool out = !app->inside && draw(r, 60) == 0 && app->answer.result == OK;
    if (out)
        history_forget(t, app->op);
    app->fails = out || (!app->inside && draw(r, 60) == 0 && app->answer.result == OK);
    if (app->fails)
        app->answer = (struct history_answer){.result = E_IO};
    (void)history_end(t, app->op, app->op, &app->answer);
    r->step[r->steps++] = (struct step){.op = app->op, .out = out};
}

static void begin(struct races *r, uint32_t a)
{
    struct races_app *app = &r->app[a];
    app->call = draw_call(r, a);
    app->happened = false;
    app->op = history_begin(r->h, a, r->h->tick, &app->call);
    r->ops[r->op_count++] = app->op;
}

static void end(struct races *r, uint32_t a)
{
    struct races_app *app = &r->app[a];
    bool ok = app->answer.result == OK;
    (void)history_end(r->h, app->op, r->h->tick, &app->answer);
    r->troubled = r->troubled || app->fails;
    if (ok && app->call.kind == HISTORY_OPEN)
        app->open = true;
    if (app->call.kind == HISTORY_CLOSE || app->call.kind == HISTORY_ABORT)
        app->open = false;
    app->inside = r->truth->apps[a].txn != 0;
    app->op = 0;
}

static void start(struct races *r, uint64_t seed)
{
    r->random = seed;
    r->environments = 1 + draw(r, 2);
    r->apps = 2 + draw(r, RACES_APPS - 1);
    r->killed = draw(r, 2) == 0;
    r->troubled = r->damaged = false;
    r->transactions = draw(r, 2) == 0;
    r->steps = r->op_count = 0;
    history_reset(r->h, r->environments);
    history_reset(r->truth, r->environments);
    memset(r->truth->ops + r->truth->setup_ops + 1, 0,
           (r->truth->op_room - r->truth->setup_ops - 1) * sizeof(*r->truth->ops));
    r->truth->linear = true;
    uint32_t scheme = draw(r, 4); /* all use one set, pairs of them do, one is alone, or any */
    for (uint32_t a = 0; a < r->apps; a++) {
        uint32_t one = scheme == 1 ? a / 2 * 2 : scheme == 2 ? (a == 0) : 0;
        uint32_t two = scheme == 3 ? draw(r, NAME_SETS) : one;
        r->app[a] = (struct races_app){.names = {scheme == 3 ? draw(r, NAME_SETS) : one, two}};
        (void)history_add_app(r->h, a % r->environments);
        (void)history_add_app(r->truth, a % r->environments);
    }
}

static void run(struct races *r, uint32_t operations)
{
    for (uint32_t tries = 0; tries < 12 * operations; tries++) {
        uint32_t a = draw(r, r->apps);
        if (r->app[a].op == 0 && r->op_count < operations)
            begin(r, a);
        else if (r->app[a].op != 0 && r->app[a].happened)
            end(r, a);
        else if (r->app[a].op != 0 && may_happen(r, a))
            happen(r, a);
    }
}

/* Who still waits for an answer may have died before it. */
static void finish(struct races *r)
{
    for (uint32_t a = 0; a < r->apps && !r->killed; a++) {
        if (r->app[a].op != 0 && !r->app[a].happened)
            happen(r, a);
        if (r->app[a].op != 0)
            end(r, a);
        history_leave(r->truth, a);
    }
    for (uint32_t a = 0; a < r->apps; a++) {
        if (r->killed)
            history_kill(r->h, a, r->h->tick, HISTORY_POWER);
        else
            history_leave(r->h, a);
    }
}

/* ---- What is read back ---- */

static void fill_file(const struct history *w, uint32_t inode, uint8_t *bytes)
{
    uint32_t list[2 * RACES_OPS], count = 0;
    for (uint32_t at = w->inodes[inode].range; at != 0; at = w->effects[at].older) {
        at = model_newest(w, at, VIEW_SURE, 0);
        if (at == 0)
            break;
        ASSERT(count < 2 * RACES_OPS);
        list[count++] = at;
    }
    memset(bytes, 0, FILE_BYTES_MAX);
    while (count-- > 0) {
        const struct effect *e = &w->effects[list[count]];
        ASSERT(e->to <= FILE_BYTES_MAX);
        memset(bytes + e->from, 0, e->to - e->from);
        if (e->what == RANGE_DATA)
            content_fill(w->ops[e->author].key, e->author, e->from + e->shift, bytes + e->from,
                         e->to - e->from);
    }
}

static void read_dir(struct races *r, uint32_t node, uint32_t dir)
{
    const struct history *w = r->world.w;
    static uint8_t bytes[FILE_BYTES_MAX];
    for (uint32_t s = w->inodes[dir].slots; s != 0; s = w->slots[s].next) {
        uint32_t inode = model_name(w, s, VIEW_SURE, 0);
        struct history_stat stat;
        if (inode == 0 || w->inodes[inode].setup)
            continue;
        fill_stat(w, inode, 0, &stat);
        if (draw(r, 40) == 0) {
            r->damaged = true;
            if (draw(r, 2) == 0)
                continue; /* a name that is gone */
            stat.mode ^= 1;
        }
        uint32_t n = observe_entry(r->o, node, w->text + w->slots[s].text, stat.type);
        if (stat.type == HISTORY_DIRECTORY) {
            observe_stat(r->o, n, OK, &stat);
            read_dir(r, n, inode);
            observe_listing(r->o, n, OK);
            continue;
        }
        fill_file(w, inode, bytes);
        observe_stat(r->o, n, OK, &stat);
        bool unread = draw(r, 100) == 0;
        r->damaged = r->damaged || unread;
        observe_data(r->o, n, 0, unread ? E_IO : OK, unread ? NULL : bytes, stat.size);
    }
}

static void read_back(struct races *r)
{
    struct world_ops all = {.op = r->ops, .count = r->op_count};
    uint32_t lost = r->killed && draw(r, 2) == 0 ? draw(r, 4) : 0;
    r->kept = r->steps > lost ? r->steps - lost : 0;
    world_begin(&r->world, r->h, all);
    for (uint32_t k = 0; k < r->kept; k++)
        if (!world_tell(&r->world, &r->step[k]))
            ASSERT(r->h->ops[r->step[k].op].state == HISTORY_IN_FLIGHT);
    world_finish(&r->world);
    observation_reset(r->o);
    for (uint32_t e = 0; e < r->environments; e++) {
        uint32_t node = observe_root(r->o, e, false);
        read_dir(r, node, e + 2);
        observe_listing(r->o, node, OK);
        node = observe_root(r->o, e, true);
        read_dir(r, node, 1);
        observe_listing(r->o, node, OK);
    }
}

void races_draw(struct races *r, uint64_t seed, uint32_t operations)
{
    ASSERT(operations <= RACES_OPS);
    start(r, seed);
    run(r, operations);
    finish(r);
    read_back(r);
}
