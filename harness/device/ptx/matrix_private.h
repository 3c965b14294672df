/* Matrix instructions (manual 9.7.14 and 9.7.15 of PTX ISA 9.0): how operands are spread over the registers of a warp.
 *
 * One rule places every operand of mma.sync, and this program uses it for wmma too, where the manual leaves it open: with
 * `per` elements in a register (32 / bits, 1 for 32- and 64-bit types), group = lane / 4 and member = lane % 4,
 *   A (m x k)  blocks of 8 rows x 4 * per columns; a register is one block: row `group`, columns member * per + element.
 *              Blocks in the order: the upper and lower half of 16 rows, then along k, then the next 16 rows.
 *   B (k x n)  blocks of 4 * per rows x 8 columns: column `group`, rows member * per + element. Along k first, then n.
 *   C, D       blocks of 8 x 8: row `group`, columns 2 * member and 2 * member + 1: in one register (16 bits) or in two
 *              neighbouring ones. The upper and lower half of 16 rows, then along n, then the next 16 rows.
 * Fragments of wmma that have more registers than this needs (f16) repeat them. Programs may not look into those; so raw
 * fragments of wmma mean nothing when compared with a GPU's, only what is stored from them.
 *
 * Numbers. Products are exact and are added to C in float64, in the order of k, and rounded to the type of D once, to
 * nearest: well within (k + 1) * 2^-23 * (sum |a * b| + |c|) of what any order and any truncation of a tensor core gives
 * for float32. NaN results are 0x7fffffff (f16: 0x7fff), as on tensor cores. tf32 ignores the lower 13 bits of its registers.
 * An H100 does otherwise, as the record of the conformance suite shows: with E the largest of the exponents of C and of the
 * products (each the sum of its factors' exponents), every term is truncated to a multiple of 2^(E - 25), the terms are added
 * exactly and the sum is truncated to 24 bits. That gives its bits in the sampled moderate cases of f16, bf16 and tf32 with
 * k 4, 8 and 16; other generations keep other numbers of bits, so it is not imitated here: what is nearest serves as reference for all.
 * f64: fused multiply-add in the order of k. Integers are exact, modulo 2^32 or clamped with .satfinite. */
#ifndef ASSAY_DEVICE_PTX_MATRIX_PRIVATE_H
#define ASSAY_DEVICE_PTX_MATRIX_PRIVATE_H

#include "device/ptx/lower.h"
#include "device/ptx/matrix_multiply.h"

enum ptx_fragment_role { PTX_FRAGMENT_A, PTX_FRAGMENT_B, PTX_FRAGMENT_C };
enum {
	PTX_FRAGMENT_REGISTERS = 8,             /* the most that an instruction names for one operand */
	PTX_FRAGMENT_ELEMENTS = 16 * 256        /* the largest: A of m16n8k256.b1 */
};

struct ptx_fragment {
	enum ptx_fragment_role role;
	enum ptx_type type;
	uint8_t bits, per;                      /* of an element; elements in a register */
	uint8_t lane_bytes;                     /* 4, or 8 for f64 */
	uint8_t registers;                      /* that hold the matrix once */
	uint8_t given;                          /* in the instruction: a multiple of `registers` */
	uint16_t rows, columns;
	uint8_t first_row[PTX_FRAGMENT_REGISTERS];    /* of a register's block: in A and C the row of lane 0 */
	uint8_t first_column[PTX_FRAGMENT_REGISTERS]; /* in B and C the column of lane 0 */
	uint16_t *place;                        /* [registers][32][per]: index in the dense matrix: A row-major; B and C in panels of 8
						   columns, each row-major */
};

struct ptx_shape { int m, n, k; };

/* Fills *fragment; `given` registers of the instruction (0: as many as needed). 0, or -1 after ptx_unsupported or malformed. */
int ptx_fragment_make(struct ptx_lowering *lowering, enum ptx_fragment_role role, enum ptx_type type, struct ptx_shape shape, int given,
		      struct ptx_fragment *fragment);
/* Row and column of a dense index. */
void ptx_fragment_position(const struct ptx_fragment *fragment, int index, int *row, int *column);
/* The shape among the modifiers; m is 0 when there is none. */
struct ptx_shape ptx_matrix_shape(const struct ptx_instruction *instruction);

/* Slots of the `count` elements of a vector operand, or of a single register. */
int ptx_matrix_sources(struct ptx_lowering *lowering, int operand, enum ptx_type type, int count, struct ptx_slot *slots);
int ptx_matrix_destinations(struct ptx_lowering *lowering, int operand, enum ptx_type type, int count, struct ptx_slot *slots);
int ptx_matrix_vector_count(const struct ptx_lowering *lowering, int operand); /* 1 for a register */

/* Notes a finding and returns 0 when lanes of the warp are missing: the destinations become undefined. */
int ptx_matrix_whole_warp(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active);

int ptx_lower_mma(struct ptx_lowering *lowering, struct ptx_insn *insn);          /* mma, wmma.mma */
int ptx_lower_matrix_move(struct ptx_lowering *lowering, struct ptx_insn *insn);  /* ldmatrix stmatrix movmatrix wmma.load wmma.store */

#endif
