#include "workloads/checkers/loris_check_log.h"

#include <isa-l.h>
#include <stddef.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"

#define BLOCK 4096u
#define HEAD 64u
#define BLOCKS_MAX 126u /* of a segment */
#define LISTS_MAX 16u
#define LIST_HEAD 16u
#define ITEM 104u
#define ITEMS 39u
#define LOG_TYPE 5u

enum { OP_WRITE = 4, OP_PAGE = 6 };

struct segment {
    uint32_t blocks; /* behind the head */
    uint8_t head[BLOCK], block[BLOCKS_MAX][BLOCK];
};

struct log_walk {
    const struct loris_log_input *in;
    const struct loris_log *log;
    struct segment segment;
    uint64_t place;              /* of it in the region */
    uint64_t last_lsn;           /* of a record */
    uint64_t oid, lsn, from, to; /* the last WRITE record: blocks that its pages may have */
};

static uint32_t log_crc(const uint8_t *raw)
{
    return ~crc32_iscsi((unsigned char *)(uintptr_t)raw, (int)BLOCK, 0xffffffffu);
}

static bool read_log(const struct loris_log_input *in, const struct loris_log *log, uint64_t place,
                     uint8_t *raw)
{
    bool readable = true;
    if (place >= log->blocks)
        return false;
    in->disks->read_block(in->disks->context, log->disk, log->first + place, raw, &readable);
    return readable;
}

/* The head of segment `number` on top of the root, at its place. */
static bool read_head(const struct loris_log_input *in, const struct loris_log *log, uint64_t place,
                      uint64_t number, uint8_t *raw)
{
    if (!read_log(in, log, place, raw) || get_le32(raw) != 0x314d524c || get_le16(raw + 4) != 1 ||
        get_le16(raw + 6) != LOG_TYPE || get_le64(raw + 16) != log->first + place ||
        get_le64(raw + 32) != number || get_le64(raw + 40) != log->epoch ||
        memcmp(raw + 48, log->uuid, 16) != 0)
        return false;
    uint32_t crc = get_le32(raw + 12);
    put_le32(raw + 12, 0);
    return log_crc(raw) == crc;
}

/* False: there is no such segment, or it is not whole. */
static bool read_segment(struct log_walk *w, uint64_t number)
{
    struct segment *s = &w->segment;
    if (!read_head(w->in, w->log, w->place, number, s->head))
        return false;
    s->blocks = get_le16(s->head + 10);
    if (s->blocks == 0 || s->blocks > BLOCKS_MAX)
        return false;
    for (uint32_t k = 0; k < s->blocks; k++)
        if (!read_log(w->in, w->log, w->place + 1 + k, s->block[k]) ||
            log_crc(s->block[k]) != get_le32(s->head + HEAD + 4 * (size_t)k))
            return false;
    return true;
}

static void breach(const struct log_walk *w, const char *what)
{
    w->in->damage(w->in->context, w->log->disk, w->place, what);
}

static void check_item(struct log_walk *w, const uint8_t *raw, uint32_t *pages)
{
    uint32_t op = get_le32(raw);
    uint64_t lsn = get_le64(raw + 8), oid = get_le64(raw + 16), a = get_le64(raw + 24);
    if (op == 0 || op > OP_PAGE || oid == 0) {
        breach(w, "an item that is none");
    } else if (op == OP_PAGE) {
        if (oid != w->oid || lsn != w->lsn || a < w->from || a >= w->to)
            breach(w, "a page that its record did not write");
        w->from = a + 1;
        ++*pages;
    } else {
        if (lsn <= w->last_lsn || lsn < w->log->lsn)
            breach(w, "a record out of order");
        w->last_lsn = lsn;
        w->oid = oid;
        w->lsn = lsn;
        w->from = a;
        w->to = op == OP_WRITE ? a + get_le64(raw + 32) : a;
    }
}

static void check_segment(struct log_walk *w)
{
    const struct segment *s = &w->segment;
    uint32_t lists = get_le16(s->block[0] + 8), pages = 0;
    if (get_le16(s->head + 8) > 1 || lists == 0 || lists > s->blocks || lists > LISTS_MAX) {
        breach(w, "a segment without lists");
        return;
    }
    for (uint32_t k = 0; k < lists; k++) {
        const uint8_t *list = s->block[k];
        uint32_t items = get_le16(list + 6);
        if (get_le32(list) != 0x3147524c || get_le16(list + 4) != 1 || items > ITEMS ||
            items == 0 || get_le16(list + 8) != lists) {
            breach(w, "a list of items that is none");
            return;
        }
        for (uint32_t i = 0; i < items; i++)
            check_item(w, list + LIST_HEAD + ITEM * (size_t)i, &pages);
    }
    if (lists + pages != s->blocks)
        breach(w, "pages without a note of whose they are");
}

/* All members were given the same. */
static void compare(const struct log_walk *w, uint64_t number)
{
    uint8_t head[BLOCK];
    for (uint32_t k = 0; k < w->in->count; k++) {
        const struct loris_log *other = &w->in->log[k];
        if (other == w->log || other->epoch != w->log->epoch ||
            !read_head(w->in, other, w->place, number, head))
            continue;
        if (memcmp(head + HEAD, w->segment.head + HEAD, BLOCK - HEAD) != 0)
            breach(w, "another segment than on another disk");
    }
}

void loris_check_log(const struct loris_log_input *in)
{
    ASSERT(in != NULL && in->count <= DISKS_MAX);
    struct log_walk w; /* large: what is read is not cleared first */
    for (uint32_t k = 0; k < in->count; k++) {
        w.in = in;
        w.log = &in->log[k];
        w.place = w.last_lsn = 0;
        w.oid = w.lsn = w.from = w.to = 0;
        for (uint64_t number = 1; read_segment(&w, number); number++) {
            check_segment(&w);
            compare(&w, number);
            w.place += 1 + w.segment.blocks;
        }
    }
}
