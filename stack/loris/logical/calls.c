/*
 * Requests to physicals: at most one outstanding at each, several physicals at a time; and what
 * becomes of a disk that cannot serve any more.
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

/* Waits for the answer to this call; stale answers of the same physical are dropped. */
static enum err take_answer(struct logical *l, struct call *call)
{
    uint32_t from = l->endpoint[call->disk];
    uint32_t want = PROTO_OBJECT | (uint32_t)call->request.op | PROTO_REPLY;
    uint64_t deadline = plat_now() + PHYSICAL_CALL_NS;
    struct msg m;
    for (;;) {
        enum err e = proto_receive(from, &m, deadline);
        if (e == E_TIMEOUT)
            plat_kill(LAYER_PHYSICAL, call->disk);
        if (e != OK) {
            l->deaths[call->disk]++;
            return E_SESSION;
        }
        if (m.source == from && m.type == want && m.id == call->id)
            break;
    }
    object_reply_unpack(&call->reply, &m);
    call->status = (enum err)m.status;
    if (call->status == E_DEAD)
        l->seen_dead |= 1u << call->disk;
    call->done = true;
    return call->status == E_SESSION ? E_SESSION : OK;
}

/* Sends the first waiting call of each disk. */
static enum err send_round(struct logical *l, struct call *calls, uint32_t count)
{
    uint32_t busy = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bit = 1u << calls[i].disk;
        if (calls[i].sent || (busy & bit) != 0)
            continue;
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
        enum err e = send_round(l, calls, count);
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
