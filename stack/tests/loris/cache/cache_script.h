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

#define SCRIPT_GROUPS 18u

/* Runs all of it. */
void script_run(struct script *s, struct rig *r);
/* Groups [first, end): transactions and syncs; from the first on the model begins empty. With
 * fsync=log the syncs are of a file. */
void script_run_part(struct script *s, struct rig *r, uint32_t first, uint32_t end);

/* What differs from the model: NULL if nothing. errors_allowed: an honest error is no difference.
 */
const char *script_check(struct script *s, struct rig *r, bool errors_allowed);

/* Everything acknowledged is there, and after a sync also after a power cut. `what` and `n` say in
 * a failure which fault it was. */
void script_expect(struct script *s, struct rig *r, const char *what, uint64_t n);

/* The cache crashes at the n-th passing of each of its probes, n = 1 to `rounds`, each time in a
 * script of its own: prepare(n) starts the rig and may arm the store. */
void script_crash_at_probes(struct script *s, struct rig *r, void (*prepare)(uint32_t n),
                            uint32_t rounds);

#endif
