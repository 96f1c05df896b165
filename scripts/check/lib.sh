# Sourced by the check scripts. They call `holds` once for each thing that must hold and `finish` at
# the end, which prints Check's closing line, so that all.sh counts them like the unit tests.
#
#   $build    folder of the build, $BUILD or build
#   $loris    its program
#   $work     a folder of this run's own, removed at the end
set -eu
export LC_ALL=C
build=${BUILD:-build}
loris=$build/loris
name=$(basename "$0" .sh)
work=$(mktemp -d "${TMPDIR:-/tmp}/loris-$name.XXXXXX")
trap 'rm -rf "$work"' EXIT
checks=0
failures=0

# holds WHAT COMMAND...: counts a check that fails unless the command succeeds. What the command
# prints is shown if it fails.
holds() {
    _what=$1
    shift
    checks=$((checks + 1))
    if "$@" >"$work/.holds" 2>&1; then
        return 0
    fi
    failures=$((failures + 1))
    echo "$name: FAILED: $_what"
    echo "    command: $*"
    tail -n 20 "$work/.holds" | sed 's/^/    | /'
}

# exits CODE COMMAND...: succeeds if the command exits with that code.
exits() {
    want=$1
    shift
    got=0
    "$@" || got=$?
    [ "$got" -eq "$want" ] && return 0
    echo "exit $got, not $want"
    return 1
}

# equal A B: succeeds if the texts are the same; shows both if not.
equal() {
    [ "$1" = "$2" ] && return 0
    printf 'have: %s\nwant: %s\n' "$1" "$2"
    return 1
}

# query DB SQL: the answer, columns separated by |.
query() {
    sqlite3 -bail -readonly "$1" "$2"
}

# rows DB: all that two runs of one campaign by one build have equal, a line a row; what trials are
# added up to is among it.
rows() {
    _columns=$(query "$1" "SELECT group_concat(name) FROM pragma_table_info('trials')
        WHERE name <> 'wall_ns'")
    query "$1" "SELECT $_columns FROM trials ORDER BY trial"
    query "$1" "SELECT * FROM latencies ORDER BY 1, 2, 3"
    query "$1" "SELECT * FROM events ORDER BY 1, 2, 3, 4, 5"
    query "$1" "SELECT * FROM environments ORDER BY 1, 2"
    query "$1" "SELECT * FROM timelines ORDER BY 1, 2, 3, 4"
    query "$1" "SELECT cell, kind, bucket, bin, n, sum_ns FROM bin ORDER BY 1, 2, 3, 4"
}

finish() {
    [ "$checks" -gt 0 ] || failures=1
    share=0
    [ "$checks" -eq 0 ] || share=$(((checks - failures) * 100 / checks))
    echo "$share%: Checks: $checks, Failures: $failures, Errors: 0"
    [ "$failures" -eq 0 ]
}
