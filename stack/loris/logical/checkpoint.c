/*
 * The global checkpoint below the cache: the mapping goes down, then every disk prepares, all at a
 * time; when all have, it is durable. A disk that fails meanwhile is taken off the member list, and
 * the others get the same number again with the next rev, before anybody is told (L4).
 */
#include "logical.h"

#include "assertion.h"
#include "mem.h"
#include "planted.h"
#include "proto.h"

static uint64_t mix(uint64_t hash, uint64_t value)
{
    uint64_t z = (hash ^ value) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 29) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 32;
}

/*
 * Random, and mixed with all that it follows: a stream of chance that begins anew at each power-on
 * must not give two halves of a pool the same incarnation.
 */
void logical_new_incarnation(struct logical *l)
{
    uint64_t last = l->core.incarnation;
    uint64_t fresh = 0;
    l->core.new_members = false;
    if (PLANTED(PLANTED_OLD_INCARNATION))
        return;
    memmove(l->core.ancestor + 1, l->core.ancestor,
            (OBJECT_ANCESTORS - 1) * sizeof(l->core.ancestor[0]));
    l->core.ancestor[0] = last;
    while (fresh == 0 || fresh == last) {
        fresh = mix(mix(plat_random(), last), l->core.epoch);
        fresh = mix(mix(fresh, l->core.rev), l->core.members);
    }
    l->core.incarnation = fresh;
}

/* Who the pool is, into all of *root that is the same in every root of this incarnation. */
static void identify(const struct logical *l, struct object_root *root)
{
    root->valid = true;
    root->rev = l->core.rev;
    root->members = l->core.members;
    root->incarnation = l->core.incarnation;
    memcpy(root->pool_uuid, l->core.pool_uuid, sizeof(root->pool_uuid));
    memcpy(root->ancestor, l->core.ancestor, sizeof(root->ancestor));
    memcpy(root->generation, l->core.generation, sizeof(root->generation));
}

enum err logical_root_send(struct logical *l, struct object_root *root,
                           const struct object_request *request, uint32_t *failed)
{
    uint8_t raw[OBJECT_ROOT_BYTES];
    uint32_t count = 0;
    identify(l, root);
    object_root_encode(raw, root);
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        if ((l->core.members >> k & 1) == 0)
            continue;
        struct call *call = &l->call[count++];
        *call = (struct call){.disk = k, .request = *request};
        call->request.rev = l->core.rev;
        call->request.members = l->core.members;
        call->request.grant_data = proto_grant(l->endpoint[k], raw, sizeof(raw), PLAT_GRANT_READ);
    }
    enum err e = logical_calls_run(l, l->call, count);
    for (uint32_t i = 0; i < count; i++) {
        plat_revoke(l->call[i].request.grant_data);
        if (e == OK && l->call[i].status != OK)
            *failed |= 1u << l->call[i].disk;
    }
    return e;
}

/* PREPARE on all members; *failed: disks that could not. */
static enum err prepare_all(struct logical *l, uint64_t epoch, uint64_t lsn, bool clean,
                            uint32_t *failed)
{
    struct object_root root = {.clean = clean,
                               .epoch = epoch,
                               .lsn = lsn,
                               .rebuilding = l->core.rebuilding & ~l->core.whole,
                               .vacant = l->core.vacant & ~l->core.refilled};
    struct object_request request = {.op = OBJECT_PREPARE, .epoch = epoch, .lsn = lsn};
    *failed = 0;
    return logical_root_send(l, &root, &request, failed);
}

enum err logical_checkpoint_prepare(struct logical *l, uint64_t epoch, uint64_t lsn, bool clean)
{
    uint32_t failed = 0;
    if (epoch <= l->core.epoch)
        return epoch == l->core.epoch ? OK : E_INVAL;
    if (l->core.prepared > l->core.epoch)
        return epoch == l->core.prepared ? OK : E_INVAL;
    if (lsn > l->core.highest_lsn)
        l->core.highest_lsn = lsn;
    if (epoch > l->core.highest_epoch)
        l->core.highest_epoch = epoch;
    l->want_checkpoint = false;
    enum err e = logical_mapping_write_all(l, lsn);
    if (e != OK)
        return e;
    l->in_pause = true;
    logical_rebuild_prepare(l);
    l->core.rev = 1;
    if (l->core.new_members)
        logical_new_incarnation(l);
    do {
        e = prepare_all(l, epoch, lsn, clean, &failed);
        if (e != OK)
            return e;
        plat_probe(PROBE_CKPT_ONE_PREPARED);
        for (uint32_t k = 0; k < DISKS_MAX && e == OK; k++)
            if ((failed >> k & 1) != 0)
                e = logical_disk_drop(l, k);
        if (e != OK) {
            l->active = false; /* some have prepared: only a restore says what holds */
            return E_SESSION;
        }
        l->core.rev++;
        if (l->core.new_members)
            logical_new_incarnation(l);
    } while (failed != 0 && !PLANTED(PLANTED_LOST_MEMBER_LISTED));
    l->core.prepared = epoch;
    l->core.prepared_list = l->core.members;
    l->core.unflushed = 0;
    plat_probe(PROBE_CKPT_ALL_PREPARED);
    return OK;
}

enum err logical_checkpoint_release(struct logical *l, uint64_t epoch)
{
    uint32_t count;
    struct object_request request = {.op = OBJECT_RELEASE, .epoch = epoch};
    if (epoch <= l->core.epoch)
        return OK;
    if (epoch != l->core.prepared)
        return E_INVAL;
    enum err e = logical_calls_all(l, l->core.members, &request, &count);
    if (e != OK)
        return e;
    plat_probe(PROBE_CKPT_ONE_RELEASED);
    for (uint32_t i = 0; i < count; i++)
        if (l->call[i].status != OK)
            return E_SESSION; /* it is durable, but who holds what must be found out */
    l->core.epoch = l->durable = epoch;
    l->in_pause = false;
    logical_background_released(l);
    logical_rebuild_release(l);
    return OK;
}
