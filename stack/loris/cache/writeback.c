/*
 * Write-back: dirty pages go down in batches, oldest change first. A page is verified before it
 * goes; one whose content is lost goes down as the mark "known lost" instead.
 *
 * After a second death of a layer below since the last checkpoint a batch has one page, so that the
 * one which kills is known. A page in flight at K deaths is given up: the mark goes down for it.
 */
#include "cache.h"

#include "proto.h"

#define ROUNDS 4u

static uint32_t window(const struct cache *c)
{
    return c->deaths >= 2 ? 1 : OBJECT_BATCH_MAX_BLOCKS;
}

void poison_read_only(struct cache *c)
{
    if (!c->read_only)
        plat_report(REPORT_READ_ONLY, 0, 0);
    c->read_only = true;
}

void poison_skipped(struct cache *c, uint64_t lsn, uint64_t oid)
{
    plat_report(REPORT_SKIPPED, lsn, oid);
    if (++c->skips > CACHE_SKIPS_MAX)
        poison_read_only(c);
}

/* A page that was in flight at K deaths is skipped: from now on its mark goes down instead. False
 * if that was in flight at K more: then nothing of it does, and its object becomes unreadable. */
static bool judge(struct cache *c, uint32_t page)
{
    struct page *p = &c->page[page];
    if (is_poison(c, p->attempts, 2)) {
        poison_read_only(c);
        p->flags |= PAGE_UNMARKED;
        p->object->lost = true;
        p->object->marked = true;
        object_mark_dirty(c, p->object);
        return false;
    }
    if (!is_poison(c, p->attempts, 1) || (p->flags & PAGE_LOST) != 0)
        return true;
    poison_skipped(c, c->mem.frame[page].lsn, c->mem.frame[page].oid);
    p->attempts = (uint8_t)c->options.tries;
    page_lose(c, page);
    return true;
}

/*
 * Whether a page must not go in place. Its object's size goes down with the checkpoint only; a
 * block that lies across the smallest size since the last one would, after a power cut, show a
 * later cut or growth under the older size: bytes that this place never had.
 */
static bool must_shadow(const struct cache *c, const struct object *o, uint64_t block)
{
    bool resized = o->size != o->saved_size || o->low_size != o->saved_size;
    return c->shadow_all ||
           (resized && o->low_size % BLOCK_BYTES != 0 && block == o->low_size / BLOCK_BYTES);
}

/* Entry and span of one page. */
static void put_entry(struct cache *c, uint32_t page, uint32_t k, struct plat_span *span)
{
    struct frame *f = &c->mem.frame[page];
    struct page *p = &c->page[page];
    if ((p->flags & PAGE_LOST) == 0 && !page_sound(c, page))
        page_lose(c, page);
    bool lost = (p->flags & PAGE_LOST) != 0;
    if (!lost && page_unsummed(c, page))
        page_sum(c, page);
    span->base = lost ? c->zero_page : page_data(c, page);
    span->bytes = BLOCK_BYTES;
    struct object_write_entry entry = {.oid = f->oid,
                                       .block = f->block,
                                       .lsn = f->lsn,
                                       .crc = f->crc,
                                       .status = UNANSWERED,
                                       .flags = lost ? OBJECT_LOST_BLOCKS : 0};
    bool whole = (p->flags & PAGE_WHOLE) != 0 && !PLANTED(PLANTED_TXN_IN_PLACE);
    if (!lost && (whole || must_shadow(c, p->object, f->block)))
        entry.flags = OBJECT_SHADOW;
    if (!lost && (p->flags & PAGE_HOLE) != 0)
        entry.flags |= OBJECT_HOLE;
    object_write_entry_encode(c->meta + (size_t)k * OBJECT_ENTRY_BYTES, &entry);
    p->attempts++;
    plat_page_state(page_data(c, page), PAGE_WRITING);
}

/* The page is below: it stays in memory while the log needs it. */
static void written(struct cache *c, uint32_t page)
{
    struct page *p = &c->page[page];
    page_list_take(c, page);
    if ((p->flags & PAGE_UNMARKED) != 0)
        return; /* in no list: it stays, so that no older version is read in its place */
    if ((p->flags & PAGE_LOST) != 0 && !c->log_on) {
        page_drop(c, page); /* the layers below know */
        return;
    }
    p->flags &= (uint8_t)~PAGE_REFUSED;
    if (!c->log_on)
        p->flags &= (uint8_t)~PAGE_WHOLE;
    page_list_put(c, page, c->log_on ? LIST_PINNED : LIST_CLEAN);
    plat_page_state(page_data(c, page), PAGE_CLEAN);
}

/* What became of one page of the batch; not OK: it stays dirty. */
static enum err settle(struct cache *c, uint32_t page, enum err status)
{
    struct page *p = &c->page[page];
    p->attempts--;
    if (status == OK) {
        written(c, page);
        return OK;
    }
    if ((p->flags & PAGE_LOST) != 0 && !lower_short(status)) {
        p->flags |= PAGE_UNMARKED;
        written(c, page);
        return OK;
    }
    if (status == E_NOENT || ((p->flags & PAGE_REFUSED) != 0 && !lower_short(status)))
        page_lose(c, page); /* no disk takes it: the mark goes down instead */
    p->flags |= lower_short(status) ? 0 : PAGE_REFUSED;
    plat_page_state(page_data(c, page), PAGE_DIRTY);
    page_list_take(c, page); /* last: the others get their turn */
    page_list_put(c, page, LIST_DIRTY);
    return lower_answer(status);
}

static enum err send_batch(struct cache *c, const struct plat_span *span, uint32_t count,
                           uint32_t flags)
{
    struct object_request r = {
        .op = OBJECT_WRITE, .flags = flags, .length = (uint64_t)count * BLOCK_BYTES};
    r.oid = c->mem.frame[c->batch[0]].oid;
    r.lsn = c->mem.frame[c->batch[0]].lsn;
    r.grant_data = proto_grant_spans(c->logical, span, count, PLAT_GRANT_READ);
    r.grant_meta = proto_grant(c->logical, c->meta, (size_t)count * OBJECT_ENTRY_BYTES,
                               PLAT_GRANT_READ | PLAT_GRANT_WRITE);
    struct object_reply reply = {0};
    enum err e = lower_call(c, &r, &reply);
    plat_revoke(r.grant_data);
    plat_revoke(r.grant_meta);
    if (e != E_SESSION && (reply.flags & OBJECT_NEED_CHECKPOINT) != 0)
        c->want_checkpoint = true;
    return e;
}

enum err writeback_batch(struct cache *c, uint32_t *done)
{
    struct plat_span span[OBJECT_BATCH_MAX_BLOCKS];
    uint32_t most = window(c);
    uint32_t count = 0;
    uint32_t next = c->list[LIST_DIRTY].first;
    while (next != 0 && count < most) {
        uint32_t p = next;
        next = c->page[p].next;
        if (!judge(c, p)) {
            written(c, p);
            continue;
        }
        c->batch[count] = p;
        put_entry(c, p, count, &span[count]);
        count++;
    }
    if (count == 0)
        return OK;
    enum err e = send_batch(c, span, count, c->replaying ? OBJECT_REPLAY : 0);
    if (lower_short(e)) { /* reserved when it was acknowledged */
        c->want_checkpoint = true;
        e = send_batch(c, span, count, OBJECT_REPLAY);
    }
    if (e == E_SESSION)
        return e; /* attempts stay counted; all stay dirty */
    enum err result = OK;
    for (uint32_t k = 0; k < count; k++) {
        struct object_write_entry entry;
        object_write_entry_decode(&entry, c->meta + (size_t)k * OBJECT_ENTRY_BYTES);
        enum err status = (enum err)entry.status;
        if (status == UNANSWERED) /* the request as a whole was refused */
            status = e == OK ? E_INVAL : e;
        status = settle(c, c->batch[k], status);
        *done += status == OK ? 1 : 0;
        result = result == OK ? status : result;
    }
    return result;
}

enum err writeback_all(struct cache *c, uint32_t *done)
{
    /* Again for those that were refused (a flip on the way), then for the marks of those that were
     * refused again; only a shortage of space leaves any. */
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t target = c->list[LIST_DIRTY].count;
        uint32_t sent = 0;
        enum err result = OK;
        while (sent < target && c->list[LIST_DIRTY].count > 0) {
            uint32_t before = *done;
            enum err e = writeback_batch(c, done);
            if (e == E_SESSION)
                return e;
            result = result == OK ? e : result;
            sent += e == OK ? *done - before : window(c);
        }
        if (c->list[LIST_DIRTY].count == 0)
            return OK;
        if (round == ROUNDS - 1)
            return result == OK ? E_MEDIA : result;
    }
    return OK;
}
