#!/bin/sh
# Compiles one specimen module: compile.sh OUT.ptx SOURCE.cu KIND [FAULT ENTRY]
#
#   KIND   good, fast (--use_fast_math), or faulty: with fault number FAULT, of which the kernel ENTRY alone is kept
#   NVCC   the compiler; CUT_PTX: the program of cut_ptx.c; DEPFILE: where to write what OUT depends on (none: nowhere)
#
# A source is compiled for compute_80, or for the one that its text names: "compute_89" for f8_e4m3.
set -eu
out=$1 source=$2 kind=$3
arch=$(grep -o -m1 'compute_[0-9]*' "$source" | head -n 1)
arch=${arch:-compute_80}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
set -- "${4:-0}" "${5:-}"
options="-std=c++17 -O3 --expt-relaxed-constexpr --default-stream per-thread -DSPECIMEN_EXACT_COVER"
[ "$kind" != fast ] || options="$options --use_fast_math"
[ "$1" = 0 ] || options="$options -DSPECIMEN_FAULT=$1"
# the target in a dependency file is the output as it is named
[ -z "${DEPFILE:-}" ] || options="$options -MD -MF $DEPFILE -MT $out"
# shellcheck disable=SC2086 # options are words
"$NVCC" --ptx -o "$work/whole.ptx" $options "--gpu-architecture=$arch" "$source"
if [ "$kind" = faulty ]; then
	"$CUT_PTX" "$work/whole.ptx" "$work/cut.ptx" "$2"
	mv "$work/cut.ptx" "$work/whole.ptx"
fi
# ISA versions that old drivers can compile too, where what is used allows it: ptxas says so. 7.0 is CUDA 11.0, 7.8 (sm_89)
# 11.8, 8.1 (f8 conversions for it) 12.1. The pragma is a hint for sanitizers that only ISA 8.3 knows.
sed -i -e '/^[[:space:]]*\.pragma "used_bytes_mask/d' "$work/whole.ptx"
ptxas=$(dirname "$NVCC")/ptxas
versions="7.0 7.8 8.1"
[ "$arch" = compute_80 ] || versions="7.8 8.1"
for version in $versions; do
	sed "s/^\.version .*/.version $version/" "$work/whole.ptx" >"$work/older.ptx"
	if "$ptxas" "-arch=sm_${arch#compute_}" -O0 -o "$work/cubin" "$work/older.ptx" >/dev/null 2>&1; then
		mv "$work/older.ptx" "$work/whole.ptx"
		break
	fi
done
mkdir -p "$(dirname "$out")"
cp "$work/whole.ptx" "$out"
