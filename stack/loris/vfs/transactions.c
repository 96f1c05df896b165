/*
 * User transactions: a process has at most one, and its calls from begin to commit or abort are in
 * it. What they change is kept below; here is only whose it is.
 *
 * A call that meets the lock of another's transaction is answered E_WAIT from below. It has changed
 * nothing, so it waits here, and is run from its beginning when a transaction of this environment
 * ends, or after a short time, for other environments' end unheard. Meanwhile others are served,
 * its obstacle among them.
 *
 * Invariants:
 *   (1) once the layers below have aborted a transaction, each call of its process is answered
 *       E_ABORT until it calls abort or commit: none runs alone;
 *   (2) the transaction of a process that died is aborted, at the latest after SWEEP_NS;
 *   (3) what a transaction opened is closed by its abort; an inode that it orphaned is released
 *       only after its commit.
 */
#include "vfs_state.h"

#define RETRY_NS 1000000u   /* calls that wait: assumption: short against a rotation of a disk */
#define SWEEP_NS 100000000u /* look for dead clients: assumption: a tenth of RS's poll */

static struct client *client_known(struct vfs *v, uint32_t endpoint)
{
    for (uint32_t i = 0; i < v->clients_top; i++)
        if (v->client[i].endpoint == endpoint)
            return &v->client[i];
    return NULL;
}

static bool ends_transaction(enum call_op op)
{
    return op == CALL_COMMIT || op == CALL_ABORT;
}

enum err transaction_enter(struct vfs *v, uint32_t caller, enum call_op op)
{
    v->outer = 0;
    if (v->transactions == 0)
        return OK;
    const struct client *client = client_known(v, caller);
    if (client == NULL)
        return OK;
    if (client->aborted && !ends_transaction(op))
        return E_ABORT;
    v->outer = client->outer;
    if (v->outer == 0)
        return OK;
    if (op == CALL_FSYNC || op == CALL_SYNC)
        return E_ARG; /* nothing of it is to be durable before its commit */
    return op == CALL_UNMOUNT || op == CALL_BEGIN ? E_BUSY : OK;
}

/* The transaction is over below. */
static void settle(struct vfs *v, struct client *client, bool committed)
{
    uint64_t outer = client->outer;
    client->outer = 0;
    v->outer = 0;
    v->wake = true;
    files_settle(v, outer, committed);
}

void transaction_leave(struct vfs *v, uint32_t caller, enum err answer)
{
    struct client *client = v->outer != 0 ? client_known(v, caller) : NULL;
    v->outer = 0;
    if (client == NULL || client->outer == 0 || (answer != E_ABORT && answer != E_2BIG))
        return;
    settle(v, client, false);
    client->aborted = true;
}

/* Calls of the dead stay parked until their turn comes, while their slots serve others. */
static void forget_dead_callers(struct vfs *v)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < v->parked_count; i++)
        if (plat_layer_of(v->parked[i].source, NULL) != LAYER_NONE)
            v->parked[kept++] = v->parked[i];
    v->parked_count = kept;
}

void transaction_park(struct vfs *v, const struct msg *call)
{
    if (v->parked_count == CLIENTS_MAX)
        forget_dead_callers(v);
    ASSERT(v->parked_count < CLIENTS_MAX); /* one call a living client */
    v->parked[v->parked_count++] = *call;
    v->retry_ns = plat_now() + RETRY_NS;
}

uint64_t transactions_deadline(const struct vfs *v)
{
    if (v->parked_count > 0)
        return v->retry_ns;
    return v->transactions > 0 ? plat_now() + SWEEP_NS : PLAT_FOREVER;
}

static enum err call_below(struct vfs *v, enum vfs_op op, uint64_t outer)
{
    struct vfs_request request = {.op = op};
    struct vfs_reply reply;
    v->outer = outer;
    enum err e = server_call(v, &request, NULL, &reply);
    v->outer = 0;
    return e;
}

/* Whether it is known below or not, it is not afterwards. */
static void abort_below(struct vfs *v, uint64_t outer)
{
    enum err e = call_below(v, VFS_ABORT, outer);
    if (e != OK)
        plat_report(REPORT_DETECTED, (uint64_t)-e, outer);
}

void transactions_sweep(struct vfs *v)
{
    uint64_t outer = v->outer;
    for (uint32_t i = 0; i < v->clients_top; i++) {
        struct client *client = &v->client[i];
        bool has = client->outer != 0 || client->aborted;
        if (client->endpoint == ENDPOINT_NONE || !has ||
            plat_layer_of(client->endpoint, NULL) != LAYER_NONE)
            continue;
        if (client->outer != 0) {
            abort_below(v, client->outer);
            settle(v, client, false);
        }
        client->aborted = false;
        v->transactions--;
    }
    v->outer = outer;
}

bool transactions_tick(struct vfs *v)
{
    if (v->transactions == 0 && v->parked_count == 0)
        return false;
    bool retry = v->wake || (v->parked_count > 0 && plat_now() >= v->retry_ns);
    transactions_sweep(v);
    retry = retry || v->wake;
    v->wake = false;
    if (retry)
        files_release(v);
    return retry && v->parked_count > 0;
}

static enum err begin(struct vfs *v, struct client *client)
{
    uint64_t outer = ++v->sequence;
    enum err e = call_below(v, VFS_BEGIN, outer);
    if (e == OK) {
        client->outer = outer;
        v->transactions++;
    } else if (e != E_NOTSUP && e != E_WAIT) {
        abort_below(v, outer); /* an attempt at it may have opened it */
    }
    return e;
}

enum err do_transaction(struct vfs *v, uint32_t caller, const struct call_request *in,
                        struct call_reply *out)
{
    (void)out;
    struct client *client = client_of(v, caller);
    if (client == NULL)
        return E_MFILE;
    if (in->op == CALL_BEGIN)
        return begin(v, client);
    if (client->outer == 0 && !client->aborted)
        return E_ARG;
    bool commits = in->op == CALL_COMMIT;
    enum err e = commits ? E_ABORT : OK;
    if (!client->aborted) {
        uint64_t outer = client->outer;
        if (commits)
            e = call_below(v, VFS_COMMIT, outer);
        if (!commits || e != OK)
            abort_below(v, outer);
        settle(v, client, commits && e == OK);
    }
    client->aborted = false;
    v->transactions--;
    return e;
}
