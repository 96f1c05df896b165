/*
 * The applications that a campaign can name, with their options. Every application has the common
 * options too (think, sync, copies, share), in the same table.
 *
 * Invariants: (1) names are unique; (2) every default of an option parses.
 */
#ifndef LORIS_WORKLOADS_REGISTRY_H
#define LORIS_WORKLOADS_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/option.h"

enum app_kind {
    APP_POSTMARK,
    APP_FSX,
    APP_FSSTRESS,
    APP_BANK,
    APP_EDITOR,
    APP_MV_GREP,
    APP_APPEND_LOG,
    APP_SCRIPT,
    APP_BOUNDED,
    APP_KINDS
};

struct app_info {
    enum app_kind kind;
    const char *name;
    bool not_yet;
    bool overwrites;                   /* data in place, not only at the end of files */
    const struct option_spec *options; /* its own, then the common ones */
    uint32_t option_count;
    const char *doc; /* one line */
};

/* All of them, in the order in which users see them. */
const struct app_info *app_table(uint32_t *count);

/* The application of that name, or NULL. */
const struct app_info *app_find(const char *name);

/* How many instances run: as the options say, else `unsaid`, one an environment. */
uint64_t app_copies(const struct option_set *options, uint64_t unsaid);

#endif
