#include "campaign/early.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "results/stats.h"

struct early_cell {
    uint64_t count, events; /* injected trials that count, and those that are what is watched */
    bool ended;
};

struct early {
    const struct plan *plan;
    struct early_cell *cell;
    uint64_t end;     /* n of the next look */
    bool broken;      /* what is watched: broken promises, or */
    enum level level; /* this level and weaker ones */
};

struct early *early_create(const struct plan *plan)
{
    const struct plan_trials *t = &plan->trials;
    if (t->kind != PLAN_TRIALS_HALF_WIDTH)
        return NULL;
    struct early *early = calloc(1, sizeof(*early));
    ASSERT(early != NULL);
    early->plan = plan;
    early->cell = calloc(plan->cell_count, sizeof(*early->cell));
    ASSERT(early->cell != NULL);
    early->end = STATS_LOOK < t->count ? STATS_LOOK : t->count;
    early->broken = strcmp(t->of, "broken") == 0;
    early->level = LEVEL_SILENT; /* of: wrong */
    for (unsigned k = 0; k < LEVEL_COUNT; k++)
        if (strcmp(t->of, level_name((enum level)k)) == 0)
            early->level = (enum level)k;
    return early;
}

void early_destroy(struct early *early)
{
    if (early != NULL)
        free(early->cell);
    free(early);
}

uint64_t early_end(const struct early *early)
{
    return early->end;
}

bool early_open(const struct early *early, uint32_t cell)
{
    ASSERT(cell < early->plan->cell_count);
    return !early->cell[cell].ended;
}

static void count_outcome(void *object, const struct store_outcome *outcome)
{
    struct early *early = object;
    ASSERT(outcome->cell < early->plan->cell_count);
    struct early_cell *cell = &early->cell[outcome->cell];
    bool promised = outcome->promised != LEVEL_NONE;
    if (!outcome->injected || (early->broken && !promised))
        return;
    cell->count++;
    cell->events +=
        early->broken ? outcome->level > outcome->promised : outcome->level >= early->level;
}

enum err early_look(struct early *early, struct store *store, uint64_t *saved, bool *more)
{
    const struct plan *plan = early->plan;
    const struct plan_trials *t = &plan->trials;
    uint64_t begin = (early->end - 1) / STATS_LOOK * STATS_LOOK;
    *saved = 0;
    *more = early->end < t->count;
    if (!*more)
        return OK;
    enum err e = store_outcomes(store, begin * plan->cell_count + 1, early->end * plan->cell_count,
                                count_outcome, early);
    if (e != OK)
        return e;
    for (uint32_t c = 0; c < plan->cell_count; c++) {
        struct early_cell *cell = &early->cell[c];
        if (cell->ended ||
            !stats_narrow(cell->events, cell->count, t->half_width, 1 - t->confidence))
            continue;
        cell->ended = true;
        uint64_t all = plan_cell_trials(plan, plan->cells[c].workload);
        if (plan->cells[c].selected && all > early->end)
            *saved += all - early->end;
    }
    early->end += STATS_LOOK;
    if (early->end > t->count)
        early->end = t->count;
    return OK;
}
