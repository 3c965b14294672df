#!/usr/bin/env bash
# Kernels of PTX modules on the cpu device: every entry point gets an answer, workers side by side say what one says, a kernel
# that cannot be loaded or ends its worker costs itself only, what a release lacks is told.
# usage: operators.sh ASSAY CC JSON_VALUE
. "$(dirname "$0")/lib.sh"
json_value=${3:?the program json_value}
modules=$here/../../kernels/specimen/ptx/prebuilt
spec=$here/operators.spec
options=(--device cpu --dataset "$spec")
mkdir -p "$work/modules/good" "$work/candle-kernels-0123456789abcdef/out" "$work/modules/bad" "$work/modules/unknown"
cp "$modules/fill.ptx" "$modules/affine.ptx" "$work/modules/good"
cp "$modules/fill.ptx" "$work/candle-kernels-0123456789abcdef/out"

# expect WHAT WANTED GOT
expect() {
    [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}

# run NAME CODE COMMAND...: what it prints goes to $work/NAME
run() {
    local name=$1 code=$2
    shift 2
    "$@" >"$work/$name" 2>"$work/$name.err"
    local got=$?
    [ $got = "$code" ] || fail "$name: exit code $got instead of $code: $(cat "$work/$name.err")"
}

value() {
    "$json_value" "$2" <"$work/$1.json"
}

says() {
    grep -qF -- "$2" "$work/$1" || fail "$1 does not say: $2"
}

run good 0 "$assay" verify "$work/modules/good" "${options[@]}" --json "$work/good.json" --out "$work/good.h5"
says good "6 of 13 entry points have a verdict: 6 pass, 0 do not; the others are listed below. Math: precise."
says good "the dataset has no case for it"
says good "incomplete  $work/modules/good/"
says good "7 for which no case was selected"
expect "cases" 23 "$(value good runs.0.summary.cases)"
expect "passed" 16 "$(value good runs.0.summary.statuses.pass)"
expect "skipped" 7 "$(value good runs.0.summary.statuses.skipped)"
expect "module of the first" affine "$(value good runs.0.cases.0.module)"
expect "parts" 1 "$(($(value good runs.0.artifacts.0.load_parts) > 0))"
"$assay" report "$work/good.h5" --json - >"$work/again.json"
cmp "$work/good.json" "$work/again.json" || fail "a report of the result file says something else"

# the order of records is that of the plan, whoever was first
names() {
    grep -o '^ *"name": "[^"]*/[^"]*"' "$1"
}
run one 0 "$assay" verify "$work/modules/good" "${options[@]}" --jobs 1 --json "$work/one.json"
run seven 0 "$assay" verify "$work/modules/good" "${options[@]}" --jobs 7 --json "$work/seven.json"
expect "order of seven workers" "$(names "$work/one.json")" "$(names "$work/seven.json")"
run whole 0 "$assay" verify "$work/modules/good" "${options[@]}" --whole --filter affine_f32/dims:67 --json "$work/whole.json"
expect "parts of whole modules" 1 "$(value whole runs.0.artifacts.0.load_parts)"

# what a release lacks fails where the release is claimed
run claimed 1 "$assay" verify "$work/candle-kernels-0123456789abcdef" "${options[@]}" --json "$work/claimed.json"
says claimed "claimed to be whole by: folder candle-kernels-0123456789abcdef"
expect "failed inventory" true "$(value claimed runs.0.inventories.0.failed)"
run asked 1 "$assay" verify "$work/modules/good/fill.ptx" "${options[@]}" --abi 0.9.2
says asked "claimed to be whole by: --abi"
run strict 1 "$assay" verify "$work/modules/good/fill.ptx" "${options[@]}" --strict

# an entry point that no release has
sed 's/fill_u8/fill_x8/g' "$modules/fill.ptx" >"$work/modules/unknown/fill.ptx"
run unknown 0 "$assay" verify "$work/modules/unknown" "${options[@]}"
says unknown "fill (1): fill_x8"
says unknown "unsupported 1 entry point: unknown entry point: no family has it under this profile"

# a module with nothing but such, and nothing to verify it by
mkdir "$work/modules/foreign"
sed 's/fill_/somebodys_/g;s/copy2d_/somebodys_copy_/g' "$modules/fill.ptx" >"$work/modules/foreign/foreign.ptx"
foreign=$(grep -c '\.entry ' "$work/modules/foreign/foreign.ptx")
run foreign 3 "$assay" verify "$work/modules/foreign" "${options[@]}" --json "$work/foreign.json"
says foreign "unknown     $work/modules/foreign/: no module of a release that is known"
expect "foreign entry points" "$foreign" "$(value foreign runs.0.summary.statuses.unsupported)"
expect "cases of foreign entry points" "$foreign" "$(value foreign runs.0.summary.cases)"
for name in $(sed -n 's/.*\.entry \([a-z0-9_]*\).*/\1/p' "$work/modules/foreign/foreign.ptx"); do
    says foreign.json "\"name\": \"$name\""
done

# names as long as nobody writes them: up to 255 characters they are whole everywhere, longer ones are told to be
mkdir "$work/modules/lengthy"
long200=f$(printf '%0199d' 0) long300=g$(printf '%0299d' 0)
sed "s/fill_u8/$long200/g;s/fill_u32/$long300/g" "$modules/fill.ptx" >"$work/modules/lengthy/fill.ptx"
run lengthy 0 "$assay" verify "$work/modules/lengthy" "${options[@]}" --json "$work/lengthy.json" --out "$work/lengthy.h5"
says lengthy "unsupported 1 entry point: its name has 300 characters: entry points with names of up to 255 can be called"
says lengthy.json "\"entry_point\": \"$long200\""
expect "long names" 2 "$(value lengthy runs.0.summary.statuses.unsupported)"
"$assay" report "$work/lengthy.h5" --json - >"$work/again.json"
cmp "$work/lengthy.json" "$work/again.json" || fail "a report of a result file with long names says something else"

# fill_f16 has an instruction that there is not, fill_f32 a trap; the others are none the worse for it
awk '/\.entry fill_/ { name = $0 } /^\tret;/ && name ~ /fill_f16\(/ { print "\tfrobnicate.f64 %fd1, %fd1;" }
     /^\tret;/ && name ~ /fill_f32\(/ { print "\ttrap;" } { print } /^}/ { name = "" }' "$modules/fill.ptx" >"$work/modules/bad/fill.ptx"
for jobs in 1 5; do
    run bad 1 "$assay" verify "$work/modules/bad" "${options[@]}" --jobs $jobs --json "$work/bad.json"
    says bad "the driver does not load 1 of its entry points: who loads the whole module gets none of them. First: fill_f16: "
    says bad "crashed     fill_f32: 3 of 3 cases, first fill_f32/"
    expect "crashed" 3 "$(value bad runs.0.summary.statuses.crashed)"
    expect "not loaded" 3 "$(value bad runs.0.summary.statuses.error)"
    expect "passed" 4 "$(value bad runs.0.summary.statuses.pass)"
done
run deaths 1 "$assay" verify "$work/modules/bad" "${options[@]}" --deaths 1 --filter fill_f32 --json "$work/deaths.json"
expect "skipped after a death" 2 "$(value deaths runs.0.summary.statuses.skipped)"

# the command that is printed repeats the case
command=$(sed -n 's/^ *reproduce: assay //p' "$work/bad" | grep fill_f32)
eval "\"\$assay\" $command" >"$work/reproduced" 2>&1
expect "exit code of a repeated crash" 1 $?
says reproduced "crashed     1 of 1 cases"

# what failed is kept, as a dataset that repeats the verdict: affine_f32 adds its factor here
mkdir "$work/modules/wrong"
sed 's/\[affine_f32_param_6\]/[affine_f32_param_5]/' "$modules/affine.ptx" >"$work/modules/wrong/affine.ptx"
run wrong 1 "$assay" verify "$work/modules/wrong" "${options[@]}" --keep-failures "$work/kept/operators" --json "$work/wrong.json"
failed=$(value wrong runs.0.summary.statuses.fail)
[ "$failed" -ge 3 ] || fail "an affine_f32 that adds its factor fails in $failed cases"
expect "kept failures" "$failed" "$(find "$work/kept/operators" -type f -name 'affine_f32_*.h5' | wc -l)"
for file in "$work"/kept/operators/*.h5; do
    run info 0 "$assay" dataset info "$file"
    says info "1 cases, 1 with float64 expectations"
    run check 0 "$assay" dataset check "$file" --device cpu
    says check "reference: 1 cases against stored float64 results"
    run again 1 "$assay" verify "$work/modules/wrong" --device cpu --dataset "$file" --filter affine_f32 --json "$work/again.json"
    expect "cases of $file" 1 "$(value again runs.0.summary.cases)"
    reason=$(value again runs.0.cases.0.reason)
    [ -n "$reason" ] || fail "a kept failure has no reason"
    grep -qF -- "$reason" "$work/wrong.json" || fail "a kept failure is told otherwise: $reason"
    run mended 0 "$assay" verify "$work/modules/good" --device cpu --dataset "$file" --filter affine_f32
done
# two artifacts that fail the same cases do not share a file, whoever is last; what one alone can fail keeps its name
mkdir "$work/modules/wrong2"
sed 's/\[affine_f32_param_6\]/[affine_f32_param_5]/;1i // another' "$modules/affine.ptx" >"$work/modules/wrong2/affine.ptx"
sed 's/st\.global\.u32[^,]*rd13\]/\/\/ &/' "$modules/fill.ptx" >"$work/modules/wrong2/fill.ptx"
run two 1 "$assay" verify "$work/modules/wrong" "$work/modules/wrong2" "${options[@]}" --keep-failures "$work/kept/two"
for which in wrong wrong2; do
    short=$(sha256sum "$work/modules/$which/affine.ptx" | cut -c 1-8)
    expect "kept of $which" "$failed" "$(find "$work/kept/two" -name "affine_f32_*.affine-$short.h5" | wc -l)"
done
expect "kept of both" $((2 * failed)) "$(find "$work/kept/two" -name 'affine_*.h5' | wc -l)"
[ "$(find "$work/kept/two" -name 'fill_u32_*.h5' | wc -l)" -ge 1 ] || fail "no failure of fill_u32 is kept"
expect "labels where there is no conflict" 0 "$(find "$work/kept/two" -name 'fill_*.fill-*' | wc -l)"

run none_kept 0 "$assay" verify "$work/modules/good" "${options[@]}" --keep-failures "$work/kept/none" --quiet
expect "kept of what passed" 0 "$(find "$work/kept/none" -type f | wc -l)"

# a product of a dataset that holds both kinds, and of artifacts of both kinds
cat "$cases" "$spec" >"$work/both.spec"
build none
run both 0 "$assay" verify "$work/none/libflashattention.a" "$work/modules/good/affine.ptx" --device cpu --dataset "$work/both.spec" --without-check no-launch \
    --filter d40 --filter affine_f32 --json "$work/both.json"
expect "cases of both kinds" 4 "$(value both runs.0.summary.cases)"
run apart 3 "$assay" verify "$work/none/libflashattention.a" --device cpu --dataset "$spec"
says apart.err "none of its 16 cases is for these artifacts"
run skipped 0 "$assay" verify "$work/none/libflashattention.a" "$work/modules/good/affine.ptx" "${options[@]}" --json "$work/skipped.json"
expect "skipped for want of a case" skipped "$(value skipped runs.0.cases.0.status)"

# timing: verified and, there being no GPU, not timed
run bench 0 "$assay" bench "$work/modules/good" "${options[@]}" --filter affine_f32 --benchmark-json "$work/gbench.json"
expect "benchmarks" 3 "$(grep -c '"run_name": ' "$work/gbench.json")"

# a run that is killed leaves a file that can be read and no worker
mkdir "$work/long"
cat >"$work/long.spec" <<'END'
[long]
family = fill
op     = fill
dtype  = f32, f16, bf16, u8, u32
shape  = 1..4000
END
"$assay" verify "$work/modules/good/fill.ptx" --device cpu --dataset "$work/long.spec" --jobs 2 --quiet --out "$work/long/out.h5" >/dev/null 2>&1 &
parent=$!
for ((turn = 0; turn < 300; turn++)); do
    [ "$(stat -c %s "$work/long/out.h5.partial" 2>/dev/null || echo 0)" -gt 300000 ] && break
    sleep 0.1
done
workers=$(pgrep -P $parent)
kill -KILL $parent
wait $parent 2>/dev/null
[ -n "$workers" ] || fail "there were no workers to outlive anybody"
for ((turn = 0; turn < 100; turn++)); do
    alive=0
    for pid in $workers; do kill -0 "$pid" 2>/dev/null && alive=1; done
    [ $alive = 0 ] && break
    sleep 0.1
done
expect "workers alive" 0 $alive
"$assay" report "$work/long/out.h5" --json - >"$work/long.json" 2>/dev/null || fail "the file of a killed run cannot be read"
[ "$(value long runs.0.summary.statuses.pass)" -gt 20 ] || fail "a killed run kept $(value long runs.0.summary.statuses.pass) cases"
expect "complete" false "$(value long runs.0.conditions.complete)"
finish
