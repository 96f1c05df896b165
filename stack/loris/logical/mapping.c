/*
 * The mapping: an entry of 64 bytes for each object, at oid x 64 in OID_MAPPING, which is mirrored
 * on every disk and always shadowed. FORMAT.md of physical has the fields. An entry says what its
 * object is called on the disks (migrate.c); slots 0 and 1 are of migrations.
 *
 * Pages of it are kept as they are on disk. Each entry has its own CRC, verified at each use and
 * renewed at each change (L3): one that fails is damaged memory, since what came from below was
 * verified on arrival, and the process crashes on purpose.
 */
#include "logical.h"

#include "assertion.h"
#include "bytes.h"
#include "mem.h"
#include "planted.h"

#define ENTRY_DISKS 16u
#define ENTRY_GENERATIONS 32u
#define ENTRY_WANTED 48u
#define ENTRY_STATE 49u
#define ENTRY_CRC 60u
#define STATE_MOVED 1u
#define STATE_WAITS 2u
/* Slot OID_MAPPING: how many entries wait for another level. All zero: none. */
#define COUNT_VALUE 16u

/* ---- Entries --------------------------------------------------------------------------------- */

static void encode(uint8_t raw[ENTRY_BYTES], const struct entry *entry)
{
    memset(raw, 0, ENTRY_BYTES);
    if (entry->count == 0)
        return;
    put_le64(raw, entry->file == OID_NONE ? entry->oid : entry->file);
    raw[8] = entry->level;
    raw[9] = entry->count;
    put_le16(raw + 10, entry->flags);
    put_le32(raw + 12, entry->stripe_blocks);
    memcpy(raw + ENTRY_DISKS, entry->disk, DISKS_MAX);
    memcpy(raw + ENTRY_GENERATIONS, entry->generation, DISKS_MAX);
    raw[ENTRY_WANTED] = entry->wanted;
    raw[ENTRY_STATE] = (entry->waits ? STATE_WAITS : 0);
    if (entry->file != OID_NONE && entry->oid != entry->file)
        raw[ENTRY_STATE] |= STATE_MOVED;
    put_le32(raw + ENTRY_CRC, plat_crc32c(raw, ENTRY_CRC));
}

static bool is_blank(const uint8_t raw[ENTRY_BYTES])
{
    uint64_t any = 0;
    for (uint32_t k = 0; k < ENTRY_BYTES; k += 8)
        any |= get_le64(raw + k);
    return any == 0;
}

static bool is_sound(const uint8_t raw[ENTRY_BYTES], uint64_t file)
{
    return get_le32(raw + ENTRY_CRC) == plat_crc32c(raw, ENTRY_CRC) &&
           (file == OID_NONE || get_le64(raw) == file);
}

/* A disk has one slot of an object at most: what it holds is found by its number alone. */
static bool is_distinct(const struct entry *entry)
{
    uint32_t disks = 0;
    for (uint32_t k = 0; k < entry->count; k++)
        disks |= 1u << entry->disk[k];
    return logical_bits(disks) == entry->count;
}

/* OK, E_NOENT, E_CORRUPT. */
static enum err decode(struct entry *entry, const uint8_t raw[ENTRY_BYTES], uint64_t file)
{
    if (is_blank(raw))
        return E_NOENT;
    if (!is_sound(raw, file))
        return E_CORRUPT;
    uint64_t moved = (raw[ENTRY_STATE] & STATE_MOVED) != 0 ? OID_MOVED : 0;
    *entry = (struct entry){.oid = get_le64(raw) | moved,
                            .file = file,
                            .wanted = raw[ENTRY_WANTED],
                            .waits = (raw[ENTRY_STATE] & STATE_WAITS) != 0,
                            .level = raw[8],
                            .count = raw[9],
                            .flags = get_le16(raw + 10),
                            .stripe_blocks = get_le32(raw + 12)};
    memcpy(entry->disk, raw + ENTRY_DISKS, DISKS_MAX);
    memcpy(entry->generation, raw + ENTRY_GENERATIONS, DISKS_MAX);
    uint32_t parities = logical_place_parities(entry);
    bool sane = (entry->level <= 1 || (entry->level >= 4 && entry->level <= 6)) &&
                entry->count <= DISKS_MAX && entry->count >= (parities == 0 ? 1 : parities + 2) &&
                (entry->level == 1 || entry->stripe_blocks > 0);
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        sane = sane && entry->disk[k] < DISKS_MAX;
    sane = sane && is_distinct(entry);
    return sane ? OK : E_CORRUPT;
}

bool logical_entry_whole(const struct logical *l, const struct entry *entry, uint32_t slot)
{
    ASSERT(slot < entry->count);
    uint32_t disk = entry->disk[slot];
    return slot + 1 != entry->filling && (l->core.members >> disk & 1) != 0 &&
           entry->generation[slot] == l->core.generation[disk];
}

bool logical_entry_sink(const struct logical *l, const struct entry *entry, uint32_t slot)
{
    bool fills = slot + 1 == entry->filling && (l->core.members >> entry->disk[slot] & 1) != 0;
    return fills || logical_entry_whole(l, entry, slot);
}

uint32_t logical_entry_disks(const struct logical *l, const struct entry *entry)
{
    uint32_t mask = 0;
    for (uint32_t k = 0; k < entry->count; k++)
        mask |= logical_entry_whole(l, entry, k) ? 1u << entry->disk[k] : 0;
    return mask;
}

uint32_t logical_entry_sinks(const struct logical *l, const struct entry *entry)
{
    uint32_t mask = 0;
    for (uint32_t k = 0; k < entry->count; k++)
        mask |= logical_entry_sink(l, entry, k) ? 1u << entry->disk[k] : 0;
    return mask;
}

uint32_t logical_entry_safe(const struct logical *l, const struct entry *entry)
{
    return logical_entry_disks(l, entry) & ~l->core.rebuilding;
}

/* ---- Pages ----------------------------------------------------------------------------------- */

void logical_mapping_reset(struct logical *l)
{
    for (uint32_t k = 0; k < l->pages; k++)
        l->page[k]->used = l->page[k]->dirty = false;
    memset(l->bucket, 0, sizeof(l->bucket));
    l->hand = 0;
}

static struct page **bucket_of(struct logical *l, uint64_t index)
{
    return &l->bucket[index * UINT64_C(0x9e3779b97f4a7c15) >> 40 & (PAGE_BUCKETS - 1)];
}

static struct page *find_page(struct logical *l, uint64_t index)
{
    uint32_t walked = 0;
    for (struct page *p = *bucket_of(l, index); p != NULL; p = p->next) {
        ASSERT(p->used && walked++ < PAGES_MAX);
        if (p->index != index)
            continue;
        p->recent = true;
        return p;
    }
    return NULL;
}

static void unlink_page(struct logical *l, struct page *page)
{
    struct page **at = bucket_of(l, page->index);
    while (*at != page) {
        ASSERT(*at != NULL);
        at = &(*at)->next;
    }
    *at = page->next;
    page->used = false;
}

/* Puts up to a batch of dirty pages, from page[from] on, down to all members. *next: where to go
 * on. */
static enum err write_some(struct logical *l, uint32_t from, uint64_t lsn, uint32_t *next)
{
    struct batch *b = &l->batch;
    *b = (struct batch){.flags = OBJECT_REPLAY};
    uint32_t k = from;
    for (; k < l->pages && b->count < OBJECT_BATCH_MAX_BLOCKS; k++) {
        const struct page *page = l->page[k];
        if (!page->used || !page->dirty)
            continue;
        uint32_t i = b->count++;
        b->entry[i] = (struct object_write_entry){.oid = OID_MAPPING,
                                                  .block = page->index,
                                                  .lsn = lsn,
                                                  .crc = plat_crc32c(page->raw, BLOCK_BYTES)};
        b->page[i] = page->raw;
        b->local[i] = page->index;
        b->mask[i] = l->core.members;
    }
    enum err e = b->count == 0 ? OK : logical_write_batch(l);
    for (uint32_t i = 0; i < b->count && e == OK; i++)
        e = (enum err)b->status[i];
    for (uint32_t i = from; i < k && e == OK; i++)
        l->page[i]->dirty = false;
    *next = k;
    return e;
}

/* The pages are verified as a whole just before they go down: a flip must not become durable. */
static void check_pages(struct logical *l)
{
    struct entry entry;
    for (uint32_t k = 0; k < l->pages; k++) {
        struct page *page = l->page[k];
        for (uint32_t i = 0; page->used && page->dirty && i < ENTRIES_PER_PAGE; i++) {
            const uint8_t *raw = page->raw + (size_t)i * ENTRY_BYTES;
            uint64_t slot = page->index * ENTRIES_PER_PAGE + i;
            if (slot == OID_MAPPING ? !is_blank(raw) && !is_sound(raw, slot)
                                    : decode(&entry, raw, slot) == E_CORRUPT) {
                plat_report(REPORT_DETECTED, (uint64_t)-E_CORRUPT, page->index);
                plat_panic(E_CORRUPT);
            }
        }
    }
}

enum err logical_mapping_write_all(struct logical *l, uint64_t lsn)
{
    check_pages(l);
    for (uint32_t next = 0; next < l->pages;) {
        enum err e = write_some(l, next, lsn, &next);
        if (e != OK)
            return e;
    }
    return OK;
}

static struct page *add_page(struct logical *l)
{
    if (l->pages == PAGES_MAX)
        return NULL;
    uint8_t *raw = plat_alloc(BLOCK_BYTES, TAG_HEAP);
    struct page *page = raw == NULL ? NULL : plat_alloc(sizeof(*page), TAG_HEAP);
    if (page == NULL)
        return NULL;
    page->raw = raw;
    l->page[l->pages++] = page;
    return page;
}

/* A page that nobody uses; if all are dirty they are written first. */
static enum err take_page(struct logical *l, struct page **out)
{
    *out = add_page(l);
    if (*out != NULL)
        return OK;
    ASSERT(l->pages > 0);
    for (uint32_t k = 0; k < 4 * l->pages; k++) {
        struct page *page = l->page[l->hand];
        l->hand = (l->hand + 1) % l->pages;
        if (k == 2 * l->pages) { /* none was clean */
            if (l->in_pause)
                return E_FULL;
            enum err e = logical_mapping_write_all(l, l->core.highest_lsn);
            if (e != OK)
                return e;
        }
        if (page->used && (page->dirty || page->recent)) {
            page->recent = false;
            continue;
        }
        if (page->used)
            unlink_page(l, page);
        *out = page;
        return OK;
    }
    return E_FULL;
}

static enum err get_page(struct logical *l, uint64_t index, struct page **out)
{
    struct page *page = find_page(l, index);
    if (page == NULL) {
        enum err e = take_page(l, &page);
        if (e == OK)
            e = logical_read_mapping(l, index, page->raw);
        if (e != OK)
            return e;
        page->index = index;
        page->used = page->recent = true;
        page->dirty = false;
        struct page **bucket = bucket_of(l, index);
        page->next = *bucket;
        *bucket = page;
        if (index == 0)
            logical_migrate_found(l, !is_blank(page->raw) || !is_blank(page->raw + ENTRY_BYTES));
    }
    *out = page;
    return OK;
}

/* ---- The mapping ----------------------------------------------------------------------------- */

static uint8_t *raw_of(const struct page *page, uint64_t file)
{
    ASSERT(page->index == file / ENTRIES_PER_PAGE);
    return page->raw + file % ENTRIES_PER_PAGE * ENTRY_BYTES;
}

_Noreturn static void damaged(uint64_t file)
{
    plat_report(REPORT_DETECTED, (uint64_t)-E_CORRUPT, file);
    plat_panic(E_CORRUPT);
}

static enum err get_slot(struct logical *l, uint64_t file, struct entry *entry)
{
    struct page *page;
    enum err e = get_page(l, file / ENTRIES_PER_PAGE, &page);
    if (e != OK)
        return e;
    e = decode(entry, raw_of(page, file), file);
    if (e == E_CORRUPT)
        damaged(file);
    if (e == OK && l->rebuild.filling && l->rebuild.oid == entry->oid) {
        ASSERT(l->rebuild.slot < entry->count);
        entry->disk[l->rebuild.slot] = (uint8_t)l->rebuild.disk;
        entry->filling = (uint8_t)(l->rebuild.slot + 1);
    }
    return e;
}

enum err logical_mapping_get(struct logical *l, uint64_t file, struct entry *entry)
{
    if (file == OID_NONE || file == OID_MAPPING)
        return E_INVAL;
    return get_slot(l, file, entry);
}

enum err logical_mapping_spare(struct logical *l, struct entry *entry)
{
    return get_slot(l, OID_NONE, entry);
}

enum err logical_mapping_find(struct logical *l, uint64_t oid, struct entry *entry)
{
    enum err e = logical_mapping_get(l, oid & ~OID_MOVED, entry);
    if ((e == OK && entry->oid == oid) || (e != OK && e != E_NOENT))
        return e;
    e = logical_mapping_spare(l, entry);
    return e == OK && entry->oid != oid ? E_NOENT : e;
}

/* The count in page 0. */
static uint64_t get_count(const struct page *page)
{
    const uint8_t *raw = raw_of(page, OID_MAPPING);
    if (is_blank(raw))
        return 0;
    if (!is_sound(raw, OID_MAPPING))
        damaged(OID_MAPPING);
    return get_le64(raw + COUNT_VALUE);
}

static void put_count(struct page *page, uint64_t count)
{
    uint8_t *raw = raw_of(page, OID_MAPPING);
    memset(raw, 0, ENTRY_BYTES);
    page->dirty = true;
    if (count == 0)
        return;
    put_le64(raw, OID_MAPPING);
    put_le64(raw + COUNT_VALUE, count);
    put_le32(raw + ENTRY_CRC, plat_crc32c(raw, ENTRY_CRC));
}

enum err logical_mapping_waiting(struct logical *l, uint64_t *count)
{
    struct page *page;
    enum err e = get_page(l, 0, &page);
    if (e == OK)
        *count = get_count(page);
    return e;
}

/* One more waits, or one less. */
static enum err count_waiting(struct logical *l, bool more)
{
    struct page *page;
    enum err e = get_page(l, 0, &page);
    if (e != OK)
        return e;
    uint64_t count = get_count(page);
    if (!more && count == 0)
        damaged(OID_MAPPING);
    put_count(page, more ? count + 1 : count - 1);
    return OK;
}

enum err logical_mapping_put(struct logical *l, const struct entry *entry)
{
    struct page *page;
    struct entry old = {.waits = false};
    bool waits = entry->count > 0 && entry->waits;
    enum err e = get_slot(l, entry->file, &old);
    if (e != OK && e != E_NOENT)
        return e;
    if (old.waits != waits)
        e = count_waiting(l, waits);
    if (e == OK || e == E_NOENT)
        e = get_page(l, entry->file / ENTRIES_PER_PAGE, &page);
    if (e != OK)
        return e;
    ASSERT(entry->count == 0 || entry->file == OID_NONE ||
           (entry->oid & ~OID_MOVED) == entry->file);
    uint8_t *raw = raw_of(page, entry->file);
    struct entry stored = *entry;
    if (entry->count > 0 && entry->filling > 0) { /* the new disk has it when it is complete */
        uint32_t slot = entry->filling - 1u;
        stored.disk[slot] = raw[ENTRY_DISKS + slot];
        stored.generation[slot] = raw[ENTRY_GENERATIONS + slot];
    }
    ASSERT(is_distinct(&stored));
    encode(raw, &stored);
    page->dirty = true;
    return OK;
}

/* The level that a new object is to have: its own, if naming asks for one, or the pool's. */
static uint32_t level_wanted(const struct logical *l, uint32_t flags)
{
    static const uint8_t levels[OBJECT_LEVELS] = {0, 1, 4, 5, 6, RAID_N_WAY};
    uint32_t own = (flags & OBJECT_LEVEL_MASK) >> OBJECT_LEVEL_SHIFT;
    return own > 0 && own <= OBJECT_LEVELS ? levels[own - 1] : l->options.raid;
}

/* Level and number of disks of a new object, of `n` that live. A pool with too few left for parity
 * makes as many copies as the level bears losses, and one. */
static void choose_level(const struct logical *l, uint32_t flags, uint32_t n, struct entry *entry)
{
    bool meta = (flags & OBJECT_META) != 0;
    uint32_t raid = level_wanted(l, flags);
    uint32_t count = n;
    if ((meta && l->options.raid_metadata == RAID_METADATA_ALL) || raid == RAID_N_WAY) {
        entry->level = 1;
    } else if (raid == 0 || raid == 1) {
        entry->level = (uint8_t)raid;
        count = raid == 1 && n > 2 ? 2 : n;
    } else {
        uint32_t parities = raid == 6 ? 2 : 1;
        bool enough = n >= parities + 2;
        entry->level = (uint8_t)(enough ? raid : 1);
        count = enough || n < parities + 1 ? n : parities + 1;
    }
    entry->count = (uint8_t)count;
}

/* Copies that a mirrored object lacks because disks have left: slots in their name, which the disk
 * that takes their place fills. */
static void leave_places(const struct logical *l, uint32_t flags, struct entry *entry)
{
    uint32_t raid = level_wanted(l, flags);
    uint32_t all = l->options.disks - l->options.spares;
    bool meta = (flags & OBJECT_META) != 0 && l->options.raid_metadata == RAID_METADATA_ALL;
    uint32_t want = meta || raid == RAID_N_WAY ? all : raid == 6 ? 3 : 2;
    want = want < all ? want : all;
    for (uint32_t k = 0; k < DISKS_MAX && entry->level == 1; k++) {
        if (((l->core.vacant & ~l->core.members) >> k & 1) == 0 || entry->count >= want)
            continue;
        entry->disk[entry->count] = (uint8_t)k;
        entry->generation[entry->count++] = l->core.generation[k]; /* it rises when it joins */
    }
}

/* Whether some disk has much less room than another: more than an eighth of it. */
static bool rooms_differ(const struct logical *l, const uint8_t *live, uint32_t n)
{
    uint64_t least = UINT64_MAX, most = 0;
    for (uint32_t k = 0; k < n; k++) {
        uint64_t room = l->room[live[k]];
        least = room < least ? room : least;
        most = room > most ? room : most;
    }
    return most - least > most / 8;
}

/* The first `count` of live[] become those that get the object: each is drawn by its share of the
 * room, so disks of unequal size fill up together. */
static void draw_by_room(const struct logical *l, uint64_t oid, uint32_t count, uint8_t *live,
                         uint32_t n)
{
    uint64_t draw = oid;
    for (uint32_t k = 0; k < count; k++) {
        uint64_t sum = l->room[live[k]] + 1;
        uint32_t j = k;
        for (uint32_t i = k + 1; i < n; i++)
            sum += l->room[live[i]] + 1;
        draw = (draw + 1) * UINT64_C(0x9e3779b97f4a7c15);
        draw ^= draw >> 29;
        uint64_t at = draw % sum;
        for (; at > l->room[live[j]]; j++)
            at -= l->room[live[j]] + 1;
        ASSERT(j < n);
        uint8_t taken = live[j];
        live[j] = live[k];
        live[k] = taken;
    }
}

void logical_mapping_choose(const struct logical *l, uint64_t oid, uint32_t flags,
                            struct entry *entry)
{
    uint8_t live[DISKS_MAX];
    uint32_t n = 0;
    for (uint32_t k = 0; k < DISKS_MAX; k++)
        if ((l->core.members >> k & 1) != 0)
            live[n++] = (uint8_t)k;
    ASSERT(n > 0);
    *entry = (struct entry){.oid = oid,
                            .file = oid,
                            .wanted = (uint8_t)((flags & OBJECT_LEVEL_MASK) >> OBJECT_LEVEL_SHIFT),
                            .flags = (uint16_t)(flags & (OBJECT_META | OBJECT_COW))};
    choose_level(l, flags, n, entry);
    if (logical_has_parity(entry) && !PLANTED(PLANTED_PARITY_IN_PLACE))
        entry->flags |= OBJECT_COW;
    if (entry->level != 1) {
        uint64_t stripe = l->options.stripe_bytes / BLOCK_BYTES;
        entry->stripe_blocks = stripe == 0 ? 16u : (uint32_t)stripe;
    }
    uint32_t first = (uint32_t)(oid % n);
    uint32_t step = entry->count < n ? 1 + (uint32_t)(oid / n % (n - 1)) : 1;
    if (entry->count < n && rooms_differ(l, live, n)) {
        draw_by_room(l, oid, entry->count, live, n);
        first = 0;
        step = 1;
    }
    for (uint32_t k = 0; k < entry->count; k++) {
        entry->disk[k] = live[(first + k * step) % n];
        entry->generation[k] = l->core.generation[entry->disk[k]];
    }
    leave_places(l, flags, entry);
}
