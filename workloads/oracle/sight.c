#include "workloads/oracle/sight.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATH_DEPTH_MAX 64u /* components of a path that a story shows */

static uint32_t later(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

uint32_t sight_name_tick(const struct history *h, uint32_t slot)
{
    const struct name_slot *s = &h->slots[slot];
    return later(h->sync_tick, later(s->sync_tick, h->inodes[s->dir].entries_tick));
}

uint32_t sight_inode_tick(const struct history *h, uint32_t inode)
{
    return later(h->sync_tick, h->inodes[inode].sync_tick);
}

static uint32_t tick_of(const struct history *h, const struct effect *e)
{
    return e->slot == SLOT_NAME ? sight_name_tick(h, e->object) : sight_inode_tick(h, e->object);
}

bool sight_effect_synced(const struct history *h, const struct effect *e)
{
    const struct history_op *o = &h->ops[e->op];
    return !e->is_void && o->state == HISTORY_DONE && o->end_tick < tick_of(h, e);
}

uint32_t sight_sync_of(const struct history *h, const struct effect *e)
{
    uint32_t tick = tick_of(h, e);
    uint32_t low = 1;
    uint32_t high = h->op_count;
    while (low < high) { /* operations begin in the order of their numbers */
        uint32_t middle = low + (high - low) / 2;
        if (h->ops[middle].begin_tick < tick)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t sight_op_number(const struct history *h, uint32_t op)
{
    return op > h->setup_ops ? op - h->set_up : 0;
}

bool sight_op_synced(const struct history *h, uint32_t op)
{
    const struct history_op *o = &h->ops[op];
    for (uint32_t k = 0; k < o->effects; k++)
        if (sight_effect_synced(h, &h->effects[o->first_effect + k]))
            return true;
    return false;
}

void sight_path(const struct judge *j, uint32_t node, char *to, size_t room)
{
    uint32_t chain[PATH_DEPTH_MAX];
    uint32_t depth = 0;
    for (uint32_t at = node; at != 0 && depth < PATH_DEPTH_MAX; at = j->o->nodes[at].parent)
        chain[depth++] = at;
    size_t used = 0;
    to[0] = '\0';
    while (depth > 0 && used + 1 < room) {
        const struct node *n = &j->o->nodes[chain[--depth]];
        if (n->root && !n->shared_root)
            continue;
        const char *separator = used == 0 ? "" : "/";
        int wrote = snprintf(to + used, room - used, "%s%s", separator, j->o->text + n->text);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

void sight_flaw(struct judge *j, enum history_clause clause, uint32_t op, uint32_t node,
                const char *form, ...)
{
    struct flaw *f = &j->flaw;
    bool worse = f->clause == CLAUSE_SYNCED && clause != CLAUSE_SYNCED && clause != CLAUSE_NONE;
    if (f->clause != CLAUSE_NONE && !worse)
        return;
    f->clause = clause;
    f->op = op;
    char path[JUDGE_STORY_BYTES / 2];
    sight_path(j, node, path, sizeof(path));
    size_t used =
        (size_t)snprintf(f->story, sizeof(f->story), "%s%s", path, path[0] == '\0' ? "" : " ");
    va_list arguments;
    va_start(arguments, form);
    (void)vsnprintf(f->story + used, sizeof(f->story) - used, form, arguments);
    va_end(arguments);
}

bool sight_ignored(const struct judge *j, uint32_t node)
{
    const struct node *n = &j->o->nodes[node];
    return n->parent != 0 && j->o->nodes[n->parent].root &&
           strcmp(j->o->text + n->text, "lost+found") == 0;
}

uint32_t sight_slot(struct judge *j, uint32_t node, uint32_t dir)
{
    struct glimpse *g = &j->glimpses[node];
    if (g->dir != dir) {
        const struct node *n = &j->o->nodes[node];
        g->dir = dir;
        g->slot = n->text_bytes == 0 || n->text_bytes > HISTORY_NAME_MAX
                      ? 0
                      : model_find(j->h, dir, j->o->text + n->text, n->text_bytes);
    }
    return g->slot;
}

/* The bucket of an inode number: its object, or 0. */
static uint32_t *bucket_of(struct judge *j, uint64_t ino)
{
    uint32_t mask = j->number_count - 1;
    uint32_t at = (uint32_t)(ino * UINT64_C(0x9e3779b97f4a7c15) >> 40) & mask;
    while (j->numbers[at] != 0 && j->o->nodes[j->objects[j->numbers[at]].node].stat.ino != ino)
        at = (at + 1) & mask;
    return &j->numbers[at];
}

/* The object of that node's inode number, or a new one. */
static uint32_t object_of(struct judge *j, uint32_t node)
{
    const struct node *n = &j->o->nodes[node];
    bool known = n->stat_result == OK && !n->root;
    uint32_t *bucket = known ? bucket_of(j, n->stat.ino) : NULL;
    if (known && *bucket != 0)
        return *bucket;
    j->objects = model_grow(j->objects, &j->object_room, j->object_count + 2, sizeof(*j->objects));
    uint32_t at = ++j->object_count;
    j->objects[at] = (struct object){.node = node, .data_node = node, .known = known || n->root};
    if (bucket != NULL)
        *bucket = at;
    return at;
}

static bool in_shared_tree(const struct judge *j, uint32_t node)
{
    while (j->o->nodes[node].parent != 0)
        node = j->o->nodes[node].parent;
    return j->o->nodes[node].shared_root;
}

/* Links from the own trees of other environments to what is shared. */
static void count_elsewhere(struct judge *j)
{
    for (uint32_t k = 1; k <= j->o->node_count; k++) {
        const struct node *n = &j->o->nodes[k];
        if (n->environment == j->environment || n->root || n->stat_result != OK ||
            n->stat.type == HISTORY_DIRECTORY || in_shared_tree(j, k))
            continue;
        uint32_t object = *bucket_of(j, n->stat.ino);
        if (object != 0)
            j->objects[object].elsewhere++;
    }
}

/* Groups the nodes of this environment into objects. */
static void group(struct judge *j)
{
    uint32_t nodes = j->o->node_count;
    uint32_t want = 64;
    while (want < 2 * nodes + 2)
        want *= 2;
    j->numbers = model_grow(j->numbers, &j->number_room, want, sizeof(*j->numbers));
    j->number_count = want;
    memset(j->numbers, 0, want * sizeof(*j->numbers));
    j->glimpses = model_grow(j->glimpses, &j->glimpse_room, nodes + 1, sizeof(*j->glimpses));
    j->object_count = 0;
    j->glimpses[0] = (struct glimpse){0};
    for (uint32_t k = 1; k <= nodes; k++) {
        const struct node *n = &j->o->nodes[k];
        j->glimpses[k] = (struct glimpse){0};
        bool hidden = n->environment != j->environment ||
                      (n->parent != 0 && j->glimpses[n->parent].object == 0);
        if (hidden || sight_ignored(j, k))
            continue;
        uint32_t object = object_of(j, k);
        struct object *b = &j->objects[object];
        j->glimpses[k].object = object;
        if (b->node != k) {
            j->glimpses[k].next_name = j->glimpses[b->node].next_name;
            j->glimpses[b->node].next_name = k;
        }
        b->names++;
        if (n->chunk != 0 && j->o->nodes[b->data_node].chunk == 0)
            b->data_node = k;
    }
    count_elsewhere(j);
}

/* Whether a file's bytes end where its size says; errors excuse. */
static bool ends_right(const struct judge *j, const struct object *b)
{
    const struct node *n = &j->o->nodes[b->data_node];
    uint64_t at = 0;
    bool holes = false;
    for (uint32_t c = n->chunk; c != 0; c = j->o->chunks[c].next) {
        const struct chunk *k = &j->o->chunks[c];
        if (k->result != OK)
            return true;
        holes = holes || k->from != at;
        at = k->to;
    }
    return !holes && at == n->stat.size;
}

/* What could not be read of an object, its names apart. */
static uint32_t object_errors(struct judge *j, const struct object *b)
{
    const struct node *n = &j->o->nodes[b->data_node];
    bool lists = b->known && n->stat.type == HISTORY_DIRECTORY;
    bool hides =
        lists ? j->o->nodes[b->node].listing_result != OK : !b->known && n->stat_result != E_NOENT;
    j->hidden = j->hidden || hides;
    if (!b->known || lists)
        return hides;
    if (n->stat.type == HISTORY_SYMBOLIC)
        return n->target_result != OK;
    uint32_t errors = !n->data_told && n->stat.size != 0;
    for (uint32_t c = n->chunk; c != 0; c = j->o->chunks[c].next)
        errors += j->o->chunks[c].result != OK;
    return errors;
}

/* What the node itself, as the first name of its object or as any other, says that it could not. */
static bool node_error(struct judge *j, uint32_t node)
{
    const struct node *n = &j->o->nodes[node];
    const struct object *b = &j->objects[j->glimpses[node].object];
    if (n->stat_result != OK) {
        if (n->stat_result != E_NOENT)
            sight_flaw(j, CLAUSE_ERROR, 0, node, "cannot be looked up: an error");
    } else if (n->stat.type == HISTORY_DIRECTORY) {
        if (b->node == node && n->listing_result != OK)
            sight_flaw(j, CLAUSE_ERROR, 0, node, "%scannot be listed: an error",
                       n->root && !n->shared_root ? "the root " : "");
    } else if (b->data_node != node) {
        return false; /* its object's bytes are told elsewhere */
    } else if (n->stat.type == HISTORY_SYMBOLIC) {
        if (n->target_result != OK)
            sight_flaw(j, CLAUSE_ERROR, 0, node, "its target cannot be read: an error");
    } else {
        if (!n->data_told && n->stat.size != 0)
            sight_flaw(j, CLAUSE_ERROR, 0, node, "cannot be read: an error");
        for (uint32_t c = n->chunk; c != 0; c = j->o->chunks[c].next)
            if (j->o->chunks[c].result != OK)
                sight_flaw(j, CLAUSE_ERROR, 0, node, "cannot be read at %llu: an error",
                           (unsigned long long)j->o->chunks[c].from);
    }
    return j->flaw.story[0] != '\0';
}

void sight_error(struct judge *j)
{
    if (j->flaw.story[0] != '\0')
        return;
    j->flaw.clause = CLAUSE_NONE;
    for (uint32_t k = 1; k <= j->o->node_count; k++)
        if (j->glimpses[k].object != 0 && node_error(j, k))
            return;
}

static bool node_sound(struct judge *j, uint32_t node)
{
    const struct node *n = &j->o->nodes[node];
    if (n->stat_result == E_NOENT)
        sight_flaw(j, CLAUSE_LISTING, 0, node, "is listed, but not found");
    else if (n->stat_result == OK && n->type != 0 && n->type != n->stat.type)
        sight_flaw(j, CLAUSE_LISTING, 0, node, "is listed as another type");
    return j->flaw.clause == CLAUSE_NONE;
}

static bool object_sound(struct judge *j, const struct object *b)
{
    const struct node *n = &j->o->nodes[b->node];
    if (!b->known || n->root)
        return true;
    if (n->stat.type == HISTORY_DIRECTORY) {
        if (b->names > 1)
            sight_flaw(j, CLAUSE_TREE, 0, b->node, "is a directory with %u names", b->names);
    } else if (n->stat.nlink != b->names + b->elsewhere) {
        if (!j->hidden || n->stat.nlink < b->names) /* else a name may be among what is hidden */
            sight_flaw(j, CLAUSE_LINKS, 0, b->node, "has %u links, but %u names", n->stat.nlink,
                       b->names + b->elsewhere);
    }
    bool told = j->o->nodes[b->data_node].data_told;
    if (n->stat.type == HISTORY_FILE && told && !ends_right(j, b))
        sight_flaw(j, CLAUSE_SIZE, 0, b->node, "does not end at its size");
    return j->flaw.clause == CLAUSE_NONE;
}

/* Clears what is counted per slot and inode, with room for all of this history. */
static void make_room(struct judge *j)
{
    uint32_t slots = j->h->slot_count + 1;
    uint32_t ops = j->h->op_count + 1;
    j->slot_stamp = model_grow(j->slot_stamp, &j->slot_stamp_room, slots, sizeof(uint32_t));
    j->slot_owner = model_grow(j->slot_owner, &j->slot_owner_room, slots, sizeof(uint32_t));
    j->inode_stamp = model_grow(j->inode_stamp, &j->inode_stamp_room, ops, sizeof(uint32_t));
    j->inode_owner = model_grow(j->inode_owner, &j->inode_owner_room, ops, sizeof(uint32_t));
    j->rank = model_grow(j->rank, &j->rank_room, ops, sizeof(uint32_t));
    memset(j->slot_stamp, 0, slots * sizeof(uint32_t));
    memset(j->slot_owner, 0, slots * sizeof(uint32_t));
    memset(j->inode_stamp, 0, ops * sizeof(uint32_t));
    memset(j->inode_owner, 0, ops * sizeof(uint32_t));
    memset(j->rank, 0xff, ops * sizeof(uint32_t));
    j->stamp = 0;
}

bool sight_init(struct judge *j, const struct history *h, const struct observation *o,
                uint32_t environment)
{
    ASSERT(h != NULL && o != NULL);
    ASSERT(environment < h->environments);
    j->h = h;
    j->o = o;
    j->environment = environment;
    j->root[0] = observation_root(o, environment, false);
    j->root[1] = observation_root(o, environment, true);
    make_room(j);
    group(j);
    j->hidden = j->root[0] == 0;
    j->errors = j->hidden;
    for (uint32_t k = 1; k <= j->object_count; k++)
        j->errors += object_errors(j, &j->objects[k]);
    bool sound = true;
    for (uint32_t k = 1; k <= o->node_count && sound; k++)
        sound = j->glimpses[k].object == 0 || node_sound(j, k);
    for (uint32_t k = 1; k <= j->object_count && sound; k++)
        sound = object_sound(j, &j->objects[k]);
    return sound;
}
