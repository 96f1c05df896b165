/*
 * The roll-forward log: records of fixed size from the start of its region, emptied as a whole when
 * a checkpoint is released. Its tail word says how many count; it is written in one store.
 *
 * Records from log_first on count. While a checkpoint is prepared, those up to freeze_lsn are in it
 * and later ones are the next segment's; a freeze waits for no commit, so a transaction never
 * straddles two (C4). When the checkpoint is released the first ones go, the others stay where they
 * are; the log begins at its start again when it is empty. With the log off records live only until
 * they are pushed.
 *
 * Structural records (create, delete, truncate) go down in order, right after their group counts;
 * log_sent is the first that has not. Pages and attributes go down by write-back and checkpoint.
 */
#include "cache.h"

#define ATTEMPTS_SKIPPED (1u << 31) /* as a record's attempts: it was skipped as poison */
#define RECORD_CRC_BYTES (offsetof(struct record, attempts) - offsetof(struct record, op))

bool log_has_room(const struct cache *c, uint32_t count)
{
    return c->log_count + (uint64_t)count <= c->mem.log_slots;
}

bool log_runs_short(const struct cache *c)
{
    return c->log_count > (uint64_t)c->mem.log_slots * CACHE_THROTTLE_PERCENT / 100;
}

/* Says of the page that a new record begins to use that it is in use. */
static void declare_page(const struct record *r)
{
    const uint8_t *last = (const uint8_t *)(r + 1) - 1;
    const uint8_t *page = last - (uintptr_t)last % BLOCK_BYTES;
    if (page >= (const uint8_t *)r) /* else one before it has begun that page */
        plat_page_state(page, PAGE_DIRTY);
}

struct record *log_add(struct cache *c, enum record_op op, uint64_t oid, uint64_t a, uint64_t b,
                       uint32_t flags, const uint8_t *data, uint32_t data_bytes)
{
    ASSERT(log_has_room(c, 1));
    ASSERT(data_bytes <= OBJECT_RESULT_BYTES);
    struct record *r = &c->mem.log[c->log_count++];
    declare_page(r);
    *r =
        (struct record){.op = op, .lsn = c->next_lsn++, .oid = oid, .a = a, .b = b, .flags = flags};
    if (data_bytes > 0)
        memcpy(r->data, data, data_bytes);
    return r;
}

static bool is_structural(const struct record *r)
{
    return r->op == RECORD_CREATE || r->op == RECORD_DELETE || r->op == RECORD_TRUNCATE;
}

void log_finish(struct cache *c, struct record *r)
{
    if (!c->log_on)
        return;
    bool drop = PLANTED(PLANTED_RECORD_DROPPED) && ++c->planted_count % 7 == 0;
    if (drop && is_structural(r))
        r->forgotten = 1;
    else if (drop && r->op != RECORD_COMMIT)
        r->op = RECORD_NONE;
    r->crc = plat_crc32c(&r->op, RECORD_CRC_BYTES);
}

bool record_sound(const struct cache *c, const struct record *r)
{
    return r->lsn > c->mem.now.base_lsn && r->op < RECORD_OPS &&
           r->crc == plat_crc32c(&r->op, RECORD_CRC_BYTES);
}

/* Count in the low half, a check over count and segment in the high half. */
static uint64_t tail_word(uint32_t count, uint64_t serial)
{
    uint64_t word[2] = {count, serial};
    return (seal_words(word, 2) & ~UINT64_C(0xffffffff)) | count;
}

void log_seal(struct cache *c)
{
    if (c->log_on)
        *(volatile uint64_t *)c->mem.tail = tail_word(c->log_count, c->mem.now.serial);
}

void log_drop(struct cache *c, uint32_t first, uint64_t lsn)
{
    ASSERT(first >= c->log_first && first <= c->log_count);
    c->log_first = first;
    c->log_sent = c->log_sent > first ? c->log_sent : first;
    if (first == c->log_count) {
        c->log_first = 0;
        c->log_count = 0;
        c->log_sent = 0;
    }
    c->logged = c->log_first; /* groups of the segment before are void with it */
    survivor_begin_segment(c, lsn);
    log_seal(c);
}

uint32_t log_survived(struct cache *c)
{
    uint64_t word = *c->mem.tail;
    uint32_t count = (uint32_t)word;
    uint64_t serial = c->mem.now.serial;
    bool possible = count >= c->log_first && count <= c->mem.log_slots;
    if (possible && word == tail_word(count, serial))
        return count;
    if (count <= c->mem.log_slots && word == tail_word(count, serial - 1))
        return c->mem.now.carried != 0 ? count : 0; /* died between the two stores of log_drop */
    plat_report(REPORT_DETECTED, (uint64_t)-E_CORRUPT, 0);
    uint32_t sound = c->log_first; /* up to the last whole group of those that are sound */
    for (uint32_t k = c->log_first; k < c->mem.log_slots && record_sound(c, &c->mem.log[k]); k++)
        if (c->mem.log[k].op == RECORD_COMMIT)
            sound = k + 1;
    return sound;
}

static enum err send_record(struct cache *c, const struct record *r, uint32_t flags)
{
    struct object_request q = {.oid = r->oid, .size = r->a, .lsn = r->lsn, .flags = flags};
    switch ((enum record_op)r->op) {
    case RECORD_CREATE:
        q.op = OBJECT_CREATE;
        q.flags |= r->flags;
        memcpy(q.attr, r->data, OBJECT_ATTR_BYTES);
        break;
    case RECORD_DELETE:
        q.op = OBJECT_DELETE;
        break;
    case RECORD_TRUNCATE:
        q.op = OBJECT_TRUNCATE;
        break;
    case RECORD_NONE:
    case RECORD_WRITE:
    case RECORD_SETATTR:
    case RECORD_COMMIT:
    case RECORD_OPS:
        return OK; /* these go down by write-back and checkpoint */
    }
    struct object_reply reply;
    return lower_call(c, &q, &reply);
}

/* An object that misses a change: known lost, and unreadable below from the next checkpoint on, or
 * a restart would show what it held before as if it were whole. Returns it, NULL: not known. */
static struct object *lose(struct cache *c, const struct record *r)
{
    struct object *o = object_known(c, r->oid);
    if (o == NULL || o->pending)
        return NULL;
    o->lost = true;
    o->marked = true;
    object_mark_dirty(c, o);
    return o;
}

/* The object of a change that the layers below cannot take: whoever asks is told. */
static void give_up(struct cache *c, const struct record *r, enum err why)
{
    struct object *o = lose(c, r);
    plat_report(REPORT_LOST, r->oid, r->lsn);
    c->error = (int32_t)why;
    if (o != NULL)
        o->error = (int32_t)why;
}

/* Counted and said once; a later replay only steps over it. */
static void skip_poison(struct cache *c, struct record *r)
{
    if (r->attempts >= ATTEMPTS_SKIPPED) {
        (void)lose(c, r);
        return;
    }
    r->attempts = ATTEMPTS_SKIPPED;
    poison_skipped(c, r->lsn, r->oid);
    give_up(c, r, E_LOST);
}

/* One record, with its attempts counted so that a death with it in flight leaves a mark. */
static enum err push_one(struct cache *c, struct record *r, uint32_t flags)
{
    const struct object *o = object_known(c, r->oid);
    if (o != NULL && o->lost && r->op != RECORD_DELETE)
        return OK; /* its creation was skipped */
    r->attempts++;
    enum err e = send_record(c, r, flags);
    if (lower_short(e)) { /* reserved for what is acknowledged */
        c->want_checkpoint = true;
        e = send_record(c, r, flags | OBJECT_REPLAY);
    }
    if (e == E_SESSION)
        return e;
    r->attempts--;
    bool done = e == OK || (e == E_EXIST && r->op == RECORD_CREATE) ||
                (e == E_NOENT && r->op == RECORD_DELETE);
    if (!done)
        give_up(c, r, lower_answer(e));
    return OK;
}

enum err log_push(struct cache *c, uint32_t flags)
{
    bool replay = (flags & OBJECT_REPLAY) != 0;
    if (c->preparing)
        return OK; /* nothing of the next checkpoint goes down before this one is released */
    while (c->log_sent < c->log_count) {
        struct record *r = &c->mem.log[c->log_sent];
        bool sound = !replay || record_sound(c, r);
        if (!sound) {
            plat_report(REPORT_DETECTED, (uint64_t)-E_CORRUPT, c->log_sent);
            give_up(c, r, E_LOST);
        } else if (is_structural(r) && is_poison(c, r->attempts, 1)) {
            skip_poison(c, r);
        } else if (is_structural(r)) {
            enum err e = push_one(c, r, flags);
            if (e != OK)
                return e;
            if (r->forgotten != 0 && !replay) {
                r->op = RECORD_NONE;
                r->crc = plat_crc32c(&r->op, RECORD_CRC_BYTES);
            }
        }
        c->log_sent++;
        if (replay)
            plat_probe(PROBE_CACHE_REPLAY_RECORD);
    }
    if (!c->log_on) {
        c->log_count = 0;
        c->log_sent = 0;
    }
    return OK;
}
