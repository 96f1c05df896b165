/*
 * Blocks of files: a chain from the head, followed entry by entry from where the last look ended.
 */
#include "assertion.h"
#include "fat.h"
#include "mem.h"

#define FREE_BATCH 256u

/* ---- Free entries ---- */

static bool taken(const struct fat *f, uint32_t entry)
{
    return (f->map[entry / 8] >> entry % 8 & 1) != 0;
}

enum err chain_take(struct fs *fs, uint32_t near, uint32_t *entry)
{
    struct fat *f = fat(fs);
    if (f->free == 0)
        return E_NOSPC;
    uint32_t at = near != 0 && near + 1 < f->entries ? near + 1 : f->hint;
    for (uint32_t k = 0; k < f->entries; k++, at++) {
        if (at >= f->entries || at == 0)
            at = 1;
        if (taken(f, at))
            continue;
        f->map[at / 8] |= (uint8_t)(1u << at % 8);
        f->free--;
        f->hint = at + 1;
        *entry = at;
        return OK;
    }
    return E_NOSPC;
}

void chain_give(struct fs *fs, uint32_t entry)
{
    struct fat *f = fat(fs);
    ASSERT(entry != 0 && entry < f->entries && taken(f, entry));
    f->map[entry / 8] &= (uint8_t) ~(1u << entry % 8);
    f->free++;
    if (entry < f->hint)
        f->hint = entry;
    cache_forget(fs, f->data_first + entry);
}

/* ---- Following ---- */

uint32_t chain_used(const struct inode *i)
{
    uint64_t before = (uint64_t)(chain_of(i)->entries - 1) * BLOCK_BYTES;
    return i->d.size > before ? (uint32_t)(i->d.size - before) : 0;
}

enum err chain_find(struct fs *fs, struct inode *i, uint64_t at, uint32_t *entry)
{
    struct chain *c = chain_of(i);
    ASSERT(at < c->entries);
    if (c->cursor == 0 || at < c->cursor_at) {
        c->cursor = i->ino;
        c->cursor_at = 0;
    }
    while (c->cursor_at < at) {
        struct table_entry t;
        enum err e = table_get(fs, c->cursor, &t);
        if (e == OK && (t.next == ENTRY_END || t.next == 0))
            e = E_CORRUPT;
        if (e != OK)
            return e;
        c->cursor = t.next;
        c->cursor_at++;
    }
    *entry = c->cursor;
    return OK;
}

enum err chain_block_get(struct fs *fs, struct inode *i, uint64_t at, struct buffer **b)
{
    uint32_t entry;
    *b = NULL;
    if (at >= chain_of(i)->entries)
        return OK;
    enum err e = chain_find(fs, i, at, &entry);
    uint32_t block = fat(fs)->data_first + entry;
    return e == OK ? cache_get(fs, block, block, b) : e;
}

enum err chain_blocks_find(struct fs *fs, struct inode *i, uint64_t at, uint32_t *count,
                           struct want *want)
{
    for (uint32_t k = 0; k < *count; k++) {
        uint32_t entry;
        want[k] = (struct want){0};
        if (at + k >= chain_of(i)->entries)
            continue;
        enum err e = chain_find(fs, i, at + k, &entry);
        if (e != OK) {
            *count = k;
            return e;
        }
        want[k].block = fat(fs)->data_first + entry;
        want[k].key = want[k].block;
    }
    return OK;
}

/* ---- Growing ---- */

/* One more entry at the end, in memory alone. */
static enum err append(struct fs *fs, struct inode *i)
{
    struct chain *c = chain_of(i);
    struct table_entry last, t;
    struct buffer *b;
    uint32_t entry;
    enum err e = table_get(fs, c->last, &last);
    if (e == OK)
        e = chain_take(fs, c->last, &entry);
    if (e == OK && table_block(fs, entry, &b) != OK)
        e = E_MEDIA; /* the number stays taken: nobody can use it */
    if (e != OK)
        return e;
    t = (struct table_entry){.next = ENTRY_END,
                             .state = STATE_BODY,
                             .head = i->ino,
                             .generation = i->d.generation,
                             .number = c->entries,
                             .linked_ns = fs->now_ns};
    table_put_delayed(fs, entry, &t);
    last.next = entry;
    last.used = BLOCK_BYTES;
    table_put_delayed(fs, c->last, &last);
    c->last = entry;
    c->entries++;
    i->d.blocks = c->entries;
    rounds_delay(fs, i);
    return OK;
}

static void zero(struct fs *fs, struct inode *i, uint32_t entry)
{
    uint32_t block = fat(fs)->data_first + entry;
    struct buffer *b = cache_get_new(fs, block, block);
    change_open(fs, b, 0, 0);
    change_close_data(fs, i, true, true);
}

/* An empty file's block holds what its last owner left. */
static void fill_head(struct fs *fs, struct inode *i)
{
    if (!chain_of(i)->filled)
        zero(fs, i, i->ino);
    chain_of(i)->filled = true;
}

enum err chain_block_make(struct fs *fs, struct inode *i, uint64_t at, bool whole,
                          struct buffer **b, bool *fresh)
{
    struct chain *c = chain_of(i);
    uint32_t entry;
    *fresh = at >= c->entries || (at == 0 && !c->filled);
    if (at == 0)
        c->filled = true;
    else
        fill_head(fs, i);
    while (at >= c->entries) {
        enum err e = append(fs, i);
        if (e != OK)
            return e;
        if (c->entries <= at) /* a hole is zeros here */
            zero(fs, i, c->last);
    }
    enum err e = chain_find(fs, i, at, &entry);
    if (e != OK)
        return e;
    uint32_t block = fat(fs)->data_first + entry;
    if (!whole && !*fresh)
        return cache_get(fs, block, block, b);
    *b = whole ? cache_get_overwrite(fs, block, block) : cache_get_new(fs, block, block);
    return OK;
}

void chain_extend(struct fs *fs, struct inode *i)
{
    if (i->d.size > 0)
        fill_head(fs, i);
    while ((uint64_t)chain_of(i)->entries * BLOCK_BYTES < i->d.size) {
        if (append(fs, i) != OK) {
            writeback_fail(fs, E_NOSPC); /* room was counted before: its table is out of reach */
            return;
        }
        zero(fs, i, chain_of(i)->last);
        fs->store->throttle(fs);
    }
}

enum err chain_reserve(struct fs *fs, struct inode *i, uint64_t first, uint64_t last)
{
    uint64_t more = last + 1 > chain_of(i)->entries ? last + 1 - chain_of(i)->entries : 0;
    (void)first;
    return more <= fat(fs)->free ? OK : E_NOSPC;
}

/* ---- Cutting ---- */

/* Frees `count` entries of a chain from `entry` on: free on disk before they are given out. */
static enum err free_chain(struct fs *fs, uint32_t entry, uint32_t count)
{
    static const struct table_entry none = {0};
    uint32_t batch[FREE_BATCH];
    while (count > 0) {
        uint32_t n = 0;
        for (; n < FREE_BATCH && n < count; n++) {
            struct table_entry t;
            enum err e = table_get(fs, entry, &t);
            if (e != OK)
                return e; /* the rest is leaked until the next scan */
            batch[n] = entry;
            table_put(fs, entry, &none);
            entry = t.next;
        }
        enum err e = table_write_marked(fs);
        if (e != OK)
            return e;
        for (uint32_t k = 0; k < n; k++)
            chain_give(fs, batch[k]);
        count -= n;
    }
    return OK;
}

/* What of the file is on disk ends with the kept entries. */
static enum err end_stable_tail(struct fs *fs, struct inode *i, uint32_t keep, uint32_t last)
{
    struct chain *c = chain_of(i);
    struct table_entry t;
    uint32_t used = chain_used(i);
    table_get_stable(fs, last, &t);
    if (keep == c->stable_entries && used >= c->stable_used)
        return OK;
    t.next = ENTRY_END;
    t.used = used;
    table_put_stable(fs, last, &t);
    c->stable_entries = keep;
    c->stable_last = last;
    c->stable_used = used;
    return table_write_marked(fs);
}

static enum err cut_to(struct fs *fs, struct inode *i, uint32_t keep)
{
    struct chain *c = chain_of(i);
    struct table_entry t;
    uint32_t last, count = c->entries - keep;
    enum err e = chain_find(fs, i, keep - 1, &last);
    if (e == OK)
        e = table_get(fs, last, &t);
    if (e != OK)
        return e;
    uint32_t rest = t.next;
    c->entries = keep;
    c->last = last;
    c->filled = i->d.size > 0;
    i->d.blocks = keep;
    t.next = ENTRY_END;
    t.used = chain_used(i);
    table_put_delayed(fs, last, &t);
    if (c->stable_entries >= keep)
        e = end_stable_tail(fs, i, keep, last);
    rounds_delay(fs, i);
    return e == OK && count > 0 ? free_chain(fs, rest, count) : e;
}

/* The head went first (inode_settle), then what hung on it. */
static enum err cut_whole(struct fs *fs, struct inode *i)
{
    struct chain *c = chain_of(i);
    struct table_entry t;
    enum err e = table_get(fs, i->ino, &t);
    uint32_t rest = e == OK ? t.next : 0, count = c->entries - 1;
    if (e == OK)
        e = inode_settle(fs, i);
    cache_forget(fs, fat(fs)->data_first + i->ino);
    *c = (struct chain){0};
    return e == OK && count > 0 ? free_chain(fs, rest, count) : e;
}

enum err chain_cut(struct fs *fs, struct inode *i)
{
    ASSERT(i->dirty);
    if (i->d.type == 0)
        return cut_whole(fs, i);
    uint64_t blocks = (i->d.size + BLOCK_BYTES - 1) / BLOCK_BYTES;
    uint32_t keep = blocks == 0 ? 1 : (uint32_t)blocks;
    if (keep > chain_of(i)->entries)
        return OK;
    return cut_to(fs, i, keep);
}
