/*
 * What one environment sees of the tree that was read back, and the judge's working memory. Private
 * to this folder.
 *
 * A *sight* is the part of an observation that belongs to one environment: its own tree and the
 * shared one. Names whose stats have one inode number are one *object*. Which inode of the history
 * an object is follows from its names and contents: under a cut (cut.h) the cut says so, without
 * one (versions.h) the best fit does.
 */
#ifndef LORIS_WORKLOADS_ORACLE_SIGHT_H
#define LORIS_WORKLOADS_ORACLE_SIGHT_H

#include "workloads/oracle/judge.h"
#include "workloads/oracle/tree.h"
#include "workloads/oracle/values.h"

struct object {
    uint32_t node;       /* its first name */
    uint32_t data_node;  /* the name whose contents were told; else the first */
    uint32_t names;      /* in this sight */
    uint32_t elsewhere;  /* names in the own trees of other environments */
    uint32_t inode;      /* identity under `stamp` */
    uint32_t stamp;      /* evaluation that gave the identity */
    uint32_t memo_inode; /* last identity whose bytes were compared, up to memo_effect */
    uint32_t memo_effect;
    bool memo_right, memo_valid;
    bool known; /* stat came */
};

/* Per node of the observation. */
struct glimpse {
    uint32_t object, next_name; /* 0: ignored, or of another environment */
    uint32_t dir, slot;         /* the slot of its name if its directory is inode dir */
};

/* The operations of one application that have effects in this sight, in order. */
struct sequence {
    uint32_t first, count; /* in judge.ops */
    uint32_t full;         /* the shortest prefix with all that was answered OK */
    uint32_t synced;       /* the shortest with all that is synced */
    uint32_t component;    /* applications whose effects meet have the same */
    uint32_t fits;         /* place in judge.fits of position 0 */
};

/* A name of the cut that leads to one of several inodes: which option is tried, and if one is left.
 */
#define CHOICES_MAX 64u /* assumption: more names do not race in one tree */
struct choice_of_inode {
    uint8_t next;
    bool more;
};

/* The first thing that kept a sight from a level. */
struct flaw {
    enum history_clause clause;
    uint32_t op;
    char story[JUDGE_STORY_BYTES];
};

/* An effect of the operation is gone; one that was synced. */
#define LOST 1u
#define LOST_SYNCED 2u

struct judge {
    struct order *order; /* search of other orders, made when it is first needed */
    const struct history *h;
    const struct observation *o;
    uint32_t environment;
    uint32_t root[2]; /* nodes: its own tree, the shared one; 0: not observed */

    struct object *objects;
    uint32_t object_count, object_room;
    struct glimpse *glimpses; /* as nodes */
    uint32_t glimpse_room;
    uint32_t *numbers; /* hash: inode number -> object */
    uint32_t number_count, number_room;

    uint32_t *slot_stamp, *slot_owner; /* as slots */
    uint32_t slot_stamp_room, slot_owner_room;
    uint32_t *inode_stamp, *inode_owner; /* as operations */
    uint32_t inode_stamp_room, inode_owner_room;
    uint32_t stamp;

    struct sequence sequence[HISTORY_APPS_MAX];
    uint32_t *ops, *rank; /* ranks by operation, UINT32_MAX: no effect here */
    uint32_t ops_count, ops_room, rank_room;
    uint8_t *fits; /* per position: 0 unknown, 1 explains, 2 does not */
    uint32_t fits_count, fits_room;
    uint32_t position[HISTORY_APPS_MAX];
    uint32_t component; /* that is evaluated */
    uint32_t evaluations;
    struct choice_of_inode choice[CHOICES_MAX]; /* in the order in which names are looked at */
    uint32_t doubts, doubt;                     /* that are chosen; met in this evaluation */
    bool unsure;                                /* some choice was not tried */

    uint8_t *lost; /* per operation: LOST, LOST_SYNCED */
    uint32_t lost_room;
    uint8_t *halves; /* per operation: what is known of a commit (versions.c) */
    uint32_t halves_room;
    uint64_t bytes_wrong;
    bool hidden;      /* some names, or what they lead to, could not be read */
    uint32_t errors;  /* what could not be read in this sight */
    struct flaw flaw; /* of what is judged now */
    struct range_work work;
};

/* The tick before which what ended is synced. */
uint32_t sight_name_tick(const struct history *h, uint32_t slot);
uint32_t sight_inode_tick(const struct history *h, uint32_t inode);

/* Whether this effect is synced. */
bool sight_effect_synced(const struct history *h, const struct effect *e);

/* The fsync or sync behind a synced effect: the last one that covers its slot. O(log operations).
 */
uint32_t sight_sync_of(const struct history *h, const struct effect *e);

/* The operation's number among those of the applications, as `at: {op: N}` counts; 0: of none, it
 * is of the roots, or was found by the last boot. */
uint32_t sight_op_number(const struct history *h, uint32_t op);

/* Whether an operation that was answered OK has a synced effect. */
bool sight_op_synced(const struct history *h, uint32_t op);

/* Takes up the environment. Returns false, with j->flaw, if the tree is not sound in itself. */
bool sight_init(struct judge *j, const struct history *h, const struct observation *o,
                uint32_t environment);

/* Keeps as the flaw's story, if it has none, the first thing that could not be read and said so. */
void sight_error(struct judge *j);

/* Whether this name is not judged: lost+found in a root. */
bool sight_ignored(const struct judge *j, uint32_t node);

/* The slot of a node's name if its directory is `dir`, or 0. */
uint32_t sight_slot(struct judge *j, uint32_t node, uint32_t dir);

/* The path of a node, in to[0, room), cut where needed. */
void sight_path(const struct judge *j, uint32_t node, char *to, size_t room);

/* Keeps the flaw if it is the first, or if what was kept is only CLAUSE_SYNCED. node may be 0. */
void sight_flaw(struct judge *j, enum history_clause clause, uint32_t op, uint32_t node,
                const char *form, ...) __attribute__((format(printf, 5, 6)));

#endif
