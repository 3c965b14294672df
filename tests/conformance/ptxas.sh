#!/bin/sh
# Every module of the conformance suite assembles. usage: ptxas.sh CONFORMANCE
set -eu
PATH=$PATH:/usr/local/cuda/bin
if ! command -v ptxas > /dev/null; then
	echo "SKIPPED: no ptxas"
	exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" --ptx "$folder"
modules=0
for module in "$folder"/*.ptx; do
	ptxas -arch sm_90 -o /dev/null "$module"
	modules=$((modules + 1))
done
[ "$modules" -gt 0 ]
echo "$modules modules assemble"
