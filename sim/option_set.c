/*
 * Values of options against their rows: one text read as its row wants it, defaults, and look-up by
 * name. The readers of single values are in option.c.
 */
#include <stdio.h>
#include <string.h>

#include "assertion.h"
#include "sim/option.h"

#define CHOICES_MAX 16

const struct option_spec *option_find(const struct option_spec *specs, uint32_t count,
                                      const char *name)
{
    ASSERT(name != NULL);
    for (uint32_t k = 0; k < count; k++)
        if (strcmp(specs[k].name, name) == 0)
            return &specs[k];
    return NULL;
}

static void append(char *to, const char *text)
{
    size_t used = strlen(to);
    (void)snprintf(to + used, OPTION_ERROR_BYTES - used, "%s", text);
}

/* "0, 1 are allowed (not available yet: 5)", and the nearest one. */
static bool fail_choice(const struct option_spec *spec, const char *text, char *error)
{
    const char *names[CHOICES_MAX];
    size_t count = 0;
    (void)snprintf(error, OPTION_ERROR_BYTES, "`%.80s` is not a value of `%s`; allowed: ", text,
                   spec->name);
    for (const struct option_choice *c = spec->choices; c->name != NULL; c++) {
        ASSERT(count < CHOICES_MAX);
        if (count > 0)
            append(error, ", ");
        names[count++] = c->name;
        append(error, c->name);
        if (c->not_yet)
            append(error, " (not available yet)");
    }
    const char *guess = option_nearest(text, names, count);
    if (guess != NULL) {
        append(error, "; did you mean `");
        append(error, guess);
        append(error, "`?");
    }
    return false;
}

static bool parse_choice(const struct option_spec *spec, const char *text,
                         struct option_value *value, char *error)
{
    ASSERT(spec->choices != NULL);
    for (const struct option_choice *c = spec->choices; c->name != NULL; c++) {
        if (strcmp(c->name, text) != 0)
            continue;
        if (c->not_yet) {
            (void)snprintf(error, OPTION_ERROR_BYTES, "not available yet: `%s: %s`", spec->name,
                           text);
            return false;
        }
        value->amount = amount_fixed(c->value);
        value->text = c->name;
        return true;
    }
    return fail_choice(spec, text, error);
}

static void format_bound(enum option_type type, int64_t value, char *to, size_t room)
{
    if (type == OPTION_TIME)
        option_format_time(value, to, room);
    else if (type == OPTION_SIZE)
        option_format_size(value, to, room);
    else
        (void)snprintf(to, room, "%lld", (long long)value);
}

static bool parse_number(const struct option_spec *spec, const char *text,
                         struct option_value *value, char *error)
{
    if (!option_parse_amount(spec->type, text, &value->amount, error))
        return false;
    if (value->amount.kind == AMOUNT_RANGE && !spec->drawn) {
        (void)snprintf(error, OPTION_ERROR_BYTES, "`%.80s` is a range; `%s` takes one value", text,
                       spec->name);
        return false;
    }
    int64_t max = spec->max == 0 ? AMOUNT_MAX : spec->max;
    if (value->amount.low >= spec->min && value->amount.high <= max)
        return true;
    char low[32], high[32];
    format_bound(spec->type, spec->min, low, sizeof(low));
    format_bound(spec->type, max, high, sizeof(high));
    if (spec->max == 0)
        (void)snprintf(error, OPTION_ERROR_BYTES, "`%.80s` is too small for `%s`; at least %s",
                       text, spec->name, low);
    else
        (void)snprintf(error, OPTION_ERROR_BYTES, "`%.80s` is out of range for `%s`; %s to %s",
                       text, spec->name, low, high);
    return false;
}

/* The readers of each type; `off` and what is not built yet were seen to. */
static bool parse_typed(const struct option_spec *spec, const char *text,
                        struct option_value *value, char *error)
{
    bool on = false;
    switch (spec->type) {
    case OPTION_TIME:
    case OPTION_SIZE:
    case OPTION_INTEGER:
        return parse_number(spec, text, value, error);
    case OPTION_REAL:
        return option_parse_real(text, &value->real, error);
    case OPTION_PERCENT:
        return option_parse_percent(text, &value->real, error);
    case OPTION_RATE:
        return option_parse_rate(text, &value->real, error);
    case OPTION_SWITCH:
        if (!option_parse_switch(text, &on, error))
            return false;
        value->amount = amount_fixed(on ? 1 : 0);
        value->text = on ? "on" : "off";
        return true;
    case OPTION_CHOICE:
        return parse_choice(spec, text, value, error);
    case OPTION_TEXT:
        return true;
    case OPTION_RULES:
        (void)snprintf(error, OPTION_ERROR_BYTES,
                       "`%s` is a map of patterns and values, as {\"*.db\": %s}", spec->name,
                       spec->choices[0].name);
        return false;
    }
    ASSERT(spec->type <= OPTION_RULES);
    return false;
}

bool option_parse(const struct option_spec *spec, const char *text, struct option_value *value,
                  char *error)
{
    ASSERT(spec != NULL && text != NULL);
    ASSERT(value != NULL && error != NULL);
    *value = (struct option_value){.given = true, .text = text};
    if (spec->not_yet) {
        (void)snprintf(error, OPTION_ERROR_BYTES, "not available yet: option `%s`", spec->name);
        return false;
    }
    if (spec->may_off && strcmp(text, "off") == 0) {
        value->off = true;
        value->amount = amount_fixed(0);
        return true;
    }
    if (!parse_typed(spec, text, value, error))
        return false;
    if (spec->off_only) {
        (void)snprintf(error, OPTION_ERROR_BYTES,
                       "not available yet: `%s: %.80s`; `off` is allowed", spec->name, text);
        return false;
    }
    return true;
}

void option_fallback(const struct option_spec *spec, struct option_value *value)
{
    ASSERT(spec != NULL && value != NULL);
    *value = (struct option_value){.text = ""};
    if (spec->fallback == NULL)
        return;
    struct option_spec built = *spec; /* the default of what is not built yet is read as well */
    built.not_yet = false;
    char error[OPTION_ERROR_BYTES];
    bool sound = option_parse(&built, spec->fallback, value, error);
    ASSERT(sound);
    value->given = false;
}

const struct option_value *option_get(const struct option_set *set, const char *name)
{
    ASSERT(set != NULL);
    const struct option_spec *spec = option_find(set->specs, set->count, name);
    ASSERT(spec != NULL);
    return &set->values[spec - set->specs];
}

bool option_has(const struct option_set *set, const char *name)
{
    ASSERT(set != NULL);
    return option_find(set->specs, set->count, name) != NULL;
}

uint64_t option_number(const struct option_set *set, const char *name)
{
    const struct option_value *value = option_get(set, name);
    ASSERT(value->amount.kind == AMOUNT_FIXED);
    ASSERT(value->amount.low >= 0);
    return (uint64_t)value->amount.low;
}

double option_real(const struct option_set *set, const char *name)
{
    return option_get(set, name)->real;
}

bool option_on(const struct option_set *set, const char *name)
{
    return option_number(set, name) == 1;
}

const struct amount *option_amount(const struct option_set *set, const char *name)
{
    return &option_get(set, name)->amount;
}

const char *option_type_name(enum option_type type)
{
    static const char *const names[] = {"time", "size",   "integer", "number", "percentage",
                                        "rate", "switch", "choice",  "text",   "map of patterns"};
    ASSERT((unsigned)type <= OPTION_RULES);
    return names[type];
}

const char *option_type_unit(enum option_type type)
{
    static const char *const units[] = {"ns", "B", "1", "1", "1", "1/year", "", "", "", ""};
    ASSERT((unsigned)type <= OPTION_RULES);
    return units[type];
}
