#include "campaign/tests/hazards/rig_hazard.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/trial_private.h"
#include "scripts/check/planted_name.h"

static struct trial_record record;

void hazard_init(struct rig_trial *rig, const char *text)
{
    rig_trial_init(rig, text);
#ifdef LORIS_PLANTED
    lab_plant(rig->lab, planted_of_environment());
#endif
}

static const struct plan_cell *find(const struct plan *plan, const char *cell)
{
    for (uint32_t c = 0; c < plan->cell_count; c++) {
        char name[256];
        const struct plan_cell *at = &plan->cells[c];
        (void)snprintf(name, sizeof(name), "%s/%s/%s", plan->variants[at->variant].name,
                       plan->workloads[at->workload].name, plan->faults[at->fault].name);
        if (strcmp(name, cell) == 0)
            return at;
    }
    ck_abort_msg("no cell %s", cell);
}

void hazard_trial(struct rig_trial *rig, const char *cell, uint64_t n, struct trial_record *into)
{
    const struct plan_cell *at = find(rig->plan, cell);
    lab_begin(rig->lab, at->variant, at->workload, n);
    lab_trial(rig->lab, at->fault, into);
}

static void count(struct hazard_tally *tally, const struct hazard_walk *walk, uint64_t place,
                  uint64_t n)
{
    tally->trials++;
    tally->whole += record.injected;
    tally->detected += record.detected_by[0] != '\0';
    tally->level[record.level]++;
    ck_assert_msg(record.level <= walk->weakest, "%s, fault %u at %llu, trial n = %llu: %s: %s",
                  walk->cell, walk->entry, (unsigned long long)place, (unsigned long long)n,
                  level_name(record.level), record.story);
    ck_assert_msg(!record.undecided, "%s at %llu: undecided", walk->cell,
                  (unsigned long long)place);
}

/* All places for one n. */
static void walk_places(struct rig_trial *rig, const struct hazard_walk *walk,
                        const struct plan_cell *cell, uint64_t n, struct hazard_tally *tally)
{
    struct fault *moved = &rig->plan->faults[cell->fault].faults[walk->entry];
    uint64_t place = walk->first == 0 ? 1 : walk->first;
    uint64_t walks = 0;
    for (;; place += walk->step == 0 ? 1 : walk->step, walks++) {
        if (walk->last != 0 && place > walk->last)
            break;
        ck_assert_msg(walks < walk->most, "%s: no end after %llu places", walk->cell,
                      (unsigned long long)walks);
        moved->at.number = amount_fixed((int64_t)place);
        lab_trial(rig->lab, cell->fault, &record);
        if (walk->last == 0 && !injector_strike(rig->lab->injector, walk->entry)->struck)
            break;
        ck_assert_msg(!walk->whole || record.injected, "%s at %llu: %s", walk->cell,
                      (unsigned long long)place, record.struck);
        count(tally, walk, place, n);
    }
    tally->places += walks;
}

struct hazard_tally hazard_walk(struct rig_trial *rig, const struct hazard_walk *walk)
{
    struct hazard_tally tally = {.places = 0};
    const struct plan_cell *cell = find(rig->plan, walk->cell);
    ck_assert_uint_lt(walk->entry, rig->plan->faults[cell->fault].count);
    for (uint64_t n = 0; n < (walk->trials == 0 ? 1 : walk->trials); n++) {
        lab_begin(rig->lab, cell->variant, cell->workload, n);
        walk_places(rig, walk, cell, n, &tally);
    }
    if (getenv("HAZARD_TALLY") != NULL) {
        printf("%s: %llu places, %llu trials, %llu whole, %llu detected:", walk->cell,
               (unsigned long long)tally.places, (unsigned long long)tally.trials,
               (unsigned long long)tally.whole, (unsigned long long)tally.detected);
        for (int k = 0; k < LEVEL_COUNT; k++)
            printf(" %llu", (unsigned long long)tally.level[k]);
        printf("\n");
        fflush(stdout);
    }
    ck_assert_msg(walk->whole_above == 0 || tally.whole > walk->whole_above,
                  "%s: all faults came in %llu trials of %llu", walk->cell,
                  (unsigned long long)tally.whole, (unsigned long long)tally.trials);
    return tally;
}
