#!/usr/bin/env bash
# The good specimen passes: the stored cases, the whole of attention.spec, from PTX as from SASS, with every kernel reached
# that the cases are meant to reach; with the real CUDA runtime instead of the shim its outputs are the same, bit for bit.
set -uo pipefail
. "$(dirname "$0")/common.sh"
spec=$source_dir/datasets/attention.spec smoke=$source_dir/datasets/smoke.h5
common=(--cache-dir "$work/cache" --device cuda:0)

"$assay" verify "$specimen" --dataset "$spec" "${common[@]}" --json "$work/all.json" >"$work/all.txt" 2>&1 ||
    fail "attention.spec: $(tail -n 3 "$work/all.txt")"
for status in fail mistrusted unsupported skipped crashed timeout error; do
    [ "$(json_values "$work/all.json" status | grep -c "^$status\$")" = 0 ] || fail "attention.spec: a case is $status"
done
passed=$(json_values "$work/all.json" status | grep -c '^pass$')
[ "$passed" -ge 1000 ] || fail "attention.spec: only $passed cases passed"

"$assay" verify "$specimen" --dataset "$smoke" "${common[@]}" --json "$work/shim.json" --quiet || fail "smoke.h5"
"$assay" verify "$specimen" --dataset "$smoke" "${common[@]}" --image ptx --quiet || fail "smoke.h5 from PTX"
"$assay" verify "$specimen" --dataset "$smoke" "${common[@]}" --guard pages --quiet || fail "smoke.h5 against unmapped memory"
if "$assay" verify "$specimen" --dataset "$smoke" "${common[@]}" --cudart real --json "$work/real.json" --quiet 2>"$work/real.err"; then
    json_values "$work/shim.json" o >"$work/shim.digests"
    json_values "$work/real.json" o >"$work/real.digests"
    [ -s "$work/shim.digests" ] || fail "no digests in the JSON"
    cmp "$work/shim.digests" "$work/real.digests" || fail "outputs differ between the shim and the real runtime"
    [ "$(grep -c '"grid"' "$work/real.json")" = 0 ] || fail "the shim saw a launch with the real runtime"
elif grep -q 'libcudart' "$work/real.err"; then
    echo "note: no real CUDA runtime here: not compared"
else
    fail "smoke.h5 with the real runtime: $(cat "$work/real.err")"
fi

"$assay" run "$specimen" --dataset "$smoke" "${common[@]}" --out "$work/run.h5" --benchmark-json "$work/gb.json" >"$work/run.txt" 2>&1 ||
    fail "run: $(tail -n 3 "$work/run.txt")"
"$assay" report "$work/run.h5" --json "$work/report.json" >"$work/report.txt" || fail "report"
[ "$(json_values "$work/report.json" status | grep -c '^pass$')" = "$(grep -c real_time "$work/gb.json")" ] ||
    fail "Google Benchmark's JSON has another number of entries than cases that passed"
echo "$passed cases of attention.spec passed"
finish
