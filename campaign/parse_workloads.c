/* `workloads`: one application, or a list of those that run together. */
#include <string.h>

#include "assertion.h"
#include "campaign/parse.h"
#include "workloads/script.h"

static const struct app_info *find_app(struct parse *p, const struct yaml *map)
{
    const struct yaml *node = yaml_get(map, "app");
    const char *names[APP_KINDS];
    uint32_t count = 0;
    const struct app_info *table = app_table(&count);
    for (uint32_t k = 0; k < count; k++)
        names[k] = table[k].name;
    if (node == NULL && yaml_get(map, "like") != NULL)
        return NULL; /* complained of */
    if (node == NULL && (parse_misspelt(p, map, "app", "an application") ||
                         parse_misspelt(p, map, "like", "an application")))
        return NULL;
    if (node == NULL) {
        complain(p->complaints, map->place, "an application has no `app`; `app:` one of %s",
                 join_names(p->arena, names, count));
        return NULL;
    }
    const char *name = parse_text(p, node, "`app`");
    const struct app_info *info = name == NULL ? NULL : app_find(name);
    if (name != NULL && info == NULL)
        complain(p->complaints, node->place, "unknown app `%.80s`; allowed: %s%s", name,
                 join_names(p->arena, names, count), did_you_mean(p->arena, name, names, count));
    if (info != NULL && info->not_yet) {
        complain(p->complaints, node->place, "not available yet: app `%s`", name);
        return NULL;
    }
    return info;
}

/* The text of an operation list; a file was already read in its place (parse_inline_scripts). */
static void take_script(struct parse *p, const struct yaml *map, struct plan_app *app)
{
    const struct yaml *file = yaml_get(map, "file"), *text = yaml_get(map, "operations");
    app->script = "";
    app->script_path = "operations";
    if (file != NULL && text != NULL) {
        complain(p->complaints, file->place,
                 "`file` and `operations` exclude each other, and `file` cannot be swept");
        return;
    }
    if (file == NULL && text == NULL)
        complain(p->complaints, map->place, "app `script` has no `file`; as file: crash.ops");
    if (text == NULL || text->kind != YAML_TEXT)
        return; /* complained of as an option, or when it was read */
    app->script = text->text;
    if (!text->content)
        parse_script(p, text->text, NULL, text->place);
}

/* The index of its sequences; every trial looks up its own. */
static void take_sequences(struct parse *p, struct plan_app *app, struct plan_workload *workload)
{
    struct bounded *b = ARENA_ARRAY(p->arena, struct bounded, 1);
    bounded_init(b, (uint32_t)option_number(&app->options, "length"),
                 option_number(&app->options, "set") != 0, option_on(&app->options, "related"));
    app->bounded = b;
    if (workload->sequences == 0 || b->count < workload->sequences)
        workload->sequences = b->count;
}

static void parse_app(struct parse *p, struct yaml *map, struct plan_workload *workload)
{
    static const char *const own[] = {"app", "like"};
    struct plan_app *app = &workload->apps[workload->app_count];
    if (!parse_is_map(p, map, "an application"))
        return;
    app->info = find_app(p, map);
    if (app->info == NULL)
        return;
    const char *of = arena_printf(p->arena, "app `%s`", app->info->name);
    app->options = parse_options(p, map, app->info->options, app->info->option_count, own, 2, of);
    if (app->info->kind == APP_SCRIPT)
        take_script(p, map, app);
    if (app->info->kind == APP_BOUNDED)
        take_sequences(p, app, workload);
    if (option_has(&app->options, "user-transactions") &&
        option_on(&app->options, "user-transactions"))
        workload->user_transactions = true;
    if (app->info->kind == APP_SCRIPT && script_has(app->script, SCRIPT_BEGIN))
        workload->user_transactions = true;
    workload->app_count++;
}

static void parse_workload(struct parse *p, const struct entry *entry,
                           struct plan_workload *workload)
{
    struct yaml *node = entry->node;
    workload->name = entry->name;
    workload->draw_name = entry->draw_name;
    if (node->kind == YAML_TEXT) {
        complain(p->complaints, node->place,
                 "a workload is an application or a list of them; as {app: postmark}");
        return;
    }
    uint32_t count = node->kind == YAML_LIST ? node->count : 1;
    if (count == 0 || count > PLAN_APPS_MAX) {
        complain(p->complaints, node->place, "a workload has 1 to %d applications, not %u",
                 PLAN_APPS_MAX, count);
        return;
    }
    workload->apps = ARENA_ARRAY(p->arena, struct plan_app, count);
    if (node->kind == YAML_MAP)
        parse_app(p, node, workload);
    else
        for (uint32_t k = 0; k < count; k++)
            parse_app(p, node->item[k], workload);
}

void parse_workloads(struct parse *p, const struct entries *entries)
{
    struct plan *plan = p->plan;
    plan->workloads = ARENA_ARRAY(p->arena, struct plan_workload, entries->count);
    p->workload = ARENA_ARRAY(p->arena, struct yaml *, entries->count);
    plan->workload_count = entries->count;
    for (uint32_t k = 0; k < entries->count; k++) {
        p->workload[k] = entries->list[k].node;
        parse_workload(p, &entries->list[k], &plan->workloads[k]);
    }
}
