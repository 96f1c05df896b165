/* Options that are maps of patterns, as {"*.db": n-way}. */
#include <string.h>

#include "assertion.h"
#include "campaign/parse.h"

/* What is wrong with a path pattern behind its first slash; NULL: nothing. */
static const char *wrong_path(const char *pattern)
{
    uint32_t parts = 0;
    for (const char *p = pattern; *p == '/'; parts++) {
        size_t bytes = strcspn(++p, "/");
        if (bytes == 0)
            return "a path has a name after each slash";
        if (p[0] == '.' && (bytes == 1 || (bytes == 2 && p[1] == '.')))
            return "no path that is walked has `.` or `..` in it";
        p += bytes;
    }
    return parts > RAID_PATTERN_PARTS ? "a path has at most 15 names" : NULL;
}

/* What is wrong with a pattern; NULL: nothing. */
static const char *wrong_pattern(const char *pattern)
{
    size_t bytes = strlen(pattern);
    if (bytes == 0)
        return "it is empty";
    if (bytes > RAID_PATTERN_MAX)
        return "it has more than 63 bytes";
    for (size_t k = 0; k < bytes; k++)
        if ((unsigned char)pattern[k] <= ' ' || pattern[k] == '=')
            return "blanks and `=` are not allowed in it";
    if (pattern[0] == '/')
        return wrong_path(pattern);
    if (strchr(pattern, '/') != NULL)
        return "a path begins with a slash, a name has none";
    return NULL;
}

bool parse_rules(struct parse *p, const struct option_spec *spec, const struct yaml *node,
                 struct option_value *value)
{
    struct option_spec choice = {
        .name = spec->name, .type = OPTION_CHOICE, .choices = spec->choices};
    const char *text = "";
    bool sound = true;
    ASSERT(spec->type == OPTION_RULES && node->kind == YAML_MAP);
    if (node->count > (uint64_t)spec->max) {
        complain(p->complaints, node->place, "`%s` has %u patterns; at most %lld are allowed",
                 spec->name, node->count, (long long)spec->max);
        return false;
    }
    for (uint32_t k = 0; k < node->count; k++) {
        const char *pattern = node->key[k]->text;
        const char *wrong = wrong_pattern(pattern);
        struct option_value level;
        if (wrong != NULL)
            complain(p->complaints, node->key[k]->place, "`%.80s` is no pattern of `%s`: %s",
                     pattern, spec->name, wrong);
        sound = parse_value(p, &choice, node->item[k], &level) && sound && wrong == NULL;
        if (sound)
            text = arena_printf(p->arena, "%s%s=%s\n", text, pattern, level.text);
    }
    *value = (struct option_value){.given = true, .text = text};
    return sound;
}
