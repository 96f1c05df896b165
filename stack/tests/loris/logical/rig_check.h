/* The checker of raw disks over the disks of rig_pool.h, as they are now. */
#ifndef LORIS_STACK_TESTS_LORIS_LOGICAL_RIG_CHECK_H
#define LORIS_STACK_TESTS_LORIS_LOGICAL_RIG_CHECK_H

#include "stack/tests/loris/logical/rig_pool.h"
#include "workloads/checkers/loris_check.c"
#include "workloads/checkers/loris_check_log.c"
#include "workloads/checkers/loris_layout.c"
#include "workloads/checkers/loris_parity.c"
#include "workloads/checkers/loris_pool.c"
#include "workloads/checkers/loris_roots.c"
#include "workloads/checkers/loris_tree.c"

static struct checker_verdict verdict;

/* In the place of names_check.c: objects of these tests are no files. */
uint64_t names_check(const struct names_input *in)
{
    (void)in;
    return 0;
}

static void read_raw(void *context, uint32_t disk, uint64_t block, uint8_t *to, bool *readable)
{
    (void)context;
    *readable = true;
    memcpy(to, rig.disk[disk].medium + block * BLOCK_BYTES, BLOCK_BYTES);
}

static void run_check(void)
{
    struct checker_disks disks = {.read_block = read_raw, .count = pool.options.disks};
    for (uint32_t k = 0; k < pool.options.disks; k++) {
        disks.blocks[k] = rig.disk[k].sectors / 8;
        disks.dead[k] = rig.disk[k].gone;
    }
    loris_check(&disks, &verdict);
}

static void expect_sound(void)
{
    run_check();
    ck_assert_msg(verdict.ok, "%s", verdict.text);
    ck_assert_uint_eq(verdict.leaked_blocks, 0);
}

#endif
