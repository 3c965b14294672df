#!/usr/bin/env bash
# What `assay inspect` reads from device code is compared, number by number, with what the tools that made it say: ptxas -v
# while compiling, and cuobjdump where there is one (CUOBJDUMP=PATH, or on the path). Without nvcc it is skipped. OLD_CUDA=FOLDER,
# with ptxas, fatbinary and cuobjdump of a CUDA 11.8 or 12, has cubins of ABI 7 compared as well.
#   usage: crosscheck.sh ASSAY KERNEL_LINES
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
assay=${1:?the program under test} lines=${2:?kernel_lines}
export PATH=$PATH:/usr/local/cuda/bin LC_ALL=C
nvcc=${NVCC:-$(command -v nvcc || true)}
cuobjdump=${CUOBJDUMP:-$(command -v cuobjdump || true)}
[ -n "$nvcc" ] || { echo "skipped: no nvcc (set NVCC)"; exit 77; }
"$nvcc" --version | grep -q 'release 1[3-9]\.' || { echo "skipped: cubins of CUDA before 13.0 state less than ptxas -v says"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/assay-crosscheck.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
checks=0 failures=0

# same WHAT EXPECTED ACTUAL: two sorted lists are equal and not empty
same() {
    checks=$((checks + 1))
    if [ ! -s "$2" ]; then
        echo "FAILED $1: nothing to compare with"
        failures=$((failures + 1))
    elif ! diff -u --label expected "$2" --label assay "$3" >diff.txt; then
        echo "FAILED $1"
        head -n 20 diff.txt
        failures=$((failures + 1))
    fi
}

# ptxas -v names the kernel first, then its stack frame and spills, then the rest.
ptxas_lines() {
    awk '
        /Compiling entry function/ { split($0, q, "\x27"); name = q[2]; target = q[4]; frame = spills = "" }
        /Function properties for/ { mine = $NF == name }
        /bytes stack frame/ && mine { frame = $1; spills = ($5 + $9 > 0) ? "yes" : "no" }
        /Used [0-9]+ registers/ {
            registers = barriers = shared = 0
            n = split($0, part, /[:,]/)
            for (i = 1; i <= n; i++) {
                split(part[i], word, " ")
                if (part[i] ~ /registers/) registers = word[2]
                if (part[i] ~ /used [0-9]+ barriers/) barriers = word[2]
                if (part[i] ~ /bytes smem/) shared = word[1]
            }
            if (name != "") print target, name, "frame=" frame, "registers=" registers, "barriers=" barriers, "shared=" shared, "spills=" spills
            name = ""
        }' | sort
}

usage_lines() {
    awk '/^ *Function / { name = $2; sub(/:$/, "", name) }
         /REG:/ && /CONSTANT\[0\]/ { sub(/STACK:UNKNOWN/, "STACK:-1"); for (i = 5; i <= NF; i++) if (index($i, "CONSTANT[0]")) print name, $1, $2, $3, $4, $i }' | sort
}

record_lines() {
    awk '
        function hex(text,  value, i) {
            value = 0
            text = tolower(substr(text, 3))
            for (i = 1; i <= length(text); i++) value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
            return value
        }
        /^\.nv\.info\./ { name = substr($1, 10); next }
        /^\.[a-z]/ { name = "" }
        name == "" { next }
        /Attribute:/ { attribute = $NF; ordinal = "" ; next }
        /Ordinal/ || /Index/ {
            line = $0; gsub(/[\t:]+/, " ", line); n = split(line, w, " ")
            for (i = 1; i < n; i++) if (w[i] == "Ordinal") ordinal = hex(w[i + 1])
            for (i = 1; i < n; i++) if (w[i] == "Offset") offset = hex(w[i + 1])
            for (i = 1; i < n; i++) if (w[i] == "Size") print name, "parameter", ordinal, offset, hex(w[i + 1])
            next
        }
        /Value:/ {
            sub(/.*Value:/, ""); n = split($0, w, " ")
            if (attribute == "EIATTR_CBANK_PARAM_SIZE") print name, "parameter_bytes", hex(w[1])
            if (attribute == "EIATTR_MAXREG_COUNT") print name, "register_limit", hex(w[1])
            if (attribute == "EIATTR_MAX_THREADS") print name, "max_threads", hex(w[1]), hex(w[2]), hex(w[3])
            if (attribute == "EIATTR_REQNTID") print name, "required_threads", hex(w[1]), hex(w[2]), hex(w[3])
            if (attribute == "EIATTR_CTA_PER_CLUSTER") print name, "cluster", hex(w[1]), hex(w[2]), hex(w[3])
            if (attribute == "EIATTR_MAX_CLUSTER_RANK") print name, "max_cluster_rank", hex(w[1])
        }
        /EIFMT_NVAL/ && attribute == "EIATTR_EXPLICIT_CLUSTER" { print name, "explicit_cluster" }' | sort
}

# The kinds, targets and versions of the entries.
entry_lines() {
    awk '/^Fatbin .* code:/ { kind = $2 == "elf" ? "SASS" : $2 == "ptx" ? "PTX" : $2 == "nvvm" ? "NVVM" : $2 }
         /^arch = / { target = $3 }
         /^code version = / { gsub(/[\[\]]/, ""); split($4, v, ","); sub(/^sm/, kind == "SASS" ? "sm" : "compute", target); print kind, target, v[1] "." v[2] }' | sort
}

# check NAME COMPILER-OPTIONS...: compiles kernels.cu (or $source) into NAME and asks everybody
check() {
    local name=$1 file=$1
    shift
    if ! "$nvcc" "$@" -Xptxas -v -o "$file" "${source:-$here/kernels.cu}" 2>"$name.log"; then
        echo "FAILED $name: nvcc $*"
        tail -n 3 "$name.log"
        failures=$((failures + 1))
        return
    fi
    if ! "$assay" inspect "$file" --json "$name.json" >/dev/null; then
        echo "FAILED $name: assay inspect"
        failures=$((failures + 1))
        return
    fi
    if grep -q 'Compiling entry' "$name.log"; then
        ptxas_lines <"$name.log" >"$name.expected"
        "$lines" ptxas "$name.json" | sort >"$name.actual"
        same "$name: ptxas -v" "$name.expected" "$name.actual"
    fi
    [ -n "$cuobjdump" ] || return 0
    if "$cuobjdump" -res-usage "$file" 2>/dev/null | usage_lines >"$name.expected" && [ -s "$name.expected" ]; then
        "$lines" usage "$name.json" | sort >"$name.actual"
        same "$name: cuobjdump -res-usage" "$name.expected" "$name.actual"
        "$cuobjdump" -elf "$file" 2>/dev/null | record_lines >"$name.expected"
        "$lines" records "$name.json" | sort >"$name.actual"
        same "$name: cuobjdump -elf" "$name.expected" "$name.actual"
    fi
    case $file in
    *.cubin) return 0 ;;
    esac
    "$cuobjdump" -all "$file" 2>/dev/null | entry_lines >"$name.expected"
    "$lines" entries "$name.json" | sort >"$name.actual"
    same "$name: cuobjdump -all" "$name.expected" "$name.actual"
    # images, byte by byte
    rm -rf parts && mkdir parts
    if "$assay" inspect "$file" --extract "$name.parts" >/dev/null &&
        (cd parts && "$cuobjdump" -xelf all "../$file" && "$cuobjdump" -xptx all "../$file") >/dev/null 2>&1; then
        find parts -name '*.cubin' -exec sha256sum {} + | cut -d ' ' -f 1 | sort >"$name.expected"
        find "$name.parts" -name '*.cubin' -exec sha256sum {} + | cut -d ' ' -f 1 | sort >"$name.actual"
        if [ -s "$name.expected" ]; then same "$name: cuobjdump -xelf" "$name.expected" "$name.actual"; fi
        # cuobjdump ends the text with a newline of its own
        find parts -name '*.ptx' | while read -r ptx; do tr -d '\0' <"$ptx" | sed -e '$a\' | sha256sum; done | sort >"$name.expected"
        find "$name.parts" -name '*.ptx' | while read -r ptx; do sed -e '$a\' <"$ptx" | sha256sum; done | sort >"$name.actual"
        if [ -s "$name.expected" ]; then same "$name: cuobjdump -xptx" "$name.expected" "$name.actual"; fi
    fi
}

a() { echo "-gencode=arch=compute_$1,code=sm_$1"; }

check plain.cubin -cubin -arch=sm_90
check old.cubin -cubin -arch=sm_75
check new.cubin -cubin -arch=sm_120
check debug.cubin -cubin -arch=sm_90 -G
check lines.cubin -cubin -arch=sm_86 -lineinfo
check limited.cubin -cubin -arch=sm_80 -maxrregcount=32
check fast.cubin -cubin -arch=sm_100a -use_fast_math
check relocatable.cubin -cubin -arch=sm_90 -rdc=true
check many.fatbin -fatbin "$(a 80)" "$(a 90a)" "$(a 100f)" "$(a 120a)" -gencode=arch=compute_90,code=compute_90 \
    -gencode=arch=compute_100f,code=compute_100f
check object.o -c "$(a 80)" "$(a 90)" -gencode=arch=compute_90,code=compute_90
check compressed.o -c "$(a 90)" -gencode=arch=compute_90,code=compute_90 --compress-mode=size
check lz4.o -c "$(a 90)" -gencode=arch=compute_90,code=compute_90 --compress-mode=speed
check stored.o -c "$(a 90)" -gencode=arch=compute_90,code=compute_90 --compress-mode=none
check debug.o -c "$(a 90)" -G
check relocatable.o -dc "$(a 90)" -gencode=arch=compute_90,code=compute_90
check lto.o -dc -gencode=arch=compute_90,code=lto_90
check lto_and_code.o -dc -gencode=arch=compute_90,code=[sm_90,lto_90]
echo '__device__ int variable; int host() { return 1; }' >none.cu
source=none.cu check none.o -c "$(a 90)"

# Spills are loads and stores of local memory in the code: where nothing else uses it, the disassembly has as many.
if [ -n "$cuobjdump" ] && "$cuobjdump" -sass -fun _Z8spillingPKfPf plain.cubin >spilling.sass 2>/dev/null; then
    grep -cE '\b(STL|LDL)' spilling.sass >spilling.expected
    "$assay" inspect plain.cubin --kernels --filter spilling | awk '/spilling/ && !/kernels?,/ { print $5 }' >spilling.actual
    same "spills and the disassembly" spilling.expected spilling.actual
fi

# Modifiers of PTX: as many lines of it have them.
"$nvcc" -ptx -arch=compute_80 -use_fast_math -o fast.ptx "$here/kernels.cu" || failures=$((failures + 1))
for modifier in ftz approx; do
    echo ".$modifier $(grep -cE "\.$modifier[. ]" fast.ptx)" >ptx.expected
    "$assay" inspect fast.ptx --images | grep -oE "\.$modifier [0-9]+" >ptx.actual
    same "PTX: .$modifier" ptx.expected ptx.actual
done

# Older toolkits state neither spills nor ABI 8: local memory is counted in the code, and compared with their disassembly.
if [ -n "${OLD_CUDA:-}" ]; then
    for arch in 75 80 90; do
        "$nvcc" -DOLD -ptx -arch=compute_$arch -o old.ptx "$here/kernels.cu" && sed -i 's/^\.version.*/.version 7.8/' old.ptx &&
            "$OLD_CUDA/ptxas" -v -arch=sm_$arch old.ptx -o old$arch.cubin 2>old.log || failures=$((failures + 1))
        "$assay" inspect old$arch.cubin --json old.json >/dev/null
        ptxas_lines <old.log | sed -E 's/ (spills|barriers)=[a-z0-9]*//g' | sort >old.expected
        "$lines" old-ptxas old.json | sort >old.actual
        same "sm_$arch of an older toolkit: ptxas -v" old.expected old.actual
        "$OLD_CUDA/cuobjdump" -res-usage old$arch.cubin 2>/dev/null | usage_lines >old.expected
        "$lines" usage old.json | sort >old.actual
        same "sm_$arch of an older toolkit: cuobjdump -res-usage" old.expected old.actual
        "$OLD_CUDA/cuobjdump" -elf old$arch.cubin 2>/dev/null | record_lines >old.expected
        "$lines" records old.json | sort >old.actual
        same "sm_$arch of an older toolkit: cuobjdump -elf" old.expected old.actual
        "$OLD_CUDA/cuobjdump" -sass old$arch.cubin 2>/dev/null |
            awk '/Function :/ { name = $3; count[name] = 0 } /[ }](STL|LDL)[. ]/ { count[name]++ } END { for (name in count) print name, count[name] }' |
            sort >old.expected
        "$lines" local old.json | sort >old.actual
        same "sm_$arch of an older toolkit: local memory in the disassembly" old.expected old.actual
    done
    "$OLD_CUDA/fatbinary" -64 --create=old.fatbin --image3=kind=elf,sm=80,file=old80.cubin --image3=kind=elf,sm=90,file=old90.cubin \
        --image3=kind=ptx,sm=90,file=old.ptx --compress-all && "$assay" inspect old.fatbin --json old.json --extract old.parts >/dev/null
    sha256sum <old80.cubin >old.expected && sha256sum <old90.cubin >>old.expected
    for arch in 80 90; do sha256sum <"$(find old.parts -name "*sm_$arch.cubin")"; done >old.actual
    same "LZ4 of an older toolkit" old.expected old.actual
fi

[ -n "$cuobjdump" ] || echo "cuobjdump was not found (set CUOBJDUMP): its part was left out"
echo "$checks comparisons, $failures failed"
[ "$checks" -gt 0 ] && [ "$failures" = 0 ]
