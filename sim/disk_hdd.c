#include "sim/disk_hdd.h"

#include <math.h>

#include "assertion.h"

/* A head that arrives this little late still catches its sector: covers the rounding to ns. */
#define CATCH_NS 2000u

/*
 * The three-point curve T(d) = t + b*sqrt(d-1) + c*(d-1), d >= 1, of which t = T(1), the mean over
 * uniform pairs of different cylinders, and T(D-1) are given. P(distance = d) = 2(D-d)/(D(D-1)).
 */
static void fit_curve(struct disk_hdd *hdd, double track, double average, double full)
{
    double d_max = (double)hdd->cylinders, mean_root = 0, mean_line = 0;
    for (double d = 1; d < d_max; d++) {
        double share = 2 * (d_max - d) / (d_max * (d_max - 1));
        mean_root += share * sqrt(d - 1);
        mean_line += share * (d - 1);
    }
    double end_root = sqrt(d_max - 2), end_line = d_max - 2;
    double determinant = mean_root * end_line - mean_line * end_root;
    double to_average = average - track, to_full = full - track;
    ASSERT(determinant != 0);
    hdd->root_ns = (to_average * end_line - mean_line * to_full) / determinant;
    hdd->slope_ns = (mean_root * to_full - to_average * end_root) / determinant;
}

static void lay_zones(struct disk_hdd *hdd, const int64_t *v)
{
    uint64_t total = 0, laid = 0, track = 0;
    uint64_t sector_size = (uint64_t)v[SIM_PARAM_SECTOR_SIZE];
    hdd->zones = (uint32_t)v[SIM_PARAM_ZONES];
    ASSERT(hdd->zones >= 1 && hdd->zones <= HDD_ZONES_MAX);
    for (uint32_t z = 0; z < hdd->zones; z++) { /* linear between the ends, in the zone's middle */
        uint64_t inner = (uint64_t)v[SIM_PARAM_TRACK_INNER];
        uint64_t span = (uint64_t)v[SIM_PARAM_TRACK_OUTER] - inner;
        uint64_t steps = hdd->zones > 1 ? hdd->zones - 1 : 1;
        uint64_t bytes = inner + span * (steps - (hdd->zones > 1 ? z : 0)) / steps;
        hdd->zone[z].track_sectors = (uint32_t)(bytes / sector_size);
        ASSERT(hdd->zone[z].track_sectors > 0);
        total += hdd->zone[z].track_sectors;
    }
    uint64_t tracks_before = 0;
    for (uint32_t z = 0; z < hdd->zones; z++) { /* a zone's share of the sectors is its density's */
        struct hdd_zone *zone = &hdd->zone[z];
        laid += zone->track_sectors;
        zone->first = track;
        zone->end = (uint64_t)((double)hdd->sectors * (double)laid / (double)total);
        if (z == hdd->zones - 1)
            zone->end = hdd->sectors;
        zone->first_track = tracks_before;
        tracks_before += (zone->end - zone->first) / zone->track_sectors + 1;
        track = zone->end;
    }
}

void disk_hdd_init(struct disk_hdd *hdd, const struct sim_params *params, uint64_t sectors)
{
    const int64_t *v = params->value;
    ASSERT(v[SIM_PARAM_KIND] == SIM_DISK_HDD);
    ASSERT(sectors > 0);
    *hdd = (struct disk_hdd){
        .rotation_ns = UINT64_C(60000000000) / (uint64_t)v[SIM_PARAM_RPM],
        .settle_ns = (uint64_t)v[SIM_PARAM_WRITE_SETTLE],
        .step_ns = (uint64_t)v[SIM_PARAM_SEEK_TRACK],
        .sectors = sectors,
        .cylinders = (uint64_t)v[SIM_PARAM_CYLINDERS],
        .break_cylinders = (uint64_t)v[SIM_PARAM_SEEK_BREAK],
        .near_base_ns = (double)v[SIM_PARAM_SEEK_NEAR_BASE],
        .near_root_ns = (double)v[SIM_PARAM_SEEK_NEAR_ROOT],
        .far_base_ns = (double)v[SIM_PARAM_SEEK_FAR_BASE],
        .far_slope_ns = (double)v[SIM_PARAM_SEEK_FAR_SLOPE],
        .buffer_sectors = (uint64_t)v[SIM_PARAM_TRACK_BUFFER] / (uint64_t)v[SIM_PARAM_SECTOR_SIZE],
    };
    fit_curve(hdd, (double)v[SIM_PARAM_SEEK_TRACK], (double)v[SIM_PARAM_SEEK_AVERAGE],
              (double)v[SIM_PARAM_SEEK_FULL]);
    lay_zones(hdd, v);
}

void disk_hdd_cold(struct disk_hdd *hdd)
{
    hdd->head = 0;
    hdd->buffer_first = 0;
    hdd->buffer_end = 0;
    hdd->read_end = 0;
    hdd->read_end_ns = 0;
}

uint64_t disk_hdd_curve(const struct disk_hdd *hdd, uint64_t distance)
{
    if (distance == 0)
        return 0;
    double d = (double)distance;
    if (hdd->break_cylinders == 0)
        return (uint64_t)((double)hdd->step_ns + hdd->root_ns * sqrt(d - 1) +
                          hdd->slope_ns * (d - 1));
    if (distance < hdd->break_cylinders)
        return (uint64_t)(hdd->near_base_ns + hdd->near_root_ns * sqrt(d));
    return (uint64_t)(hdd->far_base_ns + hdd->far_slope_ns * d);
}

/* Where a sector lies: track (global number), ns from the track's start, cylinder. */
struct place {
    const struct hdd_zone *zone;
    uint64_t track, angle_ns, cylinder;
};

static struct place place_of(const struct disk_hdd *hdd, uint64_t sector)
{
    if (sector >= hdd->sectors)
        sector = hdd->sectors - 1; /* the head behind the last sector */
    uint32_t z = 0;
    while (sector >= hdd->zone[z].end)
        z++;
    const struct hdd_zone *zone = &hdd->zone[z];
    uint64_t in_zone = sector - zone->first, size = zone->end - zone->first;
    uint64_t low = hdd->cylinders * z / hdd->zones, high = hdd->cylinders * (z + 1) / hdd->zones;
    uint64_t in_track = in_zone % zone->track_sectors;
    return (struct place){
        .zone = zone,
        .track = zone->first_track + in_zone / zone->track_sectors,
        .angle_ns = in_track * hdd->rotation_ns / zone->track_sectors,
        .cylinder = low + (uint64_t)((double)in_zone / (double)size * (double)(high - low)),
    };
}

/* The same of what a choice compares, kept: the candidates of one choice are mostly those of the
 * last, and a place costs six divisions. */
static const struct hdd_spot *spot_of(struct disk_hdd *hdd, uint64_t sector)
{
    uint64_t mixed = sector * UINT64_C(0x9e3779b97f4a7c15);
    struct hdd_spot *spot = &hdd->spot[mixed >> (64 - HDD_SPOT_BITS)];
    if (spot->key == sector + 1)
        return spot;
    struct place at = place_of(hdd, sector);
    uint64_t skew_ns = at.track * (hdd->step_ns % hdd->rotation_ns);
    *spot = (struct hdd_spot){.key = sector + 1,
                              .track = at.track,
                              .cylinder = at.cylinder,
                              .target_ns = (at.angle_ns + skew_ns) % hdd->rotation_ns};
    return spot;
}

static uint64_t seek_ns(const struct disk_hdd *hdd, const struct hdd_spot *from,
                        const struct hdd_spot *to)
{
    if (from->track == to->track)
        return 0;
    uint64_t tracks = from->track > to->track ? from->track - to->track : to->track - from->track;
    if (tracks == 1)
        return hdd->step_ns;
    uint64_t cylinders = from->cylinder > to->cylinder ? from->cylinder - to->cylinder
                                                       : to->cylinder - from->cylinder;
    return disk_hdd_curve(hdd, cylinders > 0 ? cylinders : 1);
}

struct hdd_aim disk_hdd_aim(struct disk_hdd *hdd, uint64_t now_ns)
{
    return (struct hdd_aim){.from = *spot_of(hdd, hdd->head), /* a copy: the table forgets */
                            .head = hdd->head,
                            .turned_ns = now_ns % hdd->rotation_ns};
}

uint64_t disk_hdd_position(struct disk_hdd *hdd, const struct hdd_aim *aim, uint64_t first,
                           bool write)
{
    ASSERT(first < hdd->sectors);
    ASSERT(aim->head == hdd->head);
    const struct hdd_spot *to = spot_of(hdd, first);
    uint64_t seek = seek_ns(hdd, &aim->from, to);
    if (seek > 0 && write && first != hdd->head)
        seek += hdd->settle_ns;
    uint64_t arrival = (aim->turned_ns + seek) % hdd->rotation_ns;
    uint64_t late = to->target_ns >= arrival ? 0 : hdd->rotation_ns;
    uint64_t wait = to->target_ns + late - arrival;
    return seek + (wait + CATCH_NS > hdd->rotation_ns ? 0 : wait);
}

uint64_t disk_hdd_transfer(const struct disk_hdd *hdd, uint64_t first, uint32_t count)
{
    struct place at = place_of(hdd, first);
    uint64_t in_track = (first - at.zone->first) % at.zone->track_sectors;
    uint64_t end = in_track + count;
    uint64_t switches = (end - 1) / at.zone->track_sectors;
    uint64_t end_ns = end * hdd->rotation_ns / at.zone->track_sectors;
    return end_ns - at.angle_ns + switches * hdd->step_ns;
}

void disk_hdd_moved(struct disk_hdd *hdd, uint64_t end_ns, uint64_t first, uint32_t count,
                    bool write)
{
    hdd->head = first + count;
    if (write)
        return; /* the buffer is for timing only: content comes from the chains */
    uint64_t ahead = hdd->sectors - hdd->head;
    ahead = ahead < hdd->buffer_sectors ? ahead : hdd->buffer_sectors;
    hdd->buffer_first = first;
    hdd->buffer_end = hdd->head + ahead;
    hdd->read_end = hdd->head;
    hdd->read_end_ns = end_ns;
}

/* When the sector before `end` has passed, on the way on from the last read. */
static uint64_t passed_ns(const struct disk_hdd *hdd, uint64_t end)
{
    if (end <= hdd->read_end)
        return hdd->read_end_ns;
    return hdd->read_end_ns +
           disk_hdd_transfer(hdd, hdd->read_end, (uint32_t)(end - hdd->read_end));
}

void disk_hdd_stop_reading_ahead(struct disk_hdd *hdd, uint64_t now_ns)
{
    if (hdd->buffer_end <= hdd->read_end)
        return;
    uint64_t read = 0;
    if (now_ns > hdd->read_end_ns) {
        struct place at = place_of(hdd, hdd->read_end);
        uint64_t turn_ns = hdd->rotation_ns + hdd->step_ns, passed = now_ns - hdd->read_end_ns;
        read = passed / turn_ns * at.zone->track_sectors +
               passed % turn_ns * at.zone->track_sectors / turn_ns;
    }
    if (read < hdd->buffer_end - hdd->read_end)
        hdd->buffer_end = hdd->read_end + read;
    hdd->head = hdd->buffer_end;
    hdd->read_end = hdd->buffer_end;
}

bool disk_hdd_buffered(struct disk_hdd *hdd, uint64_t now_ns, uint64_t first, uint32_t count,
                       uint64_t *at_ns)
{
    uint64_t end = first + count;
    if (first < hdd->buffer_first || end > hdd->buffer_end)
        return false;
    *at_ns = passed_ns(hdd, end);
    if (hdd->buffer_end > hdd->read_end && passed_ns(hdd, hdd->buffer_end) >= now_ns) {
        /* what was asked for makes room: the head, not stopped yet, reads on */
        uint64_t more = end + hdd->buffer_sectors;
        more = more < hdd->sectors ? more : hdd->sectors;
        hdd->buffer_end = more > hdd->buffer_end ? more : hdd->buffer_end;
        hdd->read_end_ns = *at_ns;
        hdd->read_end = end > hdd->read_end ? end : hdd->read_end;
    }
    return true;
}
