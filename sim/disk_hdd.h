/*
 * Where the head of a rotating disk is and how long it takes to get somewhere: seek curve,
 * rotation, zones, track buffer. Pure arithmetic over integer ns; knows neither queue nor content.
 *
 * The disk's sectors are spread over all cylinders of the profile whatever its size, so that seeks
 * are those of the data sheet also on a small disk; a track keeps its size, so that transfers are
 * too. A step to the next track costs the track-to-track seek, and tracks are skewed by just that.
 */
#ifndef LORIS_SIM_DISK_HDD_H
#define LORIS_SIM_DISK_HDD_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/profiles.h"

#define HDD_ZONES_MAX 64u

struct hdd_zone {
    uint64_t first, end;    /* sectors */
    uint64_t first_track;   /* global number of its first track */
    uint32_t track_sectors; /* sectors a track */
};

#define HDD_SPOT_BITS 8u

/* Where a sector lies, for choices: a table of what was asked for last. */
struct hdd_spot {
    uint64_t key; /* sector + 1; 0: none */
    uint64_t track, cylinder;
    uint64_t target_ns; /* when it passes the head, in a rotation */
};

struct disk_hdd {
    uint64_t rotation_ns, settle_ns, step_ns; /* step: to the next track */
    uint64_t sectors, cylinders;
    double root_ns, slope_ns;                                     /* three-point curve */
    uint64_t break_cylinders;                                     /* 0: three-point */
    double near_base_ns, near_root_ns, far_base_ns, far_slope_ns; /* two-piece curve */
    uint32_t zones;
    struct hdd_zone zone[HDD_ZONES_MAX];
    uint64_t buffer_sectors;
    struct hdd_spot spot[1u << HDD_SPOT_BITS]; /* follows from the above */
    /* state */
    uint64_t head;                     /* sector over which the head last ended */
    uint64_t buffer_first, buffer_end; /* what the track buffer has or will have read */
    uint64_t read_end, read_end_ns;    /* the last read ended before read_end at this time */
};

/* params: of kind hdd, checked. O(cylinders): the seek curve is fitted to its mean. */
void disk_hdd_init(struct disk_hdd *hdd, const struct sim_params *params, uint64_t sectors);

/* Head at cylinder 0, nothing buffered. */
void disk_hdd_cold(struct disk_hdd *hdd);

/* The seek curve: ns for a distance in cylinders; 0 for none. */
uint64_t disk_hdd_curve(const struct disk_hdd *hdd, uint64_t distance);

/* Where the head is at a time: what all candidates of one choice have in common. */
struct hdd_aim {
    struct hdd_spot from;
    uint64_t head, turned_ns; /* its sector; how far into a rotation */
};
struct hdd_aim disk_hdd_aim(struct disk_hdd *hdd, uint64_t now_ns);

/* Seek and rotation from the head to `first` if begun then. */
uint64_t disk_hdd_position(struct disk_hdd *hdd, const struct hdd_aim *aim, uint64_t first,
                           bool write);

/* Time for `count` sectors to pass under the head, switches of track included. */
uint64_t disk_hdd_transfer(const struct disk_hdd *hdd, uint64_t first, uint32_t count);

/* The head is where an operation of `count` sectors ends at end_ns; a read fills the track buffer.
 */
void disk_hdd_moved(struct disk_hdd *hdd, uint64_t end_ns, uint64_t first, uint32_t count,
                    bool write);

/* The mechanism leaves its read-ahead at now_ns for something else. */
void disk_hdd_stop_reading_ahead(struct disk_hdd *hdd, uint64_t now_ns);

/* Whether the track buffer has these sectors, and from when (ns, perhaps in the future); if it has,
 * the head reads on behind them. */
bool disk_hdd_buffered(struct disk_hdd *hdd, uint64_t now_ns, uint64_t first, uint32_t count,
                       uint64_t *at_ns);

#endif
