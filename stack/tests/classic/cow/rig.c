/*
 * The rig of cuts and the tests of user transactions, for the tests of this folder.
 */
#include "stack/tests/classic/cut_rig.c"
#include "stack/tests/classic/user_tests.c"
