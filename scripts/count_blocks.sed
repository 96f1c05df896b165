# Stack code as assembly text: each call of the compiler's callback at a basic block becomes a decrement
# of the register that holds the blocks left, and a jump that is taken when none is. Allowed where a
# call was: flags and caller-saved registers are dead there, and the stack is aligned.
s/^\tcall\t__sanitizer_cov_trace_pc$/\tdecq\t%r15\n\tje\t771f\n772:\n\t.subsection 1\n771:\n\tcall\tsim_coroutine_blocks_used_up\n\tjmp\t772b\n\t.previous/
s/^\tjmp\t__sanitizer_cov_trace_pc$/\tdecq\t%r15\n\tje\tsim_coroutine_blocks_used_up\n\tret/
