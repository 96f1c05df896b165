/*
 * What was read back: the tree of each environment as a reader saw it through the live stack. The
 * reader walks, this module keeps; the judge (judge.h) compares with the history.
 *
 * The walk of one environment, in any order that names a node before its parts:
 *
 *     uint32_t root = observe_root(o, environment, false);
 *     observe_listing(o, root, e);                  // readdir of it: OK, or the error
 *     uint32_t n = observe_entry(o, root, "mail", HISTORY_DIRECTORY);   // each entry listed
 *     observe_stat(o, n, e, &stat);                 // lookup and stat of that name, or the error
 *     observe_listing, observe_entry ...            // if it is a directory
 *     observe_data(o, n, offset, e, bytes, length)  // if it is a file: all of it, from 0 upwards
 *     observe_target(o, n, e, text, length)         // if it is a symbolic link
 *
 * The shared tree is walked once for each environment that has one, from observe_root(o, e, true);
 * its name "shared" in the root is not told. "." and ".." are not told. Two names whose stats have
 * the same inode number are one object; its contents need be told for the first name only (the
 * others may repeat them).
 *
 * An observation also is where a reader says that a thing was missing: what was never told of a
 * node counts as an error E_IO. Contents are kept until the next reset: memory is that of the
 * trees.
 */
#ifndef LORIS_WORKLOADS_ORACLE_OBSERVE_H
#define LORIS_WORKLOADS_ORACLE_OBSERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "errors.h"
#include "workloads/oracle/history.h"

struct observation;

struct observation *observation_create(void);
void observation_destroy(struct observation *o);

/* Forgets all. Keeps memory. */
void observation_reset(struct observation *o);

/* The root of an environment, or of the shared tree as that environment sees it. Once each. */
uint32_t observe_root(struct observation *o, uint32_t environment, bool shared);

/* readdir of directory `node` ended: OK if the entries told are all, else the error. */
void observe_listing(struct observation *o, uint32_t node, enum err result);

/* readdir of `node` has this name, with that type (enum history_type; 0: it does not say). */
uint32_t observe_entry(struct observation *o, uint32_t node, const char *name, uint32_t type);

/* Lookup and stat of that name: *stat, or the error (E_NOENT: listed, but not found). */
void observe_stat(struct observation *o, uint32_t node, enum err result,
                  const struct history_stat *stat);

/* One of its extended attributes: digests of the name alone, and of name and value
 * (content_digest). All must be told, before or after the stat, whose `xattrs` is their sum, if
 * applications are to go on with this tree (base.h). */
void observe_xattr(struct observation *o, uint32_t node, uint64_t name, uint64_t value);

/*
 * A read of a file: `length` bytes from `offset` came, or that range could not be read (`bytes` may
 * be NULL then). Ranges come in ascending order and do not overlap. A read that ends before the
 * size of stat tells what came; the judge sees the rest as missing.
 */
void observe_data(struct observation *o, uint32_t node, uint64_t offset, enum err result,
                  const uint8_t *bytes, uint64_t length);

/* readlink of a symbolic link: its text, or the error. */
void observe_target(struct observation *o, uint32_t node, enum err result, const uint8_t *text,
                    uint64_t length);

/* How many errors the reader told, E_NOENT of a listed name not counted. */
uint32_t observation_errors(const struct observation *o);

/*
 * Whether two observations tell the same: names, attributes and bytes; inode numbers need not agree
 * but must group the same names. Where either has an error the thing is not compared.
 */
bool observation_agrees(const struct observation *a, const struct observation *b);

#endif
