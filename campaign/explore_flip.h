/*
 * Flips of memory, sampled by class. What a process will read of its memory is not known before, so
 * no two flips are taken for equal; one stands for each class of (passing of a probe, what the
 * memory holds, state of pages, number of the word in its line of 64 bytes, bits of one meaning),
 * at a place that is drawn.
 */
#ifndef LORIS_CAMPAIGN_EXPLORE_FLIP_H
#define LORIS_CAMPAIGN_EXPLORE_FLIP_H

#include "campaign/explore_strike.h"

/* Why flips of this plan cannot be explored, static text; NULL: they can. */
const char *explore_flip_refuses(const struct fault_plan *faults);

/* Told of a class that has something to flip: so many bits. */
typedef void explore_flip_take(void *context, const struct explore_strike *at, uint64_t bits);

/* Tells of the classes of one process, of those that fault f may strike, at a probe that has been
 * passed `pass` times, just now. */
void explore_flip_classes(struct sim_machine *m, const struct fault *f, uint32_t instance,
                          enum probe probe, uint64_t pass, explore_flip_take *take, void *context);

/* The fault of that flip, made of the plan's. */
struct fault explore_flip_fault(const struct fault *planned, const struct explore_strike *at);

/* Its fields but layer and instance in the state of a row: ,"probe":"ckpt-frozen",... */
int explore_flip_write(const struct explore_strike *at, char *to, size_t room);

/* The region or state of that name; of regions FAULT_REGION_ANY, of states FAULT_PAGE_ANY: none. */
enum fault_region explore_flip_region(const char *name);
enum fault_page_state explore_flip_state(const char *name);

#endif
