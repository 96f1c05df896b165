/*
 * Committed images go home in any order, then the tail passes over their transactions:
 * home writes answered -> FLUSH -> superblock of the log (FUA) -> the space is used again.
 */
#include "assertion.h"
#include "journal.h"
#include "planted.h"

uint8_t *reclaim_prepare(struct fs *fs, struct buffer *b)
{
    struct logged *l = logged_find(fs, b->block);
    if (l == NULL || journal(fs)->formatting) { /* data of a file */
        c_sums_seal(b, b->page);
        return b->page;
    }
    bool early = PLANTED(PLANTED_HOME_EARLY);
    bool uncommitted = l->open != NULL || l->freeing != NULL;
    bool rescued = journal(fs)->log_gone; /* there is no other way any more */
    if ((uncommitted || fs->read_only) && !early && !rescued)
        return NULL; /* read-only: a block may have found no room in its transaction */
    ASSERT(l->copy == NULL);
    l->copy = copy_take(fs);
    if (l->copy == NULL)
        return NULL;
    l->copy_txid = l->committed == NULL ? 0 : l->committed->txid;
    plat_copy(l->copy, b->page, BLOCK_BYTES);
    c_sums_seal(b, l->copy);
    return l->copy;
}

void reclaim_written(struct fs *fs, struct buffer *b, enum err status)
{
    struct logged *l = logged_find(fs, b->block);
    if (l == NULL || l->copy == NULL)
        return;
    copy_give(fs, l->copy);
    l->copy = NULL;
    if (status == OK && l->committed != NULL && l->committed->txid == l->copy_txid)
        logged_settle(l);
    logged_let_go(fs, l);
}

uint32_t reclaim_room(struct fs *fs)
{
    const struct journal *j = journal(fs);
    ASSERT(j->head - j->tail <= j->capacity);
    return j->capacity - (uint32_t)(j->head - j->tail);
}

/* Transactions from the oldest on that owe nothing. */
static uint32_t done_with(struct fs *fs)
{
    uint32_t count = 0;
    while (count < journal(fs)->txns) {
        const struct txn *t = txn_at(fs, count);
        if (t->state != TXN_COMMITTED || t->owed > 0)
            break;
        count++;
    }
    return count;
}

static void forget(struct fs *fs, struct txn *t)
{
    for (uint32_t k = 0; k < t->count; k++) {
        struct logged *l = logged_find(fs, t->home[k]);
        if (l == NULL)
            continue;
        if (l->committed == t) {
            ASSERT(l->home);
            l->committed = NULL;
        }
        logged_let_go(fs, l);
    }
    t->state = TXN_NONE;
}

/* They are out of the log as the disk has it, or will be when this superblock is stable. */
static void drop_oldest(struct fs *fs, uint32_t count)
{
    struct journal *j = journal(fs);
    const struct txn *last = txn_at(fs, count - 1);
    j->tail = last->end;
    j->tail_txid = last->txid + 1;
    for (uint32_t k = 0; k < count; k++)
        forget(fs, txn_at(fs, k));
    j->oldest = (j->oldest + count) % TXNS_MAX;
    j->txns -= count;
}

/* The tail as it will be, while memory still has it where it is. */
static void send_tail(struct fs *fs)
{
    struct journal *j = journal(fs);
    const struct txn *last = txn_at(fs, j->reclaim_count - 1);
    uint64_t tail = j->tail, tail_txid = j->tail_txid;
    j->tail = last->end;
    j->tail_txid = last->txid + 1;
    recover_super(fs);
    j->tail = tail;
    j->tail_txid = tail_txid;
    struct plat_span span = {.base = j->super_pages, .bytes = LOG_SUPERBLOCKS * BLOCK_BYTES};
    j->reclaim_slot = block_submit(
        j->log, BLOCK_WRITE, (uint64_t)fs->c->super.log_first * SECTORS_A_BLOCK, true, &span, 1);
    j->reclaim_tail = true;
}

/* Whom the reclaim that is under way has asked. */
static struct block_client *reclaim_client(struct fs *fs)
{
    return journal(fs)->reclaim_tail ? journal(fs)->log : &fs->client;
}

static void take_answer(struct fs *fs)
{
    struct journal *j = journal(fs);
    enum err e = block_wait(reclaim_client(fs), j->reclaim_slot);
    if (e != OK && j->reclaim_tail)
        commit_log_failed(fs, e);
    else if (e != OK)
        writeback_fail(fs, e);
    if (j->reclaim_tail && e == OK) {
        drop_oldest(fs, j->reclaim_count);
        plat_probe(PROBE_TXN_RECLAIMED);
    }
    if (j->reclaim_flushing && e == OK) {
        plat_probe(PROBE_TXN_WRITTEN_BACK);
        j->reclaim_flushing = false;
        send_tail(fs);
        return;
    }
    j->reclaim_flushing = j->reclaim_tail = false;
}

void reclaim_advance(struct fs *fs)
{
    struct journal *j = journal(fs);
    while ((j->reclaim_flushing || j->reclaim_tail) &&
           reclaim_client(fs)->pending[j->reclaim_slot].done)
        take_answer(fs);
    if (j->reclaim_flushing || j->reclaim_tail || fs->read_only)
        return;
    j->reclaim_count = done_with(fs);
    if (j->reclaim_count == 0)
        return;
    if (PLANTED(PLANTED_TAIL_UNFLUSHED)) {
        send_tail(fs);
        return;
    }
    j->reclaim_slot = block_submit(&fs->client, BLOCK_FLUSH, 0, false, NULL, 0);
    j->reclaim_flushing = true;
}

static void wait_reclaim(struct fs *fs)
{
    struct journal *j = journal(fs);
    while (j->reclaim_flushing || j->reclaim_tail)
        take_answer(fs);
}

enum err reclaim_all(struct fs *fs)
{
    wait_reclaim(fs);
    enum err e = writeback_sync(fs);
    if (e != OK)
        return e;
    reclaim_advance(fs);
    wait_reclaim(fs);
    return fs->read_only ? fs->write_error : OK;
}
