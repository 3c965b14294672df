/* Keeps the specimens' PTX in one small file, and makes the fat binaries of it that host code embeds.
 *
 *   prebuilt_ptx pack OUT.zst FILE.ptx...       names are those of the files, without .ptx
 *   prebuilt_ptx pack-tree OUT.zst FOLDER FILE.ptx...   the files lie in FOLDER, and their names have the way from there
 *   prebuilt_ptx unpack IN.zst FOLDER           all of them, each to FOLDER/NAME.ptx
 *   prebuilt_ptx ptx IN.zst NAME OUT.ptx        one of them
 *   prebuilt_ptx fatbin IN.zst NAME OUT.fatbin  one container with one zstd entry, as `nvcc -fatbin` writes it for PTX only
 *   prebuilt_ptx container OUT.fatbin FILE...   one container with PTX files and cubins as they are
 *   prebuilt_ptx list IN.zst
 *
 * The file is one zstd frame with a long window (the modules are nearly the same, and so cost nearly nothing) over
 * sections: "//// NAME BYTES\n" and that many bytes, or "//// NAME = OTHER\n" where two modules are the same text. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <zstd.h>

#include "artifact/fatbin.h"

enum { LEVEL = 19, WINDOW_LOG = 27, SECTIONS_MAX = 1024, FATBIN_LEVEL = 6 }; /* a build makes dozens of containers */

struct section {
	char name[64], same_as[64];
	char *text;
	size_t size;
};

static int fail(const char *path, const char *what)
{
	fprintf(stderr, "prebuilt_ptx: %s: %s\n", path, what);
	return 1;
}

static char *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	char *bytes = NULL;
	long length;
	if (!file || fseek(file, 0, SEEK_END) || (length = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) ||
	    !(bytes = malloc((size_t)length + 1)) || fread(bytes, 1, (size_t)length, file) != (size_t)length) {
		fail(path, errno ? strerror(errno) : "cannot be read");
		free(bytes);
		bytes = NULL;
	} else {
		bytes[length] = '\0';
		*size = (size_t)length;
	}
	if (file)
		fclose(file);
	return bytes;
}

static int write_file(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "wb");
	const int bad = !file || fwrite(bytes, 1, size, file) != size;
	if ((file && fclose(file)) || bad)
		return fail(path, strerror(errno));
	return 0;
}

/* ---- pack ---- */

/* Without comments, indentation, empty lines and debug pragmas; hashes of where the source lay become zeros. */
static size_t plain_text(char *text)
{
	char *to = text, *line = text;
	while (*line) {
		char *end = line + strcspn(line, "\n"), *next = *end ? end + 1 : end;
		*end = '\0';
		char *comment = strstr(line, "//");
		if (comment)
			*comment = '\0';
		line += strspn(line, " \t\r");
		size_t length = strlen(line);
		while (length && strchr(" \t\r", line[length - 1]))
			length--;
		if (length && strncmp(line, ".pragma \"used_bytes_mask", 24) != 0) {
			memmove(to, line, length);
			to += length;
			*to++ = '\n';
		}
		line = next;
	}
	*to = '\0';
	for (char *at = text; (at = strstr(at, "_INTERNAL_")); at++)
		for (char *digit = at + 10; strspn(digit, "0123456789abcdef") >= 8 && digit < at + 18; digit++)
			*digit = '0';
	return (size_t)(to - text);
}

/* `root`: where the files' names begin, or NULL: they have no folder in their names, and are found as they are. */
static int pack(const char *out, const char *root, char **files, int count)
{
	char *all = NULL;
	size_t used = 0;
	struct section *sections = calloc((size_t)count, sizeof *sections);
	if (!sections)
		return fail(out, "out of memory");
	for (int i = 0; i < count; i++) {
		struct section *section = &sections[i];
		char path[4096];
		if (snprintf(path, sizeof path, "%s%s%s", root ? root : "", root ? "/" : "", files[i]) >= (int)sizeof path)
			return fail(files[i], "its name is too long");
		const char *base = !root && strrchr(files[i], '/') ? strrchr(files[i], '/') + 1 : files[i];
		if (strlen(base) > sizeof section->name + 3 || count > SECTIONS_MAX)
			return fail(path, count > SECTIONS_MAX ? "too many modules" : "its name is too long");
		snprintf(section->name, sizeof section->name, "%.*s", (int)(strlen(base) > 4 ? strlen(base) - 4 : 0), base);
		size_t size;
		section->text = read_file(path, &size);
		if (!section->text)
			return 1;
		section->size = plain_text(section->text);
		char head[160];
		int same = 0;
		while (same < i && (sections[same].size != section->size ||
				    memcmp(sections[same].text, section->text, section->size) != 0))
			same++;
		if (same < i)
			snprintf(head, sizeof head, "//// %s = %s\n", section->name, sections[same].name);
		else
			snprintf(head, sizeof head, "//// %s %zu\n", section->name, section->size);
		const size_t body = same < i ? 0 : section->size, more = strlen(head) + body;
		char *grown = realloc(all, used + more);
		if (!grown)
			return fail(out, "out of memory");
		all = grown;
		memcpy(all + used, head, strlen(head));
		memcpy(all + used + strlen(head), section->text, body);
		used += more;
	}
	const size_t bound = ZSTD_compressBound(used);
	void *packed = malloc(bound);
	ZSTD_CCtx *context = ZSTD_createCCtx();
	if (!packed || !context)
		return fail(out, "out of memory");
	ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, 1);
	ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, WINDOW_LOG);
	ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	const size_t size = ZSTD_compress2(context, packed, bound, all, used);
	if (ZSTD_isError(size))
		return fail(out, ZSTD_getErrorName(size));
	printf("%s: %d modules, %zu bytes of text in %zu\n", out, count, used, size);
	return write_file(out, packed, size); /* the process ends: what it holds goes with it */
}

/* ---- unpack ---- */

static int unpack(const char *path, struct section *sections, int *count)
{
	size_t size;
	char *packed = read_file(path, &size);
	if (!packed)
		return 1;
	const unsigned long long length = ZSTD_getFrameContentSize(packed, size);
	if (length == ZSTD_CONTENTSIZE_ERROR || length == ZSTD_CONTENTSIZE_UNKNOWN || length > (1u << 30))
		return fail(path, "is no file of prebuilt PTX");
	char *text = malloc((size_t)length + 1);
	ZSTD_DCtx *context = ZSTD_createDCtx();
	if (!text || !context)
		return fail(path, "out of memory");
	ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, WINDOW_LOG);
	const size_t got = ZSTD_decompressDCtx(context, text, (size_t)length, packed, size);
	if (ZSTD_isError(got))
		return fail(path, ZSTD_getErrorName(got));
	text[got] = '\0';
	*count = 0;
	for (char *at = text; *at && *count < SECTIONS_MAX;) {
		struct section *section = &sections[(*count)++];
		int head = 0;
		*section = (struct section){0};
		if (sscanf(at, "//// %63s = %63s\n%n", section->name, section->same_as, &head) == 2 && head) {
			at += head;
			continue;
		}
		section->same_as[0] = '\0';
		if (sscanf(at, "//// %63s %zu%n", section->name, &section->size, &head) != 2 || at[head] != '\n' ||
		    section->size > (size_t)(text + got - at - head - 1))
			return fail(path, "its sections cannot be read");
		section->text = at + head + 1;
		at = section->text + section->size;
	}
	return 0;
}

static const struct section *find(const struct section *sections, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (strcmp(sections[i].name, name) == 0)
			return sections[i].text ? &sections[i] : find(sections, count, sections[i].same_as);
	return NULL;
}

/* Makes the folders on the way to a file. */
static int make_way(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		const int bad = mkdir(path, 0777) && errno != EEXIST;
		*slash = '/';
		if (bad)
			return fail(path, strerror(errno));
	}
	return 0;
}

static int unpack_all(const char *in, const char *folder)
{
	static struct section sections[SECTIONS_MAX];
	int count;
	if (unpack(in, sections, &count))
		return 1;
	for (int i = 0; i < count; i++) {
		char path[4096];
		const struct section *section = find(sections, count, sections[i].name);
		if (snprintf(path, sizeof path, "%s/%s.ptx", folder, sections[i].name) >= (int)sizeof path)
			return fail(folder, "its name is too long");
		if (!section)
			return fail(in, "its sections cannot be read");
		if (make_way(path) || write_file(path, section->text, section->size))
			return 1;
	}
	return 0;
}

static int unpack_one(const char *in, const char *name, const char *out)
{
	static struct section sections[SECTIONS_MAX];
	int count;
	if (unpack(in, sections, &count))
		return 1;
	const struct section *section = find(sections, count, name);
	return section ? write_file(out, section->text, section->size) : fail(in, "has no such module");
}

static void put(unsigned char *at, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		at[i] = (unsigned char)(value >> 8 * i);
}

/* The PTX ISA and the target that a module names. */
static int ptx_head(const char *text, unsigned *major, unsigned *minor, unsigned *arch)
{
	const char *version = strstr(text, ".version"), *target = strstr(text, ".target");
	return !version || !target || sscanf(version, ".version %u.%u", major, minor) != 2 || sscanf(target, ".target sm_%u", arch) != 1;
}

/* Fields: harness/artifact/fatbin.h and fatbin.c. */
static int fatbin(const char *in, const char *name, const char *out)
{
	static struct section sections[SECTIONS_MAX];
	int count;
	unsigned major, minor, arch;
	enum { ENTRY_HEADER = 64, ENTRY = FATBIN_HEADER_SIZE, PAYLOAD = ENTRY + ENTRY_HEADER };
	if (unpack(in, sections, &count))
		return 1;
	const struct section *section = find(sections, count, name);
	if (!section)
		return fail(in, "has no such module");
	char *text = calloc(section->size + 1, 1); /* the NUL belongs to it */
	if (!text)
		return fail(out, "out of memory");
	memcpy(text, section->text, section->size);
	if (ptx_head(text, &major, &minor, &arch))
		return fail(in, "a module without .version and .target");
	const size_t bound = ZSTD_compressBound(section->size + 1);
	unsigned char *bytes = calloc(PAYLOAD + bound + 8, 1);
	if (!bytes)
		return fail(out, "out of memory");
	const size_t stored = ZSTD_compress(bytes + PAYLOAD, bound, text, section->size + 1, FATBIN_LEVEL);
	if (ZSTD_isError(stored))
		return fail(out, ZSTD_getErrorName(stored));
	const size_t padded = (stored + 7) / 8 * 8;
	unsigned char *entry = bytes + ENTRY;
	put(bytes, FATBIN_CONTAINER_MAGIC, 4);
	put(bytes + 4, 1, 2);
	put(bytes + 6, FATBIN_HEADER_SIZE, 2);
	put(bytes + 8, ENTRY_HEADER + padded, 8);
	put(entry, 1, 2); /* PTX */
	put(entry + 2, 0x0101, 2);
	put(entry + 4, ENTRY_HEADER, 4);
	put(entry + 8, padded, 8);
	put(entry + 0x10, stored, 4);
	put(entry + 0x18, minor, 2);
	put(entry + 0x1a, major, 2);
	put(entry + 0x1c, arch, 4);
	put(entry + 0x28, FATBIN_FLAG_64BIT | FATBIN_FLAG_LINUX | FATBIN_FLAG_ZSTD, 8);
	put(entry + 0x38, section->size + 1, 8);
	return write_file(out, bytes, PAYLOAD + padded);
}

/* The entry of a file: its size, or 0. `at` has room for it. Fields: harness/artifact/fatbin.h and fatbin.c. */
static size_t put_entry(unsigned char *at, const char *path, const char *bytes, size_t size)
{
	enum { HEADER = 64, EI_OSABI_AT = 7, E_FLAGS_AT = 48 };
	const int is_elf = size > HEADER && memcmp(bytes, "\177ELF", 4) == 0;
	const size_t padded = (size + !is_elf + 7) / 8 * 8; /* the NUL of a text belongs to it */
	unsigned major = 1, minor, arch;
	if (is_elf) {
		const unsigned char *elf = (const unsigned char *)bytes;
		minor = elf[EI_OSABI_AT + 1]; /* the cubin's ABI: 8 keeps the architecture one byte further on */
		arch = elf[E_FLAGS_AT + (minor >= 8 ? 1 : 0)];
	} else {
		if (ptx_head(bytes, &major, &minor, &arch)) {
			fail(path, "is neither a cubin nor PTX");
			return 0;
		}
	}
	put(at, is_elf ? 2 : 1, 2);
	put(at + 2, 0x0101, 2);
	put(at + 4, HEADER, 4);
	put(at + 8, padded, 8);
	put(at + 0x18, minor, 2);
	put(at + 0x1a, is_elf ? 1 : major, 2);
	put(at + 0x1c, arch, 4);
	put(at + 0x28, FATBIN_FLAG_64BIT | FATBIN_FLAG_LINUX, 8);
	memcpy(at + HEADER, bytes, size);
	return HEADER + padded;
}

static int container(const char *out, char **files, int count)
{
	unsigned char *all = calloc(FATBIN_HEADER_SIZE, 1);
	size_t used = FATBIN_HEADER_SIZE;
	for (int i = 0; all && i < count; i++) {
		size_t size;
		char *bytes = read_file(files[i], &size);
		unsigned char *grown = bytes ? realloc(all, used + size + 128) : NULL;
		if (!grown)
			return 1;
		all = grown;
		memset(all + used, 0, size + 128);
		const size_t more = put_entry(all + used, files[i], bytes, size);
		free(bytes);
		if (!more)
			return 1;
		used += more;
	}
	if (!all)
		return fail(out, "out of memory");
	put(all, FATBIN_CONTAINER_MAGIC, 4);
	put(all + 4, 1, 2);
	put(all + 6, FATBIN_HEADER_SIZE, 2);
	put(all + 8, used - FATBIN_HEADER_SIZE, 8);
	return write_file(out, all, used); /* the process ends: what it holds goes with it */
}

static int list(const char *in)
{
	static struct section sections[SECTIONS_MAX];
	int count;
	if (unpack(in, sections, &count))
		return 1;
	for (int i = 0; i < count; i++)
		printf("%s%s%s\n", sections[i].name, sections[i].same_as[0] ? " = " : "", sections[i].same_as);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && strcmp(argv[1], "pack") == 0)
		return pack(argv[2], NULL, argv + 3, argc - 3);
	if (argc >= 5 && strcmp(argv[1], "pack-tree") == 0)
		return pack(argv[2], argv[3], argv + 4, argc - 4);
	if (argc == 4 && strcmp(argv[1], "unpack") == 0)
		return unpack_all(argv[2], argv[3]);
	if (argc == 5 && strcmp(argv[1], "ptx") == 0)
		return unpack_one(argv[2], argv[3], argv[4]);
	if (argc == 5 && strcmp(argv[1], "fatbin") == 0)
		return fatbin(argv[2], argv[3], argv[4]);
	if (argc >= 4 && strcmp(argv[1], "container") == 0)
		return container(argv[2], argv + 3, argc - 3);
	if (argc == 3 && strcmp(argv[1], "list") == 0)
		return list(argv[2]);
	fprintf(stderr, "usage: prebuilt_ptx pack OUT.zst FILE.ptx... | pack-tree OUT.zst FOLDER FILE.ptx... |\n"
			"       unpack IN.zst FOLDER | ptx IN.zst NAME OUT.ptx | fatbin IN.zst NAME OUT.fatbin |\n"
			"       container OUT.fatbin FILE... | list IN.zst\n");
	return 2;
}
