/*
 * The few functions of the C library that the compiler itself may call, and so the only ones that
 * stack code uses. Bytes moved by these are charged as basic blocks only; copy page data with
 * plat_copy (platform.h), which is charged by the byte.
 */
#ifndef LORIS_MEM_H
#define LORIS_MEM_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
size_t strlen(const char *text);

#endif
