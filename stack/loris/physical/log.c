/*
 * The region of the log (fsync=log): segments one after the other from its start, each a head with
 * the checksum of every block behind it. They are on top of the released checkpoint, whose number
 * is in their heads, and are void with the release of the next: then the region begins anew.
 *
 * So nothing of it is overwritten that a start might need: between the adoption of a checkpoint and
 * the next release it takes no segment (log_open), and only then is what is there superseded.
 */
#include "physical.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "planted.h"

#define READ_TRIES 2u      /* of a segment: its blocks may have been misdirected on the way */
#define WINDOW_FIRST 16u   /* blocks read at once: at the start of the region, */
#define WINDOW_BLOCKS 126u /* and from then on */
_Static_assert(WINDOW_BLOCKS <= LOG_WINDOW_BLOCKS, "a bit for each");
#define WIPE_BLOCKS 64u

void phys_log_release(struct physical *p)
{
    p->core.log_open = p->layout.log_blocks > 0;
    p->core.log_used = 0;
    p->core.log_next = 1;
}

static uint64_t address_of(const struct physical *p, uint64_t place)
{
    ASSERT(place < p->layout.log_blocks);
    return p->layout.log_first + place;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Data into p->batch, checksums into p->meta; what came must be what was sent (P3). */
static enum err take_in(struct physical *p, const struct object_request *request, uint32_t source,
                        uint32_t count)
{
    enum err e =
        plat_copy_in(source, request->grant_meta, 0, p->meta, (size_t)count * OBJECT_LOG_CRC_BYTES);
    if (e == OK)
        e = plat_copy_in(source, request->grant_data, 0, p->batch, (size_t)count * BLOCK_BYTES);
    for (uint32_t k = 0; k < count && e == OK; k++)
        if (plat_crc32c(p->batch + (size_t)k * BLOCK_BYTES, BLOCK_BYTES) !=
            get_le32(p->meta + (size_t)k * OBJECT_LOG_CRC_BYTES))
            e = E_CORRUPT;
    return e;
}

/* Lists head and blocks in p->items; how many. */
static uint32_t list_segment(struct physical *p, uint32_t count, bool last)
{
    uint64_t first = address_of(p, p->core.log_used);
    struct block_head head = {.type = TYPE_LOG,
                              .level = last ? LOG_GROUP_END : 0,
                              .count = count,
                              .address = first,
                              .owner = OID_INODES,
                              .index = p->core.log_next,
                              .epoch = p->core.released,
                              .disk_uuid = {p->core.disk_uuid[0], p->core.disk_uuid[1]}};
    memset(p->intent, 0, BLOCK_BYTES);
    phys_block_head_encode(p->intent, &head);
    memcpy(p->intent + LOG_CRC(0), p->meta, (size_t)count * OBJECT_LOG_CRC_BYTES);
    phys_intent_block_seal(p->intent);
    p->items[0] = (struct io_item){
        .address = first, .page = p->intent, .crc = plat_crc32c(p->intent, BLOCK_BYTES)};
    for (uint32_t k = 0; k < count; k++)
        p->items[k + 1] =
            (struct io_item){.address = first + 1 + k,
                             .page = p->batch + (size_t)k * BLOCK_BYTES,
                             .crc = get_le32(p->meta + (size_t)k * OBJECT_LOG_CRC_BYTES)};
    return count + 1;
}

static enum err write_segment(struct physical *p, uint32_t count, bool last)
{
    enum err e = phys_io_write(p, p->items, list_segment(p, count, last));
    if (e != OK)
        return e;
    plat_probe(PROBE_PHYS_LOG_WRITTEN);
    if (last)
        e = phys_io_flush(p);
    if (e == OK && last)
        plat_probe(PROBE_PHYS_LOG_STABLE);
    return e;
}

enum err phys_log_write(struct physical *p, const struct object_request *request, uint32_t source,
                        struct object_reply *reply)
{
    struct core *core = &p->core;
    uint32_t count = (uint32_t)(request->length / BLOCK_BYTES);
    bool last = request->size == 0;
    if (request->length % BLOCK_BYTES != 0 || count == 0 || count > OBJECT_BATCH_MAX_BLOCKS)
        return E_INVAL;
    if (!core->log_open || core->prepared != core->released || request->epoch != core->released ||
        request->lsn != core->log_next)
        return E_AGAIN;
    uint64_t room = p->layout.log_blocks - core->log_used;
    if (count + 1 > room || request->size > room - count - 1)
        return E_FULL;
    enum err e = take_in(p, request, source, count);
    if (e == OK)
        e = write_segment(p, count, last);
    p->window.blocks = 0;
    core->log_open = e == OK; /* what is there now is unknown: nothing may follow it */
    core->log_used += count + 1;
    core->log_next++;
    reply->moved = (uint32_t)request->length;
    return e;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Reads the region from `place` on into the window. OK or E_DEAD. */
static enum err fill_window(struct physical *p, uint64_t place)
{
    struct log_window *w = &p->window;
    uint64_t left = p->layout.log_blocks - place;
    uint64_t most = place == 0 ? WINDOW_FIRST : WINDOW_BLOCKS; /* mostly there is nothing */
    if (w->raw == NULL)
        w->raw = plat_alloc((size_t)WINDOW_BLOCKS * BLOCK_BYTES, TAG_PAGES);
    ASSERT(w->raw != NULL);
    w->place = place;
    w->blocks = 0;
    memset(w->unreadable, 0, sizeof(w->unreadable));
    uint32_t count = (uint32_t)(left < most ? left : most);
    for (uint32_t k = 0; k < count; k++)
        p->items[k] = (struct io_item){.address = address_of(p, place + k),
                                       .page = w->raw + (size_t)k * BLOCK_BYTES};
    (void)phys_io_run(p, BLOCK_READ, p->items, count); /* each block has its own status */
    for (uint32_t k = 0; k < count; k++) {
        if (p->items[k].status == E_DEAD)
            return E_DEAD;
        if (p->items[k].status != OK)
            w->unreadable[k / 64] |= UINT64_C(1) << (k % 64);
    }
    w->blocks = count;
    return OK;
}

/* Blocks [place, place + count) of the region, which must be inside it. OK, E_DEAD; E_MEDIA: one of
 * them cannot be read. */
static enum err look(struct physical *p, uint64_t place, uint32_t count, uint8_t **raw)
{
    const struct log_window *w = &p->window;
    ASSERT(count <= WINDOW_BLOCKS && place + count <= p->layout.log_blocks);
    bool inside = place >= w->place && place + count <= w->place + w->blocks;
    enum err e = inside ? OK : fill_window(p, place);
    if (e == OK && place + count > w->place + w->blocks) /* the first one is short */
        e = fill_window(p, place);
    *raw = w->raw + (size_t)(place - w->place) * BLOCK_BYTES;
    for (uint64_t k = place - w->place; k < place - w->place + count && e == OK; k++)
        if ((w->unreadable[k / 64] >> (k % 64) & 1) != 0)
            e = E_MEDIA;
    return e;
}

/* The head of the segment that is asked for, in p->intent. E_NOENT: there is none; E_MEDIA: that is
 * not known. */
static enum err read_head(struct physical *p, const struct object_request *request,
                          struct block_head *head)
{
    uint8_t *raw;
    if (request->offset >= p->layout.log_blocks)
        return E_NOENT;
    enum err e = look(p, request->offset, 1, &raw);
    if (e != OK)
        return e;
    memcpy(p->intent, raw, BLOCK_BYTES);
    uint64_t address = address_of(p, request->offset);
    if (phys_log_head_decode(head, p->intent, address, p->core.disk_uuid) != OK)
        return E_NOENT;
    bool base = head->epoch == request->epoch || PLANTED(PLANTED_GROUP_ANY_BASE);
    bool wanted =
        base && head->index == request->lsn && head->count < p->layout.log_blocks - request->offset;
    return wanted ? OK : E_NOENT;
}

/* Its blocks. E_CORRUPT: one of them is not what the head says. */
static enum err read_blocks(struct physical *p, const struct object_request *request,
                            const struct block_head *head, uint8_t **raw)
{
    enum err e = look(p, request->offset + 1, head->count, raw);
    for (uint32_t k = 0; k < head->count && e == OK; k++)
        if (plat_crc32c(*raw + (size_t)k * BLOCK_BYTES, BLOCK_BYTES) !=
            get_le32(p->intent + LOG_CRC(k)))
            e = E_CORRUPT;
    return e;
}

enum err phys_log_read(struct physical *p, const struct object_request *request, uint32_t source,
                       struct object_reply *reply)
{
    struct block_head head;
    uint8_t *raw = NULL;
    enum err e = E_CORRUPT;
    for (uint32_t k = 0; k < READ_TRIES && e == E_CORRUPT; k++) {
        if (k > 0)
            p->window.blocks = 0;
        e = read_head(p, request, &head);
        if (e == OK)
            e = read_blocks(p, request, &head, &raw);
    }
    if (e == E_MEDIA) /* it may have been whole: a torn one can be read */
        plat_report(REPORT_DETECTED, (uint64_t)-E_MEDIA, address_of(p, request->offset));
    if (e != OK)
        return e;
    reply->moved = head.count * BLOCK_BYTES;
    reply->size = request->offset + 1 + head.count;
    reply->done = head.level == LOG_GROUP_END ? 1 : 0;
    e = plat_copy_out(source, request->grant_meta, 0, p->intent + LOG_CRC(0),
                      (size_t)head.count * OBJECT_LOG_CRC_BYTES);
    if (e == OK)
        e = plat_copy_out(source, request->grant_data, 0, raw, reply->moved);
    return e;
}

/*
 * A group on top of a checkpoint is a proof that all members had that, as intents of a later epoch
 * are: a disk that lacks it now has lied.
 */
enum err phys_log_scan(struct physical *p, const uint64_t disk_uuid[2])
{
    struct block_head head;
    if (p->layout.log_blocks == 0)
        return OK;
    uint64_t address = address_of(p, 0);
    enum err e = phys_io_block(p, BLOCK_READ, address, p->intent);
    if (e == E_DEAD)
        return e;
    if (e == OK && phys_log_head_decode(&head, p->intent, address, disk_uuid) == OK &&
        head.epoch >= p->highest_epoch)
        p->highest_epoch = head.epoch + 1;
    return OK;
}

/* ---- Formatting ------------------------------------------------------------------------------ */

static bool is_blank(const uint8_t *raw)
{
    for (uint32_t k = 0; k < FORMAT_HEAD_BYTES; k++)
        if (raw[k] != 0)
            return false;
    return true;
}

/* A block that cannot be read is no head either. */
static enum err wipe_part(struct physical *p, uint32_t first, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++)
        p->items[k] = (struct io_item){.address = address_of(p, first + k),
                                       .page = p->batch + (size_t)k * BLOCK_BYTES};
    (void)phys_io_run(p, BLOCK_READ, p->items, count); /* each block has its own status */
    memset(p->intent, 0, BLOCK_BYTES);
    for (uint32_t k = 0; k < count; k++) {
        if (p->items[k].status == E_DEAD)
            return E_DEAD;
        if (p->items[k].status != OK || is_blank(p->items[k].page))
            continue;
        enum err e = phys_io_block(p, BLOCK_WRITE, address_of(p, first + k), p->intent);
        if (e != OK)
            return e;
    }
    return OK;
}

enum err phys_log_wipe(struct physical *p)
{
    enum err e = OK;
    for (uint32_t first = 0; first < p->layout.log_blocks && e == OK; first += WIPE_BLOCKS) {
        uint32_t left = p->layout.log_blocks - first;
        e = wipe_part(p, first, left < WIPE_BLOCKS ? left : WIPE_BLOCKS);
    }
    return e;
}
