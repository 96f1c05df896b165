/*
 * Phases: roots, and which checkpoint; the tree of each member, noting every object and block; the
 * map against what was reached; the mapping against what the disks have; names.
 */
#include "workloads/checkers/loris_check.h"

#include <isa-l.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "workloads/checkers/loris_check_log.h"
#include "workloads/checkers/loris_state.h"
#include "workloads/checkers/names_check.h"

void loris_damage(struct check *c, const char *format, ...)
{
    va_list list;
    if (c->out->damages++ > 0)
        return;
    va_start(list, format);
    vsnprintf(c->out->text, sizeof(c->out->text), format, list);
    va_end(list);
}

uint32_t loris_crc(const uint8_t *raw, uint32_t bytes)
{
    return ~crc32_iscsi((unsigned char *)(uintptr_t)raw, (int)bytes, 0xffffffffu);
}

void *loris_grow(void *array, size_t used, size_t *room, size_t bytes)
{
    if (used < *room)
        return array;
    *room = *room == 0 ? 1024 : *room * 2;
    array = realloc(array, *room * bytes);
    ASSERT(array != NULL);
    return array;
}

bool loris_read_block(const struct check *c, uint32_t k, uint64_t block, uint8_t *raw)
{
    bool readable = true;
    if (block >= c->disk[k].at.blocks)
        return false;
    c->in->read_block(c->in->context, k, block, raw, &readable);
    return readable;
}

/* ---- The log --------------------------------------------------------------------------------- */

static void damaged_log(void *context, uint32_t disk, uint64_t place, const char *what)
{
    loris_damage(context, "disk %u: log, block %lu: %s", disk, (unsigned long)place, what);
}

static void check_log(struct check *c)
{
    struct loris_log_input in = {.disks = c->in, .context = c, .damage = damaged_log};
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        const struct disk *d = &c->disk[k];
        if (!d->member)
            continue;
        struct loris_log *log = &in.log[in.count++];
        *log = (struct loris_log){.disk = k,
                                  .blocks = d->root.log_blocks,
                                  .first = d->at.first_log,
                                  .epoch = d->root.epoch,
                                  .lsn = d->root.lsn};
        memcpy(log->uuid, d->root.uuid, 16);
    }
    loris_check_log(&in);
}

/* ---- Names -----------------------------------------------------------------------------------
 */

static bool read_copy(void *context, uint64_t oid, uint64_t index, uint8_t *raw)
{
    const struct check *c = context;
    bool any = false;
    uint32_t copies = 0, whole = 0;
    for (uint32_t k = 0; k < DISKS_MAX; k++) {
        const struct object *o = c->disk[k].member ? loris_find_object(c, oid, k) : NULL;
        copies |= o != NULL && o->copied ? 1u << k : 0;
        whole |= o != NULL && o->copied && !o->partial ? 1u << k : 0;
    }
    for (size_t i = loris_first_block_at(c, oid, index);
         i < c->blocks && c->block[i].oid == oid && c->block[i].index == index; i++) {
        const struct block *b = &c->block[i];
        if ((copies >> b->disk & 1) == 0)
            continue;
        any = true;
        if (b->state == GOOD && loris_read_block(c, b->disk, b->address, raw))
            return true;
    }
    memset(raw, 0, BLOCK);
    return whole != 0 && !any; /* a hole */
}

static void damaged_name(void *context, uint64_t oid, const char *what)
{
    loris_damage(context, "object %lu: %s", (unsigned long)oid, what);
}

static int by_name(const void *left, const void *right)
{
    const struct names_object *a = left, *b = right;
    return (a->oid > b->oid) - (a->oid < b->oid);
}

/* Objects as naming sees them, of the first current copy of each. */
static void check_names(struct check *c)
{
    struct names_object *list = calloc(c->objects + 1, sizeof(*list));
    struct names_input in = {
        .object = list, .context = c, .read = read_copy, .damage = damaged_name};
    ASSERT(list != NULL);
    for (size_t i = 0; i < c->objects; i++) {
        const struct object *o = &c->object[i];
        uint64_t oid = o->oid & ~(uint64_t)MOVED;
        bool again = in.objects > 0 && list[in.objects - 1].oid == oid;
        if (!o->current || again)
            continue;
        struct names_object *to = &list[in.objects++];
        *to = (struct names_object){.oid = oid, .size = o->size};
        memcpy(to->attr, o->attr, sizeof(to->attr));
        for (size_t b = loris_first_block(c, o->oid); b < c->blocks && c->block[b].oid == o->oid;
             b++)
            to->blocks += c->block[b].disk == o->disk;
    }
    qsort(list, in.objects, sizeof(*list), by_name);
    c->out->leaked_blocks += names_check(&in);
    free(list);
}

void loris_check(const struct checker_disks *disks, struct checker_verdict *verdict)
{
    struct check *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL && disks->count <= DISKS_MAX);
    *verdict = (struct checker_verdict){.ran = true};
    c->in = disks;
    c->out = verdict;
    c->block = loris_grow(c->block, 0, &c->blocks_room, sizeof(*c->block));
    c->object = loris_grow(c->object, 0, &c->objects_room, sizeof(*c->object));
    for (uint32_t k = 0; k < disks->count; k++)
        if (!disks->dead[k] && loris_layout_begin(&c->disk[k].at, disks->blocks[k]))
            loris_read_slots(c, k);
    if (loris_choose(c)) {
        for (uint32_t k = 0; k < DISKS_MAX; k++)
            if (c->disk[k].member)
                loris_check_disk(c, k);
        check_log(c);
        loris_check_mapping(c);
        check_names(c);
    }
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        free(c->disk[k].group);
    free(c->block);
    free(c->object);
    free(c->intent);
    free(c);
    verdict->ok = verdict->damages == 0;
}
