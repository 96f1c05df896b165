#!/bin/sh
# A merge is gated by what trials show: the plans of `trials`, and the exit codes of `loris compare`.
. "$(dirname "$0")/lib.sh"
campaign=scripts/check/small.yaml
early='trials={max: 80, half-width: 6%, of: detected}'

# runs NAME OPTIONS...: runs a part of the campaign into a file of that name.
runs() {
    db=$work/$1.db
    shift
    "$loris" run "$campaign" -q -o "$db" --skip '*/tree' --skip '*/*/flip' "$@" >/dev/null
}
says() {
    want=$1
    shift
    "$@" | grep -q -e "$want"
}
gate() {
    want=$1
    shift
    exits "$want" "$loris" compare "$@"
}

holds "check says what a gate sees" says \
    'as a gate: +5 points in a cell are seen in 56 %, .*`no-worse` needs 299' \
    "$loris" check "$campaign" --trials 100
holds "check tells the machine" says ' RAID-1, 2 x ssd-sata of 32MiB + 1 spare, 1 environment$' \
    "$loris" check scripts/campaigns/block-spares.yaml
holds "of unequal disks each" says ', 1 x ssd-sata of 32MiB + 1 x hdd-7200 of 1GiB, 1 environment, applications go on$' \
    "$loris" check scripts/campaigns/block-spares.yaml --set 'variants.odd={stack: ffs, raid: 1, machine: {restart: {apps: resume},
    disks: [{profile: ssd-sata, size: 32MiB}, {profile: hdd-7200, size: 1GiB}]}}'
holds "trials are computed" says '^trials: [0-9]*[05]0 a cell, so that a rise from 1 % by 3 points' \
    "$loris" check "$campaign" --set 'trials={detect: 3%, from: 1%}'
holds "and may be more than anyone wants" exits 2 \
    "$loris" check "$campaign" --set 'trials={detect: 1.01%, from: 50%}'

holds "check says how rare a loss is" says \
    '^  2 disks, 1 may be dead (raid-1/file/disks and 1 more): 19.75 years, by cycles [12]' \
    "$loris" check scripts/campaigns/mttdl.yaml
holds "but not of a pool that a spare mends" says '(raid-1/file/disks): 19.75 years' \
    "$loris" check scripts/campaigns/mttdl.yaml --set 'variants.spare={like: raid-1, machine: {spares: 1}}' \
    --skip '*/*/latent'
holds "nor of a block RAID, which takes no blank disk" says '(raid-1/file/disks): 19.75 years' \
    "$loris" check scripts/campaigns/mttdl.yaml --set 'variants.block={stack: ffs, raid: 1}' --skip '*/*/latent'

holds "cells end early" runs one -j1 --set "$early"
holds "with two workers" runs two -j2 --set "$early"
holds "one cell alone" runs parts -j2 --set "$early" --only '*/*/power'
holds "and then the others" runs parts -j2 --set "$early" --resume
for run in one two parts; do
    rows "$work/$run.db" >"$work/$run.rows"
    holds "the rows of $run are equal" cmp "$work/one.rows" "$work/$run.rows"
done
holds "some ended, after whole looks" equal "$(query "$work/one.db" "SELECT count(*) > 0,
    min(done % 50 = 0 OR done = 80), max(done) <= 80 FROM cells WHERE done BETWEEN 1 AND planned - 1")" "1|1|1"
holds "shards are refused" exits 2 runs none --shard 1/2 --set "$early"
holds "such a file says so" says 'cells ended early' "$loris" compare "$work/one.db" "$work/two.db"

holds "a base" runs base --trials 10
holds "an equal build" gate 0 "$work/base.db" "$work/base.db" --strict
holds "it is identical" says '= no-worse .* identical event by event' \
    "$loris" compare "$work/base.db" "$work/base.db"
holds "unpaired it is undecided" gate 0 "$work/base.db" "$work/base.db" --unpaired
holds "and fails if that may not be" gate 1 "$work/base.db" "$work/base.db" --unpaired --strict
holds "another seed" runs seed --trials 10 --seed 77
holds "it is unpaired and says so" says 'unpaired (the seeds differ)' \
    "$loris" compare "$work/base.db" "$work/seed.db"
holds "a cell less" runs less --trials 10 --skip '*/*/power'
holds "is refused" gate 2 "$work/base.db" "$work/less.db"
holds "unless only common ones are asked for" gate 0 "$work/base.db" "$work/less.db" --common
for format in table json junit markdown; do
    holds "there is $format" gate 0 "$work/base.db" "$work/base.db" --format $format
done
"$loris" compare "$work/base.db" "$work/seed.db" --format json --measure level,outage >"$work/json" || true
holds "json reads back" equal "$(query "$work/base.db" "SELECT json_extract(j, '\$.format'),
    json_extract(j, '\$.paired'), json_array_length(j, '\$.cells') > 0
    FROM (SELECT CAST(readfile('$work/json') AS TEXT) AS j)")" "loris-compare-1|0|1"
finish
