#include "buffers.h"

#include "core/util.h"

#include <stdlib.h>
#include <string.h>

void buffers_init(struct buffers *buffers, struct device *device, enum guard guard)
{
	*buffers = (struct buffers){.device = device, .guard = guard};
}

static int has_canaries(const struct buffers *buffers)
{
	return buffers->guard == GUARD_CANARIES;
}

static size_t align_up(size_t value, size_t alignment)
{
	return (value + alignment - 1) / alignment * alignment;
}

static int block_reserve(struct buffers *buffers, struct block *block, size_t bytes, struct error *err)
{
	if (bytes <= block->capacity)
		return 0;
	device_free(buffers->device, block->base);
	*block = (struct block){0};
	const size_t capacity = align_up(bytes + bytes / 4, (size_t)1 << 20);
	if (device_alloc(buffers->device, capacity, &block->base, err))
		return error_context(err, "%zu bytes for the tensors of a case", capacity);
	block->capacity = capacity;
	return 0;
}

static int owns_memory(const struct tensor *tensor)
{
	return tensor->role != TENSOR_EXPECTED && !tensor->storage[0];
}

/* Memory of tensors that do not lie in the blocks. */
static void free_single(struct buffers *buffers)
{
	for (int i = 0; i < CASE_TENSORS_MAX; i++) {
		if (buffers->guarded[i].pointer)
			buffers->device->ops->free_guarded(buffers->device, &buffers->guarded[i], NULL);
		device_free(buffers->device, buffers->separate[i]);
	}
	memset(buffers->guarded, 0, sizeof buffers->guarded);
	memset(buffers->separate, 0, sizeof buffers->separate);
}

static int allocate_single(struct buffers *buffers, int index, size_t bytes, device_pointer *out, struct error *err)
{
	if (buffers->guard == GUARD_PAGES) {
		if (buffers->device->ops->alloc_guarded(buffers->device, bytes ? bytes : 16, &buffers->guarded[index], err))
			return -1;
		*out = buffers->guarded[index].pointer;
		return 0;
	}
	if (device_alloc(buffers->device, bytes ? bytes : 16, &buffers->separate[index], err))
		return -1;
	*out = buffers->separate[index];
	return 0;
}

/* Sizes and places of all tensors that own memory. */
static int lay_out(struct buffers *buffers, const struct test_case *test, struct error *err)
{
	buffers->input_bytes = buffers->output_bytes = 0;
	for (int i = 0; i < test->tensor_count; i++) {
		const struct tensor *tensor = &test->tensors[i];
		size_t bytes;
		buffers->region_start[i] = buffers->region_bytes[i] = 0;
		if (!owns_memory(tensor))
			continue;
		if (tensor_bytes(tensor, &bytes) || bytes > SIZE_MAX / 4)
			return error_set(err, ERROR_INPUT, "case %s: tensor %s is too large", test->name, tensor->name);
		size_t *used = tensor->role == TENSOR_INPUT ? &buffers->input_bytes : &buffers->output_bytes;
		buffers->region_start[i] = *used;
		buffers->region_bytes[i] = CANARY_BYTES + align_up(bytes, BUFFER_ALIGNMENT) + CANARY_BYTES;
		*used += buffers->region_bytes[i];
	}
	return 0;
}

static struct block *block_of(struct buffers *buffers, const struct tensor *tensor)
{
	return tensor->role == TENSOR_INPUT ? &buffers->inputs : &buffers->outputs;
}

/* Tells a device that watches what each tensor's own memory is for. */
static void mark_storage(struct buffers *buffers, const struct binding *binding, enum tensor_role role, enum device_memory_use use)
{
	for (int i = 0; i < binding->test->tensor_count; i++) {
		const struct tensor *tensor = &binding->test->tensors[i];
		size_t bytes;
		if (tensor->role == role && owns_memory(tensor) && tensor_bytes(tensor, &bytes) == 0)
			device_mark(buffers->device, binding->tensors[i].storage, bytes, use);
	}
}

int buffers_bind(struct buffers *buffers, const struct test_case *test, struct binding *binding, struct error *err)
{
	struct device *device = buffers->device;
	free_single(buffers);
	binding->test = test;
	memset(binding->tensors, 0, sizeof binding->tensors);
	if (lay_out(buffers, test, err))
		return -1;
	if (has_canaries(buffers) &&
	    (block_reserve(buffers, &buffers->inputs, buffers->input_bytes, err) ||
	     block_reserve(buffers, &buffers->outputs, buffers->output_bytes, err)))
		return -1;
	if (block_reserve(buffers, &buffers->pristine, buffers->input_bytes, err) ||
	    block_reserve(buffers, &buffers->snapshot, buffers->output_bytes, err))
		return -1;
	/* canaries of the inputs are NaN: a read past an input shows as NaN in the output */
	if (has_canaries(buffers) && buffers->input_bytes &&
	    device->ops->fill(device, buffers->inputs.base, POISON_NAN, 4, buffers->input_bytes / 4, NULL, err))
		return -1;
	for (int i = 0; i < test->tensor_count; i++) {
		const struct tensor *tensor = &test->tensors[i];
		struct bound_tensor *bound = &binding->tensors[i];
		size_t bytes;
		bound->tensor = tensor;
		if (!owns_memory(tensor) || tensor_bytes(tensor, &bytes))
			continue;
		if (!has_canaries(buffers)) {
			if (allocate_single(buffers, i, bytes, &bound->storage, err))
				return -1;
		} else {
			bound->storage = block_of(buffers, tensor)->base + buffers->region_start[i] + CANARY_BYTES;
		}
		if (tensor->role == TENSOR_INPUT && bytes) {
			if (!tensor->data)
				return error_set(err, ERROR_INTERNAL, "case %s: input %s has no data", test->name, tensor->name);
			if (device->ops->copy_in(device, bound->storage, tensor->data, bytes, NULL, err))
				return -1;
			if (!has_canaries(buffers) &&
			    device->ops->copy(device, buffers->pristine.base + buffers->region_start[i] + CANARY_BYTES,
					      bound->storage, bytes, NULL, err))
				return -1;
		}
	}
	for (int i = 0; i < test->tensor_count; i++) {
		const struct tensor *tensor = &test->tensors[i];
		struct bound_tensor *bound = &binding->tensors[i];
		if (tensor->role == TENSOR_EXPECTED)
			continue;
		if (tensor->storage[0]) {
			const struct bound_tensor *owner = binding_find(binding, tensor->storage, tensor->role);
			if (!owner || !owner->storage)
				return error_set(err, ERROR_INPUT, "case %s: tensor %s shares the storage of %s, which has none",
						 test->name, tensor->name, tensor->storage);
			bound->storage = owner->storage;
		}
		bound->data = bound->storage + (device_pointer)tensor->offset * dtype_size(tensor->dtype);
	}
	if (has_canaries(buffers) && buffers->input_bytes &&
	    device->ops->copy(device, buffers->pristine.base, buffers->inputs.base, buffers->input_bytes, NULL, err))
		return -1;
	if (has_canaries(buffers)) /* an earlier case may have used more */
		device_mark(device, buffers->inputs.base, buffers->inputs.capacity, DEVICE_MEMORY_NO_ACCESS);
	mark_storage(buffers, binding, TENSOR_INPUT, DEVICE_MEMORY_INPUT);
	return 0;
}

int buffers_poison(struct buffers *buffers, const struct binding *binding, uint32_t pattern, struct error *err)
{
	struct device *device = buffers->device;
	if (has_canaries(buffers)) {
		if (buffers->output_bytes &&
		    device->ops->fill(device, buffers->outputs.base, pattern, 4, buffers->output_bytes / 4, NULL, err))
			return -1;
		device_mark(device, buffers->outputs.base, buffers->outputs.capacity, DEVICE_MEMORY_NO_ACCESS);
		mark_storage(buffers, binding, TENSOR_OUTPUT, DEVICE_MEMORY_OUTPUT);
		return 0;
	}
	for (int i = 0; i < binding->test->tensor_count; i++) {
		const struct tensor *tensor = &binding->test->tensors[i];
		size_t bytes;
		if (tensor->role != TENSOR_OUTPUT || !owns_memory(tensor) || tensor_bytes(tensor, &bytes) || !bytes)
			continue;
		/* a guarded tensor ends on the boundary, so its size may not be a multiple of four */
		if (device->ops->fill(device, binding->tensors[i].storage, pattern, 2, bytes / 2, NULL, err))
			return -1;
	}
	mark_storage(buffers, binding, TENSOR_OUTPUT, DEVICE_MEMORY_OUTPUT);
	return 0;
}

int buffers_snapshot(struct buffers *buffers, const struct binding *binding, struct error *err)
{
	struct device *device = buffers->device;
	if (has_canaries(buffers))
		return buffers->output_bytes ? device->ops->copy(device, buffers->snapshot.base, buffers->outputs.base,
								 buffers->output_bytes, NULL, err)
					     : 0;
	for (int i = 0; i < binding->test->tensor_count; i++) {
		const struct tensor *tensor = &binding->test->tensors[i];
		size_t bytes;
		if (tensor->role != TENSOR_OUTPUT || !owns_memory(tensor) || tensor_bytes(tensor, &bytes) || !bytes)
			continue;
		if (device->ops->copy(device, buffers->snapshot.base + buffers->region_start[i] + CANARY_BYTES,
				      binding->tensors[i].storage, bytes, NULL, err))
			return -1;
	}
	return 0;
}

void buffers_layout(const struct buffers *buffers, const struct binding *binding, int index, struct judge_layout *layout,
		    device_pointer *current, device_pointer *snapshot)
{
	const struct tensor *tensor = &binding->test->tensors[index];
	const size_t canary = has_canaries(buffers) ? CANARY_BYTES : 0;
	size_t bytes = 0;
	tensor_bytes(tensor, &bytes); /* checked when it was laid out */
	*layout = (struct judge_layout){.dtype = tensor->dtype, .rank = tensor->rank, .front = canary, .bytes = bytes};
	layout->back = has_canaries(buffers) ? buffers->region_bytes[index] - CANARY_BYTES - bytes : 0;
	for (int i = 0; i < tensor->rank; i++) {
		layout->dims[i] = tensor->dims[i];
		layout->strides[i] = tensor->strides[i];
	}
	*current = binding->tensors[index].storage - canary;
	*snapshot = buffers->snapshot.base + buffers->region_start[index] + CANARY_BYTES - canary;
}

int buffers_check_inputs(struct buffers *buffers, const struct binding *binding, struct judge *judge, int *tensor,
			 int64_t *offset, struct error *err)
{
	int64_t differing, first;
	*tensor = -1;
	*offset = 0;
	if (has_canaries(buffers) && buffers->input_bytes) {
		if (judge_compare_bytes(judge, buffers->inputs.base, buffers->pristine.base, buffers->input_bytes, &differing,
					&first, err))
			return -1;
		if (differing == 0)
			return 0;
		for (int i = 0; i < binding->test->tensor_count; i++) {
			const int64_t start = (int64_t)buffers->region_start[i], size = (int64_t)buffers->region_bytes[i];
			if (binding->test->tensors[i].role == TENSOR_INPUT && first >= start && first < start + size) {
				*tensor = i;
				*offset = first - start - CANARY_BYTES;
			}
		}
		return 0;
	}
	for (int i = 0; i < binding->test->tensor_count && *tensor < 0; i++) {
		const struct tensor *input = &binding->test->tensors[i];
		size_t bytes;
		if (input->role != TENSOR_INPUT || !owns_memory(input) || tensor_bytes(input, &bytes) || !bytes)
			continue;
		if (judge_compare_bytes(judge, binding->tensors[i].storage,
					buffers->pristine.base + buffers->region_start[i] + CANARY_BYTES, bytes, &differing,
					&first, err))
			return -1;
		if (differing) {
			*tensor = i;
			*offset = first;
		}
	}
	return 0;
}

int buffers_rotate(struct buffers *buffers, const struct binding *binding, size_t least_bytes, size_t most_bytes,
		   struct rotation *rotation, struct error *err)
{
	struct device *device = buffers->device;
	enum { MOST_SETS = 512 };
	*rotation = (struct rotation){0};
	if (!has_canaries(buffers))
		return error_set(err, ERROR_UNSUPPORTED, "cold timing is done with canaries around the tensors only");
	const size_t set = buffers->input_bytes + buffers->output_bytes;
	size_t count = least_bytes / set + 2;
	if (count > MOST_SETS)
		count = MOST_SETS;
	if (count < 2 || count * set > most_bytes)
		count = most_bytes / set;
	if (count < 2)
		return error_set(err, ERROR_UNSUPPORTED, "two sets of %zu bytes exceed the %zu allowed for cold timing", set, most_bytes);
	rotation->bindings = calloc(count, sizeof *rotation->bindings);
	if (!rotation->bindings)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (device_alloc(device, count * set, &rotation->memory, err))
		goto fail;
	for (size_t i = 0; i < count; i++) {
		const device_pointer inputs = rotation->memory + i * set, outputs = inputs + buffers->input_bytes;
		if (device->ops->copy(device, inputs, buffers->pristine.base, buffers->input_bytes, NULL, err) ||
		    device->ops->fill(device, outputs, POISON_NAN, 4, buffers->output_bytes / 4, NULL, err))
			goto fail;
		struct binding *copy = &rotation->bindings[i];
		*copy = *binding;
		for (int t = 0; t < binding->test->tensor_count; t++) {
			const struct tensor *tensor = &binding->test->tensors[t];
			if (tensor->role == TENSOR_EXPECTED)
				continue;
			const device_pointer from = block_of(buffers, tensor)->base;
			const device_pointer to = tensor->role == TENSOR_INPUT ? inputs : outputs;
			copy->tensors[t].storage = binding->tensors[t].storage - from + to;
			copy->tensors[t].data = binding->tensors[t].data - from + to;
		}
	}
	rotation->count = (int)count;
	return 0;
fail:
	buffers_rotation_free(buffers, rotation);
	return -1;
}

void buffers_rotation_free(struct buffers *buffers, struct rotation *rotation)
{
	device_free(buffers->device, rotation->memory);
	free(rotation->bindings);
	*rotation = (struct rotation){0};
}

void buffers_free(struct buffers *buffers)
{
	free_single(buffers);
	device_free(buffers->device, buffers->inputs.base);
	device_free(buffers->device, buffers->pristine.base);
	device_free(buffers->device, buffers->outputs.base);
	device_free(buffers->device, buffers->snapshot.base);
}
