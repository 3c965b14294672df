/* Who can run an artifact and with which driver: the exceptions, and the floors of both systems. */
#include "artifact/artifact.h"
#include "artifact/compat.h"
#include "artifact_fixtures.h"
#include "check.h"

#include <unistd.h>

static char folder[256];

static const struct fixture_kernel kernel = {"_Z1kv", 40, 0, 0, 0, {8}, 0, NULL, 0};

/* A fatbin of one or two entries, in a host object that calls the CUDA runtime or by itself. */
struct code {
	unsigned sass, toolkit;
	char suffix;
	unsigned ptx, isa;
	char ptx_suffix;
	uint64_t flags;
	unsigned nvvm;
	int relocatable, in_host_object;
};

static uint64_t suffix_flag(char suffix)
{
	return suffix == 'a' ? 0x100000 : suffix == 'f' ? 0x200000 : 0;
}

static struct artifact open_code(const struct code *code)
{
	static char path[400];
	struct bytes cubin = {0}, fatbin = {0}, object = {0};
	struct fixture_entry entries[3];
	struct artifact artifact = {0};
	struct error err = {0};
	char ptx[160];
	size_t count = 0;
	if (code->sass) {
		const unsigned abi = code->toolkit >= 130 ? 8 : 7;
		put_cubin(&cubin, abi, code->sass, code->suffix == 'a' ? 'a' : 0, code->toolkit, &kernel, 1);
		if (code->relocatable)
			cubin.data[16] = ET_REL;
		entries[count++] = (struct fixture_entry){2, code->sass, 1, abi, code->flags | 0x11 | suffix_flag(code->suffix), cubin.data,
							  cubin.size, NULL, NULL};
	}
	if (code->ptx) {
		const char suffix[2] = {code->ptx_suffix, 0};
		snprintf(ptx, sizeof ptx, ".version %u.%u\n.target sm_%u%s\n.address_size 64\n.entry k() { ret; }", code->isa / 10,
			 code->isa % 10, code->ptx, suffix);
		entries[count++] = (struct fixture_entry){1, code->ptx, code->isa / 10, code->isa % 10,
							  0x11 | suffix_flag(code->ptx_suffix), ptx, strlen(ptx) + 1, NULL, NULL};
	}
	if (code->nvvm)
		entries[count++] = (struct fixture_entry){8, code->nvvm, 1, 65, 0x11, "BC", 2, NULL, NULL};
	put_fatbin(&fatbin, entries, count);
	const char *const undefined[] = {"cudaLaunchKernel", NULL};
	if (code->in_host_object)
		put_host_object(&object, NULL, undefined, &fatbin);
	const struct bytes *file = code->in_host_object ? &object : &fatbin;
	snprintf(path, sizeof path, "%s/code", folder);
	CHECK_INT(write_file_atomically(path, file->data, file->size, &err), 0);
	CHECK_INT(artifact_open(path, &artifact, &err), 0);
	if (err.kind)
		fprintf(stderr, "%s\n", err.message);
	bytes_free(&cubin);
	bytes_free(&fatbin);
	bytes_free(&object);
	return artifact;
}

/* Sources: artifact/fatbin.h; the Tegra exception is that of the CUDA programming guide, "Compute Capabilities". */
static const struct {
	struct code code;
	unsigned cc;
	enum coverage_verdict verdict;
	int tegra, debug;
	const char *reason;
} answers[] = {
	{{.sass = 80, .toolkit = 124}, 80, COVERAGE_SASS, 0, 0, ""},
	{{.sass = 80, .toolkit = 124}, 86, COVERAGE_SASS, 0, 0, ""},
	{{.sass = 86, .toolkit = 124}, 80, COVERAGE_NONE, 0, 0, "SASS for sm_86 only"},
	{{.sass = 80, .toolkit = 124}, 90, COVERAGE_NONE, 0, 0, ""},
	{{.sass = 80, .toolkit = 124, .flags = 2}, 80, COVERAGE_SASS, 0, 1, ""},
	/* Tegra: the number fits, the promise does not */
	{{.sass = 87, .toolkit = 124}, 87, COVERAGE_SASS, 0, 0, ""},
	{{.sass = 80, .toolkit = 124}, 87, COVERAGE_SASS, 1, 0, ""},
	{{.sass = 87, .toolkit = 124}, 89, COVERAGE_SASS, 1, 0, ""},
	{{.sass = 86, .toolkit = 124}, 89, COVERAGE_SASS, 0, 0, ""},
	/* a: that one; f: its family */
	{{.sass = 90, .toolkit = 124, .suffix = 'a'}, 90, COVERAGE_SASS, 0, 0, ""},
	{{.sass = 100, .toolkit = 130, .suffix = 'a'}, 103, COVERAGE_NONE, 0, 0, "sm_100a"},
	{{.sass = 100, .toolkit = 130, .suffix = 'f'}, 103, COVERAGE_SASS, 0, 0, ""},
	{{.sass = 100, .toolkit = 130, .suffix = 'f'}, 110, COVERAGE_NONE, 0, 0, "sm_100f"},
	{{.sass = 100, .toolkit = 130}, 120, COVERAGE_NONE, 0, 0, ""},
	{{.ptx = 90, .isa = 90}, 120, COVERAGE_JIT, 0, 0, ""},
	{{.ptx = 90, .isa = 90}, 89, COVERAGE_NONE, 0, 0, "PTX for compute_90 only"},
	{{.ptx = 90, .isa = 90, .ptx_suffix = 'a'}, 100, COVERAGE_NONE, 0, 0, ""},
	{{.ptx = 120, .isa = 90, .ptx_suffix = 'f'}, 121, COVERAGE_JIT, 0, 0, ""},
	{{.ptx = 100, .isa = 90, .ptx_suffix = 'f'}, 120, COVERAGE_NONE, 0, 0, ""},
	/* link-time code alone, and relocatable code, have to be linked */
	{{.nvvm = 90}, 90, COVERAGE_NONE, 0, 0, "has to be linked first"},
	{{.sass = 90, .toolkit = 130, .nvvm = 90}, 90, COVERAGE_SASS, 0, 0, ""},
	{{.sass = 90, .toolkit = 130, .relocatable = 1}, 90, COVERAGE_NONE, 0, 0, "nvcc -dlink has to link first"},
};

static void who_can_run_it(void)
{
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		struct artifact artifact = open_code(&answers[i].code);
		struct artifact_coverage coverage;
		struct error err = {0};
		const int before = check_failures;
		CHECK_INT(artifact_coverage(&artifact, (int)answers[i].cc / 10, (int)answers[i].cc % 10, IMAGE_ANY, &coverage, &err), 0);
		CHECK_INT(coverage.verdict, answers[i].verdict);
		CHECK_INT(coverage.tegra, answers[i].tegra);
		CHECK_INT(coverage.debug, answers[i].debug);
		CHECK_CONTAINS(coverage.reason, answers[i].reason);
		if (check_failures != before)
			fprintf(stderr, "answer %zu: %s\n", i, err.message);
		artifact_close(&artifact);
	}
}

static int is_device_linked(const struct artifact *artifact)
{
	struct artifact_library library = {0};
	CHECK_INT(artifact_library_next(artifact, &library), 1);
	CHECK_INT(library.end, artifact->unit_count);
	return library.device_linked;
}

static void linked_relocatable_code_is_linked(void)
{
	const struct code code = {.sass = 90, .toolkit = 130, .in_host_object = 1};
	struct artifact artifact = open_code(&code);
	struct artifact_unit *unit = &artifact.units[0];
	CHECK_INT(unit->image_count, 1);
	CHECK(!is_device_linked(&artifact)); /* nothing to link */
	unit->images[0].relocatable_section = 1;
	CHECK(!is_device_linked(&artifact)); /* nothing that was linked */
	struct artifact_coverage coverage;
	struct error err = {0};
	CHECK_INT(artifact_coverage(&artifact, 9, 0, IMAGE_ANY, &coverage, &err), 0);
	CHECK_INT(coverage.verdict, COVERAGE_NONE);
	artifact_close(&artifact);
}

static const struct {
	struct code code;
	const char *linux_load, *linux_compile, *windows_load, *windows_compile;
} drivers[] = {
	{{.sass = 80, .toolkit = 118}, "450.80.02", NULL, "452.39", NULL},
	{{.sass = 80, .toolkit = 124}, "525.60.13", NULL, "527.41", NULL},
	{{.sass = 80, .toolkit = 124, .flags = 0x2000}, "525.60.13", NULL, "527.41", NULL},
	{{.sass = 80, .toolkit = 124, .flags = 0x8000}, "550.54.14", NULL, "551.61", NULL},
	{{.sass = 80, .toolkit = 126, .ptx = 80, .isa = 85}, "525.60.13", "555.42.02", "527.41", "555.85"},
	{{.sass = 90, .toolkit = 130, .flags = 0x8000, .ptx = 90, .isa = 90}, "580.65.06", "580.65.06", "580", "580"},
	{{.sass = 90, .toolkit = 131, .ptx = 90, .isa = 91}, "580.65.06", "590.44.01", "580", "590"},
	{{.ptx = 80, .isa = 84}, NULL, "550.54.14", NULL, "551.61"},
	{{.ptx = 80, .isa = 84, .in_host_object = 1}, "525.60.13", "550.54.14", "527.41", "551.61"},
	{{.ptx = 80, .isa = 99}, NULL, NULL, NULL, NULL}, /* an ISA that is not known yet */
};

static void check_driver(const char *actual, const char *expected)
{
	if (expected)
		CHECK_TEXT(actual, expected);
	else
		CHECK(actual == NULL);
}

static void which_driver_it_takes(void)
{
	for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
		struct artifact artifact = open_code(&drivers[i].code);
		struct artifact_driver_needs needs;
		struct error err = {0};
		const int before = check_failures;
		CHECK_INT(artifact_driver_needs(&artifact, &needs, &err), 0);
		check_driver(needs.to_load, drivers[i].linux_load);
		check_driver(needs.to_compile, drivers[i].linux_compile);
		check_driver(needs.windows_to_load, drivers[i].windows_load);
		check_driver(needs.windows_to_compile, drivers[i].windows_compile);
		if (check_failures != before)
			fprintf(stderr, "driver %zu\n", i);
		artifact_close(&artifact);
	}
}

/* Every toolkit has a driver on both systems that is not older than that of the toolkit before it, and of its major's floor. */
static void drivers_rise(void)
{
	const char *linux_before = "0", *windows_before = "0";
	int known = 0;
	for (unsigned cuda = 110; cuda <= 139; cuda++) {
		const char *linux_driver = driver_of_cuda(cuda), *windows_driver = windows_driver_of_cuda(cuda);
		CHECK_INT(linux_driver != NULL, windows_driver != NULL);
		if (!linux_driver || !windows_driver)
			continue;
		known++;
		CHECK(driver_compare(linux_driver, linux_before) > 0);
		CHECK(driver_compare(windows_driver, windows_before) > 0);
		/* 11.0 came with a driver older than what minor-version compatibility asks */
		if (cuda > 110) {
			CHECK(driver_compare(linux_driver, driver_of_cuda_major(cuda / 10)) >= 0);
			CHECK(driver_compare(windows_driver, windows_driver_of_cuda_major(cuda / 10)) >= 0);
		}
		linux_before = linux_driver;
		windows_before = windows_driver;
	}
	CHECK(known > 20);
}

int main(void)
{
	const char *base = getenv("TMPDIR");
	char command[600];
	snprintf(folder, sizeof folder, "%s/assay-test-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	who_can_run_it();
	linked_relocatable_code_is_linked();
	which_driver_it_takes();
	drivers_rise();
	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	CHECK_INT(system(command), 0);
	return check_result();
}
