/* Values, names and tables of options: the leaves of a campaign file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "campaign/parse.h"

#define ALLOWED_MAX 96 /* of one map: the longest table and what stands beside it */

const char *yaml_kind_name(const struct yaml *node)
{
    static const char *const names[] = {"text", "list", "map"};
    return names[node->kind];
}

bool parse_misspelt(struct parse *p, const struct yaml *map, const char *wanted, const char *what)
{
    for (uint32_t k = 0; k < map->count; k++) {
        const char *key = map->key[k]->text;
        const char *guess = did_you_mean(p->arena, key, &wanted, 1);
        if (guess[0] == '\0')
            continue;
        complain(p->complaints, map->key[k]->place,
                 "unknown key `%.80s` of %s, which has no `%s`%s", key, what, wanted, guess);
        return true;
    }
    return false;
}

bool parse_is_map(struct parse *p, const struct yaml *node, const char *what)
{
    if (node->kind == YAML_MAP)
        return true;
    if (yaml_is_empty(node))
        complain(p->complaints, node->place, "%s is empty; a map of keys and values is wanted",
                 what);
    else
        complain(p->complaints, node->place, "%s is a %s; a map of keys and values is wanted", what,
                 yaml_kind_name(node));
    return false;
}

void parse_check_keys(struct parse *p, const struct yaml *map, const char *const *allowed,
                      size_t count, const char *of)
{
    ASSERT(map->kind == YAML_MAP);
    for (uint32_t k = 0; k < map->count; k++) {
        const char *key = map->key[k]->text;
        bool known = false;
        for (size_t j = 0; j < count && !known; j++)
            known = strcmp(allowed[j], key) == 0;
        if (!known)
            complain(p->complaints, map->key[k]->place, "unknown key `%.80s` of %s; allowed: %s%s",
                     key, of, join_names(p->arena, allowed, count),
                     did_you_mean(p->arena, key, allowed, count));
    }
}

const char *parse_text(struct parse *p, const struct yaml *node, const char *what)
{
    if (node->kind != YAML_TEXT) {
        complain(p->complaints, node->place, "%s is a %s; a single value is wanted", what,
                 yaml_kind_name(node));
        return NULL;
    }
    if (yaml_is_empty(node)) {
        complain(p->complaints, node->place, "%s is empty; a value is wanted", what);
        return NULL;
    }
    return node->text;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool parse_name(struct parse *p, const char *name, struct place place, const char *what)
{
    size_t length = strlen(name);
    bool sound = length > 0 && strchr("._-", name[0]) == NULL;
    for (size_t k = 0; k < length && sound; k++)
        sound = is_name_char(name[k]);
    if (sound && length <= NAME_LENGTH_MAX)
        return true;
    if (sound)
        complain(p->complaints, place, "%s `%.80s` is too long; at most %d characters", what, name,
                 NAME_LENGTH_MAX);
    else
        complain(p->complaints, place,
                 "%s `%.80s` is no name; letters, digits, `.`, `_` and `-`, the first a letter or "
                 "digit",
                 what, name);
    return false;
}

bool parse_share_text(const char *text, bool points, double *share, char *error)
{
    if (strchr(text, '%') != NULL)
        return option_parse_percent(text, share, error);
    if (!option_parse_real(text, share, error))
        return false;
    if (points)
        *share /= 100;
    if (*share <= 1)
        return true;
    (void)snprintf(error, OPTION_ERROR_BYTES, "`%.80s` is beyond 1; as 5%% or 0.05", text);
    return false;
}

/* A real number that may have a sign, as mu of a lognormal. */
static bool signed_real(const char *text, double *value, char *error)
{
    bool negative = text[0] == '-';
    if (!option_parse_real(text + (negative ? 1 : 0), value, error))
        return false;
    if (negative)
        *value = -*value;
    return true;
}

/* One parameter of a distribution: a pure number, or a value in the unit of the key. */
static bool parameter(struct parse *p, const struct option_spec *spec, const struct yaml *node,
                      bool pure, bool positive, double *value)
{
    char error[OPTION_ERROR_BYTES];
    const char *text = parse_text(p, node, "a parameter of a distribution");
    if (text == NULL)
        return false;
    bool sound;
    if (pure) {
        sound = signed_real(text, value, error);
    } else {
        struct amount amount;
        sound = option_parse_amount(spec->type, text, &amount, error);
        *value = sound ? (double)amount.low : 0;
        if (sound && amount.kind != AMOUNT_FIXED) {
            (void)snprintf(error, sizeof(error), "`%.80s` is a range; one value is wanted", text);
            sound = false;
        }
    }
    if (!sound) {
        complain(p->complaints, node->place, "%s", error);
        return false;
    }
    if (positive && *value <= 0) {
        complain(p->complaints, node->place, "`%.80s` must be more than 0", text);
        return false;
    }
    return true;
}

/* The bounds of shapes and sigmas: beyond them nearly all draws are the option's least or most. */
#define SHAPE_MIN 0.1
#define SHAPE_MAX 100.0
#define SIGMA_MAX 10.0

/* Complains unless value lies in low..high. what: "the shape", for messages. */
static bool in_range(struct parse *p, const struct yaml *node, const char *what, double value,
                     double low, double high)
{
    if (value >= low && value <= high)
        return true;
    complain(p->complaints, node->place, "`%.80s` is out of range for %s; %.4g to %.4g is allowed",
             node->text, what, low, high);
    return false;
}

/* Whether the middle of the distribution is a value that the option may take, and the rest sane. */
static bool check_distribution(struct parse *p, const struct option_spec *spec,
                               const struct yaml *value, const struct amount *amount)
{
    double low = spec->min > 1 ? (double)spec->min : 1, high = (double)amount->high;
    const char *unit = option_type_unit(spec->type);
    if (amount->kind == AMOUNT_EXPONENTIAL)
        return in_range(p, value, arena_printf(p->arena, "the mean, in %s", unit), amount->first,
                        low, high);
    if (amount->kind == AMOUNT_WEIBULL) {
        bool shape = in_range(p, value->item[0], "the shape", amount->first, SHAPE_MIN, SHAPE_MAX);
        return in_range(p, value->item[1], arena_printf(p->arena, "the scale, in %s", unit),
                        amount->second, low, high) &&
               shape;
    }
    bool sigma = in_range(p, value->item[1], "sigma", amount->second, 0, SIGMA_MAX);
    return in_range(p, value->item[0], arena_printf(p->arena, "mu (the median is e^mu %s)", unit),
                    amount->first, log(low), log(high)) &&
           sigma;
}

/* {weibull: [shape, scale]}, {exponential: mean}, {lognormal: [mu, sigma]} */
static bool parse_distribution(struct parse *p, const struct option_spec *spec,
                               const struct yaml *node, struct amount *amount)
{
    static const char *const names[] = {"weibull", "exponential", "lognormal"};
    static const char form[] = "{weibull: [shape, scale]}, {exponential: mean} or "
                               "{lognormal: [mu, sigma]}";
    if (node->count != 1) {
        complain(p->complaints, node->place, "a distribution has one key; %s", form);
        return false;
    }
    const char *name = node->key[0]->text;
    const struct yaml *value = node->item[0];
    size_t which = 0;
    while (which < 3 && strcmp(names[which], name) != 0)
        which++;
    if (which == 3) {
        complain(p->complaints, node->key[0]->place,
                 "unknown distribution `%.80s` of `%s`; allowed: %s%s", name, spec->name, form,
                 did_you_mean(p->arena, name, names, 3));
        return false;
    }
    amount->low = spec->min;
    amount->high = spec->max == 0 ? AMOUNT_MAX : spec->max;
    if (which == 1) {
        amount->kind = AMOUNT_EXPONENTIAL;
        return parameter(p, spec, value, false, true, &amount->first) &&
               check_distribution(p, spec, value, amount);
    }
    if (value->kind != YAML_LIST || value->count != 2) {
        complain(p->complaints, value->place, "`%s` has two parameters; %s", name, form);
        return false;
    }
    bool weibull = which == 0;
    amount->kind = weibull ? AMOUNT_WEIBULL : AMOUNT_LOGNORMAL;
    bool first = parameter(p, spec, value->item[0], true, weibull, &amount->first);
    bool second = parameter(p, spec, value->item[1], !weibull, true, &amount->second);
    return first && second && check_distribution(p, spec, value, amount);
}

bool parse_value(struct parse *p, const struct option_spec *spec, const struct yaml *node,
                 struct option_value *value)
{
    char error[OPTION_ERROR_BYTES];
    ASSERT(spec != NULL && node != NULL);
    if (node->kind == YAML_MAP && spec->drawn && !spec->not_yet) {
        struct amount amount = {0};
        if (!parse_distribution(p, spec, node, &amount))
            return false;
        *value = (struct option_value){.given = true, .amount = amount, .text = "distribution"};
        return true;
    }
    if (node->kind == YAML_MAP && spec->type == OPTION_RULES && !spec->not_yet)
        return parse_rules(p, spec, node, value);
    const char *what = arena_printf(p->arena, "`%s`", spec->name);
    const char *text = parse_text(p, node, what);
    if (text == NULL)
        return false;
    struct option_value read;
    if (!option_parse(spec, text, &read, error)) {
        complain(p->complaints, node->place, "%s", error);
        return false;
    }
    *value = read;
    return true;
}

struct option_set parse_options(struct parse *p, const struct yaml *map,
                                const struct option_spec *specs, uint32_t count,
                                const char *const *also, size_t also_count, const char *of)
{
    struct option_set set = {.specs = specs, .count = count};
    set.values = ARENA_ARRAY(p->arena, struct option_value, count);
    const char *allowed[ALLOWED_MAX];
    size_t allowed_count = 0;
    ASSERT(count + also_count <= ALLOWED_MAX);
    for (size_t k = 0; k < also_count; k++)
        allowed[allowed_count++] = also[k];
    for (uint32_t k = 0; k < count; k++) {
        option_fallback(&specs[k], &set.values[k]);
        allowed[allowed_count++] = specs[k].name;
    }
    if (map == NULL)
        return set;
    parse_check_keys(p, map, allowed, allowed_count, of);
    for (uint32_t k = 0; k < count; k++) {
        const struct yaml *node = yaml_get(map, specs[k].name);
        if (node != NULL)
            (void)parse_value(p, &specs[k], node, &set.values[k]);
    }
    return set;
}
