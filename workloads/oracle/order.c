/* Orders of racing operations: see order.h. For each part a depth-first search over places for its
 * operations, as far as orders are asked for; then all choices of one order for each part. */
#include "workloads/oracle/order.h"

#include <stdlib.h>
#include <string.h>

#include "workloads/oracle/order_parts.h"
#include "workloads/oracle/order_world.h"

/* A state of the search: so many operations of the part have a place. */
struct frame {
    struct step step;  /* the one that was told last from here */
    uint32_t choice;   /* next to try: 2 x place of the application, + 1 without effects */
    uint32_t choices;  /* that there are */
    uint64_t hash;     /* of what the judge sees, where all that was answered has its place */
    bool forced, grew; /* one choice is enough; some other state follows from here */
};

/* Applications that are searched together. */
struct part {
    uint32_t first, count;  /* in `apps` */
    uint32_t op, ops;       /* its operations, in `ops` */
    uint32_t order, orders; /* the one that is told now; those that were found */
    uint32_t depth, wait;   /* operations with a place; answered ones without */
    struct frame *frame;    /* of depth 0, 1, ... */
    uint32_t *found;        /* orders, `ops` + 1 numbers each: count, 2 x operation, + 1 out */
    uint32_t frame_room, found_room;
    bool plain; /* one application, each answer with its effects: one order */
    bool done;  /* no further order */
};

struct order {
    const struct history *h;
    struct world told, tried;    /* the order that is judged; the one that is searched */
    const struct part *searched; /* the part that `tried` is about */
    bool stale;                  /* `tried` has something else than the frames say */
    struct parts parts;
    struct part part[HISTORY_APPS_MAX];
    uint32_t app[HISTORY_APPS_MAX];                           /* by part */
    uint32_t from[HISTORY_APPS_MAX], count[HISTORY_APPS_MAX]; /* operations of each in `ops` */
    uint32_t at[HISTORY_APPS_MAX];                            /* of these, with a place */
    uint32_t *ops;
    uint32_t ops_room;
    uint64_t *seen; /* hash of states */
    uint32_t seen_room, seen_count;
    uint32_t steps, offered;
    bool begun, undecided;
};

struct order *order_create(void)
{
    struct order *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    world_init(&s->told);
    world_init(&s->tried);
    return s;
}

void order_destroy(struct order *s)
{
    if (s == NULL)
        return;
    world_fini(&s->told);
    world_fini(&s->tried);
    parts_free(&s->parts);
    for (uint32_t k = 0; k < HISTORY_APPS_MAX; k++) {
        free(s->part[k].frame);
        free(s->part[k].found);
    }
    free(s->ops);
    free(s->seen);
    free(s);
}

static bool is_open(const struct history *h, uint32_t op)
{
    return h->ops[op].state == HISTORY_IN_FLIGHT;
}

/* ---- States that were seen ---- */

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
static bool is_new(struct order *s, uint64_t hash)
{
    hash |= 1;
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

/* ---- The parts ---- */

/* Lists the part's applications and their operations; they follow those of the parts before. */
static void list_part(struct order *s, struct part *p, uint32_t number)
{
    const struct history *h = s->h;
    bool calm = true;
    p->count = p->ops = p->wait = 0;
    for (uint32_t a = 0; a < h->app_count; a++) {
        if (s->parts.of[a] != number)
            continue;
        s->app[p->first + p->count++] = a;
        s->from[a] = p->op + p->ops;
        s->at[a] = 0;
        for (uint32_t op = h->setup_ops + 1; op <= h->op_count; op++) {
            if (h->ops[op].app != a)
                continue;
            s->ops[p->op + p->ops++] = op;
            p->wait += !is_open(h, op);
            calm = calm && h->ops[op].state != HISTORY_TROUBLED;
        }
        s->count[a] = p->op + p->ops - s->from[a];
    }
    p->plain = calm && p->count == 1;
    p->done = p->plain;
    p->order = p->depth = 0;
    p->orders = p->plain;
    p->frame = model_grow(p->frame, &p->frame_room, p->ops + 1, sizeof(*p->frame));
    p->frame[0] = (struct frame){0};
}

void order_begin(struct order *s, const struct history *h)
{
    s->h = h;
    s->steps = s->offered = s->seen_count = 0;
    s->begun = false;
    s->undecided = h->log.full;
    s->searched = NULL;
    if (s->seen_room != 0)
        memset(s->seen, 0, s->seen_room * sizeof(*s->seen));
    s->ops = model_grow(s->ops, &s->ops_room, h->op_count + 1, sizeof(*s->ops));
    parts_find(&s->parts, h);
    struct part *before = NULL;
    for (uint32_t k = 0; k < s->parts.count; k++) {
        struct part *p = &s->part[k];
        p->first = before == NULL ? 0 : before->first + before->count;
        p->op = before == NULL ? 0 : before->op + before->ops;
        list_part(s, p, k);
        before = p;
    }
}

static struct world_ops about(const struct order *s, const struct part *p)
{
    return (struct world_ops){
        .op = s->ops + p->op, .count = p->ops, .app = s->app + p->first, .app_count = p->count};
}

/* ---- The search in one part ---- */

/* The operation of application a that comes next, or 0. */
static uint32_t next_of(const struct order *s, uint32_t a)
{
    return s->at[a] < s->count[a] ? s->ops[s->from[a] + s->at[a]] : 0;
}

/* Whether nothing of the part that ended before op began is still without a place. */
static bool may_come(const struct order *s, const struct part *p, uint32_t op)
{
    for (uint32_t k = 0; k < p->count; k++) {
        uint32_t other = next_of(s, s->app[p->first + k]);
        if (other != 0 && precedes(s->h, other, op))
            return false;
    }
    return true;
}

/* Whether it neither changes nor sees anything that others do. */
static bool is_apart(const struct history_op *o)
{
    return o->state == HISTORY_DONE && (o->kind == HISTORY_CLOSE || o->kind == HISTORY_OTHER ||
                                        o->kind == HISTORY_SYNC || o->kind == HISTORY_BEGIN);
}

/* The operation of a choice, or 0 if it is none. */
static uint32_t op_of(const struct order *s, const struct part *p, uint32_t choice)
{
    uint32_t op = next_of(s, s->app[p->first + choice / 2]);
    bool out = choice % 2 == 1;
    if (op == 0 || (out && s->h->ops[op].state != HISTORY_TROUBLED) || !may_come(s, p, op))
        return 0;
    return op;
}

/* Counts the choices of a state; one that is enough is the only one. */
static void open_frame(const struct order *s, const struct part *p, struct frame *f)
{
    f->choices = 0;
    for (uint32_t c = 0; c < 2 * p->count; c++) {
        uint32_t op = op_of(s, p, c);
        f->choices += op != 0;
        if (op != 0 && is_apart(&s->h->ops[op])) {
            f->choice = c;
            f->choices = 1;
            f->forced = true;
            return;
        }
    }
}

static void place(struct order *s, struct part *p, uint32_t op, bool back)
{
    uint32_t a = s->h->ops[op].app;
    uint32_t answered = !is_open(s->h, op);
    p->depth += back ? -1u : 1u;
    s->at[a] += back ? -1u : 1u;
    p->wait += back ? answered : -answered;
}

/* Gives the next choice of this state a place. Returns false if there is none. */
static bool step_on(struct order *s, struct part *p)
{
    struct frame *f = &p->frame[p->depth];
    while (f->choice < 2 * p->count) {
        uint32_t c = f->choice;
        uint32_t op = op_of(s, p, c);
        f->choice = f->forced ? 2 * p->count : c + 1;
        if (op == 0)
            continue;
        f->step = (struct step){.op = op, .out = c % 2 == 1};
        place(s, p, op, false);
        p->frame[p->depth] = (struct frame){0};
        return true;
    }
    return false;
}

static void step_back(struct order *s, struct part *p)
{
    ASSERT(p->depth > 0);
    place(s, p, p->frame[p->depth - 1].step.op, true);
    s->stale = true;
}

/* Tells what the frames have and the world has not. Returns whether the last answer is right. */
static bool tell(struct order *s, struct part *p)
{
    if (s->stale && world_back(&s->tried, p->depth - 1) != 0)
        s->steps += WORLD_MARK_STEPS; /* about what a copy costs */
    s->stale = false;
    bool right = true;
    while (s->tried.told < p->depth) {
        right = world_tell(&s->tried, &p->frame[s->tried.told].step);
        s->steps++;
    }
    return right;
}

/* Keeps the order that the frames hold. */
static void keep_found(struct part *p)
{
    uint32_t at = p->orders++ * (p->ops + 1);
    p->found = model_grow(p->found, &p->found_room, at + p->ops + 1, sizeof(*p->found));
    p->found[at] = p->depth;
    for (uint32_t k = 0; k < p->depth; k++)
        p->found[at + 1 + k] = 2 * p->frame[k].step.op + p->frame[k].step.out;
}

/* A state that was reached rightly: opens it, unless it is known. */
static bool enter(struct order *s, struct part *p)
{
    struct frame *before = &p->frame[p->depth - 1];
    struct frame *f = &p->frame[p->depth];
    before->grew = true;
    uint32_t number = (uint32_t)(p - s->part);
    if (before->choices > 1) {
        uint64_t hash = world_mix(world_hash(&s->tried, true), number);
        for (uint32_t k = 0; k < p->count; k++)
            hash = world_mix(hash, s->at[s->app[p->first + k]]);
        if (!is_new(s, hash))
            return false;
    }
    if (p->wait == 0)
        f->hash = world_mix(world_hash(&s->tried, false), number);
    open_frame(s, p, f);
    return true;
}

/* Finds one more order of the part. */
static bool search(struct order *s, struct part *p)
{
    uint32_t number = (uint32_t)(p - s->part);
    if (s->searched != p) {
        world_begin(&s->tried, s->h, about(s, p));
        s->searched = p;
        s->stale = false;
        if (p->depth == 0)
            open_frame(s, p, &p->frame[0]);
        p->frame[0].hash = world_mix(0, number);
    }
    while (s->steps < ORDER_STEPS_MAX) {
        if (step_on(s, p)) {
            if (!tell(s, p) || !enter(s, p))
                step_back(s, p);
            continue;
        }
        const struct frame *f = &p->frame[p->depth];
        bool found = p->wait == 0 && !f->grew && is_new(s, f->hash);
        if (found)
            keep_found(p);
        if (p->depth == 0)
            p->done = true;
        else
            step_back(s, p);
        if (found || p->done)
            return found;
    }
    s->undecided = true;
    p->done = true;
    return false;
}

/* ---- All parts ---- */

/* Whether the part has an order of this number. */
static bool has_order(struct order *s, struct part *p, uint32_t number)
{
    return number < p->orders || (!p->done && search(s, p));
}

/* The next choice of an order for each part, the first part's first. */
static bool choose(struct order *s)
{
    bool first = !s->begun;
    s->begun = true;
    for (uint32_t k = 0; k < s->parts.count; k++) {
        struct part *p = &s->part[k];
        uint32_t number = first ? 0 : p->order + 1;
        bool has = has_order(s, p, number);
        if (first && !has)
            return false;
        p->order = has ? number : 0;
        if (has && !first)
            return true;
    }
    return first;
}

/* Tells the part's order. Returns whether all answers are right. */
static bool tell_part(struct order *s, const struct part *p)
{
    bool right = true;
    if (p->plain) {
        for (uint32_t k = 0; k < p->ops; k++) {
            struct step step = {.op = s->ops[p->op + k]};
            right = (world_tell(&s->told, &step) || is_open(s->h, step.op)) && right;
        }
        return right;
    }
    const uint32_t *found = p->found + p->order * (p->ops + 1);
    for (uint32_t k = 1; k <= found[0]; k++) {
        struct step step = {.op = found[k] / 2, .out = found[k] % 2 == 1};
        right = world_tell(&s->told, &step) && right;
    }
    return right;
}

const struct history *order_next(struct order *s)
{
    if (s->offered == ORDER_FOUND_MAX) {
        s->undecided = s->undecided || choose(s);
        return NULL;
    }
    if (!choose(s))
        return NULL;
    s->offered++;
    struct world_ops all = {.op = s->ops};
    for (uint32_t k = 0; k < s->parts.count; k++)
        all.count += s->part[k].ops;
    world_begin(&s->told, s->h, all);
    bool right = true;
    for (uint32_t k = 0; k < s->parts.count; k++)
        right = tell_part(s, &s->part[k]) && right;
    if (!right)
        return NULL; /* an answer that no order gives */
    world_finish(&s->told);
    return s->told.w;
}

bool order_undecided(const struct order *s)
{
    return s->undecided;
}
