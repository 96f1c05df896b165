/*
 * Patterns over cells: variant/workload/fault, where `*` is any run of characters without `/`
 * and parts left out on the right are `*`. A part also matches a name by its part before `@`.
 */
#ifndef LORIS_CAMPAIGN_PATTERN_H
#define LORIS_CAMPAIGN_PATTERN_H

#include <stdbool.h>

#define PATTERN_PARTS 3

struct pattern {
    const char *text;
    char part[PATTERN_PARTS][128];
};

/* Splits a pattern. False if it has more than three parts, an empty one, or one that is too long.
 */
bool pattern_parse(const char *text, struct pattern *pattern);

/* Whether `glob` matches all of `name`. */
bool pattern_glob(const char *glob, const char *name);

/* Whether the pattern's part matches the name, or its draw name (before `@`). */
bool pattern_part(const char *glob, const char *name, const char *draw_name);

#endif
