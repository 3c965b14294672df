# Outputs that cannot be written: a message, exit code 3, and nothing half-written.
cp "$SOURCE/tests/e2e/cases.spec" .
archive libflashattention.a 'void run_mha(void) {}'
mkdir folder
verify() {
    try assay verify libflashattention.a --device cpu --dataset cases.spec --filter d40 --quiet "$@" | sed '/^cpu$/,/^ *fail .*cases/d'
}
# The reason depends on who asks and on the machine.
some_reason() {
    sed -E 's/(: cannot be (written|made)[^:]*): .*/\1: REASON/'
}
reasoned() {
    "$@" 2>message
    some_reason <message >&2
    rm message
}
built() {
    try assay dataset build cases.spec -o "$1" --filter d40
}
built folder
built folder/
reasoned built missing/out.h5
reasoned built /sys/kernel/out.h5
built /dev/full
reasoned built libflashattention.a/out.h5
verify --out folder
reasoned verify --out missing/out.h5
reasoned verify --out /sys/kernel/out.h5
verify --out /dev/null
ln -s nowhere.h5 link.h5
verify --out link.h5
built link.h5
rm link.h5
verify --json folder
reasoned verify --json missing/out.json
verify --json /dev/full
verify --markdown folder
verify --keep-failures libflashattention.a
reasoned try assay bench libflashattention.a --device cpu --dataset cases.spec --filter d40 --quiet --benchmark-json missing/b.json
try assay inspect libflashattention.a --json folder
reasoned try assay inspect libflashattention.a --json missing/a.json
try assay devices --json /dev/full | grep -v '^cpu\|^cuda\|^no CUDA'
try assay report folder
only cases.spec folder libflashattention.a
[ -c /dev/full ] && [ -c /dev/null ] || echo "a device was replaced by a file"

# What is no regular file is written to as it is.
assay devices --json /dev/stderr 2>&1 >/dev/null | json_value schema

# A folder that may not be written to. Whoever may do everything is not stopped, and takes a file system that is read-only.
mkdir locked
chmod a-w locked
if is_root; then target=/proc/out.h5; else target=locked/out.h5; fi
assay dataset build cases.spec -o $target --filter d40 2>message
echo "exit code in a folder that may not be written to: $?"
sed -E "s#$target#FILE#" message | some_reason >&2
assay verify libflashattention.a --device cpu --dataset cases.spec --filter d40 --quiet --out $target >/dev/null 2>message
echo "exit code in a folder that may not be written to: $?"
sed -E "s#$target#FILE#" message | some_reason >&2
chmod u+w locked
rmdir locked
rm message

# No room: a limit on the size of files stands for a full disk.
mkdir full
cd full || exit
limited() {
    local title="\$ limited to $1 KiB: ${*:2}"
    printf '%s\n' "$title"
    printf '%s\n' "$title" >&2
    (
        ulimit -f "$1"
        "${@:2}"
    ) 2>message
    printf '[exit code %d]\n' $?
    sed -E 's/: [^:]*(File too large|write failed|unable to|Unable to|file write).*/: REASON/' message >&2
    rm -f message
    [ -z "$(ls)" ] || echo "left behind:" *
    [ ! -e out.h5 ] || cat out.h5
}
limited 100 assay dataset build ../cases.spec -o out.h5
limited 4 assay dataset build ../cases.spec -o out.h5 --filter d40
limited 4 assay inspect ../libflashattention.a --json out.json >/dev/null
assay verify ../libflashattention.a --device cpu --dataset ../cases.spec --filter d40 --quiet >/dev/null # so that it is linked
limited 4 assay verify ../libflashattention.a --device cpu --dataset ../cases.spec --filter d40 --quiet --out out.h5
limited 64 assay verify ../libflashattention.a --device cpu --dataset ../cases.spec --quiet --out out.h5
rm out.h5.partial # what was finished: kept, and said so
echo old >out.h5
limited 100 assay dataset build ../cases.spec -o out.h5
rm out.h5
cd ..

# Standard output counts as well.
for command in --version 'verify --help' "dataset list cases.spec" "verify --list --dataset cases.spec" "inspect libflashattention.a" \
    devices; do
    # shellcheck disable=SC2086
    assay $command >/dev/full
    echo "exit code of assay $command >/dev/full: $?"
done
assay verify libflashattention.a --device cpu --dataset cases.spec --filter d40 --without-check no-launch >/dev/full
echo "exit code of verify >/dev/full: $?"
