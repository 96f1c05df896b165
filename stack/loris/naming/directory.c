/*
 * Directories: an object of 4096-byte blocks, each tiled by entries (FORMAT.md). An entry never
 * crosses a block; inode 0 marks free room. Blocks are read in chunks and searched from the front.
 * What is read is checked before it is believed: a bad directory is E_CORRUPT, not a crash (N5).
 */
#include "naming.h"

#define ENTRY_HEAD_BYTES 12u

struct slot {
    uint64_t ino;
    uint32_t bytes, type, name_bytes;
    const char *name;
};

static uint32_t entry_bytes(uint32_t name_bytes)
{
    return (ENTRY_HEAD_BYTES + name_bytes + 7u) & ~7u;
}

static enum err slot_decode(struct slot *s, const uint8_t *block, uint32_t at)
{
    const uint8_t *raw = block + at;
    s->ino = get_le64(raw);
    s->bytes = get_le16(raw + 8);
    s->type = raw[10];
    s->name_bytes = raw[11];
    s->name = (const char *)raw + ENTRY_HEAD_BYTES;
    if (s->bytes < 16 || s->bytes % 8 != 0 || at + s->bytes > BLOCK_BYTES)
        return E_CORRUPT;
    if (s->ino == 0)
        return OK;
    if (s->name_bytes == 0 || entry_bytes(s->name_bytes) > s->bytes)
        return E_CORRUPT;
    return s->type >= VFS_FILE && s->type <= VFS_LINK_TYPE ? OK : E_CORRUPT;
}

static void slot_encode(uint8_t *raw, uint64_t ino, uint32_t bytes, uint32_t type, const char *name,
                        uint32_t name_bytes)
{
    ASSERT(bytes >= 16 && bytes <= BLOCK_BYTES && bytes % 8 == 0);
    ASSERT(name_bytes <= VFS_NAME_MAX);
    put_le64(raw, ino);
    put_le16(raw + 8, (uint16_t)bytes);
    raw[10] = (uint8_t)type;
    raw[11] = (uint8_t)name_bytes;
    if (name_bytes > 0)
        memcpy(raw + ENTRY_HEAD_BYTES, name, name_bytes);
}

/* Reads the chunk that begins at block `first`; *blocks how many whole ones it has. */
static enum err chunk_read(struct naming *n, const struct node *dir, uint64_t first,
                           uint32_t *blocks)
{
    uint64_t total = dir->size / BLOCK_BYTES;
    ASSERT(first < total);
    if (dir->size % BLOCK_BYTES != 0 || dir->size > DIR_SIZE_MAX)
        return E_CORRUPT;
    uint64_t left = total - first;
    *blocks = left < DIR_CHUNK_BLOCKS ? (uint32_t)left : DIR_CHUNK_BLOCKS;
    uint32_t moved = 0;
    size_t bytes = (size_t)*blocks * BLOCK_BYTES;
    enum err e = objects_read(n, dir->oid, first * BLOCK_BYTES, n->chunk, bytes, &moved);
    if (e != OK)
        return e;
    return moved == bytes ? OK : E_CORRUPT;
}

/* What a pass over a directory looks for, and what it has found so far. */
struct search {
    const char *name; /* NULL: any entry in use */
    uint32_t name_bytes;
    uint32_t need; /* room for a new entry wanted too; 0: no */
    bool has_room; /* the first place with that room: */
    uint64_t room_offset;
};

/*
 * One pass over a block. Most entries are told apart by two bytes, so only what may be the one is
 * decoded whole. OK: it begins at *at. E_NOENT.
 */
static enum err block_search(struct search *w, const uint8_t *block, uint64_t base, uint32_t *at)
{
    uint32_t bytes;
    for (*at = 0; *at < BLOCK_BYTES; *at += bytes) {
        const uint8_t *raw = block + *at;
        uint64_t ino = get_le64(raw);
        bytes = get_le16(raw + 8);
        if ((bytes - 16u > BLOCK_BYTES - 16u - *at) | (bytes % 8 != 0))
            return E_CORRUPT;
        if (w->name == NULL ? ino != 0
                            : (ino != 0) & (raw[11] == w->name_bytes) &
                                      (raw[ENTRY_HEAD_BYTES] == (uint8_t)w->name[0]) &&
                                  memcmp(raw + ENTRY_HEAD_BYTES, w->name, w->name_bytes) == 0)
            return OK;
        uint32_t used = ino == 0 ? 0 : entry_bytes(raw[11]);
        if ((w->need != 0) & !w->has_room & (used + w->need <= bytes)) {
            w->has_room = true;
            w->room_offset = base + *at;
        }
    }
    return E_NOENT;
}

/* The same over the whole directory. OK: *offset, and the slot, which lies in n->chunk. */
static enum err search(struct naming *n, const struct node *dir, struct search *w, uint64_t *offset,
                       struct slot *found)
{
    uint64_t total = dir->size / BLOCK_BYTES;
    for (uint64_t first = 0; first < total; first += DIR_CHUNK_BLOCKS) {
        uint32_t blocks;
        enum err e = chunk_read(n, dir, first, &blocks);
        for (uint32_t b = 0; e == OK && b < blocks; b++) {
            uint32_t at;
            const uint8_t *block = n->chunk + (size_t)b * BLOCK_BYTES;
            e = block_search(w, block, (first + b) * BLOCK_BYTES, &at);
            *offset = (first + b) * BLOCK_BYTES + at;
            if (e == OK)
                return slot_decode(found, block, at);
            if (e == E_NOENT)
                e = OK;
        }
        if (e != OK)
            return e;
    }
    return E_NOENT;
}

enum err directory_find(struct naming *n, const struct node *dir, const char *name,
                        uint32_t name_bytes, struct entry *entry)
{
    ASSERT(dir->a.type == VFS_DIRECTORY);
    ASSERT(name_bytes > 0);
    struct search w = {.name = name, .name_bytes = name_bytes};
    struct slot s;
    enum err e = search(n, dir, &w, &entry->offset, &s);
    if (e == OK) {
        entry->ino = s.ino;
        entry->type = s.type;
    }
    return e;
}

static enum err block_store(struct naming *n, const struct node *dir, uint64_t offset,
                            const uint8_t *block)
{
    return objects_write(n, dir->oid, offset - offset % BLOCK_BYTES, block, BLOCK_BYTES);
}

/* Reads the block at `offset` into the front of the chunk. */
static enum err block_load(struct naming *n, const struct node *dir, uint64_t offset)
{
    uint32_t moved = 0;
    uint64_t base = offset - offset % BLOCK_BYTES;
    enum err e = objects_read(n, dir->oid, base, n->chunk, BLOCK_BYTES, &moved);
    if (e != OK)
        return e;
    return moved == BLOCK_BYTES ? OK : E_CORRUPT;
}

static enum err append_block(struct naming *n, struct node *dir, const char *name,
                             uint32_t name_bytes, uint64_t ino, uint32_t type)
{
    if (dir->size + BLOCK_BYTES > DIR_SIZE_MAX)
        return E_NOSPC;
    memset(n->chunk, 0, BLOCK_BYTES);
    slot_encode(n->chunk, ino, BLOCK_BYTES, type, name, name_bytes);
    dir->size += BLOCK_BYTES;
    return block_store(n, dir, dir->size - BLOCK_BYTES, n->chunk);
}

enum err directory_insert(struct naming *n, struct node *dir, const char *name, uint32_t name_bytes,
                          uint64_t ino, uint32_t type)
{
    ASSERT(name_bytes > 0 && name_bytes <= VFS_NAME_MAX);
    ASSERT(ino != 0);
    struct search w = {.name = name, .name_bytes = name_bytes, .need = entry_bytes(name_bytes)};
    struct slot s;
    uint64_t offset;
    enum err e = search(n, dir, &w, &offset, &s);
    if (e != E_NOENT)
        return e == OK ? E_EXIST : e;
    if (!w.has_room)
        return append_block(n, dir, name, name_bytes, ino, type);
    uint32_t at = (uint32_t)(w.room_offset % BLOCK_BYTES);
    e = block_load(n, dir, w.room_offset);
    if (e == OK)
        e = slot_decode(&s, n->chunk, at);
    if (e != OK)
        return e;
    uint32_t kept = s.ino == 0 ? 0 : entry_bytes(s.name_bytes);
    ASSERT(kept + w.need <= s.bytes);
    if (kept > 0)
        put_le16(n->chunk + at + 8, (uint16_t)kept);
    slot_encode(n->chunk + at + kept, ino, s.bytes - kept, type, name, name_bytes);
    return block_store(n, dir, w.room_offset, n->chunk);
}

/* Reads the block of an entry found before and checks that the entry still begins there. */
static enum err entry_block(struct naming *n, const struct node *dir, const struct entry *entry,
                            uint32_t *previous, struct slot *s)
{
    enum err e = block_load(n, dir, entry->offset);
    if (e != OK)
        return e;
    *previous = BLOCK_BYTES;
    for (uint32_t at = 0; at < BLOCK_BYTES; at += s->bytes) {
        e = slot_decode(s, n->chunk, at);
        if (e != OK)
            return e;
        if (at == entry->offset % BLOCK_BYTES)
            return s->ino == entry->ino ? OK : E_CORRUPT;
        *previous = at;
    }
    return E_CORRUPT;
}

enum err directory_remove(struct naming *n, const struct node *dir, const struct entry *entry)
{
    struct slot s;
    uint32_t previous;
    enum err e = entry_block(n, dir, entry, &previous, &s);
    if (e != OK)
        return e;
    uint32_t at = (uint32_t)(entry->offset % BLOCK_BYTES);
    if (previous == BLOCK_BYTES) {
        put_le64(n->chunk + at, 0);
    } else {
        struct slot before;
        e = slot_decode(&before, n->chunk, previous);
        ASSERT(e == OK); /* entry_block has just decoded it */
        put_le16(n->chunk + previous + 8, (uint16_t)(before.bytes + s.bytes));
    }
    return block_store(n, dir, entry->offset, n->chunk);
}

enum err directory_replace(struct naming *n, const struct node *dir, const struct entry *entry,
                           uint64_t ino, uint32_t type)
{
    ASSERT(ino != 0);
    struct slot s;
    uint32_t previous;
    enum err e = entry_block(n, dir, entry, &previous, &s);
    if (e != OK)
        return e;
    put_le64(n->chunk + entry->offset % BLOCK_BYTES, ino);
    n->chunk[entry->offset % BLOCK_BYTES + 10] = (uint8_t)type;
    return block_store(n, dir, entry->offset, n->chunk);
}

enum err directory_is_empty(struct naming *n, const struct node *dir, bool *empty)
{
    struct search w = {.name = NULL};
    struct slot s;
    uint64_t offset;
    enum err e = search(n, dir, &w, &offset, &s);
    *empty = e == E_NOENT;
    return e == E_NOENT ? OK : e;
}

/* Packs the entries of one block whose offset is >= *at. E_FULL: the next one does not fit. */
static enum err list_block(const uint8_t *block, uint64_t base, uint64_t *at, uint8_t *to,
                           size_t room, size_t *used)
{
    struct slot s;
    for (uint32_t here = 0; here < BLOCK_BYTES; here += s.bytes) {
        enum err e = slot_decode(&s, block, here);
        if (e != OK)
            return e;
        if (base + here < *at || s.ino == 0)
            continue;
        if (*used + VFS_DIRENT_BYTES + s.name_bytes > room)
            return E_FULL;
        struct vfs_dirent d = {.ino = s.ino,
                               .next = base + here + s.bytes,
                               .type = s.type,
                               .name_bytes = s.name_bytes};
        vfs_dirent_encode(to + *used, &d);
        memcpy(to + *used + VFS_DIRENT_BYTES, s.name, s.name_bytes);
        *used += VFS_DIRENT_BYTES + s.name_bytes;
        *at = d.next;
    }
    return OK;
}

enum err directory_list(struct naming *n, const struct node *dir, uint64_t *at, uint8_t *to,
                        size_t room, size_t *used)
{
    *used = 0;
    uint64_t total = dir->size / BLOCK_BYTES;
    for (uint64_t first = *at / BLOCK_BYTES; first < total;) {
        uint32_t blocks;
        enum err e = chunk_read(n, dir, first, &blocks);
        for (uint32_t b = 0; e == OK && b < blocks; b++)
            e = list_block(n->chunk + (size_t)b * BLOCK_BYTES, (first + b) * BLOCK_BYTES, at, to,
                           room, used);
        if (e == E_FULL)
            return *used > 0 ? OK : E_ARG;
        if (e != OK)
            return e;
        first += blocks;
    }
    *at = 0;
    return OK;
}
