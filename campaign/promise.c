/*
 * From the faults of a campaign file to the classes that a design's table of promises is written
 * in.
 */
#include <string.h>

#include "assertion.h"
#include "block.h"
#include "campaign/trial_private.h"
#include "object.h"
#include "stack/promises.h"
#include "workloads/script.h"

/* Memory with ECC corrects one bit a word: then nothing happens at all. */
static bool is_corrected(const struct fault *f)
{
    return f->kind == FAULT_MEMORY_FLIP && f->ecc == FAULT_ECC_SECDED &&
           f->pattern != FAULT_PATTERN_ROW && amount_is(&f->bits, 1);
}

/* It detects two, and the process dies of it. What lies in a region that outlives the process is
 * still damaged then: of the cache only pages have checksums. */
static bool only_kills(const struct fault *f)
{
    return f->ecc == FAULT_ECC_SECDED && f->pattern != FAULT_PATTERN_ROW &&
           amount_is(&f->bits, 2) && (f->layer != LAYER_CACHE || f->region == FAULT_REGION_PAGES);
}

static enum fault_class class_of_flip(const struct fault *f)
{
    if (only_kills(f))
        return CLASS_CRASH;
    if (f->pattern == FAULT_PATTERN_STUCK) /* wrong before its checksum is made */
        return CLASS_FLIP_OTHER;
    if (f->region == FAULT_REGION_PAGES)
        return CLASS_FLIP_PAGES;
    return f->region == FAULT_REGION_LOG ? CLASS_FLIP_LOG : CLASS_FLIP_OTHER;
}

/* A request of a rotating disk takes up to some 30 ms: a thousand times that is below the time-out
 * of 35 s (block.h), and the slowest that the field reports. */
#define SLOW_FACTOR_MAX 1000

static bool is_at_most(const struct amount *amount, int64_t most)
{
    bool bounded = amount->kind == AMOUNT_FIXED || amount->kind == AMOUNT_RANGE;
    return bounded && amount->high <= most;
}

/* Whether one request may be spoiled so often, or take so long, that nobody tries it again: the
 * disk is then given up like a dead one. */
static bool outlasts_tries(const struct fault *f)
{
    bool spoils = f->kind == FAULT_DISK_TRANSIENT_ERROR || f->kind == FAULT_DISK_TORN_WRITE ||
                  f->kind == FAULT_DISK_LOST_WRITE || f->kind == FAULT_DISK_MISDIRECTED_WRITE ||
                  f->kind == FAULT_DISK_MISDIRECTED_READ;
    bool slow = f->kind == FAULT_DISK_FAIL_SLOW;
    return (spoils && !is_at_most(&f->count, BLOCK_TRIES - 1)) ||
           (slow && !is_at_most(&f->factor, SLOW_FACTOR_MAX));
}

static enum fault_class class_of(const struct fault *f)
{
    static const enum fault_class classes[FAULT_KINDS] = {
        [FAULT_DISK_FAIL_STOP] = CLASS_DISK_DEAD,
        [FAULT_DISK_FAIL_SLOW] = CLASS_DISK_SLOW,
        [FAULT_DISK_LATENT_ERROR] = CLASS_LATENT_ERROR,
        [FAULT_DISK_TRANSIENT_ERROR] = CLASS_TRANSIENT_ERROR,
        [FAULT_DISK_BIT_ROT] = CLASS_BIT_ROT,
        [FAULT_DISK_TORN_WRITE] = CLASS_TORN_WRITE,
        [FAULT_DISK_LOST_WRITE] = CLASS_LOST_WRITE,
        [FAULT_DISK_MISDIRECTED_WRITE] = CLASS_MISDIRECTED_WRITE,
        [FAULT_DISK_MISDIRECTED_READ] = CLASS_MISDIRECTED_READ,
        [FAULT_DISK_LYING_FLUSH] = CLASS_LYING_FLUSH,
        [FAULT_POWER_CUT] = CLASS_POWER_CUT,
        [FAULT_PROCESS_CRASH] = CLASS_CRASH,
        [FAULT_PROCESS_HANG] = CLASS_HANG,
        [FAULT_PROCESS_BUG] = CLASS_BUG,
    };
    ASSERT(f->kind < FAULT_KINDS);
    if (outlasts_tries(f))
        return CLASS_DISK_DEAD;
    if (f->kind == FAULT_DISK_BIT_ROT && f->where == FAULT_WHERE_METADATA)
        return CLASS_METADATA_ROT;
    return f->kind == FAULT_MEMORY_FLIP ? class_of_flip(f) : classes[f->kind];
}

/* One fault that strikes all disks at once is beyond what one copy elsewhere can mend. */
static bool beyond_redundancy(const struct plan_variant *v, const struct fault *f)
{
    bool bearable = f->kind == FAULT_DISK_FAIL_SLOW || f->kind == FAULT_DISK_TRANSIENT_ERROR;
    bool disk_fault = f->kind < FAULT_DISK_LYING_FLUSH && (!bearable || outlasts_tries(f));
    bool driver_bug = f->kind == FAULT_PROCESS_BUG && f->layer == LAYER_DRIVER;
    bool all = (disk_fault && f->disk.kind == FAULT_TARGET_ALL) ||
               (driver_bug && f->instance.kind == FAULT_TARGET_ALL);
    bool again = driver_bug && (f->repeat_same_request || !is_at_most(&f->repeat, BLOCK_TRIES - 1));
    return (all && v->stack.disks > 1) || again; /* a request that is spoilt at each try */
}

static bool kills(const struct fault *f)
{
    return f->kind == FAULT_PROCESS_CRASH || f->kind == FAULT_PROCESS_HANG;
}

/* Layers whose deaths count together: both are rolled back to the checkpoint and replayed. */
static bool fall_together(enum layer a, enum layer b)
{
    bool lower_a = a == LAYER_PHYSICAL || a == LAYER_LOGICAL;
    bool lower_b = b == LAYER_PHYSICAL || b == LAYER_LOGICAL;
    return a == b || (lower_a && lower_b);
}

static uint64_t deaths_of(const struct fault_plan *faults, enum layer layer)
{
    uint64_t deaths = 0;
    for (uint32_t i = 0; i < faults->count; i++) {
        const struct fault *f = &faults->faults[i];
        bool bounded = f->repeat.high > 0 && !f->repeat_same_request;
        if (kills(f) && fall_together(f->layer, layer))
            deaths += bounded ? (uint64_t)f->repeat.high : (uint64_t)AMOUNT_MAX;
    }
    return deaths;
}

/* Sectors or writes that it spoils at most. */
static uint64_t strikes_of(const struct fault *f)
{
    return f->count.high > 0 ? (uint64_t)f->count.high : 1;
}

/* Disks that die one after the other: whether that is more than the level bears depends on what was
 * made whole in between, which only the run knows (lab->run.beyond). */
static bool deaths_may_be_borne(const struct plan_variant *v, const struct fault_plan *faults)
{
    uint32_t losses = design_disk_losses(v->design, &v->stack);
    uint32_t deaths = 0;
    bool mends = v->stack.spares > 0, returns = false;
    for (uint32_t i = 0; i < faults->count; i++) {
        const struct fault *f = &faults->faults[i];
        if (f->kind != FAULT_DISK_FAIL_STOP)
            return false;
        returns = returns || f->for_ns.kind != AMOUNT_FOREVER;
        deaths++;
    }
    mends = mends || (returns && !v->design->classic); /* block RAID takes spares only */
    return losses > 0 && (deaths <= losses || mends);
}

static bool is_bearable_disk_fault(const struct plan_variant *v, const struct fault *f)
{
    enum fault_class class = class_of(f);
    return f->kind < FAULT_DISK_LYING_FLUSH && !design_promise_combines(v->design, class, f->layer);
}

/* One fault of a disk, and others that harm nothing which its redundancy needs. */
static bool one_disk_and_others(const struct plan_variant *v, const struct fault_plan *faults)
{
    uint32_t disk_faults = 0;
    for (uint32_t i = 0; i < faults->count; i++) {
        const struct fault *f = &faults->faults[i];
        if (is_bearable_disk_fault(v, f))
            disk_faults++;
        else if (!design_promise_beside_disk(v->design, &v->stack, class_of(f), f->layer))
            return false;
    }
    return disk_faults == 1;
}

static bool overwrites(const struct plan_workload *workload)
{
    for (uint32_t i = 0; i < workload->app_count; i++)
        if (workload->apps[i].info->overwrites)
            return true;
    return false;
}

/* Whether some disk writes a block in pieces that a power cut can separate. */
static bool tears_blocks(const struct plan_machine *machine)
{
    for (uint32_t i = 0; i < machine->disk_count; i++) {
        const int64_t *of = machine->disks[i].params.value;
        if (of[SIM_PARAM_SECTOR_SIZE] * of[SIM_PARAM_ATOMIC] < BLOCK_BYTES)
            return true;
    }
    return false;
}

static bool may_tear_data(const struct plan_variant *v, const struct plan_workload *workload,
                          const struct fault *f)
{
    return f->kind == FAULT_POWER_CUT && overwrites(workload) && tears_blocks(&v->machine) &&
           design_tears_overwrites(v->design, &v->stack);
}

static bool may_spoil_sectors(const struct plan_variant *v, const struct fault *f)
{
    return f->kind == FAULT_POWER_CUT && f->tears == FAULT_TEARS_ERROR &&
           !design_bears_bad_tears(v->design);
}

/* Some file may get that level (in the numbering of OBJECT_LEVEL_SHIFT) beside the pool's. */
static void meet_level(struct stack_options *o, uint32_t level)
{
    if (level == 1)
        o->raid = 0;
    else if (level != OBJECT_LEVELS && o->raid == RAID_N_WAY)
        o->raid = 1; /* 4 and 5 bear as much, 6 more */
}

static void meet_script(struct stack_options *o, const char *text)
{
    struct script_op op;
    struct script_place at = {0, 0};
    char error[SCRIPT_ERROR_BYTES];
    while (script_next(&text, &op, &at, error) == SCRIPT_OP)
        if (op.kind == SCRIPT_POLICY)
            meet_level(o, strcmp(op.path2, "0") == 0       ? 1
                          : strcmp(op.path2, "n-way") == 0 ? OBJECT_LEVELS
                                                           : 2);
}

struct stack_options promise_options(const struct plan_variant *variant,
                                     const struct plan_workload *workload)
{
    struct stack_options o = variant->stack;
    if (variant->design->classic || (o.raid != 1 && o.raid != RAID_N_WAY))
        return o; /* all files have the pool's level */
    for (uint32_t k = 0; k < o.raid_policies; k++)
        meet_level(&o, o.raid_policy[k].level);
    for (uint32_t i = 0; i < workload->app_count; i++) {
        const struct plan_app *app = &workload->apps[i];
        if (option_has(&app->options, "levels") && option_on(&app->options, "levels"))
            meet_level(&o, 2);
        if (app->script != NULL)
            meet_script(&o, app->script);
    }
    return o;
}

/* A disk that lies about flushes, and one cut of the power that shows it. */
static bool is_lie_and_cut(const struct fault_plan *faults)
{
    return faults->count == 2 && faults->faults[0].kind == FAULT_DISK_LYING_FLUSH &&
           faults->faults[1].kind == FAULT_POWER_CUT;
}

enum level promise_of_plan(const struct plan_variant *pool, const struct plan_workload *workload,
                           const struct fault_plan *faults)
{
    struct plan_variant weakest_level = *pool;
    weakest_level.stack = promise_options(pool, workload);
    const struct plan_variant *variant = &weakest_level;
    bool borne = faults->count > 1 &&
                 (deaths_may_be_borne(variant, faults) || one_disk_and_others(variant, faults));
    enum level weakest = LEVEL_TRANSPARENT; /* of no fault at all */
    for (uint32_t i = 0; i < faults->count; i++) {
        const struct fault *f = &faults->faults[i];
        enum fault_class class = class_of(f);
        if (is_corrected(f))
            continue;
        if (beyond_redundancy(variant, f) || may_tear_data(variant, workload, f) ||
            may_spoil_sectors(variant, f))
            return LEVEL_NONE;
        if (is_lie_and_cut(faults))
            weakest = level_weaker(weakest, design_promise_lie(variant->design, &variant->stack));
        else if (faults->count > 1 && !borne &&
                 !design_promise_combines(variant->design, class, f->layer))
            return LEVEL_NONE;
        enum level level = design_promise(variant->design, &variant->stack, class, f->layer);
        if (kills(f))
            level =
                level_weaker(level, design_promise_deaths(variant->design, &variant->stack,
                                                          f->layer, deaths_of(faults, f->layer)));
        if (level == LEVEL_NONE ||
            strikes_of(f) > design_promise_strikes(variant->design, &variant->stack, class))
            return LEVEL_NONE;
        weakest = level_weaker(weakest, level);
    }
    return weakest;
}
