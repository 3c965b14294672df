#!/bin/sh
# Makes ../prebuilt/operators.zst anew: the PTX of every specimen of this folder and of every faulty twin, by nvcc (NVCC, else
# the one in PATH or /usr/local/cuda/bin); and ../prebuilt/operators.sha256, which says what of. Run it after a change to a
# source or list here, and commit both. JOBS: how many at once, default 2. TREE: a folder where they were compiled already
# (specimens/operators of a build with nvcc); those that are older than their source are not taken.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
NVCC=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
[ -x "$NVCC" ] || { echo "no nvcc here (set NVCC): ../prebuilt/operators.zst stays as it is" >&2; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
harness=$here/../../../harness
CUT_PTX=$work/cut_ptx
cc -std=gnu17 -O2 -D_GNU_SOURCE -I "$harness" -o "$CUT_PTX" "$here/cut_ptx.c" "$harness/artifact/ptx_slice.c" "$harness/core/util.c" \
	"$harness/core/error.c" -lcrypto
cc -std=gnu17 -O2 -I "$harness" -o "$work/prebuilt_ptx" "$here/../host/prebuilt_ptx.c" -lzstd
export NVCC CUT_PTX work here
"$here/list.sh" >"$work/list"
if [ -n "${TREE:-}" ]; then
	while read -r path source rest; do
		[ ! "$TREE/$path.ptx" -nt "$here/$source" ] || { mkdir -p "$work/tree/${path%/*}"; cp "$TREE/$path.ptx" "$work/tree/$path.ptx"; }
	done <"$work/list"
fi
while read -r line; do
	[ -e "$work/tree/${line%% *}.ptx" ] || echo "$line"
done <"$work/list" >"$work/missing"
xargs -r -P "${JOBS:-2}" -L 1 sh -c '"$here/compile.sh" "$work/tree/$0.ptx" "$here/$1" "$2" "$3" "$4"' <"$work/missing"
"$work/prebuilt_ptx" pack-tree "$here/../prebuilt/operators.zst" "$work/tree" $(cut -d ' ' -f 1 "$work/list" | sed 's|$|.ptx|')
cd "$here"
sha256sum $(./sources.sh) >../prebuilt/operators.sha256
