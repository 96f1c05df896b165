/* What a program can be made to do wrong: messages, stores, leaks; and hangs that end. */
#include <string.h>

#include "scripts/check_main.h"
#include "sim/kernel.h"
#include "sim/tests/rig.h"

static struct {
    uint32_t got, value, grants;
    bool memory;
    bool leaves_out;
} seen;

static void sender(const struct boot *boot)
{
    uint8_t *page = plat_alloc(4096, TAG_PAGES);
    plat_page_state(page, PAGE_CLEAN);
    plat_ready();
    for (uint32_t k = 0;; k++) {
        struct msg m = {.type = 7};
        uint32_t to = plat_lookup(LAYER_CACHE, 0);
        if (to != ENDPOINT_NONE)
            (void)!plat_post(to, &m);
        if (plat_receive(ENDPOINT_ANY, &m, plat_now() + MS) == OK && m.source == ENDPOINT_RS)
            plat_notify(ENDPOINT_RS);
        seen.memory = plat_alloc(64, TAG_HEAP) != NULL;
        uint32_t grant = plat_grant(to, page, 1, PLAT_GRANT_READ);
        seen.grants += grant != GRANT_NONE;
        plat_revoke(grant);
        (void)boot;
    }
}

static void receiver(const struct boot *boot)
{
    (void)boot;
    plat_ready();
    for (;;) {
        struct msg m;
        if (plat_receive(ENDPOINT_ANY, &m, PLAT_FOREVER) != OK)
            continue;
        if (m.source == ENDPOINT_RS)
            plat_notify(ENDPOINT_RS);
        else
            seen.got++;
        if (m.type != MSG_NOTIFY)
            seen.value = m.payload[3];
    }
}

static void run(uint64_t ns)
{
    (void)sim_machine_run(rig.m, sim_machine_now(rig.m) + ns);
}

static void setup(void)
{
    rig_setup();
    memset(&seen, 0, sizeof(seen));
    rig_boot(sender, receiver, NULL);
    run(10 * MS);
}

static bool hook(void *context, enum layer layer, uint32_t instance, struct msg *m, bool posted)
{
    ck_assert_ptr_eq(context, &seen);
    ck_assert_int_eq(layer, LAYER_NAMING);
    ck_assert_uint_eq(instance, 0);
    ck_assert(posted);
    m->payload[3] = 9;
    return !seen.leaves_out;
}

START_TEST(test_kernel_bug__a_message_is_changed_or_left_out)
{
    ck_assert_uint_eq(seen.value, 0);
    sim_machine_hook_sends(rig.m, hook, &seen);
    run(3 * MS);
    ck_assert_uint_eq(seen.value, 9);
    uint32_t got = seen.got;
    seen.leaves_out = true;
    run(5 * MS);
    ck_assert_uint_le(seen.got, got + 1);
    sim_machine_hook_sends(rig.m, NULL, NULL);
    run(3 * MS);
    ck_assert_uint_ge(seen.got, got + 2);
    ck_assert_uint_eq(seen.value, 0);
}
END_TEST

START_TEST(test_kernel_bug__a_store_astray_ends_its_process)
{
    struct sim_store store = {.layer = LAYER_NAMING, .astray = true, .bytes = 1};
    uint32_t deaths = rig.deaths;
    ck_assert(sim_machine_store(rig.m, &store));
    ck_assert(!sim_machine_alive(rig.m, LAYER_NAMING, 0));
    ck_assert_uint_eq(rig.deaths, deaths + 1);
    ck_assert_int_eq(rig.death[deaths].cause, SIM_DEATH_SIGNAL);
    ck_assert(!sim_machine_store(rig.m, &store)); /* nobody to do it */
    store.layer = LAYER_CACHE;
    store.astray = false;
    store.where =
        0.999999; /* its last byte: the rest is beyond what it uses, not beyond its region */
    store.bytes = 100;
    ck_assert(sim_machine_store(rig.m, &store));
    ck_assert(sim_machine_alive(rig.m, LAYER_CACHE, 0));
    store.bytes = 1u << 27;
    ck_assert(sim_machine_store(rig.m, &store));
    ck_assert(!sim_machine_alive(rig.m, LAYER_CACHE, 0));
}
END_TEST

/* Copies the words of a process, its stack among them, which a sanitizer closes to others. True:
 * all were so in `to` already. */
static __attribute__((no_sanitize_address, noinline)) bool
look(volatile uint64_t *to, const volatile uint64_t *from, size_t words)
{
    bool same = true;
    for (size_t k = 0; k < words; k++) {
        uint64_t word = from[k];
        same = same && to[k] == word;
        to[k] = word;
    }
    return same;
}

/* A byte of zeros that is overwritten by a zero is the same as before: nothing was done. */
START_TEST(test_kernel_bug__a_store_of_what_is_there_is_none)
{
    static uint64_t before[1 << 17];
    uint32_t none = 0;
    struct sim_process *p = process_by_name(rig.m, LAYER_CACHE, 0);
    const uint64_t *base = (const uint64_t *)(uintptr_t)region_base(p);
    size_t words = (p->arena_used + 7) / 8;
    ck_assert_uint_le(words, sizeof(before) / sizeof(before[0]));
    for (uint32_t k = 0; k < 2000; k++) {
        struct sim_store store = {
            .layer = LAYER_CACHE, .where = k / 2000.0, .bytes = 1, .key = k * 7919};
        memory_open(p);
        (void)look(before, base, words);
        bool done = sim_machine_store(rig.m, &store);
        ck_assert(sim_machine_alive(rig.m, LAYER_CACHE, 0));
        ck_assert_int_eq(done, !look(before, base, words));
        none += !done;
    }
    ck_assert_uint_ge(none, 1);
    ck_assert_uint_lt(none, 100);
}
END_TEST

START_TEST(test_kernel_bug__what_leaks_is_back_with_the_next_instance)
{
    ck_assert(seen.memory);
    ck_assert(sim_machine_leak(rig.m, LAYER_NAMING, 0));
    run(1500 * MS);
    ck_assert(!seen.memory);
    uint32_t grants = seen.grants;
    run(100 * MS);
    ck_assert_uint_eq(seen.grants, grants); /* all are taken */
    ck_assert(sim_machine_kill(rig.m, LAYER_NAMING, 0, SIM_DEATH_KILLED));
    run(100 * MS);
    ck_assert(seen.memory);
    ck_assert_uint_gt(seen.grants, grants);
}
END_TEST

START_TEST(test_kernel_bug__a_process_that_is_woken_goes_on)
{
    ck_assert(!sim_machine_wake(rig.m, LAYER_CACHE, 0));
    ck_assert(sim_machine_hang(rig.m, LAYER_CACHE, 0));
    ck_assert(sim_machine_hangs(rig.m, LAYER_CACHE, 0));
    uint32_t got = seen.got;
    run(50 * MS);
    ck_assert_uint_eq(seen.got, got);
    ck_assert(sim_machine_wake(rig.m, LAYER_CACHE, 0));
    ck_assert(!sim_machine_hangs(rig.m, LAYER_CACHE, 0));
    run(2 * MS);
    ck_assert_uint_ge(seen.got, got + 49);
    ck_assert_uint_eq(rig.deaths, 0);
}
END_TEST

CHECK_MAIN("kernel_bug", 60, {
    tcase_add_checked_fixture(tc, setup, rig_teardown);
    tcase_add_test(tc, test_kernel_bug__a_message_is_changed_or_left_out);
    tcase_add_test(tc, test_kernel_bug__a_store_astray_ends_its_process);
    tcase_add_test(tc, test_kernel_bug__a_store_of_what_is_there_is_none);
    tcase_add_test(tc, test_kernel_bug__what_leaks_is_back_with_the_next_instance);
    tcase_add_test(tc, test_kernel_bug__a_process_that_is_woken_goes_on);
})
