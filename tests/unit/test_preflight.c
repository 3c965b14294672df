/* What an artifact is told before any of it is loaded. */
#include "artifact_fixtures.h"
#include "check.h"
#include "preflight.h"

#include <unistd.h>

static char folder[256], path[512];

enum { ONLY_80 = 1, ONLY_PTX_80 = 2, PTX_TOO_NEW = 4, SASS_90 = 8 };

/* An archive with a member for each bit of `units`. */
static void make_archive(unsigned units)
{
	static const struct fixture_kernel kernel = {"_Z1kPf", 40, 0, 0, 0, {8}, 0, NULL, 0};
	static const char *const defined[] = {"run_mha", NULL};
	static const char old_ptx[] = ".version 7.0\n.target sm_80\n.entry k(.param .u64 p) { ret; }";
	static const char new_ptx[] = ".version 9.0\n.target sm_80\n.entry k(.param .u64 p) { ret; }";
	struct bytes cubin80 = {0}, cubin90 = {0}, file = {0}, objects[4] = {{0}};
	struct fixture_member members[4];
	size_t count = 0;
	struct error err = {0};
	put_cubin(&cubin80, 8, 80, 0, 130, &kernel, 1);
	put_cubin(&cubin90, 8, 90, 0, 130, &kernel, 1);
	const struct fixture_entry entries[4] = {{2, 80, 1, 8, 0x11, cubin80.data, cubin80.size, NULL, NULL},
						 {1, 80, 7, 0, 0x11, old_ptx, sizeof old_ptx, NULL, NULL},
						 {1, 80, 9, 0, 0x11, new_ptx, sizeof new_ptx, NULL, NULL},
						 {2, 90, 1, 8, 0x11, cubin90.data, cubin90.size, NULL, NULL}};
	for (int i = 0; i < 4; i++) {
		struct bytes fatbin = {0};
		if (!(units & 1u << i))
			continue;
		put_fatbin(&fatbin, &entries[i], 1);
		put_host_object(&objects[count], defined, NULL, &fatbin);
		members[count] = (struct fixture_member){i == 0 ? "first.o" : "other.o", objects[count].data, objects[count].size};
		count++;
		bytes_free(&fatbin);
	}
	put_ar(&file, FIXTURE_GNU, members, count, 1);
	CHECK_INT(write_file_atomically(path, file.data, file.size, &err), 0);
	for (int i = 0; i < 4; i++)
		bytes_free(&objects[i]);
	bytes_free(&cubin80);
	bytes_free(&cubin90);
	bytes_free(&file);
}

static const struct device_properties h100 = {
	.kind = DEVICE_CUDA, .id = "cuda:0", .name = "NVIDIA H100", .cc_major = 9, .cc_minor = 0, .driver_version = 12040};

static void nothing_for_the_device_is_refused(void)
{
	struct error err = {0};
	make_archive(ONLY_80);
	CHECK_INT(preflight(path, &h100, IMAGE_ANY, &err), -1);
	CHECK_INT(err.kind, ERROR_UNSUPPORTED);
	CHECK_CONTAINS(err.message, path);
	CHECK_CONTAINS(err.message, "cannot run on cuda:0 (NVIDIA H100): holds SASS for sm_80 only; this GPU is sm_90; build it with "
				    "-gencode arch=compute_90,code=sm_90");
	make_archive(SASS_90);
	CHECK_INT(preflight(path, &h100, IMAGE_ANY, &err), 0);
	CHECK_INT(preflight(path, &h100, IMAGE_SASS, &err), 0);
	CHECK_INT(preflight(path, &h100, IMAGE_PTX, &err), -1);
	CHECK_CONTAINS(err.message, "code=compute_90, or leave --image out");
	make_archive(ONLY_PTX_80);
	CHECK_INT(preflight(path, &h100, IMAGE_ANY, &err), 0);
	CHECK_INT(preflight(path, &h100, IMAGE_SASS, &err), -1);
}

static void some_unit_that_runs_is_enough(void)
{
	struct error err = {0};
	make_archive(ONLY_80 | SASS_90);
	CHECK_INT(preflight(path, &h100, IMAGE_ANY, &err), 0);
}

static void ptx_newer_than_the_driver_is_refused(void)
{
	struct error err = {0};
	struct device_properties device = h100;
	make_archive(PTX_TOO_NEW);
	CHECK_INT(preflight(path, &device, IMAGE_ANY, &err), -1);
	CHECK_INT(err.kind, ERROR_UNSUPPORTED);
	CHECK_CONTAINS(err.message, "of ISA 9.0 (CUDA 13.0), which the driver for CUDA 12.4 does not compile; install driver 580.");
	device.driver_version = 13000;
	CHECK_INT(preflight(path, &device, IMAGE_ANY, &err), 0);
	device.driver_version = 0; /* not known */
	CHECK_INT(preflight(path, &device, IMAGE_ANY, &err), 0);
	device.driver_version = 12040;
	make_archive(PTX_TOO_NEW | SASS_90);
	CHECK_INT(preflight(path, &device, IMAGE_ANY, &err), 0);
}

static void what_is_no_gpu_passes(void)
{
	const struct device_properties cpu = {.kind = DEVICE_CPU, .id = "cpu"};
	struct error err = {0};
	make_archive(ONLY_80);
	CHECK_INT(preflight(path, &cpu, IMAGE_ANY, &err), 0);
	CHECK_INT(preflight("/nonexistent", &h100, IMAGE_ANY, &err), -1);
	CHECK_INT(err.kind, ERROR_INPUT);
}

int main(void)
{
	const char *base = getenv("TMPDIR");
	snprintf(folder, sizeof folder, "%s/assay-test-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	snprintf(path, sizeof path, "%s/libkernels.a", folder);
	nothing_for_the_device_is_refused();
	some_unit_that_runs_is_enough();
	ptx_newer_than_the_driver_is_refused();
	what_is_no_gpu_passes();
	unlink(path);
	rmdir(folder);
	return check_result();
}
