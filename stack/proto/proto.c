/*
 * The two ways to wait (proto.h). Both answer heartbeats, so that a layer that waits for a slow
 * peer is not taken for one that hangs.
 *
 * Requests are posted, not sent: a rendezvous with a busy peer would block heartbeats and outlast
 * any deadline.
 */
#include "proto.h"

#include "assertion.h"
#include "mem.h"

static bool is_notification(const struct msg *m, uint32_t endpoint)
{
    return m->type == MSG_NOTIFY && m->source == endpoint;
}

enum err proto_receive(uint32_t from, struct msg *m, uint64_t deadline_ns)
{
    ASSERT(m != NULL);
    for (;;) {
        enum err e = plat_receive(from, m, deadline_ns);
        if (e != OK)
            return e;
        if (!is_notification(m, ENDPOINT_RS))
            return OK;
        plat_notify(ENDPOINT_RS);
    }
}

/* Queues a message without waiting for the peer, unless this process has too many posts under way.
 */
static enum err post_or_send(uint32_t to, const struct msg *m)
{
    enum err e = plat_post(to, m);
    return e == E_FULL ? plat_send(to, m) : e;
}

enum err proto_call(uint32_t to, struct msg *m, uint64_t deadline_ns)
{
    ASSERT(m != NULL);
    ASSERT((m->type & PROTO_REPLY) == 0);
    uint32_t want_type = m->type | PROTO_REPLY;
    uint32_t want_id = m->id;
    if (to == ENDPOINT_NONE)
        return E_DEAD;
    enum err e = post_or_send(to, m);
    while (e == OK) {
        e = proto_receive(to, m, deadline_ns);
        if (e == OK && m->source == to && m->type == want_type && m->id == want_id)
            return OK;
    }
    return e;
}

uint32_t proto_await(enum layer layer, uint32_t instance, uint64_t deadline_ns)
{
    plat_subscribe(layer, instance); /* before the look-up, or its death in between is missed */
    for (;;) {
        uint32_t endpoint = plat_lookup(layer, instance);
        if (endpoint != ENDPOINT_NONE)
            return endpoint;
        struct msg m;
        /* No process has the endpoint DS: only notifications come, requests stay queued. */
        enum err e = proto_receive(ENDPOINT_DS, &m, deadline_ns);
        if (e != OK)
            return plat_lookup(layer, instance);
    }
}

void proto_reply(const struct msg *request, enum err status, struct msg *reply)
{
    ASSERT(request != NULL);
    ASSERT(reply != NULL);
    uint32_t to = request->source;
    reply->type = request->type | PROTO_REPLY;
    reply->id = request->id;
    reply->status = (int32_t)status;
    enum err e = post_or_send(to, reply);
    ASSERT(e == OK || e == E_DEAD); /* a dead client waits for nothing */
}

uint32_t proto_grant(uint32_t to, void *base, size_t bytes, uint32_t access)
{
    uint32_t grant = plat_grant(to, base, bytes, access);
    ASSERT(grant != GRANT_NONE);
    return grant;
}

uint32_t proto_grant_spans(uint32_t to, const struct plat_span *spans, uint32_t count,
                           uint32_t access)
{
    uint32_t grant = plat_grant_spans(to, spans, count, access);
    ASSERT(grant != GRANT_NONE);
    return grant;
}
