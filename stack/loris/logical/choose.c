/*
 * Which checkpoint to go back to, from what each disk's slots hold.
 *
 * A root is complete if each present disk of its member list has the root of that number, of the
 * same incarnation or of an ancestor of it. The newest complete one is taken. All incarnations must
 * lie in one line: two that do not are halves of a pool that ran apart, and nobody can say which is
 * right.
 *
 * A disk that is REBUILDING counts as one that is missing: what it has is no redundancy yet.
 *
 * A member that lacks a root which all members must have had is *behind*: a flush that lied, or
 * both copies of a root that rotted. It is left out, if the level bears that, as a disk that is
 * gone: else what was acknowledged would be lost with it (H32). Which roots all must have had: the
 * older of a disk's two, since the newer is prepared only when the older is released; and the newer
 * too, if the disk has intents of a later epoch, or a group of the log on top of it. If none is
 * complete without those either, the disks that have the root which most have may go on without the
 * others.
 *
 * Roots of earlier incarnations in that line count too: a member list that changed in the last,
 * unfinished checkpoint has a new incarnation, and what is complete is the one before.
 */
#include "logical.h"

#include "assertion.h"
#include "planted.h"

static bool is_ancestor(const struct object_root *of, uint64_t incarnation)
{
    for (uint32_t k = 0; k < OBJECT_ANCESTORS; k++)
        if (of->ancestor[k] == incarnation && incarnation != 0)
            return true;
    return false;
}

static bool in_line(const struct object_root *root, uint64_t incarnation)
{
    return root->incarnation == incarnation || is_ancestor(root, incarnation);
}

static bool same_pool(const struct object_root *a, const struct object_root *b)
{
    return a->pool_uuid[0] == b->pool_uuid[0] && a->pool_uuid[1] == b->pool_uuid[1];
}

/* Of a disk that was made ready to join and never did: nothing in it is to go back to. */
static bool is_blank(const struct object_root *root)
{
    return (root->members >> root->self & 1) == 0;
}

/* Calls `visit` for each root of the first disk's pool until it says false. */
typedef bool visitor(void *ctx, uint32_t disk, const struct object_root *root);

static bool visit_all(const struct candidate disk[DISKS_MAX], visitor *visit, void *ctx)
{
    const struct object_root *pool = NULL;
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        for (uint32_t i = 0; disk[k].present && i < disk[k].count; i++) {
            const struct object_root *root = &disk[k].root[i];
            if (!root->valid || root->self != k)
                continue;
            if (pool == NULL)
                pool = root;
            if (same_pool(pool, root) && !visit(ctx, k, root))
                return false;
        }
    return true;
}

/* ---- The newest incarnation ------------------------------------------------------------------ */

static bool see_newest(void *ctx, uint32_t disk, const struct object_root *root)
{
    struct choice *c = ctx;
    (void)disk;
    if (!is_blank(root) && (!c->newest.valid || is_ancestor(root, c->newest.incarnation)))
        c->newest = *root;
    if (root->highest_epoch > c->highest_epoch)
        c->highest_epoch = root->highest_epoch;
    if (root->highest_lsn > c->highest_lsn)
        c->highest_lsn = root->highest_lsn;
    return true;
}

static bool check_line(void *ctx, uint32_t disk, const struct object_root *root)
{
    const struct choice *c = ctx;
    (void)disk;
    return is_blank(root) || in_line(&c->newest, root->incarnation);
}

/* ---- Completeness ---------------------------------------------------------------------------- */

struct seek {
    const struct candidate *disk;
    const struct object_root *root; /* whose completeness is asked */
    uint32_t have;                  /* disks with that number in the line of it */
    uint32_t present;               /* disks with any root of the pool */
    struct choice *choice;
    bool found;
    struct object_root widest; /* the root that most disks of its list have; of those the newest */
    uint32_t holders;          /* of it */
};

static bool see_same_number(void *ctx, uint32_t disk, const struct object_root *root)
{
    struct seek *s = ctx;
    s->present |= 1u << disk;
    if (!is_blank(root) && root->epoch == s->root->epoch && in_line(s->root, root->incarnation))
        s->have |= 1u << disk;
    return true;
}

static bool newer(const struct object_root *a, const struct object_root *b)
{
    return a->epoch != b->epoch ? a->epoch > b->epoch : a->rev > b->rev;
}

static void see_holders(struct seek *s, const struct object_root *root, uint32_t holders)
{
    uint32_t have = logical_bits(holders);
    uint32_t most = logical_bits(s->holders);
    if (have > most || (have == most && newer(root, &s->widest))) {
        s->holders = holders;
        s->widest = *root;
    }
}

static bool see_candidate(void *ctx, uint32_t disk, const struct object_root *root)
{
    struct seek *outer = ctx;
    struct seek s = {.root = root};
    (void)disk;
    if (is_blank(root))
        return true;
    (void)visit_all(outer->disk, see_same_number, &s);
    see_holders(outer, root, root->members & s.have);
    if ((root->members & s.present & ~s.have) != 0)
        return true; /* not complete */
    if (outer->found && !newer(root, &outer->choice->root))
        return true;
    outer->found = true;
    outer->choice->root = *root;
    outer->choice->members = root->members & s.present;
    return true;
}

/* ---- Members that are behind ----------------------------------------------------------------- */

struct standing { /* of one disk, its roots in the line of the newest incarnation */
    const struct object_root *newest, *older;
};

struct standings {
    const struct object_root *line;
    struct standing disk[DISKS_MAX];
};

static bool see_standing(void *ctx, uint32_t disk, const struct object_root *root)
{
    struct standings *all = ctx;
    struct standing *s = &all->disk[disk];
    if (is_blank(root) || !in_line(all->line, root->incarnation))
        return true;
    if (s->newest == NULL || newer(root, s->newest)) {
        s->older = s->newest;
        s->newest = root;
    } else {
        s->older = root;
    }
    return true;
}

/* The newest number that all of *members have had, as one disk knows; 0: it knows of none. */
static uint64_t all_have(const struct standing *s, uint32_t *members)
{
    *members = s->newest->members;
    if (s->newest->highest_epoch > s->newest->epoch)
        return s->newest->epoch;
    if (s->older == NULL)
        return 0;
    *members &= s->older->members;
    return s->older->epoch;
}

static uint32_t find_behind(const struct candidate disk[DISKS_MAX], const struct object_root *line)
{
    struct standings all = {.line = line};
    uint32_t behind = 0;
    (void)visit_all(disk, see_standing, &all);
    for (uint32_t d = 0; d < DISKS_MAX; d++) {
        uint32_t members;
        const struct standing *one = &all.disk[d];
        if (one->newest == NULL)
            continue;
        uint64_t floor = all_have(one, &members);
        for (uint32_t k = 0; k < DISKS_MAX; k++) {
            const struct object_root *has = all.disk[k].newest;
            if (has == NULL)
                continue;
            bool lacks = (members >> k & 1) != 0 && has->epoch < floor;
            bool lost = disk[k].damaged && (one->newest->members >> k & 1) != 0 &&
                        has->epoch < one->newest->epoch;
            behind |= lacks || lost ? 1u << k : 0;
        }
    }
    return behind;
}

/* ---- Choosing -------------------------------------------------------------------------------- */

/* The newest complete root of the disks that are not in `without`. E_CORRUPT: choice->members are
 * those that have the root which most have. */
static enum err choose(const struct candidate disk[DISKS_MAX], uint32_t without,
                       uint32_t missing_max, struct choice *choice)
{
    struct candidate with[DISKS_MAX];
    struct seek s = {.disk = with, .choice = choice};
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        with[k] = disk[k];
        with[k].present &= (without >> k & 1) == 0;
    }
    (void)visit_all(with, see_candidate, &s);
    if (!s.found) {
        choice->members = s.holders;
        return E_CORRUPT;
    }
    uint32_t full = choice->root.members & ~choice->root.rebuilding;
    uint32_t missing =
        logical_bits(full & ~choice->members) + logical_bits(choice->root.rebuilding);
    return (full & choice->members) != 0 && missing <= missing_max ? OK : E_MEDIA;
}

enum err logical_choose_root(const struct candidate disk[DISKS_MAX], uint32_t missing_max,
                             struct choice *choice)
{
    *choice = (struct choice){.members = 0};
    (void)visit_all(disk, see_newest, choice);
    if (!choice->newest.valid)
        return E_NOENT;
    if (!visit_all(disk, check_line, choice))
        return E_CORRUPT;
    uint32_t behind = PLANTED(PLANTED_LIAR_KEPT) ? 0 : find_behind(disk, &choice->newest);
    if (behind != 0 && choose(disk, behind, missing_max, choice) == OK)
        return OK;
    return choose(disk, 0, missing_max, choice);
}
