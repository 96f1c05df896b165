/* Cells: which there are, which cannot be, which the user leaves out, what is promised in them. */
#include <inttypes.h>
#include <string.h>

#include "assertion.h"
#include "campaign/parse.h"
#include "campaign/pattern.h"
#include "faults/registry.h"
#include "workloads/run.h"

/* Why a cell cannot be, and which key of which fault says so (fault UINT32_MAX: the workload). */
struct obstacle {
    const char *why;
    uint32_t fault;
    const char *key;
};

/* How many instances of a layer the variant has. */
static uint32_t instances(const struct plan_variant *variant, enum layer layer)
{
    if (layer == LAYER_DRIVER || layer == LAYER_PHYSICAL)
        return variant->stack.disks;
    if (layer == LAYER_VFS || layer == LAYER_NAMING)
        return variant->stack.environments;
    return 1;
}

/* A classic file system on one disk runs without block RAID (stack/programs.c). */
static bool has_layer(const struct plan_variant *v, enum layer layer)
{
    return design_has_layer(v->design, layer) && (layer != LAYER_RAID || v->machine.disk_count > 1);
}

static const char *no_layer(struct parse *p, const struct plan_variant *v, enum layer layer)
{
    return arena_printf(p->arena, "%s has no layer `%s`%s", v->design->name, layer_name(layer),
                        design_has_layer(v->design, layer) ? " on one disk" : "");
}

/* Whether the variant's stack passes that probe: its description begins with who does. */
static bool has_probe(const struct plan_variant *variant, enum probe probe)
{
    const char *doc = probe_doc(probe);
    const char *colon = strchr(doc, ':');
    char who[32];
    if (colon == NULL || (size_t)(colon - doc) >= sizeof(who))
        return true;
    memcpy(who, doc, (size_t)(colon - doc));
    who[colon - doc] = '\0';
    if (strcmp(who, "block RAID") == 0)
        return has_layer(variant, LAYER_RAID);
    enum layer layer = layer_from_name(who);
    if (layer != LAYER_NONE)
        return design_has_layer(variant->design, layer);
    return strcmp(who, variant->design->name) == 0 || design_find(who) == NULL;
}

static bool disk_missing(const struct plan_variant *variant, const struct fault_target *disk)
{
    return disk->kind == FAULT_TARGET_INDEX && disk->index >= variant->stack.disks;
}

static bool has_script(const struct plan_workload *workload)
{
    for (uint32_t k = 0; k < workload->app_count; k++)
        if (workload->apps[k].info->kind == APP_SCRIPT ||
            workload->apps[k].info->kind == APP_BOUNDED)
            return true;
    return false;
}

/* Where it strikes: layer, instance, disk. */
static const char *target_obstacle(struct parse *p, const struct plan_variant *v,
                                   const struct fault *fault, const char **key)
{
    *key = "layer";
    if (fault->layer != LAYER_NONE && !has_layer(v, fault->layer))
        return no_layer(p, v, fault->layer);
    *key = "instance";
    if (fault->instance.kind == FAULT_TARGET_INDEX &&
        fault->instance.index >= instances(v, fault->layer))
        return arena_printf(p->arena, "%s has %u of layer `%s`, no instance %u", v->name,
                            instances(v, fault->layer), layer_name(fault->layer),
                            fault->instance.index);
    *key = "disk";
    if (disk_missing(v, &fault->disk))
        return arena_printf(p->arena, "the machine of %s has %u disks, no disk %u", v->name,
                            v->stack.disks, fault->disk.index);
    return NULL;
}

/* When it strikes: layer, disk, probe, mark. */
static const char *moment_obstacle(struct parse *p, const struct plan_variant *v,
                                   const struct plan_workload *w, const struct fault *fault)
{
    const struct fault_when *at = &fault->at;
    if (at->layer != LAYER_NONE && !has_layer(v, at->layer))
        return no_layer(p, v, at->layer);
    if (disk_missing(v, &at->disk))
        return arena_printf(p->arena, "the machine of %s has %u disks, no disk %u", v->name,
                            v->stack.disks, at->disk.index);
    if (at->kind == FAULT_AT_PROBE && at->probe < PROBE_COUNT && !has_probe(v, at->probe))
        return arena_printf(p->arena, "%s has no probe `%s`", v->design->name,
                            probe_name(at->probe));
    if (at->kind == FAULT_AT_MARK && !has_script(w))
        return arena_printf(p->arena, "workload %s has no script, so no mark", w->name);
    return NULL;
}

static struct obstacle find_obstacle(struct parse *p, const struct plan_variant *v,
                                     const struct plan_workload *w, const struct fault_plan *f)
{
    struct obstacle none = {NULL, UINT32_MAX, "app"};
    if (w->user_transactions && !v->design->user_transactions)
        return (struct obstacle){
            arena_printf(p->arena, "%s has no user transactions", v->design->name), UINT32_MAX,
            "user-transactions"};
    for (uint32_t k = 0; k < f->count; k++) {
        struct obstacle o = {NULL, k, "at"};
        o.why = target_obstacle(p, v, &f->faults[k], &o.key);
        if (o.why != NULL)
            return o;
        o.key = "at";
        o.why = moment_obstacle(p, v, w, &f->faults[k]);
        if (o.why != NULL)
            return o;
    }
    return none;
}

/* The place of the key that makes every cell of an entry impossible. */
static struct place obstacle_place(const struct yaml *node, const struct obstacle *o)
{
    if (node->kind == YAML_LIST && o->fault < node->count)
        node = node->item[o->fault];
    if (node->kind == YAML_LIST && node->count > 0)
        node = node->item[0];
    const struct yaml *value = node->kind == YAML_MAP ? yaml_get(node, o->key) : NULL;
    return value == NULL ? node->place : value->place;
}

/* An entry that no variant can run is an error; `possible` counts its cells that can be. */
static void check_possible(struct parse *p, const struct plan *plan)
{
    for (uint32_t f = 0; f < plan->fault_count; f++) {
        uint32_t possible = 0;
        struct obstacle last = {0};
        for (uint32_t v = 0; v < plan->variant_count; v++) {
            for (uint32_t w = 0; w < plan->workload_count; w++) {
                struct obstacle o =
                    find_obstacle(p, &plan->variants[v], &plan->workloads[w], &plan->faults[f]);
                possible += o.why == NULL || o.fault == UINT32_MAX;
                if (o.why != NULL && o.fault != UINT32_MAX)
                    last = o;
            }
        }
        if (possible == 0)
            complain(p->complaints, obstacle_place(p->fault[f], &last),
                     "no variant can run fault plan `%.80s`: %s", plan->faults[f].name, last.why);
    }
    for (uint32_t w = 0; w < plan->workload_count; w++) {
        bool possible = !plan->workloads[w].user_transactions;
        for (uint32_t v = 0; v < plan->variant_count; v++)
            possible = possible || plan->variants[v].design->user_transactions;
        if (!possible)
            complain(p->complaints, p->workload[w]->place,
                     "no variant can run workload `%.80s`: no stack here has user transactions",
                     plan->workloads[w].name);
    }
}

/* Every copy of every application of a workload is a process of its own, and all run together. */
static void check_copies(struct parse *p, const struct plan *plan, uint32_t workload)
{
    const struct plan_workload *w = &plan->workloads[workload];
    for (uint32_t v = 0; v < plan->variant_count; v++) {
        const struct plan_variant *variant = &plan->variants[v];
        uint64_t total = 0, unsaid = variant->design->classic ? variant->machine.environments
                                                              : variant->stack.environments;
        for (uint32_t k = 0; k < w->app_count; k++)
            total += app_copies(&w->apps[k].options, unsaid);
        if (total <= WORKLOAD_APPS_MAX)
            continue;
        complain(p->complaints, p->workload[workload]->place,
                 "workload `%.80s` has %" PRIu64 " applications in variant `%.80s`, all copies "
                 "counted; at most %u run together",
                 w->name, total, variant->name, WORKLOAD_APPS_MAX);
        return;
    }
}

static bool matches(const struct plan *plan, const struct plan_cell *cell,
                    const struct pattern *pattern)
{
    const struct plan_variant *v = &plan->variants[cell->variant];
    const struct plan_workload *w = &plan->workloads[cell->workload];
    const struct fault_plan *f = &plan->faults[cell->fault];
    return pattern_part(pattern->part[0], v->name, v->draw_name) &&
           pattern_part(pattern->part[1], w->name, w->draw_name) &&
           pattern_part(pattern->part[2], f->name, f->draw_name);
}

typedef void cell_action(struct plan_cell *cell, const void *argument);

/* Does something to each cell that a pattern matches; one that matches none is an error. */
static void for_matches(struct parse *p, const char *text, struct place place, cell_action *action,
                        const void *argument)
{
    struct plan *plan = p->plan;
    struct pattern pattern;
    if (!pattern_parse(text, &pattern)) {
        complain(p->complaints, place,
                 "`%.80s` is no pattern; variant/workload/fault, where `*` stands for any "
                 "characters",
                 text);
        return;
    }
    uint32_t count = 0;
    for (uint32_t c = 0; c < plan->cell_count; c++) {
        if (!matches(plan, &plan->cells[c], &pattern))
            continue;
        action(&plan->cells[c], argument);
        count++;
    }
    if (count == 0)
        complain(p->complaints, place,
                 "pattern `%.80s` matches no cell; cells are variant/workload/fault, as `%s/%s/%s`",
                 text, plan->variants[0].name, plan->workloads[0].name, plan->faults[0].name);
}

static void skip_cell(struct plan_cell *cell, const void *argument)
{
    if (cell->skipped == NULL)
        cell->skipped = argument;
}

static void select_cell(struct plan_cell *cell, const void *argument)
{
    cell->selected = *(const bool *)argument;
}

static void promise_cell(struct plan_cell *cell, const void *argument)
{
    cell->promise_given = true;
    cell->promise = *(const enum level *)argument;
}

static void apply_skips(struct parse *p)
{
    const struct yaml *list = yaml_get(p->root, "skip");
    if (list == NULL)
        return;
    if (list->kind != YAML_LIST) {
        complain(p->complaints, list->place,
                 "`skip` is a list of patterns; as [\"ffs/both\", \"*/both/bit-flip\"]");
        return;
    }
    for (uint32_t k = 0; k < list->count; k++) {
        const char *text = parse_text(p, list->item[k], "a pattern");
        if (text != NULL)
            for_matches(p, text, list->item[k]->place, skip_cell,
                        arena_printf(p->arena, "left out by the campaign's skip `%s`", text));
    }
}

static void apply_promises(struct parse *p)
{
    const struct yaml *map = yaml_get(p->root, "promises");
    if (map == NULL || !parse_is_map(p, map, "`promises`"))
        return;
    const char *names[LEVEL_COUNT + 1];
    for (unsigned k = 0; k <= LEVEL_NONE; k++)
        names[k] = level_name((enum level)k);
    for (uint32_t k = 0; k < map->count; k++) {
        const char *text = parse_text(p, map->item[k], "a promise");
        unsigned level = 0;
        while (text != NULL && level <= LEVEL_NONE && strcmp(names[level], text) != 0)
            level++;
        if (text != NULL && level > LEVEL_NONE)
            complain(p->complaints, map->item[k]->place, "`%.80s` is no level; allowed: %s%s", text,
                     join_names(p->arena, names, LEVEL_COUNT + 1),
                     did_you_mean(p->arena, text, names, LEVEL_COUNT + 1));
        enum level promise = level > LEVEL_NONE ? LEVEL_NONE : (enum level)level;
        for_matches(p, map->key[k]->text, map->key[k]->place, promise_cell, &promise);
    }
}

/* A run of nothing would look like a run without broken promises. */
static void check_selection(struct parse *p)
{
    const struct plan *plan = p->plan;
    const struct plan_cell *skipped = NULL;
    for (uint32_t c = 0; c < plan->cell_count; c++) {
        if (plan->cells[c].selected)
            return;
        if (skipped == NULL && plan->cells[c].skipped != NULL)
            skipped = &plan->cells[c];
    }
    const char *option = p->request->only_count > 0 ? "--only" : "--skip";
    const struct yaml *skip = yaml_get(p->root, "skip");
    bool asked = p->request->only_count > 0 || p->request->skip_count > 0;
    complain(p->complaints, asked || skip == NULL ? (struct place){option, 1, 1} : skip->place,
             "nothing is left to run: every cell is left out or skipped%s%s",
             skipped == NULL ? "" : ", as ",
             skipped == NULL
                 ? ""
                 : arena_printf(p->arena, "%s/%s/%s: %s", plan->variants[skipped->variant].name,
                                plan->workloads[skipped->workload].name,
                                plan->faults[skipped->fault].name, skipped->skipped));
}

static void apply_selection(struct parse *p)
{
    struct plan *plan = p->plan;
    const struct plan_request *r = p->request;
    static const bool on = true, off = false;
    for (uint32_t c = 0; c < plan->cell_count; c++)
        plan->cells[c].selected = r->only_count == 0;
    for (uint32_t k = 0; k < r->only_count; k++)
        for_matches(p, r->only[k], (struct place){"--only", 1, 1}, select_cell, &on);
    for (uint32_t k = 0; k < r->skip_count; k++)
        for_matches(p, r->skip[k], (struct place){"--skip", 1, 1}, select_cell, &off);
    for (uint32_t c = 0; c < plan->cell_count; c++)
        if (plan->cells[c].skipped != NULL)
            plan->cells[c].selected = false;
    if (complaints_count(p->complaints) == 0)
        check_selection(p);
}

void parse_cells(struct parse *p)
{
    struct plan *plan = p->plan;
    uint64_t count = (uint64_t)plan->variant_count * plan->workload_count * plan->fault_count;
    ASSERT(count > 0);
    if (count > PLAN_CELLS_MAX) {
        complain(p->complaints, p->root->place,
                 "%u variants x %u workloads x %u fault plans are over %u cells",
                 plan->variant_count, plan->workload_count, plan->fault_count, PLAN_CELLS_MAX);
        return;
    }
    plan->cell_count = (uint32_t)count;
    plan->cells = ARENA_ARRAY(p->arena, struct plan_cell, count);
    for (uint32_t c = 0; c < plan->cell_count; c++) {
        struct plan_cell *cell = &plan->cells[c];
        cell->fault = c % plan->fault_count;
        cell->workload = c / plan->fault_count % plan->workload_count;
        cell->variant = c / plan->fault_count / plan->workload_count;
        cell->skipped = find_obstacle(p, &plan->variants[cell->variant],
                                      &plan->workloads[cell->workload], &plan->faults[cell->fault])
                            .why;
    }
    check_possible(p, plan);
    for (uint32_t w = 0; w < plan->workload_count; w++)
        check_copies(p, plan, w);
    apply_skips(p);
    apply_promises(p);
    apply_selection(p);
}
