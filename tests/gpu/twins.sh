#!/usr/bin/env bash
# Every line of kernels/specimen/faults.def: the twin is caught by its check with its status, and passes when that check
# (and the others that see it, column `also`) is switched off; twins that only look odd pass.
set -uo pipefail
. "$(dirname "$0")/common.sh"
[ -f "$specimens/faulty/outlier_head/libflashattention.a" ] || skip "the faulty twins were not built (cmake --build build --target twins)"
export assay specimens source_dir work

# usage: one_twin NAME STATUS CHECK ALSO WHERE; prints what is wrong, nothing when all is right
one_twin() {
    local name=$1 status=$2 check=$3 also=$4 where=$5 out=$work/$1.txt options=()
    case $where in
    watched) return ;; # tests/cpu/twins.sh
    guarded) options+=(--guard pages) ;;
    sanitized) options+=(--sanitize --filter 's33:65') ;;
    esac
    local run=("$assay" verify "$specimens/faulty/$name/libflashattention.a" --dataset "$source_dir/tests/gpu/twins.spec"
               --device cuda:0 --timeout 6 --deaths 2 --cache-dir "$work/cache" "${options[@]}")
    timeout 200 "${run[@]}" >"$out" 2>&1
    local code=$? expected=1
    case $status in
    pass) expected=0 ;;
    unsupported) expected=3 ;;
    esac
    if grep -q 'compute-sanitizer is not installed' "$out"; then
        echo "note: $name was not run: compute-sanitizer is not installed" >&2
        return
    fi
    [ "$code" = "$expected" ] || echo "$name: exit code $code instead of $expected: $(tail -n 2 "$out")"
    if [ "$status" = pass ]; then
        ! grep -qE '^(fail|mistrusted|crashed|timeout|error) ' "$out" || echo "$name: a case did not pass"
        return
    fi
    grep -qE "^$status +" "$out" || echo "$name: no case is $status"
    case $check in process | archive | none) return ;; esac
    # the check itself speaks, as the first reason or among the others
    grep -A1 "^$status " "$out" | grep -qE "^ +${check//_/-}: |also broken: [a-z, -]*${check//_/-}" ||
        echo "$name: not caught by ${check//_/-}"
    [ "$where" != guarded ] && [ "$where" != sanitized ] || return
    local disabled=(--without-check "${check//_/-}") other
    if [ "$also" != none ]; then
        for other in ${also//+/ }; do disabled+=(--without-check "${other//_/-}"); done
    fi
    timeout 200 "${run[@]}" "${disabled[@]}" >"$out.off" 2>&1 ||
        echo "$name: does not pass without its check: $(grep -m1 -A1 -E '^(fail|error|crashed|timeout|mistrusted) ' "$out.off" | tail -n 1)"
}
export -f one_twin

sed -n 's/^FAULT([0-9]*, \([a-z0-9_]*\), \([a-z]*\), \([a-z_]*\), \([a-z_+]*\), \([a-z0-9_]*\), .*/\1 \2 \3 \4 \5/p' \
    "$source_dir/kernels/specimen/faults.def" >"$work/list"
count=$(wc -l <"$work/list")
[ "$count" -gt 50 ] || fail "only $count lines of faults.def could be read"
xargs -P 4 -L 1 bash -c 'one_twin "$@"' _ <"$work/list" >"$work/problems"
cat "$work/problems"
[ ! -s "$work/problems" ] || fail "$(wc -l <"$work/problems") of the checks on $count twins"
echo "$count twins"
finish
