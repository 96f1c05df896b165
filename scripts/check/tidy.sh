#!/bin/sh
# Formatting is as .clang-format says, and neither cppcheck nor clang-tidy finds anything; they would:
# first they are tried on files that they must refuse.
. "$(dirname "$0")/lib.sh"

# finds WHAT CODE: tidy.sh refuses a file of that code, and says what.
finds() {
    printf '%s\n' "$2" >"$work/bad.c"
    ! scripts/tidy.sh "$work/bad.c" >"$work/said" 2>&1 && grep -qF "$1" "$work/said"
}
holds "a line that is too long is seen" finds 'clang-format-violations' \
    'int one(void); int one(void) { return 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1; }'
holds "cppcheck finds a division by zero" finds '[zerodiv]' \
    'int of(void); int of(void) { int zero = 0; return 1 / zero; }'
holds "cppcheck finds a read beyond an array" finds '[arrayIndexOutOfBounds]' \
    'int last(void); int last(void) { int table[4] = {0}; return table[4]; }'
holds "clang-tidy finds a value that one path does not set" finds \
    'clang-analyzer-core.uninitialized' \
    'int of(int n); int of(int n) { int x; if (n > 3) x = 1; return n > 2 ? x : 0; }'
holds "clang-tidy finds an argument without use" finds 'misc-unused-parameters' \
    'int of(int n); int of(int n) { return 1; }'
holds "nothing is found" scripts/tidy.sh
finish
