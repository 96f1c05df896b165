/*
 * The device of a driver: requests go to the simulated disk with a bounce buffer, as a device moves
 * data by itself: from the granter's memory when a write is submitted, into it when a read
 * completes. A dead driver's requests stay in the device until somebody fences it; a grant that is
 * gone by then stops the data, not the request.
 */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "sim/kernel.h"

static struct sim_transfer *transfer_take(struct sim_machine *m, size_t bytes)
{
    struct sim_transfer *t = m->free_transfers;
    if (t != NULL) {
        m->free_transfers = t->next;
    } else {
        t = calloc(1, sizeof(*t));
        ASSERT(t != NULL);
        t->all = m->all_transfers;
        m->all_transfers = t;
    }
    if (t->buffer_bytes < bytes) {
        free(t->buffer);
        t->buffer = malloc(bytes);
        ASSERT(t->buffer != NULL);
        t->buffer_bytes = bytes;
    }
    t->m = m;
    t->bytes = bytes;
    return t;
}

static void transfer_free(struct sim_transfer *t)
{
    t->next = t->m->free_transfers;
    t->m->free_transfers = t;
}

void device_forget_all(struct sim_machine *m)
{
    m->free_transfers = NULL;
    for (struct sim_transfer *t = m->all_transfers; t != NULL; t = t->all)
        transfer_free(t);
}

void device_free_all(struct sim_machine *m)
{
    while (m->all_transfers != NULL) {
        struct sim_transfer *t = m->all_transfers;
        m->all_transfers = t->all;
        free(t->buffer);
        free(t);
    }
    m->free_transfers = NULL;
}

/* Puts a completion before the driver, if it is still that driver. */
static void complete(struct sim_machine *m, uint32_t driver, uint32_t id, enum err status)
{
    struct sim_process *p = process_by_endpoint(m, driver);
    if (p == NULL)
        return;
    if (p->completions == NULL)
        p->completions = calloc(COMPLETIONS_MAX, sizeof(*p->completions));
    ASSERT(p->completions != NULL);
    ASSERT(p->disk != UINT32_MAX);
    ASSERT(p->completion_count < COMPLETIONS_MAX); /* the submit refuses before */
    uint32_t at = (p->completion_first + p->completion_count++) % COMPLETIONS_MAX;
    p->completions[at] = (struct plat_disk_completion){
        .id = id, .status = status, .resets = sim_disk_identify(m->disk[p->disk]).resets};
    kernel_tell(p, ENDPOINT_HARDWARE);
}

static enum err status_of(enum sim_disk_status status)
{
    switch (status) {
    case SIM_DISK_OK:
        return OK;
    case SIM_DISK_MEDIA_ERROR:
        return E_MEDIA;
    case SIM_DISK_GONE:
        return E_DEAD;
    case SIM_DISK_ABORTED:
        return E_AGAIN;
    }
    ASSERT(status == SIM_DISK_OK);
    return E_INVAL;
}

static void on_done(void *object, uint64_t request_id, enum sim_disk_status disk_status)
{
    struct sim_transfer *t = object;
    enum err status = status_of(disk_status);
    ASSERT(request_id == t->request.id);
    if (status == OK && t->request.op == DISK_READ) {
        enum err moved = grant_move(t->m, t->driver, t->request.granter, t->request.grant,
                                    t->request.grant_offset, t->buffer, t->bytes, true);
        status = moved == OK ? OK : E_INVAL;
    }
    complete(t->m, t->driver, t->request.id, status);
    transfer_free(t);
}

static const enum sim_disk_op disk_ops[] = {[DISK_READ] = SIM_DISK_READ,
                                            [DISK_WRITE] = SIM_DISK_WRITE,
                                            [DISK_FLUSH] = SIM_DISK_FLUSH,
                                            [DISK_TRIM] = SIM_DISK_TRIM};

static bool is_sound(const struct plat_disk_request *r, const struct sim_disk_identity *disk)
{
    switch (r->op) {
    case DISK_READ:
    case DISK_WRITE:
        if (r->count > SIM_DISK_SECTORS_MAX)
            return false;
        break;
    case DISK_TRIM:
        break;
    case DISK_FLUSH:
        return true;
    default: /* a number from a process, not only the values of the enum */
        return false;
    }
    return r->count > 0 && r->first_sector < disk->sectors &&
           r->count <= disk->sectors - r->first_sector;
}

/* Gives a sound request to the disk, or answers it at once if its data cannot be had. */
static void submit(struct sim_process *p, struct sim_disk *disk,
                   const struct plat_disk_request *request, uint32_t sector_bytes)
{
    struct sim_machine *m = p->m;
    bool moves = request->op == DISK_READ || request->op == DISK_WRITE;
    struct sim_transfer *t = transfer_take(m, moves ? (size_t)request->count * sector_bytes : 0);
    t->request = *request;
    t->driver = p->endpoint;
    enum err status = OK;
    if (request->op == DISK_WRITE)
        status = grant_move(m, p->endpoint, request->granter, request->grant, request->grant_offset,
                            t->buffer, t->bytes, false);
    struct sim_disk_request r = {
        .op = disk_ops[request->op],
        .fua = request->op == DISK_WRITE && request->fua,
        .first_sector = request->op == DISK_FLUSH ? 0 : request->first_sector,
        .count = request->op == DISK_FLUSH ? 0 : request->count,
        .owner = p->endpoint,
        .request_id = request->id,
        .data = request->op == DISK_WRITE ? t->buffer : NULL,
        .buffer = request->op == DISK_READ ? t->buffer : NULL,
        .done = on_done,
        .object = t,
    };
    if (status != OK || sim_disk_submit(disk, &r) != OK) {
        complete(m, p->endpoint, request->id, E_INVAL);
        transfer_free(t);
    }
}

/* gate: u.request -> result. */
void kernel_disk_submit(struct sim_process *p)
{
    bug_meets_device(p);
    struct plat_disk_request request = p->gate.u.request;
    if (p->disk == UINT32_MAX) {
        p->gate.result = E_DEAD; /* a process without a device */
        return;
    }
    struct sim_disk *disk = p->m->disk[p->disk];
    struct sim_disk_identity identity = sim_disk_identify(disk);
    p->gate.result = OK;
    if (identity.failed)
        p->gate.result = E_DEAD;
    else if (sim_disk_outstanding(disk) >= identity.queue_depth ||
             p->completion_count + sim_disk_outstanding(disk) >= COMPLETIONS_MAX)
        p->gate.result = E_FULL;
    else if (is_sound(&request, &identity))
        submit(p, disk, &request, identity.sector_size);
    else
        complete(p->m, p->endpoint, request.id, E_INVAL);
}

/* gate -> count (0 or 1), u.completion. */
void kernel_disk_poll(struct sim_process *p)
{
    p->gate.count = 0;
    if (p->completion_count == 0)
        return;
    p->gate.u.completion = p->completions[p->completion_first];
    p->completion_first = (p->completion_first + 1) % COMPLETIONS_MAX;
    p->completion_count--;
    p->gate.count = 1;
}

/* No process has endpoint 0, so the fence ends the requests of all owners. */
void kernel_disk_abort(struct sim_process *p)
{
    if (p->disk != UINT32_MAX)
        sim_disk_fence(p->m->disk[p->disk], ENDPOINT_NONE);
}

/* gate -> u.info. */
void kernel_disk_identify(struct sim_process *p)
{
    p->gate.u.info = (struct plat_disk_info){.gone = true};
    if (p->disk == UINT32_MAX)
        return;
    struct sim_disk_identity identity = sim_disk_identify(p->m->disk[p->disk]);
    p->gate.u.info = (struct plat_disk_info){.sectors = identity.sectors,
                                             .sector_bytes = identity.sector_size,
                                             .queue_depth = identity.queue_depth,
                                             .resets = identity.resets,
                                             .write_cache = identity.volatile_cache,
                                             .gone = identity.failed};
}
