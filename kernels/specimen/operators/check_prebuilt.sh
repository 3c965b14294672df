#!/bin/sh
# Whether ../prebuilt/operators.zst and ../prebuilt/moe.zst were made of what lies here now. No compiler is needed for that.
set -eu
cd "$(dirname "$0")/.."
LC_ALL=C
export LC_ALL
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# check FOLDER WHAT REBUILD: the sums of prebuilt/WHAT.sha256 are of what FOLDER/sources.sh names
check() (
	sums=../prebuilt/$2.sha256
	cd "$1"
	./sources.sh | sort >"$work/now"
	sed 's/^[0-9a-f]*  //' "$sums" | sort >"$work/then"
	[ -s "$work/then" ] || { echo "$1: $sums is empty" >&2; exit 1; }
	diff "$work/then" "$work/now" >&2 || { echo "$1: sources came or went: run kernels/specimen/$3" >&2; exit 1; }
	sha256sum --quiet -c "$sums" || { echo "$1: sources changed: run kernels/specimen/$3" >&2; exit 1; }
)

check operators operators operators/rebuild.sh
check moe moe "host/rebuild.sh moe"
