/*
 * What `loris bench` prints: a table for people, line by line as it is measured, or each figure as
 * a row for programs. The columns are BENCH_COLUMNS; a figure that is not finite is empty or null.
 * Each is flushed, so that a process that is split off may print as well.
 */
#ifndef LORIS_CAMPAIGN_BENCH_OUT_H
#define LORIS_CAMPAIGN_BENCH_OUT_H

#include <stdbool.h>
#include <stdio.h>

#define BENCH_COLUMNS "part,of,measure,value,unit,target"

enum bench_format { BENCH_TABLE, BENCH_CSV, BENCH_JSON };

struct bench_out {
    FILE *to;
    enum bench_format format;
    bool any; /* a row is out */
};

/* A figure: part of the table, what was measured, which figure of it. NULL: the machine, or nothing
 * to say; so is "", which the table indents. */
struct bench_figure {
    const char *part, *of, *measure;
    double value;
    const char *unit, *target;
};

/* The format of that name (table, csv, json), or -1. */
int bench_format_from_name(const char *name);

/* Before all others: what the machine is. */
void bench_begin(struct bench_out *out, const char *processor, long cpus, double load);

/* For the table alone. */
__attribute__((format(printf, 2, 3))) void bench_text(const struct bench_out *out,
                                                      const char *format, ...);

/* For programs alone. */
void bench_figure(struct bench_out *out, const struct bench_figure *figure);

/* After all others. */
void bench_end(const struct bench_out *out);

/* Prints the speed table of this machine. Returns an exit code. */
int bench_machine(struct bench_out *out);
/* The second part of that table: what features cost, and how times grow. Host time: about 20 s. */
void bench_costs(struct bench_out *out);
/* The third: boots of crash states a second. About 5 s. */
void bench_explore(struct bench_out *out);

#endif
