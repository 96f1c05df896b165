#!/bin/sh
# One shard of a campaign, and what joins them: what parallel.sh and the jobs of submit.sh run.
#   shard.sh run CAMPAIGN.yaml I/N OUT.db [OPTION...]   goes on where OUT.db.shards/I-of-N.db stops
#   shard.sh merge N OUT.db                             OUT.db of its N shards
# LORIS: the program, default build/loris of this tree. JOBS: its workers, default 1. The shards stay.
# A shard's output is in I-of-N.log beside it. Exit codes are those of loris; merge: 2 too if a trial is missing.
set -eu
loris=${LORIS:-$(cd "$(dirname "$0")/../.." && pwd)/build/loris}

run() {
    campaign=$1
    shard=$2
    file=$3.shards/${shard%/*}-of-${shard#*/}
    shift 3
    echo "shard $shard on $(uname -n), $(date -u +%Y-%m-%dT%H:%M:%SZ)" >>"$file.log"
    # exec: a signal to the job is one to loris, which stores what it has
    exec "$loris" run "$campaign" --shard "$shard" --resume -j "${JOBS:-1}" --progress lines \
        -o "$file.db" "$@" >>"$file.log" 2>&1
}

merge() {
    shards=$1
    out=$2
    set --
    for shard in $(seq "$shards"); do
        set -- "$@" "$out.shards/$shard-of-$shards.db"
    done
    # A new name first: a file of the wanted name is a whole one.
    rm -f "$out.shards/merged.db"
    "$loris" merge -o "$out.shards/merged.db" "$@" >/dev/null 2>"$out.shards/merge.log" || {
        code=$?
        cat "$out.shards/merge.log" >&2
        exit "$code"
    }
    if [ -s "$out.shards/merge.log" ]; then
        cat "$out.shards/merge.log" >&2
        echo "$out: not made, since trials are missing; the same command again goes on" >&2
        exit 2
    fi
    [ ! -e "$out" ] || {
        echo "$out: exists already; the joined file is $out.shards/merged.db" >&2
        exit 2
    }
    mv "$out.shards/merged.db" "$out"
    echo "$out: $shards shards, all their trials"
}

case "${1:-}" in
run | merge) "$@" ;;
*)
    echo "shard.sh: run or merge, not '${1:-}'" >&2
    exit 2
    ;;
esac
