/* Canonical YAML of a tree, see yaml_write in yaml.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "campaign/yaml.h"

#define BLOCK_LEVELS 2 /* top keys, and the entries of maps below them */

/* Whether the text may stand without quotes, in flow style too, and means the same. */
static bool plain_is_safe(const char *text)
{
    static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t length = strlen(text);
    if (length == 0 || strchr(first, text[0]) == NULL || text[length - 1] == ' ')
        return false;
    if (strcmp(text, "null") == 0 || strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0)
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if (strchr(first, *c) == NULL && strchr("._-/%@=+ ()", *c) == NULL)
            return false;
    return true;
}

static void write_text(FILE *to, const struct yaml *node)
{
    const char *text = node->text;
    if (plain_is_safe(text)) {
        (void)fputs(text, to);
        return;
    }
    (void)fputc('"', to);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            (void)fprintf(to, "\\%c", byte);
        else if (byte == '\n')
            (void)fputs("\\n", to);
        else if (byte < 0x20 || byte == 0x7f)
            (void)fprintf(to, "\\x%02x", byte);
        else
            (void)fputc(byte, to);
    }
    (void)fputc('"', to);
}

static void write_flow(FILE *to, const struct yaml *node)
{
    if (node->kind == YAML_TEXT) {
        write_text(to, node);
        return;
    }
    (void)fputc(node->kind == YAML_MAP ? '{' : '[', to);
    for (uint32_t k = 0; k < node->count; k++) {
        if (k > 0)
            (void)fputs(", ", to);
        if (node->kind == YAML_MAP) {
            write_text(to, node->key[k]);
            (void)fputs(": ", to);
        }
        write_flow(to, node->item[k]);
    }
    (void)fputc(node->kind == YAML_MAP ? '}' : ']', to);
}

static void write_block(FILE *to, const struct yaml *map, int level)
{
    for (uint32_t k = 0; k < map->count; k++) {
        const struct yaml *value = map->item[k];
        (void)fprintf(to, "%*s", level * 2, "");
        write_text(to, map->key[k]);
        (void)fputc(':', to);
        if (value->kind == YAML_MAP && value->count > 0 && level + 1 < BLOCK_LEVELS) {
            (void)fputc('\n', to);
            write_block(to, value, level + 1);
            continue;
        }
        (void)fputc(' ', to);
        write_flow(to, value);
        (void)fputc('\n', to);
    }
}

char *yaml_write(struct arena *arena, const struct yaml *root)
{
    ASSERT(root != NULL);
    ASSERT(root->kind == YAML_MAP);
    char *buffer = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&buffer, &bytes);
    ASSERT(memory != NULL);
    write_block(memory, root, 0);
    int failed = fclose(memory);
    ASSERT(failed == 0);
    char *text = arena_text(arena, buffer, bytes);
    free(buffer);
    return text;
}
