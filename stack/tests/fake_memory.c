/*
 * Grants, copies and checksums of the fake platform. A grant number is index + 1 in the low 16 bits
 * and a sequence above, so that a stale number is refused.
 */
#include <isa-l.h>
#include <stdlib.h>
#include <string.h>

#include "stack/tests/fake_internal.h"
#include "stack/tests/fake_platform.h"

#define ROWS_MAX 8192u
#define FORWARDS_MAX 8u

struct row {
    uint32_t number; /* 0: free */
    uint32_t owner, to, access;
    uint32_t granter, grant; /* of a forwarded one */
    size_t offset, bytes;
    struct plat_span *span; /* malloc'd; NULL: forwarded */
    uint32_t spans;
};

static struct row rows[ROWS_MAX];
static uint32_t rows_high, sequence;

void fake_memory_reset(void)
{
    for (uint32_t i = 0; i < rows_high; i++)
        free(rows[i].span);
    memset(rows, 0, sizeof(rows));
    rows_high = sequence = 0;
}

static struct row *add_row(uint32_t owner, uint32_t to, uint32_t access)
{
    uint32_t own = 0, at = ROWS_MAX;
    for (uint32_t i = 0; i < rows_high; i++) {
        own += rows[i].number != 0 && rows[i].owner == owner;
        if (rows[i].number == 0 && at == ROWS_MAX)
            at = i;
    }
    if (own >= PLAT_GRANTS_MAX)
        return NULL;
    if (at == ROWS_MAX) {
        if (rows_high == ROWS_MAX)
            fake_misuse("too many grants");
        at = rows_high++;
    }
    sequence = (sequence + 1) & 0x7fffu;
    rows[at] = (struct row){.owner = owner, .to = to, .access = access};
    rows[at].number = (sequence << 16) | (at + 1);
    return &rows[at];
}

static struct row *find_row(uint32_t number)
{
    uint32_t at = (number & 0xffffu) - 1;
    if (number == GRANT_NONE || at >= rows_high || rows[at].number != number)
        return NULL;
    return &rows[at];
}

static uint32_t grant_as(uint32_t owner, uint32_t to, const struct plat_span *spans, uint32_t count,
                         uint32_t access)
{
    if (count == 0 || count > PLAT_SPANS_MAX)
        fake_misuse("a grant of no or too many spans");
    struct row *row = add_row(owner, to, access);
    if (row == NULL)
        return GRANT_NONE;
    row->span = malloc(count * sizeof(*spans));
    memcpy(row->span, spans, count * sizeof(*spans));
    row->spans = count;
    for (uint32_t i = 0; i < count; i++)
        row->bytes += spans[i].bytes;
    return row->number;
}

uint32_t plat_grant(uint32_t to, void *base, size_t bytes, uint32_t access)
{
    struct plat_span span = {.base = base, .bytes = bytes};
    fake_count_call();
    return grant_as(fake_actor(), to, &span, 1, access);
}

uint32_t plat_grant_spans(uint32_t to, const struct plat_span *spans, uint32_t count,
                          uint32_t access)
{
    fake_count_call();
    return grant_as(fake_actor(), to, spans, count, access);
}

uint32_t fake_grant(uint32_t client, void *base, size_t bytes, uint32_t access)
{
    struct plat_span span = {.base = base, .bytes = bytes};
    return grant_as(client, fake_layer(), &span, 1, access);
}

uint32_t plat_grant_forward(uint32_t to, uint32_t granter, uint32_t grant, size_t offset,
                            size_t bytes, uint32_t access)
{
    fake_count_call();
    struct row *row = add_row(fake_actor(), to, access);
    if (row == NULL)
        return GRANT_NONE;
    row->granter = granter;
    row->grant = grant;
    row->offset = offset;
    row->bytes = bytes;
    return row->number;
}

static void revoke_as(uint32_t owner, uint32_t grant)
{
    struct row *row = find_row(grant);
    if (grant == GRANT_NONE)
        return;
    if (row == NULL || row->owner != owner)
        fake_misuse("revoke of a grant that is none");
    free(row->span);
    memset(row, 0, sizeof(*row));
}

void plat_revoke(uint32_t grant)
{
    fake_count_call();
    revoke_as(fake_actor(), grant);
}

void fake_revoke(uint32_t client, uint32_t grant)
{
    revoke_as(client, grant);
}

/* Checks the way from `who` to the owner's memory; *row is the grant with the spans. */
static enum err resolve(uint32_t who, uint32_t granter, uint32_t grant, size_t *offset,
                        size_t bytes, uint32_t access, struct row **row)
{
    for (uint32_t hops = 0; hops < FORWARDS_MAX; hops++) {
        struct row *r = find_row(grant);
        if (!fake_endpoint_alive(granter))
            return E_DEAD;
        if (r == NULL || r->owner != granter || r->to != who || (r->access & access) == 0)
            return E_INVAL;
        if (*offset > r->bytes || bytes > r->bytes - *offset)
            return E_INVAL;
        *row = r;
        if (r->span != NULL)
            return OK;
        *offset += r->offset;
        who = granter;
        grant = r->grant;
        granter = r->granter;
    }
    return E_INVAL;
}

static void move_bytes(struct row *row, size_t offset, uint8_t *mine, size_t bytes, bool in)
{
    for (uint32_t i = 0; i < row->spans && bytes > 0; i++) {
        if (offset >= row->span[i].bytes) {
            offset -= row->span[i].bytes;
            continue;
        }
        size_t part = row->span[i].bytes - offset;
        if (part > bytes)
            part = bytes;
        uint8_t *there = (uint8_t *)row->span[i].base + offset;
        memcpy(in ? mine : there, in ? there : mine, part);
        mine += part;
        bytes -= part;
        offset = 0;
    }
}

enum err plat_copy_in(uint32_t granter, uint32_t grant, size_t offset, void *to, size_t bytes)
{
    struct row *row;
    fake_count_call();
    enum err e = resolve(fake_actor(), granter, grant, &offset, bytes, PLAT_GRANT_READ, &row);
    if (e == OK)
        move_bytes(row, offset, to, bytes, true);
    return e;
}

enum err plat_copy_out(uint32_t granter, uint32_t grant, size_t offset, const void *from,
                       size_t bytes)
{
    struct row *row;
    fake_count_call();
    enum err e = resolve(fake_actor(), granter, grant, &offset, bytes, PLAT_GRANT_WRITE, &row);
    if (e == OK)
        move_bytes(row, offset, (uint8_t *)(uintptr_t)from, bytes, false);
    return e;
}

void plat_copy(void *to, const void *from, size_t bytes)
{
    fake_count_call();
    memcpy(to, from, bytes);
}

uint32_t plat_crc32c(const void *data, size_t bytes)
{
    fake_count_call();
    return ~crc32_iscsi((unsigned char *)(uintptr_t)data, (int)bytes, 0xffffffffu);
}

void plat_xor(void *to, const void *from, size_t bytes)
{
    uint8_t *a = to;
    const uint8_t *b = from;
    fake_count_call();
    for (size_t i = 0; i < bytes; i++)
        a[i] ^= b[i];
}
