#include "campaign/tests/rig_trial.h"

#include <check.h>

void rig_trial_init(struct rig_trial *rig, const char *text)
{
    struct plan_request request = {.path = "test.yaml"};
    rig->plan = plan_load_text(text, &request, stderr);
    ck_assert_ptr_nonnull(rig->plan);
    rig->lab = lab_create(rig->plan);
}

void rig_trial_fini(struct rig_trial *rig)
{
    lab_destroy(rig->lab);
    plan_destroy(rig->plan);
}
