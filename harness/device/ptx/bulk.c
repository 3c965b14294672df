/* cp.async.bulk (manual 9.7.9.25.4): not executed so far. */
#include "device/ptx/async.h"

int ptx_lower_bulk(struct ptx_lowering *lowering, struct ptx_insn *insn)
{
	(void)insn;
	return ptx_unsupported(lowering, "bulk copies are not executed");
}
