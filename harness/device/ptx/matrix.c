#include "device/ptx/matrix_private.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <string.h>

#if defined(__x86_64__)
/* Clang 14 does not know it by name: CPUID (Intel SDM volume 2A) leaf 1, ECX bit 29. */
static int host_has_f16c(void)
{
	unsigned a, b, c, d;
	return __get_cpuid(1, &a, &b, &c, &d) && (c >> 29 & 1);
}
#endif

const struct ptx_matrix_kernels *ptx_matrix_kernels(void)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && host_has_f16c())
		return __builtin_cpu_supports("avx512f") ? &ptx_matrix_kernels_avx512 : &ptx_matrix_kernels_avx2;
#endif
	return &ptx_matrix_kernels_base;
}

struct ptx_shape ptx_matrix_shape(const struct ptx_instruction *instruction)
{
	static const struct { enum ptx_modifier modifier; struct ptx_shape shape; } shapes[] = {
		{PTX_MOD_m8n8k4, {8, 8, 4}}, {PTX_MOD_m8n8k16, {8, 8, 16}}, {PTX_MOD_m8n8k32, {8, 8, 32}}, {PTX_MOD_m8n8k128, {8, 8, 128}},
		{PTX_MOD_m16n8k4, {16, 8, 4}}, {PTX_MOD_m16n8k8, {16, 8, 8}}, {PTX_MOD_m16n8k16, {16, 8, 16}},
		{PTX_MOD_m16n8k32, {16, 8, 32}}, {PTX_MOD_m16n8k64, {16, 8, 64}}, {PTX_MOD_m16n8k128, {16, 8, 128}},
		{PTX_MOD_m16n8k256, {16, 8, 256}}, {PTX_MOD_m16n16k16, {16, 16, 16}}, {PTX_MOD_m8n32k16, {8, 32, 16}},
		{PTX_MOD_m32n8k16, {32, 8, 16}}, {PTX_MOD_m16n16k8, {16, 16, 8}},
	};
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (ptx_has(instruction, shapes[i].modifier))
			return shapes[i].shape;
	return (struct ptx_shape){0, 0, 0};
}

static int element_bits(enum ptx_type type)
{
	switch (type) {
	case PTX_B1:
		return 1;
	case PTX_U4: case PTX_S4:
		return 4;
	case PTX_U8: case PTX_S8: case PTX_E4M3: case PTX_E5M2:
		return 8;
	case PTX_F16: case PTX_BF16:
		return 16;
	case PTX_TF32: case PTX_F32: case PTX_S32:
		return 32;
	case PTX_F64:
		return 64;
	default:
		return 0;
	}
}

/* Dense index of an element: see ptx_fragment.place. */
static int dense_index(const struct ptx_fragment *fragment, int row, int column)
{
	if (fragment->role == PTX_FRAGMENT_A)
		return row * fragment->columns + column;
	return column / 8 * fragment->rows * 8 + row * 8 + column % 8;
}

void ptx_fragment_position(const struct ptx_fragment *fragment, int index, int *row, int *column)
{
	if (fragment->role == PTX_FRAGMENT_A) {
		*row = index / fragment->columns;
		*column = index % fragment->columns;
	} else {
		*row = index / 8 % fragment->rows;
		*column = index / 8 / fragment->rows * 8 + index % 8;
	}
}

int ptx_fragment_make(struct ptx_lowering *lowering, enum ptx_fragment_role role, enum ptx_type type, struct ptx_shape shape, int given,
		      struct ptx_fragment *fragment)
{
	const int bits = element_bits(type), per = bits && bits < 32 ? 32 / bits : 1;

	memset(fragment, 0, sizeof(*fragment));
	if (!bits)
		return ptx_unsupported(lowering, "matrices of .%s", ptx_type_name(type));
	fragment->role = role;
	fragment->type = type;
	fragment->bits = (uint8_t)bits;
	fragment->per = (uint8_t)per;
	fragment->lane_bytes = bits == 64 ? 8 : 4;
	fragment->rows = (uint16_t)(role == PTX_FRAGMENT_B ? shape.k : shape.m);
	fragment->columns = (uint16_t)(role == PTX_FRAGMENT_A ? shape.k : shape.n);

	const int elements = fragment->rows * fragment->columns;
	if (elements % (PTX_LANES * per) || elements > PTX_FRAGMENT_ELEMENTS || elements / (PTX_LANES * per) > PTX_FRAGMENT_REGISTERS ||
	    (role != PTX_FRAGMENT_C && shape.k % (4 * per)))
		return ptx_unsupported(lowering, "no matrices of .%s in this shape", ptx_type_name(type));
	fragment->registers = (uint8_t)(elements / (PTX_LANES * per));
	fragment->given = given ? (uint8_t)given : fragment->registers;
	if (given > PTX_FRAGMENT_REGISTERS || fragment->given % fragment->registers)
		return ptx_malformed(lowering, "%d registers for a matrix of %d x %d .%s, which needs %d", given, fragment->rows, fragment->columns,
				     ptx_type_name(type), fragment->registers);
	fragment->place = ptx_lowering_alloc(lowering, (size_t)elements * sizeof(*fragment->place));
	if (!fragment->place)
		return -1;

	const int halves = shape.m >= 16 ? 2 : 1;             /* row blocks that take turns */
	const int k_blocks = shape.k / (4 * per) ? shape.k / (4 * per) : 1;
	const int c_registers = per == 1 ? 2 : 1;             /* of an 8 x 8 block of C */
	for (int r = 0; r < fragment->registers; r++)
		for (int lane = 0; lane < PTX_LANES; lane++)
			for (int e = 0; e < per; e++) {
				const int group = lane / 4, member = lane % 4;
				int row, column;
				if (role == PTX_FRAGMENT_A) {
					const int block = r / (halves * k_blocks);
					row = (block * halves + r % halves) * 8 + group;
					column = r / halves % k_blocks * 4 * per + member * per + e;
				} else if (role == PTX_FRAGMENT_B) {
					row = r % k_blocks * 4 * per + member * per + e;
					column = r / k_blocks * 8 + group;
				} else {
					const int block = r / c_registers, n_blocks = shape.n / 8;
					row = (block / (halves * n_blocks) * halves + block % halves) * 8 + group;
					column = block / halves % n_blocks * 8 + 2 * member + (per == 1 ? r % 2 : e);
				}
				fragment->place[(r * PTX_LANES + lane) * per + e] = (uint16_t)dense_index(fragment, row, column);
				if (lane == 0 && e == 0) { /* of A the column, of B the row may be beyond a byte: nobody asks for them */
					fragment->first_row[r] = (uint8_t)row;
					fragment->first_column[r] = (uint8_t)column;
				}
			}
	return 0;
}

int ptx_matrix_vector_count(const struct ptx_lowering *lowering, int operand)
{
	const struct ptx_operand *vector = ptx_operand(lowering, operand);
	return vector->kind == PTX_OPERAND_VECTOR ? vector->count : 1;
}

static const struct ptx_operand *element_of(const struct ptx_lowering *lowering, int operand, int n)
{
	const struct ptx_operand *vector = ptx_operand(lowering, operand);
	return vector->kind == PTX_OPERAND_VECTOR ? ptx_element(lowering, vector, n) : vector;
}

int ptx_matrix_sources(struct ptx_lowering *lowering, int operand, enum ptx_type type, int count, struct ptx_slot *slots)
{
	if (ptx_matrix_vector_count(lowering, operand) != count)
		return ptx_malformed(lowering, "operand %d has %d registers instead of %d", operand + 1,
				     ptx_matrix_vector_count(lowering, operand), count);
	for (int i = 0; i < count; i++)
		if (ptx_source(lowering, element_of(lowering, operand, i), type, 0, NULL, &slots[i]))
			return -1;
	return 0;
}

int ptx_matrix_destinations(struct ptx_lowering *lowering, int operand, enum ptx_type type, int count, struct ptx_slot *slots)
{
	if (ptx_matrix_vector_count(lowering, operand) != count)
		return ptx_malformed(lowering, "operand %d has %d registers instead of %d", operand + 1,
				     ptx_matrix_vector_count(lowering, operand), count);
	for (int i = 0; i < count; i++)
		if (ptx_destination(lowering, element_of(lowering, operand, i), type, 0, &slots[i]))
			return -1;
	return 0;
}

int ptx_matrix_whole_warp(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	if (active == UINT32_MAX)
		return 1;
	ptx_find(warp, insn, __builtin_ctz(active), PTX_FIND_INVALID, 0, "only lanes %08x of the warp execute it: all 32 have to", active);
	if (warp->checks)
		for (int i = 0; i < insn->dst_count; i++) {
			ptx_set_undefined(warp, &insn->dst[i], active, active);
			memset(ptx_shadow_at(warp, &insn->dst[i]), 0xff, (size_t)PTX_LANES * insn->dst[i].lane_bytes);
		}
	return 0;
}

int ptx_lower_matrix(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *instruction = lowering->instruction;

	insn->flags |= PTX_INSN_OWN_DEFINEDNESS | PTX_INSN_STRICT_GUARD;
	insn->class = PTX_CLASS_MATRIX;
	if (!ptx_has(instruction, PTX_MOD_sync) || !ptx_has(instruction, PTX_MOD_aligned))
		return ptx_malformed(lowering, ".sync and .aligned are required");
	switch (instruction->opcode) {
	case PTX_OP_mma:
		return ptx_lower_mma(lowering, insn);
	case PTX_OP_wmma:
		if (ptx_has(instruction, PTX_MOD_mma))
			return ptx_lower_mma(lowering, insn);
		return ptx_lower_matrix_move(lowering, insn);
	case PTX_OP_ldmatrix:
	case PTX_OP_stmatrix:
	case PTX_OP_movmatrix:
		return ptx_lower_matrix_move(lowering, insn);
	default:
		return ptx_unsupported(lowering, "this is no matrix instruction that is executed here");
	}
}
