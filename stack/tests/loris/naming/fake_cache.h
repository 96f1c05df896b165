/*
 * A cache in a few functions, for tests of naming: objects in host memory, one transaction at a
 * time whose changes are noted so that they can be taken back, and a table of the last replies. It
 * can die at the n-th request.
 */
#ifndef LORIS_STACK_TESTS_NAMING_FAKE_CACHE_H
#define LORIS_STACK_TESTS_NAMING_FAKE_CACHE_H

#include "object.h"

#define FAKE_OBJECTS 256u
#define FAKE_OBJECT_BYTES (8u << 20)

struct fake_object {
    uint64_t oid; /* 0: free */
    uint64_t size;
    uint32_t flags; /* of its creation */
    uint8_t attr[OBJECT_ATTR_BYTES];
    uint8_t *data; /* FAKE_OBJECT_BYTES, zeros beyond size */
};

/* Empty, alive, registered as the layer's peer. */
void fake_cache_init(void);
/* It dies (losing an open transaction) when it receives its n-th request from now on; 0: never. */
void fake_cache_die_at(uint64_t n);
/* It dies when it receives any of the next n requests of that kind. */
void fake_cache_die_often(uint32_t n, enum object_op op);
uint32_t fake_cache_deaths(void); /* since then */
/* The next n changes answer E_AGAIN. */
void fake_cache_give_way(uint32_t n);

/* hook(ctx, n) is called before the n-th read of data from now on (1: first); NULL: none. */
void fake_cache_on_read(void (*hook)(void *ctx, uint64_t n), void *ctx);
/* The next n requests of that kind answer e and do nothing. */
void fake_cache_fail(enum object_op op, enum err e, uint32_t n);

uint64_t fake_cache_bytes(void);              /* in whole blocks, of all objects */
uint32_t fake_cache_objects(void);            /* that exist */
uint64_t fake_cache_count(enum object_op op); /* requests of that kind so far */
uint64_t fake_cache_commits(void);
uint64_t fake_cache_hole_bytes(void); /* written with OBJECT_HOLE so far */
struct fake_object *fake_cache_find(uint64_t oid);

#endif
