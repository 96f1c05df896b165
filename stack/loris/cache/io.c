/*
 * Reads and writes of byte ranges. A transaction writes into private copies of pages; a page is
 * copied once from the client's grant into its frame, and once from the committed page if it is
 * written in part.
 *
 * Everything that can fail or be interrupted comes before the change: a request that is run again
 * after a recovery finds the state it expects.
 */
#include "cache.h"

static uint64_t blocks_of(uint64_t size)
{
    return (size + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

/* How many blocks to fetch from `block` on: what the request still wants, and some more if the
 * object is read in order; none that is in memory already. */
static uint32_t cluster(const struct cache *c, const struct object *o, uint64_t block,
                        uint64_t wanted)
{
    uint64_t blocks = (o->size + BLOCK_BYTES - 1) / BLOCK_BYTES;
    uint64_t most = wanted;
    if (block != 0 && block == o->read_next)
        most += CACHE_READ_AHEAD;
    if (most > OBJECT_IO_MAX_BLOCKS)
        most = OBJECT_IO_MAX_BLOCKS;
    if (most > blocks - block)
        most = blocks - block;
    uint32_t count = 1;
    while (count < most && page_find(c, o->oid, block + count, 0) == 0)
        count++;
    return count;
}

/*
 * The committed page of a block inside the object, sound. `change`: it will be the base of a
 * partial write, whose checksum would bless a flip: lazy checksums are verified too. OK, E_LOST,
 * E_SESSION, from below.
 */
static enum err committed_page(struct cache *c, struct object *o, uint64_t block, uint64_t wanted,
                               bool change, uint32_t *page)
{
    ASSERT(block * BLOCK_BYTES < o->size);
    uint32_t p = page_find(c, o->oid, block, 0);
    if (p != 0 && (c->page[p].flags & PAGE_LOST) != 0)
        return E_LOST;
    if (p != 0 && (c->eager || change) && !page_sound(c, p)) {
        enum err e = page_mend(c, &p);
        if (e != OK)
            return e;
    }
    if (p == 0) {
        enum err e = lower_read(c, o, block, cluster(c, o, block, wanted));
        if (e != OK)
            return e;
        p = page_find(c, o->oid, block, 0);
        ASSERT(p != 0);
    }
    page_touch(c, p);
    *page = p;
    return OK;
}

/* The page that this transaction (or, without one, everybody) sees; 0: a hole. In a user
 * transaction a request sees its own changes, then those of the requests before it. */
static enum err seen_page(struct cache *c, struct env *env, struct object *o, uint64_t block,
                          uint64_t wanted, bool change, uint32_t *page)
{
    *page = 0;
    for (const struct hold *h = env != NULL ? o->hold : NULL; h != NULL; h = h->under) {
        uint32_t p = h->first_page != 0 ? page_find(c, o->oid, block, h->env + 1) : 0;
        if (p != 0) {
            *page = p;
            return page_sound(c, p) ? OK : E_LOST;
        }
        if (h->truncated && block >= blocks_of(h->min_size))
            return OK;
    }
    if (block >= blocks_of(o->size))
        return OK;
    return committed_page(c, o, block, wanted, change, page);
}

enum err io_read(struct cache *c, struct env *env, struct object *o, const struct object_request *r,
                 uint32_t source, uint32_t *moved)
{
    uint64_t size = txn_size(env, o);
    *moved = 0;
    if (r->offset >= size)
        return OK;
    uint64_t length = r->length < size - r->offset ? r->length : size - r->offset;
    if (length > CACHE_IO_MAX_BYTES)
        return E_INVAL;
    uint64_t last = length == 0 ? 0 : (r->offset + length - 1) / BLOCK_BYTES;
    uint64_t done = 0;
    while (done < length) {
        uint64_t at = r->offset + done;
        uint64_t block = at / BLOCK_BYTES;
        size_t in_page = (size_t)(at % BLOCK_BYTES);
        size_t bytes = BLOCK_BYTES - in_page;
        if (bytes > length - done)
            bytes = (size_t)(length - done);
        uint32_t page;
        enum err e = seen_page(c, env, o, block, last - block + 1, false, &page);
        if (e != OK)
            return e;
        const uint8_t *data = page != 0 ? page_data(c, page) : c->zero_page;
        e = plat_copy_out(source, r->grant_data, (size_t)done, data + in_page, bytes);
        if (e != OK)
            return e == E_DEAD ? E_DEAD : E_INVAL;
        done += bytes;
    }
    o->read_next = last + 1;
    *moved = (uint32_t)length;
    return OK;
}

void hold_link(struct cache *c, struct hold *h, uint32_t page)
{
    struct page *p = &c->page[page];
    p->obj_prev = h->last_page;
    p->obj_next = 0;
    if (h->last_page != 0)
        c->page[h->last_page].obj_next = page;
    else
        h->first_page = page;
    h->last_page = page;
    h->page_count++;
}

void hold_unlink(struct cache *c, struct hold *h, uint32_t page)
{
    const struct page *p = &c->page[page];
    if (p->obj_prev != 0)
        c->page[p->obj_prev].obj_next = p->obj_next;
    else
        h->first_page = p->obj_next;
    if (p->obj_next != 0)
        c->page[p->obj_next].obj_prev = p->obj_prev;
    else
        h->last_page = p->obj_prev;
    ASSERT(h->page_count > 0);
    h->page_count--;
}

/*
 * The transaction's own page of a block, made if there is none. `whole`: its content will be
 * overwritten, what it was does not matter; else it is what the transaction sees.
 */
static enum err private_page(struct cache *c, struct env *env, struct object *o, uint64_t block,
                             bool whole, uint32_t *page)
{
    ASSERT(o->hold != NULL);
    uint32_t p = page_find(c, o->oid, block, env->index + 1u);
    *page = p;
    if (p != 0)
        return whole || page_sound(c, p) ? OK : E_LOST;
    bool inside = (o->flags & OBJECT_META) != 0 && block < o->size / BLOCK_BYTES;
    enum err e = user_room(c, env);
    if (e == OK)
        e = credit_reserve(c, 1, inside);
    if (e != OK)
        return e;
    p = frame_get(c, &e);
    if (p == 0)
        return e;
    uint32_t base = 0;
    if (!whole)
        e = seen_page(c, env, o, block, 1, true, &base);
    if (e != OK) {
        page_free(c, p);
        return e;
    }
    if (base != 0)
        plat_copy(page_data(c, p), page_data(c, base), BLOCK_BYTES);
    else
        memset(page_data(c, p), 0, whole ? 0 : BLOCK_BYTES);
    page_insert(c, p, o, block, env->index + 1u);
    hold_link(c, o->hold, p);
    if (base != 0 || !whole)
        page_seal_content(c, p);
    plat_page_state(page_data(c, p), PAGE_DIRTY);
    env->pages++;
    c->private_pages++;
    *page = p;
    return OK;
}

/*
 * Before the object grows to `to` bytes by a change that begins at `from`: its last page, if it is
 * partly used and not changed anyway, becomes part of the change, so that its cleared tail reaches
 * the disk too.
 */
static enum err settle_tail(struct cache *c, struct env *env, struct object *o, uint64_t from)
{
    uint64_t size = txn_size(env, o);
    if (size % BLOCK_BYTES == 0 || from / BLOCK_BYTES == size / BLOCK_BYTES || from < size)
        return OK;
    uint32_t page;
    return private_page(c, env, o, size / BLOCK_BYTES, false, &page);
}

/* Copies one page's part of a write. */
static enum err write_page(struct cache *c, struct env *env, struct object *o,
                           const struct object_request *r, uint32_t source, uint64_t done,
                           size_t *bytes)
{
    uint64_t at = r->offset + done;
    size_t in_page = (size_t)(at % BLOCK_BYTES);
    *bytes = BLOCK_BYTES - in_page;
    if (*bytes > r->length - done)
        *bytes = (size_t)(r->length - done);
    bool to_end = at + *bytes >= txn_size(env, o); /* nothing of the old lies behind it */
    bool whole = in_page == 0 && (*bytes == BLOCK_BYTES || to_end);
    uint32_t page;
    enum err e = private_page(c, env, o, at / BLOCK_BYTES, whole, &page);
    if (e != OK)
        return e;
    e = plat_copy_in(source, r->grant_data, (size_t)done, page_data(c, page) + in_page, *bytes);
    if (whole && *bytes < BLOCK_BYTES)
        memset(page_data(c, page) + *bytes, 0, BLOCK_BYTES - *bytes);
    page_seal_content(c, page);
    if (whole && *bytes == BLOCK_BYTES && (r->flags & OBJECT_HOLE) != 0)
        c->page[page].flags |= PAGE_HOLE;
    else
        c->page[page].flags &= (uint8_t)~PAGE_HOLE;
    return e;
}

enum err io_write(struct cache *c, struct env *env, struct object *o,
                  const struct object_request *r, uint32_t source, uint32_t *moved)
{
    struct hold *h = o->hold;
    ASSERT(h != NULL);
    *moved = 0;
    if (r->length > CACHE_IO_MAX_BYTES)
        return E_INVAL;
    if (r->offset > OBJECT_SIZE_MAX || r->length > OBJECT_SIZE_MAX - r->offset)
        return E_FBIG;
    if (r->length == 0)
        return OK;
    enum err e = settle_tail(c, env, o, r->offset);
    uint64_t done = 0;
    while (e == OK && done < r->length) {
        size_t bytes;
        e = write_page(c, env, o, r, source, done, &bytes);
        if (e == E_DEAD || e == E_INVAL) { /* a page is half changed: none of it may stay */
            env->broken = true;
            return e;
        }
        done += e == OK ? bytes : 0;
    }
    if (e != OK)
        return e;
    if (r->offset + r->length > h->size) {
        h->size = r->offset + r->length;
        h->size_set = true;
    }
    *moved = (uint32_t)r->length;
    return OK;
}

/* Zeroes what a shorter object no longer has of its last page. */
static enum err cut_tail(struct cache *c, struct env *env, struct object *o, uint64_t size)
{
    if (size % BLOCK_BYTES == 0)
        return OK;
    uint32_t page;
    enum err e = private_page(c, env, o, size / BLOCK_BYTES, false, &page);
    if (e != OK)
        return e;
    size_t keep = (size_t)(size % BLOCK_BYTES);
    memset(page_data(c, page) + keep, 0, BLOCK_BYTES - keep);
    page_seal_content(c, page);
    return OK;
}

enum err io_truncate(struct cache *c, struct env *env, struct object *o, uint64_t size)
{
    struct hold *h = o->hold;
    ASSERT(h != NULL);
    if (size > OBJECT_SIZE_MAX)
        return E_FBIG;
    if (size == h->size)
        return OK;
    enum err e = size < h->size ? cut_tail(c, env, o, size) : settle_tail(c, env, o, UINT64_MAX);
    if (e != OK)
        return e;
    uint64_t keep = (size + BLOCK_BYTES - 1) / BLOCK_BYTES;
    uint32_t page = size < h->size ? h->first_page : 0;
    while (page != 0) {
        uint32_t next = c->page[page].obj_next;
        if (c->mem.frame[page].block >= keep) {
            hold_unlink(c, h, page);
            page_drop(c, page);
            ASSERT(env->pages > 0 && c->private_pages > 0);
            env->pages--;
            c->private_pages--;
        }
        page = next;
    }
    if (size < h->min_size) {
        h->min_size = size;
        h->truncated = true;
    }
    h->size = size;
    h->size_set = true;
    return OK;
}
