#include "results/measure.h"

#include <string.h>

#include "assertion.h"

const char *const measure_names[MEASURE_COUNT] = {"level",    "broken",  "wrong", "outage",
                                                  "recovery", "rebuild", "rpo",   "time"};

static const char *const docs[MEASURE_COUNT] = {"weaker less stronger, trial by trial",
                                                "promises broken",
                                                "silent or dead",
                                                "longest wait of an application",
                                                "detection to full service",
                                                "detection to whole redundancy",
                                                "work lost, in time",
                                                "virtual time of the trial"};

const char *measure_doc(enum measure measure)
{
    ASSERT((unsigned)measure < MEASURE_COUNT);
    return docs[measure];
}

enum measure measure_from_name(const char *name)
{
    ASSERT(name != NULL);
    unsigned k = 0;
    while (k < MEASURE_COUNT && strcmp(measure_names[k], name) != 0)
        k++;
    return (enum measure)k;
}
