/* Field profiles: one entry of a fault plan that stands for a set of faults with their rates. */
#include <string.h>

#include "assertion.h"
#include "campaign/parse.h"
#include "faults/field_profiles.h"

/* What is wrong with an expanded fault is said of the entry that asked for it. */
static void move_to(struct yaml *node, struct place place)
{
    node->place = place;
    for (uint32_t k = 0; k < node->count; k++) {
        move_to(node->item[k], place);
        if (node->kind == YAML_MAP)
            node->key[k]->place = place;
    }
}

static const struct field_profile *find_profile(struct parse *p, const struct yaml *node)
{
    uint32_t count = 0;
    const struct field_profile *table = field_profile_table(&count);
    const char **names = ARENA_ARRAY(p->arena, const char *, count);
    for (uint32_t k = 0; k < count; k++)
        names[k] = table[k].name;
    const char *name = parse_text(p, node, "`profile`");
    const struct field_profile *profile = name == NULL ? NULL : field_profile_find(name);
    if (name != NULL && profile == NULL)
        complain(p->complaints, node->place, "unknown field profile `%.80s`; allowed: %s%s", name,
                 join_names(p->arena, names, count), did_you_mean(p->arena, name, names, count));
    return profile;
}

const char *parse_field_fault(struct arena *arena, const struct field_fault *f, const char *over,
                              const char *layer)
{
    return arena_printf(arena, "{%s%s%s, at: {rate: %s, over: %s}}", f->fault,
                        layer == NULL ? "" : ", layer: ", layer == NULL ? "" : layer, f->rate,
                        over);
}

/* The text of key `name`, which must be there if wanted and must not if not. NULL: it is not. */
static const char *text_of(struct parse *p, const struct yaml *map, const char *name, bool wanted,
                           const char *example)
{
    const struct yaml *node = yaml_get(map, name);
    if (node == NULL && wanted)
        complain(p->complaints, map->place, "a field profile has no `%s`; as %s", name, example);
    return node == NULL || !wanted ? NULL : parse_text(p, node, name);
}

/* Whether it is a plain scalar wherever it is put: no character of it means anything to YAML. */
static bool is_plain(const char *text)
{
    static const char plain[] = ".-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    return text[0] != '\0' && text[0] != '-' && text[strspn(text, plain)] == '\0';
}

struct yaml *parse_field(struct parse *p, const struct yaml *map)
{
    static const char *const plain[] = {"profile", "over"};
    static const char *const layered[] = {"profile", "over", "layer"};
    struct yaml *list = yaml_new(p->arena, YAML_LIST, map->place);
    const struct field_profile *profile = find_profile(p, yaml_get(map, "profile"));
    if (profile == NULL)
        return list;
    parse_check_keys(p, map, profile->on_layer ? layered : plain, profile->on_layer ? 3 : 2,
                     arena_printf(p->arena, "profile `%s`", profile->name));
    const char *over = text_of(p, map, "over", true, "over: 1year");
    const char *layer = text_of(p, map, "layer", profile->on_layer, "layer: cache");
    bool sound = over != NULL && is_plain(over);
    sound = sound && (!profile->on_layer || (layer != NULL && is_plain(layer)));
    if (over != NULL && (layer != NULL || !profile->on_layer) && !sound)
        complain(p->complaints, map->place, "`over` is a time, `layer` a name");
    for (uint32_t k = 0; sound && k < profile->count; k++) {
        const char *text = parse_field_fault(p->arena, &profile->faults[k], over, layer);
        struct yaml *fault =
            yaml_parse(text, strlen(text), profile->name, 1, p->arena, p->complaints);
        ASSERT(fault != NULL);
        move_to(fault, map->place);
        yaml_append(p->arena, list, fault);
    }
    return list;
}
