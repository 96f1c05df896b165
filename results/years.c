#include "results/years.h"

#include <math.h>
#include <string.h>

#include "assertion.h"
#include "results/stats_survival.h"
#include "results/text.h"

#define YEAR_NS 31536000e9
#define ALPHA 0.05
#define DIGITS_MAX 7 /* of a share in %: 3 ms a year */
#define SEEN_MIN 5   /* values that are not 0, below which resampling knows too little of them */

static double sum_of(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum;
}

/* Of sum(top) / sum(bottom), if enough of the tops say something. */
static struct interval ratio_interval(const double *top, const double *bottom, size_t count)
{
    size_t seen = 0;
    for (size_t i = 0; i < count; i++)
        seen += top[i] > 0;
    if (seen < SEEN_MIN)
        return (struct interval){NAN, NAN};
    return stats_ratio_interval(top, bottom, count, ALPHA);
}

bool years_of(const struct group *group, struct years *y)
{
    const struct group_calendar *c = &group->calendar;
    *y = (struct years){.available = NAN, .loss_years = NAN, .lost = NAN};
    y->available_interval = y->loss_interval = y->lost_interval = (struct interval){NAN, NAN};
    if (c->count == 0)
        return false;
    double exposure_ns = sum_of(c->exposure_ns, c->count);
    ASSERT(exposure_ns > 0);
    y->years = exposure_ns / YEAR_NS;
    y->available = 1 - sum_of(c->down_ns, c->count) / exposure_ns;
    struct interval down = ratio_interval(c->down_ns, c->exposure_ns, c->count);
    y->available_interval = (struct interval){1 - down.high, 1 - down.low};
    double at_risk = fmax(c->at_risk_ns / YEAR_NS, 1e-9);
    struct interval rate = stats_rate_interval(c->losses, at_risk, ALPHA);
    y->losses = c->losses;
    y->loss_years = c->losses > 0 ? at_risk / (double)c->losses : INFINITY;
    y->loss_interval = (struct interval){1 / rate.high, c->losses > 0 ? 1 / rate.low : INFINITY};
    y->lost = sum_of(c->lost, c->count) / y->years;
    struct interval lost = ratio_interval(c->lost, c->exposure_ns, c->count);
    y->lost_interval = (struct interval){lost.low * YEAR_NS, lost.high * YEAR_NS};
    return true;
}

const char *years_percent(char *room, double share)
{
    double missing = 100 * fmax(1 - share, 0);
    int digits = missing > 0 ? 1 - (int)floor(log10(missing)) : 0;
    if (!isfinite(share))
        snprintf(room, TEXT_SHORT_BYTES, "-");
    else if (digits > DIGITS_MAX)
        snprintf(room, TEXT_SHORT_BYTES, ">99.99999 %%");
    else
        snprintf(room, TEXT_SHORT_BYTES, "%.*f %%", digits < 0 ? 0 : digits, 100 * share);
    return room;
}

/* Without the unit, which stands once. */
static const char *bare(char *room, double share)
{
    (void)years_percent(room, share);
    room[strcspn(room, " ")] = 0;
    return room;
}

void years_texts(const struct years *y, struct years_texts *t)
{
    char a[TEXT_SHORT_BYTES], b[TEXT_SHORT_BYTES], c[TEXT_SHORT_BYTES];
    if (isnan(y->available_interval.low))
        snprintf(t->available, sizeof(t->available), "%s", years_percent(a, y->available));
    else
        snprintf(t->available, sizeof(t->available), "%s [%s, %s]", years_percent(a, y->available),
                 bare(b, y->available_interval.low), bare(c, y->available_interval.high));
    if (y->losses == 0)
        snprintf(t->loss_years, sizeof(t->loss_years), "at least %.3g", y->loss_interval.low);
    else
        snprintf(t->loss_years, sizeof(t->loss_years), "%.3g [%.3g, %.3g]", y->loss_years,
                 y->loss_interval.low, y->loss_interval.high);
    if (isnan(y->lost_interval.low))
        snprintf(t->lost, sizeof(t->lost), "%.3g", y->lost);
    else
        snprintf(t->lost, sizeof(t->lost), "%.3g [%.3g, %.3g]", y->lost, y->lost_interval.low,
                 y->lost_interval.high);
}
