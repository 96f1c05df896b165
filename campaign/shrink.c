#include "campaign/shrink.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assertion.h"
#include "campaign/cli.h"
#include "campaign/shrink_private.h"
#include "campaign/stored.h"

#define ROUNDS_MAX 20u /* assumption: each round leaves less; three are usual */

static const struct place nowhere = {"shrink", 1, 1};

static void tell(const char *form, ...) __attribute__((format(printf, 1, 2)));

static void tell(const char *form, ...)
{
    va_list list;
    va_start(list, form);
    (void)fputs("loris: ", stderr);
    (void)vfprintf(stderr, form, list);
    va_end(list);
    (void)fputc('\n', stderr);
}

/* ---- The campaign of one cell -------------------------------------------------------------------
 */

static void put_copy(struct arena *arena, struct yaml *root, const char *section, const char *name,
                     const struct yaml *node)
{
    struct yaml *map = yaml_new(arena, YAML_MAP, nowhere);
    yaml_put(arena, map, yaml_new_text(arena, nowhere, name), yaml_copy(arena, node));
    yaml_put(arena, root, yaml_new_text(arena, nowhere, section), map);
}

static void put_text(struct arena *arena, struct yaml *root, const char *key, const char *text)
{
    yaml_put(arena, root, yaml_new_text(arena, nowhere, key), yaml_new_text(arena, nowhere, text));
}

/* Makes the strikes of the row those of the plan: of what it says of them only the moment and the
 * target change; beyond it processes die. */
static void put_strikes(struct shrink *s, struct yaml *faults, const struct stored *file)
{
    for (uint32_t k = 0; k < file->strike_count; k++) {
        const struct explore_strike *at = &file->strikes[k];
        const char *where =
            at->layer == LAYER_NONE
                ? arena_printf(s->arena, "{io: %" PRIu64 ", disk: %u}", at->block, at->instance)
                : arena_printf(s->arena, "{block: %" PRIu64 "}", at->block);
        if (k >= faults->count) {
            struct yaml *fault = yaml_new(s->arena, YAML_MAP, nowhere);
            put_text(s->arena, fault, "kind", "process.crash");
            put_text(s->arena, fault, "layer", layer_name(at->layer));
            yaml_append(s->arena, faults, fault);
        }
        shrink_put(s->arena, faults->item[k], "at", where);
        if (at->layer != LAYER_NONE)
            shrink_put(s->arena, faults->item[k], "instance",
                       arena_printf(s->arena, "%u", at->instance));
    }
}

/* The stored trial alone: the last of a campaign of its cell, with the names that draws go by. */
static void isolate(struct shrink *s, const struct stored *file)
{
    const struct plan *plan = file->plan;
    const struct plan_cell *cell = &plan->cells[file->cell];
    struct yaml *root = yaml_new(s->arena, YAML_MAP, nowhere);
    char limit[32];
    s->variant = plan->variants[cell->variant].draw_name;
    s->workload = plan->workloads[cell->workload].draw_name;
    s->fault = plan->faults[cell->fault].draw_name;
    option_format_time((int64_t)plan->limit_ns, limit, sizeof(limit));
    put_text(s->arena, root, "campaign", plan->name);
    put_text(s->arena, root, "seed", arena_printf(s->arena, "%" PRIu64, plan->seed));
    put_text(s->arena, root, "trials", arena_printf(s->arena, "%" PRIu64, file->n + 1));
    put_text(s->arena, root, "limit", arena_text(s->arena, limit, strlen(limit)));
    put_copy(s->arena, root, "variants", s->variant, plan->variant_nodes[cell->variant]);
    put_copy(s->arena, root, "workloads", s->workload, plan->workload_nodes[cell->workload]);
    put_copy(s->arena, root, "faults", s->fault, plan->fault_nodes[cell->fault]);
    if (file->strike_count > 0)
        put_strikes(s, shrink_faults(s, root), file);
    if (cell->promise_given)
        shrink_put(s->arena, root, "promises",
                   arena_printf(s->arena, "{\"*\": %s}", level_name(cell->promise)));
    s->best = root;
}

/* The crash state of the row as a campaign has it. */
static const char *state_text(struct arena *arena, const struct stored *file, uint32_t disks)
{
    const char *keep = "", *leave = "", *tear = "";
    for (uint32_t d = 0; d < disks; d++) {
        const struct sim_state_disk *state = &file->disk[d];
        keep = arena_printf(arena, "%s%s%u", keep, d > 0 ? ", " : "", state->keep);
        for (uint32_t k = 0; k < state->left_count; k++)
            leave = arena_printf(arena, "%s%s[%u, %u]", leave, leave[0] == '\0' ? "" : ", ", d,
                                 state->left[k]);
        if (state->torn != 0)
            tear = arena_printf(arena, "%s%s[%u, %u, %u]", tear, tear[0] == '\0' ? "" : ", ", d,
                                state->torn, state->sectors);
    }
    return arena_printf(arena, "{keep: [%s]%s%s%s%s%s%s}", keep,
                        leave[0] == '\0' ? "" : ", leave: [", leave, leave[0] == '\0' ? "" : "]",
                        tear[0] == '\0' ? "" : ", tear: [", tear, tear[0] == '\0' ? "" : "]");
}

/* Where the power is cut: the place that the row names, then around its time. */
static bool step_point(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    const struct strike *strike = &s->look.strike[0];
    struct yaml *fault = shrink_faults(s, root)->item[0];
    uint64_t write = 0;
    unsigned disk = 0;
    bool names = sscanf(strike->position, "write %" SCNu64 " of disk %u", &write, &disk) == 2;
    if (k < 2) {
        if (names)
            shrink_put(arena, fault, "at",
                       arena_printf(arena, "{write: %" PRIu64 ", disk: %u}", write + k, disk));
        return true;
    }
    if (k > 5)
        return false;
    shrink_put(arena, fault, "at",
               arena_printf(arena, "{time: %" PRIu64 "ns}", strike->time_ns + k - 2));
    return true;
}

/* Makes `best` a campaign with that state as its fault. */
static bool place_state(struct shrink *s, const struct stored *file)
{
    const struct plan_cell *cell = &file->plan->cells[file->cell];
    uint32_t disks = file->plan->variants[cell->variant].stack.disks;
    struct yaml *fault = shrink_faults(s, s->best)->item[0];
    shrink_put(s->arena, fault, "cache", state_text(s->arena, file, disks));
    yaml_remove(fault, "tears");
    return shrink_first(s, step_point, 0) != SHRINK_NONE;
}

/* Whether the isolated trial fails, and is the stored one: the exit code if not, else EXIT_DONE. */
static int fail_again(struct shrink *s, const struct stored *file)
{
    if (file->explored)
        shrink_visit(s, file, &s->look);
    else
        shrink_look(s);
    if (!s->look.ran) {
        (void)fprintf(stderr, "%s:1:1: trial %" PRIu64 " did not come to its end\n", file->db_path,
                      file->trial);
        return EXIT_WORSE;
    }
    bool same = !file->present ||
                (s->options->any_build ? s->look.level == file->level : s->look.hash == file->hash);
    if (!same) {
        (void)fprintf(stderr,
                      "%s:1:1: trial %" PRIu64 " did not fail again: hash %016" PRIx64
                      ", stored %016" PRIx64 "; %s\n",
                      file->db_path, file->trial, s->look.hash, file->hash, s->look.cause);
        return EXIT_WORSE;
    }
    if (!s->look.fails) {
        (void)fprintf(stderr, "%s:1:1: trial %" PRIu64 " is no failure: %s\n", file->db_path,
                      file->trial, s->look.cause);
        return EXIT_WRONG_INPUT;
    }
    memcpy(s->cause, s->look.cause, sizeof(s->cause));
    s->injected = s->look.injected;
    if (!file->explored || place_state(s, file))
        return EXIT_DONE;
    (void)fprintf(stderr,
                  "%s:1:1: trial %" PRIu64
                  " did not fail again: no place of a power cut leaves the "
                  "crash state of this row\n",
                  file->db_path, file->trial);
    return EXIT_WORSE;
}

/* ---- Making all explicit ------------------------------------------------------------------------
 */

/* The list of what the only application did. It takes a little less time or more, so that the first
 * fault may have to strike elsewhere. */
static bool offer_script(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    if (shrink_script(s, root) != NULL || (k > 0 && !step_strike(s, arena, root, k - 1)))
        return false;
    struct yaml *app = yaml_new(arena, YAML_MAP, nowhere);
    put_text(arena, app, "app", "script");
    put_text(arena, app, "copies", "1");
    shrink_set_workload(s, arena, root, app);
    shrink_put_script(s, arena, root, arena_text(arena, s->tape->text, s->tape->used));
    return true;
}

/* Of several processes no list tells the order: they stay, with smaller numbers. Whether a script
 * took their place. */
static bool make_script(struct shrink *s)
{
    struct shrink_outcome outcome;
    if (shrink_script(s, s->best) != NULL)
        return false;
    s->tape =
        mmap(NULL, sizeof(*s->tape), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(s->tape != MAP_FAILED);
    shrink_look(s);
    shrink_run(s, s->best, &outcome, s->tape);
    bool one = outcome.ran && s->tape->apps == 1 && !s->tape->inexact && s->tape->used > 0;
    bool found = one && shrink_first(s, offer_script, 0) != SHRINK_NONE;
    (void)munmap(s->tape, sizeof(*s->tape));
    s->tape = NULL;
    return found;
}

/* ---- Passes -------------------------------------------------------------------------------------
 */

/* What does not need to know where the faults strike. */
static bool drop_parts(struct shrink *s)
{
    bool found = shrink_all(s, step_fault);
    found |= shrink_all(s, step_app);
    found |= shrink_all(s, step_one_app);
    found |= shrink_all(s, step_environments);
    return shrink_all(s, step_app_number) || found;
}

static void place_faults(struct shrink *s)
{
    do
        shrink_look(s);
    while (shrink_first(s, step_explicit, 0) != SHRINK_NONE);
}

static bool earliest_strikes(struct shrink *s)
{
    bool found = false;
    shrink_look(s);
    while (shrink_first(s, step_strike, 0) != SHRINK_NONE) {
        found = true;
        shrink_look(s);
    }
    return found;
}

static bool one_round(struct shrink *s)
{
    bool found = drop_parts(s);
    found |= shrink_all(s, step_sleeps);
    found |= shrink_all(s, step_tail);
    found |= shrink_lines(s);
    found |= shrink_all(s, step_pauses);
    found |= shrink_all(s, step_disks);
    found |= shrink_all(s, step_crash);
    found |= shrink_all(s, step_state);
    found |= shrink_all(s, step_state_less);
    found |= earliest_strikes(s);
    while (shrink_first(s, step_line_and_strike, 0) != SHRINK_NONE) {
        found = true;
        shrink_look(s);
    }
    found |= shrink_all(s, step_number);
    found |= shrink_all(s, step_name);
    found |= shrink_all(s, step_option);
    found |= shrink_all(s, step_fault_number);
    found |= shrink_all(s, step_disk_size);
    return shrink_first(s, step_first_trial, 0) != SHRINK_NONE || found;
}

/* Operations that succeed need no `try`. */
static void drop_tries(struct shrink *s)
{
    struct shrink_outcome outcome;
    struct yaml *root = yaml_copy(s->arena, s->best);
    if (!shrink_drop_tries(s, s->arena, root))
        return;
    shrink_run(s, root, &outcome, NULL);
    if (outcome.anomalies == 0 && shrink_same(s, &outcome))
        s->best = root;
}

static uint32_t count_lines(const struct shrink *s)
{
    const char *text = shrink_script(s, s->best);
    uint32_t lines = 0;
    for (; text != NULL && *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static const char *plural(uint32_t count)
{
    return count == 1 ? "" : "s";
}

static void tell_size(const struct shrink *s, const char *when)
{
    const struct yaml *w = shrink_workload(s, s->best);
    bool script = shrink_script(s, s->best) != NULL;
    uint32_t faults = shrink_faults(s, s->best)->count;
    uint32_t parts = script ? count_lines(s) : w->kind == YAML_LIST ? w->count : 1;
    tell("%s: %u fault%s, %u %s%s (%" PRIu64 " runs)", when, faults, plural(faults), parts,
         script ? "operation" : "application", plural(parts), s->runs);
}

static void search(struct shrink *s)
{
    (void)drop_parts(s);
    place_faults(s);
    (void)make_script(s);
    tell_size(s, "as it failed");
    (void)shrink_first(s, step_first_trial, 0);
    for (uint32_t round = 1; round <= ROUNDS_MAX && !shrink_is_over(s); round++) {
        bool found = one_round(s);
        if (!make_script(s) && !found)
            break;
        char when[32];
        (void)snprintf(when, sizeof(when), "round %u", round);
        tell_size(s, when);
    }
    drop_tries(s);
    if (shrink_script(s, s->best) == NULL)
        tell("its applications run side by side, or fail otherwise as an operation script: they "
             "stay as they are");
    if (shrink_caught() != 0)
        tell("interrupted; the smallest so far is kept, there may be a smaller one");
    else if (shrink_is_over(s))
        tell("the budget of %" PRIu64 " s is used up; there may be a smaller one",
             s->options->budget_s);
}

/* ---- The result ---------------------------------------------------------------------------------
 */

/* MIN.yaml -> MIN.ops. */
static const char *script_file(const struct shrink *s, const char *out)
{
    size_t length = strlen(out);
    bool yaml = length > 5 && strcmp(out + length - 5, ".yaml") == 0;
    return arena_printf(s->arena, "%.*s.ops", (int)(yaml ? length - 5 : length), out);
}

static bool cannot_write(const char *path, int error)
{
    (void)fprintf(stderr, "--output:1:1: cannot write `%.200s`: %s\n", path, strerror(error));
    return false;
}

/* Whether a file can be written there, as far as one can tell without making it; else says why. */
static bool can_write(const struct shrink *s, const char *path)
{
    struct stat found;
    const char *slash = strrchr(path, '/');
    const char *folder =
        slash == NULL ? "." : arena_printf(s->arena, "%.*s", (int)(slash - path) + 1, path);
    bool there = stat(path, &found) == 0;
    if (there && S_ISDIR(found.st_mode))
        return cannot_write(path, EISDIR);
    if (there && !s->options->overwrite) {
        (void)fprintf(stderr, "%s:1:1: exists already; --overwrite replaces it\n", path);
        return false;
    }
    if (access(there ? path : folder, W_OK) != 0)
        return cannot_write(path, errno);
    return true;
}

static bool write_file(const char *path, const char *head, const char *text)
{
    FILE *to = fopen(path, "w");
    if (to == NULL)
        return cannot_write(path, errno);
    bool written = fprintf(to, "%s%s", head, text) >= 0;
    if (fclose(to) == 0 && written)
        return true;
    return cannot_write(path, errno);
}

static bool write_result(const struct shrink *s, const struct stored *file, const char *out)
{
    const char *script = shrink_script(s, s->best), *ops = script_file(s, out);
    struct yaml *root = yaml_copy(s->arena, s->best);
    const char *head = arena_printf(s->arena,
                                    "# The smallest campaign found that fails as trial %" PRIu64
                                    " of `%s`:\n# %s\n# %s\n",
                                    file->trial, file->plan->name, s->cause, s->look.story);
    if (script != NULL) {
        const char *base = strrchr(ops, '/');
        struct yaml *app = shrink_workload(s, root);
        yaml_remove(app, "operations");
        put_text(s->arena, app, "file", base == NULL ? ops : base + 1);
        if (!write_file(ops, "", script))
            return false;
    }
    return write_file(out, head, yaml_write(s->arena, root));
}

/* The files as a user would run them: read back, they are the best candidate. */
static bool result_holds(struct shrink *s, const char *out)
{
    struct plan_request request = {.path = out};
    struct plan *plan = plan_load(&request, stderr);
    if (plan == NULL)
        return false;
    const char *text = arena_text(s->arena, plan->yaml, strlen(plan->yaml));
    plan_destroy(plan);
    struct complaints *complaints = complaints_create(s->arena);
    struct yaml *root = yaml_parse(text, strlen(text), "result", 1, s->arena, complaints);
    ASSERT(root != NULL);
    struct shrink_outcome first, second;
    shrink_run(s, root, &first, NULL);
    shrink_run(s, root, &second, NULL);
    return first.ran && second.ran && first.hash == second.hash &&
           strcmp(first.cause, s->cause) == 0;
}

static void print_result(const struct shrink *s, const struct stored *file, const char *out)
{
    uint64_t trials = 1;
    (void)shrink_number(yaml_get(s->best, "trials"), &trials);
    (void)printf("trial %" PRIu64 ": %s\n%s\n", file->trial, s->cause, s->look.story);
    uint32_t faults = shrink_faults(s, s->best)->count, lines = count_lines(s);
    (void)printf("%s: %u fault%s", out, faults, plural(faults));
    if (shrink_script(s, s->best) != NULL)
        (void)printf(", %s: %u operation%s", script_file(s, out), lines, plural(lines));
    (void)printf("; found in %" PRIu64 " runs\n", s->runs);
    if (trials > 1)
        (void)printf("draws are left that no other seed repeats: it is trial %" PRIu64
                     " of these that fails\n",
                     trials);
}

static int shrink_stored(struct shrink *s, const struct stored *file)
{
    const char *out = s->options->out_path;
    if (out == NULL)
        out = arena_printf(s->arena, "min-%" PRIu64 ".yaml", file->trial);
    if (!can_write(s, out) || !can_write(s, script_file(s, out)))
        return EXIT_WRONG_INPUT; /* before minutes are spent */
    isolate(s, file);
    int code = fail_again(s, file);
    if (code != EXIT_DONE)
        return code;
    search(s);
    shrink_look(s);
    if (!write_result(s, file, out))
        return EXIT_WRONG_INPUT;
    if (!result_holds(s, out)) {
        (void)fprintf(stderr,
                      "loris: a defect of loris, please report it: `%s` does not fail as "
                      "what it was written from did\n",
                      out);
        return EXIT_DEFECT;
    }
    print_result(s, file, out);
    return shrink_caught() != 0 ? 128 + shrink_caught() : EXIT_DONE;
}

int shrink_found(const struct shrink_options *options, const struct stored *file)
{
    ASSERT(options->jobs >= 1 && options->jobs <= SHRINK_JOBS_MAX);
    struct shrink *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    s->options = options;
    s->arena = arena_create();
    shrink_open(s);
    int code = shrink_stored(s, file);
    shrink_close(s);
    arena_destroy(s->arena);
    free(s);
    return code;
}

int shrink_trial(const struct shrink_options *options)
{
    struct stored file;
    shrink_catch();
    bool found = stored_open(&file, options->db_path, options->trial, options->any_build);
    bool flip = found && file.strike_count > 0 && file.strikes[0].block == 0;
    if (flip)
        (void)fprintf(stderr,
                      "%s:1:1: not available yet: for a flip that `loris explore` chose, which no "
                      "campaign can name; `loris replay` runs it again\n",
                      file.db_path);
    int code = found && !flip ? shrink_found(options, &file) : EXIT_WRONG_INPUT;
    stored_close(&file);
    return code;
}
