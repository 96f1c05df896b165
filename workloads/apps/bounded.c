#include "workloads/apps/bounded.h"

#include <stdarg.h>
#include <stdio.h>

#include "assertion.h"
#include "workloads/apps/bounded_ops.h"

/* Bytes: a file of the set-up has two blocks of 4096 and a part of a third. */
#define SETUP_BYTES 10000
#define APPEND_BYTES 5000

/* Some operations from the first on, and what they leave. */
struct sequence {
    uint8_t op[BOUNDED_LENGTH_MAX];
    uint32_t length;
    uint32_t stabiliser;
    uint32_t used; /* paths, a bit each */
    bool feasible, related;
    struct bounded_world world;
};

static struct sequence empty_sequence(void)
{
    struct sequence s = {
        .stabiliser = (1u << BOUNDED_GROUP) - 1, .feasible = true, .related = true};
    bounded_world_init(&s.world);
    return s;
}

/* Adds an operation. False: another member of its orbit stands for the sequence. */
static bool extend(const struct bounded *b, const struct bounded_op ops[BOUNDED_OPS],
                   struct sequence *s, uint8_t op)
{
    uint32_t stabiliser = 0;
    for (uint32_t g = 0; g < BOUNDED_GROUP; g++) {
        if ((s->stabiliser >> g & 1) == 0)
            continue;
        if (b->image[g][op] < op)
            return false;
        if (b->image[g][op] == op)
            stabiliser |= 1u << g;
    }
    uint32_t used = bounded_used(&ops[op]);
    s->related = s->related && (s->length == 0 || (used & s->used & ~PATH_BIT(PATH_ROOT)) != 0);
    s->stabiliser = stabiliser;
    s->used |= used;
    s->feasible = s->feasible && bounded_world_apply(&s->world, &ops[op]);
    s->op[s->length++] = op;
    return true;
}

/* What can follow the last operation: sync, or fsync of a used path. */
static uint64_t last_choices(const struct sequence *s)
{
    return 1 + (uint64_t)__builtin_popcount(s->used);
}

/* In how many ways a whole sequence can be made persistent; earlier operations need not be. */
static uint64_t choices(const struct sequence *s)
{
    uint64_t count = last_choices(s);
    for (uint32_t k = 1; k < s->length; k++)
        count *= 1 + last_choices(s);
    return count;
}

static bool taken(const struct bounded *b, const struct sequence *s)
{
    return s->feasible && (s->related || !b->related);
}

static void fill_images(struct bounded *b, const struct bounded_op ops[BOUNDED_OPS])
{
    for (uint32_t g = 0; g < BOUNDED_GROUP; g++) {
        for (uint32_t k = 0; k < BOUNDED_OPS; k++) {
            struct bounded_op image = {ops[k].kind, bounded_path_image(g, ops[k].path),
                                       bounded_path_image(g, ops[k].path2)};
            b->image[g][k] = bounded_op_number(ops, &image);
        }
    }
}

/* The sequences that go on from `s` with one operation more: b->count grows by them. */
static void count_last(struct bounded *b, const struct bounded_op ops[BOUNDED_OPS],
                       const struct sequence *s)
{
    struct bounded_prefix prefix = {.first = b->count, .stabiliser = (uint16_t)s->stabiliser};
    for (uint32_t k = 0; k < s->length; k++)
        prefix.op[k] = s->op[k];
    for (uint32_t op = 0; op < BOUNDED_OPS; op++) {
        struct sequence whole = *s;
        if (b->core && !bounded_is_core(ops[op].kind))
            continue;
        if (extend(b, ops, &whole, (uint8_t)op) && taken(b, &whole))
            b->count += choices(&whole);
    }
    if (b->count == prefix.first)
        return;
    ASSERT(b->prefixes < BOUNDED_PREFIXES_MAX);
    b->prefix[b->prefixes++] = prefix;
}

/* Goes through all prefixes that begin with `s`: at most two operations deep. */
static void count_all(struct bounded *b, const struct bounded_op ops[BOUNDED_OPS],
                      const struct sequence *s)
{
    if (s->length + 1 == b->length) {
        count_last(b, ops, s);
        return;
    }
    for (uint32_t op = 0; op < BOUNDED_OPS; op++) {
        struct sequence next = *s;
        if (b->core && !bounded_is_core(ops[op].kind))
            continue;
        if (extend(b, ops, &next, (uint8_t)op) && taken(b, &next))
            count_all(b, ops, &next);
    }
}

void bounded_init(struct bounded *b, uint32_t length, bool core, bool related)
{
    ASSERT(b != NULL);
    ASSERT(length >= 1 && length <= BOUNDED_LENGTH_MAX);
    struct bounded_op ops[BOUNDED_OPS];
    b->length = length;
    b->core = core;
    b->related = related;
    b->count = 0;
    b->prefixes = 0;
    bounded_list_ops(ops);
    fill_images(b, ops);
    struct sequence none = empty_sequence();
    count_all(b, ops, &none);
    ASSERT(b->count > 0);
}

/* ---- One sequence ------------------------------------------------------------------------------
 */

/* The prefix that sequence n begins with. */
static const struct bounded_prefix *find_prefix(const struct bounded *b, uint64_t n)
{
    uint32_t low = 0, high = b->prefixes;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (b->prefix[middle].first <= n)
            low = middle;
        else
            high = middle;
    }
    ASSERT(b->prefix[low].first <= n);
    return &b->prefix[low];
}

/* The operations of sequence n; *persistence: the number of its choice among theirs. */
static struct sequence find_sequence(const struct bounded *b,
                                     const struct bounded_op ops[BOUNDED_OPS], uint64_t n,
                                     uint64_t *persistence)
{
    const struct bounded_prefix *prefix = find_prefix(b, n);
    struct sequence s = empty_sequence();
    for (uint32_t k = 0; k + 1 < b->length; k++) {
        bool least = extend(b, ops, &s, prefix->op[k]);
        ASSERT(least);
    }
    ASSERT(s.stabiliser == prefix->stabiliser);
    uint64_t left = n - prefix->first;
    for (uint32_t op = 0; op < BOUNDED_OPS; op++) {
        struct sequence whole = s;
        if ((b->core && !bounded_is_core(ops[op].kind)) || !extend(b, ops, &whole, (uint8_t)op) ||
            !taken(b, &whole))
            continue;
        if (left < choices(&whole)) {
            *persistence = left;
            return whole;
        }
        left -= choices(&whole);
    }
    ASSERT(false); /* n is below the count */
    return s;
}

struct writer {
    char *text;
    uint32_t used;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *w, const char *form, ...)
{
    va_list list;
    va_start(list, form);
    int bytes = vsnprintf(w->text + w->used, BOUNDED_SCRIPT_BYTES - w->used, form, list);
    va_end(list);
    ASSERT(bytes >= 0);
    w->used += (uint32_t)bytes;
    ASSERT(w->used < BOUNDED_SCRIPT_BYTES);
}

static void put_setup(struct writer *w, uint32_t setup)
{
    for (uint32_t p = PATH_A; p <= PATH_B; p++)
        if ((setup & PATH_BIT(p)) != 0)
            put(w, "mkdir %s\n", bounded_path_names[p]);
    for (uint32_t p = 0; p < PATH_FILES; p++)
        if ((setup & PATH_BIT(p)) != 0)
            put(w, "create %s\nappend %s %d\n", bounded_path_names[p], bounded_path_names[p],
                SETUP_BYTES);
    put(w, "sync\nmark\n");
}

/* The text of a link at path2 that leads to `path`, as seen from its own directory. */
static void put_target(struct writer *w, const struct bounded_op *op)
{
    const char *name = bounded_path_names[op->path];
    enum bounded_path from = bounded_parent(op->path2);
    if (from == PATH_ROOT)
        put(w, "%s", name);
    else if (bounded_parent(op->path) == from)
        put(w, "%s", name + 2);
    else
        put(w, "../%s", name);
}

/* The operations may be refused: as the rules have it, a moved directory may meet one that is not
 * empty, and fsync a name that is gone. */
static void put_op(struct writer *w, const struct bounded_op *op)
{
    static const struct {
        const char *word, *rest;
    } words[BOUNDED_KINDS] = {
        [BOUNDED_CREATE] = {"create", ""},
        [BOUNDED_APPEND] = {"append", " 5000"},
        [BOUNDED_OVERWRITE] = {"write", " 0 4096"},
        [BOUNDED_UNALIGNED] = {"write", " 1000 5000"},
        [BOUNDED_SPARSE] = {"write", " 20480 4096"},
        [BOUNDED_ZERO] = {"truncate", " 0"},
        [BOUNDED_CUT] = {"truncate", " 5000"},
        [BOUNDED_GROW] = {"truncate", " 20000"},
        [BOUNDED_UNLINK] = {"unlink", ""},
        [BOUNDED_CHMOD] = {"chmod", " 600"},
        [BOUNDED_MKDIR] = {"mkdir", ""},
        [BOUNDED_RMDIR] = {"rmdir", ""},
        [BOUNDED_RENAME] = {"rename", ""},
        [BOUNDED_LINK] = {"link", ""},
        [BOUNDED_SYMLINK] = {"symlink", ""},
    };
    put(w, "try %s ", words[op->kind].word);
    if (op->kind == BOUNDED_SYMLINK)
        put_target(w, op);
    else
        put(w, "%s", bounded_path_names[op->path]);
    if (op->path2 != PATH_ROOT)
        put(w, " %s", bounded_path_names[op->path2]);
    put(w, "%s\n", words[op->kind].rest);
}

/* choice: 0 none, 1 sync, then fsync of the used paths in their order. */
static void put_persistence(struct writer *w, uint32_t used, uint64_t choice)
{
    if (choice == 0)
        return;
    if (choice == 1) {
        put(w, "sync\n");
        return;
    }
    uint32_t path = 0;
    for (uint64_t left = choice - 2; left > 0 || (used >> path & 1) == 0; path++)
        left -= used >> path & 1;
    ASSERT(path < PATHS);
    put(w, "try fsync %s\n", bounded_path_names[path]);
}

void bounded_script(const struct bounded *b, uint64_t n, char text[BOUNDED_SCRIPT_BYTES])
{
    ASSERT(b != NULL && text != NULL);
    ASSERT(n < b->count);
    struct bounded_op ops[BOUNDED_OPS];
    uint64_t persistence = 0;
    bounded_list_ops(ops);
    struct sequence s = find_sequence(b, ops, n, &persistence);
    struct writer w = {.text = text};
    put(&w, "# bounded, length %u%s%s: sequence %llu of %llu\n", b->length, b->core ? ", core" : "",
        b->related ? ", related" : "", (unsigned long long)n, (unsigned long long)b->count);
    put_setup(&w, bounded_world_setup(&s.world));
    uint64_t step = choices(&s) / last_choices(&s); /* of all but the last */
    uint64_t earlier = persistence / last_choices(&s), last = persistence % last_choices(&s);
    for (uint32_t k = 0; k < s.length; k++) {
        put_op(&w, &ops[s.op[k]]);
        bool is_last = k + 1 == s.length;
        if (!is_last)
            step /= 1 + last_choices(&s);
        put_persistence(&w, s.used, is_last ? last + 1 : earlier / step % (1 + last_choices(&s)));
    }
}
