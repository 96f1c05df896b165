/*
 * Walking over all objects, for what goes on in the background: which one is next, what is known of
 * it, and what its copies hold.
 */
#include "logical.h"

#include "assertion.h"

enum err logical_walk_next(struct logical *l, uint32_t mask, uint64_t from, uint64_t *oid)
{
    struct object_request request = {.op = OBJECT_NEXT, .oid = from};
    uint32_t count, dead = 0;
    bool unreadable = false, found = false;
    enum err e = logical_calls_all(l, mask & l->core.members, &request, &count);
    for (uint32_t i = 0; i < count && e == OK; i++) {
        const struct call *call = &l->call[i];
        dead |= call->status == E_DEAD ? 1u << call->disk : 0;
        unreadable |= call->status != OK && call->status != E_NOENT;
        if (call->status != OK || (found && call->reply.oid >= *oid))
            continue;
        *oid = call->reply.oid;
        found = true;
    }
    for (uint32_t k = 0; k < DISKS_MAX && e == OK && dead != 0; k++)
        if ((dead >> k & 1) != 0 && logical_disk_drop(l, k) == E_SESSION)
            e = E_SESSION;
    if (e != OK || found)
        return e;
    return unreadable ? E_AGAIN : E_NOENT;
}

enum err logical_walk_attributes(struct logical *l, const struct entry *entry,
                                 struct object_reply *reply, uint64_t *end)
{
    uint32_t told = 0;
    *end = 0;
    for (uint32_t k = 0; k < entry->count; k++) {
        struct call call = {.disk = entry->disk[k],
                            .request = {.op = OBJECT_GETATTR, .oid = entry->oid}};
        if (!logical_entry_whole(l, entry, k))
            continue;
        enum err e = logical_calls_one(l, &call);
        if (e != OK)
            return e;
        if (call.status != OK)
            continue; /* another copy, or read-repair, deals with it */
        *end = call.reply.epoch > *end ? call.reply.epoch : *end;
        *reply = call.reply;
        told++;
    }
    if (told == 0)
        return E_NOENT;
    return told + logical_place_spares(entry) < entry->count ? E_LOST : OK;
}
