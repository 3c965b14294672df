#include "artifact/ar.h"

#include "artifact/reader.h"

#include <stdio.h>
#include <stdlib.h>

enum { AR_MAGIC_SIZE = 8, AR_HEADER_SIZE = 60, AR_NAME_SIZE = 16 };

struct header {
	char name[AR_NAME_SIZE + 1]; /* as stored, trailing blanks removed */
	uint64_t size;
};

/* The archive while it is being read. */
struct reading {
	struct reader reader;
	struct ar *ar;
	int capacity;
	const unsigned char *names; /* the table of long names */
	size_t names_size;
	int slash_members;          /* members called "/": MSVC writes two */
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
	memcpy(header->name, raw, AR_NAME_SIZE);
	int length = AR_NAME_SIZE;
	while (length > 0 && header->name[length - 1] == ' ')
		length--;
	header->name[length] = '\0';
	return 0;
}

static char *copy_text(const void *text, size_t length)
{
	char *copy = malloc(length + 1);
	if (!copy)
		return NULL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

/* A name in the table of long names ends with "/\n" (GNU) or NUL (MSVC). */
static int long_name(struct reading *in, size_t at, uint64_t offset, char **name, struct error *err)
{
	if (offset >= in->names_size)
		return error_set(err, ERROR_INPUT, "archive member at 0x%zx: its name is at %llu of a table of %zu bytes", at,
				 (unsigned long long)offset, in->names_size);
	const unsigned char *start = in->names + offset;
	const size_t room = in->names_size - (size_t)offset;
	size_t length = 0;
	while (length < room && start[length] != '\0' && start[length] != '\n')
		length++;
	if (length < room && start[length] == '\n' && length && start[length - 1] == '/')
		length--;
	*name = copy_text(start, length);
	return *name ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
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
	in->ar->has_index = 1;
	if (strcmp(name, "/") == 0)
		in->ar->index_symbols = read_u32_be(&reader, 0);
	else if (strcmp(name, "/SYM64/") == 0)
		in->ar->index_symbols = read_u64_be(&reader, 0);
	else if (strcmp(name, "__.SYMDEF_64") == 0)
		in->ar->index_symbols = read_u64(&reader, 0) / 16;
	else
		in->ar->index_symbols = read_u32(&reader, 0) / 8;
	if (reader.failed)
		in->ar->index_symbols = 0;
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
		if (++in->slash_members == 1)
			index_read(in, "/", data, (size_t)header->size);
		else
			in->ar->flavour = AR_MSVC;
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
	if (header->name[1] == '<') /* "/<ECSYMBOLS>/", "/<HYBRIDMAP>/", "/<XFGHASHMAP>/" */
		return 1;
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
		const char *start = (const char *)in->reader.data + member->offset;
		member->name = copy_text(start, strnlen(start, (size_t)number));
		member->offset += (size_t)number;
		member->size -= (size_t)number;
		return member->name ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
	}
	if (header->name[0] == '/') {
		if (decimal_field((const unsigned char *)header->name + 1, strlen(header->name + 1), &number))
			return error_set(err, ERROR_INPUT, "archive member at 0x%zx: its name '%s' is no offset", at, header->name);
		return long_name(in, at, number, &member->name, err);
	}
	size_t length = strlen(header->name);
	if (length && header->name[length - 1] == '/') {
		length--;
		if (in->ar->flavour == AR_PLAIN)
			in->ar->flavour = AR_GNU;
	}
	member->name = copy_text(header->name, length);
	return member->name ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
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
	struct ar_member member = {.header_offset = at, .offset = data, .size = (size_t)header.size};
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

int ar_parse(const void *bytes, size_t size, struct ar *ar, struct error *err)
{
	struct reading in = {.reader = reader_of(bytes, size), .ar = ar};
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
