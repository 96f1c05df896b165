/*
 * Changes of blocks: one is open at a time; the design hears of it before and after.
 */
#include "assertion.h"
#include "fs.h"
#include "mem.h"

void change_open(struct fs *fs, struct buffer *b, uint32_t offset, uint32_t bytes)
{
    ASSERT(b != NULL && b->key != 0 && !b->loading);
    ASSERT(bytes <= CHANGE_BYTES_MAX);
    ASSERT(offset + bytes <= BLOCK_BYTES);
    if (fs->store->will_change != NULL)
        fs->store->will_change(fs, b);
    fs->change = (struct change){.b = b, .offset = offset, .bytes = bytes};
    if (!fs->store->careful || bytes == 0)
        return;
    memcpy(fs->change_old, b->page + offset, bytes);
    fs->change.old = fs->change_old;
}

void change_name(struct fs *fs, const uint8_t *name, uint32_t bytes)
{
    ASSERT(fs->change.b != NULL && bytes > 0);
    fs->change.name = name;
    fs->change.name_bytes = bytes;
}

static void close_it(struct fs *fs, enum change_kind kind, struct inode *owner)
{
    struct change *c = &fs->change;
    ASSERT(c->b != NULL);
    c->kind = kind;
    cache_dirty(fs, c->b, owner);
    if (fs->store->changed != NULL)
        fs->store->changed(fs, c);
    c->b = NULL;
}

void change_close(struct fs *fs, enum change_kind kind, struct inode *i, uint32_t target,
                  uint32_t old_target)
{
    ASSERT(kind != CHANGE_DATA);
    fs->change.i = i;
    fs->change.target = target;
    fs->change.old_target = old_target;
    close_it(fs, kind, kind == CHANGE_INODE ? NULL : i);
}

void change_close_data(struct fs *fs, struct inode *i, bool fresh, bool grows)
{
    ASSERT(i != NULL);
    ASSERT(fs->change.bytes == 0);
    fs->change.i = i;
    fs->change.fresh = fresh;
    fs->change.grows = grows;
    close_it(fs, i->d.type == VFS_DIRECTORY ? CHANGE_DIR_BLOCK : CHANGE_DATA, i);
}
