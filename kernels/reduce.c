/* Reductions of Candle's module `reduce`: fast_{sum,min,max,argmin,argmax}_T, one block of threads for each output, and sum_T,
 * which adds atomically to what its output holds. */
#include "kernels/operator_like.h"
#include "kernels/reduce_plan.h"
#include "reference/reduce.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Axes:
 *   op      fast_sum | fast_min | fast_max | fast_argmin | fast_argmax | sum
 *   dtype   bf16 f16 f32 f64 u8 u32 i64; sum: bf16 f16 f32 f64 u32
 *   dims    of the source, such as 3x4x5. Reduced axes of fast_sum may be 0: Candle refuses the other operations on nothing, and
 *           launches a sum of nothing with blocks of one thread
 *   over    axes that are reduced, ascending: "02" are the first and the third; all | last
 *   layout  of the source (operator_layouts). fast_* see its axes reordered, reduced ones last, as Candle's host does
 *   input   operator_fill's kinds or one of reduce_inputs
 *   initial of sum: what the output holds before, of operator_fill's kinds */
static const char *const axes[] = {"op", "dtype", "dims", "over", "layout", "input", "initial", NULL};
static const char *const defaults[] = {"fast_sum", "f32", "5x33", "last", "contiguous", "normal", "zeros"};
static const char *const in_entry[] = {"op", "dtype", NULL};

static const char *const ops[] = {"fast_sum", "fast_min", "fast_max", "fast_argmin", "fast_argmax", "sum", NULL};
static const enum reduce_op op_of[] = {REDUCE_SUM, REDUCE_MIN, REDUCE_MAX, REDUCE_ARGMIN, REDUCE_ARGMAX, REDUCE_ATOMIC_SUM};
static const char *const dtypes[] = {"bf16", "f16", "f32", "f64", "u8", "u32", "i64", NULL};

static const int64_t elements_max = INT64_C(1) << 33; /* counted, not stored: a broadcast axis costs nothing */

static int has_entry(const char *op, const char *dtype)
{
	return strcmp(op, "sum") != 0 || (strcmp(dtype, "u8") != 0 && strcmp(dtype, "i64") != 0);
}

static void symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	(void)abi; /* the same in all */
	for (int op = 0; ops[op]; op++)
		for (int type = 0; dtypes[type]; type++) {
			char name[40];
			snprintf(name, sizeof name, "%s_%s", ops[op], dtypes[type]);
			const int least = type == 0 ? 80 : type == 1 ? 53 : 0;
			if (has_entry(ops[op], dtypes[type]))
				visit(context, &(struct operator_symbol){name, "reduce", least});
		}
}

/* ---- cases -------------------------------------------------------------------------------------------------------- */

/* Which axes a text of the axis `over` names: one flag for each. */
static int parse_over(const char *text, int rank, int *reduced)
{
	int previous = -1;
	for (int axis = 0; axis < rank; axis++)
		reduced[axis] = strcmp(text, "all") == 0 || (strcmp(text, "last") == 0 && axis == rank - 1);
	if (strcmp(text, "all") == 0 || strcmp(text, "last") == 0)
		return 0;
	for (; *text; text++) {
		const int axis = *text - '0';
		if (axis <= previous || axis >= rank)
			return -1;
		reduced[axis] = 1;
		previous = axis;
	}
	return previous < 0 ? -1 : 0;
}

static int next_power_of_two(int64_t value)
{
	int power = 1;
	while (power < value)
		power *= 2;
	return power;
}

int reduce_plan(const struct test_case *test, struct reduce_plan *plan, struct error *err)
{
	const char *op = case_get_text(test, "op"), *over = case_get_text(test, "over");
	const struct tensor *source = operator_tensor(test, "src");
	int reduced[TENSOR_RANK_MAX], found = 0;
	*plan = (struct reduce_plan){.source = source, .outputs = 1, .length = 1};
	for (int i = 0; op && ops[i]; i++)
		if (strcmp(op, ops[i]) == 0) {
			plan->op = op_of[i];
			found = 1;
		}
	if (!found || !over || !source || source->rank < 1 || parse_over(over, source->rank, reduced))
		return error_set(err, ERROR_INPUT, "case %s: op, over and src make no reduction", test->name);
	plan->dtype = source->dtype;
	for (int axis = 0; axis < source->rank; axis++) {
		if (reduced[axis]) {
			plan->over[plan->over_count++] = axis;
			plan->length *= source->dims[axis];
			plan->last = source->dims[axis];
		} else {
			plan->kept[plan->kept_count++] = axis;
			plan->outputs *= source->dims[axis];
		}
	}
	plan->block = next_power_of_two(plan->length < 1024 ? plan->length : 1024);
	return 0;
}

int64_t reduce_block_offset(const struct reduce_plan *plan, int64_t output)
{
	int64_t offset = plan->source->offset;
	for (int i = plan->kept_count - 1; i >= 0; i--) {
		const int axis = plan->kept[i];
		offset += output % plan->source->dims[axis] * plan->source->strides[axis];
		output /= plan->source->dims[axis];
	}
	return offset;
}

void reduce_step(const struct reduce_plan *plan, struct reduce_walk *walk)
{
	for (int i = plan->over_count - 1; i >= 0; i--) {
		const int axis = plan->over[i];
		walk->offset += plan->source->strides[axis];
		if (++walk->index[i] < plan->source->dims[axis])
			return;
		walk->offset -= plan->source->strides[axis] * plan->source->dims[axis];
		walk->index[i] = 0;
	}
}

/* fast_*: dims | strides, kept axes before reduced ones. sum: dims | strides | extents of the reduced axes | their strides in
 * the contiguous order of the source, outermost first: the entry point takes one after the other out of its index, so that
 * those further in still count as they did. */
static int add_info(struct test_case *test, const struct reduce_plan *plan, struct error *err)
{
	const struct tensor *source = plan->source;
	int64_t numbers[4 * TENSOR_RANK_MAX], behind[TENSOR_RANK_MAX];
	int order[TENSOR_RANK_MAX], count = 0, rank = source->rank;
	for (int axis = rank - 1; axis >= 0; axis--)
		behind[axis] = axis == rank - 1 ? 1 : behind[axis + 1] * source->dims[axis + 1];
	for (int i = 0; i < rank; i++)
		order[i] = plan->op == REDUCE_ATOMIC_SUM  ? i
			   : i < plan->kept_count ? plan->kept[i]
						  : plan->over[i - plan->kept_count];
	for (int i = 0; i < rank; i++) {
		numbers[i] = source->dims[order[i]];
		numbers[rank + i] = source->strides[order[i]];
	}
	count = 2 * rank;
	for (int i = 0; plan->op == REDUCE_ATOMIC_SUM && i < plan->over_count; i++) {
		numbers[count + i] = source->dims[plan->over[i]];
		numbers[count + plan->over_count + i] = behind[plan->over[i]];
	}
	if (plan->op == REDUCE_ATOMIC_SUM)
		count += 2 * plan->over_count;
	return operator_add_numbers(test, "info", numbers, count, err);
}

static int is_input(const char *input, const char *const *kinds)
{
	for (; *kinds; kinds++)
		if (strcmp(input, *kinds) == 0)
			return 1;
	return 0;
}

extern const struct family reduce_family;

static int add_tensors(struct test_case *test, const char *layout, enum dtype dtype, int rank, const int64_t *dims,
		       struct error *err)
{
	struct reduce_plan plan;
	int64_t out_dims[TENSOR_RANK_MAX] = {1};
	if (!operator_add_tensor(test, "src", TENSOR_INPUT, dtype, rank, dims, layout, err) || reduce_plan(test, &plan, err) ||
	    add_info(test, &plan, err))
		return -1;
	for (int i = 0; i < plan.kept_count; i++)
		out_dims[i] = dims[plan.kept[i]];
	const int out_rank = plan.kept_count ? plan.kept_count : 1;
	const int is_place = plan.op == REDUCE_ARGMIN || plan.op == REDUCE_ARGMAX;
	if (plan.op == REDUCE_ATOMIC_SUM &&
	    !case_add_tensor(test, "dst_initial", TENSOR_INPUT, dtype, out_rank, out_dims, NULL, err))
		return -1;
	return case_add_tensor(test, "dst", TENSOR_OUTPUT, is_place ? DTYPE_U32 : dtype, out_rank, out_dims, NULL, err) ? 0 : -1;
}

static int make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	const struct family *family = &reduce_family;
	int64_t dims[TENSOR_RANK_MAX], elements = 1;
	int rank, reduced[TENSOR_RANK_MAX];
	char entry[40];
	*test = (struct test_case){0};
	const int op = operator_is_one_of(family, assignment, "op", ops, err);
	const int type = op < 0 ? -1 : operator_is_one_of(family, assignment, "dtype", dtypes, err);
	const int layout = type < 0 ? -1 : operator_is_one_of(family, assignment, "layout", operator_layouts, err);
	if (layout < 0 || operator_dims(family, assignment, "dims", TENSOR_RANK_MAX, dims, &rank, err))
		return -1;
	const char *over = operator_value(family, assignment, "over"), *input = operator_value(family, assignment, "input");
	if (!has_entry(ops[op], dtypes[type]))
		return error_set(err, ERROR_INPUT, "axis dtype: there is no %s_%s", ops[op], dtypes[type]);
	if (parse_over(over, rank, reduced))
		return error_set(err, ERROR_INPUT, "axis over: '%s' is neither all, last nor ascending axes below %d", over,
				 rank);
	for (int axis = 0; axis < rank; axis++) {
		const int least = reduced[axis] && strcmp(ops[op], "fast_sum") == 0 ? 0 : 1;
		if (dims[axis] < least || dims[axis] > elements_max / elements)
			return error_set(err, ERROR_INPUT,
					 "axis dims: extents from 1 on (fast_sum: 0 of what is reduced) and at most %lld "
					 "elements in all, not %s",
					 (long long)elements_max, operator_value(family, assignment, "dims"));
		elements *= dims[axis] ? dims[axis] : 1;
	}
	const enum dtype dtype = dtype_from_name(dtypes[type]);
	const int about_floats = strstr(input, "inf") || strstr(input, "nan") || strcmp(input, "subnormal") == 0 ||
				 strcmp(input, "neg_zero") == 0 || strcmp(input, "turn") == 0 || strcmp(input, "edge") == 0 ||
				 strcmp(input, "cancel") == 0;
	if (about_floats && is_input(input, reduce_inputs) && !dtype_is_float(dtype))
		return error_set(err, ERROR_INPUT, "axis input: %s is not for %s", input, dtypes[type]);
	if (strcmp(input, "limits") == 0 && dtype_is_float(dtype))
		return error_set(err, ERROR_INPUT, "axis input: limits is for integers, not for %s", dtypes[type]);
	snprintf(entry, sizeof entry, "%s_%s", ops[op], dtypes[type]);
	if (operator_begin(family, assignment, seed, entry, in_entry, test, err) ||
	    add_tensors(test, operator_layouts[layout], dtype, rank, dims, err)) {
		case_free(test);
		return -1;
	}
	return 0;
}

static int check_case(const struct test_case *test, struct error *err)
{
	return operator_check_like(&reduce_family, test, err);
}

static int launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	struct reduce_plan plan;
	(void)abi;
	if (reduce_plan(test, &plan, err))
		return -1;
	argument_size(launch, plan.outputs * plan.length);
	if (plan.op == REDUCE_ATOMIC_SUM) {
		argument_size(launch, plan.source->rank);
		argument_size(launch, plan.over_count);
		launch_for_elements(launch, plan.outputs * plan.length);
	} else {
		argument_size(launch, plan.length);
		argument_size(launch, plan.source->rank);
		launch->failed = plan.outputs > INT32_MAX;
		launch->grid = (struct device_dim3){(uint32_t)plan.outputs, 1, 1};
		launch->block = (struct device_dim3){(uint32_t)plan.block, 1, 1};
	}
	argument_tensor(launch, test, "info");
	argument_tensor(launch, test, "src");
	argument_tensor(launch, test, "dst");
	return 0;
}

/* ---- what is right ------------------------------------------------------------------------------------------------ */

/* Sums. The contract: a tree, one element of the type for each thread in it, so additions are in the element type (f16 and
 * bf16 included; one that accumulates in float errs less). A thread adds up every block-th element, the first one to 0, which
 * is exact, and the block's sums are added in pairs: no element goes through more than ceil(n / block) - 1 + log2(block)
 * additions, each with a relative error of at most u = epsilon / 2 (an addition that underflows is exact). Hence
 *     |got - sum| <= ((1 + u)^steps - 1) * sum |x|                  (Higham, 2nd ed., section 4.2)
 * sum_T adds atomically in any order: as many roundings as there are elements.
 * Whatever the order, an addition is exact while every partial sum fits the mantissa: then bound 0 (reduction_is_exact). */
static double steps_of(const struct reduce_plan *plan)
{
	if (plan->op == REDUCE_ATOMIC_SUM)
		return (double)plan->length;
	return (double)((plan->length - 1) / plan->block) + log2(plan->block);
}

static int precision_of(enum dtype dtype)
{
	return 1 - ilogb(dtype_epsilon(dtype));
}

static const double least_normal_f32 = 0x1p-126; /* bf16 has the same exponents */

static int flushes(enum dtype dtype)
{
	return dtype == DTYPE_F32 || dtype == DTYPE_BF16;
}

static void expect_float_sum(const struct reduce_plan *plan, const struct reduction *all, struct expectation *expected)
{
	const double growth = rounding_growth(dtype_epsilon(plan->dtype) / 2, steps_of(plan));
	const long double magnitude = reduction_magnitude(all), most = (long double)dtype_max_finite(plan->dtype);
	/* what a partial sum may come to, against the least number that rounds to an infinity */
	const long double overflow = most + (long double)unit_in_last_place(plan->dtype, most) / 2;
	const int may_rise = all->positive * (1 + (long double)growth) >= overflow;
	const int may_fall = all->negative * (1 + (long double)growth) >= overflow;
	if (all->nan_count || (all->plus_infinities && all->minus_infinities)) {
		expected->flags = EXPECT_NAN;
		return;
	}
	if (all->plus_infinities || all->minus_infinities) {
		/* finite elements that overflow to the other infinity on their own, in the order of some tree, give a NaN */
		expected->value = all->plus_infinities ? (long double)INFINITY : -(long double)INFINITY;
		expected->flags = (all->plus_infinities ? may_fall : may_rise) ? EXPECT_OR_NAN : 0;
		return;
	}
	if (may_rise && may_fall) {
		/* the order, which the contract leaves open, decides between a number, +-Inf and NaN */
		expected->flags = EXPECT_ANY;
		return;
	}
	expected->value = reduction_sum(all);
	const int is_exact = reduction_is_exact(all, precision_of(plan->dtype)) && magnitude <= most;
	expected->bound = is_exact ? 0 : growth * (double)magnitude;
	if ((may_rise && all->negative > 0) || (may_fall && all->positive > 0)) {
		/* partial sums may overflow in one direction, and what has overflowed stays */
		expected->flags = EXPECT_OTHER;
		expected->other = may_rise ? (long double)INFINITY : -(long double)INFINITY;
	}
	if (magnitude > 0 && flushes(plan->dtype) && all->lowest_bit < -126) {
		/* Elements and partial sums may be subnormal: each flushed one loses less than the least normal number. Atomic
		 * additions in global memory flush in a precise build too (PTX ISA, atom: .f32). */
		const double lost = 2 * (double)all->count * least_normal_f32;
		expected->fast_bound = expected->bound + lost;
		if (plan->op == REDUCE_ATOMIC_SUM && plan->dtype == DTYPE_F32)
			expected->bound += lost;
	}
}

/* NaN: the contract of extrema does not say whether one is passed on or passed over, so both are right, but nothing else:
 * where it is passed over, all the others count. */
static void expect_extremum(const struct reduce_plan *plan, const struct reduction *all, struct expectation *expected)
{
	expected->value = plan->op == REDUCE_MIN ? all->least : all->greatest;
	if (all->nan_count)
		expected->flags = EXPECT_OR_NAN;
	/* flushed, all subnormal elements are equal in a comparison, and the one that is told may be any of them, or 0 */
	if (flushes(plan->dtype) && fabsl(expected->value) < (long double)least_normal_f32)
		expected->fast_bound = 2 * least_normal_f32;
}

struct expecting {
	const struct reduce_plan *plan;
	const struct tensor *initial;
	const void *source;      /* storage */
	const void *initial_data;
	struct expectation *expected;
};

static long double whole_of(enum dtype dtype, uint64_t wrapped)
{
	return dtype == DTYPE_I64 ? (long double)(int64_t)wrapped
				  : (long double)(dtype == DTYPE_U8 ? wrapped & 0xff : wrapped & 0xffffffff);
}

static void expect_outputs(void *context, int64_t first, int64_t last)
{
	const struct expecting *expecting = context;
	const struct reduce_plan *plan = expecting->plan;
	const enum dtype dtype = plan->dtype;
	const int whole_sum = !dtype_is_float(dtype) && (plan->op == REDUCE_SUM || plan->op == REDUCE_ATOMIC_SUM);
	int64_t previous = -1;
	for (int64_t output = first; output < last; output++) {
		const int64_t base = reduce_block_offset(plan, output);
		struct expectation *expected = &expecting->expected[output];
		if (base == previous && !expecting->initial) {
			*expected = expected[-1]; /* a broadcast axis: the same block */
			continue;
		}
		previous = base;
		struct reduce_walk walk = {0};
		struct reduction all = {0};
		uint64_t wrapped = 0;
		for (int64_t place = 0; place < plan->length; place++, reduce_step(plan, &walk)) {
			const long double x = load_exact(dtype, expecting->source, (size_t)(base + walk.offset));
			if (whole_sum)
				wrapped += (uint64_t)(int64_t)x;
			else
				reduction_add(&all, x);
		}
		if (expecting->initial) {
			const long double x = load_exact(dtype, expecting->initial_data, (size_t)output);
			if (whole_sum)
				wrapped += (uint64_t)(int64_t)x;
			else
				reduction_add(&all, x);
		}
		if (whole_sum)
			expected->value = whole_of(dtype, wrapped);
		else if (plan->op == REDUCE_SUM || plan->op == REDUCE_ATOMIC_SUM)
			expect_float_sum(plan, &all, expected);
		else if (plan->op == REDUCE_MIN || plan->op == REDUCE_MAX)
			expect_extremum(plan, &all, expected);
		else
			expected->flags = EXPECT_ANY; /* judge_outputs: a place is right by the element that is there */
	}
}

/* Storage of the source: its own, or that which it shares. */
static const void *source_storage(const struct test_case *test, const struct tensor *source)
{
	const struct tensor *owner = source->storage[0] ? case_find_tensor_const(test, source->storage, source->role) : source;
	return owner ? owner->data : NULL;
}

static int expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			struct error *err)
{
	struct reduce_plan plan;
	(void)abi;
	if (reduce_plan(test, &plan, err))
		return -1;
	struct expecting expecting = {.plan = &plan, .source = source_storage(test, plan.source), .expected = expected};
	if (plan.op == REDUCE_ATOMIC_SUM) {
		expecting.initial = operator_tensor(test, "dst_initial");
		expecting.initial_data = expecting.initial ? expecting.initial->data : NULL;
	}
	if (!expecting.source || (expecting.initial && !expecting.initial_data) || tensor_elements(output) != plan.outputs)
		return error_set(err, ERROR_INTERNAL, "case %s: its inputs have no data", test->name);
	parallel_for(plan.outputs, 1 + (1 << 16) / (1 + plan.length), expect_outputs, &expecting);
	return 0;
}

/* ---- places of extrema -------------------------------------------------------------------------------------------- */

/* argmin and argmax answer with a place on the last reduced axis, and where the extremum is met more than once with any of
 * them: right is every place below the axis' extent at which some element of the block equals the extremum. With a NaN in the
 * block the answer is left open. */
struct placing {
	const struct reduce_plan *plan;
	const void *source;
	const uint32_t *got;
	int flush;               /* subnormal elements may count as zeros */
	_Atomic int64_t asked, wrong, first_wrong;
};

static long double seen(const struct placing *placing, int64_t offset)
{
	const long double x = load_exact(placing->plan->dtype, placing->source, (size_t)offset);
	return placing->flush && fabsl(x) < (long double)least_normal_f32 ? 0 : x;
}

static void judge_places(void *context, int64_t first, int64_t last)
{
	struct placing *placing = context;
	const struct reduce_plan *plan = placing->plan;
	const int inner = plan->over_count - 1;
	int64_t previous = -1, right = -1; /* the block before, and a place in it that was right */
	for (int64_t output = first; output < last; output++) {
		const int64_t base = reduce_block_offset(plan, output);
		const int64_t got = placing->got[output];
		if (base == previous && got == right) {
			placing->asked++;
			continue;
		}
		long double best = 0, there = 0;
		int found = 0, has_nan = 0;
		struct reduce_walk walk = {0};
		for (int64_t place = 0; place < plan->length; place++, reduce_step(plan, &walk)) {
			const long double x = seen(placing, base + walk.offset);
			const int less = plan->op == REDUCE_ARGMIN;
			has_nan |= isnan(x) != 0;
			if (place == 0 || (less ? x < best : x > best))
				best = x;
			if (walk.index[inner] == got && (!found || (less ? x < there : x > there))) {
				there = x;
				found = 1;
			}
		}
		if (has_nan)
			continue;
		placing->asked++;
		previous = base;
		right = found && there == best ? got : -1;
		if (right >= 0)
			continue;
		placing->wrong++;
		int64_t least = placing->first_wrong;
		while (output < least && !atomic_compare_exchange_weak(&placing->first_wrong, &least, output))
			;
	}
}

static int judge_outputs(const struct operator_outputs *outputs, struct judgement *out, struct error *err)
{
	const struct test_case *test = outputs->test;
	struct reduce_plan plan;
	if (reduce_plan(test, &plan, err))
		return -1;
	if (plan.op != REDUCE_ARGMIN && plan.op != REDUCE_ARGMAX)
		return 0;
	const struct tensor *output = case_find_tensor_const(test, "dst", TENSOR_OUTPUT);
	struct placing placing = {.plan = &plan,
				  .source = source_storage(test, plan.source),
				  .got = output ? outputs->storage[output - test->tensors] : NULL,
				  .flush = outputs->math == MATH_FAST && flushes(plan.dtype)};
	placing.first_wrong = INT64_MAX;
	if (!placing.source || !placing.got)
		return error_set(err, ERROR_INTERNAL, "case %s: its source or output has no data", test->name);
	parallel_for(plan.outputs, 1 + (1 << 16) / (1 + plan.length), judge_places, &placing);
	if (placing.wrong) {
		const int64_t at = placing.first_wrong;
		judgement_break(out, CHECK_EXACT,
				"%lld of %lld places: dst[%lld] is %u, where no element of block %lld along its "
				"last axis of %lld is the %s",
				(long long)placing.wrong, (long long)placing.asked, (long long)at, (unsigned)placing.got[at],
				(long long)at, (long long)plan.last, plan.op == REDUCE_ARGMIN ? "least" : "greatest");
	} else if (placing.asked) {
		judgement_hold(out, CHECK_EXACT);
	}
	return 0;
}

static const char *varies(const struct test_case *test)
{
	const char *op = case_get_text(test, "op");
	return op && strcmp(op, "sum") == 0 && dtype_is_float(operator_dtype(test, "dtype"))
		       ? "atomic additions of floating-point numbers, in any order"
		       : NULL;
}

static int work(const struct test_case *test, struct work *work, struct error *err)
{
	struct reduce_plan plan;
	if (reduce_plan(test, &plan, err))
		return -1;
	double elements = 1;
	for (int axis = 0; axis < plan.source->rank; axis++)
		elements *= plan.source->strides[axis] ? (double)plan.source->dims[axis] : 1;
	const double size = (double)dtype_size(plan.dtype), outputs = (double)plan.outputs;
	const int is_place = plan.op == REDUCE_ARGMIN || plan.op == REDUCE_ARGMAX;
	work->flops = outputs * (double)plan.length;
	work->bytes = elements * size + outputs * (is_place ? 4 : plan.op == REDUCE_ATOMIC_SUM ? 2 * size : size);
	work->unit = WORK_BYTES;
	return 0;
}

const struct family reduce_family = {
	.name = "reduce",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = make_case,
	.fill = reduce_fill,
	.check_case = check_case,
	.work = work,
	.symbols = symbols,
	.launch = launch,
	.expectations = expectations,
	.judge_outputs = judge_outputs,
	.varies = varies,
};
