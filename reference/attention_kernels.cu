/* Kernels of the attention reference; attention_kernels.h says what each is given and how it is launched.
 *
 * Written for compute capability 7.5 without headers of the toolkit, so that the committed PTX needs an old ISA only and
 * any driver that knows it can load it. */
#include "reference/attention_kernels.h"

#include "judge/row_class.h"

typedef unsigned long long wide_bits;

static_assert(sizeof(attention_gather) == ATTENTION_GATHER_BYTES, "the host passes another layout");
static_assert(sizeof(attention_block) == ATTENTION_BLOCK_BYTES, "the host passes another layout");

/* ---- number formats ----------------------------------------------------------------------------------------------- */

struct half_bits {
	uint16_t bits;
};
struct brain_bits {
	uint16_t bits;
};

static __device__ __forceinline__ float to_float(half_bits value)
{
	float result;
	asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
	return result;
}

static __device__ __forceinline__ float to_float(brain_bits value)
{
	return __uint_as_float((uint32_t)value.bits << 16);
}

static __device__ __forceinline__ half_bits to_half(float value)
{
	half_bits result;
	asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
	return result;
}

/* Round to nearest, ties to even, by carrying into the upper half; the instruction for it came with compute 8.0. */
static __device__ __forceinline__ brain_bits to_brain(float value)
{
	const uint32_t bits = __float_as_uint(value);
	brain_bits result;

	if (value != value)
		result.bits = (uint16_t)(bits >> 16 | 0x40);
	else
		result.bits = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
	return result;
}

static __device__ __forceinline__ float from_bits(uint16_t bits, int is_bf16)
{
	half_bits half = {bits};
	brain_bits brain = {bits};
	return is_bf16 ? to_float(brain) : to_float(half);
}

/* Exponent all ones: infinity or NaN. */
static __device__ __forceinline__ bool is_non_finite(uint16_t bits, int is_bf16)
{
	const uint16_t exponent = is_bf16 ? 0x7f80 : 0x7c00;
	return (bits & exponent) == exponent;
}

static __device__ __forceinline__ double infinity() { return __longlong_as_double(0x7ff0000000000000ll); }

static __device__ __forceinline__ void store(half_bits *to, float value) { *to = to_half(value); }
static __device__ __forceinline__ void store(brain_bits *to, float value) { *to = to_brain(value); }

/* Sixteen bytes of scores: how many, what they are computed in, and how they come and go. */
template <typename Store> struct quantum;

template <> struct quantum<double> {
	typedef double compute;
	static const int width = 2;
	double2 raw;
	__device__ __forceinline__ double get(int e) const { return e ? raw.y : raw.x; }
	__device__ __forceinline__ void set(const double *x) { raw = make_double2(x[0], x[1]); }
	__device__ __forceinline__ void load(const double *from) { raw = *(const double2 *)from; }
	__device__ __forceinline__ void save(double *to) const { *(double2 *)to = raw; }
};

template <> struct quantum<float> {
	typedef float compute;
	static const int width = 4;
	float4 raw;
	__device__ __forceinline__ float get(int e) const
	{
		return e == 0 ? raw.x : e == 1 ? raw.y : e == 2 ? raw.z : raw.w;
	}
	__device__ __forceinline__ void set(const float *x) { raw = make_float4(x[0], x[1], x[2], x[3]); }
	__device__ __forceinline__ void load(const float *from) { raw = *(const float4 *)from; }
	__device__ __forceinline__ void save(float *to) const { *(float4 *)to = raw; }
};

template <typename Store> struct quantum_16 {
	typedef float compute;
	static const int width = 8;
	uint32_t raw[4];
	__device__ __forceinline__ float get(int e) const
	{
		const Store value = {(uint16_t)(raw[e / 2] >> (e % 2 * 16))};
		return to_float(value);
	}
	__device__ __forceinline__ void set(const float *x)
	{
#pragma unroll
		for (int e = 0; e < width; e += 2) {
			Store pair[2];
			store(&pair[0], x[e]);
			store(&pair[1], x[e + 1]);
			raw[e / 2] = pair[0].bits | (uint32_t)pair[1].bits << 16;
		}
	}
	__device__ __forceinline__ void load(const Store *from)
	{
		const uint4 four = *(const uint4 *)from;
		raw[0] = four.x, raw[1] = four.y, raw[2] = four.z, raw[3] = four.w;
	}
	__device__ __forceinline__ void save(Store *to) const
	{
		*(uint4 *)to = make_uint4(raw[0], raw[1], raw[2], raw[3]);
	}
};
template <> struct quantum<half_bits> : quantum_16<half_bits> {};
template <> struct quantum<brain_bits> : quantum_16<brain_bits> {};

/* ---- reductions --------------------------------------------------------------------------------------------------- */

/* The first operand wins against NaN on the right: a NaN never becomes the maximum. */
template <typename T> static __device__ __forceinline__ T larger(T a, T b) { return b > a ? b : a; }

/* `idle`: what a lane without a value of its own takes part with. */
struct take_larger {
	template <typename T> static __device__ __forceinline__ T apply(T a, T b) { return larger(a, b); }
	template <typename T> static __device__ __forceinline__ T idle(T any) { return any; }
};
struct take_sum {
	template <typename T> static __device__ __forceinline__ T apply(T a, T b) { return a + b; }
	template <typename T> static __device__ __forceinline__ T idle(T) { return T(0); }
};

/* Over the threads of a row: a warp, or (blockDim.x > 32) the whole block. Every thread gets the result. `shared` holds
 * 32 values and is used by one reduction at a time: the barrier at the start keeps the one before from being overrun. */
template <typename Operation, typename T> static __device__ __forceinline__ T reduce_row(T value, T *shared)
{
#pragma unroll
	for (int distance = 16; distance > 0; distance /= 2)
		value = Operation::apply(value, __shfl_xor_sync(0xffffffffu, value, distance));
	if (blockDim.x > 32) {
		const int lane = threadIdx.x % 32;
		__syncthreads();
		if (lane == 0)
			shared[threadIdx.x / 32] = value;
		__syncthreads();
		value = lane < blockDim.x / 32 ? shared[lane] : Operation::idle(shared[0]);
#pragma unroll
		for (int distance = 16; distance > 0; distance /= 2)
			value = Operation::apply(value, __shfl_xor_sync(0xffffffffu, value, distance));
	}
	return value;
}

/* ---- where a row of scores belongs -------------------------------------------------------------------------------- */

struct row_place {
	int group, row, query, head;
	int begin, end;     /* visible columns of the block, relative to first_column; end is exclusive */
	int64_t result_row;
};

static __device__ __forceinline__ row_place place_row(const attention_block &b, uint32_t flat)
{
	row_place at;

	at.group = (int)(flat / (uint32_t)b.rows);
	at.row = (int)(flat % (uint32_t)b.rows);
	at.query = b.first_query + at.row / b.ratio;
	at.head = (b.first_group + at.group) * b.ratio + at.row % b.ratio;
	at.result_row = b.result_base + at.head * b.result_head_stride + at.query;
	at.begin = b.first_column;
	at.end = b.first_column + b.columns;
	if (b.window_left >= 0)
		at.begin = max(at.begin, at.query + b.offset - b.window_left);
	if (b.window_right >= 0)
		at.end = min(at.end, at.query + b.offset + b.window_right + 1);
	at.begin = min(at.begin - b.first_column, b.columns);
	at.end = max(at.end - b.first_column, at.begin);
	return at;
}

/* The ALiBi term of column c (relative), to be added to the score. */
template <typename T>
static __device__ __forceinline__ T alibi_term(const attention_block &b, const row_place &at, T slope, int c)
{
	const int key = b.first_column + c;
	return b.alibi == KERNEL_ALIBI_CAUSAL ? slope * (T)key : -slope * (T)abs(at.query + b.offset - key);
}

template <typename T> static __device__ __forceinline__ T row_slope(const attention_block &b, const row_place &at)
{
	return b.alibi != KERNEL_ALIBI_NONE ? (T)b.slopes[b.head_base + at.head] : T(0);
}

/* A call, not sixteen copies of it in every kernel: the driver compiles this text when it is first loaded. */
static __device__ __noinline__ double capped(double s, double cap, double inverse) { return cap * tanh(s * inverse); }
static __device__ __noinline__ float capped(float s, float cap, float inverse) { return cap * tanhf(s * inverse); }

template <typename T>
static __device__ __forceinline__ T transform_score(const attention_block &b, const row_place &at, T slope, T s, int c)
{
	if (b.softcap > 0)
		s = capped(s, (T)b.softcap, (T)b.inverse_softcap);
	if (b.alibi != KERNEL_ALIBI_NONE)
		s += alibi_term(b, at, slope, c);
	return s;
}

static __device__ __forceinline__ bool is_power_of_two(int count) { return (count & (count - 1)) == 0; }

/* Class, LSE and group of a row, by one thread. `top`: largest visible logit (-inf when all are -inf or NaN);
 * `sum`: of exp(logit - top). */
static __device__ void finish_row(const attention_block &b, const row_place &at, double top, double sum)
{
	const int count = at.end - at.begin;
	int bits = 0;

	if (count == 0)
		bits = ROW_MASKED;
	else if (sum != sum)
		bits = ROW_NAN;
	else if (sum == 0)
		bits = ROW_ALL_MINUS_INF;
	else if (!(b.softcap > 0) && fabs(top) <= 64 &&
		 (count == 1 ||
		  /* a sum of `count` terms that are at most 1 reaches it only when all are 1: equal logits */
		  (b.exact_values && count <= 1 << 20 && is_power_of_two(count) && sum == (double)count)))
		bits = ROW_EXACT;
	if (b.bad_before && bits != ROW_NAN) {
		const int32_t *before = b.bad_before + (int64_t)at.group * (b.seqlen_k + 1);
		const int visible = before[b.first_column + at.end] - before[b.first_column + at.begin];

		if (before[b.seqlen_k] > visible || (count < b.seqlen_k && b.bad_queries[(int64_t)at.group * b.rows + at.row]))
			bits |= ROW_MASKED_POISON;
	}
	if (b.lse)
		b.lse[at.result_row] = sum == 0 ? infinity() : top + log(sum);
	if (b.row_class)
		b.row_class[at.result_row] = (uint8_t)bits;
	if (b.row_group)
		b.row_group[at.result_row] = b.head_base + at.head;
}

static __device__ __forceinline__ void raise_maximum(wide_bits *maximum, double value)
{
	/* Bits of non-negative doubles are ordered as the doubles are. */
	const wide_bits bits = (wide_bits)__double_as_longlong(value);
	if (bits > *(volatile wide_bits *)maximum)
		atomicMax(maximum, bits);
}

/* ---- softmax: one read and one write of the scores ---------------------------------------------------------------- */

template <typename Store, bool TRANSFORM>
static __device__ __forceinline__ void softmax_row(Store *__restrict__ scores, const attention_block &b)
{
	typedef quantum<Store> vector;
	typedef typename vector::compute compute;
	const int width = vector::width, vectors = SOFTMAX_PER_THREAD / width;
	__shared__ compute shared_top[32];
	__shared__ double shared_sum[32];
	const uint32_t flat = blockIdx.x * blockDim.y + threadIdx.y;

	if (flat >= (uint32_t)b.groups * (uint32_t)b.rows) /* the whole warp; with blockDim.y == 1 it does not happen */
		return;
	const row_place at = place_row(b, flat);
	Store *const row = scores + at.group * b.group_stride + at.row * b.row_stride;
	const compute slope = TRANSFORM ? row_slope<compute>(b, at) : compute(0);
	const compute minus_infinity = (compute)-infinity();
	vector raw[vectors];
	compute x[SOFTMAX_PER_THREAD], top = minus_infinity;

#pragma unroll
	for (int n = 0; n < vectors; n++) {
		const int column = (threadIdx.x + n * blockDim.x) * width;
		if (column < at.end && column + width > at.begin)
			raw[n].load(row + column);
	}
#pragma unroll
	for (int n = 0; n < vectors; n++) {
		const int column = (threadIdx.x + n * blockDim.x) * width;
#pragma unroll
		for (int e = 0; e < width; e++) {
			compute s = minus_infinity;
			if (column + e >= at.begin && column + e < at.end) {
				s = raw[n].get(e);
				if (TRANSFORM)
					s = transform_score(b, at, slope, s, column + e);
			}
			top = larger(top, s);
			x[n * width + e] = s;
		}
	}
	top = reduce_row<take_larger>(top, shared_top);
	if (b.logit_max) {
		compute magnitude = 0;
#pragma unroll
		for (int n = 0; n < SOFTMAX_PER_THREAD; n++)
			if (fabs(x[n]) < -minus_infinity)
				magnitude = larger(magnitude, (compute)fabs(x[n]));
		magnitude = reduce_row<take_larger>(magnitude, shared_top);
		if (threadIdx.x == 0)
			raise_maximum(b.logit_max + b.head_base + at.head, magnitude);
	}

	/* exp(-inf - -inf) would make a row of -inf NaN where 0 is meant; a visible NaN still reaches the sum. */
	const compute shift = top == minus_infinity ? compute(0) : top;
	compute part = 0;
#pragma unroll
	for (int n = 0; n < SOFTMAX_PER_THREAD; n++) {
		x[n] = exp(x[n] - shift);
		part += x[n];
	}
	const double sum = reduce_row<take_sum>((double)part, shared_sum);
	const compute inverse = sum == 0 ? compute(0) : (compute)(1 / sum);

#pragma unroll
	for (int n = 0; n < vectors; n++) {
		const int column = (threadIdx.x + n * blockDim.x) * width;
		if (column < b.columns) {
#pragma unroll
			for (int e = 0; e < width; e++)
				x[n * width + e] *= inverse;
			raw[n].set(x + n * width);
			raw[n].save(row + column);
		}
	}
	if (threadIdx.x == 0)
		finish_row(b, at, top, sum);
}

/* Rows that no block can hold: the maximum and the sum are found together in a first reading, the probabilities are
 * written in a second. */
template <typename Store>
static __device__ __forceinline__ void softmax_long_row(Store *__restrict__ scores, const attention_block &b)
{
	typedef quantum<Store> vector;
	typedef typename vector::compute compute;
	const int width = vector::width;
	__shared__ compute shared_top[32];
	__shared__ double shared_sum[32];
	const row_place at = place_row(b, blockIdx.x);
	Store *const row = scores + at.group * b.group_stride + at.row * b.row_stride;
	const compute slope = row_slope<compute>(b, at), minus_infinity = (compute)-infinity();
	compute top = minus_infinity, part = 0, magnitude = 0;

	for (int column = threadIdx.x * width; column < at.end; column += blockDim.x * width) {
		vector raw;
		compute x[width], before = top;

		if (column + width <= at.begin)
			continue;
		raw.load(row + column);
#pragma unroll
		for (int e = 0; e < width; e++) {
			x[e] = minus_infinity;
			if (column + e >= at.begin && column + e < at.end) {
				x[e] = transform_score(b, at, slope, (compute)raw.get(e), column + e);
				if (fabs(x[e]) < -minus_infinity)
					magnitude = larger(magnitude, (compute)fabs(x[e]));
			}
			top = larger(top, x[e]);
		}
		const compute shift = top == minus_infinity ? compute(0) : top;
		if (before != minus_infinity)
			part *= exp(before - shift);
#pragma unroll
		for (int e = 0; e < width; e++)
			part += exp(x[e] - shift);
	}
	const compute own = top;
	top = reduce_row<take_larger>(top, shared_top);
	magnitude = reduce_row<take_larger>(magnitude, shared_top);
	const compute shift = top == minus_infinity ? compute(0) : top;
	if (own != minus_infinity)
		part *= exp(own - shift);
	const double sum = reduce_row<take_sum>((double)part, shared_sum);
	const compute inverse = sum == 0 ? compute(0) : (compute)(1 / sum);

	for (int column = threadIdx.x * width; column < b.columns; column += blockDim.x * width) {
		vector raw;
		compute x[width];

		raw.load(row + column);
#pragma unroll
		for (int e = 0; e < width; e++) {
			x[e] = minus_infinity;
			if (column + e >= at.begin && column + e < at.end)
				x[e] = transform_score(b, at, slope, (compute)raw.get(e), column + e);
			x[e] = exp(x[e] - shift) * inverse;
		}
		raw.set(x);
		raw.save(row + column);
	}
	if (threadIdx.x == 0) {
		finish_row(b, at, top, sum);
		if (b.logit_max)
			raise_maximum(b.logit_max + b.head_base + at.head, magnitude);
	}
}

#define SOFTMAX_KERNELS(name, type)                                                                                \
	extern "C" __global__ void __launch_bounds__(SOFTMAX_THREADS_MAX)                                          \
		softmax_##name(type *scores, const attention_block b)                                              \
	{                                                                                                          \
		softmax_row<type, false>(scores, b);                                                               \
	}                                                                                                          \
	extern "C" __global__ void __launch_bounds__(SOFTMAX_THREADS_MAX)                                          \
		softmax_##name##_transform(type *scores, const attention_block b)                                  \
	{                                                                                                          \
		softmax_row<type, true>(scores, b);                                                                \
	}                                                                                                          \
	extern "C" __global__ void __launch_bounds__(SOFTMAX_THREADS_MAX)                                          \
		softmax_long_##name(type *scores, const attention_block b)                                         \
	{                                                                                                          \
		softmax_long_row<type>(scores, b);                                                                 \
	}

SOFTMAX_KERNELS(f64, double)
SOFTMAX_KERNELS(f32, float)
SOFTMAX_KERNELS(f16, half_bits)
SOFTMAX_KERNELS(bf16, brain_bits)

/* ---- operands ----------------------------------------------------------------------------------------------------- */

static __device__ __forceinline__ int64_t gather_offset(const attention_gather &g, uint32_t flat)
{
	const int group = g.first_group + (int)(flat / (uint32_t)g.rows), row = (int)(flat % (uint32_t)g.rows);
	const int entry = group / g.heads_k, head = group % g.heads_k * g.ratio + row % g.ratio;
	return entry * g.batch_stride + (int64_t)(g.first_row + row / g.ratio) * g.row_stride + head * g.head_stride;
}

static __device__ __forceinline__ uint16_t filter(const attention_gather &g, uint16_t bits)
{
	if (is_non_finite(bits, g.is_bf16)) {
		if (g.non_finite)
			atomicOr(g.non_finite, (uint32_t)g.non_finite_bit);
		if (g.finite_only)
			bits = 0;
	}
	return g.absolute ? bits & 0x7fff : bits;
}

static __device__ __forceinline__ void convert(double *to, uint16_t bits, int is_bf16) { *to = from_bits(bits, is_bf16); }
static __device__ __forceinline__ void convert(float *to, uint16_t bits, int is_bf16) { *to = from_bits(bits, is_bf16); }
static __device__ __forceinline__ void convert(uint16_t *to, uint16_t bits, int) { *to = bits; }

template <typename Out, int WIDTH>
static __device__ __forceinline__ void gather(const uint16_t *__restrict__ in, Out *__restrict__ out,
					      const attention_gather &g)
{
	const uint32_t flat = blockIdx.x * blockDim.y + threadIdx.y;

	if (flat >= (uint32_t)g.groups * (uint32_t)g.rows)
		return;
	in += gather_offset(g, flat);
	out += (int64_t)flat * g.columns;
	for (int column = threadIdx.x * WIDTH; column < g.columns; column += blockDim.x * WIDTH) {
		struct alignas(2 * WIDTH) {
			uint16_t bits[WIDTH];
		} from;
		struct alignas(sizeof(Out) * WIDTH) {
			Out values[WIDTH];
		} to;

		*(decltype(from) *)&from = *(const decltype(from) *)(in + column);
#pragma unroll
		for (int e = 0; e < WIDTH; e++)
			convert(&to.values[e], filter(g, from.bits[e]), g.is_bf16);
		*(decltype(to) *)(out + column) = to;
	}
}

#define GATHER_KERNELS(name, type)                                                                                 \
	extern "C" __global__ void gather_##name(const uint16_t *in, type *out, const attention_gather g)          \
	{                                                                                                          \
		gather<type, 1>(in, out, g);                                                                       \
	}                                                                                                          \
	extern "C" __global__ void gather_##name##_pair(const uint16_t *in, type *out, const attention_gather g)   \
	{                                                                                                          \
		gather<type, 2>(in, out, g);                                                                       \
	}

GATHER_KERNELS(f64, double)
GATHER_KERNELS(f32, float)
GATHER_KERNELS(16, uint16_t)

extern "C" __global__ void value_sum(const uint16_t *v, wide_bits *sums, const attention_gather g)
{
	__shared__ double parts[VALUE_SUM_SIDE][VALUE_SUM_SIDE + 1];
	const int column = blockIdx.y * VALUE_SUM_SIDE + threadIdx.x;
	double part = 0;

	if (column < g.columns)
		for (int row = threadIdx.y; row < g.rows; row += VALUE_SUM_SIDE) {
			const uint16_t bits = v[gather_offset(g, blockIdx.x * (uint32_t)g.rows + row) + column];
			if (!is_non_finite(bits, g.is_bf16))
				part += fabs((double)from_bits(bits, g.is_bf16));
		}
	parts[threadIdx.y][threadIdx.x] = part;
	__syncthreads();
	if (threadIdx.y == 0 && column < g.columns) {
		for (int n = 1; n < VALUE_SUM_SIDE; n++)
			part += parts[n][threadIdx.x];
		raise_maximum(sums + blockIdx.x, part);
	}
}

/* ---- results ------------------------------------------------------------------------------------------------------ */

template <typename Source>
static __device__ __forceinline__ void store_rows(const Source *__restrict__ in, double *__restrict__ result,
						  const attention_block &b, int columns, int round_to)
{
	const uint32_t flat = blockIdx.x * blockDim.y + threadIdx.y;

	if (flat >= (uint32_t)b.groups * (uint32_t)b.rows)
		return;
	double *const to = result + place_row(b, flat).result_row * columns;
	for (int column = threadIdx.x; column < columns; column += blockDim.x) {
		double value = in ? (double)in[(int64_t)flat * columns + column] : 0;
		if (round_to == 1)
			value = to_float(to_half((float)value));
		else if (round_to == 2)
			value = to_float(to_brain((float)value));
		to[column] = value;
	}
}

extern "C" __global__ void store_rows_f64(const double *in, double *result, const attention_block b, int columns,
					  int round_to)
{
	store_rows(in, result, b, columns, round_to);
}

extern "C" __global__ void store_rows_f32(const float *in, double *result, const attention_block b, int columns,
					  int round_to)
{
	store_rows(in, result, b, columns, round_to);
}

extern "C" __global__ void logit_magnitude(const float *scores, const attention_block b)
{
	__shared__ float shared[32];
	const row_place at = place_row(b, blockIdx.x);
	const float *const row = scores + at.group * b.group_stride + at.row * b.row_stride;
	const float slope = row_slope<float>(b, at);
	float top = 0;

	for (int column = at.begin + threadIdx.x; column < at.end; column += blockDim.x) {
		float s = row[column];
		if (b.alibi != KERNEL_ALIBI_NONE)
			s += fabs(alibi_term(b, at, slope, column));
		top = larger(top, s);
	}
	top = reduce_row<take_larger>(top, shared);
	if (threadIdx.x == 0)
		raise_maximum(b.logit_max + b.head_base + at.head, top);
}

extern "C" __global__ void check_exact(const double *o, uint8_t *row_class, int64_t rows, int columns, int is_bf16)
{
	const int64_t row = (int64_t)blockIdx.x * blockDim.y + threadIdx.y;
	bool representable = true;

	if (row >= rows || !(row_class[row] & ROW_EXACT))
		return;
	for (int column = threadIdx.x; column < columns; column += 32) {
		const double value = o[row * columns + column];
		const float single = (float)value, rounded = is_bf16 ? to_float(to_brain(single)) : to_float(to_half(single));
		if (value == value && (double)rounded != value)
			representable = false;
	}
	if (!__all_sync(0xffffffffu, representable) && threadIdx.x == 0)
		row_class[row] &= ~ROW_EXACT;
}

/* ---- where inputs are not finite ---------------------------------------------------------------------------------- */

extern "C" __global__ void flag_rows(const uint16_t *in, uint8_t *flags, const attention_gather g, int keep)
{
	const uint32_t flat = blockIdx.x * blockDim.y + threadIdx.y;
	bool found = false;

	if (flat >= (uint32_t)g.groups * (uint32_t)g.rows)
		return;
	in += gather_offset(g, flat);
	for (int column = threadIdx.x; column < g.columns; column += 32)
		found |= is_non_finite(in[column], g.is_bf16);
	found = __any_sync(0xffffffffu, found);
	if (threadIdx.x == 0)
		flags[flat] = (uint8_t)((keep ? flags[flat] : 0) | (found ? g.non_finite_bit : 0));
}

extern "C" __global__ void count_bad(const uint8_t *flags, int32_t *before, int rows)
{
	__shared__ int32_t warp_counts[32];
	const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
	int32_t total = 0;

	flags += (int64_t)blockIdx.x * rows;
	before += (int64_t)blockIdx.x * (rows + 1);
	for (int start = 0; start <= rows; start += 1024) {
		const int row = start + threadIdx.x;
		const uint32_t mask = __ballot_sync(0xffffffffu, row < rows && flags[row]);
		int32_t preceding = total + __popc(mask & ((1u << lane) - 1));

		__syncthreads();
		if (lane == 0)
			warp_counts[warp] = __popc(mask);
		__syncthreads();
		for (int other = 0; other < 32; other++) {
			if (other < warp)
				preceding += warp_counts[other];
			total += warp_counts[other];
		}
		if (row <= rows)
			before[row] = preceding;
	}
}

template <typename T>
static __device__ __forceinline__ void spread(const T *probabilities, const uint16_t *v, double *o,
					      const attention_block &b, const attention_gather &g)
{
	const row_place at = place_row(b, blockIdx.x);
	const uint8_t *const bad = b.bad_keys + (int64_t)at.group * b.seqlen_k + b.first_column;
	const T *const p = probabilities + at.group * b.group_stride + at.row * b.row_stride;
	int clear = 0, set = 0;

	for (int column = at.begin; column < at.end; column++) {
		if (!(bad[column] & NON_FINITE_VALUE))
			continue;
		clear = ROW_EXACT;
		if (p[column] == 0)
			set = ROW_MASKED_POISON;
		if (!(p[column] > 0))
			continue;
		const uint16_t *const key =
			v + gather_offset(g, (uint32_t)at.group * (uint32_t)g.rows + b.first_column + column);
		for (int d = threadIdx.x; d < g.columns; d += blockDim.x)
			if (is_non_finite(key[d], g.is_bf16))
				o[at.result_row * g.columns + d] += (double)from_bits(key[d], g.is_bf16);
	}
	if (threadIdx.x == 0 && clear)
		b.row_class[at.result_row] = (uint8_t)((b.row_class[at.result_row] & ~clear) | set);
}

extern "C" __global__ void spread_f64(const double *probabilities, const uint16_t *v, double *o, const attention_block b,
				      const attention_gather g)
{
	spread(probabilities, v, o, b, g);
}

extern "C" __global__ void spread_f32(const float *probabilities, const uint16_t *v, double *o, const attention_block b,
				      const attention_gather g)
{
	spread(probabilities, v, o, b, g);
}
