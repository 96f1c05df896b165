/*
 * Extended attributes: small ones, all of an inode's in one block of an object of its own
 * (FORMAT.md), which exists while there are any.
 */
#include "naming.h"

#define MAGIC UINT32_C(0x3158524c) /* "LRX1" */
#define HEAD_BYTES 16u
#define ENTRY_HEAD_BYTES 4u
#define ROOM (BLOCK_BYTES - HEAD_BYTES)

struct xattr {
    uint32_t at, bytes; /* of the entry in the block */
    uint32_t name_bytes, value_bytes;
};

static uint32_t used_bytes(const struct naming *n)
{
    return get_le32(n->xattrs + 4);
}

static const uint8_t *name_of(const struct naming *n, const struct xattr *x)
{
    return n->xattrs + x->at + ENTRY_HEAD_BYTES;
}

/* Decodes the entry at x->at. OK, E_NODATA: it is the end, E_CORRUPT. */
static enum err decode(const struct naming *n, struct xattr *x)
{
    const uint8_t *raw = n->xattrs + x->at;
    uint32_t end = HEAD_BYTES + used_bytes(n);
    if (x->at == end)
        return E_NODATA;
    if (end - x->at < ENTRY_HEAD_BYTES)
        return E_CORRUPT;
    x->name_bytes = raw[0];
    x->value_bytes = get_le16(raw + 2);
    x->bytes = ENTRY_HEAD_BYTES + x->name_bytes + x->value_bytes;
    return x->name_bytes > 0 && x->bytes <= end - x->at ? OK : E_CORRUPT;
}

/* Reads an inode's attributes into n->xattrs; none is an empty block. */
static enum err load(struct naming *n, const struct node *node)
{
    uint32_t moved = 0;
    memset(n->xattrs, 0, sizeof(n->xattrs));
    if (node->a.xattrs == OID_NONE)
        return OK;
    enum err e = objects_read(n, node->a.xattrs, 0, n->xattrs, BLOCK_BYTES, &moved);
    if (e != OK)
        return e;
    bool sound = moved == BLOCK_BYTES && get_le32(n->xattrs) == MAGIC && used_bytes(n) <= ROOM &&
                 get_le64(n->xattrs + 8) == node->oid;
    return sound ? OK : E_CORRUPT;
}

/* Searches n->xattrs for the request's name. OK, E_NODATA (then x->at is the end), E_CORRUPT. */
static enum err find(const struct naming *n, struct xattr *x)
{
    enum err e;
    x->at = HEAD_BYTES;
    while ((e = decode(n, x)) == OK) {
        if (x->name_bytes == n->name_bytes && memcmp(name_of(n, x), n->name, n->name_bytes) == 0)
            return OK;
        x->at += x->bytes;
    }
    return e;
}

static void cut_out(struct naming *n, const struct xattr *x)
{
    uint32_t used = used_bytes(n), end = HEAD_BYTES + used, next = x->at + x->bytes;
    ASSERT(next <= end);
    memmove(n->xattrs + x->at, n->xattrs + next, end - next);
    memset(n->xattrs + end - x->bytes, 0, x->bytes);
    put_le32(n->xattrs + 4, used - x->bytes);
}

/* Puts the request's name with the value in n->value at the end. */
static enum err append(struct naming *n, uint32_t value_bytes)
{
    uint32_t used = used_bytes(n), bytes = ENTRY_HEAD_BYTES + n->name_bytes + value_bytes;
    uint8_t *raw = n->xattrs + HEAD_BYTES + used;
    if (bytes > ROOM - used)
        return E_NOSPC;
    raw[0] = (uint8_t)n->name_bytes;
    put_le16(raw + 2, (uint16_t)value_bytes);
    memcpy(raw + ENTRY_HEAD_BYTES, n->name, n->name_bytes);
    memcpy(raw + ENTRY_HEAD_BYTES + n->name_bytes, n->value, value_bytes);
    put_le32(n->xattrs + 4, used + bytes);
    return OK;
}

/* Stores n->xattrs: makes the object if there is none, deletes it if nothing is left. */
static enum err store(struct naming *n, struct node *node)
{
    enum err e = OK;
    if (used_bytes(n) == 0) {
        e = node->a.xattrs != OID_NONE ? objects_remove(n, node->a.xattrs) : OK;
        node->a.xattrs = OID_NONE;
    } else {
        if (node->a.xattrs == OID_NONE) {
            struct attributes a = {.type = ATTRIBUTES_TYPE};
            struct node made = {0};
            e = objects_create(n, OID_NONE, &a, &made);
            node->a.xattrs = made.oid;
        }
        put_le32(n->xattrs, MAGIC);
        put_le64(n->xattrs + 8, node->oid);
        if (e == OK)
            e = objects_write(n, node->a.xattrs, 0, n->xattrs, BLOCK_BYTES);
    }
    node->a.ctime_ns = n->now_ns;
    return e == OK ? objects_store(n, node) : e;
}

static const char level_name[] = "loris.raid";

/* Whether the request's attribute is the one that chooses the RAID level. */
static bool is_level(const struct naming *n)
{
    return n->name_bytes == sizeof(level_name) - 1 &&
           memcmp(n->name, level_name, n->name_bytes) == 0;
}

/* A file gets its new level beside the old one: whether there is room for both. */
static enum err has_room(struct naming *n, const struct node *node)
{
    struct object_request request = {.op = OBJECT_STATFS};
    struct object_reply reply;
    enum err e = objects_call(n, &request, &reply);
    if (e != OK)
        return e;
    return reply.blocks > (node->size + BLOCK_BYTES - 1) / BLOCK_BYTES ? OK : E_NOSPC;
}

/*
 * What a file says of its own level: its data are migrated by the layers below, from the next
 * checkpoint on. What a directory says of the level of files made in it from now on, directories
 * made in it too; those that are there keep theirs. A pool that counts a block as one on every disk
 * has room for any level; others do not.
 */
static enum err set_level(struct naming *n, struct node *node, uint32_t bytes)
{
    static const char *const levels[OBJECT_LEVELS] = {"0", "1", "4", "5", "6", "n-way"};
    if (node->a.type == VFS_LINK_TYPE || !n->levels)
        return E_NOTSUP;
    for (uint32_t k = 0; k < OBJECT_LEVELS; k++)
        if (strlen(levels[k]) == bytes && memcmp(levels[k], n->value, bytes) == 0) {
            bool moves = node->a.type == VFS_FILE && node->a.level != k + 1;
            node->a.level = k + 1;
            return moves ? has_room(n, node) : OK;
        }
    return E_ARG;
}

/* A file goes back to the level that it would be made with in the directory where the request found
 * it, `parent`, under the request's second name; a directory to the pool's. */
static enum err drop_level(struct naming *n, struct node *node, uint64_t parent)
{
    struct node dir = {.a = {.level = 0}};
    uint32_t matched;
    enum err e = OK;
    if (node->a.type == VFS_FILE && parent != OID_NONE)
        e = objects_load(n, parent, false, &dir);
    node->a.level = 0;
    if (e == OK && dir.a.type == VFS_DIRECTORY)
        node->a.level = policy_level(n, &dir, n->name2, n->name2_bytes, &matched);
    return e;
}

enum err change_setxattr(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct node node;
    struct xattr x;
    (void)out;
    if (n->name_bytes == 0)
        return E_ARG;
    if (in->length > VFS_XATTR_BYTES_MAX)
        return E_RANGE;
    enum err e = objects_load(n, in->ino, true, &node);
    if (e == OK)
        e = load(n, &node);
    if (e == OK && in->length > 0)
        e = plat_copy_in(n->vfs, in->data_grant, 0, n->value, (size_t)in->length);
    if (e == OK && is_level(n))
        e = set_level(n, &node, (uint32_t)in->length);
    if (e != OK)
        return e;
    e = find(n, &x);
    if (e == OK && (in->flags & VFS_NEW) != 0)
        return E_EXIST;
    if (e == OK)
        cut_out(n, &x);
    else if (e != E_NODATA)
        return e;
    e = append(n, (uint32_t)in->length);
    return e == OK ? store(n, &node) : e;
}

enum err change_removexattr(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct node node;
    struct xattr x;
    (void)out;
    enum err e = objects_load(n, in->ino, true, &node);
    if (e == OK)
        e = load(n, &node);
    if (e == OK)
        e = find(n, &x);
    if (e == OK && is_level(n))
        e = drop_level(n, &node, in->ino2);
    if (e != OK)
        return e;
    cut_out(n, &x);
    return store(n, &node);
}

/* Loads for a query, which has no lock: another environment may take the object away between two
 * reads; then there is another, or none. */
static enum err load_unlocked(struct naming *n, uint64_t ino)
{
    enum err e = E_NOENT;
    for (uint32_t times = 0; times < TORN_MAX; times++) {
        struct node node;
        e = objects_load(n, ino, false, &node);
        if (e != OK)
            return e;
        e = load(n, &node);
        if (e != E_NOENT)
            return e;
    }
    return E_LOST; /* it was made in a transaction whose object was lost */
}

/* Hands out `bytes` of `from`, or only says how many they are if the caller gives no room. */
static enum err hand_out(struct naming *n, const struct vfs_request *in, const void *from,
                         uint32_t bytes, struct vfs_reply *out)
{
    out->size = bytes;
    if (in->length == 0 || bytes == 0)
        return OK;
    if (in->length < bytes)
        return E_RANGE;
    out->moved = bytes;
    return plat_copy_out(n->vfs, in->data_grant, 0, from, bytes);
}

enum err query_getxattr(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct xattr x;
    enum err e = load_unlocked(n, in->ino);
    if (e == OK)
        e = find(n, &x);
    return e == OK ? hand_out(n, in, name_of(n, &x) + x.name_bytes, x.value_bytes, out) : e;
}

enum err query_listxattr(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct xattr x = {.at = HEAD_BYTES};
    uint32_t bytes = 0;
    enum err e = load_unlocked(n, in->ino);
    while (e == OK && (e = decode(n, &x)) == OK) {
        memcpy(n->value + bytes, name_of(n, &x), x.name_bytes);
        bytes += x.name_bytes;
        n->value[bytes++] = 0;
        x.at += x.bytes;
    }
    return e == E_NODATA ? hand_out(n, in, n->value, bytes, out) : e;
}
