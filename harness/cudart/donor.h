/* Device code of one archive (the artifact) under the host code of another (the donor): which kernel of the artifact runs where
 * the donor's host code launches one of its own.
 *
 * Kernels are paired by artifact/kernel_match.h, container with container of units of one name where there are several. A pair
 * counts only when both kernels take parameters of the same sizes at the same offsets, as their images state them (KPARAM_INFO
 * of SASS, .param of PTX): host code lays out what the kernel reads. That proves sizes, not the meaning of what is in them. A
 * kernel of a library that comes with the toolkit (namespaces cub, thrust and cuda, whose names carry its version) and has no
 * partner runs from the donor; any other kernel without one is refused when it is launched. */
#ifndef ASSAY_CUDART_DONOR_H
#define ASSAY_CUDART_DONOR_H

#include "core/util.h"
#include "cudart/cudart.h"

struct donor;

/* Opens both and pairs what they hold. `device`, `policy`: whose images speak for the artifact, where they have one.
 * ERROR_INPUT when a file cannot be read; ERROR_UNSUPPORTED when not one kernel of the donor has a partner, with the reason of
 * the first. */
int donor_open(struct donor **donor, const char *artifact, const char *host, const struct device_properties *device,
	       enum image_policy policy, struct error *err);
void donor_close(struct donor *donor);

/* For cudart_binding; lives as long as the donor. */
const struct cudart_stand_in *donor_stand_in(const struct donor *donor);

/* Names of all kernels that the host code can launch: the artifact's with a partner, and those of libraries that run from the
 * donor. NULL past the end. */
const char *donor_kernel(const struct donor *donor, size_t index);

/* What a reader of the results has to know, a line each, as artifact_record.donor keeps it (donor_text_*, below). */
void donor_describe(struct donor *donor, struct text *out);

/* The first word of a line says what the rest is:
 *   path FILE             the donor
 *   sha256 HEX
 *   kernels PAIRED NAMED OF  how many of the donor's kernels have a partner, how many of those under the very same name, how
 *                            many it has
 *   unused COUNT          kernels of the artifact that the donor's host code has no partner for
 *   library NAME          kernel that runs from the donor
 *   missing NAME: REASON  kernel of the donor that cannot run
 * Steps through a text of such lines: 1, with key and value (malloc'd by nobody: they point into `text`), or 0 at the end. Starts
 * with *at = text. Lines that are none are passed over. */
struct donor_line {
	const char *key, *value;
	size_t key_length, value_length;
};
int donor_text_next(const char **at, struct donor_line *line);
/* The value of the first line with this key, in memory the caller frees; NULL when there is none. */
char *donor_text_value(const char *text, const char *key);

#endif
