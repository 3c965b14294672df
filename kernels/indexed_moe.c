/* A mixture of experts, quantised: indexed_moe_forward_{q2k .. q6k, q8_0}_q8_1 of the module quantized.
 *
 *   out[b, t, :] = W[ids[b, t]] * x[b, t], or x[b, 0] where all of a token's experts read the same
 *
 * Axes:
 *   format      q8_0, q2_K .. q6_K
 *   n, k        of each expert's matrix [n, k]
 *   batch, topk, experts
 *   shared      yes: inputs [batch, 1, k]; no: [batch, topk, k]
 *   ids         random | first | last | cycle (task i asks expert i modulo experts) | same (all tasks one random expert)
 *   blocks, padding, input  as in quantised.h
 *
 * Right answers and bounds: quantised.h. */
#include "kernels/quantised.h"

#include "core/util.h"
#include "dataset/generate.h"
#include "kernels/operator_like.h"

#include <stdlib.h>
#include <string.h>

static const char *const axes[] = {"format", "n",   "k",      "batch",	 "topk",  "experts",
				   "shared", "ids", "blocks", "padding", "input", NULL};
static const char *const defaults[] = {"q4_K", "6", "512", "3", "2", "5", "yes", "random", "random", "zeros", "normal"};
static const char *const in_entry[] = {"format", NULL};

enum { FORMATS = QUANTISED_OF_256 | 1 << GGUF_Q8_0 };


struct moe {
	enum gguf_format format;
	int64_t n, k, batch, topk, experts, padded, tasks;
	int shared;
	enum quantised_ids ids;
};

static int parse(const struct test_case *test, struct moe *moe, struct error *err)
{
	const char *shared = case_get_text(test, "shared");
	if (quantised_format(test, FORMATS, &moe->format, err) || quantised_check_words(test, err) ||
	    quantised_int(test, "n", 1, 1 << 24, &moe->n, err) || quantised_k(test, moe->format, 1 << 24, &moe->k, err) ||
	    quantised_int(test, "batch", 1, 65535, &moe->batch, err) || quantised_int(test, "topk", 1, 65535, &moe->topk, err) ||
	    quantised_int(test, "experts", 1, 131072, &moe->experts, err))
		return -1;
	if (!shared || (strcmp(shared, "yes") != 0 && strcmp(shared, "no") != 0))
		return error_set(err, ERROR_INPUT, "case %s: axis shared: it is neither yes nor no", test->name);
	if (quantised_ids_of(test, &moe->ids, err))
		return -1;
	moe->shared = strcmp(shared, "yes") == 0;
	moe->padded = quantised_round_up(moe->k, QUANTISED_ROW_PADDING);
	moe->tasks = moe->batch * moe->topk;
	return 0;
}

static int64_t input_rows(const struct moe *moe)
{
	return moe->shared ? moe->batch : moe->tasks;
}

static int make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	const char *format = operator_value(&indexed_moe_family, assignment, "format");
	char entry[64];
	struct moe moe;
	if (strcmp(format, "q8_0") == 0)
		snprintf(entry, sizeof entry, "indexed_moe_forward_q8_0_q8_1");
	else
		snprintf(entry, sizeof entry, "indexed_moe_forward_%.2sk_q8_1", format);
	if (operator_begin(&indexed_moe_family, assignment, seed, entry, in_entry, test, err) || parse(test, &moe, err) ||
	    quantised_add_weights(test, moe.format, moe.experts * moe.n * moe.k, err))
		return -1;
	const int64_t bytes[1] = {input_rows(&moe) * moe.padded / 32 * 36}, ids[2] = {moe.batch, moe.topk};
	const int64_t out[3] = {moe.batch, moe.topk, moe.n};
	if (!case_add_tensor(test, "vectors", TENSOR_INPUT, DTYPE_U8, 1, bytes, NULL, err) ||
	    !case_add_tensor(test, "ids", TENSOR_INPUT, DTYPE_U32, 2, ids, NULL, err) ||
	    !case_add_tensor(test, "out", TENSOR_OUTPUT, DTYPE_F32, 3, out, NULL, err))
		return -1;
	return 0;
}

static int fill(struct test_case *test, struct error *err)
{
	struct moe moe;
	struct tensor *ids = case_find_tensor(test, "ids", TENSOR_INPUT);
	if (parse(test, &moe, err) || quantised_fill_weights(test, moe.format, err) ||
	    quantised_fill_activations(test, "vectors", input_rows(&moe), moe.k, moe.padded, err) || tensor_allocate(ids, err))
		return -1;
	for (int64_t task = 0; task < moe.tasks; task++)
		((uint32_t *)ids->data)[task] = quantised_id(moe.ids, moe.experts, test->seed, task);
	snprintf(ids->generator, sizeof ids->generator, "%s", quantised_ids_kinds[moe.ids]);
	return 0;
}

static int check_case(const struct test_case *test, struct error *err)
{
	struct moe moe;
	if (operator_check_like(&indexed_moe_family, test, err) || parse(test, &moe, err))
		return -1;
	const struct tensor *tensor = operator_tensor(test, "ids");
	const uint32_t *ids = case_tensor_data(test, tensor);
	for (int64_t task = 0; ids && task < moe.tasks; task++)
		if (ids[task] >= moe.experts)
			return error_set(err, ERROR_INPUT, "case %s: ids[%lld] is %u, but there are %lld experts", test->name,
					 (long long)task, ids[task], (long long)moe.experts);
	return 0;
}

static void symbols(enum operator_abi abi, operator_visit visit, void *context)
{
	static const char *const names[] = {"q2k", "q3k", "q4k", "q5k", "q6k", "q8_0"};
	(void)abi;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		char name[64];
		snprintf(name, sizeof name, "indexed_moe_forward_%s_q8_1", names[i]);
		visit(context, &(struct operator_symbol){name, "quantized", 0});
	}
}

static int launch(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err)
{
	struct moe moe;
	(void)abi;
	if (parse(test, &moe, err))
		return -1;
	argument_tensor(launch, test, "weights");
	argument_tensor(launch, test, "vectors");
	argument_tensor(launch, test, "ids");
	argument_tensor(launch, test, "out");
	argument_u32(launch, moe.n);
	argument_u32(launch, moe.k);
	argument_u32(launch, moe.batch);
	argument_u32(launch, moe.topk);
	argument_u32(launch, moe.padded);
	argument_u32(launch, moe.shared ? 1 : moe.topk);
	launch->grid = (struct device_dim3){(uint32_t)moe.n, (uint32_t)moe.batch, (uint32_t)moe.topk};
	launch->block = (struct device_dim3){32, 4, 1};
	return 0;
}

struct pairing {
	const struct moe *moe;
	const uint32_t *ids;
};

static void pair(const void *context, int64_t index, int64_t *weight_row, int64_t *activation_row)
{
	const struct pairing *pairing = context;
	const struct moe *moe = pairing->moe;
	const int64_t task = index / moe->n;
	*weight_row = pairing->ids[task] * moe->n + index % moe->n;
	*activation_row = moe->shared ? task / moe->topk : task;
}

static int expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			struct error *err)
{
	struct moe moe;
	(void)abi;
	if (parse(test, &moe, err))
		return -1;
	const struct pairing pairing = {&moe, case_tensor_data(test, operator_tensor(test, "ids"))};
	const struct quantised_products products = {
		.format = moe.format,
		.k = moe.k,
		.weights = case_tensor_data(test, operator_tensor(test, "weights")),
		.activations = case_tensor_data(test, operator_tensor(test, "vectors")),
		.padded = moe.padded,
		.share = SHARE_BLOCK,
		.outputs = tensor_elements(output),
		.pair = pair,
		.context = &pairing,
	};
	return quantised_expect_products(&products, expected, err);
}

static int work(const struct test_case *test, struct work *work, struct error *err)
{
	struct moe moe;
	if (parse(test, &moe, err))
		return -1;
	unsigned char *used = calloc((size_t)moe.experts, 1);
	double experts = 0;
	if (!used)
		return error_set(err, ERROR_ENVIRONMENT, "case %s: no memory for %lld experts", test->name,
				 (long long)moe.experts);
	for (int64_t task = 0; task < moe.tasks; task++) {
		const uint32_t id = quantised_id(moe.ids, moe.experts, test->seed, task);
		experts += !used[id];
		used[id] = 1;
	}
	free(used);
	const double size = (double)moe.n * (double)moe.k;
	*work = (struct work){
		.flops = 2 * size * (double)moe.tasks,
		.bytes = quantised_bytes(moe.format, experts * size) + (double)input_rows(&moe) * (double)moe.k * 36 / 32 +
			 4 * (double)moe.tasks * (double)(moe.n + 1),
		.unit = WORK_BYTES,
	};
	return 0;
}

const struct family indexed_moe_family = {
	.name = "indexed_moe",
	.axes = axes,
	.defaults = defaults,
	.profiles = operator_profiles,
	.make_case = make_case,
	.fill = fill,
	.check_case = check_case,
	.symbols = symbols,
	.launch = launch,
	.expectations = expectations,
	.work = work,
};
