#!/bin/sh
# Campaigns whose outcome is known: Loris keeps its promises, the control loses what it must, a fault
# that never comes changes nothing, and a comparison of a run with itself raises no alarm.
. "$(dirname "$0")/lib.sh"
db=$work/known.db
holds "the campaign runs" "$loris" run scripts/check/known.yaml -q -o "$db"

# asks WANT SQL: the database answers so.
asks() {
    equal "$(query "$db" "$2")" "$1"
}
holds "every trial is there" asks 204 "SELECT count(*) FROM trials"
holds "without a fault all is transparent" asks "36|36" \
    "SELECT count(*), sum(level = 'transparent' AND ops > 0) FROM trials WHERE fault = 'none'"
holds "without a fault nothing is struck, lost or wrong" asks "36|0" \
    "SELECT count(rpo_ns), sum(ops_lost + synced_lost + bytes_wrong + rpo_ns + (struck <> '[]'))
     FROM trials WHERE fault = 'none'"
holds "a fault that never comes is told apart" asks "0" \
    "SELECT sum(injected) FROM trials WHERE fault = 'never'"
holds "and changes nothing" asks "36|36" \
    "SELECT count(*), sum(a.hash = b.hash AND a.level = b.level
         AND a.sim_ns = b.sim_ns AND a.ios = b.ios AND a.ops = b.ops)
     FROM trials a JOIN trials b USING (variant, workload, n)
     WHERE a.fault = 'never' AND b.fault = 'none'"
holds "all other faults come" asks "132|132" \
    "SELECT count(*), sum(injected) FROM trials WHERE fault NOT IN ('none', 'never')"
holds "the oracle decides every trial" asks "204|0" "SELECT count(undecided), sum(undecided) FROM trials"
holds "variants meet the same fault in the same trial" asks "12|12|2" \
    "SELECT count(*), sum(a.target = b.target), count(DISTINCT a.target) FROM
     (SELECT n, variant, json_extract(struck, '\$[0].target') target FROM trials WHERE fault = 'disk-dies') a
     JOIN (SELECT n, variant, json_extract(struck, '\$[0].target') target FROM trials WHERE fault = 'disk-dies') b
     USING (n) WHERE a.variant = 'loris' AND b.variant = 'none'"
holds "Loris keeps every promise" asks "0|60" \
    "SELECT sum(kept = 0), sum(kept = 1) FROM trials WHERE variant = 'loris' AND fault <> 'never'"
holds "a mirror survives a disk" asks "24|24" \
    "SELECT count(*), sum(level = 'transparent') FROM trials
     WHERE fault = 'disk-dies' AND variant <> 'none'"
holds "a power cut costs Loris nothing that was synced" asks "24|0" \
    "SELECT count(synced_lost), sum(synced_lost) FROM trials WHERE fault = 'power' AND variant LIKE 'loris%'"
holds "with the log a crash of physical loses nothing" asks "12|0" \
    "SELECT count(ops_lost), sum(ops_lost) FROM trials WHERE fault = 'physical' AND variant = 'loris'"
holds "without it, operations are lost" asks 1 \
    "SELECT sum(ops_lost) > 0 FROM trials WHERE fault = 'physical' AND variant = 'loris-no-log'"
holds "the control loses what was synced" asks 1 \
    "SELECT sum(kept = 0) > 0 FROM trials WHERE fault = 'power' AND variant = 'none'"
holds "the control is blind to rot: it never says who noticed" asks "1|0" \
    "SELECT count(*) > 0, count(detected_by) FROM trials WHERE fault = 'rot' AND variant = 'none'
     AND level = 'silent'"

# gate CODE ARGUMENTS...: loris compare exits so.
gate() {
    want=$1
    shift
    exits "$want" "$loris" compare "$@" --format json
}
holds "a run is no worse than itself" gate 0 "$db" "$db"
holds "and every pair is identical" eval \
    '"$loris" compare "$db" "$db" --format json | grep -q "\"why\": *\"identical\""'
holds "the control is worse than Loris" gate 1 "$db" --base loris --new none --common
holds "Loris is not worse than the control" gate 0 "$db" --base none --new loris-no-log --common \
    --allow-broken 1000

# The runs agree with their replay, whatever became of them.
for fault in none rot power physical; do
    trial=$(query "$db" "SELECT min(trial) FROM trials WHERE fault = '$fault' AND variant = 'loris'")
    holds "trial $trial ($fault) replays" "$loris" replay "$db" "$trial"
done
holds "a changed hash is noticed" eval '
    cp "$db" "$work/forged.db" &&
    table=$(query "$db" "SELECT name FROM sqlite_master WHERE type = '"'table'"' AND sql LIKE '"'%hash%'"'
        LIMIT 1") &&
    sqlite3 "$work/forged.db" "UPDATE $table SET hash = 0" &&
    exits 1 "$loris" replay "$work/forged.db" 1'
finish
