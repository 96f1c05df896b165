/*
 * The process's side of platform.h. Runs in the process, on its stack: copies arguments into the
 * slot's gate and results out of it, so that a bad pointer faults here, and traps in between.
 * Services that only compute (copies, checksums, the time) need no trap: they charge the process.
 */
#include "platform.h"

#include <isa-l/crc.h>
#include <string.h>

#include "assertion.h"
#include "planted.h"
#include "sim/kernel.h"

static inline struct sim_process *self(void)
{
    ASSERT(sim_cpu.running != NULL); /* only processes make platform calls */
    return (struct sim_process *)(void *)sim_cpu.running;
}

static inline __attribute__((always_inline)) struct sim_gate *call(struct sim_process *p,
                                                                   enum sim_call number)
{
    p->gate.call = number;
    sim_coroutine_trap();
    return &p->gate;
}

/* What a call in place may need of the process's stack, with room to spare. */
#define IN_PLACE_BYTES (16u << 10)

/* The same for calls that the kernel can mostly do in the process, which saves two switches. Only
 * on a stack that is the process's own and not nearly full: else the fault would be in the kernel.
 */
static struct sim_gate *call_in_place(struct sim_process *p, enum sim_call number)
{
    uint64_t here = (uint64_t)(uintptr_t)__builtin_frame_address(0);
    uint64_t low = (uint64_t)(uintptr_t)p->co.stack_low + IN_PLACE_BYTES;
    p->gate.call = number;
    if (here - low >= p->co.stack_bytes - IN_PLACE_BYTES || !kernel_call_in_place(p))
        sim_coroutine_trap();
    return &p->gate;
}

/* ---- Messages -------------------------------------------------------------------------------- */

enum err plat_send(uint32_t to, const struct msg *m)
{
    struct sim_process *p = self();
    msg_copy(&p->gate.msg, m);
    p->gate.peer = to;
    return call(p, CALL_SEND)->result;
}

enum err plat_post(uint32_t to, const struct msg *m)
{
    struct sim_process *p = self();
    msg_copy(&p->gate.msg, m);
    p->gate.peer = to;
    return call_in_place(p, CALL_POST)->result;
}

enum err plat_receive(uint32_t from, struct msg *m, uint64_t deadline_ns)
{
    struct sim_process *p = self();
    p->gate.peer = from;
    p->gate.a = deadline_ns;
    enum err err = call(p, CALL_RECEIVE)->result;
    if (err == OK)
        msg_copy(m, &p->gate.msg);
    return err;
}

enum err plat_sendrec(uint32_t to, struct msg *m)
{
    struct sim_process *p = self();
    msg_copy(&p->gate.msg, m);
    p->gate.peer = to;
    enum err err = call(p, CALL_SENDREC)->result;
    if (err == OK)
        msg_copy(m, &p->gate.msg);
    return err;
}

void plat_notify(uint32_t to)
{
    struct sim_process *p = self();
    p->gate.peer = to;
    (void)call(p, CALL_NOTIFY);
}

uint32_t plat_lookup(enum layer layer, uint32_t instance)
{
    struct sim_process *p = self();
    p->gate.layer = layer;
    p->gate.instance = instance;
    return call(p, CALL_LOOKUP)->peer;
}

void plat_subscribe(enum layer layer, uint32_t instance)
{
    struct sim_process *p = self();
    p->gate.layer = layer;
    p->gate.instance = instance;
    (void)call(p, CALL_SUBSCRIBE);
}

enum layer plat_layer_of(uint32_t endpoint, uint32_t *instance)
{
    struct sim_process *p = self();
    p->gate.peer = endpoint;
    const struct sim_gate *gate = call_in_place(p, CALL_LAYER_OF);
    if (instance != NULL)
        *instance = gate->instance;
    return gate->layer;
}

void plat_ready(void)
{
    (void)call(self(), CALL_READY);
}

void plat_kill(enum layer layer, uint32_t instance)
{
    struct sim_process *p = self();
    p->gate.layer = layer;
    p->gate.instance = instance;
    (void)call(p, CALL_KILL);
}

/* ---- Grants ---------------------------------------------------------------------------------- */

/* Of the spans that are in the gate. */
static uint32_t grant(struct sim_process *p, uint32_t to, uint32_t count, uint32_t access)
{
    p->gate.peer = to;
    p->gate.count = count;
    p->gate.access = access;
    return call_in_place(p, CALL_GRANT)->grant;
}

uint32_t plat_grant(uint32_t to, void *base, size_t bytes, uint32_t access)
{
    struct sim_process *p = self();
    p->gate.u.spans[0] = (struct plat_span){.base = base, .bytes = bytes};
    return grant(p, to, 1, access);
}

uint32_t plat_grant_spans(uint32_t to, const struct plat_span *spans, uint32_t count,
                          uint32_t access)
{
    struct sim_process *p = self();
    if (count == 0 || count > PLAT_SPANS_MAX)
        return GRANT_NONE;
    memcpy(p->gate.u.spans, spans, count * sizeof(*spans));
    return grant(p, to, count, access);
}

uint32_t plat_grant_forward(uint32_t to, uint32_t granter, uint32_t grant, size_t offset,
                            size_t bytes, uint32_t access)
{
    struct sim_process *p = self();
    p->gate.peer = to;
    p->gate.c = (uint64_t)granter << 32 | grant;
    p->gate.a = offset;
    p->gate.b = bytes;
    p->gate.access = access;
    return call_in_place(p, CALL_GRANT_FORWARD)->grant;
}

void plat_revoke(uint32_t grant)
{
    if (grant == GRANT_NONE)
        return;
    struct sim_process *p = self();
    p->gate.grant = grant;
    (void)call_in_place(p, CALL_REVOKE);
}

static enum err copy(enum sim_call number, uint32_t granter, uint32_t grant, size_t offset,
                     void *mine, size_t bytes)
{
    struct sim_process *p = self();
    p->gate.peer = granter;
    p->gate.grant = grant;
    p->gate.a = offset;
    p->gate.pointer = mine;
    p->gate.b = bytes;
    return call_in_place(p, number)->result;
}

enum err plat_copy_in(uint32_t granter, uint32_t grant, size_t offset, void *to, size_t bytes)
{
    return copy(CALL_COPY_IN, granter, grant, offset, to, bytes);
}

enum err plat_copy_out(uint32_t granter, uint32_t grant, size_t offset, const void *from,
                       size_t bytes)
{
    return copy(CALL_COPY_OUT, granter, grant, offset, (void *)(uintptr_t)from, bytes);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

void *plat_alloc(size_t bytes, enum plat_tag tag)
{
    struct sim_process *p = self();
    p->gate.a = bytes;
    p->gate.c = tag;
    return call(p, CALL_ALLOC)->pointer;
}

void plat_tag_survivor(size_t offset, size_t bytes, enum plat_tag tag)
{
    struct sim_process *p = self();
    p->gate.a = offset;
    p->gate.b = bytes;
    p->gate.c = tag;
    (void)call(p, CALL_TAG_SURVIVOR);
}

void plat_page_state(const void *page, enum plat_page_state state)
{
    struct sim_process *p = self();
    p->gate.pointer = (void *)(uintptr_t)page;
    p->gate.c = state;
    (void)call_in_place(p, CALL_PAGE_STATE);
}

void plat_copy(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    sim_coroutine_charge(bytes / COST_COPY_BYTES_PER_NS);
}

/* ---- Services of the host program ------------------------------------------------------------ */

uint32_t plat_crc32c(const void *data, size_t bytes)
{
    uint32_t crc = UINT32_MAX;
    const size_t part_max = (size_t)1 << 30; /* the library counts in int */
    sim_coroutine_charge(bytes * 10 / COST_CRC_BYTES_PER_10NS);
    for (size_t done = 0; done < bytes;) {
        size_t part = bytes - done < part_max ? bytes - done : part_max;
        crc = crc32_iscsi((unsigned char *)(uintptr_t)data + done, (int)part, crc);
        done += part;
    }
    return ~crc;
}

void plat_xor(void *to, const void *from, size_t bytes)
{
    uint8_t *restrict a = to;
    const uint8_t *restrict b = from;
    for (size_t i = 0; i < bytes; i++) /* the host's compiler vectorises it */
        a[i] ^= b[i];
    sim_coroutine_charge(bytes / COST_COPY_BYTES_PER_NS);
}

/* ---- Time, chance, last words ---------------------------------------------------------------- */

uint64_t plat_now(void)
{
    const struct sim_process *p = self();
    return p->m->slice_start_ns + sim_coroutine_blocks_now() * COST_BLOCK_NS + p->co.charged_ns;
}

void plat_alarm(uint64_t at_ns)
{
    struct sim_process *p = self();
    p->gate.a = at_ns;
    (void)call(p, CALL_ALARM);
}

uint64_t plat_random(void)
{
    return call(self(), CALL_RANDOM)->a;
}

void plat_probe(enum probe probe)
{
    struct sim_process *p = self();
    p->gate.a = probe;
    (void)call_in_place(p, CALL_PROBE);
}

void plat_gauge(enum gauge which, uint64_t value)
{
    struct sim_process *p = self();
    p->gate.c = which;
    p->gate.a = value;
    (void)call_in_place(p, CALL_GAUGE);
}

void plat_report(enum report what, uint64_t a, uint64_t b)
{
    struct sim_process *p = self();
    p->gate.c = what;
    p->gate.a = a;
    p->gate.b = b;
    (void)call(p, CALL_REPORT);
}

_Noreturn void plat_panic(enum err why)
{
    struct sim_process *p = self();
    p->gate.result = why;
    (void)call(p, CALL_PANIC);
    sim_coroutine_end(SIM_STOP_EXIT); /* not reached: the kernel never resumes it */
}

/* ---- The device ------------------------------------------------------------------------------ */

enum err plat_disk_submit(const struct plat_disk_request *request)
{
    struct sim_process *p = self();
    p->gate.u.request = *request;
    return call(p, CALL_DISK_SUBMIT)->result;
}

bool plat_disk_poll(struct plat_disk_completion *completion)
{
    const struct sim_gate *gate = call(self(), CALL_DISK_POLL);
    if (gate->count == 0)
        return false;
    *completion = gate->u.completion;
    return true;
}

void plat_disk_abort(void)
{
    (void)call(self(), CALL_DISK_ABORT);
}

void plat_disk_identify(struct plat_disk_info *info)
{
    *info = call(self(), CALL_DISK_IDENTIFY)->u.info;
}

/* ---- Laboratory ------------------------------------------------------------------------------ */

void sim_trap(void (*fn)(void *argument), void *argument)
{
    if (sim_cpu.running == NULL) {
        fn(argument); /* already there */
        return;
    }
    struct sim_process *p = self();
    p->gate.fn = fn;
    p->gate.pointer = argument;
    (void)call(p, CALL_LAB);
}

#ifdef LORIS_PLANTED
enum planted plat_planted(void)
{
    return sim_cpu.running != NULL ? self()->m->planted : PLANTED_NONE;
}
#endif
