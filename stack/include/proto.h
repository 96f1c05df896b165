/*
 * Common to all protocols: message types, the two ways to wait, and grants. A request's type is
 * PROTO_<protocol> | operation; its reply has the same type and id with PROTO_REPLY set.
 *
 * stack/proto/ packs and unpacks payloads, so that both ends agree and each field is checked once.
 */
#ifndef LORIS_PROTO_H
#define LORIS_PROTO_H

#include "platform.h"

#define PROTO_BLOCK 0x0100u
#define PROTO_OBJECT 0x0200u
#define PROTO_VFS 0x0300u
#define PROTO_CALL 0x0400u
#define PROTO_REPLY 0x8000u
#define PROTO_OF(type) ((type)&0x7f00u)
#define PROTO_OPERATION(type) ((type)&0xffu)

/*
 * plat_receive for servers and clients alike: answers heartbeats itself and goes on waiting.
 * Everything else, notifications of DS, HARDWARE and CLOCK included, is returned.
 */
MUST_USE enum err proto_receive(uint32_t from, struct msg *m, uint64_t deadline_ns);

/*
 * Calls `to` and waits for the reply to exactly this request (m->id), answering heartbeats; stale
 * replies from `to` and other notifications are dropped (an ENDPOINT_DS or CLOCK notification that
 * matters must be re-read from plat_lookup / plat_now after a call). On OK *m is the reply, whose
 * m->status is the peer's own answer. E_DEAD: `to` died before it answered; E_TIMEOUT.
 */
MUST_USE enum err proto_call(uint32_t to, struct msg *m, uint64_t deadline_ns);

/*
 * Waits until (layer, instance) is up and returns its endpoint, ENDPOINT_NONE at the deadline.
 * Answers heartbeats; other notifications are dropped.
 */
uint32_t proto_await(enum layer layer, uint32_t instance, uint64_t deadline_ns);

/* Posts the reply to `request` (type, id and source are taken from it). A dead client is ignored.
 */
void proto_reply(const struct msg *request, enum err status, struct msg *reply);

/*
 * plat_grant and plat_grant_spans of own memory, always > 0. No process gives more grants at a time
 * than its table holds: a full one is a leak, of which it dies, and the next has an empty table.
 */
uint32_t proto_grant(uint32_t to, void *base, size_t bytes, uint32_t access);
uint32_t proto_grant_spans(uint32_t to, const struct plat_span *spans, uint32_t count,
                           uint32_t access);

#endif
