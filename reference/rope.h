/* Rotary position embeddings: which elements are rotated together, and by which angle. */
#ifndef ASSAY_REFERENCE_ROPE_H
#define ASSAY_REFERENCE_ROPE_H

#include <stdint.h>

enum rope_kind {
	ROPE_INTERLEAVED, /* [b, h, t, d], pairs (2i, 2i + 1) of d */
	ROPE_HALVES,      /* [b, h, t, d], pairs (i, i + d/2) */
	ROPE_THD          /* [b, t, h, d], pairs (i, i + d/2) */
};
struct rope_shape {
	int64_t b, h, t, d; /* all above 0, d even */
	int by_batch;       /* angles are [b, t, d/2] instead of [t, d/2] */
};

/* Pair `number` (in [0, b*h*t*d/2), ordered by b, h, t, i): offsets of its two elements, and of its cosine and sine. */
struct rope_pair {
	int64_t first, second, angle;
};
struct rope_pair rope_pair(enum rope_kind kind, const struct rope_shape *shape, int64_t number);

#endif
