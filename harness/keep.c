#include "keep.h"

#include "core/util.h"
#include "dataset/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Adds what the kernel wrote to the case. */
static int add_actual(struct test_case *kept, struct device *device, const struct bound_tensor *bound, struct error *err)
{
	const struct tensor *output = bound->tensor;
	char name[sizeof output->name];
	size_t bytes;
	if (snprintf(name, sizeof name, "actual.%s", output->name) >= (int)sizeof name || tensor_bytes(output, &bytes))
		return error_set(err, ERROR_INTERNAL, "tensor %s cannot be kept", output->name);
	void *raw = malloc(bytes ? bytes : 1);
	int result = -1;
	if (!raw) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	struct tensor *actual = case_add_tensor(kept, name, TENSOR_EXPECTED, DTYPE_F64, output->rank, output->dims, NULL, err);
	if (!actual || tensor_allocate(actual, err) ||
	    (bytes && device->ops->copy_out(device, raw, bound->storage, bytes, NULL, err)))
		goto done;
	for (int64_t i = 0; i < tensor_elements(output); i++)
		((double *)actual->data)[i] = dtype_load(output->dtype, raw, (size_t)(output->offset + tensor_offset(output, i)));
	result = 0;
done:
	free(raw);
	return result;
}

/* A dataset of this case alone. */
static int write_kept(const char *folder, const char *label, const struct test_case *kept, struct error *err)
{
	char file[CASE_NAME_MAX + KEEP_LABEL_MAX + 8];
	struct dataset_writer *writer = NULL;
	int result = -1;
	snprintf(file, sizeof file, "%s%s%s.h5", kept->name, label[0] ? "." : "", label);
	for (char *at = file; *at; at++)
		if (*at == '/' || *at == ':')
			*at = '_';
	if (make_dirs(folder, err))
		return -1;
	char *path = path_join(folder, file);
	if (!path)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (dataset_writer_open(&writer, path, "", 1, err) || dataset_writer_add(writer, kept, err))
		goto done;
	result = dataset_writer_commit(writer, err);
	writer = NULL;
done:
	dataset_writer_discard(writer);
	free(path);
	return result;
}

static void free_added(const struct test_case *kept, int borrowed)
{
	for (int i = borrowed; i < kept->tensor_count; i++)
		free(kept->tensors[i].data);
}

int keep_failure(const char *folder, const char *label, struct device *device, const struct family *family, void *family_state,
		 const struct binding *binding, struct error *err)
{
	struct test_case kept; /* input data are borrowed; tensors added below are owned */
	case_without_expected(binding->test, &kept);
	const int borrowed = kept.tensor_count;
	int result = -1;

	if (family->expect(family_state, binding, &kept, err))
		goto done;
	for (int i = 0; i < binding->test->tensor_count; i++)
		if (binding->test->tensors[i].role == TENSOR_OUTPUT && add_actual(&kept, device, &binding->tensors[i], err))
			goto done;
	result = write_kept(folder, label, &kept, err);
done:
	free_added(&kept, borrowed);
	return result;
}

static int add_expected(struct test_case *kept, const struct tensor *output, const struct expectation *expected,
			struct error *err)
{
	const int is_whole = output->dtype == DTYPE_I64;
	struct tensor *to = case_add_tensor(kept, output->name, TENSOR_EXPECTED, is_whole ? DTYPE_I64 : DTYPE_F64, output->rank,
					    output->dims, NULL, err);
	if (!to || tensor_allocate(to, err))
		return -1;
	for (int64_t i = 0; i < tensor_elements(output); i++)
		if (is_whole)
			((int64_t *)to->data)[i] = (int64_t)expected[i].value;
		else
			((double *)to->data)[i] =
				expected[i].flags & (EXPECT_NAN | EXPECT_ANY) ? (double)NAN : (double)expected[i].value;
	return 0;
}

int keep_operator_failure(const char *folder, const char *label, const struct test_case *test,
			  const void *const storage[CASE_TENSORS_MAX], const struct expectation *const expected[CASE_TENSORS_MAX],
			  struct error *err)
{
	struct test_case kept; /* data are borrowed but for the expected tensors */
	int result = 0;
	case_without_expected(test, &kept);
	const int borrowed = kept.tensor_count;
	for (int i = 0; i < test->tensor_count && result == 0; i++) {
		struct tensor *output = case_find_tensor(&kept, test->tensors[i].name, TENSOR_OUTPUT);
		if (test->tensors[i].role != TENSOR_OUTPUT || !output)
			continue;
		output->data = output->storage[0] ? NULL : (void *)(uintptr_t)storage[i]; /* written to the file only */
		if (expected[i])
			result = add_expected(&kept, output, expected[i], err);
	}
	result = result || write_kept(folder, label, &kept, err) ? -1 : 0;
	free_added(&kept, borrowed);
	return result;
}
