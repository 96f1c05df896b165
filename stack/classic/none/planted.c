/*
 * Defects built in on purpose (planted.h): what a mount spoils in builds that have them.
 */
#include "planted.h"
#include "mem.h"
#include "none.h"

/* The first regular file of group 0 that has a block loses its content. */
static void zero_a_block(struct fs *fs)
{
    for (uint32_t ino = INO_FIRST; ino < GROUP_INODES; ino++) {
        struct inode *i;
        struct buffer *b;
        if (inode_get(fs, ino, &i) != OK || i->d.type != VFS_FILE || inode_c(i)->pointer[0] == 0)
            continue;
        if (c_get(fs, inode_c(i)->pointer[0], &b) != OK)
            continue;
        change_open(fs, b, 0, 0);
        memset(b->page, 0, BLOCK_BYTES);
        change_close_data(fs, i, false, false);
        return;
    }
}

/* Finds two regular files in one directory and lets their names change places. */
static bool swap_in(struct fs *fs, struct inode *dir)
{
    struct found at[2];
    uint32_t count = 0, used;
    uint64_t cookie = 0;
    if (dir_list(fs, dir, &cookie, LISTING_BYTES, &used) != OK)
        return false;
    for (uint32_t pos = 0; pos < used && count < 2;) {
        struct vfs_dirent entry;
        vfs_dirent_decode(&entry, fs->listing + pos);
        pos += VFS_DIRENT_BYTES + entry.name_bytes;
        if (entry.type != VFS_FILE)
            continue;
        at[count++] = (struct found){
            .ino = (uint32_t)entry.ino, .type = entry.type, .offset = (uint32_t)entry.next - 1};
    }
    if (count < 2 || at[0].ino == at[1].ino)
        return false;
    return dir_point(fs, dir, &at[0], at[1].ino, at[1].type) == OK &&
           dir_point(fs, dir, &at[1], at[0].ino, at[0].type) == OK;
}

static void swap_entries(struct fs *fs)
{
    for (uint32_t ino = INO_ROOT; ino < GROUP_INODES; ino++) {
        struct inode *i;
        if (inode_get(fs, ino, &i) == OK && i->d.type == VFS_DIRECTORY && swap_in(fs, i))
            return;
    }
}

void none_planted_at_mount(struct fs *fs)
{
    if (PLANTED(PLANTED_ZERO_AT_MOUNT))
        zero_a_block(fs);
    if (PLANTED(PLANTED_ENTRIES_SWAPPED))
        swap_entries(fs);
}
