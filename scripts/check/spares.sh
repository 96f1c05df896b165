#!/bin/sh
# A spare takes the place of a dead disk or one that never answers in time, a disk that comes back is
# made whole, a scrub finds rot before the other copy is gone: campaigns whose outcome is known.
. "$(dirname "$0")/lib.sh"
db=$work/spares.db
holds "the campaign runs" "$loris" run scripts/check/spares.yaml -q -o "$db"
pair=$work/pair.db
holds "that of two disks at a time too" "$loris" run scripts/check/pair.yaml -q -o "$pair"

# asks WANT SQL: the database answers so.
asks() {
    equal "$(query "$db" "$2")" "$1"
}
holds "every fault comes" asks "126|126" "SELECT count(*), sum(injected) FROM trials"
holds "no promise is broken, nothing is silent" asks "0|0" \
    "SELECT coalesce(sum(kept = 0), 0), sum(level = 'silent') FROM trials"
holds "redundancy is whole again with a spare, and only there" asks "6|6|0" \
    "SELECT count(*), (SELECT count(rebuild_ns) FROM trials WHERE variant = 'spare' AND fault = 'dies'),
     (SELECT count(rebuild_ns) FROM trials WHERE variant = 'bare' AND fault = 'dies')
     FROM trials WHERE variant = 'spare' AND fault = 'dies' AND level = 'transparent'"
holds "then the other disk may die too" asks "6|6" \
    "SELECT count(*), sum(level = 'transparent' AND promised = 'transparent') FROM trials
     WHERE variant = 'spare' AND fault = 'both'"
holds "without a spare it may not" asks "0|6" \
    "SELECT count(promised), sum(level = 'dead') FROM trials WHERE variant = 'bare' AND fault = 'both'"
holds "a disk that comes back counts again" asks "18|18" \
    "SELECT count(rebuild_ns), sum(level = 'transparent') FROM trials WHERE fault = 'back'"
holds "a power cut only delays the rebuild" asks "6|0" \
    "SELECT count(rebuild_ns), sum(synced_lost) FROM trials WHERE variant = 'spare' AND fault = 'cut'"
holds "a scrub finds the rot in time" asks "6" \
    "SELECT sum(level = 'transparent') FROM trials WHERE variant = 'scrub' AND fault = 'rot'"
holds "without one something is lost" asks 1 \
    "SELECT sum(level <> 'transparent') > 0 FROM trials WHERE variant = 'bare' AND fault = 'rot'"
# Two time-outs of 35 s and two restarts of a driver (BLOCK_SILENCES); the judge stops and starts the
# machine once after that.
holds "a disk slower than the time-outs is waited for once, then given up" asks "18|18|1" \
    "SELECT count(*), sum(level = 'transparent'), max(outage_ns) < 75e9 FROM trials
     WHERE fault = 'slow'"
holds "a spare takes its place too" asks "6" \
    "SELECT count(rebuild_ns) FROM trials WHERE variant = 'spare' AND fault = 'slow'"
holds "and a start does not fail of it" asks "18|0|1" \
    "SELECT count(*), sum(synced_lost + (level = 'dead')), max(sim_ns) < 300e9 FROM trials
     WHERE fault = 'slow-cut'"
holds "of two disks that are missed both are made whole, before the other two die" equal \
    "$(query "$pair" "SELECT sum(level = 'transparent' AND promised = 'transparent') FROM trials")" 2
finish
