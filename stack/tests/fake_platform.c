/*
 * Messages, processes, time, probes and reports of the fake platform (fake_platform.h). Grants and
 * the device are in fake_memory.c and fake_device.c.
 *
 * One coroutine (ucontext) is the layer; everything else runs as the test. `current` is in whose
 * name plat_* acts: the layer, or the peer whose handler runs.
 */
#include "stack/tests/fake_platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "scripts/check/planted_name.h"
#include "stack/tests/fake_internal.h"

#define SERVICES_MAX 512u
#define INBOX_MAX 4096u
#define OUTBOX_MAX 4096u
#define LAYER_STACK_BYTES (512u << 10)
#define FIRST_ENDPOINT 64u

struct service {
    enum layer layer;
    uint32_t instance, endpoint;
    bool alive, client, subscribed;
    fake_handler *handler;
    void *ctx;
    uint32_t kills;
};

struct letter {
    uint32_t to;
    struct msg m;
};

static struct fake {
    struct service service[SERVICES_MAX]; /* a row stays when it dies; endpoints rise */
    uint32_t services, next_endpoint;
    struct msg inbox[INBOX_MAX];
    uint32_t inbox_count;
    struct letter outbox[OUTBOX_MAX];
    uint32_t outbox_count;
    bool notify_rs, notify_ds, notify_hardware, notify_clock;
    uint32_t self, acting, heartbeats;
    uint64_t now, alarm, deadline, calls, crash_call, random;
    bool ready, restart_on_kill, running, alive, returned, crashed;
    char crash[256];
    uint32_t probe_hits[PROBE_COUNT];
    enum probe armed;
    uint32_t armed_left;
    struct fake_report report[FAKE_REPORTS_MAX];
    uint32_t reports;
    struct boot boot;
    program_main *main;
    void (*body)(void *);
    void *body_ctx;
    uint8_t *arena;
    size_t arena_used;
    uint8_t *stack;
    ucontext_t test_context, layer_context;
    enum planted planted;
} f;

_Noreturn void fake_misuse(const char *what)
{
    fprintf(stderr, "fake platform: %s\n", what);
    abort();
}

/* ---- The coroutine ---- */

static void leave_layer(void)
{
    f.running = false;
    swapcontext(&f.layer_context, &f.test_context);
}

static _Noreturn void crash_layer(const char *why)
{
    snprintf(f.crash, sizeof(f.crash), "%s", why);
    f.crashed = true;
    f.alive = false;
    leave_layer();
    fake_misuse("a crashed layer ran on");
}

static void layer_entry(void)
{
    if (f.main != NULL)
        f.main(&f.boot);
    else
        f.body(f.body_ctx);
    f.returned = true;
    leave_layer();
    fake_misuse("a finished layer ran on");
}

_Noreturn void assert_failed(const char *condition, const char *file, int line)
{
    char text[240];
    snprintf(text, sizeof(text), "%s (%s:%d)", condition, file, line);
    if (f.running && f.acting == ENDPOINT_NONE)
        crash_layer(text);
    fake_misuse(text);
}

/* Counts a call of the layer and ends it there if the test said so. */
void fake_count_call(void)
{
    if (!f.running || f.acting != ENDPOINT_NONE)
        return;
    f.calls++;
    if (f.crash_call != 0 && --f.crash_call == 0)
        crash_layer("armed call");
}

void fake_reset(void)
{
    uint8_t *arena = f.arena;
    uint8_t *stack = f.stack;
    if (stack == NULL)
        stack = malloc(LAYER_STACK_BYTES);
    if (arena != NULL)
        munmap(arena, PLAT_ARENA_BYTES);
    memset(&f, 0, sizeof(f));
    f.stack = stack;
    f.next_endpoint = FIRST_ENDPOINT;
    f.alarm = f.deadline = PLAT_FOREVER;
    f.restart_on_kill = true;
    f.planted = planted_of_environment();
    fake_memory_reset();
    fake_device_reset();
}

static struct service *add_service(enum layer layer, uint32_t instance)
{
    if (f.services == SERVICES_MAX)
        fake_misuse("too many services");
    struct service *s = &f.service[f.services++];
    *s = (struct service){
        .layer = layer, .instance = instance, .endpoint = f.next_endpoint++, .alive = true};
    return s;
}

static struct service *find_service(enum layer layer, uint32_t instance)
{
    for (uint32_t i = f.services; i-- > 0;)
        if (f.service[i].layer == layer && f.service[i].instance == instance)
            return &f.service[i];
    return NULL;
}

static struct service *find_endpoint(uint32_t endpoint)
{
    if (endpoint < FIRST_ENDPOINT || endpoint - FIRST_ENDPOINT >= f.services)
        return NULL;
    return &f.service[endpoint - FIRST_ENDPOINT];
}

bool fake_endpoint_alive(uint32_t endpoint)
{
    struct service *s = find_endpoint(endpoint);
    return s != NULL && s->alive;
}

uint32_t fake_actor(void)
{
    return f.acting != ENDPOINT_NONE ? f.acting : f.self;
}

static void start_instance(enum layer layer, uint32_t instance)
{
    if (f.self != ENDPOINT_NONE)
        fake_kill_layer();
    if (f.arena != NULL)
        munmap(f.arena, PLAT_ARENA_BYTES);
    f.arena = mmap(NULL, PLAT_ARENA_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (f.arena == MAP_FAILED)
        fake_misuse("no memory");
    f.arena_used = 0;
    f.self = add_service(layer, instance)->endpoint;
    f.inbox_count = 0;
    f.notify_rs = f.notify_ds = f.notify_hardware = f.notify_clock = false;
    f.alarm = f.deadline = PLAT_FOREVER;
    f.ready = f.returned = f.crashed = false;
    f.crash[0] = '\0';
    f.alive = true;
    for (uint32_t i = 0; i < f.services; i++)
        f.service[i].subscribed = false;
    getcontext(&f.layer_context);
    f.layer_context.uc_stack.ss_sp = f.stack;
    f.layer_context.uc_stack.ss_size = LAYER_STACK_BYTES;
    f.layer_context.uc_link = NULL;
    makecontext(&f.layer_context, layer_entry, 0);
}

void fake_boot(program_main *main, const struct boot *boot)
{
    f.main = main;
    f.boot = *boot;
    start_instance(boot->layer, boot->instance);
}

void fake_boot_body(void (*body)(void *ctx), void *ctx, enum layer layer, uint32_t instance)
{
    f.main = NULL;
    f.body = body;
    f.body_ctx = ctx;
    start_instance(layer, instance);
}

enum fake_end fake_run(void)
{
    if (f.running)
        fake_misuse("fake_run within the layer or a handler");
    if (f.crashed)
        return FAKE_CRASHED;
    if (f.returned)
        return FAKE_RETURNED;
    if (!f.alive)
        fake_misuse("fake_run without a live layer");
    uint32_t acting = f.acting;
    f.acting = ENDPOINT_NONE;
    f.running = true;
    swapcontext(&f.test_context, &f.layer_context);
    f.acting = acting;
    if (f.crashed) {
        find_endpoint(f.self)->alive = false;
        return FAKE_CRASHED;
    }
    return f.returned ? FAKE_RETURNED : FAKE_IDLE;
}

enum fake_end fake_run_until(uint64_t until_ns)
{
    for (;;) {
        enum fake_end end = fake_run();
        uint64_t next = f.alarm < f.deadline ? f.alarm : f.deadline;
        if (end != FAKE_IDLE)
            return end;
        if (next > until_ns) {
            f.now = until_ns > f.now ? until_ns : f.now;
            return FAKE_IDLE;
        }
        f.now = next > f.now ? next : f.now;
    }
}

void fake_advance(uint64_t ns)
{
    f.now += ns;
}

uint64_t fake_now(void)
{
    return f.now;
}

void fake_kill_layer(void)
{
    struct service *s = find_endpoint(f.self);
    if (s != NULL)
        s->alive = false;
    f.alive = false;
}

const char *fake_crash(void)
{
    return f.crash;
}

bool fake_is_ready(void)
{
    return f.ready;
}

uint32_t fake_layer(void)
{
    return f.self;
}

uint32_t fake_heartbeats(void)
{
    return f.heartbeats;
}

void fake_send_heartbeat(void)
{
    f.notify_rs = true;
}

/* ---- Peers and clients ---- */

uint32_t fake_peer(enum layer layer, uint32_t instance, fake_handler *handler, void *ctx)
{
    struct service *s = find_service(layer, instance);
    if (s == NULL || !s->alive) {
        bool subscribed = s != NULL && s->subscribed;
        s = add_service(layer, instance);
        s->subscribed = subscribed;
        f.notify_ds |= subscribed;
    }
    s->handler = handler;
    s->ctx = ctx;
    return s->endpoint;
}

void fake_kill(enum layer layer, uint32_t instance)
{
    struct service *s = find_service(layer, instance);
    if (s == NULL || !s->alive)
        return;
    s->alive = false;
    if (s->subscribed)
        f.notify_ds = true;
}

uint32_t fake_restart(enum layer layer, uint32_t instance)
{
    struct service *old = find_service(layer, instance);
    if (old == NULL)
        fake_misuse("restart of what never was");
    fake_kill(layer, instance);
    struct service *s = add_service(layer, instance);
    s->handler = old->handler;
    s->ctx = old->ctx;
    s->kills = old->kills;
    s->subscribed = old->subscribed;
    if (s->subscribed)
        f.notify_ds = true;
    return s->endpoint;
}

void fake_restart_on_kill(bool yes)
{
    f.restart_on_kill = yes;
}

uint32_t fake_kills(enum layer layer, uint32_t instance)
{
    struct service *s = find_service(layer, instance);
    return s == NULL ? 0 : s->kills;
}

void fake_act(uint32_t endpoint)
{
    f.acting = endpoint;
}

uint32_t fake_client(enum layer layer, uint32_t instance)
{
    fake_kill(layer, instance);
    struct service *s = add_service(layer, instance);
    s->client = true;
    return s->endpoint;
}

void fake_client_die(uint32_t endpoint)
{
    struct service *s = find_endpoint(endpoint);
    if (s != NULL)
        fake_kill(s->layer, s->instance);
}

static void put_inbox(uint32_t source, const struct msg *m)
{
    if (f.inbox_count == INBOX_MAX)
        fake_misuse("the layer's inbox is full");
    f.inbox[f.inbox_count] = *m;
    f.inbox[f.inbox_count++].source = source;
}

void fake_request(uint32_t client, const struct msg *m)
{
    put_inbox(client, m);
}

static void drop_outbox(uint32_t at)
{
    f.outbox_count--;
    memmove(&f.outbox[at], &f.outbox[at + 1], (f.outbox_count - at) * sizeof(f.outbox[0]));
}

bool fake_take_reply(uint32_t client, struct msg *m)
{
    for (uint32_t i = 0; i < f.outbox_count; i++) {
        if (f.outbox[i].to != client)
            continue;
        *m = f.outbox[i].m;
        drop_outbox(i);
        return true;
    }
    return false;
}

static bool take_answer(uint32_t client, uint32_t id, struct msg *m)
{
    while (fake_take_reply(client, m))
        if ((m->type & PROTO_REPLY) != 0 && m->id == id)
            return true;
    return false;
}

bool fake_call(uint32_t client, struct msg *m)
{
    uint32_t id = m->id;
    fake_request(client, m);
    (void)fake_run();
    return take_answer(client, id, m);
}

bool fake_call_for(uint32_t client, struct msg *m, uint64_t limit_ns)
{
    uint32_t id = m->id;
    uint64_t until = f.now + limit_ns;
    fake_request(client, m);
    for (;;) {
        enum fake_end end = fake_run();
        if (take_answer(client, id, m))
            return true;
        uint64_t next = f.alarm < f.deadline ? f.alarm : f.deadline;
        if (end != FAKE_IDLE || next > until)
            return false;
        f.now = next > f.now ? next : f.now;
    }
}

/* ---- Messages of platform.h ---- */

static enum err deliver(uint32_t to, const struct msg *m)
{
    struct service *s = find_endpoint(to);
    uint32_t from = fake_actor();
    if (s == NULL || !s->alive)
        return E_DEAD;
    if (to == f.self) {
        put_inbox(from, m);
        return OK;
    }
    struct msg copy = *m;
    copy.source = from;
    if (s->handler != NULL) {
        uint32_t acting = f.acting;
        f.acting = to;
        s->handler(s->ctx, &copy);
        f.acting = acting;
        return OK;
    }
    if (f.outbox_count == OUTBOX_MAX)
        fake_misuse("too many replies that no test took");
    f.outbox[f.outbox_count++] = (struct letter){.to = to, .m = copy};
    return OK;
}

enum err plat_send(uint32_t to, const struct msg *m)
{
    fake_count_call();
    return deliver(to, m);
}

enum err plat_post(uint32_t to, const struct msg *m)
{
    fake_count_call();
    return deliver(to, m);
}

static bool take_notification(struct msg *m)
{
    bool *flag[] = {&f.notify_rs, &f.notify_ds, &f.notify_hardware, &f.notify_clock};
    static const uint32_t source[] = {ENDPOINT_RS, ENDPOINT_DS, ENDPOINT_HARDWARE, ENDPOINT_CLOCK};
    if (f.alarm <= f.now) {
        f.alarm = PLAT_FOREVER;
        f.notify_clock = true;
    }
    for (uint32_t i = 0; i < 4; i++) {
        if (!*flag[i])
            continue;
        *flag[i] = false;
        memset(m, 0, sizeof(*m));
        m->source = source[i];
        m->type = MSG_NOTIFY;
        return true;
    }
    return false;
}

static bool take_message(uint32_t from, struct msg *m)
{
    for (uint32_t i = 0; i < f.inbox_count; i++) {
        if (from != ENDPOINT_ANY && f.inbox[i].source != from)
            continue;
        *m = f.inbox[i];
        f.inbox_count--;
        memmove(&f.inbox[i], &f.inbox[i + 1], (f.inbox_count - i) * sizeof(f.inbox[0]));
        return true;
    }
    return false;
}

enum err plat_receive(uint32_t from, struct msg *m, uint64_t deadline_ns)
{
    fake_count_call();
    if (f.acting != ENDPOINT_NONE)
        fake_misuse("a handler must not wait");
    for (;;) {
        if (take_notification(m) || take_message(from, m)) {
            f.deadline = PLAT_FOREVER;
            return OK;
        }
        if (from >= FIRST_ENDPOINT && from != ENDPOINT_ANY && !fake_endpoint_alive(from))
            return E_DEAD;
        if (deadline_ns <= f.now) {
            f.deadline = PLAT_FOREVER;
            return E_TIMEOUT;
        }
        if (fake_device_idle())
            continue; /* the device has completed something */
        f.deadline = deadline_ns;
        leave_layer();
    }
}

void fake_ring_hardware(void)
{
    f.notify_hardware = true;
}

enum err plat_sendrec(uint32_t to, struct msg *m)
{
    enum err e = plat_send(to, m);
    return e == OK ? plat_receive(to, m, PLAT_FOREVER) : e;
}

void plat_notify(uint32_t to)
{
    fake_count_call();
    if (to == ENDPOINT_RS)
        f.heartbeats++;
}

uint32_t plat_lookup(enum layer layer, uint32_t instance)
{
    fake_count_call();
    struct service *s = find_service(layer, instance);
    return s != NULL && s->alive ? s->endpoint : ENDPOINT_NONE;
}

void plat_subscribe(enum layer layer, uint32_t instance)
{
    fake_count_call();
    struct service *s = find_service(layer, instance);
    if (s == NULL) { /* subscribed before it first comes up */
        s = add_service(layer, instance);
        s->alive = false;
    }
    s->subscribed = true;
}

enum layer plat_layer_of(uint32_t endpoint, uint32_t *instance)
{
    fake_count_call();
    struct service *s = find_endpoint(endpoint);
    if (s == NULL || !s->alive)
        return LAYER_NONE;
    if (instance != NULL)
        *instance = s->instance;
    return s->layer;
}

void plat_ready(void)
{
    fake_count_call();
    if (f.ready)
        fake_misuse("plat_ready twice");
    f.ready = true;
}

void plat_kill(enum layer layer, uint32_t instance)
{
    fake_count_call();
    struct service *s = find_service(layer, instance);
    if (s == NULL)
        return;
    s->kills++;
    if (f.restart_on_kill)
        (void)fake_restart(layer, instance);
}

/* ---- Arena, time, chance, last words ---- */

void *plat_alloc(size_t bytes, enum plat_tag tag)
{
    fake_count_call();
    size_t align = tag == TAG_PAGES && bytes >= 4096 ? 4096 : 64;
    size_t at = (f.arena_used + align - 1) & ~(align - 1);
    if (bytes > PLAT_ARENA_BYTES || at > PLAT_ARENA_BYTES - bytes)
        return NULL;
    f.arena_used = at + bytes;
    return f.arena + at;
}

void plat_tag_survivor(size_t offset, size_t bytes, enum plat_tag tag)
{
    fake_count_call();
    (void)tag;
    if (offset > f.boot.survivor_bytes || bytes > f.boot.survivor_bytes - offset)
        fake_misuse("tag beyond the survivor region");
}

void plat_page_state(const void *page, enum plat_page_state state)
{
    fake_count_call();
    (void)state;
    if (((uintptr_t)page & 4095u) != 0)
        fake_misuse("plat_page_state of what is no page");
}

void plat_gauge(enum gauge which, uint64_t value)
{
    fake_count_call();
    (void)value;
    if (which >= GAUGE_COUNT)
        fake_misuse("no such gauge");
}

uint64_t plat_now(void)
{
    fake_count_call();
    return f.now;
}

void plat_alarm(uint64_t at_ns)
{
    fake_count_call();
    f.alarm = at_ns;
}

uint64_t plat_random(void)
{
    fake_count_call();
    f.random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t z = f.random;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void plat_probe(enum probe probe)
{
    char text[64];
    fake_count_call();
    f.probe_hits[probe]++;
    if (f.armed_left == 0 || f.armed != probe || --f.armed_left != 0)
        return;
    snprintf(text, sizeof(text), "probe %d", (int)probe);
    crash_layer(text);
}

void plat_report(enum report what, uint64_t a, uint64_t b)
{
    fake_count_call();
    if (f.reports == FAKE_REPORTS_MAX)
        fake_misuse("too many reports");
    f.report[f.reports++] = (struct fake_report){.what = what, .a = a, .b = b, .at_ns = f.now};
}

_Noreturn void plat_panic(enum err why)
{
    char text[32];
    snprintf(text, sizeof(text), "panic %d", -(int)why);
    if (!f.running || f.acting != ENDPOINT_NONE)
        fake_misuse("plat_panic outside the layer");
    crash_layer(text);
}

enum planted plat_planted(void);
enum planted plat_planted(void)
{
    return f.planted;
}

void fake_crash_at_probe(enum probe probe, uint32_t n)
{
    f.armed = probe;
    f.armed_left = n;
}

uint32_t fake_probe_hits(enum probe probe)
{
    return f.probe_hits[probe];
}

uint32_t fake_report_count(enum report what)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f.reports; i++)
        count += f.report[i].what == what;
    return count;
}

const struct fake_report *fake_reports(uint32_t *count)
{
    *count = f.reports;
    return f.report;
}

void fake_crash_at_call(uint64_t n)
{
    f.crash_call = n;
}

uint64_t fake_calls(void)
{
    return f.calls;
}
