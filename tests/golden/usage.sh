try assay
try assay frobnicate
try assay --frobnicate
try assay verify
try assay run --device cpu
try assay bench --quiet
try assay inspect
try assay report
try assay compare
try assay compare a.h5
try assay compare a.h5 b.h5 --threshold 0
try assay compare a.h5 b.h5 --json - --markdown -
try assay compare a.h5 b.h5
try assay dataset
try assay dataset frobnicate
try assay dataset build
try assay dataset build a.spec
try assay dataset build -o a.h5
try assay dataset list
try assay dataset list a b
try assay dataset info
try assay dataset check
try assay dataset import
try assay verify a.a --devcie cpu
try assay verify a.a --frobnicate
try assay verify a.a --strict=yes
try assay verify a.a --device
try assay verify a.a --timeout 0
try assay verify a.a --timeout -1
try assay verify a.a --timeout soon
try assay verify a.a --timeout inf
try assay verify a.a --seed -1
try assay verify a.a --seed 99999999999999999999
try assay verify a.a --seed 1x
try assay verify a.a --image cubin
try assay verify a.a --guard everything
try assay verify a.a --cudart shimmy
try assay verify a.a --reference f16
try assay inspect --gpu sm_1000x a.a
try assay inspect --gpu banana a.a
try assay inspect --gpu '' a.a
try assay dataset build "$SOURCE/datasets/smoke.spec" -o x.h5 --compress 10
try assay dataset import --layout hbsd
try assay devices cuda:0
try assay verify --list extra --dataset "$SOURCE/tests/e2e/cases.spec" --filter d40
only
