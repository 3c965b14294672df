/* Matrices between memory and registers: ldmatrix, stmatrix, movmatrix, wmma.load, wmma.store. */
#include "device/ptx/matrix_private.h"
#include "device/ptx/memory.h"

#include <string.h>

struct move {
	enum ptx_space space;
	int matrices, transpose;       /* ldmatrix, stmatrix */
	const struct ptx_matrix_kernels *kernels;
	/* wmma */
	struct ptx_fragment fragment;
	int by_columns;                /* consecutive elements in memory lie along a column */
	int has_stride;
};

/* Address of one lane: the register (32 or 64 bits wide) or constant, and the immediate. */
static uint64_t address_of(const struct ptx_warp *warp, const struct ptx_insn *insn, const struct ptx_slot *slot, int lane)
{
	const void *lanes = ptx_at(warp, slot);
	const uint64_t base = slot->lane_bytes == 8 ? ((const uint64_t *)lanes)[lane] : ((const uint32_t *)lanes)[lane];
	return base + (uint64_t)insn->immediate;
}

/* An offset of 32 bits wraps; a generic address must lie in shared memory where the instruction says so. */
static int shared_address(struct ptx_warp *warp, const struct ptx_insn *insn, const struct move *move, int lane, uint64_t *address)
{
	*address = address_of(warp, insn, &insn->src[0], lane);
	if (move->space == PTX_SPACE_SHARED) {
		*address = (uint32_t)*address;
		return 0;
	}
	if (ptx_generic_space(*address) == PTX_SPACE_SHARED) {
		*address = (uint32_t)*address;
		return 0;
	}
	ptx_find(warp, insn, lane, PTX_FIND_BOUNDS, *address, "generic address outside shared memory");
	return -1;
}

static int address_is_defined(struct ptx_warp *warp, const struct ptx_insn *insn, const struct ptx_slot *slot, uint32_t lanes)
{
	const uint32_t undefined = warp->checks ? ptx_undefined(warp, slot) & lanes : 0;
	if (!undefined)
		return 1;
	ptx_find(warp, insn, __builtin_ctz(undefined), PTX_FIND_UNDEFINED_ADDRESS, 0, "the address was computed from a value that nobody wrote");
	return warp->event != PTX_EVENT_STOP;
}

/* ---- ldmatrix, stmatrix, movmatrix: a register is an 8 x 8 matrix of 16-bit elements, row-major over the lanes ---- */

static int row_offsets(struct ptx_warp *warp, const struct ptx_insn *insn, const struct move *move, uint32_t *offsets)
{
	const int rows = 8 * move->matrices;
	const uint32_t lanes = rows == 32 ? UINT32_MAX : (1u << rows) - 1;

	if (!address_is_defined(warp, insn, &insn->src[0], lanes))
		return -1;
	for (int row = 0; row < rows; row++) {
		uint64_t address;
		if (shared_address(warp, insn, move, row, &address))
			return -1;
		offsets[row] = (uint32_t)address;
	}
	return 0;
}

/* What ptx_count_shared would count; rows that lie in eight different sets of four banks have no conflict. */
static void count_rows(struct ptx_warp *warp, const struct move *move, const uint32_t *offsets, int is_write)
{
	const int rows = 8 * move->matrices;
	struct ptx_counts *counts = &warp->worker->counts;

	for (int i = 0; i < move->matrices; i++) {
		unsigned sets = 0;
		for (int row = 0; row < 8; row++)
			sets |= 1u << (offsets[8 * i + row] / 16 % 8);
		if (sets != 0xff) {
			ptx_count_shared(warp, rows == 32 ? UINT32_MAX : (1u << rows) - 1, offsets, 16, is_write);
			return;
		}
	}
	*(is_write ? &counts->shared_written_bytes : &counts->shared_read_bytes) += 16u * (unsigned)rows;
	counts->shared_requests += (unsigned)move->matrices;
	counts->shared_wavefronts += (unsigned)move->matrices;
}

static void execute_ldmatrix(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const struct move *move = insn->extra;
	const int rows = 8 * move->matrices;
	uint32_t offsets[PTX_LANES] = {0};
	unsigned char values[PTX_LANES][16], shadow[PTX_LANES][16];

	if (!ptx_matrix_whole_warp(warp, insn, active) || row_offsets(warp, insn, move, offsets))
		return;
	int plain = !warp->checks; /* well aligned and inside: nothing else to look at */
	const uint32_t bytes = warp->block->shared_bytes;
	for (int row = 0; row < rows && plain; row++)
		plain = !(offsets[row] & 15) && bytes >= 16 && offsets[row] <= bytes - 16;
	for (int row = 0; row < rows; row++) {
		if (plain)
			memcpy(values[row], warp->block->shared + offsets[row], 16);
		else if (ptx_read(warp, insn, row, PTX_SPACE_SHARED, offsets[row], 16, values[row], warp->checks ? shadow[row] : NULL))
			return;
	}
	count_rows(warp, move, offsets, 0);
	for (int i = 0; i < move->matrices; i++) {
		uint16_t matrix[64], turned[64];
		memcpy(matrix, values[8 * i], sizeof(matrix));
		if (move->transpose)
			move->kernels->transpose_b16(matrix, turned);
		memcpy(ptx_dst32(warp, insn, i), move->transpose ? turned : matrix, sizeof(matrix));
		if (!warp->checks)
			continue;
		uint32_t words[PTX_LANES], mask = 0;
		memcpy(words, shadow[8 * i], sizeof(words));
		for (int lane = 0; lane < PTX_LANES; lane++)
			mask |= words[lane];
		if (!mask) {
			ptx_set_undefined(warp, &insn->dst[i], UINT32_MAX, 0);
			continue;
		}
		memcpy(matrix, words, sizeof(matrix));
		mask = 0;
		if (move->transpose)
			move->kernels->transpose_b16(matrix, turned);
		memcpy(words, move->transpose ? turned : matrix, sizeof(words));
		for (int lane = 0; lane < PTX_LANES; lane++)
			mask |= (uint32_t)(words[lane] != 0) << lane;
		ptx_set_undefined(warp, &insn->dst[i], UINT32_MAX, mask);
		if (mask)
			memcpy(ptx_shadow_at(warp, &insn->dst[i]), words, sizeof(words));
	}
}

/* Undefined bits of a 32-bit register of all lanes. */
static void shadow_words(const struct ptx_warp *warp, const struct ptx_slot *slot, uint32_t *words)
{
	const uint32_t mask = warp->checks ? ptx_undefined(warp, slot) : 0;
	memset(words, 0, PTX_LANES * sizeof(*words));
	if (!mask)
		return;
	const uint32_t *shadow = ptx_shadow_at(warp, slot);
	for (int lane = 0; lane < PTX_LANES; lane++)
		words[lane] = mask >> lane & 1 ? shadow[lane] : 0;
}

static void execute_stmatrix(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const struct move *move = insn->extra;
	uint32_t offsets[PTX_LANES] = {0};

	if (!ptx_matrix_whole_warp(warp, insn, active) || row_offsets(warp, insn, move, offsets))
		return;
	for (int i = 0; i < move->matrices; i++) {
		uint16_t matrix[64], turned[64], undefined[64], undefined_turned[64];
		uint32_t words[PTX_LANES];
		memcpy(matrix, ptx_src32(warp, insn, 1 + i), sizeof(matrix));
		shadow_words(warp, &insn->src[1 + i], words);
		memcpy(undefined, words, sizeof(undefined));
		if (move->transpose) {
			move->kernels->transpose_b16(matrix, turned);
			move->kernels->transpose_b16(undefined, undefined_turned);
		}
		for (int row = 0; row < 8; row++)
			if (ptx_write(warp, insn, 8 * i + row, PTX_SPACE_SHARED, offsets[8 * i + row], 16,
				      (move->transpose ? turned : matrix) + 8 * row,
				      warp->checks ? (move->transpose ? undefined_turned : undefined) + 8 * row : NULL))
				return;
	}
	count_rows(warp, move, offsets, 1);
}

static void execute_movmatrix(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const struct move *move = insn->extra;
	uint16_t matrix[64], turned[64];
	uint32_t words[PTX_LANES], mask = 0;

	if (!ptx_matrix_whole_warp(warp, insn, active))
		return;
	shadow_words(warp, &insn->src[0], words);
	memcpy(matrix, ptx_src32(warp, insn, 0), sizeof(matrix));
	move->kernels->transpose_b16(matrix, turned);
	memcpy(ptx_dst32(warp, insn, 0), turned, sizeof(turned));
	if (!warp->checks)
		return;
	memcpy(matrix, words, sizeof(matrix));
	move->kernels->transpose_b16(matrix, turned);
	memcpy(words, turned, sizeof(words));
	for (int lane = 0; lane < PTX_LANES; lane++)
		mask |= (uint32_t)(words[lane] != 0) << lane;
	ptx_set_undefined(warp, &insn->dst[0], UINT32_MAX, mask);
	if (mask)
		memcpy(ptx_shadow_at(warp, &insn->dst[0]), words, sizeof(words));
}

/* ---- wmma.load, wmma.store ---- */

/* Base address and stride, which all lanes have to agree on. */
static int matrix_in_memory(struct ptx_warp *warp, const struct ptx_insn *insn, const struct move *move, enum ptx_space *space,
			    uint64_t *base, uint64_t *stride)
{
	const struct ptx_fragment *fragment = &move->fragment;
	const unsigned bytes = fragment->bits / 8;

	if (!address_is_defined(warp, insn, &insn->src[0], UINT32_MAX))
		return -1;
	*stride = (uint64_t)(move->by_columns ? fragment->rows : fragment->columns);
	if (move->has_stride) {
		const uint32_t *strides = ptx_src32(warp, insn, 1);
		if (!address_is_defined(warp, insn, &insn->src[1], UINT32_MAX))
			return -1;
		*stride = strides[0];
		for (int lane = 1; lane < PTX_LANES; lane++)
			if (strides[lane] != strides[0]) {
				ptx_find(warp, insn, lane, PTX_FIND_INVALID, 0, "lanes give different strides: %u and %u", strides[0], strides[lane]);
				return -1;
			}
	}
	*stride *= bytes;
	*base = address_of(warp, insn, &insn->src[0], 0);
	for (int lane = 1; lane < PTX_LANES; lane++)
		if (address_of(warp, insn, &insn->src[0], lane) != *base) {
			ptx_find(warp, insn, lane, PTX_FIND_INVALID, *base, "lanes give different addresses");
			return -1;
		}
	*space = move->space;
	if (*space == PTX_SPACE_SHARED)
		*base = (uint32_t)*base;
	return 0;
}

/* Dense index of the element `at` of the line (row or column) `line` in memory. */
static int index_in_line(const struct move *move, int line, int at)
{
	const struct ptx_fragment *fragment = &move->fragment;
	const int row = move->by_columns ? at : line, column = move->by_columns ? line : at;
	return fragment->role == PTX_FRAGMENT_A ? row * fragment->columns + column
						: column / 8 * fragment->rows * 8 + row * 8 + column % 8;
}

/* Lines of the matrix lie `stride` bytes apart; each is accessed in pieces of 16 bytes (the manual requires at least that
 * alignment). Pieces are spread over the lanes, so that findings and counts name all of them in turn. */
struct line_piece { int line, at, elements; unsigned bytes; };
static int piece_count(const struct move *move, struct line_piece *piece)
{
	const struct ptx_fragment *fragment = &move->fragment;
	const int lines = move->by_columns ? fragment->columns : fragment->rows;
	const int elements = move->by_columns ? fragment->rows : fragment->columns;
	const unsigned line_bytes = (unsigned)elements * fragment->bits / 8;

	piece->bytes = line_bytes < 16 ? line_bytes : 16;
	piece->elements = (int)(piece->bytes * 8 / fragment->bits);
	return lines * (elements / piece->elements);
}
static void nth_piece(const struct move *move, int n, struct line_piece *piece)
{
	const struct ptx_fragment *fragment = &move->fragment;
	const int a_line = (move->by_columns ? fragment->rows : fragment->columns) / piece->elements;
	piece->line = n / a_line;
	piece->at = n % a_line * piece->elements;
}

static void execute_wmma_load(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const struct move *move = insn->extra;
	const struct ptx_fragment *fragment = &move->fragment;
	const unsigned bytes = fragment->bits / 8;
	uint64_t base, stride, dense[32 * 32], undefined[32 * 32];
	enum ptx_space space;
	struct line_piece piece;

	if (!ptx_matrix_whole_warp(warp, insn, active) || matrix_in_memory(warp, insn, move, &space, &base, &stride))
		return;
	const int pieces = piece_count(move, &piece);
	for (int n = 0; n < pieces; n++) {
		unsigned char value[16] = {0}, shadow[16] = {0};
		nth_piece(move, n, &piece);
		if (ptx_read(warp, insn, n % PTX_LANES, space, base + (uint64_t)piece.line * stride + (uint64_t)piece.at * bytes, piece.bytes,
			     value, warp->checks ? shadow : NULL))
			return;
		for (int i = 0; i < piece.elements; i++) {
			const int index = index_in_line(move, piece.line, piece.at + i);
			dense[index] = undefined[index] = 0;
			memcpy(&dense[index], value + (unsigned)i * bytes, bytes);
			memcpy(&undefined[index], shadow + (unsigned)i * bytes, bytes);
		}
	}
	for (int given = 0; given < fragment->given; given++) {
		const int r = given % fragment->registers;
		const uint16_t *place = fragment->place + r * PTX_LANES * fragment->per;
		uint32_t mask = 0;
		for (int lane = 0; lane < PTX_LANES; lane++) {
			uint64_t word = 0, shadow = 0;
			for (int e = 0; e < fragment->per; e++) {
				word |= dense[place[lane * fragment->per + e]] << (e * fragment->bits);
				shadow |= undefined[place[lane * fragment->per + e]] << (e * fragment->bits);
			}
			if (fragment->lane_bytes == 8)
				ptx_dst64(warp, insn, given)[lane] = word;
			else
				ptx_dst32(warp, insn, given)[lane] = (uint32_t)word;
			if (!shadow)
				continue;
			mask |= 1u << lane;
			if (fragment->lane_bytes == 8)
				((uint64_t *)ptx_shadow_at(warp, &insn->dst[given]))[lane] = shadow;
			else
				((uint32_t *)ptx_shadow_at(warp, &insn->dst[given]))[lane] = (uint32_t)shadow;
		}
		if (warp->checks)
			ptx_set_undefined(warp, &insn->dst[given], UINT32_MAX, mask);
	}
}

static void execute_wmma_store(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	const struct move *move = insn->extra;
	const struct ptx_fragment *fragment = &move->fragment;
	const unsigned bytes = fragment->bits / 8;
	const struct ptx_slot *slots = insn->src + 1 + (move->has_stride ? 1 : 0);
	const uint64_t mask = fragment->bits < 64 ? (1ull << fragment->bits) - 1 : UINT64_MAX;
	uint64_t base, stride, dense[32 * 32], undefined[32 * 32];
	enum ptx_space space;
	struct line_piece piece;

	if (!ptx_matrix_whole_warp(warp, insn, active) || matrix_in_memory(warp, insn, move, &space, &base, &stride))
		return;
	for (int r = 0; r < fragment->registers; r++) {
		const uint16_t *place = fragment->place + r * PTX_LANES * fragment->per;
		const void *lanes = ptx_at(warp, &slots[r]);
		const uint32_t lost = warp->checks ? ptx_undefined(warp, &slots[r]) : 0;
		const void *shadow = lost ? ptx_shadow_at(warp, &slots[r]) : NULL;
		for (int lane = 0; lane < PTX_LANES; lane++) {
			const int wide = fragment->lane_bytes == 8;
			const uint64_t word = wide ? ((const uint64_t *)lanes)[lane] : ((const uint32_t *)lanes)[lane];
			const uint64_t bits = !(lost >> lane & 1) ? 0 : wide ? ((const uint64_t *)shadow)[lane] : ((const uint32_t *)shadow)[lane];
			for (int e = 0; e < fragment->per; e++) {
				dense[place[lane * fragment->per + e]] = word >> (e * fragment->bits) & mask;
				undefined[place[lane * fragment->per + e]] = bits >> (e * fragment->bits) & mask;
			}
		}
	}
	const int pieces = piece_count(move, &piece);
	for (int n = 0; n < pieces; n++) {
		unsigned char value[16] = {0}, shadow[16] = {0};
		nth_piece(move, n, &piece);
		for (int i = 0; i < piece.elements; i++) {
			const int index = index_in_line(move, piece.line, piece.at + i);
			memcpy(value + (unsigned)i * bytes, &dense[index], bytes);
			memcpy(shadow + (unsigned)i * bytes, &undefined[index], bytes);
		}
		if (ptx_write(warp, insn, n % PTX_LANES, space, base + (uint64_t)piece.line * stride + (uint64_t)piece.at * bytes, piece.bytes,
			      value, warp->checks ? shadow : NULL))
			return;
	}
}

/* ---- lowering ---- */

/* Slot and immediate of an address operand. */
static int lower_address(struct ptx_lowering *lowering, struct ptx_insn *insn, int n, struct ptx_slot *slot)
{
	const struct ptx_operand *address = ptx_operand(lowering, n);
	struct ptx_operand base = *address;

	if (address->kind != PTX_OPERAND_ADDRESS)
		return ptx_malformed(lowering, "operand %d is no address", n + 1);
	if (address->reg >= 0) {
		const enum ptx_type type = lowering->function->registers[address->reg].type;
		base.kind = PTX_OPERAND_REGISTER;
		base.integer = 0;
		insn->immediate = address->integer;
		return ptx_source(lowering, &base, ptx_type_bytes(type) == 8 ? PTX_B64 : PTX_B32, 0, NULL, slot);
	}
	if (address->variable) {
		base.kind = PTX_OPERAND_VARIABLE;
		return ptx_source(lowering, &base, PTX_B64, 0, NULL, slot);
	}
	return ptx_constant(lowering, (uint64_t)address->integer, 8, slot);
}

static int lower_space(struct ptx_lowering *lowering, int global_too, int address_operand, enum ptx_space *space)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	const struct ptx_operand *address = ptx_operand(lowering, address_operand);

	*space = PTX_SPACE_GENERIC;
	if (ptx_has(instruction, PTX_MOD_shared) || ptx_has(instruction, PTX_MOD_shared__cta))
		*space = PTX_SPACE_SHARED;
	else if (ptx_has(instruction, PTX_MOD_global) && global_too)
		*space = PTX_SPACE_GLOBAL;
	else if (ptx_has(instruction, PTX_MOD_global) || ptx_has(instruction, PTX_MOD_shared__cluster))
		return ptx_unsupported(lowering, "this state space is not executed here");
	else if (address->kind == PTX_OPERAND_ADDRESS && address->reg < 0 && address->variable && address->variable->space == PTX_SPACE_SHARED)
		*space = PTX_SPACE_SHARED; /* the variable's address is its offset */
	return 0;
}

static int lower_rows(struct ptx_lowering *lowering, struct ptx_insn *insn, struct move *move)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	const int load = instruction->opcode == PTX_OP_ldmatrix;
	struct ptx_slot *slots;

	if (!ptx_has(instruction, PTX_MOD_m8n8) || !ptx_has(instruction, PTX_MOD_b16))
		return ptx_unsupported(lowering, "only matrices of .m8n8.b16 are executed here");
	move->matrices = ptx_has(instruction, PTX_MOD_x4) ? 4 : ptx_has(instruction, PTX_MOD_x2) ? 2 : ptx_has(instruction, PTX_MOD_x1) ? 1 : 0;
	if (!move->matrices)
		return ptx_malformed(lowering, ".x1, .x2 or .x4 is missing");
	if (instruction->operand_count != 2)
		return ptx_malformed(lowering, "%d operands instead of 2", instruction->operand_count);
	if (lower_space(lowering, 0, load ? 1 : 0, &move->space))
		return -1;
	slots = ptx_lowering_alloc(lowering, (size_t)(1 + move->matrices) * sizeof(*slots));
	if (!slots)
		return -1;
	insn->class = PTX_CLASS_SHARED;
	if (load) {
		insn->src = slots;
		insn->src_count = 1;
		insn->dst = slots + 1;
		insn->dst_count = (uint8_t)move->matrices;
		insn->execute = execute_ldmatrix;
		return lower_address(lowering, insn, 1, &slots[0]) || ptx_matrix_destinations(lowering, 0, PTX_B32, move->matrices, slots + 1) ? -1 : 0;
	}
	insn->src = slots;
	insn->src_count = (uint8_t)(1 + move->matrices);
	insn->execute = execute_stmatrix;
	return lower_address(lowering, insn, 0, &slots[0]) || ptx_matrix_sources(lowering, 1, PTX_B32, move->matrices, slots + 1) ? -1 : 0;
}

static int lower_movmatrix(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	struct ptx_slot *slots;

	if (!ptx_has(instruction, PTX_MOD_m8n8) || !ptx_has(instruction, PTX_MOD_trans) || !ptx_has(instruction, PTX_MOD_b16))
		return ptx_malformed(lowering, ".m8n8.trans.b16 is required");
	if (instruction->operand_count != 2)
		return ptx_malformed(lowering, "%d operands instead of 2", instruction->operand_count);
	slots = ptx_lowering_alloc(lowering, 2 * sizeof(*slots));
	if (!slots)
		return -1;
	insn->dst = slots;
	insn->src = slots + 1;
	insn->dst_count = insn->src_count = 1;
	insn->execute = execute_movmatrix;
	return ptx_matrix_destinations(lowering, 0, PTX_B32, 1, slots) || ptx_matrix_sources(lowering, 1, PTX_B32, 1, slots + 1) ? -1 : 0;
}

static int lower_wmma_move(struct ptx_lowering *lowering, struct ptx_insn *insn, struct move *move)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	const int load = ptx_has(instruction, PTX_MOD_load);
	const enum ptx_type type = ptx_nth_type(instruction, 0);
	const struct ptx_shape shape = ptx_matrix_shape(instruction);
	const enum ptx_fragment_role role = !load || ptx_has(instruction, PTX_MOD_c) ? PTX_FRAGMENT_C
					    : ptx_has(instruction, PTX_MOD_a) ? PTX_FRAGMENT_A : PTX_FRAGMENT_B;
	const int vector = load ? 0 : 1, address = load ? 1 : 0;
	struct ptx_slot *slots;

	if (!load && (!ptx_has(instruction, PTX_MOD_store) || !ptx_has(instruction, PTX_MOD_d)))
		return ptx_unsupported(lowering, "this is neither a load, a store nor a product");
	if (load && !ptx_has(instruction, PTX_MOD_a) && !ptx_has(instruction, PTX_MOD_b) && !ptx_has(instruction, PTX_MOD_c))
		return ptx_malformed(lowering, "which matrix is loaded is missing");
	if (instruction->operand_count != 2 && instruction->operand_count != 3)
		return ptx_malformed(lowering, "%d operands instead of 2 or 3", instruction->operand_count);
	const int is_result = type == PTX_F16 || type == PTX_F32 || type == PTX_S32 || type == PTX_F64;
	const int is_factor = type == PTX_F16 || type == PTX_BF16 || type == PTX_TF32 || type == PTX_S8 || type == PTX_U8 || type == PTX_F64;
	if (!shape.m || shape.m * shape.n * shape.k > 16 * 16 * 16 || (role == PTX_FRAGMENT_C ? !is_result : !is_factor))
		return ptx_unsupported(lowering, "this shape with this type is not executed here");
	move->by_columns = ptx_has(instruction, PTX_MOD_col);
	move->has_stride = instruction->operand_count == 3;
	if (move->by_columns == ptx_has(instruction, PTX_MOD_row))
		return ptx_malformed(lowering, ".row or .col is missing");
	if (lower_space(lowering, 1, address, &move->space))
		return -1;
	const int repeated = type == PTX_F16 && role != PTX_FRAGMENT_C ? 8 : 0;
	if (ptx_fragment_make(lowering, role, type, shape, repeated, &move->fragment))
		return -1;

	const int registers = move->fragment.given, extra = move->has_stride ? 2 : 1;
	const enum ptx_type word = type == PTX_F64 ? PTX_F64 : type == PTX_F32 ? PTX_F32 : PTX_B32;
	slots = ptx_lowering_alloc(lowering, (size_t)(registers + extra) * sizeof(*slots));
	if (!slots)
		return -1;
	if (lower_address(lowering, insn, address, &slots[0]) ||
	    (move->has_stride && ptx_source(lowering, ptx_operand(lowering, 2), PTX_U32, 0, NULL, &slots[1])))
		return -1;
	insn->class = move->space == PTX_SPACE_SHARED ? PTX_CLASS_SHARED : PTX_CLASS_GLOBAL;
	insn->src = slots;
	insn->src_count = (uint8_t)(load ? extra : extra + registers);
	if (load) {
		insn->dst = slots + extra;
		insn->dst_count = (uint8_t)registers;
		insn->execute = execute_wmma_load;
		return ptx_matrix_destinations(lowering, vector, word, registers, slots + extra);
	}
	insn->execute = execute_wmma_store;
	return ptx_matrix_sources(lowering, vector, word, registers, slots + extra);
}

int ptx_lower_matrix_move(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	struct move *move = ptx_lowering_alloc(lowering, sizeof(*move));

	if (!move)
		return -1;
	memset(move, 0, sizeof(*move));
	move->kernels = ptx_matrix_kernels();
	move->transpose = ptx_has(lowering->instruction, PTX_MOD_trans);
	insn->extra = move;
	insn->immediate = 0;
	switch (lowering->instruction->opcode) {
	case PTX_OP_ldmatrix:
	case PTX_OP_stmatrix:
		return lower_rows(lowering, insn, move);
	case PTX_OP_movmatrix:
		return lower_movmatrix(lowering, insn);
	default:
		return lower_wmma_move(lowering, insn, move);
	}
}
