/*
 * Batches of writes to objects with parity. Blocks of one row go down together with its new parity,
 * which comes from all data of the row or from what changes, whatever reads less; a full row reads
 * nothing. All that is read is verified; where it is bad, the row is worked out first.
 *
 * A block of a live disk that cannot be written in the end is marked lost there: an erasure that
 * the new parity stands in for. Only if a row has more of them than parities is anything lost.
 */
#include "rows.h"

#include "assertion.h"
#include "mem.h"
#include "planted.h"

/* ---- What the batch is made of --------------------------------------------------------------- */

static bool before(const struct rows *rows, const struct intake *in, uint32_t a, uint32_t b)
{
    if (in->wire[a].oid != in->wire[b].oid)
        return in->wire[a].oid < in->wire[b].oid;
    if (rows->place[a].block != rows->place[b].block)
        return rows->place[a].block < rows->place[b].block;
    return rows->place[a].role < rows->place[b].role;
}

/* Sorts the blocks that belong to rows. */
static void put_in_order(struct rows *rows, const struct intake *in)
{
    rows->ordered = 0;
    for (uint32_t i = 0; i < in->count; i++) {
        if (in->found[i] != OK || !logical_has_parity(&in->entry[i]))
            continue;
        in->status[i] = OK;
        logical_place_stripe(&in->entry[i], in->wire[i].block, &rows->place[i]);
        uint32_t at = rows->ordered++;
        for (; at > 0 && before(rows, in, i, rows->order[at - 1]); at--)
            rows->order[at] = rows->order[at - 1];
        rows->order[at] = (uint8_t)i;
    }
}

static bool same_row(const struct rows *rows, const struct intake *in, uint32_t a, uint32_t b)
{
    return in->wire[a].oid == in->wire[b].oid && rows->place[a].block == rows->place[b].block;
}

/* Blocks of one row, from order[from] on. */
static uint32_t count_row(const struct rows *rows, const struct intake *in, uint32_t from)
{
    uint32_t n = 1;
    while (from + n < rows->ordered && same_row(rows, in, rows->order[from], rows->order[from + n]))
        n++;
    return n;
}

static uint32_t add_block(struct logical *l, const struct row *row, uint32_t role, uint64_t lsn)
{
    struct batch *b = &l->batch;
    uint32_t i = b->count++;
    uint32_t disk = row_disk(row, role);
    ASSERT(i < OBJECT_BATCH_MAX_BLOCKS);
    b->entry[i] =
        (struct object_write_entry){.oid = row->entry.oid, .block = row->block, .lsn = lsn};
    b->local[i] = row->block;
    b->page[i] = l->data + (size_t)i * BLOCK_BYTES;
    b->mask[i] = (row_dead(l, row) >> role & 1) != 0 ? 0 : 1u << disk;
    b->backed[i] = logical_bits(row_unread(l, row)) < logical_place_parities(&row->entry);
    return i;
}

/* Block k of the cache's batch. What was damaged on its way here must not get into a parity. */
static enum err take_block(struct logical *l, struct rows *rows, struct intake *in, struct row *row,
                           uint32_t k)
{
    const struct object_write_entry *wire = &in->wire[k];
    uint32_t role = rows->place[k].role;
    bool lost = (wire->flags & OBJECT_LOST_BLOCKS) != 0;
    uint8_t *page = l->data + (size_t)l->batch.count * BLOCK_BYTES;
    if (!lost) {
        enum err e =
            plat_copy_in(in->source, in->grant, (size_t)k * BLOCK_BYTES, page, BLOCK_BYTES);
        if (e != OK)
            return e;
        in->status[k] = plat_crc32c(page, BLOCK_BYTES) == wire->crc ? OK : E_CORRUPT;
    }
    if (in->status[k] != OK)
        return OK;
    uint32_t i = add_block(l, row, role, wire->lsn);
    l->batch.entry[i].crc = wire->crc;
    l->batch.entry[i].flags = wire->flags & (OBJECT_REPAIR | OBJECT_SHADOW | OBJECT_LOST_BLOCKS);
    rows->origin[i] = (uint8_t)k;
    row->batch[role] = (uint8_t)i;
    row->page[role] = page;
    row->fresh |= 1u << role;
    row->lost |= lost ? 1u << role : 0;
    return OK;
}

/* As many rows as fit, from order[*from] on. */
static enum err take_rows(struct logical *l, struct rows *rows, struct intake *in, uint32_t *from)
{
    uint32_t parities = 0; /* of these rows: they come last */
    l->batch = (struct batch){.flags = in->flags & OBJECT_REPLAY};
    while (*from < rows->ordered) {
        uint32_t first = rows->order[*from];
        const struct entry *entry = &in->entry[first];
        uint32_t n = count_row(rows, in, *from);
        parities += logical_place_parities(entry);
        if (l->batch.count + n + parities > OBJECT_BATCH_MAX_BLOCKS)
            break;
        struct row *row = rows_add(l, rows, entry, rows->place[first].block);
        if (row == NULL)
            break;
        for (uint32_t end = *from + n; *from < end; (*from)++) {
            enum err e = take_block(l, rows, in, row, rows->order[*from]);
            if (e != OK)
                return e;
        }
    }
    ASSERT(rows->count > 0);
    return OK;
}

/* ---- New parity ------------------------------------------------------------------------------ */

/* Chooses the way to the new parity; the roles that have yet to be read for it. */
static uint32_t plan(const struct logical *l, struct row *row, bool replay)
{
    uint32_t parities = row_parities(row) & ~row_dead(l, row);
    uint32_t all = row_data(row) & ~row->fresh & ~row->have;
    uint32_t change = (row->fresh | parities) & ~row->have;
    bool possible;
    row->way = row->lost != 0 ? ROW_GIVEN_UP : ROW_NONE;
    if (row->lost != 0 || parities == 0 || row->fresh == 0)
        return 0;
    row->way = ROW_FROM_ALL;
    if ((all & row->bad) == 0 &&
        (replay || (change & row->bad) != 0 || logical_bits(all) <= logical_bits(change)))
        return all;
    if ((change & row->bad) == 0) {
        row->way = ROW_FROM_CHANGE;
        return change;
    }
    uint32_t want = row_wanted(row, &possible);
    if (!possible)
        row->way = ROW_GIVEN_UP;
    return want;
}

/* Reads until every row has what its way needs. */
static enum err prepare(struct logical *l, struct rows *rows)
{
    bool replay = (l->batch.flags & OBJECT_REPLAY) != 0;
    uint32_t want[ROWS_MAX];
    for (;;) {
        uint32_t any = 0;
        for (uint32_t i = 0; i < rows->count; i++)
            any |= want[i] = plan(l, &rows->row[i], replay);
        if (any == 0)
            break;
        enum err e = rows_read(l, rows, want);
        if (e != OK)
            return e;
    }
    for (uint32_t i = 0; i < rows->count; i++) {
        struct row *row = &rows->row[i];
        uint32_t others = row_data(row) & ~row->fresh;
        if (row->way == ROW_FROM_ALL && (others & ~row->have) != 0 && !row_work_out(rows, row))
            row->way = ROW_GIVEN_UP;
    }
    return OK;
}

/* The parities of a row behind the data in the batch. */
static void add_parities(struct logical *l, const struct rows *rows, struct row *row, uint64_t lsn)
{
    struct batch *b = &l->batch;
    uint32_t roles = row->way == ROW_NONE ? 0 : row_parities(row) & ~row_dead(l, row);
    for (uint32_t role = 0; role < row->entry.count; role++) {
        if ((roles >> role & 1) == 0)
            continue;
        uint32_t i = add_block(l, row, role, lsn);
        row->batch[role] = (uint8_t)i;
        row->sent |= 1u << role;
        if (row->way == ROW_GIVEN_UP) {
            b->entry[i].flags = OBJECT_LOST_BLOCKS;
            row->lost |= 1u << role;
            continue;
        }
        uint8_t *page = l->data + (size_t)i * BLOCK_BYTES;
        row_parity(rows, row, role, page);
        b->entry[i].crc = plat_crc32c(page, BLOCK_BYTES);
    }
}

/* ---- Sending --------------------------------------------------------------------------------- */

static bool is_short(int32_t status)
{
    return status == E_FULL || status == E_AGAIN;
}

/* What is acknowledged has its space reserved; and half a row must not be. */
static enum err again_with_reserve(struct logical *l)
{
    struct batch *b = &l->batch;
    uint32_t mask[OBJECT_BATCH_MAX_BLOCKS];
    bool any = false;
    memset(mask, 0, sizeof(mask));
    for (uint32_t i = 0; i < b->count && (b->flags & OBJECT_REPLAY) == 0; i++) {
        if (!is_short(b->status[i]))
            continue;
        b->status[i] = OK;
        mask[i] = b->mask[i];
        any = true;
    }
    b->flags |= OBJECT_REPLAY;
    return any ? logical_write_phase(l, mask) : OK;
}

/* Block i was not written on a disk that lives: it is marked lost there, or the disk goes. */
static enum err give_up(struct logical *l, uint32_t i, uint32_t disk)
{
    struct batch *b = &l->batch;
    enum err e = logical_write_one(l, disk, b->entry[i].oid, b->local[i], l->copies, 0,
                                   OBJECT_REPAIR | OBJECT_LOST_BLOCKS);
    if (e == OK || e == E_SESSION)
        return e;
    e = b->backed[i] ? logical_disk_drop(l, disk) : E_SESSION;
    return e == OK ? OK : E_SESSION; /* only a rollback makes the row sound again */
}

/* A block that its disk refused: once more, in case it was damaged on the way. */
static enum err insist(struct logical *l)
{
    struct batch *b = &l->batch;
    for (uint32_t i = 0; i < b->count; i++)
        for (uint32_t k = 0; k < DISKS_MAX; k++) {
            if ((b->failed[i] & l->core.members & 1u << k) == 0)
                continue;
            enum err e = logical_write_alone(l, i, k);
            if (e != OK)
                return e;
        }
    return OK;
}

/* The part of an object that refuses is made anew from the others, which have this block too. */
static enum err mend(struct logical *l, const struct row *row, uint32_t i, uint32_t disk)
{
    uint32_t bit = 1u << disk;
    uint32_t others = logical_entry_disks(l, &row->entry) & ~bit;
    enum err e = logical_write_alone(l, i, disk); /* mended since, with another block? */
    if (e != OK || (l->batch.failed[i] & bit) == 0 || others == 0)
        return e;
    uint32_t good = 0;
    while ((others >> good & 1) == 0)
        good++;
    e = logical_objects_mend(l, &row->entry, disk, good);
    if (e == OK)
        l->batch.failed[i] &= ~bit;
    return e == E_SESSION ? e : OK;
}

/* What to do with blocks that were refused and stay so. */
enum refused { REFUSED_MEND, REFUSED_LATER };

/* Sees to each block of a row that was not written; short: to those for which there is no space. */
static enum err settle_row(struct logical *l, struct row *row, bool space, enum refused refused)
{
    struct batch *b = &l->batch;
    for (uint32_t role = 0; role < row->entry.count; role++) {
        uint32_t i = row->batch[role];
        uint32_t disk = row_disk(row, role);
        enum err e = OK;
        if ((row->sent & ~row_dead(l, row) & 1u << role) == 0 || space == is_short(b->status[i]))
            continue;
        if (b->failed[i] != 0 && refused == REFUSED_MEND)
            e = mend(l, row, i, disk);
        if (e != OK)
            return e;
        if ((b->failed[i] & l->core.members) == 0 && b->status[i] == OK)
            continue;
        row->failed |= 1u << role;
        if (is_short(b->status[i]))
            row->error = (enum err)b->status[i];
        if (b->failed[i] != 0 && refused == REFUSED_LATER)
            continue;
        e = give_up(l, i, disk);
        if (e != OK)
            return e;
    }
    return OK;
}

/* Rows are made sound block by block: a part is made anew only when no other block is stale. */
static enum err send(struct logical *l, struct rows *rows, enum refused refused)
{
    struct batch *b = &l->batch;
    if (b->count == 0)
        return OK;
    plat_probe(PROBE_LOGICAL_PARITY);
    enum err e = logical_write_phase(l, b->mask);
    if (e == OK)
        e = again_with_reserve(l);
    if (e == OK)
        e = insist(l);
    for (uint32_t i = 0; i < 2 * rows->count && e == OK; i++)
        e = settle_row(l, &rows->row[i % rows->count], i >= rows->count, refused);
    return e;
}

/* ---- The cache's batch ----------------------------------------------------------------------- */

static void answer(const struct logical *l, const struct rows *rows, const struct row *row,
                   struct intake *in)
{
    uint32_t dead = row_dead(l, row);
    uint32_t erased = dead | row->failed | row->lost;
    erased |= row->bad & ~row->sent;
    bool bears = logical_bits(erased) <= logical_place_parities(&row->entry);
    for (uint32_t role = 0; role < row->entry.count; role++) {
        uint32_t bit = 1u << role;
        if ((row->fresh & bit) == 0 || (row->lost & bit) != 0)
            continue;
        uint32_t k = rows->origin[row->batch[role]];
        if (row->error != OK)
            in->status[k] = (int32_t)row->error;
        else if ((erased & bit) != 0 && !bears)
            in->status[k] = E_MEDIA;
    }
}

static enum err write_rows(struct logical *l, struct rows *rows, struct intake *in)
{
    enum err e = prepare(l, rows);
    for (uint32_t i = 0; i < rows->count && e == OK; i++) {
        struct row *row = &rows->row[i];
        uint64_t lsn = 0;
        for (uint32_t role = 0; role < row->entry.count; role++) {
            uint32_t at = row->batch[role];
            if ((row->fresh >> role & 1) != 0 && l->batch.entry[at].lsn > lsn)
                lsn = l->batch.entry[at].lsn;
        }
        row->sent = row->fresh;
        add_parities(l, rows, row, lsn);
    }
    if (e == OK)
        e = send(l, rows, REFUSED_MEND);
    for (uint32_t i = 0; i < rows->count && e == OK; i++)
        answer(l, rows, &rows->row[i], in);
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        in->moved += (uint32_t)l->batch.moved[k];
    return e;
}

enum err logical_rows_write(struct logical *l, struct intake *in)
{
    struct rows *rows = rows_begin(&l->rows);
    put_in_order(rows, in);
    for (uint32_t from = 0; from < rows->ordered;) {
        rows = rows_begin(&l->rows);
        enum err e = take_rows(l, rows, in, &from);
        if (e == OK)
            e = write_rows(l, rows, in);
        if (e != OK)
            return e;
    }
    return OK;
}

/* ---- Truncation ------------------------------------------------------------------------------ */

/* Rows of the last stripe that lose data: [first, end) of it, as many as fit. */
static void take_cut(struct logical *l, struct rows *rows, const struct entry *entry,
                     uint64_t blocks, uint32_t *first, uint32_t end)
{
    uint32_t data = entry->count - logical_place_parities(entry);
    uint64_t unit = entry->stripe_blocks;
    uint64_t stripe = blocks / (data * unit);
    uint64_t rest = blocks % (data * unit);
    for (; *first < end; (*first)++) {
        uint32_t cut = 0;
        for (uint32_t role = 0; role < data; role++)
            cut |= role * unit + *first >= rest ? 1u << role : 0;
        if (cut == 0)
            continue;
        struct row *row = rows_add(l, rows, entry, stripe * unit + *first);
        if (row == NULL)
            return;
        row->fresh = cut;
        for (uint32_t role = 0; role < data; role++)
            row->page[role] = rows->zeros;
    }
}

/* Rows whose cut blocks are holes already keep their parity. */
static enum err leave_holes(struct logical *l, struct rows *rows)
{
    uint32_t want[ROWS_MAX];
    for (uint32_t i = 0; i < rows->count; i++)
        want[i] = rows->row[i].fresh & ~rows->row[i].bad;
    enum err e = rows_read(l, rows, want);
    for (uint32_t i = 0; i < rows->count; i++)
        if ((rows->row[i].fresh & ~rows->row[i].holes) == 0)
            rows->row[i].fresh = 0;
    return e;
}

/* Disks of blocks that were refused. */
static uint32_t refusing(const struct logical *l, const struct rows *rows)
{
    uint32_t disks = 0;
    for (uint32_t i = 0; i < rows->count; i++)
        for (uint32_t role = 0; role < rows->row[i].entry.count; role++)
            if ((rows->row[i].failed >> role & 1) != 0)
                disks |= 1u << row_disk(&rows->row[i], role);
    return disks & l->core.members;
}

enum err logical_rows_truncate(struct logical *l, const struct entry *entry, uint64_t blocks,
                               uint64_t lsn, uint32_t *refused)
{
    uint32_t data = entry->count - logical_place_parities(entry);
    uint64_t rest = blocks % ((uint64_t)data * entry->stripe_blocks);
    uint32_t end = rest < entry->stripe_blocks ? (uint32_t)rest : entry->stripe_blocks;
    for (uint32_t first = 0; first < end;) {
        struct rows *rows = rows_begin(&l->rows);
        l->batch = (struct batch){.flags = OBJECT_REPLAY};
        take_cut(l, rows, entry, blocks, &first, end);
        enum err e = leave_holes(l, rows);
        if (e == OK)
            e = prepare(l, rows);
        for (uint32_t i = 0; i < rows->count && e == OK; i++)
            add_parities(l, rows, &rows->row[i], lsn);
        if (e == OK)
            e = send(l, rows, REFUSED_LATER);
        if (e != OK)
            return e;
        *refused |= refusing(l, rows);
    }
    return OK;
}
