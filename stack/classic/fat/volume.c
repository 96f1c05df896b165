/*
 * The volume: superblock, two copies of the table, blocks (FORMAT.md).
 */
#include "assertion.h"
#include "bytes.h"
#include "fat.h"
#include "mem.h"

#define FAT_MAGIC UINT64_C(0x315441464c53524c)
#define FAT_VERSION 1u
#define ENTRIES_MIN 64u

enum { /* offsets in the superblock */
       S_MAGIC = 0,
       S_VERSION = 8,
       S_CLEAN = 12,
       S_UUID = 16,
       S_BLOCKS = 32,
       S_ENTRIES = 40,
       S_TABLES = 44,
       S_CRC = 48,
};

static bool fits(uint64_t blocks, uint64_t entries, uint32_t tables)
{
    uint64_t table = (entries + ENTRIES_A_BLOCK - 1) / ENTRIES_A_BLOCK;
    return 1 + tables * table + (entries - 1) + 1 <= blocks;
}

/* As many entries as there is room for blocks. */
static uint32_t entries_of(uint64_t blocks, uint32_t tables)
{
    uint64_t entries = blocks;
    while (entries > ENTRIES_MIN && !fits(blocks, entries, tables))
        entries -= entries / 1024 + 1;
    while (entries < ENTRY_END - 1 && fits(blocks, entries + 1, tables))
        entries++;
    return fits(blocks, entries, tables) ? (uint32_t)entries : 0;
}

static enum err set_sizes(struct fs *fs, uint64_t blocks, uint32_t entries, uint32_t tables)
{
    struct fat *f = fat(fs);
    f->blocks = fs->blocks = blocks;
    f->entries = entries;
    f->tables = tables;
    f->table_blocks = (entries + ENTRIES_A_BLOCK - 1) / ENTRIES_A_BLOCK;
    f->data_first = tables * f->table_blocks; /* entry 1 is the block after the tables */
    f->hint = 1;
    fs->root = FAT_ROOT;
    f->map = plat_alloc(entries / 8 + 1, TAG_HEAP);
    return f->map != NULL ? OK : E_FULL;
}

static enum err super_write(struct fs *fs, uint64_t block, bool fua)
{
    struct fat *f = fat(fs);
    uint8_t *raw = f->super_page;
    memset(raw, 0, BLOCK_BYTES);
    put_le64(raw + S_MAGIC, FAT_MAGIC);
    put_le32(raw + S_VERSION, FAT_VERSION);
    put_le32(raw + S_CLEAN, f->clean ? 1 : 0);
    put_le64(raw + S_UUID, f->uuid[0]);
    put_le64(raw + S_UUID + 8, f->uuid[1]);
    put_le64(raw + S_BLOCKS, f->blocks);
    put_le32(raw + S_ENTRIES, f->entries);
    put_le32(raw + S_TABLES, f->tables);
    put_le32(raw + S_CRC, plat_crc32c(raw, S_CRC));
    return as_media(block_write(&fs->client, block * SECTORS_A_BLOCK, raw, BLOCK_BYTES, fua));
}

static enum err super_read(struct fs *fs, uint64_t block, uint64_t blocks)
{
    struct fat *f = fat(fs);
    uint8_t *raw = f->super_page;
    enum err e = block_read(&fs->client, block * SECTORS_A_BLOCK, raw, BLOCK_BYTES);
    if (e != OK)
        return as_media(e);
    if (get_le64(raw + S_MAGIC) != FAT_MAGIC || get_le32(raw + S_CRC) != plat_crc32c(raw, S_CRC))
        return E_CORRUPT;
    if (get_le32(raw + S_VERSION) != FAT_VERSION)
        return E_VERSION;
    uint32_t tables = get_le32(raw + S_TABLES), entries = get_le32(raw + S_ENTRIES);
    uint64_t volume = get_le64(raw + S_BLOCKS);
    if (volume > blocks || tables < 1 || tables > 2 || entries < ENTRIES_MIN ||
        !fits(volume, entries, tables))
        return E_CORRUPT;
    f->clean = get_le32(raw + S_CLEAN) == 1;
    f->uuid[0] = get_le64(raw + S_UUID);
    f->uuid[1] = get_le64(raw + S_UUID + 8);
    return set_sizes(fs, volume, entries, tables);
}

/* All entries free: zeros, many blocks a request. */
static enum err zero_tables(struct fs *fs)
{
    struct fat *f = fat(fs);
    struct plat_span span[BLOCK_IO_MAX_BLOCKS];
    memset(f->super_page, 0, BLOCK_BYTES);
    for (uint32_t k = 0; k < BLOCK_IO_MAX_BLOCKS; k++)
        span[k] = (struct plat_span){.base = f->super_page, .bytes = BLOCK_BYTES};
    uint64_t end = 1 + (uint64_t)f->tables * f->table_blocks;
    for (uint64_t at = 1; at < end;) {
        uint32_t run = end - at < BLOCK_IO_MAX_BLOCKS ? (uint32_t)(end - at) : BLOCK_IO_MAX_BLOCKS;
        uint32_t slot =
            block_submit(&fs->client, BLOCK_WRITE, at * SECTORS_A_BLOCK, false, span, run);
        enum err e = block_wait(&fs->client, slot);
        if (e != OK)
            return as_media(e);
        at += run;
    }
    return OK;
}

static enum err mark_clean(struct fs *fs)
{
    enum err e = as_media(block_flush(&fs->client));
    fat(fs)->clean = true;
    if (e == OK)
        e = super_write(fs, 0, false);
    if (e == OK)
        e = super_write(fs, fat(fs)->blocks - 1, false);
    return e == OK ? as_media(block_flush(&fs->client)) : e;
}

enum err volume_format(struct fs *fs, uint64_t blocks)
{
    struct fat *f = fat(fs);
    if (blocks > UINT32_MAX)
        blocks = UINT32_MAX;
    uint32_t tables = fs->options.fat_tables, entries = entries_of(blocks, tables);
    if (entries == 0)
        return E_NOSPC;
    enum err e = set_sizes(fs, blocks, entries, tables);
    if (e == OK)
        e = zero_tables(fs);
    if (e != OK)
        return e;
    f->uuid[0] = fs->options.seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    f->uuid[1] = fs->options.seed ^ blocks;
    f->generation = 2;
    f->map[0] = 1u << 0 | 1u << FAT_ROOT;
    f->free = entries - 2;
    e = names_make_root(fs, FAT_ROOT);
    return e == OK ? volume_unmount(fs, NULL, NULL) : e;
}

enum err volume_load(struct fs *fs, uint64_t blocks)
{
    if (blocks > UINT32_MAX)
        blocks = UINT32_MAX;
    enum err e = super_read(fs, 0, blocks);
    if (e == E_MEDIA || e == E_CORRUPT) {
        plat_report(REPORT_DETECTED, (uint64_t) - (int64_t)e, 0);
        enum err copy = super_read(fs, blocks - 1, blocks);
        e = copy == OK ? OK : e;
    }
    return e == OK ? recover_scan(fs, fat(fs)->clean) : e;
}

enum err volume_touch(struct fs *fs)
{
    if (!fat(fs)->clean)
        return OK;
    fat(fs)->clean = false;
    return super_write(fs, 0, true);
}

enum err volume_unmount(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)in, (void)out;
    enum err e = rounds_run(fs, NULL);
    if (e == OK)
        e = mark_clean(fs);
    if (e != OK)
        return e;
    index_drop(fs);
    inode_drop_all(fs);
    cache_drop(fs);
    return OK;
}

enum err volume_statfs(struct fs *fs, const struct vfs_request *in, struct vfs_reply *out)
{
    (void)in;
    out->size = fat(fs)->blocks;
    out->stat.blocks = fat(fs)->free;
    out->ino2 = fat(fs)->free;
    return OK;
}
