/*
 * Checks while the trial runs: every answer against what the history allows at that moment. What
 * others do at the same time may have happened or not; where a path itself is being changed by
 * others the answer is not checked, since any object could have been met.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "workloads/oracle/content.h"
#include "workloads/oracle/order_log.h"
#include "workloads/oracle/values.h"

struct reader {
    const struct history *h;
    uint32_t op;
};

static enum presence presence_for_reader(const void *object, uint32_t op)
{
    const struct reader *r = object;
    const struct history_op *o = &r->h->ops[op];
    if (op == r->op || model_hidden(r->h, op, r->op))
        return OUT;
    if (o->state == HISTORY_DONE && op_precedes(o, &r->h->ops[r->op]))
        return IN;
    return OPTIONAL;
}

void check_wrong(struct history *h, uint32_t op, enum history_clause clause, uint64_t bytes,
                 const char *form, ...)
{
    struct wrongs *of = &h->wrongs[h->ops[op].environment];
    uint32_t at = h->wrong_count++;
    h->ops[op].wrong = true;
    of->bytes += bytes;
    if (of->count++ > 0 && at >= HISTORY_WRONG_MAX)
        return;
    struct history_wrong w = {.op = op, .clause = clause, .bytes = bytes};
    va_list arguments;
    va_start(arguments, form);
    (void)vsnprintf(w.detail, sizeof(w.detail), form, arguments);
    va_end(arguments);
    if (of->count == 1)
        of->first = w;
    if (at < HISTORY_WRONG_MAX)
        h->wrong[at] = w;
}

static void list_values(const struct reader *r, uint32_t newest, uint64_t initial, struct values *v)
{
    struct values_query q = {.h = r->h,
                             .presence = presence_for_reader,
                             .object = r,
                             .newest = newest,
                             .initial = initial};
    values_list(&q, v);
}

/* What is wrong with bytes that nothing explains. */
static enum history_clause clause_of(const struct history *h, uint32_t inode, uint64_t at,
                                     const uint8_t *bytes, uint64_t count)
{
    if (content_match_zeros(bytes, count) == count)
        return CLAUSE_ZEROS;
    for (uint32_t k = h->inodes[inode].range; k != 0; k = h->effects[k].older) {
        const struct effect *e = &h->effects[k];
        if (e->what == RANGE_DATA && e->from <= at && at + count <= e->to &&
            content_match(h->ops[e->author].key, e->author, at + e->shift, bytes, count) == count)
            return CLAUSE_CONTENT;
    }
    return CLAUSE_FOREIGN;
}

/* Bytes of a read that nothing explains, counted by words of 8. */
static uint64_t count_wrong(struct history *h, struct range_query *q)
{
    uint64_t wrong = 0;
    const uint8_t *bytes = q->bytes;
    uint64_t from = q->from;
    uint64_t to = q->to;
    for (uint64_t at = from; at < to; at = (at / 8 + 1) * 8) {
        q->from = at;
        q->to = (at / 8 + 1) * 8 < to ? (at / 8 + 1) * 8 : to;
        q->bytes = bytes + (at - from);
        if (!range_explained(h->work, q, NULL))
            wrong += q->to - q->from;
    }
    q->from = from;
    q->to = to;
    q->bytes = bytes;
    return wrong;
}

static void check_bytes(struct history *h, const struct reader *r, uint32_t inode, uint64_t offset,
                        const uint8_t *data, uint64_t bytes)
{
    struct range_query q = {.h = h,
                            .presence = presence_for_reader,
                            .object = r,
                            .inode = inode,
                            .newest = h->inodes[inode].range,
                            .from = offset,
                            .to = offset + bytes,
                            .bytes = data};
    uint64_t failed = 0;
    if (range_explained(h->work, &q, &failed))
        return;
    uint64_t word = q.to - failed < 8 ? q.to - failed : 8;
    enum history_clause clause = clause_of(h, inode, failed, data + (failed - offset), word);
    check_wrong(h, r->op, clause, count_wrong(h, &q), "read at %llu: %s",
                (unsigned long long)failed, history_clause_name(clause));
}

static void check_read(struct history *h, const struct reader *r,
                       const struct history_answer *answer)
{
    const struct history_op *o = &h->ops[r->op];
    uint64_t offset = o->offset;
    struct values sizes;
    list_values(r, h->inodes[o->inode].size, 0, &sizes);
    bool right = sizes.more;
    uint64_t end = offset + answer->moved;
    for (uint32_t k = 0; k < sizes.count && !right; k++) {
        uint64_t size = sizes.option[k].value;
        uint64_t rest = size > offset ? size - offset : 0;
        uint64_t want = rest < o->length ? rest : o->length;
        right =
            answer->moved == want || (answer->moved < want && end > sizes.option[k].partial_from &&
                                      (end % HISTORY_BLOCK_BYTES == 0 || answer->moved == 0));
    }
    if (!right) {
        check_wrong(h, r->op, CLAUSE_SIZE, 0, "read of %llu at %llu: %llu bytes came",
                    (unsigned long long)o->length, (unsigned long long)offset,
                    (unsigned long long)answer->moved);
        return;
    }
    if (answer->moved != 0 && answer->data != NULL)
        check_bytes(h, r, o->inode, offset, answer->data, answer->moved);
}

/* Whether the count of the inode's names is beyond doubt; then what it is. */
static bool sure_names(const struct reader *r, uint32_t inode, uint32_t *names)
{
    const struct history *h = r->h;
    for (uint32_t at = h->inodes[inode].names; at != 0; at = h->effects[at].sibling)
        if (!model_settled(h, h->slots[h->effects[at].object].newest, r->op))
            return false;
    *names = model_names(h, inode, VIEW_SURE, r->op);
    return true;
}

static void check_stat(struct history *h, const struct reader *r, const struct history_stat *s)
{
    uint32_t inode = h->ops[r->op].inode;
    const struct inode *i = &h->inodes[inode];
    struct values v;
    uint32_t names = 0;
    if (s->type != i->type) {
        check_wrong(h, r->op, CLAUSE_TYPE, 0, "stat: type %u, want %u", s->type, i->type);
        return;
    }
    list_values(r, i->size, 0, &v);
    if (i->type == HISTORY_FILE && !values_allow(&v, s->size)) {
        check_wrong(h, r->op, CLAUSE_SIZE, 0, "stat: size %llu, want %llu",
                    (unsigned long long)s->size, (unsigned long long)v.option[0].value);
        return;
    }
    list_values(r, i->mode, i->mode == 0 ? s->mode : UINT64_MAX, &v);
    bool right = values_allow(&v, s->mode);
    uint64_t owner = (uint64_t)s->uid << 32 | s->gid;
    list_values(r, i->owner, owner, &v);
    if (!i->setup && (!right || !values_allow(&v, owner)))
        check_wrong(h, r->op, CLAUSE_ATTRIBUTE, 0, "stat: mode %o, owner %u:%u", s->mode, s->uid,
                    s->gid);
    else if (i->type != HISTORY_DIRECTORY && sure_names(r, inode, &names) && s->nlink != names)
        check_wrong(h, r->op, CLAUSE_LINKS, 0, "stat: %u links, want %u", s->nlink, names);
}

static void check_readlink(struct history *h, const struct reader *r,
                           const struct history_answer *answer)
{
    const struct inode *i = &h->inodes[h->ops[r->op].inode];
    if (answer->moved != i->text_bytes || answer->data == NULL ||
        memcmp(answer->data, h->text + i->text, i->text_bytes) != 0)
        check_wrong(h, r->op, CLAUSE_ATTRIBUTE, 0, "readlink: not the text of the link");
}

static void check_getxattr(struct history *h, uint32_t op, const struct history_answer *answer)
{
    const struct history_op *o = &h->ops[op];
    const char *name = h->apps[o->app].call.path2;
    uint32_t at = model_xattr(h, o->inode, name, VIEW_SURE, op);
    uint64_t digest = content_digest(name, answer->data, answer->moved);
    if (at == 0 || h->effects[at].to != digest)
        check_wrong(h, op, CLAUSE_ATTRIBUTE, answer->moved, "getxattr: not the value that was set");
}

void history_entry(struct history *h, uint32_t op, const char *name, uint32_t type)
{
    ASSERT(op <= h->op_count && name != NULL);
    const struct history_op *o = &h->ops[op];
    struct app *app = &h->apps[o->app];
    ASSERT(app->in_flight == op && o->kind == HISTORY_READDIR);
    order_keep_entry(h, op, name, type);
    if (o->inode == 0 || app->unsettled || o->wrong || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0)
        return;
    if (h->inodes[o->inode].setup &&
        (strcmp(name, "lost+found") == 0 || strcmp(name, "shared") == 0))
        return;
    struct reader r = {.h = h, .op = op};
    uint32_t slot = model_find(h, o->inode, name, (uint32_t)strlen(name));
    bool right = false;
    if (slot != 0) {
        struct values v;
        list_values(&r, h->slots[slot].newest, 0, &v);
        right = v.more;
        for (uint32_t k = 0; k < v.count; k++)
            right = right || (v.option[k].value != 0 &&
                              (type == 0 || h->inodes[v.option[k].value].type == type));
        right = right && (h->slots[slot].seen != op || h->slots[slot].set_since);
        h->slots[slot].seen = op;
        h->slots[slot].set_since = false;
    }
    if (!right)
        check_wrong(h, op, CLAUSE_NAME, 0, "readdir: %.60s should not be there", name);
}

static void check_listing(struct history *h, const struct reader *r)
{
    uint32_t dir = h->ops[r->op].inode;
    for (uint32_t s = h->inodes[dir].slots; s != 0; s = h->slots[s].next) {
        struct name_slot *slot = &h->slots[s];
        if (slot->seen == r->op)
            continue;
        struct values v;
        list_values(r, slot->newest, 0, &v);
        if (values_allow(&v, 0) || h->inodes[v.option[0].value].setup)
            continue;
        check_wrong(h, r->op, CLAUSE_NAME, 0, "readdir: %.60s is missing", h->text + slot->text);
        return;
    }
}

void check_answer(struct history *h, uint32_t op, const struct history_answer *answer)
{
    const struct history_op *o = &h->ops[op];
    struct reader r = {.h = h, .op = op};
    ASSERT(o->state == HISTORY_DONE);
    if (o->inode == 0 || o->wrong)
        return;
    if (o->kind == HISTORY_READ)
        check_read(h, &r, answer);
    else if (o->kind == HISTORY_STAT && answer->stat != NULL)
        check_stat(h, &r, answer->stat);
    else if (o->kind == HISTORY_READLINK)
        check_readlink(h, &r, answer);
    else if (o->kind == HISTORY_READDIR)
        check_listing(h, &r);
    else if (o->kind == HISTORY_GETXATTR)
        check_getxattr(h, op, answer);
}
