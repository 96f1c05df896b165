/*
 * The overlay of objects: sizes, attributes and existence as they are above, which the layers below
 * learn at the latest at the next checkpoint. An entry means that the object exists, or that an
 * open transaction has created it (pending). Objects that are dirty, locked or have pages stay.
 */
#include "cache.h"

#define CHUNK_OBJECTS 256u

void overlay_init(struct cache *c)
{
    c->object_bucket = plat_alloc(CACHE_OBJECT_BUCKETS * sizeof(struct object *), TAG_HEAP);
    ASSERT(c->object_bucket != NULL);
}

static struct object **bucket_of(const struct cache *c, uint64_t oid)
{
    uint64_t h = oid * UINT64_C(0x9e3779b97f4a7c15);
    return &c->object_bucket[(h >> 40) % CACHE_OBJECT_BUCKETS];
}

struct object *object_known(const struct cache *c, uint64_t oid)
{
    struct object *o = *bucket_of(c, oid);
    while (o != NULL && o->oid != oid)
        o = o->hash_next;
    return o;
}

static void hash_out(struct cache *c, struct object *o)
{
    struct object **at = bucket_of(c, o->oid);
    while (*at != o) {
        ASSERT(*at != NULL);
        at = &(*at)->hash_next;
    }
    *at = o->hash_next;
}

static void release_entry(struct cache *c, struct object *o)
{
    hash_out(c, o);
    *o = (struct object){.hash_next = c->object_free};
    c->object_free = o;
}

/* Forgets one object that nothing needs, by a hand that goes round. */
static bool evict_one(struct cache *c)
{
    uint32_t total = c->chunks * CHUNK_OBJECTS;
    for (uint32_t k = 0; k < total; k++) {
        uint32_t at = c->object_hand++ % total;
        struct object *o = &c->chunk[at / CHUNK_OBJECTS][at % CHUNK_OBJECTS];
        bool idle = o->hold == NULL && o->shared == 0 && !o->dirty && !o->lost && !o->pending;
        if (o->used && idle && o->page_count == 0 && o->error == OK) {
            release_entry(c, o);
            return true;
        }
    }
    return false;
}

static bool grow_table(struct cache *c)
{
    if (c->chunks == CACHE_OBJECTS_MAX / CHUNK_OBJECTS)
        return false;
    struct object *chunk = plat_alloc(CHUNK_OBJECTS * sizeof(struct object), TAG_HEAP);
    if (chunk == NULL)
        return false;
    c->chunk[c->chunks++] = chunk;
    for (uint32_t k = CHUNK_OBJECTS; k-- > 0;) {
        chunk[k].hash_next = c->object_free;
        c->object_free = &chunk[k];
    }
    return true;
}

struct object *object_add(struct cache *c, uint64_t oid)
{
    ASSERT(object_known(c, oid) == NULL);
    if (c->object_free == NULL && !grow_table(c) && !evict_one(c))
        return NULL;
    struct object *o = c->object_free;
    c->object_free = o->hash_next;
    struct object **bucket = bucket_of(c, oid);
    *o = (struct object){.oid = oid, .used = true, .hash_next = *bucket};
    *bucket = o;
    return o;
}

enum err object_load(struct cache *c, uint64_t oid, struct object **object)
{
    struct object *o = object_known(c, oid);
    *object = o;
    if (o != NULL)
        return o->lost ? E_LOST : OK;
    struct object_request r = {.op = OBJECT_GETATTR, .oid = oid};
    struct object_reply reply;
    enum err e = lower_call(c, &r, &reply);
    if (e != OK)
        return e;
    o = object_add(c, oid);
    if (o == NULL)
        return E_FULL;
    o->size = reply.size;
    o->saved_size = reply.size;
    o->low_size = reply.size;
    o->blocks = reply.blocks;
    o->flags = reply.flags & (OBJECT_META | OBJECT_COW);
    memcpy(o->attr, reply.attr, OBJECT_ATTR_BYTES);
    *object = o;
    return OK;
}

void object_cut(struct cache *c, struct object *o, uint64_t block)
{
    uint64_t end = (o->size + BLOCK_BYTES - 1) / BLOCK_BYTES;
    if (end > block &&
        end - block < o->page_count) { /* each block that goes, not each that stays */
        for (uint64_t at = block; at < end; at++) {
            uint32_t page = page_find(c, o->oid, at, 0);
            if (page != 0)
                page_drop(c, page);
        }
        return;
    }
    uint32_t page = o->first_page;
    while (page != 0) {
        uint32_t next = c->page[page].obj_next;
        if (c->mem.frame[page].block >= block)
            page_drop(c, page);
        page = next;
    }
}

void object_mark_dirty(struct cache *c, struct object *o)
{
    if (o->dirty)
        return;
    o->dirty = true;
    o->dirty_prev = NULL;
    o->dirty_next = c->dirty_objects;
    if (c->dirty_objects != NULL)
        c->dirty_objects->dirty_prev = o;
    c->dirty_objects = o;
    c->dirty_object_count++;
}

void object_mark_clean(struct cache *c, struct object *o)
{
    if (!o->dirty)
        return;
    o->dirty = false;
    if (o->dirty_prev != NULL)
        o->dirty_prev->dirty_next = o->dirty_next;
    else
        c->dirty_objects = o->dirty_next;
    if (o->dirty_next != NULL)
        o->dirty_next->dirty_prev = o->dirty_prev;
    ASSERT(c->dirty_object_count > 0);
    c->dirty_object_count--;
}

void object_remove(struct cache *c, struct object *o)
{
    ASSERT(o->hold == NULL);
    object_cut(c, o, 0);
    ASSERT(o->page_count == 0);
    object_mark_clean(c, o);
    release_entry(c, o);
}

void overlay_clear(struct cache *c)
{
    for (uint32_t k = 0; k < c->chunks * CHUNK_OBJECTS; k++) {
        struct object *o = &c->chunk[k / CHUNK_OBJECTS][k % CHUNK_OBJECTS];
        if (o->used)
            object_remove(c, o);
    }
    ASSERT(c->dirty_objects == NULL);
}
