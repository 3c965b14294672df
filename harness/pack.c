#include "pack.h"

#include "inspect_format.h"
#include "json_object.h"
#include "verify_prebuilt.h"

#include <stdlib.h>
#include <string.h>

/* Path of something below `base`, as it stands in the manifest. */
static char *relative(const char *base, const char *path)
{
	char *real_base = realpath(base, NULL), *real = realpath(path, NULL), *below = NULL;
	const size_t length = real_base ? strlen(real_base) : 0;
	if (real && real_base && strncmp(real, real_base, length) == 0)
		below = strdup(real[length] ? real + length + 1 : ".");
	free(real_base);
	free(real);
	return below;
}

/* ---- folders ---- */

static json_t *files_json(const struct prebuilt_folder *folder, struct error *err)
{
	json_t *files = json_array();
	for (size_t i = 0; files && i < folder->file_count; i++) {
		char hex[65];
		char *path = path_join(folder->out, folder->files[i].path);
		const int failed = !path || file_sha256(path, hex, err);
		free(path);
		json_t *file = failed ? NULL
				      : json_pack("{s:o, s:I, s:s}", "path", text_json(folder->files[i].path), "size",
						  (json_int_t)folder->files[i].size, "sha256", hex);
		if (!file || json_array_append_new(files, file)) {
			json_decref(files);
			return NULL;
		}
	}
	return files;
}

static json_t *artifact_json(const struct doctor *doctor, const struct doctor_artifact *facts)
{
	struct object object = object_new();
	char *path = relative(doctor->prebuilt.path, facts->path);
	put_text(&object, "path", path);
	put_text(&object, "sha256", facts->sha256);
	put_text(&object, "kind", facts->kind);
	put_text(&object, "targets", facts->targets);
	put(&object, "cuda", release_json(facts->toolkit_max));
	put(&object, "cuda_at_least", facts->toolkit_max ? json_boolean(facts->toolkit_at_least) : json_null());
	put(&object, "system", facts->host == HOST_UNKNOWN ? json_null() : json_string(host_os_name(facts->host)));
	put(&object, "processor", text_or_none(facts->machine));
	put(&object, "c_runtime", facts->crt == MSVC_RUNTIME_UNKNOWN ? json_null() : json_string(msvc_runtime_name(facts->crt)));
	put(&object, "driver", text_or_none(facts->to_load ? facts->to_load : facts->to_compile));
	put(&object, "driver_to_compile", text_or_none(facts->to_compile));
	put(&object, "windows_driver", text_or_none(facts->windows_to_load ? facts->windows_to_load : facts->windows_to_compile));
	free(path);
	return object_done(&object);
}

static json_t *folder_json(const struct doctor *doctor, int index, const char *release, struct error *err)
{
	const struct prebuilt_folder *folder = &doctor->prebuilt.folders[index];
	const struct provenance *provenance = &folder->provenance;
	struct object object = object_new(), built = object_new();
	json_t *artifacts = json_array(), *flags = json_array();
	char *path = relative(doctor->prebuilt.path, folder->out);
	put_text(&object, "path", path);
	free(path);
	put(&object, "crate", text_or_none(folder->crate));
	put(&object, "release", text_or_none(release ? release : folder->has_claims ? folder->claims.candle_release : NULL));
	for (int i = 0; i < provenance->flag_count; i++)
		json_array_append_new(flags, text_json(provenance->flags[i]));
	put(&built, "system", provenance->host == HOST_UNKNOWN ? json_null() : json_string(host_os_name(provenance->host)));
	put(&built, "cuda", release_json(provenance->cuda_version));
	put(&built, "compute_capability", release_json(provenance->compute_cap));
	put(&built, "flags", flags);
	put(&built, "seconds", folder->build_seconds > 0 ? number_json(folder->build_seconds) : json_null());
	put(&object, "built", object_done(&built));
	put(&object, "files", files_json(folder, err));
	for (int i = 0; i < doctor->artifact_count; i++)
		if (doctor->artifacts[i].folder == index &&
		    json_array_append_new(artifacts, artifact_json(doctor, &doctor->artifacts[i])))
			object.failed = 1;
	put(&object, "artifacts", artifacts);
	return object_done(&object);
}

/* ---- runs ---- */

static int compare_doubles(const void *a, const void *b)
{
	const double left = *(const double *)a, right = *(const double *)b;
	return left < right ? -1 : left > right;
}

/* Best and median rate of the timed cases, in the unit that bounds most of them; absent without any. */
static int put_figures(struct object *object, const struct run_record *run, int artifact)
{
	double *rates[2] = {calloc(run->case_count + 1, sizeof(double)), calloc(run->case_count + 1, sizeof(double))};
	size_t counts[2] = {0, 0};
	static const char *const names[2][2] = {{"flops_median", "flops_best"},
						{"bytes_per_second_median", "bytes_per_second_best"}};
	if (rates[0] && rates[1]) {
		for (size_t i = 0; i < run->case_count; i++) {
			const struct case_record *record = &run->cases[i];
			const int bytes = record->unit == WORK_BYTES;
			const double work = bytes ? record->bytes : record->flops;
			const double seconds = bytes && record->cold.measured ? record->cold.median : record->hot.median;
			if (record->artifact == artifact && record->judgement.status == STATUS_PASS && record->hot.measured &&
			    seconds > 0 && work > 0)
				rates[bytes][counts[bytes]++] = work / seconds;
		}
		for (int k = 0; k < 2; k++) {
			if (!counts[k])
				continue;
			qsort(rates[k], counts[k], sizeof(double), compare_doubles);
			put_number(object, names[k][0], rates[k][(counts[k] - 1) / 2]);
			put_number(object, names[k][1], rates[k][counts[k] - 1]);
		}
		put_int(object, "timed", (int64_t)(counts[0] + counts[1]));
	}
	const int failed = !rates[0] || !rates[1];
	free(rates[0]);
	free(rates[1]);
	return failed ? -1 : 0;
}

static json_t *run_artifact_json(const struct doctor *doctor, const struct run_record *run, int index)
{
	const struct artifact_record *artifact = &run->artifacts[index];
	const struct verify_counts counts = verify_count(run, index);
	struct object object = object_new();
	char *path = relative(doctor->prebuilt.path, artifact->path);
	put_text(&object, "path", path ? path : path_base(artifact->path));
	free(path);
	put_text(&object, "sha256", artifact->sha256);
	put_text(&object, "verdict", counts.bad ? "fail" : counts.passed ? "pass" : "not verified");
	put_int(&object, "cases", (int64_t)counts.cases);
	put_int(&object, "passed", (int64_t)counts.passed);
	put_int(&object, "failed", (int64_t)counts.bad);
	put_int(&object, "undecided", (int64_t)counts.undecided);
	put(&object, "donor", text_or_none(artifact->donor));
	object.failed |= put_figures(&object, run, index) != 0;
	return object_done(&object);
}

static json_t *run_json(const struct doctor *doctor, const struct run_record *run)
{
	const struct device_properties *device = &run_record_device(run, NULL)->properties;
	struct object object = object_new();
	json_t *datasets = json_array(), *artifacts = json_array();
	put(&object, "architecture",
	    device->kind == DEVICE_CPU ? json_string("cpu") : json_sprintf("sm_%d%d", device->cc_major, device->cc_minor));
	put_text(&object, "device", device->name);
	put(&object, "driver", text_or_none(device->driver_text));
	put_text(&object, "date", run->date);
	put_text(&object, "assay_version", run->version);
	put(&object, "math", text_or_none(run->math));
	put(&object, "incomplete", json_boolean(0));
	for (size_t i = 0; i < run->inventory_count; i++)
		if (inventory_is_broken(&run->inventories[i]))
			put(&object, "incomplete", json_boolean(1));
	for (size_t i = 0; i < run->dataset_count; i++)
		json_array_append_new(datasets, json_pack("{s:o, s:s}", "name", text_json(path_base(run->datasets[i].path)),
							  "sha256", run->datasets[i].sha256));
	for (size_t i = 0; i < run->artifact_count; i++)
		if (json_array_append_new(artifacts, run_artifact_json(doctor, run, (int)i)))
			object.failed = 1;
	put(&object, "datasets", datasets);
	put(&object, "artifacts", artifacts);
	return object_done(&object);
}

static int is_present(const struct doctor *doctor, const char *sha256)
{
	for (int i = 0; i < doctor->artifact_count; i++)
		if (strcmp(doctor->artifacts[i].sha256, sha256) == 0)
			return 1;
	return 0;
}

/* A run from before, without what is said of files that are others now; NULL: nothing is left of it. */
static json_t *still_true(const struct doctor *doctor, const json_t *run)
{
	json_t *copy = json_deep_copy(run), *artifacts = json_object_get(copy, "artifacts");
	for (size_t i = json_array_size(artifacts); i-- > 0;)
		if (!is_present(doctor, manifest_text(json_array_get(artifacts, i), "sha256", "")))
			json_array_remove(artifacts, i);
	if (json_array_size(artifacts))
		return copy;
	json_decref(copy);
	return NULL;
}

static json_t *runs_json(const struct doctor *doctor, const struct pack_options *options, struct text *out)
{
	json_t *runs = json_array(), *now = options->run && options->run->device_count ? run_json(doctor, options->run) : NULL;
	const json_t *earlier = json_object_get(options->earlier, "runs");
	const char *architecture = manifest_text(now, "architecture", "");
	int failed = !runs || (options->run && options->run->device_count && !now);
	for (size_t i = 0; !failed && i < json_array_size(earlier); i++) {
		const json_t *run = json_array_get(earlier, i);
		const char *its = manifest_text(run, "architecture", "?");
		if (strcmp(its, architecture) == 0)
			continue;
		json_t *kept = still_true(doctor, run);
		if (!kept ||
		    json_array_size(json_object_get(kept, "artifacts")) < json_array_size(json_object_get(run, "artifacts"))) {
			text_append(out, "What was measured on ");
			cli_append_clean(out, its, strlen(its));
			text_append(out, " is of other files%s, and is left out.\n", kept ? " in part" : "");
		}
		failed = kept && json_array_append_new(runs, kept);
	}
	if (now && !failed)
		failed = json_array_append_new(runs, now);
	if (!failed)
		return runs;
	json_decref(runs);
	return NULL;
}

static json_t *policy_json(const struct pack_policy *policy)
{
	return json_pack("{s:s, s:i, s:O}", "verdict",
			 !policy->is_set    ? "not checked"
			 : policy->failures ? "fail"
					    : "pass",
			 "failed", policy->failures, "failures", policy->failed);
}

int pack_manifest(const struct doctor *doctor, const struct pack_options *options, json_t **manifest, struct text *out,
		  struct error *err)
{
	struct object object = object_new();
	json_t *folders = json_array();
	*manifest = NULL;
	if (err)
		err->message[0] = '\0';
	put_text(&object, "schema", "assay-manifest");
	put_int(&object, "schema_version", 1);
	put_text(&object, "assay_version", ASSAY_VERSION);
	for (int f = 0; f < doctor->prebuilt.count; f++)
		if (json_array_append_new(folders, folder_json(doctor, f, options->release, err)))
			object.failed = 1;
	put(&object, "folders", folders);
	put(&object, "policy", policy_json(options->policy));
	put(&object, "runs", runs_json(doctor, options, out));
	*manifest = object_done(&object);
	if (*manifest)
		return 0;
	return err && err->message[0] ? -1 : error_out_of_memory(err);
}

int pack_is_bad(const json_t *manifest)
{
	const json_t *runs = json_object_get(manifest, "runs");
	int bad = strcmp(manifest_text(json_object_get(manifest, "policy"), "verdict", ""), "fail") == 0;
	for (size_t i = 0; i < json_array_size(runs); i++) {
		const json_t *artifacts = json_object_get(json_array_get(runs, i), "artifacts");
		bad |= json_is_true(json_object_get(json_array_get(runs, i), "incomplete"));
		for (size_t k = 0; k < json_array_size(artifacts); k++)
			bad |= strcmp(manifest_text(json_array_get(artifacts, k), "verdict", "fail"), "fail") == 0;
	}
	return bad;
}

/* ---- the table ---- */

/* Text of a cell: Markdown's and HTML's marks lose their meaning. */
static void cell(struct text *out, const char *text)
{
	text_append(out, " ");
	for (const char *at = text; *at; at++) {
		if (*at == '<')
			text_append(out, "&lt;");
		else if (*at == '&')
			text_append(out, "&amp;");
		else if (strchr("|*`[]\\", *at))
			text_append(out, "\\%c", *at);
		else
			text_append_bytes(out, (unsigned char)*at < 0x20 || *at == 0x7f ? " " : at, 1);
	}
	text_append(out, " |");
}

static void append_rate(struct text *out, const json_t *artifact, const char *key, double scale, const char *unit)
{
	const double rate = json_number_value(json_object_get(artifact, key));
	if (rate > 0)
		text_append(out, ", up to %.3g %s", rate / scale, unit);
}

static void run_cell(struct text *out, const json_t *run, const char *sha256)
{
	const json_t *artifacts = json_object_get(run, "artifacts");
	struct text text = {0};
	for (size_t i = 0; i < json_array_size(artifacts); i++) {
		const json_t *artifact = json_array_get(artifacts, i);
		if (strcmp(manifest_text(artifact, "sha256", ""), sha256) != 0)
			continue;
		text.length = 0;
		text_append(&text, "%s, %lld of %lld cases", manifest_text(artifact, "verdict", "?"),
			    (long long)json_integer_value(json_object_get(artifact, "passed")),
			    (long long)json_integer_value(json_object_get(artifact, "cases")));
		append_rate(&text, artifact, "flops_best", 1e12, "TFLOP/s");
		append_rate(&text, artifact, "bytes_per_second_best", 1e9, "GB/s");
		if (json_is_string(json_object_get(artifact, "donor")))
			text_append(&text, ", under another build's host code");
	}
	cell(out, text.data ? text.data : "not verified");
	out->failed |= text.failed;
	text_free(&text);
}

void pack_table(const json_t *manifest, struct text *out)
{
	const json_t *folders = json_object_get(manifest, "folders"), *runs = json_object_get(manifest, "runs");
	text_append(out, "| file | CUDA | device code | host code | driver, at least |");
	for (size_t i = 0; i < json_array_size(runs); i++) {
		struct text head = {0};
		const json_t *run = json_array_get(runs, i);
		text_append(&head, "%s: %s", manifest_text(run, "architecture", "?"), manifest_text(run, "device", "?"));
		cell(out, head.data ? head.data : "");
		text_free(&head);
	}
	text_append(out, "\n|---|---|---|---|---|");
	for (size_t i = 0; i < json_array_size(runs); i++)
		text_append(out, "---|");
	text_append(out, "\n");
	for (size_t f = 0; f < json_array_size(folders); f++) {
		const json_t *artifacts = json_object_get(json_array_get(folders, f), "artifacts");
		for (size_t i = 0; i < json_array_size(artifacts); i++) {
			const json_t *artifact = json_array_get(artifacts, i);
			char cuda[64], host[96];
			snprintf(cuda, sizeof cuda, "%s%s", manifest_text(artifact, "cuda", "not known"),
				 json_is_true(json_object_get(artifact, "cuda_at_least")) ? " or later" : "");
			snprintf(host, sizeof host, "%s %s", manifest_text(artifact, "system", "none"),
				 manifest_text(artifact, "processor", ""));
			text_append(out, "|");
			cell(out, manifest_text(artifact, "path", "?"));
			cell(out, cuda);
			cell(out, manifest_text(artifact, "targets", ""));
			cell(out, host);
			cell(out, manifest_text(artifact, "driver", "not known"));
			for (size_t r = 0; r < json_array_size(runs); r++)
				run_cell(out, json_array_get(runs, r), manifest_text(artifact, "sha256", ""));
			text_append(out, "\n");
		}
	}
	text_append(out,
		    "\nMade by assay %s; %s has hashes and figures. `assay doctor` tells whether it fits a project, `assay "
		    "install` puts it "
		    "there.\n",
		    manifest_text(manifest, "assay_version", "?"), MANIFEST_NAME);
}

int pack_insert(const char *name, const char *text, size_t size, const struct text *table, struct text *out, struct error *err)
{
	const size_t begin_length = strlen(PACK_BEGIN), end_length = strlen(PACK_END);
	const char *begin = size ? memmem(text, size, PACK_BEGIN, begin_length) : NULL;
	const char *end = size ? memmem(text, size, PACK_END, end_length) : NULL;
	const char *limit = text + size;
	const int twice = (begin && memmem(begin + 1, (size_t)(limit - begin) - 1, PACK_BEGIN, begin_length)) ||
			  (end && memmem(end + 1, (size_t)(limit - end) - 1, PACK_END, end_length));
	if (twice || !begin != !end || (begin && end < begin))
		return error_set(err, ERROR_INPUT,
				 "%s: does not hold one line \"%s\" and one \"%s\" after it: put them right, or take both out",
				 name, PACK_BEGIN, PACK_END);
	const size_t before = begin ? (size_t)(begin - text) : size;
	text_append_bytes(out, text, before);
	if (!begin)
		text_append(out, "%s", size == 0 ? "" : text[size - 1] == '\n' ? "\n" : "\n\n");
	text_append(out, "%s\n", PACK_BEGIN);
	text_append_bytes(out, table->data ? table->data : "", table->length);
	text_append(out, "%s", PACK_END);
	if (end)
		text_append_bytes(out, end + end_length, (size_t)(limit - end) - end_length);
	else
		text_append(out, "\n");
	return out->failed || table->failed ? error_out_of_memory(err) : 0;
}
