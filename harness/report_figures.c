#include "report_figures.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

struct spread spread_of(double *values, size_t count)
{
	if (count == 0)
		return (struct spread){0};
	for (size_t i = 0; i < count; i++)
		if (isnan(values[i]))
			values[i] = (double)INFINITY;
	qsort(values, count, sizeof *values, by_value);
	const size_t high = (count * 95 + 99) / 100; /* rank from 1 */
	return (struct spread){count, values[0], values[(count - 1) / 2], values[high - 1], values[count - 1]};
}

const struct device_properties *run_device(const struct run_record *run)
{
	return &run_record_device(run, NULL)->properties;
}

uint32_t run_other_processes(const struct run_record *run)
{
	uint32_t count = 0;
	for (size_t i = 0; i < run->device_count; i++)
		count += run->devices[i].other_processes;
	return count;
}

double case_energy(const struct case_record *record)
{
	return record->energy_joules > 0 ? record->energy_joules : (double)NAN;
}

double case_energy_per_tflop(const struct case_record *record)
{
	return record->flops > 0 ? case_energy(record) / record->flops * 1e12 : (double)NAN;
}

struct kernel_counts kernel_counts_of(const struct artifact_record *artifact)
{
	struct kernel_counts counts = {0, 0};
	for (size_t i = 0; i < artifact->kernel_count; i++) {
		counts.launched += artifact->kernel_launched[i] == KERNEL_LAUNCHED;
		counts.reachable += artifact->kernel_launched[i] != KERNEL_UNREACHABLE;
	}
	return counts;
}

int case_is_timed(const struct case_record *record)
{
	return record->judgement.status == STATUS_PASS && record->hot.measured && record->hot.median > 0;
}

double case_flop_rate(const struct case_record *record)
{
	return record->flops > 0 ? record->flops / record->hot.median : (double)NAN;
}

double case_byte_rate(const struct case_record *record)
{
	return record->bytes > 0 ? record->bytes / record->hot.median : (double)NAN;
}

double case_roof_share(const struct run_record *run, const struct case_record *record)
{
	const struct run_device *device = run_record_device(run, record);
	const double roof = record->dtype == DTYPE_BF16 ? device->matrix_product_flops_bf16 : device->matrix_product_flops;
	return roof > 0 ? case_flop_rate(record) / roof : (double)NAN;
}

double case_speedup(const struct case_record *record)
{
	const struct baseline_record *unfused = case_record_baseline(record, RECORD_UNFUSED);
	return unfused && unfused->hot.median > 0 ? unfused->hot.median / record->hot.median : (double)NAN;
}

double case_uncertainty(const struct case_record *record)
{
	return (record->hot.high - record->hot.low) / 2 / record->hot.median;
}

int clock_summary_of(const struct run_record *run, struct clock_summary *out)
{
	size_t count = 0;
	*out = (struct clock_summary){0};
	for (size_t i = 0; i < run->case_count; i++)
		count += (size_t)run->cases[i].clock_count;
	if (count == 0)
		return 0;
	double *values = calloc(count, 3 * sizeof *values);
	if (!values)
		return -1;
	double *clocks = values, *powers = values + count, *temperatures = values + 2 * count;
	for (size_t i = 0; i < run->case_count; i++)
		for (int64_t k = 0; k < run->cases[i].clock_count; k++) {
			const struct clock_reading *reading = &run->cases[i].clocks[k];
			clocks[out->readings] = reading->sm_clock_mhz;
			powers[out->readings] = reading->power_milliwatts / 1000.0;
			temperatures[out->readings++] = reading->temperature_celsius;
			out->throttle_reasons |= reading->throttle_reasons;
		}
	out->sm_mhz = spread_of(clocks, count);
	out->power_watts = spread_of(powers, count);
	out->temperature_celsius = spread_of(temperatures, count);
	free(values);
	return 0;
}

void append_throttle_reasons(uint64_t reasons, struct text *out)
{
	/* nvmlClocksEventReason* of nvml.h; being idle between samples is no throttling */
	static const struct {
		uint64_t bit;
		const char *name;
	} names[] = {{0x2, "application clocks"}, {0x4, "power cap"}, {0x8, "hardware slowdown"}, {0x10, "sync boost"},
		     {0x20, "thermal slowdown (software)"}, {0x40, "thermal slowdown (hardware)"}, {0x80, "power brake"},
		     {0x100, "display clocks"}};
	int named = 0;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (reasons & names[i].bit)
			text_append(out, "%s%s", named++ ? ", " : "", names[i].name);
	if (!named)
		text_append(out, "none");
}

int run_summary_of(const struct run_record *run, struct run_summary *out)
{
	size_t margins = 0, lse_margins = 0;
	*out = (struct run_summary){0};
	double *values = calloc(run->case_count ? run->case_count : 1, 2 * sizeof *values);
	if (!values)
		return -1;
	double *lse_values = values + run->case_count;
	for (size_t i = 0; i < run->case_count; i++) {
		const struct case_record *record = &run->cases[i];
		const struct judgement *judgement = &record->judgement;
		if ((unsigned)judgement->status < STATUS_COUNT)
			out->statuses[judgement->status]++;
		for (int check = 0; check < CHECK_NAMES_COUNT; check++)
			out->checks[check][judgement->checks[check].state]++;
		out->device_seconds += record->verify_seconds;
		out->timed += case_is_timed(record) != 0;
		out->timed_hosts += case_is_timed(record) && !record->module[0];
		if (judgement->status != STATUS_PASS)
			continue;
		if (judgement->checks[CHECK_NUMBERS].state == CHECK_HELD) {
			values[margins++] = judgement->margin;
			if (!out->worst || judgement->margin > out->worst->judgement.margin)
				out->worst = record;
		}
		if (judgement->checks[CHECK_LSE].state == CHECK_HELD) {
			lse_values[lse_margins++] = judgement->lse_margin;
			if (!out->worst_lse || judgement->lse_margin > out->worst_lse->judgement.lse_margin)
				out->worst_lse = record;
		}
	}
	out->margins = spread_of(values, margins);
	out->lse_margins = spread_of(lse_values, lse_margins);
	free(values);
	return 0;
}

/* ---- throughput by type and head dimension ---- */

static int by_group(const void *a, const void *b)
{
	const struct case_record *x = *(const struct case_record *const *)a, *y = *(const struct case_record *const *)b;
	if (x->dtype != y->dtype)
		return (int)x->dtype - (int)y->dtype;
	return (x->attributes_head_dim > y->attributes_head_dim) - (x->attributes_head_dim < y->attributes_head_dim);
}

static struct throughput_group group_of(const struct run_record *run, const struct case_record *const *cases, size_t count,
					double *values)
{
	struct throughput_group group = {.dtype = cases[0]->dtype, .head_dim = cases[0]->attributes_head_dim, .cases = count,
					 .best = cases[0]};
	size_t speedups = 0;
	for (size_t i = 0; i < count; i++) {
		values[i] = case_flop_rate(cases[i]);
		if (values[i] > case_flop_rate(group.best))
			group.best = cases[i];
	}
	group.rate_median = spread_of(values, count).median;
	group.rate_best = case_flop_rate(group.best);
	group.share_best = case_roof_share(run, group.best);
	for (size_t i = 0; i < count; i++)
		if (!isnan(case_speedup(cases[i])))
			values[speedups++] = case_speedup(cases[i]);
	group.speedup_median = speedups ? spread_of(values, speedups).median : (double)NAN;
	return group;
}

int throughput_groups(const struct run_record *run, struct throughput_group **groups, size_t *count)
{
	int result = -1;
	size_t timed = 0;
	*groups = NULL;
	*count = 0;
	const struct case_record **cases = calloc(run->case_count + 1, sizeof *cases);
	double *values = calloc(run->case_count + 1, sizeof *values);
	*groups = calloc(run->case_count + 1, sizeof **groups);
	if (!cases || !values || !*groups)
		goto done;
	for (size_t i = 0; i < run->case_count; i++)
		if (case_is_timed(&run->cases[i]) && run->cases[i].flops > 0 && !run->cases[i].module[0])
			cases[timed++] = &run->cases[i];
	qsort(cases, timed, sizeof *cases, by_group);
	for (size_t from = 0, to; from < timed; from = to) {
		for (to = from + 1; to < timed && by_group(&cases[from], &cases[to]) == 0;)
			to++;
		(*groups)[(*count)++] = group_of(run, cases + from, to - from, values);
	}
	result = 0;
done:
	free(cases);
	free(values);
	if (result) {
		free(*groups);
		*groups = NULL;
	}
	return result;
}
