/*
 * `fsck: background`: the check beside service, in steps between the requests, at most half of the
 * time. A cut of a volume that says SUPER_LEAKS leaves only what nobody trips over: bits of what is
 * free, inodes without a name, counts that are too high, pointers beyond a file's end.
 *
 *   tables  each record is read: what it claims, the names in it if it is a directory
 *   names   what has no name is freed or gets one in lost+found; counts
 *   maps    of each group the bits of what nothing claimed are cleared
 *
 * Invariants:
 *   (1) what a request takes or frees from the beginning on counts as claimed: it is cleared by its
 * own owner, never here; so what is claimed only grows. (2) `names` of an inode is how many names
 * it has in directories with LIVE_WALKED, at any time between two requests. (3) all mends are
 * ordinary changes with patches, so that a cut in the check leaves nothing worse than before, and
 * the next check begins anew.
 */
#include "assertion.h"
#include "bytes.h"
#include "ffs.h"
#include "mem.h"

#define TABLE_BLOCKS (GROUP_META_BLOCKS - 2u)
#define TELL_NS UINT64_C(1000000000) /* between two reports */
#define PAUSE_NS 100000u /* between steps at least: assumption, far below a request to a disk */

enum {                         /* struct known.flags */
       LIVE_KEEP = 1u << 0,    /* its number is, or was, in use */
       LIVE_WALKED = 1u << 1,  /* the names in it are counted */
       LIVE_REMOVED = 1u << 2, /* a request took a name of it: it may be open */
       LIVE_TRIMMED = 1u << 3, /* nothing is beyond its end */
};

enum stage { LIVE_TABLES, LIVE_NAMES, LIVE_MAPS };

struct known { /* of an inode */
    uint32_t names;
    uint32_t flags;
};

struct live {
    enum stage stage;
    uint32_t next;          /* inode, or group, that the next step looks at */
    struct known **known;   /* by group; NULL: nothing is known of its inodes */
    uint8_t **claimed;      /* by group; NULL: no block; else a bit a block */
    uint64_t told_ns;       /* when it last said how far it is */
    bool again;             /* names went: the stage runs again */
    bool blind;             /* something could not be read: nothing more is mended */
    struct inode inode;     /* the one that is looked at, as its record says, */
    struct inode_c inode_c; /* beside those in memory */
};

/* ---- What is known ---- */

static struct known *known(struct fs *fs, uint32_t ino)
{
    struct live *l = ffs_of(fs)->live;
    if (ino == INO_NONE || ino >= (uint64_t)fs->c->super.groups * GROUP_INODES) {
        l->blind = true;
        return NULL;
    }
    struct known **group = &l->known[ino / GROUP_INODES];
    if (*group == NULL)
        *group = plat_alloc(GROUP_INODES * sizeof(**group), TAG_HEAP);
    l->blind |= *group == NULL;
    return *group == NULL ? NULL : *group + ino % GROUP_INODES;
}

static void claim(struct fs *fs, uint32_t block)
{
    struct live *l = ffs_of(fs)->live;
    ASSERT(block > 0);
    ASSERT((block - 1) / GROUP_BLOCKS < fs->c->super.groups);
    uint8_t **group = &l->claimed[(block - 1) / GROUP_BLOCKS];
    uint32_t bit = (block - 1) % GROUP_BLOCKS;
    if (*group == NULL)
        *group = plat_alloc(GROUP_BLOCKS / 8, TAG_HEAP);
    if (*group != NULL)
        (*group)[bit / 8] |= (uint8_t)(1u << bit % 8);
    l->blind |= *group == NULL;
}

static bool is_claimed(const struct live *l, uint32_t group, uint32_t bit)
{
    ASSERT(bit < GROUP_BLOCKS);
    return l->claimed[group] != NULL && (l->claimed[group][bit / 8] >> bit % 8 & 1) != 0;
}

/* ---- What requests do meanwhile ---- */

static void taken(struct fs *fs, uint32_t group, bool is_inode, uint32_t bit)
{
    const struct live *l = ffs_of(fs)->live;
    if (!is_inode) {
        claim(fs, group_first(group) + bit);
        return;
    }
    uint32_t ino = group * GROUP_INODES + bit;
    struct known *k = known(fs, ino);
    if (k == NULL)
        return;
    bool passed = l->stage != LIVE_TABLES || ino < l->next; /* as a directory it begins empty */
    *k = (struct known){.flags = LIVE_KEEP | LIVE_TRIMMED | (passed ? LIVE_WALKED : 0u)};
}

static void map_changed(struct fs *fs, const struct change *c)
{
    uint32_t group = (c->b->block - 1) / GROUP_BLOCKS;
    bool is_inode = (c->b->block - 1) % GROUP_BLOCKS == 1;
    for (uint32_t k = 0; k < c->bytes; k++)
        for (uint32_t bit = 0; bit < 8; bit++)
            if ((c->b->page[c->offset + k] & ~c->old[k] & 1u << bit) != 0)
                taken(fs, group, is_inode, (c->offset + k) * 8 + bit);
}

static void name_changed(struct fs *fs, uint32_t dir, uint32_t ino, bool came)
{
    const struct known *d = known(fs, dir);
    struct known *k = known(fs, ino);
    if (d == NULL || k == NULL)
        return;
    if (!came)
        k->flags |= LIVE_REMOVED;
    if ((d->flags & LIVE_WALKED) == 0)
        return;
    if (came)
        k->names++;
    else if (k->names > 0) /* damage: a name that was not there */
        k->names--;
}

void ffs_live_changed(struct fs *fs, const struct change *c)
{
    if (ffs_of(fs)->live == NULL)
        return;
    if (c->kind == CHANGE_MAP)
        map_changed(fs, c);
    if (c->kind == CHANGE_REMOVED || c->kind == CHANGE_POINTED)
        name_changed(fs, c->i->ino, c->old_target, false);
    if (c->kind == CHANGE_ADDED || c->kind == CHANGE_POINTED)
        name_changed(fs, c->i->ino, c->target, true);
}

void ffs_live_freed(struct fs *fs, uint32_t first, uint32_t count)
{
    if (ffs_of(fs)->live == NULL)
        return;
    for (uint32_t k = 0; k < count; k++)
        claim(fs, first + k);
    struct known *k = count == 0 ? known(fs, first) : NULL;
    if (k != NULL)
        k->flags |= LIVE_KEEP;
}

/* ---- One inode ---- */

struct extent { /* of its trees */
    uint32_t blocks;
    bool beyond; /* some beyond its end */
};

/* limit: file blocks of the tree within the file's size. */
static void claim_tree(struct fs *fs, uint32_t block, uint32_t level, uint64_t limit,
                       struct extent *x)
{
    uint64_t span = 1;
    if (block == 0 || !layout_is_data(fs->blocks, block))
        return; /* no block: an error to whoever uses it */
    x->blocks++;
    x->beyond |= limit == 0;
    claim(fs, block);
    for (uint32_t k = 1; k < level; k++)
        span *= POINTERS_A_BLOCK;
    for (uint32_t k = 0; k < POINTERS_A_BLOCK && level > 0; k++) {
        struct buffer *b;
        if (c_get(fs, block, &b) != OK) {
            ffs_of(fs)->live->blind = true;
            return;
        }
        claim_tree(fs, get_le32(b->page + 4 * k), level - 1,
                   limit > k * span ? limit - k * span : 0, x);
    }
}

static enum err load(struct fs *fs, uint32_t ino)
{
    struct live *l = ffs_of(fs)->live;
    l->inode = (struct inode){.ino = ino, .own = &l->inode_c};
    l->inode_c = (struct inode_c){.goal = 0};
    return c_inode_load(fs, &l->inode);
}

/* All of l->inode's. */
static struct extent claim_all(struct fs *fs)
{
    struct live *l = ffs_of(fs)->live;
    const struct attributes *d = &l->inode.d;
    uint64_t blocks = (d->size + BLOCK_BYTES - 1) / BLOCK_BYTES, base = 0, span = 1;
    struct extent x = {.blocks = 0};
    for (uint32_t p = 0; p < INODE_POINTERS; p++) {
        uint32_t level = p < INODE_DIRECT ? 0 : p - INODE_DIRECT + 1;
        span *= level > 0 ? POINTERS_A_BLOCK : 1;
        claim_tree(fs, l->inode_c.pointer[p], level, blocks > base ? blocks - base : 0, &x);
        base += span;
    }
    return x;
}

/* As before a request: room for the patches of one. */
static enum err make_room(struct fs *fs)
{
    inode_make_room(fs);
    fs->store->throttle(fs);
    return ffs_patch_is_short(ffs_of(fs)) ? ffs_pass_all(fs) : OK;
}

/* Claims what the inode has; what lies beyond its end goes, its blocks are counted. */
static enum err trim(struct fs *fs, uint32_t ino)
{
    struct live *l = ffs_of(fs)->live;
    struct known *k = known(fs, ino);
    struct inode *i;
    if (k == NULL || (k->flags & LIVE_TRIMMED) != 0)
        return OK;
    k->flags |= LIVE_TRIMMED;
    enum err e = load(fs, ino);
    bool is_inline = l->inode.d.type == VFS_LINK_TYPE && l->inode.d.size <= INLINE_MAX;
    if (e != OK || is_inline)
        return e == E_NOENT ? OK : e;
    struct extent x = claim_all(fs);
    if (l->blind || (!x.beyond && x.blocks == l->inode.d.blocks))
        return OK;
    e = make_room(fs);
    if (e == OK)
        e = inode_get(fs, ino, &i);
    if (e == OK)
        e = inode_dirty(fs, i);
    if (e != OK)
        return e;
    i->d.blocks = x.blocks;
    if (x.beyond)
        e = c_cut(fs, i);
    inode_store_all(fs);
    return e;
}

enum err ffs_live_before(struct fs *fs, uint64_t ino)
{
    const struct live *l = ffs_of(fs)->live;
    bool is = ino != INO_NONE && ino < (uint64_t)fs->c->super.groups * GROUP_INODES;
    if (l == NULL || l->stage != LIVE_TABLES || !is)
        return OK;
    return trim(fs, (uint32_t)ino);
}

/* ---- Directories ---- */

typedef void entry_fn(struct fs *fs, const struct disk_entry *entry, uint32_t *sum);

/* All names but the dots of l->inode. */
static void walk(struct fs *fs, entry_fn *visit, uint32_t *sum)
{
    struct live *l = ffs_of(fs)->live;
    for (uint64_t block = 0; block < l->inode.d.size / BLOCK_BYTES; block++) {
        struct buffer *b;
        if (c_block_get(fs, &l->inode, block, &b) != OK || b == NULL) {
            l->blind = true;
            return;
        }
        struct disk_entry entry;
        for (uint32_t at = 0; at < BLOCK_BYTES; at += entry.length) {
            const uint8_t *chunk = b->page + at / CHUNK_BYTES * CHUNK_BYTES;
            if (entry_decode(&entry, chunk, at % CHUNK_BYTES) != OK) {
                l->blind = true;
                return;
            }
            const uint8_t *name = chunk + at % CHUNK_BYTES + ENTRY_BYTES;
            if (entry.ino != INO_NONE && !dir_is_dots(name, entry.name_bytes))
                visit(fs, &entry, sum);
        }
    }
}

static void visit_count(struct fs *fs, const struct disk_entry *entry, uint32_t *sum)
{
    struct known *k = known(fs, entry->ino);
    (void)sum;
    if (k != NULL)
        k->names++;
}

static void visit_uncount(struct fs *fs, const struct disk_entry *entry, uint32_t *sum)
{
    struct known *k = known(fs, entry->ino);
    (void)sum;
    if (k != NULL && k->names > 0)
        k->names--;
}

static void visit_all(struct fs *fs, const struct disk_entry *entry, uint32_t *sum)
{
    (void)fs, (void)entry;
    (*sum)++;
}

static void visit_directories(struct fs *fs, const struct disk_entry *entry, uint32_t *sum)
{
    (void)fs;
    *sum += entry->type == VFS_DIRECTORY ? 1 : 0;
}

/* ---- Tables ---- */

static void scan_inode(struct fs *fs, uint32_t ino)
{
    struct live *l = ffs_of(fs)->live;
    enum err e = load(fs, ino);
    if (e == E_NOENT)
        return;
    struct known *k = known(fs, ino);
    bool possible = e == OK && l->inode.d.size <= FILE_BLOCKS_MAX * BLOCK_BYTES;
    if (!possible || k == NULL || trim(fs, ino) != OK || load(fs, ino) != OK) {
        l->blind = true;
        return;
    }
    k->flags |= LIVE_KEEP;
    if (l->inode.d.type != VFS_DIRECTORY || (k->flags & LIVE_WALKED) != 0)
        return;
    walk(fs, visit_count, NULL);
    k->flags |= LIVE_WALKED;
}

static bool is_zero(const uint8_t *raw, uint32_t bytes)
{
    for (uint32_t k = 0; k < bytes; k += 8)
        if (get_le64(raw + k) != 0)
            return false;
    return true;
}

/* The block of the table that l->next is in. Returns whether it has records. */
static bool scan_block(struct fs *fs)
{
    struct live *l = ffs_of(fs)->live;
    struct buffer *b;
    uint32_t first = l->next;
    bool used = false;
    for (uint32_t k = 0; k < INODES_A_BLOCK && !l->blind; k++, l->next++) {
        if (c_get(fs, inode_block(first), &b) != OK) {
            l->blind = true;
            break;
        }
        if (k == 0 && is_zero(b->page, BLOCK_BYTES)) {
            l->next = first + INODES_A_BLOCK;
            break;
        }
        if (first + k == INO_NONE || is_zero(b->page + inode_offset(first + k), INODE_BYTES))
            continue; /* never used */
        used = true;
        scan_inode(fs, first + k);
    }
    return used;
}

/* Up to a block that has records, within the group. */
static void step_tables(struct fs *fs)
{
    struct live *l = ffs_of(fs)->live;
    uint32_t group = l->next / GROUP_INODES, first = group_first(group) + 2;
    if (l->next % GROUP_INODES == 0) {
        struct want want[TABLE_BLOCKS];
        for (uint32_t k = 0; k < TABLE_BLOCKS; k++)
            want[k] = (struct want){.key = first + k, .block = first + k};
        cache_prefetch(fs, want, TABLE_BLOCKS);
    }
    while (l->next / GROUP_INODES == group && !l->blind)
        if (scan_block(fs))
            break;
    if (l->blind || l->next < fs->c->super.groups * GROUP_INODES)
        return;
    l->stage = LIVE_NAMES;
    l->next = INO_ROOT;
    plat_probe(PROBE_FSCK_1);
    plat_probe(PROBE_FSCK_2);
}

/* ---- Names ---- */

/* It has no name. What a request took the last name of may be open: it goes when it is closed, or
 * when the volume is unmounted. */
static enum err drop(struct fs *fs, struct inode *i, const struct known *k)
{
    ASSERT(k->names == 0);
    ASSERT(i->ino != fs->root);
    if (i->d.type == VFS_DIRECTORY) {
        walk(fs, visit_uncount, NULL);
        ffs_of(fs)->live->again = true;
    }
    if ((k->flags & LIVE_REMOVED) == 0)
        return inode_delete(fs, i);
    enum err e = inode_dirty(fs, i);
    if (e == OK) {
        i->d.nlink = 0;
        i->orphan = true;
    }
    return e;
}

static enum err keep(struct fs *fs, uint32_t ino, uint32_t nlink)
{
    ASSERT(ino != fs->root);
    struct known *k = known(fs, INO_LOST_FOUND);
    struct inode *dir;
    enum err e = ffs_pass_all(fs);
    if (e == OK) /* `..` may come after the name */
        e = ffs_set_leaks(fs, false);
    if (k == NULL || e != OK)
        return e;
    k->flags |= LIVE_KEEP | LIVE_WALKED | LIVE_TRIMMED; /* if it is made now */
    e = ffs_lost_found(fs, &dir);
    inode_store_all(fs);
    if (e == OK) /* it has its name before anything is in it: a cut leaves it empty, or reached */
        e = ffs_pass_all(fs);
    if (e == OK)
        e = ffs_lost_found(fs, &dir);
    if (e == OK)
        e = ffs_give_name(fs, dir, ino, nlink);
    inode_store_all(fs);
    if (e != OK)
        plat_report(REPORT_LEAK, 0, ino); /* stays taken, and is found again by the next check */
    e = ffs_pass_all(fs);
    return e == OK ? ffs_set_leaks(fs, true) : e;
}

static enum err name_or_free(struct fs *fs, struct inode *i, const struct known *k, uint32_t names,
                             uint32_t nlink)
{
    bool is_directory = i->d.type == VFS_DIRECTORY;
    bool empty = is_directory ? names == 0 : i->d.size == 0 || i->d.nlink == 0;
    if (empty || fs->options.orphans_delete || (k->flags & LIVE_REMOVED) != 0)
        return drop(fs, i, k);
    return keep(fs, i->ino, is_directory ? nlink : 1);
}

static enum err settle_inode(struct fs *fs, uint32_t ino)
{
    struct live *l = ffs_of(fs)->live;
    const struct known *k = known(fs, ino);
    uint32_t names = 0, nlink = 2;
    struct inode *i;
    enum err e = make_room(fs);
    if (e == OK)
        e = load(fs, ino);
    if (e == OK)
        e = inode_get(fs, ino, &i);
    if (e != OK || i->orphan || k == NULL)
        return e == E_NOENT ? OK : e;
    if (i->d.type == VFS_DIRECTORY) {
        walk(fs, visit_all, &names);
        walk(fs, visit_directories, &nlink);
    } else {
        nlink = k->names;
    }
    if (l->blind)
        return OK;
    if (k->names == 0 && ino != fs->root)
        return name_or_free(fs, i, k, names, nlink);
    if (i->d.nlink == nlink || nlink > UINT16_MAX)
        return OK;
    e = inode_dirty(fs, i);
    if (e == OK)
        i->d.nlink = nlink;
    return e;
}

/* The inodes of a block of the table, from the next on that is in use. */
static void step_names(struct fs *fs)
{
    struct live *l = ffs_of(fs)->live;
    uint32_t end = fs->c->super.groups * GROUP_INODES;
    while (l->next < end && l->known[l->next / GROUP_INODES] == NULL)
        l->next = (l->next / GROUP_INODES + 1) * GROUP_INODES;
    for (uint32_t k = 0; k < INODES_A_BLOCK && l->next < end && !l->blind; k++, l->next++) {
        const struct known *group = l->known[l->next / GROUP_INODES];
        if (group == NULL)
            return;
        if ((group[l->next % GROUP_INODES].flags & LIVE_KEEP) == 0)
            continue;
        l->blind |= settle_inode(fs, l->next) != OK;
        inode_store_all(fs);
    }
    if (l->blind || l->next < end)
        return;
    l->next = l->again ? INO_ROOT : 0;
    l->stage = l->again ? LIVE_NAMES : LIVE_MAPS;
    if (!l->again) {
        plat_probe(PROBE_FSCK_3);
        plat_probe(PROBE_FSCK_4);
    }
    l->again = false;
}

/* ---- Maps ---- */

static bool has_bit(const struct buffer *b, uint32_t bit)
{
    return (b->page[bit / 8] >> bit % 8 & 1) != 0;
}

static void clear_blocks(struct fs *fs, uint32_t group)
{
    struct live *l = ffs_of(fs)->live;
    ASSERT(l->stage == LIVE_MAPS && !l->again); /* all that claims something has done so */
    ASSERT(group < fs->c->super.groups);
    uint32_t length = group_length(group, fs->blocks);
    for (uint32_t bit = GROUP_META_BLOCKS; bit < length && !l->blind; bit++) {
        struct buffer *b;
        uint32_t block = group_first(group) + bit;
        if (is_claimed(l, group, bit) || !layout_is_data(fs->blocks, block))
            continue;
        l->blind |= c_get(fs, group_first(group), &b) != OK;
        if (!l->blind && has_bit(b, bit))
            l->blind |= c_block_clear(fs, block) != OK;
    }
}

static void clear_inodes(struct fs *fs, uint32_t group)
{
    struct live *l = ffs_of(fs)->live;
    const struct known *known_here = l->known[group];
    for (uint32_t bit = group == 0 ? INO_FIRST : 0; bit < GROUP_INODES && !l->blind; bit++) {
        struct buffer *b;
        if (known_here != NULL && (known_here[bit].flags & LIVE_KEEP) != 0)
            continue;
        l->blind |= c_get(fs, group_first(group) + 1, &b) != OK;
        if (!l->blind && has_bit(b, bit))
            l->blind |= c_inode_free(fs, group * GROUP_INODES + bit) != OK;
    }
}

static void stop(struct fs *fs)
{
    ASSERT(ffs_of(fs)->live != NULL);
    bool whole = !ffs_of(fs)->live->blind && !fs->read_only;
    ffs_of(fs)->live = NULL;
    fs->idle_ns = 0;
    plat_report(REPORT_CHECKED, whole ? 1 : 0, 0);
}

/* Now and then, and when it begins anew. */
static void tell(struct fs *fs)
{
    const struct live *l = ffs_of(fs)->live;
    plat_report(REPORT_CHECKING, l->stage == LIVE_TABLES ? l->next : 0,
                (uint64_t)fs->c->super.groups * GROUP_INODES);
}

static void step_maps(struct fs *fs)
{
    struct live *l = ffs_of(fs)->live;
    fs->store->throttle(fs);
    clear_blocks(fs, l->next);
    clear_inodes(fs, l->next);
    l->next++;
    if (l->blind || l->next < fs->c->super.groups)
        return;
    if (ffs_pass_all(fs) == OK)
        plat_probe(PROBE_FSCK_5);
    stop(fs);
}

/* ---- Steps ---- */

enum err ffs_live_begin(struct fs *fs)
{
    uint32_t groups = fs->c->super.groups;
    ASSERT(ffs_of(fs)->live == NULL);
    ASSERT(!fs->c->super.clean);
    struct live *l = plat_alloc(sizeof(*l), TAG_HEAP);
    if (l == NULL)
        return E_FULL;
    l->known = plat_alloc(groups * sizeof(l->known[0]), TAG_HEAP);
    l->claimed = plat_alloc(groups * sizeof(l->claimed[0]), TAG_HEAP);
    if (l->known == NULL || l->claimed == NULL)
        return E_FULL;
    ffs_of(fs)->live = l;
    tell(fs);
    fs->idle_ns = plat_now() + PAUSE_NS;
    return OK;
}

static void step(struct fs *fs)
{
    struct live *l = ffs_of(fs)->live;
    if (l->stage == LIVE_TABLES)
        step_tables(fs);
    else if (l->stage == LIVE_NAMES)
        step_names(fs);
    else
        step_maps(fs);
    if (ffs_of(fs)->live == NULL)
        return;
    if (!l->blind && !fs->read_only) {
        if (fs->now_ns - l->told_ns >= TELL_NS) {
            l->told_ns = fs->now_ns;
            tell(fs);
        }
        return;
    }
    stop(fs); /* what is not known to be free stays taken */
    (void)!ffs_pass_all(fs);
    writeback_fail(fs, E_MEDIA);
}

void ffs_live_step(struct fs *fs)
{
    uint64_t begun = plat_now();
    ASSERT(ffs_of(fs)->live != NULL);
    fs->now_ns = begun;
    step(fs);
    uint64_t now = plat_now(), took = now - begun;
    if (ffs_of(fs)->live != NULL)
        fs->idle_ns = now + (took > PAUSE_NS ? took : PAUSE_NS);
    writeback_set_alarm(fs);
}

void ffs_live_finish(struct fs *fs)
{
    while (ffs_of(fs)->live != NULL) {
        fs->now_ns = plat_now();
        step(fs);
    }
}

enum err ffs_set_leaks(struct fs *fs, bool leaks)
{
    fs->c->super.leaks = leaks;
    return fs->c->super.clean ? c_touch(fs, true) : c_super_write(fs, false, true);
}
