/* The judge on a cuda device: launches of the kernels in judge_kernels.cu, whose PTX is embedded. Everything is queued
 * on the device's own stream; each call ends with one copy to the host, which waits for it. */
#include "judge/private.h"

#include "core/util.h"

#include <stdlib.h>
#include <string.h>

extern const char judge_kernels_ptx[];

enum kernel {
	KERNEL_MEMORY_VALUE,
	KERNEL_MEMORY_REST,
	KERNEL_BYTES,
	KERNEL_DIGEST,
	KERNEL_RANGES,
	KERNEL_COMPARE,
	KERNEL_COMBINE,
	KERNEL_COUNT
};

static const char *const kernel_names[KERNEL_COUNT] = {
	[KERNEL_MEMORY_VALUE] = "assay_judge_memory_value",
	[KERNEL_MEMORY_REST] = "assay_judge_memory_rest",
	[KERNEL_BYTES] = "assay_judge_bytes",
	[KERNEL_DIGEST] = "assay_judge_digest",
	[KERNEL_RANGES] = "assay_judge_ranges",
	[KERNEL_COMPARE] = "assay_judge_compare",
	[KERNEL_COMBINE] = "assay_judge_combine",
};

struct cuda_judge {
	struct device *device;
	struct device_module *module;
	struct device_function *kernels[KERNEL_COUNT];
	device_pointer scratch; /* grows, never shrinks */
	size_t scratch_bytes;
};

static void cuda_close(void *state)
{
	struct cuda_judge *judge = state;
	device_free(judge->device, judge->scratch);
	if (judge->module)
		judge->device->ops->module_unload(judge->device, judge->module, NULL);
	free(judge);
}

int judge_cuda_open(void **state, struct device *device, struct error *err)
{
	struct cuda_judge *judge = calloc(1, sizeof *judge);
	if (!judge)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for the judge");
	judge->device = device;
	if (device->ops->module_load(device, judge_kernels_ptx, &judge->module, err)) {
		error_context(err, "kernels of the judge");
		goto fail;
	}
	for (int i = 0; i < KERNEL_COUNT; i++)
		if (device->ops->module_function(device, judge->module, kernel_names[i], &judge->kernels[i], err))
			goto fail;
	*state = judge;
	return 0;
fail:
	cuda_close(judge);
	return -1;
}

static int reserve(struct cuda_judge *judge, size_t bytes, struct error *err)
{
	if (bytes <= judge->scratch_bytes)
		return 0;
	device_free(judge->device, judge->scratch);
	judge->scratch = 0;
	judge->scratch_bytes = 0;
	if (device_alloc(judge->device, bytes, &judge->scratch, err))
		return error_context(err, "scratch of the judge");
	judge->scratch_bytes = bytes;
	return 0;
}

static int launch(struct cuda_judge *judge, enum kernel kernel, uint64_t blocks, const void *args, struct error *err)
{
	/* cuLaunchKernel takes pointers to mutable parameters and only reads them */
	void *arguments[] = {(void *)(uintptr_t)args};
	return judge->device->ops->launch(judge->device, judge->kernels[kernel],
					  (struct device_dim3){(uint32_t)blocks, 1, 1},
					  (struct device_dim3){JUDGE_BLOCK, 1, 1}, 0, NULL, arguments, err);
}

/* Blocks for a grid-stride loop over `items`: enough to fill the device, not more than there is work for. */
static uint64_t blocks_for(const struct cuda_judge *judge, uint64_t items)
{
	const uint64_t most = 16u * (uint64_t)(judge->device->properties.multiprocessors > 0
						       ? judge->device->properties.multiprocessors
						       : 1);
	const uint64_t useful = items / JUDGE_BLOCK + 1;
	return useful < most ? useful : most;
}

/* Puts `counters` on the device at the start of the scratch. */
static int counters_in(struct cuda_judge *judge, const void *counters, size_t bytes, struct error *err)
{
	return judge->device->ops->copy_in(judge->device, judge->scratch, counters, bytes, NULL, err);
}

static int counters_out(struct cuda_judge *judge, void *counters, size_t bytes, struct error *err)
{
	return judge->device->ops->copy_out(judge->device, counters, judge->scratch, bytes, NULL, err);
}

static int cuda_memory(void *state, const struct judge_memory_args *given, int covers, struct judge_memory_counters *out,
		       struct error *err)
{
	struct cuda_judge *judge = state;
	struct judge_memory_args args = *given;
	const size_t words = covers ? 0 : (size_t)(args.storage / 32 + 1);
	enum { BITMAP_AT = (sizeof *out + 255) / 256 * 256 };

	*out = (struct judge_memory_counters){.unwritten_first = UINT64_MAX,
					      .differing_first = UINT64_MAX,
					      .canary_first = UINT64_MAX,
					      .gap_first = UINT64_MAX};
	if (reserve(judge, BITMAP_AT + words * 4, err) || counters_in(judge, out, sizeof *out, err))
		return -1;
	args.counters = judge->scratch;
	if (!covers) {
		args.bitmap = judge->scratch + BITMAP_AT;
		if (judge->device->ops->fill(judge->device, args.bitmap, 0, 4, words, NULL, err))
			return -1;
	}
	const uint64_t rest = args.front + args.back + (covers ? 0 : args.storage);
	if (args.shape.elements > 0 &&
	    launch(judge, KERNEL_MEMORY_VALUE, blocks_for(judge, (uint64_t)args.shape.elements), &args, err))
		return -1;
	if (rest > 0 && launch(judge, KERNEL_MEMORY_REST, blocks_for(judge, rest), &args, err))
		return -1;
	return counters_out(judge, out, sizeof *out, err);
}

static int cuda_bytes(void *state, const struct judge_bytes_args *given, struct judge_bytes_counters *out,
		      struct error *err)
{
	struct cuda_judge *judge = state;
	struct judge_bytes_args args = *given;

	*out = (struct judge_bytes_counters){.first = UINT64_MAX};
	if (args.bytes == 0)
		return 0;
	if (reserve(judge, sizeof *out, err) || counters_in(judge, out, sizeof *out, err))
		return -1;
	args.counters = judge->scratch;
	const uint64_t items = ((args.a | args.b) & 15) == 0 ? args.bytes / 16 + 16 : args.bytes;
	if (launch(judge, KERNEL_BYTES, blocks_for(judge, items), &args, err))
		return -1;
	return counters_out(judge, out, sizeof *out, err);
}

static int cuda_digest(void *state, const struct judge_digest_args *given, uint64_t halves[2], struct error *err)
{
	struct cuda_judge *judge = state;
	struct judge_digest_args args = *given;

	halves[0] = halves[1] = 0;
	if (args.words == 0)
		return 0;
	if (reserve(judge, 16, err) || counters_in(judge, halves, 16, err))
		return -1;
	args.halves = judge->scratch;
	if (launch(judge, KERNEL_DIGEST, blocks_for(judge, args.words), &args, err))
		return -1;
	return counters_out(judge, halves, 16, err);
}

/* Blocks that share one group: so many that the device is full, but each has several thousand elements. */
static uint32_t pieces_of_group(const struct cuda_judge *judge, const struct judge_compare_args *args)
{
	const uint64_t processors = judge->device->properties.multiprocessors > 0
					    ? (uint64_t)judge->device->properties.multiprocessors
					    : 1;
	const uint64_t fill = 4 * processors / (uint64_t)args->groups + 1;
	const uint64_t work = (uint64_t)args->rows * (uint64_t)args->columns / (uint64_t)args->groups / 4096 + 1;
	return (uint32_t)(fill < work ? fill : work);
}

static int cuda_compare(void *state, const struct judge_compare_args *given, const double *slack,
			struct judge_group *groups, int64_t histogram[JUDGE_HISTOGRAM_BINS], uint64_t *invalid,
			struct error *err)
{
	struct cuda_judge *judge = state;
	struct device *device = judge->device;
	struct judge_compare_args args = *given;
	const size_t count = (size_t)args.groups; /* < 2^31, so that none of the sizes below can overflow */
	unsigned char *back = NULL;
	int result = -1;

	args.pieces = pieces_of_group(judge, &args);
	/* From the start: results, histogram, invalid (these come back), slack, ranges, partials. */
	const size_t results_bytes = count * sizeof *groups;
	const size_t histogram_bytes = JUDGE_HISTOGRAM_BINS * sizeof *histogram;
	const size_t back_bytes = results_bytes + histogram_bytes + sizeof *invalid;
	const size_t slack_bytes = count * sizeof *slack;
	const size_t range_bytes = (count * sizeof(uint32_t) + 7) / 8 * 8;
	const size_t partial_bytes = args.pieces > 1 ? count * args.pieces * sizeof *groups : 0;
	if (reserve(judge, back_bytes + slack_bytes + 2 * range_bytes + partial_bytes, err))
		return -1;
	args.results = judge->scratch;
	args.histogram = args.results + results_bytes;
	args.invalid = args.histogram + histogram_bytes;
	const device_pointer slack_at = args.invalid + sizeof *invalid;
	args.first_row = slack_at + slack_bytes;
	args.end_row = args.first_row + range_bytes;
	args.partials = args.end_row + range_bytes;

	if (device->ops->fill(device, args.histogram, 0, 4, (histogram_bytes + sizeof *invalid) / 4, NULL, err))
		return -1;
	if (slack) {
		args.slack = slack_at;
		if (device->ops->copy_in(device, slack_at, slack, slack_bytes, NULL, err))
			return -1;
	}
	if (args.row_group &&
	    (device->ops->fill(device, args.first_row, UINT32_MAX, 4, count, NULL, err) ||
	     device->ops->fill(device, args.end_row, 0, 4, count, NULL, err) ||
	     launch(judge, KERNEL_RANGES, blocks_for(judge, (uint64_t)args.rows), &args, err)))
		return -1;
	const uint64_t blocks = (uint64_t)args.groups * args.pieces;
	if (blocks > INT32_MAX)
		return error_set(err, ERROR_UNSUPPORTED, "judge: %zu groups are too many for one launch", count);
	if (launch(judge, KERNEL_COMPARE, blocks, &args, err))
		return -1;
	if (args.pieces > 1 && launch(judge, KERNEL_COMBINE, (uint64_t)args.groups, &args, err))
		return -1;

	back = malloc(back_bytes);
	if (!back)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for the judge");
	if (device->ops->copy_out(device, back, judge->scratch, back_bytes, NULL, err))
		goto done;
	memcpy(groups, back, results_bytes);
	memcpy(histogram, back + results_bytes, histogram_bytes);
	memcpy(invalid, back + results_bytes + histogram_bytes, sizeof *invalid);
	result = 0;
done:
	free(back);
	return result;
}

const struct judge_backend judge_cuda_backend = {
	.close = cuda_close,
	.memory = cuda_memory,
	.bytes = cuda_bytes,
	.digest = cuda_digest,
	.compare = cuda_compare,
};
