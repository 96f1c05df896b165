/*
 * Locks of transactions: per object one exclusive holder or several shared ones, kept to the end of
 * the transaction (two-phase). A request that must wait is parked in its environment. When waiting
 * would close a cycle, the youngest transaction of the cycle gives way with E_AGAIN.
 *
 * Requests outside a transaction see committed state only and take no locks to read.
 */
#include "cache.h"

/* A block of holds at a time from the arena; freed ones are kept in a list. */
#define HOLDS_A_CHUNK 64u

static struct hold *hold_new(struct cache *c)
{
    if (c->hold_free == NULL) {
        struct hold *chunk = plat_alloc(HOLDS_A_CHUNK * sizeof(struct hold), TAG_HEAP);
        if (chunk == NULL)
            return NULL;
        for (uint32_t k = 0; k < HOLDS_A_CHUNK; k++) {
            chunk[k].next = c->hold_free;
            c->hold_free = &chunk[k];
        }
    }
    struct hold *h = c->hold_free;
    c->hold_free = h->next;
    return h;
}

static uint32_t bit_of(const struct env *env)
{
    return 1u << env->index;
}

/* Environments whose locks stand in the way. */
static uint32_t holders(const struct cache *c, const struct env *env, const struct object *o,
                        bool exclusive)
{
    uint32_t mask = exclusive ? o->shared : 0;
    if (o->hold != NULL) {
        for (uint32_t k = 0; k < CACHE_ENVS; k++)
            for (const struct hold *h = c->env[k].holds; h != NULL; h = h->next)
                if (h == o->hold)
                    mask |= 1u << k;
    }
    return mask & ~bit_of(env);
}

/* Everyone that environments in `mask` wait for, directly or not, they themselves included. */
static uint32_t closure(const struct cache *c, uint32_t mask)
{
    for (uint32_t round = 0; round < CACHE_ENVS; round++)
        for (uint32_t k = 0; k < CACHE_ENVS; k++)
            if ((mask & 1u << k) != 0 && c->env[k].waiting)
                mask |= c->env[k].waits_for;
    return mask;
}

/* The youngest member of the cycle that `env` would close by waiting; NULL if there is none. */
static struct env *deadlock_victim(struct cache *c, struct env *env, uint32_t waits_for)
{
    uint32_t reached = closure(c, waits_for);
    if ((reached & bit_of(env)) == 0)
        return NULL;
    struct env *victim = env;
    for (uint32_t k = 0; k < CACHE_ENVS; k++) {
        struct env *other = &c->env[k];
        bool member = (reached & 1u << k) != 0 && other->waiting &&
                      (closure(c, other->waits_for) & bit_of(env)) != 0;
        if (member && other->age > victim->age)
            victim = other;
    }
    return victim;
}

static void take(struct env *env, struct object *o, struct hold *h, bool exclusive)
{
    *h = (struct hold){.object = o, .exclusive = exclusive, .size = o->size, .min_size = o->size};
    if (env->holds_last != NULL)
        env->holds_last->next = h;
    else
        env->holds = h;
    env->holds_last = h;
    if (exclusive)
        o->hold = h;
    else
        o->shared |= bit_of(env);
}

static bool has_lock(const struct env *env, const struct object *o, bool exclusive)
{
    for (const struct hold *h = env->holds; h != NULL; h = h->next)
        if (h->object == o && (h->exclusive || !exclusive))
            return true;
    return false;
}

enum err txn_wait(struct cache *c, struct env *env, uint32_t waits_for)
{
    ASSERT(waits_for != 0);
    ASSERT((waits_for & bit_of(env)) == 0);
    struct env *victim = deadlock_victim(c, env, waits_for);
    if (victim == NULL) {
        env->waits_for = waits_for;
        return PARKED;
    }
    txn_kill(c, victim, victim != env);
    return victim == env ? E_AGAIN : OK;
}

enum err txn_lock(struct cache *c, struct env *env, struct object *o, bool exclusive)
{
    ASSERT(env->open);
    if (has_lock(env, o, exclusive))
        return OK;
    for (uint32_t round = 0; round < CACHE_ENVS; round++) {
        uint32_t waits_for = holders(c, env, o, exclusive);
        if (waits_for == 0) {
            struct hold *h = hold_new(c);
            if (h == NULL)
                return E_FULL;
            take(env, o, h, exclusive);
            return OK;
        }
        enum err e = txn_wait(c, env, waits_for);
        if (e != OK)
            return e;
    }
    return E_AGAIN;
}

static void drop_private(struct cache *c, struct hold *h)
{
    uint32_t page = h->first_page;
    while (page != 0) {
        uint32_t next = c->page[page].obj_next;
        page_drop(c, page);
        page = next;
    }
}

void txn_close(struct cache *c, struct env *env)
{
    struct hold *h = env->holds;
    while (h != NULL) {
        struct hold *next = h->next;
        struct object *o = h->object;
        if (h->exclusive) {
            ASSERT(o->hold == h);
            drop_private(c, h);
            o->hold = NULL;
            if (o->pending)
                object_remove(c, o);
        } else {
            o->shared &= ~bit_of(env);
        }
        h->next = c->hold_free;
        c->hold_free = h;
        h = next;
    }
    env->holds = NULL;
    env->holds_last = NULL;
    ASSERT(c->private_pages >= env->pages);
    c->private_pages -= env->pages;
    env->pages = 0;
    env->open = false;
    env->waits_for = 0;
    c->wake = true;
}

void txn_open(struct cache *c, struct env *env, const struct object_txn *id, uint32_t source)
{
    ASSERT(!env->open);
    ASSERT(env->holds == NULL);
    env->open = true;
    env->id = *id;
    env->owner = source;
    env->age = c->next_age++;
}

void txn_kill(struct cache *c, struct env *env, bool answer)
{
    bool waiting = env->waiting;
    env->waiting = false;
    if (env->open)
        txn_close(c, env);
    if (waiting && answer)
        serve_reply(&env->parked, E_AGAIN, NULL);
}

struct env *txn_of(struct cache *c, const struct object_txn *id, uint32_t source)
{
    ASSERT(id->environment != 0);
    if (id->environment > ENVIRONMENTS_MAX)
        return NULL;
    struct env *env = &c->env[id->environment];
    bool same = env->open && env->id.generation == id->generation &&
                env->id.sequence == id->sequence &&
                (env->owner == source || PLANTED(PLANTED_LATE_COMMIT));
    return same ? env : NULL;
}
