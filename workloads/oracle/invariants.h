/*
 * What an application may rely on beside the levels: its own invariants, checked on the tree that
 * was read back. The application tells the history (history_rely, history_version_begin ...) which
 * of its operations made one version of one of its files, and when it knew that version to be safe;
 * what it would find at its next start is worked out here from the contents alone.
 *
 * Where anything that matters could not be read nothing is broken: an error said so.
 */
#ifndef LORIS_WORKLOADS_ORACLE_INVARIANTS_H
#define LORIS_WORKLOADS_ORACLE_INVARIANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "workloads/oracle/history.h"
#include "workloads/oracle/observe.h"

/*
 * How many invariants are broken; why the first one is in detail[room]: "app0/text1 is no whole
 * version". shared_is_name: "shared" is an ordinary name of the root, as in classic stacks.
 */
uint32_t invariants_broken(const struct history *history, const struct observation *observed,
                           bool shared_is_name, char *detail, size_t room);

/*
 * What is owed after a boot that read `observed` back, and applications that start again: the
 * version of each file that was found, safe from now on; others are forgotten. Of a file that could
 * not be read nothing is owed. Sets what history_found tells.
 */
void invariants_rebase(struct history *history, const struct observation *observed,
                       bool shared_is_name);

#endif
