/*
 * Requests of the object protocol on one disk's copy: each is checked, done and answered before the
 * next is received.
 */
#include "physical.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "plan.h"

#define VISIBLE_FLAGS (OBJECT_META | OBJECT_COW)

void physical_init(struct physical *p, uint32_t disk, const struct stack_options *options)
{
    p->disk = disk;
    p->copies = options->meta_copies == 2 ? 2 : 1;
    p->data_cow = options->data_cow;
    p->meta_guard = options->meta_guard;
    p->verify_writes = options->verify_writes;
    p->doublewrite = options->doublewrite;
    p->replaceable = options->raid != 0 && options->disks - options->spares > 1;
    p->log = options->fsync_log;
    p->nodes_max = NODES_MAX;
    p->durable = plat_alloc(DURABLE_SLOTS * sizeof(p->durable[0]), TAG_HEAP);
    p->node = plat_alloc(NODES_MAX * sizeof(p->node[0]), TAG_HEAP);
    p->bucket = plat_alloc(BUCKETS * sizeof(p->bucket[0]), TAG_HEAP);
    p->batch = plat_alloc((size_t)OBJECT_BATCH_MAX_BLOCKS * BLOCK_BYTES, TAG_PAGES);
    p->intent = plat_alloc(BLOCK_BYTES, TAG_PAGES);
    p->meta = plat_alloc(OBJECT_BATCH_MAX_BLOCKS * OBJECT_ENTRY_BYTES, TAG_HEAP);
    p->plan = plat_alloc(OBJECT_BATCH_MAX_BLOCKS * sizeof(p->plan[0]), TAG_HEAP);
    p->items = plat_alloc(NODES_MAX * sizeof(p->items[0]), TAG_HEAP);
    if (p->verify_writes)
        p->verify = plat_alloc((size_t)VERIFY_BLOCKS * BLOCK_BYTES, TAG_PAGES);
    ASSERT(!p->verify_writes || p->verify != NULL);
    ASSERT(p->durable != NULL && p->node != NULL && p->bucket != NULL && p->batch != NULL);
    ASSERT(p->intent != NULL && p->meta != NULL && p->plan != NULL && p->items != NULL);
    p->core_guard = plat_crc32c(&p->core, sizeof(p->core));
    p->ring_guard = plat_crc32c(&p->ring, sizeof(p->ring));
    p->layout_guard = plat_crc32c(&p->layout, sizeof(p->layout));
    phys_node_seal_found(p);
}

/* ---- Objects --------------------------------------------------------------------------------- */

static void set_attributes(struct physical *p, struct node *leaf, uint8_t *inode,
                           const struct object_request *request)
{
    phys_node_alter(p, leaf, inode, FORMAT_INODE_BYTES);
    put_le64(inode + INODE_SIZE, request->size);
    put_le64(inode + INODE_LSN, request->lsn);
    memcpy(inode + INODE_ATTR, request->attr, OBJECT_ATTR_BYTES);
}

/* REPAIR: the copy is made anew, and each block of it is lost until it is written. */
static enum err create(struct physical *p, const struct object_request *request)
{
    struct node *leaf;
    uint8_t *inode;
    bool repair = (request->flags & OBJECT_REPAIR) != 0;
    bool again = repair || (request->flags & OBJECT_REPLAY) != 0;
    if (request->oid <= OID_NONE || request->oid == OID_MAP)
        return E_INVAL;
    enum err e =
        phys_tree_inode(p, request->oid, repair ? NODE_REPAIR : NODE_MAKE, again, &leaf, &inode);
    if (e != OK)
        return e;
    bool exists = get_le64(inode + INODE_OID) == request->oid;
    if (exists && !again)
        return E_EXIST;
    if (!exists) {
        phys_node_alter(p, leaf, inode, FORMAT_INODE_BYTES);
        memset(inode, 0, FORMAT_INODE_BYTES);
        put_le64(inode + INODE_OID, request->oid);
    }
    set_attributes(p, leaf, inode, request);
    uint32_t flags = request->flags & VISIBLE_FLAGS;
    if (repair)
        flags |= INODE_HOLES_LOST;
    put_le32(inode + INODE_FLAGS, flags);
    return OK;
}

static enum err remove_object(struct physical *p, const struct object_request *request)
{
    struct node *leaf;
    uint8_t *inode;
    if (request->oid == OID_MAP)
        return E_INVAL;
    enum err e = phys_tree_object(p, request->oid, &leaf, &inode);
    if (e == E_NOENT && request->flags & OBJECT_REPLAY)
        return OK;
    if (e != OK)
        return e;
    phys_tree_truncate(p, leaf, inode, 0);
    phys_tree_remove(p, leaf, inode);
    return OK;
}

/* offset: bytes of this disk's own copy that stay; size: of the whole object, only stored. */
static enum err truncate(struct physical *p, const struct object_request *request)
{
    struct node *leaf;
    uint8_t *inode;
    if (request->offset % BLOCK_BYTES != 0 || request->oid == OID_MAP)
        return E_INVAL;
    enum err e = phys_tree_object(p, request->oid, &leaf, &inode);
    if (e != OK)
        return e;
    phys_tree_truncate(p, leaf, inode, request->offset / BLOCK_BYTES);
    phys_node_alter(p, leaf, inode, FORMAT_INODE_BYTES);
    put_le64(inode + INODE_SIZE, request->size);
    put_le64(inode + INODE_LSN, request->lsn);
    return OK;
}

static enum err get_attributes(struct physical *p, const struct object_request *request,
                               struct object_reply *reply)
{
    struct node *leaf;
    uint8_t *inode;
    enum err e = phys_tree_object(p, request->oid, &leaf, &inode);
    if (e != OK)
        return e;
    reply->oid = request->oid;
    reply->size = get_le64(inode + INODE_SIZE);
    reply->blocks = get_le64(inode + INODE_BLOCKS);
    reply->lsn = get_le64(inode + INODE_LSN);
    reply->epoch = phys_tree_end(p, request->oid, inode);
    reply->flags = get_le32(inode + INODE_FLAGS) & VISIBLE_FLAGS;
    memcpy(reply->attr, inode + INODE_ATTR, OBJECT_ATTR_BYTES);
    return OK;
}

static enum err put_attributes(struct physical *p, const struct object_request *request)
{
    struct node *leaf;
    uint8_t *inode;
    enum err e = phys_tree_object(p, request->oid, &leaf, &inode);
    if (e != OK)
        return e;
    set_attributes(p, leaf, inode, request);
    if (request->flags & OBJECT_REPAIR) /* the copy is whole again */
        put_le32(inode + INODE_FLAGS, get_le32(inode + INODE_FLAGS) & ~INODE_HOLES_LOST);
    return OK;
}

/* Blocks that a caller may count on: each may cost a share of a metadata slot too. */
static enum err statfs(const struct physical *p, struct object_reply *reply)
{
    reply->size = p->core.total_data;
    reply->blocks = phys_space_promise(p, 0);
    return OK;
}

static enum err next(struct physical *p, const struct object_request *request,
                     struct object_reply *reply)
{
    reply->oid = request->oid;
    return phys_tree_next(p, &reply->oid);
}

/* ---- Dispatch -------------------------------------------------------------------------------- */

static bool changes(enum object_op op)
{
    return op == OBJECT_CREATE || op == OBJECT_DELETE || op == OBJECT_WRITE ||
           op == OBJECT_TRUNCATE || op == OBJECT_SETATTR || op == OBJECT_VERIFY;
}

/* Operations on the tree: only while one is loaded, in its session. */
static enum err serve_tree(struct physical *p, const struct object_request *request,
                           uint32_t source, struct object_reply *reply)
{
    if (!p->active || request->session != p->session)
        return E_SESSION;
    if (changes(request->op) && p->core.prepared > p->core.released)
        return E_INVAL;
    switch (request->op) {
    case OBJECT_CREATE:
        return create(p, request);
    case OBJECT_DELETE:
        return remove_object(p, request);
    case OBJECT_READ:
        return phys_data_read(p, request, source, reply);
    case OBJECT_WRITE:
        return phys_data_write(p, request, source, reply);
    case OBJECT_TRUNCATE:
        return truncate(p, request);
    case OBJECT_GETATTR:
        return get_attributes(p, request, reply);
    case OBJECT_SETATTR:
        return put_attributes(p, request);
    case OBJECT_STATFS:
        return statfs(p, reply);
    case OBJECT_FLUSH:
        return phys_io_flush(p);
    case OBJECT_RELEASE:
        return phys_checkpoint_release(p, request->epoch);
    case OBJECT_INTENTS:
        return phys_restore_intents(p, request, source, reply);
    case OBJECT_NEXT:
        return next(p, request, reply);
    case OBJECT_VERIFY:
        return phys_scrub(p, request, reply);
    case OBJECT_LOG_WRITE:
        return phys_log_write(p, request, source, reply);
    case OBJECT_LOG_READ:
        return phys_log_read(p, request, source, reply);
    default:
        return E_INVAL; /* of another layer */
    }
}

/* Operations that come with an identity of the pool. */
static enum err serve_identity(struct physical *p, const struct object_request *request,
                               uint32_t source, struct object_reply *reply)
{
    uint8_t raw[OBJECT_ROOT_BYTES];
    struct object_root id = {.valid = false};
    bool voids = request->op == OBJECT_ADOPT && request->size == OBJECT_ADOPT_VOID;
    if (request->op != OBJECT_FORMAT && request->session != p->session)
        return E_SESSION;
    if (request->op == OBJECT_PREPARE && !p->active)
        return E_SESSION;
    enum err e = voids ? OK : plat_copy_in(source, request->grant_data, 0, raw, OBJECT_ROOT_BYTES);
    if (e == OK && !voids)
        e = object_root_decode(&id, raw);
    if (e != OK)
        return e;
    if (request->op == OBJECT_FORMAT)
        return phys_restore_format(p, request, &id);
    if (request->op == OBJECT_ADOPT)
        return phys_restore_adopt(p, request, &id);
    return phys_checkpoint_prepare(p, request, &id, reply);
}

enum err physical_serve(struct physical *p, const struct msg *m, struct object_reply *reply)
{
    struct object_request request;
    memset(reply, 0, sizeof(*reply));
    enum err e = object_request_unpack(&request, m);
    if (e != OK)
        return e;
    phys_node_begin(p);
    if (request.op == OBJECT_ROOTS)
        e = phys_restore_roots(p, &request, m->source, reply);
    else if (request.op == OBJECT_FORMAT || request.op == OBJECT_ADOPT ||
             request.op == OBJECT_PREPARE)
        e = serve_identity(p, &request, m->source, reply);
    else
        e = serve_tree(p, &request, m->source, reply);
    phys_node_end(p);
    reply->session = p->session;
    return e;
}
