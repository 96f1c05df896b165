/*
 * Disk profiles: named sets of parameters with the source of every value. A profile is an input of
 * a campaign, never tuned to its results; any parameter can be overridden by name.
 *
 * Every parameter has one base unit and an integer value: ns, bytes, bytes/s, sectors, permille, a
 * count, or a word of a short list (kind, write-cache, on/off). A profile that does not give a
 * parameter has its default, whose provenance is given in the same way.
 *
 * Invariants: (1) every shipped value has source, status and year; (2) a parameter set that
 * sim_params_check accepts can be given to sim_disk_create.
 */
#ifndef LORIS_SIM_PROFILES_H
#define LORIS_SIM_PROFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"

/* What a disk is made of. The order is that of the table in profiles.c. */
enum sim_param {
    SIM_PARAM_KIND,              /* enum sim_disk_kind */
    SIM_PARAM_SECTOR_SIZE,       /* bytes: 512 or 4096 */
    SIM_PARAM_WRITE_CACHE,       /* enum sim_write_cache */
    SIM_PARAM_CACHE_SIZE,        /* bytes of volatile write cache */
    SIM_PARAM_DESTAGE_DELAY,     /* ns that a cached write waits before it is written back */
    SIM_PARAM_QUEUE_DEPTH,       /* commands that the device holds and may reorder */
    SIM_PARAM_INTERFACE_RATE,    /* bytes/s */
    SIM_PARAM_COMMAND_OVERHEAD,  /* ns for each command */
    SIM_PARAM_ATOMIC,            /* sectors: an aligned write up to this size is never torn */
    SIM_PARAM_TRIM,              /* 0 ignored, 1 trimmed sectors read as zeros */
    SIM_PARAM_RPM,               /* hdd: rotations per minute */
    SIM_PARAM_CYLINDERS,         /* hdd: over which the seek curve is defined */
    SIM_PARAM_HEADS,             /* hdd */
    SIM_PARAM_ZONES,             /* hdd */
    SIM_PARAM_TRACK_OUTER,       /* hdd: bytes on the outermost track */
    SIM_PARAM_TRACK_INNER,       /* hdd: bytes on the innermost track */
    SIM_PARAM_SEEK_TRACK,        /* hdd: ns to the next track */
    SIM_PARAM_SEEK_AVERAGE,      /* hdd: ns, mean over uniform pairs of cylinders */
    SIM_PARAM_SEEK_FULL,         /* hdd: ns over all cylinders */
    SIM_PARAM_WRITE_SETTLE,      /* hdd: ns that a seek for writing takes longer */
    SIM_PARAM_TRACK_BUFFER,      /* hdd: bytes of read-ahead */
    SIM_PARAM_SEEK_BREAK,        /* hdd: 0, or cylinders where a two-piece curve changes its form */
    SIM_PARAM_SEEK_NEAR_BASE,    /* hdd, two-piece: ns */
    SIM_PARAM_SEEK_NEAR_ROOT,    /* hdd, two-piece: ns for the root of a cylinder */
    SIM_PARAM_SEEK_FAR_BASE,     /* hdd, two-piece: ns */
    SIM_PARAM_SEEK_FAR_SLOPE,    /* hdd, two-piece: ns a cylinder */
    SIM_PARAM_CHANNELS,          /* ssd */
    SIM_PARAM_DIES,              /* ssd: planes that work at the same time, for each channel */
    SIM_PARAM_PAGE_SIZE,         /* ssd: bytes */
    SIM_PARAM_PAGES_PER_BLOCK,   /* ssd */
    SIM_PARAM_PAGE_READ,         /* ssd: ns */
    SIM_PARAM_PAGE_PROGRAM,      /* ssd: ns */
    SIM_PARAM_BLOCK_ERASE,       /* ssd: ns */
    SIM_PARAM_CHANNEL_RATE,      /* ssd: bytes/s */
    SIM_PARAM_OVER_PROVISIONING, /* ssd: permille of the size that is hidden */
    SIM_PARAM_COUNT
};

enum sim_disk_kind { SIM_DISK_HDD = 0, SIM_DISK_SSD = 1 };

/* off: acknowledged when stable. on: volatile, written back in any order. protected: survives a
 * power cut. ordered: volatile, but what survives is a prefix of what was acknowledged. */
enum sim_write_cache {
    SIM_CACHE_OFF = 0,
    SIM_CACHE_ON = 1,
    SIM_CACHE_PROTECTED = 2,
    SIM_CACHE_ORDERED = 3,
};

/* One value of one profile with its provenance, for `loris list profiles`. */
struct sim_param_info {
    const char *name;   /* as in a campaign file: "write-cache" */
    const char *unit;   /* "ns", "B", "B/s", "sectors", "permille", "count", "word" */
    int64_t value;      /* in that unit */
    const char *word;   /* the value in words if the unit is "word", else NULL */
    const char *source; /* where the value is from */
    const char *status; /* SEEN, SEEN*, RECALLED, DERIVED, ASSUMED */
    int year;           /* of the source */
};

/* All parameters of one disk, resolved. A plain value: copy it as you like. */
struct sim_params {
    int64_t value[SIM_PARAM_COUNT];
};

/* Profiles in the order in which users see them: name of the index-th, NULL past the last. */
const char *sim_profile_name(uint32_t index);

/* One line about the index-th profile (index < count): which device it describes. */
const char *sim_profile_title(uint32_t index);

/* Fills `params` with the profile called `name`. Returns OK, or E_NOENT if there is none. */
MUST_USE enum err sim_profile_load(const char *name, struct sim_params *params);

/* Tells value and provenance of one parameter of the index-th profile. Returns false if the
 * parameter says nothing of that kind of disk (a seek time of an SSD). */
bool sim_profile_info(uint32_t index, enum sim_param param, struct sim_param_info *info);

/* The name and unit of a parameter; whether a disk of this kind has it. */
const char *sim_param_name(enum sim_param param);
const char *sim_param_unit(enum sim_param param);
bool sim_param_applies(enum sim_param param, enum sim_disk_kind kind);

/* The parameter called `name`, SIM_PARAM_COUNT if there is none. */
enum sim_param sim_param_find(const char *name);

/*
 * Overrides one parameter by name. text: a word ("off"), an integer in the base unit, or a decimal
 * number with a unit: ns us ms s; B KiB MiB GiB TiB kB MB GB TB; KiB/s ... GB/s.
 * Returns OK, E_NOENT (no such parameter), E_INVAL (text is no value of it); nothing changes then.
 */
MUST_USE enum err sim_params_set(struct sim_params *params, const char *name, const char *text);

/* The same with a number in the base unit. */
MUST_USE enum err sim_params_set_number(struct sim_params *params, const char *name, int64_t value);

/* Whether the set as a whole is a disk: OK, or E_INVAL with *bad the first parameter at fault. */
MUST_USE enum err sim_params_check(const struct sim_params *params, enum sim_param *bad);

#endif
