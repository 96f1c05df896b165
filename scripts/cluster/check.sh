#!/bin/sh
# Shards on several machines end as one run, end to end: GNU parallel, xargs, ssh (a stand-in of four
# lines) and a real Slurm of two nodes, of which one is killed while its shard runs. As root, with Debian's
# slurm-wlm, munge and parallel; so it is no part of `make check`. Five minutes, most of them the delay
# with which Slurm starts a lost job again.
# shellcheck source-path=SCRIPTDIR source=../check/lib.sh
. "$(dirname "$0")/../check/lib.sh"
here=scripts/cluster
campaign=scripts/check/small.yaml
trials=40
shards=4
slurm=$here/local-slurm.sh
LORIS=$loris
LORIS_SLURM=$work/slurm
SLURM_CONF=$LORIS_SLURM/slurm.conf
export LORIS LORIS_SLURM SLURM_CONF
trap '$slurm stop || true; rm -rf "$work"' EXIT

# same DB: its rows are those of the single run.
same() {
    rows "$1" >"$1.rows"
    cmp "$work/whole.rows" "$1.rows"
}
# soon COMMAND...: tries it for five minutes.
soon() {
    for _ in $(seq 1500); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.2
    done
    echo "not within five minutes: $*"
    return 1
}
# submitted DB: submits the campaign's shards and notes the id of the array.
submitted() {
    "$here/submit.sh" "$campaign" $shards "$1" --trials $trials >"$work/ids"
    array=$(cut -d' ' -f1 "$work/ids")
}
count() { query "$1" "SELECT count(*) FROM trials" 2>/dev/null || echo 0; }
# victim: a shard runs on n2 and has stored rows; notes which and its file.
victim() {
    shard=$(squeue -h -j "$array" -t running -w n2 -o %K)
    file=$work/slurm.db.shards/$shard-of-$shards
    [ -n "$shard" ] && [ "$(count "$file.db")" -gt 10 ]
}
down() { [ "$(sinfo -h -n n2 -t down -o %N)" = n2 ]; }
starts() { grep -c '^shard ' "$1"; }
# No process has the shard's path among its arguments.
dead() { ! pgrep -f "$file.db"; }
without_parallel() {
    mkdir "$work/bin"
    find /usr/bin /bin -maxdepth 1 ! -name 'parallel*' -exec ln -sf -t "$work/bin" {} +
    PATH=$work/bin "$here/parallel.sh" "$@"
}

holds "the single run" "$loris" run $campaign -q -o "$work/whole.db" --trials $trials
rows "$work/whole.db" >"$work/whole.rows"
holds "has rows" [ "$(wc -l <"$work/whole.rows")" -gt 1000 ]

holds "GNU parallel" "$here/parallel.sh" $campaign $shards "$work/parallel.db" --trials $trials
holds "gives the same rows" same "$work/parallel.db"
holds "xargs, where there is no parallel" \
    without_parallel $campaign $shards "$work/xargs.db" --trials $trials
holds "gives the same rows" same "$work/xargs.db"
cat >"$work/ssh" <<'END'
#!/bin/sh
while [ "$1" != far ]; do shift; done
shift
[ "$1" != -- ] || shift
exec env -i PATH="$PATH" SHELL=/bin/sh sh -c "$*"
END
chmod +x "$work/ssh"
holds "ssh" env PARALLEL_SSH="$work/ssh" LORIS_HOSTS=2/far \
    "$here/parallel.sh" $campaign $shards "$work/ssh.db" --trials $trials
holds "gives the same rows" same "$work/ssh.db"
rm -f "$work/ssh.db" "$work/ssh.db.shards/2-of-$shards.db"
holds "what is missing stays unjoined" exits 2 "$here/shard.sh" merge $shards "$work/ssh.db"
holds "the same command again goes on" \
    "$here/parallel.sh" $campaign $shards "$work/ssh.db" --trials $trials
holds "and ends with the same rows" same "$work/ssh.db"
for wrong in 0 x 1/2; do
    holds "$wrong shards are refused" exits 2 "$here/submit.sh" $campaign $wrong "$work/wrong.db"
done
holds "a wrong campaign too" exits 2 "$here/submit.sh" $campaign 2 "$work/wrong.db" --set nothing=1
holds "a result that exists too" exits 2 "$here/parallel.sh" $campaign 2 "$work/whole.db"
holds "and nothing was made" [ ! -e "$work/wrong.db.shards" ]

holds "Slurm starts" "$slurm" start
holds "it runs a job on either node" srun -N2 true
holds "the shards are submitted" submitted "$work/slurm.db"
holds "one runs on n2" soon victim
holds "n2 is killed" "$slurm" kill n2
holds "and the shard with it" soon dead
query "$file.db" "SELECT trial, wall_ns FROM trials ORDER BY trial" >"$work/before"
had=$(wc -l <"$work/before")
holds "the shard had rows" [ "$had" -gt 10 ]
holds "but not all" [ "$had" -lt $((trials * 20 / shards)) ]
holds "Slurm finds n2 down" soon down
echo "cluster: shard $shard died with n2 after $had of $((trials * 20 / shards)) trials"
holds "the campaign ends all the same" soon [ -e "$work/slurm.db" ]
holds "the dead shard was started twice" equal "$(starts "$file.log")" 2
holds "the others once" equal "$(cat "$work"/slurm.db.shards/*-of-$shards.log | grep -c '^shard ')" $((shards + 1))
query "$work/slurm.db" "SELECT trial, wall_ns FROM trials ORDER BY trial" >"$work/after"
holds "it went on, and ran no stored trial again" equal "$(grep -cxFf "$work/before" "$work/after")" "$had"
holds "the rows are those of the single run" same "$work/slurm.db"
holds "Slurm stops" "$slurm" stop
holds "and leaves nothing" [ ! -e "$LORIS_SLURM" ]
holds "no process either" exits 1 pgrep -f "$LORIS_SLURM"
finish
