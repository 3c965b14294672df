#!/usr/bin/env bash
# Every line of kernels/specimen/faults.def that needs no SASS, on the cpu device: the twin is caught with its status by its
# check, or by those checks that only this device makes; twins that only look odd pass.
# ASSAY_LONG_TESTS=1: with the longest sequences too.
set -uo pipefail
. "$(dirname "$0")/common.sh"
# processes run side by side: threads of the reference's BLAS would be in their way
export assay specimens source_dir work OPENBLAS_NUM_THREADS=1

# usage: one_twin NAME STATUS CHECK ALSO WHERE; prints what is wrong, nothing when all is right
one_twin() {
    local name=$1 status=$2 check=$3 also=$4 where=$5 out=$work/$1.txt expected=1
    # nothing that PTX could stand for; any other that is missing fails
    case $name in sass_only | foreign_arch) return ;; esac
    # these are seen as what they are: accesses outside a buffer
    case $where in guarded | sanitized) check=access ;; esac
    # Memory and outputs of a crash are watched too: the fault is told before the kernel ends. Streams of this device are
    # always in order, but the shim sees where work is queued.
    case $name in
    device_illegal_address) status=fail check=access ;;
    esac
    # two calls of the four: each costs time here, and one twin alone needs more
    local repeats=0
    [ "$name" != not_repeatable ] || repeats=2
    # what never ends is waited for twice, and turns all the while; other cases take a twentieth of a second
    local timeout=20
    [ "$status" != timeout ] || timeout=6
    local run=("$assay" verify "$specimens/faulty/$name/libflashattention.a" --dataset "$source_dir/tests/gpu/twins.spec"
               --device cpu --timeout "$timeout" --deaths 2 --repeats "$repeats" --cache-dir "$work/cache")
    [ "${ASSAY_LONG_TESTS:-0}" = 1 ] || run+=(--filter -s700)
    timeout 300 "${run[@]}" >"$out" 2>&1
    local code=$?
    case $status in
    pass) expected=0 ;;
    unsupported) expected=3 ;;
    esac
    [ "$code" = "$expected" ] || echo "$name: exit code $code instead of $expected: $(tail -n 2 "$out")"
    if [ "$status" = pass ]; then
        ! grep -qE '^(fail|mistrusted|crashed|timeout|error) ' "$out" || echo "$name: a case did not pass"
        return
    fi
    grep -qE "^$status +" "$out" || echo "$name: no case is $status"
    case $check in process | archive | none) return ;; esac
    grep -A1 "^$status " "$out" | grep -qE "^ +${check//_/-}: |also broken: [a-z, -]*${check//_/-}" ||
        echo "$name: not caught by ${check//_/-}"
    # and by nothing else than what the list says and what this device adds
    # (an access outside all memory ends the kernel whatever is switched off)
    case $name in device_illegal_address | shared_too_small) return ;; esac
    local disabled=(--without-check "${check//_/-}") other
    if [ "$also" != none ]; then
        for other in ${also//+/ }; do disabled+=(--without-check "${other//_/-}"); done
    fi
    for other in access undefined race barrier; do disabled+=(--without-check "$other"); done
    timeout 300 "${run[@]}" "${disabled[@]}" >"$out.off" 2>&1 ||
        echo "$name: does not pass without its check: $(grep -m1 -A1 -E '^(fail|error|crashed|timeout|mistrusted) ' "$out.off" | tail -n 1)"
}
export -f one_twin

sed -n 's/^FAULT([0-9]*, \([a-z0-9_]*\), \([a-z]*\), \([a-z_]*\), \([a-z_+]*\), \([a-z0-9_]*\), .*/\1 \2 \3 \4 \5/p' \
    "$source_dir/kernels/specimen/faults.def" >"$work/list"
count=$(wc -l <"$work/list")
[ "$count" -gt 50 ] || fail "only $count lines of faults.def could be read"
xargs -P "$(nproc)" -L 1 bash -c 'one_twin "$@"' _ <"$work/list" >"$work/problems"
cat "$work/problems"
[ ! -s "$work/problems" ] || fail "$(wc -l <"$work/problems") of the checks on $count twins"
echo "$count twins"
finish
