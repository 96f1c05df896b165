/* What a sound campaign file means: defaults, like, include, sweep, --set, selection, numbers. */
#include "campaign/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "campaign/trial_private.h"
#include "results/temp_folder.h"
#include "scripts/check_main.h"

#define SMALL                                                                                      \
    "campaign: small\n"                                                                            \
    "variants: {v: {stack: loris}, w: {like: v, log: off}, n: {stack: none}}\n"                    \
    "workloads: {a: {app: fsx}, b: [{app: fsx}, {app: fsstress, think: 2ms}]}\n"                   \
    "faults: {none: [], cut: [{kind: power.cut}]}\n"

static char *errors;
static size_t errors_bytes;

/* Loads a text; its errors, if any, are in `errors`. */
static struct plan *load(const char *text, const struct plan_request *request)
{
    free(errors);
    FILE *to = open_memstream(&errors, &errors_bytes);
    struct plan_request none = {.path = "t.yaml"};
    struct plan *plan = plan_load_text(text, request == NULL ? &none : request, to);
    (void)fclose(to);
    return plan;
}

static struct plan *must_load(const char *text, const struct plan_request *request)
{
    struct plan *plan = load(text, request);
    ck_assert_msg(plan != NULL, "%s", errors);
    return plan;
}

static const struct plan_variant *variant(const struct plan *plan, const char *name)
{
    for (uint32_t k = 0; k < plan->variant_count; k++)
        if (strcmp(plan->variants[k].name, name) == 0)
            return &plan->variants[k];
    ck_abort_msg("no variant %s", name);
    return NULL;
}

START_TEST(test_plan__fills_in_the_defaults_of_the_interface)
{
    struct plan *plan = must_load(SMALL, NULL);
    ck_assert_uint_eq(plan->seed, 1);
    ck_assert_uint_eq(plan->trials.count, 100);
    ck_assert_uint_eq(plan->limit_ns, UINT64_C(600000000000));
    const struct plan_variant *v = variant(plan, "v");
    ck_assert_uint_eq(v->machine.disk_count, 2);
    ck_assert_str_eq(v->machine.disks[0].profile, "hdd-7200");
    ck_assert_uint_eq(v->machine.disks[1].size_bytes, 64u << 20);
    ck_assert_uint_eq(v->machine.environments, 2);
    ck_assert_uint_eq(v->stack.raid, 1);
    ck_assert_uint_eq(v->stack.raid_copies, 2);
    ck_assert_uint_eq(v->stack.checkpoint_ns, UINT64_C(5000000000));
    ck_assert_uint_eq(v->stack.cache_bytes, 8u << 20);
    ck_assert_uint_eq(v->stack.log_bytes, 4u << 20);
    ck_assert(v->stack.log);
    ck_assert_uint_eq(v->stack.checksums, CHECKSUMS_EAGER);
    ck_assert(!variant(plan, "w")->stack.log);
    const struct plan_variant *n = variant(plan, "n");
    ck_assert_uint_eq(n->stack.environments, 1);
    ck_assert_uint_eq(n->stack.sync_ns, UINT64_C(30000000000));
    const struct plan_app *fsx = &plan->workloads[0].apps[0];
    ck_assert_uint_eq(option_number(&fsx->options, "operations"), 1000);
    ck_assert_uint_eq(option_number(&fsx->options, "sync"), 50);
    ck_assert_uint_eq(plan->faults[0].count, 0);
    ck_assert_uint_eq(plan->faults[1].faults[0].cache, FAULT_CACHE_RANDOM);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__raid_is_0_on_one_disk_unless_asked)
{
    struct plan *plan = must_load(SMALL "machine: {disks: {count: 1}}\n", NULL);
    ck_assert_uint_eq(variant(plan, "v")->stack.raid, 0);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__numbers_trials_by_cell_whatever_is_selected)
{
    const char *only[] = {"w/b/cut"};
    struct plan_request request = {.path = "t.yaml", .only = only, .only_count = 1};
    struct plan *plan = must_load(SMALL, &request);
    char error[OPTION_ERROR_BYTES];
    ck_assert_uint_eq(plan->cell_count, 12);
    uint32_t cell = plan_cell_index(plan, 1, 1, 1);
    ck_assert_uint_eq(cell, 7);
    ck_assert_uint_eq(plan_trial_number(plan, cell, 3), 3 * 12 + 7 + 1);
    ck_assert_uint_eq(plan_find_trial(plan, "w/b/cut/3", error), 44);
    ck_assert_uint_eq(plan_find_trial(plan, "17", error), 17);
    ck_assert_uint_eq(plan_find_trial(plan, "w/b/nothing/3", error), 0);
    ck_assert_uint_eq(plan_find_trial(plan, "0", error), 0);
    uint64_t n = 0;
    plan_trial_place(plan, 44, &cell, &n);
    ck_assert_uint_eq(cell, 7);
    ck_assert_uint_eq(n, 3);
    for (uint32_t c = 0; c < 12; c++)
        ck_assert_int_eq(plan->cells[c].selected, c == 7);
    ck_assert(plan_wants(plan, 7, 99) && !plan_wants(plan, 7, 100) && !plan_wants(plan, 6, 0));
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__shards_split_the_trials_without_overlap)
{
    static const char *const shards[] = {"1/3", "2/3", "3/3"};
    uint32_t wanted[12 * 100] = {0};
    for (size_t k = 0; k < 3; k++) {
        struct plan_request request = {.path = "t.yaml", .shard = shards[k]};
        struct plan *plan = must_load(SMALL, &request);
        for (uint32_t c = 0; c < 12; c++)
            for (uint64_t n = 0; n < 100; n++)
                wanted[plan_trial_number(plan, c, n) - 1] += plan_wants(plan, c, n);
        uint64_t of_first = 0;
        for (uint64_t n = 0; n < 100; n++)
            of_first += plan_wants(plan, 0, n);
        ck_assert_uint_eq(plan_wanted(plan, 0), of_first);
        plan_destroy(plan);
    }
    for (size_t k = 0; k < 12 * 100; k++)
        ck_assert_uint_eq(wanted[k], 1);
}
END_TEST

START_TEST(test_plan__sweeps_in_file_order_with_names_and_draw_names)
{
    struct plan *plan = must_load(SMALL "sweep: {log-size: [1MiB, 2MiB], machine.memory: [64MiB, "
                                        "128MiB], workloads.b.1.think: [1ms], "
                                        "faults.cut.cache: [drop, keep]}\n",
                                  NULL);
    static const char *const names[] = {"v@log-size=1MiB,memory=64MiB",
                                        "v@log-size=1MiB,memory=128MiB",
                                        "v@log-size=2MiB,memory=64MiB",
                                        "v@log-size=2MiB,memory=128MiB",
                                        "w@log-size=1MiB,memory=64MiB",
                                        "w@log-size=1MiB,memory=128MiB",
                                        "w@log-size=2MiB,memory=64MiB",
                                        "w@log-size=2MiB,memory=128MiB",
                                        "n@memory=64MiB",
                                        "n@memory=128MiB"};
    ck_assert_uint_eq(plan->variant_count, 10);
    for (uint32_t k = 0; k < 10; k++)
        ck_assert_str_eq(plan->variants[k].name, names[k]);
    ck_assert_str_eq(plan->variants[5].draw_name, "w");
    ck_assert_uint_eq(plan->variants[3].stack.log_bytes, 2u << 20);
    ck_assert_uint_eq(plan->variants[3].machine.memory_bytes, 128u << 20);
    ck_assert_uint_eq(plan->variants[8].machine.memory_bytes, 64u << 20);
    ck_assert_str_eq(plan->workloads[0].name, "a");
    ck_assert_str_eq(plan->workloads[1].name, "b@1.think=1ms");
    ck_assert_int_eq(option_amount(&plan->workloads[1].apps[1].options, "think")->low, 1000000);
    ck_assert_str_eq(plan->faults[2].name, "cut@cache=keep");
    ck_assert_str_eq(plan->faults[2].draw_name, "cut");
    ck_assert_uint_eq(plan->faults[2].faults[0].cache, FAULT_CACHE_KEEP);
    ck_assert_uint_eq(plan->sweep_count, 4);
    ck_assert_str_eq(plan->sweep_keys[1], "memory");
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__set_works_before_like_and_adds_absent_keys)
{
    const char *sets[] = {"variants.v.checkpoint=10s", "machine.disks={count: 4, size: 1GiB}",
                          "faults.cut.0.cache=keep",   "workloads.\"b\".1.think=7ms",
                          "variants.v.checkpoint=11s", "faults.cut.cache=drop"};
    struct plan_request request = {.path = "t.yaml",
                                   .sets = sets,
                                   .set_count = 6,
                                   .trials_given = true,
                                   .trials = 7,
                                   .seed_given = true,
                                   .seed = 99};
    struct plan *plan = must_load(SMALL, &request);
    ck_assert_uint_eq(variant(plan, "w")->stack.checkpoint_ns, UINT64_C(11000000000));
    ck_assert_uint_eq(variant(plan, "n")->machine.disk_count, 4);
    ck_assert_uint_eq(variant(plan, "n")->machine.disks[3].size_bytes, 1u << 30);
    ck_assert_uint_eq(plan->faults[1].faults[0].cache, FAULT_CACHE_DROP);
    ck_assert_int_eq(option_amount(&plan->workloads[1].apps[1].options, "think")->low, 7000000);
    ck_assert_uint_eq(plan->trials.count, 7);
    ck_assert_uint_eq(plan->seed, 99);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__numbers_of_an_app_may_be_ranges_and_distributions)
{
    struct plan *plan = must_load(
        "campaign: r\nvariants: {v: {stack: loris}}\n"
        "workloads: {a: {app: postmark, files: 1..20, transactions: {exponential: 30}, sync: 0..3},"
        " b: {app: fsx, operations: 10..60}, c: {app: fsstress, operations: 10..60}}\n"
        "faults: {none: []}\n",
        NULL);
    const struct option_set *a = &plan->workloads[0].apps[0].options;
    ck_assert_int_eq(option_amount(a, "files")->kind, AMOUNT_RANGE);
    ck_assert_int_eq(option_amount(a, "files")->high, 20);
    ck_assert_int_eq(option_amount(a, "transactions")->kind, AMOUNT_EXPONENTIAL);
    ck_assert_int_ge(amount_at(option_amount(a, "transactions"), 0), 1);
    ck_assert_int_eq(option_amount(a, "sync")->low, 0);
    for (size_t k = 1; k < 3; k++)
        ck_assert_int_eq(option_amount(&plan->workloads[k].apps[0].options, "operations")->high,
                         60);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__a_selection_that_leaves_nothing_is_refused)
{
    const char *pattern = "n/*/crash";
    const char text[] = "campaign: s\nvariants: {v: {stack: loris}, n: {stack: none}}\n"
                        "workloads: {a: {app: fsx}}\n"
                        "faults: {crash: [{kind: process.crash, layer: cache}]}\n";
    struct plan_request only = {.path = "t.yaml", .only = &pattern, .only_count = 1};
    ck_assert_ptr_null(load(text, &only));
    ck_assert_str_eq(errors, "--only:1:1: nothing is left to run: every cell is left out or "
                             "skipped, as n/a/crash: none has no layer `cache`\n");
    pattern = "*";
    struct plan_request skip = {.path = "t.yaml", .skip = &pattern, .skip_count = 1};
    ck_assert_ptr_null(load(SMALL, &skip));
    ck_assert_str_eq(errors, "--skip:1:1: nothing is left to run: every cell is left out or "
                             "skipped\n");
}
END_TEST

/* promised: of each fault plan of the first workload, a row a variant. */
static void check_promises(const struct plan *plan, size_t variants, size_t faults,
                           const enum level *promised)
{
    for (size_t v = 0; v < variants; v++)
        for (size_t f = 0; f < faults; f++)
            ck_assert_int_eq(
                promise_of_plan(&plan->variants[v], &plan->workloads[0], &plan->faults[f]),
                promised[v * faults + f]);
}

START_TEST(test_plan__transient_errors_that_outlast_the_tries_are_a_dead_disk)
{
    struct plan *plan =
        must_load("campaign: t\n"
                  "variants: {m: {stack: loris}, one: {like: m, machine: {disks: {count: 1}}}}\n"
                  "workloads: {a: {app: fsx}}\n"
                  "faults:\n"
                  "  few: [{kind: disk.transient-error, disk: all, count: 1..4}]\n"
                  "  many: [{kind: disk.transient-error, disk: 0, count: 1..5}]\n"
                  "  both: [{kind: disk.transient-error, disk: all, count: {exponential: 2}}]\n",
                  NULL);
    static const enum level promised[2][3] = {
        {LEVEL_TRANSPARENT, LEVEL_TRANSPARENT, LEVEL_NONE},
        {LEVEL_TRANSPARENT, LEVEL_NONE, LEVEL_NONE},
    };
    check_promises(plan, 2, 3, promised[0]);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__deaths_that_are_mended_or_borne_are_promised)
{
    struct plan *plan = must_load(
        "campaign: t\n"
        "variants: {m: {stack: loris}, s: {like: m, machine: {spares: 1}}, six: {stack: loris, "
        "raid: 6, machine: {disks: {count: 4}}}}\n"
        "workloads: {a: {app: fsx}}\n"
        "faults:\n"
        "  two: [{kind: disk.fail-stop, disk: 0}, {kind: disk.fail-stop, disk: 1}]\n"
        "  back: [{kind: disk.fail-stop, disk: 0, for: 1s}, {kind: disk.fail-stop, disk: 1}]\n"
        "  cut: [{kind: disk.fail-stop, disk: 0}, {kind: power.cut}]\n",
        NULL);
    static const enum level promised[3][3] = {
        {LEVEL_NONE, LEVEL_TRANSPARENT, LEVEL_NONE},
        {LEVEL_TRANSPARENT, LEVEL_TRANSPARENT, LEVEL_NONE},
        {LEVEL_TRANSPARENT, LEVEL_TRANSPARENT, LEVEL_DURABLE},
    };
    check_promises(plan, 3, 3, promised[0]);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__one_disk_and_what_its_redundancy_does_not_need_are_promised)
{
    struct plan *plan = must_load(
        "campaign: t\n"
        "variants: {m: {stack: loris}, five: {like: m, raid: 5, machine: {disks: {count: 3}}}, "
        "cow: {like: m, data: cow}, no-log: {like: m, log: off}, zero: {like: m, raid: 0}}\n"
        "workloads: {a: {app: fsx}}\n"
        "faults:\n"
        "  crash: [{kind: disk.bit-rot}, {kind: process.crash, layer: physical}]\n"
        "  cache: [{kind: disk.bit-rot}, {kind: process.crash, layer: cache}]\n"
        "  cut: [{kind: disk.bit-rot}, {kind: power.cut}]\n"
        "  two: [{kind: disk.bit-rot}, {kind: disk.lost-write}, {kind: power.cut}]\n"
        "  vfs: [{kind: process.crash, layer: vfs}, {kind: process.crash, layer: logical}]\n",
        NULL);
    static const enum level promised[5][5] = {
        {LEVEL_TRANSPARENT, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE, LEVEL_DURABLE},
        {LEVEL_TRANSPARENT, LEVEL_NONE, LEVEL_DURABLE, LEVEL_NONE, LEVEL_DURABLE},
        {LEVEL_TRANSPARENT, LEVEL_NONE, LEVEL_DURABLE, LEVEL_NONE, LEVEL_DURABLE},
        {LEVEL_NONE, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE, LEVEL_SYNCED},
        {LEVEL_NONE, LEVEL_NONE, LEVEL_NONE, LEVEL_NONE, LEVEL_DURABLE},
    };
    check_promises(plan, 5, 5, promised[0]);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__the_weakest_level_of_a_file_counts)
{
    struct plan *plan = must_load(
        "campaign: t\n"
        "machine: {disks: {count: 3}}\n"
        "variants: {m: {stack: loris}, n: {like: m, raid: n-way}, five: {like: m, raid: 5},\n"
        "  m0: {like: m, raid-policy: {a: n-way, b: 0}}, m5: {like: m, raid-policy: {a: 5}},\n"
        "  n5: {like: n, raid-policy: {a: 5}}, nn: {like: n, raid-policy: {a: n-way}}}\n"
        "workloads:\n"
        "  a: {app: fsx}\n"
        "  b: {app: fsx, levels: on}\n"
        "  c: {app: script, operations: \"create f\\npolicy f 0\"}\n"
        "faults:\n"
        "  one: [{kind: disk.fail-stop, disk: 0}]\n"
        "  two: [{kind: disk.fail-stop, disk: 0}, {kind: disk.fail-stop, disk: 1}]\n",
        NULL);
    static const char promised[7][3][3] = {
        {"t-", "t-", "--"}, {"tt", "t-", "--"}, {"t-", "t-", "t-"}, {"--", "--", "--"},
        {"t-", "t-", "--"}, {"t-", "t-", "--"}, {"tt", "t-", "--"},
    };
    for (size_t v = 0; v < 7; v++)
        for (size_t w = 0; w < 3; w++)
            for (size_t f = 0; f < 2; f++)
                ck_assert_int_eq(
                    promise_of_plan(&plan->variants[v], &plan->workloads[w], &plan->faults[f]),
                    promised[v][w][f] == 't' ? LEVEL_TRANSPARENT : LEVEL_NONE);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__what_a_disk_does_wrong_is_promised_by_what_is_left)
{
    struct plan *plan =
        must_load("campaign: t\n"
                  "variants: {m: {stack: loris}, one: {like: m, machine: {disks: {count: 1}}}}\n"
                  "workloads: {a: {app: fsx}}\n"
                  "faults:\n"
                  "  slow: [{kind: disk.fail-slow, disk: all, factor: 2..1000}]\n"
                  "  gone: [{kind: disk.fail-slow, disk: 0, factor: 1001}]\n"
                  "  write: [{kind: disk.misdirected-write, disk: 0}]\n"
                  "  all: [{kind: disk.misdirected-write, disk: all}]\n"
                  "  read: [{kind: disk.misdirected-read, disk: 0}]\n"
                  "  lie: [{kind: disk.lying-flush, disk: all}]\n"
                  "  cut: [{kind: disk.lying-flush, disk: 0}, {kind: power.cut}]\n",
                  NULL);
    static const enum level on_two[] = {LEVEL_TRANSPARENT, LEVEL_TRANSPARENT, LEVEL_TRANSPARENT,
                                        LEVEL_NONE,        LEVEL_TRANSPARENT, LEVEL_TRANSPARENT,
                                        LEVEL_NONE};
    static const enum level on_one[] = {LEVEL_TRANSPARENT, LEVEL_NONE, LEVEL_NONE,
                                        LEVEL_NONE,        LEVEL_NONE, LEVEL_TRANSPARENT,
                                        LEVEL_NONE};
    for (size_t f = 0; f < 7; f++) {
        ck_assert_int_eq(promise_of_plan(&plan->variants[0], &plan->workloads[0], &plan->faults[f]),
                         on_two[f]);
        ck_assert_int_eq(promise_of_plan(&plan->variants[1], &plan->workloads[0], &plan->faults[f]),
                         on_one[f]);
    }
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__a_variants_machine_is_merged_key_by_key)
{
    struct plan *plan = must_load("campaign: m\n"
                                  "machine: {disks: {count: 4, size: 32MiB}, environments: 3}\n"
                                  "variants:\n"
                                  "  a: {stack: loris, machine: {disks: {write-cache: off}}}\n"
                                  "  b: {like: a, machine: {disks: {count: 2}}}\n"
                                  "  c: {stack: loris, machine: {disks: [{size: 16MiB}, {count: 2, "
                                  "profile: nvme}]}}\n"
                                  "workloads: {a: {app: fsx}}\nfaults: {none: []}\n",
                                  NULL);
    const struct plan_machine *b = &variant(plan, "b")->machine;
    ck_assert_uint_eq(b->disk_count, 2);
    ck_assert_uint_eq(b->disks[0].size_bytes, 32u << 20);
    ck_assert_int_eq(b->disks[0].params.value[SIM_PARAM_WRITE_CACHE], SIM_CACHE_OFF);
    ck_assert_uint_eq(b->environments, 3);
    const struct plan_machine *c = &variant(plan, "c")->machine;
    ck_assert_uint_eq(c->disk_count, 3);
    ck_assert_str_eq(c->disks[2].profile, "nvme");
    ck_assert_uint_eq(c->disks[0].size_bytes, 16u << 20);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__spares_come_after_the_members)
{
    struct plan *plan = must_load(
        "campaign: s\nmachine: {spares: 1}\n"
        "variants:\n"
        "  a: {stack: loris}\n"
        "  b: {stack: loris, machine: {disks: [{role: spare, size: 32MiB}, {count: 2, size: "
        "16MiB}]}}\n"
        "workloads: {a: {app: fsx}}\nfaults: {p: [{kind: disk.fail-stop, disk: 3}], none: []}\n",
        NULL);
    const struct plan_variant *a = variant(plan, "a"), *b = variant(plan, "b");
    ck_assert_uint_eq(a->machine.disk_count, 2);
    ck_assert_uint_eq(a->machine.spare_count, 1);
    ck_assert_uint_eq(a->stack.disks, 3);
    ck_assert_uint_eq(a->stack.spares, 1);
    ck_assert_uint_eq(b->machine.disk_count, 2);
    ck_assert_uint_eq(b->machine.spare_count, 2); /* of the list, and one like the first disk */
    ck_assert_uint_eq(b->machine.disks[1].size_bytes, 16u << 20);
    ck_assert_uint_eq(b->machine.disks[2].size_bytes, 32u << 20);
    ck_assert_uint_eq(b->machine.disks[3].size_bytes, 16u << 20);
    ck_assert(!b->machine.disks[1].spare && b->machine.disks[2].spare);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__reads_faults_with_targets_and_moments)
{
    struct plan *plan = must_load(
        "campaign: f\nvariants: {v: {stack: loris}}\nworkloads: {a: {app: fsx}}\n"
        "faults:\n"
        "  p: [{kind: disk.latent-error, disk: 1, at: {write: uniform, disk: 0}, count: 1..5, "
        "where: any}, {kind: process.crash, layer: physical, instance: all, at: {recovery: "
        "uniform}, repeat: 3}]\n"
        "  q: [{kind: memory.flip, layer: cache, region: pages, state: dirty, bits: 2, at: {block: "
        "1234}}, {kind: power.cut, at: {after: {exponential: 2s}}, off-for: 5s}]\n"
        "  r: [{kind: process.hang, layer: naming, at: {probe: txn-commit, n: 4}}]\n",
        NULL);
    const struct fault *p = plan->faults[0].faults, *q = plan->faults[1].faults;
    ck_assert_uint_eq(p[0].disk.kind, FAULT_TARGET_INDEX);
    ck_assert_uint_eq(p[0].disk.index, 1);
    ck_assert_uint_eq(p[0].at.kind, FAULT_AT_WRITE);
    ck_assert_uint_eq(p[0].at.number.kind, AMOUNT_UNIFORM);
    ck_assert_uint_eq(p[0].at.disk.index, 0);
    ck_assert_int_eq(p[0].count.high, 5);
    ck_assert_uint_eq(p[0].where, FAULT_WHERE_ANY);
    ck_assert_uint_eq(p[1].layer, LAYER_PHYSICAL);
    ck_assert_uint_eq(p[1].instance.kind, FAULT_TARGET_ALL);
    ck_assert_uint_eq(p[1].at.kind, FAULT_AT_RECOVERY);
    ck_assert(amount_is(&p[1].repeat, 3));
    ck_assert_uint_eq(q[0].at.layer, LAYER_CACHE);
    ck_assert(amount_is(&q[0].at.number, 1234));
    ck_assert_uint_eq(q[0].state, FAULT_PAGE_DIRTY);
    ck_assert_uint_eq(q[1].at.number.kind, AMOUNT_EXPONENTIAL);
    ck_assert(amount_is(&q[1].off_for_ns, INT64_C(5000000000)));
    ck_assert_uint_eq(plan->faults[2].faults[0].at.probe, PROBE_TXN_COMMIT);
    ck_assert(amount_is(&plan->faults[2].faults[0].at.number, 4));
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__skips_what_cannot_be_and_says_why)
{
    struct plan *plan =
        must_load(SMALL "promises: {\"*/*/cut\": synced, v/a: none}\nskip: [w/b]\n"
                        "compare: {base: n, measure: [level, outage], margin: 2%, alpha: 1%}\n",
                  NULL);
    ck_assert_ptr_nonnull(plan->cells[plan_cell_index(plan, 1, 1, 0)].skipped);
    const struct plan_cell *cut = &plan->cells[plan_cell_index(plan, 2, 0, 1)];
    ck_assert(cut->promise_given && cut->promise == LEVEL_SYNCED);
    const struct plan_cell *last = &plan->cells[plan_cell_index(plan, 0, 0, 1)];
    ck_assert(last->promise_given && last->promise == LEVEL_NONE);
    ck_assert_uint_eq(plan->compare.measures, 1u << MEASURE_LEVEL | 1u << MEASURE_OUTAGE);
    plan_destroy(plan);
    plan = must_load("campaign: s\nvariants: {v: {stack: loris}, n: {stack: none}}\n"
                     "workloads: {a: {app: fsx}}\n"
                     "faults: {c: [{kind: process.crash, layer: cache}]}\n",
                     NULL);
    ck_assert_ptr_null(plan->cells[0].skipped);
    ck_assert_str_eq(plan->cells[1].skipped, "none has no layer `cache`");
    ck_assert(!plan->cells[1].selected);
    plan_destroy(plan);
    plan = must_load("campaign: s\nvariants: {two: {stack: none}, one: {like: two, machine: "
                     "{disks: {count: 1}}}}\n"
                     "workloads: {a: {app: fsx}}\n"
                     "faults: {r: [{kind: process.crash, layer: raid}]}\n",
                     NULL);
    ck_assert_ptr_null(plan->cells[0].skipped);
    ck_assert_str_eq(plan->cells[1].skipped, "none has no layer `raid` on one disk");
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__stored_yaml_gives_the_same_plan_again)
{
    struct plan *plan = must_load(
        SMALL "question: \"why: \\\"so\\\"?\\n\"\nnotes: 'null'\nsweep: {checkpoint: [1s, "
              "5s]}\ntags: {x: 'on', y: \"\xc3\xa4\"}\n",
        NULL);
    struct plan *again = must_load(plan->yaml, NULL);
    ck_assert_str_eq(plan->yaml, again->yaml);
    ck_assert_str_eq(plan->identity, again->identity);
    ck_assert_str_eq(again->question, "why: \"so\"?\n");
    ck_assert_str_eq(again->notes, "null");
    ck_assert_uint_eq(again->cell_count, plan->cell_count);
    ck_assert_ptr_null(strstr(plan->identity, "question"));
    plan_destroy(plan);
    plan_destroy(again);
}
END_TEST

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

START_TEST(test_plan__includes_lie_beneath_and_scripts_are_stored)
{
    char folder[TEMP_FOLDER_BYTES];
    ck_assert(temp_folder_make(folder, "plan"));
    ck_assert_int_eq(chdir(folder), 0);
    write_file("a.yaml", "include: [b.yaml]\nworkloads: {s: {app: script, file: s.ops}}\n"
                         "machine: {disks: {count: 4}}\ntrials: 9\n");
    write_file("b.yaml", "workloads: {s: {app: fsx}, t: {app: fsx}}\n"
                         "machine: {disks: {size: 32MiB}}\n");
    write_file("s.ops", "\xef\xbb\xbf" /* a byte order mark is no part of it */
                        "create x\nmark\n");
    write_file("c.yaml", "campaign: i\ninclude: a.yaml\nvariants: {v: {stack: loris}}\n"
                         "workloads: {u: {app: fsstress}}\nfaults: {m: [{kind: power.cut, at: "
                         "{mark: 1}}]}\n");
    free(errors);
    FILE *to = open_memstream(&errors, &errors_bytes);
    struct plan_request request = {.path = "c.yaml"};
    struct plan *plan = plan_load(&request, to);
    (void)fclose(to);
    ck_assert_msg(plan != NULL, "%s", errors);
    ck_assert_uint_eq(plan->workload_count, 3);
    ck_assert_str_eq(plan->workloads[0].name, "s");
    ck_assert_str_eq(plan->workloads[0].apps[0].script, "create x\nmark\n");
    ck_assert_str_eq(plan->workloads[2].name, "u");
    ck_assert_uint_eq(plan->trials.count, 9);
    ck_assert_uint_eq(plan->variants[0].machine.disk_count, 4);
    ck_assert_uint_eq(plan->variants[0].machine.disks[0].size_bytes, 32u << 20);
    ck_assert_ptr_null(plan->cells[0].skipped);
    ck_assert_ptr_nonnull(plan->cells[1].skipped); /* t has no script, so no mark */
    temp_folder_remove(folder);
    struct plan *again = must_load(plan->yaml, NULL); /* no file is needed */
    ck_assert_str_eq(again->workloads[0].apps[0].script, "create x\nmark\n");
    plan_destroy(again);
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__a_cell_has_no_more_trials_than_sequences)
{
    struct plan *plan = must_load("campaign: t\ntrials: 200\nvariants: {v: {stack: none}}\n"
                                  "workloads:\n  b: {app: bounded}\n"
                                  "  c: [{app: bounded, set: core}, {app: bounded}]\n"
                                  "  d: {app: bank}\nfaults: {none: []}\n",
                                  NULL);
    static const uint64_t want[] = {139, 104, 200};
    for (uint32_t w = 0; w < 3; w++) {
        uint32_t cell = plan_cell_index(plan, 0, w, 0);
        ck_assert_uint_eq(plan_cell_trials(plan, w), want[w]);
        ck_assert_uint_eq(plan_wanted(plan, cell), want[w]);
        ck_assert(plan_wants(plan, cell, want[w] - 1) && !plan_wants(plan, cell, want[w]));
    }
    plan_destroy(plan);
}
END_TEST

START_TEST(test_plan__trials_are_computed_or_end_early)
{
    struct plan *plan = must_load(SMALL "trials: {detect: 5%}\n", NULL);
    ck_assert_int_eq(plan->trials.kind, PLAN_TRIALS_DETECT);
    ck_assert_uint_eq(plan->trials.count, 250); /* 12 cells; one alone needs 150 */
    plan_destroy(plan);
    plan = must_load(SMALL "compare: {margin: 2%, alpha: 1%}\ntrials: {detect: 5%}\n", NULL);
    ck_assert_uint_gt(plan->trials.count, 250);
    plan_destroy(plan);
    plan = must_load(SMALL "trials: {max: 5000, half-width: 1%}\n", NULL);
    ck_assert_int_eq(plan->trials.kind, PLAN_TRIALS_HALF_WIDTH);
    ck_assert_uint_eq(plan->trials.count, 5000);
    ck_assert_str_eq(plan->trials.of, "broken");
    ck_assert(plan->trials.half_width == 0.01 && plan->trials.confidence == 0.95);
    plan_destroy(plan);
    struct plan_request fixed = {.path = "t.yaml", .trials_given = true, .trials = 70};
    plan = must_load(SMALL "trials: {max: 5000, half-width: 1%}\n", &fixed);
    ck_assert_int_eq(plan->trials.kind, PLAN_TRIALS_FIXED);
    ck_assert_uint_eq(plan->trials.count, 70);
    plan_destroy(plan);
    struct plan_request shard = {.path = "t.yaml", .shard = "1/2"};
    ck_assert_ptr_null(load(SMALL "trials: {max: 5000, half-width: 1%}\n", &shard));
    ck_assert_ptr_nonnull(strstr(errors, "cells that end early cannot be split"));
    plan = must_load(SMALL "trials: {detect: 5%}\n", &shard);
    ck_assert_uint_eq(plan->trials.count, 250);
    plan_destroy(plan);
}
END_TEST

CHECK_MAIN("plan", 60, tcase_add_test(tc, test_plan__trials_are_computed_or_end_early);
           tcase_add_test(tc, test_plan__a_cell_has_no_more_trials_than_sequences);
           tcase_add_test(tc, test_plan__fills_in_the_defaults_of_the_interface);
           tcase_add_test(tc, test_plan__raid_is_0_on_one_disk_unless_asked);
           tcase_add_test(tc, test_plan__numbers_trials_by_cell_whatever_is_selected);
           tcase_add_test(tc, test_plan__shards_split_the_trials_without_overlap);
           tcase_add_test(tc, test_plan__sweeps_in_file_order_with_names_and_draw_names);
           tcase_add_test(tc, test_plan__set_works_before_like_and_adds_absent_keys);
           tcase_add_test(tc, test_plan__numbers_of_an_app_may_be_ranges_and_distributions);
           tcase_add_test(tc, test_plan__a_selection_that_leaves_nothing_is_refused);
           tcase_add_test(tc, test_plan__deaths_that_are_mended_or_borne_are_promised);
           tcase_add_test(tc,
                          test_plan__one_disk_and_what_its_redundancy_does_not_need_are_promised);
           tcase_add_test(tc, test_plan__the_weakest_level_of_a_file_counts);
           tcase_add_test(tc, test_plan__what_a_disk_does_wrong_is_promised_by_what_is_left);
           tcase_add_test(tc, test_plan__transient_errors_that_outlast_the_tries_are_a_dead_disk);
           tcase_add_test(tc, test_plan__a_variants_machine_is_merged_key_by_key);
           tcase_add_test(tc, test_plan__spares_come_after_the_members);
           tcase_add_test(tc, test_plan__reads_faults_with_targets_and_moments);
           tcase_add_test(tc, test_plan__skips_what_cannot_be_and_says_why);
           tcase_add_test(tc, test_plan__stored_yaml_gives_the_same_plan_again);
           tcase_add_test(tc, test_plan__includes_lie_beneath_and_scripts_are_stored);)
