#!/bin/sh
# Two runs of one campaign with one build give the same rows in every column but wall_ns, whatever
# the number of workers, the shard, and where the host puts stack, heap, libraries and environment.
. "$(dirname "$0")/lib.sh"
campaign=scripts/check/small.yaml

# runs NAME COMMAND...: runs the campaign by the command into a file of that name.
runs() {
    db=$work/$1.db
    shift
    "$@" run "$campaign" -q -o "$db" >/dev/null
}

# same NAME: the rows of that file are those of the first run.
same() {
    rows "$work/$1.db" >"$work/$1.rows"
    cmp "$work/first.rows" "$work/$1.rows" || {
        diff "$work/first.rows" "$work/$1.rows" | head -n 6
        return 1
    }
}

one() { "$loris" "$@" -j1; }
two() { "$loris" "$@" -j2; }
seed() { "$loris" "$@" --seed 8; }
fixed() { setarch -R "$loris" "$@"; }
crowded() { env FILLER="$(head -c 100000 /dev/zero | tr '\0' x)" "$loris" "$@"; }
shard1() { "$loris" "$@" --shard 1/2; }
shard2() { "$loris" "$@" --shard 2/2; }

holds "the campaign runs" runs first one
rows "$work/first.db" >"$work/first.rows"
holds "every cell has its trials" equal "$(query "$work/first.db" \
    "SELECT count(*), count(DISTINCT hash) > 20 FROM trials")" "80|1"
# Every table that is compared has something to compare.
for table in trials latencies events environments timelines bin; do
    holds "there are $table" equal "$(query "$work/first.db" "SELECT count(*) > 10 FROM $table")" 1
done
for how in one two fixed crowded; do
    holds "it runs again: $how" runs "$how" "$how"
    holds "its rows are equal: $how" same "$how"
done
holds "shard 1 runs" runs shard1 shard1
holds "shard 2 runs" runs shard2 shard2
holds "the shards are joined" "$loris" merge -o "$work/merged.db" "$work/shard1.db" "$work/shard2.db"
holds "the shards are the whole" same merged
holds "another seed runs" runs seed seed
holds "another seed gives other rows" eval '! same seed'
for trial in 2 13; do
    holds "trial $trial replays" "$loris" replay "$work/first.db" "$trial"
done
finish
