/*
 * The verdict of a trial: which level (levels.h) holds, in each environment and over all, and what
 * was lost. README.md has the rules, and the order in which they are tried.
 *
 * The judge compares three things: the history (what applications asked and were told), the
 * observation (what was read back at the end), and what the trial runner knows of the machine (who
 * died of what, what the checker said). It changes none of them.
 */
#ifndef LORIS_WORKLOADS_ORACLE_JUDGE_H
#define LORIS_WORKLOADS_ORACLE_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "levels.h"
#include "workloads/oracle/history.h"
#include "workloads/oracle/observe.h"

/* What the design's own checker said of the raw disks. */
struct judge_checker {
    bool ran;         /* false: this design has none, or it could not run */
    bool ok;          /* sound, leaks apart */
    uint64_t leaks;   /* blocks that nobody uses and nobody can get: counted, no fault */
    uint64_t damages; /* broken invariants that redundancy does not mend */
};

enum judge_remount {
    JUDGE_REMOUNT_SKIPPED, /* not done (an intermediate judgement) */
    JUDGE_REMOUNT_AGREES,
    JUDGE_REMOUNT_DIFFERS,
    JUDGE_REMOUNT_FAILED /* would not stop or would not mount again */
};

enum judge_probe { JUDGE_PROBE_SKIPPED, JUDGE_PROBE_PASSED, JUDGE_PROBE_FAILED };

/* Why a machine is dead; the order is that of severity for the story only. */
enum judge_machine {
    JUDGE_MACHINE_RUNS,
    JUDGE_MACHINE_NO_MOUNT, /* an environment's stack refuses to mount */
    JUDGE_MACHINE_HANGS,    /* no progress within the limit */
    JUDGE_MACHINE_RECOVERS  /* recovery does not end within the limit */
};

struct judge_input {
    const struct history *history;
    const struct observation
        *observed;                   /* (a); NULL if nothing could be read: then machine says why */
    const struct observation *again; /* (b) after the remount, or NULL */
    struct judge_checker checker;    /* (c) */
    enum judge_remount remount;      /* of (b), besides what the two observations say */
    enum judge_probe probe[HISTORY_ENVIRONMENTS_MAX];     /* (d) */
    enum judge_machine machine[HISTORY_ENVIRONMENTS_MAX]; /* for all: the same in each */
    bool degraded; /* the design is now read-only or refuses service and says so: then a failed
                      probe counts as an error, not as death */
};

#define JUDGE_STORY_BYTES 160u

struct judge_environment {
    enum level level;
    uint32_t killed;            /* applications that died */
    bool hit;                   /* noticed more than a delay: an error, a death, a loss */
    enum history_clause clause; /* the first one that kept it from a stronger level */
};

struct judge_verdict {
    enum level level; /* the weakest of the environments */
    struct judge_environment environment[HISTORY_ENVIRONMENTS_MAX];
    uint32_t environments;
    uint32_t environments_hit;
    bool undecided; /* a search bound was reached: the level may be too weak */

    uint32_t apps_broken; /* invariants of applications (invariants.h), beside the level */
    char broken_invariant[JUDGE_STORY_BYTES]; /* the first of them; "" if none */

    uint64_t ops;         /* operations that were answered, OK or not */
    uint64_t ops_failed;  /* of these, by an error that a fault causes */
    uint64_t ops_lost;    /* answered OK, with an effect that is gone and was not overwritten */
    uint64_t synced_lost; /* of these, the ones of which a synced effect is gone */
    uint64_t bytes_wrong; /* returned without an error, and wrong */
    uint64_t leaked_blocks;
    int64_t
        rpo_ns; /* first fault - start of the earliest lost operation, at least 1; 0: none lost */

    uint64_t fault_ns, detected_ns, service_ns; /* marks: first, first, last; HISTORY_NEVER: none */
    int64_t recovery_ns;                     /* service - detected; -1: not reached or not needed */
    const char *detected_by;                 /* layer of the first detection, or NULL */
    uint64_t outage_wait_ns[HISTORY_KINDS];  /* longest wait by kind that overlaps the outage */
    uint64_t longest_wait_ns[HISTORY_KINDS]; /* longest wait by kind in the whole trial */

    enum history_clause clause;    /* of the weakest environment */
    uint32_t clause_op;            /* the operation that it concerns, or 0 */
    char story[JUDGE_STORY_BYTES]; /* "mail/f3 block 3, synced by op 17, reads op 9"; "" if none */
};

struct judge; /* working memory, kept from one trial to the next */

struct judge *judge_create(void);
void judge_destroy(struct judge *j);

/* Judges. O(effects + bytes read back) unless several applications shared what they wrote. */
void judge_trial(struct judge *j, const struct judge_input *input, struct judge_verdict *verdict);

/*
 * Adds what an earlier boot of the same trial found to the verdict of its end: of each environment
 * and over all the weaker level with its reason, the larger loss, undecided if either is. Answers,
 * times and deaths stay those of the end, which knows them all.
 */
void judge_join(struct judge_verdict *verdict, const struct judge_verdict *earlier);

/*
 * The outage: the longest wait that overlaps the outage, less the longest wait
 * of its kind in the fault-free run of the same trial (NULL: nothing is taken off). A difference
 * below JUDGE_SAME_WAIT_NS counts as none: runs of the same work differ by that much, since a fault
 * cuts a slice of the CPU and the slices after it meet the clock some blocks sooner or later.
 */
#define JUDGE_SAME_WAIT_NS 50000
uint64_t judge_outage_ns(const struct judge_verdict *faulty,
                         const struct judge_verdict *fault_free);

#endif
