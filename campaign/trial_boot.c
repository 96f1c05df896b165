/*
 * The judgement of a boot that something follows: applications that go on, another fault. It reads
 * the whole tree, which costs virtual time, fills caches and may even repair; so it is made in a
 * forked child, whose machine is a copy of the trial's and ends with it. The trial itself keeps its
 * hash, its clock and the moments of all faults to come.
 *
 * The child's verdict comes back through a page that both share. A child that dies is a defect of
 * the laboratory, as it would have been in the trial.
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

struct message {
    struct judge_verdict verdict;
    bool given;
};

static _Noreturn void judge_as_child(struct lab *lab, pid_t parent, struct message *message)
{
    worker_die_with((int)parent);
    lab->tell = NULL;
    lab->record = NULL;
    injector_disarm(lab->injector); /* what is still to strike does not strike the reader */
    lab_judge_walk(lab, &message->verdict);
    message->given = true;
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

/* Adds the verdict to those of the boots before. */
static void add(struct lab *lab, struct judge_verdict *verdict)
{
    char story[JUDGE_STORY_BYTES], detail[RECORD_DETAIL_BYTES];
    uint32_t number = ++lab->boots_judged;
    memcpy(story, verdict->story, sizeof(story));
    (void)snprintf(detail, sizeof(detail), "after boot %" PRIu32 ": %s%s%.80s", number,
                   level_name(verdict->level), story[0] == '\0' ? "" : ", ", story);
    lab_event(lab, "oracle", "judged", detail);
    if (verdict->apps_broken > 0)
        lab_event(lab, "oracle", "app-broken", verdict->broken_invariant);
    if (story[0] != '\0')
        (void)snprintf(verdict->story, sizeof(verdict->story), "after boot %" PRIu32 ": %.*s",
                       number, (int)(sizeof(story) - 32), story);
    if (number == 1)
        lab->boots = *verdict;
    else
        judge_join(&lab->boots, verdict);
}

void lab_judge_boot(struct lab *lab)
{
    lab->run.boot_unjudged = false;
    if (lab->record == NULL)
        return; /* a run that only measures */
    uint64_t start = progress_now_ns();
    pid_t parent = getpid();
    struct message *message =
        mmap(NULL, sizeof(*message), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(message != MAP_FAILED);
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0)
        judge_as_child(lab, parent, message);
    await(child);
    ASSERT(message->given);
    add(lab, &message->verdict);
    (void)munmap(message, sizeof(*message));
    lab->times.judge_ns += progress_now_ns() - start;
}
