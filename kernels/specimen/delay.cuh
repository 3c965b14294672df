/*
 * A kernel that is slower by a known share, to try on it what tells such a change: -DSPECIMEN_DELAY=N makes every launch take
 * N percent longer, whatever the case. Without it a delayed_block is nothing.
 *
 * The block that ends last spins until the time since the launch began has grown by that share. (If every block did so with
 * its own time, other blocks of its multiprocessor would use what it leaves, and the launch would hardly become longer.)
 * Time is that of clock64(), which is exact, but of one multiprocessor only: each keeps when its first block began, which is
 * when the launch began, but for what it takes to hand out the first blocks (about 1 us). What a launch needs before its
 * first and after its last block is not made longer, so that of a launch of T us the whole becomes longer by N percent of
 * T less about 2.
 *
 * The share is a variable in memory: kernels of different shares, 0 too, are the same code bit for bit.
 * One launch at a time: the state belongs to the module. Two at once have no known share, but they end.
 */
#pragma once

namespace specimen {

#ifdef SPECIMEN_DELAY

constexpr unsigned delay_places = 1024; /* more than any GPU has multiprocessors */
constexpr long long delay_most = 1ll << 32; /* of cycles, seconds: beyond it the start is no start */
static __device__ volatile unsigned delay_percent = SPECIMEN_DELAY;
static __device__ unsigned delay_ended;                             /* blocks of this launch */
static __device__ unsigned long long delay_started[delay_places];   /* ~clock64() of the first block; 0: none yet */

/* From the first statement of a kernel to its end. All threads of a block leave it together. */
class delayed_block {
    unsigned place;

public:
    __device__ __forceinline__ delayed_block()
    {
        asm("mov.u32 %0, %%smid;" : "=r"(place));
        place %= delay_places;
        /* the greatest complement is the earliest time; nobody waits for an atomic operation without a result */
        if (threadIdx.x == 0)
            (void)atomicMax(&delay_started[place], ~static_cast<unsigned long long>(clock64()));
    }

    __device__ __forceinline__ ~delayed_block()
    {
        __syncthreads();
        const unsigned blocks = gridDim.x * gridDim.y * gridDim.z;
        if (!__syncthreads_or(threadIdx.x == 0 && atomicAdd(&delay_ended, 1) == blocks - 1))
            return;
        const long long start = static_cast<long long>(~atomicMax(&delay_started[place], 0ull));
        const long long elapsed = clock64() - start, share = elapsed * delay_percent / 100;
        const long long wanted = elapsed + (share > 0 && share < delay_most ? share : 0);
        __syncthreads();
        for (unsigned i = threadIdx.x; i < delay_places; i += blockDim.x)
            delay_started[i] = 0;
        delay_ended = 0;
        while (clock64() - start < wanted)
            ;
    }
};

#else

struct delayed_block {
    __device__ __forceinline__ delayed_block() {}
};

#endif

} /* namespace specimen */
