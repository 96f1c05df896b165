/*
 * The process: one request at a time, each whole in memory; write-back goes on between them.
 */
#include "assertion.h"
#include "mem.h"
#include "none.h"
#include "programs.h"

struct operation {
    request_fn *run;
    uint32_t names; /* how many the request carries */
    bool changes;
};

static const struct operation operations[VFS_OP_COUNT] = {
    [VFS_MOUNT] = {mount_serve, 0, false},      [VFS_LOOKUP] = {names_lookup, 1, false},
    [VFS_CREATE] = {names_create, 1, true},     [VFS_MKDIR] = {names_mkdir, 1, true},
    [VFS_UNLINK] = {names_unlink, 1, true},     [VFS_RMDIR] = {names_rmdir, 1, true},
    [VFS_LINK] = {names_link, 1, true},         [VFS_SYMLINK] = {names_symlink, 1, true},
    [VFS_READLINK] = {file_readlink, 0, false}, [VFS_RENAME] = {names_rename, 2, true},
    [VFS_READDIR] = {names_readdir, 0, false},  [VFS_STAT] = {names_stat, 0, false},
    [VFS_SETATTR] = {names_setattr, 0, true},   [VFS_READ] = {file_read, 0, false},
    [VFS_WRITE] = {file_write, 0, true},        [VFS_TRUNCATE] = {file_truncate, 0, true},
    [VFS_FSYNC] = {file_fsync, 0, false},       [VFS_SYNC] = {mount_sync, 0, false},
    [VFS_STATFS] = {mount_statfs, 0, false},    [VFS_RELEASE] = {names_release, 0, true},
    [VFS_UNMOUNT] = {mount_unmount, 0, false},
    /* BEGIN, COMMIT, ABORT: no user transactions */
};

static enum err fetch_name(struct none *n, uint32_t grant, uint32_t bytes, uint8_t *name)
{
    if (bytes == 0)
        return E_INVAL;
    if (bytes > VFS_NAME_MAX)
        return E_NAMETOOLONG;
    if (plat_copy_in(n->vfs, grant, 0, name, bytes) != OK)
        return E_INVAL;
    for (uint32_t k = 0; k < bytes; k++)
        if (name[k] == '/' || name[k] == '\0')
            return E_INVAL;
    return OK;
}

static enum err fetch_names(struct none *n, const struct vfs_request *in, uint32_t count)
{
    enum err e = OK;
    n->name_bytes = in->name_bytes;
    n->name2_bytes = in->name2_bytes;
    if (count >= 1)
        e = fetch_name(n, in->name_grant, in->name_bytes, n->name);
    if (count >= 2 && e == OK)
        e = fetch_name(n, in->name2_grant, in->name2_bytes, n->name2);
    return e;
}

static enum err run(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    const struct operation *op = &operations[in->op];
    if (op->run == NULL)
        return E_NOTSUP;
    if (n->mount_status != OK)
        return n->mount_status;
    enum err e = fetch_names(n, in, op->names);
    if (e != OK)
        return e;
    if (op->changes && n->read_only)
        return in->op == VFS_RELEASE ? OK : E_ROFS;
    if (op->changes) {
        writeback_throttle(n);
        e = mount_touch(n);
    }
    return e == OK ? op->run(n, in, out) : e;
}

/* What a VFS may hear: E_DEAD would mean to it that this process is gone. */
static enum err for_vfs(enum err e)
{
    if (e == E_FULL)
        return E_NOSPC;
    return e == E_DEAD ? E_MEDIA : e;
}

static void serve(struct none *n, const struct msg *m)
{
    struct vfs_request request;
    struct vfs_reply reply;
    struct msg answer = {0};
    if ((m->type & PROTO_REPLY) != 0)
        return; /* late, or stray */
    memset(&reply, 0, sizeof(reply));
    n->vfs = m->source;
    n->now_ns = plat_now();
    enum err e = vfs_request_unpack(&request, m);
    if (e == OK)
        e = run(n, &request, &reply);
    vfs_reply_pack(&answer, &reply);
    proto_reply(m, for_vfs(e), &answer);
}

static void start(struct none *n, const struct boot *boot)
{
    struct block_identity identity;
    bool raid = boot->options.disks > 1;
    n->options = boot->options;
    n->now_ns = plat_now();
    n->super_page = plat_alloc(BLOCK_BYTES, TAG_PAGES);
    ASSERT(n->super_page != NULL);
    enum err e = cache_init(n);
    ASSERT(e == OK);
    e = block_client_init(&n->client, raid ? LAYER_RAID : LAYER_DRIVER, 0, &identity);
    if (e == OK) {
        uint64_t blocks = identity.sectors / (BLOCK_BYTES / SECTOR_BYTES);
        e = boot->format ? mount_format(n, blocks) : mount_load(n, blocks);
    }
    n->mount_status = for_vfs(e);
    if (e != OK)
        plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)e, 0);
}

static void take_notification(struct none *n, const struct msg *m)
{
    if (m->source == ENDPOINT_CLOCK)
        writeback_daemon(n);
    else if (block_client_take(&n->client, m))
        writeback_pump(n);
}

void none_main(const struct boot *boot)
{
    struct none *n = plat_alloc(sizeof(*n), TAG_HEAP);
    ASSERT(n != NULL);
    ASSERT(boot->layer == LAYER_FS);
    start(n, boot);
    plat_ready();
    for (;;) {
        struct msg m;
        if (n->alarm_ns != 0 && plat_now() >= n->alarm_ns)
            writeback_daemon(n); /* the alarm may have rung while a read was waited for */
        enum err e = proto_receive(ENDPOINT_ANY, &m, PLAT_FOREVER);
        ASSERT(e == OK);
        if (m.type == MSG_NOTIFY)
            take_notification(n, &m);
        else if (block_client_take(&n->client, &m))
            writeback_pump(n);
        else
            serve(n, &m);
    }
}
