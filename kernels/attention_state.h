/* What the attention family keeps per device. Private to kernels/attention*.c. */
#ifndef ASSAY_KERNELS_ATTENTION_STATE_H
#define ASSAY_KERNELS_ATTENTION_STATE_H

#include "kernels/attention_params.h"
#include "kernels/baseline.h"
#include "reference/cudnn.h"

struct attention_state {
	struct device *device;
	struct attention_reference *reference;
	size_t workspace_limit;
	struct cudnn *cudnn;         /* opened for the first case that wants it; NULL before, and where there is none: */
	struct error cudnn_missing;  /* why; kind ERROR_NONE: not looked for yet */
};

extern const struct family_baseline *const attention_baselines[]; /* NULL-terminated */

#endif
