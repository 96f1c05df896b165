#include "results/samples.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"

#define GRID_BITS 4 /* 16 steps an octave */
#define GRID_STEPS (1u << GRID_BITS)
#define NS_PER_MS 1000000

/* Every fourth bin, 4 an octave, serves the timeline: rows a cell stay in the low thousands. */
#define TIMELINE_BIN_MASK 3u

uint32_t samples_bin(uint64_t value)
{
    if (value < GRID_STEPS)
        return (uint32_t)value;
    uint32_t shift = 63 - (uint32_t)__builtin_clzll(value) - GRID_BITS;
    return (shift << GRID_BITS) + (uint32_t)(value >> shift);
}

uint64_t samples_bin_low_ns(uint32_t bin)
{
    if (bin < GRID_STEPS)
        return bin;
    if (bin >= SAMPLES_BINS)
        return UINT64_MAX;
    uint32_t shift = (bin >> GRID_BITS) - 1;
    return (uint64_t)((bin & (GRID_STEPS - 1)) + GRID_STEPS) << shift;
}

int32_t samples_bucket(int64_t offset_ns)
{
    if (offset_ns >= 0)
        return (int32_t)samples_bin((uint64_t)offset_ns / NS_PER_MS);
    return -1 - (int32_t)samples_bin((uint64_t)(-(offset_ns + 1)) / NS_PER_MS);
}

int64_t samples_bucket_start_ns(int32_t bucket)
{
    if (bucket >= 0)
        return (int64_t)samples_bin_low_ns((uint32_t)bucket) * NS_PER_MS;
    return -(int64_t)samples_bin_low_ns((uint32_t)(-bucket)) * NS_PER_MS;
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_phase_op_latency(const void *left, const void *right)
{
    const struct sample *a = left, *b = right;
    if (a->phase != b->phase)
        return a->phase < b->phase ? -1 : 1;
    int order = a->op == b->op ? 0 : strcmp(a->op, b->op);
    return order != 0 ? order : compare_u64(a->latency_ns, b->latency_ns);
}

static int by_latency(const void *left, const void *right)
{
    const struct sample *a = left, *b = right;
    return compare_u64(a->latency_ns, b->latency_ns);
}

static int by_offset(const void *left, const void *right)
{
    const struct sample *a = left, *b = right;
    return (a->offset_ns > b->offset_ns) - (a->offset_ns < b->offset_ns);
}

/* The smallest value with at least share/100 of the sorted values at or below it. */
static uint64_t percentile_ns(const struct sample *sorted, size_t count, size_t share)
{
    size_t rank = (count * share + 99) / 100;
    return sorted[rank == 0 ? 0 : rank - 1].latency_ns;
}

static void put_latency(struct trial_record *record, const struct sample *sorted, size_t count)
{
    if (record->latency_count == RECORD_LATENCIES_MAX) {
        record->dropped++;
        return;
    }
    struct record_latency *row = &record->latency[record->latency_count++];
    uint64_t sum_ns = 0;
    for (size_t i = 0; i < count; i++)
        sum_ns += sorted[i].latency_ns;
    row->phase = sorted[0].phase;
    record_text(row->op, RECORD_WORD_BYTES, sorted[0].op);
    row->n = count;
    row->mean_ns = sum_ns / count;
    row->p50_ns = percentile_ns(sorted, count, 50);
    row->p99_ns = percentile_ns(sorted, count, 99);
    row->max_ns = sorted[count - 1].latency_ns;
}

static void fill_latencies(struct trial_record *record, struct sample *samples, size_t count)
{
    qsort(samples, count, sizeof(samples[0]), by_phase_op_latency);
    for (size_t first = 0, i = 1; i <= count; i++) {
        if (i < count && samples[i].phase == samples[first].phase &&
            strcmp(samples[i].op, samples[first].op) == 0)
            continue;
        put_latency(record, samples + first, i - first);
        first = i;
    }
}

static void fill_bins(struct trial_record *record, const struct sample *samples, size_t count)
{
    uint32_t n[PHASE_COUNT][SAMPLES_BINS] = {0};
    for (size_t i = 0; i < count; i++) {
        uint32_t bin = samples_bin(samples[i].latency_ns);
        ASSERT(samples[i].phase < PHASE_COUNT);
        ASSERT(bin < SAMPLES_BINS);
        n[samples[i].phase][bin]++;
    }
    for (uint32_t phase = 0; phase < PHASE_COUNT; phase++)
        for (uint32_t bin = 0; bin < SAMPLES_BINS; bin++)
            if (n[phase][bin] > 0 && record->bin_count < RECORD_BINS_MAX)
                record->bin[record->bin_count++] =
                    (struct record_bin){.phase = (enum phase)phase, .bin = bin, .n = n[phase][bin]};
            else
                record->dropped += n[phase][bin];
}

/* The rows of one bucket, from its samples sorted by latency. */
static void put_bucket(struct trial_record *record, int32_t bucket, const struct sample *sorted,
                       size_t count)
{
    struct record_timeline *row = NULL;
    for (size_t i = 0; i < count; i++) {
        uint32_t bin = samples_bin(sorted[i].latency_ns) & ~TIMELINE_BIN_MASK;
        if (row == NULL || row->bin != bin) {
            if (record->timeline_count == RECORD_TIMELINE_MAX) {
                record->dropped += (uint32_t)(count - i);
                return;
            }
            row = &record->timeline[record->timeline_count++];
            *row = (struct record_timeline){.bucket = bucket, .bin = bin};
        }
        row->n++;
        row->sum_ns += sorted[i].latency_ns;
    }
}

static void fill_timeline(struct trial_record *record, struct sample *samples, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (samples[i].has_offset)
            samples[kept++] = samples[i];
    qsort(samples, kept, sizeof(samples[0]), by_offset); /* and so by bucket */
    for (size_t first = 0, i = 1; i <= kept; i++) {
        int32_t bucket = samples_bucket(samples[first].offset_ns);
        if (i < kept && samples_bucket(samples[i].offset_ns) == bucket)
            continue;
        qsort(samples + first, i - first, sizeof(samples[0]), by_latency);
        put_bucket(record, bucket, samples + first, i - first);
        first = i;
    }
}

void samples_fill(struct trial_record *record, struct sample *samples, size_t count)
{
    ASSERT(record != NULL);
    ASSERT(samples != NULL || count == 0);
    record->latency_count = record->bin_count = record->timeline_count = 0;
    if (count == 0)
        return;
    fill_latencies(record, samples, count);
    fill_bins(record, samples, count);
    fill_timeline(record, samples, count);
}
