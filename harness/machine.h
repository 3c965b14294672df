/* What this machine has for CUDA programs: toolkit, driver, GPUs. Everything may be missing, which is no error. */
#ifndef ASSAY_HARNESS_MACHINE_H
#define ASSAY_HARNESS_MACHINE_H

#include "core/error.h"

enum { MACHINE_GPUS_MAX = 32 };

struct machine_gpu {
	unsigned cc;	/* 90 */
	char name[128]; /* "" where only its architecture was stated */
};

struct machine {
	char *toolkit_root; /* "/usr/local/cuda-12.6"; NULL: no toolkit found */
	unsigned toolkit;   /* 10 * major + minor; 0: not known */
	char toolkit_evidence[160];
	char *nvcc;	 /* NULL: none */
	char driver[32]; /* "550.54.14"; "" none */
	char driver_evidence[64];
	struct machine_gpu gpus[MACHINE_GPUS_MAX];
	int gpu_count;
	char gpu_evidence[320]; /* "driver", "--gpu", "CUDA_COMPUTE_CAP"; why there is none */
	unsigned compute_cap;	/* CUDA_COMPUTE_CAP, which build scripts obey: 90; 0: not set */
};

struct machine_options {    /* NULL: as found here */
	const char *cuda;   /* root of the toolkit */
	const char *driver; /* another machine's driver */
	const char *gpus;   /* another machine's GPUs: "sm_86,sm_120" */
	int without_gpus;   /* do not look for any: it takes a moment */
};

/* ERROR_USAGE when an option is no such thing. */
int machine_look(const struct machine_options *options, struct machine *machine, struct error *err);
void machine_free(struct machine *machine);

#endif
