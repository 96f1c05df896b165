/*
 * Entries of directories: chunks of 512 bytes, each filled with entries from end to end, so that no
 * entry crosses a sector. The format of all classic designs (../none/FORMAT.md, "Directory").
 */
#ifndef LORIS_STACK_CLASSIC_COMMON_ENTRY_H
#define LORIS_STACK_CLASSIC_COMMON_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "errors.h"

#define INO_NONE 0u
#define CHUNK_BYTES 512u
#define ENTRY_BYTES 8u    /* of a directory entry before the name */
#define DOTDOT_OFFSET 12u /* of the second entry of a directory */

struct disk_entry {
    uint32_t ino;    /* 0: free */
    uint32_t length; /* to the next entry, this header included */
    uint32_t name_bytes, type;
    bool going; /* the old one of a directory's two names, if a cut leaves both */
};

void entry_encode(uint8_t raw[ENTRY_BYTES], const struct disk_entry *entry);
/* at: offset in the chunk. E_CORRUPT: it leaves the chunk, or its name leaves it. */
MUST_USE enum err entry_decode(struct disk_entry *entry, const uint8_t *chunk, uint32_t at);
/* Bytes that an entry with such a name needs. */
uint32_t entry_room(uint32_t name_bytes);

#endif
