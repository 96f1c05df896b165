/* `loris list`: every name that a campaign may use, from the registries, as table, CSV or JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "campaign/arena.h"
#include "campaign/cli.h"
#include "faults/field_profiles.h"
#include "faults/registry.h"
#include "results/plot.h"
#include "results/text.h"

#define ROWS_MAX 2048

struct row {
    const char *section; /* stacks, layers, ... */
    const char *of;      /* what an option belongs to; "" */
    const char *name;
    const char *type, *unit, *fallback, *source; /* "" where there is none */
    const char *doc;
    bool not_yet;
};

struct table {
    struct arena *arena;
    uint32_t count;
    struct row rows[ROWS_MAX];
};

static const char *const sections[] = {"stacks",   "layers", "options", "apps",    "faults",
                                       "profiles", "probes", "plots",   "measures"};

#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

static void add(struct table *t, struct row row)
{
    ASSERT(t->count < ROWS_MAX);
    ASSERT(row.name != NULL && row.doc != NULL);
    t->rows[t->count++] = row;
}

static void add_name(struct table *t, const char *section, const char *name, const char *doc,
                     bool not_yet)
{
    add(t, (struct row){section, "", name, "", "", "", "", doc, not_yet});
}

/* "a | b" of the choices that are, or are not, built. */
static const char *choices_of(struct table *t, const struct option_spec *spec, bool not_yet)
{
    const char *text = "";
    for (const struct option_choice *c = spec->choices; c->name != NULL; c++)
        if (c->not_yet == not_yet)
            text = arena_printf(t->arena, "%s%s%s", text, text[0] == '\0' ? "" : " | ", c->name);
    return text;
}

/* What an option takes: "0 | 1 (not available yet: 5)". */
static const char *type_of(struct table *t, const struct option_spec *spec)
{
    const char *text = option_type_name(spec->type);
    if (spec->off_only)
        return arena_printf(t->arena, "off (not available yet: a %s)", text);
    if (spec->type == OPTION_CHOICE) {
        const char *refused = choices_of(t, spec, true);
        text = choices_of(t, spec, false);
        if (refused[0] != '\0')
            text = arena_printf(t->arena, "%s (not available yet: %s)", text, refused);
    }
    return spec->may_off ? arena_printf(t->arena, "off | %s", text) : text;
}

static void add_options(struct table *t, const char *section, const char *of,
                        const struct option_spec *specs, uint32_t count, bool not_yet)
{
    for (uint32_t k = 0; k < count; k++)
        add(t, (struct row){section, of, specs[k].name, type_of(t, &specs[k]),
                            option_type_unit(specs[k].type),
                            specs[k].fallback == NULL ? "" : specs[k].fallback, specs[k].source,
                            specs[k].doc, not_yet || specs[k].not_yet});
}

static void add_stacks(struct table *t)
{
    uint32_t count = 0;
    const struct design *designs = design_table(&count);
    for (uint32_t k = 0; k < count; k++)
        add_name(t, "stacks", designs[k].name, designs[k].doc, designs[k].not_yet);
    for (unsigned k = 0; k < LAYER_COUNT; k++)
        if (layer_name((enum layer)k) != NULL)
            add_name(t, "layers", layer_name((enum layer)k), layer_doc((enum layer)k), false);
    for (uint32_t k = 0; k < count; k++)
        add_options(t, "options", designs[k].name, designs[k].options->specs,
                    designs[k].options->count, designs[k].not_yet);
    const struct option_spec *restart = plan_restart_specs(&count);
    add_options(t, "options", "machine.restart", restart, count, false);
}

static void add_apps(struct table *t)
{
    uint32_t count = 0;
    const struct app_info *apps = app_table(&count);
    for (uint32_t k = 0; k < count; k++) {
        add_name(t, "apps", apps[k].name, apps[k].doc, apps[k].not_yet);
        add_options(t, "apps", apps[k].name, apps[k].options, apps[k].option_count,
                    apps[k].not_yet);
    }
}

static void add_faults(struct table *t)
{
    uint32_t count = 0;
    const struct fault_kind_info *kinds = fault_kind_table(&count);
    for (uint32_t k = 0; k < count; k++) {
        add_name(t, "faults", kinds[k].name, kinds[k].doc, kinds[k].not_yet);
        add_options(t, "faults", kinds[k].name, kinds[k].keys, kinds[k].key_count,
                    kinds[k].not_yet);
    }
    const struct fault_when_info *whens = fault_when_table(&count);
    for (uint32_t k = 0; k < count; k++)
        add(t, (struct row){"faults", "at", whens[k].name, option_type_name(whens[k].number),
                            option_type_unit(whens[k].number), "", "", whens[k].doc,
                            whens[k].not_yet});
}

static void add_profiles(struct table *t)
{
    for (uint32_t k = 0; sim_profile_name(k) != NULL; k++) {
        add_name(t, "profiles", sim_profile_name(k), sim_profile_title(k), false);
        for (unsigned p = 0; p < SIM_PARAM_COUNT; p++) {
            struct sim_param_info info;
            if (!sim_profile_info(k, (enum sim_param)p, &info))
                continue;
            const char *value = info.word != NULL
                                    ? info.word
                                    : arena_printf(t->arena, "%lld", (long long)info.value);
            const char *source =
                arena_printf(t->arena, "%s (%s, %d)", info.source, info.status, info.year);
            add(t, (struct row){"profiles", sim_profile_name(k),
                                arena_text(t->arena, info.name, strlen(info.name)), "parameter",
                                info.unit, value, source, "", false});
        }
    }
}

/* What a campaign may name in place of a fault. */
static void add_field_profiles(struct table *t)
{
    uint32_t count = 0;
    const struct field_profile *table = field_profile_table(&count);
    for (uint32_t k = 0; k < count; k++) {
        const struct field_profile *profile = &table[k];
        add_name(t, "profiles", profile->name, profile->title, false);
        for (uint32_t i = 0; i < profile->count; i++) {
            const struct field_fault *f = &profile->faults[i];
            add(t, (struct row){"profiles", profile->name,
                                arena_printf(t->arena, "%s, at: {rate: %s}", f->fault, f->rate), "",
                                "", "", arena_printf(t->arena, "%s (%s)", f->source, f->status), "",
                                false});
        }
    }
}

static void add_rest(struct table *t)
{
    for (unsigned k = 0; k < PROBE_COUNT; k++)
        add_name(t, "probes", probe_name((enum probe)k), probe_doc((enum probe)k), false);
    for (const struct plot_kind *kind = plot_kinds; kind->name != NULL; kind++)
        add_name(t, "plots", kind->name, kind->shows, kind->available == 0);
    for (unsigned k = 0; k < MEASURE_COUNT; k++)
        add_name(t, "measures", measure_names[k], measure_doc((enum measure)k), false);
}

struct list_input {
    const char *section, *name;
    enum list_format { LIST_TABLE, LIST_CSV, LIST_JSON } format;
    bool wrong;
};

static int list_format_from_name(const char *name)
{
    static const char *const names[] = {"table", "csv", "json"};
    for (int k = 0; k < 3; k++)
        if (strcmp(names[k], name) == 0)
            return k;
    return -1;
}

static bool shown(const struct list_input *in, const struct row *row)
{
    if (in->section != NULL && strcmp(in->section, row->section) != 0)
        return false;
    if (in->name != NULL)
        return strcmp(in->name, row->name) == 0 || strcmp(in->name, row->of) == 0;
    /* Without a name the parameters of each disk would drown the rest. */
    return strcmp(row->section, "profiles") != 0 || row->of[0] == '\0' || in->format != LIST_TABLE;
}

/* The default of a row; where it depends on the machine, the words that `about` has for it. */
static const char *default_of(const struct row *row)
{
    const char *words = row->type[0] == '\0' ? NULL : strstr(row->doc, "default ");
    return row->fallback[0] != '\0' || words == NULL ? row->fallback : words + strlen("default ");
}

static void print_json(const struct table *t, const struct list_input *in)
{
    bool first = true;
    (void)printf("[");
    for (uint32_t k = 0; k < t->count; k++) {
        const struct row *row = &t->rows[k];
        if (!shown(in, row))
            continue;
        const char *const texts[][2] = {
            {"section", row->section}, {"of", row->of},     {"name", row->name},
            {"type", row->type},       {"unit", row->unit}, {"default", default_of(row)},
            {"source", row->source},   {"about", row->doc},
        };
        (void)printf("%s\n  {", first ? "" : ",");
        first = false;
        for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++) {
            (void)printf("\"%s\": ", texts[j][0]);
            cli_json_text(stdout, texts[j][1][0] == '\0' ? NULL : texts[j][1]);
            (void)printf(", ");
        }
        (void)printf("\"available\": %s}", row->not_yet ? "false" : "true");
    }
    (void)printf("\n]\n");
}

static void print_csv(const struct table *t, const struct list_input *in)
{
    (void)printf("section,of,name,type,unit,default,source,about,available\n");
    for (uint32_t k = 0; k < t->count; k++) {
        const struct row *row = &t->rows[k];
        if (!shown(in, row))
            continue;
        const char *const texts[] = {row->section, row->of,         row->name,   row->type,
                                     row->unit,    default_of(row), row->source, row->doc};
        for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++) {
            text_csv(stdout, texts[j]);
            (void)fputc(',', stdout);
        }
        (void)printf("%s\n", row->not_yet ? "false" : "true");
    }
}

static void print_row(const struct row *row)
{
    if (row->of[0] == '\0')
        (void)printf("  %-24s %s", row->name, row->doc);
    else
        (void)printf("    %-22s %s", row->name, row->doc);
    if (row->not_yet)
        (void)printf(" (not available yet)");
    if (row->type[0] != '\0' && strcmp(row->type, "parameter") != 0) {
        (void)printf("; %s", row->type);
        if (row->unit[0] != '\0' && strcmp(row->unit, "1") != 0 && strchr(row->type, '(') == NULL)
            (void)printf(" in %s", row->unit);
    }
    if (strcmp(row->type, "parameter") == 0)
        (void)printf("%s %s", row->fallback, row->unit);
    else if (row->fallback[0] != '\0')
        (void)printf("; default %s", row->fallback);
    if (row->source[0] != '\0')
        (void)printf("  [%s]", row->source);
    (void)printf("\n");
}

static void print_table(const struct table *t, const struct list_input *in)
{
    const char *section = "", *of = "";
    for (uint32_t k = 0; k < t->count; k++) {
        const struct row *row = &t->rows[k];
        if (!shown(in, row))
            continue;
        if (strcmp(section, row->section) != 0)
            (void)printf("%s%s\n", section[0] == '\0' ? "" : "\n", row->section);
        bool header = row->of[0] != '\0' && strcmp(of, row->of) != 0;
        if (header && (strcmp(row->section, "options") == 0 || strcmp(row->of, "at") == 0))
            (void)printf("  %s\n", row->of);
        section = row->section;
        of = row->of;
        print_row(row);
    }
}

static error_t parse_list(int key, char *arg, struct argp_state *state)
{
    struct list_input *in = state->input;
    switch (key) {
    case 'f':
        in->format = (enum list_format)cli_format(list_format_from_name, arg, "table, csv, json",
                                                  &in->wrong);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0)
            in->section = arg;
        else if (state->arg_num == 1)
            in->name = arg;
        else
            argp_error(state, "`%s` is too many; a section and a name", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Whether the section and the name are known; says what is, if not. */
static bool known(const struct table *t, const struct list_input *in)
{
    bool section = in->section == NULL, name = in->name == NULL;
    for (size_t k = 0; k < SECTIONS; k++)
        section = section || strcmp(sections[k], in->section) == 0;
    if (!section) {
        const char *guess = option_nearest(in->section, sections, SECTIONS);
        (void)fprintf(stderr,
                      "list:1:1: `%.80s` is nothing to list; allowed: stacks, layers, options, "
                      "apps, faults, profiles, probes, plots, measures%s%s%s\n",
                      in->section, guess == NULL ? "" : "; did you mean `",
                      guess == NULL ? "" : guess, guess == NULL ? "" : "`?");
        return false;
    }
    const char *names[ROWS_MAX];
    uint32_t count = 0;
    for (uint32_t k = 0; k < t->count; k++) {
        if (in->section != NULL && strcmp(in->section, t->rows[k].section) != 0)
            continue;
        names[count++] = t->rows[k].name;
        name = name || shown(in, &t->rows[k]);
    }
    if (name)
        return true;
    const char *guess = option_nearest(in->name, names, count);
    (void)fprintf(stderr, "list:1:1: there is no `%.80s` in %s; see loris list %s%s%s%s\n",
                  in->name, in->section, in->section, guess == NULL ? "" : "; did you mean `",
                  guess == NULL ? "" : guess, guess == NULL ? "" : "`?");
    return false;
}

int cmd_list(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"format", 'f', "F", 0, "table csv json", 0},
        {0},
    };
    static const char doc[] =
        "List every name that a campaign may use, with type, unit, default and source."
        "\vThings: stacks layers options apps faults profiles probes plots measures\n\nExamples:\n"
        "  loris list                      everything\n"
        "  loris list options loris        the options of one stack\n"
        "  loris list profiles hdd-7200    a disk's parameters and where they are from\n"
        "  loris list --format json";
    static const struct argp argp = {options, parse_list, "[THINGS [NAME]]", doc, NULL, NULL, NULL};
    struct list_input in = {0};
    (void)argp_parse(&argp, argc, argv, 0, NULL, &in);
    struct arena *arena = arena_create();
    struct table *t = arena_alloc(arena, sizeof(*t));
    t->arena = arena;
    add_stacks(t);
    add_apps(t);
    add_faults(t);
    add_profiles(t);
    add_field_profiles(t);
    add_rest(t);
    bool sound = known(t, &in) && !in.wrong;
    if (sound && in.format == LIST_JSON)
        print_json(t, &in);
    else if (sound && in.format == LIST_CSV)
        print_csv(t, &in);
    else if (sound)
        print_table(t, &in);
    arena_destroy(arena);
    return sound ? EXIT_DONE : EXIT_WRONG_INPUT;
}
