/* The CUDA reference against the cpu one, on random cases of all features and with scratch from a few KiB up. Needs a GPU.
 *     --time        times the reference at batch * heads = 32, seqlen 4096, head_dim 128 against its two products alone
 *     --export DIR  writes cases and results for a check outside this program */
#include "check.h"
#include "reference_cases.h"

#include "judge/row_class.h"
#include "reference/attention_launch.h"

struct context {
	struct device *cuda, *cpu;
	struct attention_reference *on_cuda, *on_cpu;
};

/* What is compared, and the index of the first element that differs. */
struct comparison {
	const char *what;
	int64_t wrong, first;
	double got, expected;
};

static void note(struct comparison *comparison, int64_t index, double got, double expected, int good)
{
	if (good)
		return;
	if (comparison->wrong++ == 0) {
		comparison->first = index;
		comparison->got = got;
		comparison->expected = expected;
	}
}

static void compare(const char *what, const double *got, const double *expected, const double *scale, int64_t count,
		    double tolerance)
{
	struct comparison comparison = {.what = what};

	for (int64_t n = 0; n < count; n++) {
		const double allowed = tolerance * (scale ? scale[n] : 1 + fabs(expected[n])) + 0x1p-1060;
		note(&comparison, n, got[n], expected[n],
		     (isnan(got[n]) && isnan(expected[n])) || got[n] == expected[n] ||
			     fabs(got[n] - expected[n]) <= allowed);
	}
	check_count++;
	if (comparison.wrong) {
		check_failures++;
		fprintf(stderr, "%s: %lld of %lld differ, first at %lld: %.17g instead of %.17g (tolerance %g)\n", what,
			(long long)comparison.wrong, (long long)count, (long long)comparison.first, comparison.got,
			comparison.expected, tolerance);
	}
}

static void compare_classes(const struct host_result *got, const struct host_result *expected, int ignored)
{
	struct comparison comparison = {.what = "row_class"};

	for (int64_t row = 0; row < got->rows; row++) {
		note(&comparison, row, got->row_class[row], expected->row_class[row],
		     ((got->row_class[row] ^ expected->row_class[row]) & ~ignored) == 0);
		note(&comparison, row, got->row_group[row], expected->row_group[row],
		     got->row_group[row] == expected->row_group[row]);
	}
	CHECK_INT(comparison.wrong, 0);
	if (comparison.wrong)
		fprintf(stderr, "row class or group, first at row %lld: %g instead of %g\n", (long long)comparison.first,
			comparison.got, comparison.expected);
}

static double largest(const double *values, int64_t count)
{
	double most = 0;
	for (int64_t n = 0; n < count; n++)
		most = fmax(most, values[n]);
	return most;
}

/* One case on both devices. Tolerances: eps of the precision for each rounding on the way (d and seqlen_k terms, of which
 * the square root or so remains: 64), and a logit of size L turns its rounding error of eps * L into that of exp. */
static void compare_case(const struct context *context, const struct reference_case *test, enum dtype precision, size_t limit)
{
	const struct attention_options exact = {.precision = DTYPE_F64, .workspace_limit = (size_t)1 << 30, .want_low = 1,
						.want_magnitude = 1};
	struct attention_options options = exact;
	struct host_result got = {0}, expected = {0};
	struct error err = {0};
	const double eps = dtype_epsilon(precision), low_eps = dtype_epsilon(test->problem.dtype);

	options.precision = precision;
	options.workspace_limit = limit;
	if (host_result_make(context->on_cpu, context->cpu, test, &exact, &expected, &err) ||
	    host_result_make(context->on_cuda, context->cuda, test, &options, &got, &err)) {
		fprintf(stderr, "%s\n", err.message);
		CHECK(0);
		goto done;
	}
	const double logits = largest(expected.logit_magnitude, expected.heads), tolerance = eps * (64 + 16 * logits);
	const int64_t elements = got.rows * got.head_dim;

	CHECK_INT(got.rows, expected.rows);
	CHECK_INT(got.heads, expected.heads);
	CHECK(got.workspace_bytes <= limit);
	compare("O", got.o, expected.o, expected.magnitude, elements, tolerance);
	compare("magnitude", got.magnitude, expected.magnitude, expected.magnitude, elements, tolerance);
	compare("LSE", got.lse, expected.lse, NULL, got.rows, tolerance);
	/* float32 underflows where float64 does not, and rounds equal logits apart */
	compare_classes(&got, &expected, precision == DTYPE_F32 ? ROW_MASKED_POISON | ROW_EXACT : 0);
	compare("logit_magnitude", got.logit_magnitude, expected.logit_magnitude, NULL, got.heads, 512 * 0x1p-23);
	compare("logit_max", got.logit_max, expected.logit_max, NULL, got.heads, tolerance);
	compare("value_sum", got.value_sum, expected.value_sum, NULL, got.heads, 0x1p-40);
	if (!test->non_finite) {
		/* both round every score, probability and output once, but sums that differ in the last bit of float32 may
		 * round to neighbours: a whole eps each */
		compare("low O", got.low_o, expected.low_o, expected.magnitude, elements,
			4 * expm1(low_eps * (2 + logits)));
		compare("low LSE", got.low_lse, expected.low_lse, NULL, got.rows, low_eps * (2 + logits));
	}
done:
	host_result_free(&got);
	host_result_free(&expected);
}

static void random_cases(const struct context *context)
{
	static const size_t limits[] = {(size_t)1 << 30, 64 << 10, 512 << 10, 8 << 20};

	for (int number = 0; number < 200; number++) {
		struct reference_case test;
		const int before = check_failures;

		if (reference_case_make(&test, 21, number, number >= 110)) {
			CHECK(0);
			return;
		}
		compare_case(context, &test, DTYPE_F64, limits[number / 3 % 4]);
		if (number % 2 == 0)
			compare_case(context, &test, DTYPE_F32, limits[(number / 2 + 1) % 4]);
		if (check_failures != before)
			reference_case_print(&test, number);
		reference_case_free(&test);
	}
}

/* Rows longer than any random case: several warps, a whole block, and more than a block can hold. */
static void long_rows(const struct context *context)
{
	static const int64_t lengths[] = {513, 4096, 9001, 16384, 16385, 40000};

	for (int n = 0; n < 24; n++) {
		const int64_t d = 16, sk = lengths[n / 4], sq = 5;
		struct case_random random = {(uint64_t)n};
		struct reference_case test = {
			.problem = {.dtype = n % 2 ? DTYPE_BF16 : DTYPE_F16, .batch = 1, .heads_q = 2, .heads_k = 1, .head_dim = d,
				    .seqlen_q = sq, .seqlen_k = sk, .q = {.row_stride = 2 * d, .head_stride = d},
				    .k = {.row_stride = d}, .v = {.row_stride = d}, .window_left = n % 3 ? -1 : sk * 3 / 4,
				    .window_right = n % 2 - 1, .scale = 0.5, .softcap = n % 4 == 3 ? 20 : 0,
				    .alibi = n % 4 == 2 ? ALIBI_DISTANCE : ALIBI_NONE, .slope_batch_stride = 0},
			.slopes = {0.01f, 0.001f}, .q_elements = sq * 2 * d, .k_elements = sk * d, .v_elements = sk * d,
			.inputs = "normal"};
		const int before = check_failures;

		test.problem.slopes = test.slopes;
		test.q = case_fill(&random, &test, test.q_elements, INPUTS_NORMAL, 1, 0);
		test.k = case_fill(&random, &test, test.k_elements, INPUTS_NORMAL, 0, 0);
		test.v = case_fill(&random, &test, test.v_elements, INPUTS_NORMAL, 0, 1);
		if (test.q && test.k && test.v) {
			compare_case(context, &test, DTYPE_F64, n % 2 ? (size_t)1 << 30 : 2 << 20);
			compare_case(context, &test, DTYPE_F32, n % 2 ? 2 << 20 : (size_t)1 << 30);
		} else {
			CHECK(0);
		}
		if (check_failures != before)
			reference_case_print(&test, n);
		reference_case_free(&test);
	}
}

/* The chain computes the same as the low result, whose output is rounded from float32 as well. */
static void chain_matches_low(const struct context *context)
{
	for (int number = 0; number < 24; number++) {
		const struct attention_options options = {.precision = DTYPE_F64, .workspace_limit = (size_t)1 << 30, .want_low = 1,
							  .want_magnitude = 1};
		struct reference_case test;
		struct host_result host = {0};
		struct placed_case placed = {0};
		struct attention_chain *chain = NULL;
		struct error err = {0};
		uint16_t *output = NULL;

		if (reference_case_make(&test, 33, number, 0) ||
		    host_result_make(context->on_cuda, context->cuda, &test, &options, &host, &err) ||
		    placed_case_make(context->cuda, &test, &placed, &err) ||
		    attention_chain_prepare(context->on_cuda, &placed.problem, (size_t)1 << 30, &chain, &err) ||
		    attention_chain_enqueue(chain, NULL, &err) || device_synchronize(context->cuda, &err)) {
			fprintf(stderr, "%s\n", err.message);
			CHECK(0);
		} else if (!test.problem.cu_seqlens_q && attention_chain_output(chain)) {
			const struct attention_problem *const p = &test.problem;
			const int64_t ratio = p->heads_q / p->heads_k, elements = host.rows * host.head_dim;
			const double tolerance = 4 * expm1(dtype_epsilon(p->dtype) * (2 + largest(host.logit_magnitude, host.heads)));
			int64_t wrong = 0;

			output = host_copy(context->cuda, attention_chain_output(chain), (size_t)elements * sizeof *output);
			CHECK(output != NULL);
			for (int64_t n = 0; output && n < elements; n++) {
				const int64_t row = n / host.head_dim, head = row / p->seqlen_q, i = row % p->seqlen_q;
				const int64_t at = (head / ratio * p->seqlen_q + i) * ratio + head % ratio;
				const double value =
					dtype_load(p->dtype, output, (size_t)(at * host.head_dim + n % host.head_dim));
				wrong += !(fabs(value - host.low_o[n]) <= tolerance * host.magnitude[n]);
			}
			CHECK_INT(wrong, 0);
			if (wrong)
				reference_case_print(&test, number);
		}
		struct attention_chain *refused = NULL;
		CHECK_INT(attention_chain_prepare(context->on_cuda, &placed.problem, 1, &refused, &err), -1);
		CHECK_INT(err.kind, ERROR_UNSUPPORTED);
		free(output);
		attention_chain_free(chain);
		placed_case_free(context->cuda, &placed);
		host_result_free(&host);
		reference_case_free(&test);
	}
}

static void too_small_a_limit(const struct context *context)
{
	const struct attention_options options = {.precision = DTYPE_F64, .workspace_limit = 1024};
	struct reference_case test;
	struct host_result host;
	struct error err = {0};

	CHECK_INT(reference_case_make(&test, 1, 0, 0), 0);
	CHECK_INT(host_result_make(context->on_cuda, context->cuda, &test, &options, &host, &err), -1);
	CHECK_CONTAINS(err.message, "scratch");
	reference_case_free(&test);
}

/* ---- timing ------------------------------------------------------------------------------------------------------- */

enum { TIMING_HEADS = 32, TIMING_LENGTH = 4096, TIMING_D = 128, TIMING_RUNS = 11 };

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double median(double *seconds, int count)
{
	qsort(seconds, (size_t)count, sizeof *seconds, ascending);
	return seconds[count / 2];
}

enum timed { TIME_SCORES, TIME_OUTPUT, TIME_SOFTMAX };

/* Median milliseconds of one step of the reference by itself, over the memory given. */
static int time_step(const struct context *context, enum timed timed, enum dtype type, device_pointer s, device_pointer x,
		     device_pointer o, double *ms, struct error *err)
{
	struct device *const device = context->cuda;
	const int64_t n = TIMING_LENGTH, d = TIMING_D;
	const struct device_gemm scores = {.m = n, .n = n, .k = d, .batch = TIMING_HEADS, .alpha = 0.088, .a = x, .lda = d,
					   .stride_a = n * d, .b = x, .ldb = d, .stride_b = n * d, .transpose_b = 1, .c = s,
					   .ldc = n, .stride_c = n * n, .input = type, .output = type};
	const struct device_gemm output = {.m = n, .n = d, .k = n, .batch = TIMING_HEADS, .alpha = 1, .a = s, .lda = n,
					   .stride_a = n * n, .b = x, .ldb = d, .stride_b = n * d, .c = o, .ldc = d,
					   .stride_c = n * d, .input = type, .output = type};
	const struct attention_block block = {.group_stride = n * n, .row_stride = n, .groups = TIMING_HEADS, .rows = (int32_t)n,
					      .ratio = 1, .columns = (int32_t)n, .seqlen_k = (int32_t)n, .window_left = -1,
					      .window_right = -1};
	struct device_event *begun = NULL, *ended = NULL;
	double seconds[TIMING_RUNS];
	int failed = -1;

	if (device->ops->event_create(device, &begun, err) || device->ops->event_create(device, &ended, err))
		goto done;
	for (int run = -2; run < TIMING_RUNS; run++) {
		if (device->ops->event_record(device, begun, NULL, err))
			goto done;
		if (timed == TIME_SOFTMAX
			    ? launch_softmax(cuda_reference_kernels(context->on_cuda->cuda), type, s, &block, NULL, err)
			    : device->ops->gemm(device, timed == TIME_SCORES ? &scores : &output, NULL, err))
			goto done;
		if (device->ops->event_record(device, ended, NULL, err) || device->ops->event_synchronize(device, ended, err) ||
		    device->ops->event_elapsed(device, begun, ended, &seconds[run < 0 ? 0 : run], err))
			goto done;
	}
	*ms = 1e3 * median(seconds, TIMING_RUNS);
	failed = 0;
done:
	if (begun)
		device->ops->event_destroy(device, begun, NULL);
	if (ended)
		device->ops->event_destroy(device, ended, NULL);
	return failed;
}

static int time_reference(const struct context *context, const struct attention_problem *problem,
			  const struct attention_options *options, double *device_ms, double *wall_ms, struct error *err)
{
	double seconds[TIMING_RUNS], walls[TIMING_RUNS];

	for (int run = -1; run < TIMING_RUNS; run++) {
		struct attention_result result;
		const double begun = monotonic_seconds();

		if (attention_reference_run(context->on_cuda, problem, options, &result, err))
			return -1;
		seconds[run < 0 ? 0 : run] = result.seconds;
		walls[run < 0 ? 0 : run] = monotonic_seconds() - begun;
		attention_result_free(context->on_cuda, &result);
	}
	*device_ms = 1e3 * median(seconds, TIMING_RUNS);
	*wall_ms = 1e3 * median(walls, TIMING_RUNS);
	return 0;
}

static int time_precision(const struct context *context, enum dtype precision, const struct attention_problem *problem,
			  struct error *err)
{
	struct device *const device = context->cuda;
	const size_t size = dtype_size(precision), rows = (size_t)TIMING_HEADS * TIMING_LENGTH;
	const size_t elements = rows * TIMING_D, scores = rows * TIMING_LENGTH;
	const struct attention_options bare = {.precision = precision, .workspace_limit = (size_t)8 << 30};
	struct attention_options full = bare;
	struct attention_problem causal = *problem;
	device_pointer s = 0, x = 0, o = 0;
	void *values = malloc(elements * size);
	double ms[3], reference, wall, reference_causal, wall_causal, reference_full, wall_full;
	struct case_random random = {9};
	int failed = -1;

	full.want_low = full.want_magnitude = 1;
	causal.window_left = TIMING_LENGTH;
	causal.window_right = 0;
	for (size_t n = 0; values && n < elements; n++)
		dtype_store(precision, values, n, case_uniform(&random));
	if (!values || device_alloc(device, scores * size, &s, err) || device_alloc(device, elements * size, &x, err) ||
	    device_alloc(device, elements * size, &o, err) || device->ops->copy_in(device, x, values, elements * size, NULL, err) ||
	    time_step(context, TIME_SCORES, precision, s, x, o, &ms[0], err) ||
	    time_step(context, TIME_OUTPUT, precision, s, x, o, &ms[1], err) ||
	    time_step(context, TIME_SOFTMAX, precision, s, x, o, &ms[2], err))
		goto done;
	device_free(device, s);
	s = 0;
	if (time_reference(context, problem, &bare, &reference, &wall, err) ||
	    time_reference(context, &causal, &bare, &reference_causal, &wall_causal, err) ||
	    time_reference(context, problem, &full, &reference_full, &wall_full, err))
		goto done;
	const double tera = 2e-9 * (double)scores * TIMING_D;
	printf("%s, batch*heads 32, seqlen 4096, head_dim 128 on %s (%s)\n", dtype_name(precision), device->properties.name,
	       device->properties.gemm_library);
	printf("  QK^T alone     %8.3f ms  %6.1f TFLOP/s\n", ms[0], tera / ms[0]);
	printf("  PV alone       %8.3f ms  %6.1f TFLOP/s\n", ms[1], tera / ms[1]);
	printf("  softmax alone  %8.3f ms  %6.0f GB/s\n", ms[2], 2e-6 * (double)(scores * size) / ms[2]);
	printf("  reference      %8.3f ms  = %.3f x the two products alone (%.3f ms)%s; wall %.3f ms\n", reference,
	       reference / (ms[0] + ms[1]), ms[0] + ms[1], reference <= 1.7 * (ms[0] + ms[1]) ? "" : "  ABOVE 1.7", wall);
	printf("  causal         %8.3f ms; wall %.3f ms\n", reference_causal, wall_causal);
	printf("  with magnitudes and the low chain: %.3f ms; wall %.3f ms\n", reference_full, wall_full);
	failed = 0;
done:
	device_free(device, s);
	device_free(device, x);
	device_free(device, o);
	free(values);
	return failed;
}

static int time_all(const struct context *context)
{
	const int64_t d = TIMING_D, row = 16 * d;
	struct attention_operand operand = {.batch_stride = TIMING_LENGTH * row, .row_stride = row, .head_stride = d};
	struct reference_case test = {
		.problem = {.dtype = DTYPE_F16, .batch = 2, .heads_q = 16, .heads_k = 16, .head_dim = d,
			    .seqlen_q = TIMING_LENGTH, .seqlen_k = TIMING_LENGTH, .q = operand, .k = operand, .v = operand,
			    .window_left = -1, .window_right = -1, .scale = 1 / sqrt((double)d)},
		.q_elements = 2 * TIMING_LENGTH * row, .k_elements = 2 * TIMING_LENGTH * row,
		.v_elements = 2 * TIMING_LENGTH * row};
	struct case_random random = {4};
	struct placed_case placed = {0};
	struct error err = {0};
	int code = 1;

	test.q = case_fill(&random, &test, test.q_elements, INPUTS_UNIFORM, 1, 0);
	test.k = case_fill(&random, &test, test.k_elements, INPUTS_UNIFORM, 0, 0);
	test.v = case_fill(&random, &test, test.v_elements, INPUTS_UNIFORM, 0, 1);
	if (test.q && test.k && test.v && !placed_case_make(context->cuda, &test, &placed, &err) &&
	    !time_precision(context, DTYPE_F64, &placed.problem, &err) &&
	    !time_precision(context, DTYPE_F32, &placed.problem, &err))
		code = 0;
	else
		fprintf(stderr, "timing: %s\n", err.message[0] ? err.message : "out of memory");
	placed_case_free(context->cuda, &placed);
	reference_case_free(&test);
	return code;
}

int main(int argc, char **argv)
{
	struct context context = {0};
	struct error err = {0};
	char why[256] = "";
	int code = 1;

	if (device_cuda_count(why, sizeof why) < 1)
		return check_skip(why[0] ? why : "no CUDA device");
	if (device_open(&context.cuda, "cuda:0", NULL, &err) || device_open(&context.cpu, "cpu", NULL, &err) ||
	    attention_reference_open(&context.on_cuda, context.cuda, &err) ||
	    attention_reference_open(&context.on_cpu, context.cpu, &err)) {
		fprintf(stderr, "%s\n", err.message);
		goto done;
	}
	if (argc == 2 && strcmp(argv[1], "--time") == 0) {
		code = time_all(&context);
	} else if (argc == 3 && strcmp(argv[1], "--export") == 0) {
		code = reference_cases_export(context.on_cuda, context.cuda, DTYPE_F64, argv[2], 32);
	} else {
		random_cases(&context);
		long_rows(&context);
		chain_matches_low(&context);
		too_small_a_limit(&context);
		code = check_result();
	}
done:
	attention_reference_close(context.on_cpu);
	attention_reference_close(context.on_cuda);
	device_close(context.cpu);
	device_close(context.cuda);
	return code;
}
