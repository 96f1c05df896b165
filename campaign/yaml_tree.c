/* The tree of yaml.h: look-up, building, copying, merging. */
#include <string.h>

#include "assertion.h"
#include "campaign/yaml.h"

static uint32_t find(const struct yaml *map, const char *key)
{
    ASSERT(map != NULL && key != NULL);
    ASSERT(map->kind == YAML_MAP);
    for (uint32_t k = 0; k < map->count; k++)
        if (strcmp(map->key[k]->text, key) == 0)
            return k;
    return UINT32_MAX;
}

struct yaml *yaml_get(const struct yaml *map, const char *key)
{
    uint32_t k = find(map, key);
    return k == UINT32_MAX ? NULL : map->item[k];
}

struct yaml *yaml_key(const struct yaml *map, const char *key)
{
    uint32_t k = find(map, key);
    return k == UINT32_MAX ? NULL : map->key[k];
}

bool yaml_is_empty(const struct yaml *node)
{
    ASSERT(node != NULL);
    if (node->kind != YAML_TEXT || !node->plain)
        return false;
    return node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
           strcmp(node->text, "null") == 0 || strcmp(node->text, "Null") == 0 ||
           strcmp(node->text, "NULL") == 0;
}

struct yaml *yaml_new(struct arena *arena, enum yaml_kind kind, struct place place)
{
    struct yaml *node = arena_alloc(arena, sizeof(*node));
    node->kind = kind;
    node->place = place;
    node->text = "";
    return node;
}

struct yaml *yaml_new_text(struct arena *arena, struct place place, const char *text)
{
    struct yaml *node = yaml_new(arena, YAML_TEXT, place);
    node->text = text;
    node->plain = true;
    return node;
}

static struct yaml **grow(struct arena *arena, struct yaml **old, uint32_t count, uint32_t room)
{
    struct yaml **more = ARENA_ARRAY(arena, struct yaml *, room);
    if (count > 0)
        memcpy(more, old, count * sizeof(*old));
    return more;
}

void yaml_append(struct arena *arena, struct yaml *list, struct yaml *item)
{
    ASSERT(list->kind != YAML_TEXT);
    ASSERT(item != NULL);
    if (list->count == list->room) {
        list->room = list->room == 0 ? 4 : list->room * 2;
        list->item = grow(arena, list->item, list->count, list->room);
        if (list->kind == YAML_MAP)
            list->key = grow(arena, list->key, list->count, list->room);
    }
    list->item[list->count++] = item;
}

void yaml_put(struct arena *arena, struct yaml *map, struct yaml *key, struct yaml *value)
{
    ASSERT(key->kind == YAML_TEXT);
    uint32_t k = find(map, key->text);
    if (k == UINT32_MAX) {
        yaml_append(arena, map, value);
        k = map->count - 1;
    }
    map->key[k] = key;
    map->item[k] = value;
}

void yaml_remove(struct yaml *map, const char *key)
{
    uint32_t k = find(map, key);
    if (k == UINT32_MAX)
        return;
    map->count--;
    memmove(map->item + k, map->item + k + 1, (map->count - k) * sizeof(*map->item));
    memmove(map->key + k, map->key + k + 1, (map->count - k) * sizeof(*map->key));
}

struct yaml *yaml_copy(struct arena *arena, const struct yaml *node)
{
    ASSERT(node != NULL);
    struct yaml *copy = yaml_new(arena, node->kind, node->place);
    copy->plain = node->plain;
    copy->content = node->content;
    copy->text = node->text;
    for (uint32_t k = 0; k < node->count; k++) {
        yaml_append(arena, copy, yaml_copy(arena, node->item[k]));
        if (node->kind == YAML_MAP)
            copy->key[k] = node->key[k];
    }
    return copy;
}

struct yaml *yaml_merge(struct arena *arena, const struct yaml *base, const struct yaml *over)
{
    ASSERT(base != NULL && over != NULL);
    if (base->kind != YAML_MAP || over->kind != YAML_MAP)
        return yaml_copy(arena, over);
    struct yaml *merged = yaml_copy(arena, base);
    merged->place = over->place;
    for (uint32_t k = 0; k < over->count; k++) {
        struct yaml *old = yaml_get(merged, over->key[k]->text);
        struct yaml *value =
            old == NULL ? yaml_copy(arena, over->item[k]) : yaml_merge(arena, old, over->item[k]);
        yaml_put(arena, merged, over->key[k], value);
    }
    return merged;
}
