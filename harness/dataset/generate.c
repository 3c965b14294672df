#include "dataset/generate.h"

#include "core/parallel.h"
#include "core/util.h"
#include "dataset/batch.h"

#include <math.h>
#include <string.h>

enum purpose { PURPOSE_ELEMENTS, PURPOSE_BELOW, PURPOSE_CHOICE };

enum { OUTLIER_PERIOD = 1024, OUTLIER_FACTOR = 64 };

enum kind { KIND_NORMAL, KIND_UNIFORM, KIND_CONSTANT, KIND_ONE_HOT, KIND_INTEGERS, KIND_OUTLIERS, KIND_ZEROS, KIND_COUNT };

const char *const generator_kinds[] = {
	[KIND_NORMAL] = "normal",     [KIND_UNIFORM] = "uniform",   [KIND_CONSTANT] = "constant", [KIND_ONE_HOT] = "one_hot",
	[KIND_INTEGERS] = "integers", [KIND_OUTLIERS] = "outliers", [KIND_ZEROS] = "zeros",       [KIND_COUNT] = NULL,
};

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
	uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]}, k[2] = {key[0], key[1]};
	for (int round = 0; round < PHILOX_ROUNDS; round++) {
		const uint64_t p0 = (uint64_t)PHILOX_M0 * c[0], p1 = (uint64_t)PHILOX_M1 * c[2];
		const uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k[0], (uint32_t)p1, (uint32_t)(p0 >> 32) ^ c[3] ^ k[1],
					  (uint32_t)p0};
		memcpy(c, next, sizeof c);
		k[0] += PHILOX_W0;
		k[1] += PHILOX_W1;
	}
	memcpy(out, c, sizeof c);
}

static uint64_t below(uint64_t bound, uint64_t seed, uint32_t stream, enum purpose purpose, uint64_t index)
{
	const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), stream, purpose};
	const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	uint32_t out[4];
	philox4x32(counter, key, out);
	const uint64_t word = out[0] | (uint64_t)out[1] << 32;
	return (uint64_t)((unsigned __int128)word * bound >> 64);
}

uint64_t generate_below(uint64_t bound, uint64_t seed, uint32_t stream, uint64_t index)
{
	return below(bound, seed, stream, PURPOSE_BELOW, index);
}

/* A batch says by itself which of the generator's blocks are its own: any of them can be made by any thread. */
struct fill {
	unsigned char *data;
	enum dtype dtype;
	int64_t count;
	enum batch_kind kind;
	double step;
	uint64_t seed;
	uint32_t stream;
};

static void fill_batches(void *context, int64_t first_batch, int64_t last_batch)
{
	const struct fill *fill = context;
	const int most = batch_elements(fill->kind);
	for (int64_t number = first_batch; number < last_batch; number++) {
		const int64_t first = number * most, left = fill->count - first;
		batch_run(&(struct batch){
			.kind = fill->kind,
			.dtype = fill->dtype,
			.step = fill->step,
			.seed = fill->seed,
			.stream = fill->stream,
			.first_block = (uint64_t)number * BATCH_BLOCKS,
			.count = left < most ? (int)left : most,
			.out = fill->data + (size_t)first * dtype_size(fill->dtype),
		});
	}
}

/* A million elements take some 6 ms, a thread some 20 us to start: parts of a fraction of a millisecond are worth one, and an
 * input of 2 million is there in the time of an eighth where there are processors. */
enum { ELEMENTS_A_THREAD = 1 << 17 };

static void fill_random(void *data, enum dtype dtype, int64_t count, enum batch_kind kind, double step, uint64_t seed,
			uint32_t stream)
{
	const int most = batch_elements(kind);
	struct fill fill = {data, dtype, count, kind, step, seed, stream};
	if (count > 0)
		parallel_for((count + most - 1) / most, ELEMENTS_A_THREAD / most, fill_batches, &fill);
}

/* Element `index` of the kind normal, by itself. */
static int32_t normal_at(uint64_t seed, uint32_t stream, uint64_t index)
{
	const uint64_t block = index / 2;
	uint32_t out[4];
	philox4x32((const uint32_t[4]){(uint32_t)block, (uint32_t)(block >> 32), stream, PURPOSE_ELEMENTS},
		   (const uint32_t[2]){(uint32_t)seed, (uint32_t)(seed >> 32)}, out);
	return index & 1 ? batch_four_halves(out[2], out[3]) : batch_four_halves(out[0], out[1]);
}

static void fill_value(void *data, enum dtype dtype, int64_t count, double value)
{
	const size_t total = (size_t)count * dtype_size(dtype);
	if (total == 0)
		return;
	dtype_store(dtype, data, 0, value);
	for (size_t done = dtype_size(dtype); done < total; done *= 2)
		memcpy((unsigned char *)data + done, data, done < total - done ? done : total - done);
}

static void place_outliers(void *data, enum dtype dtype, int64_t count, double step, uint64_t seed, uint32_t stream)
{
	for (int64_t first = 0; first < count; first += OUTLIER_PERIOD) {
		const int64_t at = first + (int64_t)below(OUTLIER_PERIOD, seed, stream, PURPOSE_CHOICE,
							  (uint64_t)(first / OUTLIER_PERIOD));
		if (at < count)
			dtype_store(dtype, data, (size_t)at,
				    (double)normal_at(seed, stream, (uint64_t)at) * (step * OUTLIER_FACTOR));
	}
}

static int find_kind(const char *name, enum kind *kind, struct error *err)
{
	struct text known = {0};
	for (int i = 0; i < KIND_COUNT; i++) {
		if (strcmp(generator_kinds[i], name) == 0) {
			*kind = (enum kind)i;
			text_free(&known);
			return 0;
		}
		text_append(&known, "%s%s", i ? ", " : "", generator_kinds[i]);
	}
	error_set(err, ERROR_INPUT, "'%.64s' is no kind of input data; there are: %s", name, known.failed ? "?" : known.data);
	text_free(&known);
	return -1;
}

int generate_array(void *data, enum dtype dtype, int64_t count, int64_t row, const char *kind_name, double scale,
		   uint64_t seed, uint32_t stream, struct error *err)
{
	enum kind kind;
	if (find_kind(kind_name, &kind, err))
		return -1;
	if (!isfinite(scale))
		return error_set(err, ERROR_INPUT, "the scale of '%s' data is %g; give a finite number", kind_name, scale);
	if (dtype_size(dtype) == 0 || count < 0 || (kind == KIND_ONE_HOT && count > 0 && (row < 1 || count % row)))
		return error_set(err, ERROR_INTERNAL, "'%s' data cannot be made for %lld elements of type %s in rows of %lld",
				 kind_name, (long long)count, dtype_name(dtype), (long long)row);
	switch (kind) {
	case KIND_NORMAL:
		fill_random(data, dtype, count, BATCH_NORMAL, NORMAL_UNIT * scale, seed, stream);
		break;
	case KIND_OUTLIERS:
		fill_random(data, dtype, count, BATCH_NORMAL, NORMAL_UNIT * scale, seed, stream);
		place_outliers(data, dtype, count, NORMAL_UNIT * scale, seed, stream);
		break;
	case KIND_UNIFORM:
		fill_random(data, dtype, count, BATCH_WORDS, 0x1p-31 * scale, seed, stream);
		break;
	case KIND_INTEGERS:
		fill_random(data, dtype, count, BATCH_INTEGERS, scale, seed, stream);
		break;
	case KIND_CONSTANT:
		fill_value(data, dtype, count, scale);
		break;
	case KIND_ONE_HOT:
		fill_value(data, dtype, count, 0.0);
		for (int64_t first = 0; first < count; first += row)
			dtype_store(dtype, data,
				    (size_t)first + below((uint64_t)row, seed, stream, PURPOSE_CHOICE, (uint64_t)(first / row)),
				    scale);
		break;
	case KIND_ZEROS:
	case KIND_COUNT:
		fill_value(data, dtype, count, 0.0);
		break;
	}
	return 0;
}

/* constant, one_hot and zeros over a tensor with gaps: the gaps keep what `normal` put there. */
static void write_elements(struct tensor *tensor, enum kind kind, double scale, uint64_t seed, uint32_t stream)
{
	const int64_t row = tensor->rank ? tensor->dims[tensor->rank - 1] : 1;
	const int64_t elements = tensor_elements(tensor);
	for (int64_t first = 0; first < elements; first += row) {
		const int64_t hot = kind == KIND_ONE_HOT ? (int64_t)below((uint64_t)row, seed, stream, PURPOSE_CHOICE,
									    (uint64_t)(first / row)) : 0;
		for (int64_t i = 0; i < row; i++) {
			const int one = kind == KIND_CONSTANT || (kind == KIND_ONE_HOT && i == hot);
			dtype_store(tensor->dtype, tensor->data, (size_t)tensor_offset(tensor, first + i), one ? scale : 0.0);
		}
	}
}

int generate_tensor(struct tensor *tensor, const char *kind_name, double scale, uint64_t seed, uint32_t stream,
		    struct error *err)
{
	enum kind kind;
	if (find_kind(kind_name, &kind, err))
		return error_context(err, "tensor '%s'", tensor->name);
	if (!tensor->data && tensor_allocate(tensor, err))
		return -1;
	const int has_gaps = !tensor_is_contiguous(tensor) || tensor->extent != tensor_elements(tensor);
	const int element_by_element = has_gaps && (kind == KIND_CONSTANT || kind == KIND_ONE_HOT || kind == KIND_ZEROS);
	const int64_t row = tensor->rank ? tensor->dims[tensor->rank - 1] : 1;
	if (generate_array(tensor->data, tensor->dtype, tensor->extent, row, element_by_element ? "normal" : kind_name, scale,
			   seed, stream, err))
		return error_context(err, "tensor '%s'", tensor->name);
	if (element_by_element)
		write_elements(tensor, kind, scale, seed, stream);
	snprintf(tensor->generator, sizeof tensor->generator, "%s", kind_name);
	return 0;
}
