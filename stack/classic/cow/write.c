/*
 * The closed batch on its way to disk: its blocks in any order, a flush, the first copy of the
 * root, then the second. Requests are served meanwhile.
 *
 * A write that fails for good ends it: the file system is read-only from then on, and what memory
 * holds stays there, as its buffers remain `writing`.
 */
#include "assertion.h"
#include "cow.h"
#include "mem.h"
#include "planted.h"

static struct cow_copy *copy_at(struct cow *c, uint32_t k)
{
    ASSERT(k < c->copies);
    return &c->copy[(uint32_t)c->order[k]];
}

/* Sends the next run of neighbours. */
static void send_run(struct cow *c)
{
    struct plat_span span[WRITE_RUN_BLOCKS];
    ASSERT(c->runs < RUNS_MAX);
    struct cow_run *r = &c->run[(c->run_first + c->runs) % RUNS_MAX];
    *r = (struct cow_run){.first = c->copies_sent};
    uint32_t first = copy_at(c, r->first)->address;
    while (c->copies_sent < c->copies && r->count < WRITE_RUN_BLOCKS &&
           copy_at(c, c->copies_sent)->address == first + r->count) {
        uint8_t *page = copy_at(c, c->copies_sent++)->page;
        span[r->count++] = (struct plat_span){.base = page, .bytes = BLOCK_BYTES};
    }
    r->slot = block_submit(&c->fs->client, BLOCK_WRITE, (uint64_t)first * SECTORS_A_BLOCK, false,
                           span, r->count);
    c->runs++;
}

/* Takes the oldest run off the ring; waits for its answer if need be. */
static enum err finish_oldest(struct cow *c)
{
    struct cow_run *r = &c->run[c->run_first];
    enum err e = block_wait(&c->fs->client, r->slot);
    for (uint32_t k = 0; k < r->count && e == OK; k++) {
        struct cow_copy *copy = copy_at(c, r->first + k);
        if (copy->b != NULL)
            cow_written(c, copy->b);
        copy->b = NULL;
    }
    c->run_first = (c->run_first + 1) % RUNS_MAX;
    c->runs--;
    return e;
}

static void fail(struct cow *c, enum err why)
{
    while (c->runs > 0)
        (void)!finish_oldest(c);
    c->state = BATCH_NONE;
    writeback_fail(c->fs, why);
}

static void send_root(struct cow *c, uint32_t copy)
{
    struct plat_span span = {.base = c->root_page, .bytes = BLOCK_BYTES};
    uint64_t block = cow_root_block(c->fs->blocks, c->closing.slot, copy);
    c->step_slot =
        block_submit(&c->fs->client, BLOCK_WRITE, block * SECTORS_A_BLOCK, true, &span, 1);
}

static void begin_root(struct cow *c)
{
    memset(c->root_page, 0, BLOCK_BYTES);
    cow_root_encode(c->root_page, &c->closing);
    c->state = BATCH_ROOT_1;
    send_root(c, 0);
}

static void stable(struct cow *c)
{
    c->state = BATCH_NONE;
    cow_root_took(c, &c->closing);
    c->log_address = c->closing.log_address;
    cow_space_stable(c, c->closing.batch);
    plat_report(REPORT_CHECKPOINT, c->closing.batch, c->copies);
    cow_set_alarm(c);
}

/* The answer to the flush or to a copy of the root is there: the next step. */
static void step(struct cow *c)
{
    enum err e = block_wait(&c->fs->client, c->step_slot);
    if (e != OK) {
        fail(c, e);
        return;
    }
    if (c->state == BATCH_FLUSHING && c->fs->client.lost_writes) {
        c->fs->client.lost_writes = false;
        cow_write_start(c); /* the disk lost what it had accepted: once more */
        return;
    }
    if (c->state == BATCH_FLUSHING) {
        plat_probe(PROBE_COW_DATA);
        begin_root(c);
    } else if (c->state == BATCH_ROOT_1) {
        plat_probe(PROBE_COW_ROOT_1);
        c->state = BATCH_ROOT_2;
        send_root(c, 1);
    } else {
        ASSERT(c->state == BATCH_ROOT_2);
        plat_probe(PROBE_COW_ROOT_2);
        stable(c);
    }
}

static bool is_done(const struct cow *c, uint32_t slot)
{
    return c->fs->client.pending[slot].done;
}

/* Sends what can be sent; all is answered: the flush goes. */
static void advance(struct cow *c)
{
    while (c->runs < RUNS_MAX && c->copies_sent < c->copies)
        send_run(c);
    if (c->runs > 0)
        return;
    if (PLANTED(PLANTED_ROOT_UNFLUSHED)) {
        begin_root(c);
        return;
    }
    c->state = BATCH_FLUSHING;
    c->step_slot = block_submit(&c->fs->client, BLOCK_FLUSH, 0, false, NULL, 0);
}

/* The next answer is taken, waited for if `wait`. Returns whether there was one to take. */
static bool take_one(struct cow *c, bool wait)
{
    if (c->state == BATCH_NONE)
        return false;
    uint32_t slot = c->state == BATCH_WRITING ? c->run[c->run_first].slot : c->step_slot;
    if (!wait && !is_done(c, slot))
        return false;
    if (c->state != BATCH_WRITING) {
        step(c);
        return true;
    }
    enum err e = finish_oldest(c);
    if (e == OK)
        advance(c);
    else
        fail(c, e);
    return true;
}

void cow_write_start(struct cow *c)
{
    ASSERT(c->runs == 0);
    c->copies_sent = 0;
    c->state = BATCH_WRITING;
    advance(c);
}

enum err cow_write_all(struct cow *c)
{
    enum err e = OK;
    ASSERT(c->state == BATCH_NONE && c->runs == 0);
    cow_order_copies(c);
    do {
        c->fs->client.lost_writes = false;
        for (c->copies_sent = 0; e == OK && (c->copies_sent < c->copies || c->runs > 0);) {
            if (c->runs < RUNS_MAX && c->copies_sent < c->copies)
                send_run(c);
            else
                e = finish_oldest(c);
        }
        if (e == OK && !PLANTED(PLANTED_LOG_UNFLUSHED))
            e = block_flush(&c->fs->client);
    } while (e == OK && c->fs->client.lost_writes);
    if (e == OK)
        return OK;
    fail(c, e);
    return c->fs->write_error;
}

void cow_write_pump(struct cow *c)
{
    while (take_one(c, false))
        ;
}

void cow_write_wait(struct cow *c)
{
    while (take_one(c, true))
        ;
}
