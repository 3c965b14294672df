/* The PTX conformance suite: one small kernel for each instruction, type and combination of modifiers that is executed by the
 * `cpu` device, on edge values and random ones. The tables (table_*.c) are what a reader edits; everything else follows.
 *
 * A row has an instruction with choices in braces ("add.{u16,s32}"), of which each combination is a check, and the types of
 * its operands, destination first. $1, $2 ... stand for the choice made in the 1st, 2nd ... braces; $0 for the whole
 * instruction. Without a body of its own the check runs "INSTRUCTION %d, %a, %b, %c;".
 *
 * Every thread computes one result from its own elements of the arrays a, b, c and stores it in d. A body may use
 *   %d %a %b %c      the operands, in registers of their types (%d0 %d1 ... for "b32*4")
 *   %i %t            the thread's number in the grid, and in its block of 128
 *   %la %lb %lc %ld  global addresses of the thread's own elements; %wa %wb %wc %wd: of those of its warp's first lane
 *   %p %q %r, %hx %hy (b16), %x %y %z %w (b32), %lx %ly %lz (b64), %fx %fy (f32), %gx (f64): spare registers
 *
 * Operand types: see types.c. Special ones: "p" and "pq" as destination are predicates (p, p|q), "sp" as source is a predicate
 * (%r, from bit 0 of its array), "=text" stands for itself. */
#ifndef ASSAY_TESTS_CONFORMANCE_SUITE_H
#define ASSAY_TESTS_CONFORMANCE_SUITE_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

/* How a result is judged (judge.c has the bounds and where they come from). EXACT: the same bits. NaN results have to have the
 * same bits under either: the manual leaves most of them open, and the `cpu` device takes those of the recorded GPU. */
enum rule {
	EXACT = 0,
	RCP, DIV_APPROX, DIV_FULL, SQRT, RSQRT, RSQRT_F64, RCP_F64, RSQRT_F64_GROSS, SIN, COS, LG2, EX2, TANH, EX2_F16, EX2_BF16, TANH_F16, TANH_BF16,
	MMA, /* accumulation in float32 or float16: the generator adds the same product of magnitudes, which gives the bound */
	MMA_FP8, MMA_F64
};

struct row {
	const char *instruction, *operands, *body;
	enum rule rule;
};

struct family {
	const char *name;          /* of the module */
	const char *version;       /* PTX ISA */
	const char *preamble;      /* variables and functions of module scope, or NULL */
	const struct row *rows;
	int row_count;
};
struct family conformance_family(int index);
extern const int conformance_family_count;

enum value_kind {
	BITS, FLOAT16, BFLOAT16, FLOAT32, FLOAT64, SMALL, POSITION, NONZERO, ANGLE, PREDICATE, HALF_MODERATE, BHALF_MODERATE, FLOAT_MODERATE,
	DOUBLE_MODERATE, FP8_MODERATE, FP8_WIDE_MODERATE, HALF_WHOLE, BHALF_WHOLE, FLOAT_WHOLE, FP8_WHOLE, HALF_SPECIAL, BHALF_SPECIAL
};
struct type {
	const char *token, *reg, *memory; /* ".f32": of the register; of ld and st */
	int bytes;
	enum value_kind kind;
	int halves;                /* values of `kind` in an element: 2 for f16x2 */
};
const struct type *type_find(const char *token); /* NULL: none */

struct operand {
	const struct type *type;   /* NULL: a text that stands for itself, or a predicate */
	char text[48];
	int count;                 /* elements a thread: 4 for "b32*4" */
	int is_predicate;
};
enum { OPERANDS_MAX = 6, BLOCK_THREADS = 128 };

struct check {
	int family;
	enum rule rule;
	char label[128];           /* the instruction: unique in the suite */
	char kernel[64];
	char body[2048];
	struct operand operands[OPERANDS_MAX]; /* [0]: destination */
	int operand_count;
	int threads;
	size_t input_bytes[3];     /* of a, b, c; 0: not used */
	const struct operand *inputs[3];
	size_t output_bytes;
	int halves;                /* MMA: results are followed by their bounds' sums */
};

/* All checks of all families, in order. Owned by the caller: free(). */
int checks_make(struct check **checks, int *count, struct error *err);
/* PTX text of one family. Owned by the caller: free(). */
int module_text(const struct check *checks, int count, int family, char **text, struct error *err);
/* Contents of input `which` (0: a) of a check: integers only, the same on every machine. */
void inputs_fill(const struct check *check, int which, unsigned char *bytes);
/* One value of `bits` bits; `edge`: its number (0 to 31) among the edge values of its kind, or -1. input_mix: a random number. */
uint64_t input_value(enum value_kind kind, int bits, uint64_t random, int edge);
uint64_t input_mix(uint64_t number);
/* Of the kernel's text, its inputs and how it is launched: what was recorded belongs to it. */
uint64_t check_key(const struct check *check);

struct verdict {
	long compared, different;  /* results; wrong ones */
	double worst;              /* of the error over its bound, where there is a bound */
	char first[256];           /* the first difference, in words */
};
/* Compares results with recorded ones. For approximate instructions both are compared with the true value. */
void judge(const struct check *check, const unsigned char *actual, const unsigned char *expected, struct verdict *verdict);

struct outcome {
	enum outcome_status { NOT_RUN = 0, RAN, UNSUPPORTED, FAILED } status;
	char message[256];
	unsigned char *output;     /* check.output_bytes when it ran; owned */
};
struct machine_facts { char device[128], driver[64], date[64]; };
int store_write(const char *path, const struct check *checks, int count, const struct outcome *outcomes, const struct machine_facts *facts,
		struct error *err);
/* keys[i] is 0 where nothing was recorded for check i. */
int store_read(const char *path, const struct check *checks, int count, struct outcome *outcomes, uint64_t *keys, struct machine_facts *facts,
	       struct error *err);

#endif
