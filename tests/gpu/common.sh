# Sourced by the tests of this folder. usage of each: TEST.sh ASSAY SPECIMENS SOURCE_DIR
# Exits 77, which ctest shows as skipped, when there is no GPU or what it needs was not built: SASS, unless needs_sass is "no".
assay=$1 specimens=$2 source_dir=$3
skip() { echo "SKIPPED: $*"; exit 77; }
"$assay" devices | grep -q '^cuda:0' || skip "no GPU: $("$assay" devices | sed -n 's/^no CUDA device: //p')"
[ "${needs_sass:-yes}" = no ] || [ -e "$specimens/candle-flash-attn-specimen/out/libflashattention.a" ] ||
    skip "the specimens were not built (no nvcc)"
specimen=$specimens/candle-flash-attn-specimen
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
finish() { [ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }; }
# Values of a key in a report's JSON, one a line, without quotes.
json_values() { sed -n "s/^ *\"$2\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" "$1"; }
