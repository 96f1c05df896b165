/* Memory: alignment, exhaustion, tags, page states, and where flips strike; strict mode after it.
 */
#include <string.h>

#include "scripts/check_main.h"
#include "sim/kernel.h"
#include "sim/tests/rig.h"

static struct {
    uint8_t *heap, *pages, *log, *survivor_pages;
    bool aligned, exhausted;
    uint8_t *on_stack;
    uint64_t sum;
} seen;

static void setup(void)
{
    rig_setup();
    memset(&seen, 0, sizeof(seen));
}

static void live(void)
{
    struct msg m;
    for (;;)
        if (plat_receive(ENDPOINT_ANY, &m, PLAT_FOREVER) == OK && m.source == ENDPOINT_RS)
            plat_notify(ENDPOINT_RS);
}

static void memory_main(const struct boot *boot)
{
    uint8_t local[1024];
    memset(local, 0, sizeof(local));
    seen.on_stack = local;
    seen.heap = plat_alloc(1000, TAG_HEAP);
    seen.pages = plat_alloc(8 * 4096, TAG_PAGES);
    seen.log = plat_alloc(5000, TAG_LOG);
    seen.aligned = (uintptr_t)seen.heap % 64 == 0 && (uintptr_t)seen.pages % 4096 == 0 &&
                   (uintptr_t)seen.log % 64 == 0;
    plat_page_state(seen.pages + 2 * 4096, PAGE_CLEAN);
    plat_page_state(seen.pages + 5 * 4096, PAGE_DIRTY);
    plat_page_state(seen.heap - (1 << 27), PAGE_DIRTY); /* nowhere: ignored */
    if (boot->survivor != NULL) {
        seen.survivor_pages = boot->survivor;
        plat_tag_survivor(0, 8 * 4096, TAG_PAGES);
        plat_tag_survivor(SIZE_MAX, 10, TAG_PAGES); /* outside: ignored */
        plat_page_state(seen.survivor_pages + 3 * 4096, PAGE_WRITING);
    }
    plat_ready();
    live();
}

static struct sim_flip_result flip(struct sim_flip how, double where)
{
    how.layer = LAYER_CACHE;
    how.where = where;
    how.bits = how.bits == 0 ? 1 : how.bits;
    return sim_machine_flip(rig.m, &how);
}

static void boot_memory(void)
{
    rig_boot(memory_main, memory_main, NULL); /* the second has a survivor */
    (void)sim_machine_run(rig.m, SECOND / 2);
    ck_assert(sim_machine_all_ready(rig.m));
}

static uint64_t at(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

START_TEST(test_kernel_memory__allocations_are_aligned)
{
    boot_memory();
    ck_assert(seen.aligned);
}
END_TEST

static void exhausting_main(const struct boot *boot)
{
    (void)boot;
    uint64_t total = 0;
    while (plat_alloc(1 << 20, TAG_HEAP) != NULL)
        total += 1 << 20;
    seen.exhausted =
        plat_alloc(SIZE_MAX, TAG_HEAP) == NULL && plat_alloc(SIZE_MAX - 63, TAG_LOG) == NULL;
    seen.sum = total;
    plat_ready();
    live();
}

START_TEST(test_kernel_memory__an_arena_ends)
{
    rig_boot(exhausting_main, NULL, NULL);
    (void)sim_machine_run(rig.m, SECOND / 2);
    ck_assert(seen.exhausted);
    ck_assert_uint_eq(seen.sum, PLAT_ARENA_BYTES - (1 << 20)); /* the boot block has a line */
    ck_assert_uint_eq(rig.deaths, 0);
}
END_TEST

START_TEST(test_kernel_memory__a_flip_by_tag_strikes_that_tag)
{
    boot_memory();
    for (int i = 0; i < 100; i++) {
        struct sim_flip_result r = flip((struct sim_flip){.tag = TAG_LOG, .bit = 3}, i / 100.0);
        ck_assert(r.hit && r.tag == TAG_LOG && !r.stack);
        ck_assert_uint_ge(r.address, at(seen.log));
        ck_assert_uint_lt(r.address, at(seen.log) + 5000);
        sim_regions_open(&rig.m->regions, process_by_name(rig.m, LAYER_CACHE, 0)->region);
        ck_assert_uint_eq(*(uint8_t *)(uintptr_t)r.address, 1 << 3);
    }
}
END_TEST

START_TEST(test_kernel_memory__a_flip_by_page_state_strikes_such_a_page)
{
    static const enum plat_page_state states[] = {PAGE_CLEAN, PAGE_DIRTY, PAGE_WRITING};
    boot_memory();
    const uint8_t *pages[] = {seen.pages + 2 * 4096, seen.pages + 5 * 4096,
                              seen.survivor_pages + 3 * 4096};
    for (int i = 0; i < 3; i++) {
        struct sim_flip_result r =
            flip((struct sim_flip){.tag = TAG_PAGES, .state = states[i]}, 0.999);
        ck_assert(r.hit && r.tag == TAG_PAGES && r.state == states[i]);
        ck_assert_uint_eq(r.address, at(pages[i]) + 4091); /* 0.999 * 4096 */
    }
    uint32_t in_use[3] = {0};
    for (int i = 0; i < 300; i++) {
        struct sim_flip_result r =
            flip((struct sim_flip){.tag = TAG_PAGES, .any_state = true}, i / 300.0);
        ck_assert(r.hit && r.state != PAGE_UNUSED);
        in_use[r.state - PAGE_CLEAN]++;
    }
    ck_assert_uint_eq(in_use[0], 100);
    ck_assert_uint_eq(in_use[1], 100);
    ck_assert_uint_eq(in_use[2], 100);
}
END_TEST

START_TEST(test_kernel_memory__a_flip_of_what_was_never_touched_is_there)
{
    boot_memory();
    struct sim_process *p = process_by_name(rig.m, LAYER_CACHE, 0);
    uint32_t untouched = 0;
    double where = 0;
    for (int i = 0; i < 1000; i++) {
        struct sim_flip_result r = flip((struct sim_flip){.any_tag = true, .bit = 5}, i / 1000.0);
        uint64_t page = (r.address - at(seen.survivor_pages)) / 4096;
        bool is_new = page >= 4 && page < 8; /* of its eight the fourth is in use */
        ck_assert(r.hit && r.changed == 1);
        sim_regions_open(&rig.m->regions, p->survivor);
        if (is_new)
            ck_assert_uint_eq(*(uint8_t *)(uintptr_t)r.address, 1 << 5);
        where = is_new ? i / 1000.0 : where;
        untouched += is_new;
        (void)flip((struct sim_flip){.any_tag = true, .bit = 5}, i / 1000.0); /* back */
    }
    ck_assert_uint_ge(untouched, 10);
    struct sim_flip stuck = {.any_tag = true, .bit = 5, .pattern = SIM_FLIP_STUCK};
    struct sim_flip_result r = flip(stuck, where);
    ck_assert_uint_ge(r.address, at(seen.survivor_pages) + UINT64_C(4) * 4096);
    ck_assert_uint_eq(r.changed, 1);
    sim_regions_open(&rig.m->regions, p->survivor);
    *(uint8_t *)(uintptr_t)r.address = 0; /* it is used at last */
    (void)sim_machine_run(rig.m, 3 * SECOND);
    sim_regions_open(&rig.m->regions, p->survivor);
    ck_assert_uint_eq(*(uint8_t *)(uintptr_t)r.address, 1 << 5);
}
END_TEST

START_TEST(test_kernel_memory__a_flip_of_the_stack_strikes_frames_in_use)
{
    boot_memory();
    for (int i = 0; i < 50; i++) {
        struct sim_flip_result r = flip((struct sim_flip){.stack = true, .bit = 1}, i / 50.0);
        ck_assert(r.hit && r.stack);
        uint64_t base = sim_plan_base(process_by_name(rig.m, LAYER_CACHE, 0)->region);
        ck_assert_uint_ge(r.address, base);
        ck_assert_uint_lt(r.address, base + SIM_STACK_BYTES);
        ck_assert_uint_lt(r.address, at(seen.on_stack) + 8192);
    }
}
END_TEST

START_TEST(test_kernel_memory__a_flip_finds_nothing_where_nothing_is)
{
    boot_memory();
    ck_assert(!flip((struct sim_flip){.tag = TAG_PAGES, .state = (enum plat_page_state)77}, 0).hit);
    struct sim_flip nobody = {.layer = LAYER_VFS, .any_tag = true, .bits = 1};
    ck_assert(!sim_machine_flip(rig.m, &nobody).hit);
}
END_TEST

START_TEST(test_kernel_memory__several_bits_are_adjacent_and_a_second_flip_undoes_them)
{
    boot_memory();
    memset(seen.log, 0, 64);
    for (int turn = 0; turn < 2; turn++) {
        (void)flip((struct sim_flip){.tag = TAG_LOG, .bit = 6, .bits = 11}, 0.0);
        sim_regions_open(&rig.m->regions, process_by_name(rig.m, LAYER_CACHE, 0)->region);
        ck_assert_uint_eq(seen.log[0], turn == 0 ? 0xc0 : 0);
        ck_assert_uint_eq(seen.log[1], turn == 0 ? 0xff : 0);
        ck_assert_uint_eq(seen.log[2], turn == 0 ? 0x01 : 0);
    }
}
END_TEST

START_TEST(test_kernel_memory__a_dead_process_can_be_struck_in_its_survivor_alone)
{
    boot_memory();
    (void)sim_machine_kill(rig.m, LAYER_CACHE, 0, SIM_DEATH_KILLED);
    ck_assert(!flip((struct sim_flip){.tag = TAG_LOG}, 0).hit);
    ck_assert(flip((struct sim_flip){.tag = TAG_PAGES, .state = PAGE_WRITING}, 0).hit);
}
END_TEST

/* Writes into the memory of another process through a wild pointer, in its second life. */
static void wild_main(const struct boot *boot)
{
    struct msg m;
    plat_ready();
    if (boot->incarnation == 0 && plat_receive(ENDPOINT_CLOCK, &m, plat_now() + 100 * MS) != OK)
        *(volatile uint8_t *)seen.heap = 1;
    live();
}

START_TEST(test_kernel_memory__strict_mode_makes_a_wild_store_a_crash)
{
    rig_boot(wild_main, memory_main, NULL);
    (void)sim_machine_run(rig.m, MS);
    ck_assert(flip((struct sim_flip){.tag = TAG_LOG}, 0).hit);
    (void)sim_machine_run(rig.m, SECOND / 2);
    ck_assert_uint_eq(rig.deaths, 1);
    ck_assert_int_eq(rig.death[0].layer, LAYER_NAMING);
    ck_assert_int_eq(rig.death[0].cause, SIM_DEATH_SIGNAL);
    (void)sim_machine_run(rig.m, 10 * SECOND); /* messages and restarts work on, regions closed */
    ck_assert(sim_machine_all_ready(rig.m));
    ck_assert_uint_eq(rig.deaths, 1);
    rig_boot(memory_main, memory_main, NULL);
    seen.heap[0] = 0; /* open again */
}
END_TEST

static void gauging_main(const struct boot *boot)
{
    (void)boot;
    plat_gauge(GAUGE_LOG, 7);
    plat_gauge(GAUGE_LOG, UINT64_MAX);
    plat_gauge((enum gauge)GAUGE_COUNT, 5); /* none: ignored */
    uint8_t *pages = plat_alloc(8 * 4096, TAG_PAGES);
    for (int i = 0; i < 3; i++)
        plat_page_state(pages + i * 4096, PAGE_DIRTY);
    plat_page_state(pages, PAGE_WRITING);
    plat_ready();
    live();
}

START_TEST(test_kernel_memory__gauges_and_pages_are_those_of_the_present_instance)
{
    rig_boot(gauging_main, memory_main, NULL);
    (void)sim_machine_run(rig.m, SECOND / 2);
    for (int time = 0; time < 2; time++) { /* a crash and a fresh instance in between */
        ck_assert_uint_eq(sim_machine_gauge(rig.m, 0, GAUGE_LOG), UINT64_MAX);
        ck_assert_uint_eq(sim_machine_gauge(rig.m, 0, GAUGE_CREDIT), 0);
        ck_assert_uint_eq(sim_machine_pages(rig.m, 0, PAGE_DIRTY), 2);
        ck_assert_uint_eq(sim_machine_pages(rig.m, 0, PAGE_WRITING), 1);
        ck_assert(sim_machine_kill(rig.m, LAYER_NAMING, 0, SIM_DEATH_KILLED));
        (void)sim_machine_run(rig.m, 5 * SECOND);
    }
    ck_assert_uint_eq(rig.deaths, 2);
    ck_assert_uint_eq(sim_machine_gauge(rig.m, 1, GAUGE_LOG), 0);
    ck_assert_uint_eq(sim_machine_pages(rig.m, 1, PAGE_DIRTY), 1);   /* that of its heap is none */
    ck_assert_uint_eq(sim_machine_pages(rig.m, 1, PAGE_WRITING), 1); /* of its survivor */
}
END_TEST

CHECK_MAIN(
    "kernel_memory", 60, tcase_add_checked_fixture(tc, setup, rig_teardown);
    tcase_add_test(tc, test_kernel_memory__allocations_are_aligned);
    tcase_add_test(tc, test_kernel_memory__an_arena_ends);
    tcase_add_test(tc, test_kernel_memory__gauges_and_pages_are_those_of_the_present_instance);
    tcase_add_test(tc, test_kernel_memory__a_flip_by_tag_strikes_that_tag);
    tcase_add_test(tc, test_kernel_memory__a_flip_by_page_state_strikes_such_a_page);
    tcase_add_test(tc, test_kernel_memory__a_flip_of_what_was_never_touched_is_there);
    tcase_add_test(tc, test_kernel_memory__a_flip_of_the_stack_strikes_frames_in_use);
    tcase_add_test(tc, test_kernel_memory__a_flip_finds_nothing_where_nothing_is);
    tcase_add_test(tc, test_kernel_memory__several_bits_are_adjacent_and_a_second_flip_undoes_them);
    tcase_add_test(tc, test_kernel_memory__a_dead_process_can_be_struck_in_its_survivor_alone);
    tcase_add_test(tc, test_kernel_memory__strict_mode_makes_a_wild_store_a_crash);)
