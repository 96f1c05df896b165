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

uint8_t *request_get_page(struct raid *r)
{
    if (r->free_pages == NULL && !add_pages(r))
        return NULL;
    uint8_t *at = r->free_pages;
    memcpy(&r->free_pages, at, sizeof(r->free_pages));
    return at;
}

void request_put_page(struct raid *r, uint8_t *page)
{
    memcpy(page, &r->free_pages, sizeof(r->free_pages));
    r->free_pages = page;
}

static void put_pages(struct raid *r, struct request *q)
{
    while (q->pages > 0)
        request_put_page(r, q->page[--q->pages]);
}

bool request_get_pages(struct raid *r, struct request *q, uint32_t count)
{
    ASSERT(count <= PAGES_A_REQUEST);
    ASSERT(q->pages == 0);
    while (q->pages < count) {
        uint8_t *at = request_get_page(r);
        if (at == NULL) {
            put_pages(r, q);
            return false;
        }
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
        memset(q->bits_wanted, 0, sizeof(q->bits_wanted));
        q->status = OK;
        q->phase = PHASE_READ;
        q->wants_lock = q->has_lock = q->careful = q->again = false;
        q->segments = q->scratches = q->scratch_wanted = 0;
        q->order = ++r->next_order;
        return q;
    }
    return NULL;
}

/* ---- To and from the disks ---- */

uint8_t *request_place(const struct request *q, uint64_t sector)
{
    uint64_t offset = sector - q->first / SECTORS_A_BLOCK * SECTORS_A_BLOCK;
    ASSERT(offset / SECTORS_A_BLOCK < q->pages);
    return q->page[offset / SECTORS_A_BLOCK] + offset % SECTORS_A_BLOCK * SECTOR_BYTES;
}

/* Where a part's sector is. */
static uint8_t *part_place(const struct raid *r, const struct part *p, uint64_t sector)
{
    if (p->request->kind == KIND_BITMAP)
        return request_place(p->request, sector);
    if (raid_is_5(r))
        return parity_place(r, p, sector);
    return request_place(p->request, raid_volume_sector(r, p->column, sector));
}

uint32_t request_spans(const struct raid *r, const struct part *p, struct plat_span *span)
{
    uint32_t spans = 0;
    for (uint64_t s = p->first; s < p->first + p->count;) {
        uint64_t in_block = SECTORS_A_BLOCK - s % SECTORS_A_BLOCK; /* chunks are whole blocks */
        uint64_t left = p->first + p->count - s;
        uint64_t sectors = in_block < left ? in_block : left;
        uint8_t *at = part_place(r, p, s);
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
    bool before = q->segments > 0 && q->phase == PHASE_READ; /* level 5: before it writes */
    uint32_t spans = 0;
    if (q->op == BLOCK_FLUSH)
        sector = 0;
    else
        spans = request_spans(r, p, span);
    if (m->flights == 0)
        m->heard_ns = plat_now();
    uint32_t endpoint = m->client.endpoint;
    p->slot = block_submit(&m->client, before ? BLOCK_READ : q->op, sector, q->fua && !before, span,
                           spans);
    if (m->client.endpoint != endpoint)
        r->recheck = true; /* it waited for a new driver: another's death may have passed by */
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

static void add_part(struct raid *r, const struct part *part)
{
    struct member *m = r->member[part->disk];
    struct part *p = r->free_parts;
    ASSERT(p != NULL); /* as many as all requests may have */
    r->free_parts = p->next;
    *p = *part;
    p->request->parts++;
    p->request->columns |= 1u << p->column;
    *m->queue_end = p;
    m->queue_end = &p->next;
    send_queued(r, p->disk);
}

void request_add_part(struct raid *r, struct request *q, uint32_t disk, uint32_t column,
                      uint64_t first, uint32_t count)
{
    add_part(r, &(struct part){
                    .request = q, .disk = disk, .column = column, .first = first, .count = count});
}

void request_add_rows(struct raid *r, struct request *q, uint32_t disk, uint32_t segment,
                      uint64_t first, uint32_t count)
{
    ASSERT(segment < q->segments);
    add_part(r,
             &(struct part){
                 .request = q, .disk = disk, .segment = segment, .first = first, .count = count});
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
    for (uint64_t s = q->first; s < q->first + q->count;) {
        uint64_t in_block = SECTORS_A_BLOCK - s % SECTORS_A_BLOCK;
        uint64_t left = q->first + q->count - s;
        uint64_t sectors = in_block < left ? in_block : left;
        uint8_t *at = request_place(q, s);
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
    if (raid_is_5(r)) { /* all disks are one */
        uint64_t first, end;
        parity_rows(r, q, &first, &end);
        fn(r, q, 0, first, (uint32_t)(end - first));
        return;
    }
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

/* Level 5: counts what no flush has seen. Without a disk a cut while a bit is set is the end of the
 * array, so there they go as soon as all is stable: a stop is not announced. */
static void note_stable(struct raid *r, struct request *q, enum err status)
{
    if (q->op == BLOCK_READ || status != OK)
        return;
    if (q->op == BLOCK_FLUSH)
        r->flushed = q->first > r->flushed ? q->first : r->flushed; /* what it has seen */
    else if (!q->fua)
        r->written++;
    if (rebuild_missing(r) == 1 && r->flushed == r->written)
        bitmap_clear_all(r);
}

static void finish_client(struct raid *r, struct request *q)
{
    enum err status = q->status;
    if (status == OK && q->columns_ok != q->columns)
        status = E_MEDIA;
    if (q->op == BLOCK_WRITE)
        each_column(r, q, end_bits);
    if (raid_is_5(r)) {
        parity_release(r, q);
        note_stable(r, q, status);
    }
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

void request_end(struct raid *r, struct request *q)
{
    bool rows = q->has_lock;
    if (q->kind == KIND_CLIENT)
        finish_client(r, q);
    finish(r, q);
    if (rows)
        request_wake(r);
}

static void end_part(struct raid *r, struct part *p)
{
    struct request *q = p->request;
    p->next = r->free_parts;
    r->free_parts = p;
    ASSERT(q->parts > 0);
    if (--q->parts > 0)
        return;
    if (raid_is_5(r) && q->segments > 0)
        parity_next(r, q);
    else
        request_end(r, q);
}

/* Whether the part reads, or writes, data of the volume. */
static bool moves_data(const struct raid *r, const struct part *p, enum block_op op)
{
    const struct request *q = p->request;
    bool first = raid_is_5(r) && q->segments > 0 && q->phase == PHASE_READ; /* before it writes */
    if (q->kind != KIND_CLIENT || q->op == BLOCK_FLUSH)
        return false;
    return (first || q->op == BLOCK_READ ? BLOCK_READ : BLOCK_WRITE) == op;
}

/* Level 1: a write that the only whole member refused, which stays, and the other one took. */
static void note_uneven(struct raid *r, const struct part *p)
{
    uint32_t twin = raid_twin(p->disk);
    if (moves_data(r, p, BLOCK_WRITE) && !raid_is_5(r) && r->copies == 2 && r->member[twin]->joins)
        spare_again(r, twin, p->first, p->count);
}

/* One disk has answered a part for good. */
static void take_answer(struct raid *r, struct part *p, enum err e)
{
    struct request *q = p->request;
    bool alone = r->member[p->disk]->joins && q->op != BLOCK_READ; /* no success by itself */
    if (e == OK && moves_data(r, p, BLOCK_READ) && bad_hits(r, p->disk, p->first, p->count))
        e = E_MEDIA;
    if (e == OK && p->old && moves_data(r, p, BLOCK_READ)) { /* read, perhaps, after the reset */
        if (raid_is_5(r))
            q->again = true;
        else
            e = repair_read(r, p);
    } else if (e == E_INVAL) {
        q->status = E_INVAL;
    } else if (e != OK && raid_is_5(r)) {
        parity_failed(r, p, e);
    } else if (e != OK && q->op == BLOCK_READ) {
        e = repair_read(r, p);
    } else if (e != OK) {
        repair_fail(r, p->disk, e);
        note_uneven(r, p);
    }
    if (e == OK && moves_data(r, p, BLOCK_WRITE))
        bad_written(r, p->disk, p->first, p->count);
    if (e == OK && !alone)
        q->columns_ok |= 1u << p->column;
    end_part(r, p);
}

void request_reap(struct raid *r, uint32_t disk)
{
    struct member *m = r->member[disk];
    repair_lost_writes(r);
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
    if (raid_is_5(r) && q->op != BLOCK_FLUSH) {
        parity_start(r, q);
        return;
    }
    q->parts = 1; /* held until all parts are added */
    if (q->op == BLOCK_FLUSH) {
        for (uint32_t d = 0; d < r->disks; d++) {
            q->columns |= 1u << d / r->copies;
            if (r->member[d]->usable)
                request_add_part(r, q, d, d / r->copies, 0, 0);
        }
        q->first = r->written;
    } else {
        each_column(r, q, start_piece);
    }
    if (--q->parts == 0)
        request_end(r, q);
}

static bool may_go(const struct raid *r, const struct request *q)
{
    for (uint32_t c = 0; c < r->columns; c++)
        if (q->bits_wanted[c] > r->column[c].stable_gen)
            return false;
    return !raid_is_5(r) || parity_may_go(r, q);
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
    each_column(r, q, begin_bits);
    for (uint32_t c = 0; c < r->columns && q->waiting; c++)
        bitmap_push(r, c);
    q->wants_lock = raid_is_5(r);
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
        if (q->op == BLOCK_WRITE)
            each_column(r, q, end_bits);
        parity_release(r, q);
        put_pages(r, q);
        q->used = q->waiting = false;
    }
}

void request_settle(struct raid *r)
{
    for (uint32_t d = 0; d < r->disks;) {
        struct member *m = r->member[d];
        if (m->flights == 0 && m->queue == NULL) {
            d++;
            continue;
        }
        ASSERT(m->flights > 0);
        struct part *p = m->flight[0];
        enum err e = block_wait(&m->client, p->slot);
        repair_lost_writes(r);
        m->flight[0] = m->flight[--m->flights];
        take_answer(r, p, e);
        send_queued(r, d);
        r->recheck = true;
        d = 0; /* repair, or the bitmap, may have given work to another disk */
    }
}

void request_drain(struct raid *r)
{
    forget_waiting(r);
    request_settle(r);
}
