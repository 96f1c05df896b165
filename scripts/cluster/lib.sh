# shellcheck shell=sh
# Sourced by parallel.sh and submit.sh: their arguments CAMPAIGN.yaml SHARDS OUT.db [OPTION...], checked
# before anything starts. Leaves $campaign, $shards and $out, as absolute paths, and the options in "$@".
here=$(cd "$(dirname "$0")" && pwd)
LORIS=${LORIS:-$(cd "$here/../.." && pwd)/build/loris}
export LORIS

refuse() {
    echo "$(basename "$0"): $*" >&2
    exit 2
}

absolute() {
    echo "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"
}

[ $# -ge 3 ] || refuse "CAMPAIGN.yaml SHARDS OUT.db [OPTION of loris run...]"
[ -x "$LORIS" ] || refuse "$LORIS is no program; build it, or set LORIS"
LORIS=$(absolute "$LORIS")
campaign=$(absolute "$1")
shards=$2
out=$(absolute "$3")
shift 3
case $shards in
'' | *[!0-9]* | 0*) refuse "'$shards' is no number of shards" ;;
esac
[ ! -e "$out" ] || refuse "$out exists already"
"$LORIS" check "$campaign" --shard "1/$shards" "$@" >/dev/null || exit 2
mkdir -p "$out.shards"
