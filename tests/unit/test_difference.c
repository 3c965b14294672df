/* The difference of two artifacts: which kernels are paired, what is said to have changed, and names across systems. */
#include "artifact/difference.h"
#include "artifact/fold_name.h"
#include "artifact/policy.h"
#include "artifact/ptx_compare.h"
#include "artifact_fixtures.h"
#include "check.h"

#include <unistd.h>

static char folder[256];

static const char *in_folder(const char *name)
{
	static char paths[2][600];
	static int turn;
	char *path = paths[turn ^= 1];
	snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

/* ---- names ---- */

static void names_fold_alike(void)
{
	/* what nvcc 13.0 makes of one source with int64_t and size_t on the two systems, in two files, and relocatable */
	static const char *const same[][2] = {
		{"_ZN2ns3litILl5EEEvPm", "_ZN2ns3litILx5EEEvPy"},
		{"_ZN2ns3litILm5EEEvPl", "_ZN2ns3litILy5EEEvPx"},
		{"_Z4statPm", "__nv_static_22__cbfae56c_4_w_cu_plain__Z4statPy"},
		{"_ZN33_GLOBAL__N__4498723b_4_s_cu_plain4anonIfEEvPT_ml", "_ZN33_GLOBAL__N__cbfae56c_4_w_cu_plain4anonIfEEvPT_yx"},
		{"_ZN42_INTERNAL_44987abc_7_long_cu_0a1b2c3d_main5innerEPm", "_ZN42_INTERNAL_77777abc_7_long_cu_0a1b2c3d_init5innerEPy"},
		{"plain", "plain"},
	};
	static const char *const different[][2] = {
		{"_Z1kPl", "_Z1kPm"},              /* signed and unsigned */
		{"_Z1kPl", "_Z1kPi"},              /* 64 and 32 bits */
		{"_Z1ke", "_Z1kl"},                /* long double */
		{"_Z6kernelv", "_Z6kernexv"},      /* an identifier is no type */
		{"_Z3maxl", "_Z3yaxl"},
		{"_Z1kILi5EEvv", "_Z1kILl5EEvv"},
		{"lambda", "xambda"},
		{"ulong_f32", "ulonglong_f32"},
	};
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
		char *a = fold_kernel_name(same[i][0]), *b = fold_kernel_name(same[i][1]);
		CHECK_TEXT(a, b ? b : "(null)");
		free(a);
		free(b);
	}
	for (size_t i = 0; i < sizeof different / sizeof different[0]; i++) {
		char *a = fold_kernel_name(different[i][0]), *b = fold_kernel_name(different[i][1]);
		CHECK(a && b && strcmp(a, b) != 0);
		if (a && b && strcmp(a, b) == 0)
			fprintf(stderr, "%s and %s fold to %s\n", different[i][0], different[i][1], a);
		free(a);
		free(b);
	}
}

/* Names that the demangler is spared for their back references. */
static void names_with_many_references_fold_alike(void)
{
	struct text linux_name = {0}, windows_name = {0}, other = {0};
	text_append(&linux_name, "_Z6kernelI4typeLl12E");
	text_append(&windows_name, "_Z6kernelI4typeLx12E");
	text_append(&other, "_Z6kernelI4typxLl12E");
	for (int i = 0; i < 60; i++) {
		text_append(&linux_name, "S%d_", i % 10);
		text_append(&windows_name, "S%d_", i % 10);
		text_append(&other, "S%d_", i % 10);
	}
	text_append(&linux_name, "EvPml");
	text_append(&windows_name, "EvPyx");
	text_append(&other, "EvPml");
	char *a = fold_kernel_name(linux_name.data), *b = fold_kernel_name(windows_name.data), *c = fold_kernel_name(other.data);
	CHECK_TEXT(a, b ? b : "(null)");
	CHECK(a && c && strcmp(a, c) != 0);
	free(a);
	free(b);
	free(c);
	text_free(&linux_name);
	text_free(&windows_name);
	text_free(&other);
}

static void units_fold_alike(void)
{
	static const char *const names[][2] = {
		{"flash_api.o", "flash_api"},
		{"flash_api-0f3b5c2d1e4a6b78.o", "flash_api"},
		{"dir\\Release\\flash_api.obj", "flash_api"},
		{"tmpxft_000055cf_00000000-8_flash_api.o", "flash_api"},
		{"flash_api.cu.o", "flash_api"},
		{"hdim-64.o", "hdim-64"},
		{"-00000000.o", "-00000000"},
		{".o", ".o"},
		{"", ""},
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char *folded = fold_unit_name(names[i][0]);
		CHECK_TEXT(folded, names[i][1]);
		free(folded);
	}
}

/* ---- PTX ---- */

static struct ptx_digests digests_of(const char *text)
{
	struct ptx_digests digests;
	struct error err = {0};
	CHECK_INT(ptx_digests_make(text, strlen(text), &digests, &err), 0);
	return digests;
}

static void ptx_compares_by_what_it_does(void)
{
	static const char base[] = ".version 9.0\n.target sm_90\n// one\n.visible .entry k(.param .u64 k_param_0)\n{\n"
				   ".local .align 8 .b8 __local_depot0[8];\n$L__BB0_1: ld.param.u64 %rd1, [k_param_0];\nbra $L__BB0_1;\nret;\n}\n";
	static const struct {
		const char *text, *name;
		int entry_same, rest_same;
	} others[] = {
		/* comments, blanks, line endings, line information */
		{".version 9.0\r\n.target sm_90 /* two */\r\n.file 1 \"x.cu\"\r\n.visible .entry k ( .param .u64 k_param_0 ){.loc 1 2 3\r\n"
		 ".local .align 8 .b8 __local_depot0[8];\r\n$L__BB0_1: ld.param.u64 %rd1,[k_param_0];\r\nbra $L__BB0_1;ret;}\r\n"
		 ".section .debug_str { .b8 1,2 }\n", "k", 1, 1},
		/* another kernel before it, and another name */
		{".version 9.0\n.target sm_90\n.visible .entry a() { ret; }\n.visible .entry kk(.param .u64 kk_param_0) { "
		 ".local .align 8 .b8 __local_depot1[8]; $L__BB1_1: ld.param.u64 %rd1, [kk_param_0]; bra $L__BB1_1; ret; }", "kk", 1, 1},
		/* another instruction, operand, label, parameter, bound */
		{".version 9.0\n.target sm_90\n.visible .entry k(.param .u64 k_param_0) { .local .align 8 .b8 __local_depot0[8]; "
		 "$L__BB0_1: ld.param.u64 %rd2, [k_param_0]; bra $L__BB0_1; ret; }", "k", 0, 1},
		{".version 9.0\n.target sm_90\n.visible .entry k(.param .u64 k_param_0) { .local .align 8 .b8 __local_depot0[8]; "
		 "$L__BB0_1: ld.param.u64 %rd1, [k_param_0]; bra $L__BB0_2; ret; }", "k", 0, 1},
		{".version 9.0\n.target sm_90\n.visible .entry k(.param .u32 k_param_0) { .local .align 8 .b8 __local_depot0[8]; "
		 "$L__BB0_1: ld.param.u64 %rd1, [k_param_0]; bra $L__BB0_1; ret; }", "k", 0, 1},
		{".version 9.0\n.target sm_90\n.visible .entry k(.param .u64 k_param_0) .maxntid 128 { .local .align 8 .b8 __local_depot0[8]; "
		 "$L__BB0_1: ld.param.u64 %rd1, [k_param_0]; bra $L__BB0_1; ret; }", "k", 0, 1},
		/* a constant of the module */
		{".version 9.0\n.target sm_90\n.const .b8 table[2] = {1, 2};\n.visible .entry k(.param .u64 k_param_0) { "
		 ".local .align 8 .b8 __local_depot0[8]; $L__BB0_1: ld.param.u64 %rd1, [k_param_0]; bra $L__BB0_1; ret; }", "k", 1, 0},
	};
	struct ptx_digests reference = digests_of(base);
	CHECK_INT(reference.count, 1);
	CHECK(ptx_digest_of(&reference, "k") != NULL);
	CHECK(ptx_digest_of(&reference, "j") == NULL);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		struct ptx_digests digests = digests_of(others[i].text);
		const char *digest = ptx_digest_of(&digests, others[i].name);
		CHECK(digest != NULL);
		CHECK_INT(digest && strcmp(digest, ptx_digest_of(&reference, "k")) == 0, others[i].entry_same);
		CHECK_INT(strcmp(digests.rest, reference.rest) == 0, others[i].rest_same);
		ptx_digests_free(&digests);
	}
	ptx_digests_free(&reference);
	/* cut off anywhere, it is read without harm */
	for (size_t size = 0; size < sizeof base; size++) {
		struct ptx_digests digests;
		unsigned char *copy, *exact = copy_exactly(base, size, 0, &copy);
		CHECK_INT(ptx_digests_make((const char *)exact, size, &digests, NULL), 0);
		ptx_digests_free(&digests);
		free(copy);
	}
}

/* Shared memory of a template carries the template's name, which has another type on Windows, and file scope another hash. */
static void ptx_compares_across_systems(void)
{
	static const char frame[] = ".version 9.0\n.target sm_90\n.global .align 4 .b8 %s[16];\n.visible .entry %s()\n{\n"
				    ".shared .align 4 .b8 %s[16];\nmov.u32 %%r1, %s;\nmov.u64 %%rd1, %s;\nret;\n}\n";
	static const char *const names[][3] = { /* kernel, shared memory, variable at file scope */
		{"_Z4scanImEvT_", "_ZZ4scanImEvT_E4tile", "_ZN42_INTERNAL_1ec9824a_11_moe_wmma_cu_6db1471f5tableE"},
		{"_Z4scanIyEvT_", "_ZZ4scanIyEvT_E4tile", "_ZN42_INTERNAL_aaaaaaaa_11_moe_wmma_cu_bbbbbbbb5tableE"},
		{"_Z4scanImEvT_", "_ZZ4scanImEvT_E4time", "_ZN42_INTERNAL_1ec9824a_11_moe_wmma_cu_6db1471f5tableE"},
		{"_Z4scanImEvT_", "_ZZ4scanImEvT_E4tile", "_ZN42_INTERNAL_1ec9824a_11_moe_wmma_cu_6db1471f5TableE"},
	};
	static const int entry_same[] = {1, 1, 0, 0}, rest_same[] = {1, 1, 1, 0};
	char first[65] = "", rest[65] = "";
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char text[1024];
		snprintf(text, sizeof text, frame, names[i][2], names[i][0], names[i][1], names[i][1], names[i][2]);
		struct ptx_digests digests = digests_of(text);
		const char *digest = ptx_digest_of(&digests, names[i][0]);
		CHECK(digest != NULL);
		if (i == 0) {
			snprintf(first, sizeof first, "%s", digest ? digest : "");
			snprintf(rest, sizeof rest, "%s", digests.rest);
		}
		CHECK_INT(digest && strcmp(digest, first) == 0, entry_same[i]);
		CHECK_INT(strcmp(digests.rest, rest) == 0, rest_same[i]);
		ptx_digests_free(&digests);
	}
}

/* ---- artifacts ---- */

struct unit {
	const char *name, *defined;
	unsigned arch, toolkit;
	uint64_t flags;
	struct fixture_kernel kernels[3];
	const char *ptx;
};

static void make(const char *name, const struct unit *units, size_t count)
{
	struct fixture_member members[4] = {{0}};
	struct bytes objects[4] = {{0}}, file = {0};
	struct error err = {0};
	for (size_t i = 0; i < count; i++) {
		const struct unit *unit = &units[i];
		const char *const defined[] = {unit->defined, NULL};
		struct fixture_entry entries[2];
		struct bytes cubin = {0}, fatbin = {0};
		size_t kernels = 0, images = 0;
		while (kernels < 3 && unit->kernels[kernels].name)
			kernels++;
		put_cubin(&cubin, unit->toolkit >= 130 ? 8 : 7, unit->arch, 0, unit->toolkit, unit->kernels, kernels);
		entries[images++] = (struct fixture_entry){2, unit->arch, 1, 8, unit->flags | 0x11, cubin.data, cubin.size, NULL, NULL};
		if (unit->ptx)
			entries[images++] = (struct fixture_entry){1, unit->arch, 9, 0, 0x8011, unit->ptx, strlen(unit->ptx) + 1, NULL, NULL};
		put_fatbin(&fatbin, entries, images);
		put_host_object(&objects[i], unit->defined ? defined : NULL, NULL, &fatbin);
		members[i] = (struct fixture_member){unit->name, objects[i].data, objects[i].size};
		bytes_free(&cubin);
		bytes_free(&fatbin);
	}
	put_ar(&file, FIXTURE_GNU, members, count, 1);
	CHECK_INT(write_file_atomically(in_folder(name), file.data, file.size, &err), 0);
	for (size_t i = 0; i < count; i++)
		bytes_free(&objects[i]);
	bytes_free(&file);
}

static struct difference difference_of(const char *base, const char *next, struct artifact artifacts[2])
{
	struct difference difference = {0};
	struct error err = {0};
	CHECK_INT(artifact_open(in_folder(base), &artifacts[0], &err), 0);
	CHECK_INT(artifact_open(in_folder(next), &artifacts[1], &err), 0);
	CHECK_INT(artifact_difference(&artifacts[0], &artifacts[1], &difference, &err), 0);
	if (err.kind)
		fprintf(stderr, "%s\n", err.message);
	return difference;
}

static void close_all(struct difference *difference, struct artifact artifacts[2])
{
	artifact_difference_free(difference);
	artifact_close(&artifacts[0]);
	artifact_close(&artifacts[1]);
}

static const struct difference_kernel *kernel_named(const struct difference *difference, const char *target, const char *name)
{
	for (int i = 0; i < difference->kernel_count; i++)
		if (strcmp(difference->kernels[i].name, name) == 0 && strcmp(difference->kernels[i].target, target) == 0)
			return &difference->kernels[i];
	return NULL;
}

static const struct kernel_change *change_of(const struct difference_kernel *kernel, enum kernel_field field)
{
	for (int i = 0; kernel && i < kernel->change_count; i++)
		if (kernel->changes[i].field == field)
			return &kernel->changes[i];
	return NULL;
}

static unsigned char code[2][64];

static void make_artifacts(void)
{
	code[1][40] = 1; /* of the third instruction of 16 bytes */
	static const char ptx[] = ".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry p(.param .u64 p_param_0) { ret; }";
	static const char ptx2[] = ".version 9.0\n.target sm_90\n.address_size 64\n// other\n.visible .entry p(.param .u64 p_param_0) {\n ret; }";
	static const char ptx3[] = ".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry p(.param .u64 p_param_0) .maxntid 64 { exit; }";
	const struct fixture_kernel same = {"_Z4samePm", 40, 0, 0, 0, {8}, 0, code[0], 64};
	const struct fixture_kernel windows = {"_Z4samePy", 40, 0, 0, 0, {8}, 0, code[0], 64};
	const struct fixture_kernel grows = {"_Z5growsi", 40, 256, 0, 0, {4}, 0, code[0], 64};
	const struct fixture_kernel grown = {"_Z5growsi", 64, 512, 16, 0, {4, 8}, 3, code[1], 64};
	const struct fixture_kernel gone = {"_Z4gonev", 40, 0, 0, 0, {0}, 0, code[0], 64};
	const struct fixture_kernel fresh = {"_Z5freshv", 40, 0, 0, 0, {0}, 0, code[0], 64};
	const struct unit base[] = {{"a-0123456789abcdef.o", "run_mha", 90, 130, 0, {same, grows, gone}, ptx},
				    {"b.o", "old_entry", 80, 130, 0, {same}, NULL}};
	const struct unit next[] = {{"a-fedcba9876543210.o", "run_mha", 90, 130, 0, {windows, grown, fresh}, ptx2},
				    {"c.o", "new_entry", 120, 130, 0, {same}, NULL}};
	const struct unit packed[] = {{"a.o", "run_mha", 90, 130, 0x8000, {same, grows, gone}, ptx},
				      {"b.o", "old_entry", 80, 130, 0x2000, {same}, NULL}};
	const struct unit ptx_differs[] = {{"a-0123456789abcdef.o", "run_mha", 90, 130, 0, {same, grows, gone}, ptx3},
					   {"b.o", "old_entry", 80, 130, 0, {same}, NULL}};
	/* a name twice, in units that stand in another order */
	const struct fixture_kernel twice1 = {"twice", 10, 0, 0, 0, {0}, 0, code[0], 64};
	const struct fixture_kernel twice2 = {"twice", 20, 0, 0, 0, {0}, 0, code[1], 64};
	const struct unit order1[] = {{"a.o", NULL, 90, 130, 0, {twice1}, NULL}, {"b.o", NULL, 90, 130, 0, {twice2}, NULL}};
	const struct unit order2[] = {{"b.o", NULL, 90, 130, 0, {twice2}, NULL}, {"a.o", NULL, 90, 130, 0, {twice1}, NULL}};
	/* an overload on long and long long is two kernels on Linux */
	const struct fixture_kernel on_long = {"_Z1kl", 10, 0, 0, 0, {8}, 0, code[0], 64};
	const struct fixture_kernel on_long_long = {"_Z1kx", 20, 0, 0, 0, {8}, 0, code[1], 64};
	const struct unit overloads[] = {{"a.o", NULL, 90, 130, 0, {on_long, on_long_long}, NULL}};
	const struct unit overloads_swapped[] = {{"a.o", NULL, 90, 130, 0, {on_long_long, on_long}, NULL}};
	make("base.a", base, 2);
	make("next.a", next, 2);
	make("packed.a", packed, 2);
	make("ptx.a", ptx_differs, 2);
	make("order1.a", order1, 2);
	make("order2.a", order2, 2);
	make("overloads.a", overloads, 1);
	make("swapped.a", overloads_swapped, 1);
}

static void what_changed_is_told(void)
{
	struct artifact artifacts[2];
	struct difference difference = difference_of("base.a", "next.a", artifacts);
	CHECK(!difference_is_empty(&difference));
	CHECK_INT(difference.targets.common, 2);
	CHECK_INT(difference.targets.removed_count, 1);
	CHECK_TEXT(difference.targets.removed_count ? difference.targets.removed[0] : NULL, "sm_80");
	CHECK_TEXT(difference.targets.added_count ? difference.targets.added[0] : NULL, "sm_120");
	CHECK_INT(difference.units.common, 1); /* the hash in its name changes from build to build */
	CHECK_TEXT(difference.units.removed_count ? difference.units.removed[0] : NULL, "b");
	CHECK_TEXT(difference.entry_points.added_count ? difference.entry_points.added[0] : NULL, "new_entry");
	CHECK_TEXT(difference.entry_points.removed_count ? difference.entry_points.removed[0] : NULL, "old_entry");
	CHECK_INT(difference.entry_points.common, 1);

	const struct difference_kernel *same = kernel_named(&difference, "sm_90", "_Z4samePy");
	CHECK(same && same->state == KERNEL_COMMON);
	CHECK_TEXT(same ? same->base_name : NULL, "_Z4samePm");
	CHECK(same && same->code == CODE_IDENTICAL);
	CHECK(same && same->change_count == 0);

	const struct difference_kernel *grown = kernel_named(&difference, "sm_90", "_Z5growsi");
	CHECK(grown && grown->state == KERNEL_COMMON && grown->code == CODE_DIFFERS);
	CHECK_INT(grown ? grown->first_instruction : 0, 2);
	const struct kernel_change *registers = change_of(grown, FIELD_REGISTERS), *parameters = change_of(grown, FIELD_PARAMETERS);
	CHECK_INT(registers ? registers->before : 0, 40);
	CHECK_INT(registers ? registers->after : 0, 64);
	CHECK_INT(change_of(grown, FIELD_SPILLS) ? change_of(grown, FIELD_SPILLS)->after : -1, 3);
	CHECK_TEXT(change_of(grown, FIELD_STACK) ? change_of(grown, FIELD_STACK)->after_text : NULL, "16");
	CHECK_TEXT(change_of(grown, FIELD_SHARED) ? change_of(grown, FIELD_SHARED)->before_text : NULL, "256");
	CHECK_CONTAINS(parameters ? parameters->after_text : NULL, "12 bytes in 2 (1: 8 at 4)");
	CHECK(change_of(grown, FIELD_CODE) == NULL);
	CHECK(change_of(grown, FIELD_BARRIERS) == NULL);

	const struct difference_kernel *gone = kernel_named(&difference, "sm_90", "_Z4gonev");
	CHECK(gone && gone->state == KERNEL_REMOVED && !gone->unit && gone->base_unit);
	const struct difference_kernel *fresh = kernel_named(&difference, "sm_90", "_Z5freshv");
	CHECK(fresh && fresh->state == KERNEL_ADDED && fresh->unit && !fresh->base_unit);
	const struct difference_kernel *ptx = kernel_named(&difference, "compute_90", "p");
	CHECK(ptx && ptx->code == CODE_IDENTICAL); /* a comment and blanks */
	CHECK_INT(difference.target_count, 4);
	CHECK_TEXT(difference.target[0].name, "sm_80");
	CHECK_TEXT(difference.target[2].name, "sm_120");
	const struct difference_target *target = &difference.target[1];
	CHECK_TEXT(target->name, "sm_90");
	CHECK_INT(target->common, 2);
	CHECK_INT(target->added, 1);
	CHECK_INT(target->removed, 1);
	CHECK_INT(target->identical, 1);
	CHECK_INT(target->differing, 1);
	CHECK_INT(target->changed, 1);
	CHECK_INT(target->base_code, 192);
	close_all(&difference, artifacts);
}

static void the_same_is_the_same(void)
{
	static const char *const pairs[][2] = {{"base.a", "base.a"}, {"order1.a", "order2.a"}, {"overloads.a", "swapped.a"}};
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		struct artifact artifacts[2];
		struct difference difference = difference_of(pairs[i][0], pairs[i][1], artifacts);
		CHECK(difference_is_empty(&difference));
		for (int k = 0; k < difference.kernel_count; k++) {
			CHECK_INT(difference.kernels[k].state, KERNEL_COMMON);
			CHECK_INT(difference.kernels[k].code, CODE_IDENTICAL);
		}
		close_all(&difference, artifacts);
	}
}

static void compression_hides_nothing(void)
{
	struct artifact artifacts[2];
	struct difference difference = difference_of("base.a", "packed.a", artifacts);
	int compression = 0;
	for (int k = 0; k < difference.kernel_count; k++)
		CHECK_INT(difference.kernels[k].code, CODE_IDENTICAL);
	for (int i = 0; i < difference.fact_count; i++)
		compression |= strcmp(difference.facts[i].what, "compression") == 0 && !difference.facts[i].same;
	CHECK(compression);
	close_all(&difference, artifacts);
	difference = difference_of("packed.a", "next.a", artifacts);
	const struct difference_kernel *grown = kernel_named(&difference, "sm_90", "_Z5growsi");
	CHECK(grown && grown->code == CODE_DIFFERS && grown->first_instruction == 2);
	close_all(&difference, artifacts);
	difference = difference_of("base.a", "ptx.a", artifacts);
	const struct difference_kernel *ptx = kernel_named(&difference, "compute_90", "p");
	CHECK(ptx && ptx->code == CODE_DIFFERS);
	CHECK_TEXT(change_of(ptx, FIELD_MAX_THREADS) ? change_of(ptx, FIELD_MAX_THREADS)->after_text : NULL, "64x1x1");
	close_all(&difference, artifacts);
}

static void policies_judge_changes(void)
{
	static const struct {
		const char *next, *policy;
		enum policy_verdict verdict;
		const char *evidence;
	} cases[] = {
		{"base.a", "[against]\ntargets_removed = no", POLICY_PASS, "all 3"},
		{"next.a", "[against]\ntargets_removed = no", POLICY_FAIL, "the target sm_80 is gone"},
		{"base.a", "[against]\nentry_points_removed = no", POLICY_PASS, "all 2"},
		{"next.a", "[against]\nentry_points_removed = no", POLICY_FAIL, "old_entry"},
		{"order1.a", "[against]\nentry_points_removed = no", POLICY_FAIL, ""},
		{"base.a", "[against]\nkernels_removed = no", POLICY_PASS, "all 5"},
		{"next.a", "[against]\nkernels_removed = no", POLICY_FAIL, "is gone for sm_"},
		{"base.a", "[against]\nparameters_changed = no", POLICY_PASS, "5 kernels"},
		{"next.a", "[against]\nparameters_changed = no", POLICY_FAIL, "4 bytes in 1 and are 12 bytes in 2"},
		{"order1.a", "[against]\nparameters_changed = no", POLICY_NOT_APPLICABLE, "nothing to compare"},
		{"base.a", "[against]\ncode_changed = no", POLICY_PASS, "5 kernels"},
		{"next.a", "[against]\ncode_changed = no", POLICY_FAIL, "_Z5growsi"},
		{"order1.a", "[against]\ncode_changed = no", POLICY_NOT_APPLICABLE, ""},
		{"next.a", "[against]\nregisters_growth = 24", POLICY_PASS, "at most 24 more"},
		{"next.a", "[against]\nregisters_growth = 23", POLICY_FAIL, "1 kernel needs more than 23 registers more"},
		{"order1.a", "[against]\nregisters_growth = 0", POLICY_NOT_APPLICABLE, ""},
		{"next.a", "[against]\nspills_growth = 3", POLICY_PASS, ""},
		{"next.a", "[against]\nspills_growth = 2", POLICY_FAIL, "0 to 3"},
		{"order1.a", "[against]\nspills_growth = 2", POLICY_NOT_APPLICABLE, ""},
		{"base.a", "[against]\nsize_growth = 0 %", POLICY_PASS, "+0.0 %"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct artifact artifacts[2];
		struct policy policy = {0};
		struct policy_report report = {0};
		struct error err = {0};
		struct difference difference = difference_of("base.a", cases[i].next, artifacts);
		CHECK_INT(policy_parse(&policy, "p.ini", cases[i].policy, &err), 0);
		CHECK_INT(policy_check_difference(&policy, &difference, &report, &err), 0);
		CHECK_INT(report.count, 1);
		CHECK_INT(report.items[0].verdict, cases[i].verdict);
		CHECK_CONTAINS(report.items[0].evidence, cases[i].evidence);
		/* about an artifact by itself they say nothing */
		policy_report_free(&report);
		CHECK_INT(policy_check(&policy, &artifacts[1], &report, &err), 0);
		CHECK_INT(report.count, 0);
		policy_free(&policy);
		close_all(&difference, artifacts);
	}
	struct artifact artifacts[2];
	struct policy policy = {0};
	struct policy_report report = {0};
	struct error err = {0};
	struct difference difference = difference_of("overloads.a", "base.a", artifacts);
	CHECK_INT(policy_parse(&policy, "p.ini", "[against]\nsize_growth = 10 %", &err), 0);
	CHECK_INT(policy_check_difference(&policy, &difference, &report, &err), 0);
	CHECK_INT(report.items[0].verdict, POLICY_FAIL);
	policy_report_free(&report);
	policy_free(&policy);
	close_all(&difference, artifacts);
}

/* A flag that is the end of another one is a flag of its own. */
static void flags_of_build_folders_are_listed(void)
{
	static const char output[] = "cargo:info=Builder { extra_args: [\"--O3\", \"-O3\", \"-O3\"] }\n";
	struct artifact artifacts[2];
	struct error err = {0};
	const char *flags = NULL;
	CHECK_INT(make_dirs(in_folder("built/out"), &err), 0);
	CHECK_INT(write_file_atomically(in_folder("built/output"), output, strlen(output), &err), 0);
	make("built/out/lib.a", (struct unit[]){{"a.o", "run_mha", 90, 130, 0, {{"k", 40, 0, 0, 0, {8}, 0, code[0], 64}}, NULL}}, 1);
	struct difference difference = difference_of("built/out/lib.a", "base.a", artifacts);
	for (int i = 0; i < difference.fact_count; i++)
		if (strcmp(difference.facts[i].what, "flags in the build folder") == 0)
			flags = difference.facts[i].before;
	CHECK_TEXT(flags, "--O3, -O3");
	close_all(&difference, artifacts);
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
	names_fold_alike();
	names_with_many_references_fold_alike();
	units_fold_alike();
	ptx_compares_by_what_it_does();
	ptx_compares_across_systems();
	make_artifacts();
	what_changed_is_told();
	the_same_is_the_same();
	compression_hides_nothing();
	policies_judge_changes();
	flags_of_build_folders_are_listed();
	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	CHECK_INT(system(command), 0);
	return check_result();
}
