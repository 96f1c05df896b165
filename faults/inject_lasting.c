/*
 * Faults that last: a slow disk, a flush that lies, a disk that is gone, a process that hangs. They
 * begin at their moment and end after `for`, or never. Several may act on one disk: it is as slow
 * as the worst of them says, and lies or stays away while one of them does. A process goes on when
 * the first of them ends.
 */
#include "faults/inject_private.h"

#define HEALTHY_PERMILLE 1000u
#define NOTICE_NS UINT64_C(3600000000000) /* how often somebody looks whether a disk has to go */
#define SLOWEST_PERMILLE 1000000000u      /* what a disk takes */

static void apply(struct injector *in)
{
    for (uint32_t d = 0; d < in->setup.options->disks; d++) {
        uint64_t permille = HEALTHY_PERMILLE;
        bool lies = false;
        for (uint32_t i = 0; i < in->slots; i++) {
            const struct armed *a = &in->fault[i];
            bool of_disk = fault_of(in, i)->kind != FAULT_PROCESS_HANG;
            if (!a->acting || !of_disk || !inject_aims_at_disk(a, d))
                continue;
            permille = a->slow_permille > permille ? a->slow_permille : permille;
            lies = lies || fault_of(in, i)->kind == FAULT_DISK_LYING_FLUSH;
        }
        struct sim_disk *disk = sim_machine_disk(in->setup.machine, d);
        sim_disk_fail_slow(disk, permille);
        sim_disk_lying_flush(disk, lies);
    }
}

/* A disk that nothing keeps away any more is back, with what it had on its medium, or a blank one
 * in its place. */
static void bring_back(struct injector *in, const struct armed *over)
{
    bool blank = in->setup.plan->faults[over->of].replaced;
    for (uint32_t d = 0; d < in->setup.options->disks; d++) {
        struct sim_disk *disk = sim_machine_disk(in->setup.machine, d);
        bool away = !inject_aims_at_disk(over, d);
        for (uint32_t i = 0; i < in->slots; i++)
            away = away || (fault_of(in, i)->kind == FAULT_DISK_FAIL_STOP && in->fault[i].acting &&
                            inject_aims_at_disk(&in->fault[i], d));
        if (away || !sim_disk_failed(disk))
            continue;
        if (blank)
            sim_disk_replace(disk);
        else
            sim_disk_revive(disk);
    }
}

/* Those that hang still: one that was restarted meanwhile does not. */
static void wake(struct injector *in, uint32_t i)
{
    enum layer layer = fault_of(in, i)->layer;
    for (uint32_t k = 0; k < inject_instances(in, layer); k++)
        if (inject_aims_at_instance(&in->fault[i], k))
            (void)sim_machine_wake(in->setup.machine, layer, k);
}

static void end_after(struct injector *in, uint32_t i, uint64_t delay_ns);

static void on_end(void *object, uint64_t i)
{
    struct injector *in = object;
    struct armed *a = &in->fault[i];
    ASSERT(a->acting && a->ends);
    a->unnoticed = fault_of(in, (uint32_t)i)->replaced && !a->noticed;
    if (a->unnoticed) { /* nobody changes a disk of which nobody knows that it is dead */
        end_after(in, (uint32_t)i, NOTICE_NS);
        return;
    }
    a->acting = a->ends = false;
    if (fault_of(in, (uint32_t)i)->kind == FAULT_PROCESS_HANG) {
        wake(in, (uint32_t)i);
        return;
    }
    a->stage = STAGE_OVER; /* no flush that comes now is spoiled */
    apply(in);
    if (fault_of(in, (uint32_t)i)->kind == FAULT_DISK_FAIL_STOP)
        bring_back(in, a);
}

static void end_after(struct injector *in, uint32_t i, uint64_t delay_ns)
{
    uint64_t now_ns = sim_machine_now(in->setup.machine);
    in->fault[i].end =
        sim_engine_at(sim_machine_engine(in->setup.machine), now_ns + delay_ns, on_end, in, i);
}

void inject_lasting_begin(struct injector *in, uint32_t i)
{
    const struct fault *f = fault_of(in, i);
    struct armed *a = &in->fault[i];
    inject_lasting_forget(in, i); /* a process that hangs once more */
    a->acting = true;
    a->slow_permille = 0;
    if (f->kind == FAULT_DISK_FAIL_SLOW) {
        uint64_t factor = inject_amount(in, i, &f->factor, DRAW_FACTOR);
        uint64_t most = SLOWEST_PERMILLE / HEALTHY_PERMILLE;
        a->slow_permille = (factor < most ? factor : most) * HEALTHY_PERMILLE;
    }
    a->ends = f->for_ns.kind != AMOUNT_FOREVER;
    a->noticed = false;
    if (a->ends)
        end_after(in, i, inject_amount(in, i, &f->for_ns, DRAW_FOR));
    if (f->kind != FAULT_PROCESS_HANG)
        apply(in);
}

static bool hangs(const struct injector *in, uint32_t i)
{
    enum layer layer = fault_of(in, i)->layer;
    for (uint32_t k = 0; k < inject_instances(in, layer); k++)
        if (inject_aims_at_instance(&in->fault[i], k) &&
            sim_machine_hangs(in->setup.machine, layer, k))
            return true;
    return false;
}

bool inject_lasting_awaited(const struct injector *in, uint32_t i)
{
    enum fault_kind kind = fault_of(in, i)->kind;
    return in->fault[i].ends && !in->fault[i].unnoticed &&
           (kind == FAULT_DISK_FAIL_STOP || (kind == FAULT_PROCESS_HANG && hangs(in, i)));
}

void inject_lasting_forget(struct injector *in, uint32_t i)
{
    struct armed *a = &in->fault[i];
    if (a->ends)
        (void)sim_engine_cancel(sim_machine_engine(in->setup.machine), a->end);
    a->ends = false;
}
