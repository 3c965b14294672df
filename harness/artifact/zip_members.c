#include "artifact/zip_members.h"

#include "artifact/object_kind.h"
#include "artifact/reader.h"
#include "core/util.h"

#include <stdlib.h>
#include <zip.h>

/* Where the directory at the end of the archive says that members lie (APPNOTE.TXT of PKWARE, 4.3). libzip unpacks, but does
 * not tell this. */
enum { LOCAL_SIZE = 30, CENTRAL_SIZE = 46, END_SIZE = 22, END64_SIZE = 56, LOCATOR_SIZE = 20, COMMENT_MAX = 65535 };
#define CENTRAL_MAGIC 0x02014b50u
#define LOCAL_MAGIC 0x04034b50u
#define END_MAGIC 0x06054b50u
#define END64_MAGIC 0x06064b50u
#define LOCATOR_MAGIC 0x07064b50u

/* The directory while it is stepped through, member by member. */
struct directory {
	struct reader reader;
	uint64_t at, left;
};

struct central {
	const unsigned char *name;
	size_t name_length;
	uint64_t stored_size, size, local;
};

static void directory_find(struct directory *directory, const void *bytes, size_t size)
{
	*directory = (struct directory){.reader = reader_of(bytes, size)};
	struct reader *reader = &directory->reader;
	const uint64_t lowest = reader->size > END_SIZE + COMMENT_MAX ? reader->size - END_SIZE - COMMENT_MAX : 0;
	for (uint64_t end = reader->size >= END_SIZE ? reader->size - END_SIZE + 1 : 0; end-- > lowest;) {
		if (read_u32(reader, end) != END_MAGIC || end + END_SIZE + read_u16(reader, end + 20) != reader->size)
			continue;
		directory->left = read_u16(reader, end + 10);
		directory->at = read_u32(reader, end + 16);
		if (end >= LOCATOR_SIZE && read_u32(reader, end - LOCATOR_SIZE) == LOCATOR_MAGIC) {
			const uint64_t end64 = read_u64(reader, end - LOCATOR_SIZE + 8);
			if (range_within(end64, END64_SIZE, reader->size) && read_u32(reader, end64) == END64_MAGIC) {
				directory->left = read_u64(reader, end64 + 32);
				directory->at = read_u64(reader, end64 + 48);
			}
		}
		return;
	}
}

/* Sizes and offsets that do not fit in 32 bits stand in an extra field of kind 1, those that overflowed and no others. */
static void read_wide_fields(struct reader *reader, uint64_t at, uint64_t end, struct central *member)
{
	uint64_t *const fields[] = {&member->size, &member->stored_size, &member->local};
	while (at + 4 <= end) {
		const unsigned kind = read_u16(reader, at), length = read_u16(reader, at + 2);
		at += 4;
		for (size_t i = 0, used = 0; kind == 1 && i < ARRAY_COUNT(fields); i++)
			if (*fields[i] == UINT32_MAX && used + 8 <= length) {
				*fields[i] = read_u64(reader, at + used);
				used += 8;
			}
		at += length;
	}
}

/* 1: a member; 0: there are no more, or what follows cannot be made sense of. */
static int directory_next(struct directory *directory, struct central *member)
{
	struct reader *reader = &directory->reader;
	const uint64_t at = directory->at;
	if (!directory->left || reader->failed || read_u32(reader, at) != CENTRAL_MAGIC)
		return 0;
	const unsigned name = read_u16(reader, at + 28), extra = read_u16(reader, at + 30), comment = read_u16(reader, at + 32);
	*member = (struct central){.name = read_bytes(reader, at + CENTRAL_SIZE, name),
				   .name_length = name,
				   .stored_size = read_u32(reader, at + 20),
				   .size = read_u32(reader, at + 24),
				   .local = read_u32(reader, at + 42)};
	read_wide_fields(reader, at + CENTRAL_SIZE + name, at + CENTRAL_SIZE + name + extra, member);
	directory->at = at + CENTRAL_SIZE + name + extra + comment;
	directory->left--;
	return !reader->failed;
}

/* Where the data of a member begin, or 0. */
static uint64_t data_offset(const void *bytes, size_t size, const struct central *member)
{
	struct reader reader = reader_of(bytes, size);
	if (read_u32(&reader, member->local) != LOCAL_MAGIC)
		return 0;
	const uint64_t data = member->local + LOCAL_SIZE + read_u16(&reader, member->local + 26) + read_u16(&reader, member->local + 28);
	return !reader.failed && range_within(data, member->stored_size, size) ? data : 0;
}

__attribute__((format(printf, 2, 3))) static int note_problem(struct zip_member *member, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (vasprintf(&member->problem, format, args) < 0)
		member->problem = NULL;
	va_end(args);
	return member->problem ? 0 : -1;
}

/* Reads to the end, into memory that follows what was really there: what a header claims bounds it, but is not asked for at
 * once. NULL with *why set (a constant), or with *why NULL when memory runs out. */
static unsigned char *unpack(zip_t *archive, const struct zip_stat *stat, const char **why)
{
	enum { FIRST_ROOM = 1 << 16 };
	unsigned char *data = NULL;
	size_t room = 0, used = 0;
	*why = NULL;
	zip_file_t *file = zip_fopen_index(archive, stat->index, 0);
	if (!file) {
		*why = zip_error_code_zip(zip_get_error(archive)) == ZIP_ER_COMPNOTSUPP ? "it is compressed by a method that is not supported"
											: "its header is damaged";
		return NULL;
	}
	for (;;) {
		if (used == room) {
			/* the first guess is a ratio that compiled code does not exceed; the odd byte shows data that hold more
			 * than they claim */
			const uint64_t guess = stat->comp_size > ZIP_MEMBER_LIMIT / 8 ? ZIP_MEMBER_LIMIT : stat->comp_size * 8 + FIRST_ROOM;
			uint64_t more = room ? (uint64_t)room * 2 : guess;
			if (more > stat->size + 1)
				more = stat->size + 1;
			unsigned char *grown = realloc(data, (size_t)more);
			if (!grown)
				goto failed;
			data = grown;
			room = (size_t)more;
		}
		const zip_int64_t got = zip_fread(file, data + used, room - used);
		if (got < 0) {
			*why = "its data are damaged";
			goto failed;
		}
		used += (size_t)got;
		if (got == 0 || used > stat->size)
			break;
	}
	if (used == stat->size) {
		zip_fclose(file);
		return data;
	}
	*why = "it holds another number of bytes than it claims";
failed:
	zip_fclose(file);
	free(data);
	return NULL;
}

/* `total` is what members have taken so far. */
static int read_member(zip_t *archive, const void *bytes, size_t size, const struct zip_stat *stat, const struct central *central,
		       struct zip_member *member, uint64_t *total)
{
	static const char remedy[] = "; unpack the archive and inspect what is in it";
	if (stat->encryption_method != ZIP_EM_NONE)
		return note_problem(member, "is encrypted%s", remedy);
	if (stat->size > ZIP_MEMBER_LIMIT)
		return note_problem(member, "claims %llu bytes; this program unpacks up to %llu%s", (unsigned long long)stat->size,
				    (unsigned long long)ZIP_MEMBER_LIMIT, remedy);
	member->size = (size_t)stat->size;
	if (stat->comp_method == ZIP_CM_STORE && central && central->size == stat->size && central->stored_size == stat->size) {
		member->offset = (size_t)data_offset(bytes, size, central);
		if (member->offset) {
			member->data = (const unsigned char *)bytes + member->offset;
			return 0;
		}
	}
	/* a byte of deflated data gives at most 1032 (RFC 1951: 258 bytes for two bits and their share of the trees) */
	if (stat->comp_method == ZIP_CM_DEFLATE && stat->size / 1032 > stat->comp_size)
		return note_problem(member, "claims %llu bytes of %llu that no deflated data could hold: the archive is damaged or hostile",
				    (unsigned long long)stat->size, (unsigned long long)stat->comp_size);
	if (stat->size > ZIP_BOMB_SIZE && stat->size / ZIP_BOMB_RATIO > stat->comp_size)
		return note_problem(member, "unpacks to %llu times its size, which compiled code does not: a bomb, or damaged",
				    (unsigned long long)(stat->size / (stat->comp_size ? stat->comp_size : 1)));
	if (stat->size > ZIP_TOTAL_LIMIT - *total)
		return note_problem(member, "is left out: what was unpacked before it comes to %llu bytes%s", (unsigned long long)*total,
				    remedy);
	if (stat->size == 0)
		return 0;
	const char *why;
	member->owned = unpack(archive, stat, &why);
	member->data = member->owned;
	*total += member->owned ? stat->size : 0;
	return member->owned ? 0 : why ? note_problem(member, "cannot be unpacked: %s%s", why, remedy) : -1;
}

static int list_append(char ***list, int *count, const char *text, size_t length)
{
	enum { MOST = 64 };
	if (*count == MOST)
		return 0;
	char **grown = realloc(*list, (size_t)(*count + 1) * sizeof *grown);
	if (!grown)
		return -1;
	*list = grown;
	grown[*count] = copy_text(text, length);
	return grown[*count] ? (++*count, 0) : -1;
}

static int set_text(char **slot, const char *text, size_t length)
{
	if (*slot || !length)
		return 0;
	*slot = copy_text(text, length);
	return *slot ? 0 : -1;
}

/* "distribution-version(-build)-python-abi-platform.whl"; anything else leaves all unset. */
static int wheel_name(struct wheel *wheel, const char *name)
{
	const char *parts[6];
	size_t lengths[6], count = 0, length = strlen(name);
	if (length < 4 || strcasecmp(name + length - 4, ".whl") != 0)
		return 0;
	length -= 4;
	for (size_t at = 0; at <= length && count < 6; count++) {
		const char *dash = memchr(name + at, '-', length - at);
		parts[count] = name + at;
		lengths[count] = dash ? (size_t)(dash - name) - at : length - at;
		at += lengths[count] + 1;
	}
	if (count < 5)
		return 0;
	const size_t tags = count - 3;
	return set_text(&wheel->distribution, parts[0], lengths[0]) || set_text(&wheel->version, parts[1], lengths[1]) ||
			       (count == 6 && set_text(&wheel->build, parts[2], lengths[2])) ||
			       set_text(&wheel->python_tag, parts[tags], lengths[tags]) ||
			       set_text(&wheel->abi_tag, parts[tags + 1], lengths[tags + 1]) ||
			       set_text(&wheel->platform_tag, parts[tags + 2], lengths[tags + 2])
		       ? -1
		       : 0;
}

/* A line "Key: value" of WHEEL or METADATA. */
static int wheel_line(struct wheel *wheel, const char *line, size_t length)
{
	const char *colon = memchr(line, ':', length);
	if (!colon)
		return 0;
	const size_t key = (size_t)(colon - line);
	const char *value = colon + 1;
	size_t rest = length - key - 1;
	while (rest && (*value == ' ' || *value == '\t')) {
		value++;
		rest--;
	}
	while (rest && (value[rest - 1] == '\r' || value[rest - 1] == ' '))
		rest--;
#define KEY_IS(word) (key == sizeof(word) - 1 && strncasecmp(line, word, key) == 0)
	if (KEY_IS("Generator"))
		return set_text(&wheel->generator, value, rest);
	if (KEY_IS("Tag"))
		return list_append(&wheel->tags, &wheel->tag_count, value, rest);
	if (KEY_IS("Name"))
		return set_text(&wheel->metadata_name, value, rest);
	if (KEY_IS("Version"))
		return set_text(&wheel->metadata_version, value, rest);
	if (KEY_IS("Requires-Dist") && rest > 7 && strncasecmp(value, "nvidia-", 7) == 0)
		return list_append(&wheel->requires, &wheel->require_count, value, rest);
#undef KEY_IS
	return 0;
}

static int wheel_file(struct wheel *wheel, zip_t *archive, const struct zip_stat *stat)
{
	enum { LARGEST = 1 << 20 };
	const char *why;
	if (stat->size == 0 || stat->size > LARGEST || stat->encryption_method != ZIP_EM_NONE)
		return 0;
	char *text = (char *)unpack(archive, stat, &why);
	int result = text || why ? 0 : -1;
	for (size_t at = 0; text && at < stat->size && result == 0;) {
		const char *newline = memchr(text + at, '\n', (size_t)stat->size - at);
		const size_t length = newline ? (size_t)(newline - text) - at : (size_t)stat->size - at;
		if (length == 0 || (length == 1 && text[at] == '\r'))
			break; /* what follows is the description */
		result = wheel_line(wheel, text + at, length);
		at += length + 1;
	}
	free(text);
	return result;
}

static int is_wheel_file(const char *name)
{
	const char *folder = strstr(name, ".dist-info/");
	return folder && (strcmp(folder + 11, "WHEEL") == 0 || strcmp(folder + 11, "METADATA") == 0);
}

static int members_read(zip_t *archive, const void *bytes, size_t size, struct zip_archive *zip, struct error *err)
{
	const zip_int64_t count = zip_get_num_entries(archive, 0);
	uint64_t total = 0, stored = 0;
	struct directory directory;
	struct central central;
	int in_step = 1, capacity = 0;
	directory_find(&directory, bytes, size);
	for (zip_int64_t i = 0; i < count; i++) {
		struct zip_stat stat;
		in_step = in_step && directory_next(&directory, &central);
		if (zip_stat_index(archive, (zip_uint64_t)i, ZIP_FL_ENC_RAW, &stat) || !stat.name)
			continue;
		const zip_uint64_t wanted = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
		if ((stat.valid & wanted) != wanted)
			continue;
		stored += stat.comp_size;
		if (stored < stat.comp_size || stored > size)
			return error_set(err, ERROR_INPUT, "has members that share their bytes: the archive is damaged, or made to grow without end");
		if (zip->wheel && is_wheel_file(stat.name) && wheel_file(zip->wheel, archive, &stat))
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		if (object_name_class(stat.name) == NAME_OTHER) {
			zip->others++;
			continue;
		}
		if (zip->count == capacity) {
			const int more = capacity ? capacity * 2 : 16;
			struct zip_member *members = realloc(zip->members, (size_t)more * sizeof *members);
			if (!members)
				return error_set(err, ERROR_ENVIRONMENT, "out of memory");
			zip->members = members;
			capacity = more;
		}
		struct zip_member *member = &zip->members[zip->count++];
		*member = (struct zip_member){.name = strdup(stat.name)};
		const int same = in_step && strlen(stat.name) == central.name_length && memcmp(stat.name, central.name, central.name_length) == 0;
		if (!member->name || read_member(archive, bytes, size, &stat, same ? &central : NULL, member, &total))
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	}
	return 0;
}

int zip_archive_open(const void *bytes, size_t size, const char *name, struct zip_archive *zip, struct error *err)
{
	zip_error_t why;
	zip_t *archive = NULL;
	int result = -1;
	*zip = (struct zip_archive){0};
	zip_error_init(&why);
	zip_source_t *source = zip_source_buffer_create(bytes, size, 0, &why);
	if (source)
		archive = zip_open_from_source(source, ZIP_RDONLY, &why);
	if (!archive) {
		if (source)
			zip_source_free(source);
		error_set(err, ERROR_INPUT, "is no readable zip archive: %s; it is cut off or damaged", zip_error_strerror(&why));
		goto done;
	}
	const size_t length = strlen(name);
	if (length > 4 && strcasecmp(name + length - 4, ".whl") == 0) {
		zip->wheel = calloc(1, sizeof *zip->wheel);
		if (!zip->wheel || wheel_name(zip->wheel, name)) {
			error_set(err, ERROR_ENVIRONMENT, "out of memory");
			goto done;
		}
	}
	result = members_read(archive, bytes, size, zip, err);
done:
	if (archive)
		zip_discard(archive);
	zip_error_fini(&why);
	if (result)
		zip_archive_close(zip);
	return result;
}

static void wheel_free(struct wheel *wheel)
{
	free(wheel->distribution);
	free(wheel->version);
	free(wheel->build);
	free(wheel->python_tag);
	free(wheel->abi_tag);
	free(wheel->platform_tag);
	free(wheel->generator);
	free(wheel->metadata_name);
	free(wheel->metadata_version);
	for (int i = 0; i < wheel->tag_count; i++)
		free(wheel->tags[i]);
	for (int i = 0; i < wheel->require_count; i++)
		free(wheel->requires[i]);
	free(wheel->tags);
	free(wheel->requires);
	free(wheel);
}

void zip_archive_close(struct zip_archive *zip)
{
	for (int i = 0; i < zip->count; i++) {
		free(zip->members[i].name);
		free(zip->members[i].owned);
		free(zip->members[i].problem);
	}
	free(zip->members);
	if (zip->wheel)
		wheel_free(zip->wheel);
	*zip = (struct zip_archive){0};
}
