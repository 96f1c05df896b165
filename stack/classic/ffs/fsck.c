/*
 * The check of an unclean volume: (1) inode tables and their claims, (2) directories from the root,
 * (3) directories and (4) files that no name leads to, counts, `..`, (5) bitmaps. Then all is
 * stable, and what is kept without a name gets one in lost+found, as an ordinary operation.
 */
#include "fsck.h"

#include "assertion.h"
#include "mem.h"
#include "planted.h"

#define NAME_BYTES 12u /* of "#4294967295" */

static const uint8_t lost_found[] = "lost+found";

/* ---- Phase 3 ---- */

static uint32_t inodes(const struct check *c)
{
    return c->fs->c->super.groups * GROUP_INODES;
}

/* The next one that is in use, from `ino` on; inodes(c) at the end. */
static uint32_t in_use(const struct check *c, uint32_t ino)
{
    while (ino < inodes(c) && fsck_seen(c, ino) == NULL)
        ino =
            c->seen[ino / GROUP_INODES] != NULL ? ino + 1 : (ino / GROUP_INODES + 1) * GROUP_INODES;
    return ino;
}

static bool is_unreached(const struct check *c, uint32_t ino, const struct seen *s)
{
    return s != NULL && ino != c->fs->root && s->names == 0 && (s->flags & SEEN_BAD) == 0;
}

static bool is_lost_directory(const struct check *c, uint32_t ino)
{
    const struct seen *s = fsck_seen(c, ino);
    return is_unreached(c, ino, s) && s->type == VFS_DIRECTORY && (s->flags & SEEN_LOST) == 0;
}

/* Keeps the tree below it. */
static void keep_directory(struct check *c, uint32_t ino)
{
    fsck_seen(c, ino)->flags |= SEEN_LOST;
    c->lost++;
    fsck_queue(c, ino);
    fsck_walk(c);
}

static void unreached_directories(struct check *c)
{
    bool drop = c->fs->options.orphans_delete;
    for (uint32_t ino = in_use(c, INO_ROOT); ino < inodes(c) && !c->blind;
         ino = in_use(c, ino + 1)) {
        if (!is_lost_directory(c, ino))
            continue;
        if (drop || fsck_is_empty(c, ino))
            fsck_free(c, ino);
        else
            fsck_mark_inner(c, ino);
    }
    for (uint32_t round = 0; round < 2; round++) /* tops first, then what is a ring */
        for (uint32_t ino = in_use(c, INO_ROOT); ino < inodes(c) && !c->blind;
             ino = in_use(c, ino + 1))
            if (is_lost_directory(c, ino) &&
                (round > 0 || (fsck_seen(c, ino)->flags & SEEN_INNER) == 0))
                keep_directory(c, ino);
}

/* ---- Phase 4 ---- */

static void unreached_files(struct check *c)
{
    for (uint32_t ino = in_use(c, INO_ROOT); ino < inodes(c) && !c->blind;
         ino = in_use(c, ino + 1)) {
        struct seen *s = fsck_seen(c, ino);
        if (!is_unreached(c, ino, s) || s->type == VFS_DIRECTORY)
            continue;
        if (s->nlink == 0 || (s->flags & SEEN_EMPTY) != 0 || c->fs->options.orphans_delete) {
            fsck_free(c, ino);
            continue;
        }
        s->flags |= SEEN_LOST;
        c->lost++;
    }
}

/* A move that took the old name first, or one to lost+found, may have been cut before its `..`. */
static bool is_strayed(const struct check *c, uint32_t ino, const struct seen *s)
{
    return s->type == VFS_DIRECTORY && ino != c->fs->root && s->names > 0 && s->dotdot != s->parent;
}

static void counts(struct check *c)
{
    for (uint32_t ino = in_use(c, INO_ROOT); ino < inodes(c) && !c->blind;
         ino = in_use(c, ino + 1)) {
        const struct seen *s = fsck_seen(c, ino);
        if (s == NULL || (s->flags & (SEEN_BAD | SEEN_LOST)) != 0)
            continue;
        if (is_strayed(c, ino, s))
            fsck_mend_parent(c, ino);
        uint32_t want = s->type == VFS_DIRECTORY ? 2u + s->subdirectories : s->names;
        if (s->nlink == want || fsck_load(c, ino) != OK)
            continue;
        c->inode.d.nlink = want;
        fsck_store(c);
    }
}

/* ---- lost+found ---- */

static enum err make_lost_found(struct fs *fs, struct inode *root, struct inode **out)
{
    enum err e = inode_make(fs, INO_LOST_FOUND, VFS_DIRECTORY, 1, out);
    if (e != OK)
        return e;
    (*out)->d.mode = 0700;
    (*out)->d.nlink = 2;
    e = dir_make(fs, *out, fs->root);
    if (e == OK)
        e = inode_settle(fs, *out);
    if (e == OK)
        e = inode_dirty(fs, root);
    if (e != OK)
        return e;
    root->d.nlink++;
    e = inode_settle(fs, root);
    return e == OK ? dir_add(fs, root, lost_found, sizeof(lost_found) - 1, INO_LOST_FOUND,
                             VFS_DIRECTORY)
                   : e;
}

enum err ffs_lost_found(struct fs *fs, struct inode **out)
{
    struct inode *root;
    struct found found;
    enum err e = inode_get(fs, fs->root, &root);
    if (e == OK)
        e = dir_find(fs, root, lost_found, sizeof(lost_found) - 1, &found);
    if (e == E_NOENT)
        return make_lost_found(fs, root, out);
    if (e == OK)
        e = inode_get(fs, found.ino, out);
    return e == OK && (*out)->d.type != VFS_DIRECTORY ? E_NOTDIR : e;
}

static uint32_t make_name(uint32_t ino, uint8_t name[NAME_BYTES])
{
    uint32_t digits = 1, bytes;
    for (uint32_t k = ino; k >= 10; k /= 10)
        digits++;
    name[0] = '#';
    bytes = digits + 1;
    for (; digits > 0; digits--, ino /= 10)
        name[digits] = (uint8_t)('0' + ino % 10);
    return bytes;
}

enum err ffs_give_name(struct fs *fs, struct inode *dir, uint32_t ino, uint32_t nlink)
{
    uint8_t name[NAME_BYTES];
    uint32_t bytes = make_name(ino, name);
    struct found found;
    struct inode *i;
    enum err e = inode_get(fs, ino, &i);
    if (e == OK && dir_find(fs, dir, name, bytes, &found) == OK)
        e = E_EXIST;
    if (e == OK)
        e = inode_dirty(fs, i);
    if (e == OK)
        e = inode_dirty(fs, dir);
    if (e != OK)
        return e;
    i->d.nlink = nlink;
    if (i->d.type == VFS_DIRECTORY) {
        dir->d.nlink++;
        e = inode_settle(fs, dir);
    }
    if (e == OK)
        e = inode_settle(fs, i);
    if (e == OK)
        e = dir_add(fs, dir, name, bytes, ino, i->d.type);
    if (e == OK && i->d.type == VFS_DIRECTORY)
        e = dir_set_parent(fs, i, dir->ino);
    return e;
}

/* What cannot get one (no room) stays taken, and is found again by the next check. */
static enum err give_names(struct check *c)
{
    struct fs *fs = c->fs;
    struct inode *dir;
    if (c->lost == 0)
        return OK;
    enum err e = ffs_lost_found(fs, &dir);
    inode_store_all(fs);
    if (e == OK) /* it has its name before anything is in it: a cut leaves it empty, or reached */
        e = ffs_pass_all(fs);
    for (uint32_t ino = in_use(c, INO_ROOT); ino < inodes(c) && e == OK; ino = in_use(c, ino + 1)) {
        const struct seen *s = fsck_seen(c, ino);
        if (s == NULL || (s->flags & SEEN_LOST) == 0)
            continue;
        inode_make_room(fs);
        fs->store->throttle(fs);
        if (ffs_patch_is_short(ffs_of(fs)))
            e = ffs_pass_all(fs);
        if (e == OK)
            e = inode_get(fs, INO_LOST_FOUND, &dir);
        if (e == OK)
            e = ffs_give_name(fs, dir, ino, s->type == VFS_DIRECTORY ? 2u + s->subdirectories : 1);
        inode_store_all(fs);
        if (e == E_EXIST)
            e = OK;
    }
    if (e != OK)
        plat_report(REPORT_LEAK, 0, c->lost);
    return ffs_pass_all(fs);
}

/* ---- All of it ---- */

/* Something could not be read: all is left as it is, and nothing can be written. */
static enum err give_up(struct check *c)
{
    writeback_fail(c->fs, E_MEDIA);
    return OK;
}

static enum err phases(struct check *c)
{
    enum err e = fsck_scan(c);
    if (e != OK)
        return e;
    plat_probe(PROBE_FSCK_1);
    const struct seen *root = fsck_seen(c, c->fs->root);
    if (root == NULL || root->type != VFS_DIRECTORY) {
        c->blind = true; /* no name can be followed, so none is known to be missing */
        return OK;
    }
    fsck_queue(c, c->fs->root);
    fsck_walk(c);
    plat_probe(PROBE_FSCK_2);
    unreached_directories(c);
    plat_probe(PROBE_FSCK_3);
    unreached_files(c);
    counts(c);
    plat_probe(PROBE_FSCK_4);
    if (c->blind)
        return OK;
    fsck_maps(c);
    if (PLANTED(PLANTED_FFS_CLEAN_EARLY)) {
        c->fs->c->super.clean = true;
        (void)!c_super_write(c->fs, false, true);
    }
    e = ffs_pass_all(c->fs);
    plat_probe(PROBE_FSCK_5);
    return e;
}

enum err ffs_check(struct fs *fs)
{
    struct check *c = plat_alloc(sizeof(*c), TAG_HEAP);
    if (c == NULL)
        return E_FULL;
    c->fs = fs;
    ffs_of(fs)->off = true;
    enum err e = phases(c);
    ffs_of(fs)->off = false;
    if (e != OK)
        return e;
    if (c->blind)
        return give_up(c);
    e = give_names(c);
    if (e == OK)
        e = c_mark_clean(fs);
    return e;
}
