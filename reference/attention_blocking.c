#include "reference/attention_private.h"

/* Query blocks of a masked problem: short enough that few scores outside the mask are computed, long enough for the
 * matrix products to stay efficient. */
enum { MASKED_QUERIES = 512 };
/* cuBLAS puts the batch into a grid dimension of 16 bits; rows and groups of a block are counted in 31 bits. */
enum { GROUPS_MAX = 65535 };

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Products and sums that stop at the largest value instead of wrapping. */
static size_t times(size_t a, int64_t b)
{
	size_t product;
	return __builtin_mul_overflow(a, (size_t)b, &product) ? SIZE_MAX / 2 : product;
}

static size_t reserve(size_t *end, size_t bytes)
{
	const size_t start = *end;
	*end = bytes > SIZE_MAX / 2 - 256 || start > SIZE_MAX / 2 - 256 ? SIZE_MAX / 2 : start + (bytes + 255) / 256 * 256;
	return start;
}

static struct attention_blocking lay_out(const struct attention_shape *shape, int64_t groups, int64_t queries, int64_t keys)
{
	struct attention_blocking b = {.groups = groups, .queries = queries, .keys = keys};
	const int64_t rows = queries * shape->ratio, quantum = (int64_t)(16 / shape->scored_size);
	int64_t columns = shape->seqlen_k;

	if (shape->window_left >= 0 && shape->window_right >= 0 && shape->window_left < columns &&
	    shape->window_right < columns)
		columns = smaller(columns, shape->window_left + shape->window_right + queries);
	b.leading = (columns + quantum - 1) / quantum * quantum;
	b.q = reserve(&b.bytes, times(times(times(shape->gathered_size, groups), rows), shape->head_dim));
	b.k = reserve(&b.bytes, times(times(times(shape->gathered_size, groups), keys), shape->head_dim));
	if (shape->value_arrays > 0)
		b.v = reserve(&b.bytes, times(times(times(shape->gathered_size, groups), keys), shape->head_dim));
	if (shape->value_arrays > 1)
		b.absolute_v = reserve(&b.bytes, times(times(times(shape->gathered_size, groups), keys), shape->head_dim));
	b.scores = reserve(&b.bytes, times(times(times(shape->scored_size, groups), rows), b.leading));
	if (shape->product_size)
		b.product = reserve(&b.bytes, times(times(times(shape->product_size, groups), rows), shape->head_dim));
	if (shape->careful) {
		b.bad_keys = reserve(&b.bytes, times((size_t)groups, shape->seqlen_k));
		b.bad_before = reserve(&b.bytes, times(times(sizeof(int32_t), groups), shape->seqlen_k + 1));
		b.bad_queries = reserve(&b.bytes, times((size_t)groups, rows));
	}
	return b;
}

static int fits(const struct attention_shape *shape, size_t limit, int64_t groups, int64_t queries, int64_t keys)
{
	return groups <= GROUPS_MAX && queries * shape->ratio <= INT32_MAX / groups &&
	       lay_out(shape, groups, queries, keys).bytes <= limit;
}

/* Largest value from `low` (which fits) to `high` that fits; fitting is monotone in each of the three. */
enum which { GROUPS, QUERIES, KEYS };
static int64_t largest(const struct attention_shape *shape, size_t limit, const struct attention_blocking *at,
		       enum which which, int64_t low, int64_t high)
{
	while (low < high) {
		const int64_t middle = low + (high - low + 1) / 2;
		if (fits(shape, limit, which == GROUPS ? middle : at->groups, which == QUERIES ? middle : at->queries,
			 which == KEYS ? middle : at->keys))
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/* The same number of parts, but of about equal size. */
static int64_t even(int64_t total, int64_t part)
{
	const int64_t parts = (total + part - 1) / part;
	return (total + parts - 1) / parts;
}

int attention_blocking_choose(const struct attention_shape *shape, size_t limit, struct attention_blocking *blocking)
{
	const int masked = shape->window_left >= 0 || shape->window_right >= 0;
	const int64_t all_queries = shape->seqlen_q > 1 ? shape->seqlen_q : 1, all_keys = shape->seqlen_k > 1 ? shape->seqlen_k : 1;
	const int64_t preferred = smaller(all_queries, MASKED_QUERIES), widest = masked ? preferred : all_queries;
	struct attention_blocking at = {.groups = 1, .queries = 1, .keys = 1};

	if (!fits(shape, limit, 1, 1, 1)) {
		*blocking = lay_out(shape, 1, 1, 1);
		return -1;
	}
	/* A matrix product of fewer rows than these costs about as much: prefer them to resident keys. */
	at.queries = largest(shape, limit, &at, QUERIES, 1, smaller(preferred, 64));
	at.keys = largest(shape, limit, &at, KEYS, 1, all_keys);
	if (at.keys == all_keys) {
		at.queries = largest(shape, limit, &at, QUERIES, at.queries, preferred);
		at.groups = even(shape->groups, largest(shape, limit, &at, GROUPS, 1, shape->groups));
		at.queries = largest(shape, limit, &at, QUERIES, at.queries, widest);
	} else if (at.keys >= 64) {
		at.keys -= at.keys % 64; /* aligned starts for the matrix products */
	}
	*blocking = lay_out(shape, at.groups, even(all_queries, at.queries), at.keys);
	return 0;
}
