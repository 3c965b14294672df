#include "keep.h"

#include "core/util.h"
#include "dataset/store.h"

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
	if (!actual || tensor_allocate(actual, err) || (bytes && device->ops->copy_out(device, raw, bound->storage, bytes, NULL, err)))
		goto done;
	for (int64_t i = 0; i < tensor_elements(output); i++)
		((double *)actual->data)[i] = dtype_load(output->dtype, raw, (size_t)(output->offset + tensor_offset(output, i)));
	result = 0;
done:
	free(raw);
	return result;
}

int keep_failure(const char *folder, struct device *device, const struct family *family, void *family_state,
		 const struct binding *binding, struct error *err)
{
	char file[CASE_NAME_MAX + 8];
	struct test_case kept; /* input data are borrowed; tensors added below are owned */
	case_without_expected(binding->test, &kept);
	const int borrowed = kept.tensor_count;
	struct dataset_writer *writer = NULL;
	char *path = NULL;
	int result = -1;

	snprintf(file, sizeof file, "%s.h5", kept.name);
	for (char *at = file; *at; at++)
		if (*at == '/' || *at == ':')
			*at = '_';
	if (make_dirs(folder, err))
		return -1;
	path = path_join(folder, file);
	if (!path) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (family->expect(family_state, binding, &kept, err))
		goto done;
	for (int i = 0; i < binding->test->tensor_count; i++)
		if (binding->test->tensors[i].role == TENSOR_OUTPUT && add_actual(&kept, device, &binding->tensors[i], err))
			goto done;
	if (dataset_writer_open(&writer, path, "", 1, err) || dataset_writer_add(writer, &kept, err))
		goto done;
	result = dataset_writer_commit(writer, err);
	writer = NULL;
done:
	if (writer)
		dataset_writer_discard(writer);
	for (int i = borrowed; i < kept.tensor_count; i++)
		free(kept.tensors[i].data);
	free(path);
	return result;
}
