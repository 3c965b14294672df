#include "artifact/ar.h"

#include "artifact/reader.h"
#include "core/util.h"

#include <stdio.h>
#include <stdlib.h>

enum { AR_MAGIC_SIZE = 8, AR_HEADER_SIZE = 60, AR_NAME_SIZE = 16, AR_NAME_MAX = 4096 };

struct header {
	char name[AR_NAME_SIZE + 1]; /* as stored, trailing blanks removed */
	uint64_t size;
	int64_t mtime;
};

/* The archive while it is being read. */
struct reading {
	struct reader reader;
	struct ar *ar;
	int capacity;
	const unsigned char *names; /* the table of long names */
	size_t names_size;
	int slash_members;          /* members called "/": MSVC writes two */
	uint64_t names_left;        /* bytes of names that may yet be copied */
};

/* A decimal field: blanks around it, digits, nothing else. Blank counts as 0. */
static int decimal_field(const unsigned char *field, size_t width, uint64_t *value)
{
	size_t at = 0;
	*value = 0;
	while (at < width && field[at] == ' ')
		at++;
	for (; at < width && field[at] >= '0' && field[at] <= '9'; at++)
		*value = *value * 10 + (field[at] - '0'); /* at most 16 digits: cannot overflow */
	while (at < width && field[at] == ' ')
		at++;
	return at == width ? 0 : -1;
}

static int header_read(struct reader *reader, size_t at, struct header *header, struct error *err)
{
	const unsigned char *raw = read_bytes(reader, at, AR_HEADER_SIZE);
	if (!raw)
		return error_set(err, ERROR_INPUT, "archive member at 0x%zx: cut off in its header", at);
	if (raw[58] != '`' || raw[59] != '\n')
		return error_set(err, ERROR_INPUT, "archive member at 0x%zx: its header does not end as one; the archive is damaged",
				 at);
	if (decimal_field(raw + 48, 10, &header->size))
		return error_set(err, ERROR_INPUT, "archive member at 0x%zx: its size '%.10s' is not a number", at,
				 (const char *)raw + 48);
	const int is_negative = raw[16] == '-';
	uint64_t mtime;
	header->mtime = decimal_field(raw + 16 + is_negative, (size_t)(12 - is_negative), &mtime) ? 0
			: is_negative                                                               ? -(int64_t)mtime
												    : (int64_t)mtime;
	memcpy(header->name, raw, AR_NAME_SIZE);
	int length = AR_NAME_SIZE;
	while (length > 0 && header->name[length - 1] == ' ')
		length--;
	header->name[length] = '\0';
	return 0;
}

/* Headers are small and may all refer to one long name: what is copied stays in proportion to the file. */
static int copy_name(struct reading *in, size_t at, const char *text, size_t length, char **name, struct error *err)
{
	if (length > AR_NAME_MAX || length > in->names_left)
		return error_set(err, ERROR_INPUT, "archive member at 0x%zx: its name is too long; the archive is damaged", at);
	in->names_left -= length;
	*name = copy_text(text, length);
	return *name ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

/* A name in the table of long names ends with "/\n" (GNU) or NUL (MSVC). */
static int long_name(struct reading *in, size_t at, uint64_t offset, char **name, struct error *err)
{
	if (offset >= in->names_size)
		return error_set(err, ERROR_INPUT, "archive member at 0x%zx: its name is at %llu of a table of %zu bytes", at,
				 (unsigned long long)offset, in->names_size);
	const unsigned char *start = in->names + offset;
	const size_t left = in->names_size - (size_t)offset, room = left < AR_NAME_MAX + 2 ? left : AR_NAME_MAX + 2;
	size_t length = 0;
	while (length < room && start[length] != '\0' && start[length] != '\n')
		length++;
	if (length < room && start[length] == '\n' && length && start[length - 1] == '/')
		length--;
	return copy_name(in, at, (const char *)start, length, name, err);
}

static int member_append(struct reading *in, struct ar_member member, struct error *err)
{
	struct ar *ar = in->ar;
	if (ar->count == in->capacity) {
		const int more = in->capacity ? in->capacity * 2 : 16;
		struct ar_member *members = ar->count > INT32_MAX / 2 ? NULL : realloc(ar->members, (size_t)more * sizeof *members);
		if (!members) {
			free(member.name);
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		}
		ar->members = members;
		in->capacity = more;
	}
	ar->members[ar->count++] = member;
	return 0;
}

static void index_read(struct reading *in, const char *name, size_t data, size_t size)
{
	struct reader reader = reader_of(in->reader.data + data, size);
	enum ar_index_form form;
	if (in->ar->has_index) /* a second one is not looked at */
		return;
	in->ar->has_index = 1;
	if (strcmp(name, "/") == 0) {
		form = AR_INDEX_GNU;
		in->ar->index_symbols = read_u32_be(&reader, 0);
	} else if (strcmp(name, "/SYM64/") == 0) {
		form = AR_INDEX_GNU_64;
		in->ar->index_symbols = read_u64_be(&reader, 0);
	} else if (strncmp(name, "__.SYMDEF_64", 12) == 0) {
		form = AR_INDEX_BSD_64;
		in->ar->index_symbols = read_u64(&reader, 0) / 16;
	} else {
		form = AR_INDEX_BSD;
		in->ar->index_symbols = read_u32(&reader, 0) / 8;
	}
	if (reader.failed)
		in->ar->index_symbols = 0;
	else
		in->ar->index = (struct ar_index){form, reader.data, reader.size};
}

int ar_index_next(const struct ar *ar, struct ar_index_cursor *cursor, const char **name, uint64_t *header_offset)
{
	struct reader reader = reader_of(ar->index.data, ar->index.size);
	const uint64_t i = cursor->next, count = ar->index_symbols;
	if (ar->index.form == AR_INDEX_NONE || i >= count)
		return 0;
	/* a count that the bytes do not hold: every product below stays small */
	if (count > reader.size / 4)
		return -1;
	switch (ar->index.form) {
	case AR_INDEX_GNU:
	case AR_INDEX_GNU_64: {
		const unsigned width = ar->index.form == AR_INDEX_GNU ? 4 : 8;
		*header_offset = width == 4 ? read_u32_be(&reader, 4 + i * 4) : read_u64_be(&reader, 8 + i * 8);
		if (i == 0)
			cursor->name_at = width * (count + 1);
		*name = read_text(&reader, cursor->name_at);
		cursor->name_at += *name ? strlen(*name) + 1 : 0;
		break;
	}
	case AR_INDEX_BSD:
		*header_offset = read_u32(&reader, 4 + i * 8 + 4);
		*name = read_text(&reader, 4 + count * 8 + 4 + read_u32(&reader, 4 + i * 8));
		break;
	default:
		*header_offset = read_u64(&reader, 8 + i * 16 + 8);
		*name = read_text(&reader, 8 + count * 16 + 8 + (read_u64(&reader, 8 + i * 16) & UINT32_MAX));
		break;
	}
	if (reader.failed || !*name)
		return -1;
	cursor->next++;
	return 1;
}

/* Names of Darwin's index: "__.SYMDEF", "__.SYMDEF SORTED", "__.SYMDEF_64", "__.SYMDEF_64 SORTED". */
static int is_bsd_index(const char *name)
{
	return strncmp(name, "__.SYMDEF", 9) == 0;
}

/* Special members of GNU ar and lib.exe. 1: taken care of, 0: an ordinary member, -1: error. */
static int special_member(struct reading *in, const struct header *header, size_t data, struct error *err)
{
	if (header->name[0] != '/')
		return 0;
	if (strcmp(header->name, "/") == 0) {
		/* lib.exe's second index lists the same symbols in another order: the first one counts */
		if (++in->slash_members == 1) {
			index_read(in, "/", data, (size_t)header->size);
		} else {
			in->ar->flavour = AR_MSVC;
			in->ar->has_second_index = 1;
		}
		return 1;
	}
	if (strcmp(header->name, "/SYM64/") == 0) {
		index_read(in, header->name, data, (size_t)header->size);
		return 1;
	}
	if (strcmp(header->name, "//") == 0) {
		in->names = in->reader.data + data;
		in->names_size = (size_t)header->size;
		if (in->ar->flavour == AR_PLAIN && in->names_size)
			in->ar->flavour = memchr(in->names, '\n', in->names_size) ? AR_GNU : AR_MSVC;
		return 1;
	}
	if (header->name[1] == '<') { /* "/<ECSYMBOLS>/", "/<HYBRIDMAP>/", "/<XFGHASHMAP>/" */
		in->ar->has_arm64ec_symbols |= strcmp(header->name, "/<ECSYMBOLS>/") == 0;
		return 1;
	}
	if (header->name[1] >= '0' && header->name[1] <= '9')
		return 0;
	return error_set(err, ERROR_INPUT, "archive member '%s': a special member that is not known", header->name);
}

/* Resolves the member's name; for BSD long names, which are stored before the data, moves data and size past it. */
static int member_name(struct reading *in, const struct header *header, size_t at, struct ar_member *member,
		       struct error *err)
{
	uint64_t number;
	if (strncmp(header->name, "#1/", 3) == 0) {
		if (decimal_field((const unsigned char *)header->name + 3, strlen(header->name + 3), &number) ||
		    number > member->size)
			return error_set(err, ERROR_INPUT, "archive member at 0x%zx: its name '%s' is longer than the member", at,
					 header->name);
		in->ar->flavour = AR_BSD;
		/* the size of a thin archive's member is that of another file */
		const char *start = (const char *)read_bytes(&in->reader, member->offset, number);
		if (!start)
			return error_set(err, ERROR_INPUT, "archive member at 0x%zx: its name of %llu bytes is cut off", at,
					 (unsigned long long)number);
		if (copy_name(in, at, start, strnlen(start, (size_t)number), &member->name, err))
			return -1;
		member->offset += (size_t)number;
		member->size -= (size_t)number;
		return 0;
	}
	if (header->name[0] == '/') {
		/* GNU ar, making a thin archive of an archive, writes "/name:header" */
		const char *digits = header->name + 1, *colon = in->ar->thin ? strchr(digits, ':') : NULL;
		const size_t length = colon ? (size_t)(colon - digits) : strlen(digits);
		if (decimal_field((const unsigned char *)digits, length, &number) ||
		    (colon && decimal_field((const unsigned char *)colon + 1, strlen(colon + 1), &member->within)))
			return error_set(err, ERROR_INPUT, "archive member at 0x%zx: its name '%s' is no offset", at, header->name);
		return long_name(in, at, number, &member->name, err);
	}
	size_t length = strlen(header->name);
	if (length && header->name[length - 1] == '/') {
		length--;
		if (in->ar->flavour == AR_PLAIN)
			in->ar->flavour = AR_GNU;
	}
	return copy_name(in, at, header->name, length, &member->name, err);
}

static int member_read(struct reading *in, size_t at, size_t *next, struct error *err)
{
	struct header header;
	if (header_read(&in->reader, at, &header, err))
		return -1;
	const size_t data = at + AR_HEADER_SIZE;
	/* a thin archive stores its special members only */
	const int is_special = header.name[0] == '/' && !(header.name[1] >= '0' && header.name[1] <= '9');
	const int is_stored = !in->ar->thin || is_special;
	if (is_stored && !range_within(data, header.size, in->reader.size))
		return error_set(err, ERROR_INPUT,
				 "archive member at 0x%zx ('%s'): claims %llu bytes where %zu are left; the archive is cut off or damaged",
				 at, header.name, (unsigned long long)header.size, in->reader.size - data);
	*next = data + (is_stored ? (size_t)header.size : 0);
	*next += *next & 1;

	const int special = special_member(in, &header, data, err);
	if (special)
		return special < 0 ? -1 : 0;
	struct ar_member member = {.header_offset = at, .offset = data, .size = (size_t)header.size, .mtime = header.mtime};
	if (member_name(in, &header, at, &member, err))
		return -1;
	if (is_bsd_index(member.name) && is_stored) {
		in->ar->flavour = AR_BSD;
		index_read(in, member.name, member.offset, member.size);
		free(member.name);
		return 0;
	}
	if (is_stored) {
		member.data = in->reader.data + member.offset;
		member.kind = object_identify(member.data, member.size, &member.machine);
	}
	return member_append(in, member, err);
}

int ar_member_at(const void *bytes, size_t size, uint64_t offset, const unsigned char **data, size_t *length, struct error *err)
{
	struct reader reader = reader_of(bytes, size);
	struct header header;
	if (offset > size)
		return error_set(err, ERROR_INPUT, "archive member at 0x%llx: lies outside the archive", (unsigned long long)offset);
	if (header_read(&reader, (size_t)offset, &header, err))
		return -1;
	*data = read_bytes(&reader, offset + AR_HEADER_SIZE, header.size);
	*length = (size_t)header.size;
	return *data ? 0 : error_set(err, ERROR_INPUT, "archive member at 0x%llx: is cut off", (unsigned long long)offset);
}

int ar_parse(const void *bytes, size_t size, struct ar *ar, struct error *err)
{
	struct reading in = {.reader = reader_of(bytes, size), .ar = ar, .names_left = 4 * (uint64_t)size + 65536};
	*ar = (struct ar){0};
	const unsigned char *magic = read_bytes(&in.reader, 0, AR_MAGIC_SIZE);
	if (!magic || (memcmp(magic, "!<arch>\n", 8) != 0 && memcmp(magic, "!<thin>\n", 8) != 0))
		return error_set(err, ERROR_INPUT, "is no archive: it does not start with \"!<arch>\"");
	ar->thin = memcmp(magic, "!<thin>\n", 8) == 0;
	for (size_t at = AR_MAGIC_SIZE; at < in.reader.size;) {
		/* some writers leave a pad byte after the last member */
		if (in.reader.size - at == 1 && in.reader.data[at] == '\n')
			break;
		if (member_read(&in, at, &at, err)) {
			ar_free(ar);
			return -1;
		}
	}
	if (in.slash_members && ar->flavour == AR_PLAIN)
		ar->flavour = AR_GNU;
	return 0;
}

void ar_free(struct ar *ar)
{
	for (int i = 0; i < ar->count; i++)
		free(ar->members[i].name);
	free(ar->members);
	*ar = (struct ar){0};
}

const char *ar_flavour_name(const struct ar *ar)
{
	switch (ar->flavour) {
	case AR_GNU: return ar->thin ? "thin GNU ar" : "GNU ar";
	case AR_BSD: return ar->thin ? "thin BSD ar" : "BSD ar";
	case AR_MSVC: return ar->thin ? "thin MSVC lib" : "MSVC lib";
	case AR_PLAIN: break;
	}
	return ar->thin ? "thin ar" : "ar";
}
