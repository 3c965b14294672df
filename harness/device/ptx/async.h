/* Asynchronous copies and the barriers that tell of their end (async.c, bulk.c, mbarrier.c). */
#ifndef ASSAY_DEVICE_PTX_ASYNC_H
#define ASSAY_DEVICE_PTX_ASYNC_H

#include "device/ptx/lower.h"

#define PTX_ASYNC_ALL UINT32_MAX
/* Copies of the lanes of `active` land, but those of the last `pending` groups each lane committed and those not committed yet;
 * PTX_ASYNC_ALL: all of them, committed or not. */
void ptx_async_land(struct ptx_warp *warp, uint32_t active, uint32_t pending);

/* mbarrier.c. cp.async.mbarrier.arrive: the copies land, then the lanes arrive. */
int ptx_lower_async_arrive(struct ptx_lowering *lowering, struct ptx_insn *insn);
/* `bytes` of a transaction are complete at the mbarrier at `offset` of shared memory. 0, or -1: stop. */
int ptx_mbarrier_complete(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, uint64_t offset, uint32_t bytes);
/* bulk.c */
int ptx_lower_bulk(struct ptx_lowering *lowering, struct ptx_insn *insn);

#endif
