/*
 * Tests of user transactions for the classic designs that have them, over the rig of cuts. Each
 * folder has a file that includes user_tests.c.
 */
#ifndef LORIS_STACK_TESTS_CLASSIC_USER_TESTS_H
#define LORIS_STACK_TESTS_CLASSIC_USER_TESTS_H

#include <check.h>

#include "stack/tests/classic/cut_rig.h"

/* What is tested in the k-th mode. */
typedef struct cut_design user_design_fn(int k);

/* Adds all of them, in each of the modes. */
void user_tests_add(TCase *tc, user_design_fn *design, int modes);

#endif
