/* Messages: rendezvous, posts, order, notifications, deadlines, the deaths of peers. */
#include <string.h>

#include "scripts/check_main.h"
#include "sim/tests/rig.h"

/* What processes of a test tell the test. */
static struct {
    uint64_t value[4096];
    uint32_t count;
} said;

static void say(uint64_t value)
{
    if (said.count < sizeof(said.value) / sizeof(said.value[0]))
        said.value[said.count++] = value;
}

static void setup(void)
{
    struct sim_restart_policy patient = sim_restart_minix;
    patient.silent_periods = 60; /* these processes have other things to do than to answer */
    rig_setup_with(&patient);
    memset(&said, 0, sizeof(said));
}

/* Takes no messages until then; loses notifications. */
static void sleep_until(uint64_t at_ns)
{
    struct msg m;
    while (plat_receive(ENDPOINT_CLOCK, &m, at_ns) != E_TIMEOUT)
        ;
}

/* Waits until a service is up. */
static uint32_t find(enum layer layer)
{
    uint32_t endpoint;
    while ((endpoint = plat_lookup(layer, 0)) == ENDPOINT_NONE)
        sleep_until(plat_now() + MS);
    return endpoint;
}

static _Noreturn void sleep_forever(void)
{
    struct msg m;
    for (;;)
        if (plat_receive(ENDPOINT_ANY, &m, PLAT_FOREVER) == OK && m.source == ENDPOINT_RS)
            plat_notify(ENDPOINT_RS);
}

static void idle_main(const struct boot *boot)
{
    (void)boot;
    plat_ready();
    sleep_forever();
}

/* Answers each request with its first payload byte plus one. */
static void echo_main(const struct boot *boot)
{
    struct msg m;
    (void)boot;
    plat_ready();
    for (;;) {
        if (plat_receive(ENDPOINT_ANY, &m, PLAT_FOREVER) != OK)
            continue;
        if (m.source == ENDPOINT_RS) {
            plat_notify(ENDPOINT_RS);
            continue;
        }
        uint32_t to = m.source;
        m.payload[0]++;
        m.payload[MSG_PAYLOAD_BYTES - 1] = (uint8_t)~m.payload[MSG_PAYLOAD_BYTES - 1];
        if (plat_post(to, &m) != OK)
            say(UINT64_MAX);
    }
}

static void client_main(const struct boot *boot)
{
    (void)boot;
    plat_ready();
    uint32_t server = find(LAYER_CACHE);
    for (uint32_t i = 0; i < 1000; i++) {
        struct msg m = {.type = 0x100, .id = i};
        m.payload[0] = (uint8_t)i;
        m.payload[MSG_PAYLOAD_BYTES - 1] = (uint8_t)i;
        if (plat_sendrec(server, &m) != OK || m.source != server || m.id != i ||
            m.payload[0] != (uint8_t)(i + 1) || m.payload[MSG_PAYLOAD_BYTES - 1] != (uint8_t)~i)
            say(i);
    }
    say(4711);
    sleep_forever();
}

START_TEST(test_kernel_message__sendrec_returns_the_reply_whole)
{
    rig_boot(client_main, echo_main, NULL);
    ck_assert_int_eq(sim_machine_run(rig.m, SECOND), SIM_RUN_TIME);
    ck_assert_uint_eq(said.count, 1);
    ck_assert_uint_eq(said.value[0], 4711);
    ck_assert_uint_eq(sim_machine_counts(rig.m, LAYER_CACHE, 0).messages, 1000);
    ck_assert_uint_eq(sim_machine_counts(rig.m, LAYER_NAMING, 0).messages, 1000);
    ck_assert_uint_eq(sim_machine_totals(rig.m).messages, 2000);
    ck_assert_uint_eq(rig.deaths, 0);
}
END_TEST

/* Posts 1..300 to a sleeping peer, then sends 301: the limit, and one order for posts and sends. */
static void poster_main(const struct boot *boot)
{
    (void)boot;
    plat_ready();
    uint32_t to = find(LAYER_CACHE);
    for (uint32_t i = 1; i <= 300; i++) {
        struct msg m = {.type = 0x100, .id = i};
        enum err err = plat_post(to, &m);
        if (err != (i <= PLAT_POSTS_MAX ? OK : E_FULL))
            say(10000 + i);
    }
    struct msg last = {.type = 0x100, .id = 301};
    if (plat_send(to, &last) != OK)
        say(20000);
    for (uint32_t i = 400; i < 400 + PLAT_POSTS_MAX; i++) { /* all were delivered: room again */
        struct msg m = {.type = 0x100, .id = i};
        if (plat_post(to, &m) != OK)
            say(30000);
    }
    sleep_forever();
}

static void late_receiver_main(const struct boot *boot)
{
    struct msg m;
    (void)boot;
    plat_ready();
    sleep_until(plat_now() + 100 * MS);
    for (;;)
        if (plat_receive(ENDPOINT_ANY, &m, PLAT_FOREVER) == OK && m.type == 0x100)
            say(m.id);
}

START_TEST(test_kernel_message__posts_and_sends_arrive_in_order_and_posts_are_limited)
{
    rig_boot(poster_main, late_receiver_main, NULL);
    (void)sim_machine_run(rig.m, SECOND);
    ck_assert_uint_eq(said.count, PLAT_POSTS_MAX + 1 + PLAT_POSTS_MAX);
    for (uint32_t i = 0; i < PLAT_POSTS_MAX; i++)
        ck_assert_uint_eq(said.value[i], i + 1);
    ck_assert_uint_eq(said.value[PLAT_POSTS_MAX], 301);
    ck_assert_uint_eq(said.value[PLAT_POSTS_MAX + 1], 400);
}
END_TEST

/* Takes messages from the third process first, though the first one's came earlier. */
static void choosy_main(const struct boot *boot)
{
    struct msg m;
    (void)boot;
    plat_ready();
    uint32_t first = find(LAYER_NAMING), third = find(LAYER_LOGICAL);
    uint64_t wake_ns = plat_now() + 50 * MS;
    sleep_until(wake_ns);
    if (plat_receive(third, &m, PLAT_FOREVER) == OK)
        say(m.source == third ? 3 : 0);
    if (plat_receive(first, &m, PLAT_FOREVER) == OK)
        say(m.source == first ? 1 : 0);
    if (plat_receive(ENDPOINT_ANY, &m, plat_now()) == E_TIMEOUT)
        say(99);
    if (plat_receive(third, &m, plat_now() + 3 * MS) == E_TIMEOUT)
        say(plat_now() >= wake_ns + 3 * MS && plat_now() < wake_ns + 4 * MS ? 100 : 0);
    sleep_forever();
}

static void send_one_main(const struct boot *boot)
{
    struct msg m = {.type = 0x100};
    plat_ready();
    uint32_t to = find(LAYER_CACHE);
    if (boot->layer == LAYER_LOGICAL)
        sleep_until(plat_now() + 20 * MS);
    if (plat_send(to, &m) == OK)
        say(boot->layer == LAYER_LOGICAL ? 13 : 11);
    sleep_forever();
}

START_TEST(test_kernel_message__receive_from_one_leaves_the_others_and_deadlines_end_it)
{
    rig_boot(send_one_main, choosy_main, send_one_main);
    (void)sim_machine_run(rig.m, SECOND / 2);
    static const uint64_t want[] = {3, 1, 99, 100, 13, 11};
    uint64_t got[6] = {0};
    uint32_t receiver = 0, senders = 4;
    ck_assert_uint_eq(said.count, 6);
    for (uint32_t i = 0; i < said.count; i++) {
        bool sender = said.value[i] == 11 || said.value[i] == 13;
        got[sender ? senders++ : receiver++] = said.value[i];
    }
    ck_assert_mem_eq(got, want, sizeof(want));
}
END_TEST

/* Receives from one, answering heartbeats, until it gets a message or an error. */
static enum err receive_from(uint32_t from)
{
    struct msg m;
    enum err err;
    while ((err = plat_receive(from, &m, PLAT_FOREVER)) == OK && m.type == MSG_NOTIFY)
        if (m.source == ENDPOINT_RS)
            plat_notify(ENDPOINT_RS);
    return err;
}

/* Kills the peer while this one waits in a send, a receive, a sendrec. */
static void bereaved_main(const struct boot *boot)
{
    struct msg m = {.type = 0x100};
    (void)boot;
    plat_ready();
    uint32_t peer = find(LAYER_CACHE);
    say(plat_send(peer, &m) == E_DEAD ? 1 : 0);
    say(plat_send(peer, &m) == E_DEAD ? 2 : 0);
    say(plat_post(peer, &m) == E_DEAD ? 3 : 0);
    say(receive_from(peer) == E_DEAD ? 4 : 0);
    uint32_t instance = 77;
    say(plat_layer_of(peer, &instance) == LAYER_NONE ? 5 : 0);
    uint32_t again = find(LAYER_CACHE);
    say(again != peer && (again & 0x7fff) == (peer & 0x7fff) && again >> 15 > peer >> 15 ? 6 : 0);
    say(plat_layer_of(again, &instance) == LAYER_CACHE && instance == 0 ? 7 : 0);
    say(receive_from(again) == E_DEAD ? 8 : 0);
    again = find(LAYER_CACHE);
    say(plat_sendrec(again, &m) == E_DEAD ? 9 : 0);
    sleep_forever();
}

/* Never receives anything but the clock. */
static void deaf_main(const struct boot *boot)
{
    struct msg m;
    (void)boot;
    plat_ready();
    for (;;)
        if (plat_receive(ENDPOINT_DS, &m, PLAT_FOREVER) != OK)
            say(50000);
}

START_TEST(test_kernel_message__the_death_of_a_peer_ends_each_kind_of_wait)
{
    rig_boot(bereaved_main, deaf_main, NULL);
    static const uint64_t kill_ns[] = {1500 * MS, 2500 * MS, 4200 * MS};
    for (uint32_t i = 0; i < 3; i++) {
        (void)sim_machine_run(rig.m, kill_ns[i]);
        ck_assert(sim_machine_kill(rig.m, LAYER_CACHE, 0, SIM_DEATH_KILLED));
        ck_assert(!sim_machine_kill(rig.m, LAYER_CACHE, 0, SIM_DEATH_KILLED));
    }
    (void)sim_machine_run(rig.m, 6 * SECOND);
    ck_assert_uint_eq(said.count, 9);
    for (uint32_t i = 0; i < said.count; i++)
        ck_assert_uint_eq(said.value[i], i + 1);
}
END_TEST

/* Posts, then dies: what it posted is delivered, then its death is told. */
static void last_words_main(const struct boot *boot)
{
    struct msg m = {.type = 0x100, .id = 5};
    plat_ready();
    if (boot->incarnation == 0) {
        uint32_t to = find(LAYER_CACHE);
        if (plat_post(to, &m) != OK)
            say(0);
        plat_panic(E_CORRUPT);
    }
    sleep_forever();
}

static void heir_main(const struct boot *boot)
{
    struct msg m;
    (void)boot;
    plat_subscribe(LAYER_NAMING, 0);
    plat_ready();
    uint32_t from = find(LAYER_NAMING);
    while (plat_receive(ENDPOINT_CLOCK, &m, plat_now() + 2 * MS) == OK)
        say(m.source == ENDPOINT_DS ? 1 : 0); /* it came up, it died */
    say(plat_receive(from, &m, PLAT_FOREVER) == OK && m.id == 5 && m.source == from ? 2 : 0);
    say(plat_receive(from, &m, PLAT_FOREVER) == E_DEAD ? 3 : 0);
    sleep_forever();
}

START_TEST(test_kernel_message__posts_of_the_dead_are_delivered)
{
    rig_boot(last_words_main, heir_main, NULL);
    (void)sim_machine_run(rig.m, 4 * MS);
    ck_assert_uint_ge(said.count, 3);
    ck_assert_uint_eq(said.value[0], 1);
    ck_assert_uint_eq(said.value[said.count - 2], 2);
    ck_assert_uint_eq(said.value[said.count - 1], 3);
    ck_assert_uint_eq(rig.deaths, 1);
    ck_assert_int_eq(rig.death[0].cause, SIM_DEATH_PANIC);
}
END_TEST

/* Two notifications of one pair are one; those of the clock come before messages. */
static void notifier_main(const struct boot *boot)
{
    struct msg m = {.type = 0x100};
    (void)boot;
    plat_ready();
    uint32_t to = find(LAYER_CACHE);
    if (plat_post(to, &m) != OK)
        say(0);
    plat_notify(to);
    plat_notify(to);
    plat_notify(12345 << 15 | 20); /* nobody */
    sleep_forever();
}

static void notified_main(const struct boot *boot)
{
    struct msg m;
    (void)boot;
    plat_ready();
    uint32_t peer = find(LAYER_NAMING);
    plat_alarm(plat_now() + 20 * MS);
    uint64_t until_ns = plat_now() + 50 * MS;
    if (plat_receive(ENDPOINT_CLOCK, &m, until_ns) == OK)
        say(m.source == ENDPOINT_CLOCK && m.type == MSG_NOTIFY ? 1 : 0);
    plat_alarm(plat_now() + MS);
    plat_alarm(PLAT_FOREVER);
    if (plat_receive(ENDPOINT_CLOCK, &m, until_ns) == E_TIMEOUT)
        say(2);
    plat_alarm(0); /* in the past: at once */
    while (plat_receive(ENDPOINT_RS, &m, plat_now() + MS) == OK)
        say(m.source == ENDPOINT_CLOCK ? 3 : 0);
    if (plat_receive(ENDPOINT_ANY, &m, until_ns) == OK)
        say(m.source == peer && m.type == MSG_NOTIFY ? 4 : 0);
    if (plat_receive(ENDPOINT_ANY, &m, until_ns) == OK)
        say(m.source == peer && m.type == 0x100 ? 5 : 0);
    if (plat_receive(ENDPOINT_ANY, &m, plat_now() + MS) == E_TIMEOUT)
        say(6);
    sleep_forever();
}

START_TEST(test_kernel_message__notifications_coalesce_and_go_first)
{
    rig_boot(notifier_main, notified_main, NULL);
    (void)sim_machine_run(rig.m, SECOND / 2);
    ck_assert_uint_eq(said.count, 6);
    for (uint32_t i = 0; i < said.count; i++)
        ck_assert_uint_eq(said.value[i], i + 1);
}
END_TEST

/* The receiver is killed by the observer in the very moment of delivery. */
static void kill_receiver(void *context, enum layer layer, uint32_t instance, uint64_t n)
{
    (void)context;
    if (layer == LAYER_CACHE && n == 500)
        (void)sim_machine_kill(rig.m, layer, instance, SIM_DEATH_KILLED);
}

static void stubborn_main(const struct boot *boot)
{
    (void)boot;
    plat_ready();
    for (uint32_t i = 0; i < 1000; i++) {
        struct msg m = {.type = 0x100, .id = i};
        if (plat_sendrec(find(LAYER_CACHE), &m) != OK)
            say(i);
    }
    say(4711);
    sleep_forever();
}

START_TEST(test_kernel_message__a_kill_at_the_nth_message_is_seen_by_its_sender)
{
    rig_observe((struct sim_observer){.on_message = kill_receiver});
    rig_boot(stubborn_main, echo_main, NULL);
    (void)sim_machine_run(rig.m, SECOND);
    ck_assert_uint_eq(said.count, 2);
    ck_assert_uint_eq(said.value[0], 499);
    ck_assert_uint_eq(said.value[1], 4711);
    ck_assert_uint_eq(rig.deaths, 1);
    ck_assert_uint_eq(sim_machine_counts(rig.m, LAYER_CACHE, 0).messages, 1000);
}
END_TEST

START_TEST(test_kernel_message__idle_processes_only_answer_heartbeats)
{
    rig_boot(idle_main, idle_main, idle_main);
    (void)sim_machine_run(rig.m, 100 * SECOND);
    ck_assert_uint_eq(rig.deaths, 0);
    ck_assert(sim_machine_all_ready(rig.m));
    ck_assert_uint_eq(sim_machine_totals(rig.m).messages, 0);
}
END_TEST

CHECK_MAIN(
    "kernel_message", 60, tcase_add_checked_fixture(tc, setup, rig_teardown);
    tcase_add_test(tc, test_kernel_message__sendrec_returns_the_reply_whole);
    tcase_add_test(tc, test_kernel_message__posts_and_sends_arrive_in_order_and_posts_are_limited);
    tcase_add_test(tc,
                   test_kernel_message__receive_from_one_leaves_the_others_and_deadlines_end_it);
    tcase_add_test(tc, test_kernel_message__the_death_of_a_peer_ends_each_kind_of_wait);
    tcase_add_test(tc, test_kernel_message__posts_of_the_dead_are_delivered);
    tcase_add_test(tc, test_kernel_message__notifications_coalesce_and_go_first);
    tcase_add_test(tc, test_kernel_message__a_kill_at_the_nth_message_is_seen_by_its_sender);
    tcase_add_test(tc, test_kernel_message__idle_processes_only_answer_heartbeats);)
