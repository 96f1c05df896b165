/*
 * A fixed sequence of transactions with a model of what they leave, for tests that inject a fault
 * at every n-th place. Naming's side retries as naming does: begin again, unless it was done.
 */
#ifndef LORIS_STACK_TESTS_LORIS_CACHE_CACHE_SCRIPT_H
#define LORIS_STACK_TESTS_LORIS_CACHE_CACHE_SCRIPT_H

#include "cache_rig.h"

#define SCRIPT_FILES 8u
#define SCRIPT_BYTES (70u * BLOCK_BYTES)

struct script_file {
    bool exists;
    uint64_t oid, size;
    uint8_t attr;
    uint8_t data[SCRIPT_BYTES];
};

struct script {
    struct script_file file[SCRIPT_FILES];
    uint32_t errors; /* answers that were neither OK nor a reason to try again */
    enum err last_error;
    uint32_t sync_errors;
};

/* Runs all of it. */
void script_run(struct script *s, struct rig *r);

/* What differs from the model: NULL if nothing. errors_allowed: an honest error is no difference.
 */
const char *script_check(struct script *s, struct rig *r, bool errors_allowed);

#endif
