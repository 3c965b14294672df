#!/usr/bin/env bash
# examples/slurm on a cluster of two nodes on this machine: an array of shards of which one is requeued while it runs, and the merge that
# depends on it. Skipped (77), with the reason, where Debian's slurm-wlm is not installed or does not start.
# usage: slurm.sh ASSAY CC JSON_VALUE
. "$(dirname "$0")/lib.sh"
json_value=${3:?the program json_value}
example=$here/../../examples/slurm

skip() {
    echo "skipped: $*"
    exit 77
}

for program in slurmctld slurmd sbatch scontrol sinfo; do
    PATH=$PATH:/usr/sbin:/sbin
    command -v "$program" >/dev/null || skip "$program is not there (Debian, Ubuntu: package slurm-wlm)"
done
[ "$(id -u)" = 0 ] || skip "slurmd starts jobs for users: it has to be root"

# Ports that nobody else uses, as far as can be told.
port=$((20000 + $$ % 20000))
host=$(hostname -s)
export SLURM_CONF=$work/slurm.conf
mkdir "$work/state" "$work/results"
cat >"$SLURM_CONF" <<END
ClusterName=assay
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool-%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd-%n.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
KillWait=2
NodeName=n[1-2] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + 2))] CPUs=1 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
END

daemons=()
# finish waits for everything that runs in the background
end_daemons() {
    scancel --quiet --user=root 2>/dev/null
    kill "${daemons[@]}" 2>/dev/null
    wait "${daemons[@]}" 2>/dev/null
    daemons=()
}
trap 'end_daemons; rm -rf "$work"' EXIT

# until SECONDS COMMAND...
until_() {
    local turns=$(($1 * 5)) turn
    shift
    for ((turn = 0; turn < turns; turn++)); do
        "$@" && return
        sleep 0.2
    done
    return 1
}
answers() { scontrol ping 2>/dev/null | grep -q UP; }
both_idle() { [ "$(sinfo -h -N -t idle 2>/dev/null | wc -l)" = 2 ]; }

slurmctld -D >"$work/slurmctld.out" 2>&1 &
daemons+=($!)
until_ 10 answers || skip "slurmctld does not start: $(tail -n 2 "$work/slurmctld.log" "$work/slurmctld.out" 2>/dev/null)"
for node in n1 n2; do
    slurmd -D -N "$node" >"$work/$node.out" 2>&1 &
    daemons+=($!)
done
until_ 10 both_idle || skip "slurmd does not start: $(tail -n 2 "$work"/slurmd-n1.log "$work/n1.out" 2>/dev/null)"

build none
archive=$work/none/libflashattention.a
options=(--device cpu --dataset "$cases" --without-check no-launch)
"$assay" verify "$archive" "${options[@]}" --out "$work/whole.h5" >/dev/null 2>&1

# The first attempt of shard 2 is stopped by Slurm before it has finished.
cat >"$work/assay" <<END
#!/bin/bash
echo "\$SLURM_JOB_ID \$SLURM_ARRAY_TASK_ID \$SLURMD_NODENAME \${SLURM_RESTART_COUNT:-0}" >>"$work/tasks"
[ "\${SLURM_ARRAY_TASK_ID:-}/\${SLURM_RESTART_COUNT:-0}" != 2/0 ] || sleep 60
exec "$assay" "\$@"
END
chmod +x "$work/assay"
export ASSAY=$work/assay
merge=$("$example/submit.sh" 3 "$work/results" -- verify "$archive" "${options[@]}") || fail "submit.sh failed"
second_runs() { grep -q '^[0-9]* 2 n[12] 0$' "$work/tasks" 2>/dev/null; }
second_task() { grep '^[0-9]* 2 ' "$work/tasks" | head -n 1 | cut -d' ' -f1; }
runs_again() { scontrol update "JobId=$(second_task)" StartTime=now 2>/dev/null; grep -q '^[0-9]* 2 n[12] 1$' "$work/tasks"; }
has_ended() { ! squeue -h -j "$merge" 2>/dev/null | grep -q .; }
until_ 20 second_runs || fail "shard 2 does not start: $(squeue; cat "$work/slurmctld.log")"
scontrol requeue "$(second_task)" || fail "shard 2 cannot be requeued"
until_ 30 runs_again || fail "shard 2 is not started again: $(squeue; tail -n 20 "$work/slurmctld.log")"
until_ 60 has_ended || fail "the merge does not end: $(squeue; cat "$work"/results/*.log)"

expect "nodes that were used" "n1 n2" "$(cut -d' ' -f3 "$work/tasks" | sort -u | xargs)"
"$assay" report "$work/results/all.h5" --json - >"$work/all.json" || fail "no result: $(cat "$work"/results/*.log)"
"$assay" report "$work/whole.h5" --json - >"$work/whole.json"
expect "complete" true "$("$json_value" runs.0.conditions.complete <"$work/all.json")"
# digests, verdicts and names of all cases, in order
for json in all whole; do
    sed -n '/"cases": \[/,$p' "$work/$json.json" | grep -E '^ *"(name|status|entry_point|margin|o|lse|digest)": ' >"$work/$json.cases"
done
[ -s "$work/whole.cases" ] || fail "the whole run has no cases"
diff "$work/whole.cases" "$work/all.cases" || fail "merged shards differ from the whole run"
end_daemons
finish
