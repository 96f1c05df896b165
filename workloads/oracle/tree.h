/*
 * The inside of an observation. Private to this folder.
 *
 * Invariants: (1) node 0 is none; children come after their directory; (2) chunks of a node ascend
 * and do not overlap; two readable ones that touch are one.
 */
#ifndef LORIS_WORKLOADS_ORACLE_TREE_H
#define LORIS_WORKLOADS_ORACLE_TREE_H

#include "workloads/oracle/observe.h"

struct chunk {
    uint64_t from, to;
    enum err result;
    uint64_t place; /* in the pool, if result is OK */
    uint32_t next;
};

/* An extended attribute, by digests (content.h). */
struct node_xattr {
    uint64_t name, value;
    uint32_t next;
};

struct node {
    uint32_t parent, child, next; /* 0: none; children newest first */
    uint32_t environment;
    uint32_t text, text_bytes; /* name in the pool of texts */
    uint32_t type;             /* as readdir says; 0: it does not */
    enum err stat_result, listing_result, target_result;
    struct history_stat stat;
    uint32_t chunk, last_chunk;
    uint32_t target, target_bytes;
    uint32_t xattr;  /* told last */
    uint32_t object; /* the judge's */
    bool shared_root, root;
    bool data_told;
};

struct observation {
    struct node *nodes;
    uint32_t node_count, node_room;
    struct chunk *chunks;
    uint32_t chunk_count, chunk_room;
    struct node_xattr *xattrs;
    uint32_t xattr_count, xattr_room;
    char *text;
    uint32_t text_bytes, text_room;
    uint8_t *pool;
    uint64_t pool_bytes, pool_room;
    uint32_t errors;
};

/* The root of an environment, or of the shared tree as it sees it; 0: not observed. */
uint32_t observation_root(const struct observation *o, uint32_t environment, bool shared);

#endif
