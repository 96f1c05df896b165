/* `faults`: plans, each a list of faults with kind, target, strength and moment. */
#include <string.h>

#include "assertion.h"
#include "campaign/parse.h"
#include "faults/registry.h"

#define INDEX_MAX 1000 /* of a disk, an instance; cells check it against the machine */

/* Where a fault stands among its plan and what its map is: for messages about combinations. */
struct reading {
    struct parse *p;
    const struct yaml *map;
    const struct fault_kind_info *info;
    bool first; /* of its plan */
};

/* {holds: PATH, copy: 0}. */
static void parse_holder(struct parse *p, const struct yaml *map, struct fault_target *target)
{
    static const char *const keys[] = {"holds", "copy"};
    char error[OPTION_ERROR_BYTES];
    int64_t copy = 0;
    parse_check_keys(p, map, keys, 2, "`disk: {holds: ...}`");
    const char *path = parse_text(p, yaml_get(map, "holds"), "`holds`");
    const struct yaml *node = yaml_get(map, "copy");
    const char *text = node == NULL ? "0" : parse_text(p, node, "`copy`");
    if (text != NULL && (!option_parse_integer(text, &copy, error) || copy > INDEX_MAX))
        complain(p->complaints, node == NULL ? map->place : node->place,
                 "`%.80s` is no number of a copy; they count from 0", text);
    *target = (struct fault_target){
        .kind = FAULT_TARGET_HOLDS, .index = (uint32_t)copy, .path = path == NULL ? "" : path};
}

/* "any", "all", or an index from 0. Complains and leaves *target if it is none. */
static void parse_target(struct parse *p, const struct yaml *node, const char *key,
                         struct fault_target *target)
{
    char error[OPTION_ERROR_BYTES];
    if (node->kind == YAML_MAP && strcmp(key, "disk") == 0 && yaml_get(node, "holds") != NULL) {
        parse_holder(p, node, target);
        return;
    }
    const char *text = parse_text(p, node, arena_printf(p->arena, "`%s`", key));
    int64_t index = 0;
    if (text == NULL)
        return;
    if (strcmp(text, "any") == 0) {
        target->kind = FAULT_TARGET_ANY;
    } else if (strcmp(text, "all") == 0) {
        target->kind = FAULT_TARGET_ALL;
    } else if (option_parse_integer(text, &index, error) && index <= INDEX_MAX) {
        *target = (struct fault_target){.kind = FAULT_TARGET_INDEX, .index = (uint32_t)index};
    } else {
        static const char *const words[] = {"any", "all"};
        complain(p->complaints, node->place,
                 "`%.80s` is no value of `%s`; any, all or a number "
                 "from 0%s",
                 text, key, did_you_mean(p->arena, text, words, 2));
    }
}

/* A layer by name; LAYER_NONE after a complaint. */
static enum layer parse_layer(struct parse *p, const struct yaml *node)
{
    const char *names[LAYER_COUNT];
    size_t count = 0;
    for (unsigned k = 0; k < LAYER_COUNT; k++)
        if (layer_name((enum layer)k) != NULL)
            names[count++] = layer_name((enum layer)k);
    const char *text = parse_text(p, node, "`layer`");
    enum layer layer = text == NULL ? LAYER_NONE : layer_from_name(text);
    if (text != NULL && layer == LAYER_NONE)
        complain(p->complaints, node->place, "unknown layer `%.80s`; allowed: %s%s", text,
                 join_names(p->arena, names, count), did_you_mean(p->arena, text, names, count));
    return layer;
}

static enum probe parse_probe(struct parse *p, const struct yaml *node)
{
    const char *names[PROBE_COUNT];
    for (unsigned k = 0; k < PROBE_COUNT; k++)
        names[k] = probe_name((enum probe)k);
    const char *text = parse_text(p, node, "`probe`");
    enum probe probe = text == NULL ? PROBE_COUNT : probe_from_name(text);
    if (text != NULL && probe == PROBE_COUNT)
        complain(p->complaints, node->place, "unknown probe `%.80s`; see `loris list probes`%s",
                 text, did_you_mean(p->arena, text, names, PROBE_COUNT));
    return probe;
}

/* The number of a moment: `uniform`, or an amount of its type. Counts start at 1. */
static void parse_when_number(struct parse *p, const char *key, enum option_type type,
                              const struct yaml *node, struct amount *number)
{
    if (node->kind == YAML_TEXT && strcmp(node->text, "uniform") == 0) {
        *number = (struct amount){.kind = AMOUNT_UNIFORM};
        return;
    }
    struct option_spec spec = {
        .name = key, .type = type, .drawn = true, .min = type == OPTION_INTEGER ? 1 : 0};
    struct option_value value;
    if (parse_value(p, &spec, node, &value))
        *number = value.amount;
}

static const char *const *when_names(struct parse *p, size_t *count)
{
    uint32_t rows = 0;
    const struct fault_when_info *table = fault_when_table(&rows);
    const char **names = ARENA_ARRAY(p->arena, const char *, rows);
    for (uint32_t k = 0; k < rows; k++)
        names[k] = table[k].name;
    *count = rows;
    return names;
}

/* The one key of an `at` map that says which moment it is; NULL after a complaint. */
static const struct fault_when_info *find_when(struct parse *p, const struct yaml *map,
                                               uint32_t *where)
{
    const struct fault_when_info *found = NULL;
    size_t count = 0;
    const char *const *names = when_names(p, &count);
    for (uint32_t k = 0; k < map->count; k++) {
        const struct fault_when_info *info = fault_when_find(map->key[k]->text);
        if (info == NULL)
            continue;
        if (found != NULL) {
            complain(p->complaints, map->key[k]->place,
                     "`%s` and `%s` exclude each other; a fault strikes at one moment", found->name,
                     info->name);
            return NULL;
        }
        found = info;
        *where = k;
    }
    if (found != NULL)
        return found;
    const char *guess =
        map->count == 0 ? "" : did_you_mean(p->arena, map->key[0]->text, names, count);
    complain(p->complaints, map->count == 0 ? map->place : map->key[0]->place,
             "`at` names no moment; allowed: %s%s", join_names(p->arena, names, count), guess);
    return NULL;
}

/* What may stand beside the moment's own key, and what it must not lack. */
static void parse_when_extras(struct reading *r, const struct yaml *map,
                              const struct fault_when_info *info, struct fault *fault)
{
    struct parse *p = r->p;
    struct fault_when *at = &fault->at;
    bool on_disk = info->kind == FAULT_AT_IO || info->kind == FAULT_AT_WRITE;
    bool on_layer = info->kind == FAULT_AT_MESSAGE || info->kind == FAULT_AT_BLOCK;
    const char *allowed[2] = {info->name, on_disk                        ? "disk"
                                          : on_layer                     ? "layer"
                                          : info->kind == FAULT_AT_PROBE ? "n"
                                          : info->kind == FAULT_AT_RATE  ? "over"
                                                                         : info->name};
    parse_check_keys(p, map, allowed, allowed[1] == info->name ? 1 : 2,
                     arena_printf(p->arena, "`at: {%s: ...}`", info->name));
    const struct yaml *disk = yaml_get(map, "disk"), *layer = yaml_get(map, "layer");
    if (on_disk && disk != NULL)
        parse_target(p, disk, "disk", &at->disk);
    if (disk != NULL && at->disk.kind == FAULT_TARGET_HOLDS)
        complain(p->complaints, disk->place,
                 "requests are counted from the start, when no disk holds a file; any, all or a "
                 "number");
    if (!on_layer)
        return;
    at->layer = layer == NULL ? fault->layer : parse_layer(p, layer);
    if (layer == NULL && at->layer == LAYER_NONE && !r->info->on_layer)
        complain(p->complaints, map->place,
                 "`%s` counts in a layer, and none is given; as {%s: uniform, layer: physical}",
                 info->name, info->name);
}

#define NS_PER_YEAR (8760 * 3600e9)
#define RATE_STRIKES_MAX                                                                           \
    1000.0 /* of a target that are to be expected: beyond, a rate was a slip                       \
            */

/* A rate, which is a Poisson process, or the distribution of the time between two strikes. */
static void parse_gap(struct parse *p, const struct yaml *node, struct fault_when *at)
{
    static const struct option_spec gap = {
        .name = "rate", .type = OPTION_TIME, .drawn = true, .min = 1};
    static const struct option_spec rate = {.name = "rate", .type = OPTION_RATE};
    struct option_value value;
    if (!parse_value(p, node->kind == YAML_MAP ? &gap : &rate, node, &value))
        return;
    at->per_year = node->kind == YAML_MAP ? 0 : value.real;
    at->number = value.amount;
    if (node->kind == YAML_MAP)
        return;
    at->number = amount_fixed(AMOUNT_MAX); /* a rate of 0: never */
    if (at->per_year > 0)
        at->number = (struct amount){
            .kind = AMOUNT_EXPONENTIAL, .low = 1, .first = NS_PER_YEAR / at->per_year};
}

static void parse_rate(struct parse *p, const struct yaml *map, const struct yaml *node,
                       struct fault_when *at)
{
    static const struct option_spec spec = {.name = "over", .type = OPTION_TIME, .min = 1};
    const struct yaml *over = yaml_get(map, "over");
    struct option_value value;
    at->number = amount_fixed(AMOUNT_MAX);
    parse_gap(p, node, at);
    if (over == NULL) {
        complain(
            p->complaints, map->place,
            "a rate has no `over`; the time that a trial lasts, as {rate: 0.03/year, over: 1year}");
        return;
    }
    if (!parse_value(p, &spec, over, &value))
        return;
    at->over_ns = (uint64_t)value.amount.low;
    double middle = (double)amount_at(&at->number, 0.5);
    if ((double)at->over_ns / middle > RATE_STRIKES_MAX)
        complain(p->complaints, node->place,
                 "that is more than %.0f strikes of each target in one trial", RATE_STRIKES_MAX);
}

static void parse_when_map(struct reading *r, const struct yaml *map, struct fault *fault)
{
    struct parse *p = r->p;
    struct fault_when *at = &fault->at;
    uint32_t where = 0;
    const struct fault_when_info *info = find_when(p, map, &where);
    if (info == NULL)
        return;
    if (info->not_yet) {
        complain(p->complaints, map->key[where]->place, "not available yet: `at: {%s: ...}`",
                 info->name);
        return;
    }
    at->kind = info->kind;
    parse_when_extras(r, map, info, fault);
    const struct yaml *value = map->item[where];
    if (info->kind == FAULT_AT_UNIFORM) {
        complain(p->complaints, map->place, "`uniform` takes no value; `at: uniform`");
    } else if (info->kind == FAULT_AT_PROBE) {
        at->probe = parse_probe(p, value);
        at->number = amount_fixed(1);
        if (yaml_get(map, "n") != NULL)
            parse_when_number(p, "n", OPTION_INTEGER, yaml_get(map, "n"), &at->number);
    } else if (info->kind == FAULT_AT_RATE) {
        parse_rate(p, map, value, at);
    } else {
        parse_when_number(p, info->name, info->number, value, &at->number);
    }
    bool after = info->kind == FAULT_AT_AFTER || info->kind == FAULT_AT_RECOVERY;
    if (after && r->first)
        complain(p->complaints, map->key[where]->place,
                 "`%s` counts from the entry before it, and this is the first of its plan",
                 info->name);
    if (info->kind == FAULT_AT_AFTER && at->number.kind == AMOUNT_UNIFORM)
        complain(p->complaints, value->place, "`after` takes a time or a range, as 1s..5s");
}

static void parse_when(struct reading *r, const struct yaml *node, struct fault *fault)
{
    struct parse *p = r->p;
    if (node->kind == YAML_MAP) {
        parse_when_map(r, node, fault);
        return;
    }
    const char *text = parse_text(p, node, "`at`");
    size_t count = 0;
    const char *const *names = when_names(p, &count);
    if (text != NULL && strcmp(text, "uniform") != 0)
        complain(p->complaints, node->place,
                 "`%.80s` is no moment; uniform, or a map of one of: %s; as {time: 3s}%s", text,
                 join_names(p->arena, names + 1, count - 1),
                 did_you_mean(p->arena, text, names, 1));
}

/* Copies what the kind's options say into the fault. */
static void copy_keys(const struct option_set *set, struct fault *fault)
{
    if (option_has(set, "count"))
        fault->count = *option_amount(set, "count");
    if (option_has(set, "near"))
        fault->near_bytes = (uint64_t)option_amount(set, "near")->low;
    if (option_has(set, "where") && fault->where != FAULT_WHERE_FILE)
        fault->where = (enum fault_where)option_number(set, "where");
    if (option_has(set, "factor"))
        fault->factor = *option_amount(set, "factor");
    if (option_has(set, "for") && option_get(set, "for")->given)
        fault->for_ns = *option_amount(set, "for");
    fault->replaced = option_has(set, "replace") && option_get(set, "replace")->given;
    if (fault->replaced)
        fault->for_ns = *option_amount(set, "replace");
    if (option_has(set, "cache"))
        fault->cache = (enum fault_cache)option_number(set, "cache");
    if (option_has(set, "tears"))
        fault->tears = (enum fault_tears)option_number(set, "tears");
    if (option_has(set, "off-for"))
        fault->off_for_ns = *option_amount(set, "off-for");
    if (option_has(set, "repeat"))
        fault->repeat = *option_amount(set, "repeat");
    if (option_has(set, "bug"))
        fault->bug = (enum fault_bug)option_number(set, "bug");
    if (option_has(set, "region")) {
        fault->region = (enum fault_region)option_number(set, "region");
        fault->state = (enum fault_page_state)option_number(set, "state");
        fault->pattern = (enum fault_pattern)option_number(set, "pattern");
        fault->ecc = (enum fault_ecc)option_number(set, "ecc");
        fault->bits = *option_amount(set, "bits");
    }
}

/* Takes out values that no table describes. */
static struct yaml *parse_special(struct parse *p, const struct yaml *map, struct fault *fault)
{
    struct yaml *rest = yaml_copy(p->arena, map);
    const struct yaml *cache = yaml_get(map, "cache"), *where = yaml_get(map, "where");
    if (cache != NULL && cache->kind == YAML_MAP && fault->kind == FAULT_POWER_CUT) {
        fault->chosen = parse_crash_state(p, cache);
        yaml_remove(rest, "cache");
        if (yaml_get(map, "tears") != NULL)
            complain(p->complaints, map->place,
                     "`tears` and `cache: {keep: ...}` exclude each other");
    }
    bool of_media = fault->kind == FAULT_DISK_LATENT_ERROR || fault->kind == FAULT_DISK_BIT_ROT;
    if (of_media && where != NULL && where->kind == YAML_MAP) {
        static const char *const keys[] = {"file"};
        parse_check_keys(p, where, keys, 1, "`where`");
        fault->where = FAULT_WHERE_FILE;
        fault->where_path = yaml_get(where, "file") == NULL
                                ? NULL
                                : parse_text(p, yaml_get(where, "file"), "`file`");
        if (where->count == 0)
            complain(p->complaints, where->place, "`where` names no file; as {file: app0/log0}");
        yaml_remove(rest, "where");
    }
    const struct yaml *repeat = yaml_get(map, "repeat");
    bool of_process = fault->kind >= FAULT_PROCESS_CRASH && fault->kind <= FAULT_PROCESS_BUG;
    if (of_process && repeat != NULL && repeat->kind == YAML_TEXT &&
        strcmp(repeat->text, "same-request") == 0) {
        fault->repeat_same_request = true;
        yaml_remove(rest, "repeat");
    }
    return rest;
}

static void parse_keys(struct reading *r, struct fault *fault)
{
    static const char *const on_disk[] = {"kind", "at", "disk"};
    static const char *const on_layer[] = {"kind", "at", "layer", "instance"};
    struct parse *p = r->p;
    const struct fault_kind_info *info = r->info;
    struct yaml *map = parse_special(p, r->map, fault);
    const char *const *also = info->on_layer ? on_layer : on_disk;
    size_t also_count = info->on_layer ? 4 : info->on_disk ? 3 : 2;
    const char *of = arena_printf(p->arena, "fault `%s`", info->name);
    struct option_set set =
        parse_options(p, map, info->keys, info->key_count, also, also_count, of);
    copy_keys(&set, fault);
    if (fault->replaced && option_get(&set, "for")->given)
        complain(
            p->complaints, r->map->place,
            "`for` and `replace` exclude each other; the disk comes back, or another one does");
    const struct yaml *disk = yaml_get(map, "disk"), *layer = yaml_get(map, "layer");
    const struct yaml *instance = yaml_get(map, "instance");
    if (info->on_disk && disk != NULL)
        parse_target(p, disk, "disk", &fault->disk);
    if (!info->on_layer)
        return;
    if (layer == NULL)
        complain(p->complaints, map->place, "fault `%s` has no `layer`; as layer: physical",
                 info->name);
    else
        fault->layer = parse_layer(p, layer);
    if (instance != NULL)
        parse_target(p, instance, "instance", &fault->instance);
}

static const struct fault_kind_info *find_kind(struct parse *p, const struct yaml *map)
{
    const char *names[FAULT_KINDS];
    uint32_t count = 0;
    const struct fault_kind_info *table = fault_kind_table(&count);
    for (uint32_t k = 0; k < count; k++)
        names[k] = table[k].name;
    const struct yaml *node = yaml_get(map, "kind");
    if (node == NULL && parse_misspelt(p, map, "kind", "a fault"))
        return NULL;
    if (node == NULL) {
        complain(p->complaints, map->place, "a fault has no `kind`; `kind:` one of %s",
                 join_names(p->arena, names, count));
        return NULL;
    }
    const char *name = parse_text(p, node, "`kind`");
    const struct fault_kind_info *info = name == NULL ? NULL : fault_kind_find(name);
    if (name != NULL && info == NULL)
        complain(p->complaints, node->place, "unknown fault kind `%.80s`; allowed: %s%s", name,
                 join_names(p->arena, names, count), did_you_mean(p->arena, name, names, count));
    if (info != NULL && info->not_yet) {
        complain(p->complaints, node->place, "not available yet: fault kind `%s`", name);
        return NULL;
    }
    return info;
}

static void parse_fault(struct parse *p, const struct yaml *map, struct fault_plan *plan)
{
    struct reading r = {.p = p, .map = map, .first = plan->count == 0};
    struct fault *fault = &plan->faults[plan->count++];
    *fault = fault_default(FAULT_POWER_CUT);
    if (!parse_is_map(p, map, "a fault"))
        return;
    r.info = find_kind(p, map);
    if (r.info == NULL)
        return;
    *fault = fault_default(r.info->kind);
    parse_keys(&r, fault);
    const struct yaml *state = yaml_get(map, "state");
    if (r.info->kind == FAULT_MEMORY_FLIP && state != NULL && fault->state != FAULT_PAGE_ANY &&
        fault->region != FAULT_REGION_PAGES && fault->region != FAULT_REGION_ANY)
        complain(p->complaints, state->place,
                 "`state` is one of pages, and `region` is another; region: pages or any");
    const struct yaml *bits = yaml_get(map, "bits");
    if (bits != NULL && fault->pattern == FAULT_PATTERN_ROW)
        complain(p->complaints, bits->place, "`bits` says nothing of a row: all of it is spoilt");
    if (yaml_get(map, "at") != NULL)
        parse_when(&r, yaml_get(map, "at"), fault);
    if (fault->at.kind == FAULT_AT_RATE && fault->disk.kind == FAULT_TARGET_HOLDS)
        complain(p->complaints, map->place,
                 "a rate is of each disk, whatever it holds; disk: any, all or a number");
}

/* The list with each field profile replaced by the faults that it stands for. */
static const struct yaml *expand_profiles(struct parse *p, const struct yaml *node)
{
    struct yaml *list = yaml_new(p->arena, YAML_LIST, node->place);
    for (uint32_t k = 0; k < node->count; k++) {
        struct yaml *item = node->item[k];
        if (item->kind != YAML_MAP || yaml_get(item, "profile") == NULL) {
            yaml_append(p->arena, list, item);
            continue;
        }
        const struct yaml *faults = parse_field(p, item);
        for (uint32_t i = 0; i < faults->count; i++)
            yaml_append(p->arena, list, faults->item[i]);
    }
    return list;
}

/* All rates of a plan are over the same time: that is how long its trials last. */
static void check_over(struct parse *p, const struct yaml *node, const struct fault_plan *plan)
{
    uint64_t over_ns = fault_plan_over_ns(plan);
    for (uint32_t i = 0; i < plan->count; i++)
        if (plan->faults[i].at.kind == FAULT_AT_RATE && plan->faults[i].at.over_ns != over_ns) {
            complain(p->complaints, node->place,
                     "fault plan `%.80s` has rates `over` different times; one time for all",
                     plan->name);
            return;
        }
}

/* A chosen crash state is of what the disks were told: faults that change what they do exclude it.
 */
static void check_chosen(struct parse *p, const struct yaml *node, const struct fault_plan *plan)
{
    bool chosen = false, on_disk = false;
    for (uint32_t k = 0; k < plan->count; k++) {
        chosen = chosen || plan->faults[k].chosen != NULL;
        on_disk = on_disk || plan->faults[k].kind <= FAULT_DISK_LYING_FLUSH;
    }
    if (chosen && on_disk)
        complain(p->complaints, node->place,
                 "not available yet: `cache: {keep: ...}` in a plan with faults of disks");
}

static void parse_plan(struct parse *p, const struct entry *entry, struct fault_plan *plan)
{
    const struct yaml *node = entry->node;
    plan->name = entry->name;
    plan->draw_name = entry->draw_name;
    if (node->kind != YAML_LIST) {
        complain(p->complaints, node->place,
                 "fault plan `%.80s` is a %s; a list of faults is wanted, as [{kind: power.cut}], "
                 "or [] for none",
                 entry->name, yaml_kind_name(node));
        return;
    }
    const struct yaml *list = expand_profiles(p, node);
    if (list->count > FAULTS_PER_PLAN_MAX) {
        complain(p->complaints, node->place, "fault plan `%.80s` has %u faults; at most %d",
                 entry->name, list->count, FAULTS_PER_PLAN_MAX);
        return;
    }
    plan->faults = ARENA_ARRAY(p->arena, struct fault, list->count);
    for (uint32_t k = 0; k < list->count; k++)
        parse_fault(p, list->item[k], plan);
    check_over(p, node, plan);
    check_chosen(p, node, plan);
}

void parse_faults(struct parse *p, const struct entries *entries)
{
    struct plan *plan = p->plan;
    plan->faults = ARENA_ARRAY(p->arena, struct fault_plan, entries->count);
    p->fault = ARENA_ARRAY(p->arena, struct yaml *, entries->count);
    plan->fault_count = entries->count;
    for (uint32_t k = 0; k < entries->count; k++) {
        p->fault[k] = entries->list[k].node;
        parse_plan(p, &entries->list[k], &plan->faults[k]);
    }
}
