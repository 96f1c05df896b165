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
 * If none is complete a disk has lied about a flush: one that did not has the newest number or the
 * one before. Those that have the root which most have may go on without the others (H32).
 *
 * Roots of earlier incarnations in that line count too: a member list that changed in the last,
 * unfinished checkpoint has a new incarnation, and what is complete is the one before.
 */
#include "logical.h"

#include "assertion.h"

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

static uint32_t count_bits(uint32_t mask)
{
    uint32_t bits = 0;
    for (; mask != 0; mask &= mask - 1)
        bits++;
    return bits;
}

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
    uint32_t have = count_bits(holders);
    uint32_t most = count_bits(s->holders);
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

enum err logical_choose_root(const struct candidate disk[DISKS_MAX], uint32_t missing_max,
                             struct choice *choice)
{
    struct seek s = {.disk = disk, .choice = choice};
    *choice = (struct choice){.members = 0};
    (void)visit_all(disk, see_newest, choice);
    if (!choice->newest.valid)
        return E_NOENT;
    if (!visit_all(disk, check_line, choice))
        return E_CORRUPT;
    (void)visit_all(disk, see_candidate, &s);
    if (!s.found) {
        choice->members = s.holders;
        return E_CORRUPT;
    }
    uint32_t full = choice->root.members & ~choice->root.rebuilding;
    uint32_t missing = count_bits(full & ~choice->members) + count_bits(choice->root.rebuilding);
    return (full & choice->members) != 0 && missing <= missing_max ? OK : E_MEDIA;
}
