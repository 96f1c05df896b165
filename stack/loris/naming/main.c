/*
 * The naming process: receives a request, carries it out in a transaction named by (environment,
 * VFS generation, sequence), answers. The cache may die on the way: then the whole request is begun
 * again, and begin tells whether the first attempt was committed.
 */
#include "naming.h"

#include "planted.h"

struct operation {
    naming_fn *fn;
    bool changes; /* runs in a transaction */
    bool outside; /* in none, in a user transaction neither, where all others run in one */
};

static const struct operation operations[VFS_OP_COUNT] = {
    [VFS_LOOKUP] = {query_lookup, false, false},
    [VFS_CREATE] = {change_make, true, false},
    [VFS_MKDIR] = {change_make, true, false},
    [VFS_UNLINK] = {change_unlink, true, false},
    [VFS_RMDIR] = {change_rmdir, true, false},
    [VFS_LINK] = {change_link, true, false},
    [VFS_SYMLINK] = {change_symlink, true, false},
    [VFS_READLINK] = {query_readlink, false, false},
    [VFS_RENAME] = {change_rename, true, false},
    [VFS_READDIR] = {query_readdir, false, false},
    [VFS_STAT] = {query_stat, false, false},
    [VFS_SETATTR] = {change_setattr, true, false},
    [VFS_READ] = {query_read, false, false},
    [VFS_WRITE] = {change_write, true, false},
    [VFS_TRUNCATE] = {change_truncate, true, false},
    [VFS_FSYNC] = {sync_one, false, false},
    [VFS_SYNC] = {sync_whole, false, false},
    [VFS_STATFS] = {query_statfs, false, false},
    [VFS_RELEASE] = {change_release, true, false},
    [VFS_UNMOUNT] = {unmount, false, false},
    [VFS_FALLOCATE] = {change_allocate, true, false},
    [VFS_GETXATTR] = {query_getxattr, false, false},
    [VFS_SETXATTR] = {change_setxattr, true, false},
    [VFS_LISTXATTR] = {query_listxattr, false, false},
    [VFS_REMOVEXATTR] = {change_removexattr, true, false},
    [VFS_BEGIN] = {user_begin, false, true},
    [VFS_COMMIT] = {user_commit, true, false},
    [VFS_ABORT] = {user_abort, false, true},
};

static void result_encode(uint8_t raw[OBJECT_RESULT_BYTES], const struct vfs_reply *r)
{
    memset(raw, 0, OBJECT_RESULT_BYTES);
    put_le64(raw, r->stat.ino);
    put_le64(raw + 8, r->stat.size);
    put_le64(raw + 16, r->stat.blocks);
    put_le64(raw + 24, r->stat.mtime_ns);
    put_le64(raw + 32, r->stat.ctime_ns);
    put_le32(raw + 40, r->stat.type);
    put_le32(raw + 44, r->stat.mode);
    put_le32(raw + 48, r->stat.nlink);
    put_le32(raw + 52, r->stat.uid);
    put_le32(raw + 56, r->stat.gid);
    put_le32(raw + 60, r->stat.generation);
    put_le64(raw + 64, r->ino2);
    put_le64(raw + 72, r->size);
    put_le64(raw + 80, r->moved);
}

static void result_decode(struct vfs_reply *r, const uint8_t raw[OBJECT_RESULT_BYTES])
{
    r->stat.ino = get_le64(raw);
    r->stat.size = get_le64(raw + 8);
    r->stat.blocks = get_le64(raw + 16);
    r->stat.mtime_ns = get_le64(raw + 24);
    r->stat.ctime_ns = get_le64(raw + 32);
    r->stat.type = get_le32(raw + 40);
    r->stat.mode = get_le32(raw + 44);
    r->stat.nlink = get_le32(raw + 48);
    r->stat.uid = get_le32(raw + 52);
    r->stat.gid = get_le32(raw + 56);
    r->stat.generation = get_le32(raw + 60);
    r->ino2 = get_le64(raw + 64);
    r->size = get_le64(raw + 72);
    r->moved = get_le64(raw + 80);
}

/* One attempt at a change: begin, run, commit or abort. `ask`: it has killed often enough, and is
 * only asked about. */
static enum err attempt_change(struct naming *n, const struct vfs_request *in, naming_fn *fn,
                               bool ask, struct vfs_reply *out)
{
    struct object_txn txn = {.environment = in->environment + 1,
                             .generation = in->generation,
                             .sequence = in->sequence,
                             .outer = in->outer};
    uint8_t result[OBJECT_RESULT_BYTES];
    objects_open(n, &txn);
    *out = (struct vfs_reply){0};
    enum err e = ask ? objects_begin(n) : fn(n, in, out);
    if (e == OK && !ask)
        e = objects_begin(n); /* of what has needed no request */
    if (n->done) {
        result_decode(out, n->result);
        return OK;
    }
    if (e != OK || ask) { /* asked about (N4): nothing was changed, and will not be */
        objects_abort(n);
        return e != OK ? e : E_IO;
    }
    result_encode(result, out);
    e = objects_commit(n, result);
    plat_probe(PROBE_NAMING_COMMITTED);
    return e;
}

/* Runs an operation to its end across deaths of the cache and transactions that gave way. After
 * `tries` deaths of the cache a change is only asked about, and a query fails; after as many again
 * asking is what kills, and the answer is E_IO too. */
static enum err run(struct naming *n, const struct vfs_request *in, const struct operation *op,
                    struct vfs_reply *out)
{
    bool changes = op->changes || (in->outer != 0 && !op->outside);
    if (!changes && in->attempt > n->tries) /* N4 */
        return E_IO;
    for (uint32_t again = 0, deaths = 0;;) {
        bool ask = in->attempt > n->tries || deaths >= n->tries;
        n->cache_died = n->done = false;
        dirtree_forget(&n->tree);
        enum err e = changes ? attempt_change(n, in, op->fn, ask, out) : op->fn(n, in, out);
        if (n->cache_died) {
            n->cache = proto_await(LAYER_CACHE, 0, PLAT_FOREVER);
            if (++deaths == (changes ? 2 * n->tries : n->tries))
                return E_IO;
            continue;
        }
        if (e == E_AGAIN && again++ < AGAIN_MAX)
            continue;
        return e == E_DEAD ? E_IO : e; /* the caller's memory is gone: nobody reads the answer */
    }
}

static enum err purge_one(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)out;
    return orphans_drop(n, in->ino);
}

static enum err first_orphan(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)in;
    return orphans_first(n, &out->stat.ino);
}

/* Tells the cache that what ran here is over; with a generation, that of the VFS that is here now,
 * what an earlier VFS left open too. */
static void end_earlier(struct naming *n, uint32_t generation)
{
    struct object_request request = {.op = OBJECT_ENVIRONMENT_DIED};
    struct object_reply reply;
    do {
        n->cache_died = false;
        n->cache = proto_await(LAYER_CACHE, 0, PLAT_FOREVER);
        n->txn = (struct object_txn){.environment = n->environment + 1, .generation = generation};
        enum err e = objects_call(n, &request, &reply);
        n->txn = (struct object_txn){0};
        if (e != OK && !n->cache_died)
            plat_panic(e);
    } while (n->cache_died);
}

/* A VFS mounts once, at its start: what its predecessor had open is closed now. */
static enum err mount(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    static const struct operation first = {.fn = first_orphan};
    static const struct operation purge = {.fn = purge_one, .changes = true};
    struct vfs_request request = *in;
    struct vfs_reply found = {0};
    out->stat.ino = OID_MEE_ROOT(n->environment);
    out->ino2 = OID_SHARED_ROOT;
    end_earlier(n, in->generation);
    for (uint32_t k = 0;; k++) {
        enum err e = run(n, &request, &first, &found);
        request.ino = found.stat.ino;
        if (e != OK)
            return e;
        if (request.ino == OID_NONE || PLANTED(PLANTED_ORPHANS_KEPT))
            return OK;
        struct vfs_reply ignored;
        /* Sequences above VFS's own: these are other transactions than any of its requests. */
        request.sequence = (UINT64_C(1) << 63) + k;
        e = run(n, &request, &purge, &ignored);
        if (e == E_WAIT)
            return OK; /* a transaction of another environment has it: the next mount */
        if (e != OK)
            return e;
    }
}

static enum err fetch_name(uint32_t caller, uint32_t grant, uint32_t bytes, uint32_t most,
                           void *name)
{
    if (bytes > most)
        return E_NAMETOOLONG;
    return bytes == 0 ? OK : plat_copy_in(caller, grant, 0, name, bytes);
}

static enum err dispatch(struct naming *n, const struct msg *in, struct vfs_reply *out)
{
    struct vfs_request request;
    enum err e = vfs_request_unpack(&request, in);
    if (e == OK && request.environment != n->environment)
        e = E_INVAL;
    bool path = e == OK && request.op == VFS_LOOKUP && (request.flags & VFS_PATH) != 0;
    if (e == OK)
        e = fetch_name(in->source, request.name_grant, request.name_bytes,
                       path ? VFS_PATH_MAX : VFS_NAME_MAX, path ? (void *)n->text : n->name);
    if (e == OK)
        e = fetch_name(in->source, request.name2_grant, request.name2_bytes, VFS_NAME_MAX,
                       n->name2);
    if (e != OK)
        return e;
    n->vfs = in->source;
    n->name_bytes = request.name_bytes;
    n->name2_bytes = request.name2_bytes;
    n->now_ns = plat_now();
    if (request.op == VFS_MOUNT)
        return mount(n, &request, out);
    const struct operation *op = &operations[request.op];
    return op->fn == NULL ? E_NOTSUP : run(n, &request, op, out);
}

static void announce(struct naming *n)
{
    end_earlier(n, 0);
}

void naming_main(const struct boot *boot)
{
    struct naming *n = plat_alloc(sizeof(*n), TAG_HEAP);
    ASSERT(n != NULL);
    n->environment = boot->instance;
    n->tries = boot->options.tries;
    n->levels = boot->options.raid == 1 || boot->options.raid == RAID_N_WAY;
    n->policies = boot->options.raid_policies;
    ASSERT(n->policies <= RAID_POLICIES_MAX);
    memcpy(n->policy, boot->options.raid_policy, sizeof(n->policy));
    announce(n);
    if (boot->format && boot->incarnation == 0)
        naming_format(n);
    plat_ready();
    for (;;) {
        struct msg in, answer;
        enum err e = proto_receive(ENDPOINT_ANY, &in, PLAT_FOREVER);
        ASSERT(e == OK);
        if (PROTO_OF(in.type) != PROTO_VFS || (in.type & PROTO_REPLY) != 0)
            continue; /* a notification, or a late reply: nobody waits for it */
        struct vfs_reply reply = {0};
        e = dispatch(n, &in, &reply);
        vfs_reply_pack(&answer, &reply);
        proto_reply(&in, e, &answer);
    }
}
