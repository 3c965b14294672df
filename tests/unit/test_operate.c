/* Running operators' cases on the cpu device: a small family of this test's own and kernels that each break one promise. */
#include "operate.h"

#include "core/util.h"
#include "dataset/store.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* out[i] = in[i] + 1 for i < n, 32-bit integers. %d0: address of in[i], %d1: of out[i], %r1: n, %r0: i, %r2: in[i] */
#define BEGIN(name)                                                                                                     \
	".visible .entry " name "(.param .u64 n, .param .u64 in, .param .u64 out)\n{\n"                                  \
	".reg .pred %p<4>; .reg .b32 %r<8>; .reg .b64 %d<8>;\n"                                                          \
	"ld.param.u64 %d2, [n]; cvt.u32.u64 %r1, %d2; ld.param.u64 %d0, [in]; ld.param.u64 %d1, [out];\n"                \
	"mov.u32 %r0, %tid.x; mul.wide.u32 %d3, %r0, 4; add.u64 %d0, %d0, %d3; add.u64 %d1, %d1, %d3;\n"
#define UNTIL_N "setp.ge.u32 %p0, %r0, %r1; @%p0 bra done;\n"
#define STORE "ld.global.u32 %r2, [%d0]; add.u32 %r2, %r2, 1; st.global.u32 [%d1], %r2;\n"
#define END "done: ret;\n}\n"

static const char module_text[] =
	".version 7.0\n.target sm_80\n.address_size 64\n"
	BEGIN("good") UNTIL_N STORE END
	BEGIN("wrong") UNTIL_N "ld.global.u32 %r2, [%d0]; add.u32 %r2, %r2, 2; st.global.u32 [%d1], %r2;\n" END
	BEGIN("misses_last") "sub.u32 %r1, %r1, 1;" UNTIL_N STORE END
	BEGIN("writes_behind") "setp.gt.u32 %p0, %r0, %r1; @%p0 bra done; mov.u32 %r2, 7; st.global.u32 [%d1], %r2; setp.ge.u32 %p0, %r0, %r1;"
		"@%p0 bra done;" STORE END
	BEGIN("writes_before") UNTIL_N STORE "mov.u32 %r2, 7; setp.eq.u32 %p0, %r0, 0; @%p0 st.global.u32 [%d1+-4], %r2;" END
	BEGIN("writes_input") UNTIL_N STORE "st.global.u32 [%d0], %r2;" END
	BEGIN("adds") UNTIL_N "ld.global.u32 %r2, [%d0]; ld.global.u32 %r3, [%d1]; add.u32 %r2, %r2, %r3; st.global.u32 [%d1], %r2;" END
	BEGIN("by_address") UNTIL_N STORE "cvt.u32.u64 %r4, %d1; and.b32 %r4, %r4, 65280; st.global.u32 [%d1], %r4;" END
	".visible .entry other_list(.param .u64 n, .param .u32 in, .param .u64 out)\n{\nret;\n}\n"
	".visible .entry fewer(.param .u64 n, .param .u64 in)\n{\nret;\n}\n";

#define FLUSH "mov.f32 %f0, 0f3f800000; add.ftz.f32 %f0, %f0, %f0;" /* by which a build with fast math is told */
static const char fast_text[] =
	".version 7.0\n.target sm_80\n.address_size 64\n"
	BEGIN("wrong") ".reg .f32 %f<2>;" FLUSH UNTIL_N "ld.global.u32 %r2, [%d0]; add.u32 %r2, %r2, 2; st.global.u32 [%d1], %r2;\n" END
	BEGIN("writes_behind") ".reg .f32 %f<2>;" FLUSH "setp.gt.u32 %p0, %r0, %r1; @%p0 bra done; st.global.u32 [%d1], %r0;\n" END;

static const char *const no_axes[] = {NULL};

static int launch(const struct test_case *test, int abi, struct operator_launch *out, struct error *err)
{
	(void)abi, (void)err;
	argument_size(out, tensor_elements(operator_tensor(test, "in")));
	argument_tensor(out, test, "in");
	argument_tensor(out, test, "out");
	out->grid = (struct device_dim3){1, 1, 1};
	out->block = (struct device_dim3){64, 1, 1};
	return 0;
}

static int expectations(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			struct error *err)
{
	(void)abi, (void)err;
	for (int64_t i = 0; i < tensor_elements(output); i++)
		expected[i].value = operator_element(test, operator_tensor(test, "in"), i) + 1;
	return 0;
}

static unsigned open_flag; /* set: the elements of nothing_asked have it, all but the first where `judge_first` */
static int judge_first;

static int expect_nothing(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			  struct error *err)
{
	expectations(test, abi, output, expected, err);
	for (int64_t i = judge_first; i < tensor_elements(output); i++)
		expected[i].flags = open_flag;
	return 0;
}

static const struct family nothing_asked = {.name = "plus_one", .axes = no_axes, .launch = launch, .expectations = expect_nothing};
static const struct family family = {.name = "plus_one", .axes = no_axes, .launch = launch, .expectations = expectations};

/* `layout` of the output; `initial`: it starts from zeros. */
static int make(struct test_case *test, const char *layout, int initial)
{
	const int64_t dims[1] = {33};
	struct error err = {0};
	*test = (struct test_case){.seed = 1};
	snprintf(test->name, sizeof test->name, "case");
	snprintf(test->family, sizeof test->family, "plus_one");
	struct tensor *in = operator_add_tensor(test, "in", TENSOR_INPUT, DTYPE_U32, 1, dims, "contiguous", &err);
	if (!in || operator_fill(in, "bits", 1, 1, 1, &err) || !operator_add_tensor(test, "out", TENSOR_OUTPUT, DTYPE_U32, 1, dims, layout, &err))
		return -1;
	struct tensor *start = initial ? operator_add_tensor(test, "out_initial", TENSOR_INPUT, DTYPE_U32, 1, dims, layout, &err) : NULL;
	/* largest numbers stay below 2^32 - 1, so that adding one does not wrap */
	for (int i = 0; i < 33; i++)
		((uint32_t *)in->data)[i] &= 0x7fffffff;
	return start ? operator_fill(start, "constant", 1, 1, 2, &err) : 0;
}

static void run(struct operate *operate, const char *symbol, const char *layout, int initial, struct case_record *record)
{
	struct test_case test;
	const struct operate_target target = {.family = &family, .symbol = symbol};
	CHECK_INT(make(&test, layout, initial), 0);
	CHECK_INT(operate_case(operate, &target, &test, NULL, record), 0);
	case_free(&test);
}

static enum check_state state(const struct case_record *record, enum check check)
{
	return record->judgement.checks[check].state;
}

static void test_checks(struct operate *operate, struct case_record *record)
{
	run(operate, "good", "contiguous", 0, record);
	CHECK_INT(record->judgement.status, STATUS_PASS);
	static const enum check held[] = {CHECK_EXACT, CHECK_UNWRITTEN, CHECK_PREVIOUS, CHECK_CANARY, CHECK_INPUT, CHECK_REPEAT, CHECK_LAUNCH,
					  CHECK_ACCESS, CHECK_UNDEFINED};
	for (size_t i = 0; i < ARRAY_COUNT(held); i++)
		CHECK_INT(state(record, held[i]), CHECK_HELD);
	CHECK_INT(state(record, CHECK_GAP), CHECK_NOT_MADE);
	CHECK_INT(record->output_count, 1);
	const struct digest digest = record->digests[0];
	run(operate, "good", "offset", 0, record); /* the same value lies elsewhere: the digest is the value's */
	CHECK_INT(record->judgement.status, STATUS_PASS);
	CHECK_INT(state(record, CHECK_GAP), CHECK_HELD);
	CHECK(memcmp(&digest, &record->digests[0], sizeof digest) == 0);

	run(operate, "wrong", "contiguous", 0, record);
	CHECK_INT(record->judgement.status, STATUS_FAIL);
	CHECK_INT(state(record, CHECK_EXACT), CHECK_BROKEN);
	run(operate, "misses_last", "contiguous", 0, record);
	CHECK_INT(state(record, CHECK_UNWRITTEN), CHECK_BROKEN);
	CHECK(strstr(record->judgement.checks[CHECK_UNWRITTEN].reason, "element 32 ") != NULL);
	run(operate, "writes_behind", "contiguous", 0, record);
	CHECK_INT(state(record, CHECK_CANARY), CHECK_BROKEN);
	run(operate, "writes_before", "contiguous", 0, record);
	CHECK_INT(state(record, CHECK_CANARY), CHECK_BROKEN);
	/* in a storage with room around the value the same is a gap */
	run(operate, "writes_behind", "offset", 0, record);
	CHECK_INT(state(record, CHECK_GAP), CHECK_BROKEN);
	CHECK_INT(state(record, CHECK_CANARY), CHECK_HELD);
	run(operate, "writes_input", "contiguous", 0, record);
	CHECK_INT(state(record, CHECK_INPUT), CHECK_BROKEN);
	run(operate, "adds", "contiguous", 0, record);
	CHECK_INT(state(record, CHECK_PREVIOUS), CHECK_BROKEN);
	run(operate, "adds", "contiguous", 1, record); /* which starts from ones: that is what it is for */
	CHECK_INT(record->judgement.status, STATUS_PASS);
	run(operate, "by_address", "contiguous", 0, record);
	CHECK_INT(state(record, CHECK_REPEAT), CHECK_BROKEN);
	run(operate, "other_list", "contiguous", 0, record);
	CHECK_INT(record->judgement.status, STATUS_UNSUPPORTED);
	CHECK(strstr(record->judgement.reason, "ABI: parameter 1 of other_list has 4 bytes") != NULL);
	run(operate, "fewer", "contiguous", 0, record);
	CHECK_INT(record->judgement.status, STATUS_UNSUPPORTED);
}

static void test_guards(struct device *device, const char *path)
{
	static const char *const symbols[] = {"good", "wrong"};
	struct error err = {0};
	struct operate_loaded loaded;
	struct case_record *record = calloc(1, sizeof *record);
	for (int guard = GUARD_PAGES; guard <= GUARD_SEPARATE; guard++) {
		struct operate *operate = NULL;
		const struct operate_options options = {.device = device, .guard = (enum guard)guard, .repeats = 2};
		CHECK_INT(operate_open(&operate, &options, &err), 0);
		CHECK_INT(operate_load(operate, path, symbols, 2, 0, &loaded, &err), 0);
		run(operate, "good", "contiguous", 0, record);
		CHECK_INT(record->judgement.status, STATUS_PASS);
		run(operate, "wrong", "offset", 0, record);
		CHECK_INT(state(record, CHECK_EXACT), CHECK_BROKEN);
		operate_close(operate);
	}
	free(record);
}

/* A failure is kept as inputs, outputs as they came and what was due of them; what passes is not. */
static void test_kept(struct device *device, const char *path)
{
	static const char *const symbols[] = {"good", "wrong", "by_address"};
	static const char *const layouts[] = {"contiguous", "offset"};
	char folder[] = "/tmp/assay-operate-kept-XXXXXX", file[64];
	struct error err = {0};
	struct operate *operate = NULL;
	struct operate_loaded loaded;
	struct case_record *record = calloc(1, sizeof *record);
	CHECK(record && mkdtemp(folder) != NULL);
	const struct operate_options options = {.device = device, .repeats = 2, .keep_failures = folder};
	snprintf(file, sizeof file, "%s/case.h5", folder);
	CHECK_INT(operate_open(&operate, &options, &err), 0);
	CHECK_INT(operate_load(operate, path, symbols, ARRAY_COUNT(symbols), 0, &loaded, &err), 0);
	run(operate, "good", "contiguous", 0, record);
	CHECK(access(file, F_OK) != 0);
	for (size_t i = 0; i < ARRAY_COUNT(layouts); i++) {
		struct dataset *dataset = NULL;
		struct test_case due, kept;
		run(operate, "wrong", layouts[i], 0, record);
		CHECK_TEXT(record->note, "");
		CHECK_INT(make(&due, layouts[i], 0), 0);
		CHECK_INT(dataset_open(&dataset, file, &err), 0);
		CHECK_INT(dataset_read(dataset, 0, 1, &kept, &err), 0);
		CHECK_TEXT(err.message, "");
		CHECK_INT(kept.tensor_count, due.tensor_count + 1);
		const struct tensor *in = operator_tensor(&kept, "in"), *out = case_find_tensor_const(&kept, "out", TENSOR_OUTPUT);
		const struct tensor *expected = case_find_tensor_const(&kept, "out", TENSOR_EXPECTED);
		CHECK(in && out && expected);
		for (int64_t e = 0; e < 33; e++) {
			const uint32_t from = ((const uint32_t *)operator_tensor(&due, "in")->data)[e];
			CHECK_INT(((const uint32_t *)in->data)[e], from);
			CHECK_INT((uint32_t)operator_element(&kept, out, e), from + 2);
			CHECK(((const double *)expected->data)[e] == (double)from + 1);
		}
		case_free(&kept);
		case_free(&due);
		dataset_close(dataset);
		unlink(file);
	}
	run(operate, "by_address", "contiguous", 0, record); /* fails by its repetition */
	CHECK_INT(record->judgement.status, STATUS_FAIL);
	CHECK(access(file, F_OK) == 0);
	unlink(file);
	CHECK_INT(rmdir(folder), 0);
	operate_close(operate);
	free(record);
}

/* A case none of whose elements is judged is no pass. */
static void nothing_judged(struct device *device, const char *text, int is_fast)
{
	static const struct {
		unsigned flag;
		int judge_first, is_fast;
		const char *symbol;
		enum status status;
	} cases[] = {
		{EXPECT_ANY, 0, 0, "wrong", STATUS_MISTRUSTED},
		{EXPECT_ANY, 1, 0, "wrong", STATUS_FAIL},
		{EXPECT_FAST_ANY, 0, 0, "wrong", STATUS_FAIL}, /* a precise kernel is judged as such in either mode */
		{EXPECT_FAST_ANY, 0, 1, "wrong", STATUS_SKIPPED},
		{EXPECT_FAST_ANY, 1, 1, "wrong", STATUS_FAIL},
		{EXPECT_FAST_ANY, 0, 1, "writes_behind", STATUS_FAIL},
		{EXPECT_FAST_ANY | EXPECT_ANY, 0, 1, "wrong", STATUS_MISTRUSTED},
	};
	const struct operate_options options = {.device = device, .repeats = 1, .math = MATH_FAST};
	static const char *const symbols[] = {"wrong", "writes_behind"};
	char path[] = "/tmp/assay-operate-XXXXXX";
	struct error err = {0};
	struct operate *operate = NULL;
	struct operate_loaded loaded;
	struct case_record *record = calloc(1, sizeof *record);
	const int fd = mkstemp(path);
	CHECK(fd >= 0 && record && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	CHECK_INT(operate_open(&operate, &options, &err), 0);
	CHECK_INT(operate_load(operate, path, symbols, ARRAY_COUNT(symbols), 0, &loaded, &err), 0);
	for (size_t i = 0; record && i < ARRAY_COUNT(cases); i++) {
		struct test_case test;
		const struct operate_target target = {.family = &nothing_asked, .symbol = cases[i].symbol};
		if (cases[i].is_fast != is_fast)
			continue;
		open_flag = cases[i].flag;
		judge_first = cases[i].judge_first;
		CHECK_INT(make(&test, "contiguous", 0), 0);
		CHECK_INT(operate_case(operate, &target, &test, NULL, record), 0);
		CHECK_INT(record->judgement.status, cases[i].status);
		CHECK(record->judgement.reason[0] != 0);
		case_free(&test);
	}
	operate_close(operate);
	unlink(path);
	free(record);
}

static void run_known(struct operate *operate, const char *symbol, const struct known_outputs *known, struct case_record *record)
{
	struct test_case test;
	const struct operate_target target = {.family = &family, .symbol = symbol, .known = known};
	CHECK_INT(make(&test, "contiguous", 0), 0);
	CHECK_INT(operate_case(operate, &target, &test, NULL, record), 0);
	case_free(&test);
}

/* What was verified is known by its digest: the same again has passed, unless it harms memory; other bits are verified. */
static void test_known(struct operate *operate, struct case_record *record)
{
	static const char *const symbols[] = {"good", "wrong"};
	for (size_t i = 0; i < ARRAY_COUNT(symbols); i++) {
		struct known_outputs known = {0};
		run_known(operate, symbols[i], &known, record); /* nothing is known */
		CHECK_INT(state(record, CHECK_EXACT), i ? CHECK_BROKEN : CHECK_HELD);
		CHECK_INT(record->output_count, 1);
		known.count = record->output_count;
		known.digests[0] = record->digests[0];
		run_known(operate, symbols[i], &known, record);
		CHECK_INT(record->judgement.status, STATUS_PASS);
		CHECK_INT(state(record, CHECK_EXACT), CHECK_NOT_MADE); /* nobody asked what is due */
		CHECK_INT(state(record, CHECK_REPEAT), CHECK_HELD);
		CHECK_INT(record->launch_count, 1);
		known.digests[0].half[1]++;
		run_known(operate, symbols[i], &known, record);
		CHECK_INT(record->judgement.status, i ? STATUS_FAIL : STATUS_PASS);
		CHECK_INT(state(record, CHECK_EXACT), i ? CHECK_BROKEN : CHECK_HELD);
		CHECK_INT(record->output_count, 1);
		CHECK(strstr(record->note, "other bits") != NULL);
	}
	struct known_outputs known = {.count = 1};
	run_known(operate, "writes_behind", &known, record);
	CHECK_INT(record->judgement.status, STATUS_FAIL);
	known.digests[0] = record->digests[0];
	run_known(operate, "writes_behind", &known, record);
	CHECK_INT(record->judgement.status, STATUS_FAIL);
	CHECK_INT(state(record, CHECK_CANARY), CHECK_BROKEN);
}

int main(void)
{
	struct error err = {0};
	struct device *device = NULL;
	struct operate *operate = NULL;
	struct operate_loaded loaded;
	char path[] = "/tmp/assay-operate-XXXXXX";
	const int fd = mkstemp(path);
	static const char *const symbols[] = {"good", "wrong", "misses_last", "writes_behind", "writes_before", "writes_input", "adds",
					      "by_address", "other_list", "fewer"};
	struct case_record *record = calloc(1, sizeof *record);
	CHECK(fd >= 0 && record && write(fd, module_text, sizeof module_text - 1) == (ssize_t)sizeof module_text - 1);
	close(fd);
	CHECK_INT(device_open(&device, "cpu", NULL, &err), 0);
	const struct operate_options options = {.device = device, .repeats = 2};
	CHECK_INT(operate_open(&operate, &options, &err), 0);
	static const char *const absent[] = {"good", "absent"};
	CHECK(operate_load(operate, path, absent, 2, 0, &loaded, &err) == -1 && err.kind == ERROR_INPUT);
	CHECK_INT(operate_load(operate, path, symbols, ARRAY_COUNT(symbols), 0, &loaded, &err), 0);
	if (record && operate)
		test_checks(operate, record);
	if (record && operate)
		test_known(operate, record);
	CHECK_INT(operate_load(operate, path, symbols, 1, 1, &loaded, &err), 0);
	run(operate, "wrong", "contiguous", 0, record); /* not asked for */
	CHECK_INT(record->judgement.status, STATUS_ERROR);
	operate_close(operate);
	test_guards(device, path);
	test_kept(device, path);
	nothing_judged(device, module_text, 0);
	nothing_judged(device, fast_text, 1);
	device_close(device);
	unlink(path);
	free(record);
	return check_result();
}
