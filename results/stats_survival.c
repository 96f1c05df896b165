#include "results/stats_survival.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

#include "assertion.h"

static int by_time(const void *a, const void *b)
{
    const struct survival_time *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return (int)x->censored - (int)y->censored;
}

void stats_survival_sort(struct survival_time *times, size_t count)
{
    if (count > 0)
        qsort(times, count, sizeof(times[0]), by_time);
}

/* exp(-exp(log(-log S) +- z se / (S |log S|))): stays within [0, 1]. */
static struct interval log_log(double survival, double se, double z)
{
    if (survival <= 0 || survival >= 1)
        return (struct interval){0, 1};
    double middle = log(-log(survival)), width = z * se / (survival * -log(survival));
    return (struct interval){exp(-exp(middle + width)), exp(-exp(middle - width))};
}

size_t stats_survival(const struct survival_time *times, size_t count, double alpha,
                      struct survival_step *steps)
{
    double survival = 1, sum = 0, z = stats_z(alpha);
    size_t made = 0;
    for (size_t i = 0; i < count;) {
        size_t events = 0, first = i;
        ASSERT(i == 0 || times[i].time >= times[i - 1].time);
        for (; i < count && times[i].time == times[first].time; i++)
            events += !times[i].censored;
        if (events == 0)
            continue;
        double n = (double)(count - first), d = (double)events;
        survival *= 1 - d / n;
        sum += n > d ? d / (n * (n - d)) : 0;
        double se = survival * sqrt(sum);
        steps[made++] = (struct survival_step){.time = times[first].time,
                                               .at_risk = count - first,
                                               .events = events,
                                               .survival = survival,
                                               .se = se,
                                               .interval = log_log(survival, se, z)};
    }
    return made;
}

uint64_t stats_survival_at_risk(const struct survival_time *times, size_t count, double time)
{
    uint64_t at_risk = 0;
    for (size_t i = 0; i < count; i++)
        at_risk += times[i].time >= time;
    return at_risk;
}

struct interval stats_rate_interval(uint64_t events, double time, double alpha)
{
    double k = (double)events;
    ASSERT(time > 0);
    return (struct interval){
        events == 0 ? 0 : gsl_cdf_gamma_Pinv(alpha / 2, k, 1) / time,
        gsl_cdf_gamma_Pinv(1 - alpha / 2, k + 1, 1) / time,
    };
}

/* Events of a sample at exactly `time`. */
static uint64_t events_at(const struct survival_time *times, size_t count, double time)
{
    uint64_t events = 0;
    for (size_t i = 0; i < count; i++)
        events += times[i].time == time && !times[i].censored;
    return events;
}

static void add_time(struct log_rank *r, double n1, double n2, double d1, double d2)
{
    double n = n1 + n2, d = d1 + d2;
    r->observed += d1;
    r->expected += d * n1 / n;
    if (n > 1)
        r->variance += d * (n1 / n) * (n2 / n) * (n - d) / (n - 1);
}

struct log_rank stats_log_rank(const struct survival_time *a, size_t a_count,
                               const struct survival_time *b, size_t b_count)
{
    struct log_rank r = {.p = 1};
    const struct survival_time *const sample[2] = {a, b};
    const size_t size[2] = {a_count, b_count};
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; i < size[s]; i++) {
            double time = sample[s][i].time;
            bool first = i == 0 || sample[s][i - 1].time != time;
            uint64_t own = events_at(sample[s], size[s], time);
            uint64_t other = events_at(sample[1 - s], size[1 - s], time);
            if (!first || own == 0 || (s == 1 && other > 0))
                continue; /* each time once */
            uint64_t d1 = s == 0 ? own : other, d2 = s == 0 ? other : own;
            add_time(&r, (double)stats_survival_at_risk(a, a_count, time),
                     (double)stats_survival_at_risk(b, b_count, time), (double)d1, (double)d2);
        }
    double off = r.observed - r.expected;
    r.chi2 = r.variance > 0 ? off * off / r.variance : 0;
    r.p = r.variance > 0 ? gsl_cdf_chisq_Q(r.chi2, 1) : 1;
    return r;
}
