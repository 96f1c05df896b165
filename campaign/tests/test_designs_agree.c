/*
 * The same operations on every design: each random script of fsstress and fsx, without faults, must
 * get the same answers and leave the same tree, whatever lies below. So must scripts of user
 * transactions, some of them aborted, on the designs that have them.
 *
 * DESIGNS_AGREE_SCRIPTS=4000 runs so many scripts in the place of a few.
 */
#include <stdio.h>
#include <stdlib.h>

#include "campaign/tests/rig_trial.h"
#include "campaign/trial_private.h"
#include "scripts/check_main.h"

#define SCRIPTS 144u
#define BATCH 16u /* scripts that one design runs before the next one: changing formats disks */
#define OPS_MAX 2000u
#define RANDOM_WORKLOADS 3u /* of the text; then the corners, then those with user transactions */
#define USER_SCRIPTS 12u
#define USER_WORKLOADS (2u + USER_SCRIPTS) /* bank and mv-grep before them */
#define USER_OPS 90u
#define USER_LINE_BYTES 64u
#define TEXT_BYTES (64u << 10)
#define TIMEOUT_S 3600

/* What random scripts seldom meet: each line's answer is an error on some rule of POSIX, or is not
 * though it looks so. */
#define LONG_NAME "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij"
#define CORNERS                                                                                    \
    "mkdir d\\nmkdir d/e\\nmkdir full\\ncreate full/x\\ncreate f\\n"                               \
    "write f 0 5000\\nmkdir empty\\nrename d d/e/g\\nrename d d\\n"                                \
    "rename d full\\nrename d empty\\nrename f full\\nrename full f\\n"                            \
    "rename f f\\nlink f f2\\nrename f f2\\nlink full d2\\nunlink full\\n"                         \
    "rmdir f\\nrmdir full\\ntruncate full 0\\nmkdir f\\ncreate full\\n"                            \
    "create f\\nmkdir f/x\\nrmdir f/x\\ncreate missing/x\\n"                                       \
    "rename missing f\\nlink missing g\\nunlink missing\\nrmdir missing\\n"                        \
    "create " LONG_NAME LONG_NAME LONG_NAME LONG_NAME "\\n"                                        \
    "rename f " LONG_NAME LONG_NAME LONG_NAME LONG_NAME "\\n"                                      \
    "symlink nowhere s\\nread s 0 10\\nunlink s\\nsymlink full s\\n"                               \
    "rmdir s\\nrename s t\\nlink t u\\nappend full/x 9000\\n"                                      \
    "write full/x 3000000 10\\ntruncate full/x 100000\\n"                                          \
    "truncate full/x 1\\ntruncate full/x 9000\\nread full/x 0 9000\\n"                             \
    "chmod full 0500\\nrename empty/e moved\\nrmdir empty\\n"                                      \
    "rename moved full/in\\nunlink full/x\\nsync\\n"

static const char text[] =
    "campaign: agree\n"
    "seed: 5\n"
    "machine: {disks: {count: 1, profile: ssd-sata, size: 32MiB, sector-size: 4KiB}, "
    "environments: 1}\n"
    "variants:\n"
    "  none: {stack: none}\n"
    "  fat: {stack: fat, cache: 1MiB}\n"
    "  ffs: {stack: ffs, cache: 1MiB}\n"
    "  cow: {stack: cow}\n"
    "  data: {stack: journal, mode: data}\n"
    "  ordered: {stack: journal, mode: ordered, cache: 1MiB}\n"
    "  writeback: {stack: journal, mode: writeback}\n"
    "  loris: {stack: loris, raid: 0}\n"
    "workloads:\n"
    "  calm: {app: fsstress, operations: 120, think: 1ms}\n"
    "  fsx: {app: fsx, operations: 100, think: 1ms}\n"
    "  long: {app: fsstress, operations: 600, think: 0ms}\n"
    "  corners: {app: script, operations: \"" CORNERS "\"}\n"
    "  bank: {app: bank, transactions: 20, user-transactions: on}\n"
    "  move: {app: mv-grep, moves: 20, user-transactions: on}\n";

struct answer {
    enum history_kind kind;
    enum err result;
    int32_t app;
    uint64_t offset, length;
};

/* What the first design made of a script. */
static struct reference {
    struct observation *tree;
    struct answer answer[OPS_MAX];
    uint32_t count;
} reference[BATCH];

static struct rig_trial rig;
static char whole[TEXT_BYTES];
static uint64_t rng;

static uint32_t draw(uint32_t below)
{
    rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(rng >> 33) % below;
}

/* A random operation in a small tree; names may be there or not. */
static void random_op(char line[USER_LINE_BYTES])
{
    static const char *const path[] = {"a", "b", "c", "d", "d/a", "d/b", "d/e", "d/e/a"};
    const char *one = path[draw(8)], *two = path[draw(8)];
    uint32_t at = draw(3) * 5000, bytes = 1 + draw(9000);
    const char *form[] = {"create %s", "mkdir %s", "unlink %s", "rmdir %s"};
    switch (draw(9)) {
    case 0:
        snprintf(line, USER_LINE_BYTES, "write %s %u %u", one, at, bytes);
        return;
    case 1:
        snprintf(line, USER_LINE_BYTES, "append %s %u", one, bytes);
        return;
    case 2:
        snprintf(line, USER_LINE_BYTES, "truncate %s %u", one, at);
        return;
    case 3:
        snprintf(line, USER_LINE_BYTES, "read %s 0 %u", one, bytes);
        return;
    case 4:
        snprintf(line, USER_LINE_BYTES, "%s %s %s", draw(3) == 0 ? "link" : "rename", one, two);
        return;
    default:
        snprintf(line, USER_LINE_BYTES, form[draw(draw(2) == 0 ? 2 : 4)], one);
    }
}

static size_t add(size_t at, const char *line)
{
    size_t bytes = strlen(line);
    ck_assert_uint_lt(at + bytes, sizeof(whole));
    memcpy(whole + at, line, bytes + 1);
    return at + bytes;
}

/* The text, and workloads of random operations in user transactions and outside. */
static void write_text(void)
{
    size_t at = add(0, text);
    rng = 31;
    for (uint32_t script = 0; script < USER_SCRIPTS; script++) {
        char line[USER_LINE_BYTES];
        bool open = false;
        snprintf(line, sizeof(line), "  user%u: {app: script, operations: \"", script);
        at = add(at, line);
        for (uint32_t k = 0; k < USER_OPS; k++) {
            bool turn = draw(open ? 8 : 4) == 0;
            if (turn)
                snprintf(line, sizeof(line), !open ? "begin" : draw(3) == 0 ? "abort" : "commit");
            else
                random_op(line);
            open = turn ? !open : open;
            at = add(add(at, line), "\\n");
        }
        at = add(at, open ? "commit\"}\n" : "\"}\n");
    }
    (void)add(at, "faults: {none: []}\n");
}

static void setup(void)
{
    write_text();
    rig_trial_init(&rig, whole);
    for (uint32_t k = 0; k < BATCH; k++)
        reference[k].tree = observation_create();
}

static void teardown(void)
{
    for (uint32_t k = 0; k < BATCH; k++)
        observation_destroy(reference[k].tree);
    rig_trial_fini(&rig);
}

static struct answer answer_of(uint32_t op)
{
    const struct history_op *o = history_op(rig.lab->history, op);
    return (struct answer){o->kind, o->result, (int32_t)o->app, o->offset, o->length};
}

/* Keeps the answers, and the tree by exchange with the laboratory's. */
static void keep(struct reference *r)
{
    struct observation *tree = r->tree;
    r->tree = rig.lab->seen;
    rig.lab->seen = tree;
    r->count = 0;
    for (uint32_t op = history_setup_ops(rig.lab->history) + 1; op <= history_ops(rig.lab->history);
         op++) {
        ck_assert_uint_lt(r->count, OPS_MAX);
        r->answer[r->count++] = answer_of(op);
    }
}

static void compare(const struct reference *r, const char *first_design, const char *design,
                    uint64_t n)
{
    uint32_t first = history_setup_ops(rig.lab->history) + 1;
    uint32_t count = history_ops(rig.lab->history) + 1 - first;
    for (uint32_t k = 0; k < count && k < r->count; k++) {
        struct answer a = answer_of(first + k), b = r->answer[k];
        bool same = a.kind == b.kind && a.result == b.result && a.app == b.app &&
                    a.offset == b.offset && a.length == b.length;
        ck_assert_msg(same, "%s, script %u, operation %u: %s answers %d; %s: %s, %d", design,
                      (unsigned)n, k, history_kind_name(a.kind), (int)a.result, first_design,
                      history_kind_name(b.kind), (int)b.result);
    }
    ck_assert_uint_eq(count, r->count);
    ck_assert_msg(observation_agrees(r->tree, rig.lab->seen), "%s, script %u: another tree", design,
                  (unsigned)n);
}

/* Scripts n .. n + count - 1 of a workload on all designs that can run it. */
static void run_batch(uint32_t workload, uint64_t n, uint32_t count)
{
    const char *first = NULL;
    for (uint32_t design = 0; design < rig.plan->variant_count; design++) {
        const struct plan_variant *v = &rig.plan->variants[design];
        const char *name = v->name;
        if (rig.plan->workloads[workload].user_transactions && !v->design->user_transactions)
            continue;
        bool is_first = first == NULL;
        first = is_first ? name : first;
        for (uint32_t k = 0; k < count; k++) {
            lab_begin(rig.lab, design, workload, n + k);
            ck_assert_msg(rig.lab->base_verdict.level == LEVEL_TRANSPARENT, "%s, script %u: %s",
                          name, (unsigned)(n + k), level_name(rig.lab->base_verdict.level));
            if (is_first)
                keep(&reference[k]);
            else
                compare(&reference[k], first, name, n + k);
        }
    }
}

START_TEST(test_designs_agree__on_answers_and_trees)
{
    const char *wanted = getenv("DESIGNS_AGREE_SCRIPTS");
    uint64_t scripts = wanted != NULL ? strtoull(wanted, NULL, 10) : SCRIPTS;
    ck_assert_uint_ge(scripts, 1);
    for (uint64_t n = 0; n < scripts; n += BATCH) {
        uint32_t count = scripts - n < BATCH ? (uint32_t)(scripts - n) : BATCH;
        run_batch((uint32_t)(n / BATCH % RANDOM_WORKLOADS), n, count);
    }
}
END_TEST

START_TEST(test_designs_agree__on_what_is_refused)
{
    run_batch(RANDOM_WORKLOADS, 0, 1);
    uint32_t refused = 0;
    for (uint32_t k = 0; k < reference[0].count; k++)
        refused += reference[0].answer[k].result != OK;
    ck_assert_uint_gt(refused, 20);
}
END_TEST

START_TEST(test_designs_agree__on_user_transactions)
{
    ck_assert_uint_eq(rig.plan->workload_count, RANDOM_WORKLOADS + 1 + USER_WORKLOADS);
    uint32_t committed = 0, changed = 0;
    for (uint32_t k = 0; k < USER_WORKLOADS; k++) {
        ck_assert(rig.plan->workloads[RANDOM_WORKLOADS + 1 + k].user_transactions);
        run_batch(RANDOM_WORKLOADS + 1 + k, 0, 1);
        for (uint32_t at = 0; at < reference[0].count; at++) {
            const struct answer *a = &reference[0].answer[at];
            committed += a->kind == HISTORY_COMMIT && a->result == OK;
            changed += a->kind == HISTORY_WRITE && a->result == OK;
        }
    }
    ck_assert_uint_gt(committed, 50);
    ck_assert_uint_gt(changed, 50);
}
END_TEST

CHECK_MAIN("designs agree", TIMEOUT_S, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_designs_agree__on_answers_and_trees);
           tcase_add_test(tc, test_designs_agree__on_what_is_refused);
           tcase_add_test(tc, test_designs_agree__on_user_transactions);)
