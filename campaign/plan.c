#include "campaign/plan.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "campaign/merge.h"
#include "campaign/parse.h"

#define SHARDS_MAX 1000000 /* assumption */

/* "I/N" of --shard. */
static void parse_shard(struct parse *p)
{
    struct plan *plan = p->plan;
    const char *text = p->request->shard;
    plan->shard = plan->shards = 1;
    if (text == NULL)
        return;
    char error[OPTION_ERROR_BYTES];
    const char *slash = strchr(text, '/');
    int64_t part = 0, parts = 0;
    bool sound =
        slash != NULL &&
        option_parse_integer(arena_text(p->arena, text, (size_t)(slash - text)), &part, error) &&
        option_parse_integer(slash + 1, &parts, error);
    if (!sound || part < 1 || part > parts || parts > SHARDS_MAX) {
        complain(p->complaints, (struct place){"--shard", 1, 1},
                 "`%.80s` is no shard; I/N with I from 1 to N, as 1/4", text);
        return;
    }
    plan->shard = (uint64_t)part;
    plan->shards = (uint64_t)parts;
}

/* compare: base and new name variants that there are. */
static void check_compare(struct parse *p)
{
    const struct yaml *map = yaml_get(p->root, "compare");
    const struct plan *plan = p->plan;
    const char *const asked[] = {plan->compare.base, plan->compare.new_variant};
    static const char *const keys[] = {"base", "new"};
    const char **names = ARENA_ARRAY(p->arena, const char *, plan->variant_count);
    for (uint32_t v = 0; v < plan->variant_count; v++)
        names[v] = plan->variants[v].name;
    for (size_t k = 0; k < 2; k++) {
        bool known = asked[k] == NULL;
        for (uint32_t v = 0; v < plan->variant_count && !known; v++)
            known = strcmp(plan->variants[v].name, asked[k]) == 0 ||
                    strcmp(plan->variants[v].draw_name, asked[k]) == 0;
        if (!known)
            complain(p->complaints, yaml_get(map, keys[k])->place,
                     "`%s: %.80s` is no variant; allowed: %s%s", keys[k], asked[k],
                     join_names(p->arena, names, plan->variant_count),
                     did_you_mean(p->arena, asked[k], names, plan->variant_count));
    }
}

static void write_yaml(struct parse *p)
{
    /* What resume lets differ (FORMAT.md). */
    static const char *const free_keys[] = {"question", "notes", "tags", "compare", "trials"};
    p->plan->yaml = yaml_write(p->arena, p->root);
    struct yaml *rest = yaml_copy(p->arena, p->root);
    for (size_t k = 0; k < sizeof(free_keys) / sizeof(free_keys[0]); k++)
        yaml_remove(rest, free_keys[k]);
    p->plan->identity = yaml_write(p->arena, rest);
}

/* All passes over a merged tree. Cells only if what they are made of is sound. */
static void parse_all(struct parse *p)
{
    parse_top(p);
    parse_inline_scripts(p);
    struct entries variants = parse_like(p, "variants");
    struct entries workloads = parse_like(p, "workloads");
    struct entries faults = parse_like(p, "faults");
    parse_sweep(p, &variants, &workloads, &faults);
    parse_variants(p, &variants);
    parse_workloads(p, &workloads);
    parse_faults(p, &faults);
    bool sound = complaints_count(p->complaints) == 0;
    parse_shard(p);
    if (!sound)
        return;
    parse_cells(p);
    check_compare(p);
    if (complaints_count(p->complaints) == 0)
        parse_trials_plan(p);
    parse_parameters(p);
    p->plan->variant_nodes = p->variant;
    p->plan->workload_nodes = p->workload;
    p->plan->fault_nodes = p->fault;
    write_yaml(p);
}

static struct plan *load(const struct plan_request *request, const char *text, FILE *errors)
{
    ASSERT(request != NULL && errors != NULL);
    struct arena *arena = arena_create();
    struct complaints *complaints = complaints_create(arena);
    struct parse p = {.arena = arena, .complaints = complaints, .request = request};
    p.plan = arena_alloc(arena, sizeof(*p.plan));
    p.plan->arena = arena;
    p.root = merge_campaign(request, text, arena, complaints);
    if (p.root != NULL)
        parse_all(&p);
    if (complaints_count(complaints) > 0) {
        complaints_print(complaints, errors);
        arena_destroy(arena);
        return NULL;
    }
    ASSERT(p.plan->cell_count > 0);
    return p.plan;
}

struct plan *plan_load(const struct plan_request *request, FILE *errors)
{
    return load(request, NULL, errors);
}

struct plan *plan_load_text(const char *text, const struct plan_request *request, FILE *errors)
{
    ASSERT(text != NULL);
    return load(request, text, errors);
}

void plan_destroy(struct plan *plan)
{
    if (plan != NULL)
        arena_destroy(plan->arena);
}

uint64_t plan_trial_number(const struct plan *plan, uint32_t cell, uint64_t n)
{
    ASSERT(cell < plan->cell_count);
    ASSERT(n < PLAN_TRIALS_MAX);
    return n * plan->cell_count + cell + 1;
}

void plan_trial_place(const struct plan *plan, uint64_t trial, uint32_t *cell, uint64_t *n)
{
    ASSERT(trial >= 1);
    *cell = (uint32_t)((trial - 1) % plan->cell_count);
    *n = (trial - 1) / plan->cell_count;
}

uint32_t plan_cell_index(const struct plan *plan, uint32_t variant, uint32_t workload,
                         uint32_t fault)
{
    ASSERT(variant < plan->variant_count);
    ASSERT(workload < plan->workload_count && fault < plan->fault_count);
    return (variant * plan->workload_count + workload) * plan->fault_count + fault;
}

/* The cell of that name; cell_count if there is none. */
static uint32_t find_cell(const struct plan *plan, const char *name, size_t length)
{
    for (uint32_t c = 0; c < plan->cell_count; c++) {
        char full[512];
        const struct plan_cell *cell = &plan->cells[c];
        int bytes = snprintf(full, sizeof(full), "%s/%s/%s", plan->variants[cell->variant].name,
                             plan->workloads[cell->workload].name, plan->faults[cell->fault].name);
        if (bytes > 0 && (size_t)bytes == length && strncmp(full, name, length) == 0)
            return c;
    }
    return plan->cell_count;
}

uint64_t plan_find_trial(const struct plan *plan, const char *name, char *error)
{
    ASSERT(plan != NULL && name != NULL && error != NULL);
    const char *slash = strrchr(name, '/');
    int64_t number = 0;
    if (!option_parse_integer(slash == NULL ? name : slash + 1, &number, error))
        return 0;
    if (slash == NULL && number == 0) {
        (void)snprintf(error, OPTION_ERROR_BYTES, "trials are numbered from 1");
        return 0;
    }
    if (slash == NULL)
        return (uint64_t)number;
    uint32_t cell = find_cell(plan, name, (size_t)(slash - name));
    if (cell < plan->cell_count && number < (int64_t)PLAN_TRIALS_MAX)
        return plan_trial_number(plan, cell, (uint64_t)number);
    (void)snprintf(error, OPTION_ERROR_BYTES,
                   "`%.200s` is no trial; a number, or variant/workload/fault/n, as %s/%s/%s/0",
                   name, plan->variants[0].name, plan->workloads[0].name, plan->faults[0].name);
    return 0;
}

uint64_t plan_cell_trials(const struct plan *plan, uint32_t workload)
{
    ASSERT(workload < plan->workload_count);
    uint64_t sequences = plan->workloads[workload].sequences, count = plan->trials.count;
    return sequences != 0 && sequences < count ? sequences : count;
}

bool plan_wants(const struct plan *plan, uint32_t cell, uint64_t n)
{
    ASSERT(cell < plan->cell_count);
    if (!plan->cells[cell].selected || n >= plan_cell_trials(plan, plan->cells[cell].workload))
        return false;
    return (plan_trial_number(plan, cell, n) - 1) % plan->shards == plan->shard - 1;
}

uint64_t plan_wanted(const struct plan *plan, uint32_t cell)
{
    ASSERT(cell < plan->cell_count);
    uint64_t count = plan_cell_trials(plan, plan->cells[cell].workload), shards = plan->shards,
             in_period = 0, in_rest = 0;
    ASSERT(shards > 0);
    if (!plan->cells[cell].selected)
        return 0;
    for (uint64_t n = 0; n < shards && n < count; n++) {
        bool wants = plan_wants(plan, cell, n); /* depends on n mod shards alone */
        in_period += wants;
        in_rest += wants && n < count % shards;
    }
    return count < shards ? in_period : count / shards * in_period + in_rest;
}
