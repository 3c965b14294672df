/* A case: parameters, input tensors and (optionally) expected outputs. One definition serves verifying, timing and
 * reporting. This layer knows nothing of any family: a case is a named bag of attributes and tensors, and a family
 * (kernels/family.h) gives them meaning. */
#ifndef ASSAY_DATASET_CASE_H
#define ASSAY_DATASET_CASE_H

#include "core/dtype.h"
#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

enum { TENSOR_RANK_MAX = 6, CASE_NAME_MAX = 192, CASE_ATTRIBUTES_MAX = 48, CASE_TENSORS_MAX = 16 };

enum tensor_role {
	TENSOR_INPUT,    /* given to the entry point, must come back unchanged */
	TENSOR_OUTPUT,   /* shape and strides of what the entry point writes; has no data */
	TENSOR_EXPECTED  /* stored float64 result for the output of the same name */
};

/* Element (i0, i1, ...) lies at data[(i0*strides[0] + i1*strides[1] + ...) * size]. `extent` elements are allocated;
 * strides are in elements and never negative. Elements of the extent that no index reaches are gaps: they belong to the
 * tensor's storage (strided and packed layouts) but not to its value. */
struct tensor {
	char name[32];
	enum tensor_role role;
	enum dtype dtype;
	int rank;
	int64_t dims[TENSOR_RANK_MAX];
	int64_t strides[TENSOR_RANK_MAX];
	int64_t extent;  /* elements of storage, gaps included: at first tensor_reach; who owns storage that others share as
			  * well raises it (before allocating) to what all of them reach */
	void *data;      /* extent * dtype_size bytes, owned by the case; NULL for outputs and cases not yet filled */
	char storage[32];/* name of the tensor (same role) whose storage this one shares (packed layouts), or "" for its
			  * own; then `offset` is where its first element lies in it, in elements, and data stays NULL:
			  * the storage is the other's. Set by case_share_storage. */
	int64_t offset;
	char generator[24]; /* how the data was made: "normal", "uniform", "import", ... */
};

enum attribute_type { ATTRIBUTE_INT, ATTRIBUTE_REAL, ATTRIBUTE_TEXT };

struct attribute {
	char name[32];
	enum attribute_type type;
	int64_t integer;
	double real;
	char text[64];
};

struct test_case {
	char name[CASE_NAME_MAX];   /* unique in a dataset; printable; no spaces; what filters and reports use */
	char family[32];            /* "attention" */
	uint64_t seed;              /* what the generators of this case start from */
	struct attribute attributes[CASE_ATTRIBUTES_MAX];
	int attribute_count;
	struct tensor tensors[CASE_TENSORS_MAX];
	int tensor_count;
};

/* Setters replace an attribute of the same name; -1 when the table is full or a text too long. */
int case_set_int(struct test_case *test, const char *name, int64_t value, struct error *err);
int case_set_real(struct test_case *test, const char *name, double value, struct error *err);
int case_set_text(struct test_case *test, const char *name, const char *value, struct error *err);
/* Getters: -1 with a message that names case and attribute when it is missing or of another type (an int is accepted
 * where a real is asked for). */
int case_get_int(const struct test_case *test, const char *name, int64_t *value, struct error *err);
int case_get_real(const struct test_case *test, const char *name, double *value, struct error *err);
const char *case_get_text(const struct test_case *test, const char *name); /* NULL when missing */

/* Adds a tensor with the given shape; `strides` NULL means row-major contiguous; extent is computed from the strides.
 * The returned pointer stays valid until the case is freed. NULL with *err on overflow, a full table, a name that is
 * empty, too long or taken (by a tensor of the same role), or a shape whose bytes or elements exceed PTRDIFF_MAX. */
struct tensor *case_add_tensor(struct test_case *test, const char *name, enum tensor_role role, enum dtype dtype,
			       int rank, const int64_t *dims, const int64_t *strides, struct error *err);
/* Makes `tensor` a view of the storage of `owner` (of the same case, role and dtype; it must own its storage) that
 * starts at element `offset`. -1 when it would reach beyond the owner's extent. */
int case_share_storage(struct test_case *test, struct tensor *tensor, const char *owner, int64_t offset,
		       struct error *err);
struct tensor *case_find_tensor(struct test_case *test, const char *name, enum tensor_role role);
const struct tensor *case_find_tensor_const(const struct test_case *test, const char *name, enum tensor_role role);

int64_t tensor_elements(const struct tensor *tensor);             /* product of dims */
/* 1 + sum of (dim - 1) * stride: elements from the first to the last that an index reaches; 0 for an empty tensor. */
int64_t tensor_reach(const struct tensor *tensor);
int tensor_bytes(const struct tensor *tensor, size_t *bytes);     /* extent * size; -1 on overflow */
int tensor_is_contiguous(const struct tensor *tensor);            /* row-major without gaps */
/* Offset in elements of the element with row-major index `linear`. */
int64_t tensor_offset(const struct tensor *tensor, int64_t linear);
/* Allocates data (zeroed, aligned to 64 bytes) for a tensor that owns its storage; data that is there is freed. An empty
 * tensor gets a pointer that must not be read. */
int tensor_allocate(struct tensor *tensor, struct error *err);
/* Address of the tensor's first element, in its own storage or the one it shares; NULL while that has no data. */
const void *case_tensor_data(const struct test_case *test, const struct tensor *tensor);

/* A copy without the expected tensors, for new ones to be added. It borrows the tensors' data: free only what is added. */
void case_without_expected(const struct test_case *test, struct test_case *copy);

void case_free(struct test_case *test); /* frees tensor data and zeroes the struct */

#endif
