/* The rows of a result file's tables. They lie in the file as they lie in memory (little-endian, with the alignment that
 * x86-64 and AArch64 share), so that HDF5 has nothing to convert: converting cost more than all the rest of a write.
 * Private to record_write*.c and record_read*.c.
 *
 * Files of 0.1.0 have the tables down to RECORD_SAMPLES, some of them two more; what is new goes into tables of its own, whose
 * rows name the row that they belong to (of RECORD_ROWS, or of RECORD_LAUNCHES) and ascend. */
#ifndef ASSAY_HARNESS_RECORD_LAYOUT_H
#define ASSAY_HARNESS_RECORD_LAYOUT_H

#include "record.h"

#include <hdf5.h>

enum { RECORD_CHECKS_STORED = 32, RECORD_TEXT_MAX = 512, RECORD_WHAT_MAX = 24 };

/* Rows of another table that belong to a case. */
struct record_span {
	uint64_t first, count;
};

struct record_timing_row {
	uint8_t measured, converged;
	double median, low, high, confidence, minimum, maximum;
	int64_t samples, gate_opened_early;
	struct record_span raw; /* in samples */
};

struct record_figures {
	double margin, scaled_max, scaled_bound, low_scaled_max;
	double absolute_max, relative_max, relative_l2, lse_absolute_max, lse_margin;
	double worst_value, worst_reference;
	uint64_t ulp_max;
	int64_t worst_index[4], elements, nan_count, inf_count;
	int64_t histogram[JUDGE_HISTOGRAM_BINS];
};

struct record_row {
	char name[CASE_NAME_MAX], family[32], entry_point[64], dtype[8], status[16], image[96];
	int32_t artifact;
	uint64_t case_index;
	int64_t head_dim;
	uint8_t check_states[RECORD_CHECKS_STORED];
	struct record_figures figures;
	int32_t output_count;
	char output_names[RECORD_OUTPUTS_MAX][32], digests[RECORD_OUTPUTS_MAX][33];
	int64_t launch_count;
	double flops, bytes;
	struct record_timing_row hot, cold, baseline; /* baseline: of files of 0.1.0, the unfused chain; RECORD_BASELINES since */
	double enqueue_seconds, ungated_seconds, event_overhead_seconds, verify_seconds, wall_seconds;
	struct record_span texts, launches, clocks;
};

/* The kernel's resources are in RECORD_RESOURCES, a row for each row here: files of 0.1.0 have none. */
struct record_launch_row {
	char kernel[320];
	uint32_t grid[3], block[3];
	uint64_t dynamic_shared;
	int32_t default_stream, device_code;
};

struct record_text_row {
	char what[RECORD_WHAT_MAX], text[RECORD_TEXT_MAX];
};

/* What a device counted, of the case in that row of the table. */
struct record_counts_row {
	uint64_t case_row;
	struct device_counts counts;
};

/* What only cases of operator families have, of the case in that row of the table. */
struct record_operator_row {
	uint64_t case_row, order;
	double precise_margin;
	int32_t dataset;
	uint8_t fast_math;
	char unit[8], module[24];
};

/* Resources of the kernel of one launch, where the device told them. */
struct record_resources_row {
	uint64_t launch_row;
	int32_t registers, static_shared_bytes, local_bytes;
};

/* What cases on a device besides the first have, and timed ones. */
struct record_measured_row {
	uint64_t case_row;
	double bench_seconds, energy_joules, energy_calls;
	int32_t device;
};

struct record_baseline_row {
	uint64_t case_row;
	struct record_timing_row hot;
	char name[32], note[192];
};

/* Of a timing that was taken in rounds. */
struct record_rounds_row {
	uint64_t case_row;
	int32_t timing; /* 0: hot, 1: cold, 2 + i: of baseline i */
	int32_t rounds;
	uint32_t round_samples[RECORD_ROUNDS_MAX];
};

enum record_table { RECORD_ROWS, RECORD_TEXTS, RECORD_LAUNCHES, RECORD_CLOCKS, RECORD_SAMPLES, RECORD_COUNTS, RECORD_OPERATORS,
		    RECORD_RESOURCES, RECORD_MEASURED, RECORD_BASELINES, RECORD_ROUNDS, RECORD_TABLES };

struct record_table_info {
	const char *name;   /* in /cases */
	size_t row_size;
	hsize_t chunk;      /* rows */
	int optional;       /* older files do not have it */
};
extern const struct record_table_info record_tables[RECORD_TABLES];

/* Type of a row; -1 on failure. The caller closes it. */
hid_t record_type(enum record_table table);

/* ---- record_write_run.c ---- */

/* Group /run and what is in it; /artifacts. -1: HDF5 knows why. */
int record_write_run(hid_t file, const struct run_record *run, int complete);
int record_write_artifacts(hid_t file, const struct run_record *run);
/* Last of all, when everything else is in the file. */
int record_write_complete(hid_t file);
/* Adds devices of `run` from the one numbered `first` on to a file that has the group /run. */
int record_write_devices(hid_t file, const struct run_record *run, size_t first);

/* record_outputs.c: copies of outputs of the case in that row of the table. Reading: *room is how many bytes may still be held; what
 * is beyond is left out. */
struct hdf5_place;
int record_outputs_write(hid_t cases, uint64_t row, const struct case_record *record);
int record_outputs_read(hid_t cases, uint64_t row, struct case_record *record, uint64_t *room, const struct hdf5_place *place,
			struct error *err);

/* "numbers,lse,...": value of the attribute `checks`, in the order of enum check. */
void record_check_names(struct text *out);

#endif
