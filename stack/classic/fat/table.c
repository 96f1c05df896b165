/*
 * The table: encoding, the blocks in the cache, shadows, writing all copies.
 */
#include "assertion.h"
#include "bytes.h"
#include "fat.h"
#include "mem.h"

enum { /* offsets in an entry */
       T_NEXT = 0,
       T_STATE = 4,
       T_TYPE = 5,
       T_USED = 6,
       T_HEAD = 8,
       T_GENERATION = 12,
       T_NUMBER = 16,
       T_LINKED = 20,
       T_MODE = 28,
       T_NLINK = 30,
       T_UID = 32,
       T_GID = 36,
       T_MTIME = 40,
       T_CTIME = 48,
};

#define SHADOW_CHUNK 16u

void table_encode(uint8_t raw[ENTRY_TABLE_BYTES], const struct table_entry *t)
{
    memset(raw, 0, ENTRY_TABLE_BYTES);
    put_le32(raw + T_NEXT, t->next);
    raw[T_STATE] = (uint8_t)t->state;
    raw[T_TYPE] = (uint8_t)t->type;
    put_le16(raw + T_USED, (uint16_t)t->used);
    put_le32(raw + T_HEAD, t->head);
    put_le32(raw + T_GENERATION, t->generation);
    put_le32(raw + T_NUMBER, t->number);
    put_le64(raw + T_LINKED, t->linked_ns);
    put_le16(raw + T_MODE, (uint16_t)t->mode);
    put_le16(raw + T_NLINK, (uint16_t)t->nlink);
    put_le32(raw + T_UID, t->uid);
    put_le32(raw + T_GID, t->gid);
    put_le64(raw + T_MTIME, t->mtime_ns);
    put_le64(raw + T_CTIME, t->ctime_ns);
}

enum err table_decode(struct table_entry *t, const uint8_t raw[ENTRY_TABLE_BYTES], uint32_t entries)
{
    *t = (struct table_entry){.next = get_le32(raw + T_NEXT),
                              .type = raw[T_TYPE],
                              .used = get_le16(raw + T_USED),
                              .head = get_le32(raw + T_HEAD),
                              .generation = get_le32(raw + T_GENERATION),
                              .number = get_le32(raw + T_NUMBER),
                              .linked_ns = get_le64(raw + T_LINKED),
                              .mode = get_le16(raw + T_MODE),
                              .nlink = get_le16(raw + T_NLINK),
                              .uid = get_le32(raw + T_UID),
                              .gid = get_le32(raw + T_GID),
                              .mtime_ns = get_le64(raw + T_MTIME),
                              .ctime_ns = get_le64(raw + T_CTIME)};
    if (raw[T_STATE] > STATE_BODY || t->type > VFS_LINK_TYPE || t->used > BLOCK_BYTES)
        return E_CORRUPT;
    t->state = (enum entry_state)raw[T_STATE];
    if (t->state == STATE_FREE)
        return OK;
    bool leads = t->next == ENTRY_END || (t->next != 0 && t->next < entries);
    return leads && t->head != 0 && t->head < entries ? OK : E_CORRUPT;
}

/* ---- Blocks ---- */

uint32_t table_disk_block(const struct fs *fs, uint32_t entry, uint32_t copy)
{
    return 1 + copy * fat(fs)->table_blocks + entry / ENTRIES_A_BLOCK;
}

/* The first copy, or else the second: it is put in the first one's place. */
enum err table_block(struct fs *fs, uint32_t entry, struct buffer **b)
{
    ASSERT(entry < fat(fs)->entries);
    uint32_t first = table_disk_block(fs, entry, 0);
    enum err e = cache_get(fs, first, first, b);
    if (e != E_MEDIA || fat(fs)->tables == 1)
        return e;
    *b = cache_get_overwrite(fs, first, first);
    enum err copy =
        block_read(&fs->client, (uint64_t)table_disk_block(fs, entry, 1) * SECTORS_A_BLOCK,
                   (*b)->page, BLOCK_BYTES);
    if (copy == OK)
        return OK;
    cache_forget(fs, first);
    return e;
}

static uint8_t *raw_of(struct buffer *b, uint32_t entry)
{
    return b->page + entry % ENTRIES_A_BLOCK * ENTRY_TABLE_BYTES;
}

enum err table_get(struct fs *fs, uint32_t entry, struct table_entry *t)
{
    struct buffer *b;
    if (entry == 0 || entry >= fat(fs)->entries)
        return E_CORRUPT;
    enum err e = table_block(fs, entry, &b);
    return e == OK ? table_decode(t, raw_of(b, entry), fat(fs)->entries) : e;
}

/* ---- Shadows ---- */

static void add_shadows(struct fs *fs)
{
    struct shadow *s = plat_alloc(SHADOW_CHUNK * sizeof(*s), TAG_HEAP);
    uint8_t *pages = plat_alloc((size_t)SHADOW_CHUNK * BLOCK_BYTES, TAG_PAGES);
    ASSERT(s != NULL && pages != NULL); /* as many as table blocks that files are growing in */
    for (uint32_t k = 0; k < SHADOW_CHUNK; k++) {
        s[k].page = pages + (size_t)k * BLOCK_BYTES;
        s[k].next = fat(fs)->free_shadows;
        fat(fs)->free_shadows = &s[k];
    }
}

static struct shadow *shadow_of(struct fs *fs, struct buffer *b)
{
    if (b->own != NULL)
        return b->own;
    if (fat(fs)->free_shadows == NULL)
        add_shadows(fs);
    struct shadow *s = fat(fs)->free_shadows;
    fat(fs)->free_shadows = s->next;
    fat(fs)->shadows++;
    memcpy(s->page, b->page, BLOCK_BYTES);
    s->marked = false;
    b->own = s;
    b->pins++;
    return s;
}

static void drop_shadow(struct fs *fs, struct buffer *b)
{
    struct shadow *s = b->own;
    ASSERT(s != NULL && b->pins > 0);
    s->next = fat(fs)->free_shadows;
    fat(fs)->free_shadows = s;
    fat(fs)->shadows--;
    b->own = NULL;
    b->pins--;
}

/* In the cache by now: whoever changes an entry has looked at it. */
static struct buffer *known_block(struct fs *fs, uint32_t entry)
{
    struct buffer *b;
    enum err e = table_block(fs, entry, &b);
    ASSERT(e == OK);
    return b;
}

static void mark(struct fs *fs, struct buffer *b)
{
    struct fat *f = fat(fs);
    struct shadow *s = shadow_of(fs, b);
    if (s->marked)
        return;
    if (f->marks == MARKS_MAX && table_write_marked(fs) != OK)
        return;
    s = shadow_of(fs, b);
    s->marked = true;
    f->mark[f->marks++] = b;
}

void table_put_delayed(struct fs *fs, uint32_t entry, const struct table_entry *t)
{
    struct buffer *b = known_block(fs, entry);
    (void)shadow_of(fs, b);
    table_encode(raw_of(b, entry), t);
}

static uint8_t *stable_raw(struct fs *fs, struct buffer *b, uint32_t entry)
{
    return shadow_of(fs, b)->page + entry % ENTRIES_A_BLOCK * ENTRY_TABLE_BYTES;
}

void table_release(struct fs *fs, uint32_t entry)
{
    struct buffer *b = known_block(fs, entry);
    memcpy(stable_raw(fs, b, entry), raw_of(b, entry), ENTRY_TABLE_BYTES);
    mark(fs, b);
}

void table_put(struct fs *fs, uint32_t entry, const struct table_entry *t)
{
    table_put_delayed(fs, entry, t);
    table_release(fs, entry);
}

void table_get_stable(struct fs *fs, uint32_t entry, struct table_entry *t)
{
    struct buffer *b = known_block(fs, entry);
    if (table_decode(t, stable_raw(fs, b, entry), fat(fs)->entries) != OK)
        *t = (struct table_entry){0};
}

void table_put_stable(struct fs *fs, uint32_t entry, const struct table_entry *t)
{
    struct buffer *b = known_block(fs, entry);
    table_encode(stable_raw(fs, b, entry), t);
    mark(fs, b);
}

/* ---- Writing ---- */

static uint32_t submit(struct fs *fs, uint32_t block, uint8_t *page)
{
    struct plat_span span = {.base = page, .bytes = BLOCK_BYTES};
    return block_submit(&fs->client, BLOCK_WRITE, (uint64_t)block * SECTORS_A_BLOCK, false, &span,
                        1);
}

static void await(struct fs *fs, const uint32_t *slot, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++) {
        enum err e = block_wait(&fs->client, slot[k]);
        if (e != OK)
            writeback_fail(fs, e);
    }
}

static enum err flush(struct fs *fs)
{
    enum err e = fs->read_only ? OK : as_media(block_flush(&fs->client));
    if (e != OK)
        writeback_fail(fs, e);
    return fs->read_only ? fs->write_error : OK;
}

enum err table_write_marked(struct fs *fs)
{
    struct fat *f = fat(fs);
    if (f->marks == 0)
        return fs->read_only ? fs->write_error : OK;
    for (uint32_t k = 0; k < f->marks; k++) {
        struct shadow *s = f->mark[k]->own;
        uint32_t slot[2];
        for (uint32_t copy = 0; copy < f->tables; copy++)
            slot[copy] = submit(fs, f->mark[k]->block + copy * f->table_blocks, s->page);
        await(fs, slot, f->tables);
        s->marked = false;
        if (!fs->read_only && memcmp(s->page, f->mark[k]->page, BLOCK_BYTES) == 0)
            drop_shadow(fs, f->mark[k]);
    }
    f->marks = 0;
    return flush(fs);
}

enum err table_write_other(struct fs *fs, struct buffer *b)
{
    if (b->writing)
        writeback_settle(fs); /* an older version is on its way, and could come in after this one */
    if (b->dirty) {
        cache_undirty(b);
        b->writing = true;
        uint32_t slot = submit(fs, b->block, b->page);
        await(fs, &slot, 1);
        b->failed = fs->read_only; /* readers get what memory has */
        cache_written(fs, b);
    }
    return flush(fs);
}
