/*
 * Which request a message is, so that it is known again when it is sent once more: to a fresh
 * instance, by another number, with other grants, in another recovery session. For `repeat:
 * same-request`: a bug that one request triggers.
 */
#ifndef LORIS_FAULTS_REQUEST_H
#define LORIS_FAULTS_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/machine.h"

#define REQUEST_KEY_WORDS 8u

/* type 0: none. Of a batch of blocks (object.h) it is the first block: the request is met again by
 * every batch that has it. */
struct request_key {
    uint32_t type;
    uint64_t word[REQUEST_KEY_WORDS];
};

/*
 * The key of a message that is about to be delivered to (layer, instance) (in on_message of the
 * machine's observer). False, and no key: it is no request, or one that is about nothing in
 * particular, as a flush is.
 */
bool request_key_of(struct sim_machine *m, enum layer layer, uint32_t instance,
                    struct request_key *key);

/* Whether the message that is about to be delivered there is that request. tries: after so many
 * attempts naming is only asked whether it was done (vfs.h), which is another request. */
bool request_is(struct sim_machine *m, enum layer layer, uint32_t instance,
                const struct request_key *key, uint32_t tries);

#endif
