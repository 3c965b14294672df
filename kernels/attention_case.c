/* Attention cases: from a line of axis values to shapes, attributes, a name, and filled inputs. */
#include "kernels/attention_params.h"

#include "core/util.h"
#include "dataset/generate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Axes, their values and defaults:
 *   dtype     f16 | bf16
 *   head_dim  8 .. 256, a multiple of 8
 *   heads     H or H/HK: query heads and key/value heads; HK divides H (MHA: equal, GQA, MQA: HK = 1)
 *   batch     1 ..
 *   seqlen    SQ or SQ/SK
 *   mask      none | causal | left:L | right:R | window:L:R
 *   softcap   0 (none) or a positive number
 *   alibi     none | head | batch
 *   layout    bshd      q, o [b, s, h, d] and k, v [b, s, hk, d], contiguous
 *             bhsd      the same values with heads outermost in memory
 *             padded    gaps between heads, rows and batch entries, in the output as well
 *             packed    q, k, v interleaved in one buffer [b, s, h + 2 hk, d]; needs SQ = SK
 *             varlen, varlen:ragged, varlen:zero   sequences one after the other with cu_seqlens: all of full length,
 *                       of random lengths, or random with some of length 0
 *   lse       unpadded  varlen: LSE is [h, total_q]; what Candle asks for
 *             padded    varlen: LSE is [b, h, SQ]
 *   input     normal | uniform | large_logits | outliers | constant | one_hot | integers | nan_q | nan_k | nan_v | inf_k | inf_v
 *   scale     rsqrt (1/sqrt(head_dim)) or a positive number */
const char *const attention_axes[] = {"dtype", "head_dim", "heads",  "batch", "seqlen", "mask",
				      "softcap", "alibi",  "layout", "lse",   "input", "scale",  NULL};
const char *const attention_defaults[] = {"f16", "64",   "2",    "1",        "128",    "none",
					  "0",   "none", "bshd", "unpadded", "normal", "rsqrt"};

enum { STREAM_Q = 1, STREAM_K, STREAM_V, STREAM_SLOPES, STREAM_LENGTHS_Q, STREAM_LENGTHS_K, STREAM_SEEDS };

static const char *value_of(const struct assignment *assignment, const char *axis)
{
	const char *value = assignment_value(assignment, axis);
	return value ? value : family_default("attention", axis);
}

static int bad_value(const char *axis, const char *value, const char *wanted, struct error *err)
{
	return error_set(err, ERROR_INPUT, "axis %s: '%s' is not %s", axis, value, wanted);
}

static int parse_whole(const char *text, int64_t low, int64_t high, int64_t *out, const char **end)
{
	char *stop;
	const long long number = strtoll(text, &stop, 10);
	if (stop == text || number < low || number > high)
		return -1;
	*out = number;
	*end = stop;
	return 0;
}

/* "A" or "A/B" */
static int parse_pair(const char *text, int64_t low, int64_t high, int64_t *a, int64_t *b)
{
	const char *end;
	if (parse_whole(text, low, high, a, &end))
		return -1;
	*b = *a;
	if (*end == '/' && parse_whole(end + 1, low, high, b, &end))
		return -1;
	return *end ? -1 : 0;
}

static int parse_mask(const char *mask, int64_t *left, int64_t *right)
{
	const int64_t most = INT32_MAX;
	const char *end;
	*left = *right = -1;
	if (strcmp(mask, "none") == 0)
		return 0;
	if (strcmp(mask, "causal") == 0) {
		*right = 0;
		return 0;
	}
	if (strncmp(mask, "left:", 5) == 0)
		return parse_whole(mask + 5, 0, most, left, &end) || *end ? -1 : 0;
	if (strncmp(mask, "right:", 6) == 0)
		return parse_whole(mask + 6, 0, most, right, &end) || *end ? -1 : 0;
	if (strncmp(mask, "window:", 7) == 0) {
		if (parse_whole(mask + 7, 0, most, left, &end) || *end != ':')
			return -1;
		return parse_whole(end + 1, 0, most, right, &end) || *end ? -1 : 0;
	}
	return -1;
}

static int parse_real(const char *text, double *out)
{
	char *end;
	*out = strtod(text, &end);
	return end == text || *end || !isfinite(*out) || *out < 0 ? -1 : 0;
}

static int is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return 1;
	return 0;
}

/* Lengths of a varlen batch: `ragged` draws from [1, most], `zero` makes every other one 0 as well; the first entry has
 * full length so that the stated maximum is met. */
static void fill_lengths(int32_t *cumulative, int64_t batch, int64_t most, const char *layout, uint64_t seed,
			 uint32_t stream)
{
	cumulative[0] = 0;
	for (int64_t entry = 0; entry < batch; entry++) {
		int64_t length = most;
		if (entry > 0 && strcmp(layout, "varlen") != 0)
			length = 1 + (int64_t)generate_below((uint64_t)most, seed, stream, (uint64_t)entry);
		/* queries and keys are empty at different entries, so that one without the other occurs too */
		if (entry > 0 && strcmp(layout, "varlen:zero") == 0 && entry % 3 == (stream == STREAM_LENGTHS_Q ? 1 : 2))
			length = 0;
		cumulative[entry + 1] = cumulative[entry] + (int32_t)length;
	}
}

static int add_lengths(struct test_case *test, const char *name, int64_t batch, int64_t most, const char *layout,
		       uint32_t stream, int64_t *total, struct error *err)
{
	const int64_t dims[] = {batch + 1};
	struct tensor *tensor = case_add_tensor(test, name, TENSOR_INPUT, DTYPE_I32, 1, dims, NULL, err);
	if (!tensor || tensor_allocate(tensor, err))
		return -1;
	snprintf(tensor->generator, sizeof tensor->generator, "lengths");
	fill_lengths(tensor->data, batch, most, layout, test->seed, stream);
	*total = ((const int32_t *)tensor->data)[batch];
	return 0;
}

/* q, k, v or o of a dense case. Strides by layout; all are multiples of 8 elements (16 bytes), as run_mha demands. */
static struct tensor *add_dense(struct test_case *test, const char *name, enum tensor_role role, enum dtype dtype,
				const char *layout, int64_t batch, int64_t seqlen, int64_t heads, int64_t head_dim,
				struct error *err)
{
	const int64_t dims[] = {batch, seqlen, heads, head_dim};
	if (strcmp(layout, "bhsd") == 0) {
		const int64_t strides[] = {heads * seqlen * head_dim, head_dim, seqlen * head_dim, 1};
		return case_add_tensor(test, name, role, dtype, 4, dims, strides, err);
	}
	if (strcmp(layout, "padded") == 0) {
		const int64_t head = head_dim + 8, row = heads * head + 16, entry = seqlen * row + 24;
		const int64_t strides[] = {entry, row, head, 1};
		return case_add_tensor(test, name, role, dtype, 4, dims, strides, err);
	}
	return case_add_tensor(test, name, role, dtype, 4, dims, NULL, err);
}

/* q, k and v interleaved: [batch, seqlen, heads_q + 2 heads_k, head_dim]; q owns the storage. */
static int add_packed(struct test_case *test, enum dtype dtype, int64_t batch, int64_t seqlen, int64_t heads_q,
		      int64_t heads_k, int64_t head_dim, struct error *err)
{
	const int64_t row = (heads_q + 2 * heads_k) * head_dim;
	const int64_t strides[] = {seqlen * row, row, head_dim, 1};
	const int64_t dims_q[] = {batch, seqlen, heads_q, head_dim}, dims_k[] = {batch, seqlen, heads_k, head_dim};
	struct tensor *q = case_add_tensor(test, "q", TENSOR_INPUT, dtype, 4, dims_q, strides, err);
	if (!q)
		return -1;
	q->extent = batch * seqlen * row;
	for (int i = 0; i < 2; i++) {
		struct tensor *part = case_add_tensor(test, i ? "v" : "k", TENSOR_INPUT, dtype, 4, dims_k, strides, err);
		if (!part)
			return -1;
		snprintf(part->storage, sizeof part->storage, "q");
		part->offset = (heads_q + i * heads_k) * head_dim;
	}
	return 0;
}

static struct tensor *add_varlen(struct test_case *test, const char *name, enum tensor_role role, enum dtype dtype,
				 int64_t total, int64_t heads, int64_t head_dim, struct error *err)
{
	const int64_t dims[] = {total, heads, head_dim};
	return case_add_tensor(test, name, role, dtype, 3, dims, NULL, err);
}

static const char *const layouts[] = {"bshd", "bhsd", "padded", "packed", "varlen", "varlen:ragged", "varlen:zero", NULL};
static const char *const inputs[] = {"normal",   "uniform", "large_logits", "outliers", "constant", "one_hot",
				     "integers", "nan_q",   "nan_k",        "nan_v",    "inf_k",    "inf_v", NULL};

int attention_make_case(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err)
{
	const char *dtype_text = value_of(assignment, "dtype"), *head_dim_text = value_of(assignment, "head_dim");
	const char *heads_text = value_of(assignment, "heads"), *batch_text = value_of(assignment, "batch");
	const char *seqlen_text = value_of(assignment, "seqlen"), *mask = value_of(assignment, "mask");
	const char *softcap_text = value_of(assignment, "softcap"), *alibi = value_of(assignment, "alibi");
	const char *layout = value_of(assignment, "layout"), *input = value_of(assignment, "input");
	const char *scale_text = value_of(assignment, "scale"), *lse = value_of(assignment, "lse");
	const char *end;
	int64_t head_dim, heads_q, heads_k, batch, seqlen_q, seqlen_k, left, right, total_q = 0, total_k = 0;
	double softcap, scale;

	*test = (struct test_case){.seed = seed};
	snprintf(test->family, sizeof test->family, "attention");
	const enum dtype dtype = dtype_from_name(dtype_text);
	if (dtype != DTYPE_F16 && dtype != DTYPE_BF16)
		return bad_value("dtype", dtype_text, "f16 or bf16", err);
	if (parse_whole(head_dim_text, 8, 512, &head_dim, &end) || *end || head_dim % 8)
		return bad_value("head_dim", head_dim_text, "a multiple of 8 from 8 to 512", err);
	if (parse_pair(heads_text, 1, 1024, &heads_q, &heads_k) || heads_q % heads_k)
		return bad_value("heads", heads_text, "H or H/HK with HK a divisor of H", err);
	if (parse_whole(batch_text, 1, 65535, &batch, &end) || *end)
		return bad_value("batch", batch_text, "a whole number from 1 to 65535", err);
	if (parse_pair(seqlen_text, 1, 1 << 24, &seqlen_q, &seqlen_k))
		return bad_value("seqlen", seqlen_text, "SQ or SQ/SK, each from 1 to 16777216", err);
	if (parse_mask(mask, &left, &right))
		return bad_value("mask", mask, "none, causal, left:L, right:R or window:L:R", err);
	if (parse_real(softcap_text, &softcap))
		return bad_value("softcap", softcap_text, "0 or a positive number", err);
	if (strcmp(scale_text, "rsqrt") == 0)
		scale = 1.0 / sqrt((double)head_dim);
	else if (parse_real(scale_text, &scale) || scale == 0)
		return bad_value("scale", scale_text, "rsqrt or a positive number", err);
	if (!is_one_of(layout, layouts))
		return bad_value("layout", layout, "one of bshd, bhsd, padded, packed, varlen, varlen:ragged, varlen:zero", err);
	if (!is_one_of(input, inputs))
		return bad_value("input", input, "a known kind of input (assay dataset --help lists them)", err);
	const int alibi_kind = strcmp(alibi, "none") == 0 ? 0 : strcmp(alibi, "head") == 0 ? 1 : 2;
	if (alibi_kind == 2 && strcmp(alibi, "batch") != 0)
		return bad_value("alibi", alibi, "none, head or batch", err);
	if (strcmp(layout, "packed") == 0 && seqlen_q != seqlen_k)
		return error_set(err, ERROR_INPUT, "layout packed needs equal lengths of queries and keys, not %s", seqlen_text);
	const int varlen = strncmp(layout, "varlen", 6) == 0, padded = strcmp(lse, "padded") == 0;
	if (!padded && strcmp(lse, "unpadded") != 0)
		return bad_value("lse", lse, "unpadded or padded", err);
	if (padded && !varlen)
		return error_set(err, ERROR_INPUT, "axis lse: padded belongs to a varlen layout, not to %s", layout);

	/* the part of the name that is always there, then what differs from the plain case */
	struct text name = {0};
	text_append(&name, "attention/%s/d%lld/h%lld:%lld/b%lld/s%lld:%lld/%s", dtype_text, (long long)head_dim,
		    (long long)heads_q, (long long)heads_k, (long long)batch, (long long)seqlen_q, (long long)seqlen_k,
		    strcmp(mask, "none") == 0 ? "full" : mask);
	if (softcap > 0)
		text_append(&name, "/softcap:%g", softcap);
	if (alibi_kind)
		text_append(&name, "/alibi:%s", alibi);
	if (strcmp(scale_text, "rsqrt") != 0)
		text_append(&name, "/scale:%g", scale);
	text_append(&name, "/%s%s/%s", layout, padded ? "/lse:padded" : "", input);
	const int too_long = name.failed || name.length >= sizeof test->name;
	if (!too_long)
		memcpy(test->name, name.data, name.length + 1);
	text_free(&name);
	if (too_long)
		return error_set(err, ERROR_INPUT, "the case's name is longer than %zu characters", sizeof test->name - 1);

	int failed = case_set_text(test, "dtype", dtype_text, err) || case_set_int(test, "head_dim", head_dim, err) ||
		     case_set_int(test, "heads_q", heads_q, err) || case_set_int(test, "heads_k", heads_k, err) ||
		     case_set_int(test, "batch", batch, err) || case_set_int(test, "seqlen_q", seqlen_q, err) ||
		     case_set_int(test, "seqlen_k", seqlen_k, err) || case_set_int(test, "window_left", left, err) ||
		     case_set_int(test, "window_right", right, err) || case_set_real(test, "softcap", softcap, err) ||
		     case_set_real(test, "scale", scale, err) || case_set_text(test, "alibi", alibi, err) ||
		     case_set_text(test, "layout", layout, err) || case_set_text(test, "input", input, err) ||
		     case_set_text(test, "lse", lse, err) ||
		     case_set_text(test, "group", assignment->group ? assignment->group : "", err);
	if (failed)
		goto fail;

	if (varlen) {
		if (add_lengths(test, "cu_seqlens_q", batch, seqlen_q, layout, STREAM_LENGTHS_Q, &total_q, err) ||
		    add_lengths(test, "cu_seqlens_k", batch, seqlen_k, layout, STREAM_LENGTHS_K, &total_k, err))
			goto fail;
		failed = !add_varlen(test, "q", TENSOR_INPUT, dtype, total_q, heads_q, head_dim, err) ||
			 !add_varlen(test, "k", TENSOR_INPUT, dtype, total_k, heads_k, head_dim, err) ||
			 !add_varlen(test, "v", TENSOR_INPUT, dtype, total_k, heads_k, head_dim, err) ||
			 !add_varlen(test, "o", TENSOR_OUTPUT, dtype, total_q, heads_q, head_dim, err);
	} else if (strcmp(layout, "packed") == 0) {
		failed = add_packed(test, dtype, batch, seqlen_q, heads_q, heads_k, head_dim, err) ||
			 !add_dense(test, "o", TENSOR_OUTPUT, dtype, "bshd", batch, seqlen_q, heads_q, head_dim, err);
	} else {
		failed = !add_dense(test, "q", TENSOR_INPUT, dtype, layout, batch, seqlen_q, heads_q, head_dim, err) ||
			 !add_dense(test, "k", TENSOR_INPUT, dtype, layout, batch, seqlen_k, heads_k, head_dim, err) ||
			 !add_dense(test, "v", TENSOR_INPUT, dtype, layout, batch, seqlen_k, heads_k, head_dim, err) ||
			 !add_dense(test, "o", TENSOR_OUTPUT, dtype, layout, batch, seqlen_q, heads_q, head_dim, err);
	}
	if (failed)
		goto fail;
	const int64_t lse_dense[] = {batch, heads_q, seqlen_q}, lse_varlen[] = {heads_q, total_q};
	if (!case_add_tensor(test, "lse", TENSOR_OUTPUT, DTYPE_F32, varlen && !padded ? 2 : 3,
			     varlen && !padded ? lse_varlen : lse_dense, NULL, err))
		goto fail;
	if (alibi_kind) {
		const int64_t dims[] = {batch, heads_q};
		if (!case_add_tensor(test, "slopes", TENSOR_INPUT, DTYPE_F32, alibi_kind, dims + (alibi_kind == 1), NULL, err))
			goto fail;
	}
	return 0;
fail:
	case_free(test);
	return -1;
}

/* ---- inputs --------------------------------------------------------------------------------------------------- */

struct recipe {
	const char *kind;
	double scale;
};

/* How q, k and v of an input kind are drawn. Scales are chosen so that logits q.k * scale have a spread of about 1
 * (normal), 16 (large_logits: softmax close to one-hot, |logit| up to about 70), or are equal for all keys (constant:
 * the softmax is uniform, so every visible v counts alike). one_hot: matching keys get a logit of 8. */
static void recipe_of(const char *input, double sqrt_d, struct recipe *q, struct recipe *k, struct recipe *v)
{
	*q = *k = *v = (struct recipe){"normal", 1.0};
	if (strcmp(input, "uniform") == 0) {
		*q = *k = *v = (struct recipe){"uniform", 2.0};
	} else if (strcmp(input, "large_logits") == 0) {
		q->scale = k->scale = 4.0;
	} else if (strcmp(input, "outliers") == 0) {
		*k = *v = (struct recipe){"outliers", 1.0};
		k->scale = 0.5;
	} else if (strcmp(input, "constant") == 0) {
		*q = *k = (struct recipe){"constant", 0.125};
		*v = (struct recipe){"integers", 1.0};
	} else if (strcmp(input, "one_hot") == 0) {
		*q = (struct recipe){"one_hot", 8.0};
		*k = (struct recipe){"one_hot", sqrt_d};
	} else if (strcmp(input, "integers") == 0) {
		*q = *k = *v = (struct recipe){"integers", 1.0};
	}
}

/* Draws a tensor; one that shares storage is drawn apart and laid into its place. */
static int fill_tensor(struct test_case *test, struct tensor *tensor, struct recipe recipe, uint32_t stream,
		       struct error *err)
{
	snprintf(tensor->generator, sizeof tensor->generator, "%s", recipe.kind);
	if (!tensor->storage[0]) {
		if (!tensor->data && tensor_allocate(tensor, err))
			return -1;
		return generate_tensor(tensor, recipe.kind, recipe.scale, test->seed, stream, err);
	}
	const int64_t count = tensor_elements(tensor), row = tensor->dims[tensor->rank - 1];
	const size_t size = dtype_size(tensor->dtype);
	unsigned char *drawn = calloc((size_t)(count ? count : 1), size);
	if (!drawn)
		return error_set(err, ERROR_ENVIRONMENT, "case %s: out of memory for %s", test->name, tensor->name);
	const int result = generate_array(drawn, tensor->dtype, count, row, recipe.kind, recipe.scale, test->seed, stream, err);
	struct tensor *owner = case_find_tensor(test, tensor->storage, TENSOR_INPUT);
	for (int64_t at = 0; result == 0 && at < count; at += row)
		memcpy((unsigned char *)owner->data + (size_t)(tensor->offset + tensor_offset(tensor, at)) * size,
		       drawn + (size_t)at * size, (size_t)row * size);
	free(drawn);
	return result;
}

/* Puts one non-finite element into every batch entry's (varlen: the whole) first and last head, the second with the opposite
 * sign, at a row drawn from the seed: late enough that under a causal mask rows before it must stay finite. */
static void plant(struct test_case *test, struct tensor *tensor, double value)
{
	struct tensor *owner = tensor->storage[0] ? case_find_tensor(test, tensor->storage, TENSOR_INPUT) : tensor;
	const int dense = tensor->rank == 4;
	const int64_t entries = dense ? tensor->dims[0] : 1, rows = tensor->dims[dense], heads = tensor->dims[dense + 1];
	const int64_t head_dim = tensor->dims[dense + 2];
	if (tensor_elements(tensor) == 0)
		return;
	for (int64_t entry = 0; entry < entries; entry++) {
		for (int last = 0; last < 2; last++) {
			const int64_t head = last ? heads - 1 : 0;
			const uint64_t draw = (uint64_t)(entry * 2 + last) * 2;
			const int64_t row =
				rows / 2 + (int64_t)generate_below((uint64_t)(rows - rows / 2), test->seed, STREAM_SEEDS, draw);
			const int64_t lane = (int64_t)generate_below((uint64_t)head_dim, test->seed, STREAM_SEEDS, draw + 1);
			const int64_t linear = ((entry * rows + row) * heads + head) * head_dim + lane;
			dtype_store(tensor->dtype, owner->data, (size_t)(tensor->offset + tensor_offset(tensor, linear)),
				    last ? -value : value);
		}
	}
}

/* ALiBi slopes as Press, Smith and Lewis give them ("Train short, test long", 2022): 2^(-8 (h+1) / heads); batch entries
 * differ by a power of two so that a kernel which ignores the batch stride is seen. */
static void fill_slopes(struct tensor *slopes, int64_t heads)
{
	float *out = slopes->data;
	for (int64_t i = 0; i < tensor_elements(slopes); i++) {
		const int64_t head = i % heads, entry = i / heads;
		/* float32 sqrt-free and exact in its last step: ldexp of a value rounded once */
		out[i] = (float)ldexp(1.0 - 0.5 * (double)head / (double)heads, -(int)(entry % 4) - 2);
	}
}

int attention_fill(struct test_case *test, struct error *err)
{
	struct tensor *q = case_find_tensor(test, "q", TENSOR_INPUT), *k = case_find_tensor(test, "k", TENSOR_INPUT);
	struct tensor *v = case_find_tensor(test, "v", TENSOR_INPUT), *slopes = case_find_tensor(test, "slopes", TENSOR_INPUT);
	const char *input = case_get_text(test, "input");
	int64_t head_dim, heads_q;
	if (!q || !k || !v || !input || case_get_int(test, "head_dim", &head_dim, err) ||
	    case_get_int(test, "heads_q", &heads_q, err))
		return error_set(err, ERROR_INPUT, "case %s: is no complete attention case", test->name);
	struct recipe recipe_q, recipe_k, recipe_v;
	recipe_of(input, sqrt((double)head_dim), &recipe_q, &recipe_k, &recipe_v);
	if (fill_tensor(test, q, recipe_q, STREAM_Q, err) || fill_tensor(test, k, recipe_k, STREAM_K, err) ||
	    fill_tensor(test, v, recipe_v, STREAM_V, err))
		return -1;
	if (strcmp(input, "nan_q") == 0)
		plant(test, q, NAN);
	else if (strcmp(input, "nan_k") == 0)
		plant(test, k, NAN);
	else if (strcmp(input, "nan_v") == 0)
		plant(test, v, NAN);
	else if (strcmp(input, "inf_k") == 0)
		plant(test, k, INFINITY);
	else if (strcmp(input, "inf_v") == 0)
		plant(test, v, INFINITY);
	if (slopes) {
		if (!slopes->data && tensor_allocate(slopes, err))
			return -1;
		snprintf(slopes->generator, sizeof slopes->generator, "slopes");
		fill_slopes(slopes, heads_q);
	}
	return 0;
}

/* ---- reading a case back --------------------------------------------------------------------------------------- */

static int check_tensor(const struct test_case *test, const char *name, enum tensor_role role, enum dtype dtype, int rank,
			const int64_t *dims, const struct tensor **out, struct error *err)
{
	const struct tensor *tensor = case_find_tensor_const(test, name, role);
	*out = tensor;
	if (!tensor)
		return error_set(err, ERROR_INPUT, "case %s: tensor %s is missing", test->name, name);
	if (tensor->dtype != dtype)
		return error_set(err, ERROR_INPUT, "case %s: tensor %s is %s, but the case asks for %s", test->name, name,
				 dtype_name(tensor->dtype), dtype_name(dtype));
	if (tensor->rank != rank)
		return error_set(err, ERROR_INPUT, "case %s: tensor %s has rank %d, expected %d", test->name, name, tensor->rank,
				 rank);
	for (int i = 0; i < rank; i++)
		if (tensor->dims[i] != dims[i])
			return error_set(err, ERROR_INPUT, "case %s: tensor %s has %lld elements along axis %d, expected %lld",
					 test->name, name, (long long)tensor->dims[i], i, (long long)dims[i]);
	return 0;
}

static int check_lengths(const struct test_case *test, const struct tensor *tensor, int64_t batch, int64_t most,
			 int64_t *total, struct error *err)
{
	if (!tensor->data)
		return error_set(err, ERROR_INPUT, "case %s: %s has no data", test->name, tensor->name);
	const int32_t *cumulative = tensor->data;
	for (int64_t i = 0; i < batch; i++) {
		const int64_t length = (int64_t)cumulative[i + 1] - cumulative[i];
		if (cumulative[0] != 0 || length < 0 || length > most)
			return error_set(err, ERROR_INPUT,
					 "case %s: %s must start at 0 and grow by at most %lld; entry %lld breaks that",
					 test->name, tensor->name, (long long)most, (long long)i);
	}
	*total = cumulative[batch];
	return 0;
}

int attention_params_of(const struct test_case *test, struct attention_params *params, struct error *err)
{
	*params = (struct attention_params){0};
	const char *dtype = case_get_text(test, "dtype"), *alibi = case_get_text(test, "alibi");
	const char *layout = case_get_text(test, "layout"), *lse_kind = case_get_text(test, "lse");
	if (!dtype || !alibi || !layout || !lse_kind)
		return error_set(err, ERROR_INPUT, "case %s: attribute dtype, alibi, layout or lse is missing", test->name);
	if (case_get_int(test, "head_dim", &params->head_dim, err) || case_get_int(test, "heads_q", &params->heads_q, err) ||
	    case_get_int(test, "heads_k", &params->heads_k, err) || case_get_int(test, "batch", &params->batch, err) ||
	    case_get_int(test, "seqlen_q", &params->seqlen_q, err) || case_get_int(test, "seqlen_k", &params->seqlen_k, err) ||
	    case_get_int(test, "window_left", &params->window_left, err) ||
	    case_get_int(test, "window_right", &params->window_right, err) ||
	    case_get_real(test, "softcap", &params->softcap, err) || case_get_real(test, "scale", &params->scale, err))
		return -1;
	params->dtype = dtype_from_name(dtype);
	if (params->dtype != DTYPE_F16 && params->dtype != DTYPE_BF16)
		return error_set(err, ERROR_INPUT, "case %s: dtype %s is neither f16 nor bf16", test->name, dtype);
	const int64_t most = 1 << 24;
	if (params->head_dim < 8 || params->head_dim > 512 || params->head_dim % 8 || params->heads_q < 1 ||
	    params->heads_q > 1024 || params->heads_k < 1 || params->heads_q % params->heads_k || params->batch < 1 ||
	    params->batch > 65535 || params->seqlen_q < 1 || params->seqlen_q > most || params->seqlen_k < 1 ||
	    params->seqlen_k > most || params->window_left < -1 || params->window_right < -1 ||
	    params->window_left > INT32_MAX || params->window_right > INT32_MAX || !(params->scale > 0) ||
	    !(params->softcap >= 0) || !isfinite(params->scale) || !isfinite(params->softcap))
		return error_set(err, ERROR_INPUT, "case %s: an attribute is out of range", test->name);
	params->alibi = strcmp(alibi, "none") == 0 ? 0 : strcmp(alibi, "head") == 0 ? 1 : 2;
	params->varlen = strncmp(layout, "varlen", 6) == 0;
	params->lse_padded = params->varlen && strcmp(lse_kind, "padded") == 0;

	const int64_t b = params->batch, h = params->heads_q, hk = params->heads_k, d = params->head_dim;
	if (params->varlen) {
		const int64_t lengths[] = {b + 1};
		if (check_tensor(test, "cu_seqlens_q", TENSOR_INPUT, DTYPE_I32, 1, lengths, &params->cu_seqlens_q, err) ||
		    check_tensor(test, "cu_seqlens_k", TENSOR_INPUT, DTYPE_I32, 1, lengths, &params->cu_seqlens_k, err) ||
		    check_lengths(test, params->cu_seqlens_q, b, params->seqlen_q, &params->total_q, err) ||
		    check_lengths(test, params->cu_seqlens_k, b, params->seqlen_k, &params->total_k, err))
			return -1;
		const int64_t q[] = {params->total_q, h, d}, k[] = {params->total_k, hk, d};
		const int64_t padded[] = {b, h, params->seqlen_q}, unpadded[] = {h, params->total_q};
		if (check_tensor(test, "q", TENSOR_INPUT, params->dtype, 3, q, &params->q, err) ||
		    check_tensor(test, "k", TENSOR_INPUT, params->dtype, 3, k, &params->k, err) ||
		    check_tensor(test, "v", TENSOR_INPUT, params->dtype, 3, k, &params->v, err) ||
		    check_tensor(test, "o", TENSOR_OUTPUT, params->dtype, 3, q, &params->o, err) ||
		    check_tensor(test, "lse", TENSOR_OUTPUT, DTYPE_F32, params->lse_padded ? 3 : 2,
				 params->lse_padded ? padded : unpadded, &params->lse, err))
			return -1;
	} else {
		const int64_t q[] = {b, params->seqlen_q, h, d}, k[] = {b, params->seqlen_k, hk, d};
		const int64_t lse[] = {b, h, params->seqlen_q};
		if (check_tensor(test, "q", TENSOR_INPUT, params->dtype, 4, q, &params->q, err) ||
		    check_tensor(test, "k", TENSOR_INPUT, params->dtype, 4, k, &params->k, err) ||
		    check_tensor(test, "v", TENSOR_INPUT, params->dtype, 4, k, &params->v, err) ||
		    check_tensor(test, "o", TENSOR_OUTPUT, params->dtype, 4, q, &params->o, err) ||
		    check_tensor(test, "lse", TENSOR_OUTPUT, DTYPE_F32, 3, lse, &params->lse, err))
			return -1;
	}
	const struct tensor *operands[] = {params->q, params->k, params->v, params->o};
	for (size_t i = 0; i < ARRAY_COUNT(operands); i++)
		if (operands[i]->strides[operands[i]->rank - 1] != 1)
			return error_set(err, ERROR_INPUT, "case %s: the last axis of %s must have stride 1", test->name,
					 operands[i]->name);
	if (params->alibi) {
		const int64_t dims[] = {b, h};
		if (check_tensor(test, "slopes", TENSOR_INPUT, DTYPE_F32, params->alibi, dims + (params->alibi == 1),
				 &params->slopes, err))
			return -1;
	}
	params->exact_values = strcmp(params->v->generator, "integers") == 0 || strcmp(params->v->generator, "constant") == 0;
	return 0;
}

int attention_check_case(const struct test_case *test, struct error *err)
{
	struct attention_params params;
	return attention_params_of(test, &params, err);
}
