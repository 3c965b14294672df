/* Mutants of a PTX kernel: its text with one line changed, as a programmer's slip or a compiler's fault would change it. Tests
 * count how many of them the cases catch.
 *
 * A reader of what nvcc writes, an instruction on a line; lines of other make are left alone. It does not know what an
 * instruction may look like: an assembler has to say whether a mutant is PTX, and whether it does the same as the original. */
#ifndef ASSAY_TESTS_MUTATIONS_H
#define ASSAY_TESTS_MUTATIONS_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

enum mutation_kind {
	MUTATE_EXCHANGE,   /* two source operands change places (where that matters) */
	MUTATE_REGISTER,   /* another register of the same kind that has a value by then; %tid.x for %ctaid.x and so on */
	MUTATE_CONSTANT,   /* an integer or floating-point constant: + 1, - 1, doubled, 0 */
	MUTATE_COMPARISON, /* lt for le, ge for gt, ne for eq, and back: bounds too */
	MUTATE_ROUNDING,   /* another rounding, of arithmetic and of conversions */
	MUTATE_BARRIER,    /* a barrier or fence goes */
	MUTATE_SIGN,       /* signed for unsigned, and back, where that matters */
	MUTATE_STEP,       /* an address is an element off, or its elements are half or twice as wide */
	MUTATE_WIDTH,      /* a load or store of half the width */
	MUTATE_PREDICATE,  /* a condition the other way round */
	MUTATE_DROP,       /* a store, a branch or the change of a variable goes */
	MUTATE_MULTIPLY,   /* mul for fma or mad, and back */
	MUTATE_OPERATOR,   /* min for max, and for or, sub for add, and back */
	MUTATE_FLUSH,      /* subnormal numbers become zero, or no longer do; NaN goes or stays in min and max */
	MUTATE_KINDS
};
extern const char *const mutation_kind_names[MUTATE_KINDS];

struct mutation {
	enum mutation_kind kind;
	int line;     /* of the module, from 1 */
	char *before; /* the line without the blanks around it; owned */
	char *after;  /* "" where it goes; owned */
};

struct mutations {
	struct mutation *list; /* owned; by line, no two alike */
	size_t count, capacity;
};

/* Every mutation there is of the body of `entry` in a NUL-terminated module. ERROR_INPUT when it has no such body. */
int mutations_find(const char *module, const char *entry, struct mutations *mutations, struct error *err);
void mutations_free(struct mutations *mutations);

/* The order in which to try them: kinds in turn, so that a kind of which there are many does not crowd out the others, and
 * at random within a kind, from the seed alone. `order` holds mutations->count indices. */
void mutations_order(const struct mutations *mutations, uint64_t seed, size_t *order);

/* The module with the mutation, malloc'd; NULL when memory ran out. Its lines keep their numbers. */
char *mutation_apply(const char *module, const struct mutation *mutation);
/* The module with a trap before that line, malloc'd: where it runs through, nothing reaches the line. */
char *mutation_probe(const char *module, const struct mutation *mutation);

#endif
