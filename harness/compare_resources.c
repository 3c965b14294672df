/* What launched kernels take of a multiprocessor, in both runs: see compare.h. */
#include "compare.h"

#include "artifact/fold_name.h"

#include <stdlib.h>
#include <string.h>

static int by_kernel(const void *a, const void *b)
{
	const struct resource_comparison *left = a, *right = b;
	const int order = strcmp(left->kernel, right->kernel);
	return order ? order : memcmp(left->base, right->base, sizeof left->base + sizeof left->next);
}

static int is_new_spill(const struct resource_comparison *one)
{
	return one->base[RESOURCE_LOCAL] == 0 && one->next[RESOURCE_LOCAL] > 0;
}

static int rank_of(const struct resource_comparison *one)
{
	return one->is_new_local ? 0 : one->worse && !one->better ? 1 : one->worse ? 2 : 3;
}

static int by_rank(const void *a, const void *b)
{
	const int left = rank_of(a), right = rank_of(b);
	return left != right ? left - right : by_kernel(a, b);
}

/* Kernels whose launches pair up; -1 when memory runs out. */
static int collect(const struct case_comparison *pair, struct resource_comparison **list, size_t *count, size_t *capacity)
{
	const struct case_record *base = pair->base, *next = pair->next;
	/* of a case that did not pass nobody knows what it launched */
	if (base->judgement.status != STATUS_PASS || next->judgement.status != STATUS_PASS || pair->launches_differ ||
	    base->launch_count != next->launch_count)
		return 0;
	for (int64_t i = 0; i < base->launch_count && i < RECORD_LAUNCHES_MAX; i++) {
		const struct launch_record *old = &base->launches[i], *new = &next->launches[i];
		if (*count == *capacity) {
			const size_t more = *capacity ? 2 * *capacity : 256;
			struct resource_comparison *grown = reallocarray(*list, more, sizeof *grown);
			if (!grown)
				return -1;
			*list = grown;
			*capacity = more;
		}
		struct resource_comparison *one = &(*list)[*count];
		memset(one, 0, sizeof *one);
		one->kernel = fold_kernel_name(old->kernel);
		if (!one->kernel)
			return -1;
		one->name = old->kernel;
		one->cases = 1;
		one->base[RESOURCE_REGISTERS] = old->registers;
		one->base[RESOURCE_SHARED] = old->static_shared_bytes;
		one->base[RESOURCE_LOCAL] = old->local_bytes;
		one->next[RESOURCE_REGISTERS] = new->registers;
		one->next[RESOURCE_SHARED] = new->static_shared_bytes;
		one->next[RESOURCE_LOCAL] = new->local_bytes;
		(*count)++;
	}
	return 0;
}

static void judge(struct resource_comparison *one)
{
	for (int i = 0; i < RESOURCES; i++) {
		if (one->base[i] < 0 || one->next[i] < 0)
			continue;
		one->is_known = 1;
		one->worse += one->next[i] > one->base[i];
		one->better += one->next[i] < one->base[i];
	}
	one->is_new_local = is_new_spill(one);
}

static void drop(struct resource_comparison *one)
{
	free(one->kernel);
	one->kernel = NULL;
}

int compare_resources(struct comparison *out)
{
	struct resource_comparison *list = NULL;
	size_t count = 0, capacity = 0, kept = 0;
	int failed = 0;
	for (size_t i = 0; !failed && i < out->case_count; i++)
		if (out->cases[i].base && out->cases[i].next)
			failed = collect(&out->cases[i], &list, &count, &capacity) != 0;
	if (count)
		qsort(list, count, sizeof *list, by_kernel);
	for (size_t i = 0; !failed && i < count; i++) {
		if (kept && by_kernel(&list[kept - 1], &list[i]) == 0) {
			list[kept - 1].cases++;
			drop(&list[i]);
			continue;
		}
		const struct resource_comparison one = list[i];
		list[i].kernel = NULL;
		list[kept++] = one;
	}
	const size_t distinct = failed ? 0 : kept;
	kept = 0;
	for (size_t i = 0; i < distinct; i++) {
		judge(&list[i]);
		out->kernels_compared += (size_t)list[i].is_known;
		const struct resource_comparison one = list[i];
		list[i].kernel = NULL;
		if (one.worse || one.better)
			list[kept++] = one;
		else
			free(one.kernel);
	}
	if (kept)
		qsort(list, kept, sizeof *list, by_rank);
	for (size_t i = kept; failed && i < count; i++)
		drop(&list[i]);
	out->resources = list;
	out->resource_count = kept;
	for (size_t i = 0; i < kept; i++) {
		out->kernels_worse += (size_t)(list[i].worse > 0);
		out->kernels_better += (size_t)(list[i].better > 0 && !list[i].worse);
		out->kernels_new_local += (size_t)list[i].is_new_local;
	}
	return failed ? -1 : 0;
}

void compare_resources_free(struct comparison *comparison)
{
	for (size_t i = 0; i < comparison->resource_count; i++)
		free(comparison->resources[i].kernel);
	free(comparison->resources);
	comparison->resources = NULL;
	comparison->resource_count = 0;
}
