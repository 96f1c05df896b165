/*
 * From closing to commit. Each step waits for the disk's answers without holding up requests:
 *
 *   commit=flush      images, revokes -> FLUSH -> commit record (FUA)
 *   commit=checksum   images, revokes, commit record -> FLUSH
 *
 * In mode ordered the data of files go home before the first step, so that its FLUSH covers them.
 * Commits are in the order of transactions.
 */
#include "assertion.h"
#include "journal.h"
#include "planted.h"

#define ROOM_SPARE 8u     /* blocks of revokes, headers */
#define STAGE_SPARE 40u   /* pages of them, and the commit */
#define RESCUE_ROUNDS 64u /* of as many copies as there are: more than a cache has blocks */

/* Whether its content gets to the disk through the log, not by itself. A copy that is still on its
 * way home may be of what the block was before it was freed. */
static bool is_carried(struct fs *fs, uint32_t block)
{
    const struct logged *l = logged_find(fs, block);
    return l != NULL && (l->open != NULL || l->freeing != NULL || logged_is_live(fs, l));
}

static bool data_under_way(struct fs *fs)
{
    for (uint32_t k = 0; k < fs->runs; k++) {
        const struct run *r = &fs->run[(fs->run_first + k) % RUNS_MAX];
        for (uint32_t n = 0; n < r->count; n++)
            if (!is_carried(fs, r->buffer[n]->block))
                return true;
    }
    return false;
}

enum err commit_write_data(struct fs *fs, struct inode *i)
{
    if (data_under_way(fs)) /* clean by now, but a FLUSH stands only for what was answered */
        writeback_settle(fs);
    uint32_t all = writeback_collect(fs, i), count = 0;
    for (uint32_t k = 0; k < all; k++)
        if (!is_carried(fs, fs->sync_order[k].block))
            fs->sync_order[count++] = fs->sync_order[k];
    if (count > 0)
        return writeback_blocks(fs, fs->sync_order, count);
    return fs->read_only ? fs->write_error : OK;
}

static bool is_closing(const struct txn *t)
{
    return t->state >= TXN_WRITING && t->state <= TXN_COMMITTING;
}

static uint32_t closing(struct fs *fs)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < journal(fs)->txns; k++)
        count += is_closing(txn_at(fs, k)) ? 1 : 0;
    return count;
}

uint64_t commit_pending(struct fs *fs)
{
    for (uint32_t k = journal(fs)->txns; k-- > 0;)
        if (is_closing(txn_at(fs, k)))
            return txn_at(fs, k)->txid;
    return 0;
}

/* The answers to all that was sent for it; waits. */
static void collect(struct fs *fs, struct txn *t)
{
    while (t->slots > 0) {
        enum err e = block_wait(journal(fs)->log, t->slot[--t->slots]);
        if (e != OK)
            commit_log_failed(fs, e);
    }
    if (!t->data_flushing)
        return;
    t->data_flushing = false;
    enum err e = block_wait(&fs->client, t->data_slot);
    if (e != OK)
        writeback_fail(fs, e);
}

/* Waits for one answer that the oldest closing transaction needs, and takes it further. */
static void wait_oldest(struct fs *fs)
{
    for (uint32_t k = 0; k < journal(fs)->txns; k++) {
        struct txn *t = txn_at(fs, k);
        if (!is_closing(t))
            continue;
        collect(fs, t);
        break;
    }
    commit_advance(fs);
}

/* ---- Writing to the log ---- */

static void send(struct fs *fs, struct txn *t, uint64_t position, uint8_t *page, uint32_t count)
{
    struct plat_span span = {.base = page, .bytes = (size_t)count * BLOCK_BYTES};
    ASSERT(t->slots < LOG_SLOTS_MAX);
    t->slot[t->slots++] =
        block_submit(journal(fs)->log, BLOCK_WRITE,
                     (uint64_t)log_block(fs, position) * SECTORS_A_BLOCK, false, &span, 1);
}

/* In as few requests as the end of the log and the protocol allow. */
static void send_pages(struct fs *fs, struct txn *t, uint32_t count)
{
    struct journal *j = journal(fs);
    uint8_t *page = j->stage[t->stage];
    for (uint32_t at = 0; at < count;) {
        uint32_t place = (uint32_t)((t->first + at) % j->capacity);
        uint32_t run = count - at < j->capacity - place ? count - at : j->capacity - place;
        run = run < BLOCK_IO_MAX_BLOCKS ? run : BLOCK_IO_MAX_BLOCKS;
        send(fs, t, t->first + at, page + (size_t)at * BLOCK_BYTES, run);
        at += run;
    }
}

static void send_flush(struct fs *fs, struct txn *t)
{
    t->slot[t->slots++] = block_submit(journal(fs)->log, BLOCK_FLUSH, 0, false, NULL, 0);
    t->state = TXN_FLUSHING;
    if (fs->log_client == NULL || fs->options.journal_mode == JOURNAL_DATA)
        return;
    t->data_slot = block_submit(&fs->client, BLOCK_FLUSH, 0, false, NULL, 0);
    t->data_flushing = true;
}

static void send_commit(struct fs *fs, struct txn *t)
{
    uint32_t last = (uint32_t)(t->end - t->first) - 1;
    struct plat_span span = {.base = journal(fs)->stage[t->stage] + (size_t)last * BLOCK_BYTES,
                             .bytes = BLOCK_BYTES};
    t->slot[t->slots++] =
        block_submit(journal(fs)->log, BLOCK_WRITE,
                     (uint64_t)log_block(fs, t->end - 1) * SECTORS_A_BLOCK, true, &span, 1);
    t->state = TXN_COMMITTING;
}

static uint32_t take_stage(struct fs *fs)
{
    struct journal *j = journal(fs);
    for (uint32_t k = 0; k < fs->options.inflight; k++) {
        if (j->stage_used[k])
            continue;
        if (j->stage[k] == NULL)
            j->stage[k] = plat_alloc(
                (size_t)(j->hard + j->hard / RECORD_TAGS + STAGE_SPARE) * BLOCK_BYTES, TAG_LOG);
        ASSERT(j->stage[k] != NULL);
        j->stage_used[k] = true;
        return k;
    }
    ASSERT(false); /* no more are closing than there are areas */
    return 0;
}

/* Before a transaction is closed in mode ordered. A commit that goes with its images may be stable
 * before any flush that comes after it, so the data are flushed first. */
static bool data_is_home(struct fs *fs)
{
    enum err e = commit_write_data(fs, NULL);
    if (e == OK && fs->options.commit_checksum)
        e = block_flush(&fs->client);
    if (e != OK)
        writeback_fail(fs, e);
    return e == OK;
}

void commit_start(struct fs *fs)
{
    struct txn *t = txn_running(fs);
    ASSERT(t != NULL && !journal(fs)->inside);
    if (fs->options.journal_mode == JOURNAL_ORDERED && !data_is_home(fs))
        return; /* read-only from now on: it is never committed */
    while (closing(fs) >= fs->options.inflight && !fs->read_only)
        wait_oldest(fs);
    if (fs->read_only)
        return;
    t->stage = take_stage(fs);
    txn_stage(fs, t);
    t->state = TXN_WRITING;
    bool with_record = fs->options.commit_checksum;
    send_pages(fs, t, (uint32_t)(t->end - t->first) - (with_record ? 0 : 1));
    if (PLANTED(PLANTED_COMMIT_UNFLUSHED))
        t->state = TXN_LOGGED;
    commit_advance(fs);
}

/* ---- Steps ---- */

/* Whether all that was sent for it is answered; false while something is under way. */
static bool answered(struct fs *fs, struct txn *t)
{
    for (uint32_t k = 0; k < t->slots; k++)
        if (!journal(fs)->log->pending[t->slot[k]].done)
            return false;
    if (t->data_flushing && !fs->client.pending[t->data_slot].done)
        return false;
    collect(fs, t);
    return !fs->read_only;
}

static void answer(struct fs *fs, uint64_t txid, enum err status)
{
    struct journal *j = journal(fs);
    struct vfs_reply nothing = {0};
    uint32_t left = 0;
    for (uint32_t k = 0; k < j->waiters; k++) {
        if (j->waiter[k].txid <= txid)
            server_answer(fs, &j->waiter[k].request, status, &nothing);
        else
            j->waiter[left++] = j->waiter[k];
    }
    j->waiters = left;
}

/* What a cut from now on leaves without a name and open. */
static void note_orphans(struct fs *fs, const struct txn *t)
{
    struct journal *j = journal(fs);
    const uint8_t *page = j->stage[t->stage] + (size_t)(t->end - t->first - 1) * BLOCK_BYTES;
    struct commit commit;
    j->orphans = record_commit_get(page, &commit, j->orphan);
}

/* Its images are owed by it now, and by nobody before it. */
static void committed(struct fs *fs, struct txn *t)
{
    t->state = TXN_COMMITTED;
    plat_probe(PROBE_TXN_COMMITTED);
    for (uint32_t k = 0; k < t->count; k++) {
        struct logged *l = logged_find(fs, t->home[k]);
        ASSERT(l != NULL);
        logged_settle(l);
        l->committed = t;
        l->home = false;
        t->owed++;
        if (l->open == t)
            l->open = NULL;
    }
    note_orphans(fs, t);
    journal(fs)->stage_used[t->stage] = false;
    txn_apply_frees(fs, t);
    plat_report(REPORT_CHECKPOINT, t->txid, t->end - t->first);
    answer(fs, t->txid, OK);
}

static void step(struct fs *fs, struct txn *t, bool first)
{
    if (t->state == TXN_WRITING && answered(fs, t))
        send_flush(fs, t);
    if (t->state == TXN_FLUSHING && answered(fs, t)) {
        plat_probe(PROBE_TXN_LOGGED);
        t->state = TXN_LOGGED;
    }
    if (t->state == TXN_LOGGED && first && !fs->read_only) {
        if (fs->options.commit_checksum)
            committed(fs, t);
        else
            send_commit(fs, t);
    }
    if (t->state == TXN_COMMITTING && answered(fs, t))
        committed(fs, t);
}

void commit_advance(struct fs *fs)
{
    bool first = true;
    for (uint32_t k = 0; k < journal(fs)->txns; k++) {
        struct txn *t = txn_at(fs, k);
        if (is_closing(t))
            step(fs, t, first);
        first = first && t->state == TXN_COMMITTED;
    }
    if (fs->read_only)
        answer(fs, UINT64_MAX, fs->write_error);
}

enum err commit_wait(struct fs *fs)
{
    while (commit_pending(fs) != 0 && !fs->read_only)
        wait_oldest(fs);
    return fs->read_only ? fs->write_error : OK;
}

/* ---- Without a log ---- */

void commit_log_failed(struct fs *fs, enum err why)
{
    writeback_fail(fs, why);
    if (fs->log_client == NULL || journal(fs)->log_gone)
        return;
    journal(fs)->log_gone = true;
    fs->alarm_ns = plat_now() + 1; /* commit_rescue, when nothing is under way */
    plat_alarm(fs->alarm_ns);
}

void commit_rescue(struct fs *fs)
{
    struct journal *j = journal(fs);
    ASSERT(j->log_gone && !j->inside);
    for (uint32_t k = 0; k < j->txns; k++)
        if (txn_at(fs, k)->state != TXN_COMMITTED)
            txn_apply_frees(fs, txn_at(fs, k));
    for (uint32_t rounds = 0; rounds < RESCUE_ROUNDS && fs->dirty_count > 0; rounds++)
        (void)!writeback_sync(fs); /* read-only it is, whatever comes of it */
    if (fs->dirty_count == 0 && c_mark_clean(fs) == OK)
        plat_report(REPORT_CHECKPOINT, 0, 0);
}

/* ---- Room ---- */

static bool fits(struct fs *fs, uint32_t credit)
{
    const struct txn *t = txn_running(fs);
    static const struct txn none = {0};
    uint32_t need = txn_log_blocks(t == NULL ? &none : t, credit) + ROOM_SPARE;
    bool small = (t == NULL ? 0 : t->count) + credit <= journal(fs)->hard;
    return small && journal(fs)->txns + 1 < TXNS_MAX && reclaim_room(fs) >= need;
}

enum err commit_make_room(struct fs *fs, uint32_t credit)
{
    if (fits(fs, credit))
        return OK;
    struct txn *t = txn_running(fs);
    if (t != NULL && !txn_is_empty(t))
        commit_start(fs);
    enum err e = commit_wait(fs);
    if (e == OK && !fits(fs, credit))
        e = reclaim_all(fs);
    return e;
}
