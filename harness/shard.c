#include "shard.h"

#include "core/digest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int parse_number(const char **text, int64_t *value)
{
	char *end;
	if (**text < '0' || **text > '9')
		return -1;
	errno = 0;
	const long long number = strtoll(*text, &end, 10);
	if (errno || number < 1 || number > SHARDS_MAX)
		return -1;
	*value = number;
	*text = end;
	return 0;
}

int shard_parse(const char *text, int64_t *index, int64_t *count, struct error *err)
{
	const char *at = text;
	if (parse_number(&at, index) || *at++ != '/' || parse_number(&at, count) || *at || *index > *count)
		return error_set(err, ERROR_USAGE, "--shard %s: takes I/N, the part and how many there are, such as 2/8; N is at most %d", text,
				 SHARDS_MAX);
	return 0;
}

struct ranked {
	double cost;
	struct digest digest;
	const char *name;
	size_t index;
};

static int by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->cost != y->cost)
		return x->cost > y->cost ? -1 : 1;
	for (int i = 0; i < 2; i++)
		if (x->digest.half[i] != y->digest.half[i])
			return x->digest.half[i] < y->digest.half[i] ? -1 : 1;
	return strcmp(x->name, y->name);
}

int shard_deal(const struct shard_item *items, size_t item_count, int64_t count, int64_t *parts, struct error *err)
{
	struct ranked *ranked = calloc(item_count + 1, sizeof *ranked);
	double *load = calloc((size_t)count, sizeof *load);
	size_t turn = 0;
	if (!ranked || !load) {
		free(ranked);
		free(load);
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	}
	for (size_t i = 0; i < item_count; i++)
		ranked[i] = (struct ranked){items[i].cost, digest_bytes(items[i].name, strlen(items[i].name)), items[i].name, i};
	qsort(ranked, item_count, sizeof *ranked, by_rank);
	for (size_t i = 0; i < item_count; i++) {
		size_t least = turn;
		for (size_t k = 1; k < (size_t)count; k++)
			if (load[(turn + k) % (size_t)count] < load[least])
				least = (turn + k) % (size_t)count;
		load[least] += ranked[i].cost;
		parts[ranked[i].index] = (int64_t)least + 1;
		turn = (least + 1) % (size_t)count;
	}
	free(ranked);
	free(load);
	return 0;
}
