#!/bin/sh
# Names what ../prebuilt/moe.zst is made of, from here, one a line: the kernels, what they include, and the list of their twins.
set -eu
cd "$(dirname "$0")"
name() {
	echo "$1"
	sed -n 's/^#include "\(.*\)".*/\1/p' "$1" | while read -r included; do
		folder=${1%"${1##*/}"}
		name "$folder$included"
	done
}
{
	name gguf_moe.cu
	echo gguf_moe.def
} | LC_ALL=C sort -u
