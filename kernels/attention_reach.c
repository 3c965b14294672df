/* Which kernels of a FlashAttention archive `run_mha` can launch on a given GPU: what coverage is counted against.
 *
 * The archive holds more instances of flash_fwd_kernel than the entry point can reach: dropout and the returned softmax are
 * compiled in but never asked for, and for some head dimensions the tile depends on the GPU. The rules are those of
 * run_mha_fwd_hdim* and run_flash_fwd in flash_fwd_launch_template.h of candle-flash-attn 0.9.2 and 0.10. */
#include "kernels/attention_params.h"

#include <stdlib.h>
#include <string.h>

struct tile {
	long head_dim, rows, columns;
};

/* Reads "ILi<head_dim>ELi<rows>ELi<columns>E", the Itanium mangling of the first template arguments. */
static int read_tile(const char *name, struct tile *tile)
{
	static const char traits[] = "Flash_fwd_kernel_traitsILi";
	const char *at = strstr(name, traits);
	char *end;
	if (!at)
		return -1;
	tile->head_dim = strtol(at + sizeof traits - 1, &end, 10);
	if (strncmp(end, "ELi", 3) != 0)
		return -1;
	tile->rows = strtol(end + 3, &end, 10);
	if (strncmp(end, "ELi", 3) != 0)
		return -1;
	tile->columns = strtol(end + 3, &end, 10);
	return 0;
}

/* The eight bool arguments of flash_fwd_kernel stand at the end: ELb0ELb1E...EEv16Flash_fwd_params. */
enum { IS_DROPOUT, IS_CAUSAL, IS_LOCAL, HAS_ALIBI, IS_EVEN_MN, IS_EVEN_K, IS_SOFTCAP, RETURN_SOFTMAX, FLAG_COUNT };

static int read_flags(const char *name, int flags[FLAG_COUNT])
{
	const char *end = strstr(name, "EEv16Flash_fwd_params");
	const size_t length = FLAG_COUNT * 4 - 1; /* "Lb0E" each, the last without its E */
	if (!end || (size_t)(end - name) < length)
		return -1;
	const char *at = end - length;
	for (int i = 0; i < FLAG_COUNT; i++, at += 4) {
		if (strncmp(at, "Lb", 2) != 0 || (at[2] != '0' && at[2] != '1'))
			return -1;
		flags[i] = at[2] == '1';
	}
	return 0;
}

/* Tile that the dispatch takes for this head dimension; 0 rows: not known to depend on the GPU. */
static struct tile tile_for(long head_dim, int causal, const struct device_properties *device)
{
	const int ampere_or_ada_consumer = device->cc_major == 8 && device->cc_minor > 0;
	/* per multiprocessor there is 1 KiB more than a block may have (CUDA programming guide, technical specifications) */
	const size_t shared_per_multiprocessor = device->shared_per_block_optin + 1024;
	switch (head_dim) {
	case 64: /* dropout takes 128 x 64, and with a softcap its instance does not say so: Is_dropout && !Is_softcap */
		return (struct tile){64, 128, 128};
	case 96:
		return ampere_or_ada_consumer && causal ? (struct tile){96, 64, 64} : (struct tile){96, 128, 64};
	case 128:
		if (ampere_or_ada_consumer)
			return causal ? (struct tile){128, 64, 64} : (struct tile){128, 128, 32};
		return (struct tile){128, 128, 64};
	case 160:
		if (ampere_or_ada_consumer)
			return causal ? (struct tile){160, 64, 64} : (struct tile){160, 128, 64};
		return (struct tile){160, 128, 32};
	case 192: /* dropout: 64 x 64 */
		return (struct tile){192, 128, 64};
	case 224: /* 2 * 224 * (128 + 2 * 64) bytes for the larger tile */
		return device->shared_per_block_optin >= 2 * 224 * 256 ? (struct tile){224, 128, 64} : (struct tile){224, 64, 64};
	case 256: /* the larger tile where it fits and two blocks of the smaller one do not */
		return device->shared_per_block_optin >= 2 * 256 * 256 && shared_per_multiprocessor < 4 * 256 * 192
			       ? (struct tile){256, 128, 64}
			       : (struct tile){256, 64, 64};
	default:
		return (struct tile){head_dim, 0, 0};
	}
}

int attention_reaches(const char *kernel, const struct device_properties *device)
{
	struct tile tile;
	int flags[FLAG_COUNT];
	if (strstr(kernel, "flash_fwd_splitkv") || !strstr(kernel, "flash_fwd_kernel"))
		return !strstr(kernel, "flash_fwd_splitkv"); /* split-KV kernels need a paged cache, which no case has yet */
	if (read_tile(kernel, &tile) || read_flags(kernel, flags))
		return 1; /* nothing known against it */
	if (flags[IS_DROPOUT] || flags[RETURN_SOFTMAX])
		return 0;
	const struct tile wanted = tile_for(tile.head_dim, flags[IS_CAUSAL], device);
	return wanted.rows == 0 || (wanted.rows == tile.rows && wanted.columns == tile.columns);
}
