#include "cache_script.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define TRIES 40u

enum step_op { CREATE, WRITE, TRUNCATE, DELETE, SETATTR, CREATE_DELETE };

struct step {
    enum step_op op;
    uint32_t file;
    uint32_t offset, bytes; /* TRUNCATE: size in bytes; SETATTR: value */
};

#define STEPS_A_TXN 4u
struct group {
    uint32_t count; /* 0: a sync */
    struct step step[STEPS_A_TXN];
};

static const struct group groups[] = {
    {2, {{CREATE, 0, 0, 0}, {WRITE, 0, 0, 10000}}},
    {2, {{CREATE, 1, 0, 0}, {WRITE, 1, 0, 300}}},
    {0, {{0}}},
    {1, {{WRITE, 0, 10000, 5000}}},
    {1, {{WRITE, 0, 4000, 200}}},
    {2, {{TRUNCATE, 0, 0, 6000}, {SETATTR, 1, 0, 33}}},
    {2, {{CREATE, 2, 0, 0}, {WRITE, 2, 8192, 60 * BLOCK_BYTES}}},
    {1, {{DELETE, 1, 0, 0}}},
    {3, {{TRUNCATE, 0, 0, 100}, {TRUNCATE, 0, 0, 30000}, {WRITE, 0, 20000, 50}}},
    {1, {{CREATE_DELETE, 3, 0, 0}}},
    {0, {{0}}},
    {2, {{CREATE, 4, 0, 0}, {SETATTR, 4, 0, 44}}},
    {1, {{WRITE, 2, 100000, 5000}}},
    {1, {{TRUNCATE, 2, 0, 50000}}},
    {1, {{WRITE, 2, 60000, 1}}},
    {4, {{WRITE, 0, 0, 1}, {WRITE, 4, 0, 4096}, {SETATTR, 2, 0, 5}, {SETATTR, 0, 0, 6}}},
    {2, {{DELETE, 4, 0, 0}, {CREATE, 5, 0, 0}}},
    {1, {{WRITE, 5, 4096, 8192}}},
};

static uint8_t byte_at(uint32_t group, uint32_t k)
{
    return (uint8_t)(group * 31 + k * 7 + k / 253 + 1);
}

static enum err run_step(struct script *s, struct rig *r, const struct step *step, uint32_t group,
                         uint64_t *oid)
{
    static uint8_t buffer[SCRIPT_BYTES];
    uint64_t target = s->file[step->file].oid;
    switch (step->op) {
    case CREATE:
        return rig_create(r, 0, &oid[step->file]);
    case WRITE:
        for (uint32_t k = 0; k < step->bytes; k++)
            buffer[k] = byte_at(group, k);
        target = oid[step->file] != 0 ? oid[step->file] : target;
        return rig_write(r, 0, target, step->offset, buffer, step->bytes);
    case TRUNCATE:
        return rig_truncate(r, 0, target, step->bytes);
    case DELETE:
        return rig_delete(r, 0, target);
    case SETATTR:
        target = oid[step->file] != 0 ? oid[step->file] : target;
        return rig_setattr(r, 0, target, (uint8_t)step->bytes);
    case CREATE_DELETE: {
        enum err e = rig_create(r, 0, &oid[step->file]);
        if (e == OK)
            e = rig_write(r, 0, oid[step->file], 0, "gone", 4);
        return e != OK ? e : rig_delete(r, 0, oid[step->file]);
    }
    }
    return E_INVAL;
}

static void model_step(struct script *s, const struct step *step, uint32_t group,
                       const uint64_t *oid)
{
    struct script_file *f = &s->file[step->file];
    switch (step->op) {
    case CREATE:
        memset(f, 0, sizeof(*f));
        f->exists = true;
        f->oid = oid[step->file];
        f->attr = 7;
        break;
    case WRITE:
        for (uint32_t k = 0; k < step->bytes; k++)
            f->data[step->offset + k] = byte_at(group, k);
        if (step->offset + step->bytes > f->size)
            f->size = step->offset + step->bytes;
        break;
    case TRUNCATE:
        if (step->bytes < f->size)
            memset(f->data + step->bytes, 0, f->size - step->bytes);
        f->size = step->bytes;
        break;
    case DELETE:
        f->exists = false;
        break;
    case SETATTR:
        f->attr = (uint8_t)step->bytes;
        break;
    case CREATE_DELETE:
        break;
    }
}

/* One transaction as naming runs it. OK: it has taken effect. */
static enum err run_group(struct script *s, struct rig *r, uint32_t group, uint64_t *oid)
{
    const struct group *g = &groups[group];
    enum err e = E_AGAIN;
    r->sequence[0]++;
    for (uint32_t tries = 0; tries < TRIES; tries++) {
        bool done = false;
        e = rig_begin(r, 0, &done);
        if (e == OK && done)
            return OK;
        for (uint32_t k = 0; k < g->count && e == OK; k++)
            e = run_step(s, r, &g->step[k], group, oid);
        if (e == OK)
            e = rig_commit(r, 0);
        if (e != E_DEAD && e != E_AGAIN)
            break;
    }
    return e;
}

static void run_sync(struct script *s, struct rig *r)
{
    enum err e = E_DEAD;
    for (uint32_t tries = 0; tries < TRIES && e == E_DEAD; tries++)
        e = rig_sync(r, 0, r->boot.options.fsync_log ? OID_FIRST_FREE : OID_NONE);
    if (e != OK) {
        s->sync_errors++;
        s->last_error = e;
    }
}

_Static_assert(sizeof(groups) / sizeof(groups[0]) == SCRIPT_GROUPS, "all of them");

void script_run(struct script *s, struct rig *r)
{
    script_run_part(s, r, 0, SCRIPT_GROUPS);
}

void script_run_part(struct script *s, struct rig *r, uint32_t first, uint32_t end)
{
    if (first == 0)
        memset(s, 0, sizeof(*s));
    for (uint32_t group = first; group < end; group++) {
        const struct group *g = &groups[group];
        if (g->count == 0) {
            run_sync(s, r);
            continue;
        }
        uint64_t oid[SCRIPT_FILES] = {0};
        enum err e = run_group(s, r, group, oid);
        if (e != OK) {
            s->errors++;
            s->last_error = e;
            continue;
        }
        for (uint32_t k = 0; k < g->count; k++)
            model_step(s, &g->step[k], group, oid);
    }
}

static enum err read_file(struct rig *r, uint64_t oid, uint8_t *to, uint32_t *moved)
{
    enum err e = E_DEAD;
    for (uint32_t tries = 0; tries < TRIES && e == E_DEAD; tries++)
        e = rig_read(r, 0, oid, 0, to, SCRIPT_BYTES, moved, false);
    return e;
}

const char *script_check(struct script *s, struct rig *r, bool errors_allowed)
{
    static char why[200];
    static uint8_t back[SCRIPT_BYTES];
    for (uint32_t k = 0; k < SCRIPT_FILES; k++) {
        const struct script_file *f = &s->file[k];
        uint64_t size = 0;
        uint8_t attr = 0;
        uint32_t moved = 0;
        if (f->oid == 0)
            continue;
        enum err e = E_DEAD;
        for (uint32_t tries = 0; tries < TRIES && e == E_DEAD; tries++)
            e = rig_getattr(r, 0, f->oid, &size, &attr, false);
        if (!f->exists && e == E_NOENT)
            continue;
        if (errors_allowed && (e != OK || !f->exists)) /* an object may outlive its name: a leak */
            continue;
        (void)snprintf(why, sizeof(why), "file %u exists %d: getattr %d, size %llu for %llu, %u/%u",
                       k, f->exists, e, (unsigned long long)size, (unsigned long long)f->size, attr,
                       f->attr);
        if (e != OK || !f->exists || size != f->size || attr != f->attr)
            return why;
        e = read_file(r, f->oid, back, &moved);
        if (errors_allowed && e != OK)
            continue;
        (void)snprintf(why, sizeof(why), "file %u: read %d, %u bytes of %llu", k, e, moved,
                       (unsigned long long)f->size);
        if (e != OK || moved != f->size)
            return why;
        if (memcmp(back, f->data, moved) == 0)
            continue;
        for (uint32_t at = 0; at < moved; at++) {
            (void)snprintf(why, sizeof(why), "file %u: byte %u is %u for %u", k, at, back[at],
                           f->data[at]);
            if (back[at] != f->data[at])
                return why;
        }
    }
    return NULL;
}

void script_expect(struct script *s, struct rig *r, const char *what, uint64_t n)
{
    const char *why = script_check(s, r, false);
    ck_assert_msg(why == NULL, "%s %llu: %s", what, (unsigned long long)n, why);
    ck_assert_msg(s->errors == 0, "%s %llu: %u errors, %d", what, (unsigned long long)n, s->errors,
                  s->last_error);
    ck_assert_msg(s->sync_errors == 0, "%s %llu: a sync failed: %d", what, (unsigned long long)n,
                  s->last_error);
    enum err e = rig_sync(r, 0, OID_NONE);
    ck_assert_msg(e == OK, "%s %llu: sync %d", what, (unsigned long long)n, e);
    rig_power_cut(r);
    why = script_check(s, r, false);
    ck_assert_msg(why == NULL, "%s %llu, power cut: %s", what, (unsigned long long)n, why);
    ck_assert_uint_eq(r->store.bad_crcs, 0);
}

void script_crash_at_probes(struct script *s, struct rig *r, void (*prepare)(uint32_t n),
                            uint32_t rounds)
{
    static const enum probe probes[] = {
        PROBE_CKPT_FROZEN,    PROBE_CKPT_DATA_DOWN,      PROBE_TXN_COMMIT,    PROBE_CACHE_ROLLBACK,
        PROBE_CACHE_RESTORED, PROBE_CACHE_REPLAY_RECORD, PROBE_CACHE_REPLAYED};
    for (uint32_t k = 0; k < sizeof(probes) / sizeof(probes[0]); k++) {
        uint32_t hits = 0;
        for (uint32_t n = 1; n <= rounds; n++) {
            prepare(n);
            fake_crash_at_probe(probes[k], n);
            script_run(s, r);
            fake_crash_at_probe(probes[k], 0);
            r->store.die_at = 0;
            hits += r->crashes;
            script_expect(s, r, "own crash at probe", n);
            rig_fini(r);
        }
        ck_assert_msg(hits > 0, "probe %u was never hit", probes[k]);
    }
}
