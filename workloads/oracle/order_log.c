/* Requests and answers as they were: see order_log.h. */
#include "workloads/oracle/order_log.h"

#include <string.h>

#define NO_TEXT UINT32_MAX

static uint32_t keep_bytes(struct history *h, const void *bytes, uint64_t count)
{
    struct history_log *log = &h->log;
    if (bytes == NULL || count > LOG_BYTES_MAX - log->bytes)
        return NO_TEXT;
    log->pool = model_grow(log->pool, &log->pool_room, log->bytes + (uint32_t)count + 1, 1);
    uint32_t at = log->bytes;
    memcpy(log->pool + at, bytes, count);
    log->bytes += (uint32_t)count;
    return at;
}

static uint32_t keep_path(struct history *h, const char *path)
{
    return path == NULL ? NO_TEXT : keep_bytes(h, path, strlen(path) + 1);
}

void order_keep_call(struct history *h, uint32_t op, const struct history_call *call)
{
    struct history_log *log = &h->log;
    if (h->linear)
        return;
    log->record = model_grow(log->record, &log->record_room, op + 1, sizeof(*log->record));
    log->record[op] = (struct history_record){.call = *call, .data = NO_TEXT};
    log->record[op].path = keep_path(h, call->path);
    log->record[op].path2 = keep_path(h, call->path2);
    log->full = log->full || (call->path != NULL && log->record[op].path == NO_TEXT) ||
                (call->path2 != NULL && log->record[op].path2 == NO_TEXT);
}

void order_keep_entry(struct history *h, uint32_t op, const char *name, uint32_t type)
{
    struct history_log *log = &h->log;
    if (h->linear)
        return;
    log->entry = model_grow(log->entry, &log->entry_room, log->entries + 1, sizeof(*log->entry));
    uint32_t text = keep_path(h, name);
    log->full = log->full || text == NO_TEXT;
    log->entry[log->entries] = (struct history_entry_record){
        .type = type, .text = text, .older = log->record[op].newest_entry};
    log->record[op].newest_entry = ++log->entries;
}

void order_keep_answer(struct history *h, uint32_t op, const struct history_answer *answer)
{
    if (h->linear)
        return;
    struct history_record *r = &h->log.record[op];
    r->answer = *answer;
    r->answer.data = NULL;
    r->answer.stat = NULL;
    bool met = !h->raced && r->call.kind == HISTORY_READ; /* checked; every order agrees on it */
    if (answer->data != NULL && answer->result == OK && !met)
        r->data = keep_bytes(h, answer->data, answer->moved);
    if (answer->stat != NULL)
        r->stat = *answer->stat;
    r->has_stat = answer->stat != NULL;
}

const char *order_text(const struct history *h, uint32_t at)
{
    return at == NO_TEXT ? NULL : h->log.pool + at;
}
