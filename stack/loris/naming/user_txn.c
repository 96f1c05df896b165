/*
 * User transactions (N6): naming only passes on where one begins and ends. It keeps nothing of it:
 * each request that bears its number is a savepoint in the cache, and after naming's death is run
 * again like any other.
 */
#include "naming.h"

/* Begin and abort are no part of the user transaction: they run in no transaction. */
static enum err outside(struct naming *n, const struct vfs_request *in, enum object_op op)
{
    struct object_request request = {.op = op};
    struct object_reply reply;
    n->txn = (struct object_txn){.environment = in->environment + 1,
                                 .generation = in->generation,
                                 .sequence = in->sequence,
                                 .outer = in->outer};
    enum err e = objects_call(n, &request, &reply);
    n->txn = (struct object_txn){0};
    return e;
}

enum err user_begin(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)out;
    return outside(n, in, OBJECT_USER_BEGIN);
}

enum err user_abort(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)out;
    return outside(n, in, OBJECT_USER_ABORT);
}

/* Runs as the last savepoint, whose commit is that of all. */
enum err user_commit(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)out;
    if (in->outer == 0)
        return E_INVAL;
    struct object_request request = {.op = OBJECT_USER_END};
    struct object_reply reply;
    return objects_call(n, &request, &reply);
}
