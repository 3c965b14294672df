/* The helper kernels of attention_kernels.cu as functions: they choose grid, block and variant. All queue on `stream`
 * (NULL: the device's own) and return before the work is done. */
#ifndef ASSAY_REFERENCE_ATTENTION_LAUNCH_H
#define ASSAY_REFERENCE_ATTENTION_LAUNCH_H

#include "reference/attention_kernels.h"
#include "reference/attention_private.h"

enum { ATTENTION_KERNELS_COUNT = 27 };

struct attention_kernels {
	struct device *device;
	struct device_module *module;
	struct device_function *functions[ATTENTION_KERNELS_COUNT];
};

int attention_kernels_open(struct attention_kernels *kernels, struct device *device, struct error *err);
void attention_kernels_close(struct attention_kernels *kernels);
const struct attention_kernels *cuda_reference_kernels(const struct cuda_reference *cuda); /* valid until that is closed */

/* `out` has the type `type` (f64, f32, or 16 bits as they are: f16 or bf16). */
int launch_gather(const struct attention_kernels *kernels, enum dtype type, device_pointer in, device_pointer out,
		  const struct attention_gather *gather, struct device_stream *stream, struct error *err);
int launch_softmax(const struct attention_kernels *kernels, enum dtype type, device_pointer scores,
		   const struct attention_block *block, struct device_stream *stream, struct error *err);
int launch_logit_magnitude(const struct attention_kernels *kernels, device_pointer scores,
			   const struct attention_block *block, struct device_stream *stream, struct error *err);
/* `type`: of `in` (f64 or f32); in == 0 stores zeros. `through`: DTYPE_F16 or DTYPE_BF16 rounds on the way. */
int launch_store_rows(const struct attention_kernels *kernels, enum dtype type, device_pointer in, device_pointer result,
		      const struct attention_block *block, int64_t columns, enum dtype through,
		      struct device_stream *stream, struct error *err);
int launch_value_sum(const struct attention_kernels *kernels, device_pointer v, device_pointer sums,
		     const struct attention_gather *gather, struct device_stream *stream, struct error *err);
int launch_flag_rows(const struct attention_kernels *kernels, device_pointer in, device_pointer flags,
		     const struct attention_gather *gather, int keep, struct device_stream *stream, struct error *err);
int launch_count_bad(const struct attention_kernels *kernels, device_pointer flags, device_pointer before, int64_t groups,
		     int64_t rows, struct device_stream *stream, struct error *err);
int launch_spread(const struct attention_kernels *kernels, enum dtype type, device_pointer probabilities, device_pointer v,
		  device_pointer o, const struct attention_block *block, const struct attention_gather *gather,
		  struct device_stream *stream, struct error *err);
int launch_check_exact(const struct attention_kernels *kernels, device_pointer o, device_pointer row_class, int64_t rows,
		       int64_t columns, enum dtype type, struct device_stream *stream, struct error *err);

#endif
