#include "workloads/oracle/invariants.h"

#include <stdio.h>
#include <string.h>

#include "workloads/oracle/content.h"
#include "workloads/oracle/model.h"
#include "workloads/oracle/tree.h"

#define NO_VERSION UINT32_MAX
#define NO_APP UINT32_MAX /* of a version that is forgotten */

/* Whether path is there, and can be told. */
enum sight { SIGHT_ABSENT, SIGHT_THERE, SIGHT_UNREADABLE };

struct look {
    const struct history *h;
    const struct observation *o;
    const struct reliance *i;
    bool shared_is_name;
};

static uint32_t child(const struct observation *o, uint32_t dir, const char *name, size_t bytes)
{
    uint32_t at = o->nodes[dir].child;
    while (at != 0 && (o->nodes[at].text_bytes != bytes ||
                       memcmp(o->text + o->nodes[at].text, name, bytes) != 0))
        at = o->nodes[at].next;
    return at;
}

static bool readable(const struct observation *o, const struct node *n)
{
    for (uint32_t c = n->chunk; c != 0; c = o->chunks[c].next)
        if (o->chunks[c].result != OK)
            return false;
    return n->stat_result == OK;
}

static enum sight find(const struct look *l, const char *path, uint32_t *node)
{
    static const char shared[] = "shared/";
    bool in_shared = !l->shared_is_name && strncmp(path, shared, sizeof(shared) - 1) == 0;
    uint32_t at = observation_root(l->o, l->h->apps[l->i->app].environment, in_shared);
    path += in_shared ? sizeof(shared) - 1 : 0;
    while (at != 0 && *path != '\0') {
        size_t bytes = strcspn(path, "/");
        if (l->o->nodes[at].listing_result != OK)
            return SIGHT_UNREADABLE;
        at = child(l->o, at, path, bytes);
        path += bytes + (path[bytes] == '/');
    }
    *node = at;
    if (at == 0)
        return SIGHT_ABSENT;
    return readable(l->o, &l->o->nodes[at]) ? SIGHT_THERE : SIGHT_UNREADABLE;
}

/* Whether all that the operation wrote is in the file. */
static bool has_write(const struct observation *o, const struct node *n,
                      const struct history_op *op, uint32_t number)
{
    uint64_t seen = 0, end = op->offset + op->length;
    for (uint32_t c = n->chunk; c != 0; c = o->chunks[c].next) {
        const struct chunk *k = &o->chunks[c];
        uint64_t from = k->from > op->offset ? k->from : op->offset;
        uint64_t to = k->to < end ? k->to : end;
        if (from >= to)
            continue;
        const uint8_t *bytes = o->pool + k->place + (from - k->from);
        if (content_match(op->key, number, from + op->shift, bytes, to - from) != to - from)
            return false;
        seen += to - from;
    }
    return seen == op->length;
}

static bool is_write_of(const struct look *l, const struct told_version *v, uint32_t op)
{
    const struct history_op *o = history_op(l->h, op);
    return o->app == l->i->app && o->kind == HISTORY_WRITE && op > v->after;
}

static bool is_ours(const struct look *l, const struct told_version *v)
{
    return v->app == l->i->app && v->file == l->i->file;
}

/* The operation after the last of the version. */
static uint32_t end_of(const struct look *l, const struct told_version *v)
{
    return v->last == 0 ? history_ops(l->h) + 1 : v->last + 1;
}

/* Whether all of it was written: it was said to be done, or renamed to its place. What is there of
 * a version that was cut short is no version, even if all that was written of it is there. */
static bool is_complete(const struct look *l, const struct told_version *v)
{
    bool complete = v->done;
    for (uint32_t op = v->after + 1; op < end_of(l, v) && !complete; op++) {
        const struct history_op *o = history_op(l->h, op);
        complete = o->app == l->i->app && o->kind == HISTORY_RENAME;
    }
    return complete;
}

/* Whether the file is this version, all of it and nothing more. */
static bool is_version(const struct look *l, const struct told_version *v, const struct node *n)
{
    uint64_t size = 0;
    for (uint32_t op = v->after + 1; op < end_of(l, v); op++) {
        if (!is_write_of(l, v, op))
            continue;
        const struct history_op *o = history_op(l->h, op);
        if (!has_write(l->o, n, o, op))
            return false;
        if (size < o->offset + o->length)
            size = o->offset + o->length;
    }
    return size > 0 && n->stat.size == size;
}

/* The newest version that the file is; NO_VERSION: none. */
static uint32_t version_of(const struct look *l, uint32_t node)
{
    for (uint32_t k = l->h->version_count; k-- > 0;) {
        const struct told_version *v = &l->h->versions[k];
        if (is_ours(l, v) && is_complete(l, v) && is_version(l, v, &l->o->nodes[node]))
            return k;
    }
    return NO_VERSION;
}

static uint32_t last_safe(const struct look *l)
{
    for (uint32_t k = l->h->version_count; k-- > 0;)
        if (is_ours(l, &l->h->versions[k]) && l->h->versions[k].safe)
            return k;
    return NO_VERSION;
}

static bool is_newer(uint32_t a, uint32_t b)
{
    return a != NO_VERSION && (b == NO_VERSION || a > b);
}

static bool replaced(const struct look *l, char *detail, size_t room)
{
    uint32_t node = 0, node2 = 0, best = NO_VERSION, safe = last_safe(l);
    enum sight at = find(l, l->i->path, &node);
    enum sight at2 = l->i->path2[0] == '\0' ? SIGHT_ABSENT : find(l, l->i->path2, &node2);
    if (at == SIGHT_UNREADABLE || at2 == SIGHT_UNREADABLE)
        return true;
    if (at == SIGHT_THERE)
        best = version_of(l, node);
    uint32_t beside = at2 == SIGHT_THERE ? version_of(l, node2) : NO_VERSION;
    if (is_newer(beside, best))
        best = beside;
    if (best == NO_VERSION && (at == SIGHT_THERE || safe != NO_VERSION)) {
        (void)snprintf(detail, room, "%s is %s", l->i->path,
                       at == SIGHT_THERE ? "no whole version" : "gone");
        return false;
    }
    if (safe != NO_VERSION && best < safe) {
        (void)snprintf(detail, room, "%s is older than what was saved", l->i->path);
        return false;
    }
    return true;
}

static bool records(const struct look *l, char *detail, size_t room)
{
    uint32_t node = 0, whole = 0, safe = last_safe(l);
    enum sight at = find(l, l->i->path, &node);
    if (at == SIGHT_UNREADABLE || safe == NO_VERSION)
        return true;
    for (uint32_t k = 0; at == SIGHT_THERE && k <= safe; k++) {
        const struct told_version *v = &l->h->versions[k];
        if (!is_ours(l, v) || !v->done)
            continue;
        bool there = true;
        for (uint32_t op = v->after + 1; op < end_of(l, v); op++)
            there = there && (!is_write_of(l, v, op) ||
                              has_write(l->o, &l->o->nodes[node], history_op(l->h, op), op));
        if (!there)
            break;
        whole = k + 1;
    }
    if (whole > safe)
        return true;
    (void)snprintf(detail, room, "%s lacks records that were safe", l->i->path);
    return false;
}

/* The version whose write number `which` the file is; NO_VERSION: none. */
static uint32_t version_with(const struct look *l, uint32_t node, uint32_t which)
{
    for (uint32_t k = l->h->version_count; k-- > 0;) {
        const struct told_version *v = &l->h->versions[k];
        uint32_t writes = 0;
        for (uint32_t op = v->after + 1; is_ours(l, v) && op < end_of(l, v); op++)
            if (is_write_of(l, v, op) && writes++ == which &&
                has_write(l->o, &l->o->nodes[node], history_op(l->h, op), op))
                return k;
    }
    return NO_VERSION;
}

static bool together(const struct look *l, char *detail, size_t room)
{
    uint32_t node = 0, node2 = 0;
    enum sight at = find(l, l->i->path, &node), at2 = find(l, l->i->path2, &node2);
    if (at == SIGHT_UNREADABLE || at2 == SIGHT_UNREADABLE || last_safe(l) == NO_VERSION)
        return true;
    uint32_t first = at == SIGHT_THERE ? version_with(l, node, 0) : NO_VERSION;
    uint32_t second = at2 == SIGHT_THERE ? version_with(l, node2, 1) : NO_VERSION;
    if (first == second && first != NO_VERSION)
        return true;
    (void)snprintf(detail, room, "%s and %s are not of one version", l->i->path, l->i->path2);
    return false;
}

static bool holds(const struct look *l, char *detail, size_t room)
{
    switch (l->i->kind) {
    case HISTORY_REPLACED:
        return replaced(l, detail, room);
    case HISTORY_RECORDS:
        return records(l, detail, room);
    default:
        return together(l, detail, room);
    }
}

uint32_t invariants_broken(const struct history *history, const struct observation *observed,
                           bool shared_is_name, char *detail, size_t room)
{
    ASSERT(history != NULL && observed != NULL && room > 0);
    uint32_t broken = 0;
    char why[HISTORY_RELIANCE_BYTES * 3];
    detail[0] = '\0';
    for (uint32_t k = 0; k < history->reliance_count; k++) {
        struct look l = {.h = history,
                         .o = observed,
                         .i = &history->reliances[k],
                         .shared_is_name = shared_is_name};
        if (!holds(&l, why, sizeof(why)) && broken++ == 0)
            (void)snprintf(detail, room, "%s", why);
    }
    return broken;
}

/* ---- What a boot found ----------------------------------------------------------------------- */

/* It is there, and safe from now on. */
static void keep(const struct history *h, struct told_version *v)
{
    v->last = v->last == 0 ? h->op_count : v->last;
    v->done = v->safe = true;
}

/* This version stays; all others of the file are forgotten. */
static void keep_version(struct history *h, const struct look *l, uint32_t kept)
{
    for (uint32_t k = 0; k < h->version_count; k++) {
        struct told_version *v = &h->versions[k];
        if (!is_ours(l, v))
            continue;
        if (k == kept)
            keep(h, v);
        else
            v->app = NO_APP;
    }
}

static void find_replaced(struct history *h, const struct look *l, struct reliance *r)
{
    uint32_t node = 0, node2 = 0, best = NO_VERSION, beside = NO_VERSION;
    enum sight at = find(l, r->path, &node);
    enum sight at2 = r->path2[0] == '\0' ? SIGHT_ABSENT : find(l, r->path2, &node2);
    if (at == SIGHT_THERE)
        best = version_of(l, node);
    if (at2 == SIGHT_THERE)
        beside = version_of(l, node2);
    r->found = is_newer(beside, best);
    bool sure = at != SIGHT_UNREADABLE && at2 != SIGHT_UNREADABLE;
    keep_version(h, l, !sure ? NO_VERSION : r->found ? beside : best);
}

/* Records are written one after the other; the last may have had no answer. */
static bool is_whole_record(const struct look *l, const struct told_version *v, uint32_t node,
                            uint64_t at, uint64_t *end)
{
    for (uint32_t op = v->after + 1; op < end_of(l, v); op++) {
        const struct history_op *o = history_op(l->h, op);
        if (!is_write_of(l, v, op))
            continue;
        *end = o->offset + o->length;
        return o->offset == at && has_write(l->o, &l->o->nodes[node], o, op);
    }
    return false;
}

static void find_records(struct history *h, const struct look *l, struct reliance *r)
{
    uint32_t node = 0;
    bool whole = find(l, r->path, &node) == SIGHT_THERE;
    for (uint32_t k = 0; k < h->version_count; k++) {
        struct told_version *v = &h->versions[k];
        uint64_t end = 0;
        if (!is_ours(l, v))
            continue;
        whole = whole && is_whole_record(l, v, node, r->found, &end);
        if (!whole) {
            v->app = NO_APP;
            continue;
        }
        r->found = end;
        keep(h, v);
    }
}

static void find_together(struct history *h, const struct look *l, struct reliance *r)
{
    uint32_t node = 0, node2 = 0;
    bool both = find(l, r->path, &node) == SIGHT_THERE && find(l, r->path2, &node2) == SIGHT_THERE;
    uint32_t first = both ? version_with(l, node, 0) : NO_VERSION;
    uint32_t second = both ? version_with(l, node2, 1) : NO_VERSION;
    keep_version(h, l, first == second ? first : NO_VERSION);
}

void invariants_rebase(struct history *history, const struct observation *observed,
                       bool shared_is_name)
{
    for (uint32_t k = 0; k < history->reliance_count; k++) {
        struct reliance *r = &history->reliances[k];
        struct look l = {.h = history, .o = observed, .i = r, .shared_is_name = shared_is_name};
        r->found = 0;
        switch (r->kind) {
        case HISTORY_REPLACED:
            find_replaced(history, &l, r);
            break;
        case HISTORY_RECORDS:
            find_records(history, &l, r);
            break;
        case HISTORY_TOGETHER:
            find_together(history, &l, r);
            break;
        }
    }
}

/* What the application told of its file, or NULL. */
static struct reliance *reliance_of(const struct history *h, uint32_t app, uint32_t file)
{
    for (uint32_t k = 0; k < h->reliance_count; k++)
        if (h->reliances[k].app == app && h->reliances[k].file == file)
            return &h->reliances[k];
    return NULL;
}

uint64_t history_found(const struct history *h, uint32_t app, uint32_t file)
{
    const struct reliance *r = reliance_of(h, app, file);
    return r == NULL ? 0 : r->found;
}

/* ---- What is told ---------------------------------------------------------------------------- */

void history_rely(struct history *h, uint32_t app, enum history_invariant kind, uint32_t file,
                  const char *path, const char *path2)
{
    ASSERT(app < h->app_count && path != NULL && (path2 != NULL || kind != HISTORY_TOGETHER));
    if (reliance_of(h, app, file) != NULL)
        return; /* it says so at each of its starts */
    h->reliances =
        model_grow(h->reliances, &h->reliance_room, h->reliance_count + 1, sizeof(*h->reliances));
    struct reliance *r = &h->reliances[h->reliance_count++];
    *r = (struct reliance){.kind = kind, .app = app, .file = file};
    (void)snprintf(r->path, sizeof(r->path), "%s", path);
    (void)snprintf(r->path2, sizeof(r->path2), "%s", path2 == NULL ? "" : path2);
}

/* The application's version that is still being written, or NULL. */
static struct told_version *open_version(struct history *h, uint32_t app)
{
    for (uint32_t k = h->version_count; k-- > 0;)
        if (h->versions[k].app == app)
            return h->versions[k].last == 0 ? &h->versions[k] : NULL;
    return NULL;
}

void history_version_begin(struct history *h, uint32_t app, uint32_t file)
{
    ASSERT(app < h->app_count);
    struct told_version *given_up = open_version(h, app);
    if (given_up != NULL)
        given_up->last = h->op_count;
    h->versions =
        model_grow(h->versions, &h->version_room, h->version_count + 1, sizeof(*h->versions));
    h->versions[h->version_count++] =
        (struct told_version){.app = app, .file = file, .after = h->op_count};
}

void history_version_done(struct history *h, uint32_t app)
{
    struct told_version *v = open_version(h, app);
    ASSERT(v != NULL);
    v->last = h->op_count;
    v->done = true;
}

void history_versions_safe(struct history *h, uint32_t app, uint32_t file)
{
    for (uint32_t k = h->version_count; k-- > 0;) {
        struct told_version *v = &h->versions[k];
        if (v->app != app || v->file != file || !v->done)
            continue;
        if (v->safe)
            return; /* and all before it */
        v->safe = true;
    }
}
