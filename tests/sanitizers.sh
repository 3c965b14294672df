#!/usr/bin/env bash
# Builds everything once more with the address and undefined-behaviour sanitizers, in a folder of its own that is kept for
# the next time, and runs the tests there that need no GPU and are not labelled slow. Leaks count too.
#   usage: sanitizers.sh CMAKE SOURCE BUILD CC CXX
# JOBS: how many compilers and tests run at a time; default: all cores.
set -euo pipefail
cmake=${1:?cmake}
source=${2:?the source folder}
build=${3:?the folder to build in}
cc=${4:?C compiler}
cxx=${5:?C++ compiler}
jobs=${JOBS:-$(nproc)}

printf 'int main(void) { return 0; }\n' >"${TMPDIR:-/tmp}/assay-sanitizer-$$.c"
if ! "$cc" -fsanitize=address,undefined -o "${TMPDIR:-/tmp}/assay-sanitizer-$$" "${TMPDIR:-/tmp}/assay-sanitizer-$$.c" \
    2>/dev/null; then
    rm -f "${TMPDIR:-/tmp}/assay-sanitizer-$$.c"
    echo "SKIPPED: $cc has no sanitizers here (libasan and libubsan come with gcc)"
    exit 77
fi
rm -f "${TMPDIR:-/tmp}/assay-sanitizer-$$" "${TMPDIR:-/tmp}/assay-sanitizer-$$.c"

# -O1: half the time to run, and the frames are still whole; -g1: lines for the traces
"$cmake" -S "$source" -B "$build" -G Ninja -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_FLAGS_DEBUG='-O1 -g1' -DCMAKE_CXX_FLAGS_DEBUG='-O1 -g1' -DASSAY_SANITIZE=address,undefined -DASSAY_SPECIMENS=OFF \
    >/dev/null
"$cmake" --build "$build" -j "$jobs" | tail -n 3

# (Workers end without destructors, so leaks are looked for in the program itself and in the unit tests. A request for more
# memory than there is must come back as it does without sanitizers.)
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
export LSAN_OPTIONS=suppressions=$source/tests/lsan.supp:print_suppressions=0
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
ctest --test-dir "$build" --output-on-failure -LE 'gpu|slow' -j "$((jobs + 1))" # some mostly wait
