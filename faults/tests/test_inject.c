/* The injector on a small machine: moments, what each kind does, whether it says that it did,
 * repetition, and that nothing stays when it is disarmed. */
#include "faults/inject.h"

#include <string.h>

#include "faults/tests/rig.h"
#include "scripts/check_main.h"

#define BUFFER_BYTES 65536u
#define SECTOR_BYTES ((size_t)sim_disk_identify(disk(0)).sector_size)

static uint8_t buffer[BUFFER_BYTES];

static struct sim_disk *disk(uint32_t d)
{
    return sim_machine_disk(rig.machine, d);
}

/* A fault that needs neither a process nor a written sector. */
static struct fault *harmless(enum fault_when_kind when, int64_t number)
{
    struct fault *f = rig_fault(FAULT_DISK_LATENT_ERROR, when, number);
    f->where = FAULT_WHERE_ANY;
    return f;
}

static struct fault *on_naming(struct fault *f, enum fault_target_kind kind, uint32_t instance)
{
    f->layer = LAYER_NAMING;
    f->instance = (struct fault_target){.kind = kind, .index = instance};
    return f;
}

/* ---- Moments -----------------------------------------------------------------------------------
 */

START_TEST(test_inject__counts_that_are_told_strike_at_their_number_and_once)
{
    struct fault *probed = harmless(FAULT_AT_PROBE, 2);
    probed->at.probe = PROBE_TXN_COMMIT;
    harmless(FAULT_AT_OP, 3);
    harmless(FAULT_AT_MARK, 4);
    rig_arm(3);
    for (uint64_t n = 1; n <= 6; n++) {
        injector_on_probe(rig.injector, PROBE_CKPT_FROZEN, n); /* another probe */
        injector_on_probe(rig.injector, PROBE_TXN_COMMIT, n);
        ck_assert_int_eq(rig_strike(0)->struck, n >= 2);
        injector_on_op(rig.injector, n);
        ck_assert_int_eq(rig_strike(1)->struck, n >= 3);
        injector_on_mark(rig.injector, n);
        ck_assert_int_eq(rig_strike(2)->struck, n >= 4);
    }
    ck_assert_uint_eq(rig.strikes, 3);
    ck_assert_str_eq(rig_strike(1)->position, "operation 3");
    ck_assert_uint_eq(sim_disk_bad_count(disk(0)) + sim_disk_bad_count(disk(1)), 3);
}
END_TEST

START_TEST(test_inject__times_count_from_the_origin)
{
    harmless(FAULT_AT_TIME, 7 * RIG_MS);
    harmless(FAULT_AT_AFTER, 5 * RIG_MS);
    rig_run(3 * RIG_MS);
    rig_arm(2);
    ck_assert(injector_awaits(rig.injector));
    rig_run(7 * RIG_MS - 1);
    ck_assert_uint_eq(rig.strikes, 0);
    rig_run(1);
    ck_assert_uint_eq(rig.strikes, 1);
    ck_assert(injector_awaits(rig.injector));
    rig_run(20 * RIG_MS);
    ck_assert_uint_eq(rig_strike(0)->time_ns, 7 * RIG_MS);
    ck_assert_uint_eq(rig_strike(1)->time_ns, 12 * RIG_MS);
    ck_assert(!injector_awaits(rig.injector));
}
END_TEST

START_TEST(test_inject__after_counts_from_the_write_that_was_spoiled)
{
    rig_fault(FAULT_DISK_LOST_WRITE, FAULT_AT_TIME, 0)->disk =
        (struct fault_target){.kind = FAULT_TARGET_INDEX, .index = 1};
    harmless(FAULT_AT_AFTER, 5 * RIG_MS);
    rig_arm(2);
    rig_run(20 * RIG_MS);
    ck_assert_uint_eq(rig.strikes, 0); /* nobody has written yet */
    ck_assert(rig_strike(0)->struck && !rig_strike(0)->took_effect);
    (void)rig_write(0, 0, 1);
    ck_assert_uint_eq(rig.strikes, 0); /* of the other disk */
    uint64_t now = sim_machine_now(rig.machine) - rig.origin_ns;
    (void)rig_write(1, 0, 1);
    rig_run(20 * RIG_MS);
    ck_assert_uint_eq(rig_strike(0)->time_ns, now);
    ck_assert_uint_eq(rig_strike(1)->time_ns, now + 5 * RIG_MS);
}
END_TEST

START_TEST(test_inject__recovery_counts_from_its_begin)
{
    harmless(FAULT_AT_TIME, RIG_MS);
    harmless(FAULT_AT_RECOVERY, 4 * RIG_MS);
    struct fault *share = harmless(FAULT_AT_RECOVERY, 0);
    share->at.number = (struct amount){.kind = AMOUNT_UNIFORM};
    rig.recovery_ns[1] = 50 * RIG_MS;
    rig_arm(3);
    rig_run(10 * RIG_MS);
    ck_assert_uint_eq(rig.strikes, 1);
    injector_on_recovery(rig.injector, 0);
    rig_run(10 * RIG_MS);
    ck_assert_uint_eq(rig_strike(1)->time_ns, 14 * RIG_MS);
    injector_on_recovery(rig.injector, 1);
    rig_run(60 * RIG_MS);
    uint64_t into = rig_strike(2)->time_ns - 20 * RIG_MS;
    ck_assert(rig_strike(2)->struck);
    ck_assert_uint_gt(into, 0);
    ck_assert_uint_lt(into, 50 * RIG_MS);
}
END_TEST

START_TEST(test_inject__messages_strike_before_they_are_delivered)
{
    struct fault *f =
        on_naming(rig_fault(FAULT_PROCESS_CRASH, FAULT_AT_MESSAGE, 7), FAULT_TARGET_INDEX, 1);
    f->at.layer = LAYER_NAMING;
    rig_arm(1);
    rig_run(4 * RIG_MS);
    ck_assert_uint_eq(rig.deaths[1], 0);
    rig_run(5 * RIG_MS);
    ck_assert_uint_eq(rig.deaths[1], 1);
    ck_assert_uint_eq(rig.deaths[0], 0);
    ck_assert_uint_eq(rig.messages_at_death[1], 7);
    ck_assert_uint_eq(rig.handled[1], 6);
    ck_assert(rig_strike(0)->took_effect);
    ck_assert_str_eq(rig_strike(0)->target, "naming 1");
}
END_TEST

START_TEST(test_inject__blocks_strike_at_exactly_that_block)
{
    static const int64_t numbers[] = {1, 2, 17, 40, 99};
    for (uint32_t k = 0; k < 5; k++) {
        rig.plan.count = 0;
        struct fault *f = on_naming(rig_fault(FAULT_PROCESS_CRASH, FAULT_AT_BLOCK, numbers[k]),
                                    FAULT_TARGET_INDEX, 0);
        f->at.layer = LAYER_NAMING;
        rig_arm(1);
        rig_run(20 * RIG_MS);
        ck_assert_uint_eq(rig.deaths[0], 1);
        ck_assert_uint_eq(rig.blocks_at_death[0], (uint64_t)numbers[k]);
        injector_disarm(rig.injector);
        rig_run(2000 * RIG_MS); /* up again */
    }
}
END_TEST

START_TEST(test_inject__blocks_of_one_process_strike_in_turn_also_over_its_death)
{
    for (int64_t number = 90; number >= 30; number -= 30) { /* written in any order */
        struct fault *f = on_naming(rig_fault(FAULT_PROCESS_CRASH, FAULT_AT_BLOCK, number),
                                    FAULT_TARGET_INDEX, 0);
        f->at.layer = LAYER_NAMING;
    }
    rig_arm(3);
    rig_run(5000 * RIG_MS);
    ck_assert_uint_eq(rig.deaths[0], 3);
    ck_assert_uint_eq(rig.strikes, 3);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(rig.order[i], 2 - i);
    ck_assert_uint_eq(rig.blocks_at_death[0], 90);
}
END_TEST

START_TEST(test_inject__requests_and_writes_are_counted_by_disk)
{
    struct fault *own = rig_fault(FAULT_DISK_FAIL_STOP, FAULT_AT_WRITE, 2);
    own->disk = (struct fault_target){.kind = FAULT_TARGET_INDEX, .index = 1};
    struct fault *all = harmless(FAULT_AT_IO, 5);
    all->at.disk = (struct fault_target){.kind = FAULT_TARGET_ALL};
    struct fault *other = harmless(FAULT_AT_IO, 3);
    other->disk = (struct fault_target){.kind = FAULT_TARGET_INDEX, .index = 1};
    other->at.disk = (struct fault_target){.kind = FAULT_TARGET_INDEX, .index = 0};
    rig_arm(3);
    (void)rig_write(1, 0, 1);      /* 1 of all, write 1 of disk 1 */
    (void)rig_read(1, 64, buffer); /* 2 */
    (void)rig_write(0, 0, 1);      /* 3, request 1 of disk 0 */
    (void)rig_read(0, 64, buffer); /* 4, 2 */
    ck_assert_uint_eq(rig.strikes, 0);
    ck_assert_int_eq(rig_write(1, 8, 1), SIM_DISK_GONE); /* 5; write 2 of disk 1: it fails first */
    ck_assert_uint_eq(rig.strikes, 2);
    ck_assert_str_eq(rig_strike(0)->position, "write 2");
    ck_assert_str_eq(rig_strike(1)->position, "request 5");
    (void)rig_write(0, 8, 1);
    ck_assert_uint_eq(rig.strikes, 3);
    ck_assert(!rig_strike(2)->took_effect); /* of a disk that is gone */
}
END_TEST

START_TEST(test_inject__only_the_first_faults_are_armed_and_strike_as_ever)
{
    static uint64_t times[2][3];
    for (uint32_t k = 0; k < 6; k++)
        harmless(FAULT_AT_UNIFORM, 0);
    for (uint32_t turn = 0; turn < 2; turn++) {
        rig_arm(turn == 0 ? 6 : 3);
        rig_run(rig.offer.run_ns);
        ck_assert_uint_eq(rig.strikes, turn == 0 ? 6 : 3);
        for (uint32_t i = 0; i < rig.strikes; i++)
            ck_assert_uint_eq(rig.order[i], i); /* in the order written */
        for (uint32_t i = 0; i < 3; i++)
            times[turn][i] = rig_strike(i)->time_ns;
        injector_disarm(rig.injector);
    }
    ck_assert_mem_eq(times[0], times[1], sizeof(times[0]));
}
END_TEST

/* ---- Kinds -------------------------------------------------------------------------------------
 */

static void now(void)
{
    rig_arm(rig.plan.count);
    rig_run(RIG_MS);
    ck_assert(rig_strike(0)->struck);
}

START_TEST(test_inject__fail_stop_takes_effect_on_disks_that_live)
{
    rig_fault(FAULT_DISK_FAIL_STOP, FAULT_AT_TIME, 0)->disk.kind = FAULT_TARGET_ALL;
    harmless(FAULT_AT_TIME, 1)->disk.kind = FAULT_TARGET_ALL;
    rig_fault(FAULT_DISK_FAIL_STOP, FAULT_AT_TIME, 2);
    now();
    ck_assert(sim_disk_failed(disk(0)) && sim_disk_failed(disk(1)));
    ck_assert(rig_strike(0)->took_effect);
    ck_assert_str_eq(rig_strike(0)->target, "all disks");
    ck_assert(!rig_strike(1)->took_effect && !rig_strike(2)->took_effect);
}
END_TEST

START_TEST(test_inject__a_disk_that_was_gone_for_a_time_is_back_as_it_was)
{
    (void)rig_write(0, 40, 0x55);
    ck_assert_int_eq(rig_flush(0), SIM_DISK_OK);
    (void)rig_write(0, 48, 0x66); /* in the cache only */
    for (uint32_t k = 0; k < 2; k++) {
        struct fault *f = rig_fault(FAULT_DISK_FAIL_STOP, FAULT_AT_TIME, 0);
        f->disk.kind = k == 0 ? FAULT_TARGET_ALL : FAULT_TARGET_INDEX; /* 0 */
        f->for_ns = amount_fixed((k == 0 ? 200 : 500) * (int64_t)RIG_MS);
    }
    now();
    ck_assert(sim_disk_failed(disk(0)) && sim_disk_failed(disk(1)));
    ck_assert(injector_awaits(rig.injector));
    rig_run(300 * RIG_MS);
    ck_assert(sim_disk_failed(disk(0)) && !sim_disk_failed(disk(1)));
    rig_run(300 * RIG_MS);
    ck_assert(!sim_disk_failed(disk(0)));
    ck_assert(!injector_awaits(rig.injector));
    ck_assert_int_eq(rig_read(0, 40, buffer), SIM_DISK_OK);
    ck_assert_uint_eq(buffer[0], 0x55);
    ck_assert_int_eq(rig_read(0, 48, buffer), SIM_DISK_OK);
    ck_assert_uint_ne(buffer[0], 0x66);
}
END_TEST

START_TEST(test_inject__media_faults_hit_written_sectors_or_say_that_there_are_none)
{
    for (uint32_t turn = 0; turn < 2; turn++) {
        rig.plan.count = 0;
        struct fault *latent = rig_fault(FAULT_DISK_LATENT_ERROR, FAULT_AT_TIME, 0);
        latent->disk = (struct fault_target){.kind = FAULT_TARGET_INDEX, .index = 1};
        latent->count = amount_fixed(3);
        struct fault *rot = rig_fault(FAULT_DISK_BIT_ROT, FAULT_AT_TIME, 0);
        rot->disk.kind = FAULT_TARGET_INDEX; /* 0 */
        now();
        for (uint32_t i = 0; i < 2; i++) {
            ck_assert_int_eq(rig_strike(i)->took_effect, turn == 1);
            ck_assert_int_eq(strike_is_whole(rig_strike(i)), turn == 1);
        }
        ck_assert_uint_eq(rig_strike(0)->wanted, 3);
        ck_assert_uint_eq(rig_strike(0)->done, turn == 1 ? 3 : 0);
        injector_disarm(rig.injector);
        if (turn == 1)
            break;
        (void)rig_write(0, 40, 0x55);
        (void)rig_write(1, 40, 0x55);
        rig_settle();
    }
    ck_assert_uint_ge(sim_disk_bad_count(disk(1)), 1);
    for (uint64_t s = 0; s < sim_disk_identify(disk(1)).sectors; s++)
        ck_assert(!sim_disk_bad(disk(1), s) || (s >= 40 && s < 40 + RIG_SECTORS));
}
END_TEST

START_TEST(test_inject__with_where_any_sectors_never_written_are_spoiled_and_count)
{
    rig_fault(FAULT_DISK_LATENT_ERROR, FAULT_AT_TIME, 0)->disk.kind = FAULT_TARGET_INDEX; /* 0 */
    rig_fault(FAULT_DISK_BIT_ROT, FAULT_AT_TIME, 0)->disk.kind = FAULT_TARGET_INDEX;
    for (uint32_t i = 0; i < 2; i++) {
        rig.fault[i].where = FAULT_WHERE_ANY;
        rig.fault[i].count = amount_fixed(4);
    }
    ck_assert_uint_eq(sim_disk_used_count(disk(0)), 0);
    now();
    for (uint32_t i = 0; i < 2; i++)
        ck_assert(strike_is_whole(rig_strike(i)) && rig_strike(i)->done == 4);
    uint64_t sectors = sim_disk_identify(disk(0)).sectors, bad = 0, rotten = 0;
    for (uint64_t s = 0; s < sectors; s++) {
        sim_disk_peek_stable(disk(0), s, 1, buffer);
        rotten += buffer[0] != 0 || memcmp(buffer, buffer + 1, SECTOR_BYTES - 1) != 0;
        bad += sim_disk_bad(disk(0), s);
    }
    ck_assert_uint_eq(bad, 4);
    ck_assert_uint_eq(rotten, 4);
}
END_TEST

START_TEST(test_inject__bit_rot_flips_one_bit_of_each_sector_it_draws)
{
    uint32_t bytes = sim_disk_identify(disk(0)).sector_size * RIG_SECTORS, flipped = 0;
    (void)rig_write(0, 40, 0x55);
    rig_settle();
    rig_fault(FAULT_DISK_BIT_ROT, FAULT_AT_TIME, 0)->disk.kind = FAULT_TARGET_INDEX;
    now();
    ck_assert(rig_strike(0)->took_effect);
    sim_disk_peek_stable(disk(0), 40, RIG_SECTORS, buffer);
    for (uint32_t k = 0; k < bytes; k++)
        flipped += (uint32_t)__builtin_popcount(buffer[k] ^ 0x55u);
    ck_assert_uint_eq(flipped, 1);
}
END_TEST

START_TEST(test_inject__transient_errors_hit_as_many_requests_and_not_before)
{
    struct fault *f = rig_fault(FAULT_DISK_TRANSIENT_ERROR, FAULT_AT_TIME, 0);
    f->disk.kind = FAULT_TARGET_ALL;
    f->count = amount_fixed(2);
    now();
    ck_assert(!rig_strike(0)->took_effect); /* a request that never comes cannot fail */
    ck_assert_uint_eq(rig_strike(0)->wanted, 4);
    for (uint32_t d = 0; d < 2; d++) {
        ck_assert_int_eq(rig_write(d, 0, 1), SIM_DISK_MEDIA_ERROR);
        ck_assert(rig_strike(0)->took_effect && !strike_is_whole(rig_strike(0)));
        ck_assert_int_eq(rig_read(d, 0, buffer), SIM_DISK_MEDIA_ERROR);
        ck_assert_uint_eq(rig_strike(0)->done, 2 * d + 2);
        ck_assert_int_eq(rig_read(d, 0, buffer), SIM_DISK_OK);
    }
    ck_assert_uint_eq(rig.strikes, 1);
}
END_TEST

START_TEST(test_inject__lost_and_torn_writes_spoil_what_they_say)
{
    uint32_t sector = sim_disk_identify(disk(0)).sector_size;
    struct fault *lost = rig_fault(FAULT_DISK_LOST_WRITE, FAULT_AT_WRITE, 2);
    lost->disk.kind = FAULT_TARGET_INDEX; /* 0 */
    struct fault *torn = rig_fault(FAULT_DISK_TORN_WRITE, FAULT_AT_WRITE, 1);
    torn->disk = (struct fault_target){.kind = FAULT_TARGET_INDEX, .index = 1};
    (void)rig_write(1, 0, 0x11);
    rig_arm(2);
    for (uint8_t k = 1; k <= 3; k++)
        ck_assert_int_eq(rig_write(0, 64u * k, k), SIM_DISK_OK);
    ck_assert_int_eq(rig_write(1, 0, 0x22), SIM_DISK_OK);
    for (uint8_t k = 1; k <= 3; k++) {
        ck_assert_int_eq(rig_read(0, 64u * k, buffer), SIM_DISK_OK);
        ck_assert_uint_eq(buffer[0], k == 2 ? 0 : k);
    }
    (void)rig_read(1, 0, buffer);
    uint32_t kept = 0;
    while (kept < RIG_SECTORS && buffer[kept * sector] == 0x22)
        kept++;
    ck_assert_uint_gt(kept, 0);
    ck_assert_uint_lt(kept, RIG_SECTORS);
    ck_assert_uint_eq(buffer[kept * sector], 0x11);
    ck_assert(rig_strike(0)->took_effect && rig_strike(1)->took_effect);
}
END_TEST

START_TEST(test_inject__misdirected_requests_meet_what_was_written_elsewhere)
{
    (void)rig_write(0, 40, 0x55);
    (void)rig_write(0, 80, 0x66);
    rig_settle();
    struct fault *f = rig_fault(FAULT_DISK_MISDIRECTED_WRITE, FAULT_AT_WRITE, 1);
    f->disk.kind = FAULT_TARGET_INDEX; /* 0 */
    f = rig_fault(FAULT_DISK_MISDIRECTED_READ, FAULT_AT_IO, 2);
    f->disk.kind = FAULT_TARGET_INDEX;
    rig_arm(2);
    ck_assert_int_eq(rig_write(0, 200, 0x77), SIM_DISK_OK);
    rig_settle();
    sim_disk_peek_stable(disk(0), 200, RIG_SECTORS, buffer);
    ck_assert_uint_eq(buffer[0], 0); /* it never came here */
    uint32_t other = 0;
    for (uint64_t s = 0; s < 200; s++) {
        sim_disk_peek_stable(disk(0), s, 1, buffer);
        other += buffer[0] == 0x77;
    }
    ck_assert_uint_eq(other, RIG_SECTORS);
    ck_assert(strike_is_whole(rig_strike(0)) && !rig_strike(1)->took_effect);
    ck_assert_int_eq(rig_read(0, 200, buffer), SIM_DISK_OK);
    ck_assert_uint_ne(buffer[0], 0); /* of a place that was written */
    ck_assert(strike_is_whole(rig_strike(1)));
    ck_assert_int_eq(rig_read(0, 200, buffer), SIM_DISK_OK);
    ck_assert_uint_eq(buffer[0], 0);
}
END_TEST

START_TEST(test_inject__a_misdirected_request_never_meets_its_own_place)
{
    struct fault *f = rig_fault(FAULT_DISK_MISDIRECTED_WRITE, FAULT_AT_TIME, 0);
    uint64_t last = sim_disk_identify(disk(0)).sectors - RIG_SECTORS;
    const uint64_t places[] = {0, last, 3};
    f->disk.kind = FAULT_TARGET_INDEX;
    f->count = amount_fixed(3);
    rig_arm(1);
    rig_run(RIG_MS);
    for (uint32_t k = 0; k < 3; k++) { /* at first nothing is written, then that place alone */
        (void)rig_write(0, places[k], (uint8_t)(k + 1));
        rig_settle();
        sim_disk_peek_stable(disk(0), places[k], RIG_SECTORS, buffer);
        for (uint32_t at = 0; at < RIG_SECTORS * SECTOR_BYTES; at++)
            ck_assert_uint_ne(buffer[at], k + 1);
    }
    ck_assert(strike_is_whole(rig_strike(0)));
}
END_TEST

/* Virtual ns that one read takes of a place that nobody has read yet. */
static uint64_t read_ns(uint32_t d, uint64_t sector)
{
    struct sim_disk_stats before = sim_disk_stats(disk(d));
    ck_assert_int_eq(rig_read(d, sector, buffer), SIM_DISK_OK);
    return sim_disk_stats(disk(d)).busy_ns - before.busy_ns;
}

START_TEST(test_inject__a_slow_disk_is_slow_by_its_factor_for_as_long_as_it_says)
{
    uint64_t healthy = read_ns(0, 0);
    ck_assert_uint_gt(healthy, 0);
    struct fault *f = rig_fault(FAULT_DISK_FAIL_SLOW, FAULT_AT_TIME, 0);
    f->disk.kind = FAULT_TARGET_INDEX; /* 0 */
    f->factor = amount_fixed(7);
    f->for_ns = amount_fixed(500 * (int64_t)RIG_MS);
    now();
    ck_assert(strike_is_whole(rig_strike(0)));
    ck_assert_uint_eq(read_ns(0, 64), 7 * healthy);
    ck_assert_uint_eq(read_ns(1, 64), healthy);
    ck_assert(!injector_awaits(rig.injector)); /* its end keeps no trial going */
    rig_run(500 * RIG_MS);
    ck_assert_uint_eq(read_ns(0, 128), healthy);
}
END_TEST

START_TEST(test_inject__of_two_slow_faults_the_worse_one_counts)
{
    uint64_t healthy = read_ns(0, 0);
    for (uint32_t k = 0; k < 2; k++) {
        struct fault *f = rig_fault(FAULT_DISK_FAIL_SLOW, FAULT_AT_TIME, 0);
        f->disk.kind = FAULT_TARGET_ALL;
        f->factor = amount_fixed(k == 0 ? 9 : 3);
        if (k == 0)
            f->for_ns = amount_fixed(500 * (int64_t)RIG_MS);
    }
    now();
    ck_assert_uint_eq(read_ns(0, 64), 9 * healthy);
    rig_run(500 * RIG_MS);
    ck_assert_uint_eq(read_ns(0, 128), 3 * healthy);
}
END_TEST

START_TEST(test_inject__a_lying_flush_strikes_with_the_first_flush_it_falsifies)
{
    struct fault *f = rig_fault(FAULT_DISK_LYING_FLUSH, FAULT_AT_TIME, 0);
    f->disk.kind = FAULT_TARGET_INDEX; /* 0 */
    f->for_ns = amount_fixed(2000 * (int64_t)RIG_MS);
    now();
    ck_assert(!rig_strike(0)->took_effect); /* nobody was lied to yet */
    (void)rig_write(0, 40, 0x55);
    ck_assert(!rig_strike(0)->took_effect);
    ck_assert_int_eq(rig_flush(1), SIM_DISK_OK);
    ck_assert(!rig_strike(0)->took_effect);
    ck_assert_int_eq(rig_flush(0), SIM_DISK_OK);
    ck_assert(strike_is_whole(rig_strike(0)));
    ck_assert_uint_eq(rig.strikes, 1);
    ck_assert_uint_gt(sim_disk_pending(disk(0)), 0); /* what it said was stable is not */
    rig_run(2000 * RIG_MS);
    (void)rig_write(0, 40, 0x66);
    ck_assert_int_eq(rig_flush(0), SIM_DISK_OK);
    ck_assert_uint_eq(sim_disk_pending(disk(0)), 0);
}
END_TEST

START_TEST(test_inject__crashes_and_hangs_need_one_that_lives)
{
    on_naming(rig_fault(FAULT_PROCESS_CRASH, FAULT_AT_TIME, 0), FAULT_TARGET_ALL, 0);
    on_naming(rig_fault(FAULT_PROCESS_CRASH, FAULT_AT_TIME, 1), FAULT_TARGET_ALL, 0);
    on_naming(rig_fault(FAULT_PROCESS_HANG, FAULT_AT_TIME, 1), FAULT_TARGET_INDEX, 0);
    on_naming(rig_fault(FAULT_MEMORY_FLIP, FAULT_AT_TIME, 1), FAULT_TARGET_INDEX, 0);
    now();
    ck_assert_uint_eq(rig.deaths[0], 1);
    ck_assert_uint_eq(rig.deaths[1], 1);
    ck_assert_str_eq(rig_strike(0)->target, "all of naming");
    ck_assert(rig_strike(0)->took_effect);
    for (uint32_t i = 1; i < 4; i++)
        ck_assert(rig_strike(i)->struck && !rig_strike(i)->took_effect);
}
END_TEST

START_TEST(test_inject__a_hung_process_lives_and_does_nothing_until_it_is_killed)
{
    on_naming(rig_fault(FAULT_PROCESS_HANG, FAULT_AT_TIME, 0), FAULT_TARGET_INDEX, 1);
    now();
    ck_assert(rig_strike(0)->took_effect);
    uint64_t handled = rig.handled[1];
    rig_run(100 * RIG_MS);
    ck_assert(sim_machine_alive(rig.machine, LAYER_NAMING, 1));
    ck_assert_uint_eq(rig.handled[1], handled);
    ck_assert_uint_gt(rig.handled[0], 50);
    rig_run(10000 * RIG_MS); /* the restart service loses patience */
    ck_assert_uint_eq(rig.deaths[1], 1);
    ck_assert_uint_gt(rig.handled[1], handled);
}
END_TEST

START_TEST(test_inject__flips_change_as_many_bits_of_the_region_named)
{
    struct fault *f =
        on_naming(rig_fault(FAULT_MEMORY_FLIP, FAULT_AT_TIME, 0), FAULT_TARGET_INDEX, 0);
    f->region = FAULT_REGION_PAGES;
    f->state = FAULT_PAGE_DIRTY;
    f->bits = amount_fixed(3);
    struct fault *log =
        on_naming(rig_fault(FAULT_MEMORY_FLIP, FAULT_AT_TIME, 0), FAULT_TARGET_INDEX, 0);
    log->region = FAULT_REGION_LOG; /* it has none */
    now();
    ck_assert(rig_strike(0)->took_effect && !rig_strike(1)->took_effect);
    ck_assert_str_eq(rig_strike(0)->target, "naming 0 pages");
    ck_assert_uint_eq(rig.bits, 0);
    rig.looks = true;
    rig_run(10 * RIG_MS);
    ck_assert_uint_eq(rig.bits, 3);
    ck_assert_uint_eq(rig.dirty_bits, 3);
}
END_TEST

/* Sectors [from, from + RIG_SECTORS) of disk d that cannot be read. */
static uint32_t bad_among(uint32_t d, uint64_t from)
{
    uint32_t bad = 0;
    for (uint64_t k = from; k < from + RIG_SECTORS; k++)
        bad += sim_disk_bad(disk(d), k);
    return bad;
}

START_TEST(test_inject__where_aims_at_data_metadata_or_a_file)
{
    static const struct {
        enum fault_where where;
        const char *path;
        uint64_t hits[2]; /* where they lie: both, or one of these */
    } cases[] = {{FAULT_WHERE_DATA, NULL, {0, 16}},
                 {FAULT_WHERE_METADATA, NULL, {32, 32}},
                 {FAULT_WHERE_FILE, "B", {16, 16}}};
    (void)rig_write(0, 0, 'A');
    (void)rig_write(0, 16, 'B');
    (void)rig_write(0, 32, 'x');
    (void)rig_write(0, 48, 0); /* nobody's */
    rig_settle();
    for (uint32_t c = 0; c < 3; c++) {
        struct fault *f = rig_fault(FAULT_DISK_LATENT_ERROR, FAULT_AT_TIME, 0);
        f->disk = (struct fault_target){.kind = FAULT_TARGET_INDEX, .index = 0};
        f->where = cases[c].where;
        f->where_path = cases[c].path;
        f->count = amount_fixed(40);
        now();
        ck_assert(strike_is_whole(rig_strike(0)));
        ck_assert_uint_gt(bad_among(0, cases[c].hits[0]), 0);
        ck_assert_uint_gt(bad_among(0, cases[c].hits[1]), 0);
        uint64_t there = bad_among(0, cases[c].hits[0]);
        if (cases[c].hits[1] != cases[c].hits[0])
            there += bad_among(0, cases[c].hits[1]);
        ck_assert_uint_eq(sim_disk_bad_count(disk(0)), there);
        injector_disarm(rig.injector);
        rig.plan.count = 0;
        for (uint64_t at = 0; at <= 32; at += 16) /* whole again */
            (void)rig_write(0, at, at == 0 ? 'A' : at == 16 ? 'B' : 'x');
        rig_settle();
    }
}
END_TEST

START_TEST(test_inject__a_disk_is_found_by_the_file_that_it_holds)
{
    static const uint32_t copies[] = {0, 1, 2};
    static const char *const targets[] = {"disk 0", "disk 1", "no disk"};
    (void)rig_write(1, 0, 'B');
    rig_settle();
    for (uint32_t k = 0; k < 4; k++) {
        struct fault *f = rig_fault(FAULT_DISK_FAIL_SLOW, FAULT_AT_TIME, 0);
        uint32_t copy = k == 0 ? 0 : copies[k - 1];
        f->disk = (struct fault_target){.kind = FAULT_TARGET_HOLDS, .index = copy, .path = "B"};
        now();
        const char *target = k == 0 ? "disk 1" : targets[copy]; /* first only disk 1 holds it */
        ck_assert_str_eq(rig_strike(0)->target, target);
        ck_assert_int_eq(rig_strike(0)->took_effect, copy < 2);
        injector_disarm(rig.injector);
        rig.plan.count = 0;
        (void)rig_write(0, 8, 'B');
        rig_settle();
    }
}
END_TEST

START_TEST(test_inject__power_cuts_are_asked_for_with_their_draws)
{
    rig_fault(FAULT_POWER_CUT, FAULT_AT_TIME, 0);
    struct fault *f = rig_fault(FAULT_POWER_CUT, FAULT_AT_OP, 1);
    f->cache = FAULT_CACHE_DROP;
    f->tears = FAULT_TEARS_NONE;
    f->off_for_ns = (struct amount){.kind = AMOUNT_RANGE, .low = 5, .high = 9};
    rig_fault(FAULT_POWER_CUT, FAULT_AT_OP, 1)->cache = FAULT_CACHE_REORDER;
    rig_fault(FAULT_POWER_CUT, FAULT_AT_OP, 1)->tears = FAULT_TEARS_ANY;
    rig_fault(FAULT_POWER_CUT, FAULT_AT_OP, 1)->tears = FAULT_TEARS_ERROR;
    now();
    injector_on_op(rig.injector, 1);
    ck_assert_uint_eq(rig.cuts, 5);
    ck_assert_int_eq(injector_cut_plan(rig.injector, 3).tears, SIM_TEARS_ANY);
    ck_assert_int_eq(injector_cut_plan(rig.injector, 4).tears, SIM_TEARS_ERROR);
    ck_assert_int_eq(injector_cut_plan(rig.injector, 2).mode, SIM_CUT_REORDER);
    ck_assert(rig_strike(0)->took_effect);
    struct inject_cut first = injector_cut_plan(rig.injector, 0);
    struct inject_cut second = injector_cut_plan(rig.injector, 1);
    ck_assert_int_eq(first.mode, SIM_CUT_RANDOM);
    ck_assert_int_eq(first.tears, SIM_TEARS_PREFIX);
    ck_assert_uint_eq(first.off_for_ns, 10000 * RIG_MS);
    ck_assert_int_eq(second.mode, SIM_CUT_DROP);
    ck_assert_int_eq(second.tears, SIM_TEARS_NONE);
    ck_assert(second.off_for_ns >= 5 && second.off_for_ns <= 9);
    ck_assert_uint_ne(first.rng_key, second.rng_key);
}
END_TEST

/* ---- Repetition and the end --------------------------------------------------------------------
 */

START_TEST(test_inject__repeat_kills_as_often_each_time_at_the_first_message)
{
    for (int64_t repeat = 1; repeat <= 4; repeat++) {
        rig.plan.count = 0;
        struct fault *f =
            on_naming(rig_fault(FAULT_PROCESS_CRASH, FAULT_AT_TIME, 0), FAULT_TARGET_ALL, 0);
        f->repeat = amount_fixed(repeat);
        rig_arm(1);
        rig_run(RIG_MS / 10);
        ck_assert_uint_eq(rig_strike(0)->done,
                          2); /* the first deaths: whole if there is one each */
        ck_assert_int_eq(strike_is_whole(rig_strike(0)), repeat == 1);
        uint64_t handled = rig.handled[0];
        rig_run(60000 * RIG_MS);
        ck_assert_uint_eq(rig_strike(0)->wanted, 2 * (uint64_t)repeat);
        ck_assert(strike_is_whole(rig_strike(0)));
        for (uint32_t i = 0; i < 2; i++)
            ck_assert_uint_eq(rig.deaths[i], (uint32_t)repeat);
        ck_assert_uint_gt(rig.handled[0], handled); /* the last one lives */
        ck_assert_uint_eq(rig.strikes, 1);
        injector_disarm(rig.injector);
    }
}
END_TEST

START_TEST(test_inject__disarmed_nothing_strikes_any_more)
{
    struct fault *block =
        on_naming(rig_fault(FAULT_PROCESS_CRASH, FAULT_AT_BLOCK, 50), FAULT_TARGET_INDEX, 0);
    block->at.layer = LAYER_NAMING;
    struct fault *message =
        on_naming(rig_fault(FAULT_PROCESS_CRASH, FAULT_AT_MESSAGE, 9), FAULT_TARGET_INDEX, 1);
    message->at.layer = LAYER_NAMING;
    harmless(FAULT_AT_TIME, 5 * RIG_MS);
    harmless(FAULT_AT_OP, 1);
    rig_fault(FAULT_DISK_LOST_WRITE, FAULT_AT_TIME, 0)->disk.kind = FAULT_TARGET_ALL;
    rig_fault(FAULT_DISK_TRANSIENT_ERROR, FAULT_AT_TIME, 0)->disk.kind = FAULT_TARGET_ALL;
    rig_arm(6);
    rig_run(RIG_MS / 10);
    injector_disarm(rig.injector);
    rig_run(50 * RIG_MS);
    injector_on_op(rig.injector, 1);
    ck_assert_int_eq(rig_write(0, 0, 9), SIM_DISK_OK);
    ck_assert_int_eq(rig_read(0, 0, buffer), SIM_DISK_OK);
    ck_assert_uint_eq(buffer[0], 9);
    ck_assert_uint_eq(rig.strikes, 0);
    ck_assert_uint_eq(rig.deaths[0] + rig.deaths[1], 0);
    ck_assert_uint_eq(sim_disk_bad_count(disk(0)) + sim_disk_bad_count(disk(1)), 0);
}
END_TEST

CHECK_MAIN("inject", 60, {
    tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
    tcase_add_test(tc, test_inject__counts_that_are_told_strike_at_their_number_and_once);
    tcase_add_test(tc, test_inject__times_count_from_the_origin);
    tcase_add_test(tc, test_inject__after_counts_from_the_write_that_was_spoiled);
    tcase_add_test(tc, test_inject__recovery_counts_from_its_begin);
    tcase_add_test(tc, test_inject__messages_strike_before_they_are_delivered);
    tcase_add_test(tc, test_inject__blocks_strike_at_exactly_that_block);
    tcase_add_test(tc, test_inject__blocks_of_one_process_strike_in_turn_also_over_its_death);
    tcase_add_test(tc, test_inject__requests_and_writes_are_counted_by_disk);
    tcase_add_test(tc, test_inject__only_the_first_faults_are_armed_and_strike_as_ever);
    tcase_add_test(tc, test_inject__fail_stop_takes_effect_on_disks_that_live);
    tcase_add_test(tc, test_inject__a_disk_that_was_gone_for_a_time_is_back_as_it_was);
    tcase_add_test(tc, test_inject__media_faults_hit_written_sectors_or_say_that_there_are_none);
    tcase_add_test(tc, test_inject__with_where_any_sectors_never_written_are_spoiled_and_count);
    tcase_add_test(tc, test_inject__bit_rot_flips_one_bit_of_each_sector_it_draws);
    tcase_add_test(tc, test_inject__transient_errors_hit_as_many_requests_and_not_before);
    tcase_add_test(tc, test_inject__lost_and_torn_writes_spoil_what_they_say);
    tcase_add_test(tc, test_inject__misdirected_requests_meet_what_was_written_elsewhere);
    tcase_add_test(tc, test_inject__a_misdirected_request_never_meets_its_own_place);
    tcase_add_test(tc, test_inject__a_slow_disk_is_slow_by_its_factor_for_as_long_as_it_says);
    tcase_add_test(tc, test_inject__of_two_slow_faults_the_worse_one_counts);
    tcase_add_test(tc, test_inject__a_lying_flush_strikes_with_the_first_flush_it_falsifies);
    tcase_add_test(tc, test_inject__crashes_and_hangs_need_one_that_lives);
    tcase_add_test(tc, test_inject__a_hung_process_lives_and_does_nothing_until_it_is_killed);
    tcase_add_test(tc, test_inject__flips_change_as_many_bits_of_the_region_named);
    tcase_add_test(tc, test_inject__where_aims_at_data_metadata_or_a_file);
    tcase_add_test(tc, test_inject__a_disk_is_found_by_the_file_that_it_holds);
    tcase_add_test(tc, test_inject__power_cuts_are_asked_for_with_their_draws);
    tcase_add_test(tc, test_inject__repeat_kills_as_often_each_time_at_the_first_message);
    tcase_add_test(tc, test_inject__disarmed_nothing_strikes_any_more);
})
