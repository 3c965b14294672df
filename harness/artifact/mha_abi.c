#include "artifact/artifact.h"

#include <string.h>

/* Where flash_fwd_kernel's one parameter, Flash_fwd_params by value, has this size. */
static const struct {
	unsigned parameter_bytes;
	enum mha_abi abi;
	const char *releases;
} releases[] = {
	{440, MHA_ABI_CANDLE_0_9, "candle-flash-attn 0.9.x and 0.10.x"},
	{464, MHA_ABI_CANDLE_0_11, "candle-flash-attn 0.11.0"},
};

/* What the kernels looked at so far say. */
struct clues {
	unsigned parameter_bytes[4]; /* distinct sizes of flash_fwd_kernel's parameters */
	int size_count;
	int split_kv;                /* kernels that only the paged path of 0.11 instantiates */
	int flash3;                  /* kernels of the Hopper library, whose run_mha takes other arguments */
	int kernels;
};

static void look_at(struct clues *clues, const char *name, unsigned parameter_bytes)
{
	clues->kernels++;
	clues->split_kv |= strstr(name, "flash_fwd_splitkv_kernel") != NULL;
	clues->flash3 |= strstr(name, "compute_attn_ws") != NULL;
	if (!strstr(name, "flash_fwd_kernel") && !strstr(name, "flash_fwd_splitkv_kernel"))
		return;
	for (int i = 0; i < clues->size_count; i++)
		if (clues->parameter_bytes[i] == parameter_bytes)
			return;
	if (clues->size_count < (int)ARRAY_COUNT(clues->parameter_bytes))
		clues->parameter_bytes[clues->size_count++] = parameter_bytes;
}

static enum mha_abi release_of(unsigned parameter_bytes, const char **name)
{
	for (size_t i = 0; i < ARRAY_COUNT(releases); i++) {
		if (releases[i].parameter_bytes != parameter_bytes)
			continue;
		*name = releases[i].releases;
		return releases[i].abi;
	}
	return MHA_ABI_NONE;
}

/* One image of each container, the cheapest to read, until a size is known; host symbols cost nothing. */
static int gather(struct artifact *artifact, struct clues *clues, struct error *err)
{
	for (int u = 0; u < artifact->unit_count; u++) {
		const struct host_object *host = &artifact->units[u].host;
		for (int i = 0; i < host->symbol_count; i++)
			clues->split_kv |= strstr(host->symbols[i].name, "run_mha_fwd_splitkv_paged_") != NULL;
	}
	for (int u = 0; u < artifact->unit_count && clues->size_count == 0 && !clues->flash3; u++) {
		struct artifact_unit *unit = &artifact->units[u];
		int best = -1;
		for (int i = 0; i < unit->image_count; i++) {
			const struct fatbin_entry *entry = &unit->images[i].entry;
			if (entry->kind != FATBIN_ELF && entry->kind != FATBIN_PTX)
				continue;
			/* a raw cubin is read in place; any cubin is shorter than its PTX */
			const struct fatbin_entry *so_far = best < 0 ? NULL : &unit->images[best].entry;
			if (!so_far || (entry->kind == FATBIN_ELF && so_far->kind != FATBIN_ELF) ||
			    (entry->kind == so_far->kind && entry->compression == FATBIN_RAW && so_far->compression != FATBIN_RAW))
				best = i;
		}
		if (best < 0)
			continue;
		struct artifact_image *image = &unit->images[best];
		if (artifact_load_image(artifact, unit, image, err))
			return -1;
		for (int i = 0; i < image->cubin.kernel_count; i++)
			look_at(clues, image->cubin.kernels[i].name, image->cubin.kernels[i].parameter_bytes);
		for (int i = 0; i < image->ptx.entry_count; i++)
			look_at(clues, image->ptx.entries[i].name, image->ptx.entries[i].parameter_bytes);
	}
	return 0;
}

int artifact_mha_abi(struct artifact *artifact, struct mha_abi_evidence *evidence, struct error *err)
{
	struct clues clues = {0};
	const char *release = NULL;
	*evidence = (struct mha_abi_evidence){0};
	char *text = evidence->evidence;
	const size_t size = sizeof evidence->evidence;
	if (artifact_defines(artifact, "run_mha") < 0) {
		snprintf(text, size, "defines no run_mha");
		return 0;
	}
	if (gather(artifact, &clues, err))
		return -1;
	if (clues.flash3) {
		evidence->abi = MHA_ABI_FLASH3;
		snprintf(text, size, "holds kernels compute_attn_ws of candle-flash-attn-v3, whose run_mha takes other arguments");
		return 0;
	}
	if (clues.size_count) {
		evidence->abi = release_of(clues.parameter_bytes[0], &release);
		for (int i = 1; i < clues.size_count; i++)
			if (clues.parameter_bytes[i] != clues.parameter_bytes[0])
				evidence->abi = MHA_ABI_NONE;
	}
	if (evidence->abi != MHA_ABI_NONE && (evidence->abi == MHA_ABI_CANDLE_0_11) == clues.split_kv) {
		snprintf(text, size, "flash_fwd_kernel takes %u bytes of parameters, as in %s%s", clues.parameter_bytes[0], release,
			 clues.split_kv ? ", and there are split-KV kernels" : "");
		return 0;
	}
	if (evidence->abi != MHA_ABI_NONE) {
		/* the struct is what the kernel really reads; head dims left out of a build explain missing split-KV kernels */
		snprintf(text, size, "flash_fwd_kernel takes %u bytes of parameters, as in %s, though there are %s split-KV kernels",
			 clues.parameter_bytes[0], release, clues.split_kv ? "also" : "no");
		return 0;
	}
	evidence->assumed = 1;
	evidence->abi = clues.split_kv ? MHA_ABI_CANDLE_0_11 : MHA_ABI_CANDLE_0_9;
	if (clues.size_count > 1)
		snprintf(text, size, "its flash_fwd_kernels disagree: %u and %u bytes of parameters; %s is assumed, --abi chooses",
			 clues.parameter_bytes[0], clues.parameter_bytes[1], mha_abi_name(evidence->abi));
	else if (clues.size_count)
		snprintf(text, size, "flash_fwd_kernel takes %u bytes of parameters, as in no known release; %s is assumed, --abi chooses",
			 clues.parameter_bytes[0], mha_abi_name(evidence->abi));
	else
		snprintf(text, size, "%s; %s is assumed, --abi chooses",
			 clues.split_kv ? "has split-KV functions, as in candle-flash-attn 0.11.0"
			 : clues.kernels ? "its kernels are of no known release"
					 : "no kernel could be looked at",
			 mha_abi_name(evidence->abi));
	return 0;
}

const char *mha_abi_name(enum mha_abi abi)
{
	switch (abi) {
	case MHA_ABI_CANDLE_0_9: return "candle-0.9";
	case MHA_ABI_CANDLE_0_11: return "candle-0.11";
	case MHA_ABI_FLASH3: return "flash-attn-3";
	case MHA_ABI_NONE: break;
	}
	return "none";
}
