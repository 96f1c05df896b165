#!/bin/sh
# A trace of a run is whole and in order, the traced run is the same run, and `--until` and `--dump`
# stop it and show its disks. Read with sqlite's JSON functions.
. "$(dirname "$0")/lib.sh"
db=$work/trace.db

# asks FILE.json SQL: the answer about its events, table e, in the order of the file.
asks() {
    sqlite3 -bail :memory: "CREATE TABLE e AS SELECT CAST(key AS INTEGER) AS n,
        value ->> '\$.ph' AS ph, value ->> '\$.pid' AS pid, value ->> '\$.tid' AS tid,
        CAST(round((value ->> '\$.ts') * 1000) AS INTEGER) AS ts,
        CAST(round((value ->> '\$.dur') * 1000) AS INTEGER) AS dur, value ->> '\$.id' AS id,
        value ->> '\$.name' AS name FROM json_each(readfile('$1'), '\$.traceEvents');
        CREATE INDEX place ON e (ph, pid, tid, ts);" "$2"
}

# pairs FILE.json FIRST SECOND: every id of one kind has one of each, in this order.
pairs() {
    equal "$(asks "$1" "SELECT count(*) > 20 FROM e WHERE ph = '$2'")" 1 &&
        equal "$(asks "$1" "SELECT count(*) FROM (SELECT id FROM e WHERE ph IN ('$2', '$3')
            GROUP BY id HAVING count(*) <> 2 OR sum(ph = '$2') <> 1 OR
            min(CASE ph WHEN '$3' THEN ts END) < min(CASE ph WHEN '$2' THEN ts END))")" 0
}

# backward FILE.json: how often the time of a track goes back.
backward() {
    asks "$1" "SELECT count(*) FROM (SELECT ts - lag(ts) OVER (PARTITION BY pid, tid ORDER BY n)
        AS step FROM e WHERE ph <> 'M') WHERE step < 0"
}

# overlaps FILE.json: slices that begin before the one before has ended.
overlaps() {
    asks "$1" "SELECT count(*) FROM (SELECT ts - lag(ts + dur) OVER (PARTITION BY pid, tid
        ORDER BY n) AS gap FROM e WHERE ph = 'X') WHERE gap < 0"
}

# outside FILE.json: ends of flows that lie in no slice of their track.
outside() {
    asks "$1" "SELECT count(*) FROM e WHERE ph IN ('s', 'f') AND NOT EXISTS (SELECT 1 FROM e AS x
        WHERE x.ph = 'X' AND x.pid = e.pid AND x.tid = e.tid AND x.ts <= e.ts AND
        x.ts + x.dur > e.ts)"
}

# sound FILE.json
sound() {
    holds "$1 has pairs of flows" pairs "$work/$1" s f
    holds "$1 has pairs of requests" pairs "$work/$1" b e
    holds "time does not run backwards in $1" equal "$(backward "$work/$1")" 0
    holds "slices do not overlap in $1" equal "$(overlaps "$work/$1")" 0
    holds "flows of $1 begin and end in slices" equal "$(outside "$work/$1")" 0
    holds "tracks of $1 have names" equal "$(asks "$work/$1" "SELECT count(*) FROM (SELECT pid, tid
        FROM e WHERE ph = 'X' EXCEPT SELECT pid, tid FROM e WHERE name = 'thread_name')")" 0
}

holds "the campaign runs" "$loris" run scripts/check/small.yaml -q -o "$db"
for trial in 1 2 4 5 12 13; do
    holds "trial $trial is the same run when it is traced" \
        eval '"$loris" replay "$db" $trial --trace "$work/$trial.json" | grep "the same run"'
    sound "$trial.json"
done
# Trial 2 is a power cut: all processes have a second track.
holds "a restart is a new track" equal "$(asks "$work/2.json" "SELECT count(*) > 5 FROM (SELECT DISTINCT pid, tid / 100000
    FROM e WHERE ph = 'X' AND tid % 100000 = 2)")" 1
holds "the fault is in it" equal "$(asks "$work/2.json" \
    "SELECT count(*) FROM e WHERE name LIKE 'faults: fault injected: power.cut%'")" 1
# Counters: queues and volatile writes of disks, pages, log and credit of the cache.
for counter in requests "volatile writes" "dirty pages" "pages being written" "log bytes" "credit blocks"; do
    holds "it counts $counter" equal "$(sqlite3 :memory: "SELECT count(*) > 3, min(value ->> '\$.args.count') >= 0,
        max(value ->> '\$.args.count') > 0 FROM json_each(readfile('$work/1.json'), '\$.traceEvents')
        WHERE value ->> '\$.ph' = 'C' AND value ->> '\$.name' = '$counter'")" '1|1|1'
done
holds "dirty pages are written" equal "$(sqlite3 :memory: "SELECT min(value ->> '\$.args.count') FROM
    json_each(readfile('$work/1.json'), '\$.traceEvents') WHERE value ->> '\$.ph' = 'C' AND value ->> '\$.pid' = 100
    AND value ->> '\$.name' = 'dirty pages'")" 0
holds "the verdict is in it" equal "$(asks "$work/2.json" \
    "SELECT count(*) FROM e WHERE name LIKE 'oracle: verdict: %'")" 1

holds "a run stops at an event" eval '"$loris" replay "$db" 2 --until 3000 --trace "$work/part.json" \
    --dump disk:1 "$work/part.img" | grep "stopped at event 3000"'
sound part.json
holds "what follows is not in it" equal "$(asks "$work/part.json" "SELECT count(*) <= 3100 FROM e
    WHERE ph <> 'M'")" 1
# The whole trace has the same events, but for the slices that were cut short.
for which in part 2; do
    asks "$work/$which.json" "SELECT ph, pid, tid, ts, name FROM e WHERE ph NOT IN ('M', 's', 'i', 'e')
        ORDER BY n LIMIT 500" >"$work/$which.first"
done
holds "it is the begin of the whole" cmp "$work/part.first" "$work/2.first"
holds "an image is as large as the disk" equal "$(wc -c <"$work/part.img")" 33554432
holds "a disk of which nothing was written is not what is dumped" \
    eval 'tr -d "\\0" <"$work/part.img" | grep -q .'
# Somewhere in a run with writes the cache holds something that is not stable.
differs() {
    event=$(sqlite3 :memory: "SELECT max(value ->> '\$.args.event') FROM
        json_each(readfile('$work/13.json'), '\$.traceEvents')
        WHERE value ->> '\$.ph' = 'b' AND value ->> '\$.name' = 'write' AND
        value ->> '\$.pid' = 500")
    "$loris" replay "$db" 13 --until "$event" --dump disk:0 "$work/cached.img" >/dev/null &&
        exits 1 cmp -s "$work/cached.img" "$work/cached.img.stable"
}
holds "an image with the cache differs from that without" differs

# Two recordings of one trial are the same file, of 8 bytes an event, and no file of another trial.
for file in a b; do
    holds "a run is recorded" "$loris" replay "$db" 2 --record "$work/$file.rec"
done
holds "twice the same" cmp "$work/a.rec" "$work/b.rec"
holds "8 bytes an event" equal "$(wc -c <"$work/a.rec")" "$(sqlite3 :memory: \
    "SELECT 8 * (readfile('$work/2.json') ->> '\$.otherData.events')")"
holds "another is recorded" "$loris" replay "$db" 4 --record "$work/c.rec"
holds "it is not the same" exits 1 cmp -s "$work/a.rec" "$work/c.rec"
holds "a recording that cannot be written" exits 2 "$loris" replay "$db" 2 --record "$work/none/a"

# A row that another run made: it is told, with the first event that differs, and that it repeats.
cp "$db" "$work/other.db"
sqlite3 "$work/other.db" "UPDATE trial SET hash = hash + 1 WHERE trial = 2;
    UPDATE event SET detail = 'elsewhere' WHERE trial = 2 AND seq = (SELECT max(seq) FROM event
    WHERE trial = 2)"
holds "a row of another run" exits 1 "$loris" replay "$work/other.db" 2
"$loris" replay "$work/other.db" 2 >"$work/other.out" || :
holds "it is told so" grep -q '^DIVERGED: ' "$work/other.out"
holds "with what differs first" grep -q '^first different event, stored: .* elsewhere$' "$work/other.out"
holds "and that it is the same twice" grep -q '^run twice it is the same' "$work/other.out"

# A debugger. Its commands come from stdin; when they end, so does it, and the run goes on.
holds "no debugger" eval 'PATH=/nonexistent exits 2 "$loris" replay "$db" 2 --gdb 2>"$work/gdb.out" &&
    grep "^--gdb:1:1: there is no gdb" "$work/gdb.out"'
# A container may forbid to trace processes; then there is nothing to look at.
if command -v gdb >/dev/null && gdb -batch -nx -ex 'break main' -ex run "$loris" 2>&1 | grep -q '^Breakpoint 1, '; then
    slot=$(printf 'loris-processes\n' | "$loris" replay "$db" 2 --until 3000 --gdb 2>&1 |
        sed -n 's/^.* \([0-9]*\)  LAYER_PHYSICAL.0 #1  STATE_.*/\1/p')
    holds "it lists the processes" [ -n "$slot" ]
    printf 'print event\nloris-process %s\nprint 1\nloris-back\nbacktrace\nloris-process %s\n' \
        "$slot" "$slot" | "$loris" replay "$db" 2 --until 3000 --gdb >"$work/gdb.out" 2>&1 || :
    holds "it stops at the event" grep -q 'loris_stop_here (m=.*, event=300' "$work/gdb.out"
    holds "it shows a process that waits" grep -q ' physical_main (' "$work/gdb.out"
    holds "and goes back" eval 'sed "1,/\$2 = 1/d" "$work/gdb.out" | grep -q " replay_trial ("'
    holds "the run goes on and is the same" grep -q ': the same run, event by event' "$work/gdb.out"
    printf 'kill\n' | "$loris" replay "$db" 2 --gdb >"$work/gdb.out" 2>&1 || :
    holds "it may be ended there" grep -q "trial 2 was ended in gdb\$" "$work/gdb.out"
fi
{ sleep 0.2; "$loris" replay "$db" 2 --verbose 2>"$work/unread.err"; } | : || :
holds "who reads no more ends it without a word" equal "$(cat "$work/unread.err")" ""

holds "no such event" exits 2 "$loris" replay "$db" 2 --until 99999999
holds "no such disk" exits 2 "$loris" replay "$db" 2 --dump disk:2 "$work/no.img"
holds "nothing is made for it" test ! -e "$work/no.img"
holds "a file that cannot be written" exits 2 "$loris" replay "$db" 2 --trace "$work/none/a.json"
for event in 0 -1 x 1x; do
    holds "no event: $event" exits 2 "$loris" replay "$db" 2 "--until=$event"
done
finish
