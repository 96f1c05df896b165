#include "workloads/oracle/values.h"

static void add(struct values *v, uint64_t value, uint64_t partial_from)
{
    if (v->count == VALUES_MAX) {
        v->more = true;
        return;
    }
    v->option[v->count++] = (struct value_option){.value = value, .partial_from = partial_from};
}

void values_list(const struct values_query *q, struct values *v)
{
    ASSERT(q->presence != NULL);
    v->count = 0;
    v->more = false;
    uint32_t bound = 0;
    bool sure = false;
    for (uint32_t at = q->newest; at != 0; at = q->h->effects[at].older) {
        const struct effect *e = &q->h->effects[at];
        const struct history_op *o = &q->h->ops[e->op];
        enum presence p = e->is_void ? OUT : q->presence(q->object, e->op);
        if (p == OUT || o->end_tick < bound)
            continue;
        bool by_blocks = o->kind == HISTORY_WRITE || o->kind == HISTORY_FALLOCATE;
        bool partial =
            p == OPTIONAL && e->slot == SLOT_SIZE && by_blocks && e->grown_from < e->value;
        add(v, e->value, partial ? e->grown_from : e->value);
        if (p == OPTIONAL)
            continue;
        sure = true;
        bound = bound > o->begin_tick ? bound : o->begin_tick;
        if (o->app == UINT32_MAX)
            break; /* set-up: nothing is older */
    }
    if (!sure)
        add(v, q->initial, q->initial);
}

bool values_allow(const struct values *v, uint64_t value)
{
    for (uint32_t k = 0; k < v->count; k++) {
        const struct value_option *o = &v->option[k];
        if (value == o->value ||
            (value > o->partial_from && value < o->value && value % HISTORY_BLOCK_BYTES == 0))
            return true;
    }
    return v->more;
}
