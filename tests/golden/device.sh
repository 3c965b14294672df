# A machine without a GPU, which is what this test is about.
assay devices | grep -q "^no CUDA device" || skip "there is a GPU on this machine, or a driver that is no use"
archive libflashattention.a 'void run_mha(void) {}'
for device in cuda:0 cuda:9 cuda: cuda gpu '' cpu:1; do
    try assay verify libflashattention.a --device "$device" --dataset "$SOURCE/tests/e2e/cases.spec" --filter d40 --quiet --out out.h5
done
try assay bench libflashattention.a --device cuda:0 --dataset "$SOURCE/tests/e2e/cases.spec" --filter d40 --out out.h5
# what bench takes on a GPU would take the cpu device hours
try assay bench libflashattention.a --device cpu --filter d40 --filter '-*' --out out.h5
try assay dataset check "$SOURCE/datasets/smoke.h5" --device cuda:0
try assay dataset build "$SOURCE/tests/e2e/cases.spec" -o out.h5 --expected --device cuda:0
try assay devices | sed -E 's/^(cpu +)[^,]*, [0-9]+ cores, OpenBLAS.*/\1NAME, CORES, OpenBLAS/'
only libflashattention.a
