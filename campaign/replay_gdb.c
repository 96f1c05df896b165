#include "campaign/replay_gdb.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assertion.h"

/*
 * What gdb is told first. Signals that the laboratory makes crashes of processes of are its own
 * business. A process that does not run is a saved stack pointer (sim/context_x86_64.S has what
 * lies there); a switch that was expanded in place goes on at `lea 128(%rsp), %rsp`, before which
 * debug information does not know the frame.
 */
static const char commands[] =
    "set confirm off\n"
    "handle SIGSEGV SIGBUS SIGFPE SIGILL SIGABRT nostop noprint pass\n"
    "handle SIGSTOP nostop noprint nopass\n"
    "define loris-processes\n"
    "  set $loris_n = 0\n"
    "  while $loris_n < $loris_machine->slots\n"
    "    set $loris_p = &$loris_machine->process[$loris_n]\n"
    "    printf \"%3d  \", $loris_n\n"
    "    output $loris_p->layer\n"
    "    printf \".%d #%d  \", $loris_p->instance, $loris_p->starts\n"
    "    if $loris_p->alive\n"
    "      output $loris_p->state\n"
    "    else\n"
    "      echo down\n"
    "    end\n"
    "    echo \\n\n"
    "    set $loris_n = $loris_n + 1\n"
    "  end\n"
    "end\n"
    "document loris-processes\n"
    "Slots of the simulated machine: number, layer and instance, starts, state.\n"
    "end\n"
#if defined(__x86_64__)
    "set $loris_away = 0\n"
    "define loris-back\n"
    "  if $loris_away\n"
    "    set $loris_away = 0\n"
    "    select-frame 0\n"
    "    set $rsp = $loris_rsp\n    set $rbp = $loris_rbp\n    set $rbx = $loris_rbx\n"
    "    set $r12 = $loris_r12\n    set $r13 = $loris_r13\n    set $r14 = $loris_r14\n"
    "    set $r15 = $loris_r15\n    set $rip = $loris_rip\n"
    "  end\n"
    "end\n"
    "document loris-back\n"
    "Leave the process that `loris-process` loaded: back to where the run stopped.\n"
    "end\n"
    "define loris-process\n"
    "  loris-back\n"
    "  set $loris_co = &$loris_machine->process[$arg0].co\n"
    "  if sim_cpu.running == $loris_co\n"
    "    echo It runs: it is what was stopped.\\n\n"
    "  else\n"
    "  if $arg0 >= $loris_machine->slots || !$loris_machine->process[$arg0].alive\n"
    "    echo It is down.\\n\n"
    "  else\n"
    "    set $loris_away = 1\n"
    "    select-frame 0\n"
    "    set $loris_rsp = $rsp\n    set $loris_rbp = $rbp\n    set $loris_rbx = $rbx\n"
    "    set $loris_r12 = $r12\n    set $loris_r13 = $r13\n    set $loris_r14 = $r14\n"
    "    set $loris_r15 = $r15\n    set $loris_rip = $rip\n"
    "    set $loris_at = (unsigned long *)$loris_co->sp\n"
    "    set $loris_go = $loris_at[6]\n"
    "    set $loris_top = (unsigned long)($loris_at + 7)\n"
    "    if *(unsigned long *)$loris_go == 0x0000008024a48d48\n"
    "      set $loris_go = $loris_go + 8\n"
    "      set $loris_top = $loris_top + 128\n"
    "    end\n"
    "    set $r15 = $loris_at[0]\n    set $r14 = $loris_at[1]\n    set $r13 = $loris_at[2]\n"
    "    set $r12 = $loris_at[3]\n    set $rbp = $loris_at[4]\n    set $rbx = $loris_at[5]\n"
    "    set $rsp = $loris_top\n    set $rip = $loris_go\n"
    "    backtrace\n"
    "  end\n"
    "  end\n"
    "end\n"
    "document loris-process\n"
    "Load the saved context of a process and show its stack: loris-process SLOT.\n"
    "Frames, variables and memory are then its own; `loris-back`, or whatever goes on, leaves it.\n"
    "end\n"
    "define hook-continue\n  loris-back\nend\n"
    "define hook-step\n  loris-back\nend\n"
    "define hook-next\n  loris-back\nend\n"
    "define hook-stepi\n  loris-back\nend\n"
    "define hook-nexti\n  loris-back\nend\n"
    "define hook-finish\n  loris-back\nend\n"
    "define hook-until\n  loris-back\nend\n"
    "define hook-advance\n  loris-back\nend\n"
    "define hook-call\n  loris-back\nend\n"
    "define hook-detach\n  loris-back\nend\n"
    "define hook-quit\n  loris-back\nend\n"
#endif
    "tbreak loris_stop_here\n"
    "continue\n"
    "set $loris_machine = m\n"
    "echo `help user-defined`: commands of loris; `continue` or `quit`: the run goes on\\n\n";

bool replay_gdb_found(void)
{
    const char *path = getenv("PATH");
    while (path != NULL && *path != '\0') {
        char file[4096];
        size_t length = strcspn(path, ":");
        int used = snprintf(file, sizeof(file), "%.*s/gdb", (int)length, path);
        if (used > 0 && (size_t)used < sizeof(file) && access(file, X_OK) == 0)
            return true;
        path += length + (path[length] == ':');
    }
    (void)fputs("--gdb:1:1: there is no gdb in PATH; on Debian: apt-get install gdb\n", stderr);
    return false;
}

__attribute__((noinline)) void loris_stop_here(struct sim_machine *m, uint64_t event)
{
    __asm__ volatile("" : : "r"(m), "r"(event) : "memory"); /* a breakpoint finds both */
}

void replay_gdb_stop(struct sim_machine *m, uint64_t event)
{
    ASSERT(m != NULL && event != 0);
    (void)fflush(NULL);
    /* Where only a parent may trace: gdb is a sister. Refused where there is no such rule. */
    (void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    int failed = raise(SIGSTOP);
    ASSERT(failed == 0);
    loris_stop_here(m, event);
}

/* In the child that becomes gdb. */
static _Noreturn void become_gdb(pid_t run)
{
    char script[64], number[32];
    FILE *file = tmpfile(); /* has no name; gdb opens it by this one */
    if (file != NULL && fputs(commands, file) >= 0 && fflush(file) == 0) {
        (void)snprintf(script, sizeof(script), "/proc/self/fd/%d", fileno(file));
        (void)snprintf(number, sizeof(number), "%ld", (long)run);
        execlp("gdb", "gdb", "-q", "-p", number, "-x", script, (char *)NULL);
    }
    (void)fprintf(stderr, "--gdb:1:1: cannot start gdb: %s\n", strerror(errno));
    _exit(127);
}

void replay_gdb_attach(pid_t run)
{
    ASSERT(run > 0);
    (void)fflush(NULL);
    pid_t gdb = fork();
    ASSERT(gdb >= 0);
    if (gdb == 0)
        become_gdb(run);
    /* Ctrl-C at the terminal is for gdb. */
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    int failed = sigaction(SIGINT, &ignore, &before);
    ASSERT(failed == 0);
    while (waitpid(gdb, NULL, 0) < 0)
        ASSERT(errno == EINTR);
    failed = sigaction(SIGINT, &before, NULL);
    ASSERT(failed == 0);
    (void)kill(run, SIGCONT); /* gdb could not attach, or left it stopped; it may have ended */
}
