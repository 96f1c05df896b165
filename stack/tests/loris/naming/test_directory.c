/*
 * Directories through naming's requests and their bytes: a walk over the blocks holds the tree
 * against FORMAT.md after every kind of change, wherever naming dies, and with each field of a
 * block wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "scripts/check_main.h"
#include "stack/loris/naming/dirhash.h"
#include "stack/loris/naming/dirnode.h"
#include "stack/tests/loris/naming/naming_rig.h"

#define MANY 100000u
#define FEW 3000u /* enough for an interior root */

/* ---- What a directory must look like -----------------------------------------------------------
 */

struct walk {
    const uint8_t *data;
    uint64_t blocks;
    uint8_t *seen; /* by block */
    uint64_t entries, last_key;
    bool any;
};

static void walk_leaf(struct walk *w, const uint8_t *leaf)
{
    struct dirnode_entry entry;
    uint32_t count = 0;
    enum err e = dirnode_seek(leaf, 0, &entry);
    for (; e == OK; e = dirnode_after(leaf, &entry), count++) {
        ck_assert(!w->any || entry.key > w->last_key);
        ck_assert_uint_ge(entry.key, dirnode_low(leaf));
        ck_assert_uint_lt(entry.key, dirnode_high(leaf));
        w->any = true;
        w->last_key = entry.key;
    }
    ck_assert_int_eq(e, E_NOENT);
    ck_assert_uint_eq(count, dirnode_count(leaf));
    w->entries += count;
}

static void walk_block(struct walk *w, uint64_t block, uint32_t level, uint64_t low, uint64_t high)
{
    const uint8_t *raw = w->data + block * BLOCK_BYTES;
    ck_assert_uint_lt(block, w->blocks);
    ck_assert_uint_eq(w->seen[block]++, 0);
    ck_assert(dirnode_valid(raw));
    ck_assert_uint_eq(dirnode_level(raw), level);
    ck_assert_uint_eq(dirnode_low(raw), low);
    ck_assert_uint_eq(dirnode_high(raw), high);
    if (level == 0) {
        walk_leaf(w, raw);
        return;
    }
    uint32_t count = dirnode_count(raw);
    for (uint32_t k = 0; k < count; k++)
        walk_block(w, dirnode_child(raw, k), level - 1, k == 0 ? low : dirnode_child_key(raw, k),
                   k + 1 < count ? dirnode_child_key(raw, k + 1) : high);
}

/* The whole tree is right: ranges tile, keys ascend, every block is used once. Returns entries. */
static uint64_t check_tree(uint64_t oid)
{
    const struct fake_object *o = fake_cache_find(oid);
    ck_assert_ptr_nonnull(o);
    if (o->size == 0)
        return 0;
    struct walk w = {.data = o->data, .blocks = o->size / BLOCK_BYTES};
    w.seen = calloc(w.blocks, 1);
    walk_block(&w, 0, dirnode_level(o->data), 0, DIRNODE_KEY_END);
    uint32_t next = dirnode_first_free(o->data);
    while (next != 0) {
        ck_assert_uint_lt(next, w.blocks);
        ck_assert_uint_eq(w.seen[next]++, 0);
        ck_assert(dirnode_is_free(w.data + (uint64_t)next * BLOCK_BYTES, &next));
    }
    for (uint64_t b = 0; b < w.blocks; b++)
        ck_assert_uint_eq(w.seen[b], 1);
    free(w.seen);
    return w.entries;
}

/* ---- Names -------------------------------------------------------------------------------------
 */

static void name_of(char name[32], uint32_t k)
{
    (void)snprintf(name, 32, "name-%u", k);
}

static uint64_t files[2];

/* Gives name k to one of two files: directories fill without an object a name. */
static enum err link_name(uint64_t dir, uint32_t k)
{
    char name[32];
    name_of(name, k);
    return rig_two_names(VFS_LINK, dir, name, files[k % 2], NULL);
}

static enum err unlink_name(uint64_t dir, uint32_t k)
{
    char name[32];
    struct vfs_reply reply;
    name_of(name, k);
    return rig_name_op(VFS_UNLINK, dir, name, &reply);
}

static enum err find_name(uint64_t dir, uint32_t k)
{
    char name[32];
    struct vfs_stat stat;
    name_of(name, k);
    enum err e = rig_lookup(dir, name, &stat);
    if (e == OK)
        ck_assert_uint_eq(stat.ino, files[k % 2]);
    return e;
}

/* An empty directory, and two files elsewhere. */
static uint64_t begin(void)
{
    rig_start();
    files[0] = rig_make(VFS_CREATE, ROOT, "file-0");
    files[1] = rig_make(VFS_CREATE, ROOT, "file-1");
    return rig_make(VFS_MKDIR, ROOT, "d");
}

static uint64_t fill(uint32_t names)
{
    uint64_t dir = begin();
    for (uint32_t k = 0; k < names; k++)
        ck_assert_int_eq(link_name(dir, k), OK);
    return dir;
}

/* One request of a listing from *cookie on: counts in seen[k] each name k that it gives. */
static void list_some(uint64_t dir, uint64_t *cookie, size_t room, uint8_t *seen, uint32_t names)
{
    static uint8_t packed[16384];
    struct vfs_request r = {.op = VFS_READDIR,
                            .ino = dir,
                            .offset = *cookie,
                            .length = room,
                            .sequence = ++rig_sequence,
                            .attempt = 1};
    struct vfs_reply reply;
    enum err e = E_DEAD;
    ck_assert(rig_ask(&r, NULL, NULL, packed, room, &e, &reply));
    ck_assert_int_eq(e, OK);
    for (uint64_t at = 0; at < reply.moved;) {
        struct vfs_dirent d;
        char name[VFS_NAME_MAX + 1];
        vfs_dirent_decode(&d, packed + at);
        (void)snprintf(name, sizeof(name), "%.*s", (int)d.name_bytes,
                       packed + at + VFS_DIRENT_BYTES);
        at += VFS_DIRENT_BYTES + d.name_bytes;
        uint32_t k = (uint32_t)strtoul(name + 5, NULL, 10);
        ck_assert_uint_lt(k, names);
        seen[k]++;
    }
    *cookie = reply.size;
}

START_TEST(test_directory__hash_gives_the_papers_example)
{
    const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    char text[15];
    for (uint32_t i = 0; i < sizeof(text); i++)
        text[i] = (char)i;
    ck_assert_uint_eq(dirhash(key, text, sizeof(text)), UINT64_C(0xa129ca6149be45e5));
}
END_TEST

/* The bytes of FORMAT.md, field by field: a leaf of two names, and the attributes of their inodes.
 */
START_TEST(test_directory__is_stored_as_the_format_says)
{
    uint64_t dir = begin(), seed[2], key[2];
    ck_assert_int_eq(rig_two_names(VFS_LINK, dir, "a", files[0], NULL), OK);
    ck_assert_int_eq(rig_two_names(VFS_LINK, dir, "bcd", files[1], NULL), OK);
    const uint8_t *raw = fake_cache_find(dir)->data;
    seed[0] = get_le64(raw + 32);
    seed[1] = get_le64(raw + 40);
    key[0] = dirhash(seed, "a", 1) >> 32 << 32;
    key[1] = dirhash(seed, "bcd", 3) >> 32 << 32;
    ck_assert_uint_eq(get_le32(raw), 0x3144524c);
    ck_assert_uint_eq(get_le16(raw + 4), 0);
    ck_assert_uint_eq(get_le16(raw + 6), 2);
    ck_assert_uint_eq(get_le32(raw + 8), 19 + 21);
    ck_assert_uint_eq(get_le32(raw + 12), 0);
    ck_assert_uint_eq(get_le64(raw + 16), 0);
    ck_assert_uint_eq(get_le64(raw + 24), UINT64_MAX);
    bool a_first = key[0] < key[1];
    const uint8_t *a = raw + 48 + (a_first ? 0 : 21), *b = raw + 48 + (a_first ? 19 : 0);
    ck_assert_uint_eq(get_le64(a), key[0]);
    ck_assert_uint_eq(get_le64(a + 8), files[0]);
    ck_assert_mem_eq(a + 16, "\1\1a", 3);
    ck_assert_uint_eq(get_le64(b), key[1]);
    ck_assert_uint_eq(get_le64(b + 8), files[1]);
    ck_assert_mem_eq(b + 16, "\1\3bcd", 5);
    for (uint32_t k = 48 + 40; k < BLOCK_BYTES; k++)
        ck_assert_uint_eq(raw[k], 0);
    const uint8_t *attr = fake_cache_find(dir)->attr;
    ck_assert_uint_eq(get_le32(attr), 2);
    ck_assert_uint_eq(get_le32(attr + 4), 0644); /* as the rig asks for */
    ck_assert_uint_eq(get_le32(attr + 8), 2);
    ck_assert_uint_eq(get_le64(attr + 40), ROOT);
    ck_assert_uint_eq(get_le64(attr + 48), 0);
    ck_assert_uint_eq(get_le64(attr + 56), 0);
}
END_TEST

START_TEST(test_directory__of_few_names_is_one_block)
{
    uint64_t dir = fill(60);
    ck_assert_uint_eq(fake_cache_find(dir)->size, BLOCK_BYTES);
    ck_assert_uint_eq(check_tree(dir), 60);
}
END_TEST

START_TEST(test_directory__of_100000_names_costs_few_block_reads)
{
    uint64_t dir = fill(MANY);
    ck_assert_uint_eq(check_tree(dir), MANY);
    uint64_t worst_find = 0, worst_remove = 0;
    uint8_t *seen = calloc(MANY, 1);
    uint64_t cookie = 0;
    do
        list_some(dir, &cookie, 16384, seen, MANY);
    while (cookie != 0);
    for (uint32_t k = 0; k < MANY; k++) {
        ck_assert_uint_eq(seen[k], 1);
        uint64_t before = fake_cache_count(OBJECT_READ);
        ck_assert_int_eq(find_name(dir, k), OK);
        uint64_t after = fake_cache_count(OBJECT_READ);
        worst_find = after - before > worst_find ? after - before : worst_find;
        if (k % 2 == 0)
            continue;
        ck_assert_int_eq(unlink_name(dir, k), OK);
        uint64_t reads = fake_cache_count(OBJECT_READ) - after;
        worst_remove = reads > worst_remove ? reads : worst_remove;
    }
    free(seen);
    ck_assert_uint_le(worst_find, 4);   /* three levels, and a hash that goes on in the next leaf */
    ck_assert_uint_le(worst_remove, 9); /* and neighbours to join */
    ck_assert_uint_eq(check_tree(dir), MANY / 2);
    for (uint32_t k = 0; k < MANY; k += 2)
        ck_assert_int_eq(unlink_name(dir, k), OK);
    ck_assert_uint_eq(check_tree(dir), 0);
    ck_assert_uint_eq(fake_cache_find(dir)->size, BLOCK_BYTES);
}
END_TEST

#define RANGE 2000u /* of names: most of them come, then most go, and again */

/* Names come and go at random; what is there is what a list of them says. */
START_TEST(test_directory__holds_what_it_was_told)
{
    static uint8_t there[RANGE];
    for (uint32_t round = 0; round < 3; round++) {
        uint64_t dir = begin(), count = 0, freed = 0;
        memset(there, 0, sizeof(there));
        srand(round + 1);
        for (uint32_t step = 0; step < 20000; step++) {
            uint32_t k = (uint32_t)rand() % RANGE;
            bool growing = step / 4000 % 2 == 0;
            bool add = (uint32_t)rand() % 100 < (growing ? 90 : 10);
            enum err e = add ? link_name(dir, k) : unlink_name(dir, k);
            enum err want = there[k] ? OK : E_NOENT;
            if (add)
                want = there[k] ? E_EXIST : OK;
            ck_assert_int_eq(e, want);
            if (e == OK) {
                count += add ? 1 : UINT64_MAX;
                there[k] = add;
            }
            if (step % 500 == 0)
                ck_assert_uint_eq(check_tree(dir), count);
            const struct fake_object *o = fake_cache_find(dir);
            freed += o->size > 0 && dirnode_first_free(o->data) != 0;
        }
        ck_assert_uint_gt(freed, 1000); /* blocks came out of the free list too */
        for (uint32_t k = 0; k < RANGE; k++)
            ck_assert_int_eq(find_name(dir, k), there[k] ? OK : E_NOENT);
    }
}
END_TEST

/* The longest names: a block holds 14 of them. */
START_TEST(test_directory__of_long_names_splits_and_joins)
{
    uint64_t dir = begin();
    char name[VFS_NAME_MAX + 1];
    struct vfs_reply reply;
    memset(name, 'x', sizeof(name));
    name[VFS_NAME_MAX] = '\0';
    for (uint32_t k = 0; k < 500; k++) {
        (void)snprintf(name + 200, sizeof(name) - 200, "%055u", k);
        ck_assert_int_eq(rig_two_names(VFS_LINK, dir, name, files[0], NULL), OK);
    }
    ck_assert_uint_eq(check_tree(dir), 500);
    for (uint32_t k = 0; k < 500; k++) {
        (void)snprintf(name + 200, sizeof(name) - 200, "%055u", k);
        ck_assert_int_eq(rig_name_op(VFS_UNLINK, dir, name, &reply), OK);
        (void)check_tree(dir);
    }
    ck_assert_uint_eq(fake_cache_find(dir)->size, BLOCK_BYTES);
}
END_TEST

struct hashed {
    uint32_t hash, k;
};

static int by_hash(const void *left, const void *right)
{
    const struct hashed *a = left, *b = right;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return (a->k > b->k) - (a->k < b->k);
}

#define TRIED 400000u /* names of which some 18 pairs have one hash */

START_TEST(test_directory__names_of_one_hash_are_told_apart)
{
    uint64_t dir = fill(FEW), seed[2];
    struct hashed *all = malloc(TRIED * sizeof(*all));
    dirnode_seed(fake_cache_find(dir)->data, seed);
    for (uint32_t k = 0; k < TRIED; k++) {
        char name[32];
        name_of(name, k + FEW);
        uint64_t hash = dirhash(seed, name, (uint32_t)strlen(name));
        all[k] = (struct hashed){.hash = (uint32_t)(hash >> 32), .k = k + FEW};
    }
    qsort(all, TRIED, sizeof(*all), by_hash);
    uint32_t pairs = 0;
    for (uint32_t i = 0; i + 1 < TRIED; i++) {
        uint32_t a = all[i].k, b = all[i + 1].k;
        if (all[i].hash != all[i + 1].hash)
            continue;
        pairs++;
        ck_assert_int_eq(link_name(dir, a), OK);
        ck_assert_int_eq(find_name(dir, b), E_NOENT);
        ck_assert_int_eq(link_name(dir, b), OK);
        ck_assert_int_eq(link_name(dir, b), E_EXIST);
        ck_assert_int_eq(unlink_name(dir, a), OK);
        ck_assert_int_eq(find_name(dir, a), E_NOENT);
        ck_assert_int_eq(find_name(dir, b), OK);
        ck_assert_int_eq(link_name(dir, a), OK); /* takes the number that became free */
        ck_assert_int_eq(find_name(dir, a), OK);
        ck_assert_int_eq(find_name(dir, b), OK);
    }
    free(all);
    ck_assert_uint_gt(pairs, 3);
    ck_assert_uint_eq(check_tree(dir), FEW + 2 * pairs);
}
END_TEST

/* While a listing is under way in small pieces, every third name goes and new ones come: what was
 * there all the time is listed once, anything else at most once. */
START_TEST(test_directory__listing_is_stable_while_names_come_and_go)
{
    static uint8_t seen[4 * FEW], stays[4 * FEW];
    uint64_t dir = fill(FEW), cookie = 0;
    memset(seen, 0, sizeof(seen));
    for (uint32_t k = 0; k < 4 * FEW; k++)
        stays[k] = k < FEW && k % 3 != 0;
    uint32_t removed = 0, added = FEW;
    do {
        list_some(dir, &cookie, 400, seen, 4 * FEW);
        for (uint32_t i = 0; i < 5; i++, removed += 3)
            if (removed < FEW)
                ck_assert_int_eq(unlink_name(dir, removed), OK);
        for (uint32_t i = 0; i < 20 && added < 4 * FEW; i++)
            ck_assert_int_eq(link_name(dir, added++), OK);
    } while (cookie != 0);
    ck_assert_uint_gt(added, 2 * FEW); /* or nothing came to speak of */
    for (uint32_t k = 0; k < 4 * FEW; k++) {
        ck_assert_uint_le(seen[k], 1);
        if (stays[k])
            ck_assert_uint_eq(seen[k], 1);
    }
}
END_TEST

/* A query is under way when another environment's change takes effect, before its n-th read. */
static struct {
    uint64_t oid, at, size;
    uint8_t *data;
} swap;

static void swap_now(void *ctx, uint64_t n)
{
    (void)ctx;
    if (n != swap.at)
        return;
    struct fake_object *o = fake_cache_find(swap.oid);
    memcpy(o->data, swap.data, swap.size > o->size ? swap.size : o->size);
    o->size = swap.size;
}

static uint8_t *copy_of(const struct fake_object *o)
{
    uint8_t *copy = calloc(1, FAKE_OBJECT_BYTES);
    memcpy(copy, o->data, o->size);
    return copy;
}

/* From `before` to `after`, before the n-th read of each query in turn: the names of both are
 * found, each time. */
static void query_across(uint64_t dir, const uint8_t *before, uint64_t before_bytes,
                         const uint8_t *after, uint64_t after_bytes, uint32_t from, uint32_t to)
{
    struct fake_object *o = fake_cache_find(dir);
    for (uint64_t n = 1; n <= 4; n++)
        for (uint32_t k = from; k < to; k++) {
            memset(o->data, 0, FAKE_OBJECT_BYTES / 16);
            memcpy(o->data, before, before_bytes);
            o->size = before_bytes;
            swap.oid = dir;
            swap.at = n;
            swap.size = after_bytes;
            swap.data = (uint8_t *)(uintptr_t)after;
            fake_cache_on_read(swap_now, NULL);
            ck_assert_int_eq(find_name(dir, k), OK);
            fake_cache_on_read(NULL, NULL);
        }
}

START_TEST(test_directory__a_query_that_meets_a_change_is_right)
{
    uint64_t dir = fill(FEW), few_bytes = fake_cache_find(dir)->size;
    uint8_t *few = copy_of(fake_cache_find(dir));
    for (uint32_t k = FEW; k < 2 * FEW; k++)
        ck_assert_int_eq(link_name(dir, k), OK);
    uint64_t many_bytes = fake_cache_find(dir)->size;
    uint8_t *many = copy_of(fake_cache_find(dir));
    for (uint32_t k = 60; k < 2 * FEW; k++)
        ck_assert_int_eq(unlink_name(dir, k), OK);
    uint64_t small_bytes = fake_cache_find(dir)->size;
    uint8_t *small = copy_of(fake_cache_find(dir));
    ck_assert_uint_eq(small_bytes, BLOCK_BYTES);
    query_across(dir, few, few_bytes, many, many_bytes, 0, 200);
    query_across(dir, many, many_bytes, small, small_bytes, 0, 60);
    query_across(dir, small, small_bytes, many, many_bytes, 0, 60);
    free(few);
    free(many);
    free(small);
}
END_TEST

/* Each byte of the heads and first entries of a root, a leaf and a free block, flipped: an answer
 * or an error, never a crash, and never another file's inode (N5). */
START_TEST(test_directory__n5_a_bad_block_is_an_error)
{
    uint64_t dir = fill(400);
    for (uint32_t k = 300; k < 380; k++)
        ck_assert_int_eq(unlink_name(dir, k), OK);
    struct fake_object *o = fake_cache_find(dir);
    uint64_t size = o->size;
    uint8_t *good = copy_of(o);
    for (uint64_t byte = 0; byte < size; byte += byte % BLOCK_BYTES < 128 ? 1 : 111)
        for (uint32_t k = 0; k < 3; k++) {
            memcpy(o->data, good, size);
            o->size = size;
            o->data[byte] ^= (uint8_t)(k == 0 ? 0xff : k);
            for (uint32_t name = 0; name < 300; name += 50) {
                char text[32];
                name_of(text, name);
                (void)rig_lookup(dir, text, NULL);
                (void)unlink_name(dir, name);
                (void)link_name(dir, 1000 + name);
            }
            ck_assert_str_eq(fake_crash(), "");
        }
    free(good);
}
END_TEST

/* Naming dies at each of its calls in an insertion that splits a block, and in a removal that joins
 * two: done once, and the tree is whole. */
START_TEST(test_directory__is_whole_wherever_naming_dies)
{
    for (uint32_t kind = 0; kind < 2; kind++) {
        bool died = true;
        for (uint64_t call = 1; died; call++) {
            uint64_t dir = begin(), blocks;
            uint32_t k = 0;
            do { /* up to the insertion that would make one more block */
                blocks = fake_cache_find(dir)->size;
                ck_assert_int_eq(link_name(dir, k++), OK);
            } while (fake_cache_find(dir)->size == blocks || blocks == 0);
            ck_assert_int_eq(unlink_name(dir, --k), OK);
            char name[32];
            struct vfs_request r = {.op = kind == 0 ? VFS_LINK : VFS_UNLINK,
                                    .ino = dir,
                                    .ino2 = files[0],
                                    .sequence = ++rig_sequence,
                                    .attempt = 1};
            struct vfs_reply reply;
            enum err e = E_DEAD;
            name_of(name, kind == 0 ? k + 1000 : k - 1);
            fake_crash_at_call(call);
            bool answered = rig_ask(&r, name, NULL, NULL, 0, &e, &reply);
            died = fake_crash()[0] != '\0';
            fake_crash_at_call(0);
            if (died)
                rig_start_naming();
            r.attempt++;
            if (!answered)
                ck_assert(rig_ask(&r, name, NULL, NULL, 0, &e, &reply));
            ck_assert_int_eq(e, OK);
            ck_assert_uint_eq(check_tree(dir), kind == 0 ? k + 1 : k - 1);
            ck_assert_uint_lt(call, 2000);
        }
    }
}
END_TEST

CHECK_MAIN("directory", 120, tcase_add_test(tc, test_directory__hash_gives_the_papers_example);
           tcase_add_test(tc, test_directory__is_stored_as_the_format_says);
           tcase_add_test(tc, test_directory__of_few_names_is_one_block);
           tcase_add_test(tc, test_directory__of_100000_names_costs_few_block_reads);
           tcase_add_test(tc, test_directory__holds_what_it_was_told);
           tcase_add_test(tc, test_directory__of_long_names_splits_and_joins);
           tcase_add_test(tc, test_directory__names_of_one_hash_are_told_apart);
           tcase_add_test(tc, test_directory__listing_is_stable_while_names_come_and_go);
           tcase_add_test(tc, test_directory__a_query_that_meets_a_change_is_right);
           tcase_add_test(tc, test_directory__n5_a_bad_block_is_an_error);
           tcase_add_test(tc, test_directory__is_whole_wherever_naming_dies);)
