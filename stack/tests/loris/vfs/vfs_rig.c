#include "stack/tests/loris/vfs/vfs_rig.h"

#include <check.h>
#include <string.h>

uint32_t rig_app;
struct call_reply rig_reply;
uint8_t rig_big[3 * VFS_IO_MAX], rig_back[3 * VFS_IO_MAX];

void rig_start_as(uint32_t environment, uint32_t incarnation)
{
    struct boot boot = {.layer = LAYER_VFS, .instance = environment, .incarnation = incarnation};
    fake_boot(vfs_main, &boot);
    ck_assert_int_eq(fake_run(), FAKE_IDLE);
    ck_assert(fake_is_ready());
}

void rig_start(void)
{
    fake_reset();
    tree_init();
    rig_start_as(0, 0);
    rig_app = fake_client(LAYER_APP, 0);
    for (size_t k = 0; k < sizeof(rig_big); k++)
        rig_big[k] = (uint8_t)(k * 7 + k / 251);
}

/* One call of `from`; its answer is in `rig_reply`. */
enum err rig_call_of(uint32_t from, struct call_request r, const char *path, const char *path2,
                     void *data, uint64_t bytes)
{
    struct msg m;
    if (path != NULL) {
        r.path_bytes = (uint32_t)strlen(path);
        r.path_grant = fake_grant(from, (void *)(uintptr_t)path, r.path_bytes + 1, PLAT_GRANT_READ);
    }
    if (path2 != NULL) {
        r.path2_bytes = (uint32_t)strlen(path2);
        r.path2_grant =
            fake_grant(from, (void *)(uintptr_t)path2, r.path2_bytes + 1, PLAT_GRANT_READ);
    }
    if (data != NULL) {
        r.length = bytes;
        r.data_grant = fake_grant(from, data, bytes, PLAT_GRANT_READ | PLAT_GRANT_WRITE);
    }
    call_request_pack(&m, 1, &r);
    ck_assert(fake_call(from, &m));
    call_reply_unpack(&rig_reply, &m);
    return (enum err)m.status;
}

enum err rig_call(enum call_op op, const char *path, const char *path2)
{
    return rig_call_of(rig_app, (struct call_request){.op = op, .fd = -1, .mode = 0644}, path,
                       path2, NULL, 0);
}

enum err rig_open_as(uint32_t from, const char *path, uint32_t flags, int32_t *fd)
{
    enum err e = rig_call_of(from, (struct call_request){.op = CALL_OPEN, .flags = flags, .fd = -1},
                             path, NULL, NULL, 0);
    *fd = e == OK ? rig_reply.fd : -1;
    return e;
}

int32_t rig_must_open(const char *path, uint32_t flags)
{
    int32_t fd;
    ck_assert_int_eq(rig_open_as(rig_app, path, flags, &fd), OK);
    ck_assert_int_ge(fd, 0);
    return fd;
}

enum err rig_on_fd(enum call_op op, int32_t fd)
{
    return rig_call_of(rig_app, (struct call_request){.op = op, .fd = fd}, NULL, NULL, NULL, 0);
}

enum err rig_transfer(enum call_op op, int32_t fd, uint64_t offset, void *data, uint64_t bytes)
{
    return rig_call_of(rig_app, (struct call_request){.op = op, .fd = fd, .offset = offset}, NULL,
                       NULL, data, bytes);
}

void rig_make(enum call_op op, const char *path)
{
    ck_assert_int_eq(rig_call(op, path, NULL), OK);
}

void rig_make_file(const char *path)
{
    ck_assert_int_eq(rig_on_fd(CALL_CLOSE, rig_must_open(path, CALL_CREATE)), OK);
}

uint64_t rig_ino_of(const char *path)
{
    ck_assert_int_eq(rig_call(CALL_STAT, path, NULL), OK);
    return rig_reply.stat.ino;
}
