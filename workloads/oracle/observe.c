#include <stdlib.h>
#include <string.h>

#include "workloads/oracle/model.h"
#include "workloads/oracle/tree.h"

struct observation *observation_create(void)
{
    struct observation *o = calloc(1, sizeof(*o));
    ASSERT(o != NULL);
    return o;
}

void observation_destroy(struct observation *o)
{
    if (o == NULL)
        return;
    free(o->nodes);
    free(o->chunks);
    free(o->xattrs);
    free(o->text);
    free(o->pool);
    free(o);
}

void observation_reset(struct observation *o)
{
    o->node_count = o->chunk_count = o->xattr_count = o->text_bytes = o->errors = 0;
    o->pool_bytes = 0;
}

static uint32_t keep_text(struct observation *o, const char *text, uint32_t bytes)
{
    o->text = model_grow(o->text, &o->text_room, o->text_bytes + bytes + 1, 1);
    uint32_t at = o->text_bytes;
    memcpy(o->text + at, text, bytes);
    o->text[at + bytes] = '\0';
    o->text_bytes += bytes + 1;
    return at;
}

static uint32_t new_node(struct observation *o)
{
    o->nodes = model_grow(o->nodes, &o->node_room, o->node_count + 2, sizeof(*o->nodes));
    uint32_t at = ++o->node_count;
    o->nodes[at] = (struct node){
        .stat_result = E_IO, .listing_result = E_IO, .target_result = E_IO, .text = 0};
    return at;
}

uint32_t observation_root(const struct observation *o, uint32_t environment, bool shared)
{
    for (uint32_t k = 1; k <= o->node_count; k++) {
        const struct node *n = &o->nodes[k];
        if (n->root && n->environment == environment && n->shared_root == shared)
            return k;
    }
    return 0;
}

uint32_t observe_root(struct observation *o, uint32_t environment, bool shared)
{
    ASSERT(environment < HISTORY_ENVIRONMENTS_MAX);
    ASSERT(observation_root(o, environment, shared) == 0);
    uint32_t at = new_node(o);
    struct node *n = &o->nodes[at];
    n->environment = environment;
    n->root = true;
    n->shared_root = shared;
    n->type = HISTORY_DIRECTORY;
    n->stat_result = OK;
    n->stat.type = HISTORY_DIRECTORY;
    n->text = keep_text(o, shared ? "shared" : "", shared ? 6 : 0);
    return at;
}

void observe_listing(struct observation *o, uint32_t node, enum err result)
{
    ASSERT(node >= 1 && node <= o->node_count);
    o->nodes[node].listing_result = result;
    o->errors += result != OK;
}

uint32_t observe_entry(struct observation *o, uint32_t node, const char *name, uint32_t type)
{
    ASSERT(node >= 1 && node <= o->node_count);
    uint32_t at = new_node(o);
    struct node *n = &o->nodes[at];
    struct node *dir = &o->nodes[node];
    n->parent = node;
    n->environment = dir->environment;
    n->next = dir->child;
    dir->child = at;
    n->type = type;
    n->text_bytes = (uint32_t)strlen(name);
    n->text = keep_text(o, name, n->text_bytes);
    return at;
}

void observe_stat(struct observation *o, uint32_t node, enum err result,
                  const struct history_stat *stat)
{
    ASSERT(node >= 1 && node <= o->node_count);
    ASSERT(result != OK || stat != NULL);
    o->nodes[node].stat_result = result;
    if (result == OK)
        o->nodes[node].stat = *stat;
    o->errors += result != OK && result != E_NOENT;
}

void observe_xattr(struct observation *o, uint32_t node, uint64_t name, uint64_t value)
{
    ASSERT(node >= 1 && node <= o->node_count);
    o->xattrs = model_grow(o->xattrs, &o->xattr_room, o->xattr_count + 2, sizeof(*o->xattrs));
    uint32_t at = ++o->xattr_count;
    o->xattrs[at] = (struct node_xattr){.name = name, .value = value, .next = o->nodes[node].xattr};
    o->nodes[node].xattr = at;
}

static void keep_bytes(struct observation *o, const uint8_t *bytes, uint64_t length)
{
    if (o->pool_bytes + length > o->pool_room) {
        uint64_t room = o->pool_room == 0 ? UINT64_C(1) << 20 : o->pool_room;
        while (room < o->pool_bytes + length)
            room *= 2;
        o->pool = realloc(o->pool, room);
        ASSERT(o->pool != NULL);
        o->pool_room = room;
    }
    memcpy(o->pool + o->pool_bytes, bytes, length);
    o->pool_bytes += length;
}

void observe_data(struct observation *o, uint32_t node, uint64_t offset, enum err result,
                  const uint8_t *bytes, uint64_t length)
{
    ASSERT(node >= 1 && node <= o->node_count);
    ASSERT(result != OK || bytes != NULL || length == 0);
    o->errors += result != OK;
    struct node *n = &o->nodes[node];
    n->data_told = true;
    if (length == 0 && result == OK)
        return;
    struct chunk *last = n->last_chunk == 0 ? NULL : &o->chunks[n->last_chunk];
    ASSERT(last == NULL || last->to <= offset);
    if (last != NULL && result == OK && last->result == OK && last->to == offset &&
        last->place + (last->to - last->from) == o->pool_bytes) {
        last->to += length;
        keep_bytes(o, bytes, length);
        return;
    }
    o->chunks = model_grow(o->chunks, &o->chunk_room, o->chunk_count + 2, sizeof(*o->chunks));
    uint32_t at = ++o->chunk_count;
    o->chunks[at] = (struct chunk){
        .from = offset, .to = offset + length, .result = result, .place = o->pool_bytes};
    if (n->last_chunk == 0)
        n->chunk = at;
    else
        o->chunks[n->last_chunk].next = at;
    n->last_chunk = at;
    if (result == OK)
        keep_bytes(o, bytes, length);
}

void observe_target(struct observation *o, uint32_t node, enum err result, const uint8_t *text,
                    uint64_t length)
{
    ASSERT(node >= 1 && node <= o->node_count);
    ASSERT(result != OK || text != NULL || length == 0);
    o->errors += result != OK;
    o->nodes[node].target_result = result;
    if (result != OK)
        return;
    uint32_t bytes = (uint32_t)length;
    o->nodes[node].target = keep_text(o, length == 0 ? "" : (const char *)text, bytes);
    o->nodes[node].target_bytes = bytes;
}

uint32_t observation_errors(const struct observation *o)
{
    return o->errors;
}

static bool same_bytes(const struct observation *a, const struct node *x,
                       const struct observation *b, const struct node *y)
{
    for (uint32_t i = x->chunk; i != 0; i = a->chunks[i].next) {
        const struct chunk *c = &a->chunks[i];
        for (uint32_t k = y->chunk; k != 0; k = b->chunks[k].next) {
            const struct chunk *d = &b->chunks[k];
            uint64_t from = c->from > d->from ? c->from : d->from;
            uint64_t to = c->to < d->to ? c->to : d->to;
            if (from < to && c->result == OK && d->result == OK &&
                memcmp(a->pool + c->place + (from - c->from), b->pool + d->place + (from - d->from),
                       to - from) != 0)
                return false;
        }
    }
    return true;
}

static uint32_t child_named(const struct observation *o, uint32_t dir, const char *name)
{
    uint32_t at = o->nodes[dir].child;
    while (at != 0 && strcmp(o->text + o->nodes[at].text, name) != 0)
        at = o->nodes[at].next;
    return at;
}

static bool same_stat(const struct history_stat *a, const struct history_stat *b)
{
    return a->type == b->type && a->mode == b->mode && a->nlink == b->nlink && a->uid == b->uid &&
           a->gid == b->gid && a->xattrs == b->xattrs &&
           (a->type == HISTORY_DIRECTORY || a->size == b->size);
}

static bool same_node(const struct observation *a, uint32_t x, const struct observation *b,
                      uint32_t y);

/* Whether each name of directory x is in y. Tries the names in step first: walks are alike. */
static bool same_names(const struct observation *a, uint32_t x, const struct observation *b,
                       uint32_t y, bool deep)
{
    uint32_t step = b->nodes[y].child;
    for (uint32_t at = a->nodes[x].child; at != 0; at = a->nodes[at].next) {
        const char *name = a->text + a->nodes[at].text;
        bool in_step = step != 0 && strcmp(b->text + b->nodes[step].text, name) == 0;
        uint32_t other = in_step ? step : child_named(b, y, name);
        step = step == 0 ? 0 : b->nodes[step].next;
        if (other == 0 || (deep && !same_node(a, at, b, other)))
            return false;
    }
    return true;
}

static bool same_node(const struct observation *a, uint32_t x, const struct observation *b,
                      uint32_t y)
{
    const struct node *m = &a->nodes[x];
    const struct node *n = &b->nodes[y];
    if (m->stat_result == OK && n->stat_result == OK && !m->root && !same_stat(&m->stat, &n->stat))
        return false;
    if (m->target_result == OK && n->target_result == OK &&
        strcmp(a->text + m->target, b->text + n->target) != 0)
        return false;
    if (m->listing_result == OK && n->listing_result == OK &&
        !(same_names(a, x, b, y, true) && same_names(b, y, a, x, false)))
        return false;
    return same_bytes(a, m, b, n);
}

bool observation_agrees(const struct observation *a, const struct observation *b)
{
    for (uint32_t k = 1; k <= a->node_count; k++) {
        if (!a->nodes[k].root)
            continue;
        uint32_t other = observation_root(b, a->nodes[k].environment, a->nodes[k].shared_root);
        if (other != 0 && !same_node(a, k, b, other))
            return false;
    }
    return true;
}
