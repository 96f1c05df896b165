/*
 * Layout of the region that outlives the process, its superblock and its seals.
 *
 *   0     superblock, copy 0      2048  copy 1
 *   1024  tail word of the log    1536  starts that have not come to service yet
 *   4096    reply table | log records | frame descriptors | page data
 *
 * Each part begins at a multiple of 4096. The layout follows from the options and the region's size
 * alone; the superblock names it, so that one made under other options is not taken for ours.
 */
#include "cache.h"

#define SUPER_MAGIC UINT64_C(0x4c4f52495343414b)
#define TAIL_OFFSET 1024u
#define STARTS_OFFSET 1536u
#define SUPER_1_OFFSET 2048u
#define LOG_SLOTS_MIN 64u
#define LOG_SLOTS_MAX (1u << 20)
#define FRAMES_MIN 64u

_Static_assert(sizeof(struct frame) == 40, "no padding");
_Static_assert(sizeof(struct record) == 152, "no padding");
_Static_assert(sizeof(struct super) <= TAIL_OFFSET, "a copy ends before the tail word");

uint64_t seal_words(const void *bytes, uint32_t words)
{
    const uint64_t *w = bytes;
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15);
    for (uint32_t k = 0; k < words; k++) {
        h = (h ^ w[k]) * UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
    }
    return h | 1; /* never 0: zeroed memory is not sealed */
}

uint64_t frame_seal(const struct frame *f)
{
    return seal_words(f, offsetof(struct frame, crc) / 8);
}

uint64_t reply_seal(const struct reply_entry *r)
{
    return seal_words(r, offsetof(struct reply_entry, seal) / 8);
}

static size_t whole_blocks(size_t bytes)
{
    return (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

static uint32_t log_slots_of(const struct cache *c)
{
    uint64_t slots = c->log_on ? c->options.log_bytes / sizeof(struct record) : 0;
    if (slots < LOG_SLOTS_MIN)
        slots = c->log_on ? LOG_SLOTS_MIN : 8 * LOG_SLOTS_MIN; /* off: one transaction's */
    return slots > LOG_SLOTS_MAX ? LOG_SLOTS_MAX : (uint32_t)slots;
}

void survivor_map(struct cache *c)
{
    struct survivor *s = &c->mem;
    uint8_t *base = c->boot->survivor;
    size_t total = c->boot->survivor_bytes;
    ASSERT(base != NULL);
    ASSERT((uintptr_t)base % BLOCK_BYTES == 0);
    s->log_slots = log_slots_of(c);
    size_t replies_at = BLOCK_BYTES;
    size_t log_at =
        replies_at + whole_blocks(CACHE_ENVS * REPLIES_PER_ENV * sizeof(struct reply_entry));
    size_t log_bytes = whole_blocks(s->log_slots * sizeof(struct record));
    size_t frames_at = log_at + log_bytes;
    ASSERT(total > frames_at + (FRAMES_MIN + 2) * (size_t)BLOCK_BYTES);
    uint64_t fit =
        (total - frames_at - 2 * (size_t)BLOCK_BYTES) / (BLOCK_BYTES + sizeof(struct frame));
    uint64_t want = c->options.cache_bytes / BLOCK_BYTES;
    want = want < FRAMES_MIN ? FRAMES_MIN : want;
    s->frames = (uint32_t)(want < fit ? want : fit);
    size_t data_at = frames_at + whole_blocks((s->frames + 1) * sizeof(struct frame));
    size_t data_bytes = (size_t)s->frames * BLOCK_BYTES;
    ASSERT(data_at + data_bytes <= total);
    s->super[0] = (struct super *)(void *)base;
    s->super[1] = (struct super *)(void *)(base + SUPER_1_OFFSET);
    s->tail = (uint64_t *)(void *)(base + TAIL_OFFSET);
    s->starts = (uint64_t *)(void *)(base + STARTS_OFFSET);
    s->replies = (struct reply_entry *)(void *)(base + replies_at);
    s->log = (struct record *)(void *)(base + log_at);
    s->frame = (struct frame *)(void *)(base + frames_at);
    s->data = base + data_at;
    plat_tag_survivor(0, log_at, TAG_HEAP);
    plat_tag_survivor(log_at, log_bytes, TAG_LOG);
    plat_tag_survivor(frames_at, data_at - frames_at, TAG_HEAP);
    plat_tag_survivor(data_at, data_bytes, TAG_PAGES);
}

static uint64_t layout_of(const struct survivor *s)
{
    return (uint64_t)s->frames << 32 | s->log_slots;
}

static bool super_valid(const struct survivor *s, const struct super *super)
{
    return super->magic == SUPER_MAGIC && super->layout == layout_of(s) &&
           super->seal == seal_words(super, offsetof(struct super, seal) / 8);
}

bool survivor_untouched(const struct survivor *s)
{
    return s->super[0]->magic == 0 && s->super[1]->magic == 0;
}

bool survivor_load(struct survivor *s)
{
    const struct super *best = NULL;
    for (uint32_t k = 0; k < 2; k++) {
        const struct super *super = s->super[k];
        if (super_valid(s, super) && (best == NULL || super->version > best->version))
            best = super;
    }
    if (best != NULL)
        s->now = *best;
    return best != NULL;
}

/* Writes the older copy: the other stays valid meanwhile. */
static void store(struct cache *c, uint64_t serial, uint64_t base_lsn, bool carried)
{
    struct survivor *s = &c->mem;
    struct super next = {.magic = SUPER_MAGIC,
                         .version = s->now.version + 1,
                         .serial = serial,
                         .epoch = c->epoch,
                         .next_lsn = c->next_lsn,
                         .base_lsn = base_lsn,
                         .next_oid = c->next_oid,
                         .session = c->session,
                         .in_flight = c->in_flight,
                         .freeze_lsn = c->freeze_lsn,
                         .first = c->log_first,
                         .carried = carried ? 1 : 0,
                         .layout = layout_of(s)};
    next.seal = seal_words(&next, offsetof(struct super, seal) / 8);
    s->now = next;
    if (!c->system) /* until the first restore is through, a new instance starts from nothing */
        *s->super[next.version % 2] = next;
}

void survivor_store(struct cache *c)
{
    store(c, c->mem.now.serial, c->mem.now.base_lsn, c->mem.now.carried != 0);
}

void survivor_begin_segment(struct cache *c, uint64_t base_lsn)
{
    store(c, c->mem.now.serial + 1, base_lsn, c->log_count > c->log_first);
}
