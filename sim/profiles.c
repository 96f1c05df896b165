#include "sim/profiles.h"

#include <string.h>

#include "assertion.h"
#include "sim/option.h"

#define US INT64_C(1000)
#define MS INT64_C(1000000)
#define KIB INT64_C(1024)
#define MIB (INT64_C(1024) * KIB)
#define MB INT64_C(1000000)

enum unit { UNIT_NS, UNIT_BYTES, UNIT_RATE, UNIT_SECTORS, UNIT_PERMILLE, UNIT_COUNT, UNIT_WORD };

static const char *const unit_names[] = {
    [UNIT_NS] = "ns",           [UNIT_BYTES] = "B",           [UNIT_RATE] = "B/s",
    [UNIT_SECTORS] = "sectors", [UNIT_PERMILLE] = "permille", [UNIT_COUNT] = "count",
    [UNIT_WORD] = "word",
};

/* Which kinds of disk a parameter says something about. */
enum scope { SCOPE_ALL, SCOPE_HDD, SCOPE_SSD };

static const char *const kind_words[] = {"hdd", "ssd", NULL};
static const char *const cache_words[] = {"off", "on", "protected", "ordered", NULL};
static const char *const switch_words[] = {"off", "on", NULL};

struct param_row {
    const char *name;
    enum unit unit;
    enum scope scope;
    int64_t min, max;
    const char *const *words;
};

static const struct param_row param_rows[SIM_PARAM_COUNT] = {
    [SIM_PARAM_KIND] = {"kind", UNIT_WORD, SCOPE_ALL, 0, 1, kind_words},
    [SIM_PARAM_SECTOR_SIZE] = {"sector-size", UNIT_BYTES, SCOPE_ALL, 512, 4096, NULL},
    [SIM_PARAM_WRITE_CACHE] = {"write-cache", UNIT_WORD, SCOPE_ALL, 0, 3, cache_words},
    [SIM_PARAM_CACHE_SIZE] = {"cache-size", UNIT_BYTES, SCOPE_ALL, 0, 2048 * MIB, NULL},
    [SIM_PARAM_DESTAGE_DELAY] = {"destage-delay", UNIT_NS, SCOPE_ALL, 0, 3600000 * MS, NULL},
    [SIM_PARAM_QUEUE_DEPTH] = {"queue-depth", UNIT_COUNT, SCOPE_ALL, 1, 65535, NULL},
    [SIM_PARAM_INTERFACE_RATE] = {"interface-rate", UNIT_RATE, SCOPE_ALL, MB, 1000000 * MB, NULL},
    [SIM_PARAM_COMMAND_OVERHEAD] = {"command-overhead", UNIT_NS, SCOPE_ALL, 0, 1000 * MS, NULL},
    [SIM_PARAM_ATOMIC] = {"atomic", UNIT_SECTORS, SCOPE_ALL, 1, 65536, NULL},
    [SIM_PARAM_TRIM] = {"trim", UNIT_WORD, SCOPE_ALL, 0, 1, switch_words},
    [SIM_PARAM_RPM] = {"rpm", UNIT_COUNT, SCOPE_HDD, 60, 1000000, NULL},
    [SIM_PARAM_CYLINDERS] = {"cylinders", UNIT_COUNT, SCOPE_HDD, 3, 1000000, NULL},
    [SIM_PARAM_HEADS] = {"heads", UNIT_COUNT, SCOPE_HDD, 1, 64, NULL},
    [SIM_PARAM_ZONES] = {"zones", UNIT_COUNT, SCOPE_HDD, 1, 64, NULL},
    [SIM_PARAM_TRACK_OUTER] = {"track-outer", UNIT_BYTES, SCOPE_HDD, 4096, 1024 * MIB, NULL},
    [SIM_PARAM_TRACK_INNER] = {"track-inner", UNIT_BYTES, SCOPE_HDD, 4096, 1024 * MIB, NULL},
    [SIM_PARAM_SEEK_TRACK] = {"seek-track", UNIT_NS, SCOPE_HDD, 0, 10000 * MS, NULL},
    [SIM_PARAM_SEEK_AVERAGE] = {"seek-average", UNIT_NS, SCOPE_HDD, 0, 10000 * MS, NULL},
    [SIM_PARAM_SEEK_FULL] = {"seek-full", UNIT_NS, SCOPE_HDD, 0, 10000 * MS, NULL},
    [SIM_PARAM_WRITE_SETTLE] = {"write-settle", UNIT_NS, SCOPE_HDD, 0, 10000 * MS, NULL},
    [SIM_PARAM_TRACK_BUFFER] = {"track-buffer", UNIT_BYTES, SCOPE_HDD, 0, 1024 * MIB, NULL},
    [SIM_PARAM_SEEK_BREAK] = {"seek-break", UNIT_COUNT, SCOPE_HDD, 0, 1000000, NULL},
    [SIM_PARAM_SEEK_NEAR_BASE] = {"seek-near-base", UNIT_NS, SCOPE_HDD, 0, 10000 * MS, NULL},
    [SIM_PARAM_SEEK_NEAR_ROOT] = {"seek-near-root", UNIT_NS, SCOPE_HDD, 0, 10000 * MS, NULL},
    [SIM_PARAM_SEEK_FAR_BASE] = {"seek-far-base", UNIT_NS, SCOPE_HDD, 0, 10000 * MS, NULL},
    [SIM_PARAM_SEEK_FAR_SLOPE] = {"seek-far-slope", UNIT_NS, SCOPE_HDD, 0, 10000 * MS, NULL},
    [SIM_PARAM_CHANNELS] = {"channels", UNIT_COUNT, SCOPE_SSD, 1, 64, NULL},
    [SIM_PARAM_DIES] = {"dies", UNIT_COUNT, SCOPE_SSD, 1, 64, NULL},
    [SIM_PARAM_PAGE_SIZE] = {"page-size", UNIT_BYTES, SCOPE_SSD, 4096, 64 * KIB, NULL},
    [SIM_PARAM_PAGES_PER_BLOCK] = {"pages-per-block", UNIT_COUNT, SCOPE_SSD, 1, 65536, NULL},
    [SIM_PARAM_PAGE_READ] = {"page-read", UNIT_NS, SCOPE_SSD, 0, 10000 * MS, NULL},
    [SIM_PARAM_PAGE_PROGRAM] = {"page-program", UNIT_NS, SCOPE_SSD, 0, 10000 * MS, NULL},
    [SIM_PARAM_BLOCK_ERASE] = {"block-erase", UNIT_NS, SCOPE_SSD, 0, 10000 * MS, NULL},
    [SIM_PARAM_CHANNEL_RATE] = {"channel-rate", UNIT_RATE, SCOPE_SSD, MB, 1000000 * MB, NULL},
    [SIM_PARAM_OVER_PROVISIONING] = {"over-provisioning", UNIT_PERMILLE, SCOPE_SSD, 10, 900, NULL},
};

/* A value with its provenance; an absent one (source NULL) has the default of its kind. */
struct value_row {
    int64_t value;
    const char *source, *status;
    int year;
};

#define ES3 "Seagate Constellation ES.3 4 TB product manual"
#define ES2 "Seagate Barracuda ES.2 1 TB product manual"
#define C15K7 "Seagate Cheetah 15K.7 product manual (ST3450857SS)"
#define RW94 "Ruemmler & Wilkes, IEEE Computer 27(3)"
#define MQSIM "MQSim default configuration (Tavakkol et al., FAST 2018)"
#define AGRAWAL "Agrawal et al., USENIX ATC 2008"
#define SATA "SATA 3 interface, net of coding and framing"
#define OURS "assumption of loris"

static const struct value_row default_rows[SIM_PARAM_COUNT] = {
    [SIM_PARAM_KIND] = {SIM_DISK_HDD, OURS, "ASSUMED", 2026},
    [SIM_PARAM_SECTOR_SIZE] = {512, "logical sector of ATA and SCSI disks", "RECALLED", 2026},
    [SIM_PARAM_WRITE_CACHE] = {SIM_CACHE_ON, "disks ship with the write cache on", "RECALLED",
                               2026},
    [SIM_PARAM_CACHE_SIZE] = {16 * MIB, OURS ": low end of disks of the 2000s", "ASSUMED", 2026},
    [SIM_PARAM_DESTAGE_DELAY] = {200 * MS, OURS ": idle time before writing back", "ASSUMED", 2026},
    [SIM_PARAM_QUEUE_DEPTH] = {32, "native command queuing, SATA 2.0", "RECALLED", 2004},
    [SIM_PARAM_INTERFACE_RATE] = {550 * MB, SATA, "RECALLED", 2009},
    [SIM_PARAM_COMMAND_OVERHEAD] = {75 * US, "SATA command overhead 50-100 us", "RECALLED", 2026},
    [SIM_PARAM_ATOMIC] = {1, "only a sector is atomic unless the device promises more", "RECALLED",
                          2026},
    [SIM_PARAM_TRIM] = {0, "rotating disks of these years have no TRIM", "RECALLED", 2026},
    [SIM_PARAM_RPM] = {7200, OURS, "ASSUMED", 2026},
    [SIM_PARAM_CYLINDERS] = {320800, ES3, "SEEN", 2012},
    [SIM_PARAM_HEADS] = {10, ES3, "SEEN", 2012},
    [SIM_PARAM_ZONES] = {16, OURS ": sectors a track linear in the cylinder", "ASSUMED", 2026},
    [SIM_PARAM_TRACK_OUTER] = {1458333, ES3, "DERIVED", 2012},
    [SIM_PARAM_TRACK_INNER] = {691667, ES3, "DERIVED", 2012},
    [SIM_PARAM_SEEK_TRACK] = {800 * US, ES3, "SEEN", 2012},
    [SIM_PARAM_SEEK_AVERAGE] = {8500 * US, ES3, "SEEN", 2012},
    [SIM_PARAM_SEEK_FULL] = {18 * MS, ES3, "RECALLED", 2012},
    [SIM_PARAM_WRITE_SETTLE] = {500 * US, OURS ": average write seek less read seek", "ASSUMED",
                                2026},
    [SIM_PARAM_TRACK_BUFFER] = {2 * MIB, OURS ": a few tracks of read-ahead", "ASSUMED", 2026},
    [SIM_PARAM_SEEK_BREAK] = {0, "three-point curve", "DERIVED", 2026},
    [SIM_PARAM_SEEK_NEAR_BASE] = {0, "unused by the three-point curve", "DERIVED", 2026},
    [SIM_PARAM_SEEK_NEAR_ROOT] = {0, "unused by the three-point curve", "DERIVED", 2026},
    [SIM_PARAM_SEEK_FAR_BASE] = {0, "unused by the three-point curve", "DERIVED", 2026},
    [SIM_PARAM_SEEK_FAR_SLOPE] = {0, "unused by the three-point curve", "DERIVED", 2026},
    [SIM_PARAM_CHANNELS] = {8, MQSIM, "SEEN", 2018},
    [SIM_PARAM_DIES] = {16, MQSIM ": 4 chips x 2 dies x 2 planes", "DERIVED", 2018},
    [SIM_PARAM_PAGE_SIZE] = {8192, MQSIM, "SEEN", 2018},
    [SIM_PARAM_PAGES_PER_BLOCK] = {256, MQSIM, "SEEN", 2018},
    [SIM_PARAM_PAGE_READ] = {75 * US, MQSIM, "SEEN", 2018},
    [SIM_PARAM_PAGE_PROGRAM] = {750 * US, MQSIM, "SEEN", 2018},
    [SIM_PARAM_BLOCK_ERASE] = {3800 * US, MQSIM, "SEEN", 2018},
    [SIM_PARAM_CHANNEL_RATE] = {333 * MB, MQSIM ": 333 MT/s x 8 bit", "SEEN", 2018},
    [SIM_PARAM_OVER_PROVISIONING] = {70, MQSIM, "SEEN", 2018},
};

struct profile {
    const char *name, *title;
    struct value_row rows[SIM_PARAM_COUNT];
};

static const struct profile hdd_7200 = {
    .name = "hdd-7200",
    .title = "nearline 7200 rpm disk (4 TB Constellation ES.3)",
    .rows =
        {
            [SIM_PARAM_KIND] = {SIM_DISK_HDD, ES3, "SEEN", 2012},
            [SIM_PARAM_RPM] = {7200, ES3, "SEEN", 2012},
            [SIM_PARAM_CYLINDERS] = {320800, ES3, "SEEN", 2012},
            [SIM_PARAM_HEADS] = {10, ES3, "SEEN", 2012},
            [SIM_PARAM_TRACK_OUTER] = {1458333, ES3 ": 175 MB/s sustained at 120 turns/s",
                                       "DERIVED", 2012},
            [SIM_PARAM_TRACK_INNER] = {691667, ES3 ": 83 MB/s sustained at 120 turns/s", "DERIVED",
                                       2012},
            [SIM_PARAM_SEEK_TRACK] = {800 * US, ES3, "SEEN", 2012},
            [SIM_PARAM_SEEK_AVERAGE] = {8500 * US, ES3, "SEEN", 2012},
            [SIM_PARAM_SEEK_FULL] = {18 * MS, ES3, "RECALLED", 2012},
            [SIM_PARAM_WRITE_SETTLE] = {MS, ES3 ": 9.5 ms write less 8.5 ms read", "DERIVED", 2012},
            [SIM_PARAM_CACHE_SIZE] = {128 * MIB, ES3, "RECALLED", 2012},
        },
};

static const struct profile hdd_15k = {
    .name = "hdd-15k",
    .title = "enterprise 15000 rpm SAS disk (450 GB Cheetah 15K.7)",
    .rows =
        {
            [SIM_PARAM_KIND] = {SIM_DISK_HDD, C15K7, "SEEN", 2009},
            [SIM_PARAM_RPM] = {15000, C15K7, "SEEN", 2009},
            [SIM_PARAM_CYLINDERS] = {107500, C15K7, "SEEN", 2009},
            [SIM_PARAM_HEADS] = {6, C15K7, "SEEN", 2009},
            [SIM_PARAM_TRACK_OUTER] = {816000, C15K7 ": 204 MB/s sustained at 250 turns/s",
                                       "RECALLED", 2009},
            [SIM_PARAM_TRACK_INNER] = {488000, C15K7 ": 122 MB/s sustained at 250 turns/s",
                                       "RECALLED", 2009},
            [SIM_PARAM_SEEK_TRACK] = {200 * US, C15K7, "SEEN", 2009},
            [SIM_PARAM_SEEK_AVERAGE] = {3400 * US, C15K7, "SEEN", 2009},
            [SIM_PARAM_SEEK_FULL] = {6600 * US, C15K7, "SEEN", 2009},
            [SIM_PARAM_WRITE_SETTLE] = {500 * US, C15K7 ": 3.9 ms write less 3.4 ms read",
                                        "DERIVED", 2009},
            [SIM_PARAM_CACHE_SIZE] = {16 * MIB, C15K7, "SEEN", 2009},
            [SIM_PARAM_INTERFACE_RATE] = {600 * MB, "SAS-2 port", "SEEN", 2009},
            [SIM_PARAM_QUEUE_DEPTH] = {64, OURS ": tagged queue of a SAS disk", "ASSUMED", 2026},
        },
};

static const struct profile ssd_sata = {
    .name = "ssd-sata",
    .title = "SLC flash behind SATA with a volatile cache",
    .rows =
        {
            [SIM_PARAM_KIND] = {SIM_DISK_SSD, AGRAWAL, "SEEN", 2008},
            [SIM_PARAM_CHANNELS] = {8, AGRAWAL ": 8 packages", "RECALLED", 2008},
            [SIM_PARAM_DIES] = {1, AGRAWAL ": one operation a package", "RECALLED", 2008},
            [SIM_PARAM_PAGE_SIZE] = {4096, AGRAWAL, "RECALLED", 2008},
            [SIM_PARAM_PAGES_PER_BLOCK] = {64, AGRAWAL, "RECALLED", 2008},
            [SIM_PARAM_PAGE_READ] = {25 * US, AGRAWAL, "RECALLED", 2008},
            [SIM_PARAM_PAGE_PROGRAM] = {200 * US, AGRAWAL, "RECALLED", 2008},
            [SIM_PARAM_BLOCK_ERASE] = {1500 * US, AGRAWAL, "RECALLED", 2008},
            [SIM_PARAM_CHANNEL_RATE] = {40960000, AGRAWAL ": 100 us for 4 KiB", "DERIVED", 2008},
            [SIM_PARAM_OVER_PROVISIONING] = {150, AGRAWAL, "RECALLED", 2008},
            [SIM_PARAM_CACHE_SIZE] = {64 * MIB, OURS ": DRAM of a consumer SSD", "ASSUMED", 2026},
            [SIM_PARAM_DESTAGE_DELAY] = {700 * MS,
                                         "Ahmadian et al., DATE 2018: lost up to 700 ms after "
                                         "completion",
                                         "SEEN", 2018},
            [SIM_PARAM_TRIM] = {1, "ATA DATA SET MANAGEMENT", "RECALLED", 2009},
        },
};

static const struct profile nvme = {
    .name = "nvme",
    .title = "datacenter MLC flash behind NVMe, cache protected against power loss",
    .rows =
        {
            [SIM_PARAM_KIND] = {SIM_DISK_SSD, MQSIM, "SEEN", 2018},
            [SIM_PARAM_CACHE_SIZE] = {256 * MIB, MQSIM, "SEEN", 2018},
            [SIM_PARAM_WRITE_CACHE] = {SIM_CACHE_PROTECTED,
                                       "datacenter SSDs hold their cache by capacitors", "RECALLED",
                                       2018},
            [SIM_PARAM_DESTAGE_DELAY] = {0, OURS ": nothing is gained by waiting", "ASSUMED", 2026},
            [SIM_PARAM_QUEUE_DEPTH] = {65535, MQSIM, "SEEN", 2018},
            [SIM_PARAM_INTERFACE_RATE] = {4000 * MB, MQSIM ": PCIe, 4 lanes of 1 GB/s", "SEEN",
                                          2018},
            [SIM_PARAM_COMMAND_OVERHEAD] = {10 * US, "NVMe command overhead 5-20 us", "RECALLED",
                                            2026},
            [SIM_PARAM_TRIM] = {1, "NVMe Dataset Management", "RECALLED", 2014},
        },
};

static const struct profile hp97560 = {
    .name = "hp97560",
    .title = "HP 97560, the disk of Ruemmler & Wilkes: the timing baseline",
    .rows =
        {
            [SIM_PARAM_KIND] = {SIM_DISK_HDD, RW94, "SEEN", 1994},
            [SIM_PARAM_RPM] = {4002, RW94, "RECALLED", 1994},
            [SIM_PARAM_CYLINDERS] = {1962, RW94, "SEEN", 1994},
            [SIM_PARAM_HEADS] = {19, RW94, "SEEN", 1994},
            [SIM_PARAM_ZONES] = {1, RW94 ": 72 sectors on every track", "SEEN", 1994},
            [SIM_PARAM_TRACK_OUTER] = {72 * 512, RW94, "SEEN", 1994},
            [SIM_PARAM_TRACK_INNER] = {72 * 512, RW94, "SEEN", 1994},
            [SIM_PARAM_SEEK_TRACK] = {3640 * US, RW94 ": the curve at distance 1", "DERIVED", 1994},
            [SIM_PARAM_SEEK_AVERAGE] = {12838380, RW94 ": mean of the curve", "DERIVED", 1994},
            [SIM_PARAM_SEEK_FULL] = {23688 * US, RW94 ": the curve at 1961", "DERIVED", 1994},
            [SIM_PARAM_SEEK_BREAK] = {383, RW94, "SEEN", 1994},
            [SIM_PARAM_SEEK_NEAR_BASE] = {3240 * US, RW94, "SEEN", 1994},
            [SIM_PARAM_SEEK_NEAR_ROOT] = {400 * US, RW94, "SEEN", 1994},
            [SIM_PARAM_SEEK_FAR_BASE] = {8 * MS, RW94, "SEEN", 1994},
            [SIM_PARAM_SEEK_FAR_SLOPE] = {8 * US, RW94, "SEEN", 1994},
            [SIM_PARAM_CACHE_SIZE] = {128 * KIB, RW94, "RECALLED", 1994},
            [SIM_PARAM_TRACK_BUFFER] = {128 * KIB, RW94, "RECALLED", 1994},
            [SIM_PARAM_INTERFACE_RATE] = {10 * MB, "fast SCSI-2", "RECALLED", 1994},
            [SIM_PARAM_COMMAND_OVERHEAD] = {1100 * US, OURS ": controller of the early 1990s",
                                            "ASSUMED", 2026},
            [SIM_PARAM_QUEUE_DEPTH] = {8, OURS ": SCSI-2 tagged queue", "ASSUMED", 2026},
        },
};

static const struct profile barracuda_es2 = {
    .name = "barracuda-es2",
    .title = "nearline 7200 rpm disk of 2008 (1 TB Barracuda ES.2)",
    .rows =
        {
            [SIM_PARAM_KIND] = {SIM_DISK_HDD, ES2, "SEEN", 2008},
            [SIM_PARAM_RPM] = {7200, ES2, "SEEN", 2008},
            [SIM_PARAM_CYLINDERS] = {153352, ES2, "SEEN", 2008},
            [SIM_PARAM_HEADS] = {8, ES2, "SEEN", 2008},
            [SIM_PARAM_TRACK_OUTER] = {1800 * 512, ES2 ": guess of the source", "RECALLED", 2008},
            [SIM_PARAM_TRACK_INNER] = {1220 * 512, ES2, "SEEN", 2008},
            [SIM_PARAM_SEEK_TRACK] = {800 * US, ES2, "SEEN", 2008},
            [SIM_PARAM_SEEK_AVERAGE] = {8500 * US, ES2, "SEEN", 2008},
            [SIM_PARAM_SEEK_FULL] = {16 * MS, ES2 ": guess of the source", "RECALLED", 2008},
            [SIM_PARAM_WRITE_SETTLE] = {500 * US, ES2 ": guess of the source", "RECALLED", 2008},
            [SIM_PARAM_CACHE_SIZE] = {32 * MIB, ES2 ": 16-32 MB", "RECALLED", 2008},
            [SIM_PARAM_INTERFACE_RATE] = {300 * MB, "SATA-2", "RECALLED", 2008},
        },
};

/* Every profile there is, in the order in which users see them: a new one is a table and a row. */
static const struct profile *const profiles[] = {&hdd_7200, &hdd_15k, &ssd_sata,
                                                 &nvme,     &hp97560, &barracuda_es2};
#define PROFILE_COUNT (sizeof(profiles) / sizeof(profiles[0]))

static const struct value_row *row_of(const struct profile *profile, enum sim_param param)
{
    const struct value_row *row = &profile->rows[param];
    return row->source != NULL ? row : &default_rows[param];
}

const char *sim_profile_name(uint32_t index)
{
    return index < PROFILE_COUNT ? profiles[index]->name : NULL;
}

const char *sim_profile_title(uint32_t index)
{
    ASSERT(index < PROFILE_COUNT);
    return profiles[index]->title;
}

enum err sim_profile_load(const char *name, struct sim_params *params)
{
    ASSERT(name != NULL && params != NULL);
    for (uint32_t i = 0; i < PROFILE_COUNT; i++) {
        if (strcmp(profiles[i]->name, name) != 0)
            continue;
        for (uint32_t p = 0; p < SIM_PARAM_COUNT; p++)
            params->value[p] = row_of(profiles[i], (enum sim_param)p)->value;
        return OK;
    }
    return E_NOENT;
}

bool sim_profile_info(uint32_t index, enum sim_param param, struct sim_param_info *info)
{
    ASSERT(index < PROFILE_COUNT && param < SIM_PARAM_COUNT);
    const struct profile *profile = profiles[index];
    if (!sim_param_applies(param, (enum sim_disk_kind)row_of(profile, SIM_PARAM_KIND)->value))
        return false;
    const struct value_row *row = row_of(profile, param);
    const struct param_row *p = &param_rows[param];
    *info = (struct sim_param_info){
        .name = p->name,
        .unit = unit_names[p->unit],
        .value = row->value,
        .word = p->words != NULL ? p->words[row->value] : NULL,
        .source = row->source,
        .status = row->status,
        .year = row->year,
    };
    return true;
}

const char *sim_param_name(enum sim_param param)
{
    ASSERT(param < SIM_PARAM_COUNT);
    return param_rows[param].name;
}

const char *sim_param_unit(enum sim_param param)
{
    ASSERT(param < SIM_PARAM_COUNT);
    return unit_names[param_rows[param].unit];
}

bool sim_param_applies(enum sim_param param, enum sim_disk_kind kind)
{
    ASSERT(param < SIM_PARAM_COUNT);
    switch (param_rows[param].scope) {
    case SCOPE_ALL:
        return true;
    case SCOPE_HDD:
        return kind == SIM_DISK_HDD;
    case SCOPE_SSD:
        return kind == SIM_DISK_SSD;
    }
    return false;
}

enum sim_param sim_param_find(const char *name)
{
    uint32_t p = 0;
    while (p < SIM_PARAM_COUNT && strcmp(param_rows[p].name, name) != 0)
        p++;
    return (enum sim_param)p;
}

static bool set_word(const struct param_row *row, const char *text, int64_t *value)
{
    for (int64_t i = 0; row->words[i] != NULL; i++)
        if (strcmp(row->words[i], text) == 0) {
            *value = i;
            return true;
        }
    /* YAML's other words for a switch; of a cache they mean off and on too */
    bool on = strcmp(text, "true") == 0;
    *value = on ? 1 : 0;
    return row->words != kind_words && (on || strcmp(text, "false") == 0);
}

/* A size, followed by "/s". */
static bool parse_rate(const char *text, int64_t *value, char *error)
{
    char size[64];
    size_t length = strlen(text);
    if (length < 3 || length - 2 >= sizeof(size) || strcmp(text + length - 2, "/s") != 0)
        return option_parse_integer(text, value, error);
    memcpy(size, text, length - 2);
    size[length - 2] = '\0';
    return option_parse_size(size, value, error);
}

static bool parse_value(const struct param_row *row, const char *text, int64_t *value)
{
    char error[OPTION_ERROR_BYTES];
    bool plain = option_parse_integer(text, value, error);
    switch (row->unit) {
    case UNIT_NS:
        return plain ? true : option_parse_time(text, value, error);
    case UNIT_BYTES:
        return plain ? true : option_parse_size(text, value, error);
    case UNIT_RATE:
        return parse_rate(text, value, error);
    case UNIT_SECTORS:
    case UNIT_PERMILLE:
    case UNIT_COUNT:
        return plain;
    case UNIT_WORD:
        return set_word(row, text, value);
    }
    return false;
}

enum err sim_params_set(struct sim_params *params, const char *name, const char *text)
{
    ASSERT(params != NULL && name != NULL && text != NULL);
    enum sim_param param = sim_param_find(name);
    if (param == SIM_PARAM_COUNT)
        return E_NOENT;
    int64_t value = 0;
    if (!parse_value(&param_rows[param], text, &value))
        return E_INVAL;
    return sim_params_set_number(params, name, value);
}

enum err sim_params_set_number(struct sim_params *params, const char *name, int64_t value)
{
    enum sim_param param = sim_param_find(name);
    if (param == SIM_PARAM_COUNT)
        return E_NOENT;
    if (value < param_rows[param].min || value > param_rows[param].max)
        return E_INVAL;
    params->value[param] = value;
    return OK;
}

/* What no single range says; SIM_PARAM_COUNT if all is well. */
static enum sim_param check_together(const int64_t *v)
{
    if (v[SIM_PARAM_SECTOR_SIZE] != 512 && v[SIM_PARAM_SECTOR_SIZE] != 4096)
        return SIM_PARAM_SECTOR_SIZE;
    if (v[SIM_PARAM_WRITE_CACHE] != SIM_CACHE_OFF && v[SIM_PARAM_CACHE_SIZE] < 64 * KIB)
        return SIM_PARAM_CACHE_SIZE;
    if (v[SIM_PARAM_KIND] == SIM_DISK_SSD)
        return v[SIM_PARAM_PAGE_SIZE] % 4096 != 0 ? SIM_PARAM_PAGE_SIZE : SIM_PARAM_COUNT;
    if (v[SIM_PARAM_TRACK_INNER] > v[SIM_PARAM_TRACK_OUTER])
        return SIM_PARAM_TRACK_INNER;
    if (v[SIM_PARAM_ZONES] > v[SIM_PARAM_CYLINDERS])
        return SIM_PARAM_ZONES;
    if (v[SIM_PARAM_SEEK_TRACK] > v[SIM_PARAM_SEEK_AVERAGE])
        return SIM_PARAM_SEEK_TRACK;
    if (v[SIM_PARAM_SEEK_AVERAGE] > v[SIM_PARAM_SEEK_FULL])
        return SIM_PARAM_SEEK_AVERAGE;
    return SIM_PARAM_COUNT;
}

enum err sim_params_check(const struct sim_params *params, enum sim_param *bad)
{
    enum sim_param at = SIM_PARAM_COUNT;
    for (uint32_t p = 0; p < SIM_PARAM_COUNT && at == SIM_PARAM_COUNT; p++)
        if (params->value[p] < param_rows[p].min || params->value[p] > param_rows[p].max)
            at = (enum sim_param)p;
    if (at == SIM_PARAM_COUNT)
        at = check_together(params->value);
    if (bad != NULL)
        *bad = at;
    return at == SIM_PARAM_COUNT ? OK : E_INVAL;
}
