/*
 * `log-scope: file`: an fsync logs all names, but the data of its own file alone. Of any other file
 * that has changed the log has the state that it had: size, time of change, pointers, as they were
 * when its record was about to be changed for the first time since it was last logged. So after a
 * cut such a file is as of its own last fsync or of the newest root, under the names of now.
 *
 * What a user transaction has changed is logged whole, with all that there is: it is not to be
 * torn.
 */
#include "assertion.h"
#include "cow.h"
#include "mem.h"

static struct cow_old *find_old(struct cow *c, uint32_t ino)
{
    ASSERT(c->old_files <= OLD_FILES_MAX);
    for (uint32_t k = 0; k < c->old_files; k++)
        if (c->old[k].ino == ino)
            return &c->old[k];
    return NULL;
}

void cow_log_logged(struct cow *c, uint32_t ino)
{
    struct cow_old *old = find_old(c, ino);
    if (old != NULL)
        *old = c->old[--c->old_files];
}

void cow_log_inode(struct cow *c, const struct inode *i)
{
    if (!c->fs->options.log_scope_file || c->log_overflow)
        return;
    if (i->d.type != VFS_FILE) { /* names: logged as they are, and so is a number that is free */
        cow_log_logged(c, i->ino);
        return;
    }
    struct cow_old *old = find_old(c, i->ino);
    if (old != NULL && old->generation == i->d.generation)
        return;
    if (old == NULL && c->old_files == OLD_FILES_MAX) {
        c->log_overflow = true;
        return;
    }
    old = old != NULL ? old : &c->old[c->old_files++];
    *old = (struct cow_old){.ino = i->ino,
                            .generation = i->d.generation,
                            .blocks = i->d.blocks,
                            .size = i->d.size,
                            .mtime_ns = i->d.mtime_ns};
    memcpy(old->pointer, cow_tree_of(i)->pointer, sizeof(old->pointer));
}

bool cow_log_withholds(struct cow *c, uint32_t ino, uint32_t of)
{
    return c->fs->options.log_scope_file && !c->log_all && ino != of && find_old(c, ino) != NULL;
}

uint32_t cow_log_old_files(const struct cow *c, uint32_t of, uint32_t ino[OLD_FILES_MAX])
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < c->old_files; k++)
        if (c->log_all || c->old[k].ino == of)
            ino[count++] = c->old[k].ino;
    return count;
}

void cow_log_old_records(struct cow *c, uint32_t first, uint32_t of, uint8_t *page)
{
    for (uint32_t k = 0; k < COW_INODES_A_BLOCK; k++) {
        uint8_t *raw = page + (size_t)k * COW_INODE_BYTES;
        struct cow_disk_inode d;
        if (!cow_log_withholds(c, first + k, of))
            continue;
        const struct cow_old *old = find_old(c, first + k);
        ASSERT(old != NULL);
        if (cow_inode_decode(&d, raw) != OK || d.type != VFS_FILE ||
            d.generation != old->generation)
            continue;
        d.size = old->size;
        d.mtime_ns = old->mtime_ns;
        d.blocks = old->blocks;
        memcpy(d.pointer, old->pointer, sizeof(d.pointer));
        cow_inode_encode(raw, &d);
    }
}
