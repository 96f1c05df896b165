/*
 * The orphan directory of this environment: inodes without a name that some descriptor still has
 * open. Its entries are named by the inode's number in 16 hex digits.
 */
#include "naming.h"

#define ORPHAN_NAME_BYTES 16u

static void orphan_name(char name[ORPHAN_NAME_BYTES], uint64_t oid)
{
    for (uint32_t i = 0; i < ORPHAN_NAME_BYTES; i++)
        name[i] = "0123456789abcdef"[oid >> (60 - 4 * i) & 15];
}

enum err orphans_add(struct naming *n, uint64_t oid, uint32_t type)
{
    struct node dir;
    char name[ORPHAN_NAME_BYTES];
    orphan_name(name, oid);
    enum err e = objects_load(n, OID_MEE_ORPHANS(n->environment), true, &dir);
    if (e == OK)
        e = directory_insert(n, &dir, name, sizeof(name), oid, type);
    return e;
}

enum err orphans_drop(struct naming *n, uint64_t oid)
{
    struct node dir;
    struct entry entry;
    char name[ORPHAN_NAME_BYTES];
    orphan_name(name, oid);
    enum err e = objects_load(n, OID_MEE_ORPHANS(n->environment), true, &dir);
    if (e == OK)
        e = directory_find(n, &dir, name, sizeof(name), &entry);
    bool found = e == OK;
    if (e == OK)
        e = directory_remove(n, &dir, &entry);
    struct node node;
    if (e == OK)
        e = objects_load(n, oid, true, &node);
    if (e == OK)
        e = objects_delete(n, &node);
    return e == E_NOENT && found ? OK : e; /* its creation was lost */
}

enum err orphans_first(struct naming *n, uint64_t *oid)
{
    struct node dir;
    uint8_t packed[VFS_DIRENT_BYTES + ORPHAN_NAME_BYTES];
    uint64_t at = 0;
    size_t used = 0;
    *oid = OID_NONE;
    enum err e = objects_load(n, OID_MEE_ORPHANS(n->environment), false, &dir);
    if (e == OK)
        e = directory_list(n, &dir, &at, packed, sizeof(packed), &used);
    if (e != OK || used == 0)
        return e;
    struct vfs_dirent d;
    vfs_dirent_decode(&d, packed);
    *oid = d.ino;
    return OK;
}
