/*
 * The rig of none, with a disk that goes at the n-th request.
 */
#include "stack/tests/classic/cut_rig.h"
#include "stack/tests/classic/none/none_rig.c"

#define DISK_BYTES (20u << 20) /* a group and a short one */
#define CACHE_BYTES (1u << 20)

static void count(struct cut_rig *rig)
{
    if (rig->goes_at > 0 && ++rig->requests == rig->goes_at)
        rig->none.disk.gone = rig->none.log.gone = true;
}

static void serve(void *ctx, const struct msg *request)
{
    struct cut_rig *rig = ctx;
    count(rig);
    ramdisk_serve(&rig->none.disk, request);
}

static void serve_log(void *ctx, const struct msg *request)
{
    struct cut_rig *rig = ctx;
    count(rig);
    ramdisk_serve(&rig->none.log, request);
}

void cut_rig_init(struct cut_rig *rig, const struct cut_design *design)
{
    size_t cache = design->cache_bytes != 0 ? design->cache_bytes : CACHE_BYTES;
    rig->goes_at = rig->requests = 0;
    none_rig_init_as(&rig->none, design->program, &design->options, DISK_BYTES, cache);
    ramdisk_set_volatile(&rig->none.disk);
    fake_peer(LAYER_DRIVER, 0, serve, rig);
    if (design->options.log_disk != LOG_DISK_OFF) {
        ramdisk_set_volatile(&rig->none.log);
        fake_peer(LAYER_DRIVER, design->options.log_disk, serve_log, rig);
    }
    none_rig_reboot(&rig->none, true);
}

void cut_rig_fini(struct cut_rig *rig)
{
    none_rig_fini(&rig->none);
}

void cut_rig_arm(struct cut_rig *rig, uint32_t requests)
{
    rig->goes_at = requests;
    rig->requests = 0;
}

uint32_t cut_rig_draw(struct cut_rig *rig, uint32_t below)
{
    rig->rng = rig->rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(rig->rng >> 33) % below;
}

static bool keep(void *ctx, uint32_t write, uint32_t sector)
{
    struct cut_rig *rig = ctx;
    (void)write, (void)sector;
    return cut_rig_draw(rig, 100) < rig->keep_percent;
}

bool cut_rig_cut(struct cut_rig *rig, uint32_t keep_percent)
{
    bool went = rig->none.disk.gone;
    rig->none.disk.gone = rig->none.log.gone = false;
    rig->keep_percent = keep_percent;
    cut_rig_arm(rig, 0);
    ramdisk_power_cut(&rig->none.disk, keep, rig);
    if (rig->none.boot.options.log_disk != LOG_DISK_OFF)
        ramdisk_power_cut(&rig->none.log, keep, rig);
    return went;
}

void cut_rig_reboot(struct cut_rig *rig, uint32_t more, uint32_t keep_percent)
{
    for (; more > 0; more--) {
        cut_rig_arm(rig, 1 + cut_rig_draw(rig, 60));
        rig->none.boot.incarnation++;
        (void)!none_rig_boot(&rig->none, false);
        (void)cut_rig_cut(rig, keep_percent);
    }
    none_rig_reboot(&rig->none, false);
}
