/* What is tried on the operation list of a candidate: fewer lines, smaller numbers, plainer names.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "campaign/shrink_private.h"
#include "sim/option.h"

#define WORDS_MAX 7u

/* The list cut into lines, each ended by NUL in place of its newline. */
struct lines {
    char **line;
    uint32_t count;
};

static struct lines cut_lines(const struct shrink *s, struct arena *arena, const struct yaml *root)
{
    const char *script = shrink_script(s, root);
    struct lines l = {NULL, 0};
    if (script == NULL)
        return l;
    char *text = arena_text(arena, script, strlen(script));
    uint32_t room = 1;
    for (const char *c = text; *c != '\0'; c++)
        room += *c == '\n';
    l.line = ARENA_ARRAY(arena, char *, room);
    for (char *at = text; *at != '\0';) {
        char *end = strchr(at, '\n');
        if (end != NULL)
            *end = '\0';
        if (*at != '\0')
            l.line[l.count++] = at;
        at = end == NULL ? at + strlen(at) : end + 1;
    }
    return l;
}

static void put_lines(const struct shrink *s, struct arena *arena, struct yaml *root,
                      const struct lines *l)
{
    size_t room = 1, at = 0;
    for (uint32_t k = 0; k < l->count; k++)
        room += strlen(l->line[k]) + 1;
    char *text = arena_alloc(arena, room);
    for (uint32_t k = 0; k < l->count; k++) {
        size_t length = strlen(l->line[k]);
        memcpy(text + at, l->line[k], length);
        text[at + length] = '\n';
        at += length + 1;
    }
    shrink_put_script(s, arena, root, text);
}

static bool is_operation(const char *line, const char *word)
{
    size_t length = strlen(word);
    return strncmp(line, word, length) == 0 && (line[length] == ' ' || line[length] == '\0');
}

/* ---- Fewer lines --------------------------------------------------------------------------------
 */

/* Without s->chunk lines from the k-th such piece on. */
bool step_chunk(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    struct lines l = cut_lines(s, arena, root);
    ASSERT(s->chunk > 0);
    uint64_t from = (uint64_t)k * s->chunk;
    if (from >= l.count || l.count < 2)
        return false;
    uint32_t to = l.count - (uint32_t)from < s->chunk ? l.count : (uint32_t)from + s->chunk;
    if (from == 0 && to == l.count)
        return false;
    memmove(l.line + from, l.line + to, (l.count - to) * sizeof(*l.line));
    l.count -= to - (uint32_t)from;
    put_lines(s, arena, root, &l);
    return true;
}

/* Its first lines alone: 1, 2, 4, ... */
bool step_tail(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    struct lines l = cut_lines(s, arena, root);
    if (k > 30 || UINT32_C(1) << k >= l.count)
        return false;
    l.count = UINT32_C(1) << k;
    put_lines(s, arena, root, &l);
    return true;
}

/* Without any pause. */
bool step_sleeps(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    struct lines l = cut_lines(s, arena, root);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l.count; i++)
        if (!is_operation(l.line[i], "sleep"))
            l.line[kept++] = l.line[i];
    if (k > 0 || kept == l.count || kept == 0)
        return false;
    l.count = kept;
    put_lines(s, arena, root, &l);
    return true;
}

/* The pause of a line that is one, in ns; else -1. */
static int64_t pause_of(const char *line)
{
    char error[OPTION_ERROR_BYTES];
    int64_t ns;
    return is_operation(line, "sleep") && line[5] == ' ' && option_parse_time(line + 6, &ns, error)
               ? ns
               : -1;
}

/* Two pauses, one behind the other, as one. */
bool step_pauses(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    struct lines l = cut_lines(s, arena, root);
    for (uint32_t i = 0; i + 1 < l.count; i++) {
        int64_t first = pause_of(l.line[i]), second = pause_of(l.line[i + 1]);
        if (first < 0 || second < 0 || k-- > 0)
            continue;
        l.line[i] = arena_printf(arena, "sleep %" PRId64 "ns", first + second);
        memmove(l.line + i + 1, l.line + i + 2, (l.count - i - 2) * sizeof(*l.line));
        l.count--;
        put_lines(s, arena, root, &l);
        return true;
    }
    return false;
}

bool shrink_lines(struct shrink *s)
{
    bool found = false;
    struct arena *arena = arena_create();
    uint32_t size = cut_lines(s, arena, s->best).count / 2;
    arena_destroy(arena);
    for (; size > 0; size /= 2) {
        uint32_t from = 0;
        s->chunk = size;
        while ((from = shrink_first(s, step_chunk, from)) != SHRINK_NONE)
            found = true; /* those before it are needed, as far as we know */
    }
    return found;
}

/* ---- Words --------------------------------------------------------------------------------------
 */

struct words {
    char *word[WORDS_MAX];
    uint32_t count;
};

static struct words cut_words(struct arena *arena, const char *line)
{
    struct words w = {.count = 0};
    char *save = NULL, *text = arena_text(arena, line, strlen(line));
    for (char *word = strtok_r(text, " \t\r", &save); word != NULL && w.count < WORDS_MAX;
         word = strtok_r(NULL, " \t\r", &save)) {
        if (word[0] == '#')
            break;
        w.word[w.count++] = word;
    }
    return w;
}

static char *join(struct arena *arena, const struct words *w)
{
    char *text = arena_printf(arena, "%s", w->count > 0 ? w->word[0] : "");
    for (uint32_t k = 1; k < w->count; k++)
        text = arena_printf(arena, "%s %s", text, w->word[k]);
    return text;
}

/* The word that names the operation. */
static uint32_t verb_of(const struct words *w)
{
    if (w->count > 1 && strcmp(w->word[0], "try") == 0)
        return 1;
    return w->count > 2 && strcmp(w->word[0], "expect") == 0 ? 2 : 0;
}

/* Whether its numbers are bytes. */
static bool counts_bytes(const char *verb)
{
    static const char *const verbs[] = {"write",     "append", "read",  "truncate",
                                        "fallocate", "zero",   "punch", "setxattr"};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verb, verbs[i]) == 0)
            return true;
    return false;
}

bool step_number(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    static const uint64_t simple[] = {0, 1, 512, 4096, 8192, 65536};
    struct lines l = cut_lines(s, arena, root);
    for (uint32_t i = 0; i < l.count; i++) {
        struct words w = cut_words(arena, l.line[i]);
        uint32_t verb = verb_of(&w);
        if (w.count == 0 || !counts_bytes(w.word[verb]))
            continue;
        for (uint32_t j = verb + 2; j < w.count; j++) {
            struct yaml text = {.kind = YAML_TEXT, .text = w.word[j]};
            uint64_t now = 0;
            if (!shrink_number(&text, &now))
                continue;
            for (size_t v = 0; v < sizeof(simple) / sizeof(simple[0]) && simple[v] < now; v++) {
                if (k-- > 0)
                    continue;
                w.word[j] = arena_printf(arena, "%" PRIu64, simple[v]);
                l.line[i] = join(arena, &w);
                put_lines(s, arena, root, &l);
                return true;
            }
        }
    }
    return false;
}

bool shrink_drop_tries(const struct shrink *s, struct arena *arena, struct yaml *root)
{
    struct lines l = cut_lines(s, arena, root);
    bool found = false;
    for (uint32_t i = 0; i < l.count; i++) {
        if (!is_operation(l.line[i], "try"))
            continue;
        l.line[i] += sizeof("try");
        found = true;
    }
    if (found)
        put_lines(s, arena, root, &l);
    return found;
}

/* How many words of the line, behind the operation, are paths. */
static uint32_t paths_of(const char *verb)
{
    static const char *const none[] = {"sync", "begin", "commit", "abort", "sleep", "mark", "user"};
    static const char *const two[] = {"rename", "link", "symlink"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        if (strcmp(verb, none[i]) == 0)
            return 0;
    for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++)
        if (strcmp(verb, two[i]) == 0)
            return 2;
    return 1;
}

/* Whether `path` is `name`, or lies in a directory of that name. */
static bool leads_through(const char *path, const char *name)
{
    size_t length = strlen(name);
    return strncmp(path, name, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

/* The script with `name` called `to` everywhere. */
static void rename_all(struct arena *arena, struct lines *l, const char *name, const char *to)
{
    for (uint32_t i = 0; i < l->count; i++) {
        struct words w = cut_words(arena, l->line[i]);
        uint32_t verb = verb_of(&w);
        for (uint32_t j = 1; w.count > 0 && j <= paths_of(w.word[verb]) && verb + j < w.count; j++)
            if (leads_through(w.word[verb + j], name))
                w.word[verb + j] = arena_printf(arena, "%s%s", to, w.word[verb + j] + strlen(name));
        l->line[i] = join(arena, &w);
    }
}

/* The k-th different path of the script, in the order of its lines; NULL: there are not so many. */
static const char *nth_path(struct arena *arena, const struct lines *l, uint32_t k)
{
    const char **seen = ARENA_ARRAY(arena, const char *, 2 * l->count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        struct words w = cut_words(arena, l->line[i]);
        uint32_t verb = verb_of(&w);
        for (uint32_t j = 1; w.count > 0 && j <= paths_of(w.word[verb]) && verb + j < w.count;
             j++) {
            bool known = false;
            for (uint32_t p = 0; p < count; p++)
                known = known || strcmp(seen[p], w.word[verb + j]) == 0;
            if (known)
                continue;
            if (count == k)
                return w.word[verb + j];
            seen[count++] = w.word[verb + j];
        }
    }
    return NULL;
}

/* Whether some path of the script goes by that name. */
static bool is_used(struct arena *arena, const struct lines *l, const char *name)
{
    const char *path;
    for (uint32_t k = 0; (path = nth_path(arena, l, k)) != NULL; k++)
        if (leads_through(path, name))
            return true;
    return false;
}

bool step_name(const struct shrink *s, struct arena *arena, struct yaml *root, uint32_t k)
{
    struct lines l = cut_lines(s, arena, root);
    const char *path;
    for (uint32_t p = 0; (path = nth_path(arena, &l, p)) != NULL; p++) {
        if (path[1] == '\0' || strcmp(path, "shared") == 0)
            continue;
        char letter[2] = "a";
        while (letter[0] < 'z' && is_used(arena, &l, letter))
            letter[0]++;
        if (k-- > 0)
            continue;
        rename_all(arena, &l, path, letter);
        put_lines(s, arena, root, &l);
        return true;
    }
    return false;
}
