/* Handlers of integer, logic, shift and move instructions; the lanes are in alu_integer.def. */
#include "device/ptx/alu_lanes.h"

static inline int32_t s16(uint32_t a) { return (int16_t)a; }
static inline int32_t high16(uint32_t a) { return (int32_t)a >> 16; }
static inline int32_t s24(uint32_t a) { return (int32_t)(a << 8) >> 8; }
static inline uint32_t min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }
static inline uint32_t max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }
static inline int32_t min_s32(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t max_s32(int32_t a, int32_t b) { return a > b ? a : b; }
static inline int32_t relu_s32(int32_t a) { return a > 0 ? a : 0; }
static inline uint32_t pair16(int32_t low, int32_t high) { return ((uint32_t)low & 0xffff) | (uint32_t)high << 16; }
#define U8(word, i) ((uint32_t)(uint8_t)((word) >> 8 * (i)))
#define S8(word, i) ((uint32_t)(int32_t)(int8_t)((word) >> 8 * (i)))

static inline int32_t saturate_s32(int64_t a)
{
	return (int32_t)(a < INT32_MIN ? INT32_MIN : a > INT32_MAX ? INT32_MAX : a);
}

static inline uint64_t mul_hi_u64(uint64_t a, uint64_t b)
{
	return (uint64_t)((unsigned __int128)a * b >> 64);
}

static inline uint64_t mul_hi_s64(uint64_t a, uint64_t b)
{
	return (uint64_t)((unsigned __int128)((__int128)(int64_t)a * (int64_t)b) >> 64);
}

/* A quotient of 32-bit integers that is not whole is at least 2^-32 away from the next whole number, far more than the rounding
 * of a double quotient: truncation is exact. What division by zero gives is unspecified in PTX; here all ones, as GPUs do. */
static inline uint32_t div_u32(uint32_t a, uint32_t b)
{
	return b ? (uint32_t)(int64_t)((double)a / (double)b) : ~0u;
}

static inline uint32_t div_s32(int32_t a, int32_t b)
{
	return b ? (uint32_t)(int64_t)((double)a / (double)b) : ~0u;
}

static inline uint32_t popc_32(uint32_t a)
{
	a -= a >> 1 & 0x55555555;
	a = (a & 0x33333333) + (a >> 2 & 0x33333333);
	return ((a + (a >> 4)) & 0x0f0f0f0f) * 0x01010101u >> 24;
}

static inline uint32_t brev_32(uint32_t a)
{
	a = (a >> 1 & 0x55555555) | (a & 0x55555555) << 1;
	a = (a >> 2 & 0x33333333) | (a & 0x33333333) << 2;
	a = (a >> 4 & 0x0f0f0f0f) | (a & 0x0f0f0f0f) << 4;
	return __builtin_bswap32(a);
}

static inline uint32_t bfind(uint64_t a)
{
	return a ? 63 - (uint32_t)__builtin_clzll(a) : ~0u;
}

static inline uint32_t shift_amount(uint32_t position, uint32_t top)
{
	return position == ~0u ? ~0u : top - position;
}

static inline uint64_t bfe_u64(uint64_t a, uint32_t position, uint32_t length)
{
	const uint64_t moved = position < 64 ? a >> (position & 63) : 0;
	return length < 64 ? moved & ((1ull << (length & 63)) - 1) : moved;
}

static inline uint32_t bfe_u32(uint32_t a, uint32_t position, uint32_t length)
{
	const uint32_t moved = position < 32 ? a >> (position & 31) : 0;
	return length < 32 ? moved & ((1u << (length & 31)) - 1) : moved;
}

/* The field at the top of the word, and back down: the bits past it are copies of its last one. */
static inline uint32_t bfe_s32(uint32_t a, uint32_t position, uint32_t length)
{
	const uint32_t start = position < 31 ? position : 31; /* past the word: nothing but the sign */
	const uint32_t room = 32 - start, kept = length < room ? length : room;
	const uint32_t up = room - kept;
	const int32_t field = (int32_t)(a << (up & 31)) >> ((up + start) & 31);
	return length == 0 ? 0 : (uint32_t)field;
}

/* Bits past the top are copies of the field's sign: its last bit, or the top bit of `a` where the field ends there. */
static inline uint64_t bfe_s(uint64_t a, uint32_t position, uint32_t length, uint32_t top)
{
	if (length == 0)
		return 0;
	const uint32_t last = position + length - 1 < top ? position + length - 1 : top;
	const uint64_t sign = 0 - (a >> last & 1);
	const uint64_t moved = position <= top ? a >> (position & 63) : 0;
	const uint32_t kept = position <= last ? last - position + 1 : 0; /* bits of the field that come from a */
	const uint64_t mask = kept < 64 ? (1ull << (kept & 63)) - 1 : ~0ull;
	return (moved & mask) | (sign & ~mask);
}

static inline uint32_t field_32(uint32_t position, uint32_t length)
{
	const uint32_t mask = length < 32 ? (1u << (length & 31)) - 1 : ~0u;
	return position < 32 ? mask << (position & 31) : 0;
}

static inline uint64_t field_64(uint32_t position, uint32_t length)
{
	const uint64_t mask = length < 64 ? (1ull << (length & 63)) - 1 : ~0ull;
	return position < 64 ? mask << (position & 63) : 0;
}

static inline uint32_t bmsk(uint32_t position, uint32_t length)
{
	return (uint32_t)((((1ull << length) - 1) << position));
}

static inline uint32_t sign_extend(uint32_t a, uint32_t bits)
{
	if (bits == 0)
		return 0;
	return (uint32_t)((int32_t)(a << (32 - bits)) >> (32 - bits));
}

/* Position of the nth set bit of `mask`, counted from `base` up (n > 0) or down (n < 0); n = 0: `base` itself if it is set. */
static inline uint32_t find_nth_set(uint32_t mask, uint32_t base, int32_t n)
{
	if (base > 31)
		return ~0u; /* the manual leaves it undefined */
	if (n == 0)
		return mask >> base & 1 ? base : ~0u;
	const int step = n > 0 ? 1 : -1;
	int64_t left = n > 0 ? n : -(int64_t)n;
	for (int at = (int)base; at >= 0 && at < 32; at += step)
		if (mask >> at & 1 && --left == 0)
			return (uint32_t)at;
	return ~0u;
}

static inline uint64_t funnel(uint32_t low, uint32_t high) { return low | (uint64_t)high << 32; }

static inline uint32_t permute_byte(uint64_t bytes, uint32_t selector)
{
	const uint32_t byte = (uint32_t)(bytes >> 8 * (selector & 7)) & 0xff;
	return selector & 8 ? (0 - (byte >> 7)) & 0xff : byte;
}

static inline uint32_t permute(uint64_t bytes, uint32_t selector)
{
	return permute_byte(bytes, selector) | permute_byte(bytes, selector >> 4) << 8 | permute_byte(bytes, selector >> 8) << 16 |
	       permute_byte(bytes, selector >> 12) << 24;
}

/* The tables of prmt's other modes (manual 9.7.8.7), a row for each value of the selector. */
static inline uint32_t b4e_selector(uint32_t c) { return c == 0 ? 0x5670u : c == 1 ? 0x6701u : c == 2 ? 0x7012u : 0x0123u; }
static inline uint32_t ecl_selector(uint32_t c) { return c == 0 ? 0x3210u : c == 1 ? 0x3211u : c == 2 ? 0x3222u : 0x3333u; }
static inline uint32_t ecr_selector(uint32_t c) { return c == 0 ? 0x0000u : c == 1 ? 0x1110u : c == 2 ? 0x2210u : 0x3210u; }

/* The sign bit counts for zeros of f32 too: the manual compares c >= 0, and -0 is; NaN chooses b. */
static inline int slct_chooses_a(uint32_t c) { return number_f32(c) >= 0.0f; }

#define A1 ALU_A1
#define A2 ALU_A2
#define A3 ALU_A3
#define A4 ALU_A4
#define OTHER(name)
#include "device/ptx/alu_integer.def"
#undef A1
#undef A2
#undef A3
#undef A4
#undef OTHER

/* Predicates: src may be negated (option[i] 1). */
static inline uint32_t predicate(const struct ptx_warp *warp, const struct ptx_insn *insn, int i)
{
	return *ptx_src32(warp, insn, i) ^ (0u - insn->option[i]);
}

HANDLER(and_pred) { alu_store_mask(ptx_at(warp, &insn->dst[0]), predicate(warp, insn, 0) & predicate(warp, insn, 1), active); }
HANDLER(or_pred) { alu_store_mask(ptx_at(warp, &insn->dst[0]), predicate(warp, insn, 0) | predicate(warp, insn, 1), active); }
HANDLER(xor_pred) { alu_store_mask(ptx_at(warp, &insn->dst[0]), predicate(warp, insn, 0) ^ predicate(warp, insn, 1), active); }
HANDLER(not_pred) { alu_store_mask(ptx_at(warp, &insn->dst[0]), ~predicate(warp, insn, 0), active); }
HANDLER(mov_pred) { alu_store_mask(ptx_at(warp, &insn->dst[0]), predicate(warp, insn, 0), active); }

/* Any of the 256 functions of three bits as a tree of choices: by a, then b, then c. Bit 4a + 2b + c of the table. */
static inline void lop3_lanes(u32 *result, const u32 *pa, const u32 *pb, const u32 *pc, uint32_t table)
{
	uint32_t m[8];
	for (int i = 0; i < 8; i++)
		m[i] = 0u - (table >> i & 1);
	const uint32_t m0 = m[0], m2 = m[2], m4 = m[4], m6 = m[6];
	const uint32_t m01 = m0 ^ m[1], m23 = m2 ^ m[3], m45 = m4 ^ m[5], m67 = m6 ^ m[7];
	LANES {
		const uint32_t a = pa[l], b = pb[l], c = pc[l];
		const uint32_t x0 = m0 ^ (c & m01), x1 = m2 ^ (c & m23), x2 = m4 ^ (c & m45), x3 = m6 ^ (c & m67);
		const uint32_t y0 = x0 ^ (b & (x0 ^ x1)), y1 = x2 ^ (b & (x2 ^ x3));
		result[l] = y0 ^ (a & (y0 ^ y1));
	}
}

HANDLER(lop3)
{
	ALU_RESULT;
	lop3_lanes(result, ptx_at(warp, &insn->src[0]), ptx_at(warp, &insn->src[1]), ptx_at(warp, &insn->src[2]), (uint32_t)insn->immediate);
	alu_merge32(destination, result, active);
}

/* lop3.or/.and d|p, a, b, c, table, q: p = (d != 0) op q; option[3]: q negated, option[4]: 1 for .and. */
HANDLER(lop3_bool)
{
	uint32_t result[PTX_LANES], differs[PTX_LANES];
	lop3_lanes(result, ptx_at(warp, &insn->src[0]), ptx_at(warp, &insn->src[1]), ptx_at(warp, &insn->src[2]), (uint32_t)insn->immediate);
	const uint32_t q = predicate(warp, insn, 3);
	LANES differs[l] = result[l] ? ~0u : 0;
	const uint32_t p = alu_pack(differs);
	alu_store32(ptx_at(warp, &insn->dst[0]), result, active);
	alu_store_mask(ptx_at(warp, &insn->dst[1]), insn->option[4] ? p & q : p | q, active);
}

/* prmt with a selector known when lowered: which word a byte comes from and by how much it moves is the same in all lanes. */
HANDLER(prmt_constant)
{
	const u32 *const words[2] = {ptx_at(warp, &insn->src[0]), ptx_at(warp, &insn->src[1])};
	const uint32_t selector = (uint32_t)insn->immediate;
	ALU_RESULT;
	const u32 *const w0 = words[selector >> 2 & 1], *const w1 = words[selector >> 6 & 1], *const w2 = words[selector >> 10 & 1],
		  *const w3 = words[selector >> 14 & 1];
	const uint32_t s0 = 8 * (selector & 3), s1 = 8 * (selector >> 4 & 3), s2 = 8 * (selector >> 8 & 3), s3 = 8 * (selector >> 12 & 3);
	if (!(selector & 0x8888)) {
		LANES result[l] = (w0[l] >> s0 & 0xff) | (w1[l] >> s1 & 0xff) << 8 | (w2[l] >> s2 & 0xff) << 16 | w3[l] >> s3 << 24;
	} else {
		LANES result[l] = permute(funnel(words[0][l], words[1][l]), selector);
	}
	alu_merge32(destination, result, active);
}

#if defined(__AVX512BW__)
/* Four products of signed bytes as two of 16-bit pairs: the even bytes and the odd ones. */
HANDLER(dp4a_ss)
{
	const u32 *const pa = ptx_at(warp, &insn->src[0]), *const pb = ptx_at(warp, &insn->src[1]), *const pc = ptx_at(warp, &insn->src[2]);
	ALU_RESULT;
	for (int i = 0; i < PTX_LANES; i += 16) {
		const __m512i a = _mm512_loadu_si512(pa + i), b = _mm512_loadu_si512(pb + i), c = _mm512_loadu_si512(pc + i);
		const __m512i even = _mm512_madd_epi16(_mm512_srai_epi16(_mm512_slli_epi16(a, 8), 8), _mm512_srai_epi16(_mm512_slli_epi16(b, 8), 8));
		const __m512i odd = _mm512_madd_epi16(_mm512_srai_epi16(a, 8), _mm512_srai_epi16(b, 8));
		_mm512_storeu_si512(result + i, _mm512_add_epi32(c, _mm512_add_epi32(even, odd)));
	}
	alu_merge32(destination, result, active);
}
#elif defined(__AVX2__)
HANDLER(dp4a_ss)
{
	const u32 *const pa = ptx_at(warp, &insn->src[0]), *const pb = ptx_at(warp, &insn->src[1]), *const pc = ptx_at(warp, &insn->src[2]);
	ALU_RESULT;
	for (int i = 0; i < PTX_LANES; i += 8) {
		const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(pa + i)), b = _mm256_loadu_si256((const __m256i *)(const void *)(pb + i)),
			      c = _mm256_loadu_si256((const __m256i *)(const void *)(pc + i));
		const __m256i even = _mm256_madd_epi16(_mm256_srai_epi16(_mm256_slli_epi16(a, 8), 8), _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8));
		const __m256i odd = _mm256_madd_epi16(_mm256_srai_epi16(a, 8), _mm256_srai_epi16(b, 8));
		_mm256_storeu_si256((__m256i *)(void *)(result + i), _mm256_add_epi32(c, _mm256_add_epi32(even, odd)));
	}
	alu_merge32(destination, result, active);
}
#else
ALU_A3(dp4a_ss, u32, u32, u32, u32, c + S8(a, 0) * S8(b, 0) + S8(a, 1) * S8(b, 1) + S8(a, 2) * S8(b, 2) + S8(a, 3) * S8(b, 3))
#endif

/* The carry of a lane in, two or three addends of `U` in the double width `W`, the carry out. For sub the carry is the borrow. */
#define CARRY(name, U, W, bits, sources, sum)                                                                          \
	HANDLER(name)                                                                                                  \
	{                                                                                                              \
		const U *const pa = ptx_at(warp, &insn->src[0]), *const pb = ptx_at(warp, &insn->src[1]);              \
		const U *const pc = (sources) == 3 ? ptx_at(warp, &insn->src[2]) : pb;                                 \
		U result[PTX_LANES];                                                                                   \
		uint32_t out = 0;                                                                                      \
		const uint32_t in = insn->option[0] ? warp->frame->carry : 0;                                          \
		for (int l = 0; l < PTX_LANES; l++) {                                                                  \
			const U a = pa[l], b = pb[l], c = pc[l];                                                       \
			const W carry = in >> l & 1, total = (sum);                                                    \
			(void)c;                                                                                       \
			result[l] = (U)total;                                                                          \
			out |= (uint32_t)(total >> (bits) & 1) << l;                                                   \
		}                                                                                                      \
		alu_store##bits(ptx_at(warp, &insn->dst[0]), result, active);                                          \
		if (insn->option[1])                                                                                   \
			alu_store_mask(&warp->frame->carry, out, active);                                              \
	}
CARRY(add_carry_32, u32, uint64_t, 32, 2, (uint64_t)a + b + carry)
CARRY(sub_carry_32, u32, uint64_t, 32, 2, (uint64_t)a - b - carry)
CARRY(mad_lo_carry_32, u32, uint64_t, 32, 3, (uint64_t)(uint32_t)(a * b) + c + carry)
CARRY(mad_hi_carry_u32, u32, uint64_t, 32, 3, ((uint64_t)a * b >> 32) + c + carry)
CARRY(mad_hi_carry_s32, u32, uint64_t, 32, 3, (uint64_t)(uint32_t)((uint64_t)((int64_t)(int32_t)a * (int32_t)b) >> 32) + c + carry)
CARRY(add_carry_64, u64, unsigned __int128, 64, 2, (unsigned __int128)a + b + carry)
CARRY(sub_carry_64, u64, unsigned __int128, 64, 2, (unsigned __int128)a - b - carry)
CARRY(mad_lo_carry_64, u64, unsigned __int128, 64, 3, (unsigned __int128)(uint64_t)(a * b) + c + carry)
CARRY(mad_hi_carry_u64, u64, unsigned __int128, 64, 3, (unsigned __int128)mul_hi_u64(a, b) + c + carry)
CARRY(mad_hi_carry_s64, u64, unsigned __int128, 64, 3, (unsigned __int128)mul_hi_s64(a, b) + c + carry)

HANDLER(mov_128)
{
	u64 *const d = ptx_at(warp, &insn->dst[0]);
	const u64 *const a = ptx_at(warp, &insn->src[0]);
	for (int l = 0; l < PTX_LANES; l++)
		if (active >> l & 1) {
			d[2 * l] = a[2 * l];
			d[2 * l + 1] = a[2 * l + 1];
		}
}

/* Parts of 1, 2, 4 or 8 bytes; the first is the lowest. The whole has up to 16 bytes. */
static uint64_t lane_part(const void *slot, unsigned lane_bytes, int l)
{
	return lane_bytes == 8 ? ((const u64 *)slot)[l] : ((const u32 *)slot)[l];
}

HANDLER(mov_pack)
{
	const unsigned bytes = insn->option[0];
	uint64_t whole[PTX_LANES][2];
	memset(whole, 0, sizeof whole);
	for (int i = 0; i < insn->src_count; i++)
		for (int l = 0; l < PTX_LANES; l++)
			whole[l][i * bytes / 8] |= lane_part(ptx_at(warp, &insn->src[i]), insn->src[i].lane_bytes, l) << i * bytes * 8 % 64;
	const unsigned lane_bytes = insn->dst[0].lane_bytes;
	void *const d = ptx_at(warp, &insn->dst[0]);
	for (int l = 0; l < PTX_LANES; l++)
		if (active >> l & 1) {
			if (lane_bytes == 16)
				((u64 *)d)[2 * l] = whole[l][0], ((u64 *)d)[2 * l + 1] = whole[l][1];
			else if (lane_bytes == 8)
				((u64 *)d)[l] = whole[l][0];
			else
				((u32 *)d)[l] = (uint32_t)whole[l][0];
		}
}

HANDLER(mov_unpack)
{
	const unsigned bytes = insn->option[0];
	const void *const a = ptx_at(warp, &insn->src[0]);
	uint64_t whole[PTX_LANES][2];
	for (int l = 0; l < PTX_LANES; l++) {
		if (insn->src[0].lane_bytes == 16)
			whole[l][0] = ((const u64 *)a)[2 * l], whole[l][1] = ((const u64 *)a)[2 * l + 1];
		else
			whole[l][0] = lane_part(a, insn->src[0].lane_bytes, l), whole[l][1] = 0;
	}
	const uint64_t mask = bytes == 8 ? ~0ull : (1ull << bytes * 8) - 1;
	for (int i = 0; i < insn->dst_count; i++) {
		void *const d = ptx_at(warp, &insn->dst[i]);
		for (int l = 0; l < PTX_LANES; l++) {
			const uint64_t part = whole[l][i * bytes / 8] >> i * bytes * 8 % 64 & mask;
			if (!(active >> l & 1))
				continue;
			if (insn->dst[i].lane_bytes == 8)
				((u64 *)d)[l] = part;
			else
				((u32 *)d)[l] = (uint32_t)part;
		}
	}
}

#define UNPACK(name, T, low, high)                                                                                     \
	HANDLER(name)                                                                                                  \
	{                                                                                                              \
		const T *const a = ptx_at(warp, &insn->src[0]);                                                        \
		u32 *const d0 = ptx_at(warp, &insn->dst[0]), *const d1 = ptx_at(warp, &insn->dst[1]);                  \
		if (active == ~0u) {                                                                                   \
			LANES { const T whole = a[l]; d0[l] = (low); d1[l] = (high); }                                 \
		} else {                                                                                               \
			LANES d0[l] = active & alu_lane_bit[l] ? (uint32_t)(a[l] >> 0 & (sizeof(T) == 8 ? ~0u : 0xffff)) : d0[l]; \
			LANES d1[l] = active & alu_lane_bit[l] ? (uint32_t)(a[l] >> 4 * sizeof(T)) : d1[l];            \
		}                                                                                                      \
	}
UNPACK(mov_unpack_16x2, u32, whole & 0xffff, whole >> 16)
UNPACK(mov_unpack_32x2, u64, (uint32_t)whole, (uint32_t)(whole >> 32))

/* Sources a, b and the predicate. */
HANDLER(selp_32)
{
	const uint32_t p = predicate(warp, insn, 2);
	const u32 *const pa = ptx_at(warp, &insn->src[0]), *const pb = ptx_at(warp, &insn->src[1]);
	ALU_BODY(u32, const uint32_t a = pa[l]; const uint32_t b = pb[l];, p & alu_lane_bit[l] ? a : b);
}

HANDLER(selp_64)
{
	const uint32_t p = predicate(warp, insn, 2);
	const u64 *const pa = ptx_at(warp, &insn->src[0]), *const pb = ptx_at(warp, &insn->src[1]);
	ALU_BODY(u64, const uint64_t a = pa[l]; const uint64_t b = pb[l];, p & alu_lane_bit[l] ? a : b);
}

#define A1(name, ...) do_##name,
#define A2(name, ...) do_##name,
#define A3(name, ...) do_##name,
#define A4(name, ...) do_##name,
#define OTHER(name) do_##name,
extern const ptx_execute ALU_TABLE(integer)[ALU_INTEGER_COUNT];
const ptx_execute ALU_TABLE(integer)[ALU_INTEGER_COUNT] = {
#include "device/ptx/alu_integer.def"
};
