#include "campaign/check_rare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "assertion.h"
#include "results/stats_rare.h"
#include "sim/rng.h"

#define YEAR_NS 31536000e9
#define CYCLES 20000       /* of each kind: a relative error of some 1 % */
#define LOSSES_WANTED 10.0 /* of fewer the interval of a mean time is wider than a factor of 4 */
#define MEAN_POINTS 10000  /* of a distribution of times */
#define UNBORNE UINT32_MAX

/* The mean of an amount, by its values at equal steps of the fraction. */
static double mean_of(const struct amount *amount)
{
    double sum = 0;
    for (unsigned i = 0; i < MEAN_POINTS; i++)
        sum += (double)amount_at(amount, (i + 0.5) / MEAN_POINTS);
    return sum / MEAN_POINTS;
}

/* How many disks of the variant may be dead at a time; UNBORNE: it is no one group of disks, each
 * of which is whole again once its successor is there. A spare is so before that, and a block RAID
 * never takes the blank disk. */
static uint32_t borne_by(const struct plan_variant *v)
{
    uint32_t disks = v->machine.disk_count;
    bool grouped = v->stack.spares == 0 && v->stack.log_disk == LOG_DISK_OFF;
    if (!grouped || (v->stack.classic && v->stack.raid != 0))
        return UNBORNE;
    switch (v->stack.raid) {
    case 0:
        return 0;
    case 1:
        return v->stack.raid_copies - 1;
    case 4:
    case 5:
        return 1;
    case 6:
        return 2;
    case RAID_N_WAY:
        return disks - 1;
    }
    return UNBORNE;
}

/* The chain of a cell: its one fault that kills disks at a rate and has them replaced. */
static bool find_chain(const struct plan *plan, const struct plan_cell *cell,
                       struct disk_group *chain)
{
    const struct plan_variant *v = &plan->variants[cell->variant];
    const struct fault_plan *faults = &plan->faults[cell->fault];
    const struct fault *death = NULL;
    for (uint32_t k = 0; k < faults->count; k++) {
        const struct fault *f = &faults->faults[k];
        if (f->kind != FAULT_DISK_FAIL_STOP || f->at.kind != FAULT_AT_RATE)
            continue;
        if (death != NULL || f->at.per_year <= 0 || !f->replaced ||
            f->disk.kind == FAULT_TARGET_ALL || f->disk.kind == FAULT_TARGET_INDEX)
            return false;
        death = f;
    }
    uint32_t borne = borne_by(v);
    if (death == NULL || borne == UNBORNE || borne >= v->machine.disk_count)
        return false;
    double repair_years = mean_of(&death->for_ns) / YEAR_NS;
    *chain = (struct disk_group){.disks = v->machine.disk_count,
                                 .borne = borne,
                                 .lambda = death->at.per_year,
                                 .mu = repair_years > 0 ? 1 / repair_years : 0,
                                 .parallel = true};
    return chain->mu > 0;
}

static double draw_unit(void *object)
{
    return sim_rng_unit(object);
}

/* A cell with its chain; those that are alike are told together. */
struct case_of {
    struct disk_group chain;
    double over_years;
    uint64_t trials;
    bool told;
};

static bool is_alike(const struct case_of *a, const struct case_of *b)
{
    return a->chain.disks == b->chain.disks && a->chain.borne == b->chain.borne &&
           a->chain.lambda == b->chain.lambda && a->chain.mu == b->chain.mu &&
           a->over_years == b->over_years && a->trials == b->trials;
}

static void print_case(const struct plan *plan, uint32_t c, const struct case_of *k, uint32_t alike)
{
    const struct plan_cell *cell = &plan->cells[c];
    struct sim_rng rng;
    sim_rng_init(&rng, plan->seed, 0, sim_rng_purpose("check", c));
    struct rare_loss cycles = stats_rare_loss(&k->chain, CYCLES, 0.05, draw_unit, &rng);
    double years = stats_mttdl(&k->chain);
    double share = stats_loss_by(&k->chain, k->over_years);
    double losses = (double)k->trials * share;
    (void)printf("  %" PRIu32 " disks, %" PRIu32 " may be dead (%s/%s/%s", k->chain.disks,
                 k->chain.borne, plan->variants[cell->variant].name,
                 plan->workloads[cell->workload].name, plan->faults[cell->fault].name);
    if (alike > 0)
        (void)printf(" and %" PRIu32 " more", alike);
    (void)printf("): %.4g years", years);
    if (stats_rare_is_sound(&cycles))
        (void)printf(", by cycles %.4g [%.4g, %.4g]", cycles.mttdl, cycles.interval.low,
                     cycles.interval.high);
    (void)printf("\n    about %.2g of %" PRIu64 " trials lose something", losses, k->trials);
    if (losses < LOSSES_WANTED)
        (void)printf("; for %g it takes %.2g", LOSSES_WANTED, LOSSES_WANTED / share);
    (void)printf("\n");
}

void check_rare(const struct plan *plan)
{
    ASSERT(plan != NULL);
    struct case_of *cases = calloc(plan->cell_count + 1, sizeof(*cases));
    ASSERT(cases != NULL);
    for (uint32_t c = 0; c < plan->cell_count; c++) {
        const struct fault_plan *faults = &plan->faults[plan->cells[c].fault];
        cases[c].trials = plan_wanted(plan, c);
        cases[c].over_years = (double)fault_plan_over_ns(faults) / YEAR_NS;
        cases[c].told = cases[c].trials == 0 || !find_chain(plan, &plan->cells[c], &cases[c].chain);
    }
    bool any = false;
    for (uint32_t c = 0; c < plan->cell_count; c++) {
        uint32_t alike = 0;
        if (cases[c].told)
            continue;
        for (uint32_t k = c + 1; k < plan->cell_count; k++)
            if (!cases[k].told && is_alike(&cases[c], &cases[k])) {
                cases[k].told = true;
                alike++;
            }
        if (!any)
            (void)printf("\nmean time to a loss by deaths of disks alone: a Markov chain, and "
                         "biased cycles of it [95 %%]\n");
        any = true;
        print_case(plan, c, &cases[c], alike);
    }
    free(cases);
}
