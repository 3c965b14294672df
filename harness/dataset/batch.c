#include "dataset/batch.h"

#include <math.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { ELEMENTS_MAX = 4 * BATCH_BLOCKS };

/* How a 16-bit format is reached from a double; see narrow_portable. */
struct narrowing {
	int mantissa_bits;
	double smallest_normal;
	double beyond;        /* stored as infinity, as is all above it */
	uint64_t lift;        /* 52 - mantissa_bits, in the exponent field of a double */
	uint64_t rebias;      /* subtracted from the lifted exponent, in the place of the narrow exponent field */
};

static struct narrowing narrowing_of(enum dtype dtype)
{
	const int f16 = dtype == DTYPE_F16;
	const int mantissa_bits = f16 ? 10 : 7;
	const int bias = f16 ? 15 : 127;
	return (struct narrowing){
		.mantissa_bits = mantissa_bits,
		.smallest_normal = f16 ? 0x1p-14 : 0x1p-126,
		.beyond = f16 ? 0x1p16 : 0x1p128,
		.lift = (uint64_t)(52 - mantissa_bits) << 52,
		/* a normal number's leading one is counted among its places, hence one less in the exponent */
		.rebias = (uint64_t)(1023 + 52 - mantissa_bits - bias + 1) << mantissa_bits,
	};
}

static double double_of(uint64_t bits)
{
	double value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

static uint64_t bits_of(double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	return bits;
}

/* Rounds to a 16-bit format: adding a power of two whose last place is the wanted one makes the addition itself round
 * (to nearest, ties to even), and the difference of the bit patterns counts the places. */
static uint16_t narrow_portable(double value, const struct narrowing *to)
{
	double size = fabs(value);
	if (size > to->beyond)
		size = to->beyond;
	double leading = double_of(bits_of(size) & 0x7ffull << 52); /* size without its fraction: 2^e */
	if (leading < to->smallest_normal)
		leading = to->smallest_normal;
	const uint64_t magic = bits_of(leading) + to->lift;        /* 2^(e + 52 - mantissa_bits) */
	const uint64_t places = bits_of(size + double_of(magic)) - magic;
	const uint64_t exponent = (magic >> (52 - to->mantissa_bits)) - to->rebias;
	return (uint16_t)(bits_of(value) >> 48 & 0x8000) | (uint16_t)(exponent + places);
}

static void make_portable(int32_t *k, const struct batch *batch)
{
	for (uint32_t j = 0; j < BATCH_BLOCKS; j++) {
		/* batches are aligned, so the low word does not wrap within one */
		uint32_t c0 = (uint32_t)batch->first_block + j, c1 = (uint32_t)(batch->first_block >> 32);
		uint32_t c2 = batch->stream, c3 = 0;
		uint32_t k0 = (uint32_t)batch->seed, k1 = (uint32_t)(batch->seed >> 32);
		for (int round = 0; round < PHILOX_ROUNDS; round++) {
			const uint64_t p0 = (uint64_t)PHILOX_M0 * c0, p1 = (uint64_t)PHILOX_M1 * c2;
			c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
			c1 = (uint32_t)p1;
			c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
			c3 = (uint32_t)p0;
			k0 += PHILOX_W0;
			k1 += PHILOX_W1;
		}
		if (batch->kind == BATCH_NORMAL) {
			k[2 * j] = batch_four_halves(c0, c1);
			k[2 * j + 1] = batch_four_halves(c2, c3);
		} else {
			k[4 * j] = (int32_t)c0;
			k[4 * j + 1] = (int32_t)c1;
			k[4 * j + 2] = (int32_t)c2;
			k[4 * j + 3] = (int32_t)c3;
		}
	}
}

static void integers_of_words(int32_t *k)
{
	for (int i = 0; i < ELEMENTS_MAX; i++)
		k[i] = (int32_t)((uint64_t)(uint32_t)k[i] * 7 >> 32) - 3;
}

void batch_store_portable(void *out, enum dtype dtype, const int32_t *k, int count, double step)
{
	if (dtype == DTYPE_F16 || dtype == DTYPE_BF16) {
		const struct narrowing to = narrowing_of(dtype);
		for (int i = 0; i < count; i++)
			((uint16_t *)out)[i] = narrow_portable((double)k[i] * step, &to);
	} else if (dtype == DTYPE_F32) {
		for (int i = 0; i < count; i++)
			((float *)out)[i] = (float)((double)k[i] * step);
	} else {
		for (int i = 0; i < count; i++)
			dtype_store(dtype, out, (size_t)i, (double)k[i] * step);
	}
}

int batch_elements(enum batch_kind kind)
{
	return (kind == BATCH_NORMAL ? 2 : 4) * BATCH_BLOCKS;
}

void batch_run_portable(const struct batch *batch)
{
	int32_t k[ELEMENTS_MAX];
	make_portable(k, batch);
	if (batch->kind == BATCH_INTEGERS)
		integers_of_words(k);
	batch_store_portable(batch->out, batch->dtype, k, batch->count, batch->step);
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))

enum { CHAINS = 2 }; /* groups of four blocks in flight at once: a round waits for its multiplications */

/* Each 64-bit lane holds a block's word in its low half and rubbish above it: the multiplication reads low halves only,
 * and everything else is undisturbed by what stands above. */
static AVX2 void make_avx2(int32_t *k, const struct batch *batch)
{
	const __m256i m0 = _mm256_set1_epi64x(PHILOX_M0), m1 = _mm256_set1_epi64x(PHILOX_M1);
	const __m256i signs = _mm256_set1_epi16(INT16_MIN), ones = _mm256_set1_epi16(1), two = _mm256_set1_epi32(2);
	__m256i key0[PHILOX_ROUNDS], key1[PHILOX_ROUNDS];
	for (uint32_t round = 0; round < PHILOX_ROUNDS; round++) {
		key0[round] = _mm256_set1_epi64x((uint32_t)batch->seed + round * PHILOX_W0);
		key1[round] = _mm256_set1_epi64x((uint32_t)(batch->seed >> 32) + round * PHILOX_W1);
	}
	const __m256i lane = _mm256_set_epi64x(3, 2, 1, 0);
	for (int j = 0; j < BATCH_BLOCKS; j += 4 * CHAINS) {
		__m256i c0[CHAINS], c1[CHAINS], c2[CHAINS], c3[CHAINS];
		for (int chain = 0; chain < CHAINS; chain++) {
			c0[chain] = _mm256_add_epi64(_mm256_set1_epi64x((long long)batch->first_block + j + 4 * chain), lane);
			c1[chain] = _mm256_srli_epi64(c0[chain], 32);
			c2[chain] = _mm256_set1_epi64x(batch->stream);
			c3[chain] = _mm256_setzero_si256();
		}
#pragma GCC unroll 10
		for (int round = 0; round < PHILOX_ROUNDS; round++) {
			for (int chain = 0; chain < CHAINS; chain++) {
				const __m256i p0 = _mm256_mul_epu32(m0, c0[chain]), p1 = _mm256_mul_epu32(m1, c2[chain]);
				c0[chain] = _mm256_xor_si256(_mm256_srli_epi64(p1, 32), _mm256_xor_si256(c1[chain], key0[round]));
				c1[chain] = p1;
				c2[chain] = _mm256_xor_si256(_mm256_srli_epi64(p0, 32), _mm256_xor_si256(c3[chain], key1[round]));
				c3[chain] = p0;
			}
		}
		for (int chain = 0; chain < CHAINS; chain++) {
			const __m256i w01 = _mm256_blend_epi32(c0[chain], _mm256_slli_epi64(c1[chain], 32), 0xaa);
			const __m256i w23 = _mm256_blend_epi32(c2[chain], _mm256_slli_epi64(c3[chain], 32), 0xaa);
			const int block = j + 4 * chain;
			if (batch->kind == BATCH_NORMAL) {
				/* halves less 2^15 as signed numbers, added in pairs, then the pairs: the sum less 131072 */
				const __m256i even = _mm256_madd_epi16(_mm256_xor_si256(w01, signs), ones);
				const __m256i odd = _mm256_madd_epi16(_mm256_xor_si256(w23, signs), ones);
				const __m256i low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
				const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
				_mm256_storeu_si256((__m256i *)(k + 2 * block),
						    _mm256_add_epi32(_mm256_add_epi32(low, high), two));
			} else {
				const __m256i even = _mm256_unpacklo_epi64(w01, w23), odd = _mm256_unpackhi_epi64(w01, w23);
				_mm256_storeu_si256((__m256i *)(k + 4 * block), _mm256_permute2x128_si256(even, odd, 0x20));
				_mm256_storeu_si256((__m256i *)(k + 4 * block + 8), _mm256_permute2x128_si256(even, odd, 0x31));
			}
		}
	}
}

/* narrow_portable for four numbers; a result stands in the low 32 bits of each lane. */
static AVX2 inline __m256i narrow_avx2(__m128i k, __m256d step, const struct narrowing *to)
{
	const __m256d value = _mm256_mul_pd(_mm256_cvtepi32_pd(k), step);
	const __m256d sign_mask = _mm256_set1_pd(-0.0);
	const __m256d exponent_mask = _mm256_castsi256_pd(_mm256_set1_epi64x(0x7ffll << 52));
	const __m256d size = _mm256_min_pd(_mm256_andnot_pd(sign_mask, value), _mm256_set1_pd(to->beyond));
	const __m256d leading = _mm256_max_pd(_mm256_and_pd(size, exponent_mask), _mm256_set1_pd(to->smallest_normal));
	const __m256i magic = _mm256_add_epi64(_mm256_castpd_si256(leading), _mm256_set1_epi64x((long long)to->lift));
	const __m256d sum = _mm256_add_pd(size, _mm256_castsi256_pd(magic));
	const __m256i places = _mm256_sub_epi64(_mm256_castpd_si256(sum), magic);
	const __m256i exponent = _mm256_sub_epi64(_mm256_srli_epi64(magic, 52 - to->mantissa_bits),
						  _mm256_set1_epi64x((long long)to->rebias));
	const __m256i sign = _mm256_srli_epi64(_mm256_castpd_si256(_mm256_and_pd(value, sign_mask)), 48);
	return _mm256_or_si256(sign, _mm256_add_epi64(exponent, places));
}

static AVX2 inline __attribute__((always_inline)) void store_narrow_avx2(uint16_t *out, const int32_t *k, int count,
									  double step_value, struct narrowing to)
{
	const __m256d step = _mm256_set1_pd(step_value);
	int i = 0;
	for (; i + 16 <= count; i += 16) {
		__m256i eight[2];
		for (int half = 0; half < 2; half++) {
			const __m128i *from = (const __m128i *)(k + i + 8 * half);
			const __m256i a = narrow_avx2(_mm_loadu_si128(from), step, &to);
			const __m256i b = narrow_avx2(_mm_loadu_si128(from + 1), step, &to);
			/* low halves of the lanes: a0 a1 b0 b1 | a2 a3 b2 b3 */
			eight[half] = _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88));
		}
		/* pairs: a01 b01 c01 d01 | a23 b23 c23 d23 */
		const __m256i packed = _mm256_packus_epi32(eight[0], eight[1]);
		const __m256i order = _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0);
		_mm256_storeu_si256((__m256i *)(out + i), _mm256_permutevar8x32_epi32(packed, order));
	}
	for (; i < count; i++)
		out[i] = narrow_portable((double)k[i] * step_value, &to);
}

static AVX2 void store_avx2(void *out, enum dtype dtype, const int32_t *k, int count, double step)
{
	if (dtype == DTYPE_F16)
		store_narrow_avx2(out, k, count, step, narrowing_of(DTYPE_F16));
	else if (dtype == DTYPE_BF16)
		store_narrow_avx2(out, k, count, step, narrowing_of(DTYPE_BF16));
	else
		batch_store_portable(out, dtype, k, count, step);
}
#endif

void batch_store(void *out, enum dtype dtype, const int32_t *k, int count, double step)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2")) {
		store_avx2(out, dtype, k, count, step);
		return;
	}
#endif
	batch_store_portable(out, dtype, k, count, step);
}

void batch_run(const struct batch *batch)
{
	int32_t k[ELEMENTS_MAX];
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2"))
		make_avx2(k, batch);
	else
#endif
		make_portable(k, batch);
	if (batch->kind == BATCH_INTEGERS)
		integers_of_words(k);
	batch_store(batch->out, batch->dtype, k, batch->count, batch->step);
}
