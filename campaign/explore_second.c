/*
 * The second look of a boot: checker, boot, reading back and probe after the orderly stop. It
 * begins on a machine at rest (sim_machine_rest), so all that it does follows from the time, from
 * how much of each disk is in use, and from what it reads. Boots that differ in what they recovered
 * from often leave the same behind; so what one found is kept with all that it read, and a later
 * one that begins alike and would read the same takes it over. This is the argument of sim/memo.h
 * for the second half, with one difference: here any sector may differ, not only those that the
 * recorded run wrote, since the first half wrote, too.
 *
 * Invariants: (1) kept looks that begin alike and have their first k reads alike read the same
 * sectors next; (2) a search asks for contents in the order in which the look itself would, so that
 * the tree of the boot's reads does not depend on what happens to be kept.
 */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "campaign/explore_private.h"
#include "sim/rng.h"

#define LANES 4u

/* Sectors in a row that the look had not written when it read them. */
struct stretch {
    uint64_t first;
    uint32_t disk, count;
    uint64_t low, high; /* hash of their content; both 0: as sealed, and never written by the run;
                           else high is odd */
};

struct second {
    uint64_t begin_ns, used_pages[DISKS_MAX];
    struct stretch *stretch;
    uint32_t stretches, room;
    struct second_look found;
    struct observation *again;
    struct record_event *heard;
    uint32_t heard_count;
    uint64_t hash;
    struct work work;
    bool alike; /* to the one at hand, as far as that has been followed */
};

struct seconds {
    struct second *kept;
    uint32_t count, room;
    struct second *now;  /* being made: what is read goes there; NULL: nothing is */
    bool begun, taken;   /* the present boot's: has begun; was taken over */
    uint64_t first_hash; /* of the first half of the present boot */
    uint64_t hash;       /* of the second, if it was taken over */
    struct work not_done;
    uint32_t *written[DISKS_MAX], *read[DISKS_MAX]; /* by sector: the boot that did it last */
    uint64_t sectors[DISKS_MAX];
    uint8_t *raw; /* room for the longest stretch */
    size_t raw_room;
};

struct seconds *explore_seconds_create(void)
{
    struct seconds *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    return s;
}

static void drop_maps(struct seconds *s)
{
    for (uint32_t d = 0; d < DISKS_MAX; d++) {
        free(s->written[d]);
        free(s->read[d]);
        s->written[d] = s->read[d] = NULL;
    }
}

static void drop_second(struct second *k)
{
    observation_destroy(k->again);
    free(k->stretch);
    free(k->heard);
}

void explore_seconds_forget(struct explorer *x)
{
    struct seconds *s = x->seconds;
    for (uint32_t k = 0; k < s->count; k++)
        drop_second(&s->kept[k]);
    s->count = 0;
}

void explore_seconds_destroy(struct seconds *s)
{
    ASSERT(s->count == 0); /* explore_seconds_forget */
    drop_maps(s);
    free(s->kept);
    free(s->raw);
    free(s);
}

void explore_seconds_reset(struct explorer *x)
{
    struct seconds *s = x->seconds;
    drop_maps(s);
    for (uint32_t d = 0; d < x->recording->disks; d++) {
        s->sectors[d] = x->recording->disk[d].sectors;
        s->written[d] = calloc(s->sectors[d], sizeof(*s->written[d]));
        s->read[d] = calloc(s->sectors[d], sizeof(*s->read[d]));
        ASSERT(s->written[d] != NULL && s->read[d] != NULL);
    }
}

/* ---- What is read ------------------------------------------------------------------------------
 */

/* Whether the sectors are as they were sealed, whatever the state: nobody has written them. */
static bool is_sealed(const struct explorer *x, uint32_t d, uint64_t first, uint32_t count)
{
    return sim_record_gap(x->recording, d, first, count) == count &&
           sim_disk_initial(x->recording->disk[d].disk, first, count) == count;
}

/* 128 bits of what the sectors hold: four lanes, since a multiplication takes as long as four begun
 * one after the other. */
static void hash_raw(struct stretch *to, const uint8_t *raw, size_t bytes)
{
    uint64_t lane[LANES] = {0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0,
                            0x082efa98ec4e6c89}; /* of pi, as good as any */
    ASSERT(bytes % (LANES * sizeof(uint64_t)) == 0);
    for (size_t at = 0; at < bytes; at += LANES * sizeof(uint64_t))
        for (uint32_t k = 0; k < LANES; k++) {
            uint64_t word;
            memcpy(&word, raw + at + k * sizeof(word), sizeof(word));
            lane[k] = (lane[k] ^ word) * UINT64_C(0xff51afd7ed558ccd);
            lane[k] ^= lane[k] >> 32;
        }
    to->low = sim_rng_mix(sim_rng_mix(lane[0], lane[1]), sim_rng_mix(lane[2], lane[3]));
    to->high = sim_rng_mix(sim_rng_mix(lane[3], lane[0]), sim_rng_mix(lane[1], lane[2])) | 1;
}

static void add_stretch(struct explorer *x, struct stretch stretch, const uint8_t *raw)
{
    struct second *now = x->seconds->now;
    uint32_t bytes = x->recording->disk[stretch.disk].sector_size;
    if (now->stretches == now->room) {
        now->room = now->room == 0 ? 64 : now->room * 2;
        now->stretch = realloc(now->stretch, now->room * sizeof(*now->stretch));
        ASSERT(now->stretch != NULL);
    }
    if (!is_sealed(x, stretch.disk, stretch.first, stretch.count))
        hash_raw(&stretch, raw, (size_t)stretch.count * bytes);
    now->stretch[now->stretches++] = stretch;
}

/* Number of the present boot, of all recordings. */
static uint32_t boot_of(const struct explorer *x)
{
    return (uint32_t)x->boots;
}

/* How many sectors are alike, from the first on: written by boot `now`, or not. */
static uint32_t alike(uint32_t now, const uint32_t *written, uint32_t count, bool *own)
{
    uint32_t n = 1;
    *own = written[0] == now;
    while (n < count && (written[n] == now) == *own)
        n++;
    return n;
}

/* Notes a read; true if some of it had not been read before. */
static bool note_read(uint32_t *read, uint32_t count, uint32_t boot)
{
    bool fresh = false;
    for (uint32_t i = 0; i < count; i++) {
        fresh |= read[i] != boot;
        read[i] = boot;
    }
    return fresh;
}

void explore_seconds_read(struct explorer *x, uint32_t d, uint64_t first, uint32_t count,
                          const uint8_t *raw)
{
    struct seconds *s = x->seconds;
    uint32_t run;
    if (s->now == NULL)
        return;
    for (uint32_t i = 0; i < count; i += run) {
        bool own;
        run = alike(boot_of(x), s->written[d] + first + i, count - i, &own);
        if (!own && note_read(s->read[d] + first + i, run, boot_of(x)))
            add_stretch(x, (struct stretch){.first = first + i, .disk = d, .count = run},
                        raw + (size_t)i * x->recording->disk[d].sector_size);
    }
}

static void on_write(void *object, struct sim_disk *disk, const struct sim_disk_event *event)
{
    struct explorer *x = object;
    (void)disk;
    if (event->phase != SIM_DISK_ACCEPTED || event->op != SIM_DISK_WRITE)
        return;
    for (uint32_t i = 0; i < event->count; i++)
        x->seconds->written[event->disk][event->first_sector + i] = boot_of(x);
}

/* ---- Searching ---------------------------------------------------------------------------------
 */

/* What the state at hand has where a kept look read this. */
static struct stretch at_hand(struct explorer *x, const struct stretch *of)
{
    struct seconds *s = x->seconds;
    const struct sim_record_disk *disk = &x->recording->disk[of->disk];
    struct stretch stretch = {.first = of->first, .disk = of->disk, .count = of->count};
    size_t bytes = (size_t)of->count * disk->sector_size;
    if (is_sealed(x, of->disk, of->first, of->count))
        return stretch;
    if (bytes > s->raw_room) {
        s->raw = realloc(s->raw, bytes);
        s->raw_room = bytes;
        ASSERT(s->raw != NULL);
    }
    enum err e = sim_disk_peek(disk->disk, of->first, of->count, s->raw);
    ASSERT(e == OK); /* no sector is bad where only power fails */
    hash_raw(&stretch, s->raw, bytes);
    return stretch;
}

/* Those that begin as the one at hand does. */
static void begin_search(struct explorer *x, uint64_t begin_ns, const uint64_t *used_pages)
{
    struct seconds *s = x->seconds;
    for (uint32_t k = 0; k < s->count; k++) {
        struct second *kept = &s->kept[k];
        kept->alike = kept->begin_ns == begin_ns;
        for (uint32_t d = 0; d < x->recording->disks; d++)
            kept->alike = kept->alike && kept->used_pages[d] == used_pages[d];
    }
}

/* Drops those whose read `n` was other than this; invariant (1). */
static void narrow(struct seconds *s, uint32_t n, const struct stretch *read)
{
    for (uint32_t k = 0; k < s->count; k++) {
        struct second *kept = &s->kept[k];
        if (!kept->alike)
            continue;
        ASSERT(n < kept->stretches);
        const struct stretch *its = &kept->stretch[n];
        ASSERT(its->disk == read->disk && its->first == read->first && its->count == read->count);
        kept->alike = its->low == read->low && its->high == read->high;
    }
}

/* The kept look that the one at hand would repeat; NULL: none. */
static struct second *search(struct explorer *x)
{
    struct seconds *s = x->seconds;
    uint32_t n = 0;
    for (uint32_t k = 0; k < s->count; k++)
        while (s->kept[k].alike) {
            if (n == s->kept[k].stretches)
                return &s->kept[k];
            struct stretch read = at_hand(x, &s->kept[k].stretch[n]);
            narrow(s, n++, &read);
        }
    return NULL;
}

/* ---- A look ------------------------------------------------------------------------------------
 */

static void take_over(struct explorer *x, const struct second *kept, struct second_look *to)
{
    struct trial_record *heard = x->heard;
    x->seconds->taken = true;
    x->sum.repeated++;
    x->seconds->hash = kept->hash;
    x->seconds->not_done = kept->work;
    *to = kept->found;
    observation_copy(x->lab->again, kept->again);
    for (uint32_t k = 0; k < kept->heard_count; k++) {
        if (heard->event_count < RECORD_EVENTS_MAX)
            heard->event[heard->event_count++] = kept->heard[k];
        else
            heard->dropped++;
    }
}

static void keep_events(struct second *now, const struct trial_record *heard, uint32_t from)
{
    now->heard_count = heard->event_count - from;
    now->heard = malloc((now->heard_count + 1) * sizeof(*now->heard));
    ASSERT(now->heard != NULL);
    memcpy(now->heard, heard->event + from, now->heard_count * sizeof(*now->heard));
}

/* Looks, and keeps what came. */
static void look(struct explorer *x, struct second *now, struct second_look *to)
{
    struct seconds *s = x->seconds;
    struct work before = explore_work(x), after;
    uint32_t heard = x->heard->event_count, disks = x->recording->disks;
    s->now = now;
    for (uint32_t d = 0; d < disks; d++)
        sim_disk_observe(x->recording->disk[d].disk, on_write, x);
    lab_look_again(x->lab, to);
    for (uint32_t d = 0; d < disks; d++)
        sim_disk_unobserve(x->recording->disk[d].disk, on_write, x);
    s->now = NULL;
    after = explore_work(x);
    now->work = (struct work){.events = after.events - before.events,
                              .messages = after.messages - before.messages,
                              .ios = after.ios - before.ios,
                              .blocks = after.blocks - before.blocks};
    now->hash = sim_machine_hash(x->lab->machine);
    now->found = *to;
    now->again = observation_create();
    observation_copy(now->again, x->lab->again);
    keep_events(now, x->heard, heard);
    x->leaf_bytes += sizeof(*now) + now->room * sizeof(*now->stretch) +
                     observation_bytes(now->again) + now->heard_count * sizeof(*now->heard);
}

static struct second *new_second(struct seconds *s)
{
    if (s->count == s->room) {
        s->room = s->room == 0 ? 16 : s->room * 2;
        s->kept = realloc(s->kept, s->room * sizeof(*s->kept));
        ASSERT(s->kept != NULL);
    }
    struct second *now = &s->kept[s->count++];
    *now = (struct second){0};
    return now;
}

static void look_again(void *context, struct second_look *to)
{
    struct explorer *x = context;
    struct seconds *s = x->seconds;
    uint64_t begin_ns = sim_machine_now(x->lab->machine), used_pages[DISKS_MAX] = {0};
    s->begun = true;
    s->first_hash = sim_machine_rest(x->lab->machine);
    if (x->options->eager) {
        lab_look_again(x->lab, to);
        return;
    }
    for (uint32_t d = 0; d < x->recording->disks; d++)
        used_pages[d] = sim_disk_used_pages(x->recording->disk[d].disk);
    begin_search(x, begin_ns, used_pages);
    const struct second *kept = search(x);
    if (kept != NULL) {
        take_over(x, kept, to);
        return;
    }
    struct second *now = new_second(s);
    now->begin_ns = begin_ns;
    memcpy(now->used_pages, used_pages, sizeof(used_pages));
    uint64_t dropped = x->heard->dropped;
    look(x, now, to);
    if (x->heard->dropped != dropped) /* not all that it said is known */
        drop_second(&s->kept[--s->count]);
}

void explore_seconds_begin(struct explorer *x)
{
    x->seconds->begun = x->seconds->taken = false;
    x->seconds->not_done = (struct work){0};
    x->lab->look_again = look_again;
    x->lab->look_again_context = x;
}

uint64_t explore_seconds_end(struct explorer *x, struct work *work)
{
    const struct seconds *s = x->seconds;
    uint64_t hash = s->taken ? s->hash : sim_machine_hash(x->lab->machine);
    *work = explore_work(x);
    work->events += s->not_done.events;
    work->messages += s->not_done.messages;
    work->ios += s->not_done.ios;
    work->blocks += s->not_done.blocks;
    x->lab->look_again = NULL;
    return s->begun ? sim_rng_mix(s->first_hash, hash) : hash;
}
