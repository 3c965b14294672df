#include "judge/judge.h"

#include "core/util.h"
#include "judge/element.h"
#include "judge/private.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

struct judge {
	const struct judge_backend *backend;
	void *state;
};

int judge_open(struct judge **judge, struct device *device, struct error *err)
{
	*judge = NULL;
	struct judge *opened = calloc(1, sizeof *opened);
	if (!opened)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for the judge");
	if (device->properties.kind == DEVICE_CUDA) {
		opened->backend = &judge_cuda_backend;
		if (judge_cuda_open(&opened->state, device, err)) {
			free(opened);
			return -1;
		}
	} else {
		opened->backend = &judge_cpu_backend;
	}
	*judge = opened;
	return 0;
}

void judge_close(struct judge *judge)
{
	if (!judge)
		return;
	judge->backend->close(judge->state);
	free(judge);
}

/* Fills *shape and checks that every element lies in the storage. *covers: the elements are the storage in order. */
static int shape_of_layout(const struct judge_layout *layout, struct judge_shape *shape, int *covers, struct error *err)
{
	const size_t size = dtype_size(layout->dtype);
	*shape = (struct judge_shape){.element_size = (int32_t)size, .elements = 1};
	if (size == 0 || layout->rank < 0 || layout->rank > (int)ARRAY_COUNT(shape->dims))
		return error_set(err, ERROR_INTERNAL, "judge: layout of type %s and rank %d", dtype_name(layout->dtype),
				 layout->rank);
	if (layout->front % size || layout->bytes % size || layout->back % size || layout->bytes > PTRDIFF_MAX / 2 ||
	    layout->front > PTRDIFF_MAX / 8 || layout->back > PTRDIFF_MAX / 8)
		return error_set(err, ERROR_INTERNAL, "judge: buffer of %zu + %zu + %zu bytes does not hold whole %s elements",
				 layout->front, layout->bytes, layout->back, dtype_name(layout->dtype));
	const int64_t storage = (int64_t)(layout->bytes / size);
	int64_t last = 0, span;
	for (int i = 0; i < layout->rank; i++) {
		const int64_t dim = layout->dims[i], stride = layout->strides[i];
		if (dim < 0 || stride < 0 || __builtin_mul_overflow(shape->elements, dim, &shape->elements))
			return error_set(err, ERROR_INTERNAL, "judge: dimension %d is %lld with stride %lld", i,
					 (long long)dim, (long long)stride);
		if (dim > 0 && (__builtin_mul_overflow(dim - 1, stride, &span) || __builtin_add_overflow(last, span, &last)))
			return error_set(err, ERROR_INTERNAL, "judge: layout reaches beyond any memory");
	}
	if (shape->elements > 0 && last >= storage)
		return error_set(err, ERROR_INTERNAL, "judge: layout reaches element %lld of a storage of %lld",
				 (long long)last, (long long)storage);
	if (shape->elements == 0) {
		*covers = storage == 0;
		return 0;
	}
	/* Innermost first, joining a dimension with the one inside it where they are evenly spaced. */
	int64_t dims[6], strides[6];
	int rank = 0;
	for (int i = layout->rank - 1; i >= 0; i--) {
		const int64_t dim = layout->dims[i], stride = layout->strides[i];
		if (dim == 1)
			continue;
		if (rank && stride == strides[rank - 1] * dims[rank - 1]) {
			dims[rank - 1] *= dim;
			continue;
		}
		dims[rank] = dim;
		strides[rank++] = stride;
	}
	shape->rank = rank;
	for (int i = 0; i < rank; i++) {
		shape->dims[i] = dims[rank - 1 - i];
		shape->strides[i] = strides[rank - 1 - i];
	}
	*covers = storage == shape->elements && (rank == 0 || (rank == 1 && strides[0] == 1));
	return 0;
}

static int64_t index_or_none(uint64_t least)
{
	return least == UINT64_MAX ? -1 : (int64_t)least;
}

int judge_output_memory(struct judge *judge, const struct judge_layout *layout, device_pointer first,
			device_pointer second, uint32_t poison_a, uint32_t poison_b, struct judge_memory *out,
			struct error *err)
{
	struct judge_memory_args args = {.first = first, .second = second, .poison_a = poison_a, .poison_b = poison_b};
	struct judge_memory_counters counters;
	int covers;

	*out = (struct judge_memory){.unwritten_first = -1, .differing_first = -1, .gap_first = -1};
	if (shape_of_layout(layout, &args.shape, &covers, err))
		return -1;
	const size_t size = dtype_size(layout->dtype);
	if ((size == 1 && (poison_a == poison_b)) || (size == 2 && ((poison_a ^ poison_b) & 0xffff) == 0) ||
	    poison_a == poison_b)
		return error_set(err, ERROR_INTERNAL, "judge: the two poisons 0x%08x and 0x%08x are the same for %s",
				 poison_a, poison_b, dtype_name(layout->dtype));
	args.front = layout->front / size;
	args.storage = layout->bytes / size;
	args.back = layout->back / size;
	if (judge->backend->memory(judge->state, &args, covers, &counters, err))
		return -1;
	if (counters.overlap)
		return error_set(err, ERROR_INTERNAL, "judge: %llu elements of the layout share their place with another",
				 (unsigned long long)counters.overlap);
	*out = (struct judge_memory){
		.unwritten = (int64_t)counters.unwritten,
		.unwritten_first = index_or_none(counters.unwritten_first),
		.differing = (int64_t)counters.differing,
		.differing_first = index_or_none(counters.differing_first),
		.canary = (int64_t)counters.canary,
		.canary_first = counters.canary ? (int64_t)counters.canary_first - (int64_t)args.front : 0,
		.gap = (int64_t)counters.gap,
		.gap_first = counters.gap ? (int64_t)counters.gap_first - (int64_t)args.front : -1,
	};
	return 0;
}

int judge_compare_bytes(struct judge *judge, device_pointer a, device_pointer b, size_t bytes, int64_t *differing,
			int64_t *first, struct error *err)
{
	const struct judge_bytes_args args = {.a = a, .b = b, .bytes = bytes};
	struct judge_bytes_counters counters;

	if (judge->backend->bytes(judge->state, &args, &counters, err))
		return -1;
	*differing = (int64_t)counters.differing;
	*first = index_or_none(counters.first);
	return 0;
}

int judge_digest(struct judge *judge, const struct judge_layout *layout, device_pointer storage, struct digest *digest,
		 struct error *err)
{
	struct judge_digest_args args = {.storage = storage};
	uint64_t halves[2];
	int covers;

	if (shape_of_layout(layout, &args.shape, &covers, err))
		return -1;
	const size_t bytes = (size_t)args.shape.elements * dtype_size(layout->dtype); /* at most layout->bytes */
	args.words = bytes / 4 + (bytes % 4 != 0);
	if (judge->backend->digest(judge->state, &args, halves, err))
		return -1;
	*digest = digest_of_size(bytes);
	digest->half[0] += halves[0];
	digest->half[1] += halves[1];
	return 0;
}

/* A maximum over elements of which some were no numbers is no maximum. */
static void judge_group_finish(struct judge_group *group)
{
	group->scaled_max = group->finite_scaled_max;
	if (group->not_finite == 0)
		return;
	group->scaled_max = group->absolute_max = group->relative_max = (double)INFINITY;
	group->ulp_max = UINT64_MAX;
}

static int check_input(const struct judge_input *input, struct error *err)
{
	if (input->dtype != DTYPE_F16 && input->dtype != DTYPE_BF16 && input->dtype != DTYPE_F32 && input->dtype != DTYPE_F64)
		return error_set(err, ERROR_INTERNAL, "judge: numbers of type %s cannot be compared", dtype_name(input->dtype));
	if (input->rows < 1 || input->columns < 1 || input->groups < 1 || input->rows > INT32_MAX ||
	    input->columns > INT32_MAX || input->groups > INT32_MAX)
		return error_set(err, ERROR_INTERNAL, "judge: nothing to compare in %lld rows of %lld in %lld groups",
				 (long long)input->rows, (long long)input->columns, (long long)input->groups);
	if (!input->row_group && input->groups != 1)
		return error_set(err, ERROR_INTERNAL, "judge: %lld groups, and no row says which is its own",
				 (long long)input->groups);
	if (!input->value || !input->reference)
		return error_set(err, ERROR_INTERNAL, "judge: value or reference is missing");
	for (int64_t group = 0; input->absolute_slack && group < input->groups; group++)
		if (!(input->absolute_slack[group] >= 0 && input->absolute_slack[group] <= DBL_MAX))
			return error_set(err, ERROR_INTERNAL, "judge: slack of group %lld is %g", (long long)group,
					 input->absolute_slack[group]);
	return 0;
}

int judge_compare(struct judge *judge, const struct judge_input *input, struct judge_numbers *out, struct error *err)
{
	*out = (struct judge_numbers){0};
	if (check_input(input, err))
		return -1;
	const struct judge_compare_args args = {
		.value = input->value,
		.row_offset = input->row_offset,
		.reference = input->reference,
		.magnitude = input->magnitude,
		.row_class = input->row_class,
		.row_group = input->row_group,
		.rows = input->rows,
		.columns = input->columns,
		.groups = input->groups,
		.dtype = input->dtype,
		.is_lse = input->is_lse,
	};
	uint64_t invalid = 0;
	out->groups = calloc((size_t)input->groups, sizeof *out->groups);
	if (!out->groups)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for %lld groups", (long long)input->groups);
	out->group_count = input->groups;
	if (judge->backend->compare(judge->state, &args, input->absolute_slack, out->groups, out->histogram, &invalid, err))
		goto fail;
	if (invalid) {
		error_set(err, ERROR_INTERNAL, "judge: %llu rows name a group that does not exist",
			  (unsigned long long)invalid);
		goto fail;
	}
	judge_group_clear(&out->total);
	for (int64_t group = 0; group < out->group_count; group++)
		judge_group_merge(&out->total, &out->groups[group]);
	judge_group_finish(&out->total);
	for (int64_t group = 0; group < out->group_count; group++)
		judge_group_finish(&out->groups[group]);
	return 0;
fail:
	judge_numbers_free(out);
	return -1;
}

void judge_numbers_free(struct judge_numbers *numbers)
{
	free(numbers->groups);
	*numbers = (struct judge_numbers){0};
}
