#!/bin/sh
# `loris explore` of deaths of processes end to end: every class of blocks of short scripts, by any
# number of workers and in parts, each row again; a second death in the recovery; flips of memory;
# and defects of the stack that only some blocks show.
. "$(dirname "$0")/lib.sh"
campaign=scripts/check/deaths.yaml

# What two explorations have equal, wherever they stopped on the way.
found() {
    query "$1" "SELECT trial, hash, level, kept, struck, state, story FROM trials ORDER BY trial"
    query "$1" "SELECT variant, workload, fault, point, states, \"distinct\", boots, \"left\", weakest, broken
        FROM explored ORDER BY 1, 2, 3, 4"
}
# explored DB [OPTION...]
explored() {
    db=$1
    shift
    "$loris" explore $campaign -q -o "$work/$db.db" "$@" >"$work/$db.out" 2>"$work/$db.err"
}
holds "no death at any block breaks a promise" explored sound --skip strict --skip '*/names' --skip '*/*/flip' --skip '*/*/boot'
holds "every process of the stack has a row" equal \
    "$(query "$work/sound.db" "SELECT count(*) FROM explored WHERE variant = 'mirror'")" 7
holds "so do a file system and its view" equal \
    "$(query "$work/sound.db" "SELECT count(*) FROM explored WHERE variant = 'redo'")" 3
holds "each class is one trial, and none is left" equal \
    "$(query "$work/sound.db" 'SELECT sum(boots) = sum("distinct") AND sum("left") = 0 FROM explored')" 1
holds "a class is many blocks" equal \
    "$(query "$work/sound.db" 'SELECT sum(states) > 10 * sum("distinct") FROM explored')" 1
holds "too much is promised of one variant, and so says the exit" exits 1 explored broken --only strict/create
holds "what is broken is a row" equal \
    "$(query "$work/broken.db" 'SELECT sum(broken) > 0 AND sum(broken) =
        (SELECT count(*) FROM trials WHERE kept = 0) FROM explored')" 1

few="--only strict/create/fs --only mirror/create/cache --keep all --every 3"
explored one $few -j 1 || :
explored three $few -j 3 || :
explored parts $few --states 1000 || :
holds "a bound leaves something, and says so" grep -q 'stopped at its bound' "$work/parts.err"
explored parts $few --resume || :
for shard in 1 2; do
    explored "shard$shard" $few --shard $shard/2 || :
done
"$loris" merge -o "$work/joined.db" "$work/shard1.db" "$work/shard2.db" >"$work/joined.out" 2>&1
for db in one three parts joined; do
    found "$work/$db.db" >"$work/$db.rows"
done
holds "there are rows" test -s "$work/one.rows"
holds "any -j gives the same" equal "$(cat "$work/three.rows")" "$(cat "$work/one.rows")"
holds "parts add up to the same" equal "$(cat "$work/parts.rows")" "$(cat "$work/one.rows")"
holds "shards add up to the same" equal "$(cat "$work/joined.rows")" "$(cat "$work/one.rows")"
for trial in $(query "$work/one.db" "SELECT trial FROM trials ORDER BY trial % 7, trial LIMIT 6"); do
    holds "row $trial is replayed" "$loris" replay "$work/one.db" "$trial"
done
explored blocks --only mirror/create/cache --no-memo --every 9
explored classes --only mirror/create/cache --every 9
holds "each block of a class is the same run" equal \
    "$(query "$work/blocks.db" 'SELECT "distinct" FROM explored')" \
    "$(query "$work/classes.db" 'SELECT "distinct" FROM explored')"
holds "and all were run" equal "$(query "$work/blocks.db" 'SELECT boots = states FROM explored')" 1

holds "a second process dies while the first recovers" explored deep --only mirror/create/twice \
    --every 2 --keep all
holds "each time" equal "$(query "$work/deep.db" "SELECT count(*) > 10 AND
    count(*) = sum(json_array_length(state, '\$.strikes') = 2) FROM trials")" 1
for trial in $(query "$work/deep.db" "SELECT trial FROM trials ORDER BY trial % 11, trial LIMIT 3"); do
    holds "row $trial is replayed" "$loris" replay "$work/deep.db" "$trial"
done
holds "or when the power is back" explored boot --only mirror/create/boot --every 5 --keep all
trial=$(query "$work/boot.db" "SELECT trial FROM trials ORDER BY trial % 11, trial LIMIT 1")
holds "row $trial is replayed" "$loris" replay "$work/boot.db" "$trial"
holds "so with --depth, whoever it is" explored deeper --only mirror/create/driver --depth 2 --every 9
holds "in a row of its own" equal "$(query "$work/deeper.db" 'SELECT count(*) FROM explored')" 2
holds "but not four" exits 2 explored no --only mirror/create/driver --depth 4
holds "a row is shrunk" "$loris" shrink "$work/broken.db" \
    "$(query "$work/broken.db" 'SELECT min(trial) FROM trials WHERE kept = 0')" \
    -o "$work/min.yaml"
holds "memory is flipped, a bit of each class" explored flips --only mirror/create/flip --keep all
holds "eight words, five kinds of bits" equal \
    "$(query "$work/flips.db" 'SELECT sum(boots) > 0 AND sum(boots) % 40 = 0 AND sum("left") = 0 FROM explored')" 1
for trial in $(query "$work/flips.db" "SELECT trial FROM trials ORDER BY trial % 11, trial LIMIT 2"); do
    holds "row $trial is replayed" "$loris" replay "$work/flips.db" "$trial"
    holds "but not shrunk" exits 2 "$loris" shrink "$work/flips.db" "$trial" -o "$work/flip.yaml"
done
sqlite3 "$work/flips.db" "UPDATE trial SET state = replace(state, 'ckpt-frozen', 'no-probe')"
holds "a row of another build's probe is refused" exits 2 "$loris" replay "$work/flips.db" "$trial" --any-build
holds "other plans are refused" exits 2 explored no --only '*/*/none'

# Of one defect each: the process whose deaths show it.
planted() {
    "$build/planted/run-planted" $campaign "$1" "$2" "depth=$3" >"$work/planted.out" 2>&1
}
while read -r bug cell depth; do
    holds "$bug shows in $cell" planted "$bug" "$cell" "$depth"
    holds "$cell without it keeps its promise" grep -q ' 0 broken' <<-END
		$("$build/planted/run-planted" $campaign - "$cell" "depth=$depth")
	END
done <<END
record-dropped   mirror/names/physical  1
no-reply-table   mirror/names/naming    1
late-commit      mirror/names/naming    1
END
finish
