/* Device code in many shapes, for crosscheck.sh: what ptxas says of it is compared with what is read from the result. */
#include <cstdio>

struct big {
	int values[1500]; /* more than 4096 bytes of parameters: another kind of record */
};
struct odd {
	char c[3];
	double d;
};

extern "C" __global__ void __launch_bounds__(128, 2) bounded(float *p)
{
	p[threadIdx.x] = 1;
}

#ifndef OLD /* CUDA before 12.1 takes 4096 bytes of parameters at most */
__global__ void large(big b, int *out)
{
	out[threadIdx.x] = b.values[threadIdx.x];
}
#endif

__global__ void parameters(char a, odd b, const float *c, short d, float *out)
{
	*out = a + b.d + b.c[1] + *c + d;
}

__global__ void shared_memory(float *p)
{
	__shared__ float s[100];
	s[threadIdx.x] = p[threadIdx.x];
	__syncthreads();
	p[threadIdx.x] = s[99 - threadIdx.x];
}

__global__ void barriers(int *p)
{
	asm volatile("bar.sync 3, 64;");
	asm volatile("bar.sync 1, 64;");
	p[threadIdx.x] = 2;
}

/* An array that is indexed at run time: local memory without a spill. */
__global__ void local_array(int *p, int n)
{
	int a[64];
	for (int i = 0; i < 64; i++)
		a[i] = p[i];
	for (int i = 0; i < n; i++)
		a[p[i] & 63] += i;
	for (int i = 0; i < 64; i++)
		p[i] = a[i];
}

/* More live values than registers. */
__global__ void __launch_bounds__(1024, 2) spilling(const float *in, float *out)
{
	float v[96];
#pragma unroll
	for (int i = 0; i < 96; i++)
		v[i] = in[threadIdx.x + 1024 * i];
#pragma unroll
	for (int i = 0; i < 96; i++)
		v[i] += __sinf(v[(i * 7 + 3) % 96]);
#pragma unroll
	for (int i = 0; i < 96; i++)
		out[threadIdx.x + 1024 * i] = v[i] * v[(i * 5 + 1) % 96];
}

__device__ __noinline__ float twice(float x)
{
	return x > 1000 ? x : twice(x * 2) + 1;
}

__global__ void recursive(float *p)
{
	*p = twice(*p);
}

__device__ __noinline__ float deep(const float *p, int n)
{
	float a[32];
	for (int i = 0; i < 32; i++)
		a[i] = p[i];
	for (int i = 0; i < n; i++)
		a[i & 31] += a[(i * 3) & 31];
	return a[n & 31];
}

__global__ void calling(float *p, int n)
{
	*p = deep(p, n) + deep(p + 3, n + 1);
}

__global__ void printing(int x)
{
	printf("%d\n", x);
}

__global__ void no_parameters()
{
}

namespace scope {
template <typename T, int N> __global__ void templated(T *p)
{
	for (int i = 0; i < N; i++)
		p[i] *= T(3);
}
template __global__ void templated<float, 8>(float *);
template __global__ void templated<double, 2>(double *);
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
__global__ void __cluster_dims__(2, 2, 1) clustered(int *p)
{
	p[threadIdx.x] = 1;
}
__global__ void __launch_bounds__(256, 2, 8) ranked(int *p, char c, double d)
{
	p[threadIdx.x] = c + (int)d;
}
#endif
