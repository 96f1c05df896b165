/*
 * What each operation does to the namespace, and when it must fail. The model predicts; where the
 * answer was another, history.c asks again in the light of what others did meanwhile.
 *
 * Only whether an operation succeeds matters, not by which error it fails: an application sees that
 * nothing changed in either case.
 */
#include "workloads/oracle/model.h"

#include <string.h>

#include "workloads/oracle/content.h"

struct apply {
    struct history *h;
    const struct history_call *call;
    struct app *app;
    uint32_t op;
    enum view view;
    bool unsettled;
};

static enum err walk(struct apply *a, const char *path, bool follow, struct where *at)
{
    struct lookup how = {.view = a->view, .self = a->op, .follow = follow};
    enum err e = model_walk(a->h, a->app->environment, path, &how, at);
    a->unsettled = a->unsettled || at->unsettled;
    return e;
}

/* The inode that the call's path or descriptor leads to. */
static enum err target_of(struct apply *a, bool follow, uint32_t *inode)
{
    const struct history_call *c = a->call;
    if (c->path == NULL) {
        if (c->fd < 0 || c->fd >= (int32_t)HISTORY_FDS_MAX || a->app->fds[c->fd].inode == 0) {
            a->unsettled = true; /* one that the history was not told of */
            return E_BADF;
        }
        *inode = a->app->fds[c->fd].inode;
        a->unsettled = a->unsettled || a->app->fds[c->fd].unsure;
        return OK;
    }
    struct where at;
    enum err e = walk(a, c->path, follow, &at);
    *inode = e == OK ? at.inode : 0;
    return e != OK ? e : at.inode == 0 ? E_NOENT : OK;
}

static void set_range(struct apply *a, uint32_t inode, enum range_what what, uint64_t from,
                      uint64_t to)
{
    ASSERT(from < to);
    struct effect *e = model_effect(a->h, a->op, SLOT_RANGE, inode, 0);
    e->what = (uint8_t)what;
    e->from = from;
    e->to = to;
    e->grown_from = to;
}

static void set_size(struct apply *a, uint32_t inode, uint64_t size, uint64_t was)
{
    struct effect *e = model_effect(a->h, a->op, SLOT_SIZE, inode, size);
    e->grown_from = was;
}

static void set_name(struct apply *a, uint32_t slot, uint32_t inode)
{
    struct history *h = a->h;
    uint32_t was = model_name(h, slot, a->view, a->op);
    (void)model_effect(h, a->op, SLOT_NAME, slot, inode);
    h->slots[slot].set_since = true;
    if (was != 0 && model_names(h, was, VIEW_ALL, a->op) == 0)
        h->inodes[was].dead_op = a->op;
}

/* The size before; what is grown or cut off hangs on those that change it at the same time. */
static uint64_t size_before(struct apply *a, uint32_t inode)
{
    struct history *h = a->h;
    for (uint32_t at = h->inodes[inode].size; at != 0; at = h->effects[at].older) {
        const struct effect *e = &h->effects[at];
        if (!e->is_void && e->op != a->op && !precedes(h, e->op, a->op))
            h->raced = true;
    }
    return model_size(h, inode, a->view, a->op);
}

static void resize(struct apply *a, uint32_t inode, uint64_t size)
{
    uint64_t was = size_before(a, inode);
    if (size == was)
        return;
    set_size(a, inode, size, was);
    if (size < was)
        set_range(a, inode, RANGE_ABSENT, size, was);
    else
        set_range(a, inode, RANGE_ZERO, was, size);
}

/* A new inode, identified by the operation, under a name that is free. */
static void make(struct apply *a, const struct where *at, enum history_type type)
{
    struct history *h = a->h;
    uint32_t slot = model_slot(h, at->dir, at->name, at->name_bytes);
    h->inodes[a->op] = (struct inode){.type = type, .shared = h->inodes[at->dir].shared};
    set_name(a, slot, a->op);
    if (type != HISTORY_SYMBOLIC)
        (void)model_effect(h, a->op, SLOT_MODE, a->op, a->call->mode);
    if (type == HISTORY_FILE)
        set_size(a, a->op, 0, 0);
}

/* Walks to a name that must be free. */
static enum err free_name(struct apply *a, const char *path, struct where *at)
{
    enum err e = walk(a, path, false, at);
    if (e != OK)
        return e;
    return at->inode != 0 || at->name_bytes == 0 ? E_EXIST : OK;
}

static enum err apply_open(struct apply *a)
{
    struct history *h = a->h;
    uint32_t flags = a->call->flags;
    struct where at;
    bool follow = (flags & HISTORY_EXCLUSIVE) == 0;
    enum err e = walk(a, a->call->path, follow, &at);
    if (e != OK)
        return e;
    struct history_op *o = &h->ops[a->op];
    if (at.inode == 0) {
        if ((flags & HISTORY_CREATE) == 0 || at.name_bytes == 0)
            return E_NOENT;
        make(a, &at, HISTORY_FILE);
        o->inode = a->op;
        o->name = h->inodes[a->op].up;
        return OK;
    }
    if ((flags & HISTORY_CREATE) != 0 && (flags & HISTORY_EXCLUSIVE) != 0)
        return E_EXIST;
    if (h->inodes[at.inode].type == HISTORY_DIRECTORY && (flags & HISTORY_CREATE) != 0)
        return E_ISDIR;
    if ((flags & HISTORY_TRUNC) != 0 && h->inodes[at.inode].type == HISTORY_FILE)
        resize(a, at.inode, 0);
    o->inode = at.inode;
    o->name = at.slot;
    return OK;
}

static enum err apply_write(struct apply *a)
{
    struct history *h = a->h;
    struct history_op *o = &h->ops[a->op];
    uint32_t inode;
    enum err e = target_of(a, true, &inode);
    if (e != OK)
        return e;
    if (h->inodes[inode].type != HISTORY_FILE)
        return E_BADF;
    o->inode = inode;
    uint64_t was = size_before(a, inode);
    uint64_t to = o->offset + o->length;
    if (o->length == 0)
        return OK;
    if (to > was)
        set_size(a, inode, to, was);
    if (o->offset > was)
        set_range(a, inode, RANGE_ZERO, was, o->offset);
    set_range(a, inode, RANGE_DATA, o->offset, to);
    struct effect *data = &h->effects[h->effect_count];
    data->grown_from = was > o->offset ? (was < to ? was : to) : o->offset;
    return OK;
}

static enum err apply_truncate(struct apply *a)
{
    uint32_t inode;
    enum err e = target_of(a, true, &inode);
    if (e != OK)
        return e;
    if (a->h->inodes[inode].type != HISTORY_FILE)
        return E_ISDIR;
    a->h->ops[a->op].inode = inode;
    resize(a, inode, a->call->size);
    return OK;
}

/* A punched hole and zeros read alike; only what may grow the file differs. */
static enum err apply_fallocate(struct apply *a)
{
    struct history *h = a->h;
    uint32_t inode, flags = a->call->flags;
    enum err e = target_of(a, true, &inode);
    if (e != OK)
        return e;
    if (h->inodes[inode].type != HISTORY_FILE)
        return E_BADF;
    h->ops[a->op].inode = inode;
    bool keep = (flags & (HISTORY_KEEP_SIZE | HISTORY_PUNCH)) != 0;
    uint64_t was = size_before(a, inode);
    uint64_t from = a->call->offset, to = from + a->call->length;
    if (keep && to > was)
        to = was;
    if ((flags & (HISTORY_PUNCH | HISTORY_ZERO)) == 0 || from > was)
        from = was; /* the file grows from its end */
    if (to > was)
        set_size(a, inode, to, was);
    if (from < to)
        set_range(a, inode, RANGE_ZERO, from, to);
    return OK;
}

#define XATTR_BYTES_MAX 4096u /* more than any stack takes */

/* SETXATTR and REMOVEXATTR. */
static enum err apply_xattr(struct apply *a)
{
    struct history *h = a->h;
    const struct history_call *c = a->call;
    uint8_t value[XATTR_BYTES_MAX];
    uint32_t inode;
    enum err e = target_of(a, true, &inode);
    if (e != OK)
        return e;
    if (h->inodes[inode].setup)
        return E_BUSY; /* roots are not judged */
    if (c->length > sizeof(value))
        return E_RANGE;
    a->unsettled = a->unsettled || !model_settled(h, h->inodes[inode].xattrs, a->op);
    uint32_t all = model_newest(h, h->inodes[inode].xattrs, a->view, a->op);
    uint32_t one = model_xattr(h, inode, c->path2, a->view, a->op);
    uint64_t was = one == 0 ? 0 : h->effects[one].to, becomes = 0;
    if (c->kind == HISTORY_REMOVEXATTR && was == 0)
        return E_NODATA;
    if (c->kind == HISTORY_SETXATTR) {
        content_fill(0, a->op, 0, value, c->length);
        becomes = content_digest(c->path2, value, c->length);
    }
    uint64_t sum = (all == 0 ? 0 : h->effects[all].value) ^ was ^ becomes;
    struct effect *effect = model_effect(h, a->op, SLOT_XATTRS, inode, sum);
    effect->from = content_digest(c->path2, NULL, 0);
    effect->to = becomes;
    h->has_xattrs = true;
    h->ops[a->op].inode = inode;
    return OK;
}

static enum err apply_mkdir(struct apply *a)
{
    struct where at;
    enum err e = free_name(a, a->call->path, &at);
    if (e != OK)
        return e;
    make(a, &at, HISTORY_DIRECTORY);
    a->h->ops[a->op].inode = a->op;
    return OK;
}

static enum err apply_symlink(struct apply *a)
{
    struct where at;
    enum err e = free_name(a, a->call->path2, &at);
    if (e != OK)
        return e;
    make(a, &at, HISTORY_SYMBOLIC);
    uint32_t bytes = (uint32_t)strlen(a->call->path);
    a->h->inodes[a->op].text = model_text(a->h, a->call->path, bytes);
    a->h->inodes[a->op].text_bytes = bytes;
    a->h->ops[a->op].inode = a->op;
    return OK;
}

/* Whether a directory has no entry in this view. O(slots of it). */
static bool is_empty(struct apply *a, uint32_t dir)
{
    const struct history *h = a->h;
    for (uint32_t s = h->inodes[dir].slots; s != 0; s = h->slots[s].next) {
        if (!model_settled(h, h->slots[s].newest, a->op))
            a->unsettled = true;
        if (model_name(h, s, a->view, a->op) != 0)
            return false;
    }
    return true;
}

static enum err apply_remove(struct apply *a)
{
    struct history *h = a->h;
    struct where at;
    enum err e = walk(a, a->call->path, false, &at);
    if (e != OK)
        return e;
    if (at.name_bytes == 0)
        return E_BUSY;
    if (at.inode == 0)
        return E_NOENT;
    bool is_dir = h->inodes[at.inode].type == HISTORY_DIRECTORY;
    if (a->call->kind == HISTORY_RMDIR && !is_dir)
        return E_NOTDIR;
    if (a->call->kind == HISTORY_UNLINK && is_dir)
        return E_ISDIR;
    if (h->inodes[at.inode].setup)
        return E_BUSY;
    if (is_dir && !is_empty(a, at.inode))
        return E_NOTEMPTY;
    h->ops[a->op].inode = at.inode;
    set_name(a, at.slot, 0);
    return OK;
}

/* Whether the object at `from` may take the place of the one at `to`. */
static enum err may_replace(struct apply *a, const struct where *from, const struct where *to)
{
    struct history *h = a->h;
    bool is_dir = h->inodes[from->inode].type == HISTORY_DIRECTORY;
    if (is_dir && model_below(h, to->dir, from->inode))
        return E_ARG;
    if (to->inode == 0)
        return OK;
    bool over_dir = h->inodes[to->inode].type == HISTORY_DIRECTORY;
    if (h->inodes[to->inode].setup)
        return E_BUSY;
    if (is_dir && !over_dir)
        return E_NOTDIR;
    if (!is_dir && over_dir)
        return E_ISDIR;
    return over_dir && !is_empty(a, to->inode) ? E_NOTEMPTY : OK;
}

static enum err apply_rename(struct apply *a)
{
    struct history *h = a->h;
    struct where from;
    struct where to;
    enum err e = walk(a, a->call->path, false, &from);
    if (e == OK)
        e = walk(a, a->call->path2, false, &to);
    if (e != OK)
        return e;
    if (from.name_bytes == 0 || to.name_bytes == 0)
        return E_BUSY;
    if (from.inode == 0)
        return E_NOENT;
    if (h->inodes[from.inode].setup)
        return E_BUSY;
    if (from.inode == to.inode)
        return OK; /* two names of one object: POSIX has nothing happen */
    e = may_replace(a, &from, &to);
    if (e != OK)
        return e;
    uint32_t slot = model_slot(h, to.dir, to.name, to.name_bytes);
    set_name(a, slot, from.inode);
    set_name(a, from.slot, 0);
    h->inodes[from.inode].up = slot;
    h->ops[a->op].inode = from.inode;
    return OK;
}

static enum err apply_link(struct apply *a)
{
    struct history *h = a->h;
    struct where from;
    struct where to;
    enum err e = walk(a, a->call->path, false, &from);
    if (e == OK && from.inode == 0)
        e = E_NOENT;
    if (e == OK)
        e = free_name(a, a->call->path2, &to);
    if (e != OK)
        return e;
    if (h->inodes[from.inode].type == HISTORY_DIRECTORY)
        return E_PERM;
    set_name(a, model_slot(h, to.dir, to.name, to.name_bytes), from.inode);
    h->ops[a->op].inode = from.inode;
    return OK;
}

static enum err apply_attribute(struct apply *a)
{
    const struct history_call *c = a->call;
    uint32_t inode;
    enum err e = target_of(a, true, &inode);
    if (e != OK)
        return e;
    if (a->h->inodes[inode].setup)
        return OK; /* roots are not judged */
    bool is_mode = c->kind == HISTORY_CHMOD;
    uint64_t value = is_mode ? c->mode : (uint64_t)c->uid << 32 | c->gid;
    (void)model_effect(a->h, a->op, is_mode ? SLOT_MODE : SLOT_OWNER, inode, value);
    a->h->ops[a->op].inode = inode;
    return OK;
}

/* Requests that change nothing: whether they find their object. */
static enum err apply_look(struct apply *a)
{
    struct history *h = a->h;
    uint32_t inode;
    enum history_kind kind = a->call->kind;
    enum err e = target_of(a, kind == HISTORY_READDIR || kind == HISTORY_GETXATTR, &inode);
    if (e != OK)
        return e;
    uint32_t type = h->inodes[inode].type;
    h->ops[a->op].inode = inode;
    if (a->call->kind == HISTORY_READDIR && type != HISTORY_DIRECTORY)
        return E_NOTDIR;
    if (a->call->kind == HISTORY_READLINK && type != HISTORY_SYMBOLIC)
        return E_ARG;
    if (a->call->kind == HISTORY_READ && type != HISTORY_FILE)
        return E_ISDIR;
    if (kind == HISTORY_GETXATTR) {
        a->unsettled = a->unsettled || !model_settled(h, h->inodes[inode].xattrs, a->op);
        uint32_t at = model_xattr(h, inode, a->call->path2, a->view, a->op);
        return at != 0 && h->effects[at].to != 0 ? OK : E_NODATA;
    }
    return OK;
}

static enum err apply_kind(struct apply *a)
{
    switch (a->call->kind) {
    case HISTORY_OPEN:
        return apply_open(a);
    case HISTORY_WRITE:
        return apply_write(a);
    case HISTORY_TRUNCATE:
        return apply_truncate(a);
    case HISTORY_FALLOCATE:
        return apply_fallocate(a);
    case HISTORY_SETXATTR:
    case HISTORY_REMOVEXATTR:
        return apply_xattr(a);
    case HISTORY_MKDIR:
        return apply_mkdir(a);
    case HISTORY_SYMLINK:
        return apply_symlink(a);
    case HISTORY_RMDIR:
    case HISTORY_UNLINK:
        return apply_remove(a);
    case HISTORY_RENAME:
        return apply_rename(a);
    case HISTORY_LINK:
        return apply_link(a);
    case HISTORY_CHMOD:
    case HISTORY_CHOWN:
        return apply_attribute(a);
    case HISTORY_CLOSE:
    case HISTORY_READ:
    case HISTORY_FSYNC:
    case HISTORY_STAT:
    case HISTORY_READLINK:
    case HISTORY_READDIR:
    case HISTORY_GETXATTR:
        return apply_look(a);
    case HISTORY_SETUP:
    case HISTORY_SYNC:
    case HISTORY_BEGIN:
    case HISTORY_COMMIT: /* transaction.c */
    case HISTORY_ABORT:
    case HISTORY_OTHER:
    case HISTORY_KINDS:
        break;
    }
    return OK;
}

enum err apply_call(struct history *h, uint32_t op, enum view view, bool *unsettled)
{
    struct app *app = &h->apps[h->ops[op].app];
    ASSERT(app->in_flight == op);
    ASSERT(h->ops[op].effects == 0);
    struct apply a = {.h = h, .call = &app->call, .app = app, .op = op, .view = view};
    h->ops[op].name = 0;
    enum err e = apply_kind(&a);
    ASSERT(e == OK || h->ops[op].effects == 0);
    *unsettled = *unsettled || a.unsettled;
    return e;
}
