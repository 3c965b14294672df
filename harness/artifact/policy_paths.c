/* No paths of the machine that built it, and no user's name in them. */
#include "artifact/elf_file.h"
#include "artifact/policy_private.h"
#include "artifact/reader.h"
#include "core/util.h"

#include <stdlib.h>
#include <string.h>

/* What paths of people's and build services' folders start with. A path of a system's own folders (/usr/include) tells
 * nothing about who built it. */
static const char *const marks[] = {
	"/home/", "/Users/", ":\\Users\\", ":/Users/", ":\\\\Users\\\\", ":\\Documents and Settings\\",
	"/root/", "/tmp/", "/var/tmp/", "/mnt/", "/workspace/", "/builds/", /* GitLab */ "/__w/", /* GitHub, in containers */
	":\\a\\", ":/a/" /* GitHub's Windows machines work in D:\a */, "/opt/build/", "/build/",
};

static int is_path_byte(unsigned char c)
{
	return c > ' ' && c < 127 && !strchr("\"'<>|;,()`", c);
}

/* Where the text around `at` that could be a path begins and ends, within the bytes. */
static void path_around(const char *bytes, size_t size, size_t at, size_t *start, size_t *length)
{
	enum { LONGEST = 200 };
	size_t first = at, last = at;
	while (first > 0 && at - first < LONGEST && is_path_byte((unsigned char)bytes[first - 1]))
		first--;
	while (last < size && last - first < LONGEST && is_path_byte((unsigned char)bytes[last]))
		last++;
	*start = first;
	*length = last - first;
}

/* The first path in the bytes: 1 with its place. A mark counts at the start of a path or after a drive's letter, not in the
 * middle of a longer one such as /usr/home/x. Time is linear: each byte is looked at a fixed number of times. */
static int find_path(const char *bytes, size_t size, size_t *start, size_t *length)
{
	const char *end = bytes + size, *slash = NULL, *colon = NULL;
	for (const char *at = bytes; at < end; at++) {
		/* every mark starts with one of the two */
		if (!slash || slash < at)
			slash = memchr(at, '/', (size_t)(end - at));
		if (!colon || colon < at)
			colon = memchr(at, ':', (size_t)(end - at));
		slash = slash ? slash : end;
		colon = colon ? colon : end;
		at = slash < colon ? slash : colon;
		if (at == end)
			return 0;
		const size_t offset = (size_t)(at - bytes);
		for (size_t m = 0; m < ARRAY_COUNT(marks); m++) {
			const size_t mark = strlen(marks[m]);
			if (mark >= (size_t)(end - at) || memcmp(at, marks[m], mark) != 0 || !is_path_byte((unsigned char)at[mark]))
				continue;
			const unsigned char before = offset ? (unsigned char)bytes[offset - 1] : 0;
			const int is_drive = marks[m][0] == ':';
			const int is_letter = (before >= 'A' && before <= 'Z') || (before >= 'a' && before <= 'z');
			/* "-I/home/x", "=/home/x" and "file:///home/x" start one; "usr/home/x" and "r/tmp/x" do not */
			if (is_drive ? !is_letter : is_path_byte(before) && !strchr("=:/", before) &&
						 !(offset > 1 && bytes[offset - 2] == '-'))
				continue;
			path_around(bytes, size, offset, start, length);
			return 1;
		}
	}
	return 0;
}

static void scan(struct policy_look *look, const struct artifact_unit *unit, const char *where, const void *bytes, size_t size)
{
	size_t start, length;
	char path[208];
	if (!bytes || !size)
		return;
	look_at(look);
	if (!find_path(bytes, size, &start, &length))
		return;
	snprintf(path, sizeof path, "%.*s", (int)length, (const char *)bytes + start);
	look_violation(look, unit->name, NULL, path, "%s holds a path in %s: %s", unit->name, where, path);
}

/* An identifier is the name of the source as nvcc got it: whatever is absolute tells where that was. */
static void scan_identifier(struct policy_look *look, const struct artifact_unit *unit, const struct fatbin_entry *entry)
{
	const char *text = entry->identifier;
	if (!entry->identifier_length)
		return;
	look_at(look);
	if (text[0] != '/' && text[0] != '\\' && !(entry->identifier_length > 2 && text[1] == ':' && (text[2] == '/' || text[2] == '\\')))
		return;
	char path[208];
	snprintf(path, sizeof path, "%.*s", (int)(entry->identifier_length < 200 ? entry->identifier_length : 200), text);
	look_violation(look, unit->name, NULL, path, "%s: its device code names its source: %s", unit->name, path);
}

/* Sections of tables, notes and texts; not those of code and of what is embedded. */
static int is_told(const struct elf_section *section)
{
	static const char *const starts[] = {".debug", ".nv_debug", ".note", ".rodata", ".comment", ".GCC.command", ".line", ".strtab"};
	for (size_t i = 0; i < ARRAY_COUNT(starts); i++)
		if (strncmp(section->name, starts[i], strlen(starts[i])) == 0)
			return 1;
	return 0;
}

static void scan_elf(struct policy_look *look, const struct artifact_unit *unit, const char *of, const void *bytes, size_t size)
{
	struct elf_file elf;
	if (elf_file_open(bytes, size, &elf, NULL))
		return;
	for (size_t s = 1; s < elf.section_count; s++) {
		char where[160];
		if (!elf.sections[s].data || !is_told(&elf.sections[s]))
			continue;
		snprintf(where, sizeof where, "section %.100s%s", elf.sections[s].name, of);
		scan(look, unit, where, elf.sections[s].data, elf.sections[s].size);
	}
	elf_file_close(&elf);
}

/* Between the sections of device code, which are the bulk. */
static void scan_around_fatbins(struct policy_look *look, const struct artifact_unit *unit)
{
	enum { SECTIONS_MAX = 256 }; /* a linked file has one or two; beyond it only a made-up one goes */
	size_t from = 0;
	if (unit->host.fatbin_count > SECTIONS_MAX) {
		scan(look, unit, "its host code", unit->data, unit->size);
		return;
	}
	while (from < unit->size) {
		/* the next section of device code that starts at or after `from`, or the one that spans it */
		size_t start = unit->size, end = unit->size;
		for (int f = 0; f < unit->host.fatbin_count; f++) {
			const struct host_section *section = &unit->host.fatbins[f];
			if (section->offset + section->size <= from || section->offset >= start || !range_within(section->offset, section->size, unit->size))
				continue;
			start = section->offset > from ? section->offset : from;
			end = section->offset + section->size;
		}
		scan(look, unit, "its host code", unit->data + from, start - from);
		from = end;
	}
}

/* What was compiled with tables of source lines names the sources; that is unpacked for it, being small or not to be published
 * anyway. */
static int scan_packed(struct policy_look *look, const struct artifact_unit *unit, const struct artifact_image *image)
{
	const struct fatbin_entry *entry = &image->entry;
	const int is_told = image->cubin.line_info || image->cubin.debug_info || image->ptx.line_info || entry->identifier_length ||
			    (entry->flags & FATBIN_FLAG_DEBUG) ||
			    (entry->options && memmem(entry->options, entry->options_length, "line-info", 9));
	void *bytes;
	size_t size;
	if (!is_told || (entry->kind != FATBIN_ELF && entry->kind != FATBIN_PTX))
		return 0;
	if (fatbin_entry_decompress(entry, &bytes, &size, NULL))
		return 0; /* counted as one that was not unpacked */
	if (entry->kind == FATBIN_PTX)
		scan(look, unit, "its PTX", bytes, size);
	else
		scan_elf(look, unit, " of its device code", bytes, size);
	free(bytes);
	return 1;
}

int check_paths(struct policy_look *look)
{
	int packed = 0;
	for (int u = 0; u < look->artifact->unit_count; u++) {
		const struct artifact_unit *unit = &look->artifact->units[u];
		for (int i = 0; i < unit->image_count; i++) {
			const struct artifact_image *image = &unit->images[i];
			const char *options = image->cubin.tool_options;
			scan_identifier(look, unit, &image->entry);
			scan(look, unit, "the options of its device code", image->entry.options, image->entry.options_length);
			scan(look, unit, "the options of its device code", options, options ? strlen(options) : 0);
			if (image->entry.compression != FATBIN_RAW)
				packed += !scan_packed(look, unit, image);
			else if (image->entry.kind == FATBIN_PTX)
				scan(look, unit, "its PTX", image->entry.payload, image->entry.payload_size);
			else if (image->entry.kind == FATBIN_ELF)
				scan_elf(look, unit, " of its device code", image->entry.payload, image->entry.payload_size);
		}
		switch (unit->kind) {
		case OBJECT_ELF_RELOCATABLE:
		case OBJECT_ELF_SHARED:
		case OBJECT_ELF_EXECUTABLE: scan_elf(look, unit, "", unit->data, unit->size); break;
		case OBJECT_COFF:
		case OBJECT_COFF_BIGOBJ:
		case OBJECT_PE: scan_around_fatbins(look, unit); break;
		default: break;
		}
	}
	look_note(look,
		  "none in %zu text%s: names of sources, options, PTX, and sections of debug information, notes, strings and symbols%s",
		  look->result->looked_at, PLURAL(look->result->looked_at), packed ? " (compressed device code without line information was not unpacked for it)" : "");
	return 0;
}
