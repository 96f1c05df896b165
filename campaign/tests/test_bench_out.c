/* bench: figures for programs read back, whatever is in them; the table has none of them. */
#include "campaign/bench_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scripts/check_main.h"

/* What two figures look like in this format; to be freed. */
static char *printed(enum bench_format format)
{
    char *text = NULL;
    size_t bytes = 0;
    struct bench_out out = {.to = open_memstream(&text, &bytes), .format = format};
    bench_begin(&out, "A \"fast\" processor", 2, 0.5);
    bench_text(&out, "for people\n");
    bench_figure(&out, &(struct bench_figure){"costs", "bank: a, b", "time", 1.5, "us", "<= 2"});
    bench_figure(&out, &(struct bench_figure){"rows", "", "share", NAN, NULL, NULL});
    bench_end(&out);
    fclose(out.to);
    return text;
}

static void prints(enum bench_format format, const char *wanted)
{
    char *text = printed(format);
    ck_assert_str_eq(text, wanted);
    free(text);
}

START_TEST(test_bench_out__csv_has_a_header_and_a_row_a_figure)
{
    prints(BENCH_CSV, BENCH_COLUMNS "\ncosts,\"bank: a, b\",time,1.5,us,<= 2\nrows,,share,,,\n");
}
END_TEST

START_TEST(test_bench_out__json_is_one_object_with_an_array)
{
    prints(BENCH_JSON,
           "{\"format\": \"loris-bench-1\", \"processor\": \"A \\\"fast\\\" processor\", "
           "\"cpus\": 2, \"load\": 0.5, \"cells\": [\n"
           "  {\"part\": \"costs\", \"of\": \"bank: a, b\", \"measure\": \"time\", "
           "\"value\": 1.5, \"unit\": \"us\", \"target\": \"<= 2\"},\n"
           "  {\"part\": \"rows\", \"of\": null, \"measure\": \"share\", \"value\": null, "
           "\"unit\": null, \"target\": null}\n]}\n");
}
END_TEST

START_TEST(test_bench_out__the_table_is_for_people)
{
    prints(BENCH_TABLE, "A \"fast\" processor, 2 CPUs, one of them used; load before: 0.5\n\n"
                        "for people\n");
    ck_assert_int_eq(bench_format_from_name("json"), BENCH_JSON);
    ck_assert_int_eq(bench_format_from_name("yaml"), -1);
}
END_TEST

CHECK_MAIN("bench_out", 30, tcase_add_test(tc, test_bench_out__csv_has_a_header_and_a_row_a_figure);
           tcase_add_test(tc, test_bench_out__json_is_one_object_with_an_array);
           tcase_add_test(tc, test_bench_out__the_table_is_for_people);)
