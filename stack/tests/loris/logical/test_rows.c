/* Objects with parity, and copies on every disk: a model of what was written against pools that
 * lose disks, blocks, processes and power. */
#include "scripts/check_main.h"
#include "stack/tests/loris/logical/rig_pool.h"

#define DIR 1100u
#define FILES 3u
#define FILE(n) (1200u + (n))
#define BLOCKS 40u /* of each */
#define NO_DISK 99u

static uint64_t model[FILES][BLOCKS]; /* version of each block, 0: zeros */
static uint64_t newest;

static const struct level {
    uint32_t raid, disks, bears;
} levels[] = {{4, 3, 1}, {5, 3, 1}, {5, 4, 1}, {6, 4, 2}, {6, 5, 2}, {RAID_N_WAY, 3, 2}};
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

/* ---- The model ---- */

static void make(const struct level *level, uint64_t stripe_blocks, uint64_t disk_blocks)
{
    pool_make(level->disks, level->raid, disk_blocks, stripe_blocks * BLOCK_BYTES);
    memset(model, 0, sizeof(model));
    newest = 0;
    for (uint32_t n = 0; n < FILES; n++)
        pool_ok(pool_op(OBJECT_CREATE, FILE(n), 0, 0));
    pool_ok(pool_op(OBJECT_CREATE, DIR, 0, OBJECT_META));
}

/* One batch: file[i], block[i]; a new version of each. */
static enum err write_list(const uint32_t *file, const uint32_t *block, uint32_t count)
{
    newest++;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *page = pool_data + (size_t)i * BLOCK_BYTES;
        rig_fill_page(page, FILE(file[i]), block[i], newest);
        struct object_write_entry entry = {.oid = FILE(file[i]),
                                           .block = block[i],
                                           .lsn = ++pool.lsn,
                                           .crc = plat_crc32c(page, BLOCK_BYTES)};
        object_write_entry_encode(pool_raw + (size_t)i * OBJECT_ENTRY_BYTES, &entry);
    }
    struct object_request request = {
        .op = OBJECT_WRITE,
        .length = (uint64_t)count * BLOCK_BYTES,
        .grant_data = fake_grant(pool.client, pool_data, sizeof(pool_data), PLAT_GRANT_READ),
        .grant_meta = fake_grant(pool.client, pool_raw, sizeof(pool_raw),
                                 PLAT_GRANT_READ | PLAT_GRANT_WRITE)};
    enum err e = pool_call(&request);
    fake_revoke(pool.client, request.grant_data);
    fake_revoke(pool.client, request.grant_meta);
    for (uint32_t i = 0; i < count && e == OK; i++)
        model[file[i]][block[i]] = newest;
    return e;
}

static void random_write(uint64_t *state)
{
    uint32_t file[OBJECT_BATCH_MAX_BLOCKS], block[OBJECT_BATCH_MAX_BLOCKS];
    uint32_t count = 0;
    bool taken[FILES][BLOCKS] = {{false}};
    uint32_t runs = 1 + (uint32_t)(rig_random(state) % 12);
    for (uint32_t r = 0; r < runs; r++) {
        uint32_t n = (uint32_t)(rig_random(state) % FILES);
        uint32_t first = (uint32_t)(rig_random(state) % BLOCKS);
        uint32_t length = 1 + (uint32_t)(rig_random(state) % (r % 3 == 0 ? 30 : 3));
        for (uint32_t b = first; b < first + length && b < BLOCKS; b++) {
            if (taken[n][b] || count == OBJECT_BATCH_MAX_BLOCKS)
                continue;
            taken[n][b] = true;
            file[count] = n;
            block[count++] = b;
        }
    }
    pool_ok(write_list(file, block, count));
}

static void random_cut(uint64_t *state)
{
    uint32_t n = (uint32_t)(rig_random(state) % FILES);
    uint32_t keep = (uint32_t)(rig_random(state) % BLOCKS);
    pool_ok(
        pool_op(OBJECT_TRUNCATE, FILE(n), (uint64_t)keep * BLOCK_BYTES - (keep > 0 ? 7 : 0), 0));
    for (uint32_t b = keep; b < BLOCKS; b++)
        model[n][b] = 0;
}

static void work(uint64_t seed, uint32_t steps)
{
    uint64_t state = seed;
    for (uint32_t step = 0; step < steps; step++) {
        switch (rig_random(&state) % 8) {
        case 0:
            random_cut(&state);
            break;
        case 1:
            pool_ok(pool_checkpoint());
            break;
        default:
            random_write(&state);
        }
    }
}

/* Reads one file; the number of blocks that are errors. A block that is not must be right. */
static uint32_t read_file(uint32_t n)
{
    static uint8_t got[BLOCKS * BLOCK_BYTES], want[BLOCK_BYTES];
    uint32_t errors = 0;
    struct object_request request = {
        .op = OBJECT_READ,
        .oid = FILE(n),
        .length = sizeof(got),
        .grant_data = fake_grant(pool.client, got, sizeof(got), PLAT_GRANT_WRITE),
        .grant_meta = fake_grant(pool.client, pool_raw, sizeof(pool_raw), PLAT_GRANT_WRITE)};
    pool_ok(pool_call(&request));
    fake_revoke(pool.client, request.grant_data);
    fake_revoke(pool.client, request.grant_meta);
    for (uint32_t b = 0; b < BLOCKS; b++) {
        struct object_block_meta meta;
        object_block_meta_decode(&meta, pool_raw + (size_t)b * OBJECT_META_BYTES);
        memset(want, 0, sizeof(want));
        if (model[n][b] != 0)
            rig_fill_page(want, FILE(n), b, model[n][b]);
        errors += meta.status != OK;
        if (meta.status != OK)
            continue;
        ck_assert_msg(memcmp(got + (size_t)b * BLOCK_BYTES, want, BLOCK_BYTES) == 0,
                      "file %u block %u is wrong", n, b);
        ck_assert_uint_eq(meta.crc, plat_crc32c(want, BLOCK_BYTES));
    }
    return errors;
}

static uint32_t errors_of_all(void)
{
    uint32_t errors = 0;
    for (uint32_t n = 0; n < FILES; n++)
        errors += read_file(n);
    return errors;
}

static void expect_all(void)
{
    ck_assert_uint_eq(errors_of_all(), 0);
}

static void restart(bool system)
{
    pool_boot(false);
    pool_ok(pool_restore(system));
}

/* ---- Service ---- */

/* What was there before the disks went, what is done without them, and all of it after a start. */
static void lose_and_use(const struct level *level, uint64_t stripe, uint32_t a, uint32_t b,
                         uint64_t seed)
{
    make(level, stripe, 2048);
    work(seed, 30);
    if (a != NO_DISK)
        rig.disk[a].gone = true;
    if (b != NO_DISK)
        rig.disk[b].gone = true;
    expect_all();
    work(seed + 1, 30);
    expect_all();
    pool_ok(pool_checkpoint());
    restart(true);
    expect_all();
    work(seed + 2, 10);
    expect_all();
    ck_assert_uint_eq(fake_report_count(REPORT_LOST), 0);
}

START_TEST(test_rows__give_back_what_was_written_without_any_disk)
{
    static const uint64_t stripes[] = {1, 2, 16};
    const struct level *level = &levels[_i];
    for (uint32_t s = 0; s < 3; s++) {
        for (uint32_t a = 0; a < level->disks; a++)
            lose_and_use(level, stripes[s], a, NO_DISK, 100 * s + a);
        lose_and_use(level, stripes[s], NO_DISK, NO_DISK, 7 + s);
    }
}
END_TEST

START_TEST(test_rows__give_back_what_was_written_without_any_two_disks)
{
    const struct level *level = &levels[_i];
    for (uint32_t a = 0; a < level->disks && level->bears == 2; a++)
        for (uint32_t b = a + 1; b < level->disks; b++)
            for (uint64_t stripe = 1; stripe < 4; stripe += 2)
                lose_and_use(level, stripe, a, b, 10 * a + b + stripe);
}
END_TEST

/* One disk goes, then another, with work in between. */
START_TEST(test_rows__lose_one_disk_after_the_other)
{
    const struct level *level = &levels[_i];
    for (uint32_t a = 0; a < level->disks && level->bears == 2; a++)
        for (uint32_t b = 0; b < level->disks; b++) {
            if (a == b)
                continue;
            make(level, 2, 2048);
            work(a, 20);
            rig.disk[a].gone = true;
            work(b, 15);
            rig.disk[b].gone = true;
            expect_all();
            work(a + b, 15);
            expect_all();
        }
}
END_TEST

START_TEST(test_rows__more_losses_than_borne_are_errors)
{
    const struct level *level = &levels[_i];
    if (level->raid == RAID_N_WAY)
        return;
    make(level, 2, 2048);
    work(1, 30);
    pool_ok(pool_checkpoint());
    for (uint32_t k = 0; k <= level->bears; k++)
        rig.disk[k].gone = true;
    uint32_t errors = errors_of_all(); /* and what is no error is right */
    ck_assert_uint_gt(errors, 0);
    uint64_t state = 5;
    for (uint32_t n = 0; n < 20; n++) { /* writes say so too, and what they accept is there */
        uint32_t file = (uint32_t)(rig_random(&state) % FILES);
        uint32_t block = (uint32_t)(rig_random(&state) % BLOCKS);
        enum err e = write_list(&file, &block, 1);
        ck_assert(e == OK || e == E_MEDIA);
        (void)errors_of_all();
    }
}
END_TEST

START_TEST(test_rows__directories_go_as_data_if_asked)
{
    const struct level *level = &levels[_i];
    make(level, 2, 2048);
    pool.options.raid_metadata = RAID_METADATA_AS_DATA;
    pool_boot(true);
    pool_ok(pool_restore(true));
    pool_ok(pool_op(OBJECT_CREATE, DIR, 0, OBJECT_META));
    pool_ok(pool_write(DIR, 0, 12, 1, 0));
    pool_ok(pool_checkpoint());
    pool_ok(pool_write(DIR, 3, 4, 2, 0));
    pool_ok(pool_op(OBJECT_GETATTR, DIR, 0, 0));
    if (level->raid != RAID_N_WAY)
        ck_assert_uint_gt(pool.reply.blocks, 12);
    rig.disk[1].gone = true;
    for (uint64_t b = 0; b < 14; b++)
        ck_assert_int_eq(pool_version(DIR, b, 2), b >= 12 ? 0 : b >= 3 && b < 7 ? 2 : 1);
    pool.options.raid_metadata = RAID_METADATA_ALL;
}
END_TEST

static uint64_t reads_of_write(uint32_t first, uint32_t count)
{
    uint32_t file[OBJECT_BATCH_MAX_BLOCKS], block[OBJECT_BATCH_MAX_BLOCKS];
    for (uint32_t i = 0; i < count; i++) {
        file[i] = 0;
        block[i] = first + i;
    }
    uint64_t before = pool.blocks_read;
    pool_ok(write_list(file, block, count));
    return pool.blocks_read - before;
}

/* Stripes of one block: a row is what follows each other in the file. */
START_TEST(test_rows__read_as_little_as_new_parity_needs)
{
    static const struct level five = {5, 5, 1}, six = {6, 5, 2}, four = {4, 4, 1};
    make(&five, 1, 2048);
    ck_assert_uint_eq(reads_of_write(0, 40), 0);  /* ten full rows */
    ck_assert_uint_eq(reads_of_write(4, 4), 0);   /* one */
    ck_assert_uint_eq(reads_of_write(9, 1), 2);   /* old data and P; not three others */
    ck_assert_uint_eq(reads_of_write(12, 3), 1);  /* the one other; not three and P */
    ck_assert_uint_eq(reads_of_write(14, 10), 2); /* half a row, and two full ones */
    expect_all();
    make(&six, 1, 2048);
    ck_assert_uint_eq(reads_of_write(0, 39), 0);
    ck_assert_uint_eq(reads_of_write(4, 1), 2); /* two others; not old data, P and Q */
    expect_all();
    make(&four, 1, 2048);
    ck_assert_uint_eq(reads_of_write(0, 39), 0);
    rig.disk[3].gone = true; /* level 4 has P on the last: FILE(0) begins on disk 0 */
    pool_ok(pool_op(OBJECT_FLUSH, 0, 0, 0));    /* so that it is missed */
    ck_assert_uint_eq(reads_of_write(4, 1), 0); /* there is no parity to make */
    expect_all();
}
END_TEST

/* ---- Sick blocks ---- */

/* Damages the data block of a version on every disk that has it. */
static uint32_t rot(uint32_t n, uint32_t b)
{
    static uint8_t want[BLOCK_BYTES];
    uint32_t hits = 0;
    rig_fill_page(want, FILE(n), b, model[n][b]);
    for (uint32_t k = 0; k < pool.options.disks; k++) {
        struct rig_disk *d = &rig.disk[k];
        rig_settle(d);
        for (uint64_t s = 0; s < d->sectors && hits == 0; s += 8)
            if (memcmp(d->medium + s * SECTOR_BYTES, want, BLOCK_BYTES) == 0) {
                d->medium[s * SECTOR_BYTES + 99] ^= 1;
                d->seen[s * SECTOR_BYTES + 99] ^= 1;
                hits++;
            }
    }
    return hits;
}

START_TEST(test_rows__a_rotten_block_is_worked_out_and_mended)
{
    const struct level *level = &levels[_i];
    if (level->raid == RAID_N_WAY)
        return;
    make(level, 2, 2048);
    work(3, 30);
    pool_ok(pool_checkpoint());
    uint32_t rotten = 0;
    for (uint32_t b = 0; b < BLOCKS; b++)
        if (model[0][b] != 0)
            rotten += rot(0, b);
    ck_assert_uint_gt(rotten, 5);
    if (level->disks - level->bears > rotten)
        return;
    /* Each row has more than it bears: none is given back wrong. */
    (void)errors_of_all();
    make(level, 2, 2048);
    work(3, 30);
    pool_ok(pool_checkpoint());
    for (uint32_t b = 0; b < BLOCKS; b++) {
        if (model[0][b] == 0)
            continue;
        ck_assert_uint_eq(rot(0, b), 1);
        uint32_t before = fake_report_count(REPORT_REPAIR);
        expect_all();
        ck_assert_uint_eq(fake_report_count(REPORT_REPAIR), before + 1);
    }
    /* Mended: with a disk less all is there. */
    pool_ok(pool_checkpoint());
    rig.disk[0].gone = true;
    expect_all();
}
END_TEST

/* Changes next to rotten old data or parity: nothing is computed from what does not verify. */
START_TEST(test_rows__a_change_beside_rot_makes_good_parity)
{
    const struct level *level = &levels[_i];
    if (level->raid == RAID_N_WAY)
        return;
    for (uint32_t victim = 0; victim < level->disks; victim++) {
        make(level, 2, 2048);
        work(11, 30);
        pool_ok(pool_checkpoint());
        /* Every data block of one disk, parity too: all that is no metadata, in the data zone. */
        struct rig_disk *d = &rig.disk[victim];
        rig_settle(d);
        for (uint64_t s = 16 + 32 + 246; s < d->sectors / 8 - 16 - 246; s++)
            d->medium[s * BLOCK_BYTES + 5] ^= 0x40;
        memcpy(d->seen, d->medium, d->sectors * SECTOR_BYTES);
        for (uint32_t n = 0; n < FILES; n++)
            for (uint32_t b = n; b < BLOCKS; b += 3)
                pool_ok(write_list(&n, &b, 1));
        expect_all();
        pool_ok(pool_checkpoint());
        uint32_t other = (victim + 1) % level->disks;
        rig.disk[other].gone = true;
        if (level->bears == 1)
            (void)errors_of_all(); /* rows that nobody touched still lack the victim's block */
        else
            expect_all();
    }
}
END_TEST

START_TEST(test_rows__rot_of_any_metadata_block_of_one_disk_costs_nothing)
{
    static uint8_t image[RIG_DISKS][2048 * BLOCK_BYTES];
    const struct level *level = &levels[_i];
    uint32_t tried = 0;
    make(level, 2, 2048);
    work(5, 20);
    pool_ok(pool_checkpoint());
    uint64_t at_lsn = pool.lsn, saved[FILES][BLOCKS];
    memcpy(saved, model, sizeof(model));
    for (uint32_t k = 0; k < level->disks; k++) {
        rig_settle(&rig.disk[k]);
        memcpy(image[k], rig.disk[k].medium, sizeof(image[k]));
    }
    for (uint64_t b = 0; b < 2048; b++) {
        const uint8_t *head = image[1] + b * BLOCK_BYTES;
        if (memcmp(head, "LRM1", 4) != 0 && memcmp(head, "LRR1", 4) != 0)
            continue;
        for (uint32_t k = 0; k < level->disks; k++) {
            rig_settle(&rig.disk[k]);
            memcpy(rig.disk[k].medium, image[k], sizeof(image[k]));
            rig.disk[k].gone = false;
        }
        rig.disk[1].medium[b * BLOCK_BYTES + 90] ^= 1;
        rig_power_on(0);
        tried++;
        memcpy(model, saved, sizeof(model));
        pool.lsn = at_lsn;
        restart(true);
        uint64_t state = b;
        if (b % 3 == 0)
            expect_all();
        for (uint32_t n = 0; n < 6 && b % 3 == 1; n++) /* the first to find it */
            random_cut(&state);
        pool_ok(pool_op(OBJECT_SETATTR, FILE(0), 9, 0));
        work(b, 12);
        expect_all();
        pool_ok(pool_checkpoint());
        bool left = fake_report_count(REPORT_DEGRADED) > 0;
        rig.disk[0].gone = !left || level->bears > 1;
        restart(true);
        expect_all();
    }
    ck_assert_uint_gt(tried, 8);
}
END_TEST

/* ---- Crashes ---- */

static uint64_t old_model[FILES][BLOCKS];

/* A checkpoint, then an epoch with partial rows, a truncation and a checkpoint, cut at a write. */
static bool cut_in_epoch(const struct level *level, uint64_t cut, bool planned_checkpoint)
{
    static const uint32_t file[] = {0, 0, 1, 2, 2, 2}, block[] = {3, 4, 9, 0, 1, 2};
    static const uint32_t again[] = {4, 5, 10, 1, 7, 8};
    uint64_t state = 17;
    make(level, 2, 2048);
    for (uint32_t n = 0; n < 6; n++)
        random_write(&state);
    pool_ok(pool_op(OBJECT_SETATTR, FILE(0), 1, 0));
    pool_ok(pool_checkpoint());
    memcpy(old_model, model, sizeof(model));
    rig.writes = 0;
    rig.cut_at = cut;
    (void)write_list(file, block, 6);
    (void)write_list(file, again, 6);
    if (pool_op(OBJECT_TRUNCATE, FILE(1), 5 * BLOCK_BYTES, 0) == OK)
        memset(&model[1][5], 0, sizeof(model[1]) - 5 * sizeof(model[1][0]));
    (void)pool_op(OBJECT_SETATTR, FILE(0), 2, 0);
    if (planned_checkpoint)
        (void)pool_checkpoint();
    return rig.off;
}

/* Exactly the one checkpoint or the other. */
static bool take_model_of_state(uint64_t (*later)[BLOCKS])
{
    pool_ok(pool_op(OBJECT_GETATTR, FILE(0), 0, 0));
    bool new = pool.reply.size == 2;
    ck_assert(new || pool.reply.size == 1);
    memcpy(model, new ? later : old_model, sizeof(model));
    return new;
}

START_TEST(test_rows__a_cut_anywhere_then_a_lost_disk_leaves_one_checkpoint)
{
    const struct level *level = &levels[_i];
    bool fired = true, was_old = false, was_new = false;
    if (level->raid == RAID_N_WAY)
        return;
    for (uint64_t cut = 1; fired; cut++)
        for (uint64_t seed = 1; seed < 3; seed++) {
            uint64_t later[FILES][BLOCKS];
            fired = cut_in_epoch(level, cut, true);
            memcpy(later, model, sizeof(model));
            rig_power_on(seed < 2 ? seed : cut * 31 + seed);
            restart(true);
            bool new = take_model_of_state(later);
            was_new |= new;
            was_old |= !new;
            expect_all();
            rig.disk[(cut + seed) % level->disks].gone = true;
            expect_all();
            restart(true);
            expect_all();
            ck_assert_uint_lt(cut, 300);
        }
    ck_assert(was_old && was_new);
}
END_TEST

/* H3: processes die between data and parity, the disks live; replay; then a disk is lost. */
START_TEST(test_rows__h03_a_crash_between_data_and_parity_then_a_lost_disk)
{
    const struct level *level = &levels[_i];
    bool fired = true;
    if (level->raid == RAID_N_WAY)
        return;
    for (uint64_t cut = 1; fired; cut++) {
        static const uint32_t file[] = {0, 0, 1, 2, 2, 2}, block[] = {3, 4, 9, 0, 1, 2};
        fired = cut_in_epoch(level, cut, false);
        rig.off = false;
        rig.cut_at = 0;
        restart(false);
        memcpy(model, old_model, sizeof(model));
        if (cut % 2 == 0)
            expect_all();
        pool_ok(write_list(file, block, 6));
        rig.disk[cut % level->disks].gone = true;
        expect_all();
        pool_ok(pool_checkpoint());
        expect_all();
        ck_assert_uint_lt(cut, 300);
    }
}
END_TEST

START_TEST(test_rows__a_crash_of_logical_before_the_row_goes_down)
{
    const struct level *level = &levels[_i];
    if (level->raid == RAID_N_WAY)
        return;
    for (uint32_t hit = 1; hit < 4; hit++) {
        static const uint32_t file[] = {0, 0, 1, 2}, block[] = {3, 4, 9, 0};
        make(level, 2, 2048);
        work(hit, 12);
        pool_ok(pool_checkpoint());
        memcpy(old_model, model, sizeof(model));
        fake_crash_at_probe(PROBE_LOGICAL_PARITY, hit);
        for (uint32_t n = 0; n < hit; n++)
            ck_assert_int_eq(write_list(file, block, 4), n + 1 < hit ? OK : E_DEAD);
        restart(false);
        memcpy(model, old_model, sizeof(model));
        expect_all();
        rig.disk[hit % level->disks].gone = true;
        expect_all();
    }
}
END_TEST

START_TEST(test_rows__a_disk_that_dies_at_any_write_costs_nothing)
{
    const struct level *level = &levels[_i];
    for (uint32_t victim = 0; victim < level->disks; victim++)
        for (uint64_t n = 1;; n += n < 16 ? 1 : 3) {
            uint64_t state = n;
            make(level, 2, 2048);
            work(victim, 10);
            rig.disk[victim].die_at = rig.disk[victim].writes + n;
            random_write(&state);
            random_cut(&state);
            random_write(&state);
            random_write(&state);
            expect_all();
            pool_ok(pool_checkpoint());
            bool died = rig.disk[victim].gone;
            rig_power_on(n);
            restart(true);
            expect_all();
            if (!died)
                break;
            ck_assert_uint_lt(n, 200);
        }
}
END_TEST

/* A disk that refuses to write leaves the pool; a full one refuses the block and nothing is wrong.
 */
START_TEST(test_rows__a_disk_that_refuses_costs_nothing)
{
    const struct level *level = &levels[_i];
    make(level, 2, 2048);
    work(4, 15);
    rig.disk[1].bad_write = true;
    work(5, 15);
    expect_all();
    rig.disk[1].gone = true;
    expect_all();
}
END_TEST

START_TEST(test_rows__a_full_pool_keeps_what_it_accepted)
{
    const struct level *level = &levels[_i];
    uint32_t refused = 0;
    make(level, 2, 2048);
    work(4, 15);
    pool_ok(pool_op(OBJECT_STATFS, 0, 0, 0));
    uint64_t promised = pool.reply.blocks, accepted = 0;
    for (uint32_t n = 0; n < 400 && refused < 3; n++) { /* other objects fill it */
        enum err e = pool_op(OBJECT_CREATE, 2000 + n, 0, 0);
        if (e == OK)
            e = pool_write(2000 + n, 0, 33, 1, 0);
        ck_assert(e == OK || e == E_FULL || e == E_AGAIN);
        refused += e != OK;
        accepted += e == OK ? 33 : 0;
        expect_all();
    }
    ck_assert_uint_ge(refused, 3);
    ck_assert_uint_ge(accepted + 200, promised); /* whole stripes cost less than was promised for */
    uint64_t state = 3;
    for (uint32_t n = 0; n < 10; n++) {
        uint32_t file = (uint32_t)(rig_random(&state) % FILES);
        uint32_t block = (uint32_t)(rig_random(&state) % BLOCKS);
        uint64_t was = model[file][block];
        if (write_list(&file, &block, 1) != OK)
            model[file][block] = was;
    }
    rig.disk[2].gone = true;
    for (uint32_t n = 0; n < 10; n++) /* stale after a refusal is fine, lost or mixed is not */
        (void)pool_version(2000 + n, 3, 1);
}
END_TEST

CHECK_MAIN(
    "rows", 240, const int n = (int)LEVELS;
    tcase_add_loop_test(tc, test_rows__give_back_what_was_written_without_any_disk, 0, n);
    tcase_add_loop_test(tc, test_rows__give_back_what_was_written_without_any_two_disks, 0, n);
    tcase_add_loop_test(tc, test_rows__lose_one_disk_after_the_other, 0, n);
    tcase_add_loop_test(tc, test_rows__more_losses_than_borne_are_errors, 0, n);
    tcase_add_loop_test(tc, test_rows__directories_go_as_data_if_asked, 0, n);
    tcase_add_test(tc, test_rows__read_as_little_as_new_parity_needs);
    tcase_add_loop_test(tc, test_rows__a_rotten_block_is_worked_out_and_mended, 0, n);
    tcase_add_loop_test(tc, test_rows__a_change_beside_rot_makes_good_parity, 0, n);
    tcase_add_loop_test(tc, test_rows__rot_of_any_metadata_block_of_one_disk_costs_nothing, 2, 4);
    tcase_add_loop_test(tc, test_rows__a_cut_anywhere_then_a_lost_disk_leaves_one_checkpoint, 2, 4);
    tcase_add_loop_test(tc, test_rows__h03_a_crash_between_data_and_parity_then_a_lost_disk, 2, 4);
    tcase_add_loop_test(tc, test_rows__a_crash_of_logical_before_the_row_goes_down, 0, n);
    tcase_add_loop_test(tc, test_rows__a_disk_that_dies_at_any_write_costs_nothing, 2, 4);
    tcase_add_loop_test(tc, test_rows__a_disk_that_refuses_costs_nothing, 0, n);
    tcase_add_loop_test(tc, test_rows__a_full_pool_keeps_what_it_accepted, 0, n);)
