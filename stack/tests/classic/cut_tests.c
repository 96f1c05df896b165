/*
 * The tests of cut_rig.h: a script that is cut at every request, and a model of what was synced.
 */
#include "scripts/check_main.h"

#include <stdio.h>
#include <string.h>

#include "stack/tests/classic/cut_rig.h"

#define ROOT 1u
#define REQUESTS_MAX 2000u
#define FILES 6u
#define DATA_BYTES (16u * BLOCK_BYTES)

static struct cut_rig rig;
static uint8_t data[DATA_BYTES], back[DATA_BYTES];

static uint64_t must_make(enum vfs_op op, uint64_t dir, const char *name)
{
    uint64_t ino = 0;
    ck_assert_int_eq(none_rig_make(&rig.none, op, dir, name, &ino), OK);
    return ino;
}

static bool there(uint64_t dir, const char *name, uint64_t *ino)
{
    enum err e = none_rig_lookup(&rig.none, dir, name);
    ck_assert_msg(e == OK || e == E_NOENT, "lookup of %s: %d", name, (int)e);
    *ino = rig.none.reply.stat.ino;
    return e == OK;
}

static void expect_content(uint64_t ino, const uint8_t *want, size_t bytes)
{
    uint64_t moved;
    ck_assert_int_eq(none_rig_read(&rig.none, ino, 0, back, sizeof(back), &moved), OK);
    ck_assert_uint_eq(moved, bytes);
    ck_assert_int_eq(memcmp(back, want, bytes), 0);
}

/* ---- At every request ---- */

/* Moves, links and cuts short what `prepare` made; each step may fail, as the disk may be gone. */
static void script(uint64_t x, uint64_t y, uint64_t f)
{
    uint64_t g;
    (void)!none_rig_rename(&rig.none, x, "over", y, "empty");
    (void)!none_rig_rename(&rig.none, x, "f", y, "f");
    (void)!none_rig_rename(&rig.none, x, "d", y, "e");
    if (none_rig_make(&rig.none, VFS_CREATE, x, "f", &g) == OK)
        (void)!none_rig_write(&rig.none, g, 0, data, 3 * BLOCK_BYTES);
    (void)!none_rig_plain(&rig.none, VFS_FSYNC, f, 0);
    (void)!none_rig_rename(&rig.none, y, "f", x, "f");
    (void)!none_rig_plain(&rig.none, VFS_TRUNCATE, f, BLOCK_BYTES);
    (void)!none_rig_make(&rig.none, VFS_MKDIR, x, "d", NULL);
    (void)!none_rig_plain(&rig.none, VFS_SYNC, 0, 0);
    (void)!none_rig_remove(&rig.none, VFS_UNLINK, x, "f");
    (void)!none_rig_plain(&rig.none, VFS_SYNC, 0, 0);
}

/* Returns whether the n-th request came. */
static bool cut_script(const struct cut_design *design, uint32_t n, uint32_t keep_percent)
{
    uint64_t ino;
    cut_rig_init(&rig, design);
    rig.rng = n * 1000 + keep_percent;
    uint64_t x = must_make(VFS_MKDIR, ROOT, "x"), y = must_make(VFS_MKDIR, ROOT, "y");
    uint64_t f = must_make(VFS_CREATE, x, "f"), keeps = must_make(VFS_CREATE, y, "keeps");
    uint64_t d = must_make(VFS_MKDIR, x, "d");
    (void)must_make(VFS_CREATE, d, "inside");
    (void)must_make(VFS_MKDIR, x, "over");
    (void)must_make(VFS_MKDIR, y, "empty");
    ck_assert_int_eq(none_rig_write(&rig.none, f, 0, data, 2 * BLOCK_BYTES), OK);
    ck_assert_int_eq(none_rig_write(&rig.none, keeps, 0, data, 5000), OK);
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
    cut_rig_arm(&rig, n);
    script(x, y, f);
    bool went = cut_rig_cut(&rig, keep_percent);
    cut_rig_reboot(&rig, n % 3, keep_percent);
    ck_assert(there(y, "keeps", &ino));
    expect_content(ino, data, 5000);
    uint64_t moved;
    bool at_x = there(x, "d", &moved) && moved == d, at_y = there(y, "e", &moved) && moved == d;
    ck_assert_msg(at_x != at_y, "request %u: the directory has %s name", n,
                  at_x ? "one more" : "no");
    ck_assert(there(d, "inside", &ino));
    ck_assert_msg(there(y, "empty", &ino), "request %u: what was moved over is gone", n);
    design->expect_sound(&rig.none);
    cut_rig_fini(&rig);
    return went;
}

void cut_at_every_request(const struct cut_design *design)
{
    static const uint32_t percents[] = {0, 50, 100};
    for (uint32_t k = 0; k < 3; k++) {
        uint32_t n = 1;
        while (cut_script(design, n, percents[k])) {
            n++;
            ck_assert_uint_lt(n, REQUESTS_MAX); /* a loop that never ends proves nothing */
        }
        ck_assert_uint_gt(n, 5);
    }
}

/* ---- A directory over an empty one beside it ---- */

enum {
    NEAR,
    FAR,
    FAR_BACK,
    LAYOUTS
}; /* both entries in one sector; not; the new one comes first */

/* Makes what is moved and what it is moved over, with names between that fill a sector. */
static void make_both(uint64_t parent, uint32_t layout, uint64_t *moves, uint64_t *over)
{
    char name[201];
    uint64_t *second = layout == FAR_BACK ? moves : over;
    *(layout == FAR_BACK ? over : moves) =
        must_make(VFS_MKDIR, parent, layout == FAR_BACK ? "new" : "old");
    memset(name, 'n', sizeof(name));
    name[200] = '\0';
    for (uint32_t k = 0; k < 4 && layout != NEAR; k++) {
        name[0] = (char)('a' + k);
        (void)must_make(VFS_CREATE, parent, name);
    }
    *second = must_make(VFS_MKDIR, parent, layout == FAR_BACK ? "old" : "new");
}

/* Returns whether the n-th request came. */
static bool cut_replace(const struct cut_design *design, uint32_t layout, uint32_t n,
                        uint32_t keep_percent)
{
    uint64_t moves, over, old, new;
    cut_rig_init(&rig, design);
    rig.rng = n * 1000 + keep_percent;
    uint64_t parent = must_make(VFS_MKDIR, ROOT, "parent");
    make_both(parent, layout, &moves, &over);
    (void)must_make(VFS_CREATE, moves, "inside");
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
    cut_rig_arm(&rig, n);
    if (none_rig_rename(&rig.none, parent, "old", parent, "new") == OK)
        (void)!none_rig_plain(&rig.none, VFS_SYNC, 0, 0);
    bool went = cut_rig_cut(&rig, keep_percent);
    cut_rig_reboot(&rig, n % 3, keep_percent);
    bool at_old = there(parent, "old", &old), at_new = there(parent, "new", &new);
    ck_assert_msg(at_new, "layout %u, request %u: what was moved over has no name", layout, n);
    ck_assert_msg(at_old ? old == moves && new == over : new == moves,
                  "layout %u, request %u: half of a move", layout, n);
    ck_assert_int_eq(none_rig_lookup(&rig.none, moves, "inside"), OK);
    design->expect_sound(&rig.none);
    cut_rig_fini(&rig);
    return went;
}

void cut_replacing(const struct cut_design *design)
{
    static const uint32_t percents[] = {0, 50, 100};
    for (uint32_t k = 0; k < 3 * LAYOUTS; k++) {
        uint32_t n = 1;
        while (cut_replace(design, k % LAYOUTS, n, percents[k / LAYOUTS])) {
            n++;
            ck_assert_uint_lt(n, REQUESTS_MAX);
        }
        ck_assert_uint_gt(n, 3);
    }
}

/* ---- At random, against a model of what was synced ---- */

struct model {            /* one file of the directory */
    bool exists, touched; /* touched since the last sync */
    uint32_t bytes;
    uint8_t first;
};

static struct model model[FILES];

static void name_of(uint32_t k, char name[8])
{
    snprintf(name, 8, "file%u", k);
}

static void fill(const struct model *m, uint8_t *to)
{
    for (uint32_t k = 0; k < m->bytes; k++)
        to[k] = (uint8_t)(m->first + k / 100);
}

/* One random operation. false: the disk is gone. */
static bool step(uint64_t dir)
{
    uint32_t k = cut_rig_draw(&rig, FILES), to = cut_rig_draw(&rig, FILES);
    char name[8], name2[8];
    uint64_t ino = 0;
    enum err e = OK;
    name_of(k, name);
    name_of(to, name2);
    model[k].touched = true;
    switch (cut_rig_draw(&rig, 5)) {
    case 0:
        e = model[k].exists ? OK : none_rig_make(&rig.none, VFS_CREATE, dir, name, &ino);
        if (e == OK && model[k].exists && none_rig_lookup(&rig.none, dir, name) == OK)
            ino = rig.none.reply.stat.ino;
        else if (e == OK && model[k].exists)
            return false;
        model[k] = (struct model){.exists = true,
                                  .touched = true,
                                  .bytes = 1 + cut_rig_draw(&rig, DATA_BYTES - 1),
                                  .first = (uint8_t)cut_rig_draw(&rig, 256)};
        fill(&model[k], data);
        if (e == OK)
            e = none_rig_plain(&rig.none, VFS_TRUNCATE, ino, 0);
        if (e == OK)
            e = none_rig_write(&rig.none, ino, 0, data, model[k].bytes);
        return e == OK;
    case 1:
        e = none_rig_remove(&rig.none, VFS_UNLINK, dir, name);
        model[k].exists = false;
        return e == OK || e == E_NOENT;
    case 2:
    case 3:
        if (!model[k].exists || k == to)
            return true;
        model[to] = model[k];
        model[k].exists = false;
        return none_rig_rename(&rig.none, dir, name, dir, name2) == OK;
    default:
        e = none_rig_plain(&rig.none, VFS_SYNC, 0, 0);
        for (uint32_t n = 0; n < FILES && e == OK; n++)
            model[n].touched = false;
        return e == OK;
    }
}

static void expect_synced(uint64_t dir)
{
    for (uint32_t k = 0; k < FILES; k++) {
        char name[8];
        uint64_t ino;
        name_of(k, name);
        bool is = there(dir, name, &ino);
        if (model[k].touched) {
            if (is)
                ck_assert_int_eq(none_rig_remove(&rig.none, VFS_UNLINK, dir, name), OK);
            model[k].exists = false;
            continue;
        }
        ck_assert_msg(is == model[k].exists, "%s is%s there", name, is ? "" : " not");
        fill(&model[k], data);
        if (is)
            expect_content(ino, data, model[k].bytes);
    }
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
}

void cut_at_random(const struct cut_design *design, uint64_t seed, uint32_t lives)
{
    cut_rig_init(&rig, design);
    rig.rng = seed;
    memset(model, 0, sizeof(model));
    uint64_t dir = must_make(VFS_MKDIR, ROOT, "dir");
    ck_assert_int_eq(none_rig_plain(&rig.none, VFS_SYNC, 0, 0), OK);
    for (uint32_t life = 0; life < lives; life++) {
        for (uint32_t k = 0; k < FILES; k++)
            model[k].touched = false;
        cut_rig_arm(&rig, 1 + cut_rig_draw(&rig, 150));
        while (step(dir))
            ;
        ck_assert(cut_rig_cut(&rig, cut_rig_draw(&rig, 101)));
        cut_rig_reboot(&rig, cut_rig_draw(&rig, 3), cut_rig_draw(&rig, 101));
        expect_synced(dir);
    }
    design->expect_sound(&rig.none);
    cut_rig_fini(&rig);
}
