/*
 * The levels of guarantee: what a trial left its applications with, and what a design promises.
 *
 * The order is the order of strength: a smaller number is stronger, so "kept" is level <= promised
 * and the weakest of two is the larger. LEVEL_NONE comes after all: where nothing is promised every
 * level is as good as promised.
 */
#ifndef LORIS_LEVELS_H
#define LORIS_LEVELS_H

#include <stddef.h>

enum level {
    LEVEL_TRANSPARENT = 0, /* no error, nothing lost: at most a delay */
    LEVEL_DURABLE = 1,     /* a consistent cut with everything synced */
    LEVEL_SYNCED = 2,      /* everything synced is there, names are sound, no single cut */
    LEVEL_PREFIX = 3,      /* a consistent cut, older than something synced */
    LEVEL_STRUCTURAL = 4,  /* a sound tree of whole versions, synced data missing, no cut */
    LEVEL_DETECTED = 5,    /* something is lost, and an error said so each time */
    LEVEL_SILENT = 6,      /* wrong or missing data passed off as good */
    LEVEL_DEAD = 7,        /* does not mount, hangs, or never ends recovery */
    LEVEL_COUNT = 8,
    LEVEL_NONE = 8 /* no promise; never the outcome of a trial */
};

/* The name of a level as users write it; "none" for LEVEL_NONE, NULL beyond. */
static inline const char *level_name(enum level level)
{
    static const char *const names[LEVEL_COUNT + 1] = {"transparent", "durable",    "synced",
                                                       "prefix",      "structural", "detected",
                                                       "silent",      "dead",       "none"};
    return (unsigned)level <= LEVEL_NONE ? names[level] : NULL;
}

/* The weaker of two levels. */
static inline enum level level_weaker(enum level a, enum level b)
{
    return a > b ? a : b;
}

#endif
