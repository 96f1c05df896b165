#include "sim/memo.h"

#include <stdlib.h>

#include "assertion.h"

#define FIRST_ROOM 1024u

enum node_kind { NODE_UNKNOWN, NODE_INNER, NODE_LEAF };

struct node {
    enum node_kind kind;
    uint32_t what;          /* INNER: the variable; LEAF: its number */
    uint32_t child;         /* INNER: the first; 0: none */
    uint32_t content, next; /* the edge that leads here, and the next child of the same node */
};

struct sim_memo {
    struct node *node; /* [1..nodes]; 1 is the root */
    uint32_t nodes, room;
    uint32_t at; /* of a run in progress; 0: none */
};

static uint32_t add_node(struct sim_memo *m, uint32_t content)
{
    ASSERT(m->nodes < UINT32_MAX - 2);
    if (m->nodes + 2 > m->room) {
        m->room = m->room == 0 ? FIRST_ROOM : m->room * 2;
        m->node = realloc(m->node, m->room * sizeof(m->node[0]));
        ASSERT(m->node != NULL);
    }
    m->node[++m->nodes] = (struct node){.kind = NODE_UNKNOWN, .content = content};
    return m->nodes;
}

struct sim_memo *sim_memo_create(void)
{
    struct sim_memo *m = calloc(1, sizeof(*m));
    ASSERT(m != NULL);
    (void)add_node(m, 0);
    return m;
}

void sim_memo_destroy(struct sim_memo *m)
{
    if (m == NULL)
        return;
    free(m->node);
    free(m);
}

void sim_memo_reset(struct sim_memo *m)
{
    ASSERT(m->at == 0);
    m->nodes = 0;
    (void)add_node(m, 0);
}

static uint32_t child_of(const struct sim_memo *m, uint32_t at, uint32_t content)
{
    uint32_t child = m->node[at].child;
    while (child != 0 && m->node[child].content != content)
        child = m->node[child].next;
    return child;
}

uint32_t sim_memo_follow(const struct sim_memo *m, sim_memo_value *value, void *context)
{
    uint32_t at = 1;
    while (at != 0 && m->node[at].kind == NODE_INNER)
        at = child_of(m, at, value(context, m->node[at].what));
    return at != 0 && m->node[at].kind == NODE_LEAF ? m->node[at].what : UINT32_MAX;
}

void sim_memo_enter(struct sim_memo *m)
{
    ASSERT(m->at == 0);
    m->at = 1;
}

void sim_memo_read(struct sim_memo *m, uint32_t variable, uint32_t content)
{
    struct node *node = &m->node[m->at];
    ASSERT(m->at != 0 && node->kind != NODE_LEAF);
    if (node->kind == NODE_UNKNOWN) {
        node->kind = NODE_INNER;
        node->what = variable;
    }
    ASSERT(node->what == variable);
    uint32_t child = child_of(m, m->at, content);
    if (child == 0) {
        child = add_node(m, content);
        m->node[child].next = m->node[m->at].child;
        m->node[m->at].child = child;
    }
    m->at = child;
}

void sim_memo_leave(struct sim_memo *m, uint32_t leaf)
{
    struct node *node = &m->node[m->at];
    ASSERT(m->at != 0 && node->kind == NODE_UNKNOWN);
    node->kind = NODE_LEAF;
    node->what = leaf;
    m->at = 0;
}

uint32_t sim_memo_nodes(const struct sim_memo *m)
{
    return m->nodes;
}
