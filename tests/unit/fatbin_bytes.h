/* Fatbin containers written byte by byte, for tests that need no compiler. Fields: artifact/fatbin.h. */
#ifndef ASSAY_TESTS_FATBIN_BYTES_H
#define ASSAY_TESTS_FATBIN_BYTES_H

#include "artifact/fatbin.h"

#include <string.h>

enum { KIND_PTX = 1, KIND_ELF = 2 };

struct container {
	unsigned char bytes[1024];
	size_t size;
};

static inline void put(unsigned char *at, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		at[i] = (unsigned char)(value >> 8 * i);
}

static inline void container_start(struct container *container)
{
	memset(container, 0, sizeof *container);
	put(container->bytes, FATBIN_CONTAINER_MAGIC, 4);
	put(container->bytes + 4, 1, 2);
	put(container->bytes + 6, FATBIN_HEADER_SIZE, 2);
	container->size = FATBIN_HEADER_SIZE;
}

/* An entry of 64 bytes of header and a raw payload. */
static inline void container_add(struct container *container, int kind, unsigned arch, const char *payload)
{
	unsigned char *entry = container->bytes + container->size;
	const size_t padded = (strlen(payload) + 8) / 8 * 8;
	put(entry, (uint64_t)kind, 2);
	put(entry + 2, 0x0101, 2);
	put(entry + 4, 64, 4);
	put(entry + 8, padded, 8);
	put(entry + 0x18, kind == KIND_PTX ? 0 : 7, 2);
	put(entry + 0x1a, kind == KIND_PTX ? 8 : 1, 2);
	put(entry + 0x1c, arch, 4);
	put(entry + 0x28, 0x11, 8);
	memcpy(entry + 64, payload, strlen(payload));
	container->size += 64 + padded;
	put(container->bytes + 8, container->size - FATBIN_HEADER_SIZE, 8);
}

#endif
