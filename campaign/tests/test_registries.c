/* The registries of stacks, applications and faults: every row must be usable as it stands. */
#include <string.h>

#include "campaign/plan.h"
#include "faults/registry.h"
#include "scripts/check_main.h"
#include "stack/designs.h"
#include "workloads/registry.h"

/* Every default must parse, every row have its words, every name be there once. */
static void check_specs(const char *of, const struct option_spec *specs, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++) {
        struct option_value value;
        option_fallback(&specs[k], &value); /* a default that does not parse ends the program */
        ck_assert_msg(!value.given, "%s %s", of, specs[k].name);
        ck_assert_msg(specs[k].doc != NULL && specs[k].source != NULL, "%s %s", of, specs[k].name);
        bool chooses = specs[k].type == OPTION_CHOICE || specs[k].type == OPTION_RULES;
        ck_assert_msg((specs[k].choices != NULL) == chooses, "%s %s", of, specs[k].name);
        ck_assert_ptr_eq(option_find(specs, count, specs[k].name), &specs[k]);
    }
}

START_TEST(test_registries__every_row_is_named_once_and_has_sound_defaults)
{
    uint32_t count = 0;
    const struct design *designs = design_table(&count);
    ck_assert_uint_eq(count, 6);
    for (uint32_t k = 0; k < count; k++) {
        ck_assert_ptr_eq(design_find(designs[k].name), &designs[k]);
        check_specs(designs[k].name, designs[k].options->specs, designs[k].options->count);
        ck_assert(design_has_layer(&designs[k], LAYER_VFS));
        ck_assert(design_has_layer(&designs[k], LAYER_DRIVER));
    }
    const struct app_info *apps = app_table(&count);
    ck_assert_uint_eq(count, APP_KINDS);
    for (uint32_t k = 0; k < count; k++) {
        ck_assert_uint_eq(apps[k].kind, k);
        ck_assert_ptr_eq(app_find(apps[k].name), &apps[k]);
        check_specs(apps[k].name, apps[k].options, apps[k].option_count);
        ck_assert_ptr_nonnull(option_find(apps[k].options, apps[k].option_count, "copies"));
    }
    const struct fault_kind_info *kinds = fault_kind_table(&count);
    for (uint32_t k = 0; k < count; k++) {
        ck_assert_uint_eq(kinds[k].kind, k);
        ck_assert_ptr_eq(fault_kind_find(kinds[k].name), &kinds[k]);
        check_specs(kinds[k].name, kinds[k].keys, kinds[k].key_count);
        ck_assert(!(kinds[k].on_disk && kinds[k].on_layer));
    }
    const struct option_spec *restart = plan_restart_specs(&count);
    check_specs("restart", restart, count);
}
END_TEST

START_TEST(test_registries__names_lead_back_to_layers_and_probes)
{
    for (unsigned k = LAYER_VFS; k <= LAYER_RAID; k++)
        ck_assert_uint_eq(layer_from_name(layer_name((enum layer)k)), k);
    ck_assert_uint_eq(layer_from_name("nonsense"), LAYER_NONE);
    for (unsigned k = 0; k < PROBE_COUNT; k++)
        ck_assert_uint_eq(probe_from_name(probe_name((enum probe)k)), k);
    ck_assert_uint_eq(probe_from_name("nonsense"), PROBE_COUNT);
}
END_TEST

START_TEST(test_registries__a_fault_has_the_defaults_of_the_interface)
{
    struct fault cut = fault_default(FAULT_POWER_CUT);
    ck_assert_uint_eq(cut.cache, FAULT_CACHE_RANDOM);
    ck_assert(amount_is(&cut.off_for_ns, INT64_C(10000000000)));
    ck_assert_uint_eq(cut.at.kind, FAULT_AT_UNIFORM);
    struct fault flip = fault_default(FAULT_MEMORY_FLIP);
    ck_assert_uint_eq(flip.instance.kind, FAULT_TARGET_ANY);
    ck_assert_uint_eq(flip.disk.kind, FAULT_TARGET_NONE);
    ck_assert(amount_is(&flip.bits, 1));
    struct fault disk = fault_default(FAULT_DISK_FAIL_STOP);
    ck_assert_uint_eq(disk.disk.kind, FAULT_TARGET_ANY);
    ck_assert(fault_corrupts_memory(FAULT_MEMORY_FLIP));
    ck_assert(!fault_corrupts_memory(FAULT_POWER_CUT));
}
END_TEST

CHECK_MAIN("registries", 60,
           tcase_add_test(tc, test_registries__every_row_is_named_once_and_has_sound_defaults);
           tcase_add_test(tc, test_registries__names_lead_back_to_layers_and_probes);
           tcase_add_test(tc, test_registries__a_fault_has_the_defaults_of_the_interface);)
