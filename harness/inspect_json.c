#include "inspect.h"

#include "artifact/compat.h"
#include "artifact/demangle.h"

#include <stdlib.h>
#include <string.h>

/* Values are handed over to the object at once; json_object_set_new takes NULL (out of memory) as a failure, which is
 * remembered here, so that building reads without checks. */
struct builder {
	int failed;
};

static void set(struct builder *builder, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		builder->failed = 1;
}

static void append(struct builder *builder, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value))
		builder->failed = 1;
}

static json_t *text_or_null(const char *text)
{
	return text ? cli_json_text(text, strlen(text)) : json_null();
}

static json_t *release_or_null(unsigned release)
{
	return release ? json_sprintf("%u.%u", release / 10, release % 10) : json_null();
}

static json_t *three_or_null(const unsigned values[3])
{
	if (!values[0] && !values[1] && !values[2])
		return json_null();
	return json_pack("[I, I, I]", (json_int_t)values[0], (json_int_t)values[1], (json_int_t)values[2]);
}

static json_t *number_or_null(int value)
{
	return value < 0 ? json_null() : json_integer(value);
}

static void set_names(struct builder *builder, json_t *object, const char *name)
{
	char *plain = demangle(name);
	set(builder, object, "name", text_or_null(name));
	set(builder, object, "demangled", plain ? text_or_null(plain) : NULL);
	free(plain);
}

static json_t *sass_kernel(struct builder *builder, const struct cubin_kernel *kernel)
{
	json_t *object = json_object(), *parameters = json_array();
	set_names(builder, object, kernel->name);
	set(builder, object, "registers", number_or_null(kernel->registers));
	set(builder, object, "static_shared_bytes", json_integer(kernel->shared_bytes));
	set(builder, object, "stack_frame_bytes", kernel->frame_bytes == UINT32_MAX ? json_null() : json_integer(kernel->frame_bytes));
	set(builder, object, "stack_bytes", kernel->stack_bytes == UINT32_MAX ? json_null() : json_integer(kernel->stack_bytes));
	set(builder, object, "local_bytes", json_integer(kernel->local_bytes));
	set(builder, object, "spill_instructions", number_or_null(kernel->spill_instructions));
	set(builder, object, "barriers", number_or_null(kernel->barriers));
	set(builder, object, "max_threads", three_or_null(kernel->max_threads));
	set(builder, object, "required_threads", three_or_null(kernel->required_threads));
	set(builder, object, "cluster", three_or_null(kernel->cluster));
	set(builder, object, "code_bytes", json_integer((json_int_t)kernel->code_size));
	set(builder, object, "parameter_bytes", json_integer(kernel->parameter_bytes));
	for (int i = 0; i < kernel->parameter_count; i++)
		append(builder, parameters,
		       json_pack("{s:I, s:I}", "offset", (json_int_t)kernel->parameters[i].offset, "size",
				 (json_int_t)kernel->parameters[i].size));
	set(builder, object, "parameters", parameters);
	return object;
}

static json_t *ptx_kernel(struct builder *builder, const struct ptx_entry *entry)
{
	json_t *object = json_object(), *parameters = json_array();
	set_names(builder, object, entry->name);
	set(builder, object, "max_threads", three_or_null(entry->max_threads));
	set(builder, object, "required_threads", three_or_null(entry->required_threads));
	set(builder, object, "parameter_bytes", json_integer(entry->parameter_bytes));
	for (int i = 0; i < entry->parameter_count; i++)
		append(builder, parameters,
		       json_pack("{s:I, s:I, s:s}", "offset", (json_int_t)entry->parameters[i].offset, "size",
				 (json_int_t)entry->parameters[i].size, "type", entry->parameters[i].type));
	set(builder, object, "parameters", parameters);
	return object;
}

static json_t *image_json(struct builder *builder, const struct artifact_image *image)
{
	const struct fatbin_entry *entry = &image->entry;
	json_t *object = json_object(), *kernels = image->loaded ? json_array() : json_null();
	char target[24];
	fatbin_entry_target(entry, target);
	set(builder, object, "target", text_or_null(target));
	set(builder, object, "kind", json_string(fatbin_kind_name(entry->kind)));
	set(builder, object, "container", json_integer(entry->container));
	set(builder, object, "compression", json_string(fatbin_compression_name(entry->compression)));
	set(builder, object, "stored_bytes", json_integer((json_int_t)entry->payload_size));
	set(builder, object, "unpacked_bytes", json_integer((json_int_t)entry->decompressed_size));
	set(builder, object, "flags", json_sprintf("0x%llx", (unsigned long long)entry->flags));
	set(builder, object, "host_os",
	    entry->flags & FATBIN_FLAG_LINUX     ? json_string("Linux")
	    : entry->flags & FATBIN_FLAG_WINDOWS ? json_string("Windows")
	    : entry->flags & FATBIN_FLAG_MAC     ? json_string("macOS")
						 : json_null());
	set(builder, object, "debug", json_boolean(entry->flags & FATBIN_FLAG_DEBUG));
	set(builder, object, "relocatable", json_boolean(image->relocatable_section || image->cubin.relocatable));
	set(builder, object, "identifier",
	    entry->identifier ? cli_json_text(entry->identifier, entry->identifier_length) : json_null());
	set(builder, object, "options", entry->options ? cli_json_text(entry->options, entry->options_length) : json_null());
	if (entry->kind == FATBIN_PTX)
		set(builder, object, "isa", json_sprintf("%u.%u", entry->version_major, entry->version_minor));
	if (entry->kind == FATBIN_ELF && image->loaded) {
		set(builder, object, "abi", json_integer(image->cubin.abi));
		set(builder, object, "toolkit", release_or_null(image->cubin.toolkit));
		set(builder, object, "tool_version", text_or_null(image->cubin.tool_version));
		set(builder, object, "tool_options", text_or_null(image->cubin.tool_options));
	}
	for (int i = 0; i < image->cubin.kernel_count; i++)
		append(builder, kernels, sass_kernel(builder, &image->cubin.kernels[i]));
	for (int i = 0; i < image->ptx.entry_count; i++)
		append(builder, kernels, ptx_kernel(builder, &image->ptx.entries[i]));
	set(builder, object, "kernels", kernels);
	return object;
}

static json_t *unit_json(struct builder *builder, const struct artifact_unit *unit)
{
	json_t *object = json_object(), *images = json_array();
	const char *machine = object_machine_name(unit->kind, unit->machine);
	set(builder, object, "name", text_or_null(unit->name));
	set(builder, object, "offset", json_integer((json_int_t)unit->offset));
	set(builder, object, "bytes", json_integer((json_int_t)unit->size));
	set(builder, object, "kind", json_string(object_kind_name(unit->kind)));
	set(builder, object, "machine", text_or_null(machine));
	set(builder, object, "problem", text_or_null(unit->problem));
	if (unit->host.pic != PIC_UNKNOWN) {
		set(builder, object, "position_independent", json_boolean(unit->host.pic == PIC_YES));
		set(builder, object, "position_independence_evidence", text_or_null(unit->host.pic_evidence));
	}
	for (int i = 0; i < unit->image_count; i++)
		append(builder, images, image_json(builder, &unit->images[i]));
	set(builder, object, "images", images);
	return object;
}

static json_t *provenance_json(struct builder *builder, const struct provenance *from)
{
	if (!from)
		return json_null();
	json_t *object = json_object(), *flags = json_array();
	const char suffix[2] = {from->compute_cap_suffix, 0};
	set(builder, object, "folder", text_or_null(from->folder));
	set(builder, object, "crate", text_or_null(from->crate));
	set(builder, object, "crate_hash", text_or_null(from->crate_hash));
	set(builder, object, "root_output", text_or_null(from->root_output));
	set(builder, object, "host_os", from->host == HOST_UNKNOWN ? json_null() : json_string(host_os_name(from->host)));
	set(builder, object, "cuda_root", text_or_null(from->cuda_root));
	set(builder, object, "cuda_version", release_or_null(from->cuda_version));
	set(builder, object, "cuda_evidence", from->cuda_version ? text_or_null(from->cuda_evidence) : json_null());
	set(builder, object, "compute_cap", from->compute_cap ? json_sprintf("%u%s", from->compute_cap, suffix) : json_null());
	set(builder, object, "fast_math", from->fast_math < 0 ? json_null() : json_boolean(from->fast_math));
	for (int i = 0; i < from->flag_count; i++)
		append(builder, flags, text_or_null(from->flags[i]));
	set(builder, object, "nvcc_flags", flags);
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
				append(builder, names, text_or_null(in->undefined.items[i].name));
		set(builder, object, keys[origin], names);
	}
	return object;
}

static json_t *driver_json(struct builder *builder, const struct artifact_driver_needs *needs)
{
	json_t *object = json_object();
	set(builder, object, "toolkit_min", release_or_null(needs->toolkit_min));
	set(builder, object, "toolkit_max", release_or_null(needs->toolkit_max));
	set(builder, object, "runtime_major", needs->runtime_major ? json_integer(needs->runtime_major) : json_null());
	set(builder, object, "runtime_evidence", text_or_null(needs->runtime_evidence));
	set(builder, object, "ptx_isa", release_or_null(needs->ptx_isa));
	set(builder, object, "zstd", json_boolean(needs->zstd));
	set(builder, object, "to_load", text_or_null(needs->to_load));
	set(builder, object, "to_compile_ptx", text_or_null(needs->to_compile));
	return object;
}

static json_t *gpu_json(struct builder *builder, const struct inspection *in, unsigned cc, const struct artifact_coverage *coverage)
{
	json_t *object = json_object();
	set(builder, object, "gpu", json_sprintf("sm_%u", cc));
	set(builder, object, "cards", text_or_null(gpu_cards(cc)));
	set(builder, object, "verdict", json_string(coverage_verdict_name(coverage->verdict)));
	set(builder, object, "units_by_sass", json_integer(coverage->sass));
	set(builder, object, "units_by_jit", json_integer(coverage->jit));
	set(builder, object, "units_not", json_integer(coverage->none));
	set(builder, object, "first_not",
	    coverage->first_none < 0 ? json_null() : text_or_null(in->artifact.units[coverage->first_none].name));
	set(builder, object, "reason", coverage->none ? text_or_null(coverage->reason) : json_null());
	return object;
}

json_t *inspect_json(struct inspection *in, const struct gpu_list *gpus)
{
	struct builder builder = {0};
	struct artifact *artifact = &in->artifact;
	json_t *object = json_object(), *units = json_array(), *points = json_array(), *answers = json_array(), *findings = json_array();
	set(&builder, object, "path", text_or_null(artifact->path));
	set(&builder, object, "kind", json_string(object_kind_name(artifact->kind)));
	set(&builder, object, "bytes", json_integer((json_int_t)artifact->map.size));
	set(&builder, object, "sha256", json_string(artifact_sha256(artifact)));
	if (artifact->kind == OBJECT_ARCHIVE || artifact->kind == OBJECT_ARCHIVE_THIN)
		set(&builder, object, "archive",
		    json_pack("{s:s, s:b, s:b, s:I}", "flavour", ar_flavour_name(&artifact->ar), "thin", artifact->ar.thin, "index",
			      artifact->ar.has_index, "index_symbols", (json_int_t)artifact->ar.index_symbols));
	set(&builder, object, "provenance", provenance_json(&builder, artifact->provenance));
	for (int u = 0; u < artifact->unit_count; u++)
		append(&builder, units, unit_json(&builder, &artifact->units[u]));
	set(&builder, object, "units", units);
	for (int i = 0; i < in->points.count; i++)
		append(&builder, points, text_or_null(in->points.items[i].name));
	set(&builder, object, "entry_points", points);
	set(&builder, object, "undefined", undefined_json(&builder, in));
	set(&builder, object, "abi",
	    in->abi.abi == MHA_ABI_NONE ? json_null()
					: json_pack("{s:s, s:b, s:s}", "run_mha", mha_abi_name(in->abi.abi), "assumed", in->abi.assumed,
						    "evidence", in->abi.evidence));
	set(&builder, object, "driver", driver_json(&builder, &in->needs));
	for (int i = 0; i < gpus->count; i++)
		append(&builder, answers, gpu_json(&builder, in, gpus->cc[i], &in->coverage[i]));
	set(&builder, object, "gpus", answers);
	for (int i = 0; i < in->findings.count; i++) {
		json_t *finding = json_object();
		set(&builder, finding, "level", json_string(in->findings.items[i].level == FINDING_WARNING ? "warning" : "note"));
		set(&builder, finding, "text", text_or_null(in->findings.items[i].text));
		append(&builder, findings, finding);
	}
	set(&builder, object, "findings", findings);
	if (!builder.failed)
		return object;
	json_decref(object);
	return NULL;
}
