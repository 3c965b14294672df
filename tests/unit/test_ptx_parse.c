/* PTX front end: every form of syntax, every error with its place; and, for files named on the command line, that all their
 * functions parse, with registers that never share a slot while both are needed. */
#include "check.h"
#include "ptx_allocation.h"
#include "ptx_dump.h"

#include "core/util.h"

#include <time.h>

#define HEAD ".version 8.4\n.target sm_90\n.address_size 64\n"

static const struct ptx_function *only(struct ptx_module *module, const char *name, struct error *err)
{
	const struct ptx_function *function = ptx_module_function(module, name, err);
	if (!function)
		fprintf(stderr, "%s\n", err->message);
	else
		CHECK_INT(allocation_faults(function), 0);
	return function;
}

/* `declared` at module scope, `body` in an entry with one parameter p: its instructions. */
static void expect_body(const char *declared, const char *body, const char *expected)
{
	struct text source = {0}, dump = {0};
	struct ptx_module *module = NULL;
	struct error err = {0};
	text_append(&source, HEAD "%s\n.visible .entry k(.param .u64 p)\n{\n%s\n}\n", declared, body);
	CHECK_INT(ptx_module_index(source.data, &module, &err), 0);
	const struct ptx_function *function = module ? only(module, "k", &err) : NULL;
	if (function)
		dump_function(&dump, function);
	CHECK_TEXT(function ? dump.data ? dump.data : "" : err.message, expected);
	if (function && function->instruction_count == 0)
		CHECK_TEXT(expected, "");
	ptx_module_free(module);
	text_free(&source);
	text_free(&dump);
}

/* The message starts with `place` ("PTX line 5, column 1: ") and contains `what`. */
static void expect_fault(const char *body, const char *place, const char *what)
{
	struct text source = {0};
	struct ptx_module *module = NULL;
	struct error err = {0};
	text_append(&source, HEAD ".entry k(.param .u64 p) {\n%s\n}\n", body);
	int status = ptx_module_index(source.data, &module, &err);
	if (status == 0)
		status = ptx_module_function(module, "k", &err) ? 0 : -1;
	CHECK_INT(status, -1);
	if (status == 0)
		fprintf(stderr, "no fault found in: %s\n", body);
	CHECK_CONTAINS(err.message, what);
	CHECK_CONTAINS(err.message, place);
	ptx_module_free(module);
	text_free(&source);
}

static void expect_module_fault(const char *source, enum error_kind kind, const char *place, const char *what)
{
	struct ptx_module *module = NULL;
	struct error err = {0};
	const int status = ptx_module_index(source, &module, &err);
	CHECK_INT(status, -1);
	if (status == 0)
		fprintf(stderr, "no fault found in: %s\n", source);
	CHECK(module == NULL || status == 0);
	CHECK_CONTAINS(err.message, what);
	CHECK_CONTAINS(err.message, place);
	CHECK_INT(err.kind, kind);
	if (status == 0)
		ptx_module_free(module);
}

static void test_operands(void)
{
	expect_body("", ".reg .b32 %r<5>; .reg .pred %p<3>; .reg .f32 f, g; .reg .f64 %d; .reg .b64 %rd<2>;\n"
			"add.s32 %r1, %r2, -7; add.s32 %r1, %r2, 0x1F; add.s32 %r1, %r2, 017; add.s32 %r1, %r2, 0b101U;\n"
			"add.u32 %r1, %r2, 4294967295; mov.b64 %rd1, 18446744073709551615; mov.f32 f, 0f3F800000; mov.f32 g, 0F7fc00001;\n"
			"mov.f64 %d, 0d4000000000000000; mov.f64 %d, 1.5e-3; mov.f32 f, 2.0; mov.f32 f, -2.5; mov.f32 f, 1e3;",
		    "add.s32 %r1, %r2, -7\nadd.s32 %r1, %r2, 31\nadd.s32 %r1, %r2, 15\nadd.s32 %r1, %r2, 5\n"
		    "add.u32 %r1, %r2, 4294967295\nmov.b64 %rd1, -1\nmov.f32 f, 0f3F800000\nmov.f32 g, 0f7FC00001\n"
		    "mov.f64 %d, 2\nmov.f64 %d, 0.0015\nmov.f32 f, 2\nmov.f32 f, -2.5\nmov.f32 f, 1000\n");
	expect_body("", ".reg .b32 %r<9>;\n"
			"mov.u32 %r1, (1 + 2) * 3 - 4 / 2; mov.u32 %r1, 7 % 4 << 2 | 1; mov.u32 %r1, ~0 & 0xff ^ 3; mov.u32 %r1, 1 ? 2 : 3;\n"
			"mov.u32 %r1, !0 + (5 > 4) + (5 <= 4); mov.u32 %r1, (.u64)-1 > 5; mov.u32 %r1, -1 > 5; mov.u32 %r1, WARP_SZ * 2;\n"
			"mov.u32 %r1, -8 >> 1; mov.u32 %r1, 1 && 0 || 1; mov.u32 %r1, 2 == 2; mov.u32 %r1, 2 != 2; add.u32 %r1, %r2, WARP_SZ;",
		    "mov.u32 %r1, 7\nmov.u32 %r1, 13\nmov.u32 %r1, 252\nmov.u32 %r1, 2\n"
		    "mov.u32 %r1, 2\nmov.u32 %r1, 1\nmov.u32 %r1, 0\nmov.u32 %r1, 64\n"
		    "mov.u32 %r1, -4\nmov.u32 %r1, 1\nmov.u32 %r1, 1\nmov.u32 %r1, 0\nadd.u32 %r1, %r2, 32\n");
	expect_body(".global .b32 g[4]; .extern .shared .align 16 .b8 dyn[];",
		    ".reg .b64 %rd<4>; .reg .b32 %r<5>; .local .align 8 .b8 loc[16]; .shared .b32 sh[3][2];\n"
		    "ld.param.u64 %rd1, [p]; ld.global.u32 %r1, [%rd1+4]; ld.global.u32 %r1, [%rd1 - 8]; ld.global.u32 %r1, [%rd1+-12];\n"
		    "ld.global.u32 %r1, [g+8]; ld.global.u32 %r1, [g]; ld.shared.u32 %r1, [16]; ld.shared.u32 %r1, [dyn + 4];\n"
		    "mov.u64 %rd2, g; mov.u64 %rd2, g+4; mov.u64 %rd2, loc; st.shared.u32 [sh+20], %r1; mov.u64 %rd3, g[2];\n"
		    "ld.global.u32 %r2, g[3]; ld.volatile.global.v4.u32 {%r1, %r2, _, %r4}, [%rd1];",
		    "ld.param.u64 %rd1, [p]\nld.global.u32 %r1, [%rd1+4]\nld.global.u32 %r1, [%rd1-8]\nld.global.u32 %r1, [%rd1-12]\n"
		    "ld.global.u32 %r1, [g+8]\nld.global.u32 %r1, [g]\nld.shared.u32 %r1, [+16]\nld.shared.u32 %r1, [dyn+4]\n"
		    "mov.u64 %rd2, &g\nmov.u64 %rd2, &g+4\nmov.u64 %rd2, &loc\nst.shared.u32 [sh+20], %r1\nmov.u64 %rd3, &g+8\n"
		    "ld.global.u32 %r2, [g+12]\nld.volatile.global.v4.u32 {%r1, %r2, _, %r4}, [%rd1]\n");
	expect_body("", ".reg .pred p1, q; .reg .b32 r<4>;\n"
			"setp.lt.and.s32 p1|q, r1, r2, !q; @p1 add.u32 r1, r1, 1; @!q bra L; shfl.sync.idx.b32 r0|p1, r1, 0, 31, -1;\n"
			"setp.eq.u32 p1|_, r1, r2; L: ret;",
		    "setp.lt.and.s32 p1|q, r1, r2, !q\n@p1 add.u32 r1, r1, 1\n@!q bra B2\nshfl.sync.idx.b32 r0|p1, r1, 0, 31, -1\n"
		    "setp.eq.u32 p1|_, r1, r2\nret\n");
	expect_body("", ".reg .v4 .f32 v; .reg .v2 .b32 w<3>; .reg .f32 s; .reg .b64 %rd1;\n"
			"ld.param.u64 %rd1, [p]; ld.global.v4.f32 v, [%rd1]; add.f32 s, v.x, v.w; add.f32 v.g, v.b, v.a; mov.b32 w1.y, w2.x;\n"
			"st.global.v2.f32 [%rd1], {v.x, 0f00000000};",
		    "ld.param.u64 %rd1, [p]\nld.global.v4.f32 {v, v.1, v.2, v.3}, [%rd1]\nadd.f32 s, v, v.3\nadd.f32 v.1, v.2, v.3\n"
		    "mov.b32 w1.1, w2\nst.global.v2.f32 [%rd1], {v, 0f00000000}\n");
	expect_body("", ".reg .b32 %r<3>; .reg .b64 %rd<3>;\n"
			"mov.b64 %rd1, {%r1, 5}; mov.b64 {_, %r2}, %rd1; tex.1d.v4.f32.f32 {%r1,%r1,%r1,%r1}, [%rd1, {%r2}];\n"
			"cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%rd1], [%rd2, {%r1, 4}], [%rd1+8];",
		    "mov.b64 %rd1, {%r1, 5}\nmov.b64 {_, %r2}, %rd1\ntex.1d.v4.f32.f32 {%r1, %r1, %r1, %r1}, [%rd1; %r2]\n"
		    "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%rd1], [%rd2; %r1; 4], [%rd1+8]\n");
}

static void test_statements(void)
{
	/* scopes: the innermost declaration counts, a family only for the numbers it has; labels are local to their block */
	expect_body("", ".reg .b32 %r<9>; .reg .pred q;\n"
			"{ .reg .b32 %r<3>; mov.u32 %r1, 1; mov.u32 %r7, 2; { .reg .b32 x; mov.u32 x, %r1; } L: @q bra L; }\n"
			"{ L: @q bra L; bra OUT; } mov.u32 %r1, 3; OUT: OUT2: ;",
		    "mov.u32 %r1, 1\nmov.u32 %r7, 2\nmov.u32 x, %r1\n@q bra B1\n@q bra B2\nbra B5\nmov.u32 %r1, 3\n");
	/* %r1<20> and %r<12>: the longer stem is asked first only when it has the number */
	expect_body("", ".reg .b32 %r<12>; .reg .b32 %r1<20>; mov.u32 %r110, %r5; mov.u32 %r10, 1;",
		    "mov.u32 %r110, %r5\nmov.u32 %r10, 1\n");
	expect_body("", "// a comment\n /* another\n one */ .reg .b32 %r<3>; .loc 1 5 9\n .pragma \"nounroll\"; add.s32 %r1 , /* here */ %r1\n,%r2 ;exit;",
		    "add.s32 %r1, %r1, %r2\nexit\n");
	expect_body("", ".reg .pred %p<4>; .reg .b32 %r<4>; ts: .branchtargets A, B, A;\n"
			"mov.u32 %r1, %tid.x; brx.idx.uni %r1, ts; A: mov.u32 %r1, 1; @%p1 brx.idx %r1, ts; B: ret;",
		    "mov.u32 %r1, special:1\nbrx.idx.uni %r1, table\nmov.u32 %r1, 1\n@%p1 brx.idx %r1, table\nret\n");
	expect_body("", ".reg .b32 %r<4>; new.sync.thing.sometype %r1, [%r2], {%r1, 3}; ld.global.newmodifier.u32 %r1, [%r2];",
		    "unknown.sync.unknown.unknown %r1, [%r2], {%r1, 3}\nld.global.unknown.u32 %r1, [%r2]\n");
	expect_body("", ".reg .b32 %r<4>; vadd.s32.u32.s32 %r1, %r2.b0, %r3.h1;", "unknown.s32.u32.s32 %r1, %r2, %r3\n");
	expect_body("", "", "");
}

static void test_normalising(void)
{
	expect_body("", ".reg .b32 %r<4>; .reg .pred %p1; .reg .b64 %rd1;\n"
			"mov.u32 %r1, %tid.x; mad.lo.s32 %r2, %ctaid.x, %ntid.x, %r1; @%p1 cvt.u64.u32 %rd1, %laneid; mov.u64 %rd1, %clock64;\n"
			"@%is_explicit_cluster st.global.u64 [%rd1], %globaltimer; mov.b64 %rd1, {%tid.x, %r1};",
		    "mov.u32 %r1, special:1\nmov.u32 #4, special:7\nmov.u32 #5, special:4\nmad.lo.s32 %r2, #4, #5, %r1\n"
		    "@%p1 mov.u32 #6, special:13\n@%p1 cvt.u64.u32 %rd1, #6\nmov.u64 %rd1, special:26\n"
		    "mov.pred #7, special:34\n@#7 mov.u64 #8, special:27\n@#7 st.global.u64 [%rd1], #8\n"
		    "mov.u32 #9, special:1\nmov.b64 %rd1, {#9, %r1}\n");
	expect_body(".func (.param .b32 r) f(.param .b32 a, .param .b64 b);",
		    ".reg .b32 %r<4>; .reg .b64 %rd<2>; .reg .pred %p<2>;\n"
		    "{ .param .b32 a0; st.param.b32 [a0], %r1; .param .b64 a1; .param .b32 ret0; call.uni (ret0), f, (a0, a1); ld.param.b32 %r2, [ret0]; }\n"
		    "@%p1 call (%r3), f, (%r1, 9); call (_), f, (%r1, %rd1); call f2;",
		    "PTX line 9, column 62: 'f2' is not declared");
	expect_body(".func (.param .b32 r) f(.param .b32 a, .param .b64 b); .func f2;",
		    ".reg .b32 %r<4>; .reg .b64 %rd<2>; .reg .pred %p<2>;\n"
		    "{ .param .b32 a0; st.param.b32 [a0], %r1; .param .b64 a1; .param .b32 ret0; call.uni (ret0), f, (a0, a1); ld.param.b32 %r2, [ret0]; }\n"
		    "@%p1 call (%r3), f, (%r1, 9); call (_), f, (%r1, %rd1); call f2; call.uni %rd1, (), proto;",
		    "st.param.b32 [a0], %r1\ncall.uni (&ret0), f(), (&a0, &a1)\nld.param.b32 %r2, [ret0]\n"
		    "@%p1 st.param.b32 [$3], %r1\n@%p1 st.param.b64 [$4], 9\n@%p1 call (&$5), f(), (&$3, &$4)\n@%p1 ld.param.b32 %r3, [$5]\n"
		    "st.param.b32 [$6], %r1\nst.param.b64 [$7], %rd1\ncall (&$8), f(), (&$6, &$7)\ncall (), f2(), ()\ncall.uni (), %rd1, ()\n");

	struct ptx_module *module;
	struct error err = {0};
	struct text dump = {0};
	CHECK_INT(ptx_module_index(HEAD ".func (.reg .b32 r) f(.reg .b32 a, .reg .f64 d) { .reg .pred p; @p ret; add.u32 r, a, 1; }\n", &module, &err), 0);
	const struct ptx_function *function = only(module, "f", &err);
	if (function)
		dump_function(&dump, function);
	CHECK_TEXT(dump.data, "ld.param.b32 a, [a]\nld.param.f64 d, [d]\n@p st.param.b32 [r], r\n@p ret\nadd.u32 r, a, 1\nst.param.b32 [r], r\n");
	CHECK_INT(function->frame_bytes, 20);
	CHECK_INT(function->parameters[1].offset, 8);
	CHECK_INT(function->results[0].offset, 16);
	text_free(&dump);
	ptx_module_free(module);
}

static void test_module(void)
{
	static const char source[] =
		"// generated\n.version 7.8 .target sm_90a, debug\n.address_size 64\n"
		".file 2 \"b.cu\"\n"
		".extern .func (.param .b32 r) vprintf (.param .b64 a, .param .b64 b) ;\n"
		".visible .global .align 4 .b32 m[2][3] = {{1, 2}, {3, 4, 5}};\n"
		".global .v4 .f32 vs[2] = {{1.0, 0f40000000}, {3, 4, 5, -6.0}};\n"
		".const .b8 text[] = {104, 105, 0xFFU, -1}, second = 7;\n"
		".global .u64 where[3] = {m, generic(m)+4, generic(f + 8)};\n"
		".global .f64 d = 1.5;\n"
		".weak .global .u16 w; .common .global .b8 c[5];\n"
		".shared .align 16 .b8 s[48]; .extern .shared .align 16 .b8 dyn[];\n"
		".global .texref t; .global .samplerref smp = { addr_mode_0 = wrap, filter_mode = linear };\n"
		".global .attribute(.managed) .b32 managed;\n"
		".section .debug_abbrev { .b8 1 .b8 \"}\" // }\n }\n"
		".pragma \"x\";\n"
		".func f ;\n"
		".func g .noreturn { trap; }\n"
		".alias f, g;\n"
		".visible .entry k(.param .u64 .ptr .global .align 16 p0, .param .align 8 .b8 p1[12], .param .u8 p2, .param .f64 p3)\n"
		".maxntid 128, 2 .reqntid 64 .minnctapersm 3 .maxnreg 40 .reqnctapercluster 2, 1, 1 .pragma \"y\"; .noreturn\n"
		"{ .reg .b32 %r<2>; .loc 2 17 3, function_name $L + 4, inlined_at 2 30 1\n mov.u32 %r1, 1; // }\n"
		"  .shared .align 8 .b8 mine[12]; .local .f64 l; .pragma \"}{\"; { ret; } }\n"
		".func unused( { nothing here is looked at }\n"
		".file 1 \"a.cu\", 123, 456\n";
	struct ptx_module *module = NULL;
	struct error err = {0};
	CHECK_INT(ptx_module_index(source, &module, &err), 0);
	if (!module) {
		fprintf(stderr, "%s\n", err.message);
		return;
	}
	CHECK_INT(module->isa_major * 10 + module->isa_minor, 78);
	CHECK_INT(module->target, 90);
	CHECK_INT(module->target_suffix, 'a');
	CHECK_INT(module->debug, 1);
	CHECK_INT(module->address_bits, 64);
	CHECK_INT(module->file_count, 2);
	CHECK_TEXT(module->files[0], "a.cu");
	CHECK_TEXT(module->files[1], "b.cu");

	const struct ptx_variable *m = ptx_module_variable(module, "m"), *vs = ptx_module_variable(module, "vs"),
				  *text = ptx_module_variable(module, "text"), *where = ptx_module_variable(module, "where");
	CHECK(m && vs && text && where);
	const int32_t expected[6] = {1, 2, 0, 3, 4, 5};
	CHECK_INT(m->bytes, 24);
	CHECK(memcmp(m->initial, expected, sizeof expected) == 0);
	CHECK_INT(m->position.line, 6);
	const float floats[8] = {1, 2, 0, 0, 3, 4, 5, -6};
	CHECK_INT(vs->bytes, 32);
	CHECK_INT(vs->align, 16);
	CHECK(memcmp(vs->initial, floats, sizeof floats) == 0);
	CHECK_INT(text->bytes, 4);
	CHECK_INT(text->space, PTX_SPACE_CONST);
	CHECK(memcmp(text->initial, "hi\xff\xff", 4) == 0);
	CHECK_INT(ptx_module_variable(module, "second")->initial[0], 7);
	CHECK_INT(where->relocation_count, 3);
	CHECK_TEXT(where->relocations[1].symbol, "m");
	CHECK_INT(where->relocations[1].generic, 1);
	CHECK_INT(where->relocations[1].addend, 4);
	CHECK_INT(where->relocations[1].offset, 8);
	CHECK_INT(where->relocations[2].addend, 8);
	CHECK_INT(where->relocations[0].generic, 0);
	CHECK(ptx_module_variable(module, "w")->initial == NULL);
	CHECK_INT(ptx_module_variable(module, "dyn")->is_extern, 1);
	CHECK_INT(ptx_module_variable(module, "dyn")->bytes, 0);
	CHECK_INT(ptx_module_variable(module, "t")->bytes, 8);
	CHECK(ptx_module_variable(module, "managed") != NULL);
	CHECK(ptx_module_variable(module, "k") == NULL);

	CHECK_INT(ptx_module_find(module, "vprintf")->is_extern, 1);
	CHECK(ptx_module_function(module, "vprintf", &err) == NULL);
	CHECK_CONTAINS(err.message, "no body");
	CHECK(ptx_module_function(module, "absent", &err) == NULL);
	CHECK_CONTAINS(err.message, "no function 'absent'");
	CHECK(ptx_module_function(module, "unused", &err) == NULL);
	CHECK_CONTAINS(err.message, "PTX line 26, column 15: expected .param, found '{'");
	const struct ptx_function *alias = only(module, "f", &err);
	CHECK(alias && alias->instruction_count == 1);

	const struct ptx_function *k = only(module, "k", &err);
	if (k) {
		CHECK_INT(k->is_entry, 1);
		CHECK(ptx_module_function(module, "k", &err) == k);
		CHECK_INT(k->parameter_count, 4);
		CHECK_INT(k->parameters[0].align, 8);
		CHECK_INT(k->parameters[1].offset, 8);
		CHECK_INT(k->parameters[2].offset, 20);
		CHECK_INT(k->parameters[3].offset, 24);
		CHECK_INT(k->parameter_bytes, 32);
		CHECK_INT(k->max_threads[0], 128);
		CHECK_INT(k->max_threads[1], 2);
		CHECK_INT(k->max_threads[2], 1);
		CHECK_INT(k->required_threads[0], 64);
		CHECK_INT(k->min_blocks, 3);
		CHECK_INT(k->max_registers, 40);
		CHECK_INT(k->cluster[0], 2);
		CHECK_INT(k->frame_bytes, 8);
		CHECK_INT(k->variables[0].offset, 0);
		CHECK_INT(k->variables[0].bytes, 12);
		CHECK_INT(k->instructions[0].source_file, 2);
		CHECK_INT(k->instructions[0].source_line, 17);
		CHECK_INT(k->instructions[0].position.line, 24);
		CHECK_INT(k->instructions[0].position.column, 2);
		char mnemonic[64];
		ptx_instruction_mnemonic(&k->instructions[0], mnemonic, sizeof mnemonic);
		CHECK_TEXT(mnemonic, "mov.u32");
	}
	ptx_module_free(module);
}

static void test_faults(void)
{
	expect_fault(".reg .b32 %r<3>;\nadd.s32 %r1, %r3, 1;", "PTX line 6, column 14:", "'%r3' is not declared");
	expect_fault("add.s32 %r1", "line 5, column 9", "'%r1' is not declared");
	expect_fault(".reg .b32 a; mov.u32 a, 1", "line 6, column 1", "expected ',' or ';', found '}'");
	expect_fault(".reg .b32 a; mov.u32 a, 1 2;", "line 5, column 27", "expected ',' or ';', found '2'");
	expect_fault(".reg .b32 a; mov.u32 a, ;", "line 5, column 25", "expected an operand, found ';'");
	expect_fault(".reg .b32 a, a;", "line 5, column 14", "'a' is declared twice");
	expect_fault(".reg .b32 a<2>, a<3>;", "line 5, column 17", "'a' is declared twice");
	expect_fault(".reg .b32 a<x>;", "line 5, column 13", "expected how many registers");
	expect_fault(".reg .b1 a;", "line 5, column 10", "cannot have type .b1");
	expect_fault(".reg a;", "line 5, column 6", "expected a type, found 'a'");
	expect_fault(".reg .b32 .b32 a;", "line 5, column 11", "the type was given");
	expect_fault(".local .pred x;", "line 5, column 14", "cannot have type .pred");
	expect_fault(".local .b32 x[-1];", "line 5, column 14", "not negative");
	expect_fault(".local .b32 x[4][];", "line 5, column 17", "only the first dimension");
	expect_fault(".local .align 3 .b32 x;", "line 5, column 15", "power of two");
	expect_fault(".local .b32 x; .local .b32 x;", "line 5, column 28", "declared twice");
	expect_fault(".local .b8 x[2000000000];", "line 5, column 12", "2^30 bytes");
	expect_fault("bra nowhere;", "line 5, column 5", "no label 'nowhere'");
	expect_fault("bra;", "line 5, column 1", "bra takes 1 operand, not 0");
	expect_fault("L: L: ret;", "line 5, column 4", "stands twice");
	expect_fault("{ X: ret; } bra X;", "line 5, column 17", "no label 'X'");
	expect_fault(".reg .b32 r; brx.idx r, t;", "line 5, column 25", "no list of branch targets 't'");
	expect_fault("t: .branchtargets 5;", "line 5, column 19", "expected a label");
	expect_fault("t: .branchtargets Q;", "line 5, column 19", "no label 'Q'");
	expect_fault(".reg .b32 r; @r ret;", "line 5, column 15", "a guard must be a predicate");
	expect_fault("@ ret;", "line 5, column 3", "'ret' is not declared"); /* it reads as the predicate */
	expect_fault(".reg .b32 r; add.u32 r, !r, 1;", "line 5, column 25", "! takes a predicate");
	expect_fault(".reg .b32 r; mov.b64 r, {r, {r}};", "line 5, column 29", "vector inside a vector");
	expect_fault(".reg .b32 r; ld.u32 r, [r+1.5];", "line 5, column 26", "offset must be an integer");
	expect_fault(".reg .b32 r; ld.u32 r, [r;", "line 5, column 26", "expected ']'");
	expect_fault(".reg .b32 r; mov.u32 r, 1/0;", "line 5, column 26", "division by zero");
	expect_fault(".reg .b32 r; mov.u32 r, 0x;", "line 5, column 25", "constant without digits");
	expect_fault(".reg .b32 r; mov.u32 r, 09;", "line 5, column 25", "octal");
	expect_fault(".reg .b32 r; mov.u32 r, 0f123;", "line 5, column 25", "8 hexadecimal digits");
	expect_fault(".reg .b32 r; mov.u32 r, 0d123;", "line 5, column 25", "16 hexadecimal digits");
	expect_fault(".reg .b32 r; mov.u32 r, 18446744073709551616;", "line 5, column 25", "above 2^64");
	expect_fault(".reg .b32 r; mov.u32 r, 1.5.6;", "line 5, column 25", "malformed");
	expect_fault(".reg .b32 r; mov.u32 r, 1.5 << 2;", "line 5, column 29", "does not take floating-point");
	expect_fault(".reg .b32 r; mov.u32 r, `;", "line 5, column 25", "character that PTX does not use");
	expect_fault(".reg .b32 r; mov.u32 r, %pm0;", "line 5, column 25", "unsupported: special register %pm0");
	expect_fault(".reg .b32 r; mov.u32 r, %tid;", "line 5, column 25", "unsupported: special register %tid");
	expect_fault(".reg .v2 .b32 v; mov.u32 v.z, 1;", "line 5, column 27", "the vector has 2 elements");
	expect_fault(".reg .b32 r; mov.u32.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a r, 1;", "line 5", "more than 20 modifiers");
	expect_fault(".loc 1 2", "line 6, column 1", "expected a column");
	expect_fault(".loc 1 2 3, elsewhere", "line 5, column 13", "expected function_name or inlined_at");
	expect_fault(".maxntid 3;", "line 5, column 1", "expected an instruction or a declaration, found '.maxntid'");
	expect_fault("call p, (p);", "line 5, column 6", "only functions");
	expect_fault("%r1 %r2;", "line 5, column 1", "expected an instruction, found '%r1'");

	expect_module_fault("", ERROR_INPUT, "line 1, column 1", ".version");
	expect_module_fault("hello", ERROR_INPUT, "line 1, column 1", "expected a directive, found 'hello'");
	expect_module_fault(".target sm_90", ERROR_INPUT, "line 1, column 1", "expected .version");
	expect_module_fault(".version x", ERROR_INPUT, "line 1, column 10", "expected the version");
	expect_module_fault(".version 2.3", ERROR_UNSUPPORTED, "line 1, column 10", "PTX ISA version 2.3");
	expect_module_fault(".version 8.0\n.target gfx90", ERROR_INPUT, "line 2, column 14", "target");
	expect_module_fault(".version 8.0\n.target sm_90z", ERROR_INPUT, "line 2, column 9", "expected a target");
	expect_module_fault(".version 8.0\n.target sm_90\n.address_size 32", ERROR_UNSUPPORTED, "line 3, column 15", "32 bits");
	expect_module_fault(".version 8.0\n.target sm_90\n.global .b8 x;", ERROR_UNSUPPORTED, "line 3, column 1", "32 bits");
	expect_module_fault(HEAD ".entry k() {", ERROR_INPUT, "line 4, column 12", "not closed");
	expect_module_fault(HEAD ".entry k() { /* ", ERROR_INPUT, "line 4, column 14", "comment that does not end");
	expect_module_fault(HEAD ".entry k() { \"", ERROR_INPUT, "line 4, column 14", "string without closing quote");
	expect_module_fault(HEAD ".entry k()", ERROR_INPUT, "line 4, column 11", "expected the body of the function, or ';'");
	expect_module_fault(HEAD ".entry k() {} .entry k() {}", ERROR_INPUT, "line 4, column 15", "'k' is defined twice (first in line 4)");
	expect_module_fault(HEAD ".entry k() {} .global .b8 k;", ERROR_INPUT, "line 4, column 27", "is a function already");
	expect_module_fault(HEAD ".global .b8 k; .func k;", ERROR_INPUT, "line 4, column 16", "is a variable already");
	expect_module_fault(HEAD ".global .b8 k = 1; .global .b8 k = 2;", ERROR_INPUT, "line 4, column 32", "defined twice");
	expect_module_fault(HEAD ".global .b8 k = 1; .const .b8 k = 2;", ERROR_INPUT, "line 4, column 31", "another state space");
	expect_module_fault(HEAD ".global .b8 k[2] = {1, 2, 3};", ERROR_INPUT, "line 4, column 27", "more initial values than elements");
	expect_module_fault(HEAD ".global .b8 k[2] = {{1}, {2}};", ERROR_INPUT, "line 4, column 21", "more braces than dimensions");
	expect_module_fault(HEAD ".global .b8 k[2] = {m, 2};", ERROR_INPUT, "line 4, column 21", "8 bytes");
	expect_module_fault(HEAD ".global .b8 k[2] = {0xFF(m), 2};", ERROR_UNSUPPORTED, "line 4, column 21", "mask(symbol)");
	expect_module_fault(HEAD ".global .b16 k[2] = {1.5};", ERROR_INPUT, "line 4, column 22", "floating-point constant for elements of type .b16");
	expect_module_fault(HEAD ".global .b8 k[4000000000] = {1};", ERROR_UNSUPPORTED, "line 4, column 13", "initialised variable");
	expect_module_fault(HEAD ".global .b8 k[4000000000][4000000000];", ERROR_UNSUPPORTED, "line 4", "2^40");
	expect_module_fault(HEAD ".global .b8 k[];", ERROR_INPUT, "line 4, column 13", "neither a size nor an initialiser");
	expect_module_fault(HEAD ".local .b8 k;", ERROR_UNSUPPORTED, "line 4, column 1", "outside functions");
	expect_module_fault(HEAD ".alias f, g;", ERROR_INPUT, "", "both must be functions");
	expect_module_fault(HEAD ".file 4000000000 \"x\"", ERROR_INPUT, "line 4, column 7", "out of all proportion");
	expect_module_fault(HEAD ".section x", ERROR_INPUT, "line 4, column 11", "expected '{'");
	expect_module_fault(HEAD ".nonsense", ERROR_INPUT, "line 4, column 1", "expected a directive, found '.nonsense'");
}

/* What nests is bounded; what repeats costs in proportion. */
static void test_extremes(void)
{
	struct text source = {0};
	struct ptx_module *module = NULL;
	struct error err = {0};
	text_append(&source, HEAD ".entry k() { .reg .b32 r; mov.u32 r, ");
	for (int i = 0; i < 100000; i++)
		text_append(&source, "(");
	text_append(&source, "; }");
	CHECK_INT(ptx_module_index(source.data, &module, &err), 0);
	CHECK(ptx_module_function(module, "k", &err) == NULL);
	CHECK_CONTAINS(err.message, "nested more than 64 deep");
	ptx_module_free(module);
	text_free(&source);

	source = (struct text){0};
	text_append(&source, HEAD ".entry k() { ");
	for (int i = 0; i < 100000; i++)
		text_append(&source, "{");
	for (int i = 0; i < 100000; i++)
		text_append(&source, "}");
	text_append(&source, "}");
	CHECK_INT(ptx_module_index(source.data, &module, &err), 0);
	CHECK(ptx_module_function(module, "k", &err) == NULL);
	CHECK_CONTAINS(err.message, "nested more than 64 deep");
	ptx_module_free(module);
	text_free(&source);

	/* a family of four thousand million registers costs nothing until they are used */
	CHECK_INT(ptx_module_index(HEAD ".entry k() { .reg .b32 %r<4294967295>; mov.u32 %r123456789, 1; }", &module, &err), 0);
	const struct ptx_function *function = only(module, "k", &err);
	CHECK_INT(function ? function->register_count : -1, 1);
	ptx_module_free(module);

	/* thousands of registers alive across thousands of blocks: live sets would be too large, so each gets its own slot */
	enum { BLOCKS = 20000, REGISTERS = 20000 };
	source = (struct text){0};
	text_append(&source, HEAD ".entry k() { .reg .b32 %%r<%d>; .reg .pred p;", REGISTERS);
	for (int i = 0; i < REGISTERS; i++)
		text_append(&source, "mov.u32 %%r%d, %d;\n", i, i);
	for (int i = 0; i < BLOCKS; i++)
		text_append(&source, "L%d: @p bra L%d;\n", i, (i * 7919) % BLOCKS);
	for (int i = 0; i < REGISTERS; i++)
		text_append(&source, "st.shared.u32 [0], %%r%d;\n", i);
	text_append(&source, "}");
	CHECK_INT(ptx_module_index(source.data, &module, &err), 0);
	const clock_t before = clock();
	function = ptx_module_function(module, "k", &err);
	CHECK(function != NULL);
	if (function)
		CHECK_INT(function->register_file_bytes, (REGISTERS + 1) * 128);
	CHECK((double)(clock() - before) / CLOCKS_PER_SEC < 20); /* far above what it takes; a quadratic pass takes minutes */
	ptx_module_free(module);
	text_free(&source);
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void parse_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	CHECK(file != NULL);
	if (!file)
		return;
	struct text source = {0};
	char piece[65536];
	for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;)
		text_append_bytes(&source, piece, got);
	fclose(file);
	struct ptx_module *module = NULL;
	struct error err = {0};
	const double start = seconds();
	if (ptx_module_index(source.data ? source.data : "", &module, &err))
		fprintf(stderr, "%s: %s\n", path, err.message);
	CHECK(module != NULL);
	const double indexed = seconds();
	int functions = 0, instructions = 0, unsupported = 0;
	double parsing = 0;
	for (int i = 0; module && i < module->function_count; i++) {
		if (module->functions[i].is_extern)
			continue;
		const double before = seconds();
		const struct ptx_function *function = ptx_module_function(module, module->functions[i].name, &err);
		parsing += seconds() - before;
		functions++;
		if (!function) {
			fprintf(stderr, "%s: %s: %s\n", path, module->functions[i].name, err.message);
			unsupported += err.kind == ERROR_UNSUPPORTED;
			CHECK(err.kind == ERROR_UNSUPPORTED);
			continue;
		}
		instructions += function->instruction_count;
		CHECK_INT(allocation_faults(function), 0);
	}
	printf("%s: %zu bytes indexed in %.1f ms, %d functions (%d unsupported), %d instructions in %.1f ms\n", path, source.length,
	       1e3 * (indexed - start), functions, unsupported, instructions, 1e3 * parsing);
	ptx_module_free(module);
	text_free(&source);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			parse_file(argv[i]);
		return check_result();
	}
	test_operands();
	test_statements();
	test_normalising();
	test_module();
	test_faults();
	test_extremes();
	return check_result();
}
