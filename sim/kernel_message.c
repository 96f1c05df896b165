/*
 * Messages: rendezvous, posts, receives, notifications, alarms. The rules are platform.h's. Each
 * process has one inbox, in order of sending, in which blocked senders and posted copies stand
 * alike. Delivery copies from gate to gate; the receiving stub copies into the process.
 */
#include <stdlib.h>

#include "assertion.h"
#include "sim/kernel.h"

#define NODES_AT_ONCE 64u

static bool is_kernel_endpoint(uint32_t endpoint)
{
    return endpoint < ENDPOINT_SLOT_FIRST;
}

/* ---- Inboxes --------------------------------------------------------------------------------- */

struct sim_node_chunk {
    struct sim_node_chunk *next;
    struct sim_node node[NODES_AT_ONCE];
};

void message_free_all(struct sim_machine *m)
{
    while (m->chunks != NULL) {
        struct sim_node_chunk *chunk = m->chunks;
        m->chunks = chunk->next;
        free(chunk);
    }
    m->free_nodes = NULL;
}

static void chunk_add_free(struct sim_machine *m, struct sim_node_chunk *chunk)
{
    for (uint32_t i = 0; i < NODES_AT_ONCE; i++) {
        chunk->node[i].next = m->free_nodes;
        m->free_nodes = &chunk->node[i];
    }
}

void message_forget_all(struct sim_machine *m)
{
    m->free_nodes = NULL;
    for (struct sim_node_chunk *chunk = m->chunks; chunk != NULL; chunk = chunk->next)
        chunk_add_free(m, chunk);
}

static struct sim_node *node_take(struct sim_machine *m)
{
    if (m->free_nodes == NULL) {
        struct sim_node_chunk *chunk = calloc(1, sizeof(*chunk));
        ASSERT(chunk != NULL);
        chunk->next = m->chunks;
        m->chunks = chunk;
        chunk_add_free(m, chunk);
    }
    struct sim_node *node = m->free_nodes;
    m->free_nodes = node->next;
    return node;
}

static void node_free(struct sim_machine *m, struct sim_node *node)
{
    struct sim_process *poster = process_by_endpoint(m, node->source);
    ASSERT(node->posted);
    if (poster != NULL) {
        ASSERT(poster->posts > 0);
        poster->posts--;
    }
    node->next = m->free_nodes;
    m->free_nodes = node;
}

static void inbox_append(struct sim_process *p, struct sim_node *node)
{
    node->next = NULL;
    *p->inbox_end = node;
    p->inbox_end = &node->next;
}

static void inbox_unlink(struct sim_process *p, struct sim_node **link)
{
    struct sim_node *node = *link;
    *link = node->next;
    if (p->inbox_end == &node->next)
        p->inbox_end = link;
    node->next = NULL;
}

static struct sim_node **inbox_find(struct sim_process *p, uint32_t from)
{
    struct sim_node **link = &p->inbox;
    while (*link != NULL && from != ENDPOINT_ANY && (*link)->source != from)
        link = &(*link)->next;
    return *link != NULL ? link : NULL;
}

/* ---- Delivery -------------------------------------------------------------------------------- */

/* p is about to be given this message. Returns false if an observer made it die of that. */
static bool arrive(struct sim_process *p, const struct msg *msg, uint32_t source)
{
    struct sim_machine *m = p->m;
    uint32_t endpoint = p->endpoint;
    p->counts.messages++;
    m->totals.messages++;
    if (m->observer.on_message != NULL) {
        m->arriving = msg;
        m->arriving_from = source;
        m->observer.on_message(m->observer.context, p->layer, p->instance, p->counts.messages);
        m->arriving = NULL;
    }
    return p->alive && p->endpoint == endpoint;
}

/* Ends what p waits for, with this result. */
static void release(struct sim_process *p, enum err result)
{
    ASSERT(p->alive);
    bool sent = p->state == STATE_SENDING && !p->then_receive;
    if (sent || (result != OK && p->state != STATE_RUNNING))
        process_trace(p, SIM_TRACE_WAKES, p->waits_for, NULL, result);
    p->gate.result = result;
    if (p->deadline != 0) {
        (void)sim_engine_cancel(p->m->engine, p->deadline);
        p->deadline = 0;
    }
    if (p->state != STATE_RUNNING)
        process_make_ready(p);
}

static void hand_over(struct sim_process *p, const struct msg *msg, uint32_t source)
{
    msg_copy(&p->gate.msg, msg);
    p->gate.msg.source = source;
    sim_engine_note(p->m->engine, NOTE_MESSAGE | (uint64_t)msg->type << 32,
                    (uint64_t)source << 32 | p->endpoint,
                    ((uint64_t)msg->id << 32 | (uint32_t)msg->status) + p->co.blocks);
    release(p, OK);
    process_trace(p, SIM_TRACE_GIVEN, source, &p->gate.msg, OK);
}

static void hand_over_notification(struct sim_process *p, uint32_t source)
{
    p->gate.msg = (struct msg){.source = source, .type = MSG_NOTIFY};
    sim_engine_note(p->m->engine, NOTE_NOTIFY, (uint64_t)source << 32 | p->endpoint, p->co.blocks);
    release(p, OK);
    process_trace(p, SIM_TRACE_NOTIFIED, source, NULL, OK);
}

static bool waits_for(const struct sim_process *p, uint32_t source)
{
    return p->state == STATE_RECEIVING && (p->waits_for == ENDPOINT_ANY || p->waits_for == source);
}

static void on_deadline(void *object, uint64_t endpoint)
{
    struct sim_process *p = object;
    ASSERT(p->alive);
    ASSERT(p->endpoint == endpoint);
    ASSERT(p->state == STATE_RECEIVING);
    p->deadline = 0;
    p->timeouts++;
    release(p, E_TIMEOUT);
}

/* ---- Receive --------------------------------------------------------------------------------- */

static bool take_notification(struct sim_process *p, uint32_t from)
{
    if (p->kernel_notes != 0) {
        uint32_t source = (uint32_t)__builtin_ctz(p->kernel_notes);
        p->kernel_notes &= p->kernel_notes - 1;
        hand_over_notification(p, source);
        return true;
    }
    for (uint64_t left = p->notes; left != 0; left &= left - 1) {
        uint32_t slot = (uint32_t)__builtin_ctzll(left);
        uint32_t source = p->m->process[slot].endpoint;
        if (from != ENDPOINT_ANY && from != source)
            continue;
        p->notes &= ~(UINT64_C(1) << slot);
        hand_over_notification(p, source);
        return true;
    }
    return false;
}

static void receive(struct sim_process *p, uint32_t from, uint64_t deadline_ns, bool quiet);

/* Gives p the message of a node in its inbox; its sender, if it is blocked, goes on. */
static void take_node(struct sim_process *p, struct sim_node **link)
{
    struct sim_machine *m = p->m;
    struct sim_node *node = *link;
    inbox_unlink(p, link);
    hand_over(p, node->msg, node->source);
    if (node->posted) {
        node_free(m, node);
        return;
    }
    struct sim_process *sender = process_by_endpoint(m, node->source);
    ASSERT(sender != NULL);
    ASSERT(sender->state == STATE_SENDING);
    if (sender->then_receive)
        receive(sender, p->endpoint, PLAT_FOREVER, true);
    else
        release(sender, OK);
}

/* Takes the oldest message that matches. Returns whether p got one, or died of it. */
static bool take_message(struct sim_process *p, uint32_t from)
{
    struct sim_node **link = inbox_find(p, from);
    if (link == NULL)
        return false;
    if (!arrive(p, (*link)->msg, (*link)->source))
        return true;
    link = inbox_find(p, from);
    if (link == NULL)
        return false; /* an observer killed the sender */
    take_node(p, link);
    return true;
}

/* Receives for p, which runs (from its call) or was blocked in the send of a sendrec. */
static void receive(struct sim_process *p, uint32_t from, uint64_t deadline_ns, bool quiet)
{
    struct sim_machine *m = p->m;
    if (!quiet && (p->kernel_notes | p->notes) != 0 && take_notification(p, from))
        return;
    if (take_message(p, from))
        return;
    if (from != ENDPOINT_ANY && !is_kernel_endpoint(from) && process_by_endpoint(m, from) == NULL) {
        release(p, E_DEAD);
        return;
    }
    if (deadline_ns <= sim_engine_now(m->engine)) {
        release(p, E_TIMEOUT);
        return;
    }
    p->state = STATE_RECEIVING;
    p->waits_for = from;
    p->quiet = quiet;
    process_trace(p, SIM_TRACE_WAITS, from, NULL, OK);
    ASSERT(p->deadline == 0);
    if (deadline_ns != PLAT_FOREVER)
        p->deadline = sim_engine_at(m->engine, deadline_ns, on_deadline, p, p->endpoint);
}

/* gate: peer, a = deadline -> result, msg. */
void kernel_receive(struct sim_process *p)
{
    receive(p, p->gate.peer, p->gate.a, false);
}

/* ---- Send ------------------------------------------------------------------------------------ */

static void send(struct sim_process *p, bool then_receive)
{
    struct sim_machine *m = p->m;
    struct sim_process *to = process_by_endpoint(m, p->gate.peer);
    uint32_t endpoint = p->endpoint;
    if (to == NULL || to == p) {
        release(p, to == NULL ? E_DEAD : E_INVAL);
        return;
    }
    process_trace(p, SIM_TRACE_SENDS, to->endpoint, &p->gate.msg, OK);
    if (!waits_for(to, endpoint)) {
        p->send_node = (struct sim_node){.msg = &p->gate.msg, .source = endpoint};
        inbox_append(to, &p->send_node);
        p->state = STATE_SENDING;
        p->waits_for = to->endpoint;
        p->then_receive = then_receive;
        process_trace(p, SIM_TRACE_WAITS, to->endpoint, NULL, OK);
        return;
    }
    uint32_t to_endpoint = to->endpoint;
    bool arrived = arrive(to, &p->gate.msg, endpoint);
    if (!p->alive || p->endpoint != endpoint)
        return;
    if (!arrived || !waits_for(to, endpoint)) {
        release(p, E_DEAD);
        return;
    }
    hand_over(to, &p->gate.msg, endpoint);
    if (then_receive)
        receive(p, to_endpoint, PLAT_FOREVER, true);
    else
        release(p, OK);
}

/* gate: peer, msg -> result. */
void kernel_send(struct sim_process *p)
{
    if (bug_lets_send(p, true))
        send(p, false);
    else
        p->gate.result = OK;
}

/* gate: peer, msg -> result, msg. */
void kernel_sendrec(struct sim_process *p)
{
    (void)bug_lets_send(p, false);
    send(p, true);
}

/* gate: peer, msg -> result. */
void kernel_post(struct sim_process *p)
{
    struct sim_machine *m = p->m;
    struct sim_process *to = process_by_endpoint(m, p->gate.peer);
    uint32_t endpoint = p->endpoint;
    p->gate.result = OK;
    if (!bug_lets_send(p, true))
        return;
    if (to == NULL) {
        p->gate.result = E_DEAD;
    } else if (to != p && waits_for(to, endpoint)) {
        process_trace(p, SIM_TRACE_SENDS, to->endpoint, &p->gate.msg, OK);
        bool arrived = arrive(to, &p->gate.msg, endpoint);
        if (!p->alive || p->endpoint != endpoint)
            return;
        if (arrived && waits_for(to, endpoint))
            hand_over(to, &p->gate.msg, endpoint);
        else
            p->gate.result = E_DEAD;
    } else if (p->posts == PLAT_POSTS_MAX) {
        p->gate.result = E_FULL;
    } else {
        struct sim_node *node = node_take(m);
        process_trace(p, SIM_TRACE_SENDS, to->endpoint, &p->gate.msg, OK);
        msg_copy(&node->copy, &p->gate.msg);
        node->msg = &node->copy;
        node->source = endpoint;
        node->posted = true;
        p->posts++;
        inbox_append(to, node);
    }
}

/* ---- Notifications --------------------------------------------------------------------------- */

void kernel_tell(struct sim_process *p, uint32_t from)
{
    ASSERT(is_kernel_endpoint(from));
    ASSERT(p->alive);
    if (p->state == STATE_RECEIVING && !p->quiet)
        hand_over_notification(p, from);
    else
        p->kernel_notes |= UINT32_C(1) << from;
}

/* gate: peer. */
void kernel_notify(struct sim_process *p)
{
    struct sim_process *to = process_by_endpoint(p->m, p->gate.peer);
    if (p->gate.peer == ENDPOINT_RS)
        restart_on_pong(p);
    else if (to != NULL && !to->quiet && waits_for(to, p->endpoint))
        hand_over_notification(to, p->endpoint);
    else if (to != NULL)
        to->notes |= UINT64_C(1) << p->slot;
}

static void on_alarm(void *object, uint64_t endpoint)
{
    struct sim_process *p = object;
    ASSERT(p->alive);
    ASSERT(p->endpoint == endpoint);
    p->alarm = 0;
    p->timeouts++;
    kernel_tell(p, ENDPOINT_CLOCK);
}

/* gate: a = time. An alarm in the past goes off at once. */
void kernel_alarm(struct sim_process *p)
{
    struct sim_engine *engine = p->m->engine;
    uint64_t now_ns = sim_engine_now(engine);
    if (p->alarm != 0)
        (void)sim_engine_cancel(engine, p->alarm);
    p->alarm = 0;
    if (p->gate.a != PLAT_FOREVER)
        p->alarm = sim_engine_at(engine, p->gate.a > now_ns ? p->gate.a : now_ns, on_alarm, p,
                                 p->endpoint);
}

/* ---- Death ----------------------------------------------------------------------------------- */

static void empty_inbox(struct sim_process *dead)
{
    struct sim_machine *m = dead->m;
    while (dead->inbox != NULL) {
        struct sim_node *node = dead->inbox;
        inbox_unlink(dead, &dead->inbox);
        struct sim_process *sender = process_by_endpoint(m, node->source);
        if (node->posted)
            node_free(m, node);
        else if (sender != NULL)
            release(sender, E_DEAD);
    }
}

void kernel_forget_peer(struct sim_process *dead)
{
    struct sim_machine *m = dead->m;
    ASSERT(!dead->alive);
    (void)sim_engine_cancel(m->engine, dead->deadline);
    (void)sim_engine_cancel(m->engine, dead->alarm);
    dead->deadline = 0;
    dead->alarm = 0;
    if (dead->state == STATE_SENDING) {
        struct sim_process *to = process_by_endpoint(m, dead->waits_for);
        ASSERT(to != NULL);
        struct sim_node **link = &to->inbox;
        while (*link != &dead->send_node)
            link = &(*link)->next;
        inbox_unlink(to, link);
    }
    empty_inbox(dead);
    for (uint32_t i = 0; i < m->slots; i++) {
        struct sim_process *p = &m->process[i];
        p->notes &= ~(UINT64_C(1) << dead->slot);
        if (p->alive && p->state == STATE_RECEIVING && p->waits_for == dead->endpoint)
            release(p, E_DEAD);
    }
}
