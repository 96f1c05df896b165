#!/bin/sh
# Formatting, clang-tidy and cppcheck on all sources; any finding fails.
#   tidy.sh [FILE.c...]     default: every source file; headers are read where they are included
# PACKAGE_CFLAGS: what pkg-config says. JOBS: how many at a time.
set -eu
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
folders="sim stack faults workloads results campaign scripts"
if [ $# -eq 0 ]; then
    set -- $(find $folders -name '*.c' | sort)
    find $folders -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run --Werror
    echo "tidy: formatting is as .clang-format says"
fi
cppcheck -j "$jobs" -q --std=c11 --platform=unix64 --error-exitcode=1 --inline-suppr \
    --suppressions-list=scripts/cppcheck.txt --enable=warning,performance,portability \
    -I. -Istack/include "$@"
echo "tidy: cppcheck is content"

# Stack code is freestanding: clang's own headers and stack/include, as in the build.
host="-std=gnu17 -I. -Istack/include ${PACKAGE_CFLAGS:-$(pkg-config --cflags gsl sqlite3 libfyaml)}"
stack="-std=c17 -ffreestanding -nostdlibinc -Istack/include"
printf '%s\n' "$@" | grep -E '^stack/(proto|loris|classic)/' >"${TMPDIR:-/tmp}/loris-tidy.$$" || true
trap 'rm -f "${TMPDIR:-/tmp}/loris-tidy.$$"' EXIT
xargs -r -P "$jobs" -n 4 sh -c 'exec clang-tidy --quiet "$@" -- '"$stack"' 2>/dev/null' clang-tidy \
    <"${TMPDIR:-/tmp}/loris-tidy.$$"
printf '%s\n' "$@" | grep -vE '^stack/(proto|loris|classic)/' |
    xargs -r -P "$jobs" -n 4 sh -c 'exec clang-tidy --quiet "$@" -- '"$host"' 2>/dev/null' clang-tidy
echo "tidy: clang-tidy is content"
