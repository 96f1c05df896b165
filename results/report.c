/* The page of a report, and the pictures in it. */
#include "results/report_private.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assertion.h"
#include "results/plot.h"
#include "results/rows.h"
#include "results/text.h"

/* Pictures of one kind that stand in the page; 1 MB is the budget of all. */
#define PICTURES_MAX 4
#define NARROW_PICTURES_MAX 10 /* they show less each */
/* The lines of title and caption, in a picture without them; a narrow `success` has its key there.
 */
#define UNTITLED_PX 42
#define UNTITLED_KEY_PX 24

/* No script, no web font, nothing from elsewhere; colours as properties for light, dark and print.
 */
static const char style[] =
    ":root{--ink:#222;--soft:#555;--paper:#fff;--line:#d8d8d8;--panel:#f5f6f8;--link:#0b4a86;"
    "--good:#1b7a43;--bad:#b00d2b;--code:#f0f1f3}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--soft:#b4b4b4;--paper:#191a1c;"
    "--line:#3a3c40;--panel:#222428;--link:#8cc0f2;--good:#6cce95;--bad:#ff8095;--code:#26282c}}\n"
    "@media screen and (prefers-color-scheme:dark){.paper svg{filter:invert(.9) "
    "hue-rotate(180deg)}}\n"
    "*{box-sizing:border-box}body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:60rem;"
    "background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}\n"
    "p,ul,dl,h1,h2,.answer{max-width:46rem}h1{font-size:1.7rem;line-height:1.25;margin:.3rem 0 "
    "1rem}h2{font-size:1.25rem;margin:2.5rem 0 .8rem}a{color:var(--link)}\n"
    ".meta,figcaption,dt,.note{color:var(--soft);font-size:.9rem}nav{display:flex;flex-wrap:wrap;"
    "gap:.3rem 1rem;font-size:.95rem}\n"
    ".answer{border-left:.4rem solid var(--bad);background:var(--panel);padding:.8rem 1rem}"
    ".answer.good{border-color:var(--good)}.bad{color:var(--bad);font-weight:600}"
    "p.answer.bad{color:inherit;font-weight:400}\n"
    "figure{margin:1rem 0;break-inside:avoid}.paper{overflow-x:auto}.paper svg{width:100%;"
    "min-width:38rem;height:auto}.narrow{display:none}.narrow svg{min-width:0}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;"
    "font-size:.84rem}th,td{padding:.25rem .36rem;text-align:right;border-bottom:1px solid "
    "var(--line);white-space:nowrap}thead th{white-space:normal;vertical-align:bottom;"
    "line-height:1.2}.w{text-align:left}tbody th{font-weight:600;position:sticky;left:0;"
    "background:var(--paper)}tr{break-inside:avoid}\n"
    ".case{border:1px solid var(--line);border-radius:.3rem;padding:.2rem .9rem;margin:.8rem 0;"
    "break-inside:avoid}pre{background:var(--code);padding:.5rem .7rem;overflow-x:auto;"
    "font-size:.85rem}dt{float:left;clear:left;width:6rem}dd{margin:0 0 .2rem 6.5rem;"
    "overflow-wrap:anywhere}\n"
    "@media screen and (max-width:36rem){.narrow{display:block}.wide{display:none}}\n"
    "@media print{:root{--ink:#000;--soft:#444;--paper:#fff;--panel:#fff;--line:#bbb;--code:#fff;"
    "--bad:#b00d2b;--good:#1b7a43;--link:#000}body{padding:0}nav{display:none}h2{break-after:avoid}"
    ".paper svg{min-width:0;max-height:19cm}.paper,.scroll{overflow:visible}table{font-size:8pt}"
    "th,td{padding:.15rem .35rem}pre{white-space:pre-wrap}"
    "::details-content{content-visibility:visible}}\n";

static char *column(sqlite3_stmt *s, int at)
{
    const char *text = (const char *)sqlite3_column_text(s, at);
    return text != NULL ? strdup(text) : NULL;
}

static bool load(struct report *r)
{
    sqlite3_stmt *s = rows_query(r->db,
                                 "SELECT name, question, yaml, seed, version, build, started, "
                                 "finished, notes, (SELECT count(*) FROM trial) FROM campaigns",
                                 r->error);
    if (!rows_next(s, r->error)) {
        if (r->error[0] == 0)
            snprintf(r->error, sizeof(r->error), "%s:1:1: has no campaign", r->options->path);
        sqlite3_finalize(s);
        return false;
    }
    char **const texts[] = {&r->name,  &r->question, &r->yaml,     &r->seed, &r->version,
                            &r->build, &r->started,  &r->finished, &r->notes};
    for (int i = 0; i < 9; i++)
        *texts[i] = column(s, i);
    r->trials = (uint64_t)sqlite3_column_int64(s, 9);
    sqlite3_finalize(s);
    return groups_load(&r->cells, r->db, "variant,workload,fault", NULL, r->error) == OK &&
           groups_load(&r->variants, r->db, "variant", NULL, r->error) == OK;
}

/* What a picture's script says behind a mark at the start of a line; "" if it has no such line. */
static void read_marked(const struct report *r, const char *name, const char *mark, char *text,
                        size_t bytes)
{
    char path[256], line[600];
    text[0] = 0;
    snprintf(path, sizeof(path), "%s/%s.gp", r->pictures, name);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, mark, strlen(mark)) == 0) {
            line[strcspn(line, "\n")] = 0;
            snprintf(text, bytes, "%.500s", line + strlen(mark));
            break;
        }
    if (f != NULL)
        fclose(f);
}

/* Pixels at the top of a picture that has no title, and so nothing there. */
static unsigned untitled_px(const struct report *r, const char *name)
{
    static const char key[] = "success-narrow";
    char title[8];
    read_marked(r, name, "set label 98 ", title, sizeof(title));
    if (strncmp(title, "''", 2) != 0)
        return 0;
    return strncmp(name, key, sizeof(key) - 1) == 0 ? UNTITLED_KEY_PX : UNTITLED_PX;
}

/*
 * Copies an SVG line with its ids, and what refers to them, made this picture's own: all of
 * gnuplot's pictures use the same. Every id='x', id="x", href='#x' and url(#x) gets "NAME-" before
 * x. What gnuplot says in each of thousands of groups and SVG takes for granted is left out.
 */
static void copy_line(FILE *page, const char *line, const char *name)
{
    static const char *const marks[] = {" id='", " id=\"", "href='#", "href=\"#", "url(#"};
    static const char granted[] = " stroke-linecap=\"butt\" stroke-linejoin=\"miter\"";
    while (*line != 0) {
        size_t i = 0, length = 0;
        if (strncmp(line, granted, sizeof(granted) - 1) == 0)
            line += sizeof(granted) - 1;
        for (; i < sizeof(marks) / sizeof(marks[0]); i++) {
            length = strlen(marks[i]);
            if (strncmp(line, marks[i], length) == 0)
                break;
        }
        if (i < sizeof(marks) / sizeof(marks[0])) {
            fprintf(page, "%s%s-", marks[i], name);
            line += length;
        } else {
            fputc(*line++, page);
        }
    }
}

/*
 * The picture's SVG from its <svg on, without title and description: the caption serves for both.
 * Where the heading of the section is all that its title said, the room of that is cut off above.
 */
static void inline_svg(struct report *r, const char *name, const char *caption)
{
    char path[256];
    unsigned width, height, cut = untitled_px(r, name);
    snprintf(path, sizeof(path), "%s/%s.svg", r->pictures, name);
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    bool begun = false;
    while (f != NULL && getline(&line, &room, f) > 0) {
        if (strncmp(line, "<svg", 4) == 0) {
            begun = true;
            fputs("<svg role=\"img\" aria-label=\"", r->page);
            text_xml(r->page, caption);
            fputs("\"\n", r->page);
        } else if (begun && cut > 0 &&
                   sscanf(line, " viewBox=\"0 0 %u %u\"", &width, &height) == 2) {
            fprintf(r->page, " viewBox=\"0 %u %u %u\"\n", cut, width, height - cut);
            cut = 0;
        } else if (begun && strncmp(line, "<title>", 7) != 0 && strncmp(line, "<desc>", 6) != 0) {
            copy_line(r->page, line, name);
        }
    }
    free(line);
    if (f != NULL)
        fclose(f);
}

/* Whether the picture was drawn. */
static bool is_drawn(const struct report *r, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s.svg", r->pictures, name);
    return r->pictures[0] != 0 && access(path, R_OK) == 0;
}

/* "KIND", "KIND-2", ...; with `narrow` between. */
static void picture_name(char *name, size_t bytes, const char *kind, bool narrow, unsigned i)
{
    int at = snprintf(name, bytes, "%s%s", kind, narrow ? "-narrow" : "");
    if (i > 1)
        snprintf(name + at, bytes - (size_t)at, "-%u", i);
}

static void put_figure(struct report *r, const char *name, const char *class, const char *caption,
                       bool told)
{
    fprintf(r->page,
            "<figure%s><div class=\"paper\" tabindex=\"0\" role=\"region\" "
            "aria-label=\"picture\">",
            class);
    inline_svg(r, name, caption);
    fputs("</div>", r->page);
    if (!told) {
        fputs("<figcaption>", r->page);
        text_xml(r->page, caption);
        fputs("</figcaption>", r->page);
    }
    fputs("</figure>\n", r->page);
}

/* Up to `most` pictures of a kind; a caption that several have stands below the first. */
static void put_pictures(struct report *r, const char *kind, bool narrow, const char *class,
                         unsigned most)
{
    char name[64], caption[520] = "", before[520];
    for (unsigned i = 1; i <= most + 1; i++) {
        picture_name(name, sizeof(name), kind, narrow, i);
        if (!is_drawn(r, name))
            return;
        if (i > most)
            break;
        memcpy(before, caption, sizeof(before));
        read_marked(r, name, "# caption: ", caption, sizeof(caption));
        put_figure(r, name, class, caption, i > 1 && strcmp(before, caption) == 0);
    }
    fprintf(r->page, "<p class=\"note%s\">There are more: <code>loris plot ",
            narrow          ? " narrow"
            : class[0] != 0 ? " wide"
                            : "");
    text_xml(r->page, r->options->path);
    fprintf(r->page, " --kind %s</code> draws them all.</p>\n", kind);
}

/* The pictures of a kind, and where there are narrow ones those for a phone. */
static void put_figures(struct report *r, const char *kind)
{
    char name[64];
    picture_name(name, sizeof(name), kind, true, 1);
    bool narrow = is_drawn(r, name);
    put_pictures(r, kind, false, narrow ? " class=\"wide\"" : "", PICTURES_MAX);
    if (narrow)
        put_pictures(r, kind, true, " class=\"narrow\"", NARROW_PICTURES_MAX);
}

static void put_head(struct report *r)
{
    char count[TEXT_SHORT_BYTES];
    const char *question = r->question != NULL && r->question[0] != 0 ? r->question : r->name;
    fputs(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width, initial-scale=1\"><title>",
        r->page);
    text_xml(r->page, r->name);
    fprintf(r->page, "</title><style>\n%s</style></head>\n<body>\n<p class=\"meta\">", style);
    text_xml(r->page, r->name);
    fprintf(r->page, ", %s trials, ", text_count(count, r->trials));
    text_xml(r->page, r->started != NULL ? r->started : "");
    fputs(", build ", r->page);
    text_xml(r->page, r->build != NULL ? r->build : "");
    fputs("</p>\n<h1>", r->page);
    text_xml(r->page, question);
    fputs("</h1>\n", r->page);
}

/* What the page is made of, in order: pictures of a kind, then words and tables. */
static const struct section {
    const char *id, *name, *heading; /* of the link to it; NULL: `words` write their own */
    const char *kind;                /* of its pictures, without which there is no section */
    void (*words)(struct report *r); /* or NULL */
} sections[] = {
    {"promises", "Promises", "Which promises were kept?", "success", report_table},
    {"levels", "What was left", "What was left to the applications?", "levels", NULL},
    {"spread", "Spread", "How far does damage spread?", "spread", NULL},
    {"timeline", "Latency", "What did users feel?", "timeline", NULL},
    {"latency", "Tail", "How bad is the tail?", "latency", NULL},
    {"recovery", "Recovery", "How long did it take?", "recovery", NULL},
    {"loss", "Lost work", "How much work was lost?", "loss", NULL},
    {"years", "Years", "What did a year cost?", "availability", report_calendar},
    {"survival", "Survival", "How long without loss?", "survival", NULL},
    {"sweep", "Sweeps", "What do the swept options cost?", "sweep", NULL},
    {"where", "Moments", "Which moments are unsafe?", "where", NULL},
    {"detection", "Detection", "Who notices?", "detection", NULL},
    {"broken", "Broken promises", NULL, NULL, report_broken},
    {"never", "Not exercised", "What this campaign never exercised", NULL, report_never},
    {"method", "Method", "Method and limits", NULL, report_method}};
#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

static bool is_there(const struct report *r, const struct section *s)
{
    return s->kind == NULL || is_drawn(r, s->kind) || s == &sections[0] ||
           (s->words == report_calendar && report_has_calendar(r));
}

static void put_page(struct report *r)
{
    put_head(r);
    report_answer(r);
    fputs("<nav aria-label=\"Sections\">", r->page);
    for (size_t i = 0; i < SECTIONS; i++)
        if (is_there(r, &sections[i]))
            fprintf(r->page, "<a href=\"#%s\">%s</a>", sections[i].id, sections[i].name);
    fputs("</nav>\n", r->page);
    for (size_t i = 0; i < SECTIONS; i++) {
        const struct section *s = &sections[i];
        if (!is_there(r, s))
            continue;
        if (s->heading != NULL)
            fprintf(r->page, "<h2 id=\"%s\">%s</h2>\n", s->id, s->heading);
        if (s->kind != NULL)
            put_figures(r, s->kind);
        if (s->words != NULL)
            s->words(r);
    }
    fputs("</body></html>\n", r->page);
}

/* Draws all pictures into a folder of their own; a campaign without any is a page without any. */
static int draw_pictures(struct report *r)
{
    if (!temp_folder_make(r->pictures, "report")) {
        fprintf(r->err, "%s:1:1: %s\n", r->pictures, strerror(errno));
        r->pictures[0] = 0;
        return 2;
    }
    temp_folder_guard(r->pictures);
    struct plot_options all = {
        .path = r->options->path, .out_dir = r->pictures, .format = PLOT_SVG, .in_page = true};
    FILE *nowhere = fopen("/dev/null", "w");
    ASSERT(nowhere != NULL);
    int code = r->trials > 0 ? plot_run(&all, nowhere, r->err) : 0;
    static const char *const narrow[] = {"success", "levels"};
    for (size_t i = 0; i < 2 && code == 0; i++) {
        struct plot_options one = all;
        one.kind = narrow[i];
        one.narrow = true;
        if (is_drawn(r, narrow[i]))
            code = plot_run(&one, nowhere, r->err);
    }
    fclose(nowhere);
    return code;
}

/* Writes the page beside its name and renames it: a reader never sees half of one. */
static int write_page(struct report *r, const char *out_path)
{
    char beside[4096];
    if (snprintf(beside, sizeof(beside), "%s.new", out_path) >= (int)sizeof(beside)) {
        fprintf(r->err, "%s:1:1: name too long\n", out_path);
        return 2;
    }
    r->page = fopen(beside, "w");
    if (r->page == NULL) {
        fprintf(r->err, "%s:1:1: %s\n", out_path, strerror(errno));
        return 2;
    }
    put_page(r);
    bool bad = ferror(r->page) != 0;
    bad = fclose(r->page) != 0 || bad;
    if (r->error[0] != 0 || bad || rename(beside, out_path) != 0) {
        if (r->error[0] != 0)
            fprintf(r->err, "%s\n", r->error);
        else
            fprintf(r->err, "%s:1:1: %s\n", out_path, strerror(errno));
        unlink(beside);
        return 2;
    }
    return 0;
}

int report_run(const struct report_options *options, FILE *out, FILE *err)
{
    ASSERT(options->path != NULL);
    char name[256];
    struct report r = {.options = options, .err = err};
    const char *out_path = options->out_path;
    if (store_open_read(&r.db, options->path, r.error) != OK) {
        fprintf(err, "%s\n", r.error);
        return 2;
    }
    if (out_path == NULL) {
        char stem[200];
        text_stem(options->path, stem, sizeof(stem));
        snprintf(name, sizeof(name), "%s.html", stem);
        out_path = name;
    }
    int code = 2;
    if (!load(&r))
        fprintf(err, "%s\n", r.error);
    else
        code = draw_pictures(&r);
    if (code == 0)
        code = write_page(&r, out_path);
    if (code == 0)
        fprintf(out, "%s\n", out_path);
    if (r.pictures[0] != 0)
        temp_folder_remove(r.pictures);
    char *const texts[] = {r.name,  r.question, r.yaml,     r.seed, r.version,
                           r.build, r.started,  r.finished, r.notes};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        free(texts[i]);
    groups_free(&r.cells);
    groups_free(&r.variants);
    sqlite3_close(r.db);
    return code;
}
