/*
 * Mounting reads the table for the map of free entries. After a crash: entries that no chain
 * reaches are freed, names that lead to no head go, heads without a name go, of a directory with
 * two names - a move was cut short - `..` says which one stays, else `..` is what the name says,
 * link counts are what names say, and a head is no older than what was linked to it. What it
 * computes depends on the disk alone and is the same again if it is cut.
 */
#include "assertion.h"
#include "fat.h"
#include "mem.h"

#define SCAN_BLOCKS 64u

struct scan {
    struct fs *fs;
    uint8_t *pages;
    uint8_t *reached;        /* a bit an entry */
    uint16_t *names;         /* of each head */
    uint32_t *queue, queued; /* directories, each once */
    bool twice;              /* a directory has two names */
};

static bool bit(const uint8_t *map, uint32_t k)
{
    return (map[k / 8] >> k % 8 & 1) != 0;
}

static void set_bit(uint8_t *map, uint32_t k)
{
    map[k / 8] |= (uint8_t)(1u << k % 8);
}

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

static void count_entry(struct fs *fs, uint32_t entry, const uint8_t *raw)
{
    struct fat *f = fat(fs);
    struct table_entry t;
    bool bad = table_decode(&t, raw, f->entries) != OK;
    if (!bad && t.generation >= f->generation)
        f->generation = t.generation + 1;
    if (bad || t.state != STATE_FREE)
        set_bit(f->map, entry);
    else
        f->free++;
}

/* After an orderly stop entries that cannot be read are taken, and an error to who needs them. */
static enum err read_map(struct scan *s, bool clean)
{
    struct fs *fs = s->fs;
    struct fat *f = fat(fs);
    f->free = 0;
    f->generation = 1;
    for (uint32_t first = 0; first < f->table_blocks; first += SCAN_BLOCKS) {
        uint32_t count =
            f->table_blocks - first < SCAN_BLOCKS ? f->table_blocks - first : SCAN_BLOCKS;
        enum err e = read_table(fs, first, s->pages, count);
        if (e != OK && !clean)
            return e;
        if (e != OK)
            plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)e, first);
        for (uint32_t k = 0; k < count * ENTRIES_A_BLOCK; k++) {
            uint32_t entry = first * ENTRIES_A_BLOCK + k;
            if (entry > 0 && entry < f->entries)
                count_entry(fs, entry, s->pages + (size_t)k * ENTRY_TABLE_BYTES);
        }
    }
    set_bit(f->map, 0);
    return OK;
}

/* ---- Chains ---- */

/* Marks what the head's chain reaches; the newest time at which something was linked to it. */
static enum err follow(struct scan *s, uint32_t head, const struct table_entry *h,
                       uint64_t *newest_ns)
{
    struct table_entry t = *h;
    uint32_t number = 0;
    set_bit(s->reached, head);
    *newest_ns = h->mtime_ns;
    while (t.next != ENTRY_END) {
        uint32_t entry = t.next;
        enum err e = table_get(s->fs, entry, &t);
        if (e == E_MEDIA)
            return e;
        if (e != OK || t.state != STATE_BODY || t.head != head || t.generation != h->generation ||
            t.number != ++number)
            return OK; /* corruption, never a cut: an error at its use */
        set_bit(s->reached, entry);
        *newest_ns = t.linked_ns > *newest_ns ? t.linked_ns : *newest_ns;
    }
    return OK;
}

static enum err follow_all(struct scan *s)
{
    struct fat *f = fat(s->fs);
    for (uint32_t entry = 1; entry < f->entries; entry++) {
        struct table_entry t;
        uint64_t newest_ns;
        if (!bit(f->map, entry) || table_get(s->fs, entry, &t) != OK || t.state != STATE_HEAD)
            continue;
        enum err e = follow(s, entry, &t, &newest_ns);
        if (e != OK)
            return e;
        if (newest_ns > t.mtime_ns) {
            t.mtime_ns = newest_ns;
            table_put(s->fs, entry, &t);
        }
    }
    return table_write_marked(s->fs);
}

/* ---- Names ---- */

static bool is_head(struct scan *s, uint32_t ino, struct table_entry *t)
{
    return ino != 0 && ino < fat(s->fs)->entries && table_get(s->fs, ino, t) == OK &&
           t->state == STATE_HEAD && t->head == ino;
}

static void enqueue(struct scan *s, uint32_t ino)
{
    s->queue[s->queued++] = ino;
}

static enum err remove_name(struct scan *s, struct inode *dir, const struct vfs_dirent *entry,
                            const uint8_t *name)
{
    struct found at = {
        .ino = (uint32_t)entry->ino, .type = entry->type, .offset = (uint32_t)entry->next - 1};
    plat_report(REPORT_REPAIR, entry->ino, dir->ino);
    return dir_remove(s->fs, dir, &at, name, entry->name_bytes);
}

/* What a walk does with each name. */
typedef enum err name_fn(struct scan *s, struct inode *dir, const struct vfs_dirent *entry,
                         const uint8_t *name, void *context);

/* The names of one directory, dots apart. What is broken is an error at its use, and not here. */
static enum err walk(struct scan *s, uint32_t ino, name_fn *visit, void *context)
{
    struct inode *dir;
    uint64_t cookie = 0;
    enum err e = inode_get(s->fs, ino, &dir);
    while (e == OK) {
        uint32_t used = 0;
        e = dir_list(s->fs, dir, &cookie, LISTING_BYTES, &used);
        for (uint32_t at = 0; at < used && e == OK;) {
            struct vfs_dirent entry;
            vfs_dirent_decode(&entry, s->fs->listing + at);
            const uint8_t *name = s->fs->listing + at + VFS_DIRENT_BYTES;
            at += VFS_DIRENT_BYTES + entry.name_bytes;
            e = inode_get(s->fs, ino, &dir);
            e = e == OK ? visit(s, dir, &entry, name, context) : e;
        }
        if (cookie == 0 || used == 0)
            break;
    }
    return e == E_CORRUPT ? OK : e;
}

/* It leads to a head, or goes. */
static enum err take_name(struct scan *s, struct inode *dir, const struct vfs_dirent *entry,
                          const uint8_t *name, void *context)
{
    struct table_entry t;
    uint32_t ino = (uint32_t)entry->ino;
    (void)context;
    if (!is_head(s, ino, &t))
        return remove_name(s, dir, entry, name);
    if (s->names[ino] < UINT16_MAX)
        s->names[ino]++;
    if (t.type != VFS_DIRECTORY || ino == FAT_ROOT)
        return OK;
    if (s->names[ino] == 1)
        enqueue(s, ino);
    s->twice |= s->names[ino] > 1;
    return OK;
}

/* It is the one that a move was about to take. */
static bool is_going(struct scan *s, struct inode *dir, const struct vfs_dirent *entry,
                     const uint8_t *name)
{
    struct found found;
    return dir_find(s->fs, dir, name, entry->name_bytes, &found) == OK && found.going;
}

/* A directory has one name: first those go that `..` does not lead to or that a move was about to
 * take, and then any. */
static enum err choose_name(struct scan *s, struct inode *dir, const struct vfs_dirent *entry,
                            const uint8_t *name, void *context)
{
    const bool *any = context;
    struct inode *d;
    uint32_t ino = (uint32_t)entry->ino, parent = dir->ino, here = dir->ino;
    if (entry->type != VFS_DIRECTORY || ino == FAT_ROOT || s->names[ino] < 2)
        return OK;
    enum err e = inode_get(s->fs, ino, &d);
    e = e == OK ? dir_parent(s->fs, d, &parent) : e;
    if (e == OK)
        e = inode_get(s->fs, here, &dir);
    if (e != OK || (parent == here && !*any && !is_going(s, dir, entry, name)))
        return e == E_CORRUPT ? OK : e;
    s->names[ino]--;
    return remove_name(s, dir, entry, name);
}

/* `..` is where its name is. */
static enum err mend_parent(struct scan *s, struct inode *dir, const struct vfs_dirent *entry,
                            const uint8_t *name, void *context)
{
    struct inode *d;
    uint32_t parent, here = dir->ino;
    (void)name, (void)context;
    if (entry->type != VFS_DIRECTORY || entry->ino == FAT_ROOT)
        return OK;
    enum err e = inode_get(s->fs, (uint32_t)entry->ino, &d);
    e = e == OK ? dir_parent(s->fs, d, &parent) : e;
    if (e == OK && parent != here) {
        plat_report(REPORT_REPAIR, entry->ino, here);
        e = dir_set_parent(s->fs, d, here);
    }
    return e == E_CORRUPT ? OK : e;
}

/* Over all directories that have a name; a walk may find more of them. */
static enum err walk_all(struct scan *s, name_fn *visit, void *context)
{
    enum err e = OK;
    for (uint32_t k = 0; k < s->queued && e == OK; k++)
        e = walk(s, s->queue[k], visit, context);
    return e;
}

static enum err mend_names(struct scan *s)
{
    bool any = false;
    enqueue(s, FAT_ROOT);
    enum err e = walk_all(s, take_name, NULL);
    if (e == OK && s->twice)
        e = walk_all(s, choose_name, &any);
    any = true;
    if (e == OK && s->twice)
        e = walk_all(s, choose_name, &any);
    return e == OK ? walk_all(s, mend_parent, NULL) : e;
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

static enum err mend_entry(struct scan *s, uint32_t entry)
{
    static const struct table_entry none = {0};
    struct table_entry t;
    uint32_t subdirectories = 0;
    enum err e = table_get(s->fs, entry, &t);
    if (e != OK)
        return e == E_CORRUPT ? OK : e;
    bool named = t.state == STATE_HEAD && (s->names[entry] > 0 || entry == FAT_ROOT);
    if (t.state == STATE_BODY ? !bit(s->reached, entry) : !named) {
        table_put(s->fs, entry, &none);
        return OK;
    }
    if (t.state != STATE_HEAD)
        return OK;
    if (t.type == VFS_DIRECTORY) {
        e = walk(s, entry, count_directory, &subdirectories);
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
        if (!bit(f->map, entry) || table_get(s->fs, entry, &t) != OK || t.state != STATE_BODY)
            continue;
        struct table_entry head;
        if (is_head(s, t.head, &head) && s->names[t.head] == 0 && t.head != FAT_ROOT)
            s->reached[entry / 8] &= (uint8_t) ~(1u << entry % 8);
    }
    return OK;
}

static enum err mend(struct scan *s)
{
    struct fat *f = fat(s->fs);
    enum err e = follow_all(s);
    plat_probe(PROBE_FAT_REC_SCAN);
    if (e == OK)
        e = mend_names(s);
    if (e == OK)
        e = drop_nameless(s);
    for (uint32_t entry = 1; entry < f->entries && e == OK; entry++)
        if (bit(f->map, entry))
            e = mend_entry(s, entry);
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

enum err recover_scan(struct fs *fs, bool clean)
{
    struct fat *f = fat(fs);
    struct scan s = {.fs = fs};
    s.pages = plat_alloc((size_t)2 * SCAN_BLOCKS * BLOCK_BYTES, TAG_PAGES);
    if (s.pages == NULL)
        return E_FULL;
    enum err e = read_map(&s, clean);
    if (e != OK || clean)
        return e;
    s.reached = plat_alloc(f->entries / 8 + 1, TAG_HEAP);
    s.names = plat_alloc(f->entries * sizeof(s.names[0]), TAG_HEAP);
    s.queue = plat_alloc(f->entries * sizeof(s.queue[0]), TAG_HEAP);
    if (s.reached == NULL || s.names == NULL || s.queue == NULL)
        return E_FULL;
    plat_report(REPORT_RECOVERY_BEGIN, 0, 0);
    e = copy_table(&s); /* a cut may have come between them */
    if (e == OK)
        e = mend(&s);
    index_drop(fs);
    inode_drop_all(fs);
    if (e == OK) {
        memset(f->map, 0, f->entries / 8 + 1);
        e = read_map(&s, false);
    }
    plat_report(REPORT_RECOVERY_END, 0, 0);
    return e;
}
