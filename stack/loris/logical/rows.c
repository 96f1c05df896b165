/*
 * Old content of rows: which disk has which block, in as few requests as there are runs; and the
 * arithmetic of what is missing.
 */
#include "rows.h"

#include "assertion.h"
#include "mem.h"
#include "proto.h"
#include "raid6.h"

struct run {               /* blocks that follow each other on one disk */
    uint32_t first, count; /* items */
    uint32_t at;           /* of its metas in the disk's wire */
};

struct item {
    uint8_t row, role;
};

struct reading {
    struct item item[ROW_BLOCKS];
    struct run run[CALLS_MAX];
    uint32_t items, runs, dead;
    uint32_t metas[DISKS_MAX]; /* used of each wire */
};

/* ---- Rows ------------------------------------------------------------------------------------ */

struct rows *rows_begin(struct rows **rows)
{
    struct rows *r = *rows;
    if (r == NULL) {
        r = plat_alloc(sizeof(*r), TAG_HEAP);
        ASSERT(r != NULL);
        r->old = plat_alloc((size_t)ROW_BLOCKS * BLOCK_BYTES, TAG_PAGES);
        r->scratch = plat_alloc((size_t)2 * BLOCK_BYTES, TAG_PAGES);
        r->zeros = plat_alloc(BLOCK_BYTES, TAG_PAGES);
        ASSERT(r->old != NULL && r->scratch != NULL && r->zeros != NULL);
        *rows = r;
    }
    r->count = r->blocks = 0;
    return r;
}

uint32_t row_data(const struct row *row)
{
    return (1u << (row->entry.count - logical_place_parities(&row->entry))) - 1;
}

uint32_t row_parities(const struct row *row)
{
    return ((1u << row->entry.count) - 1) & ~row_data(row);
}

uint32_t row_disk(const struct row *row, uint32_t role)
{
    return row->entry.disk[logical_place_slot(&row->entry, row->block, role)];
}

uint32_t row_dead(const struct logical *l, const struct row *row)
{
    uint32_t dead = 0;
    for (uint32_t k = 0; k < row->entry.count; k++)
        if (!logical_entry_sink(l, &row->entry, k))
            dead |= 1u << logical_place_role(&row->entry, row->block, k);
    return dead;
}

uint32_t row_unread(const struct logical *l, const struct row *row)
{
    uint32_t unread = 0;
    for (uint32_t k = 0; k < row->entry.count; k++)
        if (!logical_entry_whole(l, &row->entry, k))
            unread |= 1u << logical_place_role(&row->entry, row->block, k);
    return unread;
}

struct row *rows_add(const struct logical *l, struct rows *rows, const struct entry *entry,
                     uint64_t block)
{
    ASSERT(entry->level >= 4);
    if (rows->count == ROWS_MAX || rows->blocks + entry->count > ROW_BLOCKS)
        return NULL;
    struct row *row = &rows->row[rows->count++];
    *row = (struct row){.entry = *entry, .block = block, .first = rows->blocks};
    rows->blocks += entry->count;
    row->bad = row_unread(l, row);
    return row;
}

uint8_t *row_old(const struct rows *rows, const struct row *row, uint32_t role)
{
    ASSERT(role < row->entry.count);
    return rows->old + (size_t)(row->first + role) * BLOCK_BYTES;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* The role that a disk has in a row; false: none. */
static bool role_on(const struct row *row, uint32_t disk, uint32_t *role)
{
    for (uint32_t k = 0; k < row->entry.count; k++)
        if (row->entry.disk[k] == disk) {
            *role = logical_place_role(&row->entry, row->block, k);
            return true;
        }
    return false;
}

static void grant_run(struct logical *l, const struct rows *rows, const struct reading *r,
                      uint32_t n)
{
    static const struct object_block_meta unknown = {.status = E_INVAL};
    struct plat_span spans[OBJECT_IO_MAX_BLOCKS];
    const struct run *run = &r->run[n];
    struct call *call = &l->call[n];
    uint8_t *wire = l->wire[call->disk] + (size_t)run->at * OBJECT_META_BYTES;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct item *item = &r->item[run->first + i];
        spans[i] = (struct plat_span){.base = row_old(rows, &rows->row[item->row], item->role),
                                      .bytes = BLOCK_BYTES};
        object_block_meta_encode(wire + (size_t)i * OBJECT_META_BYTES, &unknown);
    }
    const struct row *first = &rows->row[r->item[run->first].row];
    uint32_t to = l->endpoint[call->disk];
    call->request = (struct object_request){.op = OBJECT_READ,
                                            .oid = first->entry.oid,
                                            .offset = first->block * BLOCK_BYTES,
                                            .length = (uint64_t)run->count * BLOCK_BYTES};
    call->request.grant_data = proto_grant_spans(to, spans, run->count, PLAT_GRANT_WRITE);
    call->request.grant_meta =
        proto_grant(to, wire, (size_t)run->count * OBJECT_META_BYTES, PLAT_GRANT_WRITE);
}

static void settle_item(struct logical *l, struct rows *rows, struct reading *r, uint32_t n,
                        uint32_t i)
{
    const struct run *run = &r->run[n];
    const struct call *call = &l->call[n];
    const struct item *item = &r->item[run->first + i];
    struct row *row = &rows->row[item->row];
    struct object_block_meta *meta = &row->meta[item->role];
    object_block_meta_decode(meta, l->wire[call->disk] + (size_t)(run->at + i) * OBJECT_META_BYTES);
    if (meta->status == E_INVAL && call->status != OK)
        meta->status = (int32_t)call->status;
    if (meta->status == OK && plat_crc32c(row_old(rows, row, item->role), BLOCK_BYTES) != meta->crc)
        meta->status = E_CORRUPT; /* damaged on its way here */
    if (meta->status == E_DEAD)
        r->dead |= 1u << call->disk;
    if (meta->status == OK)
        row->have |= 1u << item->role;
    else
        row->bad |= 1u << item->role;
    if (meta->status == OK && (meta->flags & 1) != 0)
        row->holes |= 1u << item->role;
}

static enum err run_reads(struct logical *l, struct rows *rows, struct reading *r)
{
    for (uint32_t n = 0; n < r->runs; n++)
        grant_run(l, rows, r, n);
    enum err e = logical_calls_run(l, l->call, r->runs);
    for (uint32_t n = 0; n < r->runs; n++) {
        plat_revoke(l->call[n].request.grant_data);
        plat_revoke(l->call[n].request.grant_meta);
        for (uint32_t i = 0; i < r->run[n].count && e == OK; i++)
            settle_item(l, rows, r, n, i);
    }
    r->items = r->runs = 0;
    memset(r->metas, 0, sizeof(r->metas));
    return e;
}

/* Adds an item to the last run, or begins one. */
static enum err note_item(struct logical *l, struct rows *rows, struct reading *r, uint32_t disk,
                          uint32_t index, uint32_t role)
{
    struct run *last = r->runs == 0 ? NULL : &r->run[r->runs - 1];
    const struct row *row = &rows->row[index];
    if (last != NULL && l->call[r->runs - 1].disk == disk && last->count < OBJECT_IO_MAX_BLOCKS) {
        const struct row *end = &rows->row[r->item[last->first + last->count - 1].row];
        if (end->entry.oid == row->entry.oid && end->block + 1 == row->block) {
            r->item[r->items++] = (struct item){.row = (uint8_t)index, .role = (uint8_t)role};
            last->count++;
            r->metas[disk]++;
            return OK;
        }
    }
    if (r->runs == CALLS_MAX) {
        enum err e = run_reads(l, rows, r);
        if (e != OK)
            return e;
    }
    r->run[r->runs] = (struct run){.first = r->items, .count = 1, .at = r->metas[disk]++};
    l->call[r->runs++] = (struct call){.disk = disk};
    r->item[r->items++] = (struct item){.row = (uint8_t)index, .role = (uint8_t)role};
    return OK;
}

enum err rows_read(struct logical *l, struct rows *rows, const uint32_t *want)
{
    struct reading r = {.items = 0};
    enum err e = OK;
    for (uint32_t k = 0; k < DISKS_MAX && e == OK; k++)
        for (uint32_t i = 0; i < rows->count && e == OK; i++) {
            uint32_t role;
            if ((l->core.members >> k & 1) != 0 && role_on(&rows->row[i], k, &role) &&
                (want[i] >> role & 1) != 0)
                e = note_item(l, rows, &r, k, i, role);
        }
    if (e == OK)
        e = run_reads(l, rows, &r);
    for (uint32_t k = 0; k < DISKS_MAX && e == OK; k++)
        if ((r.dead >> k & 1) != 0 && !l->in_pause)
            e = logical_disk_drop(l, k) == E_SESSION ? E_SESSION : OK;
    for (uint32_t i = 0; i < rows->count; i++)
        rows->row[i].bad |= row_unread(l, &rows->row[i]) & ~rows->row[i].have;
    return e;
}

/* ---- What is missing ------------------------------------------------------------------------- */

/* The parities that stand in for `count` data blocks; fewer bits if there are not as many. */
static uint32_t stand_ins(const struct row *row, uint32_t count)
{
    uint32_t usable = row_parities(row) & ~row->bad;
    uint32_t chosen = 0;
    for (; usable != 0 && count > 0; count--) {
        chosen |= usable & (~usable + 1);
        usable &= usable - 1;
    }
    return chosen;
}

uint32_t row_wanted(const struct row *row, bool *possible)
{
    uint32_t missing = row_data(row) & row->bad & ~row->have;
    uint32_t parities = stand_ins(row, logical_bits(missing));
    *possible = logical_bits(parities) == logical_bits(missing);
    return *possible ? ((row_data(row) & ~missing) | parities) & ~row->have : 0;
}

/* Sum of the data that are there, into `sum`: of P, or of Q. */
static void sum_data(const struct rows *rows, const struct row *row, uint32_t mask, bool q,
                     uint8_t *sum)
{
    memset(sum, 0, BLOCK_BYTES);
    for (uint32_t role = row->entry.count; role-- > 0;) {
        const uint8_t *page = (mask >> role & 1) != 0 ? row_old(rows, row, role) : NULL;
        if ((row_data(row) >> role & 1) == 0)
            continue;
        if (q)
            raid6_step(sum, page);
        else if (page != NULL)
            plat_xor(sum, page, BLOCK_BYTES);
    }
}

/* Two data blocks a < b from P and Q: with p = D_a + D_b and q = g^a D_a + g^b D_b it is
 * D_b = (q + g^a p) / (g^a + g^b), D_a = p + D_b. */
static void work_out_two(struct rows *rows, struct row *row, uint32_t a, uint32_t b,
                         uint32_t present)
{
    uint32_t p = logical_lowest(row_parities(row));
    uint8_t *d_a = row_old(rows, row, a), *d_b = row_old(rows, row, b);
    uint8_t g_a = raid6_power(a), g_b = raid6_power(b);
    sum_data(rows, row, present, false, d_a);
    plat_xor(d_a, row_old(rows, row, p), BLOCK_BYTES); /* p */
    sum_data(rows, row, present, true, d_b);
    plat_xor(d_b, row_old(rows, row, p + 1), BLOCK_BYTES); /* q */
    plat_copy(rows->scratch, d_a, BLOCK_BYTES);
    raid6_scale(rows->scratch, rows->scratch + BLOCK_BYTES, g_a);
    plat_xor(d_b, rows->scratch, BLOCK_BYTES);
    raid6_scale(d_b, rows->scratch, raid6_inverse(g_a ^ g_b));
    plat_xor(d_a, d_b, BLOCK_BYTES);
}

/* Whether what was worked out has the checksum that its disk holds, where one is known. */
static bool agrees(const struct rows *rows, const struct row *row, uint32_t role)
{
    const struct object_block_meta *meta = &row->meta[role];
    if (meta->birth == 0 || meta->status == E_LOST)
        return true; /* its disk says nothing of it */
    return plat_crc32c(row_old(rows, row, role), BLOCK_BYTES) == meta->crc;
}

bool row_work_out(struct rows *rows, struct row *row)
{
    uint32_t missing = row_data(row) & row->bad & ~row->have;
    uint32_t present = row_data(row) & row->have;
    uint32_t parities = stand_ins(row, logical_bits(missing));
    if (missing == 0)
        return true;
    if (logical_bits(parities) < logical_bits(missing) || (parities & ~row->have) != 0 ||
        (present | missing) != row_data(row))
        return false;
    uint32_t a = logical_lowest(missing);
    if (logical_bits(missing) == 2) {
        work_out_two(rows, row, a, logical_lowest(missing & (missing - 1)), present);
    } else {
        bool q = logical_lowest(parities) != logical_lowest(row_parities(row));
        sum_data(rows, row, present, q, row_old(rows, row, a));
        plat_xor(row_old(rows, row, a), row_old(rows, row, logical_lowest(parities)), BLOCK_BYTES);
        if (q)
            raid6_scale(row_old(rows, row, a), rows->scratch, raid6_inverse(raid6_power(a)));
    }
    for (uint32_t k = 0; k < row->entry.count; k++)
        if ((missing >> k & 1) != 0 && !agrees(rows, row, k))
            return false;
    row->have |= missing;
    return true;
}

/* ---- New parity ------------------------------------------------------------------------------ */

void row_parity(const struct rows *rows, const struct row *row, uint32_t role, uint8_t *out)
{
    bool q = role != logical_lowest(row_parities(row));
    bool change = row->way == ROW_FROM_CHANGE;
    ASSERT((row_parities(row) >> role & 1) != 0);
    memset(out, 0, BLOCK_BYTES);
    for (uint32_t k = logical_bits(row_data(row)); k-- > 0;) {
        bool fresh = (row->fresh >> k & 1) != 0;
        bool old = change ? fresh : !fresh;
        if (q)
            raid6_step(out, NULL);
        if (fresh)
            plat_xor(out, row->page[k], BLOCK_BYTES);
        ASSERT(!old || (row->have >> k & 1) != 0);
        if (old)
            plat_xor(out, row_old(rows, row, k), BLOCK_BYTES);
    }
    if (change)
        plat_xor(out, row_old(rows, row, role), BLOCK_BYTES);
}
