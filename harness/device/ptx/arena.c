#include "device/ptx/front.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 16, ALIGN = 16 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	_Alignas(ALIGN) unsigned char bytes[];
};

void *arena_alloc(struct arena *arena, size_t bytes)
{
	if (bytes > SIZE_MAX / 2)
		return NULL;
	bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
	struct arena_chunk *chunk = arena->chunk;
	if (!chunk || chunk->size - chunk->used < bytes) {
		const size_t size = bytes > CHUNK_BYTES / 4 ? bytes : CHUNK_BYTES;
		struct arena_chunk *more = calloc(1, sizeof *more + size);
		if (!more)
			return NULL;
		more->size = size;
		if (chunk && size != CHUNK_BYTES) { /* the open chunk stays in front */
			more->next = chunk->next;
			chunk->next = more;
		} else {
			more->next = chunk;
			arena->chunk = more;
		}
		chunk = more;
	}
	void *place = chunk->bytes + chunk->used;
	chunk->used += bytes;
	return place;
}

char *arena_text(struct arena *arena, const char *text, size_t length)
{
	char *copy = arena_alloc(arena, length + 1);
	if (copy)
		memcpy(copy, text, length);
	return copy;
}

void arena_free(struct arena *arena)
{
	while (arena->chunk) {
		struct arena_chunk *next = arena->chunk->next;
		free(arena->chunk);
		arena->chunk = next;
	}
}

int front_no_memory(struct error *err)
{
	return error_set(err, ERROR_ENVIRONMENT, "out of memory while preparing PTX");
}

int front_reserve(void *array, int count, int *capacity, size_t element_bytes, struct error *err)
{
	if (count < *capacity)
		return 0;
	if (count > INT32_MAX / 4)
		return error_set(err, ERROR_UNSUPPORTED, "the PTX has more than %d of one kind of thing", INT32_MAX / 4);
	const int more = *capacity ? *capacity * 2 : 16;
	void *old;
	memcpy(&old, array, sizeof old);
	void *grown = realloc(old, (size_t)more * element_bytes);
	if (!grown)
		return front_no_memory(err);
	memcpy(array, &grown, sizeof grown);
	*capacity = more;
	return 0;
}

static uint64_t hash_text(uint32_t scope, const char *text, size_t length)
{
	uint64_t hash = 0x9e3779b97f4a7c15u + scope * 0xff51afd7ed558ccdu + length;
	while (length >= 8) {
		uint64_t word;
		memcpy(&word, text, 8);
		hash = (hash ^ word) * 0xc4ceb9fe1a85ec53u;
		hash ^= hash >> 32;
		text += 8;
		length -= 8;
	}
	uint64_t rest = 0;
	memcpy(&rest, text, length);
	hash = (hash ^ rest) * 0xc4ceb9fe1a85ec53u;
	hash ^= hash >> 29;
	return hash * 0x9e3779b97f4a7c15u >> 7;
}

static struct names_entry *place_of(struct names_entry *entries, int capacity, uint64_t hash, uint32_t scope, const char *text,
				    size_t length)
{
	for (size_t i = hash & (size_t)(capacity - 1);; i = (i + 1) & (size_t)(capacity - 1)) {
		struct names_entry *entry = &entries[i];
		if (!entry->kind || (entry->hash == hash && entry->scope == scope && entry->length == length &&
				     memcmp(entry->text, text, length) == 0))
			return entry;
	}
}

struct names_entry *names_find(const struct names *names, uint32_t scope, const char *text, size_t length)
{
	if (!names->count)
		return NULL;
	struct names_entry *entry = place_of(names->entries, names->capacity, hash_text(scope, text, length), scope, text, length);
	return entry->kind ? entry : NULL;
}

struct names_entry *names_add(struct names *names, uint32_t scope, const char *text, size_t length, int kind, int32_t value)
{
	if (names->count * 2 >= names->capacity) {
		if (names->capacity > INT32_MAX / 4)
			return NULL;
		const int capacity = names->capacity ? names->capacity * 2 : 64;
		struct names_entry *entries = calloc((size_t)capacity, sizeof *entries);
		if (!entries)
			return NULL;
		for (int i = 0; i < names->capacity; i++) {
			const struct names_entry *old = &names->entries[i];
			if (old->kind)
				*place_of(entries, capacity, old->hash, old->scope, old->text, old->length) = *old;
		}
		free(names->entries);
		names->entries = entries;
		names->capacity = capacity;
	}
	const uint64_t hash = hash_text(scope, text, length);
	struct names_entry *entry = place_of(names->entries, names->capacity, hash, scope, text, length);
	if (!entry->kind)
		names->count++;
	*entry = (struct names_entry){.text = text, .length = (uint32_t)length, .scope = scope, .hash = hash, .kind = kind, .value = value};
	return entry;
}

void names_free(struct names *names)
{
	free(names->entries);
	*names = (struct names){0};
}
