/*
 * Who fenced a block server last, and whose requests come too late since (block.h). Messages of a
 * dead process are still delivered, so its requests may arrive after the fence of its successor.
 */
#include "block.h"

#include "assertion.h"

void block_fencer_set(struct block_fencer *f, uint32_t source)
{
    ASSERT(source != ENDPOINT_NONE);
    f->endpoint = source;
    f->layer = plat_layer_of(source, &f->instance);
}

bool block_fencer_refuses(const struct block_fencer *f, uint32_t source, bool is_fence)
{
    uint32_t instance = 0;
    if (source == f->endpoint || (f->endpoint == ENDPOINT_NONE && !is_fence))
        return false;
    enum layer layer = plat_layer_of(source, &instance);
    if (layer == LAYER_NONE)
        return true;
    if (is_fence || layer != f->layer || instance != f->instance)
        return false;
    return plat_lookup(layer, instance) == f->endpoint;
}
