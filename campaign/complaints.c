#include "campaign/complaints.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "sim/option.h"

struct complaint {
    struct place place;
    size_t file_rank; /* order in which the file was first complained of */
    size_t serial;
    const char *text;
};

struct complaints {
    struct arena *arena;
    size_t count, dropped, files;
    const char *file[COMPLAINTS_MAX];
    struct complaint list[COMPLAINTS_MAX];
};

struct complaints *complaints_create(struct arena *arena)
{
    struct complaints *list = arena_alloc(arena, sizeof(*list));
    list->arena = arena;
    return list;
}

static size_t rank_of_file(struct complaints *list, const char *file)
{
    for (size_t k = 0; k < list->files; k++)
        if (strcmp(list->file[k], file) == 0)
            return k;
    ASSERT(list->files < COMPLAINTS_MAX);
    list->file[list->files] = file;
    return list->files++;
}

static bool is_place(struct place a, struct place b)
{
    return a.line == b.line && a.column == b.column && strcmp(a.file, b.file) == 0;
}

static bool said(const struct complaints *list, struct place place, const char *text)
{
    for (size_t k = 0; k < list->count; k++)
        if (is_place(list->list[k].place, place) && strcmp(list->list[k].text, text) == 0)
            return true;
    return false;
}

void complain(struct complaints *list, struct place place, const char *format, ...)
{
    ASSERT(list != NULL);
    ASSERT(place.file != NULL && place.line >= 1 && place.column >= 1);
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(list->arena, format, args);
    va_end(args);
    if (said(list, place, text))
        return;
    if (list->count == COMPLAINTS_MAX) {
        list->dropped++;
        return;
    }
    list->list[list->count] =
        (struct complaint){place, rank_of_file(list, place.file), list->count, text};
    list->count++;
}

void complaints_copy(struct complaints *list, const struct complaints *from, struct place place)
{
    ASSERT(list->arena == from->arena);
    for (size_t k = 0; k < from->count; k++)
        if (is_place(from->list[k].place, place))
            complain(list, place, "%s", from->list[k].text);
}

size_t complaints_count(const struct complaints *list)
{
    return list->count + list->dropped;
}

static int compare(const void *left, const void *right)
{
    const struct complaint *a = left, *b = right;
    if (a->file_rank != b->file_rank)
        return a->file_rank < b->file_rank ? -1 : 1;
    if (a->place.line != b->place.line)
        return a->place.line < b->place.line ? -1 : 1;
    if (a->place.column != b->place.column)
        return a->place.column < b->place.column ? -1 : 1;
    return a->serial < b->serial ? -1 : a->serial > b->serial;
}

/* Control characters would let a file's content move the cursor of a terminal. */
static void put_text(const char *text, FILE *to)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        (void)fputc(byte < 0x20 || byte == 0x7f ? '?' : byte, to);
    }
}

void complaints_print(struct complaints *list, FILE *to)
{
    ASSERT(list != NULL && to != NULL);
    qsort(list->list, list->count, sizeof(list->list[0]), compare);
    for (size_t k = 0; k < list->count; k++) {
        const struct complaint *c = &list->list[k];
        put_text(c->place.file, to);
        (void)fprintf(to, ":%u:%u: ", c->place.line, c->place.column);
        put_text(c->text, to);
        (void)fputc('\n', to);
    }
    if (list->dropped > 0)
        (void)fprintf(to, "%s:1:1: and %zu more errors; the first %d are shown\n",
                      list->list[0].place.file, list->dropped, COMPLAINTS_MAX);
}

const char *did_you_mean(struct arena *arena, const char *word, const char *const *candidates,
                         size_t count)
{
    const char *guess = option_nearest(word, candidates, count);
    return guess == NULL ? "" : arena_printf(arena, "; did you mean `%s`?", guess);
}

const char *join_names(struct arena *arena, const char *const *names, size_t count)
{
    size_t bytes = 1;
    for (size_t k = 0; k < count; k++)
        bytes += strlen(names[k]) + 2;
    char *text = arena_alloc(arena, bytes);
    char *end = text;
    for (size_t k = 0; k < count; k++) {
        if (k > 0)
            end = stpcpy(end, ", ");
        end = stpcpy(end, names[k]);
    }
    return text;
}
