#include "campaign/merge.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assertion.h"

struct merger {
    struct arena *arena;
    struct complaints *complaints;
    const char *chain[INCLUDE_DEPTH_MAX + 1]; /* canonical paths of the files being read */
    uint32_t depth;
    uint32_t files;
};

static struct yaml *load(struct merger *m, const char *path, const char *text, struct place place);

const char *merge_relative(struct arena *arena, const char *file, const char *path)
{
    const char *slash = strrchr(file, '/');
    if (path[0] == '/' || slash == NULL)
        return path;
    return arena_printf(arena, "%.*s/%s", (int)(slash - file), file, path);
}

/* The file's identity, however it is spelt; its path if it does not exist. */
static const char *canonical(struct arena *arena, const char *path)
{
    char *real = realpath(path, NULL);
    const char *copy =
        arena_text(arena, real == NULL ? path : real, strlen(real == NULL ? path : real));
    free(real);
    return copy;
}

static bool in_chain(const struct merger *m, const char *path)
{
    for (uint32_t k = 0; k < m->depth; k++)
        if (strcmp(m->chain[k], path) == 0)
            return true;
    return false;
}

/* Maps whose entries are merged by name, the nearer file's entry winning whole. */
static bool merged_by_entry(const char *key)
{
    return strcmp(key, "variants") == 0 || strcmp(key, "workloads") == 0 ||
           strcmp(key, "faults") == 0;
}

/* Lays `over` over `base`, both maps; returns base. */
static struct yaml *lay_over(struct merger *m, struct yaml *base, const struct yaml *over)
{
    for (uint32_t k = 0; k < over->count; k++) {
        const char *key = over->key[k]->text;
        struct yaml *old = yaml_get(base, key);
        struct yaml *value = over->item[k];
        bool maps = old != NULL && old->kind == YAML_MAP && value->kind == YAML_MAP;
        if (maps && strcmp(key, "machine") == 0) {
            value = yaml_merge(m->arena, old, value);
        } else if (maps && merged_by_entry(key)) {
            struct yaml *both = yaml_copy(m->arena, old);
            both->place = value->place;
            for (uint32_t j = 0; j < value->count; j++)
                yaml_put(m->arena, both, value->key[j], value->item[j]);
            value = both;
        }
        yaml_put(m->arena, base, over->key[k], value);
    }
    return base;
}

static const char *const only_top[] = {"campaign", "seed"};

static void include_one(struct merger *m, struct yaml *base, const char *file,
                        const struct yaml *entry)
{
    if (entry->kind != YAML_TEXT || yaml_is_empty(entry) || entry->text[0] == '\0') {
        complain(m->complaints, entry->place, "an include is the path of a file");
        return;
    }
    const char *path = merge_relative(m->arena, file, entry->text);
    if (m->depth > INCLUDE_DEPTH_MAX) {
        complain(m->complaints, entry->place, "include of `%.80s` is too deep; at most %u", path,
                 INCLUDE_DEPTH_MAX);
        return;
    }
    if (m->files >= INCLUDE_FILES_MAX) {
        complain(m->complaints, entry->place, "too many files are included; at most %u",
                 INCLUDE_FILES_MAX);
        return;
    }
    struct yaml *part = load(m, path, NULL, entry->place);
    if (part == NULL)
        return;
    for (size_t k = 0; k < 2; k++) {
        const struct yaml *key = yaml_key(part, only_top[k]);
        if (key != NULL)
            complain(m->complaints, key->place,
                     "`%s` may only stand in the campaign file itself, not in one that it includes",
                     only_top[k]);
        yaml_remove(part, only_top[k]);
    }
    (void)lay_over(m, base, part);
}

/* The includes of `root`, in order, as one map; root's own keys are laid over it. */
static struct yaml *include_all(struct merger *m, const char *file, struct yaml *root)
{
    struct yaml *include = yaml_get(root, "include");
    if (include == NULL)
        return root;
    yaml_remove(root, "include");
    struct yaml *base = yaml_new(m->arena, YAML_MAP, root->place);
    if (include->kind == YAML_TEXT)
        include_one(m, base, file, include);
    else if (include->kind == YAML_LIST)
        for (uint32_t k = 0; k < include->count; k++)
            include_one(m, base, file, include->item[k]);
    else
        complain(m->complaints, include->place,
                 "`include` is a list of files, as [common/apps.yaml]");
    base->place = root->place;
    return lay_over(m, base, root);
}

static struct yaml *parse_root(struct merger *m, const char *path, const char *text, size_t bytes)
{
    if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) /* a byte order mark */
        text += 3, bytes -= 3;
    struct yaml *root = yaml_parse(text, bytes, path, 1, m->arena, m->complaints);
    if (root == NULL || root->kind == YAML_MAP)
        return root;
    if (yaml_is_empty(root))
        complain(m->complaints, root->place,
                 "is empty; `campaign`, `variants`, `workloads` and `faults` are required");
    else
        complain(m->complaints, root->place,
                 "a campaign file is a map of keys; as `campaign: name`");
    return NULL;
}

/* Reads one file and what it includes. place: of who asks for it. */
static struct yaml *load(struct merger *m, const char *path, const char *text, struct place place)
{
    const char *id = text != NULL ? path : canonical(m->arena, path);
    if (in_chain(m, id)) {
        complain(m->complaints, place, "`%.80s` includes itself", path);
        return NULL;
    }
    size_t bytes = text == NULL ? 0 : strlen(text);
    if (text == NULL)
        text = yaml_read_file(path, place, &bytes, m->arena, m->complaints);
    if (text == NULL)
        return NULL;
    m->files++;
    struct yaml *root = parse_root(m, path, text, bytes);
    if (root == NULL)
        return NULL;
    ASSERT(m->depth <= INCLUDE_DEPTH_MAX);
    m->chain[m->depth++] = id;
    root = include_all(m, path, root);
    m->depth--;
    return root;
}

char *merge_path_part(const char *path, const char **rest, struct arena *arena)
{
    ASSERT(path != NULL && rest != NULL);
    const char *from = path, *end;
    if (path[0] == '"') {
        from++;
        end = strchr(from, '"');
        if (end == NULL || (end[1] != '\0' && end[1] != '.'))
            return NULL;
        *rest = end + 1;
    } else {
        end = path + strcspn(path, ".\"");
        if (*end == '"')
            return NULL;
        *rest = end;
    }
    if (end == from || (**rest == '.' && (*rest)[1] == '\0'))
        return NULL;
    if (**rest == '.')
        (*rest)++;
    return arena_text(arena, from, (size_t)(end - from));
}

/* The place of `part` in a list, UINT32_MAX if it names none. */
static uint32_t list_index(const struct yaml *list, const char *part)
{
    size_t length = strlen(part);
    if (length == 0 || length > 6 || strspn(part, "0123456789") != length)
        return UINT32_MAX;
    unsigned long index = strtoul(part, NULL, 10);
    return index < list->count ? (uint32_t)index : UINT32_MAX;
}

/* The slot that `part` names in `node`, made if it is an absent key of a map; NULL: none. A list of
 * one map needs no place, as in a sweep. */
static struct yaml **slot_of(struct yaml *node, const char *part, struct place place,
                             struct arena *arena)
{
    if (node->kind == YAML_LIST && node->count == 1 && node->item[0]->kind == YAML_MAP &&
        (part[0] < '0' || part[0] > '9'))
        node = node->item[0];
    if (node->kind == YAML_LIST) {
        uint32_t index = list_index(node, part);
        return index == UINT32_MAX ? NULL : &node->item[index];
    }
    ASSERT(node->kind == YAML_MAP);
    if (yaml_get(node, part) == NULL)
        yaml_put(arena, node, yaml_new_text(arena, place, part), yaml_new(arena, YAML_MAP, place));
    for (uint32_t k = 0; k < node->count; k++)
        if (strcmp(node->key[k]->text, part) == 0)
            return &node->item[k];
    return NULL;
}

bool merge_set_path(struct yaml *root, const char *path, struct place place,
                    const struct yaml *value, struct arena *arena, struct complaints *complaints)
{
    ASSERT(root != NULL && value != NULL);
    ASSERT(root->kind != YAML_TEXT);
    const char *rest = path;
    struct yaml **slot = &root;
    while (*rest != '\0') {
        struct place here = place;
        here.column += (uint32_t)(rest - path);
        const char *before = rest;
        char *part = merge_path_part(rest, &rest, arena);
        if (part == NULL) {
            complain(complaints, here, "`%.80s` is no path of keys; as variants.loris.checkpoint",
                     path);
            return false;
        }
        if ((*slot)->kind == YAML_TEXT) {
            complain(complaints, here, "`%.*s` is a single value and has no `%.80s`",
                     before == path ? 0 : (int)(before - path - 1), path, part);
            return false;
        }
        const struct yaml *holder = *slot;
        slot = slot_of(*slot, part, here, arena);
        if (slot == NULL) {
            complain(complaints, here,
                     "`%.80s` is no place of a list of %u; places are numbered from 0", part,
                     holder->count);
            return false;
        }
    }
    *slot = yaml_copy(arena, value);
    return true;
}

const struct yaml *merge_get_path(const struct yaml *root, const char *path, struct arena *arena)
{
    ASSERT(root != NULL);
    const struct yaml *node = root;
    while (node != NULL && *path != '\0') {
        const char *part = merge_path_part(path, &path, arena);
        uint32_t index = UINT32_MAX;
        if (part == NULL || node->kind == YAML_TEXT)
            return NULL;
        if (node->kind == YAML_MAP) {
            node = yaml_get(node, part);
            continue;
        }
        index = list_index(node, part);
        node = index == UINT32_MAX ? NULL : node->item[index];
    }
    return node;
}

/* Where the value of KEY=VALUE begins, NULL if there is no = outside quotes. */
static const char *find_equals(const char *set)
{
    bool quoted = false;
    for (; *set != '\0'; set++) {
        if (*set == '"')
            quoted = !quoted;
        if (*set == '=' && !quoted)
            return set;
    }
    return NULL;
}

static void apply_set(struct merger *m, struct yaml *root, const char *set)
{
    struct place place = {"--set", 1, 1};
    const char *equals = find_equals(set);
    if (equals == NULL || equals == set) {
        complain(m->complaints, place,
                 "`%.80s` is not KEY=VALUE; as --set variants.loris.checkpoint=10s", set);
        return;
    }
    const char *key = arena_text(m->arena, set, (size_t)(equals - set)), *rest = key;
    const char *head = merge_path_part(key, &rest, m->arena);
    if (head != NULL && strcmp(head, "include") == 0) {
        complain(m->complaints, place,
                 "`include` cannot be set: files are included before --set; set what they hold");
        return;
    }
    struct yaml *value = yaml_parse(equals + 1, strlen(equals + 1), "--set",
                                    (uint32_t)(equals + 2 - set), m->arena, m->complaints);
    if (value != NULL)
        (void)merge_set_path(root, key, place, value, m->arena, m->complaints);
}

static void apply_number(struct merger *m, struct yaml *root, const char *option, const char *key,
                         uint64_t number)
{
    struct place place = {option, 1, 1};
    yaml_put(
        m->arena, root, yaml_new_text(m->arena, place, key),
        yaml_new_text(m->arena, place, arena_printf(m->arena, "%llu", (unsigned long long)number)));
}

struct yaml *merge_campaign(const struct plan_request *request, const char *text,
                            struct arena *arena, struct complaints *complaints)
{
    ASSERT(request != NULL && request->path != NULL);
    struct merger m = {.arena = arena, .complaints = complaints};
    struct yaml *root = load(&m, request->path, text, (struct place){request->path, 1, 1});
    if (root == NULL)
        return NULL;
    for (uint32_t k = 0; k < request->set_count; k++)
        apply_set(&m, root, request->sets[k]);
    if (request->trials_given)
        apply_number(&m, root, "--trials", "trials", request->trials);
    if (request->seed_given)
        apply_number(&m, root, "--seed", "seed", request->seed);
    return root;
}
