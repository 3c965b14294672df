#!/usr/bin/env bash
# What is left when processes end early or not at all: a run that is killed leaves no worker behind and a result file that
# can be read; children of the artifact do not live on; an archive that never loads costs its own cases only.
# usage: killed.sh ASSAY CC JSON_VALUE
. "$(dirname "$0")/lib.sh"
json_value=${3:?the program json_value}
options=(--device cpu --dataset "$cases" --without-check no-launch)

for fault in none loops leaves_child constructor_waits constructor_crashes; do in_background build "$fault"; done
wait
mkdir "$work/tmp"

# is_running PID: a zombie is not
is_running() {
    [ -e "/proc/$1/stat" ] && [[ $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) != Z* ]]
}

# Waits for a condition, at most thirty seconds.
await() {
    local turn
    for ((turn = 0; turn < 300; turn++)); do
        "$@" && return
        sleep 0.1
    done
    return 1
}

none_is_running() {
    local pid
    while read -r pid; do
        is_running "$pid" && return 1
    done < <(sort -u "$1")
    return 0
}

# The first case calls the entry point four times; the fifth call is the one that never ends.
is_in_second_case() {
    [ "$(wc -l <"$1" 2>/dev/null || echo 0)" -ge 5 ]
}

# The first case passes, the second never ends; then the signal comes. TMPDIR shows whether anything is left there.
killed_by() {
    local signal=$1 out=$work/killed.$1.h5 pids=$work/pids.$1 parent
    : >"$pids"
    HOST_MHA_PIDS=$pids TMPDIR=$work/tmp "$assay" verify "$work/loops/libflashattention.a" "${options[@]}" --out "$out" \
        >"$work/output.$signal" 2>&1 &
    parent=$!
    await is_in_second_case "$pids" || fail "SIG$signal: the second case is not reached: $(cat "$work/output.$signal")"
    "$assay" report "$out" >"$work/locked.$signal" 2>&1
    expect "SIG$signal: exit code of a report while the run goes on" 3 $?
    expect_line "$work/locked.$signal" 'is being written by a run'
    kill -s "$signal" "$parent"
    wait "$parent" 2>/dev/null
    [ -s "$pids" ] || fail "SIG$signal: no process noted"
    await none_is_running "$pids" || fail "SIG$signal: a worker lives on"
    [ -e "$out.partial" ] || fail "SIG$signal: no partial result file"
    [ ! -e "$out" ] || fail "SIG$signal: a result file that claims to be whole"
    "$assay" report "$out" --json - >"$work/json.$signal" 2>"$work/json.err" ||
        fail "SIG$signal: report of the partial file: $(cat "$work/json.err")"
    expect "SIG$signal: what the partial file holds" "$(printf 'false\n1\n1')" \
        "$("$json_value" runs.0.conditions.complete runs.0.summary.cases runs.0.summary.statuses.pass <"$work/json.$signal")"
    "$assay" report "$out" >"$work/text.$signal" 2>&1
    expect_line "$work/text.$signal" 'the run was cut short; the report covers the 1 cases it had finished'
}

artifact_children() {
    HOST_MHA_PIDS=$work/pids.child verify "$work/leaves_child/libflashattention.a" "$work/child" "${options[@]:2}" --filter /bf16/
    expect "exit code with children left behind" 0 $?
    [ "$(sort -u "$work/pids.child" | wc -l)" -gt 8 ] || fail "the artifact made no children"
    await none_is_running "$work/pids.child" || fail "children of the artifact live on"
}

# Thirty seconds are the least that loading gets; the good archive beside it has its verdicts.
never_loaded() {
    local start=$SECONDS code
    "$assay" verify "$work/constructor_waits/libflashattention.a" "$work/none/libflashattention.a" "${options[@]}" --timeout 5 \
        --filter d32 --json "$work/waits.json" >"$work/waits" 2>&1
    code=$?
    expect "exit code with an archive that never loads" 1 $code
    expect_line "$work/waits" '^timeout +every case: .*no answer after 30 s while loading the archive; a longer --timeout'
    expect "verdicts with an archive that never loads" "$(printf '2\n2')" \
        "$("$json_value" runs.0.summary.statuses.timeout runs.0.summary.statuses.pass <"$work/waits.json")"
    [ $((SECONDS - start)) -ge 30 ] || fail "the archive that never loads was given up too early"
}

crashes_while_loading() {
    "$assay" verify "$work/constructor_crashes/libflashattention.a" "$work/none/libflashattention.a" "${options[@]}" \
        --filter d32 --json "$work/crashes.json" >"$work/crashes" 2>&1
    expect "exit code with an archive that crashes while it is loaded" 1 $?
    expect_line "$work/crashes" '^crashed +every case: .*killed by signal 6 .*while loading the archive'
    expect "verdicts with an archive that crashes while it is loaded" "$(printf '2\n2')" \
        "$("$json_value" runs.0.summary.statuses.crashed runs.0.summary.statuses.pass <"$work/crashes.json")"
}

# Without standard streams the sockets and pipes of workers get their numbers.
without_streams() {
    "$assay" verify "$work/none/libflashattention.a" "${options[@]}" --json "$work/closed.json" <&- >&- 2>&-
    expect "exit code without standard streams" 0 $?
    expect "verdicts without standard streams" 10 "$("$json_value" runs.0.summary.statuses.pass <"$work/closed.json")"
}

never_loaded &
killed_by KILL &
killed_by TERM
artifact_children
crashes_while_loading
without_streams
finish
