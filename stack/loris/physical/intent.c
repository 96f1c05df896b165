/*
 * Durable intents: before a data block that the released checkpoint holds is overwritten in place,
 * the region says so: {object, block, address, checksum to be, lsn}. After a system crash it says
 * which blocks may differ from the checkpoint, and how.
 *
 * The region is a ring of blocks, each written once a life of an epoch: block `sequence` mod size.
 * A block is live while its epoch is above the released one; a live block is never overwritten.
 *
 * With doublewrite the data of the overwrites lie in the blocks after their intents, and are stable
 * with them: what a cut tore in place is written again from there.
 *
 * Invariant: ring.epoch[k] is that of the block at k (0: none or unreadable), core.intent_live
 * counts those above core.released; ring.copy[k]: data, not intents.
 */
#include "physical.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "planted.h"

#define SCAN_BLOCKS 64u
#define WRITE_TRIES 4u /* blocks of the region tried before the intents are given up */

/* ---- What is durable already ----------------------------------------------------------------- */

void phys_intent_clear_durable(struct physical *p)
{
    p->generation++;
    if (p->generation == 0) {
        memset(p->durable, 0, DURABLE_SLOTS * sizeof(p->durable[0]));
        p->generation = 1;
    }
}

static struct durable *durable_slot(const struct physical *p, uint64_t address)
{
    uint64_t h = address * UINT64_C(0x9e3779b97f4a7c15);
    return &p->durable[(h >> 40) % DURABLE_SLOTS];
}

static uint64_t durable_key(const struct physical *p, uint64_t address)
{
    return address | (uint64_t)p->generation << 48;
}

bool phys_intent_is_durable(const struct physical *p, uint64_t address, uint32_t crc)
{
    const struct durable *d = durable_slot(p, address);
    return d->key == durable_key(p, address) && (d->crc == crc || PLANTED(PLANTED_INTENT_ONCE));
}

static void set_durable(struct physical *p, uint64_t address, uint32_t crc)
{
    *durable_slot(p, address) = (struct durable){.key = durable_key(p, address), .crc = crc};
}

/* ---- Writing --------------------------------------------------------------------------------- */

static uint32_t ring_size(const struct physical *p)
{
    ASSERT(p->layout.intent_blocks <= RING_MAX);
    return p->layout.intent_blocks;
}

/* The k-th block of the region from the head on. */
static uint32_t ring_at(const struct physical *p, uint64_t k)
{
    return (uint32_t)((p->core.intent_head + k) % ring_size(p));
}

static const struct ring *use_ring(struct physical *p)
{
    if (p->ring_stamp == p->stamp)
        return &p->ring;
    if (p->meta_guard && p->ring_guard != plat_crc32c(&p->ring, sizeof(p->ring)))
        phys_node_damaged(0);
    p->ring_stamp = p->stamp;
    return &p->ring;
}

/* Verified like that; its guard is renewed with the others of this request. */
static struct ring *change_ring(struct physical *p)
{
    (void)use_ring(p);
    p->ring_changed = true;
    return &p->ring;
}

static uint32_t blocks_for(const struct physical *p, uint32_t intents)
{
    return p->doublewrite ? intents + 1 : 1;
}

bool phys_intent_room(struct physical *p, uint32_t intents)
{
    const struct ring *ring = use_ring(p);
    uint32_t blocks = blocks_for(p, intents);
    if (blocks > ring_size(p))
        return false;
    for (uint32_t k = 0; k < blocks; k++)
        if (ring->epoch[ring_at(p, k)] > p->core.released)
            return false;
    return true;
}

bool phys_intent_half_full(const struct physical *p)
{
    return p->core.intent_live >= ring_size(p) / 2;
}

static void fill_block(struct physical *p, const struct object_intent *intents, uint32_t count,
                       uint64_t address)
{
    struct block_head head = {.type = TYPE_INTENT,
                              .level = p->doublewrite ? INTENT_WITH_DATA : 0,
                              .count = count,
                              .address = address,
                              .owner = OID_INODES,
                              .index = p->core.intent_head,
                              .epoch = p->core.released + 1,
                              .disk_uuid = {p->core.disk_uuid[0], p->core.disk_uuid[1]}};
    memset(p->intent, 0, BLOCK_BYTES);
    phys_block_head_encode(p->intent, &head);
    for (uint32_t i = 0; i < count; i++)
        phys_intent_entry_encode(p->intent + FORMAT_HEAD_BYTES + (size_t)i * FORMAT_INTENT_BYTES,
                                 &intents[i]);
    phys_intent_block_seal(p->intent);
}

/* Lists the intent block in p->intent, and the data after it, in p->items; takes their places. */
static uint32_t list_items(struct physical *p, uint8_t *const *page, uint32_t count)
{
    struct ring *ring = change_ring(p);
    uint32_t blocks = blocks_for(p, count);
    for (uint32_t k = 0; k < blocks; k++) {
        uint32_t at = ring_at(p, k);
        uint8_t *raw = k == 0 ? p->intent : page[k - 1];
        p->items[k] = (struct io_item){.address = p->layout.intent_first + at,
                                       .page = raw,
                                       .crc = plat_crc32c(raw, BLOCK_BYTES)};
        ring->epoch[at] = p->core.released + 1;
        ring->copy[at] = k > 0;
        p->core.intent_live++;
    }
    p->core.intent_head += blocks;
    return blocks;
}

enum err phys_intent_write(struct physical *p, const struct object_intent *intents,
                           uint8_t *const *page, uint32_t count)
{
    enum err e = E_FULL;
    ASSERT(count > 0 && count <= FORMAT_INTENTS);
    for (uint32_t attempt = 0; attempt < WRITE_TRIES && phys_intent_room(p, count); attempt++) {
        fill_block(p, intents, count, p->layout.intent_first + ring_at(p, 0));
        uint32_t blocks = list_items(p, page, count);
        e = phys_io_write(p, p->items, blocks);
        if (e != E_MEDIA)
            break; /* else the next blocks of the ring may be better */
    }
    if (e == OK && !PLANTED(PLANTED_NO_INTENT_FLUSH))
        e = phys_io_flush(p);
    if (e != OK)
        return e;
    plat_probe(PROBE_PHYS_INTENT);
    for (uint32_t i = 0; i < count; i++)
        set_durable(p, intents[i].address, intents[i].crc);
    return OK;
}

void phys_intent_release(struct physical *p)
{
    const struct ring *ring = use_ring(p);
    p->core.intent_live = 0;
    for (uint32_t k = 0; k < ring_size(p); k++)
        p->core.intent_live += ring->epoch[k] > p->core.released;
    phys_intent_clear_durable(p);
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct scan {
    uint64_t first, last; /* sequences seen */
    uint32_t blocks;
    uint64_t index[RING_MAX];  /* sequence of the intent block at k */
    uint8_t follows[RING_MAX]; /* blocks of data after it */
};

static void see_block(struct physical *p, struct scan *scan, uint32_t at, uint8_t *raw,
                      const uint64_t disk_uuid[2])
{
    struct block_head head;
    struct object_intent intent;
    struct ring *ring = change_ring(p);
    ring->epoch[at] = 0;
    ring->copy[at] = false;
    if (phys_intent_block_decode(&head, raw, p->layout.intent_first + at, disk_uuid) != OK ||
        head.index % ring_size(p) != at)
        return;
    ring->epoch[at] = head.epoch;
    scan->index[at] = head.index;
    if (head.level == INTENT_WITH_DATA && head.count < ring_size(p))
        scan->follows[at] = (uint8_t)head.count;
    uint64_t last = head.index + scan->follows[at];
    if (scan->blocks == 0 || head.index < scan->first)
        scan->first = head.index;
    if (scan->blocks == 0 || last > scan->last)
        scan->last = last;
    scan->blocks += 1u + scan->follows[at];
    if (head.epoch > p->highest_epoch)
        p->highest_epoch = head.epoch;
    if (last >= p->core.intent_head)
        p->core.intent_head = last + 1;
    for (uint32_t i = 0; i < head.count; i++) {
        phys_intent_entry_decode(&intent,
                                 raw + FORMAT_HEAD_BYTES + (size_t)i * FORMAT_INTENT_BYTES);
        if (intent.lsn > p->highest_lsn)
            p->highest_lsn = intent.lsn;
    }
}

/* Overwrites an intent block that an earlier layout left, so that none of its words is believed. */
static enum err wipe_block(struct physical *p, uint32_t at, const uint8_t *raw)
{
    bool blank = true;
    for (uint32_t k = 0; k < FORMAT_HEAD_BYTES; k++)
        blank = blank && raw[k] == 0;
    if (blank)
        return OK;
    change_ring(p)->epoch[at] = 0;
    memset(p->intent, 0, BLOCK_BYTES);
    return phys_io_block(p, BLOCK_WRITE, p->layout.intent_first + at, p->intent);
}

static enum err scan_part(struct physical *p, struct scan *scan, uint32_t first, uint32_t count,
                          const uint64_t disk_uuid[2], bool wipe)
{
    for (uint32_t k = 0; k < count; k++) {
        p->items[k] = (struct io_item){.address = p->layout.intent_first + first + k,
                                       .page = p->batch + (size_t)k * BLOCK_BYTES};
    }
    (void)phys_io_run(p, BLOCK_READ, p->items, count); /* each block has its own status */
    for (uint32_t k = 0; k < count; k++) {
        uint8_t *raw = p->items[k].page;
        enum err e = OK;
        if (p->items[k].status == E_DEAD)
            return E_DEAD;
        if (p->items[k].status != OK)
            change_ring(p)->epoch[first + k] = 0;
        else if (wipe)
            e = wipe_block(p, first + k, raw);
        else
            see_block(p, scan, first + k, raw, disk_uuid);
        if (e != OK)
            return e;
    }
    return OK;
}

/* Data live as long as the intents that they belong to, unless those of a later turn lie there. */
static void see_data(struct physical *p, const struct scan *scan)
{
    struct ring *ring = change_ring(p);
    for (uint32_t at = 0; at < ring_size(p); at++)
        for (uint32_t k = 1; k <= scan->follows[at]; k++) {
            uint32_t data = (at + k) % ring_size(p);
            if (scan->index[data] > scan->index[at] || ring->epoch[data] > ring->epoch[at])
                continue;
            ring->epoch[data] = ring->epoch[at];
            ring->copy[data] = true;
        }
}

enum err phys_intent_scan(struct physical *p, const uint64_t disk_uuid[2], bool wipe)
{
    struct scan scan = {.blocks = 0};
    for (uint32_t first = 0; first < ring_size(p); first += SCAN_BLOCKS) {
        uint32_t left = ring_size(p) - first;
        enum err e =
            scan_part(p, &scan, first, left < SCAN_BLOCKS ? left : SCAN_BLOCKS, disk_uuid, wipe);
        if (e != OK)
            return e;
    }
    see_data(p, &scan);
    if (scan.blocks > 0 && scan.last - scan.first + 1 != scan.blocks)
        plat_report(REPORT_DETECTED, (uint64_t)-E_CORRUPT, p->layout.intent_first);
    return OK;
}

/* Where the adopted tree has the block is where a valid intent wrote. *at: the tree's pointer. */
static bool names_tree(struct physical *p, const struct object_intent *intent, struct pointer *at)
{
    struct spot spot;
    if (intent->oid <= OID_MAP)
        return false;
    if (phys_tree_spot(p, intent->oid, 0, intent->block, NODE_LOOK, false, &spot) != OK)
        return false;
    phys_pointer_decode(at, spot.raw);
    return at->address != 0 && at->address == intent->address;
}

/* Whether the block at k holds live intents. */
static bool is_live(struct physical *p, uint32_t k)
{
    const struct ring *ring = use_ring(p);
    return ring->epoch[k] > p->core.released && !ring->copy[k];
}

/* Reads the intent block at k into p->intent. */
static enum err load_block(struct physical *p, uint32_t k, struct block_head *head)
{
    uint64_t address = p->layout.intent_first + k;
    enum err e = phys_io_block(p, BLOCK_READ, address, p->intent);
    if (e == OK)
        e = phys_intent_block_decode(head, p->intent, address, p->core.disk_uuid);
    if (e != OK)
        plat_report(REPORT_DETECTED, (uint64_t) - (int)e, address);
    return e;
}

static void get_intent(const struct physical *p, uint32_t i, struct object_intent *intent)
{
    phys_intent_entry_decode(intent,
                             p->intent + FORMAT_HEAD_BYTES + (size_t)i * FORMAT_INTENT_BYTES);
}

/* ---- Writing again --------------------------------------------------------------------------- */

/* One block that may be torn, and its data in the region at `data`. OK: it is whole; E_NOENT: by
 * this intent it is not, an older one may know better; E_DEAD. */
static enum err redo_block(struct physical *p, const struct object_intent *intent, uint64_t data)
{
    struct pointer tree;
    uint8_t *page = p->batch;
    if (!names_tree(p, intent, &tree))
        return E_NOENT;
    enum err e = phys_io_block(p, BLOCK_READ, intent->address, page);
    uint32_t crc = e == OK ? plat_crc32c(page, BLOCK_BYTES) : 0;
    if (e == E_DEAD || (e == OK && (crc == tree.crc || crc == intent->crc)))
        return e;
    e = phys_io_block(p, BLOCK_READ, data, page);
    if (e != OK || plat_crc32c(page, BLOCK_BYTES) != intent->crc)
        return e == E_DEAD ? E_DEAD : E_NOENT;
    plat_report(REPORT_REPAIR, intent->oid, intent->block);
    e = phys_io_block(p, BLOCK_WRITE, intent->address, page);
    return e == E_DEAD ? E_DEAD : OK;
}

struct redo {
    uint64_t done[RING_MAX]; /* addresses that are whole; each has a block of data in the region */
    uint32_t count;
};

static bool is_done(const struct redo *r, uint64_t address)
{
    for (uint32_t k = 0; k < r->count; k++)
        if (r->done[k] == address)
            return true;
    return false;
}

/* The intents of the ring's block `at`, the last first. */
static enum err redo_intents(struct physical *p, struct redo *r, uint32_t at)
{
    struct block_head head;
    enum err e = load_block(p, at, &head);
    if (e != OK || head.level != INTENT_WITH_DATA)
        return e == E_DEAD ? E_DEAD : OK;
    for (uint32_t i = head.count; i-- > 0;) {
        struct object_intent intent;
        get_intent(p, i, &intent);
        if (r->count == RING_MAX || is_done(r, intent.address))
            continue;
        e = redo_block(p, &intent, p->layout.intent_first + (at + 1 + i) % ring_size(p));
        if (e == E_DEAD)
            return e;
        if (e == OK)
            r->done[r->count++] = intent.address;
    }
    return OK;
}

/*
 * The newest first, and each block once: what is whole by its newest intent is never overwritten
 * with an older version, whose data may be the only ones that can still be read. If those of the
 * newest cannot, an older version is whole too, and later than the checkpoint (R1).
 */
enum err phys_intent_redo(struct physical *p)
{
    struct redo r = {.count = 0};
    enum err e = OK;
    for (uint32_t k = ring_size(p); k-- > 0 && e == OK;)
        if (is_live(p, ring_at(p, k)))
            e = redo_intents(p, &r, ring_at(p, k));
    return e;
}

/* ---- Answering ------------------------------------------------------------------------------- */

enum err phys_intent_collect(struct physical *p, uint32_t ring_index,
                             struct object_intent out[FORMAT_INTENTS], uint32_t *count)
{
    struct block_head head;
    struct pointer tree;
    *count = 0;
    ASSERT(ring_index < ring_size(p));
    if (!is_live(p, ring_index))
        return OK;
    enum err e = load_block(p, ring_index, &head);
    if (e != OK) /* R3: its blocks must match the checkpoint then */
        return e == E_DEAD ? E_DEAD : OK;
    for (uint32_t i = 0; i < head.count; i++) {
        struct object_intent *intent = &out[*count];
        get_intent(p, i, intent);
        intent->epoch = head.epoch;
        *count += names_tree(p, intent, &tree);
    }
    return OK;
}
