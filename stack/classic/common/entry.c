/*
 * Encoding of a directory's entries (../none/FORMAT.md has the table).
 */
#include "entry.h"

#include "assertion.h"
#include "bytes.h"
#include "vfs.h"

#define GOING 0x80u /* in the byte of the type */

void entry_encode(uint8_t raw[ENTRY_BYTES], const struct disk_entry *entry)
{
    ASSERT(entry->length <= CHUNK_BYTES);
    ASSERT(entry->name_bytes <= VFS_NAME_MAX);
    ASSERT(entry->type < GOING);
    put_le32(raw, entry->ino);
    put_le16(raw + 4, (uint16_t)entry->length);
    raw[6] = (uint8_t)entry->name_bytes;
    raw[7] = (uint8_t)(entry->type | (entry->going ? GOING : 0));
}

enum err entry_decode(struct disk_entry *entry, const uint8_t *chunk, uint32_t at)
{
    ASSERT(at + ENTRY_BYTES <= CHUNK_BYTES);
    const uint8_t *raw = chunk + at;
    entry->ino = get_le32(raw);
    entry->length = get_le16(raw + 4);
    entry->name_bytes = raw[6];
    entry->type = raw[7] & (uint8_t)~GOING;
    entry->going = (raw[7] & GOING) != 0;
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
