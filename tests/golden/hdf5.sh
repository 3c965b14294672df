# HDF5 files that are damaged, contradict themselves, or are something else.
cp "$SOURCE/datasets/smoke.h5" smoke.h5
cp "$SOURCE/tests/e2e/cases.spec" .
assay dataset build cases.spec -o cases.h5 --filter d40 --filter zero --filter packed >/dev/null
use() {
    try assay dataset check "$1" --device cpu
}
: >empty.h5
head -c 100 smoke.h5 >header.h5
head -c 300000 smoke.h5 >half.h5
head -c -1 smoke.h5 >short.h5
head -c 4096 /dev/zero >zeros.h5
for file in missing.h5 empty.h5 header.h5 half.h5 short.h5 zeros.h5; do use $file; done

# Flipped bytes anywhere are noticed. What is said depends on where they are. (The setting is for sanitized builds: see
# tests/lsan.supp.)
size=$(wc -c <smoke.h5)
for ((at = 64; at < size; at += 91237)); do
    cp smoke.h5 flipped.h5
    printf '\252\125\252\125' | dd of=flipped.h5 bs=1 seek=$at conv=notrunc status=none
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:fast_unwind_on_malloc=0 assay dataset info flipped.h5 >flipped.stdout 2>flipped.stderr
    code=$?
    # 0: bytes that nothing uses
    case $code in
    3) grep -q '^assay: .*flipped.h5: ' flipped.stderr || echo "byte $at: $(cat flipped.stderr)" ;;
    0) cmp -s <(assay dataset info smoke.h5 | sed 's/^smoke/flipped/') flipped.stdout || echo "byte $at: passed, but not as before" ;;
    *) echo "byte $at: exit code $code: $(tail -n 3 flipped.stderr)" ;;
    esac
done

# change WHAT ...: one contradiction
change() {
    cp cases.h5 changed.h5
    printf '# %s\n' "$*"
    printf '# %s\n' "$*" >&2
    set_attribute changed.h5 "$@" || echo "not changed"
    use changed.h5
}
change / schema 99
change / generator x
change /cases/00000 head_dim 48
change /cases/00000 heads_k 3
change /cases/00000 seqlen_q 1000000
change /cases/00000 batch -1
change /cases/00000 dtype f64
change /cases/00000 family att
change /cases/00000 --delete head_dim
change /cases/00000/inputs/q --length 7
change /cases/00000/inputs/q rank 3
change /cases/00000/inputs/q --unlink
change /cases/00000/outputs/o --unlink
change /cases/00001/inputs/cu_seqlens_q --length 2
change /cases/00003/inputs/k offset 1000000
change /cases/00003/inputs/k storage v
change /index --unlink
change /cases/00000 --unlink
change /cases --unlink

# A result file is no dataset, and the other way round.
archive libflashattention.a 'void run_mha(void) {}'
assay verify libflashattention.a --device cpu --dataset cases.spec --filter d40 --out result.h5 --quiet >/dev/null
use result.h5
try assay report cases.h5
try assay report smoke.h5
try assay report half.h5
try assay report missing.h5
try assay report cases.spec
try assay report .
head -c 5000 result.h5 >cut.h5
try assay report cut.h5
try assay verify libflashattention.a --device cpu --dataset half.h5
try assay verify libflashattention.a --device cpu --dataset result.h5
