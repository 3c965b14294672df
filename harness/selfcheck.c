#include "selfcheck.h"

#include "buffers.h"
#include "core/parallel.h"
#include "core/util.h"
#include "judge/verdict.h"

#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct checker {
	struct device *device;
	struct judge *judge;
	struct buffers buffers;
	const struct family *family; /* whose state is open */
	void *state;
	struct selfcheck *result;
};

static void complain(struct checker *checker, const struct test_case *test, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void complain(struct checker *checker, const struct test_case *test, const char *format, ...)
{
	va_list args;
	checker->result->failures++;
	flockfile(stderr); /* operators are checked side by side */
	fprintf(stderr, "%s: ", test->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	funlockfile(stderr);
}

static int use_family(struct checker *checker, const struct family *family, struct error *err)
{
	if (checker->family == family)
		return 0;
	if (checker->family)
		checker->family->close(checker->state);
	checker->family = NULL;
	if (family->open(&checker->state, checker->device, err))
		return -1;
	checker->family = family;
	return 0;
}

/* ||a - b|| / ||b|| over elements that are finite in b; infinite when classes of numbers disagree. */
static double relative_l2(const struct tensor *a, const struct tensor *b)
{
	double difference = 0, size = 0;
	for (int64_t i = 0; i < tensor_elements(b); i++) {
		const double x = ((const double *)a->data)[tensor_offset(a, i)], y = ((const double *)b->data)[tensor_offset(b, i)];
		if (isnan(x) != isnan(y) || isinf(x) != isinf(y) || (isinf(y) && x != y))
			return INFINITY;
		if (!isfinite(y))
			continue;
		difference += (x - y) * (x - y);
		size += y * y;
	}
	return size > 0 ? sqrt(difference / size) : difference > 0 ? INFINITY : 0;
}

/* What the family expects of an output, among the tensors that it added to `computed`. */
static const struct tensor *expectation(const struct test_case *computed, const char *output)
{
	return case_find_tensor_const(computed, output, TENSOR_EXPECTED);
}

static void compare_stored(struct checker *checker, const struct test_case *stored, const struct test_case *computed)
{
	int any = 0;
	for (int i = 0; i < stored->tensor_count; i++) {
		const struct tensor *expected = &stored->tensors[i];
		if (expected->role != TENSOR_EXPECTED)
			continue;
		const struct tensor *now = expectation(computed, expected->name);
		if (!now)
			continue; /* kept by --keep-failures: not an expectation of the family's */
		any = 1;
		const double distance = relative_l2(now, expected);
		if (!(distance <= checker->result->worst_relative_l2)) {
			checker->result->worst_relative_l2 = distance;
			memcpy(checker->result->worst_case, stored->name, sizeof stored->name);
		}
		if (!(distance <= SELFCHECK_RELATIVE_L2))
			complain(checker, stored, "the reference is at relative L2 %.3g of the stored %s; at most %.0e is accepted", distance,
				 expected->name, SELFCHECK_RELATIVE_L2);
	}
	checker->result->compared += (size_t)any;
}

/* Puts the rounded expectation into the outputs on the device, with `changed` (row-major index of output `which`, or -1)
 * replaced, and asks the family. */
static int judge_expectation(struct checker *checker, const struct binding *binding, const struct test_case *computed,
			     int which, int64_t changed, double value, enum status *status, char *reason, size_t reason_size,
			     struct error *err)
{
	struct judgement *judgement = calloc(1, sizeof *judgement);
	void *host = NULL;
	int result = -1;
	if (!judgement) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	for (int i = 0; i < binding->test->tensor_count; i++) {
		const struct tensor *output = &binding->test->tensors[i];
		size_t bytes;
		if (output->role != TENSOR_OUTPUT || tensor_bytes(output, &bytes) || !bytes)
			continue;
		const struct tensor *expected = expectation(computed, output->name);
		if (!expected) {
			error_set(err, ERROR_INTERNAL, "case %s: the family expects nothing of %s", computed->name, output->name);
			goto done;
		}
		free(host);
		host = calloc(1, bytes);
		if (!host) {
			error_set(err, ERROR_ENVIRONMENT, "out of memory");
			goto done;
		}
		for (int64_t e = 0; e < tensor_elements(output); e++) {
			const double right = ((const double *)expected->data)[tensor_offset(expected, e)];
			dtype_store(output->dtype, host, (size_t)tensor_offset(output, e), i == which && e == changed ? value : right);
		}
		if (checker->device->ops->copy_in(checker->device, binding->tensors[i].storage, host, bytes, NULL, err))
			goto done;
	}
	if (checker->family->judge(checker->state, binding, checker->judge, DTYPE_F64, judgement, err))
		goto done;
	judgement_decide(judgement, NULL);
	*status = judgement->status;
	snprintf(reason, reason_size, "%s", judgement->reason);
	result = 0;
done:
	free(judgement);
	free(host);
	return result;
}

/* The judge must let the right result pass, and must not when one element of an output is off by half of the largest. */
static int check_judge(struct checker *checker, const struct binding *binding, const struct test_case *computed,
		       struct error *err)
{
	enum status status;
	char reason[512];
	if (judge_expectation(checker, binding, computed, -1, -1, 0, &status, reason, sizeof reason, err))
		return -1;
	if (status == STATUS_PASS)
		checker->result->judged_right++;
	else if (status != STATUS_MISTRUSTED)
		complain(checker, binding->test, "the judge says %s of the right result: %s", status_name(status), reason);
	int changed_any = 0;
	for (int i = 0; i < binding->test->tensor_count; i++) {
		const struct tensor *output = &binding->test->tensors[i];
		const struct tensor *expected = output->role == TENSOR_OUTPUT ? expectation(computed, output->name) : NULL;
		double largest = 0;
		int64_t at = -1;
		for (int64_t e = 0; expected && e < tensor_elements(expected); e++) {
			const double x = ((const double *)expected->data)[tensor_offset(expected, e)];
			if (isfinite(x) && (at < 0 || fabs(x) > fabs(largest))) {
				largest = x;
				at = e;
			}
		}
		if (at < 0)
			continue;
		changed_any = 1;
		const double wrong = largest == 0 ? 1.0 : largest * 1.5;
		if (judge_expectation(checker, binding, computed, i, at, wrong, &status, reason, sizeof reason, err))
			return -1;
		if (status == STATUS_FAIL)
			checker->result->judged_wrong++;
		else
			complain(checker, binding->test, "the judge says %s although an element of %s is %g instead of %g", status_name(status),
				 output->name, wrong, largest);
	}
	checker->result->nothing_to_change += !changed_any;
	return 0;
}

/* Stores what is expected of an element; anything where anything is right. */
static void store_expected(enum dtype dtype, void *storage, int64_t at, const struct expectation *expected, long double value)
{
	if (dtype == DTYPE_I64 && !(expected->flags & EXPECT_NAN))
		((int64_t *)storage)[at] = (int64_t)value;
	else
		dtype_store(dtype, storage, (size_t)at, expected->flags & EXPECT_NAN ? (double)NAN : (double)round_to_dtype(dtype, value));
}

/* A value of the type that is not right: 0 when none of a few is. */
static int wrong_value(enum dtype dtype, const struct expectation *expected, long double *wrong)
{
	const long double value = expected->value;
	const long double tries[] = {value + 1 + 8 * (long double)expected->bound, value - 1 - 8 * (long double)expected->bound, value * 2, value / 2, 1, 0};
	if (expected->flags & (EXPECT_ANY | EXPECT_NAN) || !isfinite(value) || isnan(value))
		return 0;
	for (size_t i = 0; i < ARRAY_COUNT(tries); i++) {
		*wrong = round_to_dtype(dtype, tries[i]);
		if (isfinite(*wrong) && fabsl(*wrong - value) > 2 * (long double)expected->bound && *wrong != value &&
		    (!(expected->flags & EXPECT_OTHER) || fabsl(*wrong - expected->other) > 2 * (long double)expected->bound))
			return 1;
	}
	return 0;
}

/* What --keep-failures stored of an operator's output against what its family expects now. */
static int compare_kept(struct checker *checker, const struct test_case *test, const struct tensor *output,
			const struct expectation *expected)
{
	const struct tensor *stored = expectation(test, output->name);
	if (!stored)
		return 0;
	if (!stored->data || tensor_elements(stored) != tensor_elements(output)) {
		complain(checker, test, "the stored expectation of %s has another shape", output->name);
		return 1;
	}
	for (int64_t i = 0; i < tensor_elements(output); i++) {
		const long double then = load_exact(stored->dtype, stored->data, (size_t)tensor_offset(stored, i));
		const int is_open = (expected[i].flags & (EXPECT_ANY | EXPECT_NAN)) != 0 || isnan(expected[i].value);
		const long double off = fabsl(then - expected[i].value);
		if (is_open ? isnan(then) != 0 : then == expected[i].value || off <= (long double)SELFCHECK_RELATIVE_L2 * fabsl(expected[i].value))
			continue;
		complain(checker, test, "element %lld of %s: %Lg is expected now, %Lg is stored", (long long)i, output->name, expected[i].value,
			 then);
		break;
	}
	return 1;
}

/* The right output of an operator, and the same with one element changed, before the judge. */
static int check_operator_output(struct checker *checker, const struct test_case *test, const struct family *family, int abi,
				 const struct tensor *output, int *changed, int *compared, struct error *err)
{
	const int64_t elements = tensor_elements(output);
	size_t bytes = 0;
	struct expectation_layout layout = {.name = output->name, .dtype = output->dtype, .rank = output->rank};
	memcpy(layout.dims, output->dims, sizeof layout.dims);
	memcpy(layout.strides, output->strides, sizeof layout.strides);
	struct expectation *expected = calloc(elements > 0 ? (size_t)elements : 1, sizeof *expected);
	struct judgement *judgement = calloc(1, sizeof *judgement);
	void *storage = tensor_bytes(output, &bytes) ? NULL : calloc(bytes ? bytes : 1, 1);
	int result = -1;
	if (!expected || !judgement || !storage) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (family->expectations(test, abi, output, expected, err))
		goto done;
	*compared |= compare_kept(checker, test, output, expected);
	for (int64_t i = 0; i < elements; i++)
		store_expected(output->dtype, storage, tensor_offset(output, i), &expected[i], expected[i].value);
	if (judge_expectations(&layout, storage, expected, MATH_PRECISE, judgement) == 0)
		checker->result->judged_right++;
	else
		complain(checker, test, "the judge does not take the right %s: %s", output->name,
			 judgement->checks[CHECK_EXACT].reason[0] ? judgement->checks[CHECK_EXACT].reason : judgement->checks[CHECK_NUMBERS].reason);
	for (int64_t i = 0; i < elements; i++) {
		long double wrong;
		if (!wrong_value(output->dtype, &expected[i], &wrong))
			continue;
		*changed = 1;
		*judgement = (struct judgement){0};
		store_expected(output->dtype, storage, tensor_offset(output, i), &expected[i], wrong);
		if (judge_expectations(&layout, storage, expected, MATH_PRECISE, judgement) > 0)
			checker->result->judged_wrong++;
		else
			complain(checker, test, "the judge takes %s with %Lg instead of %Lg", output->name, wrong, expected[i].value);
		break;
	}
	result = 0;
done:
	free(expected);
	free(judgement);
	free(storage);
	return result;
}

static int check_operator(struct checker *checker, const struct test_case *test, const struct family *family, struct error *err)
{
	const char *entry = case_get_text(test, "entry");
	int abi = 0, changed = 0, compared = 0;
	while (abi + 1 < OPERATOR_ABI_COUNT && !(entry && family_has_symbol(family, abi, entry, NULL)))
		abi++;
	for (int i = 0; i < test->tensor_count; i++)
		if (test->tensors[i].role == TENSOR_OUTPUT && family->expectations &&
		    check_operator_output(checker, test, family, abi, &test->tensors[i], &changed, &compared, err))
			return -1;
	checker->result->cases++;
	checker->result->compared += (size_t)compared;
	checker->result->nothing_to_change += !changed;
	return 0;
}

static int check_case(struct checker *checker, const struct case_source *source, size_t index, struct error *err)
{
	struct test_case test = {0};
	struct binding *binding = calloc(1, sizeof *binding);
	struct test_case computed = {0};
	const struct family *family;
	int result = -1, borrowed = 0;
	if (!binding)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (case_source_load(source, index, 1, &test, &family, err))
		goto done;
	if (family->symbols) {
		result = check_operator(checker, &test, family, err);
		goto done;
	}
	/* the newest profile: it promises the most */
	while (family->profiles[binding->abi + 1])
		binding->abi++;
	if (use_family(checker, family, err) || buffers_bind(&checker->buffers, &test, binding, err))
		goto done;
	case_without_expected(&test, &computed);
	borrowed = computed.tensor_count;
	if (family->expect(checker->state, binding, &computed, err))
		goto done;
	checker->result->cases++;
	compare_stored(checker, &test, &computed);
	result = check_judge(checker, binding, &computed, err);
done:
	if (result)
		error_context(err, "case %zu (%s)", index, case_source_name(source, index));
	for (int i = borrowed; i < computed.tensor_count; i++)
		free(computed.tensors[i].data);
	case_free(&test);
	free(binding);
	return result;
}

/* ---- operators, side by side: nothing of them needs the device ----------------------------------------------------- */

struct crowd {
	const struct case_source *source;
	struct selfcheck *result;
	pthread_mutex_t mutex;       /* of all that follows, and of reading from a stored dataset: HDF5 is not reentrant */
	size_t next;
	size_t failed_at;            /* the first case that could not be checked; SIZE_MAX: none */
	struct error failure;
};

static int is_operator(const struct case_source *source, size_t index)
{
	const struct family *family = family_find(case_source_family(source, index));
	return family && family->symbols;
}

static int check_one_operator(struct crowd *crowd, struct checker *checker, size_t index, struct error *err)
{
	struct test_case test;
	const struct family *family;
	const int is_stored = case_source_is_stored(crowd->source);
	if (is_stored)
		pthread_mutex_lock(&crowd->mutex);
	int result = case_source_load(crowd->source, index, 1, &test, &family, err);
	if (is_stored)
		pthread_mutex_unlock(&crowd->mutex);
	if (result == 0) {
		result = family->symbols ? check_operator(checker, &test, family, err)
					 : error_set(err, ERROR_INPUT, "its name is that of an operator, its family is %s", family->name);
		case_free(&test);
	}
	return result ? error_context(err, "case %zu (%s)", index, case_source_name(crowd->source, index)) : 0;
}

static void check_operators(void *context, int64_t first, int64_t last)
{
	struct crowd *crowd = context;
	struct selfcheck counts = {0};
	struct checker checker = {.result = &counts};
	struct error err;
	(void)first, (void)last; /* each takes what is next: cases differ by more than a thousand times */
	for (;;) {
		pthread_mutex_lock(&crowd->mutex);
		while (crowd->next < case_source_count(crowd->source) && !is_operator(crowd->source, crowd->next))
			crowd->next++;
		const size_t index = crowd->failed_at == SIZE_MAX ? crowd->next++ : SIZE_MAX;
		pthread_mutex_unlock(&crowd->mutex);
		if (index >= case_source_count(crowd->source))
			break;
		if (check_one_operator(crowd, &checker, index, &err)) {
			pthread_mutex_lock(&crowd->mutex);
			if (index < crowd->failed_at) {
				crowd->failed_at = index;
				crowd->failure = err;
			}
			pthread_mutex_unlock(&crowd->mutex);
		}
	}
	pthread_mutex_lock(&crowd->mutex);
	crowd->result->cases += counts.cases;
	crowd->result->compared += counts.compared;
	crowd->result->judged_right += counts.judged_right;
	crowd->result->judged_wrong += counts.judged_wrong;
	crowd->result->nothing_to_change += counts.nothing_to_change;
	crowd->result->failures += counts.failures;
	pthread_mutex_unlock(&crowd->mutex);
}

static int check_all_operators(const struct case_source *source, struct selfcheck *result, struct error *err)
{
	struct crowd crowd = {.source = source, .result = result, .mutex = PTHREAD_MUTEX_INITIALIZER, .failed_at = SIZE_MAX};
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	parallel_for(processors > 0 ? processors : 1, 1, check_operators, &crowd);
	pthread_mutex_destroy(&crowd.mutex);
	if (crowd.failed_at == SIZE_MAX)
		return 0;
	*err = crowd.failure;
	return -1;
}

int selfcheck_run(const struct case_source *source, const char *device_id, struct selfcheck *result, struct error *err)
{
	struct checker checker = {.result = result};
	const struct device_options options = {0};
	int status = -1;
	*result = (struct selfcheck){0};
	if (device_open(&checker.device, device_id, &options, err))
		return -1;
	buffers_init(&checker.buffers, checker.device, GUARD_CANARIES);
	if (judge_open(&checker.judge, checker.device, err))
		goto done;
	for (size_t i = 0; i < case_source_count(source); i++)
		if (!is_operator(source, i) && check_case(&checker, source, i, err))
			goto done;
	if (check_all_operators(source, result, err))
		goto done;
	status = 0;
done:
	if (checker.family)
		checker.family->close(checker.state);
	buffers_free(&checker.buffers);
	judge_close(checker.judge);
	device_close(checker.device);
	return status;
}
