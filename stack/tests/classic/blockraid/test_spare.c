/*
 * A spare in the place of a disk that is out: it gets everything, whatever ends the copy in
 * between, and what nobody could tell it is an error for ever, until it is written.
 */
#include "scripts/check_main.h"

#include "stack/classic/blockraid/raid.h"
#include "stack/tests/classic/blockraid/raid_rig.h"

#define DATA_AT (256u * 4096u)
#define LARGE_BYTES (24u << 20) /* 23 regions: the cursor is recorded once */
#define MODEL_BYTES (48u << 20)

static uint8_t model[MODEL_BYTES];
static uint64_t sectors;

/* Level 1 on a pair, level 5 on three disks; the spares after them. */
static uint32_t disks_of(uint32_t level)
{
    return level == 1 ? 2 : 3;
}

static void build_array(uint32_t level, uint32_t spares, size_t bytes)
{
    build_spared(disks_of(level), spares, level, bytes);
    sectors = volume_sectors();
    ck_assert_uint_le(sectors * 512, MODEL_BYTES);
    memset(model, 0, sizeof(model));
}

static void random_steps(uint32_t steps)
{
    for (uint32_t step = 0; step < steps; step++) {
        uint32_t count = 1 + draw(draw(4) == 0 ? 1016 : 40);
        uint64_t first = draw((uint32_t)sectors - count);
        if (draw(2) == 0) {
            const uint8_t *from = data + draw(DATA_BYTES - count * 512);
            ck_assert_int_eq(put(first, from, count), OK);
            memcpy(model + first * 512, from, (size_t)count * 512);
        } else {
            ck_assert_int_eq(get(first, back, count), OK);
            ck_assert_int_eq(memcmp(back, model + first * 512, (size_t)count * 512), 0);
        }
    }
}

static void everything_is_there(void)
{
    for (uint64_t at = 0; at < sectors; at += 512) {
        uint32_t count = sectors - at < 512 ? (uint32_t)(sectors - at) : 512;
        ck_assert_int_eq(get(at, back, count), OK);
        ck_assert_int_eq(memcmp(back, model + at * 512, (size_t)count * 512), 0);
    }
}

/* The copies are equal, or the xor is nought, of all disks but one. */
static bool others_agree(uint32_t but)
{
    for (size_t at = DATA_AT; at < disk[0].sectors * 512; at += 8) {
        uint64_t sum = 0, word;
        for (uint32_t d = 0; d < boot.options.disks; d++) {
            memcpy(&word, disk[d].bytes + at, 8);
            sum ^= d == but ? 0 : word;
        }
        if (sum != 0)
            return false;
    }
    return true;
}

/* Without a spare left, of a pair: both of its disks. */
static void settle(void)
{
    ck_assert_int_eq(call(BLOCK_FLUSH, 0, 0, 0, false), OK);
    ck_assert_int_eq(fake_run_until(fake_now() + 20 * SECONDS), FAKE_IDLE);
}

static void restart(void)
{
    boot.incarnation++;
    start(false);
}

/* ---- Taking its place ------------------------------------------------------------------------ */

START_TEST(test_spare__gets_everything_so_that_another_disk_may_go)
{
    static const uint32_t levels[] = {1, 5};
    uint32_t level = levels[_i], spare = disks_of(level);
    build_array(level, 1, SMALL_BYTES);
    random_steps(200);
    disk[0].gone = true;
    random_steps(100);
    settle();
    ck_assert_uint_eq(fake_report_count(REPORT_REBUILT), 1);
    ck_assert_uint_eq(fake_report_count(REPORT_LOST), 0);
    ck_assert(others_agree(0));
    everything_is_there();
    restart();
    random_steps(100);
    disk[1].gone = true;
    random_steps(100);
    everything_is_there();
    ck_assert_uint_gt(disk[spare].reads, 10);
}
END_TEST

START_TEST(test_spare__one_after_the_other_takes_the_place)
{
    build_array(1, 3, SMALL_BYTES);
    for (uint32_t k = 0; k < 4; k++) {
        random_steps(50);
        disk[k].gone = true;
        random_steps(50);
        settle();
        ck_assert_uint_eq(fake_report_count(REPORT_REBUILT), k < 3 ? k + 1 : 3);
    }
    everything_is_there();
}
END_TEST

START_TEST(test_spare__one_that_is_too_small_or_gone_is_passed_by)
{
    build_array(1, 2, SMALL_BYTES);
    random_steps(50);
    for (uint32_t how = 0; how < 2; how++) {
        if (how == 0) {
            disk[2].gone = true;
        } else {
            fake_kill_layer();
            disk[2].gone = false;
            disk[2].sectors = 2048;
            restart();
        }
        disk[how].gone = true;
        random_steps(20);
        settle();
        ck_assert_uint_eq(fake_report_count(REPORT_REBUILT), 1);
        everything_is_there();
    }
    ck_assert_uint_eq(disk[2].sectors_written, 0);
}
END_TEST

/* Each disk takes time, so that steps of the copy and requests alternate. */
static void slow_serve(void *ctx, const struct msg *request)
{
    fake_advance(1000000);
    ramdisk_serve(ctx, request);
}

START_TEST(test_spare__applications_go_on_meanwhile_and_get_half_of_the_time)
{
    static const uint32_t levels[] = {1, 5};
    build_array(levels[_i], 1, LARGE_BYTES);
    for (uint32_t d = 0; d < boot.options.disks; d++)
        fake_peer(LAYER_DRIVER, d, slow_serve, &disk[d]);
    start(true);
    patience_ns = 10 * SECONDS;
    random_steps(50);
    disk[1].gone = true;
    uint32_t during = 0;
    for (; fake_report_count(REPORT_REBUILT) == 0; during++) {
        random_steps(1);
        ck_assert_uint_lt(during, 10000);
    }
    ck_assert_uint_gt(during, 25); /* of 23 regions */
    ck_assert(others_agree(1));
    everything_is_there();
}
END_TEST

/* ---- What ends it in between ----------------------------------------------------------------- */

START_TEST(test_spare__a_crash_at_any_region_goes_on_from_the_last_record)
{
    static const uint32_t levels[] = {1, 5};
    for (uint32_t n = 1; n <= 23; n += 3) {
        build_array(levels[_i], 1, LARGE_BYTES);
        random_steps(60);
        ck_assert_int_eq(call(BLOCK_FLUSH, 0, 0, 0, false), OK);
        ck_assert_int_eq(fake_run_until(fake_now() + 11 * SECONDS), FAKE_IDLE); /* no bit is set */
        fake_crash_at_probe(PROBE_RAID_REBUILD, n);
        disk[0].gone = true;
        while (fake_crash()[0] == '\0')
            (void)get(draw((uint32_t)sectors / 8 - 1) * 8, back, 8);
        fake_crash_at_probe(PROBE_RAID_REBUILD, 0);
        restart();
        ck_assert_int_eq(fake_run_until(fake_now() + SECONDS), FAKE_IDLE);
        ck_assert_uint_eq(fake_report_count(REPORT_REBUILT), 1);
        ck_assert_uint_eq(fake_probe_hits(PROBE_RAID_REBUILD), n <= 16 ? 23 + n : 23 + n - 16);
        ck_assert(others_agree(0));
        everything_is_there();
        teardown();
    }
}
END_TEST

/* The power fails while it is copied, every cache loses what it likes. Level 5 is not dirty then.
 */
START_TEST(test_spare__h30_a_power_cut_at_any_region_loses_nothing)
{
    static const uint32_t levels[] = {1, 5};
    for (uint32_t n = 1; n <= 23; n += 2) {
        struct coin coin = {.mode = n % 3};
        build_array(levels[_i], 1, LARGE_BYTES);
        for (uint32_t d = 0; d < boot.options.disks; d++)
            ramdisk_set_volatile(&disk[d]);
        random_steps(60);
        ck_assert_int_eq(call(BLOCK_FLUSH, 0, 0, 0, false), OK);
        ck_assert_int_eq(fake_run_until(fake_now() + 11 * SECONDS), FAKE_IDLE);
        fake_crash_at_probe(PROBE_RAID_REBUILD, n);
        disk[0].gone = true;
        while (fake_crash()[0] == '\0')
            (void)get(draw((uint32_t)sectors / 8 - 1) * 8, back, 8);
        fake_crash_at_probe(PROBE_RAID_REBUILD, 0);
        for (uint32_t d = 0; d < boot.options.disks; d++)
            ramdisk_power_cut(&disk[d], keep, &coin);
        restart();
        ck_assert_int_eq(fake_run_until(fake_now() + SECONDS), FAKE_IDLE);
        ck_assert_uint_eq(fake_report_count(REPORT_REBUILT), 1);
        disk[1].gone = true;
        everything_is_there();
        teardown();
    }
}
END_TEST

/* At every call from the death on, until all is whole. */
START_TEST(test_spare__a_crash_at_any_call_loses_nothing)
{
    bool fired = true;
    for (uint64_t n = 1; fired; n += 1 + n / 16) {
        build_array(1, 1, SMALL_BYTES);
        random_steps(20);
        disk[0].gone = true;
        fake_crash_at_call(n);
        bool answered = put(0, data, 64) == OK;
        fired = fake_crash()[0] != '\0';
        fake_crash_at_call(0);
        if (!answered)
            memcpy(model, data, 64 * 512);
        restart();
        if (!answered)
            ck_assert_int_eq(put(0, data, 64), OK); /* as a block client does */
        else
            memcpy(model, data, 64 * 512);
        settle();
        ck_assert(others_agree(0));
        everything_is_there();
        teardown();
        ck_assert_uint_lt(n, 20000);
    }
}
END_TEST

START_TEST(test_spare__a_second_death_meanwhile_is_an_error_and_nothing_is_lost_if_it_returns)
{
    static const uint32_t levels[] = {1, 5};
    build_array(levels[_i], 1, LARGE_BYTES);
    for (uint32_t d = 0; d < boot.options.disks; d++)
        fake_peer(LAYER_DRIVER, d, slow_serve, &disk[d]);
    start(true);
    patience_ns = 10 * SECONDS;
    random_steps(30);
    disk[0].gone = true;
    while (fake_probe_hits(PROBE_RAID_REBUILD) < 5)
        random_steps(1);
    ck_assert_int_eq(call(BLOCK_FLUSH, 0, 0, 0, false), OK);
    disk[1].gone = true;
    for (uint64_t at = 0; at + 512 < sectors; at += sectors / 9) {
        enum err e = get(at, back, 512);
        ck_assert(e == E_MEDIA || memcmp(back, model + at * 512, 512 * 512) == 0);
        if (levels[_i] == 1) /* level 5: the write hole, refused at the next start */
            ck_assert_int_eq(put(at, model + at * 512, 8), E_MEDIA);
    }
    ck_assert_uint_eq(fake_report_count(REPORT_REBUILT), 0);
    disk[1].gone = false;
    restart();
    settle();
    ck_assert_uint_eq(fake_report_count(REPORT_REBUILT), 1);
    everything_is_there();
}
END_TEST

/* The n-th write of the spare fails for good, or it dies there: the next one takes over. */
START_TEST(test_spare__one_that_fails_gives_way_to_the_next)
{
    static const uint32_t levels[] = {1, 5};
    for (uint32_t n = 1; n < 16; n++) {
        uint32_t spare = disks_of(levels[_i]);
        build_array(levels[_i], 2, SMALL_BYTES);
        random_steps(30);
        if (n % 2 == 0)
            disk[spare].fail_write = n / 2;
        else
            disk[spare].fail_flush = n / 2 + 1;
        disk[0].gone = true;
        random_steps(30);
        settle();
        ck_assert_uint_ge(fake_report_count(REPORT_REBUILT), 1); /* it may have failed later */
        disk[spare].fail_write = disk[spare].fail_flush = 0;
        everything_is_there();
        disk[1].gone = true;
        random_steps(20);
        everything_is_there();
        teardown();
    }
}
END_TEST

/* ---- Sectors that cannot be read --------------------------------------------------------------
 */

static void spoil(uint32_t d, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++)
        disk[d].bad[k] = DATA_AT / 512 + k * 400 + 3;
    disk[d].bads = count;
}

/* What is read is right or an error. Returns how many blocks are errors. */
static uint32_t count_errors(void)
{
    uint32_t errors = 0;
    for (uint64_t at = 0; at < sectors; at += 8) {
        enum err e = get(at, back, 8);
        ck_assert(e == OK || e == E_MEDIA);
        if (e == OK)
            ck_assert_int_eq(memcmp(back, model + at * 512, 4096), 0);
        errors += e == OK ? 0 : 1;
    }
    return errors;
}

START_TEST(test_spare__what_nobody_could_tell_is_an_error_until_it_is_written)
{
    static const uint32_t levels[] = {1, 5};
    uint32_t level = levels[_i], d = 1;
    build_array(level, 1, SMALL_BYTES);
    random_steps(200);
    settle();
    spoil(d, 8);
    disk[0].gone = true;
    ck_assert_int_eq(put(sectors - 8, data, 8), OK);
    memcpy(model + (sectors - 8) * 512, data, 4096);
    settle();
    ck_assert_uint_eq(fake_report_count(REPORT_REBUILT), 1);
    ck_assert_uint_eq(fake_report_count(REPORT_LOST), 8);
    uint32_t errors = count_errors(); /* on level 5 also what the spare has of these rows */
    ck_assert_uint_ge(errors, level == 1 ? 8 : 6);
    ck_assert_uint_le(errors, 16);
    restart();
    ck_assert_uint_eq(count_errors(), errors);
    for (uint64_t at = 0; at + 1016 <= sectors; at += 1016) { /* all anew */
        ck_assert_int_eq(put(at, data, 1016), OK);
        memcpy(model + at * 512, data, 1016 * 512);
    }
    disk[d].bads = 0;
    fake_crash_at_call(1); /* stable though nobody flushed: a dead process has lost nothing */
    (void)get(0, back, 8);
    fake_crash_at_call(0);
    restart();
    ck_assert_uint_eq(count_errors(), 0);
}
END_TEST

START_TEST(test_spare__a_piece_of_a_bad_block_is_told_when_it_is_written)
{
    build_array(1, 1, SMALL_BYTES);
    spoil(1, 1);
    disk[0].gone = true;
    ck_assert_int_eq(put(800, data, 8), OK);
    settle();
    ck_assert_int_eq(get(0, back, 8), E_MEDIA);
    ck_assert_int_eq(put(2, data, 3), OK);
    ck_assert_int_eq(get(2, back, 3), OK);
    ck_assert_int_eq(memcmp(back, data, 3 * 512), 0);
    disk[1].gone = true;
    ck_assert_int_eq(get(2, back, 3), OK);
    ck_assert_int_eq(get(5, back, 3), E_MEDIA); /* the spare alone: it never knew them */
    ck_assert_int_eq(put(0, data, 8), OK);
    ck_assert_int_eq(get(0, back, 8), OK);
}
END_TEST

/* ---- The superblock ---------------------------------------------------------------------------
 */

static struct bad_list list;
static uint8_t raw[BLOCK_BYTES];

static struct super some_super(void)
{
    list.count = 2;
    list.entry[0].block = 7;
    list.entry[0].sectors = 0x81;
    list.entry[1].block = 511;
    list.entry[1].sectors = 0xff;
    return (struct super){.uuid = {11, 12},
                          .level = 1,
                          .disks = 2,
                          .index = 1,
                          .chunk_sectors = 32,
                          .column_sectors = 4096,
                          .events = 5,
                          .failed = 1,
                          .drive = {0, 3},
                          .whole = {WHOLE, 1},
                          .bads = {0, 2}};
}

START_TEST(test_spare__a_superblock_is_what_the_format_says)
{
    struct super s = some_super(), got = {0};
    static struct bad_list read;
    super_encode(raw, &s, &list);
    static const struct {
        uint32_t at, byte;
    } pinned[] = {{8, 2},      {12, 1},     {16, 11},  {32, 2},  {36, 1},     {40, 32},
                  {57, 0x10},  {64, 5},     {72, 1},   {76, 0},  {77, 3},     {92, 0xff},
                  {95, 0xff},  {96, 1},     {160, 2},  {256, 7}, {260, 0x81}, {264, 0xff},
                  {265, 0x01}, {268, 0xff}, {49, 0x01}};
    for (uint32_t k = 0; k < sizeof(pinned) / sizeof(pinned[0]); k++)
        ck_assert_uint_eq(raw[pinned[k].at], pinned[k].byte);
    ck_assert_int_eq(super_decode(&got, &read, raw), OK);
    ck_assert_uint_eq(got.drive[1], 3);
    ck_assert_uint_eq(got.whole[1], 1);
    ck_assert_uint_eq(read.count, 2);
    ck_assert_uint_eq(read.entry[1].block, 511);
    for (uint32_t at = 0; at < BLOCK_BYTES; at++) {
        raw[at] ^= 1;
        ck_assert_int_ne(super_decode(&got, &read, raw), OK);
        raw[at] ^= 1;
    }
}
END_TEST

START_TEST(test_spare__a_superblock_that_cannot_be_is_refused)
{
    for (uint32_t k = 0; k < 8; k++) {
        struct super s = some_super(), got;
        static struct bad_list read;
        if (k == 1)
            s.drive[0] = 3; /* one drive, two places */
        if (k == 2)
            s.drive[0] = DISKS_MAX;
        if (k == 3)
            s.whole[0] = BITMAP_BLOCKS_MAX * BLOCK_BYTES * 8 + 1;
        if (k == 4)
            s.bads[1] = BADS_MAX + 1;
        if (k == 5)
            list.entry[0].sectors = 0;
        if (k == 6)
            list.entry[1].block = 512; /* the first behind the column */
        if (k == 7)
            s.level = 5;
        super_encode(raw, &s, &list);
        ck_assert_int_eq(super_decode(&got, &read, raw), k == 0 ? OK : E_CORRUPT);
    }
}
END_TEST

CHECK_MAIN(
    "blockraid-spare", 120, tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_loop_test(tc, test_spare__gets_everything_so_that_another_disk_may_go, 0, 2);
    tcase_add_test(tc, test_spare__one_after_the_other_takes_the_place);
    tcase_add_test(tc, test_spare__one_that_is_too_small_or_gone_is_passed_by);
    tcase_add_loop_test(tc, test_spare__applications_go_on_meanwhile_and_get_half_of_the_time, 0,
                        2);
    tcase_add_loop_test(tc, test_spare__a_crash_at_any_region_goes_on_from_the_last_record, 0, 2);
    tcase_add_loop_test(tc, test_spare__h30_a_power_cut_at_any_region_loses_nothing, 0, 2);
    tcase_add_test(tc, test_spare__a_crash_at_any_call_loses_nothing); tcase_add_loop_test(
        tc, test_spare__a_second_death_meanwhile_is_an_error_and_nothing_is_lost_if_it_returns, 0,
        2);
    tcase_add_loop_test(tc, test_spare__one_that_fails_gives_way_to_the_next, 0, 2);
    tcase_add_loop_test(tc, test_spare__what_nobody_could_tell_is_an_error_until_it_is_written, 0,
                        2);
    tcase_add_test(tc, test_spare__a_piece_of_a_bad_block_is_told_when_it_is_written);
    tcase_add_test(tc, test_spare__a_superblock_is_what_the_format_says);
    tcase_add_test(tc, test_spare__a_superblock_that_cannot_be_is_refused);)
