/*
 * The operations that sequences of app `bounded` are made of, and the rules by which a sequence can
 * be run. Private to bounded*.c.
 */
#ifndef LORIS_WORKLOADS_APPS_BOUNDED_OPS_H
#define LORIS_WORKLOADS_APPS_BOUNDED_OPS_H

#include "workloads/apps/bounded.h"

/* The first six are files, two in each directory; what a name means in `bounded_paths`. */
enum bounded_path {
    PATH_FOO,
    PATH_BAR,
    PATH_A_FOO,
    PATH_A_BAR,
    PATH_B_FOO,
    PATH_B_BAR,
    PATH_A,
    PATH_B,
    PATH_ROOT, /* the home directory; parents only */
    PATHS
};
#define PATH_FILES 6u
#define PATH_BIT(path) (1u << (path))
extern const char *const bounded_path_names[PATHS];

enum bounded_kind {
    BOUNDED_CREATE,
    BOUNDED_APPEND,
    BOUNDED_OVERWRITE,
    BOUNDED_UNALIGNED,
    BOUNDED_SPARSE,
    BOUNDED_ZERO, /* truncate to nothing */
    BOUNDED_CUT,  /* to less */
    BOUNDED_GROW, /* to more */
    BOUNDED_UNLINK,
    BOUNDED_CHMOD,
    BOUNDED_MKDIR,
    BOUNDED_RMDIR,
    BOUNDED_RENAME,
    BOUNDED_LINK,
    BOUNDED_SYMLINK, /* path: the target */
    BOUNDED_KINDS
};

struct bounded_op {
    enum bounded_kind kind;
    enum bounded_path path, path2; /* path2: of those with two, else PATH_ROOT */
};

/* The directory of a path; that of the root is the root. */
enum bounded_path bounded_parent(enum bounded_path path);

/* All BOUNDED_OPS operations, in the order of their numbers. */
void bounded_list_ops(struct bounded_op ops[BOUNDED_OPS]);

/* The number of an operation. */
uint8_t bounded_op_number(const struct bounded_op ops[BOUNDED_OPS], const struct bounded_op *op);

/* Where symmetry `g` takes a path. */
enum bounded_path bounded_path_image(uint32_t g, enum bounded_path path);

/* The paths of an operation and their parents, a bit each. */
uint32_t bounded_used(const struct bounded_op *op);

/* Whether the operation is one of `core`. */
bool bounded_is_core(enum bounded_kind kind);

/* What is known of a path after some operations. */
enum bounded_state { STATE_UNKNOWN, STATE_ABSENT, STATE_FILE, STATE_DIRECTORY };

struct bounded_world {
    uint8_t state[PATH_ROOT];  /* enum bounded_state */
    uint8_t origin[PATH_ROOT]; /* an unknown path: the one that it was before directories moved */
    uint32_t setup;            /* paths that must exist before: a bit each */
    uint32_t absent;           /* paths that must not */
    uint32_t wanted;           /* targets of symbolic links: made if nothing forbids it */
};

void bounded_world_init(struct bounded_world *w);

/* Runs one more operation. False: its need is unmet where the path is known; *w is of no use then.
 */
bool bounded_world_apply(struct bounded_world *w, const struct bounded_op *op);

/* The paths that the set-up makes, a bit each. */
uint32_t bounded_world_setup(const struct bounded_world *w);

#endif
