/* Work that falls into independent parts, over the machine's processors. */
#ifndef ASSAY_CORE_PARALLEL_H
#define ASSAY_CORE_PARALLEL_H

#include <stdint.h>

/* Runs body(context, first, last) over parts of [0, count), each of at least `least`, on up to the machine's processors (64 at
 * most); small counts run in the calling thread. The parts do not overlap, and together are the whole. */
void parallel_for(int64_t count, int64_t least, void (*body)(void *context, int64_t first, int64_t last), void *context);

#endif
