/*
 * The first directories of a fresh layout: each naming makes its own root and orphan directory,
 * that of environment 0 the shared root too.
 */
#include "naming.h"

static enum err make_directory(struct naming *n, uint64_t oid)
{
    struct attributes a = {.type = VFS_DIRECTORY, .mode = 0755, .nlink = 2, .parent = oid};
    struct node node;
    return objects_create(n, oid, &a, &node);
}

void naming_format(struct naming *n)
{
    struct object_txn txn = {
        .environment = n->environment + 1, .generation = 0, .sequence = UINT64_MAX};
    const uint8_t nothing[OBJECT_RESULT_BYTES] = {0};
    objects_open(n, &txn);
    enum err e = make_directory(n, OID_MEE_ROOT(n->environment));
    if (e == OK)
        e = make_directory(n, OID_MEE_ORPHANS(n->environment));
    if (e == OK && n->environment == 0)
        e = make_directory(n, OID_SHARED_ROOT);
    if (e == OK)
        e = objects_commit(n, nothing);
    if (e != OK)
        plat_panic(e);
}
