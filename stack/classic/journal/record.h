/*
 * What is in the log (FORMAT.md): its superblock, headers of transactions, tags of images, the
 * commit.
 */
#ifndef LORIS_STACK_CLASSIC_JOURNAL_RECORD_H
#define LORIS_STACK_CLASSIC_JOURNAL_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "block.h"

#define RECORD_HEADER_BYTES 64u
#define RECORD_TAG_BYTES 24u
#define RECORD_TAGS 168u     /* images of one header */
#define RECORD_REVOKES 1008u /* blocks of one header */
#define RECORD_ORPHANS_MAX 96u
#define LOG_SUPERBLOCKS 2u

enum record_type { RECORD_IMAGES = 1, RECORD_REVOKED, RECORD_COMMIT };

struct record {
    enum record_type type;
    uint64_t epoch, txid, position;
    uint32_t count; /* images, revoked blocks, or orphans */
};

struct log_super {
    uint64_t uuid[2];
    uint64_t epoch, tail, tail_txid;
    uint32_t blocks; /* of the log, superblocks included */
    uint32_t orphans;
    uint32_t orphan[RECORD_ORPHANS_MAX];
};

struct commit {
    uint32_t blocks; /* of the transaction, this one included */
    uint64_t time_ns;
    uint32_t crc; /* over the checksums of all its headers */
    const uint32_t *orphan;
};

/* Ends a block of tags or revoked numbers: header and checksum. Returns the checksum. */
uint32_t record_seal(uint8_t page[BLOCK_BYTES], const struct record *r);
/* Whether this is the record that should be here: type is filled, the others must agree.
 * *crc: its checksum. E_CORRUPT else. */
MUST_USE enum err record_open(const uint8_t page[BLOCK_BYTES], struct record *r, uint32_t *crc);
void record_tag(uint8_t page[BLOCK_BYTES], uint32_t k, uint32_t home, uint32_t crc);
void record_tag_get(const uint8_t page[BLOCK_BYTES], uint32_t k, uint32_t *home, uint32_t *crc);
/* Of an image: also over the transaction's number. */
uint32_t record_image_crc(uint64_t txid, const uint8_t image[BLOCK_BYTES]);
void record_revoke(uint8_t page[BLOCK_BYTES], uint32_t k, uint32_t block);
uint32_t record_revoked(const uint8_t page[BLOCK_BYTES], uint32_t k);
void record_commit(uint8_t page[BLOCK_BYTES], const struct record *r, const struct commit *c);
/* After record_open: the rest of it; orphan has room for RECORD_ORPHANS_MAX. Returns how many there
 * are. */
uint32_t record_commit_get(const uint8_t page[BLOCK_BYTES], struct commit *c, uint32_t *orphan);

/* Whether this is the commit of some transaction of this epoch, `txid` or a later one, that belongs
 * at this position. */
bool record_commits_later(const uint8_t page[BLOCK_BYTES], uint64_t epoch, uint64_t position,
                          uint64_t txid);

void log_super_encode(uint8_t page[BLOCK_BYTES], const struct log_super *s);
MUST_USE enum err log_super_decode(struct log_super *s, const uint8_t page[BLOCK_BYTES]);

#endif
