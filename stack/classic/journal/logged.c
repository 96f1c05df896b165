/*
 * What memory knows of blocks in the log: a hash by block; and the pages that copies on their way
 * home lie in.
 */
#include "assertion.h"
#include "journal.h"
#include "mem.h"

#define LOGGED_CHUNK 128u
#define COPY_CHUNK 32u

static struct logged **bucket_of(struct fs *fs, uint32_t block)
{
    return &journal(fs)->bucket[(block * 2654435761u >> 7) % LOGGED_BUCKETS];
}

struct logged *logged_find(struct fs *fs, uint32_t block)
{
    struct logged *l = *bucket_of(fs, block);
    while (l != NULL && l->block != block)
        l = l->next;
    return l;
}

static void add_chunk(struct journal *j)
{
    struct logged *l = plat_alloc(LOGGED_CHUNK * sizeof(*l), TAG_HEAP);
    ASSERT(l != NULL); /* as many as the log has blocks: a small part of the arena */
    for (uint32_t k = 0; k < LOGGED_CHUNK; k++) {
        l[k].next = j->free_logged;
        j->free_logged = &l[k];
    }
}

struct logged *logged_make(struct fs *fs, uint32_t block)
{
    struct journal *j = journal(fs);
    struct logged *l = logged_find(fs, block);
    if (l != NULL)
        return l;
    if (j->free_logged == NULL)
        add_chunk(j);
    l = j->free_logged;
    j->free_logged = l->next;
    *l = (struct logged){.block = block, .next = *bucket_of(fs, block)};
    *bucket_of(fs, block) = l;
    return l;
}

bool logged_is_live(struct fs *fs, const struct logged *l)
{
    return l->staged != 0 && l->staged >= journal(fs)->tail_txid;
}

void logged_let_go(struct fs *fs, struct logged *l)
{
    if (l->open != NULL || l->committed != NULL || l->freeing != NULL || l->copy != NULL ||
        logged_is_live(fs, l))
        return;
    struct logged **at = bucket_of(fs, l->block);
    while (*at != l) {
        ASSERT(*at != NULL);
        at = &(*at)->next;
    }
    *at = l->next;
    l->next = journal(fs)->free_logged;
    journal(fs)->free_logged = l;
}

void logged_settle(struct logged *l)
{
    if (l->committed == NULL || l->home)
        return;
    ASSERT(l->committed->owed > 0);
    l->committed->owed--;
    l->home = true;
}

uint8_t *copy_take(struct fs *fs)
{
    struct journal *j = journal(fs);
    if (j->copies_free == 0 && j->copies_made < COPIES_MAX) {
        uint8_t *pages = plat_alloc((size_t)COPY_CHUNK * BLOCK_BYTES, TAG_PAGES);
        for (uint32_t k = 0; pages != NULL && k < COPY_CHUNK; k++)
            j->copy[j->copies_free++] = pages + (size_t)k * BLOCK_BYTES;
        j->copies_made += pages == NULL ? 0 : COPY_CHUNK;
    }
    return j->copies_free > 0 ? j->copy[--j->copies_free] : NULL;
}

void copy_give(struct fs *fs, uint8_t *page)
{
    struct journal *j = journal(fs);
    ASSERT(page != NULL && j->copies_free < COPIES_MAX);
    j->copy[j->copies_free++] = page;
}
