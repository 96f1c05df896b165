/*
 * How long flash takes: channels and dies that work in parallel, page read and program, and garbage
 * collection as extra work of programs. Pure arithmetic; knows neither queue nor content.
 *
 * Pages are striped over channels, then dies. A die and a channel are each a queue in order: the
 * model keeps only when each is free. Garbage collection: once a die has programmed as many pages
 * as it has free, each program bears its share of an erase and of moving the valid pages of a
 * victim, whose share is that of cleaning in order of age under uniform writes: u = (v - 1) / ln v
 * (Desnoyers, "Analytic models of SSD write performance", ACM TOS 2014, recalled), u the share of
 * raw pages in use.
 */
#ifndef LORIS_SIM_DISK_SSD_H
#define LORIS_SIM_DISK_SSD_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/profiles.h"

#define SSD_UNITS_MAX (64u * 64u)

struct ssd_die {
    uint64_t free_ns;
    uint64_t programs; /* since the cold start of the image */
};

struct disk_ssd {
    uint32_t channels, dies;                           /* dies in all */
    uint64_t page_bytes, pages_per_block, spare_pages; /* spare: of one die, free at first */
    uint64_t raw_pages;
    uint64_t read_ns, program_ns, erase_ns, channel_rate;
    uint64_t collect_use, collect_ns; /* last worked out: permille in use, ns a program */
    uint64_t busy_ns;
    uint64_t channel_free_ns[64];
    struct ssd_die die[SSD_UNITS_MAX];
};

void disk_ssd_init(struct disk_ssd *ssd, const struct sim_params *params, uint64_t size_bytes);

/* Nothing runs. forget_programs: and nothing was programmed (a reset, not a power cut). */
void disk_ssd_cold(struct disk_ssd *ssd, bool forget_programs);

/* When an access of `bytes` at byte `offset` ends if it may begin at now_ns. used_pages: of
 * page_bytes each, in use. slow_permille multiplies every time (1000: healthy). */
uint64_t disk_ssd_read(struct disk_ssd *ssd, uint64_t now_ns, uint64_t offset, uint64_t bytes,
                       uint64_t slow_permille);
uint64_t disk_ssd_program(struct disk_ssd *ssd, uint64_t now_ns, uint64_t offset, uint64_t bytes,
                          uint64_t slow_permille, uint64_t used_pages);

/* The share of valid pages in a victim, permille, if `use_permille` of raw pages are in use. */
uint64_t disk_ssd_valid_permille(uint64_t use_permille);

#endif
