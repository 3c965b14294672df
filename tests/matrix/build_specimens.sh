#!/usr/bin/env bash
# Builds the specimens with several CUDA versions, one folder for each, for `assay matrix` and `assay compare`:
#   build_specimens.sh OUT TOOLKIT...
#     OUT/cuda-<release>/candle-flash-attn-specimen/{output,root-output,out/libflashattention.a}   SASS for ARCH and PTX
#     OUT/cuda-<release>/candle-kernels-specimen/{output,root-output,out/*.ptx}
#     OUT/cuda-<release>/made-by    the programs that made it, as they name themselves
#
# TOOLKIT is a folder with bin/nvcc, or, as package registries have it, one with NVRTC and ptxas somewhere below it:
#   pip install --no-deps --target FOLDER nvidia-cuda-nvcc-cu12==12.6.* nvidia-cuda-nvrtc-cu12==12.6.* \
#       nvidia-cuda-runtime-cu12==12.6.*
# Without nvcc the host code is compiled around what NVRTC and ptxas made (kernels/specimen/host). Of Debian's
# nvidia-cuda-toolkit 11.8 (non-free) /usr/lib/nvidia-cuda-toolkit is one, once it is installed.
#
# ARCH (default 90): SASS for sm_ARCH. MODULES: operator modules, default all. JOBS (default 2): compilers at once. CC, CXX.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
specimen=$(cd "$here/../../kernels/specimen" && pwd)
arch=${ARCH:-90} jobs=${JOBS:-2} cc=${CC:-cc} cxx=${CXX:-c++}
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
die() { echo "build_specimens: $*" >&2; exit 1; }
"$cc" -std=gnu17 -O2 -I "$specimen/../../harness" -o "$work/prebuilt_ptx" "$specimen/host/prebuilt_ptx.c" -lzstd
"$cc" -std=gnu17 -O2 -o "$work/nvrtc_compile" "$here/nvrtc_compile.c" -ldl

modules=${MODULES:-$(cd "$specimen/operators" && printf '%s\n' *.cu | sed 's/\.cu$//')}
buckets="32 64 96 128 192 256"
libraries='cargo::rustc-link-lib=flashattention cargo::rustc-link-lib=dylib=cudart cargo::rustc-link-lib=dylib=stdc++'

first_below() { find -L "$1" -name "$2" -type f 2>/dev/null | sort | head -n 1; }
release_of() { "$1" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p'; }
# the virtual architecture of an operator module, as kernels/specimen/operators/compile.sh tells it
module_arch() { grep -o -m1 'compute_[0-9]*' "$specimen/operators/$1.cu" | head -n 1 || echo compute_80; }

# Cargo's account: $1 folder, $2 cargo directives of the library, standard input: what made it
account() {
    {
        echo 'cargo::rerun-if-changed=build.rs'
        echo 'cargo:rerun-if-env-changed=CUDA_COMPUTE_CAP'
        echo "cargo:rustc-env=CUDA_COMPUTE_CAP=$arch"
        cat
        echo "cargo::rustc-link-search=$1/out"
        [ -z "$2" ] || printf '%s\n' $2
    } >"$1/output"
    printf %s "$1/out" >"$1/root-output"
}

# with_nvcc NVCC FOLDER: all at once, by nvcc's own host code
with_nvcc() {
    local nvcc=$1 folder=$2 flash=$2/candle-flash-attn-specimen kernels=$2/candle-kernels-specimen
    # whether the host's compiler is one that this nvcc knows says little about host code as simple as this
    local common=(-std=c++17 -O3 --expt-relaxed-constexpr --default-stream per-thread -allow-unsupported-compiler)
    local whole=("${common[@]}" --use_fast_math -Xcompiler -fPIC -gencode "arch=compute_80,code=[sm_$arch,compute_80]")
    local quoted
    quoted=$(printf '%q ' "$nvcc" "${whole[@]}")
    {
        for bucket in $buckets; do
            echo "$quoted -c -o $folder/objects/attention_$bucket.o -DSPECIMEN_HEAD_DIM=$bucket $specimen/attention.cu"
        done
        echo "$quoted -c -o $folder/objects/run_mha.o $specimen/run_mha.cu"
        quoted=$(printf '%q ' "$nvcc" "${common[@]}")
        for module in $modules; do
            echo "$quoted --ptx -o $kernels/out/$module.ptx --gpu-architecture=$(module_arch "$module") -DSPECIMEN_EXACT_COVER" \
                "$specimen/operators/$module.cu || { rm -f $kernels/out/$module.ptx; echo $module >>$folder/left-out; }"
        done
    } | xargs -P "$jobs" -d '\n' -L 1 bash -c
    rm -f "$flash/out/libflashattention.a"
    ar rcs "$flash/out/libflashattention.a" "$folder"/objects/*.o
    "$nvcc" --dryrun -c -o "$flash/out/run_mha.o" "${whole[@]}" "$specimen/run_mha.cu" 2>&1 |
        grep -vE '^#\$ (PATH|LD_LIBRARY_PATH)=' |
        account "$flash" "$libraries"
    "$nvcc" --dryrun --ptx -o "$kernels/out/affine.ptx" "${common[@]}" "$specimen/operators/affine.cu" 2>&1 |
        grep -vE '^#\$ (PATH|LD_LIBRARY_PATH)=' | account "$kernels" ''
    "$nvcc" --version >"$folder/made-by"
}

# with_nvrtc LIBNVRTC PTXAS INCLUDE FOLDER
with_nvrtc() {
    local library=$1 ptxas=$2 include=$3 folder=$4 flash=$4/candle-flash-attn-specimen kernels=$4/candle-kernels-specimen
    # the library looks for its builtins by name
    local quoted
    quoted=$(printf '%q ' env "LD_LIBRARY_PATH=$(dirname "$library")" "$work/nvrtc_compile" "$library")
    local options="-std=c++17 '-DINFINITY=__int_as_float(0x7f800000)' -I$include"
    {
        for bucket in $buckets; do
            echo "$quoted $here/attention_device.cu $folder/objects/$bucket.ptx $options --gpu-architecture=compute_80" \
                "-DBUCKET=$bucket --use_fast_math -default-device -I$specimen &&" \
                "$ptxas -arch=sm_$arch -o $folder/objects/$bucket.cubin $folder/objects/$bucket.ptx"
        done
        for module in $modules; do
            echo "$quoted $specimen/operators/$module.cu $kernels/out/$module.ptx $options -DSPECIMEN_EXACT_COVER" \
                "--gpu-architecture=$(module_arch "$module") -I$specimen/operators ||" \
                "{ rm -f $kernels/out/$module.ptx; echo $module >>$folder/left-out; }"
        done
    } | xargs -P "$jobs" -d '\n' -L 1 bash -c
    local host=(-x c++ -std=c++17 -O2 -fPIC -DSPECIMEN_PER_THREAD_STREAM -I "$specimen/host" -c)
    for bucket in $buckets; do
        local image=$folder/objects/$bucket
        "$work/prebuilt_ptx" container "$image.fatbin" "$image.cubin" "$image.ptx"
        "$cxx" "${host[@]}" "-DSPECIMEN_FATBIN=\"$image.fatbin\"" "-DSPECIMEN_HEAD_DIM=$bucket" -o "$image.o" \
            "$specimen/host/attention_host.cc"
    done
    "$cxx" "${host[@]}" -o "$folder/objects/run_mha.o" "$specimen/run_mha.cu"
    rm -f "$flash/out/libflashattention.a"
    ar rcs "$flash/out/libflashattention.a" "$folder"/objects/*.o
    { echo "NVRTC: $(basename "$library")"; "$ptxas" --version; } >"$folder/made-by"
    : | account "$flash" "$libraries"
    : | account "$kernels" ''
}

for toolkit in "$@"; do
    [ -d "$toolkit" ] || die "$toolkit: no folder"
    toolkit=$(cd "$toolkit" && pwd)
    nvcc= ptxas= library= include=
    [ ! -x "$toolkit/bin/nvcc" ] || nvcc=$toolkit/bin/nvcc
    if [ -n "$nvcc" ]; then
        release=$(release_of "$nvcc")
    else
        ptxas=$(first_below "$toolkit" ptxas)
        library=$(first_below "$toolkit" 'libnvrtc.so.[0-9]*')
        include=$(first_below "$toolkit" cuda_fp16.h)
        [ -n "$ptxas" ] && [ -n "$library" ] && [ -n "$include" ] ||
            die "$toolkit: neither bin/nvcc nor all of ptxas, libnvrtc.so.* and cuda_fp16.h below it"
        [ -x "$ptxas" ] || die "$ptxas may not be executed (chmod +x)"
        include=$(dirname "$include")
        release=$(release_of "$ptxas")
    fi
    [ -n "$release" ] || die "$toolkit: its release cannot be told"
    folder=$out/cuda-$release
    rm -rf "$folder"
    mkdir -p "$folder/objects" "$folder"/candle-{flash-attn,kernels}-specimen/out
    if [ -n "$nvcc" ]; then
        with_nvcc "$nvcc" "$folder"
    else
        with_nvrtc "$library" "$ptxas" "$include" "$folder"
    fi
    rm -rf "$folder/objects"
    echo "$folder: $(tail -n 1 "$folder/made-by"); $(find "$folder" -name '*.ptx' | wc -l) modules$(
        [ ! -e "$folder/left-out" ] || echo ", without: $(sort "$folder/left-out" | tr '\n' ' ')")"
done
