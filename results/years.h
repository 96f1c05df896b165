/*
 * What a year of calendar time cost: how available the machine was, how often it lost something,
 * and how much. Of trials with field rates `over` a time; their intervals are at 95 %.
 */
#ifndef LORIS_RESULTS_YEARS_H
#define LORIS_RESULTS_YEARS_H

#include <stdbool.h>
#include <stdio.h>

#include "results/group.h"
#include "results/text.h"

struct years {
    double years;                       /* of all trials */
    double available;                   /* the share of them with all of the stack in service */
    struct interval available_interval; /* NAN: too few trials were ever down to tell */
    uint64_t losses;                    /* trials that lost something */
    double loss_years;             /* mean time to a loss if its rate is constant; INFINITY: none */
    struct interval loss_interval; /* in years; its high end is INFINITY where nothing was lost */
    double lost;                   /* synced operations lost a year */
    struct interval lost_interval; /* NAN: too few trials lost any to tell */
};

/* The costs of a group. Returns whether it has trials over calendar time; if not, all is NAN or 0.
 */
bool years_of(const struct group *group, struct years *years);

/* "99.71 %": as many digits as it takes to see the first two of what is missing, up to 7; "100 %"
 * only of 1. room: TEXT_SHORT_BYTES. Not finite: "-". */
const char *years_percent(char *room, double share);

/* The texts of one row: "99.71 % [99.50, 99.86]", "3.4 [2.1, 6.2]" or "at least 10.8", "40 [21,
 * 67]".
 */
#define YEARS_TEXT_BYTES (4 * TEXT_SHORT_BYTES)
struct years_texts {
    char available[YEARS_TEXT_BYTES], loss_years[YEARS_TEXT_BYTES], lost[YEARS_TEXT_BYTES];
};
void years_texts(const struct years *years, struct years_texts *texts);

#endif
