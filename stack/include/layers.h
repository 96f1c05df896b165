/*
 * The layers that processes are named by. An instance is a disk's index for driver and physical, an
 * execution environment's for vfs and naming, an application's number for app, else 0.
 */
#ifndef LORIS_LAYERS_H
#define LORIS_LAYERS_H

enum layer {
    LAYER_NONE = 0,
    LAYER_VFS,
    LAYER_NAMING,
    LAYER_CACHE,
    LAYER_LOGICAL,
    LAYER_PHYSICAL,
    LAYER_DRIVER,
    LAYER_FS,     /* a classic file system: between vfs and raid or driver */
    LAYER_RAID,   /* block-level RAID below a classic file system */
    LAYER_APP,    /* an application: outside stack/ */
    LAYER_KERNEL, /* kernel, restart service, hardware: only as the source of an event */
    LAYER_COUNT
};

#endif
