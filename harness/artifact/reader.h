/* A view of bytes somebody else wrote. Every integer is read through it: little-endian unless the name says otherwise,
 * at any alignment (members of an ar archive are only 2-byte aligned), checked against the end. A read outside the view
 * gives 0 and sets `failed`, which stays set, so that a run of reads needs one check at its end. */
#ifndef ASSAY_ARTIFACT_READER_H
#define ASSAY_ARTIFACT_READER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct reader {
	const unsigned char *data;
	size_t size;
	int failed;
};

static inline struct reader reader_of(const void *data, size_t size)
{
	return (struct reader){.data = data, .size = data ? size : 0};
}

/* Whether `length` bytes at `offset` lie within `size`, without overflow. */
static inline int range_within(uint64_t offset, uint64_t length, uint64_t size)
{
	return offset <= size && length <= size - offset;
}

/* The bytes, or NULL (and failed). A length of 0 inside the view gives a pointer that must not be read. */
static inline const unsigned char *read_bytes(struct reader *reader, uint64_t offset, uint64_t length)
{
	if (!reader->data || !range_within(offset, length, reader->size)) {
		reader->failed = 1;
		return NULL;
	}
	return reader->data + offset;
}

static inline uint8_t read_u8(struct reader *reader, uint64_t offset)
{
	const unsigned char *at = read_bytes(reader, offset, 1);
	return at ? at[0] : 0;
}

static inline uint16_t read_u16(struct reader *reader, uint64_t offset)
{
	const unsigned char *at = read_bytes(reader, offset, 2);
	return at ? (uint16_t)(at[0] | at[1] << 8) : 0;
}

static inline uint32_t read_u32(struct reader *reader, uint64_t offset)
{
	const unsigned char *at = read_bytes(reader, offset, 4);
	return at ? (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24 : 0;
}

static inline uint32_t read_u32_be(struct reader *reader, uint64_t offset)
{
	const unsigned char *at = read_bytes(reader, offset, 4);
	return at ? (uint32_t)at[3] | (uint32_t)at[2] << 8 | (uint32_t)at[1] << 16 | (uint32_t)at[0] << 24 : 0;
}

static inline uint64_t read_u64(struct reader *reader, uint64_t offset)
{
	const uint64_t low = read_u32(reader, offset);
	return low | (uint64_t)read_u32(reader, offset + 4) << 32;
}

static inline uint64_t read_u64_be(struct reader *reader, uint64_t offset)
{
	const uint64_t high = read_u32_be(reader, offset);
	return high << 32 | read_u32_be(reader, offset + 4);
}

/* A NUL-terminated string within the view, or NULL (and failed) when it runs off the end or is longer than any name: a
 * bound that keeps many references to one endless string from costing quadratic time. */
static inline const char *read_text(struct reader *reader, uint64_t offset)
{
	const size_t longest = 65536;
	const size_t room = reader->data && offset < reader->size ? reader->size - (size_t)offset : 0;
	if (!room || !memchr(reader->data + offset, 0, room < longest ? room : longest)) {
		reader->failed = 1;
		return NULL;
	}
	return (const char *)reader->data + offset;
}

#endif
