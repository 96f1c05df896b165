/*
 * Tests of user transactions for the classic designs that have them, over the rig of cuts. Each
 * folder has a file that includes user_tests.c.
 */
#ifndef LORIS_STACK_TESTS_CLASSIC_USER_TESTS_H
#define LORIS_STACK_TESTS_CLASSIC_USER_TESTS_H

#include "stack/tests/classic/cut_rig.h"

/* What one has changed is seen inside it alone, and by all after its commit. */
void user_sees_its_own(const struct cut_design *design);
/* An abort leaves nothing of any kind of change, on the disk neither. */
void user_abort_leaves_nothing(const struct cut_design *design);
/* Nobody changes what another has looked at; outside, reading goes on. */
void user_locks(const struct cut_design *design);
/* Two that wait for each other: the younger is aborted, and stays so. */
void user_deadlock(const struct cut_design *design);
/* One that is too large is aborted with an answer that says so, and what it made is free again. */
void user_too_large(const struct cut_design *design);
/* A file that was open when one unlinked it is read until its release. */
void user_unlinks_what_is_open(const struct cut_design *design);
/* A mount ends those of the VFS before it. */
void user_mount_ends(const struct cut_design *design);
/* Random operations in transactions, some aborted, answer and leave what the others do without. */
void user_equals_plain(const struct cut_design *design, uint64_t seed);
/* A cut at any request of the disk leaves all of one or nothing. */
void user_cut_at_every_request(const struct cut_design *design);

#endif
