#include "stack/programs.h"

#include "assertion.h"

struct list {
    struct sim_program *program;
    uint32_t count;
};

static void add(struct list *l, enum layer layer, uint32_t instance, program_main *main)
{
    ASSERT(l->count < SIM_PROCESSES_MAX);
    l->program[l->count++] = (struct sim_program){
        .layer = layer,
        .instance = instance,
        .main = main,
        .survivor = layer == LAYER_CACHE, /* its pages and log outlive it */
        .disk = layer == LAYER_DRIVER ? instance : UINT32_MAX,
    };
}

static void add_loris(struct list *l, const struct stack_options *o)
{
    for (uint32_t i = 0; i < o->disks; i++)
        add(l, LAYER_PHYSICAL, i, physical_main);
    add(l, LAYER_LOGICAL, 0, logical_main);
    add(l, LAYER_CACHE, 0, cache_main);
    for (uint32_t i = 0; i < o->environments; i++)
        add(l, LAYER_NAMING, i, naming_main);
    for (uint32_t i = 0; i < o->environments; i++)
        add(l, LAYER_VFS, i, vfs_main);
}

static void add_classic(struct list *l, const struct design *design, const struct stack_options *o)
{
    if (options_data_disks(o) > 1)
        add(l, LAYER_RAID, 0, blockraid_main);
    add(l, LAYER_FS, 0, design->file_system);
    add(l, LAYER_VFS, 0, vfs_main);
}

uint32_t design_programs(const struct design *design, const struct stack_options *options,
                         struct sim_program list[SIM_PROCESSES_MAX])
{
    ASSERT(options->disks >= 1 && options->disks <= DISKS_MAX);
    ASSERT(options->environments >= 1 && options->environments <= ENVIRONMENTS_MAX);
    struct list l = {.program = list};
    for (uint32_t i = 0; i < options->disks; i++)
        add(&l, LAYER_DRIVER, i, driver_main);
    if (design->classic)
        add_classic(&l, design, options);
    else
        add_loris(&l, options);
    return l.count;
}

bool design_falls_with(const struct design *design, enum layer layer, uint32_t instance,
                       enum layer other, uint32_t other_instance)
{
    if (design->classic)
        return (layer == LAYER_VFS || layer == LAYER_FS) &&
               (other == LAYER_VFS || other == LAYER_FS || other == LAYER_APP) && other != layer;
    return layer == LAYER_VFS && instance == other_instance &&
           (other == LAYER_NAMING || other == LAYER_APP);
}

bool design_ends_environments(const struct design *design, const struct stack_options *options)
{
    return !design->classic && !options->log;
}
