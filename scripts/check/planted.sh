#!/bin/sh
# Every defect of planted.h in this table is caught: a trial of the cell breaks its promise, within
# the given number of trials; and the same cell without a defect breaks none (a catcher that always
# cries proves nothing). The build with defects to choose from is that of `make planted`.
. "$(dirname "$0")/lib.sh"
run=$build/planted/run-planted
campaign=scripts/check/planted.yaml
clean_trials=25

# bug, cell, at most so many trials, level: that, or a weaker one, is what must be seen. Trials: at
# least five times what catching it took when it was written.
cat >"$work/table" <<END
no-flush-before-root   mirror/synced/cut                     300 detected
root-before-children   mirror/synced/cut                      60 detected
dead-root-kept         mirror/tree/dead-root                  60 detected
reuse-at-once          single/tree/before-root                60 detected
no-intent-flush        mirror/overwrite/cut-whole-then-disk   60 detected
early-fsync            mirror/synced/cut                      60 prefix
not-staggered          mirror/overwrite/cut                  400 detected
parity-in-place        parity/overwrite/cut-whole-then-disk   60 silent
crc-unchecked          mirror/mail/rot                        60 detected
recompute-for-verify   mirror/mail/flip                       60 silent
second-unwritten       second/tree/rot-one                   600 dead
resync-region          mirror/overwrite/rot-and-cut           60 silent
record-dropped         mirror/mail/physical                   60 detected
no-reply-table         mirror/tree/naming-thrice              60 silent
late-commit            mirror/tree/naming                    300 prefix
txn-in-place           single/bank/cut                        60 silent
txn-torn               mirror/pair/none                       30 silent
migrate-one-sided      wide/levels/none                       60 silent
rename-drops-target    mirror/tree/none                       30 dead
read-swallows-error    control-single/mail/latent-few        400 silent
root-unflushed         anywhere/synced/cut                   60 prefix
freed-reused           anywhere/tree/cut                     60 detected
sum-unchecked          anywhere/mail/rot                     60 silent
commit-unflushed       redo/synced/cut                       100 prefix
home-early             redo/mail/cut                         100 detected
tail-unflushed         redo/synced/cut                       100 prefix
tail-before-redo       redo/synced/cut-twice                  60 prefix
freed-at-once          redo-small/mail/logged-cut             60 silent
no-revoke              redo-ordered/reused/mark-cut           30 silent
meta-sum-unchecked     redo-sums/tree/rot-metadata           60 silent
log-unflushed          anywhere-log/overwrite/cut            60 prefix
log-unclaimed          anywhere-log/overwrite/cut-twice     200 prefix
log-half               anywhere-log/overwrite/cut            60 prefix
user-torn              anywhere/pair/none                     30 silent
user-unlogged          redo-ordered/bank/cut                 100 silent
ffs-size-first         careful/mail/cut                       60 silent
ffs-cleared-first      careful/tree/cut                      300 structural
ffs-reused-early       careful/tree/cut                       60 detected
ffs-no-undo            careful/mail/cut                       60 silent
ffs-r4-off             careful/tree/cut                       60 structural
ffs-fsync-nameless     careful/tree/cut                      100 prefix
ffs-clean-early        careful/mail/cut-twice                 60 silent
link-before-data       table/mail/cut                        100 silent
link-before-entry      table/mail/cut                        100 detected
tail-forgotten         table/synced/cut                       60 prefix
raid-parity-left       blocks-5/mail/dies                     60 detected
raid-unrecorded        blocks-5/mail/back                     60 detected
zero-at-mount          control/mail/none                      30 silent
entries-swapped        control/mail/none                      30 silent
unlink-keeps-name      control/mail/none                      30 structural
END

# hazard, bug, test program: one of its tests of that hazard fails with the bug. That none fails
# without one is the business of `make unit`.
tests=$build/planted/tests
cat >"$work/hazards" <<END
h01 root-before-children campaign/tests/hazards/test_cuts
h01 no-flush-before-root campaign/tests/hazards/test_cuts
h02 not-staggered        campaign/tests/hazards/test_cuts
h02 resync-region        campaign/tests/hazards/test_cuts
h02 mirror-2-unflushed   stack/tests/loris/logical/test_pool
h03 parity-in-place      campaign/tests/hazards/test_deaths
h03 raid-bit-late        stack/tests/classic/blockraid/test_raid5
h04 old-incarnation      stack/tests/loris/logical/test_pool
h05 reuse-at-once        campaign/tests/hazards/test_disks
h06 poison-retried       stack/tests/loris/cache/test_cache_hazards
h07 recompute-for-verify stack/tests/loris/cache/test_cache_lazy
h08 recompute-for-verify stack/tests/loris/cache/test_cache_memory
h08 guard-unchecked      campaign/tests/hazards/test_flips
h09 resync-region        stack/tests/loris/logical/test_pool
h10 record-dropped       stack/tests/loris/cache/test_cache_hazards
h11 credit-unchecked     stack/tests/loris/cache/test_cache_hazards
h12 early-fsync          stack/tests/loris/cache/test_cache_hazards
h12 segment-dropped      stack/tests/loris/cache/test_cache_hazards
h13 grant-kept           stack/tests/loris/cache/test_cache_hazards
h14 no-fence             stack/tests/loris/driver/test_driver
h15 stale-reply          stack/tests/loris/cache/test_cache_hazards
h16 no-read-back         stack/tests/loris/physical/test_hazards
h17 meta-unchecked       stack/tests/loris/physical/test_hazards
h18 crc-unchecked        stack/tests/loris/physical/test_intent
h19 reset-overlooked     campaign/tests/hazards/test_disks
h20 no-reply-table       stack/tests/loris/cache/test_cache_hazards
h20 late-commit          stack/tests/loris/cache/test_cache_basic
h21 orphans-kept         stack/tests/loris/naming/test_naming
h22 lost-member-listed   campaign/tests/hazards/test_disks
h23 lost-block-copied    campaign/tests/hazards/test_disks
h24 slow-awaited         stack/tests/proto/test_block_client
h25 intent-once          stack/tests/loris/physical/test_intent
h26 no-flush-in-restore  stack/tests/loris/physical/test_hazards
h27 joiner-trusted       campaign/tests/hazards/test_returns
h28 no-resync-in-crash   stack/tests/loris/logical/test_pool
h29 no-flush-on-loss     stack/tests/loris/logical/test_pool
h29 last-copy-in-place   stack/tests/loris/logical/test_pool
h30 joiner-trusted       stack/tests/loris/logical/test_rebuild
h30 raid-cursor-ahead    stack/tests/classic/blockraid/test_spare
h31 twin-overwritten     stack/tests/loris/physical/test_hazards
h32 liar-kept            campaign/tests/hazards/test_disks
h33 user-outlives        stack/tests/loris/cache/test_cache_user
h34 group-astride        stack/tests/loris/cache/test_cache_stable
h34 group-any-base       stack/tests/loris/physical/test_log
END

sed -n 's/^ *X(PLANTED_[A-Z0-9_]*, "\([a-z0-9-]*\)".*/\1/p' stack/include/planted.h | sort >"$work/all"
awk '{print $1}' "$work/table" >"$work/named"
awk '{print $2}' "$work/hazards" >>"$work/named"
sort -u "$work/named" >"$work/tried"
holds "every defect of planted.h is in a table" diff "$work/all" "$work/tried"

# Two at a time: what each printed and its exit code, in files.
each() {
    xargs -P "$(nproc)" -L 1 sh -c '
        code=0
        "$0" "$1" "$3" "$4" "$5" >"$2/$3-$(echo "$4" | tr / _).out" 2>&1 || code=$?
        echo "$code" >"$2/$3-$(echo "$4" | tr / _).code"' "$run" "$campaign" "$work"
}
each <"$work/table"
# Without a defect: as many trials as each cell needed, so that the very trial is among them.
while read -r bug cell rest; do
    caught=$(tail -n 1 "$work/$bug-$(echo "$cell" | tr / _).out" | awk '{print $1 + 1}')
    echo "$cell $caught"
done <"$work/table" | awk -v least=$clean_trials '
    !($1 in most) { most[$1] = least }
    $2 > most[$1] { most[$1] = $2 }
    END { for (cell in most) print cell, most[cell] }' | sort >"$work/cells"
sed 's/^/- /' "$work/cells" | each

# The place of a level among all, the strongest first; nothing for a word that is none.
rank() {
    echo transparent durable synced prefix structural detected silent dead | tr ' ' '\n' |
        grep -nx "$1" | cut -d : -f 1
}
as_weak() {
    [ "$(rank "$2")" -ge "$(rank "$1")" ]
}
code_is() {
    tail -n 3 "$work/$2.out"
    equal "$(cat "$work/$2.code")" "$1"
}
while read -r bug cell trials level; do
    out=$bug-$(echo "$cell" | tr / _)
    holds "$bug is caught in $cell" code_is 0 "$out"
    holds "at $level or weaker" as_weak "$level" "$(tail -n 1 "$work/$out.out" | awk '{print $2}')"
    tail -n 1 "$work/$out.out" | cut -c 1-100 | sed "s|^|$bug: trial |"
done <"$work/table"
while read -r cell trials; do
    out=--$(echo "$cell" | tr / _)
    holds "$cell runs without a defect" code_is 0 "$out"
    holds "and breaks no promise" equal "$(awk '$3 == "0"' "$work/$out.out")" ""
    holds "its faults come" equal "$(awk '$4 == "1"' "$work/$out.out" | wc -l)" "$trials"
done <"$work/cells"

# What loris shrink makes of a catch: few operations that catch it again, and nothing but it.
min=$work/min.yaml
holds "a caught defect shrinks" "$run" "$campaign" early-fsync mirror/synced/cut 60 "$min"
holds "to a few operations" [ "$(wc -l <"$work/min.ops")" -le 4 ]
holds "which catch it" "$run" "$min" early-fsync "*" 1
holds "and are clean without it" equal "$("$run" "$min" - "*" 1 | awk '{print $3, $4}')" "1 1"

# Of each program only the tests of that hazard.
xargs -P "$(nproc)" -L 1 sh -c '
    LORIS_PLANT=$3 CHECK_ONLY=_$2_ "$0/$4" >"$1/$2-$3.out" 2>&1 || :' "$tests" "$work" <"$work/hazards"
while read -r hazard bug program; do
    holds "$program notices $bug in a test of $hazard" \
        grep -aqE ":[FE]:.*_${hazard}_" "$work/$hazard-$bug.out"
done <"$work/hazards"
finish
