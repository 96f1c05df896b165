#include "results/record.h"

#include <string.h>

#include "assertion.h"
#include "bytes.h"

void record_init(struct trial_record *record)
{
    ASSERT(record != NULL);
    memset(record, 0, sizeof(*record));
    record->promised = LEVEL_NONE;
    record->design_promise = LEVEL_NONE;
    record->recovery_ns = RECORD_NULL;
    record->rebuild_ns = RECORD_NULL;
    record->written = record->app_written = RECORD_NULL;
}

int record_kept(const struct trial_record *record)
{
    if (record->promised == LEVEL_NONE)
        return RECORD_NULL;
    return record->level <= record->promised ? 1 : 0;
}

static bool text_ends(const char *text, size_t room)
{
    return memchr(text, 0, room) != NULL;
}

static bool lists_fit(const struct trial_record *record)
{
    if (record->latency_count > RECORD_LATENCIES_MAX || record->event_count > RECORD_EVENTS_MAX ||
        record->environment_count > RECORD_ENVIRONMENTS_MAX ||
        record->timeline_count > RECORD_TIMELINE_MAX || record->bin_count > RECORD_BINS_MAX)
        return false;
    for (uint32_t i = 0; i < record->latency_count; i++)
        if ((unsigned)record->latency[i].phase >= PHASE_COUNT ||
            !text_ends(record->latency[i].op, RECORD_WORD_BYTES))
            return false;
    for (uint32_t i = 0; i < record->event_count; i++)
        if (!text_ends(record->event[i].layer, RECORD_WORD_BYTES) ||
            !text_ends(record->event[i].what, RECORD_WORD_BYTES) ||
            !text_ends(record->event[i].detail, RECORD_DETAIL_BYTES))
            return false;
    for (uint32_t i = 0; i < record->environment_count; i++)
        if ((unsigned)record->environment[i].level >= LEVEL_COUNT)
            return false;
    for (uint32_t i = 0; i < record->bin_count; i++)
        if ((unsigned)record->bin[i].phase >= PHASE_COUNT)
            return false;
    return true;
}

bool record_check(const struct trial_record *record)
{
    ASSERT(record != NULL);
    if (record->trial == 0 || (unsigned)record->level >= LEVEL_COUNT ||
        (unsigned)record->promised > LEVEL_NONE || (unsigned)record->design_promise > LEVEL_NONE)
        return false;
    if (record->rpo_ns < RECORD_NULL || record->outage_ns < RECORD_NULL ||
        record->recovery_ns < RECORD_NULL || record->rebuild_ns < RECORD_NULL ||
        record->written < RECORD_NULL || record->app_written < RECORD_NULL)
        return false;
    return text_ends(record->struck, RECORD_STRUCK_BYTES) &&
           text_ends(record->state, RECORD_STATE_BYTES) &&
           text_ends(record->story, RECORD_STORY_BYTES) &&
           text_ends(record->detected_by, RECORD_WORD_BYTES) && lists_fit(record);
}

void record_text(char *to, size_t room, const char *text)
{
    ASSERT(room > 0);
    size_t length = strnlen(text, room);
    if (length == room) {
        length = room - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--; /* never half a character */
    }
    memmove(to, text, length);
    to[length] = 0;
}

void record_add_event(struct trial_record *record, uint64_t time_ns, const char *layer,
                      const char *what, const char *detail)
{
    ASSERT(layer != NULL);
    ASSERT(what != NULL);
    if (record->event_count == RECORD_EVENTS_MAX) {
        record->dropped++;
        return;
    }
    struct record_event *event = &record->event[record->event_count++];
    event->time_ns = time_ns;
    record_text(event->layer, RECORD_WORD_BYTES, layer);
    record_text(event->what, RECORD_WORD_BYTES, what);
    record_text(event->detail, RECORD_DETAIL_BYTES, detail != NULL ? detail : "");
}

unsigned level_from_name(const char *name)
{
    for (unsigned i = 0; i <= LEVEL_NONE; i++)
        if (strcmp(name, level_name((enum level)i)) == 0)
            return i;
    return LEVEL_COUNT + 1;
}

const char *phase_name(enum phase phase)
{
    static const char *const names[PHASE_COUNT] = {"before", "during", "after"};
    ASSERT((unsigned)phase < PHASE_COUNT);
    return names[phase];
}

/* One walk serves both directions, so that the two can never disagree on the order of fields. */
struct wire {
    uint8_t *out;      /* when writing, else NULL */
    const uint8_t *in; /* when reading */
    size_t at, end;    /* bytes */
    bool bad;
};

static bool wire_room(struct wire *w, size_t bytes)
{
    if (w->bad || w->end - w->at < bytes) {
        ASSERT(w->out == NULL); /* RECORD_ENCODED_MAX holds any record */
        w->bad = true;
        return false;
    }
    return true;
}

static void wire_u64(struct wire *w, uint64_t *value)
{
    if (!wire_room(w, 8))
        return;
    if (w->out != NULL)
        put_le64(w->out + w->at, *value);
    else
        *value = get_le64(w->in + w->at);
    w->at += 8;
}

static void wire_i64(struct wire *w, int64_t *value)
{
    uint64_t bits = (uint64_t)*value;
    wire_u64(w, &bits);
    if (w->out == NULL)
        *value = (int64_t)bits;
}

static void wire_u32(struct wire *w, uint32_t *value)
{
    if (!wire_room(w, 4))
        return;
    if (w->out != NULL)
        put_le32(w->out + w->at, *value);
    else
        *value = get_le32(w->in + w->at);
    w->at += 4;
}

/* A count or length that has a limit; 0, and a bad wire, beyond it. */
static uint32_t wire_limited(struct wire *w, uint32_t value, uint32_t limit)
{
    wire_u32(w, &value);
    if (value > limit) {
        w->bad = true;
        return 0;
    }
    return value;
}

static void wire_count(struct wire *w, uint32_t *count, uint32_t limit)
{
    uint32_t value = wire_limited(w, *count, limit);
    if (w->out == NULL)
        *count = value;
}

static void wire_bool(struct wire *w, bool *value)
{
    uint32_t bit = wire_limited(w, *value, 1);
    if (w->out == NULL)
        *value = bit != 0;
}

static void wire_level(struct wire *w, enum level *level, uint32_t limit)
{
    uint32_t value = wire_limited(w, (uint32_t)*level, limit);
    if (w->out == NULL)
        *level = (enum level)value;
}

static void wire_phase(struct wire *w, enum phase *phase)
{
    uint32_t value = wire_limited(w, (uint32_t)*phase, PHASE_COUNT - 1);
    if (w->out == NULL)
        *phase = (enum phase)value;
}

static void wire_text(struct wire *w, char *text, uint32_t room)
{
    uint32_t length = w->out != NULL ? (uint32_t)strnlen(text, room - 1) : 0;
    length = wire_limited(w, length, room - 1);
    if (!wire_room(w, length))
        return;
    if (w->out != NULL) {
        memcpy(w->out + w->at, text, length);
    } else {
        memcpy(text, w->in + w->at, length);
        text[length] = 0;
    }
    w->at += length;
}

static void wire_row(struct wire *w, struct trial_record *r)
{
    wire_u64(w, &r->trial);
    wire_u32(w, &r->cell);
    wire_u64(w, &r->n);
    wire_u64(w, &r->hash);
    wire_level(w, &r->level, LEVEL_COUNT - 1);
    wire_level(w, &r->promised, LEVEL_NONE);
    wire_level(w, &r->design_promise, LEVEL_NONE);
    wire_bool(w, &r->injected);
    wire_text(w, r->struck, RECORD_STRUCK_BYTES);
    wire_text(w, r->state, RECORD_STATE_BYTES);
    wire_text(w, r->story, RECORD_STORY_BYTES);
    wire_text(w, r->detected_by, RECORD_WORD_BYTES);
    wire_u32(w, &r->environments_hit);
    wire_bool(w, &r->undecided);
    wire_u32(w, &r->dropped);
    uint64_t *const counts[] = {&r->exposure_ns, &r->anomalies,   &r->ops,         &r->ops_failed,
                                &r->ops_lost,    &r->synced_lost, &r->bytes_wrong, &r->sim_ns,
                                &r->events,      &r->messages,    &r->ios,         &r->blocks,
                                &r->wall_ns};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        wire_u64(w, counts[i]);
    for (size_t i = 0; i < RECORD_PROBE_WORDS; i++)
        wire_u64(w, &r->probes[i]);
    int64_t *const times[] = {&r->rpo_ns,     &r->outage_ns, &r->recovery_ns,
                              &r->rebuild_ns, &r->written,   &r->app_written};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        wire_i64(w, times[i]);
}

static void wire_latencies(struct wire *w, struct trial_record *r)
{
    wire_count(w, &r->latency_count, RECORD_LATENCIES_MAX);
    for (uint32_t i = 0; i < r->latency_count && !w->bad; i++) {
        struct record_latency *l = &r->latency[i];
        wire_phase(w, &l->phase);
        wire_text(w, l->op, RECORD_WORD_BYTES);
        wire_u64(w, &l->n);
        wire_u64(w, &l->mean_ns);
        wire_u64(w, &l->p50_ns);
        wire_u64(w, &l->p99_ns);
        wire_u64(w, &l->max_ns);
    }
}

static void wire_events(struct wire *w, struct trial_record *r)
{
    wire_count(w, &r->event_count, RECORD_EVENTS_MAX);
    for (uint32_t i = 0; i < r->event_count && !w->bad; i++) {
        struct record_event *e = &r->event[i];
        wire_u64(w, &e->time_ns);
        wire_text(w, e->layer, RECORD_WORD_BYTES);
        wire_text(w, e->what, RECORD_WORD_BYTES);
        wire_text(w, e->detail, RECORD_DETAIL_BYTES);
    }
    wire_count(w, &r->environment_count, RECORD_ENVIRONMENTS_MAX);
    for (uint32_t i = 0; i < r->environment_count && !w->bad; i++) {
        struct record_environment *e = &r->environment[i];
        wire_level(w, &e->level, LEVEL_COUNT - 1);
        wire_u32(w, &e->killed);
    }
}

static void wire_distributions(struct wire *w, struct trial_record *r)
{
    wire_count(w, &r->timeline_count, RECORD_TIMELINE_MAX);
    for (uint32_t i = 0; i < r->timeline_count && !w->bad; i++) {
        struct record_timeline *t = &r->timeline[i];
        uint32_t bucket = (uint32_t)t->bucket;
        wire_u32(w, &bucket);
        if (w->out == NULL)
            t->bucket = (int32_t)bucket;
        wire_u32(w, &t->bin);
        wire_u64(w, &t->n);
        wire_u64(w, &t->sum_ns);
    }
    wire_count(w, &r->bin_count, RECORD_BINS_MAX);
    for (uint32_t i = 0; i < r->bin_count && !w->bad; i++) {
        struct record_bin *b = &r->bin[i];
        wire_phase(w, &b->phase);
        wire_u32(w, &b->bin);
        wire_u64(w, &b->n);
    }
}

static void wire_record(struct wire *w, struct trial_record *r)
{
    wire_row(w, r);
    wire_latencies(w, r);
    wire_events(w, r);
    wire_distributions(w, r);
}

size_t record_encode(const struct trial_record *record, uint8_t *out)
{
    ASSERT(out != NULL);
    ASSERT(record_check(record));
    struct wire w = {.out = out, .at = 4, .end = RECORD_ENCODED_MAX};
    wire_record(&w, (struct trial_record *)record); /* a writing walk changes no field */
    ASSERT(!w.bad);
    put_le32(out, (uint32_t)(w.at - 4));
    return w.at;
}

enum err record_decode(struct trial_record *record, const uint8_t *raw, size_t bytes)
{
    ASSERT(record != NULL);
    ASSERT(raw != NULL);
    if (bytes < 4 || bytes > RECORD_ENCODED_MAX || get_le32(raw) != bytes - 4)
        return E_CORRUPT;
    memset(record, 0, sizeof(*record));
    struct wire w = {.in = raw, .at = 4, .end = bytes};
    wire_record(&w, record);
    if (w.bad || w.at != w.end || !record_check(record))
        return E_CORRUPT;
    return OK;
}
