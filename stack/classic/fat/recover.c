/*
 * Mounting reads the table for the map of free entries. After a crash: entries that no chain
 * reaches are freed, names that lead to no head go, heads without a name are freed or kept in
 * lost+found, of a directory with two names - a move was cut short - `..` or a mark says which one
 * stays, else `..` is what the name says, link counts are what names say, and a head is no older
 * than what was linked to it. What it computes depends on the disk alone and is the same again if
 * it is cut. If anything is damaged or cannot be read, all is left as it is, and read-only.
 */
#include "recover.h"
#include "assertion.h"
#include "mem.h"

#define SCAN_BLOCKS 64u

/* ---- The table as a whole ---- */

static enum err read_run(struct fs *fs, uint64_t block, uint8_t *to, uint32_t count)
{
    return as_media(
        block_read(&fs->client, block * SECTORS_A_BLOCK, to, (size_t)count * BLOCK_BYTES));
}

/* A run of table blocks; those that cannot be read come from the other copy. E_MEDIA: some could
 * not be read there either, and are as no table is. */
static enum err read_table(struct fs *fs, uint32_t first, uint8_t *to, uint32_t count)
{
    struct fat *f = fat(fs);
    enum err e = OK;
    if (read_run(fs, 1 + first, to, count) == OK)
        return OK;
    for (uint32_t k = 0; k < count; k++, to += BLOCK_BYTES) {
        enum err one = read_run(fs, 1 + first + k, to, 1);
        if (one != OK && f->tables > 1)
            one = read_run(fs, 1 + f->table_blocks + first + k, to, 1);
        if (one != OK)
            memset(to, 0xff, BLOCK_BYTES);
        e = e == OK ? one : e;
    }
    return e;
}

static void count_entry(struct scan *s, uint32_t entry, const uint8_t *raw)
{
    struct fat *f = fat(s->fs);
    struct table_entry t;
    bool bad = table_decode(&t, raw, f->entries) != OK;
    s->blind |= bad;
    if (!bad && t.generation >= f->generation)
        f->generation = t.generation + 1;
    if (bad || t.state != STATE_FREE)
        scan_set(f->map, entry);
    else
        f->free++;
}

/* Entries that cannot be read are taken, and an error to who needs them. */
static void read_map(struct scan *s)
{
    struct fs *fs = s->fs;
    struct fat *f = fat(fs);
    f->free = 0;
    f->generation = 1;
    for (uint32_t first = 0; first < f->table_blocks; first += SCAN_BLOCKS) {
        uint32_t count =
            f->table_blocks - first < SCAN_BLOCKS ? f->table_blocks - first : SCAN_BLOCKS;
        enum err e = read_table(fs, first, s->pages, count);
        if (e != OK)
            plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)e, first);
        for (uint32_t k = 0; k < count * ENTRIES_A_BLOCK; k++) {
            uint32_t entry = first * ENTRIES_A_BLOCK + k;
            if (entry > 0 && entry < f->entries)
                count_entry(s, entry, s->pages + (size_t)k * ENTRY_TABLE_BYTES);
        }
    }
    scan_set(f->map, 0);
}

/* ---- Chains ---- */

/* Marks what the head's chain reaches; the newest time at which something was linked to it. */
static void follow(struct scan *s, uint32_t head, const struct table_entry *h, uint64_t *newest_ns)
{
    struct table_entry t = *h;
    uint32_t number = 0;
    scan_set(s->reached, head);
    *newest_ns = h->mtime_ns;
    while (t.next != ENTRY_END) {
        uint32_t entry = t.next;
        enum err e = table_get(s->fs, entry, &t);
        if (e != OK || t.state != STATE_BODY || t.head != head || t.generation != h->generation ||
            t.number != ++number) {
            s->blind = true; /* corruption, never a cut */
            return;
        }
        scan_set(s->reached, entry);
        *newest_ns = t.linked_ns > *newest_ns ? t.linked_ns : *newest_ns;
    }
}

/* mend: heads get their time; else nothing changes. */
static enum err follow_all(struct scan *s, bool mend)
{
    struct fat *f = fat(s->fs);
    for (uint32_t entry = 1; entry < f->entries; entry++) {
        struct table_entry t;
        uint64_t newest_ns;
        if (!scan_bit(f->map, entry) || table_get(s->fs, entry, &t) != OK || t.state != STATE_HEAD)
            continue;
        follow(s, entry, &t, &newest_ns);
        if (mend && newest_ns > t.mtime_ns) {
            t.mtime_ns = newest_ns;
            table_put(s->fs, entry, &t);
        }
    }
    return mend ? table_write_marked(s->fs) : OK;
}

/* ---- Heads ---- */

static enum err count_directory(struct scan *s, struct inode *dir, const struct vfs_dirent *entry,
                                const uint8_t *name, void *context)
{
    uint32_t *count = context;
    (void)s, (void)dir, (void)name;
    *count += entry->type == VFS_DIRECTORY ? 1 : 0;
    return OK;
}

static enum err mend_entry(struct scan *s, uint32_t entry, enum entry_state state)
{
    static const struct table_entry none = {0};
    struct table_entry t;
    uint32_t subdirectories = 0;
    enum err e = table_get(s->fs, entry, &t);
    if (e != OK)
        return e == E_CORRUPT ? OK : e;
    if (t.state != state)
        return OK;
    bool named = t.state == STATE_HEAD && (s->names[entry] > 0 || entry == FAT_ROOT);
    if (t.state == STATE_BODY ? !scan_bit(s->reached, entry) : !named) {
        table_put(s->fs, entry, &none);
        return OK;
    }
    if (t.state != STATE_HEAD)
        return OK;
    if (t.type == VFS_DIRECTORY) {
        e = recover_walk(s, entry, count_directory, &subdirectories);
        if (e != OK)
            return e;
    }
    uint32_t nlink = t.type == VFS_DIRECTORY ? 2 + subdirectories : s->names[entry];
    if (t.nlink == nlink)
        return OK;
    t.nlink = nlink;
    table_put(s->fs, entry, &t);
    return OK;
}

/* Chains of heads that go are reached by nothing the second time. */
static enum err drop_nameless(struct scan *s)
{
    struct fat *f = fat(s->fs);
    for (uint32_t entry = 1; entry < f->entries; entry++) {
        struct table_entry t;
        if (!scan_bit(f->map, entry) || table_get(s->fs, entry, &t) != OK || t.state != STATE_BODY)
            continue;
        struct table_entry head;
        if (recover_is_head(s, t.head, &head) && s->names[t.head] == 0 && t.head != FAT_ROOT)
            s->reached[entry / 8] &= (uint8_t) ~(1u << entry % 8);
    }
    return OK;
}

static enum err mend_names(struct scan *s)
{
    scan_set(s->found, FAT_ROOT);
    enum err e = recover_take_names(s);
    if (e == OK && !s->fs->options.orphans_delete)
        e = recover_find_lost(s);
    if (e == OK && s->blind)
        return E_MEDIA; /* it could be read before: nothing is freed, the next start looks again */
    return e == OK ? recover_mend_names(s) : e;
}

static enum err mend(struct scan *s)
{
    struct fat *f = fat(s->fs);
    enum err e = follow_all(s, true);
    if (e == OK)
        e = mend_names(s);
    if (e == OK)
        e = drop_nameless(s);
    for (uint32_t entry = 1; entry < f->entries && e == OK; entry++)
        if (scan_bit(f->map, entry))
            e = mend_entry(s, entry, STATE_HEAD);
    if (e == OK)
        e = table_write_marked(s->fs); /* a head never leads to what is free */
    for (uint32_t entry = 1; entry < f->entries && e == OK; entry++)
        if (scan_bit(f->map, entry))
            e = mend_entry(s, entry, STATE_BODY);
    if (e == OK)
        e = table_write_marked(s->fs);
    plat_probe(PROBE_FAT_REC_FREE);
    return e;
}

/* One block of the second copy, if it differs. */
static enum err copy_block(struct fs *fs, uint32_t at, uint8_t *page, const uint8_t *other)
{
    uint64_t block = 1 + fat(fs)->table_blocks + at;
    if (memcmp(page, other, BLOCK_BYTES) == 0)
        return OK;
    return as_media(block_write(&fs->client, block * SECTORS_A_BLOCK, page, BLOCK_BYTES, false));
}

/* Both copies are as the first one again. */
static enum err copy_table(struct scan *s)
{
    struct fs *fs = s->fs;
    struct fat *f = fat(fs);
    uint8_t *other = s->pages + (size_t)SCAN_BLOCKS * BLOCK_BYTES;
    for (uint32_t first = 0; first < f->table_blocks && f->tables > 1; first += SCAN_BLOCKS) {
        uint32_t left = f->table_blocks - first, count = left < SCAN_BLOCKS ? left : SCAN_BLOCKS;
        enum err e = read_table(fs, first, s->pages, count);
        if (e == OK && read_run(fs, 1 + f->table_blocks + first, other, count) != OK)
            memset(other, 0xff, (size_t)count * BLOCK_BYTES); /* as no table is: all is written */
        for (uint32_t k = 0; k < count && e == OK; k++)
            e = copy_block(fs, first + k, s->pages + (size_t)k * BLOCK_BYTES,
                           other + (size_t)k * BLOCK_BYTES);
        if (e != OK)
            return e;
    }
    return as_media(block_flush(&fs->client));
}

static enum err make_maps(struct scan *s)
{
    uint32_t entries = fat(s->fs)->entries;
    s->map_bytes = entries / 8 + 1;
    s->reached = plat_alloc(s->map_bytes, TAG_HEAP);
    s->found = plat_alloc(s->map_bytes, TAG_HEAP);
    s->walked = plat_alloc(s->map_bytes, TAG_HEAP);
    s->lost = plat_alloc(s->map_bytes, TAG_HEAP);
    s->names = plat_alloc(entries * sizeof(s->names[0]), TAG_HEAP);
    bool all = s->reached != NULL && s->found != NULL && s->walked != NULL && s->lost != NULL;
    return all && s->names != NULL ? OK : E_FULL;
}

/* All of it, without a change. */
static enum err look(struct scan *s)
{
    enum err e = follow_all(s, false);
    if (e == OK)
        e = recover_look_at_names(s);
    plat_probe(PROBE_FAT_REC_SCAN);
    return e;
}

static enum err mend_all(struct scan *s)
{
    struct fs *fs = s->fs;
    enum err e = copy_table(s); /* a cut may have come between them */
    if (e == OK)
        e = mend(s);
    index_drop(fs);
    inode_drop_all(fs);
    if (e != OK)
        return e;
    memset(fat(fs)->map, 0, s->map_bytes);
    read_map(s);
    return recover_name_lost(s);
}

enum err recover_scan(struct fs *fs, bool clean)
{
    struct scan s = {.fs = fs};
    s.pages = plat_alloc((size_t)2 * SCAN_BLOCKS * BLOCK_BYTES, TAG_PAGES);
    if (s.pages == NULL)
        return E_FULL;
    read_map(&s);
    if (clean)
        return OK;
    enum err e = make_maps(&s);
    if (e != OK)
        return e;
    plat_report(REPORT_RECOVERY_BEGIN, 0, 0);
    e = look(&s);
    if (e == OK && s.blind)
        writeback_fail(fs, E_MEDIA); /* what the damage hides is not to be freed */
    else if (e == OK)
        e = mend_all(&s);
    plat_report(REPORT_RECOVERY_END, 0, 0);
    return e;
}
