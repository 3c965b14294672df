#!/usr/bin/env bash
# The good specimen passes on the cpu device: every stored case, watched and unwatched with the same outputs bit for bit;
# its work is counted; an archive without PTX is refused by name. Those that are slower by a known share pass like it.
set -uo pipefail
. "$(dirname "$0")/common.sh"
common=(--dataset "$source_dir/datasets/smoke.h5" --cache-dir "$work/cache" --device cpu --quiet)

"$assay" verify "$specimen" "${common[@]}" --json "$work/watched.json" 2>"$work/err" || fail "smoke.h5: $(cat "$work/err")"
cases=$("$assay" verify --list --dataset "$source_dir/datasets/smoke.h5" | wc -l)
passed=$(json_values "$work/watched.json" status | grep -c '^pass$')
[ "$passed" = "$cases" ] || fail "smoke.h5: $passed of $cases cases passed"
[ "$passed" -ge 30 ] || fail "smoke.h5: only $passed cases passed"
for check in access undefined race barrier; do
    grep -A1 "\"$check\": {" "$work/watched.json" | grep -q '"held"' || fail "the check '$check' was not made"
done
json_values "$work/watched.json" matrix_flops | grep -qv '^0$' || fail "no matrix product was counted"

"$assay" verify "$specimen" "${common[@]}" --no-check --repeats 0 --json "$work/unwatched.json" 2>"$work/err" ||
    fail "smoke.h5 with --no-check: $(cat "$work/err")"
json_values "$work/watched.json" o >"$work/watched.digests"
json_values "$work/unwatched.json" o >"$work/unwatched.digests"
[ -s "$work/watched.digests" ] || fail "no digests in the JSON"
cmp "$work/watched.digests" "$work/unwatched.digests" || fail "outputs differ between watched and unwatched runs"

"$assay" verify "$specimen" "${common[@]}" --image sass >"$work/sass" 2>&1
code=$?
[ $code = 3 ] || fail "--image sass: exit code $code: $(cat "$work/sass")"

for delay in 0 3 10; do
    "$assay" verify "$specimens/slow/delay_$delay" --device cpu --repeats 0 --cache-dir "$work/cache" --quiet \
        --filter 'attention/f16/d64*' --filter affine_f32 >"$work/slow" 2>&1 || fail "delay_$delay: $(tail -n 3 "$work/slow")"
    grep -qE '^ +pass +([0-9]+) of \1 cases' "$work/slow" || fail "delay_$delay: $(grep ' of ' "$work/slow")"
done
echo "$passed cases passed"
finish
