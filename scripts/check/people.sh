#!/bin/sh
# What people meet first: commands without arguments teach, the manual page and the completion know every
# command and option, the cookbook's questions have answers, progress is for logs and programs too, and
# Ctrl-C keeps what there is.
. "$(dirname "$0")/lib.sh"
commands=$("$loris" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
holds "there are commands" [ "$(echo "$commands" | wc -l)" -ge 12 ]

# ---- Without arguments ----
taught() {
    exits 2 "$loris" "$1" >"$work/out" 2>"$work/lesson" || return 1
    [ ! -s "$work/out" ] && grep -q "^Usage: loris $1 " "$work/lesson" &&
        grep -q "^  loris $1 " "$work/lesson" && grep -q -e "loris $1 --help" "$work/lesson" &&
        [ "$(wc -l <"$work/lesson")" -le 12 ] && ! grep -qE '.{101}' "$work/lesson"
}
for command in run check explore show plot report compare replay shrink merge; do
    holds "$command alone teaches" taught $command
done
exits 2 "$loris" run 2>&1 | sed -n 's/^  \([a-z]*: \)/\1/p' >"$work/first.yaml"
holds "the smallest campaign of the lesson is one of four lines" equal "$(wc -l <"$work/first.yaml")" 4
holds "and runs" "$loris" run "$work/first.yaml" -q --trials 1 -o "$work/first.db"
holds "an option without a file still asks for it" exits 2 "$loris" show --by variant

# ---- The manual page and the completion ----
scripts/man/man.sh "$loris" | sed 's/\\-/-/g' >"$work/loris.1"
# completed WORD...: what bash offers in place of the last word.
cat >"$work/complete.bash" <<'END'
. scripts/completion/loris.bash
COMP_WORDS=("$@")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_loris
[ "${#COMPREPLY[@]}" -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}"
END
completed() {
    bash "$work/complete.bash" "$loris" "$@"
}
# within LINES FILE: every line of the first is one of the second.
within() {
    [ -s "$1" ] && ! grep -vxF -f "$2" "$1"
}
echo "$commands" >"$work/commands"
completed "" >"$work/offered"
holds "completion knows every command" within "$work/commands" "$work/offered"
# The options as the short form of --help has them: another text than that which completion reads.
options_of() {
    "$loris" "$1" --usage | grep -oE -e '--[a-z-]+' | sort -u
}
for command in $commands; do
    options_of "$command" >"$work/options"
    completed "$command" - >"$work/offered"
    holds "completion knows every option of $command" within "$work/options" "$work/offered"
    sed -n "/^\.Ss loris $command\$/,/^\.Ed/p" "$work/loris.1" | grep -oE -e '--[a-z-]+' >"$work/offered" || :
    holds "and so does the manual page" within "$work/options" "$work/offered"
done
touch "$work/a.db" "$work/b.yaml"
holds "campaigns are offered to run" equal "$(completed run "$work/b")" "$work/b.yaml"
holds "results are offered to show" equal "$(completed show "$work/a")" "$work/a.db"
rm "$work/a.db"
holds "sections are offered to list" equal "$(completed list fau)" faults
holds "names are offered to list" equal "$(completed list faults power)" power.cut
holds "formats are offered" equal "$(completed show x.db --format = j | tr '\n' ' ')" "json junit "
holds "kinds of plot are offered" equal "$(completed plot x.db --kind surv)" survival
holds "the page is sound for its reader" eval \
    '! command -v groff >/dev/null || equal "$(groff -mdoc -ww -Tutf8 -z "$work/loris.1" 2>&1)" ""'
holds "and ends in what exits mean" grep -q '^\.It 130, 143' "$work/loris.1"

# ---- Questions ----
db=$work/people.db
holds "a run to ask" "$loris" run scripts/check/people.yaml -q -o "$db"
# Each block of four spaces below a heading is a query.
awk -v to="$work/question" '/^## /{ n++ } /^    / && n { print substr($0, 5) > (to n ".sql") }
    END { print n }' results/COOKBOOK.md >"$work/questions"
questions=$(cat "$work/questions")
holds "there are questions" [ "$questions" -ge 10 ]
answered() {
    sqlite3 -bail -readonly "$db" <"$1" >"$work/answer" && [ -s "$work/answer" ]
}
for k in $(seq 1 "$questions"); do
    holds "question $k of the cookbook has an answer" answered "$work/question$k.sql"
done
# The first block, of --where, as it stands there but for the file.
sed -n 's/^    \(loris show demo.db .*\)/\1/p' results/COOKBOOK.md |
    sed "s|^loris|'$loris'|; s|demo.db|'$db'|" >"$work/where.sh"
holds "so have those of --where" [ "$(wc -l <"$work/where.sh")" -ge 3 ]
holds "all of them" sh -e "$work/where.sh"

before=$(cksum <"$db")
refused() {
    exits 2 "$loris" show "$db" --where "$1" >"$work/out" 2>"$work/err" || return 1
    cat "$work/err"
    [ ! -s "$work/out" ] && grep -qF -e "$2" "$work/err" && equal "$(wc -l <"$work/err")" 1
}
holds "an unknown column, and those that are" refused "nonsense = 1" "no such column: nonsense; allowed: trial, "
holds "half an expression" refused "level =" "--where:1:1: "
holds "nothing at all" refused "" "--where:1:1: "
holds "a second statement" refused "1); DELETE FROM trial; --" "--where:1:1: "
holds "one that would write" refused "1; DROP VIEW trials" "--where:1:1: "
holds "a comment for the rest" refused "1) --" "--where:1:1: "
holds "another column" refused "1) UNION SELECT (1" "--where:1:1: "
holds "a function that writes" refused "writefile('x', 'y')" "no such function"
holds "a parameter" refused "trial = ?" "parameter"
holds "what fails only when it runs" refused "json_extract(story, '$')" "malformed JSON"
holds "plot refuses it too" exits 2 "$loris" plot "$db" --where "nonsense = 1" -o "$work/plots"
holds "and makes no folder" [ ! -e "$work/plots" ]
holds "the file is as before" equal "$(cksum <"$db")" "$before"

# ---- Formats: each is as long, and names the same ----
# same_rows COLUMNS ARGUMENTS...: csv has these columns, and json as many rows as csv.
same_rows() {
    columns=$1
    shift
    "$loris" "$@" --format csv >"$work/csv" && "$loris" "$@" --format json >"$work/json" &&
        equal "$(head -n 1 "$work/csv")" "$columns" &&
        sqlite3 :memory: "SELECT json_valid(readfile('$work/json'))" | grep -qx 1 &&
        sqlite3 :memory: ".mode csv" ".import $work/csv t" "SELECT count(*) FROM t" >"$work/rows" &&
        sqlite3 :memory: "WITH j AS (SELECT readfile('$work/json') AS t) SELECT json_array_length(t,
            CASE json_type(t) WHEN 'array' THEN '$' ELSE '$.cells' END) FROM j" >"$work/objects" &&
        equal "$(cat "$work/objects")" "$(cat "$work/rows")"
}
levels=transparent,durable,synced,prefix,structural,detected,silent,dead
holds "show" same_rows "variant,workload,fault,trials,injected,broken,kept,kept_low,kept_high,$levels,\
rpo_p99,outage_p50,outage_p99,recovery_p50,undecided,years,available,available_low,available_high,losses,loss_years,loss_years_low,loss_years_high,lost_year,lost_year_low,lost_year_high" show "$db"
holds "list" same_rows section,of,name,type,unit,default,source,about,available list
holds "check" same_rows variant,workload,fault,trials,skipped check scripts/check/people.yaml
holds "explore" same_rows variant,workload,fault,points,states,distinct,boots,left,weakest,broken \
    explore scripts/check/explore.yaml --only table/create/whole --depth 0 -q --overwrite -o "$work/f.db"
holds "compare" eval '"$loris" compare "$db" --base loris@checkpoint=2s --new loris@checkpoint=500ms \
    --format json >"$work/json" && grep -q "^{\"format\": \"loris-compare-1\", " "$work/json" &&
    sqlite3 :memory: "SELECT json_valid(readfile('"'$work/json'"'))" | grep -qx 1'
for command in "show $db" list "check scripts/check/people.yaml" "compare $db $db" bench; do
    holds "an unknown format: $command" exits 2 "$loris" $command --format yaml
done

# ---- Progress ----
progress() {
    how=$1
    shift
    "$loris" "$@" --progress "$how" >"$work/out" 2>"$work/err" || :
    cat "$work/err"
}
# json_lines KEYS: every line of stderr is an object with these keys, in this order.
json_lines() {
    grep '^{' "$work/err" >"$work/lines" && grep -v '^loris: ' "$work/err" | cmp - "$work/lines" &&
        sed "s/.*/SELECT group_concat(key) FROM json_each('&');/" "$work/lines" | sqlite3 :memory: |
        sort -u >"$work/keys" && equal "$(cat "$work/keys")" "$1"
}
few="scripts/check/people.yaml --only control/mail/power --trials 20"
progress json run $few -o "$work/p.db" >"$work/shown"
holds "progress of run as JSON" json_lines done,total,rate,eta_s,broken,levels
holds "its last line has all" grep -q '^{"done":20,"total":20,' "$work/shown"
progress json explore scripts/check/explore.yaml --only table/create/whole --depth 0 -o "$work/e.db" >"$work/shown"
holds "progress of explore as JSON" json_lines done,total,states,boots,rate,eta_s,broken
progress lines run $few -o "$work/p.db" --overwrite >"$work/shown"
holds "in a log a line a minute, and one at the end" equal "$(grep -c '20/20' "$work/shown")" 1
holds "no more than that" equal "$(wc -l <"$work/shown")" 1
holds "and nothing that moves a cursor" eval '! grep -q "$(printf "[\r\033]")" "$work/shown"'
holds "a log is the default where there is no terminal" eval \
    '"$loris" run $few -o "$work/p.db" --overwrite 2>&1 >"$work/out" |
    grep -qE "^[0-9:]{8}  20/20 "'
holds "-q is silent" eval '"$loris" run $few -q -o "$work/p.db" --overwrite \
    2>&1 >"$work/out" | cmp - /dev/null'

# ---- Ctrl-C ----
# stopped WHEN COMMAND...: $signal as soon as that is so; the program ends as one that was interrupted.
signal=INT
interrupted=130
stopped() {
    when=$1
    shift
    "$@" >"$work/out" 2>"$work/err" &
    pid=$!
    while kill -0 "$pid" 2>/dev/null && ! eval "$when"; do
        sleep 0.05
    done
    kill -s "$signal" "$pid" 2>/dev/null || true
    code=0
    wait "$pid" || code=$?
    cat "$work/err"
    equal "$code" "$interrupted"
}
holds "explore is interrupted" stopped '[ -e "$work/int.db" ]' \
    "$loris" explore "$work/first.yaml" -q -o "$work/int.db"
holds "says how to go on" grep -q -e 'all kept; go on with the same command and --resume' "$work/err"
holds "and leaves a sound file" equal "$(query "$work/int.db" 'PRAGMA integrity_check')" ok
holds "that goes on" stopped '[ -e "$work/int.db-wal" ]' \
    "$loris" explore "$work/first.yaml" -q -o "$work/int.db" --resume
silent=$(query "$db" "SELECT min(trial) FROM trials WHERE level = 'silent'")
holds "shrink is interrupted" stopped 'grep -q "as it failed" "$work/err"' \
    "$loris" shrink "$db" "$silent" -o "$work/min.yaml"
holds "says that there may be more" grep -q 'interrupted; the smallest so far is kept' "$work/err"
holds "and what it had is a campaign" "$loris" check "$work/min.yaml"
# The shell has what it starts in this way ignore SIGINT, and so the report does.
signal=TERM
interrupted=143
mkdir "$work/tmp"
holds "report is interrupted" stopped '[ -n "$(find "$work/tmp" -type f)" ]' \
    env TMPDIR="$work/tmp" "$loris" report "$db" -o "$work/page.html"
holds "and leaves neither half a page nor its folder" equal "$(ls "$work/tmp" "$work" | grep -E 'page|report')" ""
holds "bench is interrupted" stopped '[ "$(wc -l <"$work/out")" -ge 4 ]' "$loris" bench --format csv
holds "and had told each figure at once" eval 'head -n 1 "$work/out" | grep -qx part,of,measure,value,unit,target &&
    grep -q "^inner loops,,.*,ns,<= " "$work/out"'
finish
