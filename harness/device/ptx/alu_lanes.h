/* How arithmetic handlers are made: a loop over the 32 lanes that the compiler vectorises, once without a mask and once keeping
 * the destination of lanes outside it. The files alu_*.def list handlers with the expression of one lane; each is read
 * twice, for an enumeration (alu.h) and for the functions, and the files that hold the functions are compiled once for each
 * level of the instruction set (PTX_ALU_LEVEL: baseline, v3, v4). All levels give the same bits. */
#ifndef ASSAY_DEVICE_PTX_ALU_LANES_H
#define ASSAY_DEVICE_PTX_ALU_LANES_H

#include "device/ptx/alu.h"
#include "device/ptx/number.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#ifndef PTX_ALU_LEVEL
#error "PTX_ALU_LEVEL names the table of this compilation"
#endif
#define ALU_JOIN_(a, b) a##_##b
#define ALU_JOIN(a, b) ALU_JOIN_(a, b)
#define ALU_TABLE(group) ALU_JOIN(ptx_alu_##group, PTX_ALU_LEVEL)

/* Registers hold whatever the program put there: an access may look at them as any type. */
typedef uint32_t __attribute__((may_alias)) u32;
typedef int32_t __attribute__((may_alias)) i32;
typedef uint64_t __attribute__((may_alias)) u64;
typedef int64_t __attribute__((may_alias)) i64;

static const uint32_t alu_lane_bit[PTX_LANES] = {
	1u << 0,  1u << 1,  1u << 2,  1u << 3,  1u << 4,  1u << 5,  1u << 6,  1u << 7,  1u << 8,  1u << 9,  1u << 10,
	1u << 11, 1u << 12, 1u << 13, 1u << 14, 1u << 15, 1u << 16, 1u << 17, 1u << 18, 1u << 19, 1u << 20, 1u << 21,
	1u << 22, 1u << 23, 1u << 24, 1u << 25, 1u << 26, 1u << 27, 1u << 28, 1u << 29, 1u << 30, 1u << 31,
};
#define LANES _Pragma("GCC ivdep") for (int l = 0; l < PTX_LANES; l++)
#define HANDLER(name) static void do_##name(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active)

/* Results of all lanes to a destination that may overlap the sources, under the mask. */
static inline void alu_store32(u32 *d, const uint32_t *result, uint32_t active)
{
	if (active == ~0u)
		memcpy(d, result, PTX_LANES * sizeof *d);
	else {
		LANES d[l] = active & alu_lane_bit[l] ? result[l] : d[l];
	}
}
static inline void alu_store64(u64 *d, const uint64_t *result, uint32_t active)
{
	if (active == ~0u)
		memcpy(d, result, PTX_LANES * sizeof *d);
	else {
		LANES d[l] = active & alu_lane_bit[l] ? result[l] : d[l];
	}
}
static inline void alu_store_mask(u32 *d, uint32_t mask, uint32_t active)
{
	*d = (*d & ~active) | (mask & active);
}

/* One bit a lane from 0 or ~0 a lane. */
static inline uint32_t alu_pack(const uint32_t *lanes)
{
#if defined(__AVX512DQ__)
	return (uint32_t)_mm512_movepi32_mask(_mm512_loadu_si512(lanes)) |
	       (uint32_t)_mm512_movepi32_mask(_mm512_loadu_si512(lanes + 16)) << 16;
#elif defined(__AVX__)
	uint32_t mask = 0;
	for (int i = 0; i < 4; i++)
		mask |= (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *)(const void *)(lanes + 8 * i)))) << 8 * i;
	return mask;
#elif defined(__SSE2__)
	uint32_t mask = 0;
	for (int i = 0; i < 8; i++)
		mask |= (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(_mm_loadu_si128((const __m128i *)(const void *)(lanes + 4 * i)))) << 4 * i;
	return mask;
#else
	uint32_t mask = 0;
	LANES mask |= lanes[l] & alu_lane_bit[l];
	return mask;
#endif
}

/* f32 to f16, to nearest; NaN canonical. */
static inline void alu_round_f16(u32 *bits, const u32 *from)
{
#if defined(__AVX512F__) && defined(__AVX512VL__)
	for (int i = 0; i < PTX_LANES; i += 16) {
		const __m512 values = _mm512_loadu_ps(from + i);
		const __m512i rounded = _mm512_cvtepu16_epi32(_mm512_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT));
		const __mmask16 nan = _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q);
		_mm512_storeu_si512(bits + i, _mm512_mask_mov_epi32(rounded, nan, _mm512_set1_epi32(NUMBER_F16_NAN)));
	}
#elif defined(__AVX2__) && defined(__F16C__)
	for (int i = 0; i < PTX_LANES; i += 8) {
		const __m256 values = _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *)(const void *)(from + i)));
		const __m256i rounded = _mm256_cvtepu16_epi32(_mm256_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT));
		const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(values, values, _CMP_UNORD_Q));
		_mm256_storeu_si256((__m256i *)(void *)(bits + i), _mm256_blendv_epi8(rounded, _mm256_set1_epi32(NUMBER_F16_NAN), nan));
	}
#else
	LANES bits[l] = number_f32_to_f16(from[l]);
#endif
}

/* Lanes are written as they are computed: a destination is one of the sources, or shares nothing with any of them (the allocator,
 * allocate.c, sees to it). `k` is the insn's immediate. */
#define ALU_BODY(D, load, ...)                                                                                         \
	do {                                                                                                           \
		D *const d = ptx_at(warp, &insn->dst[0]);                                                              \
		const int64_t k = insn->immediate;                                                                     \
		(void)k;                                                                                               \
		if (active == ~0u) {                                                                                   \
			LANES { load d[l] = (D)(__VA_ARGS__); }                                                        \
		} else {                                                                                               \
			LANES { load const D r = (D)(__VA_ARGS__); d[l] = active & alu_lane_bit[l] ? r : d[l]; }       \
		}                                                                                                      \
	} while (0)

/* Where a handler that makes its result in steps writes it: the destination itself, or room of its own for alu_merge32. */
#define ALU_RESULT                                                                                                     \
	uint32_t alu_room[PTX_LANES];                                                                                  \
	u32 *const destination = ptx_at(warp, &insn->dst[0]);                                                          \
	u32 *const result = active == ~0u ? destination : alu_room
static inline void alu_merge32(u32 *destination, const u32 *result, uint32_t active)
{
	if (active != ~0u)
		LANES destination[l] = active & alu_lane_bit[l] ? result[l] : destination[l];
}

/* Handlers of one to four sources: types of the lanes, then the value of one lane from a, b, c, e. */
#define ALU_A1(name, D, A, ...)                                                                                        \
	HANDLER(name)                                                                                                  \
	{                                                                                                              \
		const A *const pa = ptx_at(warp, &insn->src[0]);                                                       \
		ALU_BODY(D, const A a = pa[l];, __VA_ARGS__);                                  \
	}
#define ALU_A2(name, D, A, B, ...)                                                                                     \
	HANDLER(name)                                                                                                  \
	{                                                                                                              \
		const A *const pa = ptx_at(warp, &insn->src[0]);                                                       \
		const B *const pb = ptx_at(warp, &insn->src[1]);                                                       \
		ALU_BODY(D, const A a = pa[l]; const B b = pb[l]; (void)b;, __VA_ARGS__); \
	}
#define ALU_A3(name, D, A, B, C, ...)                                                                                  \
	HANDLER(name)                                                                                                  \
	{                                                                                                              \
		const A *const pa = ptx_at(warp, &insn->src[0]);                                                       \
		const B *const pb = ptx_at(warp, &insn->src[1]);                                                       \
		const C *const pc = ptx_at(warp, &insn->src[2]);                                                       \
		ALU_BODY(D, const A a = pa[l]; const B b = pb[l]; (void)b; const C c = pc[l]; (void)c;, __VA_ARGS__);                       \
	}
#define ALU_A4(name, D, A, B, C, E, ...)                                                                               \
	HANDLER(name)                                                                                                  \
	{                                                                                                              \
		const A *const pa = ptx_at(warp, &insn->src[0]);                                                       \
		const B *const pb = ptx_at(warp, &insn->src[1]);                                                       \
		const C *const pc = ptx_at(warp, &insn->src[2]);                                                       \
		const E *const pe = ptx_at(warp, &insn->src[3]);                                                       \
		ALU_BODY(D, const A a = pa[l]; const B b = pb[l]; (void)b; const C c = pc[l]; (void)c; const E e = pe[l];, __VA_ARGS__);    \
	}

#endif
