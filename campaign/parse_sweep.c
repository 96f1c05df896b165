/*
 * `sweep`: multiplies variants, workloads and fault plans. A swept entry becomes one for each
 * combination of the values that concern it, named NAME@KEY=VALUE,..., in the place of the entry;
 * the first key of the file varies slowest.
 */
#include <string.h>

#include "assertion.h"
#include "campaign/merge.h"
#include "campaign/parse.h"

#define SWEEP_KEYS_MAX 16    /* assumption */
#define SWEEP_VALUES_MAX 256 /* assumption, of one key */

enum dimension_kind { SWEEP_OPTION, SWEEP_MACHINE, SWEEP_VARIANT, SWEEP_WORKLOAD, SWEEP_FAULT };

struct dimension {
    enum dimension_kind kind;
    const char *entry; /* NAME of variants.NAME...; else NULL */
    const char *path;  /* below the entry: what is set */
    const struct yaml *key, *values;
    bool used;
};

struct sweep {
    struct parse *p;
    struct dimension dimension[SWEEP_KEYS_MAX];
    uint32_t count;
};

static bool any_design_has(const char *option)
{
    uint32_t count = 0;
    const struct design *table = design_table(&count);
    for (uint32_t k = 0; k < count; k++)
        if (option_find(table[k].options->specs, table[k].options->count, option) != NULL)
            return true;
    return false;
}

/* "; did you mean `checkpoint`?" of the options of all designs, or "". */
static const char *near_option(struct parse *p, const char *word)
{
    uint32_t count = 0;
    const struct design *table = design_table(&count);
    const char *guess = "";
    for (uint32_t k = 0; k < count && guess[0] == '\0'; k++) {
        const char **names = ARENA_ARRAY(p->arena, const char *, table[k].options->count);
        for (uint32_t i = 0; i < table[k].options->count; i++)
            names[i] = table[k].options->specs[i].name;
        guess = did_you_mean(p->arena, word, names, table[k].options->count);
    }
    return guess;
}

/* Splits a sweep key into kind, entry and path; false after a complaint. */
static bool split_key(struct parse *p, const struct yaml *key, struct dimension *d)
{
    static const char *const heads[] = {"machine", "variants", "workloads", "faults"};
    static const enum dimension_kind kinds[] = {SWEEP_MACHINE, SWEEP_VARIANT, SWEEP_WORKLOAD,
                                                SWEEP_FAULT};
    const char *rest = key->text;
    const char *head = merge_path_part(key->text, &rest, p->arena);
    d->kind = SWEEP_OPTION;
    for (size_t k = 0; k < 4 && head != NULL; k++)
        if (strcmp(head, heads[k]) == 0)
            d->kind = kinds[k];
    d->path = rest;
    if (head != NULL && d->kind == SWEEP_OPTION) {
        d->path = key->text;
        if (*rest == '\0' && any_design_has(head))
            return true;
        complain(p->complaints, key->place,
                 "`%.80s` is nothing that can be swept; an option of a stack (see `loris list "
                 "options`), or a path that begins with machine., variants.NAME., "
                 "workloads.NAME. or faults.NAME.%s",
                 key->text, near_option(p, key->text));
        return false;
    }
    if (head != NULL && d->kind != SWEEP_MACHINE)
        d->entry = merge_path_part(rest, &d->path, p->arena);
    bool sound = head != NULL && (d->kind == SWEEP_MACHINE || d->entry != NULL);
    if (!sound || *d->path == '\0')
        complain(p->complaints, key->place,
                 "`%.80s` is no path to a value; as machine.disks.size or faults.double.1.cache",
                 key->text);
    return sound && *d->path != '\0';
}

static bool check_values(struct parse *p, const struct dimension *d)
{
    const struct yaml *values = d->values;
    if (values->kind != YAML_LIST || values->count == 0 || values->count > SWEEP_VALUES_MAX) {
        complain(p->complaints, values->place,
                 "a sweep is a list of 1 to %d values; as %.80s: [1s, 5s]", SWEEP_VALUES_MAX,
                 d->key->text);
        return false;
    }
    bool sound = true;
    for (uint32_t k = 0; k < values->count; k++) {
        const struct yaml *value = values->item[k];
        if (parse_text(p, value, "a swept value") == NULL) {
            sound = false;
            continue;
        }
        for (uint32_t j = 0; j < k; j++) {
            if (values->item[j]->kind == YAML_TEXT &&
                strcmp(values->item[j]->text, value->text) == 0) {
                complain(p->complaints, value->place, "value `%.80s` stands here twice",
                         value->text);
                sound = false;
            }
        }
    }
    return sound;
}

static void read_dimensions(struct sweep *s, const struct yaml *map)
{
    struct parse *p = s->p;
    for (uint32_t k = 0; k < map->count; k++) {
        struct dimension d = {.key = map->key[k], .values = map->item[k]};
        if (k == SWEEP_KEYS_MAX) {
            complain(p->complaints, d.key->place, "a sweep has at most %d keys", SWEEP_KEYS_MAX);
            return;
        }
        bool key_sound = split_key(p, d.key, &d);
        if (check_values(p, &d) && key_sound)
            s->dimension[s->count++] = d;
    }
}

/* Whether the dimension multiplies this entry of the section that `kind` stands for. */
static bool concerns(const struct dimension *d, enum dimension_kind kind, const struct entry *entry)
{
    if (kind != SWEEP_VARIANT)
        return d->kind == kind && strcmp(d->entry, entry->name) == 0;
    if (d->kind == SWEEP_MACHINE)
        return true;
    if (d->kind == SWEEP_VARIANT)
        return strcmp(d->entry, entry->name) == 0;
    if (d->kind != SWEEP_OPTION || entry->node->kind != YAML_MAP)
        return false;
    const struct yaml *stack = yaml_get(entry->node, "stack");
    const struct design *design =
        stack == NULL || stack->kind != YAML_TEXT ? NULL : design_find(stack->text);
    return design != NULL &&
           option_find(design->options->specs, design->options->count, d->path) != NULL;
}

/* "checkpoint=1s": the path without quotes, and the value without what separates cells. */
static const char *step_name(struct parse *p, const struct dimension *d, const char *value)
{
    char *name = arena_printf(p->arena, "%s=%s", d->path, value);
    for (char *c = name; *c != '\0'; c++)
        if (*c == '/' || *c == ',' || *c == '@' || *c == '*' || (unsigned char)*c < 0x21)
            *c = '_';
    return name;
}

/* What the dimension's path begins at, NULL if that is nothing with keys, which is complained of
 * elsewhere. A fault plan of one fault needs no place in its list. */
static struct yaml *path_root(const struct dimension *d, struct yaml *node)
{
    if (d->kind == SWEEP_MACHINE && node->kind == YAML_MAP)
        node = yaml_get(node, "machine");
    else if (node->kind == YAML_LIST && node->count == 1 && (d->path[0] < '0' || d->path[0] > '9'))
        node = node->item[0];
    return node == NULL || node->kind == YAML_TEXT ? NULL : node;
}

static void set_step(struct parse *p, const struct dimension *d, struct yaml *node,
                     const struct yaml *value)
{
    struct place place = d->key->place;
    struct yaml *root = path_root(d, node);
    place.column += (uint32_t)(d->path - d->key->text); /* the path is the end of the key */
    if (root != NULL)
        (void)merge_set_path(root, d->path, place, value, p->arena, p->complaints);
}

/*
 * No cell has the values that a sweep replaces, but wrong ones would come back with the sweep gone:
 * the entries are read as they stand, and what is said of those values is kept.
 */
static void check_replaced(struct sweep *s, enum dimension_kind kind, const struct entries *entries)
{
    struct parse scratch = *s->p;
    struct plan plan = *s->p->plan;
    scratch.plan = &plan;
    scratch.complaints = complaints_create(s->p->arena);
    if (kind == SWEEP_VARIANT)
        parse_variants(&scratch, entries);
    else if (kind == SWEEP_WORKLOAD)
        parse_workloads(&scratch, entries);
    else
        parse_faults(&scratch, entries);
    for (uint32_t e = 0; e < entries->count; e++)
        for (uint32_t k = 0; k < s->count; k++) {
            const struct dimension *d = &s->dimension[k];
            const struct yaml *root =
                concerns(d, kind, &entries->list[e]) ? path_root(d, entries->list[e].node) : NULL;
            const struct yaml *old =
                root == NULL ? NULL : merge_get_path(root, d->path, s->p->arena);
            if (old != NULL)
                complaints_copy(s->p->complaints, scratch.complaints, old->place);
        }
}

/* Makes one entry of an entry: step[k] is the value that concerned dimension k takes. */
static struct entry make_step(struct sweep *s, const struct entry *entry,
                              struct dimension *const *list, const uint32_t *step, uint32_t count)
{
    struct parse *p = s->p;
    struct entry made = *entry;
    const char *suffix = "";
    made.node = yaml_copy(p->arena, entry->node);
    for (uint32_t k = 0; k < count; k++) {
        const struct yaml *value = list[k]->values->item[step[k]];
        set_step(p, list[k], made.node, value);
        suffix = arena_printf(p->arena, "%s%s%s", suffix, k == 0 ? "@" : ",",
                              step_name(p, list[k], value->text));
    }
    made.name = arena_printf(p->arena, "%s%s", entry->name, suffix);
    return made;
}

/* Appends all steps of one entry to `out`, which grows. */
static void multiply(struct sweep *s, enum dimension_kind kind, const struct entry *entry,
                     struct entries *out, uint32_t *room)
{
    struct dimension *list[SWEEP_KEYS_MAX];
    uint32_t step[SWEEP_KEYS_MAX] = {0}, count = 0;
    for (uint32_t k = 0; k < s->count; k++) {
        if (concerns(&s->dimension[k], kind, entry)) {
            s->dimension[k].used = true;
            list[count++] = &s->dimension[k];
        }
    }
    for (;;) {
        if (out->count == *room) {
            *room = *room * 2 + 16;
            struct entry *more = ARENA_ARRAY(s->p->arena, struct entry, *room);
            if (out->count > 0)
                memcpy(more, out->list, out->count * sizeof(*more));
            out->list = more;
        }
        if (out->count > PLAN_CELLS_MAX)
            return; /* complained of when cells are counted */
        out->list[out->count++] = count == 0 ? *entry : make_step(s, entry, list, step, count);
        uint32_t k = count;
        while (k > 0 && ++step[k - 1] == list[k - 1]->values->count)
            step[--k] = 0;
        if (k == 0)
            return;
    }
}

static void multiply_all(struct sweep *s, enum dimension_kind kind, struct entries *entries)
{
    struct entries out = {0};
    uint32_t room = 0;
    check_replaced(s, kind, entries);
    for (uint32_t k = 0; k < entries->count; k++)
        multiply(s, kind, &entries->list[k], &out, &room);
    *entries = out;
}

/* The top machine laid beneath every variant's own, so that a sweep of machine. wins over both. */
static void merge_machines(struct parse *p, struct entries *variants)
{
    const struct yaml *top = yaml_get(p->root, "machine");
    for (uint32_t k = 0; k < variants->count; k++) {
        struct yaml *node = variants->list[k].node;
        if (node->kind != YAML_MAP)
            continue;
        const struct yaml *own = yaml_get(node, "machine");
        const struct yaml *base = top == NULL ? yaml_new(p->arena, YAML_MAP, node->place) : top;
        struct yaml *key = own == NULL ? yaml_new_text(p->arena, base->place, "machine")
                                       : yaml_key(node, "machine");
        yaml_put(p->arena, node, key,
                 own == NULL ? yaml_copy(p->arena, base) : yaml_merge(p->arena, base, own));
    }
}

static void report_unused(struct sweep *s)
{
    for (uint32_t k = 0; k < s->count; k++) {
        const struct dimension *d = &s->dimension[k];
        if (d->used)
            continue;
        if (d->entry != NULL)
            complain(s->p->complaints, d->key->place, "sweep of `%.80s`: there is no `%.80s`",
                     d->key->text, d->entry);
        else
            complain(s->p->complaints, d->key->place,
                     "sweep of `%.80s`: no variant's stack has that option", d->key->text);
    }
}

void parse_sweep(struct parse *p, struct entries *variants, struct entries *workloads,
                 struct entries *faults)
{
    struct sweep *s = arena_alloc(p->arena, sizeof(*s));
    s->p = p;
    merge_machines(p, variants);
    const struct yaml *map = yaml_get(p->root, "sweep");
    if (map == NULL || !parse_is_map(p, map, "`sweep`"))
        return;
    read_dimensions(s, map);
    uint64_t product = 1;
    for (uint32_t k = 0; k < s->count && product <= PLAN_STEPS_MAX; k++)
        product *= s->dimension[k].values->count;
    if (product > PLAN_STEPS_MAX) {
        complain(p->complaints, map->place, "this sweep makes over %u combinations",
                 PLAN_STEPS_MAX);
        return;
    }
    multiply_all(s, SWEEP_VARIANT, variants);
    multiply_all(s, SWEEP_WORKLOAD, workloads);
    multiply_all(s, SWEEP_FAULT, faults);
    report_unused(s);
    const char **keys = ARENA_ARRAY(p->arena, const char *, s->count);
    for (uint32_t k = 0; k < s->count; k++)
        keys[k] = s->dimension[k].path;
    p->plan->sweep_keys = keys;
    p->plan->sweep_count = s->count;
}
