/*
 * Parameters: every leaf of what the file says, by part, name and path. The results file stores
 * them, so that --resume can name each difference and `show --by` can group by a swept key.
 */
#include <math.h>
#include <string.h>

#include "assertion.h"
#include "campaign/parse.h"

struct collector {
    struct parse *p;
    struct plan_parameter *list;
    uint32_t count, room;
};

/* The value of a text in its base unit, NAN if it is no number. */
static double number_of(const char *text)
{
    char error[OPTION_ERROR_BYTES];
    int64_t whole = 0;
    double real = 0;
    if (option_parse_integer(text, &whole, error) || option_parse_time(text, &whole, error) ||
        option_parse_size(text, &whole, error))
        return (double)whole;
    if (option_parse_percent(text, &real, error) || option_parse_real(text, &real, error) ||
        option_parse_rate(text, &real, error))
        return real;
    return NAN;
}

static void add(struct collector *c, const char *part, const char *name, const char *key,
                const char *text)
{
    if (c->count == c->room) {
        c->room = c->room * 2 + 64;
        struct plan_parameter *more = ARENA_ARRAY(c->p->arena, struct plan_parameter, c->room);
        if (c->count > 0)
            memcpy(more, c->list, c->count * sizeof(*more));
        c->list = more;
    }
    c->list[c->count++] = (struct plan_parameter){part, name, key, text, number_of(text)};
}

/* Adds all leaves below `node`; empty lists and maps are leaves too. */
static void add_leaves(struct collector *c, const char *part, const char *name, const char *path,
                       const struct yaml *node)
{
    if (node->kind == YAML_TEXT) {
        add(c, part, name, path, node->text);
        return;
    }
    if (node->count == 0)
        add(c, part, name, path, node->kind == YAML_MAP ? "{}" : "[]");
    for (uint32_t k = 0; k < node->count; k++) {
        const char *step =
            node->kind == YAML_MAP ? node->key[k]->text : arena_printf(c->p->arena, "%u", k);
        const char *below = path[0] == '\0' ? step : arena_printf(c->p->arena, "%s.%s", path, step);
        if (strcmp(step, "like") != 0)
            add_leaves(c, part, name, below, node->item[k]);
    }
}

/* A swept path of the machine is also a column of its own, without the prefix. */
static void add_swept_machine(struct collector *c, const char *name)
{
    const struct plan *plan = c->p->plan;
    uint32_t end = c->count;
    for (uint32_t s = 0; s < plan->sweep_count; s++) {
        const char *full = arena_printf(c->p->arena, "machine.%s", plan->sweep_keys[s]);
        for (uint32_t k = 0; k < end; k++)
            if (strcmp(c->list[k].name, name) == 0 && strcmp(c->list[k].part, "variant") == 0 &&
                strcmp(c->list[k].key, full) == 0)
                add(c, "variant", name, plan->sweep_keys[s], c->list[k].text);
    }
}

void parse_parameters(struct parse *p)
{
    struct collector c = {.p = p};
    struct plan *plan = p->plan;
    char limit[32];
    option_format_time((int64_t)plan->limit_ns, limit, sizeof(limit));
    add(&c, "campaign", "", "limit", arena_text(p->arena, limit, strlen(limit)));
    const struct yaml *trials = yaml_get(p->root, "trials");
    if (plan->trials.kind == PLAN_TRIALS_HALF_WIDTH) /* shapes a run, unlike a number of trials */
        for (uint32_t k = 0; k < trials->count; k++)
            if (strcmp(trials->key[k]->text, "max") != 0)
                add(&c, "campaign", "", arena_printf(p->arena, "trials.%s", trials->key[k]->text),
                    trials->item[k]->text);
    for (uint32_t k = 0; k < plan->variant_count; k++) {
        add_leaves(&c, "variant", plan->variants[k].name, "", p->variant[k]);
        add_swept_machine(&c, plan->variants[k].name);
    }
    for (uint32_t k = 0; k < plan->workload_count; k++)
        add_leaves(&c, "workload", plan->workloads[k].name, "", p->workload[k]);
    for (uint32_t k = 0; k < plan->fault_count; k++)
        add_leaves(&c, "fault", plan->faults[k].name, "", p->fault[k]);
    const struct yaml *promises = yaml_get(p->root, "promises");
    for (uint32_t k = 0; promises != NULL && k < promises->count; k++)
        add(&c, "promise", promises->key[k]->text, "level", promises->item[k]->text);
    plan->parameters = c.list;
    plan->parameter_count = c.count;
    ASSERT(c.count > 0);
}
