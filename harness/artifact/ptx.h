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
	unsigned ftz_exact;           /* of `ftz`: those that are not .approx as well (fma.rn.ftz.f32, setp.lt.ftz.f32, cvt ...) */
	unsigned f32_approx;          /* of `approx`: those of f32 (ex2.approx.ftz.f32, tanh.approx.f32) */
	unsigned f32_precise;         /* f32 arithmetic with neither modifier: add.f32, div.rn.f32, sqrt.rn.f32 ... */
	int has_half;                 /* f16 or bf16 occurs in its body */
	size_t text_size;             /* bytes from its name to its '}': what compiling it costs, roughly */
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

/* Whether the kernel was compiled with fast math (nvcc --use_fast_math, or -ftz=true). The functions of a precise build use
 * ex2.approx.ftz, rcp.approx.ftz and the like inside, but add, multiply and compare without .ftz; a build with fast math has
 * .ftz on all f32 arithmetic. A kernel that is one approximation and no arithmetic (a reciprocal) counts too, unless it works
 * on f16 or bf16, whose own functions are such approximations in every build. Kernels without f32 arithmetic are alike in both
 * builds and are not fast. */
int ptx_entry_is_fast(const struct ptx_entry *entry);
/* Whether the module was: one kernel that shows it speaks for all, since the option is one of a whole translation unit, and not
 * every kernel shows it (cosine of a bf16 by cos.approx). */
int ptx_is_fast(const struct ptx *ptx);

#endif
