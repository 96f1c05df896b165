/*
 * Locks of transactions: per object one exclusive holder or several shared ones, kept to the end of
 * the transaction (two-phase). A request that must wait is parked in its environment. When waiting
 * would close a cycle, the youngest transaction of the cycle gives way with E_AGAIN. Nobody is
 * parked behind a user transaction, which may take its time: user_txn.c.
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

static void hold_free(struct cache *c, struct hold *h)
{
    if (h == NULL)
        return;
    h->next = c->hold_free;
    c->hold_free = h;
}

static uint32_t bit_of(const struct env *env)
{
    return 1u << env->index;
}

/* Transactions that are no obstacle to this one: itself, and the one that it is a savepoint of. */
static uint32_t own_bits(const struct env *env)
{
    return bit_of(env) | (env->outer != NULL ? bit_of(env->outer) : 0);
}

/* Transactions whose locks stand in the way. A savepoint's are its user transaction's. */
static uint32_t holders(const struct env *env, const struct object *o, bool exclusive)
{
    uint32_t mask = exclusive ? o->shared : 0;
    const struct hold *h = o->hold;
    while (h != NULL && h->under != NULL)
        h = h->under;
    if (h != NULL)
        mask |= 1u << h->env;
    return mask & ~own_bits(env);
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
    uint64_t size = exclusive && o->hold != NULL ? o->hold->size : o->size;
    *h = (struct hold){.object = o,
                       .under = exclusive ? o->hold : NULL,
                       .env = env->index,
                       .exclusive = exclusive,
                       .size = size,
                       .min_size = size};
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

/* Nobody is in the way. Locks of a request belong to its user transaction, and stay when the
 * request is taken back; what it changes is in a hold of its own on top. */
static enum err take_free(struct cache *c, struct env *env, struct object *o, bool exclusive)
{
    struct env *keeper = env->outer != NULL ? env->outer : env;
    bool savepoint = exclusive && keeper != env;
    bool known = exclusive && o->hold != NULL;
    struct hold *lock = known ? NULL : hold_new(c);
    struct hold *changes = savepoint ? hold_new(c) : NULL;
    if ((lock == NULL && !known) || (changes == NULL && savepoint)) {
        hold_free(c, lock);
        hold_free(c, changes);
        return E_FULL;
    }
    if (lock != NULL)
        take(keeper, o, lock, exclusive);
    if (changes != NULL)
        take(env, o, changes, true);
    return OK;
}

static bool has_lock(const struct env *env, const struct object *o, bool exclusive)
{
    uint32_t own = own_bits(env);
    if (exclusive)
        return o->hold != NULL && o->hold->env == env->index;
    return (o->shared & own) != 0 || (o->hold != NULL && (1u << o->hold->env & own) != 0);
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
    for (uint32_t round = 0; round < CACHE_SLOTS; round++) {
        uint32_t waits_for = holders(env, o, exclusive);
        if (waits_for == 0)
            return take_free(c, env, o, exclusive);
        bool users = waits_for >> CACHE_ENVS != 0;
        enum err e = users ? user_wait(c, env, waits_for) : txn_wait(c, env, waits_for);
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
            o->hold = h->under;
            if (o->pending && h->under == NULL)
                object_remove(c, o);
        } else {
            o->shared &= ~bit_of(env);
        }
        hold_free(c, h);
        h = next;
    }
    env->holds = NULL;
    env->holds_last = NULL;
    ASSERT(c->private_pages >= env->pages);
    c->private_pages -= env->pages;
    env->pages = 0;
    env->open = false;
    env->waits_for = 0;
    env->outer = NULL;
    env->ends = false;
    for (uint32_t k = CACHE_ENVS; k < CACHE_SLOTS && env->index >= CACHE_ENVS; k++)
        c->env[k].waits_for &= ~bit_of(env);
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
