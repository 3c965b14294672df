/* Records of a cubin's .nv.info sections; private to the cubin's reader. */
#ifndef ASSAY_ARTIFACT_CUBIN_INFO_H
#define ASSAY_ARTIFACT_CUBIN_INFO_H

#include "artifact/cubin.h"
#include "artifact/reader.h"

enum { RECORD_SIZED = 4 }; /* the format whose value is the number of bytes that follow */

struct cubin_record {
	unsigned format, attribute;
	unsigned value;  /* of the formats that carry one in the header */
	size_t at, size; /* of the rest, for RECORD_SIZED */
};

/* Steps over one record of .nv.info or .nv.compat; 0 at the end or when the rest is damaged (reader->failed). */
int cubin_record_next(struct reader *reader, size_t *at, struct cubin_record *record);

/* The section of the whole cubin: its records name kernels by the index of their symbol (-1: no kernel). */
int cubin_global_info(struct cubin *cubin, struct reader reader, const int32_t *kernel_of_symbol, size_t symbol_count,
		      struct error *err);

/* The section of one kernel, `section` by name. */
int cubin_kernel_info(struct cubin *cubin, struct reader reader, const char *section, struct cubin_kernel *kernel,
		      struct error *err);

#endif
