/* Which kernel of a Windows archive runs for which kernel of a Linux one. */
#include "artifact/artifact.h"
#include "check.h"
#include "coff_fixtures.h"
#include "cudart/donor.h"
#include "plan.h"
#include "report_donor.h"

#include <unistd.h>

static char folder[256], artifact_path[512], host_path[512];
static const char *entry_point = "run_mha"; /* of what is made */

static const struct device_properties h100 = {
	.kind = DEVICE_CUDA, .id = "cuda:0", .name = "NVIDIA H100", .cc_major = 9, .cc_minor = 0, .driver_version = 13000};

struct unit {
	const char *name;
	struct fixture_kernel kernels[4];
};

static void make(const char *path, const struct unit *units, size_t count, int is_windows)
{
	struct bytes objects[4] = {{0}}, file = {0};
	struct fixture_member members[4];
	struct error err = {0};
	for (size_t i = 0; i < count; i++) {
		const char *const defined[] = {entry_point, NULL};
		struct bytes cubin = {0}, fatbin = {0};
		size_t kernels = 0;
		while (kernels < 4 && units[i].kernels[kernels].name)
			kernels++;
		put_cubin(&cubin, 8, 90, 0, 130, units[i].kernels, kernels);
		const struct fixture_entry entry = {2, 90, 1, 8, is_windows ? 0x41 : 0x11, cubin.data, cubin.size, NULL, NULL};
		put_fatbin(&fatbin, &entry, 1);
		if (is_windows)
			put_msvc_object(&objects[i], i ? "helper" : entry_point, "cudaLaunchKernel", "/DEFAULTLIB:MSVCRT ", &fatbin, 0);
		else
			put_host_object(&objects[i], i ? NULL : defined, NULL, &fatbin);
		members[i] = (struct fixture_member){units[i].name, objects[i].data, objects[i].size};
		bytes_free(&cubin);
		bytes_free(&fatbin);
	}
	put_ar(&file, is_windows ? FIXTURE_MSVC : FIXTURE_GNU, members, count, 1);
	CHECK_INT(write_file_atomically(path, file.data, file.size, &err), 0);
	for (size_t i = 0; i < count; i++)
		bytes_free(&objects[i]);
	bytes_free(&file);
}

static const struct cudart_kernel_pair *pair_in(const struct donor *donor, size_t module, const char *name)
{
	const struct cudart_module_pair *pairs = &donor_stand_in(donor)->modules[module];
	for (size_t i = 0; module < donor_stand_in(donor)->module_count && i < pairs->kernel_count; i++)
		if (strcmp(pairs->kernels[i].name, name) == 0)
			return &pairs->kernels[i];
	return NULL;
}

#define CUB_NEW "_ZN3cub17CUB_300001_SM_90011EmptyKernelIvEEvv"
#define CUB_OLD "_ZN3cub17CUB_200500_SM_90011EmptyKernelIvEEvv"

static void kernels_are_paired(void)
{
	static const struct unit host[] = {
		{"first.o", {{.name = "_Z4samePf", .parameter_sizes = {8}}, {.name = "_Z4longPl", .parameter_sizes = {8, 4}}, {.name = CUB_NEW},
			     {.name = "_Z4stati", .parameter_sizes = {4}}}},
		{"second.o", {{.name = "_Z4stati", .parameter_sizes = {4, 4}}, {.name = "_Z5widerPf", .parameter_sizes = {8, 4}},
			      {.name = "_Z4gonev"}}},
	};
	static const struct unit windows[] = {
		{"out\\second.obj", {{.name = "_Z4stati", .parameter_sizes = {4, 4}}, {.name = "_Z5widerPf", .parameter_sizes = {8, 8}}}},
		{"out\\first.obj", {{.name = "_Z4longPx", .parameter_sizes = {8, 4}}, {.name = "_Z4samePf", .parameter_sizes = {8}},
				    {.name = CUB_OLD}, {.name = "_Z4stati", .parameter_sizes = {4}}}},
	};
	struct donor *donor;
	struct error err = {0};
	struct text words = {0};
	make(host_path, host, 2, 0);
	make(artifact_path, windows, 2, 1);
	CHECK_INT(donor_open(&donor, artifact_path, host_path, &h100, IMAGE_ANY, &err), 0);
	if (check_failures)
		return;
	const struct cudart_stand_in *stand_in = donor_stand_in(donor);
	CHECK_INT(stand_in->module_count, 2);
	CHECK_INT(stand_in->container_count, 2);
	static const struct {
		size_t module;
		const char *name, *code_name;
		long container;
		const char *refused;
	} expected[] = {
		{0, "_Z4samePf", "_Z4samePf", 1, NULL},
		{0, "_Z4longPl", "_Z4longPx", 1, NULL},
		{0, CUB_NEW, CUB_NEW, CUDART_OWN_CODE, NULL},      /* the toolkit's library, of another version */
		{0, "_Z4stati", "_Z4stati", 1, NULL},              /* static ones of the same name go by their files */
		{1, "_Z4stati", "_Z4stati", 0, NULL},
		{1, "_Z5widerPf", "_Z5widerPf", CUDART_OWN_CODE,
		 "its parameter 1 is of 8 bytes at 8, that of the donor's kernel of 4 bytes at 8"},
		{1, "_Z4gonev", "_Z4gonev", CUDART_OWN_CODE, "the artifact has no kernel of that name"},
	};
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		const struct cudart_kernel_pair *pair = pair_in(donor, expected[i].module, expected[i].name);
		CHECK(pair != NULL);
		if (!pair)
			continue;
		CHECK_TEXT(pair->code_name, expected[i].code_name);
		CHECK_INT(pair->container, expected[i].container);
		CHECK_TEXT(pair->refused ? pair->refused : "", expected[i].refused ? expected[i].refused : "");
	}
	donor_describe(donor, &words);
	CHECK_CONTAINS(words.data, host_path);
	struct donor_facts facts;
	CHECK_INT(donor_facts_read(words.data, &facts), 0);
	CHECK_TEXT(facts.path, host_path);
	CHECK_INT(strlen(facts.sha256), 64);
	CHECK_INT(facts.kernels, 6); /* _Z4stati is one of them */
	CHECK_INT(facts.matched, 3);
	CHECK_INT(facts.named, 2);
	CHECK_INT(facts.unused, 2); /* _Z5widerPf and the old library's */
	CHECK_TEXT(facts.library.data, CUB_NEW);
	CHECK_INT(facts.missing_count, 2);
	CHECK_CONTAINS(facts.missing.data, "_Z4gonev: the artifact has no kernel of that name");
	donor_facts_free(&facts);
	/* for coverage: what can be launched of the artifact's, then those of libraries */
	size_t names = 0;
	while (donor_kernel(donor, names))
		names++;
	CHECK_INT(names, 4);
	CHECK_TEXT(donor_kernel(donor, 0), "_Z4longPx");
	CHECK_TEXT(donor_kernel(donor, 3), CUB_NEW);
	text_free(&words);
	donor_close(donor);
}

/* A kernel of each translation unit's own that only one unit of the artifact has; int64_t and long long beside each other. */
static void kernels_left_alone_find_the_only_one(void)
{
	static const struct unit host[] = {
		{"a.o", {{.name = "_Z4copyv"}, {.name = "_Z3sumPl", .parameter_sizes = {8}}, {.name = "_Z3sumPx", .parameter_sizes = {8}}}},
		{"b.o", {{.name = "_Z4copyv"}, {.name = "_Z5twicev"}}},
	};
	static const struct unit windows[] = {
		{"a.obj", {{.name = "_Z4copyv"}, {.name = "_Z3sumPx", .parameter_sizes = {8}}}},
		{"c.obj", {{.name = "_Z5twicev"}}},
		{"d.obj", {{.name = "_Z5twicev"}}},
	};
	struct donor *donor;
	struct error err = {0};
	make(host_path, host, 2, 0);
	make(artifact_path, windows, 3, 1);
	CHECK_INT(donor_open(&donor, artifact_path, host_path, &h100, IMAGE_ANY, &err), 0);
	if (check_failures)
		return;
	CHECK_INT(pair_in(donor, 0, "_Z4copyv")->container, 0);
	CHECK_INT(pair_in(donor, 1, "_Z4copyv")->container, 0);
	CHECK_TEXT(pair_in(donor, 0, "_Z3sumPl")->code_name, "_Z3sumPx");
	CHECK_TEXT(pair_in(donor, 0, "_Z3sumPx")->code_name, "_Z3sumPx");
	CHECK_TEXT(pair_in(donor, 1, "_Z5twicev")->refused, "several kernels of the artifact could be meant");
	donor_close(donor);
}

/* A linked file has its translation units' containers one after the other, and no names for them. */
static void a_dll_runs_too(void)
{
	static const struct unit host[] = {
		{"a.o", {{.name = "_Z3onePl", .parameter_sizes = {8}}}}, {"b.o", {{.name = "_Z3twov"}, {.name = "_Z4bothv"}}}};
	static const struct fixture_kernel kernels[][2] = {
		{{.name = "_Z3twov"}, {.name = "_Z4bothv"}}, {{.name = "_Z3onePx", .parameter_sizes = {8}}, {.name = "_Z4bothv"}}};
	static const char *const exports[] = {"run_mha", NULL}, *const imports[] = {"KERNEL32.dll:Sleep", NULL};
	struct bytes fatbin = {0}, file = {0};
	struct donor *donor;
	struct error err = {0};
	for (size_t i = 0; i < 2; i++) {
		struct bytes cubin = {0};
		put_cubin(&cubin, 8, 90, 0, 130, kernels[i], 2);
		const struct fixture_entry entry = {2, 90, 1, 8, 0x41, cubin.data, cubin.size, NULL, NULL};
		put_fatbin(&fatbin, &entry, 1);
		bytes_free(&cubin);
	}
	const struct fixture_dll dll = {.name = "attention.dll", .exports = exports, .imports = imports, .fatbin = &fatbin};
	put_dll(&file, &dll);
	CHECK_INT(write_file_atomically(artifact_path, file.data, file.size, &err), 0);
	make(host_path, host, 2, 0);
	CHECK_INT(donor_open(&donor, artifact_path, host_path, &h100, IMAGE_ANY, &err), 0);
	if (!check_failures) {
		CHECK_INT(pair_in(donor, 0, "_Z3onePl")->container, 1);
		CHECK_INT(pair_in(donor, 1, "_Z3twov")->container, 0);
		CHECK_TEXT(pair_in(donor, 1, "_Z4bothv")->refused, "several kernels of the artifact could be meant");
		donor_close(donor);
	}
	bytes_free(&fatbin);
	bytes_free(&file);
}

static void nothing_in_common_is_refused(void)
{
	static const struct unit host[] = {{"a.o", {{.name = "_Z3onePf", .parameter_sizes = {8}}}}};
	static const struct unit other[] = {{"a.obj", {{.name = "_Z3twoPf", .parameter_sizes = {8}}}}};
	static const struct unit empty[] = {{"a.o", {{0}}}};
	struct donor *donor;
	struct error err = {0};
	make(host_path, host, 1, 0);
	make(artifact_path, other, 1, 1);
	CHECK_INT(donor_open(&donor, artifact_path, host_path, &h100, IMAGE_ANY, &err), -1);
	CHECK_INT(err.kind, ERROR_UNSUPPORTED);
	CHECK_CONTAINS(err.message, "none of its kernels fits the host code of the donor");
	CHECK_CONTAINS(err.message, "one(float*): the artifact has no kernel of that name");
	CHECK_CONTAINS(err.message, "archive of the same release");
	make(host_path, empty, 1, 0);
	CHECK_INT(donor_open(&donor, artifact_path, host_path, &h100, IMAGE_ANY, &err), -1);
	CHECK_CONTAINS(err.message, "holds no kernels");
	CHECK_INT(donor_open(&donor, artifact_path, "/nonexistent.a", &h100, IMAGE_ANY, &err), -1);
	CHECK_INT(err.kind, ERROR_INPUT);
}

/* Kernels tell what their host code passes: 440 bytes in candle-flash-attn 0.9 and 0.10, 464 in 0.11. */
#define FLASH "_ZN5flash16flash_fwd_kernelILi64EEEv16Flash_fwd_params"

static void plan_with(struct plan *plan, struct run_record *run, const char *donor)
{
	const char *const paths[] = {artifact_path};
	const struct plan_options options = {.donor = donor, .paths = paths, .path_count = 1};
	struct error err = {0};
	*run = (struct run_record){0};
	CHECK_INT(plan_make(plan, &options, run, &err), 0);
	CHECK_INT(plan->count, 1);
}

static void another_release_is_no_donor(void)
{
	static const struct unit old[] = {{"a.o", {{.name = FLASH, .parameter_sizes = {440}}}}};
	static const struct unit new[] = {{"a.obj", {{.name = FLASH, .parameter_sizes = {464}}}}};
	struct plan plan;
	struct run_record run;
	make(host_path, old, 1, 0);
	make(artifact_path, new, 1, 1);
	plan_with(&plan, &run, NULL);
	CHECK_INT(plan.jobs[0].refused, STATUS_UNSUPPORTED);
	CHECK_CONTAINS(plan.jobs[0].reason, "is a Windows object (COFF)");
	CHECK_CONTAINS(plan.jobs[0].reason, "--donor");
	CHECK(plan.jobs[0].donor_path == NULL);
	plan_free(&plan);
	run_record_free(&run);

	plan_with(&plan, &run, host_path);
	CHECK_INT(plan.jobs[0].refused, STATUS_UNSUPPORTED);
	CHECK_CONTAINS(plan.jobs[0].reason, "the donor is of another release");
	CHECK_CONTAINS(plan.jobs[0].reason, "candle-0.9");
	CHECK_CONTAINS(plan.jobs[0].reason, "candle-0.11");
	plan_free(&plan);
	run_record_free(&run);

	/* of the same release: called as the host code is */
	make(artifact_path, old, 1, 1);
	plan_with(&plan, &run, folder);
	CHECK_TEXT(plan.jobs[0].reason, "");
	CHECK_TEXT(plan.jobs[0].donor_path, host_path);
	CHECK_TEXT(plan.jobs[0].artifact_path, artifact_path);
	CHECK_TEXT(plan.jobs[0].entry_point, "run_mha");
	plan_free(&plan);
	run_record_free(&run);

	plan_with(&plan, &run, artifact_path);
	CHECK_CONTAINS(plan.jobs[0].reason, "the donor has to be an archive for Linux");
	plan_free(&plan);
	run_record_free(&run);
}

static void an_archive_of_something_else_is_no_donor(void)
{
	static const struct unit units[] = {{"a.o", {{.name = FLASH, .parameter_sizes = {440}}}}};
	struct plan plan;
	struct run_record run;
	make(artifact_path, units, 1, 1);
	entry_point = "moe_gemm_wmma";
	make(host_path, units, 1, 0);
	entry_point = "run_mha";
	plan_with(&plan, &run, host_path);
	CHECK_INT(plan.jobs[0].refused, STATUS_UNSUPPORTED);
	CHECK_CONTAINS(plan.jobs[0].reason, "has no run_mha, which");
	plan_free(&plan);
	run_record_free(&run);
}

/* What a result file holds may be anyone's. */
static void any_text_can_be_read(void)
{
	static const char text[] = "path\nsha256 \nkernels 99999999999999999999999 x\n\n \nlibrary\nmissing a\nunused -1\n"
				   "path /a b/c.a\nno newline";
	struct donor_facts facts;
	for (size_t size = 0; size < sizeof text; size++) {
		char cut[sizeof text];
		memcpy(cut, text, size);
		cut[size] = '\0';
		CHECK_INT(donor_facts_read(cut, &facts), 0);
		donor_facts_free(&facts);
	}
	CHECK_INT(donor_facts_read(text, &facts), 0);
	CHECK_TEXT(facts.path, "/a b/c.a");
	CHECK_INT(facts.missing_count, 1);
	donor_facts_free(&facts);
}

int main(void)
{
	char template[] = "/tmp/assay-donor-XXXXXX";
	if (!mkdtemp(template))
		return 1;
	snprintf(folder, sizeof folder, "%s", template);
	snprintf(artifact_path, sizeof artifact_path, "%s/windows.lib", folder);
	snprintf(host_path, sizeof host_path, "%s/linux.a", folder);
	kernels_are_paired();
	kernels_left_alone_find_the_only_one();
	a_dll_runs_too();
	nothing_in_common_is_refused();
	another_release_is_no_donor();
	an_archive_of_something_else_is_no_donor();
	any_text_can_be_read();
	unlink(artifact_path);
	unlink(host_path);
	rmdir(folder);
	return check_result();
}
