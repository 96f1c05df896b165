/*
 * Work between requests: rebuild, a look for disks that left, files' new levels, then scrub. One
 * step at a time, as long as the disks took, then a pause, so that applications get their share;
 * requests that wait are served before the next step.
 *
 * Nothing is done from PREPARE to RELEASE, nor after a restore before the first release: what the
 * cache replays is whole first. A checkpoint that is wanted is told to the cache by a
 * notification, and in the answer to its next request; nothing here waits for it.
 */
#include "logical.h"

#include "assertion.h"
#include "mem.h"

#define PAUSE_MIN_NS UINT64_C(1000000)    /* assumption: far below a disk's service time */
#define ASK_AGAIN_NS UINT64_C(1000000000) /* assumption: a checkpoint takes less */
#define REBUILD_PAUSE                                                                              \
    1u                 /* times what the step took: half of the time is the applications', as in   \
                          a migration */
#define SCRUB_PAUSE 4u /* four fifths of it */

void logical_background_ask(struct logical *l)
{
    l->want_checkpoint = true;
    l->asked_ns = plat_now();
    plat_notify(l->client);
}

void logical_background_released(struct logical *l)
{
    l->settled = true;
    l->asked_ns = plat_now();
    l->due_ns = 0; /* what waited for it goes on */
}

uint64_t logical_background_due(const struct logical *l)
{
    if (!l->active || l->in_pause)
        return PLAT_FOREVER; /* a request comes first */
    if (logical_rebuild_has_work(l))
        return l->due_ns;
    uint64_t scrub = logical_scrub_due(l);
    uint64_t poll = logical_members_poll_due(l);
    uint64_t migrate = logical_migrate_due(l);
    uint64_t first = poll < scrub ? poll : scrub;
    first = migrate < first ? migrate : first;
    return first > l->due_ns ? first : l->due_ns;
}

static enum err work(struct logical *l)
{
    if (l->settled && logical_migrate_must_clear(l))
        return logical_migrate_work(l);
    if (l->settled && logical_rebuild_has_work(l))
        return logical_rebuild_work(l);
    if (logical_members_poll_due(l) <= plat_now())
        return logical_members_poll(l);
    if (l->settled && logical_migrate_due(l) <= plat_now())
        return logical_migrate_work(l);
    if (l->settled)
        return logical_scrub_work(l);
    logical_background_ask(l);
    l->due_ns = plat_now() + ASK_AGAIN_NS;
    return OK;
}

void logical_background_step(struct logical *l)
{
    uint64_t start = plat_now();
    if (start < logical_background_due(l))
        return;
    logical_core_check(l);
    memset(l->waited_ns, 0, sizeof(l->waited_ns));
    bool copies = logical_rebuild_has_work(l) || logical_migrate_due(l) <= start;
    l->due_ns = 0;
    if (work(l) == E_SESSION)
        l->active = false; /* the cache is told of deaths too, and restores everybody */
    uint64_t now = plat_now();
    uint64_t pause = (now - start) * (copies ? REBUILD_PAUSE : SCRUB_PAUSE);
    pause = pause > PAUSE_MIN_NS ? pause : PAUSE_MIN_NS;
    if (l->due_ns < now + pause)
        l->due_ns = now + pause;
    logical_core_seal(l);
}
