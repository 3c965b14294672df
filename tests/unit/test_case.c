#include "check.h"
#include "dataset/case.h"

#include <stdlib.h>

static void attributes_are_replaced_and_typed(void)
{
	static struct test_case test = {.name = "attributes"};
	struct error err = {0};
	int64_t whole = 0;
	double real = 0;
	CHECK_INT(case_set_int(&test, "head_dim", 64, &err), 0);
	CHECK_INT(case_set_int(&test, "head_dim", 128, &err), 0);
	CHECK_INT(case_set_real(&test, "softcap", 0.5, &err), 0);
	CHECK_INT(case_set_text(&test, "mask", "causal", &err), 0);
	CHECK_INT(test.attribute_count, 3);
	CHECK_INT(case_get_int(&test, "head_dim", &whole, &err), 0);
	CHECK_INT(whole, 128);
	CHECK_INT(case_get_real(&test, "head_dim", &real, &err), 0);
	CHECK_NEAR(real, 128.0, 0.0);
	CHECK_TEXT(case_get_text(&test, "mask"), "causal");
	CHECK(case_get_text(&test, "head_dim") == NULL);
	CHECK_INT(case_get_int(&test, "softcap", &whole, &err), -1);
	CHECK_CONTAINS(err.message, "softcap");
	CHECK_INT(case_get_real(&test, "mask", &real, &err), -1);
	CHECK_INT(case_get_int(&test, "absent", &whole, &err), -1);
	CHECK_CONTAINS(err.message, "'attributes' has no attribute 'absent'");
	CHECK_INT(case_set_text(&test, "mask", "0123456789012345678901234567890123456789012345678901234567890123", &err), -1);
	CHECK_TEXT(case_get_text(&test, "mask"), "causal");
	CHECK_INT(case_set_int(&test, "a_name_that_is_longer_than_any_attribute", 1, &err), -1);
	CHECK_INT(case_set_int(&test, "", 1, &err), -1);
	for (int i = test.attribute_count; i < CASE_ATTRIBUTES_MAX; i++) {
		char name[16];
		snprintf(name, sizeof name, "n%d", i);
		CHECK_INT(case_set_int(&test, name, i, &err), 0);
	}
	CHECK_INT(case_set_int(&test, "one_more", 1, &err), -1);
	CHECK_INT(case_set_int(&test, "head_dim", 8, &err), 0);
	case_free(&test);
}

static void extents_follow_strides(void)
{
	static struct test_case test = {.name = "extents"};
	struct error err = {0};
	size_t bytes = 0;
	const struct tensor *dense = case_add_tensor(&test, "dense", TENSOR_INPUT, DTYPE_F16, 3, (int64_t[]){2, 3, 4}, NULL, &err);
	CHECK(dense != NULL);
	CHECK_INT(dense->strides[0], 12);
	CHECK_INT(dense->strides[1], 4);
	CHECK_INT(dense->strides[2], 1);
	CHECK_INT(dense->extent, 24);
	CHECK(tensor_is_contiguous(dense));
	CHECK_INT(tensor_bytes(dense, &bytes), 0);
	CHECK_INT(bytes, 48);

	const struct tensor *gappy = case_add_tensor(&test, "gappy", TENSOR_INPUT, DTYPE_F32, 2, (int64_t[]){3, 4},
						     (int64_t[]){10, 1}, &err);
	CHECK(gappy != NULL);
	CHECK_INT(gappy->extent, 1 + 2 * 10 + 3);
	CHECK_INT(tensor_elements(gappy), 12);
	CHECK(!tensor_is_contiguous(gappy));
	CHECK_INT(tensor_offset(gappy, 0), 0);
	CHECK_INT(tensor_offset(gappy, 5), 11);
	CHECK_INT(tensor_offset(gappy, 11), 23);

	/* the stride of an axis of length 1 is never used */
	const struct tensor *single = case_add_tensor(&test, "single", TENSOR_INPUT, DTYPE_F32, 2, (int64_t[]){1, 4},
						      (int64_t[]){1000, 1}, &err);
	CHECK(single && tensor_is_contiguous(single));
	CHECK_INT(single ? single->extent : -1, 4);
	const struct tensor *empty = case_add_tensor(&test, "empty", TENSOR_INPUT, DTYPE_F32, 2, (int64_t[]){0, 4}, NULL, &err);
	CHECK_INT(empty ? empty->extent : -1, 0);
	CHECK_INT(empty ? tensor_elements(empty) : -1, 0);
	const struct tensor *scalar = case_add_tensor(&test, "scalar", TENSOR_INPUT, DTYPE_F64, 0, NULL, NULL, &err);
	CHECK_INT(scalar ? scalar->extent : -1, 1);
	CHECK_INT(scalar ? tensor_offset(scalar, 0) : -1, 0);
	/* same name, other role */
	CHECK(case_add_tensor(&test, "dense", TENSOR_OUTPUT, DTYPE_F16, 1, (int64_t[]){4}, NULL, &err) != NULL);
	CHECK(case_find_tensor(&test, "dense", TENSOR_INPUT) == dense);
	CHECK(case_find_tensor(&test, "dense", TENSOR_EXPECTED) == NULL);
	case_free(&test);
	CHECK_INT(test.tensor_count, 0);
}

static void bad_shapes_are_refused(void)
{
	static struct test_case test = {.name = "bad"};
	struct error err = {0};
	static const struct {
		const char *name;
		enum dtype dtype;
		int rank;
		int64_t dims[3], strides[3];
	} bad[] = {
		{"negative", DTYPE_F16, 1, {-1}, {1}},
		{"negative_stride", DTYPE_F16, 1, {4}, {-1}},
		{"elements", DTYPE_U8, 2, {INT64_C(1) << 32, INT64_C(1) << 32}, {0, 0}},
		{"reach", DTYPE_U8, 2, {3, 2}, {INT64_MAX / 2, INT64_MAX / 2}},
		{"bytes", DTYPE_F64, 1, {INT64_MAX / 4}, {1}},
		{"hidden_by_zero", DTYPE_U8, 3, {0, INT64_C(1) << 40, INT64_C(1) << 40}, {0, 0, 0}},
		{"rank", DTYPE_F16, 7, {1}, {1}},
		{"rank", DTYPE_F16, -1, {1}, {1}},
		{"type", DTYPE_INVALID, 1, {1}, {1}},
		{"", DTYPE_F16, 1, {1}, {1}},
		{"a_name_of_more_than_thirty_one_bytes", DTYPE_F16, 1, {1}, {1}},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		err = (struct error){0};
		CHECK(!case_add_tensor(&test, bad[i].name, TENSOR_INPUT, bad[i].dtype, bad[i].rank, bad[i].dims,
				       bad[i].strides, &err));
		CHECK(err.message[0] != '\0');
	}
	/* contiguous strides overflow as well */
	CHECK(!case_add_tensor(&test, "n", TENSOR_INPUT, DTYPE_F16, 2, (int64_t[]){INT64_C(1) << 40, INT64_C(1) << 40}, NULL,
			       &err));
	CHECK_INT(test.tensor_count, 0);
	CHECK(case_add_tensor(&test, "twice", TENSOR_INPUT, DTYPE_F16, 0, NULL, NULL, &err) != NULL);
	CHECK(!case_add_tensor(&test, "twice", TENSOR_INPUT, DTYPE_F16, 0, NULL, NULL, &err));
	for (int i = 1; i < CASE_TENSORS_MAX; i++) {
		char name[16];
		snprintf(name, sizeof name, "t%d", i);
		CHECK(case_add_tensor(&test, name, TENSOR_INPUT, DTYPE_F16, 0, NULL, NULL, &err) != NULL);
	}
	CHECK(!case_add_tensor(&test, "one_more", TENSOR_INPUT, DTYPE_F16, 0, NULL, NULL, &err));
	case_free(&test);
}

static void storage_can_be_shared(void)
{
	static struct test_case test = {.name = "packed"};
	struct error err = {0};
	struct tensor *packed = case_add_tensor(&test, "qkv", TENSOR_INPUT, DTYPE_F16, 3, (int64_t[]){5, 3, 8}, NULL, &err);
	struct tensor *q = case_add_tensor(&test, "q", TENSOR_INPUT, DTYPE_F16, 2, (int64_t[]){5, 8}, (int64_t[]){24, 1}, &err);
	struct tensor *v = case_add_tensor(&test, "v", TENSOR_INPUT, DTYPE_F16, 2, (int64_t[]){5, 8}, (int64_t[]){24, 1}, &err);
	struct tensor *other = case_add_tensor(&test, "f", TENSOR_INPUT, DTYPE_F32, 1, (int64_t[]){1}, NULL, &err);
	CHECK_INT(case_share_storage(&test, q, "qkv", 0, &err), 0);
	CHECK_INT(case_share_storage(&test, v, "qkv", 17, &err), -1);
	CHECK_CONTAINS(err.message, "reaches beyond");
	CHECK_INT(case_share_storage(&test, v, "qkv", -1, &err), -1);
	CHECK_INT(case_share_storage(&test, v, "qkv", INT64_MAX, &err), -1);
	CHECK_INT(case_share_storage(&test, v, "q", 0, &err), -1);
	CHECK_INT(case_share_storage(&test, v, "v", 0, &err), -1);
	CHECK_INT(case_share_storage(&test, v, "absent", 0, &err), -1);
	CHECK_INT(case_share_storage(&test, other, "qkv", 0, &err), -1);
	CHECK_CONTAINS(err.message, "f32");
	CHECK_INT(case_share_storage(&test, v, "qkv", 16, &err), 0);
	/* an owner that is a part itself, its storage raised to what the others reach */
	struct tensor *owner = case_add_tensor(&test, "owner", TENSOR_INPUT, DTYPE_F16, 2, (int64_t[]){5, 8}, (int64_t[]){24, 1}, &err);
	struct tensor *part = case_add_tensor(&test, "part", TENSOR_INPUT, DTYPE_F16, 2, (int64_t[]){5, 8}, (int64_t[]){24, 1}, &err);
	CHECK_INT(tensor_reach(owner), 104);
	CHECK_INT(case_share_storage(&test, part, "owner", 16, &err), -1);
	owner->extent = 120;
	CHECK_INT(case_share_storage(&test, part, "owner", 16, &err), 0);
	CHECK_INT(tensor_reach(owner), 104);
	CHECK(case_tensor_data(&test, v) == NULL);
	CHECK_INT(tensor_allocate(packed, &err), 0);
	CHECK_INT(tensor_allocate(v, &err), -1);
	CHECK_INT((uintptr_t)packed->data % 64, 0);
	CHECK(case_tensor_data(&test, q) == packed->data);
	CHECK((const unsigned char *)case_tensor_data(&test, v) == (const unsigned char *)packed->data + 32);
	CHECK_INT(dtype_load(DTYPE_F16, packed->data, 119), 0);
	case_free(&test);
}

int main(void)
{
	attributes_are_replaced_and_typed();
	extents_follow_strides();
	bad_shapes_are_refused();
	storage_can_be_shared();
	return check_result();
}
