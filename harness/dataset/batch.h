/* The inner loops of generate.c: a batch of random elements, made and rounded. Private to this folder and its tests. */
#ifndef ASSAY_DATASET_BATCH_H
#define ASSAY_DATASET_BATCH_H

#include "core/dtype.h"

#include <stdint.h>

enum { BATCH_BLOCKS = 256 }; /* Philox blocks of a batch: all its buffers stay in the first-level cache */

enum batch_kind { /* see generate.h */
	BATCH_NORMAL,  /* 2 elements of a block */
	BATCH_WORDS,   /* 4 elements of a block, 32-bit words as signed numbers */
	BATCH_INTEGERS /* 4 elements of a block, -3 to 3 */
};

struct batch {
	enum batch_kind kind;
	enum dtype dtype;
	double step;          /* element = round((double)k * step) with k the kind's whole number; finite */
	uint64_t seed;
	uint32_t stream;
	uint64_t first_block; /* a multiple of BATCH_BLOCKS */
	int count;            /* elements to store, at most batch_elements(kind) */
	void *out;
};

int batch_elements(enum batch_kind kind);

/* Both give the same bits: the one uses AVX2 where the processor has it, the other nothing but C. */
void batch_run(const struct batch *batch);
void batch_run_portable(const struct batch *batch);

/* The second half of a batch: out[i] = round((double)k[i] * step). `out` is aligned as its type asks. */
void batch_store(void *out, enum dtype dtype, const int32_t *k, int count, double step);
void batch_store_portable(void *out, enum dtype dtype, const int32_t *k, int count, double step);

/* Constants of Philox4x32 and its key schedule (Weyl sequence): table 2 and section 3.3 of the paper named in
 * generate.h. */
#define PHILOX_M0 0xd2511f53u
#define PHILOX_M1 0xcd9e8d57u
#define PHILOX_W0 0x9e3779b9u
#define PHILOX_W1 0xbb67ae85u
enum { PHILOX_ROUNDS = 10 };

/* The k of kind `normal` from two words. */
static inline int32_t batch_four_halves(uint32_t a, uint32_t b)
{
	return (int32_t)((a & 0xffff) + (a >> 16) + (b & 0xffff) + (b >> 16)) - 131070;
}

#endif
