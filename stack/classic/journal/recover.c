/*
 * The log on disk: made by a format, read by a mount. A mount finds the newest superblock, walks
 * from the tail over transactions that are whole, writes the newest image of each block home unless
 * a later or the same transaction revoked it, and starts a new epoch after them. Until that
 * superblock is stable a cut repeats it all, with the same result.
 */
#include "assertion.h"
#include "journal.h"
#include "mem.h"
#include "planted.h"

#define IMAGE_TRIES 3u

struct walk {
    struct fs *fs;
    uint64_t position, txid;
    uint8_t *page, *images; /* a block; RECORD_TAGS of them */
    bool bad_image;         /* of a transaction that is committed: rot */
};

uint32_t log_block(const struct fs *fs, uint64_t position)
{
    const struct journal *j = journal(fs);
    return fs->c->super.log_first + LOG_SUPERBLOCKS + (uint32_t)(position % j->capacity);
}

void recover_super(struct fs *fs)
{
    struct journal *j = journal(fs);
    struct log_super s = {.uuid = {fs->c->super.log_uuid[0], fs->c->super.log_uuid[1]},
                          .epoch = j->epoch,
                          .tail = j->tail,
                          .tail_txid = j->tail_txid,
                          .blocks = fs->c->super.log_blocks,
                          .orphans = j->orphans};
    memcpy(s.orphan, j->orphan, j->orphans * sizeof(s.orphan[0]));
    for (uint32_t k = 0; k < LOG_SUPERBLOCKS; k++)
        log_super_encode(j->super_pages + (size_t)k * BLOCK_BYTES, &s);
}

static enum err write_super(struct fs *fs)
{
    recover_super(fs);
    return as_media(block_write(journal(fs)->log,
                                (uint64_t)fs->c->super.log_first * SECTORS_A_BLOCK,
                                journal(fs)->super_pages, LOG_SUPERBLOCKS * BLOCK_BYTES, true));
}

enum err recover_format(struct fs *fs)
{
    struct journal *j = journal(fs);
    struct super *super = &fs->c->super;
    super->log_first = fs->log_client != NULL ? 0 : (uint32_t)super->blocks;
    super->log_blocks = j->capacity + LOG_SUPERBLOCKS;
    super->log_uuid[0] = super->uuid[1];
    super->log_uuid[1] = super->uuid[0];
    j->epoch = 1;
    j->tail_txid = j->next_txid = 1;
    return write_super(fs);
}

/* ---- Walking ---- */

static enum err read_log(struct fs *fs, uint64_t position, uint8_t *to, uint32_t count)
{
    struct journal *j = journal(fs);
    while (count > 0) {
        uint32_t place = (uint32_t)(position % j->capacity);
        uint32_t run = count < j->capacity - place ? count : j->capacity - place;
        run = run < BLOCK_IO_MAX_BLOCKS ? run : BLOCK_IO_MAX_BLOCKS;
        enum err e = block_read(j->log, (uint64_t)log_block(fs, position) * SECTORS_A_BLOCK, to,
                                (size_t)run * BLOCK_BYTES);
        if (e != OK)
            return as_media(e);
        position += run;
        to += (size_t)run * BLOCK_BYTES;
        count -= run;
    }
    return OK;
}

/* Reads `count` blocks into w->images; one that cannot be read is zeros there, and has no record's
 * checksum and no image's. */
static void read_images(struct walk *w, uint64_t position, uint32_t count)
{
    if (read_log(w->fs, position, w->images, count) == OK)
        return;
    for (uint32_t k = 0; k < count; k++) {
        uint8_t *to = w->images + (size_t)k * BLOCK_BYTES;
        if (read_log(w->fs, position + k, to, 1) != OK)
            memset(to, 0, BLOCK_BYTES);
    }
}

/* Notes the newest place of each image; its header is in w->page. */
static void take_images(struct walk *w, const struct record *r, bool apply)
{
    read_images(w, r->position + 1, r->count);
    for (uint32_t k = 0; k < r->count; k++) {
        uint32_t home, crc;
        record_tag_get(w->page, k, &home, &crc);
        bool good = crc == record_image_crc(r->txid, w->images + (size_t)k * BLOCK_BYTES) &&
                    home != 0 && home < w->fs->blocks;
        if (!apply) {
            w->bad_image = w->bad_image || !good;
        } else if (good) {
            struct logged *l = logged_make(w->fs, home);
            l->staged = r->txid;
            l->crc = crc;
            l->copy_txid = r->position + 1 + k; /* its position */
        }
    }
}

static void take_revokes(struct walk *w, const struct record *r)
{
    for (uint32_t k = 0; k < r->count; k++) {
        struct logged *l = logged_find(w->fs, record_revoked(w->page, k));
        if (l != NULL && l->staged <= r->txid)
            l->copy_txid = 0; /* nothing of it is to be done over */
    }
}

/* One transaction from w->position on. OK: whole; *end: the position after it. E_CORRUPT: it is
 * not there, or not whole: the log ends. E_MEDIA: a record cannot be read. apply: what it says is
 * noted. */
static enum err walk_txn(struct walk *w, bool apply, uint64_t *end)
{
    struct journal *j = journal(w->fs);
    uint32_t crcs[TXNS_MAX], headers = 0, crc;
    uint64_t position = w->position;
    while (position - w->position < j->capacity) {
        struct record r = {.epoch = j->epoch, .txid = w->txid, .position = position};
        enum err e = read_log(w->fs, position, w->page, 1);
        if (e == OK)
            e = record_open(w->page, &r, &crc);
        if (e != OK)
            return e;
        if (r.type == RECORD_COMMIT) {
            struct commit commit;
            j->orphans = record_commit_get(w->page, &commit, j->orphan);
            *end = position + 1;
            bool whole = commit.blocks == *end - w->position &&
                         commit.crc == plat_crc32c(crcs, headers * sizeof(crcs[0]));
            return whole ? OK : E_CORRUPT;
        }
        if (headers == TXNS_MAX)
            return E_CORRUPT;
        crcs[headers++] = crc;
        if (r.type == RECORD_IMAGES)
            take_images(w, &r, apply);
        else if (apply)
            take_revokes(w, &r);
        position += r.type == RECORD_IMAGES ? r.count + 1 : 1;
    }
    return E_CORRUPT;
}

/* Whether what is at w->position is a whole transaction. Its orphans count if it is. */
static enum err look_at(struct walk *w, uint64_t *end)
{
    struct journal *j = journal(w->fs);
    uint32_t before[RECORD_ORPHANS_MAX], count = j->orphans;
    memcpy(before, j->orphan, count * sizeof(before[0]));
    w->bad_image = false;
    enum err e = walk_txn(w, false, end);
    if (e == OK && w->bad_image && w->fs->options.commit_checksum)
        e = E_CORRUPT; /* its commit came before its images */
    if (e != OK) {
        memcpy(j->orphan, before, count * sizeof(before[0]));
        j->orphans = count;
    }
    return e;
}

/* Whether a transaction from w->txid on is committed anywhere in the log. */
static bool is_committed_later(struct walk *w)
{
    const struct journal *j = journal(w->fs);
    for (uint32_t at = 0; at < j->capacity; at += RECORD_TAGS) {
        uint32_t count = j->capacity - at < RECORD_TAGS ? j->capacity - at : RECORD_TAGS;
        read_images(w, w->position + at, count);
        for (uint32_t k = 0; k < count; k++)
            if (record_commits_later(w->images + (size_t)k * BLOCK_BYTES, j->epoch,
                                     w->position + at + k, w->txid))
                return true;
    }
    return false;
}

/* Something committed cannot be done over: the rest is, and nothing is changed any more. */
static void damaged(struct walk *w, enum err why)
{
    plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)why, 0);
    w->fs->read_only = true;
    w->fs->write_error = why;
}

/* ---- Redo ---- */

/* The image once more; what does not fit is read again: the disk may have read elsewhere. */
static enum err read_image(struct walk *w, const struct logged *l)
{
    for (uint32_t tries = 0; tries < IMAGE_TRIES; tries++) {
        enum err e = read_log(w->fs, l->copy_txid, w->page, 1);
        if (e != OK || record_image_crc(l->staged, w->page) == l->crc)
            return e;
    }
    return E_CORRUPT;
}

static enum err write_home(struct walk *w)
{
    for (uint32_t k = 0; k < LOGGED_BUCKETS; k++)
        for (struct logged *l = journal(w->fs)->bucket[k]; l != NULL; l = l->next) {
            if (l->copy_txid == 0)
                continue;
            enum err e = read_image(w, l);
            if (e != OK) {
                damaged(w, e);
                continue;
            }
            e = as_media(block_write(&w->fs->client, (uint64_t)l->block * SECTORS_A_BLOCK, w->page,
                                     BLOCK_BYTES, false));
            if (e != OK)
                return e;
            plat_probe(PROBE_REC_REDO);
        }
    return as_media(block_flush(&w->fs->client));
}

static void forget_all(struct fs *fs)
{
    struct journal *j = journal(fs);
    for (uint32_t k = 0; k < LOGGED_BUCKETS; k++)
        while (j->bucket[k] != NULL) {
            struct logged *l = j->bucket[k];
            l->staged = 0;
            logged_let_go(fs, l);
        }
}

/* From here on the log is empty, and what is left in it belongs to no epoch. One in which something
 * was rotten stays on disk as it is: each mount finds it again and is read-only. */
static enum err start_epoch(struct walk *w)
{
    struct journal *j = journal(w->fs);
    j->head = j->tail = w->position;
    j->tail_txid = j->next_txid = w->txid;
    j->epoch++;
    return w->fs->read_only ? OK : write_super(w->fs);
}

static enum err read_super(struct fs *fs)
{
    struct journal *j = journal(fs);
    struct log_super newest = {0}, s = {0};
    enum err status = E_CORRUPT;
    for (uint32_t k = 0; k < LOG_SUPERBLOCKS; k++) {
        uint64_t block = fs->c->super.log_first + k;
        enum err e = block_read(j->log, block * SECTORS_A_BLOCK, j->super_pages, BLOCK_BYTES);
        e = e == OK ? log_super_decode(&s, j->super_pages) : as_media(e);
        if (e != OK)
            plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)e, 0);
        if (e != OK || s.uuid[0] != fs->c->super.log_uuid[0] ||
            s.uuid[1] != fs->c->super.log_uuid[1] || s.blocks != fs->c->super.log_blocks)
            continue;
        if (status == OK &&
            (s.epoch < newest.epoch || (s.epoch == newest.epoch && s.tail < newest.tail)))
            continue;
        newest = s;
        status = OK;
    }
    j->epoch = newest.epoch;
    j->tail = newest.tail;
    j->tail_txid = newest.tail_txid;
    j->orphans = newest.orphans;
    memcpy(j->orphan, newest.orphan, newest.orphans * sizeof(j->orphan[0]));
    return status;
}

static enum err redo(struct walk *w, uint32_t *transactions)
{
    uint64_t end;
    enum err e;
    *transactions = 0;
    while ((e = look_at(w, &end)) == OK) {
        plat_probe(PROBE_REC_SCAN);
        if (w->bad_image)
            damaged(w, E_CORRUPT);
        e = walk_txn(w, true, &end);
        if (e != OK)
            return e;
        w->position = end;
        w->txid++;
        ++*transactions;
    }
    /* It ends where nothing whole is. What cannot be read may have been torn before its commit. */
    if (e == E_MEDIA && is_committed_later(w))
        damaged(w, E_MEDIA);
    return e == E_CORRUPT || e == E_MEDIA ? OK : e;
}

enum err recover_log(struct fs *fs)
{
    struct journal *j = journal(fs);
    uint32_t transactions = 0;
    enum err e = read_super(fs);
    if (e != OK)
        return e;
    struct walk w = {.fs = fs, .position = j->tail, .txid = j->tail_txid};
    w.page = plat_alloc(BLOCK_BYTES, TAG_PAGES);
    w.images = plat_alloc((size_t)RECORD_TAGS * BLOCK_BYTES, TAG_PAGES);
    if (w.page == NULL || w.images == NULL)
        return E_FULL;
    plat_report(REPORT_RECOVERY_BEGIN, j->epoch, 0);
    if (!fs->c->super.clean) /* after an orderly stop there is nothing to be read */
        e = redo(&w, &transactions);
    if (e == OK && PLANTED(PLANTED_TAIL_BEFORE_REDO))
        e = start_epoch(&w);
    if (e == OK)
        e = write_home(&w);
    forget_all(fs);
    if (e == OK)
        e = start_epoch(&w);
    plat_report(REPORT_REPLAY, transactions, 0);
    plat_report(REPORT_RECOVERY_END, j->epoch, 0);
    return e;
}
