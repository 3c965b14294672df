/* Makes a Windows archive of a Linux one, for tests of what runs device code of the one under host code of the other:
 *
 *   disguise [--replace OLD=NEW]... IN.a OUT.lib   archive of Linux objects (or one object) -> archive as lib.exe writes it, of
 *                                                 COFF objects
 *
 * --replace: in the text of PTX and the names of cubins OLD becomes NEW, of the same length: another toolkit's library, a kernel
 * that is missing, a parameter of another size.
 *
 * What becomes of an object: its fatbin containers with the Windows flag and names as a Windows compiler mangles them (64-bit
 * integers as long long, other hashes in names of internal linkage), PTX with CRLF; functions it defines, as symbols with a
 * `ret`, C++ names in Microsoft's form; what it needs of the CUDA runtime; directives for the C runtime. The host code itself is
 * not translated: it could not run here in any case. The object is made by the assembler of binutils-mingw-w64-x86-64
 * (ASSAY_MINGW_AS, default x86_64-w64-mingw32-as), the archive here. */
#include "artifact/artifact.h"
#include "artifact/fold_name.h"
#include "core/util.h"

#include "../unit/artifact_fixtures.h"

#include <ctype.h>
#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MEMBERS_MAX = 64 };

static int fail(const char *path, const char *what)
{
	fprintf(stderr, "disguise: %s: %s\n", path, what);
	return -1;
}

/* ---- names ---- */

static int is_name_character(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$';
}

/* Runs of eight hex digits between underscores, or at the end, are hashes: each digit becomes another one. */
static void change_hashes(char *name, size_t length)
{
	for (size_t i = 0; i < length;) {
		size_t run = 0;
		while (i + run < length && (isdigit((unsigned char)name[i + run]) || (name[i + run] >= 'a' && name[i + run] <= 'f')))
			run++;
		if (run == 8 && i > 0 && name[i - 1] == '_' && (i + run == length || name[i + run] == '_'))
			for (size_t k = 0; k < run; k++)
				name[i + k] = "3456789abcdef012"[isdigit((unsigned char)name[i + k]) ? name[i + k] - '0' : name[i + k] - 'a' + 10];
		i += run ? run : 1;
	}
}

/* Of a name mangled by the Itanium ABI, which device code has on both systems: l and m are types wherever no identifier is. The
 * name keeps its length. */
static void translate(char *name, size_t length)
{
	char *copy = copy_text(name, length), *folded = copy ? fold_kernel_name(copy) : NULL;
	if (!folded)
		abort();
	for (size_t i = 2; i < length;) {
		const int is_number = isdigit((unsigned char)name[i]);
		const int is_sequence = name[i - 1] == 'S' || name[i - 1] == 'T' || name[i - 1] == 'A' || name[i - 2] == 'L';
		if (is_number && !is_sequence) {
			size_t digits = 0, identifier = 0;
			while (i + digits < length && isdigit((unsigned char)name[i + digits]))
				identifier = identifier * 10 + (size_t)(name[i + digits++] - '0');
			i += digits;
			if (identifier > length - i)
				identifier = length - i;
			char *at = name + i;
			if (memmem(at, identifier, "_INTERNAL_", 10) || memmem(at, identifier, "_GLOBAL__N_", 11))
				change_hashes(at, identifier);
			i += identifier;
		} else if (is_number) {
			while (i < length && isdigit((unsigned char)name[i]))
				i++;
		} else {
			name[i] = name[i] == 'l' ? 'x' : name[i] == 'm' ? 'y' : name[i];
			i++;
		}
	}
	/* an operator's name (ml, pl) or the like was no type: then only what it is told by the other names stays */
	char *changed = copy_text(name, length), *again = changed ? fold_kernel_name(changed) : NULL;
	if (!again)
		abort();
	if (strcmp(folded, again) != 0)
		memcpy(name, copy, length);
	free(copy);
	free(folded);
	free(changed);
	free(again);
}

struct replacement {
	const char *from, *to;
	size_t length;
};
static struct replacement replacements[8];
static int replacement_count;

static void replace_all(char *text, size_t size)
{
	for (int i = 0; i < replacement_count; i++) {
		const struct replacement *one = &replacements[i];
		for (char *at = text; (at = memmem(at, (size_t)(text + size - at), one->from, one->length)); at += one->length)
			memcpy(at, one->to, one->length);
	}
}

static int take_replacement(const char *argument)
{
	const char *equals = strchr(argument, '=');
	const size_t length = equals ? (size_t)(equals - argument) : 0;
	if (!length || strlen(equals + 1) != length || replacement_count == (int)ARRAY_COUNT(replacements))
		return fail(argument, "is no OLD=NEW of one length");
	replacements[replacement_count++] = (struct replacement){argument, equals + 1, length};
	return 0;
}

/* Mangled names in a text or table of names: from _Z to the end of the word, or to what the compiler appends to them. */
static void translate_all(char *text, size_t size)
{
	for (char *at = text, *end = text + size; (at = memmem(at, (size_t)(end - at), "_Z", 2));) {
		if (at > text && (isalnum((unsigned char)at[-1]) || at[-1] == '_')) {
			at += 2;
			continue;
		}
		size_t length = 0;
		while (at + length < end && is_name_character(at[length]) && at[length] != '$')
			length++;
		const char *parameter = memmem(at, length, "_param_", 7);
		translate(at, parameter ? (size_t)(parameter - at) : length);
		at += length;
	}
	replace_all(text, size);
}

/* ---- device code ---- */

static void put_crlf(struct bytes *out, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'))
			put_u8(out, '\r');
		put_u8(out, (unsigned char)text[i]);
	}
}

static int translate_cubin(char *bytes, size_t size)
{
	Elf64_Ehdr header;
	if (size < sizeof header)
		return -1;
	memcpy(&header, bytes, sizeof header);
	for (unsigned s = 0; s < header.e_shnum; s++) {
		Elf64_Shdr section;
		if (header.e_shoff + (s + 1ull) * sizeof section > size)
			return -1;
		memcpy(&section, bytes + header.e_shoff + s * sizeof section, sizeof section);
		if (section.sh_type == SHT_STRTAB && section.sh_offset <= size && section.sh_size <= size - section.sh_offset)
			translate_all(bytes + section.sh_offset, section.sh_size);
	}
	return 0;
}

static int put_payload(struct bytes *out, const struct fatbin_entry *entry, size_t *stored, size_t *unpacked, struct error *err)
{
	void *bytes;
	size_t size;
	struct bytes text = {0};
	if (fatbin_entry_decompress(entry, &bytes, &size, err))
		return -1;
	if (entry->kind == FATBIN_ELF) {
		if (translate_cubin(bytes, size)) {
			free(bytes);
			return error_set(err, ERROR_INPUT, "a cubin is damaged");
		}
		put(&text, bytes, size);
	} else {
		translate_all(bytes, size);
		put_crlf(&text, bytes, size);
		put_u8(&text, 0);
	}
	free(bytes);
	*unpacked = text.size;
	const size_t start = out->size;
	if (entry->compression == FATBIN_LZ4) {
		const int bound = LZ4_compressBound((int)text.size);
		put(out, NULL, (size_t)bound);
		out->size = start + (size_t)LZ4_compress_default((const char *)text.data, (char *)out->data + start, (int)text.size, bound);
	} else if (entry->compression == FATBIN_ZSTD) {
		const size_t bound = ZSTD_compressBound(text.size);
		put(out, NULL, bound);
		out->size = start + ZSTD_compress(out->data + start, bound, text.data, text.size, 3);
	} else {
		put(out, text.data, text.size);
	}
	*stored = out->size - start;
	bytes_free(&text);
	return 0;
}

/* One entry, its header as it was but for what has changed. */
static int put_entry(struct bytes *out, const struct fatbin_entry *entry, const unsigned char *header, struct error *err)
{
	uint32_t header_size;
	size_t stored = 0, unpacked = 0;
	memcpy(&header_size, header + 4, sizeof header_size);
	const size_t start = out->size;
	put(out, header, header_size);
	if (entry->kind != FATBIN_ELF && entry->kind != FATBIN_PTX) {
		put(out, entry->payload, entry->payload_size);
		stored = entry->payload_size;
	} else if (put_payload(out, entry, &stored, &unpacked, err)) {
		return -1;
	} else if (entry->compression != FATBIN_RAW) {
		set_u32(out, start + 0x10, (uint32_t)stored);
		set_u64(out, start + 0x38, unpacked);
	}
	pad_to(out, 8);
	set_u64(out, start + 8, out->size - start - header_size);
	set_u64(out, start + 0x28, (entry->flags & ~FATBIN_FLAG_LINUX) | FATBIN_FLAG_WINDOWS);
	return 0;
}

/* All containers of a unit. */
static int put_device_code(struct bytes *out, const struct artifact_unit *unit, struct error *err)
{
	for (int first = 0, end = 0; first < unit->image_count; first = end) {
		pad_to(out, 8);
		const size_t start = out->size;
		const unsigned char *container = unit->images[first].entry.container_bytes;
		put(out, container, FATBIN_HEADER_SIZE);
		const unsigned char *at = container + FATBIN_HEADER_SIZE;
		for (; end < unit->image_count && unit->images[end].entry.container == unit->images[first].entry.container; end++) {
			uint32_t header_size;
			uint64_t padded;
			if (put_entry(out, &unit->images[end].entry, at, err))
				return -1;
			memcpy(&header_size, at + 4, sizeof header_size);
			memcpy(&padded, at + 8, sizeof padded);
			at += header_size + padded;
		}
		set_u64(out, start + 8, out->size - start - FATBIN_HEADER_SIZE);
	}
	return 0;
}

/* ---- host side ---- */

/* void f(Flash_fwd_params &, CUstream_st *) in Microsoft's form has nothing in common with ours; the arguments are dropped. */
static void put_host_name(struct text *out, const char *name)
{
	size_t length = 0;
	if (strncmp(name, "_Z", 2) != 0) {
		text_append(out, "%s", name);
		return;
	}
	const char *at = name + 2 + strcspn(name + 2, "0123456789");
	while (isdigit((unsigned char)*at))
		length = length * 10 + (size_t)(*at++ - '0');
	/* the rest tells overloads and instances apart */
	char hex[65];
	sha256_hex(name, strlen(name), hex);
	text_append(out, "?%.*s_%.8s@@YAXXZ", (int)(length < 200 ? length : 200), at, hex);
}

static int is_carried_over(const struct host_symbol *symbol)
{
	return symbol->defined ? symbol->function && !symbol->hidden && !symbol->weak : symbol->origin == ORIGIN_CUDA_RUNTIME;
}

static void put_source(struct text *source, const struct artifact_unit *unit, const char *fatbin_path)
{
	text_append(source, "\t.section .drectve,\"yn\"\n\t.ascii \" /DEFAULTLIB:\\\"MSVCRT\\\" /DEFAULTLIB:\\\"OLDNAMES\\\" "
			    "/FAILIFMISMATCH:\\\"_MSC_VER=1900\\\" /FAILIFMISMATCH:\\\"_ITERATOR_DEBUG_LEVEL=0\\\" "
			    "/FAILIFMISMATCH:\\\"RuntimeLibrary=MD_DynamicRelease\\\" \"\n\t.text\n");
	for (int i = 0; i < unit->host.symbol_count; i++) {
		const struct host_symbol *symbol = &unit->host.symbols[i];
		if (!is_carried_over(symbol) || !symbol->defined)
			continue;
		struct text name = {0};
		put_host_name(&name, symbol->name);
		text_append(source, "\t.globl \"%s\"\n\t.def \"%s\"\n\t.scl 2\n\t.type 32\n\t.endef\n\"%s\":\n", name.data, name.data,
			    name.data);
		text_free(&name);
	}
	for (int i = 0; i < unit->host.symbol_count; i++)
		if (is_carried_over(&unit->host.symbols[i]) && !unit->host.symbols[i].defined)
			text_append(source, "\tcall %s\n", unit->host.symbols[i].name);
	text_append(source, "\tret\n");
	if (unit->container_count)
		text_append(source, "\t.section .nv_fatbin,\"dr\"\n\t.balign 16\nfatbinData:\n\t.incbin \"%s\"\n"
				    "\t.section .nvFatBinSegment,\"dr\"\n\t.balign 8\n\t.long 0x466243b1,1\n\t.quad fatbinData,0\n", fatbin_path);
}

static int assemble(const char *source, const char *object)
{
	const char *tool = getenv("ASSAY_MINGW_AS");
	const char *arguments[] = {tool && *tool ? tool : "x86_64-w64-mingw32-as", "-o", object, source, NULL};
	pid_t child;
	int status;
	const int failed = posix_spawnp(&child, arguments[0], NULL, NULL, (char *const *)(uintptr_t)arguments, environ);
	if (failed) {
		fail(arguments[0], strerror(failed));
		fprintf(stderr, "disguise: Debian and Ubuntu have it in binutils-mingw-w64-x86-64\n");
		return -1;
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status))
		return fail(source, "cannot be assembled");
	return 0;
}

static int read_whole(const char *path, struct bytes *out)
{
	struct file_map map;
	struct error err = {0};
	if (file_map_open(&map, path, &err))
		return fail(path, err.message);
	put(out, map.data, map.size);
	file_map_close(&map);
	return 0;
}

/* One object, by way of files in `folder`. */
static int make_object(const struct artifact_unit *unit, const char *folder, struct bytes *object)
{
	struct bytes device = {0};
	struct text source = {0};
	struct error err = {0};
	char *fatbin_path = path_join(folder, "fatbin"), *source_path = path_join(folder, "unit.s");
	char *object_path = path_join(folder, "unit.obj");
	int result = -1;
	if (!fatbin_path || !source_path || !object_path)
		abort();
	if (put_device_code(&device, unit, &err)) {
		fail(unit->name, err.message);
		goto done;
	}
	put_source(&source, unit, fatbin_path);
	if (source.failed)
		abort();
	if (write_file_atomically(fatbin_path, device.data ? device.data : (const void *)"", device.size, &err) ||
	    write_file_atomically(source_path, source.data, source.length, &err)) {
		fail(folder, err.message);
		goto done;
	}
	result = assemble(source_path, object_path) || read_whole(object_path, object);
done:
	unlink(fatbin_path);
	unlink(source_path);
	unlink(object_path);
	free(fatbin_path);
	free(source_path);
	free(object_path);
	text_free(&source);
	bytes_free(&device);
	return result;
}

static int disguise(const char *in, const char *out)
{
	struct artifact artifact;
	struct error err = {0};
	struct bytes archive = {0}, objects[MEMBERS_MAX] = {{0}};
	struct fixture_member members[MEMBERS_MAX];
	static char names[MEMBERS_MAX][256];
	char folder[] = "/tmp/disguise-XXXXXX";
	int result = -1, count = 0;
	if (artifact_open(in, &artifact, &err))
		return fail(in, err.message);
	if (artifact.unit_count > MEMBERS_MAX) {
		artifact_close(&artifact);
		return fail(in, "has more members than this program takes");
	}
	if (!mkdtemp(folder)) {
		artifact_close(&artifact);
		return fail(folder, strerror(errno));
	}
	for (; count < artifact.unit_count; count++) {
		const struct artifact_unit *unit = &artifact.units[count];
		if (unit->kind != OBJECT_ELF_RELOCATABLE) {
			fail(unit->name, "is no Linux object");
			goto done;
		}
		if (make_object(unit, folder, &objects[count]))
			goto done;
		const char *base = path_base(unit->name);
		const size_t stem = strlen(base) > 2 && strcmp(base + strlen(base) - 2, ".o") == 0 ? strlen(base) - 2 : strlen(base);
		snprintf(names[count], sizeof names[0], "target\\release\\out\\%.*s.obj", (int)stem, base);
		members[count] = (struct fixture_member){names[count], objects[count].data, objects[count].size};
	}
	put_ar(&archive, FIXTURE_MSVC, members, (size_t)count, 0);
	result = write_file_atomically(out, archive.data, archive.size, &err) ? fail(out, err.message) : 0;
done:
	rmdir(folder);
	artifact_close(&artifact);
	bytes_free(&archive);
	for (int i = 0; i < MEMBERS_MAX; i++)
		bytes_free(&objects[i]);
	return result;
}

int main(int argc, char **argv)
{
	int at = 1;
	for (; at + 1 < argc && strcmp(argv[at], "--replace") == 0; at += 2)
		if (take_replacement(argv[at + 1]))
			return 2;
	if (argc - at == 2 && argv[at][0] != '-')
		return disguise(argv[at], argv[at + 1]) ? 1 : 0;
	fprintf(stderr, "usage: disguise [--replace OLD=NEW]... IN.a OUT.lib\n");
	return 2;
}
