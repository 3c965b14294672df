#include "kernels/quantised.h"

#include "dataset/generate.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_WEIGHTS = 1, STREAM_PADDING, STREAM_VALUES, STREAM_IDS = 11 };

int quantised_int(const struct test_case *test, const char *axis, int64_t low, int64_t high, int64_t *out, struct error *err)
{
	const char *text = case_get_text(test, axis);
	char *end = NULL;
	*out = text ? strtoll(text, &end, 10) : 0;
	if (!text || end == text || *end || *out < low || *out > high)
		return error_set(err, ERROR_INPUT, "case %s: axis %s: '%s' is no whole number from %lld to %lld", test->name,
				 axis, text ? text : "", (long long)low, (long long)high);
	return 0;
}

int quantised_k(const struct test_case *test, enum gguf_format format, int64_t most, int64_t *k, struct error *err)
{
	const int unit = gguf_layouts[format].elements;
	if (quantised_int(test, "k", 1, most, k, err))
		return -1;
	if (*k % unit)
		return error_set(err, ERROR_INPUT, "case %s: axis k: %lld is no multiple of a block's %d elements", test->name,
				 (long long)*k, unit);
	return 0;
}

int quantised_format(const struct test_case *test, unsigned allowed, enum gguf_format *format, struct error *err)
{
	const char *text = case_get_text(test, "format");
	*format = gguf_format_from_name(text ? text : "");
	if (*format == GGUF_FORMAT_COUNT || !(allowed >> *format & 1))
		return error_set(err, ERROR_INPUT, "case %s: axis format: '%s' is no format of this entry point", test->name,
				 text ? text : "");
	return 0;
}

/* "KIND:SCALE" -> kind, scale. */
static int parse_input(const char *text, char kind[24], double *scale)
{
	const char *colon = strchr(text, ':');
	const size_t length = colon ? (size_t)(colon - text) : strlen(text);
	char *end;
	*scale = 1;
	if (length >= 24)
		return -1;
	memcpy(kind, text, length);
	kind[length] = 0;
	if (colon) {
		*scale = strtod(colon + 1, &end);
		if (end == colon + 1 || *end)
			return -1;
	}
	return isfinite(*scale) ? 0 : -1;
}

static int is_among(const char *word, const char *const *words)
{
	while (*words && strcmp(word, *words) != 0)
		words++;
	return *words != NULL;
}

int quantised_check_words(const struct test_case *test, struct error *err)
{
	static const char *const paddings[] = {"zeros", "finite", NULL};
	const char *blocks = case_get_text(test, "blocks"), *padding = case_get_text(test, "padding");
	const char *input = case_get_text(test, "input");
	char kind[24];
	double scale;
	if (blocks && !is_among(blocks, gguf_kinds))
		return error_set(err, ERROR_INPUT, "case %s: axis blocks: '%s' is no kind of blocks", test->name, blocks);
	if (padding && !is_among(padding, paddings))
		return error_set(err, ERROR_INPUT, "case %s: axis padding: '%s' is neither zeros nor finite", test->name,
				 padding);
	if (input && (parse_input(input, kind, &scale) || !is_among(kind, generator_kinds)))
		return error_set(err, ERROR_INPUT, "case %s: axis input: '%s' is no KIND or KIND:SCALE", test->name, input);
	return 0;
}

static int64_t bytes_of(enum gguf_format format, int64_t elements)
{
	return elements / gguf_layouts[format].elements * gguf_layouts[format].bytes;
}

const char *const quantised_ids_kinds[] = {"random", "first", "last", "cycle", "same", NULL};

int quantised_ids_of(const struct test_case *test, enum quantised_ids *ids, struct error *err)
{
	const char *word = case_get_text(test, "ids");
	for (int kind = 0; word && quantised_ids_kinds[kind]; kind++)
		if (strcmp(word, quantised_ids_kinds[kind]) == 0) {
			*ids = (enum quantised_ids)kind;
			return 0;
		}
	return error_set(err, ERROR_INPUT, "case %s: axis ids: '%s' is no kind of ids", test->name, word ? word : "");
}

uint32_t quantised_id(enum quantised_ids ids, int64_t count, uint64_t seed, int64_t index)
{
	const uint64_t below = (uint64_t)count;
	switch (ids) {
	case IDS_FIRST: return 0;
	case IDS_LAST: return (uint32_t)below - 1;
	case IDS_CYCLE: return (uint32_t)((uint64_t)index % below);
	case IDS_SAME: return (uint32_t)generate_below(below, seed, STREAM_IDS, 0);
	default: return (uint32_t)generate_below(below, seed, STREAM_IDS, (uint64_t)index);
	}
}

int quantised_add_weights(struct test_case *test, enum gguf_format format, int64_t elements, struct error *err)
{
	const int64_t most = INT64_MAX / 8 - QUANTISED_ROW_PADDING;
	if (elements < 0 || elements > most || elements % gguf_layouts[format].elements)
		return error_set(err, ERROR_INPUT, "case %s: %lld elements are no whole number of %s blocks", test->name,
				 (long long)elements, gguf_layouts[format].name);
	const int64_t dims[1] = {bytes_of(format, elements) + bytes_of(format, QUANTISED_ROW_PADDING)};
	return case_add_tensor(test, "weights", TENSOR_INPUT, DTYPE_U8, 1, dims, NULL, err) ? 0 : -1;
}

struct filling {
	enum gguf_format format;
	const char *kind;
	uint64_t seed;
	unsigned char *bytes;
};

enum { FILL_RUN = 1000 }; /* blocks whose values start anew from a seed of their own, so that parts can be made alone */

static void fill_runs(void *context, int64_t first, int64_t last)
{
	const struct filling *filling = context;
	const int64_t bytes = FILL_RUN * gguf_layouts[filling->format].bytes;
	for (int64_t run = first; run < last; run++)
		(void)gguf_fill(filling->format, filling->kind, FILL_RUN, filling->seed + (uint64_t)run, STREAM_WEIGHTS,
				filling->bytes + run * bytes);
}

int quantised_fill_weights(struct test_case *test, enum gguf_format format, struct error *err)
{
	const struct gguf_layout *layout = &gguf_layouts[format];
	struct tensor *weights = case_find_tensor(test, "weights", TENSOR_INPUT);
	const char *kind = case_get_text(test, "blocks"), *padding = case_get_text(test, "padding");
	if (!weights || !kind)
		return error_set(err, ERROR_INTERNAL, "case %s has no weights", test->name);
	if (tensor_allocate(weights, err))
		return -1;
	const int64_t behind = QUANTISED_ROW_PADDING / layout->elements, blocks = weights->extent / layout->bytes - behind;
	struct filling filling = {format, kind, test->seed, weights->data};
	unsigned char *rest = filling.bytes + blocks / FILL_RUN * FILL_RUN * layout->bytes;
	parallel_for(blocks / FILL_RUN, 4, fill_runs, &filling);
	if (gguf_fill(format, kind, blocks % FILL_RUN, test->seed + (uint64_t)(blocks / FILL_RUN), STREAM_WEIGHTS, rest) ||
	    (padding && strcmp(padding, "finite") == 0 &&
	     gguf_fill(format, "large", behind, test->seed, STREAM_PADDING, filling.bytes + blocks * layout->bytes)))
		return error_set(err, ERROR_INPUT, "case %s: '%s' is no kind of blocks", test->name, kind);
	snprintf(weights->generator, sizeof weights->generator, "gguf %s", kind);
	return 0;
}

int quantised_fill_values(const struct test_case *test, void *data, enum dtype dtype, int64_t count, int64_t row,
			  struct error *err)
{
	const char *input = case_get_text(test, "input");
	char kind[24];
	double scale;
	if (!input || parse_input(input, kind, &scale))
		return error_set(err, ERROR_INPUT, "case %s: axis input: '%s' is no KIND or KIND:SCALE", test->name,
				 input ? input : "");
	return generate_array(data, dtype, count, row, kind, scale, test->seed, STREAM_VALUES, err);
}

int quantised_fill_input(struct test_case *test, const char *name, int64_t row, struct error *err)
{
	struct tensor *tensor = case_find_tensor(test, name, TENSOR_INPUT);
	if (!tensor)
		return error_set(err, ERROR_INTERNAL, "case %s has no %s", test->name, name);
	if (tensor_allocate(tensor, err))
		return -1;
	snprintf(tensor->generator, sizeof tensor->generator, "%.23s", case_get_text(test, "input"));
	return quantised_fill_values(test, tensor->data, tensor->dtype, tensor->extent, row, err);
}

int quantised_fill_activations(struct test_case *test, const char *name, int64_t rows, int64_t count, int64_t padded,
			       struct error *err)
{
	struct tensor *tensor = case_find_tensor(test, name, TENSOR_INPUT);
	float *values = tensor ? malloc((size_t)(rows * count) * sizeof *values + 1) : NULL;
	if (!values)
		return error_set(err, ERROR_ENVIRONMENT, "case %s: no memory for %lld activations", test->name,
				 (long long)(rows * count));
	int result = tensor_allocate(tensor, err);
	if (!result)
		result = quantised_fill_values(test, values, DTYPE_F32, rows * count, count, err);
	if (!result)
		gguf_quantize_q8_1(values, rows, count, padded, tensor->data);
	snprintf(tensor->generator, sizeof tensor->generator, "q8_1 of %.14s", case_get_text(test, "input"));
	free(values);
	return result;
}

/* ---- products ------------------------------------------------------------------------------------------------------ */

struct run {
	const struct quantised_products *products;
	struct expectation *expected;
	atomic_int failed;
};

static double gamma_of(double roundings)
{
	const double nu = roundings * 0x1p-24;
	return nu / (1 - nu);
}

/* What intermediate results that are subnormal may lose, with `least` the error of one: each may yet be multiplied by a quant
 * and a sub-block's scale (below 64 where they come one after the other) and by a block's scale. */
static double underflow(const struct quantised_products *products, const struct gguf_block *blocks, double least)
{
	double scale = 1;
	for (int64_t b = 0; b < products->k / gguf_layouts[products->format].elements; b++)
		scale = fmax(scale, fmax(fabs(blocks[b].d), fabs(blocks[b].m)));
	return 64 * scale * (double)(products->k + 32) * least;
}

/* With flushing an activation that is subnormal counts as 0, and so does each such product. */
static double flushed(const struct quantised_products *products, const struct gguf_block *blocks, const float *values)
{
	const int elements = gguf_layouts[products->format].elements;
	double lost = underflow(products, blocks, 0x1p-126);
	for (int64_t i = 0; i < products->k; i++)
		if (fabsf(values[i]) < 0x1p-126f)
			lost += fabs((double)values[i] * gguf_value(&blocks[i / elements], (int)(i % elements)));
	return lost;
}

double quantised_roundings(enum quantised_share share, int64_t k)
{
	return share == SHARE_NONE ? (double)k / 32 + 8 : ceil((double)k / (share == SHARE_WARP ? 256 : 512)) + 17;
}

static void expect_outputs(void *context, int64_t first, int64_t last)
{
	struct run *run = context;
	const struct quantised_products *p = run->products;
	const struct gguf_layout *layout = &gguf_layouts[p->format];
	const int64_t row_blocks = p->k / layout->elements;
	struct gguf_block *blocks = malloc((size_t)row_blocks * sizeof *blocks + 1);
	int64_t decoded = -1;
	if (!blocks) {
		run->failed = 1;
		return;
	}
	for (int64_t i = first; i < last; i++) {
		struct gguf_product product;
		struct expectation *expected = &run->expected[i];
		int64_t weight_row, activation_row;
		p->pair(p->context, i, &weight_row, &activation_row);
		for (int64_t b = 0; weight_row != decoded && b < row_blocks; b++)
			gguf_decode(p->format, p->weights + (weight_row * row_blocks + b) * layout->bytes, &blocks[b]);
		decoded = weight_row;
		if (!p->of_f32) {
			const unsigned char *q8_1 =
				(const unsigned char *)p->activations + activation_row * (p->padded / 32) * 36;
			gguf_product(p->format, blocks, q8_1, p->k, &product);
			expected->bound = gamma_of(quantised_roundings(p->share, p->k)) * product.magnitude;
			expected->fast_bound = 0; /* products of halves are normal floats, or 0 */
		} else {
			const float *values = (const float *)p->activations + activation_row * p->k;
			gguf_product_f32(p->format, blocks, values, p->k, &product);
			expected->bound = gamma_of((double)p->k / 32 + 28) * product.magnitude + underflow(p, blocks, 0x1p-150);
			expected->fast_bound = expected->bound + flushed(p, blocks, values);
		}
		expected->value = product.by_sum;
		expected->other = product.by_quants;
		expected->flags = product.by_sum != product.by_quants ? EXPECT_OTHER : 0;
	}
	free(blocks);
}

int quantised_expect_products(const struct quantised_products *products, struct expectation *expected, struct error *err)
{
	struct run run = {products, expected, 0};
	const int64_t least = products->k > 0 ? 200000 / products->k + 1 : 1;
	parallel_for(products->outputs, least, expect_outputs, &run);
	return run.failed ? error_set(err, ERROR_ENVIRONMENT, "no memory for %lld blocks", (long long)products->k / 32) : 0;
}

struct layout_of_outputs {
	int64_t columns;
};

/* Outputs are made row by row of weights; the expectations are put in their places afterwards. */
static void pair(const void *context, int64_t index, int64_t *weight_row, int64_t *activation_row)
{
	const struct layout_of_outputs *layout = context;
	*weight_row = index / layout->columns;
	*activation_row = index % layout->columns;
}

int quantised_expect_matrix(const struct test_case *test, struct quantised_products *products, int64_t columns, int64_t rows,
			    struct expectation *expected, struct error *err)
{
	const struct layout_of_outputs layout = {columns};
	struct expectation *by_row = calloc((size_t)(rows * columns), sizeof *by_row);
	if (!by_row)
		return error_set(err, ERROR_ENVIRONMENT, "case %s: no memory for %lld expectations", test->name,
				 (long long)(rows * columns));
	products->weights = case_tensor_data(test, operator_tensor(test, "weights"));
	products->activations = case_tensor_data(test, operator_tensor(test, "vectors"));
	products->outputs = rows * columns;
	products->pair = pair;
	products->context = &layout;
	const int result = quantised_expect_products(products, by_row, err);
	for (int64_t row = 0; row < rows; row++)
		for (int64_t column = 0; column < columns; column++)
			expected[column * rows + row] = by_row[row * columns + column];
	free(by_row);
	return result;
}

/* ---- rows that are quantised inside ----------------------------------------------------------------------------------- */

/* The first row owns the memory of all. */
void quantised_rows_free(struct quantised_row *rows)
{
	if (!rows)
		return;
	free(rows[0].q8_1);
	free(rows[0].slack);
	free(rows);
}

/* In float32 both divisions may be off by 2 units, 2^-22, and a sum of 32 by gamma_31 of the magnitudes. */
static struct quantised_slack slack_of(const float values[32])
{
	const double units = 0x1p-22, of_sum = 31 * 0x1p-24 / (1 - 31 * 0x1p-24);
	struct quantised_slack slack = {0};
	struct gguf_q8_1_exact exact;
	gguf_quantize_exact(values, &exact);
	const double sum = (double)exact.sum, lost = of_sum * exact.magnitude;
	slack.d = f16_to_f64(f16_from_f64(exact.d * (1 + units))) - f16_to_f64(f16_from_f64(exact.d * (1 - units)));
	slack.s = f16_to_f64(f16_from_f64(sum + lost)) - f16_to_f64(f16_from_f64(sum - lost));
	for (int i = 0; i < 32; i++)
		if (round(exact.ratio[i] * (1 - 2 * units)) != round(exact.ratio[i] * (1 + 2 * units)))
			slack.quants |= UINT32_C(1) << i;
	return slack;
}

struct quantised_row *quantised_rows_make(const float *values, int64_t rows, int64_t count, int64_t padded)
{
	const int64_t in_row = padded / 32;
	struct quantised_row *made = calloc((size_t)rows, sizeof *made);
	unsigned char *q8_1 = malloc((size_t)(rows * in_row * 36));
	struct quantised_slack *slack = malloc((size_t)(rows * in_row) * sizeof *slack);
	if (!made || !q8_1 || !slack) {
		free(made);
		free(q8_1);
		free(slack);
		return NULL;
	}
	gguf_quantize_q8_1(values, rows, count, padded, q8_1);
	for (int64_t row = 0; row < rows; row++) {
		made[row] = (struct quantised_row){q8_1 + row * in_row * 36, slack + row * in_row};
		for (int64_t block = 0; block < in_row; block++) {
			float part[32];
			for (int64_t i = 0, at = block * 32; i < 32; i++, at++)
				part[i] = at < count ? values[row * count + at] : 0.0f;
			made[row].slack[block] = slack_of(part);
		}
	}
	return made;
}

double quantised_row_slack(const struct quantised_row *row, enum gguf_format format, const struct gguf_block *blocks, int64_t k)
{
	const int elements = gguf_layouts[format].elements;
	double sum = 0;
	for (int64_t b = 0; b < k / 32; b++) {
		const struct quantised_slack *slack = &row->slack[b];
		if (slack->d == 0 && slack->s == 0 && !slack->quants)
			continue;
		const struct gguf_block *block = &blocks[b * 32 / elements];
		const unsigned char *q8_1 = row->q8_1 + b * 36;
		const double d8 = f16_to_f64((uint16_t)(q8_1[0] | q8_1[1] << 8));
		const int first = (int)(b * 32 % elements);
		for (int i = 0; i < 32; i++) {
			const double size = fabs(block->d * block->weight[first + i]) + fabs(block->m * block->offset[first + i]);
			sum += size * slack->d * abs((signed char)q8_1[4 + i]);
			if (slack->quants >> i & 1)
				sum += size * (d8 + slack->d);
		}
		sum += slack->s * fabs(block->m * block->offset[first]);
	}
	return sum;
}
