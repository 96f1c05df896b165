/* report: one page that needs nothing else, whose numbers are the file's, and whose names are
 * texts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probes.h"
#include "results/report.h"
#include "results/tests/rig.h"
#include "scripts/check_main.h"

static struct rig rig;
static struct trial_record r;
static char page[4000000];
static char *out, *err;
static size_t out_bytes, err_bytes;

/* bad: broken trials of the first cell; the second has 12 struck trials. */
static void build(uint64_t n, uint64_t bad)
{
    rig_open(&rig, 0, STORE_NEW);
    for (uint64_t i = 0; i < n; i++)
        for (uint32_t cell = 0; cell < 2; cell++) {
            rig_record(&rig, &r, cell, i, cell == 0 && i < bad ? LEVEL_SILENT : LEVEL_DURABLE);
            r.injected = cell == 0 || i < 12;
            r.undecided = cell == 1 && i == 7;
            rig_put(&rig, &r);
        }
    ck_assert_int_eq(store_finish(rig.store), OK);
    rig_close(&rig);
}

static int report(void)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/page.html", rig.dir);
    struct report_options options = {.path = rig.path[0], .out_path = path};
    free(out);
    free(err);
    FILE *o = open_memstream(&out, &out_bytes), *e = open_memstream(&err, &err_bytes);
    int code = report_run(&options, o, e);
    fclose(o);
    fclose(e);
    FILE *f = fopen(path, "r");
    page[f != NULL ? fread(page, 1, sizeof(page) - 1, f) : 0] = 0;
    if (f != NULL)
        fclose(f);
    return code;
}

START_TEST(test_report__answers_from_the_numbers)
{
    rig_init(&rig, 1, 2, 200);
    rig.cell[1].fault = "double";
    build(200, 3);
    ck_assert_msg(report() == 0, "%s", err);
    rig_has(page, "<h1>Does it hold?</h1>");
    rig_has(
        page,
        "<strong>Not entirely.</strong> <code>loris</code> broke a promise in 3 of 212 injected "
        "trials (1.4 %, at most 4.1 %): <a href=\"#broken\">3 in mail/power</a>.");
    rig_has(page,
            "It kept every promise in 12 trials of 1 other cell, so there it breaks fewer than "
            "26.5 % in each (95 %).");
    rig_has(page, "Broken promises (3; one of each kind)");
    rig_has(page, " --verbose</pre>");
    rig_has(page, "thin: every fault struck in 12 of 200 trials of loris/mail/double");
    rig_has(page, "In 1 trial the oracle gave up its search");
    rig_has(page, "undecided: the oracle gave up in 1 of 200 trials of loris/mail/double");
    rig_has(page, " 16 --verbose</code>"); /* trial 7 * 2 + 1 + 1 */
    rig_has(page, "campaign: rig\n</pre>");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_report__says_yes_no_and_nothing)
{
    rig_init(&rig, 1, 2, 60);
    build(60, 0);
    ck_assert_int_eq(report(), 0);
    rig_has(page, "<strong>Yes, as far as 72 trials can tell.</strong>");
    rig_has(page, "<p>None.</p>");
    rig_fini(&rig);
    rig_init(&rig, 1, 2, 60);
    build(60, 40);
    ck_assert_int_eq(report(), 0);
    rig_has(page, "<strong>No.</strong>");
    rig_fini(&rig);
    rig_init(&rig, 1, 2, 60);
    rig_open(&rig, 0, STORE_NEW);
    rig_close(&rig);
    ck_assert_int_eq(report(), 0);
    rig_has(page, "There are no trials yet.");
    rig_has(page, "It has not finished");
    rig_fini(&rig);
}
END_TEST

/* 20 machine-years, a hundredth of each without service; 5 of them lose something in the middle:
 * 5 losses in 17.5 years, whose exact Poisson interval of 5 events is 1.623 to 11.668. */
START_TEST(test_report__adds_up_calendar_time)
{
    rig_init(&rig, 1, 1, 20);
    rig.parameter[2] = (struct store_parameter){"fault", "power", "0.over", "1year", 3.1536e16};
    rig_open(&rig, 0, STORE_NEW);
    for (uint64_t i = 0; i < 20; i++) {
        rig_record(&rig, &r, 0, i, LEVEL_DURABLE);
        r.exposure_ns = UINT64_C(31536000000000000);
        record_add_event(&r, r.exposure_ns, "calendar", "down", "315360000000000");
        r.synced_lost = i < 5 ? 8 : 0;
        if (i < 5)
            record_add_event(&r, r.exposure_ns / 2, "calendar", "loss", "silent");
        rig_put(&rig, &r);
    }
    rig_close(&rig);
    ck_assert_msg(report() == 0, "%s", err);
    rig_has(page, "What did a year cost?");
    rig_has(page,
            "<td>20</td><td>99.0 % [99.0, 99.0]</td><td class=\"bad\">5</td><td>3.5 [1.5, 10.8]"
            "</td><td>2 [0.4, 3.6]</td>"); /* by resampling 20 trials, of which 5 lost 8 */
    rig_has(page,
            "In 20 simulated years it was available for 99.0 % [99.0, 99.0] of the time and lost "
            "something in 5 of 20 trials, 2 [0.4, 3.6] synced operations a year.");
    rig_has(page, "id=\"survival-");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_report__needs_nothing_from_elsewhere)
{
    rig_init(&rig, 1, 2, 60);
    build(60, 3);
    ck_assert_int_eq(report(), 0);
    ck_assert_ptr_null(strstr(page, "<script"));
    ck_assert_ptr_null(strstr(page, "src="));
    for (const char *p = page; (p = strstr(p, "http")) != NULL; p++)
        ck_assert_msg(strncmp(p, "http://www.w3.org/", 18) == 0, "%.60s", p); /* names, not links */
    rig_has(page, "<svg role=\"img\" aria-label=\"Of 2 faults, loris");
    rig_has(page, "id='success-gpPt0'");
    rig_has(page, "id='levels-gpPt0'");
    rig_fini(&rig);
}
END_TEST

/* Cells without a trial are told by reason, three names of each. */
START_TEST(test_report__tells_what_was_not_run)
{
    rig_init(&rig, 2, 5, 3);
    for (uint32_t c = 5; c < 10; c++)
        rig.cell[c].skipped = "ffs has no layer <cache>";
    rig_open(&rig, 0, STORE_NEW);
    rig_record(&rig, &r, 0, 0, LEVEL_DURABLE);
    rig_put(&rig, &r);
    rig_close(&rig);
    ck_assert_msg(report() == 0, "%s", err);
    rig_has(page, "<li>not run: loris/mail/");
    rig_has(page, " and 1 more</li>");
    rig_has(page, "<li>skipped, since ffs has no layer &lt;cache&gt;: ffs/mail/");
    rig_has(page, " and 2 more</li>");
    rig_fini(&rig);
}
END_TEST

/* Of the stack's own code: five steps of fsck were not met, and nothing is said of other stacks. */
START_TEST(test_report__tells_what_code_was_never_reached)
{
    rig_init(&rig, 1, 1, 40);
    rig.parameter[2] = (struct store_parameter){"variant", "loris", "stack", "ffs", 0};
    rig_open(&rig, 0, STORE_NEW);
    for (uint64_t i = 0; i < 40; i++) {
        rig_record(&rig, &r, 0, i, LEVEL_DURABLE);
        for (unsigned p = 0; p < PROBE_COUNT; p++)
            if (p < PROBE_FSCK_1 || p > PROBE_FSCK_5)
                r.probes[p / 64] |= UINT64_C(1) << (p % 64);
        rig_put(&rig, &r);
    }
    rig_close(&rig);
    ck_assert_msg(report() == 0, "%s", err);
    rig_has(page, "were never reached: <code>fsck-1</code>, <code>fsck-2</code>, "
                  "<code>fsck-3</code>, <code>fsck-4</code>, <code>fsck-5</code>; ");
    ck_assert_int_eq(rig_query(&rig, 0, "SELECT sum(n) FROM bin WHERE kind = 4 AND bin = 0"), 40);
    /* Of an exploration the file has only what broke. */
    struct store_explored point = {.point = "0.00001 write 1", .states = 1, .weakest = LEVEL_NONE};
    rig_open(&rig, 0, STORE_RESUME);
    ck_assert_int_eq(store_put_explored(rig.store, &point), OK);
    rig_close(&rig);
    ck_assert_msg(report() == 0, "%s", err);
    ck_assert_ptr_null(strstr(page, "were never reached"));
    rig_fini(&rig);
}
END_TEST

/* Each section that a link names is there once; a phone has pictures of its own. */
START_TEST(test_report__links_lead_to_sections)
{
    rig_init(&rig, 1, 2, 60);
    build(60, 3);
    ck_assert_int_eq(report(), 0);
    unsigned links = 0;
    const char *nav = strstr(page, "<nav");
    ck_assert_ptr_nonnull(nav);
    for (const char *p = nav; p != NULL && p < strstr(page, "</nav>"); links++) {
        char id[64], anchor[80];
        ck_assert_int_eq(sscanf(p = strstr(p, "href=\"#") + 7, "%60[a-z]", id), 1);
        snprintf(anchor, sizeof(anchor), "<h2 id=\"%s\">", id);
        const char *first = strstr(page, anchor);
        ck_assert_msg(first != NULL && strstr(first + 1, anchor) == NULL, "%s", anchor);
        p = strstr(p, "</a>") + 4;
        if (strncmp(p, "</nav>", 6) == 0)
            break;
    }
    ck_assert_uint_ge(links, 8);
    rig_has(page, "<figure class=\"wide\">");
    rig_has(page, "<figure class=\"narrow\">");
    rig_has(page, "id='success-narrow-gpPt0'");
    rig_fini(&rig);
}
END_TEST

START_TEST(test_report__names_are_texts)
{
    rig_init(&rig, 1, 2, 40);
    rig.cell[0].fault = "<img src=x>&\"'";
    build(40, 3);
    ck_assert_int_eq(report(), 0);
    rig_has(page, "&lt;img src=x&gt;&amp;&quot;'");
    ck_assert_ptr_null(strstr(page, "<img"));
    rig_fini(&rig);
}
END_TEST

START_TEST(test_report__wrong_input_leaves_no_page)
{
    rig_init(&rig, 1, 1, 1);
    ck_assert_int_eq(report(), 2);
    rig_has(err, "a.db:1:1: No such file");
    ck_assert_uint_eq(strlen(page), 0);
    rig_fini(&rig);
}
END_TEST

CHECK_MAIN("report", 120, tcase_add_test(tc, test_report__answers_from_the_numbers);
           tcase_add_test(tc, test_report__says_yes_no_and_nothing);
           tcase_add_test(tc, test_report__adds_up_calendar_time);
           tcase_add_test(tc, test_report__needs_nothing_from_elsewhere);
           tcase_add_test(tc, test_report__names_are_texts);
           tcase_add_test(tc, test_report__tells_what_code_was_never_reached);
           tcase_add_test(tc, test_report__tells_what_was_not_run);
           tcase_add_test(tc, test_report__links_lead_to_sections);
           tcase_add_test(tc, test_report__wrong_input_leaves_no_page);)
