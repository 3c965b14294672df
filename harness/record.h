/* What a run leaves behind: in memory while it runs (struct run_record, struct case_record), in an HDF5 file afterwards.
 * Runner, report and comparison all speak of results in these structs and in nothing else. */
#ifndef ASSAY_HARNESS_RECORD_H
#define ASSAY_HARNESS_RECORD_H

#include "core/digest.h"
#include "core/util.h"
#include "dataset/case.h"
#include "device/device.h"
#include "judge/verdict.h"
#include "kernels/family.h"

#include <stddef.h>
#include <stdint.h>

/* RECORD_ENTRY_MAX: entry points have names of C functions; a longer one is listed as unsupported (struct job_entry). */
enum { RECORD_SCHEMA = 1, RECORD_LAUNCHES_MAX = 8, RECORD_OUTPUTS_MAX = 4, RECORD_ROUNDS_MAX = 32, RECORD_BASELINES_MAX = 4,
       RECORD_DEVICES_MAX = 64, RECORD_ENTRY_MAX = 256 };

struct launch_record {
	char kernel[320];             /* mangled name, cut to fit */
	uint32_t grid[3], block[3];
	uint64_t dynamic_shared;
	int default_stream;
	int device_code;              /* CUresult, or the cudaError_t where no call of the driver was reached; 0: accepted */
	/* of the kernel as it was loaded (cuFuncGetAttribute), a thread's and a block's; registers <= 0: not told */
	int32_t registers, static_shared_bytes, local_bytes;
};

/* One way of timing (hot or cold). Times are seconds of the device between two events around one call, behind a gate. */
struct timing_record {
	int measured;
	double median, low, high;     /* low, high: distribution-free confidence interval of the median */
	double confidence;            /* of that interval, as 0.95 */
	double minimum, maximum;
	int64_t samples;
	int64_t gate_opened_early;    /* samples in which the call blocked behind the gate: launch latency is in them */
	int converged;                /* the interval became as narrow as asked for */
	double *raw;                  /* [samples], owned by the case_record; in the order taken */
	/* measured in several rounds (interleave.h): how many, and the samples of each, which add up; 0: in one go */
	int32_t rounds;
	uint32_t round_samples[RECORD_ROUNDS_MAX];
};

/* What an entry point is timed against: hot, on the same inputs. */
struct baseline_record {
	char name[32];                /* "unfused" (a chain of the vendor's matrix products), "cudnn", or the file name of a --baseline */
	struct timing_record hot;     /* hot.measured 0: `note` says why there is none */
	char note[192];               /* its version or engine */
};
#define RECORD_UNFUSED "unfused"

/* The value of an output after the call, in row-major order: output_copy.h. */
struct output_copy {
	enum dtype dtype;
	uint64_t size;                /* bytes */
	void *bytes;                  /* owned by the case_record; NULL unless outputs were kept */
};

struct clock_reading {
	double at;                    /* seconds since the case's sampling began */
	uint32_t sm_clock_mhz, memory_clock_mhz, power_milliwatts, temperature_celsius;
	uint64_t throttle_reasons;
};

struct case_record {
	char name[CASE_NAME_MAX];
	char family[32];
	char entry_point[RECORD_ENTRY_MAX];
	int32_t artifact;             /* index into run_record.artifacts */
	int32_t device;               /* index into run_record.devices; 0 where it ran on none */
	uint64_t case_index;          /* in the dataset or spec */
	enum dtype dtype;
	int64_t attributes_head_dim;  /* 0 where the family has none */
	struct judgement judgement;
	char output_names[RECORD_OUTPUTS_MAX][32];
	struct digest digests[RECORD_OUTPUTS_MAX];
	struct output_copy outputs[RECORD_OUTPUTS_MAX];
	int32_t output_count;
	char note[256];               /* what is worth saying beside the verdict, as "LSE unspecified: ..." */
	char image[96];               /* what ran: "SASS sm_90", "PTX compute_80 (JIT)" */
	struct launch_record launches[RECORD_LAUNCHES_MAX]; /* of one call */
	int64_t launch_count;         /* may exceed the table */
	double flops, bytes;          /* of one call */
	enum work_unit unit;          /* which of the two bounds it */
	int32_t dataset;              /* index into run_record.datasets; 0 where there is none */
	uint64_t order;               /* as planned: cases that ran side by side finish in any order */
	char module[24];              /* operators: "unary", "libmoe" ...; "" otherwise */
	int fast_math;                /* the kernel was compiled with fast math */
	struct timing_record hot, cold;
	struct baseline_record baselines[RECORD_BASELINES_MAX];
	int32_t baseline_count;
	double enqueue_seconds;       /* host time of the call itself, median */
	double ungated_seconds;       /* event pair around a call on an idle stream, median: kernel + launch latency */
	double event_overhead_seconds;/* event pair with nothing between, median */
	struct clock_reading *clocks; /* owned */
	int64_t clock_count;
	double verify_seconds, wall_seconds; /* what the case cost */
	double bench_seconds;         /* of these for timing it, all figures */
	double energy_joules;         /* of one call; 0: not measured */
	double energy_calls;          /* calls in the window over which it was measured */
	int context_lost;             /* the worker that ran it is ending: between processes only, not stored */
	struct device_counts counts;  /* of one call, where the device counts (cpu); launches 0: not counted */
};
void case_record_free(struct case_record *record); /* frees what it owns: samples, clocks, outputs */
/* What it owned belongs to a copy of it now: forgets it without freeing. */
void case_record_forget(struct case_record *record);
/* The baseline of that name, when it was measured (NULL as name: the first that was); else NULL. */
const struct baseline_record *case_record_baseline(const struct case_record *record, const char *name);
/* Adds an empty one of that name; NULL when there is no place for more. */
struct baseline_record *case_record_add_baseline(struct case_record *record, const char *name);

enum kernel_coverage {
	KERNEL_NOT_LAUNCHED,
	KERNEL_LAUNCHED,     /* by at least one case */
	KERNEL_UNREACHABLE   /* the entry point cannot launch it on this device: not counted against the cases */
};

struct artifact_record {
	char *path;                   /* all strings owned */
	char sha256[65];
	uint64_t size;
	char *kind;                   /* "ELF archive", "PTX module" ... */
	char *toolkit;                /* "CUDA 13.0 (V13.0.88)", "" when unknown */
	char *provenance;             /* one line from Cargo's files, "" when there are none */
	char *abi;                    /* profile name and why: "0.9.2 (kernel parameters of 440 bytes)" */
	char *cudart;                 /* "shim" or the path of the real runtime */
	char *stubbed;                /* newline-separated symbols that were stubbed */
	double link_seconds, load_seconds; /* load_seconds: for modules the driver's, all parts together */
	/* modules, which are loaded in parts (cut down to some entry points each), side by side: */
	double load_longest_seconds;  /* of one part */
	double load_wall_seconds;     /* from the first part's start to the last part's end */
	int64_t load_parts;           /* 0: not loaded in parts */
	int64_t entry_points;         /* that a program can call */
	int64_t fast_kernels;         /* of the entry points: compiled with fast math */
	char *refused;                /* newline-separated entry points that the driver did not load, with its message */
	char *images;                 /* newline-separated, sorted: "PTX compute_80", "SASS sm_90"; by inspection; "": unknown */
	char *set;                    /* which side of a matrix or of a comparison of folders it belongs to; "" */
	char *donor;                  /* host code that was called instead of the artifact's own; "" */
	char **kernels;               /* mangled names that the archive registers, for coverage */
	uint8_t *kernel_launched;     /* [kernel_count], enum kernel_coverage */
	size_t kernel_count;
};

/* Entry points of a set of artifacts (those of one folder) against what a release of the producing project has. */
struct inventory_record {
	char *folder;                 /* all strings owned */
	char *profile;                /* "0.9.2" */
	char *evidence;               /* what says that it is this one */
	char *claim;                  /* what says that it is whole ("--abi", a folder's name), "": nothing: then missing ones are no fault */
	char *modules;                /* that were looked at: "affine, binary" */
	char *missing, *unknown;      /* newline-separated entry points, "unary: uexp_f32" */
	int64_t architecture;         /* 90: those of older architectures only are not expected */
	int64_t expected, present;    /* present: of those expected */
	int64_t missing_count, unknown_count;
	int64_t without_case;         /* known entry points for which the dataset has no case */
	int64_t cases_without_entry;  /* cases of the dataset whose entry point is not among them */
};
/* A claim that does not hold. */
int inventory_is_broken(const struct inventory_record *inventory);

struct dataset_record {
	char *path;
	char sha256[65];
};

/* A device of the run and what was measured on it. */
struct run_device {
	struct device_properties properties;
	char host[128];               /* that it is in; "": run_record.host (others come from merging) */
	double matrix_product_flops;  /* FLOP/s of its f16 matrix product in this run; 0 when not measured */
	double matrix_product_flops_bf16;
	double copy_bytes_per_second; /* its copy rate in this run, bytes read plus bytes written; 0 when not measured */
	uint32_t other_processes;     /* compute processes on it besides this program's, at the start */
	uint32_t place;               /* in the list of --device, from 0: they answer in any order */
};

struct run_record {
	int64_t schema;
	char *command;                /* the command line, quoted for a shell */
	char *version;                /* of this program */
	char *date;                   /* ISO 8601, UTC, of the start */
	char *host;
	struct run_device *devices;   /* that cases ran on, at most RECORD_DEVICES_MAX */
	size_t device_count;          /* 0: nothing could be run */
	char *math;                   /* "precise" or "fast": what builds with fast math were held to */
	struct dataset_record *datasets; /* of the cases, in order; the first is `dataset` */
	size_t dataset_count;
	struct inventory_record *inventories;
	size_t inventory_count;
	char *dataset;                /* path */
	char dataset_sha256[65];
	uint64_t seed;
	char *repeat_options;         /* what a command that repeats one case has to say beside path, dataset and filter, quoted,
				       * with a leading space: " --device cuda:0 --image sass"; NULL: nothing */
	char *options;                /* what was asked for, as far as results depend on it: parts of one run have the same here;
				       * "verify --filter bf16"; NULL or "": unknown */
	char *interleaved;            /* runs whose rounds were measured in turns, case by case, have the same here; NULL or "": none */
	char *notes;                  /* newline-separated */
	int64_t shard_index, shard_count; /* 1-based; count 0 or 1: not a part of a run */
	int complete;                 /* 0 in a file that a killed run left */
	struct artifact_record *artifacts;
	size_t artifact_count;
	struct case_record *cases;
	size_t case_count;
	size_t case_capacity;
	double wall_seconds;
};
void run_record_free(struct run_record *record);
/* Appends a copy, which owns what *added owned from then on (case_record_forget, unless *added goes away). */
int run_record_add(struct run_record *record, const struct case_record *added, struct error *err);
/* Puts the cases into the order in which they were planned. */
void run_record_sort(struct run_record *record);
/* Index of the dataset, which is added when it is not there; -1. The first one becomes record->dataset too. */
int run_record_add_dataset(struct run_record *record, const char *path, struct error *err);
/* The device on which the case ran, or of NULL the run's first; one whose properties are empty (id "") where there is none. */
const struct run_device *run_record_device(const struct run_record *record, const struct case_record *of);
/* Index of the device with these id, UUID and host ("" for the run's), which is added when it is not there; -1 when there are
 * RECORD_DEVICES_MAX already. */
int run_record_add_device(struct run_record *record, const struct device_properties *properties, const char *host, struct error *err);
/* Adds one without looking for the like: nothing tells two workers of the cpu device apart. */
int run_record_append_device(struct run_record *record, const struct device_properties *properties, const char *host, struct error *err);
/* Puts the devices into the order of their places. A run that is being written keeps the order in which they answered, which is
 * that of its file; record_read does this. */
void run_record_order_devices(struct run_record *record);
/* Whether results of the two belong into one table: cards of one architecture (compute capability), or both the cpu device. */
int run_devices_are_alike(const struct run_device *a, const struct run_device *b);
/* Adds a zeroed one with empty strings; NULL. */
struct inventory_record *run_record_add_inventory(struct run_record *record, struct error *err);

/* Marks the kernel as launched in the artifact's coverage table; unknown names are added (an archive's own table may be
 * incomplete). */
int artifact_record_mark(struct artifact_record *artifact, const char *kernel, struct error *err);

/* Adds what is known of the kernels of the same artifact in another part of the run: what was launched in any part was launched. */
int artifact_record_merge_kernels(struct artifact_record *artifact, const struct artifact_record *other, struct error *err);

/* By name: cases that run side by side launch kernels in any order. */
void artifact_record_sort_kernels(struct artifact_record *artifact);

/* Exit code by the statuses of the cases: 1 when one failed, is mistrusted, crashed, timed out or had an error (strict:
 * also unsupported or skipped), or when an inventory that is claimed to be whole is not; else 0 when at least one passed; else 3. */
int run_record_exit_code(const struct run_record *record, int strict);

/* Appends the command that verifies this one case again: "assay verify PATH --dataset D --filter NAME ..." */
void run_record_reproduction(const struct run_record *run, const struct case_record *record, struct text *out);

/* ---- the file --------------------------------------------------------------------------------------------------
 *
 * HDF5, schema 1, readable by any library from 1.8 on (that format has no mark of being open for writing, so that the
 * file of a killed run can be read as it is); tables and headers have checksums:
 *   /            attributes: schema, generator "assay"
 *   /run         attributes: version, date, host, dataset, dataset_sha256, seed, complete (0 or 1), wall_seconds, shard_index,
 *                shard_count, math; matrix_product_flops, matrix_product_flops_bf16, copy_bytes_per_second of the first device;
 *                texts (arrays of bytes): command, options, repeat_options, interleaved, notes
 *   /run/datasets/N, /run/inventories/N
 *                attributes and texts: the fields of struct dataset_record and struct inventory_record
 *   /run/devices/N
 *                attributes: the fields of struct device_properties and of struct run_device; absent in files of 0.1.0, which
 *                have one device
 *   /run/device  the first of them once more; its id is "" where there is none
 *   /artifacts/N attributes: path, sha256, size, kind, toolkit, abi, cudart, link_seconds, load_seconds, load_longest_seconds,
 *                load_wall_seconds, load_parts, entry_points, fast_kernels; texts: provenance, stubbed, refused, images, set,
 *                donor, kernels (a name a line); kernel_launched (u8, in the order of kernels)
 *   /cases/table one row a case (a compound; units are in the members' names); attribute checks: names of the checks in
 *                the order of the member check_states, whose values are those of enum check_state
 *   /cases/counts a row for each case that was counted: member case_row says which row of table it belongs to; absent in files
 *                of 0.1.0
 *   /cases/operators
 *                likewise a row for each case of an operator family, and for each that is not of the first dataset
 *   /cases/resources, measured, baselines, rounds
 *                likewise, absent in files of 0.1.0: resources belong to a row of launches (launch_row), the others to one of table
 *   /cases/outputs/ROW.N
 *                copies of outputs of the case in that row of table: a list of unsigned integers of the elements' size (their
 *                bits), shuffled and deflated; attribute dtype. Absent unless outputs were kept
 *   /cases/texts, launches, clocks, samples
 *                what a case has any number of; the table says from which row on and how many. Texts: "reason",
 *                "mistrust", "note", "entry_point" (where the table's column is too short), or the name of a check; samples: seconds. */

struct record_writer;
/* Creates PATH.partial and writes the conditions (everything of `run` but its cases). A file of that name is replaced, unless a run
 * is writing it. ERROR_INPUT when it cannot be written. */
int record_writer_open(struct record_writer **writer, const char *path, const struct run_record *run, struct error *err);
/* For results that cannot be had again: from now on PATH.earlier is a whole copy of what PATH.partial held some time ago
 * (record_earlier.h), one that is there already included. It is gone once the file is committed. `run` is what PATH.partial says of
 * everything but cases from each copy on: as it is then, so it has to live as long as the writer. */
int record_writer_keep_earlier(struct record_writer *writer, const struct run_record *run, struct error *err);
/* With the next flush: the run knows more than cases can tell. */
void record_writer_copy_soon(struct record_writer *writer);
/* Appends one case and flushes, so that a killed run keeps it, or leaves the flush, which costs more than a
 * small case, to the caller. After a failure the writer can only be discarded. */
int record_writer_add_unflushed(struct record_writer *writer, const struct case_record *record, struct error *err);
int record_writer_flush(struct record_writer *writer, struct error *err);
int record_writer_add(struct record_writer *writer, const struct case_record *record, struct error *err);
/* Adds devices of `run` that the file does not have yet: before the first case that ran on one of them. */
int record_writer_note_devices(struct record_writer *writer, const struct run_record *run, struct error *err);
/* Writes everything of `run` but its cases once more (coverage, notes and wall time are known only at the end) with
 * run->complete, closes, renames to PATH. Frees the writer in any case; after a failure nothing is left at PATH.partial, unless
 * earlier states are kept. */
int record_writer_commit(struct record_writer *writer, const struct run_record *run, struct error *err);
/* All of that at once, for a run whose cases are in memory; leaves nothing behind when it fails. */
int record_write(const char *path, const struct run_record *run, struct error *err);
/* The same without the copies of outputs that the run holds in memory. */
int record_write_without_copies(const char *path, const struct run_record *run, struct error *err);
/* Ends early, and frees: PATH.partial stays, as after a kill, when it holds cases and no write failed; else it is removed. Where
 * earlier states are kept it stays as long as it can be read, or is replaced by the earlier state. */
void record_writer_discard(struct record_writer *writer);

/* Reads a result file whole; also PATH.partial or PATH.earlier of a killed run, either named itself or when there is no PATH: then
 * run->complete is 0 and coverage is made from the launches of the cases. The file may be anyone's: sizes, types and
 * indices are checked. On failure *run is empty. */
int record_read(struct run_record *run, const char *path, struct error *err);
/* The same without the copies of outputs, which may be most of the file. */
int record_read_without_copies(struct run_record *run, const char *path, struct error *err);
/* Whether a run holds the file open at the moment. */
int record_is_being_written(const char *path);

#endif
