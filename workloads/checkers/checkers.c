#include "workloads/checkers/checkers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "assertion.h"
#include "workloads/checkers/cow_check.h"
#include "workloads/checkers/fat_check.h"
#include "workloads/checkers/loris_check.h"
#include "workloads/checkers/none_disks.h"
#include "workloads/checkers/volume.h"

struct row {
    const char *design;
    void (*check)(const struct checker_disks *disks, struct checker_verdict *verdict);
};

/* Every design that has a checker. */
static const struct row rows[] = {{"loris", loris_check},    {"cow", cow_check_disks},
                                  {"fat", fat_check_disks},  {"none", none_check_disks},
                                  {"ffs", none_check_disks}, {"journal", none_check_disks}};

/* Whether the block RAID below a rival is whole again where a spare took a disk's place. */
static void check_raid(const struct checker_disks *disks, struct checker_verdict *verdict)
{
    struct checker_volume v;
    uint64_t block;
    if (!checker_volume_find(&v, disks) || checker_volume_agrees(&v, &block))
        return;
    if (verdict->ok)
        snprintf(verdict->text, sizeof(verdict->text),
                 "block RAID: what a spare has does not agree at block %" PRIu64 " of the disks",
                 block);
    verdict->ok = false;
    verdict->damages++;
}

void checker_run(const char *design, const struct checker_disks *disks,
                 struct checker_verdict *verdict)
{
    ASSERT(design != NULL);
    ASSERT(disks->count >= 1 && disks->count <= DISKS_MAX);
    *verdict = (struct checker_verdict){.ran = false};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].design, design) == 0)
            rows[i].check(disks, verdict);
    if (verdict->ran && strcmp(design, "loris") != 0)
        check_raid(disks, verdict);
}
