#!/bin/sh
# Rules for names, permissions, ranges and extended attributes, through the whole stack: every answer
# is the expected one, and faults leave what the oracle allows.
. "$(dirname "$0")/lib.sh"
db=$work/names.db
holds "the campaign runs" "$loris" run scripts/check/names.yaml -q -o "$db"

# asks WANT SQL: the database answers so.
asks() {
    equal "$(query "$db" "$2")" "$1"
}
holds "every trial is there and decided" asks "1|0" \
    "SELECT count(*) = (SELECT sum(planned) FROM cells), sum(undecided) FROM trials"
holds "every answer is the expected one" asks "0" "SELECT sum(anomalies) FROM trials WHERE fault <> 'power'"
holds "every promise is kept" asks "0" "SELECT sum(kept = 0) FROM trials"
holds "no death of a process loses anything" asks "0" \
    "SELECT sum(ops_lost + bytes_wrong) FROM trials WHERE fault NOT IN ('power')"
holds "a death in one environment kills nobody in another" asks "0" \
    "SELECT count(*) FROM (SELECT trial FROM environments JOIN trials USING (trial)
     WHERE fault = 'vfs' AND killed > 0 GROUP BY trial HAVING count(*) > 1)"
holds "and is transparent there" asks "0" \
    "SELECT sum(environments.level <> 'transparent') FROM environments JOIN trials USING (trial)
     WHERE fault = 'vfs' AND killed = 0"
for workload in rules file tree; do
    trial=$(query "$db" "SELECT max(trial) FROM trials WHERE workload = '$workload' AND fault = 'power'")
    holds "trial $trial ($workload) replays" "$loris" replay "$db" "$trial"
done

db=$work/policy.db
holds "files of other levels: the campaign runs" "$loris" run scripts/check/policy.yaml -q -o "$db"
holds "every answer is the expected one" asks "0" "SELECT sum(anomalies) FROM trials WHERE fault <> 'power'"
holds "every promise is kept" asks "0" "SELECT sum(kept = 0) FROM trials"
holds "a disk's death costs what has no redundancy, and that alone" asks "6|6|6" \
    "SELECT count(*), sum(level = 'detected'), sum(ops_lost) FROM trials
     WHERE fault = 'disk-dies' AND workload = 'strips'"
holds "so it is with levels by name and path, and that alone" asks "6|6|12" \
    "SELECT count(*), sum(level = 'detected'), sum(ops_lost) FROM trials
     WHERE fault = 'disk-dies' AND variant = 'patterns'"
holds "without them, and for files that change theirs, it costs nothing" asks "12" \
    "SELECT sum(level = 'transparent') FROM trials
     WHERE fault = 'disk-dies' AND variant = 'loris' AND workload <> 'strips'"
holds "a live file was given each level that it was asked for" asks "18" \
    "SELECT count(*) FROM events JOIN trials USING (trial)
     WHERE workload = 'live' AND fault = 'none' AND what = 'migrated'"
holds "and nothing else costs anything" asks "0" \
    "SELECT sum(level <> 'transparent') FROM trials WHERE fault IN ('none', 'physical')"
finish
