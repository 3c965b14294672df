#include "record_layout.h"

enum kind { TEXT, F64, I64, U64, I32, U32, U8, COMPOUND };

struct member {
	const char *name;
	size_t offset;
	enum kind kind;
	size_t width; /* bytes of a text, NUL included, or of a compound */
	int count;    /* 0: a scalar */
	const struct member *members; /* of a compound; ends with a member without a name */
};

/* A compound in a compound: comparing types takes HDF5 time that grows with the square of the members of one level. */
#define NESTED(field, row, members) {#field, offsetof(struct row, field), COMPOUND, sizeof ((struct row *)0)->field, 0, members}
#define SCALAR(row, field, kind) {#field, offsetof(struct row, field), kind, 0, 0, NULL}
#define NAMED(row, field, name, kind) {name, offsetof(struct row, field), kind, 0, 0, NULL}
#define ARRAY(row, field, kind, count) {#field, offsetof(struct row, field), kind, 0, count, NULL}
#define STRING(row, field) {#field, offsetof(struct row, field), TEXT, sizeof ((struct row *)0)->field, 0, NULL}
#define STRINGS(row, field, count) {#field, offsetof(struct row, field), TEXT, sizeof ((struct row *)0)->field[0], count, NULL}
#define END {NULL, 0, TEXT, 0, 0, NULL}

static const struct member span_members[] = {
	SCALAR(record_span, first, U64),
	SCALAR(record_span, count, U64),
	END,
};

static const struct member timing_members[] = {
	SCALAR(record_timing_row, measured, U8),
	SCALAR(record_timing_row, converged, U8),
	NAMED(record_timing_row, median, "median_seconds", F64),
	NAMED(record_timing_row, low, "low_seconds", F64),
	NAMED(record_timing_row, high, "high_seconds", F64),
	SCALAR(record_timing_row, confidence, F64),
	NAMED(record_timing_row, minimum, "minimum_seconds", F64),
	NAMED(record_timing_row, maximum, "maximum_seconds", F64),
	SCALAR(record_timing_row, samples, I64),
	SCALAR(record_timing_row, gate_opened_early, I64),
	NESTED(raw, record_timing_row, span_members),
	END,
};

static const struct member figure_members[] = {
	SCALAR(record_figures, margin, F64),
	SCALAR(record_figures, scaled_max, F64),
	SCALAR(record_figures, scaled_bound, F64),
	SCALAR(record_figures, low_scaled_max, F64),
	SCALAR(record_figures, absolute_max, F64),
	SCALAR(record_figures, relative_max, F64),
	SCALAR(record_figures, relative_l2, F64),
	SCALAR(record_figures, lse_absolute_max, F64),
	SCALAR(record_figures, lse_margin, F64),
	SCALAR(record_figures, worst_value, F64),
	SCALAR(record_figures, worst_reference, F64),
	SCALAR(record_figures, ulp_max, U64),
	ARRAY(record_figures, worst_index, I64, 4),
	SCALAR(record_figures, elements, I64),
	SCALAR(record_figures, nan_count, I64),
	SCALAR(record_figures, inf_count, I64),
	ARRAY(record_figures, histogram, I64, JUDGE_HISTOGRAM_BINS),
	END,
};

static const struct member row_members[] = {
	STRING(record_row, name),
	STRING(record_row, family),
	STRING(record_row, entry_point),
	STRING(record_row, dtype),
	STRING(record_row, status),
	STRING(record_row, image),
	SCALAR(record_row, artifact, I32),
	SCALAR(record_row, case_index, U64),
	SCALAR(record_row, head_dim, I64),
	ARRAY(record_row, check_states, U8, RECORD_CHECKS_STORED),
	NESTED(figures, record_row, figure_members),
	SCALAR(record_row, output_count, I32),
	STRINGS(record_row, output_names, RECORD_OUTPUTS_MAX),
	STRINGS(record_row, digests, RECORD_OUTPUTS_MAX),
	SCALAR(record_row, launch_count, I64),
	SCALAR(record_row, flops, F64),
	SCALAR(record_row, bytes, F64),
	NESTED(hot, record_row, timing_members),
	NESTED(cold, record_row, timing_members),
	NESTED(baseline, record_row, timing_members),
	SCALAR(record_row, enqueue_seconds, F64),
	SCALAR(record_row, ungated_seconds, F64),
	SCALAR(record_row, event_overhead_seconds, F64),
	SCALAR(record_row, verify_seconds, F64),
	SCALAR(record_row, wall_seconds, F64),
	NESTED(texts, record_row, span_members),
	NESTED(launches, record_row, span_members),
	NESTED(clocks, record_row, span_members),
	END,
};

static const struct member text_members[] = {
	STRING(record_text_row, what),
	STRING(record_text_row, text),
	END,
};

static const struct member launch_members[] = {
	STRING(record_launch_row, kernel),
	ARRAY(record_launch_row, grid, U32, 3),
	ARRAY(record_launch_row, block, U32, 3),
	NAMED(record_launch_row, dynamic_shared, "dynamic_shared_bytes", U64),
	SCALAR(record_launch_row, default_stream, I32),
	SCALAR(record_launch_row, device_code, I32),
	END,
};

static const struct member clock_members[] = {
	NAMED(clock_reading, at, "at_seconds", F64),
	SCALAR(clock_reading, sm_clock_mhz, U32),
	SCALAR(clock_reading, memory_clock_mhz, U32),
	SCALAR(clock_reading, power_milliwatts, U32),
	SCALAR(clock_reading, temperature_celsius, U32),
	SCALAR(clock_reading, throttle_reasons, U64),
	END,
};

static const struct member count_members[] = {
	SCALAR(device_counts, launches, U64),
	SCALAR(device_counts, blocks, U64),
	SCALAR(device_counts, warps, U64),
	SCALAR(device_counts, warp_instructions, U64),
	SCALAR(device_counts, lane_instructions, U64),
	SCALAR(device_counts, flops, U64),
	SCALAR(device_counts, matrix_flops, U64),
	SCALAR(device_counts, special_functions, U64),
	SCALAR(device_counts, conversions, U64),
	SCALAR(device_counts, integer_instructions, U64),
	SCALAR(device_counts, global_read_bytes, U64),
	SCALAR(device_counts, global_written_bytes, U64),
	SCALAR(device_counts, shared_read_bytes, U64),
	SCALAR(device_counts, shared_written_bytes, U64),
	SCALAR(device_counts, local_bytes, U64),
	SCALAR(device_counts, global_sectors, U64),
	SCALAR(device_counts, global_ideal_sectors, U64),
	SCALAR(device_counts, shared_requests, U64),
	SCALAR(device_counts, shared_wavefronts, U64),
	SCALAR(device_counts, atomics, U64),
	SCALAR(device_counts, barriers, U64),
	SCALAR(device_counts, branches, U64),
	SCALAR(device_counts, divergent_branches, U64),
	SCALAR(device_counts, seconds, F64),
	END,
};

static const struct member count_row_members[] = {
	SCALAR(record_counts_row, case_row, U64),
	NESTED(counts, record_counts_row, count_members),
	END,
};

static const struct member operator_members[] = {
	SCALAR(record_operator_row, case_row, U64),
	SCALAR(record_operator_row, order, U64),
	SCALAR(record_operator_row, precise_margin, F64),
	SCALAR(record_operator_row, dataset, I32),
	SCALAR(record_operator_row, fast_math, U8),
	STRING(record_operator_row, unit),
	STRING(record_operator_row, module),
	END,
};

static const struct member resource_members[] = {
	SCALAR(record_resources_row, launch_row, U64),
	SCALAR(record_resources_row, registers, I32),
	SCALAR(record_resources_row, static_shared_bytes, I32),
	SCALAR(record_resources_row, local_bytes, I32),
	END,
};

static const struct member measured_members[] = {
	SCALAR(record_measured_row, case_row, U64),
	SCALAR(record_measured_row, bench_seconds, F64),
	SCALAR(record_measured_row, energy_joules, F64),
	SCALAR(record_measured_row, energy_calls, F64),
	SCALAR(record_measured_row, device, I32),
	END,
};

static const struct member baseline_members[] = {
	SCALAR(record_baseline_row, case_row, U64),
	NESTED(hot, record_baseline_row, timing_members),
	STRING(record_baseline_row, name),
	STRING(record_baseline_row, note),
	END,
};

static const struct member round_members[] = {
	SCALAR(record_rounds_row, case_row, U64),
	SCALAR(record_rounds_row, timing, I32),
	SCALAR(record_rounds_row, rounds, I32),
	ARRAY(record_rounds_row, round_samples, U32, RECORD_ROUNDS_MAX),
	END,
};

/* Chunks are rewritten whole with every flush, hence small ones where a case adds little. */
const struct record_table_info record_tables[RECORD_TABLES] = {
	[RECORD_ROWS] = {"table", sizeof(struct record_row), 8, 0},
	[RECORD_TEXTS] = {"texts", sizeof(struct record_text_row), 16, 0},
	[RECORD_LAUNCHES] = {"launches", sizeof(struct record_launch_row), 32, 0},
	[RECORD_CLOCKS] = {"clocks", sizeof(struct clock_reading), 256, 0},
	[RECORD_SAMPLES] = {"samples", sizeof(double), 1024, 0},
	[RECORD_COUNTS] = {"counts", sizeof(struct record_counts_row), 16, 1},
	[RECORD_OPERATORS] = {"operators", sizeof(struct record_operator_row), 64, 1},
	[RECORD_RESOURCES] = {"resources", sizeof(struct record_resources_row), 64, 1},
	[RECORD_MEASURED] = {"measured", sizeof(struct record_measured_row), 64, 1},
	[RECORD_BASELINES] = {"baselines", sizeof(struct record_baseline_row), 16, 1},
	[RECORD_ROUNDS] = {"rounds", sizeof(struct record_rounds_row), 16, 1},
};

static const struct member *const layouts[RECORD_TABLES] = {
	[RECORD_ROWS] = row_members,
	[RECORD_TEXTS] = text_members,
	[RECORD_LAUNCHES] = launch_members,
	[RECORD_CLOCKS] = clock_members,
	[RECORD_COUNTS] = count_row_members,
	[RECORD_OPERATORS] = operator_members,
	[RECORD_RESOURCES] = resource_members,
	[RECORD_MEASURED] = measured_members,
	[RECORD_BASELINES] = baseline_members,
	[RECORD_ROUNDS] = round_members,
};

static hid_t compound_type(const struct member *members, size_t size);

static hid_t scalar_type(const struct member *member)
{
	switch (member->kind) {
	case F64:
		return H5Tcopy(H5T_IEEE_F64LE);
	case I64:
		return H5Tcopy(H5T_STD_I64LE);
	case U64:
		return H5Tcopy(H5T_STD_U64LE);
	case I32:
		return H5Tcopy(H5T_STD_I32LE);
	case U32:
		return H5Tcopy(H5T_STD_U32LE);
	case U8:
		return H5Tcopy(H5T_STD_U8LE);
	case COMPOUND:
		return compound_type(member->members, member->width);
	case TEXT:
		break;
	}
	const hid_t type = H5Tcopy(H5T_C_S1);
	if (type >= 0 && (H5Tset_size(type, member->width) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
		H5Tclose(type);
		return -1;
	}
	return type;
}

static int insert_member(hid_t compound, const struct member *member)
{
	hid_t type = scalar_type(member);
	if (type >= 0 && member->count > 0) {
		const hsize_t count = (hsize_t)member->count;
		const hid_t array = H5Tarray_create2(type, 1, &count);
		H5Tclose(type);
		type = array;
	}
	if (type < 0)
		return -1;
	const int result = H5Tinsert(compound, member->name, member->offset, type) < 0 ? -1 : 0;
	H5Tclose(type);
	return result;
}

static hid_t compound_type(const struct member *members, size_t size)
{
	const hid_t type = H5Tcreate(H5T_COMPOUND, size);
	for (const struct member *member = members; type >= 0 && member->name; member++)
		if (insert_member(type, member)) {
			H5Tclose(type);
			return -1;
		}
	return type;
}

hid_t record_type(enum record_table table)
{
	if (table == RECORD_SAMPLES)
		return H5Tcopy(H5T_IEEE_F64LE);
	return compound_type(layouts[table], record_tables[table].row_size);
}

void record_check_names(struct text *out)
{
	for (int check = 0; check < CHECK_NAMES_COUNT; check++)
		text_append(out, "%s%s", check ? "," : "", check_name((enum check)check));
}
