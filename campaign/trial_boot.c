/*
 * The judgement of a boot that something follows (applications that go on, another fault), and of a
 * strike in calendar time. It reads the whole tree, which costs virtual time, fills caches and may
 * even repair; so it is made in a forked child, whose machine is a copy of the trial's and ends
 * with it. The trial itself keeps its hash, its clock and the moments of all faults to come.
 *
 * The child's verdict comes back through a page that both share. A child that dies is a defect of
 * the laboratory, as it would have been in the trial.
 *
 * Where applications start again after a loss of power (machine: restart: apps: resume) the child
 * also sends what it read, through a pipe: that is the base of their further history
 * (oracle/base.h). Where names could not be read nobody can say what they would find; they stay
 * dead, and an event says so.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assertion.h"
#include "campaign/progress.h"
#include "campaign/trial_private.h"
#include "campaign/worker.h"
#include "workloads/oracle/base.h"
#include "workloads/oracle/copy.h"

struct message {
    struct judge_verdict verdict;
    bool given;
};

/* sends: the stream that takes what was read, or NULL. */
static _Noreturn void judge_as_child(struct lab *lab, pid_t parent, bool to_the_end,
                                     struct message *message, FILE *sends)
{
    worker_die_with((int)parent);
    lab->tell = NULL;
    lab_trace(lab, NULL);
    lab->record = NULL;
    injector_disarm(lab->injector); /* what is still to strike does not strike the reader */
    for (uint32_t a = 0; a < lab->work.app_count; a++) /* nor does anybody work while it looks */
        (void)sim_machine_hang(lab->machine, LAYER_APP, lab->work.app[a].number);
    lab_await_check(lab); /* what it will have mended is promised by then, not before */
    if (to_the_end)
        lab_judge(lab, RUN_OVER, &message->verdict);
    else
        lab_judge_walk(lab, &message->verdict);
    message->given = true;
    if (sends != NULL)
        observation_send(lab->seen, sends);
    _exit(0);
}

static void await(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        ASSERT(errno == EINTR);
    ASSERT(WIFEXITED(status));
    ASSERT(WEXITSTATUS(status) == 0);
}

/* Adds the verdict to those of the looks before. after: what it followed. */
static void add(struct lab *lab, const char *after, struct judge_verdict *verdict)
{
    char story[JUDGE_STORY_BYTES], detail[RECORD_DETAIL_BYTES];
    uint32_t number = ++lab->boots_judged;
    memcpy(story, verdict->story, sizeof(story));
    (void)snprintf(detail, sizeof(detail), "after %s %" PRIu32 ": %s%s%.80s", after, number,
                   level_name(verdict->level), story[0] == '\0' ? "" : ", ", story);
    lab_event(lab, "oracle", "judged", detail);
    if (verdict->apps_broken > 0)
        lab_event(lab, "oracle", "app-broken", verdict->broken_invariant);
    if (story[0] != '\0')
        (void)snprintf(verdict->story, sizeof(verdict->story), "after %s %" PRIu32 ": %.*s", after,
                       number, (int)(sizeof(story) - 32), story);
    if (number == 1)
        lab->boots = *verdict;
    else
        judge_join(&lab->boots, verdict);
}

/* Judges in a child; if `reads`, lab->seen is what it read. */
static void judge_in_child(struct lab *lab, bool to_the_end, bool reads, struct message *message)
{
    int ends[2] = {-1, -1};
    pid_t parent = getpid();
    bool piped = !reads || pipe(ends) == 0;
    ASSERT(piped);
    FILE *stream = reads ? fdopen(ends[0], "rb") : NULL;
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0)
        judge_as_child(lab, parent, to_the_end, message, reads ? fdopen(ends[1], "wb") : NULL);
    if (reads) {
        ASSERT(stream != NULL);
        (void)close(ends[1]);
        bool came = observation_receive(lab->seen, stream);
        (void)fclose(stream);
        ASSERT(came);
    }
    await(child);
    ASSERT(message->given);
}

static void judge_now(struct lab *lab, const char *after, bool to_the_end, bool reads)
{
    lab->run.boot_unjudged = lab->run.unseen = false;
    if (lab->record == NULL && !reads)
        return; /* a run that only measures */
    uint64_t start = progress_now_ns();
    struct message *message =
        mmap(NULL, sizeof(*message), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(message != MAP_FAILED);
    judge_in_child(lab, to_the_end, reads, message);
    if (lab->record != NULL) {
        lab_calendar_note_loss(lab, message->verdict.level);
        add(lab, after, &message->verdict);
    }
    (void)munmap(message, sizeof(*message));
    lab->times.judge_ns += progress_now_ns() - start;
}

bool lab_awaits_resume(const struct lab *lab)
{
    return lab->run.resumes && lab->run.boot_unjudged && workload_has_dead(&lab->work);
}

/* The applications go on with what lab->seen has. */
static void resume(struct lab *lab)
{
    char detail[RECORD_DETAIL_BYTES];
    bool classic = lab_variant(lab)->design->classic;
    if (!history_rebase(lab->history, lab->seen, lab_now(lab), classic)) {
        lab_event(lab, "app", "stopped", "not all could be read: nobody starts again");
        return;
    }
    uint32_t count = workload_resume(&lab->work);
    (void)snprintf(detail, sizeof(detail), "%" PRIu32 " start again", count);
    lab_event(lab, "app", "restart", detail);
}

void lab_judge_boot(struct lab *lab)
{
    bool resumes = lab_awaits_resume(lab);
    judge_now(lab, "boot", false, resumes);
    if (resumes)
        resume(lab);
}

void lab_judge_strike(struct lab *lab)
{
    judge_now(lab, "strike", true, false);
}
