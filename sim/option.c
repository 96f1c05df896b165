#include "sim/option.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"

#define NEAREST_LENGTH_MAX 64 /* longer words are no misspelt names */

struct unit {
    const char *name;
    int64_t size; /* in base units; 0: not a unit, but what people write for `meant` */
    const char *meant;
};

#define NS_PER_S INT64_C(1000000000)

static const struct unit time_units[] = {
    {"ns", 1, NULL},
    {"us", 1000, NULL},
    {"ms", 1000000, NULL},
    {"s", NS_PER_S, NULL},
    {"min", 60 * NS_PER_S, NULL},
    {"h", 3600 * NS_PER_S, NULL},
    {"day", 86400 * NS_PER_S, NULL},
    {"week", 7 * 86400 * NS_PER_S, NULL},
    {"year", 8760 * 3600 * NS_PER_S, NULL},
    {"mins", 60 * NS_PER_S, NULL},
    {"days", 86400 * NS_PER_S, NULL},
    {"weeks", 7 * 86400 * NS_PER_S, NULL},
    {"years", 8760 * 3600 * NS_PER_S, NULL},
    {"sec", 0, "s"},
    {"secs", 0, "s"},
    {"second", 0, "s"},
    {"seconds", 0, "s"},
    {"S", 0, "s"},
    {"m", 0, "min"},
    {"minute", 0, "min"},
    {"minutes", 0, "min"},
    {"hour", 0, "h"},
    {"hours", 0, "h"},
    {"hr", 0, "h"},
    {"d", 0, "days"},
    {"w", 0, "weeks"},
    {"y", 0, "years"},
    {"msec", 0, "ms"},
    {"usec", 0, "us"},
    {"\xc2\xb5s", 0, "us"},
    {NULL, 0, NULL},
};

static const struct unit size_units[] = {
    {"B", 1, NULL},
    {"KiB", INT64_C(1) << 10, NULL},
    {"MiB", INT64_C(1) << 20, NULL},
    {"GiB", INT64_C(1) << 30, NULL},
    {"TiB", INT64_C(1) << 40, NULL},
    {"b", 0, "B"},
    {"K", 0, "KiB"},
    {"k", 0, "KiB"},
    {"KB", 0, "KiB"},
    {"kB", 0, "KiB"},
    {"kib", 0, "KiB"},
    {"M", 0, "MiB"},
    {"m", 0, "MiB"},
    {"MB", 0, "MiB"},
    {"mib", 0, "MiB"},
    {"G", 0, "GiB"},
    {"g", 0, "GiB"},
    {"GB", 0, "GiB"},
    {"gib", 0, "GiB"},
    {"T", 0, "TiB"},
    {"TB", 0, "TiB"},
    {"tib", 0, "TiB"},
    {NULL, 0, NULL},
};

static const char time_form[] =
    "a time is a number and a unit, as 5s or 250us (ns us ms s min h day week year)";
static const char size_form[] = "a size is a number and a unit, as 64MiB (B KiB MiB GiB TiB)";

/* Writes the message and returns false, so that a parser can end with it. */
__attribute__((format(printf, 2, 3))) static bool fail(char *error, const char *format, ...)
{
    ASSERT(error != NULL);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error, OPTION_ERROR_BYTES, format, args);
    va_end(args);
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A decimal number without sign or exponent: `whole` and `fraction` / 10^`digits`. */
struct decimal {
    int64_t whole, fraction;
    uint32_t digits;
    const char *rest;
};

/* Reads digits[.digits]; false if there is none, or if it has more digits than fit. */
static bool decimal_read(const char *text, struct decimal *d)
{
    *d = (struct decimal){.rest = text};
    uint32_t digits = 0;
    for (; is_digit(*d->rest); d->rest++, digits++) {
        if (digits >= 19 || d->whole > AMOUNT_MAX / 10)
            return false;
        d->whole = d->whole * 10 + (*d->rest - '0');
    }
    if (digits == 0 || d->whole > AMOUNT_MAX)
        return false;
    if (d->rest[0] != '.' || !is_digit(d->rest[1]))
        return true;
    for (d->rest++; is_digit(*d->rest); d->rest++) {
        if (d->digits >= 15)
            return false;
        d->fraction = d->fraction * 10 + (*d->rest - '0');
        d->digits++;
    }
    return true;
}

/* value = decimal * unit, exactly; false if it is no whole number or too large. */
static bool decimal_times(const struct decimal *d, int64_t unit, int64_t *value)
{
    ASSERT(unit > 0);
    __extension__ typedef __int128 wide;
    wide power = 1;
    for (uint32_t k = 0; k < d->digits; k++)
        power *= 10;
    wide part = (wide)d->fraction * unit;
    if (part % power != 0)
        return false;
    wide sum = (wide)d->whole * unit + part / power;
    if (sum > AMOUNT_MAX)
        return false;
    *value = (int64_t)sum;
    return true;
}

static const struct unit *unit_find(const struct unit *units, const char *name)
{
    for (; units->name != NULL; units++)
        if (strcmp(units->name, name) == 0)
            return units;
    return NULL;
}

/* The real unit that the user may have meant by `word`, or NULL. */
static const char *unit_guess(const struct unit *units, const char *word)
{
    const struct unit *known = unit_find(units, word);
    if (known != NULL)
        return known->size == 0 ? known->meant : known->name;
    const char *names[16];
    size_t count = 0;
    for (; units->name != NULL && units->size != 0 && count < 16; units++)
        names[count++] = units->name;
    return option_nearest(word, names, count);
}

static bool fail_unit(const char *text, const char *rest, const struct unit *units,
                      const char *form, char *error)
{
    int number_length = (int)(rest - text);
    const char *word = rest;
    while (*word == ' ' || *word == '_')
        word++;
    const char *guess = unit_guess(units, word);
    if (*word == '\0')
        return fail(error, "`%s` has no unit; %s", text, form);
    const char *what = word != rest && guess != NULL && strcmp(guess, word) == 0
                           ? "has a space before its unit"
                           : "has an unknown unit";
    if (guess == NULL)
        return fail(error, "`%.80s` %s; %s", text, what, form);
    return fail(error, "`%.80s` %s; %s; did you mean `%.*s%s`?", text, what, form, number_length,
                text, guess);
}

static bool parse_with_unit(const char *text, const struct unit *units, const char *form,
                            int64_t *value, char *error)
{
    ASSERT(text != NULL && value != NULL);
    struct decimal d;
    if (text[0] == '-')
        return fail(error, "`%.80s` is negative; %s", text, form);
    if (!is_digit(text[0]))
        return fail(error, "`%.80s` is not a number with a unit; %s", text, form);
    if (!decimal_read(text, &d))
        return fail(error, "`%.80s` has too many digits; %s", text, form);
    const struct unit *unit = unit_find(units, d.rest);
    if (unit == NULL || unit->size == 0)
        return fail_unit(text, d.rest, units, form, error);
    if (!decimal_times(&d, unit->size, value))
        return fail(error, "`%.80s` is too large, or no whole number of %s; %s", text,
                    units[0].name, form);
    return true;
}

bool option_parse_time(const char *text, int64_t *ns, char *error)
{
    return parse_with_unit(text, time_units, time_form, ns, error);
}

bool option_parse_size(const char *text, int64_t *bytes, char *error)
{
    return parse_with_unit(text, size_units, size_form, bytes, error);
}

bool option_parse_integer(const char *text, int64_t *value, char *error)
{
    ASSERT(text != NULL && value != NULL);
    size_t length = strlen(text);
    if (length == 0 || strspn(text, "0123456789") != length)
        return fail(error, "`%.80s` is not a whole number; digits 0-9 are allowed", text);
    if (length > 1 && text[0] == '0')
        return fail(error, "`%.80s` begins with 0; integers are decimal; did you mean `%.80s`?",
                    text, text + strspn(text, "0") - (strspn(text, "0") == length ? 1 : 0));
    struct decimal d;
    if (length > 19 || !decimal_read(text, &d)) {
        errno = 0;
        long long wide = strtoll(text, NULL, 10); /* seeds go to 2^63 - 1, amounts to 2^62 */
        if (errno != 0 || length > 19)
            return fail(error, "`%.80s` is too large; at most 9223372036854775807", text);
        *value = wide;
        return true;
    }
    *value = d.whole;
    return true;
}

/* A number such as 2.5, nothing behind it; false if it is none. */
static bool read_real(const char *text, size_t length, double *value)
{
    char copy[64];
    if (length == 0 || length >= sizeof(copy))
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (strspn(copy, "0123456789.") != length || !is_digit(copy[0]) || !is_digit(copy[length - 1]))
        return false;
    char *end = NULL;
    *value = strtod(copy, &end);
    return *end == '\0';
}

bool option_parse_real(const char *text, double *value, char *error)
{
    ASSERT(text != NULL && value != NULL);
    if (!read_real(text, strlen(text), value))
        return fail(error, "`%.80s` is not a number; as 10 or 2.5", text);
    return true;
}

bool option_parse_percent(const char *text, double *share, char *error)
{
    ASSERT(text != NULL && share != NULL);
    size_t length = strlen(text);
    double number = 0;
    if (read_real(text, length, &number))
        return fail(error,
                    "`%.80s` has no unit; a percentage is a number and %%, as 1%%; did you mean "
                    "`%.80s%%`?",
                    text, text);
    if (length < 2 || text[length - 1] != '%' || !read_real(text, length - 1, &number))
        return fail(error, "`%.80s` is not a percentage; a number and %%, as 1%% or 2.5%%", text);
    if (number > 100)
        return fail(error, "`%.80s` is beyond 100%%; 0%% to 100%% are allowed", text);
    *share = number / 100;
    return true;
}

bool option_parse_rate(const char *text, double *per_year, char *error)
{
    ASSERT(text != NULL && per_year != NULL);
    const char *slash = strchr(text, '/');
    double number = 0;
    if (slash == NULL || !read_real(text, (size_t)(slash - text), &number))
        return fail(error, "`%.80s` is not a rate; a number, / and a unit of time, as 0.03/year",
                    text);
    const struct unit *unit = unit_find(time_units, slash + 1);
    if (unit == NULL || unit->size == 0) {
        const char *guess = unit_guess(time_units, slash + 1);
        return fail(error, "`%.80s` has an unknown unit; as 0.03/year%s%s%s", text,
                    guess == NULL ? "" : "; did you mean `/", guess == NULL ? "" : guess,
                    guess == NULL ? "" : "`?");
    }
    *per_year = number * ((double)unit_find(time_units, "year")->size / (double)unit->size);
    return true;
}

bool option_parse_switch(const char *text, bool *on, char *error)
{
    ASSERT(text != NULL && on != NULL);
    *on = strcmp(text, "on") == 0 || strcmp(text, "true") == 0;
    if (*on || strcmp(text, "off") == 0 || strcmp(text, "false") == 0)
        return true;
    static const char *const yes[] = {"yes", "y", "1", "On", "ON", "True", "TRUE", "Yes", "YES"};
    static const char *const no[] = {"no", "n", "0", "Off", "OFF", "False", "FALSE", "No", "NO"};
    const char *guess = "";
    for (size_t k = 0; k < sizeof(yes) / sizeof(yes[0]); k++) {
        if (strcmp(text, yes[k]) == 0)
            guess = "; did you mean `on`?";
        if (strcmp(text, no[k]) == 0)
            guess = "; did you mean `off`?";
    }
    return fail(error, "`%.80s` is not a switch; on, off, true and false are allowed%s", text,
                guess);
}

static bool parse_fixed(enum option_type type, const char *text, int64_t *value, char *error)
{
    switch (type) {
    case OPTION_TIME:
        return option_parse_time(text, value, error);
    case OPTION_SIZE:
        return option_parse_size(text, value, error);
    case OPTION_INTEGER:
        return option_parse_integer(text, value, error);
    case OPTION_REAL:
    case OPTION_PERCENT:
    case OPTION_RATE:
    case OPTION_SWITCH:
    case OPTION_CHOICE:
    case OPTION_TEXT:
    case OPTION_RULES:
        break;
    }
    ASSERT(type == OPTION_TIME); /* only numbers of whole base units are amounts */
    return false;
}

bool option_parse_amount(enum option_type type, const char *text, struct amount *amount,
                         char *error)
{
    ASSERT(text != NULL && amount != NULL);
    const char *dots = strstr(text, "..");
    int64_t low = 0, high = 0;
    if (dots == NULL) {
        if (!parse_fixed(type, text, &low, error))
            return false;
        *amount = (struct amount){.kind = AMOUNT_FIXED, .low = low, .high = low};
        return true;
    }
    char first[64];
    if ((size_t)(dots - text) >= sizeof(first))
        return fail(error, "`%.80s` is not a range; A..B, as 1..5", text);
    memcpy(first, text, (size_t)(dots - text));
    first[dots - text] = '\0';
    if (!parse_fixed(type, first, &low, error) || !parse_fixed(type, dots + 2, &high, error))
        return false;
    if (low > high)
        return fail(error,
                    "`%.80s` runs backwards; a range is A..B with A <= B; did you mean "
                    "`%.60s..%.60s`?",
                    text, dots + 2, first);
    *amount = (struct amount){
        .kind = low == high ? AMOUNT_FIXED : AMOUNT_RANGE, .low = low, .high = high};
    return true;
}

void option_format_time(int64_t ns, char *to, size_t room)
{
    static const char *const order[] = {"year", "week", "day", "h", "min", "s", "ms", "us"};
    ASSERT(ns >= 0 && room >= 32);
    for (size_t k = 0; k < sizeof(order) / sizeof(order[0]) && ns > 0; k++) {
        int64_t size = unit_find(time_units, order[k])->size;
        if (ns % size == 0) {
            (void)snprintf(to, room, "%lld%s", (long long)(ns / size), order[k]);
            return;
        }
    }
    (void)snprintf(to, room, ns == 0 ? "%llds" : "%lldns", (long long)ns);
}

void option_format_size(int64_t bytes, char *to, size_t room)
{
    ASSERT(bytes >= 0 && room >= 32);
    for (int k = 4; k > 0 && bytes > 0; k--) {
        if (bytes % size_units[k].size == 0) {
            (void)snprintf(to, room, "%lld%s", (long long)(bytes / size_units[k].size),
                           size_units[k].name);
            return;
        }
    }
    (void)snprintf(to, room, "%lldB", (long long)bytes);
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t smaller = a < b ? a : b;
    return smaller < c ? smaller : c;
}

/* Optimal string alignment distance of two words shorter than NEAREST_LENGTH_MAX. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t row[3][NEAREST_LENGTH_MAX + 1];
    for (size_t j = 0; j <= b_length; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *now = row[i % 3], *before = row[(i + 2) % 3], *twice = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
            now[j] = min3(before[j] + 1, now[j - 1] + 1, before[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                twice[j - 2] + 1 < now[j])
                now[j] = twice[j - 2] + 1;
        }
    }
    return row[a_length % 3][b_length];
}

const char *option_nearest(const char *word, const char *const *candidates, size_t count)
{
    ASSERT(word != NULL);
    size_t length = strlen(word);
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    if (length == 0 || length >= NEAREST_LENGTH_MAX)
        return NULL;
    for (size_t k = 0; k < count; k++) {
        size_t other = strlen(candidates[k]);
        if (other == 0 || other >= NEAREST_LENGTH_MAX)
            continue;
        size_t longer = other > length ? other : length;
        size_t limit = longer / 3 == 0 ? 1 : longer / 3;
        size_t d = distance(word, length, candidates[k], other);
        if (d <= limit && d < longer && d < best_distance) {
            best = candidates[k];
            best_distance = d;
        }
    }
    return best;
}
