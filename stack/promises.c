#include "stack/promises.h"

#include "assertion.h"
#include "block.h"
#include "stack/promises_classic.h"

/* Two copies of everything, or more: RAID-1 and n-way on loris, pairs of disks under a classic
 * file system. */
static bool mirrored(const struct stack_options *o)
{
    return (o->raid == 1 || o->raid == RAID_N_WAY) && o->disks - o->spares >= 2;
}

/* Levels with parity: one disk or block of a row is worked out from the others. */
static bool has_parity(const struct stack_options *o)
{
    return o->raid >= 4 && o->raid != RAID_N_WAY;
}

/* Some disk may go, or some block be bad. */
static bool redundant(const struct stack_options *o)
{
    return mirrored(o) || has_parity(o);
}

/* Faults that spoil one of two copies of metadata on a disk, never both. */
static bool second_copies_help(const struct stack_options *o, enum fault_class fault)
{
    return o->meta_copies == 2 &&
           (fault == CLASS_LATENT_ERROR || fault == CLASS_BIT_ROT || fault == CLASS_METADATA_ROT ||
            fault == CLASS_TORN_WRITE || fault == CLASS_LOST_WRITE);
}

/* A crash of a process below the cache, by itself transparent: rollback and replay. Without the log
 * it is the end of all since the last checkpoint, as a power cut is. */
static enum level loris_after_cut(const struct stack_options *o)
{
    if (o->data_cow || has_parity(o))
        return LEVEL_DURABLE; /* nothing that the checkpoint holds is overwritten */
    /* In place: names, sizes and attributes are exactly the checkpoint's, each data block that or
     * later (logical/resync.c). A block torn by the cut needs a second source: a mirror, or its
     * data in the region of intents. */
    return mirrored(o) || o->doublewrite ? LEVEL_SYNCED : LEVEL_DETECTED;
}

static enum level loris_crash(const struct stack_options *o, enum layer layer)
{
    switch (layer) {
    case LAYER_DRIVER: /* stateless: restarted, fenced, requests sent again */
    case LAYER_NAMING: /* its transaction is aborted, the request runs again, once */
        return LEVEL_TRANSPARENT;
    case LAYER_PHYSICAL:
    case LAYER_LOGICAL:
        return o->log ? LEVEL_TRANSPARENT : loris_after_cut(o);
    case LAYER_CACHE: /* pages that validate are kept, the others reported; only eager validates all
                       */
        return o->checksums == CHECKSUMS_EAGER ? LEVEL_DETECTED : LEVEL_NONE;
    case LAYER_VFS: /* unrecoverable: its environment loses its applications, nobody else */
        return LEVEL_DURABLE;
    default:
        return LEVEL_NONE;
    }
}

/* A layer that does wrong and lives on. Of a driver it is all noticed: what it reads or writes
 * wrongly by the checksums above, what it does not answer by the time-out, after which it is
 * killed; what is lost on its disk is elsewhere. Above it nothing checks what a layer says:
 * physical makes the checksums that others believe, logical says which copy is right, the cache
 * which page it is, naming and VFS are what names mean. Measured, not promised. */
static enum level loris_bug(const struct stack_options *o, enum layer layer)
{
    return layer == LAYER_DRIVER && redundant(o) ? LEVEL_TRANSPARENT : LEVEL_NONE;
}

static enum level loris_promise(const struct stack_options *o, enum fault_class fault,
                                enum layer layer)
{
    switch (fault) {
    case CLASS_DISK_SLOW:
    case CLASS_LYING_FLUSH:     /* by itself: the cache is whole until the power goes */
    case CLASS_TRANSIENT_ERROR: /* retried five times */
        return LEVEL_TRANSPARENT;
    case CLASS_DISK_DEAD:
    case CLASS_LATENT_ERROR:
    case CLASS_BIT_ROT:
    case CLASS_METADATA_ROT:
    case CLASS_TORN_WRITE:
    case CLASS_LOST_WRITE:
    case CLASS_MISDIRECTED_WRITE: /* lost here, rot there */
    case CLASS_MISDIRECTED_READ:
        if (o->verify_writes && (fault == CLASS_TORN_WRITE || fault == CLASS_LOST_WRITE))
            return LEVEL_TRANSPARENT; /* read back, and written again before anybody builds on it */
        if (redundant(o))             /* parental checksums tell which copy is right */
            return LEVEL_TRANSPARENT;
        /* Each data block is told apart without a second copy too, but one bad block near the root
         * takes its disk, and a pool that lacks a member refuses to start (logical/choose.c):
         * measured. Not if it has a second copy on the disk itself, which one bad sector or one
         * spoiled write leaves alone. */
        return second_copies_help(o, fault) ? LEVEL_DETECTED : LEVEL_NONE;
    case CLASS_POWER_CUT:
        return loris_after_cut(o);
    case CLASS_CRASH:
    case CLASS_HANG:
        return loris_crash(o, layer);
    case CLASS_BUG:
        return loris_bug(o, layer);
    case CLASS_FLIP_PAGES: /* eager: a page is checked on each hit and before each write-back */
        if (layer == LAYER_PHYSICAL && o->meta_guard)
            return loris_crash(o, layer); /* it crashes on purpose before it uses what is damaged */
        return layer == LAYER_CACHE && o->checksums == CHECKSUMS_EAGER ? LEVEL_DETECTED
                                                                       : LEVEL_NONE;
    default: /* where no checksum can exist yet, nothing is promised: measured */
        return LEVEL_NONE;
    }
}

enum level design_promise(const struct design *design, const struct stack_options *options,
                          enum fault_class fault, enum layer layer)
{
    ASSERT(design != NULL);
    ASSERT(fault < CLASS_COUNT);
    return design->classic ? classic_promise(design->kind, options, fault, layer)
                           : loris_promise(options, fault, layer);
}

enum level design_promise_deaths(const struct design *design, const struct stack_options *options,
                                 enum layer layer, uint64_t deaths)
{
    if (layer == LAYER_DRIVER || layer == LAYER_RAID) /* libbdev's ten tries, then it is gone */
        return deaths <= BLOCK_DEATHS ? LEVEL_TRANSPARENT : LEVEL_NONE;
    if (design->classic || deaths < options->tries)
        return LEVEL_TRANSPARENT;
    switch (layer) {
    case LAYER_NAMING:   /* N4: after K deaths a request is only asked about */
    case LAYER_PHYSICAL: /* poison: its record is skipped, its object marked lost */
    case LAYER_LOGICAL:
        return LEVEL_DETECTED;
    default:
        return LEVEL_TRANSPARENT;
    }
}

bool design_promise_combines(const struct design *design, enum fault_class fault, enum layer layer)
{
    if (design->classic)
        return classic_promise_combines(fault, layer);
    switch (fault) {
    case CLASS_TRANSIENT_ERROR:
    case CLASS_DISK_SLOW:
    case CLASS_POWER_CUT: /* recovery repeats from the same checkpoint */
        return true;
    case CLASS_CRASH:
    case CLASS_HANG: /* recovery begins anew; the cache's own does not */
        return layer != LAYER_CACHE;
    default:
        return false;
    }
}

bool design_promise_beside_disk(const struct design *design, const struct stack_options *options,
                                enum fault_class fault, enum layer layer)
{
    if (design->classic || design_disk_losses(design, options) == 0 ||
        !design_promise_combines(design, fault, layer))
        return false;
    if (fault == CLASS_POWER_CUT) /* in place, it may tear the copy that was the last good one */
        return has_parity(options) || options->data_cow;
    bool dies = fault == CLASS_CRASH || fault == CLASS_HANG;
    return !dies ||
           options->log; /* the same of a write that a death cut short; else it is replayed */
}

enum level design_promise_lie(const struct design *design, const struct stack_options *options)
{
    /* cow: what a root leads to has its checksum in the pointer; older roots are tried. */
    bool checked = design->kind == DESIGN_COW && options->raid == 0;
    return checked ? LEVEL_DETECTED : LEVEL_NONE;
}

uint32_t design_disk_losses(const struct design *design, const struct stack_options *options)
{
    uint32_t disks = options->disks - options->spares;
    if (design->classic) /* of pairs, two that are none may go: not counted on */
        return redundant(options) ? 1 : 0;
    if (options->raid == 1)
        return mirrored(options) ? 1 : 0;
    if (options->raid == RAID_N_WAY)
        return disks - 1;
    return has_parity(options) ? (options->raid == 6 ? 2 : 1) : 0;
}

uint64_t design_promise_strikes(const struct design *design, const struct stack_options *options,
                                enum fault_class fault)
{
    bool hurt = !design->classic && !redundant(options) && second_copies_help(options, fault);
    bool media =
        fault == CLASS_LATENT_ERROR || fault == CLASS_BIT_ROT || fault == CLASS_METADATA_ROT;
    bool mended = options->verify_writes && !media;
    /* journal: the superblock and that of the log have two copies each. */
    bool two_copies = design->kind == DESIGN_JOURNAL && fault == CLASS_METADATA_ROT;
    return (hurt && !mended) || two_copies ? 1 : UINT64_MAX;
}

bool design_tears_overwrites(const struct design *design, const struct stack_options *options)
{
    return design->kind == DESIGN_FAT || design->kind == DESIGN_FFS ||
           (design->kind == DESIGN_JOURNAL && options->journal_mode != JOURNAL_DATA);
}

bool design_bears_bad_tears(const struct design *design)
{
    return design->kind == DESIGN_LORIS || design->kind == DESIGN_COW;
}
