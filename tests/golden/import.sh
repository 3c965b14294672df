# Tensors from files of other programs: what becomes of good ones, and what is said of bad ones.
# npy FILE DTYPE SHAPE BYTES: a NumPy file, version 1.0
npy() {
    local header="{'descr': '$2', 'fortran_order': False, 'shape': ($3), }"
    while [ $(((${#header} + 11) % 64)) -ne 0 ]; do header+=' '; done
    { printf '\223NUMPY\001\000'
      # shellcheck disable=SC2059
      printf "\\x$(printf '%02x' $(((${#header} + 1) % 256)))\\x$(printf '%02x' $(((${#header} + 1) / 256)))"
      printf '%s\n' "$header"
      head -c "$4" /dev/zero | tr '\0' '\74'
    } >"$1"
}
npy q.npy '<f2' '1, 3, 2, 8' 96
npy k.npy '<f2' '1, 5, 1, 8' 80
npy v.npy '<f2' '1, 5, 1, 8' 80
npy f32.npy '<f4' '1, 5, 1, 8' 160
npy rank3.npy '<f2' '5, 1, 8' 80
npy short.npy '<f2' '1, 5, 1, 8' 40
npy int.npy '<i8' '1, 5, 1, 8' 320
npy huge.npy '<f2' '4294967296, 4294967296, 4, 8' 80
npy heads.npy '<f2' '1, 5, 3, 8' 240
printf 'no tensor' >text.npy
printf '\377\377\377\377\377\377\377\177{' >cut.safetensors
printf '\2\0\0\0\0\0\0\0{}' >none.safetensors

try assay dataset import --q q.npy --k k.npy --v v.npy -o good.h5 --mask causal --name one --expected --device cpu
try assay dataset list good.h5
try assay dataset check good.h5 --device cpu 2>&1 | sed -E 's/L2 [0-9.e+-]+ \([^)]*\)/L2 TINY/'
try assay dataset import --q q.npy --k f32.npy --v v.npy -o rounded.h5 --dtype bf16
try assay dataset list rounded.h5
for k in missing.npy rank3.npy short.npy int.npy huge.npy heads.npy text.npy cut.safetensors:k none.safetensors none.safetensors:k \
    good.h5 good.h5:/nothing good.h5:/cases .; do
    try assay dataset import --q q.npy --k "$k" --v v.npy -o bad.h5
done
try assay dataset import --q f32.npy --k f32.npy --v f32.npy -o bad.h5
try assay dataset import --q q.npy --k k.npy --v v.npy -o bad.h5 --name 'two words'
try assay dataset import --q q.npy --k k.npy --v v.npy -o bad.h5 --mask sideways
try assay dataset import --q q.npy --k k.npy --v v.npy -o bad.h5 --layout bhsd
[ -e bad.h5 ] && echo "bad.h5 was written"
:
