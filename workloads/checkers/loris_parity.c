#include "workloads/checkers/loris_parity.h"

#include "assertion.h"

static uint8_t twice(uint8_t a)
{
    return (uint8_t)(a << 1 ^ (a >> 7) * 0x1du);
}

bool loris_parity_holds(const uint8_t (*content)[PARITY_BLOCK], uint32_t slots, uint32_t parities,
                        uint32_t first, uint32_t which)
{
    ASSERT(which < parities && parities < slots);
    const uint8_t *stored = content[(first + which) % slots];
    for (uint32_t at = 0; at < PARITY_BLOCK; at++) {
        uint8_t sum = 0;
        for (uint32_t d = slots - parities; d-- > 0;) {
            sum = which == 0 ? sum : twice(sum);
            sum ^= content[(first + parities + d) % slots][at];
        }
        if (sum != stored[at])
            return false;
    }
    return true;
}
