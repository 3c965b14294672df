/* Shared memory of a block under checks: which of its bits are defined; who touched it is in race.c. */
#include "device/ptx/memory_private.h"

#include <stdlib.h>

int ptx_shared_shadow_create(struct ptx_block_state *block, struct error *err)
{
	struct ptx_shared_shadow *shadow = calloc(1, sizeof *shadow);
	if (!shadow)
		return error_set(err, ERROR_ENVIRONMENT, "no memory for the checks of shared memory");
	block->shared_shadow = shadow;
	shadow->bytes = block->shared_bytes;
	shadow->words = (block->shared_bytes + 3) / 4;
	shadow->undefined = malloc(shadow->bytes + 1);
	if (!shadow->undefined || (block->warp_count > 1 && ptx_race_create(block, NULL))) {
		ptx_shared_shadow_destroy(block);
		return error_set(err, ERROR_ENVIRONMENT, "no memory for the checks of %u bytes of shared memory", block->shared_bytes);
	}
	ptx_shared_shadow_reset(block);
	return 0;
}

void ptx_shared_shadow_reset(struct ptx_block_state *block)
{
	struct ptx_shared_shadow *shadow = block->shared_shadow;
	if (!shadow)
		return;
	memset(shadow->undefined, 0xff, shadow->bytes);
	if (shadow->races)
		ptx_race_reset(block);
}

void ptx_shared_shadow_destroy(struct ptx_block_state *block)
{
	struct ptx_shared_shadow *shadow = block->shared_shadow;
	if (!shadow)
		return;
	ptx_race_destroy(block);
	free(shadow->undefined);
	free(shadow);
	block->shared_shadow = NULL;
}
