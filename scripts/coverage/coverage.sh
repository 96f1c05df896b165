#!/bin/sh
# What of the stack the ready-made campaigns never reach: lines by file, functions never entered,
# probes never passed. `make coverage` builds the program and calls this.
#   coverage.sh PROGRAM [TRIALS]     TRIALS a cell, default 20
# Leaves PROGRAM.unreached: FILE:LINE FUNCTION of every line that begins a block and was not reached.
set -eu
export LC_ALL=C
cd "$(dirname "$0")/../.."
program=$1
trials=${2:-20}
work=$(mktemp -d "${TMPDIR:-/tmp}/loris-coverage.XXXXXX")
trap 'rm -rf "$work"' EXIT

rm -f "$program.reached"
for campaign in scripts/campaigns/*.yaml scripts/check/*.yaml; do
    echo "coverage: $campaign" >&2
    "$program" run "$campaign" -q --trials "$trials" -o "$work/out.db" --overwrite >"$work/table"
done

# One line a block: 0 or 1, address; then function and FILE:LINE.
objcopy -O binary --only-section=blocks "$program" "$work/blocks"
od -An -v -w8 -tx8 "$work/blocks" | tr -d ' ' >"$work/addresses"
count=$(wc -l <"$work/addresses")
head -c "$count" "$program.reached" | od -An -v -w1 -tu1 | tr -d ' ' >"$work/flags"
# A line of code with blocks is one place, in all layers that have a copy of it.
addr2line -f -e "$program" <"$work/addresses" | paste - - | sed "s|$PWD/||; s| (discriminator.*||" |
    paste "$work/flags" - | awk -F'\t' '{ k = $2 "\t" $3; if (!(k in hit) || $1 > hit[k]) hit[k] = $1 }
        END { for (k in hit) print hit[k] "\t" k }' >"$work/all"

awk -F'\t' '$1 == 0 { print $3, $2 }' "$work/all" | sort -u -t: -k1,1 -k2,2n >"$program.unreached"
files=$(ls scripts/campaigns/*.yaml scripts/check/*.yaml | wc -l)
echo "Lines of the stack that begin a block, and how many the $files campaigns reach at $trials trials a cell:"
awk -F'\t' '{ split($3, place, ":"); n[place[1]]++; hit[place[1]] += $1; all++; reached += $1 }
    END { for (f in n) printf "%5.1f%% %6d of %6d  %s\n", 100 * hit[f] / n[f], hit[f], n[f], f
          printf "%5.1f%% %6d of %6d  all\n", 100 * reached / all, reached, all }' "$work/all" | sort -k5
echo
echo "Functions never entered:"
awk -F'\t' '{ split($3, place, ":"); k = place[1] " " $2; n[k]++; hit[k] += $1 }
    END { for (k in n) if (hit[k] == 0) print "  " k " (" n[k] " lines)" }' "$work/all" | sort
echo
echo "Probes never passed:"
size=$(wc -c <"$program.reached")
tail -c +$((size - 4095)) "$program.reached" | od -An -v -w1 -tu1 | tr -d ' ' >"$work/probes"
sed -n 's/^ *X(PROBE_[A-Z0-9_]*, *"\([^"]*\)".*/\1/p' stack/include/probes.h | paste "$work/probes" - |
    awk -F'\t' '$2 != "" && $1 == 0 { print "  " $2 }'
echo
echo "Every line: $program.unreached"
