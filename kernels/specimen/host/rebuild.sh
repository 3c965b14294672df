#!/bin/sh
# Makes what ../prebuilt holds anew, by nvcc (NVCC, else the one in PATH or /usr/local/cuda/bin):
#   rebuild.sh specimens   ../prebuilt/specimens.zst: the PTX of every bucket of the good specimen and of every twin
#   rebuild.sh slow        ../prebuilt/slow.zst: the PTX of what is slower by a known share (../delay.cuh)
#   rebuild.sh moe         ../prebuilt/moe.zst: the PTX of ../moe/gguf_moe.cu and of its twins
#                          and ../prebuilt/moe.sha256, which says what of
# Without an argument all. Run it after a change to the device code, and commit the files. JOBS: how many compilers at once,
# default 2.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$here/..
nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
[ -x "$nvcc" ] || { echo "no nvcc here (set NVCC): ../prebuilt stays as it is" >&2; exit 77; }

# PTX ISA 7.0 (CUDA 11.0) has all they use: old drivers can compile them too. ptxas checks that it is so; the pragma is a hint
# for sanitizers that only ISA 8.3 knows.
if [ "${1:-}" = --one ]; then # called by itself below: --one OUT.ptx SOURCE OPTION...
	out=$2 input=$source/$3
	shift 3
	mkdir -p "$(dirname "$out")"
	"$nvcc" --ptx -o "$out" -arch=compute_80 -std=c++17 -O3 --expt-relaxed-constexpr "$@" "$input"
	sed -i -e 's/^\.version .*/.version 7.0/' -e '/^[[:space:]]*\.pragma "used_bytes_mask/d' "$out"
	"$(dirname "$nvcc")/ptxas" -arch=sm_80 -O0 -o "$out.cubin" "$out" >"$out.log" 2>&1 || { cat "$out.log" >&2; exit 1; }
	exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -std=gnu17 -O2 -I "$source/../../harness" -o "$work/prebuilt_ptx" "$here/prebuilt_ptx.c" -lzstd

# Lines "NAME SOURCE OPTION..."
fast=--use_fast_math
list_specimens() {
	for head_dim in 32 64 96 128 192 256; do echo "attention_$head_dim attention.cu $fast -DSPECIMEN_HEAD_DIM=$head_dim"; done
	sed -n 's/^FAULT(\([0-9]*\), \([a-z0-9_]*\), .*/\2 \1/p' "$source/faults.def" | while read -r name id; do
		case $name in
		sass_only | foreign_arch) ;; # nothing that PTX could stand for
		no_entry_point) echo "twin_$name attention.cu $fast -DSPECIMEN_FAULT=$id -DSPECIMEN_HEAD_DIM=64" ;;
		missing_head_dim) echo "twin_$name twin.cu $fast -DSPECIMEN_FAULT=$id -DSPECIMEN_HEAD_DIM=32" ;;
		*) echo "twin_$name twin.cu $fast -DSPECIMEN_FAULT=$id -DSPECIMEN_HEAD_DIM=64" ;;
		esac
	done
}

list_slow() {
	for delay in 0 3 10; do
		for head_dim in 32 64 96 128 192 256; do
			echo "delay_$delay/attention_$head_dim attention.cu $fast -DSPECIMEN_HEAD_DIM=$head_dim" \
				"-DSPECIMEN_DELAY=$delay"
		done
		echo "delay_$delay/affine ptx/affine.cu -DSPECIMEN_DELAY=$delay"
	done
}

list_moe() {
	echo "good moe/gguf_moe.cu"
	# from 40 on the fault is in the host code
	sed -n 's/^FAULT(\([0-9]*\), \([a-z0-9_]*\), .*/\2 \1/p' "$source/moe/gguf_moe.def" | while read -r name id; do
		[ "$id" -ge 40 ] || echo "$name moe/gguf_moe.cu -DSPECIMEN_FAULT=$id"
	done
}

for what in ${*:-specimens slow moe}; do
	case $what in
	specimens | slow | moe) ;;
	*) echo "usage: rebuild.sh [specimens] [slow] [moe]" >&2; exit 2 ;;
	esac
	"list_$what" >"$work/$what.list"
	sed "s|^[^ ]*|$work/$what/&.ptx|" "$work/$what.list" | NVCC=$nvcc xargs -P "${JOBS:-2}" -L 1 "$here/rebuild.sh" --one
	# shellcheck disable=SC2046 # names without spaces
	"$work/prebuilt_ptx" pack-tree "$source/prebuilt/$what.zst" "$work/$what" $(sed 's/ .*/.ptx/' "$work/$what.list")
	# the operators' have a check of what they were made of, and so have these (../operators/check_prebuilt.sh)
	[ "$what" != moe ] || (cd "$source/moe" && sha256sum $(./sources.sh) >../prebuilt/moe.sha256)
done
