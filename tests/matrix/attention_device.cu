/* The kernels of one bucket of the attention specimen alone, for NVRTC, which takes no host code: -DBUCKET=N */
#include "attention.cuh"

namespace specimen {

template __global__ void attention_forward<__half, BUCKET, false>(const __grid_constant__ attention_arguments);
template __global__ void attention_forward<__half, BUCKET, true>(const __grid_constant__ attention_arguments);
template __global__ void attention_forward<__nv_bfloat16, BUCKET, false>(const __grid_constant__ attention_arguments);
template __global__ void attention_forward<__nv_bfloat16, BUCKET, true>(const __grid_constant__ attention_arguments);

} /* namespace specimen */
