/* Cutting a PTX module down to some of its entries: a driver compiles all of what it is given, and tells of a module's size in
 * tens of seconds (one of 129 kernels is loaded to run one of them).
 *
 * What stays: the header; the chosen entries, their own text byte for byte; functions, variables and further entries that
 * these reach by name, however indirectly, in the module's order; .file, .pragma and whatever else is not known to be left
 * out safely. What goes: everything else, comments between declarations, and DWARF (.section, but for .debug_str, which .loc
 * refers to), and with it the target option `debug`, which promises DWARF.
 *
 * A scanner, like ptx.h: text that is no PTX is an error or comes out as it went in, but never takes more than time and
 * memory in proportion to its size (times its logarithm). */
#ifndef ASSAY_ARTIFACT_PTX_SLICE_H
#define ASSAY_ARTIFACT_PTX_SLICE_H

#include "core/error.h"

#include <stddef.h>

/* Cuts once: see ptx_slicer_cut. */
int ptx_slice(const char *text, size_t size, const char *const *entries, size_t count, char **out, size_t *out_size,
	      struct error *err);

/* An index of a module for many cuts. Cuts do not change it: several threads may cut at once. */
struct ptx_slicer;
/* `text` need not be NUL-terminated, and has to stay as it is until close. ERROR_INPUT when it is no PTX module or is cut off. */
int ptx_slicer_open(struct ptx_slicer **slicer, const char *text, size_t size, struct error *err);
void ptx_slicer_close(struct ptx_slicer *slicer); /* NULL is fine */

/* *out is malloc'd and NUL-terminated; *out_size (may be NULL) is without the NUL. ERROR_INPUT names an entry that is not there;
 * no entry at all is an error too. An entry that is named twice is there once. Time: of the text that comes out. */
int ptx_slicer_cut(const struct ptx_slicer *slicer, const char *const *entries, size_t count, char **out, size_t *out_size,
		   struct error *err);

/* Entries with a body, in the module's order. Names are not NUL-terminated: they lie in the module's text. */
struct ptx_slice_entry {
	const char *name;
	size_t name_length;
	size_t text_size; /* bytes from its first directive to its '}' */
};
size_t ptx_slicer_entry_count(const struct ptx_slicer *slicer);
struct ptx_slice_entry ptx_slicer_entry(const struct ptx_slicer *slicer, size_t index);

#endif
