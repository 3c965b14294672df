# What a new build changed: modules, folders, what policies and exit codes make of it.
module() { # NAME BODY
    printf '.version 8.5\n.target sm_80\n.address_size 64\n%s\n' "$2" >"$1"
}
mkdir -p base/candle-kernels-0123456789abcdef/out next/candle-kernels-fedcba9876543210/out
base=base/candle-kernels-0123456789abcdef/out
next=next/candle-kernels-fedcba9876543210/out
module $base/unary.ptx '.visible .entry uexp_f32(.param .u64 uexp_f32_param_0) { ret; }
.visible .entry _Z4fillPmm(.param .u64 _Z4fillPmm_param_0, .param .u64 _Z4fillPmm_param_1) { ret; }
.visible .entry ulog_f32(.param .u64 ulog_f32_param_0) { ret; }'
module $next/unary.ptx '// from Windows
.visible .entry uexp_f32(.param .u64 uexp_f32_param_0) { mov.u32 %r1, 0; ret; }
.visible .entry _Z4fillPyy(.param .u64 _Z4fillPyy_param_0, .param .u64 _Z4fillPyy_param_1) { ret; }
.visible .entry usin_f32(.param .u32 usin_f32_param_0) { ret; }'
module $base/fill.ptx '.visible .entry fill_u8(.param .u64 fill_u8_param_0) { ret; }'
cp $base/fill.ptx $next/fill.ptx
module $base/cast.ptx '.visible .entry cast_u8(.param .u64 cast_u8_param_0) { ret; }'
module $next/sort.ptx '.visible .entry sort_u8(.param .u64 sort_u8_param_0) { ret; }'
archive one.a 'void run_mha(void) {} void old(void) {}'
archive two.a 'void run_mha(void) {} void new(void) {}'

try assay inspect --against $base/unary.ptx $next/unary.ptx
try assay inspect --against base next --all
try assay inspect --against one.a two.a | sed '/^  file/d' # how large an object is depends on the compiler
try assay inspect --against $base/fill.ptx $next/fill.ptx --fail-on-difference
try assay inspect --against $base/unary.ptx $next/unary.ptx --fail-on-difference >/dev/null
try assay inspect --against base next --fail-on-difference >/dev/null
printf '[against]\nkernels_removed = no\nparameters_changed = no\ncode_changed = no\nregisters_growth = 0\nsize_growth = 1 %%\n' >no.ini
try assay inspect --against $base/unary.ptx $next/unary.ptx --policy no.ini
try assay inspect --against $base/fill.ptx $next/fill.ptx --policy no.ini --policy publish

assay inspect --against base next --json - >document
json_value schema schema_version differences.1.base differences.1.same differences.2.same differences.2.kernel_names.added.0 \
    differences.2.by_target.0.identical differences.2.kernels.0.state differences.2.kernels.0.name differences.2.kernels.2.base_name \
    differences.2.kernels.3.code differences.3.new <document

try assay inspect --against one.a
try assay inspect --against one.a two.a $base
try assay inspect one.a --all
try assay inspect one.a --fail-on-difference
try assay inspect --against missing.a two.a
try assay inspect --against one.a missing.a
try assay inspect --against $base two.a
