#include "workloads/oracle/copy.h"

#include <stdlib.h>
#include <string.h>

#include "sim/rng.h"
#include "workloads/oracle/model.h"
#include "workloads/oracle/tree.h"

/* The first `used` elements, or as many as there is room for in the original. */
static void *copy_array(void *to, uint32_t *to_room, const void *from, uint32_t from_room,
                        uint32_t used, size_t size)
{
    uint32_t count = used < from_room ? used : from_room;
    if (count == 0)
        return to;
    if (count > *to_room) { /* exactly: most copies never grow */
        free(to);
        to = malloc(count * size);
        ASSERT(to != NULL);
        *to_room = count;
    }
    memcpy(to, from, count * size);
    return to;
}

static void copy_log(struct history_log *to, const struct history_log *from, uint32_t ops)
{
    to->record = copy_array(to->record, &to->record_room, from->record, from->record_room, ops + 1,
                            sizeof(*to->record));
    to->entry = copy_array(to->entry, &to->entry_room, from->entry, from->entry_room,
                           from->entries + 1, sizeof(*to->entry));
    to->pool = copy_array(to->pool, &to->pool_room, from->pool, from->pool_room, from->bytes, 1);
    to->entries = from->entries;
    to->bytes = from->bytes;
    to->full = from->full;
}

/* An application's own texts stay its own. */
static void copy_text(char **to, size_t *room, const char *from)
{
    size_t bytes = from == NULL ? 0 : strlen(from) + 1;
    if (bytes > *room) {
        free(*to);
        *to = malloc(bytes);
        ASSERT(*to != NULL);
        *room = bytes;
    }
    if (bytes > 0)
        memcpy(*to, from, bytes);
}

static void copy_app(struct app *to, const struct app *from)
{
    copy_text(&to->path, &to->path_room, from->path);
    copy_text(&to->path2, &to->path2_room, from->path2);
    struct app whole = *from;
    whole.path = to->path;
    whole.path_room = to->path_room;
    whole.path2 = to->path2;
    whole.path2_room = to->path2_room;
    whole.call.path = from->call.path == NULL ? NULL : to->path;
    whole.call.path2 = from->call.path2 == NULL ? NULL : to->path2;
    *to = whole;
}

/* Its bytes, its own even if those of the original are borrowed. */
static void copy_base(struct history_base *to, const struct history_base *from)
{
    to->own = model_remake(to->own, &to->own_room, from->own_bytes);
    if (from->own_bytes > 0)
        memcpy(to->own, from->bytes, from->own_bytes);
    uint8_t *own = to->own;
    uint64_t room = to->own_room;
    *to = *from;
    to->own = own;
    to->bytes = own;
    to->own_room = room;
}

static void copy_lists(struct history *to, const struct history *from)
{
    uint32_t room = to->op_room;
    if (from->app_count > 1) /* the order of one application's operations is never in doubt */
        copy_log(&to->log, &from->log, from->op_count);
    to->reliances = copy_array(to->reliances, &to->reliance_room, from->reliances,
                               from->reliance_room, from->reliance_count, sizeof(*to->reliances));
    to->versions = copy_array(to->versions, &to->version_room, from->versions, from->version_room,
                              from->version_count, sizeof(*to->versions));
    to->ops = copy_array(to->ops, &room, from->ops, from->op_room, from->op_count + 1,
                         sizeof(*to->ops)); /* it and the inodes have room for as many */
    to->inodes = copy_array(to->inodes, &to->op_room, from->inodes, from->op_room,
                            from->op_count + 1, sizeof(*to->inodes));
    to->effects = copy_array(to->effects, &to->effect_room, from->effects, from->effect_room,
                             from->effect_count + 1, sizeof(*to->effects));
    to->slots = copy_array(to->slots, &to->slot_room, from->slots, from->slot_room,
                           from->slot_count + 1, sizeof(*to->slots));
    to->text =
        copy_array(to->text, &to->text_room, from->text, from->text_room, from->text_bytes, 1);
    copy_base(&to->base, &from->base);
    if (to->bucket_count != from->bucket_count) {
        free(to->buckets);
        to->buckets = malloc(from->bucket_count * sizeof(*to->buckets));
        ASSERT(to->buckets != NULL);
    }
    memcpy(to->buckets, from->buckets, from->bucket_count * sizeof(*to->buckets));
}

void history_copy(struct history *to, const struct history *from)
{
    ASSERT(to != from);
    copy_lists(to, from);
    for (uint32_t a = 0; a < from->app_count; a++)
        copy_app(&to->apps[a], &from->apps[a]);
    struct history whole = *from; /* everything that is no list */
    whole.log = to->log;
    whole.base = to->base;
    whole.reliances = to->reliances;
    whole.reliance_room = to->reliance_room;
    whole.versions = to->versions;
    whole.version_room = to->version_room;
    whole.apps = to->apps;
    whole.ops = to->ops;
    whole.inodes = to->inodes;
    whole.op_room = to->op_room;
    whole.effects = to->effects;
    whole.effect_room = to->effect_room;
    whole.slots = to->slots;
    whole.slot_room = to->slot_room;
    whole.buckets = to->buckets;
    whole.text = to->text;
    whole.text_room = to->text_room;
    whole.work = to->work;
    *to = whole;
}

uint64_t history_progress(const struct history *h)
{
    return (uint64_t)h->tick + h->op_count + h->version_count + h->commits;
}

void observation_copy(struct observation *to, const struct observation *from)
{
    ASSERT(to != from);
    to->nodes = copy_array(to->nodes, &to->node_room, from->nodes, from->node_room,
                           from->node_count + 1, sizeof(*to->nodes));
    to->chunks = copy_array(to->chunks, &to->chunk_room, from->chunks, from->chunk_room,
                            from->chunk_count + 1, sizeof(*to->chunks));
    to->xattrs = copy_array(to->xattrs, &to->xattr_room, from->xattrs, from->xattr_room,
                            from->xattr_count + 1, sizeof(*to->xattrs));
    to->text =
        copy_array(to->text, &to->text_room, from->text, from->text_room, from->text_bytes, 1);
    to->pool = model_remake(to->pool, &to->pool_room, from->pool_bytes);
    if (from->pool_bytes > 0)
        memcpy(to->pool, from->pool, from->pool_bytes);
    to->node_count = from->node_count;
    to->chunk_count = from->chunk_count;
    to->xattr_count = from->xattr_count;
    to->text_bytes = from->text_bytes;
    to->pool_bytes = from->pool_bytes;
    to->errors = from->errors;
}

struct counts { /* of what is sent */
    uint32_t nodes, chunks, xattrs, text_bytes, errors;
    uint64_t pool_bytes;
};

void observation_send(const struct observation *o, FILE *to)
{
    const struct counts c = {.nodes = o->node_count,
                             .chunks = o->chunk_count,
                             .xattrs = o->xattr_count,
                             .text_bytes = o->text_bytes,
                             .errors = o->errors,
                             .pool_bytes = o->pool_bytes};
    bool sent = fwrite(&c, sizeof(c), 1, to) == 1;
    if (c.nodes > 0) /* element 0 is none */
        sent = sent && fwrite(o->nodes + 1, sizeof(*o->nodes), c.nodes, to) == c.nodes;
    if (c.chunks > 0)
        sent = sent && fwrite(o->chunks + 1, sizeof(*o->chunks), c.chunks, to) == c.chunks;
    if (c.xattrs > 0)
        sent = sent && fwrite(o->xattrs + 1, sizeof(*o->xattrs), c.xattrs, to) == c.xattrs;
    if (c.text_bytes > 0)
        sent = sent && fwrite(o->text, 1, c.text_bytes, to) == c.text_bytes;
    if (c.pool_bytes > 0)
        sent = sent && fwrite(o->pool, 1, c.pool_bytes, to) == c.pool_bytes;
    ASSERT(sent && fflush(to) == 0);
}

bool observation_receive(struct observation *o, FILE *from)
{
    struct counts c;
    observation_reset(o);
    if (fread(&c, sizeof(c), 1, from) != 1)
        return false;
    o->nodes = model_grow(o->nodes, &o->node_room, c.nodes + 1, sizeof(*o->nodes));
    o->chunks = model_grow(o->chunks, &o->chunk_room, c.chunks + 1, sizeof(*o->chunks));
    o->xattrs = model_grow(o->xattrs, &o->xattr_room, c.xattrs + 1, sizeof(*o->xattrs));
    o->text = model_grow(o->text, &o->text_room, c.text_bytes + 1, 1);
    o->pool = model_remake(o->pool, &o->pool_room, c.pool_bytes);
    bool came = fread(o->nodes + 1, sizeof(*o->nodes), c.nodes, from) == c.nodes &&
                fread(o->chunks + 1, sizeof(*o->chunks), c.chunks, from) == c.chunks &&
                fread(o->xattrs + 1, sizeof(*o->xattrs), c.xattrs, from) == c.xattrs &&
                fread(o->text, 1, c.text_bytes, from) == c.text_bytes &&
                (c.pool_bytes == 0 || fread(o->pool, 1, c.pool_bytes, from) == c.pool_bytes);
    if (!came)
        return false;
    o->node_count = c.nodes;
    o->chunk_count = c.chunks;
    o->xattr_count = c.xattrs;
    o->text_bytes = c.text_bytes;
    o->errors = c.errors;
    o->pool_bytes = c.pool_bytes;
    return true;
}

static uint64_t mix_bytes(uint64_t digest, const void *bytes, uint64_t count)
{
    const uint8_t *from = bytes;
    digest = sim_rng_mix(digest, count);
    for (uint64_t at = 0; at < count; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, from + at, count - at < sizeof(word) ? count - at : sizeof(word));
        digest = sim_rng_mix(digest, word);
    }
    return digest;
}

static uint64_t mix_node(uint64_t digest, const struct observation *o, const struct node *n)
{
    const struct history_stat *s = &n->stat;
    const uint64_t words[] = {n->parent,
                              n->environment,
                              n->type,
                              (uint64_t)(int64_t)n->stat_result,
                              (uint64_t)(int64_t)n->listing_result,
                              (uint64_t)(int64_t)n->target_result,
                              n->shared_root,
                              n->root,
                              n->data_told,
                              s->ino,
                              s->size,
                              s->type,
                              s->mode,
                              s->nlink,
                              s->uid,
                              s->gid,
                              s->xattrs};
    digest = mix_bytes(digest, words, sizeof(words));
    digest = mix_bytes(digest, o->text + n->text, n->text_bytes);
    if (n->target_result == OK)
        digest = mix_bytes(digest, o->text + n->target, n->target_bytes);
    for (uint32_t k = n->chunk; k != 0; k = o->chunks[k].next) {
        const struct chunk *c = &o->chunks[k];
        const uint64_t place[] = {c->from, c->to, (uint64_t)(int64_t)c->result};
        digest = mix_bytes(digest, place, sizeof(place));
        if (c->result == OK)
            digest = mix_bytes(digest, o->pool + c->place, c->to - c->from);
    }
    return digest;
}

uint64_t observation_digest(const struct observation *o)
{
    uint64_t digest = o->errors;
    for (uint32_t k = 1; k <= o->node_count; k++)
        digest = mix_node(digest, o, &o->nodes[k]);
    return digest;
}

uint64_t observation_bytes(const struct observation *o)
{
    return o->node_count * sizeof(*o->nodes) + o->chunk_count * sizeof(*o->chunks) + o->text_bytes +
           o->pool_bytes;
}
