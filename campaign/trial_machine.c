/*
 * The machine of a variant: built once, formatted and sealed once, booted in each trial; and the
 * readers that walk what it holds.
 */
#include "assertion.h"
#include "campaign/trial_private.h"

#define FORMAT_TRIAL UINT64_MAX /* streams of the formatting run: no trial's */

static struct sim_restart_policy restart_policy(const struct plan_machine *machine)
{
    const struct option_set *o = &machine->restart;
    return (struct sim_restart_policy){
        .poll_ns = option_number(o, "poll"),
        .backoff_cap_ns = option_number(o, "backoff-cap"),
        .start_ns = option_number(o, "start"),
        .init_limit_ns = option_number(o, "init-limit"),
        .silent_periods = (uint32_t)option_number(o, "silent-periods"),
    };
}

static void create_machine(struct lab *lab)
{
    const struct plan_machine *machine = &lab_variant(lab)->machine;
    struct sim_machine_config config = {.disks = machine->disk_count + machine->spare_count,
                                        .restart = restart_policy(machine)};
    for (uint32_t i = 0; i < config.disks; i++)
        config.disk[i] = (struct sim_disk_config){.params = machine->disks[i].params,
                                                  .size_bytes = machine->disks[i].size_bytes};
    lab_states_forget(lab);
    if (lab->machine != NULL)
        sim_machine_destroy(lab->machine);
    lab->machine = sim_machine_create(&config);
}

static bool wait_ready(struct lab *lab)
{
    uint64_t until = sim_machine_now(lab->machine) + lab->plan->limit_ns;
    while (!sim_machine_all_ready(lab->machine)) {
        uint64_t now = sim_machine_now(lab->machine);
        if (now >= until)
            return false;
        uint64_t step = until - now < LAB_STEP_NS ? until : now + LAB_STEP_NS;
        (void)sim_machine_run(lab->machine, step);
    }
    return true;
}

bool lab_boot(struct lab *lab)
{
    sim_machine_boot(lab->machine, lab->programs, lab->program_count, &lab_variant(lab)->stack,
                     false);
    return wait_ready(lab);
}

static void reader_ended(void *context)
{
    sim_machine_stop(((struct lab *)context)->machine);
}

/* Runs until all readers are done; false if none of them makes progress within the limit. */
static bool run_readers(struct lab *lab, const struct reader *readers, uint32_t count)
{
    uint64_t progress = 0, since = sim_machine_now(lab->machine);
    for (;;) {
        uint64_t sum = 0;
        bool done = true;
        for (uint32_t e = 0; e < count; e++) {
            sum += readers[e].progress;
            done = done && readers[e].done;
        }
        uint64_t now = sim_machine_now(lab->machine);
        if (done)
            return true;
        if (sum != progress)
            since = now;
        progress = sum;
        if (now - since >= lab->plan->limit_ns)
            return false;
        (void)sim_machine_run(lab->machine, now + LAB_STEP_NS);
    }
}

bool lab_read(struct lab *lab, enum reader_task task, struct observation *o,
              enum err result[ENVIRONMENTS_MAX])
{
    struct reader readers[ENVIRONMENTS_MAX];
    const struct plan_variant *v = lab_variant(lab);
    uint32_t count = v->stack.environments;
    for (uint32_t e = 0; e < count; e++) {
        readers[e] = (struct reader){.task = task,
                                     .environment = e,
                                     .shared_is_name = v->design->classic,
                                     .xattrs = history_has_xattrs(lab->history),
                                     .machine = lab->machine,
                                     .observation = o,
                                     .ended = reader_ended,
                                     .context = lab};
        reader_start(&readers[e]);
    }
    bool all = run_readers(lab, readers, count);
    for (uint32_t e = 0; e < count; e++) {
        result[e] = readers[e].done ? readers[e].result : E_TIMEOUT;
        if (result[e] != OK)
            lab_event(lab, "oracle", task == READER_WALK ? "walk unfinished" : "probe failed",
                      readers[e].failed);
        all = all && result[e] == OK;
        /* None may outlive this function: it reaches into `readers`. One that is done has only not
         * come to its exit yet. */
        (void)sim_machine_kill(lab->machine, LAYER_APP, SIM_APPS_MAX - ENVIRONMENTS_MAX + e,
                               readers[e].done ? SIM_DEATH_EXIT : SIM_DEATH_KILLED);
    }
    return all;
}

void lab_build_machine(struct lab *lab)
{
    const struct plan_variant *v = lab_variant(lab);
    enum err result[ENVIRONMENTS_MAX];
    create_machine(lab);
    lab->program_count = design_programs(v->design, &v->stack, lab->programs);
    sim_machine_reset(lab->machine, lab->plan->seed, FORMAT_TRIAL);
    lab->run = (struct run_state){.last_struck = NO_FAULT, .cut_wanted = NO_FAULT};
    lab_observe(lab);
    sim_machine_boot(lab->machine, lab->programs, lab->program_count, &v->stack, true);
    bool ready = wait_ready(lab);
    ASSERT(ready); /* a fresh layout on healthy disks */
    bool stopped = lab_read(lab, READER_STOP, NULL, result);
    ASSERT(stopped);
    sim_machine_power_cut(lab->machine, SIM_CUT_KEEP, SIM_TEARS_NONE, 0);
    sim_machine_seal(lab->machine);
}
