/* context.h for x86-64, System V ABI. Layout of a saved context, from its stack pointer up:
 * r15 r14 r13 r12 rbp rbx, address to go on at. */
#if defined(__x86_64__)
    .text

    .globl sim_context_switch
    .type sim_context_switch, @function
    .balign 16
sim_context_switch:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %rcx
    jmp *%rcx
    .size sim_context_switch, . - sim_context_switch

    .globl sim_context_drop
    .type sim_context_drop, @function
    .balign 16
sim_context_drop:
    mov %rdi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %rcx
    jmp *%rcx
    .size sim_context_drop, . - sim_context_drop

/* The entry finds the stack as a call would leave it: 8 off alignment, a return address of 0. */
    .globl sim_context_make
    .type sim_context_make, @function
    .balign 16
sim_context_make:
    lea -64(%rdi), %rax
    xor %ecx, %ecx
    mov %rcx, (%rax)
    mov %rcx, 8(%rax)
    mov %rcx, 16(%rax)
    mov %rcx, 24(%rax)
    mov %rcx, 32(%rax)
    mov %rcx, 40(%rax)
    mov %rsi, 48(%rax)
    mov %rcx, 56(%rax)
    ret
    .size sim_context_make, . - sim_context_make
#endif
    .section .note.GNU-stack, "", @progbits
