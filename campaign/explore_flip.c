#include "campaign/explore_flip.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "assertion.h"
#include "faults/inject.h"
#include "faults/registry.h"
#include "sim/rng.h"

#define WORDS 8u
#define REGIONS 4u
#define STATES 4u

/* Bits of a word that mean alike in most words: flags and small numbers, lengths and offsets in
 * pages, block numbers, the parts of addresses that name a region, what is zero nearly always. */
static const struct bits {
    uint32_t first, last;
} bit_classes[] = {{0, 2}, {3, 11}, {12, 25}, {26, 46}, {47, 63}};
#define BIT_CLASSES (sizeof(bit_classes) / sizeof(bit_classes[0]))

static const enum fault_region regions[REGIONS] = {FAULT_REGION_PAGES, FAULT_REGION_HEAP,
                                                   FAULT_REGION_STACK, FAULT_REGION_LOG};
static const char *const region_names[] = {[FAULT_REGION_ANY] = "any",
                                           [FAULT_REGION_PAGES] = "pages",
                                           [FAULT_REGION_HEAP] = "heap",
                                           [FAULT_REGION_STACK] = "stack",
                                           [FAULT_REGION_LOG] = "log"};
static const char *const state_names[STATES] = {[FAULT_PAGE_ANY] = "any",
                                                [FAULT_PAGE_CLEAN] = "clean",
                                                [FAULT_PAGE_DIRTY] = "dirty",
                                                [FAULT_PAGE_WRITING] = "writing"};

enum fault_region explore_flip_region(const char *name)
{
    for (uint32_t r = 0; r < REGIONS; r++)
        if (strcmp(region_names[regions[r]], name) == 0)
            return regions[r];
    return FAULT_REGION_ANY;
}

enum fault_page_state explore_flip_state(const char *name)
{
    for (uint32_t s = 0; s < STATES; s++)
        if (strcmp(state_names[s], name) == 0)
            return (enum fault_page_state)s;
    return FAULT_PAGE_ANY;
}

const char *explore_flip_refuses(const struct fault_plan *faults)
{
    const struct fault *f = &faults->faults[0];
    bool probes = f->at.kind == FAULT_AT_PROBE && f->at.number.kind == AMOUNT_UNIFORM;
    if (faults->count > 1)
        return "explore takes one flip of memory";
    if (f->at.kind != FAULT_AT_UNIFORM && !probes)
        return "explore takes `uniform` moments only";
    if (f->instance.kind == FAULT_TARGET_ALL)
        return "explore takes one instance at a time";
    if (f->pattern != FAULT_PATTERN_SINGLE && f->pattern != FAULT_PATTERN_STUCK)
        return "explore takes flips of pattern single and stuck";
    return NULL;
}

/* A class of the words of one number, by the meaning of bits. */
static void tell_words(struct sim_machine *m, const struct fault *f, struct explore_strike at,
                       explore_flip_take *take, void *context)
{
    struct fault words = *f;
    words.region = at.region;
    words.state = at.state;
    words.in_word = true;
    for (words.word = 0; words.word < WORDS; words.word++) {
        struct sim_flip flip = inject_flip_of(&words, at.instance);
        uint64_t bytes = sim_machine_flip_bytes(m, &flip);
        at.word = words.word;
        for (uint32_t b = 0; bytes > 0 && b < BIT_CLASSES; b++) {
            const struct bits *bits = &bit_classes[b];
            uint32_t count = bits->last - bits->first + 1;
            uint64_t key = sim_rng_mix(sim_rng_mix(at.probe, at.pass), at.word);
            at.bit = bits->first + (uint32_t)(sim_rng_mix(key, b) % count);
            take(context, &at, bytes * count / sizeof(uint64_t));
        }
    }
}

void explore_flip_classes(struct sim_machine *m, const struct fault *f, uint32_t instance,
                          enum probe probe, uint64_t pass, explore_flip_take *take, void *context)
{
    ASSERT(pass > 0);
    ASSERT(f->pattern == FAULT_PATTERN_SINGLE || f->pattern == FAULT_PATTERN_STUCK);
    struct explore_strike at = {
        .layer = f->layer, .instance = instance, .probe = probe, .pass = pass};
    for (uint32_t r = 0; r < REGIONS; r++) {
        at.region = regions[r];
        if (f->region != FAULT_REGION_ANY && f->region != at.region)
            continue;
        bool pages = at.region == FAULT_REGION_PAGES;
        for (uint32_t s = pages ? FAULT_PAGE_CLEAN : FAULT_PAGE_ANY; s < (pages ? STATES : 1);
             s++) {
            at.state = (enum fault_page_state)s;
            if (!pages || f->state == FAULT_PAGE_ANY || f->state == at.state)
                tell_words(m, f, at, take, context);
        }
    }
}

struct fault explore_flip_fault(const struct fault *planned, const struct explore_strike *at)
{
    struct fault f = *planned;
    ASSERT(at->region != FAULT_REGION_ANY);
    ASSERT(at->word < WORDS && at->bit < 64);
    f.at = (struct fault_when){
        .kind = FAULT_AT_PROBE, .number = amount_fixed((int64_t)at->pass), .probe = at->probe};
    f.region = at->region;
    f.state = at->state;
    f.in_word = true;
    f.word = at->word;
    f.bit = at->bit;
    /* Another place of the class at each passing and for each bit. */
    f.draw = sim_rng_mix(sim_rng_mix(at->probe, at->pass), at->bit) | UINT64_C(1) << 63;
    return f;
}

int explore_flip_write(const struct explore_strike *at, char *to, size_t room)
{
    return snprintf(to, room,
                    ",\"probe\":\"%s\",\"n\":%" PRIu64 ",\"region\":\"%s\",\"state\":\"%s\","
                    "\"word\":%" PRIu32 ",\"bit\":%" PRIu32,
                    probe_name(at->probe), at->pass, region_names[at->region],
                    state_names[at->state], at->word, at->bit);
}
