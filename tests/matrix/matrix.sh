#!/usr/bin/env bash
# The specimens of several CUDA versions side by side in one table: every case of every version passes, each column says which
# CUDA made it, and on the same inputs on the cpu device all versions pass the same cases.
#   matrix.sh ASSAY SOURCE_DIR DEVICE
# ASSAY_MATRIX: a folder that build_specimens.sh has filled. Otherwise they are built here, with the toolkits in
# ASSAY_TOOLKITS (folders, separated by ':') or else those that are installed; with fewer than two CUDA versions the test is
# skipped.
set -uo pipefail
assay=$1 source_dir=$2 device=$3
here=$(cd "$(dirname "$0")" && pwd)
skip() { echo "SKIPPED: $*"; exit 77; }
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
[ "$device" = cpu ] || "$assay" devices | grep -q "^$device" ||
    skip "no GPU: $("$assay" devices | sed -n 's/^no CUDA device: //p')"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

built=${ASSAY_MATRIX:-}
if [ -z "$built" ]; then
    built=$work/built
    IFS=: read -r -a toolkits <<<"${ASSAY_TOOLKITS:-}"
    if [ ${#toolkits[@]} = 0 ]; then
        for toolkit in /usr/local/cuda /usr/local/cuda-* /usr/lib/nvidia-cuda-toolkit /opt/cuda; do
            [ ! -x "$toolkit/bin/nvcc" ] || toolkits+=("$toolkit")
        done
    fi
    releases=$(for toolkit in "${toolkits[@]}"; do # two folders may be the same toolkit
        program=$(find -L "$toolkit" \( -path '*/bin/nvcc' -o -path '*/bin/ptxas' \) -type f 2>/dev/null | sort | head -n 1)
        [ -z "$program" ] || "$program" --version | sed -n "s|.*release \([0-9.]*\),.*|\1 $toolkit|p"
    done | sort -u -k 1,1)
    [ "$(grep -c . <<<"$releases")" -ge 2 ] ||
        skip "fewer than two CUDA versions here (${releases:-none}); set ASSAY_TOOLKITS or ASSAY_MATRIX" \
            "(tests/matrix/build_specimens.sh says how)"
    mapfile -t toolkits < <(cut -d ' ' -f 2- <<<"$releases")
    MODULES="${MODULES:-affine softmax}" JOBS=${JOBS:-$(nproc)} "$here/build_specimens.sh" "$built" "${toolkits[@]}" \
        >"$work/log" 2>&1 ||
        fail "build_specimens.sh: $(tail -n 3 "$work/log")"
fi

artifacts= count=0
for folder in "$built"/cuda-*; do
    [ -e "$folder/candle-flash-attn-specimen/out/libflashattention.a" ] || continue
    artifacts+=${artifacts:+,}${folder##*/cuda-}=$folder
    count=$((count + 1))
done
[ "$count" -ge 2 ] || { fail "$count CUDA versions in $built"; exit 1; }

operators=$source_dir/datasets/operators
options=(--artifacts "$artifacts" --datasets "$source_dir/datasets/smoke.h5,$operators/softmax.spec,$operators/affine.spec"
         --devices "$device" --json "$work/matrix.json" --markdown "$work/matrix.md")
[ "$device" = cpu ] || options+=(--interleave --rounds 3 --bench-seconds 0.05)
"$assay" matrix "${options[@]}" >"$work/table" 2>&1 || fail "assay matrix: exit code $?: $(tail -n 3 "$work/table")"
cat "$work/table"

# a cell for every version and dataset, and in none of them anything but passes (what an artifact has no kernel for is skipped)
cells=$(grep -c '"worst_margin": [0-9]' "$work/matrix.json")
[ "$cells" = $((3 * count)) ] || fail "$cells cells with a margin instead of $((3 * count))"
! grep -E '"(fail|mistrusted|unsupported|crashed|timeout|error)": [1-9]' "$work/matrix.json" || fail "a case does not pass"
for folder in "$built"/cuda-*; do
    release=${folder##*/cuda-}
    grep -q "\"toolkit\": \".*CUDA $release" "$work/matrix.json" || fail "no column says that it was made by CUDA $release"
done
# versions pass the same cases: as many of each dataset
for dataset in smoke softmax affine; do
    passed=$(awk -v wanted="$dataset" '/"dataset":/ { this = index($0, "/" wanted ".") } this && /"pass":/ { print $2 }' \
        "$work/matrix.json" | sort -u | wc -l)
    [ "$passed" = 1 ] || fail "$dataset: CUDA versions pass different numbers of cases"
done
if [ "$device" != cpu ]; then
    [ "$(grep -c '"geometric_mean"' "$work/matrix.json")" -ge $((count - 1)) ] || fail "throughput was not compared"
fi
[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
