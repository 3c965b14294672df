/* Matrix instructions by themselves: fragments are filled by the formulas of the manual (PTX ISA 9.0, 9.7.14.5), written here
 * once more shape by shape, and the results compared with plain sums. Lowering and memory are replaced by small ones. */
#include "check.h"

#include "core/dtype.h"
#include "device/ptx/matrix_private.h"
#include "device/ptx/memory.h"

#include <stdarg.h>
#include <stdlib.h>

enum { REGISTERS = 40, REGISTER_BYTES = 256 };

static _Alignas(64) unsigned char file[REGISTERS * REGISTER_BYTES], shadow_file[REGISTERS * REGISTER_BYTES];
static uint32_t undefined_file[REGISTERS * REGISTER_BYTES / PTX_UNIT];
static unsigned char shared[4096], shared_shadow[4096];
static int findings, last_finding, failures;
static void *allocations[4096];
static int allocation_count;

/* ---- stand-ins for lower.c, memory and findings ---- */

int ptx_unsupported(struct ptx_lowering *lowering, const char *format, ...)
{
	(void)lowering, (void)format;
	failures++;
	return -1;
}
int ptx_malformed(struct ptx_lowering *lowering, const char *format, ...)
{
	(void)lowering, (void)format;
	failures++;
	return -1;
}
void *ptx_lowering_alloc(struct ptx_lowering *lowering, size_t bytes)
{
	(void)lowering;
	return allocations[allocation_count++] = calloc(1, bytes ? bytes : 1);
}
int ptx_source(struct ptx_lowering *lowering, const struct ptx_operand *operand, enum ptx_type type, int wider, int *negated, struct ptx_slot *slot)
{
	(void)lowering, (void)wider, (void)negated;
	*slot = (struct ptx_slot){.offset = (uint32_t)operand->reg * REGISTER_BYTES, .lane_bytes = (uint8_t)(ptx_type_bytes(type) == 8 ? 8 : 4)};
	return 0;
}
int ptx_destination(struct ptx_lowering *lowering, const struct ptx_operand *operand, enum ptx_type type, int wider, struct ptx_slot *slot)
{
	return ptx_source(lowering, operand, type, wider, NULL, slot);
}
int ptx_constant(struct ptx_lowering *lowering, uint64_t bits, int lane_bytes, struct ptx_slot *slot)
{
	(void)lowering, (void)bits, (void)lane_bytes, (void)slot;
	return -1;
}
void ptx_find(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, enum ptx_finding_kind kind, uint64_t address, const char *format, ...)
{
	(void)warp, (void)insn, (void)lane, (void)address, (void)format;
	findings++;
	last_finding = kind;
}
int ptx_read(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, enum ptx_space space, uint64_t address, unsigned bytes, void *to, void *shadow)
{
	(void)warp, (void)insn, (void)lane, (void)space;
	memcpy(to, shared + address, bytes);
	if (shadow)
		memcpy(shadow, shared_shadow + address, bytes);
	return 0;
}
int ptx_write(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, enum ptx_space space, uint64_t address, unsigned bytes,
	      const void *from, const void *shadow)
{
	(void)warp, (void)insn, (void)lane, (void)space;
	memcpy(shared + address, from, bytes);
	if (shadow)
		memcpy(shared_shadow + address, shadow, bytes);
	else
		memset(shared_shadow + address, 0, bytes);
	return 0;
}
void ptx_count_shared(struct ptx_warp *warp, uint32_t active, const uint32_t *offsets, unsigned bytes, int is_write)
{
	(void)warp, (void)active, (void)offsets, (void)bytes, (void)is_write;
}

/* ---- one instruction ---- */

static struct ptx_warp warp;
static struct ptx_block_state block;
static struct ptx_worker worker;

struct machine {
	struct ptx_instruction instruction;
	struct ptx_function function;
	struct ptx_operand elements[REGISTERS];
	struct ptx_register registers[REGISTERS];
	struct ptx_lowering lowering;
	struct ptx_insn insn;
};

/* operands: counts of registers, given in a row from register 0; negative: an address in a register */
static int lower(struct machine *machine, enum ptx_opcode opcode, const enum ptx_modifier *modifiers, const int *operands, int operand_count)
{
	int next = 0;
	memset(machine, 0, sizeof(*machine));
	machine->instruction.opcode = opcode;
	for (int i = 0; modifiers[i]; i++)
		machine->instruction.modifiers[machine->instruction.modifier_count++] = modifiers[i];
	for (int i = 0; i < REGISTERS; i++) {
		machine->elements[i] = (struct ptx_operand){.kind = PTX_OPERAND_REGISTER, .reg = i};
		machine->registers[i].type = PTX_B32;
	}
	for (int i = 0; i < operand_count; i++) {
		struct ptx_operand *operand = &machine->instruction.operands[i];
		if (operands[i] < 0)
			*operand = (struct ptx_operand){.kind = PTX_OPERAND_ADDRESS, .reg = next++};
		else if (operands[i] == 0)
			*operand = (struct ptx_operand){.kind = PTX_OPERAND_REGISTER, .reg = next++};
		else
			*operand = (struct ptx_operand){.kind = PTX_OPERAND_VECTOR, .first = next, .count = operands[i]};
		next += operands[i] > 0 ? operands[i] : 0;
	}
	machine->instruction.operand_count = operand_count;
	machine->function.elements = machine->elements;
	machine->function.registers = machine->registers;
	machine->lowering = (struct ptx_lowering){.function = &machine->function, .instruction = &machine->instruction};
	return ptx_lower_matrix(&machine->lowering, &machine->insn);
}

static uint32_t *words(int reg)
{
	return (uint32_t *)(file + reg * REGISTER_BYTES);
}

static void clear(void)
{
	memset(file, 0, sizeof(file));
	memset(shadow_file, 0, sizeof(shadow_file));
	memset(undefined_file, 0, sizeof(undefined_file));
	warp = (struct ptx_warp){.file = {file, NULL}, .undefined = undefined_file, .shadow = shadow_file, .checks = 1, .block = &block, .worker = &worker};
	findings = 0;
}

static uint64_t state = 88172645463325252ull;
static uint32_t next_random(void)
{
	state ^= state << 13, state ^= state >> 7, state ^= state << 17;
	return (uint32_t)(state >> 32);
}

/* ---- formulas of the manual ---- */

enum { FMT_F16, FMT_BF16, FMT_TF32, FMT_S8, FMT_U8, FMT_E4M3 };

static double value_of(int format, uint32_t bits)
{
	uint32_t single = bits & 0xffffe000;
	float real;
	switch (format) {
	case FMT_F16: return f16_to_f64((uint16_t)bits);
	case FMT_BF16: return bf16_to_f64((uint16_t)bits);
	case FMT_TF32: memcpy(&real, &single, 4); return (double)real;
	case FMT_S8: return (int8_t)bits;
	case FMT_U8: return (uint8_t)bits;
	default: return (bits & 0x80 ? -1 : 1) * (bits & 0x78 ? ldexp(1 + (bits & 7) / 8.0, (int)(bits >> 3 & 15) - 7) : ldexp((bits & 7) / 8.0, -6));
	}
}

/* Row and column of element i of A in lane, by the paragraphs for each shape. */
static void a_position(int format, int k, int lane, int i, int *row, int *column)
{
	const int group = lane >> 2, member = lane % 4;
	switch (format) {
	case FMT_F16: case FMT_BF16: /* m16n8k8: a0, a1 | a2, a3; m16n8k16 likewise, then columns from 8 on */
		*row = (i / 2) % 2 ? group + 8 : group;
		*column = member * 2 + (i & 1) + (i >= 4 ? 8 : 0);
		break;
	case FMT_TF32:
		*row = i == 0 || i == 2 ? group : group + 8;
		*column = i < 2 ? member : member + 4;
		break;
	default: /* 8 bits, m16n8k16 and m16n8k32 */
		*row = (i >= 4 && i < 8) || i >= 12 ? group + 8 : group;
		*column = member * 4 + (i & 3) + (i >= 8 ? 16 : 0);
	}
	(void)k;
}
static void b_position(int format, int lane, int i, int *row, int *column)
{
	const int group = lane >> 2, member = lane % 4;
	*column = group;
	switch (format) {
	case FMT_F16: case FMT_BF16: *row = member * 2 + (i & 1) + (i >= 2 ? 8 : 0); break;
	case FMT_TF32: *row = i == 0 ? member : member + 4; break;
	default: *row = member * 4 + (i & 3) + (i >= 4 ? 16 : 0);
	}
}

static void product(int format, int k, const enum ptx_modifier *modifiers, int na, int nb, int integer, int saturate)
{
	static double a[16][64], b[64][8];
	struct machine machine;
	const int bits = format <= FMT_BF16 ? 16 : format == FMT_TF32 ? 32 : 8, per = 32 / bits;

	clear();
	CHECK_INT(lower(&machine, PTX_OP_mma, modifiers, (const int[]){4, na, nb, 4}, 4), 0);
	for (int r = 0; r < na + nb; r++)
		for (int lane = 0; lane < 32; lane++) {
			uint32_t word = 0;
			for (int e = 0; e < per; e++) {
				uint32_t element = next_random();
				int row, column;
				if (format == FMT_F16)
					element = (element & 0x83ff) | (0x3000 + (element >> 16 & 0x1c00));
				else if (format == FMT_BF16)
					element = (element & 0x807f) | (0x3e00 + (element >> 16 & 0x0380));
				else if (format == FMT_TF32)
					element = (element & 0x807fffff) | 0x3f000000;
				else
					element &= format == FMT_E4M3 ? 0xb7 : 0xff; /* no NaN */
				word |= element << (bits % 32 * e);
				if (r < na) {
					a_position(format, k, lane, r * per + e, &row, &column);
					a[row][column] = value_of(format, element);
				} else {
					b_position(format, lane, (r - na) * per + e, &row, &column);
					b[row][column] = value_of(format, element);
				}
			}
			words(4 + r)[lane] = word;
		}
	for (int i = 0; i < 4; i++)
		for (int lane = 0; lane < 32; lane++) {
			const float c = (float)((int)next_random() >> 20) / 64;
			const int32_t large = saturate ? 0x7fffff00 : (int32_t)next_random();
			if (integer)
				memcpy(&words(4 + na + nb + i)[lane], &large, 4);
			else
				memcpy(&words(4 + na + nb + i)[lane], &c, 4);
		}
	machine.insn.execute(&warp, &machine.insn, UINT32_MAX);
	CHECK_INT(machine.insn.flops, integer ? 0 : 2 * 16 * 8 * k);
	int wrong = 0;
	for (int i = 0; i < 4; i++)
		for (int lane = 0; lane < 32; lane++) {
			const int row = (lane >> 2) + (i >= 2 ? 8 : 0), column = lane % 4 * 2 + (i & 1);
			const uint32_t c = words(4 + na + nb + i)[lane], d = words(i)[lane];
			float c_value, d_value;
			memcpy(&c_value, &c, 4);
			memcpy(&d_value, &d, 4);
			double sum = integer ? (int32_t)c : (double)c_value, magnitude = fabs(sum);
			for (int l = 0; l < k; l++) {
				sum += a[row][l] * b[l][column];
				magnitude += fabs(a[row][l] * b[l][column]);
			}
			if (integer)
				wrong += d != (saturate && sum > INT32_MAX ? (uint32_t)INT32_MAX : (uint32_t)(int64_t)sum);
			else
				wrong += !(fabs((double)d_value - sum) <= 0x1p-24 * magnitude + 0x1p-40);
		}
	CHECK_INT(wrong, 0);
	CHECK_INT(findings, 0);
	for (int i = 0; i < 4; i++)
		CHECK_INT(undefined_file[i * 2], 0);

	/* an undefined element of A spoils its row, one of B its column, one of C itself */
	int row, column;
	undefined_file[4 * 2] = 1u << 13;
	((uint32_t *)(shadow_file + 4 * REGISTER_BYTES))[13] = 1;
	a_position(format, k, 13, 0, &row, &column);
	undefined_file[(4 + na) * 2] = 1u << 6;
	((uint32_t *)(shadow_file + (4 + na) * REGISTER_BYTES))[6] = 0x80000000u;
	int b_row, b_column;
	b_position(format, 6, per - 1, &b_row, &b_column);
	undefined_file[(4 + na + nb + 2) * 2] = 1u << 31;
	((uint32_t *)(shadow_file + (4 + na + nb + 2) * REGISTER_BYTES))[31] = 2;
	machine.insn.execute(&warp, &machine.insn, UINT32_MAX);
	wrong = 0;
	for (int i = 0; i < 4; i++)
		for (int lane = 0; lane < 32; lane++) {
			const int r = (lane >> 2) + (i >= 2 ? 8 : 0), c = lane % 4 * 2 + (i & 1);
			const int expected = r == row || c == b_column || (i == 2 && lane == 31);
			wrong += (int)(undefined_file[i * 2] >> lane & 1) != expected;
		}
	CHECK_INT(wrong, 0);

	machine.insn.execute(&warp, &machine.insn, 0x7fffffff);
	CHECK_INT(findings, 1);
	CHECK_INT(last_finding, PTX_FIND_INVALID);
}

static void wide(void)
{
	/* m8n8k4.f64: A row = lane / 4, column = lane % 4; B row = lane % 4, column = lane / 4; C columns 2 (lane % 4) + i */
	static const enum ptx_modifier modifiers[] = {PTX_MOD_sync, PTX_MOD_aligned, PTX_MOD_m8n8k4, PTX_MOD_row, PTX_MOD_col, PTX_MOD_f64,
						      PTX_MOD_f64, PTX_MOD_f64, PTX_MOD_f64, 0};
	struct machine machine;
	double a[8][4], b[4][8];
	clear();
	CHECK_INT(lower(&machine, PTX_OP_mma, modifiers, (const int[]){2, 1, 1, 2}, 4), 0);
	for (int lane = 0; lane < 32; lane++) {
		a[lane / 4][lane % 4] = ((double *)words(2))[lane] = (double)next_random();
		b[lane % 4][lane / 4] = ((double *)words(3))[lane] = (double)next_random() / 3;
		((double *)words(4))[lane] = lane;
		((double *)words(5))[lane] = -lane;
	}
	machine.insn.execute(&warp, &machine.insn, UINT32_MAX);
	int wrong = 0;
	for (int lane = 0; lane < 32; lane++)
		for (int i = 0; i < 2; i++) {
			double sum = i ? -lane : lane;
			for (int l = 0; l < 4; l++)
				sum = fma(a[lane / 4][l], b[l][lane % 4 * 2 + i], sum);
			wrong += !(((double *)words(i))[lane] == sum);
		}
	CHECK_INT(wrong, 0);
}

static void bits(void)
{
	static const enum ptx_modifier modifiers[2][14] = {
		{PTX_MOD_sync, PTX_MOD_aligned, PTX_MOD_m8n8k128, PTX_MOD_row, PTX_MOD_col, PTX_MOD_s32, PTX_MOD_b1, PTX_MOD_b1, PTX_MOD_s32,
		 PTX_MOD_xor, PTX_MOD_popc, 0},
		{PTX_MOD_sync, PTX_MOD_aligned, PTX_MOD_m8n8k128, PTX_MOD_row, PTX_MOD_col, PTX_MOD_s32, PTX_MOD_b1, PTX_MOD_b1, PTX_MOD_s32,
		 PTX_MOD_and, PTX_MOD_popc, 0}};
	for (int and = 0; and < 2; and++) {
		struct machine machine;
		int wrong = 0;
		clear();
		CHECK_INT(lower(&machine, PTX_OP_mma, modifiers[and], (const int[]){2, 1, 1, 2}, 4), 0);
		for (int lane = 0; lane < 32; lane++)
			words(2)[lane] = next_random(), words(3)[lane] = next_random(), words(4)[lane] = 100, words(5)[lane] = 1000;
		machine.insn.execute(&warp, &machine.insn, UINT32_MAX);
		for (int lane = 0; lane < 32; lane++)
			for (int i = 0; i < 2; i++) {
				int sum = i ? 1000 : 100;
				for (int member = 0; member < 4; member++) {
					const uint32_t a = words(2)[lane / 4 * 4 + member], b = words(3)[(lane % 4 * 2 + i) * 4 + member];
					sum += __builtin_popcount(and ? a & b : a ^ b);
				}
				wrong += words(i)[lane] != (uint32_t)sum;
			}
		CHECK_INT(wrong, 0);
	}
}

static void special_values(void)
{
	static const enum ptx_modifier modifiers[] = {PTX_MOD_sync, PTX_MOD_aligned, PTX_MOD_m16n8k16, PTX_MOD_row, PTX_MOD_col, PTX_MOD_f32,
						      PTX_MOD_f16, PTX_MOD_f16, PTX_MOD_f32, 0};
	struct machine machine;
	clear();
	CHECK_INT(lower(&machine, PTX_OP_mma, modifiers, (const int[]){4, 4, 2, 4}, 4), 0);
	words(4)[0] = 0x7c00;  /* row 0: infinity times column 0: 1, others 0 */
	words(8)[0] = 0x3c00;
	words(4)[4] = 0x0001;  /* row 1: the smallest subnormal */
	words(5)[0] = 0x7e01;  /* row 8: NaN */
	machine.insn.execute(&warp, &machine.insn, UINT32_MAX);
	CHECK_INT(words(0)[0], 0x7f800000);
	CHECK_INT(words(1)[0], 0x7fffffff);
	CHECK_INT(words(0)[4], 0x33800000); /* 2^-24 */
	CHECK_INT(words(2)[0], 0x7fffffff);
	CHECK_INT(words(3)[3], 0x7fffffff);
	CHECK_INT(words(2)[4], 0);
}

static void variants_agree(void)
{
#if defined(__x86_64__)
	const struct ptx_matrix_kernels *all[3] = {&ptx_matrix_kernels_base, &ptx_matrix_kernels_avx2, &ptx_matrix_kernels_avx512};
	const int count = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")
				  ? __builtin_cpu_supports("avx512f") ? 3 : 2 : 1;
	int wrong = 0;
	for (int round = 0; round < 200; round++) {
		uint32_t operands[10][32], results[3][4][32];
		for (int r = 0; r < 10; r++)
			for (int lane = 0; lane < 32; lane++)
				operands[r][lane] = next_random();
		if (round < 100) /* no NaN, so that the sums show */
			for (int r = 0; r < 10; r++)
				for (int lane = 0; lane < 32; lane++)
					operands[r][lane] &= 0xbfffbfff;
		for (int v = 0; v < count; v++)
			all[v]->fragments_f32((const uint32_t *const[]){operands[0], operands[1], operands[2], operands[3]},
					      (const uint32_t *const[]){operands[4], operands[5]},
					      (const uint32_t *const[]){operands[6], operands[7], operands[8], operands[9]},
					      (uint32_t *const[]){results[v][0], results[v][1], results[v][2], results[v][3]}, 2, 2, round & 1);
		for (int v = 1; v < count; v++)
			wrong += memcmp(results[v], results[0], sizeof(results[0])) != 0;
	}
	CHECK_INT(wrong, 0);
#endif
}

static void rows(void)
{
	static const enum ptx_modifier load[2][8] = {
		{PTX_MOD_sync, PTX_MOD_aligned, PTX_MOD_x4, PTX_MOD_m8n8, PTX_MOD_shared, PTX_MOD_b16, 0},
		{PTX_MOD_sync, PTX_MOD_aligned, PTX_MOD_m8n8, PTX_MOD_x4, PTX_MOD_trans, PTX_MOD_shared, PTX_MOD_b16, 0}};
	static const enum ptx_modifier store[] = {PTX_MOD_sync, PTX_MOD_aligned, PTX_MOD_m8n8, PTX_MOD_x2, PTX_MOD_trans, PTX_MOD_shared, PTX_MOD_b16, 0};
	static const enum ptx_modifier move[] = {PTX_MOD_sync, PTX_MOD_aligned, PTX_MOD_m8n8, PTX_MOD_trans, PTX_MOD_b16, 0};
	for (int trans = 0; trans < 2; trans++) {
		struct machine machine;
		int wrong = 0;
		clear();
		CHECK_INT(lower(&machine, PTX_OP_ldmatrix, load[trans], (const int[]){4, -1}, 2), 0);
		memset(shared_shadow, 0, sizeof(shared_shadow));
		for (int i = 0; i < 2048; i++)
			((uint16_t *)shared)[i] = (uint16_t)i;
		for (int lane = 0; lane < 32; lane++)
			words(4)[lane] = (uint32_t)(lane * 48 % 1536);
		shared_shadow[words(4)[9] + 5] = 0x10; /* matrix 1, row 1, element 2 */
		machine.insn.execute(&warp, &machine.insn, UINT32_MAX);
		for (int i = 0; i < 4; i++)
			for (int lane = 0; lane < 32; lane++)
				for (int e = 0; e < 2; e++) {
					const int row = trans ? lane % 4 * 2 + e : lane / 4, column = trans ? lane / 4 : lane % 4 * 2 + e;
					wrong += (words(i)[lane] >> 16 * e & 0xffff) != words(4)[8 * i + row] / 2 + (uint32_t)column;
				}
		CHECK_INT(wrong, 0);
		CHECK_INT(undefined_file[0], 0);
		CHECK_INT(undefined_file[2], trans ? 1u << 8 : 1u << 5);
	}
	struct machine machine;
	int wrong = 0;
	clear();
	memset(shared, 0, sizeof(shared));
	CHECK_INT(lower(&machine, PTX_OP_stmatrix, store, (const int[]){-1, 2}, 2), 0);
	for (int lane = 0; lane < 32; lane++)
		words(0)[lane] = (uint32_t)(lane * 32 % 512), words(1)[lane] = next_random(), words(2)[lane] = next_random();
	machine.insn.execute(&warp, &machine.insn, UINT32_MAX);
	for (int i = 0; i < 2; i++)
		for (int row = 0; row < 8; row++)
			for (int column = 0; column < 8; column++) {
				uint16_t stored;
				memcpy(&stored, shared + words(0)[8 * i + row] + 2 * column, 2);
				wrong += stored != (words(1 + i)[column * 4 + row / 2] >> 16 * (row & 1) & 0xffff);
			}
	CHECK_INT(wrong, 0);
	CHECK_INT(lower(&machine, PTX_OP_movmatrix, move, (const int[]){0, 0}, 2), 0);
	machine.insn.execute(&warp, &machine.insn, UINT32_MAX);
	wrong = 0;
	for (int row = 0; row < 8; row++)
		for (int column = 0; column < 8; column++)
			wrong += (words(0)[row * 4 + column / 2] >> 16 * (column & 1) & 0xffff) !=
				 (words(1)[column * 4 + row / 2] >> 16 * (row & 1) & 0xffff);
	CHECK_INT(wrong, 0);
}

/* load, multiply, store of wmma in every 16-bit shape and layout */
static void through_memory(enum ptx_modifier shape, int m, int n, enum ptx_modifier type, int a_by_columns, int b_by_columns)
{
	const enum ptx_modifier load_a[] = {PTX_MOD_load, PTX_MOD_a, PTX_MOD_sync, PTX_MOD_aligned, a_by_columns ? PTX_MOD_col : PTX_MOD_row, shape,
					    PTX_MOD_shared, type, 0};
	const enum ptx_modifier load_b[] = {PTX_MOD_load, PTX_MOD_b, PTX_MOD_sync, PTX_MOD_aligned, b_by_columns ? PTX_MOD_col : PTX_MOD_row, shape,
					    PTX_MOD_shared, type, 0};
	const enum ptx_modifier multiply_f16[] = {PTX_MOD_mma, PTX_MOD_sync, PTX_MOD_aligned, PTX_MOD_row, PTX_MOD_col, shape, PTX_MOD_f32, PTX_MOD_f32, 0};
	const enum ptx_modifier multiply_bf16[] = {PTX_MOD_mma, PTX_MOD_sync, PTX_MOD_aligned, PTX_MOD_row, PTX_MOD_col, shape, PTX_MOD_f32, type, type,
						   PTX_MOD_f32, 0};
	const enum ptx_modifier store[] = {PTX_MOD_store, PTX_MOD_d, PTX_MOD_sync, PTX_MOD_aligned, PTX_MOD_row, shape, PTX_MOD_shared, PTX_MOD_f32, 0};
	const int f16 = type == PTX_MOD_f16, na = f16 ? 8 : m * 16 / 64, nb = f16 ? 8 : n * 16 / 64;
	struct machine machine;
	uint32_t fragments[16][32];
	float a[32][16], b[16][32];
	int wrong = 0;

	clear();
	memset(shared_shadow, 0, sizeof(shared_shadow));
	for (int i = 0; i < m * 16; i++) {
		const float value = (float)((int)(next_random() % 33) - 16);
		const uint16_t bits16 = f16 ? f16_from_f32(value) : bf16_from_f32(value);
		memcpy(shared + 2 * i, &bits16, 2);
		if (a_by_columns)
			a[i % m][i / m] = value;
		else
			a[i / 16][i % 16] = value;
	}
	for (int i = 0; i < n * 16; i++) {
		const float value = (float)((int)(next_random() % 33) - 16);
		const uint16_t bits16 = f16 ? f16_from_f32(value) : bf16_from_f32(value);
		memcpy(shared + 1024 + 2 * i, &bits16, 2);
		if (b_by_columns)
			b[i % 16][i / 16] = value;
		else
			b[i / n][i % n] = value;
	}
	CHECK_INT(lower(&machine, PTX_OP_wmma, load_a, (const int[]){na, -1, 0}, 3), 0);
	for (int lane = 0; lane < 32; lane++)
		words(na)[lane] = 0, words(na + 1)[lane] = a_by_columns ? (uint32_t)m : 16;
	machine.insn.execute(&warp, &machine.insn, UINT32_MAX);
	for (int i = 0; i < na; i++)
		memcpy(fragments[i], words(i), 128);
	CHECK_INT(lower(&machine, PTX_OP_wmma, load_b, (const int[]){nb, -1, 0}, 3), 0);
	for (int lane = 0; lane < 32; lane++)
		words(nb)[lane] = 1024, words(nb + 1)[lane] = b_by_columns ? 16 : (uint32_t)n;
	machine.insn.execute(&warp, &machine.insn, UINT32_MAX);
	for (int i = 0; i < nb; i++)
		memcpy(fragments[na + i], words(i), 128);
	CHECK_INT(lower(&machine, PTX_OP_wmma, f16 ? multiply_f16 : multiply_bf16, (const int[]){8, na, nb, 8}, 4), 0);
	for (int i = 0; i < na + nb; i++)
		memcpy(words(8 + i), fragments[i], 128);
	for (int i = 0; i < 8; i++)
		memset(words(8 + na + nb + i), 0, 128);
	machine.insn.execute(&warp, &machine.insn, UINT32_MAX);
	for (int i = 7; i >= 0; i--) /* the operands of the store: address, eight registers, stride */
		memcpy(words(1 + i), words(i), 128);
	CHECK_INT(lower(&machine, PTX_OP_wmma, store, (const int[]){-1, 8, 0}, 3), 0);
	for (int lane = 0; lane < 32; lane++)
		words(0)[lane] = 2048, words(9)[lane] = (uint32_t)n;
	machine.insn.execute(&warp, &machine.insn, UINT32_MAX);
	for (int i = 0; i < m; i++)
		for (int j = 0; j < n; j++) {
			float sum = 0, stored;
			for (int l = 0; l < 16; l++)
				sum += a[i][l] * b[l][j];
			memcpy(&stored, shared + 2048 + 4 * (i * n + j), 4);
			wrong += !(stored == sum);
		}
	CHECK_INT(wrong, 0);
	CHECK_INT(findings, 0);
}

int main(void)
{
#define MMA(shape, d, a, c, ...) \
	(const enum ptx_modifier[]){PTX_MOD_sync, PTX_MOD_aligned, PTX_MOD_##shape, PTX_MOD_row, PTX_MOD_col, PTX_MOD_##d, PTX_MOD_##a, PTX_MOD_##a, PTX_MOD_##c, ##__VA_ARGS__, 0}
	product(FMT_F16, 16, MMA(m16n8k16, f32, f16, f32), 4, 2, 0, 0);
	product(FMT_F16, 8, MMA(m16n8k8, f32, f16, f32), 2, 1, 0, 0);
	product(FMT_BF16, 16, MMA(m16n8k16, f32, bf16, f32), 4, 2, 0, 0);
	product(FMT_BF16, 8, MMA(m16n8k8, f32, bf16, f32), 2, 1, 0, 0);
	product(FMT_TF32, 8, MMA(m16n8k8, f32, tf32, f32), 4, 2, 0, 0);
	product(FMT_TF32, 4, MMA(m16n8k4, f32, tf32, f32), 2, 1, 0, 0);
	product(FMT_E4M3, 32, MMA(m16n8k32, f32, e4m3, f32), 4, 2, 0, 0);
	product(FMT_S8, 32, MMA(m16n8k32, s32, s8, s32), 4, 2, 1, 0);
	product(FMT_U8, 16, MMA(m16n8k16, s32, u8, s32), 2, 1, 1, 0);
	product(FMT_U8, 32, MMA(m16n8k32, s32, u8, s32, PTX_MOD_satfinite), 4, 2, 1, 1);
	wide();
	bits();
	special_values();
	variants_agree();
	rows();
	for (int layouts = 0; layouts < 4; layouts++) {
		through_memory(PTX_MOD_m16n16k16, 16, 16, PTX_MOD_f16, layouts & 1, layouts >> 1);
		through_memory(PTX_MOD_m16n16k16, 16, 16, PTX_MOD_bf16, layouts & 1, layouts >> 1);
		through_memory(PTX_MOD_m8n32k16, 8, 32, PTX_MOD_f16, layouts & 1, layouts >> 1);
		through_memory(PTX_MOD_m8n32k16, 8, 32, PTX_MOD_bf16, layouts & 1, layouts >> 1);
		through_memory(PTX_MOD_m32n8k16, 32, 8, PTX_MOD_f16, layouts & 1, layouts >> 1);
		through_memory(PTX_MOD_m32n8k16, 32, 8, PTX_MOD_bf16, layouts & 1, layouts >> 1);
	}
	/* what is not there is refused */
	struct machine machine;
	failures = 0;
	CHECK_INT(lower(&machine, PTX_OP_mma, MMA(m8n8k4, f32, f16, f32), (const int[]){8, 2, 2, 8}, 4), -1);
	CHECK_INT(lower(&machine, PTX_OP_mma, MMA(m16n8k16, f32, f16, f32), (const int[]){4, 4, 4, 4}, 4), -1);
	CHECK_INT(lower(&machine, PTX_OP_mma, MMA(m16n8k16, f32, f16, f32, PTX_MOD_sp), (const int[]){4, 4, 2, 4}, 4), -1);
	CHECK_INT(failures, 3);
	for (int i = 0; i < allocation_count; i++)
		free(allocations[i]);
	return check_result();
}
