/*
 * Trials over calendar time in the report: how available each cell was, and how seldom it lost
 * something. Time without full service is the trials' own event `down`; a loss has its event, too.
 */
#include <math.h>

#include "results/report_private.h"
#include "results/rows.h"
#include "results/stats_survival.h"
#include "results/text.h"

#define YEAR_NS 31536000e9

static const char head[] =
    "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
    "aria-label=\"Calendar time by cell\"><table><thead><tr><th class=\"w\">fault</th><th "
    "class=\"w\">variant</th><th "
    "class=\"w\">workload</th><th>trials</th><th>years</th><th>available</th><th>losses</th>"
    "<th>mean years to a loss, 95 %</th></tr></thead><tbody>\n";

/* "3.4 [2.1, 6.2]", or what is sure where nothing was lost. at_risk: years until the losses. */
static void put_mean(FILE *page, uint64_t losses, double at_risk)
{
    struct interval rate = stats_rate_interval(losses, fmax(at_risk, 1e-9), 0.05);
    if (losses == 0)
        fprintf(page, "<td>at least %.3g</td>", 1 / rate.high);
    else
        fprintf(page, "<td>%.3g [%.3g, %.3g]</td>", at_risk / (double)losses, 1 / rate.high,
                1 / rate.low);
}

static void put_row(struct report *r, sqlite3_stmt *s)
{
    double years = sqlite3_column_double(s, 4) / YEAR_NS;
    double up = 1 - sqlite3_column_double(s, 5) / sqlite3_column_double(s, 4);
    uint64_t losses = (uint64_t)sqlite3_column_int64(s, 6);
    fputs("<tr>", r->page);
    for (int k = 0; k < 4; k++) {
        fputs("<td>", r->page);
        text_xml(r->page, rows_text(s, k));
        fputs("</td>", r->page);
    }
    fprintf(r->page, "<td>%.4g</td><td>%.4f %%</td><td>%llu</td>", years, 100 * up,
            (unsigned long long)losses); /* the digits that count are the last ones */
    put_mean(r->page, losses, sqlite3_column_double(s, 7) / YEAR_NS);
    fputs("</tr>\n", r->page);
}

void report_calendar(struct report *r)
{
    sqlite3_stmt *s = rows_query(
        r->db,
        "SELECT fault, variant, workload, count(*), sum(exposure_ns), sum(down), count(loss), "
        "sum(coalesce(loss, exposure_ns)) FROM (SELECT t.fault, t.variant, t.workload, "
        "t.exposure_ns, sum(CASE WHEN e.what = 'down' THEN e.detail ELSE 0 END) AS down, "
        "min(CASE WHEN e.what = 'loss' THEN e.time_ns END) AS loss, t.trial FROM trials t JOIN "
        "events e ON e.trial = t.trial AND e.layer = 'calendar' GROUP BY t.trial) "
        "GROUP BY fault, variant, workload ORDER BY min(trial)",
        r->error);
    bool any = false;
    while (rows_next(s, r->error)) {
        if (!any)
            fputs(head, r->page);
        any = true;
        put_row(r, s);
    }
    sqlite3_finalize(s);
    if (any)
        fputs(
            "</tbody></table></div>\n<p>Available: time in which all of the stack served, recovery "
            "and lost power taken off. A pool that answers with errors serves; what it lost stands "
            "beside.</p>\n",
            r->page);
}
