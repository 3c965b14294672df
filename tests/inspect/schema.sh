#!/usr/bin/env bash
# What `assay inspect --json` writes is what docs/inspect-json.schema.json documents, key by key, for artifacts of all kinds that
# this machine can make, and the schema's own check finds what is wrong.
#   usage: schema.sh ASSAY CHECK_SCHEMA SOURCE CC
set -uo pipefail
assay=${1:?the program under test} check=${2:?check_schema} source=${3:?the source folder} cc=${4:?a C compiler}
schema=$source/docs/inspect-json.schema.json
export PATH=$PATH:/usr/local/cuda/bin LC_ALL=C
nvcc=${NVCC:-$(command -v nvcc || true)}
mingw=$(command -v x86_64-w64-mingw32-gcc || true)
work=$(mktemp -d "${TMPDIR:-/tmp}/assay-schema.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0 count=0

# document NAME OPTIONS...
document() {
    local name=$1 code
    shift
    "$assay" inspect "$@" --json "$name.json" >/dev/null 2>&1
    code=$?
    count=$((count + 1))
    if [ $code -gt 3 ] || ! "$check" "$schema" "$name.json"; then
        echo "FAILED $name (exit code $code)"
        failed=1
    fi
}

printf 'int run_mha(void) { return 1; }\nextern int cudaMalloc(void **, unsigned long);\nint f(void) { void *p; return cudaMalloc(&p, 1); }\n' >host.c
"$cc" -fPIC -c host.c -o host.o && ar rcsD libhost.a host.o || failed=1
printf 'int f(void) { return 1; }\n' >shared.c
"$cc" -shared -fPIC shared.c -o libshared.so || failed=1
cp "$source"/harness/judge/*.ptx . || failed=1
document module ./*.ptx
document archive libhost.a
document policy libhost.a --policy "$source/policies/publish.ini"
document several libhost.a libshared.so host.o
document missing libhost.a /nonexistent
document gpus libhost.a --gpu sm_86,sm_120
document this "$assay"
if command -v zip >/dev/null; then
    zip -qX tried-1.0-py3-none-any.whl libshared.so libhost.a && document wheel tried-1.0-py3-none-any.whl
else
    echo "without zip: no wheel"
fi
if [ -n "$mingw" ]; then
    "$mingw" -c shared.c -o windows.obj && document coff windows.obj
    "$mingw" -shared shared.c -o windows.dll && document pe windows.dll
fi
if [ -n "$nvcc" ]; then
    "$nvcc" -c -gencode=arch=compute_80,code=sm_80 -gencode=arch=compute_90,code=[sm_90,compute_90] \
        "$source/tests/inspect/kernels.cu" -o code.o && document code code.o
    "$nvcc" -dc -gencode=arch=compute_90,code=[sm_90,lto_90] "$source/tests/inspect/kernels.cu" -o lto.o && document lto lto.o
fi

# the check is none if it cannot fail
sed 's/"sha256"/"sha257"/' archive.json >wrong1.json
sed 's/"bytes": [0-9]*/"bytes": "many"/' archive.json >wrong2.json
sed 's/"level": "[a-z]*"/"level": "shout"/; s/"verdict": "[^"]*"/"verdict": "maybe"/' archive.json >wrong3.json
for wrong in wrong1 wrong2 wrong3; do
    if "$check" "$schema" $wrong.json 2>/dev/null; then
        echo "FAILED: $wrong.json is taken as right"
        failed=1
    fi
done
echo "$count documents checked"
[ -n "$nvcc" ] || echo "without nvcc: none of them with SASS"
exit $failed
