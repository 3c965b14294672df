#!/usr/bin/env bash
# Windows device code under a donor's host code, on the cpu device: archives of this project's own specimens, disguised as
# Windows ones (tests/tools/disguise.c), say what their Linux forms say, bit for bit; what does not fit is refused, case by case
# where it can be.
# usage: donor.sh ASSAY CC JSON_VALUE DISGUISE PREBUILT_PTX SPECIMENS CXX
. "$(dirname "$0")/lib.sh"
json_value=${3:?the program json_value} disguise=${4:?the program disguise} prebuilt_ptx=${5:?the program prebuilt_ptx}
specimens=${6:?the folder of specimens around prebuilt PTX} cxx=${7:?a C++ compiler}
specimen_source=$here/../../kernels/specimen
tool=${ASSAY_MINGW_AS:-x86_64-w64-mingw32-as}
command -v "$tool" >/dev/null || {
    echo "SKIPPED: there is no $tool (Debian: binutils-mingw-w64-x86-64)"
    exit 77
}
good=$specimens/candle-flash-attn-specimen/out/libflashattention.a
cases=(--device cpu --repeats 1 --filter attention/f16/d64/h1:1 --filter attention/f16/d64/h2:2 --filter attention/bf16/d64/h2)

# windows NAME ARCHIVE OPTION...: $work/NAME/libflashattention.a
windows() {
    local name=$1 archive=$2
    shift 2
    mkdir -p "$work/$name"
    "$disguise" "$@" "$archive" "$work/$name/libflashattention.a" || fail "$name: cannot be disguised"
}

# run NAME CODE COMMAND...: what it prints goes to $work/NAME.txt
run() {
    local name=$1 code=$2 got
    shift 2
    "$@" >"$work/$name.txt" 2>"$work/$name.err"
    got=$?
    [ $got = "$code" ] || fail "$name: exit code $got instead of $code: $(tail -n 5 "$work/$name.txt" "$work/$name.err")"
}

says() {
    grep -qF -- "$2" "$work/$1" || {
        fail "$1 does not say: $2"
        sed 's/^/    /' "$work/$1" >&2
    }
}

value() {
    "$json_value" "$2" <"$work/$1.json"
}

# same BASE NEW CASES: result files with the same verdicts and bits
same() {
    run "$2-compared" 0 "$assay" compare "$work/$1.h5" "$work/$2.h5"
    says "$2-compared.txt" "$3 cases bit-identical, 0 with other bits"
    says "$2-compared.txt" "0 became worse, 0 better, 0 other"
}

# ---- the specimen: without a donor, with one, and with the very Linux archive under the same host code
windows good "$good"
run alone 3 "$assay" verify "$work/good/libflashattention.a" "${cases[@]}"
says alone.txt "is a Windows object (COFF)"
says alone.txt "name an archive of the same release for Linux with --donor"
run linux 0 "$assay" verify "$good" "${cases[@]}" --out "$work/linux.h5" --json "$work/linux.json"
run good 0 "$assay" verify "$work/good/libflashattention.a" "${cases[@]}" --donor "$good" --out "$work/good.h5" --json "$work/good.json" \
    --markdown "$work/good.md"
count=$(value linux runs.0.summary.cases)
expect "cases" "$count" "$(value good runs.0.summary.statuses.pass)"
same linux good "$count"
says good.txt "host code      was NOT run: these kernels were launched by the host code of $good"
says good.md "was NOT run"
expect "donor" "$good" "$(value good runs.0.artifacts.0.donor.path)"
expect "donor's digest" "$(sha256sum "$good" | cut -d ' ' -f 1)" "$(value good runs.0.artifacts.0.donor.sha256)"
expect "matched" 24 "$(value good runs.0.artifacts.0.donor.kernels_matched)"
expect "no donor" null "$(value linux runs.0.artifacts.0.donor)"
"$assay" report "$work/good.h5" --json - >"$work/again.json"
expect "donor of the result file" "$good" "$(value again runs.0.artifacts.0.donor.path)"
run folder 0 "$assay" verify "$work/good" --device cpu --repeats 0 --filter d64/h2:2/b1/s32:32/full --donor "$(dirname "$good")"

# ---- faulty twins: the verdict of the Linux form, whoever launches
for twin in outlier_head reads_past_k; do
    elf=$specimens/faulty/$twin/libflashattention.a
    windows "$twin" "$elf"
    run "$twin-linux" 1 "$assay" verify "$elf" "${cases[@]}" --out "$work/$twin-linux.h5" --json "$work/$twin-linux.json"
    run "$twin" 1 "$assay" verify "$work/$twin/libflashattention.a" "${cases[@]}" --donor "$elf" --out "$work/$twin.h5" --json "$work/$twin.json"
    [ "$(value "$twin" runs.0.summary.statuses.fail)" -gt 0 ] || fail "$twin: nothing failed"
    for status in pass fail; do
        expect "$twin: $status" "$(value "$twin-linux" runs.0.summary.statuses.$status)" "$(value "$twin" runs.0.summary.statuses.$status)"
    done
    run "$twin-compared" 0 "$assay" compare "$work/$twin-linux.h5" "$work/$twin.h5"
    says "$twin-compared.txt" ", 0 with other bits"
done
says outlier_head.txt "numbers: "
says reads_past_k.txt "access: out of bounds"
command=$(sed -n 's/^ *reproduce: assay //p' "$work/reads_past_k.txt" | head -n 1)
eval "\"\$assay\" $command" >"$work/reproduced" 2>&1
expect "exit code of a repeated failure" 1 $?

# ---- the two forms against each other, run by the same host code
run sides 0 "$assay" compare "$good" "$work/good/libflashattention.a" --donor "$good" --device cpu --filter d64/h2:2/b1/s32:32 --json "$work/sides.json"
says sides.txt "2 cases bit-identical, 0 with other bits"
run files 2 "$assay" compare "$work/linux.h5" "$work/good.h5" --donor "$good"

# ---- host defects apart from device defects: the kernels of a host that launches nothing, launched by a sound one. Twins have the
# kernels with transforms alone: what launches others is unsupported, and nothing else.
run idle-host 1 "$assay" verify "$specimens/faulty/launches_nothing/libflashattention.a" "${cases[@]}"
says idle-host.txt "the entry point launched no kernel"
run idle 0 "$assay" verify "$specimens/faulty/launches_nothing/libflashattention.a" "${cases[@]}" --donor "$good" --json "$work/idle.json"
says idle.txt "no donor kernel: void specimen::attention_forward<__half, 64, false>(specimen::attention_arguments): the artifact has no"
expect "judged" "$count" "$(($(value idle runs.0.summary.statuses.pass) + $(value idle runs.0.summary.statuses.unsupported)))"
for ((i = 0; i < count; i++)); do
    transforms=$(value linux "runs.0.cases.$i.launches.0.kernel" | grep -c 'ELb1E')
    expect "$(value linux "runs.0.cases.$i.name") under a sound host" "$([ "$transforms" = 1 ] && echo pass || echo unsupported)" \
        "$(value idle "runs.0.cases.$i.status")"
done

# ---- names that differ: a kernel in an anonymous namespace, with a 64-bit integer among its arguments
mkdir "$work/ptx"
"$prebuilt_ptx" unpack "$specimen_source/prebuilt/specimens.zst" "$work/ptx" || fail "the prebuilt PTX cannot be unpacked"
before=_ZN8specimen45_GLOBAL__N__4498723b_12_attention_cu_0a1b2c3d17attention_forwardI between=Ll64ELb
sed "s/_ZN8specimen17attention_forwardI/$before/g; s/\\(6__half\\|13__nv_bfloat16\\)Li64ELb/\\1$between/g" "$work/ptx/attention_64.ptx" >"$work/named.ptx"
"$prebuilt_ptx" pack "$work/named.zst" "$work/named.ptx" >/dev/null && "$prebuilt_ptx" fatbin "$work/named.zst" named "$work/named.fatbin" &&
    "$cxx" -x c++ -std=c++17 -O2 -fPIC -c -o "$work/named.o" -I "$specimen_source/host" "-DSPECIMEN_FATBIN=\"$work/named.fatbin\"" -DSPECIMEN_TWIN \
        -DSPECIMEN_PER_THREAD_STREAM -DSPECIMEN_FAULT=0 -DSPECIMEN_HEAD_DIM=64 "-DSPECIMEN_KERNEL_BEFORE=\"$before\"" \
        "-DSPECIMEN_KERNEL_BETWEEN=\"$between\"" "$specimen_source/host/attention_host.cc" && ar rcs "$work/named.a" "$work/named.o" ||
    fail "the specimen with other names cannot be built"
windows named "$work/named.a"
run named-linux 0 "$assay" verify "$work/named.a" "${cases[@]}" --out "$work/named-linux.h5"
run named 0 "$assay" verify "$work/named/libflashattention.a" "${cases[@]}" --donor "$work/named.a" --out "$work/named.h5" --json "$work/named.json"
same named-linux named "$count"
expect "matched by folded names" "4 0" "$(value named runs.0.artifacts.0.donor.kernels_matched) $(value named runs.0.artifacts.0.donor.kernels_matched_by_name)"
case $(value named runs.0.cases.0.launches.0.kernel) in
*Lx64E*) ;;
*) fail "the kernel that ran is not told by its Windows name: $(value named runs.0.cases.0.launches.0.kernel)" ;;
esac
run against 0 "$assay" inspect --against "$work/named.a" "$work/named/libflashattention.a"
says against.txt "4 common kernels: code identical in all"

# ---- a kernel less, and one with a parameter of another size: unsupported for what launches it
windows less "$work/named.a" --replace 13__nv_bfloat16=13__nv_bfloat17
run less 0 "$assay" verify "$work/less/libflashattention.a" "${cases[@]}" --donor "$work/named.a" --json "$work/less.json"
windows other "$work/named.a" --replace 'bfloat16Lx64ELb1EEEvNS_19attention_argumentsE_param_0[216]=bfloat16Lx64ELb1EEEvNS_19attention_argumentsE_param_0[224]' \
    --replace 'bfloat16Lx64ELb0EEEvNS_19attention_argumentsE_param_0[216]=bfloat16Lx64ELb0EEEvNS_19attention_argumentsE_param_0[208]'
run other 0 "$assay" verify "$work/other/libflashattention.a" "${cases[@]}" --donor "$work/named.a" --json "$work/other.json"
for name in less other; do
    for ((i = 0; i < count; i++)); do
        case $(value $name "runs.0.cases.$i.name") in
        */bf16/*) expect "$name: case $i" unsupported "$(value $name "runs.0.cases.$i.status")" ;;
        *) expect "$name: case $i" pass "$(value $name "runs.0.cases.$i.status")" ;;
        esac
    done
done
says less.txt "no donor kernel: void specimen::"
says other.txt "its parameter 0 is of 224 bytes at 0, that of the donor's kernel of 216 bytes at 0"
says other.txt "no match       2: cases that launch them are unsupported"

# ---- libmoe, whose functions are operators: the same, and a twin that reads beyond its input
moe=$(dirname "$specimens")/moe_gguf
windows moe "$moe/good/libmoe.a"
mkdir "$work/libmoe" && mv "$work/moe/libflashattention.a" "$work/libmoe/libmoe.a"
functions=(--device cpu --repeats 0 --filter 'moe_gemm_gguf*k:32*')
run moe-alone 3 "$assay" verify "$work/libmoe" "${functions[@]}"
run moe-linux 0 "$assay" verify "$moe/good/libmoe.a" "${functions[@]}" --out "$work/moe-linux.h5" --json "$work/moe-linux.json"
run moe 0 "$assay" verify "$work/libmoe" "${functions[@]}" --donor "$moe/good/libmoe.a" --out "$work/moe.h5" --json "$work/moe.json"
same moe-linux moe "$(value moe-linux runs.0.summary.cases)"
expect "donor of libmoe" "$moe/good/libmoe.a" "$(value moe runs.0.artifacts.0.donor.path)"
windows row "$moe/faulty/row_of_slot/libmoe.a"
run row 1 "$assay" verify "$work/row/libflashattention.a" --device cpu --repeats 0 --filter 'moe_gemm_gguf/*tokens:1/*' --donor "$moe/good/libmoe.a"
says row.txt "access: out of bounds"

# ---- what cannot be a donor
windows none "$work/named.a" --replace 17attention_forward=17attention_reverse
run none 3 "$assay" verify "$work/none/libflashattention.a" "${cases[@]}" --donor "$work/named.a"
says none.txt "none of its kernels fits the host code of the donor"
run foreign 3 "$assay" verify "$work/good/libflashattention.a" "${cases[@]}" --donor "$work/good/libflashattention.a"
says foreign.txt "the donor has to be an archive for Linux"
run absent 3 "$assay" verify "$work/good/libflashattention.a" "${cases[@]}" --donor "$work/nothing.a"
says absent.err "--donor: "
run real 2 "$assay" verify "$work/good/libflashattention.a" "${cases[@]}" --donor "$good" --cudart real
finish
