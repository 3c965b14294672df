/* Definedness rules against brute force: every undefined bit of the operands is flipped, alone and with others, and a bit of the
 * result that changes must be marked. Where a rule is said to be exact, no other bit may be. */
#include "check.h"
#include "device/ptx/lower.h"

#include <stdlib.h>

struct form {
	const char *text;
	int exact;                 /* 1: marks just what can change */
};

static const struct form forms[] = {
	{"mov.b32 %r0, %r1;", 1}, {"mov.u64 %d0, %d1;", 1}, {"mov.b16 %h0, %h1;", 1}, {"mov.pred %b0, %b1;", 1}, {"mov.b128 %q0, %q1;", 1},
	{"mov.b32 %r0, {%h1, %h2};", 1}, {"mov.b64 %d0, {%r1, %r2};", 1}, {"mov.b64 %d0, {%h1, %h2, %h3, %h4};", 1}, {"mov.b128 %q0, {%d1, %d2};", 1},
	{"mov.b32 {%h0, %h5}, %r1;", 1}, {"mov.b64 {%r0, %r5}, %d1;", 1}, {"mov.b128 {%d0, %d5}, %q1;", 1}, {"mov.b32 {%h1, %h5}, %r1;", 1},
	{"and.b32 %r0, %r1, %r2;", 1}, {"or.b32 %r0, %r1, %r2;", 1}, {"xor.b32 %r0, %r1, %r2;", 1}, {"not.b32 %r0, %r1;", 1},
	{"and.b16 %h0, %h1, %h2;", 1}, {"or.b64 %d0, %d1, %d2;", 1}, {"xor.b64 %d0, %d1, %d2;", 1}, {"not.b16 %h0, %h1;", 1},
	{"and.b32 %r0, %r0, 255;", 1}, {"or.b32 %r1, %r1, %r2;", 1},
	{"and.pred %b0, %b1, %b2;", 1}, {"or.pred %b0, %b1, !%b2;", 1}, {"xor.pred %b0, !%b1, %b2;", 1}, {"not.pred %b0, %b1;", 1},
	{"and.pred %b0, !%b1, !%b2;", 1},
	{"lop3.b32 %r0, %r1, %r2, %r3, 0x80;", 1}, {"lop3.b32 %r0, %r1, %r2, %r3, 0xe2;", 1}, {"lop3.b32 %r0, %r1, %r2, %r3, 0x96;", 1},
	{"lop3.b32 %r0, %r1, %r2, %r3, 0x1b;", 1},
	{"shl.b32 %r0, %r1, 5;", 1}, {"shl.b32 %r0, %r1, %r4;", 0}, {"shl.b64 %d0, %d1, 40;", 1}, {"shl.b16 %h0, %h1, 3;", 1}, {"shl.b32 %r0, %r1, 40;", 1},
	{"shr.u32 %r0, %r1, 5;", 1}, {"shr.s32 %r0, %r1, 9;", 1}, {"shr.s32 %r0, %r1, 99;", 1}, {"shr.u64 %d0, %d1, 33;", 1}, {"shr.s64 %d0, %d1, 60;", 1},
	{"shr.s16 %h0, %h1, 4;", 1}, {"shr.u16 %h0, %h1, 4;", 1}, {"shr.u32 %r0, %r1, %r4;", 0}, {"shr.u32 %r0, %r1, 32;", 1},
	{"shf.l.wrap.b32 %r0, %r1, %r2, 7;", 1}, {"shf.r.wrap.b32 %r0, %r1, %r2, 39;", 1}, {"shf.l.clamp.b32 %r0, %r1, %r2, 40;", 1},
	{"shf.r.clamp.b32 %r0, %r1, %r2, 32;", 1}, {"shf.r.clamp.b32 %r0, %r1, %r2, %r4;", 0},
	{"prmt.b32 %r0, %r1, %r2, 0x5410;", 1}, {"prmt.b32 %r0, %r1, %r2, 0x7d90;", 1}, {"prmt.b32 %r0, %r1, %r2, %r4;", 0},
	{"prmt.b32.f4e %r0, %r1, %r2, 1;", 1}, {"prmt.b32.f4e %r0, %r1, %r2, 3;", 1}, {"prmt.b32.b4e %r0, %r1, %r2, 1;", 1}, {"prmt.b32.b4e %r0, %r1, %r2, 2;", 1},
	{"prmt.b32.b4e %r0, %r1, %r2, 3;", 1}, {"prmt.b32.rc8 %r0, %r1, %r2, 2;", 1}, {"prmt.b32.ecl %r0, %r1, %r2, 1;", 1}, {"prmt.b32.ecl %r0, %r1, %r2, 2;", 1},
	{"prmt.b32.ecr %r0, %r1, %r2, 1;", 1}, {"prmt.b32.ecr %r0, %r1, %r2, 2;", 1}, {"prmt.b32.rc16 %r0, %r1, %r2, 1;", 1}, {"prmt.b32.rc16 %r0, %r1, %r2, 2;", 1},
	{"prmt.b32.rc16 %r0, %r1, %r2, 3;", 1}, {"prmt.b32.f4e %r0, %r1, %r2, %r4;", 0},
	{"bfe.u32 %r0, %r1, 5, 7;", 1}, {"bfe.s32 %r0, %r1, 5, 7;", 1}, {"bfe.s32 %r0, %r1, 28, 9;", 1}, {"bfe.u32 %r0, %r1, 33, 4;", 1}, {"bfe.s32 %r0, %r1, 40, 4;", 1},
	{"bfe.u32 %r0, %r1, 3, 0;", 1}, {"bfe.u64 %d0, %d1, 30, 20;", 1}, {"bfe.s64 %d0, %d1, 50, 20;", 1}, {"bfe.u32 %r0, %r1, %r4, 7;", 0},
	{"bfi.b32 %r0, %r1, %r2, 8, 9;", 1}, {"bfi.b32 %r0, %r1, %r2, 30, 9;", 1}, {"bfi.b32 %r0, %r1, %r2, 32, 9;", 1}, {"bfi.b64 %d0, %d1, %d2, 33, 8;", 1},
	{"bfi.b32 %r0, %r1, %r2, %r4, 3;", 0},
	{"brev.b32 %r0, %r1;", 1}, {"brev.b64 %d0, %d1;", 1}, {"clz.b32 %r0, %r1;", 0}, {"clz.b64 %r0, %d1;", 0}, {"popc.b32 %r0, %r1;", 0}, {"bfind.u32 %r0, %r1;", 0},
	{"selp.b32 %r0, %r1, %r2, %b1;", 1}, {"selp.f64 %g0, %g1, %g2, %b1;", 1}, {"selp.u16 %h0, %h1, %h2, %b1;", 1}, {"selp.b32 %r0, %r1, %r2, !%b1;", 1},
	{"slct.s32.s32 %r0, %r1, %r2, %r4;", 1}, {"slct.b64.f32 %d0, %d1, %d2, %f1;", 0},
	{"setp.eq.s32 %b0, %r1, %r2;", 1}, {"setp.ne.b32 %b0, %r1, %r2;", 1}, {"setp.lt.s32 %b0, %r1, %r2;", 1}, {"setp.ge.s32 %b0, %r1, %r2;", 1},
	{"setp.gt.u32 %b0, %r1, %r2;", 1}, {"setp.le.u32 %b0, %r1, %r2;", 1}, {"setp.lo.u32 %b0, %r1, %r2;", 1}, {"setp.hs.u64 %b0, %d1, %d2;", 1},
	{"setp.gt.s64 %b0, %d1, %d2;", 1}, {"setp.lt.u16 %b0, %h1, %h2;", 1}, {"setp.le.s16 %b0, %h1, %h2;", 1}, {"setp.eq.s64 %b0, %d1, 0;", 1},
	{"setp.lt.s32 %b0|%b5, %r1, %r2;", 1}, {"setp.lt.and.s32 %b0, %r1, %r2, %b1;", 1}, {"setp.lt.or.s32 %b0, %r1, %r2, !%b1;", 1},
	{"setp.ge.xor.u32 %b0, %r1, %r2, %b1;", 0}, {"setp.le.and.u32 %b0|%b5, %r1, %r2, %b1;", 1},
	{"setp.lt.f32 %b0, %f1, %f2;", 0}, {"setp.gtu.ftz.f32 %b0, %f1, %f2;", 0}, {"setp.lt.and.f32 %b0, %f1, %f2, %b1;", 0}, {"setp.geu.or.f64 %b0, %g1, %g2, %b1;", 0},
	{"setp.ne.and.f16 %b0, %h1, %h2, %b1;", 0}, {"setp.nan.or.f32 %b0, %f1, %f2, %b1;", 0}, {"setp.leu.and.bf16 %b0, %h1, %h2, %b1;", 0},
	{"setp.lt.f16x2 %b0|%b5, %r1, %r2;", 0}, {"setp.equ.and.bf16x2 %b0|%b5, %r1, %r2, %b1;", 0},
	{"set.lt.u32.s32 %r0, %r1, %r2;", 0}, {"set.eq.f32.u32 %f0, %r1, %r2;", 0}, {"set.gt.f16x2.f16x2 %r0, %r1, %r2;", 0}, {"set.le.u32.f16x2 %r0, %r1, %r2;", 0},
	{"testp.finite.f32 %b0, %f1;", 0},
	{"add.u32 %r0, %r1, %r2;", 0}, {"add.s64 %d0, %d1, %d2;", 0}, {"add.u16 %h0, %h1, %h2;", 0}, {"sub.s32 %r0, %r1, %r2;", 0}, {"sub.u64 %d0, %d1, %d2;", 0},
	{"add.s32 %r0, %r1, 64;", 0}, {"sub.s16 %h0, %h1, %h2;", 0}, {"neg.s32 %r0, %r1;", 0}, {"abs.s32 %r0, %r1;", 0}, {"add.sat.s32 %r0, %r1, %r2;", 0},
	{"mul.lo.s32 %r0, %r1, %r2;", 0}, {"mul.lo.u32 %r0, %r1, 12;", 0}, {"mul.lo.u32 %r0, %r1, 0;", 1}, {"mul.lo.u64 %d0, %d1, %d2;", 0}, {"mul.lo.u16 %h0, %h1, %h2;", 0},
	{"mul.wide.u32 %d0, %r1, %r2;", 0}, {"mul.wide.s32 %d0, %r1, 8;", 0}, {"mul.wide.s16 %r0, %h1, %h2;", 0}, {"mul.hi.u32 %r0, %r1, %r2;", 0}, {"mul.hi.s64 %d0, %d1, %d2;", 0},
	{"mad.lo.s32 %r0, %r1, %r2, %r3;", 0}, {"mad.lo.u32 %r0, %r1, 4, %r3;", 0}, {"mad.wide.s32 %d0, %r1, 4, %d3;", 0}, {"mad.wide.u16 %r0, %h1, %h2, %r3;", 0},
	{"mad.hi.s32 %r0, %r1, %r2, %r3;", 0}, {"mad.lo.s64 %d0, %d1, %d2, %d3;", 0}, {"mad.lo.u16 %h0, %h1, %h2, %h3;", 0},
	{"min.s32 %r0, %r1, %r2;", 0}, {"max.u32 %r0, %r1, %r2;", 0}, {"min.u64 %d0, %d1, %d2;", 0}, {"max.s64 %d0, %d1, %d2;", 0}, {"min.s16 %h0, %h1, %h2;", 0},
	{"min.s32 %r0, %r1, 0;", 0}, {"max.s16x2 %r0, %r1, %r2;", 0}, {"add.u16x2 %r0, %r1, %r2;", 0}, {"max.relu.s32 %r0, %r1, %r2;", 0},
	{"div.u32 %r0, %r1, %r2;", 0}, {"rem.s32 %r0, %r1, %r2;", 0}, {"sad.u32 %r0, %r1, %r2, %r3;", 0}, {"dp4a.s32.s32 %r0, %r1, %r2, %r3;", 0}, {"mul24.lo.u32 %r0, %r1, %r2;", 0},
	{"fma.rn.f16x2 %r0, %r1, %r2, %r3;", 0}, {"add.f16x2 %r0, %r1, %r2;", 0}, {"mul.bf16x2 %r0, %r1, %r2;", 0}, {"neg.f16x2 %r0, %r1;", 0}, {"abs.bf16x2 %r0, %r1;", 0},
	{"max.f16x2 %r0, %r1, %r2;", 0}, {"sub.f16 %h0, %h1, %h2;", 0}, {"fma.rn.bf16 %h0, %h1, %h2, %h3;", 0}, {"add.f32 %f0, %f1, %f2;", 0}, {"fma.rn.f64 %g0, %g1, %g2, %g3;", 0},
	{"copysign.f32 %f0, %f1, %f2;", 1}, {"copysign.f64 %g0, %g1, %g2;", 1}, {"tanh.approx.f16x2 %r0, %r1;", 0}, {"ex2.approx.ftz.bf16x2 %r0, %r1;", 0},
	{"cvt.u64.u32 %d0, %r1;", 1}, {"cvt.s64.s32 %d0, %r1;", 1}, {"cvt.u32.u64 %r0, %d1;", 1}, {"cvt.u16.u32 %h0, %r1;", 1}, {"cvt.u32.u16 %r0, %h1;", 1},
	{"cvt.s32.s16 %r0, %h1;", 1}, {"cvt.s32.s8 %r0, %r1;", 1}, {"cvt.u32.u8 %r0, %r1;", 1}, {"cvt.s16.s8 %h0, %r1;", 1}, {"cvt.s8.s32 %r0, %r1;", 1}, {"cvt.u8.u32 %r0, %r1;", 1},
	{"cvt.s64.s8 %d0, %h1;", 1}, {"cvt.u16.u64 %h0, %d1;", 1}, {"cvt.sat.u8.s32 %r0, %r1;", 0}, {"cvt.sat.s16.s32 %h0, %r1;", 0},
	{"cvt.rn.f32.s32 %f0, %r1;", 0}, {"cvt.rzi.s32.f32 %r0, %f1;", 0}, {"cvt.f32.f16 %f0, %h1;", 0}, {"cvt.rn.f16.f32 %h0, %f1;", 0}, {"cvt.f64.f32 %g0, %f1;", 0},
	{"cvt.rn.f16x2.f32 %r0, %f1, %f2;", 0}, {"cvt.rn.bf16x2.f32 %r0, %f1, %f2;", 0}, {"cvt.rn.f16x2.e4m3x2 %r0, %h1;", 0}, {"cvt.rn.satfinite.e4m3x2.f32 %h0, %f1, %f2;", 0},
	{"cvt.rn.satfinite.e5m2x2.f16x2 %h0, %r1;", 0}, {"cvt.rni.f32.f32 %f0, %f1;", 0}, {"cvt.rzi.u8.f32 %r0, %f1;", 0},
};

static uint64_t state = 0x9e3779b97f4a7c15;
static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1d;
}

/* A value as programs have them, too: small, aligned, negative, all of one kind. */
static uint64_t interesting(void)
{
	const uint64_t any = random64();
	switch (random64() % 8) {
	case 0: return any & 0xff;
	case 1: return any & 0xfff0;
	case 2: return 0 - (any & 0xff);
	case 3: return 0;
	case 4: return UINT64_MAX;
	case 5: return 0x3f8000003f800000 ^ (any & 0x80ff000080ff0000);
	default: return any;
	}
}

struct machine {
	struct ptx_module *module;
	struct ptx_program *program;
	struct ptx_warp warp;
	struct ptx_frame frame;
	struct ptx_worker worker;
	size_t bytes;
};

static int no_address(const struct ptx_link *link, const struct ptx_variable *variable, uint64_t *address)
{
	(void)link, (void)variable, (void)address;
	return -1;
}

static int machine_open(struct machine *machine, const char *instruction)
{
	static const struct ptx_link link = {.address = no_address};
	char text[1024];
	struct error err = {0};
	memset(machine, 0, sizeof *machine);
	snprintf(text, sizeof text,
		 ".version 8.6\n.target sm_90a\n.address_size 64\n.visible .entry k()\n{\n.reg .b16 %%h<6>;\n.reg .b32 %%r<6>;\n.reg .b64 %%d<6>;\n"
		 ".reg .b128 %%q<6>;\n.reg .f32 %%f<6>;\n.reg .f64 %%g<6>;\n.reg .pred %%b<6>;\n%s\nret;\n}\n", instruction);
	const struct ptx_function *function = NULL;
	if (ptx_module_index(text, &machine->module, &err) || (function = ptx_module_function(machine->module, "k", &err)) == NULL ||
	    ptx_lower(function, &link, &machine->program, &err)) {
		fprintf(stderr, "%s: %s\n", instruction, err.message);
		ptx_module_free(machine->module);
		return -1;
	}
	machine->bytes = function->register_file_bytes + 4096;
	struct ptx_frame *frame = &machine->frame;
	frame->program = machine->program;
	frame->registers = aligned_alloc(128, (machine->bytes + 127) / 128 * 128);
	frame->shadow = aligned_alloc(128, (machine->bytes + 127) / 128 * 128);
	frame->undefined = calloc(machine->bytes / PTX_UNIT + 1, sizeof *frame->undefined);
	struct ptx_warp *warp = &machine->warp;
	warp->file[PTX_FILE_REGISTERS] = frame->registers;
	warp->file[PTX_FILE_CONSTANTS] = machine->program->constants;
	warp->undefined = frame->undefined;
	warp->shadow = frame->shadow;
	warp->frame = frame;
	warp->worker = &machine->worker;
	warp->checks = 1;
	warp->live = UINT32_MAX;
	return 0;
}

static void machine_close(struct machine *machine)
{
	free(machine->frame.registers);
	free(machine->frame.shadow);
	free(machine->frame.undefined);
	ptx_program_free(machine->program);
	ptx_module_free(machine->module);
}

enum { LANE_BYTES_MAX = 16, OPERANDS_MAX = 6 };

/* Bytes of a slot's lane: value or shadow; of a predicate a bit. */
static void get(const unsigned char *file, const struct ptx_slot *slot, int lane, unsigned char *bytes)
{
	memset(bytes, 0, LANE_BYTES_MAX);
	if (slot->lane_bytes) {
		memcpy(bytes, file + slot->offset + (unsigned)lane * slot->lane_bytes, slot->lane_bytes);
		return;
	}
	uint32_t word;
	memcpy(&word, file + slot->offset, 4);
	bytes[0] = word >> lane & 1;
}

static void put(unsigned char *file, const struct ptx_slot *slot, int lane, const unsigned char *bytes)
{
	if (slot->lane_bytes) {
		memcpy(file + slot->offset + (unsigned)lane * slot->lane_bytes, bytes, slot->lane_bytes);
		return;
	}
	uint32_t word;
	memcpy(&word, file + slot->offset, 4);
	word = (word & ~(1u << lane)) | (uint32_t)bytes[0] << lane;
	memcpy(file + slot->offset, &word, 4);
}

/* Bytes that the register behind a source slot holds: 16-bit ones have zeros above. */
static unsigned register_bytes(const struct ptx_program *program, const struct ptx_slot *slot)
{
	for (int i = 0; i < program->function->register_count; i++) {
		const struct ptx_register *reg = &program->function->registers[i];
		if (reg->used && reg->slot == slot->offset && reg->lane_bytes == slot->lane_bytes)
			return slot->lane_bytes ? ptx_type_bytes(reg->type) : 0;
	}
	return slot->lane_bytes;
}

struct trial {
	unsigned char value[OPERANDS_MAX][PTX_LANES][LANE_BYTES_MAX], undefined[OPERANDS_MAX][PTX_LANES][LANE_BYTES_MAX];
};

/* At most `most` undefined bits over all operands of a lane; 0: operands wholly or in bytes undefined. */
static void make_trial(const struct machine *machine, const struct ptx_insn *insn, struct trial *trial, int most)
{
	memset(trial, 0, sizeof *trial);
	for (int i = 0; i < insn->src_count; i++) {
		const struct ptx_slot *slot = &insn->src[i];
		const unsigned bytes = register_bytes(machine->program, slot);
		for (int lane = 0; lane < PTX_LANES; lane++) {
			const uint64_t low = interesting(), high = interesting();
			memcpy(trial->value[i][lane], &low, bytes < 8 ? bytes : 8);
			if (bytes > 8)
				memcpy(trial->value[i][lane] + 8, &high, 8);
			if (slot->lane_bytes == 0)
				trial->value[i][lane][0] = low & 1;
			if (slot->file != PTX_FILE_REGISTERS)
				get(machine->warp.file[PTX_FILE_CONSTANTS], slot, lane, trial->value[i][lane]);
			else if (most == 0)
				for (unsigned k = 0; k < (bytes ? bytes : 1); k++) {
					static const unsigned char patterns[] = {0, 0, 0xff, 0xff, 0x80, 0x01, 0xf0, 0x0f};
					trial->undefined[i][lane][k] = patterns[random64() % 8] & (bytes ? 0xff : 1);
				}
		}
	}
	if (most == 0)
		return;
	for (int lane = 0; lane < PTX_LANES; lane++)
		for (int n = 0; n < most; n++) {
			const int i = (int)(random64() % insn->src_count);
			const struct ptx_slot *slot = &insn->src[i];
			const unsigned bits = slot->lane_bytes ? 8 * register_bytes(machine->program, slot) : 1;
			const unsigned bit = (unsigned)(random64() % bits);
			if (slot->file == PTX_FILE_REGISTERS)
				trial->undefined[i][lane][bit / 8] |= (unsigned char)(1u << bit % 8);
		}
	/* an operand that stands twice has one value */
	for (int i = 1; i < insn->src_count; i++)
		for (int k = 0; k < i; k++)
			if (insn->src[i].file == PTX_FILE_REGISTERS && insn->src[k].file == PTX_FILE_REGISTERS && insn->src[i].offset == insn->src[k].offset) {
				memcpy(trial->value[i], trial->value[k], sizeof trial->value[i]);
				memcpy(trial->undefined[i], trial->undefined[k], sizeof trial->undefined[i]);
			}
}

/* Executes with the undefined bits XORed by a pattern that `flip` makes of them; results to `out`. */
static void execute(struct machine *machine, const struct ptx_insn *insn, const struct trial *trial, uint64_t flip, int by_random,
		    unsigned char out[OPERANDS_MAX][PTX_LANES][LANE_BYTES_MAX])
{
	for (int lane = 0; lane < PTX_LANES; lane++) {
		int number = 0;
		for (int i = 0; i < insn->src_count; i++) {
			unsigned char bytes[LANE_BYTES_MAX];
			if (insn->src[i].file != PTX_FILE_REGISTERS)
				continue;
			for (int k = 0; k < LANE_BYTES_MAX; k++) {
				unsigned char change = 0;
				if (by_random)
					change = (unsigned char)random64() & trial->undefined[i][lane][k];
				else
					for (int b = 0; b < 8; b++)
						if (trial->undefined[i][lane][k] >> b & 1)
							change |= (unsigned char)((flip >> (number++ & 63) & 1) << b);
				bytes[k] = trial->value[i][lane][k] ^ change;
			}
			put(machine->frame.registers, &insn->src[i], lane, bytes);
		}
	}
	insn->execute(&machine->warp, insn, UINT32_MAX);
	for (int d = 0; d < insn->dst_count; d++)
		for (int lane = 0; lane < PTX_LANES; lane++)
			get(machine->frame.registers, &insn->dst[d], lane, out[d][lane]);
}

static int check_form(const struct form *form)
{
	struct machine machine;
	if (machine_open(&machine, form->text))
		return -1;
	const struct ptx_insn *insn = &machine.program->code[0];
	struct ptx_warp *warp = &machine.warp;
	int missed = 0, loose = 0, marked = 0;
	for (int round = 0; round < 24; round++) {
		static struct trial trial;
		static unsigned char first[OPERANDS_MAX][PTX_LANES][LANE_BYTES_MAX], other[OPERANDS_MAX][PTX_LANES][LANE_BYTES_MAX],
			changed[OPERANDS_MAX][PTX_LANES][LANE_BYTES_MAX], told[OPERANDS_MAX][PTX_LANES][LANE_BYTES_MAX];
		const int most = round % 3 == 2 ? 0 : 1 + round % 7;
		make_trial(&machine, insn, &trial, most);
		/* the rule */
		memset(machine.frame.registers, 0, machine.bytes);
		memset(machine.frame.shadow, 0xaa, machine.bytes);
		memset(machine.frame.undefined, 0, (machine.bytes / PTX_UNIT + 1) * sizeof *machine.frame.undefined);
		for (int d = 0; d < insn->dst_count; d++)
			machine.frame.undefined[insn->dst[d].offset / PTX_UNIT] = 0x55555555; /* of before: must not stay */
		for (int i = 0; i < insn->src_count; i++) {
			const struct ptx_slot *slot = &insn->src[i];
			if (slot->file != PTX_FILE_REGISTERS)
				continue;
			uint32_t mask = 0;
			for (int lane = 0; lane < PTX_LANES; lane++) {
				static const unsigned char none[LANE_BYTES_MAX];
				put(machine.frame.registers, slot, lane, trial.value[i][lane]);
				if (memcmp(trial.undefined[i][lane], none, LANE_BYTES_MAX) == 0)
					continue;
				mask |= 1u << lane;
				if (slot->lane_bytes)
					put(machine.frame.shadow, slot, lane, trial.undefined[i][lane]);
			}
			machine.frame.undefined[slot->offset / PTX_UNIT] = mask;
		}
		memset(told, 0, sizeof told);
		if (insn->propagate) {
			insn->propagate(warp, insn, UINT32_MAX);
		} else { /* as the core does it (core.c) */
			uint32_t lanes = 0;
			for (int i = 0; i < insn->src_count; i++)
				lanes |= ptx_undefined(warp, &insn->src[i]);
			for (int d = 0; d < insn->dst_count; d++) {
				ptx_set_undefined(warp, &insn->dst[d], UINT32_MAX, lanes);
				for (int lane = 0; lane < PTX_LANES; lane++)
					if (lanes >> lane & 1 && insn->dst[d].lane_bytes)
						memset((unsigned char *)ptx_shadow_at(warp, &insn->dst[d]) + (unsigned)lane * insn->dst[d].lane_bytes, 0xff,
						       insn->dst[d].lane_bytes);
			}
		}
		for (int d = 0; d < insn->dst_count; d++)
			for (int lane = 0; lane < PTX_LANES; lane++)
				if (ptx_undefined(warp, &insn->dst[d]) >> lane & 1) {
					if (insn->dst[d].lane_bytes)
						get(machine.frame.shadow, &insn->dst[d], lane, told[d][lane]);
					else
						told[d][lane][0] = 1;
				}
		/* the truth */
		memset(changed, 0, sizeof changed);
		execute(&machine, insn, &trial, 0, 0, first);
		for (uint64_t flip = 1; flip < (most ? UINT64_C(1) << most : 64); flip++) {
			execute(&machine, insn, &trial, flip, most == 0, other);
			for (size_t k = 0; k < sizeof changed; k++)
				(&changed[0][0][0])[k] |= (unsigned char)((&first[0][0][0])[k] ^ (&other[0][0][0])[k]);
		}
		for (int d = 0; d < insn->dst_count; d++)
			for (int lane = 0; lane < PTX_LANES; lane++)
				for (int k = 0; k < LANE_BYTES_MAX; k++) {
					missed += (changed[d][lane][k] & ~told[d][lane][k]) != 0;
					loose += most && (told[d][lane][k] & ~changed[d][lane][k]) != 0;
					marked += told[d][lane][k] != 0;
				}
	}
	machine_close(&machine);
	if (missed || (form->exact && loose))
		fprintf(stderr, "  %s: %d bytes with unmarked bits, %d with bits marked in vain, of %d\n", form->text, missed, loose, marked);
	CHECK_INT(missed, 0);
	if (form->exact)
		CHECK_INT(loose, 0);
	return 0;
}

int main(void)
{
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		CHECK_INT(check_form(&forms[i]), 0);
	return check_result();
}
