#!/bin/sh
# Names what the modules of this folder are made of, from here, one a line.
set -eu
cd "$(dirname "$0")"
LC_ALL=C
export LC_ALL
for file in compile.sh *.cu *.cuh *.def ../ptx/*.cuh; do
	[ ! -e "$file" ] || echo "$file"
done
