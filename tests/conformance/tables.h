/* The tables of rows; put together into families in families.c. */
#ifndef ASSAY_TESTS_CONFORMANCE_TABLES_H
#define ASSAY_TESTS_CONFORMANCE_TABLES_H

#include "suite.h"

#define ROWS(rows) ((int)(sizeof(rows) / sizeof((rows)[0])))
#define TABLE(name)                             \
	extern const struct row rows_##name[];  \
	extern const int rows_##name##_count;
TABLE(integer)
TABLE(carry)
TABLE(logic)
TABLE(compare)
TABLE(single)
TABLE(double)
TABLE(half)
TABLE(approximate)
TABLE(convert_integer)
TABLE(convert_from_integer)
TABLE(convert_to_integer)
TABLE(convert_float)
TABLE(convert_fp8)
TABLE(exchange)
TABLE(atomic)
TABLE(memory)
TABLE(async)
TABLE(control)
TABLE(matrix)
TABLE(wmma)
#undef TABLE

#endif
