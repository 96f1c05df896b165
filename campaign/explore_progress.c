#include "campaign/explore_progress.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "assertion.h"
#include "campaign/progress.h"
#include "results/text.h"

#define NS_PER_S UINT64_C(1000000000)
#define LINE_BYTES 160
#define TERMINAL_COLUMNS 80

void explore_show_begin(struct explore_show *s, enum run_progress mode, FILE *to, uint64_t jobs)
{
    ASSERT(s != NULL && to != NULL);
    if (mode == PROGRESS_AUTO)
        mode = isatty(fileno(to)) == 1 ? PROGRESS_BAR : PROGRESS_LINES;
    *s = (struct explore_show){.mode = mode, .to = to, .jobs = jobs};
    s->begin_ns = s->shown_ns = progress_now_ns();
}

static double seconds_of(const struct explore_show *s, uint64_t now_ns)
{
    return (double)(now_ns - s->begin_ns) / (double)NS_PER_S;
}

/* Seconds left, by the share of parts that are done; below 0: nothing is known yet. */
static double eta_of(const struct explore_show *s, uint64_t now_ns)
{
    if (s->jobs_done == 0)
        return -1;
    return seconds_of(s, now_ns) * (double)(s->jobs - s->jobs_done) / (double)s->jobs_done;
}

static void format_line(const struct explore_show *s, uint64_t now_ns, char line[LINE_BYTES])
{
    char states[TEXT_SHORT_BYTES], boots[TEXT_SHORT_BYTES], eta[TEXT_SHORT_BYTES] = "?";
    double took = seconds_of(s, now_ns), left = eta_of(s, now_ns);
    if (left >= 0)
        (void)text_time(eta, left * (double)NS_PER_S);
    (void)snprintf(line, LINE_BYTES,
                   "%" PRIu64 "/%" PRIu64 "  %s states, %s boots  %.0f boots/s  %s left  broken "
                   "%" PRIu64,
                   s->jobs_done, s->jobs, text_count(states, s->states),
                   text_count(boots, s->boots), took > 0 ? (double)s->boots / took : 0, eta,
                   s->broken);
}

static void show_json(const struct explore_show *s, uint64_t now_ns)
{
    double took = seconds_of(s, now_ns), left = eta_of(s, now_ns);
    (void)fprintf(s->to,
                  "{\"done\":%" PRIu64 ",\"total\":%" PRIu64 ",\"states\":%" PRIu64
                  ",\"boots\":%" PRIu64 ",\"rate\":%.1f,\"eta_s\":",
                  s->jobs_done, s->jobs, s->states, s->boots,
                  took > 0 ? (double)s->boots / took : 0);
    if (left >= 0)
        (void)fprintf(s->to, "%.0f", left);
    else
        (void)fputs("null", s->to);
    (void)fprintf(s->to, ",\"broken\":%" PRIu64 "}\n", s->broken);
    (void)fflush(s->to);
}

static void show(struct explore_show *s, uint64_t now_ns)
{
    char line[LINE_BYTES];
    s->shown_ns = now_ns;
    if (s->mode == PROGRESS_OFF)
        return;
    if (s->mode == PROGRESS_JSON) {
        show_json(s, now_ns);
        return;
    }
    format_line(s, now_ns, line);
    if (s->mode == PROGRESS_LINES) {
        (void)fprintf(s->to, "%s\n", line);
        (void)fflush(s->to);
        return;
    }
    line[TERMINAL_COLUMNS] = '\0'; /* a live line must not wrap */
    uint32_t width = (uint32_t)strlen(line);
    (void)fprintf(s->to, "\r%s%*s", line, s->width > width ? (int)(s->width - width) : 0, "");
    (void)fflush(s->to);
    s->width = width;
}

void explore_show_tick(struct explore_show *s)
{
    uint64_t now_ns = progress_now_ns();
    uint64_t every_ns = s->mode == PROGRESS_BAR    ? NS_PER_S / 5
                        : s->mode == PROGRESS_JSON ? NS_PER_S
                                                   : 60 * NS_PER_S;
    if (now_ns - s->shown_ns >= every_ns)
        show(s, now_ns);
}

void explore_show_clear(struct explore_show *s)
{
    if (s->mode != PROGRESS_BAR || s->width == 0)
        return;
    (void)fprintf(s->to, "\r%*s\r", (int)s->width, "");
    s->width = 0;
}

void explore_show_end(struct explore_show *s)
{
    show(s, progress_now_ns());
    if (s->mode == PROGRESS_BAR)
        (void)fputc('\n', s->to);
    s->width = 0;
}
