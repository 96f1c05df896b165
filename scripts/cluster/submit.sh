#!/bin/bash
# A campaign as a Slurm job array, a shard each, and a job that joins them: the rows are those of one run.
#   submit.sh [-n] CAMPAIGN.yaml SHARDS OUT.db [OPTION of loris run that changes the campaign...]
# Writes OUT.db.shards/array.sbatch and merge.sbatch, submits both (-n: only writes) and prints the two job
# ids. A requeued shard (its node died, it was preempted) goes on where its file stops. All nodes must see
# campaign, program and results under the same paths. Partition, time limit and account: by sbatch's own
# variables (SBATCH_PARTITION, SBATCH_TIMELIMIT, ...). LORIS: the program, default build/loris.
set -eu
submit=yes
[ "${1:-}" != -n ] || {
    submit=no
    shift
}
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
printf -v words ' %q' "$@"
[ $# -gt 0 ] || words=
name=$(basename "$out" .db)
name=${name//[^A-Za-z0-9._-]/_}

# script FILE DIRECTIVE...: a batch script with these options of sbatch; its commands come from stdin.
script() {
    local file=$1
    shift
    {
        echo '#!/bin/bash'
        printf '#SBATCH %s\n' "$@"
        printf 'export LORIS=%q\n' "$LORIS"
        cat
    } >"$file"
}
script "$out.shards/array.sbatch" "--job-name=$name" "--array=1-$shards" --requeue --open-mode=append \
    --output=slurm-%a.log <<END
export JOBS=\${SLURM_CPUS_PER_TASK:-1}
exec $(printf %q "$here/shard.sh") run $(printf %q "$campaign") "\$SLURM_ARRAY_TASK_ID/$shards" $(printf %q "$out")$words
END
script "$out.shards/merge.sbatch" "--job-name=$name-merge" --requeue --output=slurm-merge.log <<END
exec $(printf %q "$here/shard.sh") merge $shards $(printf %q "$out")
END
[ "$submit" = yes ] || exit 0
array=$(sbatch --parsable --chdir="$out.shards" "$out.shards/array.sbatch")
# The dependency is met when each shard ended well, after whatever requeues; if one failed, the merge is
# cancelled, and the same submit.sh again goes on.
merge=$(sbatch --parsable --chdir="$out.shards" --kill-on-invalid-dep=yes --dependency="afterok:$array" \
    "$out.shards/merge.sbatch")
echo "$array $merge"
