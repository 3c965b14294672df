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

static json_t *unit_json(struct builder *builder, const struct artifact_unit *unit)
{
	json_t *object = json_object(), *images = json_array();
	const char *machine = object_machine_name(unit->kind, unit->machine);
	json_put(builder, object, "name", text_or_null(unit->name));
	json_put(builder, object, "offset", json_integer((json_int_t)unit->offset));
	json_put(builder, object, "bytes", json_integer((json_int_t)unit->size));
	json_put(builder, object, "kind", json_string(object_kind_name(unit->kind)));
	json_put(builder, object, "machine", text_or_null(machine));
	json_put(builder, object, "problem", text_or_null(unit->problem));
	json_put(builder, object, "containers", json_integer(unit->container_count));
	if (unit->host.pic != PIC_UNKNOWN) {
		json_put(builder, object, "position_independent", json_boolean(unit->host.pic == PIC_YES));
		json_put(builder, object, "position_independence_evidence", text_or_null(unit->host.pic_evidence));
	}
	for (int i = 0; i < unit->image_count; i++)
		json_add(builder, images, image_json(builder, &unit->images[i]));
	json_put(builder, object, "images", images);
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
	if (artifact->kind == OBJECT_ARCHIVE || artifact->kind == OBJECT_ARCHIVE_THIN)
		json_put(&builder, object, "archive",
		    json_pack("{s:s, s:b, s:b, s:I}", "flavour", ar_flavour_name(&artifact->ar), "thin", artifact->ar.thin, "index",
			      artifact->ar.has_index, "index_symbols", (json_int_t)artifact->ar.index_symbols));
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
