/* Functions that device code finds in the driver: vprintf, __assertfail, malloc, free (CUDA C++ programming guide, "Formatted
 * output", "Assertion", "Dynamic global memory allocation and operations"; the system calls are declared in PTX by whoever
 * calls them). */
#include "device/ptx/core.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEAP_BYTES = 8 << 20,      /* cudaLimitMallocHeapSize at its start */
	HEAP_ALIGN = 16,
	PRINT_BYTES_MAX = 16 << 20, /* of one launch; a GPU keeps 1 MiB and drops older text */
	TEXT_MAX = 4096,           /* of a format, or of one %s */
	WIDTH_MAX = 4096
};

enum ptx_builtin ptx_builtin_named(const char *name)
{
	static const struct { const char *name; enum ptx_builtin builtin; } all[] = {
		{"vprintf", PTX_BUILTIN_VPRINTF}, {"malloc", PTX_BUILTIN_MALLOC}, {"free", PTX_BUILTIN_FREE}, {"__assertfail", PTX_BUILTIN_ASSERTFAIL},
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (strcmp(all[i].name, name) == 0)
			return all[i].builtin;
	return PTX_BUILTIN_NONE;
}

/* ---- arguments and results, in the caller's frame ---- */

static unsigned char *local_at(const struct ptx_warp *warp, int lane, uint32_t offset)
{
	return warp->local + (size_t)lane * warp->local_lane_bytes + warp->frame->local_base + offset;
}

/* Argument `i` as an unsigned number, 0 where it is missing. Undefined ones are a finding. */
static uint64_t argument(struct ptx_warp *warp, const struct ptx_insn *insn, const struct ptx_call_site *site, int lane, int i)
{
	uint64_t value = 0;
	if (i >= site->argument_count || site->arguments[i].bytes > sizeof value)
		return 0;
	const uint32_t bytes = site->arguments[i].bytes;
	memcpy(&value, local_at(warp, lane, site->arguments[i].offset), bytes);
	if (warp->local_undefined) {
		const unsigned char *const undefined =
			warp->local_undefined + (size_t)lane * warp->local_lane_bytes + warp->frame->local_base + site->arguments[i].offset;
		for (uint32_t n = 0; n < bytes; n++)
			if (undefined[n]) {
				ptx_find(warp, insn, lane, PTX_FIND_UNDEFINED_OPERAND, 0, "argument %d of %s has a value that nobody wrote", i + 1,
					 site->callee->symbol->name);
				break;
			}
	}
	return value;
}

static void give(struct ptx_warp *warp, const struct ptx_call_site *site, int lane, uint64_t value)
{
	if (site->result_count < 1)
		return;
	const uint32_t bytes = site->results[0].bytes < sizeof value ? site->results[0].bytes : (uint32_t)sizeof value;
	memcpy(local_at(warp, lane, site->results[0].offset), &value, bytes);
	if (warp->local_undefined)
		memset(warp->local_undefined + (size_t)lane * warp->local_lane_bytes + warp->frame->local_base + site->results[0].offset, 0, bytes);
}

/* A text of the device's memory; -1: a finding stopped the launch. Longer ones are cut. */
static int text_at(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, uint64_t address, char *text, size_t size)
{
	for (size_t i = 0; i + 1 < size; i++) {
		if (ptx_read(warp, insn, lane, PTX_SPACE_GENERIC, address + i, 1, &text[i], NULL) < 0)
			return -1;
		if (!text[i])
			return 0;
	}
	text[size - 1] = '\0';
	return 0;
}

/* ---- vprintf ---- */

struct output { struct ptx_core *core; char *text; size_t length, room; };

static void put(struct output *output, const char *text, size_t length)
{
	if (!length || output->length + length > PRINT_BYTES_MAX)
		return;
	if (output->length + length > output->room) {
		const size_t room = 2 * (output->length + length) + 256;
		char *const grown = realloc(output->text, room);
		if (!grown)
			return;
		output->text = grown;
		output->room = room;
	}
	memcpy(output->text + output->length, text, length);
	output->length += length;
}

static void flush(struct output *output)
{
	struct ptx_core *const core = output->core;
	pthread_mutex_lock(&core->print_mutex);
	if (output->length && core->printed_length + output->length <= PRINT_BYTES_MAX) {
		if (core->printed_length + output->length > core->printed_room) {
			const size_t room = 2 * (core->printed_length + output->length) + 4096;
			char *const grown = realloc(core->printed, room);
			if (grown) {
				core->printed = grown;
				core->printed_room = room;
			}
		}
		if (core->printed_length + output->length <= core->printed_room) {
			memcpy(core->printed + core->printed_length, output->text, output->length);
			core->printed_length += output->length;
		}
	}
	pthread_mutex_unlock(&core->print_mutex);
	free(output->text);
}

struct packed { uint64_t address, offset; };

/* The next argument of `bytes` 4 or 8, aligned to its size. */
static int next(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, struct packed *packed, unsigned bytes, void *value)
{
	packed->offset = (packed->offset + bytes - 1) / bytes * bytes;
	if (ptx_read(warp, insn, lane, PTX_SPACE_GENERIC, packed->address + packed->offset, bytes, value, NULL) < 0)
		return -1;
	packed->offset += bytes;
	return 0;
}

static int clamp_width(int width)
{
	return width > WIDTH_MAX ? WIDTH_MAX : width < -WIDTH_MAX ? -WIDTH_MAX : width;
}

/* Digits or * ; -1: the launch stops. */
static int number(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, struct packed *packed, const char **at, int *value)
{
	if (**at == '*') {
		(*at)++;
		int32_t given;
		if (next(warp, insn, lane, packed, 4, &given) < 0)
			return -1;
		*value = clamp_width(given);
		return 0;
	}
	*value = 0;
	for (; **at >= '0' && **at <= '9'; (*at)++)
		*value = clamp_width(10 * *value + (**at - '0'));
	return 0;
}

/* One conversion at `*at`, which stands after the %. */
static int convert(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, struct packed *packed, const char **at, struct output *output)
{
	char spec[32] = "%", text[WIDTH_MAX + 512];
	size_t length = 1;
	const char *const begin = *at;
	while (**at && strchr("-+ #0", **at)) {
		if (length < 8 && !memchr(spec, **at, length))
			spec[length++] = **at;
		(*at)++;
	}
	int width = 0, precision = -1, wide = 0;
	if (number(warp, insn, lane, packed, at, &width) < 0)
		return -1;
	if (**at == '.') {
		(*at)++;
		if (number(warp, insn, lane, packed, at, &precision) < 0)
			return -1;
	}
	int narrow = 0;
	for (; **at && strchr("hlLjzt", **at); (*at)++) {
		if (**at == 'h')
			narrow++;
		else
			wide = 1;
	}
	const char conversion = **at;
	int n = -1;
	uint32_t word;
	uint64_t number64;
	double real;
	if (conversion)
		(*at)++;
	switch (conversion) {
	case 'd': case 'i': case 'u': case 'o': case 'x': case 'X': case 'c':
		if (wide && conversion != 'c') {
			if (next(warp, insn, lane, packed, 8, &number64) < 0)
				return -1;
		} else {
			if (next(warp, insn, lane, packed, 4, &word) < 0)
				return -1;
			if (conversion == 'd' || conversion == 'i')
				number64 = narrow == 1 ? (uint64_t)(int16_t)word : narrow > 1 ? (uint64_t)(int8_t)word : (uint64_t)(int32_t)word;
			else
				number64 = narrow == 1 ? (uint16_t)word : narrow > 1 ? (uint8_t)word : word;
		}
		if (conversion == 'c') {
			snprintf(spec + length, sizeof spec - length, "*c");
			n = snprintf(text, sizeof text, spec, width, (int)(word & 0xff));
		} else {
			snprintf(spec + length, sizeof spec - length, "*.*ll%c", conversion);
			n = snprintf(text, sizeof text, spec, width, precision, (unsigned long long)number64);
		}
		break;
	case 'f': case 'F': case 'e': case 'E': case 'g': case 'G': case 'a': case 'A':
		if (next(warp, insn, lane, packed, 8, &real) < 0)
			return -1;
		snprintf(spec + length, sizeof spec - length, "*.*%c", conversion);
		n = snprintf(text, sizeof text, spec, width, precision > 64 ? 64 : precision, real);
		break;
	case 'p':
		if (next(warp, insn, lane, packed, 8, &number64) < 0)
			return -1;
		n = snprintf(text, sizeof text, "%*s0x%016" PRIx64, width > 18 ? width - 18 : 0, "", number64);
		break;
	case 's': {
		char from[TEXT_MAX];
		if (next(warp, insn, lane, packed, 8, &number64) < 0 || text_at(warp, insn, lane, number64, from, sizeof from) < 0)
			return -1;
		snprintf(spec + length, sizeof spec - length, "*.*s");
		n = snprintf(text, sizeof text, spec, width, precision, from);
		break;
	}
	case '%':
		put(output, "%", 1);
		return 0;
	default: /* not a conversion of device code: as it stands */
		put(output, "%", 1);
		put(output, begin, (size_t)(*at - begin));
		return 0;
	}
	if (n > 0)
		put(output, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
	return 1;
}

static void execute_vprintf(struct ptx_warp *warp, const struct ptx_insn *insn, const struct ptx_call_site *site, uint32_t active)
{
	struct output output = {.core = ptx_core_of(warp)};
	for (uint32_t rest = active; rest; rest &= rest - 1) {
		const int lane = ptx_first_lane(rest);
		char format[TEXT_MAX];
		struct packed packed = {argument(warp, insn, site, lane, 1), 0};
		if (text_at(warp, insn, lane, argument(warp, insn, site, lane, 0), format, sizeof format) < 0)
			goto done;
		int converted = 0;
		for (const char *at = format; *at;) {
			const size_t plain = strcspn(at, "%");
			put(&output, at, plain);
			at += plain;
			if (!*at)
				break;
			at++;
			const int n = convert(warp, insn, lane, &packed, &at, &output);
			if (n < 0)
				goto done;
			converted += n;
		}
		give(warp, site, lane, (uint64_t)converted);
	}
done:
	flush(&output);
}

/* ---- assert ---- */

static void execute_assert(struct ptx_warp *warp, const struct ptx_insn *insn, const struct ptx_call_site *site, uint32_t active)
{
	char message[512], file[512], function[512];
	const int lane = ptx_first_lane(active);
	/* message, file, line, function, size of a character */
	if (text_at(warp, insn, lane, argument(warp, insn, site, lane, 0), message, sizeof message) < 0 ||
	    text_at(warp, insn, lane, argument(warp, insn, site, lane, 1), file, sizeof file) < 0 ||
	    text_at(warp, insn, lane, argument(warp, insn, site, lane, 3), function, sizeof function) < 0)
		return;
	const uint64_t line = argument(warp, insn, site, lane, 2);
	ptx_find(warp, insn, lane, PTX_FIND_ASSERT, 0, "%.80s:%u: %.80s: assertion `%.80s' failed", file, (unsigned)line, function, message);
}

/* ---- heap ---- */

struct ptx_heap {
	pthread_mutex_t mutex;
	struct piece { uint64_t offset, bytes; int used; } *pieces; /* by offset, without gaps */
	int count, room;
};

int ptx_heap_create(struct ptx_image *image, struct error *err)
{
	if (image->heap)
		return 0;
	struct ptx_heap *const heap = calloc(1, sizeof *heap);
	unsigned char *const memory = aligned_alloc(256, HEAP_BYTES);
	struct piece *const pieces = calloc(16, sizeof *pieces);
	if (!heap || !memory || !pieces) {
		error_set(err, ERROR_ENVIRONMENT, "no memory for a device heap of %d bytes", (int)HEAP_BYTES);
		goto failed;
	}
	memset(memory, 0, HEAP_BYTES);
	if (ptx_memory_add(image->memory, (uint64_t)(uintptr_t)memory, HEAP_BYTES, PTX_BUFFER_ALLOCATION, "device heap", err) < 0)
		goto failed;
	pieces[0] = (struct piece){0, HEAP_BYTES, 0};
	*heap = (struct ptx_heap){.mutex = PTHREAD_MUTEX_INITIALIZER, .pieces = pieces, .count = 1, .room = 16};
	image->heap = memory;
	image->heap_state = heap;
	return 0;
failed:
	free(heap);
	free(memory);
	free(pieces);
	return -1;
}

void ptx_heap_destroy(struct ptx_image *image)
{
	if (!image->heap)
		return;
	ptx_memory_remove(image->memory, (uint64_t)(uintptr_t)image->heap);
	free(image->heap);
	free(image->heap_state->pieces);
	free(image->heap_state);
	image->heap = NULL;
}

/* First fit; NULL pointer (0) where there is none, as on a GPU. */
static uint64_t heap_alloc(struct ptx_image *image, uint64_t bytes)
{
	struct ptx_heap *const heap = image->heap_state;
	uint64_t address = 0;
	if (bytes == 0 || bytes > HEAP_BYTES)
		return 0;
	const uint64_t size = (bytes + HEAP_ALIGN - 1) / HEAP_ALIGN * HEAP_ALIGN;
	pthread_mutex_lock(&heap->mutex);
	if (heap->count + 1 >= heap->room) {
		struct piece *const grown = realloc(heap->pieces, 2 * (size_t)heap->room * sizeof *grown);
		if (!grown)
			goto done;
		heap->pieces = grown;
		heap->room *= 2;
	}
	for (int i = 0; i < heap->count; i++) {
		struct piece *const piece = &heap->pieces[i];
		if (piece->used || piece->bytes < size)
			continue;
		if (piece->bytes > size) {
			memmove(piece + 2, piece + 1, (size_t)(heap->count - i - 1) * sizeof *piece);
			piece[1] = (struct piece){piece->offset + size, piece->bytes - size, 0};
			piece->bytes = size;
			heap->count++;
		}
		piece->used = 1;
		address = (uint64_t)(uintptr_t)image->heap + piece->offset;
		break;
	}
done:
	pthread_mutex_unlock(&heap->mutex);
	return address;
}

/* 0, or -1: nothing was allocated there. */
static int heap_free(struct ptx_image *image, uint64_t address)
{
	struct ptx_heap *const heap = image->heap_state;
	int result = -1;
	pthread_mutex_lock(&heap->mutex);
	for (int i = 0; i < heap->count; i++) {
		struct piece *const piece = &heap->pieces[i];
		if (!piece->used || (uint64_t)(uintptr_t)image->heap + piece->offset != address)
			continue;
		piece->used = 0;
		result = 0;
		int first = i, last = i;
		if (first > 0 && !heap->pieces[first - 1].used)
			first--;
		if (last + 1 < heap->count && !heap->pieces[last + 1].used)
			last++;
		for (int n = first + 1; n <= last; n++)
			heap->pieces[first].bytes += heap->pieces[n].bytes;
		memmove(&heap->pieces[first + 1], &heap->pieces[last + 1], (size_t)(heap->count - last - 1) * sizeof *piece);
		heap->count -= last - first;
		break;
	}
	pthread_mutex_unlock(&heap->mutex);
	return result;
}

void ptx_builtin_call(struct ptx_warp *warp, const struct ptx_insn *insn, const struct ptx_call_site *site, uint32_t active)
{
	struct ptx_image *const image = ptx_core_of(warp)->kernel->image;
	switch (site->callee->symbol->builtin) {
	case PTX_BUILTIN_VPRINTF:
		execute_vprintf(warp, insn, site, active);
		return;
	case PTX_BUILTIN_ASSERTFAIL:
		execute_assert(warp, insn, site, active);
		return;
	case PTX_BUILTIN_MALLOC:
		for (uint32_t rest = active; rest; rest &= rest - 1)
			give(warp, site, ptx_first_lane(rest), heap_alloc(image, argument(warp, insn, site, ptx_first_lane(rest), 0)));
		return;
	default:
		for (uint32_t rest = active; rest; rest &= rest - 1) {
			const int lane = ptx_first_lane(rest);
			const uint64_t address = argument(warp, insn, site, lane, 0);
			if (address && heap_free(image, address) < 0)
				ptx_find(warp, insn, lane, PTX_FIND_INVALID, address, "free of 0x%" PRIx64 ", which malloc did not give", address);
		}
		return;
	}
}
