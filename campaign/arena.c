#include "campaign/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"

#define CHUNK_BYTES (64u * 1024)
#define ALIGN_BYTES 16u

struct chunk {
    struct chunk *next;
    size_t used, room;
    _Alignas(ALIGN_BYTES) unsigned char bytes[];
};

struct arena {
    struct chunk *chunks; /* the newest first */
};

static void *must_alloc(size_t bytes)
{
    void *memory = calloc(1, bytes);
    ASSERT(memory != NULL); /* the host is out of memory */
    return memory;
}

struct arena *arena_create(void)
{
    return must_alloc(sizeof(struct arena));
}

void arena_destroy(struct arena *arena)
{
    if (arena == NULL)
        return;
    for (struct chunk *c = arena->chunks, *next; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    free(arena);
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    ASSERT(arena != NULL);
    ASSERT(bytes < SIZE_MAX / 2);
    size_t need = (bytes + ALIGN_BYTES) / ALIGN_BYTES * ALIGN_BYTES;
    struct chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->room - chunk->used < need) {
        size_t room = need > CHUNK_BYTES ? need : CHUNK_BYTES;
        chunk = must_alloc(sizeof(*chunk) + room);
        chunk->room = room;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    void *piece = chunk->bytes + chunk->used;
    chunk->used += need;
    ASSERT(chunk->used <= chunk->room);
    return piece;
}

char *arena_text(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    if (length > 0)
        memcpy(copy, text, length);
    return copy;
}

char *arena_vprintf(struct arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    ASSERT(format != NULL);
    int length = vsnprintf(NULL, 0, format, args);
    ASSERT(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    (void)vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}
