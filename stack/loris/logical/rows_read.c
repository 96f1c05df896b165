/*
 * Blocks of objects with parity that their disk does not give: worked out from the others of their
 * row, and written back where the disk lives; and what a slot must hold, for mending and rebuild.
 */
#include "rows.h"

#include "assertion.h"
#include "mem.h"

/* Reads what is missing until all data of each row can be worked out or cannot. */
static enum err read_all_needed(struct logical *l, struct rows *rows)
{
    uint32_t want[ROWS_MAX];
    bool possible;
    for (;;) {
        uint32_t any = 0;
        for (uint32_t i = 0; i < rows->count; i++)
            any |= want[i] = row_wanted(&rows->row[i], &possible);
        if (any == 0)
            return OK;
        enum err e = rows_read(l, rows, want);
        if (e != OK)
            return e;
    }
}

/* ---- Reads of the cache ---------------------------------------------------------------------- */

struct recovery {
    const struct object_request *request;
    uint32_t source;
    const struct entry *entry;
    uint64_t first;        /* block of the object at l->metas[0] */
    uint32_t parts_mended; /* disks */
};

/* Block i of the request becomes one of those that its row lacks. false: no room for its row. */
static bool take_missing(struct logical *l, struct rows *rows, const struct recovery *r, uint32_t i)
{
    struct place place;
    struct row *row = NULL;
    logical_place_stripe(r->entry, r->first + i, &place);
    for (uint32_t n = 0; n < rows->count && row == NULL; n++)
        if (rows->row[n].block == place.block)
            row = &rows->row[n];
    if (row == NULL)
        row = rows_add(l, rows, r->entry, place.block);
    if (row == NULL)
        return false;
    row->bad |= 1u << place.role;
    row->fresh |= 1u << place.role; /* wanted by the caller */
    row->meta[place.role] = l->metas[i];
    row->batch[place.role] = (uint8_t)i;
    return true;
}

/* What a live disk should have had: the block, or, if the way to it cannot be read, all its part of
 * the object. Its own failure is no failure of the read. */
static enum err repair(struct logical *l, const struct rows *rows, const struct row *row,
                       uint32_t role, struct recovery *r)
{
    const struct object_block_meta *was = &row->meta[role];
    const uint8_t *page = row_old(rows, row, role);
    uint32_t disk = row_disk(row, role);
    enum err e = OK;
    if (l->in_pause || (row_unread(l, row) >> role & 1) != 0 || (r->parts_mended >> disk & 1) != 0)
        return OK;
    if (was->birth != 0)
        e = logical_write_repair(l, disk, row->entry.oid, row->block, page,
                                 plat_crc32c(page, BLOCK_BYTES));
    if (was->birth == 0 || e == E_CORRUPT || e == E_NOENT) {
        r->parts_mended |= 1u << disk;
        uint32_t good = logical_entry_disks(l, &row->entry) & ~(1u << disk);
        for (uint32_t k = 0; k < DISKS_MAX && good != 0; k++) {
            if ((good >> k & 1) == 0)
                continue;
            e = logical_objects_mend(l, &row->entry, disk, k);
            break;
        }
    }
    if (e == E_DEAD)
        e = logical_disk_drop(l, disk);
    return e == E_SESSION ? e : OK;
}

/* Hands out what was worked out, and mends. */
static enum err deliver(struct logical *l, const struct rows *rows, const struct row *row,
                        struct recovery *r)
{
    bool data = (r->request->flags & OBJECT_NODATA) == 0;
    uint32_t known = row->bad & row->have & row_data(row);
    for (uint32_t role = 0; role < row->entry.count; role++) {
        enum err e = OK;
        if ((known >> role & 1) == 0)
            continue;
        const uint8_t *page = row_old(rows, row, role);
        if ((row->fresh >> role & 1) != 0) {
            uint32_t i = row->batch[role];
            l->metas[i] = (struct object_block_meta){.crc = plat_crc32c(page, BLOCK_BYTES),
                                                     .birth = row->meta[role].birth};
            if (data)
                e = plat_copy_out(r->source, r->request->grant_data, (size_t)i * BLOCK_BYTES, page,
                                  BLOCK_BYTES);
        }
        if (e == OK)
            e = repair(l, rows, row, role, r);
        if (e != OK)
            return e;
    }
    return OK;
}

/* Disks that answered that they are gone leave the pool first. */
static enum err drop_dead(struct logical *l, const struct recovery *r, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct place place;
        if (l->metas[i].status != E_DEAD || l->in_pause)
            continue;
        logical_place_stripe(r->entry, r->first + i, &place);
        if (logical_disk_drop(l, place.disk) == E_SESSION)
            return E_SESSION;
    }
    return OK;
}

enum err logical_rows_recover(struct logical *l, const struct object_request *request,
                              uint32_t source, const struct entry *entry, uint64_t first,
                              uint32_t count)
{
    struct recovery r = {.request = request, .source = source, .entry = entry, .first = first};
    enum err e = drop_dead(l, &r, count);
    for (uint32_t i = 0; i < count && e == OK;) {
        struct rows *rows = rows_begin(&l->rows);
        for (; i < count; i++)
            if (l->metas[i].status != OK && !take_missing(l, rows, &r, i))
                break;
        e = read_all_needed(l, rows);
        for (uint32_t n = 0; n < rows->count && e == OK; n++)
            if (row_work_out(rows, &rows->row[n]))
                e = deliver(l, rows, &rows->row[n], &r);
    }
    return e;
}

/* ---- What a slot must hold ------------------------------------------------------------------- */

/* One block of the slot, from what was read of the others. */
static void make_block(struct rows *rows, struct row *row, uint32_t role, uint8_t *page,
                       struct object_block_meta *meta, uint64_t *seen)
{
    uint32_t others = ((1u << row->entry.count) - 1) & ~(1u << role);
    uint32_t tried = 0;
    for (uint32_t k = 0; k < row->entry.count; k++) {
        bool found = (row->have >> k & 1) != 0 || row->meta[k].status != OK;
        tried |= found ? 1u << k : 0;
        *seen += found && (row->holes >> k & 1) == 0 && row->meta[k].status != E_LOST;
    }
    bool holes = (others & tried & ~row->holes) == 0; /* everywhere: the parity of nothing */
    *meta = (struct object_block_meta){.status = E_MEDIA};
    if (!row_work_out(rows, row))
        return;
    row->way = ROW_FROM_ALL;
    if ((row_data(row) >> role & 1) == 0)
        row_parity(rows, row, role, page);
    else
        plat_copy(page, row_old(rows, row, role), BLOCK_BYTES);
    *meta = (struct object_block_meta){.crc = plat_crc32c(page, BLOCK_BYTES), .flags = holes};
}

enum err logical_rows_make(struct logical *l, const struct entry *entry, uint32_t slot,
                           uint64_t first, uint32_t count, uint8_t *pages,
                           struct object_block_meta *metas, uint64_t *seen)
{
    uint32_t want[ROWS_MAX] = {0}, role[ROWS_MAX] = {0};
    for (uint32_t done = 0; done < count;) {
        struct rows *rows = rows_begin(&l->mend_rows);
        while (done + rows->count < count) {
            struct row *row = rows_add(l, rows, entry, first + done + rows->count);
            if (row == NULL)
                break;
            uint32_t i = rows->count - 1;
            role[i] = logical_place_role(entry, row->block, slot);
            row->bad |= 1u << role[i];
            want[i] = ((1u << entry->count) - 1) & ~row->bad;
        }
        ASSERT(rows->count > 0);
        enum err e = rows_read(l, rows, want);
        if (e != OK)
            return e;
        for (uint32_t i = 0; i < rows->count; i++, done++)
            make_block(rows, &rows->row[i], role[i], pages + (size_t)done * BLOCK_BYTES,
                       &metas[done], seen);
    }
    return OK;
}
