#include "core/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct digest digest_bytes(const void *bytes, size_t size)
{
	struct digest digest = digest_of_size(size);
	const unsigned char *at = bytes;
	for (size_t i = 0; i * 4 < size; i++) {
		const size_t left = size - i * 4;
		const size_t take = left < 4 ? left : 4;
		unsigned char word_bytes[4] = {0};
		memcpy(word_bytes, at + i * 4, take);
		const uint32_t word = (uint32_t)word_bytes[0] | (uint32_t)word_bytes[1] << 8 |
				      (uint32_t)word_bytes[2] << 16 | (uint32_t)word_bytes[3] << 24;
		const uint64_t value = ((uint64_t)i << 32) + word;
		digest.half[0] += digest_mix(value + DIGEST_KEY_0);
		digest.half[1] += digest_mix(value + DIGEST_KEY_1);
	}
	return digest;
}

void digest_hex(struct digest digest, char hex[33])
{
	snprintf(hex, 33, "%016" PRIx64 "%016" PRIx64, digest.half[0], digest.half[1]);
}
