#!/usr/bin/env bash
# Golden tests of the command line: every NAME.sh runs in an empty folder, and what it prints must be NAME.stdout and
# NAME.stderr (a missing file: nothing) and its exit code NAME.exit (missing: 0), once paths, versions, times and the like
# are made the same everywhere.
#   usage: run.sh ASSAY TOOLS CC [--update] [NAME...]
# TOOLS is the folder with json_value, compare_datasets and set_attribute. --update writes the files anew: read the
# difference before it is committed.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
assay=$(realpath "${1:?the program under test}")
tools=$(realpath "${2:?the folder of the tests own programs}")
cc=${3:?a C compiler}
source=$(cd "$here/../.." && pwd -P)
shift 3
update=0
[ "${1:-}" = --update ] && { update=1; shift; }

work=$(mktemp -d "${TMPDIR:-/tmp}/assay-golden.XXXXXX")
work=$(cd "$work" && pwd -P)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/failures"
ln -s "$assay" "$work/bin/assay"
ln -s "$tools"/* "$work/bin/" 2>/dev/null
unset ASSAY_DATADIR ASSAY_LIBDIR NO_COLOR HDF5_USE_FILE_LOCKING
export PATH=$work/bin:$PATH CC=$cc SOURCE=$source LC_ALL=C TERM=xterm OPENBLAS_NUM_THREADS=1

normalise() {
    sed -E -e "s#$work/run/[^/[:space:]']*#DIR#g" -e "s#$(dirname "$assay")#BUILD#g" -e "s#$source#SOURCE#g" \
        -e 's/assay [0-9]+\.[0-9]+\.[0-9]+/assay VERSION/g' \
        -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z/DATE/g' \
        -e 's/[0-9a-f]{64}/SHA256/g' -e 's/sha256 [0-9a-f]{16}/sha256 HASH/g' \
        -e 's/-?[0-9.]+ s$/TIME s/' -e 's/in -?[0-9.]+ s/in TIME s/g' -e "s/ on $(uname -n), DATE/ on HOST, DATE/" \
        -e 's/claims [0-9]+ bytes where [0-9]+/claims N bytes where N/' \
        -e 's/no CUDA device: .*/no CUDA device: REASON/' \
        -e 's/(truncated file): eof = .*/\1/' -e "s/: (name doesn't exist|component not found)$/: NOT FOUND/"
}

run_one() {
    local name=$1 folder=$work/run/$1 code want
    mkdir -p "$folder"
    (cd "$folder" && XDG_CACHE_HOME=$folder/.cache timeout 300 bash -c '. "$0"; . "$1"' "$here/prelude.sh" "$here/$name.sh") \
        >"$work/$name.stdout" 2>"$work/$name.stderr" </dev/null
    code=$?
    if [ $code = 77 ]; then
        echo "SKIPPED $name: $(tail -n 1 "$work/$name.stdout")"
        return
    fi
    echo $code >"$work/$name.exit"
    for kind in stdout stderr; do
        normalise <"$work/$name.$kind" >"$work/$name.$kind.normal"
        mv "$work/$name.$kind.normal" "$work/$name.$kind"
    done
    for kind in stdout stderr exit; do
        want=$here/$name.$kind
        if [ $update = 1 ]; then
            rm -f "$want"
            if [ $kind = exit ] && [ $code = 0 ]; then continue; fi
            [ -s "$work/$name.$kind" ] && cp "$work/$name.$kind" "$want"
            continue
        fi
        [ -e "$want" ] || {
            want=$work/empty
            if [ $kind = exit ]; then echo 0 >"$work/zero" && want=$work/zero; else : >"$want"; fi
        }
        diff -u --label "$name.$kind (expected)" --label "$name.$kind (actual)" "$want" "$work/$name.$kind" || : >"$work/failures/$name"
    done
}

if [ $# -gt 0 ]; then names=("$@"); else
    names=()
    for script in "$here"/*.sh; do
        script=$(basename "$script" .sh)
        [ "$script" = run ] || [ "$script" = prelude ] || names+=("$script")
    done
fi
for name in "${names[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
    run_one "$name" >"$work/$name.log" 2>&1 &
done
wait
for name in "${names[@]}"; do cat "$work/$name.log"; done
failed=$(find "$work/failures" -type f | wc -l)
echo "${#names[@]} scripts, $failed failed"
[ "${#names[@]}" -gt 0 ] && [ "$failed" = 0 ]
