/* The namespace as the history has it: see model.h. */
#include "workloads/oracle/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/oracle/content.h"

#define SYMLINKS_MAX 8u /* followed in one path: VFS_SYMLINKS_MAX */

void *model_grow(void *array, uint32_t *room, uint32_t want, size_t size)
{
    ASSERT(room != NULL);
    ASSERT(size != 0);
    if (want <= *room)
        return array;
    uint32_t more = *room < 64 ? 64 : *room;
    while (more < want)
        more *= 2;
    void *grown = realloc(array, more * size);
    ASSERT(grown != NULL);
    *room = more;
    return grown;
}

void *model_remake(void *bytes, uint64_t *room, uint64_t want)
{
    if (want <= *room)
        return bytes;
    free(bytes);
    *room = want;
    bytes = malloc(want);
    ASSERT(bytes != NULL);
    return bytes;
}

static bool counts(const struct history *h, const struct effect *e, enum view view, uint32_t self)
{
    if (e->is_void || model_hidden(h, e->op, self))
        return false;
    const struct history_op *o = &h->ops[e->op];
    if (view == VIEW_ALL || e->op == self || o->state == HISTORY_DONE)
        return true; /* in an order what has a place has happened, but writes by whole blocks */
    return h->linear && o->kind != HISTORY_WRITE && o->kind != HISTORY_FALLOCATE;
}

uint32_t model_newest(const struct history *h, uint32_t newest, enum view view, uint32_t self)
{
    uint32_t at = newest;
    while (at != 0 && !counts(h, &h->effects[at], view, self))
        at = h->effects[at].older;
    return at;
}

uint32_t model_name(const struct history *h, uint32_t slot, enum view view, uint32_t self)
{
    ASSERT(slot <= h->slot_count);
    if (slot == 0)
        return 0;
    uint32_t at = model_newest(h, h->slots[slot].newest, view, self);
    return at == 0 ? 0 : (uint32_t)h->effects[at].value;
}

uint64_t model_size(const struct history *h, uint32_t inode, enum view view, uint32_t self)
{
    ASSERT(inode != 0);
    uint32_t at = model_newest(h, h->inodes[inode].size, view, self);
    return at == 0 ? 0 : h->effects[at].value;
}

bool model_settled(const struct history *h, uint32_t newest, uint32_t self)
{
    if (h->linear)
        return true;
    for (uint32_t at = newest; at != 0; at = h->effects[at].older) {
        const struct effect *e = &h->effects[at];
        if (e->is_void || e->op == self || model_hidden(h, e->op, self))
            continue;
        if (!precedes(h, e->op, self) || h->ops[e->op].state != HISTORY_DONE)
            return false;
        return true; /* all older ones precede it or are as unsure, but overwritten */
    }
    return true;
}

static uint64_t hash_name(uint32_t dir, const char *name, uint32_t bytes)
{
    uint64_t z = UINT64_C(0xcbf29ce484222325) ^ dir; /* FNV-1a */
    for (uint32_t k = 0; k < bytes; k++)
        z = (z ^ (uint8_t)name[k]) * UINT64_C(0x100000001b3);
    return z ^ z >> 29;
}

static bool slot_is(const struct history *h, const struct name_slot *s, uint32_t dir,
                    const char *name, uint32_t bytes)
{
    return s->dir == dir && s->bytes == bytes && memcmp(h->text + s->text, name, bytes) == 0;
}

uint32_t model_find(const struct history *h, uint32_t dir, const char *name, uint32_t bytes)
{
    ASSERT(dir != 0);
    ASSERT(h->bucket_count != 0);
    uint64_t hash = hash_name(dir, name, bytes);
    uint32_t at = h->buckets[hash & (h->bucket_count - 1)];
    while (at != 0 && !(h->slots[at].hash == hash && slot_is(h, &h->slots[at], dir, name, bytes)))
        at = h->slots[at].chain;
    return at;
}

void model_rechain(struct history *h)
{
    memset(h->buckets, 0, h->bucket_count * sizeof(*h->buckets));
    for (uint32_t k = 1; k <= h->slot_count; k++) {
        uint32_t *bucket = &h->buckets[h->slots[k].hash & (h->bucket_count - 1)];
        h->slots[k].chain = *bucket;
        *bucket = k;
    }
}

static void rehash(struct history *h)
{
    h->bucket_count *= 2;
    free(h->buckets);
    h->buckets = calloc(h->bucket_count, sizeof(*h->buckets));
    ASSERT(h->buckets != NULL);
    model_rechain(h);
}

uint32_t model_text(struct history *h, const char *text, uint32_t bytes)
{
    ASSERT(text != NULL);
    h->text = model_grow(h->text, &h->text_room, h->text_bytes + bytes + 1, 1);
    uint32_t at = h->text_bytes;
    memcpy(h->text + at, text, bytes);
    h->text[at + bytes] = '\0';
    h->text_bytes += bytes + 1;
    return at;
}

uint32_t model_slot(struct history *h, uint32_t dir, const char *name, uint32_t bytes)
{
    ASSERT(bytes != 0);
    uint32_t found = model_find(h, dir, name, bytes);
    if (found != 0)
        return found;
    h->slots = model_grow(h->slots, &h->slot_room, h->slot_count + 2, sizeof(*h->slots));
    if (h->slot_count + 1 > h->bucket_count)
        rehash(h);
    uint32_t at = ++h->slot_count;
    uint64_t hash = hash_name(dir, name, bytes);
    uint32_t *bucket = &h->buckets[hash & (h->bucket_count - 1)];
    h->slots[at] = (struct name_slot){.dir = dir,
                                      .text = model_text(h, name, bytes),
                                      .bytes = bytes,
                                      .chain = *bucket,
                                      .next = h->inodes[dir].slots,
                                      .hash = hash};
    *bucket = at;
    h->inodes[dir].slots = at;
    return at;
}

/* The directory above; a root is above itself. */
static uint32_t parent_of(const struct history *h, uint32_t dir)
{
    const struct inode *i = &h->inodes[dir];
    return i->setup || i->up == 0 ? dir : h->slots[i->up].dir;
}

uint32_t model_root(const struct history *h, uint32_t dir)
{
    uint32_t at = dir;
    for (uint32_t steps = 0; steps <= h->op_count && !h->inodes[at].setup; steps++)
        at = parent_of(h, at);
    return h->inodes[at].setup ? at : 0;
}

bool model_below(const struct history *h, uint32_t inner, uint32_t outer)
{
    uint32_t at = inner;
    for (uint32_t steps = 0; steps <= h->op_count; steps++) {
        if (at == outer)
            return true;
        uint32_t above = parent_of(h, at);
        if (above == at)
            return false;
        at = above;
    }
    return false;
}

/* One path, and what is left of those whose symbolic link it replaced. */
struct walk {
    const struct history *h;
    const struct lookup *how;
    struct where *at;
    uint32_t root, links;
};

static enum err walk_path(struct walk *w, uint32_t from, const char *path, bool follow);

/* Goes from directory `dir` to its entry; `last` and `follow` decide about symbolic links. */
static enum err walk_name(struct walk *w, uint32_t dir, const char *name, uint32_t bytes,
                          bool follow)
{
    const struct history *h = w->h;
    if (bytes > HISTORY_NAME_MAX)
        return E_NAMETOOLONG;
    uint32_t slot = model_find(h, dir, name, bytes);
    uint32_t inode = model_name(h, slot, w->how->view, w->how->self);
    if (slot != 0 && !model_settled(h, h->slots[slot].newest, w->how->self))
        w->at->unsettled = true;
    w->at->dir = dir;
    w->at->slot = slot;
    w->at->name = name;
    w->at->name_bytes = bytes;
    w->at->inode = inode;
    if (inode == 0 || !follow || h->inodes[inode].type != HISTORY_SYMBOLIC)
        return OK;
    if (++w->links > SYMLINKS_MAX)
        return E_LOOP;
    const char *text = h->text + h->inodes[inode].text;
    return walk_path(w, text[0] == '/' ? w->root : dir, text, true);
}

static enum err walk_path(struct walk *w, uint32_t from, const char *path, bool follow)
{
    const struct history *h = w->h;
    struct where *at = w->at;
    at->inode = from;
    at->dir = from;
    at->slot = 0;
    at->name_bytes = 0;
    while (*path == '/')
        path++;
    while (*path != '\0') {
        uint32_t bytes = (uint32_t)strcspn(path, "/");
        const char *next = path + bytes;
        while (*next == '/')
            next++;
        if (at->inode == 0)
            return E_NOENT;
        if (h->inodes[at->inode].type != HISTORY_DIRECTORY)
            return E_NOTDIR;
        if (bytes == 1 && path[0] == '.') {
            at->name_bytes = 0;
        } else if (bytes == 2 && path[0] == '.' && path[1] == '.') {
            at->inode = parent_of(h, at->inode);
            at->name_bytes = 0;
        } else {
            enum err e = walk_name(w, at->inode, path, bytes, follow || *next != '\0');
            if (e != OK)
                return e;
        }
        path = next;
    }
    return OK;
}

enum err model_walk(const struct history *h, uint32_t environment, const char *path,
                    const struct lookup *how, struct where *at)
{
    ASSERT(environment < h->environments);
    ASSERT(path != NULL);
    *at = (struct where){0};
    struct walk w = {.h = h, .how = how, .at = at, .root = environment + 2};
    return walk_path(&w, w.root, path, how->follow);
}

/* The head of the list that an effect belongs to. */
uint32_t *model_list(struct history *h, enum slot_kind slot, uint32_t object)
{
    switch (slot) {
    case SLOT_NAME:
        return &h->slots[object].newest;
    case SLOT_SIZE:
        return &h->inodes[object].size;
    case SLOT_MODE:
        return &h->inodes[object].mode;
    case SLOT_OWNER:
        return &h->inodes[object].owner;
    case SLOT_XATTRS:
        return &h->inodes[object].xattrs;
    case SLOT_RANGE:
        return &h->inodes[object].range;
    }
    ASSERT(false);
    return NULL;
}

/* The inode can be seen in the shared tree, with all that lies or lay below it. */
static void mark_shared(struct history *h, uint32_t inode)
{
    if (h->inodes[inode].shared)
        return;
    h->inodes[inode].shared = true;
    for (uint32_t s = h->inodes[inode].slots; s != 0; s = h->slots[s].next)
        for (uint32_t at = h->slots[s].newest; at != 0; at = h->effects[at].older)
            if (h->effects[at].value != 0)
                mark_shared(h, (uint32_t)h->effects[at].value);
}

/* A name came to lead to an inode. */
static void lead_to(struct history *h, uint32_t effect, uint32_t slot, uint32_t inode)
{
    struct inode *i = &h->inodes[inode];
    h->effects[effect].sibling = i->names;
    i->names = effect;
    i->up = slot;
    i->dead_op = 0;
    if (h->inodes[h->slots[slot].dir].shared)
        mark_shared(h, inode);
}

static void touch(struct history *h, uint32_t inode, uint32_t op)
{
    struct inode *i = &h->inodes[inode];
    uint32_t who = h->ops[op].app + 1;
    if (i->toucher == 0)
        i->toucher = who;
    else if (i->toucher != who)
        i->mixed = true;
}

struct effect *model_effect(struct history *h, uint32_t op, enum slot_kind slot, uint32_t object,
                            uint64_t value)
{
    struct history_op *o = &h->ops[op];
    ASSERT(object != 0);
    h->effects = model_grow(h->effects, &h->effect_room, h->effect_count + 2, sizeof(*h->effects));
    uint32_t at = ++h->effect_count;
    if (o->effects == 0)
        o->first_effect = at;
    ASSERT(o->first_effect + o->effects == at);
    o->effects++;
    uint32_t *list = model_list(h, slot, object);
    h->effects[at] = (struct effect){.op = op,
                                     .author = op,
                                     .older = *list,
                                     .object = object,
                                     .value = value,
                                     .slot = (uint8_t)slot};
    *list = at;
    if (slot == SLOT_NAME && value != 0)
        lead_to(h, at, object, (uint32_t)value);
    if (!h->ops[op].kind) /* set-up belongs to nobody */
        return &h->effects[at];
    if (slot != SLOT_NAME)
        touch(h, object, op);
    else if (value != 0)
        touch(h, (uint32_t)value, op);
    return &h->effects[at];
}

uint32_t model_xattr(const struct history *h, uint32_t inode, const char *name, enum view view,
                     uint32_t self)
{
    uint64_t digest = content_digest(name, NULL, 0);
    uint32_t at = model_newest(h, h->inodes[inode].xattrs, view, self);
    while (at != 0 && h->effects[at].from != digest)
        at = model_newest(h, h->effects[at].older, view, self);
    return at;
}

uint32_t model_names(const struct history *h, uint32_t inode, enum view view, uint32_t self)
{
    uint32_t count = 0;
    for (uint32_t at = h->inodes[inode].names; at != 0; at = h->effects[at].sibling)
        if (model_newest(h, h->slots[h->effects[at].object].newest, view, self) == at)
            count++;
    return count;
}

void model_void(struct history *h, uint32_t op)
{
    const struct history_op *o = &h->ops[op];
    for (uint32_t k = 0; k < o->effects; k++) {
        struct effect *e = &h->effects[o->first_effect + k];
        e->is_void = true;
        if (e->slot != SLOT_NAME)
            continue;
        if (e->value != 0 && h->inodes[e->value].up == e->object) {
            uint32_t name = h->inodes[e->value].names;
            while (name != 0 && h->effects[name].is_void)
                name = h->effects[name].sibling;
            h->inodes[e->value].up = name == 0 ? 0 : h->effects[name].object;
        }
        for (uint32_t at = e->older; at != 0; at = h->effects[at].older) {
            uint32_t was = (uint32_t)h->effects[at].value;
            if (was != 0 && h->inodes[was].dead_op == op)
                h->inodes[was].dead_op = 0;
            if (!h->effects[at].is_void)
                break;
        }
    }
}
