/*
 * The checker of layout C as `none` writes it, from raw bytes alone (stack/classic/none/FORMAT.md).
 * It shares no code with the file system. The volume should be at rest (after an orderly stop, or a
 * power cut).
 *
 * What it demands: a superblock; inodes whole; pointers in range and used once; bitmaps that say
 * taken for whatever is reached; directories whole, one parent each, `..` right, no cycle; nlink =
 * names. What is taken in the bitmap and reached by nothing is leaked: counted, no damage. Nor is a
 * block that cannot be read, nor one whose checksum is wrong in a volume that has them for metadata
 * (`journal`, version 2): it answers with an error; what it would have said is not held against the
 * rest.
 */
#ifndef LORIS_WORKLOADS_CHECKERS_NONE_CHECK_H
#define LORIS_WORKLOADS_CHECKERS_NONE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

/* Fills 4096 bytes with block `block` of the logical volume; false: it cannot be read. */
typedef bool none_check_read(void *object, uint64_t block, uint8_t *raw);

struct none_check {
    bool ok;        /* no damage */
    bool mountable; /* a superblock and the root are there */
    uint64_t leaked_blocks, leaked_inodes;
    uint64_t
        unreadable; /* blocks needed and not readable: an error to whoever uses them, no damage */
    uint64_t damages;
    char text[256]; /* the first damage; "" if there is none */
};

/* blocks: size of the volume in blocks of 4096 bytes. Memory: some bytes a block. */
void none_check(none_check_read *read, void *object, uint64_t blocks, struct none_check *out);

#endif
