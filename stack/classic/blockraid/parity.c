/*
 * Level 5. Stripe s has its parity on disk n - 1 - s mod n, its data on the disks after it, in
 * turn. A request is cut into segments: rows in which it covers each data column whole or not at
 * all.
 *
 *   write   WAIT for bits, rows, scratch -> PHASE_READ of what the new parity is computed from ->
 *           PHASE_WRITE of data and parity, together -> answer
 *   read    of data disks, without rows; what a missing disk has: WAIT for rows -> PHASE_READ of
 * all others -> xor -> answer. A bad sector: once more like that, mended by rebuild.c.
 *
 * New parity of a segment that is all of its stripes' needs no reads. Else either old data and old
 * parity of what changes are read (`change`), or all that does not change, whichever is less; while
 * old parity may be wrong, always the latter; and if a disk is missing, the one that can be had.
 *
 * Invariants: (1) requests that hold rows hold no common one; they get them in order of arrival, so
 * none waits for a later one; (2) where a parity disk is usable, no data are written without it:
 * else what a missing disk has would be read wrong.
 */
#include "assertion.h"
#include "mem.h"
#include "planted.h"
#include "raid.h"

/* ---- Geometry ---- */

static uint32_t data_columns(const struct raid *r)
{
    return r->disks - 1;
}

static uint32_t all_columns(const struct raid *r)
{
    return (1u << data_columns(r)) - 1;
}

static uint64_t stripe_of(const struct raid *r, uint64_t row)
{
    return row / r->super.chunk_sectors;
}

static uint64_t volume_sector(const struct raid *r, uint64_t row, uint32_t column)
{
    uint64_t chunk = r->super.chunk_sectors;
    return (row / chunk * data_columns(r) + column) * chunk + row % chunk;
}

static uint32_t count_bits(uint32_t mask)
{
    uint32_t bits = 0;
    for (; mask != 0; mask &= mask - 1)
        bits++;
    return bits;
}

static uint32_t smaller(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

void parity_rows(const struct raid *r, const struct request *q, uint64_t *first, uint64_t *end)
{
    uint64_t chunk = r->super.chunk_sectors, last = q->first + q->count - 1;
    ASSERT(q->count > 0);
    *first = q->first / chunk / data_columns(r) * chunk;
    *end = (last / chunk / data_columns(r) + 1) * chunk;
    if (q->first / chunk != last / chunk)
        return;
    *end = *first + last % chunk + 1; /* of one chunk no more than is touched */
    *first += q->first % chunk;
}

/* ---- Segments ---- */

static bool is_run(const struct raid *r, const struct segment *g)
{
    return g->want == all_columns(r);
}

static uint32_t pages_of(const struct segment *g)
{
    return (uint32_t)((g->first + g->rows + SECTORS_A_BLOCK - 1) / SECTORS_A_BLOCK -
                      g->first / SECTORS_A_BLOCK);
}

/* Columns whose old content has pages of its own: a read's own ones go where its answer does. */
static uint32_t temporary(const struct request *q, const struct segment *g)
{
    return q->op == BLOCK_WRITE ? g->reads : g->reads & ~g->want;
}

/* Where a row of a column is in memory: of the request, or old content. */
static uint8_t *column_place(const struct raid *r, const struct request *q, const struct segment *g,
                             uint32_t column, uint64_t row, bool old)
{
    if (!old)
        return request_place(q, volume_sector(r, row, column));
    uint32_t rank = 1 + count_bits(temporary(q, g) & ((1u << column) - 1));
    uint64_t page = row / SECTORS_A_BLOCK - g->first / SECTORS_A_BLOCK;
    ASSERT((temporary(q, g) >> column & 1) != 0);
    return q->scratch[g->base + rank * pages_of(g) + page] + row % SECTORS_A_BLOCK * SECTOR_BYTES;
}

static uint8_t *parity_page(const struct request *q, const struct segment *g, uint64_t row)
{
    uint64_t page = row / SECTORS_A_BLOCK - g->first / SECTORS_A_BLOCK;
    return q->scratch[g->base + page] + row % SECTORS_A_BLOCK * SECTOR_BYTES;
}

uint8_t *parity_place(const struct raid *r, const struct part *p, uint64_t row)
{
    const struct request *q = p->request;
    const struct segment *g = &q->segment[p->segment];
    uint32_t column = raid_data_column(r, stripe_of(r, row), p->disk);
    if (column == data_columns(r))
        return parity_page(q, g, row);
    bool old = q->phase == PHASE_READ && (temporary(q, g) >> column & 1) != 0;
    return column_place(r, q, g, column, row, old);
}

static void add_segment(const struct raid *r, struct request *q, uint64_t first, uint64_t rows,
                        uint32_t want)
{
    struct segment *before = q->segments > 0 ? &q->segment[q->segments - 1] : NULL;
    if (want == 0 || rows == 0)
        return;
    if (before != NULL && want == all_columns(r) && is_run(r, before) &&
        before->first + before->rows == first) {
        before->rows += (uint32_t)rows;
        return;
    }
    ASSERT(q->segments < SEGMENTS_MAX);
    q->segment[q->segments++] = (struct segment){
        .first = first, .rows = (uint32_t)rows, .want = want, .missing = DISKS_MAX};
}

/* The request's piece of one stripe: its data from `from` to `to`, in sectors. */
static void add_stripe(const struct raid *r, struct request *q, uint64_t stripe, uint64_t from,
                       uint64_t to)
{
    uint64_t chunk = r->super.chunk_sectors;
    uint64_t a = from % chunk, b = to % chunk;
    uint64_t cut[4] = {0, a < b ? a : b, a < b ? b : a, chunk};
    for (uint32_t k = 0; k < 3; k++) {
        uint32_t want = 0;
        for (uint32_t c = 0; c < data_columns(r); c++) {
            uint64_t at = c * chunk + cut[k];
            if (at >= from && at < to)
                want |= 1u << c;
        }
        add_segment(r, q, stripe * chunk + cut[k], cut[k + 1] - cut[k], want);
    }
}

static void cut_up(const struct raid *r, struct request *q)
{
    uint64_t sectors = r->super.chunk_sectors * data_columns(r);
    q->segments = 0;
    for (uint64_t at = q->first; at < q->first + q->count;) {
        uint64_t from = at % sectors;
        uint64_t to = from + smaller(sectors - from, q->first + q->count - at);
        add_stripe(r, q, at / sectors, from, to);
        at += to - from;
    }
}

/* ---- Plan ---- */

/* Which disk cannot tell what it has in these rows, and whether parity may be wrong. E_MEDIA: two
 * cannot. */
static enum err look_at_rows(const struct raid *r, struct segment *g, bool *unsynced)
{
    const struct column *col = &r->column[0];
    *unsynced = false;
    for (uint32_t d = 0; d < r->disks; d++) {
        if (r->member[d]->usable)
            continue;
        if (g->missing != DISKS_MAX)
            return E_MEDIA;
        g->missing = d;
    }
    uint64_t last = (g->first + g->rows - 1) / REGION_SECTORS;
    for (uint64_t k = g->first / REGION_SECTORS; k <= last; k++) {
        const struct region *region = &col->region[k];
        if (!region->unsynced)
            continue;
        *unsynced |= region->lost == 0;
        if (region->lost == 0 || g->missing == region->lost - 1u)
            continue;
        if (g->missing != DISKS_MAX)
            return E_MEDIA;
        g->missing = region->lost - 1u;
    }
    return g->missing != DISKS_MAX && *unsynced ? E_MEDIA : OK;
}

/* Which columns and whether parity are read for the new parity. */
static void plan_write(const struct raid *r, struct segment *g, bool unsynced)
{
    uint64_t stripe = stripe_of(r, g->first);
    uint32_t others = all_columns(r) & ~g->want;
    uint32_t missing = g->missing == DISKS_MAX ? 0 : 1u << raid_data_column(r, stripe, g->missing);
    bool no_change = unsynced || (missing & (g->want | 1u << data_columns(r))) != 0;
    bool no_rest = (missing & others) != 0;
    ASSERT(!no_change || !no_rest);
    if (others == 0 || !r->member[raid_parity_disk(r, stripe)]->usable)
        return; /* all is new, or there is no parity to write */
    g->change = no_rest || (!no_change && count_bits(g->want) + 1 <= count_bits(others));
    g->reads = g->change ? g->want : others;
    g->read_parity = g->change;
}

/* Whether a missing disk has data of the request in this segment. */
static bool wants_missing(const struct raid *r, const struct segment *g)
{
    if (g->missing == DISKS_MAX)
        return false;
    uint64_t last = stripe_of(r, g->first + g->rows - 1);
    for (uint64_t s = stripe_of(r, g->first); s <= last; s++) {
        uint32_t column = raid_data_column(r, s, g->missing);
        if (column < data_columns(r) && (g->want >> column & 1) != 0)
            return true;
    }
    return false;
}

static void plan_read(const struct raid *r, struct request *q, struct segment *g)
{
    g->reads = g->want;
    if (!wants_missing(r, g))
        return;
    q->wants_lock = true;
    g->read_parity = true;
    g->reads = all_columns(r);
}

/* Cuts the request up and finds out what to read. E_MEDIA: more than one disk is missing. */
static enum err plan(const struct raid *r, struct request *q)
{
    cut_up(r, q);
    q->scratch_wanted = 0;
    q->wants_lock = q->op == BLOCK_WRITE || q->careful;
    for (uint32_t k = 0; k < q->segments; k++) {
        struct segment *g = &q->segment[k];
        bool unsynced;
        enum err e = look_at_rows(r, g, &unsynced);
        if (e != OK)
            return e;
        if (q->op == BLOCK_WRITE)
            plan_write(r, g, unsynced);
        else
            plan_read(r, q, g);
        g->base = q->scratch_wanted;
        if (q->op == BLOCK_WRITE || g->read_parity)
            q->scratch_wanted += (1 + count_bits(temporary(q, g))) * pages_of(g);
    }
    return OK;
}

/* ---- Rows and scratch ---- */

static bool scratch_is_free(const struct raid *r, const struct request *q)
{
    return r->scratch_pages == 0 || r->scratch_pages + q->scratch_wanted <= SCRATCH_MAX;
}

bool parity_may_go(const struct raid *r, const struct request *q)
{
    if (!q->wants_lock)
        return true;
    if (!scratch_is_free(r, q))
        return false;
    if (q->has_lock)
        return true;
    uint64_t first, end;
    parity_rows(r, q, &first, &end);
    for (uint32_t k = 0; k < REQUESTS_MAX; k++) {
        const struct request *other = &r->request[k];
        bool asks = other->waiting && other->wants_lock && other->order < q->order;
        if (other == q || !other->used || other->kind != KIND_CLIENT)
            continue;
        if (!other->has_lock && !asks)
            continue;
        uint64_t other_first, other_end;
        parity_rows(r, other, &other_first, &other_end);
        if (first < other_end && other_first < end)
            return false;
    }
    return true;
}

static void put_scratch(struct raid *r, struct request *q)
{
    ASSERT(r->scratch_pages >= q->scratches);
    r->scratch_pages -= q->scratches;
    while (q->scratches > 0)
        request_put_page(r, q->scratch[--q->scratches]);
}

static bool get_scratch(struct raid *r, struct request *q)
{
    uint32_t most = (r->disks + 1) * (PAGES_A_REQUEST + 2 * SEGMENTS_MAX);
    ASSERT(q->scratches == 0);
    ASSERT(q->scratch_wanted <= most);
    if (q->scratch == NULL) /* kept with the request's place in the table */
        q->scratch = plat_alloc(most * sizeof(q->scratch[0]), TAG_HEAP);
    if (q->scratch == NULL)
        return false;
    while (q->scratches < q->scratch_wanted) {
        uint8_t *page = request_get_page(r);
        if (page == NULL) {
            put_scratch(r, q);
            return false;
        }
        q->scratch[q->scratches++] = page;
        r->scratch_pages++;
    }
    return true;
}

void parity_release(struct raid *r, struct request *q)
{
    put_scratch(r, q);
    q->has_lock = q->wants_lock = false;
}

/* ---- Parts ---- */

/* What is read of a disk in a segment: of a run its data, and parity only if that is asked for. */
static void read_rows(struct raid *r, struct request *q, uint32_t segment, uint32_t disk)
{
    const struct segment *g = &q->segment[segment];
    uint64_t chunk = r->super.chunk_sectors, end = g->first + g->rows, begin = g->first;
    if (disk == g->missing)
        return;
    for (uint64_t row = g->first; row < end;) {
        uint64_t next = smaller((row / chunk + 1) * chunk - row, end - row) + row;
        uint32_t column = raid_data_column(r, stripe_of(r, row), disk);
        bool wanted = column == data_columns(r) ? g->read_parity : (g->reads >> column & 1) != 0;
        if (!wanted) {
            if (row > begin)
                request_add_rows(r, q, disk, segment, begin, (uint32_t)(row - begin));
            begin = next;
        }
        row = next;
    }
    if (end > begin)
        request_add_rows(r, q, disk, segment, begin, (uint32_t)(end - begin));
}

static void write_rows(struct raid *r, struct request *q, uint32_t segment, uint32_t disk)
{
    const struct segment *g = &q->segment[segment];
    uint32_t column = raid_data_column(r, stripe_of(r, g->first), disk);
    if (!r->member[disk]->usable)
        return;
    if (!is_run(r, g) && column < data_columns(r) && (g->want >> column & 1) == 0)
        return;
    if (!is_run(r, g) && column == data_columns(r) && PLANTED(PLANTED_RAID_PARITY_LEFT) &&
        g->missing != DISKS_MAX)
        return;
    request_add_rows(r, q, disk, segment, g->first, g->rows);
}

/* Sends the parts of the phase. false: there are none. */
static bool send(struct raid *r, struct request *q)
{
    q->parts = 1; /* held until all parts are added */
    for (uint32_t k = 0; k < q->segments; k++)
        for (uint32_t d = 0; d < r->disks; d++) {
            if (q->phase == PHASE_READ)
                read_rows(r, q, k, d);
            else
                write_rows(r, q, k, d);
        }
    return --q->parts > 0;
}

/* ---- Xor ---- */

/* `to`, of at most a block of a row, becomes the xor of all columns but `but`, and of parity unless
 * that is asked for. */
static void xor_columns(const struct raid *r, const struct request *q, const struct segment *g,
                        uint64_t row, size_t bytes, uint32_t but, uint8_t *to)
{
    memset(to, 0, bytes);
    for (uint32_t c = 0; c <= data_columns(r); c++) {
        if (c == but)
            continue;
        const uint8_t *from = parity_page(q, g, row);
        if (c < data_columns(r)) {
            bool old =
                q->op == BLOCK_WRITE ? (g->want >> c & 1) == 0 : (temporary(q, g) >> c & 1) != 0;
            from = column_place(r, q, g, c, row, old);
        }
        plat_xor(to, from, bytes);
    }
}

/* New parity: what it was, without the old content and with the new one. */
static void xor_change(const struct raid *r, const struct request *q, const struct segment *g,
                       uint64_t row, size_t bytes)
{
    for (uint32_t c = 0; c < data_columns(r); c++) {
        if ((g->want >> c & 1) == 0)
            continue;
        plat_xor(parity_page(q, g, row), column_place(r, q, g, c, row, true), bytes);
        plat_xor(parity_page(q, g, row), column_place(r, q, g, c, row, false), bytes);
    }
}

/* One piece of a segment, all of whose sources are in memory now. */
static void compute_piece(const struct raid *r, const struct request *q, const struct segment *g,
                          uint64_t row, size_t bytes)
{
    uint64_t stripe = stripe_of(r, row);
    uint32_t parity = data_columns(r);
    if (q->op == BLOCK_READ) {
        uint32_t column = raid_data_column(r, stripe, g->missing);
        if (column < parity && (g->want >> column & 1) != 0)
            xor_columns(r, q, g, row, bytes, column, column_place(r, q, g, column, row, false));
    } else if (g->change) {
        xor_change(r, q, g, row, bytes);
    } else if (r->member[raid_parity_disk(r, stripe)]->usable) {
        xor_columns(r, q, g, row, bytes, parity, parity_page(q, g, row));
    }
}

static void compute(const struct raid *r, const struct request *q)
{
    for (uint32_t k = 0; k < q->segments; k++) {
        const struct segment *g = &q->segment[k];
        if (q->op == BLOCK_READ && !g->read_parity)
            continue;
        for (uint64_t row = g->first; row < g->first + g->rows;) {
            uint32_t sectors =
                smaller(SECTORS_A_BLOCK - row % SECTORS_A_BLOCK, g->first + g->rows - row);
            compute_piece(r, q, g, row, (size_t)sectors * SECTOR_BYTES);
            row += sectors;
        }
    }
}

/* ---- Phases ---- */

static void end_with(struct raid *r, struct request *q, enum err e)
{
    q->columns = 1;
    q->columns_ok = e == OK ? 1 : 0;
    q->status = e;
    request_end(r, q);
}

static void start_writes(struct raid *r, struct request *q)
{
    compute(r, q);
    q->phase = PHASE_WRITE;
    plat_probe(PROBE_RAID_PARITY);
    if (!send(r, q))
        end_with(r, q, PLANTED(PLANTED_RAID_PARITY_LEFT) ? OK : E_MEDIA);
}

void parity_start(struct raid *r, struct request *q)
{
    q->phase = PHASE_READ;
    q->again = false;
    enum err e = plan(r, q);
    if (e != OK) {
        end_with(r, q, e);
        return;
    }
    if (!parity_may_go(r, q)) {
        q->waiting = true;
        return;
    }
    q->has_lock |= q->wants_lock;
    if (!get_scratch(r, q)) {
        end_with(r, q, E_MEDIA); /* no memory */
        return;
    }
    if (!send(r, q))
        start_writes(r, q);
}

void parity_next(struct raid *r, struct request *q)
{
    bool dropped = q->client == ENDPOINT_NONE && q->phase == PHASE_READ; /* by a fence */
    if (q->status != OK || dropped) {
        end_with(r, q, q->status == OK ? E_DEAD : q->status);
    } else if (q->again) {
        put_scratch(r, q);
        parity_start(r, q);
    } else if (q->phase == PHASE_WRITE) {
        plat_probe(PROBE_RAID_DATA);
        end_with(r, q, OK);
    } else if (q->op == BLOCK_WRITE) {
        start_writes(r, q);
    } else {
        compute(r, q);
        end_with(r, q, OK);
    }
}

void parity_failed(struct raid *r, struct part *p, enum err e)
{
    struct request *q = p->request;
    bool reads = q->kind == KIND_CLIENT && q->op != BLOCK_FLUSH && q->phase == PHASE_READ;
    if (reads && e != E_DEAD) {
        if (!q->has_lock)
            q->careful = q->again = true;
        else if (repair_read(r, p) != OK)
            q->status = E_MEDIA;
        return;
    }
    repair_fail(r, p->disk, e);
    q->again |= reads;
    if (!reads && rebuild_missing(r) > (raid_is_whole(r, p->disk) ? 0 : 1))
        q->status = E_MEDIA; /* a member that stays though it refuses, or one too many is out */
}
