/*
 * Inodes are the heads of chains. What a name depends on (that the head is there, its link count)
 * is on disk when inode_settle returns; sizes and times wait for their round.
 */
#include "assertion.h"
#include "fat.h"

enum err head_load(struct fs *fs, struct inode *i)
{
    struct chain *c = chain_of(i);
    struct table_entry t, at;
    enum err e = table_get(fs, i->ino, &t);
    if (e != OK || t.state != STATE_HEAD || t.head != i->ino)
        return e != OK ? e : E_NOENT;
    i->d = (struct attributes){.type = t.type,
                               .mode = t.mode,
                               .nlink = t.nlink,
                               .uid = t.uid,
                               .gid = t.gid,
                               .generation = t.generation,
                               .mtime_ns = t.mtime_ns,
                               .ctime_ns = t.ctime_ns};
    if (t.type == 0)
        return E_CORRUPT;
    *c = (struct chain){.entries = 1, .last = i->ino, .on_disk = true, .stable_nlink = t.nlink};
    for (at = t; at.next != ENTRY_END; c->entries++) {
        c->last = at.next;
        e = table_get(fs, c->last, &at);
        if (e == OK && (at.state != STATE_BODY || at.head != i->ino ||
                        at.generation != t.generation || at.number != c->entries))
            e = E_CORRUPT;
        if (e != OK)
            return e;
    }
    c->stable_entries = c->entries;
    c->stable_last = c->last;
    c->stable_used = at.used;
    i->d.blocks = c->entries;
    i->d.size = (uint64_t)(c->entries - 1) * BLOCK_BYTES + at.used;
    c->filled = i->d.size > 0;
    return OK;
}

enum err head_prepare(struct fs *fs, struct inode *i)
{
    struct chain *c = chain_of(i);
    struct buffer *b;
    enum err e = table_block(fs, i->ino, &b);
    if (e != OK)
        return e;
    b->pins++;
    if (c->entries == 0) { /* just made: a head with its block */
        c->entries = 1;
        c->last = i->ino;
        i->d.blocks = 1;
    }
    return OK;
}

/* The attributes into the entry, which keeps its place in the chain. */
static void fill(const struct inode *i, struct table_entry *t)
{
    t->state = STATE_HEAD;
    t->type = i->d.type;
    t->head = i->ino;
    t->generation = i->d.generation;
    t->mode = i->d.mode;
    t->nlink = i->d.nlink;
    t->uid = i->d.uid;
    t->gid = i->d.gid;
    t->mtime_ns = i->d.mtime_ns;
    t->ctime_ns = i->d.ctime_ns;
}

/* The head as the disk has not had it: with the content of what is no plain file. */
static void store_first(struct fs *fs, struct inode *i)
{
    struct chain *c = chain_of(i);
    struct table_entry t = {.next = ENTRY_END, .linked_ns = fs->now_ns};
    bool whole = i->d.type != VFS_FILE;
    struct buffer *b = cache_find(fs, fat(fs)->data_first + i->ino);
    ASSERT(c->entries == 1);
    if (whole && b != NULL && b->dirty && table_write_other(fs, b) != OK)
        return;
    fill(i, &t);
    t.used = whole ? chain_used(i) : 0;
    table_put(fs, i->ino, &t);
    c->on_disk = true;
    c->stable_entries = 1;
    c->stable_last = i->ino;
    c->stable_used = t.used;
    c->stable_nlink = i->d.nlink;
    (void)!table_write_marked(fs);
}

static void store_freed(struct fs *fs, struct inode *i)
{
    static const struct table_entry none = {0};
    struct chain *c = chain_of(i);
    struct fat *f = fat(fs);
    if (c->delayed) {
        ASSERT(i->pins > 0);
        i->pins--;
        c->delayed = false;
    }
    if (!c->on_disk)
        return;
    c->on_disk = false;
    if (i->d.generation >= f->generation)
        f->generation = i->d.generation + 1;
    table_put(fs, i->ino, &none);
    (void)!table_write_marked(fs);
}

/* A link count that the disk must have before the name comes or goes. */
static void store_count(struct fs *fs, struct inode *i)
{
    struct table_entry t;
    table_get_stable(fs, i->ino, &t);
    t.nlink = i->d.nlink;
    t.ctime_ns = i->d.ctime_ns;
    table_put_stable(fs, i->ino, &t);
    chain_of(i)->stable_nlink = i->d.nlink;
    (void)!table_write_marked(fs);
}

void head_store(struct fs *fs, struct inode *i)
{
    struct chain *c = chain_of(i);
    struct buffer *b = cache_find(fs, table_disk_block(fs, i->ino, 0));
    struct table_entry t;
    ASSERT(b != NULL && b->pins > 0);
    b->pins--;
    if (i->d.type == 0) {
        store_freed(fs, i);
        return;
    }
    if (!c->on_disk)
        store_first(fs, i);
    chain_extend(fs, i);
    if (table_get(fs, i->ino, &t) != OK)
        return; /* pinned until now: it is here */
    fill(i, &t);
    if (c->entries == 1)
        t.used = chain_used(i);
    table_put_delayed(fs, i->ino, &t);
    if (c->entries > 1 && table_get(fs, c->last, &t) == OK && t.used != chain_used(i)) {
        t.used = chain_used(i);
        table_put_delayed(fs, c->last, &t);
    }
    if (i->d.nlink != c->stable_nlink)
        store_count(fs, i);
    rounds_delay(fs, i);
    if (i->d.type == VFS_DIRECTORY && c->entries != c->stable_entries)
        (void)!rounds_run(fs, i); /* its names are stable when the request returns */
}

enum err head_take(struct fs *fs, uint32_t near, uint32_t *ino, uint32_t *generation)
{
    struct buffer *b;
    (void)near;
    for (;;) {
        enum err e = chain_take(fs, 0, ino);
        if (e != OK)
            return e;
        if (table_block(fs, *ino, &b) == OK)
            break; /* else the number stays taken: nobody can use it */
    }
    *generation = fat(fs)->generation++;
    return OK;
}

enum err head_free(struct fs *fs, uint32_t ino)
{
    chain_give(fs, ino);
    return OK;
}
