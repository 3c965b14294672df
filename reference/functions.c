#include "reference/functions.h"

#include <math.h>
#include <string.h>

const char *const function_names[FUNCTION_COUNT] = {
	"copy", "neg", "abs", "sign", "relu", "ceil",    "floor",   "round", "sqr",  "sqrt",     "recip", "exp",
	"log",  "sin", "cos", "tanh", "erf",  "normcdf", "sigmoid", "silu",  "gelu", "gelu_erf", "elu",   "powf"};

enum function function_from_name(const char *name)
{
	for (int i = 0; i < FUNCTION_COUNT; i++)
		if (strcmp(function_names[i], name) == 0)
			return (enum function)i;
	return FUNCTION_COUNT;
}

int function_has_parameter(enum function function)
{
	return function == FUNCTION_ELU || function == FUNCTION_POW;
}

/* Numbers of twice the precision: high + low, |low| at most a few units of high's last place. */
struct pair {
	long double high, low;
};

static struct pair product(long double a, long double b)
{
	const long double high = a * b;
	return (struct pair){high, isfinite(high) ? fmal(a, b, -high) : 0};
}

static struct pair scaled(struct pair a, struct pair b)
{
	const struct pair p = product(a.high, b.high);
	return (struct pair){p.high, p.low + a.high * b.low + a.low * b.high};
}

/* Knuth's sum: exact in any order of magnitudes. */
static struct pair sum(long double a, long double b)
{
	const long double high = a + b, of_b = high - a;
	return (struct pair){high, (a - (high - of_b)) + (b - of_b)};
}

/* 1 / sqrt 2: c, and what c^2 lacks to 1/2 by a step of Newton's. */
static struct pair sqrt_half(void)
{
	const long double c = sqrtl(0.5L);
	return (struct pair){c, fmal(-c, c, 0.5L) / (2 * c)};
}

/* sqrt(2/pi). The sine of pi's nearest number is what that lacks to pi. */
static struct pair sqrt_two_over_pi(void)
{
	const long double pi = 3.14159265358979323846264338327950288419717L, pi_low = sinl(pi);
	const long double quotient = 2 / pi;
	const long double quotient_low = (fmal(-quotient, pi, 2) - quotient * pi_low) / pi;
	const long double c = sqrtl(quotient);
	const struct pair square = product(c, c);
	return (struct pair){c, ((quotient - square.high) + (quotient_low - square.low)) / (2 * c)};
}

/* The relative error of erfc(t) is 2 t^2 times that of t: without the low part of t it would be half a unit of float64 at
 * the end of its range. Its derivative is -2/sqrt(pi) exp(-t^2). */
static long double normcdf(long double x)
{
	if (!isfinite(x))
		return isnan(x) ? x : x > 0 ? 1 : 0;
	const struct pair t = scaled((struct pair){-x, 0}, sqrt_half());
	const long double slope = 1.12837916709551257389615890312154517L * expl(-t.high * t.high);
	return (erfcl(t.high) - slope * t.low) / 2;
}

static long double sigmoid(long double x)
{
	if (x > 0)
		return 1 / (1 + expl(-x));
	const long double e = expl(x);
	return e / (1 + e);
}

/* (1 + tanh u) / 2 = 1 / (1 + exp(-2u)), which does not cancel; u to twice the precision, for the error of an exponential is
 * the absolute one of its argument. */
static long double gelu(long double x)
{
	const long double k = 0.044715L;
	const struct pair coefficient = {k, fmal(-k, 1e6L, 44715) / 1e6L};
	const struct pair cube = scaled(product(x, x), (struct pair){x, 0});
	const struct pair term = scaled(coefficient, cube);
	struct pair inner = sum(x, term.high);
	inner.low += term.low;
	const struct pair u = scaled(sqrt_two_over_pi(), inner);
	if (x > 0)
		return x / (1 + expl(-2 * u.high) * (1 - 2 * u.low));
	const long double e = expl(2 * u.high) * (1 + 2 * u.low);
	return x * (e / (1 + e));
}

long double function_value(enum function function, long double x, long double parameter)
{
	const int vanishes = x < 0 && isinf(x); /* the limit of x times what falls exponentially */
	switch (function) {
	case FUNCTION_COPY: return x;
	case FUNCTION_NEG: return -x;
	case FUNCTION_ABS: return fabsl(x);
	case FUNCTION_SIGN: return (x > 0) - (x < 0);
	case FUNCTION_RELU: return isnan(x) || x > 0 ? x : 0;
	case FUNCTION_CEIL: return ceill(x);
	case FUNCTION_FLOOR: return floorl(x);
	case FUNCTION_ROUND: return roundl(x);
	case FUNCTION_SQR: return x * x;
	case FUNCTION_SQRT: return sqrtl(x);
	case FUNCTION_RECIP: return 1 / x;
	case FUNCTION_EXP: return expl(x);
	case FUNCTION_LOG: return logl(x);
	case FUNCTION_SIN: return sinl(x);
	case FUNCTION_COS: return cosl(x);
	case FUNCTION_TANH: return tanhl(x);
	case FUNCTION_ERF: return erfl(x);
	case FUNCTION_NORMCDF: return normcdf(x);
	case FUNCTION_SIGMOID: return sigmoid(x);
	case FUNCTION_SILU: return vanishes ? -0.0L : x < 0 ? x * sigmoid(x) : x / (1 + expl(-x));
	case FUNCTION_GELU: return vanishes ? -0.0L : isinf(x) ? x : gelu(x);
	case FUNCTION_GELU_ERF: return vanishes ? -0.0L : x * normcdf(x);
	case FUNCTION_ELU: return x > 0 ? x : parameter * expm1l(x);
	case FUNCTION_POW: return powl(x, parameter);
	case FUNCTION_COUNT: break;
	}
	return NAN;
}
