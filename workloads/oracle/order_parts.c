#include "workloads/oracle/order_parts.h"

#include <stdlib.h>
#include <string.h>

#include "workloads/oracle/order_log.h"

#define SHARED_TREE 1u /* the root of the shared tree; that of environment e is e + 2 */
#define FNV_PRIME UINT64_C(0x100000001b3) /* FNV-1a, 64 bits */
#define KEYS_AT_FIRST 256u                /* a power of two, as all sizes of the table */

static uint32_t leader(const struct parts *p, uint32_t app)
{
    while (p->of[app] != app)
        app = p->of[app];
    return app;
}

static void join(struct parts *p, uint32_t app, uint32_t other)
{
    uint32_t a = leader(p, app);
    uint32_t b = leader(p, other);
    p->of[a < b ? b : a] = a < b ? a : b;
}

static void join_all(struct parts *p, const struct history *h)
{
    for (uint32_t a = 1; a < h->app_count; a++)
        join(p, 0, a);
}

static uint32_t place_of(const struct parts *p, uint64_t key)
{
    uint32_t at = (uint32_t)key & (p->room - 1);
    while (p->keys[at] != 0 && p->keys[at] != key)
        at = (at + 1) & (p->room - 1);
    return at;
}

static void make_room(struct parts *p)
{
    uint64_t *keys = p->keys;
    uint32_t *owners = p->owners;
    uint32_t room = p->room;
    p->room = room == 0 ? KEYS_AT_FIRST : 2 * room;
    p->keys = calloc(p->room, sizeof(*p->keys));
    p->owners = calloc(p->room, sizeof(*p->owners));
    ASSERT(p->keys != NULL);
    ASSERT(p->owners != NULL);
    for (uint32_t k = 0; k < room; k++) {
        if (keys[k] == 0)
            continue;
        uint32_t at = place_of(p, keys[k]);
        p->keys[at] = keys[k];
        p->owners[at] = owners[k];
    }
    free(keys);
    free(owners);
}

/* The application uses this name in that root. */
static void use(struct parts *p, uint32_t app, uint32_t root, const char *name, size_t bytes)
{
    uint64_t key = (UINT64_C(0xcbf29ce484222325) ^ root) * FNV_PRIME;
    for (size_t k = 0; k < bytes; k++)
        key = (key ^ (uint8_t)name[k]) * FNV_PRIME;
    key = (key ^ key >> 29) | 1;
    if (2 * p->used >= p->room)
        make_room(p);
    uint32_t at = place_of(p, key);
    if (p->keys[at] != 0) {
        join(p, app, p->owners[at]);
        return;
    }
    p->keys[at] = key;
    p->owners[at] = app;
    p->used++;
}

static bool is_word(const char *name, size_t bytes, const char *word)
{
    return bytes == strlen(word) && memcmp(name, word, bytes) == 0;
}

/* The first name of a path, without "." before it; *bytes 0: it has none. */
static const char *first_name(const char *path, size_t *bytes)
{
    path += strspn(path, "/");
    *bytes = strcspn(path, "/");
    while (is_word(path, *bytes, ".")) {
        path += *bytes;
        path += strspn(path, "/");
        *bytes = strcspn(path, "/");
    }
    return path;
}

static bool goes_up(const char *path)
{
    for (size_t bytes = 0; *path != '\0'; path += bytes) {
        path += strspn(path, "/");
        bytes = strcspn(path, "/");
        if (is_word(path, bytes, ".."))
            return true;
    }
    return false;
}

/* Returns false if the path may lead anywhere, or to a root. */
static bool use_path(struct parts *p, uint32_t app, uint32_t root, const char *path)
{
    size_t bytes = 0;
    if (goes_up(path))
        return false;
    const char *name = first_name(path, &bytes);
    if (root != SHARED_TREE && is_word(name, bytes, "shared")) {
        root = SHARED_TREE;
        name = first_name(name + bytes, &bytes);
    }
    if (bytes != 0)
        use(p, app, root, name, bytes);
    return bytes != 0;
}

/* The text of a link that any directory may come to have. */
static bool use_text(struct parts *p, const struct history *h, uint32_t app, const char *text)
{
    bool known = text[0] != '/';
    for (uint32_t root = SHARED_TREE; known && root < h->environments + 2; root++)
        known = use_path(p, app, root, text);
    return known;
}

/* What cannot tell one order from another whatever it leads to: roots are not judged. */
static bool harmless_on_root(enum history_kind kind)
{
    return kind == HISTORY_STAT || kind == HISTORY_CHMOD || kind == HISTORY_CHOWN;
}

static bool use_call(struct parts *p, const struct history *h, uint32_t op)
{
    const struct history_record *r = &h->log.record[op];
    const char *path = order_text(h, r->path);
    const char *path2 = order_text(h, r->path2);
    uint32_t app = h->ops[op].app;
    uint32_t root = h->apps[app].environment + 2;
    enum history_kind kind = r->call.kind;
    bool two = kind == HISTORY_RENAME || kind == HISTORY_LINK || kind == HISTORY_SYMLINK;
    bool known = true;
    if (path != NULL && kind == HISTORY_SYMLINK)
        known = use_text(p, h, app, path);
    else if (path != NULL)
        known = use_path(p, app, root, path) || (harmless_on_root(kind) && !goes_up(path));
    if (path2 != NULL && two)
        known = use_path(p, app, root, path2) && known;
    return known;
}

void parts_find(struct parts *p, const struct history *h)
{
    p->used = p->count = 0;
    if (p->room != 0)
        memset(p->keys, 0, p->room * sizeof(*p->keys));
    for (uint32_t a = 0; a < h->app_count; a++)
        p->of[a] = a;
    bool known = !h->base.links;
    for (uint32_t op = h->setup_ops + 1; op <= h->op_count && known; op++)
        known = use_call(p, h, op);
    if (!known)
        join_all(p, h);
    uint32_t number[HISTORY_APPS_MAX];
    for (uint32_t a = 0; a < h->app_count; a++) { /* a leader comes before those that it leads */
        uint32_t first = leader(p, a);
        number[a] = first == a ? p->count++ : number[first];
    }
    memcpy(p->of, number, h->app_count * sizeof(*number));
}

void parts_free(struct parts *p)
{
    free(p->keys);
    free(p->owners);
    *p = (struct parts){0};
}
