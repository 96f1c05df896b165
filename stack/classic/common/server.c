/*
 * The process: one request at a time, each whole in memory; what the disk answers and the alarm are
 * the design's between them.
 */
#include "assertion.h"
#include "fs.h"
#include "mem.h"

struct operation {
    request_fn *run; /* NULL: the design's, or not there */
    uint32_t names;  /* how many the request carries */
    bool changes;
};

static const struct operation operations[VFS_OP_COUNT] = {
    [VFS_MOUNT] = {names_mount, 0, false},      [VFS_LOOKUP] = {names_lookup, 1, false},
    [VFS_CREATE] = {names_create, 1, true},     [VFS_MKDIR] = {names_mkdir, 1, true},
    [VFS_UNLINK] = {names_unlink, 1, true},     [VFS_RMDIR] = {names_rmdir, 1, true},
    [VFS_LINK] = {names_link, 1, true},         [VFS_SYMLINK] = {names_symlink, 1, true},
    [VFS_READLINK] = {file_readlink, 0, false}, [VFS_RENAME] = {names_rename, 2, true},
    [VFS_READDIR] = {names_readdir, 0, false},  [VFS_STAT] = {names_stat, 0, false},
    [VFS_SETATTR] = {names_setattr, 0, true},   [VFS_READ] = {file_read, 0, false},
    [VFS_WRITE] = {file_write, 0, true},        [VFS_TRUNCATE] = {file_truncate, 0, true},
    [VFS_RELEASE] = {names_release, 0, true},
};

static request_fn *function_of(const struct store *store, enum vfs_op op)
{
    switch (op) {
    case VFS_FSYNC:
        return store->fsync;
    case VFS_SYNC:
        return store->sync;
    case VFS_STATFS:
        return store->statfs;
    case VFS_UNMOUNT:
        return store->unmount;
    case VFS_BEGIN:
        return store->user_blocks != NULL ? user_begin : NULL;
    case VFS_COMMIT:
        return store->user_blocks != NULL ? user_commit : NULL;
    case VFS_ABORT:
        return store->user_blocks != NULL ? user_abort : NULL;
    default:
        return operations[op].run;
    }
}

static enum err fetch_name(struct fs *fs, uint32_t grant, uint32_t bytes, uint8_t *name)
{
    if (bytes == 0)
        return E_INVAL;
    if (bytes > VFS_NAME_MAX)
        return E_NAMETOOLONG;
    if (plat_copy_in(fs->vfs, grant, 0, name, bytes) != OK)
        return E_INVAL;
    for (uint32_t k = 0; k < bytes; k++)
        if (name[k] == '/' || name[k] == '\0')
            return E_INVAL;
    return OK;
}

static enum err fetch_names(struct fs *fs, const struct vfs_request *in, uint32_t count)
{
    enum err e = OK;
    fs->name_bytes = in->name_bytes;
    fs->name2_bytes = in->name2_bytes;
    if (count >= 1)
        e = fetch_name(fs, in->name_grant, in->name_bytes, fs->name);
    if (count >= 2 && e == OK)
        e = fetch_name(fs, in->name2_grant, in->name2_bytes, fs->name2);
    return e;
}

enum err server_operate(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out,
                        request_fn *function, bool changes)
{
    const struct store *store = fs->store;
    enum err e = OK;
    inode_make_room(fs);
    if (changes)
        store->throttle(fs);
    if (store->begin != NULL)
        e = store->begin(fs, in, changes);
    if (e != OK)
        return e;
    e = function(fs, in, out);
    inode_store_all(fs);
    return store->end != NULL ? store->end(fs, in, changes, e) : e;
}

static bool is_transaction(enum vfs_op op)
{
    return op == VFS_BEGIN || op == VFS_COMMIT || op == VFS_ABORT;
}

/* A mount or an orderly stop ends those that are open: whose they were is gone, or has stopped. */
static bool ends_transactions(enum vfs_op op)
{
    return op == VFS_MOUNT || op == VFS_UNMOUNT;
}

static enum err run(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    const struct operation *op = &operations[in->op];
    request_fn *function = function_of(fs->store, in->op);
    bool changes = op->changes;
    if (function == NULL)
        return E_NOTSUP;
    if (fs->mount_status != OK)
        return fs->mount_status;
    enum err e = fetch_names(fs, in, op->names);
    if (e != OK)
        return e;
    if (changes && fs->read_only)
        return in->op == VFS_RELEASE ? OK : E_ROFS;
    if (is_transaction(in->op))
        return function(fs, in, out);
    if (in->outer != 0)
        return op->run != NULL ? user_request(fs, in, out, function, changes) : E_INVAL;
    if (ends_transactions(in->op))
        user_abort_all(fs);
    if (changes)
        e = user_outside(fs, in);
    if (e != OK)
        return e;
    if (in->op == VFS_MOUNT)
        changes = !fs->read_only && inode_has_orphans(fs);
    return server_operate(fs, in, out, function, changes);
}

enum err as_media(enum err e)
{
    return e == E_DEAD ? E_MEDIA : e;
}

/* What a VFS may hear: E_DEAD would mean to it that this process is gone. */
static enum err for_vfs(enum err e)
{
    return e == E_FULL ? E_NOSPC : as_media(e);
}

void server_answer(struct fs *fs, const struct msg *request, enum err status,
                   const struct vfs_reply *reply)
{
    struct msg answer = {0};
    (void)fs;
    ASSERT(request != NULL && reply != NULL);
    vfs_reply_pack(&answer, reply);
    proto_reply(request, for_vfs(status), &answer);
}

static void serve(struct fs *fs, const struct msg *m)
{
    struct vfs_request request;
    struct vfs_reply reply;
    if ((m->type & PROTO_REPLY) != 0)
        return; /* late, or stray */
    memset(&reply, 0, sizeof(reply));
    fs->vfs = m->source;
    fs->message = m;
    fs->now_ns = plat_now();
    fs->deferred = false;
    enum err e = vfs_request_unpack(&request, m);
    if (e == OK)
        e = run(fs, &request, &reply);
    fs->message = NULL;
    if (!fs->deferred)
        server_answer(fs, m, e, &reply);
}

static void start(struct fs *fs, const struct boot *boot)
{
    struct block_identity identity;
    bool raid = options_data_disks(&boot->options) > 1;
    fs->options = boot->options;
    fs->now_ns = plat_now();
    enum err e = cache_init(fs);
    ASSERT(e == OK);
    inode_init(fs);
    e = block_client_init(&fs->client, raid ? LAYER_RAID : LAYER_DRIVER, 0, &identity);
    if (e == OK)
        e = fs->store->init(fs);
    if (e == OK) {
        uint64_t blocks = identity.sectors / SECTORS_A_BLOCK;
        e = boot->format ? fs->store->format(fs, blocks) : fs->store->load(fs, blocks);
    }
    fs->mount_status = for_vfs(e);
    if (e != OK)
        plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)e, 0);
}

static void take_notification(struct fs *fs, const struct msg *m)
{
    if (m->source == ENDPOINT_CLOCK)
        fs->store->alarm(fs);
    else if (block_client_take(&fs->client, m))
        fs->store->pump(fs);
}

/* With two disks below: while one was waited for, the death of the other's driver was passed by. */
static void look_for_deaths(struct fs *fs)
{
    static const struct msg death = {.type = MSG_NOTIFY, .source = ENDPOINT_DS};
    if (fs->log_client == NULL)
        return;
    bool data = block_client_take(&fs->client, &death);
    if (block_client_take(fs->log_client, &death) || data)
        fs->store->pump(fs);
}

static bool is_from_disks(struct fs *fs, const struct msg *m)
{
    return block_client_take(&fs->client, m) ||
           (fs->log_client != NULL && block_client_take(fs->log_client, m));
}

_Noreturn void server_main(const struct boot *boot, const struct store *store)
{
    struct fs *fs = plat_alloc(sizeof(*fs), TAG_HEAP);
    ASSERT(fs != NULL);
    ASSERT(boot->layer == LAYER_FS);
    ASSERT(store->inline_max <= INLINE_MAX);
    fs->store = store;
    start(fs, boot);
    plat_ready();
    for (;;) {
        struct msg m;
        if (fs->alarm_ns != 0 && plat_now() >= fs->alarm_ns)
            store->alarm(fs); /* the alarm may have rung while a read was waited for */
        if (fs->idle_ns != 0 && plat_now() >= fs->idle_ns)
            store->idle(fs);
        look_for_deaths(fs);
        enum err e = proto_receive(ENDPOINT_ANY, &m, fs->idle_ns != 0 ? fs->idle_ns : PLAT_FOREVER);
        ASSERT(e == OK || (e == E_TIMEOUT && fs->idle_ns != 0));
        if (e != OK)
            continue; /* time for a step */
        if (m.type == MSG_NOTIFY)
            take_notification(fs, &m);
        else if (is_from_disks(fs, &m))
            store->pump(fs);
        else
            serve(fs, &m);
    }
}
