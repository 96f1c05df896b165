/*
 * Requests of the cache. Everything but RESTORE needs a pool that was restored in the
 * present session.
 */
#include "logical.h"

#include "assertion.h"
#include "mem.h"

void logical_init(struct logical *l, const struct boot *boot)
{
    l->options = boot->options;
    l->format = boot->format && boot->incarnation == 0;
    for (uint32_t k = 0; k < DISKS_MAX && k < boot->options.disks; k++) {
        l->wire[k] = plat_alloc(WIRE_BYTES, TAG_HEAP);
        ASSERT(l->wire[k] != NULL);
    }
    l->data = plat_alloc((size_t)OBJECT_BATCH_MAX_BLOCKS * BLOCK_BYTES, TAG_PAGES);
    l->copies = plat_alloc((size_t)DISKS_MAX * BLOCK_BYTES, TAG_PAGES);
    l->mend = plat_alloc((size_t)MEND_BLOCKS * BLOCK_BYTES, TAG_PAGES);
    ASSERT(l->data != NULL && l->copies != NULL && l->mend != NULL);
    l->scrub.next_pass_ns = plat_now() + l->options.scrub_ns;
    logical_core_seal(l);
}

static enum err serve_pool(struct logical *l, const struct object_request *request, uint32_t source,
                           struct object_reply *reply)
{
    if (!l->active || request->session != l->session)
        return E_SESSION;
    switch (request->op) {
    case OBJECT_CREATE:
    case OBJECT_DELETE:
    case OBJECT_TRUNCATE:
    case OBJECT_SETATTR:
        return l->in_pause ? E_INVAL : logical_objects_serve(l, request, reply);
    case OBJECT_GETATTR:
        return logical_objects_serve(l, request, reply);
    case OBJECT_READ:
        return logical_read_serve(l, request, source, reply);
    case OBJECT_WRITE:
        return l->in_pause ? E_INVAL : logical_write_serve(l, request, source, reply);
    case OBJECT_STATFS:
        return logical_objects_statfs(l, reply);
    case OBJECT_FLUSH:
        return logical_flush_disks(l, l->core.members);
    case OBJECT_PREPARE:
        return logical_checkpoint_prepare(l, request->epoch, request->lsn,
                                          (request->flags & OBJECT_CLEAN) != 0);
    case OBJECT_RELEASE:
        return logical_checkpoint_release(l, request->epoch);
    case OBJECT_LOG_WRITE:
        return logical_log_write(l, request, source, reply);
    case OBJECT_LOG_READ:
        return logical_log_read(l, request, source, reply);
    default:
        return E_INVAL;
    }
}

enum err logical_serve(struct logical *l, const struct msg *m, struct object_reply *reply)
{
    struct object_request request;
    memset(reply, 0, sizeof(*reply));
    enum err e = object_request_unpack(&request, m);
    if (e != OK)
        return e;
    logical_core_check(l);
    memset(l->waited_ns, 0, sizeof(l->waited_ns));
    bool restore = request.op == OBJECT_RESTORE;
    if (restore && request.session < l->session)
        e = E_SESSION;
    else if (restore)
        e = logical_restore_serve(l, &request, m->source, reply);
    else
        e = serve_pool(l, &request, m->source, reply);
    if (l->damages > 0 && l->active && !l->in_pause && e != E_SESSION) {
        enum err mended = logical_objects_mend_neighbours(l);
        e = mended == OK ? e : mended;
    }
    if (e == E_SESSION && request.session == l->session)
        l->active = false; /* who holds what is unknown until the next restore */
    if (l->want_checkpoint && l->active && request.op != OBJECT_GETATTR)
        reply->flags |= OBJECT_NEED_CHECKPOINT;
    if (l->migrate.took && l->active)
        reply->flags |= OBJECT_LESS_ROOM;
    l->migrate.took = false;
    logical_core_seal(l);
    reply->session = l->session;
    return e;
}
