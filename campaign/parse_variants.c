/* `variants`: a stack, its options and its machine each. */
#include <string.h>

#include "assertion.h"
#include "campaign/parse.h"

#define DESIGNS_MAX 32

/* The design that a variant names; NULL after a complaint. */
static const struct design *find_stack(struct parse *p, const struct entry *entry)
{
    const struct yaml *node = yaml_get(entry->node, "stack");
    const char *names[DESIGNS_MAX];
    uint32_t count = 0;
    const struct design *table = design_table(&count);
    ASSERT(count <= DESIGNS_MAX);
    for (uint32_t k = 0; k < count; k++)
        names[k] = table[k].name;
    if (node == NULL && yaml_get(entry->node, "like") != NULL)
        return NULL; /* complained of */
    if (node == NULL && (parse_misspelt(p, entry->node, "stack", "a variant") ||
                         parse_misspelt(p, entry->node, "like", "a variant")))
        return NULL;
    if (node == NULL) {
        complain(p->complaints, entry->node->place,
                 "variant `%.80s` has no `stack`; `stack:` one of %s, or `like:` another variant",
                 entry->name, join_names(p->arena, names, count));
        return NULL;
    }
    const char *name = parse_text(p, node, "`stack`");
    if (name == NULL)
        return NULL;
    const struct design *design = design_find(name);
    if (design == NULL)
        complain(p->complaints, node->place, "unknown stack `%.80s`; allowed: %s%s", name,
                 join_names(p->arena, names, count), did_you_mean(p->arena, name, names, count));
    else if (design->not_yet)
        complain(p->complaints, node->place, "not available yet: stack `%s`", name);
    return design != NULL && design->not_yet ? NULL : design;
}

/* Every disk must have room for what the design writes when it formats. */
static void check_disks(struct parse *p, const struct entry *entry,
                        const struct plan_variant *variant)
{
    uint64_t least = variant->design->disk_bytes_min;
    for (uint32_t d = 0; d < variant->machine.disk_count + variant->machine.spare_count; d++) {
        if (variant->machine.disks[d].size_bytes >= least)
            continue;
        char size[32];
        option_format_size((int64_t)least, size, sizeof(size));
        complain(p->complaints, entry->place,
                 "variant `%.80s`: disk %u is too small for stack `%s`; size: %s or more",
                 entry->name, d, variant->design->name, size);
        return;
    }
}

/* Cache and log live in the machine's memory. */
static void check_memory(struct parse *p, const struct entry *entry,
                         const struct plan_variant *variant)
{
    uint64_t need = variant->stack.cache_bytes + variant->stack.log_bytes;
    if (need <= variant->machine.memory_bytes)
        return;
    const struct yaml *node = yaml_get(entry->node, "cache");
    complain(p->complaints, node == NULL ? entry->place : node->place,
             "variant `%.80s`: `cache` and `log-size` want %llu MiB, the machine's memory is %llu "
             "MiB",
             entry->name, (unsigned long long)((need + 0xfffff) >> 20),
             (unsigned long long)(variant->machine.memory_bytes >> 20));
}

static void parse_variant(struct parse *p, const struct entry *entry, struct plan_variant *variant)
{
    static const char *const own[] = {"stack", "like", "machine"};
    variant->name = entry->name;
    variant->draw_name = entry->draw_name;
    if (!parse_is_map(p, entry->node, "a variant"))
        return;
    variant->design = find_stack(p, entry);
    size_t before = complaints_count(p->complaints);
    parse_machine(p, yaml_get(entry->node, "machine"), &variant->machine);
    if (variant->design == NULL)
        return;
    const char *of = arena_printf(p->arena, "a variant of stack `%s`", variant->design->name);
    variant->options = parse_options(p, entry->node, variant->design->options->specs,
                                     variant->design->options->count, own, 3, of);
    if (complaints_count(p->complaints) > before)
        return; /* combinations of wrong values say nothing */
    const char *why =
        design_stack_options(variant->design, &variant->options, variant->machine.disk_count,
                             variant->machine.environments, p->plan->seed, &variant->stack);
    if (why != NULL) {
        const struct yaml *raid = yaml_get(entry->node, "raid");
        complain(p->complaints, raid == NULL ? entry->place : raid->place, "variant `%.80s`: %s",
                 entry->name, why);
        return;
    }
    if (variant->design->classic && variant->stack.raid == 0 && variant->machine.spare_count > 0)
        complain(p->complaints, entry->place,
                 "variant `%.80s`: a spare takes the place of a disk of raid: 1 or 5, of stack "
                 "`%s` with raid: 0 none can be replaced",
                 entry->name, variant->design->name);
    variant->stack.spares = variant->machine.spare_count;
    variant->stack.disks += variant->machine.spare_count;
    check_disks(p, entry, variant);
    check_memory(p, entry, variant);
}

void parse_variants(struct parse *p, const struct entries *entries)
{
    struct plan *plan = p->plan;
    plan->variants = ARENA_ARRAY(p->arena, struct plan_variant, entries->count);
    p->variant = ARENA_ARRAY(p->arena, struct yaml *, entries->count);
    plan->variant_count = entries->count;
    for (uint32_t k = 0; k < entries->count; k++) {
        p->variant[k] = entries->list[k].node;
        parse_variant(p, &entries->list[k], &plan->variants[k]);
    }
}
