#include "sim/disk_chain.h"

#include <string.h>

#include "assertion.h"

void disk_chain_init(struct disk_chain *chain, uint64_t sectors, uint32_t sector_size)
{
    ASSERT(sectors > 0);
    ASSERT(sector_size == 512 || sector_size == CHUNK_BYTES);
    *chain = (struct disk_chain){.sector_size = sector_size, .sectors = sectors};
    chain->chunk_sectors = CHUNK_BYTES / sector_size;
    ASSERT(chain->chunk_sectors <= CHUNK_NODES);
    chain->newest = disk_dense_map(sectors * sizeof(chain->newest[0]));
    chain->chunk = disk_sparse_map(CHAIN_CHUNKS_MAX * sizeof(chain->chunk[0]));
    chain->bytes = disk_dense_map((uint64_t)CHAIN_CHUNKS_MAX * CHUNK_BYTES);
    chain->write = disk_sparse_map(CHAIN_WRITES_MAX * sizeof(chain->write[0]));
    chain->chunks_used = 1; /* chunk and write 0 are none */
    chain->writes_used = 1;
}

void disk_chain_fini(struct disk_chain *chain)
{
    disk_sparse_unmap(chain->newest, chain->sectors * sizeof(chain->newest[0]));
    disk_sparse_unmap(chain->chunk, CHAIN_CHUNKS_MAX * sizeof(chain->chunk[0]));
    disk_sparse_unmap(chain->bytes, (uint64_t)CHAIN_CHUNKS_MAX * CHUNK_BYTES);
    disk_sparse_unmap(chain->write, CHAIN_WRITES_MAX * sizeof(chain->write[0]));
}

static uint32_t *older_of(const struct disk_chain *chain, uint32_t node)
{
    return &chain->chunk[node / CHUNK_NODES].older[node % CHUNK_NODES];
}

static uint8_t *bytes_of(const struct disk_chain *chain, uint32_t node)
{
    return chain->bytes + (uint64_t)(node / CHUNK_NODES) * CHUNK_BYTES +
           (uint64_t)(node % CHUNK_NODES) * chain->sector_size;
}

static uint32_t take_chunk(struct disk_chain *chain)
{
    uint32_t chunk = chain->free_chunk;
    if (chunk != 0) {
        chain->free_chunk = chain->chunk[chunk].next;
        return chunk;
    }
    ASSERT(chain->chunks_used < CHAIN_CHUNKS_MAX); /* the cache and queue bounds exclude it */
    return chain->chunks_used++;
}

static uint32_t take_write(struct disk_chain *chain)
{
    uint32_t slot = chain->free_write;
    if (slot != 0) {
        chain->free_write = chain->write[slot].next;
        return slot;
    }
    ASSERT(chain->writes_used < CHAIN_WRITES_MAX);
    return chain->writes_used++;
}

static void link_write(struct disk_chain *chain, uint32_t slot)
{
    struct chain_write *w = &chain->write[slot];
    w->prev = chain->last;
    w->next = 0;
    if (chain->last != 0)
        chain->write[chain->last].next = slot;
    else
        chain->first = slot;
    chain->last = slot;
    chain->writes++;
}

static void unlink_write(struct disk_chain *chain, uint32_t slot)
{
    struct chain_write *w = &chain->write[slot];
    ASSERT(chain->writes > 0);
    if (w->prev != 0)
        chain->write[w->prev].next = w->next;
    else
        chain->first = w->next;
    if (w->next != 0)
        chain->write[w->next].prev = w->prev;
    else
        chain->last = w->prev;
    chain->writes--;
}

uint32_t disk_chain_insert(struct disk_chain *chain, uint64_t first, uint32_t count,
                           const void *data, uint64_t ordinal)
{
    ASSERT(first <= chain->sectors && count <= chain->sectors - first);
    uint32_t slot = take_write(chain);
    chain->write[slot] =
        (struct chain_write){.first = first, .ordinal = ordinal, .count = count, .live = count};
    link_write(chain, slot);
    const uint8_t *from = data;
    uint32_t *link = &chain->write[slot].chunk;
    for (uint32_t done = 0; done < count;) {
        uint32_t chunk = take_chunk(chain);
        uint32_t part = count - done < chain->chunk_sectors ? count - done : chain->chunk_sectors;
        chain->chunk[chunk].next = 0;
        chain->chunk[chunk].write = slot;
        *link = chunk;
        link = &chain->chunk[chunk].next;
        memcpy(bytes_of(chain, chunk * CHUNK_NODES), from, (size_t)part * chain->sector_size);
        for (uint32_t i = 0; i < part; i++) {
            uint32_t *newest = &chain->newest[first + done + i];
            chain->chunk[chunk].older[i] = *newest;
            *newest = chunk * CHUNK_NODES + i;
        }
        from += (size_t)part * chain->sector_size;
        done += part;
    }
    chain->live += count;
    return slot;
}

/* Takes a node and all that are older out of the chain of `sector`. */
static void cut_suffix(struct disk_chain *chain, uint64_t sector, uint32_t node, uint32_t slot,
                       disk_chain_overtaken_fn *overtaken, void *object)
{
    uint32_t *link = &chain->newest[sector];
    while (*link != node) {
        ASSERT(*link != 0 && *link != NODE_DEAD);
        link = older_of(chain, *link);
    }
    *link = 0;
    while (node != 0) {
        uint32_t older = *older_of(chain, node);
        uint32_t owner = chain->chunk[node / CHUNK_NODES].write;
        struct chain_write *w = &chain->write[owner];
        *older_of(chain, node) = NODE_DEAD;
        ASSERT(w->live > 0);
        w->live--;
        chain->live--;
        if (w->live == 0 && owner != slot && overtaken != NULL)
            overtaken(object, owner);
        node = older;
    }
}

void disk_chain_apply(struct disk_chain *chain, uint32_t slot, struct disk_image *image,
                      disk_chain_overtaken_fn *overtaken, void *object)
{
    const struct chain_write *w = &chain->write[slot];
    uint32_t chunk = w->chunk;
    for (uint32_t done = 0; done < w->count; chunk = chain->chunk[chunk].next) {
        uint32_t part = w->count - done;
        part = part < chain->chunk_sectors ? part : chain->chunk_sectors;
        uint32_t base = chunk * CHUNK_NODES;
        for (uint32_t i = 0, run; i < part; i += run) { /* runs of sectors that are live */
            for (run = 0; i + run < part && chain->chunk[chunk].older[i + run] != NODE_DEAD; run++)
                continue;
            if (run > 0)
                disk_image_store(image, w->first + done + i, run, bytes_of(chain, base + i));
            for (uint32_t k = i; k < i + run; k++)
                cut_suffix(chain, w->first + done + k, base + k, slot, overtaken, object);
            run += (run == 0); /* step over a dead one */
        }
        done += part;
    }
    ASSERT(w->live == 0);
}

void disk_chain_discard(struct disk_chain *chain, uint64_t first, uint64_t count,
                        disk_chain_overtaken_fn *overtaken, void *object)
{
    for (uint32_t slot = chain->first; slot != 0; slot = chain->write[slot].next) {
        const struct chain_write *w = &chain->write[slot];
        for (uint32_t i = 0; w->live > 0 && i < w->count; i++) {
            uint64_t sector = w->first + i;
            if (sector < first || sector - first >= count || chain->newest[sector] == 0)
                continue;
            cut_suffix(chain, sector, chain->newest[sector], 0, overtaken, object);
        }
    }
}

void disk_chain_keep(const struct disk_chain *chain, uint32_t slot, uint32_t from, uint32_t count,
                     struct disk_image *image)
{
    const struct chain_write *w = &chain->write[slot];
    ASSERT(from <= w->count && count <= w->count - from);
    uint32_t chunk = w->chunk;
    for (uint32_t done = 0; done < w->count; chunk = chain->chunk[chunk].next) {
        for (uint32_t i = 0; i < chain->chunk_sectors && done < w->count; i++, done++) {
            if (done < from || done >= from + count)
                continue;
            if (chain->chunk[chunk].older[i] == NODE_DEAD)
                continue; /* it, or a newer one, is stable already */
            disk_image_store(image, w->first + done, 1, bytes_of(chain, chunk * CHUNK_NODES + i));
        }
    }
}

static void take_out(struct disk_chain *chain, uint64_t sector, uint32_t node)
{
    uint32_t *link = &chain->newest[sector];
    while (*link != node) {
        ASSERT(*link != 0 && *link != NODE_DEAD);
        link = older_of(chain, *link);
    }
    *link = *older_of(chain, node);
    *older_of(chain, node) = NODE_DEAD;
    chain->live--;
}

void disk_chain_drop(struct disk_chain *chain, uint32_t slot)
{
    struct chain_write *w = &chain->write[slot];
    uint32_t chunk = w->chunk;
    for (uint32_t done = 0; done < w->count;) {
        uint32_t next = chain->chunk[chunk].next;
        for (uint32_t i = 0; i < chain->chunk_sectors && done < w->count; i++, done++)
            if (w->live > 0 && chain->chunk[chunk].older[i] != NODE_DEAD) {
                take_out(chain, w->first + done, chunk * CHUNK_NODES + i);
                w->live--;
            }
        chain->chunk[chunk].next = chain->free_chunk;
        chain->free_chunk = chunk;
        chunk = next;
    }
    ASSERT(w->live == 0);
    unlink_write(chain, slot);
    w->next = chain->free_write;
    chain->free_write = slot;
}

void disk_chain_clear(struct disk_chain *chain)
{
    while (chain->last != 0)
        disk_chain_drop(chain, chain->last); /* newest first: each node is the head of its chain */
    ASSERT(chain->live == 0);
    chain->free_chunk = 0;
    chain->free_write = 0;
    chain->chunks_used = 1; /* the same slots in the same order in every trial */
    chain->writes_used = 1;
}

const uint8_t *disk_chain_find(const struct disk_chain *chain, uint64_t sector)
{
    ASSERT(sector < chain->sectors);
    uint32_t node = chain->newest[sector];
    ASSERT(node != NODE_DEAD);
    return node == 0 ? NULL : bytes_of(chain, node);
}

uint32_t disk_chain_gap(const struct disk_chain *chain, uint64_t first, uint32_t count)
{
    ASSERT(first <= chain->sectors && count <= chain->sectors - first);
    return chain->live == 0 ? count : disk_sparse_gap(&chain->newest[first], count);
}

bool disk_chain_covers(const struct disk_chain *chain, uint64_t first, uint32_t count)
{
    if (chain->live < count)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (chain->newest[first + i] == 0)
            return false;
    return true;
}

bool disk_chain_touches(const struct disk_chain *chain, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; chain->live > 0 && i < count; i++)
        if (chain->newest[first + i] != 0)
            return true;
    return false;
}

uint32_t disk_chain_newest_write(const struct disk_chain *chain, uint64_t sector)
{
    uint32_t node = chain->newest[sector];
    return node == 0 ? 0 : chain->chunk[node / CHUNK_NODES].write;
}
