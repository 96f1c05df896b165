/*
 * Options: the one way in which every registry (stacks, applications, fault kinds, machine, disk
 * profiles) says which keys it has, what values they take and what they mean; and the parsing of
 * such values with their units. Registries are const tables of struct option_spec; values stand in
 * an option_set, in the order of the table.
 *
 * Invariants: (1) a set has exactly one value for each row of its table; (2) every value lies
 * within the row's min and max and is a choice that is available.
 */
#ifndef LORIS_SIM_OPTION_H
#define LORIS_SIM_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/amount.h"

enum option_type {
    OPTION_TIME,    /* ns; "5s" */
    OPTION_SIZE,    /* bytes; "64MiB" */
    OPTION_INTEGER, /* 1; "50" */
    OPTION_REAL,    /* a factor; "10", "2.5" */
    OPTION_PERCENT, /* a share of 1; "25%" */
    OPTION_RATE,    /* events a year; "0.03/year" */
    OPTION_SWITCH,  /* on off true false */
    OPTION_CHOICE,  /* one of `choices` */
    OPTION_TEXT,    /* any text */
    OPTION_RULES,   /* a map: patterns, each with one of `choices`; its text a line each,
                       "PATTERN=NAME" */
};

/* One choice; a list ends with a name of NULL. */
struct option_choice {
    const char *name;
    int64_t value; /* what option_integer returns of it */
    bool not_yet;  /* known, but not built yet: refused by name */
};

struct option_spec {
    const char *name;
    enum option_type type;
    bool not_yet;         /* the whole option: refused by name */
    bool may_off;         /* `off` is a value too (scrub) */
    bool off_only;        /* of may_off: any other value is not built yet */
    bool drawn;           /* ranges and distributions may stand for the number */
    const char *fallback; /* the default as a user would write it; NULL: see doc */
    int64_t min, max;     /* numbers, base unit; max 0: AMOUNT_MAX */
    const struct option_choice *choices;
    const char *doc;    /* one line */
    const char *source; /* where the default comes from */
};

struct option_value {
    bool given;           /* by the file, not the default */
    bool off;             /* of may_off */
    struct amount amount; /* TIME, SIZE, INTEGER, SWITCH (0, 1), CHOICE (its value) */
    double real;          /* REAL, PERCENT (0.25), RATE (a year) */
    const char *text;     /* as written; static or owned by the plan */
};

struct option_set {
    const struct option_spec *specs;
    uint32_t count;
    struct option_value *values; /* owned by who made the set */
};

/* What is wrong with a text, in words for the user: "what is wrong; what is allowed". */
#define OPTION_ERROR_BYTES 512

/* The row of that name, or NULL. */
const struct option_spec *option_find(const struct option_spec *specs, uint32_t count,
                                      const char *name);

/*
 * Reads `text` as the row wants it. Returns true and fills *value (whose text is `text`
 * itself), or false with a message in error[OPTION_ERROR_BYTES]. A value that is known but not
 * built yet is an error that begins with "not available yet: ".
 */
bool option_parse(const struct option_spec *spec, const char *text, struct option_value *value,
                  char *error);

/* Fills *value with the row's default; `given` is false. A default that does not parse is a bug. */
void option_fallback(const struct option_spec *spec, struct option_value *value);

/*
 * Values of a set by name; asking for a name that the table lacks, or by another type, is a bug.
 * time: ns, size: bytes, integer: also of a choice; all only of fixed values. amount: of any
 * number.
 */
const struct option_value *option_get(const struct option_set *set, const char *name);
bool option_has(const struct option_set *set, const char *name);
uint64_t option_number(const struct option_set *set, const char *name);
double option_real(const struct option_set *set, const char *name);
bool option_on(const struct option_set *set, const char *name);
const struct amount *option_amount(const struct option_set *set, const char *name);

/* The word for a type: "time", "size", ...; and its unit as `list` shows it: "ns", "B", ... */
const char *option_type_name(enum option_type type);
const char *option_type_unit(enum option_type type);

/*
 * Parsers of single values, without a row. Each returns true and the value in its base unit, or
 * false with a message. Decimal fractions are allowed where a unit follows ("2.5s"), as long as the
 * value is a whole number of the base unit.
 */
bool option_parse_time(const char *text, int64_t *ns, char *error);
bool option_parse_size(const char *text, int64_t *bytes, char *error);
bool option_parse_integer(const char *text, int64_t *value, char *error);
bool option_parse_real(const char *text, double *value, char *error);
bool option_parse_percent(const char *text, double *share, char *error);
bool option_parse_rate(const char *text, double *per_year, char *error);
bool option_parse_switch(const char *text, bool *on, char *error);

/* Parses a fixed value or a range "A..B" of type TIME, SIZE or INTEGER. */
bool option_parse_amount(enum option_type type, const char *text, struct amount *amount,
                         char *error);

/* Writes ns or bytes as a user would ("5s", "64MiB", "1500us"), exactly. room: at least 32. */
void option_format_time(int64_t ns, char *to, size_t room);
void option_format_size(int64_t bytes, char *to, size_t room);

/*
 * The candidate that `word` was most likely meant to be, or NULL if none is near: smallest
 * Damerau-Levenshtein distance, at most a third of the longer length (at least 1), first one wins.
 */
const char *option_nearest(const char *word, const char *const *candidates, size_t count);

#endif
