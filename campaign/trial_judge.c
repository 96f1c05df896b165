/*
 * The end of a trial: everything is read back through the live stack, the stack is stopped in
 * order, the raw disks are checked, it is booted and read again, and service is probed. Then the
 * judge speaks.
 */
#include <string.h>

#include "assertion.h"
#include "block.h"
#include "campaign/trial_private.h"
#include "workloads/checkers/checkers.h"
#include "workloads/oracle/invariants.h"

#define WRONGS_TOLD 5u

static void read_sectors(void *context, uint32_t disk, uint64_t block, uint8_t *to, bool *readable)
{
    struct lab *lab = context;
    struct sim_disk *d = sim_machine_disk(lab->machine, disk);
    uint32_t sector = sim_disk_identify(d).sector_size;
    uint32_t count = BLOCK_BYTES / sector;
    *readable = !sim_disk_failed(d) && sim_disk_peek(d, block * count, count, to) == OK;
    if (!*readable)
        memset(to, 0, BLOCK_BYTES);
}

/* The design's own checker on the raw disks, while the machine is off. */
static void check_disks(struct lab *lab, struct judge_checker *checker)
{
    struct checker_disks disks = {.context = lab, .read_block = read_sectors};
    struct checker_verdict verdict;
    disks.count = sim_machine_disks(lab->machine);
    const struct stack_options *o = &lab_variant(lab)->stack;
    if (o->log_disk != LOG_DISK_OFF && o->spares == 0)
        disks.count--; /* it is empty after an orderly stop */
    for (uint32_t i = 0; i < disks.count; i++) {
        struct sim_disk *d = sim_machine_disk(lab->machine, i);
        disks.blocks[i] = sim_disk_size(d) / BLOCK_BYTES;
        disks.dead[i] = sim_disk_failed(d) || (o->log_disk != LOG_DISK_OFF && i == o->log_disk);
    }
    checker_run(lab_variant(lab)->design->name, &disks, &verdict);
    *checker = (struct judge_checker){.ran = verdict.ran,
                                      .ok = verdict.ok,
                                      .leaks = verdict.leaked_blocks,
                                      .damages = verdict.damages};
    if (verdict.ran && !verdict.ok)
        lab_event(lab, "checker", "damage", verdict.text);
}

/* The wrong answers that the history has kept, as events. */
static void tell_wrongs(struct lab *lab)
{
    uint32_t count = history_wrongs(lab->history);
    for (uint32_t i = 0; i < count && i < WRONGS_TOLD; i++) {
        const struct history_wrong *w = history_wrong(lab->history, i);
        lab_event(lab, "oracle", "wrong answer", w->detail);
    }
}

static void set_all(enum judge_machine *machine, uint32_t count, enum judge_machine what)
{
    for (uint32_t e = 0; e < count; e++)
        machine[e] = what;
}

/* Every probe that failed was told so by an I/O error or by a read-only file system: the loss is
 * reported, which is degraded service (level `detected`) and no dead machine. */
static bool refused_honestly(const enum err *result, uint32_t count)
{
    bool refused = false;
    for (uint32_t e = 0; e < count; e++) {
        if (result[e] != OK && result[e] != E_IO && result[e] != E_ROFS)
            return false;
        refused = refused || result[e] != OK;
    }
    return refused;
}

/* An environment whose reader made no progress hangs, whatever else is said of it. */
static void note_hangs(const enum err *result, uint32_t count, struct judge_input *in)
{
    for (uint32_t e = 0; e < count; e++)
        if (result[e] == E_TIMEOUT)
            in->machine[e] = JUDGE_MACHINE_HANGS;
}

void lab_look_again(struct lab *lab, struct second_look *to)
{
    *to = (struct second_look){0};
    check_disks(lab, &to->checker);
    to->booted = lab_boot(lab);
    if (!to->booted)
        return;
    to->walked = lab_read(lab, READER_WALK, lab->again, to->walk);
    (void)lab_read(lab, READER_PROBE, NULL, to->probe);
}

/*
 * Stops, checks, boots, reads again, probes. The caches of the disks are kept: a machine that is
 * switched off in order lets its disks write them. A stop that is refused counts as a probe that
 * failed.
 */
static void second_look(struct lab *lab, struct judge_input *in)
{
    uint32_t count = lab_variant(lab)->stack.environments;
    enum err stopped[ENVIRONMENTS_MAX];
    struct second_look found;
    (void)lab_read(lab, READER_STOP, NULL, stopped);
    note_hangs(stopped, count, in);
    sim_machine_power_cut(lab->machine, SIM_CUT_KEEP, SIM_TEARS_NONE, 0);
    if (lab->look_again != NULL)
        lab->look_again(lab->look_again_context, &found);
    else
        lab_look_again(lab, &found);
    in->checker = found.checker;
    if (!found.booted) {
        in->remount = JUDGE_REMOUNT_FAILED;
        return;
    }
    note_hangs(found.walk, count, in);
    in->again = lab->again;
    in->remount = found.walked && observation_agrees(lab->seen, lab->again) ? JUDGE_REMOUNT_AGREES
                                                                            : JUDGE_REMOUNT_DIFFERS;
    for (uint32_t e = 0; e < count; e++) {
        if (found.probe[e] == OK)
            found.probe[e] = stopped[e];
        in->probe[e] = found.probe[e] == OK ? JUDGE_PROBE_PASSED : JUDGE_PROBE_FAILED;
    }
    in->degraded = refused_honestly(found.probe, count);
}

/* Reads all through the live stack. False: some environment's reader did not come to its end. */
static bool first_look(struct lab *lab, struct judge_input *in)
{
    enum err result[ENVIRONMENTS_MAX];
    observation_reset(lab->seen);
    observation_reset(lab->again);
    in->observed = lab->seen;
    if (lab_read(lab, READER_WALK, lab->seen, result))
        return true;
    for (uint32_t e = 0; e < lab_variant(lab)->stack.environments; e++)
        if (result[e] != OK)
            in->machine[e] = JUDGE_MACHINE_HANGS;
    return false;
}

/* What applications rely on beside the levels. */
static void check_invariants(struct lab *lab, const struct judge_input *in,
                             struct judge_verdict *verdict)
{
    verdict->apps_broken =
        invariants_broken(lab->history, in->observed, lab_variant(lab)->design->classic,
                          verdict->broken_invariant, sizeof(verdict->broken_invariant));
}

bool lab_look(struct lab *lab, enum run_end end, struct judge_input *in)
{
    uint32_t count = lab_variant(lab)->stack.environments;
    *in = (struct judge_input){0};
    lab->run.judging = true;
    if (end == RUN_RECOVERS) {
        set_all(in->machine, count, JUDGE_MACHINE_RECOVERS);
        return false;
    }
    if (end == RUN_HANGS)
        set_all(in->machine, count, JUDGE_MACHINE_HANGS);
    bool walked = first_look(lab, in);
    if (walked)
        second_look(lab, in);
    return walked;
}

void lab_conclude(struct lab *lab, const struct judge_input *in, bool walked,
                  struct judge_verdict *verdict)
{
    ASSERT(in->history == lab->history);
    tell_wrongs(lab);
    judge_trial(lab->judge, in, verdict);
    if (walked)
        check_invariants(lab, in, verdict);
    if (verdict->apps_broken > 0)
        lab_event(lab, "oracle", "app-broken", verdict->broken_invariant);
}

void lab_judge(struct lab *lab, enum run_end end, struct judge_verdict *verdict)
{
    struct judge_input in;
    bool walked = lab_look(lab, end, &in);
    in.history = lab->history;
    lab_conclude(lab, &in, walked, verdict);
}

void lab_judge_walk(struct lab *lab, struct judge_verdict *verdict)
{
    struct judge_input in = {.history = lab->history};
    lab->run.judging = true;
    bool walked = first_look(lab, &in);
    judge_trial(lab->judge, &in, verdict);
    if (walked)
        check_invariants(lab, &in, verdict);
}
