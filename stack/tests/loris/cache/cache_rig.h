/*
 * A cache over a store in memory, and naming's side of the conversation. When the cache crashes, it
 * is started again with the same survivor region.
 */
#ifndef LORIS_STACK_TESTS_LORIS_CACHE_CACHE_RIG_H
#define LORIS_STACK_TESTS_LORIS_CACHE_CACHE_RIG_H

#include "cache_store.h"
#include "stack/tests/fake_platform.h"

#define RIG_ENVS 3u
#define RIG_REGION (8u << 20)

struct rig {
    struct store store;
    struct boot boot;
    uint32_t client[RIG_ENVS];
    uint64_t sequence[RIG_ENVS];
    uint64_t outer[RIG_ENVS]; /* user transaction that requests are in, 0: none */
    uint32_t next_id;
    uint32_t crashes;
    bool physical; /* there is one, which nobody calls */
    bool parked;   /* the last call got no answer, and the cache lives */
    uint32_t slow; /* checkpoints begin whenever they can, and take so many requests; 0: as asked */
    uint32_t meanwhile, served; /* requests during this checkpoint; those answered in any */
};

/* Options that tests start from; change them before rig_start. */
void rig_init(struct rig *r);
void rig_start(struct rig *r);
void rig_fini(struct rig *r);
/* Power cut: the region and all volatile state below are gone. */
void rig_power_cut(struct rig *r);
uint8_t *rig_region(void);

/* Calls of environment `env` (0 ...), each in its open transaction if `txn`. E_DEAD: the cache
 * crashed and was started again. E_TIMEOUT: no answer (parked). */
enum err rig_call(struct rig *r, uint32_t env, struct object_request *q, struct object_reply *reply,
                  bool txn);
enum err rig_begin(struct rig *r, uint32_t env, bool *done);
enum err rig_commit(struct rig *r, uint32_t env);
enum err rig_abort(struct rig *r, uint32_t env);
/* OBJECT_USER_BEGIN, END, ABORT of outer[env]. */
enum err rig_user(struct rig *r, uint32_t env, enum object_op op);
enum err rig_create(struct rig *r, uint32_t env, uint64_t *oid);
enum err rig_write(struct rig *r, uint32_t env, uint64_t oid, uint64_t offset, const void *from,
                   size_t bytes);
enum err rig_read(struct rig *r, uint32_t env, uint64_t oid, uint64_t offset, void *to,
                  size_t bytes, uint32_t *moved, bool txn);
enum err rig_truncate(struct rig *r, uint32_t env, uint64_t oid, uint64_t size);
enum err rig_delete(struct rig *r, uint32_t env, uint64_t oid);
enum err rig_setattr(struct rig *r, uint32_t env, uint64_t oid, uint8_t value);
enum err rig_getattr(struct rig *r, uint32_t env, uint64_t oid, uint64_t *size, uint8_t *value,
                     bool txn);
enum err rig_sync(struct rig *r, uint32_t env, uint64_t oid);

/* Begins the next transaction of the environment; it must begin. */
void rig_next(struct rig *r, uint32_t env);
/* A new object with these bytes, committed; nothing of that may fail. Returns its id. */
uint64_t rig_make(struct rig *r, uint32_t env, const void *from, size_t bytes);
/* Bytes that differ from place to place and from seed to seed, pages in their first 16 too. */
void rig_fill(uint8_t *to, uint8_t seed, size_t bytes);
/* Reads from the start of an object into `to`, which is cleared first. */
enum err rig_read_back(struct rig *r, uint64_t oid, void *to, size_t bytes);
/* Damages what leads to the page of a block in the region: nobody finds it. How many were found. */
uint32_t rig_hide_frame(uint64_t oid, uint64_t block);
/* Flips a bit of every page in the cache that begins with these 16 bytes; returns how many. */
uint32_t rig_flip_pages(const uint8_t *start);

#endif
