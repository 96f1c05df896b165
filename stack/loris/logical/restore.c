/*
 * Going back to the newest complete checkpoint, at start and after a crash below: read what every
 * disk holds, choose, void the dead roots everywhere, then give the chosen one a new incarnation
 * everywhere, then resolve what was being overwritten in place.
 *
 * Data are resynchronised at every restore, before anything is replayed. So there is one path, and
 * the copies of each block are equal and flushed when the replay overwrites them, staggered as
 * ever.
 */
#include "logical.h"

#include "assertion.h"
#include "mem.h"
#include "planted.h"
#include "proto.h"

/* ---- Who is there ---------------------------------------------------------------------------- */

static void forget(struct logical *l)
{
    memset(&l->core, 0, sizeof(l->core));
    logical_mapping_reset(l);
    l->active = false;
    l->in_pause = false;
    l->need_checkpoint = false;
    l->want_checkpoint = false;
    l->damages = 0;
    l->settled = false;
    logical_rebuild_reset(l);
    logical_migrate_reset(l);
}

/* All physicals up, or given up for this restore. */
static uint32_t await_all(struct logical *l)
{
    uint32_t up = 0;
    uint32_t disks = l->options.disks < DISKS_MAX ? l->options.disks : DISKS_MAX;
    uint64_t deadline = plat_now() + PHYSICAL_AWAIT_NS;
    for (uint32_t k = 0; k < disks; k++) {
        uint32_t tries = l->options.tries == 0 ? 3 : l->options.tries;
        if (l->deaths[k] >= tries)
            continue; /* it dies of what is on its disk: the disk is given up */
        l->endpoint[k] = proto_await(LAYER_PHYSICAL, k, deadline);
        if (l->endpoint[k] != ENDPOINT_NONE)
            up |= 1u << k;
    }
    return up;
}

enum err logical_restore_read_roots(struct logical *l, uint32_t up,
                                    struct candidate disk[DISKS_MAX])
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        disk[k] = (struct candidate){.present = false};
        if ((up >> k & 1) == 0)
            continue;
        struct call *call = &l->call[count++];
        *call = (struct call){.disk = k, .request = {.op = OBJECT_ROOTS}};
        call->request.grant_data = proto_grant(
            l->endpoint[k], l->wire[k], OBJECT_ROOTS_MAX * OBJECT_ROOT_BYTES, PLAT_GRANT_WRITE);
    }
    enum err e = logical_calls_run(l, l->call, count);
    for (uint32_t i = 0; i < count; i++) {
        struct candidate *c = &disk[l->call[i].disk];
        plat_revoke(l->call[i].request.grant_data);
        if (e != OK || l->call[i].status != OK)
            continue;
        c->present = true;
        c->damaged = (l->call[i].reply.flags & OBJECT_ROOT_DAMAGED) != 0;
        uint32_t found = l->call[i].reply.moved / OBJECT_ROOT_BYTES;
        for (uint32_t n = 0; n < found && n < OBJECT_ROOTS_MAX; n++)
            if (object_root_decode(&c->root[c->count],
                                   l->wire[l->call[i].disk] + (size_t)n * OBJECT_ROOT_BYTES) == OK)
                c->count++;
    }
    return e;
}

/* ---- Adopting -------------------------------------------------------------------------------- */

static void take_identity(struct logical *l, const struct candidate disk[DISKS_MAX],
                          const struct choice *choice)
{
    struct core *core = &l->core;
    core->epoch = core->prepared = choice->root.epoch;
    core->highest_epoch = choice->highest_epoch;
    core->highest_lsn = choice->highest_lsn;
    core->members = choice->members;
    core->rebuilding = choice->root.rebuilding & choice->members;
    core->vacant = choice->root.vacant | (choice->root.members & ~choice->members);
    memcpy(core->generation, choice->root.generation, sizeof(core->generation));
    core->rev = choice->root.rev + 1;
    memcpy(core->pool_uuid, choice->root.pool_uuid, sizeof(core->pool_uuid));
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        memcpy(core->disk_uuid[k], disk[k].root[0].disk_uuid, sizeof(core->disk_uuid[k]));
    core->incarnation = choice->newest.incarnation;
    memcpy(core->ancestor, choice->newest.ancestor, sizeof(core->ancestor));
    logical_new_incarnation(l);
}

/* One step of ADOPT on all members; *failed gains the disks that could not. */
static enum err adopt_all(struct logical *l, uint64_t step, uint32_t *failed)
{
    struct object_root root = {.epoch = l->core.epoch,
                               .lsn = l->core.highest_lsn,
                               .rebuilding = l->core.rebuilding,
                               .vacant = l->core.vacant};
    struct object_request request = {.op = OBJECT_ADOPT, .epoch = l->core.epoch, .size = step};
    return logical_root_send(l, &root, &request, failed);
}

static void report_missing(const struct logical *l, const struct choice *choice)
{
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        if (((choice->root.members & ~choice->members) >> k & 1) != 0) {
            plat_report(REPORT_DEGRADED, k, l->core.epoch);
            plat_probe(PROBE_LOGICAL_DEGRADED);
        }
}

/*
 * Absent members that do not make the pool refuse. At a start, what the level bears: who is absent
 * may be back tomorrow. Disks whose tree is bad, and those that died while the machine ran, will
 * not: without them the rest is served.
 */
static uint32_t missing_max(const struct logical *l, bool system, uint32_t without)
{
    uint32_t raid = l->options.raid;
    uint32_t disks = l->options.disks - l->options.spares;
    uint32_t max = raid == 0 ? 0 : raid == 6 ? 2 : raid == RAID_N_WAY ? disks : 1;
    max = max < disks ? max : disks - 1;
    for (; without != 0; without &= without - 1)
        max++;
    return system ? max : DISKS_MAX;
}

/*
 * One attempt without the disks in `without`. OK: a tree is loaded on all members; E_AGAIN: disks
 * failed, which are now in *without; E_NOENT: no disk has a pool; or why there is none to have.
 */
static enum err attempt(struct logical *l, uint32_t up, bool system, uint32_t *without)
{
    struct candidate disk[DISKS_MAX];
    struct choice choice = {.members = 0};
    uint32_t failed = 0;
    forget(l);
    enum err e = logical_restore_read_roots(l, up & ~*without, disk);
    if (e == OK)
        e = logical_choose_root(disk, missing_max(l, system, *without), &choice);
    if (e == OK && choice.root.epoch < l->durable)
        e = E_MEDIA; /* only disks that had left are there: what was answered since is not */
    if (e == E_CORRUPT && choice.members != 0 && !PLANTED(PLANTED_LIAR_KEPT)) {
        *without |= up & ~choice.members; /* they lied about a flush: the others have it all */
        return E_AGAIN;
    }
    if (e != OK)
        return e;
    plat_probe(PROBE_LOGICAL_CHOSEN);
    take_identity(l, disk, &choice);
    e = adopt_all(l, OBJECT_ADOPT_VOID, &failed);
    if (e == OK && failed == 0)
        e = adopt_all(l, OBJECT_ADOPT_LOAD, &failed);
    if (e == OK && failed != 0) {
        *without |= failed;
        return E_AGAIN;
    }
    if (e == OK) {
        report_missing(l, &choice);
        logical_members_restored(l, disk, *without);
    }
    return e;
}

/*
 * No disk, or too few, can load the newest root: its flush lied, and the root came down without its
 * tree. The one before is gone back to if all members that are there have it whole: older than what
 * was acknowledged, and that is reported. true: the newest, whose numbers are in *gone, is void,
 * and another attempt may find it.
 */
static bool give_up_newest(struct logical *l, uint32_t up, struct object_root *gone)
{
    struct candidate disk[DISKS_MAX];
    struct choice choice;
    uint32_t failed = 0;
    forget(l);
    enum err e = logical_restore_read_roots(l, up, disk);
    for (uint32_t k = 0; k < DISKS_MAX && e == OK; k++)
        for (uint32_t n = 0; n < disk[k].count; n++)
            if (disk[k].root[n].epoch > gone->epoch)
                *gone = disk[k].root[n];
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        for (uint32_t n = 0; n < disk[k].count; n++)
            disk[k].root[n].valid &= disk[k].root[n].epoch < gone->epoch;
    if (e != OK || logical_choose_root(disk, missing_max(l, true, 0), &choice) != OK)
        return false;
    l->core.epoch = choice.root.epoch;
    l->core.members = choice.members;
    e = adopt_all(l, OBJECT_ADOPT_WALK, &failed);
    if (e == OK && failed == 0)
        e = adopt_all(l, OBJECT_ADOPT_VOID, &failed);
    if (e != OK || failed != 0)
        return false;
    plat_report(REPORT_DETECTED, (uint64_t)-E_LOST, gone->epoch);
    return true;
}

/* Its numbers are not used again, though no disk shows them any more. */
static void go_on_above(struct logical *l, const struct object_root *gone)
{
    if (gone->highest_epoch > l->core.highest_epoch)
        l->core.highest_epoch = gone->highest_epoch;
    if (gone->highest_lsn > l->core.highest_lsn)
        l->core.highest_lsn = gone->highest_lsn;
}

/* ---- Making a pool --------------------------------------------------------------------------- */

static uint64_t mix(uint64_t seed, uint64_t salt)
{
    uint64_t z = seed + salt * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) | 1;
}

/* What a pool is made of: all but the spares, which are last. */
static uint32_t all_disks(const struct logical *l)
{
    ASSERT(l->options.spares < l->options.disks && l->options.disks <= DISKS_MAX);
    return (1u << (l->options.disks - l->options.spares)) - 1;
}

/* An empty tree on each disk, checkpoint 1. */
static enum err format_disks(struct logical *l, uint32_t up)
{
    uint64_t seed = l->options.seed;
    uint32_t count = 0;
    struct object_root root = {.valid = true,
                               .epoch = 1,
                               .rev = 1,
                               .members = up,
                               .pool_uuid = {mix(seed, 1), mix(seed, 2)},
                               .incarnation = mix(seed, 3)};
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        if ((up >> k & 1) == 0)
            continue;
        struct call *call = &l->call[count++];
        root.self = k;
        root.disk_uuid[0] = mix(seed, 100 + 2 * (uint64_t)k);
        root.disk_uuid[1] = mix(seed, 101 + 2 * (uint64_t)k);
        object_root_encode(l->wire[k], &root);
        *call = (struct call){.disk = k, .request = {.op = OBJECT_FORMAT, .epoch = 1}};
        call->request.grant_data =
            proto_grant(l->endpoint[k], l->wire[k], OBJECT_ROOT_BYTES, PLAT_GRANT_READ);
    }
    enum err e = logical_calls_run(l, l->call, count);
    for (uint32_t i = 0; i < count; i++) {
        plat_revoke(l->call[i].request.grant_data);
        if (e == OK)
            e = l->call[i].status;
    }
    l->core.epoch = l->core.prepared = 1;
    l->core.highest_epoch = 1;
    l->core.members = up;
    l->core.incarnation = root.incarnation;
    memcpy(l->core.pool_uuid, root.pool_uuid, sizeof(l->core.pool_uuid));
    return e;
}

/* A pool of all disks but the spares, with the mapping object in checkpoint 2: without it a pool
 * was never whole. up: disks that answer; spares among them may join later. */
static enum err format_pool(struct logical *l, uint32_t up)
{
    uint32_t count;
    struct object_request request = {.op = OBJECT_CREATE, .oid = OID_MAPPING, .flags = OBJECT_META};
    forget(l);
    enum err e = format_disks(l, all_disks(l));
    l->core.ready = up & ~all_disks(l);
    if (e == OK)
        e = logical_calls_all(l, l->core.members, &request, &count);
    for (uint32_t i = 0; e == OK && i < count; i++)
        e = l->call[i].status;
    if (e == OK)
        e = logical_checkpoint_prepare(l, 2, 0, false);
    if (e == OK)
        e = logical_checkpoint_release(l, 2);
    return e;
}

/* ---- The cache's request --------------------------------------------------------------------- */

/* After a system crash what was resolved becomes a checkpoint of its own, then intents are void.
 * With fsync=log the cache makes it, since only that of it all supersedes the log. */
static enum err settle(struct logical *l, bool system)
{
    uint32_t found = 0;
    if (!system && PLANTED(PLANTED_NO_RESYNC_IN_CRASH))
        return OK;
    enum err e = logical_resync_run(l, !system, &found);
    if (e != OK || found == 0)
        return e;
    e = logical_flush_disks(l, l->core.members);
    if (e != OK || !system || l->options.fsync_log)
        return e;
    uint64_t next = l->core.epoch > l->core.highest_epoch ? l->core.epoch : l->core.highest_epoch;
    e = logical_checkpoint_prepare(l, next + 1, l->core.highest_lsn + 1, false);
    return e == OK ? logical_checkpoint_release(l, next + 1) : e;
}

enum err logical_restore_serve(struct logical *l, const struct object_request *request,
                               uint32_t source, struct object_reply *reply)
{
    uint32_t without = 0;
    struct object_root gone = {.valid = false};
    bool system = (request->flags & OBJECT_SYSTEM) != 0;
    enum err e = E_AGAIN;
    l->session = request->session;
    l->client = source;
    if (request->size > l->durable)
        l->durable = request->size;
    l->active = false;
    uint32_t up = await_all(l);
    for (uint32_t k = 0; k < DISKS_MAX && e == E_AGAIN; k++)
        e = l->format && k == 0 ? E_NOENT : attempt(l, up, system, &without);
    if (system && !l->format && (e == E_MEDIA || e == E_NOENT || e == E_CORRUPT) && without != 0 &&
        give_up_newest(l, up, &gone)) {
        without = 0;
        e = attempt(l, up, system, &without);
        go_on_above(l, &gone);
    }
    if (e == E_NOENT && l->format && (up & all_disks(l)) == all_disks(l))
        e = format_pool(l, up);
    if (e == OK)
        e = settle(l, system);
    if (e != OK && e != E_SESSION)
        l->silent = 0; /* it does not go without them: the next attempt waits for them again */
    if (e != OK)
        return e == E_NOENT || e == E_AGAIN ? E_MEDIA : e;
    memset(l->deaths, 0, sizeof(l->deaths));
    l->format = false;
    l->active = true;
    if (request->epoch > l->core.highest_epoch)
        l->core.highest_epoch = request->epoch;
    reply->epoch = l->core.epoch;
    reply->lsn = l->core.highest_lsn;
    reply->blocks = l->core.highest_epoch; /* numbers to come are above it */
    return OK;
}
