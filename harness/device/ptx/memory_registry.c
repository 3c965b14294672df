/* The buffers of a device: which host memory kernels may touch, what for, and which of its bytes are defined. */
#include "device/ptx/memory_private.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
	FREED_MAX = 1024, /* buffers remembered after they were freed */
	SITES_MAX = 254,  /* stores of undefined values told apart; later ones share OTHER_SITES */
	OTHER_SITES = 255,
	MAP_THRESHOLD = 64 * 1024 /* smaller maps come from the heap */
};

struct freed {
	uint64_t address, bytes;
};

struct ptx_memory {
	struct ptx_buffer **buffers; /* by address */
	size_t count, room;
	struct freed freed[FREED_MAX];
	size_t freed_count;        /* ever */
	pthread_mutex_t lock;      /* what launches change: PAGE_DEFINED, origin maps, sites */
	struct ptx_finding sites[OTHER_SITES + 1];
	unsigned site_count;
};

/* Zeroed memory that costs only what is touched. */
static void *map_create(uint64_t bytes)
{
	if (bytes == 0)
		bytes = 1;
	if (bytes < MAP_THRESHOLD)
		return calloc(1, bytes);
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return map == MAP_FAILED ? NULL : map;
}

static void map_destroy(void *map, uint64_t bytes)
{
	if (bytes < MAP_THRESHOLD)
		free(map);
	else if (map)
		munmap(map, bytes);
}

static uint64_t page_count(const struct ptx_buffer *buffer)
{
	return (buffer->bytes + PAGE_BYTES - 1) >> PAGE_BITS;
}

/* Bytes of the buffer in a page: the last one may be short. */
static uint64_t page_bytes(const struct ptx_buffer *buffer, uint64_t page)
{
	const uint64_t left = buffer->bytes - (page << PAGE_BITS);
	return left < PAGE_BYTES ? left : PAGE_BYTES;
}

static void buffer_free(struct ptx_buffer *buffer)
{
	if (!buffer)
		return;
	map_destroy(buffer->use, buffer->bytes);
	map_destroy(buffer->defined, buffer->bytes);
	map_destroy(buffer->origin, buffer->bytes);
	free(buffer->pages);
	free(buffer->page_use);
	free(buffer->name);
	free(buffer);
}

struct ptx_memory *ptx_memory_create(void)
{
	struct ptx_memory *memory = calloc(1, sizeof *memory);
	if (memory)
		pthread_mutex_init(&memory->lock, NULL);
	return memory;
}

void ptx_memory_destroy(struct ptx_memory *memory)
{
	if (!memory)
		return;
	for (size_t i = 0; i < memory->count; i++)
		buffer_free(memory->buffers[i]);
	free(memory->buffers);
	pthread_mutex_destroy(&memory->lock);
	free(memory);
}

/* Number of buffers that start at or before `address`. */
static size_t position_of(const struct ptx_memory *memory, uint64_t address)
{
	size_t low = 0, high = memory->count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (memory->buffers[middle]->address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct ptx_buffer *ptx_memory_find(const struct ptx_memory *memory, uint64_t address)
{
	size_t position = position_of(memory, address);
	while (position > 0) {
		struct ptx_buffer *buffer = memory->buffers[position - 1];
		if (address - buffer->address < buffer->bytes)
			return buffer;
		if (buffer->bytes) /* empty ones hide those before them */
			return NULL;
		position--;
	}
	return NULL;
}

static unsigned flags_of_use(const struct ptx_buffer *buffer, unsigned use)
{
	const int read_only = buffer->kind == PTX_BUFFER_MODULE_CONST || buffer->kind == PTX_BUFFER_PARAMETERS;
	switch (use) {
	case DEVICE_MEMORY_SCRATCH:
	case DEVICE_MEMORY_OUTPUT:
	case DEVICE_MEMORY_PLAIN:
		return PAGE_READ | (read_only ? 0 : PAGE_WRITE);
	case DEVICE_MEMORY_INPUT:
		return PAGE_READ;
	default:
		return 0;
	}
}

int ptx_memory_add(struct ptx_memory *memory, uint64_t address, size_t bytes, enum ptx_buffer_kind kind, const char *name, struct error *err)
{
	if (address == 0 || bytes > UINT64_MAX - address)
		return error_set(err, ERROR_INTERNAL, "memory [0x%llx, + %zu bytes) cannot be a buffer: it has no place in the address space",
				 (unsigned long long)address, bytes);
	const size_t position = position_of(memory, address);
	const struct ptx_buffer *before = position ? memory->buffers[position - 1] : NULL;
	const struct ptx_buffer *after = position < memory->count ? memory->buffers[position] : NULL;
	if ((before && (before->address == address || address - before->address < before->bytes)) || (after && after->address - address < bytes))
		return error_set(err, ERROR_INTERNAL, "a buffer of %zu bytes at 0x%llx overlaps another one", bytes, (unsigned long long)address);
	if (memory->count == memory->room) {
		const size_t room = memory->room ? 2 * memory->room : 64;
		struct ptx_buffer **buffers = realloc(memory->buffers, room * sizeof *buffers);
		if (!buffers)
			return error_set(err, ERROR_ENVIRONMENT, "no memory to note a buffer of %zu bytes", bytes);
		memory->buffers = buffers;
		memory->room = room;
	}
	struct ptx_buffer *buffer = calloc(1, sizeof *buffer);
	if (!buffer)
		return error_set(err, ERROR_ENVIRONMENT, "no memory to note a buffer of %zu bytes", bytes);
	buffer->address = address;
	buffer->bytes = bytes;
	buffer->kind = kind;
	const uint64_t pages = page_count(buffer);
	buffer->name = name ? strdup(name) : NULL;
	buffer->pages = malloc(pages + 1);
	buffer->page_use = malloc(pages + 1);
	buffer->defined = map_create(bytes);
	if ((name && !buffer->name) || !buffer->pages || !buffer->page_use || !buffer->defined) {
		buffer_free(buffer);
		return error_set(err, ERROR_ENVIRONMENT, "no memory to note a buffer of %zu bytes", bytes);
	}
	const unsigned use = kind == PTX_BUFFER_ALLOCATION ? DEVICE_MEMORY_SCRATCH : DEVICE_MEMORY_PLAIN;
	memset(buffer->page_use, (int)use, pages);
	memset(buffer->pages, (int)(flags_of_use(buffer, use) | (kind == PTX_BUFFER_ALLOCATION ? 0 : PAGE_DEFINED)), pages);
	memmove(memory->buffers + position + 1, memory->buffers + position, (memory->count - position) * sizeof *memory->buffers);
	memory->buffers[position] = buffer;
	memory->count++;
	/* what was freed at this place is told no longer: an access near here has to do with the new buffer */
	const size_t known = memory->freed_count < FREED_MAX ? memory->freed_count : FREED_MAX;
	for (size_t i = 0; i < known; i++)
		if (memory->freed[i].address - address < bytes || address - memory->freed[i].address < memory->freed[i].bytes)
			memory->freed[i].bytes = 0;
	return 0;
}

int ptx_memory_remove(struct ptx_memory *memory, uint64_t address)
{
	const size_t position = position_of(memory, address);
	if (position == 0 || memory->buffers[position - 1]->address != address)
		return -1;
	struct ptx_buffer *buffer = memory->buffers[position - 1];
	memory->freed[memory->freed_count++ % FREED_MAX] = (struct freed){buffer->address, buffer->bytes};
	memmove(memory->buffers + position - 1, memory->buffers + position, (memory->count - position) * sizeof *memory->buffers);
	memory->count--;
	buffer_free(buffer);
	return 0;
}

/* Calls `each` for the part of the range in every buffer, as offsets [from, to). */
static void in_buffers(const struct ptx_memory *memory, uint64_t address, uint64_t bytes,
		       void (*each)(struct ptx_buffer *buffer, uint64_t from, uint64_t to, void *context), void *context)
{
	if (bytes == 0 || bytes > UINT64_MAX - address)
		return;
	size_t i = position_of(memory, address);
	while (i > 0 && (memory->buffers[i - 1]->bytes == 0 || address - memory->buffers[i - 1]->address < memory->buffers[i - 1]->bytes))
		i--;
	for (; i < memory->count && memory->buffers[i]->address < address + bytes; i++) {
		struct ptx_buffer *buffer = memory->buffers[i];
		const uint64_t from = buffer->address < address ? address - buffer->address : 0;
		const uint64_t end = address + bytes - buffer->address;
		const uint64_t to = end < buffer->bytes ? end : buffer->bytes;
		if (from < to)
			each(buffer, from, to, context);
	}
}

/* Sets the definedness of [from, to); pages that lie in it wholly need no bytes. */
static void set_defined(struct ptx_buffer *buffer, uint64_t from, uint64_t to, int defined)
{
	for (uint64_t page = from >> PAGE_BITS; page << PAGE_BITS < to; page++) {
		const uint64_t start = page << PAGE_BITS, end = start + page_bytes(buffer, page);
		const uint64_t first = from > start ? from : start, last = to < end ? to : end;
		uint8_t *bytes = buffer->defined;
		if (first == start && last == end) {
			if (defined) {
				buffer->pages[page] |= PAGE_DEFINED;
			} else {
				buffer->pages[page] &= (uint8_t)~PAGE_DEFINED;
				memset(bytes + first, 0, last - first);
			}
		} else {
			if (buffer->pages[page] & PAGE_DEFINED) {
				if (defined)
					continue;
				memset(bytes + start, 0xff, end - start);
				buffer->pages[page] &= (uint8_t)~PAGE_DEFINED;
			}
			memset(bytes + first, defined ? 0xff : 0, last - first);
			if (defined && bytes[start] == 0xff && memcmp(bytes + start, bytes + start + 1, end - start - 1) == 0)
				buffer->pages[page] |= PAGE_DEFINED;
		}
	}
	if (buffer->origin)
		memset(buffer->origin + from, 0, to - from);
}

/* A bit for each use that occurs. Runs of one use are the rule: eight at a time. */
static unsigned uses_of(const uint8_t *use, uint64_t count)
{
	unsigned uses = 0;
	for (uint64_t i = 0; i < count;) {
		const uint64_t run = 0x0101010101010101u * use[i];
		uint64_t eight = ~run;
		uses |= 1u << use[i++];
		for (; i + 8 <= count && (memcpy(&eight, use + i, 8), eight == run); i += 8)
			;
	}
	return uses;
}

static void set_use(struct ptx_buffer *buffer, uint64_t from, uint64_t to, unsigned use)
{
	for (uint64_t page = from >> PAGE_BITS; page << PAGE_BITS < to; page++) {
		const uint64_t start = page << PAGE_BITS, end = start + page_bytes(buffer, page);
		const uint64_t first = from > start ? from : start, last = to < end ? to : end;
		if (first == start && last == end) {
			buffer->page_use[page] = (uint8_t)use;
		} else {
			if (buffer->page_use[page] == use)
				continue;
			if (buffer->page_use[page] != USE_MIXED)
				memset(buffer->use + start, buffer->page_use[page], end - start);
			buffer->page_use[page] = USE_MIXED;
			memset(buffer->use + first, (int)use, last - first);
			if (memcmp(buffer->use + start, buffer->use + start + 1, end - start - 1) == 0)
				buffer->page_use[page] = buffer->use[start];
		}
		unsigned flags;
		if (buffer->page_use[page] != USE_MIXED) {
			flags = flags_of_use(buffer, buffer->page_use[page]);
		} else {
			const unsigned uses = uses_of(buffer->use + start, end - start);
			flags = PAGE_READ | PAGE_WRITE;
			for (unsigned each = 0; each <= DEVICE_MEMORY_PLAIN; each++)
				if (uses >> each & 1)
					flags &= flags_of_use(buffer, each);
		}
		buffer->pages[page] = (uint8_t)((buffer->pages[page] & PAGE_DEFINED) | flags);
	}
}

static void mark_one(struct ptx_buffer *buffer, uint64_t from, uint64_t to, void *context)
{
	const enum device_memory_use use = *(const enum device_memory_use *)context;
	if (!buffer->use && (buffer->use = map_create(buffer->bytes)) == NULL)
		return; /* without memory for marks the buffer keeps those it has: less is checked, nothing wrong is said */
	set_use(buffer, from, to, use);
	set_defined(buffer, from, to, use == DEVICE_MEMORY_INPUT || use == DEVICE_MEMORY_PLAIN);
}

void ptx_memory_mark(struct ptx_memory *memory, uint64_t address, size_t bytes, enum device_memory_use use)
{
	in_buffers(memory, address, bytes, mark_one, &use);
}

static void define_one(struct ptx_buffer *buffer, uint64_t from, uint64_t to, void *context)
{
	(void)context;
	set_defined(buffer, from, to, 1);
}

void ptx_memory_host_write(struct ptx_memory *memory, uint64_t address, size_t bytes)
{
	in_buffers(memory, address, bytes, define_one, NULL);
}

struct copying {
	struct ptx_memory *memory;
	uint64_t shift;            /* what to add to an address of the source */
	int backwards;
};

static uint8_t *origin_map(struct ptx_buffer *buffer)
{
	if (!buffer->origin)
		buffer->origin = map_create(buffer->bytes);
	return buffer->origin;
}

/* Definedness and origin of one byte move along; `from` and `to` are addresses. */
static void copy_byte(const struct ptx_buffer *source, struct ptx_buffer *target, uint64_t from, uint64_t to)
{
	const uint64_t i = from - source->address, j = to - target->address;
	const uint8_t defined = source->pages[i >> PAGE_BITS] & PAGE_DEFINED ? 0xff : source->defined[i];
	const uint8_t origin = source->origin ? source->origin[i] : 0;
	if (target->pages[j >> PAGE_BITS] & PAGE_DEFINED) {
		if (defined == 0xff)
			return;
		const uint64_t page = j >> PAGE_BITS;
		memset(target->defined + (page << PAGE_BITS), 0xff, page_bytes(target, page));
		target->pages[page] &= (uint8_t)~PAGE_DEFINED;
	}
	target->defined[j] = defined;
	if (target->origin || origin) {
		uint8_t *origins = origin_map(target);
		if (origins)
			origins[j] = origin;
	}
}

static int range_is_defined(const struct ptx_buffer *buffer, uint64_t from, uint64_t to)
{
	for (uint64_t page = from >> PAGE_BITS; page << PAGE_BITS < to; page++)
		if (!(buffer->pages[page] & PAGE_DEFINED))
			return 0;
	return 1;
}

static void copy_one(struct ptx_buffer *source, uint64_t from, uint64_t to, void *context)
{
	const struct copying *copying = context;
	if (range_is_defined(source, from, to)) {
		ptx_memory_host_write(copying->memory, source->address + from + copying->shift, to - from);
		return;
	}
	struct ptx_buffer *target = NULL;
	for (uint64_t k = 0; k < to - from; k++) {
		const uint64_t address = source->address + (copying->backwards ? to - 1 - k : from + k);
		const uint64_t there = address + copying->shift;
		if (!target || there - target->address >= target->bytes)
			target = ptx_memory_find(copying->memory, there);
		if (target)
			copy_byte(source, target, address, there);
	}
}

void ptx_memory_host_copy(struct ptx_memory *memory, uint64_t to, uint64_t from, size_t bytes)
{
	struct copying copying = {memory, to - from, to > from};
	in_buffers(memory, from, bytes, copy_one, &copying);
}

struct looking {
	struct ptx_finding *findings;
	int room, count;
	uint8_t seen[OTHER_SITES + 1]; /* 1 + index among those found so far */
	uint64_t counts[OTHER_SITES + 1], first[OTHER_SITES + 1];
	const struct ptx_memory *memory;
};

static void look_one(struct ptx_buffer *buffer, uint64_t from, uint64_t to, void *context)
{
	struct looking *looking = context;
	if (!buffer->origin)
		return;
	for (uint64_t page = from >> PAGE_BITS; page << PAGE_BITS < to; page++) {
		if (buffer->pages[page] & PAGE_DEFINED)
			continue;
		const uint64_t start = page << PAGE_BITS, end = start + page_bytes(buffer, page);
		const uint64_t last = to < end ? to : end;
		for (uint64_t i = from > start ? from : start; i < last; i++) {
			const uint8_t site = buffer->origin[i];
			if (site == 0 || buffer->defined[i] == 0xff)
				continue;
			if (looking->counts[site]++ == 0)
				looking->first[site] = buffer->address + i;
		}
	}
}

int ptx_memory_host_read(struct ptx_memory *memory, uint64_t address, size_t bytes, struct ptx_finding *findings, int room)
{
	struct looking looking = {.memory = memory};
	int count = 0;
	in_buffers(memory, address, bytes, look_one, &looking);
	for (unsigned site = 1; site <= OTHER_SITES; site++) {
		if (looking.counts[site] == 0)
			continue;
		if (count < room) {
			struct ptx_finding *finding = &findings[count];
			char place[160];
			*finding = memory->sites[site];
			finding->address = looking.first[site];
			finding->count = looking.counts[site];
			ptx_memory_place(memory, finding->address, 1, place, sizeof place);
			snprintf(finding->text, sizeof finding->text, "the host reads %llu undefined byte%s stored here%s, the first at %s",
				 (unsigned long long)finding->count, finding->count == 1 ? "" : "s",
				 site == OTHER_SITES ? " or by later stores" : "", place);
		}
		count++;
	}
	return count;
}

/* ---- while kernels run ---- */

static unsigned use_at(const struct ptx_buffer *buffer, uint64_t offset)
{
	const unsigned use = buffer->page_use[offset >> PAGE_BITS];
	return use == USE_MIXED ? buffer->use[offset] : use;
}

/* Of an address in a part that is out of bounds: where it lies as seen from the nearest part that is not, which is what a
 * reader knows ("just past the end of an input of 4096 bytes"). 0 when there is none near by. */
static int place_beside_part(const struct ptx_buffer *buffer, uint64_t offset, char *text, size_t size)
{
	const uint64_t far = 1 << 16;
	uint64_t before = 0, after = 0; /* distances to the parts; 0: none */
	for (uint64_t d = 1; !before && d <= far && d <= offset; d++)
		before = use_at(buffer, offset - d) == DEVICE_MEMORY_NO_ACCESS ? 0 : d;
	for (uint64_t d = 1; !after && d <= far && offset + d < buffer->bytes; d++)
		after = use_at(buffer, offset + d) == DEVICE_MEMORY_NO_ACCESS ? 0 : d;
	if (!before && !after)
		return 0;
	const int is_past = before && (!after || before <= after);
	uint64_t first = is_past ? offset - before : offset + after, last = first;
	const unsigned use = use_at(buffer, first);
	const uint64_t page = 1ull << PAGE_BITS; /* whole pages at a time: tensors are large */
	while (is_past && first > 0 && use_at(buffer, first - 1) == use)
		first -= first % page == 0 && buffer->page_use[(first - 1) >> PAGE_BITS] == use ? page : 1;
	while (!is_past && last + 1 < buffer->bytes && use_at(buffer, last + 1) == use)
		last += (last + 1) % page == 0 && last + page < buffer->bytes && buffer->page_use[(last + 1) >> PAGE_BITS] == use ? page : 1;
	static const char *const names[] = {"scratch memory", "an input", "an output", "", "a buffer"};
	const unsigned long long bytes = (unsigned long long)(last - first + 1);
	if (is_past && before == 1)
		snprintf(text, size, "offset %llu, just past the end of %s of %llu bytes", bytes, names[use], bytes);
	else if (is_past)
		snprintf(text, size, "%llu bytes past the end of %s of %llu bytes", (unsigned long long)before - 1, names[use], bytes);
	else
		snprintf(text, size, "%llu bytes before the start of %s of %llu bytes", (unsigned long long)after, names[use], bytes);
	return 1;
}

static const char *use_name(const struct ptx_buffer *buffer, uint64_t offset)
{
	static const char *const names[] = {"scratch", "input", "output", "no access", ""};
	if (buffer->kind == PTX_BUFFER_MODULE_CONST)
		return "constant memory";
	if (buffer->kind == PTX_BUFFER_PARAMETERS)
		return "kernel parameters";
	if (offset >= buffer->bytes)
		offset = buffer->bytes - 1;
	const unsigned use = use_at(buffer, offset);
	return use <= DEVICE_MEMORY_PLAIN && buffer->use ? names[use] : "";
}

void ptx_memory_place(const struct ptx_memory *memory, uint64_t address, uint64_t bytes, char *text, size_t size)
{
	const size_t position = position_of(memory, address);
	const struct ptx_buffer *inside = ptx_memory_find(memory, address);
	const struct ptx_buffer *near = inside;
	const uint64_t far = 1 << 20; /* further away than this, a buffer says nothing about an address */
	char relation[96] = "";

	if (inside && inside->use && use_at(inside, address - inside->address) == DEVICE_MEMORY_NO_ACCESS &&
	    place_beside_part(inside, address - inside->address, text, size))
		return;
	if (inside) {
		const uint64_t left = inside->bytes - (address - inside->address);
		if (bytes > left)
			snprintf(relation, sizeof relation, ", %llu of them past the end", (unsigned long long)(bytes - left));
	} else {
		/* freed memory that lies at the address comes before neighbours */
		const size_t known = memory->freed_count < FREED_MAX ? memory->freed_count : FREED_MAX;
		for (size_t i = 1; i <= known; i++) {
			const struct freed *freed = &memory->freed[(memory->freed_count - i) % FREED_MAX];
			if (address - freed->address < freed->bytes) {
				snprintf(text, size, "offset %llu of a buffer of %llu bytes that was freed",
					 (unsigned long long)(address - freed->address), (unsigned long long)freed->bytes);
				return;
			}
		}
		const struct ptx_buffer *before = position ? memory->buffers[position - 1] : NULL;
		const struct ptx_buffer *after = position < memory->count ? memory->buffers[position] : NULL;
		const uint64_t past = before ? address - before->address - before->bytes : UINT64_MAX;
		const uint64_t ahead = after ? after->address - address : UINT64_MAX;
		if (before && past <= ahead && past < far) {
			near = before;
			if (past == 0)
				snprintf(relation, sizeof relation, ", just past the end");
			else
				snprintf(relation, sizeof relation, ", %llu bytes past the end", (unsigned long long)past);
		} else if (after && ahead < far) {
			snprintf(text, size, "%llu bytes before the start of a buffer of %llu bytes%s%s%s", (unsigned long long)ahead,
				 (unsigned long long)after->bytes, after->name ? " (" : "", after->name ? after->name : "", after->name ? ")" : "");
			return;
		}
	}
	if (!near) {
		snprintf(text, size, "0x%llx, %s", (unsigned long long)address, address < far ? "a null pointer" : "in no buffer");
		return;
	}
	const char *what = near->name ? near->name : near->bytes ? use_name(near, address - near->address) : "";
	const char *also = near->name && near->bytes ? use_name(near, address - near->address) : "";
	snprintf(text, size, "offset %llu%s of a buffer of %llu bytes%s%s%s%s%s", (unsigned long long)(address - near->address), relation,
		 (unsigned long long)near->bytes, *what || *also ? " (" : "", what, *what && *also ? ", " : "", also, *what || *also ? ")" : "");
}

int ptx_buffer_forbidden(const struct ptx_buffer *buffer, uint64_t address, unsigned bytes, int is_write)
{
	const unsigned needed = is_write ? PAGE_WRITE : PAGE_READ;
	const uint64_t start = address - buffer->address;
	unsigned last = USE_MIXED; /* what was found allowed */
	for (unsigned i = 0; i < bytes; i++) {
		const uint64_t offset = start + i, page = offset >> PAGE_BITS;
		const unsigned use = buffer->page_use[page] == USE_MIXED ? buffer->use[offset] : buffer->page_use[page];
		if (use != last && !(flags_of_use(buffer, use) & needed))
			return (int)use;
		last = use;
	}
	return -1;
}

uint8_t ptx_buffer_undefined(const struct ptx_buffer *buffer, uint64_t address, unsigned bytes, uint8_t *shadow)
{
	const uint64_t offset = address - buffer->address;
	uint8_t all = 0;
	for (unsigned i = 0; i < bytes;) { /* page by page: nearly always one */
		const uint64_t page = (offset + i) >> PAGE_BITS, left = ((page + 1) << PAGE_BITS) - offset;
		const unsigned end = left < bytes ? (unsigned)left : bytes;
		if (__atomic_load_n(&buffer->pages[page], __ATOMIC_ACQUIRE) & PAGE_DEFINED) {
			memset(shadow + i, 0, end - i);
			i = end;
		}
		for (; i < end; i++)
			all |= shadow[i] = (uint8_t)~buffer->defined[offset + i];
	}
	return all;
}

int ptx_buffer_is_defined(const struct ptx_buffer *buffer, uint64_t address, uint64_t bytes)
{
	if (ptx_buffer_flags(buffer, address, bytes) & PAGE_DEFINED)
		return 1;
	const uint64_t offset = address - buffer->address;
	for (uint64_t i = 0; i < bytes;) {
		const uint64_t page_end = (((offset + i) >> PAGE_BITS) + 1) << PAGE_BITS;
		const uint64_t end = page_end - offset < bytes ? page_end - offset : bytes;
		if (!(__atomic_load_n(&buffer->pages[(offset + i) >> PAGE_BITS], __ATOMIC_ACQUIRE) & PAGE_DEFINED)) {
			uint8_t all = 0xff;
			for (uint64_t j = i; j < end; j++)
				all &= buffer->defined[offset + j];
			if (all != 0xff)
				return 0;
		}
		i = end;
	}
	return 1;
}

void ptx_buffer_define(const struct ptx_buffer *buffer, uint64_t address, uint64_t bytes)
{
	/* bytes of a page of PAGE_DEFINED are set, too: harmless, and simpler than telling them apart */
	if (!(ptx_buffer_flags(buffer, address, bytes) & PAGE_DEFINED))
		memset(buffer->defined + (address - buffer->address), 0xff, bytes);
}

void ptx_memory_lock(struct ptx_memory *memory)
{
	pthread_mutex_lock(&memory->lock);
}

void ptx_memory_unlock(struct ptx_memory *memory)
{
	pthread_mutex_unlock(&memory->lock);
}

/* Number of the store's place: the same for the same instruction of the same kernel. The lock is held. */
static uint8_t site_of(struct ptx_memory *memory, const struct ptx_warp *warp, const struct ptx_insn *insn, int lane)
{
	const struct ptx_block_state *block = warp->block;
	const struct ptx_instruction *source = insn->source;
	const char *kernel = block->entry ? block->entry->function->name : "";
	const struct ptx_position position = source ? source->position : (struct ptx_position){0, 0};
	unsigned site;
	for (site = 1; site <= memory->site_count && site <= SITES_MAX; site++)
		if (memory->sites[site].position.line == position.line && memory->sites[site].position.column == position.column &&
		    strncmp(memory->sites[site].kernel, kernel, sizeof memory->sites[site].kernel - 1) == 0)
			return (uint8_t)site;
	if (memory->site_count >= OTHER_SITES)
		return OTHER_SITES;
	memory->site_count++;
	struct ptx_finding *finding = &memory->sites[memory->site_count];
	*finding = (struct ptx_finding){.kind = PTX_FIND_UNDEFINED_OUTPUT, .position = position};
	snprintf(finding->kernel, sizeof finding->kernel, "%s", kernel);
	for (int i = 0; i < 3; i++) {
		finding->block[i] = block->ctaid[i];
		finding->thread[i] = warp->tid[i][lane];
	}
	const struct ptx_module *module = block->entry ? block->entry->function->module : NULL;
	if (source && module && source->source_file > 0 && (int64_t)source->source_file <= module->file_count && module->files[source->source_file - 1])
		snprintf(finding->source, sizeof finding->source, "%s:%u", module->files[source->source_file - 1], source->source_line);
	return (uint8_t)memory->site_count;
}

void ptx_buffer_store_undefined(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, struct ptx_buffer *buffer, uint64_t address,
				unsigned bytes, const uint8_t *shadow)
{
	struct ptx_memory *memory = warp->block->memory;
	const uint64_t offset = address - buffer->address;
	pthread_mutex_lock(&memory->lock);
	for (uint64_t page = offset >> PAGE_BITS; page <= (offset + bytes - 1) >> PAGE_BITS; page++)
		if (buffer->pages[page] & PAGE_DEFINED) {
			memset(buffer->defined + (page << PAGE_BITS), 0xff, page_bytes(buffer, page));
			__atomic_fetch_and(&buffer->pages[page], (uint8_t)~PAGE_DEFINED, __ATOMIC_RELEASE);
		}
	uint8_t *origins = origin_map(buffer);
	const uint8_t site = site_of(memory, warp, insn, lane);
	for (unsigned i = 0; i < bytes; i++) {
		buffer->defined[offset + i] = (uint8_t)~shadow[i];
		if (origins && shadow[i])
			origins[offset + i] = site;
	}
	pthread_mutex_unlock(&memory->lock);
}
