#include "workloads/apps/bounded_ops.h"

#include "assertion.h"

const char *const bounded_path_names[PATHS] = {"foo",   "bar", "A/foo", "A/bar", "B/foo",
                                               "B/bar", "A",   "B",     "."};

enum bounded_path bounded_parent(enum bounded_path path)
{
    ASSERT(path < PATHS);
    if (path == PATH_A_FOO || path == PATH_A_BAR)
        return PATH_A;
    if (path == PATH_B_FOO || path == PATH_B_BAR)
        return PATH_B;
    return PATH_ROOT;
}

/* Its file foo; bar is the next. */
static enum bounded_path first_child(enum bounded_path directory)
{
    ASSERT(directory == PATH_A || directory == PATH_B);
    return directory == PATH_A ? PATH_A_FOO : PATH_B_FOO;
}

static bool is_directory(enum bounded_path path)
{
    return path == PATH_A || path == PATH_B;
}

/* ---- The list of operations -------------------------------------------------------------------
 */

static uint32_t list_files(struct bounded_op *ops, enum bounded_kind kind)
{
    for (uint32_t p = 0; p < PATH_FILES; p++)
        ops[p] = (struct bounded_op){kind, (enum bounded_path)p, PATH_ROOT};
    return PATH_FILES;
}

static uint32_t list_directories(struct bounded_op *ops, enum bounded_kind kind)
{
    ops[0] = (struct bounded_op){kind, PATH_A, PATH_ROOT};
    ops[1] = (struct bounded_op){kind, PATH_B, PATH_ROOT};
    return 2;
}

static uint32_t list_pairs(struct bounded_op *ops, enum bounded_kind kind)
{
    uint32_t count = 0;
    for (uint32_t p = 0; p < PATH_FILES; p++)
        for (uint32_t q = 0; q < PATH_FILES; q++)
            if (p != q)
                ops[count++] =
                    (struct bounded_op){kind, (enum bounded_path)p, (enum bounded_path)q};
    if (kind != BOUNDED_RENAME)
        return count;
    ops[count++] = (struct bounded_op){kind, PATH_A, PATH_B};
    ops[count++] = (struct bounded_op){kind, PATH_B, PATH_A};
    return count;
}

void bounded_list_ops(struct bounded_op ops[BOUNDED_OPS])
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < BOUNDED_KINDS; k++) {
        enum bounded_kind kind = (enum bounded_kind)k;
        if (kind == BOUNDED_MKDIR || kind == BOUNDED_RMDIR)
            count += list_directories(ops + count, kind);
        else if (kind >= BOUNDED_RENAME)
            count += list_pairs(ops + count, kind);
        else
            count += list_files(ops + count, kind);
    }
    ASSERT(count == BOUNDED_OPS);
}

uint8_t bounded_op_number(const struct bounded_op ops[BOUNDED_OPS], const struct bounded_op *op)
{
    uint32_t k = 0;
    while (k < BOUNDED_OPS &&
           !(ops[k].kind == op->kind && ops[k].path == op->path && ops[k].path2 == op->path2))
        k++;
    ASSERT(k < BOUNDED_OPS);
    return (uint8_t)k;
}

/* Bits of g: swap A and B; foo and bar in the root, in A, in B. */
enum bounded_path bounded_path_image(uint32_t g, enum bounded_path path)
{
    ASSERT(g < BOUNDED_GROUP && path < PATHS);
    bool swap = (g & 1) != 0;
    if (path == PATH_ROOT)
        return path;
    if (is_directory(path))
        return !swap ? path : path == PATH_A ? PATH_B : PATH_A;
    uint32_t directory = path / 2, name = path % 2;
    name ^= g >> (1 + directory) & 1;
    if (swap && directory != 0)
        directory = 3 - directory;
    return (enum bounded_path)(2 * directory + name);
}

uint32_t bounded_used(const struct bounded_op *op)
{
    uint32_t used = PATH_BIT(op->path) | PATH_BIT(bounded_parent(op->path));
    if (op->path2 != PATH_ROOT)
        used |= PATH_BIT(op->path2) | PATH_BIT(bounded_parent(op->path2));
    return used;
}

bool bounded_is_core(enum bounded_kind kind)
{
    return kind != BOUNDED_CHMOD && kind != BOUNDED_SYMLINK && kind != BOUNDED_SPARSE;
}

/* ---- What can be run ---------------------------------------------------------------------------
 */

void bounded_world_init(struct bounded_world *w)
{
    *w = (struct bounded_world){0};
    for (uint32_t p = 0; p < PATH_ROOT; p++)
        w->origin[p] = (uint8_t)p;
}

static bool need_directory(struct bounded_world *w, enum bounded_path path)
{
    if (path == PATH_ROOT)
        return true;
    if (w->state[path] == STATE_UNKNOWN) {
        w->setup |= PATH_BIT(path);
        w->state[path] = STATE_DIRECTORY;
    }
    return w->state[path] == STATE_DIRECTORY;
}

static bool need_file(struct bounded_world *w, enum bounded_path path)
{
    ASSERT(!is_directory(path));
    if (!need_directory(w, bounded_parent(path)))
        return false;
    if (w->state[path] == STATE_UNKNOWN) {
        w->setup |= PATH_BIT(w->origin[path]);
        w->state[path] = STATE_FILE;
    }
    return w->state[path] == STATE_FILE;
}

static void becomes_absent(struct bounded_world *w, enum bounded_path path)
{
    if (w->state[path] == STATE_UNKNOWN)
        w->absent |= PATH_BIT(w->origin[path]);
    w->state[path] = STATE_ABSENT;
}

/* What is not there has no entries either. */
static void empty_directory(struct bounded_world *w, enum bounded_path directory)
{
    enum bounded_path foo = first_child(directory);
    becomes_absent(w, foo);
    becomes_absent(w, (enum bounded_path)(foo + 1));
}

static bool need_absent(struct bounded_world *w, enum bounded_path path)
{
    if (!need_directory(w, bounded_parent(path)))
        return false;
    if (w->state[path] == STATE_UNKNOWN) {
        becomes_absent(w, path);
        if (is_directory(path))
            empty_directory(w, path);
    }
    return w->state[path] == STATE_ABSENT;
}

static bool apply_rmdir(struct bounded_world *w, enum bounded_path directory)
{
    enum bounded_path foo = first_child(directory);
    if (!need_directory(w, directory) || w->state[foo] == STATE_FILE ||
        w->state[foo + 1] == STATE_FILE)
        return false;
    empty_directory(w, directory);
    w->state[directory] = STATE_ABSENT;
    return true;
}

/* What is known of the entries moves along. An unknown one says nothing of the place that it comes
 * to, but if that becomes a need it is met where it came from. */
static bool apply_move(struct bounded_world *w, enum bounded_path from, enum bounded_path to)
{
    enum bounded_path source = first_child(from), target = first_child(to);
    if (!need_directory(w, from))
        return false;
    if (w->state[to] == STATE_UNKNOWN)
        w->absent |= PATH_BIT(to);
    bool full = w->state[target] == STATE_FILE || w->state[target + 1] == STATE_FILE;
    for (uint32_t k = 0; k < 2; k++) {
        if (w->state[source + k] != STATE_UNKNOWN)
            w->state[target + k] = w->state[source + k];
        else if (w->state[target + k] == STATE_UNKNOWN && !full)
            w->origin[target + k] = w->origin[source + k];
        w->state[source + k] = STATE_ABSENT;
    }
    w->state[to] = STATE_DIRECTORY;
    w->state[from] = STATE_ABSENT;
    return true;
}

static bool apply_rename(struct bounded_world *w, const struct bounded_op *op)
{
    if (is_directory(op->path))
        return apply_move(w, op->path, op->path2);
    if (!need_file(w, op->path) || !need_directory(w, bounded_parent(op->path2)))
        return false;
    w->state[op->path2] = STATE_FILE;
    w->state[op->path] = STATE_ABSENT;
    return true;
}

/* The new name of link and symlink. */
static bool apply_new_name(struct bounded_world *w, const struct bounded_op *op)
{
    if (op->kind == BOUNDED_LINK && !need_file(w, op->path))
        return false;
    if (op->kind == BOUNDED_SYMLINK && w->state[op->path] == STATE_UNKNOWN)
        w->wanted |= PATH_BIT(w->origin[op->path]);
    if (!need_absent(w, op->path2))
        return false;
    w->state[op->path2] = STATE_FILE;
    return true;
}

bool bounded_world_apply(struct bounded_world *w, const struct bounded_op *op)
{
    switch (op->kind) {
    case BOUNDED_CREATE:
        if (!need_absent(w, op->path))
            return false;
        w->state[op->path] = STATE_FILE;
        return true;
    case BOUNDED_MKDIR:
        if (!need_absent(w, op->path))
            return false;
        w->state[op->path] = STATE_DIRECTORY;
        return true;
    case BOUNDED_RMDIR:
        return apply_rmdir(w, op->path);
    case BOUNDED_UNLINK:
        if (!need_file(w, op->path))
            return false;
        w->state[op->path] = STATE_ABSENT;
        return true;
    case BOUNDED_RENAME:
        return apply_rename(w, op);
    case BOUNDED_LINK:
    case BOUNDED_SYMLINK:
        return apply_new_name(w, op);
    case BOUNDED_APPEND:
    case BOUNDED_OVERWRITE:
    case BOUNDED_UNALIGNED:
    case BOUNDED_SPARSE:
    case BOUNDED_ZERO:
    case BOUNDED_CUT:
    case BOUNDED_GROW:
    case BOUNDED_CHMOD:
        return need_file(w, op->path);
    case BOUNDED_KINDS:
        break;
    }
    ASSERT(false);
    return false;
}

uint32_t bounded_world_setup(const struct bounded_world *w)
{
    uint32_t setup = w->setup;
    ASSERT((setup & w->absent) == 0);
    for (uint32_t p = 0; p < PATH_FILES; p++) {
        uint32_t with_parent =
            PATH_BIT(p) | (PATH_BIT(bounded_parent((enum bounded_path)p)) & ~PATH_BIT(PATH_ROOT));
        if ((w->wanted & PATH_BIT(p)) != 0 && (w->absent & with_parent) == 0)
            setup |= with_parent;
    }
    return setup;
}
