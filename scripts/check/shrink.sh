#!/bin/sh
# `loris shrink`: the smallest campaign fails as the trial did, is the same whatever -j, and says so
# where there is nothing to shrink.
. "$(dirname "$0")/lib.sh"
db=$work/shrink.db
holds "the campaign runs" "$loris" run scripts/check/shrink.yaml -q -o "$db"

# first DB WHERE: the first trial of which that holds.
first() {
    query "$1" "SELECT min(trial) FROM trials WHERE $2"
}
# shrinks DB TRIAL NAME LEVEL: what is found is sound, and runs as bad, by one fault.
shrinks() {
    min=$work/$3.yaml
    holds "trial $2 shrinks to $3" "$loris" shrink "$1" "$2" -o "$min" -j2
    holds "$3 is sound" "$loris" check "$min"
    holds "$3 runs" "$loris" run "$min" -q -o "$work/$3.db"
    holds "$3 is as bad" equal "$4|1" \
        "$(query "$work/$3.db" "SELECT level, injected FROM trials")"
    holds "$3 has one fault" equal "$(grep -o 'kind:' "$min" | wc -l)" 1
    holds "$3 is of a few operations" [ "$(wc -l <"$work/$3.ops")" -le 8 ]
    holds "$3 is of small disks" grep -Eq 'size: [1248]MiB' "$min"
}
trial=$(first "$db" "workload = 'mail' AND fault = 'both' AND level = 'silent'")
shrinks "$db" "$trial" mail silent
mkdir "$work/one"
holds "one at a time" "$loris" shrink "$db" "$trial" -o "$work/one/mail.yaml" -j1
holds "the same campaign is found" cmp "$work/mail.yaml" "$work/one/mail.yaml"
holds "and the same operations" cmp "$work/mail.ops" "$work/one/mail.ops"
broken=$(first "$db" "workload = 'two' AND kept = 0")
shrinks "$db" "$broken" two "$(query "$db" "SELECT level FROM trials WHERE trial = $broken")"

# A crash state that was visited, not sampled.
states=$work/states.db
holds "crash states are explored" exits 1 "$loris" explore scripts/check/shrink.yaml --only none/two/cut \
    --depth 1 --states 2000 -q -o "$states"
state=$(first "$states" "kept = 0")
shrinks "$states" "$state" state "$(query "$states" "SELECT level FROM trials WHERE trial = $state")"

# A run of which one state is kept has a name, too; one of which many are, or none, is told so.
place="none/two/cut/0"
several=$(query "$states" "SELECT count(*) > 1 FROM trials")
holds "many states are kept" equal "$several" 1
for command in replay shrink; do
    holds "$command of many states" exits 2 "$loris" $command "$states" $place
    "$loris" $command "$states" $place >"$work/many.out" 2>&1 || :
    holds "$command tells how many" grep -Eq ' keeps [0-9]+ crash states .* name one by its number, as [0-9]+$' \
        "$work/many.out"
    holds "$command of a run without states" exits 2 "$loris" $command "$states" none/mail/power/0
    holds "$command of a number that is no state" exits 2 "$loris" $command "$states" 3
done
cp "$states" "$work/one-state.db"
sqlite3 "$work/one-state.db" "DELETE FROM trial WHERE trial <> $state"
holds "the only state has a name" "$loris" replay "$work/one-state.db" $place
"$loris" replay "$work/one-state.db" $place >"$work/place.out" 2>&1 || :
holds "it is that state" grep -q "^trial $state: " "$work/place.out"
for option in --until=50 "--trace=$work/state.json"; do
    holds "a state is replayed with $option" "$loris" replay "$states" "$state" "$option"
done
holds "no disk is made of a state" exits 2 "$loris" replay "$states" "$state" --dump disk:0 "$work/state.img"

# What is there is not lost.
cp "$work/mail.yaml" "$work/kept.yaml"
holds "a file that is there is refused" exits 2 "$loris" shrink "$db" "$trial" -o "$work/kept.yaml"
holds "and stays" cmp "$work/mail.yaml" "$work/kept.yaml"
rm "$work/kept.yaml" && echo keep >"$work/kept.ops"
holds "so is its script" exits 2 "$loris" shrink "$db" "$trial" -o "$work/kept.yaml"
holds "it may be replaced" "$loris" shrink "$db" "$trial" -o "$work/kept.yaml" --overwrite
holds "by the same" cmp "$work/mail.ops" "$work/kept.ops"

# What a person reads of it.
holds "the first line says what is wrong" eval 'sed -n 2p "$work/mail.yaml" | grep -Eq "^# silent: [a-z ]+"'

# What is no failure, or another one by now.
good=$(first "$db" "level = 'transparent'")
holds "what does not fail is refused" exits 2 "$loris" shrink "$db" "$good" -o "$work/no.yaml"
holds "an unknown trial is refused" exits 2 "$loris" shrink "$db" 999999 -o "$work/no.yaml"
holds "a folder that is not there is refused" exits 2 \
    "$loris" shrink "$db" "$broken" --budget 1 -o "$work/no/no.yaml"
# Before anything is run.
"$loris" shrink "$db" "$broken" --budget 1 -o "$work/no/no.yaml" >"$work/no.out" 2>&1 || :
holds "and before it is looked for" equal "$(grep -c 'no.yaml' "$work/no.out"):$(wc -l <"$work/no.out")" 1:1
holds "so is a folder" exits 2 "$loris" shrink "$db" "$broken" --budget 1 -o "$work"
cp "$db" "$work/other.db"
sqlite3 "$work/other.db" "UPDATE trial SET hash = hash + 1 WHERE trial = $broken"
holds "one that does not fail again" exits 1 "$loris" shrink "$work/other.db" "$broken" -o "$work/no.yaml"
holds "nothing is left of those" exits 2 ls "$work/no.yaml"
finish
