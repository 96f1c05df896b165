#include "stack/tests/loris/naming/naming_rig.h"

#include <check.h>
#include <string.h>

#include "stack/tests/fake_platform.h"

uint32_t rig_vfs;
uint64_t rig_sequence;
uint32_t rig_generation;
uint32_t rig_raid = 1;
uint32_t rig_policies;
struct raid_policy rig_policy[RAID_POLICIES_MAX];
static struct boot boot;

void rig_start_naming(void)
{
    fake_boot(naming_main, &boot);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert(fake_is_ready());
    boot.incarnation++;
}

void rig_start(void)
{
    fake_reset();
    fake_cache_init();
    boot = (struct boot){.layer = LAYER_NAMING, .format = true};
    boot.options.raid = rig_raid;
    boot.options.raid_policies = rig_policies;
    memcpy(boot.options.raid_policy, rig_policy, sizeof(rig_policy));
    boot.options.tries = 3;
    boot.options.environments = 1;
    rig_start_naming();
    rig_vfs = fake_client(LAYER_VFS, 0);
    rig_sequence = 0;
    rig_generation = 1;
}

bool rig_ask(struct vfs_request *r, const char *name, const char *name2, void *data, size_t bytes,
             enum err *result, struct vfs_reply *reply)
{
    struct msg m;
    r->generation = rig_generation;
    r->name_bytes = name != NULL ? (uint32_t)strlen(name) : 0;
    r->name2_bytes = name2 != NULL ? (uint32_t)strlen(name2) : 0;
    if (name != NULL)
        r->name_grant =
            fake_grant(rig_vfs, (void *)(uintptr_t)name, r->name_bytes, PLAT_GRANT_READ);
    if (name2 != NULL)
        r->name2_grant =
            fake_grant(rig_vfs, (void *)(uintptr_t)name2, r->name2_bytes, PLAT_GRANT_READ);
    if (data != NULL)
        r->data_grant = fake_grant(rig_vfs, data, bytes, PLAT_GRANT_READ | PLAT_GRANT_WRITE);
    vfs_request_pack(&m, 1, r);
    bool answered = fake_call(rig_vfs, &m);
    fake_revoke(rig_vfs, r->name_grant);
    fake_revoke(rig_vfs, r->name2_grant);
    fake_revoke(rig_vfs, r->data_grant);
    r->name_grant = r->name2_grant = r->data_grant = GRANT_NONE;
    if (answered) {
        *result = (enum err)m.status;
        vfs_reply_unpack(reply, &m);
    }
    return answered;
}

enum err rig_name_op(enum vfs_op op, uint64_t dir, const char *name, struct vfs_reply *reply)
{
    struct vfs_request r = {
        .op = op, .ino = dir, .mode = 0644, .sequence = ++rig_sequence, .attempt = 1};
    enum err e = E_DEAD;
    ck_assert(rig_ask(&r, name, NULL, NULL, 0, &e, reply));
    return e;
}

uint64_t rig_make(enum vfs_op op, uint64_t dir, const char *name)
{
    struct vfs_reply reply;
    ck_assert_int_eq(rig_name_op(op, dir, name, &reply), OK);
    return reply.stat.ino;
}

enum err rig_two_names(enum vfs_op op, uint64_t dir, const char *name, uint64_t dir2,
                       const char *name2)
{
    struct vfs_request r = {
        .op = op, .ino = dir, .ino2 = dir2, .sequence = ++rig_sequence, .attempt = 1};
    struct vfs_reply reply;
    enum err e = E_DEAD;
    ck_assert(rig_ask(&r, name, name2, NULL, 0, &e, &reply));
    return e;
}

enum err rig_lookup(uint64_t dir, const char *name, struct vfs_stat *stat)
{
    struct vfs_reply reply;
    enum err e = rig_name_op(VFS_LOOKUP, dir, name, &reply);
    if (e == OK && stat != NULL)
        *stat = reply.stat;
    return e;
}

uint32_t rig_links(uint64_t ino)
{
    struct vfs_request r = {.op = VFS_STAT, .ino = ino, .sequence = ++rig_sequence, .attempt = 1};
    struct vfs_reply reply;
    enum err e = E_DEAD;
    ck_assert(rig_ask(&r, NULL, NULL, NULL, 0, &e, &reply));
    ck_assert_int_eq(e, OK);
    return reply.stat.nlink;
}
