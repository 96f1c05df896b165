#include "segment.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"

#define LIST_MAGIC UINT32_C(0x3147524c) /* "LRG1" */
#define LIST_VERSION 1u

_Static_assert(SEGMENT_HEAD_BYTES + SEGMENT_ITEMS * SEGMENT_ITEM_BYTES <= BLOCK_BYTES, "they fit");
_Static_assert(40u + OBJECT_ATTR_BYTES == SEGMENT_ITEM_BYTES, "no gap");

void segment_item_encode(uint8_t raw[SEGMENT_ITEM_BYTES], const struct segment_item *item)
{
    ASSERT(item->op >= SEGMENT_CREATE && item->op < SEGMENT_OPS);
    put_le32(raw, item->op);
    put_le32(raw + 4, item->flags);
    put_le64(raw + 8, item->lsn);
    put_le64(raw + 16, item->oid);
    put_le64(raw + 24, item->a);
    put_le64(raw + 32, item->b);
    memcpy(raw + 40, item->attr, OBJECT_ATTR_BYTES);
}

enum err segment_item_decode(struct segment_item *item, const uint8_t raw[SEGMENT_ITEM_BYTES])
{
    *item = (struct segment_item){.op = get_le32(raw),
                                  .flags = get_le32(raw + 4),
                                  .lsn = get_le64(raw + 8),
                                  .oid = get_le64(raw + 16),
                                  .a = get_le64(raw + 24),
                                  .b = get_le64(raw + 32)};
    memcpy(item->attr, raw + 40, OBJECT_ATTR_BYTES);
    bool block = item->op == SEGMENT_WRITE || item->op == SEGMENT_PAGE;
    uint64_t most = block ? OBJECT_SIZE_MAX / BLOCK_BYTES : OBJECT_SIZE_MAX;
    bool sane = item->op >= SEGMENT_CREATE && item->op < SEGMENT_OPS && item->lsn != 0 &&
                item->oid != OID_NONE && item->a <= most && item->b <= most;
    return sane ? OK : E_CORRUPT;
}

void segment_list_encode(uint8_t *raw, const struct segment_list *list)
{
    ASSERT(list->items <= SEGMENT_ITEMS);
    ASSERT(list->blocks <= SEGMENT_LIST_MAX);
    put_le32(raw, LIST_MAGIC);
    put_le16(raw + 4, LIST_VERSION);
    put_le16(raw + 6, (uint16_t)list->items);
    put_le16(raw + 8, (uint16_t)list->blocks);
    memset(raw + 10, 0, SEGMENT_HEAD_BYTES - 10);
}

enum err segment_list_decode(struct segment_list *list, const uint8_t *raw)
{
    *list = (struct segment_list){.items = get_le16(raw + 6), .blocks = get_le16(raw + 8)};
    if (get_le32(raw) != LIST_MAGIC)
        return E_CORRUPT;
    if (get_le16(raw + 4) != LIST_VERSION)
        return E_VERSION;
    bool sane = list->items > 0 && list->items <= SEGMENT_ITEMS && list->blocks > 0 &&
                list->blocks <= SEGMENT_LIST_MAX;
    return sane ? OK : E_CORRUPT;
}
