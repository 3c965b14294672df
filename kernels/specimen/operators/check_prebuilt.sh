#!/bin/sh
# Whether ../prebuilt/operators.zst was made of what lies here now. No compiler is needed for that.
set -eu
cd "$(dirname "$0")"
LC_ALL=C
export LC_ALL
sums=../prebuilt/operators.sha256
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
./sources.sh | sort >"$work/now"
sed 's/^[0-9a-f]*  //' "$sums" | sort >"$work/then"
[ -s "$work/then" ] || { echo "$sums is empty"; exit 1; }
diff "$work/then" "$work/now" >&2 || { echo "sources came or went: run kernels/specimen/operators/rebuild.sh" >&2; exit 1; }
sha256sum --quiet -c "$sums" || { echo "sources changed: run kernels/specimen/operators/rebuild.sh" >&2; exit 1; }
