#!/usr/bin/env bash
# The specimen of libmoe's functions of quantised matrices passes its cases, and each faulty twin fails by the check that its line
# of kernels/specimen/moe/gguf_moe.def names. usage: moe_gguf_twins.sh ASSAY SPECIMENS SOURCE_DIR DEVICE
#
# On the cpu device a sample of the cases, on a GPU all for the good one. What only the cpu device sees (race, access) shows on a
# GPU by chance: there a twin of that kind may pass, and is named.
set -uo pipefail
assay=$1 specimens=$2/moe_gguf source_dir=$3 device=$4
skip() { echo "SKIPPED: $*"; exit 77; }
[ "$device" = cpu ] || "$assay" devices | grep -q "^$device" ||
    skip "no GPU: $("$assay" devices | sed -n 's/^no CUDA device: //p')"
[ -d "$specimens/good" ] || skip "the specimens were not built (-DASSAY_SPECIMENS=OFF)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
verify() { # ARCHIVE OUTPUT option...
    local archive=$1 output=$2
    shift 2
    "$assay" verify "$archive" --device "$device" --cache-dir "$work/cache" --deaths 0 "$@" >"$output" 2>&1
}
# Small cases of an entry point; those that a GPU alone has time for are left out.
small=()
for columns in '31' '4?' '57' '65' '80' '9?' '12?'; do small+=(--filter "-launch_mmq_gguf*columns:$columns/*"); done
small+=(--filter '-launch_mmq*rows:25?*')
chosen() { # ENTRY: the filters for its twins
    case $1 in
    moe_gemm_gguf) printf '%s\n' 'moe_gemm_gguf/*tokens:1*' 'moe_gemm_gguf/format:q8_0/k:*' 'moe_gemm_gguf/experts:2/*' ;;
    moe_gemm_gguf_prefill) printf '%s\n' '*prefill/*k:32*' '*prefill/*blocks:ones*' '*prefill/*format:q2_K/*blocks:exact/input*' ;;
    *) printf '%s\n' "$1/*" ;;
    esac
}

sample=()
if [ "$device" = cpu ]; then
    for filter in 'moe_gemm_gguf*k:32*' 'moe_gemm_gguf*tokens:1/*' 'moe_gemm_gguf*blocks:ones*' 'launch_mmvq*k:256*' 'launch_mmvq*quantize*' \
        'launch_mmq*k:96*' 'launch_mmq*columns:13/*' 'launch_mmq*columns:6/*' 'launch_mmq*quantize*'; do sample+=(--filter "$filter"); done
    sample+=("${small[@]}" --repeats 0)
fi
verify "$specimens/good/libmoe.a" "$work/good" ${sample[@]+"${sample[@]}"} --json "$work/good.json"
grep -q '^ *48 of 48 entry points have a verdict: 48 pass, 0 do not' <(sed 's/^ *\(.*\); the others.*/\1/' "$work/good") ||
    { [ "$device" = cpu ] && grep -qE '^ *[34][0-9] of ([0-9]*) entry points have a verdict: [34][0-9] pass, 0 do not' "$work/good"; } ||
    fail "good: $(grep -E '^ *(fail|mistrusted|crashed|timeout|error) ' -A1 "$work/good" | head -n 6)$(grep 'have a verdict' "$work/good")"
grep -q '^ *pass .*(100.0 %)' "$work/good" || fail "good: not every case passed"

# an archive that has attention too: each function has its cases
attention=$2/prebuilt/candle-flash-attn-specimen/out/libflashattention.a
if [ "$device" = cpu ] && [ -e "$attention" ]; then
    mkdir "$work/both"
    (cd "$work/both" && ar x "$attention" && ar x "$specimens/good/libmoe.a" && ar rcs libboth.a ./*.o)
    cat "$source_dir/datasets/smoke.spec" "$source_dir/datasets/operators/moe_gguf.spec" >"$work/both.spec"
    chosen_both=(--filter 'attention/f16/d40/*s1:40*' --filter 'moe_gemm_gguf/*tokens:1/*')
    verify "$work/both/libboth.a" "$work/both.out" --dataset "$work/both.spec" --without-check no-launch --repeats 0 "${chosen_both[@]}" \
        --out "$work/both.h5" || fail "an archive of both: exit code $?: $(tail -n 5 "$work/both.out")"
    "$assay" report "$work/both.h5" --csv - >"$work/both.csv" || fail "an archive of both: no report"
    for entry in run_mha moe_gemm_gguf; do
        grep "$entry" "$work/both.csv" | grep -q pass || fail "an archive of both: $entry has no verdict"
    done
fi

twins=0
while read -r name entry check; do
    twins=$((twins + 1))
    filters=()
    while read -r filter; do filters+=(--filter "$filter"); done < <(chosen "$entry")
    verify "$specimens/faulty/$name/libmoe.a" "$work/$name" --repeats 0 "${filters[@]}" "${small[@]}"
    status=$?
    [ "$status" != 0 ] || [ "$device" = cpu ] || case $check in race | access) echo "$name: not seen on $device"; continue ;; esac
    [ "$status" = 1 ] || { fail "$name: not caught: exit code $status: $(tail -n 1 "$work/$name")"; continue; }
    [ "$device" = cpu ] || case $check in race | access) continue ;; esac
    grep -qE "^ +$check: |also broken: .*$check" "$work/$name" ||
        fail "$name: $check did not break: $(grep -m1 -A1 '^ *fail ' "$work/$name")"
done < <(sed -n 's/^FAULT([0-9]*, \([a-z0-9_]*\), \([A-Za-z0-9_]*\), \([a-z_]*\), .*/\1 \2 \3/p' \
    "$source_dir/kernels/specimen/moe/gguf_moe.def")
[ "$twins" -ge 20 ] || fail "only $twins twins"

[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
echo "the good one and $twins twins"
