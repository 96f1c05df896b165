/*
 * What is delayed, in rounds, each stable before the next: data -> new entries -> tails -> heads. A
 * cut after any of them leaves each file as it was or with whole appends.
 */
#include "assertion.h"
#include "fat.h"
#include "planted.h"

void rounds_delay(struct fs *fs, struct inode *i)
{
    struct chain *c = chain_of(i);
    if (c->delayed)
        return;
    c->delayed = true;
    i->pins++;
    if (fat(fs)->delayed_since_ns == 0)
        fat(fs)->delayed_since_ns = fs->now_ns;
    if (fs->alarm_ns == 0) {
        fs->alarm_ns = fs->now_ns + fs->options.sync_ns;
        plat_alarm(fs->alarm_ns);
    }
}

typedef enum err round_fn(struct fs *fs, struct inode *i);

/* One round over one inode, or all that are delayed; then it is stable. */
static enum err run(struct fs *fs, struct inode *only, round_fn *round)
{
    struct inode *first = only != NULL ? only : fs->inode_lru.lru_next;
    for (struct inode *i = first; i != &fs->inode_lru; i = i->lru_next) {
        enum err e = i->own != NULL && chain_of(i)->delayed ? round(fs, i) : OK;
        if (e != OK) {
            writeback_fail(fs, e); /* it would be half of the round */
            return e;
        }
        if (only != NULL)
            break;
    }
    return table_write_marked(fs);
}

/* Also what is on its way already, or was written to make room, is stable after it. */
static enum err data(struct fs *fs, struct inode *only)
{
    uint32_t count = writeback_collect(fs, only);
    if (count > 0)
        plat_probe(PROBE_FAT_DATA);
    enum err e = writeback_blocks(fs, fs->sync_order, count);
    if (e != OK || !fat(fs)->unflushed)
        return e;
    e = as_media(block_flush(&fs->client));
    fat(fs)->unflushed = e != OK;
    return e;
}

static enum err new_entries(struct fs *fs, struct inode *i)
{
    struct chain *c = chain_of(i);
    for (uint32_t at = c->stable_entries; at < c->entries; at++) {
        uint32_t entry;
        enum err e = chain_find(fs, i, at, &entry);
        if (e != OK)
            return e;
        table_release(fs, entry);
    }
    return OK;
}

static bool tail_changed(const struct inode *i)
{
    const struct chain *c = chain_of(i);
    bool grew = chain_used(i) != c->stable_used && !PLANTED(PLANTED_TAIL_FORGOTTEN);
    return c->entries != c->stable_entries || grew;
}

static enum err tails(struct fs *fs, struct inode *i)
{
    if (tail_changed(i))
        table_release(fs, chain_of(i)->stable_last);
    return OK;
}

static enum err heads(struct fs *fs, struct inode *i)
{
    struct chain *c = chain_of(i);
    bool tail_is_head = c->last == i->ino && PLANTED(PLANTED_TAIL_FORGOTTEN);
    if (!tail_is_head)
        table_release(fs, i->ino);
    c->stable_entries = c->entries;
    c->stable_last = c->last;
    c->stable_used = chain_used(i);
    c->delayed = false;
    ASSERT(i->pins > 0);
    i->pins--;
    return OK;
}

enum err rounds_run(struct fs *fs, struct inode *i)
{
    enum err e = fs->read_only ? fs->write_error : OK;
    if (i != NULL && !chain_of(i)->delayed && i->dirty_head == NULL)
        return e;
    if (e == OK && !PLANTED(PLANTED_LINK_BEFORE_DATA))
        e = data(fs, i);
    if (e == OK && !PLANTED(PLANTED_LINK_BEFORE_ENTRY))
        e = run(fs, i, new_entries);
    if (e == OK) {
        plat_probe(PROBE_FAT_ENTRY);
        e = run(fs, i, tails);
    }
    if (e == OK && PLANTED(PLANTED_LINK_BEFORE_ENTRY))
        e = run(fs, i, new_entries);
    if (e == OK) {
        plat_probe(PROBE_FAT_LINK);
        e = run(fs, i, heads);
    }
    if (e == OK && PLANTED(PLANTED_LINK_BEFORE_DATA))
        e = data(fs, i);
    if (e == OK)
        plat_probe(PROBE_FAT_HEAD);
    if (i == NULL)
        fat(fs)->delayed_since_ns = 0;
    return e;
}

void rounds_alarm(struct fs *fs)
{
    struct fat *f = fat(fs);
    fs->now_ns = plat_now();
    fs->alarm_ns = 0;
    uint64_t since = f->delayed_since_ns;
    const struct buffer *oldest = fs->dirty.dirty_next;
    if (oldest != &fs->dirty && (since == 0 || oldest->dirty_since_ns < since))
        since = oldest->dirty_since_ns;
    if (since == 0 || fs->read_only)
        return;
    if (fs->now_ns < since + fs->options.sync_ns) {
        fs->alarm_ns = since + fs->options.sync_ns;
        plat_alarm(fs->alarm_ns);
        return;
    }
    (void)!rounds_run(fs, NULL);
}
