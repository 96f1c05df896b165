/*
 * The same operations on every design: each random script of fsstress and fsx, without faults, must
 * get the same answers and leave the same tree, whatever lies below.
 *
 * DESIGNS_AGREE_SCRIPTS=4000 runs so many scripts in the place of a few.
 */
#include <stdlib.h>

#include "campaign/tests/rig_trial.h"
#include "campaign/trial_private.h"
#include "scripts/check_main.h"

#define SCRIPTS 144u
#define BATCH 16u /* scripts that one design runs before the next one: changing formats disks */
#define OPS_MAX 2000u
#define RANDOM_WORKLOADS 3u /* of the text, before the last one */
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
    "faults: {none: []}\n";

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

static void setup(void)
{
    rig_trial_init(&rig, text);
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

static void compare(const struct reference *r, const char *design, uint64_t n)
{
    uint32_t first = history_setup_ops(rig.lab->history) + 1;
    uint32_t count = history_ops(rig.lab->history) + 1 - first;
    for (uint32_t k = 0; k < count && k < r->count; k++) {
        struct answer a = answer_of(first + k), b = r->answer[k];
        bool same = a.kind == b.kind && a.result == b.result && a.app == b.app &&
                    a.offset == b.offset && a.length == b.length;
        ck_assert_msg(same, "%s, script %u, operation %u: %s answers %d; none: %s, %d", design,
                      (unsigned)n, k, history_kind_name(a.kind), (int)a.result,
                      history_kind_name(b.kind), (int)b.result);
    }
    ck_assert_uint_eq(count, r->count);
    ck_assert_msg(observation_agrees(r->tree, rig.lab->seen), "%s, script %u: another tree", design,
                  (unsigned)n);
}

/* Scripts n .. n + count - 1 of a workload on all designs. */
static void run_batch(uint32_t workload, uint64_t n, uint32_t count)
{
    for (uint32_t design = 0; design < rig.plan->variant_count; design++)
        for (uint32_t k = 0; k < count; k++) {
            const char *name = rig.plan->variants[design].name;
            lab_begin(rig.lab, design, workload, n + k);
            ck_assert_msg(rig.lab->base_verdict.level == LEVEL_TRANSPARENT, "%s, script %u: %s",
                          name, (unsigned)(n + k), level_name(rig.lab->base_verdict.level));
            if (design == 0)
                keep(&reference[k]);
            else
                compare(&reference[k], name, n + k);
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

CHECK_MAIN("designs agree", TIMEOUT_S, tcase_add_checked_fixture(tc, setup, teardown);
           tcase_add_test(tc, test_designs_agree__on_answers_and_trees);
           tcase_add_test(tc, test_designs_agree__on_what_is_refused);)
