#!/bin/sh
# Rebuilds the committed PTX of a CUDA source: rebuild_ptx.sh [--check] SOURCE.cu [FILE.ptx]
#
# The PTX asks for compute capability 7.5 and for the lowest ISA version that holds it, so that old drivers load it, and
# names the compiler in its first line. With --check nothing is written: exit 1 when the file differs from a fresh build,
# 77 (skipped) when there is no nvcc or another one than the file was built with.
# NVCC names the compiler; without it, nvcc is looked for in PATH and /usr/local/cuda/bin.
set -eu

check=0
if [ "${1:-}" = --check ]; then
	check=1
	shift
fi
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
	echo "usage: rebuild_ptx.sh [--check] SOURCE.cu [FILE.ptx]" >&2
	exit 2
fi
source=$1
target=${2:-${source%.cu}.ptx}
root=$(cd "$(dirname "$0")/.." && pwd)

nvcc=${NVCC:-}
if [ -z "$nvcc" ]; then
	nvcc=$(command -v nvcc || true)
	[ -n "$nvcc" ] || nvcc=/usr/local/cuda/bin/nvcc
fi
if [ ! -x "$nvcc" ]; then
	echo "SKIPPED: no nvcc here (set NVCC, or put it in PATH); $target stays as it is"
	exit 77
fi
release=$("$nvcc" --version | sed -n 's/.*, V\([0-9.]*\).*/\1/p')
[ -n "$release" ] || { echo "$nvcc --version does not tell its version" >&2; exit 1; }
name=$(basename "$source")
note="// Built from $name by cmake/rebuild_ptx.sh with nvcc $release"
if [ $check = 1 ]; then
	[ -f "$target" ] || { echo "$target is missing: run cmake/rebuild_ptx.sh $source" >&2; exit 1; }
	if [ "$(head -n 1 "$target")" != "$note" ]; then
		echo "SKIPPED: $target says '$(head -n 1 "$target")', but this is nvcc $release"
		exit 77
	fi
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$nvcc" -ptx -arch=compute_75 -std=c++17 -I "$root" -I "$root/harness" -o "$work/raw.ptx" "$source"
# Comments, indentation and empty lines are nearly a third of the text that the driver has to read. The pragma (which
# bytes of a load are used) is a hint for sanitizers that only ISA 8.3 knows. The names of internal symbols carry hashes of
# where the source lay: they become zeros, so that every checkout gives the same file.
sed -e 's|//.*||' -e '/^[[:space:]]*\.pragma "used_bytes_mask/d' -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//' -e '/^$/d' \
	-e 's/_INTERNAL_[0-9a-f]\{8\}_\([0-9]*_[A-Za-z0-9_]*_cu_\)[0-9a-f]\{8\}/_INTERNAL_00000000_\100000000/g' "$work/raw.ptx" >"$work/plain.ptx"

ptxas=$(dirname "$nvcc")/ptxas
[ -x "$ptxas" ] || ptxas=$(command -v ptxas) || { echo "no ptxas beside $nvcc" >&2; exit 1; }
# ISA versions since compute capability 7.5 (6.3 came with CUDA 10.0); the first that ptxas accepts.
lowest=
for version in 6.3 6.4 6.5 7.0 7.1 7.2 7.3 7.4 7.5 7.6 7.7 7.8 8.0; do
	sed "s/^\.version .*/.version $version/" "$work/plain.ptx" >"$work/try.ptx"
	if "$ptxas" -arch=sm_75 -o "$work/try.cubin" "$work/try.ptx" >"$work/log" 2>&1 &&
	   "$ptxas" -arch=sm_80 -o "$work/try.cubin" "$work/try.ptx" >>"$work/log" 2>&1; then
		lowest=$version
		break
	fi
done
if [ -z "$lowest" ]; then
	cat "$work/log" >&2
	echo "$source needs an ISA newer than 8.0: drivers from r525 on could not load it" >&2
	exit 1
fi
{ echo "$note"; cat "$work/try.ptx"; } >"$work/new.ptx"

if [ $check = 1 ]; then
	if ! cmp -s "$work/new.ptx" "$target"; then
		diff "$target" "$work/new.ptx" | head -n 20 >&2
		echo "$target is not what $source gives: run cmake/rebuild_ptx.sh $source and commit it" >&2
		exit 1
	fi
	echo "$target is what nvcc $release makes of $name (PTX ISA $lowest)"
else
	cp "$work/new.ptx" "$target"
	echo "$target: PTX ISA $lowest, $(grep -c '^\.visible \.entry' "$target") kernels"
fi
