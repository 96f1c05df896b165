/* The recorder: requests, answers, deaths and marks. See history.h. */
#include <stdlib.h>
#include <string.h>

#include "workloads/oracle/content.h"
#include "workloads/oracle/order_log.h"
#include "workloads/oracle/range.h"
#include "workloads/oracle/transaction.h"

#define SHARED_ROOT 1u /* operations, and so inodes, that exist before time 0 */
#define FIRST_ROOT 2u  /* of environment 0 */
#define BUCKETS_AT_FIRST 1024u
#define NOBODY UINT32_MAX /* the application of set-up */

const char *history_kind_name(enum history_kind kind)
{
    static const char *const names[HISTORY_KINDS] = {
        "setup",    "open",        "close",   "read",   "write",  "truncate",  "fsync",
        "sync",     "stat",        "mkdir",   "rmdir",  "unlink", "rename",    "link",
        "symlink",  "readlink",    "readdir", "chmod",  "chown",  "fallocate", "setxattr",
        "getxattr", "removexattr", "begin",   "commit", "abort",  "other"};
    ASSERT((unsigned)kind < HISTORY_KINDS);
    return names[kind];
}

const char *history_clause_name(enum history_clause clause)
{
    static const char *const names[CLAUSES] = {
        "none",       "content",    "foreign bytes", "zeros",
        "torn block", "size",       "attribute",     "name",
        "type",       "link count", "listing",       "tree",
        "answer",     "checker",    "remount",       "torn transaction",
        "synced",     "error",      "mount",         "service"};
    ASSERT((unsigned)clause < CLAUSES);
    return names[clause];
}

struct history *history_create(void)
{
    struct history *h = calloc(1, sizeof(*h));
    ASSERT(h != NULL);
    h->apps = calloc(HISTORY_APPS_MAX, sizeof(*h->apps));
    h->bucket_count = BUCKETS_AT_FIRST;
    h->buckets = calloc(h->bucket_count, sizeof(*h->buckets));
    h->work = calloc(1, sizeof(*h->work));
    ASSERT(h->apps != NULL && h->buckets != NULL && h->work != NULL);
    h->effects = model_grow(NULL, &h->effect_room, 1, sizeof(*h->effects));
    h->slots = model_grow(NULL, &h->slot_room, 1, sizeof(*h->slots));
    history_reset(h, 1);
    return h;
}

void history_destroy(struct history *h)
{
    if (h == NULL)
        return;
    for (uint32_t k = 0; k < HISTORY_APPS_MAX; k++) {
        free(h->apps[k].path);
        free(h->apps[k].path2);
    }
    range_work_free(h->work);
    free(h->work);
    free(h->apps);
    free(h->ops);
    free(h->inodes);
    free(h->effects);
    free(h->slots);
    free(h->buckets);
    free(h->text);
    free(h->reliances);
    free(h->versions);
    free(h->log.record);
    free(h->log.entry);
    free(h->log.pool);
    free(h->base.own);
    free(h);
}

static uint32_t new_op(struct history *h, uint32_t app, enum history_kind kind, uint64_t now_ns)
{
    uint32_t room = h->op_room;
    h->ops = model_grow(h->ops, &room, h->op_count + 2, sizeof(*h->ops));
    h->inodes = model_grow(h->inodes, &h->op_room, h->op_count + 2, sizeof(*h->inodes));
    uint32_t op = h->number != 0 ? h->number : ++h->op_count;
    h->ops[op] = (struct history_op){.kind = kind,
                                     .app = app,
                                     .start_ns = now_ns,
                                     .end_ns = HISTORY_NEVER,
                                     .begin_tick = ++h->tick,
                                     .end_tick = UINT32_MAX};
    h->inodes[op] = (struct inode){0};
    return op;
}

uint32_t history_set_up(struct history *h, uint32_t environment, uint64_t now_ns)
{
    uint32_t op = new_op(h, NOBODY, HISTORY_SETUP, now_ns);
    h->ops[op].state = HISTORY_DONE;
    h->ops[op].end_ns = now_ns;
    h->ops[op].end_tick = ++h->tick;
    h->ops[op].inode = op;
    h->ops[op].environment = environment;
    h->set_up++;
    return op;
}

void history_make_roots(struct history *h)
{
    ASSERT(h->op_count >= FIRST_ROOT + h->environments - 1);
    ASSERT(h->effect_count == 0);
    for (uint32_t root = SHARED_ROOT; root < FIRST_ROOT + h->environments; root++) {
        h->ops[root].effects = 0;
        h->inodes[root] =
            (struct inode){.type = HISTORY_DIRECTORY, .setup = true, .shared = root == SHARED_ROOT};
    }
    for (uint32_t root = FIRST_ROOT; root < FIRST_ROOT + h->environments; root++)
        (void)model_effect(h, root, SLOT_NAME, model_slot(h, root, "shared", 6), SHARED_ROOT);
    h->inodes[SHARED_ROOT].up = 0;
}

void history_reset(struct history *h, uint32_t environments)
{
    ASSERT(environments >= 1 && environments <= HISTORY_ENVIRONMENTS_MAX);
    h->environments = environments;
    h->app_count = h->op_count = h->tick = h->sync_tick = h->commits = h->set_up = 0;
    h->effect_count = h->slot_count = h->text_bytes = 0;
    h->wrong_count = h->fault_count = h->stamp = 0;
    h->reliance_count = h->version_count = 0;
    h->detected_ns = h->service_ns = HISTORY_NEVER;
    h->detected_by = NULL;
    h->has_xattrs = h->raced = h->linear = h->log.full = false;
    h->number = h->log.bytes = h->log.entries = 0;
    for (uint32_t e = 0; e < environments; e++)
        h->wrongs[e].count = h->wrongs[e].bytes = 0;
    memset(h->buckets, 0, h->bucket_count * sizeof(*h->buckets));
    uint32_t shared = history_set_up(h, 0, 0);
    ASSERT(shared == SHARED_ROOT);
    for (uint32_t e = 0; e < environments; e++) {
        uint32_t root = history_set_up(h, e, 0);
        ASSERT(root == FIRST_ROOT + e);
    }
    history_make_roots(h);
    h->setup_ops = h->op_count;
    h->base = (struct history_base){
        .first = h->setup_ops + 1, .own = h->base.own, .own_room = h->base.own_room};
}

uint32_t history_add_app(struct history *h, uint32_t environment)
{
    ASSERT(environment < h->environments);
    ASSERT(h->app_count < HISTORY_APPS_MAX);
    struct app *app = &h->apps[h->app_count];
    app->environment = environment;
    app->in_flight = 0;
    app->death = HISTORY_ALIVE;
    app->died = false;
    app->txn = 0;
    app->doomed = false;
    memset(app->fds, 0, sizeof(app->fds));
    return h->app_count++;
}

/* Keeps a text of the request until its answer. */
static const char *keep_text(char **buffer, size_t *room, const char *text)
{
    if (text == NULL)
        return NULL;
    size_t bytes = strlen(text) + 1;
    if (bytes > *room) {
        *buffer = realloc(*buffer, bytes);
        ASSERT(*buffer != NULL);
        *room = bytes;
    }
    memcpy(*buffer, text, bytes);
    return *buffer;
}

/* Asks the model, first without what is in doubt, then with it. */
static enum err ask_model(struct history *h, uint32_t op)
{
    bool *unsettled = &h->apps[h->ops[op].app].unsettled;
    enum err e = apply_call(h, op, VIEW_SURE, unsettled);
    if (e != OK && *unsettled)
        e = apply_call(h, op, VIEW_ALL, unsettled);
    return e;
}

static void take_back(struct history *h, uint32_t op)
{
    struct history_op *o = &h->ops[op];
    model_void(h, op);
    o->effects = 0;
    h->inodes[op].type = 0;
}

void history_forget(struct history *h, uint32_t op)
{
    take_back(h, op);
}

uint32_t history_begin(struct history *h, uint32_t app, uint64_t now_ns,
                       const struct history_call *call)
{
    ASSERT(app < h->app_count);
    struct app *a = &h->apps[app];
    ASSERT(a->in_flight == 0 && a->death == HISTORY_ALIVE);
    ASSERT(call->kind > HISTORY_SETUP && call->kind < HISTORY_KINDS);
    uint32_t op = new_op(h, app, call->kind, now_ns);
    struct history_op *o = &h->ops[op];
    a->in_flight = op;
    a->call = *call;
    a->call.path = keep_text(&a->path, &a->path_room, call->path);
    a->call.path2 = keep_text(&a->path2, &a->path2_room, call->path2);
    a->unsettled = false;
    a->commits = h->commits;
    o->environment = a->environment;
    o->offset = call->kind == HISTORY_OPEN ? call->flags : call->offset;
    if (call->kind == HISTORY_TRUNCATE)
        o->offset = call->size;
    o->length = call->length;
    if (call->kind == HISTORY_WRITE || call->kind == HISTORY_FALLOCATE) {
        a->call.path = NULL;
        bool known = call->fd >= 0 && call->fd < (int32_t)HISTORY_FDS_MAX;
        o->inode = known ? a->fds[call->fd].inode : 0;
        if (call->offset == HISTORY_AT_END)
            o->offset = o->inode == 0 ? 0 : model_size(h, o->inode, VIEW_ALL, op);
    }
    bool inside = call->kind != HISTORY_COMMIT && call->kind != HISTORY_ABORT;
    if (a->txn != 0 && !a->doomed && inside)
        o->txn = a->txn;
    if (a->txn != 0 && !a->doomed && call->kind == HISTORY_COMMIT)
        transaction_gather(h, a->txn, op);
    else
        o->forbade = ask_model(h, op) != OK;
    o->key = o->inode;
    order_keep_call(h, op, call);
    return op;
}

void history_fill(const struct history *h, uint32_t op, uint64_t at, uint8_t *to, uint64_t bytes)
{
    ASSERT(op <= h->op_count);
    const struct history_op *o = &h->ops[op];
    ASSERT(o->kind == HISTORY_WRITE || o->kind == HISTORY_SETXATTR);
    ASSERT(at + bytes <= o->length);
    if (o->kind == HISTORY_WRITE)
        content_fill(o->key, op, o->offset + at, to, bytes);
    else
        content_fill(0, op, at, to, bytes);
}

uint32_t history_inode(const struct history *h, const char *path)
{
    const struct lookup how = {.view = VIEW_ALL, .follow = true};
    for (uint32_t e = 0; e < h->environments; e++) {
        struct where at = {0};
        if (model_walk(h, e, path, &how, &at) == OK && at.inode != 0)
            return at.inode;
    }
    return 0;
}

bool history_has_xattrs(const struct history *h)
{
    return h->has_xattrs;
}

/* Told apart as the levels need it. */
static enum history_state state_of(enum err result)
{
    switch (result) {
    case OK:
        return HISTORY_DONE;
    case E_MEDIA:
    case E_CORRUPT:
    case E_LOST:
    case E_DEAD:
    case E_VERSION:
    case E_TIMEOUT:
    case E_SESSION:
    case E_IO:
    case E_ROFS:
    case E_BADF: /* a descriptor that the application holds: whoever kept it is gone */
        return HISTORY_TROUBLED;
    case E_FULL:
    case E_INVAL:
    case E_AGAIN:
    case E_ABORT:
    case E_WAIT:
    case E_2BIG:
    case E_NOENT:
    case E_EXIST:
    case E_NOTDIR:
    case E_ISDIR:
    case E_NOTEMPTY:
    case E_NAMETOOLONG:
    case E_LOOP:
    case E_MLINK:
    case E_XDEV:
    case E_NOSPC:
    case E_FBIG:
    case E_PERM:
    case E_ACCES:
    case E_BUSY:
    case E_NOTSUP:
    case E_MFILE:
    case E_NODATA:
    case E_RANGE:
    case E_ARG:
        return HISTORY_REFUSED;
    }
    return HISTORY_TROUBLED; /* no error that we know */
}

/* Errors that speak about the namespace, and so can be false. */
static bool speaks_of_names(enum err e)
{
    return e == E_NOENT || e == E_NODATA || e == E_EXIST || e == E_NOTDIR || e == E_ISDIR ||
           e == E_NOTEMPTY;
}

/* Whether others changed the path of a request that only looks, while it ran. */
static void look_again(struct history *h, uint32_t op)
{
    struct history_op *o = &h->ops[op];
    uint32_t inode = o->inode;
    uint32_t name = o->name;
    bool looks = o->kind == HISTORY_OPEN || o->kind == HISTORY_STAT || o->kind == HISTORY_READDIR ||
                 o->kind == HISTORY_READLINK;
    if (!looks || o->effects != 0 || h->apps[o->app].call.path == NULL)
        return;
    (void)ask_model(h, op);
    take_back(h, op);
    o->inode = inode;
    o->name = name;
}

static void end_ok(struct history *h, uint32_t op, const struct history_answer *answer)
{
    struct history_op *o = &h->ops[op];
    struct app *a = &h->apps[o->app];
    bool moved_else = false;
    uint64_t shift = 0;
    if (o->kind == HISTORY_WRITE) {
        bool at_end = a->call.offset == HISTORY_AT_END && answer->offset != o->offset;
        shift = at_end ? o->offset - answer->offset : 0;
        if (answer->moved > o->length)
            check_wrong(h, op, CLAUSE_SIZE, 0, "write: more bytes than asked for");
        moved_else = at_end || answer->moved < o->length;
        o->length = answer->moved < o->length ? answer->moved : o->length;
        o->offset = at_end ? answer->offset : o->offset;
    }
    bool waited = h->commits != a->commits; /* perhaps for it: then it came after */
    if (o->forbade || moved_else || waited) {
        take_back(h, op);
        if (ask_model(h, op) != OK && !a->unsettled)
            check_wrong(h, op, CLAUSE_ANSWER, 0, "%s: done, but it cannot be",
                        history_kind_name(o->kind));
    } else {
        look_again(h, op);
    }
    o->shift = shift;
    if (shift != 0 && o->effects != 0)
        h->effects[o->first_effect + o->effects - 1].shift = shift;
}

/* Whether the open file behind a descriptor lost its last name in another environment: there,
 * designs may say that it is gone for all. */
static bool gone_elsewhere(const struct history *h, uint32_t op)
{
    const struct app *a = &h->apps[h->ops[op].app];
    bool held = a->call.path == NULL && a->call.fd >= 0 && a->call.fd < (int32_t)HISTORY_FDS_MAX;
    uint32_t inode = held ? a->fds[a->call.fd].inode : 0;
    if (inode == 0 || h->inodes[inode].dead_op == 0 || !h->inodes[inode].shared)
        return false;
    const struct history_op *by = &h->ops[h->inodes[inode].dead_op];
    bool elsewhere = by->environment != h->ops[op].environment;
    bool later = by->kind == HISTORY_COMMIT && by->app != h->ops[op].app;
    return (elsewhere || later) && model_names(h, inode, VIEW_ALL, op) == 0;
}

static void end_refused(struct history *h, uint32_t op, enum err result)
{
    struct history_op *o = &h->ops[op];
    take_back(h, op);
    if (result == E_NOENT && gone_elsewhere(h, op))
        return;
    if (o->forbade || o->kind == HISTORY_OTHER || !speaks_of_names(result))
        return;
    bool possible = ask_model(h, op) == OK;
    take_back(h, op);
    if (possible && !h->apps[o->app].unsettled)
        check_wrong(h, op, CLAUSE_ANSWER, 0, "%s: refused (%d), but it must be done",
                    history_kind_name(o->kind), (int)result);
}

/* What is in doubt from now on. */
static void mark_optional(struct history *h, uint32_t op)
{
    const struct history_op *o = &h->ops[op];
    for (uint32_t k = 0; k < o->effects; k++) {
        const struct effect *e = &h->effects[o->first_effect + k];
        if (e->slot != SLOT_NAME)
            h->inodes[e->object].optional = true;
    }
}

/* An fsync that began earlier may end later: what is synced stays so. */
static void raise_tick(uint32_t *tick, uint32_t to)
{
    *tick = *tick > to ? *tick : to;
}

/* fsync(P): the file's slots, its name, and the directories that lead there. */
static void mark_synced(struct history *h, uint32_t op, const struct open_file *file)
{
    uint32_t tick = h->ops[op].begin_tick;
    if (file->inode == 0)
        return;
    struct inode *i = &h->inodes[file->inode];
    raise_tick(&i->sync_tick, tick);
    if (i->type == HISTORY_DIRECTORY)
        raise_tick(&i->entries_tick, tick);
    uint32_t slot = file->slot;
    if (model_name(h, slot, VIEW_SURE, op) != file->inode)
        return; /* the name no longer leads there: the caller reached it by none */
    for (uint32_t steps = 0; slot != 0 && steps <= h->op_count; steps++) {
        raise_tick(&h->slots[slot].sync_tick, tick);
        slot = h->inodes[h->slots[slot].dir].up;
    }
}

static void end_special(struct history *h, uint32_t op, const struct history_answer *answer)
{
    struct history_op *o = &h->ops[op];
    struct app *a = &h->apps[o->app];
    int32_t fd = o->kind == HISTORY_OPEN ? answer->fd : a->call.fd;
    bool held = fd >= 0 && fd < (int32_t)HISTORY_FDS_MAX;
    if (o->kind == HISTORY_SYNC && o->state == HISTORY_DONE)
        raise_tick(&h->sync_tick, o->begin_tick);
    if (!held)
        return;
    if (o->kind == HISTORY_OPEN && o->state == HISTORY_DONE)
        a->fds[fd] = (struct open_file){
            .inode = o->inode, .slot = o->name, .txn = o->txn, .unsure = a->unsettled};
    else if (o->kind == HISTORY_CLOSE)
        a->fds[fd] = (struct open_file){0};
    else if (o->kind == HISTORY_FSYNC && o->state == HISTORY_DONE)
        mark_synced(h, op, &a->fds[fd]);
}

/* What opened and closed in a user transaction that has ended holds. */
static void keep_descriptors(struct app *a)
{
    for (uint32_t fd = 0; fd < HISTORY_FDS_MAX; fd++)
        a->fds[fd].txn = 0;
}

/* The answer of begin, commit or abort, or one that says that the stack has aborted it. */
static void end_transaction(struct history *h, uint32_t op)
{
    struct history_op *o = &h->ops[op];
    struct app *a = &h->apps[o->app];
    bool ok = o->state == HISTORY_DONE;
    bool ends = o->kind == HISTORY_COMMIT || o->kind == HISTORY_ABORT;
    if (a->txn == 0 && !ends && o->kind != HISTORY_BEGIN)
        return;
    if (ok && (o->kind == HISTORY_BEGIN ? a->txn != 0 : ends && a->txn == 0))
        check_wrong(h, op, CLAUSE_ANSWER, 0, "%s: done, but it cannot be",
                    history_kind_name(o->kind));
    else if (ok && a->doomed && o->kind != HISTORY_ABORT)
        check_wrong(h, op, CLAUSE_ANSWER, 0, "%s: done in an aborted user transaction",
                    history_kind_name(o->kind));
    if (o->kind == HISTORY_BEGIN && ok)
        a->txn = op;
    bool aborts = o->result == E_ABORT || o->result == E_2BIG || o->kind == HISTORY_ABORT ||
                  (o->kind == HISTORY_COMMIT && o->state == HISTORY_REFUSED);
    if (a->txn != 0 && aborts && !a->doomed)
        transaction_void(h, o->app, a->txn);
    a->doomed = a->txn != 0 && (a->doomed || aborts);
    if (!ends)
        return;
    keep_descriptors(a);
    a->txn = 0;
    a->doomed = false;
}

bool history_end(struct history *h, uint32_t op, uint64_t now_ns,
                 const struct history_answer *answer)
{
    ASSERT(op > h->setup_ops && op <= h->op_count);
    struct history_op *o = &h->ops[op];
    struct app *a = &h->apps[o->app];
    ASSERT(a->in_flight == op);
    ASSERT(now_ns >= o->start_ns);
    enum history_state state = state_of(answer->result);
    if (state == HISTORY_DONE && o->kind != HISTORY_COMMIT)
        end_ok(h, op, answer);
    else if (state == HISTORY_REFUSED)
        end_refused(h, op, answer->result);
    else
        mark_optional(h, op);
    if (o->kind == HISTORY_COMMIT)
        transaction_ended(h, op, h->tick + 1);
    o->state = state;
    o->result = answer->result;
    o->end_ns = now_ns;
    o->end_tick = ++h->tick;
    h->raced = h->raced || (a->unsettled && state != HISTORY_TROUBLED);
    order_keep_answer(h, op, answer);
    if (state == HISTORY_DONE && !a->unsettled)
        check_answer(h, op, answer);
    end_special(h, op, answer);
    end_transaction(h, op);
    a->in_flight = 0;
    return !o->wrong;
}

/* One that was not asked to commit never will be. */
static void leave_transaction(struct history *h, uint32_t app)
{
    struct app *a = &h->apps[app];
    bool commits = a->in_flight != 0 && h->ops[a->in_flight].kind == HISTORY_COMMIT;
    if (a->txn != 0 && !a->doomed && !commits)
        transaction_void(h, app, a->txn);
    a->txn = 0;
}

void history_kill(struct history *h, uint32_t app, uint64_t now_ns, enum history_death why)
{
    ASSERT(app < h->app_count && why != HISTORY_ALIVE);
    struct app *a = &h->apps[app];
    if (a->death != HISTORY_ALIVE)
        return;
    a->death = why;
    a->died = true;
    a->died_ns = now_ns;
    leave_transaction(h, app);
    if (a->in_flight != 0) {
        mark_optional(h, a->in_flight);
        h->raced = h->raced || a->unsettled;
    }
}

void history_leave(struct history *h, uint32_t app)
{
    ASSERT(app < h->app_count);
    if (h->apps[app].death == HISTORY_ALIVE)
        leave_transaction(h, app);
}

void history_mark(struct history *h, enum history_mark_kind kind, uint64_t now_ns,
                  const char *layer)
{
    switch (kind) {
    case HISTORY_MARK_FAULT:
        if (h->fault_count < HISTORY_FAULTS_MAX)
            h->fault_ns[h->fault_count++] = now_ns;
        break;
    case HISTORY_MARK_DETECTED:
        if (h->detected_ns != HISTORY_NEVER)
            break;
        h->detected_ns = now_ns;
        h->detected_by = layer;
        break;
    case HISTORY_MARK_SERVICE:
        h->service_ns = now_ns;
        break;
    }
}

uint32_t history_ops(const struct history *h)
{
    return h->op_count;
}

uint32_t history_setup_ops(const struct history *h)
{
    return h->setup_ops;
}

const struct history_op *history_op(const struct history *h, uint32_t op)
{
    ASSERT(op >= 1 && op <= h->op_count);
    return &h->ops[op];
}

uint32_t history_apps(const struct history *h)
{
    return h->app_count;
}

uint32_t history_environments(const struct history *h)
{
    return h->environments;
}

uint32_t history_wrongs(const struct history *h)
{
    return h->wrong_count;
}

const struct history_wrong *history_wrong(const struct history *h, uint32_t index)
{
    ASSERT(index < h->wrong_count && index < HISTORY_WRONG_MAX);
    return &h->wrong[index];
}
