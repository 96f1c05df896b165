#!/bin/sh
# Wrong campaigns and wrong databases: exit 2, a line an error with its place, nothing made or
# changed. campaign/tests has the parser's own tests; these go through the program.
. "$(dirname "$0")/lib.sh"
campaign=$work/c.yaml
db=$work/out.db
rest='variants: {v: {stack: loris}}
workloads: {w: {app: fsx}}
faults: {f: []}'

# refused WORDS TEXT ARGUMENTS...: the campaign is refused, some line has WORDS (its place, or what
# is wrong), and neither a database nor anything on stdout is left.
refused() {
    words=$1
    [ -n "$words" ] || return 1 # every text has the empty one in it
    printf '%s\n' "$2" >"$campaign"
    shift 2
    exits 2 "$loris" run "$campaign" -q -o "$db" "$@" >"$work/out" 2>"$work/err" || return 1
    cat "$work/err"
    grep -qF -e "$words" "$work/err" && [ ! -e "$db" ] && [ ! -s "$work/out" ] &&
        ! grep -vqE '^([^:]*:[0-9]+:[0-9]+: |loris|Try|Usage)' "$work/err"
}
holds "a wrong key" refused "$campaign:2:1: " "campaign: c
varaints: {}
$rest"
holds "a wrong type" refused "$campaign:1:32: " "{campaign: c, seed: 1, trials: many, $(
    printf '%s' "$rest" | tr '\n' ',')}"
holds "a time without unit" refused "$campaign:2:8: " "campaign: c
limit: 10
$rest"
holds "an impossible variant" refused "$campaign:2:" "campaign: c
variants: {v: {stack: loris, raid: 1, machine: {disks: {count: 1}}}}
workloads: {w: {app: fsx}}
faults: {f: []}"
holds "what is not there yet" refused "not available yet" "campaign: c
variants: {v: {stack: loris, rollback: one}}
workloads: {w: {app: fsx}}
faults: {f: []}"
holds "an empty file" refused "$campaign:1:1: " ""
holds "not YAML" refused "$campaign:1:1: " "}{ [: "
holds "an alias" refused "$campaign:2:8: " "campaign: c
notes: &a x
question: *a
$rest"
holds "--set of a key that is not" refused "--set:1:" "campaign: c
$rest" --set variants.v.checkpiont=1s
holds "--only that matches nothing" refused "--only:1:1: " "campaign: c
$rest" --only nobody
holds "all errors at once" eval 'refused "$campaign:" "campaign: c
seed: x
limit: y
trials: z
$rest" && [ "$(grep -cE "^[^:]+:[234]:" "$work/err")" -eq 3 ]'
head -c 100000 /dev/urandom >"$work/garbage"
holds "random bytes" exits 2 "$loris" run "$work/garbage" -q -o "$db"
head -c 10485760 /dev/zero | tr '\0' '[' >"$work/deep"
holds "10 MiB of nesting" exits 2 timeout 60 "$loris" run "$work/deep" -q -o "$db"
holds "a file that is not there" exits 2 "$loris" run "$work/nothing.yaml" -q -o "$db"
printf 'include: [%s]\n' "$work/self.yaml" >"$work/self.yaml"
holds "a file that includes itself" exits 2 "$loris" run "$work/self.yaml" -q -o "$db"
holds "no database is left by any of them" [ ! -e "$db" ]

# unharmed DB COMMAND...: exit 2 with a message, and the file is as before.
unharmed() {
    before=$(cksum <"$1")
    shift
    exits 2 "$loris" "$@" >/dev/null 2>"$work/err" || return 1
    [ -s "$work/err" ] && equal "$(cksum <"$victim")" "$before"
}
small=scripts/check/small.yaml
holds "a run to harm" "$loris" run $small -q -o "$work/good.db" --trials 1 --only none/mail

victim=$work/foreign.db
sqlite3 "$victim" 'CREATE TABLE people(name); INSERT INTO people VALUES (1)'
for command in "run $small -q --resume -o" "run $small -q --overwrite -o" show plot; do
    holds "a foreign database: $command" unharmed "$victim" $command "$victim"
done
victim=$work/text.db
echo "not a database" >"$victim"
holds "a text: show" unharmed "$victim" show "$victim"
holds "a text: run" unharmed "$victim" run $small -q --resume -o "$victim"
victim=$work/newer.db
cp "$work/good.db" "$victim"
sqlite3 "$victim" 'PRAGMA journal_mode=DELETE; PRAGMA user_version=9999' >/dev/null
for command in "run $small -q --trials 1 --only none/mail --resume -o" show; do
    holds "a newer database: $command" unharmed "$victim" $command "$victim"
done
# The page that the table of trials begins with has no sense any more.
cp "$work/good.db" "$victim"
sqlite3 "$victim" 'PRAGMA journal_mode=DELETE' >/dev/null
page=$(sqlite3 "$victim" "SELECT rootpage FROM sqlite_master WHERE name = 'trial'")
bytes=$(sqlite3 "$victim" 'PRAGMA page_size')
dd if=/dev/zero of="$victim" bs="$bytes" seek=$((page - 1)) count=1 conv=notrunc 2>"$work/dd"
holds "a trial that cannot be read: replay" unharmed "$victim" replay "$victim" 1
holds "and it says so" grep -q "cannot be read: database disk image is malformed" "$work/err"
victim=$work/good.db
holds "one that exists, without a word" unharmed "$victim" run $small -q -o "$victim"
holds "a trial that is none of the file" eval 'exits 2 "$loris" replay "$work/good.db" \
    loris/mail/none/7 >"$work/out" 2>"$work/err" && [ ! -s "$work/out" ] &&
    grep -qF "numbered from 0" "$work/err"'
holds "a folder that is not there" exits 2 "$loris" run $small -q -o "$work/no/where.db"

# Somebody else writes: a clear refusal, and a sound file afterwards.
mkfifo "$work/hold"
sqlite3 "$victim" <"$work/hold" >/dev/null &
holder=$!
exec 9>"$work/hold"
echo 'PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE;' >&9
sleep 0.5
holds "a locked database" exits 2 timeout 120 "$loris" run $small -q --resume --trials 2 \
    --only none/mail -o "$victim"
exec 9>&-
wait "$holder" || true
holds "is sound afterwards" equal "$(query "$victim" 'PRAGMA integrity_check')" ok
holds "and goes on" "$loris" run $small -q --resume --trials 2 --only none/mail -o "$victim"

# A full disk, as a limit on the size of files: said, and what was stored before is sound.
victim=$work/full.db
full() {
    (trap '' XFSZ && ulimit -f 400 && exits 2 "$loris" run $small -q --trials 40 -o "$victim") \
        >/dev/null 2>"$work/err" && [ -s "$work/err" ]
}
holds "a full disk" full
holds "what is there is sound" equal "$(query "$victim" 'PRAGMA integrity_check')" ok

# What cannot be written is not written, and says so.
lost() { exits 2 "$loris" "$@" >/dev/full 2>"$work/err" && [ -s "$work/err" ]; }
holds "results on a full disk: list" lost list
holds "results on a full disk: check" lost check $small
holds "results on a full disk: show" lost show "$work/good.db"
finish
