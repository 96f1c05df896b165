/*
 * The lives of cow_life.h.
 */
#include "stack/tests/classic/cow/cow_life.h"

#include <string.h>

#include "scripts/check_main.h"

#define LIFE_ROOT 1u
#define NAMES 6u

static uint8_t data[1 << 16];

uint32_t cow_life_draw(struct cow_life *life, uint32_t below)
{
    life->rng = life->rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(life->rng >> 33) % below;
}

static void note(struct cow_life *life)
{
    uint32_t broken;
    ck_assert_uint_lt(life->count, LIFE_STATES_MAX);
    life->state[life->count++] = cow_rig_tree(life->rig, &broken);
    ck_assert_uint_eq(broken, 0);
}

void cow_life_begin(struct cow_life *life, struct cow_rig *rig, uint64_t seed, enum vfs_op sync)
{
    *life = (struct cow_life){.rig = rig, .rng = seed, .sync = sync};
    for (uint32_t k = 0; k < sizeof(data); k++)
        data[k] = (uint8_t)cow_life_draw(life, 256);
    memset(rig->disk.bytes, 0, rig->disk.sectors * SECTOR_BYTES);
    ck_assert_int_eq(cow_rig_boot(rig, true), OK);
    ramdisk_set_volatile(&rig->disk);
    note(life);
}

static uint64_t some_dir(struct cow_life *life)
{
    uint64_t dir = LIFE_ROOT;
    if (cow_life_draw(life, 2) == 0 && cow_rig_lookup(life->rig, LIFE_ROOT, "dir", &dir) != OK)
        dir = LIFE_ROOT;
    return dir;
}

static const char *some_name(struct cow_life *life)
{
    static const char *const names[NAMES] = {"a", "b", "c", "d", "e", "f"};
    return names[cow_life_draw(life, NAMES)];
}

static void change_a_file(struct cow_life *life, uint64_t dir, const char *name)
{
    uint64_t f;
    struct cow_rig *rig = life->rig;
    if (cow_rig_lookup(rig, dir, name, &f) != OK)
        return;
    if (cow_life_draw(life, 4) == 0) {
        uint32_t size = cow_life_draw(life, 2) == 0 ? 0 : cow_life_draw(life, 1200000);
        (void)!cow_rig_plain(rig, VFS_TRUNCATE, f, size);
        return;
    }
    uint32_t at =
        cow_life_draw(life, 3) == 0 ? cow_life_draw(life, 1100000) : cow_life_draw(life, 20000);
    uint32_t from = cow_life_draw(life, 1000), bytes = 1 + cow_life_draw(life, 30000);
    (void)!cow_rig_write(rig, f, at, data + from, bytes);
}

/* What it answers does not matter: names may be there or not. */
void cow_life_step(struct cow_life *life)
{
    struct cow_rig *rig = life->rig;
    uint64_t dir = some_dir(life);
    const char *name = some_name(life);
    switch (cow_life_draw(life, 9)) {
    case 0:
        (void)!cow_rig_make(rig, VFS_MKDIR, LIFE_ROOT, "dir", NULL);
        break;
    case 1:
    case 2:
        (void)!cow_rig_make(rig, VFS_CREATE, dir, name, NULL);
        break;
    case 3: {
        uint32_t open = cow_life_draw(life, 2) == 0 ? VFS_OPEN : 0;
        (void)!cow_rig_remove(rig, VFS_UNLINK, dir, name, open);
        break;
    }
    case 4: {
        uint64_t to = some_dir(life);
        (void)!cow_rig_rename(rig, dir, name, to, some_name(life));
        break;
    }
    default:
        change_a_file(life, dir, name);
    }
    ck_assert(!rig->crashed);
    note(life);
}

bool cow_life_sync(struct cow_life *life)
{
    if (cow_rig_plain(life->rig, life->sync, LIFE_ROOT, 0) != OK)
        return false;
    life->synced = life->count - 1;
    return true;
}

static bool keep_some(void *ctx, uint32_t write, uint32_t sector)
{
    (void)write, (void)sector;
    return cow_life_draw(ctx, 2) == 0;
}

void cow_life_cut(struct cow_life *life)
{
    fake_kill_layer();
    bool none = cow_life_draw(life, 3) == 0;
    ramdisk_power_cut(&life->rig->disk, none ? NULL : keep_some, life);
}

uint32_t cow_life_find(struct cow_life *life)
{
    uint32_t broken;
    ck_assert_int_eq(cow_rig_boot(life->rig, false), OK);
    uint64_t found = cow_rig_tree(life->rig, &broken);
    ck_assert_uint_eq(broken, 0);
    uint32_t k = life->count;
    while (k > life->synced && life->state[k - 1] != found)
        k--;
    ck_assert_msg(k > life->synced, "not one of %u states since the sync",
                  life->count - life->synced);
    uint32_t lost = life->count - k;
    life->state[0] = found;
    life->count = 1;
    life->synced = 0;
    return lost;
}

void cow_life_expect_sound(struct cow_life *life)
{
    struct cow_check check;
    cow_rig_check(life->rig, &check);
    ck_assert_msg(check.ok, "%s", check.text);
    ck_assert_uint_eq(check.leaked_blocks, 0);
    ck_assert_uint_eq(check.leaked_inodes, 0);
    ck_assert_uint_eq(check.unreadable, 0);
}
