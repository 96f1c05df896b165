/*
 * Descriptors, open files, clients and advisory locks.
 */
#include "vfs_state.h"

struct client *client_of(struct vfs *v, uint32_t endpoint)
{
    ASSERT(endpoint != ENDPOINT_NONE);
    struct client *vacant = NULL;
    for (uint32_t i = 0; i < v->clients_top; i++) {
        if (v->client[i].endpoint == endpoint)
            return &v->client[i];
        if (v->client[i].endpoint == ENDPOINT_NONE && vacant == NULL)
            vacant = &v->client[i];
    }
    if (vacant == NULL && v->clients_top < CLIENTS_MAX)
        vacant = &v->client[v->clients_top++];
    if (vacant != NULL)
        *vacant = (struct client){.endpoint = endpoint, .cwd = {.ino = v->root}};
    return vacant;
}

struct open_file *file_of(struct vfs *v, uint32_t caller, int32_t fd)
{
    if (fd < 0 || fd >= (int32_t)DESCRIPTORS_MAX)
        return NULL;
    const struct descriptor *d = &v->descriptor[fd];
    if (d->owner != caller)
        return NULL;
    ASSERT(d->file < FILES_MAX && v->file[d->file].references > 0);
    return &v->file[d->file];
}

static int32_t descriptor_free(struct vfs *v)
{
    for (uint32_t i = 0; i < v->descriptors_top; i++)
        if (v->descriptor[i].owner == ENDPOINT_NONE)
            return (int32_t)i;
    return v->descriptors_top < DESCRIPTORS_MAX ? (int32_t)v->descriptors_top++ : -1;
}

static bool is_free(const struct open_file *file)
{
    return file->references == 0 && !file->due;
}

/* FILES_MAX if all are taken. */
static uint32_t file_free(struct vfs *v)
{
    for (uint32_t i = 0; i < v->files_top; i++)
        if (is_free(&v->file[i]))
            return i;
    return v->files_top < FILES_MAX ? v->files_top++ : FILES_MAX;
}

static bool has_room(const struct vfs *v)
{
    bool descriptor = v->descriptors_top < DESCRIPTORS_MAX, file = v->files_top < FILES_MAX;
    for (uint32_t i = 0; i < v->descriptors_top && !descriptor; i++)
        descriptor = v->descriptor[i].owner == ENDPOINT_NONE;
    for (uint32_t i = 0; i < v->files_top && !file; i++)
        file = is_free(&v->file[i]);
    return descriptor && file;
}

bool files_have_room(struct vfs *v)
{
    if (has_room(v))
        return true;
    files_sweep(v);
    return has_room(v);
}

enum err file_open(struct vfs *v, uint32_t caller, uint64_t ino, bool directory, uint32_t flags,
                   int32_t *fd)
{
    int32_t slot = descriptor_free(v);
    uint32_t file = file_free(v);
    if (slot < 0 || file == FILES_MAX)
        return E_MFILE;
    v->file[file] = (struct open_file){
        .references = 1, .flags = flags, .ino = ino, .directory = directory, .opened_in = v->outer};
    v->descriptor[slot] = (struct descriptor){.owner = caller, .file = file};
    *fd = slot;
    return OK;
}

enum err file_dup(struct vfs *v, uint32_t caller, int32_t fd, int32_t *copy)
{
    struct open_file *file = file_of(v, caller, fd);
    if (file == NULL)
        return E_BADF;
    int32_t slot = descriptor_free(v);
    if (slot < 0)
        return E_MFILE;
    v->descriptor[slot] = (struct descriptor){.owner = caller, .file = (uint32_t)(file - v->file)};
    file->references++;
    *copy = slot;
    return OK;
}

bool file_is_open(const struct vfs *v, uint64_t ino)
{
    for (uint32_t i = 0; i < v->files_top; i++)
        if (v->file[i].references > 0 && v->file[i].ino == ino)
            return true;
    return false;
}

void file_mark_orphan(struct vfs *v, uint64_t ino)
{
    for (uint32_t i = 0; i < v->files_top; i++)
        if (v->file[i].references > 0 && v->file[i].ino == ino) {
            v->file[i].orphan = true;
            v->file[i].orphaned_in = v->outer;
        }
}

static enum err release(struct vfs *v, uint64_t ino)
{
    struct vfs_request request = {.op = VFS_RELEASE, .ino = ino};
    struct vfs_reply reply;
    return server_call(v, &request, NULL, &reply);
}

void files_release(struct vfs *v)
{
    for (uint32_t i = 0; i < v->files_top; i++) {
        struct open_file *file = &v->file[i];
        if (!file->due || file->orphaned_in != 0)
            continue;
        enum err e = release(v, file->ino);
        file->due = e == E_WAIT;
        if (e != OK && e != E_WAIT) /* the orphan stays until the next start purges it */
            plat_report(REPORT_DETECTED, (uint64_t)-e, i);
    }
}

static void forget_descriptors(struct vfs *v, uint32_t file)
{
    for (uint32_t d = 0; d < v->descriptors_top; d++)
        if (v->descriptor[d].owner != ENDPOINT_NONE && v->descriptor[d].file == file)
            v->descriptor[d].owner = ENDPOINT_NONE;
    v->file[file].references = 0;
    v->file[file].locked_by = ENDPOINT_NONE;
}

void files_settle(struct vfs *v, uint64_t outer, bool committed)
{
    ASSERT(outer != 0);
    for (uint32_t i = 0; i < v->files_top; i++) {
        struct open_file *file = &v->file[i];
        if (file->orphaned_in == outer) {
            file->orphaned_in = 0;
            file->orphan = file->orphan && committed;
            file->due = file->due && committed;
        }
        if (file->opened_in == outer && !committed && file->references > 0)
            forget_descriptors(v, i);
        if (file->opened_in == outer)
            file->opened_in = 0;
    }
    files_release(v);
}

enum err file_sync_result(struct vfs *v, struct open_file *file, enum err e)
{
    if (e == E_IO) /* the layers below tell it once: the other handles are told here */
        for (uint32_t i = 0; i < v->files_top; i++)
            if (v->file[i].references > 0 && v->file[i].ino == file->ino)
                v->file[i].sync_error = e;
    if (e == OK)
        e = file->sync_error;
    file->sync_error = OK;
    return e;
}

enum err file_close(struct vfs *v, uint32_t caller, int32_t fd)
{
    struct open_file *file = file_of(v, caller, fd);
    if (file == NULL)
        return E_BADF;
    v->descriptor[fd].owner = ENDPOINT_NONE;
    file_unlock(v, caller, file);
    if (--file->references > 0 || !file->orphan || file_is_open(v, file->ino))
        return OK;
    enum err e = v->outer != 0 || file->orphaned_in != 0 ? E_WAIT : release(v, file->ino);
    file->due = e == E_WAIT; /* when the transaction has ended */
    return file->due ? OK : e;
}

enum err file_lock(struct vfs *v, uint32_t caller, struct open_file *file)
{
    for (uint32_t i = 0; i < v->files_top; i++) {
        const struct open_file *other = &v->file[i];
        if (other->references > 0 && other->ino == file->ino && other->locked_by != ENDPOINT_NONE &&
            other->locked_by != caller)
            return E_AGAIN;
    }
    file->locked_by = caller;
    return OK;
}

/* POSIX: closing any descriptor of a file gives up all locks that the process holds on it. */
void file_unlock(struct vfs *v, uint32_t caller, const struct open_file *file)
{
    for (uint32_t i = 0; i < v->files_top; i++)
        if (v->file[i].ino == file->ino && v->file[i].locked_by == caller)
            v->file[i].locked_by = ENDPOINT_NONE;
}

void files_sweep(struct vfs *v)
{
    transactions_sweep(v);
    for (uint32_t i = 0; i < v->clients_top; i++) {
        uint32_t endpoint = v->client[i].endpoint;
        if (endpoint == ENDPOINT_NONE || plat_layer_of(endpoint, NULL) != LAYER_NONE)
            continue;
        for (int32_t fd = 0; fd < (int32_t)v->descriptors_top; fd++) {
            /* An error here means that the orphan stays until the next start purges it. */
            enum err e = file_of(v, endpoint, fd) != NULL ? file_close(v, endpoint, fd) : OK;
            if (e != OK)
                plat_report(REPORT_DETECTED, (uint64_t)-e, (uint64_t)fd);
        }
        v->client[i].endpoint = ENDPOINT_NONE;
    }
}
