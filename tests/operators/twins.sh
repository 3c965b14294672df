#!/usr/bin/env bash
# The specimens of operators: the good ones pass every case, precise and with fast math, and each faulty twin fails by the check
# that its line of kernels/specimen/operators/*.def names. usage: twins.sh ASSAY OPERATOR_TWINS SPECIMENS SOURCE_DIR DEVICE
# ASSAY_LONG_TESTS=1: on the cpu device as on a GPU, all modules with fast math and two repeats.
set -uo pipefail
assay=$1 operator_twins=$2 specimens=$3/operators source_dir=$4 device=$5
skip() { echo "SKIPPED: $*"; exit 77; }
[ "$device" = cpu ] || "$assay" devices | grep -q "^$device" || skip "no GPU: $("$assay" devices | sed -n 's/^no CUDA device: //p')"
[ -d "$specimens/good" ] || skip "the specimens were not built (-DASSAY_SPECIMENS=OFF)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
specs=()
for spec in "$source_dir"/datasets/operators/*.spec; do specs+=(--spec "$spec"); done

"$source_dir/kernels/specimen/operators/list.sh" >"$work/all" || fail "list.sh"
modules=$(grep -c ' good ' "$work/all")
twins=$(grep -c ' faulty ' "$work/all")
[ "$modules" -ge 16 ] || fail "only $modules good modules"
[ "$twins" -ge 200 ] || fail "only $twins faulty twins"

# What is good: through the program as it is used. Every entry point that is there has a verdict.
for kind in good fast; do
    math=precise folder=$specimens/$kind/candle-kernels-specimen repeats=2
    [ "$kind" = good ] || math=fast
    if [ "$device" = cpu ] && [ "${ASSAY_LONG_TESTS:-0}" != 1 ]; then
        # Minutes on two processors: without repeats, which the fast ones and the twins have, and of the fast ones those that
        # fast math changes most.
        repeats=0
        [ "$kind" = good ] || repeats=1
        if [ "$kind" = fast ]; then
            mkdir -p "$work/fast/out"
            cp "$folder"/out/{binary,norm,softmax,unary}.ptx "$work/fast/out"
            folder=$work/fast
        fi
    fi
    "$assay" verify "$folder" --device "$device" --math "$math" --repeats "$repeats" --quiet --json "$work/$kind.json" \
        >"$work/$kind.out" 2>&1 || fail "$kind: $(grep -E '^(fail|mistrusted|crashed|timeout|error|unsupported) ' -A1 "$work/$kind.out" | head -n 20)"
    grep -q '^ *pass ' "$work/$kind.out" || fail "$kind: no case passed"
    there=$(cat "$folder"/out/*.ptx | grep -c '^[. a-z]*\.entry ')
    judged=$(sed -n 's/^ *\([0-9]*\) of \([0-9]*\) entry points have a verdict: \([0-9]*\) pass, 0 do not.*/\1 \2 \3/p' "$work/$kind.out")
    [ "$judged" = "$there $there $there" ] || fail "$kind: $there entry points; with a verdict, of, passing: ${judged:-none}"
done

awk -v folder="$specimens/" '$3 == "faulty" { print folder $1 ".ptx", $5, $6 }' "$work/all" >"$work/list"
jobs=$(nproc)
[ "$device" = cpu ] || jobs=4
"$operator_twins" --device "$device" --jobs "$((jobs < 16 ? jobs : 16))" "${specs[@]}" "$work/list" >"$work/twins" 2>"$work/err"
seen=$(grep -c '^as-expected ' "$work/twins")
grep -v '^as-expected ' "$work/twins" | sed "s|$specimens/faulty/||"
[ "$seen" = "$twins" ] || fail "$seen of $twins twins are caught by the check they are for; $(tail -n 1 "$work/err")"
grep 'by chance only' "$work/twins" | sed "s|$specimens/faulty/||"

[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
echo "$modules modules and $twins twins"
