#include "workloads/reader.h"

#include <string.h>

#include "assertion.h"
#include "block.h"
#include "workloads/client.h"
#include "workloads/oracle/content.h"

#define READ_BYTES (128u << 10)
#define LISTING_BYTES 16384u

#define MET_BUCKETS 256u

/* How often a directory's inode is read, under whatever names. A sound tree has each once; one that
 * is found twice is read twice, so that both names are told of in full; found more often it may
 * hold itself, which as a tree has no end. Then a name is told with its stat and no listing: three
 * names of a directory are a flaw (sight.c) whatever they lead to. The root's own inode is not
 * known, so a cycle through it is read once more than one below it. */
#define DIRECTORY_READS_MAX 2u

/* A directory that is still to be read, or was. */
struct pending {
    struct pending *next;
    struct pending *met; /* the one before it in its bucket */
    uint64_t ino;        /* 0: a root, which no name has led to */
    uint32_t node;       /* of the observation */
    char path[];
};

/* The reader's own memory, in its process's arena. */
struct walk {
    struct client client;
    struct reader *self;
    bool shared; /* which tree is being walked */
    char path[VFS_PATH_MAX + VFS_NAME_MAX + 2];
    size_t base_bytes; /* of path: the directory that is being read */
    uint8_t *listing, *buffer;
    struct pending *first, **last;    /* a queue */
    struct pending *met[MET_BUCKETS]; /* all of this tree, by inode */
};

/* ---- Traps: the observation is the laboratory's -------------------------------------------------
 */

struct tell {
    struct walk *w;
    uint32_t node;
    const char *name;
    uint32_t type;
    enum err result;
    const struct vfs_stat *stat;
    uint64_t offset, length, xattrs;
    const uint8_t *data;
};

static void count_progress(struct tell *t)
{
    t->w->self->progress++;
}

static void tell_root(void *argument)
{
    struct tell *t = argument;
    t->node = observe_root(t->w->self->observation, t->w->self->environment, t->w->shared);
}

static void tell_listing(void *argument)
{
    struct tell *t = argument;
    count_progress(t);
    observe_listing(t->w->self->observation, t->node, t->result);
}

static void tell_entry(void *argument)
{
    struct tell *t = argument;
    t->node = observe_entry(t->w->self->observation, t->node, t->name, t->type);
}

static void tell_stat(void *argument)
{
    struct tell *t = argument;
    count_progress(t);
    struct history_stat stat = {.ino = t->stat->ino,
                                .size = t->stat->size,
                                .type = t->stat->type,
                                .mode = t->stat->mode,
                                .nlink = t->stat->nlink,
                                .uid = t->stat->uid,
                                .gid = t->stat->gid,
                                .xattrs = t->xattrs};
    observe_stat(t->w->self->observation, t->node, t->result, &stat);
}

static void tell_xattr(void *argument)
{
    struct tell *t = argument;
    count_progress(t);
    observe_xattr(t->w->self->observation, t->node, content_digest(t->name, NULL, 0), t->xattrs);
}

static void tell_data(void *argument)
{
    struct tell *t = argument;
    count_progress(t);
    observe_data(t->w->self->observation, t->node, t->offset, t->result, t->data, t->length);
}

static void tell_target(void *argument)
{
    struct tell *t = argument;
    count_progress(t);
    observe_target(t->w->self->observation, t->node, t->result, t->data, t->length);
}

/* ---- Walking -----------------------------------------------------------------------------------
 */

/* A range that cannot be read as a whole is read block by block: each has its own error. */
static enum err read_blocks(struct walk *w, uint32_t node, int32_t fd, uint64_t offset,
                            uint64_t end)
{
    for (uint64_t at = offset; at < end; at += BLOCK_BYTES) {
        uint64_t moved = 0;
        uint64_t want = end - at < BLOCK_BYTES ? end - at : BLOCK_BYTES;
        enum err e = client_read(&w->client, fd, at, w->buffer, want, &moved);
        if (e == E_DEAD)
            return e;
        struct tell t = {.w = w,
                         .node = node,
                         .offset = at,
                         .result = e,
                         .data = e == OK ? w->buffer : NULL,
                         .length = e == OK ? moved : want};
        sim_trap(tell_data, &t);
        if (e == OK && moved < want)
            return OK;
    }
    return OK;
}

static enum err read_file(struct walk *w, uint32_t node, const struct vfs_stat *stat)
{
    int32_t fd = -1;
    enum err e = client_open(&w->client, w->path, CALL_READ_ONLY, 0, &fd, NULL);
    if (e != OK) {
        struct tell t = {.w = w, .node = node, .result = e, .length = stat->size};
        sim_trap(tell_data, &t);
        return e;
    }
    for (uint64_t at = 0; e != E_DEAD && at < stat->size; at += READ_BYTES) {
        uint64_t left = stat->size - at, moved = 0;
        uint64_t want = left < READ_BYTES ? left : READ_BYTES;
        e = client_read(&w->client, fd, at, w->buffer, want, &moved);
        if (e != OK) {
            e = e == E_DEAD ? e : read_blocks(w, node, fd, at, at + want);
            continue;
        }
        struct tell t = {.w = w, .node = node, .offset = at, .data = w->buffer, .length = moved};
        sim_trap(tell_data, &t);
        if (moved < want)
            break;
    }
    return e == E_DEAD ? e : client_close(&w->client, fd);
}

static enum err read_target(struct walk *w, uint32_t node)
{
    uint64_t moved = 0;
    enum err e = client_readlink(&w->client, w->path, (char *)w->buffer, VFS_PATH_MAX, &moved);
    struct tell t = {.w = w, .node = node, .result = e, .data = w->buffer, .length = moved};
    if (e != E_DEAD)
        sim_trap(tell_target, &t);
    return e;
}

/* Directory w->path is to be read, unless its inode was often enough. */
static void push_directory(struct walk *w, uint32_t node, uint64_t ino)
{
    size_t bytes = strlen(w->path) + 1;
    struct pending **bucket = &w->met[ino % MET_BUCKETS];
    uint32_t reads = 0;
    for (const struct pending *m = *bucket; m != NULL; m = m->met)
        reads += m->ino == ino;
    if (reads >= DIRECTORY_READS_MAX)
        return;
    struct pending *d = plat_alloc(sizeof(*d) + bytes, TAG_HEAP);
    ASSERT(d != NULL);
    *d = (struct pending){.met = *bucket, .ino = ino, .node = node};
    *bucket = d;
    memcpy(d->path, w->path, bytes);
    *w->last = d;
    w->last = &d->next;
}

/* Tells all extended attributes of w->path, and the digest of all. A design without them has none.
 */
static enum err read_xattrs(struct walk *w, uint32_t node, uint64_t *digest)
{
    uint64_t names = 0, bytes = 0;
    char *list = (char *)w->buffer;
    uint8_t *value = w->buffer + BLOCK_BYTES;
    enum err e = client_listxattr(&w->client, w->path, list, BLOCK_BYTES, &names);
    if (e == E_NOTSUP)
        return OK;
    for (uint64_t at = 0; e == OK && at < names && names <= BLOCK_BYTES;
         at += strlen(list + at) + 1) {
        e = client_getxattr(&w->client, w->path, list + at, value, BLOCK_BYTES, &bytes);
        bool own = strncmp(list + at, "loris.", 6) == 0; /* of the stack's own, not recorded */
        if (e != OK || own)
            continue;
        struct tell t = {.w = w, .node = node, .name = list + at};
        t.xattrs = content_digest(t.name, value, bytes);
        *digest ^= t.xattrs;
        sim_trap(tell_xattr, &t);
    }
    return e;
}

/* Lookup and stat of w->path, which is `node`, then what it holds. Only E_DEAD ends the walk. */
static enum err read_node(struct walk *w, uint32_t node)
{
    struct vfs_stat stat = {0};
    enum err e = client_stat(&w->client, w->path, &stat);
    if (e == E_DEAD)
        return e;
    struct tell t = {.w = w, .node = node, .stat = &stat};
    if (e == OK && w->self->xattrs && stat.type != VFS_LINK_TYPE)
        e = read_xattrs(w, node, &t.xattrs);
    if (e == E_DEAD)
        return e;
    t.result = e;
    sim_trap(tell_stat, &t);
    if (e != OK)
        return OK;
    if (stat.type == VFS_DIRECTORY) {
        push_directory(w, node, stat.ino);
        return OK;
    }
    e = stat.type == VFS_LINK_TYPE ? read_target(w, node) : read_file(w, node, &stat);
    return e == E_DEAD ? e : OK;
}

static bool is_hidden(const struct walk *w, const char *name)
{
    bool root = !w->shared && w->base_bytes == 0;
    return root && w->self->shared_is_name &&
           (strcmp(name, "shared") == 0 || strcmp(name, "lost+found") == 0);
}

static enum err read_entries(struct walk *w, uint32_t node, uint64_t moved)
{
    struct client_entry entry;
    for (uint64_t at = 0; client_entry_next(w->listing, moved, &at, &entry);) {
        size_t bytes = strlen(entry.name);
        if (strcmp(entry.name, ".") == 0 || strcmp(entry.name, "..") == 0 ||
            is_hidden(w, entry.name))
            continue;
        struct tell t = {.w = w, .node = node, .name = entry.name, .type = entry.type};
        sim_trap(tell_entry, &t);
        size_t slash = w->base_bytes > 0 ? 1 : 0;
        if (w->base_bytes + slash + bytes > VFS_PATH_MAX)
            continue; /* too deep to be named: the judge sees a name without a stat */
        if (slash == 1)
            w->path[w->base_bytes] = '/';
        memcpy(w->path + w->base_bytes + slash, entry.name, bytes + 1);
        enum err e = read_node(w, t.node);
        if (e != OK)
            return e;
    }
    return OK;
}

static enum err read_directory(struct walk *w, uint32_t node, const char *path)
{
    int32_t fd = -1;
    uint64_t cookie = 0, moved = 0;
    w->base_bytes = strlen(path);
    memcpy(w->path, path, w->base_bytes + 1);
    enum err e = client_open(&w->client, w->base_bytes > 0 ? w->path : ".",
                             CALL_READ_ONLY | CALL_DIRECTORY, 0, &fd, NULL);
    bool opened = e == OK;
    do {
        if (e == OK)
            e = client_readdir(&w->client, fd, &cookie, w->listing, LISTING_BYTES, &moved);
        if (e == OK)
            e = read_entries(w, node, moved);
    } while (e == OK && cookie != 0);
    if (e == E_DEAD)
        return e;
    struct tell t = {.w = w, .node = node, .result = e};
    sim_trap(tell_listing, &t);
    return opened ? client_close(&w->client, fd) : OK;
}

static enum err walk_tree(struct walk *w, bool shared)
{
    struct tell t = {.w = w};
    w->shared = shared;
    w->first = NULL;
    w->last = &w->first;
    sim_trap(tell_root, &t);
    const char *root = shared ? "shared" : "";
    memcpy(w->path, root, strlen(root) + 1);
    memset(w->met, 0, sizeof(w->met));
    push_directory(w, t.node, 0);
    enum err e = OK;
    for (const struct pending *d = w->first; e != E_DEAD && d != NULL; d = d->next)
        e = read_directory(w, d->node, d->path);
    return e == E_DEAD ? e : OK;
}

static void task_walk(struct reader *r)
{
    struct walk *w = plat_alloc(sizeof(*w), TAG_HEAP);
    ASSERT(w != NULL);
    w->self = r;
    w->listing = plat_alloc(LISTING_BYTES, TAG_HEAP);
    w->buffer = plat_alloc(READ_BYTES, TAG_HEAP);
    ASSERT(w->listing != NULL && w->buffer != NULL);
    client_init(&w->client, r->environment);
    if (walk_tree(w, false) == OK)
        (void)walk_tree(w, true); /* what was not reached is missing in the observation */
}

/* ---- Probe and stop ----------------------------------------------------------------------------
 */

struct attempt {
    struct client client;
    struct reader *self;
    enum err result;
    const char *failed;
};

static bool step(struct attempt *a, enum err e, const char *what)
{
    if (e != OK && a->result == OK) {
        a->result = e;
        a->failed = what;
    }
    return a->result == OK;
}

static const char probe_name[] = ".probe", probe_moved[] = ".probe-moved";
static const char probe_text[] = "is anybody there?";

#define ROOM_FILES 16u  /* removed at a time */
#define ROOM_ROUNDS 64u /* that often */
#define ROOM_LISTING 1024u
/* What is deeper stays, as does what is behind so many directories: the tree may hold itself. */
#define ROOM_DEPTH 32u /* each takes ROOM_LISTING and more of the stack */
#define ROOM_DIRECTORIES 65536u

/* Where room is made: the path of the directory is its first `bytes`. */
struct room {
    struct client *client;
    uint32_t rounds;      /* so far */
    uint32_t left;        /* files still to be removed in this one */
    uint32_t depth;       /* directories that are open */
    uint32_t directories; /* that were, in this one */
    char path[VFS_PATH_MAX + VFS_NAME_MAX + 2];
};

static void remove_files(struct room *r, size_t bytes);

/* One entry of the directory path[0..bytes). What cannot be removed stays. */
static void remove_entry(struct room *r, size_t bytes, const char *name)
{
    struct vfs_stat stat;
    size_t slash = bytes > 0 ? 1 : 0, length = strlen(name);
    if (bytes + slash + length > VFS_PATH_MAX || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0 || strcmp(name, probe_name) == 0 || strcmp(name, probe_moved) == 0)
        return;
    if (slash == 1)
        r->path[bytes] = '/';
    memcpy(r->path + bytes + slash, name, length + 1);
    if (client_stat(r->client, r->path, &stat) != OK)
        return;
    if (stat.type == VFS_DIRECTORY && r->depth < ROOM_DEPTH && r->directories < ROOM_DIRECTORIES)
        remove_files(r, bytes + slash + length);
    else if (stat.type != VFS_DIRECTORY && client_unlink(r->client, r->path) == OK)
        r->left--;
}

static void remove_files(struct room *r, size_t bytes)
{
    uint8_t listing[ROOM_LISTING];
    struct client_entry entry;
    int32_t fd = -1;
    uint64_t cookie = 0, moved = 0;
    r->path[bytes] = '\0';
    enum err e = client_open(r->client, bytes > 0 ? r->path : ".", CALL_READ_ONLY | CALL_DIRECTORY,
                             0, &fd, NULL);
    if (e != OK)
        return;
    r->depth++;
    r->directories++;
    do {
        e = client_readdir(r->client, fd, &cookie, listing, sizeof(listing), &moved);
        uint64_t at = 0;
        while (e == OK && r->left > 0 && client_entry_next(listing, moved, &at, &entry))
            remove_entry(r, bytes, entry.name);
    } while (e == OK && cookie != 0 && r->left > 0);
    r->depth--;
    if (client_close(r->client, fd) != OK)
        r->left = 0; /* the VFS is gone, or confused: no more is removed */
}

/* A full disk that says so serves, if it takes back what is removed. True: files were removed, of
 * the private tree or else of the shared one, so that it is worth another try. */
static bool made_room(struct room *r, enum err e)
{
    if (e != E_NOSPC || r->rounds++ == ROOM_ROUNDS)
        return false;
    r->left = ROOM_FILES;
    r->directories = 0;
    remove_files(r, 0);
    if (r->left == ROOM_FILES) {
        memcpy(r->path, "shared", sizeof("shared"));
        remove_files(r, sizeof("shared") - 1);
    }
    return r->left < ROOM_FILES;
}

static enum err probe_create(struct client *c, struct room *r, int32_t *fd)
{
    uint64_t moved;
    enum err e;
    do
        e = client_open(c, probe_name, CALL_CREATE | CALL_EXCLUSIVE, 0600, fd, NULL);
    while (made_room(r, e));
    if (e != OK)
        return e;
    do
        e = client_write(c, *fd, 0, probe_text, sizeof(probe_text), &moved, NULL);
    while (made_room(r, e));
    return e;
}

static enum err probe_remove(struct client *c, struct room *r)
{
    enum err e;
    do
        e = client_rename(c, probe_name, probe_moved);
    while (made_room(r, e));
    if (e != OK)
        return e;
    do
        e = client_unlink(c, probe_moved);
    while (made_room(r, e));
    return e;
}

static void task_probe(struct attempt *a)
{
    struct client *c = &a->client;
    struct room *room = plat_alloc(sizeof(*room), TAG_HEAP);
    char back[sizeof(probe_text)] = "";
    int32_t fd = -1;
    uint64_t moved, blocks, available;
    ASSERT(room != NULL);
    *room = (struct room){.client = c};
    if (!step(a, probe_create(c, room, &fd), "create and write") ||
        !step(a, client_fsync(c, fd), "fsync") ||
        !step(a, client_read(c, fd, 0, back, sizeof(back), &moved), "read") ||
        !step(a, client_close(c, fd), "close"))
        return;
    if (memcmp(back, probe_text, sizeof(back)) != 0)
        (void)step(a, E_CORRUPT, "read other bytes than written");
    if (step(a, probe_remove(c, room), "rename and unlink"))
        (void)step(a, client_statfs(c, &blocks, &available), "statfs");
}

static void finish(void *argument)
{
    struct attempt *a = argument;
    struct reader *r = a->self;
    r->result = a->result;
    r->failed = a->failed;
    r->done = true;
    if (r->ended != NULL)
        r->ended(r->context);
}

static void reader_main(void *argument)
{
    struct reader *r = argument;
    struct attempt a = {.self = r};
    if (r->task == READER_WALK) {
        task_walk(r);
    } else {
        client_init(&a.client, r->environment);
        if (r->task == READER_PROBE)
            task_probe(&a);
        else
            (void)step(&a, client_unmount(&a.client), "stop");
    }
    sim_trap(finish, &a);
}

void reader_start(struct reader *r)
{
    ASSERT(r->environment < ENVIRONMENTS_MAX);
    r->done = false;
    r->result = OK;
    r->failed = NULL;
    r->progress = 0;
    sim_machine_spawn_app(r->machine, SIM_APPS_MAX - ENVIRONMENTS_MAX + r->environment, reader_main,
                          r);
}
