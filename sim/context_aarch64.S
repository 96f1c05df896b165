/* context.h for AArch64, AAPCS64. Layout of a saved context, from its stack pointer up: x19-x28,
 * x29, address to go on at, d8-d15. Assembled by cross-compilers only; not run by our tests. */
#if defined(__aarch64__)
    .text

    .macro load_all
    ldp x19, x20, [sp]
    ldp x21, x22, [sp, 16]
    ldp x23, x24, [sp, 32]
    ldp x25, x26, [sp, 48]
    ldp x27, x28, [sp, 64]
    ldp x29, x30, [sp, 80]
    ldp d8, d9, [sp, 96]
    ldp d10, d11, [sp, 112]
    ldp d12, d13, [sp, 128]
    ldp d14, d15, [sp, 144]
    add sp, sp, 160
    br x30
    .endm

    .globl sim_context_switch
    .type sim_context_switch, %function
sim_context_switch:
    sub sp, sp, 160
    stp x19, x20, [sp]
    stp x21, x22, [sp, 16]
    stp x23, x24, [sp, 32]
    stp x25, x26, [sp, 48]
    stp x27, x28, [sp, 64]
    stp x29, x30, [sp, 80]
    stp d8, d9, [sp, 96]
    stp d10, d11, [sp, 112]
    stp d12, d13, [sp, 128]
    stp d14, d15, [sp, 144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    load_all

    .globl sim_context_drop
    .type sim_context_drop, %function
sim_context_drop:
    mov sp, x0
    load_all

    .globl sim_context_make
    .type sim_context_make, %function
sim_context_make:
    sub x0, x0, 160
    mov x2, 0
1:  str xzr, [x0, x2]
    add x2, x2, 8
    cmp x2, 160
    b.ne 1b
    str x1, [x0, 88]
    ret
#endif
    .section .note.GNU-stack, "", %progbits
