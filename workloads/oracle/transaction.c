/*
 * User transactions in the model. While one is open, its operations are recorded like any others,
 * but only its own application sees them (model_hidden). When its commit is asked for, all that
 * they did becomes the effect of the commit: one operation, in or out as a whole, that begins and
 * ends when the commit does. What is aborted, or never came to a commit, is void.
 */
#include "workloads/oracle/transaction.h"

#include "workloads/oracle/model.h"

bool model_hidden(const struct history *h, uint32_t op, uint32_t self)
{
    const struct history_op *o = &h->ops[op];
    return o->txn != 0 && (self == 0 || h->ops[self].app != o->app);
}

/* Takes [from, to) out of what older parts of the same commit did to the file's bytes. */
static void cover(struct history *h, uint32_t commit, uint32_t inode, uint64_t from, uint64_t to)
{
    for (uint32_t at = h->inodes[inode].range; at != 0 && h->effects[at].op == commit;
         at = h->effects[at].older) {
        struct effect *e = &h->effects[at];
        if (e->is_void || e->to <= from || e->from >= to)
            continue;
        if (e->from < from && e->to > to) { /* it goes on behind */
            struct effect rest = *e;
            e->to = from;
            struct effect *behind = model_effect(h, commit, SLOT_RANGE, inode, rest.value);
            uint32_t older = behind->older;
            *behind = rest;
            behind->older = older;
            behind->from = to;
            return; /* parts of one commit do not overlap: no other has it */
        }
        if (e->from >= from && e->to <= to)
            e->is_void = true;
        else if (e->from < from)
            e->to = from;
        else
            e->from = to;
    }
}

/* The newest of the commit's own on this slot, of which only the last counts. */
static void supersede(struct history *h, uint32_t commit, const struct effect *e)
{
    uint32_t at = *model_list(h, (enum slot_kind)e->slot, e->object);
    if (at != 0 && h->effects[at].op == commit)
        h->effects[at].is_void = true;
}

/* All attributes of an inode are one slot: what the commit made of some before it has not made of
 * them all is no value of it. Each effect still tells of one name. */
static void gather_xattrs(struct history *h, uint32_t commit, const struct effect *e)
{
    for (uint32_t at = *model_list(h, SLOT_XATTRS, e->object);
         at != 0 && h->effects[at].op == commit; at = h->effects[at].older)
        h->effects[at].value = e->value;
}

/* One effect of an operation becomes one of the commit. */
static void take_over(struct history *h, uint32_t commit, uint32_t effect)
{
    struct effect e = h->effects[effect];
    if (e.is_void)
        return;
    if (e.slot == SLOT_RANGE)
        cover(h, commit, e.object, e.from, e.to);
    else if (e.slot == SLOT_XATTRS)
        gather_xattrs(h, commit, &e);
    else
        supersede(h, commit, &e);
    struct effect *new = model_effect(h, commit, (enum slot_kind)e.slot, e.object, e.value);
    new->author = e.author;
    new->from = e.from;
    new->to = e.to;
    new->shift = e.shift;
    new->grown_from = e.grown_from;
    new->what = e.what;
}

/* Who took an inode's last name is the commit. */
static void take_deaths(struct history *h, uint32_t commit, uint32_t op)
{
    const struct history_op *o = &h->ops[op];
    for (uint32_t k = 0; k < o->effects; k++) {
        const struct effect *e = &h->effects[o->first_effect + k];
        uint32_t was =
            e->slot == SLOT_NAME && e->older != 0 ? (uint32_t)h->effects[e->older].value : 0;
        if (was != 0 && model_names(h, was, VIEW_ALL, commit) == 0)
            h->inodes[was].dead_op = commit;
    }
}

void transaction_gather(struct history *h, uint32_t begin, uint32_t commit)
{
    ASSERT(begin != 0 && begin < commit);
    h->commits++;
    for (uint32_t op = begin + 1; op < commit; op++) {
        struct history_op *o = &h->ops[op];
        if (o->txn != begin)
            continue;
        if (o->state == HISTORY_TROUBLED) { /* in or out, whatever the others are */
            o->end_tick = UINT32_MAX;
            o->txn = 0;
            continue;
        }
        for (uint32_t k = 0; k < h->ops[op].effects; k++)
            take_over(h, commit, h->ops[op].first_effect + k);
    }
    for (uint32_t op = commit - 1; op > begin; op--) {
        if (h->ops[op].txn != begin)
            continue;
        model_void(h, op);
        h->ops[op].txn = 0;
        take_deaths(h, commit, op);
    }
}

void transaction_ended(struct history *h, uint32_t commit, uint32_t tick)
{
    uint32_t app = h->ops[commit].app;
    for (uint32_t op = commit - 1; op > h->apps[app].txn; op--)
        if (h->ops[op].app == app && h->ops[op].end_tick == UINT32_MAX)
            h->ops[op].end_tick = tick;
}

void transaction_void(struct history *h, uint32_t app, uint32_t begin)
{
    ASSERT(begin != 0);
    for (uint32_t op = h->op_count; op > begin; op--) {
        struct history_op *o = &h->ops[op];
        if (o->txn != begin)
            continue;
        model_void(h, op);
        h->inodes[op].type = 0;
        o->effects = 0;
        o->txn = 0;
    }
    struct open_file *fds = h->apps[app].fds;
    for (uint32_t fd = 0; fd < HISTORY_FDS_MAX; fd++)
        if (fds[fd].txn == begin)
            fds[fd] = (struct open_file){0};
}
