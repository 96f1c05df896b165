#!/bin/sh
# Every ready-made campaign is sound and runs: two trials of each of its cells.
. "$(dirname "$0")/lib.sh"
for campaign in scripts/campaigns/*.yaml; do
    what=$(basename "$campaign" .yaml)
    db=$work/$what.db
    holds "$what is sound" "$loris" check "$campaign"
    holds "$what runs" "$loris" run "$campaign" -q --trials 2 -o "$db"
    holds "$what has a row for each trial" equal \
        "$(query "$db" "SELECT (SELECT count(*) FROM trials) = sum(planned), sum(done) = sum(planned),
            sum(planned) > 0 FROM cells WHERE skipped IS NULL")" "1|1|1"
    holds "the oracle decides every trial of $what" equal \
        "$(query "$db" "SELECT count(*) > 0, sum(undecided) FROM trials")" "1|0"
    holds "$what can be shown" "$loris" show "$db" --format csv
    holds "$what can be plotted" "$loris" plot "$db" -o "$work/$what-plots"
    holds "$what has plots" ls "$work/$what-plots"/success.svg
done
# What they ask has an answer that must not change.
for what in known-defects sick-disks fsync-log no-false-alarm resume; do
    holds "$what breaks no promise" equal \
        "$(query "$work/$what.db" "SELECT count(kept) > 0, coalesce(sum(kept = 0), 0) FROM trials")" "1|0"
done
# A fault that is counted was there, and one whose moment never came was not: of a death, a cut or a lost
# disk the run is another than that without faults.
pairs="FROM trials a JOIN trials b USING (variant, workload, n) WHERE b.fault = 'none'"
holds "what is counted has changed the run" equal "$(query "$work/no-false-alarm.db" "SELECT count(*) > 3000,
    sum(a.hash = b.hash) $pairs AND a.injected AND a.fault IN ('cut', 'cut-drop', 'cut-reorder', 'cut-twice', 'disk-dies',
    'driver', 'physical', 'logical', 'cache', 'naming', 'raid', 'fs', 'vfs', 'hang', 'crash-then-cut')")" "1|0"
holds "what never struck has changed nothing" equal "$(query "$work/no-false-alarm.db" "SELECT count(*) > 100,
    sum(a.hash <> b.hash OR a.level <> b.level) $pairs AND a.struck IN ('[null]', '[null,null]')")" "1|0"
finish
