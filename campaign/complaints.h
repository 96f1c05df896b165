/*
 * What is wrong with the user's input: all of it is collected, then printed in one go, a line each:
 *     FILE:LINE:COL: what is wrong; what is allowed; did you mean ...
 * Lines are ordered by file (as first met), line and column; the same words about the same place
 * (a swept variant is read several times) are said once.
 */
#ifndef LORIS_CAMPAIGN_COMPLAINTS_H
#define LORIS_CAMPAIGN_COMPLAINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "campaign/arena.h"

#define COMPLAINTS_MAX 100 /* a person reads no more; the rest is counted */

/* Where something stands; line and column from 1, in characters. */
struct place {
    const char *file;
    uint32_t line, column;
};

struct complaints;

struct complaints *complaints_create(struct arena *arena);

/* Adds a line about `place`. Words that quote the input should cut it (%.80s). */
__attribute__((format(printf, 3, 4))) void complain(struct complaints *list, struct place place,
                                                    const char *format, ...);

/* Adds those of another list, from the same arena, that are about exactly this place. */
void complaints_copy(struct complaints *list, const struct complaints *from, struct place place);

/* How many there are, those beyond COMPLAINTS_MAX included. */
size_t complaints_count(const struct complaints *list);

/* Prints them; bytes of the input that are no printable text come out as `?`. */
void complaints_print(struct complaints *list, FILE *to);

/* "; did you mean `loris`?" if one of the candidates is near to `word`, else "". */
const char *did_you_mean(struct arena *arena, const char *word, const char *const *candidates,
                         size_t count);

/* "a, b, c" */
const char *join_names(struct arena *arena, const char *const *names, size_t count);

#endif
