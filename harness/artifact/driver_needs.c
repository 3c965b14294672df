#include "artifact/artifact.h"
#include "artifact/compat.h"

static const char *later_driver(const char *a, const char *b)
{
	if (!a || !b)
		return a ? a : b;
	return driver_compare(a, b) < 0 ? b : a;
}

static void note_toolkit(struct artifact_driver_needs *needs, unsigned toolkit)
{
	if (!toolkit)
		return;
	if (!needs->toolkit_min || toolkit < needs->toolkit_min)
		needs->toolkit_min = toolkit;
	if (toolkit > needs->toolkit_max)
		needs->toolkit_max = toolkit;
}

int artifact_driver_needs(struct artifact *artifact, struct artifact_driver_needs *needs, struct error *err)
{
	int has_host = 0, has_sass = 0, symbol_major = 0;
	const char *symbol = NULL, *library = NULL;
	unsigned library_major = 0;
	*needs = (struct artifact_driver_needs){0};
	for (int u = 0; u < artifact->unit_count; u++) {
		struct artifact_unit *unit = &artifact->units[u];
		for (int i = 0; i < unit->image_count; i++) {
			struct artifact_image *image = &unit->images[i];
			needs->zstd |= image->entry.compression == FATBIN_ZSTD;
			if (image->entry.kind == FATBIN_PTX) {
				const unsigned isa = 10 * image->entry.version_major + image->entry.version_minor;
				if (isa > needs->ptx_isa)
					needs->ptx_isa = isa;
			} else if (image->entry.kind == FATBIN_ELF) {
				if (artifact_load_image(artifact, unit, image, err))
					return -1;
				note_toolkit(needs, image->cubin.toolkit);
				has_sass = 1;
			}
		}
		if (unit->host.origins[ORIGIN_CUDA_RUNTIME])
			has_host = 1;
		if (unit->host.cuda_major_min > symbol_major) {
			symbol_major = unit->host.cuda_major_min;
			symbol = unit->host.cuda_min_symbol;
		}
		if (unit->host.runtime_library_major > library_major) {
			library = unit->host.runtime_library;
			library_major = unit->host.runtime_library_major;
		}
	}
	if (!needs->toolkit_max && needs->ptx_isa) {
		note_toolkit(needs, cuda_of_ptx_isa(needs->ptx_isa));
		needs->toolkit_at_least = 1;
	}

	if (library) {
		needs->runtime_major = library_major;
		needs->runtime_evidence = library;
	} else if (has_host && needs->toolkit_max) {
		needs->runtime_major = needs->toolkit_max / 10;
		needs->runtime_evidence = "the toolkit of its device code";
	} else if (has_host && symbol_major) {
		needs->runtime_major = (unsigned)symbol_major;
		needs->runtime_evidence = symbol;
	}
	/* SASS: any driver of the toolkit's major (minor-version compatibility), unless it has to unpack zstd */
	needs->major = needs->runtime_major ? needs->runtime_major : needs->toolkit_max / 10;
	if (needs->major && (has_sass || has_host)) {
		needs->linux_runtime = driver_of_cuda_major(needs->major);
		needs->windows_runtime = windows_driver_of_cuda_major(needs->major);
	}
	needs->to_load = needs->zstd ? later_driver(needs->linux_runtime, driver_of_cuda(124)) : needs->linux_runtime;
	needs->windows_to_load = needs->zstd ? later_driver(needs->windows_runtime, windows_driver_of_cuda(124)) : needs->windows_runtime;
	/* PTX: the driver's compiler has to know the ISA, minor version included */
	const unsigned compiler = cuda_of_ptx_isa(needs->ptx_isa);
	if (driver_of_cuda(compiler))
		needs->to_compile = later_driver(driver_of_cuda(compiler), needs->to_load);
	if (windows_driver_of_cuda(compiler))
		needs->windows_to_compile = later_driver(windows_driver_of_cuda(compiler), needs->windows_to_load);
	return 0;
}
