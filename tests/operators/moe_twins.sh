#!/usr/bin/env bash
# The specimen of libmoe passes every case of moe_gemm_wmma, and each faulty twin fails by the check that its line of
# kernels/specimen/moe/moe_wmma.def names. usage: moe_twins.sh ASSAY SPECIMENS SOURCE_DIR DEVICE
#
# What only the cpu device sees (race, access) shows on a GPU by chance: there a twin of that kind may pass, and is named.
set -uo pipefail
assay=$1 specimens=$2/moe source_dir=$3 device=$4
skip() { echo "SKIPPED: $*"; exit 77; }
[ "$device" = cpu ] || "$assay" devices | grep -q "^$device" ||
    skip "no GPU: $("$assay" devices | sed -n 's/^no CUDA device: //p')"
[ -d "$specimens/good" ] || skip "the specimens were not built (-DASSAY_SPECIMENS=OFF, or no nvcc)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
verify() { # ARCHIVE OUTPUT option...
    local archive=$1 output=$2
    shift 2
    "$assay" verify "$archive" --device "$device" --dataset "$source_dir/datasets/operators/moe_wmma.spec" \
        --cache-dir "$work/cache" --deaths 0 "$@" >"$output" 2>&1
}

verify "$specimens/good/candle-kernels-specimen/out/libmoe.a" "$work/good" ||
    fail "good: $(grep -E '^(fail|mistrusted|crashed|timeout|error|unsupported) ' -A1 "$work/good" | head -n 6)"
grep -q '^ *pass .*(100.0 %)' "$work/good" || fail "good: not every case passed"

twins=0
while read -r name check; do
    twins=$((twins + 1))
    # cases of whole and broken tiles, both types and ways, with and without weights
    verify "$specimens/faulty/$name/libmoe.a" "$work/$name" --verbose --filter '*n:33/k:24*' \
        --filter '*topk:3/tokens:23*shuffled*' --filter '*k:72/*values:normal*'
    if [ $? != 1 ]; then
        case "$device $check" in
        cpu*) fail "$name: not caught" ;;
        *race | *access) echo "$name: not seen on $device" ;;
        *) fail "$name: not caught" ;;
        esac
    elif [ "$device" = cpu ] || [[ $check != race && $check != access ]]; then
        grep -qE "^ +$check: |also broken: .*$check" "$work/$name" ||
            fail "$name: $check did not break: $(grep -m1 -A1 '^fail' "$work/$name")"
    fi
done < <(sed -n 's/^FAULT([0-9]*, \([a-z0-9_]*\), moe_gemm_wmma, \([a-z_]*\), .*/\1 \2/p' \
    "$source_dir/kernels/specimen/moe/moe_wmma.def")
[ "$twins" -ge 10 ] || fail "only $twins twins"

[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
echo "the good one and $twins twins"
