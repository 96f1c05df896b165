#include "campaign/bench_out.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "assertion.h"
#include "results/text.h"

int bench_format_from_name(const char *name)
{
    static const char *const names[] = {"table", "csv", "json"};
    for (int k = 0; k < 3; k++)
        if (strcmp(names[k], name) == 0)
            return k;
    return -1;
}

void bench_begin(struct bench_out *out, const char *processor, long cpus, double load)
{
    ASSERT(!out->any);
    bench_text(out, "%s, %ld CPUs, one of them used; load before: %.1f\n\n", processor, cpus, load);
    if (out->format == BENCH_CSV)
        (void)fputs(BENCH_COLUMNS "\n", out->to);
    if (out->format == BENCH_JSON) {
        (void)fputs("{\"format\": \"loris-bench-1\", \"processor\": ", out->to);
        text_json(out->to, processor);
        (void)fprintf(out->to, ", \"cpus\": %ld, \"load\": ", cpus);
        text_json_number(out->to, load);
        (void)fputs(", \"cells\": [", out->to);
    }
    (void)fflush(out->to);
}

void bench_text(const struct bench_out *out, const char *format, ...)
{
    if (out->format != BENCH_TABLE)
        return;
    va_list args;
    va_start(args, format);
    (void)vfprintf(out->to, format, args);
    va_end(args);
    (void)fflush(out->to);
}

static const char *said(const char *text)
{
    return text == NULL || text[0] == '\0' ? NULL : text;
}

void bench_figure(struct bench_out *out, const struct bench_figure *f)
{
    static const char *const keys[] = {"part", "of", "measure", "value", "unit", "target"};
    const char *const texts[] = {f->part, f->of, f->measure, NULL, f->unit, f->target};
    if (out->format == BENCH_TABLE)
        return;
    bool json = out->format == BENCH_JSON;
    if (json)
        (void)fputs(out->any ? ",\n  {" : "\n  {", out->to);
    out->any = true;
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        if (k > 0)
            (void)fputs(json ? ", " : ",", out->to);
        if (json)
            (void)fprintf(out->to, "\"%s\": ", keys[k]);
        if (k == 3 && (json || isfinite(f->value)))
            text_json_number(out->to, f->value);
        else if (k != 3)
            (json ? text_json : text_csv)(out->to, said(texts[k]));
    }
    (void)fputs(json ? "}" : "\n", out->to);
    (void)fflush(out->to);
}

void bench_end(const struct bench_out *out)
{
    if (out->format == BENCH_JSON)
        (void)fputs("\n]}\n", out->to);
    (void)fflush(out->to);
}
