/* Texts for people and programs: escaped strings, times, shares, the nearest known name. */
#ifndef LORIS_RESULTS_TEXT_H
#define LORIS_RESULTS_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Room for any text of text_time, text_percent, text_count. */
#define TEXT_SHORT_BYTES 48

/* A JSON string with its quotes; bytes that are no UTF-8 become U+FFFD. NULL: null. */
void text_json(FILE *out, const char *text);

/* The number so that it reads back equal; null where it is not finite. */
void text_json_number(FILE *out, double value);

/* XML text or attribute value; characters that XML forbids become '?'. */
void text_xml(FILE *out, const char *text);

/* A CSV field, quoted where it must be (RFC 4180). NULL: empty. */
void text_csv(FILE *out, const char *text);

/* A cell of a Markdown table. */
void text_markdown(FILE *out, const char *text);

/* "412 ms", "1.9 s", "3.1 min": two digits or more, the unit that fits; "0". Not finite: "-". */
const char *text_time(char *room, double time_ns);

/* "99.5 %", "100 %" only if it is exactly 1, "0 %" only if 0. Not finite: "-". */
const char *text_percent(char *room, double share);

/* "1,240". */
const char *text_count(char *room, uint64_t value);

/* The name of `names` nearest to `word` within two edits, or NULL. */
const char *text_nearest(const char *word, const char *const *names, size_t count);

/* NAME of PATH/NAME.db, cut to what fits. */
void text_stem(const char *path, char *room, size_t bytes);

/* Columns of a terminal that a UTF-8 text takes, each character counted as one. */
size_t text_width(const char *text);

#endif
