/* The elementary and activation functions of Candle's elementwise kernels, and what a GPU's own version of each may give.
 *
 * Values are long double. Where that has 64 bits of mantissa the C library's exp, log, sin, cos, tanh, erf, erfc and pow are
 * within 5 units of its last place (glibc manual, "Known maximum errors in math functions", x86_64), and what is built on
 * them here within 8: 2^-8 units of float64. Sine and cosine reduce arguments of any size. Special values are those of C
 * (Annex F) and of IEEE 754. */
#ifndef ASSAY_REFERENCE_FUNCTIONS_H
#define ASSAY_REFERENCE_FUNCTIONS_H

enum function {
	FUNCTION_COPY,
	FUNCTION_NEG,
	FUNCTION_ABS,
	FUNCTION_SIGN,     /* (x > 0) - (x < 0): 0 for NaN */
	FUNCTION_RELU,     /* max(x, 0); NaN for NaN */
	FUNCTION_CEIL,
	FUNCTION_FLOOR,
	FUNCTION_ROUND,    /* half away from zero */
	FUNCTION_SQR,
	FUNCTION_SQRT,
	FUNCTION_RECIP,
	FUNCTION_EXP,
	FUNCTION_LOG,
	FUNCTION_SIN,
	FUNCTION_COS,
	FUNCTION_TANH,
	FUNCTION_ERF,
	FUNCTION_NORMCDF,  /* erfc(-x / sqrt 2) / 2 */
	FUNCTION_SIGMOID,  /* 1 / (1 + exp(-x)) */
	FUNCTION_SILU,     /* x / (1 + exp(-x)); -0 at -inf, the limit */
	FUNCTION_GELU,     /* x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2; -0 at -inf, the limit */
	FUNCTION_GELU_ERF, /* x normcdf(x); -0 at -inf, the limit */
	FUNCTION_ELU,      /* x > 0 ? x : parameter * (exp(x) - 1) */
	FUNCTION_POW,      /* x to the power of the parameter */
	FUNCTION_COUNT
};

extern const char *const function_names[FUNCTION_COUNT]; /* "copy", "neg", ... as in the names of Candle's kernels */
enum function function_from_name(const char *name);      /* FUNCTION_COUNT when unknown */
int function_has_parameter(enum function function);

/* x (and the parameter) exact; results as said above. */
long double function_value(enum function function, long double x, long double parameter);

#endif
