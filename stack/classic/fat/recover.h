/*
 * The scan after a crash, between its files. It looks first: what is damaged, which a cut never
 * does, makes it blind, and then nothing is mended or freed, as nobody knows what the damage hides.
 */
#ifndef LORIS_STACK_CLASSIC_FAT_RECOVER_H
#define LORIS_STACK_CLASSIC_FAT_RECOVER_H

#include "fat.h"

struct scan {
    struct fs *fs;
    uint8_t *pages;
    uint32_t map_bytes; /* of each of the maps, a bit an entry */
    uint8_t *reached;   /* by some head's chain */
    uint8_t *found;     /* directories that have a name, or get one */
    uint8_t *walked;    /* those whose names were looked at */
    uint8_t *lost;      /* heads that get a name in lost+found */
    uint16_t *names;    /* of each head */
    bool twice;         /* a directory has two names */
    bool blind;
};

static inline bool scan_bit(const uint8_t *map, uint32_t k)
{
    return (map[k / 8] >> k % 8 & 1) != 0;
}

static inline void scan_set(uint8_t *map, uint32_t k)
{
    map[k / 8] |= (uint8_t)(1u << k % 8);
}

/* ---- recover_names.c ---- */

/* What a walk does with each name. */
typedef enum err name_fn(struct scan *s, struct inode *dir, const struct vfs_dirent *entry,
                         const uint8_t *name, void *context);

/* The names of one directory, dots apart; of all that were found. */
MUST_USE enum err recover_walk(struct scan *s, uint32_t ino, name_fn *visit, void *context);
MUST_USE enum err recover_each_directory(struct scan *s, name_fn *visit, void *context);
bool recover_is_head(struct scan *s, uint32_t ino, struct table_entry *t);
/* Whether all names can be read: else `blind`. */
MUST_USE enum err recover_look_at_names(struct scan *s);
/* Counts names, from the directories that were found and not walked yet; those of no head go. */
MUST_USE enum err recover_take_names(struct scan *s);
/* One name a directory, and `..` as it says. */
MUST_USE enum err recover_mend_names(struct scan *s);

/* ---- recover_lost.c: orphans, keep ---- */

/* Chooses what without a name is kept: it counts as named from then on. */
MUST_USE enum err recover_find_lost(struct scan *s);
/* Names for them, in a volume that is in order. What gets none (no room) is found again by the next
 * scan. */
MUST_USE enum err recover_name_lost(struct scan *s);

#endif
