/* A run as it could have been, with every field set to something that differs from its neighbours. */
#ifndef ASSAY_TESTS_RECORD_SAMPLES_H
#define ASSAY_TESTS_RECORD_SAMPLES_H

#include "record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline char *sample_text(const char *text)
{
	char *copy = strdup(text);
	if (!copy)
		exit(1);
	return copy;
}

static inline struct timing_record sample_timing(int index, double scale)
{
	struct timing_record timing = {.measured = 1, .samples = 5 + index % 3, .confidence = 0.95, .converged = index % 2,
				       .gate_opened_early = index % 4};
	timing.raw = calloc((size_t)timing.samples, sizeof *timing.raw);
	if (!timing.raw)
		exit(1);
	for (int64_t i = 0; i < timing.samples; i++)
		timing.raw[i] = scale * (100.0 + (double)i + index) * 1e-6;
	timing.minimum = timing.raw[0];
	timing.low = timing.raw[1];
	timing.median = timing.raw[timing.samples / 2];
	timing.high = timing.raw[timing.samples - 2];
	timing.maximum = timing.raw[timing.samples - 1];
	return timing;
}

static inline struct case_record sample_case(int index)
{
	struct case_record record = {.artifact = index % 2, .case_index = (uint64_t)index * 3, .dtype = index % 2 ? DTYPE_BF16 : DTYPE_F16,
				     .attributes_head_dim = 64 + index, .output_count = 2, .launch_count = index % 11,
				     .flops = 1e9 * (index + 1), .bytes = 1e6 * (index + 1), .enqueue_seconds = 5e-6,
				     .ungated_seconds = 130e-6, .event_overhead_seconds = 1e-6, .verify_seconds = 0.02,
				     .wall_seconds = 0.1 + index};
	struct judgement *judgement = &record.judgement;
	snprintf(record.name, sizeof record.name, "case-%d", index);
	snprintf(record.family, sizeof record.family, "attention");
	snprintf(record.entry_point, sizeof record.entry_point, "run_mha");
	snprintf(record.image, sizeof record.image, "SASS sm_90");
	if (index % 5 == 2)
		snprintf(record.note, sizeof record.note, "noted %d", index);
	for (int i = 0; i < 2; i++) {
		snprintf(record.output_names[i], sizeof record.output_names[i], i ? "lse" : "o");
		record.digests[i] = (struct digest){{(uint64_t)index * 0x123456789abcdefull, ~(uint64_t)(index + i)}};
	}
	for (int64_t i = 0; i < record.launch_count && i < RECORD_LAUNCHES_MAX; i++) {
		struct launch_record *launch = &record.launches[i];
		*launch = (struct launch_record){.grid = {1, 2, (uint32_t)index}, .block = {128, 1, 1}, .dynamic_shared = 49152,
						 .default_stream = 1, .device_code = i == 3 ? 701 : 0,
						 .registers = -1, .static_shared_bytes = -1, .local_bytes = -1};
		snprintf(launch->kernel, sizeof launch->kernel, "_Z6kernel%d", (index + (int)i) % 7);
	}
	record.order = (uint64_t)index;
	for (int check = 0; check < CHECK_NAMES_COUNT; check++)
		if ((check + index) % 3)
			judgement_hold(judgement, (enum check)check);
	if (index % 7 == 3) {
		judgement_break(judgement, CHECK_NUMBERS, "batch 0, head 1 is wrong in case %d", index);
		judgement_break(judgement, CHECK_EXACT, "inexact | in case %d", index);
	}
	if (index % 7 == 4)
		judgement_mistrust(judgement, "every element ought to be %d", index);
	judgement_decide(judgement, index % 7 == 5 ? &(struct judge_policy){.disabled_checks = 1u << CHECK_LSE} : NULL);
	if (index % 7 == 6) {
		judgement->status = STATUS_UNSUPPORTED;
		snprintf(judgement->reason, sizeof judgement->reason, "head dim too large");
	}
	judgement->margin = index == 8 ? (double)INFINITY : 0.01 * index;
	judgement->scaled_max = 1e-4 * index;
	judgement->scaled_bound = 1e-3;
	judgement->low_scaled_max = index == 9 ? (double)NAN : 3e-4;
	judgement->absolute_max = 2e-4;
	judgement->relative_max = 5.0;
	judgement->relative_l2 = 2.7e-4;
	judgement->ulp_max = index == 8 ? UINT64_MAX : (uint64_t)index;
	judgement->lse_absolute_max = 1e-6;
	judgement->lse_margin = 0.02;
	for (int i = 0; i < 4; i++)
		judgement->worst_index[i] = index == 0 ? -1 : index + i;
	judgement->worst_value = 0.125;
	judgement->worst_reference = 0.12501;
	judgement->elements = 1000 + index;
	judgement->nan_count = index;
	judgement->inf_count = 2 * index;
	for (int i = 0; i < JUDGE_HISTOGRAM_BINS; i++)
		judgement->histogram[i] = i * 100 + index;
	if (judgement->status == STATUS_PASS && index % 4) {
		record.hot = sample_timing(index, 1.0);
		record.cold = sample_timing(index, 1.5);
		if (index % 4 == 1)
			case_record_add_baseline(&record, RECORD_UNFUSED)->hot = sample_timing(index, 3.0);
		record.clock_count = 2;
		record.clocks = calloc(2, sizeof *record.clocks);
		if (!record.clocks)
			exit(1);
		record.clocks[0] = (struct clock_reading){0.0, 1980, 2619, 310000, 41, 0};
		record.clocks[1] = (struct clock_reading){0.5, 1755, 2619, 690000, 63, 4};
	}
	return record;
}

static inline struct run_record sample_run(int cases)
{
	struct run_record run = {
		.schema = RECORD_SCHEMA,
		.command = sample_text("assay run '/artifacts/a b/libflashattention.a' --seed 5"),
		.version = sample_text("0.1.0"),
		.date = sample_text("2026-01-02T03:04:05Z"),
		.host = sample_text("gpu-host"),
		.devices = calloc(1, sizeof(struct run_device)),
		.device_count = 1,
		.math = sample_text("precise"),
		.dataset = sample_text("datasets/attention.spec"),
		.dataset_sha256 = "abcdef",
		.seed = 5,
		.repeat_options = sample_text(" --device cuda:0 --seed 5"),
		.notes = sample_text("first note\nsecond note"),
		.artifacts = calloc(2, sizeof(struct artifact_record)),
		.artifact_count = 2,
		.complete = 1,
		.wall_seconds = 83.5,
	};
	if (!run.artifacts || !run.devices)
		exit(1);
	run.devices[0] = (struct run_device){
		.properties = {.kind = DEVICE_CUDA, .id = "cuda:0", .name = "NVIDIA H100 80GB HBM3", .uuid = "GPU-0123", .cc_major = 9,
			       .cc_minor = 0, .multiprocessors = 132, .l2_bytes = 50 << 20, .memory_bytes = (size_t)80 << 30,
			       .shared_per_block_optin = 232448, .driver_version = 13000, .driver_text = "580.159.04",
			       .gemm_library = "cuBLAS 13.0.2"},
		.matrix_product_flops = 7.5e14,
		.matrix_product_flops_bf16 = 7.6e14,
		.copy_bytes_per_second = 2.9e12,
	};
	run.artifacts[0] = (struct artifact_record){.path = sample_text("/artifacts/a b/libflashattention.a"), .sha256 = "0123", .size = 230000000,
						    .kind = sample_text("ELF archive"), .toolkit = sample_text("CUDA 13.0 (V13.0.88)"),
						    .provenance = sample_text("CUDA_COMPUTE_CAP=90, --use_fast_math"),
						    .abi = sample_text("0.9.2 (kernel parameters of 440 bytes)"),
						    .cudart = sample_text("shim"), .stubbed = sample_text("one\ntwo"),
						    .link_seconds = 0.7, .load_seconds = 0.2, .refused = sample_text("")};
	run.artifacts[1] = (struct artifact_record){.path = sample_text("other.a"), .kind = sample_text(""), .toolkit = sample_text(""),
						    .provenance = sample_text(""), .abi = sample_text(""), .cudart = sample_text(""),
						    .stubbed = sample_text(""), .refused = sample_text("uexp_f32: bad\nulog_f32: worse"),
						    .load_seconds = 12.5, .load_longest_seconds = 1.25, .load_wall_seconds = 2.5,
						    .load_parts = 11, .entry_points = 123, .fast_kernels = 76};
	for (int i = 0; i < 10; i++) {
		char name[32];
		snprintf(name, sizeof name, "_Z6kernel%d", i);
		if (artifact_record_mark(&run.artifacts[0], name, NULL))
			exit(1);
	}
	memset(run.artifacts[0].kernel_launched + 7, 0, 3);
	for (int i = 0; i < cases; i++) {
		const struct case_record record = sample_case(i);
		for (int64_t l = 0; l < record.launch_count && l < RECORD_LAUNCHES_MAX; l++)
			if (record.launches[l].device_code == 0 &&
			    artifact_record_mark(&run.artifacts[record.artifact], record.launches[l].kernel, NULL))
				exit(1);
		if (run_record_add(&run, &record, NULL))
			exit(1);
	}
	return run;
}

/* Makes some of its cases those of operators: of three entry points, uexp_f32, ulog_f32 and affine_f32. */
static inline void sample_operators(struct run_record *run)
{
	static const char *const names[] = {"uexp_f32", "ulog_f32", "affine_f32"};
	run->datasets = calloc(2, sizeof(struct dataset_record));
	run->inventories = calloc(1, sizeof(struct inventory_record));
	if (!run->datasets || !run->inventories)
		exit(1);
	run->dataset_count = 2;
	run->inventory_count = 1;
	run->datasets[0] = (struct dataset_record){.path = sample_text("datasets/attention.spec"), .sha256 = "abcdef"};
	run->datasets[1] = (struct dataset_record){.path = sample_text("datasets/operators.spec"), .sha256 = "012345"};
	run->inventories[0] = (struct inventory_record){
		.folder = sample_text("/artifacts/modules/"), .profile = sample_text("0.9.2"), .evidence = sample_text("README: Candle 0.9.2"),
		.claim = sample_text(""), .modules = sample_text("unary, sort"), .missing = sample_text("sort: asort_asc_f32\nsort: asort_desc_f32"),
		.unknown = sample_text("unary: umystery"), .architecture = 90, .expected = 137, .present = 135, .missing_count = 2,
		.unknown_count = 1, .without_case = 3, .cases_without_entry = 4};
	for (size_t i = 0; i < run->case_count; i++) {
		struct case_record *record = &run->cases[i];
		const char *entry = names[i % 3];
		if (i % 2 == 0)
			continue;
		snprintf(record->module, sizeof record->module, "%s", i % 3 == 2 ? "affine" : "unary");
		snprintf(record->family, sizeof record->family, "%s", i % 3 == 2 ? "affine" : "unary");
		snprintf(record->entry_point, sizeof record->entry_point, "%s", entry);
		record->artifact = 1;
		record->unit = i % 3 == 1 ? WORK_FLOPS : WORK_BYTES;
		record->dataset = 1;
		record->fast_math = i % 3 == 0;
		record->judgement.precise_margin = 1.5 + (double)i;
	}
}

/* What files of 0.1.0 do not have: a second device, resources of kernels, rounds, more than one baseline, shards. */
static inline void sample_newer(struct run_record *run)
{
	struct device_properties second = run->devices[0].properties;
	snprintf(second.id, sizeof second.id, "cuda:1");
	snprintf(second.uuid, sizeof second.uuid, "GPU-4567");
	if (run_record_add_device(run, &second, "other-host", NULL) != 1)
		exit(1);
	run->devices[1].copy_bytes_per_second = 3.1e12;
	run->devices[1].other_processes = 2;
	run->shard_index = 2;
	run->shard_count = 3;
	run->interleaved = sample_text("8f3a");
	run->artifacts[0].images = sample_text("PTX compute_80\nSASS sm_90");
	run->artifacts[0].set = sample_text("12.6");
	run->artifacts[1].donor = sample_text("libcandle.a (0.9.2)");
	for (size_t i = 0; i < run->case_count; i++) {
		struct case_record *record = &run->cases[i];
		record->device = i % 3 == 1;
		record->bench_seconds = i % 4 == 2 ? 0.25 * (double)i : 0;
		record->energy_joules = i % 5 == 3 ? 1e-3 * (double)i : 0;
		record->energy_calls = i % 5 == 3 ? 1000 : 0;
		for (int64_t l = 0; l < record->launch_count && l < RECORD_LAUNCHES_MAX; l++) {
			struct launch_record *launch = &record->launches[l];
			const int is_told = (i + (size_t)l) % 2 == 0;
			launch->registers = is_told ? 32 + (int32_t)l : -1;
			launch->static_shared_bytes = is_told ? 1024 * (int32_t)i : -1;
			launch->local_bytes = is_told ? 16 : -1;
		}
		if (record->hot.samples >= 5) {
			record->hot.rounds = 2;
			record->hot.round_samples[0] = 2;
			record->hot.round_samples[1] = (uint32_t)record->hot.samples - 2;
		}
		if (i % 6 == 1) {
			struct baseline_record *baseline = case_record_add_baseline(record, "cudnn");
			baseline->hot = sample_timing((int)i, 0.5);
			baseline->hot.rounds = 1;
			baseline->hot.round_samples[0] = (uint32_t)baseline->hot.samples;
			snprintf(baseline->note, sizeof baseline->note, "engine %zu", i);
		}
		if (i % 6 == 4)
			snprintf(case_record_add_baseline(record, "other.a")->note, sizeof record->baselines[0].note, "it does not load");
		if (i == 7)
			memset(record->entry_point, 'e', sizeof record->entry_point - 1);
	}
}

#endif
