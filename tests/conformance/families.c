#include "tables.h"

static const char memory_preamble[] =
	".const .align 8 .b64 constants[8] = {0x0123456789abcdef, -1, 1, 0x8000000000000000, 0xf0f1f2f3f4f5f6f7, 42, -42, 0x7f80ff81};\n"
	".global .align 8 .b64 numbers[8] = {3, -3, 0x1122334455667788, 0x99aabbccddeeff00, 5, 6, 7, 8};\n"
	".global .align 8 .u64 pointers[2] = {generic(numbers), numbers+16};\n";
static const char control_preamble[] =
	".func (.param .b32 result) add_twice(.param .b32 first, .param .b32 second)\n{\n\t.reg .b32 %r<4>;\n\tld.param.b32 %r1, [first];\n"
	"\tld.param.b32 %r2, [second];\n\tadd.u32 %r3, %r1, %r2;\n\tadd.u32 %r3, %r3, %r2;\n\tst.param.b32 [result], %r3;\n\tret;\n}\n"
	".func (.param .b32 result) subtract(.param .b32 first, .param .b32 second)\n{\n\t.reg .b32 %r<4>;\n\tld.param.b32 %r1, [first];\n"
	"\tld.param.b32 %r2, [second];\n\tsub.u32 %r3, %r1, %r2;\n\tst.param.b32 [result], %r3;\n\tret;\n}\n"
	".func (.param .align 8 .b8 result[16]) exchange(.param .align 8 .b8 pair[16])\n{\n\t.reg .b64 %r<3>;\n\tld.param.b64 %r1, [pair];\n"
	"\tld.param.b64 %r2, [pair+8];\n\tst.param.b64 [result], %r2;\n\tst.param.b64 [result+8], %r1;\n\tret;\n}\n"
	".func (.param .b32 result) factorial(.param .b32 n)\n{\n\t.reg .b32 %r<6>;\n\t.reg .pred %p;\n\tld.param.b32 %r1, [n];\n\tmov.u32 %r2, 1;\n"
	"\tsetp.le.u32 %p, %r1, 1;\n\t@%p bra DONE;\n\tsub.u32 %r3, %r1, 1;\n\t{\n\t.param .b32 next;\n\t.param .b32 value;\n\tst.param.b32 [next], %r3;\n"
	"\tcall (value), factorial, (next);\n\tld.param.b32 %r4, [value];\n\t}\n\tmul.lo.u32 %r2, %r1, %r4;\nDONE:\n\tst.param.b32 [result], %r2;\n\tret;\n}\n";

/* The version is the oldest that has all the family's instructions. What may hang or leave the device useless comes last. */
static const struct { const char *name, *version, *preamble; const struct row *rows; const int *count; } families[] = {
	{"integer", "8.0", NULL, rows_integer, &rows_integer_count},
	{"carry", "8.0", NULL, rows_carry, &rows_carry_count},
	{"logic", "8.0", NULL, rows_logic, &rows_logic_count},
	{"compare", "8.0", NULL, rows_compare, &rows_compare_count},
	{"single", "8.0", NULL, rows_single, &rows_single_count},
	{"double", "8.0", NULL, rows_double, &rows_double_count},
	{"half", "8.0", NULL, rows_half, &rows_half_count},
	{"approximate", "8.0", NULL, rows_approximate, &rows_approximate_count},
	{"convert_integer", "8.0", NULL, rows_convert_integer, &rows_convert_integer_count},
	{"convert_from_integer", "8.0", NULL, rows_convert_from_integer, &rows_convert_from_integer_count},
	{"convert_to_integer", "8.0", NULL, rows_convert_to_integer, &rows_convert_to_integer_count},
	{"convert_float", "8.6", NULL, rows_convert_float, &rows_convert_float_count},
	{"convert_fp8", "8.1", NULL, rows_convert_fp8, &rows_convert_fp8_count},
	{"matrix", "8.4", NULL, rows_matrix, &rows_matrix_count},
	{"wmma", "8.0", NULL, rows_wmma, &rows_wmma_count},
	{"memory", "8.2", memory_preamble, rows_memory, &rows_memory_count},
	{"control", "8.0", control_preamble, rows_control, &rows_control_count},
	{"atomic", "8.0", NULL, rows_atomic, &rows_atomic_count},
	{"exchange", "8.0", NULL, rows_exchange, &rows_exchange_count},
	{"async", "8.0", NULL, rows_async, &rows_async_count},
};
const int conformance_family_count = ROWS(families);

struct family conformance_family(int index)
{
	return (struct family){families[index].name, families[index].version, families[index].preamble, families[index].rows, *families[index].count};
}
