/*
 * Names, of the scan after a crash: which directories and files have one, and which goes where a
 * cut has left two. Directories are found as their names are; each is walked once.
 */
#include "assertion.h"
#include "mem.h"
#include "recover.h"

/* ---- Walking ---- */

static enum err remove_name(struct scan *s, struct inode *dir, const struct vfs_dirent *entry,
                            const uint8_t *name)
{
    struct found at = {
        .ino = (uint32_t)entry->ino, .type = entry->type, .offset = (uint32_t)entry->next - 1};
    plat_report(REPORT_REPAIR, entry->ino, dir->ino);
    return dir_remove(s->fs, dir, &at, name, entry->name_bytes);
}

/* The names of one directory, dots apart. What is broken is an error at its use, and not here: it
 * makes the scan blind. */
static enum err walk(struct scan *s, uint32_t ino, name_fn *visit, void *context)
{
    struct inode *dir;
    uint64_t cookie = 0;
    enum err e = inode_get(s->fs, ino, &dir);
    while (e == OK) {
        uint32_t used = 0;
        e = dir_list(s->fs, dir, &cookie, LISTING_BYTES, &used);
        for (uint32_t at = 0; at < used && e == OK;) {
            struct vfs_dirent entry;
            vfs_dirent_decode(&entry, s->fs->listing + at);
            const uint8_t *name = s->fs->listing + at + VFS_DIRENT_BYTES;
            at += VFS_DIRENT_BYTES + entry.name_bytes;
            e = inode_get(s->fs, ino, &dir);
            e = e == OK ? visit(s, dir, &entry, name, context) : e;
        }
        if (cookie == 0 || used == 0)
            break;
    }
    s->blind |= e == E_CORRUPT || e == E_MEDIA;
    return e == E_CORRUPT || e == E_MEDIA ? OK : e;
}

enum err recover_walk(struct scan *s, uint32_t ino, name_fn *visit, void *context)
{
    return walk(s, ino, visit, context);
}

enum err recover_each_directory(struct scan *s, name_fn *visit, void *context)
{
    enum err e = OK;
    for (uint32_t ino = 0; ino < fat(s->fs)->entries && e == OK; ino++)
        if (scan_bit(s->found, ino))
            e = walk(s, ino, visit, context);
    return e;
}

/* Of those that were found and not walked yet, and of those that they lead to. */
static enum err walk_new(struct scan *s, name_fn *visit)
{
    bool more = true;
    enum err e = OK;
    while (more && e == OK) {
        more = false;
        for (uint32_t ino = 0; ino < fat(s->fs)->entries && e == OK; ino++) {
            if (ino % 8 == 0 && s->found[ino / 8] == s->walked[ino / 8]) {
                ino += 7;
                continue;
            }
            if (!scan_bit(s->found, ino) || scan_bit(s->walked, ino))
                continue;
            scan_set(s->walked, ino);
            more = true;
            e = walk(s, ino, visit, NULL);
        }
    }
    return e;
}

bool recover_is_head(struct scan *s, uint32_t ino, struct table_entry *t)
{
    return ino != 0 && ino < fat(s->fs)->entries && table_get(s->fs, ino, t) == OK &&
           t->state == STATE_HEAD && t->head == ino;
}

/* ---- Looking: nothing changes ---- */

static enum err look_at_name(struct scan *s, struct inode *dir, const struct vfs_dirent *entry,
                             const uint8_t *name, void *context)
{
    struct table_entry t;
    (void)dir, (void)name, (void)context;
    if (recover_is_head(s, (uint32_t)entry->ino, &t) && t.type == VFS_DIRECTORY)
        scan_set(s->found, (uint32_t)entry->ino);
    return OK;
}

enum err recover_look_at_names(struct scan *s)
{
    scan_set(s->found, FAT_ROOT);
    enum err e = walk_new(s, look_at_name);
    memset(s->found, 0, s->map_bytes);
    memset(s->walked, 0, s->map_bytes);
    return e;
}

/* ---- Mending ---- */

/* It leads to a head, or goes. */
static enum err take_name(struct scan *s, struct inode *dir, const struct vfs_dirent *entry,
                          const uint8_t *name, void *context)
{
    struct table_entry t;
    uint32_t ino = (uint32_t)entry->ino;
    (void)context;
    if (!recover_is_head(s, ino, &t))
        return remove_name(s, dir, entry, name);
    if (s->names[ino] < UINT16_MAX)
        s->names[ino]++;
    if (t.type != VFS_DIRECTORY || ino == FAT_ROOT)
        return OK;
    scan_set(s->found, ino);
    s->twice |= s->names[ino] > 1;
    return OK;
}

enum err recover_take_names(struct scan *s)
{
    return walk_new(s, take_name);
}

/* It is the one that a move was about to take. */
static bool is_going(struct scan *s, struct inode *dir, const struct vfs_dirent *entry,
                     const uint8_t *name)
{
    struct found found;
    return dir_find(s->fs, dir, name, entry->name_bytes, &found) == OK && found.going;
}

/* A directory has one name: first those go that `..` does not lead to or that a move was about to
 * take, and then any. */
static enum err choose_name(struct scan *s, struct inode *dir, const struct vfs_dirent *entry,
                            const uint8_t *name, void *context)
{
    const bool *any = context;
    struct inode *d;
    uint32_t ino = (uint32_t)entry->ino, parent = dir->ino, here = dir->ino;
    if (entry->type != VFS_DIRECTORY || ino == FAT_ROOT || s->names[ino] < 2)
        return OK;
    enum err e = inode_get(s->fs, ino, &d);
    e = e == OK ? dir_parent(s->fs, d, &parent) : e;
    if (e == OK)
        e = inode_get(s->fs, here, &dir);
    if (e != OK || (parent == here && !*any && !is_going(s, dir, entry, name)))
        return e == E_CORRUPT ? OK : e;
    s->names[ino]--;
    return remove_name(s, dir, entry, name);
}

/* `..` is where its name is. */
static enum err mend_parent(struct scan *s, struct inode *dir, const struct vfs_dirent *entry,
                            const uint8_t *name, void *context)
{
    struct inode *d;
    uint32_t parent, here = dir->ino;
    (void)name, (void)context;
    if (entry->type != VFS_DIRECTORY || entry->ino == FAT_ROOT)
        return OK;
    enum err e = inode_get(s->fs, (uint32_t)entry->ino, &d);
    e = e == OK ? dir_parent(s->fs, d, &parent) : e;
    if (e == OK && parent != here) {
        plat_report(REPORT_REPAIR, entry->ino, here);
        e = dir_set_parent(s->fs, d, here);
    }
    return e == E_CORRUPT ? OK : e;
}

enum err recover_mend_names(struct scan *s)
{
    bool any = false;
    enum err e = OK;
    if (s->twice)
        e = recover_each_directory(s, choose_name, &any);
    any = true;
    if (e == OK && s->twice)
        e = recover_each_directory(s, choose_name, &any);
    return e == OK ? recover_each_directory(s, mend_parent, NULL) : e;
}
