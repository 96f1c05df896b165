/* Words for messages, in traces. */
#include <inttypes.h>
#include <stdio.h>

#include "assertion.h"
#include "block.h"
#include "call.h"
#include "campaign/replay_trace_private.h"
#include "object.h"
#include "proto.h"
#include "vfs.h"

static const char *const block_words[] = {
    [BLOCK_READ] = "read", [BLOCK_WRITE] = "write",       [BLOCK_FLUSH] = "flush",
    [BLOCK_TRIM] = "trim", [BLOCK_IDENTIFY] = "identify", [BLOCK_FENCE] = "fence",
};

static const char *const object_words[OBJECT_OP_COUNT] = {
    [OBJECT_CREATE] = "create",
    [OBJECT_DELETE] = "delete",
    [OBJECT_READ] = "read",
    [OBJECT_WRITE] = "write",
    [OBJECT_TRUNCATE] = "truncate",
    [OBJECT_GETATTR] = "getattr",
    [OBJECT_SETATTR] = "setattr",
    [OBJECT_TXN_BEGIN] = "txn-begin",
    [OBJECT_TXN_COMMIT] = "txn-commit",
    [OBJECT_TXN_ABORT] = "txn-abort",
    [OBJECT_SYNC] = "sync",
    [OBJECT_STATFS] = "statfs",
    [OBJECT_SHUTDOWN] = "shutdown",
    [OBJECT_ENVIRONMENT_DIED] = "environment-died",
    [OBJECT_FLUSH] = "flush",
    [OBJECT_PREPARE] = "prepare",
    [OBJECT_RELEASE] = "release",
    [OBJECT_RESTORE] = "restore",
    [OBJECT_ROOTS] = "roots",
    [OBJECT_ADOPT] = "adopt",
    [OBJECT_INTENTS] = "intents",
    [OBJECT_NEXT] = "next",
    [OBJECT_FORMAT] = "format",
    [OBJECT_VERIFY] = "verify",
    [OBJECT_USER_BEGIN] = "user-begin",
    [OBJECT_USER_END] = "user-end",
    [OBJECT_USER_ABORT] = "user-abort",
    [OBJECT_LOG_WRITE] = "log-write",
    [OBJECT_LOG_READ] = "log-read",
};

static const char *const vfs_words[] = {
    [VFS_MOUNT] = "mount",
    [VFS_LOOKUP] = "lookup",
    [VFS_CREATE] = "create",
    [VFS_MKDIR] = "mkdir",
    [VFS_UNLINK] = "unlink",
    [VFS_RMDIR] = "rmdir",
    [VFS_LINK] = "link",
    [VFS_SYMLINK] = "symlink",
    [VFS_READLINK] = "readlink",
    [VFS_RENAME] = "rename",
    [VFS_READDIR] = "readdir",
    [VFS_STAT] = "stat",
    [VFS_SETATTR] = "setattr",
    [VFS_READ] = "read",
    [VFS_WRITE] = "write",
    [VFS_TRUNCATE] = "truncate",
    [VFS_FSYNC] = "fsync",
    [VFS_SYNC] = "sync",
    [VFS_STATFS] = "statfs",
    [VFS_RELEASE] = "release",
    [VFS_UNMOUNT] = "unmount",
    [VFS_BEGIN] = "begin",
    [VFS_COMMIT] = "commit",
    [VFS_ABORT] = "abort",
    [VFS_FALLOCATE] = "fallocate",
    [VFS_GETXATTR] = "getxattr",
    [VFS_SETXATTR] = "setxattr",
    [VFS_LISTXATTR] = "listxattr",
    [VFS_REMOVEXATTR] = "removexattr",
};

static const char *const call_words[CALL_OP_COUNT] = {
    [CALL_OPEN] = "open",
    [CALL_CLOSE] = "close",
    [CALL_DUP] = "dup",
    [CALL_READ] = "read",
    [CALL_WRITE] = "write",
    [CALL_TRUNCATE] = "truncate",
    [CALL_FSYNC] = "fsync",
    [CALL_SYNC] = "sync",
    [CALL_STAT] = "stat",
    [CALL_MKDIR] = "mkdir",
    [CALL_RMDIR] = "rmdir",
    [CALL_UNLINK] = "unlink",
    [CALL_RENAME] = "rename",
    [CALL_LINK] = "link",
    [CALL_SYMLINK] = "symlink",
    [CALL_READLINK] = "readlink",
    [CALL_READDIR] = "readdir",
    [CALL_CHMOD] = "chmod",
    [CALL_CHOWN] = "chown",
    [CALL_UTIMENS] = "utimens",
    [CALL_CHDIR] = "chdir",
    [CALL_LOCK] = "lock",
    [CALL_UNLOCK] = "unlock",
    [CALL_STATFS] = "statfs",
    [CALL_UNMOUNT] = "unmount",
    [CALL_BEGIN] = "begin",
    [CALL_COMMIT] = "commit",
    [CALL_ABORT] = "abort",
    [CALL_FALLOCATE] = "fallocate",
    [CALL_GETXATTR] = "getxattr",
    [CALL_SETXATTR] = "setxattr",
    [CALL_LISTXATTR] = "listxattr",
    [CALL_REMOVEXATTR] = "removexattr",
};

#define WORDS(table) (table), sizeof(table) / sizeof((table)[0])
static const struct protocol {
    uint32_t type;
    const char *name;
    const char *const *words;
    size_t count;
} protocols[] = {
    {PROTO_BLOCK, "block", WORDS(block_words)},
    {PROTO_OBJECT, "object", WORDS(object_words)},
    {PROTO_VFS, "vfs", WORDS(vfs_words)},
    {PROTO_CALL, "call", WORDS(call_words)},
};

void trace_message_name(uint32_t type, char *to, size_t room)
{
    const char *answers = (type & PROTO_REPLY) != 0 ? " answered" : "";
    uint32_t operation = PROTO_OPERATION(type);
    ASSERT(room > 0);
    for (size_t k = 0; k < sizeof(protocols) / sizeof(protocols[0]); k++) {
        const struct protocol *p = &protocols[k];
        if (PROTO_OF(type) != p->type || operation >= p->count || p->words[operation] == NULL)
            continue;
        (void)snprintf(to, room, "%s %s%s", p->name, p->words[operation], answers);
        return;
    }
    (void)snprintf(to, room, "message %#" PRIx32, type); /* spoilt by a fault, say */
}

void trace_message_range(const struct msg *m, char *to, size_t room)
{
    struct block_request block;
    struct object_request object;
    ASSERT(room > 0);
    to[0] = '\0';
    if ((m->type & PROTO_REPLY) != 0)
        return;
    if (PROTO_OF(m->type) == PROTO_BLOCK && block_request_unpack(&block, m) == OK)
        (void)snprintf(to, room, "sector %" PRIu64 ", %" PRIu32, block.first_sector, block.count);
    if (PROTO_OF(m->type) == PROTO_OBJECT && object_request_unpack(&object, m) == OK)
        (void)snprintf(to, room, "%" PRIu64 " at %" PRIu64 ", %" PRIu64, object.oid, object.offset,
                       object.length);
}
