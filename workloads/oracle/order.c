/* Orders of racing operations: see order.h. A depth-first search over places for operations; the
 * world that an order makes is an ordinary history that is told one operation after the other. */
#include "workloads/oracle/order.h"

#include <stdlib.h>
#include <string.h>

#define NO_TEXT UINT32_MAX

static uint32_t keep_bytes(struct history *h, const void *bytes, uint64_t count)
{
    struct history_log *log = &h->log;
    if (bytes == NULL || count > LOG_BYTES_MAX - log->bytes)
        return NO_TEXT;
    log->pool = model_grow(log->pool, &log->pool_room, log->bytes + (uint32_t)count + 1, 1);
    uint32_t at = log->bytes;
    memcpy(log->pool + at, bytes, count);
    log->bytes += (uint32_t)count;
    return at;
}

static uint32_t keep_path(struct history *h, const char *path)
{
    return path == NULL ? NO_TEXT : keep_bytes(h, path, strlen(path) + 1);
}

void order_keep_call(struct history *h, uint32_t op, const struct history_call *call)
{
    struct history_log *log = &h->log;
    if (h->linear)
        return;
    log->record = model_grow(log->record, &log->record_room, op + 1, sizeof(*log->record));
    log->record[op] = (struct history_record){.call = *call, .data = NO_TEXT};
    log->record[op].path = keep_path(h, call->path);
    log->record[op].path2 = keep_path(h, call->path2);
    log->full = log->full || (call->path != NULL && log->record[op].path == NO_TEXT) ||
                (call->path2 != NULL && log->record[op].path2 == NO_TEXT);
}

void order_keep_entry(struct history *h, uint32_t op, const char *name, uint32_t type)
{
    struct history_log *log = &h->log;
    if (h->linear)
        return;
    log->entry = model_grow(log->entry, &log->entry_room, log->entries + 1, sizeof(*log->entry));
    uint32_t text = keep_path(h, name);
    log->full = log->full || text == NO_TEXT;
    log->entry[log->entries] = (struct history_entry_record){
        .type = type, .text = text, .older = log->record[op].newest_entry};
    log->record[op].newest_entry = ++log->entries;
}

void order_keep_answer(struct history *h, uint32_t op, const struct history_answer *answer)
{
    if (h->linear)
        return;
    struct history_record *r = &h->log.record[op];
    r->answer = *answer;
    r->answer.data = NULL;
    r->answer.stat = NULL;
    bool met = !h->raced && r->call.kind == HISTORY_READ; /* checked; every order agrees on it */
    if (answer->data != NULL && answer->result == OK && !met)
        r->data = keep_bytes(h, answer->data, answer->moved);
    if (answer->stat != NULL)
        r->stat = *answer->stat;
    r->has_stat = answer->stat != NULL;
}

/* ---- Telling ---- */

enum step_kind { STEP_IN, STEP_OUT };

struct step {
    uint32_t op;         /* what was told here */
    uint32_t choice;     /* next choice to try: 2 x application, + 1 without effects */
    enum step_kind kind; /* STEP_OUT: an operation in trouble that did nothing */
};

struct order {
    const struct history *h;
    struct history *world;
    uint32_t *ops; /* of the applications, each in order of begin */
    uint32_t ops_room, first[HISTORY_APPS_MAX], count[HISTORY_APPS_MAX], at[HISTORY_APPS_MAX];
    struct step *step;
    uint32_t step_room, depth, told; /* told: steps that the world has */
    uint32_t wait;                   /* answered operations that have no place yet */
    uint64_t *seen;                  /* hash of states */
    uint32_t seen_room, seen_count;
    uint32_t steps, found;
    bool stale; /* the world must be told again */
    bool undecided;
    bool offered; /* the state at depth was given to the judge, or needs not be */
};

struct order *order_create(void)
{
    struct order *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    s->world = history_create();
    return s;
}

void order_destroy(struct order *s)
{
    if (s == NULL)
        return;
    history_destroy(s->world);
    free(s->ops);
    free(s->step);
    free(s->seen);
    free(s);
}

static bool is_open(const struct history *h, uint32_t op)
{
    return h->ops[op].state == HISTORY_IN_FLIGHT;
}

/* An empty world with all operations still in flight. */
static void world_reset(struct order *s)
{
    const struct history *h = s->h;
    struct history *w = s->world;
    history_reset(w, h->environments);
    w->linear = true;
    for (uint32_t a = 0; a < h->app_count; a++)
        (void)history_add_app(w, h->apps[a].environment);
    uint32_t room = w->op_room;
    w->ops = model_grow(w->ops, &room, h->op_count + 2, sizeof(*w->ops));
    w->inodes = model_grow(w->inodes, &w->op_room, h->op_count + 2, sizeof(*w->inodes));
    for (uint32_t op = h->setup_ops + 1; op <= h->op_count; op++) {
        w->ops[op] = h->ops[op];
        w->ops[op].state = HISTORY_IN_FLIGHT;
        w->ops[op].effects = w->ops[op].txn = w->ops[op].inode = 0;
        w->ops[op].wrong = false;
        w->inodes[op] = (struct inode){0};
    }
    w->op_count = h->op_count;
    s->told = 0;
    s->stale = false;
}

static const char *text_of(const struct history *h, uint32_t at)
{
    return at == NO_TEXT ? NULL : h->log.pool + at;
}

/* Tells the entries of a listing from the first on. */
static void tell_entries(struct order *s, uint32_t op, uint32_t entry)
{
    for (; entry != 0; entry = s->h->log.entry[entry - 1].older)
        history_entry(s->world, op, s->h->log.pool + s->h->log.entry[entry - 1].text,
                      s->h->log.entry[entry - 1].type);
}

/* Tells one operation. Returns whether its answer is right there. */
static bool tell(struct order *s, const struct step *step)
{
    const struct history *h = s->h;
    struct history *w = s->world;
    const struct history_op *o = &h->ops[step->op];
    const struct history_record *r = &h->log.record[step->op];
    struct history_call call = r->call;
    call.path = text_of(h, r->path);
    call.path2 = text_of(h, r->path2);
    s->steps++;
    s->told++;
    w->number = step->op;
    w->tick = o->begin_tick - 1;
    (void)history_begin(w, o->app, o->start_ns, &call);
    w->ops[step->op].key = o->key;
    if (o->kind == HISTORY_WRITE && call.offset == HISTORY_AT_END && o->state != HISTORY_DONE)
        w->ops[step->op].offset = o->offset;
    if (is_open(h, step->op))
        return !w->ops[step->op].forbade; /* without effects it is as if it had no place */
    if (step->kind == STEP_OUT)
        history_forget(w, step->op);
    struct history_answer answer = r->answer;
    answer.data = (const uint8_t *)text_of(h, r->data);
    answer.stat = r->has_stat ? &r->stat : NULL;
    if (o->kind == HISTORY_READDIR && r->answer.result == OK)
        tell_entries(s, step->op, r->newest_entry);
    w->tick = o->end_tick == UINT32_MAX ? o->begin_tick : o->end_tick - 1;
    (void)history_end(w, step->op, o->end_ns, &answer);
    return w->wrong_count == 0;
}

static bool tell_all(struct order *s)
{
    world_reset(s);
    bool right = true;
    while (s->told < s->depth)
        right = tell(s, &s->step[s->told]) && right;
    return right;
}

/* ---- States ---- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    uint64_t z = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return z ^ z >> 29;
}

static uint64_t effect_hash(uint64_t hash, const struct effect *e, const struct history *w)
{
    const struct name_slot *n = e->slot == SLOT_NAME ? &w->slots[e->object] : NULL;
    hash = mix(hash, n == NULL ? e->object : n->hash ^ n->dir);
    hash = mix(hash, e->slot + ((uint64_t)e->what << 8) + ((uint64_t)e->is_void << 16));
    hash = mix(hash, e->value);
    hash = mix(mix(hash, e->from), e->to);
    return mix(mix(hash, e->grown_from), e->shift);
}

/* All that later answers and the judge can tell apart: positions, what each did, who came last. */
static uint64_t state_hash(const struct order *s)
{
    const struct history *w = s->world;
    uint64_t hash = 0;
    for (uint32_t a = 0; a < w->app_count; a++)
        hash = mix(mix(hash, s->at[a]), w->apps[a].txn);
    for (uint32_t op = w->setup_ops + 1; op <= w->op_count; op++) {
        const struct history_op *o = &w->ops[op];
        hash = mix(hash, o->inode);
        hash = mix(hash, o->name == 0 ? 0 : w->slots[o->name].hash ^ w->slots[o->name].dir);
        for (uint32_t k = 0; k < o->effects; k++)
            hash = effect_hash(hash, &w->effects[o->first_effect + k], w);
        const struct inode *i = &w->inodes[op];
        const uint32_t heads[] = {i->size, i->mode, i->owner, i->xattrs, i->range};
        for (uint32_t k = 0; k < 5; k++) /* the order of a list is that of its operations */
            for (uint32_t at = heads[k]; at != 0; at = w->effects[at].older)
                hash = mix(hash, w->effects[at].op);
        hash = mix(mix(mix(hash, i->dead_op), i->sync_tick), i->entries_tick);
    }
    uint64_t names = 0; /* slots are numbered as they are first named: any order */
    for (uint32_t n = 1; n <= w->slot_count; n++) {
        uint64_t list = w->slots[n].hash ^ w->slots[n].dir;
        for (uint32_t at = w->slots[n].newest; at != 0; at = w->effects[at].older)
            list = mix(list, w->effects[at].op);
        list = mix(list, w->slots[n].sync_tick);
        names += w->slots[n].newest == 0 ? 0 : list;
    }
    return mix(hash, names) | 1;
}

static void seen_put(struct order *s, uint64_t hash)
{
    uint32_t at = (uint32_t)hash & (s->seen_room - 1);
    while (s->seen[at] != 0)
        at = (at + 1) & (s->seen_room - 1);
    s->seen[at] = hash;
}

static void seen_grow(struct order *s)
{
    uint64_t *old = s->seen;
    uint32_t room = s->seen_room;
    s->seen_room = room == 0 ? 1024 : 2 * room;
    s->seen = calloc(s->seen_room, sizeof(*s->seen));
    ASSERT(s->seen != NULL);
    for (uint32_t k = 0; k < room; k++)
        if (old[k] != 0)
            seen_put(s, old[k]);
    free(old);
}

/* Whether the state is new; then it is not any more. */
static bool is_new(struct order *s)
{
    uint64_t hash = mix(state_hash(s), 0) | 1;
    if (2 * s->seen_count >= s->seen_room)
        seen_grow(s);
    for (uint32_t at = (uint32_t)hash & (s->seen_room - 1); s->seen[at] != 0;
         at = (at + 1) & (s->seen_room - 1))
        if (s->seen[at] == hash)
            return false;
    seen_put(s, hash);
    s->seen_count++;
    return true;
}

/* ---- The search ---- */

void order_begin(struct order *s, const struct history *h)
{
    s->h = h;
    s->depth = s->wait = s->steps = s->found = s->seen_count = 0;
    s->offered = false;
    s->undecided = h->log.full;
    if (s->seen_room != 0)
        memset(s->seen, 0, s->seen_room * sizeof(*s->seen));
    s->ops = model_grow(s->ops, &s->ops_room, h->op_count + 1, sizeof(*s->ops));
    s->step = model_grow(s->step, &s->step_room, h->op_count + 2, sizeof(*s->step));
    uint32_t all = 0;
    for (uint32_t a = 0; a < h->app_count; a++) {
        s->first[a] = all;
        s->at[a] = 0;
        for (uint32_t op = h->setup_ops + 1; op <= h->op_count; op++)
            if (h->ops[op].app == a)
                s->ops[all++] = op;
        s->count[a] = all - s->first[a];
    }
    for (uint32_t k = 0; k < all; k++)
        s->wait += !is_open(h, s->ops[k]);
    s->step[0] = (struct step){0};
    world_reset(s);
}

/* The operation of application a that comes next, or 0. */
static uint32_t next_of(const struct order *s, uint32_t a)
{
    return s->at[a] < s->count[a] ? s->ops[s->first[a] + s->at[a]] : 0;
}

/* Whether nothing that ended before op began is still without a place. */
static bool may_come(const struct order *s, uint32_t op)
{
    for (uint32_t a = 0; a < s->h->app_count; a++) {
        uint32_t other = next_of(s, a);
        if (other != 0 && precedes(s->h, other, op))
            return false;
    }
    return true;
}

static void step_back(struct order *s)
{
    ASSERT(s->depth > 0);
    const struct step *last = &s->step[--s->depth];
    s->at[s->h->ops[last->op].app]--;
    s->wait += !is_open(s->h, last->op);
    s->stale = true;
}

/* Gives the next choice at this depth a place. Returns false if there is none. */
static bool step_on(struct order *s)
{
    struct step *step = &s->step[s->depth];
    while (step->choice < 2 * s->h->app_count) {
        uint32_t app = step->choice / 2;
        bool out = step->choice % 2 == 1;
        step->choice++;
        uint32_t op = next_of(s, app);
        if (op == 0 || !may_come(s, op) || (out && s->h->ops[op].state != HISTORY_TROUBLED))
            continue;
        step->op = op;
        step->kind = out ? STEP_OUT : STEP_IN;
        s->depth++;
        s->at[app]++;
        s->wait -= !is_open(s->h, op);
        s->step[s->depth] = (struct step){0};
        return true;
    }
    return false;
}

/* What is known besides the operations: who died, marks. */
static void finish_world(struct order *s)
{
    const struct history *h = s->h;
    struct history *w = s->world;
    for (uint32_t a = 0; a < h->app_count; a++) {
        if (h->apps[a].txn == 0)
            history_leave(w, a);
        if (h->apps[a].death != HISTORY_ALIVE)
            history_kill(w, a, h->apps[a].died_ns, h->apps[a].death);
    }
    memcpy(w->fault_ns, h->fault_ns, sizeof(w->fault_ns));
    w->fault_count = h->fault_count;
    w->detected_ns = h->detected_ns;
    w->detected_by = h->detected_by;
    w->service_ns = h->service_ns;
    w->tick = h->tick;
    s->stale = true;
}

const struct history *order_next(struct order *s)
{
    while (s->steps < ORDER_STEPS_MAX && s->found < ORDER_FOUND_MAX) {
        if (s->wait == 0 && !s->offered) {
            s->offered = true;
            s->found++;
            if (s->stale)
                (void)tell_all(s);
            finish_world(s);
            return s->world;
        }
        if (!step_on(s)) {
            if (s->depth == 0)
                return NULL;
            step_back(s);
            s->offered = true; /* when it was reached */
            continue;
        }
        bool right = s->stale ? tell_all(s) : tell(s, &s->step[s->depth - 1]);
        s->offered = false;
        if (!right || !is_new(s)) {
            step_back(s);
            s->offered = true;
        }
    }
    s->undecided = true;
    return NULL;
}

bool order_undecided(const struct order *s)
{
    return s->undecided;
}
