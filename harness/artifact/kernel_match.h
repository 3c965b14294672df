/* Which kernel of one build is which of another: the one place that pairs names, for differences of two artifacts
 * (difference.h) and for device code that runs under another build's host code (cudart/donor.h).
 *
 * First those whose mangled names are the same, then, of the rest, those whose folded names are (fold_name.h). Where a name
 * occurs several times, items of units of one name are paired before others, and what is left over in the order of the
 * units: such a pair is `ambiguous` unless there was only one left on either side. */
#ifndef ASSAY_ARTIFACT_KERNEL_MATCH_H
#define ASSAY_ARTIFACT_KERNEL_MATCH_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

enum match_kind { MATCH_NONE = 0, MATCH_NAME, MATCH_FOLDED };

struct match_item {
	const char *name;      /* mangled */
	const char *unit_name; /* as fold_unit_name has it */
	uint64_t group;        /* only items of one group are paired */
	size_t place;          /* orders items of one unit; no two items of a side have the same unit and place */
	int unit;              /* orders units of one name */
	/* the answer: */
	enum match_kind kind;
	size_t partner;        /* index into the other side's items, unless MATCH_NONE */
	int ambiguous;         /* of a pair: another one could have been taken as well */
	char *folded;          /* made where the name alone found no partner; owned, NULL otherwise */
};

/* Fills in the answers of both sides, whose `kind` has to be MATCH_NONE and `folded` NULL. ERROR_ENVIRONMENT when memory runs
 * out. */
int match_items(struct match_item *base, size_t base_count, struct match_item *next, size_t next_count, struct error *err);
/* Frees what match_items made for `count` items, not the items. */
void match_items_free(struct match_item *items, size_t count);

#endif
