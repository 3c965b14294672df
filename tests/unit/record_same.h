/* Results that were read are those that were written, in every field. */
#ifndef ASSAY_TEST_RECORD_SAME_H
#define ASSAY_TEST_RECORD_SAME_H

#include "check.h"
#include "record.h"

#include <math.h>
#include <string.h>

static inline void same_double(double a, double b)
{
	CHECK(memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)));
}

static inline void same_timing(const struct timing_record *a, const struct timing_record *b)
{
	CHECK_INT(a->measured, b->measured);
	CHECK_INT(a->converged, b->converged);
	same_double(a->median, b->median);
	same_double(a->low, b->low);
	same_double(a->high, b->high);
	same_double(a->confidence, b->confidence);
	same_double(a->minimum, b->minimum);
	same_double(a->maximum, b->maximum);
	CHECK_INT(a->samples, b->samples);
	CHECK_INT(a->gate_opened_early, b->gate_opened_early);
	CHECK_INT(a->rounds, b->rounds);
	CHECK(memcmp(a->round_samples, b->round_samples, sizeof a->round_samples) == 0);
	CHECK_INT(a->raw != NULL, b->raw != NULL);
	if (a->raw && b->raw && a->samples == b->samples)
		CHECK(memcmp(a->raw, b->raw, (size_t)a->samples * sizeof *a->raw) == 0);
}

static inline void same_case(const struct case_record *a, const struct case_record *b)
{
	const struct judgement *j = &a->judgement, *k = &b->judgement;
	CHECK_TEXT(a->name, b->name);
	CHECK_TEXT(a->family, b->family);
	CHECK_TEXT(a->entry_point, b->entry_point);
	CHECK_TEXT(a->note, b->note);
	CHECK_TEXT(a->image, b->image);
	CHECK_INT(a->artifact, b->artifact);
	CHECK_INT(a->case_index, b->case_index);
	CHECK_INT(a->dtype, b->dtype);
	CHECK_INT(a->attributes_head_dim, b->attributes_head_dim);
	CHECK_TEXT(a->module, b->module);
	CHECK_INT(a->unit, b->unit);
	CHECK_INT(a->dataset, b->dataset);
	CHECK_INT(a->device, b->device);
	same_double(a->bench_seconds, b->bench_seconds);
	same_double(a->energy_joules, b->energy_joules);
	same_double(a->energy_calls, b->energy_calls);
	CHECK_INT(a->order, b->order);
	CHECK_INT(a->fast_math, b->fast_math);
	same_double(j->precise_margin, k->precise_margin);
	CHECK_INT(j->status, k->status);
	CHECK_TEXT(j->reason, k->reason);
	CHECK_TEXT(j->mistrust, k->mistrust);
	for (int check = 0; check < CHECK_NAMES_COUNT; check++) {
		CHECK_INT(j->checks[check].state, k->checks[check].state);
		CHECK_TEXT(j->checks[check].reason, k->checks[check].reason);
	}
	const double figures[][2] = {{j->margin, k->margin}, {j->scaled_max, k->scaled_max}, {j->scaled_bound, k->scaled_bound},
				     {j->low_scaled_max, k->low_scaled_max}, {j->absolute_max, k->absolute_max},
				     {j->relative_max, k->relative_max}, {j->relative_l2, k->relative_l2},
				     {j->lse_absolute_max, k->lse_absolute_max}, {j->lse_margin, k->lse_margin},
				     {j->worst_value, k->worst_value}, {j->worst_reference, k->worst_reference},
				     {a->flops, b->flops}, {a->bytes, b->bytes}, {a->enqueue_seconds, b->enqueue_seconds},
				     {a->ungated_seconds, b->ungated_seconds},
				     {a->event_overhead_seconds, b->event_overhead_seconds},
				     {a->verify_seconds, b->verify_seconds}, {a->wall_seconds, b->wall_seconds}};
	for (size_t i = 0; i < ARRAY_COUNT(figures); i++)
		same_double(figures[i][0], figures[i][1]);
	CHECK(j->ulp_max == k->ulp_max);
	CHECK(memcmp(j->worst_index, k->worst_index, sizeof j->worst_index) == 0);
	CHECK(memcmp(j->histogram, k->histogram, sizeof j->histogram) == 0);
	CHECK_INT(j->elements, k->elements);
	CHECK_INT(j->nan_count, k->nan_count);
	CHECK_INT(j->inf_count, k->inf_count);
	CHECK_INT(a->output_count, b->output_count);
	for (int i = 0; i < a->output_count; i++) {
		CHECK_TEXT(a->output_names[i], b->output_names[i]);
		CHECK(memcmp(&a->digests[i], &b->digests[i], sizeof a->digests[i]) == 0);
	}
	CHECK_INT(a->launch_count, b->launch_count);
	for (int64_t i = 0; i < a->launch_count && i < RECORD_LAUNCHES_MAX; i++) {
		const struct launch_record *l = &a->launches[i], *m = &b->launches[i];
		CHECK_TEXT(l->kernel, m->kernel);
		CHECK(memcmp(l->grid, m->grid, sizeof l->grid) == 0 && memcmp(l->block, m->block, sizeof l->block) == 0);
		CHECK_INT(l->dynamic_shared, m->dynamic_shared);
		CHECK_INT(l->default_stream, m->default_stream);
		CHECK_INT(l->device_code, m->device_code);
		CHECK_INT(l->registers, m->registers);
		CHECK_INT(l->static_shared_bytes, m->static_shared_bytes);
		CHECK_INT(l->local_bytes, m->local_bytes);
	}
	same_timing(&a->hot, &b->hot);
	same_timing(&a->cold, &b->cold);
	CHECK_INT(a->baseline_count, b->baseline_count);
	for (int i = 0; i < a->baseline_count && i < b->baseline_count; i++) {
		CHECK_TEXT(a->baselines[i].name, b->baselines[i].name);
		CHECK_TEXT(a->baselines[i].note, b->baselines[i].note);
		same_timing(&a->baselines[i].hot, &b->baselines[i].hot);
	}
	CHECK_INT(a->clock_count, b->clock_count);
	if (a->clock_count == b->clock_count && a->clock_count)
		CHECK(memcmp(a->clocks, b->clocks, (size_t)a->clock_count * sizeof *a->clocks) == 0);
}

static inline void same_device(const struct run_device *x, const struct run_device *y)
{
	const struct device_properties *a = &x->properties, *b = &y->properties;
	CHECK_TEXT(a->name, b->name);
	CHECK_TEXT(a->id, b->id);
	CHECK_TEXT(a->uuid, b->uuid);
	CHECK_TEXT(a->driver_text, b->driver_text);
	CHECK_TEXT(a->gemm_library, b->gemm_library);
	CHECK_INT(a->kind, b->kind);
	CHECK_INT(a->cc_major, b->cc_major);
	CHECK_INT(a->cc_minor, b->cc_minor);
	CHECK_INT(a->multiprocessors, b->multiprocessors);
	CHECK_INT(a->l2_bytes, b->l2_bytes);
	CHECK_INT(a->memory_bytes, b->memory_bytes);
	CHECK_INT(a->shared_per_block_optin, b->shared_per_block_optin);
	CHECK_INT(a->driver_version, b->driver_version);
	CHECK_INT(a->slow_f64, b->slow_f64);
	CHECK_TEXT(x->host, y->host);
	same_double(x->matrix_product_flops, y->matrix_product_flops);
	same_double(x->matrix_product_flops_bf16, y->matrix_product_flops_bf16);
	same_double(x->copy_bytes_per_second, y->copy_bytes_per_second);
	CHECK_INT(x->other_processes, y->other_processes);
	CHECK_INT(x->place, y->place);
}

static inline void same_run(const struct run_record *a, const struct run_record *b)
{
	CHECK_INT(a->schema, b->schema);
	CHECK_TEXT(a->command, b->command);
	CHECK_TEXT(a->version, b->version);
	CHECK_TEXT(a->date, b->date);
	CHECK_TEXT(a->host, b->host);
	CHECK_TEXT(a->math, b->math);
	CHECK_INT(a->dataset_count, b->dataset_count);
	for (size_t i = 0; i < a->dataset_count && i < b->dataset_count; i++) {
		CHECK_TEXT(a->datasets[i].path, b->datasets[i].path);
		CHECK_TEXT(a->datasets[i].sha256, b->datasets[i].sha256);
	}
	CHECK_INT(a->inventory_count, b->inventory_count);
	for (size_t i = 0; i < a->inventory_count && i < b->inventory_count; i++) {
		const struct inventory_record *x = &a->inventories[i], *y = &b->inventories[i];
		CHECK_TEXT(x->folder, y->folder);
		CHECK_TEXT(x->profile, y->profile);
		CHECK_TEXT(x->evidence, y->evidence);
		CHECK_TEXT(x->claim, y->claim);
		CHECK_TEXT(x->modules, y->modules);
		CHECK_TEXT(x->missing, y->missing);
		CHECK_TEXT(x->unknown, y->unknown);
		CHECK_INT(x->architecture, y->architecture);
		CHECK_INT(x->expected, y->expected);
		CHECK_INT(x->present, y->present);
		CHECK_INT(x->missing_count, y->missing_count);
		CHECK_INT(x->unknown_count, y->unknown_count);
		CHECK_INT(x->without_case, y->without_case);
		CHECK_INT(x->cases_without_entry, y->cases_without_entry);
	}
	CHECK_TEXT(a->dataset, b->dataset);
	CHECK_TEXT(a->dataset_sha256, b->dataset_sha256);
	CHECK_TEXT(a->repeat_options, b->repeat_options);
	CHECK_TEXT(a->notes, b->notes);
	CHECK_TEXT(a->interleaved ? a->interleaved : "", b->interleaved ? b->interleaved : "");
	CHECK_INT(a->shard_index, b->shard_index);
	CHECK_INT(a->shard_count, b->shard_count);
	CHECK_INT(a->device_count, b->device_count);
	for (size_t i = 0; i < a->device_count && i < b->device_count; i++)
		same_device(&a->devices[i], &b->devices[i]);
	CHECK(a->seed == b->seed);
	same_double(a->wall_seconds, b->wall_seconds);
	CHECK_INT(a->artifact_count, b->artifact_count);
	for (size_t i = 0; i < a->artifact_count && i < b->artifact_count; i++) {
		const struct artifact_record *x = &a->artifacts[i], *y = &b->artifacts[i];
		CHECK_TEXT(x->path, y->path);
		CHECK_TEXT(x->sha256, y->sha256);
		CHECK(x->size == y->size);
		CHECK_TEXT(x->kind, y->kind);
		CHECK_TEXT(x->toolkit, y->toolkit);
		CHECK_TEXT(x->provenance, y->provenance);
		CHECK_TEXT(x->abi, y->abi);
		CHECK_TEXT(x->cudart, y->cudart);
		CHECK_TEXT(x->stubbed, y->stubbed);
		same_double(x->link_seconds, y->link_seconds);
		same_double(x->load_seconds, y->load_seconds);
		same_double(x->load_longest_seconds, y->load_longest_seconds);
		same_double(x->load_wall_seconds, y->load_wall_seconds);
		CHECK_INT(x->load_parts, y->load_parts);
		CHECK_INT(x->entry_points, y->entry_points);
		CHECK_INT(x->fast_kernels, y->fast_kernels);
		CHECK_TEXT(x->refused, y->refused);
		CHECK_TEXT(x->images ? x->images : "", y->images);
		CHECK_TEXT(x->set ? x->set : "", y->set);
		CHECK_TEXT(x->donor ? x->donor : "", y->donor);
		CHECK_INT(x->kernel_count, y->kernel_count);
		for (size_t k = 0; k < x->kernel_count && k < y->kernel_count; k++) {
			CHECK_TEXT(x->kernels[k], y->kernels[k]);
			CHECK_INT(x->kernel_launched[k], y->kernel_launched[k]);
		}
	}
	CHECK_INT(a->case_count, b->case_count);
	for (size_t i = 0; i < a->case_count && i < b->case_count; i++)
		same_case(&a->cases[i], &b->cases[i]);
}

#endif
