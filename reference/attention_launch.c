#include "reference/attention_launch.h"

#include <string.h>

_Static_assert(sizeof(struct attention_gather) == ATTENTION_GATHER_BYTES, "the kernels expect another layout");
_Static_assert(sizeof(struct attention_block) == ATTENTION_BLOCK_BYTES, "the kernels expect another layout");
_Static_assert(ALIBI_NONE == (int)KERNEL_ALIBI_NONE && ALIBI_DISTANCE == (int)KERNEL_ALIBI_DISTANCE &&
		       ALIBI_CAUSAL == (int)KERNEL_ALIBI_CAUSAL,
	       "the kernels number the forms of ALiBi differently");

extern const char assay_attention_ptx[];

enum {
	GATHER_F64, GATHER_F64_PAIR, GATHER_F32, GATHER_F32_PAIR, GATHER_16, GATHER_16_PAIR,
	SOFTMAX_F64, SOFTMAX_F64_TRANSFORM, SOFTMAX_LONG_F64,
	SOFTMAX_F32, SOFTMAX_F32_TRANSFORM, SOFTMAX_LONG_F32,
	SOFTMAX_F16, SOFTMAX_F16_TRANSFORM, SOFTMAX_LONG_F16,
	SOFTMAX_BF16, SOFTMAX_BF16_TRANSFORM, SOFTMAX_LONG_BF16,
	LOGIT_MAGNITUDE, STORE_ROWS_F64, STORE_ROWS_F32, VALUE_SUM, FLAG_ROWS, COUNT_BAD, SPREAD_F64, SPREAD_F32,
	CHECK_EXACT,
	KERNELS_LISTED
};
_Static_assert(KERNELS_LISTED == (int)ATTENTION_KERNELS_COUNT, "attention_launch.h counts the kernels");

static const char *const names[] = {
	"gather_f64", "gather_f64_pair", "gather_f32", "gather_f32_pair", "gather_16", "gather_16_pair",
	"softmax_f64", "softmax_f64_transform", "softmax_long_f64",
	"softmax_f32", "softmax_f32_transform", "softmax_long_f32",
	"softmax_f16", "softmax_f16_transform", "softmax_long_f16",
	"softmax_bf16", "softmax_bf16_transform", "softmax_long_bf16",
	"logit_magnitude", "store_rows_f64", "store_rows_f32", "value_sum", "flag_rows", "count_bad", "spread_f64", "spread_f32",
	"check_exact",
};
_Static_assert(sizeof names / sizeof names[0] == KERNELS_LISTED, "one name for each kernel");

int attention_kernels_open(struct attention_kernels *kernels, struct device *device, struct error *err)
{
	*kernels = (struct attention_kernels){.device = device};
	if (device->ops->module_load(device, assay_attention_ptx, &kernels->module, err))
		return error_context(err, "attention reference: loading its kernels");
	for (int n = 0; n < KERNELS_LISTED; n++)
		if (device->ops->module_function(device, kernels->module, names[n], &kernels->functions[n], err)) {
			error_context(err, "attention reference: kernel %s", names[n]);
			attention_kernels_close(kernels);
			return -1;
		}
	return 0;
}

void attention_kernels_close(struct attention_kernels *kernels)
{
	if (kernels->module)
		kernels->device->ops->module_unload(kernels->device, kernels->module, NULL);
	memset(kernels, 0, sizeof *kernels);
}

static int launch(const struct attention_kernels *kernels, int kernel, uint64_t blocks, uint32_t blocks_y,
		  struct device_dim3 block, struct device_stream *stream, void **arguments, struct error *err)
{
	struct device *const device = kernels->device;
	const struct device_dim3 grid = {(uint32_t)blocks, blocks_y, 1};

	if (blocks == 0 || blocks_y == 0)
		return 0;
	if (blocks > INT32_MAX)
		return error_set(err, ERROR_INTERNAL, "attention reference: %llu blocks of %s do not fit a grid",
				 (unsigned long long)blocks, names[kernel]);
	if (device->ops->launch(device, kernels->functions[kernel], grid, block, 0, stream, arguments, err))
		return error_context(err, "attention reference: kernel %s", names[kernel]);
	return 0;
}

static uint64_t blocks_for(uint64_t rows, uint32_t rows_per_block)
{
	return (rows + rows_per_block - 1) / rows_per_block;
}

static uint32_t whole_warps(int64_t threads, uint32_t most)
{
	const int64_t rounded = (threads + 31) / 32 * 32;
	return rounded < 32 ? 32 : rounded > most ? most : (uint32_t)rounded;
}

/* Rows of `work` items: as many threads as a row can use, the rest of the block for further rows. */
static struct device_dim3 row_block(int64_t work)
{
	const uint32_t across = whole_warps(work, KERNEL_THREADS);
	return (struct device_dim3){across, KERNEL_THREADS / across, 1};
}

static uint64_t block_rows(const struct attention_block *block)
{
	return (uint64_t)block->groups * (uint64_t)block->rows;
}

static uint64_t gather_rows(const struct attention_gather *gather)
{
	return (uint64_t)gather->groups * (uint64_t)gather->rows;
}

int launch_gather(const struct attention_kernels *kernels, enum dtype type, device_pointer in, device_pointer out,
		  const struct attention_gather *gather, struct device_stream *stream, struct error *err)
{
	struct attention_gather g = *gather;
	const int pair = g.columns % 2 == 0 && g.batch_stride % 2 == 0 && g.row_stride % 2 == 0 && g.head_stride % 2 == 0 &&
			 in % 4 == 0;
	const int kernel = type == DTYPE_F64 ? GATHER_F64 : type == DTYPE_F32 ? GATHER_F32 : GATHER_16;
	const struct device_dim3 block = row_block(pair ? g.columns / 2 : g.columns);
	void *arguments[] = {&in, &out, &g};

	return launch(kernels, kernel + pair, blocks_for(gather_rows(&g), block.y), 1, block, stream, arguments, err);
}

int launch_softmax(const struct attention_kernels *kernels, enum dtype type, device_pointer scores,
		   const struct attention_block *block, struct device_stream *stream, struct error *err)
{
	struct attention_block b = *block;
	const int first = type == DTYPE_F64   ? SOFTMAX_F64
			  : type == DTYPE_F32 ? SOFTMAX_F32
			  : type == DTYPE_F16 ? SOFTMAX_F16
					      : SOFTMAX_BF16;
	const int64_t threads = ((int64_t)b.columns + SOFTMAX_PER_THREAD - 1) / SOFTMAX_PER_THREAD;
	void *arguments[] = {&scores, &b};
	struct device_dim3 shape = {SOFTMAX_THREADS_MAX, 1, 1};

	if (threads > SOFTMAX_THREADS_MAX)
		return launch(kernels, first + SOFTMAX_LONG_F64 - SOFTMAX_F64, block_rows(&b), 1, shape, stream, arguments,
			      err);
	shape.x = whole_warps(threads, SOFTMAX_THREADS_MAX);
	if (shape.x == 32)
		shape.y = SOFTMAX_WARP_ROWS;
	return launch(kernels, first + (b.softcap > 0 || b.alibi != KERNEL_ALIBI_NONE), blocks_for(block_rows(&b), shape.y),
		      1, shape, stream, arguments, err);
}

int launch_logit_magnitude(const struct attention_kernels *kernels, device_pointer scores,
			   const struct attention_block *block, struct device_stream *stream, struct error *err)
{
	struct attention_block b = *block;
	void *arguments[] = {&scores, &b};
	const struct device_dim3 shape = {whole_warps(b.columns / 4, KERNEL_THREADS), 1, 1};

	return launch(kernels, LOGIT_MAGNITUDE, block_rows(&b), 1, shape, stream, arguments, err);
}

int launch_store_rows(const struct attention_kernels *kernels, enum dtype type, device_pointer in, device_pointer result,
		      const struct attention_block *block, int64_t columns, enum dtype through,
		      struct device_stream *stream, struct error *err)
{
	struct attention_block b = *block;
	int32_t width = (int32_t)columns, round_to = through == DTYPE_F16 ? 1 : through == DTYPE_BF16 ? 2 : 0;
	void *arguments[] = {&in, &result, &b, &width, &round_to};
	const struct device_dim3 shape = row_block(columns);

	return launch(kernels, type == DTYPE_F64 ? STORE_ROWS_F64 : STORE_ROWS_F32, blocks_for(block_rows(&b), shape.y), 1,
		      shape, stream, arguments, err);
}

int launch_value_sum(const struct attention_kernels *kernels, device_pointer v, device_pointer sums,
		     const struct attention_gather *gather, struct device_stream *stream, struct error *err)
{
	struct attention_gather g = *gather;
	void *arguments[] = {&v, &sums, &g};
	const struct device_dim3 shape = {VALUE_SUM_SIDE, VALUE_SUM_SIDE, 1};

	return launch(kernels, VALUE_SUM, (uint64_t)g.groups, (uint32_t)blocks_for((uint64_t)g.columns, VALUE_SUM_SIDE),
		      shape, stream, arguments, err);
}

int launch_flag_rows(const struct attention_kernels *kernels, device_pointer in, device_pointer flags,
		     const struct attention_gather *gather, int keep, struct device_stream *stream, struct error *err)
{
	struct attention_gather g = *gather;
	int32_t keep_flags = keep;
	void *arguments[] = {&in, &flags, &g, &keep_flags};
	const struct device_dim3 shape = row_block(32);

	return launch(kernels, FLAG_ROWS, blocks_for(gather_rows(&g), shape.y), 1, shape, stream, arguments, err);
}

int launch_count_bad(const struct attention_kernels *kernels, device_pointer flags, device_pointer before, int64_t groups,
		     int64_t rows, struct device_stream *stream, struct error *err)
{
	int32_t count = (int32_t)rows;
	void *arguments[] = {&flags, &before, &count};

	return launch(kernels, COUNT_BAD, (uint64_t)groups, 1, (struct device_dim3){1024, 1, 1}, stream, arguments, err);
}

int launch_spread(const struct attention_kernels *kernels, enum dtype type, device_pointer probabilities, device_pointer v,
		  device_pointer o, const struct attention_block *block, const struct attention_gather *gather,
		  struct device_stream *stream, struct error *err)
{
	struct attention_block b = *block;
	struct attention_gather g = *gather;
	void *arguments[] = {&probabilities, &v, &o, &b, &g};
	const struct device_dim3 shape = {whole_warps(g.columns, KERNEL_THREADS), 1, 1};

	return launch(kernels, type == DTYPE_F64 ? SPREAD_F64 : SPREAD_F32, block_rows(&b), 1, shape, stream, arguments, err);
}

int launch_check_exact(const struct attention_kernels *kernels, device_pointer o, device_pointer row_class, int64_t rows,
		       int64_t columns, enum dtype type, struct device_stream *stream, struct error *err)
{
	int32_t width = (int32_t)columns, is_bf16 = type == DTYPE_BF16;
	void *arguments[] = {&o, &row_class, &rows, &width, &is_bf16};
	const struct device_dim3 shape = row_block(32);

	return launch(kernels, CHECK_EXACT, blocks_for((uint64_t)rows, shape.y), 1, shape, stream, arguments, err);
}
