/* Whether two datasets hold the same cases: names, attributes, shapes and inputs equal to the last bit, float64
 * expectations within 1e-12 of the largest of their tensor (the reference may be built with another BLAS, whose sums have
 * another order). usage: compare_datasets A.h5 B.h5 */
#include "dataset/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double tolerance = 1e-12;

struct tally {
	size_t inputs, expected, failures;
	double worst;
};

static void complain(struct tally *tally, const struct test_case *test, const char *what, const char *of)
{
	printf("%s: %s %s\n", test->name, what, of);
	tally->failures++;
}

static void compare_expected(struct tally *tally, const struct test_case *test, const struct tensor *a, const struct tensor *b)
{
	double largest = 0, farthest = 0;
	int same_classes = 1;
	for (int64_t i = 0; i < tensor_elements(a); i++) {
		const double x = ((const double *)a->data)[tensor_offset(a, i)], y = ((const double *)b->data)[tensor_offset(b, i)];
		if (!isfinite(x) || !isfinite(y)) {
			same_classes &= isnan(x) ? isnan(y) : x == y;
			continue;
		}
		largest = fmax(largest, fabs(x));
		farthest = fmax(farthest, fabs(x - y));
	}
	const double distance = farthest == 0 ? 0 : farthest / largest;
	tally->expected++;
	tally->worst = fmax(tally->worst, distance);
	if (!same_classes || !(distance <= tolerance))
		complain(tally, test, "expected values differ:", a->name);
}

static void compare_tensor(struct tally *tally, const struct test_case *test, const struct tensor *a, const struct tensor *b)
{
	size_t bytes;
	if (strcmp(a->name, b->name) != 0 || a->role != b->role || a->dtype != b->dtype || a->rank != b->rank ||
	    memcmp(a->dims, b->dims, sizeof a->dims) != 0 || memcmp(a->strides, b->strides, sizeof a->strides) != 0 ||
	    a->extent != b->extent || strcmp(a->storage, b->storage) != 0 || a->offset != b->offset ||
	    strcmp(a->generator, b->generator) != 0 || tensor_bytes(a, &bytes)) {
		complain(tally, test, "shapes differ:", a->name);
	} else if (a->role == TENSOR_EXPECTED) {
		compare_expected(tally, test, a, b);
	} else if (a->role == TENSOR_INPUT && !a->storage[0]) {
		tally->inputs++;
		if (memcmp(a->data, b->data, bytes) != 0)
			complain(tally, test, "inputs differ:", a->name);
	}
}

static void compare_attributes(struct tally *tally, const struct test_case *a, const struct test_case *b)
{
	int same = a->attribute_count == b->attribute_count && a->seed == b->seed;
	for (int i = 0; same && i < a->attribute_count; i++) {
		const struct attribute *x = &a->attributes[i], *y = &b->attributes[i];
		same = strcmp(x->name, y->name) == 0 && x->type == y->type && strcmp(x->text, y->text) == 0 && x->integer == y->integer &&
		       x->real == y->real;
	}
	if (!same)
		complain(tally, a, "attributes differ", "");
}

int main(int argc, char **argv)
{
	struct dataset *a = NULL, *b = NULL;
	struct error err = {0};
	struct tally tally = {0};
	hdf5_quiet();
	if (argc != 3 || dataset_open(&a, argv[1], &err) || dataset_open(&b, argv[2], &err)) {
		fprintf(stderr, "compare_datasets: %s\n", err.message);
		return 1;
	}
	if (dataset_count(a) != dataset_count(b)) {
		printf("%zu and %zu cases\n", dataset_count(a), dataset_count(b));
		return 1;
	}
	if (strcmp(dataset_spec(a), dataset_spec(b)) != 0) {
		printf("they were made from different specs\n");
		tally.failures++;
	}
	for (size_t i = 0; i < dataset_count(a); i++) {
		struct test_case x, y;
		if (dataset_read(a, i, 1, &x, &err) || dataset_read(b, i, 1, &y, &err)) {
			fprintf(stderr, "compare_datasets: %s\n", err.message);
			return 1;
		}
		if (strcmp(x.name, y.name) != 0 || x.tensor_count != y.tensor_count)
			complain(&tally, &x, "is another case than", y.name);
		else
			compare_attributes(&tally, &x, &y);
		for (int t = 0; t < x.tensor_count && t < y.tensor_count; t++)
			compare_tensor(&tally, &x, &x.tensors[t], &y.tensors[t]);
		case_free(&x);
		case_free(&y);
	}
	printf("%zu cases, %zu inputs and %zu expected tensors compared, %zu differences\n", dataset_count(a), tally.inputs,
	       tally.expected, tally.failures);
	fprintf(stderr, "farthest expected value: %.1e of the largest of its tensor\n", tally.worst);
	dataset_close(a);
	dataset_close(b);
	return tally.failures || !tally.inputs ? 1 : 0;
}
