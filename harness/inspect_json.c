#include "inspect.h"

#include "artifact/compat.h"
#include "inspect_json_values.h"

#include <stdlib.h>
#include <string.h>

void json_put(struct builder *builder, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		builder->failed = 1;
}

void json_add(struct builder *builder, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value))
		builder->failed = 1;
}

json_t *text_or_null(const char *text)
{
	return text ? cli_json_text(text, strlen(text)) : json_null();
}

json_t *release_or_null(unsigned release)
{
	return release ? json_sprintf("%u.%u", release / 10, release % 10) : json_null();
}

json_t *three_or_null(const unsigned values[3])
{
	if (!values[0] && !values[1] && !values[2])
		return json_null();
	return json_pack("[I, I, I]", (json_int_t)values[0], (json_int_t)values[1], (json_int_t)values[2]);
}

json_t *number_or_null(int64_t value)
{
	return value < 0 ? json_null() : json_integer(value);
}

static json_t *msvc_json(struct builder *builder, const struct msvc_facts *msvc)
{
	json_t *object = json_object();
	json_put(builder, object, "runtime", msvc->runtime == MSVC_RUNTIME_UNKNOWN ? json_null() : json_string(msvc_runtime_name(msvc->runtime)));
	json_put(builder, object, "other_runtime",
		 msvc->other_runtime == MSVC_RUNTIME_UNKNOWN ? json_null() : json_string(msvc_runtime_name(msvc->other_runtime)));
	json_put(builder, object, "evidence", msvc->evidence[0] ? text_or_null(msvc->evidence) : json_null());
	json_put(builder, object, "iterator_debug_level", number_or_null(msvc->iterator_debug_level));
	json_put(builder, object, "msc_ver", number_or_null(msvc->msc_ver ? (int64_t)msvc->msc_ver : -1));
	json_put(builder, object, "linker_version",
		 msvc->linker_version ? json_sprintf("%u.%u", msvc->linker_version / 100, msvc->linker_version % 100) : json_null());
	json_put(builder, object, "runtime_checks", json_boolean(msvc->has_runtime_checks));
	return object;
}

/* Of units for a CPU: what their symbols and headers say. */
static json_t *host_json(struct builder *builder, const struct artifact_unit *unit)
{
	const struct host_object *host = &unit->host;
	const int is_windows = host->kind == OBJECT_COFF || host->kind == OBJECT_COFF_BIGOBJ || host->kind == OBJECT_COFF_IMPORT ||
			       host->kind == OBJECT_PE;
	if (host->kind == OBJECT_UNKNOWN)
		return json_null();
	json_t *object = json_object(), *libraries = json_array();
	int defined = 0;
	for (int i = 0; i < host->symbol_count; i++)
		defined += host->symbols[i].defined;
	for (int i = 0; i < host->library_count; i++)
		json_add(builder, libraries, text_or_null(host->libraries[i]));
	json_put(builder, object, "symbols_defined", json_integer(defined));
	json_put(builder, object, "symbols_undefined", json_integer(host->symbol_count - defined));
	json_put(builder, object, "registered_containers", json_integer((json_int_t)host->wrapper_count));
	json_put(builder, object, "position_independent", host->pic == PIC_UNKNOWN ? json_null() : json_boolean(host->pic == PIC_YES));
	json_put(builder, object, "position_independence_evidence", host->pic_evidence[0] ? text_or_null(host->pic_evidence) : json_null());
	json_put(builder, object, "not_linkable_on_linux", text_or_null(artifact_unit_not_linkable(unit)));
	json_put(builder, object, "per_thread_stream_calls", json_integer(host->per_thread_stream));
	json_put(builder, object, "legacy_stream_calls", json_integer(host->legacy_stream));
	json_put(builder, object, "cuda_major_min", number_or_null(host->cuda_major_min ? host->cuda_major_min : -1));
	json_put(builder, object, "cuda_major_max", number_or_null(host->cuda_major_max ? host->cuda_major_max : -1));
	json_put(builder, object, "runtime_library", text_or_null(host->runtime_library));
	json_put(builder, object, "needs_device_link", json_boolean(host->needs_device_link));
	json_put(builder, object, "library_name", text_or_null(host->library_name));
	json_put(builder, object, "loads", libraries);
	json_put(builder, object, "glibc", text_or_null(host->glibc));
	json_put(builder, object, "glibcxx", text_or_null(host->glibcxx));
	json_put(builder, object, "debug_path", text_or_null(host->debug_path));
	json_put(builder, object, "msvc", is_windows ? msvc_json(builder, &host->msvc) : json_null());
	return object;
}

static json_t *unit_json(struct builder *builder, const struct artifact_unit *unit)
{
	json_t *object = json_object(), *images = json_array();
	const char *machine = object_machine_name(unit->kind, unit->machine);
	json_put(builder, object, "name", text_or_null(unit->name));
	json_put(builder, object, "offset", json_integer((json_int_t)unit->offset));
	json_put(builder, object, "bytes", json_integer((json_int_t)unit->size));
	json_put(builder, object, "library", json_integer(unit->library));
	json_put(builder, object, "kind", json_string(object_kind_name(unit->kind)));
	json_put(builder, object, "machine", text_or_null(machine));
	json_put(builder, object, "problem", text_or_null(unit->problem));
	json_put(builder, object, "containers", json_integer(unit->container_count));
	json_put(builder, object, "host", host_json(builder, unit));
	for (int i = 0; i < unit->image_count; i++)
		json_add(builder, images, image_json(builder, &unit->images[i]));
	json_put(builder, object, "images", images);
	return object;
}

static json_t *wheel_json(struct builder *builder, const struct zip_archive *zip)
{
	const struct wheel *wheel = zip ? zip->wheel : NULL;
	if (!wheel)
		return json_null();
	json_t *object = json_object(), *tags = json_array(), *requires = json_array();
	json_put(builder, object, "distribution", text_or_null(wheel->distribution));
	json_put(builder, object, "version", text_or_null(wheel->version));
	json_put(builder, object, "build", text_or_null(wheel->build));
	json_put(builder, object, "python_tag", text_or_null(wheel->python_tag));
	json_put(builder, object, "abi_tag", text_or_null(wheel->abi_tag));
	json_put(builder, object, "platform_tag", text_or_null(wheel->platform_tag));
	json_put(builder, object, "generator", text_or_null(wheel->generator));
	json_put(builder, object, "metadata_name", text_or_null(wheel->metadata_name));
	json_put(builder, object, "metadata_version", text_or_null(wheel->metadata_version));
	for (int i = 0; i < wheel->tag_count; i++)
		json_add(builder, tags, text_or_null(wheel->tags[i]));
	for (int i = 0; i < wheel->require_count; i++)
		json_add(builder, requires, text_or_null(wheel->requires[i]));
	json_put(builder, object, "tags", tags);
	json_put(builder, object, "requires", requires);
	return object;
}

static json_t *provenance_json(struct builder *builder, const struct provenance *from)
{
	if (!from)
		return json_null();
	json_t *object = json_object(), *flags = json_array();
	const char suffix[2] = {from->compute_cap_suffix, 0};
	json_put(builder, object, "folder", text_or_null(from->folder));
	json_put(builder, object, "crate", text_or_null(from->crate));
	json_put(builder, object, "crate_hash", text_or_null(from->crate_hash));
	json_put(builder, object, "root_output", text_or_null(from->root_output));
	json_put(builder, object, "host_os", from->host == HOST_UNKNOWN ? json_null() : json_string(host_os_name(from->host)));
	json_put(builder, object, "cuda_root", text_or_null(from->cuda_root));
	json_put(builder, object, "cuda_version", release_or_null(from->cuda_version));
	json_put(builder, object, "cuda_evidence", from->cuda_version ? text_or_null(from->cuda_evidence) : json_null());
	json_put(builder, object, "compute_cap", from->compute_cap ? json_sprintf("%u%s", from->compute_cap, suffix) : json_null());
	json_put(builder, object, "fast_math", from->fast_math < 0 ? json_null() : json_boolean(from->fast_math));
	for (int i = 0; i < from->flag_count; i++)
		json_add(builder, flags, text_or_null(from->flags[i]));
	json_put(builder, object, "nvcc_flags", flags);
	return object;
}

static json_t *undefined_json(struct builder *builder, const struct inspection *in)
{
	static const char *const keys[ORIGIN_COUNT] = {[ORIGIN_OTHER] = "other",
						       [ORIGIN_CUDA_RUNTIME] = "cuda_runtime",
						       [ORIGIN_CUDA_DRIVER] = "cuda_driver",
						       [ORIGIN_CUDA_LIBRARY] = "cuda_library",
						       [ORIGIN_CXX_RUNTIME] = "cxx_runtime",
						       [ORIGIN_C_LIBRARY] = "c_library",
						       [ORIGIN_MSVC_RUNTIME] = "msvc_runtime"};
	json_t *object = json_object();
	for (int origin = 0; origin < ORIGIN_COUNT; origin++) {
		json_t *names = json_array();
		for (int i = 0; i < in->undefined.count; i++)
			if ((int)in->undefined.items[i].origin == origin)
				json_add(builder, names, text_or_null(in->undefined.items[i].name));
		json_put(builder, object, keys[origin], names);
	}
	return object;
}

static json_t *driver_json(struct builder *builder, const struct artifact_driver_needs *needs)
{
	json_t *object = json_object();
	json_put(builder, object, "toolkit_min", release_or_null(needs->toolkit_min));
	json_put(builder, object, "toolkit_max", release_or_null(needs->toolkit_max));
	json_put(builder, object, "runtime_major", needs->runtime_major ? json_integer(needs->runtime_major) : json_null());
	json_put(builder, object, "runtime_evidence", text_or_null(needs->runtime_evidence));
	json_put(builder, object, "ptx_isa", release_or_null(needs->ptx_isa));
	json_put(builder, object, "zstd", json_boolean(needs->zstd));
	json_put(builder, object, "to_load", text_or_null(needs->to_load));
	json_put(builder, object, "to_compile_ptx", text_or_null(needs->to_compile));
	json_put(builder, object, "windows_to_load", text_or_null(needs->windows_to_load));
	json_put(builder, object, "windows_to_compile_ptx", text_or_null(needs->windows_to_compile));
	return object;
}

static json_t *gpu_json(struct builder *builder, const struct inspection *in, unsigned cc, const struct artifact_coverage *coverage)
{
	json_t *object = json_object();
	json_put(builder, object, "gpu", json_sprintf("sm_%u", cc));
	json_put(builder, object, "cards", text_or_null(gpu_cards(cc)));
	json_put(builder, object, "verdict", json_string(coverage_verdict_name(coverage->verdict)));
	json_put(builder, object, "units_by_sass", json_integer(coverage->sass));
	json_put(builder, object, "units_by_jit", json_integer(coverage->jit));
	json_put(builder, object, "units_linked_again", json_integer(coverage->relinked));
	json_put(builder, object, "units_by_sass_unsure_tegra", json_integer(coverage->tegra));
	json_put(builder, object, "units_built_for_debugging", json_integer(coverage->debug));
	json_put(builder, object, "units_not", json_integer(coverage->none));
	json_put(builder, object, "first_not",
	    coverage->first_none < 0 ? json_null() : text_or_null(in->artifact.units[coverage->first_none].name));
	json_put(builder, object, "reason", coverage->none ? text_or_null(coverage->reason) : json_null());
	return object;
}

int inspect_json(struct inspection *in, const struct gpu_list *gpus, json_t **json, struct error *err)
{
	struct builder builder = {0};
	struct artifact *artifact = &in->artifact;
	*json = NULL;
	if (artifact_load_images(artifact, 1u << FATBIN_ELF | 1u << FATBIN_PTX, err))
		return -1;
	json_t *object = json_object(), *units = json_array(), *points = json_array(), *answers = json_array(), *findings = json_array();
	json_put(&builder, object, "path", text_or_null(artifact->path));
	json_put(&builder, object, "kind", json_string(object_kind_name(artifact->kind)));
	json_put(&builder, object, "bytes", json_integer((json_int_t)artifact->map.size));
	json_put(&builder, object, "sha256", json_string(artifact_sha256(artifact)));
	json_put(&builder, object, "archive",
		 artifact->kind != OBJECT_ARCHIVE && artifact->kind != OBJECT_ARCHIVE_THIN
			 ? json_null()
			 : json_pack("{s:s, s:b, s:b, s:I}", "flavour", ar_flavour_name(&artifact->ar), "thin", artifact->ar.thin, "index",
				     artifact->ar.has_index, "index_symbols", (json_int_t)artifact->ar.index_symbols));
	json_put(&builder, object, "wheel", wheel_json(&builder, artifact->zip));
	json_put(&builder, object, "provenance", provenance_json(&builder, artifact->provenance));
	for (int u = 0; u < artifact->unit_count; u++)
		json_add(&builder, units, unit_json(&builder, &artifact->units[u]));
	json_put(&builder, object, "units", units);
	for (int i = 0; i < in->points.count; i++)
		json_add(&builder, points, text_or_null(in->points.items[i].name));
	json_put(&builder, object, "entry_points", points);
	json_put(&builder, object, "undefined", undefined_json(&builder, in));
	json_put(&builder, object, "abi",
	    in->abi.abi == MHA_ABI_NONE ? json_null()
					: json_pack("{s:s, s:b, s:s}", "run_mha", mha_abi_name(in->abi.abi), "assumed", in->abi.assumed,
						    "evidence", in->abi.evidence));
	json_put(&builder, object, "driver", driver_json(&builder, &in->needs));
	for (int i = 0; i < gpus->count; i++)
		json_add(&builder, answers, gpu_json(&builder, in, gpus->cc[i], &in->coverage[i]));
	json_put(&builder, object, "gpus", answers);
	for (int i = 0; i < in->findings.count; i++) {
		json_t *finding = json_object();
		json_put(&builder, finding, "level", json_string(in->findings.items[i].level == FINDING_WARNING ? "warning" : "note"));
		json_put(&builder, finding, "text", text_or_null(in->findings.items[i].text));
		json_add(&builder, findings, finding);
	}
	json_put(&builder, object, "findings", findings);
	if (!builder.failed) {
		*json = object;
		return 0;
	}
	json_decref(object);
	return error_set(err, ERROR_ENVIRONMENT, "out of memory");
}
