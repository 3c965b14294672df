/* Whether an archive is in order: its members, and its index against what the members define. */
#include "artifact/artifact.h"
#include "artifact/host_object.h"

#include <stdlib.h>
#include <string.h>

enum format { FORMAT_NONE = 0, FORMAT_ELF, FORMAT_COFF };

static enum format format_of(enum object_kind kind)
{
	switch (kind) {
	case OBJECT_ELF_RELOCATABLE:
	case OBJECT_ELF_SHARED:
	case OBJECT_ELF_EXECUTABLE: return FORMAT_ELF;
	case OBJECT_COFF:
	case OBJECT_COFF_BIGOBJ:
	case OBJECT_COFF_IMPORT:
	case OBJECT_COFF_LTCG: return FORMAT_COFF;
	default: return FORMAT_NONE;
	}
}

/* 1 for the first, so that callers can keep its index. */
static void count_unit(int *count, int *first, int unit)
{
	if ((*count)++ == 0)
		*first = unit;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int is_temporary_name(const char *name)
{
	return strncmp(name, "tmpxft_", 7) == 0;
}

/* All members of an import library are called as its DLL. */
static int is_of_import_library(const char *name)
{
	const size_t length = strlen(name);
	return length > 4 && strcasecmp(name + length - 4, ".dll") == 0;
}

static int look_at_names(const struct artifact *artifact, struct archive_facts *facts, struct error *err)
{
	struct named {
		const char *name;
		int unit;
	} *names = artifact->unit_count > 0 ? calloc((size_t)artifact->unit_count, sizeof *names) : NULL;
	if (artifact->unit_count <= 0)
		return 0;
	if (!names)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	int count = 0;
	for (int u = 0; u < artifact->unit_count; u++)
		if (!is_of_import_library(artifact->units[u].name))
			names[count++] = (struct named){artifact->units[u].name, u};
	/* the name is the first field: equal ones come together, in whatever order */
	qsort(names, (size_t)count, sizeof *names, compare_texts);
	for (int i = 1; i < count; i++) {
		if (strcmp(names[i].name, names[i - 1].name) != 0)
			continue;
		const int later = names[i].unit > names[i - 1].unit ? names[i].unit : names[i - 1].unit;
		facts->duplicate_names++;
		if (facts->first_duplicate < 0 || later < facts->first_duplicate)
			facts->first_duplicate = later;
	}
	free(names);
	return 0;
}

/* A symbol that a member defines, and which member. */
struct definition {
	const char *name;
	uint64_t header;
	int indexed;
	int is_needed; /* a linker has to find it: not one that several members may define */
};

static int compare_definitions(const void *a, const void *b)
{
	const struct definition *left = a, *right = b;
	const int order = strcmp(left->name, right->name);
	return order ? order : left->header < right->header ? -1 : left->header > right->header;
}

/* Darwin's and Windows' tools write the index by the name in the file; ours drop "__imp_" from symbols of COFF. */
static struct definition *definition_find(struct definition *all, size_t count, const char *name, uint64_t header)
{
	struct definition wanted = {.name = name, .header = header};
	if (count == 0)
		return NULL;
	struct definition *found = bsearch(&wanted, all, count, sizeof *all, compare_definitions);
	if (!found && strncmp(name, "__imp_", 6) == 0) {
		wanted.name = name + 6;
		found = bsearch(&wanted, all, count, sizeof *all, compare_definitions);
	}
	return found;
}

static const struct artifact_unit *unit_at(const struct artifact *artifact, uint64_t header)
{
	int low = 0, high = artifact->ar.count;
	while (low < high) {
		const int middle = low + (high - low) / 2;
		if (artifact->ar.members[middle].header_offset < header)
			low = middle + 1;
		else
			high = middle;
	}
	return low < artifact->ar.count && artifact->ar.members[low].header_offset == header ? &artifact->units[low] : NULL;
}

static int look_at_index(const struct artifact *artifact, struct archive_facts *facts, struct error *err)
{
	size_t count = 0, all = 0;
	for (int u = 0; u < artifact->unit_count; u++)
		for (int i = 0; i < artifact->units[u].host.symbol_count; i++)
			all += artifact->units[u].host.symbols[i].defined;
	struct definition *definitions = calloc(all ? all : 1, sizeof *definitions);
	if (!definitions)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (int u = 0; u < artifact->unit_count; u++)
		for (int i = 0; i < artifact->units[u].host.symbol_count; i++) {
			const struct host_symbol *symbol = &artifact->units[u].host.symbols[i];
			if (symbol->defined)
				definitions[count++] = (struct definition){.name = symbol->name,
									   .header = artifact->ar.members[u].header_offset,
									   .is_needed = !symbol->weak && !symbol->hidden && !symbol->imported};
		}
	qsort(definitions, count, sizeof *definitions, compare_definitions);
	struct ar_index_cursor cursor = {0};
	const char *name;
	uint64_t header;
	int more;
	while ((more = ar_index_next(&artifact->ar, &cursor, &name, &header)) > 0) {
		const struct artifact_unit *unit = unit_at(artifact, header);
		struct definition *definition = definition_find(definitions, count, name, header);
		if (definition)
			definition->indexed = 1;
		else if (!unit)
			facts->index_dangling++;
		else if (format_of(unit->kind) != FORMAT_NONE && !unit->problem && unit->kind != OBJECT_COFF_LTCG && !unit->host.gnu_lto)
			facts->index_wrong++;
		else
			continue;
		if (!definition && !facts->first_wrong)
			facts->first_wrong = name;
	}
	facts->index_damaged = more < 0;
	for (size_t i = 0; i < count && !facts->index_damaged; i++)
		if (definitions[i].is_needed && !definitions[i].indexed && facts->index_missing++ == 0)
			facts->first_missing = definitions[i].name;
	free(definitions);
	return 0;
}

int artifact_archive_facts(const struct artifact *artifact, struct archive_facts *facts, struct error *err)
{
	enum format format = FORMAT_NONE;
	unsigned machine = 0;
	*facts = (struct archive_facts){.first_empty = -1,
					.first_nested = -1,
					.other_machine = -1,
					.other_format = -1,
					.first_duplicate = -1,
					.first_temporary = -1};
	if (artifact->kind != OBJECT_ARCHIVE && artifact->kind != OBJECT_ARCHIVE_THIN)
		return 0;
	for (int u = 0; u < artifact->unit_count; u++) {
		const struct artifact_unit *unit = &artifact->units[u];
		const enum format own = format_of(unit->kind);
		if (unit->size == 0)
			count_unit(&facts->empty_members, &facts->first_empty, u);
		if (unit->kind == OBJECT_ARCHIVE || unit->kind == OBJECT_ARCHIVE_THIN)
			count_unit(&facts->nested_archives, &facts->first_nested, u);
		if (is_temporary_name(unit->name))
			count_unit(&facts->temporary_names, &facts->first_temporary, u);
		facts->import_members += unit->kind == OBJECT_COFF_IMPORT;
		if (own == FORMAT_NONE)
			continue;
		if (format != FORMAT_NONE && own != format && facts->other_format < 0)
			facts->other_format = u;
		/* numbers of machines mean something within one format only; some COFF members are for any machine (0) */
		if (own == format && machine && unit->machine && unit->machine != machine && facts->other_machine < 0)
			facts->other_machine = u;
		if (format == FORMAT_NONE)
			format = own;
		if (own == format && !machine)
			machine = unit->machine;
	}
	if (look_at_names(artifact, facts, err))
		return -1;
	return artifact->ar.has_index ? look_at_index(artifact, facts, err) : 0;
}
