#include "campaign/store_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "campaign/arena.h"
#include "campaign/cli.h"

/* FNV-1a, 64 bits (Fowler, Noll, Vo; IETF draft-eastlake-fnv). */
#define FNV_BASIS UINT64_C(14695981039346656037)
#define FNV_PRIME UINT64_C(1099511628211)

const char *build_id(void)
{
    static char id[17];
    if (id[0] != '\0')
        return id;
    uint64_t hash = FNV_BASIS;
    FILE *file = fopen("/proc/self/exe", "rb");
    unsigned char bytes[65536];
    size_t count = 0;
    while (file != NULL && (count = fread(bytes, 1, sizeof(bytes), file)) > 0)
        for (size_t k = 0; k < count; k++)
            hash = (hash ^ bytes[k]) * FNV_PRIME;
    if (file != NULL)
        (void)fclose(file);
    (void)snprintf(id, sizeof(id), "%016llx", (unsigned long long)hash);
    return id;
}

/* What a writer left in a memory stream, in the arena. */
static const char *keep(const struct plan *plan, FILE *memory, char **buffer, size_t *bytes)
{
    int failed = fclose(memory);
    ASSERT(failed == 0);
    const char *text = arena_text(plan->arena, *buffer, *bytes);
    free(*buffer);
    return text;
}

static const char *tags_json(const struct plan *plan)
{
    if (plan->tag_count == 0)
        return NULL;
    char *buffer = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&buffer, &bytes);
    ASSERT(memory != NULL);
    for (uint32_t k = 0; k < plan->tag_count; k++) {
        (void)fputs(k == 0 ? "{" : ", ", memory);
        cli_json_text(memory, plan->tags[k].name);
        (void)fputs(": ", memory);
        cli_json_text(memory, plan->tags[k].text);
    }
    (void)fputc('}', memory);
    return keep(plan, memory, &buffer, &bytes);
}

static const char *compare_json(const struct plan *plan)
{
    const struct plan_compare *c = &plan->compare;
    char *buffer = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&buffer, &bytes);
    ASSERT(memory != NULL);
    (void)fputs("{\"base\": ", memory);
    cli_json_text(memory, c->base);
    (void)fputs(", \"new\": ", memory);
    cli_json_text(memory, c->new_variant);
    (void)fputs(", \"measure\": [", memory);
    bool first = true;
    for (unsigned k = 0; k < MEASURE_COUNT && c->measure_given; k++) {
        if ((c->measures >> k & 1) == 0)
            continue;
        (void)fputs(first ? "" : ", ", memory);
        cli_json_text(memory, measure_names[k]);
        first = false;
    }
    (void)fputc(']', memory);
    if (c->margin_given)
        (void)fprintf(memory, ", \"margin\": %.17g", c->margin);
    if (c->alpha_given)
        (void)fprintf(memory, ", \"alpha\": %.17g", c->alpha);
    (void)fputc('}', memory);
    return keep(plan, memory, &buffer, &bytes);
}

void store_plan_make(const struct plan *plan, struct store_plan *out)
{
    ASSERT(plan != NULL && out != NULL);
    struct store_cell *cells = ARENA_ARRAY(plan->arena, struct store_cell, plan->cell_count);
    struct store_parameter *parameters =
        ARENA_ARRAY(plan->arena, struct store_parameter, plan->parameter_count);
    for (uint32_t c = 0; c < plan->cell_count; c++) {
        const struct plan_cell *cell = &plan->cells[c];
        cells[c] = (struct store_cell){
            .variant = plan->variants[cell->variant].name,
            .workload = plan->workloads[cell->workload].name,
            .fault = plan->faults[cell->fault].name,
            .planned = cell->skipped == NULL ? plan_cell_trials(plan, cell->workload) : 0,
            .skipped = cell->skipped,
        };
    }
    for (uint32_t k = 0; k < plan->parameter_count; k++) {
        const struct plan_parameter *p = &plan->parameters[k];
        parameters[k] = (struct store_parameter){p->part, p->name, p->key, p->text, p->value};
    }
    *out = (struct store_plan){
        .campaign = plan->name,
        .question = plan->question[0] == '\0' ? NULL : plan->question,
        .tags = tags_json(plan),
        .notes = plan->notes[0] == '\0' ? NULL : plan->notes,
        .compare = compare_json(plan),
        .yaml = plan->yaml,
        .version = LORIS_VERSION,
        .build = build_id(),
        .seed = plan->seed,
        .cells = cells,
        .cell_count = plan->cell_count,
        .parameters = parameters,
        .parameter_count = plan->parameter_count,
    };
}
