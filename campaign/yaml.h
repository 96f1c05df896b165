/*
 * The subset of YAML 1.2 that campaign files are written in, as a tree in which every node knows
 * its place: maps with text keys, lists and texts. Anchors, aliases, tags, duplicate keys, several
 * documents, nesting beyond YAML_DEPTH_MAX and bytes that are no UTF-8 text are errors, complained
 * of with their place. Untrusted input: nothing here asserts on its bytes.
 *
 * Invariants: (1) keys of a map are distinct texts, in the file's order; (2) a tree is at most
 * YAML_DEPTH_MAX deep and has at most YAML_NODES_MAX nodes when it is read; (3) all memory is the
 * arena's.
 */
#ifndef LORIS_CAMPAIGN_YAML_H
#define LORIS_CAMPAIGN_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "campaign/arena.h"
#include "campaign/complaints.h"

#define YAML_DEPTH_MAX 32u
#define YAML_KEYS_MAX 10000u   /* assumption; of one map: finding a key is a linear search */
#define YAML_NODES_MAX 200000u /* assumption: a large campaign has some thousand */
#define YAML_FILE_BYTES_MAX (16u << 20) /* assumption */

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml {
    enum yaml_kind kind;
    struct place place;
    bool plain;       /* TEXT: written without quotes */
    bool content;     /* TEXT: of a file that was read in its place and checked */
    const char *text; /* TEXT */
    uint32_t count;   /* LIST, MAP */
    uint32_t room;
    struct yaml **item; /* LIST: items; MAP: values */
    struct yaml **key;  /* MAP: TEXT nodes */
};

/*
 * Reads one document. file: the name in messages. first_column: the column of text[0], 1 for a
 * file. Returns its root, which may be any kind (an empty document is an empty TEXT), or NULL if
 * the text as a whole could not be read; complaints were then made. Smaller faults are complained
 * of too, but leave a tree.
 */
struct yaml *yaml_parse(const char *text, size_t bytes, const char *file, uint32_t first_column,
                        struct arena *arena, struct complaints *complaints);

/*
 * Reads a whole file, at most YAML_FILE_BYTES_MAX, into the arena. Returns its bytes, or NULL after
 * complaining at `place`.
 */
char *yaml_read_file(const char *path, struct place place, size_t *bytes, struct arena *arena,
                     struct complaints *complaints);

/* The value of a key, NULL if the map lacks it; its key node. */
struct yaml *yaml_get(const struct yaml *map, const char *key);
struct yaml *yaml_key(const struct yaml *map, const char *key);

/* Whether the node is a text that stands for nothing: empty or null, without quotes. */
bool yaml_is_empty(const struct yaml *node);

/* New nodes. */
struct yaml *yaml_new(struct arena *arena, enum yaml_kind kind, struct place place);
struct yaml *yaml_new_text(struct arena *arena, struct place place, const char *text);

/* Appends to a list; puts a key, replacing its value in place or appending it. */
void yaml_append(struct arena *arena, struct yaml *list, struct yaml *item);
void yaml_put(struct arena *arena, struct yaml *map, struct yaml *key, struct yaml *value);

/* Takes a key out, if it is there. */
void yaml_remove(struct yaml *map, const char *key);

/* A deep copy; places are kept. */
struct yaml *yaml_copy(struct arena *arena, const struct yaml *node);

/* A new tree: `over` laid over `base`, maps key by key to any depth, all else replaced whole. */
struct yaml *yaml_merge(struct arena *arena, const struct yaml *base, const struct yaml *over);

/*
 * The document as canonical YAML: top keys and their entries in block style, deeper ones in flow
 * style, keys in their order. Reading it again gives the same tree but for places.
 */
char *yaml_write(struct arena *arena, const struct yaml *root);

#endif
