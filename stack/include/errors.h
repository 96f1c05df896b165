/*
 * The errors of the stack: told apart where the layer above acts differently. Errors are for the
 * world (sick disks, dead peers, full disks, bad requests); bugs are for ASSERT.
 *
 * Each has one meaning and is never dropped or replaced by another on its way up; VFS alone turns
 * E_MEDIA, E_CORRUPT and E_LOST into what applications see (E_IO).
 */
#ifndef LORIS_ERRORS_H
#define LORIS_ERRORS_H

enum err {
    OK = 0,
    E_MEDIA = -1,   /* the disk says that it cannot: ask another copy */
    E_CORRUPT = -2, /* bytes came, but checksum, address or generation is wrong: read-repair */
    E_LOST = -3,    /* known lost in an earlier recovery: say so, never guess */
    E_DEAD = -4,    /* the peer process or the disk is gone: wait for its restart, or degrade */
    E_FULL = -5,    /* no block, slot or page is left; nothing has changed */
    E_INVAL = -6,   /* the request breaks the protocol; nothing has changed */
    E_VERSION = -7, /* sound, but of a format that this build does not know: refuse to mount */
    E_AGAIN = -8, /* a younger transaction gives way, or no space before a checkpoint: try again */
    E_TIMEOUT = -9,  /* the deadline of a receive passed */
    E_SESSION = -10, /* the message belongs to a recovery session that is over: drop it */
    E_ABORT = -11,   /* the user transaction was aborted whole */
    E_WAIT = -12,    /* a user transaction has it locked: ask again; VFS answers nobody with it */

    /* Answers of the name space, one for each POSIX name. */
    E_NOENT = -32,
    E_EXIST = -33,
    E_NOTDIR = -34,
    E_ISDIR = -35,
    E_NOTEMPTY = -36,
    E_NAMETOOLONG = -37,
    E_LOOP = -38,
    E_MLINK = -39,
    E_XDEV = -40,
    E_BADF = -41,
    E_NOSPC = -42,
    E_FBIG = -43,
    E_PERM = -44,
    E_ACCES = -45,
    E_IO = -46, /* what an application sees of E_MEDIA, E_CORRUPT and E_LOST */
    E_ROFS = -47,
    E_BUSY = -48,
    E_NOTSUP = -49,
    E_MFILE = -50,
    E_ARG = -51, /* POSIX EINVAL: an argument that no file system accepts (rename into itself...) */
    E_2BIG = -54,   /* the user transaction needs too much of cache or log: it was aborted */
    E_NODATA = -52, /* no extended attribute of that name */
    E_RANGE = -53,  /* the caller's room is too small for the value */
};

#define MUST_USE __attribute__((warn_unused_result))

#endif
