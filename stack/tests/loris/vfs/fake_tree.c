#include "stack/tests/loris/vfs/fake_tree.h"

#include <string.h>

#include "assertion.h"
#include "stack/tests/fake_platform.h"

#define ENTRIES 128u
#define DONE 1024u

static struct {
    struct tree_node node[TREE_NODES]; /* by ino - TREE_ROOT */
    struct {
        uint64_t directory, ino; /* ino 0: free */
        uint32_t bytes;
        char name[VFS_NAME_MAX];
    } entry[ENTRIES];
    struct {
        uint64_t sequence;
        uint32_t generation;
        enum err answer;
        struct vfs_reply reply;
    } done[DONE];
    uint32_t dones;
    struct tree_request log[TREE_LOG];
    uint32_t logged;
    uint64_t requests, die_at;
    bool die_after;
    enum vfs_op fail_op;
    enum err fail_with;
    uint32_t fail_times;
    uint64_t lie, stray;
} tree;
static uint8_t data[TREE_NODES][TREE_FILE_BYTES];

struct tree_node *tree_node(uint64_t ino)
{
    if (ino < TREE_ROOT || ino >= TREE_ROOT + TREE_NODES || !tree.node[ino - TREE_ROOT].used)
        return NULL;
    return &tree.node[ino - TREE_ROOT];
}

uint8_t *tree_data(uint64_t ino)
{
    ASSERT(tree_node(ino) != NULL);
    return data[ino - TREE_ROOT];
}

uint32_t tree_nodes(void)
{
    uint32_t count = 0;
    for (uint64_t ino = TREE_ROOT; ino < TREE_ROOT + TREE_NODES; ino++)
        count += tree_node(ino) != NULL;
    return count;
}

static void node_stat(uint64_t ino, struct vfs_stat *stat)
{
    const struct tree_node *n = tree_node(ino);
    *stat = (struct vfs_stat){.ino = ino,
                              .size = n->size,
                              .mtime_ns = n->mtime_ns,
                              .type = n->type,
                              .mode = n->mode,
                              .nlink = n->nlink,
                              .uid = n->uid,
                              .gid = n->gid};
}

/* ---- Names -------------------------------------------------------------------------------------
 */

static uint32_t entry_find(uint64_t directory, const char *name, uint32_t bytes)
{
    for (uint32_t k = 0; k < ENTRIES; k++)
        if (tree.entry[k].ino != 0 && tree.entry[k].directory == directory &&
            tree.entry[k].bytes == bytes && memcmp(tree.entry[k].name, name, bytes) == 0)
            return k;
    return ENTRIES;
}

static void entry_add(uint64_t directory, const char *name, uint32_t bytes, uint64_t ino)
{
    for (uint32_t k = 0; k < ENTRIES; k++)
        if (tree.entry[k].ino == 0) {
            tree.entry[k].directory = directory;
            tree.entry[k].ino = ino;
            tree.entry[k].bytes = bytes;
            memcpy(tree.entry[k].name, name, bytes);
            return;
        }
    ASSERT(false);
}

static void drop_link(uint64_t ino, bool open)
{
    struct tree_node *n = tree_node(ino);
    n->nlink--;
    if (n->nlink > 0 && n->type != VFS_DIRECTORY)
        return;
    n->kept = open;
    n->used = open;
}

static enum err make(const struct vfs_request *r, const char *name, uint32_t type, uint32_t from,
                     struct vfs_reply *out)
{
    if (entry_find(r->ino, name, r->name_bytes) != ENTRIES)
        return E_EXIST;
    uint64_t ino = TREE_ROOT;
    while (ino < TREE_ROOT + TREE_NODES && tree_node(ino) != NULL)
        ino++;
    if (ino == TREE_ROOT + TREE_NODES)
        return E_FULL;
    struct tree_node *n = &tree.node[ino - TREE_ROOT];
    memset(data[ino - TREE_ROOT], 0, n->size);
    *n = (struct tree_node){.used = true,
                            .type = type,
                            .mode = r->mode,
                            .uid = r->uid,
                            .gid = r->gid,
                            .nlink = type == VFS_DIRECTORY ? 2 : 1};
    if (type == VFS_LINK_TYPE) {
        n->size = r->length;
        enum err e = plat_copy_in(from, r->data_grant, 0, data[ino - TREE_ROOT], r->length);
        ASSERT(e == OK);
    }
    entry_add(r->ino, name, r->name_bytes, ino);
    node_stat(ino, &out->stat);
    return OK;
}

static enum err lookup(const struct vfs_request *r, const char *name, struct vfs_reply *out)
{
    uint32_t k = entry_find(r->ino, name, r->name_bytes);
    uint64_t ino = k == ENTRIES ? 0 : tree.entry[k].ino;
    if (r->name_bytes == 2 && memcmp(name, "..", 2) == 0)
        for (uint32_t i = 0; i < ENTRIES; i++)
            if (tree.entry[i].ino == r->ino)
                ino = tree.entry[i].directory;
    if (ino == 0)
        return E_NOENT;
    node_stat(ino, &out->stat);
    return OK;
}

/* Of a path: as far as there are directories. */
static enum err lookup_path(const struct vfs_request *r, const char *path, struct vfs_reply *out)
{
    struct vfs_request one = *r;
    out->stat.ino = r->ino;
    for (uint32_t at = 0; at < r->name_bytes;) {
        while (at < r->name_bytes && path[at] == '/')
            at++;
        one.ino = out->ino2 = out->stat.ino;
        one.name_bytes = 0;
        while (at + one.name_bytes < r->name_bytes && path[at + one.name_bytes] != '/')
            one.name_bytes++;
        ASSERT(one.name_bytes > 0);
        enum err e = lookup(&one, path + at, out);
        at += one.name_bytes;
        out->moved = tree.stray != 0 ? tree.stray : at;
        if (e != OK || out->stat.type != VFS_DIRECTORY)
            return e;
    }
    return OK;
}

static enum err rename_entry(const struct vfs_request *r, const char *name, const char *name2)
{
    uint32_t from = entry_find(r->ino, name, r->name_bytes);
    uint32_t to = entry_find(r->ino2, name2, r->name2_bytes);
    if (from == ENTRIES)
        return E_NOENT;
    uint64_t ino = tree.entry[from].ino;
    if (to != ENTRIES) {
        drop_link(tree.entry[to].ino, (r->flags & VFS_OPEN) != 0);
        tree.entry[to].ino = 0;
    }
    tree.entry[from].ino = 0;
    entry_add(r->ino2, name2, r->name2_bytes, ino);
    return OK;
}

static enum err on_name(const struct vfs_request *r, const char *name, const char *name2,
                        uint32_t from, struct vfs_reply *out)
{
    uint32_t k;
    switch (r->op) {
    case VFS_LOOKUP:
        return (r->flags & VFS_PATH) != 0 ? lookup_path(r, name, out) : lookup(r, name, out);
    case VFS_CREATE:
        return make(r, name, VFS_FILE, from, out);
    case VFS_MKDIR:
        return make(r, name, VFS_DIRECTORY, from, out);
    case VFS_SYMLINK:
        return make(r, name, VFS_LINK_TYPE, from, out);
    case VFS_LINK:
        if (entry_find(r->ino, name, r->name_bytes) != ENTRIES)
            return E_EXIST;
        entry_add(r->ino, name, r->name_bytes, r->ino2);
        tree_node(r->ino2)->nlink++;
        return OK;
    case VFS_RENAME:
        return rename_entry(r, name, name2);
    default: /* UNLINK, RMDIR */
        k = entry_find(r->ino, name, r->name_bytes);
        if (k == ENTRIES)
            return E_NOENT;
        drop_link(tree.entry[k].ino, (r->flags & VFS_OPEN) != 0);
        tree.entry[k].ino = 0;
        return OK;
    }
}

/* ---- Inodes ------------------------------------------------------------------------------------
 */

static enum err move(const struct vfs_request *r, struct tree_node *n, uint32_t from,
                     struct vfs_reply *out)
{
    uint64_t at = r->op == VFS_READLINK                                ? 0
                  : r->op == VFS_WRITE && (r->flags & VFS_APPEND) != 0 ? n->size
                                                                       : r->offset;
    uint8_t *mine = data[r->ino - TREE_ROOT] + at;
    out->ino2 = at;
    if (r->op == VFS_WRITE) {
        if (at + r->length > TREE_FILE_BYTES)
            return E_FULL;
        out->moved = r->length;
        n->size = at + r->length > n->size ? at + r->length : n->size;
        return plat_copy_in(from, r->data_grant, 0, mine, r->length);
    }
    if (at >= n->size)
        return OK;
    out->moved = n->size - at < r->length ? n->size - at : r->length;
    return plat_copy_out(from, r->data_grant, 0, mine, out->moved);
}

static enum err setattr(const struct vfs_request *r, struct tree_node *n, struct vfs_reply *out)
{
    if ((r->which & VFS_SET_MODE) != 0)
        n->mode = r->mode;
    if ((r->which & VFS_SET_OWNER) != 0) {
        n->uid = r->uid;
        n->gid = r->gid;
    }
    if ((r->which & VFS_SET_MTIME) != 0)
        n->mtime_ns = r->mtime_ns;
    node_stat(r->ino, &out->stat);
    return OK;
}

static enum err on_inode(const struct vfs_request *r, uint32_t from, struct vfs_reply *out)
{
    struct tree_node *n = tree_node(r->ino);
    if (n == NULL)
        return E_NOENT;
    switch (r->op) {
    case VFS_STAT:
        node_stat(r->ino, &out->stat);
        return OK;
    case VFS_SETATTR:
        return setattr(r, n, out);
    case VFS_TRUNCATE:
        n->size = r->size;
        return OK;
    case VFS_RELEASE:
        ASSERT(n->kept);
        n->used = false;
        return OK;
    case VFS_FSYNC:
        return OK;
    case VFS_FALLOCATE:
        out->size = TREE_FILE_BYTES;
        return OK;
    case VFS_READDIR:
        out->size = 77; /* a cookie, and nothing in it */
        return OK;
    default:
        return move(r, n, from, out);
    }
}

static enum err on_xattr(const struct vfs_request *r, uint32_t from, struct vfs_reply *out)
{
    struct tree_node *n = tree_node(r->ino);
    if (r->op == VFS_SETXATTR) {
        ASSERT(r->length <= sizeof(n->xattr));
        n->has_xattr = true;
        n->xattr_bytes = r->length;
        return plat_copy_in(from, r->data_grant, 0, n->xattr, r->length);
    }
    if (!n->has_xattr)
        return E_NODATA;
    if (r->op == VFS_REMOVEXATTR) {
        n->has_xattr = false;
        return OK;
    }
    out->moved = out->size = n->xattr_bytes;
    return plat_copy_out(from, r->data_grant, 0, n->xattr, n->xattr_bytes);
}

static enum err carry_out(const struct vfs_request *r, uint32_t from, struct vfs_reply *out)
{
    char name[VFS_PATH_MAX + 1], name2[VFS_NAME_MAX + 1];
    ASSERT((r->flags & VFS_PATH) != 0 || r->name_bytes <= VFS_NAME_MAX);
    ASSERT(r->name2_bytes <= VFS_NAME_MAX);
    if (r->op == VFS_MOUNT) {
        out->stat.ino = TREE_ROOT;
        out->ino2 = TREE_SHARED;
        return OK;
    }
    if (r->op == VFS_STATFS) {
        out->size = 500;
        out->ino2 = 400;
        return OK;
    }
    /* It knows of no transactions: what bears which number is in the log. */
    if (r->op == VFS_BEGIN || r->op == VFS_COMMIT || r->op == VFS_ABORT)
        return OK;
    if (r->op == VFS_SYNC || r->op == VFS_UNMOUNT)
        return OK;
    if (r->op == VFS_GETXATTR || r->op == VFS_SETXATTR || r->op == VFS_REMOVEXATTR)
        return on_xattr(r, from, out);
    if (r->name_bytes == 0)
        return on_inode(r, from, out);
    enum err e = plat_copy_in(from, r->name_grant, 0, name, r->name_bytes);
    ASSERT(e == OK);
    if (r->name2_bytes > 0)
        e = plat_copy_in(from, r->name2_grant, 0, name2, r->name2_bytes);
    ASSERT(e == OK);
    return on_name(r, name, name2, from, out);
}

/* ---- The service -------------------------------------------------------------------------------
 */

static void die(void)
{
    fake_kill(LAYER_NAMING, 0);
    (void)fake_restart(LAYER_NAMING, 0);
}

/* What a sequence has come to: found, or carried out now. */
static enum err once(const struct vfs_request *r, uint32_t from, struct vfs_reply *out, bool *again)
{
    for (uint32_t k = 0; k < tree.dones; k++)
        if (tree.done[k].sequence == r->sequence && tree.done[k].generation == r->generation) {
            *again = true;
            *out = tree.done[k].reply;
            return tree.done[k].answer;
        }
    *again = false;
    if (tree.fail_times > 0 && tree.fail_op == r->op) {
        tree.fail_times--;
        return tree.fail_with;
    }
    enum err e = carry_out(r, from, out);
    ASSERT(tree.dones < DONE);
    tree.done[tree.dones].sequence = r->sequence;
    tree.done[tree.dones].generation = r->generation;
    tree.done[tree.dones].reply = *out;
    tree.done[tree.dones++].answer = e;
    return e;
}

static void handle(void *ctx, const struct msg *m)
{
    (void)ctx;
    struct vfs_request r;
    struct vfs_reply reply = {0};
    struct msg out = {0};
    bool again = false;
    if (PROTO_OF(m->type) != PROTO_VFS)
        return;
    enum err e = vfs_request_unpack(&r, m);
    bool dies = ++tree.requests == tree.die_at;
    ASSERT(tree.logged < TREE_LOG);
    uint32_t at = tree.logged++;
    tree.log[at] = (struct tree_request){.request = r, .answer = E_DEAD};
    if (dies && !tree.die_after) {
        die();
        return;
    }
    if (e == OK)
        e = once(&r, m->source, &reply, &again);
    tree.log[at].again = again;
    if (dies) {
        die();
        return;
    }
    tree.log[at].answer = e;
    if (tree.lie != 0 && (r.op == VFS_READ || r.op == VFS_WRITE || r.op == VFS_READLINK))
        reply.moved = tree.lie;
    vfs_reply_pack(&out, &reply);
    proto_reply(m, e, &out);
}

void tree_init(void)
{
    for (uint32_t k = 0; k < TREE_NODES; k++) /* sizes only grow: what was written */
        memset(data[k], 0, tree.node[k].size);
    memset(&tree, 0, sizeof(tree));
    tree.node[0] = tree.node[1] =
        (struct tree_node){.used = true, .type = VFS_DIRECTORY, .nlink = 2, .mode = 0755};
    (void)fake_peer(LAYER_NAMING, 0, handle, NULL);
}

void tree_die_at(uint64_t n, bool after)
{
    tree.die_at = n == 0 ? 0 : tree.requests + n;
    tree.die_after = after;
}

void tree_fail(enum vfs_op op, enum err e, uint32_t times)
{
    tree.fail_op = op;
    tree.fail_with = e;
    tree.fail_times = times;
}

void tree_lie(uint64_t moved)
{
    tree.lie = moved;
}

void tree_stray(uint64_t moved)
{
    tree.stray = moved;
}

const struct tree_request *tree_log(uint32_t *count)
{
    *count = tree.logged;
    return tree.log;
}

void tree_forget_log(void)
{
    tree.logged = 0;
}

uint32_t tree_count(enum vfs_op op)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < tree.logged; k++)
        count += tree.log[k].request.op == op;
    return count;
}
