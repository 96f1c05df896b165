/*
 * `fsync: log`: what changed since the newest root, or since the last log block, goes into a chain
 * of log blocks that begins where that root says. A log block lists images of whole blocks of files
 * (level 0; the inode file and the orphan list are files too) and what was cut off files; together
 * they turn the state of the block before into that of its fsync, whole. So what survives is a cut.
 *
 * A log block and its images are written at once and flushed: it counts if it and all its images
 * have their CRCs. It names its successor, whose place is set aside already, so that one write
 * suffices. Log blocks are never in the map: they are busy until the batch that they belong to is
 * as stable as what it freed is free. A mount claims them before it gives out any block, replays
 * them in memory and writes a batch of its own life, so that a cut meanwhile finds the same.
 *
 * A batch under way is waited for: log blocks apply to a stable root. What does not fit into one
 * log block becomes a batch.
 */
#include "assertion.h"
#include "bytes.h"
#include "cow.h"
#include "mem.h"
#include "planted.h"

#define LOG_MAGIC UINT64_C(0x31676f6c776f6363)
#define LOG_CRC (BLOCK_BYTES - 4)
#define ENTRY_SIZE 16u
#define CHAIN_MAX (1u << 20) /* blocks: a chain that is longer is none */

enum { /* offsets in a log block */
       LO_MAGIC = 0,
       LO_LIFE = 8,
       LO_SEQ = 16,
       LO_BATCH = 24,
       LO_NEXT = 32,
       LO_COUNT = 36,
       LO_INODES = 40,
       LO_FILES = 44,
       LO_ENTRIES = 48,
};
_Static_assert(LO_ENTRIES + LOG_ENTRIES_MAX * ENTRY_SIZE <= LOG_CRC,
               "a log block is not over-full");

struct entry {
    uint64_t key;     /* of a block; or, below 2^63, an inode of which something was cut off */
    uint32_t address; /* of the image; or the first file block that was cut off */
    uint32_t crc;     /* of the image */
};

/* What one fsync logs: the first so many of c->unlogged_key and of c->cut. */
struct selection {
    uint32_t of, keys, cuts;
};

static void entry_put(uint8_t *raw, const struct entry *x)
{
    put_le64(raw, x->key);
    put_le32(raw + 8, x->address);
    put_le32(raw + 12, x->crc);
}

static struct entry entry_at(const uint8_t *block, uint32_t k)
{
    const uint8_t *raw = block + LO_ENTRIES + ENTRY_SIZE * k;
    return (struct entry){get_le64(raw), get_le32(raw + 8), get_le32(raw + 12)};
}

static bool is_cut(const struct entry *x)
{
    return x->key >> 63 == 0;
}

/* ---- What has to be logged ---- */

static uint32_t unique(uint64_t *keys, uint32_t count)
{
    uint32_t kept = 0;
    cow_sort(keys, count);
    for (uint32_t k = 0; k < count; k++)
        if (kept == 0 || keys[kept - 1] != keys[k])
            keys[kept++] = keys[k];
    return kept;
}

void cow_log_changed(struct cow *c, uint64_t key)
{
    if (!c->fs->options.fsync_log || c->log_overflow || cow_key_level(key) != 0)
        return;
    if (c->unlogged > 0 && c->unlogged_key[c->unlogged - 1] == key)
        return;
    if (c->unlogged == UNLOGGED_MAX) {
        c->unlogged = unique(c->unlogged_key, c->unlogged);
        c->log_overflow = c->unlogged > UNLOGGED_MAX / 2; /* else it is sorted again and again */
    }
    if (!c->log_overflow)
        c->unlogged_key[c->unlogged++] = key;
}

void cow_log_cut(struct cow *c, const struct inode *i, uint32_t from)
{
    if (!c->fs->options.fsync_log || c->log_overflow)
        return;
    if (c->cuts == LOG_ENTRIES_MAX)
        c->log_overflow = true;
    else
        c->cut[c->cuts++] =
            (struct cow_cut){.ino = i->ino, .from = from, .data = i->d.type == VFS_FILE};
}

void cow_log_reset(struct cow *c)
{
    c->unlogged = c->cuts = c->old_files = 0;
    c->log_overflow = c->log_all = false;
}

/* Keys of blocks that are still there: one that was cut off since has no image. */
static uint32_t present_keys(struct cow *c)
{
    uint32_t kept = 0, count = unique(c->unlogged_key, c->unlogged);
    for (uint32_t k = 0; k < count; k++)
        if (cow_present(c, c->unlogged_key[k]) != NULL)
            c->unlogged_key[kept++] = c->unlogged_key[k];
    c->unlogged = kept;
    return kept;
}

/* The records of what is logged now, which may have been left out of the log before. */
static void add_records(struct cow *c, uint32_t of)
{
    uint32_t ino[OLD_FILES_MAX], count = cow_log_old_files(c, of, ino);
    if (c->unlogged + count > UNLOGGED_MAX) {
        c->log_overflow = true;
        return;
    }
    for (uint32_t k = 0; k < count; k++)
        c->unlogged_key[c->unlogged++] = cow_key(COW_INO_FILE, 0, ino[k] / COW_INODES_A_BLOCK);
}

/* What an fsync of `of` logs comes first, keys and cuts, each in its order; the rest stays behind
 * it. */
static void select(struct cow *c, uint32_t of, struct selection *s)
{
    uint64_t *later = c->order;
    struct cow_cut cut[LOG_ENTRIES_MAX];
    uint32_t keys = 0, cuts = 0;
    *s = (struct selection){.of = of};
    ASSERT(c->unlogged <= c->copies_room); /* present_keys has left those with a buffer, once */
    for (uint32_t k = 0; k < c->unlogged; k++)
        if (cow_log_withholds(c, cow_key_ino(c->unlogged_key[k]), of))
            later[keys++] = c->unlogged_key[k];
        else
            c->unlogged_key[s->keys++] = c->unlogged_key[k];
    for (uint32_t k = 0; k < c->cuts; k++)
        if (c->cut[k].data && cow_log_withholds(c, c->cut[k].ino, of))
            cut[cuts++] = c->cut[k];
        else
            c->cut[s->cuts++] = c->cut[k];
    ASSERT(s->keys + keys == c->unlogged);
    ASSERT(s->cuts + cuts == c->cuts);
    memcpy(c->unlogged_key + s->keys, later, keys * sizeof(later[0]));
    memcpy(c->cut + s->cuts, cut, cuts * sizeof(cut[0]));
}

/* That much is in the log. */
static void keep_rest(struct cow *c, const struct selection *s)
{
    if (c->log_all || !c->fs->options.log_scope_file) {
        cow_log_reset(c);
        return;
    }
    c->unlogged -= s->keys;
    c->cuts -= s->cuts;
    memmove(c->unlogged_key, c->unlogged_key + s->keys, c->unlogged * sizeof(c->unlogged_key[0]));
    memmove(c->cut, c->cut + s->cuts, c->cuts * sizeof(c->cut[0]));
    cow_log_logged(c, s->of);
}

/* ---- Writing ---- */

/* What the log gets of a block. */
static const uint8_t *image_of(struct cow *c, const struct buffer *b, uint32_t of)
{
    if (!c->fs->options.log_scope_file || cow_key_ino(b->key) != COW_INO_FILE)
        return b->page;
    plat_copy(c->scratch, b->page, BLOCK_BYTES);
    cow_log_old_records(c, cow_key_base(b->key) * COW_INODES_A_BLOCK, of, c->scratch);
    return c->scratch;
}

static enum err add_images(struct cow *c, const struct selection *s, uint8_t *block)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < s->cuts; k++) {
        struct entry x = {.key = c->cut[k].ino, .address = c->cut[k].from};
        entry_put(block + LO_ENTRIES + ENTRY_SIZE * count++, &x);
    }
    for (uint32_t k = s->keys; k-- > 0;) { /* highest keys first: inodes before their data */
        struct entry x = {.key = c->unlogged_key[k]};
        enum err e = cow_space_take_log(c, &x.address);
        if (e != OK)
            return e;
        const uint8_t *page = image_of(c, cow_present(c, x.key), s->of);
        x.crc = plat_crc32c(page, BLOCK_BYTES);
        e = cow_copy_add(c, page, x.address, NULL);
        if (e != OK)
            return e;
        entry_put(block + LO_ENTRIES + ENTRY_SIZE * count++, &x);
    }
    put_le32(block + LO_COUNT, count);
    return OK;
}

static enum err add_block(struct cow *c, const struct selection *s, uint32_t next)
{
    uint8_t *block = c->root_page;
    memset(block, 0, BLOCK_BYTES);
    put_le64(block + LO_MAGIC, LOG_MAGIC);
    put_le64(block + LO_LIFE, c->life);
    put_le64(block + LO_SEQ, c->log_seq);
    put_le64(block + LO_BATCH, c->batch);
    put_le32(block + LO_NEXT, next);
    put_le32(block + LO_INODES, c->inodes);
    put_le32(block + LO_FILES, c->files);
    enum err e = add_images(c, s, block);
    if (e != OK)
        return e;
    put_le32(block + LOG_CRC, plat_crc32c(block, LOG_CRC));
    return cow_copy_add(c, block, c->log_address, NULL);
}

/* Whether it fits into one log block, and into the volume. */
static bool fits(struct cow *c, const struct selection *s)
{
    uint64_t kept = cow_kept_back(c, false);
    return c->log_address != 0 && s->cuts + s->keys <= LOG_ENTRIES_MAX &&
           cow_space_has(c, c->fs->dirty_count + cow_space_map_blocks(c) + s->keys + 1 + kept);
}

enum err cow_log_sync(struct cow *c, uint32_t of)
{
    struct selection s;
    uint32_t next = 0;
    cow_write_wait(c);
    if (c->fs->read_only)
        return c->fs->write_error;
    add_records(c, of);
    if (c->log_overflow)
        return cow_sync(c);
    (void)present_keys(c);
    select(c, of, &s);
    if (!fits(c, &s))
        return cow_sync(c);
    if (s.keys == 0 && s.cuts == 0)
        return OK;
    c->copies = c->summary = 0;
    enum err e = cow_space_take_log(c, &next);
    if (e == OK)
        e = add_block(c, &s, next);
    if (e != OK)
        return cow_sync(c);
    e = cow_write_all(c);
    if (e != OK)
        return e;
    plat_probe(PROBE_COW_LOG);
    c->log_address = next;
    c->log_seq++;
    keep_rest(c, &s);
    return OK;
}

/* ---- Recovery ---- */

/* Reads the log block that comes next into `block`; false: the chain ends before it. */
static bool read_block(struct cow *c, uint32_t address, uint64_t seq, uint8_t *block)
{
    if (!cow_is_data(c->fs->blocks, address) ||
        block_read(&c->fs->client, (uint64_t)address * SECTORS_A_BLOCK, block, BLOCK_BYTES) != OK)
        return false;
    return get_le64(block + LO_MAGIC) == LOG_MAGIC &&
           get_le32(block + LOG_CRC) == plat_crc32c(block, LOG_CRC) &&
           get_le64(block + LO_LIFE) == c->stable.life && get_le64(block + LO_SEQ) == seq &&
           get_le64(block + LO_BATCH) == c->batch && get_le32(block + LO_COUNT) <= LOG_ENTRIES_MAX;
}

/* Nobody is given these blocks before the next root is stable. */
static void claim(struct cow *c, uint32_t address, const uint8_t *block)
{
    if (PLANTED(PLANTED_LOG_UNCLAIMED))
        return;
    cow_space_claim(c, address);
    for (uint32_t k = 0; k < get_le32(block + LO_COUNT); k++) {
        struct entry x = entry_at(block, k);
        if (!is_cut(&x))
            cow_space_claim(c, x.address);
    }
}

/* Whether all images of a log block are there. */
static bool is_whole(struct cow *c, const uint8_t *block)
{
    for (uint32_t k = 0; k < get_le32(block + LO_COUNT) && !PLANTED(PLANTED_LOG_HALF); k++) {
        struct entry x = entry_at(block, k);
        struct cow_pointer at = {.address = x.address, .crc = x.crc};
        if (!is_cut(&x) && cow_read(c, &at, c->scratch) != OK)
            return false;
    }
    return true;
}

static enum err replay_cut(struct cow *c, const struct entry *x)
{
    struct inode *i;
    enum err e = inode_get(c->fs, x->key, &i);
    if (e == E_NOENT)
        return OK; /* it was made since */
    if (e == OK)
        e = cow_tree_cut(c, i, x->address);
    if (e == OK)
        cow_inode_store(c->fs, i);
    return e;
}

static enum err replay_image(struct cow *c, const struct entry *x)
{
    struct inode *i = &c->inode_file;
    struct buffer *b;
    bool fresh;
    struct cow_pointer at = {.address = x->address, .crc = x->crc};
    uint32_t ino = cow_key_ino(x->key), base = cow_key_base(x->key);
    enum err e = OK;
    if (cow_key_level(x->key) != 0 || base >= COW_FILE_BLOCKS_MAX ||
        (ino == COW_INO_FILE && base >= c->inodes / COW_INODES_A_BLOCK))
        return E_CORRUPT;
    if (ino != COW_INO_FILE)
        e = inode_get(c->fs, ino, &i);
    if (e == OK)
        e = cow_tree_change(c, i, base, true, &b, &fresh);
    if (e == OK)
        e = cow_read(c, &at, c->scratch);
    if (e == OK)
        plat_copy(b->page, c->scratch, BLOCK_BYTES);
    return e;
}

/* Cuts first, on inodes as they were; then records, then data: in the order of the entries. */
static enum err replay_block(struct cow *c, const uint8_t *block)
{
    enum err e = OK;
    bool old = true;
    for (uint32_t k = 0; k < get_le32(block + LO_COUNT) && e == OK; k++) {
        struct entry x = entry_at(block, k);
        if (old && !is_cut(&x)) {
            c->inodes = get_le32(block + LO_INODES);
            c->files = get_le32(block + LO_FILES);
        }
        if (!is_cut(&x) && cow_key_ino(x.key) != COW_INO_FILE && old)
            inode_drop_all(c->fs); /* records have changed under those in memory */
        old = old && (is_cut(&x) || cow_key_ino(x.key) == COW_INO_FILE);
        e = is_cut(&x) ? replay_cut(c, &x) : replay_image(c, &x);
    }
    inode_drop_all(c->fs);
    plat_probe(PROBE_COW_REPLAY);
    return e;
}

enum err cow_log_replay(struct cow *c)
{
    uint32_t address = c->stable.log_address;
    uint64_t seq = c->stable.log_seq, records = 0;
    uint8_t *block = c->root_page;
    enum err e = OK;
    while (e == OK && address != 0 && records < CHAIN_MAX && read_block(c, address, seq, block)) {
        claim(c, address, block);
        if (!is_whole(c, block))
            break;
        e = replay_block(c, block);
        address = get_le32(block + LO_NEXT);
        seq++;
        records++;
    }
    if (records > 0)
        plat_report(REPORT_REPLAY, records, 0);
    cow_log_reset(c);
    return e;
}
