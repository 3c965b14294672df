/* Parts of a run for several machines (--shard I/N): which of the selected cases each of them takes.
 *
 * The split is made from the names of what is selected and from nothing else: every machine comes to the same one, in whatever
 * order names lie in a dataset. Host entry points are split by case. Operators are split by entry point: what a case of theirs
 * costs is little beside having the driver compile the kernel, which every part that has one of its cases would do once more. */
#ifndef ASSAY_HARNESS_SHARD_H
#define ASSAY_HARNESS_SHARD_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

/* As many as a scheduler's array is likely to have. */
enum { SHARDS_MAX = 10000 };

/* "2/8": 1 <= *index <= *count <= SHARDS_MAX; ERROR_USAGE. */
int shard_parse(const char *text, int64_t *index, int64_t *count, struct error *err);

/* Deals items out to `count` parts. Items are taken in an order that digests of their names give, the costliest first, and each
 * goes to the part that has least so far, of equals to the next in turn: with equal costs the parts' numbers of items
 * differ by one at the most. parts[i] is 1-based. Names must differ. */
struct shard_item {
	const char *name;
	double cost; /* >= 0 */
};
int shard_deal(const struct shard_item *items, size_t item_count, int64_t count, int64_t *parts, struct error *err);

#endif
