#include "sim/states.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"

/* What becomes of a write; beyond KEPT: torn to that many sectors more than KEPT. */
enum { UNDECIDED = 0, LEFT = 1, KEPT = 2 };

enum status { STATUS_NEW = 0, STATUS_PENDING, STATUS_OVER };

struct fate {
    enum status status;
    uint32_t live;   /* versions above their floors */
    uint32_t place;  /* in the list of its disk, from 1 */
    uint32_t choice; /* UNDECIDED, LEFT, KEPT, KEPT + sectors */
};

struct pending {
    uint32_t *write;
    uint32_t count, room;
    uint32_t depth;     /* of this walk */
    uint32_t last_kept; /* highest place that is kept or torn; 0: none */
    uint32_t torn;      /* decided so; at most 1 */
};

struct sim_states {
    const struct sim_record *record;
    uint32_t position;     /* entries that have happened */
    uint32_t *top, *floor; /* by variable: newest accepted version, and floor; 0: the base */
    struct fate *fate;     /* by write */
    uint32_t variable_room, write_room;
    struct pending pending[DISKS_MAX];
    struct sim_states_bounds bounds;
    uint32_t *decided; /* writes, in order of decision */
    uint32_t decisions;
};

struct sim_states *sim_states_create(void)
{
    struct sim_states *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    return s;
}

void sim_states_destroy(struct sim_states *s)
{
    if (s == NULL)
        return;
    for (uint32_t d = 0; d < DISKS_MAX; d++)
        free(s->pending[d].write);
    free(s->top);
    free(s->floor);
    free(s->fate);
    free(s->decided);
    free(s);
}

static void make_room(struct sim_states *s)
{
    const struct sim_record *r = s->record;
    if (r->variables >= s->variable_room) {
        s->variable_room = r->variables + 1;
        free(s->top);
        free(s->floor);
        s->top = malloc(s->variable_room * sizeof(s->top[0]));
        s->floor = malloc(s->variable_room * sizeof(s->floor[0]));
    }
    if (r->writes >= s->write_room) {
        s->write_room = r->writes + 1;
        free(s->fate);
        free(s->decided);
        s->fate = malloc(s->write_room * sizeof(s->fate[0]));
        s->decided = malloc(s->write_room * sizeof(s->decided[0]));
    }
    ASSERT(s->top != NULL || r->variables == 0);
    ASSERT(s->fate != NULL || r->writes == 0);
}

void sim_states_rewind(struct sim_states *s, const struct sim_record *record)
{
    ASSERT(record != NULL && !record->running);
    s->record = record;
    s->position = 0;
    s->decisions = 0;
    make_room(s);
    memset(s->top, 0, s->variable_room * sizeof(s->top[0]));
    memset(s->floor, 0, s->variable_room * sizeof(s->floor[0]));
    memset(s->fate, 0, s->write_room * sizeof(s->fate[0]));
    for (uint32_t d = 0; d < record->disks; d++)
        s->pending[d].count = 0;
}

/* ---- Time goes on ------------------------------------------------------------------------------
 */

static void accept(struct sim_states *s, uint32_t w)
{
    const struct sim_record_write *write = &s->record->write[w];
    struct pending *p = &s->pending[write->disk];
    if (p->count == p->room) {
        p->room = p->room == 0 ? 64 : p->room * 2;
        p->write = realloc(p->write, p->room * sizeof(p->write[0]));
        ASSERT(p->write != NULL);
    }
    p->write[p->count++] = w;
    s->fate[w] = (struct fate){.status = STATUS_PENDING, .live = write->count, .place = p->count};
    for (uint32_t i = 0; i < write->count; i++) {
        uint32_t version = write->first_version + i;
        s->top[s->record->version[version].variable] = version;
    }
}

/* Takes those out of a disk's list that are pending no more. */
static void compact(struct sim_states *s, uint32_t disk)
{
    struct pending *p = &s->pending[disk];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        struct fate *f = &s->fate[p->write[i]];
        if (f->status == STATUS_PENDING && f->live == 0)
            f->status = STATUS_OVER;
        if (f->status != STATUS_PENDING)
            continue;
        p->write[kept++] = p->write[i];
        f->place = kept;
    }
    p->count = kept;
}

/* The floor of a variable rises to a version: it, and all between, have no choice any more. */
static void raise_floor(struct sim_states *s, uint32_t version)
{
    const struct sim_version *all = s->record->version;
    uint32_t variable = all[version].variable, old = s->floor[variable];
    if (version <= old)
        return; /* a newer one is stable */
    s->floor[variable] = version;
    for (uint32_t v = version; v > old; v = all[v].older) {
        struct fate *f = &s->fate[all[v].write];
        ASSERT(f->live > 0);
        f->live--;
    }
}

static void make_stable(struct sim_states *s, uint32_t w)
{
    const struct sim_record_write *write = &s->record->write[w];
    for (uint32_t i = 0; i < write->count; i++)
        raise_floor(s, write->first_version + i);
}

static void acknowledge(struct sim_states *s, uint32_t w)
{
    const struct sim_record_write *write = &s->record->write[w];
    enum sim_write_cache cache = s->record->disk[write->disk].cache;
    if (!write->fua && cache != SIM_CACHE_OFF && cache != SIM_CACHE_PROTECTED)
        return;
    make_stable(s, w);
    compact(s, write->disk);
}

/* What was acknowledged before the flush arrived is stable. */
static void flushed(struct sim_states *s, uint32_t f)
{
    const struct sim_record_flush *flush = &s->record->flush[f];
    const struct pending *p = &s->pending[flush->disk];
    for (uint32_t i = 0; i < p->count; i++) {
        uint32_t acked = s->record->write[p->write[i]].acked;
        if (acked != 0 && acked - 1 < flush->arrived)
            make_stable(s, p->write[i]);
    }
    compact(s, flush->disk);
}

static void abort_write(struct sim_states *s, uint32_t w)
{
    s->fate[w].status = STATUS_OVER;
    compact(s, s->record->write[w].disk);
}

void sim_states_advance(struct sim_states *s, uint32_t entries)
{
    ASSERT(entries >= s->position && entries <= s->record->entries);
    for (; s->position < entries; s->position++) {
        const struct sim_entry *e = &s->record->entry[s->position];
        switch (e->kind) {
        case SIM_ENTRY_WRITE:
            accept(s, e->index);
            break;
        case SIM_ENTRY_ACK:
            acknowledge(s, e->index);
            break;
        case SIM_ENTRY_ABORT:
            abort_write(s, e->index);
            break;
        case SIM_ENTRY_DONE:
            flushed(s, e->index);
            break;
        case SIM_ENTRY_FLUSH:
        case SIM_ENTRY_NOTE:
            break;
        }
    }
}

uint32_t sim_states_pending(const struct sim_states *s, uint32_t disk)
{
    ASSERT(disk < s->record->disks);
    return s->pending[disk].count;
}

/* ---- Choices -----------------------------------------------------------------------------------
 */

static struct pending *list_of(struct sim_states *s, uint32_t w)
{
    return &s->pending[s->record->write[w].disk];
}

/* Writes before a place that are left out. */
static uint32_t left_before(const struct sim_states *s, const struct pending *p, uint32_t place)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i + 1 < place; i++)
        left += s->fate[p->write[i]].choice == LEFT;
    return left;
}

static bool can_keep(const struct sim_states *s, const struct pending *p, uint32_t w)
{
    uint32_t place = s->fate[w].place;
    if (s->bounds.which != SIM_STATES_ALL)
        return s->bounds.which == SIM_STATES_KEEP;
    return place < p->last_kept || left_before(s, p, place) <= p->depth;
}

static bool can_leave(const struct sim_states *s, const struct pending *p, uint32_t w)
{
    if (s->bounds.which != SIM_STATES_ALL)
        return s->bounds.which == SIM_STATES_DROP;
    return s->fate[w].place > p->last_kept || left_before(s, p, p->last_kept) + 1 <= p->depth;
}

static bool can_tear(const struct sim_states *s, const struct pending *p, uint32_t w,
                     uint32_t sectors)
{
    return s->bounds.tears && s->bounds.which == SIM_STATES_ALL && p->torn == 0 &&
           sectors < s->record->write[w].atoms && can_keep(s, p, w);
}

static void set_choice(struct sim_states *s, struct pending *p, uint32_t w, uint32_t choice)
{
    struct fate *f = &s->fate[w];
    ASSERT(f->choice == UNDECIDED && choice != UNDECIDED);
    f->choice = choice;
    p->torn += choice > KEPT;
    if (choice >= KEPT && f->place > p->last_kept)
        p->last_kept = f->place;
}

static void take_back(struct sim_states *s, struct pending *p, uint32_t w)
{
    struct fate *f = &s->fate[w];
    ASSERT(f->choice != UNDECIDED);
    p->torn -= f->choice > KEPT;
    f->choice = UNDECIDED;
    while (p->last_kept > 0 && s->fate[p->write[p->last_kept - 1]].choice < KEPT)
        p->last_kept--;
}

static void decide(struct sim_states *s, uint32_t w)
{
    struct pending *p = list_of(s, w);
    bool keep = can_keep(s, p, w);
    ASSERT(keep || can_leave(s, p, w)); /* there is always a state that agrees */
    set_choice(s, p, w, keep ? KEPT : LEFT);
    s->decided[s->decisions++] = w;
}

sim_count sim_states_start(struct sim_states *s, const struct sim_states_bounds *bounds)
{
    ASSERT(bounds->depth <= SIM_DEPTH_MAX);
    s->bounds = *bounds;
    s->decisions = 0;
    for (uint32_t d = 0; d < s->record->disks; d++) {
        struct pending *p = &s->pending[d];
        p->depth = s->record->disk[d].cache == SIM_CACHE_ORDERED ? 0 : bounds->depth;
        p->last_kept = p->torn = 0;
        for (uint32_t i = 0; i < p->count; i++)
            s->fate[p->write[i]].choice = UNDECIDED;
    }
    return sim_states_open(s);
}

/* Whether a version is there as far as its write's choice goes; the write is decided. */
static bool is_there(const struct sim_states *s, uint32_t version)
{
    uint32_t w = s->record->version[version].write, choice = s->fate[w].choice;
    ASSERT(choice != UNDECIDED);
    return choice == KEPT ||
           (choice > KEPT && version - s->record->write[w].first_version < choice - KEPT);
}

uint32_t sim_states_value(struct sim_states *s, uint32_t variable)
{
    ASSERT(variable >= 1 && variable <= s->record->variables);
    const struct sim_version *all = s->record->version;
    uint32_t floor = s->floor[variable], v = s->top[variable];
    for (; v != floor; v = all[v].older) {
        uint32_t w = all[v].write;
        if (s->fate[w].status != STATUS_PENDING)
            continue; /* aborted */
        if (s->fate[w].choice == UNDECIDED)
            decide(s, w);
        if (is_there(s, v))
            break;
    }
    return v == 0 ? 0 : all[v].content;
}

bool sim_states_varies(const struct sim_states *s, uint32_t variable)
{
    const struct sim_version *all = s->record->version;
    uint32_t floor = s->floor[variable];
    uint32_t base = floor == 0 ? 0 : all[floor].content;
    for (uint32_t v = s->top[variable]; v != floor; v = all[v].older)
        if (s->fate[all[v].write].status == STATUS_PENDING && all[v].content != base)
            return true;
    return false;
}

void sim_states_decide(struct sim_states *s)
{
    for (uint32_t d = 0; d < s->record->disks; d++)
        for (uint32_t i = 0; i < s->pending[d].count; i++)
            if (s->fate[s->pending[d].write[i]].choice == UNDECIDED)
                decide(s, s->pending[d].write[i]);
}

/* The choice after `choice`, all others being as they are; UNDECIDED: none is left. */
static uint32_t choice_after(const struct sim_states *s, const struct pending *p, uint32_t w,
                             uint32_t choice)
{
    if (choice == KEPT && can_leave(s, p, w))
        return LEFT;
    uint32_t sectors = choice > KEPT ? choice - KEPT + 1 : 1;
    return can_tear(s, p, w, sectors) ? KEPT + sectors : UNDECIDED;
}

bool sim_states_next(struct sim_states *s)
{
    while (s->decisions > 0) {
        uint32_t w = s->decided[s->decisions - 1];
        struct pending *p = list_of(s, w);
        uint32_t choice = s->fate[w].choice;
        take_back(s, p, w);
        uint32_t next = choice_after(s, p, w, choice);
        if (next != UNDECIDED) {
            set_choice(s, p, w, next);
            return true;
        }
        s->decisions--;
    }
    return false;
}

/* ---- Counting ----------------------------------------------------------------------------------
 */

/*
 * Ways to decide what is undecided on one disk: over its pending writes in order, by how many were
 * left out so far (one more than the depth stands for all above: then nothing may be kept any more)
 * and whether one is torn. Leaving out writes behind the last kept one costs nothing, and does not
 * here: nothing is kept after them.
 */
static sim_count open_of_disk(const struct sim_states *s, const struct pending *p)
{
    sim_count ways[SIM_DEPTH_MAX + 2][2] = {{1, 0}};
    uint32_t beyond = p->depth + 1;
    for (uint32_t i = 0; i < p->count; i++) {
        uint32_t w = p->write[i], choice = s->fate[w].choice;
        uint32_t tears = s->bounds.tears ? s->record->write[w].atoms - 1 : 0;
        sim_count next[SIM_DEPTH_MAX + 2][2] = {{0}};
        for (uint32_t left = 0; left <= beyond; left++) {
            uint32_t more = left < beyond ? left + 1 : beyond;
            for (uint32_t torn = 0; torn < 2; torn++) {
                sim_count n = ways[left][torn];
                if (choice == UNDECIDED || choice == LEFT)
                    next[more][torn] += n;
                if (left < beyond && (choice == UNDECIDED || choice == KEPT))
                    next[left][torn] += n;
                if (left < beyond && torn == 0 && choice != LEFT && choice != KEPT)
                    next[left][1] += choice == UNDECIDED ? n * tears : n;
            }
        }
        memcpy(ways, next, sizeof(ways));
    }
    sim_count sum = 0;
    for (uint32_t left = 0; left <= beyond; left++)
        sum += ways[left][0] + ways[left][1];
    return sum;
}

sim_count sim_states_open(const struct sim_states *s)
{
    sim_count product = 1;
    if (s->bounds.which != SIM_STATES_ALL)
        return product;
    for (uint32_t d = 0; d < s->record->disks; d++)
        product *= open_of_disk(s, &s->pending[d]);
    return product;
}

/* ---- Words -------------------------------------------------------------------------------------
 */

void sim_states_describe(const struct sim_states *s, uint32_t disk, struct sim_state_disk *to)
{
    const struct pending *p = &s->pending[disk];
    to->keep = s->bounds.which == SIM_STATES_KEEP ? p->count : p->last_kept;
    to->left_count = to->torn = to->sectors = 0;
    for (uint32_t place = 1; place <= to->keep; place++) {
        uint32_t choice = s->fate[p->write[place - 1]].choice;
        if (choice == LEFT)
            to->left[to->left_count++] = place;
        if (choice > KEPT) {
            to->torn = place;
            to->sectors = choice - KEPT;
        }
    }
}

bool sim_states_set(struct sim_states *s, uint32_t disk, const struct sim_state_disk *state)
{
    struct pending *p = &s->pending[disk];
    uint32_t before = 0;
    if (state->keep > p->count || state->torn > state->keep)
        return false;
    for (uint32_t i = 0; i < state->left_count; i++) {
        if (state->left[i] <= before || state->left[i] > state->keep ||
            state->left[i] == state->torn)
            return false;
        before = state->left[i];
    }
    if (state->torn != 0) {
        uint32_t w = p->write[state->torn - 1];
        if (state->sectors < 1 || state->sectors >= s->record->write[w].atoms)
            return false;
    }
    uint32_t next = 0;
    for (uint32_t place = 1; place <= p->count; place++) {
        bool left = place > state->keep || (next < state->left_count && state->left[next] == place);
        next += left && place <= state->keep;
        uint32_t choice = left ? LEFT : place == state->torn ? KEPT + state->sectors : KEPT;
        set_choice(s, p, p->write[place - 1], choice);
        s->decided[s->decisions++] = p->write[place - 1];
    }
    return true;
}
