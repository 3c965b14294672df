/* The reference on a GPU, as passes over the problem:
 *     exact       gather to float64 (or float32), S = scale QK^T, softmax in place, O = PV (and P|V|)
 *     magnitude   |Q||K|^T in float32, only its largest visible element is kept
 *     low         the same as exact in the case's own type
 * Each pass cuts its entries into blocks whose scores fit the scratch (attention_blocking.c). The first pass runs as if all
 * inputs were finite and notes whether they were; where not, it runs again with flags of the keys and queries that are
 * not, because only then a probability of zero times a value is more than zero. */
#include "reference/attention_launch.h"

#include <math.h>
#include <stdlib.h>

struct cuda_reference {
	struct device *device;
	struct attention_kernels kernels;
	struct device_event *begun, *ended;
	device_pointer scratch, tables;
	size_t scratch_bytes, tables_bytes;
};

/* Small arrays beside the scratch, in one allocation. */
struct tables {
	device_pointer non_finite;                            /* u32 */
	device_pointer logit_max, logit_magnitude, value_sum; /* f64 [result groups]; value_sum [entries * heads_k] */
	device_pointer slopes;                                /* f32 [result groups] */
};

enum pass_kind { PASS_EXACT, PASS_MAGNITUDE, PASS_LOW };

struct pass {
	enum pass_kind kind;
	enum dtype gathered, scored, product; /* product: what PV is computed into; DTYPE_INVALID when there is none */
	int careful;                          /* inputs are not all finite */
};

/* What one call works on; held together so that the steps need not be told each time. */
struct run {
	struct cuda_reference *cuda;
	const struct attention_problem *problem;
	const struct attention_options *options;
	struct attention_result *result;
	struct tables tables;
	size_t limit;
	struct pass pass;
	int64_t ratio; /* query heads per key head */
};

/* A batch entry of a varlen problem, or all entries of a dense one. */
struct entry {
	int64_t groups, seqlen_q, seqlen_k;
	device_pointer q, k, v;
	int64_t index;     /* of the first batch entry */
	int64_t head_base; /* result group of its first query head */
	int64_t result_base, result_head_stride;
};

static int64_t entry_count(const struct attention_problem *problem)
{
	return problem->cu_seqlens_q ? problem->batch : 1;
}

static device_pointer operand_start(const struct attention_operand *operand, int64_t b, int64_t start)
{
	return operand->base + (device_pointer)(2 * (b * operand->batch_stride + start * operand->row_stride));
}

static struct entry entry_get(const struct attention_problem *problem, int64_t index)
{
	const struct attention_lengths lengths = attention_lengths(problem, index);
	struct entry entry = {.seqlen_q = lengths.seqlen_q, .seqlen_k = lengths.seqlen_k, .index = index};

	entry.q = operand_start(&problem->q, index, lengths.start_q);
	entry.k = operand_start(&problem->k, index, lengths.start_k);
	entry.v = operand_start(&problem->v, index, lengths.start_k);
	entry.head_base = index * problem->heads_q;
	if (problem->cu_seqlens_q) {
		entry.groups = problem->heads_k;
		entry.result_base = lengths.start_q;
		entry.result_head_stride = attention_total_q(problem);
	} else {
		entry.groups = problem->batch * problem->heads_k;
		entry.result_head_stride = problem->seqlen_q;
	}
	return entry;
}

static int64_t clamp_window(int64_t window)
{
	return window < ATTENTION_LENGTH_MAX ? window : ATTENTION_LENGTH_MAX;
}

/* O goes straight to its place where that place has the shape of a batch of matrices. */
static int product_is_direct(const struct run *run)
{
	return run->pass.product == DTYPE_F64 && run->ratio == 1;
}

static struct attention_shape pass_shape(const struct run *run, const struct entry *entry)
{
	const struct pass *const pass = &run->pass;
	const int has_product = pass->product != DTYPE_INVALID;

	return (struct attention_shape){
		.groups = entry->groups, .ratio = run->ratio, .seqlen_q = entry->seqlen_q, .seqlen_k = entry->seqlen_k,
		.head_dim = run->problem->head_dim,
		.window_left = clamp_window(run->problem->window_left),
		.window_right = clamp_window(run->problem->window_right),
		.gathered_size = dtype_size(pass->gathered), .scored_size = dtype_size(pass->scored),
		.product_size = has_product && !product_is_direct(run) ? dtype_size(pass->product) : 0,
		.value_arrays = !has_product ? 0 : pass->kind == PASS_EXACT && run->options->want_magnitude ? 2 : 1,
		.careful = pass->careful,
	};
}

enum { SCRATCH_ROOM = 256 << 20 };

/* ---- scratch ------------------------------------------------------------------------------------------------------ */

static void scratch_drop(struct cuda_reference *cuda)
{
	device_free(cuda->device, cuda->scratch);
	cuda->scratch = 0;
	cuda->scratch_bytes = 0;
}

/* Scratch for the blocking of every entry of the pass that is set in `run`. Held scratch of an earlier call counts
 * against this call's limit, so it is given up when it is larger than that. */
static int scratch_prepare(struct run *run, struct error *err)
{
	struct cuda_reference *const cuda = run->cuda;
	size_t bytes = 0, wanted;

	for (int64_t index = 0; index < entry_count(run->problem); index++) {
		const struct entry entry = entry_get(run->problem, index);
		const struct attention_shape shape = pass_shape(run, &entry);
		struct attention_blocking blocking;

		if (entry.seqlen_q == 0)
			continue;
		if (attention_blocking_choose(&shape, run->limit, &blocking))
			return error_set(err, ERROR_ENVIRONMENT,
					 "attention reference: a row of scores over %lld keys needs %zu MiB of scratch, and the limit "
					 "is %zu MiB: raise it, or free memory of the device",
					 (long long)entry.seqlen_k, (blocking.bytes >> 20) + 1, run->limit >> 20);
		if (blocking.bytes > bytes)
			bytes = blocking.bytes;
	}
	if (cuda->scratch_bytes < bytes || cuda->scratch_bytes > run->limit) {
		/* Some room for the next, larger case: an allocation costs more than a small case. */
		const size_t room = bytes / 2 < SCRATCH_ROOM ? bytes / 2 : SCRATCH_ROOM;

		wanted = room < run->limit - bytes ? bytes + room : run->limit;
		scratch_drop(cuda);
		if (device_alloc(cuda->device, wanted, &cuda->scratch, err)) {
			wanted = bytes;
			if (device_alloc(cuda->device, wanted, &cuda->scratch, err))
				return error_context(err, "attention reference: %zu MiB of scratch", wanted >> 20);
		}
		cuda->scratch_bytes = wanted;
	}
	if (cuda->scratch_bytes + cuda->tables_bytes > run->result->workspace_bytes)
		run->result->workspace_bytes = cuda->scratch_bytes + cuda->tables_bytes;
	return 0;
}

/* What may be used: the limit, or nine tenths of what is free (held scratch included) where that is less. */
static int scratch_limit(struct run *run, struct error *err)
{
	size_t available, total;

	if (run->cuda->device->ops->memory_info(run->cuda->device, &available, &total, err))
		return -1;
	available += run->cuda->scratch_bytes;
	available -= available / 10;
	run->limit = run->options->workspace_limit < available ? run->options->workspace_limit : available;
	run->limit -= run->cuda->tables_bytes < run->limit ? run->cuda->tables_bytes : run->limit;
	return 0;
}

static int tables_prepare(struct run *run, struct error *err)
{
	struct cuda_reference *const cuda = run->cuda;
	struct device *const device = cuda->device;
	const struct attention_problem *const problem = run->problem;
	const size_t heads = (size_t)run->result->heads, bytes = 16 + heads * (3 * sizeof(double) + sizeof(float));
	float *slopes = NULL;
	int failed = -1;

	if (cuda->tables_bytes < bytes) {
		device_free(device, cuda->tables);
		cuda->tables = 0;
		cuda->tables_bytes = 0;
		if (device_alloc(device, bytes, &cuda->tables, err))
			goto done;
		cuda->tables_bytes = bytes;
	}
	run->tables.non_finite = cuda->tables;
	run->tables.logit_max = cuda->tables + 16;
	run->tables.logit_magnitude = run->tables.logit_max + heads * sizeof(double);
	run->tables.value_sum = run->tables.logit_magnitude + heads * sizeof(double);
	run->tables.slopes = run->tables.value_sum + heads * sizeof(double);
	if (device->ops->fill(device, cuda->tables, 0, 4, bytes / 4, NULL, err))
		goto done;
	if (problem->alibi != ALIBI_NONE) {
		slopes = malloc(heads * sizeof *slopes);
		if (!slopes) {
			error_set(err, ERROR_ENVIRONMENT, "attention reference: out of memory for %zu slopes", heads);
			goto done;
		}
		for (size_t n = 0; n < heads; n++)
			slopes[n] = attention_slope(problem, (int64_t)n / problem->heads_q, (int64_t)n % problem->heads_q);
		if (device->ops->copy_in(device, run->tables.slopes, slopes, heads * sizeof *slopes, NULL, err))
			goto done;
	}
	failed = 0;
done:
	free(slopes);
	return failed;
}

/* ---- one block ---------------------------------------------------------------------------------------------------- */

static struct attention_gather gather_of(const struct run *run, const struct attention_operand *operand, int64_t ratio,
					 int64_t first_group, int64_t groups, int64_t first_row, int64_t rows)
{
	return (struct attention_gather){
		.batch_stride = operand->batch_stride, .row_stride = operand->row_stride, .head_stride = operand->head_stride,
		.groups = (int32_t)groups, .rows = (int32_t)(rows * ratio), .columns = (int32_t)run->problem->head_dim,
		.first_group = (int32_t)first_group, .heads_k = (int32_t)run->problem->heads_k,
		.first_row = (int32_t)first_row, .ratio = (int32_t)ratio,
		.is_bf16 = run->problem->dtype == DTYPE_BF16,
		.absolute = run->pass.kind == PASS_MAGNITUDE, .finite_only = run->pass.kind == PASS_MAGNITUDE,
	};
}

static int gather_keys(const struct run *run, const struct entry *entry, device_pointer out, int64_t first_group,
		       int64_t groups, int64_t first_key, int64_t keys, struct error *err)
{
	struct attention_gather gather = gather_of(run, &run->problem->k, 1, first_group, groups, first_key, keys);

	gather.non_finite = run->tables.non_finite;
	gather.non_finite_bit = NON_FINITE_KEY;
	return launch_gather(&run->cuda->kernels, run->pass.gathered, entry->k, out, &gather, NULL, err);
}

/* Values with what is not finite replaced by 0 (launch_spread puts it where it belongs), and their magnitudes. */
static int gather_values(const struct run *run, const struct entry *entry, device_pointer out, device_pointer absolute,
			 int64_t first_group, int64_t groups, int64_t first_key, int64_t keys, struct error *err)
{
	struct attention_gather gather = gather_of(run, &run->problem->v, 1, first_group, groups, first_key, keys);

	gather.finite_only = 1;
	gather.non_finite = run->tables.non_finite;
	gather.non_finite_bit = NON_FINITE_VALUE;
	if (launch_gather(&run->cuda->kernels, run->pass.gathered, entry->v, out, &gather, NULL, err))
		return -1;
	gather.absolute = 1;
	return absolute && launch_gather(&run->cuda->kernels, run->pass.gathered, entry->v, absolute, &gather, NULL, err);
}

/* Which keys of these groups are not finite, and how many there are before each. */
static int flag_keys(const struct run *run, const struct entry *entry, const struct attention_blocking *blocking,
		     int64_t first_group, int64_t groups, struct error *err)
{
	const struct attention_kernels *const kernels = &run->cuda->kernels;
	const device_pointer flags = run->cuda->scratch + blocking->bad_keys;
	struct attention_gather gather =
		gather_of(run, &run->problem->k, 1, first_group, groups, 0, entry->seqlen_k);

	gather.non_finite_bit = NON_FINITE_KEY;
	if (launch_flag_rows(kernels, entry->k, flags, &gather, 0, NULL, err))
		return -1;
	gather = gather_of(run, &run->problem->v, 1, first_group, groups, 0, entry->seqlen_k);
	gather.non_finite_bit = NON_FINITE_VALUE;
	if (launch_flag_rows(kernels, entry->v, flags, &gather, 1, NULL, err))
		return -1;
	return launch_count_bad(kernels, flags, run->cuda->scratch + blocking->bad_before, groups, entry->seqlen_k, NULL, err);
}

static struct attention_block block_of(const struct run *run, const struct entry *entry,
				       const struct attention_blocking *blocking, int64_t first_group, int64_t groups,
				       int64_t first_query, int64_t queries)
{
	const struct attention_problem *const p = run->problem;
	const int64_t rows = queries * run->ratio;
	/* Rows see ranges whose ends do not decrease from query to query. */
	const int64_t begin = attention_visible(p, entry->seqlen_q, entry->seqlen_k, first_query).begin;
	const int64_t end = attention_visible(p, entry->seqlen_q, entry->seqlen_k, first_query + queries - 1).end;
	const device_pointer scratch = run->cuda->scratch;
	struct attention_block block = {
		.group_stride = rows * blocking->leading, .row_stride = blocking->leading,
		.result_base = entry->result_base, .result_head_stride = entry->result_head_stride,
		.groups = (int32_t)groups, .rows = (int32_t)rows, .ratio = (int32_t)run->ratio,
		.first_group = (int32_t)first_group, .first_query = (int32_t)first_query,
		.first_column = (int32_t)begin, .columns = (int32_t)(end > begin ? end - begin : 0),
		.seqlen_k = (int32_t)entry->seqlen_k, .offset = (int32_t)(entry->seqlen_k - entry->seqlen_q),
		.window_left = (int32_t)clamp_window(p->window_left), .window_right = (int32_t)clamp_window(p->window_right),
		.alibi = (int32_t)p->alibi, .head_base = (int32_t)entry->head_base, .exact_values = p->exact_values,
		.softcap = p->softcap, .inverse_softcap = p->softcap > 0 ? 1 / p->softcap : 0,
		.slopes = run->tables.slopes,
	};

	if (run->pass.kind == PASS_EXACT) {
		block.lse = run->result->lse;
		block.row_class = run->result->row_class;
		block.row_group = run->result->row_group;
		block.logit_max = run->options->want_magnitude ? run->tables.logit_max : 0;
	} else if (run->pass.kind == PASS_LOW) {
		block.lse = run->result->low_lse;
	} else {
		block.logit_max = run->tables.logit_magnitude;
	}
	if (run->pass.careful) {
		block.bad_keys = scratch + blocking->bad_keys;
		block.bad_before = scratch + blocking->bad_before;
		block.bad_queries = scratch + blocking->bad_queries;
	}
	return block;
}

static int multiply(const struct run *run, const struct device_gemm *gemm, struct error *err)
{
	if (run->cuda->device->ops->gemm(run->cuda->device, gemm, NULL, err))
		return error_context(err, "attention reference");
	return 0;
}

/* result = P * values for the keys [first, first + keys) of the block's columns; chunks after the first are added. */
static int multiply_values(const struct run *run, const struct attention_blocking *blocking,
			   const struct attention_block *block, int64_t first, int64_t keys, device_pointer values,
			   int64_t values_stride, device_pointer result, struct error *err)
{
	const int64_t d = run->problem->head_dim, direct = product_is_direct(run);
	const size_t skip = (size_t)(first - block->first_column) * dtype_size(run->pass.scored);
	struct device_gemm gemm = {
		.m = block->rows, .n = d, .k = keys, .batch = block->groups, .alpha = 1,
		.beta = first > block->first_column,
		.a = run->cuda->scratch + blocking->scores + skip, .lda = block->row_stride, .stride_a = block->group_stride,
		.b = values, .ldb = d, .stride_b = values_stride,
		.c = run->cuda->scratch + blocking->product, .ldc = d, .stride_c = block->rows * d,
		.input = run->pass.gathered, .output = run->pass.product,
	};

	if (direct) {
		const int64_t row = block->result_base + block->first_group * block->result_head_stride + block->first_query;
		gemm.c = result + (device_pointer)(row * d) * sizeof(double);
		gemm.stride_c = block->result_head_stride * d;
	}
	return multiply(run, &gemm, err);
}

static int store_product(const struct run *run, const struct attention_blocking *blocking,
			 const struct attention_block *block, device_pointer result, struct error *err)
{
	if (product_is_direct(run))
		return 0;
	return launch_store_rows(&run->cuda->kernels, run->pass.product, run->cuda->scratch + blocking->product, result, block,
				 run->problem->head_dim, run->pass.kind == PASS_LOW ? run->problem->dtype : DTYPE_INVALID, NULL,
				 err);
}

/* Rows of a block in which no query sees any key. */
static int store_zeros(const struct run *run, const struct attention_block *block, struct error *err)
{
	const struct attention_kernels *const kernels = &run->cuda->kernels;
	const int64_t d = run->problem->head_dim;
	const device_pointer result = run->pass.kind == PASS_LOW ? run->result->low_o : run->result->o;

	if (launch_store_rows(kernels, DTYPE_F64, 0, result, block, d, DTYPE_INVALID, NULL, err))
		return -1;
	return run->pass.kind == PASS_EXACT && run->options->want_magnitude &&
	       launch_store_rows(kernels, DTYPE_F64, 0, run->result->magnitude, block, d, DTYPE_INVALID, NULL, err);
}

/* O (or low O) of a block whose scratch holds probabilities, and P|V|. */
static int block_products(const struct run *run, const struct entry *entry, const struct attention_blocking *blocking,
			  const struct attention_block *block, int *values_ready, struct error *err)
{
	const device_pointer scratch = run->cuda->scratch;
	const int64_t d = run->problem->head_dim, end = block->first_column + block->columns;
	const size_t size = dtype_size(run->pass.gathered);
	const int resident = blocking->keys >= entry->seqlen_k;
	const int magnitude = run->pass.kind == PASS_EXACT && run->options->want_magnitude;
	const device_pointer result = run->pass.kind == PASS_LOW ? run->result->low_o : run->result->o;

	/* Both products pass through the same scratch: the second starts when the first has been stored. */
	for (int turn = 0; turn <= magnitude; turn++) {
		const device_pointer values = scratch + (turn ? blocking->absolute_v : blocking->v);
		const device_pointer to = turn ? run->result->magnitude : result;

		for (int64_t first = block->first_column; first < end; first += blocking->keys) {
			const int64_t keys = end - first < blocking->keys ? end - first : blocking->keys;
			const int64_t held = resident ? entry->seqlen_k : keys, start = resident ? 0 : first;

			if (!*values_ready &&
			    gather_values(run, entry, scratch + blocking->v, magnitude ? scratch + blocking->absolute_v : 0,
					  block->first_group, block->groups, start, held, err))
				return -1;
			*values_ready = resident;
			if (multiply_values(run, blocking, block, first, keys,
					    values + (device_pointer)((first - start) * d) * size, held * d, to, err))
				return -1;
		}
		if (store_product(run, blocking, block, to, err))
			return -1;
	}
	return 0;
}

static int run_block(const struct run *run, const struct entry *entry, const struct attention_blocking *blocking,
		     const struct attention_block *block, int *keys_ready, int *values_ready, struct error *err)
{
	const struct attention_kernels *const kernels = &run->cuda->kernels;
	const device_pointer scratch = run->cuda->scratch;
	const int64_t d = run->problem->head_dim, end = block->first_column + block->columns;
	const int resident = blocking->keys >= entry->seqlen_k;
	struct attention_gather gather = gather_of(run, &run->problem->q, run->ratio, block->first_group, block->groups,
						   block->first_query, block->rows / run->ratio);

	if (run->pass.careful) {
		gather.non_finite_bit = NON_FINITE_QUERY;
		if (launch_flag_rows(kernels, entry->q, scratch + blocking->bad_queries, &gather, 0, NULL, err))
			return -1;
	}
	gather.non_finite_bit = NON_FINITE_QUERY;
	gather.non_finite = run->tables.non_finite;
	if (launch_gather(kernels, run->pass.gathered, entry->q, scratch + blocking->q, &gather, NULL, err))
		return -1;
	for (int64_t first = block->first_column; first < end; first += blocking->keys) {
		const int64_t keys = end - first < blocking->keys ? end - first : blocking->keys;
		const int64_t held = resident ? entry->seqlen_k : keys, start = resident ? 0 : first;
		const struct device_gemm gemm = {
			.m = block->rows, .n = keys, .k = d, .batch = block->groups,
			.alpha = run->pass.kind == PASS_MAGNITUDE ? fabs(run->problem->scale) : run->problem->scale,
			.a = scratch + blocking->q, .lda = d, .stride_a = block->rows * d,
			.b = scratch + blocking->k + (device_pointer)((first - start) * d) * dtype_size(run->pass.gathered),
			.ldb = d, .stride_b = held * d, .transpose_b = 1,
			.c = scratch + blocking->scores +
			     (device_pointer)(first - block->first_column) * dtype_size(run->pass.scored),
			.ldc = block->row_stride, .stride_c = block->group_stride,
			.input = run->pass.gathered, .output = run->pass.scored,
		};

		if (!*keys_ready && gather_keys(run, entry, scratch + blocking->k, block->first_group, block->groups, start,
						held, err))
			return -1;
		*keys_ready = resident;
		if (multiply(run, &gemm, err))
			return -1;
	}
	if (run->pass.kind == PASS_MAGNITUDE)
		return block->columns ? launch_logit_magnitude(kernels, scratch + blocking->scores, block, NULL, err) : 0;
	if (launch_softmax(kernels, run->pass.scored, scratch + blocking->scores, block, NULL, err))
		return -1;
	if (block->columns == 0)
		return store_zeros(run, block, err);
	if (block_products(run, entry, blocking, block, values_ready, err))
		return -1;
	if (run->pass.kind == PASS_EXACT && run->pass.careful) {
		gather = gather_of(run, &run->problem->v, 1, block->first_group, block->groups, 0, entry->seqlen_k);
		return launch_spread(kernels, run->pass.scored, scratch + blocking->scores, entry->v, run->result->o, block,
				     &gather, NULL, err);
	}
	return 0;
}

/* ---- passes ------------------------------------------------------------------------------------------------------- */

static int run_entry(const struct run *run, const struct entry *entry, struct error *err)
{
	const struct attention_shape shape = pass_shape(run, entry);
	struct attention_blocking blocking;

	if (entry->seqlen_q == 0)
		return 0;
	if (attention_blocking_choose(&shape, run->limit, &blocking))
		return error_set(err, ERROR_INTERNAL, "attention reference: the blocking that fitted does not fit any more");
	for (int64_t group = 0; group < entry->groups; group += blocking.groups) {
		const int64_t groups = entry->groups - group < blocking.groups ? entry->groups - group : blocking.groups;
		int keys_ready = 0, values_ready = 0;

		if (run->pass.careful && flag_keys(run, entry, &blocking, group, groups, err))
			return -1;
		for (int64_t query = 0; query < entry->seqlen_q; query += blocking.queries) {
			const int64_t queries =
				entry->seqlen_q - query < blocking.queries ? entry->seqlen_q - query : blocking.queries;
			const struct attention_block block = block_of(run, entry, &blocking, group, groups, query, queries);

			if (run_block(run, entry, &blocking, &block, &keys_ready, &values_ready, err))
				return -1;
		}
	}
	return 0;
}

static int run_pass(struct run *run, struct pass pass, struct error *err)
{
	run->pass = pass;
	if (scratch_prepare(run, err))
		return -1;
	for (int64_t index = 0; index < entry_count(run->problem); index++) {
		const struct entry entry = entry_get(run->problem, index);
		if (run_entry(run, &entry, err))
			return -1;
	}
	return 0;
}

static int run_exact(struct run *run, struct error *err)
{
	struct device *const device = run->cuda->device;
	struct pass pass = {.kind = PASS_EXACT};
	uint32_t non_finite = 0;

	pass.gathered = pass.scored = pass.product = run->options->precision;
	for (;;) {
		run->pass = pass;
		if (scratch_prepare(run, err) || device->ops->event_record(device, run->cuda->begun, NULL, err) ||
		    run_pass(run, pass, err) || device->ops->event_record(device, run->cuda->ended, NULL, err) ||
		    device->ops->copy_out(device, &non_finite, run->tables.non_finite, sizeof non_finite, NULL, err))
			return -1;
		if (pass.careful || !non_finite)
			break;
		pass.careful = 1;
	}
	if (run->problem->exact_values && !(run->problem->softcap > 0) &&
	    launch_check_exact(&run->cuda->kernels, run->result->o, run->result->row_class, run->result->rows,
			       run->problem->head_dim, run->problem->dtype, NULL, err))
		return -1;
	return device->ops->event_synchronize(device, run->cuda->ended, err) ||
	       device->ops->event_elapsed(device, run->cuda->begun, run->cuda->ended, &run->result->seconds, err);
}

static int sum_values(struct run *run, struct error *err)
{
	run->pass = (struct pass){.kind = PASS_EXACT};
	for (int64_t index = 0; index < entry_count(run->problem); index++) {
		const struct entry entry = entry_get(run->problem, index);
		const struct attention_gather gather =
			gather_of(run, &run->problem->v, 1, 0, entry.groups, 0, entry.seqlen_k);
		const device_pointer sums =
			run->tables.value_sum + (device_pointer)(index * run->problem->heads_k) * sizeof(double);

		if (entry.seqlen_k > 0 && launch_value_sum(&run->cuda->kernels, entry.v, sums, &gather, NULL, err))
			return -1;
	}
	return 0;
}

static int read_figures(struct run *run, struct error *err)
{
	struct device *const device = run->cuda->device;
	struct attention_result *const result = run->result;
	const size_t heads = (size_t)result->heads, bytes = heads * sizeof(double);

	if (device->ops->copy_out(device, result->logit_max, run->tables.logit_max, bytes, NULL, err) ||
	    device->ops->copy_out(device, result->logit_magnitude, run->tables.logit_magnitude, bytes, NULL, err) ||
	    device->ops->copy_out(device, result->value_sum, run->tables.value_sum, bytes / (size_t)run->ratio, NULL, err))
		return -1;
	/* one sum per key head becomes one per query head, from the back so that none is overwritten before it is read */
	for (size_t n = heads; n-- > 0;)
		result->value_sum[n] = result->value_sum[n / (size_t)run->ratio];
	return 0;
}

int cuda_reference_run(struct cuda_reference *cuda, const struct attention_problem *problem,
		       const struct attention_options *options, struct attention_result *result, struct error *err)
{
	struct run run = {.cuda = cuda, .problem = problem, .options = options, .result = result,
			  .ratio = problem->heads_q / problem->heads_k};
	const enum dtype type = problem->dtype;

	if (tables_prepare(&run, err) || scratch_limit(&run, err) || run_exact(&run, err))
		return -1;
	if (options->want_magnitude &&
	    (sum_values(&run, err) ||
	     run_pass(&run, (struct pass){.kind = PASS_MAGNITUDE, .gathered = type, .scored = DTYPE_F32}, err)))
		return -1;
	if (options->want_low &&
	    run_pass(&run, (struct pass){.kind = PASS_LOW, .gathered = type, .scored = type, .product = DTYPE_F32}, err))
		return -1;
	if (options->want_magnitude && read_figures(&run, err))
		return -1;
	return device_synchronize(cuda->device, err);
}

int cuda_reference_open(struct cuda_reference **cuda, struct device *device, struct error *err)
{
	struct cuda_reference *const opened = calloc(1, sizeof *opened);

	*cuda = NULL;
	if (!opened)
		return error_set(err, ERROR_ENVIRONMENT, "attention reference: out of memory");
	opened->device = device;
	if (attention_kernels_open(&opened->kernels, device, err) ||
	    device->ops->event_create(device, &opened->begun, err) || device->ops->event_create(device, &opened->ended, err)) {
		cuda_reference_close(opened);
		return -1;
	}
	*cuda = opened;
	return 0;
}

const struct attention_kernels *cuda_reference_kernels(const struct cuda_reference *cuda)
{
	return &cuda->kernels;
}

void cuda_reference_close(struct cuda_reference *cuda)
{
	if (!cuda)
		return;
	scratch_drop(cuda);
	device_free(cuda->device, cuda->tables);
	if (cuda->begun)
		cuda->device->ops->event_destroy(cuda->device, cuda->begun, NULL);
	if (cuda->ended)
		cuda->device->ops->event_destroy(cuda->device, cuda->ended, NULL);
	attention_kernels_close(&cuda->kernels);
	free(cuda);
}
