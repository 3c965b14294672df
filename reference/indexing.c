#include "reference/indexing.h"

#include <math.h>
#include <string.h>

int index_is_per_element(enum index_operation operation)
{
	return operation == INDEX_GATHER || operation == INDEX_SCATTER || operation == INDEX_SCATTER_ADD;
}

static int is_reading(enum index_operation operation)
{
	return operation == INDEX_SELECT || operation == INDEX_GATHER;
}

int64_t index_input_extent(const struct index_problem *problem)
{
	return is_reading(problem->operation) ? problem->rows : problem->ids;
}

int64_t index_output_extent(const struct index_problem *problem)
{
	return is_reading(problem->operation) ? problem->ids : problem->rows;
}

static int64_t index_of(const struct index_problem *problem, int64_t l, int64_t i, int64_t r)
{
	if (!index_is_per_element(problem->operation))
		return problem->at[i];
	return problem->at[(l * problem->ids + i) * problem->right + r];
}

void index_sources(const struct index_problem *problem, int64_t first, int64_t last, int64_t *source)
{
	const int64_t in = index_input_extent(problem), out = index_output_extent(problem), right = problem->right;
	for (int64_t column = first; column < last; column++) {
		const int64_t l = column / right, r = column % right;
		for (int64_t i = 0; i < out; i++)
			source[(l * out + i) * right + r] = -1;
		for (int64_t i = 0; i < problem->ids; i++) {
			const int64_t at = index_of(problem, l, i, r);
			if (at == INDEX_NONE)
				continue;
			const int64_t from = is_reading(problem->operation) ? at : i;
			const int64_t to = is_reading(problem->operation) ? i : at;
			source[(l * out + to) * right + r] = (l * in + from) * right + r;
		}
	}
}

static float flushed(float x)
{
	return fpclassify(x) == FP_SUBNORMAL ? copysignf(0.0f, x) : x;
}

/* out[to] += in[from], rounded once to the type. f16 and f8: every sum of two is exact in float64. bf16: rounding to 53 bits
 * and then to 8 is the same as rounding once, since 53 >= 2 * 8 + 2 (Figueroa, "When is double rounding innocuous?", 1995), and
 * subnormal sums are exact. f32 and f64 are the machine's own additions. */
static void add_element(enum dtype dtype, void *out, int64_t to, const void *in, int64_t from, int flush)
{
	switch (dtype) {
	case DTYPE_F32: {
		float *sum = (float *)out + to;
		const float x = ((const float *)in)[from];
		*sum = flush ? flushed(flushed(*sum) + flushed(x)) : *sum + x;
		break;
	}
	case DTYPE_F64:
		((double *)out)[to] += ((const double *)in)[from];
		break;
	case DTYPE_U8:
		((uint8_t *)out)[to] = (uint8_t)(((uint8_t *)out)[to] + ((const uint8_t *)in)[from]);
		break;
	case DTYPE_U32:
		((uint32_t *)out)[to] += ((const uint32_t *)in)[from];
		break;
	case DTYPE_I64: {
		uint64_t sum, x;
		memcpy(&sum, (unsigned char *)out + 8 * to, sizeof sum);
		memcpy(&x, (const unsigned char *)in + 8 * from, sizeof x);
		sum += x;
		memcpy((unsigned char *)out + 8 * to, &sum, sizeof sum);
		break;
	}
	default:
		dtype_store(dtype, out, (size_t)to, dtype_load(dtype, out, (size_t)to) + dtype_load(dtype, in, (size_t)from));
	}
}

void index_sums(const struct index_problem *problem, enum dtype dtype, const void *in, int flush, int64_t first, int64_t last,
		void *out)
{
	const int64_t right = problem->right;
	for (int64_t column = first; column < last; column++) {
		const int64_t l = column / right, r = column % right;
		for (int64_t j = 0; j < problem->ids; j++) {
			const int64_t at = index_of(problem, l, j, r);
			if (at != INDEX_NONE)
				add_element(dtype, out, (l * problem->rows + at) * right + r, in,
					    (l * problem->ids + j) * right + r, flush);
		}
	}
}
