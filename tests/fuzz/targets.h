/* One fuzz target for each reader of other people's bytes. A target may refuse its input, but neither read out of bounds nor ask
 * for memory that a lying size field names, nor take long. Linked with libFuzzer (-DASSAY_FUZZERS=ON) each is a program of its
 * own; replay.c runs all of them over the stored corpus without it. */
#ifndef ASSAY_TESTS_FUZZ_TARGETS_H
#define ASSAY_TESTS_FUZZ_TARGETS_H

#include <stddef.h>
#include <stdint.h>

void fuzz_ar(const uint8_t *data, size_t size);
void fuzz_elf(const uint8_t *data, size_t size);
void fuzz_cubin(const uint8_t *data, size_t size);
void fuzz_coff(const uint8_t *data, size_t size);
void fuzz_pe(const uint8_t *data, size_t size);
void fuzz_zip(const uint8_t *data, size_t size);
void fuzz_fatbin(const uint8_t *data, size_t size);
void fuzz_ptx(const uint8_t *data, size_t size);
void fuzz_text(const uint8_t *data, size_t size); /* build-output folders and READMEs */
void fuzz_policy(const uint8_t *data, size_t size);
void fuzz_ptx_front(const uint8_t *data, size_t size); /* the PTX machine's own parser, flow and allocation (fuzz_ptx.c) */
void fuzz_ptx_run(const uint8_t *data, size_t size);   /* and lowering, placing, running with a small budget */
void fuzz_artifact(const uint8_t *data, size_t size); /* the whole way that `assay inspect` goes */

struct fuzz_target {
	const char *name;
	void (*run)(const uint8_t *data, size_t size);
};
extern const struct fuzz_target fuzz_targets[];
extern const size_t fuzz_target_count;

#endif
