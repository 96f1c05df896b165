#!/bin/sh
# kill -9 at any moment loses no row that was stored, and --resume ends with the rows of a run that
# nothing interrupted. SIGINT ends it with 130 and keeps all rows.
. "$(dirname "$0")/lib.sh"
campaign=scripts/check/small.yaml
trials=30 # long enough that a run has not ended when its first rows are seen
total=$((trials * 20))

count() {
    query "$1" "SELECT count(*) FROM trials" 2>/dev/null || echo 0
}

# interrupt SIGNAL DB ROWS ARGUMENTS...: starts a run, sends it the signal once the file has that
# many rows, and leaves its exit code in $code.
interrupt() {
    signal=$1
    db=$2
    enough=$3
    shift 3
    "$loris" run "$campaign" -q -o "$db" --trials "$trials" "$@" >"$work/out" 2>"$work/err" &
    pid=$!
    while kill -0 "$pid" 2>/dev/null && [ "$(count "$db")" -lt "$enough" ]; do
        sleep 0.05
    done
    kill -s "$signal" "$pid" 2>/dev/null || true
    code=0
    wait "$pid" || code=$?
}

holds "a run without interruption" "$loris" run "$campaign" -q -o "$work/whole.db" --trials $trials
holds "has all its rows" equal "$(count "$work/whole.db")" $total
rows "$work/whole.db" >"$work/whole"

interrupt KILL "$work/killed.db" 1
holds "the first run was killed" equal "$code" 137
first=$(count "$work/killed.db")
holds "some rows are there, not all" [ "$first" -ge 1 -a "$first" -lt $total ]
interrupt KILL "$work/killed.db" $((first + 20)) --resume
holds "the second run was killed" equal "$code" 137
second=$(count "$work/killed.db")
holds "no row was lost" [ "$second" -ge "$first" -a "$second" -lt $total ]
holds "the file is sound" equal "$(query "$work/killed.db" 'PRAGMA integrity_check')" ok
holds "resume without a word is refused" exits 2 \
    "$loris" run "$campaign" -q -o "$work/killed.db" --trials $trials
holds "resume of another plan is refused" exits 2 \
    "$loris" run "$campaign" -q -o "$work/killed.db" --trials $trials --resume --seed 8
holds "refusing changed nothing" equal "$(count "$work/killed.db")" "$second"
holds "it goes on" "$loris" run "$campaign" -q -o "$work/killed.db" --trials $trials --resume
rows "$work/killed.db" >"$work/killed"
holds "its rows are those of the run without interruption" cmp "$work/whole" "$work/killed"
holds "a finished one returns" "$loris" run "$campaign" -q -o "$work/killed.db" --trials $trials --resume
rows "$work/killed.db" >"$work/killed"
holds "and adds nothing" cmp "$work/whole" "$work/killed"

interrupt INT "$work/stopped.db" 1
holds "SIGINT exits with 130" equal "$code" 130
holds "and says how to go on" grep -q -e --resume "$work/err"
interrupt TERM "$work/stopped.db" $(($(count "$work/stopped.db") + 1)) --resume
holds "SIGTERM exits with 143" equal "$code" 143
holds "it goes on" "$loris" run "$campaign" -q -o "$work/stopped.db" --trials $trials --resume
rows "$work/stopped.db" >"$work/stopped"
holds "and ends with the same rows" cmp "$work/whole" "$work/stopped"

# A signal at any early moment leaves the file, or none, and nothing beside it.
mkdir "$work/early"
stray=0
wrong=0
resumable=0
for ms in $(seq 1 60); do
    case $((ms % 4)) in 0) signal=HUP ;; 1) signal=TERM ;; *) signal=INT ;; esac
    code=0
    # the shell ignores SIGINT in what it starts with &; timeout(1) gives it back its meaning
    timeout -s "$signal" "$(printf 0.%03d "$ms")" "$loris" run "$campaign" -q \
        -o "$work/early/$ms.db" --trials $trials --overwrite >"$work/out" 2>"$work/err" || code=$?
    [ -z "$(find "$work/early" -name '*.new-*')" ] || stray=$((stray + 1))
    if [ "$signal" != HUP ] && [ -e "$work/early/$ms.db" ]; then
        resumable=$((resumable + 1))
        grep -q -e --resume "$work/err" || wrong=$((wrong + 1))
    fi
    rm -f "$work/early"/*
done
holds "60 signals in the first 60 ms leave nothing beside the file" equal $stray 0
holds "some of them came after it was made" [ "$resumable" -gt 0 ]
holds "and each of those says how to go on" equal $wrong 0
finish
