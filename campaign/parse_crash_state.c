/* `cache: {keep: [p, p], leave: [[disk, write]], tear: [[disk, write, sectors]]}`: one crash state.
 */
#include <stdlib.h>

#include "campaign/parse.h"

#define PLACES_MAX 1000000 /* assumption: of pending writes of one disk */

/* A list of `count` whole numbers from `min`; false after a complaint. */
static bool numbers(struct parse *p, const struct yaml *node, const char *what, uint32_t count,
                    uint32_t *to)
{
    bool right = node->kind == YAML_LIST && node->count == count;
    for (uint32_t k = 0; right && k < count; k++) {
        char error[OPTION_ERROR_BYTES];
        int64_t value = 0;
        right = node->item[k]->kind == YAML_TEXT &&
                option_parse_integer(node->item[k]->text, &value, error) && value >= 0 &&
                value <= PLACES_MAX;
        to[k] = (uint32_t)value;
    }
    if (!right)
        complain(p->complaints, node->place, "%s wanted here", what);
    return right;
}

static void parse_keep(struct parse *p, const struct yaml *node, struct fault_state *state)
{
    uint32_t keep[DISKS_MAX];
    uint32_t count = node->kind == YAML_LIST ? node->count : 0;
    if (count < 1 || count > DISKS_MAX) {
        complain(
            p->complaints, node->place,
            "`keep` is a list of numbers, one a disk: after how many of its pending writes the "
            "cache stops; as [3, 0]");
        return;
    }
    if (!numbers(p, node, "a list of numbers from 0, one a disk, is", count, keep))
        return;
    state->disks = count;
    for (uint32_t d = 0; d < count; d++)
        state->disk[d].keep = keep[d];
}

/* Whether it names a disk and a place that the disk keeps; complains if not. */
static bool is_place(struct parse *p, const struct yaml *node, const struct fault_state *state,
                     const uint32_t *place)
{
    bool right = place[0] < state->disks && place[1] >= 1 && place[1] <= state->disk[place[0]].keep;
    if (!right)
        complain(p->complaints, node->place,
                 "no write that is kept; [disk, write]: a disk of `keep` from 0, and one of the "
                 "writes that it keeps, from 1, oldest first");
    return right;
}

/* Puts the place into the ascending list. */
static void leave_out(struct parse *p, const struct yaml *node, struct sim_state_disk *disk,
                      uint32_t place)
{
    uint32_t at = disk->left_count;
    for (uint32_t k = 0; k < disk->left_count; k++)
        if (disk->left[k] == place) {
            complain(p->complaints, node->place, "this write is left out twice");
            return;
        }
    uint32_t *grown = ARENA_ARRAY(p->arena, uint32_t, disk->left_count + 1);
    while (at > 0 && disk->left[at - 1] > place)
        at--;
    for (uint32_t k = 0; k < disk->left_count; k++)
        grown[k + (k >= at)] = disk->left[k];
    grown[at] = place;
    disk->left = grown;
    disk->left_count++;
}

static void parse_leave(struct parse *p, const struct yaml *list, struct fault_state *state)
{
    uint32_t place[2];
    for (uint32_t k = 0; k < list->count; k++)
        if (numbers(p, list->item[k], "[disk, write], two numbers, is", 2, place) &&
            is_place(p, list->item[k], state, place))
            leave_out(p, list->item[k], &state->disk[place[0]], place[1]);
}

static void parse_tear(struct parse *p, const struct yaml *list, struct fault_state *state)
{
    uint32_t place[3];
    for (uint32_t k = 0; k < list->count; k++) {
        const struct yaml *node = list->item[k];
        if (!numbers(p, node, "[disk, write, sectors], three numbers, is", 3, place) ||
            !is_place(p, node, state, place))
            continue;
        struct sim_state_disk *disk = &state->disk[place[0]];
        if (place[2] < 1)
            complain(p->complaints, node->place, "a torn write keeps one sector at least");
        else if (disk->torn != 0)
            complain(p->complaints, node->place, "one write a disk is torn at most");
        disk->torn = place[1];
        disk->sectors = place[2];
    }
}

const struct fault_state *parse_crash_state(struct parse *p, const struct yaml *map)
{
    static const char *const allowed[] = {"keep", "leave", "tear"};
    struct fault_state *state = ARENA_ARRAY(p->arena, struct fault_state, 1);
    const struct yaml *keep = yaml_get(map, "keep"), *leave = yaml_get(map, "leave");
    const struct yaml *tear = yaml_get(map, "tear");
    parse_check_keys(p, map, allowed, 3, "`cache: {...}`");
    if (keep == NULL) {
        complain(p->complaints, map->place, "`cache: {...}` has no `keep`; as {keep: [3, 0]}");
        return state;
    }
    parse_keep(p, keep, state);
    if (leave != NULL && leave->kind == YAML_LIST)
        parse_leave(p, leave, state);
    else if (leave != NULL)
        complain(p->complaints, leave->place, "`leave` is a list of [disk, write]");
    if (tear != NULL && tear->kind == YAML_LIST)
        parse_tear(p, tear, state);
    else if (tear != NULL)
        complain(p->complaints, tear->place, "`tear` is a list of [disk, write, sectors]");
    for (uint32_t d = 0; d < state->disks; d++)
        for (uint32_t k = 0; k < state->disk[d].left_count; k++)
            if (state->disk[d].left[k] == state->disk[d].torn)
                complain(p->complaints, map->place, "a write is torn and left out");
    return state;
}
