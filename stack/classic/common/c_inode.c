/*
 * Inodes of layout C: their records in the table blocks. The block of an inode that is dirty in
 * memory is pinned, so that storing it needs no disk.
 */
#include "assertion.h"
#include "layout_c.h"

enum err c_inode_decode(const struct fs *fs, struct attributes *d, uint32_t pointer[INODE_POINTERS],
                        const uint8_t raw[INODE_BYTES], uint32_t ino)
{
    return fs->c->super.sums ? inode_decode_bound(d, pointer, raw, ino)
                             : inode_decode(d, pointer, raw);
}

enum err c_inode_load(struct fs *fs, struct inode *i)
{
    struct buffer *b;
    if (i->ino >= (uint64_t)fs->c->super.groups * GROUP_INODES)
        return E_NOENT;
    enum err e = c_get_meta(fs, inode_block(i->ino), INO_NONE, &b);
    if (e == OK)
        e = c_inode_decode(fs, &i->d, inode_c(i)->pointer, b->page + inode_offset(i->ino), i->ino);
    return e == OK && i->d.type == 0 ? E_NOENT : e;
}

enum err c_inode_prepare(struct fs *fs, struct inode *i)
{
    struct buffer *b;
    enum err e = c_get_meta(fs, inode_block(i->ino), INO_NONE, &b);
    if (e == OK)
        b->pins++;
    return e;
}

void c_inode_store(struct fs *fs, struct inode *i)
{
    struct buffer *b = cache_find(fs, inode_block(i->ino));
    ASSERT(b != NULL && b->pins > 0);
    b->pins--;
    change_open(fs, b, inode_offset(i->ino), INODE_BYTES);
    inode_encode(b->page + inode_offset(i->ino), &i->d, inode_c(i)->pointer);
    if (fs->c->super.sums)
        inode_bind(b->page + inode_offset(i->ino), i->ino);
    change_close(fs, CHANGE_INODE, i, i->ino, 0);
}
