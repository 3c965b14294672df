/* Arithmetic of the virtual machine: what alu.c (lowering) shares with the handlers. */
#ifndef ASSAY_DEVICE_PTX_ALU_H
#define ASSAY_DEVICE_PTX_ALU_H

#include "device/ptx/lower.h"
#include "device/ptx/number.h"

/* Numbers of the handlers: alu_integer.def and so on. */
#define A1(name, ...) ALU_##name,
#define A2(name, ...) ALU_##name,
#define A3(name, ...) ALU_##name,
#define A4(name, ...) ALU_##name,
#define C2(name, ...) ALU_SETP_##name, ALU_SET_##name,
#define OTHER(name) ALU_##name,
enum alu_integer {
#include "device/ptx/alu_integer.def"
	ALU_INTEGER_COUNT
};
enum alu_real {
#include "device/ptx/alu_real.def"
	ALU_REAL_COUNT
};
enum alu_compare {
#include "device/ptx/alu_compare.def"
	ALU_COMPARE_COUNT
};
enum alu_convert {
#include "device/ptx/alu_convert.def"
	ALU_CONVERT_COUNT
};
#undef A1
#undef A2
#undef A3
#undef A4
#undef C2
#undef OTHER

/* Options of the comparison handlers (alu_compare.c). */
enum { ALU_AND = 1, ALU_OR, ALU_XOR };
enum alu_half_comparison { ALU_HALF_EQ, ALU_HALF_LT, ALU_HALF_LE, ALU_HALF_DIFFER, ALU_HALF_NUMBER };
enum alu_test { ALU_TEST_FINITE, ALU_TEST_INFINITE, ALU_TEST_NUMBER, ALU_TEST_NOTANUMBER, ALU_TEST_NORMAL, ALU_TEST_SUBNORMAL };

/* Integers of `bits` bits, extended by (x & mask ^ sign) - sign: sign is 0 for unsigned ones. */
struct alu_whole {
	uint64_t from_mask, from_sign, to_mask, to_sign;
	uint64_t register_mask;    /* of the destination register, whose unused high bits are 0 */
	int from_is_signed, to_is_signed;
	unsigned to_bits;
};

enum alu_kind { ALU_KIND_UNSIGNED, ALU_KIND_SIGNED, ALU_KIND_F32, ALU_KIND_F64, ALU_KIND_SMALL };
/* Rounding to a whole number; ALU_NOT_WHOLE: not asked for. */
enum alu_whole_rounding { ALU_NOT_WHOLE, ALU_RNI, ALU_RZI, ALU_RMI, ALU_RPI };

/* cvt with a floating-point side. */
struct alu_conversion {
	enum alu_kind from, to;
	const struct number_format *from_format, *to_format; /* of ALU_KIND_SMALL: 16 bits and fewer, tf32 */
	unsigned from_bits, to_bits;      /* of the type */
	uint64_t register_mask;           /* as in alu_whole */
	enum number_rounding rounding;    /* of a floating-point result */
	enum alu_whole_rounding whole;
	uint8_t ftz, sat, relu, satfinite;
	uint8_t ue8m0;                    /* to (cvt_pack) or from (cvt_unpack) ue8m0 */
	struct alu_whole narrow;          /* integer source and result */
};

/* alu_rounded.c: arithmetic in a rounding mode other than to nearest (and of it). option[0] ftz, [1] sat, [2] enum
 * alu_rounded_operation, [3] enum number_rounding. */
enum alu_rounded_operation { ALU_ADD, ALU_SUB, ALU_MUL, ALU_FMA, ALU_DIV, ALU_SQRT };
void ptx_alu_rounded_f32(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active);
void ptx_alu_rounded_f32x2(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active);
void ptx_alu_rounded_f64(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active);
/* f64 to f32, and 64-bit integers to f32 and f64, in a rounding mode; arrays of a warp's lanes. */
void ptx_alu_narrow_f32(uint32_t *result, const double *values, enum number_rounding rounding);
void ptx_alu_whole_to_f32(uint32_t *result, const uint64_t *values, int is_signed, enum number_rounding rounding);
void ptx_alu_whole_to_f64(uint64_t *result, const uint64_t *values, int is_signed, enum number_rounding rounding);

/* The handlers as compiled for one level of the host's instruction set. */
struct alu_tables {
	const ptx_execute *integer, *real, *compare, *convert;
};
const struct alu_tables *ptx_alu_tables(void); /* the best this host can run */
const struct alu_tables *ptx_alu_level(const char *name); /* "baseline", "v3", "v4"; NULL where not compiled in or not run here */

#endif
