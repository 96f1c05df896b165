/*
 * Encoding of layout C, field by field (FORMAT.md has the table).
 */
#include "layout_c.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"

enum { /* offsets in the superblock */
       SB_MAGIC = 0,
       SB_VERSION = 8,
       SB_CLEAN = 12,
       SB_UUID = 16,
       SB_BLOCKS = 32,
       SB_GROUPS = 40,
       SB_LOG = 44, /* first 4, length 4, uuid 16: journal only, else zero */
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
/* A rename has one name more for a while. */
#define NLINK_MAX (VFS_LINK_MAX + 1u)

_Static_assert(IN_INLINE + INLINE_MAX == IN_CRC, "an inode is full");

void super_encode(uint8_t raw[SUPER_BYTES], const struct super *super)
{
    ASSERT(super->groups == layout_groups(super->blocks));
    memset(raw, 0, SUPER_BYTES);
    put_le64(raw + SB_MAGIC, SUPER_MAGIC);
    put_le32(raw + SB_VERSION, super->sums ? SUPER_VERSION_SUMS : SUPER_VERSION);
    put_le32(raw + SB_CLEAN, super->clean ? SUPER_CLEAN : super->leaks ? SUPER_LEAKS : 0);
    put_le64(raw + SB_UUID, super->uuid[0]);
    put_le64(raw + SB_UUID + 8, super->uuid[1]);
    put_le64(raw + SB_BLOCKS, super->blocks);
    put_le32(raw + SB_GROUPS, super->groups);
    put_le32(raw + SB_LOG, super->log_first);
    put_le32(raw + SB_LOG + 4, super->log_blocks);
    put_le64(raw + SB_LOG + 8, super->log_uuid[0]);
    put_le64(raw + SB_LOG + 16, super->log_uuid[1]);
    put_le32(raw + SB_CRC, plat_crc32c(raw, SB_CRC));
}

enum err super_decode(struct super *super, const uint8_t raw[SUPER_BYTES], uint64_t disk_blocks)
{
    if (get_le64(raw + SB_MAGIC) != SUPER_MAGIC ||
        get_le32(raw + SB_CRC) != plat_crc32c(raw, SB_CRC))
        return E_CORRUPT;
    uint32_t version = get_le32(raw + SB_VERSION);
    if (version != SUPER_VERSION && version != SUPER_VERSION_SUMS)
        return E_VERSION;
    *super = (struct super){
        .blocks = get_le64(raw + SB_BLOCKS),
        .groups = get_le32(raw + SB_GROUPS),
        .clean = get_le32(raw + SB_CLEAN) == SUPER_CLEAN,
        .leaks = get_le32(raw + SB_CLEAN) == SUPER_LEAKS,
        .sums = version == SUPER_VERSION_SUMS,
        .uuid = {get_le64(raw + SB_UUID), get_le64(raw + SB_UUID + 8)},
        .log_first = get_le32(raw + SB_LOG),
        .log_blocks = get_le32(raw + SB_LOG + 4),
        .log_uuid = {get_le64(raw + SB_LOG + 8), get_le64(raw + SB_LOG + 16)},
    };
    if (super->blocks == 0 || super->blocks > disk_blocks || super->blocks > UINT32_MAX)
        return E_CORRUPT;
    if (super->groups == 0 || super->groups != layout_groups(super->blocks))
        return E_CORRUPT;
    return OK;
}

void inode_encode(uint8_t raw[INODE_BYTES], const struct attributes *d,
                  const uint32_t pointer[INODE_POINTERS])
{
    ASSERT(d->type <= VFS_LINK_TYPE);
    ASSERT(d->nlink <= NLINK_MAX);
    put_le16(raw + IN_MODE, (uint16_t)(d->type << 12 | (d->mode & 0xfffu)));
    put_le16(raw + IN_NLINK, (uint16_t)d->nlink);
    put_le32(raw + IN_UID, d->uid);
    put_le32(raw + IN_GID, d->gid);
    put_le32(raw + IN_GENERATION, d->generation);
    put_le32(raw + IN_FLAGS, 0);
    put_le64(raw + IN_SIZE, d->size);
    put_le64(raw + IN_MTIME, d->mtime_ns);
    put_le64(raw + IN_CTIME, d->ctime_ns);
    put_le32(raw + IN_BLOCKS, d->blocks);
    for (uint32_t i = 0; i < INODE_POINTERS; i++)
        put_le32(raw + IN_POINTERS + 4 * i, pointer[i]);
    put_le32(raw + IN_XATTR, 0);
    memcpy(raw + IN_INLINE, d->inlined, INLINE_MAX);
    put_le32(raw + IN_CRC, plat_crc32c(raw, IN_CRC));
}

static enum err decode_fields(struct attributes *d, uint32_t pointer[INODE_POINTERS],
                              const uint8_t raw[INODE_BYTES])
{
    uint32_t mode = get_le16(raw + IN_MODE);
    d->type = mode >> 12;
    d->mode = mode & 0xfffu;
    d->nlink = get_le16(raw + IN_NLINK);
    d->uid = get_le32(raw + IN_UID);
    d->gid = get_le32(raw + IN_GID);
    d->generation = get_le32(raw + IN_GENERATION);
    d->size = get_le64(raw + IN_SIZE);
    d->mtime_ns = get_le64(raw + IN_MTIME);
    d->ctime_ns = get_le64(raw + IN_CTIME);
    d->blocks = get_le32(raw + IN_BLOCKS);
    for (uint32_t i = 0; i < INODE_POINTERS; i++)
        pointer[i] = get_le32(raw + IN_POINTERS + 4 * i);
    memcpy(d->inlined, raw + IN_INLINE, INLINE_MAX);
    if (d->type > VFS_LINK_TYPE || d->nlink > NLINK_MAX)
        return E_CORRUPT;
    return OK;
}

enum err inode_decode(struct attributes *d, uint32_t pointer[INODE_POINTERS],
                      const uint8_t raw[INODE_BYTES])
{
    bool good = get_le32(raw + IN_CRC) == plat_crc32c(raw, IN_CRC);
    return good ? decode_fields(d, pointer, raw) : E_CORRUPT;
}

/* Over the number and the checksum that it has without. */
static uint32_t bound_crc(const uint8_t raw[INODE_BYTES], uint32_t ino)
{
    uint8_t both[8];
    put_le32(both, ino);
    put_le32(both + 4, plat_crc32c(raw, IN_CRC));
    return plat_crc32c(both, sizeof(both));
}

void inode_bind(uint8_t raw[INODE_BYTES], uint32_t ino)
{
    ASSERT(ino != INO_NONE);
    put_le32(raw + IN_CRC, bound_crc(raw, ino));
}

bool inode_is_bound(const uint8_t raw[INODE_BYTES], uint32_t ino)
{
    return get_le32(raw + IN_CRC) == bound_crc(raw, ino);
}

enum err inode_decode_bound(struct attributes *d, uint32_t pointer[INODE_POINTERS],
                            const uint8_t raw[INODE_BYTES], uint32_t ino)
{
    return inode_is_bound(raw, ino) ? decode_fields(d, pointer, raw) : E_CORRUPT;
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
