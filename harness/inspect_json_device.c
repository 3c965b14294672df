/* The JSON of device code: images and kernels. */
#include "inspect_json_values.h"

#include "artifact/demangle.h"
#include "cli.h"
#include "inspect_format.h"

#include <stdlib.h>
#include <string.h>

static void set_names(struct builder *builder, json_t *object, const char *name)
{
	char *plain = demangle(name);
	json_put(builder, object, "name", text_or_null(name));
	json_put(builder, object, "demangled", plain ? text_or_null(plain) : NULL);
	free(plain);
}

static void set_cluster(struct builder *builder, json_t *object, const unsigned cluster[3], int is_explicit, unsigned max_rank)
{
	json_put(builder, object, "cluster", three_or_null(cluster));
	json_put(builder, object, "explicit_cluster", json_boolean(is_explicit));
	json_put(builder, object, "max_cluster_rank", number_or_null(max_rank ? (int64_t)max_rank : -1));
}

static json_t *bytes_or_null(unsigned value)
{
	return value == UINT32_MAX ? json_null() : json_integer(value);
}

static json_t *sass_kernel(struct builder *builder, const struct cubin_kernel *kernel)
{
	json_t *object = json_object(), *parameters = json_array();
	set_names(builder, object, kernel->name);
	json_put(builder, object, "registers", number_or_null(kernel->registers));
	json_put(builder, object, "register_limit", number_or_null(kernel->register_limit ? (int64_t)kernel->register_limit : -1));
	json_put(builder, object, "static_shared_bytes", json_integer(kernel->shared_bytes));
	json_put(builder, object, "reserved_shared_bytes", json_integer(kernel->reserved_shared_bytes));
	json_put(builder, object, "stack_frame_bytes", bytes_or_null(kernel->frame_bytes));
	json_put(builder, object, "stack_bytes", bytes_or_null(kernel->stack_bytes));
	json_put(builder, object, "local_bytes", json_integer(kernel->local_bytes));
	json_put(builder, object, "spill_instructions", number_or_null(kernel->spill_instructions));
	json_put(builder, object, "local_accesses", number_or_null(kernel->local_accesses));
	json_put(builder, object, "barriers", number_or_null(kernel->barriers));
	json_put(builder, object, "mbarriers", json_integer(kernel->mbarriers));
	json_put(builder, object, "max_threads", three_or_null(kernel->max_threads));
	json_put(builder, object, "required_threads", three_or_null(kernel->required_threads));
	set_cluster(builder, object, kernel->cluster, kernel->explicit_cluster, kernel->max_cluster_rank);
	json_put(builder, object, "code_bytes", json_integer((json_int_t)kernel->code_size));
	json_put(builder, object, "constant_bytes", json_integer(kernel->constant_bytes));
	json_put(builder, object, "parameter_base", json_integer(kernel->parameter_base));
	json_put(builder, object, "parameter_bytes", json_integer(kernel->parameter_bytes));
	for (int i = 0; i < kernel->parameter_count; i++)
		json_add(builder, parameters,
			 json_pack("{s:I, s:I}", "offset", (json_int_t)kernel->parameters[i].offset, "size",
				   (json_int_t)kernel->parameters[i].size));
	json_put(builder, object, "parameters", parameters);
	return object;
}

static json_t *ptx_kernel(struct builder *builder, const struct ptx_entry *entry)
{
	json_t *object = json_object(), *parameters = json_array();
	set_names(builder, object, entry->name);
	json_put(builder, object, "register_limit", number_or_null(entry->max_registers ? (int64_t)entry->max_registers : -1));
	json_put(builder, object, "min_blocks", number_or_null(entry->min_blocks ? (int64_t)entry->min_blocks : -1));
	json_put(builder, object, "max_threads", three_or_null(entry->max_threads));
	json_put(builder, object, "required_threads", three_or_null(entry->required_threads));
	set_cluster(builder, object, entry->cluster, entry->explicit_cluster, entry->max_cluster_rank);
	json_put(builder, object, "ftz", json_integer(entry->ftz));
	json_put(builder, object, "approx", json_integer(entry->approx));
	json_put(builder, object, "parameter_bytes", json_integer(entry->parameter_bytes));
	for (int i = 0; i < entry->parameter_count; i++)
		json_add(builder, parameters,
			 json_pack("{s:I, s:I, s:s}", "offset", (json_int_t)entry->parameters[i].offset, "size",
				   (json_int_t)entry->parameters[i].size, "type", entry->parameters[i].type));
	json_put(builder, object, "parameters", parameters);
	return object;
}

static void set_cubin(struct builder *builder, json_t *object, const struct cubin *cubin)
{
	json_put(builder, object, "abi", json_integer(cubin->abi));
	json_put(builder, object, "toolkit", release_or_null(cubin->toolkit));
	json_put(builder, object, "virtual_target", cubin->virtual_sm ? json_sprintf("compute_%u", cubin->virtual_sm) : json_null());
	json_put(builder, object, "tool", text_or_null(cubin->tool));
	json_put(builder, object, "tool_version", text_or_null(cubin->tool_version));
	json_put(builder, object, "tool_options", text_or_null(cubin->tool_options));
	json_put(builder, object, "line_info", json_boolean(cubin->line_info));
	json_put(builder, object, "debug_info", json_boolean(cubin->debug_info));
	json_put(builder, object, "mercury", json_boolean(cubin->mercury));
	json_put(builder, object, "code_bytes", json_integer((json_int_t)cubin->code_bytes));
	json_put(builder, object, "unknown_attributes", json_integer(cubin->unknown_attributes));
}

static void set_ptx(struct builder *builder, json_t *object, const struct ptx *ptx)
{
	const char suffix[2] = {ptx->suffix, 0};
	json_put(builder, object, "ptx_target", json_sprintf("sm_%u%s", ptx->arch, suffix));
	json_put(builder, object, "address_size", json_integer(ptx->address_size));
	json_put(builder, object, "tool_version", *ptx->toolkit ? text_or_null(ptx->toolkit) : json_null());
	json_put(builder, object, "line_info", json_boolean(ptx->line_info));
	json_put(builder, object, "functions", json_integer(ptx->functions));
	json_put(builder, object, "ftz", json_integer(ptx->ftz));
	json_put(builder, object, "approx", json_integer(ptx->approx));
	json_put(builder, object, "unresolved", text_or_null(ptx->unresolved));
}

json_t *image_json(struct builder *builder, const struct artifact_image *image)
{
	const struct fatbin_entry *entry = &image->entry;
	json_t *object = json_object(), *kernels = image->loaded ? json_array() : json_null();
	char target[24];
	fatbin_entry_target(entry, target);
	json_put(builder, object, "target", text_or_null(target));
	json_put(builder, object, "kind", json_string(fatbin_entry_kind_name(entry)));
	json_put(builder, object, "raw_kind", json_integer(entry->raw_kind));
	json_put(builder, object, "version", json_sprintf("%u.%u", entry->version_major, entry->version_minor));
	json_put(builder, object, "container", json_integer(entry->container));
	json_put(builder, object, "compression", json_string(fatbin_compression_name(entry->compression)));
	json_put(builder, object, "stored_bytes", json_integer((json_int_t)entry->payload_size));
	json_put(builder, object, "unpacked_bytes", json_integer((json_int_t)entry->decompressed_size));
	json_put(builder, object, "flags", json_sprintf("0x%llx", (unsigned long long)entry->flags));
	json_put(builder, object, "unknown_flags", json_sprintf("0x%llx", (unsigned long long)(entry->flags & ~FATBIN_FLAGS_KNOWN)));
	json_put(builder, object, "host_os", text_or_null(entry_host_name(entry)));
	json_put(builder, object, "debug", json_boolean(entry->flags & FATBIN_FLAG_DEBUG));
	json_put(builder, object, "relocatable", json_boolean(image->relocatable_section || image->cubin.relocatable));
	json_put(builder, object, "identifier",
		 entry->identifier ? cli_json_text(entry->identifier, entry->identifier_length) : json_null());
	json_put(builder, object, "options", entry->options ? cli_json_text(entry->options, entry->options_length) : json_null());
	if (entry->kind == FATBIN_PTX)
		json_put(builder, object, "isa", json_sprintf("%u.%u", entry->version_major, entry->version_minor));
	if (entry->kind == FATBIN_ELF && image->loaded)
		set_cubin(builder, object, &image->cubin);
	if (entry->kind == FATBIN_PTX && image->loaded)
		set_ptx(builder, object, &image->ptx);
	for (int i = 0; i < image->cubin.kernel_count; i++)
		json_add(builder, kernels, sass_kernel(builder, &image->cubin.kernels[i]));
	for (int i = 0; i < image->ptx.entry_count; i++)
		json_add(builder, kernels, ptx_kernel(builder, &image->ptx.entries[i]));
	json_put(builder, object, "kernels", kernels);
	return object;
}
