/*
 * platform.h without the simulator, in one host process, for tests of ONE layer: its peers are
 * functions, its clients are endpoints that the test speaks for.
 *
 * How a test goes:
 *
 *     fake_reset();                                        // also frees what the last test left
 *     fake_peer(LAYER_DRIVER, 0, handler, ctx);            // a neighbour below: a function
 *     uint32_t vfs = fake_client(LAYER_VFS, 0);            // a neighbour above: the test itself
 *     fake_boot(none_main, &boot);                         // does not run yet
 *     ck_assert_int_eq(fake_run(), FAKE_IDLE);             // up to its first wait for nothing
 *     uint32_t g = fake_grant(vfs, buffer, bytes, PLAT_GRANT_READ);
 *     vfs_request_pack(&m, 1, &request);                   // any message of a protocol
 *     ck_assert(fake_call(vfs, &m));                       // runs the layer; m is the reply
 *
 * The layer runs on a stack of its own (a coroutine) and comes back whenever it waits and nothing
 * is queued, so NAME_main need not return. A handler is called at once inside
 * plat_send/post/sendrec, in the name of its peer: within it the plat_* and proto_* functions
 * (plat_copy_in, proto_reply, plat_grant, ...) act for the peer. Every grant is really checked:
 * granter, grantee, direction, bounds, death of the granter, sequence.
 *
 * Time stands still unless the test moves it (fake_advance, fake_run_until) or a handler does.
 * ASSERT in the layer, plat_panic and an armed probe end it (FAKE_CRASHED); then fake_boot starts
 * a new instance, with incarnation and survivor region as the test says. ASSERT elsewhere aborts.
 */
#ifndef LORIS_STACK_TESTS_FAKE_PLATFORM_H
#define LORIS_STACK_TESTS_FAKE_PLATFORM_H

#include "platform.h"
#include "proto.h"

#include "programs.h"

/* ---- Running the layer ---- */

enum fake_end {
    FAKE_IDLE,    /* waits and nothing is queued for it (at the present time) */
    FAKE_CRASHED, /* assertion, panic, or an armed probe: see fake_crash() */
    FAKE_RETURNED /* main returned: always a bug of the layer */
};

/* Forgets everything: peers, clients, time (back to 0), reports, the disk, the layer. */
void fake_reset(void);

/*
 * Makes the layer ready to run `main` with a fresh arena and a new endpoint; *boot is copied. An
 * earlier instance is dead from now on. Its layer and instance are boot->layer, boot->instance.
 */
void fake_boot(program_main *main, const struct boot *boot);

/*
 * The same for a test that wants to run a piece of code in the layer's place, e.g. calls of the
 * block client: `body` may return (fake_run answers FAKE_RETURNED).
 */
void fake_boot_body(void (*body)(void *ctx), void *ctx, enum layer layer, uint32_t instance);

/* Runs until the layer waits for nothing, crashes, or returns. */
enum fake_end fake_run(void);

/* The same, and whenever it idles jumps to its next alarm or deadline, up to `until_ns` (then the
 * clock shows until_ns). */
enum fake_end fake_run_until(uint64_t until_ns);

/* Moves the clock; deadlines and the alarm that pass take effect at the next fake_run. */
void fake_advance(uint64_t ns);
uint64_t fake_now(void);

/* Ends the layer as a kill would: its endpoint and grants are dead. */
void fake_kill_layer(void);

/* Why the layer crashed: text of the assertion, "panic E", "probe NAME"; "" if it did not. */
const char *fake_crash(void);
bool fake_is_ready(void);       /* plat_ready was called by this instance */
uint32_t fake_layer(void);      /* endpoint of the layer's present instance */
uint32_t fake_heartbeats(void); /* answers to heartbeats so far */
void fake_send_heartbeat(void); /* queues a request of the restart service */

/* ---- Peers below: functions ---- */

typedef void fake_handler(void *ctx, const struct msg *request);

/* Registers a live service. Returns its endpoint. Registering again replaces handler and ctx. */
uint32_t fake_peer(enum layer layer, uint32_t instance, fake_handler *handler, void *ctx);

/* Death (ENDPOINT_DS tells the layer if it subscribed) and restart with a new endpoint, returned.
 */
void fake_kill(enum layer layer, uint32_t instance);
uint32_t fake_restart(enum layer layer, uint32_t instance);

/* What plat_kill of the layer does: kills and restarts at once (default), or only counts. */
void fake_restart_on_kill(bool yes);
uint32_t fake_kills(enum layer layer, uint32_t instance); /* plat_kill calls for this service */

/* Acts as `endpoint` until the next fake_act(ENDPOINT_NONE): for replies outside a handler. */
void fake_act(uint32_t endpoint);

/* ---- Clients above: the test ---- */

/* A live endpoint of (layer, instance) that the test speaks for. Calling it again for the same
 * gives a new one and kills the earlier. */
uint32_t fake_client(enum layer layer, uint32_t instance);
void fake_client_die(uint32_t endpoint);

/* A grant of `client`'s memory to the layer's present instance. */
uint32_t fake_grant(uint32_t client, void *base, size_t bytes, uint32_t access);
void fake_revoke(uint32_t client, uint32_t grant);

/* Queues a message from `client` (source is set). It is delivered when the layer receives. */
void fake_request(uint32_t client, const struct msg *m);

/* The oldest undelivered message of the layer to `client`; false if there is none. */
bool fake_take_reply(uint32_t client, struct msg *m);

/* Queues *m from client, runs the layer at the present time; true and *m = the reply with the same
 * id if one came (others to this client are dropped). */
bool fake_call(uint32_t client, struct msg *m);

/* The same, letting time pass up to `limit_ns` from now until the reply is there. */
bool fake_call_for(uint32_t client, struct msg *m, uint64_t limit_ns);

/* ---- Probes and reports ---- */

/* The layer crashes at the n-th hit (1: first) of this probe from now on; 0 disarms. */
void fake_crash_at_probe(enum probe probe, uint32_t n);
uint32_t fake_probe_hits(enum probe probe);

struct fake_report {
    enum report what;
    uint64_t a, b, at_ns;
};
#define FAKE_REPORTS_MAX 4096u
uint32_t fake_report_count(enum report what);
const struct fake_report *fake_reports(uint32_t *count); /* all, in order */

/* Crash the layer (as a kill inside it) at its n-th platform call of any kind from now on: to walk
 * all its states; 0 disarms. fake_calls: calls so far since fake_reset. */
void fake_crash_at_call(uint64_t n);
uint64_t fake_calls(void);

/* ---- The device, for tests of the driver ---- */

#define FAKE_DISK_QUEUE 32u

/* Lends the device memory: sectors x 512 bytes. auto_complete: a request completes (oldest first)
 * when the layer idles; else by fake_disk_complete. */
void fake_disk(uint8_t *bytes, uint64_t sectors, uint32_t queue_depth, bool auto_complete);
uint32_t fake_disk_queued(void);
/* Completes the index-th queued request (0: oldest): moves the data if status is OK, and rings. */
void fake_disk_complete(uint32_t index, enum err status);
const struct plat_disk_request *fake_disk_peek(uint32_t index);
void fake_disk_set(uint32_t resets, bool gone);
uint32_t fake_disk_aborts(void);
uint32_t fake_disk_flushes(void); /* flushes completed */

#endif
