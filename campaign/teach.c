#include "campaign/teach.h"

#include <stddef.h>
#include <string.h>

#include "assertion.h"

/* A campaign that runs as it stands. */
#define SMALLEST                                                                                   \
    "The smallest campaign, as first.yaml:\n"                                                      \
    "  campaign: first\n"                                                                          \
    "  variants: {loris: {stack: loris}, control: {stack: none}}\n"                                \
    "  workloads: {mail: {app: postmark}}\n"                                                       \
    "  faults: {power: [{kind: power.cut, at: {time: uniform}}]}\n"

#define MORE_CAMPAIGNS                                                                             \
    "Ready-made: scripts/campaigns; names: loris list; the format: campaign/FORMAT.md\n"

/* What makes the results file of the other lessons. */
#define RESULTS_OF                                                                                 \
    "A results file is what loris run leaves: loris run scripts/campaigns/demo.yaml\n"

static const struct lesson {
    const char *command, *arguments, *text;
} lessons[] = {
    {"run", "CAMPAIGN.yaml [OPTION...]",
     "Every variant meets every workload and every fault plan, in many trials.\n" SMALLEST
     "  loris run first.yaml --trials 50     into first.db, and a table\n" MORE_CAMPAIGNS},
    {"check", "CAMPAIGN.yaml [OPTION...]",
     "Says what would run, what is skipped, how long it takes; runs nothing.\n" SMALLEST
     "  loris check first.yaml\n" MORE_CAMPAIGNS},
    {"explore", "CAMPAIGN.yaml [OPTION...]",
     "Boots every crash state that a power cut can leave, not a sample of them.\n" SMALLEST
     "  loris explore first.yaml --depth 1 --states 10000\n" MORE_CAMPAIGNS},
    {"show", "OUT.db [OPTION...]",
     "Outcomes as a table, with exact intervals.\n"
     "  loris show demo.db                              a row a variant, workload, fault\n"
     "  loris show demo.db --by variant --where 'rpo_ns > 0'    a question of your own\n" RESULTS_OF
     "Columns and questions in SQL: results/README.md, results/COOKBOOK.md\n"},
    {"plot", "OUT.db [OPTION...]",
     "Pictures by gnuplot, each with the script that draws it and its data.\n"
     "  loris plot demo.db                     all that apply, into demo-plots/\n"
     "  loris plot demo.db --kind levels       one of them; see loris list plots\n" RESULTS_OF},
    {"report", "OUT.db [OPTION...]",
     "One HTML page: question, answer, pictures, tables; it opens offline.\n"
     "  loris report demo.db                   into demo.html\n" RESULTS_OF},
    {"compare",
     "BASE.db NEW.db [OPTION...]\n"
     "       loris compare OUT.db --base VARIANT --new VARIANT [OPTION...]",
     "Is one build, or one design, significantly worse? Exit 1 if so: a gate for a change.\n"
     "  loris compare old.db new.db            the same campaign by two builds\n"
     "  loris compare demo.db --base ffs --new loris\n" RESULTS_OF},
    {"replay", "OUT.db TRIAL [OPTION...]",
     "Runs one trial again, checks that it is the same, tells its story.\n"
     "  loris replay demo.db 17 --verbose      its number is in column trial ...\n"
     "  loris replay demo.db loris/mail/power/3          ... or by name\n" RESULTS_OF
     "Which trials broke a promise: loris show names one, the report more\n"},
    {"shrink", "OUT.db TRIAL [OPTION...]",
     "Finds the smallest campaign that fails as a trial did.\n"
     "  loris shrink demo.db 17                into min-17.yaml and min-17.ops\n" RESULTS_OF
     "Which trials broke a promise: loris show names one, the report more\n"},
    {"merge", "-o OUT.db PART.db...",
     "Joins the shards of one campaign into the file of one run.\n"
     "  loris run first.yaml --shard 1/2 -o p1.db     on one machine\n"
     "  loris run first.yaml --shard 2/2 -o p2.db     on another\n"
     "  loris merge -o first.db p1.db p2.db\n"},
};

bool teach(const char *command, FILE *to)
{
    ASSERT(command != NULL && to != NULL);
    for (size_t k = 0; k < sizeof(lessons) / sizeof(lessons[0]); k++) {
        const struct lesson *l = &lessons[k];
        if (strcmp(l->command, command) != 0)
            continue;
        (void)fprintf(to, "Usage: loris %s %s\n%sOptions: loris %s --help\n", command, l->arguments,
                      l->text, command);
        return true;
    }
    return false;
}
