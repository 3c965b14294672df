#include "artifact/fatbin.h"

#include "artifact/reader.h"

#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { ENTRY_HEADER_SIZE = 64 }; /* the fixed part; strings and, in some toolkits, zeros follow it */

static int header_read(struct reader *reader, size_t start, size_t *size, struct error *err)
{
	const uint32_t magic = read_u32(reader, start);
	const unsigned version = read_u16(reader, start + 4);
	const unsigned header_size = read_u16(reader, start + 6);
	const uint64_t entries_size = read_u64(reader, start + 8);
	if (reader->failed)
		return error_set(err, ERROR_INPUT, "fatbin container at 0x%zx: cut off in its header", start);
	if (magic == FATBIN_ANCIENT_MAGIC)
		return error_set(err, ERROR_UNSUPPORTED,
				 "fatbin container at 0x%zx: of a format older than CUDA 4; build again with CUDA 11.8 or newer", start);
	if (magic != FATBIN_CONTAINER_MAGIC)
		return error_set(err, ERROR_INPUT, "fatbin container at 0x%zx: starts with 0x%08x instead of 0x%08x", start,
				 magic, FATBIN_CONTAINER_MAGIC);
	if (version != 1 || header_size != FATBIN_HEADER_SIZE)
		return error_set(err, ERROR_INPUT,
				 "fatbin container at 0x%zx: version %u with a header of %u bytes is not known (expected 1 and %u)", start,
				 version, header_size, FATBIN_HEADER_SIZE);
	if (entries_size > SIZE_MAX - FATBIN_HEADER_SIZE)
		return error_set(err, ERROR_INPUT, "fatbin container at 0x%zx: claims a size of 0x%llx bytes", start,
				 (unsigned long long)entries_size);
	*size = FATBIN_HEADER_SIZE + (size_t)entries_size;
	return 0;
}

int fatbin_container_size(const void *container, size_t *size, struct error *err)
{
	struct reader reader = reader_of(container, FATBIN_HEADER_SIZE);
	return header_read(&reader, 0, size, err);
}

static struct fatbin_entry *entry_append(struct fatbin *fatbin, int *capacity)
{
	if (fatbin->count == *capacity) {
		if (*capacity > INT32_MAX / 2)
			return NULL;
		const int more = *capacity ? *capacity * 2 : 8;
		struct fatbin_entry *entries = realloc(fatbin->entries, (size_t)more * sizeof *entries);
		if (!entries)
			return NULL;
		fatbin->entries = entries;
		*capacity = more;
	}
	struct fatbin_entry *entry = &fatbin->entries[fatbin->count++];
	*entry = (struct fatbin_entry){0};
	return entry;
}

/* A text within the entry's own header. One that points elsewhere is treated as absent: it is only for people. */
static void header_text(struct reader *reader, size_t entry, size_t header_size, uint64_t offset, uint64_t length,
			const char **text, size_t *text_length)
{
	if (offset < ENTRY_HEADER_SIZE || length == 0 || !range_within(offset, length, header_size))
		return;
	const char *at = (const char *)read_bytes(reader, entry + offset, length);
	if (!at || !*at) /* the copy of .nv.compat that ELF entries carry in this place begins with NUL */
		return;
	*text = at;
	*text_length = strnlen(at, (size_t)length);
}

static int entry_read(struct reader *reader, size_t at, size_t end, struct fatbin_entry *entry, size_t *next,
		      struct error *err)
{
	const uint64_t room = end - at;
	const uint32_t header_size = read_u32(reader, at + 0x04);
	const uint64_t padded_size = read_u64(reader, at + 0x08);
	const uint32_t compressed_size = read_u32(reader, at + 0x10);
	const uint64_t options_at = read_u32(reader, at + 0x14);
	const uint64_t decompressed_size = read_u64(reader, at + 0x38);
	if (room < ENTRY_HEADER_SIZE || reader->failed)
		return error_set(err, ERROR_INPUT, "fatbin entry at 0x%zx: cut off in its header", at);
	if (header_size < ENTRY_HEADER_SIZE || header_size > room)
		return error_set(err, ERROR_INPUT,
				 "fatbin entry at 0x%zx: claims a header of %u bytes where %llu are left in its container", at,
				 header_size, (unsigned long long)room);
	if (padded_size > room - header_size)
		return error_set(err, ERROR_INPUT,
				 "fatbin entry at 0x%zx: claims a payload of 0x%llx bytes where 0x%llx are left in its container", at,
				 (unsigned long long)padded_size, (unsigned long long)(room - header_size));

	entry->offset = at;
	entry->raw_kind = read_u16(reader, at);
	entry->kind = entry->raw_kind == 1 ? FATBIN_PTX
		    : entry->raw_kind == 2 ? FATBIN_ELF
		    : entry->raw_kind == 8 ? FATBIN_NVVM
					   : FATBIN_OTHER;
	entry->version_minor = read_u16(reader, at + 0x18);
	entry->version_major = read_u16(reader, at + 0x1a);
	entry->arch = read_u32(reader, at + 0x1c);
	entry->flags = read_u64(reader, at + 0x28);
	entry->suffix = entry->flags & FATBIN_FLAG_ARCH_SPECIFIC     ? 'a'
		      : entry->flags & FATBIN_FLAG_FAMILY_SPECIFIC ? 'f'
								     : 0;
	entry->compression = entry->flags & FATBIN_FLAG_OBFUSCATED ? FATBIN_OBFUSCATED
			   : entry->flags & FATBIN_FLAG_ZSTD       ? FATBIN_ZSTD
			   : entry->flags & FATBIN_FLAG_LZ4        ? FATBIN_LZ4
			   : entry->flags & FATBIN_FLAG_PACKED     ? FATBIN_PACKED
								   : FATBIN_RAW;
	entry->payload = read_bytes(reader, at + header_size, padded_size);
	entry->payload_size = (size_t)padded_size;
	entry->decompressed_size = (size_t)padded_size;
	if (entry->compression == FATBIN_LZ4 || entry->compression == FATBIN_ZSTD) {
		if (compressed_size == 0 || compressed_size > padded_size)
			return error_set(err, ERROR_INPUT,
					 "fatbin entry at 0x%zx: claims %u compressed bytes in a payload of 0x%llx bytes", at,
					 compressed_size, (unsigned long long)padded_size);
		entry->payload_size = compressed_size;
		entry->decompressed_size = decompressed_size > SIZE_MAX ? SIZE_MAX : (size_t)decompressed_size;
	}
	header_text(reader, at, header_size, read_u32(reader, at + 0x20), read_u32(reader, at + 0x24),
		    &entry->identifier, &entry->identifier_length);
	if (options_at >= ENTRY_HEADER_SIZE && range_within(options_at, 8, header_size))
		header_text(reader, at, header_size, read_u32(reader, at + options_at),
			    read_u32(reader, at + options_at + 4), &entry->options, &entry->options_length);
	*next = at + header_size + (size_t)padded_size;
	return 0;
}

static int container_read(struct reader *reader, size_t start, struct fatbin *fatbin, int *capacity, size_t *end_out,
			  struct error *err)
{
	size_t size = 0;
	if (header_read(reader, start, &size, err))
		return -1;
	if (!range_within(start, size, reader->size))
		return error_set(err, ERROR_INPUT,
				 "fatbin container at 0x%zx: claims 0x%zx bytes where 0x%zx are left; the file is cut off or damaged",
				 start, size, reader->size - start);
	const size_t end = start + size;
	for (size_t at = start + FATBIN_HEADER_SIZE; at < end;) {
		struct fatbin_entry *entry = entry_append(fatbin, capacity);
		if (!entry)
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		entry->container = fatbin->containers;
		entry->container_bytes = reader->data + start;
		entry->container_size = size;
		if (entry_read(reader, at, end, entry, &at, err))
			return -1;
	}
	fatbin->containers++;
	*end_out = end;
	return 0;
}

int fatbin_parse(const void *bytes, size_t available, struct fatbin *fatbin, struct error *err)
{
	struct reader reader = reader_of(bytes, available);
	int capacity = 0;
	size_t end;
	*fatbin = (struct fatbin){0};
	if (container_read(&reader, 0, fatbin, &capacity, &end, err)) {
		fatbin_free(fatbin);
		return -1;
	}
	return 0;
}

int fatbin_parse_section(const void *bytes, size_t size, struct fatbin *fatbin, struct error *err)
{
	struct reader reader = reader_of(bytes, size);
	int capacity = 0;
	size_t at = 0;
	*fatbin = (struct fatbin){0};
	for (;;) {
		while (at < reader.size && reader.data[at] == 0)
			at++;
		if (at == reader.size)
			return 0;
		if (container_read(&reader, at, fatbin, &capacity, &at, err)) {
			fatbin_free(fatbin);
			return -1;
		}
	}
}

void fatbin_free(struct fatbin *fatbin)
{
	free(fatbin->entries);
	*fatbin = (struct fatbin){0};
}

static int decompress_lz4(const struct fatbin_entry *entry, unsigned char **out, struct error *err)
{
	/* A byte of an LZ4 block gives at most 255 bytes: a larger claim is a lie, and no memory is asked for it. */
	if (entry->decompressed_size / 255 > entry->payload_size)
		return error_set(err, ERROR_INPUT, "fatbin entry at 0x%zx: %zu bytes of LZ4 cannot hold the %zu it claims",
				 entry->offset, entry->payload_size, entry->decompressed_size);
	if (entry->payload_size > INT32_MAX)
		return error_set(err, ERROR_UNSUPPORTED, "fatbin entry at 0x%zx: %zu bytes of LZ4 are too many for one block",
				 entry->offset, entry->payload_size);
	*out = malloc(entry->decompressed_size + 1);
	if (!*out)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	const int written = LZ4_decompress_safe((const char *)entry->payload, (char *)*out, (int)entry->payload_size,
						(int)entry->decompressed_size);
	if (written < 0 || (size_t)written != entry->decompressed_size)
		return error_set(err, ERROR_INPUT, "fatbin entry at 0x%zx: its LZ4 data are damaged", entry->offset);
	return 0;
}

static int decompress_zstd(const struct fatbin_entry *entry, unsigned char **out, struct error *err)
{
	/* Zstandard has no useful bound on its ratio. Memory follows what the data really give: it starts from a ratio that
	 * code does not exceed, and only data that overflow it get more, up to what the header claims. */
	size_t room = entry->payload_size > FATBIN_DECOMPRESSED_LIMIT / 32 ? FATBIN_DECOMPRESSED_LIMIT : entry->payload_size * 32;
	for (;; room *= 8) {
		if (room > entry->decompressed_size)
			room = entry->decompressed_size;
		unsigned char *grown = realloc(*out, room + 1);
		if (!grown)
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		*out = grown;
		const size_t written = ZSTD_decompress(*out, room, entry->payload, entry->payload_size);
		if (!ZSTD_isError(written) && written == entry->decompressed_size)
			return 0;
		if (!ZSTD_isError(written))
			return error_set(err, ERROR_INPUT, "fatbin entry at 0x%zx: holds %zu bytes where it claims %zu",
					 entry->offset, written, entry->decompressed_size);
		if (ZSTD_getErrorCode(written) != ZSTD_error_dstSize_tooSmall || room == entry->decompressed_size)
			return error_set(err, ERROR_INPUT, "fatbin entry at 0x%zx: its Zstandard data are damaged: %s", entry->offset,
					 ZSTD_getErrorName(written));
	}
}

int fatbin_entry_decompress(const struct fatbin_entry *entry, void **bytes, size_t *size, struct error *err)
{
	unsigned char *out = NULL;
	int result = -1;
	*bytes = NULL;
	*size = 0;
	if (entry->decompressed_size > FATBIN_DECOMPRESSED_LIMIT) {
		error_set(err, ERROR_INPUT, "fatbin entry at 0x%zx: claims %zu bytes; this program reads up to %zu", entry->offset,
			  entry->decompressed_size, FATBIN_DECOMPRESSED_LIMIT);
		goto done;
	}
	size_t length = entry->decompressed_size;
	switch (entry->compression) {
	case FATBIN_OBFUSCATED:
		error_set(err, ERROR_UNSUPPORTED, "fatbin entry at 0x%zx: is obfuscated and cannot be read", entry->offset);
		goto done;
	case FATBIN_PACKED:
		error_set(err, ERROR_UNSUPPORTED, "fatbin entry at 0x%zx: is compressed by a method that is not known (flags 0x%llx)",
			  entry->offset, (unsigned long long)entry->flags);
		goto done;
	case FATBIN_LZ4:
		if (decompress_lz4(entry, &out, err))
			goto done;
		break;
	case FATBIN_ZSTD:
		if (decompress_zstd(entry, &out, err))
			goto done;
		break;
	case FATBIN_RAW:
		out = malloc(length + 1);
		if (!out) {
			error_set(err, ERROR_ENVIRONMENT, "out of memory");
			goto done;
		}
		if (length)
			memcpy(out, entry->payload, length);
		break;
	}
	while (entry->kind == FATBIN_PTX && length && out[length - 1] == 0)
		length--;
	out[length] = 0;
	*bytes = out;
	*size = length;
	out = NULL;
	result = 0;
done:
	free(out);
	return result;
}

void fatbin_entry_target(const struct fatbin_entry *entry, char text[24])
{
	const char suffix[2] = {entry->suffix, 0};
	snprintf(text, 24, "%s_%u%s", entry->kind == FATBIN_ELF ? "sm" : "compute", entry->arch, suffix);
}

const char *fatbin_kind_name(enum fatbin_kind kind)
{
	switch (kind) {
	case FATBIN_PTX: return "PTX";
	case FATBIN_ELF: return "SASS";
	case FATBIN_NVVM: return "NVVM";
	case FATBIN_OTHER: break;
	}
	return "unknown";
}

const char *fatbin_entry_kind_name(const struct fatbin_entry *entry)
{
	if (entry->kind != FATBIN_OTHER)
		return fatbin_kind_name(entry->kind);
	switch (entry->raw_kind) {
	case 0x004: return "old cubin";
	case 0x020: return "index";
	case 0x040: return "relocatable PTX";
	case 0x080: return "Tile IR";
	case 0x100: return "concatenated";
	}
	return "unknown";
}

const char *fatbin_compression_name(enum fatbin_compression compression)
{
	switch (compression) {
	case FATBIN_LZ4: return "lz4";
	case FATBIN_ZSTD: return "zstd";
	case FATBIN_OBFUSCATED: return "obfuscated";
	case FATBIN_PACKED: return "packed";
	case FATBIN_RAW: break;
	}
	return "raw";
}
