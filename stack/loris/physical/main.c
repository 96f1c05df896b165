/*
 * The process: one disk's objects. It starts knowing nothing, and answers E_SESSION to everything
 * until logical has had its roots read and one adopted.
 */
#include "physical.h"

#include "assertion.h"
#include "programs.h"

void physical_main(const struct boot *boot)
{
    struct physical *p = plat_alloc(sizeof(*p), TAG_HEAP);
    ASSERT(p != NULL);
    physical_init(p, boot->instance, &boot->options);
    plat_ready();
    for (;;) {
        struct msg m, answer;
        struct object_reply reply;
        if (proto_receive(ENDPOINT_ANY, &m, PLAT_FOREVER) != OK)
            continue;
        if (p->identified && block_client_take(&p->client, &m))
            continue;
        if (m.type == MSG_NOTIFY || (m.type & PROTO_REPLY) != 0 || PROTO_OF(m.type) != PROTO_OBJECT)
            continue;
        enum err e = physical_serve(p, &m, &reply);
        answer = m;
        object_reply_pack(&answer, &reply);
        proto_reply(&m, e, &answer);
    }
}
