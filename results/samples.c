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
    int order = strcmp(a->op, b->op);
    return order != 0 ? order : compare_u64(a->latency_ns, b->latency_ns);
}

static int by_phase_latency(const void *left, const void *right)
{
    const struct sample *a = left, *b = right;
    if (a->phase != b->phase)
        return a->phase < b->phase ? -1 : 1;
    return compare_u64(a->latency_ns, b->latency_ns);
}

static int by_bucket_latency(const void *left, const void *right)
{
    const struct sample *a = left, *b = right;
    int32_t bucket_a = a->has_offset ? samples_bucket(a->offset_ns) : INT32_MAX;
    int32_t bucket_b = b->has_offset ? samples_bucket(b->offset_ns) : INT32_MAX;
    if (bucket_a != bucket_b)
        return bucket_a < bucket_b ? -1 : 1;
    return compare_u64(a->latency_ns, b->latency_ns);
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

static void fill_bins(struct trial_record *record, struct sample *samples, size_t count)
{
    qsort(samples, count, sizeof(samples[0]), by_phase_latency);
    for (size_t i = 0; i < count; i++) {
        uint32_t bin = samples_bin(samples[i].latency_ns);
        struct record_bin *last =
            record->bin_count > 0 ? &record->bin[record->bin_count - 1] : NULL;
        if (last != NULL && last->phase == samples[i].phase && last->bin == bin)
            last->n++;
        else if (record->bin_count < RECORD_BINS_MAX)
            record->bin[record->bin_count++] =
                (struct record_bin){.phase = samples[i].phase, .bin = bin, .n = 1};
        else
            record->dropped++;
    }
}

static void fill_timeline(struct trial_record *record, struct sample *samples, size_t count)
{
    qsort(samples, count, sizeof(samples[0]), by_bucket_latency);
    for (size_t i = 0; i < count && samples[i].has_offset; i++) {
        int32_t bucket = samples_bucket(samples[i].offset_ns);
        uint32_t bin = samples_bin(samples[i].latency_ns) & ~TIMELINE_BIN_MASK;
        struct record_timeline *last =
            record->timeline_count > 0 ? &record->timeline[record->timeline_count - 1] : NULL;
        if (last != NULL && last->bucket == bucket && last->bin == bin) {
            last->n++;
            last->sum_ns += samples[i].latency_ns;
        } else if (record->timeline_count < RECORD_TIMELINE_MAX) {
            record->timeline[record->timeline_count++] = (struct record_timeline){
                .bucket = bucket, .bin = bin, .n = 1, .sum_ns = samples[i].latency_ns};
        } else {
            record->dropped++;
        }
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
