/* cuDNN's fused attention on a problem of attention.h: what an attention kernel is held against. The graph is the one that
 * cuDNN's documentation gives for its flash attention (softmax(mask(scale Q K^T)) V, all between the tensors virtual); cuDNN's
 * heuristic chooses the engine.
 *
 * Done for: f16 and bf16, one shape for every batch entry, no mask or the causal one aligned at the bottom right, heads_k that
 * divides heads_q. Not for: varlen, windows, ALiBi, softcap: ERROR_UNSUPPORTED says which. What cuDNN itself refuses (a head
 * dimension, say) is ERROR_UNSUPPORTED in cuDNN's words. */
#ifndef ASSAY_REFERENCE_ATTENTION_CUDNN_H
#define ASSAY_REFERENCE_ATTENTION_CUDNN_H

#include "reference/attention.h"
#include "reference/cudnn.h"

struct attention_cudnn;

/* Plans, and takes memory for workspace and output. The output has the strides of `o` (its base is not looked at) and
 * `o_bytes` from its first element to the end of its last; it is NaN before the first run. Inputs are the problem's, read in
 * place. The cudnn outlives it. */
int attention_cudnn_prepare(struct cudnn *cudnn, const struct attention_problem *problem, const struct attention_operand *o,
			    size_t o_bytes, struct attention_cudnn **out, struct error *err);
/* Queues one call on `stream` without synchronising. */
int attention_cudnn_enqueue(struct attention_cudnn *attention, struct device_stream *stream, struct error *err);
device_pointer attention_cudnn_output(const struct attention_cudnn *attention);
/* "cuDNN 9.14.0, engine 6, planned in 0.12 s" */
const char *attention_cudnn_note(const struct attention_cudnn *attention);
void attention_cudnn_free(struct attention_cudnn *attention); /* NULL is fine */

#endif
