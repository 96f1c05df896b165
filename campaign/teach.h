/*
 * What a command says that was called with nothing: how it is used, the smallest example, where to
 * look. A command whose arguments are optional has no lesson.
 */
#ifndef LORIS_CAMPAIGN_TEACH_H
#define LORIS_CAMPAIGN_TEACH_H

#include <stdbool.h>
#include <stdio.h>

/* Writes the lesson of `command` ("run"), some ten lines. False: it has none, nothing is written.
 */
bool teach(const char *command, FILE *to);

#endif
