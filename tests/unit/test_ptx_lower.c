/* The frame of lowering: programs one to one with instructions, constants, operands and their types, failures with their place. */
#include "check.h"

#include "core/util.h"
#include "device/ptx/lower.h"

#define HEAD                                                                                                                           \
	".version 8.4\n.target sm_90\n.address_size 64\n.global .b32 g[4]; .shared .b64 s; .const .b32 c = 5;\n.entry k(.param .u64 p) {"     \
	" .reg .pred %p<9>; .reg .b16 %rs<9>; .reg .b32 %r<9>; .reg .b64 %rd<9>; .reg .f32 %f<9>; .reg .f64 %fd<9>; .reg .u32 %u<9>;"         \
	" .reg .s32 %s<9>; .reg .f16 %h<9>; .shared .align 8 .b8 mine[20];\n"

static int address_of(const struct ptx_link *link, const struct ptx_variable *variable, uint64_t *address)
{
	(void)link;
	if (strcmp(variable->name, "s") == 0)
		return -1;
	*address = variable->space == PTX_SPACE_SHARED ? 64 : 0x123456789000;
	return 0;
}

static const struct ptx_link link_of_test = {.address = address_of};
static struct ptx_module *module;
static struct ptx_program *program;
static struct error fault;

static int lower(const char *body)
{
	struct text source = {0};
	text_append(&source, "%s%s\n}\n", HEAD, body);
	ptx_program_free(program);
	ptx_module_free(module);
	program = NULL;
	module = NULL;
	fault = (struct error){0};
	int status = ptx_module_index(source.data, &module, &fault);
	const struct ptx_function *function = status == 0 ? ptx_module_function(module, "k", &fault) : NULL;
	status = function ? ptx_lower(function, &link_of_test, &program, &fault) : -1;
	text_free(&source);
	return status;
}

static void accept(const char *body)
{
	const int status = lower(body);
	CHECK_INT(status, 0);
	if (status)
		fprintf(stderr, "'%s': %s\n", body, fault.message);
}

static void refuse(const char *body, enum error_kind kind, const char *what)
{
	const int status = lower(body);
	CHECK_INT(status, -1);
	if (status == 0)
		fprintf(stderr, "'%s' was accepted\n", body);
	CHECK_INT(fault.kind, kind);
	CHECK_CONTAINS(fault.message, what);
	CHECK_CONTAINS(fault.message, "PTX line 6, column ");
}

/* Source `n` of instruction `i` is a constant: its bits in each lane. */
static void check_constant(int i, int n, int lane_bytes, uint64_t bits)
{
	const struct ptx_slot *slot = &program->code[i].src[n];
	CHECK(n < program->code[i].src_count);
	CHECK_INT(slot->file, PTX_FILE_CONSTANTS);
	CHECK_INT(slot->lane_bytes, lane_bytes);
	CHECK_INT(slot->offset % PTX_UNIT, 0);
	CHECK(slot->offset < program->constants_bytes);
	for (int lane = 0; lane < PTX_LANES; lane++) {
		uint64_t value = 0;
		memcpy(&value, program->constants + slot->offset + lane * lane_bytes, (size_t)lane_bytes);
		CHECK_INT(value, bits);
	}
}

static void test_program(void)
{
	accept("mov.u32 %r1, 1; @!%p1 bra L; @%p2 add.u32 %r1, %r1, 2; L: bar.sync 3; st.shared.u32 [mine], %r1;");
	CHECK_INT(program->count, 6);
	for (int i = 0; i < 5; i++) {
		CHECK(program->code[i].source == &program->function->instructions[i]);
		CHECK(program->code[i].execute != NULL);
	}
	const struct ptx_register *registers = program->function->registers;
	const struct ptx_instruction *instructions = program->function->instructions;
	CHECK_INT(program->code[0].guard, -1);
	CHECK_INT(program->code[1].guard, registers[instructions[1].guard].slot);
	CHECK_INT(program->code[1].guard_flip, ~0u);
	CHECK_INT(program->code[2].guard, registers[instructions[2].guard].slot);
	CHECK_INT(program->code[2].guard_flip, 0);
	CHECK(program->code[1].guard != program->code[2].guard);
	CHECK(program->code[0].flags & PTX_INSN_BLOCK_START);
	CHECK(!(program->code[2].flags & PTX_INSN_BLOCK_START)); /* one predecessor: lanes cannot meet there */
	CHECK(program->code[3].flags & PTX_INSN_BLOCK_START);
	const uint32_t blocks[6] = {0, 0, 1, 2, 2, 3};
	for (int i = 0; i < 6; i++)
		CHECK_INT(program->block_of[i], blocks[i]);
	CHECK(program->code[5].execute == ptx_execute_ret);
	CHECK(program->code[5].flags & PTX_INSN_CONTROL);
	CHECK_INT(program->code[5].source->position.line, 7);
	CHECK_INT(program->barriers, 4);
	CHECK_INT(program->shared_bytes, 20);
	CHECK_INT(((uintptr_t)program->constants) % PTX_UNIT, 0);
	accept("bar.sync %r1;");
	CHECK_INT(program->barriers, 16);
	accept("");
	CHECK_INT(program->count, 1);
	CHECK_INT(program->barriers, 0);
}

static void test_constants(void)
{
	accept("add.s32 %r1, %r2, -7; add.u32 %r1, %r2, 0xFFFFFFFFFFFFFFF9; add.s16 %rs1, %rs2, -7; add.s64 %rd1, %rd2, -7;"
	       "add.f32 %f1, %f2, 1.5; add.f32 %f1, %f2, 0d3FF8000000000000; add.f64 %fd1, %fd2, 0f3FC00000; add.f64 %fd1, %fd2, 1.5;"
	       "add.f32 %f1, %f2, 0f7FC01234; add.f32 %f1, %f2, 0.1;");
	check_constant(0, 1, 4, 0xFFFFFFF9);
	check_constant(1, 1, 4, 0xFFFFFFF9);
	check_constant(2, 1, 4, 0xFFF9); /* the bits that 16-bit registers do not have stay 0 */
	check_constant(3, 1, 8, 0xFFFFFFFFFFFFFFF9);
	check_constant(4, 1, 4, 0x3FC00000);
	check_constant(5, 1, 4, 0x3FC00000);
	check_constant(6, 1, 8, 0x3FF8000000000000);
	check_constant(7, 1, 8, 0x3FF8000000000000);
	check_constant(8, 1, 4, 0x7FC01234);
	check_constant(9, 1, 4, 0x3DCCCCCD); /* rounded to nearest */
	CHECK_INT(program->code[0].src[1].offset, program->code[1].src[1].offset); /* the same bits share */
	CHECK_INT(program->code[4].src[1].offset, program->code[5].src[1].offset);
	CHECK_INT(program->code[6].src[1].offset, program->code[7].src[1].offset);
	CHECK(program->code[0].src[1].offset != program->code[2].src[1].offset);
	CHECK_INT(program->constants_bytes, 5 * 128 + 2 * 256);
	accept("and.pred %p1, %p2, 1; and.pred %p1, %p2, 0;");
	uint32_t mask;
	CHECK_INT(program->code[0].src[1].lane_bytes, 0);
	memcpy(&mask, program->constants + program->code[0].src[1].offset, sizeof mask);
	CHECK_INT(mask, ~0u);
	memcpy(&mask, program->constants + program->code[1].src[1].offset, sizeof mask);
	CHECK_INT(mask, 0);

	/* many of them: the table grows and keeps what it had */
	struct text body = {0};
	for (int i = 0; i < 1000; i++)
		text_append(&body, "add.u32 %%r1, %%r2, %d; add.u64 %%rd1, %%rd2, %d;\n", i * 7, i * 7);
	accept(body.data);
	for (int i = 0; i < 1000; i += 37) {
		check_constant(2 * i, 1, 4, (uint64_t)i * 7);
		check_constant(2 * i + 1, 1, 8, (uint64_t)i * 7);
	}
	CHECK_INT(program->constants_bytes, 1000 * (128 + 256));
	text_free(&body);
}

/* What ptxas 13.0 accepts and refuses (each line was put to it), apart from what only this program's reach decides. */
static void test_types(void)
{
	static const char *const right[] = {
		"mov.b32 %r1, 0f3F800000;", "mov.b64 %rd1, 0d3FF0000000000000;", "mov.b64 %rd1, 1.5;", "add.s32 %u1, %u2, %s1;",
		"selp.b32 %r1, %r2, %r3, 1;", "st.global.u8 [%rd1], 300;", "st.global.f32 [%rd1], 1.5;", "add.u16 %rs1, %rs2, 70000;",
		"mov.b16 %rs1, 0x3c00;", "shfl.sync.bfly.b32 %f1, %f2, 1, 31, -1;", "cvt.u64.u32 %rd1, 5;", "cvt.rn.f32.s32 %f1, 5;",
		"ld.global.u32 %rd1, [%rd1];", "st.global.u8 [%rd1], %r1;", "st.global.u32 [%rd1], %rd1;", "fma.rn.f32 %f1, %f2, %r1, %f3;",
		"setp.eq.f32 %p1, %r1, %r2;", "mov.u16 %rs1, %tid.x;", "cvt.u16.u32 %rs1, %tid.x;", "mov.u32 %r1, WARP_SZ;",
		"mul.wide.u32 %rd1, %r1, %r2;", "add.f32 %f1, %f2, (0f3F800000);", "mov.b64 {%r1,_}, %rd1;", "mov.b64 %rd1, {%r1, 5};",
		"ex2.approx.f32 %f1, 1.0;", "atom.global.add.f32 %f1, [%rd1], 1.0;", "mov.pred %p1, %p2;",
	};
	static const char *const wrong[] = {
		"add.f32 %f1, %f2, 1;", "mov.b32 %r1, 1.5;", "mov.u32 %r1, 0f3F800000;", "mov.b64 %rd1, 0f3F800000;",
		"mov.b32 %r1, 0d3FF0000000000000;", "add.f32 %u1, %f1, %f2;", "add.u32 %f1, %r1, %r2;", "mov.u32 %f1, %f2;", "mov.f32 %u1, %u2;",
		"selp.f32 %u1, %f2, %f1, %p1;", "mov.b32 %r1, %rs1;", "add.s32 %r1, %rs1, %r2;", "st.global.f32 [%rd1], 1;", "add.f16 %rs1, %rs2, 1.0;",
		"add.f16 %h1, %h2, 0x3c00;", "ld.global.f32 %u1, [%rd1];", "ld.global.u32 %f1, [%rd1];", "st.global.u16 [%rd1], %f1;",
		"setp.eq.f32 %p1, %u1, %u2;", "mad.lo.u32 %r1, %r2, %r3, %f1;", "add.u32 %p1, %r1, %r2;",
		"and.pred %p1, %r1, %p2;", "ld.global.u32 %rs1, [%rd1];", "add.u32 %r1, %r2, !%p1;", "add.u32 5, %r1, %r2;", "add.u32 %r1, _, %r2;",
		"add.u32 %r1, %r2, [%rd1];", "add.u32 %r1, %r2, {%r1, %r2};",
	};
	for (size_t i = 0; i < ARRAY_COUNT(right); i++)
		accept(right[i]);
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		refuse(wrong[i], ERROR_INPUT, "in 'k'");
	refuse("add.f32 %f1, %f2, 1;", ERROR_INPUT, "add.f32 (PTX line 6, column 1, in 'k'): an integer constant where .f32 is needed");
	refuse("\tadd.u32 %r1, %f2, 1;", ERROR_INPUT, "add.u32 (PTX line 6, column 2, in 'k'): %f2 is a .f32 register");
	refuse("add.u32 %r1, s, 1;", ERROR_INPUT, "no address is known for 's'");
	refuse("vadd.s32.s32.s32 %r1, %r2, %r3;", ERROR_UNSUPPORTED, "unsupported: vadd.s32.s32.s32 (PTX line 6, column 1, in 'k')");
	refuse("frobnicate.x %r1;", ERROR_UNSUPPORTED, "unsupported: frobnicate.x");
	refuse("wgmma.fence.sync.aligned;", ERROR_UNSUPPORTED, "unsupported: wgmma.fence.sync.aligned");
	refuse("tex.1d.v4.f32.s32 {%f1, %f2, %f3, %f4}, [%rd1, {%r1}];", ERROR_UNSUPPORTED, "unsupported: tex.1d.v4.f32.s32");
}

static void test_addresses(void)
{
	accept("add.u64 %rd1, %rd2, g; add.u64 %rd1, %rd2, g+4;");
	check_constant(0, 1, 8, 0x123456789000);
	check_constant(1, 1, 8, 0x123456789004);
	refuse("add.u16 %rs1, %rs2, g;", ERROR_INPUT, "the address of 'g' where .u16 is needed");
	refuse("add.u64 %rd1, %rd2, p;", ERROR_UNSUPPORTED, "the address of 'p' as an operand");
	accept("ld.global.u32 %r1, [g+4]; st.shared.u32 [mine+4], %r1; mov.u64 %rd1, g; ld.const.u32 %r2, [c]; ld.param.u64 %rd2, [p];");
}

int main(void)
{
	test_program();
	test_constants();
	test_types();
	test_addresses();
	ptx_program_free(program);
	ptx_module_free(module);
	return check_result();
}
