/*
 * Requests of clients: split into one part a disk, sent, joined, answered. Data pass through pages
 * of our own, so that a mirror is written to the end even if the client dies, and a driver's death
 * is nobody else's business.
 */
#include "assertion.h"
#include "mem.h"
#include "raid.h"

/* ---- Pools ---- */

static bool add_pages(struct raid *r)
{
    uint8_t *page = plat_alloc((size_t)PAGE_CHUNK * BLOCK_BYTES, TAG_PAGES);
    if (page == NULL)
        return false;
    for (uint32_t k = PAGE_CHUNK; k-- > 0;) {
        uint8_t *at = page + (size_t)k * BLOCK_BYTES;
        memcpy(at, &r->free_pages, sizeof(r->free_pages));
        r->free_pages = at;
    }
    return true;
}

static void put_pages(struct raid *r, struct request *q)
{
    while (q->pages > 0) {
        uint8_t *at = q->page[--q->pages];
        memcpy(at, &r->free_pages, sizeof(r->free_pages));
        r->free_pages = at;
    }
}

bool request_get_pages(struct raid *r, struct request *q, uint32_t count)
{
    ASSERT(count <= PAGES_A_REQUEST);
    ASSERT(q->pages == 0);
    while (q->pages < count) {
        if (r->free_pages == NULL && !add_pages(r)) {
            put_pages(r, q);
            return false;
        }
        uint8_t *at = r->free_pages;
        memcpy(&r->free_pages, at, sizeof(r->free_pages));
        q->page[q->pages++] = at;
    }
    return true;
}

struct request *request_take(struct raid *r, enum kind kind, enum block_op op)
{
    uint32_t limit = kind == KIND_CLIENT ? REQUESTS_MAX - DISKS_MAX - 1 : REQUESTS_MAX;
    for (uint32_t k = 0; k < limit; k++) { /* the last ones are for the RAID's own */
        struct request *q = &r->request[limit - 1 - k];
        if (q->used)
            continue;
        q->used = true;
        q->kind = kind;
        q->op = op;
        q->fua = q->waiting = false;
        q->first = 0;
        q->count = q->pages = q->parts = 0;
        q->columns = q->columns_ok = 0;
        q->status = OK;
        q->order = ++r->next_order;
        return q;
    }
    return NULL;
}

/* ---- To and from the disks ---- */

static uint8_t *place(const struct request *q, uint64_t sector, uint64_t base)
{
    uint64_t offset = sector - base;
    ASSERT(offset / SECTORS_A_BLOCK < q->pages);
    return q->page[offset / SECTORS_A_BLOCK] + offset % SECTORS_A_BLOCK * SECTOR_BYTES;
}

uint32_t request_spans(const struct raid *r, const struct part *p, struct plat_span *span)
{
    const struct request *q = p->request;
    uint64_t base = q->first / SECTORS_A_BLOCK * SECTORS_A_BLOCK;
    uint32_t spans = 0;
    for (uint64_t s = p->first; s < p->first + p->count;) {
        uint64_t sector = q->kind == KIND_BITMAP ? s : raid_volume_sector(r, p->column, s);
        uint64_t in_block = SECTORS_A_BLOCK - sector % SECTORS_A_BLOCK;
        uint64_t left = p->first + p->count - s;
        uint64_t sectors = in_block < left ? in_block : left;
        uint8_t *at = place(q, sector, base);
        size_t bytes = (size_t)sectors * SECTOR_BYTES;
        if (spans > 0 && (uint8_t *)span[spans - 1].base + span[spans - 1].bytes == at)
            span[spans - 1].bytes += bytes;
        else
            span[spans++] = (struct plat_span){.base = at, .bytes = bytes};
        ASSERT(spans <= PLAT_SPANS_MAX);
        s += sectors;
    }
    return spans;
}

static void send_part(struct raid *r, struct part *p)
{
    struct plat_span span[PLAT_SPANS_MAX + 1];
    struct member *m = r->member[p->disk];
    const struct request *q = p->request;
    uint64_t sector = q->kind == KIND_BITMAP ? p->first : raid_disk_sector(p->first);
    uint32_t spans = 0;
    if (q->op == BLOCK_FLUSH)
        sector = 0;
    else
        spans = request_spans(r, p, span);
    if (m->flights == 0)
        m->heard_ns = plat_now();
    p->slot = block_submit(&m->client, q->op, sector, q->fua, span, spans);
    m->flight[m->flights++] = p;
}

static void send_queued(struct raid *r, uint32_t disk)
{
    struct member *m = r->member[disk];
    while (m->queue != NULL && m->flights < PARTS_A_DISK) {
        struct part *p = m->queue;
        m->queue = p->next;
        if (m->queue == NULL)
            m->queue_end = &m->queue;
        send_part(r, p);
    }
}

void request_add_part(struct raid *r, struct request *q, uint32_t disk, uint32_t column,
                      uint64_t first, uint32_t count)
{
    struct member *m = r->member[disk];
    struct part *p = r->free_parts;
    ASSERT(p != NULL); /* PARTS_MAX = requests x disks */
    r->free_parts = p->next;
    *p =
        (struct part){.request = q, .disk = disk, .column = column, .first = first, .count = count};
    q->parts++;
    q->columns |= 1u << column;
    *m->queue_end = p;
    m->queue_end = &p->next;
    send_queued(r, disk);
}

/* ---- Answers ---- */

static void reply_to(const struct request *q, enum err status)
{
    struct msg request = {.source = q->client, .type = q->type, .id = q->client_id};
    struct msg reply = {0};
    proto_reply(&request, status, &reply);
}

/* Moves a page-sized piece at a time between the client's grant and our pages. */
static enum err copy_pages(struct request *q, bool in)
{
    uint64_t base = q->first / SECTORS_A_BLOCK * SECTORS_A_BLOCK;
    for (uint64_t s = q->first; s < q->first + q->count;) {
        uint64_t in_block = SECTORS_A_BLOCK - s % SECTORS_A_BLOCK;
        uint64_t left = q->first + q->count - s;
        uint64_t sectors = in_block < left ? in_block : left;
        uint8_t *at = place(q, s, base);
        size_t offset = (size_t)(s - q->first) * SECTOR_BYTES;
        size_t bytes = (size_t)sectors * SECTOR_BYTES;
        enum err e = in ? plat_copy_in(q->client, q->grant, offset, at, bytes)
                        : plat_copy_out(q->client, q->grant, offset, at, bytes);
        if (e != OK)
            return E_INVAL;
        s += sectors;
    }
    return OK;
}

/* Calls fn for the piece of the request in each column. */
typedef void piece_fn(struct raid *r, struct request *q, uint32_t column, uint64_t first,
                      uint32_t count);

static void each_column(struct raid *r, struct request *q, piece_fn *fn)
{
    for (uint32_t c = 0; c < r->columns; c++) {
        uint64_t from = raid_column_sector(r, c, q->first);
        uint64_t to = raid_column_sector(r, c, q->first + q->count);
        if (to > from)
            fn(r, q, c, from, (uint32_t)(to - from));
    }
}

static void end_bits(struct raid *r, struct request *q, uint32_t column, uint64_t first,
                     uint32_t count)
{
    (void)q;
    bitmap_end(r, column, first, count);
}

static void finish_client(struct raid *r, struct request *q)
{
    enum err status = q->status;
    if (status == OK && q->columns_ok != q->columns)
        status = E_MEDIA;
    if (q->op == BLOCK_WRITE)
        each_column(r, q, end_bits);
    if (q->op == BLOCK_READ && status == OK)
        status = copy_pages(q, false);
    if (q->client != ENDPOINT_NONE) /* else a fence has ended it */
        reply_to(q, status);
}

static void finish(struct raid *r, struct request *q)
{
    ASSERT(q->used && q->parts == 0);
    put_pages(r, q);
    q->used = false;
    if (q->kind == KIND_BITMAP)
        bitmap_written(r, q);
    else if (q->kind == KIND_SWEEP)
        bitmap_swept(r, q);
}

static void end_part(struct raid *r, struct part *p)
{
    struct request *q = p->request;
    p->next = r->free_parts;
    r->free_parts = p;
    ASSERT(q->parts > 0);
    if (--q->parts > 0)
        return;
    if (q->kind == KIND_CLIENT)
        finish_client(r, q);
    finish(r, q);
}

/* One disk has answered a part for good. */
static void take_answer(struct raid *r, struct part *p, enum err e)
{
    struct request *q = p->request;
    if (e == E_INVAL) {
        q->status = E_INVAL;
    } else if (e != OK && q->op == BLOCK_READ) {
        e = repair_read(r, p);
    } else if (e != OK) {
        repair_fail(r, p->disk, e);
    }
    if (e == OK)
        q->columns_ok |= 1u << p->column;
    end_part(r, p);
}

void request_reap(struct raid *r, uint32_t disk)
{
    struct member *m = r->member[disk];
    for (uint32_t k = 0; k < m->flights;) {
        struct part *p = m->flight[k];
        if (!m->client.pending[p->slot].done) {
            k++;
            continue;
        }
        enum err e = block_wait(&m->client, p->slot);
        m->heard_ns = plat_now();
        m->flight[k] = m->flight[--m->flights];
        take_answer(r, p, e);
        k = 0; /* whatever that led to may have changed the list */
    }
    send_queued(r, disk);
}

void request_reap_all(struct raid *r)
{
    for (uint32_t d = 0; d < r->disks; d++)
        request_reap(r, d);
}

/* ---- Starting ---- */

/* Which member to read from: the only one that may be, else the less busy one. */
static uint32_t choose_copy(const struct raid *r, uint32_t column, uint64_t first, uint32_t count)
{
    uint32_t a = raid_disk(r, column, 0), b = raid_disk(r, column, r->copies - 1);
    if (!r->member[a]->usable)
        return b;
    if (!r->member[b]->usable)
        return a;
    if (bitmap_is_unsynced(r, column, first, count))
        return r->column[column].source;
    if (r->member[a]->flights != r->member[b]->flights)
        return r->member[a]->flights < r->member[b]->flights ? a : b;
    return (first / r->super.chunk_sectors & 1) == 0 ? a : b;
}

static void start_piece(struct raid *r, struct request *q, uint32_t column, uint64_t first,
                        uint32_t count)
{
    q->columns |= 1u << column;
    if (q->op == BLOCK_READ) {
        uint32_t disk = choose_copy(r, column, first, count);
        if (r->member[disk]->usable)
            request_add_part(r, q, disk, column, first, count);
        return;
    }
    for (uint32_t copy = 0; copy < r->copies; copy++)
        if (r->member[raid_disk(r, column, copy)]->usable)
            request_add_part(r, q, raid_disk(r, column, copy), column, first, count);
}

/* Sends the parts. A column without a usable member leaves the request without success there. */
static void start(struct raid *r, struct request *q)
{
    ASSERT(!q->waiting);
    q->parts = 1; /* held until all parts are added */
    if (q->op == BLOCK_FLUSH) {
        for (uint32_t d = 0; d < r->disks; d++) {
            q->columns |= 1u << d / r->copies;
            if (r->member[d]->usable)
                request_add_part(r, q, d, d / r->copies, 0, 0);
        }
    } else {
        each_column(r, q, start_piece);
    }
    if (--q->parts > 0)
        return;
    finish_client(r, q);
    finish(r, q);
}

static bool may_go(const struct raid *r, const struct request *q)
{
    for (uint32_t c = 0; c < r->columns; c++)
        if (q->bits_wanted[c] > r->column[c].stable_gen)
            return false;
    return true;
}

void request_wake(struct raid *r)
{
    for (;;) {
        struct request *next = NULL;
        for (uint32_t k = 0; k < REQUESTS_MAX; k++) {
            struct request *q = &r->request[k];
            if (q->used && q->waiting && (next == NULL || q->order < next->order) && may_go(r, q))
                next = q;
        }
        if (next == NULL)
            return;
        next->waiting = false;
        start(r, next);
    }
}

static void begin_bits(struct raid *r, struct request *q, uint32_t column, uint64_t first,
                       uint32_t count)
{
    q->bits_wanted[column] = bitmap_begin(r, column, first, count);
    q->waiting |= q->bits_wanted[column] != 0;
}

static void admit_write(struct raid *r, struct request *q)
{
    memset(q->bits_wanted, 0, sizeof(q->bits_wanted));
    each_column(r, q, begin_bits);
    for (uint32_t c = 0; c < r->columns && q->waiting; c++)
        bitmap_push(r, c);
    if (q->waiting && may_go(r, q))
        q->waiting = false; /* no member is left whose bitmap could be written */
    if (!q->waiting)
        start(r, q);
}

static enum err admit(struct raid *r, const struct msg *m, const struct block_request *in)
{
    uint64_t base = in->first_sector / SECTORS_A_BLOCK;
    bool moves = in->op == BLOCK_READ || in->op == BLOCK_WRITE;
    if (moves &&
        (in->first_sector > r->volume_sectors || in->count > r->volume_sectors - in->first_sector))
        return E_INVAL;
    uint64_t end = (in->first_sector + in->count + SECTORS_A_BLOCK - 1) / SECTORS_A_BLOCK;
    if (moves && end - base > PAGES_A_REQUEST)
        return E_INVAL; /* not on a border and of the largest size */
    struct request *q = request_take(r, KIND_CLIENT, in->op);
    if (q == NULL)
        return E_FULL;
    if (moves && !request_get_pages(r, q, (uint32_t)(end - base))) {
        q->used = false;
        return E_FULL;
    }
    q->client = m->source;
    q->client_id = m->id;
    q->type = m->type;
    q->first = in->first_sector;
    q->count = moves ? in->count : 0;
    q->grant = in->grant;
    q->fua = in->fua && in->op == BLOCK_WRITE;
    enum err e = in->op == BLOCK_WRITE ? copy_pages(q, true) : OK;
    if (e != OK) {
        put_pages(r, q);
        q->used = false;
        return e;
    }
    if (in->op == BLOCK_WRITE)
        admit_write(r, q);
    else
        start(r, q);
    return OK;
}

void request_serve(struct raid *r, const struct msg *m, const struct block_request *in)
{
    enum err e = in->op == BLOCK_TRIM ? OK : admit(r, m, in);
    if (e == OK && in->op != BLOCK_TRIM)
        return; /* answered when its parts are */
    struct msg reply = {0};
    proto_reply(m, e, &reply);
}

/* ---- Fence ---- */

static void forget_waiting(struct raid *r)
{
    for (uint32_t k = 0; k < REQUESTS_MAX; k++) {
        struct request *q = &r->request[k];
        if (!q->used || q->kind != KIND_CLIENT)
            continue;
        q->client = ENDPOINT_NONE; /* nobody asks for the answer */
        if (!q->waiting)
            continue;
        each_column(r, q, end_bits);
        put_pages(r, q);
        q->used = q->waiting = false;
    }
}

void request_drain(struct raid *r)
{
    forget_waiting(r);
    for (uint32_t d = 0; d < r->disks;) {
        struct member *m = r->member[d];
        if (m->flights == 0 && m->queue == NULL) {
            d++;
            continue;
        }
        ASSERT(m->flights > 0);
        struct part *p = m->flight[0];
        enum err e = block_wait(&m->client, p->slot);
        m->flight[0] = m->flight[--m->flights];
        take_answer(r, p, e);
        send_queued(r, d);
        r->recheck = true;
        d = 0; /* repair, or the bitmap, may have given work to another disk */
    }
}
