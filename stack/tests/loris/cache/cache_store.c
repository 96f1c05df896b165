#include "cache_store.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "stack/tests/fake_platform.h"

static void image_clear(struct store_image *image)
{
    for (uint32_t k = 0; k < STORE_OBJECTS; k++)
        for (uint32_t b = 0; b < STORE_BLOCKS; b++)
            free(image->object[k].block[b]);
    memset(image, 0, sizeof(*image));
}

static void image_copy(struct store_image *to, const struct store_image *from)
{
    image_clear(to);
    *to = *from;
    for (uint32_t k = 0; k < STORE_OBJECTS; k++) {
        for (uint32_t b = 0; b < STORE_BLOCKS; b++) {
            if (from->object[k].block[b] == NULL)
                continue;
            to->object[k].block[b] = malloc(sizeof(struct store_block));
            *to->object[k].block[b] = *from->object[k].block[b];
        }
    }
}

void store_init(struct store *s, uint64_t capacity_blocks)
{
    memset(s, 0, sizeof(*s));
    s->capacity_blocks = capacity_blocks;
    s->log_room = 1024;
}

static void forget_segments(struct store *s)
{
    for (uint32_t k = 0; k < s->segments; k++) {
        free(s->segment[k].data);
        free(s->segment[k].crc);
    }
    s->segments = 0;
}

void store_fini(struct store *s)
{
    forget_segments(s);
    image_clear(&s->live);
    image_clear(&s->checkpoint);
}

struct store_object *store_find(struct store_image *image, uint64_t oid)
{
    for (uint32_t k = 0; k < STORE_OBJECTS; k++)
        if (image->object[k].used && image->object[k].oid == oid)
            return &image->object[k];
    return NULL;
}

uint64_t store_used(const struct store_image *image)
{
    uint64_t used = 0;
    for (uint32_t k = 0; k < STORE_OBJECTS; k++)
        for (uint32_t b = 0; b < STORE_BLOCKS; b++)
            used += image->object[k].block[b] != NULL ? 1 : 0;
    return used;
}

/* Blocks of the checkpoint or of the live state: a shadow needs a third place. */
static uint64_t store_free(struct store *s)
{
    uint64_t used = store_used(&s->live);
    for (uint32_t k = 0; k < STORE_OBJECTS; k++) {
        const struct store_object *old = &s->checkpoint.object[k];
        struct store_object *now = old->used ? store_find(&s->live, old->oid) : NULL;
        for (uint32_t b = 0; b < STORE_BLOCKS; b++) {
            if (old->block[b] == NULL)
                continue;
            bool same = now != NULL && now->block[b] != NULL &&
                        memcmp(now->block[b], old->block[b], sizeof(struct store_block)) == 0;
            used += same ? 0 : 1;
        }
    }
    return s->capacity_blocks > used ? s->capacity_blocks - used : 0;
}

static enum err do_create(struct store *s, const struct object_request *r)
{
    struct store_object *o = store_find(&s->live, r->oid);
    if (o != NULL)
        return (r->flags & OBJECT_REPLAY) != 0 ? OK : E_EXIST;
    for (uint32_t k = 0; k < STORE_OBJECTS; k++) {
        o = &s->live.object[k];
        if (o->used)
            continue;
        *o = (struct store_object){.used = true, .oid = r->oid, .size = r->size};
        o->flags = r->flags & (OBJECT_META | OBJECT_COW);
        memcpy(o->attr, r->attr, OBJECT_ATTR_BYTES);
        return OK;
    }
    return E_FULL;
}

static void cut(struct store_object *o, uint64_t first)
{
    for (uint64_t b = first; b < STORE_BLOCKS; b++) {
        free(o->block[b]);
        o->block[b] = NULL;
    }
}

static enum err do_read(struct store *s, const struct msg *m, const struct object_request *r)
{
    struct store_object *o = store_find(&s->live, r->oid);
    static const uint8_t zero[BLOCK_BYTES];
    if (o == NULL)
        return E_NOENT;
    enum err first = OK; /* of the bad blocks, as physical answers */
    for (uint64_t k = 0; k < r->length / BLOCK_BYTES; k++) {
        uint64_t b = r->offset / BLOCK_BYTES + k;
        struct store_block *block = b < STORE_BLOCKS ? o->block[b] : NULL;
        struct object_block_meta meta = {.flags = block == NULL};
        meta.crc = block != NULL ? block->crc : plat_crc32c(zero, BLOCK_BYTES);
        if (block != NULL && block->lost)
            meta.status = E_LOST;
        if (r->oid == s->corrupt_oid)
            meta.status = E_CORRUPT;
        first = first == OK ? (enum err)meta.status : first;
        uint8_t raw[OBJECT_META_BYTES];
        object_block_meta_encode(raw, &meta);
        enum err e =
            plat_copy_out(m->source, r->grant_meta, k * OBJECT_META_BYTES, raw, OBJECT_META_BYTES);
        if (e == OK)
            e = plat_copy_out(m->source, r->grant_data, k * BLOCK_BYTES,
                              block != NULL ? block->data : zero, BLOCK_BYTES);
        if (e != OK)
            return e;
    }
    return first;
}

static enum err write_one(struct store *s, const struct msg *m, const struct object_request *r,
                          const struct object_write_entry *entry, uint64_t k)
{
    struct store_object *o = store_find(&s->live, entry->oid);
    if (o == NULL || entry->block >= STORE_BLOCKS)
        return E_NOENT;
    if (entry->oid == s->media_oid)
        return E_MEDIA;
    struct store_block *block = o->block[entry->block];
    if (block == NULL && store_free(s) == 0) {
        s->refused++;
        return E_FULL;
    }
    if (block == NULL)
        block = calloc(1, sizeof(*block));
    o->block[entry->block] = block;
    block->lost = (entry->flags & OBJECT_LOST_BLOCKS) != 0;
    if (block->lost)
        return OK;
    enum err e = plat_copy_in(m->source, r->grant_data, k * BLOCK_BYTES, block->data, BLOCK_BYTES);
    if (e != OK)
        return e;
    block->crc = plat_crc32c(block->data, BLOCK_BYTES);
    if (block->crc != entry->crc)
        s->bad_crcs++;
    return OK;
}

static enum err do_write(struct store *s, const struct msg *m, const struct object_request *r)
{
    uint64_t count = r->length / BLOCK_BYTES;
    if (count > s->max_batch)
        s->max_batch = count;
    enum err first = OK;
    for (uint64_t k = 0; k < count; k++) {
        uint8_t raw[OBJECT_ENTRY_BYTES];
        struct object_write_entry entry;
        enum err e =
            plat_copy_in(m->source, r->grant_meta, k * OBJECT_ENTRY_BYTES, raw, sizeof(raw));
        if (e != OK)
            return e;
        object_write_entry_decode(&entry, raw);
        if (s->poison_lsn != 0 && entry.lsn == s->poison_lsn &&
            (s->poison_marks || (entry.flags & OBJECT_LOST_BLOCKS) == 0))
            return E_DEAD;
        if ((entry.flags & OBJECT_SHADOW) != 0)
            s->shadowed |= UINT64_C(1) << entry.block % 64;
        entry.status = write_one(s, m, r, &entry, k);
        first = first == OK ? (enum err)entry.status : first;
        object_write_entry_encode(raw, &entry);
        e = plat_copy_out(m->source, r->grant_meta, k * OBJECT_ENTRY_BYTES, raw, sizeof(raw));
        if (e != OK)
            return e;
    }
    return first;
}

static enum err do_restore(struct store *s, const struct object_request *r,
                           struct object_reply *reply)
{
    s->prepared = false;
    s->log_open = false;
    image_copy(&s->live, &s->checkpoint);
    s->session = r->session;
    s->restores++;
    s->system_restores += (r->flags & OBJECT_SYSTEM) != 0 ? 1 : 0;
    reply->epoch = s->checkpoint.epoch;
    reply->blocks = s->highest_epoch;
    return OK;
}

static enum err do_object(struct store *s, const struct msg *m, const struct object_request *r,
                          struct object_reply *reply)
{
    struct store_object *o = store_find(&s->live, r->oid);
    switch (r->op) {
    case OBJECT_CREATE:
        return do_create(s, r);
    case OBJECT_WRITE:
        return do_write(s, m, r);
    case OBJECT_READ:
        return do_read(s, m, r);
    case OBJECT_DELETE:
        if (o == NULL)
            return (r->flags & OBJECT_REPLAY) != 0 ? OK : E_NOENT;
        cut(o, 0);
        o->used = false;
        return OK;
    default:
        break;
    }
    if (o == NULL)
        return E_NOENT;
    switch (r->op) {
    case OBJECT_TRUNCATE:
        cut(o, (r->size + BLOCK_BYTES - 1) / BLOCK_BYTES);
        o->size = r->size;
        return OK;
    case OBJECT_SETATTR:
        o->size = r->size;
        memcpy(o->attr, r->attr, OBJECT_ATTR_BYTES);
        return OK;
    case OBJECT_GETATTR:
        reply->size = o->size;
        reply->flags = o->flags;
        memcpy(reply->attr, o->attr, OBJECT_ATTR_BYTES);
        return OK;
    default:
        return E_INVAL;
    }
}

/* ---- The log on the disks ---- */

static uint64_t place_of_next(const struct store *s)
{
    if (s->segments == 0)
        return 0;
    const struct store_segment *last = &s->segment[s->segments - 1];
    return last->place + 1 + last->blocks;
}

/* What the cache may send: the next number, on top of the released checkpoint, for which there is
 * room; anything else is a defect. */
static enum err log_write(struct store *s, const struct msg *m, const struct object_request *r)
{
    uint32_t blocks = (uint32_t)(r->length / BLOCK_BYTES);
    if (s->segments > 0 && s->segment[0].epoch != s->checkpoint.epoch)
        forget_segments(s);
    ASSERT(s->log_open && !s->prepared && r->epoch == s->checkpoint.epoch);
    ASSERT(r->lsn == s->segments + 1 && s->segments < STORE_SEGMENTS);
    if (place_of_next(s) + 1 + blocks + r->size > s->log_room)
        return E_FULL;
    struct store_segment *to = &s->segment[s->segments];
    *to = (struct store_segment){.epoch = r->epoch,
                                 .number = r->lsn,
                                 .place = place_of_next(s),
                                 .blocks = blocks,
                                 .end = r->size == 0,
                                 .data = malloc(r->length),
                                 .crc = malloc((size_t)blocks * OBJECT_LOG_CRC_BYTES)};
    s->segments++;
    enum err e = plat_copy_in(m->source, r->grant_data, 0, to->data, r->length);
    if (e == OK)
        e = plat_copy_in(m->source, r->grant_meta, 0, to->crc,
                         (size_t)blocks * OBJECT_LOG_CRC_BYTES);
    for (uint32_t k = 0; k < blocks && e == OK; k++)
        s->bad_crcs += plat_crc32c(to->data + (size_t)k * BLOCK_BYTES, BLOCK_BYTES) !=
                       get_le32(to->crc + (size_t)k * OBJECT_LOG_CRC_BYTES);
    s->groups += e == OK && to->end;
    return e;
}

static enum err log_read(struct store *s, const struct msg *m, const struct object_request *r,
                         struct object_reply *reply)
{
    if (s->log_open || r->lsn == 0 || r->lsn > s->segments)
        return E_NOENT;
    const struct store_segment *from = &s->segment[r->lsn - 1];
    if (from->epoch != r->epoch || from->place != r->offset)
        return E_NOENT;
    reply->moved = from->blocks * BLOCK_BYTES;
    reply->size = from->place + 1 + from->blocks;
    reply->done = from->end;
    enum err e = plat_copy_out(m->source, r->grant_data, 0, from->data, reply->moved);
    return e != OK ? e
                   : plat_copy_out(m->source, r->grant_meta, 0, from->crc,
                                   (size_t)from->blocks * OBJECT_LOG_CRC_BYTES);
}

static bool is_change(enum object_op op)
{
    return op == OBJECT_CREATE || op == OBJECT_DELETE || op == OBJECT_TRUNCATE ||
           op == OBJECT_WRITE || op == OBJECT_SETATTR;
}

static enum err execute(struct store *s, const struct msg *m, const struct object_request *r,
                        struct object_reply *reply)
{
    if (r->op == OBJECT_RESTORE)
        return do_restore(s, r, reply);
    if (r->session != s->session || s->session == 0) {
        s->bad_sessions++;
        return E_SESSION;
    }
    switch (r->op) {
    case OBJECT_STATFS:
        reply->size = s->capacity_blocks;
        reply->blocks = store_free(s);
        return OK;
    case OBJECT_PREPARE: {
        struct msg early;
        while (s->watched != 0 && fake_take_reply(s->watched, &early))
            s->answered_early++;
        ASSERT(r->epoch > s->highest_epoch); /* numbers are never used twice */
        s->highest_epoch = r->epoch;
        s->prepares++;
        s->live.epoch = r->epoch;
        s->clean = (r->flags & OBJECT_CLEAN) != 0;
        image_copy(&s->checkpoint, &s->live);
        s->prepared = true;
        return OK;
    }
    case OBJECT_RELEASE:
        ASSERT(r->epoch == s->checkpoint.epoch);
        s->prepared = false;
        s->log_open = true;
        return OK;
    case OBJECT_LOG_WRITE:
        return log_write(s, m, r);
    case OBJECT_LOG_READ:
        return log_read(s, m, r, reply);
    default:
        ASSERT(!s->prepared || !is_change(r->op)); /* of the next checkpoint: too early */
        return do_object(s, m, r, reply);
    }
}

static void die(struct store *s)
{
    s->deaths++;
    s->prepared = false;
    if (s->die_gap != 0)
        s->die_at = s->calls + s->die_gap;
    s->die_gap = 0;
    s->session = 0;
    fake_kill(LAYER_LOGICAL, 0);
    fake_restart(LAYER_LOGICAL, 0);
}

static void do_late(struct store *s)
{
    s->at_late = true;
    s->late = false;
    store_handler(s, &s->late_request);
    s->at_late = false;
}

void store_finish(struct store *s)
{
    ASSERT(s->late);
    fake_act(plat_lookup(LAYER_LOGICAL, 0));
    do_late(s);
    fake_act(ENDPOINT_NONE);
}

void store_handler(void *ctx, const struct msg *m)
{
    struct store *s = ctx;
    struct object_request r;
    ASSERT(object_request_unpack(&r, m) == OK);
    if (s->late && !s->at_late) /* of a cache that died since */
        do_late(s);
    if (s->slow && r.op == OBJECT_PREPARE && !s->at_late) {
        s->late_request = *m;
        s->late_endpoint = plat_lookup(LAYER_LOGICAL, 0);
        s->late = true;
        return;
    }
    if (r.op == OBJECT_READ && s->read_grants < 4) {
        s->read_grant[s->read_grants] = r.grant_data;
        s->read_from[s->read_grants++] = plat_lookup(LAYER_LOGICAL, 0);
    }
    s->calls++;
    s->count[r.op]++;
    bool dies =
        s->calls == s->die_at ||
        (s->die_again != 0 && r.op == s->die_op &&
         (r.oid == s->die_again || (s->die_again == STORE_ANY_OBJECT && r.oid >= OID_FIRST_FREE)));
    if (dies && s->how == DIE_BEFORE) {
        die(s);
        return;
    }
    struct object_reply reply = {0};
    bool fails = s->calls == s->fail_at && (!s->fail_only_changes || is_change(r.op));
    fails = fails || s->calls <= s->fail_until;
    enum err e = fails ? s->fail_with : execute(s, m, &r, &reply);
    reply.session = s->session;
    if (dies || (e == E_DEAD && s->poison_lsn != 0)) {
        die(s);
        return;
    }
    struct msg out = {0};
    object_reply_pack(&out, &reply);
    proto_reply(m, e, &out);
}
