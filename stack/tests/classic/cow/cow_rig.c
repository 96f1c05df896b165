/*
 * The rig of cow_rig.h. The checker is laboratory code that the tests of stack/ do not link, so it
 * is compiled in here.
 */
#include "stack/tests/classic/cow/cow_rig.h"

#include <string.h>

#include "scripts/check_main.h"
#include "workloads/checkers/cow_check.c"

#define RIG_ROOT 1u
#define TREE_READ 8192u

enum err cow_rig_boot(struct cow_rig *rig, bool format)
{
    struct vfs_request request = {.op = VFS_MOUNT};
    rig->boot.format = format;
    rig->vfs = fake_client(LAYER_VFS, 0);
    fake_boot(cow_main, &rig->boot);
    enum err e = cow_rig_call(rig, &request, NULL, NULL, NULL, 0, 0);
    rig->boot.incarnation++;
    return e;
}

void cow_rig_init(struct cow_rig *rig, size_t disk_bytes, size_t cache_bytes)
{
    memset(rig, 0, sizeof(*rig));
    fake_reset();
    ramdisk_init(&rig->disk, disk_bytes);
    ramdisk_attach(&rig->disk, LAYER_DRIVER, 0);
    rig->boot.layer = LAYER_FS;
    rig->boot.options.disks = 1;
    rig->boot.options.environments = 1;
    rig->boot.options.cache_bytes = cache_bytes;
    rig->boot.options.sync_ns = UINT64_C(30000000000);
    rig->boot.options.defer = 2;
    ck_assert_int_eq(cow_rig_boot(rig, true), OK);
    ck_assert_uint_eq(rig->reply.stat.ino, RIG_ROOT);
}

void cow_rig_fini(struct cow_rig *rig)
{
    fake_reset();
    ramdisk_fini(&rig->disk);
}

enum err cow_rig_call(struct cow_rig *rig, struct vfs_request *request, const char *name,
                      const char *name2, void *data, size_t bytes, uint32_t access)
{
    struct msg m;
    request->sequence = ++rig->sequence;
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
    rig->crashed = !fake_call(rig->vfs, &m);
    fake_revoke(rig->vfs, request->name_grant);
    fake_revoke(rig->vfs, request->name2_grant);
    fake_revoke(rig->vfs, request->data_grant);
    if (rig->crashed) {
        ck_assert_msg(strncmp(fake_crash(), "probe", 5) == 0, "no answer to %d: %s",
                      (int)request->op, fake_crash());
        return E_DEAD;
    }
    vfs_reply_unpack(&rig->reply, &m);
    return (enum err)m.status;
}

enum err cow_rig_lookup(struct cow_rig *rig, uint64_t dir, const char *name, uint64_t *ino)
{
    struct vfs_request request = {.op = VFS_LOOKUP, .ino = dir};
    enum err e = cow_rig_call(rig, &request, name, NULL, NULL, 0, 0);
    *ino = rig->reply.stat.ino;
    return e;
}

enum err cow_rig_make(struct cow_rig *rig, enum vfs_op op, uint64_t dir, const char *name,
                      uint64_t *ino)
{
    struct vfs_request request = {.op = op, .ino = dir, .mode = 0644};
    enum err e = cow_rig_call(rig, &request, name, NULL, NULL, 0, 0);
    if (e == OK && ino != NULL)
        *ino = rig->reply.stat.ino;
    return e;
}

enum err cow_rig_remove(struct cow_rig *rig, enum vfs_op op, uint64_t dir, const char *name,
                        uint32_t flags)
{
    struct vfs_request request = {.op = op, .ino = dir, .flags = flags};
    return cow_rig_call(rig, &request, name, NULL, NULL, 0, 0);
}

enum err cow_rig_rename(struct cow_rig *rig, uint64_t from, const char *name, uint64_t to,
                        const char *name2)
{
    struct vfs_request request = {.op = VFS_RENAME, .ino = from, .ino2 = to};
    return cow_rig_call(rig, &request, name, name2, NULL, 0, 0);
}

enum err cow_rig_write(struct cow_rig *rig, uint64_t ino, uint64_t offset, const void *data,
                       size_t bytes)
{
    struct vfs_request request = {.op = VFS_WRITE, .ino = ino, .offset = offset, .length = bytes};
    return cow_rig_call(rig, &request, NULL, NULL, (void *)(uintptr_t)data, bytes, PLAT_GRANT_READ);
}

enum err cow_rig_read(struct cow_rig *rig, uint64_t ino, uint64_t offset, void *data, size_t bytes,
                      uint64_t *moved)
{
    struct vfs_request request = {.op = VFS_READ, .ino = ino, .offset = offset, .length = bytes};
    enum err e = cow_rig_call(rig, &request, NULL, NULL, data, bytes, PLAT_GRANT_WRITE);
    *moved = rig->reply.moved;
    return e;
}

enum err cow_rig_plain(struct cow_rig *rig, enum vfs_op op, uint64_t ino, uint64_t size)
{
    struct vfs_request request = {.op = op, .ino = ino, .size = size};
    return cow_rig_call(rig, &request, NULL, NULL, NULL, 0, 0);
}

/* ---- The visible tree ---- */

static uint64_t mix(uint64_t hash, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    for (size_t k = 0; k < count; k++)
        hash = (hash ^ at[k]) * UINT64_C(0x100000001b3); /* FNV-1a */
    return hash;
}

static uint64_t mix_word(uint64_t hash, uint64_t word)
{
    uint8_t raw[8];
    put_le64(raw, word);
    return mix(hash, raw, sizeof(raw));
}

static uint64_t file_hash(struct cow_rig *rig, uint64_t ino, uint32_t *broken)
{
    static uint8_t data[TREE_READ];
    uint64_t hash = UINT64_C(0xcbf29ce484222325), moved = 1;
    for (uint64_t at = 0; moved > 0; at += moved) {
        enum err e = cow_rig_read(rig, ino, at, data, sizeof(data), &moved);
        if (e != OK) {
            ++*broken;
            return 0;
        }
        hash = mix(hash, data, (size_t)moved);
    }
    return hash;
}

static uint64_t dir_hash(struct cow_rig *rig, uint64_t ino, uint32_t depth, uint32_t *broken);

static uint64_t entry_hash(struct cow_rig *rig, const struct vfs_dirent *entry, const uint8_t *name,
                           uint32_t depth, uint32_t *broken)
{
    uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), name, entry->name_bytes);
    if (cow_rig_plain(rig, VFS_STAT, entry->ino, 0) != OK) {
        ++*broken;
        return hash;
    }
    struct vfs_stat stat = rig->reply.stat;
    hash = mix_word(mix_word(hash, stat.type), stat.nlink);
    hash = mix_word(mix_word(hash, stat.mode), stat.size);
    uint64_t inside = stat.type == VFS_DIRECTORY ? dir_hash(rig, entry->ino, depth + 1, broken)
                      : stat.type == VFS_FILE    ? file_hash(rig, entry->ino, broken)
                                                 : 0;
    return mix_word(hash, inside);
}

/* The sum over its entries, as their order is nobody's business. */
static uint64_t dir_hash(struct cow_rig *rig, uint64_t ino, uint32_t depth, uint32_t *broken)
{
    uint8_t list[4096] = {0};
    uint64_t hash = 0, cookie = 0;
    ck_assert_uint_lt(depth, 20);
    do {
        struct vfs_request request = {
            .op = VFS_READDIR, .ino = ino, .offset = cookie, .length = sizeof(list)};
        if (cow_rig_call(rig, &request, NULL, NULL, list, sizeof(list), PLAT_GRANT_WRITE) != OK) {
            ++*broken;
            return hash;
        }
        uint64_t used = rig->reply.moved;
        cookie = rig->reply.size;
        for (uint64_t at = 0; at < used;) {
            struct vfs_dirent entry;
            vfs_dirent_decode(&entry, list + at);
            hash += entry_hash(rig, &entry, list + at + VFS_DIRENT_BYTES, depth, broken);
            at += VFS_DIRENT_BYTES + entry.name_bytes;
        }
    } while (cookie != 0);
    return hash;
}

uint64_t cow_rig_tree(struct cow_rig *rig, uint32_t *broken)
{
    *broken = 0;
    return dir_hash(rig, RIG_ROOT, 0, broken);
}

/* ---- The checker ---- */

static bool read_disk(void *object, uint32_t copy, uint64_t at, uint8_t *raw)
{
    const struct ramdisk *disk = object;
    ck_assert_uint_eq(copy, 0);
    memcpy(raw, disk->bytes + at * BLOCK_BYTES, BLOCK_BYTES);
    return true;
}

void cow_rig_check(struct cow_rig *rig, struct cow_check *out)
{
    cow_check(read_disk, &rig->disk, rig->disk.sectors / 8, 1, out);
}
