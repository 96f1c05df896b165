/*
 * Requests: unpack, find transaction and object, do, reply. A request that a dead layer below
 * interrupted has changed nothing; after the recovery it runs again.
 */
#include "cache.h"

#define FRAMES_A_CHANGE 2u /* a copy, and the page that it is made from */

void serve_reply(const struct msg *m, enum err status, struct object_reply *reply)
{
    static const struct object_reply none = {0};
    ASSERT(status != PARKED);
    struct msg out;
    object_reply_pack(&out, reply != NULL ? reply : &none);
    proto_reply(m, status, &out);
}

static bool changes_something(enum object_op op)
{
    return op == OBJECT_CREATE || op == OBJECT_DELETE || op == OBJECT_WRITE ||
           op == OBJECT_TRUNCATE || op == OBJECT_SETATTR;
}

/* The object as the asker may see it, locked if it is in a transaction. */
static enum err reach(struct cache *c, struct env *env, const struct object_request *r,
                      struct object **object)
{
    struct object *o;
    enum err e = object_load(c, r->oid, &o);
    if (e == E_LOST && r->op == OBJECT_DELETE && o != NULL)
        e = OK; /* what is lost can still go */
    if (e != OK)
        return e;
    bool exclusive = changes_something(r->op) || (r->flags & OBJECT_EXCLUSIVE) != 0;
    if (env != NULL) {
        e = txn_lock(c, env, o, exclusive);
        if (e != OK)
            return e;
    } else if (o->pending) {
        return E_NOENT;
    }
    if (env != NULL && txn_deleted(o))
        return E_NOENT;
    *object = o;
    return OK;
}

static void set_attributes(struct hold *h, const uint8_t *attr)
{
    memcpy(h->attr, attr, OBJECT_ATTR_BYTES);
    h->attr_set = true;
}

static enum err do_create(struct cache *c, struct env *env, const struct object_request *r,
                          struct object_reply *reply)
{
    uint64_t oid = r->oid;
    struct object *o = NULL;
    if (oid != OID_NONE) {
        if (oid >= OID_FIRST_FREE || oid == OID_MAPPING || oid == OID_CACHE)
            return E_INVAL;
        enum err e = object_load(c, oid, &o);
        if (e == OK) {
            e = txn_lock(c, env, o, true); /* another may be creating or deleting it */
            return e == OK ? E_EXIST : e;
        }
        if (e != E_NOENT)
            return e;
    } else {
        oid = c->next_oid++;
    }
    enum err e = credit_reserve(c, 1, false);
    if (e != OK)
        return e;
    o = object_add(c, oid);
    if (o == NULL)
        return E_FULL;
    o->pending = true;
    o->flags = r->flags & (OBJECT_META | OBJECT_COW | OBJECT_LEVEL_MASK);
    e = txn_lock(c, env, o, true);
    if (e != OK) {
        object_remove(c, o);
        return e;
    }
    o->hold->created = true;
    set_attributes(o->hold, r->attr);
    reply->oid = oid;
    return OK;
}

static void do_getattr(const struct env *env, const struct object *o, struct object_reply *reply)
{
    reply->oid = o->oid;
    reply->size = txn_size(env, o);
    reply->blocks = o->blocks;
    reply->flags = o->flags;
    memcpy(reply->attr, txn_attr(env, o), OBJECT_ATTR_BYTES);
}

static enum err do_object(struct cache *c, struct env *env, const struct object_request *r,
                          uint32_t source, struct object_reply *reply)
{
    if (changes_something(r->op) && c->read_only)
        return E_ROFS;
    if (r->op == OBJECT_CREATE)
        return do_create(c, env, r, reply);
    struct object *o;
    enum err e = reach(c, env, r, &o);
    if (e != OK)
        return e;
    switch (r->op) {
    case OBJECT_READ:
        return io_read(c, env, o, r, source, &reply->moved);
    case OBJECT_WRITE:
        e = io_write(c, env, o, r, source, &reply->moved);
        reply->size = o->hold->size;
        if (e == OK && (r->flags & OBJECT_ATTR) != 0)
            set_attributes(o->hold, r->attr);
        return e;
    case OBJECT_TRUNCATE:
        return io_truncate(c, env, o, r->size);
    case OBJECT_GETATTR:
        do_getattr(env, o, reply);
        return r->length == 0 ? OK : io_read(c, env, o, r, source, &reply->moved);
    case OBJECT_SETATTR:
        set_attributes(o->hold, r->attr);
        return OK;
    case OBJECT_DELETE:
        o->hold->deleted = true;
        return OK;
    default:
        return E_INVAL;
    }
}

/*
 * No frame was left. Where other environments' open transactions have them, it waits for those, as
 * for a lock: nobody can take all of the memory from the others for longer than one transaction.
 */
static enum err wait_for_frames(struct cache *c, struct env *env, enum err e)
{
    uint32_t others = 0;
    for (uint32_t k = 0; k < CACHE_ENVS; k++)
        others |= c->env[k].pages > 0 && k != env->index ? 1u << k : 0;
    if (e != E_FULL || others == 0 || page_room(c) >= FRAMES_A_CHANGE)
        return e;
    e = txn_wait(c, env, others);
    return e == OK ? PARKED : e; /* another one gave way: it is woken at once */
}

/* A change outside a transaction is one by itself. */
static enum err do_single(struct cache *c, const struct object_request *r, const struct msg *m,
                          struct object_reply *reply)
{
    if (!changes_something(r->op))
        return do_object(c, NULL, r, m->source, reply);
    struct env *env = &c->env[0];
    if (env->waiting)
        return E_AGAIN; /* one that waits for a lock has the only slot */
    struct object_txn none = {0};
    static const uint8_t no_result[OBJECT_RESULT_BYTES] = {0};
    txn_open(c, env, &none, m->source);
    enum err e = do_object(c, env, r, m->source, reply);
    if (e == OK)
        e = txn_commit(c, env, no_result);
    e = wait_for_frames(c, env, e);
    env->broken = false;
    if (env->open)
        txn_close(c, env);
    return e;
}

static enum err do_in_txn(struct cache *c, const struct object_request *r, const struct msg *m,
                          struct object_reply *reply)
{
    struct env *env = txn_of(c, &r->txn, m->source);
    if (env == NULL)
        return E_AGAIN; /* it is over: begin again */
    enum err e = wait_for_frames(c, env, do_object(c, env, r, m->source, reply));
    if (env->broken) {
        env->broken = false;
        txn_kill(c, env, false);
    }
    if (env->outer != NULL && (e == E_ABORT || e == E_2BIG))
        user_close(c, env->outer);
    return e;
}

static enum err do_begin(struct cache *c, const struct object_request *r, const struct msg *m,
                         struct object_reply *reply)
{
    if (r->txn.environment == 0 || r->txn.environment > ENVIRONMENTS_MAX)
        return E_INVAL;
    struct env *env = &c->env[r->txn.environment];
    txn_kill(c, env, false);
    const uint8_t *result = reply_find(c, &r->txn);
    struct env *user = r->txn.outer != 0 ? user_of(c, &r->txn) : NULL;
    if (user != NULL && user->last == r->txn.sequence)
        result = user->last_result;
    if (result != NULL) {
        reply->done = 1;
        memcpy(reply->result, result, OBJECT_RESULT_BYTES);
        return OK;
    }
    if (r->txn.outer != 0 && user == NULL)
        return E_ABORT;
    txn_open(c, env, &r->txn, m->source);
    env->outer = user;
    if (user != NULL)
        user->waits_for = 0;
    return OK;
}

/* What begins its transaction is carried out in it at once, unless that was committed before. One
 * that waited or was interrupted comes here again, with its transaction open; if that is gone with
 * its naming, a new one would belong to nobody. */
static enum err do_first(struct cache *c, const struct object_request *r, const struct msg *m,
                         struct object_reply *reply)
{
    if (r->txn.environment != 0 && txn_of(c, &r->txn, m->source) != NULL)
        return OK;
    return c->serving != 0 ? do_begin(c, r, m, reply) : E_AGAIN;
}

/* Begin, end and abort of user transactions. */
static enum err do_user(struct cache *c, const struct object_request *r, uint32_t source)
{
    if (r->txn.environment == 0 || r->txn.environment > ENVIRONMENTS_MAX || r->txn.outer == 0)
        return E_INVAL;
    struct env *user = user_of(c, &r->txn);
    if (r->op == OBJECT_USER_BEGIN)
        return user != NULL ? OK : user_begin(c, &r->txn, source);
    if (r->op == OBJECT_USER_ABORT) {
        if (user != NULL)
            user_close(c, user);
        return OK;
    }
    struct env *env = txn_of(c, &r->txn, source);
    if (env == NULL || env->outer == NULL)
        return E_AGAIN;
    env->ends = true;
    return OK;
}

static enum err do_commit(struct cache *c, const struct msg *m)
{
    struct object_txn id;
    uint8_t result[OBJECT_RESULT_BYTES];
    enum err e = object_commit_unpack(&id, result, m);
    if (e != OK)
        return e;
    struct env *env = id.environment != 0 ? txn_of(c, &id, m->source) : NULL;
    if (env == NULL)
        return E_AGAIN;
    e = c->read_only ? E_ROFS : OK;
    if (e == OK && env->outer != NULL)
        e = user_commit(c, env, result);
    else if (e == OK)
        e = txn_commit(c, env, result);
    if (e != OK && e != E_SESSION && env->ends)
        user_close(c, env->outer);
    else if (e != OK && e != E_SESSION)
        txn_kill(c, env, false);
    return e;
}

static enum err do_abort(struct cache *c, const struct object_request *r, uint32_t source)
{
    if (r->txn.environment == 0)
        return E_INVAL;
    struct env *env = txn_of(c, &r->txn, source);
    if (env != NULL)
        txn_kill(c, env, false);
    return OK; /* what is not open is aborted */
}

static enum err do_died(struct cache *c, const struct object_request *r)
{
    if (r->txn.environment == 0 || r->txn.environment > ENVIRONMENTS_MAX)
        return E_INVAL;
    struct env *env = &c->env[r->txn.environment];
    if (r->txn.generation != 0)
        user_died(c, r->txn.environment, r->txn.generation);
    if (PLANTED(PLANTED_LATE_COMMIT) && env->open && !env->waiting && env->outer == NULL) {
        uint8_t result[OBJECT_RESULT_BYTES] = {0};
        enum err e = txn_commit(c, env, result);
        if (e == OK)
            return OK;
    }
    txn_kill(c, env, false);
    return OK;
}

static enum err do_sync(struct cache *c, const struct object_request *r, const struct msg *m)
{
    if (c->preparing) /* all that was answered is in it, or the next freeze has to come first */
        return !c->changed && checkpoint_join(c, m) ? PARKED : E_SESSION;
    if (!c->changed) /* everything that was answered is in the last checkpoint */
        return checkpoint_take_error(c, r->oid);
    enum err e = r->oid != OID_NONE ? stable_sync(c) : E_AGAIN; /* a sync of all: a checkpoint */
    if (e == E_SESSION)
        return e;
    if (e == OK)
        return checkpoint_take_error(c, r->oid);
    if (checkpoint_join(c, m))
        return PARKED;
    e = checkpoint_run(c, 0);
    return e != OK ? e : do_sync(c, r, m); /* the queue is empty now */
}

static enum err do_statfs(struct cache *c, struct object_reply *reply)
{
    enum err e = lower_statfs(c);
    uint64_t taken = c->reserved_blocks + CACHE_SLACK_BLOCKS;
    reply->size = c->capacity_blocks;
    reply->blocks = c->free_blocks > taken ? c->free_blocks - taken : 0;
    return e;
}

/* What a request comes to: its status; PARKED: it waits; E_SESSION: run it again. */
static enum err execute(struct cache *c, const struct msg *m, struct object_reply *reply)
{
    uint32_t environment = 0;
    bool known = plat_layer_of(m->source, &environment) == LAYER_NAMING;
    c->serving = known && environment < ENVIRONMENTS_MAX ? environment + 1 : 0;
    if (PROTO_OPERATION(m->type) == OBJECT_TXN_COMMIT)
        return c->down != OK ? (enum err)c->down : do_commit(c, m);
    struct object_request r;
    enum err e = object_request_unpack(&r, m);
    if (e != OK)
        return e;
    if (r.op == OBJECT_ENVIRONMENT_DIED)
        return do_died(c, &r);
    if (r.op == OBJECT_TXN_ABORT)
        return do_abort(c, &r, m->source);
    if (r.op == OBJECT_USER_ABORT)
        return do_user(c, &r, m->source);
    if (c->down != OK)
        return (enum err)c->down;
    if ((r.flags & OBJECT_BEGINS) != 0) {
        e = do_first(c, &r, m, reply);
        if (e != OK || reply->done != 0)
            return e;
    }
    switch (r.op) {
    case OBJECT_USER_BEGIN:
    case OBJECT_USER_END:
        return do_user(c, &r, m->source);
    case OBJECT_TXN_BEGIN:
        return do_begin(c, &r, m, reply);
    case OBJECT_SYNC:
        return do_sync(c, &r, m);
    case OBJECT_STATFS:
        return do_statfs(c, reply);
    case OBJECT_SHUTDOWN:
        return checkpoint_run(c, CHECKPOINT_CLEAN);
    default:
        return r.txn.environment != 0 ? do_in_txn(c, &r, m, reply) : do_single(c, &r, m, reply);
    }
}

/* Keeps a request that waits for a lock in its environment. */
static void park(struct cache *c, const struct msg *m)
{
    struct object_request r;
    if (PROTO_OPERATION(m->type) == OBJECT_SYNC)
        return; /* checkpoint_join has it */
    enum err e = object_request_unpack(&r, m);
    ASSERT(e == OK);
    struct env *env = &c->env[r.txn.environment];
    ASSERT(!env->waiting);
    env->parked = *m;
    env->waiting = true;
}

/* It needs the layers below, which prepare a checkpoint: its turn comes afterwards. */
static void hold(struct cache *c, const struct msg *m)
{
    ASSERT(c->held_count < CACHE_HELD_MAX);
    c->held[c->held_count++] = *m;
}

void serve_held(struct cache *c)
{
    ASSERT(!c->preparing);
    for (uint32_t k = 0; k < c->held_count; k++)
        serve(c, &c->held[k]);
    c->held_count = 0;
}

void serve(struct cache *c, const struct msg *m)
{
    struct object_reply reply;
    enum err e = E_SESSION;
    for (uint32_t tries = 0; tries < CACHE_REDO_MAX && e == E_SESSION; tries++) {
        if (c->need_recovery)
            recover(c);
        reply = (struct object_reply){0};
        e = execute(c, m, &reply);
        if (e == E_SESSION && c->preparing) {
            hold(c, m);
            return;
        }
    }
    if (e == PARKED) {
        park(c, m);
        return;
    }
    serve_reply(m, e == E_SESSION ? E_MEDIA : e, &reply);
}

/* The oldest environment that waits and was not run in this round; NULL if there is none. */
static struct env *oldest_waiting(struct cache *c)
{
    struct env *oldest = NULL;
    for (uint32_t k = 0; k < CACHE_ENVS; k++) {
        struct env *env = &c->env[k];
        if (env->waiting && !env->tried && (oldest == NULL || env->age < oldest->age))
            oldest = env;
    }
    return oldest;
}

void serve_wake(struct cache *c)
{
    for (uint32_t round = 0; round < CACHE_ENVS && c->wake; round++) {
        c->wake = false;
        for (uint32_t k = 0; k < CACHE_ENVS; k++)
            c->env[k].tried = false;
        struct env *env;
        while ((env = oldest_waiting(c)) != NULL) { /* each once: at most CACHE_ENVS */
            env->waiting = false;
            env->tried = true;
            struct msg m = env->parked;
            serve(c, &m);
        }
    }
}
