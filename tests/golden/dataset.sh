# Building is reproducible: the same bytes twice, and the cases of the committed file from the committed spec.
cp "$SOURCE/datasets/smoke.spec" .
try assay dataset build smoke.spec -o a.h5 --expected --device cpu --compress 9
try assay dataset build smoke.spec -o b.h5 --expected --device cpu --compress 9
cmp a.h5 b.h5 && echo "the same bytes"
try compare_datasets a.h5 "$SOURCE/datasets/smoke.h5" 2>/dev/null
try assay dataset build smoke.spec -o other.h5 --seed 1 --filter d40 --filter=-causal
cmp -s a.h5 other.h5 || echo "another seed, other bytes"
try assay dataset build smoke.spec -o empty.h5 --filter nothing-is-called-so
try assay dataset build a.h5 -o c.h5
try assay dataset list a.h5 --filter 'attention/f16/d64/*packed*'
try assay dataset check "$SOURCE/datasets/smoke.h5" --device cpu | sed -E 's/L2 [0-9.e+-]+ \([^)]*\)/L2 TINY/'
try assay dataset info "$SOURCE/datasets/smoke.spec"
only a.h5 b.h5 other.h5 smoke.spec
