# Like count_blocks.sed, but each basic block also sets a byte of its own in the section `reached`, and
# leaves its address in the section `blocks`, in the same order.
s/^\tcall\t__sanitizer_cov_trace_pc$/\tdecq\t%r15\n\tje\t771f\n772:\n\tmovb\t$1, 773f(%rip)\n\t.subsection 1\n771:\n\tcall\tsim_coroutine_blocks_used_up\n\tjmp\t772b\n\t.previous\n\t.pushsection reached,"aw",@progbits\n773:\t.byte 0\n\t.popsection\n\t.pushsection blocks,"a",@progbits\n\t.quad 772b\n\t.popsection/
s/^\tjmp\t__sanitizer_cov_trace_pc$/774:\tmovb\t$1, 773f(%rip)\n\tdecq\t%r15\n\tje\tsim_coroutine_blocks_used_up\n\tret\n\t.pushsection reached,"aw",@progbits\n773:\t.byte 0\n\t.popsection\n\t.pushsection blocks,"a",@progbits\n\t.quad 774b\n\t.popsection/
