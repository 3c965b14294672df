#include "report.h"

#include "json_object.h"
#include "operator_figures.h"
#include "report_conditions.h"
#include "report_donor.h"
#include "report_figures.h"
#include "report_models.h"
#include "report_operators.h"
#include "report_timing.h"

#include <math.h>
#include <string.h>

/* Left out where it means nothing. */
static void put_known(struct object *object, const char *name, double value)
{
	if (isfinite(value))
		put_number(object, name, value);
}

static void append_to(json_t *array, json_t *value, int *failed)
{
	if (!value || json_array_append_new(array, value))
		*failed = 1;
}

/* The array, or NULL when `failed`. */
static json_t *array_done(json_t *array, int failed)
{
	if (!failed)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *lines_of(const char *text)
{
	json_t *array = json_array();
	int failed = array == NULL;
	for (const char *at = text ? text : ""; !failed && *at;) {
		const size_t length = strcspn(at, "\n");
		append_to(array, cli_json_text(at, length), &failed);
		at += length + (at[length] == '\n');
	}
	return array_done(array, failed);
}

/* ---- conditions and summary ---- */

static struct object device_object(const struct device_properties *device)
{
	struct object object = object_new();
	put_text(&object, "kind", device->kind == DEVICE_CUDA ? "cuda" : "cpu");
	put_text(&object, "id", device->id);
	put_text(&object, "name", device->name);
	put_text(&object, "uuid", device->uuid);
	put_int(&object, "cc_major", device->cc_major);
	put_int(&object, "cc_minor", device->cc_minor);
	put_int(&object, "multiprocessors", device->multiprocessors);
	put_int(&object, "l2_bytes", (int64_t)device->l2_bytes);
	put_int(&object, "memory_bytes", (int64_t)device->memory_bytes);
	put_int(&object, "driver_cuda_version", device->driver_version);
	put_text(&object, "driver", device->driver_text);
	put_text(&object, "gemm_library", device->gemm_library);
	return object;
}

/* null when none was opened */
static json_t *device_of(const struct device_properties *device)
{
	if (!device->id[0])
		return json_null();
	struct object object = device_object(device);
	return object_done(&object);
}

/* All of them, with what was measured on each. */
static json_t *devices_of(const struct run_record *run)
{
	json_t *array = json_array();
	int failed = array == NULL;
	for (size_t i = 0; !failed && i < run->device_count; i++) {
		const struct run_device *device = &run->devices[i];
		struct object object = device_object(&device->properties);
		put_text(&object, "host", device->host[0] ? device->host : run->host);
		put_number(&object, "matrix_product_flops_f16", device->matrix_product_flops);
		put_number(&object, "matrix_product_flops_bf16", device->matrix_product_flops_bf16);
		put_number(&object, "copy_bytes_per_second", device->copy_bytes_per_second);
		put_int(&object, "other_processes", device->other_processes);
		append_to(array, object_done(&object), &failed);
	}
	return array_done(array, failed);
}

/* What the text of a report warns of. */
static json_t *warnings_of(const struct run_record *run)
{
	struct run_warning warnings[RUN_WARNINGS_MAX];
	const int count = run_warnings_of(run, warnings);
	json_t *array = json_array();
	int failed = array == NULL;
	for (int i = 0; !failed && i < count; i++) {
		struct object object = object_new();
		put(&object, "is_grave", json_boolean(warnings[i].is_grave));
		put_text(&object, "what", warnings[i].what);
		put_text(&object, "remedy", warnings[i].remedy);
		append_to(array, object_done(&object), &failed);
	}
	return array_done(array, failed);
}

static json_t *spread_json(const struct spread *spread)
{
	struct object object = object_new();
	put_int(&object, "count", (int64_t)spread->count);
	put_number(&object, "minimum", spread->minimum);
	put_number(&object, "median", spread->median);
	put_number(&object, "percentile_95", spread->high);
	put_number(&object, "maximum", spread->maximum);
	return object_done(&object);
}

static json_t *clocks_of(const struct run_record *run)
{
	struct clock_summary clocks;
	struct text reasons = {0};
	if (clock_summary_of(run, &clocks))
		return NULL;
	if (clocks.readings == 0)
		return json_null();
	struct object object = object_new();
	append_throttle_reasons(clocks.throttle_reasons, &reasons);
	put(&object, "sm_mhz", spread_json(&clocks.sm_mhz));
	put(&object, "power_watts", spread_json(&clocks.power_watts));
	put(&object, "temperature_celsius", spread_json(&clocks.temperature_celsius));
	put_text(&object, "throttle_reasons", reasons.data);
	text_free(&reasons);
	return object_done(&object);
}

static json_t *datasets_of(const struct run_record *run)
{
	json_t *array = json_array();
	int failed = array == NULL;
	for (size_t i = 0; !failed && i < run->dataset_count; i++) {
		struct object object = object_new();
		put_text(&object, "path", run->datasets[i].path);
		put_text(&object, "sha256", run->datasets[i].sha256);
		append_to(array, object_done(&object), &failed);
	}
	return array_done(array, failed);
}

static json_t *conditions_of(const struct run_record *run)
{
	struct object object = object_new();
	put(&object, "complete", json_boolean(run->complete));
	put_text(&object, "command", run->command);
	put_text(&object, "version", run->version);
	put_text(&object, "date", run->date);
	put_text(&object, "host", run->host);
	const struct run_device *device = run_record_device(run, NULL);
	put(&object, "device", device_of(&device->properties));
	put(&object, "devices", devices_of(run));
	put(&object, "warnings", warnings_of(run));
	put_text(&object, "dataset", run->dataset);
	put_text(&object, "dataset_sha256", run->dataset_sha256);
	put_int(&object, "seed", (int64_t)run->seed);
	put(&object, "notes", lines_of(run->notes));
	put_number(&object, "matrix_product_flops_f16", device->matrix_product_flops);
	put_number(&object, "matrix_product_flops_bf16", device->matrix_product_flops_bf16);
	put_number(&object, "copy_bytes_per_second", device->copy_bytes_per_second);
	put_text(&object, "math", run->math);
	put(&object, "datasets", datasets_of(run));
	put(&object, "clocks", clocks_of(run));
	put_number(&object, "wall_seconds", run->wall_seconds);
	return object_done(&object);
}

/* Samples against wall time. */
static json_t *share_of(const struct run_record *run)
{
	const struct timing_share share = timing_share_of(run, TIMING_SHARE_LEAST);
	struct object object = object_new();
	put_number(&object, "cases_of_seconds", TIMING_SHARE_LEAST);
	put_int(&object, "cases", (int64_t)share.cases);
	put_number(&object, "sampled_seconds", share.sampled);
	put_number(&object, "wall_seconds", share.wall);
	return object_done(&object);
}

static json_t *summary_of(const struct run_record *run)
{
	struct run_summary summary;
	if (run_summary_of(run, &summary))
		return NULL;
	struct object object = object_new(), statuses = object_new(), checks = object_new();
	for (int status = 0; status < STATUS_COUNT; status++)
		put_int(&statuses, status_name((enum status)status), (int64_t)summary.statuses[status]);
	for (int check = 0; check < CHECK_NAMES_COUNT; check++) {
		struct object states = object_new();
		for (int state = CHECK_NOT_MADE; state <= CHECK_DISABLED; state++)
			put_int(&states, check_state_name((enum check_state)state), (int64_t)summary.checks[check][state]);
		put(&checks, check_name((enum check)check), object_done(&states));
	}
	put_int(&object, "cases", (int64_t)run->case_count);
	put(&object, "statuses", object_done(&statuses));
	put(&object, "checks", object_done(&checks));
	put_int(&object, "timed", (int64_t)summary.timed);
	if (summary.timed)
		put(&object, "timing_share", share_of(run));
	put(&object, "margins", spread_json(&summary.margins));
	put(&object, "lse_margins", spread_json(&summary.lse_margins));
	put_text(&object, "largest_margin_in", summary.worst ? summary.worst->name : "");
	put_text(&object, "largest_lse_margin_in", summary.worst_lse ? summary.worst_lse->name : "");
	return object_done(&object);
}

static json_t *artifact_of(const struct artifact_record *artifact)
{
	struct object object = object_new();
	json_t *missed = json_array();
	int failed = missed == NULL;
	const struct kernel_counts counts = kernel_counts_of(artifact);
	for (size_t i = 0; !failed && i < artifact->kernel_count; i++) {
		if (artifact->kernel_launched[i] == KERNEL_NOT_LAUNCHED)
			append_to(missed, text_json(artifact->kernels[i]), &failed);
	}
	put_text(&object, "path", artifact->path);
	put_text(&object, "sha256", artifact->sha256);
	put_int(&object, "bytes", (int64_t)artifact->size);
	put_text(&object, "kind", artifact->kind);
	put_text(&object, "toolkit", artifact->toolkit);
	put(&object, "images", lines_of(artifact->images));
	put_text(&object, "provenance", artifact->provenance);
	put_text(&object, "abi", artifact->abi);
	put_text(&object, "cudart", artifact->cudart);
	put(&object, "donor", report_donor_json(artifact));
	put(&object, "stubbed", lines_of(artifact->stubbed));
	put_number(&object, "link_seconds", artifact->link_seconds);
	put_number(&object, "load_seconds", artifact->load_seconds);
	if (artifact->load_parts) {
		put_int(&object, "load_parts", artifact->load_parts);
		put_number(&object, "load_longest_seconds", artifact->load_longest_seconds);
		put_number(&object, "load_wall_seconds", artifact->load_wall_seconds);
	}
	if (artifact->entry_points) {
		put_int(&object, "entry_points", artifact->entry_points);
		put_int(&object, "fast_math_kernels", artifact->fast_kernels);
		put(&object, "refused", lines_of(artifact->refused));
	}
	put_int(&object, "kernels", (int64_t)artifact->kernel_count);
	put_int(&object, "kernels_reachable", (int64_t)counts.reachable);
	put_int(&object, "kernels_launched", (int64_t)counts.launched);
	put(&object, "kernels_not_launched", array_done(missed, failed));
	return object_done(&object);
}

/* ---- a case ---- */

static json_t *checks_of(const struct judgement *judgement)
{
	struct object object = object_new();
	for (int check = 0; check < CHECK_NAMES_COUNT; check++) {
		const struct check_result *result = &judgement->checks[check];
		if (result->state == CHECK_NOT_MADE)
			continue;
		struct object one = object_new();
		put_text(&one, "state", check_state_name(result->state));
		if (result->reason[0])
			put_text(&one, "reason", result->reason);
		put(&object, check_name((enum check)check), object_done(&one));
	}
	return object_done(&object);
}

static json_t *integers_of(const int64_t *values, int count)
{
	json_t *array = json_array();
	int failed = array == NULL;
	for (int i = 0; !failed && i < count; i++)
		append_to(array, json_integer(values[i]), &failed);
	return array_done(array, failed);
}

static json_t *figures_of(const struct judgement *judgement)
{
	struct object object = object_new();
	put_number(&object, "margin", judgement->margin);
	put_number(&object, "scaled_max", judgement->scaled_max);
	put_number(&object, "scaled_bound", judgement->scaled_bound);
	put_number(&object, "unfused_scaled_max", judgement->low_scaled_max);
	put_number(&object, "absolute_max", judgement->absolute_max);
	put_number(&object, "relative_max", judgement->relative_max);
	put_number(&object, "relative_l2", judgement->relative_l2);
	/* JSON's integers end at 2^63 here; the largest means that there were elements that are no numbers */
	put(&object, "ulp_max", judgement->ulp_max > INT64_MAX ? json_string("inf") : json_integer((json_int_t)judgement->ulp_max));
	put_number(&object, "lse_absolute_max", judgement->lse_absolute_max);
	put_number(&object, "lse_margin", judgement->lse_margin);
	put(&object, "worst_index", integers_of(judgement->worst_index, 4));
	put_number(&object, "worst_value", judgement->worst_value);
	put_number(&object, "worst_reference", judgement->worst_reference);
	put_int(&object, "elements", judgement->elements);
	put_int(&object, "nan_count", judgement->nan_count);
	put_int(&object, "inf_count", judgement->inf_count);
	put(&object, "histogram", integers_of(judgement->histogram, JUDGE_HISTOGRAM_BINS));
	return object_done(&object);
}

static json_t *timing_json(const struct timing_record *timing)
{
	struct object object = object_new();
	put_number(&object, "median_seconds", timing->median);
	put_number(&object, "low_seconds", timing->low);
	put_number(&object, "high_seconds", timing->high);
	put_number(&object, "confidence", timing->confidence);
	put_number(&object, "minimum_seconds", timing->minimum);
	put_number(&object, "maximum_seconds", timing->maximum);
	put_int(&object, "samples", timing->samples);
	put_int(&object, "gate_opened_early", timing->gate_opened_early);
	put(&object, "converged", json_boolean(timing->converged));
	return object_done(&object);
}

static json_t *timings_of(const struct run_record *run, const struct case_record *record)
{
	struct object object = object_new();
	put(&object, "hot", timing_json(&record->hot));
	if (record->cold.measured)
		put(&object, "cold", timing_json(&record->cold));
	const struct baseline_record *unfused = case_record_baseline(record, RECORD_UNFUSED);
	if (unfused)
		put(&object, "unfused", timing_json(&unfused->hot));
	put_known(&object, "flops_per_second", case_flop_rate(record));
	put_known(&object, "bytes_per_second", case_byte_rate(record));
	if (record->unit == WORK_FLOPS)
		put_known(&object, "of_matrix_product", case_roof_share(run, record));
	else
		put_known(&object, "of_copy_rate", operator_rate_of(run, record).share);
	put_known(&object, "speedup_over_unfused", case_speedup(record));
	put_number(&object, "enqueue_seconds", record->enqueue_seconds);
	put_number(&object, "ungated_seconds", record->ungated_seconds);
	put_number(&object, "event_overhead_seconds", record->event_overhead_seconds);
	return object_done(&object);
}

static json_t *baselines_of(const struct case_record *record)
{
	json_t *array = json_array();
	int failed = array == NULL;
	for (int i = 0; !failed && i < record->baseline_count && i < RECORD_BASELINES_MAX; i++) {
		const struct baseline_record *baseline = &record->baselines[i];
		struct object object = object_new();
		put_text(&object, "name", baseline->name);
		put_text(&object, "note", baseline->note);
		if (baseline->hot.measured)
			put(&object, "hot", timing_json(&baseline->hot));
		put_known(&object, "speedup_over_it", baseline_speedup(record, baseline));
		append_to(array, object_done(&object), &failed);
	}
	return array_done(array, failed);
}

static json_t *energy_of(const struct case_record *record)
{
	struct object object = object_new();
	put_number(&object, "joules", record->energy_joules);
	put_number(&object, "calls", record->energy_calls);
	put_known(&object, "joules_per_teraflop", case_joules_per_teraflop(record));
	put_known(&object, "watts", case_watts(record));
	return object_done(&object);
}

static json_t *extent_of(const uint32_t extent[3])
{
	return json_pack("[I, I, I]", (json_int_t)extent[0], (json_int_t)extent[1], (json_int_t)extent[2]);
}

static json_t *launches_of(const struct case_record *record)
{
	json_t *array = json_array();
	int failed = array == NULL;
	for (int64_t i = 0; !failed && i < record->launch_count && i < RECORD_LAUNCHES_MAX; i++) {
		const struct launch_record *launch = &record->launches[i];
		struct object object = object_new();
		put_text(&object, "kernel", launch->kernel);
		put(&object, "grid", extent_of(launch->grid));
		put(&object, "block", extent_of(launch->block));
		put_int(&object, "dynamic_shared_bytes", (int64_t)launch->dynamic_shared);
		put(&object, "default_stream", json_boolean(launch->default_stream));
		put_int(&object, "device_code", launch->device_code);
		append_to(array, object_done(&object), &failed);
	}
	return array_done(array, failed);
}

static json_t *digests_of(const struct case_record *record)
{
	struct object object = object_new();
	for (int i = 0; i < record->output_count && i < RECORD_OUTPUTS_MAX; i++) {
		char hex[33];
		digest_hex(record->digests[i], hex);
		put_text(&object, record->output_names[i], hex);
	}
	return object_done(&object);
}

/* Names and meaning: struct device_counts. */
static json_t *counts_of(const struct device_counts *counts)
{
	struct object object = object_new();
	put_int(&object, "launches", (int64_t)counts->launches);
	put_int(&object, "blocks", (int64_t)counts->blocks);
	put_int(&object, "warps", (int64_t)counts->warps);
	put_int(&object, "warp_instructions", (int64_t)counts->warp_instructions);
	put_int(&object, "lane_instructions", (int64_t)counts->lane_instructions);
	put_int(&object, "flops", (int64_t)counts->flops);
	put_int(&object, "matrix_flops", (int64_t)counts->matrix_flops);
	put_int(&object, "special_functions", (int64_t)counts->special_functions);
	put_int(&object, "conversions", (int64_t)counts->conversions);
	put_int(&object, "integer_instructions", (int64_t)counts->integer_instructions);
	put_int(&object, "global_read_bytes", (int64_t)counts->global_read_bytes);
	put_int(&object, "global_written_bytes", (int64_t)counts->global_written_bytes);
	put_int(&object, "shared_read_bytes", (int64_t)counts->shared_read_bytes);
	put_int(&object, "shared_written_bytes", (int64_t)counts->shared_written_bytes);
	put_int(&object, "local_bytes", (int64_t)counts->local_bytes);
	put_int(&object, "global_sectors", (int64_t)counts->global_sectors);
	put_int(&object, "global_ideal_sectors", (int64_t)counts->global_ideal_sectors);
	put_int(&object, "shared_requests", (int64_t)counts->shared_requests);
	put_int(&object, "shared_wavefronts", (int64_t)counts->shared_wavefronts);
	put_int(&object, "atomics", (int64_t)counts->atomics);
	put_int(&object, "barriers", (int64_t)counts->barriers);
	put_int(&object, "branches", (int64_t)counts->branches);
	put_int(&object, "divergent_branches", (int64_t)counts->divergent_branches);
	return object_done(&object);
}

static json_t *case_of(const struct run_record *run, const struct case_record *record)
{
	struct object object = object_new();
	put_text(&object, "name", record->name);
	put_text(&object, "status", status_name(record->judgement.status));
	put_text(&object, "reason", record->judgement.reason);
	if (record->note[0])
		put_text(&object, "note", record->note);
	put_text(&object, "family", record->family);
	put_text(&object, "entry_point", record->entry_point);
	put_int(&object, "artifact", record->artifact);
	put_int(&object, "device", record->device);
	put_text(&object, "device_id", run_record_device(run, record)->properties.id);
	if (case_is_operator(record)) {
		put_text(&object, "module", record->module);
		put(&object, "fast_math", json_boolean(record->fast_math));
		put_number(&object, "precise_margin", record->judgement.precise_margin);
		put_text(&object, "unit", record->unit == WORK_BYTES ? "bytes" : "flops");
		put_int(&object, "dataset", record->dataset);
	}
	put_int(&object, "case_index", (int64_t)record->case_index);
	put_text(&object, "dtype", record->dtype == DTYPE_INVALID ? "" : dtype_name(record->dtype));
	put_int(&object, "head_dim", record->attributes_head_dim);
	put_text(&object, "image", record->image);
	put(&object, "checks", checks_of(&record->judgement));
	put(&object, "figures", figures_of(&record->judgement));
	put(&object, "digests", digests_of(record));
	put_int(&object, "launch_count", record->launch_count);
	put(&object, "launches", launches_of(record));
	if (record->counts.launches)
		put(&object, "counts", counts_of(&record->counts));
	put_number(&object, "flops", record->flops);
	put_number(&object, "bytes", record->bytes);
	if (case_is_timed(record))
		put(&object, "timing", timings_of(run, record));
	if (record->baseline_count)
		put(&object, "baselines", baselines_of(record));
	if (record->energy_joules > 0)
		put(&object, "energy", energy_of(record));
	if (record->bench_seconds > 0)
		put_number(&object, "bench_seconds", record->bench_seconds);
	put_number(&object, "verify_seconds", record->verify_seconds);
	put_number(&object, "wall_seconds", record->wall_seconds);
	if (record->judgement.status != STATUS_PASS) {
		struct text command = {0};
		run_record_reproduction(run, record, &command);
		put_text(&object, "reproduce", command.data);
		text_free(&command);
	}
	return object_done(&object);
}

static json_t *run_of(const struct run_record *run)
{
	struct object object = object_new();
	json_t *artifacts = json_array(), *cases = json_array();
	int failed_artifacts = artifacts == NULL, failed_cases = cases == NULL;
	for (size_t i = 0; !failed_artifacts && i < run->artifact_count; i++)
		append_to(artifacts, artifact_of(&run->artifacts[i]), &failed_artifacts);
	for (size_t i = 0; !failed_cases && i < run->case_count; i++)
		append_to(cases, case_of(run, &run->cases[i]), &failed_cases);
	put(&object, "conditions", conditions_of(run));
	put(&object, "summary", summary_of(run));
	if (run->inventory_count) {
		put(&object, "inventories", inventories_to_json(run));
		put(&object, "entry_points", operators_to_json(run));
	}
	put(&object, "artifacts", array_done(artifacts, failed_artifacts));
	put(&object, "cases", array_done(cases, failed_cases));
	return object_done(&object);
}

json_t *report_to_json(const struct run_record *const *runs, size_t count)
{
	struct object object = object_new();
	json_t *array = json_array();
	int failed = array == NULL;
	for (size_t i = 0; !failed && i < count; i++)
		append_to(array, run_of(runs[i]), &failed);
	put_int(&object, "schema", RECORD_SCHEMA);
	put_text(&object, "generator", "assay " ASSAY_VERSION);
	put(&object, "runs", array_done(array, failed));
	return object_done(&object);
}

/* ---- Google Benchmark's format ---- */

/* `names_device`: runs are of several models, so that the context cannot say which. */
static json_t *benchmark_of(const struct run_record *run, const struct case_record *record, int64_t index, int names_device)
{
	struct object object = object_new();
	struct text name = {0};
	text_append(&name, "%s/%s", record->entry_point, record->name);
	put_text(&object, "name", name.data);
	put_int(&object, "family_index", index);
	put_int(&object, "per_family_instance_index", 0);
	put_text(&object, "run_name", name.data);
	text_free(&name);
	put_text(&object, "run_type", "iteration");
	put_int(&object, "repetitions", 1);
	put_int(&object, "repetition_index", 0);
	put_int(&object, "threads", 1);
	if (!case_is_timed(record)) {
		struct text message = {0};
		text_append(&message, "%s%s%s", status_name(record->judgement.status), record->judgement.reason[0] ? ": " : "",
			    record->judgement.reason);
		put(&object, "error_occurred", json_true());
		put_text(&object, "error_message", message.data);
		text_free(&message);
	}
	const int timed = case_is_timed(record);
	put_int(&object, "iterations", timed ? record->hot.samples : 0);
	put_number(&object, "real_time", timed ? record->hot.median * 1e6 : 0.0);
	put_number(&object, "cpu_time", timed ? record->enqueue_seconds * 1e6 : 0.0);
	put_text(&object, "time_unit", "us");
	if (!timed)
		return object_done(&object);
	if (names_device)
		put_text(&object, "label", run_record_device(run, record)->properties.name);
	put_number(&object, "ci_low_us", record->hot.low * 1e6);
	put_number(&object, "ci_high_us", record->hot.high * 1e6);
	if (record->cold.measured)
		put_number(&object, "cold_us", record->cold.median * 1e6);
	const struct baseline_record *unfused = case_record_baseline(record, RECORD_UNFUSED);
	if (unfused)
		put_number(&object, "unfused_us", unfused->hot.median * 1e6);
	put_known(&object, "flops", case_flop_rate(record));
	put_known(&object, "bytes_per_second", case_byte_rate(record));
	if (record->unit == WORK_FLOPS)
		put_known(&object, "of_matrix_product", case_roof_share(run, record));
	else
		put_known(&object, "of_copy_rate", operator_rate_of(run, record).share);
	return object_done(&object);
}

/* Devices of different models that were timed; without times the first one that there is. */
static size_t timed_models(const struct run_record *const *runs, size_t count,
			   const struct run_device *models[RECORD_DEVICES_MAX])
{
	size_t used = 0;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < runs[i]->case_count; k++) {
			const struct run_device *device = run_record_device(runs[i], &runs[i]->cases[k]);
			size_t at = 0;
			if (!case_is_timed(&runs[i]->cases[k]))
				continue;
			while (at < used && !run_devices_are_of_one_model(models[at], device))
				at++;
			if (at == used && used < RECORD_DEVICES_MAX)
				models[used++] = device;
		}
	if (used == 0 && count)
		models[used++] = run_record_device(runs[0], NULL);
	return used;
}

json_t *report_to_gbench_json(const struct run_record *const *runs, size_t count)
{
	struct object object = object_new(), context = object_new();
	json_t *array = json_array();
	int failed = array == NULL;
	const struct run_device *models[RECORD_DEVICES_MAX];
	const size_t model_count = timed_models(runs, count, models);
	struct text names = {0};
	int64_t index = 0;
	for (size_t i = 0; !failed && i < count; i++)
		for (size_t k = 0; !failed && k < runs[i]->case_count; k++) {
			const enum status status = runs[i]->cases[k].judgement.status;
			/* what passed and was not timed, or was not asked to run, is no benchmark */
			if ((status == STATUS_PASS && !case_is_timed(&runs[i]->cases[k])) || status == STATUS_SKIPPED)
				continue;
			append_to(array, benchmark_of(runs[i], &runs[i]->cases[k], index++, model_count > 1), &failed);
		}
	const struct run_record *first = count ? runs[0] : NULL;
	for (size_t i = 0; i < model_count; i++)
		text_append(&names, "%s%s", i ? ", " : "", models[i]->properties.name);
	put_text(&context, "date", first ? first->date : "");
	put_text(&context, "host_name", first ? first->host : "");
	put_text(&context, "executable", "assay");
	put_int(&context, "num_cpus", model_count == 1 ? models[0]->properties.multiprocessors : 0); /* of the device that was timed */
	put_int(&context, "mhz_per_cpu", 0);
	put(&context, "cpu_scaling_enabled", json_false());
	put(&context, "caches", json_array());
	put(&context, "load_avg", json_array());
	put_text(&context, "library_build_type", "release");
	put_text(&context, "device", names.data ? names.data : "");
	object.failed |= names.failed;
	text_free(&names);
	put_text(&context, "assay_version", first ? first->version : "");
	put(&object, "context", object_done(&context));
	put(&object, "benchmarks", array_done(array, failed));
	return object_done(&object);
}
