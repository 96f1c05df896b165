/*
 * Carrying a fault out. It took effect where it changed what a real fault would have: a flip in a
 * byte that is there, a write that was really spoiled, a process that was alive; whether that was
 * noticed, or mattered, is the trial's result and not asked here.
 */
#include <stdio.h>
#include <string.h>

#include "faults/inject_private.h"
#include "sim/rng.h"
#include "stack/designs.h"

/* Of latent errors about one half has another within 10 MB (Bairavasundaram et al., SIGMETRICS
 * 2007). */
#define NEAR_SHARE 0.5

/* ---- Disks -------------------------------------------------------------------------------------
 */

static uint64_t ordinal(enum draw draw, uint64_t k)
{
    return (uint64_t)DRAW_MANY * (1 + (uint64_t)draw) + k;
}

/* The k-th sector that a fault of media hits; *sector: the one before, unless k is 0. false: there
 * is none that it may hit. */
static bool pick_sector(struct injector *in, uint32_t i, const struct inject_places *places,
                        uint64_t k, uint64_t *sector)
{
    const struct fault *f = fault_of(in, i);
    struct sim_disk_identity disk_is = sim_disk_identify(places->disk);
    double fraction = inject_fraction(in, i, ordinal(DRAW_PLACE, k));
    uint64_t first = 0, end = places->count;
    if (end == 0)
        return false;
    uint64_t near = f->near_bytes / disk_is.sector_size;
    if (near > 0 && k > 0 && inject_fraction(in, i, ordinal(DRAW_NEAR, k)) < NEAR_SHARE) {
        uint64_t high = *sector + near < disk_is.sectors ? *sector + near + 1 : disk_is.sectors;
        first = inject_places_below(places, *sector > near ? *sector - near : 0);
        end = inject_places_below(places, high);
        ASSERT(first < end); /* the one before lies among them */
    }
    *sector = inject_places_nth(places, first + amount_share(fraction, end - first));
    return true;
}

/* Each draw is one hit; a sector that was never written is as bad afterwards as any other, so with
 * `where: any` it counts. */
static void strike_media(struct injector *in, uint32_t i, struct sim_disk *disk)
{
    const struct fault *f = fault_of(in, i);
    struct strike *s = &in->fault[i].strike;
    uint64_t count = inject_amount(in, i, &f->count, DRAW_COUNT), sector = 0;
    uint32_t bits = sim_disk_identify(disk).sector_size * 8;
    struct inject_places places = inject_places_find(in, i, disk);
    s->wanted += count;
    for (uint64_t k = 0; k < count; k++) {
        if (!pick_sector(in, i, &places, k, &sector))
            break;
        if (f->kind == FAULT_DISK_LATENT_ERROR) {
            sim_disk_latent_error(disk, sector, 1);
        } else {
            double bit = inject_fraction(in, i, ordinal(DRAW_BIT, k));
            (void)sim_disk_bit_rot(disk, sector, (uint32_t)amount_share(bit, bits));
        }
        s->done++;
    }
    inject_places_free(&places);
}

static void strike_disk(struct injector *in, uint32_t i, struct sim_disk *disk)
{
    const struct fault *f = fault_of(in, i);
    struct strike *s = &in->fault[i].strike;
    switch (f->kind) {
    case FAULT_DISK_FAIL_STOP:
        sim_disk_fail_stop(disk);
        s->wanted++;
        s->done++;
        break;
    case FAULT_DISK_FAIL_SLOW: /* inject_lasting_begin does it */
        s->wanted++;
        s->done++;
        break;
    case FAULT_DISK_LATENT_ERROR:
    case FAULT_DISK_BIT_ROT:
        strike_media(in, i, disk);
        break;
    default:
        ASSERT(false); /* the campaign's check refuses the others by name */
        break;
    }
}

/* Of all disks it means those that still live. */
static void strike_disks(struct injector *in, uint32_t i)
{
    struct armed *a = &in->fault[i];
    for (uint32_t d = 0; d < in->setup.options->disks; d++) {
        struct sim_disk *disk = sim_machine_disk(in->setup.machine, d);
        if (inject_aims_at_disk(a, d) && !sim_disk_failed(disk))
            strike_disk(in, i, disk);
    }
    a->strike.took_effect = a->strike.done > 0;
}

/* From now on requests are spoiled: of the target, of each disk `count`. */
static void lie_in_wait(struct injector *in, uint32_t i)
{
    struct armed *a = &in->fault[i];
    uint64_t count = inject_amount(in, i, &fault_of(in, i)->count, DRAW_COUNT);
    a->stage = STAGE_ARMED;
    for (uint32_t d = 0; d < in->setup.options->disks; d++) {
        bool aims =
            inject_aims_at_disk(a, d) && !sim_disk_failed(sim_machine_disk(in->setup.machine, d));
        a->left[d] = aims ? count : 0;
        a->strike.wanted += a->left[d];
    }
}

static bool spoils(const struct fault *f, const struct sim_disk_event *event)
{
    switch (f->kind) {
    case FAULT_DISK_TRANSIENT_ERROR:
        return true;
    case FAULT_DISK_LOST_WRITE:
    case FAULT_DISK_MISDIRECTED_WRITE:
        return event->op == SIM_DISK_WRITE;
    case FAULT_DISK_MISDIRECTED_READ:
        return event->op == SIM_DISK_READ;
    case FAULT_DISK_LYING_FLUSH: /* whatever is to be stable once it is answered */
        return event->op == SIM_DISK_FLUSH || (event->op == SIM_DISK_WRITE && event->fua);
    default: /* a sector is the atom: of one there is nothing to tear; the next write then */
        ASSERT(f->kind == FAULT_DISK_TORN_WRITE);
        return event->op == SIM_DISK_WRITE && event->count >= 2;
    }
}

/* Where a request goes instead: to sectors that were written, where there are any, since there it
 * does harm; beside its own place if that is what was drawn. False: the disk has no other place. */
static bool pick_wrong_place(struct injector *in, uint32_t i, struct sim_disk *disk,
                             const struct sim_disk_event *event, uint64_t *place)
{
    double fraction = inject_fraction(in, i, ordinal(DRAW_PLACE, in->fault[i].strike.done));
    uint64_t used = sim_disk_used_count(disk), sectors = sim_disk_identify(disk).sectors;
    uint64_t first = event->first_sector, count = event->count, last = sectors - count;
    *place = used > 0 ? sim_disk_used_nth(disk, amount_share(fraction, used))
                      : amount_share(fraction, sectors);
    *place = *place < last ? *place : last;
    if (*place + count <= first || first + count <= *place)
        return true;
    *place = first + count <= last ? first + count : first - count;
    return first + count <= last || first >= count;
}

/* The request that is being submitted goes wrong. Whether it could. */
static bool spoil_request(struct injector *in, uint32_t i, struct sim_disk *disk,
                          const struct sim_disk_event *event)
{
    double fraction = inject_fraction(in, i, ordinal(DRAW_TEAR, in->fault[i].strike.done));
    uint64_t place;
    switch (fault_of(in, i)->kind) {
    case FAULT_DISK_TRANSIENT_ERROR:
        sim_disk_transient_errors(disk, 1);
        return true;
    case FAULT_DISK_LOST_WRITE:
        sim_disk_lost_write(disk);
        return true;
    case FAULT_DISK_MISDIRECTED_WRITE:
        if (!pick_wrong_place(in, i, disk, event, &place))
            return false;
        sim_disk_misdirected_write(disk, place);
        return true;
    case FAULT_DISK_MISDIRECTED_READ:
        if (!pick_wrong_place(in, i, disk, event, &place))
            return false;
        sim_disk_misdirected_read(disk, place);
        return true;
    case FAULT_DISK_TORN_WRITE:
        sim_disk_torn_write(disk, 1 + (uint32_t)amount_share(fraction, event->count - 1));
        return true;
    default:
        ASSERT(fault_of(in, i)->kind == FAULT_DISK_LYING_FLUSH); /* it lies since it began */
        return true;
    }
}

bool inject_spoil(struct injector *in, uint32_t i, struct sim_disk *disk,
                  const struct sim_disk_event *event)
{
    const struct fault *f = fault_of(in, i);
    struct armed *a = &in->fault[i];
    ASSERT(a->stage == STAGE_ARMED && a->left[event->disk] > 0);
    if (sim_disk_failed(disk) || !spoils(f, event) || !spoil_request(in, i, disk, event))
        return false;
    a->left[event->disk]--;
    a->strike.done++;
    a->strike.took_effect = true;
    a->stage = STAGE_OVER;
    for (uint32_t d = 0; d < in->setup.options->disks; d++)
        if (a->left[d] > 0)
            a->stage = STAGE_ARMED;
    return true;
}

/* ---- All ---------------------------------------------------------------------------------------
 */

static void name_target(struct injector *in, uint32_t i)
{
    static const char *const regions[] = {[FAULT_REGION_ANY] = "",
                                          [FAULT_REGION_PAGES] = " pages",
                                          [FAULT_REGION_HEAP] = " heap",
                                          [FAULT_REGION_STACK] = " stack",
                                          [FAULT_REGION_LOG] = " log"};
    const struct fault *f = fault_of(in, i);
    struct armed *a = &in->fault[i];
    char *to = a->strike.target;
    size_t room = sizeof(a->strike.target);
    if (f->kind == FAULT_POWER_CUT)
        (void)snprintf(to, room, "all disks");
    else if (f->layer != LAYER_NONE && a->instance == OFFER_INSTANCES_MAX)
        (void)snprintf(to, room, "all of %s%s", layer_name(f->layer), regions[f->region]);
    else if (f->layer != LAYER_NONE)
        (void)snprintf(to, room, "%s %u%s", layer_name(f->layer), a->instance,
                       f->kind == FAULT_MEMORY_FLIP ? regions[f->region] : "");
    else if (a->disk == DISKS_MAX)
        (void)snprintf(to, room, "all disks");
    else if (a->disk == NO_DISK)
        (void)snprintf(to, room, "no disk");
    else
        (void)snprintf(to, room, "disk %u", a->disk);
    size_t at = strlen(to);
    if (f->kind == FAULT_PROCESS_BUG)
        (void)snprintf(to + at, room - at, " %s", inject_bug_name(in, i));
}

void inject_strike(struct injector *in, uint32_t i)
{
    const struct fault *f = fault_of(in, i);
    struct armed *a = &in->fault[i];
    ASSERT(a->stage != STAGE_OVER && !a->strike.struck);
    a->strike.struck = true;
    a->strike.instance = a->instance;
    a->strike.time_ns = sim_machine_now(in->setup.machine) - in->setup.origin_ns;
    a->stage = STAGE_OVER;
    if (f->kind == FAULT_PROCESS_BUG)
        inject_bug_draw(in, i);
    inject_find_holder(in, i);
    name_target(in, i);
    switch (f->kind) {
    case FAULT_POWER_CUT:
        a->strike.took_effect = sim_machine_powered(in->setup.machine); /* none to cut: none */
        a->strike.wanted = a->strike.done = a->strike.took_effect;
        break;
    case FAULT_DISK_LYING_FLUSH:
        inject_lasting_begin(in, i);
        lie_in_wait(in, i);
        break;
    case FAULT_DISK_TORN_WRITE:
    case FAULT_DISK_LOST_WRITE:
    case FAULT_DISK_MISDIRECTED_WRITE:
    case FAULT_DISK_MISDIRECTED_READ:
    case FAULT_DISK_TRANSIENT_ERROR:
        lie_in_wait(in, i);
        break;
    case FAULT_DISK_FAIL_SLOW:
    case FAULT_DISK_FAIL_STOP:
        inject_lasting_begin(in, i);
        strike_disks(in, i);
        break;
    case FAULT_PROCESS_CRASH:
    case FAULT_PROCESS_HANG:
    case FAULT_PROCESS_BUG:
    case FAULT_MEMORY_FLIP:
        inject_instances_strike(in, i);
        break;
    default:
        strike_disks(in, i);
        break;
    }
}
