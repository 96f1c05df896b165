/*
 * The arithmetic of level 0: unit u of the object lies on disk u mod n, as that disk's unit u div
 * n.
 */
#include "logical.h"

#include "assertion.h"

void logical_place_stripe(const struct entry *entry, uint64_t block, struct place *place)
{
    ASSERT(entry->count > 0 && entry->stripe_blocks > 0);
    uint64_t unit = block / entry->stripe_blocks;
    uint32_t inside = (uint32_t)(block % entry->stripe_blocks);
    place->disk = entry->disk[unit % entry->count];
    place->block = unit / entry->count * entry->stripe_blocks + inside;
    place->run = entry->stripe_blocks - inside;
}

uint64_t logical_place_kept(const struct entry *entry, uint32_t k, uint64_t blocks)
{
    ASSERT(k < entry->count);
    if (entry->level != 0)
        return blocks;
    uint64_t units = blocks / entry->stripe_blocks;
    uint64_t rest = blocks % entry->stripe_blocks;
    uint64_t whole = units / entry->count + (k < units % entry->count ? 1 : 0);
    uint64_t kept = whole * entry->stripe_blocks;
    return k == units % entry->count ? kept + rest : kept;
}
