/*
 * The patch graph: pools of patches, of edges between them, and of what is known of an inode. A
 * reference is an index with the id that the patch had: one that is stable, or whose place has
 * another patch now, is no dependency any more.
 */
#include "assertion.h"
#include "ffs.h"
#include "mem.h"

#define SLOT_BYTES CHANGE_BYTES_MAX

/* The worst request: a write of VFS_IO_MAX (node and pointer each block), or the cut of a tree that
 * is kept in part (a pointer each entry of three levels). */
#define PATCHES_A_REQUEST (LEVELS_MAX * POINTERS_A_BLOCK + 64u)
#define EDGES_A_REQUEST (4u * PATCHES_A_REQUEST + PATCHES_MAX) /* R7: all that is there */
#define PARTIES_A_REQUEST 16u
#define SLOTS_A_REQUEST 64u

static bool make_pools(struct fs *fs, struct ffs *f)
{
    f->patch = plat_alloc(PATCHES_MAX * sizeof(f->patch[0]), TAG_HEAP);
    f->edge = plat_alloc(EDGES_MAX * sizeof(f->edge[0]), TAG_HEAP);
    f->party = plat_alloc(PARTIES_MAX * sizeof(f->party[0]), TAG_HEAP);
    f->blocks = plat_alloc((fs->buffers_max + BUFFER_CHUNK) * sizeof(f->blocks[0]), TAG_HEAP);
    f->slots = plat_alloc((size_t)PATCH_SLOTS * SLOT_BYTES, TAG_HEAP);
    uint8_t *copies = plat_alloc((size_t)COPIES_MAX * BLOCK_BYTES, TAG_PAGES);
    for (uint32_t k = 0; k < COPIES_MAX && copies != NULL; k++)
        f->copies[k] = copies + (size_t)k * BLOCK_BYTES;
    f->copies_free = COPIES_MAX;
    return f->patch != NULL && f->edge != NULL && f->party != NULL && f->blocks != NULL &&
           f->slots != NULL && copies != NULL;
}

enum err ffs_patch_init(struct fs *fs)
{
    struct ffs *f = plat_alloc(sizeof(*f), TAG_HEAP);
    if (f == NULL || !make_pools(fs, f))
        return E_FULL;
    fs->own = f;
    f->next_id = 1;
    return OK;
}

/* ---- Pools: what was never used lies beyond the count, what was is on a list ---- */

static uint32_t take_patch(struct ffs *f)
{
    uint32_t p = f->free_patches;
    if (p != NO_PATCH)
        f->free_patches = f->patch[p].all_next;
    else
        p = ++f->patches;
    ASSERT(p < PATCHES_MAX); /* ffs_patch_is_short was asked */
    return p;
}

static uint32_t take_edge(struct ffs *f)
{
    uint32_t e = f->free_edges;
    if (e != 0)
        f->free_edges = f->edge[e].next;
    else
        e = ++f->edges;
    ASSERT(e < EDGES_MAX);
    return e;
}

static uint8_t *take_slot(struct ffs *f)
{
    uint8_t *slot = f->free_slots;
    if (slot != NULL) {
        memcpy(&f->free_slots, slot, sizeof(f->free_slots));
        return slot;
    }
    ASSERT(f->slots_used < PATCH_SLOTS);
    return f->slots + (size_t)f->slots_used++ * SLOT_BYTES;
}

static void give_slot(struct ffs *f, uint8_t *slot)
{
    memcpy(slot, &f->free_slots, sizeof(f->free_slots));
    f->free_slots = slot;
}

bool ffs_patch_is_short(const struct ffs *f)
{
    return PATCHES_MAX - f->patches_live < PATCHES_A_REQUEST + 1 ||
           EDGES_MAX - f->edges_live < EDGES_A_REQUEST + 1 ||
           PARTIES_MAX - f->parties < PARTIES_A_REQUEST + 1 ||
           PATCH_SLOTS - f->slots_live < SLOTS_A_REQUEST;
}

/* ---- The block's list ---- */

static struct ffs_block *block_of(struct fs *fs, struct buffer *b)
{
    struct ffs *f = ffs_of(fs);
    if (b->own != NULL)
        return b->own;
    struct ffs_block *block = f->free_blocks;
    if (block != NULL)
        f->free_blocks = block->next;
    else
        block = &f->blocks[f->blocks_used++];
    ASSERT(f->blocks_used <= fs->buffers_max + BUFFER_CHUNK);
    *block = (struct ffs_block){.first = NO_PATCH};
    b->own = block;
    b->pins++; /* written, it is clean, and still not stable before a flush */
    return block;
}

static void block_append(struct ffs *f, struct ffs_block *block, uint32_t p)
{
    f->patch[p].block_prev = block->last;
    f->patch[p].block_next = NO_PATCH;
    if (block->last != NO_PATCH)
        f->patch[block->last].block_next = p;
    else
        block->first = p;
    block->last = p;
}

static void block_remove(struct ffs *f, struct ffs_block *block, uint32_t p)
{
    struct patch *patch = &f->patch[p];
    if (patch->block_prev != NO_PATCH)
        f->patch[patch->block_prev].block_next = patch->block_next;
    else
        block->first = patch->block_next;
    if (patch->block_next != NO_PATCH)
        f->patch[patch->block_next].block_prev = patch->block_prev;
    else
        block->last = patch->block_prev;
}

static void all_append(struct ffs *f, uint32_t p)
{
    f->patch[p].all_prev = f->all_last;
    f->patch[p].all_next = NO_PATCH;
    if (f->all_last != NO_PATCH)
        f->patch[f->all_last].all_next = p;
    else
        f->all_first = p;
    f->all_last = p;
}

static void all_remove(struct ffs *f, uint32_t p)
{
    struct patch *patch = &f->patch[p];
    if (patch->all_prev != NO_PATCH)
        f->patch[patch->all_prev].all_next = patch->all_next;
    else
        f->all_first = patch->all_next;
    if (patch->all_next != NO_PATCH)
        f->patch[patch->all_next].all_prev = patch->all_prev;
    else
        f->all_last = patch->all_prev;
}

/* ---- Dependencies ---- */

struct patch_ref ffs_patch_ref(const struct ffs *f, uint32_t patch)
{
    ASSERT(patch != NO_PATCH);
    return (struct patch_ref){.patch = patch, .id = f->patch[patch].id};
}

uint32_t ffs_patch_at(const struct ffs *f, struct patch_ref ref)
{
    if (ref.patch == NO_PATCH || f->patch[ref.patch].id != ref.id)
        return NO_PATCH;
    ASSERT(f->patch[ref.patch].state != PATCH_FREE);
    return ref.patch;
}

void ffs_patch_depends(struct fs *fs, uint32_t patch, struct patch_ref on)
{
    struct ffs *f = ffs_of(fs);
    uint32_t before = ffs_patch_at(f, on);
    if (before == NO_PATCH || before == patch)
        return;
    uint32_t newest = f->patch[patch].edges; /* the same again is common */
    if (newest != 0 && f->edge[newest].patch == before && f->edge[newest].id == on.id)
        return;
    uint32_t e = take_edge(f);
    f->edges_live++;
    f->edge[e] = (struct edge){.patch = before, .next = f->patch[patch].edges, .id = on.id};
    f->patch[patch].edges = e;
    f->patch[before].dependents++;
}

static bool share_bytes(const struct patch *p, uint32_t offset, uint32_t bytes)
{
    if (p->bytes == 0 || bytes == 0)
        return true;
    return p->offset < offset + bytes && offset < p->offset + p->bytes;
}

static bool is_directory(struct fs *fs, uint32_t ino)
{
    const struct inode *i = inode_find(fs, ino);
    return i != NULL && i->d.type == VFS_DIRECTORY;
}

uint32_t ffs_patch_make(struct fs *fs, const struct change *change, uint32_t ino)
{
    struct ffs *f = ffs_of(fs);
    struct ffs_block *block = block_of(fs, change->b);
    uint32_t p = take_patch(f);
    ASSERT(change->bytes == 0 || change->old != NULL);
    ASSERT(change->bytes == 0 ||
           change->offset / SECTOR_BYTES == (change->offset + change->bytes - 1) / SECTOR_BYTES);
    f->patches_live++;
    f->patch[p] = (struct patch){.state = PATCH_WAITING,
                                 .kind = change->kind,
                                 .id = f->next_id++,
                                 .block = change->b->block,
                                 .ino = ino,
                                 .of_directory = is_directory(fs, ino),
                                 .offset = change->offset,
                                 .bytes = change->bytes};
    struct patch *patch = &f->patch[p];
    if (change->bytes > PATCH_SMALL) {
        patch->old = take_slot(f);
        f->slots_live++;
    }
    if (change->bytes > 0)
        memcpy(patch->old != NULL ? patch->old : patch->small, change->old, change->bytes);
    for (uint32_t q = block->first; q != NO_PATCH; q = f->patch[q].block_next)
        if (share_bytes(&f->patch[q], change->offset, change->bytes))
            ffs_patch_depends(fs, p, ffs_patch_ref(f, q));
    block_append(f, block, p);
    all_append(f, p);
    return p;
}

uint32_t ffs_patch_node(struct fs *fs, uint32_t at)
{
    struct ffs *f = ffs_of(fs);
    struct buffer *b = cache_find(fs, at);
    struct ffs_block *block = b != NULL ? b->own : NULL;
    if (block == NULL)
        return NO_PATCH;
    for (uint32_t p = block->first; p != NO_PATCH; p = f->patch[p].block_next)
        if (f->patch[p].bytes == 0 && f->patch[p].state == PATCH_WAITING)
            return p;
    return NO_PATCH;
}

void ffs_patch_renew(struct fs *fs, uint32_t p)
{
    struct ffs *f = ffs_of(fs);
    struct buffer *b = cache_find(fs, f->patch[p].block);
    ASSERT(f->patch[p].state == PATCH_WAITING && f->patch[p].dependents == 0);
    ASSERT(b != NULL && b->own != NULL);
    f->patch[p].renewed = f->next_id;
    block_remove(f, b->own, p);
    block_append(f, b->own, p);
    all_remove(f, p);
    all_append(f, p);
}

static void drop_edges(struct ffs *f, uint32_t e)
{
    while (e != 0) {
        uint32_t next = f->edge[e].next, p = f->edge[e].patch;
        if (f->patch[p].id == f->edge[e].id) {
            ASSERT(f->patch[p].dependents > 0);
            f->patch[p].dependents--;
        }
        f->edge[e].next = f->free_edges;
        f->free_edges = e;
        f->edges_live--;
        e = next;
    }
}

void ffs_patch_stable(struct fs *fs, uint32_t p)
{
    struct ffs *f = ffs_of(fs);
    struct patch *patch = &f->patch[p];
    struct buffer *b = cache_find(fs, patch->block);
    ASSERT(patch->state == PATCH_SENT);
    ASSERT(b != NULL && b->own != NULL);
    struct ffs_block *block = b->own;
    drop_edges(f, patch->edges);
    if (patch->old != NULL) {
        give_slot(f, patch->old);
        f->slots_live--;
    }
    block_remove(f, block, p);
    all_remove(f, p);
    if (block->first == NO_PATCH) {
        ASSERT(block->copy == NULL);
        block->next = f->free_blocks;
        f->free_blocks = block;
        b->own = NULL;
        b->pins--;
    }
    *patch = (struct patch){.state = PATCH_FREE, .all_next = f->free_patches};
    f->free_patches = p;
    f->patches_live--;
}

/* ---- Parties ---- */

struct party *ffs_party(struct fs *fs, uint32_t ino)
{
    struct ffs *f = ffs_of(fs);
    uint32_t *bucket = &f->party_bucket[ino % PARTY_BUCKETS];
    ASSERT(ino != INO_NONE);
    for (uint32_t k = *bucket; k != 0; k = f->party[k].next)
        if (f->party[k].ino == ino)
            return &f->party[k];
    uint32_t k = ++f->parties;
    ASSERT(k < PARTIES_MAX);
    f->party[k] = (struct party){.ino = ino, .next = *bucket};
    *bucket = k;
    return &f->party[k];
}

void ffs_party_pending(struct fs *fs, struct party *party, uint32_t on)
{
    struct ffs *f = ffs_of(fs);
    if (f->patch[on].pending)
        return;
    uint32_t e = take_edge(f);
    f->edges_live++;
    f->patch[on].pending = true;
    f->patch[on].dependents++;
    f->edge[e] = (struct edge){.patch = on, .next = party->pending, .id = f->patch[on].id};
    party->pending = e;
}

void ffs_party_take(struct fs *fs, struct party *party, uint32_t p)
{
    struct ffs *f = ffs_of(fs);
    uint32_t e = party->pending;
    party->pending = 0;
    while (e != 0) { /* the edges go over to the patch, but for those that are stable */
        uint32_t next = f->edge[e].next, on = f->edge[e].patch;
        if (f->patch[on].id == f->edge[e].id) {
            f->patch[on].pending = false;
            f->edge[e].next = f->patch[p].edges;
            f->patch[p].edges = e;
        } else {
            f->edge[e].next = f->free_edges;
            f->free_edges = e;
            f->edges_live--;
        }
        e = next;
    }
}

void ffs_party_reset(struct fs *fs)
{
    struct ffs *f = ffs_of(fs);
    ASSERT(f->all_first == NO_PATCH);
    for (uint32_t k = 1; k <= f->parties; k++) {
        drop_edges(f, f->party[k].pending);
        f->party[k].pending = 0;
    }
    memset(f->party_bucket, 0, sizeof(f->party_bucket));
    f->parties = 0;
}
