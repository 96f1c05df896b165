#!/bin/sh
# Static analysis finds nothing; and would: first it is tried on two files that it must refuse.
. "$(dirname "$0")/lib.sh"

mkdir -p "$work/bad"
cat >"$work/bad/null.c" <<'END'
int of(const int *p);
int of(const int *p) { return p == 0 ? *p : 0; }
END
cat >"$work/bad/bounds.c" <<'END'
int last(void);
int last(void) { int table[4] = {0}; return table[4]; }
END
holds "a null pointer is found" eval \
    'exits 1 scripts/tidy.sh "$work/bad/null.c" | grep -q "Dereference of null pointer"'
holds "a read beyond an array is found" eval \
    'exits 1 scripts/tidy.sh "$work/bad/bounds.c" | grep -q "bounds"'
holds "nothing is found" scripts/tidy.sh
finish
