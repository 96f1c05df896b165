/*
 * Candidates are run here, each in a child process of its own: a sick stack may harm its
 * laboratory, and a campaign that cannot be must not end the search.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "assertion.h"
#include "campaign/explore.h"
#include "campaign/plan.h"
#include "campaign/progress.h"
#include "campaign/shrink_private.h"
#include "campaign/stored.h"
#include "campaign/trial.h"
#include "campaign/worker.h"
#include "sim/rng.h"
#include "workloads/oracle/judge.h"

#define HOST_LIMIT_NS                                                                              \
    60000000000u       /* assumption: a candidate that takes longer is no smaller one              \
                        */
#define POLL_NS 300000 /* host time between two looks at the children */

/* What a child leaves. */
struct shrink_slot {
    pid_t child; /* 0: free */
    uint32_t way;
    uint64_t key[2];
    uint64_t begun_ns;
    struct shrink_outcome *outcome; /* shared with the child, as the tape is */
};

struct shrink_cache {
    struct known {
        uint64_t key[2];
        bool used, same;
    } * entry;
    uint32_t count, room; /* room: a power of two */
};

/* ---- In the child -----------------------------------------------------------------------------
 */

/* What a clause says to a person; one that is not here says its name. */
static const char *clause_words(enum history_clause clause)
{
    static const char *const words[CLAUSES] = {
        [CLAUSE_NONE] = "nothing wrong was read",
        [CLAUSE_CONTENT] = "bytes that their place never had",
        [CLAUSE_FOREIGN] = "bytes of another file, operation or place",
        [CLAUSE_ZEROS] = "zeros where data was",
        [CLAUSE_TORN] = "a block that is a mix of versions",
        [CLAUSE_SIZE] = "a size that no order of operations gives",
        [CLAUSE_ATTRIBUTE] = "a wrong mode, owner or link text",
        [CLAUSE_NAME] = "a name that is missing, should not be or leads elsewhere",
        [CLAUSE_TYPE] = "a name leads to an object of another type",
        [CLAUSE_LINKS] = "a wrong link count",
        [CLAUSE_LISTING] = "a listing that lookups contradict",
        [CLAUSE_TREE] = "a directory with two parents, or a cycle",
        [CLAUSE_ANSWER] = "an answer that no order of operations gives",
        [CLAUSE_CHECKER] = "the checker found damage",
        [CLAUSE_REMOUNT] = "the tree differs after an orderly stop and boot",
        [CLAUSE_TRANSACTION] = "half of a user transaction",
        [CLAUSE_SYNCED] = "something synced is gone",
        [CLAUSE_ERROR] = "something cannot be read, or an application saw an error",
        [CLAUSE_MOUNT] = "it does not mount, hangs, or recovery never ends",
        [CLAUSE_SERVICE] = "the probe of service failed",
    };
    ASSERT((unsigned)clause < CLAUSES);
    return words[clause] != NULL ? words[clause] : history_clause_name(clause);
}

/* Copies a text with N in the place of each number: these differ from candidate to candidate. */
static void copy_words(const char *from, char *to, size_t room)
{
    size_t at = 0;
    ASSERT(room > 0);
    for (; *from != '\0' && at + 1 < room; from++) {
        if (!isdigit((unsigned char)*from))
            to[at++] = *from;
        else if (at == 0 || to[at - 1] != 'N')
            to[at++] = 'N';
    }
    to[at] = '\0';
}

/* Who died of what, of the last death in the story. */
static void note_death(const struct trial_record *record, char *to, size_t room)
{
    to[0] = '\0';
    for (uint32_t k = 0; k < record->event_count; k++) {
        const struct record_event *e = &record->event[k];
        const char *why = strstr(e->detail, "died of");
        if (strcmp(e->what, "crash") == 0 && why != NULL)
            (void)snprintf(to, room, ": %s %s", e->layer, why);
    }
}

/* The rule that the checker found broken. */
static void note_damage(const struct trial_record *record, char *to, size_t room)
{
    to[0] = '\0';
    for (uint32_t k = 0; k < record->event_count; k++) {
        const struct record_event *e = &record->event[k];
        if (strcmp(e->layer, "checker") != 0 || strcmp(e->what, "damage") != 0)
            continue;
        (void)snprintf(to, room, ": ");
        copy_words(e->detail, to + 2, room - 2);
        return;
    }
}

static void fill_cause(const struct lab *lab, const struct trial_record *record,
                       struct shrink_outcome *out)
{
    const struct judge_verdict *v = lab_verdict(lab);
    char more[112] = "";
    if (v->level == LEVEL_DEAD)
        note_death(record, more, sizeof(more));
    else if (v->clause == CLAUSE_CHECKER)
        note_damage(record, more, sizeof(more));
    int kept = record_kept(record);
    const char *level = level_name(v->level);
    ASSERT(level != NULL);
    (void)snprintf(out->cause, sizeof(out->cause), "%s: %s%s%s%s", level, clause_words(v->clause),
                   more, kept == 0 ? "; the promise is broken" : "",
                   v->apps_broken > 0 ? "; an application's invariant is broken" : "");
    out->fails =
        kept == 0 || v->apps_broken > 0 || (kept == RECORD_NULL && v->level > LEVEL_DURABLE);
}

static void fill_outcome(const struct plan *plan, const struct lab *lab,
                         const struct trial_record *record, struct shrink_outcome *out)
{
    const struct fault_plan *faults = &plan->faults[0];
    const struct offer *offer = lab_offer(lab);
    fill_cause(lab, record, out);
    record_text(out->story, sizeof(out->story), record->story);
    out->injected = record->injected;
    out->hash = record->hash;
    out->level = record->level;
    out->anomalies = record->anomalies;
    for (uint32_t d = 0; d < DISKS_MAX; d++)
        out->writes += offer->writes[d];
    out->faults = faults->count;
    for (uint32_t i = 0; i < faults->count; i++) {
        enum layer layer = faults->faults[i].layer;
        out->strike[i] = *lab_strike(lab, i);
        for (uint32_t k = 0; layer < LAYER_COUNT && k < OFFER_INSTANCES_MAX; k++)
            if (offer->messages[layer][k] > out->messages[i])
                out->messages[i] = offer->messages[layer][k];
    }
    out->ran = true;
}

/* Runs the last trial of the only cell. */
static void run_here(const struct shrink_options *options, const char *text,
                     struct shrink_outcome *out, struct shrink_tape *tape)
{
    (void)options; /* but for the defect */
    FILE *nowhere = fopen("/dev/null", "w");
    struct plan_request request = {.path = "candidate"};
    ASSERT(nowhere != NULL);
    (void)dup2(fileno(nowhere), STDERR_FILENO); /* what is wrong with a candidate concerns nobody */
    struct plan *plan = plan_load_text(text, &request, nowhere);
    if (plan == NULL || plan->cell_count != 1 || plan->trials.count == 0 ||
        !plan_wants(plan, 0, plan->trials.count - 1))
        return;
    struct trial_record *record = malloc(sizeof(*record));
    ASSERT(record != NULL);
    struct lab *lab = lab_create(plan);
    struct lab_listener listener = shrink_recorder(tape);
    if (tape != NULL)
        lab_listen(lab, &listener);
#ifdef LORIS_PLANTED
    lab_plant(lab, options->planted);
#endif
    lab_begin(lab, 0, 0, plan->trials.count - 1);
    lab_trial(lab, 0, record);
    fill_outcome(plan, lab, record, out);
}

/* When and where the power was cut, of a row that no injector made. */
static void read_strike(const struct trial_record *record, struct strike *strike)
{
    const char *time = strstr(record->struck, "\"time_ns\":");
    const char *position = strstr(record->struck, "\"position\":\"");
    ASSERT(time != NULL && position != NULL); /* explore writes both */
    strike->struck = strike->took_effect = true;
    strike->time_ns = strtoull(time + strlen("\"time_ns\":"), NULL, 10);
    position += strlen("\"position\":\"");
    (void)snprintf(strike->position, sizeof(strike->position), "%.*s", (int)strcspn(position, "\""),
                   position);
}

/* Visits the crash state in the stored campaign. */
static void visit_here(const struct shrink_options *options, const struct stored *file,
                       struct shrink_outcome *out)
{
    (void)options; /* but for the defect */
    struct trial_record *record = calloc(1, sizeof(*record));
    struct lab *lab = lab_create(file->plan);
    ASSERT(record != NULL);
#ifdef LORIS_PLANTED
    lab_plant(lab, options->planted);
#endif
    struct explorer *x = explorer_create(lab, file->plan);
    record_init(record);
    if (!explorer_visit(x, file->cell, file->n, file->point, file->disk, record))
        return;
    fill_cause(lab, record, out);
    record_text(out->story, sizeof(out->story), record->story);
    out->injected = true;
    out->hash = record->hash;
    out->level = record->level;
    out->faults = 1;
    read_strike(record, &out->strike[0]);
    out->ran = true;
}

/* ---- What is known already ---------------------------------------------------------------------
 */

static void key_of(const char *text, uint64_t key[2])
{
    key[0] = key[1] = 0;
    for (const char *c = text; *c != '\0'; c++) {
        key[0] = sim_rng_mix(key[0], (uint8_t)*c);
        key[1] = (key[1] ^ (uint8_t)*c) * UINT64_C(0x100000001b3); /* FNV-1 */
    }
}

static struct known *find(const struct shrink_cache *cache, const uint64_t key[2])
{
    uint32_t at = (uint32_t)key[0] & (cache->room - 1);
    while (cache->entry[at].used &&
           (cache->entry[at].key[0] != key[0] || cache->entry[at].key[1] != key[1]))
        at = (at + 1) & (cache->room - 1);
    return &cache->entry[at];
}

static void remember(struct shrink_cache *cache, const uint64_t key[2], bool same)
{
    if (2 * cache->count >= cache->room) {
        struct shrink_cache more = {.room = 2 * cache->room};
        more.entry = calloc(more.room, sizeof(*more.entry));
        ASSERT(more.entry != NULL);
        for (uint32_t k = 0; k < cache->room; k++)
            if (cache->entry[k].used)
                *find(&more, cache->entry[k].key) = cache->entry[k];
        free(cache->entry);
        cache->entry = more.entry;
        cache->room = more.room;
    }
    struct known *k = find(cache, key);
    cache->count += !k->used;
    *k = (struct known){.key = {key[0], key[1]}, .used = true, .same = same};
}

void shrink_open(struct shrink *s)
{
    s->cache = calloc(1, sizeof(*s->cache));
    s->slots = calloc(s->options->jobs, sizeof(*s->slots));
    ASSERT(s->cache != NULL && s->slots != NULL);
    s->cache->room = 1024;
    s->cache->entry = calloc(s->cache->room, sizeof(*s->cache->entry));
    ASSERT(s->cache->entry != NULL);
    for (uint32_t k = 0; k < s->options->jobs; k++) {
        s->slots[k].outcome = mmap(NULL, sizeof(struct shrink_outcome), PROT_READ | PROT_WRITE,
                                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ASSERT(s->slots[k].outcome != MAP_FAILED);
    }
    s->deadline_ns = progress_now_ns() + s->options->budget_s * UINT64_C(1000000000);
}

void shrink_close(struct shrink *s)
{
    for (uint32_t k = 0; k < s->options->jobs; k++)
        (void)munmap(s->slots[k].outcome, sizeof(struct shrink_outcome));
    free(s->cache->entry);
    free(s->cache);
    free(s->slots);
}

static volatile sig_atomic_t caught;

static void catch_signal(int number)
{
    caught = number;
}

void shrink_catch(void)
{
    struct sigaction action = {.sa_handler = catch_signal, .sa_flags = (int)SA_RESETHAND};
    caught = 0;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

int shrink_caught(void)
{
    return caught;
}

bool shrink_is_over(const struct shrink *s)
{
    return caught != 0 || progress_now_ns() >= s->deadline_ns;
}

/* ---- Children ----------------------------------------------------------------------------------
 */

/* Forks. Returns whether this is the child. */
static bool fork_child(struct shrink *s, struct shrink_slot *slot)
{
    ASSERT(slot->child == 0);
    memset(slot->outcome, 0, sizeof(*slot->outcome));
    slot->begun_ns = progress_now_ns();
    s->runs++;
    (void)fflush(NULL);
    pid_t parent = getpid();
    slot->child = fork();
    ASSERT(slot->child >= 0);
    if (slot->child != 0)
        return false;
    (void)signal(SIGINT, SIG_IGN); /* the terminal sends it to all; the parent decides */
    (void)signal(SIGTERM, SIG_IGN);
    worker_die_with((int)parent);
    return true;
}

static void begin(struct shrink *s, struct shrink_slot *slot, const char *text,
                  struct shrink_tape *tape)
{
    if (!fork_child(s, slot))
        return;
    run_here(s->options, text, slot->outcome, tape);
    _exit(0);
}

/* Whether the child has ended; one that takes too long is ended. */
static bool ended(struct shrink_slot *slot)
{
    int status = 0;
    pid_t done = waitpid(slot->child, &status, WNOHANG);
    if (done == 0) {
        if (progress_now_ns() - slot->begun_ns > HOST_LIMIT_NS)
            (void)kill(slot->child, SIGKILL);
        return false;
    }
    ASSERT(done == slot->child || errno == EINTR);
    if (done != slot->child)
        return false;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        slot->outcome->ran = false;
    slot->child = 0;
    return true;
}

static void pause_a_little(void)
{
    struct timespec t = {.tv_nsec = POLL_NS};
    (void)nanosleep(&t, NULL);
}

static void abandon(struct shrink_slot *slot)
{
    if (slot->child == 0)
        return;
    (void)kill(slot->child, SIGKILL);
    while (!ended(slot))
        pause_a_little();
}

void shrink_run(struct shrink *s, const struct yaml *root, struct shrink_outcome *outcome,
                struct shrink_tape *tape)
{
    struct arena *arena = arena_create();
    begin(s, &s->slots[0], yaml_write(arena, root), tape);
    arena_destroy(arena);
    while (!ended(&s->slots[0]))
        pause_a_little();
    *outcome = *s->slots[0].outcome;
}

void shrink_visit(struct shrink *s, const struct stored *file, struct shrink_outcome *outcome)
{
    if (fork_child(s, &s->slots[0])) {
        visit_here(s->options, file, s->slots[0].outcome);
        _exit(0);
    }
    while (!ended(&s->slots[0]))
        pause_a_little();
    *outcome = *s->slots[0].outcome;
}

void shrink_look(struct shrink *s)
{
    shrink_run(s, s->best, &s->look, NULL);
}

/* ---- The first of many -------------------------------------------------------------------------
 */

bool shrink_same(const struct shrink *s, const struct shrink_outcome *outcome)
{
    return outcome->ran && (outcome->injected || !s->injected) &&
           strcmp(outcome->cause, s->cause) == 0;
}

/* The candidate of way k, in an arena of its own; NULL if there are not so many. */
static struct yaml *make(const struct shrink *s, struct arena *arena, shrink_step *step, uint32_t k)
{
    struct yaml *root = yaml_copy(arena, s->best);
    return step(s, arena, root, k) ? root : NULL;
}

struct search {
    shrink_step *step;
    uint64_t best[2]; /* the key of what is there already: to find it again helps nobody */
    uint32_t next, winner;
    bool all; /* no further way */
};

/* Begins the next way in a free slot, or takes it from the cache. */
static void begin_next(struct shrink *s, struct search *search, struct shrink_slot *slot)
{
    struct arena *arena = arena_create();
    struct yaml *root = make(s, arena, search->step, search->next);
    search->all = root == NULL;
    if (root != NULL) {
        const char *text = yaml_write(arena, root);
        slot->way = search->next++;
        key_of(text, slot->key);
        const struct known *k = find(s->cache, slot->key);
        bool changes = slot->key[0] != search->best[0] || slot->key[1] != search->best[1];
        if (changes && !k->used)
            begin(s, slot, text, NULL);
        else if (changes && k->same && slot->way < search->winner)
            search->winner = slot->way;
    }
    arena_destroy(arena);
}

static void collect(struct shrink *s, struct search *search, struct shrink_slot *slot)
{
    if (!ended(slot))
        return;
    bool same = shrink_same(s, slot->outcome);
    remember(s->cache, slot->key, same);
    if (same && slot->way < search->winner)
        search->winner = slot->way;
}

/* One round over the slots; whether any child runs. */
static bool turn(struct shrink *s, struct search *search)
{
    bool busy = false;
    for (uint32_t k = 0; k < s->options->jobs; k++) {
        struct shrink_slot *slot = &s->slots[k];
        if (slot->child != 0)
            collect(s, search, slot);
        if (slot->child != 0 && slot->way > search->winner)
            abandon(slot);
        while (slot->child == 0 && !search->all && search->next < search->winner &&
               !shrink_is_over(s))
            begin_next(s, search, slot);
        busy = busy || slot->child != 0;
    }
    return busy;
}

uint32_t shrink_first(struct shrink *s, shrink_step *step, uint32_t from)
{
    struct search search = {.step = step, .next = from, .winner = SHRINK_NONE};
    struct arena *arena = arena_create();
    key_of(yaml_write(arena, s->best), search.best);
    arena_destroy(arena);
    while (turn(s, &search))
        pause_a_little();
    if (search.winner != SHRINK_NONE) {
        s->best = make(s, s->arena, step, search.winner);
        ASSERT(s->best != NULL);
    }
    return search.winner;
}

bool shrink_all(struct shrink *s, shrink_step *step)
{
    bool found = false;
    while (shrink_first(s, step, 0) != SHRINK_NONE)
        found = true;
    return found;
}
