/*
 * Calls to the cache, inside the present transaction if one is open.
 */
#include "naming.h"

#include "proto.h"

static void txn_over(struct naming *n)
{
    n->txn = (struct object_txn){0};
    n->unbegun = false;
    n->attr_oid = OID_NONE;
}

/* The answer to what began the transaction. */
static enum err begun(struct naming *n, enum err e, const struct object_reply *reply)
{
    n->unbegun = false;
    if (e != OK || reply->done == 0)
        return e;
    n->done = true;
    memcpy(n->result, reply->result, OBJECT_RESULT_BYTES);
    txn_over(n);
    return E_AGAIN;
}

enum err objects_call(struct naming *n, struct object_request *request, struct object_reply *reply)
{
    struct msg m;
    request->txn = n->txn;
    request->flags |= n->unbegun ? OBJECT_BEGINS : 0;
    object_request_pack(&m, ++n->next_id, request);
    enum err e = proto_call(n->cache, &m, PLAT_FOREVER);
    if (e != OK) {
        n->cache_died = true;
        return E_DEAD;
    }
    object_reply_unpack(reply, &m);
    e = (enum err)m.status;
    return n->unbegun ? begun(n, e, reply) : e;
}

void objects_open(struct naming *n, const struct object_txn *txn)
{
    ASSERT(n->txn.environment == 0);
    ASSERT(txn->environment != 0);
    n->txn = *txn;
    n->unbegun = true;
    n->done = false;
    n->attr_oid = OID_NONE;
}

enum err objects_begin(struct naming *n)
{
    if (!n->unbegun)
        return OK;
    struct object_request request = {.op = OBJECT_TXN_BEGIN};
    struct object_reply reply;
    return objects_call(n, &request, &reply);
}

enum err objects_commit(struct naming *n, const uint8_t result[OBJECT_RESULT_BYTES])
{
    ASSERT(n->txn.environment != 0);
    ASSERT(!n->unbegun && n->attr_oid == OID_NONE);
    struct msg m;
    object_commit_pack(&m, ++n->next_id, &n->txn, result);
    txn_over(n);
    enum err e = proto_call(n->cache, &m, PLAT_FOREVER);
    if (e != OK) {
        n->cache_died = true;
        return E_DEAD;
    }
    return (enum err)m.status;
}

void objects_abort(struct naming *n)
{
    if (n->txn.environment == 0 || n->unbegun) {
        txn_over(n);
        return;
    }
    struct object_request request = {.op = OBJECT_TXN_ABORT};
    struct object_reply reply;
    /* A cache that dies here has aborted it by that; it has no other reason to refuse. */
    enum err e = objects_call(n, &request, &reply);
    txn_over(n);
    if (e != OK && !n->cache_died)
        plat_report(REPORT_DETECTED, (uint64_t)-e, 0);
}

static void attributes_encode(uint8_t raw[OBJECT_ATTR_BYTES], const struct attributes *a)
{
    memset(raw, 0, OBJECT_ATTR_BYTES);
    put_le32(raw, a->type);
    put_le32(raw + 4, a->mode);
    put_le32(raw + 8, a->nlink);
    put_le32(raw + 12, a->uid);
    put_le32(raw + 16, a->gid);
    put_le32(raw + 20, a->generation);
    put_le64(raw + 24, a->mtime_ns);
    put_le64(raw + 32, a->ctime_ns);
    put_le64(raw + 40, a->parent);
    put_le64(raw + 48, a->xattrs);
    put_le32(raw + OBJECT_ATTR_LEVEL, a->level);
    put_le32(raw + 60, a->matched);
}

static enum err attributes_decode(struct attributes *a, const uint8_t raw[OBJECT_ATTR_BYTES])
{
    a->type = get_le32(raw);
    a->mode = get_le32(raw + 4);
    a->nlink = get_le32(raw + 8);
    a->uid = get_le32(raw + 12);
    a->gid = get_le32(raw + 16);
    a->generation = get_le32(raw + 20);
    a->mtime_ns = get_le64(raw + 24);
    a->ctime_ns = get_le64(raw + 32);
    a->parent = get_le64(raw + 40);
    a->xattrs = get_le64(raw + 48);
    a->level = get_le32(raw + OBJECT_ATTR_LEVEL);
    a->matched = get_le32(raw + 60);
    bool known = a->type >= VFS_FILE && a->type <= VFS_LINK_TYPE;
    return known && a->nlink <= VFS_LINK_MAX && a->level <= OBJECT_LEVELS ? OK : E_CORRUPT;
}

static enum err load(struct naming *n, struct object_request *request, struct node *node,
                     uint32_t *moved)
{
    struct object_reply reply;
    enum err e = objects_call(n, request, &reply);
    if (e != OK)
        return e;
    node->oid = request->oid;
    node->size = reply.size;
    node->blocks = reply.blocks;
    *moved = reply.moved;
    return attributes_decode(&node->a, reply.attr);
}

enum err objects_load(struct naming *n, uint64_t oid, bool exclusive, struct node *node)
{
    struct object_request request = {
        .op = OBJECT_GETATTR, .oid = oid, .flags = exclusive ? OBJECT_EXCLUSIVE : 0};
    uint32_t none;
    return load(n, &request, node, &none);
}

enum err objects_load_block(struct naming *n, uint64_t oid, bool exclusive, struct node *node,
                            uint8_t *to, uint32_t *moved)
{
    struct object_request request = {.op = OBJECT_GETATTR,
                                     .oid = oid,
                                     .flags = exclusive ? OBJECT_EXCLUSIVE : 0,
                                     .length = BLOCK_BYTES};
    request.grant_data = proto_grant(n->cache, to, BLOCK_BYTES, PLAT_GRANT_WRITE);
    enum err e = load(n, &request, node, moved);
    plat_revoke(request.grant_data);
    return e == OK && *moved > BLOCK_BYTES ? E_INVAL : e;
}

enum err objects_store(struct naming *n, const struct node *node)
{
    ASSERT(n->txn.environment != 0);
    struct object_request request = {.op = OBJECT_SETATTR, .oid = node->oid};
    struct object_reply reply;
    attributes_encode(request.attr, &node->a);
    return objects_call(n, &request, &reply);
}

void objects_keep(struct naming *n, const struct node *node)
{
    ASSERT(n->txn.environment != 0);
    ASSERT(n->attr_oid == OID_NONE);
    ASSERT(node->oid != OID_NONE);
    n->attr_oid = node->oid;
    attributes_encode(n->attr, &node->a);
}

/* Puts what is kept of the object into a write to it. */
static void take_kept(struct naming *n, struct object_request *request)
{
    if (n->attr_oid != request->oid)
        return;
    request->flags |= OBJECT_ATTR;
    memcpy(request->attr, n->attr, OBJECT_ATTR_BYTES);
    n->attr_oid = OID_NONE;
}

enum err objects_store_kept(struct naming *n)
{
    if (n->attr_oid == OID_NONE)
        return OK;
    struct object_request request = {.op = OBJECT_SETATTR, .oid = n->attr_oid};
    struct object_reply reply;
    memcpy(request.attr, n->attr, OBJECT_ATTR_BYTES);
    n->attr_oid = OID_NONE;
    return objects_call(n, &request, &reply);
}

enum err objects_create(struct naming *n, uint64_t oid, const struct attributes *a,
                        struct node *node)
{
    ASSERT(n->txn.environment != 0);
    struct object_request request = {.op = OBJECT_CREATE, .oid = oid, .flags = OBJECT_META};
    if (a->type == VFS_FILE)
        request.flags = a->level << OBJECT_LEVEL_SHIFT;
    struct object_reply reply;
    attributes_encode(request.attr, a);
    enum err e = objects_call(n, &request, &reply);
    if (e == OK)
        *node = (struct node){.oid = reply.oid, .a = *a};
    return e;
}

enum err objects_remove(struct naming *n, uint64_t oid)
{
    ASSERT(n->txn.environment != 0);
    struct object_request request = {.op = OBJECT_DELETE, .oid = oid};
    struct object_reply reply;
    return objects_call(n, &request, &reply);
}

enum err objects_delete(struct naming *n, const struct node *node)
{
    enum err e = node->a.xattrs != OID_NONE ? objects_remove(n, node->a.xattrs) : OK;
    if (e != OK && e != E_NOENT) /* its creation was lost */
        return e;
    return objects_remove(n, node->oid);
}

enum err objects_read(struct naming *n, uint64_t oid, uint64_t offset, void *to, size_t bytes,
                      uint32_t *moved)
{
    uint32_t grant = proto_grant(n->cache, to, bytes, PLAT_GRANT_WRITE);
    struct object_request request = {
        .op = OBJECT_READ, .oid = oid, .offset = offset, .length = bytes, .grant_data = grant};
    struct object_reply reply;
    enum err e = objects_call(n, &request, &reply);
    plat_revoke(grant);
    if (e != OK)
        return e;
    *moved = reply.moved;
    return reply.moved <= bytes ? OK : E_INVAL;
}

enum err objects_write_granted(struct naming *n, uint64_t oid, uint64_t offset, uint64_t bytes,
                               uint32_t grant)
{
    ASSERT(n->txn.environment != 0);
    struct object_request request = {
        .op = OBJECT_WRITE, .oid = oid, .offset = offset, .length = bytes, .grant_data = grant};
    struct object_reply reply;
    take_kept(n, &request);
    return objects_call(n, &request, &reply);
}

enum err objects_write(struct naming *n, uint64_t oid, uint64_t offset, const void *from,
                       size_t bytes)
{
    uint32_t grant = proto_grant(n->cache, (void *)(uintptr_t)from, bytes, PLAT_GRANT_READ);
    enum err e = objects_write_granted(n, oid, offset, bytes, grant);
    plat_revoke(grant);
    return e;
}

enum err objects_zero(struct naming *n, uint64_t oid, uint64_t offset, uint64_t bytes, bool hole)
{
    ASSERT(n->txn.environment != 0);
    ASSERT(bytes > 0 && bytes <= VFS_IO_MAX);
    struct plat_span span[VFS_IO_MAX / sizeof(n->zeros)]; /* the same zeros again and again */
    uint32_t count = 0;
    memset(n->zeros, 0, sizeof(n->zeros)); /* again: what lies about for long gets flipped */
    for (uint64_t done = 0; done < bytes; count++) {
        uint64_t left = bytes - done;
        size_t piece = left < sizeof(n->zeros) ? (size_t)left : sizeof(n->zeros);
        span[count] = (struct plat_span){.base = n->zeros, .bytes = piece};
        done += piece;
    }
    struct object_request request = {.op = OBJECT_WRITE,
                                     .flags = hole ? OBJECT_HOLE : 0,
                                     .oid = oid,
                                     .offset = offset,
                                     .length = bytes};
    request.grant_data = proto_grant_spans(n->cache, span, count, PLAT_GRANT_READ);
    struct object_reply reply;
    enum err e = objects_call(n, &request, &reply);
    plat_revoke(request.grant_data);
    return e;
}

enum err objects_truncate(struct naming *n, uint64_t oid, uint64_t size)
{
    ASSERT(n->txn.environment != 0);
    struct object_request request = {.op = OBJECT_TRUNCATE, .oid = oid, .size = size};
    struct object_reply reply;
    return objects_call(n, &request, &reply);
}
