/*
 * Whose content a sector has: for faults that aim at data, at metadata, or at a file. What
 * applications write is words that nobody else has (oracle/content.h); of every 64 bytes of what
 * the history says was written one word is listed, and near both ends of a write, of which a sector
 * may have little, each; a sector that has a listed word is data. Every layout here keeps blocks of
 * files in whole sectors, so the places of words agree.
 *
 * A run of content without a word at a multiple of 8 bytes (shorter than 15) is known again where
 * it ends a sector, or begins one with 3 bytes or more, beside zeros; elsewhere it is not.
 */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "block.h"
#include "campaign/trial_private.h"
#include "workloads/oracle/base.h"
#include "workloads/oracle/content.h"

#define WORD_BYTES sizeof(uint64_t)
#define STRIDE 64u
#define TAIL_LEAST 3u

static void list_word(struct content_index *c, uint64_t word)
{
    if (c->count == c->room) {
        c->room = c->room == 0 ? 4096 : 2 * c->room;
        c->word = realloc(c->word, c->room * sizeof(c->word[0]));
        ASSERT(c->word != NULL);
    }
    c->word[c->count++] = word;
}

/* What is left of a word when the bytes of `offset` .. `end` alone are content; of few bytes it
 * might as well be a small number in somebody's metadata. */
static void list_part(struct content_index *c, const struct history_op *op, uint32_t number,
                      uint64_t offset, uint64_t end)
{
    uint8_t bytes[WORD_BYTES] = {0};
    uint64_t word;
    content_fill(op->key, number, offset, bytes + offset % WORD_BYTES, (uint32_t)(end - offset));
    memcpy(&word, bytes, sizeof(word));
    list_word(c, word);
}

/* Of a write that begins or ends within a word at the edge of a sector. */
static void list_edges(struct content_index *c, const struct history_op *op, uint32_t number)
{
    uint64_t end = op->offset + op->length, head = op->offset % SECTOR_BYTES;
    if (head > SECTOR_BYTES - WORD_BYTES && op->length >= SECTOR_BYTES - head)
        list_part(c, op, number, op->offset, op->offset + SECTOR_BYTES - head);
    uint64_t tail = end % SECTOR_BYTES;
    if (tail >= TAIL_LEAST && tail < WORD_BYTES && op->length >= tail)
        list_part(c, op, number, end - tail, end);
}

static void list_write(struct content_index *c, const struct history_op *op, uint32_t number)
{
    if (op->offset == HISTORY_AT_END)
        return; /* in flight: nobody knows where */
    uint64_t end = op->offset + op->length;
    uint64_t at = (op->offset + WORD_BYTES - 1) / WORD_BYTES * WORD_BYTES;
    for (uint64_t word; at + WORD_BYTES <= end; at += WORD_BYTES) {
        if (at % STRIDE != 0 && at >= op->offset + STRIDE && at + STRIDE < end)
            continue;
        content_fill(op->key, number, at, (uint8_t *)&word, WORD_BYTES);
        list_word(c, word);
    }
    list_edges(c, op, number);
}

/* Of range k of a file that the last boot found: who wrote it before that is not told. */
static bool list_found(struct content_index *c, const struct history *h, uint32_t inode, uint32_t k)
{
    uint64_t from, to, word;
    const uint8_t *bytes = history_found_bytes(h, inode, k, &from, &to);
    for (uint64_t at = from; bytes != NULL && at + WORD_BYTES <= to; at += WORD_BYTES) {
        memcpy(&word, bytes + (at - from), sizeof(word));
        if (at % STRIDE == 0 && word != 0)
            list_word(c, word);
    }
    return bytes != NULL;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Lists what was written until now: to that file, or to all. */
static void list_all(struct lab *lab, struct content_index *c, const char *path)
{
    uint32_t ops = history_ops(lab->history);
    uint32_t inode = path == NULL ? 0 : history_inode(lab->history, path);
    c->count = 0;
    for (uint32_t k = 0; list_found(c, lab->history, inode, k);)
        k++;
    for (uint32_t k = 1; k <= ops && (path == NULL || inode != 0); k++) {
        const struct history_op *op = history_op(lab->history, k);
        if (op->kind == HISTORY_WRITE && (path == NULL || op->inode == inode))
            list_write(c, op, k);
    }
    if (c->count > 0)
        qsort(c->word, c->count, sizeof(c->word[0]), by_value);
    c->path = path;
    c->at_ns = sim_machine_now(lab->machine);
    c->listed = true;
}

bool lab_holds(void *context, const char *path, const uint8_t *bytes, uint32_t count)
{
    struct lab *lab = context;
    struct content_index *c = &lab->content;
    if (!c->listed || c->path != path || c->at_ns != sim_machine_now(lab->machine))
        list_all(lab, c, path);
    for (uint32_t at = 0; c->count > 0 && at + WORD_BYTES <= count; at += WORD_BYTES) {
        uint64_t word;
        memcpy(&word, bytes + at, sizeof(word));
        if (bsearch(&word, c->word, c->count, sizeof(word), by_value) != NULL)
            return true;
    }
    return false;
}
