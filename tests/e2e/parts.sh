#!/usr/bin/env bash
# A run in parts: several devices, shards that are merged, a run that is killed and resumed. Each has to end in the results of
# the run that was not parted.
# usage: parts.sh ASSAY CC JSON_VALUE
. "$(dirname "$0")/lib.sh"
json_value=${3:?the program json_value}
modules=$here/../../kernels/specimen/ptx/prebuilt
spec=$here/operators.spec
mkdir -p "$work/modules" "$work/full"
cp "$modules/fill.ptx" "$modules/affine.ptx" "$work/modules"
attention=(--device cpu --dataset "$cases" --without-check no-launch)
operators=(--device cpu --dataset "$spec")
for fault in none loops wrong_scale; do in_background build "$fault"; done
wait

# run NAME CODE COMMAND...: what it prints goes to $work/NAME
run() {
    local name=$1 code=$2
    shift 2
    "$@" >"$work/$name" 2>"$work/$name.err"
    local got=$?
    [ $got = "$code" ] || fail "$name: exit code $got instead of $code: $(cat "$work/$name" "$work/$name.err")"
}

# What a result file says of its cases: names, verdicts, digests, in their order.
results() {
    "$assay" report "$1" --json - 2>/dev/null | sed -n '/"cases": \[/,$p' |
        grep -E '^ *"(name|status|entry_point|margin|scaled_max|artifact|digest|o|lse|reason)": '
}

# same WHAT FILE FILE
same() {
    [ -n "$(results "$2")" ] || fail "$1: $2 has no results"
    diff <(results "$2") <(results "$3") >"$work/difference" || fail "$1: $2 and $3 differ: $(head -20 "$work/difference")"
}

says() {
    grep -qF -- "$2" "$work/$1" "$work/$1.err" || fail "$1 does not say '$2': $(cat "$work/$1" "$work/$1.err")"
}

archive=$work/none/libflashattention.a
run whole 0 "$assay" verify "$archive" "$work/modules" "${attention[@]}" --out "$work/whole.h5"
run whole-operators 0 "$assay" verify "$work/modules" "${operators[@]}" --out "$work/whole-operators.h5"

# ---- several devices

run devices 0 "$assay" verify "$archive" --device cpu,cpu,cpu "${attention[@]:2}" --out "$work/devices.h5" --json "$work/devices.json"
run one 0 "$assay" verify "$archive" "${attention[@]}" --out "$work/one.h5"
same "three devices" "$work/one.h5" "$work/devices.h5"
run bench 0 "$assay" bench "$archive" --device cpu,cpu "${attention[@]:2}" --out "$work/bench.h5" --benchmark-json "$work/bench.json"
same "two devices, timed" "$work/one.h5" "$work/bench.h5"
# Google Benchmark is handed results in its order, whichever device was first
diff <("$assay" verify --list --dataset "$cases") <(grep -oE '"name": "attention/[^"]*' "$work/bench.json" | sed 's/"name": "//; s,/iterations:.*,,') \
    >"$work/difference" || fail "order of benchmarks: $(cat "$work/difference")"
run operators-devices 0 "$assay" verify "$work/modules" --device cpu,cpu "${operators[@]:2}" --out "$work/operators-devices.h5"
same "operators on two devices" "$work/whole-operators.h5" "$work/operators-devices.h5"
run both 2 "$assay" verify "$archive" --device cpu,cuda:0 "${attention[@]:2}"
says both "do not go together in one run"
run twice 2 "$assay" verify "$archive" --device cuda:1,cuda:1 "${attention[@]:2}"
says twice "cuda:1 is there twice"
run nothing 2 "$assay" verify "$archive" --device cpu, "${attention[@]:2}"

# ---- shards

for i in 1 2 3; do
    run "shard$i" 0 "$assay" verify "$archive" "$work/modules" "${attention[@]}" --shard "$i/3" --out "$work/part$i.h5"
    run "operators$i" 0 "$assay" verify "$work/modules" "${operators[@]}" --shard "$i/3" --out "$work/operators$i.h5"
    "$assay" verify --list --dataset "$cases" --shard "$i/3"
done | sort >"$work/listed"
diff <("$assay" verify --list --dataset "$cases" | sort) "$work/listed" >"$work/difference" || fail "shards are not the whole: $(cat "$work/difference")"
run merge 0 "$assay" merge "$work/merged.h5" "$work/part3.h5" "$work/part1.h5" "$work/part2.h5"
same "three shards" "$work/whole.h5" "$work/merged.h5"
run merge-operators 0 "$assay" merge "$work/merged-operators.h5" "$work"/operators[123].h5
same "three shards of operators" "$work/whole-operators.h5" "$work/merged-operators.h5"
"$assay" report "$work/merged-operators.h5" --json - >"$work/merged.json"
"$assay" report "$work/whole-operators.h5" --json - >"$work/whole.json"
for what in runs.0.artifacts.0.entry_points runs.0.summary.statuses.pass runs.0.inventories.0.without_case runs.0.conditions.complete; do
    expect "merged: $what" "$("$json_value" $what <"$work/whole.json")" "$("$json_value" $what <"$work/merged.json")"
done
run missing 3 "$assay" merge "$work/two.h5" "$work/part1.h5" "$work/part3.h5"
says missing "missing: shard 2/3"
[ ! -e "$work/two.h5" ] || fail "a merge that failed left a file"
run partial 1 "$assay" merge --partial "$work/two.h5" "$work/part1.h5" "$work/part3.h5"
"$assay" report "$work/two.h5" --json - 2>/dev/null >"$work/two.json"
expect "a part is complete" false "$("$json_value" runs.0.conditions.complete <"$work/two.json")"
run again 3 "$assay" merge "$work/three.h5" "$work/part1.h5" "$work/part1.h5" "$work/part2.h5" "$work/part3.h5"
says again "both are shard 1/3"
run overlap 0 "$assay" merge --overlap "$work/three.h5" "$work/part1.h5" "$work/part1.h5" "$work/part2.h5" "$work/part3.h5"
same "a shard twice" "$work/whole.h5" "$work/three.h5"
run other 0 "$assay" verify "$archive" "$work/modules" "${attention[@]}" --repeats 1 --shard 2/3 --out "$work/other.h5"
run differ 3 "$assay" merge "$work/three.h5" "$work/part1.h5" "$work/other.h5" "$work/part3.h5"
says differ "is of another run: what was asked for"
run faulty 1 "$assay" verify "$work/wrong_scale/libflashattention.a" "$work/modules" "${attention[@]}" --shard 2/3 --out "$work/faulty.h5"
run artifact 3 "$assay" merge "$work/three.h5" "$work/part1.h5" "$work/faulty.h5" "$work/part3.h5"
says artifact "the artifact"
run itself 2 "$assay" merge "$work/part1.h5" "$work/part1.h5" "$work/part2.h5"
run empty 3 "$assay" verify "$archive" "${attention[@]}" --filter plain --shard 9/9 --out "$work/empty.h5"
for bad in 0/3 4/3 1/0 x/3 1/3x 1 /3 1/ 1/99999999999; do
    run bad 2 "$assay" verify "$archive" "${attention[@]}" --shard "$bad"
done
# a full disk
(
    ulimit -f 40
    trap '' XFSZ
    run no-room 3 "$assay" merge "$work/full/out.h5" "$work"/part[123].h5
)
[ -z "$(ls "$work/full")" ] || fail "a full disk: $(ls "$work/full") is left"

# ---- cut off and resumed

run anew 0 "$assay" verify "$archive" "$work/modules" "${attention[@]}" --resume "$work/resumed.h5"
says anew "starts anew"
same "a run that had nothing to resume" "$work/whole.h5" "$work/resumed.h5"
run complete 0 "$assay" verify "$archive" "$work/modules" "${attention[@]}" --resume "$work/resumed.h5"
says complete "is complete: nothing is left to be run"

# Killed when all was written, but for the name: under either of the names that it can have then.
for name in partial earlier; do
    cp "$work/whole.h5" "$work/unnamed.h5.$name"
    run "unnamed-$name" 0 "$assay" verify "$archive" "$work/modules" "${attention[@]}" --resume "$work/unnamed.h5"
    says "unnamed-$name" "is complete: nothing is left to be run"
    same "complete but for its name ($name)" "$work/whole.h5" "$work/unnamed.h5"
    [ "$(cd "$work" && echo unnamed.h5*)" = unnamed.h5 ] || fail "$name: beside the result file: $(cd "$work" && echo unnamed.h5*)"
    rm "$work/unnamed.h5"
done

# What a kill can leave beside each other (record_earlier.h): a copy and what came of it, or what a resumed run goes on from and what it
# has begun. The one with more is gone on with.
run few 1 "$assay" merge --partial "$work/few.h5" "$work/part1.h5"
cases_in() {
    "$assay" report "$1" --json - 2>/dev/null | "$json_value" runs.0.summary.cases
}
more=$(cases_in "$work/two.h5")
[ "$more" -gt "$(cases_in "$work/few.h5")" ] || fail "two parts have no more cases than one"
# beside FILE.partial FILE.earlier
beside() {
    cp "$1" "$work/left.h5.partial"
    cp "$2" "$work/left.h5.earlier"
    expect "cases of $1 beside $2" "$more" "$(cases_in "$work/left.h5")"
    run left 0 "$assay" verify "$archive" "$work/modules" "${attention[@]}" --resume "$work/left.h5"
    says left "$more cases are taken over"
    same "$1 beside $2" "$work/whole.h5" "$work/left.h5"
    [ "$(cd "$work" && echo left.h5*)" = left.h5 ] || fail "$1 beside $2 leaves $(cd "$work" && echo left.h5*)"
    rm "$work/left.h5"
}
head -c 3000 "$work/two.h5" >"$work/torn"
beside "$work/two.h5" "$work/few.h5"
beside "$work/few.h5" "$work/two.h5"
beside "$work/torn" "$work/two.h5"
beside "$work/two.h5" "$work/torn"
# another --resume has taken it and has not begun its own file yet
cp "$work/two.h5" "$work/left.h5.earlier"
exec 9<"$work/left.h5.earlier"
flock 9
run taken 3 "$assay" verify "$archive" "$work/modules" "${attention[@]}" --resume "$work/left.h5"
exec 9<&-
cmp -s "$work/two.h5" "$work/left.h5.earlier" || fail "a second --resume changed what the first one goes on from"
cp "$work/two.h5" "$work/left.h5.partial"
cp "$work/few.h5" "$work/left.h5.earlier"
run plain 0 "$assay" verify "$archive" "$work/modules" "${attention[@]}" --out "$work/left.h5"
[ "$(cd "$work" && echo left.h5*)" = left.h5 ] || fail "a run without --resume leaves $(cd "$work" && echo left.h5*)"

# Killed after any number of cases, again and again, and in the end let go on.
killed_until_done() {
    local kind=$1 turn out=$work/killed-$1.h5 code
    shift
    for ((turn = 0; turn < 40; turn++)); do
        "$@" --resume "$out" --jobs 2 >"$work/killed-$kind" 2>&1 &
        local pid=$!
        if ((turn < 6)); then
            sleep "0.$((RANDOM % 60 + 15))"
            kill -KILL $pid 2>/dev/null
        fi
        wait $pid 2>/dev/null
        code=$?
        [ $code = 0 ] && break
    done
    [ "$code" = 0 ] || fail "$kind: not done after $turn turns: $(cat "$work/killed-$kind")"
    [ ! -e "$out.partial" ] && [ ! -e "$out.earlier" ] || fail "$kind: something is left beside the result file"
}
killed_until_done attention "$assay" verify "$archive" "$work/modules" "${attention[@]}"
same "a run that was killed" "$work/whole.h5" "$work/killed-attention.h5"
killed_until_done operators "$assay" verify "$work/modules" "${operators[@]}"
same "operators, killed" "$work/whole-operators.h5" "$work/killed-operators.h5"

# The partial file of a run that never ends: its finished cases are taken over and not run again.
pids=$work/pids
: >"$pids"
HOST_MHA_PIDS=$pids "$assay" verify "$work/loops/libflashattention.a" "${attention[@]}" --timeout 600 --deaths 1 --out "$work/stuck.h5" >/dev/null 2>&1 &
stuck=$!
for ((turn = 0; turn < 300; turn++)); do
    [ "$(wc -l <"$pids")" -ge 5 ] && break
    sleep 0.1
done
run busy 3 "$assay" verify "$work/loops/libflashattention.a" "${attention[@]}" --resume "$work/stuck.h5"
says busy "is being written by a run"
run second 3 "$assay" verify "$archive" "${attention[@]}" --out "$work/stuck.h5"
says second "is being written by another run"
kill -KILL $stuck
wait $stuck 2>/dev/null
run wrong 3 "$assay" verify "$archive" "${attention[@]}" --deaths 1 --resume "$work/stuck.h5"
says wrong "is of another run: the artifact"
[ -e "$work/stuck.h5.partial" ] || fail "a refused --resume took the partial file away"
run stuck 1 "$assay" verify "$work/loops/libflashattention.a" "${attention[@]}" --timeout 0.5 --deaths 1 --resume "$work/stuck.h5"
says stuck "1 cases are taken over"
expect "cases of a run that never ended" "$(printf 'pass\ntimeout\nskipped')" "$(results "$work/stuck.h5" | grep -oE '"status": "[a-z]+' | cut -d'"' -f4 | uniq)"

# An artifact of which nothing is left to be run is not loaded again; what is known of it stays.
: >"$pids"
HOST_MHA_PIDS=$pids "$assay" verify "$archive" "$work/loops/libflashattention.a" "${attention[@]}" --timeout 600 --deaths 1 --out "$work/pair.h5" \
    >/dev/null 2>&1 &
pair=$!
for ((turn = 0; turn < 300; turn++)); do
    [ "$(sort "$pids" | uniq -c | awk '$1 >= 5' | wc -l)" -ge 2 ] && break
    sleep 0.1
done
kill -KILL $pair
wait $pair 2>/dev/null
run pair 1 "$assay" verify "$archive" "$work/loops/libflashattention.a" "${attention[@]}" --timeout 0.5 --deaths 1 --resume "$work/pair.h5"
says pair "11 cases are taken over"
"$assay" report "$work/pair.h5" --json - >"$work/pair.json" 2>/dev/null
expect "how both artifacts were loaded" "$(printf 'shim\nshim')" "$("$json_value" runs.0.artifacts.0.cudart runs.0.artifacts.1.cudart <"$work/pair.json")"

# A disk that fills up in the midst: what was finished is there, and how to go on is told.
(
    ulimit -f 55
    trap '' XFSZ
    run filled 3 "$assay" verify "$archive" "$work/modules" "${attention[@]}" --out "$work/filled.h5"
)
says filled "--resume $work/filled.h5 goes on"
[ "$(cases_in "$work/filled.h5")" -ge 1 ] || fail "a full disk took what was finished"
run emptied 0 "$assay" verify "$archive" "$work/modules" "${attention[@]}" --resume "$work/filled.h5"
says emptied "cases are taken over"
same "a run on a disk that was full" "$work/whole.h5" "$work/filled.h5"

# Names that no result can be put at are told before anything is run; a pipe is not waited for.
run no-name 2 "$assay" verify "$archive" "${attention[@]}" --out ''
says no-name "name of a file to write is empty"
run no-folder 3 "$assay" verify "$archive" "${attention[@]}" --out "$work/no/such.h5" --verbose
[ ! -s "$work/no-folder" ] || fail "--out in no folder: $(cat "$work/no-folder")"
for end in partial earlier; do
    mkfifo "$work/pipe.h5.$end"
    timeout 20 "$assay" verify "$archive" "${attention[@]}" --resume "$work/pipe.h5" >"$work/pipe" 2>&1
    [ $? != 124 ] || fail "a pipe called pipe.h5.$end is waited for"
    rm -f "$work"/pipe.h5*
done

printf 'no result file' >"$work/damaged.h5.partial"
run damaged 0 "$assay" verify "$archive" "${attention[@]}" --resume "$work/damaged.h5"
says damaged "it is kept as"
finish
