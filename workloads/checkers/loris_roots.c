/* Roots, and which checkpoint it is: the newest complete one. */
#include <string.h>

#include "bytes.h"
#include "workloads/checkers/loris_state.h"

static bool decode_root(const struct disk *d, uint32_t disk, uint64_t sector, const uint8_t *raw,
                        struct loris_root *r)
{
    if (get_le32(raw) != 0x3152524c || get_le32(raw + 4) != 1 ||
        get_le32(raw + 508) != loris_crc(raw, 508) || get_le64(raw + 496) != sector ||
        get_le64(raw + 272) != d->at.blocks || get_le32(raw + 300) != d->at.intent_blocks ||
        get_le32(raw + 264) != disk || get_le32(raw + 296) > HEIGHT_MAX ||
        !loris_layout_log_possible(&d->at, get_le32(raw + 360)) || get_le32(raw + 364) > 1)
        return false;
    *r = (struct loris_root){.valid = true,
                             .epoch = get_le64(raw + 40),
                             .lsn = get_le64(raw + 48),
                             .incarnation = get_le64(raw + 56),
                             .rev = get_le32(raw + 256),
                             .members = get_le32(raw + 260),
                             .height = get_le32(raw + 296),
                             .intent_head = get_le64(raw + 304),
                             .rebuilding = get_le32(raw + 328),
                             .log_blocks = get_le32(raw + 360),
                             .copies = get_le32(raw + 364) + 1,
                             .used_data = get_le64(raw + 312),
                             .used_slots = get_le64(raw + 320)};
    for (uint32_t k = 0; k < 24; k++)
        r->ancestor[k] = get_le64(raw + 64 + 8 * (size_t)k);
    memcpy(r->pool, raw + 8, 16);
    memcpy(r->uuid, raw + 24, 16);
    memcpy(r->top, raw + 280, 16);
    memcpy(r->generation, raw + 336, 16);
    return true;
}

static bool newer(const struct loris_root *a, const struct loris_root *b)
{
    return a->epoch != b->epoch ? a->epoch > b->epoch : a->rev > b->rev;
}

void loris_read_slots(struct check *c, uint32_t k)
{
    uint8_t raw[BLOCK];
    struct disk *d = &c->disk[k];
    for (uint32_t n = 0; n < 4; n++) {
        struct loris_root found;
        uint64_t block = 4 * (n / 2 + UINT64_C(1));
        if (n % 2 == 1)
            block = d->at.blocks - block;
        if (!loris_read_block(c, k, block, raw) ||
            !decode_root(d, k, block * (BLOCK / SECTOR), raw, &found))
            continue;
        if (!d->slot[n / 2].valid || newer(&found, &d->slot[n / 2]))
            d->slot[n / 2] = found;
    }
}

static bool in_line(const struct loris_root *r, uint64_t incarnation)
{
    if (r->incarnation == incarnation)
        return true;
    for (uint32_t k = 0; k < 24; k++)
        if (r->ancestor[k] == incarnation && incarnation != 0)
            return true;
    return false;
}

/* The root of that number which belongs to `r`, on one disk; NULL: it has none. */
static const struct loris_root *same_number(const struct disk *d, const struct loris_root *r)
{
    for (uint32_t s = 0; s < 2; s++)
        if (d->slot[s].valid && d->slot[s].epoch == r->epoch &&
            memcmp(d->slot[s].pool, r->pool, 16) == 0 && in_line(r, d->slot[s].incarnation))
            return &d->slot[s];
    return NULL;
}

/* Every disk of its list that has any root at all has this one. */
static bool complete(const struct check *c, const struct loris_root *r)
{
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        const struct disk *d = &c->disk[k];
        bool has_any = d->slot[0].valid || d->slot[1].valid;
        if ((r->members >> k & 1) != 0 && has_any && same_number(d, r) == NULL)
            return false;
    }
    return true;
}

bool loris_choose(struct check *c)
{
    const struct loris_root *best = NULL;
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        for (uint32_t s = 0; s < 2; s++) {
            const struct loris_root *r = &c->disk[k].slot[s];
            bool listed = (r->members >> k & 1) != 0; /* else it never joined */
            if (r->valid && listed && complete(c, r) && (best == NULL || newer(r, best)))
                best = r;
        }
    if (best == NULL) {
        loris_damage(c, "no complete root on any disk");
        return false;
    }
    c->root = *best;
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        const struct loris_root *mine = same_number(&c->disk[k], best);
        c->disk[k].member = (best->members >> k & 1) != 0 && mine != NULL;
        if (c->disk[k].member) {
            c->disk[k].root = *mine;
            loris_layout_end(&c->disk[k].at, mine->log_blocks, mine->copies);
        }
    }
    return true;
}
