/*
 * How many sequences there are, held against published counts and against all sequences
 * taken one by one: nothing here knows of orderly generation.
 */
#include <stdlib.h>
#include <string.h>

#include "scripts/check_main.h"
#include "sim/rng.h"
#include "workloads/apps/bounded_ops.h"
#include "workloads/script.h"

static struct bounded_op ops[BOUNDED_OPS];
static uint8_t image[BOUNDED_GROUP][BOUNDED_OPS];
static struct bounded b;
static char text[BOUNDED_SCRIPT_BYTES];

static void list(void)
{
    bounded_list_ops(ops);
    for (uint32_t g = 0; g < BOUNDED_GROUP; g++) {
        for (uint32_t k = 0; k < BOUNDED_OPS; k++) {
            struct bounded_op to = {ops[k].kind, bounded_path_image(g, ops[k].path),
                                    bounded_path_image(g, ops[k].path2)};
            image[g][k] = bounded_op_number(ops, &to);
        }
    }
}

/* Whether no image of the sequence comes before it. */
static bool is_least(const uint8_t *sequence, uint32_t length)
{
    for (uint32_t g = 0; g < BOUNDED_GROUP; g++) {
        uint32_t k = 0;
        while (k < length && image[g][sequence[k]] == sequence[k])
            k++;
        if (k < length && image[g][sequence[k]] < sequence[k])
            return false;
    }
    return true;
}

static bool can_run(const uint8_t *sequence, uint32_t length)
{
    struct bounded_world w;
    bounded_world_init(&w);
    for (uint32_t k = 0; k < length; k++)
        if (!bounded_world_apply(&w, &ops[sequence[k]]))
            return false;
    return true;
}

struct counts {
    uint64_t all, least, feasible, used, related_used, related_end;
};

static void count_one(struct counts *c, const uint8_t *sequence, uint32_t length)
{
    c->all++;
    if (!is_least(sequence, length))
        return;
    c->least++;
    if (!can_run(sequence, length))
        return;
    uint32_t used = 0;
    bool related = true;
    for (uint32_t k = 0; k < length; k++) {
        uint32_t of_op = bounded_used(&ops[sequence[k]]);
        related = related && (k == 0 || (of_op & used & ~PATH_BIT(PATH_ROOT)) != 0);
        used |= of_op;
    }
    uint64_t last = 1 + (uint64_t)__builtin_popcount(used), choices = last;
    for (uint32_t k = 1; k < length; k++)
        choices *= last + 1;
    c->feasible++;
    c->used += choices;
    c->related_used += related ? choices : 0;
    c->related_end += related ? last : 0;
}

static struct counts count_each(uint32_t length, bool core)
{
    struct counts c = {0};
    uint8_t at[BOUNDED_LENGTH_MAX] = {0};
    for (;;) {
        bool taken = true;
        for (uint32_t k = 0; k < length; k++)
            taken = taken && (!core || bounded_is_core(ops[at[k]].kind));
        if (taken)
            count_one(&c, at, length);
        uint32_t k = length;
        while (k > 0 && ++at[k - 1] == BOUNDED_OPS)
            at[--k] = 0;
        if (k == 0)
            return c;
    }
}

static void check_counts(uint32_t length, bool core, const struct counts *want)
{
    list();
    struct counts c = count_each(length, core);
    ck_assert_uint_eq(c.all, want->all);
    ck_assert_uint_eq(c.least, want->least);
    ck_assert_uint_eq(c.feasible, want->feasible);
    ck_assert_uint_eq(c.used, want->used);
    ck_assert_uint_eq(c.related_used, want->related_used);
    ck_assert_uint_eq(c.related_end, want->related_end);
}

/* In the order of the fields: all, least, feasible, used, related_used, related_end. */
START_TEST(test_bounded__counts_of_length_1_are_the_published_ones)
{
    check_counts(1, false, &(struct counts){156, 38, 38, 139, 139, 139});
    check_counts(1, true, &(struct counts){114, 29, 29, 104, 104, 104});
}
END_TEST

START_TEST(test_bounded__counts_of_length_2_are_the_published_ones)
{
    check_counts(2, false, &(struct counts){24336, 3145, 2669, 98568, 52092, 7935});
    check_counts(2, true, &(struct counts){12996, 1762, 1471, 52188, 25924, 4023});
}
END_TEST

/* Published as 105.8 M and 38.1 M with persistence after each operation. */
START_TEST(test_bounded__counts_of_length_3_are_the_published_ones)
{
    check_counts(3, false, &(struct counts){3796416, 351209, 228820, 105831440, 38053614, 595202});
    list();
    ck_assert_uint_eq(count_each(3, true).related_end, 204939);
}
END_TEST

START_TEST(test_bounded__the_index_counts_what_there_is)
{
    static const struct {
        uint32_t length;
        bool core, related;
        uint64_t count;
    } rows[] = {
        {1, false, false, 139},   {1, true, false, 104},        {1, false, true, 139},
        {2, false, false, 98568}, {2, false, true, 52092},      {2, true, false, 52188},
        {2, true, true, 25924},   {3, false, false, 105831440}, {3, false, true, 38053614},
    };
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        bounded_init(&b, rows[k].length, rows[k].core, rows[k].related);
        ck_assert_uint_eq(b.count, rows[k].count);
        for (uint32_t p = 1; p < b.prefixes; p++)
            ck_assert_uint_lt(b.prefix[p - 1].first, b.prefix[p].first);
    }
}
END_TEST

START_TEST(test_bounded__the_symmetries_are_a_group_of_16)
{
    list();
    for (uint32_t g = 0; g < BOUNDED_GROUP; g++) {
        for (uint32_t h = 0; h < BOUNDED_GROUP; h++) {
            bool closed = false;
            ck_assert(g == h || memcmp(image[g], image[h], BOUNDED_OPS) != 0);
            for (uint32_t i = 0; i < BOUNDED_GROUP && !closed; i++) {
                closed = true;
                for (uint32_t k = 0; k < BOUNDED_OPS; k++)
                    closed = closed && image[i][k] == image[g][image[h][k]];
            }
            ck_assert(closed);
        }
        for (uint32_t p = 0; p < PATHS; p++) /* a parent's image is the image's parent */
            ck_assert_int_eq(bounded_path_image(g, bounded_parent((enum bounded_path)p)),
                             bounded_parent(bounded_path_image(g, (enum bounded_path)p)));
    }
}
END_TEST

/* Else to leave the other members of an orbit out would lose something. */
START_TEST(test_bounded__an_image_can_be_run_where_the_sequence_can)
{
    list();
    for (uint32_t k = 0; k < BOUNDED_OPS * BOUNDED_OPS; k++) {
        uint8_t sequence[2] = {(uint8_t)(k / BOUNDED_OPS), (uint8_t)(k % BOUNDED_OPS)};
        for (uint32_t g = 1; g < BOUNDED_GROUP; g++) {
            uint8_t to[2] = {image[g][sequence[0]], image[g][sequence[1]]};
            ck_assert(can_run(sequence, 2) == can_run(to, 2));
        }
    }
}
END_TEST

static int by_value(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, c = *(const uint64_t *)y;
    return (a > c) - (a < c);
}

/* Lines of a sequence below its first, which tells its number, as one word. */
static uint64_t digest(const char *list_of_ops)
{
    uint64_t key = 1;
    for (const char *c = strchr(list_of_ops, '\n'); *c != '\0'; c++)
        key = sim_rng_mix(key, (uint64_t)*c);
    return key;
}

START_TEST(test_bounded__every_number_has_a_list_of_its_own_that_parses)
{
    char error[SCRIPT_ERROR_BYTES];
    bounded_init(&b, 2, false, false);
    uint64_t *seen = calloc(b.count, sizeof(*seen));
    ck_assert_ptr_nonnull(seen);
    for (uint64_t n = 0; n < b.count; n++) {
        struct script_op op;
        struct script_place place = {0};
        uint32_t marks = 0, tried = 0;
        enum script_kind last = SCRIPT_MARK;
        enum script_next next;
        bounded_script(&b, n, text);
        const char *at = text;
        while ((next = script_next(&at, &op, &place, error)) == SCRIPT_OP) {
            marks += op.kind == SCRIPT_MARK;
            tried += op.any_answer && op.kind != SCRIPT_FSYNC;
            ck_assert(op.any_answer || marks == 0 || op.kind == SCRIPT_SYNC ||
                      op.kind == SCRIPT_MARK);
            last = op.kind;
        }
        ck_assert_int_eq(next, SCRIPT_END);
        ck_assert_uint_eq(marks, 1);
        ck_assert_uint_eq(tried, 2);
        ck_assert(last == SCRIPT_SYNC || last == SCRIPT_FSYNC);
        seen[n] = digest(text);
    }
    qsort(seen, b.count, sizeof(*seen), by_value);
    for (uint64_t n = 1; n < b.count; n++)
        ck_assert_uint_ne(seen[n - 1], seen[n]);
    free(seen);
}
END_TEST

START_TEST(test_bounded__the_last_number_of_length_3_is_found)
{
    bounded_init(&b, 3, false, false);
    bounded_script(&b, b.count - 1, text);
    ck_assert_ptr_nonnull(strstr(text, "sequence 105831439 of 105831440\n"));
    bounded_script(&b, 0, text);
    ck_assert_str_eq(strchr(text, '\n'), "\nmkdir A\nsync\nmark\ntry create foo\ntry create bar\n"
                                         "try create A/foo\nsync\n");
}
END_TEST

static uint32_t setup_of(const struct bounded_op *sequence, uint32_t length)
{
    struct bounded_world w;
    bounded_world_init(&w);
    for (uint32_t k = 0; k < length; k++)
        ck_assert(bounded_world_apply(&w, &sequence[k]));
    return bounded_world_setup(&w);
}

START_TEST(test_bounded__the_set_up_is_what_is_needed_and_no_more)
{
    static const struct {
        struct bounded_op sequence[2];
        uint32_t setup;
    } rows[] = {
        {{{BOUNDED_CREATE, PATH_A_FOO, PATH_ROOT}, {BOUNDED_CREATE, PATH_FOO, PATH_ROOT}},
         PATH_BIT(PATH_A)},
        {{{BOUNDED_MKDIR, PATH_A, PATH_ROOT}, {BOUNDED_CREATE, PATH_A_FOO, PATH_ROOT}}, 0},
        {{{BOUNDED_RENAME, PATH_FOO, PATH_B_FOO}, {BOUNDED_APPEND, PATH_B_FOO, PATH_ROOT}},
         PATH_BIT(PATH_FOO) | PATH_BIT(PATH_B)},
        /* B/foo was A/foo before its directory moved. */
        {{{BOUNDED_RENAME, PATH_A, PATH_B}, {BOUNDED_APPEND, PATH_B_FOO, PATH_ROOT}},
         PATH_BIT(PATH_A) | PATH_BIT(PATH_A_FOO)},
        /* The target of a link is made, unless the sequence makes it. */
        {{{BOUNDED_SYMLINK, PATH_A_FOO, PATH_BAR}, {BOUNDED_CHMOD, PATH_BAR, PATH_ROOT}},
         PATH_BIT(PATH_A) | PATH_BIT(PATH_A_FOO)},
        {{{BOUNDED_SYMLINK, PATH_FOO, PATH_BAR}, {BOUNDED_CREATE, PATH_FOO, PATH_ROOT}}, 0},
        {{{BOUNDED_SYMLINK, PATH_A_FOO, PATH_BAR}, {BOUNDED_MKDIR, PATH_A, PATH_ROOT}}, 0},
    };
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
        ck_assert_uint_eq(setup_of(rows[k].sequence, 2), rows[k].setup);
}
END_TEST

CHECK_MAIN("bounded", 120,
           tcase_add_test(tc, test_bounded__counts_of_length_1_are_the_published_ones);
           tcase_add_test(tc, test_bounded__counts_of_length_2_are_the_published_ones);
           tcase_add_test(tc, test_bounded__counts_of_length_3_are_the_published_ones);
           tcase_add_test(tc, test_bounded__the_index_counts_what_there_is);
           tcase_add_test(tc, test_bounded__the_symmetries_are_a_group_of_16);
           tcase_add_test(tc, test_bounded__an_image_can_be_run_where_the_sequence_can);
           tcase_add_test(tc, test_bounded__every_number_has_a_list_of_its_own_that_parses);
           tcase_add_test(tc, test_bounded__the_last_number_of_length_3_is_found);
           tcase_add_test(tc, test_bounded__the_set_up_is_what_is_needed_and_no_more);)
