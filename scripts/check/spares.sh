#!/bin/sh
# A spare takes the place of a dead disk, a disk that comes back is made whole, a scrub finds rot
# before the other copy is gone: campaigns whose outcome is known.
. "$(dirname "$0")/lib.sh"
db=$work/spares.db
holds "the campaign runs" "$loris" run scripts/check/spares.yaml -q -o "$db"

# asks WANT SQL: the database answers so.
asks() {
    equal "$(query "$db" "$2")" "$1"
}
holds "every fault comes" asks "90|90" "SELECT count(*), sum(injected) FROM trials"
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
finish
