#!/bin/sh
# Makes ../prebuilt/specimens.zst anew: the PTX of every bucket of the good specimen and of every twin, by nvcc (NVCC, else
# the one in PATH or /usr/local/cuda/bin). Run it after a change to the device code, and commit the file. JOBS: how many at
# once, default 2.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$here/..
nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
[ -x "$nvcc" ] || { echo "no nvcc here (set NVCC): ../prebuilt/specimens.zst stays as it is" >&2; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -std=gnu17 -O2 -I "$source/../../harness" -o "$work/prebuilt_ptx" "$here/prebuilt_ptx.c" -lzstd
# name, source file, fault, head dimension
{
	for head_dim in 32 64 96 128 192 256; do echo "attention_$head_dim attention.cu 0 $head_dim"; done
	sed -n 's/^FAULT(\([0-9]*\), \([a-z0-9_]*\), .*/\2 \1/p' "$source/faults.def" | while read -r name id; do
		case $name in
		sass_only | foreign_arch) ;; # nothing that PTX could stand for
		no_entry_point) echo "twin_$name attention.cu $id 64" ;;
		missing_head_dim) echo "twin_$name twin.cu $id 32" ;;
		*) echo "twin_$name twin.cu $id 64" ;;
		esac
	done
} >"$work/list"
export work source nvcc
xargs -P "${JOBS:-2}" -L 1 sh -c '"$nvcc" --ptx -o "$work/$0.ptx" -arch=compute_80 -std=c++17 -O3 --expt-relaxed-constexpr \
	--use_fast_math "-DSPECIMEN_FAULT=$2" "-DSPECIMEN_HEAD_DIM=$3" "$source/$1"' <"$work/list"
# PTX ISA 7.0 (CUDA 11.0) has all they use: old drivers can compile them too. ptxas checks that it is so; the pragma is a hint
# for sanitizers that only ISA 8.3 knows.
ptxas=$(dirname "$nvcc")/ptxas
for module in "$work"/*.ptx; do
	sed -i -e 's/^\.version .*/.version 7.0/' -e '/^[[:space:]]*\.pragma "used_bytes_mask/d' "$module"
	"$ptxas" -arch=sm_80 -o "$work/cubin" "$module" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
done
"$work/prebuilt_ptx" pack "$source/prebuilt/specimens.zst" $(cut -d ' ' -f 1 "$work/list" | sed "s|.*|$work/&.ptx|")
