#!/bin/sh
# Runs test programs and check scripts, some at a time, and adds up what they say.
#   all.sh PROGRAM...
# Each ends with Check's line `100%: Checks: 5, Failures: 0, Errors: 0`. One that exits otherwise
# than its line says, or has no line, counts as one more failure. A line for each is printed, and
# the whole output of those that failed; the last line is `N passed, M failed`.
# JOBS: how many at a time (default: the CPUs). LIMIT_S: how long one may take (default 2400).
set -eu
# Limits of time end what hangs; a slow or busy machine must not fail a test that would pass.
export CK_TIMEOUT_MULTIPLIER="${CK_TIMEOUT_MULTIPLIER:-10}"
export LC_ALL=C BUILD="${BUILD:-build}"
# Tests of crashes want the signals that AddressSanitizer takes for itself.
export ASAN_OPTIONS="${ASAN_OPTIONS:-handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"

if [ "${1:-}" = --one ]; then
    program=$2
    logs=$3
    log=$logs/$(printf '%s' "$program" | tr '/' '_').log
    code=0
    case "$program" in
    *.sh) timeout "${LIMIT_S:-2400}" sh "$program" >"$log" 2>&1 </dev/null || code=$? ;;
    *) timeout "${LIMIT_S:-2400}" "$program" >"$log" 2>&1 </dev/null || code=$? ;;
    esac
    line=$(grep -aE '^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+$' "$log" | tail -n 1)
    if [ -z "$line" ]; then
        line="0%: Checks: 1, Failures: 0, Errors: 1"
        echo "(exit $code without a closing line)" >>"$log"
        [ "$code" -ne 0 ] || code=1
    fi
    counts=$(printf '%s' "$line" | sed 's/.*Checks: //; s/, [A-Za-z]*: / /g')
    echo "$code $counts" >"$log.sum"
    printf '%-58s %s\n' "${program#"$BUILD"/}" "$line"
    exit 0
fi

logs=$(mktemp -d "${TMPDIR:-/tmp}/loris-check.XXXXXX")
trap 'rm -rf "$logs"' EXIT
printf '%s\0' "$@" | xargs -0 -P "${JOBS:-$(nproc)}" -I '{}' sh "$0" --one '{}' "$logs"

passed=0
failed=0
for sum in "$logs"/*.sum; do
    read -r code checks failures errors <"$sum"
    bad=$((failures + errors))
    passed=$((passed + checks - bad))
    [ "$code" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    failed=$((failed + bad))
    if [ "$bad" -gt 0 ]; then
        echo "---- $(basename "$sum" .log.sum), exit $code"
        tail -n 60 "${sum%.sum}"
    fi
done
ran=$(find "$logs" -name '*.sum' | wc -l)
[ "$ran" -eq $# ] || failed=$((failed + $# - ran))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
