#include "workloads/oracle/cut.h"

#include <string.h>

#define NOBODYS UINT32_MAX /* component: names that the base has and no application touched */

/* ---- Which operations belong to whom ---- */

static bool is_visible(const struct judge *j, uint32_t op)
{
    const struct history *h = j->h;
    const struct history_op *o = &h->ops[op];
    bool any = false;
    for (uint32_t k = 0; k < o->effects; k++) {
        const struct effect *e = &h->effects[o->first_effect + k];
        uint32_t inode = e->slot == SLOT_NAME ? h->slots[e->object].dir : e->object;
        any = any || (!e->is_void && (o->environment == j->environment || h->inodes[inode].shared));
    }
    return any;
}

static uint32_t leader(const struct judge *j, uint32_t app)
{
    while (j->sequence[app].component != app)
        app = j->sequence[app].component;
    return app;
}

static void join(struct judge *j, uint32_t app, uint32_t other)
{
    uint32_t a = leader(j, app);
    uint32_t b = leader(j, other);
    if (a < b)
        j->sequence[b].component = a;
    else
        j->sequence[a].component = b;
}

/* This application had an effect here: it meets all others that had. */
static void meet(struct judge *j, uint32_t *owner, uint32_t app)
{
    if (*owner == 0)
        *owner = app + 1;
    else
        join(j, *owner - 1, app);
}

/* The application + 1 that owns the name in a root above this node, or 0. */
static uint32_t owner_above(struct judge *j, uint32_t node)
{
    uint32_t top = node;
    while (!j->o->nodes[j->o->nodes[top].parent].root)
        top = j->o->nodes[top].parent;
    bool shared = j->o->nodes[j->o->nodes[top].parent].shared_root;
    return j->slot_owner[sight_slot(j, top, shared ? 1 : j->environment + 2)];
}

/* The names of one object are judged together, whoever made them. */
static void meet_names(struct judge *j)
{
    for (uint32_t k = 1; k <= j->object_count; k++) {
        uint32_t first = j->objects[k].node;
        if (j->objects[k].names < 2)
            continue;
        for (uint32_t node = j->glimpses[first].next_name; node != 0;
             node = j->glimpses[node].next_name) {
            uint32_t a = owner_above(j, first);
            uint32_t b = owner_above(j, node);
            if (a != 0 && b != 0)
                join(j, a - 1, b - 1);
        }
    }
}

/* What the last boot found below one name of a root is judged in one piece, with all names that its
 * files have elsewhere: whoever changes an inode of it owns these names. */
static void meet_base(struct judge *j, uint32_t inode, uint32_t app)
{
    const struct history *h = j->h;
    meet(j, &j->inode_owner[inode], app);
    if (h->inodes[inode].top == 0)
        return;
    for (uint32_t at = h->inodes[inode].names; at != 0; at = h->effects[at].sibling) {
        const struct effect *e = &h->effects[at];
        uint32_t dir = h->slots[e->object].dir;
        if (h->ops[e->op].kind == HISTORY_SETUP)
            meet(j, &j->slot_owner[h->inodes[dir].setup ? e->object : h->inodes[dir].top], app);
    }
}

/* What the base had under this name. */
static void meet_replaced(struct judge *j, const struct effect *e, uint32_t app)
{
    const struct history *h = j->h;
    for (uint32_t at = e->older; at != 0; at = h->effects[at].older)
        if (h->ops[h->effects[at].op].kind == HISTORY_SETUP && h->effects[at].value != 0 &&
            !h->inodes[h->effects[at].value].setup)
            meet_base(j, (uint32_t)h->effects[at].value, app);
}

static void meet_effects(struct judge *j, uint32_t op)
{
    const struct history *h = j->h;
    const struct history_op *o = &h->ops[op];
    for (uint32_t k = 0; k < o->effects; k++) {
        const struct effect *e = &h->effects[o->first_effect + k];
        if (e->is_void)
            continue;
        if (e->slot != SLOT_NAME) {
            meet_base(j, e->object, o->app);
            continue;
        }
        meet(j, &j->slot_owner[e->object], o->app);
        if (!h->inodes[h->slots[e->object].dir].setup)
            meet_base(j, h->slots[e->object].dir, o->app);
        if (e->value != 0)
            meet_base(j, (uint32_t)e->value, o->app);
        meet_replaced(j, e, o->app);
    }
}

/* Numbers the operations of each application that have effects in this sight. */
static void make_sequences(struct judge *j)
{
    const struct history *h = j->h;
    uint32_t next[HISTORY_APPS_MAX];
    for (uint32_t a = 0; a < h->app_count; a++)
        j->sequence[a] = (struct sequence){.component = a};
    for (uint32_t op = h->setup_ops + 1; op <= h->op_count; op++)
        if (h->ops[op].effects != 0 && is_visible(j, op))
            j->rank[op] = j->sequence[h->ops[op].app].count++;
    uint32_t first = 0;
    uint32_t fits = 0;
    for (uint32_t a = 0; a < h->app_count; a++) {
        struct sequence *s = &j->sequence[a];
        s->first = next[a] = first;
        s->fits = fits;
        first += s->count;
        fits += s->count + 1;
    }
    j->ops = model_grow(j->ops, &j->ops_room, first + 1, sizeof(*j->ops));
    j->fits = model_grow(j->fits, &j->fits_room, fits + 1, 1);
    memset(j->fits, 0, fits);
    for (uint32_t op = h->setup_ops + 1; op <= h->op_count; op++) {
        if (j->rank[op] == UINT32_MAX)
            continue;
        struct sequence *s = &j->sequence[h->ops[op].app];
        j->ops[next[h->ops[op].app]++] = op;
        if (h->ops[op].state == HISTORY_DONE)
            s->full = j->rank[op] + 1;
        if (h->ops[op].state == HISTORY_DONE && sight_op_synced(h, op))
            s->synced = j->rank[op] + 1;
        meet_effects(j, op);
    }
}

/* ---- Whether a choice of positions explains what one component made ---- */

static enum presence presence_in_cut(const void *object, uint32_t op)
{
    const struct judge *j = object;
    const struct history_op *o = &j->h->ops[op];
    if (o->kind == HISTORY_SETUP)
        return IN;
    uint32_t rank = j->rank[op];
    if (rank != UINT32_MAX && rank >= j->position[o->app])
        return OUT;
    switch (o->state) {
    case HISTORY_DONE:
        return IN;
    case HISTORY_IN_FLIGHT:
        return o->kind == HISTORY_WRITE || o->kind == HISTORY_FALLOCATE ? OPTIONAL : IN;
    case HISTORY_TROUBLED:
        return o->kind == HISTORY_COMMIT ? IN : OPTIONAL; /* whole or not at all */
    case HISTORY_REFUSED:
        return OUT;
    }
    ASSERT(false);
    return OUT;
}

static void cut_values(const struct judge *j, uint32_t newest, uint64_t initial, struct values *v)
{
    struct values_query q = {
        .h = j->h, .presence = presence_in_cut, .object = j, .newest = newest, .initial = initial};
    values_list(&q, v);
}

static bool in_component(const struct judge *j, uint32_t slot)
{
    if (!j->h->inodes[j->h->slots[slot].dir].setup)
        return true; /* below a name that was looked at already */
    uint32_t owner = j->slot_owner[slot];
    if (owner != 0)
        return leader(j, owner - 1) == j->component;
    uint32_t newest = j->h->slots[slot].newest;
    return j->component == NOBODYS && newest != 0 && j->h->effects[newest].op >= j->h->base.first;
}

static bool bytes_right(struct judge *j, struct object *b, uint32_t inode)
{
    const struct inode *i = &j->h->inodes[inode];
    uint32_t newest = i->range;
    while (newest != 0 &&
           (j->h->effects[newest].is_void || presence_in_cut(j, j->h->effects[newest].op) == OUT))
        newest = j->h->effects[newest].older;
    bool plain = !i->mixed && !i->optional;
    if (plain && b->memo_valid && b->memo_inode == inode && b->memo_effect == newest)
        return b->memo_right;
    bool right = true;
    for (uint32_t k = j->o->nodes[b->data_node].chunk; k != 0 && right; k = j->o->chunks[k].next) {
        const struct chunk *c = &j->o->chunks[k];
        struct range_query q = {.h = j->h,
                                .presence = presence_in_cut,
                                .object = j,
                                .inode = inode,
                                .newest = newest,
                                .from = c->from,
                                .to = c->to,
                                .bytes = j->o->pool + c->place};
        right = c->result != OK || range_explained(&j->work, &q, NULL);
    }
    b->memo_inode = inode;
    b->memo_effect = newest;
    b->memo_right = right;
    b->memo_valid = plain;
    return right;
}

static bool directory_right(struct judge *j, uint32_t node, uint32_t inode);

static bool parts_right(struct judge *j, struct object *b, uint32_t inode)
{
    const struct inode *i = &j->h->inodes[inode];
    const struct node *n = &j->o->nodes[b->node];
    struct values v;
    if (n->stat.type != i->type || presence_in_cut(j, inode) == OUT)
        return false; /* it is numbered by the operation that made it */
    cut_values(j, i->mode, i->mode == 0 ? n->stat.mode : UINT64_MAX, &v);
    if (!values_allow(&v, n->stat.mode))
        return false;
    uint64_t owner = (uint64_t)n->stat.uid << 32 | n->stat.gid;
    cut_values(j, i->owner, owner, &v);
    if (!values_allow(&v, owner))
        return false;
    cut_values(j, i->xattrs, 0, &v);
    if (!i->mixed && !values_allow(&v, n->stat.xattrs))
        return false;
    if (i->type == HISTORY_DIRECTORY)
        return directory_right(j, b->node, inode);
    if (i->type == HISTORY_SYMBOLIC)
        return n->target_result != OK ||
               (n->target_bytes == i->text_bytes &&
                memcmp(j->o->text + n->target, j->h->text + i->text, i->text_bytes) == 0);
    cut_values(j, i->size, 0, &v);
    return values_allow(&v, n->stat.size) && bytes_right(j, b, inode);
}

/* Whether the node's object is that inode: all its names must agree, and no other object may. */
static bool object_is(struct judge *j, uint32_t node, uint32_t inode)
{
    uint32_t object = j->glimpses[node].object;
    struct object *b = &j->objects[object];
    if (!b->known)
        return true; /* it could not be read: an error, no contradiction */
    if (b->stamp == j->stamp)
        return b->inode == inode;
    if (j->inode_stamp[inode] == j->stamp)
        return false;
    b->stamp = j->stamp;
    b->inode = inode;
    j->inode_stamp[inode] = j->stamp;
    bool right = parts_right(j, b, inode);
    if (!right) {
        j->objects[object].stamp = 0;
        j->inode_stamp[inode] = 0;
    }
    return right;
}

/* The first option from `first` on that is an inode, or v->count. */
static uint32_t next_inode(const struct values *v, uint32_t first)
{
    while (first < v->count && v->option[first].value == 0)
        first++;
    return first;
}

/* Whether the name leads to an object of which more than one inode could be the identity. */
static bool is_doubt(const struct judge *j, uint32_t node, const struct values *v)
{
    const struct object *b = &j->objects[j->glimpses[node].object];
    return b->known && b->stamp != j->stamp && next_inode(v, next_inode(v, 0) + 1) < v->count;
}

/* Takes the next inode that the object may be. A directory that turns out not to be it has left
 * marks of its entries: then the whole sight is tried again, with the inode after it. */
static bool doubt_right(struct judge *j, uint32_t node, const struct values *v)
{
    if (j->doubt == CHOICES_MAX) {
        j->unsure = true;
        return false;
    }
    uint32_t n = j->doubt++;
    bool lists =
        j->o->nodes[j->objects[j->glimpses[node].object].node].stat.type == HISTORY_DIRECTORY;
    if (n == j->doubts)
        j->choice[j->doubts++] = (struct choice_of_inode){.next = 0};
    struct choice_of_inode *c = &j->choice[n];
    for (uint32_t k = next_inode(v, c->next); k < v->count; k = next_inode(v, k + 1)) {
        c->next = (uint8_t)k;
        c->more = next_inode(v, k + 1) < v->count;
        if (object_is(j, node, (uint32_t)v->option[k].value))
            return true;
        if (lists)
            return false;
    }
    c->more = false;
    return v->more;
}

static bool name_right(struct judge *j, uint32_t node, uint32_t slot)
{
    struct values v;
    cut_values(j, j->h->slots[slot].newest, 0, &v);
    if (is_doubt(j, node, &v))
        return doubt_right(j, node, &v);
    for (uint32_t k = next_inode(&v, 0); k < v.count; k = next_inode(&v, k + 1))
        if (object_is(j, node, (uint32_t)v.option[k].value))
            return true;
    return v.more;
}

static bool directory_right(struct judge *j, uint32_t node, uint32_t inode)
{
    const struct history *h = j->h;
    if (j->o->nodes[node].listing_result != OK)
        return true;
    for (uint32_t c = j->o->nodes[node].child; c != 0; c = j->o->nodes[c].next) {
        if (j->glimpses[c].object == 0)
            continue;
        uint32_t slot = sight_slot(j, c, inode);
        if (slot == 0 || model_newest(h, h->slots[slot].newest, VIEW_ALL, 0) == 0)
            return false; /* a name that never was */
        j->slot_stamp[slot] = j->stamp;
        if (in_component(j, slot) && !name_right(j, c, slot))
            return false;
    }
    for (uint32_t s = h->inodes[inode].slots; s != 0; s = h->slots[s].next) {
        if (j->slot_stamp[s] == j->stamp || !in_component(j, s))
            continue;
        struct values v;
        cut_values(j, h->slots[s].newest, 0, &v);
        if (!values_allow(&v, 0))
            return false;
    }
    return true;
}

/* Both trees of this sight, for the component, positions and choices that j holds. */
static bool explains_so(struct judge *j)
{
    j->stamp++;
    j->evaluations++;
    j->doubt = 0;
    for (unsigned shared = 0; shared < 2; shared++) {
        uint32_t root = j->root[shared];
        uint32_t inode = shared == 1 ? 1 : j->environment + 2;
        if (root != 0 && !directory_right(j, root, inode))
            return false;
    }
    return true;
}

/* The same for any choice. One at a name behind that which was wrong cannot help. */
static bool explains(struct judge *j)
{
    j->doubts = 0;
    while (!explains_so(j)) {
        j->doubts = j->doubt;
        while (j->doubts > 0 && !j->choice[j->doubts - 1].more)
            j->doubts--;
        if (j->doubts == 0)
            return false;
        j->choice[j->doubts - 1].next++;
        if (j->evaluations >= CUT_EVALUATIONS_MAX) {
            j->unsure = true;
            return false;
        }
    }
    return true;
}

/* ---- Positions that cannot be, found by counting ---- */

/* The positions where the slot would not be as seen (present or not) do not fit. */
static void rule_out(struct judge *j, uint32_t slot, bool present)
{
    const struct history *h = j->h;
    uint32_t newest = h->slots[slot].newest;
    uint32_t app = UINT32_MAX;
    for (uint32_t at = newest; at != 0; at = h->effects[at].older) {
        const struct effect *e = &h->effects[at];
        const struct history_op *o = &h->ops[e->op];
        if (e->is_void || o->kind == HISTORY_SETUP)
            continue;
        if (o->state == HISTORY_TROUBLED || (app != UINT32_MAX && app != o->app) ||
            j->rank[e->op] == UINT32_MAX)
            return; /* not a matter of one prefix */
        app = o->app;
    }
    if (app == UINT32_MAX)
        return;
    uint8_t *fits = j->fits + j->sequence[app].fits;
    uint32_t end = j->sequence[app].count + 1;
    for (uint32_t at = newest; at != 0; at = h->effects[at].older) {
        const struct effect *e = &h->effects[at];
        if (e->is_void)
            continue;
        uint32_t from = h->ops[e->op].kind == HISTORY_SETUP ? 0 : j->rank[e->op] + 1;
        if ((e->value != 0) != present && from < end)
            memset(fits + from, 2, end - from);
        end = from < end ? from : end;
    }
    if (present)
        memset(fits, 2, end);
}

/* Names in the roots and in directories that can only be one inode. */
static void prune(struct judge *j, uint32_t node, uint32_t inode)
{
    const struct history *h = j->h;
    if (j->o->nodes[node].listing_result != OK)
        return;
    for (uint32_t c = j->o->nodes[node].child; c != 0; c = j->o->nodes[c].next) {
        uint32_t slot = j->glimpses[c].object == 0 ? 0 : sight_slot(j, c, inode);
        if (slot == 0)
            continue;
        j->slot_stamp[slot] = j->stamp;
        rule_out(j, slot, true);
        uint32_t newest = model_newest(h, h->slots[slot].newest, VIEW_ALL, 0);
        bool only = newest != 0 && h->effects[newest].value != 0;
        for (uint32_t at = newest; at != 0 && only; at = h->effects[at].older)
            only = h->effects[at].is_void || h->effects[at].value == h->effects[newest].value;
        if (only && h->inodes[h->effects[newest].value].type == HISTORY_DIRECTORY)
            prune(j, c, (uint32_t)h->effects[newest].value);
    }
    for (uint32_t s = h->inodes[inode].slots; s != 0; s = h->slots[s].next)
        if (j->slot_stamp[s] != j->stamp)
            rule_out(j, s, false);
}

static void prune_all(struct judge *j)
{
    j->stamp++;
    for (unsigned shared = 0; shared < 2; shared++) {
        uint32_t root = j->root[shared];
        if (root != 0)
            prune(j, root, shared == 1 ? 1 : j->environment + 2);
    }
}

/* ---- The search ---- */

/* How many of b's operations ended before the last of a's first `position` began. */
static uint32_t needed(const struct judge *j, uint32_t a, uint32_t position, uint32_t b)
{
    if (position == 0)
        return 0;
    const struct sequence *s = &j->sequence[b];
    uint32_t last = j->ops[j->sequence[a].first + position - 1];
    uint32_t low = 0;
    uint32_t high = s->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (precedes(j->h, j->ops[s->first + middle], last))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct search {
    struct judge *j;
    struct cut_result *result;
    uint32_t total;                   /* answered operations in the best cut so far */
    uint32_t group[HISTORY_APPS_MAX]; /* leaders of components of several applications */
    uint32_t groups;
    bool together[HISTORY_APPS_MAX]; /* belongs to one of them */
};

static bool fits_alone(struct search *s, uint32_t app, uint32_t position)
{
    struct judge *j = s->j;
    uint8_t *fit = &j->fits[j->sequence[app].fits + position];
    if (*fit == 0) {
        j->component = app;
        j->position[app] = position;
        *fit = explains(j) ? 1 : 2;
    }
    return *fit == 1;
}

/* Whether all that precedes the first `position` of a's operations is in the positions at hand. */
static bool preceded(const struct search *s, uint32_t a, uint32_t position, const uint32_t *at)
{
    for (uint32_t b = 0; b < s->j->h->app_count; b++)
        if (b != a && needed(s->j, a, position, b) > at[b])
            return false;
    return true;
}

/* Lowers the applications that stand alone to the largest consistent choice. */
static bool settle(struct search *s, uint32_t *at)
{
    const struct history *h = s->j->h;
    for (uint32_t a = 0; a < h->app_count; a++)
        if (!s->together[a])
            at[a] = s->j->sequence[a].count;
    bool moved = true;
    while (moved) {
        moved = false;
        for (uint32_t a = 0; a < h->app_count; a++) {
            if (s->together[a])
                continue;
            uint32_t was = at[a];
            while (!(preceded(s, a, at[a], at) && fits_alone(s, a, at[a]))) {
                if (at[a] == 0)
                    return false;
                at[a]--;
            }
            moved = moved || at[a] != was;
        }
    }
    for (uint32_t a = 0; a < h->app_count; a++)
        if (s->together[a] && !preceded(s, a, at[a], at))
            return false;
    return true;
}

/* Keeps the cut if it is stronger, or has more operations. */
static void keep_best(struct search *s, const uint32_t *at)
{
    const struct judge *j = s->j;
    bool full = true;
    bool durable = true;
    uint32_t total = 0;
    for (uint32_t a = 0; a < j->h->app_count; a++) {
        const struct sequence *q = &j->sequence[a];
        full = full && at[a] >= q->full;
        durable = durable && at[a] >= q->synced;
        for (uint32_t k = 0; k < at[a]; k++)
            total += j->h->ops[j->ops[q->first + k]].state == HISTORY_DONE;
    }
    enum cut_found found = full ? CUT_FULL : durable ? CUT_DURABLE : CUT_ANY;
    if (found < s->result->found || (found == s->result->found && total < s->total))
        return;
    s->result->found = found;
    s->total = total;
    memcpy(s->result->position, at, j->h->app_count * sizeof(*at));
}

static void search_groups(struct search *s, uint32_t group, uint32_t *at);

/* Chooses positions for the applications of one component, from `app` on, the largest first. */
static void search_apps(struct search *s, uint32_t group, uint32_t app, uint32_t *at)
{
    struct judge *j = s->j;
    while (app < j->h->app_count && !(s->together[app] && leader(j, app) == s->group[group]))
        app++;
    if (app == j->h->app_count) {
        for (uint32_t a = 0; a < j->h->app_count; a++)
            j->position[a] = at[a];
        j->component = s->group[group];
        if (explains(j))
            search_groups(s, group + 1, at);
        return;
    }
    const struct sequence *q = &j->sequence[app];
    for (uint32_t p = q->count + 1; p-- > 0;) {
        if (s->result->found == CUT_FULL)
            return;
        if (j->evaluations >= CUT_EVALUATIONS_MAX) {
            s->result->undecided = true;
            return;
        }
        if (j->fits[q->fits + p] == 2)
            continue;
        at[app] = p;
        bool possible = true;
        for (uint32_t b = 0; b < app && possible; b++)
            possible = !s->together[b] || leader(j, b) != s->group[group] ||
                       (needed(j, app, p, b) <= at[b] && needed(j, b, at[b], app) <= p);
        if (possible)
            search_apps(s, group, app + 1, at);
    }
}

static void search_groups(struct search *s, uint32_t group, uint32_t *at)
{
    if (group < s->groups) {
        search_apps(s, group, 0, at);
        return;
    }
    uint32_t choice[HISTORY_APPS_MAX];
    memcpy(choice, at, sizeof(choice));
    if (settle(s, choice))
        keep_best(s, choice);
}

void cut_search(struct judge *j, struct cut_result *result)
{
    struct search s = {.j = j, .result = result};
    *result = (struct cut_result){.found = CUT_NONE};
    make_sequences(j);
    meet_names(j);
    j->evaluations = 0;
    j->unsure = false;
    for (uint32_t a = 0; a < j->h->app_count; a++) {
        uint32_t first = leader(j, a);
        if (first == a)
            continue;
        if (!s.together[first])
            s.group[s.groups++] = first;
        s.together[first] = s.together[a] = true;
    }
    uint32_t at[HISTORY_APPS_MAX] = {0};
    j->component = NOBODYS;
    if (j->h->base.first <= j->h->setup_ops && !explains(j))
        return;
    prune_all(j);
    search_groups(&s, 0, at);
    result->undecided = (result->undecided || j->unsure) && result->found != CUT_FULL;
}
