/*
 * Names in a directory. A name's key in the tree is 32 bits of its hash, then the smallest number
 * that no other name of the same hash has; it is kept as long as the name is there. So keys are
 * unique, a listing in their order has a cookie that stays true whatever comes and goes, and names
 * that collide are neighbours.
 *
 * What is read is checked before it is believed: a bad directory is E_CORRUPT, not a crash (N5).
 */
#include "dirhash.h"
#include "naming.h"

#define NUMBER_BITS 32u
#define NUMBERS_MAX (UINT64_C(1) << 31) /* names of one hash */

static uint64_t first_key(const uint64_t seed[2], const char *name, uint32_t name_bytes)
{
    return dirhash(seed, name, name_bytes) >> 32 << NUMBER_BITS;
}

/* The seed of a directory that has a block. */
static enum err seed_of(struct naming *n, const struct node *dir, uint64_t seed[2])
{
    enum err e = dirtree_root(n, dir);
    if (e == OK)
        dirnode_seed(n->tree.raw[n->tree.top], seed);
    return e;
}

/*
 * The first entry of the whole directory whose key is >= `key`. OK; E_NOENT: there is none;
 * E_CORRUPT. The entry lies in the leaf of the path then held.
 */
static enum err next_entry(struct naming *n, const struct node *dir, uint64_t key,
                           struct dirnode_entry *entry)
{
    for (uint32_t leaves = 0; leaves < DIR_BLOCKS_MAX; leaves++) {
        enum err e = dirtree_descend(n, dir, key);
        if (e == OK)
            e = dirnode_seek(n->tree.raw[0], key, entry);
        if (e != E_NOENT)
            return e;
        key = dirnode_high(n->tree.raw[0]);
        if (key == DIRNODE_KEY_END)
            return E_NOENT;
    }
    return E_CORRUPT; /* leaves without end */
}

/*
 * Searches the entries of a name's hash. OK: *entry. E_NOENT: *key is free for it. E_CORRUPT, or an
 * error of the cache.
 */
static enum err search(struct naming *n, const struct node *dir, const char *name,
                       uint32_t name_bytes, uint64_t *key, struct dirnode_entry *entry)
{
    uint64_t seed[2];
    enum err e = seed_of(n, dir, seed);
    if (e != OK)
        return e;
    uint64_t first = first_key(seed, name, name_bytes);
    *key = first;
    for (uint64_t at = first; at - first < NUMBERS_MAX; at = entry->key + 1) {
        e = next_entry(n, dir, at, entry);
        if (e != OK)
            return e;
        if (entry->key >> NUMBER_BITS != first >> NUMBER_BITS)
            return E_NOENT;
        if (entry->name_bytes == name_bytes && memcmp(entry->name, name, name_bytes) == 0)
            return OK;
        if (entry->key == *key)
            *key += 1;
    }
    return E_CORRUPT;
}

enum err directory_find(struct naming *n, const struct node *dir, const char *name,
                        uint32_t name_bytes, struct entry *entry)
{
    ASSERT(dir->a.type == VFS_DIRECTORY);
    ASSERT(name_bytes > 0);
    uint64_t key;
    struct dirnode_entry found;
    if (dir->size == 0)
        return E_NOENT;
    enum err e = search(n, dir, name, name_bytes, &key, &found);
    if (e == OK)
        *entry = (struct entry){.ino = found.ino, .type = found.type, .key = found.key};
    return e;
}

enum err directory_insert(struct naming *n, struct node *dir, const char *name, uint32_t name_bytes,
                          uint64_t ino, uint32_t type)
{
    ASSERT(name_bytes > 0 && name_bytes <= VFS_NAME_MAX);
    ASSERT(ino != 0);
    uint64_t key;
    struct dirnode_entry there;
    enum err e = OK;
    if (dir->size == 0) {
        uint64_t seed[2] = {plat_random(), plat_random()};
        e = dirtree_make(n, dir, seed);
    }
    if (e == OK)
        e = search(n, dir, name, name_bytes, &key, &there);
    if (e != E_NOENT)
        return e == OK ? E_EXIST : e;
    struct dirnode_entry entry = {
        .key = key, .ino = ino, .type = type, .name_bytes = name_bytes, .name = name};
    return dirtree_add(n, dir, &entry);
}

enum err directory_remove(struct naming *n, struct node *dir, const struct entry *entry)
{
    return dirtree_remove(n, dir, entry->key);
}

enum err directory_replace(struct naming *n, const struct node *dir, const struct entry *entry,
                           uint64_t ino, uint32_t type)
{
    return dirtree_redirect(n, dir, entry->key, ino, type);
}

enum err directory_is_empty(struct naming *n, const struct node *dir, bool *empty)
{
    struct dirnode_entry entry;
    enum err e = dir->size == 0 ? E_NOENT : next_entry(n, dir, 0, &entry);
    *empty = e == E_NOENT;
    return e == E_NOENT ? OK : e;
}

/* Packs one entry. E_FULL: it does not fit. */
static enum err pack(const struct dirnode_entry *s, uint8_t *to, size_t room, size_t *used)
{
    if (*used + VFS_DIRENT_BYTES + s->name_bytes > room)
        return E_FULL;
    struct vfs_dirent d = {
        .ino = s->ino, .next = s->key + 1, .type = s->type, .name_bytes = s->name_bytes};
    vfs_dirent_encode(to + *used, &d);
    memcpy(to + *used + VFS_DIRENT_BYTES, s->name, s->name_bytes);
    *used += VFS_DIRENT_BYTES + s->name_bytes;
    return OK;
}

enum err directory_list(struct naming *n, const struct node *dir, uint64_t *at, uint8_t *to,
                        size_t room, size_t *used)
{
    struct dirnode_entry s;
    enum err e = OK;
    *used = 0;
    if (*at >= DIRNODE_KEY_END)
        return E_ARG;
    while (dir->size > 0) {
        e = next_entry(n, dir, *at, &s);
        while (e == OK) {
            e = pack(&s, to, room, used);
            if (e == E_FULL)
                return *used > 0 ? OK : E_ARG;
            *at = s.key + 1;
            e = dirnode_after(n->tree.raw[0], &s);
        }
        if (e != E_NOENT)
            return e;
        *at = dirnode_high(n->tree.raw[0]);
        if (*at == DIRNODE_KEY_END)
            break;
    }
    *at = 0;
    return OK;
}
