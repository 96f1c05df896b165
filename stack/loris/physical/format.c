/* Encoding and decoding of what is on the disk; see format.h and FORMAT.md. */
#include "format.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"

#define ROOT_MAGIC UINT32_C(0x3152524c) /* "LRR1" */
#define HEAD_MAGIC UINT32_C(0x314d524c) /* "LRM1" */
#define HEAD_CRC 12u                    /* place of an intent block's own checksum */
#define ROOT_CRC 508u

/* ---- Layout ---------------------------------------------------------------------------------- */

enum err phys_layout_init(struct layout *l, uint64_t blocks, bool log, uint32_t copies)
{
    ASSERT(l != NULL);
    ASSERT(copies == 1 || copies == 2);
    *l = (struct layout){.blocks = blocks, .copies = copies};
    if (blocks < FORMAT_DISK_BLOCKS_MIN || blocks >= UINT64_C(1) << 47)
        return E_INVAL;
    uint64_t intents = blocks / 128;
    l->intent_blocks = intents < 32 ? 32u : intents > 256 ? 256u : (uint32_t)intents & ~15u;
    l->intent_first = FORMAT_MARGIN;
    uint64_t share = blocks / 32;
    uint32_t wanted = share < 64 ? 64u : share > 1024 ? 1024u : (uint32_t)share & ~15u;
    l->log_first = l->intent_first + l->intent_blocks;
    l->log_blocks = log ? wanted : 0;
    l->group_first = l->log_first + l->log_blocks;
    uint64_t room = blocks - FORMAT_MARGIN - l->group_first;
    uint64_t whole = room / FORMAT_GROUP_BLOCKS;
    uint64_t tail = room % FORMAT_GROUP_BLOCKS;
    uint64_t groups = whole + (tail >= FORMAT_GROUP_MIN);
    if (groups > FORMAT_GROUPS_MAX) {
        groups = FORMAT_GROUPS_MAX;
        whole = groups;
    }
    l->groups = (uint32_t)groups;
    l->group_end = l->group_first + whole * FORMAT_GROUP_BLOCKS + (groups > whole ? tail : 0);
    return OK;
}

uint64_t phys_layout_group_start(const struct layout *l, uint32_t group)
{
    ASSERT(group < l->groups);
    return l->group_first + (uint64_t)group * FORMAT_GROUP_BLOCKS;
}

uint32_t phys_layout_group_blocks(const struct layout *l, uint32_t group)
{
    uint64_t left = l->group_end - phys_layout_group_start(l, group);
    return left < FORMAT_GROUP_BLOCKS ? (uint32_t)left : FORMAT_GROUP_BLOCKS;
}

uint32_t phys_layout_slots(const struct layout *l, uint32_t group)
{
    return phys_layout_group_blocks(l, group) / 8;
}

uint32_t phys_layout_zone_blocks(const struct layout *l, uint32_t group)
{
    return phys_layout_slots(l, group) * l->copies;
}

uint32_t phys_layout_group_of(const struct layout *l, uint64_t address)
{
    ASSERT(address >= l->group_first && address < l->group_end);
    return (uint32_t)((address - l->group_first) / FORMAT_GROUP_BLOCKS);
}

/* Place inside its group and that group, or false if it is in none. */
static bool place(const struct layout *l, uint64_t address, uint32_t *offset, uint32_t *group)
{
    if (address < l->group_first || address >= l->group_end)
        return false;
    *group = phys_layout_group_of(l, address);
    *offset = (uint32_t)(address - phys_layout_group_start(l, *group));
    return true;
}

bool phys_layout_is_data(const struct layout *l, uint64_t address)
{
    uint32_t offset, group;
    if (!place(l, address, &offset, &group))
        return false;
    uint32_t zone = phys_layout_zone_blocks(l, group);
    return offset >= zone && offset < phys_layout_group_blocks(l, group) - zone;
}

bool phys_layout_is_slot(const struct layout *l, uint64_t address)
{
    uint32_t offset, group;
    if (!place(l, address, &offset, &group))
        return false;
    uint32_t zone_b = phys_layout_group_blocks(l, group) - phys_layout_zone_blocks(l, group);
    uint32_t slots = phys_layout_slots(l, group);
    return offset < slots || (offset >= zone_b && offset - zone_b < slots);
}

uint64_t phys_layout_twin(const struct layout *l, uint64_t address)
{
    ASSERT(phys_layout_is_slot(l, address));
    uint32_t group = phys_layout_group_of(l, address);
    uint32_t zone = phys_layout_zone_blocks(l, group);
    uint32_t apart = phys_layout_group_blocks(l, group) - zone;
    bool in_a = address - phys_layout_group_start(l, group) < zone;
    return in_a ? address + apart : address - apart;
}

uint64_t phys_layout_slot(const struct layout *l, uint64_t address)
{
    uint64_t twin = phys_layout_twin(l, address);
    return twin < address ? twin : address;
}

uint64_t phys_layout_second(const struct layout *l, uint64_t address)
{
    ASSERT(l->copies == 2);
    uint64_t twin = phys_layout_twin(l, address);
    return twin + phys_layout_slots(l, phys_layout_group_of(l, address));
}

uint64_t phys_layout_root_sector(const struct layout *l, uint32_t slot, uint32_t copy)
{
    ASSERT(slot < 2 && copy < 2);
    uint64_t block = 4 * (slot + UINT64_C(1));
    return (copy == 0 ? block : l->blocks - block) * (BLOCK_BYTES / SECTOR_BYTES);
}

/* ---- Pointers and heads ---------------------------------------------------------------------- */

void phys_pointer_decode(struct pointer *p, const uint8_t raw[FORMAT_POINTER_BYTES])
{
    uint64_t word = get_le64(raw);
    p->address = word & UINT64_C(0xffffffffffff);
    p->flags = (uint32_t)(word >> 48);
    p->crc = get_le32(raw + 8);
    p->birth = get_le32(raw + 12);
}

void phys_pointer_encode(uint8_t raw[FORMAT_POINTER_BYTES], const struct pointer *p)
{
    ASSERT(p->address < UINT64_C(1) << 48);
    ASSERT(p->flags < 1u << 16);
    put_le64(raw, p->address | (uint64_t)p->flags << 48);
    put_le32(raw + 8, p->crc);
    put_le32(raw + 12, p->birth);
}

void phys_block_head_encode(uint8_t raw[FORMAT_HEAD_BYTES], const struct block_head *head)
{
    put_le32(raw, HEAD_MAGIC);
    put_le16(raw + 4, FORMAT_VERSION);
    put_le16(raw + 6, (uint16_t)head->type);
    put_le16(raw + 8, (uint16_t)head->level);
    put_le16(raw + 10, (uint16_t)head->count);
    put_le32(raw + HEAD_CRC, 0);
    put_le64(raw + 16, head->address);
    put_le64(raw + 24, head->owner);
    put_le64(raw + 32, head->index);
    put_le64(raw + 40, head->epoch);
    put_le64(raw + 48, head->disk_uuid[0]);
    put_le64(raw + 56, head->disk_uuid[1]);
}

enum err phys_block_head_check(const uint8_t raw[FORMAT_HEAD_BYTES], const struct block_head *want)
{
    if (get_le32(raw) != HEAD_MAGIC)
        return E_CORRUPT;
    if (get_le16(raw + 4) != FORMAT_VERSION)
        return E_VERSION;
    bool same = get_le16(raw + 6) == want->type && get_le16(raw + 8) == want->level &&
                get_le64(raw + 16) == want->address && get_le64(raw + 24) == want->owner &&
                get_le64(raw + 32) == want->index && get_le64(raw + 48) == want->disk_uuid[0] &&
                get_le64(raw + 56) == want->disk_uuid[1];
    return same ? OK : E_CORRUPT; /* sound, but another's: misdirected, or a lost write below */
}

/* ---- Intents --------------------------------------------------------------------------------- */

void phys_intent_block_seal(uint8_t raw[BLOCK_BYTES])
{
    put_le32(raw + HEAD_CRC, 0);
    put_le32(raw + HEAD_CRC, plat_crc32c(raw, BLOCK_BYTES));
}

static enum err decode_sealed(struct block_head *head, uint8_t raw[BLOCK_BYTES],
                              enum format_type type, uint64_t address, const uint64_t disk_uuid[2])
{
    if (get_le32(raw) != HEAD_MAGIC || get_le16(raw + 6) != type ||
        get_le16(raw + 4) != FORMAT_VERSION)
        return E_CORRUPT;
    uint32_t crc = get_le32(raw + HEAD_CRC);
    put_le32(raw + HEAD_CRC, 0);
    uint32_t actual = plat_crc32c(raw, BLOCK_BYTES);
    put_le32(raw + HEAD_CRC, crc);
    *head = (struct block_head){.type = type,
                                .level = get_le16(raw + 8),
                                .count = get_le16(raw + 10),
                                .address = get_le64(raw + 16),
                                .owner = get_le64(raw + 24),
                                .index = get_le64(raw + 32),
                                .epoch = get_le64(raw + 40),
                                .disk_uuid = {get_le64(raw + 48), get_le64(raw + 56)}};
    if (crc != actual || head->address != address || head->disk_uuid[0] != disk_uuid[0] ||
        head->disk_uuid[1] != disk_uuid[1])
        return E_CORRUPT;
    return OK;
}

enum err phys_intent_block_decode(struct block_head *head, uint8_t raw[BLOCK_BYTES],
                                  uint64_t address, const uint64_t disk_uuid[2])
{
    enum err e = decode_sealed(head, raw, TYPE_INTENT, address, disk_uuid);
    return e == OK && head->count > FORMAT_INTENTS ? E_CORRUPT : e;
}

enum err phys_log_head_decode(struct block_head *head, uint8_t raw[BLOCK_BYTES], uint64_t address,
                              const uint64_t disk_uuid[2])
{
    enum err e = decode_sealed(head, raw, TYPE_LOG, address, disk_uuid);
    bool sane = e != OK || (head->count > 0 && head->count <= OBJECT_BATCH_MAX_BLOCKS);
    return sane ? e : E_CORRUPT;
}

void phys_intent_entry_encode(uint8_t *raw, const struct object_intent *intent)
{
    ASSERT(intent->block < UINT64_C(1) << 32);
    put_le64(raw, intent->oid);
    put_le32(raw + 8, (uint32_t)intent->block);
    put_le32(raw + 12, intent->crc);
    put_le64(raw + 16, intent->address);
    put_le64(raw + 24, intent->lsn);
}

void phys_intent_entry_decode(struct object_intent *intent, const uint8_t *raw)
{
    intent->oid = get_le64(raw);
    intent->block = get_le32(raw + 8);
    intent->crc = get_le32(raw + 12);
    intent->address = get_le64(raw + 16);
    intent->lsn = get_le64(raw + 24);
    intent->epoch = 0; /* the block's head has it */
}

/* ---- Roots ----------------------------------------------------------------------------------- */

void phys_root_encode(uint8_t raw[FORMAT_ROOT_BYTES], const struct root *root, uint64_t sector)
{
    const struct object_root *id = &root->id;
    memset(raw, 0, FORMAT_ROOT_BYTES);
    put_le32(raw, ROOT_MAGIC);
    put_le32(raw + 4, FORMAT_VERSION);
    for (uint32_t k = 0; k < 2; k++) {
        put_le64(raw + 8 + 8 * k, id->pool_uuid[k]);
        put_le64(raw + 24 + 8 * k, id->disk_uuid[k]);
    }
    put_le64(raw + 40, id->epoch);
    put_le64(raw + 48, id->lsn);
    put_le64(raw + 56, id->incarnation);
    for (uint32_t k = 0; k < OBJECT_ANCESTORS; k++)
        put_le64(raw + 64 + 8 * (size_t)k, id->ancestor[k]);
    put_le32(raw + 256, id->rev);
    put_le32(raw + 260, id->members);
    put_le32(raw + 264, id->self);
    put_le32(raw + 268, id->clean ? 1u : 0u);
    put_le64(raw + 272, root->blocks);
    memcpy(raw + 280, root->inodes, FORMAT_POINTER_BYTES);
    put_le32(raw + 296, root->height);
    put_le32(raw + 300, root->intent_blocks);
    put_le64(raw + 304, root->intent_head);
    put_le64(raw + 312, root->used_data);
    put_le64(raw + 320, root->used_slots);
    put_le32(raw + 328, id->rebuilding);
    put_le32(raw + 332, id->vacant);
    memcpy(raw + 336, id->generation, DISKS_MAX);
    put_le32(raw + 352, root->data_group);
    put_le32(raw + 356, root->slot_group);
    put_le32(raw + 360, root->log_blocks);
    put_le32(raw + 364, root->copies - 1);
    put_le64(raw + 496, sector);
    put_le32(raw + ROOT_CRC, plat_crc32c(raw, ROOT_CRC));
}

enum err phys_root_decode(struct root *root, const uint8_t raw[FORMAT_ROOT_BYTES], uint64_t sector)
{
    struct object_root *id = &root->id;
    *root = (struct root){.blocks = 0};
    if (get_le32(raw) != ROOT_MAGIC || get_le32(raw + ROOT_CRC) != plat_crc32c(raw, ROOT_CRC) ||
        get_le64(raw + 496) != sector)
        return E_CORRUPT;
    if (get_le32(raw + 4) != FORMAT_VERSION)
        return E_VERSION;
    for (uint32_t k = 0; k < 2; k++) {
        id->pool_uuid[k] = get_le64(raw + 8 + 8 * k);
        id->disk_uuid[k] = get_le64(raw + 24 + 8 * k);
    }
    id->epoch = get_le64(raw + 40);
    id->lsn = get_le64(raw + 48);
    id->incarnation = get_le64(raw + 56);
    for (uint32_t k = 0; k < OBJECT_ANCESTORS; k++)
        id->ancestor[k] = get_le64(raw + 64 + 8 * (size_t)k);
    id->rev = get_le32(raw + 256);
    id->members = get_le32(raw + 260);
    id->self = get_le32(raw + 264);
    id->clean = get_le32(raw + 268) != 0;
    id->rebuilding = get_le32(raw + 328);
    id->vacant = get_le32(raw + 332);
    memcpy(id->generation, raw + 336, DISKS_MAX);
    root->blocks = get_le64(raw + 272);
    memcpy(root->inodes, raw + 280, FORMAT_POINTER_BYTES);
    root->height = get_le32(raw + 296);
    root->intent_blocks = get_le32(raw + 300);
    root->intent_head = get_le64(raw + 304);
    root->used_data = get_le64(raw + 312);
    root->used_slots = get_le64(raw + 320);
    root->data_group = get_le32(raw + 352);
    root->slot_group = get_le32(raw + 356);
    root->log_blocks = get_le32(raw + 360);
    root->copies = get_le32(raw + 364) + 1;
    id->valid = true;
    return root->height <= FORMAT_HEIGHT_MAX ? OK : E_CORRUPT;
}
