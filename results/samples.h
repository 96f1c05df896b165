/*
 * From the answered operations of one trial to the lists of its record: latencies by phase and
 * operation, the distribution of a phase, and the timeline around the fault.
 *
 * Both grids are log-linear and fixed, so that the counts of any trials can be added up:
 *   latency: below 16 ns a bin a ns, then 16 bins an octave (error <= 1/16), SAMPLES_BINS in all;
 *   offset from the fault: in whole ms, below 16 ms a bucket a ms, then 16 buckets an octave;
 *   of the timeline only every fourth latency bin is used (its mean is exact all the same);
 *   negative buckets mirror the positive: bucket -1 is (-1 ms, 0), bucket 0 is [0, 1 ms).
 */
#ifndef LORIS_RESULTS_SAMPLES_H
#define LORIS_RESULTS_SAMPLES_H

#include "results/record.h"

/* One answered operation. */
struct sample {
    const char *op;      /* its name; samples of one operation need not share the pointer */
    enum phase phase;    /* it belongs to */
    uint64_t latency_ns; /* from call to answer */
    int64_t offset_ns;   /* its end, from the first fault; ignored unless has_offset */
    bool has_offset;     /* false in a trial without a fault */
};

/*
 * Fills latency, bin and timeline of `record` from `count` samples, which it sorts: their order is
 * lost, and the result does not depend on it. What finds no room is counted in `dropped`.
 */
void samples_fill(struct trial_record *record, struct sample *samples, size_t count);

/* The latency bin of a value, and the smallest value of a bin (beyond the last: UINT64_MAX). */
uint32_t samples_bin(uint64_t latency_ns);
uint64_t samples_bin_low_ns(uint32_t bin);

/* The offset bucket of a time from the fault, and the start of a bucket, in ns. */
int32_t samples_bucket(int64_t offset_ns);
int64_t samples_bucket_start_ns(int32_t bucket);

#define SAMPLES_BINS 976 /* bins there are: 16 + 60 octaves of 16 */

#endif
