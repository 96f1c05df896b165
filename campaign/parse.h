/*
 * From the merged tree to the typed plan: what the parse_*.c files share. Every function complains
 * of all that is wrong and goes on with a default, so that one run tells every error; a plan is
 * handed out only if nobody complained.
 */
#ifndef LORIS_CAMPAIGN_PARSE_H
#define LORIS_CAMPAIGN_PARSE_H

#include "campaign/complaints.h"
#include "campaign/plan.h"
#include "campaign/yaml.h"

#define NAME_LENGTH_MAX 64

struct parse {
    struct arena *arena;
    struct complaints *complaints;
    const struct plan_request *request;
    struct plan *plan;
    struct yaml *root;      /* merged, before `like` and sweeps */
    struct yaml **variant;  /* the node of plan->variants[k], resolved and swept */
    struct yaml **workload; /* of plan->workloads[k] */
    struct yaml **fault;    /* of plan->faults[k] */
};

/* A named entry of variants, workloads or faults after `like` and sweeps. */
struct entry {
    const char *name, *draw_name;
    struct yaml *node;
    struct place place; /* of its name */
};

struct entries {
    struct entry *list;
    uint32_t count;
};

/* parse_values.c */

/* "map", "list", "text": for messages. */
const char *yaml_kind_name(const struct yaml *node);

/* Whether a key of the map is near to `wanted`, which it lacks; then complains of that one, as of
 * an unknown key of `what` ("a fault").
 */
bool parse_misspelt(struct parse *p, const struct yaml *map, const char *wanted, const char *what);

/* Whether the node is a map; else complains that `what` is one ("`machine` is a map"). */
bool parse_is_map(struct parse *p, const struct yaml *node, const char *what);

/* Complains of each key that is not allowed. of: "a variant", for messages. */
void parse_check_keys(struct parse *p, const struct yaml *map, const char *const *allowed,
                      size_t count, const char *of);

/* The text of a node; complains and returns NULL if it is empty, a map or a list. */
const char *parse_text(struct parse *p, const struct yaml *node, const char *what);

/* Whether a text is a name by the rules; complains at place if not. */
bool parse_name(struct parse *p, const char *name, struct place place, const char *what);

/* A share as users give it, here and on the command line: 5% or 0.05; points: a bare number is per
 * cent (1 = 1 %). Returns true and the share, or false with a message in error[OPTION_ERROR_BYTES].
 */
bool parse_share_text(const char *text, bool points, double *share, char *error);

/* One value as the row wants it, distributions included. Complains and leaves the default if not.
 */
bool parse_value(struct parse *p, const struct option_spec *spec, const struct yaml *node,
                 struct option_value *value);
/* The same of an option of type OPTION_RULES and a map: every pattern and every level. */
bool parse_rules(struct parse *p, const struct option_spec *spec, const struct yaml *node,
                 struct option_value *value);

/*
 * The values of a table from a map: absent keys get their defaults. also: keys of the map that are
 * not options. Complains of unknown keys and bad values. map may be NULL: all defaults.
 */
struct option_set parse_options(struct parse *p, const struct yaml *map,
                                const struct option_spec *specs, uint32_t count,
                                const char *const *also, size_t also_count, const char *of);

/* parse_machine.c: node is the merged `machine` or NULL. */
void parse_machine(struct parse *p, const struct yaml *node, struct plan_machine *machine);

/* parse_variants.c, parse_workloads.c, parse_faults.c: typed plans of entries. */
void parse_variants(struct parse *p, const struct entries *entries);
void parse_workloads(struct parse *p, const struct entries *entries);
void parse_faults(struct parse *p, const struct entries *entries);

/* parse_field.c: the faults that a field profile stands for; empty after a complaint. And one as a
 * campaign has it; layer may be NULL. */
struct field_fault;
struct yaml *parse_field(struct parse *p, const struct yaml *map);
const char *parse_field_fault(struct arena *arena, const struct field_fault *fault,
                              const char *over, const char *layer);

/* parse_script.c: complains of every wrong line of an operation list. file: its path; NULL if it
 * stands in the campaign itself, at `place`. */
void parse_script(struct parse *p, const char *text, const char *file, struct place place);

/* Replaces each script's `file` by its content: the stored campaign must stand alone. */
void parse_inline_scripts(struct parse *p);

/* parse_like.c: the entries of the top key `section`, with each `like` worked in. */
struct entries parse_like(struct parse *p, const char *section);

/* parse_sweep.c: multiplies the entries by the file's `sweep`; fills plan->sweep_keys. */
void parse_sweep(struct parse *p, struct entries *variants, struct entries *workloads,
                 struct entries *faults);

/* parse_cells.c: cells with skips, selection and promises. */
void parse_cells(struct parse *p);

/* parse_parameters.c: fills plan->parameters. */
void parse_parameters(struct parse *p);

/* parse_trials.c: fills plan->trials; the second, once there are cells, computes what depends on
 * them. */
void parse_trials(struct parse *p);
void parse_trials_plan(struct parse *p);

/* parse_top.c: everything of the file's top level but the sections above. */
void parse_top(struct parse *p);

/* One crash state, the map of `cache` of a power.cut; the plan's. Complains of what is wrong. */
const struct fault_state *parse_crash_state(struct parse *p, const struct yaml *map);

#endif
