/*
 * A loss of power that leaves one crash state, chosen write by write: the run is recorded, and what
 * the state says is put in the place of what the disks' own caches would have left. So writes are
 * pending until a flush says otherwise, as `loris explore` counts them, even where the device had
 * written them back by itself.
 */
#include "assertion.h"
#include "campaign/trial_private.h"

static bool wants_states(const struct fault_plan *faults, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (faults->faults[i].chosen != NULL)
            return true;
    return false;
}

void lab_states_begin(struct lab *lab, const struct fault_plan *faults, uint32_t count)
{
    struct sim_machine *m = lab->machine;
    struct sim_disk *disks[DISKS_MAX];
    if (faults == NULL || !wants_states(faults, count))
        return;
    if (lab->recorder == NULL) {
        for (uint32_t d = 0; d < sim_machine_disks(m); d++)
            disks[d] = sim_machine_disk(m, d);
        lab->recorder = sim_record_create(sim_machine_engine(m), disks, sim_machine_disks(m));
        lab->states = sim_states_create();
    }
    sim_record_begin(lab->recorder);
}

void lab_states_end(struct lab *lab)
{
    if (lab->recorder != NULL && lab->recorder->running)
        sim_record_end(lab->recorder);
}

void lab_states_forget(struct lab *lab)
{
    lab_states_end(lab);
    sim_record_destroy(lab->recorder);
    sim_states_destroy(lab->states);
    lab->recorder = NULL;
    lab->states = NULL;
}

/* Decides all writes as the state says. False: there is no such state here; then nothing is kept.
 */
static bool choose(struct lab *lab, const struct fault_state *state)
{
    struct sim_states_bounds bounds = {
        .which = SIM_STATES_ALL, .depth = SIM_DEPTH_MAX, .tears = true};
    bool there = state->disks <= lab->recorder->disks;
    sim_states_rewind(lab->states, lab->recorder);
    sim_states_advance(lab->states, lab->recorder->entries);
    (void)sim_states_start(lab->states, &bounds);
    for (uint32_t d = 0; d < lab->recorder->disks; d++)
        there = there && sim_states_set(lab->states, d, &state->disk[d]);
    bounds.which = SIM_STATES_DROP;
    if (!there)
        (void)sim_states_start(lab->states, &bounds);
    return there;
}

void lab_states_cut(struct lab *lab, const struct fault_state *state)
{
    const struct sim_record *r = lab->recorder;
    ASSERT(r != NULL && r->running);
    sim_record_end(lab->recorder);
    if (!choose(lab, state)) {
        lab->run.state_missed = true;
        lab_event(lab, "faults", "no such state", "nothing that was pending is kept");
    }
    sim_machine_power_cut(lab->machine, SIM_CUT_DROP, SIM_TEARS_NONE, 0);
    for (uint32_t v = 1; v <= r->variables; v++) {
        const struct sim_variable *variable = &r->variable[v];
        sim_disk_poke(r->disk[variable->disk].disk, variable->sector, 1,
                      sim_record_bytes(r, v, sim_states_value(lab->states, v)));
    }
    sim_record_begin(lab->recorder); /* another cut of the plan may choose, too */
}
