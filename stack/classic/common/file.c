/*
 * Contents of files. Bytes beyond the size in the last block are undefined; whoever grows a file
 * zeroes the gap first.
 */
#include "assertion.h"
#include "fs.h"
#include "mem.h"

#define PIECE_BLOCKS 32u /* looked up and read at once, before they are copied */

static const uint8_t zeros[BLOCK_BYTES];

static enum err get_file(struct fs *fs, uint64_t ino, struct inode **out)
{
    enum err e = inode_get(fs, ino, out);
    if (e != OK)
        return e;
    if ((*out)->d.type == VFS_DIRECTORY)
        return E_ISDIR;
    return (*out)->d.type == VFS_FILE ? OK : E_ARG;
}

/* ---- Reading ---- */

/* Reads those of `count` blocks from `at` that are not here, together with what follows. */
static enum err read_piece(struct fs *fs, struct inode *i, uint64_t at, uint32_t count,
                           bool sequential)
{
    struct want want[PIECE_BLOCKS + READ_AHEAD];
    bool missing = false;
    uint32_t found = count;
    enum err e = fs->store->blocks_find(fs, i, at, &found, want);
    for (uint32_t k = 0; k < found && !missing; k++)
        missing = want[k].key != 0 && cache_find(fs, want[k].key) == NULL;
    if (e != OK || !missing)
        return e;
    uint64_t end = (i->d.size + BLOCK_BYTES - 1) / BLOCK_BYTES;
    uint64_t left = end > at + count ? end - at - count : 0;
    uint32_t ahead = sequential ? (left < READ_AHEAD ? (uint32_t)left : READ_AHEAD) : 0;
    if (ahead > 0) /* as far as they can be found */
        (void)!fs->store->blocks_find(fs, i, at + count, &ahead, want + count);
    if (count + ahead > 1)
        cache_prefetch(fs, want, count + ahead);
    return OK;
}

static enum err copy_out(struct fs *fs, struct inode *i, uint32_t grant, uint64_t to, uint64_t at,
                         uint32_t offset, uint32_t bytes)
{
    struct buffer *b;
    enum err e = fs->store->block_get(fs, i, at, &b);
    if (e != OK)
        return e;
    return plat_copy_out(fs->vfs, grant, (size_t)to, b == NULL ? zeros : b->page + offset, bytes);
}

/* The client is gone or its grant is bad: not an answer of the disk. */
static enum err copy_error(enum err e)
{
    return e == E_DEAD ? E_INVAL : e;
}

enum err file_read(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    enum err e = get_file(fs, in->ino, &i);
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
        e = read_piece(fs, i, first, count, sequential);
        for (uint32_t k = 0; k < count && e == OK; k++) {
            uint32_t offset = (uint32_t)(pos % BLOCK_BYTES);
            uint64_t bytes = BLOCK_BYTES - offset < end - pos ? BLOCK_BYTES - offset : end - pos;
            e = copy_error(copy_out(fs, i, in->data_grant, pos - in->offset, first + k, offset,
                                    (uint32_t)bytes));
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
static enum err zero_gap(struct fs *fs, struct inode *i, uint64_t to)
{
    uint32_t from = (uint32_t)(i->d.size % BLOCK_BYTES);
    struct buffer *b;
    bool fresh;
    if (from == 0 || to <= i->d.size)
        return OK;
    uint64_t start = i->d.size - from;
    enum err e = fs->store->block_get(fs, i, start / BLOCK_BYTES, &b);
    if (e != OK || b == NULL)
        return e;
    e = fs->store->block_make(fs, i, start / BLOCK_BYTES, false, &b, &fresh);
    if (e != OK)
        return e;
    uint32_t end = to - start < BLOCK_BYTES ? (uint32_t)(to - start) : BLOCK_BYTES;
    change_open(fs, b, 0, 0);
    memset(b->page + from, 0, end - from);
    change_close_data(fs, i, false, true);
    return OK;
}

/* Puts bytes into one block of the file, from the client's grant. */
static enum err write_block(struct fs *fs, struct inode *i, const struct vfs_request *in,
                            uint64_t base, uint64_t pos, uint32_t bytes)
{
    uint32_t offset = (uint32_t)(pos % BLOCK_BYTES);
    bool whole = bytes == BLOCK_BYTES, fresh;
    struct buffer *b;
    fs->store->throttle(fs);
    enum err e = fs->store->block_make(fs, i, pos / BLOCK_BYTES, whole, &b, &fresh);
    if (e != OK)
        return e;
    change_open(fs, b, 0, 0);
    e = plat_copy_in(fs->vfs, in->data_grant, (size_t)(pos - base), b->page + offset, bytes);
    if (e != OK && !fresh) {
        if (whole && !b->dirty && !b->writing && b->pins == 0)
            cache_forget(fs, b->key);
        return copy_error(e);
    }
    if (e != OK) /* mapped already: it must not show what was there before */
        memset(b->page, 0, BLOCK_BYTES);
    change_close_data(fs, i, fresh, pos + bytes > i->d.size);
    return copy_error(e);
}

enum err file_write(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    enum err e = get_file(fs, in->ino, &i);
    if (e != OK)
        return e;
    uint64_t start = (in->flags & VFS_APPEND) != 0 ? i->d.size : in->offset;
    if (start > fs->store->file_blocks_max * BLOCK_BYTES - in->length)
        return E_FBIG;
    out->ino2 = start;
    out->size = i->d.size;
    if (in->length == 0)
        return OK;
    uint64_t end = start + in->length;
    e = fs->store->reserve(fs, i, start / BLOCK_BYTES, (end - 1) / BLOCK_BYTES);
    if (e == OK)
        e = inode_dirty(fs, i);
    if (e == OK)
        e = zero_gap(fs, i, start);
    for (uint64_t pos = start; pos < end && e == OK;) {
        uint32_t room = BLOCK_BYTES - (uint32_t)(pos % BLOCK_BYTES);
        uint32_t bytes = end - pos < room ? (uint32_t)(end - pos) : room;
        e = write_block(fs, i, in, start, pos, bytes);
        pos += bytes;
    }
    if (e != OK)
        return e;
    i->d.size = end > i->d.size ? end : i->d.size;
    i->d.mtime_ns = i->d.ctime_ns = fs->now_ns;
    out->moved = in->length;
    out->size = i->d.size;
    return OK;
}

enum err file_truncate(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    enum err e = get_file(fs, in->ino, &i);
    if (e != OK)
        return e;
    if (in->size > fs->store->file_blocks_max * BLOCK_BYTES)
        return E_FBIG;
    e = inode_dirty(fs, i);
    if (e == OK && in->size > i->d.size)
        e = zero_gap(fs, i, in->size);
    if (e != OK)
        return e;
    uint64_t before = i->d.size;
    i->d.size = in->size;
    if (in->size < before)
        e = fs->store->cut(fs, i);
    if (e != OK) {
        i->d.size = before;
        return e;
    }
    i->d.mtime_ns = i->d.ctime_ns = fs->now_ns;
    inode_stat(i, &out->stat);
    return inode_dirty(fs, i);
}

/* ---- Symbolic links ---- */

enum err file_set_target(struct fs *fs, struct inode *link, uint32_t bytes)
{
    struct buffer *b;
    bool fresh;
    ASSERT(bytes <= VFS_PATH_MAX);
    ASSERT(link->dirty);
    if (bytes <= fs->store->inline_max) {
        link->d.size = bytes;
        memcpy(link->d.inlined, fs->listing, bytes);
        return OK;
    }
    enum err e = fs->store->block_make(fs, link, 0, false, &b, &fresh);
    if (e != OK)
        return e;
    change_open(fs, b, 0, 0);
    memcpy(b->page, fs->listing, bytes);
    change_close_data(fs, link, fresh, true);
    link->d.size = bytes;
    return OK;
}

enum err file_readlink(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    enum err e = inode_get(fs, in->ino, &i);
    if (e != OK)
        return e;
    if (i->d.type != VFS_LINK_TYPE)
        return E_ARG;
    if (i->d.size > VFS_PATH_MAX)
        return E_CORRUPT;
    uint64_t bytes = i->d.size < in->length ? i->d.size : in->length;
    if (i->d.size <= fs->store->inline_max)
        e = plat_copy_out(fs->vfs, in->data_grant, 0, i->d.inlined, (size_t)bytes);
    else
        e = copy_out(fs, i, in->data_grant, 0, 0, 0, (uint32_t)bytes);
    out->moved = bytes;
    return copy_error(e);
}
