/*
 * Path names: fetched from the caller, walked component by component. ".." above a root is the
 * root;
 * ".." of the shared root is the private root that it is mounted in.
 */
#include "vfs_state.h"

static const char shared_name[] = "shared";

bool walk_is_shared_point(const struct vfs *v, uint64_t directory, const char *name,
                          uint32_t name_bytes)
{
    return v->shared_root != 0 && directory == v->root && name_bytes == sizeof(shared_name) - 1 &&
           memcmp(name, shared_name, name_bytes) == 0;
}

enum err walk_fetch(uint32_t caller, uint32_t grant, uint32_t bytes, char *buffer)
{
    if (bytes == 0)
        return E_NOENT;
    if (bytes > VFS_PATH_MAX)
        return E_NAMETOOLONG;
    enum err e = plat_copy_in(caller, grant, 0, buffer, bytes);
    if (e != OK)
        return e == E_DEAD ? E_DEAD : E_ARG;
    buffer[bytes] = '\0';
    return strlen(buffer) == bytes ? OK : E_ARG;
}

static enum err stat_ino(struct vfs *v, uint64_t ino, struct vfs_stat *stat)
{
    struct vfs_request request = {.op = VFS_STAT, .ino = ino};
    struct vfs_reply reply;
    enum err e = server_call(v, &request, NULL, &reply);
    if (e == OK)
        *stat = reply.stat;
    return e;
}

static bool is_dots(const char *name, uint32_t bytes)
{
    return name[0] == '.' && (bytes == 1 || (bytes == 2 && name[1] == '.'));
}

/* One step from out->found, which is a directory, by out->name. Fills parent, found, stat. */
static enum err step(struct vfs *v, struct walked *out)
{
    struct place here = out->found;
    out->parent = here;
    out->parent_stat = out->stat;
    if (walk_is_shared_point(v, here.ino, out->name, out->name_bytes)) {
        out->found = (struct place){.ino = v->shared_root, .shared = true};
        return stat_ino(v, v->shared_root, &out->stat);
    }
    if (out->name_bytes == 1 && out->name[0] == '.')
        return out->stat.ino != 0 ? OK : stat_ino(v, here.ino, &out->stat);
    bool up = is_dots(out->name, out->name_bytes);
    if (up && (here.ino == v->root || here.ino == v->shared_root)) {
        out->found = (struct place){.ino = v->root};
        return stat_ino(v, v->root, &out->stat);
    }
    struct vfs_request request = {.op = VFS_LOOKUP, .ino = here.ino};
    struct cargo cargo = {.name = out->name, .name_bytes = out->name_bytes};
    struct vfs_reply reply;
    enum err e = server_call(v, &request, &cargo, &reply);
    if (e != OK)
        return e;
    out->found = (struct place){.ino = reply.stat.ino, .shared = here.shared};
    out->stat = reply.stat;
    return OK;
}

/*
 * How much of the path can be asked for at once: the name at hand and those behind it, up to dots
 * and what is too long. Only user 0 may pass any directory, only naming takes more than one name.
 */
static uint32_t bytes_at_once(const struct vfs *v, const struct walked *out)
{
    const char *end = out->name + out->name_bytes;
    if (v->uid != 0 || v->server_layer != LAYER_NAMING || is_dots(out->name, out->name_bytes) ||
        walk_is_shared_point(v, out->found.ino, out->name, out->name_bytes))
        return out->name_bytes;
    for (;;) {
        const char *name = end, *after;
        while (*name == '/')
            name++;
        for (after = name; *after != '/' && *after != '\0'; after++)
            ;
        uint32_t bytes = (uint32_t)(after - name);
        if (bytes == 0 || bytes > VFS_NAME_MAX || is_dots(name, bytes))
            return (uint32_t)(end - out->name);
        end = after;
    }
}

/* Several steps in one: `bytes` of the path, of which those up to *rest are taken, and the last
 * name taken is out->name. As step() answers for that. */
static enum err step_far(struct vfs *v, uint32_t bytes, char **rest, struct walked *out)
{
    struct vfs_request request = {.op = VFS_LOOKUP, .flags = VFS_PATH, .ino = out->found.ino};
    struct cargo cargo = {.name = out->name, .name_bytes = bytes};
    struct vfs_reply reply;
    enum err e = server_call(v, &request, &cargo, &reply);
    if ((e != OK && e != E_NOENT) || (e == E_NOENT && reply.moved == 0))
        return e;
    char *path = *rest - out->name_bytes; /* the name at hand ends there */
    if (reply.moved < out->name_bytes || reply.moved > bytes || path[reply.moved - 1] == '/' ||
        (path[reply.moved] != '/' && path[reply.moved] != '\0'))
        return E_IO; /* no name that was asked for ends there */
    *rest = path + reply.moved;
    char *name = *rest;
    while (name > path && name[-1] != '/')
        name--;
    out->name = name;
    out->name_bytes = (uint32_t)(*rest - name);
    out->parent = (struct place){.ino = reply.ino2, .shared = out->found.shared};
    out->parent_stat = (struct vfs_stat){0};
    if (e != OK)
        return e;
    out->found.ino = reply.stat.ino;
    out->stat = reply.stat;
    return OK;
}

/* Puts the target of the link out->found before what is left of the path. */
static enum err splice_link(struct vfs *v, const struct walked *out, char *path, const char *rest)
{
    struct vfs_request request = {
        .op = VFS_READLINK, .ino = out->found.ino, .length = VFS_PATH_MAX};
    struct cargo cargo = {.data = v->target, .bytes = VFS_PATH_MAX, .access = PLAT_GRANT_WRITE};
    struct vfs_reply reply;
    enum err e = server_call(v, &request, &cargo, &reply);
    if (e != OK)
        return e;
    size_t rest_bytes = strlen(rest); /* nothing, or a slash and what follows */
    if (reply.moved == 0)
        return E_NOENT; /* as POSIX has it of an empty path; no sound server has such a link */
    if (reply.moved + rest_bytes > VFS_PATH_MAX)
        return E_NAMETOOLONG;
    memmove(path + reply.moved, rest, rest_bytes + 1);
    memcpy(path, v->target, reply.moved);
    return OK;
}

/* Cuts the next component off *rest; false if there is none. */
static bool next_component(char **rest, struct walked *out)
{
    char *p = *rest;
    while (*p == '/')
        p++;
    char *start = p;
    while (*p != '/' && *p != '\0')
        p++;
    out->name = start;
    out->name_bytes = (uint32_t)(p - start);
    *rest = p;
    return out->name_bytes > 0;
}

static bool only_slashes(const char *rest)
{
    while (*rest == '/')
        rest++;
    return *rest == '\0';
}

/* The directory that the next step starts from, which only its searchers may pass. */
static enum err enter(struct vfs *v, struct walked *out)
{
    if (out->stat.type != VFS_DIRECTORY)
        return E_NOTDIR;
    if (v->uid == 0)
        return OK;
    enum err e = out->stat.ino != 0 ? OK : stat_ino(v, out->found.ino, &out->stat);
    return e == OK ? permit(v, &out->stat, MAY_SEARCH) : e;
}

static struct place start_of(const struct vfs *v, const char *path, struct place otherwise)
{
    return path[0] == '/' ? (struct place){.ino = v->root} : otherwise;
}

/* Says what the last component was, now that all is walked. */
static void classify(struct walked *out)
{
    if (out->name_bytes == 0)
        out->last = LAST_ROOT;
    else if (is_dots(out->name, out->name_bytes))
        out->last = out->name_bytes == 1 ? LAST_DOT : LAST_DOT_DOT;
    else
        out->last = LAST_NAME;
    if (out->last != LAST_NAME)
        out->name_bytes = 0;
}

enum err walk(struct vfs *v, struct place start, char *path, bool follow, struct walked *out)
{
    char *rest = path;
    bool last = false;
    *out = (struct walked){.found = start_of(v, path, start)};
    out->stat.type = VFS_DIRECTORY; /* where a walk starts; its other fields are read if needed */
    for (uint32_t links = 0; !last && next_component(&rest, out);) {
        enum err e = enter(v, out);
        if (e != OK)
            return e;
        if (out->name_bytes > VFS_NAME_MAX)
            return E_NAMETOOLONG;
        uint32_t bytes = bytes_at_once(v, out);
        e = bytes == out->name_bytes ? step(v, out) : step_far(v, bytes, &rest, out);
        last = only_slashes(rest);
        out->slash = *rest == '/';
        if (e == E_NOENT && last) {
            out->found_error = E_NOENT;
            return OK;
        }
        if (e != OK)
            return e;
        if (out->stat.type != VFS_LINK_TYPE || (last && !follow && !out->slash))
            continue;
        if (++links > VFS_SYMLINKS_MAX)
            return E_LOOP;
        e = splice_link(v, out, path, rest);
        if (e != OK)
            return e;
        rest = path;
        last = false;
        out->found = start_of(v, path, out->parent);
        out->stat = (struct vfs_stat){.type = VFS_DIRECTORY};
    }
    classify(out);
    if (out->last == LAST_NAME && out->slash && out->stat.type != VFS_DIRECTORY)
        return E_NOTDIR;
    return out->stat.ino == 0 ? stat_ino(v, out->found.ino, &out->stat) : OK;
}
