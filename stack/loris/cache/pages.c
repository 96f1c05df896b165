/*
 * Page frames: hash by (object, block, owner), lists, allocation, checksums of content.
 *
 * Frames are taken lowest first and freed ones again before fresh ones, so that only memory in use
 * is touched. The clean lists are in order of use, the others in order of change.
 */
#include "cache.h"

void pages_init(struct cache *c)
{
    uint32_t buckets = 256;
    while (buckets < c->mem.frames)
        buckets *= 2;
    c->page = plat_alloc((c->mem.frames + 1) * sizeof(struct page), TAG_HEAP);
    c->bucket = plat_alloc(buckets * sizeof(uint32_t), TAG_HEAP);
    c->meta = plat_alloc(OBJECT_BATCH_MAX_BLOCKS * OBJECT_ENTRY_BYTES, TAG_HEAP);
    c->batch = plat_alloc(OBJECT_BATCH_MAX_BLOCKS * sizeof(uint32_t), TAG_HEAP);
    c->zero_page = plat_alloc(BLOCK_BYTES, TAG_HEAP);
    ASSERT(c->page != NULL && c->bucket != NULL && c->meta != NULL);
    ASSERT(c->batch != NULL && c->zero_page != NULL);
    c->bucket_mask = buckets - 1;
}

static uint32_t bucket_of(const struct cache *c, uint64_t oid, uint64_t block)
{
    uint64_t h = (oid * UINT64_C(0x9e3779b97f4a7c15)) ^ (block * UINT64_C(0xc2b2ae3d27d4eb4f));
    return (uint32_t)(h >> 32 ^ h) & c->bucket_mask;
}

uint32_t page_find(const struct cache *c, uint64_t oid, uint64_t block, uint32_t env)
{
    uint32_t p = c->bucket[bucket_of(c, oid, block)];
    while (p != 0) {
        const struct frame *f = &c->mem.frame[p];
        if (f->block == block && f->oid == oid && c->page[p].env == env)
            return p;
        p = c->page[p].hash_next;
    }
    return 0;
}

static void hash_out(struct cache *c, uint32_t page)
{
    const struct frame *f = &c->mem.frame[page];
    uint32_t *at = &c->bucket[bucket_of(c, f->oid, f->block)];
    while (*at != page) {
        ASSERT(*at != 0); /* its key is not what it was inserted under: memory is corrupt */
        at = &c->page[*at].hash_next;
    }
    *at = c->page[page].hash_next;
}

static struct page_ends *ends_of(struct cache *c, const struct page *p)
{
    ASSERT(p->owner < CACHE_ENVS);
    return p->list == LIST_CLEAN ? &c->clean[p->owner] : &c->list[p->list];
}

void page_list_put(struct cache *c, uint32_t page, enum page_list list)
{
    struct page *p = &c->page[page];
    ASSERT(p->list == LIST_NONE);
    p->list = (uint8_t)list;
    struct page_ends *ends = ends_of(c, p);
    if (list == LIST_CLEAN) {
        p->used = ++c->uses;
        c->clean_count++;
    }
    p->prev = ends->last;
    p->next = 0;
    if (ends->last != 0)
        c->page[ends->last].next = page;
    else
        ends->first = page;
    ends->last = page;
    ends->count++;
    if (list == LIST_DIRTY && c->sum_next == 0)
        c->sum_next = page;
}

void page_list_take(struct cache *c, uint32_t page)
{
    struct page *p = &c->page[page];
    struct page_ends *ends = ends_of(c, p);
    ASSERT(p->list != LIST_NONE);
    ASSERT(ends->count > 0);
    if (p->list == LIST_CLEAN)
        c->clean_count--;
    if (c->sum_next == page)
        c->sum_next = p->next;
    if (p->prev != 0)
        c->page[p->prev].next = p->next;
    else
        ends->first = p->next;
    if (p->next != 0)
        c->page[p->next].prev = p->prev;
    else
        ends->last = p->prev;
    ends->count--;
    p->list = LIST_NONE;
}

void page_touch(struct cache *c, uint32_t page)
{
    struct page *p = &c->page[page];
    if (p->list != LIST_CLEAN || p->used == c->uses)
        return;
    page_list_take(c, page);
    p->owner = c->serving != 0 ? (uint8_t)c->serving : p->owner;
    page_list_put(c, page, LIST_CLEAN);
}

/*
 * The clean page to give up, 0: there is none. Of the owners that have their fair share of the
 * clean pages or more it is the one used longest ago: an environment that reads more than memory
 * holds drives out its own, and what others use stays, up to their share. O(environments).
 */
static uint32_t victim(const struct cache *c)
{
    uint32_t owners = 0, oldest = 0;
    for (uint32_t k = 0; k < CACHE_ENVS; k++)
        owners += c->clean[k].count > 0;
    for (uint32_t k = 0; k < CACHE_ENVS; k++) {
        const struct page_ends *own = &c->clean[k];
        if (own->count == 0 || (uint64_t)own->count * owners < c->clean_count)
            continue;
        if (oldest == 0 || c->page[own->first].used < c->page[oldest].used)
            oldest = own->first;
    }
    ASSERT((oldest != 0) == (c->clean_count > 0)); /* one has the average or more */
    return oldest;
}

uint32_t page_alloc(struct cache *c)
{
    uint32_t page = c->free_page;
    if (page != 0) {
        c->free_page = c->page[page].next;
        c->free_count--;
    } else if (c->frames_used < c->mem.frames) {
        page = ++c->frames_used;
    } else {
        page = victim(c);
        if (page == 0)
            return 0;
        if (c->lazy)
            (void)page_sound(c, page); /* readers may have had it: at least it is reported */
        page_drop(c, page);
        ASSERT(c->free_page == page);
        return page_alloc(c);
    }
    ASSERT(page <= c->mem.frames);
    c->page[page] = (struct page){.owner = (uint8_t)c->serving};
    return page;
}

uint32_t page_room(const struct cache *c)
{
    return c->free_count + (c->mem.frames - c->frames_used) + c->clean_count;
}

void page_join_object(struct cache *c, uint32_t page, struct object *o)
{
    struct page *p = &c->page[page];
    p->object = o;
    p->obj_prev = 0;
    p->obj_next = o->first_page;
    if (o->first_page != 0)
        c->page[o->first_page].obj_prev = page;
    o->first_page = page;
    o->page_count++;
}

static void leave_object(struct cache *c, uint32_t page)
{
    struct page *p = &c->page[page];
    struct object *o = p->object;
    if (p->obj_prev != 0)
        c->page[p->obj_prev].obj_next = p->obj_next;
    else
        o->first_page = p->obj_next;
    if (p->obj_next != 0)
        c->page[p->obj_next].obj_prev = p->obj_prev;
    ASSERT(o->page_count > 0);
    o->page_count--;
}

void page_insert(struct cache *c, uint32_t page, struct object *o, uint64_t block, uint32_t env)
{
    struct frame *f = &c->mem.frame[page];
    struct page *p = &c->page[page];
    ASSERT(page_find(c, o->oid, block, env) == 0);
    f->oid = o->oid;
    f->block = block;
    f->lsn = 0;
    f->state = (f->state & FRAME_SUMMED) | (env == 0 ? FRAME_COMMITTED : FRAME_PRIVATE);
    p->env = (uint8_t)env;
    p->object = o;
    uint32_t *head = &c->bucket[bucket_of(c, o->oid, block)];
    p->hash_next = *head;
    *head = page;
    if (env == 0)
        page_join_object(c, page, o);
}

void page_free(struct cache *c, uint32_t page)
{
    c->mem.frame[page].state = FRAME_FREE;
    c->page[page] = (struct page){.next = c->free_page};
    c->free_page = page;
    c->free_count++;
}

/* Private pages are linked to their hold: the caller unlinks them there. */
void page_drop(struct cache *c, uint32_t page)
{
    struct page *p = &c->page[page];
    hash_out(c, page);
    if (p->list != LIST_NONE)
        page_list_take(c, page);
    if (p->env == 0)
        leave_object(c, page);
    plat_page_state(page_data(c, page), PAGE_UNUSED);
    page_free(c, page);
}

bool page_unsummed(const struct cache *c, uint32_t page)
{
    return !c->eager && (c->mem.frame[page].state & FRAME_SUMMED) == 0;
}

void page_sum(struct cache *c, uint32_t page)
{
    c->mem.frame[page].crc = plat_crc32c(page_data(c, page), BLOCK_BYTES);
    if (c->lazy)
        c->mem.frame[page].state |= FRAME_SUMMED;
}

void page_seal_content(struct cache *c, uint32_t page)
{
    if (c->eager)
        page_sum(c, page);
    else
        c->mem.frame[page].state &= ~FRAME_SUMMED;
}

bool page_sound(struct cache *c, uint32_t page)
{
    if (page_unsummed(c, page))
        return true;
    uint32_t crc = plat_crc32c(page_data(c, page), BLOCK_BYTES);
    if (crc == c->mem.frame[page].crc)
        return true;
    if (PLANTED(PLANTED_RECOMPUTE_FOR_VERIFY)) {
        c->mem.frame[page].crc = crc;
        return true;
    }
    plat_report(REPORT_DETECTED, (uint64_t)-E_CORRUPT, c->mem.frame[page].oid);
    return false;
}

enum err page_mend(struct cache *c, uint32_t *page)
{
    switch ((enum page_list)c->page[*page].list) {
    case LIST_CLEAN:
        page_drop(c, *page);
        *page = 0;
        return OK;
    case LIST_PINNED: /* below, but the log needs it here */
        return lower_reread(c, *page);
    default:
        page_lose(c, *page);
        return E_LOST;
    }
}

void page_lose(struct cache *c, uint32_t page)
{
    struct page *p = &c->page[page];
    p->flags |= PAGE_LOST;
    p->object->error = E_LOST;
    c->error = E_LOST;
    plat_report(REPORT_LOST, c->mem.frame[page].oid, c->mem.frame[page].block);
}
