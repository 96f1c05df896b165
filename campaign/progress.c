#include "campaign/progress.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "assertion.h"

#define NS_PER_S UINT64_C(1000000000)
#define BAR_EVERY_NS (NS_PER_S / 5)
#define JSON_EVERY_NS NS_PER_S
#define LINE_EVERY_NS (60 * NS_PER_S) /* where there is no terminal: a log is read later */
#define BAR_CELLS 20
#define LINE_BYTES 160

uint64_t progress_now_ns(void)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_MONOTONIC, &now);
    ASSERT(failed == 0);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void progress_begin(struct progress *p, enum run_progress mode, FILE *to, uint64_t total,
                    uint64_t done)
{
    ASSERT(p != NULL && to != NULL);
    ASSERT(done <= total);
    if (mode == PROGRESS_AUTO)
        mode = isatty(fileno(to)) == 1 ? PROGRESS_BAR : PROGRESS_LINES;
    *p = (struct progress){.mode = mode, .to = to, .total = total, .done = done, .before = done};
    p->begin_ns = p->shown_ns = progress_now_ns();
}

void progress_add(struct progress *p, const struct trial_record *record)
{
    ASSERT(record->level < LEVEL_COUNT);
    p->done++;
    if (!record->injected)
        return;
    p->level[record->level]++;
    if (record_kept(record) == 0) {
        p->broken++;
        p->broken_level[record->level]++;
    }
}

/* 1240 as "1,240". */
static void with_commas(uint64_t value, char *to, size_t room)
{
    char digits[32];
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, value);
    size_t at = 0;
    for (int k = 0; k < length && at + 2 < room; k++) {
        if (k > 0 && (length - k) % 3 == 0)
            to[at++] = ',';
        to[at++] = digits[k];
    }
    to[at] = '\0';
}

static double rate(const struct progress *p, uint64_t now_ns)
{
    double seconds = (double)(now_ns - p->begin_ns) / (double)NS_PER_S;
    return seconds > 0 ? (double)(p->done - p->before) / seconds : 0;
}

static void format_eta(const struct progress *p, uint64_t now_ns, char *to, size_t room)
{
    double speed = rate(p, now_ns);
    double left = speed > 0 ? (double)(p->total - p->done) / speed : -1;
    if (left < 0)
        (void)snprintf(to, room, "? left");
    else if (left < 90)
        (void)snprintf(to, room, "%.0f s left", left);
    else if (left < 5400)
        (void)snprintf(to, room, "%.0f min left", left / 60);
    else
        (void)snprintf(to, room, "%.1f h left", left / 3600);
}

/* "broken 3 (2 silent, 1 dead)"; the weakest levels last. */
static void format_broken(const struct progress *p, char *to, size_t room)
{
    size_t used = (size_t)snprintf(to, room, "broken %" PRIu64, p->broken);
    bool first = true;
    for (unsigned k = 0; k < LEVEL_COUNT; k++) {
        if (p->broken_level[k] == 0 || used >= room)
            continue;
        used += (size_t)snprintf(to + used, room - used, "%s%" PRIu64 " %s", first ? " (" : ", ",
                                 p->broken_level[k], level_name((enum level)k));
        first = false;
    }
    if (!first && used < room)
        (void)snprintf(to + used, room - used, ")");
}

void progress_format(const struct progress *p, uint64_t now_ns, char *to, size_t room)
{
    char done[32], total[32], eta[32], broken[96], bar[BAR_CELLS + 4] = "";
    unsigned percent = p->total == 0 ? 100 : (unsigned)(p->done * 100 / p->total);
    with_commas(p->done, done, sizeof(done));
    with_commas(p->total, total, sizeof(total));
    format_eta(p, now_ns, eta, sizeof(eta));
    format_broken(p, broken, sizeof(broken));
    if (p->mode == PROGRESS_BAR) {
        unsigned full = percent * BAR_CELLS / 100;
        bar[0] = '[';
        for (unsigned k = 0; k < BAR_CELLS; k++)
            bar[1 + k] = k < full ? '=' : k == full ? '>' : ' ';
        bar[BAR_CELLS + 1] = ']';
        bar[BAR_CELLS + 2] = ' ';
    }
    (void)snprintf(to, room, "%s/%s %s%s%u %%  %.0f/s  %s  %s", done, total, bar,
                   bar[0] == '\0' ? " " : "", percent, rate(p, now_ns), eta, broken);
}

static void show_json(struct progress *p, uint64_t now_ns)
{
    double speed = rate(p, now_ns);
    (void)fprintf(p->to,
                  "{\"done\":%" PRIu64 ",\"total\":%" PRIu64 ",\"rate\":%.1f,\"eta_s\":", p->done,
                  p->total, speed);
    if (speed > 0)
        (void)fprintf(p->to, "%.0f", (double)(p->total - p->done) / speed);
    else
        (void)fputs("null", p->to);
    (void)fprintf(p->to, ",\"broken\":%" PRIu64 ",\"levels\":{", p->broken);
    bool first = true;
    for (unsigned k = 0; k < LEVEL_COUNT; k++) {
        if (p->level[k] == 0)
            continue;
        (void)fprintf(p->to, "%s\"%s\":%" PRIu64, first ? "" : ",", level_name((enum level)k),
                      p->level[k]);
        first = false;
    }
    (void)fputs("}}\n", p->to);
    (void)fflush(p->to);
}

static void show_line(struct progress *p, uint64_t now_ns)
{
    char line[LINE_BYTES], clock[16] = "";
    time_t wall = time(NULL);
    struct tm local;
    if (localtime_r(&wall, &local) != NULL)
        (void)strftime(clock, sizeof(clock), "%H:%M:%S", &local);
    progress_format(p, now_ns, line, sizeof(line));
    (void)fprintf(p->to, "%s  %s\n", clock, line);
    (void)fflush(p->to);
}

static void show_bar(struct progress *p, uint64_t now_ns)
{
    char line[LINE_BYTES];
    progress_format(p, now_ns, line, sizeof(line));
    line[80] = '\0'; /* a live line must not wrap */
    uint32_t width = (uint32_t)strlen(line);
    (void)fprintf(p->to, "\r%s%*s", line, p->width > width ? (int)(p->width - width) : 0, "");
    (void)fflush(p->to);
    p->width = width;
}

static void show(struct progress *p, uint64_t now_ns)
{
    p->shown_ns = now_ns;
    if (p->mode == PROGRESS_BAR)
        show_bar(p, now_ns);
    else if (p->mode == PROGRESS_JSON)
        show_json(p, now_ns);
    else if (p->mode == PROGRESS_LINES)
        show_line(p, now_ns);
}

void progress_tick(struct progress *p)
{
    uint64_t now_ns = progress_now_ns();
    uint64_t every_ns = p->mode == PROGRESS_BAR    ? BAR_EVERY_NS
                        : p->mode == PROGRESS_JSON ? JSON_EVERY_NS
                                                   : LINE_EVERY_NS;
    if (now_ns - p->shown_ns >= every_ns)
        show(p, now_ns);
}

void progress_clear(struct progress *p)
{
    if (p->mode != PROGRESS_BAR || p->width == 0)
        return;
    (void)fprintf(p->to, "\r%*s\r", (int)p->width, "");
    p->width = 0;
}

void progress_end(struct progress *p)
{
    show(p, progress_now_ns());
    if (p->mode == PROGRESS_BAR)
        (void)fputc('\n', p->to);
    p->width = 0;
}
