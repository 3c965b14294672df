#include "kernels/moe_routing.h"

#include "dataset/generate.h"

#include <stdlib.h>
#include <string.h>

const char *const moe_routings[] = {"random", "shuffled", "first", "middle", "last", "ends", "round", "uneven", NULL};

enum { STREAM_EXPERT = 0x100, STREAM_ORDER, STREAM_HALF };

int moe_routing_add(struct test_case *test, int64_t rows, struct error *err)
{
	const int64_t dims[] = {rows};
	return case_add_tensor(test, "sorted_token_ids", TENSOR_INPUT, DTYPE_I32, 1, dims, NULL, err) &&
			       case_add_tensor(test, "expert_ids", TENSOR_INPUT, DTYPE_I32, 1, dims, NULL, err)
		       ? 0
		       : -1;
}

static int64_t expert_of(const char *routing, int64_t row, int64_t experts, uint64_t seed)
{
	const int64_t random = (int64_t)generate_below((uint64_t)experts, seed, STREAM_EXPERT, (uint64_t)row);
	if (strcmp(routing, "first") == 0)
		return 0;
	if (strcmp(routing, "middle") == 0)
		return experts / 2;
	if (strcmp(routing, "last") == 0)
		return experts - 1;
	if (strcmp(routing, "ends") == 0)
		return row % 2 ? experts - 1 : 0;
	if (strcmp(routing, "round") == 0)
		return row % experts;
	if (strcmp(routing, "uneven") == 0 && generate_below(2, seed, STREAM_HALF, (uint64_t)row))
		return experts > 1;
	return random;
}

struct place {
	int64_t expert;
	uint64_t order;
	int32_t row;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	if (x->expert != y->expert)
		return (x->expert > y->expert) - (x->expert < y->expert);
	if (x->order != y->order)
		return (x->order > y->order) - (x->order < y->order);
	return (x->row > y->row) - (x->row < y->row);
}

int moe_routing_fill(struct test_case *test, const char *routing, int64_t experts, struct error *err)
{
	struct tensor *sorted = case_find_tensor(test, "sorted_token_ids", TENSOR_INPUT);
	struct tensor *ids = case_find_tensor(test, "expert_ids", TENSOR_INPUT);
	if (!sorted || !ids)
		return error_set(err, ERROR_INTERNAL, "case %s: no tensors for the routing", test->name);
	const int64_t rows = sorted->dims[0];
	struct place *places = calloc((size_t)rows + 1, sizeof *places);
	if (!places)
		return error_set(err, ERROR_ENVIRONMENT, "case %s: out of memory", test->name);
	if ((!sorted->data && tensor_allocate(sorted, err)) || (!ids->data && tensor_allocate(ids, err))) {
		free(places);
		return -1;
	}
	const int shuffled = strcmp(routing, "shuffled") == 0;
	for (int64_t row = 0; row < rows; row++)
		places[row] = (struct place){
			.expert = expert_of(routing, row, experts, test->seed),
			.order = shuffled ? generate_below(UINT64_MAX, test->seed, STREAM_ORDER, (uint64_t)row) : 0,
			.row = (int32_t)row,
		};
	qsort(places, (size_t)rows, sizeof *places, compare_places);
	for (int64_t i = 0; i < rows; i++) {
		((int32_t *)sorted->data)[i] = places[i].row;
		((int32_t *)ids->data)[i] = (int32_t)places[i].expert;
	}
	snprintf(sorted->generator, sizeof sorted->generator, "%s", routing);
	snprintf(ids->generator, sizeof ids->generator, "%s", routing);
	free(places);
	return 0;
}

int moe_routing_check(const struct test_case *test, int64_t experts, struct error *err)
{
	const struct tensor *sorted = case_find_tensor_const(test, "sorted_token_ids", TENSOR_INPUT);
	const struct tensor *ids = case_find_tensor_const(test, "expert_ids", TENSOR_INPUT);
	if (!sorted || !ids || sorted->rank != 1 || ids->rank != 1 || sorted->dtype != DTYPE_I32 || ids->dtype != DTYPE_I32 ||
	    sorted->dims[0] != ids->dims[0] || !sorted->data || !ids->data)
		return error_set(err, ERROR_INPUT,
				 "case %s: sorted_token_ids or expert_ids is missing, or not as long as the other", test->name);
	const int64_t rows = sorted->dims[0];
	const int32_t *row = sorted->data, *expert = ids->data;
	unsigned char *seen = calloc((size_t)rows + 1, 1);
	int result = 0;
	if (!seen)
		return error_set(err, ERROR_ENVIRONMENT, "case %s: out of memory", test->name);
	for (int64_t i = 0; i < rows && result == 0; i++) {
		if (row[i] < 0 || row[i] >= rows || seen[row[i]])
			result = error_set(err, ERROR_INPUT,
					   "case %s: sorted_token_ids[%lld] is %d, beyond %lld rows or there before", test->name,
					   (long long)i, row[i], (long long)rows);
		else if (expert[i] < 0 || expert[i] >= experts || (i && expert[i] < expert[i - 1]))
			result = error_set(err, ERROR_INPUT,
					   "case %s: expert_ids[%lld] is %d, beyond %lld experts or out of order", test->name,
					   (long long)i, expert[i], (long long)experts);
		else
			seen[row[i]] = 1;
	}
	free(seen);
	return result;
}
