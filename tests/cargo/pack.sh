#!/usr/bin/env bash
# pack on the cpu device, and what doctor makes of what it wrote.
#   usage: pack.sh ASSAY CHECK_SCHEMA JSON_VALUE SPECIMENS SOURCE
set -uo pipefail
assay=${1:?the program under test} check=${2:?check_schema} value=${3:?json_value} specimens=${4:?specimens} source=${5:?the source folder}
work=$(mktemp -d "${TMPDIR:-/tmp}/assay-pack.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset CANDLE_FLASH_ATTN_BUILD_DIR CUDA_COMPUTE_CAP ASSAY_DATADIR
export XDG_CACHE_HOME=$work/cache OPENBLAS_NUM_THREADS=1 LC_ALL=C
failures=0

fail() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

# run CODE COMMAND...: both outputs go to $work/out
run() {
    local expected=$1 code
    shift
    "$@" >"$work/out" 2>&1
    code=$?
    [ $code = "$expected" ] || {
        fail "$*: exit code $code instead of $expected:"
        sed 's/^/    /' "$work/out" >&2
    }
}

# expect_in FILE REGEX
expect_in() {
    grep -qE -- "$2" "$1" || {
        fail "no line matches '$2' in $1:"
        sed 's/^/    /' "$1" >&2
    }
}

prebuilt=$work/prebuilt
folder=$prebuilt/candle-flash-attn-0123456789abcdef
mkdir -p "$folder/out"
cp "$specimens/candle-flash-attn-specimen/out/libflashattention.a" "$folder/out/" || exit 1
printf '# Kernels\n\nFor Linux.\n\nWritten by hand | `kept`.' >"$prebuilt/README.md"
cp "$prebuilt/README.md" "$work/README.before"
few=(--release 0.9.2 --device cpu --no-bench --filter 'attention/f16/d64/h1:1/*s32:*')

run 0 "$assay" pack "$prebuilt" "${few[@]}"
expect_in "$work/out" 'Policy: pass'
expect_in "$work/out" 'Verified on cpu: [0-9]+ of [0-9]+ cases passed'
"$check" "$source/docs/assay-manifest.schema.json" "$prebuilt/assay.json" || fail "assay.json is not what its schema says"
expect_in "$prebuilt/README.md" '^\| candle-flash-attn-0123456789abcdef/out/libflashattention.a \| 11.0 or later \| PTX compute_80 \(7.0\) \| Linux x86-64 \| .* pass, '
head -c "$(wc -c <"$work/README.before")" "$prebuilt/README.md" | cmp -s "$work/README.before" - || fail "pack changed what stood in README.md"
sha=$(sha256sum "$folder/out/libflashattention.a" | cut -d' ' -f1)
grep -q "\"sha256\": \"$sha\"" "$prebuilt/assay.json" || fail "assay.json lacks the hash of the archive"

# a toolkit of the release that the specimens are of
mkdir -p "$work/cuda/bin"
echo '{"cuda": {"version": "11.0.1"}}' >"$work/cuda/version.json"
there=(--gpu sm_80 --driver 999.1 --cuda "$work/cuda")

# what it wrote is no claim, and its hashes hold
run 0 "$assay" doctor "$prebuilt" "${there[@]}"
expect_in "$work/out" 'fits +packed +1 files are those of assay.json; nobody verified them on this GPU'
run 0 "$assay" doctor "$folder/out" "${there[@]}"
expect_in "$work/out" 'fits +packed'

# again: the same files, the same README; text around the table stays
printf '\nAnd after the table.\n' >>"$prebuilt/README.md"
cp "$prebuilt/README.md" "$work/README.packed"
run 0 "$assay" pack "$prebuilt" "${few[@]}"
cmp "$prebuilt/README.md" "$work/README.packed" || fail "packed again, README.md is another"

# on another GPU: its figures are added. The run of the first is made to be of one
sed -i 's/"architecture": "cpu"/"architecture": "sm_80"/' "$prebuilt/assay.json"
run 0 "$assay" pack "$prebuilt" "${few[@]}"
[ "$(grep -c '"architecture"' "$prebuilt/assay.json")" = 2 ] || fail "packing again did not keep the other architecture"
expect_in "$prebuilt/README.md" '^\| file \|.*\| sm\\?_80: .* cpu: '
run 0 "$assay" doctor "$prebuilt" "${there[@]}"
expect_in "$work/out" 'fits +packed .*passed verification on this GPU'

# other files: what was found of the old ones goes, and doctor tells before that
cp "$specimens/faulty/outlier_head/libflashattention.a" "$folder/out/"
run 1 "$assay" doctor "$prebuilt" "${there[@]}"
expect_in "$work/out" 'does not fit +packed +libflashattention.a: is not the file that was packed'
wrong=(--device cpu --no-bench --filter 'attention/f16/d64/h2:2/*s32:*')
run 1 "$assay" pack "$prebuilt" "${wrong[@]}"
expect_in "$work/out" 'What was measured on sm_80 is of other files, and is left out'
expect_in "$prebuilt/assay.json" '"verdict": "fail"'
"$check" "$source/docs/assay-manifest.schema.json" "$prebuilt/assay.json" || fail "assay.json of a bad verdict"
sed -i 's/"architecture": "cpu"/"architecture": "sm_80"/' "$prebuilt/assay.json"
run 1 "$assay" doctor "$prebuilt" "${there[@]}"
expect_in "$work/out" 'does not fit +packed .*verification on sm_80 gave: fail'

# a policy that fails is written down, and refuses
cp "$specimens/candle-flash-attn-specimen/out/libflashattention.a" "$folder/out/"
printf '[targets]\nsass = sm_90\n' >"$work/policy.ini"
run 1 "$assay" pack "$prebuilt" --no-verify --policy "$work/policy.ini"
expect_in "$work/out" 'targets.sass'
[ "$("$value" policy.verdict <"$prebuilt/assay.json")" = fail ] || fail "assay.json lacks the policy's verdict"
run 1 "$assay" doctor "$prebuilt" "${there[@]}"
expect_in "$work/out" "does not fit +packed +its publisher's policy failed"

# markers that do not fit together: nothing is written
run 0 "$assay" pack "$prebuilt" --no-verify
printf '<!-- assay: end -->\n<!-- assay: begin -->\n' >"$prebuilt/README.md"
cp "$prebuilt/README.md" "$work/README.before"
rm "$prebuilt/assay.json"
run 3 "$assay" pack "$prebuilt" --no-verify
expect_in "$work/out" 'README.md: does not hold one line'
cmp -s "$prebuilt/README.md" "$work/README.before" || fail "a README with wrong markers was changed"
[ ! -e "$prebuilt/assay.json" ] || fail "assay.json was written beside a README with wrong markers"

# a damaged assay.json is not written over: other machines' figures may be in it
echo '{' >"$prebuilt/assay.json"
run 3 "$assay" pack "$prebuilt" --no-verify --no-readme
expect_in "$work/out" 'move it away first'
[ "$(cat "$prebuilt/assay.json")" = '{' ] || fail "a damaged assay.json was written over"
rm "$prebuilt/assay.json"
run 0 "$assay" pack "$prebuilt" --no-verify --no-readme
"$check" "$source/docs/assay-manifest.schema.json" "$prebuilt/assay.json" || fail "assay.json without a run"

[ $failures = 0 ] || {
    echo "$failures failures"
    exit 1
}
echo "all as expected"
