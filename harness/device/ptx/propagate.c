#include "device/ptx/propagate.h"
#include "device/ptx/lower.h"
void ptx_propagate_copy(struct ptx_warp *warp, const struct ptx_insn *insn, uint32_t active) { (void)warp,(void)insn,(void)active; }
ptx_execute ptx_propagation(const struct ptx_instruction *instruction) { (void)instruction; return 0; }
