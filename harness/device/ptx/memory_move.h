/* Handlers of ld and st (memory_move.c), chosen by memory_lower.c. */
#ifndef ASSAY_DEVICE_PTX_MEMORY_MOVE_H
#define ASSAY_DEVICE_PTX_MEMORY_MOVE_H

#include "device/ptx/memory_private.h"

void ptx_execute_load(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active);
/* From the kernel's parameters, at a place that was checked when it was lowered. */
void ptx_execute_load_parameter(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active);
void ptx_execute_store(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active);

#endif
