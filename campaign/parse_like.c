/* `like`: entries that begin as a copy of another, in chains. */
#include <string.h>

#include "assertion.h"
#include "campaign/parse.h"

#define LIKE_DEPTH_MAX 64u /* assumption: longer chains are a slip; a cycle is found before */

struct like {
    struct parse *p;
    const struct yaml *section;
    const char *chain[LIKE_DEPTH_MAX];
    uint32_t depth;
};

static struct yaml *resolve(struct like *l, const struct yaml *node);

/* The names of a section, for messages. */
static const char *const *names_of(struct parse *p, const struct yaml *map)
{
    const char **names = ARENA_ARRAY(p->arena, const char *, map->count + 1);
    for (uint32_t k = 0; k < map->count; k++)
        names[k] = map->key[k]->text;
    return names;
}

/* The entry that `like` names, resolved; NULL after a complaint. */
static struct yaml *resolve_target(struct like *l, const struct yaml *like)
{
    struct parse *p = l->p;
    const char *name = parse_text(p, like, "`like`");
    if (name == NULL)
        return NULL;
    const struct yaml *target = yaml_get(l->section, name);
    if (target == NULL) {
        const char *const *names = names_of(p, l->section);
        complain(p->complaints, like->place, "`like: %.80s` names nothing; allowed: %s%s", name,
                 join_names(p->arena, names, l->section->count),
                 did_you_mean(p->arena, name, names, l->section->count));
        return NULL;
    }
    for (uint32_t k = 0; k < l->depth; k++) {
        if (strcmp(l->chain[k], name) == 0) {
            complain(p->complaints, like->place, "`like: %.80s` leads back to itself", name);
            return NULL;
        }
    }
    if (l->depth == LIKE_DEPTH_MAX) {
        complain(p->complaints, like->place, "`like` goes more than %u deep", LIKE_DEPTH_MAX);
        return NULL;
    }
    l->chain[l->depth++] = name;
    struct yaml *resolved = resolve(l, target);
    l->depth--;
    return resolved;
}

/* Lays the keys of `over` (but `like`) over a copy of `base`; `machine` key by key. */
static struct yaml *derive(struct parse *p, const struct yaml *base, const struct yaml *over)
{
    struct yaml *result = yaml_copy(p->arena, base);
    result->place = over->place;
    for (uint32_t k = 0; k < over->count; k++) {
        const char *key = over->key[k]->text;
        if (strcmp(key, "like") == 0)
            continue;
        const struct yaml *old = yaml_get(result, key);
        struct yaml *value = old != NULL && strcmp(key, "machine") == 0
                                 ? yaml_merge(p->arena, old, over->item[k])
                                 : yaml_copy(p->arena, over->item[k]);
        yaml_put(p->arena, result, over->key[k], value);
    }
    return result;
}

static struct yaml *resolve_map(struct like *l, const struct yaml *node)
{
    struct parse *p = l->p;
    const struct yaml *like = yaml_get(node, "like");
    if (like == NULL)
        return yaml_copy(p->arena, node);
    struct yaml *base = resolve_target(l, like);
    if (base == NULL)
        return yaml_copy(p->arena, node); /* with its `like`: it may lack what it hoped for */
    if (base->kind == YAML_MAP)
        return derive(p, base, node);
    if (node->count > 1)
        complain(p->complaints, node->place,
                 "`like` of a list takes no other keys; write the list out");
    return base;
}

static struct yaml *resolve(struct like *l, const struct yaml *node)
{
    if (node->kind == YAML_MAP)
        return resolve_map(l, node);
    struct yaml *copy = yaml_copy(l->p->arena, node);
    for (uint32_t k = 0; k < copy->count; k++)
        if (copy->item[k]->kind == YAML_MAP)
            copy->item[k] = resolve_map(l, copy->item[k]);
    return copy;
}

struct entries parse_like(struct parse *p, const char *section)
{
    struct entries entries = {0};
    struct yaml *map = yaml_get(p->root, section);
    const char *what = arena_printf(p->arena, "`%s`", section);
    if (map == NULL) {
        complain(p->complaints, p->root->place,
                 "`%s` is missing; campaign, variants, workloads and faults are required", section);
        return entries;
    }
    if (!parse_is_map(p, map, what))
        return entries;
    if (map->count == 0)
        complain(p->complaints, map->place, "%s is empty; at least one entry is wanted", what);
    entries.list = ARENA_ARRAY(p->arena, struct entry, map->count);
    bool with_like = strcmp(section, "faults") != 0;
    for (uint32_t k = 0; k < map->count; k++) {
        struct like l = {.p = p, .section = map, .chain = {map->key[k]->text}, .depth = 1};
        struct entry *entry = &entries.list[entries.count++];
        (void)parse_name(p, map->key[k]->text, map->key[k]->place, "the name");
        entry->name = entry->draw_name = map->key[k]->text;
        entry->place = map->key[k]->place;
        entry->node = with_like ? resolve(&l, map->item[k]) : yaml_copy(p->arena, map->item[k]);
    }
    return entries;
}
