#include "sim/record.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "sim/disk_image.h"

#define FIRST_ROOM 64u

/* Room for one more than `used` elements. */
static void *grow(void *array, uint32_t *room, uint32_t used, size_t size)
{
    if (used + 1 < *room)
        return array;
    *room = *room == 0 ? FIRST_ROOM : *room * 2;
    array = realloc(array, *room * size);
    ASSERT(array != NULL);
    return array;
}

struct sim_record *sim_record_create(struct sim_engine *engine, struct sim_disk *const *disks,
                                     uint32_t count)
{
    ASSERT(engine != NULL && count >= 1 && count <= DISKS_MAX);
    struct sim_record *r = calloc(1, sizeof(*r));
    ASSERT(r != NULL);
    r->engine = engine;
    r->disks = count;
    for (uint32_t d = 0; d < count; d++) {
        struct sim_record_disk *to = &r->disk[d];
        const struct sim_params *params = sim_disk_params(disks[d]);
        struct sim_disk_identity identity = sim_disk_identify(disks[d]);
        to->disk = disks[d];
        to->sector_size = identity.sector_size;
        to->sectors = identity.sectors;
        to->atomic = (uint64_t)params->value[SIM_PARAM_ATOMIC];
        to->cache = (enum sim_write_cache)params->value[SIM_PARAM_WRITE_CACHE];
        to->variable = disk_sparse_map(to->sectors * sizeof(to->variable[0]));
    }
    return r;
}

/* Forgets all but the memory of lists. */
static void forget(struct sim_record *r)
{
    for (uint32_t k = 1; k <= r->variables; k++) {
        struct sim_variable *v = &r->variable[k];
        r->disk[v->disk].variable[v->sector] = 0;
        for (uint32_t c = 0; c < v->contents; c++)
            free(v->content[c]);
        free(v->content);
    }
    r->entries = r->writes = r->flushes = r->versions = r->variables = 0;
}

void sim_record_destroy(struct sim_record *r)
{
    if (r == NULL)
        return;
    ASSERT(!r->running);
    forget(r);
    for (uint32_t d = 0; d < r->disks; d++) {
        disk_sparse_unmap(r->disk[d].variable, r->disk[d].sectors * sizeof(r->disk[d].variable[0]));
        free(r->disk[d].write_of);
    }
    free(r->entry);
    free(r->write);
    free(r->flush);
    free(r->version);
    free(r->variable);
    free(r);
}

static void add_entry(struct sim_record *r, enum sim_entry_kind kind, uint32_t index)
{
    r->entry = grow(r->entry, &r->entry_room, r->entries, sizeof(r->entry[0]));
    r->entry[r->entries++] = (struct sim_entry){.kind = kind,
                                                .index = index,
                                                .time_ns = sim_engine_now(r->engine),
                                                .hash = sim_engine_hash(r->engine)};
    if (r->on_entry != NULL)
        r->on_entry(r->context, r->entries - 1);
}

void sim_record_note(struct sim_record *r, uint32_t index)
{
    ASSERT(r->running);
    add_entry(r, SIM_ENTRY_NOTE, index);
}

/* The content of that value, new if the variable never had it. */
static uint32_t intern(struct sim_variable *v, const uint8_t *bytes, uint32_t size)
{
    for (uint32_t c = v->contents; c-- > 0;)
        if (memcmp(v->content[c], bytes, size) == 0)
            return c;
    if (v->contents == v->room) {
        v->room = v->room == 0 ? 4 : v->room * 2;
        v->content = realloc(v->content, v->room * sizeof(v->content[0]));
        ASSERT(v->content != NULL);
    }
    uint8_t *copy = malloc(size);
    ASSERT(copy != NULL);
    memcpy(copy, bytes, size);
    v->content[v->contents] = copy;
    return v->contents++;
}

/* The variable of a sector; made, with what is there now as content 0, if it is the first write. */
static uint32_t variable_of(struct sim_record *r, uint32_t disk, uint64_t sector)
{
    struct sim_record_disk *d = &r->disk[disk];
    ASSERT(sector < d->sectors);
    if (d->variable[sector] != 0)
        return d->variable[sector];
    r->variable = grow(r->variable, &r->variable_room, r->variables, sizeof(r->variable[0]));
    uint32_t k = ++r->variables;
    r->variable[k] = (struct sim_variable){.disk = disk, .sector = sector};
    uint8_t raw[IMAGE_PAGE_BYTES];
    ASSERT(d->sector_size <= sizeof(raw));
    sim_disk_peek_stable(d->disk, sector, 1, raw);
    uint32_t content = intern(&r->variable[k], raw, d->sector_size);
    ASSERT(content == 0);
    d->variable[sector] = k;
    return k;
}

static void remember_ordinal(struct sim_record_disk *d, uint64_t ordinal, uint32_t write)
{
    ASSERT(ordinal < UINT32_MAX);
    uint32_t room = d->write_room;
    while (ordinal + 1 >= d->write_room) {
        d->write_room = d->write_room == 0 ? FIRST_ROOM : d->write_room * 2;
        d->write_of = realloc(d->write_of, d->write_room * sizeof(d->write_of[0]));
        ASSERT(d->write_of != NULL);
    }
    for (; room < d->write_room; room++)
        d->write_of[room] = 0;
    d->write_of[ordinal] = write;
}

static uint32_t atoms_of(const struct sim_record_disk *d, const struct sim_disk_event *e)
{
    uint64_t last = e->first_sector + e->count - 1;
    bool whole = e->count == 1 || e->first_sector / d->atomic == last / d->atomic;
    return whole ? 1 : e->count;
}

/* Before the write takes effect: what the sectors hold is still to be seen. */
static void write_submitted(struct sim_record *r, const struct sim_disk_event *e)
{
    for (uint32_t i = 0; i < e->count; i++)
        (void)variable_of(r, e->disk, e->first_sector + i);
}

static void write_accepted(struct sim_record *r, const struct sim_disk_event *e)
{
    struct sim_record_disk *d = &r->disk[e->disk];
    const uint8_t *from = e->data;
    r->write = grow(r->write, &r->write_room, r->writes, sizeof(r->write[0]));
    uint32_t w = ++r->writes;
    r->write[w] = (struct sim_record_write){.disk = e->disk,
                                            .count = e->count,
                                            .atoms = atoms_of(d, e),
                                            .first_version = r->versions + 1,
                                            .ordinal = e->write,
                                            .first = e->first_sector,
                                            .fua = e->fua};
    for (uint32_t i = 0; i < e->count; i++, from += d->sector_size) {
        uint32_t k = variable_of(r, e->disk, e->first_sector + i);
        struct sim_variable *v = &r->variable[k];
        r->version = grow(r->version, &r->version_room, r->versions, sizeof(r->version[0]));
        r->version[++r->versions] =
            (struct sim_version){.variable = k,
                                 .write = w,
                                 .older = v->newest,
                                 .content = intern(v, from, d->sector_size)};
        v->newest = r->versions;
    }
    remember_ordinal(d, e->write, w);
    add_entry(r, SIM_ENTRY_WRITE, w);
}

static void write_ended(struct sim_record *r, const struct sim_disk_event *e)
{
    const struct sim_record_disk *d = &r->disk[e->disk];
    if (e->write >= d->write_room || d->write_of[e->write] == 0)
        return; /* accepted before the recording began */
    uint32_t w = d->write_of[e->write];
    if (e->status == SIM_DISK_OK)
        r->write[w].acked = r->entries + 1;
    add_entry(r, e->status == SIM_DISK_OK ? SIM_ENTRY_ACK : SIM_ENTRY_ABORT, w);
}

static void flush_arrived(struct sim_record *r, const struct sim_disk_event *e)
{
    r->flush = grow(r->flush, &r->flush_room, r->flushes, sizeof(r->flush[0]));
    r->flush[++r->flushes] =
        (struct sim_record_flush){.disk = e->disk, .arrived = r->entries, .ordinal = e->request};
    add_entry(r, SIM_ENTRY_FLUSH, r->flushes);
}

static void flush_ended(struct sim_record *r, const struct sim_disk_event *e)
{
    if (e->status != SIM_DISK_OK)
        return; /* it promises nothing */
    for (uint32_t f = r->flushes; f > 0; f--) {
        if (r->flush[f].disk != e->disk || r->flush[f].ordinal != e->request)
            continue;
        add_entry(r, SIM_ENTRY_DONE, f);
        return;
    }
}

static void on_event(void *object, struct sim_disk *disk, const struct sim_disk_event *e)
{
    struct sim_record *r = object;
    (void)disk;
    ASSERT(e->op != SIM_DISK_TRIM);
    if (e->op == SIM_DISK_WRITE && e->phase == SIM_DISK_SUBMITTED)
        write_submitted(r, e);
    else if (e->op == SIM_DISK_WRITE && e->phase == SIM_DISK_ACCEPTED)
        write_accepted(r, e);
    else if (e->op == SIM_DISK_WRITE)
        write_ended(r, e);
    else if (e->op == SIM_DISK_FLUSH && e->phase == SIM_DISK_ACCEPTED)
        flush_arrived(r, e);
    else if (e->op == SIM_DISK_FLUSH && e->phase == SIM_DISK_COMPLETED)
        flush_ended(r, e);
}

void sim_record_begin(struct sim_record *r)
{
    ASSERT(!r->running);
    forget(r);
    for (uint32_t d = 0; d < r->disks; d++) {
        if (r->disk[d].write_room > 0)
            memset(r->disk[d].write_of, 0, r->disk[d].write_room * sizeof(r->disk[d].write_of[0]));
        sim_disk_observe(r->disk[d].disk, on_event, r);
    }
    r->running = true;
}

void sim_record_end(struct sim_record *r)
{
    ASSERT(r->running);
    for (uint32_t d = 0; d < r->disks; d++)
        sim_disk_unobserve(r->disk[d].disk, on_event, r);
    r->running = false;
}

uint32_t sim_record_gap(const struct sim_record *r, uint32_t disk, uint64_t first, uint32_t count)
{
    ASSERT(first <= r->disk[disk].sectors && count <= r->disk[disk].sectors - first);
    return disk_sparse_gap(&r->disk[disk].variable[first], count);
}

const uint8_t *sim_record_bytes(const struct sim_record *r, uint32_t variable, uint32_t content)
{
    ASSERT(variable >= 1 && variable <= r->variables);
    ASSERT(content < r->variable[variable].contents);
    return r->variable[variable].content[content];
}
