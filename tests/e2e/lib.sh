# What the end-to-end scripts share. Each is called as: SCRIPT ASSAY CC
# shellcheck shell=bash
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
assay=${1:?the program under test}
cc=${2:?a C compiler}
cases=$here/cases.spec

work=$(mktemp -d "${TMPDIR:-/tmp}/assay-e2e.XXXXXX")
export XDG_CACHE_HOME=$work/cache OPENBLAS_NUM_THREADS=1
unset ASSAY_DATADIR ASSAY_LIBDIR NO_COLOR HDF5_USE_FILE_LOCKING
mkdir "$work/failures"
# twins crash on purpose, one of them by using up its stack
ulimit -c 0
ulimit -S -s 8192
trap 'rm -rf "$work"' EXIT

# Counts across subshells, which tests that run side by side are.
fail() {
    echo "FAILED: $*" >&2
    : >"$(mktemp "$work/failures/XXXXXX")"
}

finish() {
    wait
    local failures
    shopt -s nullglob
    failures=("$work/failures"/*)
    [ ${#failures[@]} = 0 ] || {
        echo "${#failures[@]} failures"
        exit 1
    }
    echo "all as expected"
    exit 0
}

# At most so many jobs side by side as there are cores.
in_background() {
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
    "$@" &
}

# build FAULT [FLAG...]: $work/FAULT/libflashattention.a
build() {
    local fault=$1 folder=$work/$1
    shift
    mkdir -p "$folder"
    "$cc" -std=gnu17 -O1 -fPIC "-DFAULT=$fault" "$@" -c "$here/host_mha.c" -o "$folder/host_mha.o" &&
        ar rcs "$folder/libflashattention.a" "$folder/host_mha.o" && rm "$folder/host_mha.o" ||
        fail "$fault: cannot be built"
}

# verify ARCHIVE OUTPUT OPTION...: on the cpu device; a line for every case. The exit code is assay's.
verify() {
    local archive=$1 output=$2
    shift 2
    "$assay" verify "$archive" --device cpu --verbose "$@" >"$output" 2>"$output.err"
}

# The verdicts in what verify printed: STATUS NAME REASON, a line each.
verdicts() {
    awk '$1 ~ /^(pass|fail|mistrusted|unsupported|skipped|crashed|timeout|error)$/ && $2 ~ /^attention\// {
             line = $1 " " $2
             if ($1 != "pass" && (getline reason) > 0) { sub(/^ +/, "", reason); line = line " " reason }
             if (!seen[$2]++) print line
         }' "$1"
}

# expect WHAT EXPECTED ACTUAL
expect() {
    [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}

# expect_line FILE REGEX
expect_line() {
    grep -qE -- "$2" "$1" || {
        fail "no line matches '$2' in $1:"
        sed 's/^/    /' "$1" >&2
    }
}
