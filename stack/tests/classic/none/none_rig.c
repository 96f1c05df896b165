/*
 * The rig of none_rig.h. The checker is laboratory code that the tests of stack/ do not link, so it
 * is compiled in here.
 */
#include "stack/tests/classic/none/none_rig.h"

#include <string.h>

#include "scripts/check_main.h"
#include "workloads/checkers/none_check.c"

enum err none_rig_boot(struct none_rig *rig, bool format)
{
    struct vfs_request request = {.op = VFS_MOUNT};
    rig->boot.format = format;
    rig->vfs = fake_client(LAYER_VFS, 0);
    fake_boot(rig->program, &rig->boot);
    return none_rig_call(rig, &request, NULL, NULL, NULL, 0, 0);
}

void none_rig_init(struct none_rig *rig, size_t disk_bytes, size_t cache_bytes)
{
    none_rig_init_as(rig, none_main, &(struct stack_options){.disks = 1}, disk_bytes, cache_bytes);
}

void none_rig_init_as(struct none_rig *rig, program_main *program,
                      const struct stack_options *options, size_t disk_bytes, size_t cache_bytes)
{
    memset(rig, 0, sizeof(*rig));
    rig->program = program;
    rig->boot.options = *options;
    fake_reset();
    ramdisk_init(&rig->disk, disk_bytes);
    ramdisk_attach(&rig->disk, LAYER_DRIVER, 0);
    if (options->log_disk != LOG_DISK_OFF) {
        ramdisk_init(&rig->log, disk_bytes);
        ramdisk_attach(&rig->log, LAYER_DRIVER, options->log_disk);
    }
    rig->boot.layer = LAYER_FS;
    rig->boot.options.disks = 1 + options->log_disk;
    rig->boot.options.environments = 1;
    rig->boot.options.cache_bytes = cache_bytes;
    rig->boot.options.sync_ns = UINT64_C(30000000000);
    ck_assert_int_eq(none_rig_boot(rig, true), OK);
    ck_assert_uint_eq(rig->reply.stat.ino, 1);
    ck_assert_uint_eq(rig->reply.ino2, 0);
}

void none_rig_fini(struct none_rig *rig)
{
    fake_reset();
    ramdisk_fini(&rig->disk);
    if (rig->boot.options.log_disk != LOG_DISK_OFF)
        ramdisk_fini(&rig->log);
}

void none_rig_reboot(struct none_rig *rig, bool orderly)
{
    if (orderly)
        ck_assert_int_eq(none_rig_plain(rig, VFS_UNMOUNT, 0, 0), OK);
    rig->boot.incarnation++;
    ck_assert_int_eq(none_rig_boot(rig, false), OK);
}

enum err none_rig_call(struct none_rig *rig, struct vfs_request *request, const char *name,
                       const char *name2, void *data, size_t bytes, uint32_t access)
{
    struct msg m;
    request->sequence = ++rig->sequence;
    request->outer = rig->outer;
    request->attempt = 1;
    if (name != NULL) {
        request->name_bytes = (uint32_t)strlen(name);
        request->name_grant =
            fake_grant(rig->vfs, (void *)(uintptr_t)name, strlen(name) + 1, PLAT_GRANT_READ);
    }
    if (name2 != NULL) {
        request->name2_bytes = (uint32_t)strlen(name2);
        request->name2_grant =
            fake_grant(rig->vfs, (void *)(uintptr_t)name2, strlen(name2) + 1, PLAT_GRANT_READ);
    }
    if (data != NULL)
        request->data_grant = fake_grant(rig->vfs, data, bytes, access);
    vfs_request_pack(&m, (uint32_t)rig->sequence, request);
    bool answered = fake_call(rig->vfs, &m);
    fake_revoke(rig->vfs, request->name_grant);
    fake_revoke(rig->vfs, request->name2_grant);
    fake_revoke(rig->vfs, request->data_grant);
    ck_assert_msg(answered, "no answer to %d: %s", (int)request->op, fake_crash());
    vfs_reply_unpack(&rig->reply, &m);
    return (enum err)m.status;
}

enum err none_rig_lookup(struct none_rig *rig, uint64_t dir, const char *name)
{
    struct vfs_request request = {.op = VFS_LOOKUP, .ino = dir};
    return none_rig_call(rig, &request, name, NULL, NULL, 0, 0);
}

enum err none_rig_make(struct none_rig *rig, enum vfs_op op, uint64_t dir, const char *name,
                       uint64_t *ino)
{
    struct vfs_request request = {.op = op, .ino = dir, .mode = 0644};
    enum err e = none_rig_call(rig, &request, name, NULL, NULL, 0, 0);
    if (e == OK && ino != NULL)
        *ino = rig->reply.stat.ino;
    return e;
}

enum err none_rig_remove(struct none_rig *rig, enum vfs_op op, uint64_t dir, const char *name)
{
    struct vfs_request request = {.op = op, .ino = dir};
    return none_rig_call(rig, &request, name, NULL, NULL, 0, 0);
}

enum err none_rig_rename(struct none_rig *rig, uint64_t from, const char *name, uint64_t to,
                         const char *name2)
{
    struct vfs_request request = {.op = VFS_RENAME, .ino = from, .ino2 = to};
    return none_rig_call(rig, &request, name, name2, NULL, 0, 0);
}

enum err none_rig_write(struct none_rig *rig, uint64_t ino, uint64_t offset, const void *data,
                        size_t bytes)
{
    struct vfs_request request = {.op = VFS_WRITE, .ino = ino, .offset = offset, .length = bytes};
    return none_rig_call(rig, &request, NULL, NULL, (void *)(uintptr_t)data, bytes,
                         PLAT_GRANT_READ);
}

enum err none_rig_read(struct none_rig *rig, uint64_t ino, uint64_t offset, void *data,
                       size_t bytes, uint64_t *moved)
{
    struct vfs_request request = {.op = VFS_READ, .ino = ino, .offset = offset, .length = bytes};
    enum err e = none_rig_call(rig, &request, NULL, NULL, data, bytes, PLAT_GRANT_WRITE);
    *moved = rig->reply.moved;
    return e;
}

enum err none_rig_plain(struct none_rig *rig, enum vfs_op op, uint64_t ino, uint64_t size)
{
    struct vfs_request request = {.op = op, .ino = ino, .size = size};
    return none_rig_call(rig, &request, NULL, NULL, NULL, 0, 0);
}

static bool read_disk(void *object, uint64_t at, uint8_t *raw)
{
    const struct ramdisk *disk = object;
    memcpy(raw, disk->bytes + at * BLOCK_BYTES, BLOCK_BYTES);
    return true;
}

void none_rig_check(struct none_rig *rig, struct none_check *out)
{
    none_check(read_disk, &rig->disk, rig->disk.sectors / 8, out);
}

void none_rig_expect_sound(struct none_rig *rig)
{
    struct none_check check;
    ck_assert_int_eq(none_rig_plain(rig, VFS_UNMOUNT, 0, 0), OK);
    none_rig_check(rig, &check);
    ck_assert_msg(check.ok, "%s", check.text);
    ck_assert_uint_eq(check.unreadable, 0); /* nor a checksum that is wrong */
    ck_assert_uint_eq(check.leaked_blocks, 0);
    ck_assert_uint_eq(check.leaked_inodes, 0);
}
