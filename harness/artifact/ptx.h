/* PTX modules: what their header and entry declarations say. A scanner, not a parser: it knows comments, strings,
 * braces and the directives before a body, and takes anything else as it comes (PTX ISA, chapters 4, 5 and 11). */
#ifndef ASSAY_ARTIFACT_PTX_H
#define ASSAY_ARTIFACT_PTX_H

#include "core/error.h"

#include <stddef.h>

struct ptx_parameter {
	char type[8];          /* ".u64", ".b8" */
	unsigned offset, size, align; /* bytes; laid out in order, each at its alignment */
};

struct ptx_entry {
	char *name;            /* owned by the module */
	struct ptx_parameter *parameters;
	int parameter_count;
	unsigned parameter_bytes;
	unsigned max_threads[3], required_threads[3]; /* .maxntid, .reqntid; 0 0 0: none */
	unsigned max_registers, min_blocks;           /* .maxnreg, .minnctapersm; 0: none */
	unsigned cluster[3];          /* .reqnctapercluster; 0 0 0: none */
	int explicit_cluster;         /* .explicitcluster */
	unsigned max_cluster_rank;    /* .maxclusterrank; 0: none */
	unsigned ftz, approx;         /* instructions in its body with that modifier */
};

struct ptx {
	unsigned version_major, version_minor; /* of the ISA */
	unsigned arch;         /* 80 for sm_80; a PTX module calls its virtual target so too */
	char suffix;           /* 'a', 'f' or 0 */
	int debug;             /* .target ..., debug */
	unsigned address_size; /* 32 or 64 */
	char toolkit[32];      /* "13.0, V13.0.88" from nvcc's comment; "" when there is none */
	struct ptx_entry *entries;
	int entry_count;
	unsigned ftz, approx;  /* instructions with that modifier in entries and functions together */
	unsigned functions;    /* .func with a body */
	int line_info;         /* has .loc directives (-lineinfo or -G) */
	char *unresolved;      /* first .extern .func that is no part of the device runtime: has to be linked; NULL: none */
};

/* `text` need not be NUL-terminated. ERROR_INPUT when it has no .version and .target, or an entry is cut off. */
int ptx_parse(const char *text, size_t size, struct ptx *ptx, struct error *err);
void ptx_free(struct ptx *ptx);

#endif
