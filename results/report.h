/*
 * `loris report`: one HTML file that opens offline: the question, the answer from the numbers,
 * pictures with their tables, broken promises with story and replay command, what was never
 * exercised, method and limits, the campaign.
 */
#ifndef LORIS_RESULTS_REPORT_H
#define LORIS_RESULTS_REPORT_H

#include <stdio.h>

struct report_options {
    const char *path;     /* of the results file */
    const char *out_path; /* of the page; NULL: NAME.html in the current folder */
};

/*
 * Writes the page, whole or not at all, and its name as a line to `out`; errors to `err`. Returns
 * the exit code: 0, 2 for wrong input, 3 if gnuplot refuses a script of ours.
 */
int report_run(const struct report_options *options, FILE *out, FILE *err);

#endif
