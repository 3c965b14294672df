// Device side of the judge. Compiled to PTX that is committed (judge_kernels.ptx) and embedded; see judge_cuda.c for how
// the kernels are put together and kernel_args.h for their arguments.
//
// Everything counted or compared is an integer, a minimum or a maximum, so that atomics and the number of blocks cannot
// change it; float64 sums are reduced in two stages whose order depends on the launch alone.

#include "judge/element.h"
#include "judge/kernel_args.h"

typedef unsigned long long u64;

static __device__ __forceinline__ u64 thread_index(void)
{
	return (u64)blockIdx.x * JUDGE_BLOCK + threadIdx.x;
}

static __device__ __forceinline__ u64 thread_count(void)
{
	return (u64)gridDim.x * JUDGE_BLOCK;
}

// Element offset of row-major index `linear`. Division by 32-bit numbers where they suffice: the 64-bit one is a
// subroutine of some seventy instructions.
static __device__ __forceinline__ int64_t element_offset(const struct judge_shape &shape, u64 linear)
{
	int64_t offset = 0;
	if (shape.elements <= 0xffffffffll) {
		uint32_t rest = (uint32_t)linear;
		for (int i = shape.rank - 1; i > 0; i--) {
			const uint32_t dim = (uint32_t)shape.dims[i];
			const uint32_t next = rest / dim;
			offset += (int64_t)(rest - next * dim) * shape.strides[i];
			rest = next;
		}
		return shape.rank ? offset + (int64_t)rest * shape.strides[0] : 0;
	}
	for (int i = shape.rank - 1; i > 0; i--) {
		const u64 next = linear / (u64)shape.dims[i];
		offset += (int64_t)(linear - next * (u64)shape.dims[i]) * shape.strides[i];
		linear = next;
	}
	return shape.rank ? offset + (int64_t)linear * shape.strides[0] : 0;
}

static __device__ __forceinline__ u64 load_element(uint64_t base, u64 index, int size)
{
	switch (size) {
	case 1:
		return ((const uint8_t *)base)[index];
	case 2:
		return ((const uint16_t *)base)[index];
	case 4:
		return ((const uint32_t *)base)[index];
	default:
		return ((const u64 *)base)[index];
	}
}

// What element `index` of a buffer that was filled with the 32-bit pattern holds.
static __device__ __forceinline__ u64 poison_element(uint32_t pattern, u64 index, int size)
{
	switch (size) {
	case 1:
		return pattern >> (8 * (index & 3)) & 0xff;
	case 2:
		return pattern >> (16 * (index & 1)) & 0xffff;
	case 4:
		return pattern;
	default:
		return (u64)pattern << 32 | pattern;
	}
}

static __device__ __forceinline__ void report(uint64_t *count, uint64_t *least, u64 found, u64 first)
{
	if (found) {
		atomicAdd((u64 *)count, found);
		atomicMin((u64 *)least, first);
	}
}

extern "C" __global__ void __launch_bounds__(JUDGE_BLOCK) assay_judge_memory_value(const struct judge_memory_args args)
{
	struct judge_memory_counters *counters = (struct judge_memory_counters *)args.counters;
	const int size = args.shape.element_size;
	u64 unwritten = 0, unwritten_first = ~0ull, differing = 0, differing_first = ~0ull, overlap = 0;

	for (u64 i = thread_index(); i < (u64)args.shape.elements; i += thread_count()) {
		const u64 offset = (u64)element_offset(args.shape, i);
		const u64 at = args.front + offset;
		const u64 a = load_element(args.first, at, size), b = load_element(args.second, at, size);
		if (a == poison_element(args.poison_a, at, size) && b == poison_element(args.poison_b, at, size)) {
			unwritten++;
			unwritten_first = min(unwritten_first, i);
		} else if (a != b) {
			differing++;
			differing_first = min(differing_first, i);
		}
		if (args.bitmap) {
			const uint32_t bit = 1u << (offset & 31);
			overlap += (atomicOr((uint32_t *)args.bitmap + (offset >> 5), bit) & bit) != 0;
		}
	}
	report(&counters->unwritten, &counters->unwritten_first, unwritten, unwritten_first);
	report(&counters->differing, &counters->differing_first, differing, differing_first);
	if (overlap)
		atomicAdd((u64 *)&counters->overlap, overlap);
}

// Canaries, and where the value has gaps also the storage elements that assay_judge_memory_value left unmarked.
extern "C" __global__ void __launch_bounds__(JUDGE_BLOCK) assay_judge_memory_rest(const struct judge_memory_args args)
{
	struct judge_memory_counters *counters = (struct judge_memory_counters *)args.counters;
	const int size = args.shape.element_size;
	const u64 count = args.front + args.back + (args.bitmap ? args.storage : 0);
	u64 canary = 0, canary_first = ~0ull, gap = 0, gap_first = ~0ull;

	for (u64 i = thread_index(); i < count; i += thread_count()) {
		const u64 at = args.bitmap || i < args.front ? i : i + args.storage;
		const bool inside = at >= args.front && at < args.front + args.storage;
		if (inside) {
			const u64 offset = at - args.front;
			if (((const uint32_t *)args.bitmap)[offset >> 5] >> (offset & 31) & 1)
				continue;
		}
		if (load_element(args.first, at, size) == poison_element(args.poison_a, at, size) &&
		    load_element(args.second, at, size) == poison_element(args.poison_b, at, size))
			continue;
		if (inside) {
			gap++;
			gap_first = min(gap_first, at);
		} else {
			canary++;
			canary_first = min(canary_first, at);
		}
	}
	report(&counters->canary, &counters->canary_first, canary, canary_first);
	report(&counters->gap, &counters->gap_first, gap, gap_first);
}

extern "C" __global__ void __launch_bounds__(JUDGE_BLOCK) assay_judge_bytes(const struct judge_bytes_args args)
{
	struct judge_bytes_counters *counters = (struct judge_bytes_counters *)args.counters;
	const u64 words = ((args.a | args.b) & 15) == 0 ? args.bytes / 16 : 0;
	u64 differing = 0, first = ~0ull;

	for (u64 i = thread_index(); i < words; i += thread_count()) {
		const uint4 a = ((const uint4 *)args.a)[i], b = ((const uint4 *)args.b)[i];
		const uint32_t changed[4] = {a.x ^ b.x, a.y ^ b.y, a.z ^ b.z, a.w ^ b.w};
		for (int word = 0; word < 4; word++)
			for (int byte = 0; changed[word] && byte < 4; byte++)
				if (changed[word] >> (8 * byte) & 0xff) {
					differing++;
					first = min(first, i * 16 + word * 4 + byte);
				}
	}
	for (u64 i = words * 16 + thread_index(); i < args.bytes; i += thread_count())
		if (((const uint8_t *)args.a)[i] != ((const uint8_t *)args.b)[i]) {
			differing++;
			first = min(first, i);
		}
	report(&counters->differing, &counters->first, differing, first);
}

// As in core/digest.h.
static __device__ __forceinline__ u64 digest_mix_word(u64 word)
{
	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ull;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebull;
	return word ^ (word >> 31);
}

extern "C" __global__ void __launch_bounds__(JUDGE_BLOCK) assay_judge_digest(const struct judge_digest_args args)
{
	const int size = args.shape.element_size;
	u64 half_0 = 0, half_1 = 0;

	for (u64 i = thread_index(); i < args.words; i += thread_count()) {
		uint32_t word = 0;
		if (size == 8) {
			const u64 both = load_element(args.storage, (u64)element_offset(args.shape, i / 2), 8);
			word = (uint32_t)(both >> (32 * (i & 1)));
		} else {
			const int packed = 4 / size;
			for (int part = 0; part < packed; part++) {
				const u64 element = i * packed + part;
				if (element < (u64)args.shape.elements)
					word |= (uint32_t)load_element(args.storage,
								       (u64)element_offset(args.shape, element), size)
						<< (8 * size * part);
			}
		}
		const u64 value = (i << 32) + word;
		half_0 += digest_mix_word(value + DIGEST_KEY_0);
		half_1 += digest_mix_word(value + DIGEST_KEY_1);
	}
	for (int step = 16; step; step >>= 1) {
		half_0 += __shfl_down_sync(0xffffffffu, half_0, step);
		half_1 += __shfl_down_sync(0xffffffffu, half_1, step);
	}
	if ((threadIdx.x & 31) == 0) {
		atomicAdd((u64 *)args.halves, half_0);
		atomicAdd((u64 *)args.halves + 1, half_1);
	}
}

// First and one past the last row of each group.
extern "C" __global__ void __launch_bounds__(JUDGE_BLOCK) assay_judge_ranges(const struct judge_compare_args args)
{
	const int32_t *group = (const int32_t *)args.row_group;
	u64 invalid = 0;

	for (int64_t row = (int64_t)thread_index(); row < args.rows; row += (int64_t)thread_count()) {
		const int32_t own = group[row];
		if (own < 0 || own >= args.groups) {
			invalid++;
			continue;
		}
		// Rows in the middle of a run cannot be its ends.
		if (row == 0 || group[row - 1] != own)
			atomicMin((uint32_t *)args.first_row + own, (uint32_t)row);
		if (row == args.rows - 1 || group[row + 1] != own)
			atomicMax((uint32_t *)args.end_row + own, (uint32_t)row + 1);
	}
	if (invalid)
		atomicAdd((u64 *)args.invalid, invalid);
}

enum { GROUP_WORDS = sizeof(struct judge_group) / sizeof(u64) };

// Merges the groups of all threads of the block into thread 0's, in an order that depends on nothing. The shared memory
// is the caller's: a static variable in here would get a name that depends on where the source lies.
static __device__ __forceinline__ void block_merge(struct judge_group *group, u64 (*leaders)[GROUP_WORDS])
{
	static_assert(sizeof(struct judge_group) % sizeof(u64) == 0, "struct judge_group is moved in 64-bit words");
	const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
	union {
		struct judge_group group;
		u64 words[GROUP_WORDS];
	} mine, other;

	mine.group = *group;
#pragma unroll 1
	for (int step = 16; step; step >>= 1) {
#pragma unroll
		for (int word = 0; word < GROUP_WORDS; word++)
			other.words[word] = __shfl_down_sync(0xffffffffu, mine.words[word], step);
		if (lane + step < 32)
			judge_group_merge(&mine.group, &other.group);
	}
	if (lane == 0)
		for (int word = 0; word < GROUP_WORDS; word++)
			leaders[warp][word] = mine.words[word];
	__syncthreads();
	if (threadIdx.x == 0) {
		for (int from = 1; from < JUDGE_BLOCK / 32; from++) {
			for (int word = 0; word < GROUP_WORDS; word++)
				other.words[word] = leaders[from][word];
			judge_group_merge(&mine.group, &other.group);
		}
		*group = mine.group;
	}
}

// Block (group * pieces + piece) takes one piece of the group's elements.
extern "C" __global__ void __launch_bounds__(JUDGE_BLOCK) assay_judge_compare(const struct judge_compare_args args)
{
	__shared__ uint32_t histogram[JUDGE_HISTOGRAM_BINS];
	__shared__ u64 leaders[JUDGE_BLOCK / 32][GROUP_WORDS];
	const int64_t group_index = blockIdx.x / args.pieces;
	const u64 piece = blockIdx.x % args.pieces;
	const enum dtype type = (enum dtype)args.dtype;
	const double slack = args.slack ? ((const double *)args.slack)[group_index] : 0.0;
	const int32_t *row_group = (const int32_t *)args.row_group;
	struct judge_group group;

	if (threadIdx.x < JUDGE_HISTOGRAM_BINS)
		histogram[threadIdx.x] = 0;
	__syncthreads();
	judge_group_clear(&group);

	u64 begin = 0, end = (u64)args.rows * (u64)args.columns;
	if (row_group) {
		const uint32_t first = ((const uint32_t *)args.first_row)[group_index];
		const uint32_t last = ((const uint32_t *)args.end_row)[group_index];
		begin = last > first ? (u64)first * (u64)args.columns : 0;
		end = last > first ? (u64)last * (u64)args.columns : 0;
	}
	const u64 share = (end - begin + args.pieces - 1) / args.pieces;
	const u64 from = begin + share * piece;
	const u64 to = min(from + share, end);
	const bool narrow = end <= 0xffffffffull;

	for (u64 i = from + threadIdx.x; i < to; i += JUDGE_BLOCK) {
		const u64 row = narrow ? (uint32_t)i / (uint32_t)args.columns : i / (u64)args.columns;
		const u64 column = i - row * (u64)args.columns;
		if (row_group && row_group[row] != group_index)
			continue;
		const int row_class = args.row_class ? ((const uint8_t *)args.row_class)[row] : 0;
		const int64_t start = args.row_offset ? ((const int64_t *)args.row_offset)[row]
						      : (int64_t)(row * (u64)args.columns);
		const void *value = (const void *)args.value;
		const u64 bits = judge_load_bits(type, value, start + (int64_t)column);
		double first = 0.0;
		if (row_class & ROW_ALL_MINUS_INF)
			first = judge_widen(type, judge_load_bits(type, value, start));
		const int bin = judge_element(&group, type, bits, first, ((const double *)args.reference)[i],
					      args.magnitude ? ((const double *)args.magnitude)[i] : 1.0, slack,
					      row_class, args.is_lse, (int64_t)i);
		if (bin >= 0)
			atomicAdd(&histogram[bin], 1u);
	}
	__syncthreads();
	if (threadIdx.x < JUDGE_HISTOGRAM_BINS && histogram[threadIdx.x])
		atomicAdd((u64 *)args.histogram + threadIdx.x, (u64)histogram[threadIdx.x]);
	block_merge(&group, leaders);
	if (threadIdx.x == 0)
		((struct judge_group *)(args.pieces > 1 ? args.partials : args.results))[blockIdx.x] = group;
}

// Block g merges the pieces of group g.
extern "C" __global__ void __launch_bounds__(JUDGE_BLOCK) assay_judge_combine(const struct judge_compare_args args)
{
	__shared__ u64 leaders[JUDGE_BLOCK / 32][GROUP_WORDS];
	const struct judge_group *pieces = (const struct judge_group *)args.partials + (u64)blockIdx.x * args.pieces;
	struct judge_group group;

	judge_group_clear(&group);
	for (uint32_t piece = threadIdx.x; piece < args.pieces; piece += JUDGE_BLOCK)
		judge_group_merge(&group, &pieces[piece]);
	block_merge(&group, leaders);
	if (threadIdx.x == 0)
		((struct judge_group *)args.results)[blockIdx.x] = group;
}
