/*
 * Memory that lives as long as a plan: allocated piece by piece, freed at once. Pieces are zeroed
 * and aligned to 16 bytes. Running out of memory ends the program with exit 3.
 */
#ifndef LORIS_CAMPAIGN_ARENA_H
#define LORIS_CAMPAIGN_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena;

struct arena *arena_create(void);
void arena_destroy(struct arena *arena); /* NULL is allowed */

/* `bytes` zeroed bytes; 0 gives a valid pointer too. */
void *arena_alloc(struct arena *arena, size_t bytes);

/* A copy of `length` bytes of text, ended by NUL. */
char *arena_text(struct arena *arena, const char *text, size_t length);

/* A formatted text. */
__attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *arena, const char *format,
                                                         ...);
__attribute__((format(printf, 2, 0))) char *arena_vprintf(struct arena *arena, const char *format,
                                                          va_list args);

/* An array of `count` zeroed elements of `size` bytes. */
#define ARENA_ARRAY(arena, type, count) ((type *)arena_alloc(arena, sizeof(type) * (size_t)(count)))

#endif
