/* Floating-point instructions and conversions of the PTX machine against MPFR: every rounding mode, .ftz, .sat, .relu, NaN and
 * subnormal numbers; all values of the 16- and 8-bit formats; the approximate instructions within the manual's bounds. */
#include "core/dtype.h"
#include "ptx_alu_run.h"

#ifdef HAVE_MPFR

#include <mpfr.h>

/* ---- formats, apart from those of number.c ---- */

struct format { int exponent_bits, mantissa_bits; };
static const struct format F16 = {5, 10}, BF16 = {8, 7}, F32 = {8, 23}, F64 = {11, 52}, E5M2 = {5, 2};

static int bias(struct format f) { return (1 << (f.exponent_bits - 1)) - 1; }
static uint64_t infinity(struct format f) { return ((1ull << f.exponent_bits) - 1) << f.mantissa_bits; }
static uint64_t sign_of(struct format f) { return 1ull << (f.exponent_bits + f.mantissa_bits); }
static int is_nan(uint64_t a, struct format f) { return (a & (sign_of(f) - 1)) > infinity(f); }
static uint64_t flush(uint64_t a, struct format f) { return a & infinity(f) ? a : a & sign_of(f); }

static double decode(uint64_t a, struct format f)
{
	const double sign = a & sign_of(f) ? -1 : 1;
	const int exponent = (int)((a & infinity(f)) >> f.mantissa_bits);
	const double mantissa = (double)(a & ((1ull << f.mantissa_bits) - 1));
	if (is_nan(a, f))
		return NAN;
	if ((a & infinity(f)) == infinity(f))
		return sign * INFINITY;
	if (exponent == 0)
		return sign * ldexp(mantissa, 1 - bias(f) - f.mantissa_bits);
	return sign * ldexp(mantissa + ldexp(1, f.mantissa_bits), exponent - bias(f) - f.mantissa_bits);
}

/* Of a value that the format has. */
static uint64_t encode(double value, struct format f)
{
	const uint64_t sign = signbit(value) ? sign_of(f) : 0;
	int exponent;
	if (isinf(value))
		return sign | infinity(f);
	if (value == 0)
		return sign;
	const double m = frexp(fabs(value), &exponent); /* in [1/2, 1) */
	const int biased = exponent - 1 + bias(f);
	if (biased < 1)
		return sign | (uint64_t)ldexp(fabs(value), bias(f) - 1 + f.mantissa_bits);
	return sign | (uint64_t)biased << f.mantissa_bits | ((uint64_t)ldexp(m, f.mantissa_bits + 1) - (1ull << f.mantissa_bits));
}

static uint64_t canonical(struct format f)
{
	return f.exponent_bits == 11 ? 0xfff8000000000000ull : f.mantissa_bits == 23 ? 0x7fffffff : f.mantissa_bits == 2 ? 0x7f : 0x7fff;
}

/* The number in z, which was rounded to the format's precision with `ternary`, brought into the format's range. */
static uint64_t range(mpfr_t z, int ternary, struct format f, mpfr_rnd_t rounding)
{
	if (mpfr_nan_p(z))
		return canonical(f);
	const mpfr_exp_t emin = mpfr_get_emin(), emax = mpfr_get_emax();
	mpfr_set_emin(2 - bias(f) - f.mantissa_bits);
	mpfr_set_emax(bias(f) + 1);
	ternary = mpfr_check_range(z, ternary, rounding);
	mpfr_subnormalize(z, ternary, rounding);
	const double value = mpfr_get_d(z, MPFR_RNDN);
	mpfr_set_emin(emin);
	mpfr_set_emax(emax);
	return encode(value, f);
}

enum operation { ADD, SUB, MUL, FMA, DIV, SQRT };

static uint64_t exact(enum operation operation, struct format f, mpfr_rnd_t rounding, double a, double b, double c)
{
	mpfr_t x, y, w, z;
	mpfr_inits2(53, x, y, w, (mpfr_ptr)0);
	mpfr_init2(z, f.mantissa_bits + 1);
	mpfr_set_d(x, a, MPFR_RNDN), mpfr_set_d(y, b, MPFR_RNDN), mpfr_set_d(w, c, MPFR_RNDN);
	int ternary = 0;
	switch (operation) {
	case ADD: ternary = mpfr_add(z, x, y, rounding); break;
	case SUB: ternary = mpfr_sub(z, x, y, rounding); break;
	case MUL: ternary = mpfr_mul(z, x, y, rounding); break;
	case FMA: ternary = mpfr_fma(z, x, y, w, rounding); break;
	case DIV: ternary = mpfr_div(z, x, y, rounding); break;
	case SQRT: ternary = mpfr_sqrt(z, x, rounding); break;
	}
	const uint64_t result = range(z, ternary, f, rounding);
	mpfr_clears(x, y, w, z, (mpfr_ptr)0);
	return result;
}

static uint64_t saturate(uint64_t a, struct format f)
{
	const double value = decode(a, f);
	return value > 0 ? value < 1 ? a : encode(1, f) : 0;
}

static uint64_t f32_op(enum operation operation, mpfr_rnd_t rounding, int ftz, int sat, uint64_t a, uint64_t b, uint64_t c)
{
	if (ftz)
		a = flush(a, F32), b = flush(b, F32), c = flush(c, F32);
	uint64_t r = exact(operation, F32, rounding, decode(a, F32), decode(b, F32), decode(c, F32));
	if (sat)
		r = saturate(r, F32);
	return ftz ? flush(r, F32) : r;
}

static uint64_t f64_op(enum operation operation, mpfr_rnd_t rounding, int operands, uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t list[3] = {a, b, c};
	for (int i = 0; i < operands; i++)
		if (is_nan(list[i], F64))
			return list[i] | 0x8000000000000ull;
	return exact(operation, F64, rounding, decode(a, F64), decode(b, F64), decode(c, F64));
}

/* One f16 or bf16. */
static uint64_t half_op(enum operation operation, struct format f, int ftz, int sat, int relu, uint64_t a, uint64_t b, uint64_t c)
{
	a &= 0xffff, b &= 0xffff, c &= 0xffff;
	if (ftz)
		a = flush(a, f), b = flush(b, f), c = flush(c, f);
	uint64_t r = exact(operation, f, MPFR_RNDN, decode(a, f), decode(b, f), decode(c, f));
	if (ftz)
		r = flush(r, f);
	if (sat)
		r = saturate(r, f);
	return relu && r & 0x8000 ? 0 : r;
}
#define TWO(...) (PART(0, __VA_ARGS__) | PART(16, __VA_ARGS__) << 16)
#define PART(shift, operation, f, ftz, sat, relu) half_op(operation, f, ftz, sat, relu, a >> (shift), b >> (shift), c >> (shift))

static const struct {
	const char *word;
	mpfr_rnd_t rounding;
} modes[] = {{"rn", MPFR_RNDN}, {"rz", MPFR_RNDZ}, {"rm", MPFR_RNDD}, {"rp", MPFR_RNDU}};

static void exact_arithmetic(void)
{
	static const struct {
		const char *word;
		enum operation operation;
		int operands, can_saturate;
	} list[] = {{"add", ADD, 2, 1}, {"sub", SUB, 2, 1}, {"mul", MUL, 2, 1}, {"fma", FMA, 3, 1}, {"mad", FMA, 3, 1}, {"div", DIV, 2, 0}, {"sqrt", SQRT, 1, 0}};
	char text[96];
	for (unsigned i = 0; i < sizeof list / sizeof *list; i++)
		for (unsigned m = 0; m < 4; m++) {
			const enum operation operation = list[i].operation;
			const mpfr_rnd_t rounding = modes[m].rounding;
			const char *const sources = list[i].operands == 3 ? ", %%r2, %%r3" : list[i].operands == 2 ? ", %%r2" : "";
			for (int ftz = 0; ftz < 2; ftz++)
				for (int sat = 0; sat <= list[i].can_saturate; sat++) {
					char form[64];
					snprintf(form, sizeof form, "%%s.%%s%%s%%s.f32 %%%%r0, %%%%r1%s;", sources);
					snprintf(text, sizeof text, form, list[i].word, modes[m].word, ftz ? ".ftz" : "", sat ? ".sat" : "");
					ONE_CASE_SAME(text, "ffff", 150, ONE_EQUAL, f32_op(operation, rounding, ftz, sat, a, b, c));
				}
			snprintf(text, sizeof text, "%s.%s.f64 %%d0, %%d1%s;", list[i].word, modes[m].word,
				 list[i].operands == 3 ? ", %d2, %d3" : list[i].operands == 2 ? ", %d2" : "");
			ONE_CASE_SAME(text, "FFFF", 150, ONE_EQUAL, f64_op(operation, rounding, list[i].operands, a, b, c));
		}
	for (unsigned m = 0; m < 4; m++) {
		const mpfr_rnd_t rounding = modes[m].rounding;
		snprintf(text, sizeof text, "rcp.%s.f32 %%r0, %%r1;", modes[m].word);
		ONE_CASE_SAME(text, "ff", 150, ONE_EQUAL, exact(DIV, F32, rounding, 1, decode(a, F32), 0));
		snprintf(text, sizeof text, "rcp.%s.ftz.f32 %%r0, %%r1;", modes[m].word);
		ONE_CASE_SAME(text, "ff", 150, ONE_EQUAL, flush(exact(DIV, F32, rounding, 1, decode(flush(a, F32), F32), 0), F32));
		snprintf(text, sizeof text, "rcp.%s.f64 %%d0, %%d1;", modes[m].word);
		ONE_CASE_SAME(text, "FF", 150, ONE_EQUAL, is_nan(a, F64) ? a | 0x8000000000000ull : exact(DIV, F64, rounding, 1, decode(a, F64), 0));
		snprintf(text, sizeof text, "fma.%s.f32x2 %%d0, %%d1, %%d2, %%d3;", modes[m].word);
		ONE_CASE_SAME(text, "dddd", 60, ONE_EQUAL, f32_op(FMA, rounding, 0, 0, a & ~0u, b & ~0u, c & ~0u) |
			f32_op(FMA, rounding, 0, 0, a >> 32, b >> 32, c >> 32) << 32);
		snprintf(text, sizeof text, "sub.%s.ftz.f32x2 %%d0, %%d1, %%d2;", modes[m].word);
		ONE_CASE_SAME(text, "ddd", 60, ONE_EQUAL, f32_op(SUB, rounding, 1, 0, a & ~0u, b & ~0u, 0) | f32_op(SUB, rounding, 1, 0, a >> 32, b >> 32, 0) << 32);
	}
	ONE_CASE("add.f32 %r0, %r1, %r2;", "fff", f32_op(ADD, MPFR_RNDN, 0, 0, a, b, 0));
	ONE_CASE("mul.ftz.f32 %r0, %r1, 0f3F000000;", "ff", f32_op(MUL, MPFR_RNDN, 1, 0, a, 0x3f000000, 0));
}

/* Of one f16 or bf16; NaN canonical. */
static uint64_t half_sign(uint64_t a, struct format f, int neg, int ftz)
{
	a &= 0xffff;
	const uint64_t number = neg ? a ^ 0x8000 : a & 0x7fff;
	return is_nan(a, f) ? canonical(f) : ftz ? flush(number, f) : number;
}
#define TWO_SIGNS(f, neg, ftz) (half_sign(a, f, neg, ftz) | half_sign(a >> 16, f, neg, ftz) << 16)

static void halves(void)
{
	/* each value of one operand with random others */
	ONE_CASE_SAME("add.f16 %h0, %h1, %h2;", "hne", 2048, ONE_EQUAL, half_op(ADD, F16, 0, 0, 0, a, b, 0));
	ONE_CASE_SAME("sub.rn.f16 %h0, %h1, %h2;", "hne", 2048, ONE_EQUAL, half_op(SUB, F16, 0, 0, 0, a, b, 0));
	ONE_CASE_SAME("mul.f16 %h0, %h1, %h2;", "hne", 2048, ONE_EQUAL, half_op(MUL, F16, 0, 0, 0, a, b, 0));
	ONE_CASE_SAME("fma.rn.f16 %h0, %h1, %h2, %h3;", "hnee", 4096, ONE_EQUAL, half_op(FMA, F16, 0, 0, 0, a, b, c));
	ONE_CASE_SAME("add.bf16 %h0, %h1, %h2;", "hnb", 2048, ONE_EQUAL, half_op(ADD, BF16, 0, 0, 0, a, b, 0));
	ONE_CASE_SAME("sub.bf16 %h0, %h1, %h2;", "hnb", 2048, ONE_EQUAL, half_op(SUB, BF16, 0, 0, 0, a, b, 0));
	ONE_CASE_SAME("mul.bf16 %h0, %h1, %h2;", "hnb", 2048, ONE_EQUAL, half_op(MUL, BF16, 0, 0, 0, a, b, 0));
	ONE_CASE_SAME("fma.rn.bf16 %h0, %h1, %h2, %h3;", "hnbb", 4096, ONE_EQUAL, half_op(FMA, BF16, 0, 0, 0, a, b, c));
	ONE_CASE("add.ftz.f16x2 %r0, %r1, %r2;", "rxx", TWO(ADD, F16, 1, 0, 0));
	ONE_CASE("sub.sat.f16x2 %r0, %r1, %r2;", "rxx", TWO(SUB, F16, 0, 1, 0));
	ONE_CASE("mul.ftz.sat.f16x2 %r0, %r1, %r2;", "rxx", TWO(MUL, F16, 1, 1, 0));
	ONE_CASE("fma.rn.f16x2 %r0, %r1, %r2, %r3;", "rxxx", TWO(FMA, F16, 0, 0, 0));
	ONE_CASE("fma.rn.ftz.relu.f16x2 %r0, %r1, %r2, %r3;", "rxxx", TWO(FMA, F16, 1, 0, 1));
	ONE_CASE("fma.rn.sat.f16 %h0, %h1, %h2, %h3;", "heee", half_op(FMA, F16, 0, 1, 0, a, b, c));
	ONE_CASE("add.rn.bf16x2 %r0, %r1, %r2;", "ryy", TWO(ADD, BF16, 0, 0, 0));
	ONE_CASE("mul.rn.bf16x2 %r0, %r1, %r2;", "ryy", TWO(MUL, BF16, 0, 0, 0));
	ONE_CASE("fma.rn.relu.bf16x2 %r0, %r1, %r2, %r3;", "ryyy", TWO(FMA, BF16, 0, 0, 1));
	ONE_CASE_SAME("neg.f16 %h0, %h1;", "hn", 2048, ONE_EQUAL, half_sign(a, F16, 1, 0));
	ONE_CASE_SAME("abs.ftz.f16 %h0, %h1;", "hn", 2048, ONE_EQUAL, half_sign(a, F16, 0, 1));
	ONE_CASE_SAME("neg.bf16 %h0, %h1;", "hn", 2048, ONE_EQUAL, half_sign(a, BF16, 1, 0));
	ONE_CASE_SAME("abs.bf16 %h0, %h1;", "hn", 2048, ONE_EQUAL, half_sign(a, BF16, 0, 0));
	ONE_CASE("neg.f16x2 %r0, %r1;", "rx", TWO_SIGNS(F16, 1, 0));
	ONE_CASE("neg.ftz.f16x2 %r0, %r1;", "rx", TWO_SIGNS(F16, 1, 1));
	ONE_CASE("abs.bf16x2 %r0, %r1;", "ry", TWO_SIGNS(BF16, 0, 0));
}

/* min and max by the manual's text. */
static uint64_t choose(uint64_t a, uint64_t b, struct format f, int max, int nan, int xorsign, int ftz)
{
	const uint64_t sign = sign_of(f), both = (a ^ b) & sign;
	if (ftz)
		a = flush(a, f), b = flush(b, f);
	if (xorsign)
		a &= ~sign, b &= ~sign;
	uint64_t d;
	if ((is_nan(a, f) && is_nan(b, f)) || (nan && (is_nan(a, f) || is_nan(b, f))))
		return f.exponent_bits == 11 ? b | 0x8000000000000ull : canonical(f);
	if (is_nan(a, f))
		d = b;
	else if (is_nan(b, f))
		d = a;
	else if (decode(a, f) == 0 && decode(b, f) == 0)
		d = max ? a & b : a | b; /* +0 is above -0 */
	else
		d = (decode(a, f) < decode(b, f)) == max ? b : a;
	return xorsign ? d | both : d;
}

static void least_and_most(void)
{
	ONE_CASE("min.f32 %r0, %r1, %r2;", "fff", choose(a, b, F32, 0, 0, 0, 0));
	ONE_CASE("max.ftz.f32 %r0, %r1, %r2;", "fff", choose(a, b, F32, 1, 0, 0, 1));
	ONE_CASE("max.NaN.f32 %r0, %r1, %r2;", "fff", choose(a, b, F32, 1, 1, 0, 0));
	ONE_CASE("min.ftz.NaN.f32 %r0, %r1, %r2;", "fff", choose(a, b, F32, 0, 1, 0, 1));
	ONE_CASE("min.xorsign.abs.f32 %r0, %r1, %r2;", "fff", choose(a, b, F32, 0, 0, 1, 0));
	ONE_CASE("max.ftz.NaN.xorsign.abs.f32 %r0, %r1, %r2;", "fff", choose(a, b, F32, 1, 1, 1, 1));
	ONE_CASE("max.f32 %r0, %r1, %r2, %r3;", "ffff", choose(choose(a, b, F32, 1, 0, 0, 0), c, F32, 1, 0, 0, 0));
	ONE_CASE("min.NaN.f32 %r0, %r1, %r2, %r3;", "ffff", choose(choose(a, b, F32, 0, 1, 0, 0), c, F32, 0, 1, 0, 0));
	ONE_CASE("min.f64 %d0, %d1, %d2;", "FFF", choose(a, b, F64, 0, 0, 0, 0));
	ONE_CASE("max.f64 %d0, %d1, %d2;", "FFF", choose(a, b, F64, 1, 0, 0, 0));
	ONE_CASE_SAME("min.f16 %h0, %h1, %h2;", "hne", 2048, ONE_EQUAL, choose(a, b, F16, 0, 0, 0, 0));
	ONE_CASE("max.NaN.f16 %h0, %h1, %h2;", "hee", choose(a, b, F16, 1, 1, 0, 0));
	ONE_CASE("min.ftz.NaN.xorsign.abs.f16 %h0, %h1, %h2;", "hee", choose(a, b, F16, 0, 1, 1, 1));
	ONE_CASE("min.NaN.bf16 %h0, %h1, %h2;", "hbb", choose(a, b, BF16, 0, 1, 0, 0));
	ONE_CASE("max.xorsign.abs.bf16 %h0, %h1, %h2;", "hbb", choose(a, b, BF16, 1, 0, 1, 0));
	ONE_CASE("max.f16x2 %r0, %r1, %r2;", "rxx", choose(a & 0xffff, b & 0xffff, F16, 1, 0, 0, 0) | choose(a >> 16, b >> 16, F16, 1, 0, 0, 0) << 16);
	ONE_CASE("min.bf16x2 %r0, %r1, %r2;", "ryy", choose(a & 0xffff, b & 0xffff, BF16, 0, 0, 0, 0) | choose(a >> 16, b >> 16, BF16, 0, 0, 0, 0) << 16);
	ONE_CASE("abs.f32 %r0, %r1;", "ff", is_nan(a, F32) ? 0x7fffffff : a & 0x7fffffff);
	ONE_CASE("abs.ftz.f32 %r0, %r1;", "ff", is_nan(a, F32) ? 0x7fffffff : flush(a & 0x7fffffff, F32));
	ONE_CASE("neg.ftz.f32 %r0, %r1;", "ff", is_nan(a, F32) ? 0x7fffffff : flush(a ^ 0x80000000, F32));
	ONE_CASE("neg.f64 %d0, %d1;", "FF", is_nan(a, F64) ? a | 0x8000000000000ull : a ^ sign_of(F64));
	ONE_CASE("abs.f64 %d0, %d1;", "FF", is_nan(a, F64) ? a | 0x8000000000000ull : a & ~sign_of(F64));
	ONE_CASE("copysign.f32 %r0, %r1, %r2;", "fff", (a & 0x80000000) | (b & 0x7fffffff));
	ONE_CASE("copysign.f64 %d0, %d1, %d2;", "FFF", (a & sign_of(F64)) | (b & ~sign_of(F64)));
}

/* ---- conversions ---- */

/* To and from f64 sign and payload stay, made quiet; bf16 keeps its bits in f32; canonical in all other pairs. */
static uint64_t nan_of(uint64_t a, struct format from, struct format to)
{
	const int longer = to.mantissa_bits - from.mantissa_bits;
	const uint64_t payload = a & ((1ull << from.mantissa_bits) - 1);
	if (from.exponent_bits == 11 || to.exponent_bits == 11)
		return (a & sign_of(from) ? sign_of(to) : 0) | infinity(to) | 1ull << (to.mantissa_bits - 1) | (longer < 0 ? payload >> -longer : payload << longer);
	return from.mantissa_bits == 7 && to.mantissa_bits == 23 ? a << 16 : canonical(to);
}

static uint64_t convert(double value, struct format to, mpfr_rnd_t rounding)
{
	mpfr_t x, z;
	mpfr_init2(x, 53);
	mpfr_init2(z, to.mantissa_bits + 1);
	mpfr_set_d(x, value, MPFR_RNDN);
	const int ternary = mpfr_set(z, x, rounding);
	const uint64_t result = range(z, ternary, to, rounding);
	mpfr_clears(x, z, (mpfr_ptr)0);
	return result;
}

static uint64_t convert_whole(uint64_t value, int is_signed, struct format to, mpfr_rnd_t rounding)
{
	mpfr_t x, z;
	mpfr_init2(x, 64);
	mpfr_init2(z, to.mantissa_bits + 1);
	if (is_signed)
		mpfr_set_sj(x, (int64_t)value, MPFR_RNDN);
	else
		mpfr_set_uj(x, value, MPFR_RNDN);
	const int ternary = mpfr_set(z, x, rounding);
	const uint64_t result = range(z, ternary, to, rounding);
	mpfr_clears(x, z, (mpfr_ptr)0);
	return result;
}

static uint64_t to_whole(double value, int bits, int is_signed, mpfr_rnd_t rounding, int from_f64)
{
	if (isnan(value))
		return !from_f64 && bits != 64 ? 0 : 1ull << (bits - 1);
	mpfr_t x;
	mpfr_init2(x, 64);
	mpfr_set_d(x, value, MPFR_RNDN);
	if (rounding == MPFR_RNDN)
		mpfr_roundeven(x, x);
	else
		mpfr_rint(x, x, rounding);
	const double low = is_signed ? -ldexp(1, bits - 1) : 0, high = ldexp(1, is_signed ? bits - 1 : bits);
	uint64_t result;
	if (mpfr_cmp_d(x, low) < 0)
		result = is_signed ? 1ull << (bits - 1) : 0;
	else if (mpfr_cmp_d(x, high) >= 0)
		result = is_signed ? (1ull << (bits - 1)) - 1 : ~0ull;
	else
		result = is_signed ? (uint64_t)mpfr_get_sj(x, MPFR_RNDN) : mpfr_get_uj(x, MPFR_RNDN);
	mpfr_clear(x);
	return bits == 64 ? result : result & ((1ull << bits) - 1);
}

static double whole_of(double value, mpfr_rnd_t rounding)
{
	mpfr_t x;
	mpfr_init2(x, 53);
	mpfr_set_d(x, value, MPFR_RNDN);
	if (rounding == MPFR_RNDN)
		mpfr_roundeven(x, x);
	else
		mpfr_rint(x, x, rounding);
	const double result = mpfr_get_d(x, MPFR_RNDN);
	mpfr_clear(x);
	return result;
}

static void conversions(void)
{
	static const struct {
		const char *name;
		char kind, letter;
		struct format format;
	} reals[] = {{"f16", 'e', 'h', {5, 10}}, {"bf16", 'b', 'h', {8, 7}}, {"f32", 'f', 'r', {8, 23}}, {"f64", 'F', 'd', {11, 52}}};
	static const char *const wholes[8] = {"u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"};
	static const char *const whole_modes[4] = {"rni", "rzi", "rmi", "rpi"};
	char text[96];
	for (int r = 0; r < 4; r++) {
		const struct format f = reals[r].format;
		for (int w = 0; w < 8; w++)
			for (int m = 0; m < 4; m++) {
				const int bits = 8 << w / 2, is_signed = w & 1;
				const char letter = w < 4 ? 'h' : w < 6 ? 'r' : 'd';
				const mpfr_rnd_t rounding = modes[m].rounding;
				char whole_kinds[3] = {letter, reals[r].kind, 0}, real_kinds[3] = {reals[r].kind, letter, 0};
				const int batches = reals[r].letter == 'h' && m < 2 ? 2048 : 60;
				if (batches == 2048)
					whole_kinds[1] = 'n';
				snprintf(text, sizeof text, "cvt.%s.%s.%s %%%c0, %%%c1;", whole_modes[m], wholes[w], reals[r].name, letter, reals[r].letter);
#define EXTENDED(v) (bits == 8 ? is_signed ? (uint16_t)(int8_t)(v) : (uint8_t)(v) : (v))
				ONE_CASE_SAME(text, whole_kinds, batches, ONE_EQUAL, EXTENDED(to_whole(decode(a, f), bits, is_signed, rounding, r == 3)));
				if (r == 2) {
					snprintf(text, sizeof text, "cvt.%s.ftz.%s.f32 %%%c0, %%r1;", whole_modes[m], wholes[w], letter);
					ONE_CASE_SAME(text, whole_kinds, 60, ONE_EQUAL, EXTENDED(to_whole(decode(flush(a, F32), F32), bits, is_signed, rounding, 0)));
				}
#define SOURCE (is_signed ? (uint64_t)((int64_t)(a << (64 - bits)) >> (64 - bits)) : a << (64 - bits) >> (64 - bits))
				snprintf(text, sizeof text, "cvt.%s.%s.%s %%%c0, %%%c1;", modes[m].word, reals[r].name, wholes[w], reals[r].letter, letter);
				ONE_CASE_SAME(text, real_kinds, 60, ONE_EQUAL, convert_whole(SOURCE, is_signed, f, rounding));
			}
		for (int t = 0; t < 4; t++)
			for (int m = 0; m < 4; m++) {
				const struct format to = reals[t].format;
				const mpfr_rnd_t rounding = modes[m].rounding;
				const char kinds[3] = {reals[t].kind, reals[r].letter == 'h' ? 'n' : reals[r].kind, 0};
				const int batches = reals[r].letter == 'h' ? 2048 : 150;
#define NAN_OF(fallback) (is_nan(a, f) ? nan_of(a, f, to) : (fallback))
				if (t != r) {
					snprintf(text, sizeof text, "cvt.%s.%s.%s %%%c0, %%%c1;", modes[m].word, reals[t].name, reals[r].name, reals[t].letter, reals[r].letter);
					ONE_CASE_SAME(text, kinds, batches, ONE_EQUAL, NAN_OF(convert(decode(a, f), to, rounding)));
					snprintf(text, sizeof text, "cvt.%s.sat.%s.%s %%%c0, %%%c1;", modes[m].word, reals[t].name, reals[r].name, reals[t].letter, reals[r].letter);
					ONE_CASE_SAME(text, kinds, batches, ONE_EQUAL, saturate(convert(decode(a, f), to, rounding), to));
				} else {
					snprintf(text, sizeof text, "cvt.%s.%s.%s %%%c0, %%%c1;", whole_modes[m], reals[t].name, reals[r].name, reals[t].letter, reals[r].letter);
					ONE_CASE_SAME(text, kinds, batches, ONE_EQUAL, NAN_OF(encode(whole_of(decode(a, f), rounding), to)));
				}
			}
	}
	ONE_CASE("cvt.ftz.f64.f32 %d0, %r1;", "Ff", is_nan(a, F32) ? 0x7fffffffe0000000ull : encode(decode(flush(a, F32), F32), F64));
	ONE_CASE("cvt.rn.ftz.f32.f64 %r0, %d1;", "fF", is_nan(a, F64) ? nan_of(a, F64, F32) : flush(convert(decode(a, F64), F32, MPFR_RNDN), F32));
	ONE_CASE("cvt.rz.ftz.f32.f64 %r0, %d1;", "fF", is_nan(a, F64) ? nan_of(a, F64, F32) : flush(convert(decode(a, F64), F32, MPFR_RNDZ), F32));
	ONE_CASE("cvt.sat.f64.f64 %d0, %d1;", "FF", saturate(a, F64));
	ONE_CASE("cvt.rzi.ftz.f32.f32 %r0, %r1;", "ff", is_nan(a, F32) ? 0x7fffffff : encode(whole_of(decode(a, F32), MPFR_RNDZ), F32));
	ONE_CASE("cvt.f32.f16 %r0, %h1;", "fe", encode(is_nan(a, F16) ? 0 : decode(a, F16), F32) | (is_nan(a, F16) ? 0x7fffffffu : 0));
	ONE_CASE("cvt.rn.f16x2.f32 %r0, %r1, %r2;", "rff", convert(decode(a, F32), F16, MPFR_RNDN) << 16 | convert(decode(b, F32), F16, MPFR_RNDN));
	ONE_CASE("cvt.rz.f16x2.f32 %r0, %r1, %r2;", "rff", convert(decode(a, F32), F16, MPFR_RNDZ) << 16 | convert(decode(b, F32), F16, MPFR_RNDZ));
	ONE_CASE("cvt.rn.bf16x2.f32 %r0, %r1, %r2;", "rff", convert(decode(a, F32), BF16, MPFR_RNDN) << 16 | convert(decode(b, F32), BF16, MPFR_RNDN));
#define RELU(x) (decode(x, F32) > 0 ? decode(x, F32) : isnan(decode(x, F32)) ? NAN : 0)
	ONE_CASE("cvt.rn.relu.bf16x2.f32 %r0, %r1, %r2;", "rff", convert(RELU(a), BF16, MPFR_RNDN) << 16 | convert(RELU(b), BF16, MPFR_RNDN));
	ONE_CASE("cvt.rz.relu.f16.f32 %h0, %r1;", "hf", convert(RELU(a), F16, MPFR_RNDZ));
	ONE_CASE("cvt.rna.tf32.f32 %r0, %r1;", "rf", is_nan(a, F32) || (a & 0x7fffffff) == 0x7f800000 ? a & ~0x1fffull : (a + 0x1000) & ~0x1fffull);
	ONE_CASE("cvt.rn.tf32.f32 %r0, %r1;", "rf", is_nan(a, F32) ? 0x7fffe000 : convert(decode(a, F32), ((struct format){8, 10}), MPFR_RNDN) << 13);
}

/* ---- 8-bit formats ---- */

/* e4m3: values by enumeration, nearest by trying all of them. */
static double e4m3_value(unsigned bits)
{
	const int exponent = bits >> 3 & 15, mantissa = bits & 7;
	if ((bits & 0x7f) == 0x7f)
		return NAN;
	const double size = exponent ? ldexp(8 + mantissa, exponent - 10) : ldexp(mantissa, -9);
	return bits & 0x80 ? -size : size;
}
static double e5m2_value(unsigned bits) { return decode(bits, E5M2); }

static uint64_t nearest_small(double value, double (*of)(unsigned))
{
	if (isnan(value))
		return 0x7f;
	const unsigned sign = signbit(value) ? 0x80 : 0;
	const unsigned largest = isnan(of(0x7d)) ? 0x7b : 0x7e; /* e5m2 has infinity and three NaN above it, e4m3 one NaN */
	if (fabs(value) >= of(largest))
		return sign | largest;
	unsigned best = 0;
	for (unsigned bits = 0; bits < 0x80; bits++) {
		const double candidate = of(bits);
		if (isnan(candidate) || isinf(candidate))
			continue;
		const double d = fabs(fabs(value) - candidate), e = fabs(fabs(value) - of(best));
		if (d < e || (d == e && !(bits & 1)))
			best = bits;
	}
	return sign | best;
}

static void small_formats(void)
{
#define HALVES(x, of) (convert(of((x) & 0xff), F16, MPFR_RNDN) | convert(of((unsigned)(x) >> 8), F16, MPFR_RNDN) << 16)
	ONE_CASE_SAME("cvt.rn.f16x2.e4m3x2 %r0, %h1;", "rn", 2048, ONE_EQUAL, HALVES(a, e4m3_value));
	ONE_CASE_SAME("cvt.rn.f16x2.e5m2x2 %r0, %h1;", "rn", 2048, ONE_EQUAL, HALVES(a, e5m2_value));
	ONE_CASE_SAME("cvt.rn.relu.f16x2.e5m2x2 %r0, %h1;", "rn", 256, ONE_EQUAL, HALVES(a & 0x80 ? a & 0x7f ? (a & 0x7f) > 0x7c ? a : a & 0xff00 : a & 0xff00 : a, e5m2_value) &
		((a >> 8 & 0x80) && (a >> 8 & 0x7f) <= 0x7c ? 0xffff : 0xffffffff));
	ONE_CASE_SAME("cvt.rn.satfinite.e4m3x2.f32 %h0, %r1, %r2;", "hff", 150, ONE_EQUAL,
		      nearest_small(decode(a, F32), e4m3_value) << 8 | nearest_small(decode(b, F32), e4m3_value));
	ONE_CASE_SAME("cvt.rn.satfinite.e5m2x2.f32 %h0, %r1, %r2;", "hff", 150, ONE_EQUAL,
		      nearest_small(decode(a, F32), e5m2_value) << 8 | nearest_small(decode(b, F32), e5m2_value));
	ONE_CASE_SAME("cvt.rn.satfinite.relu.e4m3x2.f32 %h0, %r1, %r2;", "hff", 100, ONE_EQUAL,
		      nearest_small(RELU(a), e4m3_value) << 8 | nearest_small(RELU(b), e4m3_value));
	ONE_CASE_SAME("cvt.rn.satfinite.e4m3x2.f16x2 %h0, %r1;", "hx", 300, ONE_EQUAL,
		      nearest_small(decode(a >> 16, F16), e4m3_value) << 8 | nearest_small(decode(a & 0xffff, F16), e4m3_value));
	ONE_CASE_SAME("cvt.rn.satfinite.e5m2x2.f16x2 %h0, %r1;", "hx", 300, ONE_EQUAL,
		      nearest_small(decode(a >> 16, F16), e5m2_value) << 8 | nearest_small(decode(a & 0xffff, F16), e5m2_value));
	/* number.h against the conversions of core/dtype */
	int different = 0;
	for (unsigned bits = 0; bits < 65536; bits++) {
		const double value = is_nan(bits, F16) ? 0 : f16_to_f64((uint16_t)bits), brain = is_nan(bits, BF16) ? 0 : bf16_to_f64((uint16_t)bits);
		different += !is_nan(bits, F16) && (number_f64(number_f64_bits((double)number_f32(number_f16_to_f32(bits)))) != value || number_f32_to_f16(number_f32_bits((float)value)) != bits);
		different += !is_nan(bits, BF16) && ((double)number_f32(number_bf16_to_f32(bits)) != brain || number_f32_to_bf16(number_f32_bits((float)brain)) != bits);
		const float any = number_f32(bits << 16 | (uint32_t)(one_random() & 0xffff));
		different += any == any && (number_f32_to_f16(number_f32_bits(any)) != f16_from_f32(any) || number_f32_to_bf16(number_f32_bits(any)) != bf16_from_f32(any));
	}
	CHECK_INT(different, 0);
}

/* ---- approximations ---- */

enum function { RCP, SQRT_, RSQRT, EX2, LG2, SIN, COS, TANH };

static double truth(enum function function, double a)
{
	mpfr_t x;
	mpfr_init2(x, 120);
	mpfr_set_d(x, a, MPFR_RNDN);
	switch (function) {
	case RCP: mpfr_ui_div(x, 1, x, MPFR_RNDN); break;
	case SQRT_: mpfr_sqrt(x, x, MPFR_RNDN); break;
	case RSQRT: mpfr_rec_sqrt(x, x, MPFR_RNDN); break;
	case EX2: mpfr_exp2(x, x, MPFR_RNDN); break;
	case LG2: mpfr_log2(x, x, MPFR_RNDN); break;
	case SIN: mpfr_sin(x, x, MPFR_RNDN); break;
	case COS: mpfr_cos(x, x, MPFR_RNDN); break;
	case TANH: mpfr_tanh(x, x, MPFR_RNDN); break;
	}
	const double result = mpfr_get_d(x, MPFR_RNDN);
	mpfr_clear(x);
	return result;
}

/* `want` packs no value: the lane's truth is computed here, from the source that the macro puts in `want`. */
static double relative_bound, absolute_bound;
static enum function bound_function;
static int bound_ftz;
static struct format bound_format;
static double worst_relative, worst_absolute;

static int close_enough(uint64_t got, uint64_t source)
{
	const struct format f = bound_format;
	/* rcp and rsqrt.approx.ftz.f64: from and to the upper word */
	const int upper_word = bound_ftz && f.exponent_bits == 11;
	const uint64_t from = bound_ftz ? flush(upper_word ? source & 0xffffffff00000000ull : source, f) : source;
	if (upper_word && (uint32_t)got)
		return 0;
	double want = truth(bound_function, decode(from, f));
	if (bound_function == RSQRT && decode(from, f) == 0)
		want = copysign(INFINITY, decode(from, f)); /* of the manual; MPFR has another opinion about -0 */
	/* what the format makes of it: overflow, and flushed results */
	const double rounded = decode(convert(want, f, MPFR_RNDN), f);
	const double value = decode(got, f);
	if (isnan(want))
		return upper_word ? got == 0x7fffffff00000000ull : got == (is_nan(source, f) && f.exponent_bits == 11 ? nan_of(source, f, f) : canonical(f));
	if (bound_ftz && fabs(rounded) < ldexp(1, 1 - bias(f)))
		return got == flush(encode(rounded, f), f);
	if (isinf(rounded) || rounded == 0)
		return got == encode(rounded, f) || (!isinf(want) && want != 0 && fabs(value - want) <= relative_bound * fabs(want));
	/* half a subnormal's ulp cannot be had better */
	const double error = fabs(value - want), slack = ldexp(0.5, 1 - bias(f) - f.mantissa_bits);
	if (fabs(want) >= ldexp(1, 1 - bias(f)) && error / fabs(want) > worst_relative)
		worst_relative = error / fabs(want);
	if (error > worst_absolute)
		worst_absolute = error;
	return error <= relative_bound * fabs(want) + absolute_bound + slack;
}

static void bounded(const char *text, const char *kinds, enum function function, struct format format, int ftz, double relative, double absolute)
{
	bound_function = function, bound_format = format, bound_ftz = ftz, relative_bound = relative, absolute_bound = absolute;
	worst_relative = worst_absolute = 0;
	ONE_CASE_SAME(text, kinds, kinds[1] == 'n' ? 2048 : 600, close_enough, a);
	printf("%-36s worst relative error 2^%.2f, absolute 2^%.2f\n", text, log2(worst_relative), log2(worst_absolute));
}

static int equal_or_close(uint64_t got, uint64_t want)
{
	if (got == want)
		return 1;
	if (is_nan(want, F32) || is_nan(got, F32))
		return 0;
	return llabs((int64_t)(got & 0x7fffffff) - (int64_t)(want & 0x7fffffff)) <= 2 && (got >> 31) == (want >> 31);
}

/* div.approx: 2 ulp, and zero or NaN for divisors above 2^126. */
static uint64_t divide(uint64_t a, uint64_t b, int ftz)
{
	if (ftz)
		a = flush(a, F32), b = flush(b, F32);
	const uint64_t size = b & 0x7fffffff;
	if (size > 0x7e800000 && size < 0x7f800000)
		return (a & 0x7fffffff) >= 0x7f800000 ? 0x7fffffff : (a ^ b) & 0x80000000;
	const uint64_t r = exact(DIV, F32, MPFR_RNDN, decode(a, F32), decode(b, F32), 0);
	return ftz ? flush(r, F32) : r;
}

static void approximations(void)
{
	/* bounds: manual 9.7.3.14 to 9.7.3.22; an ulp is at most 2^-23 of the value */
	bounded("rcp.approx.f32 %r0, %r1;", "ff", RCP, F32, 0, 0x1p-23, 0);
	bounded("rcp.approx.ftz.f32 %r0, %r1;", "ff", RCP, F32, 1, 0x1p-23, 0);
	bounded("sqrt.approx.f32 %r0, %r1;", "ff", SQRT_, F32, 0, 0x1p-23, 0);
	bounded("sqrt.approx.ftz.f32 %r0, %r1;", "ff", SQRT_, F32, 1, 0x1p-23, 0);
	bounded("rsqrt.approx.f32 %r0, %r1;", "ff", RSQRT, F32, 0, 0x1p-22 * 0.9, 0);
	bounded("rsqrt.approx.ftz.f32 %r0, %r1;", "ff", RSQRT, F32, 1, 0x1p-22 * 0.9, 0);
	bounded("ex2.approx.f32 %r0, %r1;", "ff", EX2, F32, 0, 0x1p-22, 0);
	bounded("ex2.approx.ftz.f32 %r0, %r1;", "ff", EX2, F32, 1, 0x1p-22, 0);
	bounded("lg2.approx.f32 %r0, %r1;", "ff", LG2, F32, 0, 0x1p-22, 0);
	bounded("lg2.approx.ftz.f32 %r0, %r1;", "ff", LG2, F32, 1, 0x1p-22, 0);
	bounded("sin.approx.f32 %r0, %r1;", "ff", SIN, F32, 0, 0, 0x1p-20);
	bounded("sin.approx.ftz.f32 %r0, %r1;", "ff", SIN, F32, 1, 0, 0x1p-20);
	bounded("cos.approx.f32 %r0, %r1;", "ff", COS, F32, 0, 0, 0x1p-20);
	bounded("cos.approx.ftz.f32 %r0, %r1;", "ff", COS, F32, 1, 0, 0x1p-20);
	bounded("tanh.approx.f32 %r0, %r1;", "ff", TANH, F32, 0, 0x1p-11, 0);
	bounded("ex2.approx.f16 %h0, %h1;", "hn", EX2, F16, 0, 0x1p-9, 0);
	bounded("tanh.approx.f16 %h0, %h1;", "hn", TANH, F16, 0, 0x1p-10, 0);
	bounded("ex2.approx.ftz.bf16 %h0, %h1;", "hn", EX2, BF16, 1, 0x1p-7, 0);
	bounded("tanh.approx.bf16 %h0, %h1;", "hn", TANH, BF16, 0, 0x1p-7, 0);
	bounded("rcp.approx.ftz.f64 %d0, %d1;", "FF", RCP, F64, 1, 0x1p-19, 0);
	bounded("rsqrt.approx.ftz.f64 %d0, %d1;", "FF", RSQRT, F64, 1, 0x1p-19, 0);
	bounded("rsqrt.approx.f64 %d0, %d1;", "FF", RSQRT, F64, 0, 0x1p-22, 0);
	ONE_CASE_SAME("div.approx.f32 %r0, %r1, %r2;", "fff", 400, equal_or_close, divide(a, b, 0));
	ONE_CASE_SAME("div.approx.ftz.f32 %r0, %r1, %r2;", "fff", 400, equal_or_close, divide(a, b, 1));
	ONE_CASE_SAME("div.full.f32 %r0, %r1, %r2;", "fff", 400, equal_or_close, f32_op(DIV, MPFR_RNDN, 0, 0, a, b, 0));
	ONE_CASE_SAME("div.full.ftz.f32 %r0, %r1, %r2;", "fff", 400, equal_or_close, f32_op(DIV, MPFR_RNDN, 1, 0, a, b, 0));
}

int main(void)
{
	exact_arithmetic();
	halves();
	least_and_most();
	conversions();
	small_formats();
	approximations();
	return check_result();
}

#else

int main(void)
{
	return check_skip("MPFR (libmpfr-dev) was not found when this was built: the oracle of floating-point instructions");
}

#endif
