/*
 * User transactions: several requests of one process that take effect together or not at all.
 *
 * A user transaction is a transaction in a slot of its own, named by (environment, VFS generation,
 * outer). Each request in it is a savepoint: it runs in its environment's slot, on top of what the
 * requests before it have changed, and its commit moves its changes into the user transaction. Only
 * the commit that ends the user transaction goes into the log, as one group: whole or void under
 * any crash. Until then all of it is private memory, which the cache's own death takes with it.
 *
 * Locks are two-phase, and the user transaction's from the moment a request takes them: they stay
 * when the request is taken back or fails, since its process has learnt from what was locked.
 *
 * Nobody waits here for a user transaction, for its next request may come behind the one that
 * waits: who meets its lock is answered E_WAIT and comes again. What a user transaction has met is
 * noted, and when that closes a cycle the youngest in it is aborted whole.
 *
 * Invariants:
 *   (1) a user transaction has at most one savepoint: its environment has one request at a time;
 *   (2) a hold with something under it belongs to a savepoint, what is under it to its user
 *       transaction, which has nothing under it;
 *   (3) together they have at most half of the frames, one at most a quarter of frames and log, so
 *       everybody else can always go on.
 */
#include "cache.h"

#include "planted.h"

static uint32_t bit_of(const struct env *env)
{
    return 1u << env->index;
}

struct env *user_of(struct cache *c, const struct object_txn *id)
{
    for (uint32_t k = CACHE_ENVS; k < CACHE_SLOTS; k++) {
        struct env *user = &c->env[k];
        if (user->open && user->id.outer == id->outer && user->id.generation == id->generation &&
            user->id.environment == id->environment)
            return user;
    }
    return NULL;
}

enum err user_begin(struct cache *c, const struct object_txn *id, uint32_t source)
{
    ASSERT(id->outer != 0);
    for (uint32_t k = CACHE_ENVS; k < CACHE_SLOTS; k++) {
        struct env *user = &c->env[k];
        if (user->open)
            continue;
        txn_open(c, user, id, source);
        user->last = 0;
        return OK;
    }
    return E_WAIT;
}

void user_close(struct cache *c, struct env *user)
{
    ASSERT(user->open && user->index >= CACHE_ENVS);
    struct env *request = &c->env[user->id.environment];
    if (request->open && request->outer == user)
        txn_kill(c, request, true);
    txn_close(c, user);
}

void user_died(struct cache *c, uint32_t environment, uint32_t generation)
{
    for (uint32_t k = CACHE_ENVS; k < CACHE_SLOTS; k++) {
        struct env *user = &c->env[k];
        if (user->open && user->id.environment == environment &&
            user->id.generation != generation && !PLANTED(PLANTED_USER_OUTLIVES))
            user_close(c, user);
    }
}

enum err user_room(const struct cache *c, const struct env *env)
{
    if (env->outer == NULL)
        return OK;
    uint64_t all = env->pages;
    for (uint32_t k = CACHE_ENVS; k < CACHE_SLOTS; k++)
        all += c->env[k].pages;
    uint32_t frames = c->mem.frames;
    if ((uint64_t)env->pages + env->outer->pages >= frames / CACHE_USER_SHARE)
        return E_2BIG;
    return all >= frames / CACHE_USER_SHARE * 2 ? E_ABORT : OK;
}

/* All that user transactions in `mask` wait for, directly or not, they themselves included. */
static uint32_t reached_from(const struct cache *c, uint32_t mask)
{
    for (uint32_t round = 0; round < CACHE_USERS; round++)
        for (uint32_t k = CACHE_ENVS; k < CACHE_SLOTS; k++)
            if ((mask & 1u << k) != 0)
                mask |= c->env[k].waits_for;
    return mask;
}

enum err user_wait(struct cache *c, const struct env *env, uint32_t waits_for)
{
    struct env *own = env->outer;
    if (own == NULL)
        return E_WAIT; /* a call outside: it has no locks left while it waits */
    own->waits_for = waits_for >> CACHE_ENVS << CACHE_ENVS;
    uint32_t reached = reached_from(c, own->waits_for);
    if ((reached & bit_of(own)) == 0)
        return E_WAIT;
    struct env *victim = own;
    for (uint32_t k = CACHE_ENVS; k < CACHE_SLOTS; k++) {
        struct env *other = &c->env[k];
        bool member =
            (reached & bit_of(other)) != 0 && (reached_from(c, bit_of(other)) & bit_of(own)) != 0;
        if (member && other->age > victim->age)
            victim = other;
    }
    if (victim == own)
        return E_ABORT;
    user_close(c, victim);
    return OK;
}

/* Blocks from `block` on are not the user transaction's any more. */
static void drop_pages_from(struct cache *c, struct env *user, struct hold *h, uint64_t block)
{
    uint32_t page = h->first_page;
    while (page != 0) {
        uint32_t next = c->page[page].obj_next;
        if (c->mem.frame[page].block >= block) {
            hold_unlink(c, h, page);
            page_drop(c, page);
            ASSERT(user->pages > 0 && c->private_pages > 0);
            user->pages--;
            c->private_pages--;
        }
        page = next;
    }
}

/* The savepoint's pages take the place of the user transaction's. */
static void merge_pages(struct cache *c, struct env *env, struct hold *h)
{
    struct env *user = env->outer;
    struct hold *under = h->under;
    while (h->first_page != 0) {
        uint32_t page = h->first_page;
        uint64_t block = c->mem.frame[page].block;
        hold_unlink(c, h, page);
        uint32_t old = page_find(c, h->object->oid, block, user->index + 1u);
        if (old != 0) {
            hold_unlink(c, under, old);
            page_drop(c, old);
            user->pages--;
            c->private_pages--;
        }
        c->page[page].env = (uint8_t)(user->index + 1u);
        hold_link(c, under, page);
        env->pages--;
        user->pages++;
    }
}

static void merge_hold(struct cache *c, struct env *env, struct hold *h)
{
    struct hold *under = h->under;
    ASSERT(under != NULL && under->env == env->outer->index);
    under->created = under->created || h->created;
    under->deleted = under->deleted || h->deleted;
    if (h->truncated) {
        drop_pages_from(c, env->outer, under, (h->min_size + BLOCK_BYTES - 1) / BLOCK_BYTES);
        if (h->min_size < under->min_size) {
            under->min_size = h->min_size;
            under->truncated = true;
        }
    }
    merge_pages(c, env, h);
    under->size = h->size;
    under->size_set = under->size_set || h->size_set;
    if (h->attr_set) {
        under->attr_set = true;
        memcpy(under->attr, h->attr, OBJECT_ATTR_BYTES);
    }
}

/* Planted bug: every other object that was there before stays as it was. */
static void tear(struct cache *c, struct env *user)
{
    uint32_t count = 0;
    for (struct hold *h = user->holds; h != NULL; h = h->next) {
        if (!h->exclusive || h->created || ++count % 2 == 1)
            continue;
        drop_pages_from(c, user, h, 0);
        h->deleted = h->attr_set = h->size_set = h->truncated = false;
    }
}

enum err user_commit(struct cache *c, struct env *env, const uint8_t result[OBJECT_RESULT_BYTES])
{
    struct env *user = env->outer;
    bool changes = txn_changes(env);
    if (env->ends && env->holds != NULL)
        return E_INVAL; /* it may be run again, so it does nothing else */
    for (struct hold *h = env->holds; h != NULL; h = h->next)
        merge_hold(c, env, h);
    if (!env->ends) {
        if (changes) {
            user->last = env->id.sequence;
            memcpy(user->last_result, result, OBJECT_RESULT_BYTES);
        }
        txn_close(c, env);
        return OK;
    }
    if (PLANTED(PLANTED_TXN_TORN))
        tear(c, user);
    uint64_t most = c->log_on ? c->mem.log_slots / CACHE_USER_SHARE : c->mem.log_slots;
    if (txn_records(c, user) > most)
        return E_2BIG;
    user->id.sequence = env->id.sequence; /* who asks again asks about this request */
    enum err e = txn_commit(c, user, result);
    if (e != OK)
        return e;
    reply_put(c, &env->id, result); /* also where there was nothing to keep */
    txn_close(c, env);
    return OK;
}
