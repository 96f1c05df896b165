/* Finding the laboratory's own memory, closing and opening it. */
#include "sim/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "assertion.h"
#include "sim/address_plan.h"

#define PAGE_BYTES UINT64_C(4096)
#define LINE_BYTES 512
/* Around the thread pointer: its variables below, the C library's and the kernel's words above.
 * Assumption: no library has more; the host may join its mapping with ours. */
#define THREAD_BELOW_BYTES (16 * PAGE_BYTES)
#define THREAD_ABOVE_BYTES (4 * PAGE_BYTES)

struct mapping {
    uint64_t low, high;
    bool writable, file, continued; /* continued: begins where one with a file ended */
};

/* "low-high rw-p offset device inode path": whether it is such a line. */
static bool read_line(const char *line, struct mapping *m)
{
    char *end;
    bool file_before = m->file;
    uint64_t before = m->high;
    m->low = strtoull(line, &end, 16);
    if (*end != '-')
        return false; /* the rest of a line with a long path */
    m->high = strtoull(end + 1, &end, 16);
    m->writable = strncmp(end, " rw-p", 5) == 0;
    const char *field = end + 1;
    for (uint32_t skip = 0; skip < 3 && field != NULL; skip++) {
        field = strchr(field, ' ');
        field = field != NULL ? field + 1 : NULL;
    }
    bool anonymous = field != NULL && strtoull(field, NULL, 10) == 0;
    m->continued = file_before && m->low == before;
    m->file = !anonymous || m->continued; /* the zeroed globals behind a file's are its, too */
    return true;
}

static bool contains(const struct mapping *m, const void *address)
{
    uint64_t at = (uint64_t)(uintptr_t)address;
    return m->low <= at && at < m->high;
}

static bool is_closed_by_us(const struct mapping *m)
{
    bool region = (m->low ^ sim_plan_base(0)) >> 42 == 0; /* regions are closed for themselves */
    return m->writable && !m->file && !region && !contains(m, __builtin_frame_address(0));
}

struct span {
    uint64_t low, high;
};

/* Adds a span without the holes. */
static void add(struct sim_guard *guard, struct span s, const struct span *hole, uint32_t holes)
{
    if (s.low >= s.high)
        return;
    if (holes > 0) {
        uint64_t end = s.high < hole->low ? s.high : hole->low;
        uint64_t begin = s.low > hole->high ? s.low : hole->high;
        add(guard, (struct span){s.low, end}, hole + 1, holes - 1);
        add(guard, (struct span){begin, s.high}, hole + 1, holes - 1);
        return;
    }
    ASSERT(guard->count < SIM_GUARD_SPANS_MAX);
    guard->low[guard->count] = s.low;
    guard->high[guard->count++] = s.high;
}

#ifdef __SANITIZE_ADDRESS__
/* The sanitizer's shadow is written by all code. */
static FILE *open_maps(void)
{
    return NULL;
}
#else
static FILE *open_maps(void)
{
    return fopen("/proc/self/maps", "re");
}
#endif

bool sim_guard_scan(struct sim_guard *guard, const void *keep, size_t keep_bytes)
{
    uint64_t low = (uint64_t)(uintptr_t)keep, high = low + keep_bytes;
    uint64_t thread = (uint64_t)(uintptr_t)&errno & ~(PAGE_BYTES - 1);
    const struct span holes[] = {{low, high},
                                 {thread - THREAD_BELOW_BYTES, thread + THREAD_ABOVE_BYTES}};
    ASSERT(!guard->closed);
    ASSERT(low % PAGE_BYTES == 0 && keep_bytes % PAGE_BYTES == 0);
    ASSERT((uintptr_t)guard >= low && (uintptr_t)(guard + 1) <= high);
    FILE *maps = open_maps();
    struct mapping m = {0};
    char line[LINE_BYTES];
    guard->keep_low = low;
    guard->keep_high = high;
    guard->count = 0;
    if (maps == NULL)
        return false;
    while (fgets(line, sizeof(line), maps) != NULL) {
        if (read_line(line, &m) && is_closed_by_us(&m))
            add(guard, (struct span){m.low, m.high}, holes, 2);
    }
    fclose(maps);
    return true;
}

/* Whether all of it is still mapped. */
static bool protect(uint64_t low, uint64_t high, int access)
{
    return low >= high || mprotect((void *)(uintptr_t)low, high - low, access) == 0;
}

void sim_guard_close(struct sim_guard *guard, const void *open, size_t open_bytes)
{
    uint64_t low = (uint64_t)(uintptr_t)open & ~(PAGE_BYTES - 1);
    uint64_t high = ((uint64_t)(uintptr_t)open + open_bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    ASSERT(!guard->closed);
    ASSERT(guard->keep_low <= low && low < high && high <= guard->keep_high);
    guard->closed = true;
    for (uint32_t i = 0; i < guard->count; i++)
        (void)protect(guard->low[i], guard->high[i], PROT_NONE); /* given back since: no harm */
    bool kept =
        protect(guard->keep_low, low, PROT_READ) && protect(high, guard->keep_high, PROT_READ);
    if (!kept) /* nothing may be asserted before it is open again */
        sim_guard_open(guard);
    ASSERT(kept);
}

void sim_guard_open(struct sim_guard *guard)
{
    if (!guard->closed)
        return;
    bool kept = protect(guard->keep_low, guard->keep_high, PROT_READ | PROT_WRITE);
    for (uint32_t i = 0; i < guard->count; i++)
        (void)protect(guard->low[i], guard->high[i], PROT_READ | PROT_WRITE);
    ASSERT(kept);
    guard->closed = false;
}
