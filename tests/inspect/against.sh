#!/usr/bin/env bash
# `assay inspect --against` and --policy on twins that this machine's nvcc makes of one source with other flags, and its JSON
# against docs/inspect-difference-json.schema.json. Without nvcc only what a C compiler can make is compared.
#   usage: against.sh ASSAY CHECK_SCHEMA SOURCE CC
set -uo pipefail
assay=${1:?the program under test} check=${2:?check_schema} source=${3:?the source folder} cc=${4:?a C compiler}
schema=$source/docs/inspect-difference-json.schema.json
export PATH=$PATH:/usr/local/cuda/bin LC_ALL=C
nvcc=${NVCC:-$(command -v nvcc || true)}
work=$(mktemp -d "${TMPDIR:-/tmp}/assay-against.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0 count=0

fail() {
    echo "FAILED $*"
    failed=1
}

# compare NAME EXIT-CODE BASE NEW [OPTIONS...]: the text goes to NAME.txt, the JSON is checked
compare() {
    local name=$1 want=$2 base=$3 new=$4 code
    shift 4
    "$assay" inspect --against "$base" "$new" --json "$name.json" "$@" >"$name.txt" 2>"$name.err"
    code=$?
    count=$((count + 1))
    [ $code = "$want" ] || fail "$name: exit code $code, not $want: $(cat "$name.err")"
    "$check" "$schema" "$name.json" || fail "$name: its JSON is not as documented"
}

# says NAME TEXT: the text has a line with it
says() {
    grep -qF -- "$2" "$1.txt" || { fail "$1 does not say '$2':"; cat "$1.txt"; }
}

printf 'int run_mha(void) { return 1; }\n' >one.c
printf 'int run_mha(void) { return 1; }\nint more(void) { return 2; }\n' >two.c
"$cc" -fPIC -c one.c -o one.o && "$cc" -fPIC -c two.c -o two.o && ar rcsD one.a one.o && ar rcsD two.a two.o || fail "cc"
mkdir base new && cp one.a base/lib.a && cp two.a new/lib.a && cp one.a new/other.a
compare host 0 one.a two.a
says host "1 common; +more"
compare folders 0 base new --policy "$source/policies/publish.ini"
says folders "only in the new one: new/other.a"
compare differ 1 base new --fail-on-difference
compare policy 1 two.a one.a --policy "$source/policies/publish.ini"
says policy "the entry point more is gone"

# the check is none if it cannot fail
sed 's/"same": [a-z]*/"same": "so"/' host.json >wrong.json
if "$check" "$schema" wrong.json 2>/dev/null; then fail "wrong.json is taken as right"; fi

if [ -z "$nvcc" ]; then
    echo "$count documents checked; without nvcc: none with device code"
    exit $failed
fi

cat >k.cu <<'END'
#include <cstddef>
#include <cstdint>
typedef WIDE wide;
typedef UWIDE uwide;
namespace {
template <typename T, wide N> __global__ void filled(T *out, uwide count, wide value)
{
	for (uwide i = threadIdx.x; i < count; i += N)
		out[i] = T(value);
}
}
__global__ void sums(const float *in, float *out, int count)
{
	float all[32];
	for (int i = 0; i < 32; i++)
		all[i] = in[threadIdx.x * 32 + i] / float(count);
	for (int i = 0; i < 32; i++)
		for (int k = 0; k < 32; k++)
			out[(threadIdx.x * 32 + i) * 32 + k] = all[i] / (1.0f + all[k] * all[i]);
}
#ifdef EXTRA
__global__ void extra(float *p) { *p = 1; }
#endif
extern "C" void run(void)
{
	filled<float, 7><<<1, 32>>>(nullptr, 1, 2);
	sums<<<1, 32>>>(nullptr, nullptr, 1);
}
END
build() { # OUTPUT FLAGS...
    local output=$1
    shift
    "$nvcc" -Xcompiler -fPIC -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code='[sm_90,compute_90]' \
        -DWIDE="${wide:-long}" -DUWIDE="unsigned ${wide:-long}" "$@" -c k.cu -o "$output" || fail "nvcc $*"
}
build plain.o
wide='long long' build windows.o
build fast.o --use_fast_math
build few.o -maxrregcount=24
build more.o -DEXTRA
build lines.o -lineinfo
build debug.o -G
build packed.o -Xfatbin -compress-all
build streams.o --default-stream per-thread
"$nvcc" -Xcompiler -fPIC -arch=sm_90 -DWIDE=long -DUWIDE='unsigned long' -c k.cu -o sm90.o || fail "nvcc -arch=sm_90"
mkdir elsewhere && cp k.cu elsewhere/other.cu && (cd elsewhere && "$nvcc" -Xcompiler -fPIC -gencode arch=compute_80,code=sm_80 \
    -gencode arch=compute_90,code='[sm_90,compute_90]' -DWIDE=long -DUWIDE='unsigned long' -c other.cu -o ../moved.o) || fail "nvcc other.cu"

compare same 0 plain.o plain.o --fail-on-difference
says same "nothing that was compared differs"
compare windows 0 plain.o windows.o --fail-on-difference
says windows "nothing that was compared differs"
compare moved 0 plain.o moved.o --fail-on-difference
says moved "nothing that was compared differs"
compare lines 0 plain.o lines.o
says lines "code identical in all"
says lines "-lineinfo"
compare packed 0 plain.o packed.o
says packed "code identical in all"
says packed "compression: raw, zstd -> zstd"
compare fast 0 plain.o fast.o
says fast "other in 1"
says fast "code differs from instruction"
says fast "sums("
compare few 0 plain.o few.o
says few "register limit none -> 24"
says few "registers: fewer in 1"
says few "spill instructions: more in 1"
compare more 0 plain.o more.o
says more "added         sm_80       extra(float*)"
compare less 1 more.o plain.o --policy "$source/policies/publish.ini"
says less "the kernel _Z5extraPf is gone"
compare targets 1 plain.o sm90.o --policy "$source/policies/publish.ini"
says targets "the target sm_80 is gone"
compare streams 0 plain.o streams.o
says streams "default stream: legacy -> per-thread"

# policies about the twins by themselves
policy() { # EXIT-CODE RULE FILE...
    local want=$1 rule=$2 code
    shift 2
    "$assay" inspect "$@" --policy "$source/policies/publish.ini" >policy.txt 2>&1
    code=$?
    [ $code = "$want" ] || fail "--policy publish $*: exit code $code, not $want"
    if [ "$want" = 1 ] && ! grep -q "^  fail  *$rule" policy.txt; then fail "$* does not fail $rule" && cat policy.txt; fi
}
policy 0 '' plain.o
policy 1 build.debug debug.o
case $work in
/tmp/* | /home/* | /root/*) policy 1 build.paths debug.o ;; # the folder it was built in
esac
policy 1 build.line_info lines.o
ar rcsD mixed.a plain.o sm90.o && policy 1 targets.sass mixed.a
ar rcsD streams.a plain.o streams.o && policy 1 build.default_stream streams.a
"$nvcc" -Xcompiler -fPIC -dc -arch=sm_90 -DWIDE=long -DUWIDE='unsigned long' k.cu -o rdc.o && policy 1 build.relocatable rdc.o
"$nvcc" -Xcompiler -fPIC -dlink -arch=sm_90 rdc.o -o link.o && ar rcsD linked.a rdc.o link.o
"$assay" inspect linked.a --policy "$source/policies/publish.ini" >linked.txt
grep -q 'pass  *build.relocatable' linked.txt || fail "linked.a: $(cat linked.txt)"

echo "$count documents checked"
exit $failed
