#include "results/reached.h"

#include "assertion.h"

#define PROBE_NAME(id, name, doc) [id] = name,
#define PROBE_DOC(id, name, doc) [id] = doc,
static const char *const names[PROBE_COUNT] = {PROBE_LIST(PROBE_NAME)};
static const char *const docs[PROBE_COUNT] = {PROBE_LIST(PROBE_DOC)};

/* FNV-1a, 32 bits, each name with its end. */
int32_t reached_sum(void)
{
    uint32_t sum = UINT32_C(0x811c9dc5);
    for (int i = 0; i < PROBE_COUNT; i++)
        for (const char *p = names[i];; p++) {
            sum = (sum ^ (uint8_t)*p) * UINT32_C(0x01000193);
            if (*p == 0)
                break;
        }
    return (int32_t)(sum >> 1);
}

const char *reached_name(enum probe probe)
{
    ASSERT((unsigned)probe < PROBE_COUNT);
    return names[probe];
}

const char *reached_about(enum probe probe)
{
    ASSERT((unsigned)probe < PROBE_COUNT);
    return docs[probe];
}
