/*
 * The legal states after a loss of power, against an enumerator that follows the definition word by
 * word: their number, and the images of the disk that they are.
 */
#include <string.h>

#include "scripts/check_main.h"
#include "sim/rng.h"
#include "sim/states.h"

#define SECTOR 512u
#define SECTORS 6u /* of the disk that are written */
#define PENDING_MAX 8u
#define IMAGES_MAX 65536u
#define SIZE (UINT64_C(1) << 20)

static struct sim_engine *engine;
static struct sim_disk *disk;
static struct sim_record *record;
static struct sim_states *states;
static struct sim_rng rng;
static uint8_t fill;

static void on_done(void *object, uint64_t id, enum sim_disk_status status)
{
    (void)object, (void)id, (void)status;
}

static void start(const char *cache, uint64_t seed)
{
    struct sim_disk_config config = {.size_bytes = SIZE};
    ck_assert_int_eq(sim_profile_load("ssd-sata", &config.params), OK);
    ck_assert_int_eq(sim_params_set(&config.params, "write-cache", cache), OK);
    engine = sim_engine_create();
    disk = sim_disk_create(engine, 0, &config);
    record = sim_record_create(engine, &disk, 1);
    states = sim_states_create();
    sim_rng_init(&rng, seed, 0, 0);
    fill = 0;
    sim_record_begin(record);
}

static void stop(void)
{
    sim_states_destroy(states);
    sim_record_destroy(record);
    sim_disk_destroy(disk);
    sim_engine_destroy(engine);
}

static void submit(enum sim_disk_op op, uint64_t first, uint32_t count, bool fua)
{
    uint8_t data[SECTORS * SECTOR];
    fill++;
    for (uint32_t i = 0; i < count; i++)
        memset(data + (size_t)i * SECTOR, fill, SECTOR);
    struct sim_disk_request r = {
        .op = op, .fua = fua, .first_sector = first, .count = count, .data = data, .done = on_done};
    ck_assert_int_eq(sim_disk_submit(disk, &r), OK);
}

static uint32_t draw(uint32_t limit)
{
    return (uint32_t)(sim_rng_u64(&rng) % limit);
}

/* Some requests; between them the device gets on or not. */
static void work(uint32_t requests)
{
    for (uint32_t k = 0; k < requests; k++) {
        uint32_t first = draw(SECTORS), what = draw(8);
        uint32_t count = 1 + draw(SECTORS - first);
        if (what == 0)
            submit(SIM_DISK_FLUSH, 0, 0, false);
        else
            submit(SIM_DISK_WRITE, first, count, what == 1);
        for (uint32_t steps = draw(4); steps > 0; steps--)
            (void)sim_engine_step(engine);
    }
    sim_record_end(record);
}

/* ---- The definition ---------------------------------------------------------------------------
 */

struct naive {
    uint32_t write[64], count; /* pending, oldest first */
    uint32_t floor[SECTORS];   /* write whose content is the floor; 0: the base */
};

static bool happened(enum sim_entry_kind kind, uint32_t index, uint32_t position, uint32_t *at)
{
    for (uint32_t e = 0; e < position; e++)
        if (record->entry[e].kind == kind && record->entry[e].index == index) {
            *at = e;
            return true;
        }
    return false;
}

static bool is_stable(uint32_t w, uint32_t position)
{
    uint32_t acked, arrived, done;
    if (!happened(SIM_ENTRY_ACK, w, position, &acked))
        return false;
    if (record->write[w].fua || record->disk[0].cache == SIM_CACHE_OFF ||
        record->disk[0].cache == SIM_CACHE_PROTECTED)
        return true;
    for (uint32_t f = 1; f <= record->flushes; f++)
        if (happened(SIM_ENTRY_FLUSH, f, position, &arrived) && arrived > acked &&
            happened(SIM_ENTRY_DONE, f, position, &done))
            return true;
    return false;
}

static bool covers(uint32_t w, uint64_t sector)
{
    return sector >= record->write[w].first &&
           sector < record->write[w].first + record->write[w].count;
}

static void find_pending(uint32_t position, struct naive *n)
{
    uint32_t at;
    memset(n, 0, sizeof(*n));
    for (uint32_t w = 1; w <= record->writes; w++)
        for (uint32_t s = 0; s < SECTORS; s++)
            if (covers(w, s) && happened(SIM_ENTRY_WRITE, w, position, &at) &&
                is_stable(w, position))
                n->floor[s] = w;
    for (uint32_t w = 1; w <= record->writes; w++) {
        bool above = false;
        for (uint32_t s = 0; s < SECTORS; s++)
            above = above || (covers(w, s) && w > n->floor[s]);
        if (above && happened(SIM_ENTRY_WRITE, w, position, &at) &&
            !happened(SIM_ENTRY_ABORT, w, position, &at))
            n->write[n->count++] = w;
    }
}

static bool is_legal(const struct naive *n, uint32_t kept, uint32_t depth)
{
    for (uint32_t p = 0; p <= n->count; p++) {
        uint32_t within = (1u << p) - 1;
        if ((kept & ~within) == 0 && (uint32_t)__builtin_popcount(within & ~kept) <= depth)
            return true;
    }
    return false;
}

/* What each sector holds, a digit each: the write whose bytes are there. */
static uint64_t image_of(const struct naive *n, uint32_t kept, uint32_t torn, uint32_t sectors)
{
    uint64_t image = 0;
    for (uint32_t s = 0; s < SECTORS; s++) {
        uint32_t there = n->floor[s];
        for (uint32_t i = 0; i < n->count; i++) {
            uint32_t w = n->write[i];
            bool whole =
                (kept >> i & 1) != 0 && (i != torn || s - record->write[w].first < sectors);
            if (covers(w, s) && w > n->floor[s] && whole)
                there = w;
        }
        image = image * 64 + there;
    }
    return image;
}

static uint64_t images[IMAGES_MAX], walked[IMAGES_MAX];

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint32_t unique(uint64_t *list, uint32_t count)
{
    uint32_t kept = 0;
    qsort(list, count, sizeof(list[0]), by_value);
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || list[kept - 1] != list[i])
            list[kept++] = list[i];
    return kept;
}

/* All legal states by the definition. */
static uint32_t enumerate(const struct naive *n, uint32_t depth, bool tears)
{
    uint32_t count = 0;
    for (uint32_t kept = 0; kept < 1u << n->count; kept++) {
        if (!is_legal(n, kept, depth))
            continue;
        images[count++] = image_of(n, kept, UINT32_MAX, 0);
        for (uint32_t i = 0; tears && i < n->count; i++)
            for (uint32_t s = 1; (kept >> i & 1) != 0 && s < record->write[n->write[i]].count; s++)
                images[count++] = image_of(n, kept, i, s);
        ck_assert_uint_lt(count, IMAGES_MAX - 64);
    }
    return count;
}

/* The write whose bytes sector s holds in the states at hand. */
static uint64_t holds(uint32_t s)
{
    uint32_t variable = sim_record_variable(record, 0, s);
    return variable == 0
               ? 0
               : sim_record_bytes(record, variable, sim_states_value(states, variable))[0];
}

/* All states of a walk that reads every sector; `covered` is what it says that it has covered. */
static uint32_t walk(sim_count *covered)
{
    uint32_t count = 0;
    *covered = 0;
    do {
        uint64_t image = 0;
        for (uint32_t s = 0; s < SECTORS; s++)
            image = image * 64 + holds(s);
        walked[count++] = image;
        *covered += sim_states_open(states);
        ck_assert_uint_lt(count, IMAGES_MAX);
    } while (sim_states_next(states));
    return count;
}

static void compare(uint32_t position, uint32_t depth, bool tears)
{
    struct naive n;
    struct sim_states_bounds bounds = {.depth = depth, .tears = tears};
    sim_count covered;
    find_pending(position, &n);
    ck_assert_uint_eq(sim_states_pending(states, 0), n.count);
    if (n.count > PENDING_MAX)
        return;
    uint32_t legal = enumerate(&n, depth, tears);
    sim_count total = sim_states_start(states, &bounds);
    ck_assert(total == legal);
    uint32_t visited = walk(&covered);
    ck_assert(covered == total);
    uint32_t distinct = unique(images, legal);
    ck_assert_uint_eq(unique(walked, visited), distinct);
    ck_assert_int_eq(memcmp(images, walked, distinct * sizeof(images[0])), 0);
}

/* Writes have their number as content: fill counts requests, so a record of writes alone. */
static void number_writes(void)
{
    for (uint32_t w = 1; w <= record->writes; w++)
        for (uint32_t i = 0; i < record->write[w].count; i++) {
            const struct sim_version *v = &record->version[record->write[w].first_version + i];
            memset(record->variable[v->variable].content[v->content], (int)w, SECTOR);
        }
}

static const char *const caches[] = {"on", "on", "off", "protected"};

START_TEST(test_states__are_those_of_the_definition_at_every_place)
{
    start(caches[_i % 4], (uint64_t)_i);
    work(14);
    number_writes();
    sim_states_rewind(states, record);
    uint32_t pending = 0;
    for (uint32_t position = 0; position <= record->entries; position++) {
        sim_states_advance(states, position);
        for (uint32_t depth = 0; depth <= 3; depth++)
            compare(position, depth, (_i & 1) != 0);
        uint32_t now = sim_states_pending(states, 0);
        pending = now > pending ? now : pending;
    }
    ck_assert_uint_gt(pending, 0);
    stop();
}
END_TEST

/* The closed form: C(n, 0) + ... + C(n, d + 1) for n writes to places of their own. */
START_TEST(test_states__count_as_the_formula_says)
{
    static const uint64_t want[4][5] = {
        {2, 3, 4, 5, 11}, {2, 4, 7, 11, 56}, {2, 4, 8, 15, 176}, {2, 4, 8, 16, 386}};
    static const uint32_t writes[5] = {1, 2, 3, 4, 10};
    for (uint32_t k = 0; k < 5; k++) {
        start("on", 1);
        for (uint32_t w = 0; w < writes[k]; w++)
            submit(SIM_DISK_WRITE, 10 + w, 1, false);
        sim_record_end(record);
        sim_states_rewind(states, record);
        sim_states_advance(states, record->entries);
        for (uint32_t depth = 0; depth < 4; depth++) {
            struct sim_states_bounds bounds = {.depth = depth, .tears = true};
            ck_assert_uint_eq((uint64_t)sim_states_start(states, &bounds), want[depth][k]);
        }
        stop();
    }
}
END_TEST

/* An ordered cache keeps a prefix, whatever the depth. */
START_TEST(test_states__of_an_ordered_cache_are_prefixes)
{
    start("ordered", 1);
    for (uint32_t w = 0; w < 5; w++)
        submit(SIM_DISK_WRITE, 10 + w, 1, false);
    sim_record_end(record);
    sim_states_rewind(states, record);
    sim_states_advance(states, record->entries);
    struct sim_states_bounds bounds = {.depth = 3};
    ck_assert_uint_eq((uint64_t)sim_states_start(states, &bounds), 6);
    stop();
}
END_TEST

/* Whatever state a walk meets, its words lead back to it; and words that are none are refused. */
START_TEST(test_states__are_found_again_by_their_words)
{
    uint32_t left[64];
    start("on", (uint64_t)_i + 100);
    work(7);
    number_writes();
    sim_states_rewind(states, record);
    sim_states_advance(states, record->entries);
    struct sim_states_bounds bounds = {.depth = 2, .tears = true};
    struct sim_state_disk words[512] = {{0}};
    uint32_t count = 0;
    (void)sim_states_start(states, &bounds);
    do {
        walked[count] = 0;
        for (uint32_t s = 0; s < SECTORS; s++)
            walked[count] = walked[count] * 64 + holds(s);
        struct sim_state_disk *w = &words[count];
        w->left = left;
        sim_states_describe(states, 0, w);
        w->left = calloc(64, sizeof(*w->left));
        ck_assert_ptr_nonnull(w->left);
        memcpy(w->left, left, w->left_count * sizeof(*left));
    } while (sim_states_next(states) && ++count < 511);
    for (uint32_t k = 0; k <= count; k++) {
        uint64_t image = 0;
        (void)sim_states_start(states, &bounds);
        ck_assert(sim_states_set(states, 0, &words[k]));
        for (uint32_t s = 0; s < SECTORS; s++)
            image = image * 64 + holds(s);
        if (k < count)
            ck_assert_uint_eq(image, walked[k]);
        free(words[k].left);
    }
    (void)sim_states_start(states, &bounds);
    struct sim_state_disk wrong = {.keep = sim_states_pending(states, 0) + 1};
    ck_assert(!sim_states_set(states, 0, &wrong));
    stop();
}
END_TEST

/* A content that comes again is the same content: rewriting what is there is no other state. */
START_TEST(test_record__equal_bytes_are_one_content)
{
    start("on", 1);
    uint8_t zeros[SECTOR] = {0}, ones[SECTOR];
    memset(ones, 1, sizeof(ones));
    const uint8_t *const data[] = {ones, zeros, ones};
    for (uint32_t k = 0; k < 3; k++) {
        struct sim_disk_request r = {
            .op = SIM_DISK_WRITE, .first_sector = 7, .count = 1, .data = data[k], .done = on_done};
        ck_assert_int_eq(sim_disk_submit(disk, &r), OK);
    }
    sim_record_end(record);
    uint32_t variable = sim_record_variable(record, 0, 7);
    ck_assert_uint_eq(record->variable[variable].contents, 2);
    ck_assert_uint_eq(record->version[1].content, 1);
    ck_assert_uint_eq(record->version[2].content, 0);
    ck_assert_uint_eq(record->version[3].content, 1);
    ck_assert_uint_eq(sim_record_variable(record, 0, 8), 0);
    stop();
}
END_TEST

#define LOOP(TEST, N) tcase_add_loop_test(tc, TEST, 0, N)

CHECK_MAIN("states", 120, LOOP(test_states__are_those_of_the_definition_at_every_place, 24);
           tcase_add_test(tc, test_states__count_as_the_formula_says);
           tcase_add_test(tc, test_states__of_an_ordered_cache_are_prefixes);
           LOOP(test_states__are_found_again_by_their_words, 8);
           tcase_add_test(tc, test_record__equal_bytes_are_one_content);)
