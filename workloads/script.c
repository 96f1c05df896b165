#include "workloads/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "sim/option.h"

#define WORDS_MAX 6u

enum argument {
    NONE,
    PATH,
    PATH2,
    TARGET,
    NUMBER,
    NUMBER2,
    MODE,
    TIME,
    NAME,
    LEVEL,
    VALUE,
    ID,
    ID2,
    KEEP
};
#define ARGUMENTS_MAX 4u

struct syntax {
    const char *word;
    enum script_kind kind;
    enum argument argument[ARGUMENTS_MAX]; /* KEEP, the last, may be left out */
    const char *usage;
};

static const struct syntax syntaxes[] = {
    {"create", SCRIPT_CREATE, {PATH}, "create P"},
    {"mkdir", SCRIPT_MKDIR, {PATH}, "mkdir P"},
    {"write", SCRIPT_WRITE, {PATH, NUMBER, NUMBER2}, "write P OFFSET LENGTH"},
    {"append", SCRIPT_APPEND, {PATH, NUMBER2}, "append P LENGTH"},
    {"read", SCRIPT_READ, {PATH, NUMBER, NUMBER2}, "read P OFFSET LENGTH"},
    {"truncate", SCRIPT_TRUNCATE, {PATH, NUMBER}, "truncate P SIZE"},
    {"rename", SCRIPT_RENAME, {PATH, PATH2}, "rename P Q"},
    {"link", SCRIPT_LINK, {PATH, PATH2}, "link P Q"},
    {"symlink", SCRIPT_SYMLINK, {TARGET, PATH2}, "symlink TARGET P"},
    {"unlink", SCRIPT_UNLINK, {PATH}, "unlink P"},
    {"rmdir", SCRIPT_RMDIR, {PATH}, "rmdir P"},
    {"chmod", SCRIPT_CHMOD, {PATH, MODE}, "chmod P MODE"},
    {"fsync", SCRIPT_FSYNC, {PATH}, "fsync P"},
    {"sync", SCRIPT_SYNC, {NONE}, "sync"},
    {"begin", SCRIPT_BEGIN, {NONE}, "begin"},
    {"commit", SCRIPT_COMMIT, {NONE}, "commit"},
    {"abort", SCRIPT_ABORT, {NONE}, "abort"},
    {"sleep", SCRIPT_SLEEP, {TIME}, "sleep TIME"},
    {"mark", SCRIPT_MARK, {NONE}, "mark"},
    {"fallocate",
     SCRIPT_FALLOCATE,
     {PATH, NUMBER, NUMBER2, KEEP},
     "fallocate P OFFSET LENGTH [keep]"},
    {"zero", SCRIPT_ZERO, {PATH, NUMBER, NUMBER2, KEEP}, "zero P OFFSET LENGTH [keep]"},
    {"punch", SCRIPT_PUNCH, {PATH, NUMBER, NUMBER2}, "punch P OFFSET LENGTH"},
    {"setxattr", SCRIPT_SETXATTR, {PATH, NAME, VALUE}, "setxattr P NAME LENGTH"},
    {"getxattr", SCRIPT_GETXATTR, {PATH, NAME}, "getxattr P NAME"},
    {"removexattr", SCRIPT_REMOVEXATTR, {PATH, NAME}, "removexattr P NAME"},
    {"policy", SCRIPT_POLICY, {PATH, LEVEL}, "policy P LEVEL"},
    {"chown", SCRIPT_CHOWN, {PATH, ID, ID2}, "chown P UID GID"},
    {"user", SCRIPT_USER, {ID, ID2}, "user UID GID"},
};
#define SYNTAXES (sizeof(syntaxes) / sizeof(syntaxes[0]))

static const struct {
    const char *name;
    enum err error;
} errors[] = {
    {"ENOENT", E_NOENT},       {"EEXIST", E_EXIST},
    {"ENOTDIR", E_NOTDIR},     {"EISDIR", E_ISDIR},
    {"ENOTEMPTY", E_NOTEMPTY}, {"ENAMETOOLONG", E_NAMETOOLONG},
    {"ELOOP", E_LOOP},         {"EMLINK", E_MLINK},
    {"EXDEV", E_XDEV},         {"ENOSPC", E_NOSPC},
    {"EFBIG", E_FBIG},         {"EPERM", E_PERM},
    {"EACCES", E_ACCES},       {"EIO", E_IO},
    {"EROFS", E_ROFS},         {"EBUSY", E_BUSY},
    {"EINVAL", E_ARG},         {"ENODATA", E_NODATA},
    {"ERANGE", E_RANGE},       {"EOPNOTSUPP", E_NOTSUP},
    {"EABORT", E_ABORT},       {"E2BIG", E_2BIG},
};
#define ERRORS (sizeof(errors) / sizeof(errors[0]))

struct line {
    char text[1024];
    char *word[WORDS_MAX + 1];
    uint32_t column[WORDS_MAX + 1];
    uint32_t words;
};

/* Copies the line at *text without its comment, moves on, and cuts it into words. */
static bool line_read(const char **text, struct line *l)
{
    const char *p = *text;
    size_t bytes = strcspn(p, "\n");
    *text = p + bytes + (p[bytes] == '\n');
    size_t kept = strcspn(p, "#\n");
    l->words = 0;
    if (kept >= sizeof(l->text))
        return false;
    memcpy(l->text, p, kept);
    l->text[kept] = '\0';
    for (char *at = l->text;;) {
        at += strspn(at, " \t\r");
        if (*at == '\0')
            return true;
        if (l->words > WORDS_MAX)
            return false;
        l->word[l->words] = at;
        l->column[l->words++] = (uint32_t)(at - l->text) + 1;
        at += strcspn(at, " \t\r");
        if (*at != '\0')
            *at++ = '\0';
    }
}

static const struct syntax *syntax_find(const char *word)
{
    for (size_t i = 0; i < SYNTAXES; i++)
        if (strcmp(word, syntaxes[i].word) == 0)
            return &syntaxes[i];
    return NULL;
}

static bool bad_word(const char *word, char *error)
{
    const char *names[SYNTAXES];
    for (size_t i = 0; i < SYNTAXES; i++)
        names[i] = syntaxes[i].word;
    const char *near = option_nearest(word, names, SYNTAXES);
    (void)snprintf(error, SCRIPT_ERROR_BYTES,
                   "unknown operation `%.64s`; allowed: begin commit abort create mkdir write "
                   "append read truncate "
                   "rename link symlink unlink rmdir chmod fsync sync sleep mark fallocate zero "
                   "punch setxattr getxattr removexattr policy chown user expect try%s%s",
                   word, near != NULL ? "; did you mean " : "", near != NULL ? near : "");
    return false;
}

/* Whether one of its parts is `..`: it would leave the copy's own directory. */
static bool climbs(const char *path)
{
    for (const char *at = path; *at != '\0';) {
        size_t bytes = strcspn(at, "/");
        if (bytes == 2 && at[0] == '.' && at[1] == '.')
            return true;
        at += bytes + (at[bytes] == '/');
    }
    return false;
}

/* target: of a symbolic link, a text that may climb. */
static bool parse_path(const char *word, bool target, char *to, char *error)
{
    size_t bytes = strlen(word);
    if (!target && climbs(word)) {
        (void)snprintf(error, SCRIPT_ERROR_BYTES,
                       "bad path `%.64s`; a path has no `..`, only the target of a symlink may",
                       word);
        return false;
    }
    if (word[0] == '/' || bytes >= SCRIPT_PATH_BYTES) {
        (void)snprintf(error, SCRIPT_ERROR_BYTES,
                       "bad path `%.64s`; a path has no leading slash and under %u bytes", word,
                       SCRIPT_PATH_BYTES);
        return false;
    }
    memcpy(to, word, bytes + 1);
    return true;
}

static bool parse_name(const char *word, char *to, char *error)
{
    size_t bytes = strlen(word);
    if (bytes >= SCRIPT_PATH_BYTES) {
        (void)snprintf(error, SCRIPT_ERROR_BYTES, "bad name `%.64s`; it has under %u bytes", word,
                       SCRIPT_PATH_BYTES);
        return false;
    }
    memcpy(to, word, bytes + 1);
    return true;
}

/* One that is none is let through where the line says which error it must be. */
static bool parse_level(const char *word, struct script_op *op, char *error)
{
    static const char *const levels[] = {"0", "1", "4", "5", "6", "n-way"};
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcmp(word, levels[i]) == 0)
            return parse_name(word, op->path2, error);
    if (op->expected != OK)
        return parse_name(word, op->path2, error);
    (void)snprintf(error, SCRIPT_ERROR_BYTES, "`%.64s` is no level; allowed: 0, 1, 4, 5, 6, n-way",
                   word);
    return false;
}

static bool parse_keep(const char *word, bool *keep, char *error)
{
    *keep = strcmp(word, "keep") == 0;
    if (!*keep)
        (void)snprintf(error, SCRIPT_ERROR_BYTES, "unknown word `%.64s`; allowed: keep", word);
    return *keep;
}

static bool parse_number(const char *word, uint64_t limit, int base, uint64_t *number, char *error)
{
    char *end;
    *number = strtoull(word, &end, base);
    if (word[0] >= '0' && word[0] <= '9' && *end == '\0' && *number <= limit)
        return true;
    (void)snprintf(error, SCRIPT_ERROR_BYTES, "bad number `%.64s`; %s from 0 to %llu", word,
                   base == 8 ? "an octal number" : "a decimal number of bytes",
                   (unsigned long long)limit);
    return false;
}

static bool parse_argument(enum argument kind, const char *word, struct script_op *op, char *error)
{
    int64_t ns;
    switch (kind) {
    case PATH:
        return parse_path(word, false, op->path, error);
    case TARGET:
        return parse_path(word, true, op->path, error);
    case PATH2:
        return parse_path(word, false, op->path2, error);
    case NUMBER:
        return parse_number(word, UINT64_C(1) << 40, 10, &op->number, error);
    case NUMBER2:
        return parse_number(word, SCRIPT_LENGTH_MAX, 10, &op->number2, error);
    case MODE:
        return parse_number(word, 07777, 8, &op->number, error);
    case TIME: {
        char why[OPTION_ERROR_BYTES];
        if (option_parse_time(word, &ns, why)) {
            op->number = (uint64_t)ns;
            return true;
        }
        (void)snprintf(error, SCRIPT_ERROR_BYTES, "%.*s", (int)SCRIPT_ERROR_BYTES - 1, why);
        return false;
    }
    case NAME:
        return parse_name(word, op->path2, error);
    case LEVEL:
        return parse_level(word, op, error);
    case VALUE:
        return parse_number(word, SCRIPT_VALUE_MAX, 10, &op->number2, error);
    case ID:
        return parse_number(word, UINT32_MAX, 10, &op->number, error);
    case ID2:
        return parse_number(word, UINT32_MAX, 10, &op->number2, error);
    case KEEP:
        return parse_keep(word, &op->keep, error);
    case NONE:
        break;
    }
    return false;
}

/* Takes `expect ERROR` or `try` off the front; *first is the word that names the operation. */
static bool parse_expect(const struct line *l, uint32_t *first, struct script_op *op, char *error)
{
    if (strcmp(l->word[0], "try") == 0) {
        *first = 1;
        op->any_answer = true;
        if (l->words == 1)
            (void)snprintf(error, SCRIPT_ERROR_BYTES, "bad `try`; allowed: try operation");
        return l->words > 1;
    }
    if (strcmp(l->word[0], "expect") != 0)
        return true;
    *first = 2;
    for (size_t i = 0; l->words > 2 && i < ERRORS; i++)
        if (strcmp(l->word[1], errors[i].name) == 0) {
            op->expected = errors[i].error;
            return true;
        }
    (void)snprintf(
        error, SCRIPT_ERROR_BYTES,
        "bad `expect`; allowed: expect ERROR operation, with ENOENT EEXIST ENOTDIR EISDIR "
        "ENOTEMPTY ELOOP EXDEV ENOSPC EINVAL EIO ...");
    return false;
}

static bool parse_line(const struct line *l, struct script_op *op, uint32_t *column, char *error)
{
    uint32_t first = 0;
    *column = l->column[0];
    if (!parse_expect(l, &first, op, error))
        return false;
    *column = l->column[first];
    const struct syntax *s = syntax_find(l->word[first]);
    if (s == NULL)
        return bad_word(l->word[first], error);
    op->kind = s->kind;
    uint32_t count = 0, given = l->words - first - 1;
    while (count < ARGUMENTS_MAX && s->argument[count] != NONE)
        count++;
    if (given + 1 == count && s->argument[given] == KEEP)
        count--;
    if (given != count) {
        (void)snprintf(error, SCRIPT_ERROR_BYTES, "wrong number of words; allowed: %s", s->usage);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        *column = l->column[first + 1 + i];
        if (!parse_argument(s->argument[i], l->word[first + 1 + i], op, error))
            return false;
    }
    return true;
}

enum script_next script_next(const char **text, struct script_op *op, struct script_place *place,
                             char *error)
{
    ASSERT(text != NULL && *text != NULL);
    while (**text != '\0') {
        struct line l;
        place->line++;
        place->column = 1;
        *op = (struct script_op){.expected = OK};
        if (!line_read(text, &l)) {
            (void)snprintf(error, SCRIPT_ERROR_BYTES,
                           "line too long; allowed: at most 1023 bytes and 6 words");
            return SCRIPT_BAD;
        }
        if (l.words == 0)
            continue;
        return parse_line(&l, op, &place->column, error) ? SCRIPT_OP : SCRIPT_BAD;
    }
    return SCRIPT_END;
}

const char *script_error_name(enum err error)
{
    for (size_t i = 0; i < ERRORS; i++)
        if (errors[i].error == error)
            return errors[i].name;
    return error == OK ? "no error" : "another error";
}

bool script_has(const char *text, enum script_kind kind)
{
    struct script_op op;
    struct script_place place = {0};
    char error[SCRIPT_ERROR_BYTES];
    enum script_next next = SCRIPT_BAD;
    while (next != SCRIPT_END) {
        next = script_next(&text, &op, &place, error);
        if (next == SCRIPT_OP && op.kind == kind)
            return true;
    }
    return false;
}
