/*
 * RAID levels by pattern (`raid-policy`): which level an inode gets that is made, by its name or
 * its path. The first pattern that matches decides; without one it is the directory's level.
 *
 * A pattern without a slash is matched with the name alone. One that begins with a slash is a path
 * from the root of the environment, a component a name. Naming never walks up: each directory has
 * in its attributes, 4 bits a pattern, how many components match the path that it was made at
 * (`matched`; 0: not all of them). So a directory that is moved keeps what it had, as its files do.
 */
#include "naming.h"

#define BITS 4u
#define MASK ((1u << BITS) - 1)
_Static_assert(RAID_POLICIES_MAX *BITS <= 32, "a word for all patterns");
_Static_assert(RAID_PATTERN_PARTS <= MASK, "the components of a pattern can be counted");

/* `*` stands for any bytes, `?` for one. */
static bool matches(const char *pattern, uint32_t pattern_bytes, const char *name, uint32_t bytes)
{
    uint32_t p = 0, k = 0, star = pattern_bytes,
             after = 0; /* the last `*`, and what it has taken */
    while (k < bytes) {
        if (p < pattern_bytes && pattern[p] == '*') {
            star = p++;
            after = k;
        } else if (p < pattern_bytes && (pattern[p] == '?' || pattern[p] == name[k])) {
            p++;
            k++;
        } else if (star < pattern_bytes) {
            p = star + 1;
            k = ++after;
        } else {
            return false;
        }
    }
    while (p < pattern_bytes && pattern[p] == '*')
        p++;
    return p == pattern_bytes;
}

/* Component `part` of a path pattern, from *at on; its bytes; *last: there is no other. */
static uint32_t component(const char *pattern, uint32_t part, const char **at, bool *last)
{
    const char *p = pattern;
    for (uint32_t n = 0; *p != '\0'; n++) {
        const char *start = ++p; /* behind the slash */
        while (*p != '\0' && *p != '/')
            p++;
        if (n < part)
            continue;
        *at = start;
        *last = *p == '\0';
        return (uint32_t)(p - start);
    }
    *last = true;
    return 0;
}

static bool part_matches(const char *pattern, uint32_t part, const char *name, uint32_t bytes,
                         bool *last)
{
    const char *at = pattern;
    uint32_t length = component(pattern, part, &at, last);
    return length > 0 && matches(at, length, name, bytes);
}

/* How many components of pattern k match the directory's path; false: not all that it has. */
static bool parts_of(const struct naming *n, const struct node *dir, uint32_t k, uint32_t *parts)
{
    static const char shared[] = "shared"; /* where VFS mounts that tree */
    bool last;
    *parts = 0;
    if (dir->oid == OID_MEE_ROOT(n->environment))
        return true;
    if (dir->oid == OID_SHARED_ROOT) {
        *parts = 1;
        return part_matches(n->policy[k].pattern, 0, shared, sizeof(shared) - 1, &last) && !last;
    }
    *parts = dir->a.matched >> (k * BITS) & MASK;
    return *parts > 0;
}

uint32_t policy_level(const struct naming *n, const struct node *dir, const char *name,
                      uint32_t bytes, uint32_t *matched)
{
    uint32_t level = dir->a.level;
    bool decided = !n->levels;
    *matched = 0;
    for (uint32_t k = 0; k < n->policies && n->levels; k++) {
        const struct raid_policy *policy = &n->policy[k];
        uint32_t parts;
        bool hit, last = true;
        if (policy->pattern[0] != '/') {
            hit = matches(policy->pattern, (uint32_t)strlen(policy->pattern), name, bytes);
        } else {
            hit = parts_of(n, dir, k, &parts) &&
                  part_matches(policy->pattern, parts, name, bytes, &last);
            if (hit && !last)
                *matched |= (parts + 1) << (k * BITS);
        }
        if (!hit || !last || decided)
            continue;
        level = policy->level;
        decided = true;
    }
    return level;
}
