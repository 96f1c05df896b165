/*
 * Who belongs to the pool: disks that leave it, and disks that join in their place.
 *
 * Any disk that is up and no member may join: a spare, or one that was a member once and came back.
 * What it holds is nothing to the pool (a root without it is released, H30). It is made an empty
 * layout of the pool first; or, if it left in this life and still has the tree of the last
 * checkpoint that was released with it, that tree is kept under a list without it, and what has not
 * changed since need not be copied (struct delta). Objects of its intents may be torn: those are
 * copied. It is REBUILDING from the first root that lists it (G8) and gets a new generation: no
 * entry of the mapping that names it from an earlier time counts.
 *
 * A disk that left because it refused writes is not asked again while this process lives; one that
 * was seen dead is, when it answers again. But one that comes and goes must not keep the pool at
 * making it whole: when it has joined `tries` times, each within a day of the time before, it is
 * not ready until a day has passed. So whatever dies and is replaced over the years is taken, and a
 * storm of rebuilds ends (and begins again at most once a day, for as long as generations last).
 */
#include "logical.h"

#include "assertion.h"
#include "mem.h"
#include "planted.h"
#include "proto.h"

#define GENERATION_MAX 255u
/* How often absent disks are looked for: at once, then ever more seldom. Assumptions: nobody waits
 * for it, and a year without the disk must cost little. */
#define POLL_MIN_NS UINT64_C(1000000000)
#define POLL_MAX_NS UINT64_C(3600000000000)
/* Joins that are further apart have nothing to do with each other. Assumption: what is loose, or
 * dies under load, shows it again within hours; nobody replaces disks of one bay day after day. */
#define JOIN_APART_NS UINT64_C(86400000000000)

void logical_members_left(struct logical *l, uint32_t disk)
{
    uint32_t bit = 1u << disk;
    struct core *core = &l->core;
    ASSERT((core->members & bit) != 0);
    l->since[disk] = (core->rebuilding & bit) == 0 ? core->epoch : 0;
    l->delta.epoch = l->delta.disk == disk ? 0 : l->delta.epoch;
    core->members &= ~bit;
    core->rebuilding &= ~bit;
    core->whole &= ~bit;
    core->refilled &= ~bit;
    core->vacant |= bit;
    core->unflushed &= ~bit;
    core->new_members = true;
    l->left |= (l->seen_dead & bit) == 0 ? bit : 0; /* sick, not gone: it is not asked again */
    l->poll_ns = plat_now() + POLL_MIN_NS;
    l->poll_gap_ns = POLL_MIN_NS;
    logical_rebuild_disk_left(l, disk);
    plat_report(REPORT_DEGRADED, disk, 0);
    plat_probe(PROBE_LOGICAL_DEGRADED);
    logical_members_tell(l);
}

/* Not one that comes and goes. */
static bool may_be_ready(const struct logical *l, uint32_t disk)
{
    uint32_t tries = l->options.tries == 0 ? 3 : l->options.tries;
    return l->joins[disk] < tries || plat_now() - l->joined_ns[disk] >= JOIN_APART_NS;
}

static void count_join(struct logical *l, uint32_t disk)
{
    uint64_t now = plat_now();
    ASSERT(may_be_ready(l, disk));
    if (now - l->joined_ns[disk] >= JOIN_APART_NS)
        l->joins[disk] = 0;
    l->joins[disk]++;
    l->joined_ns[disk] = now;
}

/* The disk that joins next, DISKS_MAX: none. One that comes back goes before a spare. */
static uint32_t next_to_join(const struct logical *l)
{
    uint32_t ready = l->core.ready & ~l->core.listed & ~l->unfit;
    uint32_t back = ready & l->core.vacant;
    if (l->core.vacant == 0)
        return DISKS_MAX;
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        if (((back != 0 ? back : ready) >> k & 1) != 0)
            return k;
    return DISKS_MAX;
}

bool logical_members_may_join(const struct logical *l)
{
    return l->core.rebuilding == 0 && next_to_join(l) < DISKS_MAX;
}

void logical_members_tell(struct logical *l)
{
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        if ((l->core.rebuilding >> k & 1) != 0)
            plat_report(REPORT_REBUILDING, k, 0);
    if (logical_members_may_join(l))
        plat_report(REPORT_REBUILDING, next_to_join(l), 0);
}

/* ---- What a disk that comes back still has --------------------------------------------------- */

static bool in_line(const struct core *core, uint64_t incarnation)
{
    bool found = core->incarnation == incarnation;
    for (uint32_t k = 0; k < OBJECT_ANCESTORS; k++)
        found = found || (core->ancestor[k] == incarnation && incarnation != 0);
    return found;
}

/* Notes whether the tree of the last checkpoint released with the disk is still there. */
static void note_tree(struct logical *l, uint32_t disk, const struct candidate *found)
{
    uint32_t bit = 1u << disk;
    bool there = false;
    for (uint32_t i = 0; i < found->count; i++) {
        const struct object_root *root = &found->root[i];
        there = there || (root->epoch == l->since[disk] && in_line(&l->core, root->incarnation) &&
                          (root->members & ~root->rebuilding & bit) != 0);
    }
    l->since[disk] = there ? l->since[disk] : 0;
}

/* The objects of its intents: what was being overwritten in place when it left may be torn. */
static enum err collect_doubts(struct logical *l, uint32_t disk)
{
    struct delta *d = &l->delta;
    size_t room = (size_t)OBJECT_BATCH_MAX_BLOCKS * BLOCK_BYTES;
    uint64_t at = 0;
    do {
        struct call call = {.disk = disk,
                            .request = {.op = OBJECT_INTENTS, .offset = at, .length = room}};
        call.request.grant_data = proto_grant(l->endpoint[disk], l->data, room, PLAT_GRANT_WRITE);
        enum err e = logical_calls_one(l, &call);
        plat_revoke(call.request.grant_data);
        if (e != OK || call.status != OK)
            return e != OK ? e : call.status;
        at = call.reply.size;
        uint32_t count = call.reply.moved / OBJECT_INTENT_BYTES;
        for (uint32_t i = 0; i < count && i < room / OBJECT_INTENT_BYTES; i++) {
            struct object_intent intent;
            object_intent_decode(&intent, l->data + (size_t)i * OBJECT_INTENT_BYTES);
            uint32_t k = 0;
            while (k < d->doubted && d->doubt[k] != intent.oid)
                k++;
            if (k == DELTA_DOUBTS)
                return E_FULL;
            d->doubt[k] = intent.oid;
            d->doubted += k == d->doubted;
        }
    } while (at != 0);
    return OK;
}

/* One step of ADOPT of its old tree, under a list without it: it is nobody's to go back to. */
static enum err adopt_step(struct logical *l, uint32_t disk, uint64_t step)
{
    uint8_t raw[OBJECT_ROOT_BYTES];
    struct object_root root = {.valid = true,
                               .epoch = l->since[disk],
                               .rev = l->core.rev,
                               .members = l->core.members,
                               .rebuilding = l->core.rebuilding,
                               .vacant = l->core.vacant,
                               .self = disk,
                               .lsn = l->core.highest_lsn,
                               .pool_uuid = {l->core.pool_uuid[0], l->core.pool_uuid[1]},
                               .incarnation = l->core.incarnation};
    memcpy(root.ancestor, l->core.ancestor, sizeof(root.ancestor));
    memcpy(root.generation, l->core.generation, sizeof(root.generation));
    object_root_encode(raw, &root);
    struct call call = {
        .disk = disk,
        .request = {.op = OBJECT_ADOPT, .epoch = root.epoch, .rev = root.rev, .size = step}};
    call.request.members = root.members;
    call.request.grant_data = proto_grant(l->endpoint[disk], raw, sizeof(raw), PLAT_GRANT_READ);
    enum err e = logical_calls_one(l, &call);
    plat_revoke(call.request.grant_data);
    return e == OK ? call.status : e;
}

/* OK: its old tree is loaded, and l->delta says what of it may be kept. E_NOENT: there is none. */
static enum err keep_tree(struct logical *l, uint32_t disk)
{
    l->delta = (struct delta){.disk = disk};
    if (l->since[disk] == 0)
        return E_NOENT;
    enum err e = adopt_step(l, disk, OBJECT_ADOPT_VOID);
    if (e == OK)
        e = adopt_step(l, disk, OBJECT_ADOPT_LOAD);
    if (e == OK)
        e = collect_doubts(l, disk);
    if (e != OK)
        return e;
    l->delta.epoch = l->since[disk];
    l->delta.generation = l->core.generation[disk];
    return OK;
}

/* ---- After a restore --------------------------------------------------------------------------
 */

/* The root that made a disk whole may have been stable before anybody was told. */
static void tell_rebuilt(const struct logical *l, const struct candidate disk[DISKS_MAX])
{
    uint32_t before = 0;
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        for (uint32_t i = 0; disk[k].present && i < disk[k].count; i++)
            before |= disk[k].root[i].rebuilding;
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        if ((before & l->core.members & ~l->core.rebuilding) >> k & 1)
            plat_report(REPORT_REBUILT, k, 0);
}

void logical_members_restored(struct logical *l, const struct candidate disk[DISKS_MAX],
                              uint32_t without)
{
    l->unfit |= without;
    l->core.listed = l->core.members;
    for (uint32_t k = 0; k < DISKS_MAX && k < l->options.disks; k++) {
        uint32_t bit = 1u << k;
        if ((l->core.members & bit) != 0)
            l->left &= ~bit;
        else if (!disk[k].present)
            l->left &= ~bit; /* it may come back another one */
        else if ((l->left & bit) == 0 && may_be_ready(l, k))
            l->core.ready |= bit;
        if (disk[k].present && (l->core.members & bit) == 0)
            note_tree(l, k, &disk[k]);
    }
    l->poll_gap_ns = POLL_MIN_NS;
    l->poll_ns = plat_now() + POLL_MIN_NS;
    tell_rebuilt(l, disk);
    logical_members_tell(l);
}

/* ---- Disks that come back -------------------------------------------------------------------- */

/* Those that left and might be whole again. */
static uint32_t absent(const struct logical *l)
{
    uint32_t away = l->core.vacant & ~l->core.members & ~l->core.ready;
    return l->core.rebuilding != 0 ? 0 : away & ~l->left & ~l->unfit & ~l->silent;
}

uint64_t logical_members_poll_due(const struct logical *l)
{
    return absent(l) == 0 ? PLAT_FOREVER : l->poll_ns;
}

enum err logical_members_poll(struct logical *l)
{
    struct candidate disk[DISKS_MAX];
    uint32_t asked = 0;
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        if ((absent(l) >> k & 1) == 0)
            continue;
        l->endpoint[k] = plat_lookup(LAYER_PHYSICAL, k);
        asked |= l->endpoint[k] != ENDPOINT_NONE ? 1u << k : 0;
    }
    enum err e = logical_restore_read_roots(l, asked, disk);
    for (uint32_t k = 0; k < DISKS_MAX && e == OK; k++)
        if ((asked >> k & 1) != 0 && disk[k].present && may_be_ready(l, k)) {
            l->core.ready |= 1u << k;
            note_tree(l, k, &disk[k]);
        }
    l->poll_gap_ns = l->poll_gap_ns < POLL_MAX_NS / 2 ? 2 * l->poll_gap_ns : POLL_MAX_NS;
    l->poll_ns = plat_now() + l->poll_gap_ns;
    if (e == OK && logical_members_may_join(l))
        logical_members_tell(l);
    return e;
}

/* ---- Joining --------------------------------------------------------------------------------- */

static uint64_t random_word(void)
{
    uint64_t word = plat_random();
    return word != 0 ? word : 1;
}

/* An empty layout with the number of the released checkpoint, in whose list the disk is not. */
static enum err make_layout(struct logical *l, uint32_t disk)
{
    uint8_t raw[OBJECT_ROOT_BYTES];
    struct object_root root = {.valid = true,
                               .epoch = l->core.epoch,
                               .rev = 1,
                               .members = l->core.members,
                               .rebuilding = l->core.rebuilding,
                               .vacant = l->core.vacant,
                               .self = disk,
                               .disk_uuid = {random_word(), random_word()},
                               .pool_uuid = {l->core.pool_uuid[0], l->core.pool_uuid[1]},
                               .incarnation = l->core.incarnation};
    memcpy(root.ancestor, l->core.ancestor, sizeof(root.ancestor));
    memcpy(root.generation, l->core.generation, sizeof(root.generation));
    object_root_encode(raw, &root);
    struct call call = {.disk = disk, .request = {.op = OBJECT_FORMAT, .epoch = l->core.epoch}};
    call.request.grant_data = proto_grant(l->endpoint[disk], raw, sizeof(raw), PLAT_GRANT_READ);
    enum err e = logical_calls_one(l, &call);
    plat_revoke(call.request.grant_data);
    return e == OK ? call.status : e;
}

/* E_FULL: it is too small for what the fullest member has. */
static enum err check_size(struct logical *l, uint32_t disk)
{
    uint32_t count;
    struct object_request request = {.op = OBJECT_STATFS};
    uint64_t size = 0, free = 0, largest = 0, used = 0;
    enum err e = logical_calls_all(l, l->core.members | 1u << disk, &request, &count);
    for (uint32_t i = 0; i < count && e == OK; i++) {
        const struct object_reply *r = &l->call[i].reply;
        bool own = l->call[i].disk == disk;
        if (l->call[i].status != OK && own)
            e = l->call[i].status;
        if (l->call[i].status != OK)
            continue;
        size = own ? r->size : size;
        free = own ? r->blocks : free;
        if (!own && r->size > largest)
            largest = r->size;
        if (!own && r->size - r->blocks > used)
            used = r->size - r->blocks;
    }
    return e == OK && size < largest && free < used ? E_FULL : e;
}

/* The mapping first: with it the disk takes part in every change of it. */
static enum err take_in(struct logical *l, uint32_t disk)
{
    struct entry mapping = {.oid = OID_MAPPING, .level = 1};
    struct core *core = &l->core;
    enum err e = keep_tree(l, disk);
    if (e != OK && e != E_SESSION) {
        e = make_layout(l, disk);
        if (e == OK)
            e = check_size(l, disk);
    }
    if (e != OK)
        return e;
    uint32_t good = logical_lowest(core->members & ~core->rebuilding);
    core->members |= 1u << disk;
    if (!PLANTED(PLANTED_JOINER_TRUSTED))
        core->rebuilding |= 1u << disk;
    core->generation[disk]++;
    core->new_members = true;
    return logical_objects_mend(l, &mapping, disk, good);
}

enum err logical_members_join(struct logical *l)
{
    uint32_t disk = next_to_join(l);
    ASSERT(disk < DISKS_MAX && (l->core.members >> disk & 1) == 0);
    l->core.ready &= ~(1u << disk);
    l->seen_dead &= ~(1u << disk);
    count_join(l, disk);
    enum err e = l->core.generation[disk] < GENERATION_MAX ? take_in(l, disk) : E_FULL;
    if (e == OK || e == E_SESSION)
        return e;
    plat_report(REPORT_DETECTED, (uint64_t) - (int)e, disk);
    l->unfit |= 1u << disk;
    if ((l->core.members >> disk & 1) != 0)
        return logical_disk_drop(l, disk);
    plat_report(REPORT_DEGRADED, disk, 0); /* no spare after all */
    logical_members_tell(l);
    return OK;
}
