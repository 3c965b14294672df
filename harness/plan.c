#include "plan.h"

#include "artifact_images.h"

#include "core/util.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		free(plan->jobs[i].artifact_path);
		free(plan->jobs[i].donor_path);
		free(plan->jobs[i].entries);
	}
	free(plan->jobs);
	*plan = (struct plan){0};
}

int job_is_operators(const struct job *job)
{
	return job->entries != NULL;
}

static struct job *add_job(struct plan *plan, const char *path, int artifact, struct error *err)
{
	struct job *jobs = realloc(plan->jobs, (plan->count + 1) * sizeof *jobs);
	if (!jobs) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		return NULL;
	}
	plan->jobs = jobs;
	struct job *job = &jobs[plan->count];
	*job = (struct job){.artifact_path = strdup(path), .artifact = artifact, .runtime_major = 13};
	if (!job->artifact_path) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		return NULL;
	}
	plan->count++;
	return job;
}

/* The first SASS image that states its toolkit speaks for the archive; inspect reports when images disagree. PTX inside a
 * fatbin carries no toolkit, so an archive of PTX only is told by its undefined symbols. */
static unsigned toolkit_of(struct artifact *artifact, char *text, size_t size)
{
	text[0] = '\0';
	for (int u = 0; u < artifact->unit_count; u++) {
		struct artifact_unit *unit = &artifact->units[u];
		for (int i = 0; i < unit->image_count; i++) {
			struct artifact_image *image = &unit->images[i];
			if (image->entry.kind != FATBIN_ELF || artifact_load_image(artifact, unit, image, NULL) || !image->cubin.toolkit)
				continue;
			snprintf(text, size, "CUDA %u.%u%s%s%s", image->cubin.toolkit / 10, image->cubin.toolkit % 10,
				 image->cubin.tool_version ? " (" : "", image->cubin.tool_version ? image->cubin.tool_version : "",
				 image->cubin.tool_version ? ")" : "");
			return image->cubin.toolkit;
		}
	}
	return 0;
}

static int runtime_major_of(const struct artifact *artifact, unsigned toolkit)
{
	if (toolkit)
		return (int)(toolkit / 10);
	for (int u = 0; u < artifact->unit_count; u++) {
		const struct host_object *host = &artifact->units[u].host;
		if (host->cuda_major_max)
			return host->cuda_major_max;
		if (host->cuda_major_min)
			return host->cuda_major_min;
	}
	return 13;
}

static char *describe_provenance(const struct provenance *provenance)
{
	struct text text = {0};
	if (!provenance)
		return strdup("");
	if (provenance->crate)
		text_append(&text, "crate %s", provenance->crate);
	if (provenance->cuda_version)
		text_append(&text, "%sCUDA %u.%u", text.length ? ", " : "", provenance->cuda_version / 10, provenance->cuda_version % 10);
	if (provenance->compute_cap)
		text_append(&text, "%scompute capability %u.%u", text.length ? ", " : "", provenance->compute_cap / 10,
			    provenance->compute_cap % 10);
	if (provenance->host != HOST_UNKNOWN)
		text_append(&text, "%sbuilt on %s", text.length ? ", " : "", host_os_name(provenance->host));
	for (int i = 0; i < provenance->flag_count; i++)
		text_append(&text, "%s%s", i ? " " : text.length ? ", flags " : "flags ", provenance->flags[i]);
	return text.data ? text.data : strdup("");
}

/* Which of the family's profiles the archive wants. */
static void choose_profile(struct job *job, struct artifact *artifact, const char *wanted, struct text *why)
{
	if (wanted) {
		for (int i = 0; job->family->profiles[i]; i++)
			if (strcmp(job->family->profiles[i], wanted) == 0)
				job->abi = i;
		text_append(why, "%s (asked for)", wanted);
		return;
	}
	struct mha_abi_evidence evidence;
	struct error err;
	if (strcmp(job->entry_point, "run_mha") != 0 || artifact_mha_abi(artifact, &evidence, &err)) {
		text_append(why, "%s (assumed)", job->family->profiles[0]);
		return;
	}
	job->abi = evidence.abi == MHA_ABI_CANDLE_0_11 ? 1 : 0;
	text_append(why, "%s (%s%s)", job->family->profiles[job->abi], evidence.assumed ? "assumed: " : "", evidence.evidence);
	if (evidence.abi == MHA_ABI_FLASH3) {
		job->refused = STATUS_UNSUPPORTED;
		snprintf(job->reason, sizeof job->reason, "run_mha of candle-flash-attn-v3 takes other arguments; no profile for it yet");
	}
}

static int describe(struct artifact_record *record, struct artifact *artifact, const char *toolkit, struct error *err)
{
	*record = (struct artifact_record){
		.path = strdup(artifact->path),
		.size = artifact->map.size,
		.kind = strdup(object_kind_name(artifact->kind)),
		.images = artifact_images_text(artifact),
		.toolkit = strdup(toolkit),
		.provenance = describe_provenance(artifact->provenance),
		.abi = strdup(""),
		.cudart = strdup(""),
		.stubbed = strdup(""),
		.refused = strdup(""),
	};
	snprintf(record->sha256, sizeof record->sha256, "%s", artifact_sha256(artifact));
	if (!record->path || !record->kind || !record->images || !record->toolkit || !record->provenance || !record->abi ||
	    !record->cudart || !record->stubbed || !record->refused)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	return 0;
}

/* Why a file that has no entry point for us has none. */
static void explain_refusal(struct job *job, const struct artifact *artifact)
{
	job->refused = STATUS_UNSUPPORTED;
	if (artifact->kind == OBJECT_ZIP) {
		snprintf(job->reason, sizeof job->reason, "%s: is a zip archive; unpack it and give the libraries in it", artifact->path);
		return;
	}
	for (int u = 0; u < artifact->unit_count; u++)
		if (artifact_unit_not_linkable(&artifact->units[u])) {
			snprintf(job->reason, sizeof job->reason, "%s: %s: %s%s", artifact->path, artifact->units[u].name,
				 artifact_unit_not_linkable(&artifact->units[u]),
				 plan_wants_donor(artifact) ? "; or name an archive of the same release for Linux with --donor: its host code "
							      "then launches the kernels of this one" : "");
			return;
		}
	if (artifact->kind == OBJECT_PTX || artifact->kind == OBJECT_CUBIN || artifact->kind == OBJECT_FATBIN) {
		snprintf(job->reason, sizeof job->reason, "%s: has no kernel; assay inspect shows what it holds", artifact->path);
		return;
	}
	struct text known = {0};
	for (const struct family *const *family = families; *family; family++)
		for (const char *const *entry = (*family)->entry_points; entry && *entry; entry++)
			text_append(&known, "%s%s", known.length ? ", " : "", *entry);
	snprintf(job->reason, sizeof job->reason, "%s: defines none of the entry points that can be called (%s); assay inspect "
		 "shows what it holds", artifact->path, known.data ? known.data : "");
	text_free(&known);
}

static int set_text(char **field, const char *text, struct error *err)
{
	free(*field);
	*field = strdup(text);
	return *field ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

/* Adds the artifact's record; gives its index, or -1. */
static int add_record(struct run_record *run, struct artifact *artifact, const char *toolkit, struct error *err)
{
	struct artifact_record *records = realloc(run->artifacts, (run->artifact_count + 1) * sizeof *records);
	if (!records)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	run->artifacts = records;
	const int described = describe(&records[run->artifact_count], artifact, toolkit, err);
	run->artifact_count++;
	return described ? -1 : (int)run->artifact_count - 1;
}

/* A job of the artifact whose host functions are those of `host`, which may be the artifact itself. */
static struct job *add_host_job(struct plan *plan, struct artifact *artifact, struct artifact *host, int index, struct error *err)
{
	char toolkit[160];
	struct job *job = add_job(plan, artifact->path, index, err);
	if (!job)
		return NULL;
	job->runtime_major = runtime_major_of(host, toolkit_of(host, toolkit, sizeof toolkit));
	if (host == artifact || (job->donor_path = strdup(host->path)))
		return job;
	error_set(err, ERROR_ENVIRONMENT, "out of memory");
	return NULL;
}

static void drop_last_job(struct plan *plan)
{
	struct job *job = &plan->jobs[--plan->count];
	free(job->artifact_path);
	free(job->donor_path);
	free(job->entries);
}

/* Jobs for the entry points of one artifact, which are in `host`: one for each of attention, one for all of operators. */
static int plan_entry_points(struct plan *plan, struct artifact *artifact, struct artifact *host, int index, const char *abi,
			     const struct symbol_table *tables, struct run_record *run, struct error *err)
{
	struct artifact_record *record = &run->artifacts[index];
	struct artifact_entry_points points = {0};
	struct text why = {0};
	int found = 0, has_operators = 0, result = -1;
	if (artifact_entry_points(host, &points, err))
		return -1;
	for (int i = 0; i < points.count; i++) {
		const struct family *family = family_of_entry_point(points.items[i].name);
		if (!family || host->kind == OBJECT_ZIP || artifact_unit_not_linkable(&host->units[points.items[i].unit]))
			continue;
		if (family->symbols) {
			has_operators = 1;
			continue;
		}
		struct job *job = add_host_job(plan, artifact, host, index, err);
		if (!job)
			goto done;
		found = 1;
		job->family = family;
		snprintf(job->entry_point, sizeof job->entry_point, "%s", points.items[i].name);
		choose_profile(job, host, abi, &why);
		if (host != artifact && !job->reason[0])
			plan_donor_check_release(job, artifact, host);
		if (set_text(&record->abi, why.data ? why.data : "", err))
			goto done;
	}
	if (!found || has_operators) {
		struct job *job = add_host_job(plan, artifact, host, index, err);
		if (!job)
			goto done;
		const int operators = plan_operators_of(job, artifact, host, tables, record, err);
		if (operators < 0)
			goto done;
		if (!operators && found)
			drop_last_job(plan);
		else if (!operators)
			explain_refusal(job, host);
	}
	result = 0;
done:
	text_free(&why);
	artifact_entry_points_free(&points);
	return result;
}

static int plan_artifact(struct plan *plan, const char *path, const struct plan_options *options,
			 const struct symbol_table *tables, struct run_record *run, struct error *err)
{
	struct artifact artifact, host;
	char toolkit[160];
	int result = -1;
	if (artifact_open(path, &artifact, err))
		return -1;
	toolkit_of(&artifact, toolkit, sizeof toolkit);
	const int index = add_record(run, &artifact, toolkit, err);
	if (index < 0)
		goto done;
	if (!options->donor || !plan_wants_donor(&artifact)) {
		result = plan_entry_points(plan, &artifact, &artifact, index, options->abi, tables, run, err);
		goto done;
	}
	struct job refused = {0};
	const int opened = plan_donor_open(options->donor, &artifact, &host, &refused, err);
	if (opened > 0) {
		result = plan_entry_points(plan, &artifact, &host, index, options->abi, tables, run, err);
		artifact_close(&host);
	} else if (opened == 0) {
		struct job *job = add_job(plan, path, index, err);
		if (!job)
			goto done;
		job->refused = STATUS_UNSUPPORTED;
		snprintf(job->reason, sizeof job->reason, "%s", refused.reason);
		result = 0;
	}
done:
	artifact_close(&artifact);
	return result;
}

static int check_profile(const char *abi, struct error *err)
{
	int known = 0;
	struct text names = {0};
	for (const struct family *const *family = families; *family; family++)
		for (const char *const *profile = (*family)->profiles; *profile; profile++) {
			known |= strcmp(*profile, abi) == 0;
			int told = 0;
			for (const struct family *const *other = families; *other != *family; other++)
				for (const char *const *earlier = (*other)->profiles; *earlier; earlier++)
					told |= strcmp(*earlier, *profile) == 0;
			if (!told)
				text_append(&names, "%s%s", names.length ? ", " : "", *profile);
		}
	if (!known)
		error_set(err, ERROR_USAGE, "--abi %s: no such profile; there are %s", abi, names.data);
	text_free(&names);
	return known ? 0 : -1;
}

/* ---- which jobs may fail the same case ---- */

struct callable {
	const char *name; /* of an entry point with cases */
	size_t job;
};

static int by_name(const void *a, const void *b)
{
	const struct callable *x = a, *y = b;
	const int order = strcmp(x->name, y->name);
	return order ? order : (x->job > y->job) - (x->job < y->job);
}

static void label(struct plan *plan, size_t index, const struct run_record *run)
{
	struct job *job = &plan->jobs[index];
	const struct artifact_record *artifact = &run->artifacts[job->artifact];
	const char *base = path_base(job->artifact_path);
	const int stem = (int)strcspn(base, ".");
	snprintf(job->keep_label, sizeof job->keep_label, "%.*s-%.8s", stem < 48 ? stem : 48, base, artifact->sha256);
	for (size_t i = 0; i < plan->count; i++)
		if (plan->jobs[i].artifact != job->artifact && strcmp(run->artifacts[plan->jobs[i].artifact].sha256, artifact->sha256) == 0) {
			snprintf(job->keep_label, sizeof job->keep_label, "%.*s-%.8s-%d", stem < 48 ? stem : 48, base, artifact->sha256,
				 job->artifact + 1);
			return;
		}
}

/* Jobs that share an entry point are told apart where they keep failures: its cases are asked of each. */
static int label_jobs(struct plan *plan, const struct run_record *run, struct error *err)
{
	size_t count = 0, room = plan->count;
	for (size_t i = 0; i < plan->count; i++)
		room += plan->jobs[i].entry_count;
	struct callable *callables = calloc(room ? room : 1, sizeof *callables);
	if (!callables)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t i = 0; i < plan->count; i++) {
		const struct job *job = &plan->jobs[i];
		if (job->entry_point[0] && !job->reason[0])
			callables[count++] = (struct callable){job->entry_point, i};
		for (size_t k = 0; k < job->entry_count; k++)
			if (job->entries[k].family)
				callables[count++] = (struct callable){job->entries[k].symbol, i};
	}
	qsort(callables, count, sizeof *callables, by_name);
	for (size_t i = 1; i < count; i++)
		if (strcmp(callables[i].name, callables[i - 1].name) == 0) {
			label(plan, callables[i - 1].job, run);
			label(plan, callables[i].job, run);
		}
	free(callables);
	return 0;
}

int plan_make(struct plan *plan, const struct plan_options *options, struct run_record *run, struct error *err)
{
	struct symbol_table tables[OPERATOR_ABI_COUNT] = {{0}};
	int result = -1;
	*plan = (struct plan){0};
	if (options->abi && check_profile(options->abi, err))
		return -1;
	for (int abi = 0; abi < OPERATOR_ABI_COUNT; abi++)
		if (symbol_table_make(&tables[abi], (enum operator_abi)abi, err))
			goto done;
	for (int i = 0; i < options->path_count; i++) {
		struct artifact_list list;
		int failed = 0;
		if (artifact_discover(options->paths[i], &list, err))
			goto done;
		for (int k = 0; k < list.count && !failed; k++)
			failed = plan_artifact(plan, list.paths[k], options, tables, run, err);
		artifact_list_free(&list);
		if (failed)
			goto done;
	}
	result = plan_operators_sets(plan, options->abi, tables, run, err) || label_jobs(plan, run, err) ? -1 : 0;
done:
	for (int abi = 0; abi < OPERATOR_ABI_COUNT; abi++)
		symbol_table_free(&tables[abi]);
	if (result)
		plan_free(plan);
	return result;
}
