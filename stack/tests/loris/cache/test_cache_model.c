/*
 * Random transactions of two environments over a small cache and a small log, with faults at random
 * places, against a model: what is committed is there, what is not is not, whatever dies.
 */
#include <stdio.h>
#include <string.h>

#include "cache_rig.h"
#include "scripts/check_main.h"

#define FILES 10u
#define FILE_BYTES (30u * BLOCK_BYTES)
#define TXNS 120u
#define TRIES 60u

struct file {
    bool exists;
    uint64_t oid, size;
    uint8_t attr;
    uint8_t data[FILE_BYTES];
};

enum fault { NONE, DEATH_BELOW, OWN_CRASH, BOTH, POWER_CUT };

static struct rig r;
static struct file model[FILES], draft[FILES];
static uint64_t state;
static char where[100];

static uint32_t draw(uint32_t below)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 33) % below;
}

/* `old`: what is committed of it. */
static enum err change_file(uint32_t env, const struct file *old, struct file *f)
{
    static uint8_t buffer[FILE_BYTES];
    enum err e;
    if (!f->exists) {
        memset(f, 0, sizeof(*f));
        e = rig_create(&r, env, &f->oid);
        f->exists = true;
        f->attr = 7;
        return e;
    }
    uint32_t kind = draw(10);
    if (kind < 6) {
        uint32_t offset = draw(FILE_BYTES - 1);
        uint32_t bytes = 1 + draw(kind < 3 ? 300 : FILE_BYTES / 2);
        bytes = bytes < FILE_BYTES - offset ? bytes : FILE_BYTES - offset;
        for (uint32_t k = 0; k < bytes; k++)
            buffer[k] = (uint8_t)(draw(250) + 1);
        e = rig_write(&r, env, f->oid, offset, buffer, bytes);
        memcpy(f->data + offset, buffer, bytes);
        f->size = f->size > offset + bytes ? f->size : offset + bytes;
        return e;
    }
    if (kind < 8) {
        uint64_t size = draw(2) == 0 ? draw((uint32_t)f->size + 1) : draw(FILE_BYTES);
        e = rig_truncate(&r, env, f->oid, size);
        if (size < f->size)
            memset(f->data + size, 0, f->size - size);
        f->size = size;
        return e;
    }
    if (kind == 8) {
        f->exists = false;
        uint64_t oid = f->oid;
        if (!old->exists || old->oid != oid)
            f->oid = 0; /* nobody has seen it: its number may be another's */
        return rig_delete(&r, env, oid);
    }
    f->attr = (uint8_t)draw(200);
    return rig_setattr(&r, env, f->oid, f->attr);
}

static void check_file(uint32_t env, const struct file *f, bool txn)
{
    static uint8_t back[FILE_BYTES];
    uint64_t size = 0;
    uint8_t attr = 0;
    uint32_t moved = 0;
    if (f->oid == 0)
        return;
    enum err e = E_DEAD;
    for (uint32_t k = 0; k < TRIES && e == E_DEAD; k++)
        e = rig_getattr(&r, env, f->oid, &size, &attr, txn);
    if (txn && e == E_AGAIN)
        return; /* the cache died: the transaction is gone */
    ck_assert_msg(e == (f->exists ? OK : E_NOENT), "%s: getattr %d", where, e);
    if (!f->exists)
        return;
    ck_assert_msg(size == f->size && attr == f->attr, "%s: size %u for %u, attr %u for %u", where,
                  (unsigned)size, (unsigned)f->size, attr, f->attr);
    e = E_DEAD;
    for (uint32_t k = 0; k < TRIES && e == E_DEAD; k++)
        e = rig_read(&r, env, f->oid, 0, back, FILE_BYTES, &moved, txn);
    if (txn && e == E_AGAIN)
        return;
    ck_assert_msg(e == OK && moved == size, "%s: read %d", where, e);
    ck_assert_msg(memcmp(back, f->data, size) == 0, "%s: content differs", where);
}

static void check_all(void)
{
    for (uint32_t k = 0; k < FILES; k++)
        check_file(0, &model[k], false);
}

/* One transaction over files of one parity, so that environments do not meet. */
static void run_txn(uint32_t env, uint32_t n)
{
    uint64_t begun = state;
    enum err e = E_AGAIN;
    bool done = false;
    r.sequence[env]++;
    for (uint32_t tries = 0; tries < TRIES; tries++) {
        state = begun; /* the same again */
        if (tries == 0 || !done)
            e = rig_begin(&r, env, &done);
        if (e == OK && done)
            break; /* draft is what that attempt made */
        memcpy(draft, model, sizeof(draft));
        uint32_t changes = 1 + draw(4);
        for (uint32_t k = 0; k < changes && e == OK; k++) {
            uint32_t at = draw(FILES / 2) * 2 + env;
            struct file *f = &draft[at];
            e = change_file(env, &model[at], f);
            if (e == OK && draw(4) == 0)
                check_file(env, f, true);
        }
        if (e == OK && draw(8) == 0) {
            e = rig_abort(&r, env);
            memcpy(draft, model, sizeof(draft));
            if (e == OK)
                break;
        } else if (e == OK) {
            e = rig_commit(&r, env);
            if (e == OK)
                break;
        }
        if (e != E_DEAD && e != E_AGAIN)
            break;
    }
    ck_assert_msg(e == OK, "%s: transaction %u answered %d", where, n, e);
    memcpy(model, draft, sizeof(model));
}

static void arm(enum fault fault)
{
    if ((fault == DEATH_BELOW || fault == BOTH) && draw(3) == 0) {
        r.store.how = draw(2) == 0 ? DIE_BEFORE : DIE_AFTER;
        r.store.die_at = r.store.calls + 1 + draw(12);
        r.store.die_gap = draw(3) == 0 ? 1 + draw(8) : 0;
    }
    if ((fault == OWN_CRASH || fault == BOTH) && draw(3) == 0)
        fake_crash_at_call(1 + draw(300));
}

static void run(uint32_t seed, enum fault fault, enum checksum_mode mode)
{
    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    memset(model, 0, sizeof(model));
    rig_init(&r);
    r.boot.options.cache_bytes = 120 * BLOCK_BYTES;
    r.boot.options.log_bytes = 100 * 160;
    r.boot.options.checksums = mode;
    r.boot.options.tries = 100; /* none of so many deaths makes a record poison */
    r.slow = seed % 2 == 0 ? seed % 7 : 0;
    r.boot.options.checkpoint_ns = r.slow != 0 ? 1000000 : r.boot.options.checkpoint_ns;
    rig_start(&r);
    for (uint32_t n = 0; n < TXNS; n++) {
        (void)snprintf(where, sizeof(where), "seed %u, fault %d, transaction %u", seed, fault, n);
        r.crashes = 0;
        arm(fault);
        run_txn(draw(2), n);
        if (draw(10) == 0)
            check_all();
        if (draw(12) == 0) {
            enum err e = E_DEAD;
            while (e == E_DEAD)
                e = rig_sync(&r, 0, OID_NONE);
            ck_assert_msg(e == OK, "%s: sync %d", where, e);
            if (fault == POWER_CUT) {
                rig_power_cut(&r);
                check_all();
            }
        }
    }
    r.store.die_at = 0;
    fake_crash_at_call(0);
    check_all();
    ck_assert_uint_eq(r.store.bad_crcs, 0);
    ck_assert_uint_eq(r.store.refused, 0);
    ck_assert(r.slow == 0 || r.served > 0);
    rig_fini(&r);
}

static void run_many(enum fault fault)
{
    for (uint32_t seed = 1; seed <= 25; seed++)
        run(seed, fault, seed % 4 == 0 ? CHECKSUMS_OFF : CHECKSUMS_EAGER);
}

START_TEST(test_cache__random_transactions_without_faults)
{
    run_many(NONE);
}
END_TEST

START_TEST(test_cache__random_transactions_with_deaths_below)
{
    run_many(DEATH_BELOW);
}
END_TEST

START_TEST(test_cache__random_transactions_with_its_own_crashes)
{
    run_many(OWN_CRASH);
}
END_TEST

START_TEST(test_cache__random_transactions_with_both)
{
    run_many(BOTH);
}
END_TEST

START_TEST(test_cache__random_transactions_with_power_cuts_after_syncs)
{
    run_many(POWER_CUT);
}
END_TEST

CHECK_MAIN("cache_model", 300, tcase_add_test(tc, test_cache__random_transactions_without_faults);
           tcase_add_test(tc, test_cache__random_transactions_with_deaths_below);
           tcase_add_test(tc, test_cache__random_transactions_with_its_own_crashes);
           tcase_add_test(tc, test_cache__random_transactions_with_both);
           tcase_add_test(tc, test_cache__random_transactions_with_power_cuts_after_syncs);)
