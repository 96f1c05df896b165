#include "workloads/checkers/loris_layout.h"

#define GROUPS_MAX 2048u
#define GROUP_MIN 1024u
#define MARGIN 16u

static uint32_t clamp(uint64_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : (uint32_t)value;
}

bool loris_layout_begin(struct loris_layout *l, uint64_t blocks)
{
    *l = (struct loris_layout){.blocks = blocks};
    l->intent_blocks = clamp(blocks / 128 / 16 * 16, 32, 256);
    l->first_log = MARGIN + l->intent_blocks;
    return blocks >= 2048;
}

bool loris_layout_log_possible(const struct loris_layout *l, uint32_t log_blocks)
{
    return log_blocks == 0 || log_blocks == clamp(l->blocks / 32 / 16 * 16, 64, 1024);
}

void loris_layout_end(struct loris_layout *l, uint32_t log_blocks, uint32_t copies)
{
    l->copies = copies;
    l->first_group = l->first_log + log_blocks;
    uint64_t room = l->blocks - MARGIN - l->first_group;
    uint64_t groups = room / LORIS_GROUP_BLOCKS;
    l->end = l->first_group + groups * LORIS_GROUP_BLOCKS;
    if (room % LORIS_GROUP_BLOCKS >= GROUP_MIN) {
        groups++;
        l->end += room % LORIS_GROUP_BLOCKS;
    }
    l->groups = (uint32_t)groups;
    if (groups > GROUPS_MAX) {
        l->groups = GROUPS_MAX;
        l->end = l->first_group + (uint64_t)GROUPS_MAX * LORIS_GROUP_BLOCKS;
    }
}

uint64_t loris_layout_group(const struct loris_layout *l, uint32_t group)
{
    return l->first_group + (uint64_t)group * LORIS_GROUP_BLOCKS;
}

uint32_t loris_layout_group_blocks(const struct loris_layout *l, uint32_t group)
{
    uint64_t left = l->end - loris_layout_group(l, group);
    return (uint32_t)(left < LORIS_GROUP_BLOCKS ? left : LORIS_GROUP_BLOCKS);
}

uint32_t loris_layout_slots(const struct loris_layout *l, uint32_t group)
{
    return loris_layout_group_blocks(l, group) / 8;
}

uint32_t loris_layout_zone_blocks(const struct loris_layout *l, uint32_t group)
{
    return l->copies * loris_layout_slots(l, group);
}

uint64_t loris_layout_second(const struct loris_layout *l, uint64_t address)
{
    uint32_t group = (uint32_t)((address - l->first_group) / LORIS_GROUP_BLOCKS);
    uint64_t inside = address - loris_layout_group(l, group);
    uint32_t slots = loris_layout_slots(l, group);
    uint64_t zone_b = loris_layout_group_blocks(l, group) - loris_layout_zone_blocks(l, group);
    uint64_t place = inside < slots ? zone_b + inside : inside - zone_b;
    return loris_layout_group(l, group) + place + slots;
}

enum loris_zone loris_layout_zone(const struct loris_layout *l, uint64_t address, uint64_t *slot)
{
    if (address < l->first_group || address >= l->end)
        return ZONE_NONE;
    uint32_t group = (uint32_t)((address - l->first_group) / LORIS_GROUP_BLOCKS);
    uint64_t inside = address - loris_layout_group(l, group);
    uint32_t slots = loris_layout_slots(l, group), zone = loris_layout_zone_blocks(l, group);
    uint64_t zone_b = loris_layout_group_blocks(l, group) - zone;
    *slot = address;
    if (inside < zone)
        return inside < slots ? ZONE_A : ZONE_NONE;
    if (inside < zone_b)
        return ZONE_DATA;
    *slot = address - zone_b;
    return inside - zone_b < slots ? ZONE_B : ZONE_NONE;
}
