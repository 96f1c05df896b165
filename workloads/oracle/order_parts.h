/*
 * Applications whose orders do not touch: whatever one of a part does, and whatever it is answered,
 * hangs on nothing that those of another part do. Private to this folder.
 *
 * Found from the paths alone, before any of them is resolved: two applications are in one part if a
 * path of each begins with the same name in the same root, an environment's own or the shared one.
 * An inode has all its names, ever, below such first names of one part, since a request that makes
 * a name for it uses a path of both, and descriptors come from paths. What could lead elsewhere
 * ("..", a listing of a root, a symbolic link whose text begins with "/") joins all.
 */
#ifndef LORIS_WORKLOADS_ORACLE_ORDER_PARTS_H
#define LORIS_WORKLOADS_ORACLE_ORDER_PARTS_H

#include "workloads/oracle/model.h"

struct parts {
    uint32_t count;
    uint32_t of[HISTORY_APPS_MAX]; /* the part of each application, from 0 */
    uint64_t *keys;                /* hash of first names; two that collide join more, no fewer */
    uint32_t *owners;              /* the application that was the first to use it */
    uint32_t room, used, keys_room, owners_room;
};

/* Finds the parts of a history's applications. O(length of all paths). */
void parts_find(struct parts *p, const struct history *h);
void parts_free(struct parts *p);

#endif
