#include "stack/promises_classic.h"

#include "assertion.h"

/* A second source below the file system: pairs of disks, or parity. */
static bool redundant(const struct stack_options *o)
{
    return options_data_disks(o) >= 2 && o->raid != 0;
}

/* Power cut, and the death of the file system or the VFS, which is one to those above: restarted
 * together, applications gone, mounted with its recovery. */
static enum level after_cut(enum design_kind kind, const struct stack_options *o)
{
    switch (kind) {
    case DESIGN_FAT: /* files survive one by one: whole versions, none older than synced */
    case DESIGN_FFS:
        /* The slides' order of a move: cut in the middle, the file has no name. */
        return o->rename_remove_first ? LEVEL_STRUCTURAL : LEVEL_SYNCED;
    case DESIGN_COW: /* batches are closed under "ended before started": a cut */
        return o->fsync_log && o->log_scope_file ? LEVEL_SYNCED : LEVEL_DURABLE;
    case DESIGN_JOURNAL:
        if (o->journal_mode == JOURNAL_WRITEBACK)
            return LEVEL_NONE;
        return o->journal_mode == JOURNAL_DATA ? LEVEL_DURABLE : LEVEL_SYNCED; /* newer contents */
    default:                                                                   /* none: no order */
        return LEVEL_NONE;
    }
}

static bool below_file_system(enum layer layer)
{
    return layer == LAYER_DRIVER || layer == LAYER_RAID;
}

enum level classic_promise(enum design_kind kind, const struct stack_options *o,
                           enum fault_class fault, enum layer layer)
{
    ASSERT(kind != DESIGN_LORIS);
    bool checked = kind == DESIGN_COW; /* each pointer has the CRC of what must be there */
    switch (fault) {
    case CLASS_DISK_SLOW:
    case CLASS_TRANSIENT_ERROR: /* three tries */
    case CLASS_LYING_FLUSH:     /* by itself: the disk's cache is whole until the power goes */
        return LEVEL_TRANSPARENT;
    case CLASS_DISK_DEAD: /* the log's own disk has no second */
        return redundant(o) && o->log_disk == LOG_DISK_OFF ? LEVEL_TRANSPARENT : LEVEL_NONE;
    case CLASS_LATENT_ERROR: /* the second source, or an error to the reader */
        return redundant(o) ? LEVEL_TRANSPARENT : LEVEL_DETECTED;
    case CLASS_METADATA_ROT:
        return checked || (kind == DESIGN_JOURNAL && o->journal_checksums) ? LEVEL_DETECTED
                                                                           : LEVEL_NONE;
    case CLASS_BIT_ROT: /* block RAID cannot tell which copy is right */
    case CLASS_TORN_WRITE:
    case CLASS_LOST_WRITE:
    case CLASS_MISDIRECTED_WRITE:
        return checked ? LEVEL_DETECTED : LEVEL_NONE;
    case CLASS_MISDIRECTED_READ: /* read again */
        return checked ? LEVEL_TRANSPARENT : LEVEL_NONE;
    case CLASS_POWER_CUT:
        return after_cut(kind, o);
    case CLASS_CRASH:
    case CLASS_HANG: /* what was not answered is sent again */
        return below_file_system(layer) ? LEVEL_TRANSPARENT : after_cut(kind, o);
    default: /* what memory spoils is written as good */
        return LEVEL_NONE;
    }
}

bool classic_promise_combines(enum fault_class fault, enum layer layer)
{
    switch (fault) {
    case CLASS_TRANSIENT_ERROR:
    case CLASS_DISK_SLOW:
    case CLASS_POWER_CUT: /* recovery computes the same again */
        return true;
    case CLASS_CRASH:
    case CLASS_HANG:
        return below_file_system(layer) || layer == LAYER_FS || layer == LAYER_VFS;
    default:
        return false;
    }
}
