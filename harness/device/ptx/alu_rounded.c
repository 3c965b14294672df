/* Arithmetic in the rounding modes .rz, .rm and .rp, done by the host's unit in that mode. The mode is set around a loop over
 * lanes whose operands are read from and written to memory that the call to fesetround might look at, which keeps the
 * compiler from moving an operation out of it; this file is compiled with -frounding-math besides. */
#include "device/ptx/alu.h"

#include <fenv.h>
#include <math.h>

typedef uint32_t __attribute__((may_alias)) u32;
typedef uint64_t __attribute__((may_alias)) u64;

static int host_mode(enum number_rounding rounding)
{
	switch (rounding) {
	case NUMBER_RZ:
		return FE_TOWARDZERO;
	case NUMBER_RM:
		return FE_DOWNWARD;
	case NUMBER_RP:
		return FE_UPWARD;
	default:
		return FE_TONEAREST;
	}
}

#define LOOP(expression)                                                                                               \
	for (int i = 0; i < count; i++)                                                                                \
		r[i] = (expression);                                                                                   \
	break

static __attribute__((noinline)) void compute_f32(float *r, const float *a, const float *b, const float *c, int count, int operation)
{
	switch (operation) {
	case ALU_ADD: LOOP(a[i] + b[i]);
	case ALU_SUB: LOOP(a[i] - b[i]);
	case ALU_MUL: LOOP(a[i] * b[i]);
	case ALU_FMA: LOOP(fmaf(a[i], b[i], c[i]));
	case ALU_DIV: LOOP(a[i] / b[i]);
	default: LOOP(sqrtf(a[i]));
	}
}

static __attribute__((noinline)) void compute_f64(double *r, const double *a, const double *b, const double *c, int count, int operation)
{
	switch (operation) {
	case ALU_ADD: LOOP(a[i] + b[i]);
	case ALU_SUB: LOOP(a[i] - b[i]);
	case ALU_MUL: LOOP(a[i] * b[i]);
	case ALU_FMA: LOOP(fma(a[i], b[i], c[i]));
	case ALU_DIV: LOOP(a[i] / b[i]);
	default: LOOP(sqrt(a[i]));
	}
}

static void rounded_f32(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active, int count)
{
	const u32 *from[3];
	float operands[3][2 * PTX_LANES], result[2 * PTX_LANES];
	for (int s = 0; s < 3; s++) {
		from[s] = ptx_at(warp, &insn->src[s < insn->src_count ? s : 0]);
		for (int i = 0; i < count; i++)
			operands[s][i] = number_f32(insn->option[0] ? number_f32_flush(from[s][i]) : from[s][i]);
	}
	const int before = fegetround();
	fesetround(host_mode((enum number_rounding)insn->option[3]));
	compute_f32(result, operands[0], operands[1], operands[2], count, insn->option[2]);
	fesetround(before);
	u32 *const d = ptx_at(warp, &insn->dst[0]);
	for (int i = 0; i < count; i++) {
		const float value = result[i];
		uint32_t bits = number_f32_bits(value);
		if (insn->option[1])
			bits = number_f32_bits(value > 0.0f ? value < 1.0f ? value : 1.0f : 0.0f);
		if (number_f32_is_nan(bits))
			bits = NUMBER_F32_NAN;
		if (insn->option[0])
			bits = number_f32_flush(bits);
		if (active >> i * PTX_LANES / count & 1)
			d[i] = bits;
	}
}

void ptx_alu_rounded_f32(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	rounded_f32(warp, insn, active, PTX_LANES);
}

void ptx_alu_rounded_f32x2(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	rounded_f32(warp, insn, active, 2 * PTX_LANES);
}

void ptx_alu_rounded_f64(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)
{
	double operands[3][PTX_LANES], result[PTX_LANES];
	uint64_t nan[PTX_LANES];
	for (int l = 0; l < PTX_LANES; l++)
		nan[l] = NUMBER_F64_NAN;
	for (int s = 2; s >= 0; s--) {
		const int is_operand = s < insn->src_count;
		const u64 *const from = ptx_at(warp, &insn->src[is_operand ? s : 0]);
		for (int l = 0; l < PTX_LANES; l++) {
			operands[s][l] = number_f64(from[l]);
			/* the first NaN operand's payload is the result's, as in alu_real.c */
			if (is_operand && number_f64_is_nan(from[l]))
				nan[l] = from[l] | 0x0008000000000000ull;
		}
	}
	const int before = fegetround();
	fesetround(host_mode((enum number_rounding)insn->option[3]));
	compute_f64(result, operands[0], operands[1], operands[2], PTX_LANES, insn->option[2]);
	fesetround(before);
	u64 *const d = ptx_at(warp, &insn->dst[0]);
	for (int l = 0; l < PTX_LANES; l++)
		if (active >> l & 1)
			d[l] = number_f64_is_nan(number_f64_bits(result[l])) ? nan[l] : number_f64_bits(result[l]);
}

static __attribute__((noinline)) void narrow(float *r, const double *a, int count)
{
	for (int i = 0; i < count; i++)
		r[i] = (float)a[i];
}

void ptx_alu_narrow_f32(uint32_t *result, const double *values, enum number_rounding rounding)
{
	float r[PTX_LANES];
	const int before = fegetround();
	fesetround(host_mode(rounding));
	narrow(r, values, PTX_LANES);
	fesetround(before);
	for (int l = 0; l < PTX_LANES; l++)
		result[l] = number_f32_is_nan(number_f32_bits(r[l])) ? NUMBER_F32_NAN : number_f32_bits(r[l]);
}

/* A 64-bit integer of sign and size, cut to 62 significant bits with a sticky last one: the conversion then rounds an int64_t,
 * in any mode, as it would the whole. */
static int64_t sticky(uint64_t value, int is_signed, int *shift)
{
	const int negative = is_signed && (int64_t)value < 0;
	uint64_t size = negative ? 0 - value : value;
	*shift = 0;
	if (size >> 62) {
		size = size >> 2 | ((size & 3) != 0);
		*shift = 2;
	}
	return negative ? -(int64_t)size : (int64_t)size;
}

static __attribute__((noinline)) void whole_f32(float *r, const int64_t *a, int count)
{
	for (int i = 0; i < count; i++)
		r[i] = (float)a[i];
}

static __attribute__((noinline)) void whole_f64(double *r, const int64_t *a, int count)
{
	for (int i = 0; i < count; i++)
		r[i] = (double)a[i];
}

void ptx_alu_whole_to_f32(uint32_t *result, const uint64_t *values, int is_signed, enum number_rounding rounding)
{
	int64_t cut[PTX_LANES];
	int shift[PTX_LANES];
	float r[PTX_LANES];
	for (int l = 0; l < PTX_LANES; l++)
		cut[l] = sticky(values[l], is_signed, &shift[l]);
	const int before = fegetround();
	fesetround(host_mode(rounding));
	whole_f32(r, cut, PTX_LANES);
	fesetround(before);
	for (int l = 0; l < PTX_LANES; l++)
		result[l] = number_f32_bits(shift[l] ? r[l] * 4.0f : r[l]);
}

void ptx_alu_whole_to_f64(uint64_t *result, const uint64_t *values, int is_signed, enum number_rounding rounding)
{
	int64_t cut[PTX_LANES];
	int shift[PTX_LANES];
	double r[PTX_LANES];
	for (int l = 0; l < PTX_LANES; l++)
		cut[l] = sticky(values[l], is_signed, &shift[l]);
	const int before = fegetround();
	fesetround(host_mode(rounding));
	whole_f64(r, cut, PTX_LANES);
	fesetround(before);
	for (int l = 0; l < PTX_LANES; l++)
		result[l] = number_f64_bits(shift[l] ? r[l] * 4.0 : r[l]);
}
