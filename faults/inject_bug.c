/*
 * Software bugs, by the operators of G-SWFIT (Duraes and Madeira, IEEE TSE 32(11), 2006: 668 faults
 * of the field; the shares are recalled, in hundredths of a percent). We cannot take statements out
 * of the stack's code at random and call it one trial's fault; what these operators lead to in a
 * process that talks to others by messages is what we do instead: a message that it sends has a
 * field that was not set, is off by one, or is another's; an answer says OK where it should not; it
 * is never sent. What happens inside the process until then is left out: an assumption.
 *
 * Memory bugs are no part of that list: 15 % of the bugs of file systems (Lu et al., FAST 2013,
 * recalled), which we deal to stores and leaks by even shares (assumption). How long a run of
 * overwritten bytes is: Rio's copy overrun (Ng and Chen; recalled).
 */
#include <string.h>

#include "errors.h"
#include "faults/inject_private.h"
#include "proto.h"
#include "sim/rng.h"

#define WORDS (MSG_PAYLOAD_BYTES / sizeof(uint32_t))

static const struct operator_row {
    enum fault_bug bug;
    const char *name;
    uint32_t share;
} operators[BUG_OPERATORS] = {
    [BUG_NOT_INITIALISED] = {FAULT_BUG_WRONG_VALUE, "MVI", 225},
    [BUG_NOT_ASSIGNED] = {FAULT_BUG_WRONG_VALUE, "MVAE", 525},   /* and MVAV, the same to others */
    [BUG_WRONG_CONSTANT] = {FAULT_BUG_WRONG_VALUE, "WVAV", 122}, /* half: the others in the head */
    [BUG_OFF_BY_ONE] = {FAULT_BUG_WRONG_VALUE, "WAEP", 225},
    [BUG_OTHER_VARIABLE] = {FAULT_BUG_WRONG_VALUE, "WPFV", 150},
    [BUG_NOT_CHECKED] = {FAULT_BUG_WRONG_ERROR, "MIFS", 996},
    [BUG_NEEDLESS_ERROR] = {FAULT_BUG_WRONG_ERROR, "MLAC", 1521}, /* and MIA, WLEC */
    [BUG_NOT_SENT] = {FAULT_BUG_BAD_MESSAGE, "MFC", 864},
    [BUG_HALF_FILLED] = {FAULT_BUG_BAD_MESSAGE, "MLPC", 319},
    [BUG_WRONG_HEAD] = {FAULT_BUG_BAD_MESSAGE, "WVAV", 122},
    [BUG_STORE] = {FAULT_BUG_WILD_STORE, "store", 448},
    [BUG_LEAK] = {FAULT_BUG_LEAK, "leak", 448},
};

/* ---- Draws -------------------------------------------------------------------------------------
 */

static uint64_t draw_word(const struct injector *in, uint32_t i, enum draw draw)
{
    uint64_t k = (uint64_t)DRAW_MANY * (1 + draw) + in->fault[i].strike.done;
    return sim_rng_draw(in->setup.seed, in->setup.n, inject_purpose(in, i), k);
}

static double draw_unit(const struct injector *in, uint32_t i, enum draw draw)
{
    return inject_fraction(in, i, (uint64_t)DRAW_MANY * (1 + draw) + in->fault[i].strike.done);
}

static bool is_meant(const struct fault *f, uint32_t k)
{
    return f->bug == FAULT_BUG_ANY || operators[k].bug == f->bug;
}

void inject_bug_draw(struct injector *in, uint32_t i)
{
    const struct fault *f = fault_of(in, i);
    uint64_t total = 0;
    for (uint32_t k = 0; k < BUG_OPERATORS; k++)
        total += is_meant(f, k) ? operators[k].share : 0;
    uint64_t left = amount_share(inject_fraction(in, i, DRAW_BUG), total);
    for (uint32_t k = 0; k < BUG_OPERATORS; k++) {
        if (!is_meant(f, k))
            continue;
        in->fault[i].bug = (enum bug_operator)k;
        if (left < operators[k].share)
            return;
        left -= operators[k].share;
    }
}

const char *inject_bug_name(const struct injector *in, uint32_t i)
{
    return operators[in->fault[i].bug].name;
}

bool inject_bug_is_of_messages(const struct injector *in, uint32_t i)
{
    return in->fault[i].bug != BUG_STORE && in->fault[i].bug != BUG_LEAK;
}

/* ---- Messages ----------------------------------------------------------------------------------
 */

/* The fields of a payload, 4 bytes each: of those that are not zero something is expected. */
struct fields {
    uint32_t word[WORDS];
    uint32_t set[WORDS]; /* indices of those that are not zero */
    uint32_t count;
};

static void find_fields(struct fields *f, const struct msg *m)
{
    f->count = 0;
    memcpy(f->word, m->payload, sizeof(f->word));
    for (uint32_t k = 0; k < WORDS; k++)
        if (f->word[k] != 0)
            f->set[f->count++] = k;
}

/* What stands there in place of `old`, which is one of f. */
static uint32_t wrong_value(const struct injector *in, uint32_t i, const struct fields *f,
                            uint32_t old)
{
    uint64_t draw = draw_word(in, i, DRAW_VALUE);
    switch (in->fault[i].bug) {
    case BUG_NOT_INITIALISED:
        return (uint32_t)draw;
    case BUG_NOT_ASSIGNED: /* what it had: messages are made in zeroed memory */
        return 0;
    case BUG_WRONG_CONSTANT: /* assumption: constants are small */
        return (uint32_t)(draw & 0xff);
    case BUG_OFF_BY_ONE:
        return (draw & 1) != 0 ? old + 1 : old - 1;
    default:
        ASSERT(in->fault[i].bug == BUG_OTHER_VARIABLE);
        return f->word[f->set[draw % f->count]];
    }
}

/* One of the fields is wrong now. False: there is none, or it happens to be right. */
static bool spoil_field(const struct injector *in, uint32_t i, struct fields *f)
{
    if (f->count == 0)
        return false;
    uint32_t k = f->set[amount_share(draw_unit(in, i, DRAW_PLACE), f->count)];
    uint32_t old = f->word[k];
    f->word[k] = wrong_value(in, i, f, old);
    return f->word[k] != old;
}

static bool spoil_value(const struct injector *in, uint32_t i, struct msg *m)
{
    struct fields f;
    find_fields(&f, m);
    if (!spoil_field(in, i, &f))
        return false;
    memcpy(m->payload, f.word, sizeof(f.word));
    return true;
}

bool inject_bug_spoil_device(struct injector *in, uint32_t i, struct plat_disk_request *r)
{
    struct fields f = {.word = {(uint32_t)r->first_sector, r->count, (uint32_t)r->grant_offset}};
    bool of_values = operators[in->fault[i].bug].bug == FAULT_BUG_WRONG_VALUE;
    for (uint32_t k = 0; k < 3; k++)
        if (f.word[k] != 0)
            f.set[f.count++] = k;
    if (!of_values || r->op == DISK_FLUSH || !spoil_field(in, i, &f))
        return false;
    r->first_sector = (r->first_sector & ~(uint64_t)UINT32_MAX) | f.word[0];
    r->count = f.word[1];
    r->grant_offset = (r->grant_offset & ~(uint64_t)UINT32_MAX) | f.word[2];
    return true;
}

/* An error that the protocol knows, so that it is believed. */
static int32_t needless_error(const struct injector *in, uint32_t i, const struct msg *m)
{
    static const enum err below[] = {E_MEDIA, E_CORRUPT, E_LOST, E_FULL, E_INVAL, E_AGAIN};
    static const enum err above[] = {E_NOENT, E_EXIST, E_IO, E_NOSPC, E_ARG, E_ACCES};
    uint64_t k = amount_share(draw_unit(in, i, DRAW_VALUE), 6);
    bool names = PROTO_OF(m->type) == PROTO_VFS || PROTO_OF(m->type) == PROTO_CALL;
    return (int32_t)(names ? above[k] : below[k]);
}

static bool spoil_status(const struct injector *in, uint32_t i, struct msg *m)
{
    bool wants_error = in->fault[i].bug == BUG_NOT_CHECKED;
    if ((m->type & PROTO_REPLY) == 0 || (m->status != OK) != wants_error)
        return false;
    m->status = wants_error ? OK : needless_error(in, i, m);
    return true;
}

/* Only the first of its fields are filled in. */
static bool spoil_rest(const struct injector *in, uint32_t i, struct msg *m)
{
    struct fields f;
    find_fields(&f, m);
    if (f.count < 2)
        return false;
    uint64_t keep = 1 + amount_share(draw_unit(in, i, DRAW_PLACE), f.count - 1);
    size_t from = f.set[keep] * sizeof(uint32_t);
    memset(m->payload + from, 0, MSG_PAYLOAD_BYTES - from);
    return true;
}

/* Another operation, or the number of another request. */
static void spoil_head(const struct injector *in, uint32_t i, struct msg *m)
{
    uint64_t draw = draw_word(in, i, DRAW_VALUE);
    if ((draw & 1) != 0)
        m->id += 1 + (uint32_t)(draw >> 8 & 0xf);
    else
        m->type ^= 1 + (uint32_t)(draw >> 8 & 0xf);
}

bool inject_bug_spoil(struct injector *in, uint32_t i, struct msg *m, bool posted, bool *sent)
{
    *sent = true;
    if (PROTO_OF(m->type) == 0)
        return false; /* no request and no answer */
    switch (in->fault[i].bug) {
    case BUG_NOT_CHECKED:
    case BUG_NEEDLESS_ERROR:
        return spoil_status(in, i, m);
    case BUG_NOT_SENT:
        *sent = !posted;
        return posted;
    case BUG_HALF_FILLED:
        return spoil_rest(in, i, m);
    case BUG_WRONG_HEAD:
        spoil_head(in, i, m);
        return true;
    default:
        return spoil_value(in, i, m);
    }
}

/* ---- Memory ------------------------------------------------------------------------------------
 */

/* Half of the runs is one byte, 44 % to 1 KiB, the rest 2 to 4 KiB. */
static uint32_t run_bytes(double fraction)
{
    if (fraction < 0.5)
        return 1;
    if (fraction < 0.94)
        return 2 + (uint32_t)amount_share((fraction - 0.5) / 0.44, 1023);
    return 2048 + (uint32_t)amount_share((fraction - 0.94) / 0.06, 2049);
}

bool inject_bug_strike(struct injector *in, uint32_t i, uint32_t instance)
{
    const struct fault *f = fault_of(in, i);
    if (in->fault[i].bug == BUG_LEAK)
        return sim_machine_leak(in->setup.machine, f->layer, instance);
    ASSERT(in->fault[i].bug == BUG_STORE);
    /* Assumption: every other one goes where nothing of the process is. */
    struct sim_store store = {.layer = f->layer,
                              .instance = instance,
                              .astray = draw_unit(in, i, DRAW_BIT) < 0.5,
                              .where = draw_unit(in, i, DRAW_PLACE),
                              .bytes = run_bytes(draw_unit(in, i, DRAW_BITS)),
                              .key = draw_word(in, i, DRAW_VALUE)};
    return sim_machine_store(in->setup.machine, &store);
}
