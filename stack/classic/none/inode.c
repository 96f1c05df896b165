/*
 * Inodes in memory. A dirty one is linked to the buffer of its table block, which is dirty too and
 * so stays in memory; it is encoded when that block is written (none.h, invariant 3).
 */
#include "assertion.h"
#include "mem.h"
#include "none.h"

/* Numbers that are set aside at most for one request, while their blocks cannot be read. */
#define BAD_TABLE_TRIES (4 * INODES_A_BLOCK)

static struct inode **bucket_of(struct none *n, uint32_t ino)
{
    return &n->inode_bucket[ino % INODE_BUCKETS];
}

static struct inode *find(struct none *n, uint32_t ino)
{
    struct inode *i = *bucket_of(n, ino);
    while (i != NULL && i->ino != ino)
        i = i->hash_next;
    return i;
}

static void lru_remove(struct inode *i)
{
    i->lru_prev->lru_next = i->lru_next;
    i->lru_next->lru_prev = i->lru_prev;
}

static void lru_append(struct none *n, struct inode *i)
{
    i->lru_prev = n->inode_lru.lru_prev;
    i->lru_next = &n->inode_lru;
    i->lru_prev->lru_next = i;
    n->inode_lru.lru_prev = i;
}

static void release(struct none *n, struct inode *i)
{
    struct inode **at = bucket_of(n, i->ino);
    ASSERT(!i->dirty);
    ASSERT(i->dirty_head == NULL);
    while (*at != i) {
        ASSERT(*at != NULL);
        at = &(*at)->hash_next;
    }
    *at = i->hash_next;
    lru_remove(i);
    memset(i, 0, sizeof(*i));
    i->hash_next = n->free_inodes;
    n->free_inodes = i;
}

static bool evict_one(struct none *n)
{
    for (struct inode *i = n->inode_lru.lru_next; i != &n->inode_lru; i = i->lru_next) {
        if (i->dirty || i->dirty_head != NULL || i->orphan || i->indexed)
            continue;
        release(n, i);
        return true;
    }
    return false;
}

static void add_chunk(struct none *n)
{
    struct inode *i = plat_alloc(INODE_CHUNK * sizeof(*i), TAG_HEAP);
    if (i == NULL)
        return;
    for (uint32_t k = 0; k < INODE_CHUNK; k++) {
        i[k].hash_next = n->free_inodes;
        n->free_inodes = &i[k];
    }
    n->inodes += INODE_CHUNK;
}

/* E_FULL: all are orphans that somebody has open. */
static enum err take(struct none *n, uint32_t ino, struct inode **out)
{
    if (n->inode_lru.lru_next == NULL)
        n->inode_lru.lru_next = n->inode_lru.lru_prev = &n->inode_lru;
    if (n->free_inodes == NULL && n->inodes < INODES_MAX)
        add_chunk(n);
    if (n->free_inodes == NULL && !evict_one(n)) {
        index_drop(n);
        enum err e = writeback_sync(n, NULL);
        if (e != OK)
            return e;
        if (!evict_one(n))
            return E_FULL;
    }
    struct inode *i = n->free_inodes;
    n->free_inodes = i->hash_next;
    struct inode **bucket = bucket_of(n, ino);
    i->ino = ino;
    i->hash_next = *bucket;
    *bucket = i;
    lru_append(n, i);
    *out = i;
    return OK;
}

enum err inode_get(struct none *n, uint64_t ino, struct inode **out)
{
    if (ino == INO_NONE || ino >= (uint64_t)n->super.groups * GROUP_INODES)
        return E_NOENT;
    struct inode *i = find(n, (uint32_t)ino);
    if (i == NULL) {
        struct buffer *b;
        struct disk_inode d;
        enum err e = cache_get(n, inode_block((uint32_t)ino), &b);
        if (e == OK)
            e = inode_decode(&d, b->page + inode_offset((uint32_t)ino));
        if (e == OK && d.type == 0)
            e = E_NOENT;
        if (e == OK && d.size > FILE_BLOCKS_MAX * BLOCK_BYTES)
            e = E_CORRUPT;
        if (e == OK)
            e = take(n, (uint32_t)ino, &i);
        if (e != OK)
            return e;
        i->d = d;
    } else {
        lru_remove(i);
        lru_append(n, i);
    }
    if (i->d.type == 0)
        return E_NOENT;
    *out = i;
    return OK;
}

enum err inode_dirty(struct none *n, struct inode *i)
{
    struct buffer *b;
    if (i->dirty)
        return OK;
    enum err e = cache_get(n, inode_block(i->ino), &b);
    if (e != OK)
        return e;
    i->table_next = b->inodes;
    b->inodes = i;
    i->dirty = true;
    cache_dirty(n, b, NULL);
    return OK;
}

void inode_encode_block(struct none *n, struct buffer *b)
{
    (void)n;
    while (b->inodes != NULL) {
        struct inode *i = b->inodes;
        ASSERT(i->dirty);
        ASSERT(inode_block(i->ino) == b->block);
        inode_encode(b->page + inode_offset(i->ino), &i->d);
        b->inodes = i->table_next;
        i->table_next = NULL;
        i->dirty = false;
    }
}

/* The generation after the one that the number had, if that can be told. */
static enum err next_generation(struct none *n, uint32_t ino, uint32_t *generation)
{
    struct buffer *b;
    struct disk_inode old;
    enum err e = cache_get(n, inode_block(ino), &b);
    if (e == OK)
        *generation =
            inode_decode(&old, b->page + inode_offset(ino)) == OK ? old.generation + 1 : 1;
    return e;
}

enum err inode_make(struct none *n, uint32_t ino, uint32_t type, struct inode **out)
{
    uint32_t generation = 0;
    struct inode *i = find(n, ino); /* one that was deleted and is not written yet */
    enum err e = OK;
    if (i == NULL) {
        e = next_generation(n, ino, &generation);
        if (e == OK)
            e = take(n, ino, &i);
    } else {
        generation = i->d.generation + 1;
    }
    if (e != OK)
        return e;
    i->d = (struct disk_inode){
        .type = type, .generation = generation, .mtime_ns = n->now_ns, .ctime_ns = n->now_ns};
    i->indexed = i->orphan = false;
    i->read_end = 0;
    i->goal = group_first(ino / GROUP_INODES) + GROUP_META_BLOCKS;
    *out = i;
    return inode_dirty(n, i);
}

enum err inode_new(struct none *n, uint32_t near, uint32_t type, struct inode **out)
{
    enum err e = E_NOSPC;
    for (uint32_t tries = 0; tries < BAD_TABLE_TRIES; tries++) {
        uint32_t ino;
        e = space_take_inode(n, near, &ino);
        if (e != OK)
            return e;
        e = inode_make(n, ino, type, out);
        if (e != E_MEDIA) {
            if (e != OK)
                (void)!space_free_inode(n, ino);
            return e;
        }
        /* Its block cannot be read: the number stays taken, nobody can use it. */
    }
    return e;
}

enum err inode_delete(struct none *n, struct inode *i)
{
    enum err e = map_cut(n, i, 0);
    if (space_free_inode(n, i->ino) != OK)
        plat_report(REPORT_LEAK, 0, i->ino); /* the name is gone all the same */
    if (e == OK)
        e = inode_dirty(n, i);
    i->d = (struct disk_inode){.generation = i->d.generation};
    i->indexed = i->orphan = false;
    return e;
}

void inode_drop_all(struct none *n)
{
    if (n->inode_lru.lru_next == NULL)
        return;
    for (struct inode *i = n->inode_lru.lru_next; i != &n->inode_lru;) {
        struct inode *next = i->lru_next;
        if (!i->orphan && !i->dirty)
            release(n, i);
        i = next;
    }
}

void inode_stat(const struct inode *i, struct vfs_stat *stat)
{
    *stat = (struct vfs_stat){.ino = i->ino,
                              .size = i->d.size,
                              .blocks = i->d.blocks,
                              .mtime_ns = i->d.mtime_ns,
                              .ctime_ns = i->d.ctime_ns,
                              .type = i->d.type,
                              .mode = i->d.mode,
                              .nlink = i->d.nlink,
                              .uid = i->d.uid,
                              .gid = i->d.gid,
                              .generation = i->d.generation};
}
