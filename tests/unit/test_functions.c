/* Functions against known answers (computed to 100 digits with another program's arithmetic, from the definitions), their
 * special values, and enclosures against results that can be told by hand. */
#include "reference/enclosure.h"

#include "check.h"

#include <float.h>
#include <stdlib.h>

struct known {
	enum function function;
	double x, parameter;
	long double value;
};

static const struct known known[] = {
	{FUNCTION_EXP, -0x1.748cccccccccdp+9, 0, 2.553768547752073927239599606e-324L},
	{FUNCTION_EXP, -0x1.5e40000000000p+9, 0, 5.98019611863979120641210733e-305L},
	{FUNCTION_EXP, -0x1.b7cdfd9d7bdbbp-34, 0, 9.999999999000000000049999964e-1L},
	{FUNCTION_EXP, 0x1.0000000000000p-1, 0, 1.648721270700128146848650788L},
	{FUNCTION_EXP, 0x1.0000000000000p+0, 0, 2.718281828459045235360287471L},
	{FUNCTION_EXP, 0x1.5d33333333333p+6, 0, 8.201782914390999905568463044e+37L},
	{FUNCTION_EXP, 0x1.62d999999999ap+9, 0, 1.654984027680264403080250283e+308L},
	{FUNCTION_EXP, -0x1.9f9999999999ap+6, 0, 7.530144847827766322810156864e-46L},
	{FUNCTION_LOG, 0x0.0000000000001p-1022, 0, -7.444400719213812623141072984e+2L},
	{FUNCTION_LOG, 0x1.56e1fc2f8f359p-997, 0, -6.907755278982137051803383446e+2L},
	{FUNCTION_LOG, 0x1.0000000000000p-1, 0, -6.931471805599453094172321215e-1L},
	{FUNCTION_LOG, 0x1.fffffffffffffp-1, 0, -1.110223024625156602053389888e-16L},
	{FUNCTION_LOG, 0x1.0000000000001p+0, 0, 2.220446049250312834328230455e-16L},
	{FUNCTION_LOG, 0x1.6a09e667f3bcdp+0, 0, 3.465735902799727230667026373e-1L},
	{FUNCTION_LOG, 0x1.0f0cf064dd592p+73, 0, 5.0656872045869005048395812e+1L},
	{FUNCTION_LOG, 0x1.fffffffffffffp+1023, 0, 7.097827128933839967322233899e+2L},
	{FUNCTION_SIN, 0x1.79ca10c924223p-67, 0, 9.999999999999999451532714542e-21L},
	{FUNCTION_SIN, 0x1.0000000000000p-1, 0, 4.794255386042030002732879352e-1L},
	{FUNCTION_SIN, 0x1.921fb54442d18p+1, 0, 1.224646799147353177226065932e-16L},
	{FUNCTION_SIN, 0x1.921fb54442d18p+2, 0, -2.449293598294706354452131865e-16L},
	{FUNCTION_SIN, 0x1.e848000000000p+19, 0, -3.499935021712929521176524868e-1L},
	{FUNCTION_SIN, 0x1.0f0cf064dd592p+73, 0, -8.522008497671888017727058938e-1L},
	{FUNCTION_SIN, 0x1.6ac5b262ca1ffp+849, 0, 1.0L},
	{FUNCTION_SIN, 0x1.f9cbe20000000p+95, 0, 9.095165986846659030300395079e-1L},
	{FUNCTION_SIN, -0x1.6300000000000p+8, 0, 3.014435335948844921433028001e-5L},
	{FUNCTION_SIN, 0x1.fffffffffffffp+1023, 0, 4.961954789184061790502671197e-3L},
	{FUNCTION_COS, 0x1.0000000000000p-1, 0, 8.775825618903727161162815826e-1L},
	{FUNCTION_COS, 0x1.921fb54442d18p+0, 0, 6.123233995736765886130329661e-17L},
	{FUNCTION_COS, 0x1.2d97c7f3321d2p+2, 0, -1.836970198721029765839098898e-16L},
	{FUNCTION_COS, 0x1.e848000000000p+19, 0, 9.367521275331447869385325351e-1L},
	{FUNCTION_COS, 0x1.0f0cf064dd592p+73, 0, 5.232147853951389454975944734e-1L},
	{FUNCTION_COS, 0x1.6ac5b262ca1ffp+849, 0, -4.687165924254627611122582802e-19L},
	{FUNCTION_COS, 0x1.f9cbe20000000p+95, 0, -4.156676036415111214942787255e-1L},
	{FUNCTION_COS, 0x1.6300000000000p+7, 0, -1.507217668145620163840537053e-5L},
	{FUNCTION_TANH, 0x1.19799812dea11p-40, 0, 9.999999999999999798866472959e-13L},
	{FUNCTION_TANH, 0x1.3333333333333p-2, 0, 2.913126124515908956581600158e-1L},
	{FUNCTION_TANH, 0x1.193ea7aad030bp-1, 0, 5.000000000000000340173646313e-1L},
	{FUNCTION_TANH, 0x1.0000000000000p+0, 0, 7.615941559557648881194582826e-1L},
	{FUNCTION_TANH, 0x1.2051eb851eb85p+3, 0, 9.999999701431885652024400539e-1L},
	{FUNCTION_TANH, 0x1.3000000000000p+4, 0, 9.99999999999999937217344159e-1L},
	{FUNCTION_TANH, -0x1.4000000000000p+1, 0, -9.866142981514302888812760392e-1L},
	{FUNCTION_ERF, 0x1.19799812dea11p-40, 0, 1.128379167095512551200670731e-12L},
	{FUNCTION_ERF, 0x1.e147ae147ae14p-2, 0, 4.937450508860821124102186053e-1L},
	{FUNCTION_ERF, 0x1.b000000000000p-1, 0, 7.672256612323416334589781603e-1L},
	{FUNCTION_ERF, 0x1.4000000000000p+0, 0, 9.229001282564582301365234812e-1L},
	{FUNCTION_ERF, 0x1.f333333333333p+1, 0, 9.999999652077514027682328711e-1L},
	{FUNCTION_ERF, 0x1.799999999999ap+2, 0, 9.999999999999999280959021645e-1L},
	{FUNCTION_ERF, -0x1.0000000000000p+1, 0, -9.953222650189527341620692564e-1L},
	{FUNCTION_NORMCDF, -0x1.3333333333333p+5, 0, 6.601599854326768024218690368e-323L},
	{FUNCTION_NORMCDF, -0x1.2c00000000000p+5, 0, 4.605353009581954843827969098e-308L},
	{FUNCTION_NORMCDF, -0x1.e19999999999ap+4, 0, 2.422667217985758765716017079e-199L},
	{FUNCTION_NORMCDF, -0x1.c570a3d70a3d7p+3, 0, 7.025025703172472749760749105e-46L},
	{FUNCTION_NORMCDF, -0x1.6000000000000p+2, 0, 1.898956246588771938385127403e-8L},
	{FUNCTION_NORMCDF, -0x1.0000000000000p+0, 0, 1.586552539314570514147674544e-1L},
	{FUNCTION_NORMCDF, -0x1.12e0be826d695p-30, 0, 4.999999996010577195985672973e-1L},
	{FUNCTION_NORMCDF, 0x1.6666666666666p-1, 0, 7.580363477769269713837893177e-1L},
	{FUNCTION_NORMCDF, 0x1.6000000000000p+2, 0, 9.999999810104375341122806161e-1L},
	{FUNCTION_NORMCDF, 0x1.0666666666666p+3, 0, 9.999999999999998798064845726e-1L},
	{FUNCTION_SIGMOID, -0x1.7200000000000p+9, 0, 4.188739880048048939457540002e-322L},
	{FUNCTION_SIGMOID, -0x1.9200000000000p+6, 0, 2.256340135917036313202818282e-44L},
	{FUNCTION_SIGMOID, -0x1.1000000000000p+4, 0, 4.139937547394330600923599625e-8L},
	{FUNCTION_SIGMOID, -0x1.12e0be826d695p-30, 0, 4.999999997499999999999999845e-1L},
	{FUNCTION_SIGMOID, 0x1.3333333333333p-2, 0, 5.744425168116589844380388032e-1L},
	{FUNCTION_SIGMOID, 0x1.4000000000000p+4, 0, 9.999999979388463818097964186e-1L},
	{FUNCTION_SIGMOID, 0x1.4000000000000p+5, 0, 9.999999999999999957516457447e-1L},
	{FUNCTION_SILU, -0x1.7200000000000p+9, 0, -3.099667511235556215198579601e-319L},
	{FUNCTION_SILU, -0x1.9200000000000p+6, 0, -2.267621836596621494768832374e-42L},
	{FUNCTION_SILU, -0x1.1000000000000p+4, 0, -7.037893830570362021570119363e-7L},
	{FUNCTION_SILU, -0x1.12e0be826d695p-30, 0, -4.999999997500000311407956978e-10L},
	{FUNCTION_SILU, 0x1.3333333333333p-2, 0, 1.723327550434976889538185561e-1L},
	{FUNCTION_SILU, 0x1.4000000000000p+4, 0, 1.999999995877692763619592837e+1L},
	{FUNCTION_SILU, 0x1.2a05f20000000p+33, 0, 1.0e+10L},
	{FUNCTION_GELU, -0x1.14ccccccccccdp+4, 0, -6.255689978704883448727485892e-172L},
	{FUNCTION_GELU, -0x1.4333333333333p+3, 0, -1.193108718045945753618586114e-38L},
	{FUNCTION_GELU, -0x1.6000000000000p+2, 0, -5.927640263880262025952389815e-9L},
	{FUNCTION_GELU, -0x1.0000000000000p+0, 0, -1.58808009391723295218004223e-1L},
	{FUNCTION_GELU, -0x1.12e0be826d695p-30, 0, -4.999999996010577507393630013e-10L},
	{FUNCTION_GELU, 0x1.3333333333333p-2, 0, 1.853709235427592399990354988e-1L},
	{FUNCTION_GELU, 0x1.8000000000000p+1, 0, 2.996362607918226981162183534L},
	{FUNCTION_GELU, 0x1.4000000000000p+5, 0, 4.0e+1L},
	{FUNCTION_GELU_ERF, -0x1.319999999999ap+5, 0, -5.378647350757148350994763689e-318L},
	{FUNCTION_GELU_ERF, -0x1.e19999999999ap+4, 0, -7.292228326137134229086929989e-198L},
	{FUNCTION_GELU_ERF, -0x1.c570a3d70a3d7p+3, 0, -9.954461421395393836495171663e-45L},
	{FUNCTION_GELU_ERF, -0x1.6000000000000p+2, 0, -1.044425935623824566111820072e-7L},
	{FUNCTION_GELU_ERF, -0x1.0000000000000p+0, 0, -1.586552539314570514147674544e-1L},
	{FUNCTION_GELU_ERF, -0x1.12e0be826d695p-30, 0, -4.999999996010577507393630013e-10L},
	{FUNCTION_GELU_ERF, 0x1.3333333333333p-2, 0, 1.853734266566857830614872059e-1L},
	{FUNCTION_GELU_ERF, 0x1.8000000000000p+1, 0, 2.995950305905109716420044556L},
	{FUNCTION_ELU, -0x1.9000000000000p+5, 0x1.0000000000000p+0, -9.99999999999999999999807125e-1L},
	{FUNCTION_ELU, -0x1.0000000000000p+0, 0x1.999999999999ap-4, -6.321205588285577134942161674e-2L},
	{FUNCTION_ELU, -0x1.19799812dea11p-40, 0x1.0000000000000p+1, -1.999999999998999959773295592e-12L},
	{FUNCTION_ELU, -0x1.3333333333333p-2, -0x1.8000000000000p+0, 3.887726689774231885625876461e-1L},
	{FUNCTION_POW, 0x1.0000000000000p+1, 0x1.0000000000000p-1, 1.414213562373095048801688724L},
	{FUNCTION_POW, 0x1.000001ad7f29bp+0, 0x1.7d78400000000p+26, 2.202645491018253384005389673e+4L},
	{FUNCTION_POW, 0x1.4000000000000p+3, -0x1.2c80000000000p+8, 3.162277660168379331998893544e-301L},
	{FUNCTION_POW, 0x1.3333333333333p-2, 0x1.d000000000000p+2, 1.618561093424627408723319758e-4L},
	{FUNCTION_POW, -0x1.8000000000000p+1, 0x1.4000000000000p+2, -2.43e+2L},
	{FUNCTION_POW, -0x1.0000000000000p+1, -0x1.0000000000000p+2, 6.25e-2L},
	{FUNCTION_POW, 0x1.7e43c8800759cp+996, 0x1.0624dd2f1a9fcp-10, 1.99526231496887963014839849L},
	{FUNCTION_POW, 0x1.edd2f1a9fbe77p+6, -0x1.0000000000000p+0, 8.10005184033177792198458936e-3L},
	{FUNCTION_RECIP, 0x1.8000000000000p+1, 0, 3.333333333333333333333333333e-1L},
	{FUNCTION_RECIP, -0x1.2c05bca99d4eep-994, 0, -1.428571428571428501797027752e+299L},
	{FUNCTION_RECIP, 0x1.1ccf385ebc8a0p+1023, 0, 9.999999999999999890209363706e-309L},
	{FUNCTION_SQRT, 0x1.0000000000000p+1, 0, 1.414213562373095048801688724L},
	{FUNCTION_SQRT, 0x0.0000000000001p-1022, 0, 2.222758749485077483442713414e-162L},
	{FUNCTION_SQRT, 0x1.1ccf385ebc8a0p+1023, 0, 1.000000000000000005489531815e+154L},
};

/* 2^-9 units of float64 at the value: twice what functions.h promises where long double has 64 bits. */
static void check_known(void)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		const struct known *k = &known[i];
		const long double got = function_value(k->function, (long double)k->x, (long double)k->parameter);
		const long double error = fabsl(got - k->value);
		const long double unit = (long double)unit_in_last_place(DTYPE_F64, fabsl(k->value) < DBL_MIN ? DBL_MIN : k->value);
		check_count++;
		if (!(error <= unit * 0x1p-8L)) {
			check_failures++;
			fprintf(stderr, "%s(%a, %g) is %.21Lg, expected %.21Lg: %.3Lg units of float64\n", function_names[k->function], k->x,
				k->parameter, got, k->value, error / unit);
		}
	}
}

static int same(long double a, long double b)
{
	return (isnan(a) && isnan(b)) || (a == b && !signbit(a) == !signbit(b));
}

static void check_special(void)
{
	const long double inf = INFINITY, nan = NAN;
	const struct {
		enum function function;
		long double x, parameter, value;
	} special[] = {
		{FUNCTION_EXP, -inf, 0, 0},          {FUNCTION_EXP, inf, 0, inf},         {FUNCTION_EXP, nan, 0, nan},
		{FUNCTION_LOG, 0, 0, -inf},          {FUNCTION_LOG, -0.0L, 0, -inf},      {FUNCTION_LOG, -1, 0, nan},
		{FUNCTION_LOG, 1, 0, 0},             {FUNCTION_SIN, -0.0L, 0, -0.0L},     {FUNCTION_SIN, inf, 0, nan},
		{FUNCTION_COS, -inf, 0, nan},        {FUNCTION_TANH, -inf, 0, -1},        {FUNCTION_TANH, -0.0L, 0, -0.0L},
		{FUNCTION_ERF, inf, 0, 1},           {FUNCTION_NORMCDF, -inf, 0, 0},      {FUNCTION_NORMCDF, inf, 0, 1},
		{FUNCTION_NORMCDF, 0, 0, 0.5L},      {FUNCTION_NORMCDF, nan, 0, nan},     {FUNCTION_SIGMOID, -inf, 0, 0},
		{FUNCTION_SIGMOID, inf, 0, 1},       {FUNCTION_SIGMOID, nan, 0, nan},     {FUNCTION_SILU, -inf, 0, -0.0L},
		{FUNCTION_SILU, inf, 0, inf},        {FUNCTION_SILU, nan, 0, nan},        {FUNCTION_GELU, -inf, 0, -0.0L},
		{FUNCTION_GELU, inf, 0, inf},        {FUNCTION_GELU, nan, 0, nan},        {FUNCTION_GELU_ERF, -inf, 0, -0.0L},
		{FUNCTION_GELU_ERF, inf, 0, inf},    {FUNCTION_ELU, -inf, 2, -2},         {FUNCTION_ELU, inf, 2, inf},
		{FUNCTION_ELU, nan, 2, nan},         {FUNCTION_SIGN, nan, 0, 0},          {FUNCTION_SIGN, -inf, 0, -1},
		{FUNCTION_RELU, nan, 0, nan},        {FUNCTION_RELU, -1, 0, 0},           {FUNCTION_NEG, 0, 0, -0.0L},
		{FUNCTION_ABS, -0.0L, 0, 0},         {FUNCTION_RECIP, -0.0L, 0, -inf},    {FUNCTION_SQRT, -0.0L, 0, -0.0L},
		{FUNCTION_SQRT, -1, 0, nan},         {FUNCTION_ROUND, 2.5L, 0, 3},        {FUNCTION_ROUND, -0.5L, 0, -1},
		{FUNCTION_ROUND, 0x1.fffffffffffffp-2L, 0, 0},                            {FUNCTION_CEIL, -0.5L, 0, -0.0L},
		{FUNCTION_FLOOR, -0.5L, 0, -1},      {FUNCTION_POW, nan, 0, 1},           {FUNCTION_POW, 0, -1, inf},
		{FUNCTION_POW, -0.0L, -3, -inf},     {FUNCTION_POW, -0.0L, 3, -0.0L},     {FUNCTION_POW, -0.0L, 2, 0},
		{FUNCTION_POW, -8, 1.0L / 3, nan},   {FUNCTION_POW, -inf, 3, -inf},       {FUNCTION_POW, -2, 3, -8},
		{FUNCTION_GELU, 1e308L, 0, 1e308L},  {FUNCTION_GELU, -0.0L, 0, -0.0L},    {FUNCTION_SILU, -1e308L, 0, -0.0L},
	};
	for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
		const long double got = function_value(special[i].function, special[i].x, special[i].parameter);
		check_count++;
		if (!same(got, special[i].value)) {
			check_failures++;
			fprintf(stderr, "%s(%Lg, %Lg) is %Lg, expected %Lg\n", function_names[special[i].function], special[i].x,
				special[i].parameter, got, special[i].value);
		}
	}
}

static void check_names(void)
{
	for (int i = 0; i < FUNCTION_COUNT; i++)
		CHECK_INT(function_from_name(function_names[i]), i);
	CHECK_INT(function_from_name("gelu_"), FUNCTION_COUNT);
	CHECK(function_has_parameter(FUNCTION_POW) && !function_has_parameter(FUNCTION_GELU));
}

static const struct arithmetic f16 = {DTYPE_F16, MATH_PRECISE}, f32 = {DTYPE_F32, MATH_PRECISE}, f64 = {DTYPE_F64, MATH_PRECISE};
static const struct arithmetic fast = {DTYPE_F32, MATH_FAST};

#define CHECK_ENCLOSURE(actual, lowest, highest)                                                                      \
	do {                                                                                                          \
		const struct enclosure check_e = (actual);                                                            \
		check_count++;                                                                                        \
		if (!(check_e.low == (lowest) && check_e.high == (highest))) {                                        \
			check_failures++;                                                                             \
			fprintf(stderr, "%s:%d: %s is [%.21Lg, %.21Lg]\n", __FILE__, __LINE__, #actual, check_e.low,  \
				check_e.high);                                                                        \
		}                                                                                                     \
	} while (0)

static void check_operations(void)
{
	const struct enclosure one = enclosure_point(1), third = enclosure_point(0x1.5555p-2L);
	/* rounded once: 1 + 2^-11 is a tie of f16 and goes to even, 1 + 3 * 2^-11 up */
	CHECK_ENCLOSURE(enclosure_add(f16, one, enclosure_point(0x1p-11L)), 1, 1);
	CHECK_ENCLOSURE(enclosure_add(f16, one, enclosure_point(0x1.8p-10L)), 0x1.008p0L, 0x1.008p0L);
	/* what long double cannot hold still decides the tie */
	CHECK_ENCLOSURE(enclosure_add(f32, one, (struct enclosure){0x1p-24L, 0x1p-24L}), 1, 1);
	CHECK(enclosure_add(f32, enclosure_point(0x1.000001p0L), enclosure_point(0x1p-120L)).high >= 0x1.000002p0L);
	CHECK_ENCLOSURE(enclosure_multiply(f16, enclosure_point(300), enclosure_point(300)), INFINITY, INFINITY);
	CHECK_ENCLOSURE(enclosure_multiply(f16, (struct enclosure){200, 300}, enclosure_point(300)), 60000, INFINITY);
	CHECK_ENCLOSURE(enclosure_multiply(f32, (struct enclosure){-2, 3}, (struct enclosure){-5, 7}), -15, 21);
	/* a third squared, minus what rounds to it: 0 after two roundings, the rounding error after one */
	const long double square = 0x1.5555p-2L * 0x1.5555p-2L, rounded = round_to_dtype(DTYPE_F32, square);
	const struct enclosure both = enclosure_multiply_add(f32, third, third, enclosure_point(-rounded));
	CHECK(both.low == fminl(0, square - rounded) && both.high == fmaxl(0, square - rounded) && both.low < both.high);
	/* the same in double, where the product is more than long double has */
	const long double x = 0x1.5555555555555p-2L, y = (long double)(0x1.5555555555555p-2 * 0x1.5555555555555p-2);
	const struct enclosure exact = enclosure_multiply_add(f64, enclosure_point(x), enclosure_point(x), enclosure_point(-y));
	CHECK(exact.low <= fmal(x, x, -y) && exact.high >= 0 && exact.high - exact.low < 0x1p-54L && exact.low < exact.high);
	CHECK_ENCLOSURE(enclosure_divide(f32, one, enclosure_point(3)), 0x1.555556p-2L, 0x1.555556p-2L);
	CHECK_ENCLOSURE(enclosure_divide(f32, enclosure_point(-2), (struct enclosure){4, INFINITY}), -0.5L, 0);
	/* fast math: subnormal numbers may be 0, division by more than 2^126 is */
	CHECK_ENCLOSURE(enclosure_multiply(fast, enclosure_point(0x1p-100L), enclosure_point(0x1p-40L)), 0, 0x1p-140L);
	CHECK_ENCLOSURE(enclosure_multiply(f32, enclosure_point(0x1p-100L), enclosure_point(0x1p-40L)), 0x1p-140L, 0x1p-140L);
	CHECK(enclosure_divide(fast, enclosure_point(1), enclosure_point(0x1p127L)).low == 0);
}

static void check_published(void)
{
	const struct enclosure one = enclosure_point(1);
	/* exp of f32: 2 units and a half on each side; 0 and infinities exactly */
	const struct enclosure e = enclosure_function(f32, FUNCTION_EXP, one, 0);
	CHECK_NEAR((double)(e.high - e.low), 5 * 0x1p-22, 1e-12);
	CHECK(e.low < 2.71828182845904523536L && e.high > 2.71828182845904523536L);
	CHECK_ENCLOSURE(enclosure_function(f32, FUNCTION_EXP, enclosure_point(0), 0), 1, 1);
	CHECK_ENCLOSURE(enclosure_function(f32, FUNCTION_EXP, enclosure_point(-INFINITY), 0), 0, 0);
	CHECK_ENCLOSURE(enclosure_function(f32, FUNCTION_EXP, enclosure_point(89), 0), INFINITY, INFINITY);
	/* 2 + floor(1.173 * 50) units with fast math */
	const struct enclosure far = enclosure_function(fast, FUNCTION_EXP, enclosure_point(50), 0);
	CHECK_NEAR((double)(far.high - far.low) / unit_in_last_place(DTYPE_F32, expl(50)), 2 * 60.5, 1e-9);
	CHECK_ENCLOSURE(enclosure_function(f32, FUNCTION_SQRT, enclosure_point(2), 0), 0x1.6a09e6p0L, 0x1.6a09e6p0L);
	CHECK_ENCLOSURE(enclosure_function(fast, FUNCTION_SIN, enclosure_point(1000), 0), -INFINITY, INFINITY);
	CHECK_ENCLOSURE(enclosure_function(fast, FUNCTION_POW, enclosure_point(-2), 2), -INFINITY, INFINITY);
	CHECK_ENCLOSURE(enclosure_function(fast, FUNCTION_LOG, enclosure_point(0x1p-130L), 0), -INFINITY, INFINITY);
	const struct enclosure power = enclosure_function(fast, FUNCTION_POW, enclosure_point(3), 2);
	CHECK(power.low < 9 && power.high > 9 && power.high - power.low < 1e-4L);
	/* nothing known stays so, also in a type that saturates */
	const struct arithmetic f8 = {DTYPE_F8_E4M3, MATH_FAST};
	CHECK_ENCLOSURE(enclosure_round(f8, enclosure_function(fast, FUNCTION_POW, enclosure_point(-2), 2)), -INFINITY, INFINITY);
	/* half functions: rounded once from float */
	CHECK_ENCLOSURE(enclosure_half_function(f16, FUNCTION_EXP, one), 0x1.5cp1L, 0x1.5cp1L);
	CHECK_ENCLOSURE(enclosure_half_function(f16, FUNCTION_EXP, enclosure_point(12)), INFINITY, INFINITY);
}

static void check_expectations(void)
{
	struct expectation expected = {0};
	enclosure_expect(DTYPE_F16, 0.3L, (struct enclosure){0.25L, 0.5L}, (struct enclosure){0, 0.5L}, &expected);
	CHECK(expected.value == 0.3L && expected.bound >= 0.2 && expected.bound < 0.2000001);
	CHECK(expected.fast_bound >= 0.3 && expected.fast_bound < 0.3000001 && expected.flags == 0);
	expected = (struct expectation){0};
	enclosure_expect(DTYPE_F16, 2, enclosure_point(2), enclosure_point(2), &expected);
	CHECK(expected.value == 2 && expected.bound == 0 && expected.flags == 0);
	/* an infinity for sure; a large number or an infinity; nothing known */
	expected = (struct expectation){0};
	enclosure_expect(DTYPE_F16, 1e6L, enclosure_point(INFINITY), enclosure_point(INFINITY), &expected);
	CHECK(isinf(expected.value) && expected.bound == 0 && expected.flags == 0);
	expected = (struct expectation){0};
	enclosure_expect(DTYPE_F16, 65510, (struct enclosure){65504, INFINITY}, enclosure_point(INFINITY), &expected);
	CHECK(expected.value == 65510 && expected.bound >= 10 && expected.bound < 10.001);
	expected = (struct expectation){0};
	enclosure_expect(DTYPE_F32, 4, enclosure_point(4), (struct enclosure){-INFINITY, INFINITY}, &expected);
	CHECK(expected.bound == 0 && expected.flags == EXPECT_FAST_ANY);
	/* f8_e4m3 saturates */
	expected = (struct expectation){0};
	enclosure_expect(DTYPE_F8_E4M3, 1e6L, enclosure_point(448), enclosure_point(448), &expected);
	CHECK(expected.value == 448 && expected.bound == 0);
}

int main(void)
{
	check_known();
	check_special();
	check_names();
	check_operations();
	check_published();
	check_expectations();
	return check_result();
}
