/* Calls a host function on a case of an operator family, in this process, and judges what it wrote. */
#ifndef ASSAY_TESTS_HOST_ENTRY_H
#define ASSAY_TESTS_HOST_ENTRY_H

#include "check.h"

#include "dataset/spec.h"
#include "kernels/family.h"

#include <stdlib.h>

/* Whether the case passes on `entry`. Outputs start from NaNs and have 4096 bytes more than they need. *margin (may be NULL)
 * becomes the largest seen. */
static int host_entry_passes(const struct family *family, const struct test_case *test, void (*entry)(void), double *margin)
{
	struct binding binding = {.test = test};
	struct operator_outputs outputs = {.test = test, .math = MATH_PRECISE};
	struct judgement *judgement = calloc(1, sizeof *judgement);
	struct error err = {0};
	void *storage[CASE_TENSORS_MAX] = {0};
	memcpy(&binding.entry, &entry, sizeof binding.entry);
	for (int i = 0; i < test->tensor_count; i++) {
		const struct tensor *tensor = &test->tensors[i];
		const size_t size = (size_t)tensor->extent * dtype_size(tensor->dtype);
		binding.tensors[i].tensor = tensor;
		if (tensor->role == TENSOR_OUTPUT) {
			outputs.storage[i] = storage[i] = malloc(size + 4096);
			memset(storage[i], 0xff, size + 4096); /* NaNs */
		}
		binding.tensors[i].data = (device_pointer)(uintptr_t)(storage[i] ? storage[i] : tensor->data);
	}
	family->call(&binding);
	int64_t wrong = 0;
	for (int i = 0; i < test->tensor_count; i++) {
		const struct tensor *tensor = &test->tensors[i];
		if (!storage[i])
			continue;
		struct expectation *expected = calloc((size_t)tensor_elements(tensor), sizeof *expected);
		if (family->expectations(test, OPERATOR_ABI_011, tensor, expected, &err)) {
			fprintf(stderr, "%s: %s\n", test->name, err.message);
			wrong++;
		} else {
			struct expectation_layout layout = {.name = tensor->name, .dtype = tensor->dtype, .rank = tensor->rank};
			memcpy(layout.dims, tensor->dims, sizeof layout.dims);
			memcpy(layout.strides, tensor->strides, sizeof layout.strides);
			wrong += judge_expectations(&layout, storage[i], expected, MATH_PRECISE, judgement);
		}
		free(expected);
	}
	if (family->judge_outputs && family->judge_outputs(&outputs, judgement, &err)) {
		fprintf(stderr, "%s: %s\n", test->name, err.message);
		wrong++;
	}
	static const enum check checks[] = {CHECK_EXACT, CHECK_NUMBERS, CHECK_FINITE};
	for (int i = 0; i < 3; i++)
		wrong += judgement->checks[checks[i]].state == CHECK_BROKEN;
	if (margin && judgement->margin > *margin)
		*margin = judgement->margin;
	for (int i = 0; i < test->tensor_count; i++)
		free(storage[i]);
	free(judgement);
	return wrong == 0;
}

static const char *const *host_entry_axes(const char *name, void *context)
{
	const struct family *family = context;
	return strcmp(name, family->name) == 0 ? family->axes : NULL;
}

/* Calls every case of a spec: right, by passes(family, test, &margin), and with the faults 1 .. faults - 1 in *planted, each until
 * a case catches it; those in the bit set `not_its_faults` must not be looked for. */
static void host_entry_cases(const struct family *family, const char *path, int *planted, int faults, unsigned not_its_faults,
			     int (*passes)(const struct family *family, const struct test_case *test, double *margin))
{
	struct error err = {0};
	struct spec *spec;
	if (spec_open(&spec, path, host_entry_axes, (void *)(uintptr_t)family, &err)) {
		CHECK_TEXT(err.message, "");
		return;
	}
	int caught[32] = {0};
	double margin = 0;
	for (size_t i = 0; i < spec_count(spec); i++) {
		const struct assignment assignment = spec_at(spec, i);
		struct test_case test;
		if (family->make_case(&assignment, i, &test, &err) || family->fill(&test, &err) || family->check_case(&test, &err)) {
			CHECK_TEXT(err.message, "");
			continue;
		}
		for (int fault = 0; fault < faults; fault++) {
			*planted = fault;
			if (fault && (caught[fault] || not_its_faults >> fault & 1))
				continue;
			const int right = passes(family, &test, fault ? NULL : &margin);
			if (!fault && !right)
				fprintf(stderr, "%s fails on the right entry point\n", test.name);
			caught[fault] += !right;
		}
		case_free(&test);
	}
	*planted = 0;
	CHECK_INT(caught[0], 0);
	CHECK(margin > 0.01 && margin <= 1);
	for (int fault = 1; fault < faults; fault++) {
		if (!caught[fault] && !(not_its_faults >> fault & 1))
			fprintf(stderr, "%s: fault %d is not caught\n", family->name, fault);
		CHECK_INT(caught[fault], !(not_its_faults >> fault & 1));
	}
	spec_close(spec);
}

#endif
