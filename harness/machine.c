#include "machine.h"

#include "artifact/compat.h"
#include "command_output.h"
#include "core/util.h"
#include "device/device.h"
#include "device/nvml.h"
#include "inspect.h"

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { COMMAND_SECONDS = 20 };

/* "12.6" or "12.6.85" gives 126; 0: no release of CUDA. */
static unsigned release_of(const char *text)
{
	unsigned major, minor;
	if (!text || sscanf(text, "%3u.%2u", &major, &minor) != 2 || major < 5 || major > 99 || minor > 9)
		return 0;
	return 10 * major + minor;
}

/* Every toolkit since 11.1 has a version.json. */
static unsigned version_json(const char *root)
{
	char *path = path_join(root, "version.json");
	json_t *json = path ? json_load_file(path, 0, NULL) : NULL;
	const unsigned release = release_of(json_string_value(json_object_get(json_object_get(json, "cuda"), "version")));
	json_decref(json);
	free(path);
	return release;
}

/* "Cuda compilation tools, release 12.6, V12.6.85" */
static unsigned nvcc_version(const char *nvcc)
{
	const char *const argv[] = {nvcc, "--version", NULL};
	struct text out = {0};
	unsigned release = 0;
	if (command_output(argv, NULL, COMMAND_SECONDS, &out, NULL) == 0 && out.data) {
		const char *at = strstr(out.data, ", release ");
		release = at ? release_of(at + 10) : 0;
	}
	text_free(&out);
	return release;
}

/* A root with its nvcc; 0 when there is neither nvcc nor version.json in it. */
static int take_root(struct machine *machine, const char *root, const char *evidence)
{
	char *nvcc = path_join(root, "bin/nvcc");
	if (nvcc && !path_exists(nvcc)) {
		free(nvcc);
		nvcc = NULL;
	}
	const unsigned by_file = version_json(root);
	if (!nvcc && !by_file)
		return 0;
	const unsigned by_nvcc = nvcc ? nvcc_version(nvcc) : 0;
	machine->toolkit_root = strdup(root);
	machine->nvcc = nvcc;
	machine->toolkit = by_nvcc ? by_nvcc : by_file;
	snprintf(machine->toolkit_evidence, sizeof machine->toolkit_evidence, "%.60s, %s", evidence,
		 by_nvcc ? "nvcc --version" : "version.json");
	return 1;
}

/* nvcc on PATH first, as build scripts call it; a link, as /usr/bin/nvcc may be one, leads to its toolkit. */
static void find_toolkit(struct machine *machine, const char *given)
{
	static const char *const variables[] = {"CUDA_HOME", "CUDA_PATH", "CUDA_ROOT", "CUDA_TOOLKIT_ROOT_DIR"};
	if (given) {
		take_root(machine, given, "--cuda");
		return;
	}
	char *nvcc = command_find("nvcc"), *real = nvcc ? realpath(nvcc, NULL) : NULL;
	if (real) {
		machine->toolkit = nvcc_version(nvcc);
		machine->nvcc = nvcc;
		nvcc = NULL;
		snprintf(machine->toolkit_evidence, sizeof machine->toolkit_evidence, "nvcc on PATH, nvcc --version");
		char *slash = strrchr(real, '/');
		*slash = '\0';
		slash = strrchr(real, '/');
		if (slash && strcmp(slash, "/bin") == 0) {
			*slash = '\0';
			machine->toolkit_root = strdup(*real ? real : "/");
		}
	}
	free(real);
	free(nvcc);
	for (size_t i = 0; i < ARRAY_COUNT(variables) && !machine->nvcc; i++) {
		const char *root = getenv(variables[i]);
		if (root && *root && take_root(machine, root, variables[i]))
			return;
	}
	if (!machine->nvcc)
		take_root(machine, "/usr/local/cuda", "/usr/local/cuda");
}

static int given_gpus(struct machine *machine, const char *text, struct error *err)
{
	struct gpu_list list;
	if (gpu_list_parse(text, &list, NULL))
		return error_set(err, ERROR_USAGE, "--gpu takes up to %d names such as sm_86,sm_120, not '%.100s'",
				 INSPECT_GPUS_MAX, text);
	for (int i = 0; i < list.count; i++)
		machine->gpus[machine->gpu_count++].cc = list.cc[i];
	snprintf(machine->gpu_evidence, sizeof machine->gpu_evidence, "--gpu");
	return 0;
}

static void find_gpus(struct machine *machine)
{
	char why[512] = "";
	const int count = device_cuda_count(why, sizeof why);
	for (int i = 0; i < count && machine->gpu_count < MACHINE_GPUS_MAX; i++) {
		struct device *device;
		struct error err = {0};
		char id[32];
		snprintf(id, sizeof id, "cuda:%d", i);
		if (device_open(&device, id, &(struct device_options){0}, &err)) {
			snprintf(why, sizeof why, "%.500s", err.message);
			continue;
		}
		struct machine_gpu *gpu = &machine->gpus[machine->gpu_count++];
		gpu->cc = 10 * (unsigned)device->properties.cc_major + (unsigned)device->properties.cc_minor;
		snprintf(gpu->name, sizeof gpu->name, "%s", device->properties.name);
		device_close(device);
	}
	snprintf(machine->gpu_evidence, sizeof machine->gpu_evidence, "%.310s", machine->gpu_count ? "CUDA driver" : why);
}

int machine_look(const struct machine_options *options, struct machine *machine, struct error *err)
{
	const char *cap = getenv("CUDA_COMPUTE_CAP");
	*machine = (struct machine){0};
	if (options->cuda && !path_is_dir(options->cuda))
		return error_set(err, ERROR_USAGE, "--cuda %s: is no folder; name the root of a CUDA toolkit", options->cuda);
	if (options->driver && (!*options->driver || strspn(options->driver, "0123456789.") != strlen(options->driver) ||
				strlen(options->driver) >= sizeof machine->driver))
		return error_set(err, ERROR_USAGE, "--driver takes a version such as 550.54.14, not '%s'", options->driver);
	find_toolkit(machine, options->cuda);
	if (options->cuda && !machine->toolkit_root) {
		machine_free(machine);
		return error_set(err, ERROR_USAGE,
				 "--cuda %s: holds neither bin/nvcc nor version.json; name the root of a CUDA toolkit", options->cuda);
	}
	if (options->driver) {
		snprintf(machine->driver, sizeof machine->driver, "%s", options->driver);
		snprintf(machine->driver_evidence, sizeof machine->driver_evidence, "--driver");
	} else if (nvml_driver_version(machine->driver, sizeof machine->driver) == 0) {
		snprintf(machine->driver_evidence, sizeof machine->driver_evidence, "NVIDIA driver");
	} else {
		machine->driver[0] = '\0';
	}
	if (cap) {
		char digits[8] = "";
		for (size_t i = 0, n = 0; cap[i] && n + 1 < sizeof digits; i++)
			if (cap[i] >= '0' && cap[i] <= '9')
				digits[n++] = cap[i];
		machine->compute_cap = (unsigned)strtoul(digits, NULL, 10);
	}
	if (options->gpus && given_gpus(machine, options->gpus, err)) {
		machine_free(machine);
		return -1;
	}
	if (!options->gpus && !options->without_gpus)
		find_gpus(machine);
	if (!machine->gpu_count && machine->compute_cap && !options->gpus) {
		machine->gpus[machine->gpu_count++].cc = machine->compute_cap;
		snprintf(machine->gpu_evidence, sizeof machine->gpu_evidence, "CUDA_COMPUTE_CAP");
	}
	return 0;
}

void machine_free(struct machine *machine)
{
	free(machine->toolkit_root);
	free(machine->nvcc);
	*machine = (struct machine){0};
}
