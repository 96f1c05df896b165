/*
 * Roots, and the checkpoint: PREPARE writes metadata bottom-up to unused twins, flushes, and writes
 * the root to the slot not in use, one copy after the other; RELEASE makes it the one to go back
 * to, in memory only.
 *
 * Order, and why: the metadata are flushed before the root, since the drive may reorder; the first
 * copy is flushed before the second is touched, so that one copy of the slot is always whole; both
 * are read back, since a lost or misdirected write of a root is seen by no parent. So are the zeros
 * that void a dead root: one that stayed would be complete again when its other disks are absent.
 */
#include "physical.h"

#include "assertion.h"
#include "mem.h"
#include "planted.h"

#define ROOT_TRIES 5u /* as many as the block client's */

/* The bytes of one copy; root NULL: of a void one, which is zeros. */
static void fill_copy(uint8_t raw[FORMAT_ROOT_BYTES], const struct root *root, uint64_t sector)
{
    memset(raw, 0, FORMAT_ROOT_BYTES);
    if (root != NULL)
        phys_root_encode(raw, root, sector);
}

static enum err write_copy(struct physical *p, uint32_t slot, uint32_t copy,
                           const struct root *root)
{
    uint8_t raw[FORMAT_ROOT_BYTES];
    uint64_t sector = phys_layout_root_sector(&p->layout, slot, copy);
    fill_copy(raw, root, sector);
    enum err e = phys_io_sector(p, BLOCK_WRITE, sector, raw);
    return e == OK ? phys_io_flush(p) : e;
}

static enum err read_back(struct physical *p, uint32_t slot, const struct root *root)
{
    uint8_t want[FORMAT_ROOT_BYTES], got[FORMAT_ROOT_BYTES];
    for (uint32_t copy = 0; copy < 2; copy++) {
        uint64_t sector = phys_layout_root_sector(&p->layout, slot, copy);
        fill_copy(want, root, sector);
        enum err e = phys_io_sector(p, BLOCK_READ, sector, got);
        if (e == OK && memcmp(want, got, sizeof(want)) != 0)
            e = E_CORRUPT;
        if (e != OK)
            return e;
    }
    return OK;
}

/* root NULL: voids both copies. */
static enum err write_slot(struct physical *p, uint32_t slot, const struct root *root)
{
    enum err e = E_MEDIA;
    for (uint32_t attempt = 0; attempt < ROOT_TRIES; attempt++) {
        e = write_copy(p, slot, 0, root);
        if (e == OK && root != NULL)
            plat_probe(PROBE_PHYS_ROOT_1);
        if (e == OK)
            e = write_copy(p, slot, 1, root);
        if (e == OK && root != NULL)
            plat_probe(PROBE_PHYS_ROOT_2);
        if (e == OK && !PLANTED(PLANTED_NO_READ_BACK))
            e = read_back(p, slot, root);
        if (e == OK || e == E_DEAD)
            return e;
        plat_report(REPORT_DETECTED, (uint64_t) - (int)e, slot);
    }
    return E_MEDIA;
}

enum err phys_root_write(struct physical *p, uint32_t slot, const struct root *root)
{
    ASSERT(root != NULL);
    return write_slot(p, slot, root);
}

enum err phys_root_void(struct physical *p, uint32_t slot)
{
    return write_slot(p, slot, NULL);
}

/* The root of the tree as it is, under the identity that logical gives. */
static void make_root(struct physical *p, const struct object_root *id, struct root *root)
{
    const struct core *core = &p->core;
    struct object_root *own = &phys_node_identity(p)->id;
    own->epoch = id->epoch;
    own->rev = id->rev;
    own->lsn = id->lsn;
    own->members = id->members;
    own->incarnation = id->incarnation;
    own->clean = id->clean;
    memcpy(own->ancestor, id->ancestor, sizeof(own->ancestor));
    own->rebuilding = id->rebuilding;
    own->vacant = id->vacant;
    memcpy(own->generation, id->generation, sizeof(own->generation));
    phys_node_seal_identity(p);
    *root = (struct root){.id = *own,
                          .blocks = p->layout.blocks,
                          .intent_head = core->intent_head,
                          .used_data = core->used_data,
                          .used_slots = core->used_slots,
                          .height = core->height,
                          .data_group = core->data_group,
                          .slot_group = core->slot_group,
                          .intent_blocks = p->layout.intent_blocks,
                          .log_blocks = p->layout.log_blocks,
                          .copies = p->layout.copies};
    memcpy(root->inodes, core->inodes, FORMAT_POINTER_BYTES);
}

static enum err write_tree(struct physical *p, const struct object_root *id, uint32_t slot,
                           uint32_t *written)
{
    struct root root;
    enum err e = OK;
    *written = phys_node_collect(p);
    if (PLANTED(PLANTED_ROOT_BEFORE_CHILDREN)) {
        make_root(p, id, &root);
        e = phys_root_write(p, slot, &root);
    }
    if (e == OK)
        e = phys_node_write_collected(p, *written);
    if (e == OK && !PLANTED(PLANTED_NO_FLUSH_BEFORE_ROOT))
        e = phys_io_flush(p);
    if (e != OK)
        return e;
    plat_probe(PROBE_PHYS_META_FLUSHED);
    make_root(p, id, &root);
    p->identity.live = root;
    phys_node_seal_identity(p);
    return phys_root_write(p, slot, &root);
}

/* Logical's own identity of the checkpoint, or a new member list for one that is prepared (L4). */
static enum err prepare_again(struct physical *p, const struct object_root *id)
{
    struct root root = phys_node_identity(p)->live;
    if (id->rev == root.id.rev)
        return OK;
    if (id->rev < root.id.rev)
        return E_INVAL;
    struct object_root mine = root.id;
    root.id = *id;
    root.id.self = mine.self;
    memcpy(root.id.disk_uuid, mine.disk_uuid, sizeof(mine.disk_uuid));
    memcpy(root.id.pool_uuid, mine.pool_uuid, sizeof(mine.pool_uuid));
    p->identity = (struct identity){.id = root.id, .live = root};
    phys_node_seal_identity(p);
    return phys_root_write(p, 1 - p->core.live_slot, &root);
}

enum err phys_checkpoint_prepare(struct physical *p, const struct object_request *request,
                                 const struct object_root *id, struct object_reply *reply)
{
    uint32_t written = 0;
    enum err e;
    if (id->epoch != request->epoch)
        return E_INVAL;
    if (request->epoch <= p->core.released)
        return request->epoch == p->core.released ? OK : E_INVAL; /* done long since */
    if (p->core.prepared > p->core.released) {
        e = request->epoch == p->core.prepared ? prepare_again(p, id) : E_INVAL;
    } else {
        e = write_tree(p, id, 1 - p->core.live_slot, &written);
        if (e == OK)
            p->core.prepared = request->epoch;
    }
    if (e == E_MEDIA || e == E_DEAD)
        p->active = false; /* what is on the disk and what is in memory may differ now */
    reply->blocks = written;
    return e;
}

enum err phys_checkpoint_release(struct physical *p, uint64_t epoch)
{
    if (epoch <= p->core.released)
        return OK;
    if (epoch != p->core.prepared)
        return E_INVAL;
    p->core.released = epoch;
    p->core.live_slot = 1 - p->core.live_slot;
    phys_space_release(p);
    phys_intent_release(p);
    phys_log_release(p);
    return OK;
}
