/*
 * The log of fsync=log on the disks: every member has all of it, whatever level objects have.
 *
 * A segment is taken only if the last root lists exactly the members that will have it: else a
 * disk that left could come back beside a root that still lists it, and know nothing of groups that
 * were acknowledged. So a disk that fails meanwhile leaves the pool, and the cache makes a
 * checkpoint instead.
 *
 * At a start each segment is read from any member that has it whole. A group that some have and
 * others have not was never acknowledged; taken or not, all disks are equal after the checkpoint
 * that the cache makes of it.
 */
#include "logical.h"

#include "assertion.h"
#include "planted.h"

static bool takes_segments(const struct logical *l, const struct object_request *request)
{
    return l->settled && !l->in_pause && !l->core.new_members && request->epoch == l->core.epoch;
}

/* Disks that are dead leave the pool. What the segment came to. */
static enum err judge(struct logical *l, uint32_t count)
{
    uint32_t dead = 0;
    enum err result = OK;
    for (uint32_t i = 0; i < count; i++) {
        enum err e = l->call[i].status;
        dead |= e == E_DEAD ? 1u << l->call[i].disk : 0;
        if (e != OK && result != E_AGAIN)
            result = e == E_FULL ? E_FULL : E_AGAIN;
    }
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        if ((dead >> k & 1) != 0 && logical_disk_drop(l, k) == E_SESSION)
            return E_SESSION;
    return result;
}

enum err logical_log_write(struct logical *l, const struct object_request *request, uint32_t source,
                           struct object_reply *reply)
{
    size_t blocks = (size_t)(request->length / BLOCK_BYTES);
    uint32_t count = 0;
    enum err e = OK;
    if (blocks == 0 || blocks > OBJECT_BATCH_MAX_BLOCKS || request->length % BLOCK_BYTES != 0)
        return E_INVAL;
    if (!takes_segments(l, request))
        return E_AGAIN;
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        if ((l->core.members >> k & 1) == 0)
            continue;
        struct object_request r = *request;
        uint32_t to = l->endpoint[k];
        r.grant_data = plat_grant_forward(to, source, request->grant_data, 0,
                                          (size_t)request->length, PLAT_GRANT_READ);
        r.grant_meta = plat_grant_forward(to, source, request->grant_meta, 0,
                                          blocks * OBJECT_LOG_CRC_BYTES, PLAT_GRANT_READ);
        l->call[count++] = (struct call){.disk = k, .request = r};
    }
    e = logical_calls_run(l, l->call, count);
    for (uint32_t i = 0; i < count; i++) {
        plat_revoke(l->call[i].request.grant_data);
        plat_revoke(l->call[i].request.grant_meta);
    }
    reply->moved = (uint32_t)request->length;
    return e == OK ? judge(l, count) : e;
}

/* The segment as one disk has it, straight into the caller's memory. */
static enum err read_from(struct logical *l, uint32_t disk, const struct object_request *request,
                          uint32_t source, struct object_reply *reply)
{
    uint32_t to = l->endpoint[disk];
    struct call call = {.disk = disk, .request = *request};
    call.request.grant_data =
        plat_grant_forward(to, source, request->grant_data, 0,
                           (size_t)OBJECT_BATCH_MAX_BLOCKS * BLOCK_BYTES, PLAT_GRANT_WRITE);
    call.request.grant_meta = plat_grant_forward(
        to, source, request->grant_meta, 0, OBJECT_BATCH_MAX_BLOCKS * (size_t)OBJECT_LOG_CRC_BYTES,
        PLAT_GRANT_WRITE);
    enum err e = logical_calls_one(l, &call);
    plat_revoke(call.request.grant_data);
    plat_revoke(call.request.grant_meta);
    if (e != OK)
        return e;
    *reply = call.reply;
    return call.status;
}

/* A disk that answers anything but a segment has none to give; a dead one is dropped later, by the
 * first request that needs it. */
enum err logical_log_read(struct logical *l, const struct object_request *request, uint32_t source,
                          struct object_reply *reply)
{
    if (l->settled || request->epoch != l->core.epoch)
        return E_NOENT;
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        if ((l->core.members >> k & 1) == 0)
            continue;
        enum err e = read_from(l, k, request, source, reply);
        if (e == OK || e == E_SESSION)
            return e;
    }
    *reply = (struct object_reply){.oid = 0};
    return E_NOENT;
}
