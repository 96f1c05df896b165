/* A trace as text: JSON of the trace event format, and what a run that was stopped tells. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "campaign/cli.h"
#include "campaign/replay_trace_private.h"

#define TOLD_LAST 10u /* events */

/* Microseconds with three digits behind the point, of integers: a double loses ns after 104 days.
 */
static void write_time(FILE *to, const char *key, uint64_t ns)
{
    (void)fprintf(to, ", \"%s\": %" PRIu64 ".%03u", key, ns / 1000, (unsigned)(ns % 1000));
}

static void write_name(FILE *to, const struct trace_mark *mark)
{
    char name[64];
    (void)fputs(", \"name\": ", to);
    if (mark->name == NULL && mark->text == NULL)
        trace_message_name(mark->type, name, sizeof(name));
    else
        (void)snprintf(name, sizeof(name), "%.*s",
                       (int)strcspn(mark->name != NULL ? mark->name : mark->text, "\n"),
                       mark->name != NULL ? mark->name : mark->text);
    cli_json_text(to, name);
}

static void write_id(FILE *to, const struct trace_mark *mark)
{
    (void)fprintf(to, ", \"id\": \"%" PRIu64 "\"", mark->id);
}

static void write_about(FILE *to, const struct trace_mark *mark)
{
    const char *about = mark->text != NULL ? mark->text : mark->range;
    if (about[0] == '\0')
        return;
    (void)fputs(", \"about\": ", to);
    cli_json_text(to, about);
}

/* What a kind of mark has of its own. Closes its object "args". */
static void write_rest(FILE *to, const struct trace_mark *mark)
{
    static const char *const scopes[] = {
        [TRACE_SENT] = "t", [TRACE_POINT] = "t", [TRACE_EVENT] = "p", [TRACE_FAULT] = "g"};
    switch (mark->kind) {
    case TRACE_SLICE:
        write_time(to, "dur", mark->dur_ns);
        break;
    case TRACE_SENT:
        if (!mark->paired)
            (void)fputs(", \"s\": \"t\"", to);
        else
            write_id(to, mark);
        break;
    case TRACE_GIVEN:
        write_id(to, mark);
        (void)fputs(", \"bp\": \"e\"", to);
        break;
    case TRACE_BEGUN:
    case TRACE_ENDED:
        write_id(to, mark);
        break;
    case TRACE_COUNTER:
        (void)fprintf(to, ", \"args\": {\"count\": %" PRIu64 "}", mark->count);
        return;
    case TRACE_POINT:
    case TRACE_EVENT:
    case TRACE_FAULT:
        (void)fprintf(to, ", \"s\": \"%s\"", scopes[mark->kind]);
        break;
    }
    (void)fprintf(to, ", \"args\": {\"event\": %" PRIu64, mark->event);
    if (mark->kind == TRACE_BEGUN)
        (void)fprintf(to, ", \"sector\": %" PRIu64 ", \"sectors\": %" PRIu64, mark->first,
                      mark->count);
    if (mark->kind == TRACE_SLICE && mark->name == NULL)
        (void)fprintf(to, ", \"id\": %" PRIu32, mark->number);
    if (mark->kind == TRACE_SLICE)
        (void)fprintf(to, ", \"result\": %" PRId32, mark->status);
    write_about(to, mark);
    (void)fputc('}', to);
}

static void write_mark(FILE *to, const struct trace_mark *mark)
{
    static const struct {
        const char *ph, *category;
    } kinds[] = {
        [TRACE_SLICE] = {"X", "process"}, [TRACE_SENT] = {"s", "message"},
        [TRACE_GIVEN] = {"f", "message"}, [TRACE_BEGUN] = {"b", "io"},
        [TRACE_ENDED] = {"e", "io"},      [TRACE_COUNTER] = {"C", "disk"},
        [TRACE_POINT] = {"i", "process"}, [TRACE_EVENT] = {"i", "stack"},
        [TRACE_FAULT] = {"i", "fault"},
    };
    bool lost = mark->kind == TRACE_SENT && !mark->paired; /* nobody took it: no flow */
    (void)fprintf(
        to, ",\n{\"ph\": \"%s\", \"cat\": \"%s\", \"pid\": %" PRIu32 ", \"tid\": %" PRIu32,
        lost ? "i" : kinds[mark->kind].ph, kinds[mark->kind].category, mark->pid, mark->tid);
    write_time(to, "ts", mark->ts_ns);
    write_name(to, mark);
    write_rest(to, mark);
    (void)fputc('}', to);
}

/* ---- Names of tracks --------------------------------------------------------------------------
 */

static void write_meta(FILE *to, const char *what, uint32_t pid, uint32_t tid, const char *name)
{
    (void)fprintf(to,
                  ",\n{\"ph\": \"M\", \"name\": \"%s\", \"pid\": %" PRIu32 ", \"tid\": %" PRIu32
                  ", \"args\": {\"name\": ",
                  what, pid, tid);
    cli_json_text(to, name);
    (void)fputs("}}", to);
}

static void write_process(FILE *to, uint32_t pid, const char *name, uint32_t number, bool numbered)
{
    char text[64];
    (void)snprintf(text, sizeof(text), numbered ? "%s %" PRIu32 : "%s", name, number);
    write_meta(to, "process_name", pid, 0, text);
    (void)fprintf(to,
                  ",\n{\"ph\": \"M\", \"name\": \"process_sort_index\", \"pid\": %" PRIu32
                  ", \"tid\": 0, \"args\": {\"sort_index\": %" PRIu32 "}}",
                  pid, pid);
}

/* Names a process of the viewer, of which this is the first track. */
static void write_process_of(FILE *to, uint32_t pid)
{
    if (pid >= TRACE_PHYSICAL)
        write_process(to, pid, "physical and driver", pid - TRACE_PHYSICAL, true);
    else if (pid >= TRACE_CACHE)
        write_process(to, pid,
                      pid == TRACE_CACHE     ? "cache"
                      : pid == TRACE_FS      ? "file system"
                      : pid == TRACE_LOGICAL ? "logical"
                                             : "raid",
                      0, false);
    else if (pid >= TRACE_ENVIRONMENT)
        write_process(to, pid, "environment", pid - TRACE_ENVIRONMENT, true);
}

static void write_tracks(const struct replay_tracer *t, FILE *to)
{
    write_process(to, TRACE_MACHINE, "machine", 0, false);
    write_meta(to, "thread_name", TRACE_MACHINE, TRACE_OF_FAULTS, "faults");
    write_meta(to, "thread_name", TRACE_MACHINE, TRACE_OF_STACK, "stack");
    write_meta(to, "thread_name", TRACE_MACHINE, TRACE_OF_ORACLE, "oracle");
    for (uint32_t d = 0; t->machine != NULL && d < sim_machine_disks(t->machine); d++)
        write_process(to, TRACE_DISK + d, "disk", d, true);
    for (size_t k = 0; k < t->tracks; k++) {
        bool named = false;
        for (size_t i = 0; i < k && !named; i++)
            named = t->track[i].pid == t->track[k].pid;
        if (!named)
            write_process_of(to, t->track[k].pid);
        write_meta(to, "thread_name", t->track[k].pid, t->track[k].tid, t->track[k].name);
    }
}

/* ---- The whole --------------------------------------------------------------------------------
 */

static int by_time(const void *a, const void *b)
{
    const struct trace_mark *x = a, *y = b;
    if (x->ts_ns != y->ts_ns)
        return x->ts_ns < y->ts_ns ? -1 : 1;
    return x->event < y->event ? -1 : x->event > y->event;
}

void replay_tracer_record(const struct replay_tracer *t, FILE *to)
{
    for (size_t k = 0; k < t->count; k++) {
        uint8_t raw[8];
        ASSERT(t->mark[k].event == k + 1);
        put_le64(raw, t->mark[k].hash);
        (void)fwrite(raw, sizeof(raw), 1, to);
    }
}

void replay_tracer_write(struct replay_tracer *t, FILE *to)
{
    trace_finish(t);
    (void)fprintf(to,
                  "{\"displayTimeUnit\": \"ns\", \"otherData\": {\"time_0_ns\": %" PRIu64
                  ", \"events\": %zu}, \"traceEvents\": [\n{\"ph\": \"M\", \"name\": "
                  "\"trace\", \"pid\": 1, \"tid\": 0, \"args\": {}}",
                  t->zero_ns, t->count);
    write_tracks(t, to);
    qsort(t->mark, t->count, sizeof(*t->mark), by_time);
    for (size_t k = 0; k < t->count; k++)
        write_mark(to, &t->mark[k]);
    (void)fputs("\n]}\n", to);
}

static void tell_mark(const struct trace_mark *mark, FILE *to)
{
    static const char *const kinds[] = {
        [TRACE_SLICE] = "handle", [TRACE_SENT] = "send",  [TRACE_GIVEN] = "receive",
        [TRACE_BEGUN] = "begin",  [TRACE_ENDED] = "end",  [TRACE_COUNTER] = "count",
        [TRACE_POINT] = "point",  [TRACE_EVENT] = "tell", [TRACE_FAULT] = "fault",
    };
    char name[64];
    trace_message_name(mark->type, name, sizeof(name));
    (void)fprintf(to, "%12" PRIu64 "  %14" PRIu64 " ns  %-8s%s%s%s\n", mark->event, mark->ts_ns,
                  kinds[mark->kind],
                  mark->text != NULL   ? mark->text
                  : mark->name != NULL ? mark->name
                                       : name,
                  mark->range[0] != '\0' ? ": " : "", mark->range);
}

void replay_tracer_tell(const struct replay_tracer *t, FILE *to)
{
    ASSERT(t->machine != NULL);
    (void)fprintf(to, "at event %zu, %" PRIu64 " ns after power on:\n", t->count,
                  sim_machine_now(t->machine));
    for (uint32_t s = 0; s < SIM_PROCESSES_MAX; s++) {
        const struct trace_process *p = &t->process[s];
        char name[64] = "";
        if (p->starts == 0)
            continue;
        const struct trace_mark *slice = p->slice != 0 ? &t->mark[p->slice - 1] : NULL;
        if (slice != NULL && slice->name == NULL)
            trace_message_name(slice->type, name, sizeof(name));
        (void)fprintf(to, "  %-16s %s%s%s%s\n", t->track[p->track].name,
                      !p->alive       ? "is down"
                      : slice == NULL ? "waits"
                                      : "handles ",
                      slice == NULL         ? ""
                      : slice->name != NULL ? slice->name
                                            : name,
                      slice != NULL && slice->range[0] != '\0' ? ": " : "",
                      slice != NULL ? slice->range : "");
    }
    for (uint32_t d = 0; d < sim_machine_disks(t->machine); d++) {
        struct sim_disk *disk = sim_machine_disk(t->machine, d);
        (void)fprintf(to,
                      "  disk %-11" PRIu32 " %s, %" PRIu32 " requests, %" PRIu32
                      " volatile writes, %" PRIu64 " bad sectors\n",
                      d,
                      sim_disk_failed(disk)    ? "gone"
                      : sim_disk_powered(disk) ? "works"
                                               : "without power",
                      sim_disk_outstanding(disk), sim_disk_pending(disk), sim_disk_bad_count(disk));
    }
    (void)fprintf(to, "the last events:\n");
    for (size_t k = t->count > TOLD_LAST ? t->count - TOLD_LAST : 0; k < t->count; k++)
        tell_mark(&t->mark[k], to);
}
