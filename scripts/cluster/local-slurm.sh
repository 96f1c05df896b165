#!/bin/sh
# A real Slurm on this machine alone, for tests and for trying submit.sh: munged, one slurmctld and two
# slurmd, n1 and n2, on the loopback address; Debian's packages slurm-wlm and munge. As root.
#   local-slurm.sh start        then: export SLURM_CONF=(the path that it prints)
#   local-slurm.sh kill n1      the node loses its power: every process of it ends at once
#   local-slurm.sh stop         everything ends; the folder goes
# LORIS_SLURM: its folder, default /tmp/loris-slurm; keys, sockets, states and logs are below it.
# Each node has a PID namespace of its own, so that the end of its first process is that of all its jobs.
# Ports 17817 to 17819. Nodes that do not answer for 10 s are down, and what ran there is queued again.
set -eu
dir=${LORIS_SLURM:-/tmp/loris-slurm}
nodes="n1 n2"

refuse() {
    echo "local-slurm.sh: $*" >&2
    exit 2
}

# ours NAME: succeeds if the process noted under that name lives and is ours.
ours() {
    [ -s "$dir/$1.pid" ] && tr '\0' ' ' <"/proc/$(cat "$dir/$1.pid")/cmdline" 2>/dev/null | grep -qF "$dir"
}

# background NAME COMMAND...: starts what stays in the foreground and notes its process.
background() {
    name=$1
    shift
    "$@" >>"$dir/$name.log" 2>&1 </dev/null &
    echo $! >"$dir/$name.pid"
}

# patiently COMMAND...: tries it for 30 s.
patiently() {
    for _ in $(seq 150); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.2
    done
    echo "local-slurm.sh: gave up waiting: $*" >&2
    return 1
}

# end NAME: ends a process of ours, at once, and waits for it.
end() {
    ! ours "$1" || kill -KILL "$(cat "$dir/$1.pid")"
    patiently gone "$1"
    rm -f "$dir/$1.pid"
}
gone() { ! ours "$1"; }
idle() { [ "$(sinfo -h -N -t idle -o %N | wc -l)" -eq 2 ]; }
quiet() { [ -z "$(squeue -h)" ]; }

configure() {
    host=$(uname -n)
    dd if=/dev/urandom of="$dir/munge.key" bs=128 count=1 2>/dev/null
    chmod 400 "$dir/munge.key"
    mkdir "$dir/state"
    cat >"$dir/slurm.conf" <<END
ClusterName=loris
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=17817
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket
CredType=cred/munge
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool-%n
SlurmctldPidFile=$dir/slurmctld.own
SlurmdPidFile=$dir/slurmd-%n.own
SlurmdTimeout=10
KillWait=5
ReturnToService=2
JobRequeue=1
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=17818 CPUs=1
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=17819 CPUs=1
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
END
    printf 'CgroupAutomount=no\nIgnoreSystemd=yes\n' >"$dir/cgroup.conf"
}

start() {
    for program in munged slurmctld slurmd sbatch unshare; do
        command -v $program >/dev/null || refuse "no $program: apt-get install slurm-wlm munge"
    done
    [ "$(id -u)" -eq 0 ] || refuse "needs root"
    [ ! -e "$dir" ] || refuse "$dir exists already: stop it first"
    mkdir -m 755 "$dir"
    configure
    background munged munged --foreground --force --key-file="$dir/munge.key" \
        --socket="$dir/munge.socket" --pid-file="$dir/munged.own" --log-file="$dir/munged.log" \
        --seed-file="$dir/munge.seed"
    patiently munge -n -S "$dir/munge.socket"
    background slurmctld slurmctld -D -f "$dir/slurm.conf"
    for node in $nodes; do
        # the shell is the namespace's first process and takes in what its parents left behind
        background "$node" unshare --fork --pid --kill-child --mount-proc \
            sh -c "slurmd -D -f '$dir/slurm.conf' -N $node; exit"
    done
    patiently idle || {
        tail -n 5 "$dir"/*.log >&2
        stop
        exit 1
    }
    echo "$dir/slurm.conf"
}

stop() {
    [ -d "$dir" ] || return 0
    if ours slurmctld; then
        scancel --full --user=root 2>/dev/null || true
        patiently quiet || true
    fi
    for name in $nodes slurmctld munged; do
        end "$name"
    done
    rm -rf "$dir"
}

SLURM_CONF=$dir/slurm.conf
export SLURM_CONF
case "${1:-}" in
start | stop) "$1" ;;
kill)
    ours "${2:?node}" || refuse "no node $2 runs"
    end "$2"
    ;;
*) refuse "start, stop or kill NODE, not '${1:-}'" ;;
esac
