/* Which symbols an archive and the shared objects around it define and need. */
#include "cudart/plugin_private.h"

#include "artifact/ar.h"
#include "artifact/elf_file.h"
#include "artifact/host_object.h"
#include "artifact/object_kind.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#else
#error "stubs are written for x86-64 and AArch64 only: see plugin_link.c"
#endif

void name_set_add(struct name_set *set, const char *name)
{
	if (set->failed)
		return;
	if (set->count == set->capacity) {
		const size_t capacity = set->capacity ? set->capacity * 2 : 256;
		char **names = realloc(set->names, capacity * sizeof *names);
		if (!names) {
			set->failed = 1;
			return;
		}
		set->names = names;
		set->capacity = capacity;
	}
	set->names[set->count] = strdup(name);
	if (set->names[set->count])
		set->count++;
	else
		set->failed = 1;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int name_set_sort(struct name_set *set, struct error *err)
{
	if (set->failed)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (set->count == 0)
		return 0;
	qsort(set->names, set->count, sizeof *set->names, compare_names);
	size_t kept = 1;
	for (size_t i = 1; i < set->count; i++) {
		if (strcmp(set->names[i], set->names[kept - 1]) == 0)
			free(set->names[i]);
		else
			set->names[kept++] = set->names[i];
	}
	set->count = kept;
	return 0;
}

int name_set_has(const struct name_set *set, const char *name)
{
	return set->count && bsearch(&name, set->names, set->count, sizeof *set->names, compare_names) != NULL;
}

void name_set_free(struct name_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		free(set->names[i]);
	free(set->names);
	*set = (struct name_set){0};
}

void archive_symbols_free(struct archive_symbols *symbols)
{
	name_set_free(&symbols->defined);
	name_set_free(&symbols->exported);
	name_set_free(&symbols->undefined);
}

/* What only the linker itself defines. */
static int made_by_linker(const char *name)
{
	static const char *const names[] = {
		"_GLOBAL_OFFSET_TABLE_", "_DYNAMIC", "_PROCEDURE_LINKAGE_TABLE_", "__ehdr_start", "__executable_start",
		"__TMC_END__", "__bss_start", "_edata", "edata", "_end", "end", "_etext", "etext", "_init", "_fini",
	};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (strcmp(name, names[i]) == 0)
			return 1;
	return strncmp(name, "__start_", 8) == 0 || strncmp(name, "__stop_", 7) == 0;
}

struct reading {
	struct name_set needed; /* by some object, perhaps defined by another */
	int objects;
};

static int read_object(struct archive_symbols *symbols, struct reading *reading, const void *bytes, size_t size,
		       unsigned machine, const char *where, struct error *err)
{
	struct host_object object;
	if (machine != OWN_MACHINE) {
		const char *built_for = object_machine_name(OBJECT_ELF_RELOCATABLE, machine);
		return error_set(err, ERROR_UNSUPPORTED, "%s: host code for %s; this machine is %s", where,
				 built_for ? built_for : "another processor",
				 object_machine_name(OBJECT_ELF_RELOCATABLE, OWN_MACHINE));
	}
	if (host_object_parse(bytes, size, &object, err))
		return error_context(err, "%s", where);
	int result = 0;
	for (int i = 0; i < object.symbol_count && result == 0; i++) {
		const struct host_symbol *symbol = &object.symbols[i];
		if (strcmp(symbol->name, "__gnu_lto_slim") == 0)
			result = error_set(err, ERROR_UNSUPPORTED,
					   "%s: holds no machine code, only GCC's link-time-optimisation form; build it "
					   "without -flto or with -ffat-lto-objects", where);
		else if (symbol->defined)
			name_set_add(&symbols->defined, symbol->name);
		else if (!symbol->weak && symbol->name[0] && !made_by_linker(symbol->name))
			name_set_add(&reading->needed, symbol->name);
		if (symbol->defined && symbol->function && !symbol->hidden)
			name_set_add(&symbols->exported, symbol->name);
	}
	reading->objects++;
	host_object_free(&object);
	return result;
}

static int cannot_link(enum object_kind kind, const char *where, struct error *err)
{
	switch (kind) {
	case OBJECT_COFF:
	case OBJECT_COFF_BIGOBJ:
	case OBJECT_COFF_IMPORT:
	case OBJECT_COFF_LTCG:
	case OBJECT_PE:
	case OBJECT_MACHO:
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s: %s: host code for another operating system cannot be linked or called here (`assay inspect` "
				 "reads its device code)", where, object_kind_name(kind));
	case OBJECT_LLVM_BITCODE:
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s: LLVM bitcode, no machine code; build it without link-time optimisation", where);
	case OBJECT_ARCHIVE_THIN:
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s: a thin archive, which holds only the names of its members; make a full one (ar without T)",
				 where);
	default:
		return error_set(err, ERROR_INPUT, "%s: %s, not an archive of ELF objects", where, object_kind_name(kind));
	}
}

static int read_archive(struct archive_symbols *symbols, struct reading *reading, const struct file_map *file,
			const char *path, struct error *err)
{
	struct ar ar;
	char where[512];
	int result = -1;
	const struct ar_member *foreign = NULL;
	if (ar_parse(file->data, file->size, &ar, err))
		return error_context(err, "%s", path);
	if (ar.count == 0) {
		error_set(err, ERROR_INPUT, "%s: the archive is empty", path);
		goto done;
	}
	for (int i = 0; i < ar.count; i++) {
		const struct ar_member *member = &ar.members[i];
		if (member->kind != OBJECT_ELF_RELOCATABLE) {
			foreign = foreign ? foreign : member;
			continue;
		}
		snprintf(where, sizeof where, "%s(%s)", path, member->name);
		if (read_object(symbols, reading, member->data, member->size, member->machine, where, err))
			goto done;
	}
	if (reading->objects == 0) {
		snprintf(where, sizeof where, "%s(%s)", path, foreign->name);
		cannot_link(foreign->kind, where, err);
		goto done;
	}
	result = 0;
done:
	ar_free(&ar);
	return result;
}

int archive_symbols_read(struct archive_symbols *symbols, const struct file_map *archive, const char *path,
			 struct error *err)
{
	struct reading reading = {0};
	unsigned machine = 0;
	int result = -1;
	*symbols = (struct archive_symbols){0};
	const enum object_kind kind = object_identify(archive->data, archive->size, &machine);
	if (kind == OBJECT_ARCHIVE) {
		if (read_archive(symbols, &reading, archive, path, err))
			goto done;
	} else if (kind == OBJECT_ELF_RELOCATABLE) {
		if (read_object(symbols, &reading, archive->data, archive->size, machine, path, err))
			goto done;
	} else {
		cannot_link(kind, path, err);
		goto done;
	}
	if (name_set_sort(&symbols->defined, err) || name_set_sort(&symbols->exported, err) ||
	    name_set_sort(&reading.needed, err))
		goto done;
	for (size_t i = 0; i < reading.needed.count; i++)
		if (!name_set_has(&symbols->defined, reading.needed.names[i]))
			name_set_add(&symbols->undefined, reading.needed.names[i]);
	result = name_set_sort(&symbols->undefined, err);
done:
	name_set_free(&reading.needed);
	if (result)
		archive_symbols_free(symbols);
	return result;
}

int shared_object_symbols(struct name_set *defined, const char *path, struct error *err)
{
	struct file_map file;
	struct elf_file elf;
	struct elf_symbol symbol;
	if (file_map_open(&file, path, err))
		return -1;
	if (elf_file_open(file.data, file.size, &elf, err)) {
		file_map_close(&file);
		return error_context(err, "%s", path);
	}
	const struct elf_section *table = elf_file_section_of_type(&elf, SHT_DYNSYM);
	for (size_t i = 1; table && i < elf_symbol_count(table); i++)
		if (elf_symbol_read(&elf, table, i, &symbol) == 0 && symbol.defined && symbol.name[0])
			name_set_add(defined, symbol.name);
	elf_file_close(&elf);
	file_map_close(&file);
	return table ? 0 : error_set(err, ERROR_INPUT, "%s: has no dynamic symbols", path);
}

/* Levenshtein distance, cut at names too long to be a slip of the pen. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[65];
	const size_t width = strlen(b);
	if (width >= ARRAY_COUNT(row))
		return SIZE_MAX;
	for (size_t j = 0; j <= width; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= width; j++) {
			const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			const size_t shifted = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
			row[j] = replaced < shifted ? replaced : shifted;
		}
	}
	return row[width];
}

int require_symbols(const struct name_set *defined, const struct name_set *exported, const char *const *required,
		    const char *path, struct error *err)
{
	for (; required && *required; required++) {
		struct text similar = {0};
		int found = 0;
		if (name_set_has(exported, *required))
			continue;
		if (name_set_has(defined, *required))
			return error_set(err, ERROR_INPUT,
					 "%s: defines %s, but not as a function that others can call (hidden visibility, or data)",
					 path, *required);
		for (size_t i = 0; i < exported->count && found < 5; i++) {
			const char *name = exported->names[i];
			if (strstr(name, *required) || edit_distance(*required, name) <= strlen(*required) / 3)
				text_append(&similar, "%s%.200s", found++ ? ", " : "; it defines ", name);
		}
		error_set(err, ERROR_INPUT, "%s: does not define %s%s", path, *required,
			  similar.data ? similar.data : exported->count ? " nor anything like it" : ", nor any other function");
		text_free(&similar);
		return -1;
	}
	return 0;
}
