/* The top level of a campaign file but for machine, variants, sweep, workloads, faults and cells.
 */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "campaign/parse.h"

#define NS_PER_S INT64_C(1000000000)
#define LIMIT_DEFAULT_NS (600 * NS_PER_S) /* assumption: no recovery here takes 10min */

static const char *const top_keys[] = {
    "campaign", "question", "seed",      "trials", "limit", "include", "tags",     "notes",
    "machine",  "variants", "workloads", "faults", "sweep", "skip",    "promises", "compare"};

/* A number of a top key; `fallback` if absent or wrong. */
static uint64_t top_number(struct parse *p, const char *key, enum option_type type, int64_t min,
                           int64_t max, uint64_t fallback)
{
    const struct yaml *node = yaml_get(p->root, key);
    struct option_spec spec = {.name = key, .type = type, .min = min, .max = max};
    struct option_value value;
    if (node == NULL || !parse_value(p, &spec, node, &value))
        return fallback;
    return (uint64_t)value.amount.low;
}

static const char *top_text(struct parse *p, const char *key)
{
    const struct yaml *node = yaml_get(p->root, key);
    const char *text = node == NULL ? "" : parse_text(p, node, arena_printf(p->arena, "`%s`", key));
    return text == NULL ? "" : text;
}

static void parse_campaign_name(struct parse *p)
{
    const struct yaml *node = yaml_get(p->root, "campaign");
    p->plan->name = "";
    if (node == NULL) {
        complain(p->complaints, p->root->place,
                 "`campaign` is missing; a name, as campaign: raid1-first-look");
        return;
    }
    const char *text = parse_text(p, node, "`campaign`");
    if (text != NULL && parse_name(p, text, node->place, "the campaign's name"))
        p->plan->name = text;
}

static void parse_tags(struct parse *p)
{
    const struct yaml *map = yaml_get(p->root, "tags");
    if (map == NULL || !parse_is_map(p, map, "`tags`"))
        return;
    struct plan_setting *tags = ARENA_ARRAY(p->arena, struct plan_setting, map->count);
    for (uint32_t k = 0; k < map->count; k++) {
        (void)parse_name(p, map->key[k]->text, map->key[k]->place, "tag");
        const char *text = parse_text(p, map->item[k], "a tag");
        tags[k] = (struct plan_setting){map->key[k]->text, text == NULL ? "" : text};
    }
    p->plan->tags = tags;
    p->plan->tag_count = map->count;
}

static void parse_measure(struct parse *p, const struct yaml *node)
{
    const char *text = parse_text(p, node, "a measure");
    if (text == NULL)
        return;
    enum measure measure = measure_from_name(text);
    if (measure == MEASURE_COUNT)
        complain(p->complaints, node->place, "unknown measure `%.80s`; allowed: %s%s", text,
                 join_names(p->arena, measure_names, MEASURE_COUNT),
                 did_you_mean(p->arena, text, measure_names, MEASURE_COUNT));
    else
        p->plan->compare.measures |= 1u << measure;
}

/* A percentage: a bare number could be points or a share. */
static bool parse_margin(struct parse *p, const struct yaml *map, double *margin)
{
    const struct yaml *node = yaml_get(map, "margin");
    struct option_spec spec = {.name = "margin", .type = OPTION_PERCENT};
    struct option_value value;
    if (node == NULL || !parse_value(p, &spec, node, &value))
        return false;
    *margin = value.real;
    if (*margin <= 0 || *margin >= 1)
        complain(p->complaints, node->place,
                 "`margin` is out of range; more than 0%% and less than 100%%, as 1%%");
    return true;
}

/* As --alpha takes it. */
static bool parse_alpha(struct parse *p, const struct yaml *map, double *alpha)
{
    char error[OPTION_ERROR_BYTES];
    const struct yaml *node = yaml_get(map, "alpha");
    const char *text = node == NULL ? NULL : parse_text(p, node, "`alpha`");
    if (text == NULL)
        return false;
    if (!parse_share_text(text, false, alpha, error))
        complain(p->complaints, node->place, "%s", error);
    else if (*alpha <= 0 || *alpha >= 0.5)
        complain(p->complaints, node->place,
                 "`alpha` is out of range; more than 0%% and less than 50%%, as 5%% or 0.05");
    return true;
}

static void parse_compare(struct parse *p)
{
    static const char *const keys[] = {"base", "new", "measure", "margin", "alpha"};
    struct plan_compare *compare = &p->plan->compare;
    const struct yaml *map = yaml_get(p->root, "compare");
    compare->measures = 1u << MEASURE_LEVEL;
    if (map == NULL || !parse_is_map(p, map, "`compare`"))
        return;
    parse_check_keys(p, map, keys, sizeof(keys) / sizeof(keys[0]), "`compare`");
    const struct yaml *base = yaml_get(map, "base"), *fresh = yaml_get(map, "new");
    const struct yaml *measure = yaml_get(map, "measure");
    compare->base = base == NULL ? NULL : parse_text(p, base, "`base`");
    compare->new_variant = fresh == NULL ? NULL : parse_text(p, fresh, "`new`");
    if (measure != NULL) {
        compare->measure_given = true;
        compare->measures = 0;
        if (measure->kind == YAML_LIST)
            for (uint32_t k = 0; k < measure->count; k++)
                parse_measure(p, measure->item[k]);
        else
            parse_measure(p, measure);
    }
    compare->margin_given = parse_margin(p, map, &compare->margin);
    compare->alpha_given = parse_alpha(p, map, &compare->alpha);
}

void parse_top(struct parse *p)
{
    parse_check_keys(p, p->root, top_keys, sizeof(top_keys) / sizeof(top_keys[0]),
                     "a campaign file");
    parse_campaign_name(p);
    p->plan->question = top_text(p, "question");
    p->plan->notes = top_text(p, "notes");
    const struct yaml *seed = yaml_get(p->root, "seed");
    char error[OPTION_ERROR_BYTES];
    const char *text = seed == NULL ? NULL : parse_text(p, seed, "`seed`");
    int64_t value = 1;
    if (text != NULL && !option_parse_integer(text, &value, error)) {
        complain(p->complaints, seed->place, "%s", error);
        value = 1;
    }
    ASSERT(value >= 0);
    p->plan->seed = (uint64_t)value;
    p->plan->limit_ns = top_number(p, "limit", OPTION_TIME, 1000000, 0, LIMIT_DEFAULT_NS);
    parse_tags(p);
    parse_compare(p);
    parse_trials(p); /* it asks for the margin */
}
