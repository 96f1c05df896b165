/*
 * The index: in memory, for each name of the directories that were looked into, where its entry is.
 * So a lookup does not scan, and the absence of a name is known at once. It is a hint with a
 * promise: an indexed directory has all its names here (fs.h, invariant 4); whoever finds one
 * compares the entry itself.
 */
#include "assertion.h"
#include "fs.h"
#include "mem.h"

uint32_t index_hash(uint32_t dir, const uint8_t *name, uint32_t bytes)
{
    uint32_t h = 2166136261u ^ dir * 2654435761u; /* FNV-1a, begun with the directory */
    for (uint32_t k = 0; k < bytes; k++)
        h = (h ^ name[k]) * 16777619u;
    return h;
}

static struct name **bucket_of(struct fs *fs, uint32_t hash)
{
    return &fs->name_bucket[(hash ^ hash >> 16) % NAME_BUCKETS];
}

static void add_chunk(struct fs *fs)
{
    struct name *name = plat_alloc(NAME_CHUNK * sizeof(*name), TAG_HEAP);
    if (name == NULL)
        return;
    for (uint32_t k = 0; k < NAME_CHUNK; k++) {
        name[k].next = fs->free_names;
        fs->free_names = &name[k];
    }
    fs->names += NAME_CHUNK;
}

bool index_has_room(struct fs *fs, uint32_t more)
{
    struct name *name = fs->free_names;
    for (; more > 0 && name != NULL; more--)
        name = name->next;
    while (more > 0 && fs->names < NAMES_MAX) {
        uint32_t before = fs->names;
        add_chunk(fs);
        if (fs->names == before)
            return false;
        more -= more < NAME_CHUNK ? more : NAME_CHUNK;
    }
    return more == 0;
}

void index_add(struct fs *fs, struct inode *dir, uint32_t hash, uint32_t offset)
{
    struct name **bucket = bucket_of(fs, hash);
    struct name *name = fs->free_names;
    ASSERT(name != NULL); /* index_has_room was asked */
    fs->free_names = name->next;
    *name = (struct name){.next = *bucket, .dir = dir->ino, .hash = hash, .offset = offset};
    *bucket = name;
}

void index_remove(struct fs *fs, struct inode *dir, uint32_t hash, uint32_t offset)
{
    struct name **at = bucket_of(fs, hash);
    while (*at != NULL) {
        struct name *name = *at;
        if (name->dir == dir->ino && name->offset == offset) {
            *at = name->next;
            name->next = fs->free_names;
            fs->free_names = name;
            return;
        }
        at = &name->next;
    }
    ASSERT(!dir->indexed); /* else the name was there */
}

struct name *index_next(struct fs *fs, uint32_t dir, uint32_t hash, struct name *after)
{
    struct name *name = after == NULL ? *bucket_of(fs, hash) : after->next;
    while (name != NULL && (name->dir != dir || name->hash != hash))
        name = name->next;
    return name;
}

void index_drop(struct fs *fs)
{
    for (uint32_t k = 0; k < NAME_BUCKETS; k++) {
        while (fs->name_bucket[k] != NULL) {
            struct name *name = fs->name_bucket[k];
            fs->name_bucket[k] = name->next;
            name->next = fs->free_names;
            fs->free_names = name;
        }
    }
    for (struct inode *i = fs->inode_lru.lru_next; i != &fs->inode_lru; i = i->lru_next)
        i->indexed = false;
}

void index_forget(struct fs *fs, struct inode *dir)
{
    for (uint32_t k = 0; dir->indexed && k < NAME_BUCKETS; k++)
        for (struct name **at = &fs->name_bucket[k]; *at != NULL;) {
            struct name *name = *at;
            if (name->dir != dir->ino) {
                at = &name->next;
                continue;
            }
            *at = name->next;
            name->next = fs->free_names;
            fs->free_names = name;
        }
    dir->indexed = false;
}
