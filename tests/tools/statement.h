/* A line of PTX as nvcc writes it, taken apart: for mutations.c. */
#ifndef ASSAY_TESTS_STATEMENT_H
#define ASSAY_TESTS_STATEMENT_H

#include <stddef.h>

struct span {
	const char *text;
	size_t length;
};

enum { OPERANDS_MAX = 10, PARTS_MAX = 12 };

/* "\t@%p1 add.rn.f32 \t%f1, %f2, %f3;" The opcode in parts: "add", "rn", "f32". */
struct statement {
	struct span line;      /* without its end */
	struct span before;    /* "{ " of inline assembly */
	struct span predicate; /* "@!%p1", or nothing */
	struct span parts[PARTS_MAX];
	int part_count;
	struct span operands[OPERANDS_MAX];
	int operand_count;
	struct span behind; /* from the ';' on */
};

int is_blank(char c);
int is_word(char c);
int equals(struct span span, const char *text);
int same(struct span a, struct span b);
/* Returns 1 where the line [text, end) is one instruction that can be read. */
int read_statement(const char *text, const char *end, struct statement *s);
/* Index of a part of the opcode behind its first; 0: it has none. */
int has_part(const struct statement *s, const char *part);
/* Whether the opcode begins with that word. */
int is_op(const struct statement *s, const char *name);
/* ... with one of the words, NULL-terminated. */
int is_op_of(const struct statement *s, const char *const *names);
/* "%rd12": a register, not "%tid.x". */
int is_register(struct span operand);
/* "%rd" of "%rd12". */
struct span register_class(struct span reg);
/* First operand that is read; those before it are written. */
int first_source(const struct statement *s);
int is_floating(const struct statement *s);

#endif
