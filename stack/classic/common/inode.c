/*
 * Inodes in memory, whatever their records look like on disk. One that an operation changed is on
 * fs->changed until its record is stored: by inode_settle, or when the request ends.
 */
#include "assertion.h"
#include "fs.h"
#include "mem.h"

#define SPARE_INODES 8u /* free ones, before a request begins */

static struct inode **bucket_of(struct fs *fs, uint32_t ino)
{
    return &fs->inode_bucket[ino % INODE_BUCKETS];
}

void inode_init(struct fs *fs)
{
    fs->inode_lru.lru_next = fs->inode_lru.lru_prev = &fs->inode_lru;
}

struct inode *inode_find(struct fs *fs, uint32_t ino)
{
    struct inode *i = *bucket_of(fs, ino);
    while (i != NULL && i->ino != ino)
        i = i->hash_next;
    return i;
}

static void lru_remove(struct inode *i)
{
    i->lru_prev->lru_next = i->lru_next;
    i->lru_next->lru_prev = i->lru_prev;
}

static void lru_append(struct fs *fs, struct inode *i)
{
    i->lru_prev = fs->inode_lru.lru_prev;
    i->lru_next = &fs->inode_lru;
    i->lru_prev->lru_next = i;
    fs->inode_lru.lru_prev = i;
}

static void put_free(struct fs *fs, struct inode *i)
{
    i->hash_next = fs->free_inodes;
    fs->free_inodes = i;
    fs->free_inode_count++;
}

static void release(struct fs *fs, struct inode *i)
{
    struct inode **at = bucket_of(fs, i->ino);
    void *own = i->own;
    ASSERT(!i->dirty);
    ASSERT(i->dirty_head == NULL);
    while (*at != i) {
        ASSERT(*at != NULL);
        at = &(*at)->hash_next;
    }
    *at = i->hash_next;
    lru_remove(i);
    memset(i, 0, sizeof(*i));
    i->own = own;
    put_free(fs, i);
}

static bool may_go(const struct inode *i)
{
    return !i->dirty && i->dirty_head == NULL && !i->orphan && i->pins == 0;
}

static bool evict_one(struct fs *fs)
{
    for (struct inode *i = fs->inode_lru.lru_next; i != &fs->inode_lru; i = i->lru_next) {
        if (!may_go(i) || i->indexed)
            continue;
        release(fs, i);
        return true;
    }
    return false;
}

static void add_chunk(struct fs *fs)
{
    size_t own_bytes = (fs->store->inode_bytes + 7u) & ~(size_t)7u;
    struct inode *i = plat_alloc(INODE_CHUNK * sizeof(*i), TAG_HEAP);
    uint8_t *own = own_bytes == 0 ? NULL : plat_alloc(INODE_CHUNK * own_bytes, TAG_HEAP);
    if (i == NULL || (own == NULL && own_bytes > 0))
        return;
    for (uint32_t k = 0; k < INODE_CHUNK; k++) {
        i[k].own = own == NULL ? NULL : own + k * own_bytes;
        put_free(fs, &i[k]);
    }
    fs->inodes += INODE_CHUNK;
}

void inode_make_room(struct fs *fs)
{
    while (fs->free_inode_count < SPARE_INODES) {
        if (fs->inodes < INODES_MAX) {
            uint32_t before = fs->inodes;
            add_chunk(fs);
            if (fs->inodes > before)
                continue;
        }
        if (evict_one(fs))
            continue;
        index_drop(fs);
        if (evict_one(fs))
            continue;
        (void)!fs->store->sync(fs, NULL, NULL); /* what has dirty blocks may go then */
        if (!evict_one(fs))
            return;
    }
}

/* E_FULL: all are in use. */
static enum err take(struct fs *fs, uint32_t ino, struct inode **out)
{
    if (fs->free_inodes == NULL && fs->inodes < INODES_MAX)
        add_chunk(fs);
    if (fs->free_inodes == NULL && !evict_one(fs))
        return E_FULL;
    struct inode *i = fs->free_inodes;
    fs->free_inodes = i->hash_next;
    fs->free_inode_count--;
    struct inode **bucket = bucket_of(fs, ino);
    i->ino = ino;
    i->hash_next = *bucket;
    *bucket = i;
    lru_append(fs, i);
    if (i->own != NULL)
        memset(i->own, 0, fs->store->inode_bytes);
    *out = i;
    return OK;
}

enum err inode_get(struct fs *fs, uint64_t ino, struct inode **out)
{
    if (ino == INO_NONE || ino > UINT32_MAX)
        return E_NOENT;
    struct inode *i = inode_find(fs, (uint32_t)ino);
    if (i == NULL) {
        enum err e = take(fs, (uint32_t)ino, &i);
        if (e != OK)
            return e;
        e = fs->store->inode_load(fs, i);
        if (e == OK && i->d.size > fs->store->file_blocks_max * BLOCK_BYTES)
            e = E_CORRUPT;
        if (ino == fs->root && (e == E_NOENT || (e == OK && i->d.type != VFS_DIRECTORY)))
            e = E_CORRUPT; /* damage: an error to each path, not a tree without names */
        if (e != OK) {
            release(fs, i);
            return e;
        }
    } else {
        lru_remove(i);
        lru_append(fs, i);
    }
    if (i->d.type == 0)
        return E_NOENT;
    *out = i;
    return OK;
}

/* ---- Changes ---- */

enum err inode_dirty(struct fs *fs, struct inode *i)
{
    if (i->dirty)
        return OK;
    enum err e = fs->store->inode_prepare(fs, i);
    if (e != OK)
        return e;
    i->dirty = true;
    i->changed_next = fs->changed;
    fs->changed = i;
    return OK;
}

static void store_one(struct fs *fs, struct inode *i)
{
    ASSERT(i->dirty);
    i->dirty = false;
    fs->store->inode_store(fs, i);
}

enum err inode_settle(struct fs *fs, struct inode *i)
{
    enum err e = inode_dirty(fs, i);
    if (e != OK || !fs->store->careful)
        return e;
    for (struct inode **at = &fs->changed; *at != NULL; at = &(*at)->changed_next) {
        if (*at != i)
            continue;
        *at = i->changed_next;
        i->changed_next = NULL;
        store_one(fs, i);
        return OK;
    }
    ASSERT(!i->dirty); /* else it was on the list */
    return OK;
}

void inode_store_all(struct fs *fs)
{
    struct inode *first = NULL;
    while (fs->changed != NULL) { /* last first: turned round */
        struct inode *i = fs->changed;
        fs->changed = i->changed_next;
        i->changed_next = first;
        first = i;
    }
    while (first != NULL) {
        struct inode *i = first;
        first = i->changed_next;
        i->changed_next = NULL;
        store_one(fs, i);
    }
}

/* ---- Making and deleting ---- */

enum err inode_make(struct fs *fs, uint32_t ino, uint32_t type, uint32_t generation,
                    struct inode **out)
{
    struct inode *i = inode_find(fs, ino); /* one that was deleted */
    enum err e = i == NULL ? take(fs, ino, &i) : OK;
    if (e != OK)
        return e;
    i->d = (struct attributes){
        .type = type, .generation = generation, .mtime_ns = fs->now_ns, .ctime_ns = fs->now_ns};
    if (i->own != NULL)
        memset(i->own, 0, fs->store->inode_bytes);
    i->indexed = i->orphan = false;
    i->read_end = 0;
    *out = i;
    e = inode_dirty(fs, i);
    if (e != OK)
        i->d.type = 0;
    return e;
}

enum err inode_new(struct fs *fs, uint32_t near, uint32_t type, struct inode **out)
{
    uint32_t ino, generation;
    enum err e = fs->store->inode_take(fs, near, &ino, &generation);
    if (e != OK)
        return e;
    e = inode_make(fs, ino, type, generation, out);
    if (e != OK)
        (void)!fs->store->inode_free(fs, ino);
    return e;
}

enum err inode_delete(struct fs *fs, struct inode *i)
{
    enum err e = inode_dirty(fs, i);
    i->d = (struct attributes){.generation = i->d.generation};
    i->indexed = i->orphan = false;
    if (e == OK)
        e = fs->store->cut(fs, i);
    if (e != OK || fs->store->inode_free(fs, i->ino) != OK)
        plat_report(REPORT_LEAK, 0, i->ino); /* the name is gone all the same */
    return e;
}

bool inode_has_orphans(const struct fs *fs)
{
    for (const struct inode *i = fs->inode_lru.lru_next; i != &fs->inode_lru; i = i->lru_next)
        if (i->orphan)
            return true;
    return false;
}

enum err inode_free_orphans(struct fs *fs)
{
    if (fs->read_only)
        return OK;
    for (struct inode *i = fs->inode_lru.lru_next; i != &fs->inode_lru; i = i->lru_next) {
        if (!i->orphan)
            continue;
        enum err e = inode_delete(fs, i);
        if (e != OK)
            return e;
    }
    return OK;
}

void inode_drop_all(struct fs *fs)
{
    for (struct inode *i = fs->inode_lru.lru_next; i != &fs->inode_lru;) {
        struct inode *next = i->lru_next;
        if (may_go(i))
            release(fs, i);
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
