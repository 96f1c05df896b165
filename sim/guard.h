/*
 * The laboratory's own memory, closed while a program of the stack runs (strict mode `full`): a
 * wild store into a disk's content, a history or a record is then that process's crash, not a
 * result that nobody can trust, nor the laboratory's end.
 *
 * Closed is what the host lists as private, writable and without a file: the heap, the disks, all
 * that was mapped for tables. Open stay the globals of program and libraries (among them the stack
 * that crash handlers run on), the simulator's stack, which the switch back needs at once, and the
 * thread's own block, which the host's kernel writes to; no few flipped bits lead from a region to
 * any of these (address_plan.h). The machine, which platform calls read, can be read; of it the
 * pages with the running process's slot can be written.
 *
 * By mprotect, whose cost is that of the resident pages: some 0.1 ms a switch, of which a trial has
 * a hundred thousand. Protection keys would do it in nanoseconds, but few hosts have them, and one
 * way is enough for what is used in tests and when one trial is told.
 *
 * Invariants: (1) closed only between sim_guard_close and sim_guard_open, in which the simulator
 * touches its stack, its globals and the running process's slot alone; (2) what was mapped after
 * the last scan is open.
 */
#ifndef LORIS_SIM_GUARD_H
#define LORIS_SIM_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_GUARD_SPANS_MAX 512u

struct sim_guard {
    uint64_t low[SIM_GUARD_SPANS_MAX], high[SIM_GUARD_SPANS_MAX]; /* what is closed, by address */
    uint32_t count;
    uint64_t keep_low, keep_high; /* the memory that stays readable */
    bool closed;
};

/*
 * Notes what there is to close. keep: memory of `keep_bytes`, both multiples of a page, in which
 * `guard` itself lies and which stays readable. Returns whether the host lists its mappings at all;
 * if not there is nothing that could be closed (nor in the build with address sanitizer).
 */
bool sim_guard_scan(struct sim_guard *guard, const void *keep, size_t keep_bytes);

/* Closes it, but for the pages of [open, open + open_bytes) within what is kept. */
void sim_guard_close(struct sim_guard *guard, const void *open, size_t open_bytes);

/* Opens it again. Free if it is. */
void sim_guard_open(struct sim_guard *guard);

#endif
