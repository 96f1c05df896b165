#!/bin/sh
# Formatting is as .clang-format says and cppcheck finds nothing; it would: first it is tried on two
# files that it must refuse. clang-tidy, which takes longer, is left to `make tidy`.
. "$(dirname "$0")/lib.sh"

mkdir -p "$work/bad"
cat >"$work/bad/zero.c" <<'END'
int of(void);
int of(void) { int zero = 0; return 1 / zero; }
END
cat >"$work/bad/bounds.c" <<'END'
int last(void);
int last(void) { int table[4] = {0}; return table[4]; }
END
holds "a division by zero is found" eval \
    'scripts/tidy.sh --quick "$work/bad/zero.c" 2>&1 | grep -q "zerodiv"'
holds "a read beyond an array is found" eval \
    'scripts/tidy.sh --quick "$work/bad/bounds.c" 2>&1 | grep -q "out of bounds"'
holds "nothing is found" scripts/tidy.sh --quick
finish
