/*
 * Going back to a checkpoint, and making an empty layout.
 *
 * ROOTS: everything volatile is dropped; fence, flush (what is only in the drive's cache is not
 * there yet), read both slots and the intents. ADOPT: void the dead roots; rewrite the chosen one
 * with its new incarnation, and load the tree. INTENTS: which blocks may differ from it.
 */
#include "physical.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "planted.h"

/* ---- Beginning anew -------------------------------------------------------------------------- */

static void forget(struct physical *p)
{
    p->active = false;
    phys_node_reset(p);
    for (uint32_t k = 0; k < p->layout.groups; k++) {
        struct group *g = &p->group[k];
        *g = (struct group){.last = g->last};
    }
    memset(&p->core, 0, sizeof(p->core));
    memset(&p->ring, 0, sizeof(p->ring));
    p->ring_changed = true;
    memset(p->found, 0, sizeof(p->found));
    p->window.blocks = 0;
    phys_node_seal_found(p);
    p->highest_epoch = 0;
    p->highest_lsn = 0;
    phys_intent_clear_durable(p);
}

/* Finds the disk, the first time and when it or its driver had been given up. */
static enum err identify(struct physical *p)
{
    struct block_identity identity;
    struct layout layout;
    if (p->identified && !p->client.gone)
        return OK;
    memset(&layout, 0, sizeof(layout)); /* its guard goes over the padding too */
    enum err e = block_client_init(&p->client, LAYER_DRIVER, p->disk, &identity);
    p->client.replaceable = p->replaceable;
    if (e == OK && (identity.sector_bytes < SECTOR_BYTES || identity.sector_bytes > BLOCK_BYTES))
        e = E_INVAL; /* a block is whole sectors */
    if (e == OK)
        e = phys_layout_init(&layout, identity.sectors / (BLOCK_BYTES / SECTOR_BYTES), p->log,
                             p->copies);
    if (e == OK && p->identified && layout.groups != p->layout.groups) {
        p->client.gone = true; /* another disk in its place: memory is laid out for the first */
        e = E_INVAL;
    }
    if (e != OK)
        return e;
    p->sector_bytes = identity.sector_bytes;
    p->layout = layout;
    p->layout_guard = plat_crc32c(&p->layout, sizeof(p->layout));
    if (p->identified)
        return OK;
    p->group = plat_alloc(p->layout.groups * sizeof(p->group[0]), TAG_HEAP);
    if (p->group == NULL)
        return E_FULL;
    p->identified = true;
    return OK;
}

static enum err begin(struct physical *p, uint32_t session)
{
    if (session < p->session)
        return E_SESSION;
    p->session = session;
    enum err e = identify(p);
    if (e != OK)
        return e;
    forget(p);
    phys_node_wait(p);
    e = block_fence(&p->client);
    phys_node_woke(p);
    if (e == OK && !PLANTED(PLANTED_NO_FLUSH_IN_RESTORE))
        e = phys_io_flush(p);
    return e;
}

/* ---- Roots ----------------------------------------------------------------------------------- */

static bool newer(const struct object_root *a, const struct object_root *b)
{
    return a->epoch != b->epoch ? a->epoch > b->epoch : a->rev > b->rev;
}

static bool is_void(const uint8_t raw[FORMAT_ROOT_BYTES])
{
    return raw[0] == 0 && memcmp(raw, raw + 1, FORMAT_ROOT_BYTES - 1) == 0;
}

static enum err read_copy(struct physical *p, uint32_t slot, uint32_t copy)
{
    uint8_t raw[FORMAT_ROOT_BYTES];
    struct root root;
    struct found_root *found = &p->found[slot];
    uint64_t sector = phys_layout_root_sector(&p->layout, slot, copy);
    enum err e = phys_io_sector(p, BLOCK_READ, sector, raw);
    if (e == E_DEAD)
        return E_DEAD;
    bool empty = e == OK && is_void(raw);
    if (e == OK)
        e = phys_root_decode(&root, raw, sector);
    if (e == E_VERSION)
        return E_VERSION;
    found->bad |= e != OK && !empty;
    if (e != OK || root.blocks != p->layout.blocks ||
        root.intent_blocks != p->layout.intent_blocks || root.log_blocks != p->layout.log_blocks ||
        root.copies != p->layout.copies || root.id.self != p->disk)
        return OK; /* no root, or another disk's: a slot holds its newest valid copy */
    if (!found->valid || newer(&root.id, &found->root.id)) {
        found->valid = true;
        found->root = root;
    }
    if (root.id.epoch > p->highest_epoch)
        p->highest_epoch = root.id.epoch;
    if (root.id.lsn > p->highest_lsn)
        p->highest_lsn = root.id.lsn;
    return OK;
}

/* The slot of the newest root, or 2. */
static uint32_t newest_slot(const struct physical *p)
{
    uint32_t best = 2;
    for (uint32_t slot = 0; slot < 2; slot++)
        if (p->found[slot].valid &&
            (best == 2 || newer(&p->found[slot].root.id, &p->found[best].root.id)))
            best = slot;
    return best;
}

enum err phys_restore_roots(struct physical *p, const struct object_request *request,
                            uint32_t source, struct object_reply *reply)
{
    uint8_t raw[OBJECT_ROOTS_MAX * OBJECT_ROOT_BYTES];
    uint32_t count = 0;
    enum err e = begin(p, request->session);
    for (uint32_t k = 0; k < 4 && e == OK; k++)
        e = read_copy(p, k / 2, k % 2);
    phys_node_seal_found(p);
    uint32_t best = newest_slot(p);
    if (e == OK && best < 2)
        e = phys_intent_scan(p, p->found[best].root.id.disk_uuid, false);
    if (e == OK && best < 2)
        e = phys_log_scan(p, p->found[best].root.id.disk_uuid);
    if (e != OK)
        return e;
    phys_node_check_found(p);
    for (uint32_t slot = 0; slot < 2; slot++)
        if (p->found[slot].bad && !p->found[slot].valid)
            reply->flags |= OBJECT_ROOT_DAMAGED;
    for (uint32_t k = 0; k < 2 && best < 2; k++) {
        struct found_root *found = &p->found[k == 0 ? best : 1 - best];
        if (!found->valid)
            continue;
        found->root.id.highest_epoch = p->highest_epoch;
        found->root.id.highest_lsn = p->highest_lsn;
        object_root_encode(raw + (size_t)count++ * OBJECT_ROOT_BYTES, &found->root.id);
    }
    phys_node_seal_found(p);
    reply->moved = count * OBJECT_ROOT_BYTES;
    plat_probe(PROBE_PHYS_ROOTS_READ);
    return count == 0 ? OK
                      : plat_copy_out(source, request->grant_data, 0, raw,
                                      (size_t)count * OBJECT_ROOT_BYTES);
}

/* ---- Adopting -------------------------------------------------------------------------------- */

/* Every slot but one with a root of `epoch` or below: a dead root, or half of one. */
static enum err void_dead(struct physical *p, uint64_t epoch)
{
    for (uint32_t slot = 0; slot < 2; slot++) {
        const struct found_root *found = &p->found[slot];
        if ((found->valid && found->root.id.epoch <= epoch) || PLANTED(PLANTED_DEAD_ROOT_KEPT))
            continue;
        enum err e = phys_root_void(p, slot);
        if (e != OK)
            return e;
    }
    return OK;
}

static void load_core(struct physical *p, uint32_t slot)
{
    const struct root *root = &p->found[slot].root;
    struct core *core = &p->core;
    p->identity.id = root->id;
    phys_node_seal_identity(p);
    memcpy(core->disk_uuid, root->id.disk_uuid, sizeof(core->disk_uuid));
    core->released = root->id.epoch;
    core->prepared = root->id.epoch;
    core->live_slot = slot;
    core->used_data = root->used_data;
    core->used_slots = root->used_slots;
    core->height = root->height;
    core->data_group = root->data_group % p->layout.groups;
    core->slot_group = root->slot_group % p->layout.groups;
    if (root->intent_head > core->intent_head)
        core->intent_head = root->intent_head;
    memcpy(core->inodes, root->inodes, FORMAT_POINTER_BYTES);
    phys_space_reset(p);
    phys_intent_release(p);
}

static enum err adopt_slot(struct physical *p, uint32_t slot, const struct object_root *id)
{
    struct node *leaf;
    uint8_t *inode;
    struct root root = p->found[slot].root;
    load_core(p, slot);
    enum err e = phys_tree_object(p, OID_MAP, &leaf, &inode);
    if (e != OK)
        return e == E_NOENT ? E_CORRUPT : e; /* the top of the tree is bad: a flush that lied */
    root.id.rev = id->rev;
    root.id.members = id->members;
    root.id.incarnation = id->incarnation;
    root.id.clean = id->clean;
    memcpy(root.id.ancestor, id->ancestor, sizeof(root.id.ancestor));
    root.id.rebuilding = id->rebuilding;
    root.id.vacant = id->vacant;
    memcpy(root.id.generation, id->generation, sizeof(root.id.generation));
    p->identity = (struct identity){.id = root.id, .live = root};
    phys_node_seal_identity(p);
    e = phys_root_write(p, slot, &root);
    if (e != OK)
        return e;
    p->active = true;
    plat_probe(PROBE_PHYS_ADOPTED);
    return OK;
}

/* Nothing is adopted, and the next ROOTS forgets what was read. */
static enum err walk_slot(struct physical *p, uint32_t slot)
{
    phys_node_reset(p);
    load_core(p, slot);
    return phys_walk_tree(p);
}

enum err phys_restore_adopt(struct physical *p, const struct object_request *request,
                            const struct object_root *id)
{
    phys_node_check_found(p);
    if (request->size == OBJECT_ADOPT_VOID)
        return void_dead(p, request->epoch);
    bool walk = request->size == OBJECT_ADOPT_WALK;
    if ((request->size != OBJECT_ADOPT_LOAD && !walk) || id->epoch != request->epoch || p->active)
        return E_INVAL;
    for (uint32_t slot = 0; slot < 2; slot++)
        if (p->found[slot].valid && p->found[slot].root.id.epoch == request->epoch)
            return walk ? walk_slot(p, slot) : adopt_slot(p, slot, id);
    return E_INVAL;
}

/* ---- Intents --------------------------------------------------------------------------------- */

enum err phys_restore_intents(struct physical *p, const struct object_request *request,
                              uint32_t source, struct object_reply *reply)
{
    struct object_intent found[FORMAT_INTENTS];
    size_t room = request->length / OBJECT_INTENT_BYTES;
    size_t limit = (size_t)OBJECT_BATCH_MAX_BLOCKS * BLOCK_BYTES / OBJECT_INTENT_BYTES;
    size_t used = 0;
    uint32_t at = (uint32_t)request->offset;
    if (request->offset >= p->layout.intent_blocks || room < FORMAT_INTENTS)
        return E_INVAL;
    room = room < limit ? room : limit;
    enum err redone = at == 0 ? phys_intent_redo(p) : OK;
    if (redone != OK)
        return redone;
    for (; at < p->layout.intent_blocks && used + FORMAT_INTENTS <= room; at++) {
        uint32_t count;
        enum err e = phys_intent_collect(p, at, found, &count);
        if (e != OK)
            return e;
        for (uint32_t i = 0; i < count; i++)
            object_intent_encode(p->batch + OBJECT_INTENT_BYTES * used++, &found[i]);
    }
    reply->size = at < p->layout.intent_blocks ? at : 0; /* where to go on, 0: that was all */
    reply->moved = (uint32_t)(used * OBJECT_INTENT_BYTES);
    if (used == 0)
        return OK;
    return plat_copy_out(source, request->grant_data, 0, p->batch, used * OBJECT_INTENT_BYTES);
}

/* ---- Formatting ------------------------------------------------------------------------------ */

/* Group 0, the first leaf, and in it the inode of the map. */
static enum err make_tree(struct physical *p)
{
    struct node *map, *leaf;
    uint64_t address;
    enum err e = phys_node_new(p, OID_MAP, 0, 0, phys_layout_group_start(&p->layout, 0), &map);
    if (e == OK)
        e = phys_space_group_make(p, 0, map);
    if (e == OK)
        e = phys_space_slot(p, true, &address);
    if (e == OK)
        e = phys_node_new(p, OID_INODES, 0, 0, address, &leaf);
    if (e != OK)
        return e;
    struct pointer to = {.address = address, .birth = leaf->birth};
    phys_pointer_encode(p->core.inodes, &to);
    uint8_t *inode = leaf->raw + FORMAT_HEAD_BYTES + FORMAT_INODE_BYTES * OID_MAP;
    put_le64(inode + INODE_OID, OID_MAP);
    put_le32(inode + INODE_FLAGS, OBJECT_META);
    to = (struct pointer){.address = map->address, .birth = map->birth};
    phys_pointer_encode(inode + INODE_POINTER(0), &to);
    phys_node_adopt_child(p, map, leaf);
    return OK;
}

enum err phys_restore_format(struct physical *p, const struct object_request *request,
                             const struct object_root *id)
{
    struct object_reply ignored = {.oid = 0};
    enum err e = begin(p, request->session);
    if (e == OK && id->epoch != request->epoch)
        e = E_INVAL;
    for (uint32_t slot = 0; slot < 2 && e == OK; slot++)
        e = phys_root_void(p, slot);
    if (e == OK)
        e = phys_intent_scan(p, id->disk_uuid, true);
    if (e == OK)
        e = phys_log_wipe(p);
    if (e != OK)
        return e;
    p->identity.id = *id;
    p->identity.id.self = p->disk;
    phys_node_seal_identity(p);
    memcpy(p->core.disk_uuid, id->disk_uuid, sizeof(p->core.disk_uuid));
    p->core.live_slot = 1; /* the first root goes to slot 0 */
    phys_space_reset(p);
    e = make_tree(p);
    if (e == OK)
        e = phys_checkpoint_prepare(p, request, id, &ignored);
    if (e == OK)
        e = phys_checkpoint_release(p, request->epoch);
    p->active = e == OK;
    return e;
}
