#include "sim/disk_ssd.h"

#include <math.h>

#include "assertion.h"

void disk_ssd_init(struct disk_ssd *ssd, const struct sim_params *params, uint64_t size_bytes)
{
    const int64_t *v = params->value;
    ASSERT(v[SIM_PARAM_KIND] == SIM_DISK_SSD);
    *ssd = (struct disk_ssd){
        .channels = (uint32_t)v[SIM_PARAM_CHANNELS],
        .dies = (uint32_t)(v[SIM_PARAM_CHANNELS] * v[SIM_PARAM_DIES]),
        .page_bytes = (uint64_t)v[SIM_PARAM_PAGE_SIZE],
        .pages_per_block = (uint64_t)v[SIM_PARAM_PAGES_PER_BLOCK],
        .read_ns = (uint64_t)v[SIM_PARAM_PAGE_READ],
        .program_ns = (uint64_t)v[SIM_PARAM_PAGE_PROGRAM],
        .erase_ns = (uint64_t)v[SIM_PARAM_BLOCK_ERASE],
        .channel_rate = (uint64_t)v[SIM_PARAM_CHANNEL_RATE],
        .collect_use = UINT64_MAX,
    };
    ASSERT(ssd->channels <= 64 && ssd->dies <= SSD_UNITS_MAX);
    uint64_t hidden = size_bytes * (uint64_t)v[SIM_PARAM_OVER_PROVISIONING] / 1000;
    ssd->raw_pages = (size_bytes + hidden) / ssd->page_bytes;
    ssd->spare_pages = ssd->raw_pages / ssd->dies;
}

void disk_ssd_cold(struct disk_ssd *ssd, bool forget_programs)
{
    for (uint32_t c = 0; c < ssd->channels; c++)
        ssd->channel_free_ns[c] = 0;
    for (uint32_t d = 0; d < ssd->dies; d++) {
        ssd->die[d].free_ns = 0;
        if (forget_programs)
            ssd->die[d].programs = 0;
    }
    ssd->busy_ns = forget_programs ? 0 : ssd->busy_ns;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Passes `bytes` over the channel of a die, from ready_ns on; returns when that ends. */
static uint64_t pass(struct disk_ssd *ssd, uint64_t die, uint64_t ready_ns, uint64_t bytes,
                     uint64_t slow)
{
    uint64_t *free_ns = &ssd->channel_free_ns[die % ssd->channels];
    *free_ns =
        later(*free_ns, ready_ns) + bytes * UINT64_C(1000000000) / ssd->channel_rate * slow / 1000;
    return *free_ns;
}

/* The part of [offset, offset + bytes) that lies in the page of `offset`. */
static uint64_t in_page(const struct disk_ssd *ssd, uint64_t offset, uint64_t bytes)
{
    uint64_t room = ssd->page_bytes - offset % ssd->page_bytes;
    return bytes < room ? bytes : room;
}

uint64_t disk_ssd_read(struct disk_ssd *ssd, uint64_t now_ns, uint64_t offset, uint64_t bytes,
                       uint64_t slow_permille)
{
    uint64_t end_ns = now_ns, cost = ssd->read_ns * slow_permille / 1000;
    while (bytes > 0) {
        uint64_t die = offset / ssd->page_bytes % ssd->dies, part = in_page(ssd, offset, bytes);
        ssd->die[die].free_ns = later(now_ns, ssd->die[die].free_ns) + cost;
        ssd->busy_ns += cost;
        end_ns = later(end_ns, pass(ssd, die, ssd->die[die].free_ns, part, slow_permille));
        offset += part;
        bytes -= part;
    }
    return end_ns;
}

uint64_t disk_ssd_valid_permille(uint64_t use_permille)
{
    double u = (double)use_permille / 1000, low = 0.0005, high = 0.9995;
    for (int i = 0; i < 20; i++) { /* (v - 1) / ln v rises from 0 to 1 */
        double v = (low + high) / 2;
        if ((v - 1) / log(v) < u)
            low = v;
        else
            high = v;
    }
    return (uint64_t)(low * 1000 + 0.5);
}

/* What garbage collection adds to each program: drives interleave it with requests, so it is spread
 * evenly. Worked out anew when the share in use changes. */
static uint64_t collect_ns(struct disk_ssd *ssd, uint64_t used_pages)
{
    uint64_t use = used_pages * 1000 / ssd->raw_pages;
    use = use < 990 ? use : 990;
    if (use == ssd->collect_use)
        return ssd->collect_ns;
    uint64_t valid = ssd->pages_per_block * disk_ssd_valid_permille(use) / 1000;
    uint64_t gained = ssd->pages_per_block - valid;
    gained = gained > 0 ? gained : 1;
    ssd->collect_use = use;
    ssd->collect_ns = (ssd->erase_ns + valid * (ssd->read_ns + ssd->program_ns)) / gained;
    return ssd->collect_ns;
}

uint64_t disk_ssd_program(struct disk_ssd *ssd, uint64_t now_ns, uint64_t offset, uint64_t bytes,
                          uint64_t slow_permille, uint64_t used_pages)
{
    uint64_t end_ns = now_ns;
    while (bytes > 0) {
        uint64_t unit = offset / ssd->page_bytes % ssd->dies, part = in_page(ssd, offset, bytes);
        struct ssd_die *die = &ssd->die[unit];
        uint64_t cost = ssd->program_ns;
        die->programs++;
        if (die->programs > ssd->spare_pages)
            cost += collect_ns(ssd, used_pages);
        cost = cost * slow_permille / 1000;
        uint64_t ready_ns = pass(ssd, unit, now_ns, part, slow_permille);
        die->free_ns = later(ready_ns, die->free_ns) + cost;
        ssd->busy_ns += cost;
        end_ns = later(end_ns, die->free_ns);
        offset += part;
        bytes -= part;
    }
    return end_ns;
}
