/*
 * Contents of files. Bytes beyond the size in the last block are undefined; whoever grows a file
 * zeroes the gap first.
 */
#include "assertion.h"
#include "mem.h"
#include "none.h"

#define PIECE_BLOCKS 32u /* looked up and read at once, before they are copied */

/* Indirect blocks that a write of VFS_IO_MAX may need at most: two of the lowest level, and those
 * above them. */
#define INDIRECT_WORST 6u

static const uint8_t zeros[BLOCK_BYTES];

static enum err get_file(struct none *n, uint64_t ino, struct inode **out)
{
    enum err e = inode_get(n, ino, out);
    if (e != OK)
        return e;
    if ((*out)->d.type == VFS_DIRECTORY)
        return E_ISDIR;
    return (*out)->d.type == VFS_FILE ? OK : E_ARG;
}

/* ---- Reading ---- */

/* Looks up `count` blocks from `at`, and reads those that are missing together with what follows.
 */
static enum err read_piece(struct none *n, struct inode *i, uint64_t at, uint32_t count,
                           bool sequential, uint32_t blocks[PIECE_BLOCKS + READ_AHEAD])
{
    bool missing = false;
    for (uint32_t k = 0; k < count; k++) {
        enum err e = map_find(n, i, at + k, &blocks[k]);
        if (e != OK)
            return e;
        missing |= blocks[k] != 0 && cache_find(n, blocks[k]) == NULL;
    }
    if (!missing)
        return OK;
    uint64_t end = (i->d.size + BLOCK_BYTES - 1) / BLOCK_BYTES;
    uint32_t ahead = sequential ? READ_AHEAD : 0;
    uint32_t all = count;
    for (; ahead > 0 && at + all < end; all++, ahead--)
        if (map_find(n, i, at + all, &blocks[all]) != OK)
            break;
    if (all > 1)
        cache_prefetch(n, blocks, all);
    return OK;
}

static enum err copy_out(struct none *n, uint32_t grant, uint64_t to, uint32_t block,
                         uint32_t offset, uint32_t bytes)
{
    if (block == 0)
        return plat_copy_out(n->vfs, grant, (size_t)to, zeros, bytes);
    struct buffer *b;
    enum err e = cache_get(n, block, &b);
    if (e == OK)
        e = plat_copy_out(n->vfs, grant, (size_t)to, b->page + offset, bytes);
    return e;
}

/* The client is gone or its grant is bad: not an answer of the disk. */
static enum err copy_error(enum err e)
{
    return e == E_DEAD ? E_INVAL : e;
}

enum err file_read(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    uint32_t blocks[PIECE_BLOCKS + READ_AHEAD];
    enum err e = get_file(n, in->ino, &i);
    if (e != OK)
        return e;
    if (in->offset >= i->d.size)
        return OK;
    uint64_t left = i->d.size - in->offset;
    uint64_t end = in->offset + (in->length < left ? in->length : left);
    bool sequential = in->offset == i->read_end;
    for (uint64_t pos = in->offset; pos < end;) {
        uint64_t first = pos / BLOCK_BYTES;
        uint64_t last = (end - 1) / BLOCK_BYTES;
        uint32_t count = last - first >= PIECE_BLOCKS ? PIECE_BLOCKS : (uint32_t)(last - first) + 1;
        e = read_piece(n, i, first, count, sequential, blocks);
        for (uint32_t k = 0; k < count && e == OK; k++) {
            uint32_t offset = (uint32_t)(pos % BLOCK_BYTES);
            uint64_t bytes = BLOCK_BYTES - offset < end - pos ? BLOCK_BYTES - offset : end - pos;
            e = copy_error(
                copy_out(n, in->data_grant, pos - in->offset, blocks[k], offset, (uint32_t)bytes));
            pos += bytes;
        }
        if (e != OK)
            return e;
    }
    i->read_end = end;
    out->moved = end - in->offset;
    return OK;
}

/* ---- Writing ---- */

/* Zeroes what lies between the size and `to` in the last block of the file. */
static enum err zero_gap(struct none *n, struct inode *i, uint64_t to)
{
    uint32_t from = (uint32_t)(i->d.size % BLOCK_BYTES);
    uint32_t block;
    struct buffer *b;
    if (from == 0 || to <= i->d.size)
        return OK;
    uint64_t start = i->d.size - from;
    enum err e = map_find(n, i, start / BLOCK_BYTES, &block);
    if (e != OK || block == 0)
        return e;
    e = cache_get(n, block, &b);
    if (e != OK)
        return e;
    uint32_t end = to - start < BLOCK_BYTES ? (uint32_t)(to - start) : BLOCK_BYTES;
    memset(b->page + from, 0, end - from);
    cache_dirty(n, b, i);
    return OK;
}

/* Whether a write of these blocks fits; counts holes only if space is short. */
static enum err reserve(struct none *n, struct inode *i, uint64_t first, uint64_t last)
{
    uint64_t worst = last - first + 1 + INDIRECT_WORST;
    uint64_t free = space_count(n, worst), holes = 0;
    if (free >= worst)
        return OK;
    for (uint64_t at = first; at <= last; at++) {
        uint32_t block;
        enum err found = map_find(n, i, at, &block);
        if (found != OK)
            return found;
        holes += block == 0 ? 1 : 0;
    }
    if (holes == 0)
        return OK;
    uint64_t indirect = 3 + (last - first) / POINTERS_A_BLOCK;
    if (free < holes + indirect)
        return E_NOSPC;
    return OK;
}

/* Puts bytes into one block of the file, from the client's grant. */
static enum err write_block(struct none *n, struct inode *i, const struct vfs_request *in,
                            uint64_t base, uint64_t pos, uint32_t bytes)
{
    uint32_t offset = (uint32_t)(pos % BLOCK_BYTES), block;
    bool fresh;
    struct buffer *b;
    writeback_throttle(n);
    enum err e = map_make(n, i, pos / BLOCK_BYTES, &block, &fresh);
    if (e != OK)
        return e;
    if (bytes == BLOCK_BYTES)
        b = cache_get_overwrite(n, block);
    else if (fresh)
        b = cache_get_new(n, block);
    else if ((e = cache_get(n, block, &b)) != OK)
        return e;
    e = plat_copy_in(n->vfs, in->data_grant, (size_t)(pos - base), b->page + offset, bytes);
    if (e == OK) {
        cache_dirty(n, b, i);
        return OK;
    }
    if (fresh) { /* mapped already: it must not show what was there before */
        memset(b->page, 0, BLOCK_BYTES);
        cache_dirty(n, b, i);
    } else if (bytes == BLOCK_BYTES && !b->dirty && !b->writing) {
        cache_forget(n, block);
    }
    return copy_error(e);
}

enum err file_write(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    enum err e = get_file(n, in->ino, &i);
    if (e != OK)
        return e;
    uint64_t start = (in->flags & VFS_APPEND) != 0 ? i->d.size : in->offset;
    if (start > FILE_BLOCKS_MAX * BLOCK_BYTES - in->length)
        return E_FBIG;
    out->ino2 = start;
    out->size = i->d.size;
    if (in->length == 0)
        return OK;
    uint64_t end = start + in->length;
    e = reserve(n, i, start / BLOCK_BYTES, (end - 1) / BLOCK_BYTES);
    if (e == OK)
        e = zero_gap(n, i, start);
    for (uint64_t pos = start; pos < end && e == OK;) {
        uint32_t room = BLOCK_BYTES - (uint32_t)(pos % BLOCK_BYTES);
        uint32_t bytes = end - pos < room ? (uint32_t)(end - pos) : room;
        e = write_block(n, i, in, start, pos, bytes);
        pos += bytes;
    }
    if (e != OK)
        return e;
    i->d.size = end > i->d.size ? end : i->d.size;
    i->d.mtime_ns = i->d.ctime_ns = n->now_ns;
    out->moved = in->length;
    out->size = i->d.size;
    return inode_dirty(n, i);
}

enum err file_truncate(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    enum err e = get_file(n, in->ino, &i);
    if (e != OK)
        return e;
    if (in->size > FILE_BLOCKS_MAX * BLOCK_BYTES)
        return E_FBIG;
    if (in->size > i->d.size)
        e = zero_gap(n, i, in->size);
    else if (in->size < i->d.size)
        e = map_cut(n, i, (in->size + BLOCK_BYTES - 1) / BLOCK_BYTES);
    if (e != OK)
        return e;
    i->d.size = in->size;
    i->d.mtime_ns = i->d.ctime_ns = n->now_ns;
    inode_stat(i, &out->stat);
    return inode_dirty(n, i);
}

enum err file_fsync(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    (void)out;
    enum err e = inode_get(n, in->ino, &i);
    return e == OK ? writeback_sync(n, i) : e;
}

/* ---- Symbolic links ---- */

enum err file_set_target(struct none *n, struct inode *link, uint32_t bytes)
{
    ASSERT(bytes <= VFS_PATH_MAX);
    link->d.size = bytes;
    if (bytes <= INODE_INLINE) {
        memcpy(link->d.inlined, n->listing, bytes);
        return OK;
    }
    uint32_t block;
    bool fresh;
    enum err e = map_make(n, link, 0, &block, &fresh);
    if (e != OK)
        return e;
    struct buffer *b = cache_get_new(n, block);
    memcpy(b->page, n->listing, bytes);
    cache_dirty(n, b, link);
    return OK;
}

enum err file_readlink(struct none *n, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    uint32_t block;
    enum err e = inode_get(n, in->ino, &i);
    if (e != OK)
        return e;
    if (i->d.type != VFS_LINK_TYPE)
        return E_ARG;
    if (i->d.size > VFS_PATH_MAX)
        return E_CORRUPT;
    uint64_t bytes = i->d.size < in->length ? i->d.size : in->length;
    if (i->d.size <= INODE_INLINE) {
        e = plat_copy_out(n->vfs, in->data_grant, 0, i->d.inlined, (size_t)bytes);
    } else {
        e = map_find(n, i, 0, &block);
        if (e == OK)
            e = copy_out(n, in->data_grant, 0, block, 0, (uint32_t)bytes);
    }
    out->moved = bytes;
    return copy_error(e);
}
