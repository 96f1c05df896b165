/* Operation lists of app `script`: read from their files, and checked line by line. */
#include <string.h>

#include "assertion.h"
#include "campaign/merge.h"
#include "campaign/parse.h"
#include "workloads/script.h"

void parse_script(struct parse *p, const char *text, const char *file, struct place place)
{
    struct script_op op;
    struct script_place at = {0, 0};
    char error[SCRIPT_ERROR_BYTES];
    ASSERT(text != NULL);
    for (;;) {
        enum script_next next = script_next(&text, &op, &at, error);
        if (next == SCRIPT_END)
            return;
        if (next != SCRIPT_BAD)
            continue;
        if (file != NULL)
            complain(p->complaints, (struct place){file, at.line, at.column}, "%s", error);
        else
            complain(p->complaints, place, "line %u of `operations`: %s", at.line, error);
    }
}

static void inline_script(struct parse *p, struct yaml *map)
{
    if (map->kind != YAML_MAP)
        return;
    struct yaml *file = yaml_get(map, "file");
    if (file == NULL || file->kind != YAML_TEXT || yaml_is_empty(file) ||
        yaml_get(map, "operations") != NULL)
        return;
    const char *path = merge_relative(p->arena, file->place.file, file->text);
    size_t bytes = 0;
    char *content = yaml_read_file(path, file->place, &bytes, p->arena, p->complaints);
    if (content == NULL)
        return;
    if (memchr(content, '\0', bytes) != NULL) {
        complain(p->complaints, file->place, "`%.200s` is no operation list: it has NUL bytes",
                 path);
        return;
    }
    if (bytes >= 3 && memcmp(content, "\xef\xbb\xbf", 3) == 0) /* a byte order mark */
        content += 3;
    parse_script(p, content, path, file->place);
    struct yaml *value = yaml_new_text(p->arena, file->place, content);
    value->plain = false;
    value->content = true;
    yaml_remove(map, "file");
    yaml_put(p->arena, map, yaml_new_text(p->arena, file->place, "operations"), value);
}

void parse_inline_scripts(struct parse *p)
{
    struct yaml *workloads = yaml_get(p->root, "workloads");
    if (workloads == NULL || workloads->kind != YAML_MAP)
        return;
    for (uint32_t k = 0; k < workloads->count; k++) {
        struct yaml *entry = workloads->item[k];
        inline_script(p, entry);
        for (uint32_t j = 0; entry->kind == YAML_LIST && j < entry->count; j++)
            inline_script(p, entry->item[j]);
    }
}
