/*
 * Metadata blocks in memory: inode leaves, tree nodes and map blocks, as they are on disk. What the
 * pool knows of each is under a guard, a checksum, and so is each of the eight pieces of the block:
 * verified when a request first looks there and renewed when the request that changed it ends. A
 * mismatch is memory that nobody may believe, and the process crashes on purpose (rollback and
 * replay repair it). A piece that nobody looks at costs nothing.
 *
 * A block that changes goes to the twin of the place where the released checkpoint has it:
 * birth > released: that place again, else the other.
 *
 * Invariants:
 *   (1) used nodes are in exactly one hash chain; dirty ones in the dirty list of their rank;
 *   (2) parent->children counts the used nodes that have this parent; a node with children stays;
 *   (3) a node that was never written is dirty, and its parent's pointer names its slot.
 */
#include "physical.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "planted.h"

#define RELOCATIONS_MAX 4u /* rounds of new slots for nodes whose write failed */
#define CHUNK_FRAMES 64u   /* descriptions allotted at once: the pages between them stay together */

/* ---- Guards ---------------------------------------------------------------------------------- */

void phys_node_damaged(uint64_t place)
{
    plat_report(REPORT_DETECTED, (uint64_t)-E_CORRUPT, place);
    plat_panic(E_CORRUPT);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static uint32_t guard_of(const struct node *n)
{
    uint64_t h = mix(n->oid, n->index);
    h = mix(h, n->address);
    h = mix(h, (uint64_t)n->level << 32 | n->type);
    h = mix(h, (uint64_t)n->crc << 32 | n->birth);
    h = mix(h, (uint64_t)(uintptr_t)n->parent); /* compared with itself only */
    return (uint32_t)(mix(h, (uint64_t)n->children << 2 | (n->dirty ? 2u : 0u)) >> 16);
}

void phys_node_use(struct physical *p, struct node *n)
{
    if (n->stamp == p->stamp)
        return;
    ASSERT(n->used);
    if (p->meta_guard && n->guard != guard_of(n) && !PLANTED(PLANTED_GUARD_UNCHECKED))
        phys_node_damaged(n->address);
    n->stamp = p->stamp;
    n->seen = 0;
    n->recent = true;
    if (n->request == p->request)
        return;
    n->request = p->request;
    n->changed = false;
    n->touched_next = p->touched;
    p->touched = n;
}

static uint32_t piece_of(const struct node *n, size_t k)
{
    return plat_crc32c(n->raw + k * NODE_PIECE_BYTES, NODE_PIECE_BYTES);
}

/* The pieces that [at, at + bytes) of a block touches, a bit each. */
static uint32_t pieces(size_t at, size_t bytes)
{
    ASSERT(bytes > 0 && at < BLOCK_BYTES && bytes <= BLOCK_BYTES - at);
    size_t first = at / NODE_PIECE_BYTES, last = (at + bytes - 1) / NODE_PIECE_BYTES;
    return (2u << last) - (1u << first);
}

uint8_t *phys_node_see(struct physical *p, struct node *n, size_t at, size_t bytes)
{
    phys_node_use(p, n);
    uint32_t left = pieces(at, bytes) & ~(uint32_t)n->seen;
    for (; left != 0 && p->meta_guard; left &= left - 1) {
        size_t k = (size_t)__builtin_ctz(left);
        if (n->piece[k] != piece_of(n, k) && !PLANTED(PLANTED_GUARD_UNCHECKED))
            phys_node_damaged(n->address);
    }
    n->seen |= (uint8_t)pieces(at, bytes);
    return n->raw + at;
}

/* Renews the guards of what was changed since they were renewed last. */
static void seal(struct physical *p)
{
    for (struct node *n = p->touched; n != NULL; n = n->touched_next) {
        for (uint32_t left = p->meta_guard && n->used ? n->altered : 0; left != 0; left &= left - 1)
            n->piece[__builtin_ctz(left)] = piece_of(n, (size_t)__builtin_ctz(left));
        if (n->used && n->changed && p->meta_guard)
            n->guard = guard_of(n);
        n->changed = false;
        n->altered = 0;
    }
    if (p->meta_guard && p->ring_changed)
        p->ring_guard = plat_crc32c(&p->ring, sizeof(p->ring));
    p->ring_changed = false;
    if (p->meta_guard)
        p->core_guard = plat_crc32c(&p->core, sizeof(p->core));
}

static void check_core(const struct physical *p)
{
    if (!p->meta_guard)
        return;
    if (p->core_guard != plat_crc32c(&p->core, sizeof(p->core)) ||
        p->layout_guard != plat_crc32c(&p->layout, sizeof(p->layout)))
        phys_node_damaged(0);
}

void phys_node_seal_found(struct physical *p)
{
    p->found_guard = plat_crc32c(p->found, sizeof(p->found));
}

void phys_node_check_found(const struct physical *p)
{
    if (p->meta_guard && p->found_guard != plat_crc32c(p->found, sizeof(p->found)))
        phys_node_damaged(0);
}

void phys_node_seal_identity(struct physical *p)
{
    p->identity_guard = plat_crc32c(&p->identity, sizeof(p->identity));
}

struct identity *phys_node_identity(struct physical *p)
{
    if (p->meta_guard && p->identity_guard != plat_crc32c(&p->identity, sizeof(p->identity)))
        phys_node_damaged(0);
    return &p->identity;
}

void phys_node_begin(struct physical *p)
{
    check_core(p);
    p->stamp++;
    p->request++;
    p->touched = NULL;
}

void phys_node_end(struct physical *p)
{
    seal(p);
    p->touched = NULL;
    p->stamp++;
}

void phys_node_wait(struct physical *p)
{
    seal(p);
}

void phys_node_woke(struct physical *p)
{
    check_core(p);
    p->stamp++; /* what is used from now on is verified again */
}

/* ---- Chains and lists ------------------------------------------------------------------------ */

static struct bucket *bucket_of(struct physical *p, uint64_t oid, uint32_t level, uint64_t index)
{
    uint64_t h = mix(mix(mix(0, oid), level), index);
    return &p->bucket[(h >> 20) % BUCKETS];
}

struct node *phys_node_find(struct physical *p, uint64_t oid, uint32_t level, uint64_t index)
{
    struct bucket *b = bucket_of(p, oid, level, index);
    struct node *before = NULL;
    uint32_t walked = 0;
    for (struct node *n = b->first; n != NULL; n = n->chain_next) {
        ASSERT(n->chain_prev == before && walked < b->count);
        if (n->oid == oid && n->level == level && n->index == index) {
            phys_node_use(p, n);
            return n;
        }
        before = n;
        walked++;
    }
    ASSERT(walked == b->count); /* a flipped link must not hide a dirty node */
    return NULL;
}

static void chain_in(struct physical *p, struct node *n)
{
    struct bucket *b = bucket_of(p, n->oid, n->level, n->index);
    n->chain_prev = NULL;
    n->chain_next = b->first;
    if (b->first != NULL)
        b->first->chain_prev = n;
    b->first = n;
    b->count++;
}

static void chain_out(struct physical *p, struct node *n)
{
    struct bucket *b = bucket_of(p, n->oid, n->level, n->index);
    ASSERT(b->count > 0);
    if (n->chain_next != NULL)
        n->chain_next->chain_prev = n->chain_prev;
    if (n->chain_prev != NULL)
        n->chain_prev->chain_next = n->chain_next;
    else
        b->first = n->chain_next;
    b->count--;
}

static uint32_t rank_of(const struct node *n)
{
    if (n->type == TYPE_MAP)
        return 0;
    return n->oid == OID_INODES ? RANK_LEAF + n->level : n->level;
}

static void dirty_in(struct physical *p, struct node *n)
{
    struct node **list = &p->dirty[rank_of(n)];
    ASSERT(!n->dirty);
    n->dirty = true;
    n->dirty_prev = NULL;
    n->dirty_next = *list;
    if (*list != NULL)
        (*list)->dirty_prev = n;
    *list = n;
    p->dirty_nodes++;
    plat_page_state(n->raw, PAGE_DIRTY);
}

static void dirty_out(struct physical *p, struct node *n)
{
    ASSERT(n->dirty && p->dirty_nodes > 0);
    if (n->dirty_next != NULL) {
        ASSERT(n->dirty_next->dirty_prev == n);
        n->dirty_next->dirty_prev = n->dirty_prev;
    }
    if (n->dirty_prev != NULL) {
        ASSERT(n->dirty_prev->dirty_next == n);
        n->dirty_prev->dirty_next = n->dirty_next;
    } else {
        ASSERT(p->dirty[rank_of(n)] == n);
        p->dirty[rank_of(n)] = n->dirty_next;
    }
    n->dirty = false;
    p->dirty_nodes--;
    plat_page_state(n->raw, PAGE_CLEAN);
}

/* The fields or the block changed, not necessarily what goes to disk. */
static void touch_fields(struct physical *p, struct node *n)
{
    phys_node_use(p, n);
    n->changed = true;
}

void phys_node_change(struct physical *p, struct node *n)
{
    touch_fields(p, n);
    if (!n->dirty)
        dirty_in(p, n);
}

void phys_node_alter(struct physical *p, struct node *n, const uint8_t *part, size_t bytes)
{
    size_t at = (size_t)(part - n->raw);
    (void)phys_node_see(p, n, at, bytes);
    n->altered |= (uint8_t)pieces(at, bytes);
    phys_node_change(p, n);
}

/* Content that has no guards yet: just made, or read and verified by what its parent says. */
static void alter_all(struct node *n)
{
    n->seen = n->altered = (uint8_t)pieces(0, BLOCK_BYTES);
    n->changed = true;
}

void phys_node_adopt_child(struct physical *p, struct node *child, struct node *parent)
{
    touch_fields(p, child);
    if (child->parent != NULL) {
        touch_fields(p, child->parent);
        ASSERT(child->parent->children > 0);
        child->parent->children--;
    }
    child->parent = parent;
    if (parent != NULL) {
        touch_fields(p, parent);
        parent->children++;
    }
}

void phys_node_drop(struct physical *p, struct node *n)
{
    ASSERT(n->used && n->children == 0);
    phys_node_adopt_child(p, n, NULL);
    if (n->dirty)
        dirty_out(p, n);
    chain_out(p, n);
    n->used = false;
    n->chain_next = p->free_frames;
    p->free_frames = n;
    plat_page_state(n->raw, PAGE_UNUSED);
}

void phys_node_reset(struct physical *p)
{
    p->free_frames = NULL;
    for (uint32_t i = p->nodes; i-- > 0;) {
        if (p->node[i]->used)
            plat_page_state(p->node[i]->raw, PAGE_UNUSED);
        p->node[i]->used = false;
        p->node[i]->chain_next = p->free_frames;
        p->free_frames = p->node[i];
    }
    memset(p->bucket, 0, BUCKETS * sizeof(p->bucket[0]));
    memset(p->dirty, 0, sizeof(p->dirty));
    p->dirty_nodes = 0;
    p->hand = 0;
    p->touched = NULL;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Chooses the place, completes head and checksum, and tells the parent (P2). */
static void finalize(struct physical *p, struct node *n)
{
    touch_fields(p, n);
    (void)phys_node_see(p, n, 0, BLOCK_BYTES);
    bool again = n->birth > (uint32_t)p->core.released || PLANTED(PLANTED_TWIN_OVERWRITTEN);
    if (!again)
        n->address = phys_layout_twin(&p->layout, n->address);
    n->birth = (uint32_t)p->core.released + 1;
    struct block_head head = {.type = n->type,
                              .level = n->level,
                              .address = n->address,
                              .owner = n->oid,
                              .index = n->index,
                              .epoch = n->birth,
                              .disk_uuid = {p->core.disk_uuid[0], p->core.disk_uuid[1]}};
    phys_block_head_encode(n->raw, &head);
    n->altered |= (uint8_t)pieces(0, FORMAT_HEAD_BYTES);
    n->crc = plat_crc32c(n->raw, BLOCK_BYTES);
    struct spot spot;
    enum err e = phys_tree_spot(p, n->oid, n->level, n->index, NODE_LOOK, false, &spot);
    ASSERT(e == OK); /* rule (3): the parent is in memory */
    struct pointer to = {.address = n->address, .crc = n->crc, .birth = n->birth};
    phys_tree_point(p, &spot, &to);
}

/* Shell sort by address: neighbours go out in one request. Order of equals does not arise. */
static void sort_items(struct io_item *items, uint32_t count)
{
    for (uint32_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (uint32_t i = gap; i < count; i++) {
            struct io_item item = items[i];
            uint32_t j = i;
            for (; j >= gap && items[j - gap].address > item.address; j -= gap)
                items[j] = items[j - gap];
            items[j] = item;
        }
}

uint32_t phys_node_collect(struct physical *p)
{
    uint32_t count = 0;
    for (uint32_t rank = 0; rank < RANKS; rank++)
        while (p->dirty[rank] != NULL) {
            struct node *n = p->dirty[rank];
            ASSERT(count < NODES_MAX);
            finalize(p, n);
            dirty_out(p, n);
            p->items[count++] =
                (struct io_item){.address = n->address, .page = n->raw, .owner = n, .crc = n->crc};
        }
    ASSERT(p->dirty_nodes == 0);
    sort_items(p->items, count);
    return count;
}

/* Gives each node that could not be written another slot; the bad one stays allocated. A map has
 * one slot only, and is tried there again. */
static enum err relocate_failed(struct physical *p, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct node *n = p->items[i].owner;
        uint64_t address = n->address;
        if (p->items[i].status == OK)
            continue;
        if (p->items[i].status != E_MEDIA)
            return p->items[i].status;
        if (n->type != TYPE_MAP && phys_space_slot(p, true, &address) != OK)
            return E_MEDIA;
        phys_node_change(p, n);
        n->address = address; /* birth says that it is this epoch's place: the same again */
    }
    return OK;
}

/* What went out is what was sealed: else memory was damaged on the way, and no root may name it. */
static void check_written(const struct physical *p, uint32_t count)
{
    for (uint32_t i = 0; i < count && p->meta_guard; i++)
        if (plat_crc32c(p->items[i].page, BLOCK_BYTES) != p->items[i].owner->crc)
            phys_node_damaged(p->items[i].address);
}

static void say_state(const struct physical *p, uint32_t count, enum plat_page_state state)
{
    for (uint32_t i = 0; i < count; i++)
        plat_page_state(p->items[i].page, state);
}

enum err phys_node_write_collected(struct physical *p, uint32_t count)
{
    enum err e = OK;
    for (uint32_t attempt = 0; attempt < RELOCATIONS_MAX; attempt++) {
        say_state(p, count, PAGE_WRITING);
        e = phys_io_write(p, p->items, count);
        say_state(p, count, PAGE_CLEAN);
        check_written(p, count);
        if (e != E_MEDIA)
            return e;
        e = relocate_failed(p, count);
        if (e != OK)
            return e;
        count = phys_node_collect(p);
    }
    return E_MEDIA;
}

/* ---- Frames ---------------------------------------------------------------------------------- */

static bool evictable(const struct physical *p, const struct node *n, bool dirty_too)
{
    return n->used && n->children == 0 && n->type != TYPE_MAP && n->request != p->request &&
           (dirty_too || !n->dirty);
}

/* A victim by the clock rule: two rounds, the second without mercy for the recently used. */
static struct node *find_victim(struct physical *p, bool dirty_too)
{
    for (uint32_t k = 0; k < 2 * p->nodes; k++) {
        struct node *n = p->node[p->hand];
        p->hand = (p->hand + 1) % p->nodes;
        if (!evictable(p, n, dirty_too))
            continue;
        if (!n->recent)
            return n;
        n->recent = false;
    }
    return NULL;
}

static enum err evict(struct physical *p, struct node *n)
{
    if (n->dirty) {
        finalize(p, n);
        dirty_out(p, n);
        struct io_item item = {.address = n->address, .page = n->raw, .crc = n->crc};
        enum err e = phys_io_write(p, &item, 1);
        if (e != OK) {
            phys_node_change(p, n); /* stays: it is nowhere else */
            return e;
        }
    }
    phys_node_use(p, n); /* its links are about to be believed */
    phys_node_drop(p, n);
    return OK;
}

static struct node *add_frame(struct physical *p)
{
    if (p->nodes >= p->nodes_max)
        return NULL;
    if (p->nodes % CHUNK_FRAMES == 0)
        p->chunk = plat_alloc(CHUNK_FRAMES * sizeof(p->chunk[0]), TAG_HEAP);
    uint8_t *raw = p->chunk == NULL ? NULL : plat_alloc(BLOCK_BYTES, TAG_PAGES);
    if (raw == NULL)
        return NULL;
    struct node *n = &p->chunk[p->nodes % CHUNK_FRAMES];
    n->raw = raw;
    p->node[p->nodes++] = n;
    n->chain_next = NULL;
    return n;
}

/* An unused frame. Frames come one by one, so that a small trial touches little memory. */
static enum err take_frame(struct physical *p, struct node **out)
{
    if (p->free_frames == NULL) {
        struct node *n = add_frame(p);
        if (n == NULL)
            n = find_victim(p, false);
        if (n == NULL)
            n = find_victim(p, true);
        if (n == NULL)
            return E_FULL; /* all touched by this one request */
        enum err e = n->used ? evict(p, n) : OK;
        if (e != OK)
            return e;
    }
    if (p->free_frames != NULL) {
        *out = p->free_frames;
        p->free_frames = (*out)->chain_next;
    } else {
        *out = p->node[p->nodes - 1];
    }
    ASSERT(!(*out)->used);
    return OK;
}

static void start_node(struct physical *p, struct node *n, uint64_t oid, uint32_t level,
                       uint64_t index)
{
    bool listed = n->request == p->request; /* touched and dropped in this very request */
    *n = (struct node){.raw = n->raw,
                       .oid = oid,
                       .level = level,
                       .index = index,
                       .used = true,
                       .touched_next = n->touched_next};
    n->type = oid == OID_INODES && level == 0 ? TYPE_LEAF
              : oid == OID_MAP && level == 0  ? TYPE_MAP
                                              : TYPE_NODE;
    n->recent = true;
    n->stamp = p->stamp;
    n->request = p->request;
    alter_all(n);
    if (!listed) {
        n->touched_next = p->touched;
        p->touched = n;
    }
    chain_in(p, n);
    plat_page_state(n->raw, PAGE_CLEAN);
}

enum err phys_node_new(struct physical *p, uint64_t oid, uint32_t level, uint64_t index,
                       uint64_t address, struct node **out)
{
    struct node *n;
    enum err e = take_frame(p, &n);
    if (e != OK)
        return e;
    start_node(p, n, oid, level, index);
    memset(n->raw, 0, BLOCK_BYTES);
    n->address = address;
    n->birth = (uint32_t)p->core.released + 1;
    dirty_in(p, n);
    *out = n;
    return OK;
}

/* ---- Getting --------------------------------------------------------------------------------- */

static enum err check_loaded(struct physical *p, const struct node *n)
{
    struct block_head want = {.type = n->type,
                              .level = n->level,
                              .address = n->address,
                              .owner = n->oid,
                              .index = n->index,
                              .disk_uuid = {p->core.disk_uuid[0], p->core.disk_uuid[1]}};
    if (plat_crc32c(n->raw, BLOCK_BYTES) != n->crc)
        return E_CORRUPT;
    return phys_block_head_check(n->raw, &want);
}

/* Reads what `from` names; once more if it is wrong, since a read can be misdirected; its second
 * copy if it stays wrong. */
static enum err read_node(struct physical *p, struct node *n, const struct pointer *from)
{
    enum err e = E_CORRUPT;
    n->address = from->address;
    n->crc = from->crc;
    n->birth = from->birth;
    if (!phys_layout_is_slot(&p->layout, from->address))
        return E_CORRUPT;
    for (uint32_t attempt = 0; attempt < 2 && e == E_CORRUPT; attempt++) {
        e = phys_io_block(p, BLOCK_READ, from->address, n->raw);
        if (e == OK && !PLANTED(PLANTED_META_UNCHECKED))
            e = check_loaded(p, n);
    }
    if ((e != E_CORRUPT && e != E_MEDIA) || !phys_io_second(p, from->address, from->crc, n->raw))
        return e;
    plat_report(REPORT_DETECTED, (uint64_t) - (int)e, from->address);
    return check_loaded(p, n);
}

/* What stands in for a leaf that cannot be read: nothing of its objects is known. */
static void blank(struct physical *p, struct node *n)
{
    memset(n->raw, 0, BLOCK_BYTES);
    alter_all(n);
    if (!n->dirty)
        dirty_in(p, n);
}

/* Not what the whole disk hangs on: the first leaf has the inodes of mapping and map. */
static bool repairable(uint64_t oid, uint32_t level, uint64_t index)
{
    return oid == OID_INODES && level == 0 && index > 0;
}

static enum err load(struct physical *p, struct node *n, const struct pointer *from,
                     enum node_get_mode mode)
{
    enum err e = read_node(p, n, from);
    n->stamp = p->stamp; /* verified by what its parent says of it */
    alter_all(n);
    if (e == OK)
        return OK;
    plat_report(REPORT_DETECTED, (uint64_t) - (int)e, from->address);
    if (mode != NODE_REPAIR || e == E_DEAD || !repairable(n->oid, n->level, n->index) ||
        !phys_layout_is_slot(&p->layout, from->address))
        return e;
    blank(p, n);
    return OK;
}

/* A node that is not on disk yet, below `spot`. */
static enum err make(struct physical *p, uint64_t oid, uint32_t level, uint64_t index,
                     bool privileged, const struct spot *spot, struct node **out)
{
    uint64_t address;
    enum err e = phys_space_slot(p, privileged, &address);
    if (e != OK)
        return e;
    e = phys_node_new(p, oid, level, index, address, out);
    if (e != OK) {
        phys_space_free(p, address);
        return e;
    }
    phys_node_adopt_child(p, *out, spot->holder);
    struct pointer to = {.address = address, .birth = (*out)->birth};
    phys_tree_point(p, spot, &to);
    return OK;
}

enum err phys_node_get(struct physical *p, uint64_t oid, uint32_t level, uint64_t index,
                       enum node_get_mode mode, bool privileged, struct node **out)
{
    struct spot spot;
    struct pointer to;
    struct node *n = phys_node_find(p, oid, level, index);
    if (n != NULL) {
        *out = n;
        return OK;
    }
    enum err e = phys_tree_spot(p, oid, level, index, mode, privileged, &spot);
    if (e != OK)
        return e;
    phys_pointer_decode(&to, spot.raw);
    if (to.flags & POINTER_BAD)
        return E_LOST;
    if (to.address == 0)
        return mode == NODE_LOOK ? E_NOENT : make(p, oid, level, index, privileged, &spot, out);
    e = take_frame(p, &n);
    if (e != OK)
        return e;
    start_node(p, n, oid, level, index);
    e = load(p, n, &to, mode);
    if (e != OK) {
        phys_node_drop(p, n);
        return e;
    }
    phys_node_adopt_child(p, n, spot.holder);
    *out = n;
    return OK;
}
