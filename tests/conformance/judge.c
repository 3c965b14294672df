/* Are two results the same, as far as the manual (PTX ISA 9.0) defines them? */
#include "suite.h"

#include "core/dtype.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double value_f32(uint64_t bits)
{
	const uint32_t word = (uint32_t)bits;
	float value;
	memcpy(&value, &word, sizeof(value));
	return (double)value;
}

static double value_f64(uint64_t bits)
{
	double value;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

enum format { INTEGER, F16, BF16, F32, F64 };

static enum format format_of(const struct type *type)
{
	switch (type->kind) {
	case FLOAT16: case HALF_MODERATE: case HALF_WHOLE: case HALF_SPECIAL:
		return F16;
	case BFLOAT16: case BHALF_MODERATE: case BHALF_WHOLE: case BHALF_SPECIAL:
		return BF16;
	case FLOAT32: case ANGLE: case FLOAT_MODERATE: case FLOAT_WHOLE:
		return F32;
	case FLOAT64: case DOUBLE_MODERATE:
		return F64;
	default:
		return INTEGER;
	}
}

static double value_of(enum format format, uint64_t bits)
{
	switch (format) {
	case F16: return f16_to_f64((uint16_t)bits);
	case BF16: return bf16_to_f64((uint16_t)bits);
	case F32: return value_f32(bits);
	case F64: return value_f64(bits);
	default: return (double)bits;
	}
}

static uint64_t bits_at(const unsigned char *bytes, size_t index, size_t width)
{
	uint64_t bits = 0;
	memcpy(&bits, bytes + index * width, width);
	return bits;
}

static double ulp_f32(double value)
{
	const int exponent = value == 0 || !isfinite(value) ? -126 : ilogb(value);
	return ldexp(1, (exponent < -126 ? -126 : exponent > 127 ? 127 : exponent) - 23);
}

static double flushed(enum format format, double value)
{
	const double smallest = format == F64 ? 0x1p-1022 : format == F16 ? 0x1p-14 : 0x1p-126;
	return fabs(value) < smallest ? copysign(0, value) : value;
}

/* True value and permitted error; 0 when the manual defines neither. Section numbers are those of the manual. */
static int truth(enum rule rule, double a, double b, double *value, double *bound)
{
	switch (rule) {
	case RCP: /* 9.7.3.13: 1 ulp over the full range */
		*value = 1 / a;
		*bound = ulp_f32(*value);
		return 1;
	case DIV_APPROX: /* 9.7.3.8: 2 ulp for |b| in [2^-126, 2^126]; above it zero, or NaN where a is infinite */
		if (fabs(b) < 0x1p-126 && b != 0)
			return 0;
		*value = fabs(b) > 0x1p126 && isfinite(b) ? (isinf(a) || a != a ? (double)NAN : copysign(0, a) * copysign(1, b)) : a / b;
		*bound = 2 * ulp_f32(*value);
		return 1;
	case DIV_FULL: /* 9.7.3.8: 2 ulp over the full range */
		*value = a / b;
		*bound = 2 * ulp_f32(*value);
		return 1;
	case SQRT: /* 9.7.3.15: relative 2^-23 */
		*value = sqrt(a);
		*bound = 0x1p-23 * *value;
		return 1;
	case RSQRT: /* 9.7.3.16: relative 2^-22.9 */
		*value = a == 0 ? copysign((double)INFINITY, a) : 1 / sqrt(a);
		*bound = exp2(-22.9) * *value;
		return 1;
	case RSQRT_F64: /* 9.7.3.16 gives no figure; the CUDA programming guide gives 1 ulp for rsqrt(double): twice that */
		*value = a == 0 ? copysign((double)INFINITY, a) : 1 / sqrt(a);
		*bound = 0x1p-51 * *value;
		return 1;
	case RCP_F64: /* 9.7.3.14: the upper words of operand and result alone: 20 bits each, and 2^-23 of the approximation */
		*value = 1 / a;
		*bound = 0x1.2p-19 * fabs(*value);
		return 1;
	case RSQRT_F64_GROSS: /* 9.7.3.17: likewise */
		*value = a == 0 ? copysign((double)INFINITY, a) : 1 / sqrt(a);
		*bound = 0x1.2p-19 * *value;
		return 1;
	case SIN: case COS: /* 9.7.3.18, 9.7.3.19: absolute 2^-20.5 to 2 pi, 2^-14.7 to 100 pi, nothing beyond */
		if (isfinite(a) && fabs(a) > 314.159)
			return 0;
		*value = rule == SIN ? sin(a) : cos(a);
		*bound = fabs(a) <= 6.2831 ? exp2(-20.5) : exp2(-14.7);
		return 1;
	case LG2: /* 9.7.3.20: absolute 2^-22 between 0.5 and 2, else relative 2^-22 */
		*value = log2(a);
		*bound = a > 0.5 && a < 2 ? 0x1p-22 : 0x1p-22 * fabs(*value);
		return 1;
	case EX2: /* 9.7.3.21: 2 ulp from the correctly rounded result */
		*value = exp2(a);
		*bound = 2.5 * ulp_f32(*value);
		return 1;
	case TANH: /* 9.7.3.22: relative 2^-11 */
		*value = tanh(a);
		*bound = 0x1p-11 * fabs(*value);
		return 1;
	case EX2_F16: /* 9.7.4.10: relative 2^-9.9; for results below 2^-14, which are multiples of 2^-24, the manual gives no other
			 figure, and the H100 of the record does not round them to nearest: one of their units more */
		*value = exp2(a);
		*bound = exp2(-9.9) * *value + 0x1p-24;
		return 1;
	case EX2_BF16: /* 9.7.4.10: relative 2^-7 */
		*value = exp2(a);
		*bound = 0x1p-7 * *value;
		return 1;
	case TANH_F16: /* 9.7.4.9: absolute 2^-10.987 */
		*value = tanh(a);
		*bound = exp2(-10.987);
		return 1;
	case TANH_BF16: /* 9.7.4.9: absolute 2^-8 */
		*value = tanh(a);
		*bound = 0x1p-8;
		return 1;
	default:
		return 0;
	}
}

/* Error over its bound: 0 for the right special value, infinite for a wrong one. */
static double ratio(enum format format, int ftz, double value, double bound, double result)
{
	const double largest = format == F16 ? 65504 : format == BF16 ? 0x1.fep127 : format == F32 ? 0x1.fffffep127 : 0x1.fffffffffffffp1023;
	const double smallest = format == F64 ? 0x1p-1022 : format == F16 ? 0x1p-14 : 0x1p-126;

	if (value != value || result != result)
		return value != value && result != result ? 0 : (double)INFINITY;
	if (isinf(value))
		return result == value ? 0 : (double)INFINITY;
	if (isinf(result))
		return fabs(value) + bound > largest && signbit(result) == signbit(value) ? 0 : (double)INFINITY;
	if (value == 0)
		return result == 0 && (format == F16 || signbit(result) == signbit(value)) ? 0 : result == 0 ? (double)INFINITY : fabs(result) / bound;
	if (result == 0 && ftz && fabs(value) - bound < smallest)
		return 0;
	return fabs(result - value) / bound;
}

static void note(struct verdict *verdict, const char *format, size_t index, uint64_t actual, uint64_t expected, double extra)
{
	if (verdict->different++ == 0)
		snprintf(verdict->first, sizeof(verdict->first), format, index, (unsigned long long)actual, (unsigned long long)expected, extra);
}

static void judge_exact(const struct check *check, const unsigned char *actual, const unsigned char *expected, struct verdict *verdict)
{
	const struct type *type = check->operands[0].type;
	const size_t width = (size_t)(type->bytes / (type->halves ? type->halves : 1));

	for (size_t i = 0; i < check->output_bytes / width; i++) {
		const uint64_t a = bits_at(actual, i, width), e = bits_at(expected, i, width);
		verdict->compared++;
		if (a != e)
			note(verdict, "result %zu is 0x%llx instead of 0x%llx", i, a, e, 0);
	}
}

static void judge_approximate(const struct check *check, const unsigned char *actual, const unsigned char *expected, struct verdict *verdict)
{
	const struct type *type = check->operands[0].type, *input = check->operands[1].type;
	const enum format format = format_of(type), from = format_of(input);
	const size_t width = (size_t)(type->bytes / type->halves);
	const int ftz = strstr(check->label, ".ftz") != NULL;
	unsigned char *inputs[2] = {NULL, NULL};

	for (int i = 0; i < 2 && check->inputs[i]; i++) {
		inputs[i] = calloc(1, check->input_bytes[i]);
		if (!inputs[i]) {
			note(verdict, "no memory for the inputs", 0, 0, 0, 0);
			goto done;
		}
		inputs_fill(check, i, inputs[i]);
	}
	for (size_t i = 0; i < check->output_bytes / width; i++) {
		double a = value_of(from, bits_at(inputs[0], i, width)), b = inputs[1] ? value_of(from, bits_at(inputs[1], i, width)) : 0, value, bound;
		const uint64_t ours = bits_at(actual, i, width), theirs = bits_at(expected, i, width);
		if (ftz) {
			a = flushed(from, a);
			b = flushed(from, b);
		}
		/* their upper word alone is looked at: a NaN that shows in the lower word only is an infinity */
		if ((check->rule == RCP_F64 || check->rule == RSQRT_F64_GROSS) && a != a)
			a = value_f64(bits_at(inputs[0], i, width) & 0xffffffff00000000);
		if (!truth(check->rule, a, b, &value, &bound))
			continue;
		verdict->compared++;
		const double our_ratio = ratio(format, ftz, value, bound, value_of(format, ours));
		const double their_ratio = ratio(format, ftz, value, bound, value_of(format, theirs));
		if (our_ratio > verdict->worst)
			verdict->worst = our_ratio;
		if (!(our_ratio <= 1))
			note(verdict, "result %zu is 0x%llx (recorded: 0x%llx), %g times the permitted error", i, ours, theirs, our_ratio);
		else if (!(their_ratio <= 1))
			note(verdict, "result %zu is 0x%llx; the recorded 0x%llx has %g times the permitted error", i, ours, theirs, their_ratio);
		else if (value != value && ours != theirs)
			note(verdict, "result %zu is the NaN 0x%llx instead of 0x%llx", i, ours, theirs, 0);
		if ((check->rule == RCP_F64 || check->rule == RSQRT_F64_GROSS) && (ours & 0xffffffff))
			note(verdict, "result %zu is 0x%llx (recorded: 0x%llx): its lower word is not 0", i, ours, theirs, 0);
	}
done:
	free(inputs[0]);
	free(inputs[1]);
}

/* Sums of k products: (k + 1) units of the accumulator's last place relative to the sum of magnitudes, which stands in the
 * upper half of a thread's results. float32: the bound that the project states for tensor cores of any generation, whose sums
 * are truncated. float8: Hopper is reported (DeepSeek-V3, arXiv 2412.19437, section 3.3.2) to keep about 14 bits of such sums.
 * float64: IEEE operations in some order. */
static void judge_sums(const struct check *check, const unsigned char *actual, const unsigned char *expected, struct verdict *verdict)
{
	const struct type *type = check->operands[0].type;
	const enum format format = format_of(type);
	const size_t width = (size_t)(type->bytes / type->halves);
	const size_t a_thread = (size_t)(check->operands[0].count * type->halves);
	const char *shape = strstr(check->label, "n8k");
	const int k = shape ? atoi(shape + 3) : 0;
	const double unit = check->rule == MMA_FP8 ? 0x1p-13 : check->rule == MMA_F64 ? 0x1p-52 : 0x1p-23;

	for (size_t i = 0; i < check->output_bytes / width; i++) {
		const size_t within = i % a_thread, sum = within < a_thread / 2 ? i + a_thread / 2 : i;
		const uint64_t a = bits_at(actual, i, width), e = bits_at(expected, i, width);
		const double ours = value_of(format, a), theirs = value_of(format, e), magnitude = value_of(format, bits_at(actual, sum, width));
		double bound = (k + 1) * unit * magnitude;
		if (format == F16) /* both are rounded to f16, the sum of magnitudes too */
			bound = 1.01 * bound + 0x1p-10 * fmax(fabs(ours), fabs(theirs)) + 0x1p-24;
		verdict->compared++;
		const double error = a == e ? 0 : fabs(ours - theirs) / bound;
		if (error > verdict->worst)
			verdict->worst = error;
		if (!(error <= 1))
			note(verdict, "result %zu is 0x%llx instead of 0x%llx: %g times the permitted error", i, a, e, error);
	}
	if (k < 1)
		note(verdict, "no k in the label", 0, 0, 0, 0);
}

void judge(const struct check *check, const unsigned char *actual, const unsigned char *expected, struct verdict *verdict)
{
	memset(verdict, 0, sizeof(*verdict));
	if (check->rule == EXACT)
		judge_exact(check, actual, expected, verdict);
	else if (check->rule >= MMA)
		judge_sums(check, actual, expected, verdict);
	else
		judge_approximate(check, actual, expected, verdict);
	if (verdict->compared == 0)
		note(verdict, "nothing was compared", 0, 0, 0, 0);
}
