/*
 * Locks of user transactions: per inode one exclusive holder or several shared ones, kept until the
 * transaction ends (two-phase). A transaction locks what it looks at, and what it will change
 * exclusively. Calls outside look at the base, which is always what is committed: they need no lock
 * to read, and must find nobody's where they change something.
 *
 * What a transaction has met is noted; when that closes a circle, the youngest in it is aborted.
 */
#include "assertion.h"
#include "user.h"

static uint32_t bit_of(const struct user *t)
{
    return t == NULL ? 0 : 1u << t->slot;
}

static struct user_lock **bucket_of(struct users *users, uint32_t ino)
{
    return &users->bucket[ino % USER_LOCK_BUCKETS];
}

static struct user_lock *find(struct users *users, uint32_t ino)
{
    struct user_lock *l = *bucket_of(users, ino);
    while (l != NULL && l->ino != ino)
        l = l->next;
    return l;
}

/* NULL: there are as many as there may be. */
static struct user_lock *make(struct users *users, uint32_t ino)
{
    if (users->free_locks == NULL && users->locks < USER_LOCKS_MAX) {
        struct user_lock *chunk = plat_alloc(USER_LOCK_CHUNK * sizeof(*chunk), TAG_HEAP);
        for (uint32_t k = 0; chunk != NULL && k < USER_LOCK_CHUNK; k++) {
            chunk[k].next = users->free_locks;
            users->free_locks = &chunk[k];
        }
        users->locks += chunk == NULL ? 0 : USER_LOCK_CHUNK;
    }
    struct user_lock *l = users->free_locks;
    if (l == NULL)
        return NULL;
    users->free_locks = l->next;
    *l = (struct user_lock){.next = *bucket_of(users, ino), .ino = ino};
    *bucket_of(users, ino) = l;
    return l;
}

/* Whom those in `mask` wait for, directly or not, they themselves included. */
static uint32_t reached_from(const struct users *users, uint32_t mask)
{
    for (uint32_t round = 0; round < USERS_MAX; round++)
        for (uint32_t k = 0; k < USERS_MAX; k++)
            if ((mask & 1u << k) != 0)
                mask |= users->user[k].waits_for;
    return mask;
}

/* `others` are in its way. OK: one of them was aborted, look again. */
static enum err meet(struct users *users, struct user *t, uint32_t others)
{
    ASSERT(others != 0 && (others & bit_of(t)) == 0);
    if (t == NULL)
        return E_WAIT; /* a call outside has no locks while it waits */
    t->waits_for = others;
    uint32_t reached = reached_from(users, others);
    if ((reached & bit_of(t)) == 0)
        return E_WAIT;
    struct user *victim = t;
    for (uint32_t k = 0; k < USERS_MAX; k++) {
        struct user *other = &users->user[k];
        bool member = (reached & 1u << k) != 0 && (reached_from(users, 1u << k) & bit_of(t)) != 0;
        if (member && other->age > victim->age)
            victim = other;
    }
    if (victim == t)
        return E_ABORT;
    user_end(victim, false);
    return OK;
}

enum err user_lock(struct users *users, struct user *t, uint64_t ino, bool exclusive)
{
    if (ino == INO_NONE || ino > UINT32_MAX)
        return OK; /* there is no such inode, as the request will say */
    for (uint32_t round = 0; round <= USERS_MAX; round++) {
        struct user_lock *l = find(users, (uint32_t)ino);
        uint32_t others = l == NULL ? 0 : l->exclusive | (exclusive ? l->shared : 0);
        others &= ~bit_of(t);
        if (others != 0) {
            enum err e = meet(users, t, others);
            if (e != OK)
                return e;
            continue;
        }
        if (t == NULL)
            return OK;
        t->waits_for = 0;
        l = l == NULL ? make(users, (uint32_t)ino) : l;
        if (l == NULL)
            return E_2BIG;
        *(exclusive ? &l->exclusive : &l->shared) |= bit_of(t);
        return OK;
    }
    return E_WAIT;
}

void user_unlock_all(struct user *t)
{
    struct users *users = t->users;
    for (uint32_t k = 0; k < USER_LOCK_BUCKETS; k++)
        for (struct user_lock **at = &users->bucket[k]; *at != NULL;) {
            struct user_lock *l = *at;
            l->shared &= ~bit_of(t);
            l->exclusive &= ~bit_of(t);
            if ((l->shared | l->exclusive) != 0) {
                at = &l->next;
                continue;
            }
            *at = l->next;
            l->next = users->free_locks;
            users->free_locks = l;
        }
    for (uint32_t k = 0; k < USERS_MAX; k++)
        users->user[k].waits_for &= ~bit_of(t);
    t->waits_for = 0;
}

/* ---- What a request changes ---- */

/* The inode that a name leads to, for `t` or for a call outside; 0: none, or it cannot be told. */
static enum err named(struct users *users, struct user *t, uint64_t in, const uint8_t *name,
                      uint32_t bytes, uint32_t *ino)
{
    struct fs *where = t == NULL ? users->fs : t->view;
    struct inode *dir;
    struct found found;
    *ino = INO_NONE;
    if (dir_is_dots(name, bytes))
        return OK;
    enum err e = inode_get(where, in, &dir);
    if (e == OK && dir->d.type == VFS_DIRECTORY)
        e = dir_find(where, dir, name, bytes, &found);
    else if (e == OK)
        e = E_NOENT;
    if (e == OK)
        *ino = found.ino;
    return e == E_WAIT || e == E_ABORT || e == E_2BIG ? e : OK; /* else the request will say so */
}

static enum err lock_named(struct users *users, struct user *t, uint64_t in, const uint8_t *name,
                           uint32_t bytes)
{
    uint32_t ino;
    enum err e = named(users, t, in, name, bytes, &ino);
    return e == OK ? user_lock(users, t, ino, true) : e;
}

enum err user_lock_change(struct users *users, struct user *t, const struct vfs_request *in)
{
    const struct fs *fs = users->fs;
    enum err e = user_lock(users, t, in->ino, true);
    if (e == OK && (in->op == VFS_LINK || in->op == VFS_RENAME))
        e = user_lock(users, t, in->ino2, true);
    if (e == OK && (in->op == VFS_UNLINK || in->op == VFS_RMDIR || in->op == VFS_RENAME))
        e = lock_named(users, t, in->ino, fs->name, fs->name_bytes);
    if (e == OK && in->op == VFS_RENAME)
        e = lock_named(users, t, in->ino2, fs->name2, fs->name2_bytes);
    return e;
}
