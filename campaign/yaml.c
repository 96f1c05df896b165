#include "campaign/yaml.h"

#include <errno.h>
#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"

/* libfyaml looks ahead over all opening brackets of a line, in time that grows with their square: a
 * text that opens this many is first read up to there, which finds the nesting error if there is
 * one. */
#define LOOKAHEAD_DEPTH_MAX 256

struct reader {
    struct fy_parser *parser;
    struct fy_diag *diag;
    struct arena *arena;
    struct complaints *complaints;
    const char *file;
    uint32_t first_column;
    uint32_t nodes;
    struct place last; /* of the last event that had one */
    bool too_deep;
};

static struct place place_at(const struct reader *r, int line, int column)
{
    struct place place = {r->file, line < 1 ? 1 : (uint32_t)line,
                          column < 1 ? 1 : (uint32_t)column};
    if (place.line == 1)
        place.column += r->first_column - 1;
    return place;
}

static struct place place_of(struct reader *r, struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    if (mark != NULL)
        r->last = place_at(r, mark->line + 1, mark->column + 1);
    bool quoted = event->type == FYET_SCALAR && event->scalar.value != NULL &&
                  (fy_token_scalar_style(event->scalar.value) == FYSS_SINGLE_QUOTED ||
                   fy_token_scalar_style(event->scalar.value) == FYSS_DOUBLE_QUOTED);
    if (quoted && mark != NULL && mark->column > 0)
        r->last.column--; /* the mark is behind the quote */
    return r->last;       /* an empty value has no mark: that of its key is near enough */
}

static void complain_syntax(struct reader *r)
{
    void *iterator = NULL;
    struct fy_diag_error *error = fy_diag_errors_iterate(r->diag, &iterator);
    if (error == NULL) {
        complain(r->complaints, r->last, "is not YAML from here on");
        return;
    }
    const char *text = error->msg == NULL ? "cannot be read" : error->msg;
    complain(r->complaints, place_at(r, error->line, error->column), "is not YAML: %.200s", text);
}

/* Anchors and tags are refused where they stand. */
static void check_properties(struct reader *r, struct fy_event *event, struct place place)
{
    struct fy_token *anchor = fy_event_get_anchor_token(event);
    struct fy_token *tag = fy_event_get_tag_token(event);
    if (anchor != NULL) {
        const struct fy_mark *mark = fy_token_start_mark(anchor);
        complain(r->complaints, mark == NULL ? place : place_at(r, mark->line + 1, mark->column),
                 "anchors (&) are not allowed; `like` and `include` reuse things");
    }
    if (tag != NULL) {
        const struct fy_mark *mark = fy_token_start_mark(tag);
        complain(r->complaints,
                 mark == NULL ? place : place_at(r, mark->line + 1, mark->column + 1),
                 "tags (!) are not allowed");
    }
}

static struct yaml *read_text(struct reader *r, struct fy_event *event, struct place place)
{
    struct yaml *node = yaml_new(r->arena, YAML_TEXT, place);
    struct fy_token *token = event->scalar.value;
    size_t length = 0;
    const char *text = token == NULL ? "" : fy_token_get_text(token, &length);
    if (text == NULL)
        text = "", length = 0;
    if (memchr(text, '\0', length) != NULL) {
        complain(r->complaints, place, "holds a NUL character (\\0)");
        length = 0;
    }
    node->text = arena_text(r->arena, text, length);
    node->plain = token == NULL || fy_token_scalar_style(token) == FYSS_PLAIN;
    return node;
}

static struct yaml *read_node(struct reader *r, struct fy_event *event, uint32_t depth);

static struct fy_event *next_event(struct reader *r)
{
    struct fy_event *event = fy_parser_parse(r->parser);
    if (event == NULL)
        complain_syntax(r);
    return event;
}

static struct yaml *read_list(struct reader *r, struct yaml *node, uint32_t depth)
{
    for (;;) {
        struct fy_event *event = next_event(r);
        if (event == NULL)
            return NULL;
        if (event->type == FYET_SEQUENCE_END) {
            fy_parser_event_free(r->parser, event);
            return node;
        }
        struct yaml *item = read_node(r, event, depth + 1);
        if (item == NULL)
            return NULL;
        yaml_append(r->arena, node, item);
    }
}

/* Puts a pair into the map, or says why not. */
static void add_pair(struct reader *r, struct yaml *map, struct yaml *key, struct yaml *value)
{
    if (key->kind != YAML_TEXT) {
        complain(r->complaints, key->place, "a key must be a name, not a %s",
                 key->kind == YAML_MAP ? "map" : "list");
        return;
    }
    struct yaml *first = yaml_key(map, key->text);
    if (first != NULL) {
        complain(r->complaints, key->place, "key `%.80s` stands here twice; first in line %u",
                 key->text, first->place.line);
        return;
    }
    yaml_put(r->arena, map, key, value);
}

static struct yaml *read_map(struct reader *r, struct yaml *node, uint32_t depth)
{
    for (;;) {
        struct fy_event *event = next_event(r);
        if (event == NULL)
            return NULL;
        if (event->type == FYET_MAPPING_END) {
            fy_parser_event_free(r->parser, event);
            return node;
        }
        struct yaml *key = read_node(r, event, depth + 1);
        if (key == NULL || (event = next_event(r)) == NULL)
            return NULL;
        struct yaml *value = read_node(r, event, depth + 1);
        if (value == NULL)
            return NULL;
        if (key->kind == YAML_TEXT && key->plain && key->text[0] == '\0')
            key->place = value->place; /* an empty key has none of its own */
        if (node->count == YAML_KEYS_MAX) {
            complain(r->complaints, key->place, "has too many keys; at most %u", YAML_KEYS_MAX);
            return NULL;
        }
        add_pair(r, node, key, value);
    }
}

/* Reads the node that begins with `event`, which it frees. NULL if the rest is unreadable. */
static struct yaml *read_node(struct reader *r, struct fy_event *event, uint32_t depth)
{
    enum fy_event_type type = event->type;
    struct place place = place_of(r, event);
    struct yaml *node = NULL;
    if (type == FYET_SCALAR)
        node = read_text(r, event, place);
    if (type == FYET_ALIAS) {
        if (place.column > 1)
            place.column--; /* the mark is that of the name behind the star */
        complain(r->complaints, place, "aliases (*) are not allowed; quote a leading *");
        node = yaml_new_text(r->arena, place, "");
        node->plain = false;
    } else {
        check_properties(r, event, place);
    }
    fy_parser_event_free(r->parser, event);
    if (++r->nodes > YAML_NODES_MAX) {
        complain(r->complaints, place, "has too many values; at most %u", YAML_NODES_MAX);
        return NULL;
    }
    if (node != NULL)
        return node;
    if (depth > YAML_DEPTH_MAX) {
        complain(r->complaints, place, "is nested too deep; at most %u levels", YAML_DEPTH_MAX);
        r->too_deep = true;
        return NULL;
    }
    if (type == FYET_SEQUENCE_START)
        return read_list(r, yaml_new(r->arena, YAML_LIST, place), depth);
    if (type == FYET_MAPPING_START)
        return read_map(r, yaml_new(r->arena, YAML_MAP, place), depth);
    complain(r->complaints, place, "is not YAML from here on");
    return NULL;
}

/* `%YAML 1.1` would ask for `yes` and octal 010: not what is read here. */
static void check_version(struct reader *r, struct fy_event *event)
{
    const struct fy_version *version = fy_document_start_event_version(event);
    if (version != NULL && (version->major != 1 || version->minor != 2))
        complain(r->complaints, place_at(r, 1, 1),
                 "asks for YAML %d.%d; a campaign file is YAML 1.2", version->major,
                 version->minor);
}

static struct yaml *read_stream(struct reader *r)
{
    struct yaml *root = NULL;
    bool ended = false;
    while (!ended) {
        struct fy_event *event = fy_parser_parse(r->parser);
        if (event == NULL) {
            complain_syntax(r);
            return NULL;
        }
        enum fy_event_type type = event->type;
        bool content = type != FYET_STREAM_START && type != FYET_STREAM_END &&
                       type != FYET_DOCUMENT_START && type != FYET_DOCUMENT_END;
        if (content && root == NULL) {
            root = read_node(r, event, 1);
            if (root == NULL)
                return NULL;
            continue;
        }
        if (type == FYET_DOCUMENT_START)
            check_version(r, event);
        if (content || (type == FYET_DOCUMENT_START && root != NULL)) {
            complain(r->complaints, place_of(r, event),
                     "a second document begins; a campaign file has one");
            ended = true;
        }
        ended = ended || type == FYET_STREAM_END;
        fy_parser_event_free(r->parser, event);
    }
    if (root == NULL) {
        root = yaml_new_text(r->arena, (struct place){r->file, 1, r->first_column}, "");
        root->plain = true;
    }
    return root;
}

/* libfyaml must not write to stderr by itself. */
static void swallow(struct fy_diag *diag, void *user, const char *text, size_t length)
{
    (void)diag, (void)user, (void)text, (void)length;
}

static struct yaml *run_parser(struct reader *r, const char *text, size_t bytes)
{
    struct fy_diag_cfg quiet;
    fy_diag_cfg_default(&quiet);
    quiet.fp = NULL;
    quiet.output_fn = swallow;
    quiet.level = FYET_ERROR;
    r->diag = fy_diag_create(&quiet);
    ASSERT(r->diag != NULL);
    fy_diag_set_collect_errors(r->diag, true);
    struct fy_parse_cfg config = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE |
                                           FYPCF_DEFAULT_VERSION_1_2 | FYPCF_ALLOW_DUPLICATE_KEYS,
                                  .diag = r->diag};
    r->parser = fy_parser_create(&config);
    ASSERT(r->parser != NULL);
    int failed = fy_parser_set_string(r->parser, text, bytes);
    ASSERT(failed == 0);
    struct yaml *root = read_stream(r);
    fy_parser_destroy(r->parser);
    fy_diag_destroy(r->diag);
    return root;
}

/* Bytes of the UTF-8 sequence at text (length > 0), 0 if it is none or a control character. */
static size_t character_bytes(const unsigned char *text, size_t length)
{
    if (text[0] < 0x80)
        return (text[0] >= 0x20 && text[0] != 0x7f) || text[0] == '\n' || text[0] == '\t' ||
                       text[0] == '\r'
                   ? 1
                   : 0;
    size_t bytes = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc2 || text[0] > 0xf4 || bytes > length)
        return 0;
    uint32_t code = text[0] & (0x7fu >> bytes);
    for (size_t k = 1; k < bytes; k++) {
        if ((text[k] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[k] & 0x3fu);
    }
    bool overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
    bool control = code < 0xa0 || code == 0xfffe || code == 0xffff;
    return overlong || control || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : bytes;
}

/* Complains of the first byte that is no text; false then. */
static bool check_bytes(const struct reader *r, const char *text, size_t bytes)
{
    const unsigned char *raw = (const unsigned char *)text;
    struct place place = place_at(r, 1, 1);
    for (size_t at = 0; at < bytes;) {
        size_t step = character_bytes(raw + at, bytes - at);
        if (step == 0) {
            complain(r->complaints, place,
                     "byte 0x%02x is no text; a campaign file is UTF-8 without control characters",
                     raw[at]);
            return false;
        }
        place.column++;
        if (raw[at] == '\n') {
            place.line++;
            place.column = 1;
        }
        at += step;
    }
    return true;
}

/* Offset behind the bracket that is the LOOKAHEAD_DEPTH_MAX-th open one; `bytes` if none is. */
static size_t deep_offset(const char *text, size_t bytes)
{
    int depth = 0;
    for (size_t at = 0; at < bytes; at++) {
        if (text[at] == '[' || text[at] == '{')
            depth++;
        else if ((text[at] == ']' || text[at] == '}') && depth > 0)
            depth--;
        if (depth >= LOOKAHEAD_DEPTH_MAX)
            return at + 1;
    }
    return bytes;
}

struct yaml *yaml_parse(const char *text, size_t bytes, const char *file, uint32_t first_column,
                        struct arena *arena, struct complaints *complaints)
{
    ASSERT(text != NULL && file != NULL);
    ASSERT(arena != NULL && complaints != NULL);
    struct reader reader = {.arena = arena,
                            .complaints = complaints,
                            .file = file,
                            .first_column = first_column,
                            .last = {file, 1, first_column}};
    if (!check_bytes(&reader, text, bytes))
        return NULL;
    size_t deep = deep_offset(text, bytes);
    if (deep < bytes) {
        /* Complaints of a cut text are not the user's: they are dropped with this arena. */
        struct arena *scratch = arena_create();
        struct reader probe = reader;
        probe.arena = scratch;
        probe.complaints = complaints_create(scratch);
        (void)run_parser(&probe, text, deep);
        arena_destroy(scratch);
        if (probe.too_deep) {
            (void)run_parser(&reader, text, deep);
            return NULL;
        }
    }
    return run_parser(&reader, text, bytes);
}

char *yaml_read_file(const char *path, struct place place, size_t *bytes, struct arena *arena,
                     struct complaints *complaints)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        complain(complaints, place, "cannot open `%.200s`: %s", path, strerror(errno));
        return NULL;
    }
    char *text = arena_alloc(arena, YAML_FILE_BYTES_MAX + 2);
    errno = 0;
    size_t length = fread(text, 1, YAML_FILE_BYTES_MAX + 1, file);
    bool failed = ferror(file) != 0;
    int why = errno;
    (void)fclose(file);
    if (failed) {
        complain(complaints, place, "cannot read `%.200s`: %s", path, strerror(why));
        return NULL;
    }
    if (length > YAML_FILE_BYTES_MAX) {
        complain(complaints, place, "`%.200s` is too large; at most %u MiB", path,
                 YAML_FILE_BYTES_MAX >> 20);
        return NULL;
    }
    text[length] = '\0';
    *bytes = length;
    return text;
}
