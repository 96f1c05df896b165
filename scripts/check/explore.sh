#!/bin/sh
# `loris explore` end to end: every crash state of short scripts on every stack, by any number of
# workers and in parts, and each row again; and defects of the stack that only some states show.
. "$(dirname "$0")/lib.sh"
campaign=scripts/check/explore.yaml
sound="--skip control"

# What two explorations have equal, wherever they stopped on the way.
found() {
    query "$1" "SELECT trial, hash, level, kept, struck, state, story FROM trials ORDER BY trial"
    query "$1" "SELECT variant, workload, fault, point, states, \"distinct\", \"left\", weakest, broken
        FROM explored ORDER BY 1, 2, 3, 4"
}
# explored DB [OPTION...]
explored() {
    db=$1
    shift
    "$loris" explore $campaign -q -o "$work/$db.db" "$@" >"$work/$db.out" 2>"$work/$db.err"
}
holds "no state of a sound design breaks its promise" explored sound $sound
holds "none is left" equal "$(query "$work/sound.db" 'SELECT sum("left") FROM explored')" 0
holds "they are many, and boots few" equal \
    "$(query "$work/sound.db" 'SELECT sum(states) > 1000 * sum(boots) FROM explored')" 1
holds "every stack has points" equal \
    "$(query "$work/sound.db" 'SELECT count(DISTINCT variant) FROM explored')" 9
holds "the control breaks its promise, and so says the exit" exits 1 explored control --only control
holds "broken states are rows" equal \
    "$(query "$work/control.db" 'SELECT sum(broken) > 0 AND sum(broken) =
        (SELECT count(*) FROM trials WHERE kept = 0) FROM explored')" 1

few="--only table/create --only control/rename/whole --keep all"
explored one $few -j 1 || :
holds "plans that cannot be explored are named" grep -q 'none: nothing strikes' "$work/one.err"
explored three $few -j 3 || :
explored parts $few --states 40 || :
holds "a bound leaves something, and says so" grep -q 'stopped at its bound' "$work/parts.err"
explored parts $few --resume || :
for db in one three parts; do
    found "$work/$db.db" >"$work/$db.rows"
done
holds "another depth cannot go on in the same file" exits 2 explored parts $few --resume --depth 1
holds "and the message says so" grep -q 'depth' "$work/parts.err"
holds "there are rows" test -s "$work/one.rows"
holds "any -j gives the same" equal "$(cat "$work/three.rows")" "$(cat "$work/one.rows")"
holds "parts add up to the same" equal "$(cat "$work/parts.rows")" "$(cat "$work/one.rows")"
for trial in $(query "$work/one.db" "SELECT trial FROM trials WHERE trial % 5 = 1 LIMIT 12"); do
    holds "row $trial is replayed" "$loris" replay "$work/one.db" "$trial"
done

explored counted $few --trials 1 || :
holds "a count of trials is told to change nothing" grep -q "whatever --trials says" "$work/counted.err"
holds "and changes nothing" equal "$(query "$work/counted.db" 'SELECT count(*) FROM trials')" \
    "$(query "$work/one.db" 'SELECT count(*) FROM trials')"
holds "what exists is not replaced" exits 2 explored one $few
holds "a campaign without one is refused" exits 2 explored no --only '*/*/none'
holds "and makes no file" test ! -e "$work/no.db"
for other in "--every 2" --persistence --no-memo; do
    holds "$other does not go on with a file of others" exits 2 explored one $few --resume $other
done
holds "nor does a run" exits 2 "$loris" run $campaign -q --resume -o "$work/one.db"
for shard in 1 2; do
    explored "shard$shard" $few --shard $shard/2 || :
done
"$loris" merge -o "$work/joined.db" "$work/shard1.db" "$work/shard2.db" >"$work/joined.out" 2>&1
found "$work/joined.db" >"$work/joined.rows"
holds "shards add up to the same" equal "$(cat "$work/joined.rows")" "$(cat "$work/one.rows")"
holds "and miss nothing" equal "$(grep -c missing "$work/joined.out")" 0
holds "and are whole" equal "$(query "$work/joined.db" 'SELECT finished IS NULL FROM campaigns')" 0
explored nowhere --only table/create --every 9999999 || :
holds "no point at all is said" grep -q 'nothing was explored' "$work/nowhere.err"
explored many --only control/overwrite/cut --depth 15 --states 1 \
    --set variants.control.raid=1 --set variants.control.machine.disks.count=2 --every 300 \
    --set 'workloads.overwrite={app: postmark, files: 60, transactions: 60}' || :
holds "more states than a number holds are still told" grep -q 9223372036854775807 "$work/many.out"
holds "more parts than can be listed are refused" exits 2 explored most --only control/create/cut \
    --set 'workloads.create={app: bounded, length: 3}'
holds "options out of range are refused" exits 2 explored no --depth 99

# Of one defect each: the least depth that shows it, and the least that must not.
planted() {
    "$build/planted/run-planted" $campaign "$1" "$2" "depth=$3" >"$work/planted.out" 2>&1
}
while read -r bug cell depth; do
    holds "$bug shows at depth $depth" planted "$bug" "$cell" "$depth"
    [ "$depth" -eq 0 ] || holds "and not before" exits 1 planted "$bug" "$cell" $((depth - 1))
    holds "$cell without it keeps its promise" grep -q ' 0 broken' <<-END
		$("$build/planted/run-planted" $campaign - "$cell" "depth=$depth")
	END
done <<END
no-flush-before-root  mirror/create/whole     1
root-before-children  mirror/create/whole     1
early-fsync           mirror/create/whole     0
root-unflushed        anywhere/create/whole   0
commit-unflushed      redo/create/whole       0
link-before-data      table/create/whole      0
ffs-size-first        careful/create/whole    0
not-staggered         mirror/overwrite/cut    0
parity-in-place       parity/overwrite/cut    0
END
finish
