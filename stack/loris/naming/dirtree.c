#include "dirtree.h"

#include "naming.h"

#define ENTRY_MAX_BYTES (DIRNODE_NAME_BYTES + VFS_NAME_MAX)
#define JOINED_MAX_BYTES (DIRNODE_ROOM / 4 * 3) /* so that a join is not split again at once */
#define SPARSE_BYTES (DIRNODE_ROOM / 4)         /* below it a node looks for a neighbour to join */
/* Splits that one insertion can need: one a level, and a new root. */
#define SPLITS_MAX (2 * DIRNODE_LEVELS_MAX)

void dirtree_forget(struct dirtree *t)
{
    t->oid = OID_NONE;
}

static enum err load(struct naming *n, uint64_t oid, uint32_t block, uint8_t *raw)
{
    uint32_t moved = 0;
    enum err e = objects_read(n, oid, (uint64_t)block * BLOCK_BYTES, raw, BLOCK_BYTES, &moved);
    if (e != OK)
        return e;
    return moved == BLOCK_BYTES ? OK : E_CORRUPT;
}

static enum err store(struct naming *n, uint64_t oid, uint32_t block, const uint8_t *raw)
{
    return objects_write(n, oid, (uint64_t)block * BLOCK_BYTES, raw, BLOCK_BYTES);
}

/* Stores the blocks of the path that were changed. */
static enum err write_path(struct naming *n)
{
    struct dirtree *t = &n->tree;
    for (uint32_t level = 0; level <= t->top; level++) {
        if (!t->changed[level])
            continue;
        enum err e = store(n, t->oid, t->block[level], t->raw[level]);
        if (e != OK)
            return e;
        t->changed[level] = false;
    }
    return OK;
}

static bool in_range(const uint8_t *block, uint64_t key)
{
    return dirnode_low(block) <= key && key < dirnode_high(block);
}

static bool size_makes_sense(const struct node *dir)
{
    return dir->size >= BLOCK_BYTES && dir->size % BLOCK_BYTES == 0 &&
           dir->size / BLOCK_BYTES <= DIR_BLOCKS_MAX;
}

/* Holds the root that lies in raw[0]. */
static enum err hold_root(struct dirtree *t, const struct node *dir)
{
    const uint8_t *raw = t->raw[0];
    if (!dirnode_valid(raw) || dirnode_low(raw) != 0 || dirnode_high(raw) != DIRNODE_KEY_END)
        return E_CORRUPT;
    t->oid = dir->oid;
    t->top = t->held = dirnode_level(raw);
    if (t->top > 0)
        memcpy(t->raw[t->top], raw, BLOCK_BYTES);
    t->block[t->top] = 0;
    memset(t->changed, 0, sizeof(t->changed));
    return OK;
}

enum err dirtree_root(struct naming *n, const struct node *dir)
{
    struct dirtree *t = &n->tree;
    if (t->oid == dir->oid)
        return OK;
    t->oid = OID_NONE; /* what fails half-way leaves no path */
    if (!size_makes_sense(dir))
        return E_CORRUPT;
    enum err e = load(n, dir->oid, 0, t->raw[0]);
    return e == OK ? hold_root(t, dir) : e;
}

enum err dirtree_open(struct naming *n, uint64_t oid, bool exclusive, struct node *dir)
{
    struct dirtree *t = &n->tree;
    if (t->oid != OID_NONE) { /* a path is held, perhaps with changes */
        enum err e = objects_load(n, oid, exclusive, dir);
        return e != OK || dir->a.type == VFS_DIRECTORY ? e : E_NOTDIR;
    }
    uint32_t moved;
    enum err e = objects_load_block(n, oid, exclusive, dir, t->raw[0], &moved);
    if (e == E_LOST || e == E_MEDIA ||
        e == E_CORRUPT) { /* of what is no directory it matters not */
        moved = 0;
        e = objects_load(n, oid, exclusive, dir);
    }
    if (e != OK)
        return e;
    if (dir->a.type != VFS_DIRECTORY)
        return E_NOTDIR;
    if (moved == BLOCK_BYTES && size_makes_sense(dir) && hold_root(t, dir) != OK)
        t->oid = OID_NONE;
    return OK;
}

/* Goes down one level, from the lowest node held. */
static enum err step_down(struct naming *n, uint64_t key)
{
    struct dirtree *t = &n->tree;
    uint32_t level = t->held;
    ASSERT(level > 0);
    t->slot[level] = dirnode_child_of(t->raw[level], key);
    uint32_t block = dirnode_child(t->raw[level], t->slot[level]);
    if (block == 0 || block >= DIR_BLOCKS_MAX)
        return E_CORRUPT;
    uint8_t *child = t->raw[level - 1];
    enum err e = load(n, t->oid, block, child);
    if (e != OK)
        return e;
    if (!dirnode_valid(child) || dirnode_level(child) != level - 1 || !in_range(child, key))
        return E_CORRUPT;
    t->block[level - 1] = block;
    t->held = level - 1;
    return OK;
}

enum err dirtree_descend(struct naming *n, const struct node *dir, uint64_t key)
{
    struct dirtree *t = &n->tree;
    ASSERT(key < DIRNODE_KEY_END);
    enum err e = dirtree_root(n, dir);
    while (e == OK && !in_range(t->raw[t->held], key))
        t->held++; /* ends at the root: all keys are in its range */
    while (e == OK && t->held > 0)
        e = step_down(n, key);
    return e;
}

enum err dirtree_make(struct naming *n, struct node *dir, const uint64_t seed[2])
{
    struct dirtree *t = &n->tree;
    ASSERT(dir->size == 0);
    dirnode_init(t->raw[0], 0, 0, DIRNODE_KEY_END);
    dirnode_set_seed(t->raw[0], seed);
    t->oid = dir->oid;
    t->top = t->held = 0;
    t->block[0] = 0;
    memset(t->changed, 0, sizeof(t->changed));
    dir->size = BLOCK_BYTES;
    t->changed[0] = true;
    return OK;
}

/* ---- Blocks ------------------------------------------------------------------------------------
 */

/* A block that is in no use: of the free list, whose head is in the root, or at the end. */
static enum err block_take(struct naming *n, struct node *dir, uint32_t *block)
{
    struct dirtree *t = &n->tree;
    uint8_t *root = t->raw[t->top];
    *block = dirnode_first_free(root);
    if (*block == 0) {
        if (dir->size / BLOCK_BYTES >= DIR_BLOCKS_MAX)
            return E_NOSPC;
        *block = (uint32_t)(dir->size / BLOCK_BYTES);
        dir->size += BLOCK_BYTES;
        return OK;
    }
    uint32_t next;
    if (*block >= dir->size / BLOCK_BYTES)
        return E_CORRUPT;
    enum err e = load(n, dir->oid, *block, t->spare);
    if (e != OK)
        return e;
    if (!dirnode_is_free(t->spare, &next))
        return E_CORRUPT;
    dirnode_set_first_free(root, next);
    t->changed[t->top] = true;
    return OK;
}

static enum err block_give(struct naming *n, uint32_t block)
{
    struct dirtree *t = &n->tree;
    uint8_t *root = t->raw[t->top];
    ASSERT(block != 0);
    dirnode_make_free(t->spare, dirnode_first_free(root));
    dirnode_set_first_free(root, block);
    t->changed[t->top] = true;
    return store(n, t->oid, block, t->spare);
}

/* ---- Growing -----------------------------------------------------------------------------------
 */

/* The root's content moves to a new block, which becomes its only child. */
static enum err grow_root(struct naming *n, struct node *dir)
{
    struct dirtree *t = &n->tree;
    uint32_t block;
    if (t->top + 1 == DIRNODE_LEVELS_MAX)
        return E_NOSPC;
    enum err e = block_take(n, dir, &block);
    if (e != OK)
        return e;
    uint8_t *root = t->raw[t->top];
    dirnode_init(t->spare, t->top, 0, DIRNODE_KEY_END);
    dirnode_take(t->spare, root);
    e = store(n, dir->oid, block, t->spare);
    if (e != OK)
        return e;
    uint64_t seed[2];
    uint32_t first_free = dirnode_first_free(root);
    dirnode_seed(root, seed);
    dirnode_init(root, t->top + 1, 0, DIRNODE_KEY_END);
    dirnode_set_seed(root, seed);
    dirnode_set_first_free(root, first_free);
    dirnode_child_add(root, 0, 0, block);
    t->changed[t->top] = true;
    return write_path(n);
}

/* The node of the path at `level`, whose parent has room for one more entry, becomes two. */
static enum err split(struct naming *n, struct node *dir, uint32_t level)
{
    struct dirtree *t = &n->tree;
    uint32_t block;
    ASSERT(level < t->top);
    enum err e = block_take(n, dir, &block);
    if (e == OK)
        e = dirnode_split(t->raw[level], t->spare);
    if (e != OK)
        return e;
    t->changed[level] = true;
    dirnode_child_add(t->raw[level + 1], t->slot[level + 1] + 1, dirnode_low(t->spare), block);
    t->changed[level + 1] = true;
    e = store(n, dir->oid, block, t->spare);
    return e == OK ? write_path(n) : e;
}

static bool has_room(const uint8_t *block, uint32_t bytes)
{
    return DIRNODE_ROOM - dirnode_used(block) >= bytes;
}

/* Splits the lowest full node of the path whose parent is not full. */
static enum err make_room(struct naming *n, struct node *dir)
{
    struct dirtree *t = &n->tree;
    uint32_t level = 0;
    while (level < t->top && !has_room(t->raw[level + 1], DIRNODE_CHILD_BYTES))
        level++;
    enum err e = level == t->top ? grow_root(n, dir) : split(n, dir, level);
    dirtree_forget(t); /* the blocks in memory are no path any more */
    return e;
}

enum err dirtree_add(struct naming *n, struct node *dir, const struct dirnode_entry *entry)
{
    struct dirtree *t = &n->tree;
    uint32_t bytes = DIRNODE_NAME_BYTES + entry->name_bytes;
    ASSERT(bytes <= ENTRY_MAX_BYTES);
    for (uint32_t splits = 0; splits <= SPLITS_MAX; splits++) {
        enum err e = dirtree_descend(n, dir, entry->key);
        if (e == OK && !has_room(t->raw[0], bytes)) {
            e = make_room(n, dir);
            if (e == OK)
                continue;
        }
        if (e != OK)
            return e;
        struct dirnode_entry there;
        e = dirnode_seek(t->raw[0], entry->key, &there);
        if (e == E_CORRUPT || (e == OK && there.key == entry->key))
            return E_CORRUPT;
        dirnode_add(t->raw[0], there.at, entry);
        t->changed[0] = true;
        return write_path(n);
    }
    return E_CORRUPT; /* splits that make no room */
}

/* ---- Shrinking ---------------------------------------------------------------------------------
 */

/* Whether the nodes of two neighbours should be one. */
static bool should_join(const uint8_t *a, const uint8_t *b)
{
    uint32_t sum = dirnode_used(a) + dirnode_used(b);
    bool one_is_empty = dirnode_used(a) == 0 || dirnode_used(b) == 0;
    return sum <= (one_is_empty ? DIRNODE_ROOM : JOINED_MAX_BYTES);
}

/* Loads the child at `slot` of the path's node at level + 1 into the spare block. */
static enum err load_neighbour(struct naming *n, uint32_t level, uint32_t slot, uint32_t *block)
{
    struct dirtree *t = &n->tree;
    *block = dirnode_child(t->raw[level + 1], slot);
    if (*block == 0 || *block >= DIR_BLOCKS_MAX)
        return E_CORRUPT;
    enum err e = load(n, t->oid, *block, t->spare);
    if (e != OK)
        return e;
    return dirnode_valid(t->spare) && dirnode_level(t->spare) == level ? OK : E_CORRUPT;
}

/* The node at `level` joins the neighbour above it, or else the one below, if they fit: *joined. */
static enum err join(struct naming *n, uint32_t level, bool *joined)
{
    struct dirtree *t = &n->tree;
    uint8_t *parent = t->raw[level + 1], *node = t->raw[level];
    uint32_t slot = t->slot[level + 1], block;
    *joined = false;
    if (slot + 1 < dirnode_count(parent)) {
        enum err e = load_neighbour(n, level, slot + 1, &block);
        if (e != OK)
            return e;
        if (dirnode_low(t->spare) != dirnode_high(node))
            return E_CORRUPT;
        if (should_join(node, t->spare)) {
            dirnode_join(node, t->spare);
            dirnode_child_remove(parent, slot + 1);
            *joined = true;
        }
    }
    if (!*joined && slot > 0) {
        enum err e = load_neighbour(n, level, slot - 1, &block);
        if (e != OK)
            return e;
        if (dirnode_high(t->spare) != dirnode_low(node))
            return E_CORRUPT;
        if (should_join(node, t->spare)) {
            dirnode_join(t->spare, node); /* the path goes on in the lower one's block */
            memcpy(node, t->spare, BLOCK_BYTES);
            uint32_t lower = block;
            block = t->block[level];
            t->block[level] = lower;
            dirnode_child_remove(parent, slot);
            t->slot[level + 1] = slot - 1;
            *joined = true;
        }
    }
    if (!*joined)
        return OK;
    t->changed[level] = t->changed[level + 1] = true;
    return block_give(n, block);
}

/* A root with one child takes its content. With no level left, all other blocks are free. */
static enum err lower_root(struct naming *n, struct node *dir)
{
    struct dirtree *t = &n->tree;
    bool lowered = false;
    while (t->top > 0 && dirnode_count(t->raw[t->top]) == 1) {
        uint32_t child = t->block[t->top - 1];
        dirnode_take(t->raw[t->top], t->raw[t->top - 1]);
        memcpy(t->raw[t->top - 1], t->raw[t->top], BLOCK_BYTES);
        t->top--;
        t->block[t->top] = 0;
        t->slot[t->top] = 0;
        t->changed[t->top] = true;
        enum err e = block_give(n, child);
        if (e != OK)
            return e;
        lowered = true;
    }
    if (!lowered)
        return OK;
    enum err e = OK;
    if (t->top == 0) {
        dirnode_set_first_free(t->raw[0], 0);
        dir->size = BLOCK_BYTES;
        e = objects_truncate(n, dir->oid, dir->size);
    }
    return e;
}

/* Joins what a removal has left nearly empty, from the leaf up. */
static enum err tidy(struct naming *n, struct node *dir)
{
    struct dirtree *t = &n->tree;
    bool joined = true;
    for (uint32_t level = 0; joined && level < t->top; level++) {
        if (dirnode_used(t->raw[level]) > SPARSE_BYTES)
            break;
        enum err e = join(n, level, &joined);
        if (e != OK)
            return e;
    }
    enum err e = lower_root(n, dir);
    if (e == OK)
        e = write_path(n);
    dirtree_forget(t);
    return e;
}

/* The entry of exactly that key, in the leaf of the path. */
static enum err find_key(struct naming *n, const struct node *dir, uint64_t key,
                         struct dirnode_entry *entry)
{
    enum err e = dirtree_descend(n, dir, key);
    if (e == OK)
        e = dirnode_seek(n->tree.raw[0], key, entry);
    if (e == E_NOENT || (e == OK && entry->key != key))
        return E_CORRUPT; /* directory.c has just found it */
    return e;
}

enum err dirtree_remove(struct naming *n, struct node *dir, uint64_t key)
{
    struct dirtree *t = &n->tree;
    struct dirnode_entry entry;
    enum err e = find_key(n, dir, key, &entry);
    if (e != OK)
        return e;
    dirnode_remove(t->raw[0], &entry);
    t->changed[0] = true;
    if (t->top == 0 || dirnode_used(t->raw[0]) > SPARSE_BYTES)
        return write_path(n);
    return tidy(n, dir);
}

enum err dirtree_redirect(struct naming *n, const struct node *dir, uint64_t key, uint64_t ino,
                          uint32_t type)
{
    struct dirtree *t = &n->tree;
    struct dirnode_entry entry;
    enum err e = find_key(n, dir, key, &entry);
    if (e != OK)
        return e;
    dirnode_redirect(t->raw[0], &entry, ino, type);
    t->changed[0] = true;
    return write_path(n);
}
