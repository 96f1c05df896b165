#include "workloads/oracle/order_world.h"

#include <stdlib.h>
#include <string.h>

#include "workloads/oracle/base.h"
#include "workloads/oracle/order_log.h"

/* An application's own part of a mark. */
struct app_mark {
    struct open_file fds[HISTORY_FDS_MAX];
    uint32_t in_flight, commits, txn;
    bool unsettled, doomed;
};

struct world_mark {
    struct history_op *ops; /* those that the world is about, in its order */
    struct inode *inodes;   /* the roots, then the same */
    struct effect *effects;
    struct name_slot *slots;
    char *text;
    struct app_mark *apps;
    uint32_t op_room, inode_room, effect_room, slot_room, text_room, app_room;
    uint32_t effect_count, slot_count, text_bytes, commits, sync_tick;
    bool has_xattrs;
};

void world_init(struct world *x)
{
    *x = (struct world){.w = history_create()};
}

void world_fini(struct world *x)
{
    for (uint32_t k = 0; k < x->marks_made; k++) {
        free(x->marks[k].ops);
        free(x->marks[k].inodes);
        free(x->marks[k].effects);
        free(x->marks[k].slots);
        free(x->marks[k].text);
        free(x->marks[k].apps);
    }
    free(x->marks);
    history_destroy(x->w);
}

/* None of its operations has happened. */
static void world_reset(struct world *x)
{
    const struct history *h = x->h;
    struct history *w = x->w;
    history_reset(w, h->environments);
    base_repeat(w, h);
    w->linear = true;
    for (uint32_t a = 0; a < h->app_count; a++)
        (void)history_add_app(w, h->apps[a].environment);
    for (uint32_t k = 0; k < x->ops.count; k++) {
        uint32_t op = x->ops.op[k];
        w->ops[op] = h->ops[op];
        w->ops[op].state = HISTORY_IN_FLIGHT;
        w->ops[op].effects = w->ops[op].txn = w->ops[op].inode = w->ops[op].name = 0;
        w->ops[op].wrong = false;
        w->inodes[op] = (struct inode){0};
    }
    w->op_count = h->op_count;
    x->told = 0;
}

void world_begin(struct world *x, const struct history *h, struct world_ops ops)
{
    struct history *w = x->w;
    uint32_t room = w->op_room;
    x->h = h;
    x->ops = ops;
    x->mark_count = 0;
    w->ops = model_grow(w->ops, &room, h->op_count + 2, sizeof(*w->ops));
    w->inodes = model_grow(w->inodes, &w->op_room, h->op_count + 2, sizeof(*w->inodes));
    memset(w->ops, 0, (h->op_count + 2) * sizeof(*w->ops));
    memset(w->inodes, 0, (h->op_count + 2) * sizeof(*w->inodes));
    world_reset(x);
}

/* Tells the entries of a listing from the first on. */
static void tell_entries(struct world *x, uint32_t op, uint32_t entry)
{
    const struct history_log *log = &x->h->log;
    for (; entry != 0; entry = log->entry[entry - 1].older)
        history_entry(x->w, op, log->pool + log->entry[entry - 1].text, log->entry[entry - 1].type);
}

static bool tell(struct world *x, const struct step *step)
{
    const struct history *h = x->h;
    struct history *w = x->w;
    const struct history_op *o = &h->ops[step->op];
    const struct history_record *r = &h->log.record[step->op];
    struct history_call call = r->call;
    call.path = order_text(h, r->path);
    call.path2 = order_text(h, r->path2);
    w->number = step->op;
    w->tick = o->begin_tick - 1;
    (void)history_begin(w, o->app, o->start_ns, &call);
    w->ops[step->op].key = o->key;
    if (o->kind == HISTORY_WRITE && call.offset == HISTORY_AT_END && o->state != HISTORY_DONE)
        w->ops[step->op].offset = o->offset;
    if (o->state == HISTORY_IN_FLIGHT)
        return !w->ops[step->op].forbade; /* without effects it is as if it had no place */
    if (step->out)
        history_forget(w, step->op);
    struct history_answer answer = r->answer;
    answer.data = (const uint8_t *)order_text(h, r->data);
    answer.stat = r->has_stat ? &r->stat : NULL;
    if (o->kind == HISTORY_READDIR && r->answer.result == OK)
        tell_entries(x, step->op, r->newest_entry);
    w->tick = o->end_tick == UINT32_MAX ? o->begin_tick : o->end_tick - 1;
    (void)history_end(w, step->op, o->end_ns, &answer);
    return w->wrong_count == 0;
}

/* ---- Marks ---- */

static void *keep(void *to, uint32_t *room, const void *from, uint32_t count, size_t size)
{
    to = model_grow(to, room, count, size);
    memcpy(to, from, count * size);
    return to;
}

static void mark_app(struct app_mark *m, const struct app *a)
{
    memcpy(m->fds, a->fds, sizeof(m->fds));
    m->in_flight = a->in_flight;
    m->commits = a->commits;
    m->txn = a->txn;
    m->unsettled = a->unsettled;
    m->doomed = a->doomed;
}

static void set_mark(struct world *x)
{
    const struct history *w = x->w;
    uint32_t number = x->mark_count++, roots = w->setup_ops + 1;
    x->marks = model_grow(x->marks, &x->mark_room, number + 1, sizeof(*x->marks));
    if (number == x->marks_made)
        x->marks[x->marks_made++] = (struct world_mark){0};
    struct world_mark *m = &x->marks[number];
    m->ops = model_grow(m->ops, &m->op_room, x->ops.count, sizeof(*m->ops));
    m->inodes = model_grow(m->inodes, &m->inode_room, roots + x->ops.count, sizeof(*m->inodes));
    memcpy(m->inodes, w->inodes, roots * sizeof(*m->inodes));
    for (uint32_t k = 0; k < x->ops.count; k++) {
        m->ops[k] = w->ops[x->ops.op[k]];
        m->inodes[roots + k] = w->inodes[x->ops.op[k]];
    }
    m->effect_count = w->effect_count;
    m->slot_count = w->slot_count;
    m->text_bytes = w->text_bytes;
    m->commits = w->commits;
    m->sync_tick = w->sync_tick;
    m->has_xattrs = w->has_xattrs;
    m->effects =
        keep(m->effects, &m->effect_room, w->effects, w->effect_count + 1, sizeof(*m->effects));
    m->slots = keep(m->slots, &m->slot_room, w->slots, w->slot_count + 1, sizeof(*m->slots));
    m->text = keep(m->text, &m->text_room, w->text, w->text_bytes, 1);
    m->apps = model_grow(m->apps, &m->app_room, x->ops.app_count, sizeof(*m->apps));
    for (uint32_t k = 0; k < x->ops.app_count; k++)
        mark_app(&m->apps[k], &w->apps[x->ops.app[k]]);
}

static void app_back(struct app *a, const struct app_mark *m)
{
    memcpy(a->fds, m->fds, sizeof(a->fds));
    a->in_flight = m->in_flight;
    a->commits = m->commits;
    a->txn = m->txn;
    a->unsettled = m->unsettled;
    a->doomed = m->doomed;
}

static void back_to(struct world *x, const struct world_mark *m)
{
    struct history *w = x->w;
    uint32_t roots = w->setup_ops + 1;
    memcpy(w->inodes, m->inodes, roots * sizeof(*m->inodes));
    for (uint32_t k = 0; k < x->ops.count; k++) {
        w->ops[x->ops.op[k]] = m->ops[k];
        w->inodes[x->ops.op[k]] = m->inodes[roots + k];
    }
    w->effect_count = m->effect_count;
    w->slot_count = m->slot_count;
    w->text_bytes = m->text_bytes;
    w->commits = m->commits;
    w->sync_tick = m->sync_tick;
    w->has_xattrs = m->has_xattrs;
    memcpy(w->effects, m->effects, (m->effect_count + 1) * sizeof(*m->effects));
    memcpy(w->slots, m->slots, (m->slot_count + 1) * sizeof(*m->slots));
    memcpy(w->text, m->text, m->text_bytes);
    for (uint32_t k = 0; k < x->ops.app_count; k++)
        app_back(&w->apps[x->ops.app[k]], &m->apps[k]);
    model_rechain(w);
    w->wrong_count = 0;
    for (uint32_t e = 0; e < w->environments; e++)
        w->wrongs[e].count = w->wrongs[e].bytes = 0;
}

bool world_tell(struct world *x, const struct step *step)
{
    bool right = tell(x, step);
    x->told++;
    if (right && x->ops.app_count != 0 && x->told == (x->mark_count + 1) * WORLD_MARK_STEPS)
        set_mark(x);
    return right;
}

uint32_t world_back(struct world *x, uint32_t told)
{
    uint32_t number = told / WORLD_MARK_STEPS;
    x->mark_count = number < x->mark_count ? number : x->mark_count;
    if (x->mark_count == 0) {
        world_reset(x);
        return 0;
    }
    back_to(x, &x->marks[x->mark_count - 1]);
    x->told = x->mark_count * WORLD_MARK_STEPS;
    return x->told;
}

void world_finish(struct world *x)
{
    const struct history *h = x->h;
    struct history *w = x->w;
    for (uint32_t a = 0; a < h->app_count; a++) {
        if (h->apps[a].txn == 0)
            history_leave(w, a);
        if (h->apps[a].death != HISTORY_ALIVE)
            history_kill(w, a, h->apps[a].died_ns, h->apps[a].death);
        w->apps[a].died = h->apps[a].died;
    }
    memcpy(w->fault_ns, h->fault_ns, sizeof(w->fault_ns));
    w->fault_count = h->fault_count;
    w->detected_ns = h->detected_ns;
    w->detected_by = h->detected_by;
    w->service_ns = h->service_ns;
    w->tick = h->tick;
}

/* ---- States ---- */

uint64_t world_mix(uint64_t hash, uint64_t value)
{
    uint64_t z = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return z ^ z >> 29;
}

static uint64_t effect_hash(uint64_t hash, const struct effect *e, const struct history *w)
{
    const struct name_slot *n = e->slot == SLOT_NAME ? &w->slots[e->object] : NULL;
    hash = world_mix(hash, n == NULL ? e->object : n->hash ^ n->dir);
    hash = world_mix(hash, e->slot + ((uint64_t)e->what << 8) + ((uint64_t)e->is_void << 16));
    hash = world_mix(hash, e->value);
    hash = world_mix(world_mix(hash, e->from), e->to);
    return world_mix(world_mix(hash, e->grown_from), e->shift);
}

/* The effects on an inode's slots: the order of a list is that of its operations. */
static uint64_t inode_hash(uint64_t hash, const struct inode *i, const struct history *w)
{
    const uint32_t heads[] = {i->size, i->mode, i->owner, i->xattrs, i->range};
    for (size_t k = 0; k < sizeof(heads) / sizeof(heads[0]); k++)
        for (uint32_t at = heads[k]; at != 0; at = w->effects[at].older)
            hash = world_mix(hash, w->effects[at].op);
    return world_mix(world_mix(world_mix(hash, i->dead_op), i->sync_tick), i->entries_tick);
}

uint64_t world_hash(const struct world *x, bool later)
{
    const struct history *w = x->w;
    uint64_t hash = later;
    for (uint32_t k = 0; k < x->ops.count; k++) {
        uint32_t op = x->ops.op[k];
        const struct history_op *o = &w->ops[op];
        if (later) {
            hash = world_mix(hash, o->inode);
            hash =
                world_mix(hash, o->name == 0 ? 0 : w->slots[o->name].hash ^ w->slots[o->name].dir);
        }
        for (uint32_t n = 0; n < o->effects; n++)
            hash = effect_hash(hash, &w->effects[o->first_effect + n], w);
        if (w->inodes[op].type != 0)
            hash = inode_hash(world_mix(hash, op), &w->inodes[op], w);
    }
    uint64_t names = 0; /* slots are numbered as they are first named: any order */
    for (uint32_t n = 1; n <= w->slot_count; n++) {
        uint64_t list = w->slots[n].hash ^ w->slots[n].dir;
        for (uint32_t at = w->slots[n].newest; at != 0; at = w->effects[at].older)
            list = world_mix(list, w->effects[at].op);
        list = world_mix(list, w->slots[n].sync_tick);
        names += w->slots[n].newest == 0 ? 0 : list;
    }
    return world_mix(hash, names);
}
