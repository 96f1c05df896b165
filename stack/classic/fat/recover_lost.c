/*
 * What a crash left without a name and is kept: files that are not empty, directories with names in
 * them. They get the name #NUMBER in lost+found, by ordinary operations, when all else is stable.
 */
#include "assertion.h"
#include "mem.h"
#include "recover.h"

#define NAME_BYTES 12u /* of "#4294967295" */

static const uint8_t lost_found[] = "lost+found";

/* ---- Choosing ---- */

static enum err see_any(struct scan *s, struct inode *dir, const struct vfs_dirent *entry,
                        const uint8_t *name, void *context)
{
    (void)s, (void)dir, (void)entry, (void)name;
    *(bool *)context = true;
    return OK;
}

static enum err mark_inner(struct scan *s, struct inode *dir, const struct vfs_dirent *entry,
                           const uint8_t *name, void *context)
{
    uint8_t *inner = context;
    (void)dir, (void)name;
    if (entry->ino < fat(s->fs)->entries)
        scan_set(inner, (uint32_t)entry->ino);
    return OK;
}

static bool is_nameless(struct scan *s, uint32_t ino, struct table_entry *t)
{
    return ino != FAT_ROOT && scan_bit(fat(s->fs)->map, ino) && s->names[ino] == 0 &&
           recover_is_head(s, ino, t) && t->nlink > 0;
}

static enum err keep(struct scan *s, uint32_t ino, const struct table_entry *t)
{
    scan_set(s->lost, ino);
    s->names[ino] = 1;
    if (t->type != VFS_DIRECTORY)
        return OK;
    scan_set(s->found, ino); /* and all that is in it */
    return recover_take_names(s);
}

/* Nameless directories; `inner`: those that another one of them names come with that. */
static enum err keep_directories(struct scan *s, const uint8_t *inner)
{
    enum err e = OK;
    for (uint32_t ino = 1; ino < fat(s->fs)->entries && e == OK; ino++) {
        struct table_entry t;
        bool any = false;
        if (!is_nameless(s, ino, &t) || t.type != VFS_DIRECTORY)
            continue;
        if (inner != NULL && scan_bit(inner, ino))
            continue;
        e = recover_walk(s, ino, see_any, &any);
        if (e == OK && any)
            e = keep(s, ino, &t);
    }
    return e;
}

static enum err keep_files(struct scan *s)
{
    enum err e = OK;
    for (uint32_t ino = 1; ino < fat(s->fs)->entries && e == OK; ino++) {
        struct table_entry t;
        if (is_nameless(s, ino, &t) && t.type != VFS_DIRECTORY &&
            (t.next != ENTRY_END || t.used > 0))
            e = keep(s, ino, &t);
    }
    return e;
}

enum err recover_find_lost(struct scan *s)
{
    uint8_t *inner = plat_alloc(s->map_bytes, TAG_HEAP);
    enum err e = inner != NULL ? OK : E_FULL;
    for (uint32_t ino = 1; ino < fat(s->fs)->entries && e == OK; ino++) {
        struct table_entry t;
        if (is_nameless(s, ino, &t) && t.type == VFS_DIRECTORY)
            e = recover_walk(s, ino, mark_inner, inner);
    }
    if (e == OK)
        e = keep_directories(s, inner); /* tops first */
    if (e == OK)
        e = keep_directories(s, NULL); /* what is left is a ring */
    return e == OK ? keep_files(s) : e;
}

/* ---- Naming ---- */

static enum err get_lost_found(struct fs *fs, uint32_t *ino)
{
    struct inode *root;
    struct found found = {0};
    struct vfs_reply reply = {0};
    uint32_t bytes = sizeof(lost_found) - 1;
    enum err e = inode_get(fs, fs->root, &root);
    if (e == OK)
        e = dir_find(fs, root, lost_found, bytes, &found);
    if (e == OK && found.type != VFS_DIRECTORY)
        return E_NOTDIR;
    *ino = found.ino;
    if (e != E_NOENT)
        return e;
    fs->name_bytes = bytes;
    memcpy(fs->name, lost_found, bytes);
    e = names_mkdir(fs, &(struct vfs_request){.ino = fs->root, .mode = 0700}, &reply);
    inode_store_all(fs);
    *ino = (uint32_t)reply.stat.ino;
    return e;
}

static uint32_t make_name(uint32_t ino, uint8_t name[NAME_BYTES])
{
    uint32_t digits = 1;
    for (uint32_t k = ino; k >= 10; k /= 10)
        digits++;
    name[0] = '#';
    for (uint32_t at = digits; at > 0; at--, ino /= 10)
        name[at] = (uint8_t)('0' + ino % 10);
    return digits + 1;
}

static enum err give_name(struct fs *fs, uint32_t in, uint32_t ino)
{
    uint8_t name[NAME_BYTES];
    uint32_t bytes = make_name(ino, name);
    struct inode *dir, *i;
    struct found found;
    enum err e = inode_get(fs, in, &dir);
    if (e == OK)
        e = inode_get(fs, ino, &i);
    if (e == OK && dir_find(fs, dir, name, bytes, &found) == OK)
        e = E_EXIST;
    if (e == OK)
        e = inode_dirty(fs, dir);
    if (e != OK)
        return e;
    bool is_directory = i->d.type == VFS_DIRECTORY;
    if (is_directory) {
        dir->d.nlink++;
        e = inode_settle(fs, dir);
    }
    if (e == OK && is_directory)
        e = dir_set_parent(fs, i, in);
    return e == OK ? dir_add(fs, dir, name, bytes, ino, i->d.type) : e;
}

enum err recover_name_lost(struct scan *s)
{
    struct fs *fs = s->fs;
    uint32_t in = 0;
    enum err e = OK;
    for (uint32_t ino = 1; ino < fat(fs)->entries && e == OK; ino++) {
        if (!scan_bit(s->lost, ino))
            continue;
        inode_make_room(fs);
        if (in == 0)
            e = get_lost_found(fs, &in);
        if (e == OK)
            e = give_name(fs, in, ino);
        inode_store_all(fs);
        if (e == E_EXIST)
            e = OK;
    }
    if (e != OK)
        plat_report(REPORT_LEAK, 0, 0);
    return rounds_run(fs, NULL);
}
