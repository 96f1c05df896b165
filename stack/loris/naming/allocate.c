/*
 * Ranges of a file that get or give up their room. A hole and zeros read alike, so all three are
 * writes of zeros; those of a hole tell the layers below that whole blocks need no place. Each
 * request is of at most VFS_IO_MAX bytes, as a write is.
 */
#include "naming.h"

static bool is_zero(const uint8_t *block)
{
    return block[0] == 0 && memcmp(block, block + 1, BLOCK_BYTES - 1) == 0;
}

/* Writes the zeros of holes in [from, to), which lies inside the file, so that they have room. A
 * block with anything in it has it already. */
static enum err fill_holes(struct naming *n, uint64_t oid, uint64_t from, uint64_t to)
{
    for (uint64_t at = from - from % BLOCK_BYTES; at < to; at += BLOCK_BYTES) {
        uint32_t moved = 0;
        memset(n->value, 0, sizeof(n->value));
        enum err e = objects_read(n, oid, at, n->value, BLOCK_BYTES, &moved);
        if (e == OK && is_zero(n->value) && moved > 0)
            e = objects_zero(n, oid, at, moved, false);
        if (e != OK)
            return e;
    }
    return OK;
}

static enum err allocate(struct naming *n, const struct node *node, uint64_t from, uint64_t to)
{
    uint64_t inside = to < node->size ? to : node->size;
    enum err e = from < inside ? fill_holes(n, node->oid, from, inside) : OK;
    uint64_t grown = from > node->size ? from : node->size;
    return e == OK && grown < to ? objects_zero(n, node->oid, grown, to - grown, false) : e;
}

enum err change_allocate(struct naming *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct node node;
    enum err e = load_file(n, in->ino, &node);
    if (e != OK)
        return e;
    bool punch = (in->flags & VFS_PUNCH) != 0, zero = (in->flags & VFS_ZERO) != 0;
    if (in->length == 0 || (punch && zero))
        return E_ARG;
    if (in->offset > OBJECT_SIZE_MAX || in->length > OBJECT_SIZE_MAX - in->offset)
        return E_FBIG;
    uint64_t from = in->offset, to = from + in->length;
    bool keep = punch || (in->flags & VFS_KEEP_SIZE) != 0;
    if (keep && !punch && !zero && to > node.size)
        return E_NOTSUP; /* there is no room beyond the end of an object to keep */
    if (keep && to > node.size)
        to = node.size;
    if (from < to && (punch || zero))
        e = objects_zero(n, node.oid, from, to - from, punch);
    else if (from < to)
        e = allocate(n, &node, from, to);
    if (e != OK)
        return e;
    out->size = to > node.size ? to : node.size;
    if (from >= to)
        return OK;
    node.a.mtime_ns = node.a.ctime_ns = n->now_ns;
    return objects_store(n, &node);
}
