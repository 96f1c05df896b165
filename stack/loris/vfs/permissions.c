/*
 * Who may do what: the mode bits of POSIX, of the class (owner, group, others) that the caller is
 * in. A caller has one group.
 */
#include "vfs_state.h"

#define STICKY 01000u

enum err permit(const struct vfs *v, const struct vfs_stat *stat, uint32_t want)
{
    if (v->uid == 0)
        return OK;
    uint32_t class = v->uid == stat->uid ? 6u : v->gid == stat->gid ? 3u : 0u;
    return (stat->mode >> class & want) == want ? OK : E_ACCES;
}

enum err permit_new_name(const struct vfs *v, const struct walked *w)
{
    ASSERT(v->uid == 0 || w->parent_stat.ino != 0);
    return permit(v, &w->parent_stat, MAY_WRITE | MAY_SEARCH);
}

enum err permit_removal(const struct vfs *v, const struct walked *w)
{
    enum err e = permit_new_name(v, w);
    if (e != OK || v->uid == 0 || (w->parent_stat.mode & STICKY) == 0)
        return e;
    return v->uid == w->stat.uid || v->uid == w->parent_stat.uid ? OK : E_PERM;
}

enum err permit_owner(const struct vfs *v, const struct vfs_stat *stat)
{
    return v->uid == 0 || v->uid == stat->uid ? OK : E_PERM;
}

enum err permit_chown(const struct vfs *v, const struct vfs_stat *stat, uint32_t uid, uint32_t gid)
{
    if (v->uid == 0)
        return OK;
    bool to_own_group = gid == stat->gid || gid == v->gid;
    return v->uid == stat->uid && uid == stat->uid && to_own_group ? OK : E_PERM;
}
