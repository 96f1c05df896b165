/*
 * The rig of ffs is that of none, with a disk that goes at the n-th request.
 */
#include "stack/tests/classic/ffs/ffs_rig.h"
#include "stack/tests/classic/none/none_rig.c"

#define DISK_BYTES (20u << 20) /* a group and a short one */
#define CACHE_BYTES (1u << 20)

static void serve(void *ctx, const struct msg *request)
{
    struct ffs_rig *rig = ctx;
    if (rig->goes_at > 0 && ++rig->requests == rig->goes_at)
        rig->none.disk.gone = true;
    ramdisk_serve(&rig->none.disk, request);
}

void ffs_rig_init(struct ffs_rig *rig, const struct stack_options *options)
{
    rig->goes_at = rig->requests = 0;
    none_rig_init_as(&rig->none, ffs_main, options, DISK_BYTES, CACHE_BYTES);
    ramdisk_set_volatile(&rig->none.disk);
    fake_peer(LAYER_DRIVER, 0, serve, rig);
    none_rig_reboot(&rig->none, true);
}

void ffs_rig_fini(struct ffs_rig *rig)
{
    none_rig_fini(&rig->none);
}

void ffs_rig_arm(struct ffs_rig *rig, uint32_t requests)
{
    rig->goes_at = requests;
    rig->requests = 0;
}

uint32_t ffs_rig_draw(struct ffs_rig *rig, uint32_t below)
{
    rig->rng = rig->rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(rig->rng >> 33) % below;
}

static bool keep(void *ctx, uint32_t write, uint32_t sector)
{
    struct ffs_rig *rig = ctx;
    (void)write, (void)sector;
    return ffs_rig_draw(rig, 100) < rig->keep_percent;
}

bool ffs_rig_cut(struct ffs_rig *rig, uint32_t keep_percent)
{
    bool went = rig->none.disk.gone;
    rig->none.disk.gone = false;
    rig->keep_percent = keep_percent;
    ffs_rig_arm(rig, 0);
    ramdisk_power_cut(&rig->none.disk, keep, rig);
    return went;
}
