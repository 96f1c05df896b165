/* The machine of the kernel's tests. */
#include "sim/tests/rig.h"

#include <stddef.h>

#include "assertion.h"

struct rig rig;

static void on_death(void *context, enum layer layer, uint32_t instance, enum sim_death cause)
{
    (void)context;
    ASSERT(rig.deaths < sizeof(rig.death) / sizeof(rig.death[0]));
    rig.death[rig.deaths++] = (struct rig_death){layer, instance, cause, sim_machine_now(rig.m)};
}

static void on_ready(void *context, enum layer layer, uint32_t instance, uint32_t incarnation)
{
    (void)context;
    (void)layer;
    (void)instance;
    (void)incarnation;
    rig.readies++;
}

void rig_observe(struct sim_observer observer)
{
    observer.on_death = on_death;
    observer.on_ready = on_ready;
    sim_machine_observe(rig.m, &observer);
}

void rig_setup(void)
{
    rig_setup_with(&sim_restart_minix);
}

void rig_setup_with_disk(void)
{
    struct sim_machine_config config = {.disks = 1, .restart = sim_restart_minix};
    enum err err = sim_profile_load(sim_profile_name(0), &config.disk[0].params);
    ASSERT(err == OK);
    config.disk[0].size_bytes = SIM_DISK_SIZE_MIN;
    rig = (struct rig){.m = sim_machine_create(&config)};
    rig_observe((struct sim_observer){0});
}

void rig_setup_with(const struct sim_restart_policy *policy)
{
    struct sim_machine_config config = {.restart = *policy}; /* no disks */
    rig = (struct rig){.m = sim_machine_create(&config)};
    rig_observe((struct sim_observer){0});
}

void rig_teardown(void)
{
    sim_machine_destroy(rig.m);
    rig.m = NULL;
}

void rig_boot(program_main *naming, program_main *cache, program_main *logical)
{
    static const enum layer layers[] = {LAYER_NAMING, LAYER_CACHE, LAYER_LOGICAL};
    program_main *const mains[] = {naming, cache, logical};
    struct sim_program programs[3];
    struct stack_options options = {.seed = 1};
    uint32_t count = 0;
    sim_machine_reset(rig.m, 1, 1);
    rig.deaths = 0;
    rig.readies = 0;
    for (; count < 3 && mains[count] != NULL; count++)
        programs[count] = (struct sim_program){
            .layer = layers[count],
            .main = mains[count],
            .survivor = layers[count] == LAYER_CACHE,
            /* without a disk this is UINT32_MAX, too: none */
            .disk = layers[count] == LAYER_LOGICAL ? sim_machine_disks(rig.m) - 1 : UINT32_MAX};
    sim_machine_boot(rig.m, programs, count, &options, false);
}
