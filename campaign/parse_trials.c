/*
 * `trials`: how many each cell has. A number; or the most, and a width of the interval at which a
 * cell ends before; or a rise that `loris compare` shall see, from which the number is computed.
 */
#include <string.h>

#include "assertion.h"
#include "campaign/parse.h"
#include "results/stats.h"

#define TRIALS_DEFAULT 100 /* an exact 95 % interval of 0 in 100 ends at 3.6 % */
#define MARGIN_DEFAULT 0.01
#define ALPHA_DEFAULT 0.05
#define CONFIDENCE_DEFAULT 0.95
#define POWER_DEFAULT 0.80

/* Whether `value` lies within (low, high), or [low if closed; else complains of the key. */
static void check_share(struct parse *p, const struct yaml *map, const char *key, double value,
                        double low, bool closed, double high)
{
    if ((value > low || (closed && value == low)) && value < high)
        return;
    const struct yaml *node = yaml_get(map, key);
    complain(p->complaints, node == NULL ? map->place : node->place,
             "`%s` is out of range; %s %g%% and less than %g%%", key,
             closed ? "at least" : "more than", low * 100, high * 100);
}

/* A share of the map; `fallback` if absent or wrong. */
static double share(struct parse *p, const struct yaml *map, const char *key, double fallback)
{
    const struct yaml *node = yaml_get(map, key);
    struct option_spec spec = {.name = key, .type = OPTION_PERCENT};
    struct option_value value;
    return node == NULL || !parse_value(p, &spec, node, &value) ? fallback : value.real;
}

/* `alpha` as --alpha takes it. */
static double alpha_of(struct parse *p, const struct yaml *map, double fallback)
{
    char error[OPTION_ERROR_BYTES];
    const struct yaml *node = yaml_get(map, "alpha");
    const char *text = node == NULL ? NULL : parse_text(p, node, "`alpha`");
    double alpha = fallback;
    if (text != NULL && !parse_share_text(text, false, &alpha, error))
        complain(p->complaints, node->place, "%s", error);
    return alpha;
}

/* Whether the key is there; else complains of the map. */
static bool needs(struct parse *p, const struct yaml *map, const char *key, const char *example)
{
    if (yaml_get(map, key) != NULL)
        return true;
    complain(p->complaints, map->place, "`trials` lacks `%s`; as trials: %s", key, example);
    return false;
}

static void parse_half_width(struct parse *p, const struct yaml *map)
{
    static const char *const keys[] = {"max", "half-width", "confidence", "of"};
    static const char *const others[] = {"broken", "wrong"};
    static const char example[] = "{max: 5000, half-width: 1%}";
    struct plan_trials *t = &p->plan->trials;
    parse_check_keys(p, map, keys, sizeof(keys) / sizeof(keys[0]), "such `trials`");
    t->kind = PLAN_TRIALS_HALF_WIDTH;
    struct option_spec spec = {
        .name = "max", .type = OPTION_INTEGER, .min = 1, .max = PLAN_TRIALS_MAX};
    struct option_value value;
    if (needs(p, map, "max", example) && parse_value(p, &spec, yaml_get(map, "max"), &value))
        t->count = (uint64_t)value.amount.low;
    t->half_width = needs(p, map, "half-width", example) ? share(p, map, "half-width", 0.01) : 0.01;
    check_share(p, map, "half-width", t->half_width, 0, false, 0.5);
    t->confidence = share(p, map, "confidence", CONFIDENCE_DEFAULT);
    check_share(p, map, "confidence", t->confidence, 0.5, true, 1);
    const struct yaml *of = yaml_get(map, "of");
    const char *text = of == NULL ? "broken" : parse_text(p, of, "`of`");
    const char *names[LEVEL_COUNT + 2];
    bool known = text == NULL; /* that has been told */
    for (size_t k = 0; k < LEVEL_COUNT + 2; k++) {
        names[k] = k < 2 ? others[k] : level_name((enum level)(k - 2));
        known = known || strcmp(names[k], text) == 0;
    }
    if (!known)
        complain(p->complaints, of->place, "`of: %.80s` is no share; allowed: %s%s", text,
                 join_names(p->arena, names, LEVEL_COUNT + 2),
                 did_you_mean(p->arena, text, names, LEVEL_COUNT + 2));
    t->of = text;
}

static void parse_detect(struct parse *p, const struct yaml *map)
{
    static const char *const keys[] = {"detect", "from", "power", "alpha"};
    struct plan_trials *t = &p->plan->trials;
    const struct plan_compare *compare = &p->plan->compare;
    double margin = compare->margin_given ? compare->margin : MARGIN_DEFAULT;
    parse_check_keys(p, map, keys, sizeof(keys) / sizeof(keys[0]), "such `trials`");
    t->kind = PLAN_TRIALS_DETECT;
    t->from = share(p, map, "from", 0);
    check_share(p, map, "from", t->from, 0, true, 1);
    t->detect = share(p, map, "detect", 1);
    if (t->detect <= margin)
        complain(p->complaints, yaml_get(map, "detect")->place,
                 "`detect` is not above the margin of %g%% within which nothing is worse",
                 margin * 100);
    check_share(p, map, "detect", t->detect, 0, false, 1 - t->from);
    t->power = share(p, map, "power", POWER_DEFAULT);
    check_share(p, map, "power", t->power, 0, false, 1);
    t->alpha = alpha_of(p, map, compare->alpha_given ? compare->alpha : ALPHA_DEFAULT);
    check_share(p, map, "alpha", t->alpha, 0, false, 0.5);
}

void parse_trials(struct parse *p)
{
    const struct yaml *node = yaml_get(p->root, "trials");
    struct plan_trials *t = &p->plan->trials;
    *t = (struct plan_trials){.kind = PLAN_TRIALS_FIXED, .count = TRIALS_DEFAULT};
    if (node == NULL)
        return;
    if (node->kind == YAML_MAP && yaml_get(node, "detect") != NULL) {
        parse_detect(p, node);
        return;
    }
    if (node->kind == YAML_MAP) {
        parse_half_width(p, node);
        return;
    }
    struct option_spec spec = {
        .name = "trials", .type = OPTION_INTEGER, .min = 1, .max = PLAN_TRIALS_MAX};
    struct option_value value;
    if (parse_value(p, &spec, node, &value))
        t->count = (uint64_t)value.amount.low;
}

void parse_trials_plan(struct parse *p)
{
    struct plan *plan = p->plan;
    struct plan_trials *t = &plan->trials;
    if (t->kind == PLAN_TRIALS_HALF_WIDTH && plan->shards > 1)
        complain(p->complaints, (struct place){"--shard", 1, 1},
                 "cells that end early cannot be split; give a fixed number, as --trials %llu",
                 (unsigned long long)t->count);
    if (t->kind != PLAN_TRIALS_DETECT)
        return;
    struct stats_rise rise = {.from = t->from,
                              .detect = t->detect,
                              .margin = plan->compare.margin_given ? plan->compare.margin
                                                                   : MARGIN_DEFAULT,
                              .alpha = t->alpha};
    for (uint32_t c = 0; c < plan->cell_count; c++)
        rise.cells += plan->cells[c].skipped == NULL; /* whatever is selected: n is of the file */
    ASSERT(rise.cells > 0);
    t->count = stats_gate_trials(&rise, t->power);
    if (t->count == 0)
        complain(p->complaints, yaml_get(p->root, "trials")->place,
                 "that takes more than %d trials a cell; a larger `detect`, or a smaller `from`, "
                 "`power` or `margin`",
                 STATS_PLAN_MAX);
}
