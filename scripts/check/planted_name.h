/*
 * Defects of planted.h by their names. In a build with LORIS_PLANTED test programs run with the one
 * that the environment variable LORIS_PLANT names, so that each test of a hazard can be seen to
 * fail without what it tests (planted.sh). In any other build there is none to choose.
 */
#ifndef LORIS_SCRIPTS_CHECK_PLANTED_NAME_H
#define LORIS_SCRIPTS_CHECK_PLANTED_NAME_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "planted.h"

/* The defect of that name, PLANTED_NONE for "-", PLANTED_COUNT for a name that is none. */
static inline enum planted planted_by_name(const char *name)
{
#define PLANTED_NAME(id, name, doc) name,
    static const char *const names[PLANTED_COUNT] = {PLANTED_LIST(PLANTED_NAME)};
    for (int bug = 0; bug < PLANTED_COUNT; bug++)
        if (strcmp(names[bug], name) == 0)
            return (enum planted)bug;
    return strcmp(name, "-") == 0 ? PLANTED_NONE : PLANTED_COUNT;
}

/* What LORIS_PLANT names; ends the program with 2 if that is no defect. */
static inline enum planted planted_of_environment(void)
{
#ifdef LORIS_PLANTED
    const char *name = getenv("LORIS_PLANT");
    enum planted bug = name == NULL ? PLANTED_NONE : planted_by_name(name);
    if (bug == PLANTED_COUNT) {
        (void)fprintf(stderr, "LORIS_PLANT=%s: no such defect\n", name);
        exit(2);
    }
    return bug;
#else
    return PLANTED_NONE;
#endif
}

#endif
