/*
 * A small real machine for the injector: two disks, two servers (naming 0 and 1) that a third
 * process (cache 0) sends a message to each millisecond (a read of 22 sectors from 11, 12, 13, 11,
 * ... on), and an injector that is told what happens
 * as the trial runner would tell it. Requests of disks are made by the test itself.
 */
#ifndef LORIS_FAULTS_TESTS_RIG_H
#define LORIS_FAULTS_TESTS_RIG_H

#include "faults/inject.h"

#define RIG_MS UINT64_C(1000000)
#define RIG_DISKS 2u
#define RIG_SECTORS 8u /* of each request */
#define RIG_PAGES_BYTES 65536u

struct rig {
    struct sim_machine *machine;
    struct injector *injector;
    struct fault fault[FAULTS_PER_PLAN_MAX];
    struct fault_plan plan;
    struct offer offer;
    struct stack_options options;
    uint64_t recovery_ns[FAULTS_PER_PLAN_MAX];
    uint64_t origin_ns;
    uint32_t strikes; /* struck() calls, and of whom in order */
    uint32_t order[64];
    uint32_t cuts;
    uint32_t deaths[RIG_DISKS]; /* of naming 0 and 1 */
    uint64_t messages_at_death[RIG_DISKS], blocks_at_death[RIG_DISKS];
    uint64_t handled[RIG_DISKS]; /* messages that their code saw, and the last of them */
    struct msg last[RIG_DISKS];
    bool answers; /* the messages are answers, every other one of an error */
    /* Bits set in the pages of naming 0, all zero at first: half of them clean, then a quarter
     * dirty, a quarter unused. Counted by it at each message, if it looks. */
    bool looks;
    uint32_t bits, dirty_bits;
};
extern struct rig rig;

/* Fixture: a machine that is up, with an empty plan. */
void rig_setup(void);
void rig_teardown(void);

/* Appends a fault of this kind and moment to the plan, with the defaults of campaign files. */
struct fault *rig_fault(enum fault_kind kind, enum fault_when_kind when, int64_t number);

/* Arms the first `count` faults of the plan now: time 0. */
void rig_arm(uint32_t count);

const struct strike *rig_strike(uint32_t i);

/* Lets virtual time pass. */
void rig_run(uint64_t ns);

/* Sectors of capital letters are applications' content, each of the file of its name. */

/* One write of RIG_SECTORS sectors full of `byte`, or a read of them, to its answer. */
enum sim_disk_status rig_write(uint32_t disk, uint64_t sector, uint8_t byte);
enum sim_disk_status rig_read(uint32_t disk, uint64_t sector, uint8_t *to);
enum sim_disk_status rig_flush(uint32_t disk);

/* Makes what the disks have accepted stable. */
void rig_settle(void);

#endif
