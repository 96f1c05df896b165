/*
 * Inode numbers, records in the inode file, and the list of those that were unlinked while open. A
 * record is brought up to date whenever an operation ends; its pointers when a batch is closed.
 */
#include "assertion.h"
#include "bytes.h"
#include "cow.h"
#include "mem.h"

#define ORPHANS_A_BLOCK (BLOCK_BYTES / 4)
#define ORPHANS_MAX (1u << 16)
#define INODES_LIMIT (COW_FANOUT * COW_FANOUT * COW_INODES_A_BLOCK)
#define IN_CRC (COW_INODE_BYTES - 4)

static uint32_t offset_of(uint32_t ino)
{
    return ino % COW_INODES_A_BLOCK * COW_INODE_BYTES;
}

/* ---- Records ---- */

/* What the inode file says; free if its block is a hole. */
static enum err load(struct cow *c, uint32_t ino, struct cow_disk_inode *d)
{
    struct buffer *b;
    memset(d, 0, sizeof(*d));
    enum err e = cow_tree_get(c, &c->inode_file, ino / COW_INODES_A_BLOCK, &b);
    if (e == OK && b != NULL)
        e = cow_inode_decode(d, b->page + offset_of(ino));
    if (e == OK && d->size > COW_FILE_BLOCKS_MAX * BLOCK_BYTES)
        e = E_CORRUPT;
    return e;
}

enum err cow_inode_load(struct fs *fs, struct inode *i)
{
    struct cow *c = cow_of(fs);
    struct cow_disk_inode d;
    if (i->ino == COW_INO_FILE || i->ino >= c->inodes)
        return E_NOENT;
    enum err e = load(c, i->ino, &d);
    if (e == OK && d.type == 0)
        e = E_NOENT;
    if (e != OK && c->damaged && i->ino == COW_INO_ROOT) {
        /* A volume of which nothing can be read is mounted all the same: to say so at each use. */
        i->d = (struct attributes){.type = VFS_DIRECTORY, .nlink = 2, .size = BLOCK_BYTES};
        return OK;
    }
    if (e != OK)
        return e;
    i->d = (struct attributes){.type = d.type,
                               .mode = d.mode,
                               .nlink = d.nlink,
                               .uid = d.uid,
                               .gid = d.gid,
                               .generation = d.generation,
                               .size = d.size,
                               .mtime_ns = d.mtime_ns,
                               .ctime_ns = d.ctime_ns,
                               .blocks = d.blocks};
    memcpy(i->d.inlined, d.inlined, COW_INLINE);
    memcpy(cow_tree_of(i)->pointer, d.pointer, sizeof(d.pointer));
    cow_tree_of(i)->listed = false;
    return OK;
}

enum err cow_inode_prepare(struct fs *fs, struct inode *i)
{
    struct buffer *b;
    bool fresh;
    struct cow *c = cow_of(fs);
    cow_log_inode(c, i);
    return cow_tree_change(c, &c->inode_file, i->ino / COW_INODES_A_BLOCK, false, &b, &fresh);
}

static struct buffer *record_block(struct cow *c, uint32_t ino)
{
    struct buffer *b = cow_present(c, cow_key(COW_INO_FILE, 0, ino / COW_INODES_A_BLOCK));
    ASSERT(b != NULL && b->dirty);
    return b;
}

void cow_inode_store(struct fs *fs, struct inode *i)
{
    struct cow *c = cow_of(fs);
    struct cow_disk_inode d = {.type = i->d.type,
                               .mode = i->d.mode,
                               .nlink = i->d.nlink,
                               .uid = i->d.uid,
                               .gid = i->d.gid,
                               .generation = i->d.generation,
                               .size = i->d.size,
                               .mtime_ns = i->d.mtime_ns,
                               .ctime_ns = i->d.ctime_ns,
                               .blocks = i->d.blocks};
    memcpy(d.inlined, i->d.inlined, COW_INLINE);
    memcpy(d.pointer, cow_tree_of(i)->pointer, sizeof(d.pointer));
    cow_inode_encode(record_block(c, i->ino)->page + offset_of(i->ino), &d);
    if (cow_tree_of(i)->listed != i->orphan && c->listings < LISTINGS_MAX) {
        c->listing[c->listings++] = (struct cow_listing){.ino = i->ino, .add = i->orphan};
        cow_tree_of(i)->listed = i->orphan;
    }
}

struct cow_pointer cow_inode_pointer(struct cow *c, uint32_t ino, uint32_t slot)
{
    struct cow_pointer pointer = c->inode_tree.pointer[0];
    ASSERT(slot < COW_POINTERS);
    if (ino != COW_INO_FILE) {
        const uint8_t *raw = record_block(c, ino)->page + offset_of(ino);
        cow_pointer_decode(&pointer, raw + COW_INODE_POINTERS_AT + POINTER_BYTES * slot);
    }
    return pointer;
}

void cow_inode_set_pointer(struct cow *c, uint32_t ino, uint32_t slot,
                           const struct cow_pointer *pointer)
{
    if (ino == COW_INO_FILE) {
        c->inode_tree.pointer[0] = *pointer;
        return;
    }
    uint8_t *raw = record_block(c, ino)->page + offset_of(ino);
    cow_pointer_encode(raw + COW_INODE_POINTERS_AT + POINTER_BYTES * slot, pointer);
    put_le32(raw + IN_CRC, plat_crc32c(raw, IN_CRC));
    struct inode *i = inode_find(c->fs, ino);
    if (i != NULL)
        cow_tree_of(i)->pointer[slot] = *pointer;
}

/* ---- Numbers ---- */

/* Is the number free? One whose block cannot be read is not. */
static bool is_free(struct cow *c, uint32_t ino)
{
    struct cow_disk_inode d;
    struct buffer *b;
    if (cow_tree_get(c, &c->inode_file, ino / COW_INODES_A_BLOCK, &b) != OK)
        return false;
    if (b != NULL && get_le16(b->page + offset_of(ino)) >> 12 != 0)
        return false; /* in use, without looking at all of it: most are */
    return load(c, ino, &d) == OK && d.type == 0;
}

/* The lowest free number from the hint on; c->inodes if there is none. */
static uint32_t find_number(struct cow *c)
{
    if (c->files + 1 >= c->inodes)
        return c->inodes;
    uint32_t ino = c->inode_hint > COW_INO_ORPHANS ? c->inode_hint : COW_INO_ORPHANS + 1;
    while (ino < c->inodes && !is_free(c, ino))
        ino++;
    return ino;
}

enum err cow_inode_take(struct fs *fs, uint32_t near, uint32_t *ino, uint32_t *generation)
{
    struct cow *c = cow_of(fs);
    struct cow_disk_inode old;
    (void)near;
    *ino = find_number(c);
    bool grows = *ino >= c->inodes;
    if (grows && c->inodes >= INODES_LIMIT)
        return E_NOSPC;
    *ino = grows ? c->inodes : *ino;
    enum err e = grows ? OK : load(c, *ino, &old);
    if (e != OK)
        return e;
    if (grows)
        c->inodes += COW_INODES_A_BLOCK;
    *generation = grows ? 1 : old.generation + 1;
    c->inode_hint = *ino + 1;
    c->files++;
    return OK;
}

enum err cow_inode_free(struct fs *fs, uint32_t ino)
{
    struct cow *c = cow_of(fs);
    if (c->files > 0) /* the disk may have said anything */
        c->files--;
    if (ino < c->inode_hint)
        c->inode_hint = ino;
    return OK;
}

/* ---- Orphans ---- */

static enum err list_get(struct cow *c, struct inode **list)
{
    enum err e = inode_get(c->fs, COW_INO_ORPHANS, list);
    return e == E_NOENT ? E_CORRUPT : e;
}

static uint32_t slots_of(const struct inode *list)
{
    uint64_t slots = list->d.size / 4;
    return slots < ORPHANS_MAX ? (uint32_t)slots : ORPHANS_MAX;
}

/* The first slot that holds `ino` (0: a free one, perhaps behind the last); ORPHANS_MAX: none. */
static enum err find_slot(struct cow *c, struct inode *list, uint32_t ino, uint32_t *slot)
{
    uint32_t count = slots_of(list);
    for (*slot = 0; *slot < count; (*slot)++) {
        struct buffer *b;
        enum err e = cow_tree_get(c, list, *slot / ORPHANS_A_BLOCK, &b);
        if (e != OK)
            return e;
        if (b == NULL)
            return E_CORRUPT;
        if (get_le32(b->page + *slot % ORPHANS_A_BLOCK * 4) == ino)
            return OK;
    }
    if (ino != 0)
        *slot = ORPHANS_MAX;
    return OK;
}

static enum err put_slot(struct cow *c, struct inode *list, uint32_t slot, uint32_t ino)
{
    struct buffer *b;
    bool fresh;
    if (slot >= ORPHANS_MAX)
        return E_FULL;
    enum err e = inode_dirty(c->fs, list);
    if (e == OK)
        e = cow_tree_change(c, list, slot / ORPHANS_A_BLOCK, false, &b, &fresh);
    if (e != OK)
        return e;
    put_le32(b->page + slot % ORPHANS_A_BLOCK * 4, ino);
    if ((slot + 1) * 4u > list->d.size)
        list->d.size = (slot + 1) * 4u;
    return OK;
}

/* Writing back what a free slot holds puts all that a later change needs into the batch. */
enum err cow_orphans_prepare(struct cow *c)
{
    struct inode *list;
    uint32_t slot = 0;
    enum err e = list_get(c, &list);
    if (e == OK)
        e = find_slot(c, list, 0, &slot);
    return e == OK ? put_slot(c, list, slot, 0) : e;
}

static enum err list_one(struct cow *c, const struct cow_listing *l)
{
    struct inode *list;
    uint32_t slot = 0;
    enum err e = list_get(c, &list);
    if (e == OK)
        e = find_slot(c, list, l->add ? 0 : l->ino, &slot);
    if (e != OK || (!l->add && slot == ORPHANS_MAX))
        return e;
    return put_slot(c, list, slot, l->add ? l->ino : 0);
}

/* An entry that stays by mistake is harmless: a mount frees only what has no name. */
void cow_orphans_list(struct cow *c)
{
    for (uint32_t k = 0; k < c->listings; k++)
        if (list_one(c, &c->listing[k]) != OK)
            plat_report(REPORT_LEAK, 0, c->listing[k].ino);
    c->listings = 0;
    inode_store_all(c->fs);
}

/* One that a crash left: nobody has it open now. */
static enum err free_one(struct cow *c, uint32_t ino)
{
    struct inode *i;
    enum err e = inode_get(c->fs, ino, &i);
    if (e == E_NOENT || (e == OK && i->d.nlink != 0))
        return OK;
    if (e == OK)
        e = inode_delete(c->fs, i);
    if (e == OK)
        inode_store_all(c->fs);
    if (e != OK)
        plat_report(REPORT_LEAK, 0, ino);
    return OK;
}

enum err cow_orphans_free(struct cow *c)
{
    struct inode *list;
    enum err e = list_get(c, &list);
    uint32_t count = e == OK ? slots_of(list) : 0;
    for (uint32_t slot = 0; slot < count && e == OK; slot++) {
        struct buffer *b;
        e = cow_tree_get(c, list, slot / ORPHANS_A_BLOCK, &b);
        uint32_t ino = e == OK && b != NULL ? get_le32(b->page + slot % ORPHANS_A_BLOCK * 4) : 0;
        if (ino == 0)
            continue;
        e = cow_reserve(c, REQUEST_BLOCKS_MAX, true);
        if (e == OK)
            e = free_one(c, ino);
        if (e == OK)
            e = list_get(c, &list);
        if (e == OK)
            e = put_slot(c, list, slot, 0);
        inode_store_all(c->fs);
    }
    return e;
}
