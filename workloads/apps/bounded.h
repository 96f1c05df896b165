/*
 * Bounded exhaustive operation sequences (app `bounded`): every sequence of 1, 2 or 3 operations on
 * eight paths, up to symmetry, that can be run, with every choice of what is made persistent after
 * each. A sequence is an operation list as of app `script`: its set-up, `sync`, `mark`, and the
 * operations. The rules are in workloads/README.md.
 *
 * Paths: files foo, bar, A/foo, A/bar, B/foo, B/bar; directories A, B; all in the application's
 * home directory. Symmetry: A and B may be swapped, and foo and bar in each directory: 16 ways.
 *
 * Orderly generation: a sequence is taken if no member of the group makes it smaller. Its
 * operations are chosen from the first on; each must be the least of its orbit under those members
 * that leave all before it as they are.
 *
 * Invariants: (1) numbers run from 0 without a gap, in the order of the operations, and change with
 * nothing but the three options; (2) the least number of an index entry is above that of the one
 * before.
 */
#ifndef LORIS_WORKLOADS_APPS_BOUNDED_H
#define LORIS_WORKLOADS_APPS_BOUNDED_H

#include <stdbool.h>
#include <stdint.h>

#define BOUNDED_LENGTH_MAX 3u
#define BOUNDED_OPS 156u           /* of the set `full` */
#define BOUNDED_GROUP 16u          /* symmetries */
#define BOUNDED_PREFIXES_MAX 3145u /* sequences of 2 up to symmetry: what those of 3 begin with */
#define BOUNDED_SCRIPT_BYTES 2048u /* an operation list with its end */

/* All but the last operation of some sequences, and the number of the first of them. */
struct bounded_prefix {
    uint64_t first;
    uint16_t stabiliser; /* a bit for each symmetry that leaves the operations as they are */
    uint8_t op[BOUNDED_LENGTH_MAX - 1];
};

/* The sequences of one choice of options. Plain memory of the caller: nothing is to be freed. */
struct bounded {
    uint32_t length;
    bool core, related;
    uint64_t count; /* sequences */
    uint32_t prefixes;
    struct bounded_prefix prefix[BOUNDED_PREFIXES_MAX]; /* those that have a sequence */
    uint8_t image[BOUNDED_GROUP][BOUNDED_OPS];          /* of each operation */
};

/*
 * Makes the index of all sequences.
 * length: operations, 1 to BOUNDED_LENGTH_MAX. core: without chmod, symlink and sparse writes.
 * related: only those in which each later operation shares a path other than the root with an
 * earlier one. Cost: under 1 ms for lengths 1 and 2, about 0.1 s for 3.
 */
void bounded_init(struct bounded *b, uint32_t length, bool core, bool related);

/*
 * Writes the operation list of sequence `n`, below b->count, ended by NUL. Cost: that of the last
 * operation's 156 choices, some microseconds.
 */
void bounded_script(const struct bounded *b, uint64_t n, char text[BOUNDED_SCRIPT_BYTES]);

#endif
