/*
 * Power cuts: which of the pending versions become the stable image. Decisions are made write by
 * write, oldest first, and kept versions are stored in that order, so that of two kept versions of
 * one sector the newer one stays: order within a sector is always respected.
 */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "sim/disk_state.h"

/* One cut in progress. */
struct cut {
    struct sim_disk *disk;
    const struct sim_disk_cut_plan *plan;
    uint32_t count;  /* pending writes that store something */
    uint32_t *write; /* their slots, oldest first */
    bool *kept;      /* REORDER, and what is protected */
    bool torn;       /* the one torn write of this disk has happened */
};

static bool is_acknowledged(const struct chain_write *w)
{
    return w->state == WRITE_CACHED || w->state == WRITE_DESTAGING;
}

static bool is_begun(const struct chain_write *w)
{
    return w->state == WRITE_THROUGH || w->state == WRITE_DESTAGING;
}

uint32_t sim_disk_pending_list(const struct sim_disk *disk, struct sim_disk_pending *list,
                               uint32_t room)
{
    uint32_t count = 0;
    for (uint32_t slot = disk->chain.first; slot != 0; slot = disk->chain.write[slot].next) {
        const struct chain_write *w = &disk->chain.write[slot];
        if (w->live == 0)
            continue; /* lost, or overtaken */
        if (count < room)
            list[count] = (struct sim_disk_pending){.write = w->ordinal,
                                                    .first_sector = w->first,
                                                    .count = w->count,
                                                    .acknowledged = is_acknowledged(w),
                                                    .begun = is_begun(w)};
        count++;
    }
    return count;
}

static uint64_t draw(const struct cut *cut)
{
    ASSERT(cut->plan->draw != NULL);
    return cut->plan->draw(cut->plan->draw_object);
}

/* An integer in [0, limit): the upper half of a 128-bit product. */
static uint32_t draw_below(const struct cut *cut, uint32_t limit)
{
    ASSERT(limit > 0);
    return (uint32_t)(((draw(cut) >> 32) * limit) >> 32);
}

static void gather(struct cut *cut)
{
    const struct disk_chain *chain = &cut->disk->chain;
    cut->write = calloc(chain->writes + 1u, sizeof(cut->write[0]));
    cut->kept = calloc(chain->writes + 1u, sizeof(cut->kept[0]));
    ASSERT(cut->write != NULL && cut->kept != NULL);
    for (uint32_t slot = chain->first; slot != 0; slot = chain->write[slot].next)
        if (chain->write[slot].live > 0)
            cut->write[cut->count++] = slot;
}

/* Marks the first `share` writes of a random permutation as kept. */
static void keep_some_in_random_order(struct cut *cut)
{
    uint32_t share = draw_below(cut, cut->count + 1);
    uint32_t *order = calloc(cut->count + 1u, sizeof(order[0]));
    ASSERT(order != NULL);
    for (uint32_t i = 0; i < cut->count; i++)
        order[i] = i;
    for (uint32_t i = 0; i < share; i++) {
        uint32_t other = i + draw_below(cut, cut->count - i);
        uint32_t swap = order[i];
        order[i] = order[other];
        order[other] = swap;
        cut->kept[order[i]] = true;
    }
    free(order);
}

/* What the mode says of whole writes; RANDOM by a coin each. */
static void decide(struct cut *cut)
{
    bool ordered = cut->disk->cache == SIM_CACHE_ORDERED;
    uint32_t prefix = 0;
    switch (cut->plan->mode) {
    case SIM_CUT_DROP:
    case SIM_CUT_CHOSEN:
        break;
    case SIM_CUT_KEEP:
        prefix = cut->count;
        break;
    case SIM_CUT_RANDOM:
        prefix = ordered ? draw_below(cut, cut->count + 1) : 0;
        for (uint32_t i = 0; i < cut->count && !ordered; i++)
            cut->kept[i] = draw(cut) >> 63 != 0;
        break;
    case SIM_CUT_REORDER:
        if (ordered)
            prefix = draw_below(cut, cut->count + 1);
        else
            keep_some_in_random_order(cut);
        break;
    }
    for (uint32_t i = 0; i < prefix; i++)
        cut->kept[i] = true;
}

/* Whether the device promises that this write is never torn. */
static bool is_atomic(const struct cut *cut, const struct chain_write *w)
{
    uint64_t atomic = (uint64_t)cut->disk->params.value[SIM_PARAM_ATOMIC];
    return w->count == 1 || (w->first / atomic == (w->first + w->count - 1) / atomic);
}

/* Keeps each sector by a coin of its own. */
static void keep_any(struct cut *cut, uint32_t slot, const struct chain_write *w)
{
    uint64_t coins = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        coins = i % 64 == 0 ? draw(cut) : coins >> 1;
        if ((coins & 1) != 0)
            disk_chain_keep(&cut->disk->chain, slot, i, 1, &cut->disk->image);
    }
}

/* Keeps a random prefix of what the head or the interface was at; not none of it, not all. */
static void tear(struct cut *cut, uint32_t slot, const struct chain_write *w)
{
    uint32_t sectors = 1 + draw_below(cut, w->count - 1);
    disk_chain_keep(&cut->disk->chain, slot, 0, sectors, &cut->disk->image);
    if (cut->plan->tears == SIM_TEARS_ERROR)
        disk_image_spoil(&cut->disk->image, w->first + sectors);
    cut->torn = true;
}

/* Whether this write is the one that is torn, by a coin. In drop and keep only what the medium was
 * being written with can be. */
static bool draws_tear(struct cut *cut, const struct chain_write *w)
{
    bool prefix = cut->plan->tears == SIM_TEARS_PREFIX || cut->plan->tears == SIM_TEARS_ERROR;
    if (!prefix || cut->torn || cut->plan->draw == NULL || is_atomic(cut, w))
        return false;
    if (is_acknowledged(w) && cut->disk->cache == SIM_CACHE_PROTECTED)
        return false;
    if (cut->plan->mode == SIM_CUT_KEEP || (is_acknowledged(w) && !is_begun(w)))
        return false;
    if (cut->plan->mode == SIM_CUT_DROP && !is_begun(w))
        return false;
    return draw(cut) >> 63 != 0;
}

static void settle_one(struct cut *cut, uint32_t i)
{
    uint32_t slot = cut->write[i];
    const struct chain_write *w = &cut->disk->chain.write[slot];
    const struct sim_disk_cut_plan *plan = cut->plan;
    struct disk_chain *chain = &cut->disk->chain;
    if (is_acknowledged(w) && cut->disk->cache == SIM_CACHE_PROTECTED) {
        disk_chain_keep(chain, slot, 0, w->count, &cut->disk->image);
    } else if (plan->mode == SIM_CUT_CHOSEN) {
        struct sim_disk_pending pending = {w->ordinal, w->first, w->count, is_acknowledged(w),
                                           is_begun(w)};
        uint32_t sectors = plan->choose(plan->choose_object, cut->disk->index, &pending);
        ASSERT(sectors <= w->count);
        disk_chain_keep(chain, slot, 0, sectors, &cut->disk->image);
    } else if (plan->tears == SIM_TEARS_ANY && cut->disk->cache != SIM_CACHE_ORDERED &&
               plan->mode != SIM_CUT_DROP && plan->mode != SIM_CUT_KEEP && !is_atomic(cut, w)) {
        keep_any(cut, slot, w);
    } else if (draws_tear(cut, w)) {
        tear(cut, slot, w);
    } else if (cut->kept[i]) {
        disk_chain_keep(chain, slot, 0, w->count, &cut->disk->image);
    }
}

void sim_disk_power_cut(struct sim_disk *disk, const struct sim_disk_cut_plan *plan)
{
    ASSERT(disk != NULL && plan != NULL);
    ASSERT(plan->mode != SIM_CUT_CHOSEN || plan->choose != NULL);
    if (!disk->powered)
        return;
    struct cut cut = {.disk = disk, .plan = plan};
    gather(&cut);
    decide(&cut);
    for (uint32_t i = 0; i < cut.count; i++)
        settle_one(&cut, i);
    free(cut.write);
    free(cut.kept);
    disk_drop_volatile(disk, true);
    disk->powered = false;
}

void sim_disk_power_on(struct sim_disk *disk)
{
    ASSERT(!disk->powered);
    disk->powered = true;
    disk->resets++;
}

void sim_disk_rest(struct sim_disk *disk)
{
    ASSERT(!disk->powered);
    ASSERT(disk->all.count == 0 && disk->chain.writes == 0);
    if (!disk->rotating)
        disk_ssd_cold(disk->ssd, true);
    disk->fault = (struct disk_faults){.slow_permille = 1000};
    disk->flush_count = 0;
    disk->resets = 0;
}

bool sim_disk_powered(const struct sim_disk *disk)
{
    return disk->powered;
}
