/*
 * The kinds of faults and the moments that a campaign can name, with their keys. What is known but
 * not built yet stands here too, so that it is refused by name.
 *
 * Invariants: (1) row k of the kinds has kind k; (2) every default of a key parses.
 */
#ifndef LORIS_FAULTS_REGISTRY_H
#define LORIS_FAULTS_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "faults/fault.h"
#include "sim/option.h"

struct fault_kind_info {
    enum fault_kind kind;
    const char *name;
    bool not_yet;
    bool on_disk, on_layer;         /* has `disk` (and not a layer), has `layer` and `instance` */
    const struct option_spec *keys; /* beside kind, at, disk, layer, instance */
    uint32_t key_count;
    const char *doc;
};

struct fault_when_info {
    enum fault_when_kind kind;
    const char *name;
    bool not_yet;
    enum option_type number; /* of its number: TIME, INTEGER */
    const char *doc;
};

const struct fault_kind_info *fault_kind_table(uint32_t *count);
const struct fault_kind_info *fault_kind_find(const char *name);
const struct fault_when_info *fault_when_table(uint32_t *count);
const struct fault_when_info *fault_when_find(const char *name);

/* "ckpt-all-prepared", ...; and back: PROBE_COUNT if there is none. */
const char *probe_name(enum probe probe);
enum probe probe_from_name(const char *name);
const char *probe_doc(enum probe probe);

#endif
