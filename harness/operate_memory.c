#include "operate_memory.h"

#include "core/util.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MARKED_RUNS_MAX = 2000 };

static uint64_t pattern_of(enum dtype dtype, enum operate_poison poison)
{
	const int nan = poison == OPERATE_POISON_NAN;
	switch (dtype) {
	case DTYPE_F64:
		return nan ? 0x7ff57fa57ff57fa5u : 0x3c5a3c5a3c5a3c5au;
	case DTYPE_F16:
	case DTYPE_BF16:
	case DTYPE_F32:
		return nan ? 0x7fa57fa57fa57fa5u : 0x3c5a3c5a3c5a3c5au;
	case DTYPE_F8_E4M3:
		return nan ? 0x7f7f7f7f7f7f7f7fu : 0x3c3c3c3c3c3c3c3cu;
	default:
		return nan ? 0xa5a5a5a5a5a5a5a5u : 0x5a5a5a5a5a5a5a5au;
	}
}

static size_t align_up(size_t bytes, size_t multiple)
{
	return (bytes + multiple - 1) / multiple * multiple;
}

static int owner_of(const struct test_case *test, int tensor)
{
	const struct tensor *view = &test->tensors[tensor];
	if (!view->storage[0])
		return tensor;
	for (int i = 0; i < test->tensor_count; i++)
		if (test->tensors[i].role == view->role && strcmp(test->tensors[i].name, view->storage) == 0)
			return i;
	return tensor; /* cannot be: case_share_storage has looked */
}

/* The input that an output starts from, or NULL. */
static const struct tensor *initial_of(const struct test_case *test, int output)
{
	char name[48];
	snprintf(name, sizeof name, "%s_initial", test->tensors[output].name);
	return case_find_tensor_const(test, name, TENSOR_INPUT);
}

static int has_views(const struct test_case *test, int tensor)
{
	for (int i = 0; i < test->tensor_count; i++)
		if (i != tensor && owner_of(test, i) == tensor)
			return 1;
	return 0;
}

void operate_memory_init(struct operate_memory *memory, struct device *device, enum guard guard)
{
	*memory = (struct operate_memory){.device = device, .guard = guard};
}

static void forget(struct operate_memory *memory)
{
	if (memory->arena)
		device_mark(memory->device, memory->arena, memory->arena_marked, DEVICE_MEMORY_PLAIN);
	for (int i = 0; i < CASE_TENSORS_MAX; i++) {
		free(memory->value[i]);
		memory->value[i] = NULL;
		device_free(memory->device, memory->single[i]);
		memory->single[i] = 0;
		if (memory->guarded[i].bytes)
			memory->device->ops->free_guarded(memory->device, &memory->guarded[i], NULL);
		memory->guarded[i] = (struct device_guarded){0};
	}
	memory->test = NULL;
	memory->first = NULL;
}

static int lay_out(struct operate_memory *memory, const struct test_case *test, struct error *err)
{
	size_t used = 0;
	for (int i = 0; i < test->tensor_count; i++) {
		const struct tensor *tensor = &test->tensors[i];
		memory->place[i] = SIZE_MAX;
		memory->bytes[i] = 0;
		if (tensor->role == TENSOR_EXPECTED || tensor->storage[0])
			continue;
		if (tensor_bytes(tensor, &memory->bytes[i]) || memory->bytes[i] > SIZE_MAX / 64)
			return error_set(err, ERROR_INPUT, "case %s: tensor %s is too large", test->name, tensor->name);
		memory->place[i] = used + OPERATE_CANARY_BYTES;
		used += OPERATE_CANARY_BYTES + align_up(memory->bytes[i], BUFFER_ALIGNMENT) + OPERATE_CANARY_BYTES;
	}
	memory->image_bytes = used;
	return 0;
}

static int reserve_host(struct operate_memory *memory, struct error *err)
{
	const size_t wanted = (size_t)memory->images * memory->image_bytes;
	if (wanted > memory->capacity) {
		/* most cases are small: room for them from the start */
		const size_t capacity = wanted > (size_t)1 << 20 ? wanted : (size_t)1 << 20;
		memory->capacity = 0;
		free(memory->before);
		free(memory->after);
		memory->before = malloc(capacity);
		memory->after = malloc(capacity);
		if (!memory->before || !memory->after)
			return error_set(err, ERROR_ENVIRONMENT, "out of memory: a case needs twice %zu bytes on the host",
					 wanted);
		memory->capacity = capacity;
	}
	free(memory->first_copy);
	memory->first_copy = memory->images == 1 ? malloc(memory->image_bytes + 1) : NULL;
	if (memory->images == 1 && !memory->first_copy)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory: a case needs three times %zu bytes on the host", wanted);
	return 0;
}

static int reserve_device(struct operate_memory *memory, struct error *err)
{
	struct device *device = memory->device;
	if (memory->guard == GUARD_CANARIES) {
		const size_t wanted = (size_t)memory->images * memory->image_bytes;
		if (wanted <= memory->arena_capacity)
			return 0;
		device_free(device, memory->arena);
		memory->arena = 0;
		memory->arena_capacity = 0;
		/* most cases are small: room for them from the start */
		const size_t capacity = wanted > (size_t)4 << 20 ? wanted : (size_t)4 << 20;
		if (device_alloc(device, capacity, &memory->arena, err))
			return -1;
		memory->arena_capacity = memory->arena_marked = capacity;
		return 0;
	}
	for (int i = 0; i < memory->test->tensor_count; i++) {
		if (memory->place[i] == SIZE_MAX)
			continue;
		const size_t bytes = memory->bytes[i] ? memory->bytes[i] : 16;
		if (memory->guard == GUARD_PAGES ? device->ops->alloc_guarded(device, bytes, &memory->guarded[i], err)
						 : device_alloc(device, bytes, &memory->single[i], err))
			return -1;
	}
	return 0;
}

static void fill_pattern(unsigned char *to, size_t bytes, enum dtype dtype, enum operate_poison poison)
{
	const uint64_t pattern = pattern_of(dtype, poison);
	size_t at = 0;
	for (; at + 8 <= bytes; at += 8)
		memcpy(to + at, &pattern, 8);
	memcpy(to + at, &pattern, bytes - at);
}

/* Marks the elements of a view in the map of the storage it lies in. */
static void map_value(unsigned char *map, const struct tensor *view, const struct expectation *expected)
{
	int64_t index[TENSOR_RANK_MAX] = {0}, offset = view->offset;
	const int64_t elements = tensor_elements(view);
	for (int64_t i = 0; i < elements; i++) {
		map[offset] = expected && (expected[i].flags & EXPECT_ANY) ? 2 : 1;
		for (int axis = view->rank - 1; axis >= 0; axis--) {
			offset += view->strides[axis];
			if (++index[axis] < view->dims[axis])
				break;
			offset -= view->strides[axis] * view->dims[axis];
			index[axis] = 0;
		}
	}
}

static unsigned char *image_before(const struct operate_memory *memory, int image)
{
	return memory->before + (size_t)image * memory->image_bytes;
}

static unsigned char *image_after(const struct operate_memory *memory, int image)
{
	return memory->after + (size_t)image * memory->image_bytes;
}

int operate_memory_bind(struct operate_memory *memory, const struct test_case *test, int runs, struct error *err)
{
	forget(memory);
	if (lay_out(memory, test, err))
		return -1;
	memory->images = memory->guard == GUARD_CANARIES && memory->image_bytes <= OPERATE_IMAGES_BYTES / (size_t)runs ? runs : 1;
	if (reserve_host(memory, err))
		return -1;
	memory->test = test;
	if (reserve_device(memory, err)) {
		memory->test = NULL;
		return -1;
	}
	for (int i = 0; i < test->tensor_count; i++) {
		const struct tensor *tensor = &test->tensors[i];
		if (memory->place[i] == SIZE_MAX)
			continue;
		if (tensor->role == TENSOR_INPUT) {
			if (!tensor->data)
				return error_set(err, ERROR_INTERNAL, "case %s: input %s has no data", test->name, tensor->name);
		} else {
			memory->value[i] = calloc((size_t)tensor->extent + 1, 1);
			if (!memory->value[i])
				return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		}
	}
	for (int i = 0; i < test->tensor_count; i++)
		if (test->tensors[i].role == TENSOR_OUTPUT && !has_views(test, i))
			map_value(memory->value[owner_of(test, i)], &test->tensors[i], NULL);
	return 0;
}

void operate_memory_expect(struct operate_memory *memory, int output, const struct expectation *expected)
{
	map_value(memory->value[owner_of(memory->test, output)], &memory->test->tensors[output], expected);
}

/* What starts from where: the pattern, or the content of NAME_initial for the tensor or for the storage it lies in. */
static void fill_output(struct operate_memory *memory, unsigned char *image, int index, enum operate_poison poison)
{
	const struct test_case *test = memory->test;
	const struct tensor *tensor = &test->tensors[index];
	fill_pattern(image + memory->place[index], memory->bytes[index], tensor->dtype, poison);
	for (int i = 0; i < test->tensor_count; i++) {
		const struct tensor *initial =
			test->tensors[i].role == TENSOR_OUTPUT && owner_of(test, i) == index ? initial_of(test, i) : NULL;
		const struct tensor *view = &test->tensors[i];
		if (!initial)
			continue;
		const size_t size = dtype_size(view->dtype);
		const unsigned char *from = case_tensor_data(test, initial);
		unsigned char *to = image + memory->place[index] + (size_t)view->offset * size;
		const int64_t elements = tensor_elements(view);
		for (int64_t e = 0; from && e < elements; e++)
			memcpy(to + (size_t)tensor_offset(view, e) * size, from + (size_t)tensor_offset(initial, e) * size, size);
	}
}

device_pointer operate_memory_storage(const struct operate_memory *memory, int image, int tensor)
{
	const int owner = owner_of(memory->test, tensor);
	if (memory->guard == GUARD_CANARIES)
		return memory->arena + (device_pointer)image * memory->image_bytes + memory->place[owner];
	return memory->guard == GUARD_PAGES ? memory->guarded[owner].pointer : memory->single[owner];
}

device_pointer operate_memory_address(const struct operate_memory *memory, int image, int tensor)
{
	const struct tensor *view = &memory->test->tensors[tensor];
	return operate_memory_storage(memory, image, tensor) + (device_pointer)view->offset * dtype_size(view->dtype);
}

/* Thousands of gaps would make a list that every access has to search: then only writes to them show, afterwards. */
static int has_few_runs(const unsigned char *map, int64_t extent)
{
	int64_t runs = 1;
	for (int64_t at = 1; at < extent; at++)
		runs += map[at] != map[at - 1];
	return runs <= MARKED_RUNS_MAX;
}

/* Runs of elements of the same kind in the map of an output. */
static void mark_output(struct operate_memory *memory, int image, int index)
{
	const struct tensor *tensor = &memory->test->tensors[index];
	const size_t size = dtype_size(tensor->dtype);
	const device_pointer storage = operate_memory_storage(memory, image, index);
	const unsigned char *map = memory->value[index];
	int starts_defined = 0;
	for (int i = 0; i < memory->test->tensor_count; i++)
		starts_defined |= memory->test->tensors[i].role == TENSOR_OUTPUT && owner_of(memory->test, i) == index &&
				  initial_of(memory->test, i) != NULL;
	if (!has_few_runs(map, tensor->extent)) {
		device_mark(memory->device, storage, memory->bytes[index],
			    starts_defined ? DEVICE_MEMORY_PLAIN : DEVICE_MEMORY_SCRATCH);
		return;
	}
	for (int64_t at = 0, next; at < tensor->extent; at = next) {
		for (next = at + 1; next < tensor->extent && map[next] == map[at]; next++)
			;
		/* gaps: nothing may be read or written there */
		device_mark(memory->device, storage + (device_pointer)at * size, (size_t)(next - at) * size,
			    map[at] == 0 ? DEVICE_MEMORY_NO_ACCESS : starts_defined ? DEVICE_MEMORY_PLAIN
			    : map[at] == 1 ? DEVICE_MEMORY_OUTPUT : DEVICE_MEMORY_SCRATCH);
	}
}

static void mark(struct operate_memory *memory, int image)
{
	for (int i = 0; i < memory->test->tensor_count; i++) {
		if (memory->place[i] == SIZE_MAX || !memory->bytes[i])
			continue;
		if (memory->test->tensors[i].role == TENSOR_INPUT)
			device_mark(memory->device, operate_memory_storage(memory, image, i), memory->bytes[i],
				    DEVICE_MEMORY_INPUT);
		else
			mark_output(memory, image, i);
	}
}

void operate_memory_prepare(struct operate_memory *memory, int image, enum operate_poison poison)
{
	const struct test_case *test = memory->test;
	for (int i = 0; i < test->tensor_count; i++) {
		if (memory->place[i] == SIZE_MAX)
			continue;
		unsigned char *storage = image_before(memory, image) + memory->place[i];
		const size_t behind = align_up(memory->bytes[i], BUFFER_ALIGNMENT) - memory->bytes[i] + OPERATE_CANARY_BYTES;
		/* canaries hold what a read past the end should show */
		fill_pattern(storage - OPERATE_CANARY_BYTES, OPERATE_CANARY_BYTES, test->tensors[i].dtype, OPERATE_POISON_NAN);
		fill_pattern(storage + memory->bytes[i], behind, test->tensors[i].dtype, OPERATE_POISON_NAN);
		if (test->tensors[i].role == TENSOR_OUTPUT)
			fill_output(memory, image_before(memory, image), i, poison);
		else
			memcpy(storage, test->tensors[i].data, memory->bytes[i]);
	}
}

/* What is unspecified may hold anything, such as scratch of what a kernel read in shared memory that nobody wrote: nothing is to be
 * said of it when it is copied. */
static void end_marks_of_unspecified(struct operate_memory *memory, int image)
{
	const struct test_case *test = memory->test;
	for (int i = 0; i < test->tensor_count; i++) {
		const int64_t extent = test->tensors[i].extent;
		const unsigned char *map = memory->value[i];
		if (memory->place[i] == SIZE_MAX || test->tensors[i].role != TENSOR_OUTPUT || !has_few_runs(map, extent))
			continue;
		const size_t size = dtype_size(test->tensors[i].dtype);
		for (int64_t at = 0, next; at < extent; at = next) {
			for (next = at + 1; next < extent && map[next] == map[at]; next++)
				;
			if (map[at] == 2)
				device_mark(memory->device, operate_memory_storage(memory, image, i) + (device_pointer)at * size,
					    (size_t)(next - at) * size, DEVICE_MEMORY_PLAIN);
		}
	}
}

int operate_memory_upload(struct operate_memory *memory, struct error *err)
{
	const struct test_case *test = memory->test;
	struct device *device = memory->device;
	if (memory->guard == GUARD_CANARIES) {
		const size_t bytes = (size_t)memory->images * memory->image_bytes;
		device_mark(device, memory->arena, bytes, DEVICE_MEMORY_PLAIN);
		if (bytes && device->ops->copy_in(device, memory->arena, memory->before, bytes, NULL, err))
			return -1;
		/* of large arenas most stays as it was, and cases are many */
		device_mark(device, memory->arena, bytes > memory->arena_marked ? bytes : memory->arena_marked,
			    DEVICE_MEMORY_NO_ACCESS);
		memory->arena_marked = bytes;
	} else {
		for (int i = 0; i < test->tensor_count; i++)
			if (memory->place[i] != SIZE_MAX && memory->bytes[i] &&
			    device->ops->copy_in(device, operate_memory_storage(memory, 0, i), memory->before + memory->place[i],
						 memory->bytes[i], NULL, err))
				return -1;
	}
	for (int image = 0; device->ops->mark && image < memory->images; image++)
		mark(memory, image);
	return 0;
}

int operate_memory_fetch(struct operate_memory *memory, struct error *err)
{
	struct device *device = memory->device;
	const size_t bytes = (size_t)memory->images * memory->image_bytes;
	for (int image = 0; device->ops->mark && image < memory->images; image++)
		end_marks_of_unspecified(memory, image);
	if (memory->guard == GUARD_CANARIES) {
		if (bytes && device->ops->copy_out(device, memory->after, memory->arena, bytes, NULL, err))
			return -1;
	} else {
		memcpy(memory->after, memory->before, bytes); /* canaries that are not there have not changed */
		for (int i = 0; i < memory->test->tensor_count; i++)
			if (memory->place[i] != SIZE_MAX && memory->bytes[i] &&
			    device->ops->copy_out(device, memory->after + memory->place[i], operate_memory_storage(memory, 0, i),
						  memory->bytes[i], NULL, err))
				return -1;
	}
	/* the copies were on the device's own stream: what runs on others shows here */
	if (device_synchronize(device, err))
		return -1;
	if (memory->first)
		return 0;
	memory->first = memory->after;
	if (memory->images == 1) {
		memcpy(memory->first_copy, memory->after, memory->image_bytes);
		memory->first = memory->first_copy;
	}
	return 0;
}

/* ---- checks ------------------------------------------------------------------------------------------------------ */

static int64_t first_difference(const unsigned char *a, const unsigned char *b, size_t bytes)
{
	if (memcmp(a, b, bytes) == 0)
		return -1;
	size_t at = 0;
	while (a[at] == b[at])
		at++;
	return (int64_t)at;
}

static void check_canaries(const struct operate_memory *memory, int image, int index, struct judgement *out)
{
	const unsigned char *image_now = image_after(memory, image), *image_then = image_before(memory, image);
	const struct tensor *tensor = &memory->test->tensors[index];
	const size_t place = memory->place[index], bytes = memory->bytes[index];
	const size_t behind = align_up(bytes, BUFFER_ALIGNMENT) - bytes + OPERATE_CANARY_BYTES;
	const int64_t before = first_difference(image_then + place - OPERATE_CANARY_BYTES,
						image_now + place - OPERATE_CANARY_BYTES, OPERATE_CANARY_BYTES);
	const int64_t after = first_difference(image_then + place + bytes, image_now + place + bytes, behind);
	if (before >= 0)
		judgement_break(out, CHECK_CANARY,
				"memory before %s changed, the first %" PRId64 " bytes before its first element", tensor->name,
				OPERATE_CANARY_BYTES - before);
	else if (after >= 0)
		judgement_break(out, CHECK_CANARY,
				"memory behind %s changed, the first %" PRId64 " bytes behind its last element (it has "
				"%" PRId64 ")",
				tensor->name, after, tensor->extent);
	else
		judgement_hold(out, CHECK_CANARY);
}

static void check_gaps(const struct operate_memory *memory, int image, int index, struct judgement *out)
{
	const struct tensor *tensor = &memory->test->tensors[index];
	const size_t size = dtype_size(tensor->dtype), place = memory->place[index];
	const unsigned char *map = memory->value[index];
	if (!memchr(map, 0, (size_t)tensor->extent))
		return; /* there are none */
	int has_gaps = 0;
	for (int64_t i = 0; i < tensor->extent; i++) {
		if (map[i])
			continue;
		has_gaps = 1;
		if (memcmp(image_before(memory, image) + place + (size_t)i * size,
			   image_after(memory, image) + place + (size_t)i * size, size) != 0) {
			judgement_break(out, CHECK_GAP,
					"element %" PRId64 " of the storage of %s, which lies between or around its values, "
					"changed",
					i, tensor->name);
			return;
		}
	}
	if (has_gaps)
		judgement_hold(out, CHECK_GAP);
}

void operate_memory_check(const struct operate_memory *memory, int image, struct judgement *out)
{
	const struct test_case *test = memory->test;
	for (int i = 0; i < test->tensor_count; i++) {
		if (memory->place[i] == SIZE_MAX)
			continue;
		if (memory->guard == GUARD_CANARIES)
			check_canaries(memory, image, i, out);
		if (test->tensors[i].role == TENSOR_OUTPUT) {
			check_gaps(memory, image, i, out);
			continue;
		}
		const int64_t changed = first_difference(image_before(memory, image) + memory->place[i],
							image_after(memory, image) + memory->place[i], memory->bytes[i]);
		if (changed >= 0)
			judgement_break(out, CHECK_INPUT, "input %s changed at byte %" PRId64 " of its storage",
					test->tensors[i].name, changed);
		else
			judgement_hold(out, CHECK_INPUT);
	}
}

void operate_memory_check_written(const struct operate_memory *memory, int image, struct judgement *out)
{
	for (int i = 0; i < memory->test->tensor_count; i++) {
		const struct tensor *tensor = &memory->test->tensors[i];
		const size_t size = dtype_size(tensor->dtype);
		if (tensor->role != TENSOR_OUTPUT || memory->place[i] == SIZE_MAX)
			continue;
		const unsigned char *first = memory->first + memory->place[i],
				    *now = image_after(memory, image) + memory->place[i];
		const uint64_t number = pattern_of(tensor->dtype, OPERATE_POISON_NUMBER),
			       nan = pattern_of(tensor->dtype, OPERATE_POISON_NAN);
		int64_t unwritten = 0, first_unwritten = 0, differing = 0, first_differing = 0;
		const int64_t looked_at =
			memcmp(first, now, memory->bytes[i]) == 0 ? 0 : tensor->extent; /* large ones are mostly equal */
		for (int64_t e = 0; e < looked_at; e++) {
			const size_t at = (size_t)e * size;
			if (memory->value[i][e] != 1 || memcmp(first + at, now + at, size) == 0)
				continue; /* what starts from the same content cannot show either */
			if (memcmp(first + at, &number, size) == 0 && memcmp(now + at, &nan, size) == 0) {
				if (!unwritten++)
					first_unwritten = e;
			} else if (!differing++) {
				first_differing = e;
			}
		}
		if (unwritten)
			judgement_break(out, CHECK_UNWRITTEN,
					"%" PRId64 " elements of %s were not written, the first is element %" PRId64
					" of its storage",
					unwritten, tensor->name, first_unwritten);
		if (differing)
			judgement_break(out, CHECK_PREVIOUS,
					"%" PRId64 " elements of %s depend on what the output held before the call, the "
					"first is element %" PRId64 " of its storage",
					differing, tensor->name, first_differing);
		judgement_hold(out, CHECK_UNWRITTEN);
		judgement_hold(out, CHECK_PREVIOUS);
	}
}

void operate_memory_check_repeat(const struct operate_memory *memory, int image, const char *condition, struct judgement *out)
{
	for (int i = 0; i < memory->test->tensor_count; i++) {
		const struct tensor *tensor = &memory->test->tensors[i];
		const size_t size = dtype_size(tensor->dtype);
		if (tensor->role != TENSOR_OUTPUT || memory->place[i] == SIZE_MAX)
			continue;
		const unsigned char *first = memory->first + memory->place[i],
				    *now = image_after(memory, image) + memory->place[i];
		int64_t differing = 0, at = 0;
		const int64_t looked_at = memcmp(first, now, memory->bytes[i]) == 0 ? 0 : tensor->extent;
		for (int64_t e = 0; e < looked_at; e++)
			if (memory->value[i][e] == 1 && memcmp(first + (size_t)e * size, now + (size_t)e * size, size) != 0 &&
			    !differing++)
				at = e;
		if (differing)
			judgement_break(out, CHECK_REPEAT,
					"%" PRId64 " elements of %s differ between two runs on the same inputs (%s), the first "
					"is element %" PRId64 " of its storage",
					differing, tensor->name, condition, at);
		judgement_hold(out, CHECK_REPEAT);
	}
}

const unsigned char *operate_memory_image(const struct operate_memory *memory, int image)
{
	return memory->first ? image_after(memory, image) : NULL;
}

const void *operate_memory_result(const struct operate_memory *memory, int image, int output)
{
	const struct tensor *view = &memory->test->tensors[output];
	return image_after(memory, image) + memory->place[owner_of(memory->test, output)] +
	       (size_t)view->offset * dtype_size(view->dtype);
}

int operate_memory_digest(const struct operate_memory *memory, int image, int output, struct digest *digest, struct error *err)
{
	const struct tensor *view = &memory->test->tensors[output];
	const size_t size = dtype_size(view->dtype), count = (size_t)tensor_elements(view);
	const unsigned char *from = operate_memory_result(memory, image, output);
	if (tensor_is_contiguous(view)) {
		*digest = digest_bytes(from, count * size);
		return 0;
	}
	unsigned char *packed = malloc(count * size + 1);
	if (!packed)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t i = 0; i < count; i++)
		memcpy(packed + i * size, from + (size_t)tensor_offset(view, (int64_t)i) * size, size);
	*digest = digest_bytes(packed, count * size);
	free(packed);
	return 0;
}

void operate_memory_free(struct operate_memory *memory)
{
	if (!memory->device)
		return;
	forget(memory);
	device_free(memory->device, memory->arena);
	free(memory->before);
	free(memory->after);
	free(memory->first_copy);
	*memory = (struct operate_memory){0};
}
