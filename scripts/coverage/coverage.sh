#!/bin/sh
# What of the stack the ready-made campaigns reach, what only unit tests do, and what nothing does.
# `make coverage` builds the program and the test programs of the stack, and calls this.
#   coverage.sh PROGRAM TEST...      TRIALS: of a cell, at most, default 20
#
# What of Loris, the protocols, the block RAID and the probes no campaign is known to reach stands in
# unreached.txt with its reason. A function or probe that is not reached and not listed there, or
# listed and reached, is a surprise: told at the end, exit 1. Of the other classic layers it is told only.
#
# Leaves PROGRAM.unreached: of the recovery code, every line that no campaign reached, whether a test
# does, and its text. Lines of assertions are left out: they begin a block for what must not be.
set -eu
export LC_ALL=C
cd "$(dirname "$0")/../.."
program=$1
shift
trials=${TRIALS:-20}
listed=scripts/coverage/unreached.txt
work=$(mktemp -d "${TMPDIR:-/tmp}/loris-coverage.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The files whose business is that something went wrong, or to be ready for it.
cat >"$work/recovery" <<END
stack/classic/blockraid/(bitmap|repair)
stack/loris/cache/(checkpoint|log|lower|recover|replies|revalidate|survivor)
stack/loris/driver/driver
stack/loris/logical/(background|checkpoint|choose|members|rebuild|restore|resync|rows_read|scrub|slot|walk)
stack/loris/naming/(main|orphans)
stack/loris/physical/(checkpoint|intent|restore|scrub|walk)
stack/loris/vfs/(server|transactions)
stack/proto/block_(client|fence)
END
recovery="^($(paste -sd'|' "$work/recovery"))[.]c$"

# reached PROGRAM WHO: adds FILE, LINE, FUNCTION, WHO, 0 or 1 of each line that begins a block to what
# is known. A line is one place, in all layers that have a copy of it.
reached() {
    objcopy -O binary --only-section=blocks "$1" "$work/blocks"
    od -An -v -w8 -tx8 "$work/blocks" | tr -d ' ' >"$work/addresses"
    head -c "$(wc -l <"$work/addresses")" "$1.reached" | od -An -v -w1 -tu1 | tr -d ' ' >"$work/flags"
    addr2line -f -e "$1" <"$work/addresses" | paste - - |
        sed "s|\t\./|\t|; s|$PWD/||; s| (discriminator.*||; s|:\([0-9?]*\)$|\t\1|" |
        paste "$work/flags" - | awk -F'\t' -v OFS='\t' -v who="$2" '$3 ~ /^stack\// {
            k = $3 OFS $4 OFS $2; if (!(k in hit) || $1 > hit[k]) hit[k] = $1 }
            END { for (k in hit) print k, who, hit[k] }' >>"$work/places"
}

rm -f "$program.reached"
for campaign in scripts/campaigns/*.yaml scripts/check/*.yaml; do
    echo "coverage: $campaign" >&2
    own=$(sed -n 's/^trials: *\([0-9]*\).*/\1/p' "$campaign")
    few=$((${own:-100} < trials ? ${own:-100} : trials))
    "$program" run "$campaign" -q --trials "$few" -o "$work/out.db" --overwrite >"$work/table" ||
        echo "coverage: $campaign ended with exit $?" >&2
done
reached "$program" campaign
[ -s "$work/places" ] || { echo "coverage: $program names no source of the stack: was it built elsewhere?" >&2 && exit 1; }
for test; do
    echo "coverage: $test" >&2
    rm -f "$test.reached"
    CK_DEFAULT_TIMEOUT=0 "$test" >"$work/table" 2>&1 || { cat "$work/table" && exit 1; }
    reached "$test" test
done

# FILE, LINE, FUNCTION, campaigns, tests; one line a function, the same without LINE.
awk -F'\t' -v OFS='\t' '{ k = $1 OFS $2 OFS $3; seen[k]; hit[k, $4] += $5 }
    END { for (k in seen) print k, (hit[k, "campaign"] > 0), (hit[k, "test"] > 0) }' "$work/places" |
    sort -t"$(printf '\t')" -k1,1 -k2,2n >"$work/lines"
awk -F'\t' -v OFS='\t' '{ k = $1 OFS $3; seen[k]; c[k] += $4; t[k] += $5 }
    END { for (k in seen) print k, (c[k] > 0), (t[k] > 0) }' "$work/lines" | sort >"$work/functions"

# The lines that are not of assertions, with their text.
cut -f1 "$work/lines" | sort -u | while read -r file; do
    awk -v OFS='\t' -v file="$file" '{ gsub(/^[ \t]+/, ""); print file, NR, $0 }' "$file"
done >"$work/text"
awk -F'\t' -v OFS='\t' 'NR == FNR { text[$1, $2] = $3; next }
    text[$1, $2] !~ /ASSERT/ { print $0, text[$1, $2] }' "$work/text" "$work/lines" >"$work/told"
awk -F'\t' -v recovery="$recovery" '$1 ~ recovery && !$4 {
    printf "%s:%d %s (%s): %s\n", $1, $2, $3, $5 ? "tests" : "never", $6 }' \
    "$work/told" >"$program.unreached"

campaigns=$(find scripts/campaigns scripts/check -name '*.yaml' | wc -l)
echo "Functions of the stack: entered in $campaigns campaigns at up to $trials trials a cell, in $# test programs only, never."
echo "Lines: that begin a block, and how many of them the campaigns reach."
awk -F'\t' -v recovery="$recovery" '
    function count(k) {
        n[k]++
        c[k] += $3
        t[k] += !$3 && $4
        never[k] += !$3 && !$4
    }
    function table(title, kind,    i, k) {
        printf "\n%-24s functions  campaigns  tests only  never   lines reached\n", title
        for (i = 1; i <= layers; i++) {
            k = kind " " layer[i]
            if (n[k])
                printf "%-24s %9d %10d %11d %6d %7d %6.1f%%\n", layer[i], n[k], c[k], t[k], never[k],
                    lines[k], lines[k] ? 100 * hit[k] / lines[k] : 100
        }
    }
    {
        l = $1
        sub(/\/[^\/]*$/, "", l)
        kind = $1 ~ recovery ? "recovery" : "other"
    }
    NR == FNR {
        if (!(l in known))
            layer[++layers] = l
        known[l]
        count(kind " " l)
        count(kind " all")
        next
    }
    {
        lines[kind " " l]++
        hit[kind " " l] += $4
        lines[kind " all"]++
        hit[kind " all"] += $4
    }
    END {
        layer[++layers] = "all"
        table("recovery code", "recovery")
        table("all other code", "other")
    }' "$work/functions" "$work/told"

# What was not reached: FILE FUNCTION or `probe` NAME, then who does.
size=$(wc -c <"$program.reached")
tail -c +$((size - 4095)) "$program.reached" | od -An -v -w1 -tu1 | tr -d ' ' >"$work/probes"
{
    awk -F'\t' '!$3 { print $1, $2, $4 ? "tests" : "never" }' "$work/functions"
    sed -n 's/^ *X(PROBE_[A-Z0-9_]*, *"\([^"]*\)".*/\1/p' stack/include/probes.h | paste "$work/probes" - |
        awk -F'\t' '$2 != "" && $1 == 0 { print "probe", $2, "never" }'
} | sort >"$work/missed"
echo
echo "No campaign reaches these, and why ($listed):"
awk -v listed="$listed" 'FILENAME == listed && /^[^#]/ { k = $1 " " $2; $1 = $2 = ""; why[k] = substr($0, 3) }
    FILENAME != listed { k = $1 " " $2; missed[k]
        told = k in why ? why[k] : $1 ~ /^(stack.(loris|proto|classic.blockraid).|probe$)/ ? "NOT LISTED" : "-"
        printf "  %-5s %s: %s\n", $3, k, told }
    END { for (k in why) if (!(k in missed)) print "  REACHED, or gone, yet listed: " k }' \
    "$listed" "$work/missed" >"$work/why"
sort -k1,1 -k2 "$work/why"
echo
echo "$(wc -l <"$program.unreached") lines of recovery code that no campaign reaches: $program.unreached"
if grep -qE 'NOT LISTED$|^  REACHED' "$work/why"; then
    echo "$(grep -cE 'NOT LISTED$|^  REACHED' "$work/why") surprises: reach them, or list them with their reason"
    exit 1
fi
