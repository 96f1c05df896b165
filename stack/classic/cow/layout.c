/*
 * Encoding of roots, pointers and inodes, field by field (FORMAT.md has the tables).
 */
#include "layout.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "platform.h"
#include "vfs.h"

enum { /* offsets in a root */
       RO_MAGIC = 0,
       RO_VERSION = 8,
       RO_SLOT = 12,
       RO_UUID = 16,
       RO_BATCH = 32,
       RO_LIFE = 40,
       RO_BLOCKS = 48,
       RO_INODE_FILE = 56,
       RO_MAP = 72,
       RO_USAGE = 88,
       RO_LOG_ADDRESS = 104,
       RO_INODES = 108,
       RO_LOG_SEQ = 112,
       RO_FILES = 120,
       RO_CLEAN = 124,
       RO_USED = 128,
       RO_CRC = 136,
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
       IN_POINTERS = COW_INODE_POINTERS_AT,
       IN_INLINE = 160,
       IN_CRC = 252,
};
_Static_assert(IN_POINTERS + COW_POINTERS * POINTER_BYTES == IN_INLINE, "no gap before inline");
_Static_assert(IN_INLINE + COW_INLINE == IN_CRC, "an inode is full");

void cow_pointer_encode(uint8_t raw[POINTER_BYTES], const struct cow_pointer *pointer)
{
    put_le32(raw, pointer->address);
    put_le32(raw + 4, pointer->flags);
    put_le32(raw + 8, pointer->crc);
    put_le32(raw + 12, pointer->birth);
}

void cow_pointer_decode(struct cow_pointer *pointer, const uint8_t raw[POINTER_BYTES])
{
    pointer->address = get_le32(raw);
    pointer->flags = get_le32(raw + 4);
    pointer->crc = get_le32(raw + 8);
    pointer->birth = get_le32(raw + 12);
}

bool cow_is_data(uint64_t blocks, uint32_t block)
{
    return block >= ROOT_AREA_BLOCKS && block < blocks - ROOT_AREA_BLOCKS;
}

uint64_t cow_root_block(uint64_t blocks, uint32_t slot, uint32_t copy)
{
    ASSERT(slot < ROOT_SLOTS && copy < ROOT_COPIES);
    ASSERT(blocks >= COW_BLOCKS_MIN);
    uint64_t first = copy == 0 ? 0 : blocks - ROOT_AREA_BLOCKS;
    return first + (uint64_t)slot * ROOT_SLOT_BLOCKS;
}

void cow_root_encode(uint8_t raw[COW_ROOT_BYTES], const struct cow_root *root)
{
    ASSERT(root->slot < ROOT_SLOTS);
    ASSERT(root->blocks >= COW_BLOCKS_MIN);
    memset(raw, 0, COW_ROOT_BYTES);
    put_le64(raw + RO_MAGIC, COW_MAGIC);
    put_le32(raw + RO_VERSION, COW_VERSION);
    put_le32(raw + RO_SLOT, root->slot);
    put_le64(raw + RO_UUID, root->uuid[0]);
    put_le64(raw + RO_UUID + 8, root->uuid[1]);
    put_le64(raw + RO_BATCH, root->batch);
    put_le64(raw + RO_LIFE, root->life);
    put_le64(raw + RO_BLOCKS, root->blocks);
    cow_pointer_encode(raw + RO_INODE_FILE, &root->inode_file);
    cow_pointer_encode(raw + RO_MAP, &root->map);
    cow_pointer_encode(raw + RO_USAGE, &root->usage);
    put_le32(raw + RO_LOG_ADDRESS, root->log_address);
    put_le32(raw + RO_INODES, root->inodes);
    put_le64(raw + RO_LOG_SEQ, root->log_seq);
    put_le32(raw + RO_FILES, root->files);
    put_le32(raw + RO_CLEAN, root->clean ? 1 : 0);
    put_le64(raw + RO_USED, root->used);
    put_le32(raw + RO_CRC, plat_crc32c(raw, RO_CRC));
}

enum err cow_root_decode(struct cow_root *root, const uint8_t raw[COW_ROOT_BYTES],
                         uint64_t volume_blocks, uint32_t slot)
{
    if (get_le64(raw + RO_MAGIC) != COW_MAGIC || get_le32(raw + RO_CRC) != plat_crc32c(raw, RO_CRC))
        return E_CORRUPT;
    if (get_le32(raw + RO_VERSION) != COW_VERSION)
        return E_VERSION;
    *root = (struct cow_root){
        .uuid = {get_le64(raw + RO_UUID), get_le64(raw + RO_UUID + 8)},
        .batch = get_le64(raw + RO_BATCH),
        .life = get_le64(raw + RO_LIFE),
        .blocks = get_le64(raw + RO_BLOCKS),
        .log_address = get_le32(raw + RO_LOG_ADDRESS),
        .log_seq = get_le64(raw + RO_LOG_SEQ),
        .inodes = get_le32(raw + RO_INODES),
        .files = get_le32(raw + RO_FILES),
        .used = get_le64(raw + RO_USED),
        .slot = get_le32(raw + RO_SLOT),
        .clean = get_le32(raw + RO_CLEAN) == 1,
    };
    cow_pointer_decode(&root->inode_file, raw + RO_INODE_FILE);
    cow_pointer_decode(&root->map, raw + RO_MAP);
    cow_pointer_decode(&root->usage, raw + RO_USAGE);
    if (root->blocks != volume_blocks || root->slot != slot)
        return E_CORRUPT; /* sound, but of another place: misdirected */
    return OK;
}

void cow_inode_encode(uint8_t raw[COW_INODE_BYTES], const struct cow_disk_inode *inode)
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
    for (uint32_t k = 0; k < COW_POINTERS; k++)
        cow_pointer_encode(raw + IN_POINTERS + POINTER_BYTES * k, &inode->pointer[k]);
    memcpy(raw + IN_INLINE, inode->inlined, COW_INLINE);
    put_le32(raw + IN_CRC, plat_crc32c(raw, IN_CRC));
}

static bool is_zero(const uint8_t *raw, uint32_t bytes)
{
    for (uint32_t k = 0; k < bytes; k++)
        if (raw[k] != 0)
            return false;
    return true;
}

enum err cow_inode_decode(struct cow_disk_inode *inode, const uint8_t raw[COW_INODE_BYTES])
{
    uint32_t mode = get_le16(raw + IN_MODE);
    *inode = (struct cow_disk_inode){.type = mode >> 12, .mode = mode & 0xfffu};
    if (mode == 0 && is_zero(raw, COW_INODE_BYTES))
        return OK;
    if (get_le32(raw + IN_CRC) != plat_crc32c(raw, IN_CRC))
        return E_CORRUPT;
    inode->nlink = get_le16(raw + IN_NLINK);
    inode->uid = get_le32(raw + IN_UID);
    inode->gid = get_le32(raw + IN_GID);
    inode->generation = get_le32(raw + IN_GENERATION);
    inode->size = get_le64(raw + IN_SIZE);
    inode->mtime_ns = get_le64(raw + IN_MTIME);
    inode->ctime_ns = get_le64(raw + IN_CTIME);
    inode->blocks = get_le32(raw + IN_BLOCKS);
    for (uint32_t k = 0; k < COW_POINTERS; k++)
        cow_pointer_decode(&inode->pointer[k], raw + IN_POINTERS + POINTER_BYTES * k);
    memcpy(inode->inlined, raw + IN_INLINE, COW_INLINE);
    if (inode->type > VFS_LINK_TYPE || inode->nlink > VFS_LINK_MAX)
        return E_CORRUPT;
    return OK;
}
