/* The levels and the measures: see judge.h and README.md. */
#include "workloads/oracle/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/oracle/cut.h"
#include "workloads/oracle/order.h"
#include "workloads/oracle/versions.h"

struct judge *judge_create(void)
{
    struct judge *j = calloc(1, sizeof(*j));
    ASSERT(j != NULL);
    return j;
}

void judge_destroy(struct judge *j)
{
    if (j == NULL)
        return;
    free(j->objects);
    free(j->glimpses);
    free(j->numbers);
    free(j->slot_stamp);
    free(j->slot_owner);
    free(j->inode_stamp);
    free(j->inode_owner);
    free(j->ops);
    free(j->rank);
    free(j->fits);
    free(j->lost);
    free(j->halves);
    range_work_free(&j->work);
    order_destroy(j->order);
    free(j);
}

/* ---- What applications were told ---- */

/* Whether an application that a fault did not excuse saw an error, or died, in the environment. */
static bool told_errors(const struct history *h, uint32_t environment)
{
    for (uint32_t a = 0; a < h->app_count; a++)
        if (h->apps[a].environment == environment && h->apps[a].death == HISTORY_STRAY)
            return true;
    for (uint32_t op = h->setup_ops + 1; op <= h->op_count; op++) {
        const struct history_op *o = &h->ops[op];
        if (o->environment != environment || o->state != HISTORY_TROUBLED)
            continue;
        enum history_death death = h->apps[o->app].death;
        if (death == HISTORY_ALIVE || death == HISTORY_STRAY)
            return true;
    }
    return false;
}

static void count_answers(const struct history *h, struct judge_verdict *v)
{
    for (uint32_t op = 1; op <= h->op_count; op++) {
        const struct history_op *o = &h->ops[op];
        if (o->kind == HISTORY_SETUP)
            continue;
        v->ops += o->state != HISTORY_IN_FLIGHT;
        v->ops_failed += o->state == HISTORY_TROUBLED;
    }
    for (uint32_t e = 0; e < h->environments; e++)
        v->bytes_wrong += h->wrongs[e].bytes;
}

static void count_killed(const struct history *h, struct judge_verdict *v)
{
    for (uint32_t a = 0; a < h->app_count; a++)
        if (h->apps[a].died)
            v->environment[h->apps[a].environment].killed++;
}

/* ---- Times ---- */

/* A machine that ended without service never came back to it: what it had reached after an earlier
 * fault of the trial is no end of recovery.
 */
static bool is_served(const struct judge_input *in)
{
    for (uint32_t e = 0; e < in->history->environments; e++)
        if (in->machine[e] != JUDGE_MACHINE_RUNS)
            return false;
    return true;
}

static void read_marks(const struct judge_input *in, struct judge_verdict *v)
{
    const struct history *h = in->history;
    v->fault_ns = h->fault_count > 0 ? h->fault_ns[0] : HISTORY_NEVER;
    v->detected_ns = h->detected_ns;
    v->detected_by = h->detected_by;
    v->service_ns = is_served(in) ? h->service_ns : HISTORY_NEVER;
    bool both = v->detected_ns != HISTORY_NEVER && v->service_ns != HISTORY_NEVER &&
                v->service_ns >= v->detected_ns;
    v->recovery_ns = both ? (int64_t)(v->service_ns - v->detected_ns) : -1;
}

/* Longest waits: of all answered operations, and of those that overlap [fault, service]. */
static void measure_waits(const struct history *h, struct judge_verdict *v)
{
    for (uint32_t op = 1; op <= h->op_count; op++) {
        const struct history_op *o = &h->ops[op];
        if (o->end_ns == HISTORY_NEVER || o->kind == HISTORY_SETUP)
            continue;
        uint64_t wait = o->end_ns - o->start_ns;
        if (wait > v->longest_wait_ns[o->kind])
            v->longest_wait_ns[o->kind] = wait;
        bool overlaps = v->fault_ns != HISTORY_NEVER && o->end_ns >= v->fault_ns &&
                        o->start_ns <= v->service_ns;
        if (overlaps && wait > v->outage_wait_ns[o->kind])
            v->outage_wait_ns[o->kind] = wait;
    }
}

uint64_t judge_outage_ns(const struct judge_verdict *faulty, const struct judge_verdict *fault_free)
{
    uint64_t longest = 0;
    for (unsigned k = 0; k < HISTORY_KINDS; k++) {
        uint64_t usual = fault_free == NULL ? 0 : fault_free->longest_wait_ns[k];
        uint64_t wait = faulty->outage_wait_ns[k];
        uint64_t more = wait > usual ? wait - usual : 0;
        longest = more > longest ? more : longest;
    }
    return longest < JUDGE_SAME_WAIT_NS ? 0 : longest;
}

/* The fault that could have taken the operation: the first one after it began. */
static uint64_t fault_after(const struct history *h, uint64_t start_ns)
{
    for (uint32_t k = 0; k < h->fault_count; k++)
        if (h->fault_ns[k] >= start_ns)
            return h->fault_ns[k];
    return start_ns;
}

static void count_lost(const struct judge *j, const struct history *h, struct judge_verdict *v)
{
    for (uint32_t op = h->base.first; op <= h->op_count; op++) {
        if (j->lost[op] == 0)
            continue;
        v->ops_lost++;
        v->synced_lost += (j->lost[op] & LOST_SYNCED) != 0;
        int64_t back = (int64_t)(fault_after(h, h->ops[op].start_ns) - h->ops[op].start_ns);
        back = back < 1 ? 1 : back;
        v->rpo_ns = back > v->rpo_ns ? back : v->rpo_ns;
    }
}

/* ---- Levels ---- */

/* What is not in the strongest cut is lost. `late`: some of it had been synced, and is neither
 * there nor overwritten. */
static void lose_beyond(struct judge *j, const struct cut_result *cut, bool late)
{
    const struct history *h = j->h;
    for (uint32_t a = 0; a < h->app_count; a++) {
        const struct sequence *s = &j->sequence[a];
        for (uint32_t k = cut->position[a]; k < s->count; k++) {
            uint32_t op = j->ops[s->first + k];
            if (h->ops[op].state != HISTORY_DONE)
                continue;
            bool synced = late && sight_op_synced(h, op);
            j->lost[op] |= synced ? LOST | LOST_SYNCED : LOST;
            sight_flaw(j, synced ? CLAUSE_SYNCED : CLAUSE_NONE, op, 0, "%s%s, op %u, is gone",
                       synced ? "synced " : "", history_kind_name(h->ops[op].kind),
                       sight_op_number(h, op));
        }
    }
}

/* What was reported, in a line, where nothing more is said: what could not be read back, or the
 * first operation that was answered so. */
static void tell_error(struct judge *j)
{
    const struct history *h = j->h;
    sight_error(j);
    for (uint32_t op = h->setup_ops + 1; op <= h->op_count && j->flaw.story[0] == '\0'; op++) {
        const struct history_op *o = &h->ops[op];
        enum history_death death = h->apps[o->app].death;
        if (o->environment == j->environment && o->state == HISTORY_TROUBLED &&
            (death == HISTORY_ALIVE || death == HISTORY_STRAY))
            sight_flaw(j, CLAUSE_ERROR, 0, 0, "%s, op %u, was answered by an error",
                       history_kind_name(o->kind), sight_op_number(h, op));
    }
    for (uint32_t a = 0; a < h->app_count && j->flaw.story[0] == '\0'; a++)
        if (h->apps[a].environment == j->environment && h->apps[a].death == HISTORY_STRAY)
            sight_flaw(j, CLAUSE_ERROR, 0, 0, "application %u died", a);
    j->flaw.clause = CLAUSE_ERROR;
}

/* The tree against cuts and versions; `errors`: something was unreadable or an error was seen. */
static enum level level_of_tree(struct judge *j, bool errors, bool *undecided)
{
    struct cut_result cut = {.found = CUT_NONE};
    struct versions_result versions;
    if (!errors) {
        cut_search(j, &cut);
        *undecided = *undecided || cut.undecided;
        if (cut.found == CUT_FULL)
            return LEVEL_TRANSPARENT;
        if (cut.found == CUT_DURABLE) {
            lose_beyond(j, &cut, false);
            return LEVEL_DURABLE;
        }
    }
    versions_judge(j, cut.found == CUT_NONE, &versions);
    bool synced = !errors && versions.synced && versions.right;
    if (cut.found == CUT_ANY)
        lose_beyond(j, &cut, !synced);
    if (!versions.right && cut.found == CUT_NONE)
        return LEVEL_SILENT;
    if (errors) {
        tell_error(j);
        return LEVEL_DETECTED;
    }
    if (synced)
        return LEVEL_SYNCED;
    return cut.found == CUT_ANY ? LEVEL_PREFIX : LEVEL_STRUCTURAL;
}

/* One environment of one observation. */
static enum level level_of_sight(struct judge *j, const struct judge_input *in,
                                 const struct observation *o, uint32_t environment, bool errors,
                                 bool *undecided)
{
    if (!sight_init(j, in->history, o, environment))
        return LEVEL_SILENT;
    return level_of_tree(j, errors || j->errors != 0, undecided);
}

static void weaken(struct judge *j, struct judge_environment *e, enum level level,
                   enum history_clause clause, const char *story)
{
    if (level <= e->level)
        return;
    e->level = level;
    j->flaw = (struct flaw){.clause = clause};
    (void)snprintf(j->flaw.story, sizeof(j->flaw.story), "%s", story);
}

/* What the machine itself, the checker and the probe say, beside the trees. */
static void judge_machine(struct judge *j, const struct judge_input *in, uint32_t environment,
                          bool errors, struct judge_environment *e)
{
    static const char *const why[] = {"", "does not mount", "hangs", "recovery never ends"};
    const struct wrongs *wrongs = &in->history->wrongs[environment];
    enum level told = errors ? LEVEL_DETECTED : LEVEL_SILENT;
    if (in->checker.ran && (!in->checker.ok || in->checker.damages != 0))
        weaken(j, e, told, CLAUSE_CHECKER, "the checker found damage");
    if (in->remount == JUDGE_REMOUNT_DIFFERS ||
        (in->again != NULL && in->observed != NULL && !observation_agrees(in->observed, in->again)))
        weaken(j, e, told, CLAUSE_REMOUNT, "the tree differs after a remount");
    if (wrongs->count > 0) {
        weaken(j, e, LEVEL_SILENT, wrongs->first.clause, wrongs->first.detail);
        j->flaw.op = j->flaw.op == 0 ? wrongs->first.op : j->flaw.op;
    }
    if (in->probe[environment] == JUDGE_PROBE_FAILED)
        weaken(j, e, in->degraded ? LEVEL_DETECTED : LEVEL_DEAD, CLAUSE_SERVICE,
               "the probe of service failed");
    if (in->remount == JUDGE_REMOUNT_FAILED)
        weaken(j, e, LEVEL_DEAD, CLAUSE_MOUNT, "does not mount again after an orderly stop");
    if (in->machine[environment] != JUDGE_MACHINE_RUNS || in->observed == NULL)
        weaken(j, e, LEVEL_DEAD, CLAUSE_MOUNT,
               in->machine[environment] == JUDGE_MACHINE_RUNS ? "nothing could be read"
                                                              : why[in->machine[environment]]);
}

static void judge_environment(struct judge *j, const struct judge_input *in, uint32_t environment,
                              bool any_errors, struct judge_verdict *v)
{
    struct judge_environment *e = &v->environment[environment];
    bool told = told_errors(in->history, environment);
    j->flaw = (struct flaw){.clause = CLAUSE_NONE};
    e->level = LEVEL_TRANSPARENT;
    if (in->observed != NULL)
        e->level = level_of_sight(j, in, in->observed, environment, told, &v->undecided);
    if (in->observed != NULL && in->again != NULL &&
        (observation_errors(in->observed) != 0 || observation_errors(in->again) != 0)) {
        struct flaw first = j->flaw;
        j->flaw = (struct flaw){.clause = CLAUSE_NONE};
        enum level again = level_of_sight(j, in, in->again, environment, told, &v->undecided);
        if (again > e->level)
            e->level = again;
        else
            j->flaw = first;
    }
    judge_machine(j, in, environment, any_errors, e);
    e->clause = j->flaw.clause;
    e->hit = e->killed != 0 || told || e->level > LEVEL_TRANSPARENT;
    v->environments_hit += e->hit;
    if (e->level <= v->level && environment != 0)
        return;
    v->level = e->level;
    v->clause = j->flaw.clause;
    v->clause_op = j->flaw.op;
    memcpy(v->story, j->flaw.story, sizeof(v->story));
}

/* In the order in which the history was recorded. */
static void judge_recorded(struct judge *j, const struct judge_input *input,
                           struct judge_verdict *verdict)
{
    const struct history *h = input->history;
    ASSERT(h != NULL);
    memset(verdict, 0, sizeof(*verdict));
    verdict->environments = h->environments;
    verdict->leaked_blocks = input->checker.leaks;
    j->lost = model_grow(j->lost, &j->lost_room, h->op_count + 1, 1);
    memset(j->lost, 0, h->op_count + 1);
    j->bytes_wrong = 0;
    count_answers(h, verdict);
    count_killed(h, verdict);
    read_marks(input, verdict);
    measure_waits(h, verdict);
    bool any_errors = input->observed != NULL && observation_errors(input->observed) != 0;
    any_errors = any_errors || (input->again != NULL && observation_errors(input->again) != 0);
    for (uint32_t e = 0; e < h->environments; e++)
        any_errors = any_errors || told_errors(h, e);
    for (uint32_t e = 0; e < h->environments; e++)
        judge_environment(j, input, e, any_errors, verdict);
    verdict->bytes_wrong += j->bytes_wrong;
    count_lost(j, h, verdict);
}

static bool is_stronger(const struct judge_verdict *v, const struct judge_verdict *than)
{
    return v->level < than->level || (v->level == than->level && v->ops_lost < than->ops_lost);
}

/* Operations raced for names: the strongest verdict of any order that gives their answers. Returns
 * whether there is one that is not silent, and all were tried. */
static bool judge_orders(struct judge *j, const struct judge_input *input,
                         struct judge_verdict *verdict)
{
    if (j->order == NULL)
        j->order = order_create();
    struct judge_input in = *input;
    struct judge_verdict best, one;
    bool any = false;
    order_begin(j->order, input->history);
    while (!(any && best.level == LEVEL_TRANSPARENT && !best.undecided) &&
           (in.history = order_next(j->order)) != NULL) {
        judge_recorded(j, &in, &one);
        if (!any || is_stronger(&one, &best))
            best = one;
        any = true;
    }
    bool undecided = order_undecided(j->order);
    if (any) {
        *verdict = best;
        verdict->undecided = best.undecided || (undecided && best.level != LEVEL_TRANSPARENT);
    } else if (undecided) {
        verdict->undecided = true;
    } else if (verdict->level < LEVEL_SILENT) {
        verdict->level = LEVEL_SILENT;
        verdict->clause = CLAUSE_ANSWER;
        (void)snprintf(verdict->story, sizeof(verdict->story),
                       "no order of the operations that ran together gives their answers");
    }
    return any && !verdict->undecided && verdict->level < LEVEL_SILENT;
}

/* Whether an operation was answered by an I/O error. */
static bool has_trouble(const struct history *h)
{
    for (uint32_t op = h->setup_ops + 1; op <= h->op_count; op++)
        if (h->ops[op].state == HISTORY_TROUBLED)
            return true;
    return false;
}

/* What was reported lost explains answers that no order does, so where errors leave the search
 * without an end it can make the verdict of the recorded order stronger, never weaker. */
void judge_trial(struct judge *j, const struct judge_input *input, struct judge_verdict *verdict)
{
    judge_recorded(j, input, verdict);
    if (!input->history->raced)
        return;
    struct judge_verdict recorded = *verdict;
    bool settled = judge_orders(j, input, verdict);
    if (!settled && has_trouble(input->history) && verdict->level >= recorded.level)
        *verdict = recorded;
}

static void take_larger(uint64_t *to, uint64_t other)
{
    *to = *to > other ? *to : other;
}

void judge_join(struct judge_verdict *verdict, const struct judge_verdict *earlier)
{
    ASSERT(verdict->environments == earlier->environments);
    verdict->environments_hit = 0;
    for (uint32_t e = 0; e < verdict->environments; e++) {
        struct judge_environment *to = &verdict->environment[e];
        const struct judge_environment *from = &earlier->environment[e];
        if (from->level > to->level) {
            to->level = from->level;
            to->clause = from->clause;
        }
        to->hit = to->hit || from->hit;
        verdict->environments_hit += to->hit;
    }
    if (earlier->level > verdict->level) {
        verdict->level = earlier->level;
        verdict->clause = earlier->clause;
        verdict->clause_op = earlier->clause_op;
        memcpy(verdict->story, earlier->story, sizeof(verdict->story));
    }
    verdict->undecided = verdict->undecided || earlier->undecided;
    take_larger(&verdict->ops_lost, earlier->ops_lost);
    take_larger(&verdict->synced_lost, earlier->synced_lost);
    take_larger(&verdict->bytes_wrong, earlier->bytes_wrong);
    verdict->rpo_ns = verdict->rpo_ns > earlier->rpo_ns ? verdict->rpo_ns : earlier->rpo_ns;
}
