/* A 128-bit digest of an array of bytes that can be computed in any order, so that a GPU and a CPU give the same one.
 *
 * The bytes are taken as little-endian 32-bit words (the last one padded with zeros); word i contributes
 *     mix(i * 2^32 + word + K)   for two constants K,
 * and the contributions are added modulo 2^64, to a start that depends on the size (digest_of_size). `mix` is the output function of SplitMix64 (Steele, Lea, Flood:
 * "Fast splittable pseudorandom number generators", OOPSLA 2014), a bijection of 64-bit words. It detects change; it
 * does not resist an adversary. */
#ifndef ASSAY_CORE_DIGEST_H
#define ASSAY_CORE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_KEY_0 0x9e3779b97f4a7c15ull
#define DIGEST_KEY_1 0xd1b54a32d192ed03ull

struct digest {
	uint64_t half[2];
};

struct digest digest_bytes(const void *bytes, size_t size);
void digest_hex(struct digest digest, char hex[33]);

static inline uint64_t digest_mix(uint64_t word)
{
	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ull;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebull;
	return word ^ (word >> 31);
}

static inline struct digest digest_of_size(size_t size)
{
	return (struct digest){{digest_mix(~(uint64_t)size + DIGEST_KEY_0), digest_mix(~(uint64_t)size + DIGEST_KEY_1)}};
}

#endif
