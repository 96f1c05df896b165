#!/bin/sh
# Formatting, cppcheck and clang-tidy; any finding fails, after all three have spoken.
#   tidy.sh [FILE.c...]     default: every source file; headers are read where they are included
# PACKAGE_CFLAGS: what pkg-config says. JOBS: how many at a time.
set -eu
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
# Stack code is freestanding: clang's own headers and stack/include, as in the build.
packages=${PACKAGE_CFLAGS:-$(pkg-config --cflags gsl sqlite3 libfyaml libisal)}
host="-std=gnu17 -DLORIS_PLANTED -I. -Istack/include $packages"
stack="-std=c17 -ffreestanding -nostdlibinc -Istack/include -Istack/classic/common"
layers='^stack/(proto|loris|classic)/'
folders="sim stack faults workloads results campaign scripts"
formatted=$*
[ $# -gt 0 ] || {
    formatted=$(find $folders -name '*.[ch]')
    set -- $(find $folders -name '*.c' | sort)
}
failed=0

# content WHAT COMMAND...: says whether the command found nothing.
content() {
    what=$1
    shift
    if "$@"; then
        echo "tidy: $what is content"
    else
        echo "tidy: $what is not content; see above"
        failed=1
    fi
}

# clang FLAGS: clang-tidy on the files of stdin. It counts on stderr what it suppressed.
clang() {
    xargs -r -P "$jobs" -n 4 sh -c 'exec clang-tidy --quiet --config-file=.clang-tidy "$@" -- '"$1"' 2>/dev/null' clang-tidy
}
of_stack() { printf '%s\n' "$@" | { grep -E "$layers" || true; } | clang "$stack"; }
of_host() { printf '%s\n' "$@" | { grep -vE "$layers" || true; } | clang "$host"; }

content clang-format clang-format --dry-run --Werror $formatted
content cppcheck cppcheck -j "$jobs" -q --std=c11 --platform=unix64 --error-exitcode=1 \
    --inline-suppr --suppressions-list=scripts/cppcheck.txt \
    --enable=warning,performance,portability -I. -Istack/include "$@"
content "clang-tidy of the stack" of_stack "$@"
content "clang-tidy of the laboratory" of_host "$@"
exit "$failed"
