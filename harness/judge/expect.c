#include "judge/expect.h"

#include "core/parallel.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static int mantissa_bits(enum dtype type)
{
	return type == DTYPE_F64 ? 52 : type == DTYPE_F32 ? 23 : type == DTYPE_F16 ? 10 : type == DTYPE_BF16 ? 7 : 3;
}

/* 2^exponent. ldexp takes a tenth of the time that judging takes. */
static double power_of_two(int exponent)
{
	if (exponent < -1022 || exponent > 1023)
		return ldexp(1.0, exponent);
	const uint64_t bits = (uint64_t)(exponent + 1023) << 52;
	double power;
	memcpy(&power, &bits, sizeof power);
	return power;
}

double unit_in_last_place(enum dtype type, long double value)
{
	if (!dtype_is_float(type))
		return 0.0;
	const long double size = fabsl(value), most = (long double)dtype_max_finite(type);
	const double least = dtype_smallest_subnormal(type);
	int exponent; /* size in [2^(exponent-1), 2^exponent) */
	frexpl(size < most ? size : most, &exponent);
	if (size == 0)
		return least;
	const double unit = power_of_two(exponent - 1 - mantissa_bits(type));
	return unit > least ? unit : least;
}

static const struct {
	long double low, high;
} whole_ranges[DTYPE_COUNT] = {
	[DTYPE_U8] = {0, 255}, [DTYPE_I16] = {-32768, 32767}, [DTYPE_I32] = {-2147483648.0L, 2147483647.0L},
	[DTYPE_U32] = {0, 4294967295.0L}, [DTYPE_I64] = {-9223372036854775808.0L, 9223372036854775807.0L},
};

long double round_to_dtype(enum dtype type, long double value)
{
	if (isnan(value))
		return value;
	if (!dtype_is_float(type)) {
		const long double low = whole_ranges[type].low, high = whole_ranges[type].high;
		return value <= low ? low : value >= high ? high : rintl(value);
	}
	const long double most = (long double)dtype_max_finite(type), unit = (long double)unit_in_last_place(type, value);
	if (isinf(value))
		return type == DTYPE_F8_E4M3 ? copysignl(most, value) : value;
	/* scaling by a power of two is exact, so this rounds once */
	const long double rounded = rintl(value / unit) * unit;
	if (fabsl(rounded) > most)
		return copysignl(type == DTYPE_F8_E4M3 ? most : (long double)INFINITY, value);
	return copysignl(rounded, value);
}

long double load_exact(enum dtype type, const void *array, size_t index)
{
	if (type == DTYPE_I64) {
		int64_t whole;
		memcpy(&whole, (const char *)array + index * sizeof whole, sizeof whole);
		return (long double)whole;
	}
	return (long double)dtype_load(type, array, index);
}

/* How one element answers to one right value. */
struct answer {
	int right;          /* by the bound that decides */
	int not_finite;     /* wrong because a NaN or infinity is where a number is due, or the other way round */
	long double error;  /* |got - value|; +inf when that says nothing */
};

/* The least size that rounds to an infinity. */
static long double overflow_from(enum dtype type)
{
	const double most = dtype_max_finite(type);
	return (long double)most + (long double)unit_in_last_place(type, (long double)most) / 2;
}

static struct answer compare(enum dtype type, long double got, long double value, double bound, unsigned flags)
{
	struct answer answer = {.error = (long double)INFINITY};
	if (isnan(got) || isnan(value)) {
		answer.right = isnan(got) && isnan(value);
		answer.not_finite = !answer.right;
		answer.error = answer.right ? 0 : answer.error;
		return answer;
	}
	const long double most = dtype_is_float(type) ? (long double)dtype_max_finite(type) : 0;
	if (type == DTYPE_F8_E4M3 && fabsl(value) > most)
		value = copysignl(most, value); /* it saturates */
	if (isinf(value)) {
		answer.right = got == value;
		answer.not_finite = 0; /* a finite number, or the other infinity: a wrong number */
		answer.error = answer.right ? 0 : answer.error;
		return answer;
	}
	if (isinf(got)) {
		answer.right = bound > 0 && signbit(got) == signbit(value) && fabsl(value) + (long double)bound >= overflow_from(type);
		answer.not_finite = !answer.right;
		answer.error = answer.right ? 0 : answer.error;
		return answer;
	}
	answer.error = fabsl(got - value);
	answer.right = answer.error <= (long double)bound;
	if (answer.right && (flags & EXPECT_SIGNED_ZERO) && got == 0 && value == 0 && !signbit(got) != !signbit(value))
		answer.right = 0;
	return answer;
}

struct wrong { /* elements that broke one check */
	int64_t count, first;
	long double got, value;
	double bound;
	long double error;
};

struct tally {
	const struct expectation_layout *layout;
	struct judgement *out;      /* figures only: checks are concluded at the end */
	struct wrong exact, numbers, finite;
	int64_t exact_elements, number_elements;
};

static void note_wrong(struct wrong *wrong, int64_t index, long double got, long double value, double bound, long double error)
{
	/* the worst is told; without a measure of how bad, the first */
	if (!wrong->count || (isfinite(error) && isfinite(wrong->error) && bound > 0 && wrong->bound > 0 &&
			      error / (long double)bound > wrong->error / (long double)wrong->bound)) {
		wrong->first = index;
		wrong->got = got;
		wrong->value = value;
		wrong->bound = bound;
		wrong->error = error;
	}
	wrong->count++;
}

/* Bin of a ratio: see judge.h. */
static int bin_of(double ratio)
{
	int exponent;
	if (!(ratio > 0))
		return 0;
	if (!(ratio < 1))
		return JUDGE_HISTOGRAM_BINS - 1;
	frexp(ratio, &exponent); /* [2^(exponent-1), 2^exponent) */
	const int bin = exponent - 1 + 31;
	return bin < 0 ? 0 : bin;
}

static void note_figures(struct tally *tally, int64_t index, long double got, long double value, long double error,
			 double bound, double precise)
{
	struct judgement *out = tally->out;
	const enum dtype type = tally->layout->dtype;
	const double ratio = error == 0 ? 0 : bound > 0 ? (double)(error / (long double)bound) : (double)INFINITY;
	const double precise_ratio = error == 0 ? 0 : precise > 0 ? (double)(error / (long double)precise) : (double)INFINITY;
	out->elements++;
	out->histogram[bin_of(ratio)]++;
	if (precise_ratio > out->precise_margin)
		out->precise_margin = precise_ratio;
	if (ratio > out->margin || out->elements == 1) {
		out->margin = ratio;
		out->scaled_max = (double)error;
		out->scaled_bound = bound;
		out->worst_value = (double)got;
		out->worst_reference = (double)value;
		int64_t rest = index;
		for (int i = 3, axis = tally->layout->rank - 1; i >= 0; i--, axis--) {
			const int64_t extent = axis >= 0 ? tally->layout->dims[axis] : 1;
			out->worst_index[i] = axis < 0 ? -1 : i == 0 ? rest : rest % extent;
			rest /= extent;
		}
	}
	if (!isfinite(error) || error == 0)
		return;
	if ((double)error > out->absolute_max)
		out->absolute_max = (double)error;
	if (value != 0 && (double)(error / fabsl(value)) > out->relative_max)
		out->relative_max = (double)(error / fabsl(value));
	/* units mean little for subnormal results, as in judge.h */
	const double least_normal = dtype_smallest_subnormal(type) * power_of_two(mantissa_bits(type));
	if (dtype_is_float(type) && fabsl(value) >= (long double)least_normal) {
		const double units = (double)(error / (long double)unit_in_last_place(type, value)) + 0.5;
		const uint64_t whole = units < 0x1p63 ? (uint64_t)units : UINT64_MAX;
		if (whole > out->ulp_max)
			out->ulp_max = whole;
	}
}

static void judge_one(struct tally *tally, int64_t index, long double got, const struct expectation *expected, enum math math)
{
	struct judgement *out = tally->out;
	const enum dtype type = tally->layout->dtype;
	const double precise = expected->bound;
	const double bound = math == MATH_FAST && expected->fast_bound > precise ? expected->fast_bound : precise;
	long double value = expected->flags & EXPECT_NAN ? (long double)NAN : expected->value;
	out->nan_count += isnan(got) != 0;
	out->inf_count += isinf(got) != 0;
	if ((expected->flags & EXPECT_ANY) || (math == MATH_FAST && (expected->flags & EXPECT_FAST_ANY)))
		return;
	struct answer answer = compare(type, got, value, bound, expected->flags);
	if ((expected->flags & EXPECT_OTHER) && !(answer.right && answer.error == 0)) {
		const struct answer other = compare(type, got, expected->other, bound, expected->flags);
		if ((other.right && !answer.right) || (other.right == answer.right && other.error < answer.error)) {
			answer = other;
			value = expected->other;
		}
	}
	if (!answer.right && (expected->flags & EXPECT_OR_NAN) && isnan(got))
		answer = (struct answer){.right = 1};
	const int is_exact = !(bound > 0);
	if (is_exact)
		tally->exact_elements++;
	else
		tally->number_elements++;
	note_figures(tally, index, got, value, answer.right && isinf(got) ? 0 : answer.error, bound, precise);
	if (answer.right)
		return;
	if (out->margin < 1 || isnan(out->margin))
		out->margin = (double)INFINITY; /* a wrong sign of zero has no error to measure */
	note_wrong(answer.not_finite ? &tally->finite : is_exact ? &tally->exact : &tally->numbers, index, got, value, bound,
		   answer.error);
}

static void describe(const struct expectation_layout *layout, int64_t linear, char *text, size_t size)
{
	int64_t index[6];
	size_t used = (size_t)snprintf(text, size, "%s[", layout->name);
	for (int axis = layout->rank - 1; axis >= 0; axis--) {
		index[axis] = linear % layout->dims[axis];
		linear /= layout->dims[axis];
	}
	for (int axis = 0; axis < layout->rank && used < size; axis++)
		used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, axis ? ", " : "", index[axis]);
	if (used < size)
		snprintf(text + used, size - used, "]");
}

static void conclude(const struct tally *tally, enum check check, const struct wrong *wrong, int64_t elements)
{
	char where[128];
	if (!wrong->count) {
		if (elements)
			judgement_hold(tally->out, check);
		return;
	}
	describe(tally->layout, wrong->first, where, sizeof where);
	if (!(wrong->bound > 0))
		judgement_break(tally->out, check, "%" PRId64 " of %" PRId64 " elements: %s is %.21Lg where %.21Lg is due", wrong->count,
				elements, where, wrong->got, wrong->value);
	else if (!isfinite(wrong->error))
		judgement_break(tally->out, check, "%" PRId64 " of %" PRId64 " elements: %s is %.17Lg where %.17Lg +- %.3g is due",
				wrong->count, elements, where, wrong->got, wrong->value, wrong->bound);
	else if (!dtype_is_float(tally->layout->dtype))
		judgement_break(tally->out, check, "%" PRId64 " of %" PRId64 " elements: %s is %.21Lg where %.17Lg +- %.3g is due", wrong->count,
				elements, where, wrong->got, wrong->value, wrong->bound);
	else
		judgement_break(tally->out, check, "%" PRId64 " of %" PRId64 " elements: %s is %.17Lg where %.17Lg +- %.3g is due: %.3Lg "
				"times the bound, %.3Lg units in the last place", wrong->count, elements, where, wrong->got,
				wrong->value, wrong->bound, wrong->error / (long double)wrong->bound,
				wrong->error / (long double)unit_in_last_place(tally->layout->dtype, wrong->value));
}

/* What one thread found, added to what all found. Of equal maxima the one with the lower index stays, whichever comes first. */
static void merge_wrong(struct wrong *to, const struct wrong *from)
{
	const struct wrong before = *to;
	if (!from->count)
		return;
	const long double ours = before.bound > 0 ? before.error / (long double)before.bound : 0;
	const long double theirs = from->bound > 0 ? from->error / (long double)from->bound : 0;
	const int comparable = isfinite(ours) && isfinite(theirs) && before.bound > 0 && from->bound > 0;
	if (!before.count || (comparable ? theirs > ours || (theirs == ours && from->first < before.first) : from->first < before.first))
		*to = *from;
	to->count = before.count + from->count;
}

static void merge_figures(struct judgement *to, const struct judgement *from, int64_t first_of_from, int64_t *first_of_to)
{
	const int64_t elements = to->elements + from->elements;
	const uint64_t ulp_max = to->ulp_max > from->ulp_max ? to->ulp_max : from->ulp_max;
	to->nan_count += from->nan_count;
	to->inf_count += from->inf_count;
	for (int i = 0; i < JUDGE_HISTOGRAM_BINS; i++)
		to->histogram[i] += from->histogram[i];
	if (from->precise_margin > to->precise_margin)
		to->precise_margin = from->precise_margin;
	if (from->absolute_max > to->absolute_max)
		to->absolute_max = from->absolute_max;
	if (from->relative_max > to->relative_max)
		to->relative_max = from->relative_max;
	to->ulp_max = ulp_max;
	const int takes = from->elements && (!to->elements || from->margin > to->margin ||
					     (from->margin == to->margin && first_of_from < *first_of_to));
	to->elements = elements;
	if (!takes)
		return;
	*first_of_to = first_of_from;
	to->margin = from->margin;
	to->scaled_max = from->scaled_max;
	to->scaled_bound = from->scaled_bound;
	to->worst_value = from->worst_value;
	to->worst_reference = from->worst_reference;
	memcpy(to->worst_index, from->worst_index, sizeof to->worst_index);
}

struct shared { /* by the threads that judge one output */
	const struct expectation_layout *layout;
	const void *storage;
	const struct expectation *expected;
	enum math math;
	struct tally *all;
	int64_t first_of_all;   /* of the part whose worst element stands in all->out */
	pthread_mutex_t lock;
};

static void judge_part(void *context, int64_t first, int64_t last)
{
	struct shared *shared = context;
	const struct expectation_layout *layout = shared->layout;
	struct judgement figures = {0};
	struct tally tally = {.layout = layout, .out = &figures};
	int64_t index[6] = {0}, offset = 0, rest = first;
	for (int axis = layout->rank - 1; axis >= 0; axis--) {
		index[axis] = rest % layout->dims[axis];
		rest /= layout->dims[axis];
		offset += index[axis] * layout->strides[axis];
	}
	for (int64_t i = first; i < last; i++) {
		judge_one(&tally, i, load_exact(layout->dtype, shared->storage, (size_t)offset), &shared->expected[i], shared->math);
		for (int axis = layout->rank - 1; axis >= 0; axis--) {
			offset += layout->strides[axis];
			if (++index[axis] < layout->dims[axis])
				break;
			offset -= layout->strides[axis] * layout->dims[axis];
			index[axis] = 0;
		}
	}
	pthread_mutex_lock(&shared->lock);
	merge_figures(shared->all->out, &figures, first, &shared->first_of_all);
	merge_wrong(&shared->all->exact, &tally.exact);
	merge_wrong(&shared->all->numbers, &tally.numbers);
	merge_wrong(&shared->all->finite, &tally.finite);
	shared->all->exact_elements += tally.exact_elements;
	shared->all->number_elements += tally.number_elements;
	pthread_mutex_unlock(&shared->lock);
}

int64_t judge_expectations(const struct expectation_layout *layout, const void *storage, const struct expectation *expected,
			   enum math math, struct judgement *out)
{
	enum { LEAST = 1 << 16 }; /* elements that are worth a thread */
	struct tally tally = {.layout = layout, .out = out};
	struct shared shared = {.layout = layout, .storage = storage, .expected = expected, .math = math, .all = &tally, .first_of_all = -1};
	int64_t elements = 1;
	for (int axis = 0; axis < layout->rank; axis++)
		elements *= layout->dims[axis];
	pthread_mutex_init(&shared.lock, NULL);
	parallel_for(elements, LEAST, judge_part, &shared);
	pthread_mutex_destroy(&shared.lock);
	conclude(&tally, CHECK_EXACT, &tally.exact, tally.exact_elements);
	conclude(&tally, CHECK_NUMBERS, &tally.numbers, tally.number_elements);
	conclude(&tally, CHECK_FINITE, &tally.finite, tally.exact_elements + tally.number_elements);
	return tally.exact.count + tally.numbers.count + tally.finite.count;
}
