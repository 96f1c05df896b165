#!/bin/sh
# `loris shrink`: the smallest campaign fails as the trial did, is the same whatever -j, and says so
# where there is nothing to shrink.
. "$(dirname "$0")/lib.sh"
db=$work/shrink.db
holds "the campaign runs" "$loris" run scripts/check/shrink.yaml -q -o "$db"

# first WHERE: the first trial of which that holds.
first() {
    query "$db" "SELECT min(trial) FROM trials WHERE $1"
}
# cell_of DB: level and whether the only fault struck, of its only trial.
cell_of() {
    query "$1" "SELECT count(*), min(level), min(injected) FROM trials"
}
for fault in cut both; do
    trial=$(first "workload = 'mail' AND fault = '$fault' AND level = 'silent'")
    min=$work/$fault.yaml
    holds "a trial of $fault shrinks" "$loris" shrink "$db" "$trial" -o "$min" -j2
    holds "the result of $fault is sound" "$loris" check "$min"
    holds "the result of $fault runs" "$loris" run "$min" -q -o "$work/$fault.db"
    holds "and is as bad" equal "$(cell_of "$work/$fault.db")" "1|silent|1"
    holds "by one fault" equal "$(grep -c 'kind' "$min")" 1
    holds "in a few operations" [ "$(wc -l <"$work/$fault.ops")" -le 12 ]
    holds "on one disk or two of a MiB or so" grep -Eq 'size: [1248]MiB' "$min"
done
trial=$(first "workload = 'mail' AND fault = 'cut' AND level = 'silent'")
mkdir "$work/one"
holds "one at a time" "$loris" shrink "$db" "$trial" -o "$work/one/cut.yaml" -j1
holds "the same campaign is found" cmp "$work/cut.yaml" "$work/one/cut.yaml"
holds "and the same operations" cmp "$work/cut.ops" "$work/one/cut.ops"

trial=$(first "workload = 'two' AND level IN ('silent', 'detected')")
holds "a sequence of operations shrinks" "$loris" shrink "$db" "$trial" -o "$work/two.yaml"
holds "and runs" "$loris" run "$work/two.yaml" -q -o "$work/two.db"
holds "as bad" equal "$(query "$work/two.db" "SELECT level FROM trials")" \
    "$(query "$db" "SELECT level FROM trials WHERE trial = $trial")"

# What is no failure, or another one by now.
good=$(first "level = 'transparent'")
holds "what does not fail is refused" exits 2 "$loris" shrink "$db" "$good" -o "$work/no.yaml"
holds "an unknown trial is refused" exits 2 "$loris" shrink "$db" 999999 -o "$work/no.yaml"
holds "a folder that is not there is refused" exits 2 \
    "$loris" shrink "$db" "$trial" --budget 1 -o "$work/no/no.yaml"
cp "$db" "$work/other.db"
sqlite3 "$work/other.db" "UPDATE trial SET hash = hash + 1 WHERE trial = $trial"
holds "one that does not fail again" exits 1 "$loris" shrink "$work/other.db" "$trial" -o "$work/no.yaml"
holds "nothing is left of those" exits 2 ls "$work/no.yaml"
finish
