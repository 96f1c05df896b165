/*
 * Linked into the program of `make coverage` only: what the stack reached lies in a file beside the
 * program, mapped shared, so that every worker and every forked trial adds to it.
 *
 *   PROGRAM.reached   a byte a basic block, in the order of the section `blocks`; its last page: a
 *                     byte a probe of probes.h. 1: reached in some run since the file was made.
 *
 * The file is laid over the section `reached` itself, which is whole pages: its alignment and its
 * last page come from here, since this file is linked last. It has all its blocks from the start
 * and is never made shorter: a page of it that is gone, for want of room on the disk or since
 * another build of the program cut the file, would be a crash of whatever process of the stack runs
 * then.
 */
#define _GNU_SOURCE /* MAP_FIXED, readlink of /proc/self/exe */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform.h"
#include "probes.h"

#define PAGE 4096u

extern uint8_t __start_reached[], __stop_reached[]; /* the linker's */

/* The end of the section, a whole page, so that nothing else lies in what is mapped. */
static uint8_t probes[PAGE] __attribute__((section("reached"), aligned(4096), used));

void __real_plat_probe(enum probe probe);
void __wrap_plat_probe(enum probe probe);

void __wrap_plat_probe(enum probe probe)
{
    probes[probe] = 1;
    __real_plat_probe(probe);
}

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(3);
}

__attribute__((constructor)) static void lay_file_over(void)
{
    char path[4096 + 16];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 16);
    if (length < 0)
        fail("/proc/self/exe");
    memcpy(path + length, ".reached", sizeof(".reached"));
    size_t bytes = (uintptr_t)__stop_reached - (uintptr_t)__start_reached;
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0 || (errno = posix_fallocate(file, 0, (off_t)bytes)) != 0)
        fail(path);
    if ((uintptr_t)__start_reached % PAGE != 0 || bytes % PAGE != 0 ||
        mmap(__start_reached, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) ==
            MAP_FAILED)
        fail("coverage: the section of what was reached cannot be mapped");
    (void)close(file);
}
