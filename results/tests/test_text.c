/* Texts: what people read is short and never says 100 % or 0 of what is not; escapes are whole. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "results/text.h"
#include "scripts/check_main.h"

static char room[TEXT_SHORT_BYTES];

/* What a function prints of a text. */
static const char *printed(void (*print)(FILE *, const char *), const char *text)
{
    static char *out;
    size_t bytes;
    free(out);
    FILE *f = open_memstream(&out, &bytes);
    print(f, text);
    fclose(f);
    return out;
}

START_TEST(test_text__times_have_a_unit_that_fits)
{
    ck_assert_str_eq(text_time(room, 0), "0");
    ck_assert_str_eq(text_time(room, 12), "12 ns");
    ck_assert_str_eq(text_time(room, 1900), "1.9 us");
    ck_assert_str_eq(text_time(room, 412e6), "412 ms");
    ck_assert_str_eq(text_time(room, 999.6e6), "1.0 s");
    ck_assert_str_eq(text_time(room, 1.9e9), "1.9 s");
    ck_assert_str_eq(text_time(room, 186e9), "3.1 min");
    ck_assert_str_eq(text_time(room, 3 * 86400e9), "3.0 d");
    ck_assert_str_eq(text_time(room, INFINITY), "-");
    ck_assert_str_eq(text_time(room, NAN), "-");
}
END_TEST

START_TEST(test_text__shares_are_whole_only_if_they_are)
{
    ck_assert_str_eq(text_percent(room, 1), "100 %");
    ck_assert_str_eq(text_percent(room, 0), "0 %");
    ck_assert_str_eq(text_percent(room, .995), "99.5 %");
    ck_assert_str_eq(text_percent(room, .99991), "99.99 %");
    ck_assert_str_eq(text_percent(room, .99999), "99.999 %");
    ck_assert_str_eq(text_percent(room, .00001), "0.001 %");
    ck_assert_str_eq(text_percent(room, NAN), "-");
}
END_TEST

START_TEST(test_text__counts_have_commas)
{
    ck_assert_str_eq(text_count(room, 0), "0");
    ck_assert_str_eq(text_count(room, 999), "999");
    ck_assert_str_eq(text_count(room, 1240), "1,240");
    ck_assert_str_eq(text_count(room, UINT64_MAX), "18,446,744,073,709,551,615");
}
END_TEST

START_TEST(test_text__escapes)
{
    ck_assert_str_eq(printed(text_json, "a\"\\\n\x01\xc3\xa9"),
                     "\"a\\\"\\\\\\u000a\\u0001\xc3\xa9\"");
    ck_assert_str_eq(printed(text_json, "\xff\xc3"), "\"\\ufffd\\ufffd\""); /* no UTF-8 */
    ck_assert_str_eq(printed(text_json, "\xed\xa0\x80"),
                     "\"\\ufffd\\ufffd\\ufffd\""); /* surrogate */
    ck_assert_str_eq(printed(text_json, NULL), "null");
    ck_assert_str_eq(printed(text_xml, "<a b=\"c\">&\x02"), "&lt;a b=&quot;c&quot;&gt;&amp;?");
    ck_assert_str_eq(printed(text_csv, "plain"), "plain");
    ck_assert_str_eq(printed(text_csv, "a,\"b\""), "\"a,\"\"b\"\"\"");
    ck_assert_str_eq(printed(text_markdown, "a|b\nc"), "a\\|b c");
}
END_TEST

START_TEST(test_text__the_nearest_name_is_near)
{
    static const char *const names[] = {"level", "broken", "wrong", "outage"};
    ck_assert_str_eq(text_nearest("levle", names, 4), "level");
    ck_assert_str_eq(text_nearest("outages", names, 4), "outage");
    ck_assert_ptr_null(text_nearest("something", names, 4));
}
END_TEST

START_TEST(test_text__stem)
{
    char stem[8];
    text_stem("a/b/demo.db", stem, sizeof(stem));
    ck_assert_str_eq(stem, "demo");
    text_stem("demo", stem, sizeof(stem));
    ck_assert_str_eq(stem, "demo");
    text_stem("a/.db", stem, sizeof(stem)); /* a name, not an ending */
    ck_assert_str_eq(stem, ".db");
    text_stem("a-long-name.db", stem, sizeof(stem));
    ck_assert_str_eq(stem, "a-long-");
}
END_TEST

CHECK_MAIN("text", 60, tcase_add_test(tc, test_text__stem);
           tcase_add_test(tc, test_text__times_have_a_unit_that_fits);
           tcase_add_test(tc, test_text__shares_are_whole_only_if_they_are);
           tcase_add_test(tc, test_text__counts_have_commas);
           tcase_add_test(tc, test_text__escapes);
           tcase_add_test(tc, test_text__the_nearest_name_is_near);)
