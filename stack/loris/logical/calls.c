/*
 * Requests to physicals: at most one outstanding at each, several physicals at a time; and what
 * becomes of a disk that cannot serve any more.
 *
 * A disk that others stand in for is waited for PATIENCE_NS in all within one request of the cache,
 * then its process is killed and the disk counts as dead. So does one that says E_DEAD after a
 * silence. Neither is sent anything again while this process lives (`silent`): a request, a restore
 * or a look for absent disks waits for a sick disk once, not at each of its calls.
 */
#include "logical.h"

#include "assertion.h"
#include "mem.h"
#include "planted.h"

/* ---- Guard ----------------------------------------------------------------------------------- */

void logical_core_seal(struct logical *l)
{
    l->core_guard = plat_crc32c(&l->core, sizeof(l->core));
}

void logical_core_check(const struct logical *l)
{
    if (l->core_guard == plat_crc32c(&l->core, sizeof(l->core)))
        return;
    plat_report(REPORT_DETECTED, (uint64_t)-E_CORRUPT, 0);
    plat_panic(E_CORRUPT);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

/* While no root is chosen, who is a member is unknown: all disks but the silent ones may be. */
static bool others_stand_in(const struct logical *l, uint32_t disk)
{
    uint32_t all = (1u << (l->options.disks - l->options.spares)) - 1;
    uint32_t whole = l->core.members & ~l->core.rebuilding;
    uint32_t rest = (l->core.members != 0 ? whole : all & ~l->silent) & ~(1u << disk);
    return l->options.raid != 0 && rest != 0;
}

static uint64_t patience_ns(const struct logical *l, uint32_t disk)
{
    ASSERT(l->waited_ns[disk] <= PATIENCE_NS);
    return others_stand_in(l, disk) ? PATIENCE_NS - l->waited_ns[disk] : PHYSICAL_CALL_NS;
}

static void count_wait(struct logical *l, uint32_t disk, uint64_t waited_ns)
{
    uint64_t room_ns = PATIENCE_NS - l->waited_ns[disk];
    l->waited_ns[disk] += waited_ns < room_ns ? waited_ns : room_ns;
}

static void give_up(struct logical *l, uint32_t disk)
{
    l->silent |= 1u << disk;
    plat_report(REPORT_DETECTED, (uint64_t)-E_TIMEOUT, disk);
}

static enum err send_call(struct logical *l, struct call *call)
{
    struct msg m;
    ASSERT(call->disk < DISKS_MAX);
    call->request.session = l->session;
    call->id = ++l->next_id;
    call->sent = true;
    object_request_pack(&m, call->id, &call->request);
    enum err e = plat_post(l->endpoint[call->disk], &m);
    if (e == E_FULL)
        e = plat_send(l->endpoint[call->disk], &m);
    return e == OK ? OK : E_SESSION;
}

static enum err receive_answer(struct logical *l, const struct call *call, struct msg *m,
                               uint64_t deadline_ns)
{
    uint32_t from = l->endpoint[call->disk];
    uint32_t want = PROTO_OBJECT | (uint32_t)call->request.op | PROTO_REPLY;
    for (;;) {
        enum err e = proto_receive(from, m, deadline_ns);
        if (e != OK || (m->source == from && m->type == want && m->id == call->id))
            return e;
    }
}

/* Waits for the answer to this call; stale answers of the same physical are dropped. */
static enum err take_answer(struct logical *l, struct call *call)
{
    struct msg m;
    uint32_t disk = call->disk;
    uint64_t began_ns = plat_now();
    bool replaceable = others_stand_in(l, disk);
    enum err e = receive_answer(l, call, &m, began_ns + patience_ns(l, disk));
    uint64_t waited_ns = plat_now() - began_ns;
    count_wait(l, disk, waited_ns);
    if (e == E_TIMEOUT)
        plat_kill(LAYER_PHYSICAL, disk);
    if (e == E_TIMEOUT && replaceable) {
        give_up(l, disk);
        call->status = E_DEAD;
        call->done = true;
        return OK;
    }
    if (e != OK) {
        l->deaths[disk]++;
        return E_SESSION;
    }
    object_reply_unpack(&call->reply, &m);
    call->status = (enum err)m.status;
    if (call->status == E_DEAD && waited_ns >= BLOCK_TIMEOUT_NS && replaceable)
        give_up(l, disk);
    else if (call->status == E_DEAD)
        l->seen_dead |= 1u << disk;
    call->done = true;
    return call->status == E_SESSION ? E_SESSION : OK;
}

/* Sends the first waiting call of each disk. Calls to silent disks are over at once. */
static enum err send_round(struct logical *l, struct call *calls, uint32_t count, uint32_t *left)
{
    uint32_t busy = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bit = 1u << calls[i].disk;
        if (calls[i].sent || (busy & bit) != 0)
            continue;
        if ((l->silent & bit) != 0) {
            calls[i].sent = calls[i].done = true;
            calls[i].status = E_DEAD;
            (*left)--;
            continue;
        }
        busy |= bit;
        enum err e = send_call(l, &calls[i]);
        if (e != OK)
            return e;
    }
    return OK;
}

static enum err run(struct logical *l, struct call *calls, uint32_t count)
{
    uint32_t left = count;
    for (uint32_t i = 0; i < count; i++) {
        calls[i].sent = calls[i].done = false;
        calls[i].status = E_INVAL;
    }
    while (left > 0) {
        enum err e = send_round(l, calls, count, &left);
        if (e != OK)
            return e;
        for (uint32_t i = 0; i < count; i++) {
            if (!calls[i].sent || calls[i].done)
                continue;
            e = take_answer(l, &calls[i]);
            if (e != OK)
                return e;
            left--;
        }
    }
    return OK;
}

/* Most of a request's time is spent here: the guard is renewed before, and verified after. */
enum err logical_calls_run(struct logical *l, struct call *calls, uint32_t count)
{
    logical_core_seal(l);
    enum err e = run(l, calls, count);
    logical_core_check(l);
    return e;
}

enum err logical_calls_one(struct logical *l, struct call *call)
{
    return logical_calls_run(l, call, 1);
}

enum err logical_calls_all(struct logical *l, uint32_t mask, const struct object_request *request,
                           uint32_t *count)
{
    *count = 0;
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        if ((mask >> k & 1) != 0)
            l->call[(*count)++] = (struct call){.disk = k, .request = *request};
    return logical_calls_run(l, l->call, *count);
}

/* ---- Disks that fail ------------------------------------------------------------------------- */

bool logical_disk_failed(enum err status)
{
    return status == E_DEAD || status == E_MEDIA;
}

enum err logical_flush_disks(struct logical *l, uint32_t mask)
{
    uint32_t count;
    struct object_request request = {.op = OBJECT_FLUSH};
    enum err e = logical_calls_all(l, mask & l->core.members, &request, &count);
    if (e != OK)
        return e;
    uint32_t failed = 0;
    for (uint32_t i = 0; i < count; i++)
        if (l->call[i].status != OK)
            failed |= 1u << l->call[i].disk;
    l->core.unflushed &= ~(mask & ~failed);
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        if ((failed >> k & 1) != 0) {
            e = logical_disk_drop(l, k);
            if (e != OK)
                return e;
        }
    return OK;
}

enum err logical_disk_drop(struct logical *l, uint32_t disk)
{
    uint32_t bit = 1u << disk;
    if ((l->core.members & bit) == 0)
        return OK;
    if ((l->core.members & ~l->core.rebuilding & ~bit) == 0 && (l->core.rebuilding & bit) == 0)
        return E_MEDIA; /* the last one: what is being rebuilt is not whole */
    logical_members_left(l, disk);
    if (PLANTED(PLANTED_NO_FLUSH_ON_LOSS))
        return OK;
    /* What the lost disk held whole, the others may hold only in a write cache. */
    return logical_flush_disks(l, l->core.members);
}
