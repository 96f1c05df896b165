/*
 * Directories: blocks of eight chunks of 512 bytes, each filled with entries from end to end, so
 * that no entry crosses a sector. The first two entries are "." and "..". A removed entry is joined
 * to the one before it in its chunk; directories grow by a block and never shrink.
 */
#include "assertion.h"
#include "fs.h"
#include "mem.h"

#define CHUNKS_A_BLOCK (BLOCK_BYTES / CHUNK_BYTES)
#define DIR_BYTES_MAX (UINT32_MAX - BLOCK_BYTES) /* offsets are 32 bits */

/* ---- Blocks and entries ---- */

static enum err dir_block(struct fs *fs, struct inode *dir, uint32_t at, struct buffer **b)
{
    enum err e = fs->store->block_get(fs, dir, at, b);
    return e == OK && *b == NULL ? E_CORRUPT : e;
}

static uint32_t dir_blocks(const struct inode *dir)
{
    uint64_t bytes = dir->d.size < DIR_BYTES_MAX ? dir->d.size : DIR_BYTES_MAX;
    return (uint32_t)(bytes / BLOCK_BYTES);
}

/* The chunk that holds the byte `offset` of the directory. */
static enum err chunk_at(struct fs *fs, struct inode *dir, uint32_t offset, struct buffer **b,
                         uint8_t **chunk)
{
    if (offset / BLOCK_BYTES >= dir_blocks(dir))
        return E_CORRUPT;
    enum err e = dir_block(fs, dir, offset / BLOCK_BYTES, b);
    if (e == OK)
        *chunk = (*b)->page + offset % BLOCK_BYTES / CHUNK_BYTES * CHUNK_BYTES;
    return e;
}

/* Where the entries of a chunk end. */
static uint32_t chunk_end(const struct fs *fs, uint32_t c)
{
    bool last = c % CHUNKS_A_BLOCK == CHUNKS_A_BLOCK - 1;
    return last ? CHUNK_BYTES - fs->dir_tail : CHUNK_BYTES;
}

bool dir_is_dots(const uint8_t *name, uint32_t bytes)
{
    return name[0] == '.' && (bytes == 1 || (bytes == 2 && name[1] == '.'));
}

/*
 * One step of a walk over all entries: called with each entry in use but the dots, and its offset;
 * false ends the walk. Entries that are free are passed with ino 0.
 */
typedef bool visit_fn(struct fs *fs, struct inode *dir, void *ctx, const struct disk_entry *entry,
                      const uint8_t *name, uint32_t offset);

static enum err walk_chunk(struct fs *fs, struct inode *dir, const uint8_t *chunk, uint32_t base,
                           visit_fn *visit, void *ctx, bool *on)
{
    struct disk_entry entry;
    uint32_t end = chunk_end(fs, base / CHUNK_BYTES);
    for (uint32_t at = 0; at < end && *on; at += entry.length) {
        enum err e = entry_decode(&entry, chunk, at);
        if (e != OK)
            return e;
        const uint8_t *name = chunk + at + ENTRY_BYTES;
        if (entry.ino != INO_NONE && dir_is_dots(name, entry.name_bytes))
            continue;
        *on = visit(fs, dir, ctx, &entry, name, base + at);
    }
    return OK;
}

/* Reads the blocks from `at` on in one go. */
static void read_ahead(struct fs *fs, struct inode *dir, uint32_t at)
{
    struct want want[READ_AHEAD];
    uint32_t left = dir_blocks(dir) > at ? dir_blocks(dir) - at : 0;
    uint32_t count = left < READ_AHEAD ? left : READ_AHEAD;
    if (count > 1)
        (void)!fs->store->blocks_find(fs, dir, at, &count, want);
    if (count > 1)
        cache_prefetch(fs, want, count);
}

static enum err walk_from(struct fs *fs, struct inode *dir, uint32_t first_chunk, visit_fn *visit,
                          void *ctx)
{
    bool on = true;
    uint32_t end = dir_blocks(dir) * CHUNKS_A_BLOCK;
    for (uint32_t c = first_chunk; c < end && on; c++) {
        struct buffer *b;
        if (c == first_chunk || c % (CHUNKS_A_BLOCK * READ_AHEAD) == 0)
            read_ahead(fs, dir, c / CHUNKS_A_BLOCK);
        enum err e = dir_block(fs, dir, c / CHUNKS_A_BLOCK, &b);
        if (e == OK)
            e = walk_chunk(fs, dir, b->page + c % CHUNKS_A_BLOCK * CHUNK_BYTES, c * CHUNK_BYTES,
                           visit, ctx, &on);
        if (e != OK)
            return e;
    }
    return OK;
}

/* ---- Index ---- */

struct indexing {
    uint32_t free_bytes;
    bool full;
};

static bool visit_index(struct fs *fs, struct inode *dir, void *ctx, const struct disk_entry *entry,
                        const uint8_t *name, uint32_t offset)
{
    struct indexing *x = ctx;
    uint32_t used = entry->ino == INO_NONE ? 0 : entry_room(entry->name_bytes);
    x->free_bytes += entry->length - used;
    if (entry->ino == INO_NONE)
        return true;
    if (!index_has_room(fs, 1)) {
        x->full = true;
        return false;
    }
    index_add(fs, dir, index_hash(dir->ino, name, entry->name_bytes), offset);
    return true;
}

/* Indexes a directory. If the index is full it is emptied once; a directory that is larger than the
 * whole index stays without. What a failure leaves there is harmless: it is compared when found. */
static enum err make_index(struct fs *fs, struct inode *dir)
{
    for (uint32_t attempt = 0; attempt < 2; attempt++) {
        struct indexing x = {0};
        enum err e = walk_from(fs, dir, 0, visit_index, &x);
        if (e != OK || x.full) {
            index_drop(fs);
            if (e != OK)
                return e;
            continue;
        }
        dir->indexed = true;
        dir->free_bytes = x.free_bytes;
        dir->chunk_hint = 0;
        return OK;
    }
    return OK;
}

struct scan {
    const uint8_t *name;
    uint32_t bytes;
    bool hit;
    struct found found;
};

static bool visit_scan(struct fs *fs, struct inode *dir, void *ctx, const struct disk_entry *entry,
                       const uint8_t *name, uint32_t offset)
{
    struct scan *s = ctx;
    (void)fs, (void)dir;
    if (entry->ino == INO_NONE || entry->name_bytes != s->bytes ||
        memcmp(name, s->name, s->bytes) != 0)
        return true;
    s->hit = true;
    s->found = (struct found){
        .ino = entry->ino, .type = entry->type, .going = entry->going, .offset = offset};
    return false;
}

static enum err entry_is(struct fs *fs, struct inode *dir, uint32_t offset, struct scan *s)
{
    struct buffer *b;
    uint8_t *chunk;
    struct disk_entry entry;
    enum err e = chunk_at(fs, dir, offset, &b, &chunk);
    if (e == OK)
        e = entry_decode(&entry, chunk, offset % CHUNK_BYTES);
    if (e == OK)
        (void)visit_scan(fs, dir, s, &entry, chunk + offset % CHUNK_BYTES + ENTRY_BYTES, offset);
    return e;
}

enum err dir_find(struct fs *fs, struct inode *dir, const uint8_t *name, uint32_t bytes,
                  struct found *out)
{
    struct scan s = {.name = name, .bytes = bytes};
    enum err e = OK;
    ASSERT(bytes > 0 && !dir_is_dots(name, bytes));
    if (!dir->indexed)
        e = make_index(fs, dir);
    if (e != OK)
        return e;
    if (dir->indexed) {
        uint32_t hash = index_hash(dir->ino, name, bytes);
        struct name *at = NULL;
        while (e == OK && !s.hit && (at = index_next(fs, dir->ino, hash, at)) != NULL)
            e = entry_is(fs, dir, at->offset, &s);
    } else {
        e = walk_from(fs, dir, 0, visit_scan, &s);
    }
    *out = s.found;
    return e == OK && !s.hit ? E_NOENT : e;
}

/* ---- Changes ---- */

static void put_entry(uint8_t *at, uint32_t ino, uint32_t length, uint32_t type,
                      const uint8_t *name, uint32_t bytes)
{
    struct disk_entry entry = {.ino = ino, .length = length, .name_bytes = bytes, .type = type};
    entry_encode(at, &entry);
    memcpy(at + ENTRY_BYTES, name, bytes);
    memset(at + ENTRY_BYTES + bytes, 0, entry_room(bytes) - ENTRY_BYTES - bytes);
}

/* Puts the entry into this chunk. E_FULL: no room in it. */
static enum err add_to_chunk(struct fs *fs, struct inode *dir, uint32_t c, const uint8_t *name,
                             uint32_t bytes, uint32_t ino, uint32_t type, uint32_t *offset)
{
    struct buffer *b;
    uint8_t *chunk;
    struct disk_entry entry;
    enum err e = chunk_at(fs, dir, c * CHUNK_BYTES, &b, &chunk);
    if (e != OK)
        return e;
    for (uint32_t at = 0; at < chunk_end(fs, c); at += entry.length) {
        e = entry_decode(&entry, chunk, at);
        if (e != OK)
            return e;
        uint32_t used = entry.ino == INO_NONE ? 0 : entry_room(entry.name_bytes);
        if (entry.length - used < entry_room(bytes))
            continue;
        uint32_t length = entry.length - used;
        change_open(fs, b, (uint32_t)(chunk - b->page) + at, used + entry_room(bytes));
        if (used > 0) {
            entry.length = used;
            entry_encode(chunk + at, &entry);
        }
        put_entry(chunk + at + used, ino, length, type, name, bytes);
        change_name(fs, name, bytes);
        change_close(fs, CHANGE_ADDED, dir, ino, 0);
        *offset = c * CHUNK_BYTES + at + used;
        return OK;
    }
    return E_FULL;
}

/* Appends a block of empty chunks; with the dots if it is the first (parent: "..", else 0). */
static enum err grow(struct fs *fs, struct inode *dir, uint32_t parent)
{
    struct buffer *b;
    uint32_t at = dir_blocks(dir);
    bool fresh;
    if (at >= DIR_BYTES_MAX / BLOCK_BYTES)
        return E_NOSPC;
    enum err e = inode_dirty(fs, dir);
    if (e == OK)
        e = fs->store->block_make(fs, dir, at, true, &b, &fresh);
    if (e != OK)
        return e;
    change_open(fs, b, 0, 0);
    memset(b->page, 0, BLOCK_BYTES);
    for (uint32_t c = 0; c < CHUNKS_A_BLOCK; c++)
        put_entry(b->page + c * CHUNK_BYTES, INO_NONE, chunk_end(fs, c), 0, (const uint8_t *)"", 0);
    if (parent != INO_NONE) {
        put_entry(b->page, dir->ino, DOTDOT_OFFSET, VFS_DIRECTORY, (const uint8_t *)".", 1);
        put_entry(b->page + DOTDOT_OFFSET, parent, CHUNK_BYTES - DOTDOT_OFFSET, VFS_DIRECTORY,
                  (const uint8_t *)"..", 2);
    }
    change_close(fs, CHANGE_DIR_BLOCK, dir, 0, 0);
    dir->d.size = (uint64_t)(at + 1) * BLOCK_BYTES;
    dir->free_bytes += BLOCK_BYTES - fs->dir_tail;
    dir->chunk_hint = at * CHUNKS_A_BLOCK;
    return OK;
}

/* Tries the chunk that had room last and its neighbour; all of them if a quarter of the directory
 * is free, so that a search pays; else a new block. */
static enum err add_somewhere(struct fs *fs, struct inode *dir, const uint8_t *name, uint32_t bytes,
                              uint32_t ino, uint32_t type, uint32_t *offset)
{
    uint32_t chunks = dir_blocks(dir) * CHUNKS_A_BLOCK;
    bool search = !dir->indexed || dir->free_bytes > dir->d.size / 4;
    uint32_t tries = search ? chunks : 2;
    for (uint32_t k = 0; k < tries && k < chunks; k++) {
        uint32_t c = (dir->chunk_hint + k) % chunks;
        enum err e = add_to_chunk(fs, dir, c, name, bytes, ino, type, offset);
        if (e == OK)
            dir->chunk_hint = c;
        if (e != E_FULL)
            return e;
    }
    enum err e = grow(fs, dir, INO_NONE);
    if (e == OK)
        e = add_to_chunk(fs, dir, dir->chunk_hint, name, bytes, ino, type, offset);
    ASSERT(e != E_FULL); /* an empty chunk holds any name */
    return e;
}

enum err dir_add(struct fs *fs, struct inode *dir, const uint8_t *name, uint32_t bytes,
                 uint32_t ino, uint32_t type)
{
    uint32_t offset;
    if (dir->indexed && !index_has_room(fs, 1))
        index_drop(fs); /* made again when it is needed */
    enum err e = add_somewhere(fs, dir, name, bytes, ino, type, &offset);
    if (e != OK)
        return e;
    if (dir->indexed) {
        index_add(fs, dir, index_hash(dir->ino, name, bytes), offset);
        uint32_t used = entry_room(bytes);
        dir->free_bytes -= used < dir->free_bytes ? used : dir->free_bytes;
    }
    return OK;
}

enum err dir_remove(struct fs *fs, struct inode *dir, const struct found *found,
                    const uint8_t *name, uint32_t bytes)
{
    struct buffer *b;
    uint8_t *chunk;
    struct disk_entry before = {0}, entry;
    uint32_t at = 0, before_at = 0, want = found->offset % CHUNK_BYTES;
    enum err e = chunk_at(fs, dir, found->offset, &b, &chunk);
    for (; e == OK; at += entry.length) {
        if (at >= chunk_end(fs, found->offset / CHUNK_BYTES))
            return E_CORRUPT; /* the entry is not where it was */
        e = entry_decode(&entry, chunk, at);
        if (e != OK)
            return e;
        if (at == want)
            break;
        before = entry;
        before_at = at;
    }
    if (e != OK)
        return e;
    change_open(fs, b, (uint32_t)(chunk - b->page) + before_at, at + ENTRY_BYTES - before_at);
    if (at > 0) {
        before.length += entry.length;
        entry_encode(chunk + before_at, &before);
    } else {
        entry.ino = INO_NONE;
        entry.going = false;
        entry_encode(chunk, &entry);
    }
    change_name(fs, name, bytes);
    change_close(fs, CHANGE_REMOVED, dir, 0, found->ino);
    if (dir->indexed) {
        index_remove(fs, dir, index_hash(dir->ino, name, bytes), found->offset);
        dir->free_bytes += entry_room(bytes);
        dir->chunk_hint = found->offset / CHUNK_BYTES;
    }
    return OK;
}

static enum err point(struct fs *fs, struct inode *dir, uint32_t offset, uint32_t ino,
                      uint32_t type, enum change_kind kind)
{
    ASSERT(kind == CHANGE_POINTED || kind == CHANGE_DOTDOT || kind == CHANGE_GOING);
    struct buffer *b;
    uint8_t *chunk;
    struct disk_entry entry;
    enum err e = chunk_at(fs, dir, offset, &b, &chunk);
    if (e == OK)
        e = entry_decode(&entry, chunk, offset % CHUNK_BYTES);
    if (e != OK)
        return e;
    uint32_t old = entry.ino;
    change_open(fs, b, offset % BLOCK_BYTES, ENTRY_BYTES);
    entry.ino = ino;
    entry.type = type;
    entry.going = kind == CHANGE_GOING;
    entry_encode(chunk + offset % CHUNK_BYTES, &entry);
    change_close(fs, kind, dir, ino, old);
    return OK;
}

enum err dir_point(struct fs *fs, struct inode *dir, const struct found *found, uint32_t ino,
                   uint32_t type)
{
    return point(fs, dir, found->offset, ino, type, CHANGE_POINTED);
}

enum err dir_mark_going(struct fs *fs, struct inode *dir, const struct found *found)
{
    return point(fs, dir, found->offset, found->ino, found->type, CHANGE_GOING);
}

/* ---- The two dots ---- */

enum err dir_make(struct fs *fs, struct inode *dir, uint32_t parent)
{
    ASSERT(dir->d.size == 0 && parent != INO_NONE);
    enum err e = grow(fs, dir, parent);
    if (e != OK)
        return e;
    dir->indexed = index_has_room(fs, 1); /* it has no names: the index is complete */
    dir->free_bytes = BLOCK_BYTES - fs->dir_tail - 2 * DOTDOT_OFFSET;
    dir->chunk_hint = 0;
    return OK;
}

enum err dir_parent(struct fs *fs, struct inode *dir, uint32_t *parent)
{
    struct buffer *b;
    uint8_t *chunk;
    struct disk_entry entry;
    enum err e = chunk_at(fs, dir, 0, &b, &chunk);
    if (e == OK)
        e = entry_decode(&entry, chunk, DOTDOT_OFFSET);
    if (e == OK)
        *parent = entry.ino;
    return e;
}

enum err dir_set_parent(struct fs *fs, struct inode *dir, uint32_t parent)
{
    return point(fs, dir, DOTDOT_OFFSET, parent, VFS_DIRECTORY, CHANGE_DOTDOT);
}

static bool visit_any(struct fs *fs, struct inode *dir, void *ctx, const struct disk_entry *entry,
                      const uint8_t *name, uint32_t offset)
{
    bool *empty = ctx;
    (void)fs, (void)dir, (void)name, (void)offset;
    *empty = entry->ino == INO_NONE;
    return *empty;
}

enum err dir_is_empty(struct fs *fs, struct inode *dir, bool *empty)
{
    *empty = true;
    return walk_from(fs, dir, 0, visit_any, empty);
}

/* ---- Listing ---- */

struct listing {
    uint64_t from;
    uint32_t room, used;
    bool full;
};

static bool visit_list(struct fs *fs, struct inode *dir, void *ctx, const struct disk_entry *entry,
                       const uint8_t *name, uint32_t offset)
{
    struct listing *l = ctx;
    (void)dir;
    if (entry->ino == INO_NONE || offset < l->from)
        return true;
    uint32_t bytes = VFS_DIRENT_BYTES + entry->name_bytes;
    if (bytes > l->room - l->used) {
        l->full = true;
        l->from = offset;
        return false;
    }
    struct vfs_dirent out = {.ino = entry->ino,
                             .next = offset + 1,
                             .type = entry->type,
                             .name_bytes = entry->name_bytes};
    vfs_dirent_encode(fs->listing + l->used, &out);
    memcpy(fs->listing + l->used + VFS_DIRENT_BYTES, name, entry->name_bytes);
    l->used += bytes;
    return true;
}

enum err dir_list(struct fs *fs, struct inode *dir, uint64_t *cookie, uint32_t room, uint32_t *used)
{
    struct listing l = {.from = *cookie, .room = room < LISTING_BYTES ? room : LISTING_BYTES};
    enum err e = OK;
    if (*cookie < dir->d.size)
        e = walk_from(fs, dir, (uint32_t)(*cookie / CHUNK_BYTES), visit_list, &l);
    *used = l.used;
    *cookie = l.full ? l.from : 0;
    return e == OK && l.full && l.used == 0 ? E_ARG : e;
}
