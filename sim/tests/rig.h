/*
 * A machine without disks for tests of the kernel: programs are functions of the test, which run as
 * processes. STEP() stands for the callback of an instrumented block.
 */
#ifndef LORIS_SIM_TESTS_RIG_H
#define LORIS_SIM_TESTS_RIG_H

#include "sim/machine.h"

#define STEP() __sanitizer_cov_trace_pc()
void __sanitizer_cov_trace_pc(void);

#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

/* Everything the observers saw, in order. */
struct rig_death {
    enum layer layer;
    uint32_t instance;
    enum sim_death cause;
    uint64_t at_ns;
};

struct rig {
    struct sim_machine *m;
    struct rig_death death[64];
    uint32_t deaths;
    uint32_t readies;
};
extern struct rig rig;

/* Fixtures for tcase_add_checked_fixture: the default restart policy, or another. */
void rig_setup(void);
void rig_setup_with(const struct sim_restart_policy *policy);
void rig_setup_with_disk(void); /* one small disk, which belongs to (LAYER_LOGICAL, 0) */
void rig_teardown(void);

/* Resets, observes deaths and readies, and boots these programs as (LAYER_NAMING, 0),
 * (LAYER_CACHE, 0), (LAYER_LOGICAL, 0), in that order; NULL ends the list. */
void rig_boot(program_main *naming, program_main *cache, program_main *logical);

/* Registers more observers beside the rig's (its own deaths and readies are kept). */
void rig_observe(struct sim_observer observer);

#endif
