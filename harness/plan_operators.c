/* Operators: which entry points artifacts hold, of which release, and what is missing. */
#include "plan.h"

#include "artifact/ptx_slice.h"
#include "core/util.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- the entry points of one artifact ---- */

/* The whole name's length where it is not whole in `name`, else 0. */
static size_t entry_name(char name[RECORD_ENTRY_MAX], const char *symbol)
{
	enum { DIGITS = 16 };
	const size_t length = strlen(symbol);
	if (length < RECORD_ENTRY_MAX) {
		memcpy(name, symbol, length + 1);
		return 0;
	}
	char hex[65];
	sha256_hex(symbol, length, hex);
	snprintf(name, RECORD_ENTRY_MAX, "%.*s~%.*s", RECORD_ENTRY_MAX - DIGITS - 2, symbol, DIGITS, hex);
	return length;
}

static struct job_entry *add_entry(struct job *job, const char *symbol, struct error *err)
{
	char name[RECORD_ENTRY_MAX];
	const size_t whole_length = entry_name(name, symbol);
	for (size_t i = 0; i < job->entry_count; i++)
		if (strcmp(job->entries[i].symbol, name) == 0)
			return &job->entries[i]; /* of another image */
	struct job_entry *entries = reallocarray(job->entries, job->entry_count + 1, sizeof *entries);
	if (!entries) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		return NULL;
	}
	job->entries = entries;
	struct job_entry *entry = &entries[job->entry_count++];
	*entry = (struct job_entry){.whole_length = whole_length};
	memcpy(entry->symbol, name, sizeof name);
	return entry;
}

static int add_image(struct job *job, const struct artifact_image *image, struct error *err)
{
	const int is_fast = image->entry.kind == FATBIN_PTX && ptx_is_fast(&image->ptx);
	for (int i = 0; image->entry.kind == FATBIN_PTX && i < image->ptx.entry_count; i++) {
		const struct ptx_entry *from = &image->ptx.entries[i];
		struct job_entry *entry = add_entry(job, from->name, err);
		if (!entry)
			return -1;
		entry->fast |= is_fast;
	}
	for (int i = 0; image->entry.kind == FATBIN_ELF && i < image->cubin.kernel_count; i++)
		if (!add_entry(job, image->cubin.kernels[i].name, err))
			return -1;
	return 0;
}

/* How long each entry's text is. What cannot be cut is loaded whole, and tells so then. */
static void take_text_sizes(struct job *job, const struct artifact *artifact)
{
	struct ptx_slicer *slicer;
	struct error ignored;
	if (ptx_slicer_open(&slicer, (const char *)artifact->map.data, artifact->map.size, &ignored))
		return;
	size_t next = 0; /* both are in the order of the text */
	for (size_t i = 0; i < ptx_slicer_entry_count(slicer); i++) {
		const struct ptx_slice_entry entry = ptx_slicer_entry(slicer, i);
		for (size_t k = 0; k < job->entry_count; k++) {
			struct job_entry *to = &job->entries[(next + k) % job->entry_count];
			if (strlen(to->symbol) != entry.name_length || memcmp(to->symbol, entry.name, entry.name_length) != 0)
				continue;
			to->text_size = entry.text_size;
			next += k + 1;
			break;
		}
	}
	ptx_slicer_close(slicer);
}

static int is_known(const struct symbol_table tables[OPERATOR_ABI_COUNT], const char *symbol)
{
	for (int abi = 0; abi < OPERATOR_ABI_COUNT; abi++)
		if (symbol_table_find(&tables[abi], symbol))
			return 1;
	return 0;
}

/* Functions of attention are jobs of their own. */
static int is_of_attention(const char *symbol)
{
	const struct family *family = family_of_entry_point(symbol);
	return family && !family->symbols;
}

static int add_functions(struct job *job, const struct artifact *artifact, struct error *err)
{
	struct artifact_entry_points points;
	int result = 0;
	if (artifact_entry_points(artifact, &points, err))
		return -1;
	for (int i = 0; i < points.count && result == 0; i++)
		if (!artifact_unit_not_linkable(&artifact->units[points.items[i].unit]) && !is_of_attention(points.items[i].name) &&
		    !add_entry(job, points.items[i].name, err))
			result = -1;
	artifact_entry_points_free(&points);
	return result;
}

static int add_kernels(struct job *job, struct artifact *artifact, struct error *err)
{
	for (int u = 0; u < artifact->unit_count; u++)
		for (int i = 0; i < artifact->units[u].image_count; i++) {
			struct artifact_image *image = &artifact->units[u].images[i];
			if (image->entry.kind != FATBIN_PTX && image->entry.kind != FATBIN_ELF)
				continue;
			if (artifact_load_image(artifact, &artifact->units[u], image, err) || add_image(job, image, err))
				return -1;
		}
	if (artifact->kind == OBJECT_PTX)
		take_text_sizes(job, artifact);
	return 0;
}

/* Where no PTX speaks for each entry point: a host function may launch any of the archive's kernels, so one that is fast speaks
 * for all; of SASS the recorded flags tell. */
static int was_built_fast(struct artifact *artifact, int is_archive)
{
	int has_ptx = 0;
	for (int u = 0; u < artifact->unit_count; u++)
		for (int i = 0; i < artifact->units[u].image_count; i++) {
			struct artifact_image *image = &artifact->units[u].images[i];
			struct error ignored;
			if (image->entry.kind != FATBIN_PTX || artifact_load_image(artifact, &artifact->units[u], image, &ignored))
				continue;
			has_ptx = 1;
			if (is_archive && ptx_is_fast(&image->ptx))
				return 1;
		}
	return !has_ptx && artifact->provenance && artifact->provenance->fast_math == 1;
}

int plan_operators_of(struct job *job, struct artifact *artifact, const struct artifact *host,
		      const struct symbol_table tables[OPERATOR_ABI_COUNT], struct artifact_record *record, struct error *err)
{
	const int is_module = artifact->kind == OBJECT_PTX || artifact->kind == OBJECT_CUBIN || artifact->kind == OBJECT_FATBIN;
	int known = 0;
	if (artifact->kind == OBJECT_ZIP)
		return 0;
	if (is_module ? add_kernels(job, artifact, err) : add_functions(job, host, err))
		return -1;
	for (size_t i = 0; i < job->entry_count; i++)
		known |= is_known(tables, job->entries[i].symbol);
	/* a module of kernels that are all unknown is named kernel by kernel too; of an archive, whose functions may be anything, not */
	if (!known && (!is_module || !job->entry_count)) {
		free(job->entries);
		job->entries = NULL;
		job->entry_count = 0;
		return 0;
	}
	job->is_archive = !is_module;
	const int all_fast = was_built_fast(artifact, job->is_archive);
	for (size_t i = 0; i < job->entry_count; i++)
		job->entries[i].fast |= all_fast;
	record->entry_points = (int64_t)job->entry_count;
	for (size_t i = 0; i < job->entry_count; i++)
		record->fast_kernels += job->entries[i].fast;
	return 1;
}

/* ---- sets: the artifacts of one folder ---- */

static size_t folder_length(const char *path)
{
	return (size_t)(path_base(path) - path);
}

static int same_folder(const struct job *a, const struct job *b)
{
	const size_t length = folder_length(a->artifact_path);
	return length == folder_length(b->artifact_path) && memcmp(a->artifact_path, b->artifact_path, length) == 0;
}

struct set {
	const char *folder; /* path of a member; its folder */
	size_t *jobs;       /* indices into plan->jobs */
	size_t count;
	struct present_symbol *present;
	size_t present_count;
	char (*modules)[64]; /* [count]: names of the files */
	const char **module_names;
	int architecture;
	int from_cargo;      /* a folder called candle-kernels-*, or Cargo's of that crate */
	char claimed_by[256];
	char readme[64];     /* the release that a README claims */
};

static void set_free(struct set *set)
{
	free(set->jobs);
	free(set->present);
	free(set->modules);
	free(set->module_names);
	*set = (struct set){0};
}

static void module_name(const char *path, char *name, size_t size)
{
	const char *base = path_base(path);
	snprintf(name, size, "%.*s", (int)strcspn(base, "."), base);
}

/* What Cargo or a person calls a folder of the whole crate: "candle-kernels", "candle-kernels-0123456789abcdef" (Cargo's hash),
 * "candle-kernels-0.9.2"; not "candle-kernels-mine". */
static int is_crate_folder(const char *name, size_t length)
{
	static const char crate[] = "candle-kernels";
	const size_t stem = sizeof crate - 1;
	if (length < stem || memcmp(name, crate, stem) != 0)
		return 0;
	if (length == stem)
		return 1;
	if (name[stem] != '-' || length == stem + 1)
		return 0;
	const char *rest = name + stem + 1;
	const size_t room = length - stem - 1;
	if (isdigit((unsigned char)rest[0]) && memchr(rest, '.', room))
		return 1;
	size_t digits = 0;
	while (digits < room && isxdigit((unsigned char)rest[digits]))
		digits++;
	return room == 16 && digits == 16;
}

static int names_candle_kernels(const char *path, char *folder, size_t size)
{
	for (const char *at = path; *at;) {
		const size_t length = strcspn(at, "/");
		if (at[length] == '/' && is_crate_folder(at, length)) {
			snprintf(folder, size, "%.*s", (int)length, at);
			return 1;
		}
		at += length + (at[length] == '/');
	}
	return 0;
}

/* What only the file itself, opened once more, tells of a set. */
static int look_into(struct set *set, const struct job *job, struct error *err)
{
	struct artifact artifact;
	char folder[128];
	if (artifact_open(job->artifact_path, &artifact, err))
		return -1;
	for (int u = 0; u < artifact.unit_count; u++)
		for (int i = 0; i < artifact.units[u].image_count; i++) {
			const struct fatbin_entry *entry = &artifact.units[u].images[i].entry;
			if ((entry->kind == FATBIN_PTX || entry->kind == FATBIN_ELF) && (int)entry->arch > set->architecture)
				set->architecture = (int)entry->arch;
		}
	if (!set->from_cargo && artifact.provenance && artifact.provenance->crate &&
	    strcmp(artifact.provenance->crate, "candle-kernels") == 0) {
		set->from_cargo = 1;
		snprintf(set->claimed_by, sizeof set->claimed_by, "Cargo's output of crate %s", artifact.provenance->crate);
	}
	if (!set->from_cargo && names_candle_kernels(job->artifact_path, folder, sizeof folder)) {
		set->from_cargo = 1;
		snprintf(set->claimed_by, sizeof set->claimed_by, "folder %s", folder);
	}
	if (artifact.claims && artifact.claims->candle_release && !set->readme[0])
		snprintf(set->readme, sizeof set->readme, "%s", artifact.claims->candle_release);
	artifact_close(&artifact);
	return 0;
}

static int set_make(struct set *set, const struct plan *plan, size_t first, struct error *err)
{
	size_t symbols = 0, jobs = 0;
	*set = (struct set){.folder = plan->jobs[first].artifact_path};
	for (size_t i = first; i < plan->count; i++)
		if (job_is_operators(&plan->jobs[i]) && same_folder(&plan->jobs[i], &plan->jobs[first])) {
			symbols += plan->jobs[i].entry_count;
			jobs++;
		}
	set->jobs = calloc(jobs, sizeof *set->jobs);
	set->present = calloc(symbols, sizeof *set->present);
	set->modules = calloc(jobs, sizeof *set->modules);
	set->module_names = calloc(jobs, sizeof *set->module_names);
	if (!set->jobs || !set->present || !set->modules || !set->module_names) {
		set_free(set);
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	}
	for (size_t i = first; i < plan->count; i++) {
		const struct job *job = &plan->jobs[i];
		if (!job_is_operators(job) || !same_folder(job, &plan->jobs[first]))
			continue;
		module_name(job->artifact_path, set->modules[set->count], sizeof set->modules[0]);
		set->module_names[set->count] = set->modules[set->count];
		for (size_t k = 0; k < job->entry_count; k++)
			set->present[set->present_count++] = (struct present_symbol){job->entries[k].symbol, set->modules[set->count]};
		set->jobs[set->count++] = i;
		if (look_into(set, job, err)) {
			set_free(set);
			return -1;
		}
	}
	return 0;
}

/* Entry points of the set that only this profile has; the first of them. */
static size_t count_evidence(const struct set *set, const struct symbol_table tables[OPERATOR_ABI_COUNT], int abi, const char **first)
{
	size_t count = 0;
	*first = NULL;
	for (size_t i = 0; i < set->present_count; i++) {
		int elsewhere = 0;
		if (!symbol_table_find(&tables[abi], set->present[i].name))
			continue;
		for (int other = 0; other < OPERATOR_ABI_COUNT; other++)
			elsewhere |= other != abi && symbol_table_find(&tables[other], set->present[i].name) != NULL;
		if (elsewhere)
			continue;
		if (!count++)
			*first = set->present[i].name;
	}
	return count;
}

static int choose_profile(const struct set *set, const struct symbol_table tables[OPERATOR_ABI_COUNT], const char *asked, char *why,
			  size_t size)
{
	int best = 0;
	size_t most = 0;
	const char *first = NULL;
	for (int abi = 0; asked && abi < OPERATOR_ABI_COUNT; abi++)
		if (strcmp(operator_profiles[abi], asked) == 0) {
			snprintf(why, size, "asked for");
			return abi;
		}
	for (int abi = 0; abi < OPERATOR_ABI_COUNT; abi++) {
		const char *example;
		const size_t count = count_evidence(set, tables, abi, &example);
		if (count <= most)
			continue;
		most = count;
		best = abi;
		first = example;
	}
	if (most) {
		snprintf(why, size, "%zu entry points that only it has, such as %s", most, first);
		return best;
	}
	for (int abi = 0; abi < OPERATOR_ABI_COUNT; abi++) {
		const size_t length = strlen(operator_profiles[abi]);
		if (strncmp(set->readme, operator_profiles[abi], length) == 0 && !isdigit((unsigned char)set->readme[length])) {
			snprintf(why, size, "README: Candle %s", set->readme);
			return abi;
		}
	}
	snprintf(why, size, "assumed: no entry point tells the releases apart");
	return 0;
}

static int set_texts(struct inventory_record *inventory, const struct set *set, int abi, const char *why, const char *claim,
		     struct error *err)
{
	const size_t length = folder_length(set->folder);
	free(inventory->folder);
	free(inventory->profile);
	free(inventory->evidence);
	free(inventory->claim);
	inventory->folder = copy_text(length ? set->folder : "./", length ? length : 2);
	inventory->profile = strdup(operator_profiles[abi]);
	inventory->evidence = strdup(why);
	inventory->claim = strdup(claim);
	if (!inventory->folder || !inventory->profile || !inventory->evidence || !inventory->claim)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	return 0;
}

static int decide_set(struct plan *plan, const struct set *set, const char *asked, const struct symbol_table tables[OPERATOR_ABI_COUNT],
		      struct run_record *run, struct error *err)
{
	char why[256];
	const int abi = choose_profile(set, tables, asked, why, sizeof why);
	const struct inventory_question question = {
		.table = &tables[abi],
		.present = set->present,
		.present_count = set->present_count,
		.modules = set->module_names,
		.module_count = set->count,
		.whole = set->from_cargo,
		.architecture = set->architecture,
	};
	struct inventory_record *inventory = run_record_add_inventory(run, err);
	if (!inventory || set_texts(inventory, set, abi, why, asked ? "--abi" : set->claimed_by, err) ||
	    inventory_take(&question, inventory, err))
		return -1;
	for (size_t i = 0; i < set->count; i++) {
		struct job *job = &plan->jobs[set->jobs[i]];
		const char *attention = run->artifacts[job->artifact].abi; /* of an artifact that has both */
		char *text = NULL;
		job->abi = abi;
		job->inventory = (int)run->inventory_count - 1;
		for (size_t k = 0; k < job->entry_count; k++) {
			const struct known_symbol *known = symbol_table_find(&tables[abi], job->entries[k].symbol);
			job->entries[k].family = known ? known->family : NULL;
			snprintf(job->entries[k].module, sizeof job->entries[k].module, "%s", known ? known->module : "");
		}
		if (asprintf(&text, "%s%s%s (%s)", attention, attention[0] ? "; operators: " : "", operator_profiles[abi], why) < 0)
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		free(run->artifacts[job->artifact].abi);
		run->artifacts[job->artifact].abi = text;
	}
	return 0;
}

int plan_operators_sets(struct plan *plan, const char *abi, const struct symbol_table tables[OPERATOR_ABI_COUNT],
			struct run_record *run, struct error *err)
{
	for (size_t first = 0; first < plan->count; first++) {
		struct set set;
		int earlier = 0;
		if (!job_is_operators(&plan->jobs[first]))
			continue;
		for (size_t i = 0; i < first; i++)
			earlier |= job_is_operators(&plan->jobs[i]) && same_folder(&plan->jobs[i], &plan->jobs[first]);
		if (earlier)
			continue;
		if (set_make(&set, plan, first, err))
			return -1;
		const int failed = decide_set(plan, &set, abi, tables, run, err);
		set_free(&set);
		if (failed)
			return -1;
	}
	return 0;
}
