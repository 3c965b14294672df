#include "device/ptx/matrix_private.h"

#include "core/dtype.h"

#include <math.h>
#include <string.h>

enum { A_MAX = 16 * 256, B_MAX = 256 * 8, C_MAX = 32 * 8 }; /* elements; wmma's are smaller: 32 x 16, 16 x 32 */

struct mma {
	struct ptx_shape shape;
	struct ptx_fragment a, b, c, d;
	int saturate, exclusive_or, bfloat;
	int by_lanes;                  /* C and D have one element of 32 bits a register */
	const struct ptx_matrix_kernels *kernels;
};

static float f32_from_bits(uint32_t bits)
{
	float value;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static double e4m3_value(uint32_t bits)
{
	const int exponent = bits >> 3 & 15, mantissa = bits & 7;
	const double sign = bits & 0x80 ? -1 : 1;
	if ((bits & 0x7f) == 0x7f)
		return (double)NAN;
	return exponent ? sign * ldexp(8 + mantissa, exponent - 10) : sign * ldexp(mantissa, -9);
}

static double element_value(enum ptx_type type, uint32_t bits)
{
	switch (type) {
	case PTX_B1:
		return bits;
	case PTX_U4: case PTX_U8:
		return bits;
	case PTX_S4:
		return (int)(bits ^ 8) - 8;
	case PTX_S8:
		return (int8_t)bits;
	case PTX_S32:
		return (int32_t)bits;
	case PTX_F16:
		return f16_to_f64((uint16_t)bits);
	case PTX_BF16:
		return bf16_to_f64((uint16_t)bits);
	case PTX_E4M3:
		return e4m3_value(bits);
	case PTX_E5M2:
		return f16_to_f64((uint16_t)(bits << 8)); /* the upper half of an f16 */
	case PTX_TF32:
		return (double)f32_from_bits(bits & 0xffffe000);
	default:
		return (double)f32_from_bits(bits);
	}
}

static void gather(const struct ptx_warp *warp, const struct ptx_fragment *fragment, const struct ptx_slot *slots, double *dense)
{
	const uint16_t *place = fragment->place;
	const uint32_t mask = fragment->bits < 32 ? (1u << fragment->bits) - 1 : UINT32_MAX;

	for (int r = 0; r < fragment->registers; r++) {
		if (fragment->lane_bytes == 8) {
			const double *lanes = ptx_at(warp, &slots[r]);
			for (int lane = 0; lane < PTX_LANES; lane++)
				dense[*place++] = lanes[lane];
			continue;
		}
		const uint32_t *lanes = ptx_at(warp, &slots[r]);
		for (int lane = 0; lane < PTX_LANES; lane++)
			for (int e = 0; e < fragment->per; e++)
				dense[*place++] = element_value(fragment->type, lanes[lane] >> (e * fragment->bits) & mask);
	}
}

static uint32_t result_bits(const struct mma *mma, double value)
{
	float narrow;
	uint32_t bits;

	switch (mma->d.type) {
	case PTX_S32: /* the sum is exact in float64: |C| <= 2^31 and 256 products below 2^16 */
		if (mma->saturate)
			value = fmin(fmax(value, INT32_MIN), INT32_MAX);
		return (uint32_t)(int64_t)value;
	case PTX_F16:
		return value != value ? 0x7fff : f16_from_f64(value);
	default:
		narrow = (float)value;
		memcpy(&bits, &narrow, sizeof(bits));
		return value != value ? 0x7fffffff : bits;
	}
}

static void scatter(const struct ptx_warp *warp, const struct mma *mma, const struct ptx_slot *slots, const double *dense)
{
	const struct ptx_fragment *d = &mma->d;
	const uint16_t *place = d->place;

	for (int r = 0; r < d->registers; r++) {
		if (d->lane_bytes == 8) {
			double *lanes = ptx_at(warp, &slots[r]);
			for (int lane = 0; lane < PTX_LANES; lane++)
				lanes[lane] = dense[*place++];
			continue;
		}
		uint32_t *lanes = ptx_at(warp, &slots[r]);
		for (int lane = 0; lane < PTX_LANES; lane++) {
			uint32_t word = 0;
			for (int e = 0; e < d->per; e++)
				word |= result_bits(mma, dense[*place++]) << (e * d->bits);
			lanes[lane] = word;
		}
	}
	for (int r = d->registers; r < d->given; r++)
		memcpy(ptx_at(warp, &slots[r]), ptx_at(warp, &slots[r % d->registers]), (size_t)PTX_LANES * d->lane_bytes);
}

/* ---- definedness ---- */

struct undefined {
	uint32_t masks[PTX_FRAGMENT_REGISTERS];
	uint64_t shadow[PTX_FRAGMENT_REGISTERS][PTX_LANES];
};

static uint64_t shadow_of(const struct ptx_warp *warp, const struct ptx_fragment *fragment, const struct ptx_slot *slot, int lane)
{
	if (!(ptx_undefined(warp, slot) >> lane & 1))
		return 0;
	const void *shadow = ptx_shadow_at(warp, slot);
	return fragment->lane_bytes == 8 ? ((const uint64_t *)shadow)[lane] : ((const uint32_t *)shadow)[lane];
}

/* Marks the rows of A, the columns of B or the elements of C that hold undefined bits. */
static void mark(const struct ptx_warp *warp, const struct ptx_fragment *fragment, const struct ptx_slot *slots, unsigned char *marks)
{
	const uint64_t mask = fragment->bits < 64 ? (1ull << fragment->bits) - 1 : UINT64_MAX;

	for (int r = 0; r < fragment->registers; r++) {
		if (!ptx_undefined(warp, &slots[r]))
			continue;
		for (int lane = 0; lane < PTX_LANES; lane++) {
			const uint64_t shadow = shadow_of(warp, fragment, &slots[r], lane);
			for (int e = 0; e < fragment->per && shadow; e++) {
				const int index = fragment->place[(r * PTX_LANES + lane) * fragment->per + e];
				int row, column;
				if (!(shadow >> (e * fragment->bits) & mask))
					continue;
				ptx_fragment_position(fragment, index, &row, &column);
				marks[fragment->role == PTX_FRAGMENT_A ? row : fragment->role == PTX_FRAGMENT_B ? column : index] = 1;
			}
		}
	}
}

static void find_undefined(const struct ptx_warp *warp, const struct mma *mma, const struct ptx_slot *a, const struct ptx_slot *b,
			   const struct ptx_slot *c, struct undefined *result)
{
	unsigned char rows[32] = {0}, columns[32] = {0}, elements[C_MAX] = {0};
	const struct ptx_fragment *d = &mma->d;
	const uint64_t mask = d->bits < 64 ? (1ull << d->bits) - 1 : UINT64_MAX;

	memset(result, 0, sizeof(*result));
	mark(warp, &mma->a, a, rows);
	mark(warp, &mma->b, b, columns);
	mark(warp, &mma->c, c, elements);
	for (int r = 0; r < d->registers; r++)
		for (int lane = 0; lane < PTX_LANES; lane++)
			for (int e = 0; e < d->per; e++) {
				const int index = d->place[(r * PTX_LANES + lane) * d->per + e];
				int row, column;
				ptx_fragment_position(d, index, &row, &column);
				if (!rows[row] && !columns[column] && !elements[index])
					continue;
				result->masks[r] |= 1u << lane;
				result->shadow[r][lane] |= mask << (e * d->bits);
			}
}

static void set_undefined(const struct ptx_warp *warp, const struct ptx_fragment *d, const struct ptx_slot *slots, const struct undefined *result)
{
	for (int i = 0; i < d->given; i++) {
		const int r = i % d->registers;
		ptx_set_undefined(warp, &slots[i], UINT32_MAX, result->masks[r]);
		if (!result->masks[r])
			continue;
		void *shadow = ptx_shadow_at(warp, &slots[i]);
		for (int lane = 0; lane < PTX_LANES; lane++)
			if (d->lane_bytes == 8)
				((uint64_t *)shadow)[lane] = result->shadow[r][lane];
			else
				((uint32_t *)shadow)[lane] = (uint32_t)result->shadow[r][lane];
	}
}

/* The same where C and D have an element a register: by whole lanes, since a lane holds parts of one row of A, of one column
 * of B. Attention meets it all the time, in the rows and columns that a tile has too many. Gives the masks of D. */
static void find_undefined_lanes(const struct ptx_warp *warp, const struct mma *mma, const struct ptx_slot *a, const struct ptx_slot *b,
				 const struct ptx_slot *c, uint32_t *masks)
{
	uint32_t rows = 0, columns = 0;

	for (int r = 0; r < mma->a.registers; r++) {
		const uint32_t lanes = ptx_undefined(warp, &a[r]);
		for (int group = 0; group < 8 && lanes; group++)
			rows |= (uint32_t)((lanes >> (4 * group) & 15) != 0) << (mma->a.first_row[r] + group);
	}
	for (int r = 0; r < mma->b.registers; r++) {
		const uint32_t lanes = ptx_undefined(warp, &b[r]);
		for (int group = 0; group < 8 && lanes; group++)
			columns |= (uint32_t)((lanes >> (4 * group) & 15) != 0) << (mma->b.first_column[r] + group);
	}
	for (int r = 0; r < mma->d.registers; r++) {
		uint32_t lanes = ptx_undefined(warp, &c[r]);
		for (int group = 0; group < 8 && rows; group++)
			lanes |= (rows >> (mma->d.first_row[r] + group) & 1) * (15u << (4 * group));
		for (int member = 0; member < 4 && columns; member++)
			lanes |= (columns >> (mma->d.first_column[r] + 2 * member) & 1) * (0x11111111u << member);
		masks[r] = lanes;
	}
}

static void set_undefined_lanes(const struct ptx_warp *warp, const struct mma *mma, const struct ptx_slot *d, const uint32_t *masks)
{
	for (int r = 0; r < mma->d.registers; r++) {
		ptx_set_undefined(warp, &d[r], UINT32_MAX, masks[r]);
		if (masks[r])
			memset(ptx_shadow_at(warp, &d[r]), 0xff, PTX_LANES * sizeof(uint32_t));
	}
}

/* ---- values ---- */

static void multiply_f64(const struct ptx_shape *shape, const double *a, const double *b, double *c)
{
	for (int panel = 0; panel < shape->n / 8; panel++)
		for (int i = 0; i < shape->m; i++)
			for (int j = 0; j < 8; j++) {
				double sum = c[panel * shape->m * 8 + i * 8 + j];
				for (int l = 0; l < shape->k; l++)
					sum = fma(a[i * shape->k + l], b[panel * shape->k * 8 + l * 8 + j], sum);
				c[panel * shape->m * 8 + i * 8 + j] = sum;
			}
}

static void multiply_general(const struct ptx_warp *warp, const struct mma *mma, const struct ptx_slot *d, const struct ptx_slot *a,
			     const struct ptx_slot *b, const struct ptx_slot *c)
{
	_Alignas(64) double dense_a[A_MAX], dense_b[B_MAX], dense_c[C_MAX];
	const struct ptx_shape *shape = &mma->shape;

	gather(warp, &mma->a, a, dense_a);
	gather(warp, &mma->b, b, dense_b);
	gather(warp, &mma->c, c, dense_c);
	if (mma->exclusive_or) {
		/* a xor b = a + b - 2ab = (1 - (1 - 2a)(1 - 2b)) / 2 */
		double sums[C_MAX];
		for (int i = 0; i < shape->m * shape->k; i++)
			dense_a[i] = 1 - 2 * dense_a[i];
		for (int i = 0; i < shape->k * shape->n; i++)
			dense_b[i] = 1 - 2 * dense_b[i];
		memset(sums, 0, sizeof(sums));
		for (int panel = 0; panel < shape->n / 8; panel++)
			mma->kernels->multiply(dense_a, dense_b + panel * shape->k * 8, sums + panel * shape->m * 8, shape->m, shape->k);
		for (int i = 0; i < shape->m * shape->n; i++)
			dense_c[i] += (shape->k - sums[i]) / 2;
	} else if (mma->d.type == PTX_F64) {
		multiply_f64(shape, dense_a, dense_b, dense_c);
	} else {
		for (int panel = 0; panel < shape->n / 8; panel++)
			mma->kernels->multiply(dense_a, dense_b + panel * shape->k * 8, dense_c + panel * shape->m * 8, shape->m, shape->k);
	}
	scatter(warp, mma, d, dense_c);
}

/* f16 and bf16 with float32: what attention and mixture-of-experts kernels do all the time. */
static void multiply_halves(const struct ptx_warp *warp, const struct mma *mma, const struct ptx_slot *d, const struct ptx_slot *a,
			    const struct ptx_slot *b, const struct ptx_slot *c)
{
	const uint32_t *a_lanes[PTX_FRAGMENT_REGISTERS], *b_lanes[PTX_FRAGMENT_REGISTERS], *c_lanes[PTX_FRAGMENT_REGISTERS];
	uint32_t *d_lanes[PTX_FRAGMENT_REGISTERS];
	uint32_t results[PTX_FRAGMENT_REGISTERS][PTX_LANES];
	const int row_blocks = mma->shape.m >= 16 ? 2 : 1, k_blocks = mma->shape.k / 8, panels = mma->shape.n / 8;
	const int together = mma->d.registers == 2 * row_blocks;

	for (int i = 0; i < mma->a.registers; i++)
		a_lanes[i] = ptx_at(warp, &a[i]);
	for (int i = 0; i < mma->b.registers; i++)
		b_lanes[i] = ptx_at(warp, &b[i]);
	for (int i = 0; i < mma->c.registers; i++) {
		c_lanes[i] = ptx_at(warp, &c[i]);
		d_lanes[i] = together ? ptx_at(warp, &d[i]) : results[i]; /* of several products the first may not destroy operands */
	}
	for (int rows = 0; rows < mma->shape.m / (8 * row_blocks); rows++)
		for (int panel = 0; panel < panels; panel++) {
			const int first = (rows * panels + panel) * 2 * row_blocks;
			mma->kernels->fragments_f32(a_lanes + rows * row_blocks * k_blocks, b_lanes + panel * k_blocks, c_lanes + first,
						    d_lanes + first, row_blocks, k_blocks, mma->bfloat);
		}
	for (int i = 0; i < mma->d.registers && !together; i++)
		memcpy(ptx_at(warp, &d[i]), results[i], sizeof(results[i]));
}

static inline __attribute__((always_inline)) void execute(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active, int halves)
{
	const struct mma *mma = insn->extra;
	const struct ptx_slot *d = insn->dst, *a = insn->src, *b = a + mma->a.given, *c = b + mma->b.given;
	uint32_t undefined = 0, masks[PTX_FRAGMENT_REGISTERS];
	struct undefined result;

	if (!ptx_matrix_whole_warp(warp, insn, active))
		return;
	if (warp->checks)
		for (int i = 0; i < insn->src_count; i++)
			undefined |= ptx_undefined(warp, &insn->src[i]);
	if (undefined && mma->by_lanes) /* before d, which may share registers with them, is written */
		find_undefined_lanes(warp, mma, a, b, c, masks);
	else if (undefined)
		find_undefined(warp, mma, a, b, c, &result);
	if (halves)
		multiply_halves(warp, mma, d, a, b, c);
	else
		multiply_general(warp, mma, d, a, b, c);
	if (undefined && mma->by_lanes)
		set_undefined_lanes(warp, mma, d, masks);
	else if (undefined)
		set_undefined(warp, &mma->d, d, &result);
	else if (warp->checks)
		for (int i = 0; i < insn->dst_count; i++)
			ptx_set_undefined(warp, &d[i], UINT32_MAX, 0);
}

static void execute_general(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	execute(warp, insn, active, 0);
}

static void execute_halves(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	execute(warp, insn, active, 1);
}

/* ---- lowering ---- */

static int is_integer(enum ptx_type type)
{
	return type == PTX_B1 || type == PTX_U4 || type == PTX_S4 || type == PTX_U8 || type == PTX_S8;
}

/* The combinations of the manual's tables for mma and wmma, and the layouts that this program knows. */
static int combination_is_legal(const struct ptx_instruction *instruction, struct ptx_shape s, enum ptx_type d, enum ptx_type a,
				enum ptx_type b, enum ptx_type c)
{
	const int wmma = instruction->opcode == PTX_OP_wmma;
	const int shape = s.m * 1000000 + s.n * 1000 + s.k;
	const int tall = shape == 16016016 || shape == 8032016 || shape == 32008016;

	switch (a) {
	case PTX_F16:
		return b == PTX_F16 && (c == PTX_F16 || c == PTX_F32) && (d == PTX_F16 || d == PTX_F32) &&
		       (wmma ? tall : (shape == 16008008 || shape == 16008016) && c == d);
	case PTX_BF16:
		return b == PTX_BF16 && c == PTX_F32 && d == PTX_F32 && (wmma ? tall : shape == 16008008 || shape == 16008016);
	case PTX_TF32:
		return b == PTX_TF32 && c == PTX_F32 && d == PTX_F32 && (wmma ? shape == 16016008 : shape == 16008004 || shape == 16008008);
	case PTX_F64:
		return b == PTX_F64 && c == PTX_F64 && d == PTX_F64 &&
		       (shape == 8008004 || (!wmma && (shape == 16008004 || shape == 16008008 || shape == 16008016)));
	case PTX_S8: case PTX_U8:
		return (b == PTX_S8 || b == PTX_U8) && c == PTX_S32 && d == PTX_S32 &&
		       (wmma ? tall && a == b : shape == 8008016 || shape == 16008016 || shape == 16008032);
	case PTX_S4: case PTX_U4:
		return (b == PTX_S4 || b == PTX_U4) && c == PTX_S32 && d == PTX_S32 &&
		       (wmma ? shape == 8008032 && a == b : shape == 8008032 || shape == 16008032 || shape == 16008064);
	case PTX_E4M3: case PTX_E5M2:
		return !wmma && (b == PTX_E4M3 || b == PTX_E5M2) && (c == PTX_F16 || c == PTX_F32) && c == d &&
		       (shape == 16008016 || shape == 16008032);
	case PTX_B1:
		return b == PTX_B1 && c == PTX_S32 && d == PTX_S32 &&
		       (shape == 8008128 || (!wmma && (shape == 16008128 || shape == 16008256)));
	default:
		return 0;
	}
}

static int check_modifiers(struct ptx_lowering *lowering)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	for (int i = 0; i < instruction->modifier_count; i++) {
		const enum ptx_modifier modifier = instruction->modifiers[i];
		if (ptx_modifier_type(modifier) != PTX_NO_TYPE)
			continue;
		switch (modifier) {
		case PTX_MOD_sync: case PTX_MOD_aligned: case PTX_MOD_row: case PTX_MOD_col: case PTX_MOD_mma: case PTX_MOD_satfinite:
		case PTX_MOD_xor: case PTX_MOD_and: case PTX_MOD_popc: case PTX_MOD_rn:
		case PTX_MOD_m8n8k4: case PTX_MOD_m8n8k16: case PTX_MOD_m8n8k32: case PTX_MOD_m8n8k128: case PTX_MOD_m16n8k4:
		case PTX_MOD_m16n8k8: case PTX_MOD_m16n8k16: case PTX_MOD_m16n8k32: case PTX_MOD_m16n8k64: case PTX_MOD_m16n8k128:
		case PTX_MOD_m16n8k256: case PTX_MOD_m16n16k16: case PTX_MOD_m8n32k16: case PTX_MOD_m32n8k16: case PTX_MOD_m16n16k8:
			break;
		default:
			return ptx_unsupported(lowering, "modifier .%s is not executed here", ptx_modifier_name(modifier));
		}
	}
	return 0;
}

/* The same instruction is there by the hundred: what was made for an earlier one serves again. */
static const struct mma *made_before(const struct ptx_lowering *lowering, const struct ptx_insn *insn)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	const struct ptx_insn *first = lowering->program ? lowering->program->code : NULL;
	if (!first || insn < first)
		return NULL;
	for (const struct ptx_insn *other = insn; other > first && insn - other < 256;) {
		other--;
		if ((other->execute == execute_general || other->execute == execute_halves) && other->source->opcode == instruction->opcode &&
		    other->source->modifier_count == instruction->modifier_count &&
		    !memcmp(other->source->modifiers, instruction->modifiers, (size_t)instruction->modifier_count * sizeof(*instruction->modifiers)))
			return other->extra;
	}
	return NULL;
}

static const struct mma *make(struct ptx_lowering *lowering, struct ptx_shape shape, enum ptx_type d, enum ptx_type a, enum ptx_type b,
			      enum ptx_type c)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	struct mma *mma = ptx_lowering_alloc(lowering, sizeof(*mma));

	if (!mma)
		return NULL;
	*mma = (struct mma){.shape = shape, .saturate = ptx_has(instruction, PTX_MOD_satfinite), .bfloat = a == PTX_BF16,
			    .exclusive_or = ptx_has(instruction, PTX_MOD_xor), .kernels = ptx_matrix_kernels()};
	/* only wmma's f16 operands come in more registers than they need */
	const int repeated = instruction->opcode == PTX_OP_wmma && a == PTX_F16 ? 8 : 0;
	if (ptx_fragment_make(lowering, PTX_FRAGMENT_A, a, shape, repeated, &mma->a) ||
	    ptx_fragment_make(lowering, PTX_FRAGMENT_B, b, shape, repeated, &mma->b) ||
	    ptx_fragment_make(lowering, PTX_FRAGMENT_C, c, shape, 0, &mma->c) ||
	    ptx_fragment_make(lowering, PTX_FRAGMENT_C, d, shape, 0, &mma->d))
		return NULL;
	mma->by_lanes = mma->c.bits == 32 && mma->d.bits == 32;
	return mma;
}

int ptx_lower_mma(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	const struct ptx_instruction *instruction = lowering->instruction;
	const int wmma = instruction->opcode == PTX_OP_wmma;
	const struct ptx_shape shape = ptx_matrix_shape(instruction);
	const enum ptx_type d = ptx_nth_type(instruction, 0);
	/* wmma.mma of f16 names the types of D and C alone */
	const int short_form = wmma && ptx_nth_type(instruction, 2) == PTX_NO_TYPE;
	const enum ptx_type a = short_form ? PTX_F16 : ptx_nth_type(instruction, 1), b = short_form ? PTX_F16 : ptx_nth_type(instruction, 2);
	const enum ptx_type c = ptx_nth_type(instruction, short_form ? 1 : 3);
	struct ptx_slot *slots;

	if (check_modifiers(lowering))
		return -1;
	if (instruction->operand_count != 4)
		return ptx_malformed(lowering, "%d operands instead of 4", instruction->operand_count);
	if (!shape.m || !combination_is_legal(instruction, shape, d, a, b, c))
		return ptx_unsupported(lowering, "this shape with these types is not executed here");
	if (!wmma && (!ptx_has(instruction, PTX_MOD_row) || !ptx_has(instruction, PTX_MOD_col)))
		return ptx_unsupported(lowering, "layouts other than .row.col are not executed here");
	if ((ptx_has(instruction, PTX_MOD_satfinite) && !is_integer(a)) || (a == PTX_B1) != ptx_has(instruction, PTX_MOD_popc))
		return ptx_unsupported(lowering, "these modifiers do not go with these types");

	const struct mma *mma = made_before(lowering, insn);
	if (!mma)
		mma = make(lowering, shape, d, a, b, c);
	if (!mma)
		return -1;
	slots = ptx_lowering_alloc(lowering, (size_t)(mma->a.given + mma->b.given + mma->c.given + mma->d.given) * sizeof(*slots));
	if (!slots)
		return -1;
	struct ptx_slot *const sources = slots + mma->d.given;
	const enum ptx_type word = PTX_B32;
	if (ptx_matrix_destinations(lowering, 0, d == PTX_F64 ? PTX_F64 : word, mma->d.given, slots) ||
	    ptx_matrix_sources(lowering, 1, a == PTX_F64 ? PTX_F64 : word, mma->a.given, sources) ||
	    ptx_matrix_sources(lowering, 2, b == PTX_F64 ? PTX_F64 : word, mma->b.given, sources + mma->a.given) ||
	    ptx_matrix_sources(lowering, 3, c == PTX_F64 ? PTX_F64 : c == PTX_F32 ? PTX_F32 : word, mma->c.given,
			       sources + mma->a.given + mma->b.given))
		return -1;
	insn->dst = slots;
	insn->dst_count = mma->d.given;
	insn->src = sources;
	insn->src_count = (uint8_t)(mma->a.given + mma->b.given + mma->c.given);
	insn->extra = mma;
	insn->flags |= PTX_INSN_WARP_FLOPS;
	insn->flops = is_integer(a) ? 0 : (uint32_t)(2 * shape.m * shape.n * shape.k);
	insn->execute = (a == PTX_F16 || a == PTX_BF16) && c == PTX_F32 && d == PTX_F32 ? execute_halves : execute_general;
	return 0;
}
