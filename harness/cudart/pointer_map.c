#include "cudart/pointer_map.h"

#include <stdlib.h>

static struct pointer_slot *find(const struct pointer_map *map, uintptr_t key)
{
	/* Fibonacci hashing: addresses differ in their middle bits, the top bits of the product mix them all */
	size_t at = (size_t)(((uint64_t)key * 0x9e3779b97f4a7c15ull) >> 32) & (map->capacity - 1);
	while (map->slots[at].key != 0 && map->slots[at].key != key)
		at = (at + 1) & (map->capacity - 1);
	return &map->slots[at];
}

static int grow(struct pointer_map *map)
{
	size_t live = 0;
	for (size_t i = 0; i < map->capacity; i++)
		live += map->slots[i].tag != TAG_NONE;
	struct pointer_map bigger = {.capacity = 64};
	while (bigger.capacity < live * 4)
		bigger.capacity *= 2;
	bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
	if (!bigger.slots)
		return -1;
	for (size_t i = 0; i < map->capacity; i++) {
		if (map->slots[i].tag == TAG_NONE)
			continue;
		*find(&bigger, map->slots[i].key) = map->slots[i];
		bigger.used++;
	}
	free(map->slots);
	*map = bigger;
	return 0;
}

int pointer_map_put(struct pointer_map *map, uintptr_t key, enum object_tag tag, void *value)
{
	if (key == 0)
		return -1;
	if ((map->used + 1) * 2 > map->capacity && grow(map))
		return -1;
	struct pointer_slot *slot = find(map, key);
	map->used += slot->key == 0;
	*slot = (struct pointer_slot){.key = key, .tag = tag, .value = value};
	return 0;
}

void *pointer_map_get(const struct pointer_map *map, uintptr_t key, enum object_tag tag)
{
	if (key == 0 || map->capacity == 0)
		return NULL;
	const struct pointer_slot *slot = find(map, key);
	return slot->key == key && slot->tag == tag ? slot->value : NULL;
}

void *pointer_map_remove(struct pointer_map *map, uintptr_t key, enum object_tag tag)
{
	if (key == 0 || map->capacity == 0)
		return NULL;
	struct pointer_slot *slot = find(map, key);
	if (slot->key != key || slot->tag != tag)
		return NULL;
	void *value = slot->value;
	slot->tag = TAG_NONE;
	slot->value = NULL;
	return value;
}
