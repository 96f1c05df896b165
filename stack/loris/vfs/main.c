/*
 * The VFS process: serves the calls of one environment's applications, one at a time.
 */
#include "vfs_state.h"

static call_fn *const calls[CALL_OP_COUNT] = {
    [CALL_OPEN] = do_open,
    [CALL_CLOSE] = do_close,
    [CALL_DUP] = do_dup,
    [CALL_READ] = do_read,
    [CALL_WRITE] = do_write,
    [CALL_TRUNCATE] = do_truncate,
    [CALL_FSYNC] = do_fsync,
    [CALL_SYNC] = do_sync,
    [CALL_STAT] = do_stat,
    [CALL_MKDIR] = do_mkdir,
    [CALL_RMDIR] = do_rmdir,
    [CALL_UNLINK] = do_unlink,
    [CALL_RENAME] = do_rename,
    [CALL_LINK] = do_link,
    [CALL_SYMLINK] = do_symlink,
    [CALL_READLINK] = do_readlink,
    [CALL_READDIR] = do_readdir,
    [CALL_CHMOD] = do_setattr,
    [CALL_CHOWN] = do_setattr,
    [CALL_UTIMENS] = do_setattr,
    [CALL_CHDIR] = do_chdir,
    [CALL_LOCK] = do_lock,
    [CALL_UNLOCK] = do_unlock,
    [CALL_STATFS] = do_statfs,
    [CALL_UNMOUNT] = do_unmount,
    [CALL_BEGIN] = do_transaction,
    [CALL_COMMIT] = do_transaction,
    [CALL_ABORT] = do_transaction,
    [CALL_FALLOCATE] = do_fallocate,
    [CALL_GETXATTR] = do_getxattr,
    [CALL_SETXATTR] = do_setxattr,
    [CALL_LISTXATTR] = do_listxattr,
    [CALL_REMOVEXATTR] = do_removexattr,
};

static void serve(struct vfs *v, const struct msg *in)
{
    struct call_request request;
    struct call_reply reply = {.fd = -1};
    struct msg out;
    enum err e = call_request_unpack(&request, in);
    if (e == OK) {
        ASSERT(calls[request.op] != NULL);
        v->uid = request.caller_uid;
        v->gid = request.caller_gid;
        e = transaction_enter(v, in->source, request.op);
        if (e == OK)
            e = calls[request.op](v, in->source, &request, &reply);
        transaction_leave(v, in->source, e);
    } else {
        e = E_ARG;
    }
    if (e == E_WAIT) {
        transaction_park(v, in);
        return;
    }
    call_reply_pack(&out, &reply);
    proto_reply(in, e, &out);
}

/* Calls that met a user transaction, from the beginning: they have changed nothing. */
static void serve_parked(struct vfs *v)
{
    for (uint32_t count = v->parked_count; count > 0; count--) {
        struct msg first = v->parked[0];
        v->parked_count--;
        memmove(v->parked, v->parked + 1, v->parked_count * sizeof(v->parked[0]));
        serve(v, &first);
    }
}

/* A table of clients that is full may hold dead ones: they are cleared away before a new one comes.
 */
static void make_room(struct vfs *v)
{
    if (v->clients_top < CLIENTS_MAX)
        return;
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        if (v->client[i].endpoint == ENDPOINT_NONE)
            return;
    files_sweep(v);
}

void vfs_main(const struct boot *boot)
{
    struct vfs *v = plat_alloc(sizeof(*v), TAG_HEAP);
    ASSERT(v != NULL);
    v->server_layer = boot->options.classic ? LAYER_FS : LAYER_NAMING;
    v->server_instance = boot->options.classic ? 0 : boot->instance;
    v->environment = boot->instance;
    v->generation = boot->incarnation + 1;
    server_mount(v);
    plat_ready();
    for (;;) {
        struct msg in;
        enum err e = proto_receive(ENDPOINT_ANY, &in, transactions_deadline(v));
        ASSERT(e == OK || e == E_TIMEOUT);
        /* Else a notification, or a late reply: nobody waits for it. */
        if (e == OK && PROTO_OF(in.type) == PROTO_CALL && (in.type & PROTO_REPLY) == 0) {
            make_room(v);
            serve(v, &in);
        }
        if (transactions_tick(v))
            serve_parked(v);
    }
}
