/*
 * The process: one pool. It starts knowing nothing and waits for the cache to have it restored.
 */
#include "logical.h"

#include "assertion.h"
#include "programs.h"

void logical_main(const struct boot *boot)
{
    struct logical *l = plat_alloc(sizeof(*l), TAG_HEAP);
    ASSERT(l != NULL);
    logical_init(l, boot);
    plat_ready();
    for (;;) {
        struct msg m, answer;
        struct object_reply reply;
        enum err e = proto_receive(ENDPOINT_ANY, &m, logical_background_due(l));
        logical_background_step(l); /* at most every other moment, so requests get their turn */
        if (e != OK)
            continue;
        if (m.type == MSG_NOTIFY || (m.type & PROTO_REPLY) != 0 || PROTO_OF(m.type) != PROTO_OBJECT)
            continue;
        e = logical_serve(l, &m, &reply);
        answer = m;
        object_reply_pack(&answer, &reply);
        proto_reply(&m, e, &answer);
    }
}
