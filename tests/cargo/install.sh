#!/usr/bin/env bash
# doctor, install and uninstall in a Cargo project of the tests' own (project/), whose build scripts decide as the producer's do.
#   usage: install.sh ASSAY CC FAULT_LIBRARY SPECIMENS
set -uo pipefail
assay=${1:?the program under test} cc=${2:?a C compiler} fault=${3:?the library of fault.c}
specimens=${4:?the folder of specimens around PTX that was made earlier}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v cargo >/dev/null && command -v rustc >/dev/null || {
    echo "SKIPPED: no cargo here (apt install cargo)"
    exit 77
}
work=$(mktemp -d "${TMPDIR:-/tmp}/assay-cargo.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset CANDLE_FLASH_ATTN_BUILD_DIR CARGO_TARGET_DIR CARGO_BUILD_TARGET RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CUDA_COMPUTE_CAP ASSAY_DATADIR
export CARGO_NET_OFFLINE=true CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 TEST_CC=$cc TEST_LOG=$work/log LC_ALL=C
export XDG_CACHE_HOME=$work/cache OPENBLAS_NUM_THREADS=1
failures=0

fail() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

# expect WHAT EXPECTED ACTUAL
expect() {
    [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}

# expect_line WHAT REGEX: in $work/out
expect_line() {
    grep -qE -- "$2" "$work/out" || {
        fail "$1: no line matches '$2' in:"
        sed 's/^/    /' "$work/out" >&2
    }
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

# project NAME ORIGIN: a build of it, and what it compiled in $compiled and what the program says in $says
cargo_build() {
    : >"$TEST_LOG"
    (cd "$work/$1" && TEST_ORIGIN=$2 cargo build --release --offline) >"$work/out" 2>&1 || {
        fail "cargo build of $1:"
        cat "$work/out" >&2
    }
    compiled=$(sort "$TEST_LOG" | tr '\n' ' ')
    says=$("$work/$1/target/release/app")
}
everything='kernels/flash_api.cu src/affine.cu src/moe.cu src/unary.cu '

# tree FOLDER: names and contents of all that is in it
tree() {
    (cd "$1" && find . -printf '%y %p\n' | sort && find . -type f -print0 | sort -z | xargs -0r sha256sum)
}
# outs PROJECT: of the folders of its build scripts
outs() {
    local folder
    for folder in "$work/$1"/target/release/build/candle-*/out; do tree "${folder%/out}"; done
}

# ---- a publisher's folder: what Cargo left of a build elsewhere, under other hashes ----
cp -r "$here/project" "$work/publisher" && cp -r "$here/project" "$work/user" || exit 1
cargo_build publisher 7
expect "the publisher's build" "$everything" "$compiled"
mkdir "$work/prebuilt"
for folder in "$work"/publisher/target/release/build/candle-*/; do
    [ -d "$folder/out" ] || continue
    name=$(basename "$folder")
    cp -rp "$folder" "$work/prebuilt/${name%????}beef"
done
folders=("$work"/prebuilt/*)
expect "folders of build scripts" 2 ${#folders[@]}
printf 'Kernels for Candle 0.9.2, Linux, x86_64\n' >"$work/prebuilt/README.md"
for folder in "${folders[@]}"; do # its build took 100 s
    touch -d '2026-01-01 10:00:00' "$folder/invoked.timestamp" "$folder/output"
    touch -d '2026-01-01 10:01:40' "$folder/stderr"
done
project=(--project "$work/user")

# ---- before the first build there is nowhere to put it: told which command makes the folders ----
run 3 "$assay" install "$work/prebuilt" "${project[@]}" --no-verify
expect_line "no build folder" 'cargo build --release -p candle-(kernels|flash-attn)'
(cd "$work/user" && TEST_CC=false TEST_ORIGIN=3 cargo build --release --offline -p candle-flash-attn) >/dev/null 2>&1
(cd "$work/user" && TEST_CC=false TEST_ORIGIN=3 cargo build --release --offline -p candle-kernels) >/dev/null 2>&1
run 0 "$assay" doctor "$work/prebuilt" "${project[@]}"
expect_line "doctor" 'fits +release +README says Candle 0.9.2, as Cargo.lock has candle-kernels from a path'
expect_line "doctor" 'built in +100 s'

# ---- installed, the build skips what it would compile; uninstalled, it compiles again ----
# the failed build has left a PTX file of its own, and the header that it copies
run 3 "$assay" install "$work/prebuilt" "${project[@]}" --no-verify
expect_line "a file in the way" 'candle-kernels-.*: holds files that assay did not put there .*unary.ptx.*--force'
rm -r "$work"/user/target/release/build/candle-kernels-*/out/{*.ptx,ptx.rs} "$work/user/target/assay"
outs user >"$work/before"
run 0 "$assay" install "$work/prebuilt" "${project[@]}" --no-verify --dry-run
expect_line "dry run" '6 files would be installed in'
outs user | cmp -s "$work/before" - || fail "--dry-run changed something"
[ ! -e "$work/user/target/assay" ] || fail "--dry-run left target/assay"
run 0 "$assay" install "$work/prebuilt" "${project[@]}" --no-verify
expect_line "installed" 'candle-kernels: 6 files installed in .*/out'
expect_line "time saved" 'Build time saved: 3 min 20 s'
cargo_build user 3
expect "compiled after install" "" "$compiled"
expect "linked after install" "attention 7 moe 7 unary 7" "$says"
run 0 "$assay" install --status "${project[@]}"
expect_line "status" 'candle-flash-attn 0.9.2: 2 files'
expect_line "status" "from $work/prebuilt/candle-kernels-.*beef"
grep -q 'changed or gone' "$work/out" && fail "a build changed what was installed: $(cat "$work/out")"
run 0 "$assay" uninstall "${project[@]}"
expect_line "removed" 'candle-flash-attn: 2 files removed from'
[ -z "$(find "$work/user/target" -name '.assay*')" ] || fail "uninstall left $(find "$work/user/target" -name '.assay*')"
expect "files that are left" "cuda_utils.cuh" "$(cd "$work/user/target/release/build" && find . -path '*/out/*' -printf '%f\n')"
run 0 "$assay" uninstall "${project[@]}"
expect_line "nothing left" 'Nothing is installed'
cargo_build user 3
expect "compiled after uninstall" "$everything" "$compiled"
expect "linked after uninstall" "attention 3 moe 3 unary 3" "$says"

# ---- over a finished build: only with --force, and what was there comes back as it was ----
outs user >"$work/before"
run 3 "$assay" install "$work/prebuilt" "${project[@]}" --no-verify
outs user | cmp -s "$work/before" - || fail "a refused install changed something"
run 0 "$assay" install "$work/prebuilt" "${project[@]}" --no-verify --force
run 0 "$assay" install "$work/prebuilt" "${project[@]}" --no-verify # once more changes nothing
run 0 "$assay" uninstall "${project[@]}"
expect_line "put back" '6 displaced files put back'
outs user | cmp -s "$work/before" - || fail "uninstall did not put back what was displaced"
cargo_build user 3
expect "compiled after install and uninstall without a build between" "" "$compiled"
run 0 "$assay" install "$work/prebuilt" "${project[@]}" --no-verify --force
cargo_build user 3
expect "compiled over a finished build" "" "$compiled"
expect "linked over a finished build" "attention 7 moe 7 unary 7" "$says"

# ---- what was displaced was deleted: told, and with --force Cargo builds it anew ----
# (the program was not built since, so that the time of its build script would be given back)
run 0 "$assay" uninstall "${project[@]}"
cargo_build user 3
run 0 "$assay" install "$work/prebuilt" "${project[@]}" --no-verify --force
rm -r "$work"/user/target/release/build/candle-flash-attn-*/.assay-out.kept
rm "$work"/user/target/release/build/candle-kernels-*/.assay-out.kept/ptx.rs
outs user >"$work/before"
for how in "" --dry-run; do
    run 3 "$assay" uninstall "${project[@]}" $how
    expect_line "displaced files that were deleted" '\.assay-out\.kept: lacks what was displaced: .*--force'
done
outs user | cmp -s "$work/before" - || fail "a refused uninstall changed something"
run 0 "$assay" uninstall "${project[@]}" --force
expect_line "all that is lost" 'libflashattention.a: displaced, and gone since; nothing is put back, and Cargo builds all of it anew'
# with the PTX files but without ptx.rs the build script would compile nothing, and so not write ptx.rs
expect_line "some that is lost" ' ptx.rs: displaced, and gone since; nothing is put back'
grep -q 'put back$' "$work/out" && fail "files were put back beside those that are lost: $(cat "$work/out")"
[ -z "$(find "$work/user/target" -name '.assay*')" ] || fail "uninstall left $(find "$work/user/target" -name '.assay*')"
cargo_build user 3
expect "compiled after what was displaced was deleted" "$everything" "$compiled"
expect "linked after what was displaced was deleted" "attention 3 moe 3 unary 3" "$says"
run 0 "$assay" install "$work/prebuilt" "${project[@]}" --no-verify --force
cargo_build user 3

# ---- a file that was changed since stays, and is named ----
changed=$(echo "$work"/user/target/release/build/candle-kernels-*/out/affine.ptx)
echo '// mine' >>"$changed"
run 0 "$assay" install --status "${project[@]}"
expect_line "status of a changed file" 'changed or gone: affine.ptx'
run 3 "$assay" install "$work/prebuilt" "${project[@]}" --no-verify
run 0 "$assay" uninstall "${project[@]}"
expect_line "a changed file" 'affine.ptx: was changed after it was installed, and is kept'
tail -1 "$changed" | grep -q mine || fail "a changed file was removed"
run 0 "$assay" uninstall "${project[@]}" --force
cargo_build user 3
expect "linked in the end" "attention 3 moe 3 unary 3" "$says"

# ---- CANDLE_FLASH_ATTN_BUILD_DIR ----
mkdir "$work/flash"
attention=$(echo "$work"/prebuilt/candle-flash-attn-*)
export CANDLE_FLASH_ATTN_BUILD_DIR=$work/flash
run 0 "$assay" install "$attention/out" "${project[@]}" --no-verify
[ -e "$work/flash/libflashattention.a" ] || fail "CANDLE_FLASH_ATTN_BUILD_DIR is not used"
touch "$work/user/candle-flash-attn/build.rs"
cargo_build user 3
expect "compiled with CANDLE_FLASH_ATTN_BUILD_DIR" "" "$compiled"
expect "linked with CANDLE_FLASH_ATTN_BUILD_DIR" "attention 7 moe 3 unary 3" "$says"
run 0 "$assay" uninstall "${project[@]}"
expect "left in CANDLE_FLASH_ATTN_BUILD_DIR" "" "$(ls -A "$work/flash")"
unset CANDLE_FLASH_ATTN_BUILD_DIR

# ---- verified before it is installed: an archive that is right, and one that is not ----
for kind in right wrong; do
    mkdir -p "$work/$kind/candle-flash-attn-00112233445566aa/out"
done
cp "$specimens/candle-flash-attn-specimen/out/libflashattention.a" "$work/right/candle-flash-attn-00112233445566aa/out/" &&
    cp "$specimens/faulty/outlier_head/libflashattention.a" "$work/wrong/candle-flash-attn-00112233445566aa/out/" || exit 1
outs user >"$work/before"
few=(--device cpu --filter 'attention/f16/d64/h1:1/*s32:*')
run 1 "$assay" install "$work/wrong" "${project[@]}" --force --device cpu --filter 'attention/f16/d64/h1:2/*s32:*' --filter 'attention/f16/d64/h2:2/*s32:*'
expect_line "a wrong archive" 'a verdict is bad, and nothing is installed'
outs user | cmp -s "$work/before" - || fail "an archive that failed verification changed something"
# nothing is verified for what could not be installed: files in the way, and two folders for one place
mkdir "$work/toolkit" && echo '{"cuda": {"name": "CUDA SDK", "version": "11.8.0"}}' >"$work/toolkit/version.json"
run 3 env PATH=/usr/bin:/bin CUDA_HOME="$work/toolkit" "$assay" install "$work/right" "${project[@]}" "${few[@]}"
expect_line "a file in the way, before verification" 'libflashattention.a.*--force'
grep -q Verified "$work/out" && fail "verified what could not be installed"
mkdir "$work/two" && cp -r "$work/right/candle-flash-attn-00112233445566aa" "$work/two/" &&
    cp -r "$work/right/candle-flash-attn-00112233445566aa" "$work/two/candle-flash-attn-00112233445566bb"
run 3 "$assay" install "$work/two" "${project[@]}" --force "${few[@]}"
expect_line "two folders of one crate" 'would both go to .*; install one of them'
grep -q Verified "$work/out" && fail "verified what could not be installed"
run 0 "$assay" install "$work/right" "${project[@]}" --force "${few[@]}"
expect_line "a right archive" '^Verified on cpu: [0-9]+ of [0-9]+ cases passed'
run 0 "$assay" install --status "${project[@]}"
expect_line "status of a verified one" 'verified: cpu: '
run 0 "$assay" uninstall "${project[@]}"
outs user | cmp -s "$work/before" - || fail "uninstall after a verified install"

# ---- two at once, and beside a build ----
mkdir -p "$work/user/target/assay"
exec 9>"$work/user/target/assay/lock"
flock 9
run 3 "$assay" install "$work/prebuilt" "${project[@]}" --no-verify --force
expect_line "two at once" 'another assay install or uninstall is at work here'
exec 9>&-
exec 9<"$work/user/target/release/.cargo-lock"
flock 9
run 3 "$assay" install "$work/prebuilt" "${project[@]}" --no-verify --force
expect_line "beside a build" 'Cargo is building here'
exec 9<&-
outs user | cmp -s "$work/before" - || fail "an install that had to wait changed something"

# ---- killed, or out of room, at every step: what there is is the old or the new, and the next command puts it in order ----
# in memory where that can be: what is tested is the order of the steps, not the disk; without cargo, rustc or nvcc: the same, and fast
rooms=$(mktemp -d /dev/shm/assay-cargo.XXXXXX 2>/dev/null || mktemp -d "$work/rooms.XXXXXX")
trap 'rm -rf "$work" "$rooms"' EXIT
mkdir -p "$work/one/candle-flash-attn-aaaabbbbccccdddd/out/deep" "$work/failed"
cp "$attention/out/libflashattention.a" "$work/one/candle-flash-attn-aaaabbbbccccdddd/out/"
echo theirs >"$work/one/candle-flash-attn-aaaabbbbccccdddd/out/deep/note.txt"
alone=(env PATH=/nonexistent HOME="$work" "$assay")

# The project of one series: $room, its build folder $built, and what it looks like before ($room.old) and after ($room.new).
open_room() {
    room=$rooms/$1
    built=$room/target/release/build/candle-flash-attn-0123456789abcdef
    mkdir -p "$built/out/sub"
    cp "$here/project/Cargo.toml" "$work/user/Cargo.lock" "$room/"
    echo mine | tee "$built/out/libflashattention.a" >"$built/out/sub/other.o"
    touch -d '2026-02-02' "$built/output" "$built/out/libflashattention.a"
    install_one=(install "$work/one" --project "$room" --no-verify --force)
    uninstall_one=(uninstall --project "$room")
    state >"$room.old"
    tree "$built/out" >"$room.old.out"
    steps install "${install_one[@]}"
    tree "$built/out" >"$room.new.out"
    cmp -s "$room.old.out" "$room.new.out" && complain "the install changes nothing"
    steps uninstall "${uninstall_one[@]}"
    state | cmp -s "$room.old" - || complain "uninstall leaves another state"
}
state() { # of the room, with the times that count
    tree "$built" && stat -c '%n %y' "$built/output" "$built/out/libflashattention.a"
}
steps() { # WHAT COMMAND...: how many steps it has, in $room.WHAT
    local what=$1
    shift
    FAULT_COUNT=$room.$what LD_PRELOAD=$fault "${alone[@]}" "$@" >"$room.said" 2>&1 || complain "$what: $(cat "$room.said")"
    [ "$(cat "$room.$what")" -gt 20 ] || complain "only $(cat "$room.$what") steps of $what are counted"
}
complain() { # a series runs in a process of its own
    echo "FAILED: ${room##*/}: $*" >&2
    : >"$(mktemp "$work/failed/XXXXXX")"
}
# faulty EXPECTED-CODES COMMAND...: with FAULT_AT and FAULT_ERRNO of the caller
faulty() {
    local codes=$1 code
    shift
    { LD_PRELOAD=$fault "${alone[@]}" "$@" >"$room.said" 2>&1; } 2>/dev/null
    code=$?
    case " $codes " in
    *" $code "*) ;;
    *) complain "step $FAULT_AT: exit code $code: $(cat "$room.said")" ;;
    esac
}
# The folder is the old or the new one, and uninstalling leads to the old one.
in_order() {
    tree "$built/out" >"$room.now"
    cmp -s "$room.now" "$room.old.out" || cmp -s "$room.now" "$room.new.out" ||
        complain "step $FAULT_AT: half installed: $(diff "$room.old.out" "$room.now")"
    put_back
}
put_back() {
    local left
    # whoever comes next may come after a reboot
    env -u FAULT_AT -u FAULT_ERRNO LD_PRELOAD="$fault" FAULT_DEVICE=7 "${alone[@]}" "${uninstall_one[@]}" >"$room.said" 2>&1 ||
        complain "step $FAULT_AT: uninstall: $(cat "$room.said")"
    state | cmp -s "$room.old" - || complain "step $FAULT_AT: $(state | diff "$room.old" -)"
    left=$(find "$room" -name '.assay*' -o -path '*/assay/*' -type f ! -name lock ! -name installed.json)
    [ -z "$left" ] || complain "step $FAULT_AT leaves $left"
}
install_killed() {
    open_room install_killed
    for ((FAULT_AT = 1; FAULT_AT <= $(cat "$room.install"); FAULT_AT++)); do
        export FAULT_AT
        faulty 137 "${install_one[@]}"
        in_order
    done
}
# In a later step of a container's build than the one that made the folder: it cannot be renamed, so that it goes in pieces.
lower_layer() {
    export FAULT_LAYER=1
    open_room lower_layer
    # the first half makes the new tree, as above
    for ((FAULT_AT = $(cat "$room.install") / 2; FAULT_AT <= $(cat "$room.install"); FAULT_AT++)); do
        export FAULT_AT
        faulty 137 "${install_one[@]}"
        put_back
    done
}
no_room() {
    open_room no_room
    for ((FAULT_AT = 1; FAULT_AT <= $(cat "$room.install"); FAULT_AT++)); do
        export FAULT_AT FAULT_ERRNO=28
        faulty "0 3" "${install_one[@]}"
        in_order
    done
    export FAULT_AT=1 FAULT_ERRNO=30
    faulty 3 "${install_one[@]}"
    grep -q 'Read-only file system' "$room.said" || complain "a read-only target: $(cat "$room.said")"
    in_order
}
uninstall_killed() {
    open_room uninstall_killed
    for ((FAULT_AT = 1; FAULT_AT <= $(cat "$room.uninstall"); FAULT_AT++)); do
        env -u FAULT_AT "${alone[@]}" "${install_one[@]}" >"$room.said" 2>&1 || complain "install: $(cat "$room.said")"
        export FAULT_AT
        faulty 137 "${uninstall_one[@]}"
        in_order
    done
}
for series in install_killed lower_layer no_room uninstall_killed; do
    ("$series") &
done
wait
failures=$((failures + $(find "$work/failed" -type f | wc -l)))

[ $failures = 0 ] || {
    echo "$failures failures"
    exit 1
}
echo "all as expected: $(cat "$rooms/no_room.install") steps of an install, $(cat "$rooms/no_room.uninstall") of an uninstall"
