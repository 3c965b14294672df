/* What the rules of doctor share. For harness/doctor_*.c only. */
#ifndef ASSAY_HARNESS_DOCTOR_PRIVATE_H
#define ASSAY_HARNESS_DOCTOR_PRIVATE_H

#include "doctor.h"

struct judge {
	struct doctor *doctor;
	const struct prebuilt_folder *folder;
	int index;  /* of the folder */
	int failed; /* memory ran out */
};

/* Adds a requirement. The remedy stands in `format` behind a '|'; without one there is none. */
__attribute__((format(printf, 4, 5))) void judge_add(struct judge *judge, const char *name, enum fit fit, const char *format,
						     ...);

/* Artifacts of the folder that could be read, one after the other; *at starts with -1. NULL: no more. */
const struct doctor_artifact *judge_next(const struct judge *judge, int *at);
const char *judge_file(const struct doctor_artifact *facts); /* its name */

/* The crate's package in Cargo.lock, NULL: there is none. */
const struct cargo_package *judge_package(const struct judge *judge);
const char *judge_crate(const struct judge *judge); /* its name, for sentences */

/* The target that is asked about, and how it is known; without a project: this machine's. */
const char *judge_triple(const struct judge *judge, const char **evidence);
enum host_os judge_system_of(const char *triple);

/* One function a requirement. Each adds one line, or none where there is nothing to ask. */
void judge_system(struct judge *judge); /* doctor_host.c */
void judge_processor(struct judge *judge);
void judge_crt(struct judge *judge);
void judge_linking(struct judge *judge);
void judge_cuda(struct judge *judge); /* doctor_cuda.c */
void judge_driver(struct judge *judge);
void judge_gpu(struct judge *judge);
void judge_build(struct judge *judge);

#endif
