/* Places of a candidate, and small changes to it. */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "campaign/shrink_private.h"

static struct yaml *entry(const struct yaml *root, const char *section, const char *name)
{
    const struct yaml *map = yaml_get(root, section);
    ASSERT(map != NULL);
    struct yaml *node = yaml_get(map, name);
    ASSERT(node != NULL);
    return node;
}

struct yaml *shrink_variant(const struct shrink *s, const struct yaml *root)
{
    return entry(root, "variants", s->variant);
}

struct yaml *shrink_workload(const struct shrink *s, const struct yaml *root)
{
    return entry(root, "workloads", s->workload);
}

struct yaml *shrink_faults(const struct shrink *s, const struct yaml *root)
{
    return entry(root, "faults", s->fault);
}

struct yaml *shrink_app(const struct shrink *s, const struct yaml *root, uint32_t k)
{
    struct yaml *w = shrink_workload(s, root);
    if (w->kind == YAML_MAP)
        return k == 0 ? w : NULL;
    return k < w->count ? w->item[k] : NULL;
}

void shrink_set_workload(const struct shrink *s, struct arena *arena, struct yaml *root,
                         struct yaml *node)
{
    struct yaml *map = yaml_get(root, "workloads");
    yaml_put(arena, map, yaml_key(map, s->workload), node);
}

struct yaml *shrink_machine(const struct shrink *s, const struct yaml *root)
{
    return yaml_get(shrink_variant(s, root), "machine");
}

void shrink_put(struct arena *arena, struct yaml *map, const char *key, const char *yaml)
{
    struct complaints *complaints = complaints_create(arena);
    struct place place = {"candidate", 1, 1};
    struct yaml *value = yaml_parse(yaml, strlen(yaml), place.file, 1, arena, complaints);
    ASSERT(value != NULL && complaints_count(complaints) == 0);
    yaml_put(arena, map, yaml_new_text(arena, place, key), value);
}

void shrink_drop_item(struct yaml *list, uint32_t k)
{
    ASSERT(list->kind == YAML_LIST && k < list->count);
    list->count--;
    memmove(list->item + k, list->item + k + 1, (list->count - k) * sizeof(struct yaml *));
}

bool shrink_number(const struct yaml *node, uint64_t *number)
{
    if (node == NULL || node->kind != YAML_TEXT || node->text[0] < '0' || node->text[0] > '9')
        return false;
    char *end;
    *number = strtoull(node->text, &end, 10);
    return *end == '\0';
}

const char *shrink_script(const struct shrink *s, const struct yaml *root)
{
    const struct yaml *w = shrink_workload(s, root);
    const struct yaml *app = w->kind == YAML_MAP ? yaml_get(w, "app") : NULL;
    const struct yaml *text = app == NULL ? NULL : yaml_get(w, "operations");
    if (text == NULL || text->kind != YAML_TEXT || strcmp(app->text, "script") != 0)
        return NULL;
    return text->text;
}

void shrink_put_script(const struct shrink *s, struct arena *arena, struct yaml *root,
                       const char *text)
{
    struct yaml *w = shrink_workload(s, root);
    struct place place = {"candidate", 1, 1};
    yaml_put(arena, w, yaml_new_text(arena, place, "operations"),
             yaml_new_text(arena, place, text));
    yaml_get(w, "operations")->plain = false;
}
