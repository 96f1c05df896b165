/* What a comparison is about: the measures of a trial, as campaign files and users name them. */
#ifndef LORIS_RESULTS_MEASURE_H
#define LORIS_RESULTS_MEASURE_H

/* In the order in which users see them; those from MEASURE_OUTAGE on are times. */
enum measure {
    MEASURE_LEVEL,
    MEASURE_BROKEN,
    MEASURE_WRONG,
    MEASURE_OUTAGE,
    MEASURE_RECOVERY,
    MEASURE_REBUILD,
    MEASURE_RPO,
    MEASURE_TIME,
    MEASURE_COUNT
};

/* "level", "broken", ...: by measure. */
extern const char *const measure_names[MEASURE_COUNT];

/* What it is, in a few words. */
const char *measure_doc(enum measure measure);

/* The measure of that name; MEASURE_COUNT if there is none. */
enum measure measure_from_name(const char *name);

#endif
