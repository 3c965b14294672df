/* Definedness rules that other groups use too (propagate.c). */
#ifndef ASSAY_DEVICE_PTX_PROPAGATE_H
#define ASSAY_DEVICE_PTX_PROPAGATE_H

#include "device/ptx/machine.h"

/* dst[0] is as undefined as src[0], bit by bit. */
void ptx_propagate_copy(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active);

#endif
