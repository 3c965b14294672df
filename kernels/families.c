#include "kernels/family.h"

#include <string.h>

extern const struct family norm_family, reduce_family, rope_family, softmax_family;
extern const struct family conv_family, im2col_family, pool_family, upsample_family;
extern const struct family indexing_family, moe_gguf_family, moe_wmma_family, sort_family;
extern const struct family dequantise_family, quantised_matvec_family, quantised_matmul_family, quantize_q8_1_family,
	indexed_moe_family, get_rows_family, mmvq_family, mmq_family;
extern const struct family affine_family, unary_family;
extern const struct family binary_family, cast_family, fill_family, ternary_family;

const struct family *const families[] = {&attention_family, &indexing_family, &moe_gguf_family, &moe_wmma_family, &sort_family,
	&norm_family, &reduce_family, &rope_family, &softmax_family,
	&conv_family, &im2col_family, &pool_family, &upsample_family, &affine_family,
	&unary_family,
	&dequantise_family, &quantised_matvec_family, &quantised_matmul_family, &quantize_q8_1_family, &indexed_moe_family,
	&get_rows_family, &mmvq_family, &mmq_family, &binary_family, &cast_family, &fill_family, &ternary_family, NULL};

const struct family *family_find(const char *name)
{
	for (const struct family *const *family = families; *family; family++)
		if (strcmp((*family)->name, name) == 0)
			return *family;
	return NULL;
}

const char *family_default(const char *name, const char *axis)
{
	const struct family *family = family_find(name);
	for (int i = 0; family && family->axes[i]; i++)
		if (strcmp(family->axes[i], axis) == 0)
			return family->defaults[i];
	return NULL;
}

struct search {
	const char *symbol;
	struct operator_symbol found;
	int hit;
};

static void look(void *context, const struct operator_symbol *symbol)
{
	struct search *search = context;
	if (search->hit || strcmp(symbol->name, search->symbol) != 0)
		return;
	search->hit = 1;
	search->found = *symbol;
	search->found.name = search->symbol;
}

int family_has_symbol(const struct family *family, int abi, const char *symbol, struct operator_symbol *found)
{
	struct search search = {.symbol = symbol};
	if (!family->symbols || abi < 0 || abi >= OPERATOR_ABI_COUNT)
		return 0;
	family->symbols((enum operator_abi)abi, look, &search);
	if (search.hit && found)
		*found = search.found;
	return search.hit;
}

const struct family *family_of_entry_point(const char *symbol)
{
	for (const struct family *const *family = families; *family; family++) {
		for (const char *const *entry = (*family)->entry_points; entry && *entry; entry++)
			if (strcmp(*entry, symbol) == 0)
				return *family;
		for (int abi = 0; (*family)->symbols && abi < OPERATOR_ABI_COUNT; abi++)
			if (family_has_symbol(*family, abi, symbol, NULL))
				return *family;
	}
	return NULL;
}

const struct bound_tensor *binding_find(const struct binding *binding, const char *name, enum tensor_role role)
{
	for (int i = 0; i < binding->test->tensor_count; i++) {
		const struct tensor *tensor = &binding->test->tensors[i];
		if (tensor->role == role && strcmp(tensor->name, name) == 0)
			return &binding->tensors[i];
	}
	return NULL;
}

void *binding_address(const struct binding *binding, const char *name)
{
	const struct tensor *tensor = operator_tensor(binding->test, name);
	return tensor ? (void *)(uintptr_t)binding->tensors[tensor - binding->test->tensors].data : NULL;
}
