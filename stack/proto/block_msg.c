/*
 * Packing and unpacking of the block protocol (block.h). Payloads have no padding and are zero
 * beyond their fields, so that equal requests are equal bytes.
 */
#include "block.h"

#include "assertion.h"
#include "mem.h"

struct block_request_wire {
    uint64_t first_sector;
    uint32_t count, grant, fence_below, fua;
};
_Static_assert(sizeof(struct block_request_wire) == 24, "no padding");
_Static_assert(sizeof(struct block_request_wire) <= MSG_PAYLOAD_BYTES, "fits a message");

struct block_identity_wire {
    uint64_t sectors;
    uint32_t sector_bytes, resets, write_cache, zero;
};
_Static_assert(sizeof(struct block_identity_wire) == 24, "no padding");

struct block_resets_wire { /* answers; zero where nothing is told */
    uint32_t told, resets;
};

#define SECTORS_MAX (BLOCK_IO_MAX_BLOCKS * (BLOCK_BYTES / SECTOR_BYTES))

void block_request_pack(struct msg *m, uint32_t id, const struct block_request *request)
{
    ASSERT(request->op >= BLOCK_READ && request->op <= BLOCK_FENCE);
    struct block_request_wire wire = {
        .first_sector = request->first_sector,
        .count = request->count,
        .grant = request->grant,
        .fence_below = request->fence_below,
        .fua = request->fua,
    };
    memset(m, 0, sizeof(*m));
    m->type = PROTO_BLOCK | (uint32_t)request->op;
    m->id = id;
    memcpy(m->payload, &wire, sizeof(wire));
}

static bool has_range(enum block_op op)
{
    return op == BLOCK_READ || op == BLOCK_WRITE || op == BLOCK_TRIM;
}

enum err block_request_unpack(struct block_request *request, const struct msg *m)
{
    struct block_request_wire wire;
    uint32_t op = PROTO_OPERATION(m->type);
    if (m->type != (PROTO_BLOCK | op) || op < BLOCK_READ || op > BLOCK_FENCE)
        return E_INVAL;
    memcpy(&wire, m->payload, sizeof(wire));
    *request = (struct block_request){
        .op = (enum block_op)op,
        .fua = wire.fua != 0,
        .first_sector = wire.first_sector,
        .count = wire.count,
        .grant = wire.grant,
        .fence_below = wire.fence_below,
    };
    if (wire.fua > 1)
        return E_INVAL;
    if (!has_range(request->op))
        return OK;
    if (wire.count == 0 || wire.first_sector > UINT64_MAX - wire.count)
        return E_INVAL;
    if (request->op != BLOCK_TRIM && wire.count > SECTORS_MAX)
        return E_INVAL;
    return OK;
}

void block_identity_pack(struct msg *m, const struct block_identity *identity)
{
    struct block_identity_wire wire = {
        .sectors = identity->sectors,
        .sector_bytes = identity->sector_bytes,
        .resets = identity->resets,
        .write_cache = identity->write_cache,
    };
    memset(m->payload, 0, sizeof(m->payload));
    memcpy(m->payload, &wire, sizeof(wire));
}

void block_identity_unpack(struct block_identity *identity, const struct msg *m)
{
    struct block_identity_wire wire;
    memcpy(&wire, m->payload, sizeof(wire));
    *identity = (struct block_identity){
        .sectors = wire.sectors,
        .sector_bytes = wire.sector_bytes,
        .resets = wire.resets,
        .write_cache = wire.write_cache != 0,
    };
}

void block_resets_pack(struct msg *m, uint32_t resets)
{
    struct block_resets_wire wire = {.told = 1, .resets = resets};
    memcpy(m->payload, &wire, sizeof(wire));
}

bool block_resets_unpack(uint32_t *resets, const struct msg *m)
{
    struct block_resets_wire wire;
    memcpy(&wire, m->payload, sizeof(wire));
    *resets = wire.resets;
    return wire.told == 1;
}
