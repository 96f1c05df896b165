/*
 * Calls to the layer below. The server (naming, or a classic file system) may die at any time:
 * the same request with the same sequence goes to its next instance, which carries it out once.
 */
#include "vfs_state.h"

#include "proto.h"

#define SERVER_AGAIN_MAX 64u /* a younger transaction that gives way is tried again this often */

/* What applications see: a sick disk is an I/O error to them, whatever the stack knows of it. */
static enum err application_error(enum err e)
{
    switch (e) {
    case E_MEDIA:
    case E_CORRUPT:
    case E_LOST:
    case E_VERSION:
        return E_IO;
    case E_FULL:
        return E_NOSPC;
    case E_INVAL:
        return E_ARG;
    case E_AGAIN:
        return E_BUSY;
    default:
        return e;
    }
}

/* E_DEAD: the server is gone. One that lives and says E_DEAD has no way to say what it means; asked
 * again it would say it again. */
static enum err call_once(struct vfs *v, const struct vfs_request *request, struct vfs_reply *reply)
{
    struct msg m;
    vfs_request_pack(&m, ++v->next_id, request);
    enum err e = proto_call(v->server, &m, PLAT_FOREVER);
    if (e != OK)
        return e;
    vfs_reply_unpack(reply, &m);
    bool moves = request->op == VFS_READ || request->op == VFS_WRITE ||
                 request->op == VFS_READLINK || request->op == VFS_READDIR ||
                 request->op == VFS_GETXATTR || request->op == VFS_LISTXATTR;
    if (m.status == E_DEAD || (m.status == OK && moves && reply->moved > request->length))
        return E_IO; /* nobody can have moved more than was asked for */
    return (enum err)m.status;
}

static uint32_t grant_name(const struct vfs *v, const char *name, uint32_t bytes)
{
    if (bytes == 0)
        return GRANT_NONE;
    ASSERT(name != NULL);
    return proto_grant(v->server, (void *)(uintptr_t)name, bytes, PLAT_GRANT_READ);
}

static void cargo_load(const struct vfs *v, struct vfs_request *request, const struct cargo *c)
{
    request->name_bytes = c->name_bytes;
    request->name_grant = grant_name(v, c->name, c->name_bytes);
    request->name2_bytes = c->name2_bytes;
    request->name2_grant = grant_name(v, c->name2, c->name2_bytes);
    request->data_grant = GRANT_NONE;
    if (c->data != NULL)
        request->data_grant = proto_grant(v->server, c->data, c->bytes, c->access);
    else if (c->grant != GRANT_NONE)
        request->data_grant =
            plat_grant_forward(v->server, c->granter, c->grant, c->offset, c->bytes, c->access);
}

static void cargo_unload(const struct vfs_request *request)
{
    plat_revoke(request->name_grant);
    plat_revoke(request->name2_grant);
    plat_revoke(request->data_grant);
}

enum err server_call(struct vfs *v, struct vfs_request *request, const struct cargo *cargo,
                     struct vfs_reply *reply)
{
    static const struct cargo nothing = {0};
    ASSERT(request->op > 0 && request->op < VFS_OP_COUNT);
    request->environment = v->environment;
    request->generation = v->generation;
    request->outer = request->op == VFS_RELEASE || request->op == VFS_STATFS ? 0 : v->outer;
    request->sequence = ++v->sequence;
    request->attempt = 1;
    for (uint32_t again = 0;;) {
        cargo_load(v, request, cargo != NULL ? cargo : &nothing);
        enum err e = call_once(v, request, reply);
        cargo_unload(request);
        if (e == E_AGAIN && again++ < SERVER_AGAIN_MAX) {
            request->sequence = ++v->sequence; /* it gave way: nothing was done under that number */
            request->attempt = 1;
            continue;
        }
        if (e != E_DEAD)
            return application_error(e);
        v->server = proto_await(v->server_layer, v->server_instance, PLAT_FOREVER);
        request->attempt++;
    }
}

void server_mount(struct vfs *v)
{
    v->server = proto_await(v->server_layer, v->server_instance, PLAT_FOREVER);
    ASSERT(v->server != ENDPOINT_NONE);
    struct vfs_request request = {.op = VFS_MOUNT};
    struct vfs_reply reply;
    enum err e = server_call(v, &request, NULL, &reply);
    if (e != OK)
        plat_panic(e); /* nothing to serve: the restart service tries again */
    v->root = reply.stat.ino;
    v->shared_root = reply.ino2;
}
