/*
 * `journal`: requests join the running transaction; syncs wait for its commit.
 */
#include "assertion.h"
#include "journal.h"
#include "mem.h"
#include "planted.h"
#include "programs.h"

static const struct hooks_c journal_hooks = {
    .block_freed = txn_free_block, .sums = true, .format = recover_format};

/* Data pages that one write may put into a transaction. */
static uint32_t data_credit(const struct fs *fs)
{
    return fs->options.journal_mode == JOURNAL_DATA ? VFS_IO_MAX / BLOCK_BYTES + 2 : 0;
}

static void set_sizes(struct fs *fs)
{
    struct journal *j = journal(fs);
    uint32_t most = j->capacity - 16;
    j->soft = j->capacity / 4;
    if (j->soft > fs->buffers_max / 4)
        j->soft = fs->buffers_max / 4;
    if (j->soft > TXN_SOFT_MAX)
        j->soft = TXN_SOFT_MAX;
    j->hard = j->soft + META_CREDIT + MAPS_CREDIT + data_credit(fs);
    if (j->hard > most)
        j->hard = most;
}

/* The log's disk, if it has one. One that is gone is not missed after an orderly stop. */
static enum err find_log(struct fs *fs)
{
    struct journal *j = journal(fs);
    struct block_identity identity;
    j->log = &fs->client;
    if (fs->options.log_disk == LOG_DISK_OFF)
        return OK;
    j->log = plat_alloc(sizeof(*j->log), TAG_HEAP);
    if (j->log == NULL)
        return E_FULL;
    fs->log_client = j->log;
    enum err e = block_client_init(j->log, LAYER_DRIVER, fs->options.log_disk, &identity);
    uint64_t most = e == OK ? identity.sectors / SECTORS_A_BLOCK : 0;
    if (e == OK && j->capacity + LOG_SUPERBLOCKS > most)
        return E_NOSPC;
    j->log_gone = e != OK;
    return OK;
}

static enum err journal_init(struct fs *fs)
{
    fs->own = plat_alloc(sizeof(struct journal), TAG_HEAP);
    if (fs->own == NULL)
        return E_FULL;
    journal(fs)->super_pages = plat_alloc((size_t)LOG_SUPERBLOCKS * BLOCK_BYTES, TAG_PAGES);
    journal(fs)->capacity = (uint32_t)(fs->options.log_bytes / BLOCK_BYTES) - LOG_SUPERBLOCKS;
    set_sizes(fs);
    if (journal(fs)->super_pages == NULL)
        return E_FULL;
    enum err e = find_log(fs);
    return e == OK ? c_init(fs, &journal_hooks) : e;
}

/* Blocks that the log takes of the volume. */
static uint32_t log_in_volume(const struct fs *fs)
{
    return fs->log_client != NULL ? 0 : journal(fs)->capacity + LOG_SUPERBLOCKS;
}

static enum err journal_format(struct fs *fs, uint64_t blocks)
{
    uint32_t log = log_in_volume(fs);
    if (blocks > UINT32_MAX)
        blocks = UINT32_MAX;
    if (blocks <= log)
        return E_NOSPC;
    if (journal(fs)->log_gone)
        return E_MEDIA;
    journal(fs)->formatting = true;
    enum err e = c_format(fs, blocks - log);
    journal(fs)->formatting = false;
    return e;
}

/* What was unlinked while open is deleted by the next mount of a VFS, in a transaction. */
static void find_orphans(struct fs *fs)
{
    struct journal *j = journal(fs);
    for (uint32_t k = 0; k < j->orphans; k++) {
        struct inode *i;
        if (inode_get(fs, j->orphan[k], &i) == OK && i->d.nlink == 0)
            i->orphan = true;
    }
}

static enum err journal_load(struct fs *fs, uint64_t blocks)
{
    uint32_t log = log_in_volume(fs); /* the copy of the superblock is before it */
    if (blocks <= log)
        return E_CORRUPT;
    enum err e = c_load(fs, blocks - log);
    if (e != OK)
        return e;
    const struct super *super = &fs->c->super;
    bool apart = super->log_first == 0; /* on a disk of its own */
    if (super->log_blocks < LOG_SUPERBLOCKS + 16 || apart != (fs->log_client != NULL) ||
        (!apart && (uint64_t)super->log_first + super->log_blocks > blocks))
        return E_CORRUPT;
    journal(fs)->capacity = super->log_blocks - LOG_SUPERBLOCKS;
    set_sizes(fs);
    if (journal(fs)->log_gone) {
        writeback_fail(fs, E_MEDIA); /* what is in it, if anything, cannot be had */
        return super->clean ? OK : E_MEDIA;
    }
    e = recover_log(fs);
    if (e == OK)
        find_orphans(fs);
    return e;
}

/* ---- Requests ---- */

/* Blocks that the request may add to the transaction at most. */
static uint32_t credit_of(const struct fs *fs, const struct vfs_request *in)
{
    uint32_t maps = fs->c->super.groups < MAPS_CREDIT ? fs->c->super.groups : MAPS_CREDIT;
    uint32_t data = 0;
    if (in->op == VFS_WRITE && data_credit(fs) > 0)
        data = (uint32_t)(in->length / BLOCK_BYTES) + 2;
    if (in->op == VFS_COMMIT)
        data = (uint32_t)(in->length / BLOCK_BYTES);
    return META_CREDIT + maps + data;
}

/* A user transaction is one operation, whose data are in the log in every mode. */
static uint32_t journal_user_blocks(const struct fs *fs)
{
    const struct journal *j = journal(fs);
    uint32_t maps = fs->c->super.groups < MAPS_CREDIT ? fs->c->super.groups : MAPS_CREDIT;
    uint32_t most = j->hard - META_CREDIT - maps;
    return most < j->soft ? most : j->soft;
}

/* What the running transaction freed is free only when it is committed. */
static enum err make_space(struct fs *fs, const struct vfs_request *in)
{
    struct txn *t = txn_running(fs);
    uint64_t enough = META_CREDIT + in->length / BLOCK_BYTES;
    if ((t == NULL || t->freed == NULL) && commit_pending(fs) == 0)
        return OK;
    if (c_space_count(fs, enough) >= enough)
        return OK;
    if (t != NULL && !txn_is_empty(t))
        commit_start(fs);
    return commit_wait(fs);
}

/* A user transaction that is applied does not fail any more. */
static enum err has_space(struct fs *fs, const struct vfs_request *in)
{
    if (in->op != VFS_COMMIT || in->size == 0)
        return OK;
    return c_space_count(fs, in->size) >= in->size ? OK : E_NOSPC;
}

static enum err journal_begin(struct fs *fs, const struct vfs_request *in, bool changes)
{
    if (!changes)
        return OK;
    enum err e = c_touch(fs, true);
    if (e == OK)
        e = make_space(fs, in);
    if (e == OK)
        e = has_space(fs, in);
    if (e == OK)
        e = commit_make_room(fs, credit_of(fs, in));
    if (e != OK)
        return e;
    (void)txn_begin(fs);
    journal(fs)->inside = true;
    return OK;
}

static enum err journal_end(struct fs *fs, const struct vfs_request *in, bool changes,
                            enum err status)
{
    struct txn *t = txn_running(fs);
    (void)in;
    if (!changes)
        return status;
    journal(fs)->inside = false;
    if (t == NULL || txn_is_empty(t))
        return status;
    if (!t->probed) {
        t->probed = true;
        plat_probe(PROBE_TXN_STARTED);
    }
    if (t->count >= journal(fs)->soft && !fs->read_only)
        commit_start(fs);
    return status;
}

/* ---- Syncs ---- */

/* Closes what runs. The transaction that has to be committed, 0: none. */
static uint64_t close_running(struct fs *fs)
{
    struct txn *t = txn_running(fs);
    if (t != NULL && !txn_is_empty(t))
        commit_start(fs);
    return commit_pending(fs);
}

/* The answer comes with the commit. */
static enum err answer_later(struct fs *fs, uint64_t txid)
{
    struct journal *j = journal(fs);
    if (j->waiters == WAITERS_MAX)
        return commit_wait(fs);
    j->waiter[j->waiters++] = (struct waiter){.request = *fs->message, .txid = txid};
    fs->deferred = true;
    return OK;
}

static enum err sync_now(struct fs *fs, struct inode *i)
{
    if (fs->read_only)
        return fs->write_error;
    const struct txn *t = txn_running(fs);
    enum journal_mode mode = fs->options.journal_mode;
    bool closes = t != NULL && !txn_is_empty(t);
    enum err e = mode == JOURNAL_DATA ? OK : commit_write_data(fs, i);
    if (e != OK)
        return e;
    uint64_t txid = close_running(fs);
    if (fs->read_only)
        return fs->write_error;
    /* A FLUSH that is to come covers the data, or that of an older transaction did. */
    bool covered = mode == JOURNAL_DATA || closes || (mode == JOURNAL_ORDERED && txid != 0);
    if (!covered)
        e = as_media(block_flush(&fs->client));
    return e == OK && txid != 0 ? answer_later(fs, txid) : e;
}

/* All that ran before is in the transaction, whatever file it touched: names up to the root too. */
static enum err journal_fsync(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    struct inode *i;
    (void)out;
    enum err e = inode_get(fs, in->ino, &i);
    return e == OK ? sync_now(fs, i) : e;
}

/* Of the server itself: when it returns, everything is home. */
static enum err sync_whole(struct fs *fs)
{
    if (journal(fs)->formatting)
        return writeback_sync(fs);
    (void)close_running(fs);
    enum err e = commit_wait(fs);
    return e == OK ? reclaim_all(fs) : e;
}

static enum err journal_sync(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)out;
    return in == NULL ? sync_whole(fs) : sync_now(fs, NULL);
}

/* ---- In the background ---- */

static void journal_pump(struct fs *fs)
{
    writeback_pump(fs);
    commit_advance(fs);
    if (reclaim_room(fs) < journal(fs)->capacity / 2 && !fs->read_only)
        writeback_start(fs, UINT64_MAX);
    reclaim_advance(fs);
}

static void journal_throttle(struct fs *fs)
{
    struct txn *t = txn_running(fs);
    bool much = fs->dirty_count > fs->buffers_max / 2;
    if (much && !journal(fs)->inside && t != NULL && !txn_is_empty(t) && !fs->read_only) {
        commit_start(fs);
        (void)!commit_wait(fs);
    }
    if (much)
        writeback_throttle(fs);
}

static void journal_make_room(struct fs *fs)
{
    if (commit_pending(fs) != 0)
        (void)!commit_wait(fs);
    writeback_make_room(fs);
}

/* Closes what has run for the commit period, writes home what is committed; again in a quarter of
 * the period, while there is something to do. */
static void journal_alarm(struct fs *fs)
{
    struct txn *t = txn_running(fs);
    uint64_t period_ns = fs->options.sync_ns;
    fs->now_ns = plat_now();
    if (journal(fs)->log_gone && fs->dirty_count > 0)
        commit_rescue(fs);
    fs->alarm_ns = fs->now_ns + (period_ns / 4 > 1000000 ? period_ns / 4 : 1000000);
    if (fs->read_only) {
        fs->alarm_ns = PLAT_FOREVER;
        return;
    }
    if (t != NULL && !txn_is_empty(t) && fs->now_ns >= t->begun_ns + period_ns)
        commit_start(fs);
    writeback_start(fs, fs->now_ns > period_ns / 2 ? fs->now_ns - period_ns / 2 : 0);
    commit_advance(fs);
    reclaim_advance(fs);
    bool idle = fs->dirty.dirty_next == &fs->dirty && commit_pending(fs) == 0;
    if (idle)
        fs->alarm_ns = 0;
    else
        plat_alarm(fs->alarm_ns);
}

/* What is on its way home is the page itself: it must not become what is not committed. */
static void journal_will_change(struct fs *fs, struct buffer *b)
{
    if (fs->together && b->writing)
        writeback_settle(fs);
}

static void journal_changed(struct fs *fs, const struct change *c)
{
    struct journal *j = journal(fs);
    c_sums_changed(fs, c);
    if (j->formatting || j->applying)
        return;
    bool together = (fs->together && !PLANTED(PLANTED_USER_UNLOGGED)) || j->cutting;
    bool data = c->kind == CHANGE_DATA && !together;
    if (data && fs->options.journal_mode != JOURNAL_DATA) {
        const struct logged *l = logged_find(fs, c->b->block);
        if (l == NULL || !logged_is_live(fs, l))
            return; /* else only through the log, or a redo would bring the old content back */
    }
    txn_join(fs, c->b->block);
}

/*
 * Mode ordered: what is written to the block in which a file now ends would be home before the new
 * size is committed, and be read by the old size with what was cut off: a content that no request
 * left. So that block goes through the log, with the size.
 */
static enum err journal_cut(struct fs *fs, struct inode *i)
{
    struct buffer *b;
    uint32_t left = (uint32_t)(i->d.size % BLOCK_BYTES);
    enum err e = c_cut(fs, i);
    if (e != OK || left == 0 || fs->options.journal_mode != JOURNAL_ORDERED ||
        c_block_get(fs, i, i->d.size / BLOCK_BYTES, &b) != OK || b == NULL)
        return e; /* where there is no block, or none that can be read, nothing can be mixed up */
    if (b->writing)
        writeback_settle(fs);
    journal(fs)->cutting = true;
    change_open(fs, b, 0, 0);
    memset(b->page + left, 0, BLOCK_BYTES - left);
    change_close_data(fs, i, false, true);
    journal(fs)->cutting = false;
    return OK;
}

static const struct store journal_store = {
    .name = "journal",
    .inode_bytes = sizeof(struct inode_c),
    .inline_max = INLINE_MAX,
    .file_blocks_max = FILE_BLOCKS_MAX,
    .writeback_probe = PROBE_COUNT,
    .init = journal_init,
    .format = journal_format,
    .load = journal_load,
    .sync = journal_sync,
    .fsync = journal_fsync,
    .unmount = c_unmount,
    .statfs = c_statfs,
    .user_blocks = journal_user_blocks,
    .begin = journal_begin,
    .end = journal_end,
    .throttle = journal_throttle,
    .make_room = journal_make_room,
    .alarm = journal_alarm,
    .pump = journal_pump,
    .will_change = journal_will_change,
    .changed = journal_changed,
    .prepare = reclaim_prepare,
    .written = reclaim_written,
    .inode_load = c_inode_load,
    .inode_prepare = c_inode_prepare,
    .inode_store = c_inode_store,
    .inode_take = c_inode_take,
    .inode_free = c_inode_free,
    .block_get = c_block_get,
    .block_make = c_block_make,
    .blocks_find = c_blocks_find,
    .cut = journal_cut,
    .reserve = c_reserve,
};

void journal_main(const struct boot *boot)
{
    server_main(boot, &journal_store);
}
