/* The tree of what deterministic code did with what it read. */
#include "scripts/check_main.h"
#include "sim/memo.h"

#define VARIABLES 6u

static struct sim_memo *memo;
static uint32_t content[VARIABLES + 1];

/* Deterministic code: reads 1, then by its content 2 or 3, then 4 if that is odd. */
static uint32_t next_of(uint32_t at, uint32_t variable)
{
    if (at == 0)
        return 1;
    if (at == 1)
        return content[variable] % 2 == 0 ? 2 : 3;
    return at == 2 && content[variable] % 2 != 0 ? 4 : 0;
}

static void run(uint32_t leaf)
{
    uint32_t variable = 0;
    sim_memo_enter(memo);
    for (uint32_t at = 0; (variable = next_of(at, variable)) != 0; at++)
        sim_memo_read(memo, variable, content[variable]);
    sim_memo_leave(memo, leaf);
}

static uint32_t value(void *context, uint32_t variable)
{
    (void)context;
    return content[variable];
}

static void set(uint32_t one, uint32_t two, uint32_t three, uint32_t four)
{
    content[1] = one;
    content[2] = two;
    content[3] = three;
    content[4] = four;
}

START_TEST(test_memo__equal_reads_lead_to_the_leaf_that_was_reached)
{
    memo = sim_memo_create();
    set(0, 2, 9, 9);
    ck_assert_uint_eq(sim_memo_follow(memo, value, NULL), UINT32_MAX);
    run(0);
    ck_assert_uint_eq(sim_memo_follow(memo, value, NULL), 0);
    set(0, 2, 1, 5); /* what it never reads may differ */
    ck_assert_uint_eq(sim_memo_follow(memo, value, NULL), 0);
    set(0, 3, 1, 5);
    ck_assert_uint_eq(sim_memo_follow(memo, value, NULL), UINT32_MAX);
    run(1);
    ck_assert_uint_eq(sim_memo_follow(memo, value, NULL), 1);
    set(1, 3, 1, 6); /* the other branch, to the same variable 4 */
    ck_assert_uint_eq(sim_memo_follow(memo, value, NULL), UINT32_MAX);
    run(2);
    set(1, 3, 1, 5);
    ck_assert_uint_eq(sim_memo_follow(memo, value, NULL), UINT32_MAX);
    set(0, 2, 9, 9);
    ck_assert_uint_eq(sim_memo_follow(memo, value, NULL), 0);
    sim_memo_reset(memo);
    ck_assert_uint_eq(sim_memo_follow(memo, value, NULL), UINT32_MAX);
    sim_memo_destroy(memo);
}
END_TEST

START_TEST(test_memo__code_that_reads_otherwise_is_a_bug_and_exits_3)
{
    memo = sim_memo_create();
    sim_memo_enter(memo);
    sim_memo_read(memo, 1, 0);
    sim_memo_leave(memo, 0);
    sim_memo_enter(memo);
    sim_memo_read(memo, 2, 0);
}
END_TEST

CHECK_MAIN("memo", 60, tcase_add_test(tc, test_memo__equal_reads_lead_to_the_leaf_that_was_reached);
           tcase_add_exit_test(tc, test_memo__code_that_reads_otherwise_is_a_bug_and_exits_3, 3);)
