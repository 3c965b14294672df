/* The worker process: loads one artifact on one device and runs cases on request, so that an artifact that crashes,
 * hangs, exits or corrupts the context costs its own cases only. */
#ifndef ASSAY_HARNESS_WORKER_H
#define ASSAY_HARNESS_WORKER_H

#include "cudart/cudart.h"
#include "cudart/plugin.h"
#include "keep.h"
#include "record.h"

enum { WORKER_PATH_MAX = 4096, WORKER_FD = 3 };
#define WORKER_ARGUMENT "--assay-worker" /* argv[1] of a worker; its socket is file descriptor WORKER_FD */

struct worker_setup {
	char archive[WORKER_PATH_MAX];       /* operators: "", units name their own */
	char donor[WORKER_PATH_MAX];         /* whose host code is called instead of the archive's; "": its own; operators: likewise */
	char entry_point[RECORD_ENTRY_MAX];  /* likewise */
	char family[32];                     /* likewise */
	int operators;                       /* 1: runs units of operator families (struct wire_unit) */
	int math;                            /* enum math: what a build with fast math is held to */
	char dataset[WORKER_PATH_MAX];
	char device[32];
	char cublas[WORKER_PATH_MAX];        /* "" for the default */
	char real_cudart[WORKER_PATH_MAX];   /* "" for the default */
	char cache_dir[WORKER_PATH_MAX];     /* "" for the default */
	char keep_failures[WORKER_PATH_MAX]; /* folder, "" for none */
	char keep_label[KEEP_LABEL_MAX];     /* keep.h; operators: "", units name their own */
	enum cudart_kind cudart;
	enum image_policy image;
	int abi;                             /* profile of the family */
	int runtime_major;
	uint64_t seed;
	int guard;                           /* enum guard, buffers.h */
	int unchecked;                       /* device_options.unchecked */
	int repeats;                         /* further runs whose results must be bitwise equal */
	enum dtype precision;                /* of the reference; DTYPE_INVALID: by the card */
	unsigned disabled_checks;            /* struct judge_policy */
	int bench;                           /* time what passed */
	int keep_outputs;                    /* copies of outputs go with the record */
	int orderly_exit;                    /* end by exit(), for a tool around the worker that writes its findings then */
	double bench_seconds;                /* most time for the samples of one figure of one case */
	double bench_least;                  /* least time for those of the hot figure; 0: until they are precise */
	double bench_target;                 /* relative width of the median's confidence interval to stop at */
	int baseline;                        /* measure the family's baselines too */
	int skip_rates;                      /* the card's rates are known */
	int beside;                          /* only put beside another artifact: the hot figure, in a baseline's share of the time */
	char cudnn[WORKER_PATH_MAX];         /* "" for the default */
};

struct worker_ready {
	struct device_properties device;
	double link_seconds, load_seconds, open_seconds;
	double matrix_product_flops, matrix_product_flops_bf16;
	double copy_bytes_per_second;         /* of large copies on the device: bytes read plus bytes written */
	uint32_t other_processes;             /* that compute on the device; known when timing */
	uint32_t stubbed_count, kernel_count; /* that many strings follow: stubs, then kernels */
};

/* Outputs of a case as they were when it was verified. Where one more call gives the same again it has passed; where it does
 * not, or `count` is 0, it is verified whole. */
struct known_outputs {
	int32_t count;
	struct digest digests[RECORD_OUTPUTS_MAX];
};

struct wire_case {
	uint64_t index;                      /* operators: case_source_place */
	int32_t want_bench;
	struct known_outputs known;
	char name[CASE_NAME_MAX];            /* operators, likewise what follows */
	char family[32];
	char entry_point[RECORD_ENTRY_MAX];
};

/* Some entry points of an artifact, which are loaded together in place of those before. */
struct wire_unit {
	char path[WORKER_PATH_MAX];
	char donor[WORKER_PATH_MAX];         /* see worker_setup */
	char keep_label[KEEP_LABEL_MAX];     /* keep.h */
	int32_t abi;                         /* enum operator_abi */
	int32_t whole;                       /* PTX is not cut down to them */
	int32_t is_archive;                  /* they are host functions */
	int32_t runtime_major;
	uint32_t symbol_count;               /* that many NUL-terminated texts follow */
};
struct wire_loaded {
	int32_t failed;
	struct error err;                    /* when it failed */
	double seconds;                      /* the driver's own */
	char image[96];
};

/* What a worker was doing when it died. */
enum stage {
	STAGE_START, STAGE_DEVICE, STAGE_LINK, STAGE_LOAD, STAGE_PREPARE, STAGE_CALL, STAGE_WAIT, STAGE_JUDGE, STAGE_BENCH,
	STAGE_COUNT
};
const char *stage_name(enum stage stage); /* "loading the archive", "calling the entry point", ... */

/* Body of a worker process; its exit code means nothing, the parent reads messages. */
int worker_main(void);

#endif
