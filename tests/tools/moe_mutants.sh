#!/usr/bin/env bash
# mutants.sh for the kernels of a libmoe (kernels/specimen/moe/gguf_moe.cu), which run under host functions: each mutant goes into an
# archive of its own, and `assay verify` runs the cases of the functions that launch the kernel.
# usage: moe_mutants.sh BUILD [COUNT [SEED]]: mutants of each kernel, default 10; seed default 1
#
# Written: for each kernel how many were made, caught, and did the same by mutants.known or by lines that no case reaches; a line for
# each survivor. Exit 1 when less than 95 % of those that differ are caught. Needs ptxas for leaving out what it compiles to the
# same code; else such mutants are among the survivors.
set -euo pipefail
build=$1 count=${2:-10} seed=${3:-1}
here=$(cd "$(dirname "$0")" && pwd)
specimen=$here/../../kernels/specimen
packer=$(find "$build" -name prebuilt_ptx -type f | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$packer" ptx "$specimen/prebuilt/moe.zst" good "$work/good.ptx"

# KERNEL and filters of cases that launch nothing else
kernels() {
    echo "specimen_quantize_f32 launch_mmvq_gguf_quantize_q8_1_f32/*"
    echo "specimen_vectors_f16 launch_mmvq_gguf_q4_1_f16_plain/* launch_mmvq_gguf_q6_k_f16_plain/* launch_mmvq_gguf_q5_k_f16_plain/*"
    echo "specimen_prefill_bf16 moe_gemm_gguf_prefill/input_type:bf16/*blocks:ones* moe_gemm_gguf_prefill/input_type:bf16/*k:32* moe_gemm_gguf_prefill/input_type:bf16/*tokens:3/*"
    echo "specimen_mmq_quantize launch_mmq_quantize_q8_1_*"
    echo "specimen_mmq launch_mmq_gguf_*/columns:6/* launch_mmq_gguf_*/columns:3/k:*"
}
archive() { # PTX OUT.a
    "$packer" pack "$work/one.zst" "$1" >/dev/null
    "$packer" fatbin "$work/one.zst" "$(basename "$1" .ptx)" "$work/one.fatbin"
    "${CXX:-c++}" -x c++ -std=c++17 -O1 -fPIC -c -o "$work/one.o" -I "$specimen/host" "-DSPECIMEN_FATBIN=\"$work/one.fatbin\"" \
        "$specimen/moe/gguf_host.cc"
    rm -f "$2"
    ar rcs "$2" "$work/one.o"
}
verify() { # PTX FILTER...: 0 pass
    archive "$1" "$work/libmoe.a"
    shift
    local filters=()
    for filter in "$@"; do filters+=(--filter "$filter"); done
    "$build/assay" verify "$work/libmoe.a" --device cpu --repeats 0 --deaths 1 --timeout 10 --cache-dir "$work/cache" "${filters[@]}" \
        >"$work/out" 2>&1
    local status=$?
    rm -rf "$work/cache"
    return $status
}
known() { # KERNEL CHANGE
    grep -qF "$1: $2 :: " "$here/mutants.known"
}

all=0 all_caught=0 all_same=0
while read -r kernel filters; do
    set -f
    # shellcheck disable=SC2086 # patterns, one a word
    verify "$work/good.ptx" $filters || { echo "moe_mutants.sh: $kernel: the original does not pass" >&2; tail -n 5 "$work/out" >&2; exit 2; }
    "$build/tests/tools/ptx_mutate" "$work/good.ptx" "$kernel" "$seed" "$count" "$work/$kernel" >"$work/mutants" 2>"$work/summary"
    made=0 caught=0 same=0
    while IFS= read -r line; do
        path=${line%%: line *} change=$(sed 's/^[^:]*: line [0-9]*: [a-z]*: //; s/[[:space:]][[:space:]]*/ /g' <<<"$line")
        made=$((made + 1))
        # shellcheck disable=SC2086
        if ! verify "$path" $filters; then
            caught=$((caught + 1))
        elif known "$kernel" "$change" || verify "${path%/*}/reach/${path##*/}" $filters; then
            same=$((same + 1))
        else
            echo "survived $kernel: $change"
        fi
    done < <(grep '\.ptx: line ' "$work/mutants")
    set +f
    echo "$kernel: $made made, $caught caught, $same the same or not reached"
    all=$((all + made)) all_caught=$((all_caught + caught)) all_same=$((all_same + same))
done < <(kernels)
echo "all: $all made, $all_caught caught, $all_same the same or not reached"
[ "$all" -gt 0 ] && [ $((100 * all_caught)) -ge $((95 * (all - all_same))) ]
