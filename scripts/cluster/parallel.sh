#!/bin/sh
# A campaign as shards side by side, then joined: the rows are those of one run.
#   parallel.sh CAMPAIGN.yaml SHARDS OUT.db [OPTION of loris run that changes the campaign...]
# GNU parallel runs them, one a CPU, xargs where there is none. What was interrupted goes on when the same
# command is given again. LORIS: the program, default build/loris.
# LORIS_HOSTS: hosts for ssh, as parallel's --sshlogin takes them (`:` is this one; 8/big is eight at a
# time): `a,b,:`. They must see campaign, program and results under the same paths, as by NFS.
set -eu
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

if command -v parallel >/dev/null; then
    set -- parallel --halt soon,fail=1 --sshlogin "${LORIS_HOSTS:-:}" --workdir "$PWD" --env LORIS \
        --quote "$here/shard.sh" run "$campaign" "{}/$shards" "$out" "$@"
    seq "$shards" | "$@" || refuse "a shard failed: see $out.shards/*.log; the same command again goes on"
else
    [ -z "${LORIS_HOSTS:-}" ] || refuse "LORIS_HOSTS needs GNU parallel"
    seq "$shards" | xargs -P "$(nproc)" -I'{}' "$here/shard.sh" run "$campaign" "{}/$shards" "$out" "$@" ||
        refuse "a shard failed: see $out.shards/*.log; the same command again goes on"
fi
exec "$here/shard.sh" merge "$shards" "$out"
