/* Addresses to objects: host function pointers, kernel handles, allocations, streams, events. Open addressing with
 * linear probing; zero-initialise. The keys are addresses of live things, so no two kinds can share one. */
#ifndef ASSAY_CUDART_POINTER_MAP_H
#define ASSAY_CUDART_POINTER_MAP_H

#include <stddef.h>
#include <stdint.h>

enum object_tag { TAG_NONE = 0, TAG_KERNEL, TAG_VARIABLE, TAG_ALLOCATION, TAG_HOST_MEMORY, TAG_STREAM, TAG_EVENT };

struct pointer_slot {
	uintptr_t key; /* 0: never used */
	enum object_tag tag; /* TAG_NONE with a key: removed */
	void *value;
};

struct pointer_map {
	struct pointer_slot *slots;
	size_t capacity, used; /* `used` counts removed ones too */
};

/* -1 when memory runs out. An address that is there already gets the new tag and value. */
int pointer_map_put(struct pointer_map *map, uintptr_t key, enum object_tag tag, void *value);
/* NULL when the address is unknown or names something of another kind. */
void *pointer_map_get(const struct pointer_map *map, uintptr_t key, enum object_tag tag);
void *pointer_map_remove(struct pointer_map *map, uintptr_t key, enum object_tag tag);

#endif
