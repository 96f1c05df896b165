/* What store.c (rows) and store_open.c (files, plans) share: the open store. */
#ifndef LORIS_RESULTS_STORE_PRIVATE_H
#define LORIS_RESULTS_STORE_PRIVATE_H

#include "results/store.h"

enum statement {
    INSERT_TRIAL,
    INSERT_LATENCY,
    INSERT_EVENT,
    INSERT_ENVIRONMENT,
    INSERT_BIN,
    INSERT_EXPLORED,
    SELECT_TRIAL,
    STATEMENT_COUNT
};

/* Kind of a row of table `bin` that belongs to the timeline; smaller ones are phases. */
#define BIN_TIMELINE 3

/* Kind of a row that counts the trials which reached a probe: `bin`, of the list `bucket`. */
#define BIN_PROBE 4

/* One addend of table `bin`, kept in memory until the batch ends. */
struct store_bin {
    uint32_t cell;
    uint32_t kind;
    int32_t bucket;
    uint32_t bin;
    uint64_t n, sum_ns;
};

/* The table in which the bins of a batch are added up: 5 MB (an assumption). */
#define STORE_BIN_BITS 17
#define STORE_BIN_SLOTS (1u << STORE_BIN_BITS)

struct store {
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENT_COUNT];
    int lock_fd;         /* holds the writer's lock until the connection is closed */
    uint32_t cell_count; /* of the plan */
    bool finished;
    bool in_batch; /* a transaction is open */
    bool failed;   /* the disk failed: nothing more is written */
    enum err why;  /* if failed */
    uint32_t batch_trials;
    uint64_t batch_start_ns;
    struct store_bin *bins; /* STORE_BIN_SLOTS, those with n = 0 free */
    size_t bin_count;
    char error[STORE_ERROR_BYTES];
};

/* Prepares all statements. Returns OK or E_MEDIA with the store's error set. */
MUST_USE enum err store_prepare(struct store *store);

#endif
