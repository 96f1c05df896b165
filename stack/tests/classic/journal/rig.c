/*
 * The rig and the tests of cuts, for the tests of this folder.
 */
#include "stack/tests/classic/cut_rig.c"
#include "stack/tests/classic/cut_tests.c"
#include "stack/tests/classic/user_tests.c"
