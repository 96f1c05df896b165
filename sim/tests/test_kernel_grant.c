/* Grants: owner, direction, bounds, sequence, forwarding, and wild pointers of processes. */
#include <signal.h>
#include <string.h>

#include "scripts/check_main.h"
#include "sim/tests/rig.h"

#define BYTES 10000u

/* What the granter hands over, and what each check of the users found. */
static struct {
    uint32_t granter, middle, user;
    uint32_t read, write, spans, forwarded, narrowed, revoked, stale;
    bool given, passed_on, used, checked_back;
    uint32_t failures[32];
    uint32_t failed;
    uint32_t checked;
} shared;

static void expect(uint32_t line, enum err got, enum err want)
{
    shared.checked++;
    if (got != want && shared.failed < 32)
        shared.failures[shared.failed++] = line;
}
#define EXPECT(got, want) expect(__LINE__, got, want)

static void setup(void)
{
    rig_setup();
    memset(&shared, 0, sizeof(shared));
}

static void nap(void)
{
    struct msg m;
    if (plat_receive(ENDPOINT_CLOCK, &m, plat_now() + MS) == OK && m.source == ENDPOINT_RS)
        plat_notify(ENDPOINT_RS);
}

static uint32_t find(enum layer layer)
{
    while (plat_lookup(layer, 0) == ENDPOINT_NONE)
        nap();
    return plat_lookup(layer, 0);
}

static void granter_main(const struct boot *boot)
{
    plat_ready();
    while (boot->incarnation > 0) /* killed at the end: its heir only lives */
        nap();
    uint8_t *data = plat_alloc(BYTES, TAG_PAGES);
    for (uint32_t i = 0; i < BYTES; i++)
        data[i] = (uint8_t)(i * 7);
    shared.middle = find(LAYER_CACHE);
    shared.user = find(LAYER_LOGICAL);
    shared.read = plat_grant(shared.middle, data, BYTES, PLAT_GRANT_READ);
    shared.write = plat_grant(shared.middle, data + 100, 100, PLAT_GRANT_WRITE);
    const struct plat_span spans[] = {{data + 300, 10}, {data, 5}, {data + 5000, 4000}};
    shared.spans = plat_grant_spans(shared.middle, spans, 3, PLAT_GRANT_READ | PLAT_GRANT_WRITE);
    shared.stale = plat_grant(shared.middle, data, BYTES, PLAT_GRANT_READ);
    plat_revoke(shared.stale);
    shared.granter = plat_lookup(LAYER_NAMING, 0);
    shared.given = true;
    while (!shared.used)
        nap();
    EXPECT(data[100] == 0xee && data[199] == 0xee && data[99] == (uint8_t)(99 * 7), true);
    EXPECT(data[309] == 1 && data[0] == 2 && data[4] == 6 && data[5000] == 7, true);
    shared.checked_back = true;
    for (;;)
        nap();
}

static void middle_main(const struct boot *boot)
{
    uint8_t *mine = plat_alloc(BYTES, TAG_HEAP);
    plat_ready();
    while (boot->incarnation > 0)
        nap();
    while (!shared.given)
        nap();
    uint32_t from = shared.granter;
    EXPECT(plat_copy_in(from, shared.read, 0, mine, BYTES), OK);
    EXPECT(mine[9999] == (uint8_t)(9999 * 7), true);
    EXPECT(plat_copy_in(from, shared.read, BYTES - 1, mine, 1), OK);
    EXPECT(plat_copy_in(from, shared.read, BYTES, mine, 0), OK);
    EXPECT(plat_copy_in(from, shared.read, BYTES - 1, mine, 2), E_INVAL);
    EXPECT(plat_copy_in(from, shared.read, BYTES + 1, mine, 0), E_INVAL);
    EXPECT(plat_copy_in(from, shared.read, SIZE_MAX, mine, 2), E_INVAL);
    EXPECT(plat_copy_out(from, shared.read, 0, mine, 1), E_INVAL);
    EXPECT(plat_copy_in(from, shared.write, 0, mine, 1), E_INVAL);
    EXPECT(plat_copy_in(from, shared.stale, 0, mine, 1), E_INVAL);
    EXPECT(plat_copy_in(from, GRANT_NONE, 0, mine, 1), E_INVAL);
    EXPECT(plat_copy_in(from, 0xffffffff, 0, mine, 1), E_INVAL);
    EXPECT(plat_copy_in(from + (1 << 15), shared.read, 0, mine, 1), E_DEAD);
    memset(mine, 0xee, 200);
    EXPECT(plat_copy_out(from, shared.write, 0, mine, 100), OK);
    EXPECT(plat_copy_out(from, shared.write, 1, mine, 100), E_INVAL);
    for (uint8_t i = 0; i < 8; i++)
        mine[i] = i;
    EXPECT(plat_copy_out(from, shared.spans, 8, mine, 8), OK); /* over three pieces */
    EXPECT(plat_copy_in(from, shared.spans, 0, mine, 4015), OK);
    EXPECT(mine[9] == 1 && mine[10] == 2 && mine[15] == 7, true);
    EXPECT(plat_copy_in(from, shared.spans, 0, mine, 4016), E_INVAL);
    shared.forwarded = plat_grant_forward(shared.user, from, shared.read, 1000, 50,
                                          PLAT_GRANT_READ | PLAT_GRANT_WRITE);
    shared.narrowed =
        plat_grant_forward(shared.user, from, shared.read, BYTES - 10, 50, PLAT_GRANT_READ);
    shared.revoked = plat_grant_forward(shared.user, from, shared.stale, 0, 1, PLAT_GRANT_READ);
    shared.passed_on = true;
    for (;;)
        nap();
}

static void user_main(const struct boot *boot)
{
    uint8_t byte = 0;
    (void)boot;
    plat_ready();
    while (!shared.passed_on)
        nap();
    uint32_t from = shared.middle;
    EXPECT(plat_copy_in(shared.granter, shared.read, 0, &byte, 1), E_INVAL); /* not to this one */
    EXPECT(plat_copy_in(from, shared.forwarded, 49, &byte, 1), OK);
    EXPECT(byte == (uint8_t)(1049 * 7), true);
    EXPECT(plat_copy_in(from, shared.forwarded, 50, &byte, 1), E_INVAL);
    EXPECT(plat_copy_out(from, shared.forwarded, 0, &byte, 1), E_INVAL); /* read further up */
    EXPECT(plat_copy_in(from, shared.narrowed, 9, &byte, 1), OK);
    EXPECT(plat_copy_in(from, shared.narrowed, 10, &byte, 1), E_INVAL); /* beyond the first */
    EXPECT(plat_copy_in(from, shared.revoked, 0, &byte, 1), E_INVAL);
    shared.used = true;
    while (!shared.checked_back)
        nap();
    plat_kill(LAYER_NAMING, 0);
    EXPECT(plat_copy_in(from, shared.forwarded, 0, &byte, 1), E_DEAD); /* the owner behind */
    plat_kill(LAYER_CACHE, 0);
    EXPECT(plat_copy_in(from, shared.forwarded, 0, &byte, 1), E_DEAD);
    shared.checked += 1000;
    for (;;)
        nap();
}

START_TEST(test_kernel_grant__copies_are_checked_for_owner_direction_bounds_and_age)
{
    rig_boot(granter_main, middle_main, user_main);
    (void)sim_machine_run(rig.m, SECOND / 2);
    ck_assert_msg(shared.failed == 0, "first failed check: line %u", shared.failures[0]);
    ck_assert_uint_ge(shared.checked, 1000 + 29);
    ck_assert_uint_eq(rig.deaths, 2);
    ck_assert_int_eq(rig.death[0].cause, SIM_DEATH_RS_ASKED);
}
END_TEST

/* Takes all grants, finds the table full, frees one, gets one with another number. */
static void greedy_main(const struct boot *boot)
{
    (void)boot;
    static uint32_t number[PLAT_GRANTS_MAX];
    plat_ready();
    uint8_t *data = plat_alloc(64, TAG_HEAP);
    uint32_t to = find(LAYER_CACHE);
    for (uint32_t i = 0; i < PLAT_GRANTS_MAX; i++) {
        number[i] = plat_grant(to, data, 64, PLAT_GRANT_READ);
        EXPECT(number[i] != GRANT_NONE, true);
    }
    EXPECT(plat_grant(to, data, 64, PLAT_GRANT_READ) == GRANT_NONE, true);
    plat_revoke(number[17]);
    plat_revoke(number[17]);
    plat_revoke(GRANT_NONE);
    uint32_t again = plat_grant(to, data, 64, PLAT_GRANT_READ);
    EXPECT(again != GRANT_NONE && again != number[17], true);
    EXPECT(plat_grant(to, data, 64, PLAT_GRANT_READ) == GRANT_NONE, true);
    shared.checked += 10000;
    for (;;)
        nap();
}

static void quiet_main(const struct boot *boot)
{
    (void)boot;
    plat_ready();
    for (;;)
        nap();
}

START_TEST(test_kernel_grant__a_full_table_is_an_answer)
{
    rig_boot(greedy_main, quiet_main, NULL);
    (void)sim_machine_run(rig.m, SECOND / 2);
    ck_assert_msg(shared.failed == 0, "first failed check: line %u", shared.failures[0]);
    ck_assert_uint_gt(shared.checked, 10000);
}
END_TEST

/* Each incarnation makes another wild call: all are its own crash. */
static void wild_main(const struct boot *boot)
{
    static const uint8_t constant[16] = "a constant";
    uint8_t *data = plat_alloc(64, TAG_HEAP);
    uint32_t number;
    struct msg m = {0};
    plat_ready();
    switch (boot->incarnation) {
    case 0: /* memory of the laboratory */
        (void)plat_grant(plat_lookup(LAYER_NAMING, 0), &shared, 8, PLAT_GRANT_READ);
        break;
    case 1: /* a constant may be read ... */
        number = plat_grant(plat_lookup(LAYER_NAMING, 0), (void *)(uintptr_t)constant, 16,
                            PLAT_GRANT_READ);
        EXPECT(plat_copy_in(plat_lookup(LAYER_NAMING, 0), number, 0, data, 16), OK);
        EXPECT(data[2] == 'c', true);
        (void)plat_grant(plat_lookup(LAYER_NAMING, 0), (void *)(uintptr_t)constant, 16,
                         PLAT_GRANT_WRITE); /* ... and not written */
        break;
    case 2:
        number = plat_grant(plat_lookup(LAYER_NAMING, 0), data, 64, PLAT_GRANT_READ);
        EXPECT(plat_copy_in(plat_lookup(LAYER_NAMING, 0), number, 0, (void *)8, 64), 777);
        break;
    case 3:
        EXPECT(plat_post(plat_lookup(LAYER_NAMING, 0), (struct msg *)(uintptr_t)8), 777);
        break;
    case 4:
        (void)plat_grant(plat_lookup(LAYER_NAMING, 0), data, SIZE_MAX, PLAT_GRANT_READ);
        break;
    case 5:
        EXPECT(plat_receive(ENDPOINT_ANY, (struct msg *)(uintptr_t)8, PLAT_FOREVER), 777);
        break;
    default:
        shared.checked += 10000;
        for (;;)
            if (plat_receive(ENDPOINT_ANY, &m, PLAT_FOREVER) == OK && m.source == ENDPOINT_RS)
                plat_notify(ENDPOINT_RS);
    }
    EXPECT(OK, 777);
}

START_TEST(test_kernel_grant__wild_pointers_are_the_process_s_own_crash)
{
    rig_boot(wild_main, NULL, NULL);
    (void)sim_machine_run(rig.m, 60 * SECOND);
    ck_assert_msg(shared.failed == 0, "first failed check: line %u", shared.failures[0]);
    ck_assert_uint_eq(rig.deaths, 6);
    for (uint32_t i = 0; i < rig.deaths; i++)
        ck_assert_int_eq(rig.death[i].cause, SIM_DEATH_SIGNAL);
    ck_assert_uint_gt(shared.checked, 10000);
}
END_TEST

CHECK_MAIN("kernel_grant", 60, tcase_add_checked_fixture(tc, setup, rig_teardown);
           tcase_add_test(tc,
                          test_kernel_grant__copies_are_checked_for_owner_direction_bounds_and_age);
           tcase_add_test(tc, test_kernel_grant__a_full_table_is_an_answer);
           tcase_add_test(tc, test_kernel_grant__wild_pointers_are_the_process_s_own_crash);)
