/*
 * Encoding of layout C, field by field (FORMAT.md has the table).
 */
#include "layout.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "platform.h"
#include "vfs.h"

enum { /* offsets in the superblock */
       SB_MAGIC = 0,
       SB_VERSION = 8,
       SB_CLEAN = 12,
       SB_UUID = 16,
       SB_BLOCKS = 32,
       SB_GROUPS = 40,
       SB_LOG = 44, /* first 4, length 4, uuid 16: journal only, zero here */
       SB_CRC = 68,
};

enum { /* offsets in an inode */
       IN_MODE = 0,
       IN_NLINK = 2,
       IN_UID = 4,
       IN_GID = 8,
       IN_GENERATION = 12,
       IN_FLAGS = 16,
       IN_SIZE = 20,
       IN_MTIME = 28,
       IN_CTIME = 36,
       IN_BLOCKS = 44,
       IN_POINTERS = 48,
       IN_XATTR = 108,
       IN_INLINE = 112,
       IN_CRC = 252,
};
_Static_assert(IN_INLINE + INODE_INLINE == IN_CRC, "an inode is full");

void super_encode(uint8_t raw[SUPER_BYTES], const struct super *super)
{
    ASSERT(super->groups == layout_groups(super->blocks));
    memset(raw, 0, SUPER_BYTES);
    put_le64(raw + SB_MAGIC, SUPER_MAGIC);
    put_le32(raw + SB_VERSION, SUPER_VERSION);
    put_le32(raw + SB_CLEAN, super->clean ? 1 : 0);
    put_le64(raw + SB_UUID, super->uuid[0]);
    put_le64(raw + SB_UUID + 8, super->uuid[1]);
    put_le64(raw + SB_BLOCKS, super->blocks);
    put_le32(raw + SB_GROUPS, super->groups);
    put_le32(raw + SB_CRC, plat_crc32c(raw, SB_CRC));
}

enum err super_decode(struct super *super, const uint8_t raw[SUPER_BYTES], uint64_t disk_blocks)
{
    if (get_le64(raw + SB_MAGIC) != SUPER_MAGIC ||
        get_le32(raw + SB_CRC) != plat_crc32c(raw, SB_CRC))
        return E_CORRUPT;
    if (get_le32(raw + SB_VERSION) != SUPER_VERSION)
        return E_VERSION;
    *super = (struct super){
        .blocks = get_le64(raw + SB_BLOCKS),
        .groups = get_le32(raw + SB_GROUPS),
        .clean = get_le32(raw + SB_CLEAN) == 1,
        .uuid = {get_le64(raw + SB_UUID), get_le64(raw + SB_UUID + 8)},
    };
    if (super->blocks == 0 || super->blocks > disk_blocks || super->blocks > UINT32_MAX)
        return E_CORRUPT;
    if (super->groups == 0 || super->groups != layout_groups(super->blocks))
        return E_CORRUPT;
    return OK;
}

void inode_encode(uint8_t raw[INODE_BYTES], const struct disk_inode *inode)
{
    ASSERT(inode->type <= VFS_LINK_TYPE);
    ASSERT(inode->nlink <= VFS_LINK_MAX);
    put_le16(raw + IN_MODE, (uint16_t)(inode->type << 12 | (inode->mode & 0xfffu)));
    put_le16(raw + IN_NLINK, (uint16_t)inode->nlink);
    put_le32(raw + IN_UID, inode->uid);
    put_le32(raw + IN_GID, inode->gid);
    put_le32(raw + IN_GENERATION, inode->generation);
    put_le32(raw + IN_FLAGS, 0);
    put_le64(raw + IN_SIZE, inode->size);
    put_le64(raw + IN_MTIME, inode->mtime_ns);
    put_le64(raw + IN_CTIME, inode->ctime_ns);
    put_le32(raw + IN_BLOCKS, inode->blocks);
    for (uint32_t i = 0; i < INODE_POINTERS; i++)
        put_le32(raw + IN_POINTERS + 4 * i, inode->pointer[i]);
    put_le32(raw + IN_XATTR, 0);
    memcpy(raw + IN_INLINE, inode->inlined, INODE_INLINE);
    put_le32(raw + IN_CRC, plat_crc32c(raw, IN_CRC));
}

enum err inode_decode(struct disk_inode *inode, const uint8_t raw[INODE_BYTES])
{
    if (get_le32(raw + IN_CRC) != plat_crc32c(raw, IN_CRC))
        return E_CORRUPT;
    uint32_t mode = get_le16(raw + IN_MODE);
    inode->type = mode >> 12;
    inode->mode = mode & 0xfffu;
    inode->nlink = get_le16(raw + IN_NLINK);
    inode->uid = get_le32(raw + IN_UID);
    inode->gid = get_le32(raw + IN_GID);
    inode->generation = get_le32(raw + IN_GENERATION);
    inode->size = get_le64(raw + IN_SIZE);
    inode->mtime_ns = get_le64(raw + IN_MTIME);
    inode->ctime_ns = get_le64(raw + IN_CTIME);
    inode->blocks = get_le32(raw + IN_BLOCKS);
    for (uint32_t i = 0; i < INODE_POINTERS; i++)
        inode->pointer[i] = get_le32(raw + IN_POINTERS + 4 * i);
    memcpy(inode->inlined, raw + IN_INLINE, INODE_INLINE);
    if (inode->type > VFS_LINK_TYPE || inode->nlink > VFS_LINK_MAX)
        return E_CORRUPT;
    return OK;
}

void entry_encode(uint8_t raw[ENTRY_BYTES], const struct disk_entry *entry)
{
    ASSERT(entry->length <= CHUNK_BYTES);
    ASSERT(entry->name_bytes <= VFS_NAME_MAX);
    put_le32(raw, entry->ino);
    put_le16(raw + 4, (uint16_t)entry->length);
    raw[6] = (uint8_t)entry->name_bytes;
    raw[7] = (uint8_t)entry->type;
}

enum err entry_decode(struct disk_entry *entry, const uint8_t *chunk, uint32_t at)
{
    ASSERT(at + ENTRY_BYTES <= CHUNK_BYTES);
    const uint8_t *raw = chunk + at;
    entry->ino = get_le32(raw);
    entry->length = get_le16(raw + 4);
    entry->name_bytes = raw[6];
    entry->type = raw[7];
    if (entry->length < ENTRY_BYTES || entry->length % 4 != 0 || entry->length > CHUNK_BYTES - at)
        return E_CORRUPT;
    if (entry->ino != INO_NONE && entry_room(entry->name_bytes) > entry->length)
        return E_CORRUPT;
    if (at + entry->length < CHUNK_BYTES && at + entry->length + ENTRY_BYTES > CHUNK_BYTES)
        return E_CORRUPT; /* no room for the next header */
    return OK;
}

uint32_t entry_room(uint32_t name_bytes)
{
    return (ENTRY_BYTES + name_bytes + 3u) & ~3u;
}

uint32_t layout_groups(uint64_t blocks)
{
    if (blocks < 2 + GROUP_BLOCKS_MIN)
        return 0;
    uint64_t usable = blocks - 2; /* without the superblock and its copy */
    uint64_t groups = usable / GROUP_BLOCKS;
    if (usable % GROUP_BLOCKS >= GROUP_BLOCKS_MIN)
        groups++;
    return (uint32_t)groups;
}

uint32_t group_first(uint32_t group)
{
    return 1 + group * GROUP_BLOCKS;
}

uint32_t group_length(uint32_t group, uint64_t blocks)
{
    uint64_t left = blocks - 1 - group_first(group);
    return left < GROUP_BLOCKS ? (uint32_t)left : GROUP_BLOCKS;
}

uint32_t inode_block(uint32_t ino)
{
    return group_first(ino / GROUP_INODES) + 2 + ino % GROUP_INODES / INODES_A_BLOCK;
}

uint32_t inode_offset(uint32_t ino)
{
    return ino % INODES_A_BLOCK * INODE_BYTES;
}

bool layout_is_data(uint64_t blocks, uint32_t block)
{
    if (block == 0 || block >= blocks - 1)
        return false;
    uint32_t group = (block - 1) / GROUP_BLOCKS;
    return group < layout_groups(blocks) && (block - 1) % GROUP_BLOCKS >= GROUP_META_BLOCKS;
}
