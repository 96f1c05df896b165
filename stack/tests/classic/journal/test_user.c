/*
 * User transactions of `journal`, in each mode.
 */
#include "scripts/check_main.h"
#include "stack/tests/classic/user_tests.h"

#define MODES 5

/* The modes; commits that go with their images; and mode ordered with a log on its own disk. */
static struct cut_design design_of(int k)
{
    return (struct cut_design){.program = journal_main,
                               .options = {.journal_mode = (enum journal_mode)(k % 3),
                                           .log_disk = k == 4 ? 1 : LOG_DISK_OFF,
                                           .commit_checksum = k == 3,
                                           .log_bytes = 2u << 20,
                                           .inflight = 2},
                               .cache_bytes = 4u << 20,
                               .expect_sound = none_rig_expect_sound};
}

CHECK_MAIN("journal user transactions", 120, user_tests_add(tc, design_of, MODES);)
