#include "device/ptx/ir.h"

#include <stdio.h>

static const char *const opcode_names[PTX_OP_COUNT] = {
	[PTX_OP_unknown] = "unknown",
#define PTX_OPCODE(word) [PTX_OP_##word] = #word,
#include "device/ptx/words.def"
};

static const struct {
	const char *text;
	enum ptx_type type;
} modifiers[PTX_MOD_COUNT] = {
	[PTX_MOD_unknown] = {"unknown", PTX_NO_TYPE},
#define PTX_MODIFIER(word, text, type) [PTX_MOD_##word] = {text, type},
#include "device/ptx/words.def"
};

enum ptx_type ptx_modifier_type(enum ptx_modifier modifier)
{
	return modifiers[modifier].type;
}

const char *ptx_opcode_name(enum ptx_opcode opcode)
{
	return opcode_names[opcode];
}

const char *ptx_modifier_name(enum ptx_modifier modifier)
{
	return modifiers[modifier].text;
}

unsigned ptx_type_bytes(enum ptx_type type)
{
	switch (type) {
	case PTX_B8: case PTX_U4: case PTX_U8: case PTX_S4: case PTX_S8: case PTX_E4M3: case PTX_E5M2: case PTX_E2M1X2:
		return 1;
	case PTX_B16: case PTX_U16: case PTX_S16: case PTX_F16: case PTX_BF16: case PTX_E4M3X2: case PTX_E5M2X2: case PTX_E2M3X2:
	case PTX_E3M2X2: case PTX_UE8M0X2:
		return 2;
	case PTX_B32: case PTX_U32: case PTX_S32: case PTX_U16X2: case PTX_S16X2: case PTX_F16X2: case PTX_BF16X2: case PTX_TF32: case PTX_F32:
		return 4;
	case PTX_B64: case PTX_U64: case PTX_S64: case PTX_F32X2: case PTX_F64:
		return 8;
	case PTX_B128:
		return 16;
	default:
		return 0;
	}
}

const char *ptx_type_name(enum ptx_type type)
{
	for (int i = 0; i < PTX_MOD_COUNT; i++)
		if (modifiers[i].type == type && type != PTX_NO_TYPE)
			return modifiers[i].text;
	return "none";
}

enum ptx_type ptx_nth_type(const struct ptx_instruction *instruction, int n)
{
	for (int i = 0; i < instruction->modifier_count; i++) {
		const enum ptx_type type = modifiers[instruction->modifiers[i]].type;
		if (type != PTX_NO_TYPE && n-- == 0)
			return type;
	}
	return PTX_NO_TYPE;
}

void ptx_instruction_mnemonic(const struct ptx_instruction *instruction, char *text, size_t size)
{
	/* from the source, so that words this program does not know are shown as they stand */
	size_t length = 0;
	while (length < instruction->text_length && instruction->text[length] != ' ' && instruction->text[length] != '\t' &&
	       instruction->text[length] != '\n' && instruction->text[length] != '\r' && instruction->text[length] != ';')
		length++;
	snprintf(text, size, "%.*s", (int)length, instruction->text);
}
