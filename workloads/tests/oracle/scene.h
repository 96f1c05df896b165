/* Short words for tests: one line an operation of a history, one line a thing that is read back. */
#ifndef LORIS_WORKLOADS_TESTS_ORACLE_SCENE_H
#define LORIS_WORKLOADS_TESTS_ORACLE_SCENE_H

#include "workloads/oracle/judge.h"

struct scene {
    struct history *h;
    struct observation *o;
    struct judge *j;
    struct judge_verdict v;
    uint64_t now; /* each request and each answer takes 10 ns */
    uint8_t bytes[1 << 16];
};

/* A new history of so many environments with one application each. */
void scene_open(struct scene *s, uint32_t environments);
void scene_close(struct scene *s);

/* An operation from begin to end; returns its number. result: the answer's. */
uint32_t scene_do(struct scene *s, uint32_t app, struct history_call call, enum err result);
uint32_t scene_begin(struct scene *s, uint32_t app, struct history_call call);
void scene_end(struct scene *s, uint32_t op, struct history_answer answer);

/* Creates a file and writes `bytes` from 0 on with descriptor 3, left open. Returns the write. */
uint32_t scene_file(struct scene *s, uint32_t app, const char *path, uint64_t bytes);
uint32_t scene_write(struct scene *s, uint32_t app, uint64_t offset, uint64_t bytes);
uint32_t scene_fsync(struct scene *s, uint32_t app);

/* The power is cut: all applications die. */
void scene_cut(struct scene *s);

/* A read of [offset, offset + bytes) that comes as `data` (NULL: s->bytes). Whether it was right.
 */
bool scene_read(struct scene *s, uint32_t app, uint64_t offset, uint64_t asked, uint64_t came);

/* Puts what operation `writer` wrote at [offset, offset + bytes) into s->bytes, at its place. */
void scene_fill(struct scene *s, uint32_t writer, uint64_t offset, uint64_t bytes);

/* A file of mode 0644 and one link, with s->bytes[0, size) in it. Returns the node. */
uint32_t scene_see(struct scene *s, uint32_t dir, const char *name, uint64_t ino, uint64_t size);

/* An empty or full directory, listed. */
uint32_t scene_see_dir(struct scene *s, uint32_t dir, const char *name, uint64_t ino);

/* A root, listed. */
uint32_t scene_root(struct scene *s, uint32_t environment, bool shared);

/* Judges with a machine that runs and no checker. */
enum level scene_judge(struct scene *s);

#endif
