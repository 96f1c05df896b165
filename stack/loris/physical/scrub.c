/*
 * Scrub of metadata: blocks that are in memory are read again from the disk, where nobody would
 * look before the next start. What is not there as it was written is made dirty: it goes to its
 * other place with the next checkpoint, whole, since memory is under guards.
 */
#include "physical.h"

#include "assertion.h"
#include "mem.h"

#define SCRUB_BLOCKS 32u /* read in one request */

/* Copies of clean nodes from frame `at` on; answers how many, *next: the frame to go on at, 0: that
 * was all.
 */
static uint32_t list_clean(struct physical *p, uint32_t at, uint32_t *next)
{
    uint32_t count = 0, copies = p->layout.copies;
    for (; at < p->nodes && count + copies <= SCRUB_BLOCKS; at++) {
        struct node *n = p->node[at];
        if (!n->used || n->dirty)
            continue;
        phys_node_use(p, n);
        for (uint32_t k = 0; k < copies; k++) {
            p->items[count] = (struct io_item){
                .address = k == 0 ? n->address : phys_layout_second(&p->layout, n->address),
                .page = p->batch + (size_t)count * BLOCK_BYTES,
                .owner = n};
            count++;
        }
    }
    *next = at < p->nodes ? at : 0;
    return count;
}

enum err phys_scrub(struct physical *p, const struct object_request *request,
                    struct object_reply *reply)
{
    uint32_t next;
    if (request->offset > p->nodes)
        return E_INVAL;
    uint32_t count = list_clean(p, (uint32_t)request->offset, &next);
    if (count > 0)
        (void)phys_io_run(p, BLOCK_READ, p->items, count); /* each has its own status */
    for (uint32_t i = 0; i < count; i++) {
        struct node *n = p->items[i].owner;
        enum err e = p->items[i].status;
        if (e == E_DEAD)
            return E_DEAD;
        if (e == OK && plat_crc32c(p->items[i].page, BLOCK_BYTES) == n->crc)
            continue;
        plat_report(REPORT_DETECTED, (uint64_t) - (int)(e == OK ? E_CORRUPT : e),
                    p->items[i].address);
        phys_node_use(p, n);
        phys_node_change(p, n);
        reply->moved++;
    }
    reply->blocks = count;
    reply->size = next;
    return OK;
}
