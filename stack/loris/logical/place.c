/*
 * The arithmetic of striping. Unit u of an object belongs to stripe u div k, k the disks without
 * parity; it is that disk's unit of the same number. So block b of each disk's part and of all the
 * others belong together: a row, of k data blocks and the parities over them.
 *
 * Who plays which role turns with the stripe (level 4: it does not): P lies in slot n - 1 - s mod n
 * of the entry, Q in the next, then the data in order. Roles: data 0 .. k - 1, P = k, Q = k + 1.
 */
#include "logical.h"

#include "assertion.h"

uint32_t logical_place_parities(const struct entry *entry)
{
    return entry->level == 6 ? 2 : entry->level >= 4 ? 1 : 0;
}

uint32_t logical_place_spares(const struct entry *entry)
{
    ASSERT(entry->count > 0);
    return entry->level == 1 ? entry->count - 1u : logical_place_parities(entry);
}

/* Where in the entry the first parity of a stripe is; level 0: where its first unit is. */
static uint32_t turn_of(const struct entry *entry, uint64_t stripe)
{
    if (entry->level < 4)
        return 0;
    if (entry->level == 4)
        return entry->count - 1u;
    return entry->count - 1u - (uint32_t)(stripe % entry->count);
}

uint32_t logical_place_slot(const struct entry *entry, uint64_t block, uint32_t role)
{
    uint32_t parities = logical_place_parities(entry);
    uint32_t data = entry->count - parities;
    ASSERT(role < entry->count && entry->stripe_blocks > 0);
    uint32_t turn = turn_of(entry, block / entry->stripe_blocks);
    uint32_t step = role < data ? parities + role : role - data;
    return (turn + step) % entry->count;
}

uint32_t logical_place_role(const struct entry *entry, uint64_t block, uint32_t slot)
{
    uint32_t parities = logical_place_parities(entry);
    uint32_t data = entry->count - parities;
    ASSERT(slot < entry->count && entry->stripe_blocks > 0);
    uint32_t turn = turn_of(entry, block / entry->stripe_blocks);
    uint32_t step = (slot + entry->count - turn) % entry->count;
    return step < parities ? data + step : step - parities;
}

void logical_place_stripe(const struct entry *entry, uint64_t block, struct place *place)
{
    uint32_t data = entry->count - logical_place_parities(entry);
    ASSERT(entry->count > 0 && entry->stripe_blocks > 0 && data > 0);
    uint64_t unit = block / entry->stripe_blocks;
    uint32_t inside = (uint32_t)(block % entry->stripe_blocks);
    place->role = (uint32_t)(unit % data);
    place->block = unit / data * entry->stripe_blocks + inside;
    place->disk = entry->disk[logical_place_slot(entry, place->block, place->role)];
    place->run = entry->stripe_blocks - inside;
}

uint64_t logical_place_kept(const struct entry *entry, uint32_t k, uint64_t blocks)
{
    ASSERT(k < entry->count);
    if (entry->level == 1)
        return blocks;
    uint32_t data = entry->count - logical_place_parities(entry);
    uint64_t unit = entry->stripe_blocks;
    uint64_t stripe = blocks / (data * unit);
    uint64_t rest = blocks % (data * unit); /* in the last, partial stripe */
    uint32_t role = logical_place_role(entry, stripe * unit, k);
    uint64_t before = role < data ? role * unit : 0; /* a parity reaches as far as the first unit */
    uint64_t inside = rest > before ? rest - before : 0;
    return stripe * unit + (inside < unit ? inside : unit);
}
