/*
 * Defects built in on purpose (planted.h): what a mount spoils in builds that have them.
 */
#include "planted.h"
#include "mem.h"
#include "none.h"

/* The first regular file of group 0 that has a block loses its content. */
static void zero_a_block(struct none *n)
{
    for (uint32_t ino = INO_FIRST; ino < GROUP_INODES; ino++) {
        struct inode *i;
        struct buffer *b;
        if (inode_get(n, ino, &i) != OK || i->d.type != VFS_FILE || i->d.pointer[0] == 0)
            continue;
        if (cache_get(n, i->d.pointer[0], &b) != OK)
            continue;
        memset(b->page, 0, BLOCK_BYTES);
        cache_dirty(n, b, i);
        return;
    }
}

/* Finds two regular files in one directory and lets their names change places. */
static bool swap_in(struct none *n, struct inode *dir)
{
    struct found at[2];
    uint32_t count = 0, used;
    uint64_t cookie = 0;
    if (dir_list(n, dir, &cookie, LISTING_BYTES, &used) != OK)
        return false;
    for (uint32_t pos = 0; pos < used && count < 2;) {
        struct vfs_dirent entry;
        vfs_dirent_decode(&entry, n->listing + pos);
        pos += VFS_DIRENT_BYTES + entry.name_bytes;
        if (entry.type != VFS_FILE)
            continue;
        at[count++] = (struct found){
            .ino = (uint32_t)entry.ino, .type = entry.type, .offset = (uint32_t)entry.next - 1};
    }
    if (count < 2 || at[0].ino == at[1].ino)
        return false;
    return dir_point(n, dir, &at[0], at[1].ino, at[1].type) == OK &&
           dir_point(n, dir, &at[1], at[0].ino, at[0].type) == OK;
}

static void swap_entries(struct none *n)
{
    for (uint32_t ino = INO_ROOT; ino < GROUP_INODES; ino++) {
        struct inode *i;
        if (inode_get(n, ino, &i) == OK && i->d.type == VFS_DIRECTORY && swap_in(n, i))
            return;
    }
}

void planted_at_mount(struct none *n)
{
    if (PLANTED(PLANTED_ZERO_AT_MOUNT))
        zero_a_block(n);
    if (PLANTED(PLANTED_ENTRIES_SWAPPED))
        swap_entries(n);
}
