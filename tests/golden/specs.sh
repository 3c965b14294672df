# Specs that contradict themselves, and files that are none.
spec() {
    printf '%b' "$2" >"$1.spec"
    try assay dataset list "$1.spec"
}
spec empty ''
spec blank '\n\n; nothing but a remark\n'
spec no_section 'family = attention\n'
spec empty_section '[a]\n'
spec no_family '[a]\ndtype = f16\n'
spec no_axes '[a]\nfamily = attention\n'
spec unknown_family '[a]\nfamily = convolution\n'
spec unknown_axis '[a]\nfamily = attention\nhead_dimension = 64\n'
spec duplicate_key '[a]\nfamily = attention\ndtype = f16\ndtype = bf16\n'
spec duplicate_section '[a]\nfamily = attention\n[a]\nfamily = attention\nseqlen = 5\n'
spec duplicate_value '[a]\nfamily = attention\ndtype = f16, f16\n'
spec no_value '[a]\nfamily = attention\ndtype =\n'
spec empty_value '[a]\nfamily = attention\ndtype = f16,,bf16\n'
spec unknown_dtype '[a]\nfamily = attention\ndtype = f64\n'
spec head_dim '[a]\nfamily = attention\nhead_dim = 12\n'
spec head_dim_range '[a]\nfamily = attention\nhead_dim = 64..8:8\n'
spec heads '[a]\nfamily = attention\nheads = 4/3\n'
spec no_heads '[a]\nfamily = attention\nheads = 0\n'
spec seqlen '[a]\nfamily = attention\nseqlen = 0\n'
spec seqlen_huge '[a]\nfamily = attention\nseqlen = 99999999999999999999\n'
spec mask '[a]\nfamily = attention\nmask = window:5\n'
spec softcap '[a]\nfamily = attention\nsoftcap = -1\n'
spec softcap_nan '[a]\nfamily = attention\nsoftcap = nan\n'
spec scale '[a]\nfamily = attention\nscale = 0\n'
spec packed '[a]\nfamily = attention\nlayout = packed\nseqlen = 5/6\n'
spec padded_lse '[a]\nfamily = attention\nlse = padded\n'
spec input '[a]\nfamily = attention\ninput = zeros\n'
spec exclude_unknown '[a]\nfamily = attention\ndtype = f16, bf16\nexclude = dtype:f8\n'
spec exclude_all '[a]\nfamily = attention\ndtype = f16\nexclude = dtype:f16\n'
spec pairwise '[a]\nfamily = attention\npairwise = perhaps\n'
spec too_many '[a]\nfamily = attention\nhead_dim = 8..512:8\nseqlen = 1..1000:1\nbatch = 1..1000:1\n'
spec bracket '[a\nfamily = attention\n'
spec garbage '\0\001\002\377\376 = \n'
spec control '[a]\nfamily = \033[31mred\n'
try assay dataset list missing.spec
try assay dataset list .
# the same from the commands that use one
try assay verify --list --dataset packed.spec
try assay dataset build packed.spec -o out.h5
try assay dataset check unknown_axis.spec
try assay dataset info empty.spec
[ -e out.h5 ] && echo "out.h5 was written"
:
