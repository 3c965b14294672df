/* How the views of `assay inspect` write numbers and names. */
#ifndef ASSAY_HARNESS_INSPECT_FORMAT_H
#define ASSAY_HARNESS_INSPECT_FORMAT_H

#include "artifact/fatbin.h"
#include "core/util.h"

void format_size(struct text *out, size_t bytes); /* "12 B", "3.4 kB", "5.6 MB", "7.89 GB" */
const char *plural(int count, const char *one, const char *many);

/* Text of one cell, padded to `width` columns: to the right of it, or, with a negative width, to its left. */
__attribute__((format(printf, 3, 4))) void format_cell(struct text *out, int width, const char *format, ...);
void format_size_cell(struct text *out, int width, size_t bytes);

/* The name as it can be shown, demangled where it is a C++ one. */
void format_name(struct text *out, const char *mangled);

/* The words of a text, cleaned, in lines of at most 118 columns that begin at a column, and a newline. The first begins where the
 * caller has come to, which is that column. */
void format_flow(struct text *out, const char *text, int column);

/* "Linux", "Windows", "macOS" or NULL. */
const char *entry_host_name(const struct fatbin_entry *entry);

#endif
