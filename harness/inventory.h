/* The entry points that a release of the producing project has, against those that a set of artifacts has. */
#ifndef ASSAY_HARNESS_INVENTORY_H
#define ASSAY_HARNESS_INVENTORY_H

#include "kernels/family.h"
#include "record.h"

struct known_symbol {
	char name[64];
	char module[24];
	int least_cc;
	const struct family *family;
};

/* All entry points of the operator families under one ABI profile, sorted by name. */
struct symbol_table {
	struct known_symbol *items;
	size_t count;
};
int symbol_table_make(struct symbol_table *table, enum operator_abi abi, struct error *err);
/* NULL when the profile has no such entry point. */
const struct known_symbol *symbol_table_find(const struct symbol_table *table, const char *name);
void symbol_table_free(struct symbol_table *table);

/* An entry point that an artifact of the set has. */
struct present_symbol {
	const char *name;
	const char *module;  /* of the file: "unary" of unary.ptx; for messages where the name is unknown */
};

struct inventory_question {
	const struct symbol_table *table;
	const struct present_symbol *present;
	size_t present_count;
	const char *const *modules;   /* names of files without their ends, such as "unary": these modules are there, and so is
					 every module of which an entry point is present */
	size_t module_count;
	int whole;                    /* all modules of the profile are expected */
	int architecture;             /* 10 * major + minor of the GPU that the set was built for */
};
/* Fills counts and lists of an inventory with empty strings. */
int inventory_take(const struct inventory_question *question, struct inventory_record *inventory, struct error *err);

#endif
