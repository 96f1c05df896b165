/*
 * Trials over calendar time in the report: how available each cell was, how seldom it lost
 * something, and how much (years.h).
 */
#include <inttypes.h>
#include <math.h>

#include "results/report_private.h"
#include "results/text.h"
#include "results/years.h"

static const char head[] =
    "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
    "aria-label=\"Calendar time by cell\"><table><thead><tr><th class=\"w\">fault</th><th "
    "class=\"w\">variant</th><th class=\"w\">workload</th><th>years</th><th>available "
    "[95&nbsp;%]</th><th>losses</th><th>mean years to a loss [95&nbsp;%]</th><th>synced operations "
    "lost a year [95&nbsp;%]</th></tr></thead><tbody>\n";

static void put_row(FILE *page, const struct group *g, const struct years *y)
{
    static const int order[] = {2, 0, 1};
    struct years_texts t;
    years_texts(y, &t);
    fputs("<tr>", page);
    for (int k = 0; k < 3; k++) {
        fputs(k == 0 ? "<th scope=\"row\" class=\"w\">" : "<td class=\"w\">", page);
        text_xml(page, g->by[order[k]]);
        fputs(k == 0 ? "</th>" : "</td>", page);
    }
    fprintf(page, "<td>%.4g</td><td>%s</td><td%s>%" PRIu64 "</td><td>%s</td><td>%s</td></tr>\n",
            y->years, t.available, y->losses > 0 ? " class=\"bad\"" : "", y->losses, t.loss_years,
            t.lost);
}

bool report_has_calendar(const struct report *r)
{
    for (size_t i = 0; i < r->cells.count; i++)
        if (r->cells.group[i].calendar.count > 0)
            return true;
    return false;
}

void report_calendar(struct report *r)
{
    bool any = false;
    for (size_t i = 0; i < r->cells.count; i++) {
        struct years y;
        if (!years_of(&r->cells.group[i], &y))
            continue;
        if (!any)
            fputs(head, r->page);
        any = true;
        put_row(r->page, &r->cells.group[i], &y);
    }
    if (any)
        fputs(
            "</tbody></table></div>\n<p>Available: time in which all of the stack served, recovery "
            "and lost power taken off. A pool that answers with errors serves; what it lost stands "
            "beside. Intervals of both by resampling trials, none where fewer than 5 have a value "
            "above 0; of years to a loss exact, if its rate is constant.</p>\n",
            r->page);
}

void report_calendar_answer(struct report *r, const struct group *subject)
{
    struct years y;
    struct years_texts t;
    char a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES];
    if (!years_of(subject, &y))
        return;
    years_texts(&y, &t);
    fprintf(r->page, "In %.4g simulated years it was available for %s of the time and lost ",
            y.years, t.available);
    if (y.losses == 0)
        fprintf(r->page, "nothing that was synced: once in %.3g years at most (95 %%). ",
                y.loss_interval.low);
    else
        fprintf(r->page, "something in %s of %s trials, %s synced operations a year. ",
                text_count(a, y.losses), text_count(b, subject->calendar.count), t.lost);
}
