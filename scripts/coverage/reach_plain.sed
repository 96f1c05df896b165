# Like reach_blocks.sed for code that counts no blocks: what the unit tests of the layers link.
s/^\tcall\t__sanitizer_cov_trace_pc$/772:\n\tmovb\t$1, 773f(%rip)\n\t.pushsection reached,"aw",@progbits\n773:\t.byte 0\n\t.popsection\n\t.pushsection blocks,"a",@progbits\n\t.quad 772b\n\t.popsection/
s/^\tjmp\t__sanitizer_cov_trace_pc$/774:\tmovb\t$1, 773f(%rip)\n\tret\n\t.pushsection reached,"aw",@progbits\n773:\t.byte 0\n\t.popsection\n\t.pushsection blocks,"a",@progbits\n\t.quad 774b\n\t.popsection/
