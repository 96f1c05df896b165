/*
 * What is tried on a candidate besides its script: each step lists its ways in a fixed order, the
 * most simplifying first. A way that changes nothing is none.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "campaign/shrink_private.h"
#include "sim/option.h"
#include "workloads/registry.h"

#define SEEDS 24u           /* assumption: draws that stay are worth so many tries */
#define POSITIONS_MAX 4000u /* assumption: a longer scan costs more than it gives */
#define RESCAN_MAX 3000u    /* the same of lines times positions */
#define SIZES 10u           /* of disks: 1 MiB to 512 MiB */

static bool is_text(const struct yaml *node, const char *text)
{
    return node != NULL && node->kind == YAML_TEXT && strcmp(node->text, text) == 0;
}

/* Whether way *k is this one; else it is one of those behind. */
static bool take(uint32_t *k)
{
    return (*k)-- == 0;
}

/* ---- Fewer faults, applications, environments, disks -------------------------------------------
 */

bool step_fault(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    (void)arena;
    struct yaml *faults = shrink_faults(s, root);
    if (faults->count < 2 || k >= faults->count)
        return false;
    shrink_drop_item(faults, k);
    return true;
}

bool step_app(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    (void)arena;
    struct yaml *apps = shrink_workload(s, root);
    if (apps->kind != YAML_LIST || apps->count < 2 || k >= apps->count)
        return false;
    shrink_drop_item(apps, k);
    return true;
}

/* A list of one is that one. */
bool step_one_app(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    struct yaml *apps = shrink_workload(s, root);
    if (apps->kind != YAML_LIST || apps->count != 1 || k > 0)
        return false;
    shrink_set_workload(s, arena, root, apps->item[0]);
    return true;
}

static const struct app_info *info_of(const struct yaml *app)
{
    const struct yaml *name = yaml_get(app, "app");
    return name == NULL || name->kind != YAML_TEXT ? NULL : app_find(name->text);
}

/* The smaller values of one option of an application; way *k of them is put. */
static bool put_smaller(struct arena *arena, struct yaml *app, const struct option_spec *spec,
                        uint32_t *k)
{
    struct yaml *given = yaml_get(app, spec->name);
    if (strcmp(spec->name, "copies") == 0) {
        if (is_text(given, "1") || (given == NULL && spec->fallback != NULL) || !take(k))
            return false;
        shrink_put(arena, app, "copies", "1");
        return true;
    }
    uint64_t now = 0;
    struct yaml fallback = {.kind = YAML_TEXT, .text = spec->fallback};
    if (spec->type != OPTION_INTEGER || spec->fallback == NULL || spec->min < 1 ||
        !shrink_number(given == NULL ? &fallback : given, &now))
        return false;
    const uint64_t to[] = {(uint64_t)spec->min, now / 8, now / 2, now - 1};
    for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
        if (to[i] >= now || to[i] < (uint64_t)spec->min || !take(k))
            continue;
        shrink_put(arena, app, spec->name, arena_printf(arena, "%" PRIu64, to[i]));
        return true;
    }
    return false;
}

bool step_app_number(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    struct yaml *app;
    for (uint32_t a = 0; (app = shrink_app(s, root, a)) != NULL; a++) {
        const struct app_info *info = info_of(app);
        bool counts = info != NULL && info->kind != APP_SCRIPT;
        for (uint32_t o = 0; counts && o < info->option_count; o++)
            if (put_smaller(arena, app, &info->options[o], &k))
                return true;
    }
    return false;
}

/* The machine's map, made where the campaign says nothing of it. */
static struct yaml *own_machine(const struct shrink *s, struct arena *arena, struct yaml *root)
{
    if (shrink_machine(s, root) == NULL)
        shrink_put(arena, shrink_variant(s, root), "machine", "{}");
    return shrink_machine(s, root);
}

bool step_environments(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    struct yaml *variant = shrink_variant(s, root), *machine = own_machine(s, arena, root);
    bool is_one = is_text(yaml_get(machine, "environments"), "1");
    bool own = yaml_get(variant, "environments") != NULL;
    if ((is_one && !own) || k > 0)
        return false;
    yaml_remove(variant, "environments");
    shrink_put(arena, machine, "environments", "1");
    return true;
}

/* The number of disks, 0 if they are a list. */
static uint64_t disk_count(const struct yaml *machine)
{
    const struct yaml *disks = yaml_get(machine, "disks");
    uint64_t count = 2; /* the interface's default */
    if (disks == NULL || disks->kind != YAML_MAP)
        return disks == NULL ? count : 0;
    (void)shrink_number(yaml_get(disks, "count"), &count);
    return count;
}

static void put_disk(struct arena *arena, struct yaml *machine, const char *key, const char *value)
{
    if (yaml_get(machine, "disks") == NULL)
        shrink_put(arena, machine, "disks", "{}");
    shrink_put(arena, yaml_get(machine, "disks"), key, value);
}

/* Drops the entries of a list, [disk, ...] each, that name a disk which is gone. */
static void forget_disks(struct yaml *cache, const char *key, uint64_t disks)
{
    struct yaml *list = yaml_get(cache, key);
    for (uint32_t k = list == NULL || list->kind != YAML_LIST ? 0 : list->count; k > 0; k--) {
        const struct yaml *item = list->item[k - 1];
        uint64_t disk = 0;
        if (item->kind == YAML_LIST && item->count > 0 && shrink_number(item->item[0], &disk) &&
            disk >= disks)
            shrink_drop_item(list, k - 1);
    }
    if (list != NULL && list->count == 0)
        yaml_remove(cache, key);
}

/* Crash states are of the disks that there are. */
static void trim_states(const struct shrink *s, const struct yaml *root, uint64_t disks)
{
    const struct yaml *faults = shrink_faults(s, root);
    for (uint32_t f = 0; f < faults->count; f++) {
        struct yaml *cache = yaml_get(faults->item[f], "cache");
        struct yaml *keep =
            cache == NULL || cache->kind != YAML_MAP ? NULL : yaml_get(cache, "keep");
        if (keep == NULL || keep->kind != YAML_LIST)
            continue;
        while (keep->count > disks)
            shrink_drop_item(keep, keep->count - 1);
        forget_disks(cache, "leave", disks);
        forget_disks(cache, "tear", disks);
    }
}

/* Fewer disks, with as much redundancy or without; no spares. */
bool step_disks(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    struct yaml *variant = shrink_variant(s, root), *machine = own_machine(s, arena, root);
    struct yaml *disks = yaml_get(machine, "disks");
    uint64_t count = disk_count(machine);
    if (yaml_get(machine, "spares") != NULL && take(&k)) {
        yaml_remove(machine, "spares");
        return true;
    }
    if (disks != NULL && disks->kind == YAML_LIST) {
        if (disks->count < 2 || k >= disks->count)
            return false;
        shrink_drop_item(disks, k);
        return true;
    }
    for (uint64_t fewer = 1; fewer < count; fewer++) {
        for (uint32_t raid = 0; raid < 2; raid++) {
            if (!take(&k))
                continue;
            put_disk(arena, machine, "count", arena_printf(arena, "%" PRIu64, fewer));
            trim_states(s, root, fewer);
            if (raid == 0)
                shrink_put(arena, variant, "raid", "0");
            return true;
        }
    }
    if (is_text(yaml_get(variant, "raid"), "0") || !take(&k))
        return false;
    shrink_put(arena, variant, "raid", "0");
    return true;
}

/* Fewer sectors, requests, bits, deaths of a fault. */
bool step_fault_number(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    static const char *const keys[] = {"count", "bits", "repeat", "factor"};
    const struct yaml *faults = shrink_faults(s, root);
    for (uint32_t f = 0; f < faults->count; f++) {
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            struct yaml *value = yaml_get(faults->item[f], keys[i]);
            uint64_t now = 0;
            if (!shrink_number(value, &now))
                continue;
            const uint64_t to[] = {now / 8, now / 2, now - 1};
            for (size_t w = 0; w < sizeof(to) / sizeof(to[0]); w++) {
                if (now < 2 || to[w] < 1 || !take(&k))
                    continue;
                shrink_put(arena, faults->item[f], keys[i], arena_printf(arena, "%" PRIu64, to[w]));
                return true;
            }
        }
    }
    return false;
}

bool step_disk_size(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    struct yaml *machine = own_machine(s, arena, root);
    const struct yaml *disks = yaml_get(machine, "disks");
    const struct yaml *size =
        disks == NULL || disks->kind != YAML_MAP ? NULL : yaml_get(disks, "size");
    char error[OPTION_ERROR_BYTES];
    int64_t now = INT64_C(64) << 20; /* the interface's default */
    if (disk_count(machine) == 0)
        return false;
    if (size != NULL && (size->kind != YAML_TEXT || !option_parse_size(size->text, &now, error)))
        return false;
    if (k >= SIZES || (INT64_C(1) << (20 + k)) >= now)
        return false;
    put_disk(arena, machine, "size", arena_printf(arena, "%uMiB", 1u << k));
    return true;
}

/* ---- Options to their defaults ------------------------------------------------------------------
 */

/* What other steps set, or what a campaign cannot be without. */
static bool stays(const char *key)
{
    static const char *const keys[] = {"stack", "machine", "raid", "environments", "disks",
                                       "count", "size",    "app",  "operations",   "copies",
                                       "kind",  "layer",   "at",   "cache",        "tears",
                                       "disk",  "instance"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

/* Whether step_app_number makes it smaller: its default would be a step back. */
static bool is_counted(const struct app_info *info, const char *key)
{
    const struct option_spec *spec =
        info == NULL ? NULL : option_find(info->options, info->option_count, key);
    return spec != NULL && spec->type == OPTION_INTEGER && spec->min >= 1;
}

/* Removes the k-th key that may go; counts *k down past the others. info: of an application. */
static bool remove_key(struct yaml *map, const struct app_info *info, uint32_t *k)
{
    for (uint32_t i = 0; map != NULL && map->kind == YAML_MAP && i < map->count; i++) {
        const char *key = map->key[i]->text;
        if (stays(key) || is_counted(info, key) || !take(k))
            continue;
        yaml_remove(map, key);
        return true;
    }
    return false;
}

bool step_option(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    (void)arena;
    static const char *const of_root[] = {"limit", "seed"};
    struct yaml *machine = shrink_machine(s, root), *faults = shrink_faults(s, root), *app;
    for (size_t i = 0; i < sizeof(of_root) / sizeof(of_root[0]); i++) {
        if (yaml_get(root, of_root[i]) == NULL || !take(&k))
            continue;
        yaml_remove(root, of_root[i]);
        return true;
    }
    /* `cache` of a stack is its size, that of a fault its crash state. */
    if (yaml_get(shrink_variant(s, root), "cache") != NULL && take(&k)) {
        yaml_remove(shrink_variant(s, root), "cache");
        return true;
    }
    if (remove_key(shrink_variant(s, root), NULL, &k) || remove_key(machine, NULL, &k))
        return true;
    if (machine != NULL && remove_key(yaml_get(machine, "disks"), NULL, &k))
        return true;
    app = shrink_script(s, root) == NULL ? NULL : shrink_workload(s, root);
    if (app != NULL && yaml_get(app, "copies") != NULL &&
        is_text(yaml_get(machine, "environments"), "1") && take(&k)) {
        yaml_remove(app, "copies"); /* one is the default then */
        return true;
    }
    for (uint32_t a = 0; (app = shrink_app(s, root, a)) != NULL; a++)
        if (remove_key(app, info_of(app), &k))
            return true;
    for (uint32_t f = 0; f < faults->count; f++)
        if (remove_key(faults->item[f], NULL, &k))
            return true;
    return false;
}

/* ---- Crash states -------------------------------------------------------------------------------
 */

static bool is_kind(const struct yaml *fault, const char *kind)
{
    return is_text(yaml_get(fault, "kind"), kind);
}

/* All pending writes lost, or all kept: then nothing of it is drawn. */
bool step_crash(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    static const char *const caches[] = {"drop", "keep"};
    const struct yaml *faults = shrink_faults(s, root);
    for (uint32_t f = 0; f < faults->count; f++) {
        struct yaml *fault = faults->item[f];
        const struct yaml *cache = yaml_get(fault, "cache"), *tears = yaml_get(fault, "tears");
        if (!is_kind(fault, "power.cut"))
            continue;
        bool drawn = !is_text(cache, "drop") && !is_text(cache, "keep");
        for (uint32_t c = 0; drawn && c < 2; c++) {
            if (!take(&k))
                continue;
            shrink_put(arena, fault, "cache", caches[c]);
            yaml_remove(fault, "tears");
            return true;
        }
        if (is_text(cache, "random") && take(&k)) { /* the default */
            yaml_remove(fault, "cache");
            return true;
        }
        if (drawn && !is_text(tears, "none") && take(&k)) {
            shrink_put(arena, fault, "tears", "none");
            return true;
        }
    }
    return false;
}

#define PENDING_MAX 40u   /* writes of a disk; assumption: a run so short has no more */
#define PENDING_APART 12u /* the same of two disks that differ */

/* The list [p, p, ...], one for each disk; for two disks the second may have its own. */
static const char *keep_list(struct arena *arena, uint64_t disks, uint32_t first, uint32_t second)
{
    const char *text = arena_printf(arena, "[%u", first);
    for (uint64_t d = 1; d < disks; d++)
        text = arena_printf(arena, "%s, %u", text, second);
    return arena_printf(arena, "%s]", text);
}

/* The state in which every disk has the same: the cache stops after `keep` writes, without one. */
static const char *state_without(struct arena *arena, uint64_t disks, uint32_t keep, uint32_t left)
{
    const char *list = "";
    for (uint64_t d = 0; d < disks; d++)
        list = arena_printf(arena, "%s%s[%" PRIu64 ", %u]", list, d > 0 ? ", " : "", d, left);
    return arena_printf(arena, "{keep: %s, leave: [%s]}", keep_list(arena, disks, keep, keep),
                        list);
}

/* The state in which every disk keeps `keep` writes, the last of them torn. */
static const char *state_torn(struct arena *arena, uint64_t disks, uint32_t keep, uint32_t sectors)
{
    const char *list = "";
    for (uint64_t d = 0; d < disks; d++)
        list = arena_printf(arena, "%s%s[%" PRIu64 ", %u, %u]", list, d > 0 ? ", " : "", d, keep,
                            sectors);
    return arena_printf(arena, "{keep: %s, tear: [%s]}", keep_list(arena, disks, keep, keep), list);
}

/* The k-th crash state in words, of at most `most` writes a disk: first none is left out, then one,
 * then the last is torn, then two disks differ. */
static const char *nth_state(struct arena *arena, uint64_t disks, uint32_t most, uint32_t k)
{
    if (k <= most)
        return arena_printf(arena, "{keep: %s}", keep_list(arena, disks, k, k));
    k -= most + 1;
    for (uint32_t keep = 2; keep <= most; keep++) {
        if (k + 1 < keep) /* to leave the last one out is to stop before it */
            return state_without(arena, disks, keep, k + 1);
        k -= keep - 1;
    }
    if (k < 2 * most) /* after a sector, or half a block of 4 KiB */
        return state_torn(arena, disks, k / 2 + 1, k % 2 == 0 ? 1 : 4);
    k -= 2 * most;
    uint32_t first = k / (PENDING_APART + 1), second = k % (PENDING_APART + 1);
    if (disks != 2 || first > PENDING_APART)
        return NULL;
    return arena_printf(arena, "{keep: %s}", keep_list(arena, disks, first, second));
}

/* What a draw has chosen, chosen by words: no seed is needed then. */
bool step_state(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    const struct yaml *faults = shrink_faults(s, root), *machine = shrink_machine(s, root);
    uint64_t disks = machine == NULL ? 2 : disk_count(machine);
    for (uint32_t f = 0; f < faults->count; f++) {
        struct yaml *fault = faults->item[f];
        const struct yaml *cache = yaml_get(fault, "cache");
        bool drawn = cache == NULL || is_text(cache, "random") || is_text(cache, "reorder");
        if (!is_kind(fault, "power.cut") || !drawn || disks == 0)
            continue;
        const char *state = nth_state(arena, disks, PENDING_MAX, k);
        if (state == NULL)
            return false; /* the first drawn one stands for all */
        shrink_put(arena, fault, "cache", state);
        yaml_remove(fault, "tears");
        return true;
    }
    return false;
}

/* Removes way *k of the entries of `leave` or `tear`. */
static bool put_back(struct yaml *cache, const char *key, uint32_t *k)
{
    struct yaml *list = yaml_get(cache, key);
    for (uint32_t i = 0; list != NULL && list->kind == YAML_LIST && i < list->count; i++) {
        if (!take(k))
            continue;
        shrink_drop_item(list, i);
        if (list->count == 0)
            yaml_remove(cache, key);
        return true;
    }
    return false;
}

/* Writes left out are put back, torn ones made whole, fewer kept. */
bool step_state_less(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    const struct yaml *faults = shrink_faults(s, root);
    for (uint32_t f = 0; f < faults->count; f++) {
        struct yaml *cache = yaml_get(faults->item[f], "cache");
        if (cache == NULL || cache->kind != YAML_MAP)
            continue;
        if (put_back(cache, "leave", &k) || put_back(cache, "tear", &k))
            return true;
        struct yaml *keep = yaml_get(cache, "keep");
        for (uint32_t d = 0; keep != NULL && keep->kind == YAML_LIST && d < keep->count; d++) {
            uint64_t now = 0;
            if (!shrink_number(keep->item[d], &now) || k >= now) {
                k -= (uint32_t)now;
                continue;
            }
            keep->item[d] =
                yaml_new_text(arena, keep->item[d]->place, arena_printf(arena, "%u", k));
            return true;
        }
    }
    return false;
}

/* ---- Draws to numbers ---------------------------------------------------------------------------
 */

/* The place that the strike tells, as a campaign says it: "{write: 40}". NULL: it tells none. */
static const char *told_place(struct arena *arena, const struct strike *strike)
{
    static const struct {
        const char *word, *key;
    } words[] = {{"operation ", "op"},    {"request ", "io"},  {"write ", "write"},
                 {"message ", "message"}, {"block ", "block"}, {"mark ", "mark"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t length = strlen(words[i].word);
        if (strncmp(strike->position, words[i].word, length) == 0)
            return arena_printf(arena, "{%s: %" PRIu64 "}", words[i].key,
                                (uint64_t)strtoull(strike->position + length, NULL, 10));
    }
    if (strncmp(strike->position, "at ", 3) == 0)
        return arena_printf(arena, "{time: %" PRIu64 "ns}", strike->time_ns);
    return NULL;
}

/* `disk: 1` or `instance: 0` of what was struck. */
static bool put_target(struct arena *arena, struct yaml *fault, const struct strike *strike)
{
    const char *space = strrchr(strike->target, ' ');
    if (space == NULL || space[1] < '0' || space[1] > '9')
        return false;
    bool disk = strncmp(strike->target, "disk ", 5) == 0;
    if (!disk && yaml_get(fault, "layer") == NULL)
        return false;
    shrink_put(arena, fault, disk ? "disk" : "instance", space + 1);
    return true;
}

/* How often the probe that a fault waits for was passed by then; NULL: it waits for none. */
static const char *probe_passes(const struct yaml *fault, const struct strike *strike)
{
    static const char word[] = "probe pass ";
    const struct yaml *at = yaml_get(fault, "at");
    bool waits = at != NULL && at->kind == YAML_MAP && yaml_get(at, "probe") != NULL;
    return waits && strncmp(strike->position, word, sizeof(word) - 1) == 0
               ? strike->position + sizeof(word) - 1
               : NULL;
}

/* Whether its moment is still drawn. */
static bool is_drawn(const struct yaml *fault)
{
    const struct yaml *at = yaml_get(fault, "at");
    if (at == NULL || at->kind != YAML_MAP)
        return true;
    for (uint32_t k = 0; k < at->count; k++)
        if (is_text(at->item[k], "uniform") && strcmp(at->key[k]->text, "recovery") != 0)
            return true;
    return false;
}

/* Each fault at the place where it struck, of what it struck. */
bool step_explicit(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    const struct yaml *faults = shrink_faults(s, root);
    for (uint32_t f = 0; f < faults->count && f < s->look.faults; f++) {
        const struct strike *strike = &s->look.strike[f];
        struct yaml *fault = faults->item[f];
        const char *place = told_place(arena, strike), *passes = probe_passes(fault, strike);
        if (!is_drawn(fault) || !strike->struck || (place == NULL && passes == NULL))
            continue;
        for (uint32_t way = 0; way < 2; way++) { /* with its target, without */
            if (!take(&k))
                continue;
            if (passes != NULL)
                shrink_put(arena, yaml_get(fault, "at"), "n", passes);
            else
                shrink_put(arena, fault, "at", place);
            if (way == 0)
                (void)put_target(arena, fault, strike);
            return true;
        }
    }
    return false;
}

/* The only trial is the first; if something is still drawn, by another seed. */
bool step_first_trial(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    (void)s;
    if (is_text(yaml_get(root, "trials"), "1") || k > SEEDS)
        return false;
    shrink_put(arena, root, "trials", "1");
    if (k > 0)
        shrink_put(arena, root, "seed", arena_printf(arena, "%u", k));
    return true;
}

/* How many earlier places a fault may strike at, and the word that counts them. */
static uint64_t earlier_places(const struct shrink *s, const struct yaml *fault, uint32_t f,
                               const char **word)
{
    static const char *const counted[] = {"write", "message", "io", "op", "n"};
    const struct yaml *at = yaml_get(fault, "at");
    bool of_layer = yaml_get(fault, "layer") != NULL;
    uint64_t number = 0;
    bool map = at != NULL && at->kind == YAML_MAP;
    for (size_t i = 0; map && i < sizeof(counted) / sizeof(counted[0]); i++) {
        *word = counted[i];
        if (shrink_number(yaml_get(at, counted[i]), &number))
            return number == 0 ? 0 : number - 1;
    }
    *word = of_layer ? "message" : "write";
    if (map && yaml_get(at, "time") == NULL && yaml_get(at, "block") == NULL)
        return 0; /* after, recovery, mark, probe: said by what it means */
    return of_layer ? s->look.messages[f] : s->look.writes;
}

/* Puts the fault at another place of the same kind of count. */
static void put_place(struct arena *arena, struct yaml *fault, const char *word, uint64_t number)
{
    struct yaml *at = yaml_get(fault, "at");
    const char *text = arena_printf(arena, "%" PRIu64, number);
    if (at != NULL && at->kind == YAML_MAP && yaml_get(at, word) != NULL)
        shrink_put(arena, at, word, text);
    else
        shrink_put(arena, fault, "at", arena_printf(arena, "{%s: %s}", word, text));
}

bool step_strike(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    const struct yaml *faults = shrink_faults(s, root);
    for (uint32_t f = 0; f < faults->count && f < s->look.faults; f++) {
        const char *word;
        uint64_t places = earlier_places(s, faults->item[f], f, &word);
        places = places > POSITIONS_MAX ? POSITIONS_MAX : places;
        if (k < places) {
            put_place(arena, faults->item[f], word, (uint64_t)k + 1);
            return true;
        }
        k -= (uint32_t)places;
    }
    return false;
}

/* Each line of the script left out, with the only fault at each place up to its own, and there in
 * each crash state, if it has one: a line less moves the place that it meant, and the writes. */
bool step_line_and_strike(const struct shrink *s, struct arena *arena, struct yaml *root,
                          uint32_t k)
{
    const struct yaml *faults = shrink_faults(s, root), *machine = shrink_machine(s, root);
    const char *word, *script = shrink_script(s, root);
    if (faults->count != 1 || script == NULL || s->look.faults != 1 || is_drawn(faults->item[0]))
        return false;
    struct yaml *fault = faults->item[0], *cache = yaml_get(fault, "cache");
    uint64_t places = earlier_places(s, fault, 0, &word) + 1, lines = 0, states = 1;
    if (cache != NULL && cache->kind == YAML_MAP && places <= PENDING_MAX)
        states = places + 1 + places * (places - 1) / 2; /* none left out, one left out */
    for (const char *c = script; *c != '\0'; c++)
        lines += *c == '\n';
    uint64_t line = k / (places * states), rest = k % (places * states);
    if (lines * places * states > RESCAN_MAX || line >= lines)
        return false;
    struct shrink one = *s;
    one.chunk = 1;
    put_place(arena, fault, word, rest / states + 1);
    if (states > 1)
        shrink_put(arena, fault, "cache",
                   nth_state(arena, machine == NULL ? 2 : disk_count(machine), (uint32_t)places,
                             (uint32_t)(rest % states)));
    return step_chunk(&one, arena, root, (uint32_t)line);
}
