/* Inputs of reductions that are about a place in a block: its first and last element, the ends of what one pass of the threads
 * covers, all places in turn. */
#include "kernels/reduce_plan.h"

#include "dataset/generate.h"

#include <math.h>
#include <string.h>

/*   sparse      sums: small whole numbers at few places (first, last, where passes of threads meet, random ones), zeros
 *               elsewhere; their magnitudes add up to what the type's mantissa holds, so that sums in any order are exact
 *   positions   extrema: one extreme element in each block, block after block at the places above and then random ones
 *   ties        extrema: values 1, 2 and 3 only
 *   negative    all below 0 (unsigned: as positive): 0 is no identity of a maximum
 *   lowest      all elements the least the type has (-Inf), highest: the greatest (+Inf): what extrema start from
 *   cancel      a large number first, its opposite last, normal ones between
 *   overflow    every element a quarter of the largest finite one (integers: the largest): sums overflow, or wrap
 *   turn        0.9, 0.9 and -0.9 times the largest finite number, else zeros: right is the number or an infinity
 *   edge        two halves of the largest finite number, else zeros: the largest sum that is no infinity
 *   inf, neg_inf, both_inf   infinities among normal numbers: +, -, one of each
 *   nan_first, nan_last, nan_middle, nan_all   NaN there, in every second block
 *   nan_before, nan_after   an extreme element and a NaN, that meet in one thread or in the tree's first step, in this order
 *   nan_inf     a NaN and an infinity
 *   neg_zero    all -0
 *   subnormal   all subnormal
 *   limits      integers: the ends of the type in turn with 0 and 1 */
const char *const reduce_inputs[] = {"sparse", "positions", "ties", "negative", "lowest", "highest", "cancel", "overflow",
				     "turn", "edge", "inf", "neg_inf", "both_inf", "nan_first", "nan_last", "nan_middle",
				     "nan_all", "nan_before", "nan_after", "nan_inf", "neg_zero", "subnormal", "limits", NULL};

enum { STREAM_BASE = 1, STREAM_PLACE, STREAM_VALUE, STREAM_INITIAL };

static void store(enum dtype dtype, void *array, int64_t index, long double value)
{
	if (dtype == DTYPE_I64) {
		const int64_t whole = (int64_t)value;
		memcpy((char *)array + index * 8, &whole, sizeof whole);
	} else {
		dtype_store(dtype, array, (size_t)index, (double)value);
	}
}

static int is_unsigned(enum dtype dtype)
{
	return dtype == DTYPE_U8 || dtype == DTYPE_U32;
}

static long double highest(enum dtype dtype)
{
	switch (dtype) {
	case DTYPE_U8:
		return 255;
	case DTYPE_U32:
		return 4294967295.0L;
	case DTYPE_I64:
		return (long double)INT64_MAX; /* exact: long double has 64 bits of mantissa or more */
	default:
		return (long double)INFINITY;
	}
}

static long double lowest(enum dtype dtype)
{
	return is_unsigned(dtype) ? 0 : dtype == DTYPE_I64 ? -9223372036854775808.0L : -(long double)INFINITY;
}

/* Bits of mantissa, the leading one included. */
static int precision(enum dtype dtype)
{
	return dtype_is_float(dtype) ? 1 - ilogb(dtype_epsilon(dtype)) : 8;
}

/* Places where an index calculation is most likely wrong. */
static int64_t notable_place(const struct reduce_plan *plan, int64_t which)
{
	const int64_t n = plan->length, b = plan->block;
	const int64_t places[] = {0, n - 1, b - 1, b, n / 2, b / 2, b / 2 - 1, 31, 32, n - 2, 2 * b - 1, 2 * b};
	const int64_t place = places[which];
	return place < 0 || place >= n ? 0 : place;
}
enum { NOTABLE_PLACES = 12 };

/* Which of them a place is, from 1 on; 0: none. */
static int notable(const struct reduce_plan *plan, int64_t place)
{
	for (int which = 0; which < NOTABLE_PLACES; which++)
		if (notable_place(plan, which) == place)
			return which + 1;
	return 0;
}

struct kind {
	const struct reduce_plan *plan;
	const char *name;
	uint64_t seed;
	int64_t block, place;
};

static int is_kind(const struct kind *kind, const char *name)
{
	return strcmp(kind->name, name) == 0;
}

static uint64_t draw(const struct kind *kind, uint64_t bound, uint32_t stream)
{
	return generate_below(bound, kind->seed, stream, (uint64_t)(kind->block * kind->plan->length + kind->place));
}

static int64_t whole_below(const struct kind *kind, int64_t bound)
{
	const int64_t whole = 1 + (int64_t)draw(kind, (uint64_t)bound, STREAM_VALUE);
	return !is_unsigned(kind->plan->dtype) && draw(kind, 2, STREAM_PLACE) ? -whole : whole;
}

static long double sparse(const struct kind *kind)
{
	/* About 2^(p-3) random places of magnitude 1 to 3 and the notable ones, each of another magnitude, up to 12: 142 on
	 * average of the 2^p = 256 of bf16. Where there are more, the bound is that of a rounded sum. */
	const int64_t most = INT64_C(1) << (precision(kind->plan->dtype) - 3);
	const int which = notable(kind->plan, kind->place);
	if (which)
		return whole_below(kind, 1) < 0 ? -which : which;
	if (draw(kind, (uint64_t)kind->plan->length, STREAM_BASE) >= (uint64_t)most)
		return 0;
	return (long double)whole_below(kind, 3);
}

static long double positions(const struct kind *kind)
{
	const struct reduce_plan *plan = kind->plan;
	const int least = plan->op == REDUCE_MIN || plan->op == REDUCE_ARGMIN;
	const uint64_t length = (uint64_t)plan->length, block = (uint64_t)kind->block;
	const int64_t place = kind->block < NOTABLE_PLACES ? notable_place(plan, kind->block)
							   : (int64_t)generate_below(length, kind->seed, STREAM_PLACE, block);
	const long double among = (long double)(10 + (int64_t)draw(kind, 50, STREAM_VALUE));
	return kind->place == place ? least ? 1 : 100 : among;
}

static long double subnormal(const struct kind *kind)
{
	const enum dtype dtype = kind->plan->dtype;
	const uint64_t most = UINT64_C(1) << (precision(dtype) - 1); /* below the smallest normal one, in steps of the smallest */
	const long double steps = 1 + (long double)draw(kind, most - 1, STREAM_VALUE);
	const long double magnitude = (long double)dtype_smallest_subnormal(dtype) * steps;
	return draw(kind, 2, STREAM_PLACE) ? -magnitude : magnitude;
}

/* nan_before, nan_after: places 0 and the one that is joined with it first. */
static int nan_meets(const struct kind *kind, long double *value)
{
	const struct reduce_plan *plan = kind->plan;
	const int64_t other = plan->length > plan->block ? plan->block : plan->block / 2;
	const int is_first = kind->place == 0;
	if (kind->block % 2 == 0 || (!is_first && kind->place != other))
		return 0;
	const int before = is_kind(kind, "nan_before");
	if (is_first == before)
		*value = (long double)NAN;
	else
		*value = plan->op == REDUCE_MIN || plan->op == REDUCE_ARGMIN ? -100 : 100;
	return 1;
}

/* Value of an element; 0 when the base stays: what reduce_fill put there. */
static int value_of(const struct kind *kind, long double *value)
{
	const struct reduce_plan *plan = kind->plan;
	const enum dtype dtype = plan->dtype;
	const long double most = (long double)dtype_max_finite(dtype);
	const int64_t place = kind->place, last = plan->length - 1;
	const int64_t middle = (int64_t)generate_below((uint64_t)plan->length, kind->seed, STREAM_PLACE, (uint64_t)kind->block);
	const int odd = kind->block % 2 != 0;
	if (is_kind(kind, "sparse"))
		*value = sparse(kind);
	else if (is_kind(kind, "positions"))
		*value = positions(kind);
	else if (is_kind(kind, "ties"))
		*value = 1 + (long double)draw(kind, 3, STREAM_VALUE);
	else if (is_kind(kind, "negative"))
		*value = (is_unsigned(dtype) ? 1 : -1) * (1 + (long double)draw(kind, 50, STREAM_VALUE));
	else if (is_kind(kind, "lowest"))
		*value = lowest(dtype);
	else if (is_kind(kind, "highest"))
		*value = highest(dtype);
	else if (is_kind(kind, "cancel") && (place == 0 || place == last))
		*value = (place ? -1 : 1) * ldexpl(1, precision(dtype) + 2);
	else if (is_kind(kind, "overflow"))
		*value = dtype_is_float(dtype) ? (odd ? -most : most) / 4 : highest(dtype);
	else if (is_kind(kind, "turn"))
		*value = place < 2 ? 0.9L * most : place == 2 ? -0.9L * most : 0;
	else if (is_kind(kind, "edge"))
		*value = place == 0 || place == last ? (odd ? -most : most) / 2 : 0;
	else if (is_kind(kind, "inf") && place == middle)
		*value = (long double)INFINITY;
	else if (is_kind(kind, "neg_inf") && place == middle)
		*value = -(long double)INFINITY;
	else if (is_kind(kind, "both_inf") && (place == 0 || place == last))
		*value = place ? -(long double)INFINITY : (long double)INFINITY;
	else if (is_kind(kind, "nan_first") && odd && place == 0)
		*value = (long double)NAN;
	else if (is_kind(kind, "nan_last") && odd && place == last)
		*value = (long double)NAN;
	else if (is_kind(kind, "nan_middle") && odd && place == middle)
		*value = (long double)NAN;
	else if (is_kind(kind, "nan_all") && odd)
		*value = (long double)NAN;
	else if (is_kind(kind, "nan_before") || is_kind(kind, "nan_after"))
		return nan_meets(kind, value);
	else if (is_kind(kind, "nan_inf") && (place == 0 || place == last))
		*value = place ? (long double)INFINITY : (long double)NAN;
	else if (is_kind(kind, "neg_zero"))
		*value = -0.0L;
	else if (is_kind(kind, "subnormal"))
		*value = subnormal(kind);
	else if (is_kind(kind, "limits"))
		*value = draw(kind, 4, STREAM_VALUE) < 2 ? (long double)draw(kind, 2, STREAM_PLACE)
		       : draw(kind, 2, STREAM_PLACE)     ? highest(dtype)
							 : lowest(dtype);
	else
		return 0;
	return 1;
}

int reduce_fill(struct test_case *test, struct error *err)
{
	struct reduce_plan plan;
	const char *input = case_get_text(test, "input"), *initial = case_get_text(test, "initial");
	struct tensor *source = case_find_tensor(test, "src", TENSOR_INPUT);
	struct tensor *start = case_find_tensor(test, "dst_initial", TENSOR_INPUT);
	int ours = 0;
	if (!input || !initial || !source || reduce_plan(test, &plan, err))
		return error_set(err, ERROR_INPUT, "case %s: it is not complete", test->name);
	struct tensor *storage = source->storage[0] ? case_find_tensor(test, source->storage, TENSOR_INPUT) : source;
	if (!storage)
		return error_set(err, ERROR_INPUT, "case %s: the storage of src is missing", test->name);
	for (int i = 0; reduce_inputs[i]; i++)
		ours |= strcmp(input, reduce_inputs[i]) == 0;
	/* what is in the gaps of a strided source is wrong wherever it is taken for an element */
	const double scale = dtype_is_float(plan.dtype) ? 1.0 : 20.0;
	if (operator_fill(storage, ours ? "normal" : input, scale, test->seed, STREAM_BASE, err))
		return -1;
	if (start && operator_fill(start, initial, scale, test->seed, STREAM_INITIAL, err))
		return -1;
	if (!ours)
		return 0;
	snprintf(storage->generator, sizeof storage->generator, "%s", input);
	struct kind kind = {.plan = &plan, .name = input, .seed = test->seed};
	for (kind.block = 0; kind.block < plan.outputs; kind.block++) {
		const int64_t base = reduce_block_offset(&plan, kind.block);
		struct reduce_walk walk = {0};
		for (kind.place = 0; kind.place < plan.length; kind.place++, reduce_step(&plan, &walk)) {
			long double value;
			if (value_of(&kind, &value))
				store(plan.dtype, storage->data, base + walk.offset, value);
		}
	}
	return 0;
}
