/* The device of a process: data through grants, limits, and the deaths of all who take part. */
#include <string.h>

#include "scripts/check_main.h"
#include "sim/kernel.h"
#include "sim/tests/rig.h"

#define SECTORS 16u

/* The client (naming) asks, the driver (logical, which has the disk) obeys. */
static struct {
    uint32_t client, driver, read_grant, write_grant;
    uint8_t *data, *back;
    bool ready;
    struct plat_disk_info info;
    struct plat_disk_completion done[64];
    uint32_t done_count;
    enum err submitted;
    uint32_t accepted;
    uint32_t sector_bytes;
} seen;

static struct plat_disk_request next[32];
static uint32_t next_count;
static bool abort_first;

static void setup(void)
{
    rig_setup_with_disk();
    memset(&seen, 0, sizeof(seen));
    next_count = 0;
    abort_first = false;
}

static void nap(void)
{
    struct msg m;
    if (plat_receive(ENDPOINT_CLOCK, &m, plat_now() + MS) == OK && m.source == ENDPOINT_RS)
        plat_notify(ENDPOINT_RS);
}

static void client_main(const struct boot *boot)
{
    plat_ready();
    while (plat_lookup(LAYER_LOGICAL, 0) == ENDPOINT_NONE)
        nap();
    if (boot->incarnation == 0) {
        seen.data = plat_alloc(1 << 20, TAG_PAGES);
        seen.back = plat_alloc(1 << 20, TAG_PAGES);
        for (uint32_t i = 0; i < 1 << 20; i++)
            seen.data[i] = (uint8_t)(i * 13 + i / 256);
        seen.driver = plat_lookup(LAYER_LOGICAL, 0);
        seen.client = plat_lookup(LAYER_NAMING, 0);
        seen.read_grant = plat_grant(seen.driver, seen.data, 1 << 20, PLAT_GRANT_READ);
        seen.write_grant = plat_grant(seen.driver, seen.back, 1 << 20, PLAT_GRANT_WRITE);
        seen.ready = true;
    }
    for (;;)
        nap();
}

static void idle_main(const struct boot *boot)
{
    (void)boot;
    plat_ready();
    for (;;)
        nap();
}

/* Submits what the test wrote into `next`, records completions. */
static void obey_main(const struct boot *boot)
{
    struct msg m;
    (void)boot;
    plat_disk_identify(&seen.info);
    plat_ready();
    for (;;) {
        if (abort_first)
            plat_disk_abort();
        abort_first = false;
        for (uint32_t i = 0; i < next_count; i++) {
            seen.submitted = plat_disk_submit(&next[i]);
            seen.accepted += seen.submitted == OK;
        }
        next_count = 0;
        if (plat_receive(ENDPOINT_ANY, &m, plat_now() + MS) == OK && m.source == ENDPOINT_RS)
            plat_notify(ENDPOINT_RS);
        struct plat_disk_completion done;
        while (plat_disk_poll(&done))
            if (seen.done_count < 64)
                seen.done[seen.done_count++] = done;
    }
}

static void boot(void)
{
    rig_boot(client_main, idle_main, obey_main);
    (void)sim_machine_run(rig.m, SECOND / 10);
    ck_assert(seen.ready);
}

static void wait_ms(uint64_t ms)
{
    (void)sim_machine_run(rig.m, sim_machine_now(rig.m) + ms * MS);
}

static void ask(enum plat_disk_op op, uint32_t id, uint64_t first, uint32_t count)
{
    next[next_count++] =
        (struct plat_disk_request){.id = id,
                                   .op = op,
                                   .first_sector = first,
                                   .count = count,
                                   .granter = seen.client,
                                   .grant = op == DISK_WRITE ? seen.read_grant : seen.write_grant,
                                   .grant_offset = (size_t)first * seen.info.sector_bytes};
}

START_TEST(test_kernel_device__identify_describes_the_disk)
{
    boot();
    ck_assert_uint_eq(seen.info.sectors * seen.info.sector_bytes, SIM_DISK_SIZE_MIN);
    ck_assert_uint_ge(seen.info.queue_depth, 1);
    ck_assert(!seen.info.gone);
}
END_TEST

START_TEST(test_kernel_device__data_go_to_the_disk_and_back)
{
    boot();
    ask(DISK_WRITE, 7, 5, SECTORS);
    wait_ms(300);
    ask(DISK_FLUSH, 8, 0, 0);
    wait_ms(300);
    ask(DISK_READ, 9, 5, SECTORS);
    wait_ms(300);
    ck_assert_uint_eq(seen.done_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(seen.done[i].id, 7 + i);
        ck_assert_int_eq(seen.done[i].status, OK);
    }
    size_t at = 5 * seen.info.sector_bytes;
    ck_assert_mem_eq(seen.back + at, seen.data + at, (size_t)SECTORS * seen.info.sector_bytes);
    ck_assert_uint_eq(seen.back[at - 1], 0);
}
END_TEST

START_TEST(test_kernel_device__unsound_requests_are_answered_with_einval)
{
    boot();
    ask(DISK_READ, 1, seen.info.sectors, 1);
    ask(DISK_READ, 2, seen.info.sectors - 1, 2);
    ask(DISK_READ, 3, UINT64_MAX, 2);
    ask(DISK_READ, 4, 0, 0);
    ask((enum plat_disk_op)99, 5, 0, 1);
    ask(DISK_WRITE, 6, 0, 1);
    next[5].grant = seen.write_grant; /* not to be read from */
    ask(DISK_READ, 7, 0, 1);
    next[6].grant_offset = 1 << 20; /* beyond the grant: seen when the data come */
    wait_ms(500);
    ck_assert_uint_eq(seen.accepted, 7);
    ck_assert_uint_eq(seen.done_count, 7);
    for (uint32_t i = 0; i < 7; i++)
        ck_assert_int_eq(seen.done[i].status, E_INVAL);
}
END_TEST

START_TEST(test_kernel_device__a_failed_disk_and_a_bad_sector_have_their_own_errors)
{
    boot();
    sim_disk_latent_error(sim_machine_disk(rig.m, 0), 3, 1);
    ask(DISK_READ, 1, 3, 1);
    wait_ms(500);
    ck_assert_uint_eq(seen.done_count, 1);
    ck_assert_int_eq(seen.done[0].status, E_MEDIA);
    sim_disk_fail_stop(sim_machine_disk(rig.m, 0));
    ask(DISK_READ, 2, 0, 1);
    wait_ms(500);
    ck_assert_int_eq(seen.submitted, E_DEAD);
}
END_TEST

START_TEST(test_kernel_device__the_queue_has_its_depth)
{
    boot();
    uint32_t depth = seen.info.queue_depth;
    for (uint32_t i = 0; i < 32; i++)
        ask(DISK_READ, i, i, 1);
    wait_ms(500);
    uint32_t accepted = depth < 32 ? depth : 32;
    ck_assert_uint_eq(seen.accepted, accepted);
    ck_assert_uint_eq(seen.done_count, accepted);
    ck_assert_int_eq(seen.submitted, depth < 32 ? E_FULL : OK);
}
END_TEST

START_TEST(test_kernel_device__an_abort_ends_all_requests)
{
    boot();
    for (uint32_t i = 0; i < 4; i++)
        ask(DISK_READ, i, i * 16, 1);
    abort_first = false;
    wait_ms(1); /* submitted, far too early for answers of a disk */
    while (seen.accepted == 0)
        wait_ms(1);
    uint32_t accepted = seen.accepted;
    abort_first = true;
    wait_ms(2);
    ck_assert_uint_eq(seen.done_count, accepted);
    ck_assert_uint_eq(sim_disk_outstanding(sim_machine_disk(rig.m, 0)), 0);
}
END_TEST

START_TEST(test_kernel_device__a_dead_driver_s_write_goes_on_and_a_dead_client_s_read_does_no_harm)
{
    boot();
    struct sim_disk *disk = sim_machine_disk(rig.m, 0);
    ask(DISK_WRITE, 1, 0, SECTORS);
    while (seen.accepted == 0)
        wait_ms(1);
    ck_assert(sim_machine_kill(rig.m, LAYER_LOGICAL, 0, SIM_DEATH_KILLED));
    wait_ms(500);
    uint8_t raw[4096];
    ck_assert_int_eq(sim_disk_peek(disk, 0, 1, raw), OK);
    ck_assert_mem_eq(raw, seen.data, seen.info.sector_bytes);
    ck_assert_uint_eq(sim_disk_outstanding(disk), 0);
    seen.done_count = 0;
    ask(DISK_READ, 2, 0, 1); /* by the new driver, into a grant made to the old one */
    wait_ms(500);
    ck_assert_uint_eq(seen.done_count, 1);
    ck_assert_int_eq(seen.done[0].status, E_INVAL);
    ask(DISK_READ, 3, 0, 1);
    while (seen.accepted < 3)
        wait_ms(1);
    ck_assert(sim_machine_kill(rig.m, LAYER_NAMING, 0, SIM_DEATH_KILLED));
    wait_ms(500);
    ck_assert_uint_eq(seen.done_count, 2);
    ck_assert_int_eq(seen.done[1].status, E_INVAL);
    ck_assert_uint_eq(rig.deaths, 2);
}
END_TEST

START_TEST(test_kernel_device__power_cuts_and_resets_forget_what_the_disk_held)
{
    for (uint32_t turn = 0; turn < 50; turn++) {
        memset(&seen, 0, sizeof(seen));
        boot();
        for (uint32_t i = 0; i < 8; i++)
            ask(DISK_WRITE, i, i * 16, SECTORS);
        while (seen.accepted == 0)
            wait_ms(1);
        if (turn % 2 == 0)
            sim_machine_power_cut(rig.m, SIM_CUT_RANDOM, SIM_TEARS_PREFIX, turn);
        ck_assert_int_eq(sim_machine_run(rig.m, sim_machine_now(rig.m) + SECOND),
                         turn % 2 == 0 ? SIM_RUN_IDLE : SIM_RUN_TIME);
    }
    uint32_t transfers = 0;
    for (struct sim_transfer *t = rig.m->all_transfers; t != NULL; t = t->all)
        transfers++;
    ck_assert_uint_le(transfers, 8);
}
END_TEST

START_TEST(test_kernel_device__seal_makes_the_content_the_image_of_resets)
{
    uint8_t raw[4096];
    boot();
    ask(DISK_WRITE, 1, 0, SECTORS);
    while (seen.accepted == 0)
        wait_ms(1);
    wait_ms(200);
    sim_machine_seal(rig.m);
    sim_machine_reset(rig.m, 1, 2);
    ck_assert_int_eq(sim_disk_peek(sim_machine_disk(rig.m, 0), 0, 1, raw), OK);
    ck_assert_uint_eq(raw[1], 13);
}
END_TEST

CHECK_MAIN(
    "kernel_device", 60, tcase_add_checked_fixture(tc, setup, rig_teardown);
    tcase_add_test(tc, test_kernel_device__identify_describes_the_disk);
    tcase_add_test(tc, test_kernel_device__data_go_to_the_disk_and_back);
    tcase_add_test(tc, test_kernel_device__unsound_requests_are_answered_with_einval);
    tcase_add_test(tc, test_kernel_device__a_failed_disk_and_a_bad_sector_have_their_own_errors);
    tcase_add_test(tc, test_kernel_device__the_queue_has_its_depth);
    tcase_add_test(tc, test_kernel_device__an_abort_ends_all_requests); tcase_add_test(
        tc,
        test_kernel_device__a_dead_driver_s_write_goes_on_and_a_dead_client_s_read_does_no_harm);
    tcase_add_test(tc, test_kernel_device__power_cuts_and_resets_forget_what_the_disk_held);
    tcase_add_test(tc, test_kernel_device__seal_makes_the_content_the_image_of_resets);)
