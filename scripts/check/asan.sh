#!/bin/sh
# A small campaign under ASan and UBSan: no report, no trial that takes the laboratory down, and
# without a fault the outcome of the plain build. (CPU time is counted in basic blocks, of which the
# sanitizers make others, so hashes differ.)
. "$(dirname "$0")/lib.sh"
asan=$build/asan/loris
campaign=scripts/check/small.yaml
verdicts="SELECT variant, workload, fault, n, level, ops, ops_lost, bytes_wrong FROM trials
    WHERE fault = 'none' ORDER BY trial"

holds "the campaign runs under the sanitizers" \
    eval '"$asan" run "$campaign" -q -o "$work/asan.db" --trials 2 2>"$work/asan.err"'
holds "what it said is there" [ -e "$work/asan.err" ]
holds "no report comes" eval '! grep -E "runtime error|ERROR: AddressSanitizer" "$work/asan.err"'
holds "every row is there" equal "$(query "$work/asan.db" "SELECT count(*) FROM trials")" 40
holds "nothing is worse than promised" equal \
    "$(query "$work/asan.db" "SELECT sum(kept = 0) FROM trials WHERE variant = 'loris'")" 0
holds "the campaign runs without them" "$loris" run "$campaign" -q -o "$work/plain.db" --trials 2
holds "without a fault both agree" equal "$(query "$work/asan.db" "$verdicts")" \
    "$(query "$work/plain.db" "$verdicts")"
trial=$(query "$work/asan.db" "SELECT min(trial) FROM trials WHERE fault = 'power'")
holds "a trial replays" "$asan" replay "$work/asan.db" "$trial"
finish
