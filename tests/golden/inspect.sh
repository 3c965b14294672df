# What is inside artifacts: tables, filters and files, of a PTX module and of an archive of host code.
# shellcheck shell=bash
cat >module.ptx <<'PTX'
//
// Cuda compilation tools, release 12.4, V12.4.131
//
.version 8.4
.target sm_90a
.address_size 64
.visible .entry _Z5scalePfi(
	.param .u64 _Z5scalePfi_param_0,
	.param .u32 _Z5scalePfi_param_1
)
.maxntid 128
.reqnctapercluster 2
{
	ex2.approx.ftz.f32 %f1, %f2;
	mul.ftz.f32 %f1, %f1, %f2;
	ret;
}
.visible .entry plain() { ret; }
PTX
archive libhost.a 'int run_mha(void) { return 1; } int helper_of_it(void) { return run_mha(); }'

try assay inspect module.ptx --gpu sm_80,sm_90
try assay inspect module.ptx --kernels --sort name
try assay inspect module.ptx --kernels --filter scale
try assay inspect module.ptx --list
try assay inspect module.ptx --images --sizes
try assay inspect libhost.a --symbols --filter run_mha
try assay inspect module.ptx --extract out --filter '*.ptx'
find out -type f | sort
cmp module.ptx out/module.ptx/code/0000-module.ptx/c0000-00.compute_90a.ptx
try assay inspect module.ptx --extract out
try assay inspect module.ptx --extract elsewhere --filter nothing
try assay inspect module.ptx --sort colour
try assay inspect module.ptx --top x
only libhost.a module.ptx out out/module.ptx out/module.ptx/code out/module.ptx/code/0000-module.ptx out/module.ptx/code/0000-module.ptx/c0000-00.compute_90a.ptx
