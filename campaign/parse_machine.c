/* `machine`: disks, memory, environments, the restart service. */
#include <string.h>

#include "assertion.h"
#include "campaign/parse.h"
#include "sim/disk.h"

#define FORMAT "campaign/FORMAT.md"
#define MIB (UINT64_C(1) << 20)
#define DISK_BYTES_DEFAULT (64 * MIB) /* FORMAT.md, as the next */
#define PROFILE_DEFAULT "hdd-7200"
#define PROFILES_MAX 64

static const struct option_choice policies[] = {{"minix", 0, false}, {NULL, 0, false}};
static const struct option_choice app_policies[] = {
    {"stop", 0, false}, {"resume", 1, false}, {NULL, 0, false}};

static const struct option_spec restart_specs[] = {
    {.name = "policy",
     .type = OPTION_CHOICE,
     .choices = policies,
     .fallback = "minix",
     .source = FORMAT,
     .doc = "of the restart service"},
    {.name = "apps",
     .type = OPTION_CHOICE,
     .choices = app_policies,
     .fallback = "stop",
     .source = FORMAT,
     .doc = "applications that died: stay so, or do the rest once power is back"},
    {.name = "poll",
     .type = OPTION_TIME,
     .fallback = "1s",
     .min = 1000000,
     .source = "MINIX 3 at 4db99f4, servers/rs",
     .doc = "status check and heartbeat"},
    {.name = "backoff-cap",
     .type = OPTION_TIME,
     .fallback = "1s",
     .min = 1000000,
     .source = "MINIX 3 at 4db99f4, servers/rs",
     .doc = "longest pause before a restart"},
    {.name = "start",
     .type = OPTION_TIME,
     .fallback = "5ms",
     .source = "assumption",
     .doc = "time to start a fresh instance"},
    {.name = "init-limit",
     .type = OPTION_TIME,
     .fallback = "10s",
     .min = 1000000,
     .source = "MINIX 3 at 4db99f4, servers/rs",
     .doc = "time until it must be ready"},
    {.name = "silent-periods",
     .type = OPTION_INTEGER,
     .fallback = "2",
     .min = 1,
     .max = 1000,
     .source = "MINIX 3 at 4db99f4, servers/rs",
     .doc = "missed heartbeats until it is killed"},
};

const struct option_spec *plan_restart_specs(uint32_t *count)
{
    ASSERT(count != NULL);
    *count = sizeof(restart_specs) / sizeof(restart_specs[0]);
    return restart_specs;
}

/* A number or size of a key of `map`; the default if absent or wrong. */
static uint64_t number(struct parse *p, const struct yaml *map, const char *key,
                       enum option_type type, int64_t min, int64_t max, uint64_t fallback)
{
    const struct yaml *node = yaml_get(map, key);
    struct option_spec spec = {.name = key, .type = type, .min = min, .max = max};
    struct option_value value;
    if (node == NULL || !parse_value(p, &spec, node, &value))
        return fallback;
    return (uint64_t)value.amount.low;
}

/* Every parameter of disks by name; the first `also` entries are the file's own keys. */
static size_t disk_keys(const char *const *also, size_t also_count, const char **keys)
{
    for (size_t k = 0; k < also_count; k++)
        keys[k] = also[k];
    for (unsigned k = 0; k < SIM_PARAM_COUNT; k++)
        keys[also_count + k] = sim_param_name((enum sim_param)k);
    return also_count + SIM_PARAM_COUNT;
}

static void parse_profile(struct parse *p, const struct yaml *map, struct plan_disk *disk)
{
    const struct yaml *node = yaml_get(map, "profile");
    const char *name = node == NULL ? PROFILE_DEFAULT : parse_text(p, node, "`profile`");
    if (name == NULL)
        name = PROFILE_DEFAULT;
    if (sim_profile_load(name, &disk->params) == OK) {
        disk->profile = name;
        return;
    }
    const char *names[PROFILES_MAX];
    uint32_t count = 0;
    while (count < PROFILES_MAX && sim_profile_name(count) != NULL) {
        names[count] = sim_profile_name(count);
        count++;
    }
    ASSERT(node != NULL); /* the default is known */
    complain(p->complaints, node->place, "unknown disk profile `%.80s`; allowed: %s%s", name,
             join_names(p->arena, names, count), did_you_mean(p->arena, name, names, count));
    enum err err = sim_profile_load(PROFILE_DEFAULT, &disk->params);
    ASSERT(err == OK);
    disk->profile = PROFILE_DEFAULT;
}

static void parse_params(struct parse *p, const struct yaml *map, struct plan_disk *disk)
{
    for (unsigned k = 0; k < SIM_PARAM_COUNT; k++) {
        const char *name = sim_param_name((enum sim_param)k);
        const struct yaml *node = yaml_get(map, name);
        const char *text = node == NULL ? NULL : parse_text(p, node, "a disk's parameter");
        if (text != NULL && sim_params_set(&disk->params, name, text) != OK)
            complain(p->complaints, node->place,
                     "`%.80s` is no value of `%s`; its unit is %s, see `loris list profiles`", text,
                     name, sim_param_unit((enum sim_param)k));
    }
    enum sim_param bad = SIM_PARAM_COUNT;
    if (sim_params_check(&disk->params, &bad) == OK || bad >= SIM_PARAM_COUNT)
        return;
    const struct yaml *key = yaml_key(map, sim_param_name(bad));
    complain(p->complaints, key == NULL ? map->place : key->place,
             "no disk has such a `%s` together with its other parameters", sim_param_name(bad));
}

/* One map of disks: fills *disk and returns how many there are of it. */
static uint32_t parse_disk(struct parse *p, const struct yaml *map, bool in_list,
                           struct plan_disk *disk)
{
    static const char *const own[] = {"count", "profile", "size", "role"};
    const char *keys[4 + SIM_PARAM_COUNT];
    *disk = (struct plan_disk){.profile = PROFILE_DEFAULT, .size_bytes = DISK_BYTES_DEFAULT};
    size_t count = disk_keys(own, in_list ? 4 : 3, keys);
    parse_check_keys(p, map, keys, count, "disks");
    parse_profile(p, map, disk);
    parse_params(p, map, disk);
    disk->size_bytes = number(p, map, "size", OPTION_SIZE, (int64_t)SIM_DISK_SIZE_MIN,
                              (int64_t)SIM_DISK_SIZE_MAX, DISK_BYTES_DEFAULT);
    if (disk->size_bytes % 4096 != 0)
        complain(p->complaints, yaml_get(map, "size")->place,
                 "a disk's size is no multiple of 4KiB; as 64MiB");
    const struct yaml *role = in_list ? yaml_get(map, "role") : NULL;
    const char *text = role == NULL ? "member" : parse_text(p, role, "`role`");
    disk->spare = text != NULL && strcmp(text, "spare") == 0;
    if (text != NULL && !disk->spare && strcmp(text, "member") != 0)
        complain(p->complaints, role->place,
                 "`%.80s` is no role of a disk; member and spare are allowed", text);
    return (uint32_t)number(p, map, "count", OPTION_INTEGER, 1, PLAN_DISKS_MAX, in_list ? 1 : 2);
}

/* Members stay before spares, whatever the order of the list. */
static void add_disks(struct parse *p, struct plan_machine *machine, const struct plan_disk *disk,
                      uint32_t count, struct place place)
{
    for (uint32_t k = 0; k < count; k++) {
        uint32_t all = machine->disk_count + machine->spare_count;
        if (all == PLAN_DISKS_MAX) {
            complain(p->complaints, place, "a machine has at most %u disks", PLAN_DISKS_MAX);
            return;
        }
        uint32_t at = disk->spare ? all : machine->disk_count;
        memmove(&machine->disks[at + 1], &machine->disks[at],
                (all - at) * sizeof(machine->disks[0]));
        machine->disks[at] = *disk;
        if (disk->spare)
            machine->spare_count++;
        else
            machine->disk_count++;
    }
}

/* `spares: N`: beyond those of the list, each like the first disk. */
static void parse_spares(struct parse *p, const struct yaml *node, struct plan_machine *machine)
{
    struct plan_disk spare = machine->disks[0];
    uint32_t count = (uint32_t)number(p, node, "spares", OPTION_INTEGER, 0, PLAN_DISKS_MAX, 0);
    spare.spare = true;
    if (count > 0)
        add_disks(p, machine, &spare, count, yaml_get(node, "spares")->place);
}

static void parse_disks(struct parse *p, const struct yaml *node, struct plan_machine *machine)
{
    struct plan_disk disk;
    if (node->kind == YAML_LIST) {
        if (node->count == 0)
            complain(p->complaints, node->place, "`disks` is an empty list; a machine has a disk");
        for (uint32_t k = 0; k < node->count; k++) {
            if (!parse_is_map(p, node->item[k], "an entry of `disks`"))
                continue;
            uint32_t count = parse_disk(p, node->item[k], true, &disk);
            add_disks(p, machine, &disk, count, node->item[k]->place);
        }
        if (machine->disk_count == 0 && machine->spare_count > 0)
            complain(p->complaints, node->place, "`disks` has spares only; a machine has a member");
        machine->spare_count = machine->disk_count == 0 ? 0 : machine->spare_count;
        return;
    }
    if (!parse_is_map(p, node, "`disks`"))
        return;
    uint32_t count = parse_disk(p, node, false, &disk);
    add_disks(p, machine, &disk, count, node->place);
}

void parse_machine(struct parse *p, const struct yaml *node, struct plan_machine *machine)
{
    static const char *const keys[] = {"disks", "spares", "memory", "environments", "restart"};
    uint32_t count = 0;
    const struct option_spec *specs = plan_restart_specs(&count);
    struct yaml *none = yaml_new(p->arena, YAML_MAP, p->root->place);
    if (node == NULL || !parse_is_map(p, node, "`machine`"))
        node = none;
    *machine = (struct plan_machine){0};
    parse_check_keys(p, node, keys, sizeof(keys) / sizeof(keys[0]), "`machine`");
    const struct yaml *disks = yaml_get(node, "disks");
    parse_disks(p, disks == NULL ? none : disks, machine);
    if (machine->disk_count == 0)
        parse_disks(p, none, machine); /* a complaint was made; later checks want a machine */
    parse_spares(p, node, machine);
    machine->memory_bytes =
        number(p, node, "memory", OPTION_SIZE, (int64_t)MIB, INT64_C(1) << 40, 64 * MIB);
    machine->environments =
        (uint32_t)number(p, node, "environments", OPTION_INTEGER, 1, ENVIRONMENTS_MAX, 2);
    const struct yaml *restart = yaml_get(node, "restart");
    if (restart != NULL && !parse_is_map(p, restart, "`restart`"))
        restart = NULL;
    machine->restart = parse_options(p, restart, specs, count, NULL, 0, "`restart`");
    ASSERT(machine->disk_count >= 1);
}
