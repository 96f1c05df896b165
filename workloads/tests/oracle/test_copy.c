/* Copies of histories and observations stand alone: what comes later to either does not reach the
 * other. */
#include <string.h>

#include "scripts/check_main.h"
#include "workloads/oracle/copy.h"
#include "workloads/oracle/judge.h"

static struct history *h, *copy;
static struct judge *j;

static uint32_t begin(enum history_kind kind, const char *path, int32_t fd)
{
    return history_begin(h, 0, 10,
                         &(struct history_call){.kind = kind,
                                                .path = path,
                                                .fd = fd,
                                                .flags = HISTORY_CREATE,
                                                .mode = 0644,
                                                .length = 100});
}

static void end(uint32_t op)
{
    ck_assert(
        history_end(h, op, 20, &(struct history_answer){.result = OK, .fd = 3, .moved = 100}));
}

/* The tree with file f and its first `bytes` bytes, of operation `writer` (0: the file is empty);
 * without f if there is no `creator`. */
static void observe(struct observation *o, uint32_t creator, uint32_t writer, uint64_t bytes)
{
    uint8_t data[100];
    observation_reset(o);
    uint32_t root = observe_root(o, 0, false);
    if (creator != 0) {
        uint32_t f = observe_entry(o, root, "f", HISTORY_FILE);
        struct history_stat stat = {
            .ino = 7, .size = bytes, .type = HISTORY_FILE, .mode = 0644, .nlink = 1};
        observe_stat(o, f, OK, &stat);
        if (writer != 0)
            history_fill(h, writer, 0, data, bytes);
        observe_data(o, f, 0, OK, data, bytes);
    }
    observe_listing(o, root, OK);
    uint32_t shared = observe_root(o, 0, true);
    observe_listing(o, shared, OK);
}

static enum level judged(const struct history *of, const struct observation *o)
{
    struct judge_verdict verdict;
    struct judge_input in = {.history = of, .observed = o};
    judge_trial(j, &in, &verdict);
    return verdict.level;
}

START_TEST(test_copy__is_judged_as_the_history_was_then)
{
    h = history_create();
    copy = history_create();
    j = judge_create();
    struct observation *o = observation_create();
    history_reset(h, 1);
    (void)history_add_app(h, 0);
    uint32_t creator = begin(HISTORY_OPEN, "f", 0);
    end(creator);
    history_copy(copy, h); /* f is there, and empty */
    ck_assert_uint_eq(history_ops(copy), history_ops(h));
    ck_assert_uint_eq(history_progress(copy), history_progress(h));
    uint32_t writer = begin(HISTORY_WRITE, NULL, 3);
    ck_assert_uint_ne(history_progress(copy), history_progress(h));
    end(writer);
    end(begin(HISTORY_FSYNC, NULL, 3));
    history_kill(copy, 0, 30, HISTORY_POWER);
    history_mark(copy, HISTORY_MARK_FAULT, 30, NULL);
    observe(o, creator, 0, 0);
    ck_assert_int_eq(judged(copy, o), LEVEL_TRANSPARENT);
    ck_assert_int_gt(judged(h, o), LEVEL_TRANSPARENT); /* its write is gone */
    observe(o, creator, writer, 100);
    ck_assert_int_eq(judged(h, o), LEVEL_TRANSPARENT);
    ck_assert_int_eq(judged(copy, o), LEVEL_SILENT); /* bytes that nobody has written yet */
    history_copy(copy, h);                           /* over what it was */
    ck_assert_int_eq(judged(copy, o), LEVEL_TRANSPARENT);
    observation_destroy(o);
    judge_destroy(j);
    history_destroy(copy);
    history_destroy(h);
}
END_TEST

START_TEST(test_copy__of_an_observation_tells_the_same)
{
    h = history_create();
    history_reset(h, 1);
    (void)history_add_app(h, 0);
    uint32_t creator = begin(HISTORY_OPEN, "f", 0);
    end(creator);
    uint32_t writer = begin(HISTORY_WRITE, NULL, 3);
    end(writer);
    struct observation *o = observation_create(), *other = observation_create();
    observe(o, creator, writer, 100);
    observation_copy(other, o);
    uint64_t digest = observation_digest(o);
    ck_assert_uint_eq(observation_digest(other), digest);
    ck_assert(observation_agrees(o, other));
    ck_assert_uint_gt(observation_bytes(other), 100);
    observe(o, creator, writer, 99);
    ck_assert_uint_eq(observation_digest(other), digest);
    ck_assert_uint_ne(observation_digest(o), digest);
    observe(o, 0, 0, 0);
    ck_assert_uint_ne(observation_digest(o), digest);
    observation_destroy(o);
    observation_destroy(other);
    history_destroy(h);
}
END_TEST

CHECK_MAIN("copy", 60, tcase_add_test(tc, test_copy__is_judged_as_the_history_was_then);
           tcase_add_test(tc, test_copy__of_an_observation_tells_the_same);)
