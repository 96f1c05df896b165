/*
 * A transaction in memory: which blocks it changed, which it freed; and the copy of it that goes to
 * the log.
 */
#include "assertion.h"
#include "bytes.h"
#include "journal.h"
#include "mem.h"
#include "planted.h"

#define REVOKES_SPARE 4u /* blocks of revokes that an operation may still add */

struct txn *txn_at(struct fs *fs, uint32_t k)
{
    struct journal *j = journal(fs);
    ASSERT(k < j->txns);
    return &j->txn[(j->oldest + k) % TXNS_MAX];
}

struct txn *txn_running(struct fs *fs)
{
    struct journal *j = journal(fs);
    if (j->txns == 0)
        return NULL;
    struct txn *t = txn_at(fs, j->txns - 1);
    return t->state == TXN_RUNNING ? t : NULL;
}

struct txn *txn_begin(struct fs *fs)
{
    struct journal *j = journal(fs);
    struct txn *t = txn_running(fs);
    if (t != NULL)
        return t;
    ASSERT(j->txns < TXNS_MAX);
    plat_probe(PROBE_TXN_BEFORE_START);
    t = &j->txn[(j->oldest + j->txns) % TXNS_MAX];
    uint32_t *home = t->home;
    if (home == NULL)
        home = plat_alloc(j->hard * sizeof(*home), TAG_HEAP);
    ASSERT(home != NULL);
    *t = (struct txn){
        .state = TXN_RUNNING, .txid = j->next_txid++, .begun_ns = fs->now_ns, .home = home};
    j->txns++;
    return t;
}

bool txn_is_empty(const struct txn *t)
{
    return t->count == 0 && t->freed == NULL;
}

uint32_t txn_log_blocks(const struct txn *t, uint32_t more)
{
    uint32_t images = t->count + more;
    return images + (images + RECORD_TAGS - 1) / RECORD_TAGS +
           (t->revoked_count + RECORD_REVOKES - 1) / RECORD_REVOKES + 1;
}

/* ---- Lists ---- */

void list_add(struct fs *fs, struct list_chunk **list, uint32_t block)
{
    struct journal *j = journal(fs);
    struct list_chunk *c = *list;
    if (c == NULL || c->count == LIST_CHUNK) {
        c = j->free_chunks;
        if (c != NULL)
            j->free_chunks = c->next;
        else
            c = plat_alloc(sizeof(*c), TAG_HEAP);
        ASSERT(c != NULL);
        c->count = 0;
        c->next = *list;
        *list = c;
    }
    c->block[c->count++] = block;
}

void list_drop(struct fs *fs, struct list_chunk **list)
{
    while (*list != NULL) {
        struct list_chunk *c = *list;
        *list = c->next;
        c->next = journal(fs)->free_chunks;
        journal(fs)->free_chunks = c;
    }
}

/* ---- Joining and leaving ---- */

void txn_join(struct fs *fs, uint32_t block)
{
    struct txn *t = txn_running(fs);
    ASSERT(t != NULL && journal(fs)->inside);
    struct logged *l = logged_make(fs, block);
    if (l->open == t)
        return;
    bool full = txn_log_blocks(t, 1) + REVOKES_SPARE > reclaim_room(fs);
    if (t->count == journal(fs)->hard || full) { /* an operation larger than any log */
        writeback_fail(fs, E_NOSPC);
        return;
    }
    l->open = t;
    l->index = t->count;
    t->home[t->count++] = block;
}

static void leave(struct fs *fs, struct txn *t, struct logged *l)
{
    ASSERT(l->open == t && t->home[l->index] == l->block);
    uint32_t last = t->home[--t->count];
    t->home[l->index] = last;
    if (last != l->block) {
        struct logged *moved = logged_find(fs, last);
        ASSERT(moved != NULL && moved->open == t);
        moved->index = l->index;
    }
    l->open = NULL;
}

static uint32_t map_of(uint32_t block)
{
    return group_first((block - 1) / GROUP_BLOCKS);
}

/* Its content is nobody's business any more, unless the log owes it until t is committed. */
static void forget_content(struct fs *fs, struct txn *t, uint32_t block)
{
    struct logged *l = logged_find(fs, block);
    struct buffer *b = cache_find(fs, block);
    if (l != NULL && l->open == t)
        leave(fs, t, l);
    if (l != NULL && logged_is_live(fs, l)) {
        if (!PLANTED(PLANTED_NO_REVOKE)) {
            list_add(fs, &t->revoked, block);
            t->revoked_count++;
        }
        l->freeing = t;
        if (b != NULL)
            cache_disown(b);
        return;
    }
    cache_forget(fs, block);
    if (l != NULL)
        logged_let_go(fs, l);
}

enum err txn_free_block(struct fs *fs, struct inode *i, uint32_t block)
{
    struct buffer *map;
    (void)i;
    if (!layout_is_data(fs->c->super.blocks, block))
        return OK; /* the disk may say anything */
    enum err e = c_get_meta(fs, map_of(block), INO_NONE, &map);
    if (e != OK)
        return e;
    if (journal(fs)->formatting)
        return c_block_clear(fs, block);
    struct txn *t = txn_running(fs);
    ASSERT(t != NULL);
    forget_content(fs, t, block);
    if (PLANTED(PLANTED_FREED_AT_ONCE))
        return c_block_clear(fs, block);
    cache_dirty(fs, map, NULL);
    txn_join(fs, map_of(block));
    list_add(fs, &t->freed, block);
    return OK;
}

void txn_apply_frees(struct fs *fs, struct txn *t)
{
    journal(fs)->applying = true;
    for (struct list_chunk *c = t->freed; c != NULL; c = c->next)
        for (uint32_t k = 0; k < c->count; k++) {
            struct logged *l = logged_find(fs, c->block[k]);
            if (l != NULL) {
                logged_settle(l);
                l->freeing = NULL;
                l->committed = NULL;
                l->staged = 0; /* revoked: a redo passes it over */
                logged_let_go(fs, l);
            }
            if (c_block_clear(fs, c->block[k]) != OK)
                plat_report(REPORT_LEAK, 1, 0);
        }
    journal(fs)->applying = false;
    list_drop(fs, &t->freed);
}

/* ---- The copy for the log ---- */

/* In the images of maps that `t` has: what `of` freed is free. */
static void clear_bits(struct fs *fs, struct txn *t, const struct txn *of, uint8_t *const stage)
{
    for (const struct list_chunk *c = of->freed; c != NULL; c = c->next)
        for (uint32_t k = 0; k < c->count; k++) {
            struct logged *map = logged_find(fs, map_of(c->block[k]));
            if (map == NULL || map->open != t)
                continue;
            uint32_t bit = (c->block[k] - 1) % GROUP_BLOCKS;
            uint32_t place = map->index + map->index / RECORD_TAGS + 1;
            stage[(size_t)place * BLOCK_BYTES + bit / 8] &= (uint8_t) ~(1u << bit % 8);
        }
}

/* Images with a header before each RECORD_TAGS of them; the header is sealed when they are whole.
 */
static void copy_images(struct fs *fs, struct txn *t, uint8_t *stage)
{
    for (uint32_t k = 0; k < t->count; k++) {
        struct logged *l = logged_find(fs, t->home[k]);
        struct buffer *b = cache_find(fs, t->home[k]);
        ASSERT(l != NULL && l->open == t && b != NULL);
        uint32_t place = k + k / RECORD_TAGS + 1;
        plat_copy(stage + (size_t)place * BLOCK_BYTES, b->page, BLOCK_BYTES);
        l->staged = t->txid;
    }
}

static uint32_t seal_images(struct fs *fs, struct txn *t, struct record *r, uint8_t *stage,
                            uint32_t *crcs, uint32_t *headers)
{
    uint32_t page = 0;
    for (uint32_t first = 0; first < t->count; first += RECORD_TAGS) {
        uint8_t *header = stage + (size_t)page * BLOCK_BYTES;
        uint32_t count = t->count - first < RECORD_TAGS ? t->count - first : RECORD_TAGS;
        memset(header, 0, BLOCK_BYTES);
        for (uint32_t k = 0; k < count; k++) {
            uint8_t *image = header + (size_t)(k + 1) * BLOCK_BYTES;
            c_sums_seal(cache_find(fs, t->home[first + k]), image);
            record_tag(header, k, t->home[first + k], record_image_crc(t->txid, image));
        }
        r->type = RECORD_IMAGES;
        r->position = t->first + page;
        r->count = count;
        crcs[(*headers)++] = record_seal(header, r);
        page += count + 1;
    }
    return page;
}

static uint32_t seal_revokes(struct txn *t, struct record *r, uint8_t *stage, uint32_t page,
                             uint32_t *crcs, uint32_t *headers)
{
    uint8_t *header = NULL;
    r->type = RECORD_REVOKED;
    r->count = 0;
    for (const struct list_chunk *c = t->revoked; c != NULL; c = c->next)
        for (uint32_t k = 0; k < c->count; k++) {
            if (r->count == 0) {
                header = stage + (size_t)page * BLOCK_BYTES;
                memset(header, 0, BLOCK_BYTES);
            }
            record_revoke(header, r->count++, c->block[k]);
            bool last = k + 1 == c->count && c->next == NULL;
            if (r->count < RECORD_REVOKES && !last)
                continue;
            r->position = t->first + page++;
            crcs[(*headers)++] = record_seal(header, r);
            r->count = 0;
        }
    return page;
}

static uint32_t orphans_of(struct fs *fs, uint32_t orphan[RECORD_ORPHANS_MAX])
{
    uint32_t count = 0;
    for (const struct inode *i = fs->inode_lru.lru_next; i != &fs->inode_lru; i = i->lru_next)
        if (i->orphan && count < RECORD_ORPHANS_MAX)
            orphan[count++] = i->ino;
    return count;
}

void txn_stage(struct fs *fs, struct txn *t)
{
    struct journal *j = journal(fs);
    uint8_t *stage = j->stage[t->stage];
    uint32_t headers = 0, crcs[TXNS_MAX], orphan[RECORD_ORPHANS_MAX];
    struct record r = {.epoch = j->epoch, .txid = t->txid};
    t->first = j->head;
    copy_images(fs, t, stage);
    for (uint32_t k = 0; k < j->txns; k++)
        if (txn_at(fs, k)->state != TXN_COMMITTED)
            clear_bits(fs, t, txn_at(fs, k), stage);
    uint32_t page = seal_images(fs, t, &r, stage, crcs, &headers);
    page = seal_revokes(t, &r, stage, page, crcs, &headers);
    ASSERT(headers <= TXNS_MAX);
    r.type = RECORD_COMMIT;
    r.position = t->first + page;
    r.count = orphans_of(fs, orphan);
    struct commit commit = {.blocks = page + 1,
                            .time_ns = plat_now(),
                            .crc = plat_crc32c(crcs, headers * sizeof(crcs[0])),
                            .orphan = orphan};
    record_commit(stage + (size_t)page * BLOCK_BYTES, &r, &commit);
    t->end = t->first + page + 1;
    j->head = t->end;
    list_drop(fs, &t->revoked);
}
