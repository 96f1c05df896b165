/*
 * Calls to logical: the session, what a dead or confused layer below means, and reads of pages.
 */
#include "cache.h"

#include "proto.h"

/* What came of a call: its reply; E_SESSION where a layer below is dead or confused. */
static enum err conclude(struct cache *c, enum err e, const struct msg *m,
                         struct object_reply *reply)
{
    if (e == E_TIMEOUT)
        plat_kill(LAYER_LOGICAL, 0);
    if (e == OK) {
        object_reply_unpack(reply, m);
        e = (enum err)m->status;
        if ((reply->flags & OBJECT_NEED_CHECKPOINT) != 0)
            c->want_checkpoint = true;
        if ((reply->flags & OBJECT_LESS_ROOM) != 0)
            c->free_blocks = 0; /* the next reservation asks anew */
    }
    if (e == E_DEAD || e == E_SESSION || e == E_TIMEOUT) {
        c->need_recovery = true;
        c->deaths++;
        return E_SESSION;
    }
    return e;
}

enum err lower_call(struct cache *c, struct object_request *r, struct object_reply *reply)
{
    if (c->need_recovery || c->preparing)
        return E_SESSION;
    r->session = c->session;
    struct msg m;
    object_request_pack(&m, ++c->next_id, r);
    enum err e = proto_call(c->logical, &m, plat_now() + CACHE_CALL_NS);
    return conclude(c, e, &m, reply);
}

static bool is_request(const struct msg *m)
{
    return PROTO_OF(m->type) == PROTO_OBJECT && (m->type & PROTO_REPLY) == 0;
}

/* One message while logical is at work. True and *m: its answer to *m. */
static bool attend(struct cache *c, struct msg *m, uint64_t deadline, bool *look, enum err *e)
{
    bool room = c->held_count + CACHE_ENVS < CACHE_HELD_MAX; /* as many may wake and be held */
    struct msg in;
    *e = proto_receive(room ? ENDPOINT_ANY : c->logical, &in, deadline);
    if (*e != OK)
        return false;
    bool same = in.type == (m->type | PROTO_REPLY) && in.id == m->id;
    if (in.source == c->logical && (same || PLANTED(PLANTED_STALE_REPLY))) {
        *m = in;
        return true;
    }
    if (in.source == ENDPOINT_DS) {
        *look = true;
        *e = plat_lookup(LAYER_LOGICAL, 0) == c->logical ? OK : E_DEAD;
    } else if (is_request(&in)) {
        serve(c, &in);
        serve_wake(c);
    }
    return false;
}

enum err lower_call_serving(struct cache *c, struct object_request *r, struct object_reply *reply)
{
    ASSERT(c->preparing);
    if (c->need_recovery)
        return E_SESSION;
    r->session = c->session;
    struct msg m;
    object_request_pack(&m, ++c->next_id, r);
    uint64_t deadline = plat_now() + CACHE_CALL_NS;
    bool look = false;
    enum err e = plat_post(c->logical, &m);
    if (e == E_FULL)
        e = plat_send(c->logical, &m);
    while (e == OK && !attend(c, &m, deadline, &look, &e))
        continue;
    e = conclude(c, e, &m, reply);
    if (look)
        lower_check(c);
    return e;
}

void lower_note(struct cache *c)
{
    for (uint32_t k = 0; k < c->options.disks && k < DISKS_MAX; k++)
        c->physical[k] = plat_lookup(LAYER_PHYSICAL, k);
}

void lower_check(struct cache *c)
{
    if (plat_lookup(LAYER_LOGICAL, 0) != c->logical)
        c->need_recovery = true;
    for (uint32_t k = 0; k < c->options.disks && k < DISKS_MAX; k++) {
        uint32_t known = c->physical[k];
        if (known != ENDPOINT_NONE && plat_lookup(LAYER_PHYSICAL, k) != known)
            c->need_recovery = true;
    }
}

enum err lower_statfs(struct cache *c)
{
    struct object_request r = {.op = OBJECT_STATFS};
    struct object_reply reply;
    enum err e = lower_call(c, &r, &reply);
    if (e != OK)
        return e;
    c->capacity_blocks = reply.size;
    c->free_blocks = reply.blocks;
    return OK;
}

/* Bytes beyond the object's end may be a later version's that was written in place before a power
 * cut: they are zero from here on. */
static void clear_tail(struct cache *c, const struct object *o, uint32_t page, uint64_t block)
{
    uint64_t start = block * BLOCK_BYTES;
    if (o->size >= start + BLOCK_BYTES)
        return;
    size_t keep = o->size > start ? (size_t)(o->size - start) : 0;
    memset(page_data(c, page) + keep, 0, BLOCK_BYTES - keep);
    if (c->eager || c->lazy)
        page_sum(c, page);
}

/* Whether a block that has arrived in a frame is good. */
static enum err check_arrival(struct cache *c, uint32_t page, uint32_t k)
{
    struct object_block_meta meta;
    object_block_meta_decode(&meta, c->meta + (size_t)k * OBJECT_META_BYTES);
    if (meta.status != OK)
        return meta.status == UNANSWERED ? E_INVAL : (enum err)meta.status;
    if ((meta.flags & 1) != 0)
        memset(page_data(c, page), 0, BLOCK_BYTES);
    c->mem.frame[page].crc = meta.crc;
    if (c->lazy)
        c->mem.frame[page].state |= FRAME_SUMMED;
    return page_sound(c, page) ? OK : E_CORRUPT;
}

/* One READ into `count` frames; the metadata come into c->meta. OK: each block has its status. */
static enum err read_frames(struct cache *c, uint64_t oid, uint64_t first, const uint32_t *page,
                            uint32_t count)
{
    ASSERT(count > 0 && count <= OBJECT_IO_MAX_BLOCKS);
    struct plat_span span[OBJECT_IO_MAX_BLOCKS];
    for (uint32_t k = 0; k < count; k++)
        span[k] = (struct plat_span){.base = page_data(c, page[k]), .bytes = BLOCK_BYTES};
    uint32_t meta_bytes = count * OBJECT_META_BYTES;
    static const struct object_block_meta unanswered = {.status = UNANSWERED};
    for (uint32_t k = 0; k < count; k++)
        object_block_meta_encode(c->meta + (size_t)k * OBJECT_META_BYTES, &unanswered);
    struct object_request r = {.op = OBJECT_READ,
                               .oid = oid,
                               .offset = first * BLOCK_BYTES,
                               .length = (uint64_t)count * BLOCK_BYTES};
    r.grant_data = proto_grant_spans(c->logical, span, count, PLAT_GRANT_WRITE);
    r.grant_meta = proto_grant(c->logical, c->meta, meta_bytes, PLAT_GRANT_WRITE);
    struct object_reply reply;
    enum err e = lower_call(c, &r, &reply);
    if (!PLANTED(PLANTED_GRANT_KEPT))
        plat_revoke(r.grant_data);
    plat_revoke(r.grant_meta);
    struct object_block_meta meta; /* one bad block makes the answer an error: each has its own */
    object_block_meta_decode(&meta, c->meta);
    if (e != E_SESSION && meta.status != UNANSWERED)
        return OK;
    return e == OK ? E_INVAL : e;
}

/* Keeps or frees the frames of one read; the status of the first. */
static enum err keep_frames(struct cache *c, struct object *o, uint64_t first, const uint32_t *page,
                            uint32_t count)
{
    enum err result = OK;
    for (uint32_t k = 0; k < count; k++) {
        enum err e = check_arrival(c, page[k], k);
        if (e != OK) {
            page_free(c, page[k]);
            result = k == 0 ? e : result;
            continue;
        }
        page_insert(c, page[k], o, first + k, 0);
        clear_tail(c, o, page[k], first + k);
        page_list_put(c, page[k], LIST_CLEAN);
        plat_page_state(page_data(c, page[k]), PAGE_CLEAN);
    }
    return result;
}

enum err lower_read(struct cache *c, struct object *o, uint64_t first, uint32_t count)
{
    if (c->preparing)
        return E_SESSION; /* before pages are given up for it */
    uint32_t page[OBJECT_IO_MAX_BLOCKS];
    uint32_t most = c->mem.frames / 4;
    count = count < most ? count : most;
    ASSERT(count > 0 && count <= OBJECT_IO_MAX_BLOCKS);
    enum err e = OK;
    for (uint32_t tries = 0; tries < 2; tries++) { /* a flip on the way: once more, alone */
        count = tries == 0 ? count : 1;
        uint32_t have = 0;
        while (have < count) {
            page[have] = have == 0 ? frame_get(c, &e) : page_alloc(c);
            if (page[have] == 0)
                break;
            have++;
        }
        if (have == 0)
            return e;
        e = read_frames(c, o->oid, first, page, have);
        if (e == OK) {
            e = keep_frames(c, o, first, page, have);
        } else {
            for (uint32_t k = 0; k < have; k++)
                page_free(c, page[k]);
        }
        if (e != E_CORRUPT)
            break;
    }
    return e;
}

enum err lower_reread(struct cache *c, uint32_t page)
{
    struct frame *f = &c->mem.frame[page];
    uint32_t crc = f->crc;
    enum err e = read_frames(c, f->oid, f->block, &page, 1);
    if (e == E_SESSION)
        return e;
    if (e == OK)
        e = check_arrival(c, page, 0);
    /* The tail was cleared after the checksum came: compare what the page was. */
    if (e == OK)
        clear_tail(c, c->page[page].object, page, f->block);
    if (e == OK && f->crc == crc)
        return OK;
    f->crc = crc;
    page_lose(c, page);
    return E_LOST;
}
