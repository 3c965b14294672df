/* Families of quantised matrices: contradictory axes and changed cases are refused. (Their right answers: test_gguf.c; the
 * kernels: specimens and faulty twins.) */
#include "check.h"

#include "dataset/case.h"
#include "kernels/family.h"

static int make(const char *name, const char *axis, const char *value, struct test_case *test, struct error *err)
{
	const struct assignment assignment = {.family = name, .axis_count = axis != NULL, .axes = {axis}, .values = {value}};
	*err = (struct error){0};
	return family_find(name)->make_case(&assignment, 1, test, err);
}

static const char *const names[] = {"dequantise", "quantised_matvec", "quantised_matmul", "quantize_q8_1", "indexed_moe",
				    "get_rows", "moe_gguf", "mmvq"};

static void test_refused(void)
{
	static const char *const refused[][3] = {
		{"dequantise", "count", "33"}, {"dequantise", "count", "0"}, {"dequantise", "to", "bf16"},
		{"dequantise", "format", "q8_1"}, {"dequantise", "blocks", "some"}, {"dequantise", "padding", "nan"},
		{"quantised_matvec", "vector", "f16"}, {"quantised_matvec", "columns", "9"}, {"quantised_matvec", "k", "48"},
		{"quantised_matvec", "gap", "-1"}, {"quantised_matvec", "format", "q8_K"}, {"quantised_matvec", "input", "normal:"},
		{"quantised_matvec", "rows", "99999999999"}, {"quantised_matmul", "k", "31"}, {"quantised_matmul", "rows", "x"},
		{"quantised_matmul", "columns", "0"}, {"quantize_q8_1", "rows", "65536"}, {"quantize_q8_1", "k", "0"},
		{"quantize_q8_1", "input", "tie"}, {"indexed_moe", "format", "q4_0"}, {"indexed_moe", "k", "257"},
		{"indexed_moe", "shared", "1"}, {"indexed_moe", "ids", "all"}, {"indexed_moe", "experts", "0"},
		{"get_rows", "type", "f64"}, {"get_rows", "hidden", "48"}, {"get_rows", "gap", "-3"}, {"get_rows", "ids", ""},
		{"mmvq", "op", "sum"}, {"mmvq", "columns", "9"}, {"mmvq", "type", "f64"}, {"mmvq", "k", "16"},
	};
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct test_case test;
		struct error err;
		const int result = make(refused[i][0], refused[i][1], refused[i][2], &test, &err);
		if (!result)
			fprintf(stderr, "%s takes %s:%s\n", refused[i][0], refused[i][1], refused[i][2]);
		CHECK(result != 0);
		CHECK_INT(err.kind, ERROR_INPUT);
		CHECK_CONTAINS(err.message, refused[i][1]);
		case_free(&test);
	}
}

/* A case as it is made passes; with another shape, without a tensor, or without an attribute it does not. */
static void test_changed(void)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const struct family *family = family_find(names[i]);
		struct test_case test;
		struct error err = {0};
		struct work work;
		CHECK_INT(make(names[i], NULL, NULL, &test, &err), 0);
		CHECK_INT(family->check_case(&test, &err), 0); /* without data yet */
		CHECK_INT(family->fill(&test, &err), 0);
		CHECK_INT(family->check_case(&test, &err), 0);
		CHECK_TEXT(err.message, "");
		CHECK_INT(family->work(&test, &work, &err), 0);
		CHECK(work.bytes > 0);
		test.tensors[0].dims[0]++;
		CHECK(family->check_case(&test, &err) != 0);
		test.tensors[0].dims[0]--;
		test.tensor_count--;
		CHECK(family->check_case(&test, &err) != 0);
		test.tensor_count++;
		test.attribute_count -= 2;
		CHECK(family->check_case(&test, &err) != 0);
		test.attribute_count += 2;
		CHECK_INT(family->check_case(&test, &err), 0);
		case_free(&test);
	}
}

static void test_ids(void)
{
	static const char *const with_ids[] = {"indexed_moe", "get_rows"};
	for (int i = 0; i < 2; i++) {
		const struct family *family = family_find(with_ids[i]);
		struct test_case test;
		struct error err = {0};
		CHECK_INT(make(with_ids[i], NULL, NULL, &test, &err), 0);
		CHECK_INT(family->fill(&test, &err), 0);
		uint32_t *ids = case_find_tensor(&test, "ids", TENSOR_INPUT)->data;
		ids[3] = 100;
		CHECK(family->check_case(&test, &err) != 0);
		CHECK_CONTAINS(err.message, "ids[3]");
		case_free(&test);
	}
}

int main(void)
{
	test_refused();
	test_changed();
	test_ids();
	return check_result();
}
